"""What a gradient costs in shots, and when it is still resolved."""

from __future__ import annotations

import math
from dataclasses import dataclass

from equinoise.coherence.sample import Interval
from equinoise.diagnosis.depth import GreatestDepth

__all__ = ["Resources", "resolved_rms", "shots_per_gradient"]


@dataclass(frozen=True)
class Resources:
    """What the surviving gradient costs.

    Attributes:
        shots: Shots per expectation value and measurement setting that the verdict assumes.
        shot_variance: Var(O) of the readout's estimate from one (noisy, imperfectly read) shot in each setting, over
            the draws.
        settings: Measurement settings that Var(O) assumes: terms that agree on each qubit share one.
        evaluations: Expectation values that a parameter-shift gradient takes, over the parameters in the cone.
        shift_weight: Variance of a parameter's shift-rule estimate over Var(O)/shots, mean over the cone's parameters.
        resolved_rms: RMS gradient that the shots resolve, per radian.
        readout_factor: RMS gradient of the measured over the ideal readout (assignment errors).
        measured_rms: RMS gradient at the scale, assignment errors included.
        measured_interval: 95 % interval of it.
        shots_per_gradient: Shots per expectation value and setting at which it has signal-to-noise 1.
        greatest_scale: Noise scale at which the gradient is still resolved, by the resummed law; infinity if always, 0
            if never.
        greatest_depth: See :class:`GreatestDepth`; None where the layers do not repeat, or it was not asked for.
    """

    shots: int
    shot_variance: float
    settings: int
    evaluations: int
    shift_weight: float
    resolved_rms: float
    readout_factor: float
    measured_rms: float
    measured_interval: Interval
    shots_per_gradient: float
    greatest_scale: float
    greatest_depth: GreatestDepth | None


def shots_per_gradient(shot_variance: float, rms_gradient: float, shift_weight: float) -> float:
    """N = w Var(O) / g^2: shots per expectation value and setting at which the RMS gradient has signal-to-noise 1.

    A shift-rule estimate of g_k from N shots per evaluation has variance w_k Var(O)/N; at this N the squared gradients
    of all parameters together are as large as their variances, sum_k g_k^2 = sum_k w_k Var(O)/N. Var(O) at the shifted
    angles is taken to be the ensemble's, which it is for independent uniform angles.

    Args:
        shot_variance: Var(O), of the readout's estimate from one shot in each setting.
        rms_gradient: g, RMS over parameters and draws, per radian; 0 where it is rounding.
        shift_weight: w, mean over the parameters of the light cone: 1/2 for a two-term rule; see
            :func:`equinoise.reduction.shift_rules.shift_costs`.

    Example:
        >>> shots_per_gradient(1.0, 0.01, 0.5)
        5000.0
    """
    return math.inf if rms_gradient <= 0 else shift_weight * shot_variance / rms_gradient**2


def resolved_rms(shot_variance: float, shots: float, shift_weight: float) -> float:
    """The RMS gradient that N shots per expectation value and setting resolve at signal-to-noise 1: sqrt(w Var(O)/N).

    Args:
        shot_variance: Var(O), of the readout's estimate from one shot in each setting.
        shots: N.
        shift_weight: w, as in :func:`shots_per_gradient`.
    """
    return math.sqrt(shift_weight * shot_variance / shots)
