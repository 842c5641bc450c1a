"""``equinoise devices``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

__all__ = ["devices"]

_SCHEMA = "equinoise.devices/1"
_UNITS = {"t1": "s", "t2": "s", "duration_2q": "s", "error_1q": "average infidelity", "error_2q": "average infidelity"}


def devices(
    json_file: Annotated[
        str | None,
        typer.Option(
            "--json", metavar="FILE", help="Write the list as JSON; '-' prints JSON alone.", show_default=False
        ),
    ] = None,
) -> None:
    """List the device snapshots that --noise ibm:NAME takes, with the medians of their calibrations."""
    import json
    import sys

    from rich.console import Console

    from equinoise.cli.progress import Waiting
    from equinoise.problem.devices import available
    from equinoise.report.files import check_target, write_whole
    from equinoise.report.tables import print_devices

    if json_file not in (None, "-"):
        check_target(json_file, "--json")
    with Waiting("reading calibrations"):
        found = available()
    text = json.dumps(
        {"schema": _SCHEMA, "units": _UNITS, "devices": [asdict(device) for device in found]}, indent=2, allow_nan=False
    )
    if json_file == "-":
        sys.stdout.write(text + "\n")
        return
    print_devices(found, Console())
    if json_file is not None:
        write_whole(json_file, text + "\n")
