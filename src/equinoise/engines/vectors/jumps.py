"""A slot's noise as jumps and Hamiltonians: what a state vector, unlike a density matrix, can be sent through.

Every mechanism that conserves the charge, strongly or weakly, is a sum of jumps of definite charge: diagonal phases;
|0><1| and |1><0| on one qubit, which change the charge by one (depolarizing at rate r is D[Z] at r/4 with both of these
at r/2; X and Y jumps at one rate are both of these at twice it); |a><b| on two qubits, at r/4 each, for depolarizing of
both; and what is stated as such. Noise that breaks the charge is held in the full space, where a jump may be anything.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.engines.vectors.vector_operators import LocalOperator, StringOperator, VectorOperator
from equinoise.noise.terms.actions import General
from equinoise.reduction.program import Program
from equinoise.reduction.slots.slot_program import SlotProgram, jump_weights

__all__ = ["Hop", "Jump", "Kick", "PairReset", "SlotJumps", "Turn", "slot_jumps"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Kick:
    """A jump K = K^dag that is not diagonal: rate D[K] is the random turn exp(-i sqrt(rate) xi K), E xi^2 = 1.

    Attributes:
        operator: K.
        rate: Dimensionless, per slot.
        term: Index into ``Program.budget_terms``.
    """

    operator: VectorOperator
    rate: float
    term: int


@dataclass(frozen=True)
class Jump:
    """A jump L that is not Hermitian: rate (L r L^dag - {L^dag L, r}/2).

    Attributes:
        operator: L.
        rate: Dimensionless, per slot.
        term: Index into ``Program.budget_terms``.
        weight: What its rate counts in the choice of a change of charge.
        loss: L^dag L; None where its terms share one that is diagonal.
    """

    operator: LocalOperator
    rate: float
    term: int
    weight: float
    loss: LocalOperator | None = None


@dataclass(frozen=True)
class Turn:
    """-i [H, r].

    Attributes:
        operator: H.
        term: Index into ``Program.budget_terms``.
    """

    operator: LocalOperator
    term: int


@dataclass(frozen=True)
class Hop:
    """Jumps of one qubit: down D[|0><1|] + up D[|1><0|] + phase D[Z].

    Attributes:
        qubit: Cone index.
        down: Rate |1> -> |0|, dimensionless per slot.
        up: Rate |0> -> |1>.
        phase: Rate of D[Z].
        term: Index into ``Program.budget_terms``.
        jumps: Those down and up, of rate > 0.
    """

    qubit: int
    down: float
    up: float
    phase: float
    term: int
    jumps: tuple[Jump, ...]


@dataclass(frozen=True)
class PairReset:
    """Two-qubit depolarizing: rate (Tr_A(r) (x) 1/4 - r).

    Attributes:
        qubits: Cone indices.
        rate: Dimensionless per slot.
        term: Index into ``Program.budget_terms``.
        jumps: |a><b| at rate/4, b the slow index.
    """

    qubits: tuple[int, int]
    rate: float
    term: int
    jumps: tuple[Jump, ...]


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
        strings: Pauli strings with X or Y.
        hermitian: Hermitian jumps stated by their matrix.
        stated: All other jumps stated by their matrix.
        turns: Hamiltonians.
    """

    weights: Real
    rates: Real
    terms: npt.NDArray[np.int64]
    parities: tuple[tuple[tuple[int, ...], float, int], ...]
    hops: tuple[Hop, ...]
    resets: tuple[PairReset, ...]
    strings: tuple[Kick, ...]
    hermitian: tuple[Kick, ...]
    stated: tuple[Jump, ...]
    turns: tuple[Turn, ...]

    @property
    def has_first_moments(self) -> bool:
        """Whether anything is linear in the state's moments: what jumps lose, and Hamiltonians."""
        return bool(self.hops or self.resets or self.stated or self.turns)

    @property
    def kicks(self) -> tuple[Kick, ...]:
        """All that are Hermitian and not diagonal."""
        return (*self.strings, *self.hermitian)

    @property
    def jumps(self) -> tuple[Jump, ...]:
        """All that are not Hermitian."""
        return (*(j for hop in self.hops for j in hop.jumps), *(j for r in self.resets for j in r.jumps), *self.stated)


def slot_jumps(program: Program, slot: SlotProgram, first: int) -> SlotJumps:
    """A slot's jumps, with their places in the budget.

    Args:
        program: The compiled problem.
        slot: Noise that conserves the charge strongly or weakly, or any in the full space.
        first: Index of the slot's first term in ``Program.budget_terms``.
    """
    linear = [j for j, jump in enumerate(slot.jumps) if jump.is_linear]
    parities = [
        (tuple(i for i, _ in jump.weights), jump.rate, first + j)
        for j, jump in enumerate(slot.jumps)
        if not jump.is_linear
    ]
    hops = []
    for place, m in slot.sites:
        both = ((m.down, _unit(2, 0, 1)), (m.up, _unit(2, 1, 0)))
        jumps = [Jump(LocalOperator(program, (m.qubit,), k), rate, first + place, rate) for rate, k in both if rate > 0]
        hops.append(Hop(m.qubit, m.down, m.up, m.phase, first + place, tuple(jumps)))
    resets = []
    for place, reset in slot.resets:
        rate = reset.rate / 4
        jumps = [
            Jump(LocalOperator(program, reset.qubits, _unit(4, a, b)), rate, first + place, rate)
            for b, a in itertools.product(range(4), repeat=2)
        ]
        resets.append(PairReset(reset.qubits, reset.rate, first + place, tuple(jumps)))
    strings = [Kick(StringOperator(string), string.rate, first + place) for place, string in slot.strings]
    hermitian: list[Kick] = []
    stated: list[Jump] = []
    turns: list[Turn] = []
    for place, action in slot.general:
        _add_stated(program, slot, place, action, first + place, (hermitian, stated, turns))
    return SlotJumps(
        jump_weights(slot, program.width)[linear],
        np.array([slot.jumps[j][0] for j in linear], dtype=np.float64),
        np.array([first + j for j in linear], dtype=np.int64),
        *(tuple(parities), tuple(hops), tuple(resets), tuple(strings), tuple(hermitian), tuple(stated), tuple(turns)),
    )


def _add_stated(
    program: Program,
    slot: SlotProgram,
    place: int,
    action: General,
    term: int,
    found: tuple[list[Kick], list[Jump], list[Turn]],
) -> None:
    """The jumps and the Hamiltonian of a term stated by its matrix."""
    hermitian, stated, turns = found
    noise = slot.terms[place]
    for rate, jump in noise.jumps():
        k = noise.dense(jump)
        operator = LocalOperator(program, action.qubits, k)
        if np.abs(k - k.conj().T).max() < 1e-12 * np.abs(k).max():
            hermitian.append(Kick(operator, rate, term))
        else:
            loss = LocalOperator(program, action.qubits, k.conj().T @ k)
            stated.append(Jump(operator, rate, term, rate * float(np.trace(loss.matrix).real), loss))
    if hamiltonian := noise.hamiltonian():
        turns.append(Turn(LocalOperator(program, action.qubits, noise.dense(hamiltonian)), term))


def _unit(size: int, row: int, column: int) -> npt.NDArray[np.complex128]:
    """|row><column|."""
    out = np.zeros((size, size), dtype=np.complex128)
    out[row, column] = 1.0
    return out
