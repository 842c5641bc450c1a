r"""Compiled kernels of local noise on blocks of total spin: serial, GIL-free, on flat arrays of shape (orders, size).

Element (k, x, y) of :class:`SpinBlocks` is <J, M| X |J, M'> with J = n/2 - k, M = n/2 - x, M' = n/2 - y. A sum over
qubits sum_i sigma_i X sigma_i^dag, sigma one of Z, |0><1|, |1><0|, takes it to k (J as it is), k + 1 (J - 1) and k - 1
(J + 1) with x and y moved alike, at coefficients that are products of a number for x and one for y, all given by
Chase and Geremia, arXiv:0805.2911
"""

from __future__ import annotations

import numpy as np

from equinoise.engines.sector.kernels import jit

__all__ = ["dephase", "phase", "power_series", "sandwich", "times_table", "turn"]


@jit
def sandwich(source, target, factor, tables, move, offsets, adjoint):
    """Adds factor * sum_i sigma_i X sigma_i^dag to ``target``, or of the adjoint map (Heisenberg picture).

    ``source`` and ``target`` are complex arrays seen as real ones, shape (orders, 2 size).
    """
    # One dense strip for each pair of blocks: rows and columns x, y for which (x, y) is in block k and (x + move, y +
    # move) in the other. The coefficient is a product of one number for x and one for y, so the inner loop scales a row
    # by c and by ``twice``, where each number stands for the real and the imaginary part. The adjoint exchanges source
    # and target with the same real coefficients.
    blocks = offsets.size - 1
    # sigma_i^2 = 0, so a product of more than n of the sandwiches vanishes and the series ends. Every power is a
    # positive map with a positive factor: terms of a state do not cancel, and small ones keep their relative accuracy.
    n = tables.shape[2] - 1
    twice = np.empty(2 * n + 2)
    for t in range(3):
        shift = t if t < 2 else -1
        for k in range(blocks):
            other = k + shift
            if other < 0 or other >= blocks:
                continue
            dim, wide = n - 2 * k + 1, n - 2 * other + 1
            low = max(k, other - move)
            count = 2 * (min(n - k, n - other - move) - low + 1)
            for y in range(count // 2):
                twice[2 * y] = tables[t, k, low + y]
                twice[2 * y + 1] = tables[t, k, low + y]
            for order in range(source.shape[0]):
                for x in range(low, low + count // 2):
                    here = 2 * (offsets[k] + (x - k) * dim + low - k)
                    there = 2 * (offsets[other] + (x + move - other) * wide + low + move - other)
                    c = factor * tables[t, k, x]
                    if adjoint:
                        a, b = target[order, here : here + count], source[order, there : there + count]
                    else:
                        a, b = target[order, there : there + count], source[order, here : here + count]
                    for y in range(count):
                        a[y] += c * twice[y] * b[y]


@jit
def power_series(state, factor, tables, move, offsets, adjoint):
    """exp(factor L) X for L = sum_i sigma_i . sigma_i^dag with sigma^2 = 0, in place: at most n powers, all positive.

    ``state`` is a complex array seen as a real one, shape (orders, 2 size).
    """
    n = tables.shape[2] - 1
    term = state.copy()
    total = np.sum(np.abs(state))
    for power in range(1, n + 1):
        following = np.zeros_like(term)
        sandwich(term, following, factor / power, tables, move, offsets, adjoint)
        term = following
        state += term
        if np.sum(np.abs(term)) <= 1e-20 * total:
            break


@jit
def times_table(state, table, offsets):
    """Multiplies element (k, x, y) by table[x, y], in place."""
    n = table.shape[0] - 1
    for order in range(state.shape[0]):
        for k in range(offsets.size - 1):
            dim = n - 2 * k + 1
            for x in range(k, n - k + 1):
                here = offsets[k] + (x - k) * dim - k
                for y in range(k, n - k + 1):
                    state[order, here + y] *= table[x, y]


@jit
def dephase(state, matrices, places, table, offsets, adjoint):
    """Mixes the blocks at each (x, y) by a matrix, from ``places[x, y]`` on, times table[x, y]; in place."""
    n = table.shape[0] - 1
    # Dephasing keeps x and y and mixes J: at fixed (x, y) the blocks k = 0 ... min(x, n - x, y, n - y) hold one element
    # each, and the channel is one small matrix on them. The adjoint takes its transpose.
    mixed = np.empty(n // 2 + 1, np.complex128)
    for order in range(state.shape[0]):
        for x in range(n + 1):
            for y in range(n + 1):
                count = min(x, n - x, y, n - y) + 1
                place = places[x, y]
                for row in range(count):
                    total = 0j
                    for k in range(count):
                        at = place + (k * count + row if adjoint else row * count + k)
                        total += matrices[at] * state[order, offsets[k] + (x - k) * (n - 2 * k + 1) + y - k]
                    mixed[row] = total
                for row in range(count):
                    at = offsets[row] + (x - row) * (n - 2 * row + 1) + y - row
                    state[order, at] = table[x, y] * mixed[row]


@jit
def phase(state, phases, offsets, starts):
    """Multiplies element (i, j) of each block by p_i conj(p_j), in place; the blocks' p lie one after the other."""
    for order in range(state.shape[0]):
        for k in range(offsets.size - 1):
            dim = starts[k + 1] - starts[k]
            p = phases[starts[k] : starts[k + 1]]
            block = state[order, offsets[k] : offsets[k + 1]].reshape(dim, dim)
            for i in range(dim):
                for j in range(dim):
                    block[i, j] *= p[i] * np.conj(p[j])


@jit
def turn(state, out, left, right, before, after, offsets, starts):
    """L (b^dag X b) R per block, times a_i conj(a_j); b = ``before`` and a = ``after`` are diagonal phases.

    Args:
        state: Shape (orders, size).
        out: Likewise.
        left: L of all blocks, real and imaginary part, shape (2, size), or (1, size) if real.
        right: R likewise.
        before: Shape (sum of dimensions,).
        after: Likewise.
        offsets: Where a block's elements start.
        starts: Where its rows start among all rows.
    """
    # The first block, J = n/2, is the largest. Products are of separate real and imaginary planes, since L and R are
    # often real: then two real products instead of four.
    largest = starts[1]
    planes = np.empty((2, largest * largest))
    half = np.empty((2, largest * largest))
    whole = np.empty((2, largest * largest))
    for order in range(state.shape[0]):
        for k in range(offsets.size - 1):
            dim = starts[k + 1] - starts[k]
            here = slice(offsets[k], offsets[k + 1])
            x = state[order, here].reshape(dim, dim)
            y = out[order, here].reshape(dim, dim)
            b, a = before[starts[k] : starts[k + 1]], after[starts[k] : starts[k + 1]]
            split = planes[:, : dim * dim]
            for i in range(dim):
                for j in range(dim):
                    value = np.conj(b[i]) * x[i, j] * b[j]
                    split[0, i * dim + j] = value.real
                    split[1, i * dim + j] = value.imag
            one, two = half[:, : dim * dim], whole[:, : dim * dim]
            one[:] = 0.0
            two[:] = 0.0
            for part in range(2):
                _add_product(left[0, here], split[part], one[part], dim, 1.0)
                if left.shape[0] == 2:
                    _add_product(left[1, here], split[1 - part], one[part], dim, 2.0 * part - 1.0)
            for part in range(2):
                _add_product(one[part], right[0, here], two[part], dim, 1.0)
                if right.shape[0] == 2:
                    _add_product(one[1 - part], right[1, here], two[part], dim, 2.0 * part - 1.0)
            for i in range(dim):
                for j in range(dim):
                    y[i, j] = a[i] * np.conj(a[j]) * complex(two[0, i * dim + j], two[1, i * dim + j])


@jit
def _add_product(a, b, target, dim, sign):
    """Adds sign * A B, all flat; four rows of B at a time. Not BLAS, whose threads would fight the draws."""
    for i in range(dim):
        row = target[i * dim : (i + 1) * dim]
        k = 0
        while k + 4 <= dim:
            c0, c1 = sign * a[i * dim + k], sign * a[i * dim + k + 1]
            c2, c3 = sign * a[i * dim + k + 2], sign * a[i * dim + k + 3]
            b0, b1 = b[k * dim : (k + 1) * dim], b[(k + 1) * dim : (k + 2) * dim]
            b2, b3 = b[(k + 2) * dim : (k + 3) * dim], b[(k + 3) * dim : (k + 4) * dim]
            for j in range(dim):
                row[j] += c0 * b0[j] + c1 * b1[j] + c2 * b2[j] + c3 * b3[j]
            k += 4
        while k < dim:
            c = sign * a[i * dim + k]
            last = b[k * dim : (k + 1) * dim]
            for j in range(dim):
                row[j] += c * last[j]
            k += 1
