"""The options that say how parameters are drawn and simulated, shared by the commands that draw."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from equinoise.sampling import Sampling

__all__ = ["SIMULATION", "DrawOptions", "Samples", "SamplingOptions", "Scale", "Seed", "Workers"]

SIMULATION = "Simulation"

Scale = Annotated[float, typer.Option(metavar="S", help="Noise scale; 1 as stated.", rich_help_panel=SIMULATION)]
Samples = Annotated[
    int | None,
    typer.Option(metavar="N", help="How many draws.", show_default="128; advise 32", rich_help_panel=SIMULATION),
]
Seed = Annotated[int, typer.Option(metavar="N", help="Of everything random.", rich_help_panel=SIMULATION)]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Draws at once.",
        show_default="all processors",
        rich_help_panel=SIMULATION,
    ),
]


@dataclass(frozen=True)
class DrawOptions:
    """How parameters are drawn, and how many draws run at once; named as in :class:`equinoise.Sampling`."""

    samples: Samples = None
    seed: Seed = 0
    ensemble: Annotated[
        str,
        typer.Option(metavar="NAME", help="uniform or normal:WIDTH.", rich_help_panel=SIMULATION),
    ] = "uniform"
    workers: Workers = None

    def sampling(self) -> Sampling:
        """What the options state."""
        from equinoise.sampling import Sampling

        return Sampling(**{one.name: getattr(self, one.name) for one in fields(self)})


@dataclass(frozen=True)
class SamplingOptions(DrawOptions):
    """The same with the engine."""

    engine: Annotated[
        str,
        typer.Option(metavar="NAME", help="See equinoise engines.", rich_help_panel=SIMULATION),
    ] = "auto"
