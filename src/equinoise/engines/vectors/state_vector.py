"""The state-vector engine: noiseless gradients, and kappa with its budget, from vectors instead of density matrices.

A diagonal jump K of rate r is a random phase, exp(s r D[K]) = E_xi exp(-i sqrt(s r) xi K .) with E xi^2 = 1, so that

    sum_k g_k g'_k = (1/2) E_xi d^2/d epsilon^2 (sum_k g_k dC/dtheta_k) at phases epsilon sqrt(r_a) xi_a of all slots a,

with one vector of independent signs xi: the terms a != b average out. A jump L between charges contributes
r <L psi| O_l |L psi>, taken likewise with random signs: chi = sum_a xi_a sqrt(r_a) L_a psi, inserted along the circuit,
gives <chi|O|chi>; its partner -r Re <psi| L^dag L O_l |psi> is diagonal and exact. Both come with derivatives along the
gradient (a tangent delta), forwards and backwards once, whatever the number of noise terms. xi_a times the derivative
with respect to the phase or insertion a is an unbiased estimate of term a alone, which gives the budget.

States are never stored: going backwards, the unitaries are undone.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from equinoise.engines.contract import Cost, Remade, check_serves, memory_limit
from equinoise.engines.draws import Draw, FirstOrderDraw, NoisyDraw
from equinoise.engines.sector.block_unitaries import Blocks, build_blocks, contract
from equinoise.engines.vectors import vector_kernels as kernels
from equinoise.engines.vectors.jumps import SlotJumps, slot_jumps
from equinoise.errors import MemoryLimitError, UnsupportedError
from equinoise.reduction.program import Program
from equinoise.reduction.row_tables import RowIndex
from equinoise.reduction.sector import Sector

__all__ = ["COUNTLESS", "LOCAL_STATES", "Phases", "StateVectorEngine"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
Index = npt.NDArray[np.int64]

# columns of the jets (1, epsilon, delta, epsilon delta), of (1, delta), and of a plain state
_JET = (0, 0, 0, 0)
_PAIR = (0, 2)
_ONE = (0,)
# for estimates only, in seconds, fitted to cones of 4 to 18 qubits on one core: a block on a row of a plain state, in
# one noiseless gradient and in one draw of kappa (with charge-moving jumps half as much again); what Python takes per
# call, block and layer
_ROW, _ROW_OF_LAW, _CALL, _BLOCK, _LAYER = 3.7e-9, 2.4e-8, 4.5e-5, 6.5e-6, 7e-5
# stands for numbers of states that no float holds
COUNTLESS = 10**290
# occupations of two qubits in the order of ``Program.pair_rows``
LOCAL_STATES = ((0, 0), (1, 0), (0, 1), (1, 1))


class Phases:
    """Sums over qubits of diagonal operators on a sector, eight qubits at a time.

    Args:
        table: The sector.
    """

    def __init__(self, table: Sector) -> None:
        self.width = table.width
        self.occupations = table.occupations
        self.packed = np.packbits(table.occupations, axis=1, bitorder="little")
        self._parities: dict[tuple[int, ...], Real] = {}

    @cached_property
    def _signs(self) -> Real:
        """Z of each bit of a byte, shape (256, 8)."""
        bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
        return np.asarray(1.0 - 2.0 * bits, dtype=np.float64)

    def values(self, weights: Real) -> Real:
        """sum_i weights[i] z_i of every basis state, shape (D,)."""
        out = np.empty(self.packed.shape[0])
        padded = np.zeros(8 * self.packed.shape[1])
        padded[: self.width] = weights
        kernels.linear_values(self.packed, padded.reshape(-1, 8) @ self._signs.T, out)
        return out

    def products(self, empty: Complex, filled: Complex) -> Complex:
        """prod_i (filled[i] or empty[i]) of every basis state, shape (D,)."""
        # The factor of a byte's eight qubits, for each of its 256 values; padding bits beyond the width keep the factor
        # 1.
        lookup = np.ones((self.packed.shape[1], 256), dtype=np.complex128)
        is_filled = self._signs < 0
        for i in range(self.width):
            lookup[i // 8] *= np.where(is_filled[:, i % 8], filled[i], empty[i])
        out = np.empty(self.packed.shape[0], dtype=np.complex128)
        kernels.factors(self.packed, lookup, out)
        return out

    def sums(self, weight: Real) -> Real:
        """sum_x weight[x] z_i(x) for each qubit, shape (w,)."""
        histogram = np.zeros((self.packed.shape[1], 256))
        kernels.linear_sums(self.packed, weight, histogram)
        return np.asarray((histogram @ self._signs).ravel()[: self.width])

    def parity(self, qubits: tuple[int, ...]) -> Real:
        """Prod z_i of every basis state, shape (D,)."""
        if qubits not in self._parities:
            odd = self.occupations[:, list(qubits)].sum(axis=1) % 2
            self._parities[qubits] = np.asarray(1.0 - 2.0 * odd, dtype=np.float64)
        return self._parities[qubits]


@dataclass(frozen=True)
class _Signs:
    """One draw of random signs or, for noise correlated in time, of a Gaussian sequence: the phase of every jump.

    Attributes:
        jumps: sqrt(rate) xi per slot and linear jump.
        parities: Likewise for products of Z.
        hops: sqrt(phase rate) xi per slot and hop.
        processes: Phase amplitude per slot and qubit, shape (L, w), per process.
        total: All of them per slot and qubit, shape (L, w).
    """

    jumps: tuple[Real, ...]
    parities: tuple[Real, ...]
    hops: tuple[Real, ...]
    processes: tuple[Real, ...]
    total: Real


class StateVectorEngine(Remade):
    """Noiseless values and gradients, exactly; kappa and its budget, unbiased.

    Args:
        program: The compiled problem.
        workers: Draws run at once (threads); all processors by default, fewer when memory is short.

    Raises:
        UnsupportedError: The circuit or noise breaks the charge.
        MemoryLimitError: Not even one draw fits in memory.
    """

    name = "state-vector"
    exact = False

    def __init__(self, program: Program, workers: int | None = None) -> None:
        check_serves(type(self), program)
        super().__init__(program, workers)
        self.program = program
        self.depth = len(program.layers)
        cost = self.cost(program)
        room = memory_limit()
        if cost.bytes > room:
            raise MemoryLimitError(
                f"the light cone of {program.width} qubits has sectors of up to "
                f"{min(max(program.dimensions), COUNTLESS):.3g} states; "
                f"one draw of the engine {self.name!r} needs {cost.bytes / 1e9:.3g} GB and {room / 1e9:.3g} GB are "
                "free. Use fewer layers, a more local readout or an input of lower charge; EQUINOISE_MEMORY_GB sets "
                "the limit."
            )
        self.memory_bytes = cost.bytes
        per_draw = max(1, 16 * 12 * max(program.dimensions))
        self.workers = max(1, min(workers or os.cpu_count() or 1, (room - cost.bytes) // per_draw + 1))
        self._phases: dict[int | None, Phases] = {}
        self.inputs = [(q, program.initial_vectors(q)) for q in sorted(program.input_charges, key=lambda c: c or 0)]
        for q, _ in self.inputs:  # shared by all draws, so not left to whichever comes first
            _ = program.tables[q], program.readout[q]

    # -- what it can do, and at what cost --------------------------------------------------------------------------

    @classmethod
    def obstacle(cls, program: Program) -> str | None:
        """Why a problem is not for this engine, and which one serves; None if it is."""
        if program.full:
            return (
                "circuit, readout or noise breaks the charge, and state vectors are kept in charge sectors; "
                "engine 'exact' takes it in the full space"
            )
        if any(slot.general for slot in program.slots):
            return (
                "a general jump or Hamiltonian has no kernel on state vectors, which know phases, moves of one qubit "
                "and resets of pairs; engine 'exact' takes it"
            )
        return None

    @classmethod
    def cost(cls, program: Program) -> Cost:
        """Seconds and bytes of one draw of kappa, before any table is built."""
        inputs = [math.comb(program.width, q or 0) for q in program.input_charges]
        rows = min(sum(inputs), COUNTLESS)
        largest = min(max(program.dimensions), COUNTLESS)
        pairs = len(set(program.table.tolist()))
        noise = 2 if any(not slot.dephases_only for slot in program.slots) else 0
        sectors = largest * (1 + noise)
        # per row: 4 bytes in three tables of a quarter of the rows a pair, occupations, and tables of the jumps
        tables = 3 * pairs + 2 * program.width + (8 * program.width if noise else 0)
        size = sectors * tables + 16 * 12 * largest
        updates, depth = rows * program.num_blocks, len(program.layers)
        gradient = _CALL + _BLOCK * program.num_blocks + _ROW * updates
        moves = 1.6 if noise else 1.0
        seconds = gradient + moves * (2e-4 + _LAYER * depth + _ROW_OF_LAW * updates)
        return Cost(seconds=seconds, bytes=int(size), gradient=gradient)

    # -- noiseless -------------------------------------------------------------------------------------------------

    def value(self, theta: Real, scale: float = 0.0, rng: np.random.Generator | None = None) -> tuple[float, float]:
        """C(theta; 0) and <O^2>."""
        self._check_scale(scale)
        blocks = build_blocks(self.program, theta)
        total = square = 0.0
        for charge, vectors in self.inputs:
            for vector in vectors.T:
                psi = self._forward(charge, vector, blocks)
                seen = self.program.readout[charge] @ psi
                total += kernels.overlap(psi[:, 0], seen[:, 0])
                square += kernels.overlap(seen[:, 0], seen[:, 0])
        return total, square

    def draw(self, theta: Real, scale: float = 0.0, rng: np.random.Generator | None = None) -> Draw:
        """Value, <O^2> and gradient without noise."""
        self._check_scale(scale)
        return self._noiseless(build_blocks(self.program, theta))

    def noisy(self, theta: Real, scales: Sequence[float], rng: np.random.Generator) -> list[NoisyDraw]:
        """g_k^2, C^2 and <O^2> without noise, the only scale that this engine has."""
        for scale in scales:
            self._check_scale(scale)
        draws = [self._noiseless(build_blocks(self.program, theta)) for _ in scales]
        return [NoisyDraw(d.gradient**2, d.value**2, d.square) for d in draws]

    def frozen(self, theta: Real, rng: np.random.Generator) -> float:
        """NaN: engine 'trajectories' has the gradient at s = infinity."""
        return math.nan

    def _check_scale(self, scale: float) -> None:
        if scale != 0:
            raise UnsupportedError(
                f"the engine 'state-vector' computes noiseless gradients (scale 0) and the law's kappa, not values at "
                f"noise scale {scale:g}. Use engine 'trajectories' (unbiased, any width) or 'exact'."
            )

    def _noiseless(self, blocks: Blocks) -> Draw:
        program = self.program
        # Reverse mode on C = <psi| O |psi>: psi after the circuit and lambda = O psi are undone together, block by
        # block, and each block's 2 Im Tr[G M] is read on the way. All K derivatives cost about three passes, and two
        # vectors.
        moments = np.zeros(program.moments_shape(1), dtype=np.complex128)
        value = square = 0.0
        for charge, vectors in self.inputs:
            rows = program.tables[charge].arguments
            for vector in vectors.T:
                psi = self._forward(charge, vector, blocks)
                both = np.empty((psi.shape[0], 2), dtype=np.complex128)
                both[:, 0] = psi[:, 0]
                both[:, 1] = program.readout[charge] @ psi[:, 0]
                value += kernels.overlap(both[:, 0], both[:, 1])
                square += kernels.overlap(both[:, 1], both[:, 1])
                kernels.pull_back(both, *self._reversed, blocks.dagger, *rows, moments[0, ::-1])
        return Draw(value, square, contract(program, blocks, moments)[0])

    @cached_property
    def _reversed(self) -> tuple[Index, Index]:
        """Kind and table of every block, last block first."""
        return np.ascontiguousarray(self.program.kind[::-1]), np.ascontiguousarray(self.program.table[::-1])

    def _forward(self, charge: int | None, vector: Complex, blocks: Blocks) -> Complex:
        psi = np.ascontiguousarray(vector)[:, None].copy()
        program = self.program
        rows = program.tables[charge].arguments
        kernels.multiply(psi, _ONE, program.kind, program.table, blocks.unitary, *rows)
        return psi

    # -- kappa -----------------------------------------------------------------------------------------------------

    @cached_property
    def jumps(self) -> tuple[SlotJumps, ...]:
        """Each slot's noise as jumps."""
        out = []
        first = 0
        for slot in self.program.slots:
            out.append(slot_jumps(slot, self.program.width, first))
            first += len(slot.terms)
        return tuple(out)

    def phases(self, charge: int | None) -> Phases:
        """Diagonal operators on a sector, prepared once."""
        if charge not in self._phases:
            self._phases[charge] = Phases(self.program.sectors[charge])
        return self._phases[charge]

    def first_order(self, theta: Real, rng: np.random.Generator) -> FirstOrderDraw:
        """sum_k g_k^2 exactly and sum_k g_k g'_k by noise term, unbiased, for one draw of signs."""
        program = self.program
        blocks = build_blocks(program, theta)
        gradient = self._noiseless(blocks).gradient
        # sum_k g_k g'_k is the derivative of the noise's first-order term along the direction g in parameter space: one
        # tangent delta instead of K of them. g is noiseless and exact, so the estimate, linear in the rest, stays
        # unbiased.
        tangents = blocks.tangent(program, gradient)
        budget = np.zeros(len(program.budget_terms))
        signs = self._draw_signs(rng)
        for charge, vectors in self.inputs:
            change, probability = self._draw_change(charge, rng)
            for vector in vectors.T:
                self._add_budget(charge, vector, blocks, tangents, signs, change, probability, rng, budget)
        square = float(np.sum(gradient**2))
        per_parameter = np.stack([gradient**2, np.full(gradient.size, math.nan)])
        return FirstOrderDraw(square, float(budget.sum()), math.nan, per_parameter, budget)

    def _draw_signs(self, rng: np.random.Generator) -> _Signs:
        program = self.program
        total = np.zeros((self.depth, program.width))
        jumps, parities, hops = [], [], []
        for number, slot in enumerate(self.jumps):
            jumps.append(np.sqrt(slot.rates) * _random_signs(rng, slot.rates.size))
            parities.append(np.sqrt([r for _, r, _ in slot.parities]) * _random_signs(rng, len(slot.parities)))
            hops.append(np.sqrt([hop.phase for hop in slot.hops]) * _random_signs(rng, len(slot.hops)))
            total[number] += jumps[-1] @ slot.weights
            for hop, phase in zip(slot.hops, hops[-1], strict=True):
                total[number, hop.qubit] += phase
        processes = []
        for process in program.processes:
            processes.append(process.phases(_random_signs(rng, process.rank)))
            total += processes[-1]
        return _Signs(tuple(jumps), tuple(parities), tuple(hops), tuple(processes), total)

    def _draw_change(self, charge: int | None, rng: np.random.Generator) -> tuple[int | None, float]:
        """A change of charge among those of the jumps, drawn by their total rates; None if no jump moves it."""
        # chi lives in one sector, so one change of charge is followed in a draw, and its result divided by the
        # probability with which it was drawn: unbiased. Of the sixteen jumps |a><b| of a pair 6 keep the charge, 4 move
        # it by +1 or by -1 each, 1 by +2 or by -2 each.
        rates: dict[int, float] = {}
        for slot in self.jumps:
            for hop in slot.hops:
                rates[-1] = rates.get(-1, 0.0) + hop.down
                rates[1] = rates.get(1, 0.0) + hop.up
            for reset in slot.resets:
                for change, count in ((0, 6), (-1, 4), (1, 4), (-2, 1), (2, 1)):
                    rates[change] = rates.get(change, 0.0) + reset.rate * count / 4
        possible = {
            c: r for c, r in rates.items() if r > 0 and charge is not None and charge + c in self.program.charges
        }
        if not possible:
            return None, 1.0
        changes = sorted(possible)
        weights = np.array([possible[c] for c in changes])
        weights /= weights.sum()
        pick = int(rng.choice(len(changes), p=weights))
        return changes[pick], float(weights[pick])

    def _insertions(self, charge: int, change: int, number: int) -> list[tuple[RowIndex, RowIndex, float, int]]:
        """Jumps of a slot that change the charge by ``change``: target rows, source rows, sqrt(rate), budget term."""
        program, slot = self.program, self.jumps[number]
        out: list[tuple[RowIndex, RowIndex, float, int]] = []
        for hop in slot.hops:
            if change == -1 and hop.down > 0:
                low, high = program.site_rows(hop.qubit, charge)
                out.append((low, high, math.sqrt(hop.down), hop.term))
            elif change == 1 and hop.up > 0:
                low, high = program.site_rows(hop.qubit, charge + 1)
                out.append((high, low, math.sqrt(hop.up), hop.term))
        for reset in slot.resets:
            for b, before in enumerate(LOCAL_STATES):
                rest = charge - sum(before)
                if not 0 <= rest <= program.width - 2:
                    continue
                rows = program.pair_rows(reset.qubits, rest)
                for a, after in enumerate(LOCAL_STATES):
                    if sum(after) - sum(before) == change:
                        out.append((rows[a], rows[b], math.sqrt(reset.rate / 4), reset.term))
        return out

    def _add_budget(
        self,
        charge: int | None,
        vector: Complex,
        blocks: Blocks,
        tangents: tuple[Complex, Complex],
        signs: _Signs,
        change: int | None,
        probability: float,
        rng: np.random.Generator,
        budget: Real,
    ) -> None:
        """Adds one input vector's share of sum_k g_k g'_k to each noise term."""
        # Forward: psi as the jet (1, epsilon, delta, epsilon delta), the phases at epsilon and the parameters along
        # delta; chi = sum_a xi_a sqrt(r_a) L_a psi gathers the jumps that change the charge, moved on by what follows.
        # Backward: lambda = O psi and mu = O chi are pulled back. At each slot <lambda| Z_i |psi>, <lambda| L^dag L
        # |psi> and <mu| L_a |psi> give every term its share; times xi_a, terms a != b average out, and a = b is the one
        # wanted.
        program, phases = self.program, self.phases(charge)
        rows = program.tables[charge].arguments
        target = None if change is None or charge is None else charge + change
        psi = np.zeros((vector.shape[0], 4), dtype=np.complex128)
        psi[:, 0] = vector
        chi = np.zeros((0 if target is None else program.sectors[target].dimension, 2), dtype=np.complex128)
        amplitudes: list[Real] = []
        for number, layer in enumerate(program.layers):
            part = slice(layer.start, layer.stop)
            step = (layer.kind, layer.table, blocks.unitary[part], tangents[0][part])
            kernels.multiply_tangent(psi, _JET, *step, *rows)
            if target is not None and number > 0:
                kernels.multiply_tangent(chi, _PAIR, *step, *program.tables[target].arguments)
            if target is not None and charge is not None and change is not None:
                inserted = self._insertions(charge, change, number)
                amplitudes.append(_random_signs(rng, len(inserted)))
                for sign, (to, source, root, _) in zip(amplitudes[-1], inserted, strict=True):
                    kernels.add_rows(chi, to, psi, source, _PAIR, sign * root)
            kernels.phase_jet(psi, self._phi(phases, signs, number), 1.0)
        adjoint = _apply(program.readout[charge], psi)
        mu = chi if target is None else _apply(program.readout[target], chi)
        moment = np.empty(psi.shape[0])
        for number in range(self.depth - 1, -1, -1):
            layer, slot = program.layers[number], self.jumps[number]
            # Taken after the slot's own phases, in psi and lambda both, so that the derivative by epsilon holds the
            # term a = a.
            kernels.phase_moments(psi, adjoint, moment)
            self._add_phases(phases, signs, number, moment, budget)
            kernels.phase_jet(psi, phi := self._phi(phases, signs, number), -1.0)
            kernels.phase_jet(adjoint, phi, -1.0)
            if slot.moves_charge:
                kernels.value_moments(psi, adjoint, moment)
                self._add_decay(phases, slot, moment, budget)
            if target is not None and charge is not None and change is not None:
                inserted = self._insertions(charge, change, number)
                for sign, (to, source, root, term) in zip(amplitudes[number], inserted, strict=True):
                    budget[term] += sign * root * kernels.jump_moment(mu, to, psi, source) / probability
            if number == 0:
                break
            first, last = program.num_blocks - layer.stop, program.num_blocks - layer.start
            step = (*layer.reversed, blocks.dagger[first:last], tangents[1][first:last])
            kernels.multiply_tangent(psi, _JET, *step, *rows)
            kernels.multiply_tangent(adjoint, _JET, *step, *rows)
            if target is not None:
                kernels.multiply_tangent(mu, _PAIR, *step, *program.tables[target].arguments)

    def _phi(self, phases: Phases, signs: _Signs, number: int) -> Real:
        phi = phases.values(signs.total[number])
        for amplitude, (qubits, _, _) in zip(signs.parities[number], self.jumps[number].parities, strict=True):
            phi += amplitude * phases.parity(qubits)
        return phi

    def _add_phases(self, phases: Phases, signs: _Signs, number: int, moment: Real, budget: Real) -> None:
        slot = self.jumps[number]
        # The derivative by each qubit's phase; a jump's is that along its weights, times its amplitude sqrt(rate) xi.
        sums = phases.sums(moment)
        np.add.at(budget, slot.terms, signs.jumps[number] * (slot.weights @ sums))
        for amplitude, (qubits, _, term) in zip(signs.parities[number], slot.parities, strict=True):
            budget[term] += amplitude * float(np.einsum("x,x->", moment, phases.parity(qubits)))
        for amplitude, hop in zip(signs.hops[number], slot.hops, strict=True):
            budget[hop.term] += amplitude * sums[hop.qubit]
        for j, process in enumerate(signs.processes):
            place = self.program.process_terms[j].get(number)
            if place is not None:
                budget[place] += float(process[number] @ sums)

    def _add_decay(self, phases: Phases, slot: SlotJumps, moment: Real, budget: Real) -> None:
        """-Re <lambda| L^dag L |psi> along delta: L^dag L is n, 1 - n, or 1/4 of the identity sixteen times."""
        whole = float(moment.sum())
        filled = (whole - phases.sums(moment)) / 2
        for hop in slot.hops:
            budget[hop.term] -= hop.down * filled[hop.qubit] + hop.up * (whole - filled[hop.qubit])
        for reset in slot.resets:
            budget[reset.term] -= reset.rate * whole


def _random_signs(rng: np.random.Generator, count: int) -> Real:
    return np.asarray(2.0 * rng.integers(0, 2, size=count) - 1.0)


def _apply(operator: object, jets: Complex) -> Complex:
    return np.ascontiguousarray(operator @ jets)  # type: ignore[operator]
