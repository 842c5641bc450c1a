"""One slot's noise term by term, as jump operators over Pauli strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from equinoise.noise.terms.dephasing import distinct_sums
from equinoise.noise.terms.term import DIAGONAL, FIRST, SECOND, JumpOperator
from equinoise.reduction.slots.slot_program import SlotProgram

__all__ = ["DIAGONAL", "FIRST", "SECOND", "SlotTerm", "joined", "jump_operators", "slot_terms"]


@dataclass(frozen=True)
class SlotTerm:
    """E = sum_a rate_a D[K_a] of one budget term, or of several that commute.

    Attributes:
        name: For messages.
        jumps: Rates and operators as Pauli sums with complex coefficients, cone-local qubits.
        rates: The generator's distinct eigenvalues, all <= 0, with 0 first; None where they are too many.
        stage: FIRST (dephasing by a sum of Z, relaxation) and SECOND (depolarizing, Pauli jumps) act in that order,
            the terms of each commute; DIAGONAL (a product of Z) commutes with both.
        bound: At least the generator's norm.
    """

    name: str
    jumps: tuple[JumpOperator, ...]
    rates: tuple[float, ...] | None
    stage: str
    bound: float


def slot_terms(slot: SlotProgram) -> tuple[SlotTerm, ...]:
    """The terms of a slot in the order of its budget."""
    return tuple(SlotTerm(t.name, t.jumps(), t.decays, t.stage, t.bound) for t in slot.terms)


def jump_operators(slot: SlotProgram) -> tuple[JumpOperator, ...]:
    """Every jump of a slot as its rate and K, in the order of the budget's terms; one term may make several."""
    return tuple(jump for term in slot.terms for jump in term.jumps())


def joined(terms: Sequence[SlotTerm]) -> SlotTerm:
    """The sum of commuting terms."""
    if len(terms) == 1:
        return terms[0]
    stages = {t.stage for t in terms} - {DIAGONAL}
    return SlotTerm(
        terms[0].name + f" and {len(terms) - 1} more",
        tuple(jump for t in terms for jump in t.jumps),
        distinct_sums([t.rates for t in terms]),
        stages.pop() if stages else DIAGONAL,
        sum(t.bound for t in terms),
    )
