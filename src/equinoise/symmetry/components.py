"""A sparse matrix as its blocks on subspaces of basis states, stacked by size for dense routines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array

__all__ = ["Stack", "component_stacks", "put_together"]

Index = npt.NDArray[np.int64]
Complex = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class Stack:
    """All blocks of one size.

    Attributes:
        members: The subspaces' numbers, shape (count,).
        rows: Their basis states, shape (count, size).
        places: Where these stand when all states are sorted by subspace, shape (count, size).
        blocks: Dense, shape (count, size, size).
    """

    members: Index
    rows: Index
    places: Index
    blocks: Complex


def component_stacks(matrix: csr_array, labels: Index) -> Iterator[Stack]:
    """The blocks of a matrix on labelled subspaces; elements between subspaces are left out.

    Args:
        matrix: Shape (N, N).
        labels: Of every basis state the number of its subspace, counted from 0, shape (N,).
    """
    sizes = np.bincount(labels)
    order = np.argsort(labels, kind="stable").astype(np.int64)
    first = np.concatenate([[0], np.cumsum(sizes)])
    place = np.empty(labels.size, dtype=np.int64)
    place[order] = np.arange(labels.size) - np.repeat(first[:-1], sizes)
    entries = matrix.tocoo()
    kept = labels[entries.row] == labels[entries.col]
    row, column, data = entries.row[kept], entries.col[kept], entries.data[kept]
    for size in np.unique(sizes):
        members = np.flatnonzero(sizes == size)
        number = np.full(sizes.size, -1)
        number[members] = np.arange(members.size)
        here = sizes[labels[row]] == size
        blocks = np.zeros((members.size, size, size), dtype=np.complex128)
        blocks[number[labels[row[here]]], place[row[here]], place[column[here]]] = data[here]
        places = first[members][:, None] + np.arange(size)
        yield Stack(members, order[places], places, blocks)


def put_together(parts: Sequence[tuple[Index, Index, Complex]], size: int) -> csr_array:
    """The sparse matrix (size, size) of dense blocks.

    Args:
        parts: Rows and columns of the blocks' elements, each of shape (count, m), and the blocks (count, m, m).
        size: N.
    """
    rows = np.concatenate([np.broadcast_to(r[:, :, None], b.shape).ravel() for r, _, b in parts])
    columns = np.concatenate([np.broadcast_to(c[:, None, :], b.shape).ravel() for _, c, b in parts])
    data = np.concatenate([b.ravel() for *_, b in parts])
    return csr_array(coo_array((data, (rows, columns)), shape=(size, size)).tocsr())
