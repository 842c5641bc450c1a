"""Operators in charge blocks: the elements that an engine reads off a state or pulls back through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import SparsePauliOp
from scipy.sparse import coo_matrix, csr_matrix

from equinoise.reduction.sector import Occupations, Sector

__all__ = ["Entries", "OperatorEntries", "entries_of", "operator_block", "weighted_sum"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
Index = npt.NDArray[np.int64]
Entries = tuple[Index, Index, Complex]
OperatorEntries = Mapping[int | None, Entries]
"""An operator's elements in each charge block: rows, columns and values."""


def entries_of(matrix: Complex | csr_matrix) -> Entries:
    """The elements of a matrix that are stored or not 0."""
    sparse = coo_matrix(matrix)
    return sparse.row.astype(np.int64), sparse.col.astype(np.int64), sparse.data.astype(np.complex128)


def operator_block(
    operator: SparsePauliOp, place: Mapping[int, int], table: Sector, sector_charge: int | None = None
) -> csr_matrix:
    """An operator in one charge block; elements that lead out of it are left out.

    Args:
        operator: On circuit qubits.
        place: Cone index of each circuit qubit that it acts on.
        table: The block, D states of w cone qubits.
        sector_charge: With it P_q A P_q, P_q the projector on this charge of the cone's qubits.

    Returns:
        Sparse, shape (D, D).
    """
    charge, dim = table.charge, table.dimension
    if sector_charge is not None and charge is not None and charge != sector_charge:
        return csr_matrix((dim, dim), dtype=np.complex128)
    if charge is None:
        out = _full_block(operator, place, dim)
        if sector_charge is not None:
            inside = (table.occupations.sum(axis=1) == sector_charge).astype(np.float64)
            out = out.multiply(inside[:, None]).multiply(inside[None, :]).tocsr()
        out.eliminate_zeros()
        return out
    rows, columns, values = [], [], []
    signs = 1.0 - 2.0 * table.occupations.astype(np.float64)
    # A Pauli string takes |x> to one state times a number: X and Y flip the bit, Y with i (-1)^x, Z with (-1)^x. What
    # lands outside the block is left out.
    for letters, qubits, coefficient in operator.to_sparse_list():
        value = np.full(dim, complex(coefficient))
        flipped: Occupations = table.occupations.copy()
        for letter, qubit in zip(letters, qubits, strict=True):
            i = place[qubit]
            if letter == "X":
                flipped[:, i] ^= 1
            elif letter == "Y":
                flipped[:, i] ^= 1
                value = value * 1j * signs[:, i]
            elif letter == "Z":
                value = value * signs[:, i]
        kept = np.flatnonzero(flipped.sum(axis=1) == charge)
        # P |x> = value(x) |flipped x>
        rows.append(table.rank(flipped[kept]))
        columns.append(kept)
        values.append(value[kept])
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    out = coo_matrix(entries, shape=(dim, dim)).tocsr()
    out.eliminate_zeros()
    return out


def _full_block(operator: SparsePauliOp, place: Mapping[int, int], dim: int) -> csr_matrix:
    # In full space row x is the integer of its bits: a Pauli string takes x to x ^ flip, with (-1)^(bits of x under Y
    # and Z) and i for each Y. Strings with the same flips share their elements.
    states = np.arange(dim)
    elements: dict[int, Complex] = {}
    for letters, qubits, coefficient in operator.to_sparse_list():
        bits = [1 << place[q] for q in qubits]
        flip = sum(bit for bit, letter in zip(bits, letters, strict=True) if letter in "XY")
        turned = sum(bit for bit, letter in zip(bits, letters, strict=True) if letter in "YZ")
        value = complex(coefficient) * 1j ** letters.count("Y")
        odd = np.bitwise_count(states & turned) & 1
        elements.setdefault(flip, np.zeros(dim, dtype=np.complex128))[:] += value * (1.0 - 2.0 * odd)
    rows = np.concatenate([states ^ flip for flip in elements])
    columns = np.tile(states, len(elements))
    return coo_matrix((np.concatenate(list(elements.values())), (rows, columns)), shape=(dim, dim)).tocsr()


def weighted_sum(operators: Sequence[OperatorEntries], weights: Real) -> OperatorEntries:
    """sum_i w_i A_i; terms of weight 0 are left out, elements that several share added up."""
    kept = [(operator, w) for operator, w in zip(operators, weights, strict=True) if w != 0]
    if len(kept) == 1 and kept[0][1] == 1:
        return kept[0][0]
    out: dict[int | None, Entries] = {}
    for q in dict.fromkeys(q for operator, _ in kept for q in operator):
        parts = [(operator[q], w) for operator, w in kept if q in operator]
        rows, columns = (np.concatenate([entries[i] for entries, _ in parts]) for i in (0, 1))
        values = np.concatenate([w * entries[2] for entries, w in parts])
        size = 1 + int(columns.max(initial=0))
        places, where = np.unique(rows * size + columns, return_inverse=True)
        total = np.zeros(places.size, dtype=np.complex128)
        np.add.at(total, where, values)
        out[q] = (places // size, places % size, total)
    return out
