"""Noisy states of one small circuit at many parameter values: each noise slot is made a sparse matrix once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from equinoise.engines.sector.row_kernels import matrix_rows
from equinoise.engines.sector.sector_space import SectorSpace
from equinoise.reduction.operators import OperatorEntries
from equinoise.reduction.program import Program
from equinoise.reduction.row_tables import PairTables

__all__ = ["LARGEST_MATRIX", "MatrixRows"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
Index = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int32] | Index
State = dict[int | None, Real]

LARGEST_MATRIX = 1024
"""Complex numbers of the largest state for which slots are written out: five qubits in full space, six in blocks."""
# states held at once
_AT_ONCE = 2**10


class MatrixRows:
    """Noisy states of a compiled problem at one noise scale.

    Args:
        space: The problem's charge blocks, at most :data:`LARGEST_MATRIX` numbers.
        scale: s in [0, infinity].
    """

    def __init__(self, space: SectorSpace, scale: float) -> None:
        program = self.program = space.program
        sizes = [d * d for d in program.dimensions]
        self._offset = dict(zip(program.charges, np.cumsum([0, *sizes]).tolist(), strict=False))
        self._size = sum(sizes)
        self._left, self._right = (_element_tables(program, self._offset, side) for side in (False, True))
        layers = [0, *(layer.stop for layer in program.layers)]
        self._layer_ptr = np.array(layers, dtype=np.int64)
        self._rotations = program.rotations[:6] + program.rotations[7:8]
        self._start = np.zeros(self._size, dtype=np.complex128)
        for q in program.input_charges:
            rows, columns, values = program.initial_entries(q)
            self._start[self._place(q, rows, columns)] = values
        self._slot, self._slots = self._written_out(space, scale)

    def values(self, thetas: Real, operators: Sequence[OperatorEntries]) -> Real:
        """Tr[A rho(theta; s)] of several operators at each row of thetas, shape (S, len(operators))."""
        # Tr[A rho] = sum A_xy rho_yx
        places = [
            np.concatenate([self._place(q, columns, rows) for q, (rows, columns, _) in operator.items()])
            for operator in operators
        ]
        numbers = [np.concatenate([values for _, _, values in operator.values()]) for operator in operators]
        pointers = np.cumsum([0, *(part.size for part in places)])
        parts = (np.concatenate(numbers), np.concatenate(places), pointers)
        matrix = csr_matrix(parts, shape=(len(operators), self._size))
        out = [(matrix @ self._states(part).T).T.real for part in _in_parts(thetas)]
        return np.concatenate(out) if out else np.zeros((0, len(operators)))

    def populations(self, thetas: Real) -> dict[int | None, Real]:
        """Probability of each basis state of the cone in each charge block, shape (S, D)."""
        out: dict[int | None, list[Real]] = {q: [] for q in self.program.charges}
        for part in _in_parts(thetas):
            states = self._states(part)
            for q, dim in zip(self.program.charges, self.program.dimensions, strict=True):
                diagonal = np.arange(dim)
                out[q].append(states[:, self._place(q, diagonal, diagonal)].real)
        return {q: np.concatenate(parts) for q, parts in out.items()}

    def _states(self, thetas: Real) -> Complex:
        program = self.program
        out = np.empty((len(thetas), self._size), dtype=np.complex128)
        blocks = (program.kind, program.table, self._rotations, self._layer_ptr, self._left, self._right)
        matrix_rows(np.ascontiguousarray(thetas), self._start, *blocks, self._slot, self._slots, out)
        return out

    def _place(self, charge: int | None, rows: Index, columns: Index) -> Index:
        return np.asarray(self._offset[charge] + rows * self.program.sectors[charge].dimension + columns)

    # -- noise as sparse matrices ----------------------------------------------------------------------------------

    def _written_out(self, space: SectorSpace, scale: float) -> tuple[Index, tuple[Complex, Index, Index]]:
        program = self.program
        slot = np.full(len(program.layers), -1, dtype=np.int64)
        numbers: dict[int, int] = {}
        matrices: list[csr_matrix] = []
        for layer in range(len(program.layers)):
            channel = space.channel(layer, scale)
            if channel.idle:
                continue
            if id(channel) not in numbers:
                numbers[id(channel)] = len(matrices)
                matrices.append(self._matrix_of(channel.apply))
            slot[layer] = numbers[id(channel)]
        first = np.cumsum([0, *(matrix.nnz for matrix in matrices)])
        pointers = [matrix.indptr.astype(np.int64) + start for matrix, start in zip(matrices, first, strict=False)]
        values = np.concatenate([np.zeros(0, np.complex128), *(matrix.data for matrix in matrices)])
        columns = np.concatenate([np.zeros(0, np.int64), *(matrix.indices for matrix in matrices)])
        stacked = np.array(pointers, dtype=np.int64).reshape(-1, self._size + 1)
        return slot, (values, columns.astype(np.int64), stacked)

    def _matrix_of(self, apply: Callable[[State], None]) -> csr_matrix:
        """A channel as a matrix on the vector of all elements."""
        # E_xy = ((E_xy + E_yx) - i (i E_xy - i E_yx)) / 2: channels are told Hermitian matrices alone, and are linear.
        program = self.program
        columns = np.zeros((self._size, self._size), dtype=np.complex128)
        for q, dim in zip(program.charges, program.dimensions, strict=True):
            for x in range(dim):
                for y in range(x, dim):
                    here, there = (self._offset[q] + a * dim + b for a, b in ((x, y), (y, x)))
                    even = self._image(apply, q, [(x, y, 1.0), (y, x, 1.0)])
                    odd = self._image(apply, q, [(x, y, 1.0j), (y, x, -1.0j)]) if x != y else np.zeros_like(even)
                    columns[:, here] = (even - 1j * odd) / 2 if x != y else even
                    columns[:, there] = (even + 1j * odd) / 2 if x != y else even
        return csr_matrix(columns)

    def _image(
        self, apply: Callable[[State], None], charge: int | None, entries: list[tuple[int, int, complex]]
    ) -> Complex:
        program = self.program
        state: State = {q: np.zeros((1, 2, d, d)) for q, d in zip(program.charges, program.dimensions, strict=True)}
        for x, y, value in entries:
            state[charge][0, :, x, y] = value.real, value.imag
        apply(state)
        return np.concatenate([(a[0, 0] + 1j * a[0, 1]).ravel() for a in state.values()])


def _in_parts(thetas: Real) -> list[Real]:
    return [thetas[start : start + _AT_ONCE] for start in range(0, len(thetas), _AT_ONCE)]


def _element_tables(program: Program, offset: dict[int | None, int], transposed: bool) -> tuple[Index, ...]:
    """Which elements of the vector a block on each table's qubits combines, from the left or (transposed) the right."""
    count = program.tables[program.charges[0]].pair_ptr.size - 1

    def gathered(rows: Callable[[PairTables, int], Rows]) -> list[Index]:
        blocks = list(zip(program.charges, program.dimensions, strict=True))
        return [
            np.concatenate(
                [_elements(rows(program.tables[q], t), dim, offset[q], transposed) for q, dim in blocks], axis=-1
            )
            for t in range(count)
        ]

    lo = gathered(lambda tables, t: tables.lo[tables.pair_ptr[t] : tables.pair_ptr[t + 1]])
    hi = gathered(lambda tables, t: tables.hi[tables.pair_ptr[t] : tables.pair_ptr[t + 1]])
    one = gathered(lambda tables, t: tables.one[tables.one_ptr[t] : tables.one_ptr[t + 1]])
    group = gathered(lambda tables, t: tables.group[:, tables.group_ptr[t] : tables.group_ptr[t + 1]])
    most = program.tables[program.charges[0]].group.shape[0]
    nothing = np.zeros((most, 0), dtype=np.int64)  # where no block is in the cone
    joined = [np.concatenate([nothing[0], *parts]) for parts in (lo, hi, one)]
    groups = np.ascontiguousarray(np.concatenate([nothing, *group], axis=-1))
    return joined[0], joined[1], _pointers(lo), joined[2], _pointers(one), groups, _pointers(group)


def _elements(rows: Rows, dim: int, offset: int, transposed: bool) -> Index:
    """The elements (row, c) for all c, or (c, row), of some rows, shape (..., m) -> (..., m D)."""
    rows, others = rows.astype(np.int64), np.arange(dim)
    places = rows[..., :, None] + others * dim if transposed else rows[..., :, None] * dim + others
    return np.asarray(offset + places.reshape(*rows.shape[:-1], -1))


def _pointers(parts: list[Index]) -> Index:
    return np.cumsum([0, *(part.shape[-1] for part in parts)], dtype=np.int64)
