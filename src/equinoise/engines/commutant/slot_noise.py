"""The noise of a problem's slots on the commutant: which irreps it reaches, its generators, its channels.

A slot's terms are joined to the smallest groups that keep the symmetry; each group is one generator L, and exp(s L) is
one or more maps (see :mod:`equinoise.engines.commutant.commutant_noise`). Groups of one stage commute where they are
merged; the second stage acts after the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array, eye_array

from equinoise.circuit.pauli_sums import sparse_matrix
from equinoise.engines.block_space import real_overlap
from equinoise.engines.commutant.commutant_noise import (
    Exponential,
    NoiseGenerator,
    SparseMap,
    exponential,
    merged,
    noise_generator,
)
from equinoise.engines.commutant.invariant_groups import invariant_groups
from equinoise.reduction.slots.slot_program import SlotProgram
from equinoise.reduction.slots.slot_terms import SECOND, SlotTerm, slot_terms
from equinoise.reduction.symmetric_program import SymmetricProgram
from equinoise.symmetry.commutant_basis import Commutant
from equinoise.symmetry.isotypic import Isotypic
from equinoise.symmetry.matrix_orbits import MatrixOrbits, matrix_orbits

__all__ = ["Reach", "SlotNoise", "taylor_products"]

Complex = npt.NDArray[np.complex128]

# products of an exponential that is summed; for estimates only
TAYLOR = 25


class Reach:
    """Which irreps the noise connects.

    Args:
        program: The compiled problem.
        found: Its symmetry, decomposed.

    Attributes:
        terms: Of each different slot.
    """

    def __init__(self, program: SymmetricProgram, found: Isotypic) -> None:
        self.program = program
        self.found = found
        self.terms: dict[SlotProgram, tuple[SlotTerm, ...]] = {s: slot_terms(s) for s in dict.fromkeys(program.slots)}
        self._jumps: dict[tuple[object, ...], coo_array] = {}

    def of_input(self) -> tuple[int, ...]:
        """The irreps in which the input lives, and those to which the noise leads from there."""
        vectors = self.program.input_vectors()
        inner = self.found.basis.conj().T.tocsr() @ vectors
        irrep, _, _ = self.found.places
        weight = np.bincount(irrep, weights=np.sum(np.abs(inner) ** 2, axis=1), minlength=len(self.found.irreps))
        return self.of(np.flatnonzero(weight > 1e-24 * weight.sum()), self.terms.values())

    def of(self, irreps: Iterable[int], slots: Iterable[Sequence[SlotTerm]]) -> tuple[int, ...]:
        """The irreps to which the noise leads from some of them."""
        irrep, _, _ = self.found.places
        reached = np.zeros(len(self.found.irreps), dtype=bool)
        reached[list(irreps)] = True
        graph = np.eye(reached.size, dtype=bool)
        for terms in slots:
            for _, jump in (j for t in terms for j in t.jumps):
                entries = self.transformed(jump)
                graph[irrep[entries.row], irrep[entries.col]] = True
        while True:
            further = graph @ reached
            if np.array_equal(further, reached):
                return tuple(int(k) for k in np.flatnonzero(reached))
            reached = further

    def transformed(self, jump: object) -> coo_array:
        """A jump in the basis of the irreps, made once."""
        key = tuple(jump.items())  # type: ignore[attr-defined]
        if key not in self._jumps:
            self._jumps[key] = self.found.transformed(sparse_matrix(dict(key), self.program.width))
        return self._jumps[key]


class SlotNoise:
    """Generators and channels of a problem's slots, each built once.

    Args:
        reach: Of the problem's noise.
        commutant: The coordinates.

    Attributes:
        groups: Of each slot, its terms joined to groups that keep the symmetry, with their generators.
    """

    def __init__(self, reach: Reach, commutant: Commutant) -> None:
        self.program = reach.program
        self.found = reach.found
        self.commutant = commutant
        self._reach = reach
        self._known: dict[tuple[object, ...], NoiseGenerator] = {}
        # noise acts in a basis of its own where that makes it sparser; see there
        self._orbits: MatrixOrbits | None = matrix_orbits(commutant) if any(reach.terms.values()) else None
        self.groups = {slot: self._generators(invariant_groups(self.found, t)) for slot, t in reach.terms.items()}
        self._exponentials: dict[tuple[NoiseGenerator, float], Exponential] = {}
        self._channels: dict[tuple[SlotProgram, float], list[Exponential]] = {}
        self._single: dict[SlotProgram, list[NoiseGenerator]] = {}

    # -- what a sweep asks for -------------------------------------------------------------------------------------

    def apply(self, slot: SlotProgram, scale: float | None, x: Complex, adjoint: bool = False) -> Complex:
        """exp(s E) of a slot, or its adjoint; None: its power series to second order, on x of shape (3, numbers)."""
        if scale is None:
            generators = [generator for _, generator in self.groups[slot]]
            times = [g.apply_adjoint for g in reversed(generators)] if adjoint else [g.apply for g in generators]
            return self._expanded(x, times)
        channels = self._channel_of(slot, scale)
        for channel in reversed(channels) if adjoint else channels:
            x = channel.backward(x) if adjoint else channel.forward(x)
        return x

    def shares(self, slot: SlotProgram, operator: Complex, state: Complex) -> list[float]:
        """<<dA|E_j|rho>> + <<A|E_j|drho>> of each term, for pairs of shape (2, numbers)."""
        (a, da), (rho, drho) = self._noise_basis(np.stack([operator, state]).reshape(4, -1)).reshape(2, 2, -1)
        return [
            real_overlap(da, generator.apply(rho[None])[0]) + real_overlap(a, generator.apply(drho[None])[0])
            for generator in self._terms_of(slot)
        ]

    def limit(self, layer: int, x: Complex) -> Complex:
        """What a slot leaves at s = infinity, on all cone qubits where the irreps held allow it."""
        slot = self.program.unrestricted_slot(layer)
        if slot not in self.groups:
            terms = slot_terms(slot)
            held = set(self.commutant.kept)
            if held.issuperset(self._reach.of(held, [terms])):
                self._reach.terms[slot] = terms
                self.groups[slot] = self._generators(invariant_groups(self.found, terms))
            else:
                slot = self.program.slots[layer]
        return self.apply(slot, math.inf, x)

    # -- how it is built -------------------------------------------------------------------------------------------

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
        jumps = [(rate, self._reach.transformed(jump)) for rate, jump in term.jumps]
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

    def _channel_of(self, slot: SlotProgram, scale: float) -> list[Exponential]:
        """The noise of a slot at a scale, in the order in which it acts; built once."""
        if scale == 0:
            return []
        if (slot, scale) not in self._channels:
            made: list[Exponential] = []
            for second in (False, True):
                stage = [self._exponential(g, scale) for t, g in self.groups[slot] if (t.stage == SECOND) is second]
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
            groups = {id(t): g for t, g in self.groups[slot]}
            self._single[slot] = [
                groups.get(id(t)) or self._generator(t, averaged=True) for t in self._reach.terms[slot]
            ]
        return self._single[slot]

    def _expanded(self, x: Complex, generators: Sequence[Callable[[Complex], Complex]]) -> Complex:
        """The product of exp(s L) over generators, the first acting first, on a power series in s to second order.

        exp(s L) (x_0 + s x_1 + s^2 x_2) = x_0 + s (x_1 + L x_0) + s^2 (x_2 + L x_1 + L^2 x_0 / 2), in place.
        """
        if not generators:
            return x
        x = self._noise_basis(x)
        for times in generators:
            once = times(x[:2])
            x[1] += once[0]
            x[2] += once[1] + times(once[:1])[0] / 2
        return self._block_basis(x)

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


def taylor_products(slot: SlotProgram) -> int:
    """How often the generators of a slot's noise are applied for its exponential; dephasing has small components."""
    if slot.dephases_only:
        return 0
    return sum(max(1, len(term.rates or ()) - 1) if term.rates else TAYLOR for term in slot_terms(slot))
