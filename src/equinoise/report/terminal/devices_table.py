"""The device snapshots as a table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from equinoise.report.terminal.table_style import plain_table
from equinoise.text.numbers import number, plural

if TYPE_CHECKING:
    from rich.console import Console

    from equinoise.device.snapshots import DeviceSummary

__all__ = ["print_devices"]

_DEVICE_COLUMNS = ("device", "qubits", "T1 µs", "T2 µs", "1q error", "2q error", "gate", "ns", "readout")


def print_devices(devices: Sequence[DeviceSummary], console: Console) -> None:
    """Print the device snapshots with their medians; times in microseconds, gate durations in nanoseconds."""
    table = plain_table(_DEVICE_COLUMNS, left=("device", "gate"), collapse_padding=True)
    for device in devices:
        table.add_row(
            device.name,
            str(device.num_qubits),
            _known(device.t1, 1e6),
            _known(device.t2, 1e6),
            _known(device.error_1q, digits=2),
            _known(device.error_2q, digits=2),
            device.two_qubit_gate or "-",
            _known(device.duration_2q, 1e9),
            _known(device.readout_error, digits=2),
        )
    console.print(table, highlight=False)
    console.print(
        Text(
            f"{plural(len(devices), 'device snapshot')}; medians over qubits or couplers, errors are average "
            "infidelities. Use one as --noise ibm:NAME.",
            style="dim",
        )
    )


def _known(value: float | None, factor: float = 1.0, digits: int = 3) -> str:
    return "-" if value is None else number(value * factor, digits)
