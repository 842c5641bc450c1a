"""The first screen: the answer of a diagnosis on 24 lines, at 80 columns or fewer, as plain text."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from typing import Any

from equinoise.coherence.law_record import budget_of
from equinoise.coherence.quantity import Record
from equinoise.coherence.rates import budget_sums
from equinoise.limits import MOST_SHOTS
from equinoise.text.numbers import number, plural, ranges, whole

__all__ = ["LABEL", "LINES", "first_screen"]

LINES = 24
"""A terminal's."""

LABEL = 12
"""Columns of a field's name."""
_NARROWEST = 40
# enough for a first interval
_DRAWS = 128
# lines that a field may take; else it has one
_MOST = {
    "gradient": 3,
    "noise": 3,
    "lost to": 3,
    "": 3,
    "headroom": 2,
    "cone": 2,
    "by qubit": 2,
    "helps": 2,
    "or else": 2,
}
_MOST |= {"sure": 2, "bounds": 2}
# who gives a line where all together would not fit, first the first
_YIELDING = ("or else", "helps", "cone", "sure", "bounds", "headroom", "", "lost to", "noise", "gradient")
# keeps what belongs together on one line
_TIE = "\u00a0"
_BAR = 5
_CUT = "..."
_LAYERS = {"barriers": "barriers", "as soon as possible": "no barriers"}


def first_screen(record: Record, width: int = 80, source: str | None = None) -> list[str]:
    """Verdict, gradient, what noise leaves and where it points, headroom, cone, what it is lost to, help, how sure.

    Args:
        record: Of a diagnosis.
        width: Columns; at least 40 are taken.
        source: What the circuit is called; by default the circuit's own name.

    Returns:
        At most 24 lines of at most ``width`` characters.
    """
    width = max(_NARROWEST, width)
    fields = [
        ("", record["verdict_reason"]),
        ("gradient", _gradient(record)),
        ("noise", _noise(record)),
        ("headroom", _headroom(record)),
        ("cone", _cone(record)),
        ("lost to", _lost(record)),
        *_places(record, width - LABEL),
        *_help(record),
        ("sure", _sure(record)),
        ("bounds", _bounds(record)),
        *_note(record),
        ("next", _next(record)),
    ]
    most = dict(_MOST)
    lines = [line for label, text in fields for line in _laid_out(label, text, width, most)]
    for label in _YIELDING:
        while len(lines) > LINES - 1 and most[label] > 1:
            most[label] -= 1
            lines = [line for label, text in fields for line in _laid_out(label, text, width, most)]
    return [_title(record, width, source or record["circuit.name"]), *lines]


def _laid_out(label: str, text: str, width: int, most: dict[str, int]) -> list[str]:
    """A field on its lines; what is too long loses its end."""
    plain = re.sub(r"[ \t\n]+", " ", text).replace(" %", f"{_TIE}%")
    found = textwrap.wrap(plain, width - LABEL, max_lines=most.get(label, 1), placeholder=_CUT, break_on_hyphens=False)
    return [f"{label if i == 0 else '':<{LABEL}}{line.replace(_TIE, ' ')}".rstrip() for i, line in enumerate(found)]


def _title(record: Record, width: int, source: str) -> str:
    word, scale = record["verdict"].upper(), f", s = {record.number('scale'):g}"
    head = f"{word:<{LABEL - 1}} "
    names = [source, f"readout {record['readout.label']}", record["noise.name"]]
    room = width - len(head) - len(scale)
    while len(", ".join(names)) > room:
        # the longest name gives way first; what is cut stands in full in the report
        longest = max(range(len(names)), key=lambda i: len(names[i]))
        spare = len(", ".join(names)) - room
        shorter = max(8, len(names[longest]) - spare)
        if shorter >= len(names[longest]):
            break
        names[longest] = _middle_cut(names[longest], shorter)
    return (head + ", ".join(names) + scale)[:width]


def _middle_cut(text: str, length: int) -> str:
    """Text without its middle: of a file the end of its name says most, of a sum of terms the beginning."""
    kept = length - len(_CUT)
    return text[: kept - kept // 2] + _CUT + text[len(text) - kept // 2 :]


# -- numbers ---------------------------------------------------------------------------------------------------------


def _between(bounds: tuple[float, float], factor: float = 1.0) -> str:
    if not all(map(math.isfinite, bounds)):
        return "[unknown]"
    return f"[{number(factor * bounds[0])},{_TIE}{number(factor * bounds[1])}]"


def _cosine(value: float) -> str:
    """Three decimals, four where it is close to 1."""
    return number(value) if math.isnan(value) or value == 1 else f"{value:.{4 if value > 0.99 else 3}f}"


def _share(record: Record, path: str, interval: str) -> str:
    return f"{_percent(record.number(path))} {_between(record.bounds(interval), 100)}"


def _percent(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{number(100 * value)}{_TIE}%"


# -- fields ----------------------------------------------------------------------------------------------------------


def _gradient(record: Record) -> str:
    shots, resolved = record["resources.shots"], record.number("resources.resolved_rms")
    if record["noiseless.variance"] == 0:
        return f"none, with noise or without; {shots:,} shots resolve {number(resolved)} /rad"
    read = record.number("resources.measured_rms")
    size = f"{number(read)} /rad {_between(record.bounds('resources.measured_interval'))}"
    times = f"{number(read / resolved, 2)} x what {shots:,} shots resolve" if resolved > 0 else "shots see no variance"
    clean = f"{number(record.number('noiseless.rms_gradient'))} {_between(record.bounds('noiseless.interval'))}"
    return f"{size}, {times}; noiseless {clean}"


def _noise(record: Record) -> str:
    if record["noiseless.variance"] == 0:
        return "has no gradient to take from; direction unknown"
    leaves = _share(record, "simulated.survival", "simulated.interval")
    law, turned = record.number("law.direction"), record.number("simulated.direction")
    low, high = record.bounds("simulated.direction_interval")
    ends = f"[{_cosine(low)},{_TIE}{_cosine(high)}]" if math.isfinite(high - low) else "[unknown]"
    direction = f"{_cosine(turned)} {ends}"
    foretold = "no law here" if math.isnan(law) else f"law {_cosine(law)}"
    law_leaves = _percent(record.number("law.survival"))
    return f"leaves {leaves}, law {law_leaves}; direction {direction}, {foretold}"


def _headroom(record: Record) -> str:
    greatest, scale = record.number("resources.greatest_scale"), record.number("scale")
    if math.isinf(greatest):
        noise = "any noise (law)"
    elif greatest <= 0:
        noise = "none in noise"
    elif 0 < scale < math.inf:
        noise = f"noise x {number(greatest / scale)} (law)"
    else:
        noise = f"noise up to s = {number(greatest)} (law)"
    depth, draws = record["resources.greatest_depth"], record["resources.greatest_depth_draws"]
    if depth is None:
        return f"{noise}; in depth unknown"
    if depth == 0:
        return f"{noise}; none in depth"
    least = "at least " if record["resources.greatest_depth_at_least"] else ""
    return f"{noise}, or {least}{plural(depth, 'layer')} ({draws} draws)"


def _cone(record: Record) -> str:
    cone: dict[str, Any] = record["light_cone"]
    listed = f"qubits {ranges(cone['qubits'])}"
    if len(listed) > 2 * LABEL:
        listed = f"{cone['width']} qubits ({cone['qubits'][0]} to {cone['qubits'][-1]})"
    layers = (
        f"{plural(record['layers.count'], 'layer')} ({_LAYERS.get(record['layers.found'], record['layers.found'])})"
    )
    weights = f"{cone['parameters']:,} of {record['circuit.num_parameters']:,} weights have a gradient"
    return f"{listed} of {record['circuit.num_qubits']}; {weights}; {layers}"


def _lost(record: Record) -> str:
    kappa = f"kappa {number(record.number('law.kappa'))} {_between(record.bounds('law.kappa_interval'))}"
    parts = record["law.mechanisms"]
    if record["noiseless.variance"] == 0:
        return "nothing: there is no gradient"
    if not parts:
        nothing = record.bounds("law.kappa_interval") == (0.0, 0.0)
        return f"nothing to first order: {kappa}" if nothing else f"unknown: {kappa} may be 0"
    known = [(part["mechanism"], float(part["share"]), tuple(part["interval"])) for part in parts]
    told = [f"{name} {100 * share:.0f}{_TIE}% {_whole_percent(ends)}" for name, share, ends in known]
    return f"{', '.join(told)} of {kappa}"


def _whole_percent(ends: Sequence[float | None]) -> str:
    if any(end is None for end in ends):
        return "[unknown]"
    low, high = (f"{100 * end:.0f}" for end in ends if end is not None)
    return f"[{low},{_TIE}{high}]"


def _places(record: Record, width: int) -> list[tuple[str, str]]:
    """By qubit and by layer, in their order, bars as long as their parts of kappa."""
    if not record["law.mechanisms"]:
        return []
    budget = budget_of(record)
    return [(f"by {name}", _bars(budget_sums(budget, name), width * _MOST.get(f"by {name}", 1))) for name in _ORDERED]


_ORDERED = ("qubit", "layer")


def _bars(sums: dict[int, float], room: int) -> str:
    """Each place with its bar; where there is no room for all, the smallest are left out and counted."""
    greatest = max(map(abs, sums.values()))
    signed = any(part < -0.01 * greatest for part in sums.values())
    legend = " (+ strengthens it)" if signed else ""
    kept = sorted(sums, key=lambda place: -abs(sums[place]))
    while True:
        told = f"{_TIE} ".join(f"{place}{_TIE}{_bar(sums[place] / greatest)}" for place in sorted(kept))
        left = len(sums) - len(kept)
        text = told + (f" ({left} more)" if left else "") + legend
        # a line break can cost what stands before it
        if len(text) + 2 * _BAR <= room or len(kept) == 1:
            return text
        kept.pop()


def _bar(share: float) -> str:
    if abs(share) < 0.01:
        return "."
    return ("=" if share > 0 else "+") * round(_BAR * abs(share)) or ("-" if share > 0 else "+")


def _help(record: Record) -> list[tuple[str, str]]:
    """What would help: by kappa's budget, or as simulated, the same model apart from another one."""
    found = record["suggestions"]
    if found is None:
        return [("helps", record["advice"][0] if record["advice"] else "unknown")]
    out = []
    for label, same in (("helps", True), ("or else", False)):
        best = next((one for one in found["suggestions"] if one["same_model"] is same), None)
        if best is not None:
            known = all(end is not None for end in best["interval"])
            ends = (
                f" {_between(tuple(best['interval']))}" if known and best["simulated"] is not None else " (predicted)"
            )
            model = "" if same else "another model: "
            out.append((label, f"{model}{best['change']}: gradient per shot x {number(best['gain'])}{ends}"))
    return out or [("helps", "nothing that was looked at; equinoise advise says what that was")]


def _sure(record: Record) -> str:
    seed = "" if record["seed"] is None else f", seed {record['seed']}"
    kind = "trajectory pair" if record["simulated.kind"] == "sampled" else "exact draw"
    draws = f"{plural(record['samples'], kind)}, engine {record['engine']}{seed}"
    return f"95{_TIE}% [low,{_TIE}high] of {draws}, {record['ensemble']}"


def _bounds(record: Record) -> str:
    low, high = record.number("law.lower_bound"), record.number("law.upper_bound")
    if not (math.isfinite(low) and math.isfinite(high)):
        return record["law.bound_status"] if record["noiseless.variance"] else "none: there is no gradient"
    proved = "proved" if record["law.bounds_proved"] else "not proved"
    ends = record["law.bound_ends"]
    within = f"; kappa, w0 {ends['within']}" if ends and ends["within"] else ""
    return f"{number(100 * low)} to {_percent(high)} left, {proved}{within}"


def _note(record: Record) -> list[tuple[str, str]]:
    notes = record["warnings"]
    if not notes:
        return []
    more = f"(1 of {len(notes)}) " if len(notes) > 1 else ""
    return [("note", more + notes[0])]


def _next(record: Record) -> str:
    verdict, needed = record["verdict"], record.number("resources.shots_per_gradient")
    if record["noiseless.variance"] == 0:
        step = "another readout or input"
    elif verdict == "undecided":
        step = f"--samples {max(_DRAWS, 4 * record['samples'])} for narrower intervals"
    elif verdict in ("shot-limited", "noise-limited") and needed <= MOST_SHOTS:
        step = f"--shots {whole(needed)} for signal = noise"
    elif record["suggestions"] is None:
        step = "equinoise advise simulates what helps"
    else:
        step = "--json keeps all of it"
    return f"{step}; --full"
