"""Noiseless states of one circuit at many parameter values: in charge sectors, or in full space to 20 qubits.

Nothing is asked of the charge: where circuit or readout breaks it, the program works in the full space of the cone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from equinoise.engines.contract import memory_limit
from equinoise.engines.sector.block_unitaries import build_blocks, contract
from equinoise.engines.vectors import vector_kernels, vector_row_kernels
from equinoise.errors import MemoryLimitError
from equinoise.reduction.operators import OperatorEntries, weighted_sum
from equinoise.reduction.program import Program

__all__ = ["LARGEST_WIDTH", "VectorRows"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
Index = npt.NDArray[np.int64]

LARGEST_WIDTH = 20
"""Qubits of the largest full space."""
# numbers of states that are held at once
_AT_ONCE = 2**18


class VectorRows:
    """Noiseless states of a compiled problem.

    Args:
        program: The compiled problem; its noise is not looked at.

    Raises:
        MemoryLimitError: The full space of more than 20 qubits, or a sector that memory does not hold.
    """

    name = "state-vector"

    def __init__(self, program: Program) -> None:
        if program.full and program.width > LARGEST_WIDTH:
            raise MemoryLimitError(
                f"circuit or readout breaks the charge on a light cone of {program.width} qubits, and the full space "
                f"is held for at most {LARGEST_WIDTH}. Use gates and observables that conserve the charge, or fewer "
                "qubits."
            )
        # a state, its adjoint and a copy, beside occupations and row tables
        need = max(program.dimensions) * (3 * 16 + 5 * program.width)
        if need > memory_limit():
            raise MemoryLimitError(
                f"a state vector of the light cone's {program.width} qubits needs {need / 1e9:.3g} GB and "
                f"{memory_limit() / 1e9:.3g} GB are free. Use fewer layers or a more local readout."
            )
        self.program = program
        self._rotations = program.rotations[:6] + program.rotations[7:8]

    def states(self, thetas: Real) -> list[tuple[int | None, Complex]]:
        """The states at each row of thetas, shape (S, K): charge and shape (S, D), one for each part of a mixture."""
        if not self.program.problem.input_varies or len(thetas) == 0:
            return [
                (q, self._states(q, vector, thetas)) for q, vectors in self.program.inputs() for vector in vectors.T
            ]
        # each row has an input of its own; one with fewer parts than another's has zeros for the rest
        found: dict[tuple[int | None, int], Complex] = {}
        for i, theta in enumerate(thetas):
            for q, vectors in self.program.inputs(theta):
                for part, vector in enumerate(vectors.T):
                    if (q, part) not in found:
                        found[q, part] = np.zeros((len(thetas), vector.size), dtype=np.complex128)
                    found[q, part][i] = self._states(q, vector, thetas[i : i + 1])[0]
        return [(q, states) for (q, _), states in found.items()]

    def values(self, thetas: Real, operators: Sequence[OperatorEntries]) -> Real:
        """Tr[A rho] of several operators, shape (S, len(operators))."""
        out = np.zeros((len(thetas), len(operators)))
        matrices = [
            {q: self._matrix(operator, q) for q in self.program.input_charges if q in operator}
            for operator in operators
        ]
        step = max(1, _AT_ONCE // max(self.program.dimensions))
        for start in range(0, len(thetas), step):
            rows = slice(start, start + step)
            for q, states in self.states(thetas[rows]):
                for j, matrix in enumerate(matrices):
                    if q in matrix:
                        seen = (matrix[q] @ states.T).T
                        out[rows, j] += np.einsum("sx,sx->s", states.conj(), seen).real
        return out

    def populations(self, thetas: Real) -> dict[int | None, Real]:
        """Probability of each basis state of the cone in each charge block, shape (S, D)."""
        out: dict[int | None, Real] = {}
        for q, states in self.states(thetas):
            squares = states.real**2 + states.imag**2
            out[q] = out[q] + squares if q in out else squares
        return out

    def value_and_pullback(
        self, theta: Real, operators: Sequence[OperatorEntries], cotangent: Callable[[Real], Real]
    ) -> tuple[Real, Real]:
        """As ``AdjointEngine.value_and_pullback``, without noise."""
        program = self.program
        values = self.values(theta[None], operators)[0]
        total = weighted_sum(operators, cotangent(values))
        blocks = build_blocks(program, theta)
        moments = np.zeros(program.moments_shape(1), dtype=np.complex128)
        # The state and lambda = A psi are undone together, block by block, and each block's moments are read on the way
        parts = [(q, vector) for q, vectors in self.program.inputs(theta) for vector in vectors.T if q in total]
        for q, vector in parts:
            psi = self._states(q, vector, theta[None])[0]
            adjoint = np.asarray(self._matrix(total, q) @ psi)
            if self._by_shifts:
                first, second = (np.ascontiguousarray(a[::-1]) for a in self._qubits)
                vector_row_kernels.pull_back_full(psi, adjoint, first, second, blocks.dagger, moments[0, ::-1])
            else:
                both = np.ascontiguousarray(np.stack([psi, adjoint], axis=1))
                kinds, tables = (np.ascontiguousarray(a[::-1]) for a in (program.kind, program.table))
                rows = program.tables[q].arguments
                vector_kernels.pull_back(both, kinds, tables, blocks.dagger, *rows, moments[0, ::-1])
        return values, contract(program, blocks, moments)[0]

    def _matrix(self, operator: OperatorEntries, charge: int | None) -> csr_matrix:
        rows, columns, values = operator[charge]
        size = self.program.sectors[charge].dimension
        return csr_matrix((values, (rows, columns)), shape=(size, size))

    def _states(self, charge: int | None, start: Complex, thetas: Real) -> Complex:
        program = self.program
        out = np.empty((len(thetas), start.size), dtype=np.complex128)
        start, thetas = np.ascontiguousarray(start), np.ascontiguousarray(thetas, dtype=np.float64)
        if self._by_shifts:
            vector_row_kernels.full_rows(thetas, start, program.kind, *self._qubits, self._rotations, out)
        else:
            rows = program.tables[charge].arguments
            vector_row_kernels.sector_rows(thetas, start, program.kind, program.table, self._rotations, rows, out)
        return out

    @property
    def _by_shifts(self) -> bool:
        """Whether rows are found by shifting bits: blocks on one or two qubits in the full space. Else by tables."""
        return self.program.full and not self.program.has_wide_blocks

    @cached_property
    def _qubits(self) -> tuple[Index, Index]:
        """The cone's qubits that each block acts on, ascending; -1 for no second one."""
        program = self.program
        place = {q: i for i, q in enumerate(program.cone.qubits)}
        kept = zip(program.problem.layers, program.cone.blocks, strict=True)
        local = [[place[q] for q in layer.blocks[i].qubits] for layer, indices in kept for i in indices]
        first = np.array([qubits[0] for qubits in local], dtype=np.int64)
        return first, np.array([qubits[1] if len(qubits) > 1 else -1 for qubits in local], dtype=np.int64)
