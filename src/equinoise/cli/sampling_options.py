"""The options that say how parameters are drawn and simulated, shared by the commands that draw."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated

import typer

from equinoise.cli.option_groups import panel
from equinoise.limits import MOST_WORKERS

if TYPE_CHECKING:
    from equinoise.sampling import Sampling

__all__ = ["DrawOptions", "Samples", "SamplingOptions", "Scale", "Seed", "Workers", "simulation"]

simulation = panel("Simulation")

Scale = Annotated[float, simulation(metavar="S", help="Noise scale; 1 as stated.")]


def _at_least(least: int, most: float = math.inf) -> Callable[[int | None], int | None]:
    """Refuses what is out of range; Typer's own ``min`` and ``max`` would take a column of the help."""
    wanted = f">= {least}" if math.isinf(most) else f"from {least} to {most}"

    def check(value: int | None) -> int | None:
        if value is not None and not least <= value <= most:
            raise typer.BadParameter(f"it must be a whole number {wanted}, got {value}")
        return value

    return check


Samples = Annotated[
    int | None,
    simulation(metavar="N", help="How many draws.", show_default="128; advise 32", callback=_at_least(1)),
]
Seed = Annotated[int, simulation(metavar="N", help="Of everything random.", callback=_at_least(0))]
Workers = Annotated[
    int | None,
    simulation(metavar="N", help="Draws at once.", show_default="all processors", callback=_at_least(1, MOST_WORKERS)),
]


@dataclass(frozen=True)
class DrawOptions:
    """How parameters are drawn, and how many draws run at once; named as in :class:`equinoise.Sampling`."""

    samples: Samples = None
    seed: Seed = 0
    ensemble: Annotated[
        str,
        simulation(metavar="NAME", help="uniform or normal:WIDTH."),
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
        simulation(metavar="NAME", help="See equinoise engines."),
    ] = "auto"
