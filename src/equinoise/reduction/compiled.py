"""What every compiled problem holds, whatever its symmetry: the cone, the noise on it, and the budget's terms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from equinoise.problem import Problem
from equinoise.reduction.light_cone import LightCone
from equinoise.reduction.prepared import Kept
from equinoise.reduction.slots.noise_class import NoiseClass
from equinoise.reduction.slots.processes import ModesProgram, ProcessProgram, compile_processes
from equinoise.reduction.slots.slot_program import BudgetTerm, SlotProgram, budget_terms, compile_slot

__all__ = ["CompiledProblem", "IsotypicSector"]


@dataclass(frozen=True)
class IsotypicSector:
    """The states that belong to one irreducible representation of a symmetry: m d of them.

    Attributes:
        label: Its quantum number in words, such as "q=3" or "J=1".
        multiplicity: m; operators that keep the symmetry are an m x m matrix here.
        dimension: d, that of the irreducible representation.
    """

    label: str
    multiplicity: int
    dimension: int


class CompiledProblem:
    """A problem reduced to its cone.

    Attributes:
        engines: Names of the engines that work on it.
        problem: What it was made from.
        kept: What the engines work out from it, each thing once: whether it is one of free fermions, costs, ...
        cone: The readout's light cone.
        width: Number of its qubits w.
        noise_class: Computed from the operators restricted to the cone.
        slots: Noise per layer, on cone qubits 0..w-1.
        processes: Dephasing correlated in time.
        parameters: Circuit parameters inside the cone.
    """

    engines: ClassVar[tuple[str, ...]]
    noise_class: NoiseClass

    def __init__(self, problem: Problem, cone: LightCone) -> None:
        self.problem = problem
        self.kept = Kept()
        self.cone = cone
        self.width = cone.width
        self.parameters = cone.parameters
        self._local = {q: i for i, q in enumerate(cone.qubits)}
        different = {id(slot): slot for slot in cone.slots}
        compiled = {key: compile_slot(slot, self._local) for key, slot in different.items()}
        self.slots: tuple[SlotProgram, ...] = tuple(compiled[id(slot)] for slot in cone.slots)
        self.processes: tuple[ProcessProgram | ModesProgram, ...] = compile_processes(
            problem.processes, cone, self._local, self.width
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are compiled again from the problem."""
        return type(self), (self.problem,)

    @property
    def has_limit(self) -> bool:
        """Whether the noise has a limit s -> infinity."""
        return all(slot.has_limit for slot in self.slots)

    @property
    def dephases_only(self) -> bool:
        """Whether every jump is diagonal; dephasing correlated in time is."""
        return all(slot.dephases_only for slot in self.slots)

    @cached_property
    def budget_terms(self) -> tuple[BudgetTerm, ...]:
        """The additive parts of kappa, in slot order; then those of dephasing correlated in time."""
        white = budget_terms(self.slots, self.cone.qubits)
        return (*white, *(BudgetTerm(*place, "dephasing") for place in self._process_places))

    @cached_property
    def _process_places(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """Slots where dephasing correlated in time acts, with its qubits, process by process."""
        return tuple(
            (layer, tuple(self.cone.qubits[i] for i in np.flatnonzero(row)))
            for process in self.processes
            for layer, row in enumerate(process.coefficients)
            if np.any(row)
        )

    @cached_property
    def process_terms(self) -> tuple[dict[int, int], ...]:
        """For each process the index of its budget term in each slot where it acts."""
        index = len(self.budget_terms) - len(self._process_places)
        out: list[dict[int, int]] = []
        for process in self.processes:
            layers = np.flatnonzero(np.any(process.coefficients, axis=1)).tolist()
            out.append({layer: index + i for i, layer in enumerate(layers)})
            index += len(layers)
        return tuple(out)
