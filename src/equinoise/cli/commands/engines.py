"""``equinoise engines``."""

from __future__ import annotations

from typing import Annotated

import typer

from equinoise.cli.json_output import JsonFile, checked, shown
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

__all__ = ["engines"]

_SCHEMA = "equinoise.engines/1"


def engines(
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
    samples: Annotated[
        int, typer.Option(metavar="N", min=1, help="Draws of the diagnosis for which auto would choose.")
    ] = 128,
    json_file: JsonFile = None,
) -> None:
    """Which engines can serve a problem, at what cost, with what error, and which one auto takes."""
    import math
    from dataclasses import asdict

    from equinoise.cli.progress import Waiting
    from equinoise.report.terminal.engines_table import print_engines

    checked(json_file)
    with Waiting("preparing"):
        from equinoise.diagnosis.diagnose import gradients_of
        from equinoise.engines.select import choose, declarations
        from equinoise.limits import check_draws

        check_draws(samples)
        problem = stated_problem(
            source, readout, noise, initial, charge, projected, layout, free_angles, allow_broken, symmetry
        )
        found = declarations(problem)
        chosen, reason = choose(problem, draws=gradients_of(samples))
    rows = [{k: (None if isinstance(v, float) and math.isnan(v) else v) for k, v in asdict(d).items()} for d in found]
    data = {"schema": _SCHEMA, "auto": chosen, "reason": reason, "engines": rows}
    shown(json_file, data, lambda console: print_engines(problem, found, chosen, reason, console))
