"""What a diagnosis looks like on a terminal, and its budget as rows of a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from equinoise.coherence.law_record import budget_of, budget_rows
from equinoise.coherence.quantity import Record
from equinoise.coherence.rates import BudgetEntry, budget_sums
from equinoise.diagnosis.screen import LABEL, first_screen
from equinoise.diagnosis.survival_curve import survival_table
from equinoise.report.terminal.equivariance_rows import equivariance_rows
from equinoise.report.terminal.sketch import POINT, sketch
from equinoise.report.terminal.table_style import plain_table
from equinoise.text.numbers import bar, interval, number, plural, power, ranges, ratio, whole

__all__ = ["budget_shares", "print_diagnosis", "print_first_screen"]

_COSTLIEST = 8
_ATOMS = 4
_NOTES = 4
_NOTE_LENGTH = 300
_LABEL = 16

_VERDICT_STYLE = {
    "trainable": "green",
    "classical": "cyan",
    "undecided": "yellow",
    "noise-limited": "red",
    "misdirected": "red",
    "shot-limited": "magenta",
}
_FIXED_POINT = {
    "untouched": "untouched: the noise leaves the whole sector alone",
    "classical": "classical: coherences die, populations live on as a classical stochastic process",
    "too mixed": "too mixed: the noise ends in a maximally mixed state that no gate can move",
    "too symmetric": "too symmetric: the noise ends in one pure state that no gate can move",
    "partly protected": "partly protected: some coherences are beyond the noise's reach",
    "no noise": "none: there is no noise that the readout sees",
}

_LAYERS = {
    "barriers": "between full-width barriers; noise acts after each",
    "as soon as possible": "as soon as possible, since no barrier divides the gates; noise acts after each",
}


# -- rows ----------------------------------------------------------------------------------------------------------


def budget_shares(record: Record) -> list[dict[str, int | float | str]]:
    """The budget of kappa as rows for a CSV file, in slot order; the column kappa sums to kappa.

    Returns:
        Rows with the keys layer, qubits (separated by spaces), mechanism, kappa, standard_error (empty for a single
        draw), share (of kappa, empty where kappa is 0).
    """
    total = record.number("law.kappa")
    return [
        row
        | {
            "standard_error": row["standard_error"] if math.isfinite(row["standard_error"]) else "",
            "share": row["kappa"] / total if abs(total) > 1e-12 else "",
        }
        for row in budget_rows(budget_of(record))
    ]


# -- the report ----------------------------------------------------------------------------------------------------


def print_first_screen(record: Record, console: Console, source: str | None = None) -> None:
    """Print the answer on one screen.

    Args:
        record: Of the diagnosis.
        console: Where to print.
        source: What the circuit is called; by default the circuit's own name.
    """
    first, *lines = first_screen(record, console.width, source)
    word = len(record["verdict"])
    style = _VERDICT_STYLE.get(record["verdict"], "white")
    console.print(Text.assemble((first[:word], f"bold {style}"), first[word:]), highlight=False, soft_wrap=True)
    for line in lines:
        console.print(Text.assemble((line[:LABEL], "dim"), line[LABEL:]), highlight=False, soft_wrap=True)


def print_diagnosis(record: Record, console: Console, source: str | None = None) -> None:
    """Print a diagnosis in the order in which a reader asks.

    Args:
        record: Of the diagnosis.
        console: Where to print.
        source: What the circuit is called; by default the circuit's own name.
    """
    parts: list[RenderableType] = [
        _title(record, source),
        _section("1", "Is it equivariant?", equivariance_rows(record)),
        _section("2", "Where does the gradient live?", _light_cone(record)),
        _section("3", "How large is it without noise?", _noiseless(record)),
        _section("4", "How fast does it die?", _law(record)),
    ]
    budget = budget_of(record)
    if budget:
        parts.append(Padding(_costliest(budget, record.number("law.kappa")), (1, 0, 0, 3)))
        parts.append(Padding(_totals(budget), (1, 0, 0, 3)))
    parts += [
        Padding(_survival(record), (1, 0, 0, 3)),
        Padding(_curve(record), (1, 0, 0, 3)),
        _section("5", f"What is left at s = {record.number('scale'):g}?", _resources(record)),
        _section("6", "How sure is this?", _confidence(record)),
        Text(),
        _verdict(record),
    ]
    console.print(Group(*parts, *_advice(record["advice"]), *_notes(record["warnings"])), highlight=False)


def _title(record: Record, source: str | None) -> RenderableType:
    circuit = record["circuit"]
    counts = f"{plural(circuit['num_qubits'], 'qubit')}, {plural(circuit['num_parameters'], 'parameter')}"
    readout = record["readout.label"] + (" projected on the sector" if record["readout.projected"] else "")
    rows: list[tuple[str, RenderableType]] = [
        ("circuit", Text.assemble((source or circuit["name"], "bold"), f"   {counts}")),
        ("layers", Text.assemble((str(record["layers.count"]), "bold"), f"   {_LAYERS[record['layers.found']]}")),
        ("readout", Text.assemble((readout, "bold"), f"   on the input {record['initial.name']}")),
        ("noise", Text.assemble((record["noise.name"], "bold"), f"   at scale s = {record.number('scale'):g}")),
    ]
    return Padding(_pairs(rows), (0, 0, 0, 3))


def _section(place: str, question: str, body: Sequence[tuple[str, RenderableType]]) -> RenderableType:
    return Group(
        Text(),
        Text.assemble((f"{place}  ", "dim"), (question, "bold")),
        Padding(_pairs(body), (0, 0, 0, 3)),
    )


def _pairs(body: Sequence[tuple[str, RenderableType]]) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=_LABEL, style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in body:
        grid.add_row(label, value)
    return grid


def _light_cone(record: Record) -> list[tuple[str, RenderableType]]:
    cone: dict[str, Any] = record["light_cone"]
    total = record["circuit.num_qubits"]
    full, held = cone["full_dimension"], cone["dimension"]
    rows: list[tuple[str, RenderableType]] = [
        (
            "light cone",
            f"qubits {ranges(cone['qubits'])}: width {cone['width']} of {total}; "
            f"{cone['parameters']:,} of {record['circuit.num_parameters']:,} parameters",
        )
    ]
    if cone["charges"]:
        rows.append(("charges in it", ranges(cone["charges"])))
    rows.append(
        (
            "numbers held",
            f"{power(held)} a state, all of 4^{total}"
            if held == full
            else f"{power(held)} a state instead of 4^{total} = {power(full)}: {ratio(full, held)} times fewer",
        )
    )
    return rows


def _noiseless(record: Record) -> list[tuple[str, RenderableType]]:
    return [
        (
            "RMS gradient",
            Text.assemble(
                (number(record.number("noiseless.rms_gradient")), "bold"),
                f" per rad  {interval(record.bounds('noiseless.interval'))}  for each parameter in the cone",
            ),
        )
    ]


def _law(record: Record) -> list[tuple[str, RenderableType]]:
    kappa, kept = record.number("law.kappa"), record.number("law.fixed_point_share")
    slots = len({entry.layer for entry in budget_of(record)})
    per_slot = f": {number(kappa / slots, 2)} per slot in {slots} slots" if slots > 1 and kappa > 1e-12 else ""
    kept_interval = f"  {interval(record.bounds('law.fixed_point_share_interval'))}" if kept > 1e-12 else ""
    kind, spread = record["law.fixed_point_class"], number(record.number("law.rate_variance"))
    return [
        (
            "kappa",
            Text.assemble(
                (number(kappa), "bold"),
                f"  {interval(record.bounds('law.kappa_interval'))}  rate of decay in s{per_slot}",
            ),
        ),
        (
            "w0",
            Text.assemble(
                (number(kept), "bold"),
                f"{kept_interval}  share of the squared gradient that noise never kills",
            ),
        ),
        ("fixed point", _FIXED_POINT.get(kind, kind)),
        ("c2", Text.assemble((spread, "bold"), "  relative variance of the decaying rates")),
    ]


def _costliest(budget: Sequence[BudgetEntry], total: float) -> RenderableType:
    entries = sorted(budget, key=lambda entry: -entry.kappa)
    shown = [entry for entry in entries[:_COSTLIEST] if entry.kappa > 1e-12]
    if not shown:
        return Text("budget: no noise term costs any of this gradient")
    table = plain_table(("costliest", "layer", "qubits", "kappa", "± error", "share", ""), left=("costliest", ""))
    table.columns[2].no_wrap = False  # a correlated term can be on many
    for entry in shown:
        table.add_row(
            entry.mechanism,
            str(entry.layer),
            ranges(entry.qubits),
            number(entry.kappa),
            number(entry.standard_error, 1),
            f"{100 * entry.kappa / total:.0f} %" if total > 1e-12 else "",
            Text(bar(entry.kappa / shown[0].kappa, 12), style="blue"),
        )
    rest = entries[len(shown) :]
    if rest:
        left = sum(entry.kappa for entry in rest)
        table.add_row(
            f"{plural(len(rest), 'other')}",
            "",
            "",
            number(left) if abs(left) > 1e-9 * abs(total) else "0",
            "",
            f"{100 * left / total:.0f} %" if total > 1e-12 else "",
            "",
            style="dim",
        )
    return table


def _totals(budget: Sequence[BudgetEntry]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    cells: list[RenderableType] = []
    for by in ("mechanism", "qubit", "layer"):
        sums = budget_sums(budget, by)
        places = sorted(sums, key=lambda place: -sums[place])
        greatest = max(1e-300, *sums.values())
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True, justify="left" if by == "mechanism" else "right")
        table.add_column(no_wrap=True, style="blue", width=6)
        table.add_column(no_wrap=True, justify="right")
        table.add_row(Text(by, style="dim"), "", Text("kappa", style="dim"))
        for place in places[:_COSTLIEST]:
            kappa = sums[place]
            table.add_row(str(place), bar(kappa / greatest, 6), number(kappa) if abs(kappa) > 1e-9 else "0")
        if len(sums) > _COSTLIEST:
            table.add_row("…", "", Text(f"{len(sums) - _COSTLIEST} more", style="dim"))
        cells.append(table)
        grid.add_column()
    grid.add_row(*cells)
    return grid


def _survival(record: Record) -> RenderableType:
    s, found = record.number("scale"), record["simulated"]
    if record["noiseless.variance"] == 0:
        return _pairs([("survival", Text("there is no gradient without noise, of which a share could be left"))])
    rows: list[tuple[str, RenderableType]] = [("survival", Text(f"share of the RMS gradient left at s = {s:g}"))]
    how = "noisy trajectories" if found["kind"] == "sampled" else "noisy simulation"
    left, between = record.number("simulated.survival"), interval(record.bounds("simulated.interval"))
    rows.append((f"  {found['kind']}", Text.assemble((number(left), "bold"), f"  {between}  {how}")))
    law, low, leading, high = (
        number(record.number(f"law.{name}")) for name in ("survival", "lower_bound", "leading_order", "upper_bound")
    )
    span = f"{low} to {high}  " if record["law.bound_ends"] is not None else ""
    style = "green" if record["law.bounds_proved"] and span else "yellow"
    rows += [
        ("  direction", _direction(record)),
        ("  law", Text.assemble((law, "bold"), "  resummed, from kappa, w0 and c2")),
        ("  leading order", f"{leading}  exp(-s kappa)"),
        ("  bounds", Text.assemble(span, (record["law.bound_status"], style))),
        ("", Text(record["law.bound_reason"], style="dim")),
    ]
    if record["law.spectrum"] is not None:
        rows += _spectrum(record["law.spectrum"])
    return _pairs(rows)


def _direction(record: Record) -> str:
    law = record.number("law.direction")
    foretold = (
        "measured; the direction law is not proved here" if math.isnan(law) else f"by the direction law {number(law)}"
    )
    value, ends = record.number("simulated.direction"), record.bounds("simulated.direction_interval")
    return f"{number(value)}  {interval(ends)}  cosine with the noiseless gradient; {foretold}"


def _spectrum(spectrum: dict[str, Any]) -> list[tuple[str, RenderableType]]:
    spans = [
        f"{number(one['lower_bound'])} to {number(one['upper_bound'])} at s = "
        f"{math.inf if one['scale'] is None else one['scale']:g}"
        for one in spectrum["bounds"]
    ]
    atoms = zip(spectrum["weights"], spectrum["rates"], strict=True)
    heaviest = sorted(sorted(atoms, reverse=True)[:_ATOMS], key=lambda atom: atom[1])
    sits = ", ".join(f"{100 * weight:.0f} % at {number(rate, 2) if rate > 0 else '0'}" for weight, rate in heaviest)
    rest = 1 - sum(weight for weight, _ in heaviest)
    rows: list[tuple[str, RenderableType]] = [
        (
            "  from spectrum",
            Text.assemble(
                f"{', '.join(spans)}  ", (spectrum["bound_status"], "green" if spectrum["bounds_proved"] else "yellow")
            ),
        ),
        (
            "",
            Text(
                f"shares of V(0) by decay rate, a fit that is not unique: {sits}"
                + (f", {100 * rest:.0f} % elsewhere" if rest > 0.005 else ""),
                style="dim",
            ),
        ),
    ]
    if spectrum["note"]:
        rows.append(("", Text(spectrum["note"], style="dim")))
    return rows


def _curve(record: Record) -> RenderableType:
    kind = f" {record['simulated.kind']}"
    lines: list[RenderableType] = [
        Text.assemble(
            ("survival against noise scale s   ", "dim"), ("⠒⠒", "blue"), (" law   ", "dim"), (POINT, "bold"), kind
        )
    ]
    for line in sketch(survival_table(record)):
        text = Text(line, no_wrap=True)
        text.highlight_regex(r"[\u2801-\u28ff]+", "blue")
        text.highlight_regex(POINT, "bold")
        lines.append(text)
    return Group(*lines)


def _resources(record: Record) -> list[tuple[str, RenderableType]]:
    resources, factor = record["resources"], record.number("resources.readout_factor")
    rms, measured, resolved, greatest = (
        record.number(path)
        for path in (
            "simulated.rms_gradient",
            "resources.measured_rms",
            "resources.resolved_rms",
            "resources.greatest_scale",
        )
    )
    rows: list[tuple[str, RenderableType]] = [
        (
            "RMS gradient",
            Text.assemble((number(rms), "bold"), f" per rad  {interval(record.bounds('simulated.rms_interval'))}"),
        )
    ]
    if not 0.9995 <= factor <= 1.0005:
        rows.append(("as measured", f"{number(measured)} per rad: readout errors multiply it by {factor:.3f}"))
    if math.isinf(greatest):
        scale = "resolved at any noise scale, by the law"
    elif greatest <= 0:
        scale = "not resolved at any noise scale"
    else:
        scale = f"resolved up to s = {number(greatest)}, by the law"
    depth = resources["greatest_depth"]
    if depth is None:
        deepest = "no answer: the layers do not repeat, or it was not asked for"
    elif depth == 0:
        deepest = "not resolved at any depth"
    else:
        least = "at least " if resources["greatest_depth_at_least"] else ""
        draws = plural(resources["greatest_depth_draws"], "draw")
        deepest = f"resolved up to {least}{plural(depth, 'layer')} of this kind ({draws} each)"
    settings = resources["settings"]
    each = "" if settings == 1 else f" and each of its {settings} measurement settings"
    rows += [
        (
            "resolved",
            f"from {number(resolved)} per rad up, with {resources['shots']:,} shots per expectation value{each}",
        ),
        (
            "shots needed",
            f"{whole(record.number('resources.shots_per_gradient'))} per expectation value{each} for a signal-to-noise "
            "ratio of 1",
        ),
        ("greatest scale", scale),
        ("greatest depth", deepest),
    ]
    return rows


def _confidence(record: Record) -> list[tuple[str, RenderableType]]:
    seed = "" if record["seed"] is None else f", seed {record['seed']}"
    return [
        ("engine", Text(f"{record['engine']}: {record['engine_reason']}")),
        ("samples", f"{plural(record['samples'], 'draw')}, {record['ensemble']}{seed}"),
        ("intervals", "95 %, Student's t over the draws by the jackknife; wider where their tails are heavy"),
        ("bounds", record["law.bound_status"]),
    ]


def _verdict(record: Record) -> RenderableType:
    style = _VERDICT_STYLE.get(record["verdict"], "white")
    return Panel(
        Text(record["verdict_reason"]),
        title=Text(f" {record['verdict']} ", style=f"bold {style}"),
        title_align="left",
        border_style=style,
        padding=(0, 2),
    )


def _advice(advice: Sequence[str]) -> list[RenderableType]:
    if not advice:
        return []
    return [Text("What would help most", style="bold"), *(_bullet(text) for text in advice), Text()]


def _notes(warnings: Sequence[str]) -> list[RenderableType]:
    if not warnings:
        return []
    out: list[RenderableType] = [Text("Notes", style="bold")]
    for note in warnings[:_NOTES]:
        out.append(_bullet(note if len(note) <= _NOTE_LENGTH else note[: _NOTE_LENGTH - 1] + "…", "dim"))
    if len(warnings) > _NOTES:
        out.append(_bullet(f"and {len(warnings) - _NOTES} more; --json holds them all", "dim"))
    return out


def _bullet(text: str, style: str = "") -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column(overflow="fold")
    grid.add_row("•", Text(text, style=style))
    return grid
