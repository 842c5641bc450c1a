"""kappa and its budget from state vectors, by random signs.

A jump K = K^dag of rate r is a random turn, exp(s r D[K]) = E_xi exp(-i sqrt(s r) xi K .) with E xi^2 = 1, so that

    sum_k g_k g'_k = (1/2) E_xi d^2/d epsilon^2 (sum_k g_k dC/dtheta_k) at turns epsilon sqrt(r_a) xi_a of all slots a,

with one vector of independent signs xi: the terms a != b average out. K is diagonal (a phase), a Pauli string, or any
Hermitian matrix on few qubits. Another jump L contributes r <L psi| O_l |L psi>, taken likewise with random signs:
chi = sum_a xi_a sqrt(r_a) L_a psi, inserted along the circuit, gives <chi|O|chi>; its partner
-r Re <psi| L^dag L O_l |psi>, and 2 Im <psi| O_l H |psi> of a Hamiltonian, are exact. All come with derivatives along
the gradient (a tangent delta), forwards and backwards once, whatever the number of noise terms. xi_a times the
derivative with respect to the turn or insertion a is an unbiased estimate of term a alone, which gives the budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.engines.sector.block_unitaries import Blocks
from equinoise.engines.vectors import vector_kernels as kernels
from equinoise.engines.vectors.diagonals import Phases
from equinoise.engines.vectors.jumps import Jump, SlotJumps
from equinoise.reduction.program import Program

__all__ = ["FirstOrderSweep"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

# columns of the jets (1, epsilon, delta, epsilon delta), and of (1, delta)
_JET = (0, 0, 0, 0)
_PAIR = (0, 2)
# columns of adjoint and state that make the coefficient of epsilon delta, of delta, and of delta for (1, delta)
_EPSILON_DELTA = ((3, 1, 2, 0), (0, 2, 1, 3))
_DELTA = ((2, 0), (0, 2))
_INSERTED = ((1, 0), (0, 2))


@dataclass(frozen=True)
class _Signs:
    """One draw of random signs or, for noise correlated in time, of a Gaussian sequence: the turn of every jump.

    Attributes:
        jumps: sqrt(rate) xi per slot and linear jump.
        parities: Likewise for products of Z.
        hops: sqrt(phase rate) xi per slot and hop.
        kicks: sqrt(rate) xi per slot and Hermitian jump that is not diagonal.
        processes: Phase amplitude per slot and qubit, shape (L, w), per process.
        total: All phases per slot and qubit, shape (L, w).
    """

    jumps: tuple[Real, ...]
    parities: tuple[Real, ...]
    hops: tuple[Real, ...]
    kicks: tuple[Real, ...]
    processes: tuple[Real, ...]
    total: Real


@dataclass(frozen=True)
class _Change:
    """The jumps that chi gathers.

    Attributes:
        step: By how much they move the charge; None in the full space, where chi gathers all.
        target: Charge of chi; None in the full space.
        probability: With which this step was drawn.
    """

    step: int | None
    target: int | None
    probability: float


class FirstOrderSweep:
    """One draw of signs, and sum_k g_k g'_k by noise term with them.

    Args:
        program: The compiled problem.
        jumps: Its noise, slot by slot.
        phases: Diagonal operators on a sector.
        blocks: The draw's unitaries.
        gradient: The noiseless gradient g, shape (K,).
        rng: For the signs.

    Attributes:
        budget: What was found so far, shape (terms,).
    """

    def __init__(
        self,
        program: Program,
        jumps: Sequence[SlotJumps],
        phases: Callable[[int | None], Phases],
        blocks: Blocks,
        gradient: Real,
        rng: np.random.Generator,
    ) -> None:
        self.program, self.jumps, self.phases, self.blocks, self._rng = program, jumps, phases, blocks, rng
        self.depth = len(program.layers)
        # sum_k g_k g'_k is the derivative of the noise's first-order term along the direction g in parameter space: one
        # tangent delta instead of K of them. g is noiseless and exact, so the estimate, linear in the rest, stays
        # unbiased.
        self.tangents = blocks.tangent(program, gradient)
        self.budget = np.zeros(len(program.budget_terms))
        self.signs = self._draw_signs()

    def add(self, charge: int | None, vectors: Complex) -> None:
        """Adds the share of the input's vectors of one charge, shape (D, m)."""
        change = self._draw_change(charge)
        for vector in vectors.T:
            self._sweep(charge, vector, change)

    # -- random choices --------------------------------------------------------------------------------------------

    def _draw_signs(self) -> _Signs:
        program, rng = self.program, self._rng
        total = np.zeros((self.depth, program.width))
        jumps, parities, hops, kicks = [], [], [], []
        for number, slot in enumerate(self.jumps):
            jumps.append(np.sqrt(slot.rates) * _random_signs(rng, slot.rates.size))
            parities.append(np.sqrt([r for _, r, _ in slot.parities]) * _random_signs(rng, len(slot.parities)))
            hops.append(np.sqrt([hop.phase for hop in slot.hops]) * _random_signs(rng, len(slot.hops)))
            kicks.append(np.sqrt([kick.rate for kick in slot.kicks]) * _random_signs(rng, len(slot.kicks)))
            total[number] += jumps[-1] @ slot.weights
            for hop, phase in zip(slot.hops, hops[-1], strict=True):
                total[number, hop.qubit] += phase
        processes = []
        for process in program.processes:
            processes.append(process.phases(_random_signs(rng, process.rank)))
            total += processes[-1]
        return _Signs(tuple(jumps), tuple(parities), tuple(hops), tuple(kicks), tuple(processes), total)

    def _draw_change(self, charge: int | None) -> _Change | None:
        """A change of charge among those of the jumps, drawn by their total rates; None if there is no jump."""
        # chi lives in one sector, so one change of charge is followed in a draw, and its result divided by the
        # probability with which it was drawn: unbiased. Of the sixteen jumps |a><b| of a pair 6 keep the charge, 4 move
        # it by +1 or by -1 each, 1 by +2 or by -2 each.
        rates: dict[int, float] = {}
        for slot in self.jumps:
            for jump in slot.jumps:
                rates[jump.operator.step] = rates.get(jump.operator.step, 0.0) + jump.weight
        if charge is None:
            return _Change(None, None, 1.0) if rates else None
        possible = {step: r for step, r in rates.items() if r > 0 and charge + step in self.program.charges}
        if not possible:
            return None
        steps = sorted(possible)
        weights = np.array([possible[step] for step in steps])
        weights /= weights.sum()
        pick = int(self._rng.choice(len(steps), p=weights))
        return _Change(steps[pick], charge + steps[pick], float(weights[pick]))

    def _inserted(self, number: int, charge: int | None, change: _Change) -> list[Jump]:
        """The jumps of a slot that chi gathers from a state of this charge."""
        return [
            jump
            for jump in self.jumps[number].jumps
            if change.step in (None, jump.operator.step) and jump.operator.acts(charge)
        ]

    # -- one vector ------------------------------------------------------------------------------------------------

    def _sweep(self, charge: int | None, vector: Complex, change: _Change | None) -> None:
        """Adds one input vector's share of sum_k g_k g'_k to each noise term."""
        # Forward: psi as the jet (1, epsilon, delta, epsilon delta), the turns at epsilon and the parameters along
        # delta; chi = sum_a xi_a sqrt(r_a) L_a psi gathers the jumps, moved on by what follows. Backward: lambda = O
        # psi and mu = O chi are pulled back. At each slot <lambda| K |psi>, <lambda| L^dag L |psi> and <mu| L_a |psi>
        # give every term its share; times xi_a, terms a != b average out, and a = b is the one wanted.
        program, phases = self.program, self.phases(charge)
        rows = program.tables[charge].arguments
        psi = np.zeros((vector.shape[0], 4), dtype=np.complex128)
        psi[:, 0] = vector
        chi = np.zeros((0 if change is None else program.sectors[change.target].dimension, 2), dtype=np.complex128)
        amplitudes: list[Real] = []
        for number, layer in enumerate(program.layers):
            part = slice(layer.start, layer.stop)
            step = (layer.kind, layer.table, self.blocks.unitary[part], self.tangents[0][part])
            kernels.multiply_tangent(psi, _JET, *step, *rows)
            if change is not None:
                if number > 0:
                    kernels.multiply_tangent(chi, _PAIR, *step, *program.tables[change.target].arguments)
                inserted = self._inserted(number, charge, change)
                amplitudes.append(_random_signs(self._rng, len(inserted)))
                for sign, jump in zip(amplitudes[-1], inserted, strict=True):
                    jump.operator.add(chi, (0, 1), psi, _PAIR, charge, sign * math.sqrt(jump.rate))
            self._turn(psi, charge, number, 1.0)
        adjoint = _apply(program.readout[charge], psi)
        mu = chi if change is None else _apply(program.readout[change.target], chi)
        for number in range(self.depth - 1, -1, -1):
            layer = program.layers[number]
            # Taken after the slot's own turns, in psi and lambda both, so that the derivative by epsilon holds the
            # term a = a.
            self._add_turns(phases, charge, number, psi, adjoint)
            self._turn(psi, charge, number, -1.0)
            self._turn(adjoint, charge, number, -1.0)
            self._add_moments(phases, charge, number, psi, adjoint)
            if change is not None:
                inserted = self._inserted(number, charge, change)
                for sign, jump in zip(amplitudes[number], inserted, strict=True):
                    seen = jump.operator.moment(mu, _INSERTED[0], psi, _INSERTED[1], charge).real
                    self.budget[jump.term] += sign * math.sqrt(jump.rate) * seen / change.probability
            if number == 0:
                break
            first, last = program.num_blocks - layer.stop, program.num_blocks - layer.start
            step = (*layer.reversed, self.blocks.dagger[first:last], self.tangents[1][first:last])
            kernels.multiply_tangent(psi, _JET, *step, *rows)
            kernels.multiply_tangent(adjoint, _JET, *step, *rows)
            if change is not None:
                kernels.multiply_tangent(mu, _PAIR, *step, *program.tables[change.target].arguments)

    def _turn(self, jet: Complex, charge: int | None, number: int, sign: float) -> None:
        """A slot's random turns on a jet to first order in epsilon, or back."""
        slot, phases = self.jumps[number], self.phases(charge)
        phi = phases.values(self.signs.total[number])
        for amplitude, (qubits, _, _) in zip(self.signs.parities[number], slot.parities, strict=True):
            phi += amplitude * phases.parity(qubits)
        kernels.phase_jet(jet, phi, sign)
        for amplitude, kick in zip(self.signs.kicks[number], slot.kicks, strict=True):
            kick.operator.add(jet, (1, 3), jet, (0, 2), charge, -1j * sign * amplitude)

    def _add_turns(self, phases: Phases, charge: int | None, number: int, psi: Complex, adjoint: Complex) -> None:
        """The derivative by each turn, times its amplitude sqrt(rate) xi."""
        slot, signs, budget = self.jumps[number], self.signs, self.budget
        moment = np.empty(psi.shape[0])
        kernels.phase_moments(psi, adjoint, moment)
        # The derivative by each qubit's phase; a jump's is that along its weights.
        sums = phases.sums(moment)
        np.add.at(budget, slot.terms, signs.jumps[number] * (slot.weights @ sums))
        for amplitude, (qubits, _, term) in zip(signs.parities[number], slot.parities, strict=True):
            budget[term] += amplitude * float(np.einsum("x,x->", moment, phases.parity(qubits)))
        for amplitude, hop in zip(signs.hops[number], slot.hops, strict=True):
            budget[hop.term] += amplitude * sums[hop.qubit]
        for amplitude, kick in zip(signs.kicks[number], slot.kicks, strict=True):
            left, right = _EPSILON_DELTA
            budget[kick.term] += amplitude * kick.operator.moment(adjoint, left, psi, right, charge).imag
        for j, process in enumerate(signs.processes):
            place = self.program.process_terms[j].get(number)
            if place is not None:
                budget[place] += float(process[number] @ sums)

    def _add_moments(self, phases: Phases, charge: int | None, number: int, psi: Complex, adjoint: Complex) -> None:
        """-Re <lambda| L^dag L |psi> along delta (L^dag L is n, 1 - n, or 1/4 sixteen times), 2 Im <lambda| H |psi>."""
        slot, budget = self.jumps[number], self.budget
        if not slot.has_first_moments:
            return
        moment = np.empty(psi.shape[0])
        kernels.value_moments(psi, adjoint, moment)
        whole = float(moment.sum())
        filled = (whole - phases.sums(moment)) / 2
        for hop in slot.hops:
            budget[hop.term] -= hop.down * filled[hop.qubit] + hop.up * (whole - filled[hop.qubit])
        for reset in slot.resets:
            budget[reset.term] -= reset.rate * whole
        left, right = _DELTA
        for jump in slot.stated:
            if jump.loss is not None:
                budget[jump.term] -= jump.rate * jump.loss.moment(adjoint, left, psi, right, charge).real
        for turn in slot.turns:
            budget[turn.term] += 2 * turn.operator.moment(adjoint, left, psi, right, charge).imag


def _random_signs(rng: np.random.Generator, count: int) -> Real:
    return np.asarray(2.0 * rng.integers(0, 2, size=count) - 1.0)


def _apply(operator: object, jets: Complex) -> Complex:
    return np.ascontiguousarray(operator @ jets)  # type: ignore[operator]
