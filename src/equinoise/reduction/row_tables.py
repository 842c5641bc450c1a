"""Which rows of a charge block a gate on given qubits combines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from equinoise.reduction.sector import Sector

__all__ = ["PAIR", "QUAD", "PairTables", "Piece", "RowIndex", "TableKey", "pair_tables"]

Index = npt.NDArray[np.int64]
RowIndex = npt.NDArray[np.int32]

PAIR, QUAD = 0, 4
"""Kinds of block: on row pairs and single rows, and on four rows; any other kind is a number of rows."""


@dataclass(frozen=True)
class Piece:
    """What one piece of a block on more than two qubits acts on: groups of local states that it mixes alike.

    Attributes:
        core: Cone indices of the qubits that the block may flip; bit i of a local state is the occupation of core[i].
        parities: Sets of cone indices; bit len(core) + j is the parity of set j, which the block reads.
        groups: Each of the s local states that the piece's s x s matrix mixes, in its order.
    """

    core: tuple[int, ...]
    parities: tuple[tuple[int, ...], ...]
    groups: tuple[tuple[int, ...], ...]

    @property
    def size(self) -> int:
        """Rows that are mixed with one another."""
        return len(self.groups[0])

    def rows(self, table: Sector) -> Index:
        """The rows of a charge block that belong together, shape (s, m)."""
        # A state of the first kind of a group becomes the others by writing their bits on the core: the block
        # conserves the charge, so they lie in the same sector, and a parity is one of other qubits, which stay.
        filled = table.occupations
        local = np.zeros(table.dimension, dtype=np.int64)
        for bit, qubits in enumerate((*((q,) for q in self.core), *self.parities)):
            local += (filled[:, list(qubits)].sum(axis=1, dtype=np.int64) % 2) << bit
        out = []
        for group in self.groups:
            rows = [np.flatnonzero(local == group[0])]
            for state in group[1:]:
                moved = filled[rows[0]].copy()
                moved[:, list(self.core)] = [(state >> bit) & 1 for bit in range(len(self.core))]
                rows.append(table.rank(moved))
            out.append(np.stack(rows))
        return np.concatenate(out, axis=1)


TableKey = tuple[tuple[int, ...], int] | Piece
"""Which rows: cone indices of a block's qubits and its kind, or a piece of a wide block."""


@dataclass(frozen=True)
class PairTables:
    """Row tables of one sector for every block's qubits, concatenated; table t is ptr[t]:ptr[t+1].

    Attributes:
        lo: Rows with the first qubit filled and the second empty (full space, one qubit: empty).
        hi: Their partners with the two exchanged (full space, one qubit: filled).
        pair_ptr: Shape (tables + 1,).
        one: Rows with both (or the single) qubits filled.
        one_ptr: Shape (tables + 1,).
        group: Shape (most, m): the rows that larger blocks mix, as many of each column as the block's kind says. In the
            full space of a pair 00, 10, 01, 11 (first qubit first) of one rest.
        group_ptr: Shape (tables + 1,).
    """

    lo: RowIndex
    hi: RowIndex
    pair_ptr: Index
    one: RowIndex
    one_ptr: Index
    group: RowIndex
    group_ptr: Index

    @cached_property
    def arguments(self) -> tuple[RowIndex, RowIndex, Index, RowIndex, Index, RowIndex, Index]:
        """In the order that the kernels take them."""
        return (self.lo, self.hi, self.pair_ptr, self.one, self.one_ptr, self.group, self.group_ptr)


def pair_tables(table: Sector, keys: Sequence[TableKey]) -> PairTables:
    """The row tables of one sector for every block, or for its pieces."""
    charge = table.charge
    filled = table.occupations
    lo, hi, one = [], [], []
    most = max([4, *(key.size for key in keys if isinstance(key, Piece))])
    group = [np.zeros((most, 0), dtype=np.int64)]
    nothing = np.zeros(0, dtype=np.int64)
    # In a charge sector exchanging the two fillings of a pair is a move within the sector; both filled is a single
    # row, both empty is left out, for blocks are 1 there. In the full space a qubit's bit is added to the row number.
    for key in keys:
        if isinstance(key, Piece):
            rows = key.rows(table)
            size = key.size
            lo.append(rows[0] if size == 2 else nothing)
            hi.append(rows[1] if size == 2 else nothing)
            one.append(rows[0] if size == 1 else nothing)
            group.append(_tall(rows if size > 2 else rows[:, :0], most))
            continue
        qubits, kind = key
        if kind == QUAD:
            rows = np.flatnonzero((filled[:, qubits[0]] == 0) & (filled[:, qubits[1]] == 0))
            a, b = 1 << qubits[0], 1 << qubits[1]
            group.append(_tall(np.stack([rows, rows + a, rows + b, rows + a + b]), most))
            lo.append(nothing)
            hi.append(nothing)
            one.append(nothing)
            continue
        group.append(np.zeros((most, 0), dtype=np.int64))
        if charge is None and len(qubits) == 1:
            rows = np.flatnonzero(filled[:, qubits[0]] == 0)
            lo.append(rows)
            hi.append(rows + (1 << qubits[0]))
            one.append(nothing)
        elif len(qubits) == 2:
            rows = np.flatnonzero((filled[:, qubits[0]] == 1) & (filled[:, qubits[1]] == 0))
            swapped = filled[rows].copy()
            swapped[:, qubits[0]] = 0
            swapped[:, qubits[1]] = 1
            lo.append(rows)
            hi.append(table.rank(swapped))
            one.append(np.flatnonzero((filled[:, qubits[0]] == 1) & (filled[:, qubits[1]] == 1)))
        else:
            lo.append(nothing)
            hi.append(nothing)
            one.append(np.flatnonzero(filled[:, qubits[0]] == 1))
    return PairTables(
        *(_flat(lo), _flat(hi), _pointers(lo)),
        *(_flat(one), _pointers(one)),
        *(_flat(group), _pointers(group)[1:]),
    )


def _tall(rows: Index, most: int) -> Index:
    """Rows of a group below which others are filled up that no kernel reads."""
    return np.vstack([rows, np.zeros((most - rows.shape[0], rows.shape[1]), dtype=np.int64)])


def _flat(parts: list[Index]) -> RowIndex:
    if not parts:
        return np.zeros(0, dtype=np.int32)
    # sectors stop far below 2^31 states
    return np.ascontiguousarray(np.concatenate(parts, axis=-1, dtype=np.int32, casting="same_kind"))


def _pointers(parts: list[Index]) -> Index:
    return np.cumsum([0, *(part.shape[-1] for part in parts)], dtype=np.int64)
