"""Which symmetries a problem has, as a table on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from equinoise.report.numbers import plural
from equinoise.report.terminal.table_style import plain_table

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
    for one in found.found:
        for text in _culprits(one):
            console.print(Text(f"{one.name}: {text}", style="dim"))
    full = _short(4**found.num_qubits)
    if found.suggestion:
        console.print(Text(f"Claim --symmetry '{found.suggestion}'. A density matrix without symmetry holds {full}."))
    else:
        console.print(Text(f"Nothing to claim: a density matrix holds {full} numbers."))
    for note in found.notes:
        console.print(Text(note, style="dim"))


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
