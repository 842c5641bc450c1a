"""Compiled kernels of a slot's noise, on states laid out as in :mod:`equinoise.engines.sector.kernels`."""

from __future__ import annotations

from equinoise.engines.sector.kernels import jit

__all__ = ["crossed_population", "damp_orders", "mix_pair", "mix_site", "overlap_traced_pair", "pauli_channel"]


@jit
def damp_orders(state, rate):
    """Multiplies a power series of three orders with exp(-s rate) = 1 - s rate + s^2 rate^2 / 2."""
    # Coefficients of the product (r0 + s r1 + s^2 r2) (1 - s g + s^2 g^2/2), cut off after s^2; the coefficient of s^0
    # is left alone, and that of s^1 is written after it was read.
    dim = state.shape[2]
    for part in range(2):
        for x in range(dim):
            for y in range(dim):
                g = rate[x, y]
                r0 = state[0, part, x, y]
                r1 = state[1, part, x, y]
                state[1, part, x, y] = r1 - g * r0
                state[2, part, x, y] += g * (0.5 * g * r0 - r1)


@jit
def mix_site(low, high, low_rows, high_rows, matrices):
    """Mixes elements that agree on one qubit: (|0..><0..|, |1..><1..|) <- M (same), order by order.

    ``low_rows`` index the states of block ``low`` with the qubit empty, ``high_rows`` the same states of block ``high``
    with it filled (the same array in the full space). ``matrices`` (orders, 2, 2): new_k = sum_i M_i old_(k-i),
    with M_0 = 1 for a series of three orders.
    """
    # A relaxation or depolarizing channel of one qubit moves |0><0| and |1><1| into one another whatever the other
    # qubits do, so it acts on the pair (rho_{0a,0b}, rho_{1a,1b}) by one 2x2 matrix for all rests a, b. Row and column
    # lose one charge together: both elements are in diagonal charge blocks. Elements that differ on the qubit only
    # decay and are not touched here.
    orders = low.shape[0]
    a00, a01, a10, a11 = matrices[0, 0, 0], matrices[0, 0, 1], matrices[0, 1, 0], matrices[0, 1, 1]
    for part in range(2):
        for a in range(low_rows.shape[0]):
            x0 = low_rows[a]
            x1 = high_rows[a]
            if orders == 1:
                for b in range(low_rows.shape[0]):
                    p0 = low[0, part, x0, low_rows[b]]
                    p1 = high[0, part, x1, high_rows[b]]
                    low[0, part, x0, low_rows[b]] = a00 * p0 + a01 * p1
                    high[0, part, x1, high_rows[b]] = a10 * p0 + a11 * p1
            else:
                b00, b01, b10, b11 = matrices[1, 0, 0], matrices[1, 0, 1], matrices[1, 1, 0], matrices[1, 1, 1]
                c00, c01, c10, c11 = matrices[2, 0, 0], matrices[2, 0, 1], matrices[2, 1, 0], matrices[2, 1, 1]
                for b in range(low_rows.shape[0]):
                    y0 = low_rows[b]
                    y1 = high_rows[b]
                    p0 = low[0, part, x0, y0]
                    p1 = high[0, part, x1, y1]
                    q0 = low[1, part, x0, y0]
                    q1 = high[1, part, x1, y1]
                    low[1, part, x0, y0] = q0 + b00 * p0 + b01 * p1
                    high[1, part, x1, y1] = q1 + b10 * p0 + b11 * p1
                    low[2, part, x0, y0] += b00 * q0 + b01 * q1 + c00 * p0 + c01 * p1
                    high[2, part, x1, y1] += b10 * q0 + b11 * q1 + c10 * p0 + c11 * p1


@jit
def mix_pair(s0, s1, s2, rows, keep, spread):
    """Depolarizes elements that agree on two qubits: v_a <- sum_i keep_i v_a + spread_i sum_b v_b, order by order.

    ``rows`` (4, m): the states 00, 10, 01, 11 (first qubit first) of the same rest, in the blocks s0, s1, s1, s2.
    A series of three orders has keep_0 = 1 and spread_0 = 0.
    """
    # T(r) = Tr_A(r) (x) 1/4 is a projector, so exp(s rate (T - 1)) = e^{-s rate} + (1 - e^{-s rate}) T: keep and spread
    # = (1 - keep)/4. T sees only elements that agree on both qubits, and sums the four that share a rest; all others
    # decay and are damped elsewhere.
    orders = s0.shape[0]
    for part in range(2):
        for a in range(rows.shape[1]):
            x0, x1, x2, x3 = rows[0, a], rows[1, a], rows[2, a], rows[3, a]
            for b in range(rows.shape[1]):
                y0, y1, y2, y3 = rows[0, b], rows[1, b], rows[2, b], rows[3, b]
                v0, v1 = s0[0, part, x0, y0], s1[0, part, x1, y1]
                v2, v3 = s1[0, part, x2, y2], s2[0, part, x3, y3]
                total = v0 + v1 + v2 + v3
                if orders == 1:
                    extra = spread[0] * total
                    s0[0, part, x0, y0] = keep[0] * v0 + extra
                    s1[0, part, x1, y1] = keep[0] * v1 + extra
                    s1[0, part, x2, y2] = keep[0] * v2 + extra
                    s2[0, part, x3, y3] = keep[0] * v3 + extra
                else:
                    w0, w1 = s0[1, part, x0, y0], s1[1, part, x1, y1]
                    w2, w3 = s1[1, part, x2, y2], s2[1, part, x3, y3]
                    extra = spread[1] * total
                    s0[1, part, x0, y0] = w0 + keep[1] * v0 + extra
                    s1[1, part, x1, y1] = w1 + keep[1] * v1 + extra
                    s1[1, part, x2, y2] = w2 + keep[1] * v2 + extra
                    s2[1, part, x3, y3] = w3 + keep[1] * v3 + extra
                    extra = spread[1] * (w0 + w1 + w2 + w3) + spread[2] * total
                    s0[2, part, x0, y0] += keep[1] * w0 + keep[2] * v0 + extra
                    s1[2, part, x1, y1] += keep[1] * w1 + keep[2] * v1 + extra
                    s1[2, part, x2, y2] += keep[1] * w2 + keep[2] * v2 + extra
                    s2[2, part, x3, y3] += keep[1] * w3 + keep[2] * v3 + extra


@jit
def pauli_channel(state, flip, sign, stay, move):
    """Full space: r <- sum_i stay_i r + move_i P r P, order by order.

    P|x> = phase(x) |x ^ flip> with phase(x) = sign[x] up to a constant that cancels in P r P^dag.
    """
    # (P . P)^2 = 1, so exp(s rate (P . P - 1)) = stay + move P . P with stay, move = (1 +- e^{-2 s rate})/2. P . P
    # exchanges (x, y) with (x ^ flip, y ^ flip) up to signs: each such pair is mixed once. Orders go from the highest
    # down, since new_k is made of the old orders up to k.
    orders = state.shape[0]
    dim = state.shape[2]
    for part in range(2):
        for x in range(dim):
            for y in range(dim):
                x2 = x ^ flip
                y2 = y ^ flip
                if x2 * dim + y2 < x * dim + y:
                    continue
                f = sign[x2] * sign[y2]
                g = sign[x] * sign[y]
                for k in range(orders - 1, -1, -1):
                    a = 0.0
                    b = 0.0
                    for i in range(k + 1):
                        v = state[k - i, part, x, y]
                        w = state[k - i, part, x2, y2]
                        a += stay[i] * v + move[i] * f * w
                        b += stay[i] * w + move[i] * g * v
                    state[k, part, x, y] = a
                    state[k, part, x2, y2] = b


@jit
def crossed_population(readout, state, readout_rows, state_rows):
    """Sum over rests of Re conj(readout[a.., a..]) state[b.., b..]: one qubit in a on one side, in b on the other."""
    # Re <<O| (|a><b| . |b><a|) |rho>> needs the readout where the qubit is a on both sides and the state where it is b:
    # the sum over all elements (x, y) of the rests, x and y row by row.
    total = 0.0
    for i in range(readout_rows.shape[0]):
        x = readout_rows[i]
        u = state_rows[i]
        for j in range(readout_rows.shape[0]):
            y = readout_rows[j]
            v = state_rows[j]
            total += readout[0, 0, x, y] * state[0, 0, u, v] + readout[0, 1, x, y] * state[0, 1, u, v]
    return total


@jit
def overlap_traced_pair(o0, o1, o2, r0, r1, r2, present, rows):
    """Sum over rests of Re conj(Tr_A readout) (Tr_A state) on two qubits A; ``rows`` as in mix_pair.

    ``present`` (3,) is 1 for blocks in which the state is not zero, else 0 (their arrays are then not looked at).
    """
    # T = Tr_A (x) 1/4 is its own adjoint, so <<O| T |rho>> = Tr[(Tr_A O) (Tr_A rho)]/4: the four elements of a rest are
    # summed on each side and multiplied. The 1/4 is the caller's.
    # T = Tr_A (x) 1/4 is its own adjoint, so <<O| T |rho>> = Tr[(Tr_A O) (Tr_A rho)]/4: the four elements of a rest are
    # summed on each side and multiplied. The 1/4 is the caller's.
    total = 0.0
    for part in range(2):
        for a in range(rows.shape[1]):
            x0, x1, x2, x3 = rows[0, a], rows[1, a], rows[2, a], rows[3, a]
            for b in range(rows.shape[1]):
                y0, y1, y2, y3 = rows[0, b], rows[1, b], rows[2, b], rows[3, b]
                r = 0.0
                if present[0]:
                    r += r0[0, part, x0, y0]
                if present[1]:
                    r += r1[0, part, x1, y1] + r1[0, part, x2, y2]
                if present[2]:
                    r += r2[0, part, x3, y3]
                o = o0[0, part, x0, y0] + o1[0, part, x1, y1] + o1[0, part, x2, y2] + o2[0, part, x3, y3]
                total += o * r
    return total
