"""The largest inputs that are taken. Far above what any engine serves, and small enough that more is refused at once.

Each limit exists because a mistyped or hostile number would else fill the memory before any engine could say no.
"""

from __future__ import annotations

from pathlib import Path

from equinoise.errors import CircuitError, ParameterError, SourceError

__all__ = [
    "MOST_ANGLES",
    "MOST_BYTES",
    "MOST_CIRCUITS",
    "MOST_DRAWS",
    "MOST_GATES",
    "MOST_QUBITS",
    "MOST_SHOTS",
    "MOST_TASKS",
    "MOST_WORKERS",
    "check_draws",
    "check_file",
    "check_gates",
    "check_qubits",
    "whole_number",
]

# ten times the largest devices; what is simulated is the light cone, a few dozen
MOST_QUBITS = 10_000
# about 0.1 ms and 4 kB each: two minutes and 4 GB
MOST_GATES = 1_000_000
# the error of a mean is then a thousandth of the spread of the draws
MOST_DRAWS = 1_000_000
# 8 bytes each: 4 GB
MOST_ANGLES = 500_000_000
# a device takes some thousand shots a second: a billion years' worth is a mistyped number
MOST_SHOTS = 10**18
# each is a thread or a process
MOST_WORKERS = 4096
# of one study, a diagnosis each: at a tenth of a second, a day on one processor
MOST_TASKS = 1_000_000
# of one study; each is built to check it
MOST_CIRCUITS = 10_000
# a million gates as text
MOST_BYTES = 50_000_000
_DIGITS = 18  # fits 64 bits; int() itself refuses 4,300 digits and more


def whole_number(text: str) -> int | None:
    """A whole number >= 0 written in at most 18 decimal digits, else None."""
    return int(text) if text.isdecimal() and len(text) <= _DIGITS else None


def check_qubits(count: int, where: str) -> None:
    """Refuses a register that is too large.

    Raises:
        SourceError: More than 10,000 qubits.
    """
    if count > MOST_QUBITS:
        raise SourceError(
            f"{where} has {count:,} qubits; at most {MOST_QUBITS:,} are taken, because each costs memory before any "
            "engine looks at it. Leave out the qubits that no gate touches."
        )


def check_gates(count: int, where: str) -> None:
    """Refuses a circuit that is too long.

    Raises:
        CircuitError: More than a million gates, those in the definitions of other gates counted one by one.
    """
    if count > MOST_GATES:
        raise CircuitError(
            f"{where} has more than {MOST_GATES:,} gates, definitions written out; that many take minutes and "
            "gigabytes before any engine looks at them. Use fewer layers or qubits."
        )


def check_draws(samples: int, parameters: int = 1) -> None:
    """Refuses numbers of draws that no memory holds.

    Raises:
        ParameterError: More than a million draws, or more than 500 million angles in them.
    """
    if samples > MOST_DRAWS:
        raise ParameterError(
            f"samples must be at most {MOST_DRAWS:,}, got {samples:,}: the error then is a thousandth of the spread, "
            "and all draws are held in memory. Use fewer."
        )
    if samples * parameters > MOST_ANGLES:
        raise ParameterError(
            f"samples = {samples:,} draws of {parameters:,} parameters are more than {MOST_ANGLES:,} angles (4 GB). "
            f"Use at most {MOST_ANGLES // parameters:,} samples."
        )


def check_file(path: Path) -> None:
    """Refuses what is not a file, or too large to be what it should be.

    Raises:
        SourceError: Missing, not a file, or more than 50 MB.
    """
    if not path.is_file():  # a folder, a device without end
        raise SourceError(f"{str(path)!r} is not a file. Check the name.")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise SourceError(
            f"{str(path)!r} has {size / 1e6:,.0f} MB; at most {MOST_BYTES / 1e6:.0f} MB are read, which hold a million "
            "gates. Check that it is the right file."
        )
