"""``equinoise symmetries``."""

from __future__ import annotations

from typing import Annotated

import typer

from equinoise.cli.statement import FreeAngles, Initial, Layout, Source, stated_noise

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
    json_file: Annotated[
        str | None,
        typer.Option(
            "--json", metavar="FILE", help="Write the table as JSON; '-' prints JSON alone.", show_default=False
        ),
    ] = None,
) -> None:
    """Which symmetries circuit, readout, input and noise share, and which gates or noise terms break the others."""
    import json
    import sys

    from rich.console import Console

    from equinoise.cli.progress import Waiting
    from equinoise.report.files import check_target, write_whole
    from equinoise.report.symmetries import print_symmetries

    if json_file not in (None, "-"):
        check_target(json_file, "--json")
    with Waiting("looking for symmetries"):
        import equinoise as eq

        circuit = eq.load_circuit(source)
        if free_angles:
            circuit = eq.free_angles(circuit)
        found = eq.find_symmetries(circuit, readout, initial, stated_noise(noise, layout) if noise else None)
    text = json.dumps(found.to_dict(), indent=2, allow_nan=False)
    if json_file == "-":
        sys.stdout.write(text + "\n")
        return
    print_symmetries(found, Console())
    if json_file is not None:
        write_whole(json_file, text + "\n")
