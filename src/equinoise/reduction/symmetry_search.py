"""Which symmetries a circuit, its readout, its input and its noise share, and who breaks the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from equinoise.circuit.compiled.frames import find_frames
from equinoise.circuit.compiled.hidden_charge import NoHiddenCharge
from equinoise.circuit.pauli_sums import Sum, from_operator
from equinoise.circuit.steps import Step
from equinoise.noise.model import NoiseModel
from equinoise.problem import Problem
from equinoise.reduction.slots.kossakowski import breaking_terms, keeps_strongly, keeps_weakly, kossakowski
from equinoise.reduction.slots.slot_program import compile_slot
from equinoise.symmetry.commutant_dimension import commutant_dimension
from equinoise.symmetry.equivariance import breaking_gates_of, commute, ends_obstacle, state_keeps
from equinoise.symmetry.groups import (
    Charge,
    Generator,
    PauliString,
    Permutation,
    Symmetry,
    change,
    charge,
    parity,
    permutation,
    reflection,
    su2,
    translation,
)
from equinoise.symmetry.own_symmetries import own_charges, own_strings, own_swaps

__all__ = ["FoundSymmetry", "Symmetries", "find_symmetries"]

Real = npt.NDArray[np.float64]

_SCHEMA = "equinoise.symmetries/1"


@dataclass(frozen=True)
class FoundSymmetry:
    """One symmetry, and who keeps it.

    Attributes:
        name: As ``symmetry=`` takes it.
        symmetry: Its generators.
        breaking_gates: The gates that break it, each with the reason; empty if the circuit keeps it.
        readout: Whether the readout is invariant; None if none was given.
        state: Whether the input is.
        noise: "none", "strong", "weak" or "broken".
        breaking_terms: The noise terms that break it.
        obstacle: Why it cannot be claimed although the circuit keeps it: readout and input that do not fit; or empty.
        numbers: Complex numbers of a density matrix in its commutant on all qubits, where a closed form is known.
    """

    name: str
    symmetry: Symmetry = field(repr=False)
    breaking_gates: tuple[str, ...]
    readout: bool | None
    state: bool
    noise: str
    breaking_terms: tuple[str, ...]
    obstacle: str
    numbers: int | None

    @property
    def claimable(self) -> bool:
        """Whether ``Problem(..., symmetry=name)`` accepts it."""
        return not self.breaking_gates and not self.obstacle

    @property
    def shared(self) -> bool:
        """Whether it is claimable and the noise keeps it."""
        return self.claimable and self.noise != "broken"


@dataclass(frozen=True)
class Symmetries:
    """What was looked for and found.

    Attributes:
        found: Every known symmetry, kept or broken, and those of the circuit's own that were found.
        suggestion: A product of commuting shared symmetries to claim; empty if there is none.
        num_qubits: n.
        notes: What the search does not cover.
        hidden_charge: Where gates break the charge one by one: the axis along which a compiled circuit carries it
            through its blocks, per qubit before the first and after the last gate, or why it carries none; else None.
    """

    found: tuple[FoundSymmetry, ...]
    suggestion: str
    num_qubits: int
    notes: tuple[str, ...]
    hidden_charge: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data for JSON."""
        return {
            "schema": _SCHEMA,
            "num_qubits": self.num_qubits,
            "full": 4**self.num_qubits,
            "suggestion": self.suggestion or None,
            "symmetries": [
                {
                    "name": one.name,
                    "generators": [str(g) for g in one.symmetry.generators],
                    "circuit": not one.breaking_gates,
                    "breaking_gates": list(one.breaking_gates[:20]),
                    "breaking_gate_count": len(one.breaking_gates),
                    "readout": one.readout,
                    "state": one.state,
                    "noise": one.noise,
                    "breaking_terms": list(one.breaking_terms),
                    "claimable": one.claimable,
                    "obstacle": one.obstacle or None,
                    "numbers": one.numbers,
                }
                for one in self.found
            ],
            "notes": list(self.notes),
            "hidden_charge": None if self.hidden_charge is None else dict(self.hidden_charge),
        }


def find_symmetries(
    circuit: QuantumCircuit,
    readout: str | SparsePauliOp | None = None,
    initial: Any = None,
    noise: NoiseModel | str | Mapping[str, Any] | None = None,
) -> Symmetries:
    """Looks for symmetries that a circuit shares with its readout, input and noise.

    Complete for sums of one-qubit Paulis (the null space of i[Q, H] over all generators H of the circuit) and for Pauli
    strings (those that commute with every string of every H); of permutations it tries the ring's shift, the reflection
    and swaps of any two qubits.

    Args:
        circuit: Any ``qiskit.QuantumCircuit`` of unitary gates.
        readout: As :class:`Problem` takes it; left out of the comparison by default.
        initial: Likewise; by default what the circuit prepares.
        noise: Likewise.

    Raises:
        EquinoiseError: The circuit, readout, input or noise is malformed.

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.brickwork(6, depth=2)
        >>> found = eq.find_symmetries(circuit, "Z3", noise="dephasing:0.1")
        >>> [one.name for one in found.found if one.shared]
        ['charge', 'parity']
    """
    problem = Problem(circuit, "Z0" if readout is None else readout, initial, noise, allow_broken=True)
    n = problem.num_qubits
    steps = problem.steps
    generators = _distinct(step.generator for step in steps)
    known = [charge(n), su2(n), parity(n), parity(n, "X"), permutation(n), translation(n), reflection(n)]
    own = own_charges(generators, n) + own_strings(generators, n) + own_swaps(generators, n)
    # a transpiled circuit's ancillas that no gate acts on have every symmetry, and nobody asked for them
    used = {q for step in steps for q in step.qubits}
    idle = set(range(n)) - used if problem.transpiled else set()
    known += [one for one in own if not all(g.qubits <= idle for g in one.generators)]
    different: list[Symmetry] = []
    for one in known:
        if not any(_same(one, other) for other in different):
            different.append(one)
    found = tuple(_judged(one, problem, steps, readout is not None) for one in different)
    notes = ["permutations tried: the ring's shift, the reflection, and swaps of any two qubits"]
    if idle:
        notes.append(f"no gate acts on {len(idle)} of the {n} qubits; symmetries of these alone are left out")
    hidden = _hidden_charge(problem) if found[0].breaking_gates else None
    return Symmetries(found, _suggestion(found), n, tuple(notes), hidden)


def _hidden_charge(problem: Problem) -> dict[str, Any]:
    """The axes of a charge that gates hide, as plain data; or the reason why there is none."""
    try:
        return {"found": True, **find_frames(problem.circuit).plain()}
    except NoHiddenCharge as error:
        return {"found": False, "reason": str(error)}


def _distinct(sums: Any) -> list[Sum]:
    return list({frozenset(one.items()): one for one in sums}.values())


def _same(first: Symmetry, second: Symmetry) -> bool:
    return set(first.generators) == set(second.generators)


def _judged(symmetry: Symmetry, problem: Problem, steps: Sequence[Step], has_readout: bool) -> FoundSymmetry:
    operator = from_operator(problem.readout)
    gates = breaking_gates_of(steps, symmetry, problem.circuit)
    obstacle = ""
    if not gates and has_readout:
        obstacle = ends_obstacle(operator, problem.initial, symmetry) or ""
    noise, terms = _noise(symmetry, problem)
    return FoundSymmetry(
        name=symmetry.name,
        symmetry=symmetry,
        breaking_gates=gates,
        readout=not any(change(operator, g) for g in symmetry.generators) if has_readout else None,
        state=all(state_keeps(problem.initial, g) for g in symmetry.generators),
        noise=noise,
        breaking_terms=terms,
        obstacle=obstacle,
        numbers=commutant_dimension(symmetry),
    )


def _noise(symmetry: Symmetry, problem: Problem) -> tuple[str, tuple[str, ...]]:
    place = {q: q for q in range(problem.num_qubits)}
    different = {id(slot): slot for slot in problem.slots}.values()
    compiled = [(slot, compile_slot(slot, place)) for slot in different]
    compiled = [(slot, program) for slot, program in compiled if not program.empty]
    breaking: dict[str, None] = {}
    for slot, program in compiled:
        matrix = kossakowski(program)
        for generator in symmetry.generators:
            if not keeps_weakly(matrix, generator):
                breaking |= dict.fromkeys(breaking_terms(slot, place, generator))
    if breaking:
        return "broken", tuple(breaking)
    if not compiled:
        return "none", ()
    strong = all(keeps_strongly(program, g) for _, program in compiled for g in symmetry.generators)
    return "strong" if strong else "weak", ()


def _suggestion(found: Sequence[FoundSymmetry]) -> str:
    """The shared symmetry that leaves fewest numbers, times those that commute with it and add something."""
    # Greedy: the strongest symmetry first, then every one that commutes with all chosen (so that labels of both hold
    # at once) and is not implied by them.
    shared = sorted((one for one in found if one.shared and one.numbers), key=lambda one: one.numbers or 0)
    if not shared:
        return ""
    chosen = [shared[0]]
    for one in shared[1:]:
        mates = [g for other in chosen for g in other.symmetry.generators]
        adds = not all(_contained(g, mates) for g in one.symmetry.generators)
        fits = all(commute(a, b) for a in one.symmetry.generators for b in mates)
        if adds and fits:
            chosen.append(one)
    return " * ".join(one.name for one in chosen)


def _contained(generator: Generator, others: Sequence[Generator]) -> bool:
    """Whether a generator adds nothing: it is there, a string of a charge that is, or moved within swapped qubits."""
    if generator in others:
        return True
    if isinstance(generator, PauliString):
        letters = {(q, p) for q, p in generator.letters}
        contained = {(q, p) for g in others if isinstance(g, Charge) for q, p, _ in g.pairs}
        return letters <= contained
    if isinstance(generator, Charge):
        known = [g.operator for g in others if isinstance(g, Charge)]
        strings = sorted({s for one in (*known, generator.operator) for s in one})
        rows = np.array([[one.get(s, 0.0) for s in strings] for one in known]).reshape(len(known), len(strings))
        target = np.array([generator.operator.get(s, 0.0) for s in strings])
        best = rows.T @ np.linalg.lstsq(rows.T, target, rcond=None)[0] if known else np.zeros_like(target)
        return bool(np.abs(best - target).max() < 1e-9)
    swapped = {q for g in others if isinstance(g, Permutation) and len(g.qubits) == 2 for q in g.qubits}
    return bool(generator.qubits <= swapped)
