"""Which rows of a charge block a gate on given qubits combines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from equinoise.reduction.sector import Sector

__all__ = ["PAIR", "QUAD", "PairTables", "RowIndex", "pair_tables"]

Index = npt.NDArray[np.int64]
RowIndex = npt.NDArray[np.int32]

PAIR, QUAD = 0, 1
"""Kinds of block: on row pairs and single rows, and on four rows."""


@dataclass(frozen=True)
class PairTables:
    """Row tables of one sector for every block's qubits, concatenated; table t is ptr[t]:ptr[t+1].

    Attributes:
        lo: Rows with the first qubit filled and the second empty (full space, one qubit: empty).
        hi: Their partners with the two exchanged (full space, one qubit: filled).
        pair_ptr: Shape (tables + 1,).
        one: Rows with both (or the single) qubits filled.
        one_ptr: Shape (tables + 1,).
        quad: Shape (4, m): the rows 00, 10, 01, 11 (first qubit first) of one rest, full space only.
        quad_ptr: Shape (tables + 1,).
    """

    lo: RowIndex
    hi: RowIndex
    pair_ptr: Index
    one: RowIndex
    one_ptr: Index
    quad: RowIndex
    quad_ptr: Index

    @cached_property
    def arguments(self) -> tuple[RowIndex, RowIndex, Index, RowIndex, Index, RowIndex, Index]:
        """In the order that the kernels take them."""
        return (self.lo, self.hi, self.pair_ptr, self.one, self.one_ptr, self.quad, self.quad_ptr)


def pair_tables(table: Sector, keys: Sequence[tuple[tuple[int, ...], int]]) -> PairTables:
    """The row tables of one sector for the qubits (cone indices) and the kind of every block."""
    charge = table.charge
    filled = table.occupations
    lo, hi, one = [], [], []
    quad = [np.zeros((4, 0), dtype=np.int64)]
    nothing = np.zeros(0, dtype=np.int64)
    # In a charge sector exchanging the two fillings of a pair is a move within the sector; both filled is a single
    # row, both empty is left out, for blocks are 1 there. In the full space a qubit's bit is added to the row number.
    for key, kind in keys:
        if kind == QUAD:
            rows = np.flatnonzero((filled[:, key[0]] == 0) & (filled[:, key[1]] == 0))
            a, b = 1 << key[0], 1 << key[1]
            quad.append(np.stack([rows, rows + a, rows + b, rows + a + b]))
            lo.append(nothing)
            hi.append(nothing)
            one.append(nothing)
            continue
        quad.append(np.zeros((4, 0), dtype=np.int64))
        if charge is None and len(key) == 1:
            rows = np.flatnonzero(filled[:, key[0]] == 0)
            lo.append(rows)
            hi.append(rows + (1 << key[0]))
            one.append(nothing)
        elif len(key) == 2:
            rows = np.flatnonzero((filled[:, key[0]] == 1) & (filled[:, key[1]] == 0))
            swapped = filled[rows].copy()
            swapped[:, key[0]] = 0
            swapped[:, key[1]] = 1
            lo.append(rows)
            hi.append(table.rank(swapped))
            one.append(np.flatnonzero((filled[:, key[0]] == 1) & (filled[:, key[1]] == 1)))
        else:
            lo.append(nothing)
            hi.append(nothing)
            one.append(np.flatnonzero(filled[:, key[0]] == 1))
    return PairTables(
        *(_flat(lo), _flat(hi), _pointers(lo)),
        *(_flat(one), _pointers(one)),
        *(_flat(quad), _pointers(quad)[1:]),
    )


def _flat(parts: list[Index]) -> RowIndex:
    if not parts:
        return np.zeros(0, dtype=np.int32)
    # sectors stop far below 2^31 states
    return np.ascontiguousarray(np.concatenate(parts, axis=-1, dtype=np.int32, casting="same_kind"))


def _pointers(parts: list[Index]) -> Index:
    return np.cumsum([0, *(part.shape[-1] for part in parts)], dtype=np.int64)
