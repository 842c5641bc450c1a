"""Terms stated by matrices on one or two qubits."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from reprlib import repr as shown
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from equinoise.circuit.pauli_sums import PAULI, String
from equinoise.errors import NoiseError
from equinoise.noise.terms.actions import General
from equinoise.noise.terms.checks import checked_number, checked_qubit
from equinoise.noise.terms.term import NoiseTerm

__all__ = ["LocalMatrix", "LocalTerm", "checked_matrix"]

Matrix = npt.NDArray[np.complex128]
Rows = tuple[tuple[complex, ...], ...]

_GREATEST_ELEMENT = 1e3


@dataclass(frozen=True)
class LocalTerm(NoiseTerm):
    """A term with any generator on one or two qubits, the first the least significant bit of rows (Qiskit's order).

    Attributes:
        qubits: One or two qubit indices; kept in ascending order, the matrices with them.
    """

    qubits: tuple[int, ...]

    def _arranged(self, named: Mapping[str, Any]) -> list[Matrix]:
        """Puts the qubits in ascending order, and returns matrices on them, checked, in the same order.

        Args:
            named: What messages call each, to what was given.
        """
        if isinstance(self.qubits, str) or not isinstance(self.qubits, Iterable):
            raise NoiseError(f"{self.kind} 'qubits' must list one or two qubits, got {shown(self.qubits)}.")
        qubits = [checked_qubit(q, f"{self.kind} qubit") for q in self.qubits]
        if len(qubits) not in (1, 2) or len(set(qubits)) != len(qubits):
            raise NoiseError(f"{self.kind} acts on one or two different qubits, got {qubits}.")
        arrays = [checked_matrix(given, 2 ** len(qubits), name) for name, given in named.items()]
        if qubits != sorted(qubits):  # exchange the bits of rows and columns
            arrays = [array[np.ix_([0, 2, 1, 3], [0, 2, 1, 3])] for array in arrays]
        object.__setattr__(self, "qubits", tuple(sorted(qubits)))
        return arrays

    @property
    def sites(self) -> tuple[int, ...]:
        """The same as ``qubits``."""
        return self.qubits

    @property
    def action(self) -> General:
        """Its generator, whatever it is."""
        return General(self.qubits, self.superoperator())

    @property
    def bound(self) -> float:
        """The generator's norm."""
        return self.action.bound

    def reach(self, qubits: Collection[int]) -> frozenset[int]:
        """All its qubits, once one of them is seen: it need not be a product."""
        return frozenset() if set(qubits).isdisjoint(self.qubits) else frozenset(self.qubits)

    def restricted(self, qubits: Collection[int]) -> Self | None:
        """All or nothing: an operator on one of two qubits reaches the other (see :meth:`reach`)."""
        return self if set(self.qubits) <= set(qubits) else None

    def placed(self, place: Mapping[int, int]) -> Self:
        """The bare term on other qubit numbers."""
        return self._bare(qubits=tuple(place[q] for q in self.qubits))


@dataclass(frozen=True)
class LocalMatrix(LocalTerm):
    """A term stated by one matrix on its qubits.

    Attributes:
        matrix: Rows of complex numbers, or of [re, im] pairs; shape (2^k, 2^k).
    """

    matrix: Rows

    def __post_init__(self) -> None:
        super().__post_init__()
        (array,) = self._arranged({f"{self.kind} matrix": self.matrix})
        object.__setattr__(self, "matrix", tuple(tuple(map(complex, row)) for row in array))

    @property
    def array(self) -> Matrix:
        """The matrix as an array."""
        return np.array(self.matrix, dtype=np.complex128)

    @property
    def pauli_sum(self) -> dict[String, complex]:
        """The matrix over Pauli strings, K = sum_P Tr(P K)/2^k P, the identity as the empty string."""
        out: dict[String, complex] = {}
        for letters in itertools.product("IXYZ", repeat=len(self.qubits)):
            string = np.ones((1, 1), dtype=np.complex128)
            for letter in letters:
                string = np.asarray(np.kron(PAULI[letter], string), dtype=np.complex128)
            value = complex(np.trace(string @ self.array)) / len(string)
            if abs(value) > 1e-15 * float(np.abs(self.array).max()):
                out[tuple((q, p) for q, p in zip(self.qubits, letters, strict=True) if p != "I")] = value
        return out

    def flipped(self, qubits: Collection[int]) -> Self:
        """X K X, X on those of its qubits."""
        bits = sum(1 << i for i, q in enumerate(self.qubits) if q in qubits)
        order = np.arange(2 ** len(self.qubits)) ^ bits
        return replace(self, matrix=tuple(map(tuple, self.array[np.ix_(order, order)].tolist()))) if bits else self

    @property
    def sees_flips_alone(self) -> bool:
        """Whether Z K Z is K or -K (as jumps the same; a Hamiltonian must stay), for Z on each of its qubits."""
        generator = self.superoperator()
        for i in range(len(self.qubits)):
            z = 1.0 - 2.0 * (np.arange(2 ** len(self.qubits)) >> i & 1)
            both = np.outer(z, z).ravel()
            if np.abs(both[:, None] * generator * both[None, :] - generator).max() > 1e-12 * np.abs(generator).max():
                return False
        return True

    def plain(self) -> dict[str, Any]:
        """The term as plain data that its class reads back."""
        return super().plain() | {"matrix": [[[v.real, v.imag] for v in row] for row in self.matrix]}


def checked_matrix(value: object, size: int, what: str) -> Matrix:
    """A matrix from rows of complex numbers or of [re, im] pairs.

    Raises:
        NoiseError: Another shape, an element that is no finite number, all elements 0 or one too large.
    """
    expected = f"{what} must have {size} rows of {size} numbers or [re, im] pairs"
    rows = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(rows, Sequence) or isinstance(rows, str) or len(rows) != size:
        raise NoiseError(f"{expected}, got {shown(rows)}.")
    out = np.zeros((size, size), dtype=np.complex128)
    for i, row in enumerate(rows):
        if not isinstance(row, Sequence) or isinstance(row, str) or len(row) != size:
            raise NoiseError(f"{expected}, got the row {shown(row)}.")
        for j, element in enumerate(row):
            pair = [element.real, element.imag] if isinstance(element, complex) else element
            parts = pair if isinstance(pair, Sequence) and not isinstance(pair, str) else [pair, 0.0]
            if len(parts) != 2:
                raise NoiseError(f"{expected}, got the element {shown(element)}.")
            out[i, j] = complex(*(checked_number(part, f"an element of the {what}") for part in parts))
    largest = float(np.abs(out).max())
    if not 0 < largest <= _GREATEST_ELEMENT:
        raise NoiseError(f"{what} needs elements up to {_GREATEST_ELEMENT:g}, not all 0, got at most {largest:g}.")
    return out
