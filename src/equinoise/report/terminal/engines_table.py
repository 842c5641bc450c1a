"""The engines' declarations for a problem, as a table on the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from equinoise.model.qnn import Model
from equinoise.report.terminal.table_style import plain_table
from equinoise.text.numbers import number, plural

if TYPE_CHECKING:
    from rich.console import Console

    from equinoise.engines.select import Declaration
    from equinoise.problem import Problem

__all__ = ["print_engines"]


def print_engines(
    stated: Problem | Model, found: Sequence[Declaration], chosen: str, reason: str, console: Console
) -> None:
    """Print what each engine declares; the one that auto takes is marked."""
    problem = stated.problem if isinstance(stated, Model) else stated
    layers = plural(len(problem.layers), "layer")
    labels = ", ".join(stated.readout_labels) if isinstance(stated, Model) else problem.readout_label
    rows = f", {plural(stated.rows.count, 'row')}" if isinstance(stated, Model) else ""
    console.print(Text(f"{problem.num_qubits} qubits, {layers}, readout {labels}{rows}"))
    columns = ("", "engine", "one draw", "memory", "computes", "error")
    table = plain_table(columns, left=("", "engine"), folded=("computes", "error"))
    for one in found:
        known = math.isfinite(one.seconds) and one.bytes > 0
        cost = [_seconds(one.seconds), _memory(one.bytes)] if known else ["-", "-"]
        told = [one.quantities, one.error] if one.serves else ["not this problem, see below", ""]
        mark = "→" if one.engine == chosen else ""
        table.add_row(mark, one.engine, *cost, *told, style="" if one.serves else "dim")
    console.print(table, highlight=False)
    for one in found:
        if not one.serves:
            console.print(Text(f"{one.engine}: {one.reason}", style="dim"))
    console.print(Text(f"auto takes {chosen}: {reason}. Times are estimates for one processor.", style="dim"))


def _seconds(value: float) -> str:
    if value < 1:
        return f"{number(value * 1e3, 2)} ms"
    if value < 1e7:
        return f"{number(value, 2)} s"
    return f"{value:.0e} s"


def _memory(value: int) -> str:
    if value < 10**9:
        return f"{number(value / 1e6, 2)} MB"
    return f"{number(value / 1e9, 2)} GB" if value < 10**16 else "> 1e7 GB"
