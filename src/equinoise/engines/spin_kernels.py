r"""Compiled kernels of local noise on blocks of total spin: serial, GIL-free, on flat arrays of shape (orders, size).

Element (k, x, y) of :class:`SpinBlocks` is <J, M| X |J, M'> with J = n/2 - k, M = n/2 - x, M' = n/2 - y. A sum over
qubits sum_i sigma_i X sigma_i^dag, sigma one of Z, |0><1|, |1><0|, takes it to k (J as it is), k + 1 (J - 1) and k - 1
(J + 1) with x and y moved alike, at coefficients that are products of a number for x and one for y, all given by
Chase and Geremia, arXiv:0805.2911, eq. (19) ff.
"""

from __future__ import annotations

import numpy as np

from equinoise.engines.kernels import jit

__all__ = ["dephase", "dephasing_tables", "power_series", "sandwich", "sandwich_tables", "times_table"]

# powers of s ||G|| <= 1 in exp(G): 1/20! is below rounding
TAYLOR_ORDERS = 20


def sandwich_tables(num_qubits: int, move: int):
    """Coefficients of sum_i sigma_i X sigma_i^dag per target block (k, k + 1, k - 1), k and x: shape (3, blocks, n + 1).

    Args:
        num_qubits: n.
        move: What sigma adds to x: 0 for Z, -1 for |0><1|, 1 for |1><0|.
    """
    n = num_qubits
    out = np.zeros((3, n // 2 + 1, n + 1))
    for k in range(n // 2 + 1):
        j = n / 2 - k
        x = np.arange(k, n - k + 1)
        m = (n / 2 - x) * (-move or 1)  # the formulas of the two ladders are mirror images
        if move == 0:
            stay, lower, higher = 4 * m**2, 4 * (j**2 - m**2), 4 * ((j + 1) ** 2 - m**2)
        else:
            stay = (j - m) * (j + m + 1)
            lower, higher = (j - m) * (j - m - 1), (j + m + 1) * (j + m + 2)
        if j > 0:
            out[0, k, x] = np.sqrt(stay * (n / 2 + 1) / (2 * j * (j + 1))) * (np.sign(m) if move == 0 else 1.0)
        if j >= 1:
            out[1, k, x] = np.sqrt(np.maximum(lower, 0.0) * (n / 2 + j + 1) / (2 * j * (2 * j + 1)))
        if k > 0:
            out[2, k, x] = np.sqrt(higher * k / (2 * (j + 1) * (2 * j + 1)))
    return out


@jit
def sandwich(source, target, factor, tables, move, offsets, adjoint):
    """Adds factor * sum_i sigma_i X sigma_i^dag to ``target``, or of the adjoint map (Heisenberg picture)."""
    blocks = offsets.size - 1
    n = tables.shape[2] - 1
    for t in range(3):
        shift = t if t < 2 else -1
        for k in range(blocks):
            other = k + shift
            if other < 0 or other >= blocks:
                continue
            dim, wide = n - 2 * k + 1, n - 2 * other + 1
            low = max(k, other - move)
            high = min(n - k, n - other - move)
            for order in range(source.shape[0]):
                for x in range(low, high + 1):
                    here = offsets[k] + (x - k) * dim - k
                    there = offsets[other] + (x + move - other) * wide + move - other
                    c = factor * tables[t, k, x]
                    if adjoint:
                        for y in range(low, high + 1):
                            target[order, here + y] += c * tables[t, k, y] * source[order, there + y]
                    else:
                        for y in range(low, high + 1):
                            target[order, there + y] += c * tables[t, k, y] * source[order, here + y]


@jit
def power_series(state, factor, tables, move, offsets, adjoint):
    """exp(factor L) X for L = sum_i sigma_i . sigma_i^dag with sigma^2 = 0, in place: at most n powers, all positive."""
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
    mixed = np.empty(n // 2 + 1, np.complex128)
    for order in range(state.shape[0]):
        for x in range(n + 1):
            for y in range(n + 1):
                count = min(min(x, n - x), min(y, n - y)) + 1
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
def dephasing_tables(tables, linear, square, lowest):
    """exp(linear (S - n) + square (S^2 - n^2)/2 + lowest) for S = sum_i Z_i . Z_i, at each (x, y).

    All elements of S - n off the diagonal are >= 0: scaling, a shift that makes the diagonal so too, a power series
    and squarings add no terms of opposite sign (for ``square`` = 0), so tiny elements are as precise as large ones.

    Args:
        tables: Of the sandwich with Z.
        linear: Rate times scale of Z on each qubit.
        square: Of Z Z on each pair.
        lowest: What is added to the exponent, shape (n + 1, n + 1).

    Returns:
        The matrices one after the other, and where that of (x, y) starts; those of mirror images are shared.
    """
    n = tables.shape[2] - 1
    places = np.zeros((n + 1, n + 1), np.int64)
    size = 0
    for x in range(n // 2 + 1):
        for y in range(x, n - x + 1):
            places[x, y] = size
            size += (x + 1) ** 2
    for x in range(n + 1):
        for y in range(n + 1):
            a, b = x, y
            if abs(n - 2 * a) < abs(n - 2 * b):
                a, b = b, a
            if 2 * a > n:
                a, b = n - a, n - b
            places[x, y] = places[a, b]
    out = np.empty(size)
    for x in range(n // 2 + 1):
        count = x + 1
        for y in range(x, n - x + 1):
            s = np.zeros((count, count))
            for k in range(count):
                s[k, k] = tables[0, k, x] * tables[0, k, y]
                if k + 1 < count:
                    s[k + 1, k] = tables[1, k, x] * tables[1, k, y]
                    s[k, k + 1] = tables[2, k + 1, x] * tables[2, k + 1, y]
            g = linear * s
            if square != 0:
                g += square / 2 * _product(s, s)
            constant = lowest[x, y] - linear * n - square * n * n / 2
            least = 0.0
            for k in range(count):
                g[k, k] += constant
                least = min(least, g[k, k])
            for k in range(count):
                g[k, k] -= least
            norm = 0.0
            for k in range(count):
                norm = max(norm, np.sum(np.abs(g[:, k])))
            halvings = 0
            while norm > 1.0:
                norm /= 2
                halvings += 1
            g *= 0.5**halvings
            total = np.zeros((count, count))
            for k in range(count):
                total[k, k] = 1.0
            term = total.copy()
            for power in range(1, TAYLOR_ORDERS + 1):
                term = _product(term, g) / power
                total += term
            total *= np.exp(least * 0.5**halvings)
            for _ in range(halvings):
                total = _product(total, total)
            start = places[x, y]
            for k in range(count):
                for l in range(count):
                    out[start + k * count + l] = total[k, l]
    return out, places


@jit
def _product(a, b):
    # not BLAS, which would start threads for large matrices
    size = a.shape[0]
    out = np.zeros((size, size))
    for i in range(size):
        for k in range(size):
            if a[i, k] != 0:
                for j in range(size):
                    out[i, j] += a[i, k] * b[k, j]
    return out
