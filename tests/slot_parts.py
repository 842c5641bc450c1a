"""Compiled slots from the rates of their parts."""

from __future__ import annotations

from equinoise.noise.terms import Dephasing, Depolarizing, PauliJump, Relaxation
from equinoise.noise.terms.pauli_jump import BitFlips
from equinoise.reduction.slots.slot_program import SlotProgram


def slot_program(jumps=(), relaxation=(), depolarizing=(), flips=(), paulis=()):
    """A compiled slot: (rate, ((qubit, weight), ...), product?), (qubit, (down, up)), (qubits, rate), (qubit, rate) and
    (((qubit, letter), ...), rate) of each kind."""
    diagonal = [
        PauliJump(tuple((q, "Z") for q, _ in weights), rate) if product else Dephasing(rate, weights)
        for rate, weights, product in jumps
    ]
    moving = [Relaxation(q, *rates) for q, rates in relaxation] + [Depolarizing(q, rate) for q, rate in depolarizing]
    flipping = [BitFlips(q, rate) for q, rate in flips] + [PauliJump(letters, rate) for letters, rate in paulis]
    return SlotProgram((*diagonal, *moving, *flipping))
