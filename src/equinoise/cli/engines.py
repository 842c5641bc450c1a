"""``equinoise engines``."""

from __future__ import annotations

from typing import Annotated

import typer

from equinoise.cli.statement import (
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
    json_file: Annotated[
        str | None,
        typer.Option(
            "--json", metavar="FILE", help="Write the table as JSON; '-' prints JSON alone.", show_default=False
        ),
    ] = None,
) -> None:
    """Which engines can serve a problem, at what cost, with what error, and which one auto takes."""
    import json
    import math
    import sys
    from dataclasses import asdict

    from rich.console import Console

    from equinoise.cli.progress import Waiting
    from equinoise.report.engines import print_engines
    from equinoise.report.files import check_target, write_whole

    if json_file not in (None, "-"):
        check_target(json_file, "--json")
    with Waiting("preparing"):
        from equinoise.diagnosis.diagnose import gradients_of
        from equinoise.engines.select import choose, declarations

        problem = stated_problem(
            source, readout, noise, initial, charge, projected, layout, free_angles, allow_broken, symmetry
        )
        found = declarations(problem)
        chosen, reason = choose(problem, draws=gradients_of(samples))
    rows = [{k: (None if isinstance(v, float) and math.isnan(v) else v) for k, v in asdict(d).items()} for d in found]
    text = json.dumps({"schema": _SCHEMA, "auto": chosen, "reason": reason, "engines": rows}, indent=2, allow_nan=False)
    if json_file == "-":
        sys.stdout.write(text + "\n")
        return
    print_engines(problem, found, chosen, reason, Console())
    if json_file is not None:
        write_whole(json_file, text + "\n")
