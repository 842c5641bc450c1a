"""What a PennyLane circuit measures with shots: bits of the exact distribution, read as PennyLane reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pennylane as qml

from equinoise.errors import UnsupportedError

__all__ = ["check_sampled", "is_state", "results_of_samples"]

Bits = npt.NDArray[np.uint8]

_SAMPLED = (
    qml.measurements.SampleMP,
    qml.measurements.CountsMP,
    qml.measurements.ProbabilityMP,
    qml.measurements.ExpectationMP,
    qml.measurements.VarianceMP,
)


def is_state(measurement: Any) -> bool:
    """Whether it is ``qml.state()``."""
    return type(measurement) is qml.measurements.StateMP


def check_sampled(measurement: Any, name: str) -> None:
    """Refuses what is not read off bits in the computational basis.

    Args:
        measurement: PennyLane's.
        name: What to call it.

    Raises:
        UnsupportedError: Naming the measurement and what to use.
    """
    if not isinstance(measurement, _SAMPLED) or measurement.mv is not None:
        raise UnsupportedError(
            f"the measurement {name} is not provided by equinoise.sector with shots: use sample, counts, probs, expval "
            "or var, or leave the shots out (qml.set_shots(None))."
        )
    if measurement.obs is not None and not _is_diagonal(measurement.obs):
        raise UnsupportedError(
            f"{name} of the observable {measurement.obs.name} on wires {list(measurement.wires)} is not provided by "
            "equinoise.sector with shots: bits are read in the computational basis, since turning another one into it "
            "breaks the charge. Use sums and products of Z, or leave the shots out (qml.set_shots(None)): exact means "
            "know no basis."
        )


def _is_diagonal(observable: Any) -> bool:
    sentence = observable.pauli_rep
    if sentence is not None:
        return all(letter == "Z" for word in sentence for letter in word.values())
    return bool(observable.has_diagonalizing_gates and not observable.diagonalizing_gates())


def results_of_samples(tape: Any, bits: Bits, wires: Any) -> Any:
    """A tape's results from its shots, as PennyLane wants them: per part of the shots, per measurement.

    Args:
        tape: With shots; what it measures is diagonal.
        bits: Shape (shots, wires).
        wires: The device's, in the order of the bits.
    """
    parts = []
    for first, stop in tape.shots.bins():
        found = [_result(measurement, bits[first:stop].astype(np.int64), wires) for measurement in tape.measurements]
        parts.append(found[0] if len(found) == 1 else tuple(found))
    return tuple(parts) if tape.shots.has_partitioned_shots else parts[0]


def _result(measurement: Any, bits: npt.NDArray[np.int64], wires: Any) -> Any:
    mean = isinstance(measurement, qml.measurements.ExpectationMP)
    if measurement.obs is not None and (mean or isinstance(measurement, qml.measurements.VarianceMP)):
        sentence = measurement.obs.pauli_rep
        if sentence is not None:
            # every shot gives the sum of all terms, whatever the terms are
            values = np.zeros(len(bits))
            for word, coefficient in sentence.items():
                signs = 1 - 2 * bits[:, [wires.index(wire) for wire in word]]
                values += float(np.real(coefficient)) * np.prod(signs, axis=1)
            return np.array(values.mean() if mean else values.var())
    return measurement.process_samples(bits, wires)
