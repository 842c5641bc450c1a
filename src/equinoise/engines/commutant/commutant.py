"""The commutant engine: exact noisy gradients for any symmetry given by generators.

Circuit and noise commute with a group, and so does readout or input: everything happens among the operators that
commute with the group, blocks of m_lambda x m_lambda numbers, one for each irrep that the noise can reach from the
input. Forward, the state after each move is kept; backward, the readout is pulled through noise and moves, and each
parameter's derivative 2 Im Tr[A H rho] is read off on the way.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array, eye_array

from equinoise.circuit.pauli_sums import sparse_matrix
from equinoise.engines.commutant.commutant_noise import (
    Exponential,
    NoiseGenerator,
    SparseMap,
    exponential,
    merged,
    noise_generator,
)
from equinoise.engines.commutant.commutant_steps import Move, moves
from equinoise.engines.commutant.invariant_groups import invariant_groups
from equinoise.engines.contract import Cost, ExactAnswers, about, check_serves, memory_limit
from equinoise.engines.draws import Draw
from equinoise.errors import MemoryLimitError
from equinoise.reduction.compiled import IsotypicSector
from equinoise.reduction.slots.slot import SlotProgram
from equinoise.reduction.slots.slot_terms import SECOND, SlotTerm, slot_terms
from equinoise.reduction.symmetric_program import SymmetricProgram
from equinoise.symmetry.commutant_basis import Commutant
from equinoise.symmetry.isotypic import MAX_CUBES, MAX_WIDTH, Isotypic, diagonalisation_cost, isotypic
from equinoise.symmetry.matrix_orbits import MatrixOrbits, matrix_orbits

__all__ = ["CommutantEngine"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

SERIES_ORDERS = 3
# a step on one coordinate per row of its block that it mixes, measured on one core; for estimates only
SECONDS_PER_UPDATE = 3e-9
# one element of a sparse generator in a product, likewise; products of an exponential that is summed
SECONDS_PER_COUPLING = 1.5e-9
TAYLOR = 25

decomposed = lru_cache(maxsize=16)(isotypic)
_cubes = lru_cache(maxsize=64)(diagonalisation_cost)


@dataclass(frozen=True)
class _Sweep:
    """Each move's unitaries, the state after each move, and the state after the last noise."""

    prepared: list[list[Complex]]
    kept: list[Complex]
    final: Complex


class CommutantEngine(ExactAnswers):
    """Exact noisy values and gradients of a problem compiled for its symmetry.

    Args:
        program: The compiled problem.
        workers: Draws run at once (threads); by default all processors, fewer when memory is short.

    Raises:
        MemoryLimitError: Not even one draw fits in memory (with the numbers).
        SymmetryError: A step or a slot's noise leads out of the commutant.
    """

    name = "commutant"

    def __init__(self, program: SymmetricProgram, workers: int | None = None) -> None:
        check_serves(type(self), program)
        super().__init__(program, workers)
        self.program = program
        self.found: Isotypic = decomposed(program.symmetry)
        self._jumps: dict[tuple[object, ...], coo_array] = {}
        self._known: dict[tuple[object, ...], NoiseGenerator] = {}
        self._terms: dict[SlotProgram, tuple[SlotTerm, ...]] = {s: slot_terms(s) for s in dict.fromkeys(program.slots)}
        self.commutant = Commutant(self.found, self._reached())
        numbers = self.commutant.numbers
        self._moves: tuple[Move, ...] = moves(program.steps, self.commutant)
        self._layers: list[list[Move]] = [[] for _ in range(program.num_layers)]
        for move in self._moves:
            self._layers[move.layer].append(move)
        room = memory_limit()
        needed = self._draw_bytes(1)
        if needed > room:
            raise MemoryLimitError(
                f"one gradient in the commutant of {program.symmetry} on {program.width} qubits keeps "
                f"{about(numbers)} complex numbers for each of {len(self._moves)} moves: {about(needed, 10**9)} GB, "
                f"and {room / 1e9:.3g} GB are free. Use fewer layers or a narrower light cone; EQUINOISE_MEMORY_GB "
                "sets the limit."
            )
        self.workers = max(1, min(workers or os.cpu_count() or 1, room // self._draw_bytes(SERIES_ORDERS)))
        noisy = any(self._terms.values())
        # noise acts in a basis of its own where that makes it sparser; see there
        self._orbits: MatrixOrbits | None = matrix_orbits(self.commutant) if noisy else None
        self._groups = {slot: self._generators(invariant_groups(self.found, t)) for slot, t in self._terms.items()}
        self._exponentials: dict[tuple[NoiseGenerator, float], Exponential] = {}
        self._channels: dict[tuple[SlotProgram, float], list[Exponential]] = {}
        self._single: dict[SlotProgram, list[NoiseGenerator]] = {}
        readout = sparse_matrix(program.readout, program.width)
        self._readout = self.commutant.of_operator(readout)
        self._square = self.commutant.of_operator(csr_array(readout @ readout))
        self._input = self.commutant.of_vectors(program.input_vectors())

    # -- what it can do, and at what cost --------------------------------------------------------------------------

    @classmethod
    def obstacle(cls, program: SymmetricProgram) -> str | None:
        """Why a problem is not for this engine, and which one serves; None if it is."""
        if program.width > MAX_WIDTH:
            return (
                f"the light cone of {program.width} qubits is wider than the {MAX_WIDTH} on which a symmetry is "
                "decomposed numerically; engine 'permutation' takes more for permutation-equivariant circuits"
            )
        if _cubes(program.symmetry) > MAX_CUBES:
            return (
                f"the symmetry {program.symmetry} mixes too many of the 2^{program.width} states to be decomposed "
                "numerically; engine 'permutation' takes more for permutation-equivariant circuits"
            )
        return None

    @classmethod
    def cost(cls, program: SymmetricProgram) -> Cost:
        """Seconds and bytes of one gradient."""
        found = decomposed(program.symmetry)
        # f states of the computational basis to a vector of the commutant's; where it is 1, all is as local as there
        states = found.basis.nnz / 2**found.width
        rows = [2 if states == 1 else i.multiplicity for i in found.irreps]
        updates = sum(i.multiplicity**2 * r for i, r in zip(found.irreps, rows, strict=True)) * len(program.steps)
        products = {slot: _products(slot) for slot in dict.fromkeys(program.slots)}
        coupled = found.numbers * min(found.numbers, 4 * states**2)
        noise = 2 * SECONDS_PER_COUPLING * coupled * sum(products[slot] for slot in program.slots)
        return Cost(6 * SECONDS_PER_UPDATE * updates + noise, 16 * found.numbers * (len(program.steps) + 6))

    def _draw_bytes(self, orders: int) -> int:
        return 16 * self.commutant.numbers * orders * (len(self._moves) + 6)

    @property
    def memory_bytes(self) -> int:
        """Estimated peak of one gradient, in bytes."""
        return self._draw_bytes(1)

    # -- preparation ---------------------------------------------------------------------------------------------

    def _reached(self) -> tuple[int, ...]:
        """The irreps in which the input lives, and those to which the noise leads from there."""
        # The twirl of rho has weight in irrep lambda iff P_lambda rho P_lambda is not 0; circuit steps keep irreps, a
        # jump K leads from lambda to mu iff the block K_mu,lambda is not 0. The closure under these is all that a state
        # can reach, so the blocks of other irreps are left out: they hold zeros.
        vectors = self.program.input_vectors()
        inner = self.found.basis.conj().T.tocsr() @ vectors
        irrep, _, _ = self.found.places
        weight = np.bincount(irrep, weights=np.sum(np.abs(inner) ** 2, axis=1), minlength=len(self.found.irreps))
        return self._reached_from(np.flatnonzero(weight > 1e-24 * weight.sum()), self._terms.values())

    def _reached_from(self, irreps: Iterable[int], slots: Iterable[Sequence[SlotTerm]]) -> tuple[int, ...]:
        """The irreps to which the noise leads from some of them."""
        irrep, _, _ = self.found.places
        reached = np.zeros(len(self.found.irreps), dtype=bool)
        reached[list(irreps)] = True
        graph = np.eye(reached.size, dtype=bool)
        for terms in slots:
            for _, jump in (j for t in terms for j in t.jumps):
                entries = self._transformed(jump)
                graph[irrep[entries.row], irrep[entries.col]] = True
        while True:
            further = graph @ reached
            if np.array_equal(further, reached):
                return tuple(int(k) for k in np.flatnonzero(reached))
            reached = further

    def _transformed(self, jump: object) -> coo_array:
        key = tuple(jump.items())  # type: ignore[attr-defined]
        if key not in self._jumps:
            self._jumps[key] = self.found.transformed(sparse_matrix(dict(key), self.program.width))
        return self._jumps[key]

    def _generators(self, terms: Sequence[SlotTerm]) -> list[tuple[SlotTerm, NoiseGenerator]]:
        return [(term, self._generator(term)) for term in terms]

    def _generator(self, term: SlotTerm, *, averaged: bool = False) -> NoiseGenerator:
        """A term's generator, the same for equal terms of all slots."""
        key = (averaged, *((rate, *jump.items()) for rate, jump in term.jumps))
        if key not in self._known:
            self._known[key] = self._made(term, averaged)
        return self._known[key]

    def _made(self, term: SlotTerm, averaged: bool) -> NoiseGenerator:
        if self._orbits is not None:
            sparse = [(rate, sparse_matrix(jump, self.program.width)) for rate, jump in term.jumps]
            matrix = self._orbits.generator(sparse, term.bound, averaged=averaged)
            return NoiseGenerator(self.commutant, term.rates, term.bound, matrix=matrix)
        jumps = [(rate, self._transformed(jump)) for rate, jump in term.jumps]
        size = 2**self.program.width
        decay = csr_array((size, size), dtype=np.complex128)
        for rate, jump in term.jumps:
            k = sparse_matrix(jump, self.program.width)
            decay = decay + rate * (k.conj().T @ k)
        number = float(decay[0, 0].real)
        if abs(decay - number * eye_array(size, format="csr")).max() < 1e-14 * term.bound:  # as of Pauli jumps
            kept = [csr_array(number * eye_array(m, format="csr")) for m in self.commutant.multiplicities]
        else:
            blocks = self.found.twirled(self.found.transformed(csr_array(decay)))
            kept = [blocks[k] for k in self.commutant.kept]
        return noise_generator(self.commutant, self.commutant.couplings(jumps), kept, term.rates, term.bound)

    def _channel(self, layer: int, scale: float) -> list[Exponential]:
        return self._channel_of(self.program.slots[layer], scale)

    def _channel_of(self, slot: SlotProgram, scale: float) -> list[Exponential]:
        """The noise of a slot at a scale, in the order in which it acts; built once."""
        if scale == 0:
            return []
        if (slot, scale) not in self._channels:
            made: list[Exponential] = []
            for second in (False, True):
                stage = [self._exponential(g, scale) for t, g in self._groups[slot] if (t.stage == SECOND) is second]
                made += merged(stage)
            self._channels[slot, scale] = [*self._into, *made, *self._back] if made else []
        return self._channels[slot, scale]

    def _exponential(self, generator: NoiseGenerator, scale: float) -> Exponential:
        if (generator, scale) not in self._exponentials:
            self._exponentials[generator, scale] = exponential(generator, scale)
        return self._exponentials[generator, scale]

    def _terms_of(self, slot: SlotProgram) -> list[NoiseGenerator]:
        """The slot's terms one by one, for the budget."""
        if slot not in self._single:
            groups = {id(t): g for t, g in self._groups[slot]}
            self._single[slot] = [groups.get(id(t)) or self._generator(t, averaged=True) for t in self._terms[slot]]
        return self._single[slot]

    @cached_property
    def _into(self) -> tuple[SparseMap, ...]:
        return () if self._orbits is None else (SparseMap(self._orbits.turn),)

    @cached_property
    def _back(self) -> tuple[SparseMap, ...]:
        return () if self._orbits is None else (SparseMap(csr_array(self._orbits.turn.conj().T)),)

    def _noise_basis(self, x: Complex) -> Complex:
        """Coordinates in which the noise is stated, shape (orders, numbers)."""
        for turn in self._into:
            x = turn.forward(x)
        return x

    def _block_basis(self, x: Complex) -> Complex:
        """And back."""
        for turn in self._into:
            x = turn.backward(x)
        return x

    # -- sectors, for the fixed point ------------------------------------------------------------------------------

    @property
    def kept_symmetry(self) -> str:
        """What the noise keeps of the symmetry claimed."""
        return str(self.program.symmetry)

    @property
    def sectors(self) -> tuple[IsotypicSector, ...]:
        """The irreps that the noise reaches from the input."""
        return tuple(IsotypicSector(i.label, i.multiplicity, i.dimension) for i in self.commutant.irreps)

    def layer_states(self, theta: Real) -> list[list[Complex]]:
        """The noiseless state after each layer, in every block."""
        state, angles, out = self._input[None].copy(), self.program.angles(theta), []
        for here in self._layers:
            for move in here:
                move.forward(state, move.prepared(angles))
            out.append(self.commutant.split(state[0]))
        return out

    def limit(self, layer: int, state: list[Complex]) -> list[Complex]:
        """What a slot's noise leaves of a state at s = infinity, on all cone qubits where the irreps held allow it."""
        slot = self.program.unrestricted_slot(layer)
        if slot not in self._terms:
            terms = slot_terms(slot)
            held = set(self.commutant.kept)
            if not held.issuperset(self._reached_from(held, [terms])):
                slot = self.program.slots[layer]
            else:
                self._terms[slot] = terms
                self._groups[slot] = self._generators(invariant_groups(self.found, terms))
        left = self.commutant.join(state)[None]
        for channel in self._channel_of(slot, math.inf):
            left = channel.forward(left)
        return self.commutant.split(left[0])

    def generator_blocks(self) -> list[list[Complex]]:
        """The different generators of the circuit's steps."""
        different = {frozenset(s.generator.items()): s.generator for s in self.program.steps}.values()
        out = []
        for generator in different:
            blocks = self.found.twirled(self.found.transformed(sparse_matrix(generator, self.program.width)))
            out.append([blocks[k].toarray() for k in self.commutant.kept])
        return out

    # -- sweeps --------------------------------------------------------------------------------------------------

    def _states(self, theta: Real, orders: int, noise: Callable[[int, Complex], Complex]) -> _Sweep:
        """Forward through all layers; ``noise(layer, state)`` is what a slot does."""
        angles = self.program.angles(theta)
        state = np.zeros((orders, self.commutant.numbers), dtype=np.complex128)
        state[0] = self._input
        prepared, kept = [], []
        for layer, here in enumerate(self._layers):
            for move in here:
                unitary = move.prepared(angles)
                move.forward(state, unitary)
                prepared.append(unitary)
                kept.append(state.copy())
            state = noise(layer, state)
        return _Sweep(prepared, kept, state)

    def _gradient(self, sweep: _Sweep, noise: Callable[[int, Complex], Complex]) -> Real:
        """Backward, ``noise`` the adjoint of a slot's: the gradient per power of s, shape (orders, K)."""
        # dC/da = 2 Im Tr[A H rho] for a move exp(-i a H), with rho just after it and A the readout pulled back to
        # there; then A <- U^dag A U. Rows are powers of s: the products of the two series are formed in ``moments``.
        adjoint = np.zeros_like(sweep.final)
        adjoint[0] = self._readout
        by_step = np.zeros((adjoint.shape[0], len(self.program.steps)))
        number = len(self._moves)
        for layer in range(len(self._layers) - 1, -1, -1):
            adjoint = noise(layer, adjoint)
            for move in reversed(self._layers[layer]):
                number -= 1
                by_step[:, list(move.steps)] = move.moments(adjoint, sweep.kept.pop())
                move.backward(adjoint, sweep.prepared[number])
        return self._by_parameter(by_step)

    def value(self, theta: Real, scale: float, rng: np.random.Generator | None = None) -> tuple[float, float]:
        """C(theta; s) and <O^2>."""
        angles = self.program.angles(theta)
        state = self._input[None].copy()
        for layer, here in enumerate(self._layers):
            for move in here:
                move.forward(state, move.prepared(angles))
            for channel in self._channel(layer, scale):
                state = channel.forward(state)
        return _real_overlap(self._readout, state[0]), _real_overlap(self._square, state[0])

    def draw(self, theta: Real, scale: float, rng: np.random.Generator | None = None) -> Draw:
        """Value, <O^2> and gradient at one scale (0 to infinity)."""

        def noise(layer: int, x: Complex) -> Complex:
            for channel in self._channel(layer, scale):
                x = channel.forward(x)
            return x

        def adjoint(layer: int, x: Complex) -> Complex:
            for channel in reversed(self._channel(layer, scale)):
                x = channel.backward(x)
            return x

        sweep = self._states(theta, 1, noise)
        value, square = (_real_overlap(a, sweep.final[0]) for a in (self._readout, self._square))
        return Draw(value, square, self._gradient(sweep, adjoint)[0])

    def series(self, theta: Real) -> Real:
        """Taylor coefficients of the gradient in s at s = 0: g(s) = g_0 + g_1 s + g_2 s^2 + ..., shape (3, K)."""

        def noise(layer: int, x: Complex) -> Complex:
            groups = self._groups[self.program.slots[layer]]
            return self._expanded(x, [g.apply for _, g in groups])

        def adjoint(layer: int, x: Complex) -> Complex:
            groups = self._groups[self.program.slots[layer]]
            return self._expanded(x, [g.apply_adjoint for _, g in reversed(groups)])

        return self._gradient(self._states(theta, SERIES_ORDERS, noise), adjoint)

    def _expanded(self, x: Complex, generators: Sequence[Callable[[Complex], Complex]]) -> Complex:
        """The product of exp(s L) over generators, the first acting first, on a power series in s to second order."""
        if not generators:
            return x
        # (x0 + s x1 + s^2 x2) <- (1 + s L + s^2 L^2/2)(...): x1 gains L x0, x2 gains L x1 + L^2 x0/2, all from the old
        # x.
        x = self._noise_basis(x)
        for times in generators:
            once = times(x[:2])
            x[1] += once[0]
            x[2] += once[1] + times(once[:1])[0] / 2
        return self._block_basis(x)

    def budget(self, theta: Real, direction: Real) -> Real:
        """Derivative along ``direction`` of <<O_l| E_j |rho_l>> for each of ``program.budget_terms``, at s = 0."""
        parts = []
        for layer, tangents in self._tangents(theta, direction):
            adjoint, dadjoint, state, dstate = self._noise_basis(np.stack(tangents))
            here = [
                _real_overlap(dadjoint, generator.apply(state[None])[0])
                + _real_overlap(adjoint, generator.apply(dstate[None])[0])
                for generator in self._terms_of(self.program.slots[layer])
            ]
            parts.append(np.array(here))
        return np.concatenate(parts[::-1])

    def _tangents(
        self, theta: Real, direction: Real
    ) -> Iterator[tuple[int, tuple[Complex, Complex, Complex, Complex]]]:
        """Noiseless readout and state at each slot with their derivatives along ``direction``, last slot first."""
        angles = self.program.angles(theta)
        # A state and its derivative side by side: d(U X U^dag) = U dX U^dag - i [w H, U X U^dag] with w the change of
        # the angle.
        weights = np.array([sum(c * direction[k] for k, c in s.angle.coefficients) for s in self.program.steps])
        pair = np.stack([self._input, np.zeros_like(self._input)])
        prepared, kept = [], []
        for here in self._layers:
            for move in here:
                unitary = move.prepared(angles)
                move.forward(pair, unitary)
                pair[1] += move.commutator(pair[:1], weights)[0]
                prepared.append(unitary)
            kept.append(pair.copy())
        adjoint = np.stack([self._readout, np.zeros_like(self._readout)])
        number = len(self._moves)
        for layer in range(len(self._layers) - 1, -1, -1):
            state, dstate = kept.pop()
            yield layer, (adjoint[0], adjoint[1], state, dstate)
            for move in reversed(self._layers[layer]):
                number -= 1
                # d(U^dag A U) = U^dag (dA + i [H, A]) U
                adjoint[1] -= move.commutator(adjoint[:1], weights)[0]
                move.backward(adjoint, prepared[number])

    def _by_parameter(self, by_step: Real) -> Real:
        """The chain rule from step angles to circuit parameters, shape (orders, K)."""
        out = np.zeros((by_step.shape[0], len(self.program.problem.parameters)))
        for number, step in enumerate(self.program.steps):
            for k, c in step.angle.coefficients:
                out[:, k] += c * by_step[:, number]
        return out


def _products(slot: SlotProgram) -> int:
    """How often the generators of a slot's noise are applied for its exponential; dephasing has small components."""
    if slot.dephases_only:
        return 0
    return sum(max(1, len(term.rates or ()) - 1) if term.rates else TAYLOR for term in slot_terms(slot))


def _real_overlap(a: Complex, b: Complex) -> float:
    """Tr[A B] of Hermitian operators; not by BLAS, whose sums depend on where arrays lie in memory."""
    return float(np.sum(a.real * b.real) + np.sum(a.imag * b.imag))
