"""Assignment errors of the readout, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from reprlib import repr as shown
from typing import Any

from equinoise.errors import NoiseError
from equinoise.noise.terms.checks import checked_qubit, checked_rate

__all__ = ["checked_assignment"]


def checked_assignment(value: Any) -> tuple[tuple[int, tuple[float, float]], ...]:
    """((qubit, (p01, p10)), ...) by qubit, from a mapping or pairs.

    Raises:
        NoiseError: A qubit or a probability is malformed.
    """
    if isinstance(value, Mapping):
        pairs = list(value.items())
    elif isinstance(value, Sequence) and all(isinstance(p, Sequence) and len(p) == 2 for p in value):
        pairs = [(p[0], p[1]) for p in value]
    else:
        raise NoiseError(f"readout_error must map qubits to (p01, p10), e.g. {{0 = [0.01, 0.02]}}, got {shown(value)}.")
    out: dict[int, tuple[float, float]] = {}
    for qubit, errors in pairs:
        index = checked_qubit(qubit, "readout_error qubit")
        what = f"readout error of qubit {index}"
        if isinstance(errors, str) or not isinstance(errors, Sequence) or len(errors) != 2:
            raise NoiseError(f"{what} must be two probabilities (p01, p10), got {shown(errors)}.")
        first, second = (checked_rate(p, what) for p in errors)
        if max(first, second) > 1:
            raise NoiseError(f"{what} must be two probabilities (p01, p10), got {shown(errors)}.")
        out[index] = (first, second)
    return tuple(sorted(out.items()))
