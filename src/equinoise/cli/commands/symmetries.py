"""``equinoise symmetries``."""

from __future__ import annotations

from typing import Annotated

import typer

from equinoise.cli.json_output import JsonFile, checked, shown
from equinoise.cli.problem_options import FreeAngles, Initial, Layout, Source, stated_noise

__all__ = ["symmetries"]


def symmetries(
    source: Source,
    readout: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL",
            help="The readout, e.g. Z5, X2X3+Y2Y3 or 0.5*Z0+0.5*Z1.",
            show_default="not compared",
        ),
    ] = None,
    noise: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC",
            help="Noise as for diagnose; may be given several times.",
            show_default="none",
        ),
    ] = None,
    initial: Initial = None,
    layout: Layout = None,
    free_angles: FreeAngles = False,
    json_file: JsonFile = None,
) -> None:
    """Which symmetries circuit, readout, input and noise share, and which gates or noise terms break the others."""
    from equinoise.cli.progress import Waiting
    from equinoise.report.terminal.symmetries_table import print_symmetries

    checked(json_file)
    with Waiting("looking for symmetries"):
        import equinoise as eq

        circuit = eq.load_circuit(source)
        if free_angles:
            circuit = eq.free_angles(circuit)
        found = eq.find_symmetries(
            circuit, readout, initial, stated_noise(noise or [], layout) if noise or layout else None
        )
    shown(json_file, found.to_dict(), lambda console: print_symmetries(found, console))
