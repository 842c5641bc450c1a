"""What a diagnosis says of symmetry on a terminal: what was claimed, who breaks it, what noise does to the sectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from equinoise.coherence.quantity import Record
from equinoise.text.numbers import plural, power

__all__ = ["equivariance_rows"]

_NOISE_CLASS = {
    "none": "there is none",
    "strong": "strongly symmetric: every jump commutes with the charge",
    "weak": "weakly symmetric: it moves the charge but makes no coherence between sectors",
    "broken": "breaks the symmetry: it makes coherences between sectors",
}
_OTHER_NOISE = {
    "none": "there is none",
    "strong": "strongly symmetric: every jump that the readout can see commutes with {}",
    "weak": "weakly symmetric: it keeps {} on average and makes no coherence between sectors",
    "broken": "breaks the symmetry, of which nothing is left: computed in the full space of the light cone",
}
_SECTORS = 6


def equivariance_rows(record: Record) -> list[tuple[str, RenderableType]]:
    """Labels and values of the section on equivariance."""
    facts: dict[str, Any] = record["equivariance"]
    breaking: list[str] = list(facts["breaking"])
    if facts["charge"] is None:
        return [*_other_symmetry(record), *_broken_by(breaking)]
    if facts["conserving"]:
        answer = Text.assemble(("yes", "green"), ": every block and the readout conserve the charge sum_i (1 - Z_i)/2")
    else:
        answer = Text.assemble(("no", "red"), ": computed in the full space of the light cone")
    rows: list[tuple[str, RenderableType]] = [("charge", answer)]
    if facts["sector"] is None:
        rows.append(("sector", "none: the input holds several charges"))
    else:
        states = power(facts["sector_dimension"])
        rows.append(("sector", f"q = {facts['sector']} of 0..{record['circuit.num_qubits']}, dimension {states}"))
    noise = str(facts["noise_class"])
    rows.append(("noise", _NOISE_CLASS.get(noise, noise)))
    return [*rows, *_broken_by(breaking)]


def _broken_by(breaking: Sequence[str]) -> list[tuple[str, RenderableType]]:
    rows: list[tuple[str, RenderableType]] = [
        ("because of" if i == 0 else "", Text(text)) for i, text in enumerate(breaking[:3])
    ]
    return [*rows, ("", f"and {len(breaking) - 3} more")] if len(breaking) > 3 else rows


def _other_symmetry(record: Record) -> list[tuple[str, RenderableType]]:
    """A symmetry other than the charge: what is claimed and kept, in which sectors, and what the noise does to them."""
    facts, equivariance = record["symmetry"], record["equivariance"]
    claimed, kept = facts["claimed"], facts["kept"]
    if not equivariance["conserving"]:
        answer = Text.assemble(("no", "red"), f": gates break {claimed}; computed in the full space of the light cone")
    else:
        answer = Text.assemble(("yes", "green"), f": every step of the circuit commutes with {claimed}")
    rows: list[tuple[str, RenderableType]] = [("symmetry", answer)]
    if kept not in (claimed, "none"):
        rows.append(("computed with", Text(kept)))
    if kept != "none":
        sectors = facts["sectors"]
        listed = ", ".join(_sector(s) for s in sectors[:_SECTORS])
        rest = facts["num_sectors"] - min(len(sectors), _SECTORS)
        more = f" and {rest} more" if rest else ""
        rows.append(("sectors", f"{plural(facts['num_sectors'], 'sector')}: {listed}{more}"))
    noise = str(equivariance["noise_class"])
    text = _OTHER_NOISE.get(noise, noise).format(kept)
    if facts["noise_on_sectors"] is not None and noise in ("strong", "weak"):
        does = {"respected": "leaves the weight of every sector", "mixed": "mixes the sectors"}
        text += f"; it {does[facts['noise_on_sectors']]}"
    rows.append(("noise", text))
    return rows


def _sector(sector: dict[str, Any]) -> str:
    """Its label and the size m of its matrices, with the dimension of the representation if that is not 1."""
    dimension = sector["dimension"]
    return f"{sector['label']} ({sector['multiplicity']:,}" + (f" x {power(dimension)})" if dimension > 1 else ")")
