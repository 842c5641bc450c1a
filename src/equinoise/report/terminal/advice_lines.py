"""Advice on the terminal: what helps, by gain; what was looked at in vain; what could not be looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from equinoise.model.qnn import Model
from equinoise.report.terminal.table_style import plain_table
from equinoise.text.numbers import number, plural

if TYPE_CHECKING:
    from rich.console import Console

    from equinoise.design.advice import Advice, Suggestion
    from equinoise.problem import Problem

__all__ = ["print_advice"]


def print_advice(advice: Advice, stated: Problem | Model, console: Console) -> None:
    """Print advice.

    Args:
        advice: The advice.
        stated: What it is about.
        console: Where to print.
    """
    if isinstance(stated, Model):
        problem, what = stated.problem, f"loss {stated.loss.name} of {', '.join(stated.readout_labels)}"
    else:
        problem, what = stated, f"readout {stated.readout_label}"
    console.print(
        Text(
            f"{problem.num_qubits} qubits, {plural(len(problem.layers), 'layer')}, {what}, "
            f"noise {problem.stated_noise.name} at scale {advice.scale:g}: signal-to-noise ratio of one shot "
            f"{number(advice.baseline)}"
        )
    )
    same, other = ([one for one in advice.suggestions if one.same_model is kept] for kept in (True, False))
    titled = (("What helps the same model", same), ("Another model", other), ("No help", advice.useless))
    for title, found in titled:
        if found:
            console.print()
            console.print(Text(title, style="bold"))
            console.print(_table(found), highlight=False)
    if not advice.suggestions:
        console.print(Text("Nothing that was looked at helps."))
    if advice.left_out:
        console.print()
        console.print(Text("Left out", style="bold"))
        for kind, reason in advice.left_out:
            console.print(Text(f"  {kind}: {reason}", style="dim"), highlight=False)
    console.print()
    console.print(
        Text(
            "gain: factor in the signal-to-noise ratio of the gradient per shot, by noisy simulation of both circuits "
            f"on the same {plural(advice.samples, 'draw')}, or by the law (predicted); shots: factor in the shots for "
            "the same ratio. Intervals 95 %, over the draws alone.",
            style="dim",
        )
    )


def _table(found: Sequence[Suggestion]) -> Table:
    table = plain_table(("change", "gain", "95 %", "predicted", "shots"), folded=("change",))
    for one in found:
        change = Text(one.change)
        for line in (one.cost and f"costs {one.cost}", one.note):
            if line:
                change.append(f"\n{line}", style="dim")
        low, high = one.interval
        known = math.isfinite(low) and math.isfinite(high) and one.simulated is not None
        between = f"{_gain(low)} to {_gain(high)}" if known and high > low else ""
        table.add_row(change, _gain(one.gain), between, _gain(one.predicted), number(one.shots))
    return table


def _gain(value: float) -> str:
    """Three decimals, since many gains are close to 1; three figures where they are large."""
    return f"{value:.3f}" if value < 10 else number(value)
