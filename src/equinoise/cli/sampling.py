"""The options that say how parameters are drawn and how many draws run at once, shared by the commands that draw."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["MOST_WORKERS", "EnsembleName", "Seed", "Workers"]

MOST_WORKERS = 4096  # each is a thread or a process

_SAMPLING = "Simulation"

Seed = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        help="Of the draws; the same numbers whatever the number of workers.",
        rich_help_panel=_SAMPLING,
    ),
]
EnsembleName = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="How parameters are drawn: uniform over each one's period, or normal:WIDTH in radians.",
        rich_help_panel=_SAMPLING,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        max=MOST_WORKERS,
        help="Draws run at once.",
        show_default="one per processor, fewer if memory is short",
        rich_help_panel=_SAMPLING,
    ),
]
