"""The two-sided certificate on the survival, and the condition under which it is proved.

In an ensemble in which each qubit carries an independent uniform Z rotation next to every noise slot, only equal
histories of charge differences interfere, so for diagonal dephasing V(s)/V(0) is the integral of exp(-2 s Gamma) over a
positive measure: completely monotone and log-convex. Phases correlated in time are Gaussian too and give each history a
rate of its own, half the variance of its phase, so that the same holds for them.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.law.resummed import leading_order_survival
from equinoise.problem.blocks import Block
from equinoise.problem.ensemble import Ensemble
from equinoise.problem.gates import Rotation
from equinoise.problem.problem import Problem
from equinoise.reduction.processes import greatest_process_rate
from equinoise.reduction.program import Program
from equinoise.reduction.slot_program import SlotProgram

__all__ = ["Certificate", "certificate", "greatest_rate", "least_rate", "random_phases", "survival_bounds"]

Real = npt.NDArray[np.float64]

# up to this dimension the rates of all elements of a block are tabulated
_TABULATED = 1000


@dataclass(frozen=True)
class Certificate:
    """Whether the bounds are proved for a problem, and what they need.

    Attributes:
        proved: Whether the condition of the proof holds.
        reason: Why, or why not.
        greatest_rate: Gmax, the largest total decay rate of any history.
        least_rate: No history decays at a rate above 0 and below this; 0 where that is not known.
    """

    proved: bool
    reason: str
    greatest_rate: float
    least_rate: float = 0.0

    @property
    def status(self) -> str:
        """The words "proved" or "not proved"."""
        return "proved" if self.proved else "not proved"


def survival_bounds(scale: npt.ArrayLike, kappa: float, fixed_point_share: float, greatest: float) -> tuple[Real, Real]:
    """max(exp(-2 s kappa), w0) <= V(s)/V(0) <= 1 - (kappa/Gmax)(1 - exp(-2 s Gmax)), as bounds on R = sqrt(V(s)/V(0)).

    Args:
        scale: Noise scale s, any shape.
        kappa: Aligned coherence rate summed over slots.
        fixed_point_share: w0.
        greatest: Gmax, the largest total rate.

    Returns:
        Lower and upper bound on R.

    Example:
        >>> from equinoise.law.bounds import survival_bounds
        >>> low, high = survival_bounds(1.0, 0.1, 0.0, 0.4)
        >>> round(float(low), 4), round(float(high), 4)
        (0.9048, 0.9286)
    """
    s = np.asarray(scale, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        lower = np.maximum(leading_order_survival(s, kappa) ** 2, fixed_point_share)
        if greatest > 0:
            upper = (1 - kappa / greatest) + (kappa / greatest) * np.exp(-2 * s * greatest)
        else:
            upper = np.ones_like(s)
    return np.sqrt(np.clip(lower, 0, 1)), np.sqrt(np.clip(upper, 0, 1))


def greatest_rate(program: Program) -> float:
    """Gmax: the sum over slots of the largest decay rate of any element |x><y| that the readout can see there.

    The readout is the identity on qubits that it does not see in a slot, so x and y agree on those. Where they agree,
    populations relax at down + up, twice the rate of the coherence, and depolarize at the same rate as it. In large
    sectors an upper bound of it, which loosens the chord and keeps it true; likewise for noise correlated in time.
    """
    largest: dict[tuple[SlotProgram, frozenset[int]], float] = {}
    tabulated = max(program.dimensions) <= _TABULATED
    for slot, seen in zip(program.slots, program.cone.seen, strict=True):
        if (slot, seen) not in largest and not slot.empty:
            if tabulated:
                largest[slot, seen] = max(_visible_rate(program, slot, seen, q) for q in program.charges)
            else:
                largest[slot, seen] = _rate_bound(slot, len(seen), program.full)
    white = sum(largest.get(key, 0.0) for key in zip(program.slots, program.cone.seen, strict=True))
    place = {q: i for i, q in enumerate(program.cone.qubits)}
    correlated = sum(
        max(greatest_process_rate(process, program.cone, place, q) for q in program.charges)
        for process in program.processes
    )
    return float(white + correlated)


def least_rate(program: Program) -> float:
    """A rate above 0 that no decaying history's total is below: the smallest of any visible element in any slot.

    A history that decays does so in one slot at least, and no rate is negative. 0 where it is not known: for other
    noise than diagonal dephasing, noise correlated in time, and sectors too large to be tabulated.
    """
    if program.noise_class != "strong" or program.processes or max(program.dimensions) > _TABULATED:
        return 0.0
    smallest = math.inf
    for slot, seen in {*zip(program.slots, program.cone.seen, strict=True)}:
        for charge in () if slot.empty else program.charges:
            rates = program.coherence_rates(slot, charge)[_agreeing(program, seen, charge)]
            smallest = min(smallest, float(rates[rates > 0].min(initial=math.inf)))
    return smallest if math.isfinite(smallest) else 0.0


def _rate_bound(slot: SlotProgram, seen: int, full: bool) -> float:
    """No less than any element's rate, without a table of them: the jumps' greatest rates add up.

    K takes on two states of one charge values that differ by at most twice the sum of the k largest less that of the k
    smallest weights, k at most half of the seen qubits; in the full space, by twice the sum of all sizes.
    """
    total = 0.0
    for rate, weights, parity in slot.jumps:
        ordered = np.sort([w for _, w in weights] + [0.0] * max(0, seen - len(weights)))
        k = len(ordered) // 2
        apart = np.abs(ordered).sum() if full else ordered[len(ordered) - k :].sum() - ordered[:k].sum()
        spread = 2.0 if parity else 2 * float(apart)
        total += rate * spread**2 / 2
    total += sum(down + up for _, (down, up) in slot.relaxation)
    total += sum(rate for _, rate in slot.depolarizing) + 2 * sum(rate for _, rate in slot.flips)
    return total + 2 * sum(rate for _, rate in slot.paulis)


def _visible_rate(program: Program, slot: SlotProgram, seen: frozenset[int], charge: int | None) -> float:
    rates = program.coherence_rates(slot, charge) + _population_rates(program, slot, charge)
    return float(rates[_agreeing(program, seen, charge)].max(initial=0.0))


def _agreeing(program: Program, seen: frozenset[int], charge: int | None) -> npt.NDArray[np.bool_]:
    """Which |x><y| agree on all qubits that the readout does not see, shape (D, D)."""
    hidden = [i for i, q in enumerate(program.cone.qubits) if q not in seen]
    _, groups = np.unique(program.sectors[charge].occupations[:, hidden], axis=0, return_inverse=True)
    return np.asarray(groups.ravel()[:, None] == groups.ravel()[None, :])


def _population_rates(program: Program, slot: SlotProgram, charge: int | None) -> Real:
    """How fast populations relax on the qubits where x and y agree, shape (D, D)."""
    filled = program.sectors[charge].occupations.astype(np.float64)
    site = np.zeros(program.width)
    for i, (down, up) in slot.relaxation:
        site[i] += down + up
    for i, rate in slot.flips:
        site[i] += 2 * rate
    for qubits, rate in slot.depolarizing:
        if len(qubits) == 1:
            site[qubits[0]] += rate
    alone = filled @ site
    out = site.sum() - alone[:, None] - alone[None, :] + 2 * (filled * site) @ filled.T
    for qubits, rate in slot.depolarizing:
        if len(qubits) == 2:
            local = filled[:, qubits[0]] + 2 * filled[:, qubits[1]]
            out += rate * (local[:, None] == local[None, :])
    return np.asarray(out)


def certificate(program: Program, ensemble: Ensemble) -> Certificate:
    """Whether the survival bounds are proved for this noise and ensemble."""
    greatest = greatest_rate(program)
    if program.noise_class not in ("none", "strong"):
        return Certificate(
            False, f"the noise is {program.noise_class}ly symmetric; the proof covers diagonal dephasing", greatest
        )
    if program.full:
        return Certificate(False, "the circuit or readout does not conserve the charge", greatest)
    if ensemble.kind != "uniform":
        return Certificate(False, f"the ensemble is {ensemble.describe()}, not uniform", greatest)
    missing = random_phases(program.problem, program)
    if missing is not None:
        return Certificate(False, missing, greatest)
    return Certificate(
        True,
        "diagonal dephasing, and an independent uniform Z rotation on each qubit at every noise slot",
        greatest,
        least_rate(program),
    )


def random_phases(problem: Problem, program: Program) -> str | None:
    """Whether each qubit that the readout sees carries its own Z rotation next to every noisy slot; the gap, or None.

    A rotation counts in the slot's own layer after the last gate that is not diagonal, or in the next layer before the
    first one, if its parameter enters no other gate.
    """
    uses: Counter[int] = Counter()
    for layer in problem.layers:
        for block in layer.blocks:
            uses.update(k for r in block.rotations for k, _ in r.angle.coefficients)
    for number, slot in enumerate(program.slots):
        if slot.empty and not any(process.coefficients[number].any() for process in program.processes):
            continue
        after = problem.layers[number + 1].blocks if number + 1 < len(problem.layers) else ()
        for qubit in sorted(program.cone.seen[number]):
            before = _wire(problem.layers[number].blocks, qubit)[::-1]
            if not (_has_own_phase(before, uses) or _has_own_phase(_wire(after, qubit), uses)):
                return f"qubit {qubit} has no Z rotation of its own next to the noise slot of layer {number}"
    return None


def _wire(blocks: tuple[Block, ...], qubit: int) -> list[Rotation]:
    return [r for block in blocks for r in block.rotations if qubit in r.qubits]


def _has_own_phase(rotations: list[Rotation], uses: Counter[int]) -> bool:
    for rotation in rotations:
        generator = rotation.generator
        if np.abs(generator - np.diag(np.diag(generator))).max() > 1e-12:
            return False
        own = [k for k, _ in rotation.angle.coefficients]
        if len(rotation.qubits) == 1 and len(own) == 1 and uses[own[0]] == 1:
            return True
    return False
