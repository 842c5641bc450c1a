"""A ranking on the terminal: the designs, what cannot be told apart, what the layout search won, what was left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from equinoise.report.terminal.table_style import plain_table
from equinoise.text.numbers import number, plural, ranges, whole

if TYPE_CHECKING:
    from rich.console import Console

    from equinoise.design.ranking import Design, LeftOut, Ranking

__all__ = ["print_ranking"]

_PLACEMENT = {
    "searched": "layout searched",
    "qiskit": "Qiskit's layout",
    "both": "layout searched, Qiskit's too",
    "given": "layout given",
    "": "",
}


def print_ranking(ranking: Ranking, console: Console, top: int | None = None) -> None:
    """Print a ranking.

    Args:
        ranking: The ranking.
        console: Where to print.
        top: Number of designs shown; all by default. Groups are stated for all.
    """
    shown = ranking.designs if top is None else ranking.designs[:top]
    budget = "" if ranking.max_parameters is None else f", at most {plural(ranking.max_parameters, 'parameter')}"
    console.print(
        Text(
            f"{plural(len(ranking.designs), 'design')} on the input {ranking.initial} (charge {ranking.charge}) at "
            f"noise scale {ranking.scale:g}{budget}"
        )
    )
    if shown:
        console.print(_designs(ranking, len(shown)), highlight=False)
        if len(shown) < len(ranking.designs):
            console.print(Text(f"{len(ranking.designs) - len(shown)} more are not shown (--top)", style="dim"))
        for line in _verdicts(ranking):
            console.print(Text(line), highlight=False)
    if ranking.gains:
        console.print()
        console.print(_gains(ranking), highlight=False)
    if ranking.left_out:
        console.print()
        console.print(Text(f"left out: {plural(len(ranking.left_out), 'design')}", style="bold"))
        for reason, designs in _by_reason(ranking.left_out).items():
            console.print(Text(f"  {'; '.join(designs)}", style="dim"), highlight=False)
            console.print(Text(f"    {reason}", style="dim"), highlight=False)
    console.print()
    console.print(
        Text(
            "score: signal-to-noise ratio of one shot, RMS gradient as read / sqrt(w Var(O)), w the weight of the "
            "shift rules; shots: per evaluation and setting, for ratio 1. Intervals 95 %, over the draws alone.",
            style="dim",
        )
    )


def _designs(ranking: Ranking, count: int) -> Table:
    columns = ("", "group", "design", "survival\nkappa", "score\n95 %", "shots\ndraws")
    table = plain_table(columns, folded=("design",), expand=True)
    for one in ranking.designs[:count]:
        low, high = one.interval
        spread = f"{number(low)} to {number(high)}" if math.isfinite(high) else "unknown"
        table.add_row(
            str(one.place),
            str(one.group),
            Text.assemble((_circuit(one.design), "bold" if one.leads else ""), "\n", (_place(one.design), "dim")),
            Text.assemble(number(one.survival), "\n", (number(one.kappa), "dim")),
            Text.assemble(number(one.score), "\n", (spread, "dim")),
            Text.assemble(whole(one.shots), "\n", (str(one.samples), "dim")),
        )
    return table


def _verdicts(ranking: Ranking) -> list[str]:
    best = [one.place for one in ranking.designs if one.group == 1]
    if len(best) == 1:
        first = ["The best design is significantly better than every other (95 % in each comparison)."]
    else:
        drawn = max(one.samples for one in ranking.designs if one.group == 1)
        first = [
            f"Designs {ranges(best)} cannot be told apart with {plural(drawn, 'draw')}: take any of them, or give more "
            "--samples."
        ]
    groups: dict[int, list[int]] = {}
    for one in ranking.designs:
        groups.setdefault(one.group, []).append(one.place)
    ties = [f"{ranges(places)}" for group, places in groups.items() if group > 1 and len(places) > 1]
    later = f"Further down, no significant difference within a group: {'; '.join(ties)} (fewer draws)."
    return first + ([later] if ties else [])


def _gains(ranking: Ranking) -> Table:
    table = plain_table(
        ("design", "gradient", "95 %", "law says", "shots"),
        folded=("design",),
        title="what the searched layout wins over Qiskit's, same draws",
        title_justify="left",
        title_style="bold",
        expand=True,
    )
    for gain in ranking.gains:
        here = ranking.designs[gain.searched - 1]
        low, high = gain.gradient_interval
        table.add_row(
            Text.assemble(_circuit(here.design), "\n", (here.design.noise, "dim")),
            f"x {gain.gradient:.3f}",
            f"{low:.3f} to {high:.3f}",
            f"x {gain.predicted:.3f}",
            f"x {gain.shots:.2f}" if math.isfinite(gain.shots) else "unknown",
        )
    return table


def _circuit(design: Design) -> str:
    return f"{design.family}, depth {design.depth}, {design.interaction}, {design.readout}"


def _place(design: Design) -> str:
    where = _PLACEMENT[design.placement]
    qubits = f" {', '.join(map(str, design.layout))}" if design.layout else ""
    return design.noise + (f", {where}:{qubits}" if where else "")


def _by_reason(left_out: Sequence[LeftOut]) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for one in left_out:
        out.setdefault(one.reason, []).append(f"{_circuit(one.design)} under {one.design.noise}")
    return out
