"""What the diagnosis of a model looks like on a terminal: verdict, answers, readouts, budgets of kappa's two parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from equinoise.coherence.quantity import Record
from equinoise.diagnosis.loss.loss_panels import loss_diagnosis_facts
from equinoise.report.terminal.table_style import plain_table
from equinoise.text.numbers import number, plural, ranges

__all__ = ["print_model_diagnosis", "print_run"]

_COSTLIEST = 8
_MOST_READOUTS = 12


def print_model_diagnosis(record: Record, console: Console, source: str) -> None:
    """Print the diagnosis of a model in the order in which a reader asks.

    Args:
        record: Of the diagnosis.
        console: Where to print.
        source: Where the model is from.
    """
    parts: list[RenderableType] = [
        Text.assemble((record["verdict"], "bold"), f": {record['verdict_reason']}"),
        Text(),
        _facts({"source": source, **loss_diagnosis_facts(record)}),
        Text(),
        _readouts(record),
    ]
    if record["law.budget"]:
        parts += [Text(), _budget(record)]
    for title, texts in (("What would help most", record["advice"]), ("Notes", record["warnings"])):
        if texts:
            parts += [Text(), Text(title, style="bold"), *(Padding(Text(text), (0, 0, 0, 2)) for text in texts)]
    console.print(Group(*parts), highlight=False)


def _facts(facts: dict[str, str | None]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        if value is not None and name not in ("helps", "note"):
            grid.add_row(name, value)
    return grid


def _readouts(record: Record) -> Table:
    table = plain_table(("readout", "V", "kappa", "left"), left=("readout",), folded=("readout",))
    found = record["law.readouts"]
    for one in found[:_MOST_READOUTS]:
        table.add_row(one["label"], number(one["variance"]), number(one["kappa"]), number(one["survival"][0]))
    if len(found) > _MOST_READOUTS:
        table.add_row(f"{plural(len(found) - _MOST_READOUTS, 'other')}; --json holds them all", "", "", "", style="dim")
    return table


def _budget(record: Record) -> Table:
    """The costliest terms, with what they take by the gradient and by the residual."""
    columns = ("costliest", "layer", "qubits", "kappa", "± error", "gradient", "residual")
    table = plain_table(columns, left=("costliest",))
    parts = zip(*(record[f"law.{name}"] for name in ("budget", "gradient_budget", "residual_budget")), strict=True)
    for whole, gradient, residual in sorted(parts, key=lambda part: -abs(part[0]["kappa"]))[:_COSTLIEST]:
        table.add_row(
            whole["mechanism"],
            str(whole["layer"]),
            ranges(whole["qubits"]),
            *(_number(value) for value in (whole["kappa"], whole["standard_error"], gradient["kappa"])),
            _number(residual["kappa"]),
        )
    return table


def _number(value: float | None) -> str:
    return "" if value is None else "0" if abs(value) < 1e-15 else number(value)


def print_run(rows: Sequence[dict[str, Any]], console: Console) -> None:
    """Print the diagnoses of a model along a run, a row a checkpoint.

    Args:
        rows: Of :meth:`equinoise.diagnosis.loss.along_run.RunDiagnosis.rows`.
        console: Where to print.
    """
    table = plain_table(("point", "verdict", "clean", "noisy", "resolved", "R", "D", "kappa"), left=("verdict",))
    for row in rows:
        table.add_row(*(number(value) if isinstance(value, float) else str(value) for value in row.values()))
    console.print(table, highlight=False)
    note = (
        "RMS gradient of the loss per weight and radian without noise, with it, and as the shots resolve; survival R, "
        "direction D; the prior lies around each point."
    )
    console.print(Text(note, style="dim"), highlight=False)
