"""Compiled kernels of the exact engine: serial, GIL-free, working on tiles that stay in cache.

A state is, per charge block of dimension D, a float64 array of shape (orders, 2, D, D): axis 0 the power of the noise
scale (one order for plain simulation, three for derivatives at s = 0), axis 1 real and imaginary part. All matrices
here are Hermitian. A two-sided product U X U^dag is two passes of "multiply a tile of columns from the left, store the
result as its conjugate transpose": (U (U X)^dag)^dag for Hermitian X.

Blocks come in two kinds: PAIR acts on row pairs (lo, hi) with a 2x2 matrix and on single rows with a phase (the form
of every charge-conserving two-qubit block, up to a global phase, of any one-qubit block in the full space, and of most
pieces of wider blocks); any other kind is a number s of rows that an s x s matrix mixes: QUAD, a two-qubit block in the
full space, and the larger pieces of blocks on three and four qubits.
"""

from __future__ import annotations

import numba as nb
import numpy as np

from equinoise.engines.kernel_cache import checked
from equinoise.reduction.row_tables import PAIR, QUAD

__all__ = [
    "PAIR",
    "QUAD",
    "TILE",
    "backward_half",
    "build_blocks",
    "dagger",
    "jit",
    "multiply_left",
    "multiply_left_tangent",
]

TILE = 16

_njit = nb.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz", "arcp"}, error_model="numpy")


def jit(function):
    """Compiles a kernel when it is first called, once for all processes."""
    return checked(_njit(function))


@jit
def build_blocks(
    theta,
    size,
    vectors,
    values,
    constant,
    term_ptr,
    term_index,
    term_value,
    term_slot,
    block_ptr,
    slot_ptr,
    unitary,
    generator,
):
    """Block unitaries and effective generators G_k = i (dU/dtheta_k) U^dag at theta.

    Rotation r of a block is V diag(exp(-i phi v)) V^dag with phi = constant + sum_t term_value * theta[term_index].
    ``slot_ptr[b]:slot_ptr[b+1]`` are the block's rows of ``generator``; ``term_slot`` says which one a term feeds.
    ``size`` is a tuple of d numbers, d x d the shape of the matrices: its length alone matters, fixed when compiled.
    """
    # A block is U = R_m ... R_1 with R_r = exp(-i phi_r H_r), so i (dU/dtheta) U^dag = sum_r c_r W_r H_r W_r^dag with
    # W_r = R_m ... R_{r+1} and c_r = dphi_r/dtheta. It is built in the order in which rotations act: each new one turns
    # what was gathered (G <- R G R^dag) and adds its own c H, which commutes with R.
    step = np.empty((len(size), len(size)), np.complex128)
    here = np.empty((len(size), len(size)), np.complex128)
    work = np.empty((len(size), len(size)), np.complex128)
    for b in range(unitary.shape[0]):
        u = unitary[b]
        u[:] = 0.0
        for i in range(len(size)):
            u[i, i] = 1.0
        generator[slot_ptr[b] : slot_ptr[b + 1]] = 0.0
        for r in range(block_ptr[b], block_ptr[b + 1]):
            phi = constant[r]
            for t in range(term_ptr[r], term_ptr[r + 1]):
                phi += term_value[t] * theta[term_index[t]]
            for i in range(len(size)):
                for j in range(len(size)):
                    total = 0.0j
                    weight = 0.0j
                    for k in range(len(size)):
                        outer = vectors[r, i, k] * np.conj(vectors[r, j, k])
                        angle = -phi * values[r, k]
                        total += outer * complex(np.cos(angle), np.sin(angle))
                        weight += outer * values[r, k]
                    step[i, j] = total
                    here[i, j] = weight
            # U = R_r ... R_1, so that i (dU) U^dag is R_r G R_r^dag for the G of the rotations before, carried along by
            # R_r, and dphi/dtheta V diag(v) V^dag for the rotation itself, which commutes with its generator
            _matmul(size, step, u, work)
            u[:] = work
            for g in range(slot_ptr[b], slot_ptr[b + 1]):
                _matmul(size, step, generator[g], work)
                _matmul_dagger(size, work, step, generator[g])
            for t in range(term_ptr[r], term_ptr[r + 1]):
                for i in range(len(size)):
                    for j in range(len(size)):
                        generator[term_slot[t], i, j] += term_value[t] * here[i, j]


@jit
def _matmul(size, a, b, out):
    for i in range(len(size)):
        for j in range(len(size)):
            total = 0.0j
            for k in range(len(size)):
                total += a[i, k] * b[k, j]
            out[i, j] = total


@jit
def _matmul_dagger(size, a, b, out):
    for i in range(len(size)):
        for j in range(len(size)):
            total = 0.0j
            for k in range(len(size)):
                total += a[i, k] * np.conj(b[j, k])
            out[i, j] = total


@jit
def _load(src, order, start, stop, re, im):
    # Rows stay whole and columns are cut into tiles: a block of a circuit mixes few rows, the same in every column, so
    # a tile of D x 16 numbers stays in cache while all blocks of a layer act on it.
    for x in range(src.shape[2]):
        for t in range(stop - start):
            re[x, t] = src[order, 0, x, start + t]
            im[x, t] = src[order, 1, x, start + t]


@jit
def _store_dagger(re, im, start, stop, dst, order):
    for t in range(stop - start):
        for x in range(dst.shape[2]):
            dst[order, 0, start + t, x] = re[x, t]
            dst[order, 1, start + t, x] = -im[x, t]


@jit
def _apply(re, im, b, kind, table, lo, hi, pair_ptr, one, one_ptr, group, group_ptr, u):
    """Multiplies the rows of one tile by block b (u: (d, d), its entry (0, 0) scaled to 1 for PAIR)."""
    # Rows in the order 00, 10, 01, 11. Where the charge is conserved a block is 1 on 00, a 2x2 matrix on (10, 01) and a
    # phase on 11; rows with both qubits empty are not touched. Real and imaginary parts are kept apart, so that the
    # loop over the tile's columns is plain arithmetic that the compiler turns into vector instructions.
    if kind[b] == PAIR:
        ar, ai, br, bi = u[1, 1].real, u[1, 1].imag, u[1, 2].real, u[1, 2].imag
        cr, ci, dr, di = u[2, 1].real, u[2, 1].imag, u[2, 2].real, u[2, 2].imag
        for p in range(pair_ptr[table[b]], pair_ptr[table[b] + 1]):
            x = lo[p]
            y = hi[p]
            for t in range(TILE):
                xr, xi, yr, yi = re[x, t], im[x, t], re[y, t], im[y, t]
                re[x, t] = ar * xr - ai * xi + br * yr - bi * yi
                im[x, t] = ar * xi + ai * xr + br * yi + bi * yr
                re[y, t] = cr * xr - ci * xi + dr * yr - di * yi
                im[y, t] = cr * xi + ci * xr + dr * yi + di * yr
        pr, pi = u[3, 3].real, u[3, 3].imag
        for p in range(one_ptr[table[b]], one_ptr[table[b] + 1]):
            x = one[p]
            for t in range(TILE):
                xr, xi = re[x, t], im[x, t]
                re[x, t] = pr * xr - pi * xi
                im[x, t] = pr * xi + pi * xr
    elif kind[b] == QUAD:
        for p in range(group_ptr[table[b]], group_ptr[table[b] + 1]):
            for t in range(TILE):
                z0 = complex(re[group[0, p], t], im[group[0, p], t])
                z1 = complex(re[group[1, p], t], im[group[1, p], t])
                z2 = complex(re[group[2, p], t], im[group[2, p], t])
                z3 = complex(re[group[3, p], t], im[group[3, p], t])
                for i in range(4):
                    z = u[i, 0] * z0 + u[i, 1] * z1 + u[i, 2] * z2 + u[i, 3] * z3
                    re[group[i, p], t] = z.real
                    im[group[i, p], t] = z.imag
    else:
        # any number of rows: all of them are read before the first is written, since each enters all
        held = np.empty(u.shape[0], np.complex128)
        for p in range(group_ptr[table[b]], group_ptr[table[b] + 1]):
            for t in range(TILE):
                for j in range(kind[b]):
                    held[j] = complex(re[group[j, p], t], im[group[j, p], t])
                for i in range(kind[b]):
                    z = 0.0j
                    for j in range(kind[b]):
                        z += u[i, j] * held[j]
                    re[group[i, p], t] = z.real
                    im[group[i, p], t] = z.imag


@jit
def _store(re, im, start, stop, dst, order):
    for x in range(dst.shape[2]):
        for t in range(stop - start):
            dst[order, 0, x, start + t] = re[x, t]
            dst[order, 1, x, start + t] = im[x, t]


@jit
def dagger(state, first, last):
    """Each order's conjugate transpose, in place, tile by tile."""
    # (i, j) and (j, i) are exchanged with the sign of the imaginary part turned. On the diagonal i = j the two lines
    # write the same element, which ends as its conjugate.
    dim = state.shape[2]
    for order in range(first, last):
        for part in range(2):
            sign = 1.0 - 2.0 * part
            matrix = state[order, part]
            for i0 in range(0, dim, TILE):
                for j0 in range(i0, dim, TILE):
                    for i in range(i0, min(i0 + TILE, dim)):
                        for j in range(max(j0, i), min(j0 + TILE, dim)):
                            above = matrix[i, j]
                            matrix[i, j] = sign * matrix[j, i]
                            matrix[j, i] = sign * above


@jit
def multiply_left(src, dst, first, last, flip, kind, table, u, lo, hi, pair_ptr, one, one_ptr, group, group_ptr):
    """Dst = (B_nb ... B_1 src)^dag for the orders first..last-1; blocks in the order given."""
    # Columns do not mix under multiplication from the left. With ``flip`` the tile is stored as its conjugate
    # transpose, so that two such passes make the product on both sides: for Hermitian X the first gives (B X)^dag = X
    # B^dag, the second (B X B^dag)^dag = B X B^dag.
    dim = src.shape[2]
    re = np.zeros((dim, TILE))
    im = np.zeros((dim, TILE))
    for order in range(first, last):
        for start in range(0, dim, TILE):
            stop = min(start + TILE, dim)
            _load(src, order, start, stop, re, im)
            for b in range(kind.shape[0]):
                _apply(re, im, b, kind, table, lo, hi, pair_ptr, one, one_ptr, group, group_ptr, u[b])
            if flip:
                _store_dagger(re, im, start, stop, dst, order)
            else:
                _store(re, im, start, stop, dst, order)


@jit
def multiply_left_tangent(src, dsrc, dst, ddst, kind, table, u, du, lo, hi, pair_ptr, one, one_ptr, group, group_ptr):
    """As multiply_left with ``flip`` on order 0, with its derivative d(BX) = (dB) X + B (dX); ``du`` holds the dB."""
    dim = src.shape[2]
    re = np.zeros((dim, TILE))
    im = np.zeros((dim, TILE))
    tre = np.zeros((dim, TILE))
    tim = np.zeros((dim, TILE))
    for start in range(0, dim, TILE):
        stop = min(start + TILE, dim)
        _load(src, 0, start, stop, re, im)
        _load(dsrc, 0, start, stop, tre, tim)
        # block after block the product rule d(B X) = B dX + dB X, X the tile before the block
        for b in range(kind.shape[0]):
            _apply(tre, tim, b, kind, table, lo, hi, pair_ptr, one, one_ptr, group, group_ptr, u[b])
            _add_tangent(re, im, tre, tim, b, kind, table, lo, hi, pair_ptr, one, one_ptr, group, group_ptr, du[b])
            _apply(re, im, b, kind, table, lo, hi, pair_ptr, one, one_ptr, group, group_ptr, u[b])
        _store_dagger(re, im, start, stop, dst, 0)
        _store_dagger(tre, tim, start, stop, ddst, 0)


@jit
def _add_tangent(re, im, tre, tim, b, kind, table, lo, hi, pair_ptr, one, one_ptr, group, group_ptr, du):
    # d(B X) = (dB) X + B (dX): here (dB) X is added to B (dX), with X as it was before the block. Row 00 adds nothing,
    # since the entry (0, 0) of a PAIR block is held at 1.
    if kind[b] == PAIR:
        for p in range(pair_ptr[table[b]], pair_ptr[table[b] + 1]):
            x = lo[p]
            y = hi[p]
            for t in range(TILE):
                zx = complex(re[x, t], im[x, t])
                zy = complex(re[y, t], im[y, t])
                dx = du[1, 1] * zx + du[1, 2] * zy
                dy = du[2, 1] * zx + du[2, 2] * zy
                tre[x, t] += dx.real
                tim[x, t] += dx.imag
                tre[y, t] += dy.real
                tim[y, t] += dy.imag
        for p in range(one_ptr[table[b]], one_ptr[table[b] + 1]):
            x = one[p]
            for t in range(TILE):
                dx = du[3, 3] * complex(re[x, t], im[x, t])
                tre[x, t] += dx.real
                tim[x, t] += dx.imag
    else:
        for p in range(group_ptr[table[b]], group_ptr[table[b] + 1]):
            for i in range(kind[b]):
                for t in range(TILE):
                    z = 0.0j
                    for j in range(kind[b]):
                        z += du[i, j] * complex(re[group[j, p], t], im[group[j, p], t])
                    tre[group[i, p], t] += z.real
                    tim[group[i, p], t] += z.imag


@jit
def backward_half(
    rho, adj, dst, rho_first, adj_last, flip, kind, table, u, lo, hi, pair_ptr, one, one_ptr, group, group_ptr, moments
):
    """One layer backwards: adds each block's moments to ``moments``; ``dst`` becomes B_1^dag .. B_nb^dag adj (flipped).

    Blocks come last in time first, ``u`` their daggers. With M = rho adj taken after a block, ``moments[m, b]`` (shape
    (orders, nb, d, d), complex) gains the elements M[a, c] traced over the other qubits that a gradient
    2 Im Tr[G M] needs, summed over the orders i + j = m of rho and adj: for PAIR blocks the imaginary parts of the
    diagonal and M[2, 1], M[1, 2]; for others all s x s. rho is zero below order ``rho_first``; adj is not needed
    from ``adj_last`` on.
    """
    # With V the layer's blocks after b, G_b meets M = (V^dag rho V) (V^dag adj V) = (V^dag rho) (V^dag adj)^dag:
    # the inner V V^dag cancels. So both need V^dag from the left only, tile of columns by tile, and M is the sum over
    # tiles of products of columns. What is left of adj is the first half of U^dag adj U; one more pass finishes it.
    orders = rho.shape[0]
    dim = rho.shape[2]
    xr = np.zeros((orders, dim, TILE))
    xi = np.zeros((orders, dim, TILE))
    ar = np.zeros((orders, dim, TILE))
    ai = np.zeros((orders, dim, TILE))
    for start in range(0, dim, TILE):
        stop = min(start + TILE, dim)
        if stop - start < TILE:
            xr[:] = 0.0
            xi[:] = 0.0
        for k in range(rho_first, orders):
            _load(rho, k, start, stop, xr[k], xi[k])
        for k in range(adj_last):
            _load(adj, k, start, stop, ar[k], ai[k])
        for b in range(kind.shape[0]):
            for i in range(rho_first, orders):
                for j in range(min(adj_last, orders - i)):
                    _moments(
                        xr[i],
                        xi[i],
                        ar[j],
                        ai[j],
                        b,
                        kind,
                        table,
                        lo,
                        hi,
                        pair_ptr,
                        one,
                        one_ptr,
                        group,
                        group_ptr,
                        moments[i + j, b],
                    )
            if b + 1 < kind.shape[0]:
                for k in range(rho_first, orders):
                    _apply(xr[k], xi[k], b, kind, table, lo, hi, pair_ptr, one, one_ptr, group, group_ptr, u[b])
            for k in range(adj_last):
                _apply(ar[k], ai[k], b, kind, table, lo, hi, pair_ptr, one, one_ptr, group, group_ptr, u[b])
        for k in range(adj_last):
            if flip:
                _store_dagger(ar[k], ai[k], start, stop, dst, k)
            else:
                _store(ar[k], ai[k], start, stop, dst, k)


@jit
def _moments(xr, xi, ar, ai, b, kind, table, lo, hi, pair_ptr, one, one_ptr, group, group_ptr, out):
    # 2 Im Tr[G M] = 2 sum_a G_aa Im M_aa + 2 Im(G_12 M_21 + conj(G_12) M_12) for the Hermitian G of a PAIR block, with
    # G_00 = 0 by choice of phase: it needs Im M_aa, Im(M_21 + M_12) and Re(M_21 - M_12), and nothing else of M
    if kind[b] == PAIR:
        d1 = 0.0
        d2 = 0.0
        s = 0.0
        r = 0.0
        for p in range(pair_ptr[table[b]], pair_ptr[table[b] + 1]):
            x = lo[p]
            y = hi[p]
            for t in range(TILE):
                # M[a, c] = sum_j rho[a, j] conj(adj[c, j]); only the combinations that G's Hermiticity leaves
                d1 += xi[x, t] * ar[x, t] - xr[x, t] * ai[x, t]
                d2 += xi[y, t] * ar[y, t] - xr[y, t] * ai[y, t]
                s += xi[y, t] * ar[x, t] - xr[y, t] * ai[x, t] + xi[x, t] * ar[y, t] - xr[x, t] * ai[y, t]
                r += xr[y, t] * ar[x, t] + xi[y, t] * ai[x, t] - xr[x, t] * ar[y, t] - xi[x, t] * ai[y, t]
        d3 = 0.0
        for p in range(one_ptr[table[b]], one_ptr[table[b] + 1]):
            x = one[p]
            for t in range(TILE):
                d3 += xi[x, t] * ar[x, t] - xr[x, t] * ai[x, t]
        out[1, 1] += complex(0.0, d1)
        out[2, 2] += complex(0.0, d2)
        out[3, 3] += complex(0.0, d3)
        # any split of s and r over M21, M12 with Im(M21 + M12) = s and Re(M21 - M12) = r serves
        out[2, 1] += complex(r, s)
    else:
        for i in range(kind[b]):
            for j in range(kind[b]):
                total = 0.0j
                for p in range(group_ptr[table[b]], group_ptr[table[b] + 1]):
                    x = group[i, p]
                    y = group[j, p]
                    for t in range(TILE):
                        total += complex(xr[x, t], xi[x, t]) * complex(ar[y, t], -ai[y, t])
                out[i, j] += total
