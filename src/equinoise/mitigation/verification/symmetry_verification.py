"""Symmetry verification: a readout kept only where the measured charge of all qubits is right, and its gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.diagnosis.shots import shots_per_gradient
from equinoise.engines.draws import check_scale
from equinoise.engines.evaluate import Gradient, expectation, gradient
from equinoise.mitigation.verification.post_selection import (
    NO_VERIFIED_MODEL,
    KeptSector,
    PostSelection,
    post_selection,
)
from equinoise.model.asked import of_problems_alone
from equinoise.problem import Problem
from equinoise.reduction.shift_rules import gradient_rounding, shift_costs

__all__ = ["Verified", "verification_notes", "verify"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Verified:
    """Value and gradient after post-selection on the charge, with what they cost.

    Attributes:
        value: C_ps = Tr[O P_q rho]/Tr[P_q rho], in the readout's units; NaN where nothing is kept.
        gradient: dC_ps/dtheta, shape (K,), per radian; NaN where nothing is kept.
        standard_error: Of the gradient, shape (K,); zeros from an exact engine.
        kept: Kept fraction of the shots, D = Tr[P_q rho]; 0 where nothing is kept.
        kept_gradient: dD/dtheta, shape (K,), per radian.
        shot_variance: Var_ps(O) of one kept shot; NaN where nothing is kept.
        overhead: Shots taken for each one kept, 1/D.
        shots_per_gradient: Shots taken per expectation value at which the RMS of this gradient over its nonzero
            components has signal-to-noise 1: w Var_ps/(g^2 D), w the mean weight of their shift rules (1/2 for two
            terms); infinite where there is no gradient.
        plain: The same readout without verification, assignment errors included.
        charge: q.
        scale: Noise scale s.
        changes: Whether verification does anything here.
        engine: Engine used.
        notes: What it does or does not do, and what was left out, in words.
    """

    value: float
    gradient: Real
    standard_error: Real
    kept: float
    kept_gradient: Real
    shot_variance: float
    overhead: float
    shots_per_gradient: float
    plain: Gradient
    charge: int
    scale: float
    changes: bool
    engine: str
    notes: tuple[str, ...]


@of_problems_alone(NO_VERIFIED_MODEL)
def verify(problem: Problem, theta: Any, scale: float = 1.0) -> Verified:
    """Value and gradient of a readout kept only where the charge of all n qubits is measured to be q.

    C_ps = N/D with N = Tr[O P_q rho(theta; s)], D = Tr[P_q rho(theta; s)]; dC_ps = (dN - C_ps dD)/D, by one sweep
    forward and one back. Assignment errors count in both, where one setting reads readout and charge together.

    Args:
        problem: The problem; q is ``problem.charge``.
        theta: Shape (K,), radians, in the order of ``circuit.parameters`` (or a mapping).
        scale: Noise scale s in [0, infinity]; 1 is the stated noise.

    Raises:
        ParameterError: theta or scale does not fit.
        StateError: The input holds several charges and the problem does not say which one is kept.
        ReadoutError: The readout does not commute with the charge.
        MemoryLimitError: The noise changes the charge and all n qubits do not fit.
        UnsupportedError: The noise is correlated in time and something else changes the charge.

    Source:
        Post-selection on a symmetry: arXiv:1807.10050; noisy gradients as in arXiv:2606.30688.

    Example:
        >>> import equinoise as eq
        >>> from equinoise.mitigation.verification.symmetry_verification import verify
        >>> circuit = eq.circuits.brickwork(4, depth=2)
        >>> noisy = eq.Problem(circuit, readout="Z2", initial="neel", noise="relaxation:0.05")
        >>> result = verify(noisy, [0.3] * 14)
        >>> round(result.kept, 6), round(result.value, 6), round(result.plain.value, 6)
        (0.818731, -0.912668, -0.730653)
    """
    s = check_scale(scale)
    angles = problem.theta(theta)
    chosen = post_selection(problem)
    plain = gradient(problem.as_read(), angles, s)
    notes = (*verification_notes(problem, chosen), *chosen.notes)
    if isinstance(chosen, KeptSector):
        # Noise moves no charge, so D is the input's weight in the sector, whatever theta and s: C_ps = N/D with a
        # constant D, and its variance is <O^2 P_q>/D - C_ps^2.
        draw = plain if chosen.alone else gradient(chosen.problem, angles, s)
        d = chosen.kept
        value, slope, error = draw.value / d, draw.gradient / d, draw.standard_error / d
        point = expectation(chosen.problem, angles, s)
        variance = (point.shot_variance + point.value**2) / d - (point.value / d) ** 2
        kept_slope = np.zeros_like(slope)
    else:
        value, slope, d, variance = chosen.value_and_gradient(angles, s)
        error = np.zeros_like(slope)
        kept_slope = chosen.kept_gradient(angles, s)
    if d == 0:
        notes += (f"at s = {s:g} no shot is read with charge {problem.charge}: the post-selected readout is undefined",)
    program = chosen.engine.program
    seen = np.abs(slope) > gradient_rounding(program)
    rms = math.sqrt(float(np.mean(slope[seen] ** 2))) if seen.any() else 0.0
    weight = float(shift_costs(program).noise[seen].mean()) if seen.any() else 0.0
    return Verified(
        value=value,
        gradient=slope,
        standard_error=error,
        kept=d,
        kept_gradient=kept_slope,
        shot_variance=variance,
        overhead=1 / d if d > 0 else math.inf,
        shots_per_gradient=math.inf if d == 0 else shots_per_gradient(variance / d, rms, weight),
        plain=plain,
        charge=int(problem.charge or 0),
        scale=s,
        changes=not (isinstance(chosen, KeptSector) and chosen.alone),
        engine=chosen.engine.name,
        notes=notes,
    )


def verification_notes(problem: Problem, chosen: KeptSector | PostSelection) -> tuple[str, ...]:
    """What verification does to this problem, in words."""
    q = problem.charge
    if isinstance(chosen, PostSelection):
        return ()
    if chosen.alone:
        return (
            f"verification does nothing here: gates and noise conserve the charge, so that every shot has charge {q}; "
            "dephasing inside a sector leaves no trace in the charge",
        )
    return (
        f"the noise moves no charge: verification keeps the input's part of charge {q} ({chosen.kept:.3g} of the "
        "shots) and undoes no noise",
    )
