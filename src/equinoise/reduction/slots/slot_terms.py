"""One slot's noise term by term, as jump operators over Pauli strings."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from equinoise.circuit.pauli_sums import String
from equinoise.reduction.slots.slot import SlotProgram

__all__ = ["DIAGONAL", "FIRST", "SECOND", "Jump", "SlotTerm", "joined", "jump_operators", "slot_terms"]

Jump = tuple[float, Mapping[String, complex]]

DIAGONAL, FIRST, SECOND = "diagonal", "first", "second"
# distinct rates of one term beyond which they are not listed
_MOST_RATES = 64


@dataclass(frozen=True)
class SlotTerm:
    """E = sum_a rate_a D[K_a] of one budget term.

    Attributes:
        name: For messages.
        jumps: Rates and operators as Pauli sums with complex coefficients, cone-local qubits.
        rates: The generator's distinct eigenvalues, all <= 0, with 0 first; None where they are too many.
        stage: FIRST (dephasing by a sum of Z, relaxation) and SECOND (depolarizing, Pauli jumps) act in that order,
            the terms of each commute; DIAGONAL (a product of Z) commutes with both.
        bound: At least the generator's norm.
    """

    name: str
    jumps: tuple[Jump, ...]
    rates: tuple[float, ...] | None
    stage: str
    bound: float


def slot_terms(slot: SlotProgram) -> tuple[SlotTerm, ...]:
    """The terms of a slot in the order of its budget: jumps, relaxation, depolarizing, flips, Paulis."""
    # Distinct eigenvalues of each generator. Relaxation: 0 and -(down + up) on populations, half of that on
    # coherences. Depolarizing T - 1 with T a projector: 0, -rate. X and Y at rate/2 each: -2 rate on Z, -rate on X and
    # Y. P . P - 1: 0, -2. Eigenvalues of commuting terms add up.
    out = [_dephasing(*jump) for jump in slot.jumps]
    for q, (down, up) in slot.relaxation:
        lower: dict[String, complex] = {((q, "X"),): 0.5, ((q, "Y"),): 0.5j}
        raises = {string: value.conjugate() for string, value in lower.items()}
        jumps = tuple((rate, k) for rate, k in ((down, lower), (up, raises)) if rate > 0)
        total = down + up
        out.append(SlotTerm(f"relaxation of cone qubit {q}", jumps, (0.0, -total / 2, -total), FIRST, 2 * total))
    for qubits, rate in slot.depolarizing:
        strings = [
            tuple((q, p) for q, p in zip(qubits, letters, strict=True) if p != "I")
            for letters in itertools.product("IXYZ", repeat=len(qubits))
        ]
        jumps = tuple((rate / len(strings), {string: 1.0}) for string in strings if string)
        name = f"depolarizing of cone qubits {', '.join(map(str, qubits))}"
        out.append(SlotTerm(name, jumps, (0.0, -rate), SECOND, 2 * rate))
    for q, rate in slot.flips:
        jumps = tuple((rate / 2, {((q, p),): 1.0}) for p in "XY")
        out.append(SlotTerm(f"X and Y jumps of cone qubit {q}", jumps, (0.0, -rate, -2 * rate), SECOND, 2 * rate))
    for string, rate in slot.paulis:
        ordered = tuple(sorted(string))
        name = "Pauli jump " + "".join(f"{p}{q}" for q, p in ordered)
        out.append(SlotTerm(name, ((rate, {ordered: 1.0}),), (0.0, -2 * rate), SECOND, 2 * rate))
    return tuple(out)


def jump_operators(slot: SlotProgram) -> tuple[Jump, ...]:
    """Every jump of a slot as its rate and K, in the order of the budget's terms; one term may make several."""
    return tuple(jump for term in slot_terms(slot) for jump in term.jumps)


def _dephasing(rate: float, weights: tuple[tuple[int, float], ...], parity: bool) -> SlotTerm:
    name = "dephasing of cone qubits " + ", ".join(str(q) for q, _ in weights)
    if parity:
        string: Mapping[String, complex] = {tuple((q, "Z") for q, _ in sorted(weights)): 1.0}
        return SlotTerm(name, ((rate, string),), (0.0, -2 * rate), DIAGONAL, 2 * rate)
    operator: Mapping[String, complex] = {((q, "Z"),): w for q, w in weights}
    strength = rate * sum(abs(w) for _, w in weights) ** 2
    rates = _joined_rates([(0.0, *(-rate * d * d / 2 for d in _differences(weights) if d))])
    return SlotTerm(name, ((rate, operator),), rates, DIAGONAL if len(weights) == 1 else FIRST, 2 * strength)


def _differences(weights: Sequence[tuple[int, float]]) -> list[float]:
    """The values of v . (z_x - z_y); at most a few more than are listed."""
    values = {0.0}
    for _, w in weights:
        values = {round(v + step * w, 12) for v in values for step in (-2, 0, 2)}
        if len(values) > 4 * _MOST_RATES:
            break
    return sorted(values)


def _joined_rates(parts: Sequence[Sequence[float] | None]) -> tuple[float, ...] | None:
    """Distinct sums of one rate of each part; None where they are too many."""
    sums = np.zeros(1)
    for part in parts:
        if part is None:
            return None
        every = np.sort(np.add.outer(sums, np.array(part)).ravel())[::-1]
        size = max(1e-300, float(-every[-1]))
        sums = every[np.concatenate([[True], -np.diff(every) > 1e-11 * size])]
        if sums.size > _MOST_RATES:
            return None
    return tuple(float(v) for v in sums)


def joined(terms: Sequence[SlotTerm]) -> SlotTerm:
    """The sum of commuting terms."""
    if len(terms) == 1:
        return terms[0]
    stages = {t.stage for t in terms} - {DIAGONAL}
    return SlotTerm(
        terms[0].name + f" and {len(terms) - 1} more",
        tuple(jump for t in terms for jump in t.jumps),
        _joined_rates([t.rates for t in terms]),
        stages.pop() if stages else DIAGONAL,
        sum(t.bound for t in terms),
    )
