"""What a diagnosis looks like on a terminal, and its budget as rows of a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from equinoise.coherence.rates import budget_sums
from equinoise.report.figures import survival_table
from equinoise.report.numbers import bar, interval, number, plural, power, ranges, ratio, whole
from equinoise.report.terminal.equivariance_rows import equivariance_rows
from equinoise.report.terminal.sketch import POINT, sketch

if TYPE_CHECKING:
    from equinoise.coherence.spectrum import CoherenceSpectrum
    from equinoise.diagnosis.diagnose import Diagnosis

__all__ = ["budget_rows", "print_diagnosis"]

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


def budget_rows(diagnosis: Diagnosis) -> list[dict[str, int | float | str]]:
    """The budget of kappa as rows for a CSV file, in slot order; the column kappa sums to kappa.

    Returns:
        Rows with the keys layer, qubits (separated by spaces), mechanism, kappa, standard_error (empty for a single
        draw), share (of kappa, empty where kappa is 0).
    """
    total = diagnosis.law.kappa
    return [
        {
            "layer": entry.layer,
            "qubits": " ".join(map(str, entry.qubits)),
            "mechanism": entry.mechanism,
            "kappa": entry.kappa,
            "standard_error": entry.standard_error if math.isfinite(entry.standard_error) else "",
            "share": entry.kappa / total if abs(total) > 1e-12 else "",
        }
        for entry in diagnosis.law.budget
    ]


# -- the report ----------------------------------------------------------------------------------------------------


def print_diagnosis(diagnosis: Diagnosis, console: Console, source: str | None = None) -> None:
    """Print a diagnosis in the order in which a reader asks.

    Args:
        diagnosis: The diagnosis.
        console: Where to print.
        source: What the circuit is called; by default the circuit's own name.
    """
    parts: list[RenderableType] = [
        _title(diagnosis, source),
        _section("1", "Is it equivariant?", equivariance_rows(diagnosis)),
        _section("2", "Where does the gradient live?", _light_cone(diagnosis)),
        _section("3", "How large is it without noise?", _noiseless(diagnosis)),
        _section("4", "How fast does it die?", _law(diagnosis)),
    ]
    if diagnosis.law.budget:
        parts.append(Padding(_costliest(diagnosis), (1, 0, 0, 3)))
        parts.append(Padding(_totals(diagnosis), (1, 0, 0, 3)))
    parts += [
        Padding(_survival(diagnosis), (1, 0, 0, 3)),
        Padding(_curve(diagnosis), (1, 0, 0, 3)),
        _section("5", f"What is left at s = {diagnosis.scale:g}?", _resources(diagnosis)),
        _section("6", "How sure is this?", _confidence(diagnosis)),
        Text(),
        _verdict(diagnosis),
    ]
    console.print(Group(*parts, *_advice(diagnosis), *_notes(diagnosis.warnings)), highlight=False)


def _title(diagnosis: Diagnosis, source: str | None) -> RenderableType:
    problem = diagnosis.problem
    counts = ", ".join(
        plural(count, noun)
        for count, noun in (
            (problem.num_qubits, "qubit"),
            (len(problem.parameters), "parameter"),
        )
    )
    readout = problem.readout_label + (" projected on the sector" if problem.projected else "")
    rows: list[tuple[str, RenderableType]] = [
        ("circuit", Text.assemble((source or problem.circuit.name, "bold"), f"   {counts}")),
        ("layers", Text.assemble((str(len(problem.layers)), "bold"), f"   {_LAYERS[problem.layers_found]}")),
        ("readout", Text.assemble((readout, "bold"), f"   on the input {problem.initial.name}")),
        ("noise", Text.assemble((problem.noise.name, "bold"), f"   at scale s = {diagnosis.scale:g}")),
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


def _light_cone(diagnosis: Diagnosis) -> list[tuple[str, RenderableType]]:
    cone: dict[str, Any] = diagnosis.light_cone
    total = diagnosis.problem.num_qubits
    full, held = cone["full_dimension"], cone["dimension"]
    rows: list[tuple[str, RenderableType]] = [
        (
            "light cone",
            f"qubits {ranges(cone['qubits'])}: width {cone['width']} of {total}; "
            f"{cone['parameters']:,} of {len(diagnosis.problem.parameters):,} parameters",
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


def _noiseless(diagnosis: Diagnosis) -> list[tuple[str, RenderableType]]:
    return [
        (
            "RMS gradient",
            Text.assemble(
                (number(diagnosis.noiseless_rms), "bold"),
                f" per rad  {interval(diagnosis.noiseless_interval)}  for each parameter in the cone",
            ),
        )
    ]


def _law(diagnosis: Diagnosis) -> list[tuple[str, RenderableType]]:
    law = diagnosis.law
    slots = len({entry.layer for entry in law.budget})
    per_slot = f": {number(law.kappa / slots, 2)} per slot in {slots} slots" if slots > 1 and law.kappa > 1e-12 else ""
    kept = law.fixed_point_share
    kept_interval = f"  {interval(law.fixed_point_share_interval)}" if kept > 1e-12 else ""
    return [
        (
            "kappa",
            Text.assemble(
                (number(law.kappa), "bold"),
                f"  {interval(law.kappa_interval)}  rate of decay in s{per_slot}",
            ),
        ),
        (
            "w0",
            Text.assemble(
                (number(kept), "bold"),
                f"{kept_interval}  share of the squared gradient that noise never kills",
            ),
        ),
        ("fixed point", _FIXED_POINT.get(law.fixed_point.kind, law.fixed_point.kind)),
        (
            "c2",
            Text.assemble((number(law.rate_variance), "bold"), "  relative variance of the decaying rates"),
        ),
    ]


def _costliest(diagnosis: Diagnosis) -> RenderableType:
    entries = sorted(diagnosis.law.budget, key=lambda entry: -entry.kappa)
    shown = [entry for entry in entries[:_COSTLIEST] if entry.kappa > 1e-12]
    if not shown:
        return Text("budget: no noise term costs any of this gradient")
    total = diagnosis.law.kappa
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False, header_style="dim")
    table.add_column("costliest", no_wrap=True)
    table.add_column("layer", justify="right")
    table.add_column("qubits", justify="right")
    table.add_column("kappa", justify="right", no_wrap=True)
    table.add_column("± error", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, style="blue")
    for entry in shown:
        table.add_row(
            entry.mechanism,
            str(entry.layer),
            ranges(entry.qubits),
            number(entry.kappa),
            number(entry.standard_error, 1),
            f"{100 * entry.kappa / total:.0f} %" if total > 1e-12 else "",
            bar(entry.kappa / shown[0].kappa, 12),
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


def _totals(diagnosis: Diagnosis) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    cells: list[RenderableType] = []
    for by in ("mechanism", "qubit", "layer"):
        sums = budget_sums(diagnosis.law.budget, by)
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


def _survival(diagnosis: Diagnosis) -> RenderableType:
    law, s = diagnosis.law, diagnosis.scale
    if law.variance == 0:
        return _pairs([("survival", Text("there is no gradient without noise, of which a share could be left"))])
    low, high = (float(bound) for bound in law.bounds(s))
    rows: list[tuple[str, RenderableType]] = [("survival", Text(f"share of the RMS gradient left at s = {s:g}"))]
    found = diagnosis.simulated
    how = "noisy trajectories" if found.sampled else "noisy simulation"
    rows.append(
        (
            "  sampled" if found.sampled else "  exact",
            Text.assemble((number(found.survival), "bold"), f"  {interval(found.interval)}  {how}"),
        )
    )
    certificate = law.certificate
    span = f"{number(low)} to {number(high)}  " if law.bound_ends is not None else ""
    rows += [
        ("  law", Text.assemble((number(float(law.survival(s))), "bold"), "  resummed, from kappa, w0 and c2")),
        ("  leading order", f"{number(float(law.leading_order(s)))}  exp(-s kappa)"),
        (
            "  bounds",
            Text.assemble(span, (law.bound_status, "green" if certificate.proved and span else "yellow")),
        ),
        ("", Text(certificate.reason, style="dim")),
    ]
    if law.spectrum is not None:
        rows += _spectrum(law.spectrum, s)
    return _pairs(rows)


def _spectrum(spectrum: CoherenceSpectrum, scale: float) -> list[tuple[str, RenderableType]]:
    scales = [s for s in (scale, spectrum.beyond) if s is not None]
    spans = [
        f"{number(float(a))} to {number(float(b))} at s = {s:g}"
        for s, a, b in zip(scales, *spectrum.bounds(scales), strict=True)
    ]
    atoms = zip(spectrum.measure.weights, spectrum.measure.rates, strict=True)
    heaviest = sorted(sorted(atoms, reverse=True)[:_ATOMS], key=lambda atom: atom[1])
    sits = ", ".join(f"{100 * weight:.0f} % at {number(rate, 2) if rate > 0 else '0'}" for weight, rate in heaviest)
    rest = 1 - sum(weight for weight, _ in heaviest)
    rows: list[tuple[str, RenderableType]] = [
        (
            "  from spectrum",
            Text.assemble(
                f"{', '.join(spans)}  ", (spectrum.status, "green" if spectrum.certificate.proved else "yellow")
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
    if spectrum.note:
        rows.append(("", Text(spectrum.note, style="dim")))
    return rows


def _curve(diagnosis: Diagnosis) -> RenderableType:
    kind = " sampled" if diagnosis.simulated.sampled else " exact"
    lines: list[RenderableType] = [
        Text.assemble(
            ("survival against noise scale s   ", "dim"), ("⠒⠒", "blue"), (" law   ", "dim"), (POINT, "bold"), kind
        )
    ]
    for line in sketch(survival_table(diagnosis)):
        text = Text(line, no_wrap=True)
        text.highlight_regex(r"[\u2801-\u28ff]+", "blue")
        text.highlight_regex(POINT, "bold")
        lines.append(text)
    return Group(*lines)


def _resources(diagnosis: Diagnosis) -> list[tuple[str, RenderableType]]:
    resources, found = diagnosis.resources, diagnosis.simulated
    rows: list[tuple[str, RenderableType]] = [
        (
            "RMS gradient",
            Text.assemble((number(found.rms_gradient), "bold"), f" per rad  {interval(found.rms_interval)}"),
        )
    ]
    if resources.readout_factor < 0.9995 or resources.readout_factor > 1.0005:
        rows.append(
            (
                "as measured",
                f"{number(resources.measured_rms)} per rad: readout errors multiply it by "
                f"{resources.readout_factor:.3f}",
            )
        )
    greatest = resources.greatest_scale
    if math.isinf(greatest):
        scale = "resolved at any noise scale, by the law"
    elif greatest <= 0:
        scale = "not resolved at any noise scale"
    else:
        scale = f"resolved up to s = {number(greatest)}, by the law"
    depth = resources.greatest_depth
    if depth is None:
        deepest = "no answer: the layers do not repeat, or it was not asked for"
    elif depth.depth == 0:
        deepest = "not resolved at any depth"
    else:
        least = "at least " if depth.at_least else ""
        deepest = (
            f"resolved up to {least}{plural(depth.depth, 'layer')} of this kind ({plural(depth.samples, 'draw')} each)"
        )
    each = "" if resources.settings == 1 else f" and each of its {resources.settings} measurement settings"
    rows += [
        (
            "resolved",
            f"from {number(resources.resolved_rms)} per rad up, with {resources.shots:,} shots per expectation "
            f"value{each}",
        ),
        (
            "shots needed",
            f"{whole(resources.shots_per_gradient)} per expectation value{each} for a signal-to-noise ratio of 1",
        ),
        ("greatest scale", scale),
        ("greatest depth", deepest),
    ]
    return rows


def _confidence(diagnosis: Diagnosis) -> list[tuple[str, RenderableType]]:
    seed = "" if diagnosis.seed is None else f", seed {diagnosis.seed}"
    return [
        ("engine", Text(f"{diagnosis.engine}: {diagnosis.engine_reason}")),
        ("samples", f"{plural(diagnosis.samples, 'draw')}, {diagnosis.law.ensemble}{seed}"),
        ("intervals", "95 %, Student's t over the draws by the jackknife; wider where their tails are heavy"),
        ("bounds", diagnosis.law.bound_status),
    ]


def _verdict(diagnosis: Diagnosis) -> RenderableType:
    style = _VERDICT_STYLE.get(diagnosis.verdict.word, "white")
    return Panel(
        Text(diagnosis.verdict.reason),
        title=Text(f" {diagnosis.verdict.word} ", style=f"bold {style}"),
        title_align="left",
        border_style=style,
        padding=(0, 2),
    )


def _advice(diagnosis: Diagnosis) -> list[RenderableType]:
    if not diagnosis.advice:
        return []
    return [Text("What would help most", style="bold"), *(_bullet(text) for text in diagnosis.advice), Text()]


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
