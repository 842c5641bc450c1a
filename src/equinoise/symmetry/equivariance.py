"""Whether a circuit, its readout and its input keep a claimed symmetry, and who breaks it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from qiskit import QuantumCircuit

from equinoise.circuit.pauli_sums import PAULI, String, Sum, commutator, sparse_matrix
from equinoise.circuit.steps import Step
from equinoise.initial import InitialState
from equinoise.symmetry.groups import Charge, Generator, PauliString, Permutation, Symmetry, change
from equinoise.symmetry.wide_gates import why_not_computed

__all__ = ["breaking_gates_of", "commute", "ends_obstacle", "state_keeps"]

_TOLERANCE = 1e-9


def breaking_gates_of(steps: Iterable[Step], symmetry: Symmetry, circuit: QuantumCircuit) -> tuple[str, ...]:
    """The gates that break a symmetry, each with what it breaks; empty if none does.

    A step of several gates is judged as a whole, and the gates named whose images it lacks.
    """
    out: dict[int, str] = {}
    known: dict[frozenset[tuple[String, float]], Generator | None] = {}
    for step in steps:
        key = frozenset(step.generator.items())
        if key not in known:
            known[key] = symmetry.broken_by(step.generator)
        broken = known[key]
        if broken is None:
            continue
        missing = change(step.generator, broken)
        for rotation, position in zip(step.rotations, step.owners, strict=True):
            part = rotation.generator_sum()
            alone = part.keys() & missing.keys() if isinstance(broken, Permutation) else change(part, broken)
            if alone:
                item = circuit.data[position]
                qubits = [circuit.find_bit(bit).index for bit in item.qubits]
                where = f"at position {position} (layer {step.layer}) on qubits {qubits}"
                if isinstance(broken, Permutation):
                    image = "+".join(sorted({_moved(string, broken) for string in alone}))
                    why = f"has no image {image} under the {broken} with the same angle in its layer"
                else:
                    why = why_not_computed(item.operation, qubits, broken, str(broken)) or f"breaks the {broken}"
                out.setdefault(position, f"gate {item.operation.name!r} {where} {why}")
    return tuple(out[p] for p in sorted(out))


def _moved(string: String, permutation: Permutation) -> str:
    return "".join(f"{p}{q}" for q, p in sorted((permutation.image[q], p) for q, p in string))


def state_keeps(state: InitialState, generator: Generator) -> bool:
    """Whether |psi><psi| commutes with a generator: |psi> is an eigenvector of it."""
    if state.product is None:
        return _vector_keeps(state, generator)
    product = state.product
    if isinstance(generator, Permutation):
        overlaps = [abs(np.vdot(product[q], product[to])) for q, to in enumerate(generator.image)]
        return bool(min(overlaps) > 1 - _TOLERANCE)
    if isinstance(generator, PauliString):
        means = [abs(np.vdot(product[q], PAULI[p] @ product[q])) for q, p in generator.letters]
        return bool(min(means, default=1.0) > 1 - _TOLERANCE)
    sites: dict[int, np.ndarray] = {}
    for q, p, c in generator.pairs:
        sites[q] = sites.get(q, np.zeros((2, 2), dtype=np.complex128)) + c * PAULI[p]
    spread = 0.0
    for q, site in sites.items():
        image = site @ product[q]
        spread += float(np.linalg.norm(image) ** 2 - abs(np.vdot(product[q], image)) ** 2)
    return spread < _TOLERANCE


def _vector_keeps(state: InitialState, generator: Generator) -> bool:
    vector, n = state.statevector(), state.num_qubits
    if isinstance(generator, Permutation):
        index = np.arange(vector.size)
        moved = sum(((index >> q) & 1) << to for q, to in enumerate(generator.image))
        image = np.empty_like(vector)
        image[moved] = vector
    else:
        operator: Sum = generator.operator if isinstance(generator, Charge) else {generator.letters: 1.0}
        image = sparse_matrix(operator, n) @ vector
    along = np.vdot(vector, image)
    return bool(np.linalg.norm(image - along * vector) < 1e-7)


def commute(first: Generator, second: Generator) -> bool:
    """Whether two generators' actions on operators commute."""
    if isinstance(first, PauliString) and isinstance(second, PauliString):
        return True
    if isinstance(first, Permutation) and isinstance(second, Permutation):
        a, b = first.image, second.image
        return tuple(a[q] for q in b) == tuple(b[q] for q in a)
    if isinstance(first, Permutation) or (isinstance(first, PauliString) and isinstance(second, Charge)):
        first, second = second, first
    operator = first.operator if isinstance(first, Charge) else {first.letters: 1.0}  # type: ignore[union-attr]
    if isinstance(second, Charge):
        return not commutator(operator, second.operator)
    return not change(operator, second)


def ends_obstacle(readout: Mapping[String, float], state: InitialState, symmetry: Symmetry) -> str | None:
    """Why readout and input do not fit a symmetry; None if they do.

    C = Tr[O Phi(rho)] is the same with O replaced by its mean over the group if rho is invariant, and with rho so
    replaced if O is: one of them must be invariant under each generator. Where it is not the same one for all
    generators, these must commute.
    """
    lost = [g for g in symmetry.generators if change(readout, g)]
    unprepared = [g for g in symmetry.generators if not state_keeps(state, g)]
    both = [g for g in lost if g in unprepared]
    if both:
        return f"neither the readout nor the input {state.name!r} is invariant under the {both[0]}"
    if lost and unprepared and not _abelian(symmetry.generators):
        return (
            f"the readout is not invariant under the {lost[0]} and the input {state.name!r} not under the "
            f"{unprepared[0]}, and these do not commute"
        )
    return None


def _abelian(generators: Sequence[Generator]) -> bool:
    return all(commute(a, b) for a, b in itertools.combinations(generators, 2))
