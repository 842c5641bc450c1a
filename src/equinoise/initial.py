"""Initial states: computational-basis, product, or a full state vector of up to 20 qubits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import Statevector

from equinoise.errors import StateError

__all__ = ["LARGEST_VECTOR", "InitialState", "charge_distribution", "parse_initial"]

LARGEST_VECTOR = 20
"""Qubits of the largest state vector."""
_TOLERANCE = 1e-9

Vector = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class InitialState:
    """A pure state of n qubits.

    Attributes:
        num_qubits: n.
        product: One-qubit amplitudes, shape (n, 2), qubit 0 first; None for an entangled state.
        vector: Amplitudes, shape (2^n,), qubit 0 the least significant bit; None for a product state.
        name: What to call it on screen.
    """

    num_qubits: int
    product: npt.NDArray[np.complex128] | None
    vector: Vector | None
    name: str

    @property
    def bits(self) -> tuple[int, ...] | None:
        """Occupations, qubit 0 first, if it is a computational-basis state."""
        if self.product is None or np.any(np.abs(self.product).min(axis=1) > _TOLERANCE):
            return None
        return tuple(int(b) for b in np.abs(self.product).argmax(axis=1))

    def statevector(self) -> Vector:
        """The 2^n amplitudes, qubit 0 the least significant bit."""
        if self.vector is not None:
            return self.vector
        if self.product is None or self.num_qubits > LARGEST_VECTOR:
            raise StateError(f"a state of {self.num_qubits} qubits has too many amplitudes to write out.")
        out = np.ones(1, dtype=np.complex128)
        for amplitudes in self.product:
            out = np.kron(amplitudes, out)
        return out

    def charges(self) -> npt.NDArray[np.float64]:
        """Probability of each charge 0..n, shape (n + 1,)."""
        if self.product is not None:
            return charge_distribution(self.product)
        vector = self.statevector()
        weight = np.bitwise_count(np.arange(vector.size, dtype=np.uint64))
        return np.asarray(np.bincount(weight, np.abs(vector) ** 2, self.num_qubits + 1), dtype=np.float64)


def charge_distribution(product: npt.NDArray[np.complex128]) -> npt.NDArray[np.float64]:
    """Probability of each charge of a product state with one-qubit amplitudes of shape (m, 2): shape (m + 1,)."""
    out = np.ones(1)
    for amplitudes in product:
        zero, one = np.abs(amplitudes) ** 2
        out = np.convolve(out, [zero, one])
    return out


def _basis(bits: list[int], name: str) -> InitialState:
    product = np.zeros((len(bits), 2), dtype=np.complex128)
    product[np.arange(len(bits)), bits] = 1.0
    product.setflags(write=False)
    return InitialState(len(bits), product, None, name)


def parse_initial(initial: Any, num_qubits: int) -> InitialState:
    """An initial state from what the user gave.

    Args:
        initial: "neel" (even-numbered qubits in |1>), a bitstring with qubit 0 rightmost as Qiskit prints it, a list of
            n one-qubit states (pairs of amplitudes, qubit 0 first), or a ``Statevector`` (or 2^n amplitudes) of up to
            20 qubits.
        num_qubits: n.

    Raises:
        StateError: Wrong length, unknown name, not normalised, not finite, or too many qubits for a state vector.

    Example:
        >>> from equinoise.initial import parse_initial
        >>> parse_initial("neel", 3).bits, parse_initial("001", 3).bits
        ((1, 0, 1), (1, 0, 0))
    """
    if isinstance(initial, InitialState):
        return initial
    if isinstance(initial, str):
        if initial == "neel":
            return _basis([1 - q % 2 for q in range(num_qubits)], "neel")
        if not initial or set(initial) - {"0", "1"}:
            raise StateError(
                f"cannot read the initial state {initial!r}. Expected 'neel', a bitstring of {num_qubits} digits with "
                "qubit 0 rightmost, a list of one-qubit states, or a Statevector."
            )
        if len(initial) != num_qubits:
            raise StateError(
                f"the bitstring {initial!r} has {len(initial)} digits, the circuit has {num_qubits} qubits."
            )
        return _basis([int(b) for b in reversed(initial)], initial)
    if isinstance(initial, Statevector):
        if initial.num_qubits is None:
            raise StateError("the Statevector must be one of qubits.")
        initial = initial.data
    try:
        array = np.array(initial, dtype=np.complex128)
    except (TypeError, ValueError):
        raise StateError(f"cannot read an initial state from a {type(initial).__name__}.") from None
    if not np.all(np.isfinite(array)):
        raise StateError("the initial state has an amplitude that is not finite.")
    if array.shape == (num_qubits, 2):
        return prepared_product(array)
    if array.shape != (2**num_qubits,) or num_qubits > LARGEST_VECTOR:
        raise StateError(
            f"the initial state has shape {array.shape}; expected ({num_qubits}, 2) one-qubit states or "
            f"2^{num_qubits} amplitudes (at most {LARGEST_VECTOR} qubits)."
        )
    if abs(np.linalg.norm(array) - 1) > 1e-6:
        raise StateError(f"the initial state is not normalised: its norm is {np.linalg.norm(array):.6g}.")
    array /= np.linalg.norm(array)
    array.setflags(write=False)
    return InitialState(num_qubits, None, array, "state vector")


def prepared_product(states: npt.NDArray[np.complex128]) -> InitialState:
    """A product state from one-qubit amplitudes, shape (n, 2), qubit 0 first.

    Raises:
        StateError: A qubit's amplitudes are not normalised.
    """
    norms = np.linalg.norm(states, axis=1)
    if np.any(np.abs(norms - 1) > 1e-6):
        raise StateError(f"the state of qubit {int(np.abs(norms - 1).argmax())} is not normalised.")
    product = states / norms[:, None]
    product.setflags(write=False)
    state = InitialState(states.shape[0], product, None, "product state")
    if state.bits is None:
        return state
    bits = list(state.bits)  # phases of the amplitudes are global
    return _basis(bits, "".join(str(b) for b in reversed(bits)))
