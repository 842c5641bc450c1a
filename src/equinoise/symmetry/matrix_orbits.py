"""A second basis of the commutant, for groups that permute basis states up to phases: orbits of matrix elements.

Where every g takes |x> to a phase times |gx>, an operator that commutes with the group is one number per orbit of pairs
(x, y). Local noise takes an element |x><y| to few others, so that its generator is far sparser here than between the
blocks of the isotypic basis, where each block pair holds the Fourier components of all orbits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array, diags_array, hstack, kron
from scipy.sparse.csgraph import connected_components

from equinoise.symmetry.commutant_basis import Commutant
from equinoise.symmetry.isotypic import matrix_of

__all__ = ["MatrixOrbits", "matrix_orbits"]

Index = npt.NDArray[np.int64]

MAX_QUBITS = 10
# elements of the table from coordinates to all 4^w matrix elements
MAX_ELEMENTS = 20_000_000


@dataclass(frozen=True)
class MatrixOrbits:
    """Orthonormal coordinates y_o = sqrt(|o|) X_xy, (x, y) the orbit's first pair.

    Attributes:
        width: Number of qubits w.
        turn: From the commutant's coordinates, sparse and unitary, shape (numbers, numbers).
        table: All matrix elements from y, rows (x, y) row by row, shape (4^w, numbers).
        first: The first pair of each orbit, x 2^w + y, shape (numbers,).
        roots: sqrt(|o|), shape (numbers,).
    """

    width: int
    turn: csr_array
    table: csr_array
    first: Index
    roots: npt.NDArray[np.float64]

    def generator(self, jumps: Sequence[tuple[float, csr_array]], bound: float, *, averaged: bool) -> csr_array:
        """sum_a rate_a D[K_a] on y; what is rounding beside ``bound`` is left out.

        Args:
            jumps: Rates and sparse operators with at most one element in each row.
            bound: At least the generator's norm.
            averaged: Take the mean over the group; else the sum must keep the commutant, and each orbit's first pair
                tells.
        """
        size = 2**self.width
        pairs = np.arange(size * size, dtype=np.int64) if averaged else self.first
        x, y = np.divmod(pairs, size)
        total = csr_array((pairs.size, size * size), dtype=np.complex128)
        decay = np.zeros(size)
        orbit = np.arange(pairs.size)
        for rate, jump in jumps:
            entries = jump.tocoo()
            column, value = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.complex128)
            column[entries.row], value[entries.row] = entries.col, entries.data
            # (K X K^dag)_xy = K_xx' X_x'y' conj(K_yy')
            data = rate * value[x] * value[y].conj()
            part = coo_array((data, (orbit, column[x] * size + column[y])), shape=total.shape)
            total = total + part.tocsr()
            decay += rate * np.bincount(entries.col, weights=np.abs(entries.data) ** 2, minlength=size)
        total = total + coo_array((-(decay[x] + decay[y]) / 2, (orbit, pairs)), shape=total.shape).tocsr()
        gather = self.table.conj().T.tocsr() if averaged else diags_array(self.roots)
        out = csr_array(gather @ (total @ self.table))
        out.data[np.abs(out.data) < 1e-14 * bound] = 0.0
        out.eliminate_zeros()
        return out


def matrix_orbits(commutant: Commutant) -> MatrixOrbits | None:
    """The orbits, where the group permutes basis states up to phases and its irreps are all held; else None."""
    found = commutant.found
    size = 2**found.width
    if found.width > MAX_QUBITS or len(commutant.kept) < len(found.irreps) or found.basis.nnz == size:
        return None
    matrices = [matrix_of(g, found.width) for g in found.symmetry.generators]
    if any(int(np.diff(m.indptr).max()) > 1 for m in matrices):
        return None
    copies = [found.isometry(k, r) for k in commutant.kept for r in range(found.irreps[k].dimension)]
    if sum(w.nnz**2 for w in copies) > MAX_ELEMENTS:
        return None
    # g takes |x><y| to a phase times |gx><gy|: pairs are joined by the generators' action, and connected pairs are one
    # orbit. An invariant operator is fixed on an orbit by its element at one pair; sqrt(|o|) makes the coordinates
    # orthonormal.
    states = np.arange(size, dtype=np.int64)
    pairs = np.arange(size * size, dtype=np.int64)
    edges = []
    for matrix in matrices:
        image = np.empty(size, dtype=np.int64)
        entries = matrix.tocoo()
        image[entries.col] = entries.row
        edges.append((image[:, None] * size + image[None, states]).ravel())
    rows, columns = np.tile(pairs, len(edges)), np.concatenate(edges)
    graph = coo_array((np.ones(rows.size, dtype=np.int8), (rows, columns)), shape=(pairs.size, pairs.size))
    _, label = connected_components(graph, directed=False)
    _, first, sizes = np.unique(label, return_index=True, return_counts=True)
    parts = []
    for one, k in zip(commutant.irreps, commutant.kept, strict=True):
        isometries = [found.isometry(k, r) for r in range(one.dimension)]
        parts.append(sum(kron(w, w.conj(), format="csr") for w in isometries) / np.sqrt(one.dimension))
    elements = csr_array(hstack(parts, format="csr"))
    turn = csr_array(diags_array(np.sqrt(sizes)) @ elements[first])
    weight = np.asarray(abs(turn).power(2).sum(axis=1)).ravel()
    # an orbit on which some g that fixes the pair turns its phase holds nothing
    kept = weight > 0.5
    if int(kept.sum()) != commutant.numbers or np.abs(weight[kept] - 1).max() > 1e-9:
        return None
    turn, first, roots = turn[kept], first[kept], np.sqrt(sizes[kept])
    turn = _without_rounding(csr_array(turn))
    table = _without_rounding(csr_array(elements @ turn.conj().T))
    return MatrixOrbits(found.width, turn, table, first.astype(np.int64), roots)


def _without_rounding(matrix: csr_array) -> csr_array:
    matrix.data[np.abs(matrix.data) < 1e-12] = 0.0
    matrix.eliminate_zeros()
    return matrix
