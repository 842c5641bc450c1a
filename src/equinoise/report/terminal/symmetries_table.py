"""Which symmetries a problem has, as a table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from equinoise.report.terminal.table_style import plain_table
from equinoise.text.numbers import plural

if TYPE_CHECKING:
    from rich.console import Console

    from equinoise.reduction.symmetry_search import FoundSymmetry, Symmetries

__all__ = ["print_symmetries"]


def print_symmetries(found: Symmetries, console: Console) -> None:
    """Print every symmetry with who keeps it, then the culprits, then what to claim."""
    words = ("symmetry", "circuit", "readout", "input", "noise")
    table = plain_table((*words, "numbers"), left=words)
    for one in found.found:
        readout = "-" if one.readout is None else _kept(one.readout)
        numbers = "-" if one.numbers is None else _short(one.numbers)
        row = [one.name, _kept(not one.breaking_gates), readout, _kept(one.state), _noise(one), numbers]
        table.add_row(*row, style="" if one.shared else "dim")
    console.print(table, highlight=False)
    for line in _hidden(found):
        console.print(Text(line), highlight=False)
    for one in found.found:
        for text in _culprits(one):
            console.print(Text(f"{one.name}: {text}", style="dim"))
    full = _short(4**found.num_qubits)
    if found.suggestion:
        console.print(Text(f"Claim --symmetry '{found.suggestion}'. A density matrix without symmetry holds {full}."))
    elif found.hidden_charge is not None and found.hidden_charge["found"]:
        console.print(
            Text(f"Nothing to claim: the hidden charge is used unasked. A density matrix holds {full} numbers.")
        )
    else:
        console.print(Text(f"Nothing to claim: a density matrix holds {full} numbers."))
    for note in found.notes:
        console.print(Text(note, style="dim"))


def _hidden(found: Symmetries) -> list[str]:
    """Where the circuit hides its charge: qubits by the axes along which they carry it, at the start and the end."""
    hidden = found.hidden_charge
    if hidden is None:
        return []
    if not hidden["found"]:
        return [f"Hidden charge: none ({hidden['reason']})."]
    alike: dict[tuple[str, str], list[int]] = {}
    for axis in hidden["axes"]:
        alike.setdefault((_axis(axis["start"]), _axis(axis["end"])), []).append(axis["qubit"])
    lines = [
        f"Hidden charge: {hidden['blocks']} blocks carry a sum of one-qubit operators through the circuit, whatever "
        "the parameters; diagnose computes in its frame. Its axis at the start and at the end:"
    ]
    return lines + [f"  {a} to {b}: qubits {', '.join(map(str, qubits))}" for (a, b), qubits in alike.items()]


def _axis(axis: Sequence[float]) -> str:
    """A unit vector by its letter, or by its components."""
    for letter, value in zip("XYZ", axis, strict=True):
        if abs(abs(value) - 1) < 1e-9:
            return f"{'+' if value > 0 else '-'}{letter}"
    return f"({', '.join(f'{value:.3g}' for value in axis)})"


def _kept(yes: bool) -> str:
    return "keeps" if yes else "breaks"


def _noise(one: FoundSymmetry) -> str:
    return {"none": "-", "strong": "strong", "weak": "weak", "broken": "breaks"}[one.noise]


def _culprits(one: FoundSymmetry) -> list[str]:
    out = []
    if one.breaking_gates:
        rest = len(one.breaking_gates) - 1
        more = f" (and {plural(rest, 'more gate')})" if rest else ""
        out.append(f"{one.breaking_gates[0]}{more}")
    elif one.obstacle:
        out.append(one.obstacle)
    if one.breaking_terms and not one.breaking_gates:
        rest = len(one.breaking_terms) - 1
        more = f" (and {plural(rest, 'more term')})" if rest else ""
        out.append(f"broken by {one.breaking_terms[0]}{more}; claimed all the same, what the noise keeps of it is used")
    return out


def _short(value: int) -> str:
    return f"{value:,}" if value < 10**9 else f"{value:.2g}" if value < 10**300 else "> 1e+300"
