"""A problem compiled for any symmetry: its steps on the cone, and what the noise keeps of the symmetry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from equinoise.circuit.pauli_sums import Sum, from_operator
from equinoise.circuit.steps import Step, steps
from equinoise.errors import UnsupportedError
from equinoise.noise.terms import describe_jump
from equinoise.problem import Problem
from equinoise.reduction.compiled import CompiledProblem
from equinoise.reduction.light_cone import light_cone
from equinoise.reduction.prepared import prepared
from equinoise.reduction.program import compile_problem
from equinoise.reduction.slots.kossakowski import (
    breaking_terms,
    keeps_strongly,
    keeps_weakly,
    kossakowski,
    visible_part,
)
from equinoise.reduction.slots.noise_class import NoiseClass
from equinoise.reduction.slots.slot_program import SlotProgram, compile_slot
from equinoise.symmetry.groups import Symmetry

__all__ = ["SymmetricProgram", "compiled", "symmetric_program"]

Complex = npt.NDArray[np.complex128]


class SymmetricProgram(CompiledProblem):
    """A problem compiled for the engines that work in the commutant of a symmetry.

    On-site symmetries act on any qubits, so that the light cone is kept; a permutation needs all qubits.

    Attributes:
        claimed: The problem's symmetry on the cone's qubits 0..w-1.
        symmetry: What the noise keeps of it, at least weakly.
        invisible: Dephasing that breaks it and was left out, because it is invisible to every operator that keeps it.
        steps: In time order, on cone qubits.
        readout: The readout as a Pauli sum on cone qubits.

    Raises:
        UnsupportedError: Noise correlated in time.
    """

    engines = ("commutant", "permutation")

    def __init__(self, problem: Problem) -> None:
        cone = light_cone(problem, everything=not problem.symmetry.on_site)
        super().__init__(problem, cone)
        if self.processes:
            raise UnsupportedError(
                f"noise correlated in time is computed in sectors of the charge, not of {problem.symmetry}. Claim "
                "symmetry='charge' if the circuit keeps it, or give white noise."
            )
        others = [slot.terms[place] for slot in self.slots for place, _ in slot.general]
        if others:
            raise UnsupportedError(
                f"{others[0].noun} noise, general jumps and Hamiltonians, is computed in sectors of the charge or in "
                f"the full space, not in those of {problem.symmetry}. Claim symmetry='charge' and, if the circuit does "
                "not keep it, allow_broken=True."
            )
        self.claimed: Symmetry = problem.symmetry.on(cone.qubits)
        self.symmetry: Symmetry = self.claimed
        self.invisible: tuple[str, ...] = ()
        # Three cases. The noise keeps the symmetry as it is; or it does once the jumps that are invisible in the
        # commutant are left out, which changes no expectation value of an invariant operator; or a smaller symmetry is
        # used, the largest subgroup found that the noise keeps.
        if not self._kept_by(self.slots, self.claimed):
            acting = self._visible(self.claimed)
            if self._kept_by(acting, self.claimed):
                self.invisible = self._left_out(acting)
                self.slots = acting
            else:
                matrices = [kossakowski(slot) for slot in dict.fromkeys(self.slots)]
                self.symmetry = self.claimed.kept_where(lambda g: all(keeps_weakly(m, g) for m in matrices))
        breaking: dict[str, None] = {}
        for generator in self.claimed.generators:
            if generator not in self.symmetry.generators:
                for slot in {id(slot): slot for slot in cone.slots}.values():
                    breaking |= dict.fromkeys(breaking_terms(slot, self._local, generator))
        strong = all(keeps_strongly(slot, g) for slot in set(self.slots) for g in self.symmetry.generators)
        quiet = all(slot.empty for slot in self.slots) and not self.invisible
        value = "none" if quiet else "strong" if strong else "weak"
        self.noise_class = NoiseClass(value, tuple(breaking))
        self.steps: tuple[Step, ...] = tuple(self._on_cone(s) for s in steps(problem.layers, cone.blocks))
        self.num_layers = len(problem.layers)
        self.readout: Sum = self._placed(from_operator(problem.readout))

    def _kept_by(self, slots: Iterable[SlotProgram], symmetry: Symmetry) -> bool:
        matrices = [kossakowski(slot) for slot in dict.fromkeys(slots)]
        return all(keeps_weakly(matrix, g) for matrix in matrices for g in symmetry.generators)

    def _visible(self, symmetry: Symmetry) -> tuple[SlotProgram, ...]:
        """The part of each slot that operators of the commutant can see; see :func:`visible_part`."""
        seen = [frozenset(self._local[q] for q in there) for there in self.cone.seen]
        return tuple(visible_part(slot, symmetry, there) for slot, there in zip(self.slots, seen, strict=True))

    def _left_out(self, acting: Sequence[SlotProgram]) -> tuple[str, ...]:
        """The jumps that are not in the slots given, in words."""
        out: dict[str, None] = {}
        for slot, left in zip(self.slots, acting, strict=True):
            for rate, weights, _ in slot.jumps:
                if all(weights != other for _, other, _ in left.jumps):
                    jump = describe_jump((self.cone.qubits[i], w) for i, w in weights)
                    out[f"dephasing {rate:.4g} {jump}"] = None
        return tuple(out)

    @property
    def visible_slots(self) -> tuple[SlotProgram, ...]:
        """The slots without the jumps that are invisible in the commutant."""
        return self._visible(self.symmetry)

    def unrestricted_slot(self, layer: int) -> SlotProgram:
        """A slot's noise on all cone qubits, whether or not the readout sees them there.

        Where that breaks the symmetry which the seen part keeps, the seen part alone.
        """
        everything = frozenset(self.cone.qubits)
        if self.cone.seen[layer] == everything:
            return self.slots[layer]
        # The fixed point asks for noise on all qubits, not only the seen ones: with the invisible jumps left out if
        # that is needed to keep the symmetry.
        whole = compile_slot(self.problem.slots[layer].restricted(everything), self._local)
        acting = visible_part(whole, self.symmetry, frozenset(range(self.width)))
        return next((slot for slot in (whole, acting) if self._kept_by((slot,), self.symmetry)), self.slots[layer])

    @property
    def reduced(self) -> bool:
        """Whether the noise keeps less than was claimed."""
        return self.symmetry is not self.claimed

    def _on_cone(self, step: Step) -> Step:
        return Step(step.layer, step.angle, self._placed(step.generator), step.rotations, step.owners)

    def _placed(self, operator: Sum) -> Sum:
        return {tuple((self._local[q], p) for q, p in string): value for string, value in operator.items()}

    @cached_property
    def product(self) -> Complex | None:
        """One-qubit states of the input on the cone, shape (w, 2); None for an entangled one."""
        product = self.problem.initial.product
        return None if product is None else np.asarray(product[list(self.cone.qubits)])

    def input_vectors(self) -> Complex:
        """The input on the cone as sum_j |v_j><v_j|: the v_j as columns, shape (2^w, m)."""
        if self.product is not None:
            out = np.ones(1, dtype=np.complex128)
            for amplitudes in self.product:
                out = np.kron(amplitudes, out)
            return out[:, None]
        n = self.problem.num_qubits
        rest = [q for q in range(n) if q not in self._local]
        order = [n - 1 - q for q in reversed(self.cone.qubits)] + [n - 1 - q for q in reversed(rest)]
        tensor = self.problem.initial.statevector().reshape((2,) * n).transpose(order)
        return np.ascontiguousarray(tensor.reshape(2**self.width, -1))

    @property
    def generators(self) -> tuple[Sum, ...]:
        """The different generators H of the steps exp(-i angle H)."""
        return tuple({frozenset(step.generator.items()): step.generator for step in self.steps}.values())

    def angles(self, theta: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Of every step at theta, shape (steps,), radians."""
        return np.array([step.angle.at(theta) for step in self.steps])

    def angle_rates(self, direction: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Derivatives of all steps' angles along a direction of the parameters, shape (steps,)."""
        rates = [sum(c * float(direction[k]) for k, c in step.angle.coefficients) for step in self.steps]
        return np.array(rates, dtype=np.float64)

    def by_parameter(self, by_step: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The chain rule from step angles, shape (orders, steps), to circuit parameters, shape (orders, K)."""
        out = np.zeros((by_step.shape[0], len(self.problem.parameters)))
        for number, step in enumerate(self.steps):
            for k, c in step.angle.coefficients:
                out[:, k] += c * by_step[:, number]
        return out


def compiled(problem: Problem, *, reduce: bool = True) -> CompiledProblem:
    """The problem compiled for its own symmetry, built on first use and kept while the problem lives.

    In charge sectors for the charge; in the full space of the cone where gates break the symmetry or the noise leaves
    nothing of it.

    Args:
        problem: The problem.
        reduce: Whether to use light cone and symmetry; without, the full space of all qubits (for checks).

    Raises:
        UnsupportedError: Noise correlated in time with a symmetry other than the charge.
    """
    program = symmetric_program(problem) if reduce else None
    return compile_problem(problem, reduce=reduce) if program is None or program.symmetry.trivial else program


def symmetric_program(problem: Problem) -> SymmetricProgram | None:
    """The problem compiled for another symmetry than the charge, whatever the noise leaves of it; None without one."""
    if problem.by_charge or problem.breaking:
        return None
    known, key = prepared(problem), "symmetric program"
    with known.kept as values:
        if key not in values:
            values[key] = SymmetricProgram(known.problem)
        program: SymmetricProgram = values[key]
    return program
