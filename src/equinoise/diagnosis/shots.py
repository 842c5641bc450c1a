"""What a gradient costs in shots, and when it is still resolved."""

from __future__ import annotations

import math

__all__ = ["resolved_rms", "shots_per_gradient"]


def shots_per_gradient(shot_variance: float, rms_gradient: float) -> float:
    """N = Var(O) / (2 g^2): shots per expectation value at which the RMS gradient has signal-to-noise 1.

    A two-term shift gradient from N shots per evaluation has variance Var(O)/(2 N).

    Args:
        shot_variance: Var(O) of one measurement.
        rms_gradient: g, RMS over parameters and draws, per radian.

    Example:
        >>> shots_per_gradient(1.0, 0.01)
        5000.0
    """
    return math.inf if rms_gradient <= 0 else shot_variance / (2 * rms_gradient**2)


def resolved_rms(shot_variance: float, shots: float) -> float:
    """The RMS gradient that N shots per expectation value resolve at signal-to-noise 1: sqrt(Var(O)/(2 N)).

    Args:
        shot_variance: Var(O) of one measurement.
        shots: N.
    """
    return math.sqrt(shot_variance / (2 * shots))
