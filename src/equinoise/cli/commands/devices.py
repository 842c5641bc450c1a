"""``equinoise devices``."""

from __future__ import annotations

from dataclasses import asdict

from equinoise.cli.json_output import JsonFile, checked, shown

__all__ = ["devices"]

_SCHEMA = "equinoise.devices/1"
_UNITS = {"t1": "s", "t2": "s", "duration_2q": "s", "error_1q": "average infidelity", "error_2q": "average infidelity"}


def devices(
    json_file: JsonFile = None,
) -> None:
    """List the device snapshots that --noise ibm:NAME takes, with the medians of their calibrations."""
    from equinoise.cli.progress import Waiting
    from equinoise.device.snapshots import available
    from equinoise.report.terminal.devices_table import print_devices

    checked(json_file)
    with Waiting("reading calibrations"):
        found = available()
    data = {"schema": _SCHEMA, "units": _UNITS, "devices": [asdict(device) for device in found]}
    shown(json_file, data, lambda console: print_devices(found, console))
