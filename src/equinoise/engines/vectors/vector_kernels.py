"""Compiled kernels on state vectors of one charge sector: serial, GIL-free.

A state is a complex array of shape (D, J): one row per basis state, its J columns side by side in memory so that a
block's row pair is found once for all of them. Columns are independent states, or the Taylor coefficients of one state
in small parameters ("jets"): with a tangent direction delta, the first half of the columns is the value and the second
half the coefficient of delta. ``columns`` is a tuple of J numbers whose length alone matters: it fixes J when a kernel
is compiled. Blocks are of kind PAIR, scaled so that their entry (0, 0) is 1, or mix as many rows as their kind says
(see :mod:`equinoise.engines.sector.kernels`).
"""

from __future__ import annotations

import numpy as np

from equinoise.engines.sector.kernels import PAIR, jit

__all__ = [
    "add_local",
    "add_string",
    "conjugate_transpose",
    "factors",
    "linear_sums",
    "linear_values",
    "local_moments",
    "multiply",
    "multiply_components",
    "multiply_tangent",
    "overlap",
    "phase_jet",
    "phase_moments",
    "population",
    "pull_back",
    "scale_rows",
    "string_moment",
    "value_moments",
]


@jit
def _multiply_group(state, count, first, size, u, group, start, stop):
    """Rows group[:size, p] of columns first .. first + count - 1 become u times themselves, for each p."""
    # all rows of a group are read before the first is written, since each enters all
    held = np.empty(u.shape[0], np.complex128)
    for p in range(start, stop):
        for t in range(first, first + count):
            for j in range(size):
                held[j] = state[group[j, p], t]
            for i in range(size):
                z = 0.0j
                for j in range(size):
                    z += u[i, j] * held[j]
                state[group[i, p], t] = z


@jit
def _add_group(state, half, size, du, group, start, stop):
    """The product rule's dB X: columns half + t gain du times the columns t, which are still those before the block."""
    for p in range(start, stop):
        for t in range(half):
            for i in range(size):
                z = 0.0j
                for j in range(size):
                    z += du[i, j] * state[group[j, p], t]
                state[group[i, p], half + t] += z


@jit
def _group_moments(state, size, group, start, stop, out):
    """out[a, c] gains the sum over p of psi_a conj(lambda_c), psi and lambda the columns 0 and 1."""
    for a in range(size):
        for c in range(size):
            total = 0.0j
            for p in range(start, stop):
                total += state[group[a, p], 0] * np.conj(state[group[c, p], 1])
            out[a, c] += total


@jit
def multiply(state, columns, kind, table, u, lo, hi, pair_ptr, one, one_ptr, group, group_ptr):
    """State <- B_nb ... B_1 state, column by column; blocks in the order given, u of shape (nb, d, d)."""
    # A block is 1 on 00, a 2x2 matrix on (10, 01) and a phase on 11 (see equinoise.engines.sector.kernels), so a state
    # is updated in place, row pair by row pair; rows with both qubits empty are not touched.
    for b in range(table.shape[0]):
        if kind[b] != PAIR:
            _multiply_group(state, len(columns), 0, kind[b], u[b], group, group_ptr[table[b]], group_ptr[table[b] + 1])
            continue
        a11, a12, a21, a22, phase = u[b, 1, 1], u[b, 1, 2], u[b, 2, 1], u[b, 2, 2], u[b, 3, 3]
        for p in range(pair_ptr[table[b]], pair_ptr[table[b] + 1]):
            x = lo[p]
            y = hi[p]
            for t in range(len(columns)):
                zx = state[x, t]
                zy = state[y, t]
                state[x, t] = a11 * zx + a12 * zy
                state[y, t] = a21 * zx + a22 * zy
        for p in range(one_ptr[table[b]], one_ptr[table[b] + 1]):
            x = one[p]
            for t in range(len(columns)):
                state[x, t] *= phase


@jit
def multiply_tangent(state, columns, kind, table, u, du, lo, hi, pair_ptr, one, one_ptr, group, group_ptr):
    """As multiply for jets in one direction: (X, dX) <- (B X, B dX + dB X); du holds the dB."""
    # B + delta dB acts on X + delta dX: to first order in delta the value is B X and the coefficient B dX + dB X. The
    # old X is read before it is overwritten.
    half = len(columns) // 2
    for b in range(table.shape[0]):
        if kind[b] != PAIR:
            start, stop = group_ptr[table[b]], group_ptr[table[b] + 1]
            _multiply_group(state, half, half, kind[b], u[b], group, start, stop)
            _add_group(state, half, kind[b], du[b], group, start, stop)
            _multiply_group(state, half, 0, kind[b], u[b], group, start, stop)
            continue
        a11, a12, a21, a22, phase = u[b, 1, 1], u[b, 1, 2], u[b, 2, 1], u[b, 2, 2], u[b, 3, 3]
        d11, d12, d21, d22, dphase = du[b, 1, 1], du[b, 1, 2], du[b, 2, 1], du[b, 2, 2], du[b, 3, 3]
        for p in range(pair_ptr[table[b]], pair_ptr[table[b] + 1]):
            x = lo[p]
            y = hi[p]
            for t in range(len(columns) // 2):
                zx = state[x, t]
                zy = state[y, t]
                wx = state[x, half + t]
                wy = state[y, half + t]
                state[x, t] = a11 * zx + a12 * zy
                state[y, t] = a21 * zx + a22 * zy
                state[x, half + t] = a11 * wx + a12 * wy + d11 * zx + d12 * zy
                state[y, half + t] = a21 * wx + a22 * wy + d21 * zx + d22 * zy
        for p in range(one_ptr[table[b]], one_ptr[table[b] + 1]):
            x = one[p]
            for t in range(len(columns) // 2):
                z = state[x, t]
                state[x, t] = phase * z
                state[x, half + t] = phase * state[x, half + t] + dphase * z


@jit
def pull_back(state, kind, table, u, lo, hi, pair_ptr, one, one_ptr, group, group_ptr, moments):
    """One layer backwards for the columns (psi, lambda): adds each block's moments, then multiplies both by u.

    Blocks come last in time first, ``u`` their adjoints. With M[a, c] the sum over the other qubits of
    psi_a conj(lambda_c), taken after a block, ``moments[b]`` (shape (nb, d, d)) gains what 2 Im Tr[G M] needs: of
    PAIR blocks the imaginary parts of the diagonal, and M[2, 1] and M[1, 2]; of others all of M.
    """
    # C = <psi| O |psi> and dpsi = -i G psi give dC = 2 Im <lambda| G |psi>, lambda = O psi pulled back to just after
    # the block. Moments come first, then the block is undone on both, so that no state on the way is kept. Rows with
    # both qubits empty have G = 0 and are left out.
    for b in range(table.shape[0]):
        if kind[b] != PAIR:
            start, stop = group_ptr[table[b]], group_ptr[table[b] + 1]
            _group_moments(state, kind[b], group, start, stop, moments[b])
            _multiply_group(state, 2, 0, kind[b], u[b], group, start, stop)
            continue
        a11, a12, a21, a22, phase = u[b, 1, 1], u[b, 1, 2], u[b, 2, 1], u[b, 2, 2], u[b, 3, 3]
        m11 = 0.0
        m22 = 0.0
        m33 = 0.0
        m21 = 0.0j
        m12 = 0.0j
        for p in range(pair_ptr[table[b]], pair_ptr[table[b] + 1]):
            x = lo[p]
            y = hi[p]
            zx = state[x, 0]
            zy = state[y, 0]
            wx = state[x, 1]
            wy = state[y, 1]
            m11 += zx.imag * wx.real - zx.real * wx.imag
            m22 += zy.imag * wy.real - zy.real * wy.imag
            m21 += zy * np.conj(wx)
            m12 += zx * np.conj(wy)
            state[x, 0] = a11 * zx + a12 * zy
            state[y, 0] = a21 * zx + a22 * zy
            state[x, 1] = a11 * wx + a12 * wy
            state[y, 1] = a21 * wx + a22 * wy
        for p in range(one_ptr[table[b]], one_ptr[table[b] + 1]):
            x = one[p]
            z = state[x, 0]
            w = state[x, 1]
            m33 += z.imag * w.real - z.real * w.imag
            state[x, 0] = phase * z
            state[x, 1] = phase * w
        moments[b, 1, 1] += complex(0.0, m11)
        moments[b, 2, 2] += complex(0.0, m22)
        moments[b, 3, 3] += complex(0.0, m33)
        moments[b, 2, 1] += m21
        moments[b, 1, 2] += m12


@jit
def linear_values(packed, lookup, out):
    """out[x] = sum_c lookup[c, packed[x, c]]: a sum over qubits, eight at a time."""
    # A sum over w qubits splits into bytes of eight: the sum within a byte takes one of 256 values, looked up. So each
    # basis state costs w/8 additions instead of w.
    for x in range(packed.shape[0]):
        total = 0.0
        for c in range(packed.shape[1]):
            total += lookup[c, packed[x, c]]
        out[x] = total


@jit
def factors(packed, lookup, out):
    """out[x] = prod_c lookup[c, packed[x, c]]: a complex product over qubits, eight at a time."""
    for x in range(packed.shape[0]):
        total = lookup[0, packed[x, 0]]
        for c in range(1, packed.shape[1]):
            total *= lookup[c, packed[x, c]]
        out[x] = total


@jit
def linear_sums(packed, weight, histogram):
    """histogram[c, packed[x, c]] += weight[x]."""
    # The transpose of linear_values: weights are gathered by byte value first, and the sum over signs is a product of
    # the histogram with 256 x 8 signs for all qubits at once.
    for x in range(packed.shape[0]):
        for c in range(packed.shape[1]):
            histogram[c, packed[x, c]] += weight[x]


@jit
def scale_rows(state, columns, factor):
    """Every row of a state times its factor, complex, shape (D,)."""
    for x in range(state.shape[0]):
        for t in range(len(columns)):
            state[x, t] *= factor[x]


@jit
def phase_jet(state, phi, sign):
    """Exp(-i sign epsilon phi) to first order in epsilon on the columns (1, epsilon, delta, epsilon delta)."""
    # Only the first order in epsilon is carried. The second derivative at epsilon = 0 comes from pairing it with a
    # first derivative by each phase, taken exactly on the way back (phase_moments).
    for x in range(state.shape[0]):
        step = complex(0.0, -sign * phi[x])
        state[x, 1] += step * state[x, 0]
        state[x, 3] += step * state[x, 2]


@jit
def phase_moments(psi, adjoint, out):
    """out[x] = Im conj(adjoint) psi to first order in epsilon delta; jets (1, epsilon, delta, epsilon delta)."""
    # dC/dalpha = 2 Im <lambda| phi |psi> for a phase exp(-i alpha phi) in front of lambda; the coefficient of epsilon
    # delta of conj(lambda) psi collects the four products of columns that have one epsilon and one delta. The factor 2
    # cancels against the 1/2 of (1/2) d^2/d epsilon^2.
    for x in range(psi.shape[0]):
        z = np.conj(adjoint[x, 3]) * psi[x, 0] + np.conj(adjoint[x, 1]) * psi[x, 2]
        z += np.conj(adjoint[x, 2]) * psi[x, 1] + np.conj(adjoint[x, 0]) * psi[x, 3]
        out[x] = z.imag


@jit
def value_moments(psi, adjoint, out):
    """out[x] = Re of the delta coefficient of conj(adjoint) psi, for jets (1, epsilon, delta, epsilon delta)."""
    for x in range(psi.shape[0]):
        z = np.conj(adjoint[x, 2]) * psi[x, 0] + np.conj(adjoint[x, 0]) * psi[x, 2]
        out[x] = z.real


@jit
def add_local(target, into, source, columns, rows, to, of, matrix):
    """target[rows[to[a]], into[t]] += sum_b matrix[a, b] source[rows[of[b]], columns[t]]: an operator on few qubits."""
    # ``rows`` holds the local states of every rest of the other qubits; a Pauli string has one element per row, so that
    # elements that are 0 are skipped before the rests are walked through.
    for a in range(to.shape[0]):
        for b in range(of.shape[0]):
            factor = matrix[a, b]
            if factor == 0.0:
                continue
            for p in range(rows.shape[1]):
                x = rows[to[a], p]
                y = rows[of[b], p]
                for t in range(len(columns)):
                    target[x, into[t]] += factor * source[y, columns[t]]


@jit
def local_moments(adjoint, left, psi, right, rows, to, of, wanted, out):
    """out[a, b] += sum over rests and j of conj(adjoint[rows[to[a]], left[j]]) psi[rows[of[b]], right[j]]."""
    # Contracted with a local operator K it is <adjoint| K |psi>, for any K at once; elements that are not wanted, those
    # where K is 0, are left out.
    for a in range(to.shape[0]):
        for b in range(of.shape[0]):
            if not wanted[a, b]:
                continue
            real = 0.0
            imaginary = 0.0
            for j in range(len(left)):
                for p in range(rows.shape[1]):
                    z = adjoint[rows[to[a], p], left[j]]
                    y = psi[rows[of[b], p], right[j]]
                    real += z.real * y.real + z.imag * y.imag
                    imaginary += z.real * y.imag - z.imag * y.real
            out[a, b] += complex(real, imaginary)


@jit
def _sign(bits):
    """-1 for an odd number of bits set, else 1."""
    bits ^= bits >> 32
    bits ^= bits >> 16
    bits ^= bits >> 8
    bits ^= bits >> 4
    bits ^= bits >> 2
    bits ^= bits >> 1
    return 1.0 - 2.0 * (bits & 1)


@jit
def add_string(target, into, source, columns, flip, mask, factor):
    """Adds factor X^flip Z^mask source to target, in the full space, from ``columns`` into ``into``."""
    for x in range(source.shape[0]):
        value = factor * _sign(x & mask)
        for t in range(len(columns)):
            target[x ^ flip, into[t]] += value * source[x, columns[t]]


@jit
def string_moment(adjoint, left, psi, right, flip, mask):
    """The sum over j of <adjoint[:, left[j]]| X^flip Z^mask |psi[:, right[j]]>."""
    real = 0.0
    imaginary = 0.0
    for x in range(psi.shape[0]):
        sign = _sign(x & mask)
        for j in range(len(left)):
            z = adjoint[x ^ flip, left[j]]
            y = psi[x, right[j]]
            real += sign * (z.real * y.real + z.imag * y.imag)
            imaginary += sign * (z.real * y.imag - z.imag * y.real)
    return complex(real, imaginary)


@jit
def population(state, rows):
    """Sum of |state[x, 0]|^2 over some rows."""
    total = 0.0
    for p in range(rows.shape[0]):
        z = state[rows[p], 0]
        total += z.real * z.real + z.imag * z.imag
    return total


@jit
def overlap(left, right):
    """Re sum_x conj(left[x]) right[x]; serial, where BLAS would wake threads that fight the draws."""
    total = 0.0
    for x in range(left.shape[0]):
        total += left[x].real * right[x].real + left[x].imag * right[x].imag
    return total


@jit
def multiply_components(matrix, starts, rows, offsets, blocks, buffer):
    """Makes ``matrix`` U matrix: a small dense block for the rows ``rows[starts[i]:starts[i + 1]]`` of each i.

    ``blocks[offsets[i]:]`` holds block i row by row; ``buffer`` has room for the largest component's rows.
    """
    width = matrix.shape[1]
    # H falls into connected components, and so does U = exp(-i angle H): each mixes its own rows by a small matrix.
    # Sizes 1 and 2, by far the most common, are written out; a larger one copies its rows first, since each of them
    # enters all.
    for i in range(starts.shape[0] - 1):
        first = starts[i]
        size = starts[i + 1] - first
        at = offsets[i]
        if size == 1:
            factor = blocks[at]
            x = rows[first]
            for t in range(width):
                matrix[x, t] *= factor
        elif size == 2:
            x = rows[first]
            y = rows[first + 1]
            a = blocks[at]
            b = blocks[at + 1]
            c = blocks[at + 2]
            d = blocks[at + 3]
            for t in range(width):
                one = matrix[x, t]
                other = matrix[y, t]
                matrix[x, t] = a * one + b * other
                matrix[y, t] = c * one + d * other
        else:
            for p in range(size):
                buffer[p, :width] = matrix[rows[first + p]]
            for p in range(size):
                x = rows[first + p]
                matrix[x] = 0.0
                for r in range(size):
                    factor = blocks[at + p * size + r]
                    for t in range(width):
                        matrix[x, t] += factor * buffer[r, t]


@jit
def conjugate_transpose(matrix, result):
    """Makes ``result`` matrix^dag, tile by tile."""
    size = matrix.shape[0]
    for first in range(0, size, 16):
        for second in range(0, size, 16):
            for x in range(first, min(first + 16, size)):
                for y in range(second, min(second + 16, size)):
                    result[y, x] = np.conj(matrix[x, y])
