"""What a PennyLane circuit measures, as quantities that the exact engine reads."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pennylane as qml
from qiskit.quantum_info import Operator, SparsePauliOp

from equinoise.errors import ReadoutError, UnsupportedError
from equinoise.interop.pennylane_shots import check_sampled
from equinoise.interop.quantities import Mean, Probabilities, Quantity, Variance

__all__ = ["check_measurement", "measurement_key", "quantity_of"]

_MATRIX_WIRES = 6
_OUTCOME_WIRES = 10
_REFUSED = {
    "DensityMatrixMP": "use default.mixed, or measure expval of Pauli observables",
    "SampleMP": "without shots the device is exact; use probs, expval or var, or give shots (qml.set_shots)",
    "CountsMP": "without shots the device is exact; use probs, expval or var, or give shots (qml.set_shots)",
    "PurityMP": "use default.mixed",
    "VnEntropyMP": "use default.mixed",
    "MutualInfoMP": "use default.mixed",
    "ClassicalShadowMP": "it measures in random bases, which break the charge; use expval",
    "ShadowExpvalMP": "it measures in random bases, which break the charge; use expval",
}


def check_measurement(measurement: Any, shots: bool = False) -> None:
    """Refuses what the device cannot measure, before anything runs.

    Args:
        measurement: PennyLane's.
        shots: Whether bits are drawn, instead of exact numbers given.

    Raises:
        UnsupportedError: Naming the measurement and what to use.
    """
    name = type(measurement).__name__
    if shots:
        check_sampled(measurement, _short(measurement))
        return
    if name == "StateMP":
        return
    if isinstance(measurement, qml.measurements.ExpectationMP | qml.measurements.VarianceMP):
        if measurement.mv is not None:
            raise UnsupportedError(
                f"{_short(measurement)} of a mid-circuit measurement is not provided by equinoise.sector; measure an "
                "observable at the end, or use default.mixed."
            )
        if measurement.obs.pauli_rep is None and not (
            measurement.obs.has_matrix and len(measurement.obs.wires) <= _MATRIX_WIRES
        ):
            raise UnsupportedError(
                f"the observable {measurement.obs.name} on wires {list(measurement.wires)} is neither a sum of Pauli "
                f"products nor a matrix on at most {_MATRIX_WIRES} wires; write it as a qml.Hamiltonian or a "
                "qml.sum of products of X, Y, Z."
            )
        return
    if isinstance(measurement, qml.measurements.ProbabilityMP):
        if measurement.obs is not None or measurement.mv is not None:
            raise UnsupportedError(
                "probs of an observable or of a mid-circuit measurement is not provided by equinoise.sector; use probs "
                "of wires, in the computational basis."
            )
        return
    advice = _REFUSED.get(name, "use expval, var or probs, or default.mixed")
    raise UnsupportedError(f"the measurement {_short(measurement)} is not provided by equinoise.sector: {advice}.")


def _short(measurement: Any) -> str:
    kind = type(measurement).__name__.removesuffix("MP")
    words = {"Expectation": "expval", "Variance": "var", "Probability": "probs", "DensityMatrix": "density_matrix"}
    return words.get(kind, kind.lower())


def measurement_key(measurement: Any) -> Hashable:
    """Equal for measurements of the same quantity."""
    if measurement.obs is None:
        return type(measurement), measurement.wires.labels
    sentence = measurement.obs.pauli_rep
    if sentence is not None:
        return type(measurement), tuple((word, complex(c)) for word, c in sentence.items())
    return type(measurement), measurement.wires.labels, np.asarray(measurement.obs.matrix()).tobytes()


def quantity_of(measurement: Any, place: Mapping[Any, int]) -> Quantity:
    """A measurement as a quantity of circuit qubits.

    Args:
        measurement: One that :func:`check_measurement` lets pass.
        place: The qubit of each wire.

    Raises:
        UnsupportedError: Too many outcomes.
        ReadoutError: A coefficient that is not real.
    """
    if isinstance(measurement, qml.measurements.ProbabilityMP):
        qubits = tuple(place[wire] for wire in measurement.wires or place)
        if len(qubits) > _OUTCOME_WIRES:
            raise UnsupportedError(
                f"probs of {len(qubits)} wires has 2^{len(qubits)} outcomes; equinoise.sector gives at most "
                f"2^{_OUTCOME_WIRES}. Ask for fewer wires."
            )
        return Probabilities(qubits, f"probs(wires={list(measurement.wires)})")
    kind = Variance if isinstance(measurement, qml.measurements.VarianceMP) else Mean
    return kind(_operator(measurement.obs, place), f"{_short(measurement)}({_label(measurement.obs)})")


def _label(observable: Any) -> str:
    text = " ".join(str(observable).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def _operator(observable: Any, place: Mapping[Any, int]) -> SparsePauliOp:
    n = len(place)
    sentence = observable.pauli_rep
    if sentence is not None:
        terms: list[tuple[str, list[int], complex]] = []
        for word, coefficient in sentence.items():
            letters, wires = "".join(word.values()), list(word)
            terms.append((letters, [place[wire] for wire in wires], complex(coefficient)))
        return SparsePauliOp.from_sparse_list(terms or [("", [], 0.0)], num_qubits=n).simplify()
    matrix = np.asarray(observable.matrix(), dtype=np.complex128)
    if np.abs(matrix - matrix.conj().T).max() > 1e-10:
        raise ReadoutError(f"the observable {_label(observable)} is not Hermitian.")
    # PennyLane's first wire is the most significant bit
    qubits = [place[wire] for wire in observable.wires][::-1]
    return SparsePauliOp.from_operator(Operator(matrix)).apply_layout(qubits, n)
