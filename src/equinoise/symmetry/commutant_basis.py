"""Coordinates of the commutant: operators that commute with a group, as the blocks of their isotypic components.

X = (+)_lambda X_lambda (x) 1_d has the coordinates sqrt(d) X_lambda, row by row, irrep after irrep: an orthonormal
basis, Tr[X^dag Y] = <x, y>. Only the irreps that are asked for are held.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array

from equinoise.symmetry.isotypic import Irrep, Isotypic

__all__ = ["Commutant", "Coupling"]

Complex = npt.NDArray[np.complex128]
Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Coupling:
    """A completely positive map from the block of one irrep to that of another: X -> sum_k A_k X A_k^dag.

    Attributes:
        target: Place of the irrep it leads to.
        source: Place of the irrep it comes from.
        rows: Row of each stored element, shape (P,).
        columns: Its column, shape (P,).
        values: Elements of the A_k at these places, shape (K, P).
    """

    target: int
    source: int
    rows: Index
    columns: Index
    values: Complex


@dataclass(frozen=True)
class Commutant:
    """Coordinates on some irreps of a decomposition.

    Attributes:
        found: The decomposition.
        kept: Indices of the irreps held, ascending.
    """

    found: Isotypic
    kept: tuple[int, ...]

    @property
    def irreps(self) -> tuple[Irrep, ...]:
        """Those held."""
        return tuple(self.found.irreps[k] for k in self.kept)

    @cached_property
    def multiplicities(self) -> tuple[int, ...]:
        """The m of each block."""
        return tuple(i.multiplicity for i in self.irreps)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where each block's coordinates begin, and where the last ends."""
        return tuple(int(s) for s in np.cumsum([0, *(m * m for m in self.multiplicities)]))

    @property
    def numbers(self) -> int:
        """Coordinates of one operator."""
        return self.starts[-1]

    def split(self, coordinates: Complex) -> list[Complex]:
        """A state's blocks d X_lambda, whose trace is the weight of the irrep."""
        return [
            math.sqrt(i.dimension) * coordinates[start : start + i.multiplicity**2].reshape(i.multiplicity, -1)
            for i, start in zip(self.irreps, self.starts, strict=False)
        ]

    def join(self, blocks: Sequence[Complex]) -> Complex:
        """The coordinates of a state given by its blocks d X_lambda."""
        return np.concatenate([b.ravel() / math.sqrt(i.dimension) for i, b in zip(self.irreps, blocks, strict=True)])

    def of_vectors(self, vectors: Complex) -> Complex:
        """The twirl of sum_j |v_j><v_j|, v_j the columns, shape (2^w, J): shape (numbers,)."""
        # Coordinates are sqrt(d) X_lambda, in which Tr[A B] = sum_lambda d Tr[A_lambda B_lambda] is the plain sum of
        # conj(a) b. The twirl of a state has X_lambda = (1/d) sum_r W_r^dag rho W_r.
        inner = self.found.basis.conj().T.tocsr() @ vectors
        parts = []
        for one in self.irreps:
            rows = inner[one.start : one.start + one.dimension * one.multiplicity]
            copies = rows.reshape(one.dimension, one.multiplicity, -1)
            block = np.einsum("daj,dbj->ab", copies, copies.conj()) / np.sqrt(one.dimension)
            parts.append(block.ravel())
        return np.concatenate(parts)

    def of_operator(self, operator: csr_array) -> Complex:
        """The twirl of an operator on the 2^w states, sparse: shape (numbers,)."""
        blocks = self.found.twirled(self.found.transformed(operator))
        return np.concatenate(
            [np.sqrt(self.found.irreps[k].dimension) * blocks[k].toarray().ravel() for k in self.kept]
        )

    def couplings(self, jumps: Sequence[tuple[float, coo_array]]) -> tuple[Coupling, ...]:
        """The twirl of X -> sum_a rate_a K_a X K_a^dag in coordinates, by few operators between each two blocks.

        The copies of a jump between two irreps are mostly multiples of one another (for SU(2) by the Wigner-Eckart
        theorem), so that what is independent among them is found and kept.

        Args:
            jumps: Rates and operators, transformed to the isotypic basis.
        """
        irrep, copy, index = self.found.places
        most = 1 + int(copy.max())
        place = np.full(len(self.found.irreps), -1)
        place[list(self.kept)] = np.arange(len(self.kept))
        labels, rows, columns, values, owners = [], [], [], [], []
        for number, (rate, jump) in enumerate(jumps):
            target, source = place[irrep[jump.row]], place[irrep[jump.col]]
            held = (target >= 0) & (source >= 0)
            r, c = jump.row[held], jump.col[held]
            labels.append(target[held] * len(self.kept) + source[held])
            rows.append(index[r])
            columns.append(index[c])
            owners.append((number * most + copy[r]) * most + copy[c])
            values.append(np.sqrt(rate) * jump.data[held])
        if not labels:
            return ()
        label = np.concatenate(labels)
        everything = (np.concatenate(rows), np.concatenate(columns), np.concatenate(values))
        owner = np.concatenate(owners)
        out = []
        for pair in np.unique(label):
            here = label == pair
            target, source = divmod(int(pair), len(self.kept))
            # X_mu = (1/d_mu) sum_rs K_rs X_lambda K_rs^dag over the copies; in coordinates the factor is 1/sqrt(d_mu
            # d_lambda), of which each of the two operators takes the root.
            m, weight = self.multiplicities[source], self.irreps[target].dimension * self.irreps[source].dimension
            row, column, value = (part[here] for part in everything)
            places, position = np.unique(row * m + column, return_inverse=True)
            _, which = np.unique(owner[here], return_inverse=True)
            stacked = np.zeros((int(which.max()) + 1, places.size), dtype=np.complex128)
            stacked[which, position] = value / weight**0.25
            out.append(Coupling(target, source, places // m, places % m, _independent(stacked)))
        return tuple(out)


def _independent(stacked: Complex) -> Complex:
    """Fewest rows S' with S'^dag S' = S^dag S."""
    count = stacked.shape[0]
    if count == 1:
        return stacked
    # The map sum_k A_k X A_k^dag does not change if the A_k are mixed by a unitary: that of the eigenvectors leaves as
    # many of them nonzero as are independent.
    values, vectors = np.linalg.eigh(stacked @ stacked.conj().T)
    kept = values > 1e-14 * values[-1]
    if int(kept.sum()) == count:
        return stacked
    return np.asarray(vectors[:, kept].conj().T @ stacked)
