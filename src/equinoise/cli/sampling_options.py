"""The options that say how parameters are drawn and simulated, shared by the commands that draw."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated

from equinoise.cli.option_groups import panel

if TYPE_CHECKING:
    from equinoise.sampling import Sampling

__all__ = ["DrawOptions", "Samples", "SamplingOptions", "Scale", "Seed", "Workers", "simulation"]

simulation = panel("Simulation")

Scale = Annotated[float, simulation(metavar="S", help="Noise scale; 1 as stated.")]
Samples = Annotated[
    int | None,
    simulation(metavar="N", help="How many draws.", show_default="128; advise 32"),
]
Seed = Annotated[int, simulation(metavar="N", help="Of everything random.")]
Workers = Annotated[
    int | None,
    simulation(
        metavar="N",
        help="Draws at once.",
        show_default="all processors",
    ),
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
