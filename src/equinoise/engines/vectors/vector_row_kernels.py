"""Compiled kernels on single state vectors: many parameter values in a sector, and blocks of any kind in full space.

In the full space of w qubits row x holds the state whose bit q is qubit q. A block on the qubits a < b acts on the four
rows of each rest, found by shifting the rest's bits apart: no tables, so that 20 qubits fit.
"""

from __future__ import annotations

import numpy as np

from equinoise.engines.sector.kernels import jit
from equinoise.engines.sector.row_kernels import block_unitaries, mix

__all__ = ["full_rows", "pull_back_full", "sector_rows"]


@jit
def sector_rows(thetas, start, kind, table, rotations, rows, out):
    """States after the whole circuit by row tables: a row of ``out``, shape (S, D), for each row of thetas."""
    size = rotations[0].shape[1]
    unitary = np.empty((kind.shape[0], size, size), np.complex128)
    work = np.empty((3, size, size), np.complex128)
    for r in range(thetas.shape[0]):
        block_unitaries(thetas[r], kind, *rotations, work, unitary)
        out[r] = start
        for b in range(kind.shape[0]):
            mix(out[r], kind[b], unitary[b], False, table[b], *rows)


@jit
def full_rows(thetas, start, kind, first, second, rotations, out):
    """As sector_rows in the full space; block b acts on the qubits first[b] < second[b] (-1: on the first alone)."""
    unitary = np.empty((kind.shape[0], 4, 4), np.complex128)
    work = np.empty((3, 4, 4), np.complex128)
    for r in range(thetas.shape[0]):
        block_unitaries(thetas[r], kind, *rotations, work, unitary)
        out[r] = start
        for b in range(kind.shape[0]):
            _act(out[r], unitary[b], first[b], second[b])


@jit
def _act(state, u, a, b):
    """A block on the rows of the full space; a one-qubit block stands on the entries 1 and 2 of its 4x4 form."""
    if b < 0:
        for rest in range(state.shape[0] >> 1):
            x = _spread(rest, a)
            y = x + (1 << a)
            zx, zy = state[x], state[y]
            state[x] = u[1, 1] * zx + u[1, 2] * zy
            state[y] = u[2, 1] * zx + u[2, 2] * zy
        return
    for rest in range(state.shape[0] >> 2):
        x0 = _spread(_spread(rest, a), b)
        x1, x2 = x0 + (1 << a), x0 + (1 << b)
        x3 = x1 + (1 << b)
        z0, z1, z2, z3 = state[x0], state[x1], state[x2], state[x3]
        state[x0] = u[0, 0] * z0 + u[0, 1] * z1 + u[0, 2] * z2 + u[0, 3] * z3
        state[x1] = u[1, 0] * z0 + u[1, 1] * z1 + u[1, 2] * z2 + u[1, 3] * z3
        state[x2] = u[2, 0] * z0 + u[2, 1] * z1 + u[2, 2] * z2 + u[2, 3] * z3
        state[x3] = u[3, 0] * z0 + u[3, 1] * z1 + u[3, 2] * z2 + u[3, 3] * z3


@jit
def _spread(rest, q):
    """Inserts an empty bit at place q."""
    low = rest & ((1 << q) - 1)
    return ((rest - low) << 1) + low


@jit
def pull_back_full(psi, adjoint, first, second, dagger, moments):
    """All blocks backwards in the full space: adds each one's moments M, then undoes it on both vectors.

    Blocks come last in time first, ``dagger`` their adjoints; ``moments[b]``, shape (4, 4), gains M[a, c] = sum over
    the other qubits of psi_a conj(adjoint_c).
    """
    # C = <psi| O |psi> and dpsi = -i G psi give dC = 2 Im <lambda| G |psi> = 2 Im Tr[G M], with lambda = O psi pulled
    # back to just after the block; a one-qubit block has its two rows at the entries 1 and 2.
    for step in range(first.shape[0]):
        a, b = first[step], second[step]
        m = moments[step]
        if b < 0:
            for rest in range(psi.shape[0] >> 1):
                x = _spread(rest, a)
                for i in range(2):
                    for j in range(2):
                        m[1 + i, 1 + j] += psi[x + (i << a)] * np.conj(adjoint[x + (j << a)])
        else:
            for rest in range(psi.shape[0] >> 2):
                x = _spread(_spread(rest, a), b)
                for i in range(4):
                    z = psi[x + ((i & 1) << a) + ((i >> 1) << b)]
                    for j in range(4):
                        m[i, j] += z * np.conj(adjoint[x + ((j & 1) << a) + ((j >> 1) << b)])
        _act(psi, dagger[step], a, b)
        _act(adjoint, dagger[step], a, b)
