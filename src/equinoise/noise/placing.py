"""Noise terms on a circuit's layers: wildcards expanded, layers and gates resolved."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING

from equinoise.errors import NoiseError
from equinoise.noise.terms import NoiseTerm, PhaseProcess, Slot

if TYPE_CHECKING:
    from equinoise.circuit.layers import Layer

__all__ = ["check_terms_fit", "place_processes", "place_terms", "terms_of_no_gate"]


def check_terms_fit(terms: Sequence[NoiseTerm], layers: Sequence[Layer], num_qubits: int) -> None:
    """Refuses terms that name what a circuit does not have.

    Raises:
        NoiseError: A qubit or a layer, with those that there are.
    """
    for term in terms:
        outside = [q for q in term.sites if q >= num_qubits]
        if outside:
            raise NoiseError(f"{term} acts on qubit {outside[0]}, but the circuit has qubits 0..{num_qubits - 1}.")
        if term.layers and term.layers[-1] >= len(layers):
            raise NoiseError(f"{term} names layer {term.layers[-1]}, but the circuit has layers 0..{len(layers) - 1}.")


def place_terms(terms: Sequence[NoiseTerm], layers: Sequence[Layer], num_qubits: int) -> tuple[Slot, ...]:
    """The terms of each slot; what is correlated in time is in none of them."""
    white = [one for term in terms if not term.is_correlated for one in term.expanded(num_qubits)]
    found: list[Slot] = []
    for index, layer in enumerate(layers):
        slot = Slot(tuple(term for term in white for _ in range(term.times(index, layer))))
        # noise that repeats is held once, so that what follows looks at it once
        before = found[-1].terms if found else None
        same = before is not None and len(slot.terms) == len(before) and all(map(operator.is_, slot.terms, before))
        found.append(found[-1] if same else slot)
    return tuple(found)


def place_processes(terms: Sequence[NoiseTerm], layers: Sequence[Layer], num_qubits: int) -> tuple[PhaseProcess, ...]:
    """What is correlated in time, a process each; those that do nothing are left out."""
    correlated = [one for term in terms if term.is_correlated for one in term.expanded(num_qubits)]
    found = [one.process([one.times(index, layer) for index, layer in enumerate(layers)]) for one in correlated]
    return tuple(process for process in found if process is not None)


def terms_of_no_gate(terms: Sequence[NoiseTerm], layers: Sequence[Layer], num_qubits: int) -> list[NoiseTerm]:
    """Terms tied to gates that the circuit does not have: they act in no slot."""
    return [
        term
        for term in terms
        if term.gate is not None
        and not any(one.times(index, layer) for one in term.expanded(num_qubits) for index, layer in enumerate(layers))
    ]
