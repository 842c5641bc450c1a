"""Charge sectors: tables of occupations and their ranks, for any charge on any number of qubits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from equinoise.errors import MemoryLimitError, StateError

__all__ = ["Sector", "sector"]

Rows = npt.NDArray[np.int64]
Occupations = npt.NDArray[np.uint8]

_LARGEST = 50_000_000
# occupations ranked at once
_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Sector:
    """The computational-basis states of ``width`` qubits with one charge, or all of them.

    States are ordered as integers (qubit 0 the least significant bit), whatever the width.

    Attributes:
        width: Number of qubits w.
        charge: q, or None for the full space.
        occupations: Shape (D, w), uint8, read-only.
    """

    width: int
    charge: int | None
    occupations: Occupations

    @property
    def dimension(self) -> int:
        """D = C(w, q), or 2^w."""
        return int(self.occupations.shape[0])

    def rank(self, occupations: Occupations) -> Rows:
        """The row numbers of states given by occupations of shape (m, w), which must have this charge.

        A sector's states in increasing order are counted by sum_j occ_j C(j, number of filled qubits up to j).
        """
        if self.charge is None:
            weights = 1 << np.arange(self.width, dtype=np.int64)
            return np.asarray(occupations.astype(np.int64) @ weights)
        # The combinatorial number system: of two states with one charge the one whose highest differing qubit is
        # filled is larger. Below a state whose k-th filled qubit (counted from 0 upwards, k from 1) is j lie the C(j,
        # k) states that have k filled qubits below j and agree above.
        table = _binomials(self.width, self.charge)
        rows = np.empty(occupations.shape[0], dtype=np.int64)
        step = max(1, _AT_ONCE // self.width)
        for start in range(0, rows.size, step):  # in parts: the tables of terms are 16 times the occupations' size
            part = occupations[start : start + step]
            filled = np.cumsum(part, axis=1, dtype=np.int64)
            rows[start : start + step] = (table[np.arange(self.width)[None, :], filled] * part).sum(axis=1)
        return rows


@lru_cache(maxsize=64)
def _binomials(width: int, charge: int) -> Rows:
    # entries beyond int64 cannot occur in a rank of a sector that fits in memory
    limit = np.iinfo(np.int64).max
    values = [[min(math.comb(j, k), limit) for k in range(charge + 1)] for j in range(width)]
    table = np.array(values, dtype=np.int64).reshape(width, charge + 1)
    table.setflags(write=False)
    return table


@lru_cache(maxsize=64)
def sector(width: int, charge: int | None) -> Sector:
    """The sector of a charge on ``width`` qubits (None: the full space), built once.

    Raises:
        StateError: The charge lies outside 0..w.
        MemoryLimitError: It has more than 50 million states.

    Example:
        >>> sector(4, 2).dimension, sector(200, 2).dimension
        (6, 19900)
    """
    if charge is not None and not 0 <= charge <= width:
        raise StateError(f"charge must lie in 0..{width}, got {charge}.")
    dimension = 2**width if charge is None else math.comb(width, charge)
    if dimension > _LARGEST:
        raise MemoryLimitError(
            f"the sector of charge {charge} on {width} qubits has {dimension:.3g} states; tables stop at "
            f"{_LARGEST:.3g}. Use a readout with a smaller light cone or fewer layers."
        )
    if charge is None:
        states = np.arange(dimension, dtype=np.int64)
        occupations = ((states[:, None] >> np.arange(width)) & 1).astype(np.uint8)
    else:
        occupations = np.zeros((dimension, width), dtype=np.uint8)
        positions = _positions(width, charge)
        np.put_along_axis(occupations, positions, np.uint8(1), axis=1)
    occupations.setflags(write=False)
    return Sector(width, charge, occupations)


def _positions(width: int, charge: int) -> Rows:
    """Filled positions of each state, shape (D, q), in increasing order of the states as integers."""
    # States of k filled qubits, in order, are those with the highest one at top = k - 1, k, ...: for each of them the
    # first C(top, k - 1) states of k - 1 filled qubits, which lie below top.
    table = np.zeros((1, 0), dtype=np.int64)
    for filled in range(1, charge + 1):
        parts = []
        for top in range(filled - 1, width - (charge - filled)):
            below = table[: math.comb(top, filled - 1)]
            parts.append(np.hstack([below, np.full((below.shape[0], 1), top, dtype=np.int64)]))
        table = np.vstack(parts)
    return table
