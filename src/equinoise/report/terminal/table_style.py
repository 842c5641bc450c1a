"""What tables on the terminal have in common: a line under the head, nothing around, numbers to the right."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from rich import box
from rich.table import Table

__all__ = ["plain_table"]


def plain_table(
    columns: Sequence[str], left: Collection[str] = (), folded: Collection[str] = (), **options: Any
) -> Table:
    """A table without rows.

    Args:
        columns: Their heads, left to right.
        left: Those of words; all others are of numbers, to the right.
        folded: Those of texts that may go over several lines and take the width that is left.
        options: Of ``rich.table.Table``.
    """
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False, header_style="dim", **options)
    for name in columns:
        if name in folded:
            table.add_column(name, overflow="fold", ratio=1)
        else:
            table.add_column(name, justify="left" if name in left else "right", no_wrap=True)
    return table
