"""A slot's noise as jumps of definite charge: what a state vector, unlike a density matrix, can be sent through.

Every mechanism that conserves the charge, strongly or weakly, is a sum of such jumps: diagonal phases; |0><1| and
|1><0| on one qubit, which change the charge by one (depolarizing at rate r is D[Z] at r/4 with both of these at r/2; X
and Y jumps at one rate are both of these at twice it); and |a><b| on two qubits, at r/4 each, for depolarizing of both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.reduction.slots.slot_program import SlotProgram, jump_weights

__all__ = ["Hop", "PairReset", "SlotJumps", "slot_jumps"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Hop:
    """Jumps of one qubit: down D[|0><1|] + up D[|1><0|] + phase D[Z].

    Attributes:
        qubit: Cone index.
        down: Rate |1> -> |0|, dimensionless per slot.
        up: Rate |0> -> |1>.
        phase: Rate of D[Z].
        term: Index into ``Program.budget_terms``.
    """

    qubit: int
    down: float
    up: float
    phase: float
    term: int


@dataclass(frozen=True)
class PairReset:
    """Two-qubit depolarizing: rate (Tr_A(r) (x) 1/4 - r).

    Attributes:
        qubits: Cone indices.
        rate: Dimensionless per slot.
        term: Index into ``Program.budget_terms``.
    """

    qubits: tuple[int, int]
    rate: float
    term: int


@dataclass(frozen=True)
class SlotJumps:
    """One slot's noise.

    Attributes:
        weights: Phase jumps K_j = sum_i weights[j, i] Z_i, shape (J, w).
        rates: Their rates, shape (J,).
        terms: Their indices into ``Program.budget_terms``, shape (J,).
        parities: (cone qubits, rate, term) of jumps that are products of Z.
        hops: Jumps of one qubit.
        resets: Two-qubit depolarizing.
    """

    weights: Real
    rates: Real
    terms: npt.NDArray[np.int64]
    parities: tuple[tuple[tuple[int, ...], float, int], ...]
    hops: tuple[Hop, ...]
    resets: tuple[PairReset, ...]

    @property
    def moves_charge(self) -> bool:
        """Whether anything but phases acts."""
        return bool(self.hops or self.resets)


def slot_jumps(slot: SlotProgram, width: int, first: int) -> SlotJumps:
    """A slot's jumps, with their places in the budget.

    Args:
        slot: Noise that conserves the charge strongly or weakly.
        width: Number of cone qubits w.
        first: Index of the slot's first term in ``Program.budget_terms``.
    """
    linear = [j for j, jump in enumerate(slot.jumps) if jump.is_linear]
    parities = [
        (tuple(i for i, _ in jump.weights), jump.rate, first + j)
        for j, jump in enumerate(slot.jumps)
        if not jump.is_linear
    ]
    hops = [Hop(m.qubit, m.down, m.up, m.phase, first + place) for place, m in slot.sites]
    resets = [PairReset(reset.qubits, reset.rate, first + place) for place, reset in slot.resets]
    return SlotJumps(
        jump_weights(slot, width)[linear],
        np.array([slot.jumps[j][0] for j in linear], dtype=np.float64),
        np.array([first + j for j in linear], dtype=np.int64),
        tuple(parities),
        tuple(hops),
        tuple(resets),
    )
