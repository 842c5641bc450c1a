"""The two-sided certificate on the survival, and the condition under which it is proved.

In an ensemble in which each qubit carries an independent uniform Z rotation next to every noise slot, only equal
histories of charge differences dz = z_x - z_y interfere, so for diagonal dephasing V(s)/V(0) is the integral of
exp(-2 s Gamma) over a positive measure: completely monotone and log-convex. Phases correlated in time are Gaussian too
and give each history a rate of its own, half the variance of its phase, so that the same holds for them.

No symmetry enters: at a slot both the rotations and the noise are diagonal and act on |x><y| through dz alone, whatever
the gates between the slots do. It holds for circuits that conserve parity, or nothing, as for those that conserve the
charge; and with rotations shared by several qubits (permutation-equivariant circuits) where the noise is a sum over the
same qubits. See :mod:`equinoise.coherence.random_phases`.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from equinoise.coherence.random_phases import random_phases, shared_phases
from equinoise.coherence.resummed import leading_order_survival
from equinoise.ensemble import Ensemble
from equinoise.reduction.compiled import CompiledProblem
from equinoise.reduction.program import Program
from equinoise.reduction.slots.processes import greatest_process_rate
from equinoise.reduction.slots.slot_program import SlotProgram, jump_weights
from equinoise.reduction.symmetric_program import SymmetricProgram

__all__ = ["BoundEnds", "Certificate", "certificate", "greatest_rate", "least_rate", "survival_bounds"]

Real = npt.NDArray[np.float64]

# up to this dimension the rates of all elements of a block are tabulated
_TABULATED = 1000
# up to this many qubits those of all charge differences
_TABULATED_QUBITS = 8


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


@dataclass(frozen=True)
class BoundEnds:
    """Where kappa and w0 lie, and hence what their bounds on the survival hold for.

    The lower bound falls with kappa and rises with w0, the upper one falls with kappa: taken at the worst ends, both
    hold wherever in their intervals kappa and w0 are.

    Attributes:
        kappa: Least and greatest; equal where it is exact.
        fixed_point_share: Least and greatest w0, likewise.
        within: How the ends were found, such as "at 99 %"; empty where kappa and w0 are exact.
    """

    kappa: tuple[float, float]
    fixed_point_share: tuple[float, float]
    within: str = ""

    def survival_bounds(self, scale: npt.ArrayLike, greatest: float) -> tuple[Real, Real]:
        """Lower and upper bound on R(s) at the ends; see :func:`survival_bounds`.

        Args:
            scale: Noise scale s, any shape.
            greatest: Gmax, the largest total rate.
        """
        lower, _ = survival_bounds(scale, self.kappa[1], self.fixed_point_share[0], greatest)
        _, upper = survival_bounds(scale, self.kappa[0], self.fixed_point_share[1], greatest)
        return lower, upper


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
        >>> from equinoise.coherence.bounds import survival_bounds
        >>> low, high = survival_bounds(1.0, 0.1, 0.0, 0.4)
        >>> round(float(low), 4), round(float(high), 4)
        (0.9048, 0.9286)
    """
    # V(s)/V(0) = E exp(-2 s Gamma) over a probability measure on [0, Gmax] with mean kappa and weight w0 at 0. Below:
    # exp is convex, so E exp(-2 s Gamma) >= exp(-2 s E Gamma) (Jensen); and the part at rate 0 never decays. Above: a
    # convex function lies below its chord from 0 to Gmax, and the mean of the chord needs kappa alone.
    s = np.asarray(scale, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        lower = np.maximum(leading_order_survival(s, kappa) ** 2, fixed_point_share)
        if greatest > 0:
            upper = (1 - kappa / greatest) + (kappa / greatest) * np.exp(-2 * s * greatest)
        else:
            upper = np.ones_like(s)
    return np.sqrt(np.clip(lower, 0, 1)), np.sqrt(np.clip(upper, 0, 1))


def greatest_rate(program: CompiledProblem) -> float:
    """Gmax: the sum over slots of the largest decay rate of any element |x><y| that the readout can see there.

    The readout is the identity on qubits that it does not see in a slot, so x and y agree on those. Where they agree,
    populations relax at down + up, twice the rate of the coherence, and depolarize at the same rate as it. In large
    sectors an upper bound of it, which loosens the chord and keeps it true; likewise for noise correlated in time.

    For another symmetry than the charge an upper bound of the generator's largest decay rate on the commutant: that on
    all operators, of those jumps that are visible there.
    """
    if isinstance(program, SymmetricProgram):
        return float(sum(_history_rates(*slot)[1] for slot in _visible_slots(program)))
    return _greatest_in_blocks(cast(Program, program))


def _greatest_in_blocks(program: Program) -> float:
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


def least_rate(program: CompiledProblem) -> float:
    """A rate above 0 that no decaying history's total is below: the smallest of any visible element in any slot.

    A history that decays does so in one slot at least, and no rate is negative. 0 where it is not known: for other
    noise than diagonal dephasing, noise correlated in time, and sectors too large to be tabulated.
    """
    if isinstance(program, SymmetricProgram):
        smallest = min((_history_rates(*slot)[0] for slot in _visible_slots(program)), default=0.0)
        return smallest if program.dephases_only else 0.0
    return _least_in_blocks(cast(Program, program))


def _least_in_blocks(program: Program) -> float:
    if program.noise_class != "strong" or program.processes or max(program.dimensions) > _TABULATED:
        return 0.0
    smallest = math.inf
    for slot, seen in {*zip(program.slots, program.cone.seen, strict=True)}:
        for charge in () if slot.empty else program.charges:
            rates = program.coherence_rates(slot, charge)[_agreeing(program, seen, charge)]
            smallest = min(smallest, float(rates[rates > 0].min(initial=math.inf)))
    return smallest if math.isfinite(smallest) else 0.0


def _visible_slots(program: SymmetricProgram) -> list[tuple[SlotProgram, tuple[int, ...]]]:
    """Per noisy slot what of it is visible in the commutant, and the cone's qubits that the readout sees there."""
    place = {q: i for i, q in enumerate(program.cone.qubits)}
    out = []
    for slot, seen in zip(program.visible_slots, program.cone.seen, strict=True):
        if not slot.empty:
            out.append((slot, tuple(sorted(place[q] for q in seen))))
    return out


def _history_rates(slot: SlotProgram, seen: tuple[int, ...]) -> tuple[float, float]:
    """The least rate above 0 and the greatest of any dz on the seen qubits; where not tabulated, 0 and a bound."""
    if len(seen) > _TABULATED_QUBITS or not slot.dephases_only:
        return 0.0, _rate_bound(slot, len(seen), full=True)
    # Each qubit's z_x - z_y is 0, 2 or -2, and the rate depends on these alone: for a sum of Z rate (v . dz)^2/2; for
    # a product of Z 2 rate if an odd number of its qubits differ, else 0.
    differences = np.array(list(itertools.product((0.0, 2.0, -2.0), repeat=len(seen))))
    weights = jump_weights(slot, 1 + max(seen))[:, list(seen)]
    rates = np.zeros(len(differences))
    for row, (rate, _, parity) in zip(weights, slot.jumps, strict=True):
        odd = np.count_nonzero(differences[:, row != 0], axis=1) % 2
        rates += rate * (2.0 * odd if parity else (differences @ row) ** 2 / 2)
    greatest = float(rates.max())
    return float(rates[rates > 1e-13 * greatest].min(initial=greatest)), greatest


def _rate_bound(slot: SlotProgram, seen: int, full: bool) -> float:
    """No less than any element's rate, without a table of them: the jumps' greatest rates add up.

    K takes on two states of one charge values that differ by at most twice the sum of the k largest less that of the k
    smallest weights, k at most half of the seen qubits; in the full space, by twice the sum of all sizes.
    """
    total = 0.0
    for rate, weights, parity in slot.jumps:
        # Both states have one charge, so as many qubits go from 1 to 0 as from 0 to 1: at most k = half of them each
        # way. The sum over v_i (z_x - z_y)_i is greatest with the largest weights on one side and the smallest on the
        # other.
        ordered = np.sort([w for _, w in weights] + [0.0] * max(0, seen - len(weights)))
        k = len(ordered) // 2
        apart = np.abs(ordered).sum() if full else ordered[len(ordered) - k :].sum() - ordered[:k].sum()
        spread = 2.0 if parity else 2 * float(apart)
        total += rate * spread**2 / 2
    total += sum(action.bound for _, action in slot.general)
    total += sum(max(moves.down + moves.up, moves.decay) for _, moves in slot.sites)
    return total + sum(reset.rate for _, reset in slot.resets) + 2 * sum(string.rate for _, string in slot.strings)


def _visible_rate(program: Program, slot: SlotProgram, seen: frozenset[int], charge: int | None) -> float:
    rates = program.coherence_rates(slot, charge) + _population_rates(program, slot, charge)
    others = sum(action.bound for _, action in slot.general)
    return float(rates[_agreeing(program, seen, charge)].max(initial=0.0)) + others


def _agreeing(program: Program, seen: frozenset[int], charge: int | None) -> npt.NDArray[np.bool_]:
    """Which |x><y| agree on all qubits that the readout does not see, shape (D, D)."""
    hidden = [i for i, q in enumerate(program.cone.qubits) if q not in seen]
    _, groups = np.unique(program.sectors[charge].occupations[:, hidden], axis=0, return_inverse=True)
    return np.asarray(groups.ravel()[:, None] == groups.ravel()[None, :])


def _population_rates(program: Program, slot: SlotProgram, charge: int | None) -> Real:
    """How fast populations relax on the qubits where x and y agree, shape (D, D)."""
    filled = program.sectors[charge].occupations.astype(np.float64)
    site = np.zeros(program.width)
    for _, moves in slot.sites:
        site[moves.qubit] += moves.down + moves.up
    # Sum over qubits of site_i [x_i = y_i], with [x_i = y_i] = 1 - x_i - y_i + 2 x_i y_i.
    alone = filled @ site
    out = site.sum() - alone[:, None] - alone[None, :] + 2 * (filled * site) @ filled.T
    for _, ((first, second), rate) in slot.resets:
        local = filled[:, first] + 2 * filled[:, second]
        out += rate * (local[:, None] == local[None, :])
    return np.asarray(out)


def certificate(program: CompiledProblem, ensemble: Ensemble) -> Certificate:
    """Whether the survival bounds are proved for this noise and ensemble."""
    if not program.has_limit:
        return Certificate(False, "coherent noise turns the gradient and need not shrink it: no bounds", math.nan)
    greatest = greatest_rate(program)
    if isinstance(program, SymmetricProgram) and greatest == 0:
        return Certificate(True, _nothing_visible(program), 0.0)
    by_charge = program.problem.by_charge
    if not program.dephases_only:
        kind = "not diagonal dephasing, which the proof covers"
        if by_charge and program.noise_class == "weak":
            kind = "weakly symmetric; the proof covers diagonal dephasing"
        return Certificate(False, f"the noise is {kind}", greatest)
    if ensemble.kind != "uniform":
        return Certificate(False, f"the ensemble is {ensemble.describe()}, not uniform", greatest)
    rotation = "an independent uniform Z rotation on each qubit"
    missing = random_phases(program.problem, program)
    if missing is not None and not by_charge:
        rotation = "independent uniform Z rotations, on several qubits each, that span the noise's jumps"
        missing = shared_phases(program)
    if missing is not None:
        return Certificate(False, missing, greatest)
    return Certificate(True, f"diagonal dephasing, and {rotation} at every noise slot", greatest, least_rate(program))


def _nothing_visible(program: SymmetricProgram) -> str:
    if program.noise_class == "none":
        return "there is no noise that the readout sees"
    return (
        f"this noise is invisible to every operator that commutes with {program.symmetry}: gradients are as without it"
    )
