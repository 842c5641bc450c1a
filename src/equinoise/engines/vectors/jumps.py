"""A slot's noise as jumps of definite charge: what a state vector, unlike a density matrix, can be sent through.

Every mechanism that conserves the charge, strongly or weakly, is a sum of such jumps: diagonal phases; |0><1| and
|1><0| on one qubit, which change the charge by one (depolarizing at rate r is D[Z] at r/4 with both of these at r/2; X
and Y jumps at one rate are both of these at twice it); and |a><b| on two qubits, at r/4 each, for depolarizing of both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.reduction.slots.slot import SlotProgram, jump_weights

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
    linear = [j for j, (_, weights, is_parity) in enumerate(slot.jumps) if not is_parity or len(weights) == 1]
    parities = [
        (tuple(i for i, _ in weights), rate, first + j)
        for j, (rate, weights, is_parity) in enumerate(slot.jumps)
        if is_parity and len(weights) > 1
    ]
    # The jumps of each mechanism by its Kraus form. Depolarizing at rate r: r (Tr(rho) 1/2 - rho) moves populations at
    # r/2 each way and decays coherences at r. Hops at r/2 both ways take r/2 of that decay; D[Z] at r/4 takes the other
    # half, for D[Z] decays a coherence at twice its rate. Flips at rate r decay coherences at r, all of it by the two
    # hops.
    term = first + len(slot.jumps)
    hops, resets = [], []
    for i, (down, up) in slot.relaxation:
        hops.append(Hop(i, down, up, 0.0, term))
        term += 1
    for qubits, rate in slot.depolarizing:
        if len(qubits) == 1:
            hops.append(Hop(qubits[0], rate / 2, rate / 2, rate / 4, term))
        else:
            resets.append(PairReset((qubits[0], qubits[1]), rate, term))
        term += 1
    for i, rate in slot.flips:
        hops.append(Hop(i, rate, rate, 0.0, term))
        term += 1
    return SlotJumps(
        jump_weights(slot, width)[linear],
        np.array([slot.jumps[j][0] for j in linear], dtype=np.float64),
        np.array([first + j for j in linear], dtype=np.int64),
        tuple(parities),
        tuple(hops),
        tuple(resets),
    )
