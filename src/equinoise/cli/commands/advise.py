"""``equinoise advise``."""

from __future__ import annotations

from typing import Annotated

import typer

from equinoise.cli.problem_options import (
    AllowBroken,
    Charge,
    FreeAngles,
    Initial,
    Layout,
    Noise,
    Projected,
    Readout,
    Source,
    SymmetryName,
    stated_problem,
)
from equinoise.cli.sampling import EnsembleName, Seed, Workers
from equinoise.cli.terminal import Terminal

__all__ = ["advise"]

_SAMPLING = "Simulation"
_OUTPUT = "Output"


def advise(
    source: Source,
    readout: Readout,
    noise: Noise,
    initial: Initial = None,
    charge: Charge = None,
    projected: Projected = False,
    layout: Layout = None,
    free_angles: FreeAngles = False,
    allow_broken: AllowBroken = False,
    symmetry: SymmetryName = "charge",
    scale: Annotated[
        float, typer.Option(metavar="S", help="Noise scale; 1 is the stated noise.", rich_help_panel=_SAMPLING)
    ] = 1.0,
    samples: Annotated[
        int, typer.Option(metavar="N", help="Draws of each simulation.", rich_help_panel=_SAMPLING)
    ] = 32,
    first_samples: Annotated[
        int, typer.Option(metavar="N", help="Draws of each prediction by the law.", rich_help_panel=_SAMPLING)
    ] = 8,
    seed: Seed = 0,
    ensemble: EnsembleName = "uniform",
    workers: Workers = None,
    json_file: Annotated[
        str | None,
        typer.Option(
            "--json",
            metavar="FILE",
            help="Write every change and number as JSON; '-' prints JSON alone.",
            show_default=False,
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
) -> None:
    """What would help a circuit on its device most: readout, layout, depth, mitigation, a better qubit, fewer shots?"""
    import json
    import sys

    from equinoise.cli.progress import Waiting
    from equinoise.report.files import check_target, write_whole
    from equinoise.report.terminal.advice_lines import print_advice

    if json_file not in (None, "-"):
        check_target(json_file, "--json")
    with Waiting("preparing") as waiting:
        import equinoise as eq

        problem = stated_problem(
            source, readout, noise, initial, charge, projected, layout, free_angles, allow_broken, symmetry
        )
        found = eq.advise(
            problem,
            samples=samples,
            seed=seed,
            scale=scale,
            ensemble=ensemble,
            first_samples=first_samples,
            workers=workers,
            progress=waiting,
        )
    text = json.dumps(found.to_dict(), indent=2, allow_nan=False) + "\n"
    if json_file == "-":
        sys.stdout.write(text)
        return
    if json_file is not None:
        write_whole(json_file, text)
    print_advice(found, problem, Terminal())
