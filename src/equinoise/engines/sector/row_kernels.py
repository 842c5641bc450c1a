"""Compiled kernels for many parameter values of one circuit: unitaries and density matrices, row by row, no Python.

A density matrix in charge blocks is one vector of N = sum D^2 numbers. A block B from the left, rho -> B rho, mixes
elements of one column, from the right, rho -> rho B^dag, elements of one row: both are the same small matrix on lists
of elements, B on the first and its complex conjugate on the second. A noise slot is a sparse matrix on the vector.
"""

from __future__ import annotations

import numpy as np

from equinoise.engines.sector.kernels import PAIR, jit

__all__ = ["block_unitaries", "matrix_rows", "mix"]


@jit
def block_unitaries(theta, kind, vectors, values, constant, term_ptr, term_index, term_value, block_ptr, work, unitary):
    """The blocks' unitaries at theta, shape (nb, d, d); PAIR blocks divided by their entry (0, 0)."""
    # Rotation r is V diag(exp(-i phi v)) V^dag with phi = constant + sum_t term_value theta[term_index]; a block is
    # R_m ... R_1. work[0] holds the rotation, work[1] the product so far, work[2, 0] the phases.
    size = unitary.shape[1]
    for b in range(unitary.shape[0]):
        work[1] = 0.0
        for i in range(size):
            work[1, i, i] = 1.0
        for r in range(block_ptr[b], block_ptr[b + 1]):
            phi = constant[r]
            for t in range(term_ptr[r], term_ptr[r + 1]):
                phi += term_value[t] * theta[term_index[t]]
            for k in range(size):
                work[2, 0, k] = complex(np.cos(phi * values[r, k]), -np.sin(phi * values[r, k]))
            for i in range(size):
                for j in range(size):
                    total = 0.0j
                    for k in range(size):
                        total += vectors[r, i, k] * work[2, 0, k] * np.conj(vectors[r, j, k])
                    work[0, i, j] = total
            for j in range(size):
                for i in range(size):
                    total = 0.0j
                    for k in range(size):
                        total += work[0, i, k] * work[1, k, j]
                    work[2, 1, i] = total
                for i in range(size):
                    work[1, i, j] = work[2, 1, i]
        phase = work[1, 0, 0] if kind[b] == PAIR else complex(1.0, 0.0)
        for i in range(size):
            for j in range(size):
                unitary[b, i, j] = work[1, i, j] / phase


@jit
def mix(state, kind, u, conjugate, table, lo, hi, pair_ptr, one, one_ptr, group, group_ptr):
    """One block, or its complex conjugate, on a vector's rows as :class:`PairTables` lists them."""
    # PAIR: 1 on rows with both qubits empty, which are not listed, a 2x2 matrix on (10, 01), a phase on 11; any other
    # kind is a number of rows that are mixed, all read before the first is written.
    sign = -1.0 if conjugate else 1.0
    if kind == PAIR:
        a = complex(u[1, 1].real, sign * u[1, 1].imag)
        b = complex(u[1, 2].real, sign * u[1, 2].imag)
        c = complex(u[2, 1].real, sign * u[2, 1].imag)
        d = complex(u[2, 2].real, sign * u[2, 2].imag)
        phase = complex(u[3, 3].real, sign * u[3, 3].imag)
        for p in range(pair_ptr[table], pair_ptr[table + 1]):
            x = state[lo[p]]
            y = state[hi[p]]
            state[lo[p]] = a * x + b * y
            state[hi[p]] = c * x + d * y
        for p in range(one_ptr[table], one_ptr[table + 1]):
            state[one[p]] *= phase
    else:
        held = np.empty(kind, np.complex128)
        for p in range(group_ptr[table], group_ptr[table + 1]):
            for j in range(kind):
                held[j] = state[group[j, p]]
            for i in range(kind):
                total = 0.0j
                for j in range(kind):
                    total += complex(u[i, j].real, sign * u[i, j].imag) * held[j]
                state[group[i, p]] = total


@jit
def matrix_rows(thetas, start, kind, table, rotations, layer_ptr, left, right, slot, slots, out):
    """Noisy states after the whole circuit, one row of ``out``, shape (S, N), for each row of ``thetas``, (S, K).

    ``slots`` = (values, columns, row pointers of shape (slots, N + 1)) are the noise as sparse matrices; ``slot[l]`` is
    the one after layer l, -1 for none.
    """
    values, columns, pointers = slots
    size = rotations[0].shape[1]
    unitary = np.empty((kind.shape[0], size, size), np.complex128)
    work = np.empty((3, size, size), np.complex128)
    noisy = np.empty_like(start)
    for r in range(thetas.shape[0]):
        block_unitaries(thetas[r], kind, *rotations, work, unitary)
        state = out[r]
        state[:] = start
        for layer in range(slot.shape[0]):
            for b in range(layer_ptr[layer], layer_ptr[layer + 1]):
                mix(state, kind[b], unitary[b], False, table[b], *left)
                mix(state, kind[b], unitary[b], True, table[b], *right)
            if slot[layer] >= 0:
                row = pointers[slot[layer]]
                for i in range(state.shape[0]):
                    total = 0.0j
                    for e in range(row[i], row[i + 1]):
                        total += values[e] * state[columns[e]]
                    noisy[i] = total
                state[:] = noisy
