"""The symmetries that a circuit has of its own: null spaces of commutators with its generators, and swaps."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.circuit.pauli_sums import Sum, commutator, largest, written
from equinoise.symmetry.groups import Charge, PauliString, Permutation, Symmetry, change, charges, parity, permutation

__all__ = ["own_charges", "own_strings", "own_swaps"]

Real = npt.NDArray[np.float64]


def own_charges(generators: Sequence[Sum], n: int) -> list[Symmetry]:
    """Registers whose charges are conserved separately, and other sums of one-qubit Paulis that commute with all."""
    # Q = sum c_{q,p} P_q commutes with every H iff the linear map c -> i [Q, H] vanishes: the null space of the sum of
    # M^T M over the H. Each letter's charges are the null vectors on its columns alone.
    unknown = [(q, p) for q in range(n) for p in "XYZ"]
    gram = np.zeros((3 * n, 3 * n))
    for generator in generators:
        found: dict[Any, int] = {}
        size = largest(generator) or 1.0  # whether they commute does not depend on an angle's coefficient
        entries: list[tuple[int, int, float]] = []
        for column, unit in enumerate(unknown):
            for string, value in commutator({(unit,): 1.0}, generator).items():
                entries.append((found.setdefault(string, len(found)), column, value / size))
        if entries:
            matrix = np.zeros((len(found), 3 * n))
            for row, column, value in entries:
                matrix[row, column] = value
            gram += matrix.T @ matrix
    values, vectors = np.linalg.eigh(gram)
    null = vectors[:, values < 1e-9 * max(1.0, float(values[-1]))].T
    out: list[Symmetry] = []
    for letter in "ZXY":
        rows = _echelon(_restricted(null, [unknown.index((q, letter)) for q in range(n)], 3 * n), n)
        registers = [tuple(np.flatnonzero(np.abs(row) > 1e-9).tolist()) for row in rows]
        flat = all(np.allclose(row[np.abs(row) > 1e-9], 1.0) for row in rows)
        apart = len(set(itertools.chain(*registers))) == sum(map(len, registers))
        if flat and apart and (not registers or len(registers[0]) == n):
            continue  # none, or the total: the charge, and with the others SU(2)
        if letter == "Z" and flat and apart:
            out.append(charges(n, registers))
            continue
        for row in rows:
            one = Charge(tuple((q, letter, float(row[q])) for q in range(n) if abs(row[q]) > 1e-9))
            out.append(Symmetry(str(one), n, (one,)))
    return out


def _restricted(null: Real, columns: Sequence[int], size: int) -> Real:
    """The vectors of a space that vanish outside some columns, shape (k, len(columns))."""
    outside = [c for c in range(size) if c not in set(columns)]
    if null.shape[0] == 0:
        return np.zeros((0, len(columns)))
    _, singular, right = np.linalg.svd(null[:, outside].T, full_matrices=True)
    rank = int(np.sum(singular > 1e-9))
    return np.asarray(right[rank:] @ null[:, columns])


def _echelon(rows: Real, width: int) -> Real:
    """Reduced row echelon form, zero rows dropped."""
    out = np.array(rows, dtype=np.float64)
    pivot = 0
    for column in range(width):
        if pivot >= len(out):
            break
        best = pivot + int(np.argmax(np.abs(out[pivot:, column])))
        if abs(out[best, column]) < 1e-9:
            continue
        out[[pivot, best]] = out[[best, pivot]]
        out[pivot] /= out[pivot, column]
        for row in range(len(out)):
            if row != pivot:
                out[row] -= out[row, column] * out[pivot]
        pivot += 1
    return out[:pivot]


def own_strings(generators: Sequence[Sum], n: int) -> list[Symmetry]:
    """Independent Pauli strings that commute with every string of the circuit, beyond products of charges' letters."""
    # Strings as bits (x|z) commute iff x.z' + z.x' is even: a linear system over the field of two elements, whose
    # solutions are all strings that commute with every string of the circuit.
    rows = {string for generator in generators for string in generator}
    matrix = np.zeros((len(rows), 2 * n), dtype=np.uint8)
    for row, string in zip(matrix, rows, strict=True):
        for q, p in string:  # (x|z) against (z|x) of the unknown
            row[q] = p in "YZ"
            row[n + q] = p in "XY"
    out = []
    for vector in _null_space_mod_2(matrix):
        letters = tuple((q, "IXZY"[int(vector[q]) + 2 * int(vector[n + q])]) for q in range(n))
        one = PauliString(tuple((q, p) for q, p in letters if p != "I"))
        alike = {p for _, p in one.letters}
        if len(alike) == 1 and len(one.letters) == n:
            out.append(parity(n, alike.pop()))
        else:
            out.append(Symmetry(written(one.letters), n, (one,)))
    return out if len(out) < n else []


def _null_space_mod_2(matrix: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.uint8]]:
    rows = [int("".join(map(str, row[::-1])), 2) for row in matrix.tolist()]
    width = matrix.shape[1]
    # Gauss elimination with rows as integers: each pivot column is cleared in all other rows, so that a free column's
    # null vector can be read off the pivots.
    pivots: dict[int, int] = {}
    for row in rows:
        left = row
        for column, other in pivots.items():
            if left >> column & 1:
                left ^= other
        if left:
            column = left.bit_length() - 1
            pivots = {c: (o ^ left if o >> column & 1 else o) for c, o in pivots.items()}
            pivots[column] = left
    out = []
    for free in range(width):
        if free in pivots:
            continue
        vector = np.zeros(width, dtype=np.uint8)
        vector[free] = 1
        for column, row in pivots.items():
            vector[column] = row >> free & 1
        out.append(vector)
    return out


def own_swaps(generators: Sequence[Sum], n: int) -> list[Symmetry]:
    """Blocks of qubits that any permutation within may exchange."""
    marks: list[tuple[Any, ...]] = []
    for q in range(n):
        near = [
            sorted((tuple(sorted(p for _, p in s)), dict(s)[q], round(v, 9)) for s, v in g.items() if q in dict(s))
            for g in generators
        ]
        marks.append(tuple(map(tuple, near)))
    block = list(range(n))
    for a, b in itertools.combinations(range(n), 2):
        if block[a] != block[b] and marks[a] == marks[b]:
            image = list(range(n))
            image[a], image[b] = b, a
            if not any(change(g, Permutation(tuple(image))) for g in generators):
                old, new = block[b], block[a]
                block = [new if x == old else x for x in block]
    sets = [[q for q in range(n) if block[q] == x] for x in dict.fromkeys(block)]
    sets = [s for s in sets if len(s) > 1]
    if not sets or len(sets[0]) == n:
        return []
    return [permutation(n, sets)]
