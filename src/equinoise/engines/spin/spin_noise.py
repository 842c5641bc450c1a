r"""One slot's permutation-invariant noise on blocks of total spin: as a channel, as its adjoint, as generators.

Whatever acts on every qubit alike and keeps populations apart from coherences is one qubit's map, n times: a column-
stochastic P = [[1-p, q], [p, 1-q]] on populations and a factor f on coherences, P = U_2 diag(a, b) U_1 with triangular
U. A triangle is exp(t L) for L = sum_i |0><1|_i . |1><0|_i (or its mirror image), which ends after n powers; a, b give
element (x, y) the factor a^{n-(x+y)/2} b^{(x+y)/2}; what f is less than sqrt(ab) is dephasing, which mixes blocks at
fixed (x, y) by a small matrix. Sums of Z and pairs Z Z commute with all that. Jumps X and Y are those of Z in a turned
frame; what mixes frames (pairs X Y, resets of pairs) goes by the power series of its completely positive part. No
step subtracts: errors stay at rounding in trace norm for every n.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from equinoise.engines.spin import spin_kernels as kernels
from equinoise.engines.spin.orbits import SymmetricSlot
from equinoise.engines.spin.spin_frame import Frame, frame_of
from equinoise.engines.spin.spin_tables import dephasing, sandwich_tables
from equinoise.symmetry.spin_blocks import spin_blocks

__all__ = ["SpinChannel", "SpinGenerators"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

# exp(-42) is below rounding: at larger exponents a channel is its limit
LIMIT = 42.0
# exponent per step of a power series: longer ones are repeated
STEP = 8.0


class SpinGenerators:
    """The generators of every kind at rate 1, on flat arrays of shape (orders, size)."""

    def __init__(self, num_qubits: int) -> None:
        self.num_qubits = n = num_qubits
        self.blocks = spin_blocks(n)
        self.offsets = self.blocks.offsets
        self.tables = {move: sandwich_tables(n, move) for move in (0, -1, 1)}
        x = np.arange(n + 1)
        self.ones = np.add.outer(x, x) / 2
        self.difference = np.subtract.outer(x, x).astype(np.float64)

    def sandwich(self, state: Complex, move: int, adjoint: bool) -> Complex:
        """sum_i sigma_i X sigma_i^dag (0: Z, -1: |0><1|, 1: |1><0|), or the adjoint map."""
        out = np.zeros_like(state)
        kernels.sandwich(
            state.view(np.float64), out.view(np.float64), 1.0, self.tables[move], move, self.offsets, adjoint
        )
        return out

    def letters(self, state: Complex, letter: str, adjoint: bool) -> Complex:
        """sum_i P_i X P_i."""
        if letter == "Z":
            return self.sandwich(state, 0, adjoint)
        frame = frame_of(self.num_qubits, letter)
        return frame.leave(self.sandwich(frame.enter(state), 0, adjoint))

    def apply(self, kind: str, state: Complex, adjoint: bool) -> Complex:
        """The generator of a kind, or its adjoint."""
        n = self.num_qubits
        if kind == "total Z":
            return self._times(state, -2 * self.difference**2)
        if kind in ("down", "up"):
            excited = self.ones if kind == "down" else n - self.ones
            return self.sandwich(state, -1 if kind == "down" else 1, adjoint) - self._times(state, excited)
        if kind in ("X", "Y", "Z"):
            return self.letters(state, kind, adjoint) - n * state
        return self.positive(kind, state, adjoint) - self.weight(kind) * state

    def positive(self, kind: str, state: Complex, adjoint: bool) -> Complex:
        """The completely positive part sum_j K_j X K_j^dag of the generator of a kind that acts on pairs."""
        n = self.num_qubits
        if kind == "reset":
            # sum_{i<j} R_i R_j with R_i = Tr_i (x) 1/2 = (1 + X_i . X_i + Y_i . Y_i + Z_i . Z_i)/4 = R_i^2
            once = self._one_reset(state, adjoint)
            return (self._one_reset(once, adjoint) - once) / 2
        a, b = kind[0], kind[1]
        once = self.letters(state, a, adjoint)
        twice = self.letters(once, b, adjoint)
        if a == b:
            return (twice - n * state) / 2
        (third,) = set("XYZ") - set(kind)
        return twice - self.letters(state, third, adjoint)

    def _one_reset(self, state: Complex, adjoint: bool) -> Complex:
        """sum_i R_i, by X . X + Y . Y = 2 (|0><1| . |1><0| + |1><0| . |0><1|)."""
        ladders = self.sandwich(state, -1, adjoint) + self.sandwich(state, 1, adjoint)
        return (self.sandwich(state, 0, adjoint) + 2 * ladders + self.num_qubits * state) / 4

    def weight(self, kind: str) -> float:
        """What the completely positive part of a pair kind multiplies the trace by: its number of places."""
        n = self.num_qubits
        return n * (n - 1) / (1 if kind in ("XY", "XZ", "YZ") else 2)

    def total(self, rates: tuple[tuple[str, float], ...], state: Complex, adjoint: bool) -> Complex:
        """sum_kind rate E_kind."""
        out = np.zeros_like(state)
        for kind, rate in rates:
            out += rate * self.apply(kind, state, adjoint)
        return out

    def _times(self, state: Complex, table: Real) -> Complex:
        out = state.copy()
        kernels.times_table(out, table, self.offsets)
        return out


def _site(rates: dict[str, float], scale: float) -> Real:
    """exp(s E) on one qubit's populations."""
    down, up = rates.get("down", 0.0), rates.get("up", 0.0)
    if down + up == 0:
        return np.eye(2)
    left = -math.expm1(-(down + up) * scale)
    p, q = up / (down + up) * left, down / (down + up) * left
    return np.array([[1 - p, q], [p, 1 - q]])


class SpinChannel:
    """exp(s E_second) exp(s E_first).

    Args:
        generators: Of n qubits.
        slot: The noise.
        scale: s in [0, infinity].
    """

    def __init__(self, generators: SpinGenerators, slot: SymmetricSlot, scale: float) -> None:
        self.generators = generators
        self.offsets = generators.offsets
        first, second = dict(slot.first), dict(slot.second)
        self.steps: list[Callable[[Complex, bool], Complex]] = []
        if scale == 0:
            return
        self._phase_covariant(first, second, scale)
        for letter in "XY":
            if second.get(letter, 0.0) or second.get(2 * letter, 0.0):
                step = self._dephasing(second.get(letter, 0.0), second.get(2 * letter, 0.0), 0.0, 1.0, 1.0, scale)
                frame = frame_of(generators.num_qubits, letter)
                self.steps.append(_turned(frame, step))
        mixed = {kind: second[kind] for kind in ("XY", "XZ", "YZ", "reset") if second.get(kind, 0.0)}
        if mixed:
            self.steps.append(self._series(mixed, scale))

    def apply(self, state: Complex) -> Complex:
        """The channel on a state, shape (orders, size); the array given is overwritten or left."""
        for step in self.steps:
            state = step(state, False)
        return state

    def apply_adjoint(self, operator: Complex) -> Complex:
        """The adjoint on an operator (Heisenberg picture)."""
        for step in reversed(self.steps):
            operator = step(operator, True)
        return operator

    # -- parts ---------------------------------------------------------------------------------------------------

    def _phase_covariant(self, first: dict[str, float], second: dict[str, float], scale: float) -> None:
        z = first.get("Z", 0.0) + second.get("Z", 0.0)
        zz, collective = first.get("ZZ", 0.0), first.get("total Z", 0.0)
        # P = [[1 - up, down], [up, 1 - down]] on one qubit = (1 + up/(1 - up) |1><0|) diag(1 - up, left/(1 - up)) (1 +
        # down/(1 - up) |0><1|) with left = det P = 1 - up - down, a lower and an upper triangle; on n qubits each
        # triangle is the series of a ladder and the diagonal a factor by x and y. The coherences get sqrt(a b) =
        # sqrt(left) from that, exp(-(down + up) s/2), as they should.
        site = _site(second, scale) @ _site(first, scale)
        moved = float(site[1, 0]), float(site[0, 1])
        if max(moved) == 0 and not (z or zz or collective):
            return
        decay = sum(rates.get(kind, 0.0) for rates in (first, second) for kind in ("down", "up"))
        left = math.exp(-decay * scale) if decay else 1.0
        up, down = moved
        # the triangle with the smaller corner keeps 1 - p >= 1/2
        lowers = up <= down
        small, large = (up, down) if lowers else (down, up)
        a, b = (1 - small, left / (1 - small)) if lowers else (left / (1 - small), 1 - small)
        before, after = large / (1 - small), small / (1 - small)
        if before:
            self.steps.append(self._ladder(-1 if lowers else 1, before))
        self.steps.append(self._dephasing(z, zz, collective, a, b, scale))
        if after:
            self.steps.append(self._ladder(1 if lowers else -1, after))

    def _ladder(self, move: int, factor: float) -> Callable[[Complex, bool], Complex]:
        tables = self.generators.tables[move]

        def step(state: Complex, adjoint: bool) -> Complex:
            out = state.copy()
            kernels.power_series(out.view(np.float64), factor, tables, move, self.offsets, adjoint)
            return out

        return step

    def _dephasing(
        self, z: float, zz: float, collective: float, a: float, b: float, scale: float
    ) -> Callable[[Complex, bool], Complex]:
        """Jumps Z on each qubit, Z Z on each pair and sum Z, with the factors a, b of |0> and |1>."""
        n = self.generators.num_qubits
        d = np.abs(self.generators.difference)
        e = np.abs(2 * self.generators.ones - n)
        # rates on c = d, d + 2, ..., n - e qubits of |0><1| or |1><0|: concave in c, so least at an end
        least = np.minimum(*(2 * z * c + 2 * zz * c * (n - c) for c in (d, n - e)))
        rate = least + 2 * collective * d**2
        rate[rate <= 1e-12 * (2 * abs(z) + 2 * zz + 2 * abs(collective)) * n] = 0.0
        with np.errstate(invalid="ignore"):
            exponent = np.where(rate > 0, rate * scale, 0.0)
        ones = self.generators.ones
        table = np.exp(-exponent) * a ** (n - ones) * b**ones
        if not (z or zz):
            return lambda state, adjoint: _times(state, table, self.offsets)
        gaps = [2 * z, 2 * zz * (n - 1)]
        gap = sum(gaps) if collective >= 0 else min(g for g in gaps if g > 0)
        capped = min(scale, LIMIT / gap)
        tables = self.generators.tables[0]
        mixing = dephasing(tables, z * capped, zz * capped, least * capped)

        def step(state: Complex, adjoint: bool) -> Complex:
            out = state.copy()
            kernels.dephase(out, mixing.matrices, mixing.places, table, self.offsets, adjoint)
            return out

        return step

    def _series(self, rates: dict[str, float], scale: float) -> Callable[[Complex, bool], Complex]:
        """exp(s sum rate (K - weight)) with K completely positive: a Poisson average over its powers."""
        generators = self.generators
        n = generators.num_qubits
        # exp(s (K - weight)) = sum_p e^{-s weight} (s weight)^p/p! (K/weight)^p: powers of a channel at Poisson
        # weights, all positive. Long exponents are cut into equal steps, so that e^{-each} and the powers stay in
        # range.
        weight = sum(rate * generators.weight(kind) for kind, rate in rates.items())
        # the slowest decay is that of one letter
        slowest = min(_slowest(rates, n), weight) or weight
        if set(rates) == {"reset"} and scale * slowest >= LIMIT:
            return self._mixed()
        exponent = min(scale, LIMIT / slowest) * weight
        repeats = math.ceil(exponent / STEP)
        each = exponent / repeats

        def step(state: Complex, adjoint: bool) -> Complex:
            for _ in range(repeats):
                term = state * math.exp(-each)
                state = term.copy()
                power = 0
                size = float(np.abs(term).sum())
                while float(np.abs(term).sum()) > 1e-20 * size or power < each:
                    power += 1
                    moved = [rate * generators.positive(kind, term, adjoint) for kind, rate in rates.items()]
                    term = (each / weight / power) * np.sum(moved, axis=0)
                    state += term
                    if not term.any():
                        break
            return state

        return step

    def _mixed(self) -> Callable[[Complex, bool], Complex]:
        """Tr(X) 1/2^n."""
        # A block of a state holds its weight: that of 1/2^n is d_J/2^n on the diagonal, with the
        # d_J = C(n, k) - C(n, k-1) ways to make J.
        blocks, n = self.generators.blocks, self.generators.num_qubits
        ways = [(math.comb(n, k) - (math.comb(n, k - 1) if k else 0)) / 2**n for k in range(blocks.dims.size)]
        one = blocks.join([np.eye(d, dtype=np.complex128) for d in blocks.dims.tolist()])
        rest = blocks.join(
            [w * np.eye(d, dtype=np.complex128) for w, d in zip(ways, blocks.dims.tolist(), strict=True)]
        )

        def step(state: Complex, adjoint: bool) -> Complex:
            read, made = (rest, one) if adjoint else (one, rest)
            return np.asarray(np.sum(read * state, axis=1)[:, None] * made)

        return step


def _turned(frame: Frame, step: Callable[[Complex, bool], Complex]) -> Callable[[Complex, bool], Complex]:
    return lambda state, adjoint: frame.leave(step(frame.enter(state), adjoint))


def _slowest(rates: dict[str, float], n: int) -> float:
    """The least decay rate above zero of the Pauli strings, by their numbers of X, Y, Z."""
    # A Pauli string with x, y, z letters is an eigenvector: sum_i A_i . A_i multiplies it by (free + same letters -
    # others) = sums[A]. For pairs A_i B_j, i != j: sums[A] sums[B] less the terms i = j, where A B is the third letter.
    # A reset of a pair kills every string with a letter on it: of n (n - 1)/2 pairs free (free - 1)/2 do nothing.
    x, y, z = np.meshgrid(*(np.arange(n + 1),) * 3, indexing="ij")
    free = n - x - y - z
    inside = free >= 0
    sums = {"X": free + x - y - z, "Y": free - x + y - z, "Z": free - x - y + z}
    total = np.zeros(x.shape)
    for kind, rate in rates.items():
        if kind == "reset":
            total += rate * (n * (n - 1) - free * (free - 1)) / 2
        else:
            a, b = kind[0], kind[1]
            (third,) = set("XYZ") - set(kind)
            total += rate * (n * (n - 1) - sums[a] * sums[b] + sums[third])
    decays = total[inside]
    return float(decays[decays > 1e-12 * decays.max()].min())


def _times(state: Complex, table: Real, offsets: npt.NDArray[np.int64]) -> Complex:
    out = state.copy()
    kernels.times_table(out, table, offsets)
    return out
