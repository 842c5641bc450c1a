"""The terminal report of a reproduction: each study's criteria and findings."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from equinoise.evidence.frame.reproduce import Summary

__all__ = ["print_reproduction"]


def print_reproduction(summary: Summary, console: Console) -> None:
    """Prints criteria with the numbers found, findings, and where the files are.

    Args:
        summary: Of the run.
        console: Where to print.
    """
    for study in summary.studies:
        again = " (finished before)" if study.reused else f" ({study.seconds:.1f} s)"
        console.print(Text.assemble("\n", (study.name, "bold"), again, "  ", (study.question, "italic")))
        table = Table(box=None, pad_edge=False, padding=(0, 2))
        table.add_column("", width=4)
        table.add_column("criterion")
        table.add_column("found", justify="right")
        table.add_column("held against", justify="right")
        for c in study.criteria:
            mark = Text("holds", "green") if c["passed"] else Text("FAILS", "bold red")
            value = "-" if c["value"] is None else f"{c['value']:.4g}"
            table.add_row(mark, c["statement"], value, f"{'>=' if c['at_least'] else '<='} {c['threshold']:.4g}")
        table.columns[0].width = 5
        console.print(table)
        for finding in study.findings:
            console.print(Text(f"• {finding}"))
    failed = [s.name for s in summary.studies if not s.passed]
    verdict = f"failed: {', '.join(failed)}" if failed else "every criterion holds"
    console.print(Text(f"\n{verdict}; tables and figures in {summary.folder}", "bold"))
