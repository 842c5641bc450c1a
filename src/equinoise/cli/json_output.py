"""What a command found, as JSON or on the terminal: the option ``--json`` of commands that print one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from equinoise.cli.option_groups import panel
from equinoise.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["JsonFile", "checked", "output", "shown"]

output = panel("Output")

JsonFile = Annotated[
    str | None,
    output(
        "--json",
        metavar="FILE",
        help="Write it as JSON; '-' prints JSON alone.",
    ),
]


def checked(json_file: str | None) -> None:
    """Refuses a file that cannot be written before any work is done."""
    from equinoise.report.files import check_target

    if json_file not in (None, "-"):
        check_target(json_file, "--json")


def shown(json_file: str | None, data: dict[str, Any], table: Callable[[Console], None]) -> None:
    """JSON alone for "-"; else the table, and JSON to the file if one was given."""
    import json
    import sys

    from equinoise.report.files import write_whole

    text = json.dumps(data, indent=2, allow_nan=False) + "\n"
    if json_file == "-":
        sys.stdout.write(text)
        return
    table(Terminal())
    if json_file is not None:
        write_whole(json_file, text)
