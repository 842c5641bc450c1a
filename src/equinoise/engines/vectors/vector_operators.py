"""Jumps and Hamiltonians as operators on state vectors: matrices on few qubits, and Pauli strings.

In charge sectors an operator moves the charge by one definite amount, so that it takes a vector from one sector to
another; in the full space (charge None) it may be anything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt

from equinoise.engines.vectors import vector_kernels as kernels
from equinoise.noise.terms.actions import PauliString
from equinoise.reduction.program import Program
from equinoise.reduction.row_tables import RowIndex

__all__ = ["LocalOperator", "StringOperator", "VectorOperator", "charge_steps", "local_blocks"]

Complex = npt.NDArray[np.complex128]
Index = npt.NDArray[np.int64]
Columns = tuple[int, ...]


class VectorOperator(ABC):
    """An operator K on the cone.

    Attributes:
        step: By how much it moves the charge; 0 in the full space.
    """

    step: int = 0

    @abstractmethod
    def add(
        self, target: Complex, into: Columns, source: Complex, columns: Columns, charge: int | None, factor: complex
    ) -> None:
        """Adds factor K source[:, columns] to target[:, into]; ``charge`` is that of the source."""

    @abstractmethod
    def moment(self, adjoint: Complex, left: Columns, psi: Complex, right: Columns, charge: int | None) -> complex:
        """Sum over j of <adjoint[:, left[j]]| K |psi[:, right[j]]>; ``charge`` is that of psi."""


class LocalOperator(VectorOperator):
    """A matrix on one or two qubits.

    Args:
        program: The compiled problem; in charge sectors all elements of the matrix move the charge alike.
        qubits: Cone indices, the first the least significant bit of the matrix's rows.
        matrix: Shape (2^k, 2^k).
    """

    def __init__(self, program: Program, qubits: tuple[int, ...], matrix: Complex) -> None:
        self.program = program
        self.qubits = qubits
        self.matrix = np.ascontiguousarray(matrix, dtype=np.complex128)
        self.step = 0 if program.full else charge_steps(self.matrix)[0]
        self._known: dict[int | None, list[tuple[RowIndex, Index, Index, Complex]]] = {}

    @cached_property
    def dagger(self) -> LocalOperator:
        """K^dag."""
        return LocalOperator(self.program, self.qubits, self.matrix.conj().T)

    def acts(self, charge: int | None) -> bool:
        """Whether it leaves anything of a vector of this charge."""
        return bool(self._blocks(charge))

    def add(
        self, target: Complex, into: Columns, source: Complex, columns: Columns, charge: int | None, factor: complex
    ) -> None:
        """Adds factor K source[:, columns] to target[:, into]; ``charge`` is that of the source."""
        for rows, to, of, matrix in self._blocks(charge):
            kernels.add_local(target, into, source, columns, rows, to, of, factor * matrix)

    def moment(self, adjoint: Complex, left: Columns, psi: Complex, right: Columns, charge: int | None) -> complex:
        """Sum over j of <adjoint[:, left[j]]| K |psi[:, right[j]]>; ``charge`` is that of psi."""
        total = 0.0j
        for rows, to, of, matrix in self._blocks(charge):
            found = np.zeros(matrix.shape, dtype=np.complex128)
            kernels.local_moments(adjoint, left, psi, right, rows, to, of, matrix != 0, found)
            total += complex(np.sum(matrix * found))
        return total

    def _blocks(self, charge: int | None) -> list[tuple[RowIndex, Index, Index, Complex]]:
        """As :func:`local_blocks`, with the part of the matrix, where that is not 0."""
        if charge not in self._known:
            found = local_blocks(self.program, self.qubits, charge, self.step)
            parts = [(rows, to, of, np.ascontiguousarray(self.matrix[np.ix_(to, of)])) for rows, to, of in found]
            self._known[charge] = [part for part in parts if np.any(part[3])]
        return self._known[charge]


class StringOperator(VectorOperator):
    """A Pauli string P, in the full space.

    Args:
        string: Its letters.
    """

    def __init__(self, string: PauliString) -> None:
        # Y = i X Z on each qubit, so P = i^(number of Y) X^flip Z^mask
        self.flip = sum(1 << q for q, letter in string.letters if letter in "XY")
        self.mask = sum(1 << q for q, letter in string.letters if letter in "YZ")
        self.phase = 1j ** sum(letter == "Y" for _, letter in string.letters)

    def add(
        self, target: Complex, into: Columns, source: Complex, columns: Columns, charge: int | None, factor: complex
    ) -> None:
        """Adds factor P source[:, columns] to target[:, into]."""
        kernels.add_string(target, into, source, columns, self.flip, self.mask, factor * self.phase)

    def moment(self, adjoint: Complex, left: Columns, psi: Complex, right: Columns, charge: int | None) -> complex:
        """Sum over j of <adjoint[:, left[j]]| P |psi[:, right[j]]>."""
        return complex(self.phase * kernels.string_moment(adjoint, left, psi, right, self.flip, self.mask))


def charge_steps(matrix: Complex) -> list[int]:
    """By how much a matrix on a few qubits may move their charge, each once; [0] for the zero matrix."""
    after, before = np.nonzero(np.abs(matrix) > 1e-13 * np.abs(matrix).max(initial=0.0))
    found = {int(a).bit_count() - int(b).bit_count() for a, b in zip(after, before, strict=True)}
    return sorted(found) or [0]


def local_blocks(
    program: Program, qubits: tuple[int, ...], charge: int | None, step: int
) -> Iterator[tuple[RowIndex, Index, Index]]:
    """Where an operator on a few qubits acts in a sector: rows by local state, local states after, and before.

    Args:
        program: The compiled problem.
        qubits: Cone indices.
        charge: Of the sector before; None for the full space, where one table holds everything.
        step: By how much the operator moves the charge.
    """
    local = np.arange(2 ** len(qubits))
    if charge is None:
        yield program.local_rows(qubits, None), local, local
        return
    size = np.bitwise_count(local)
    for rest in range(max(0, charge - len(qubits)), min(charge, program.width - len(qubits)) + 1):
        of, to = local[size == charge - rest], local[size == charge + step - rest]
        if of.size and to.size:
            yield program.local_rows(qubits, rest), to, of
