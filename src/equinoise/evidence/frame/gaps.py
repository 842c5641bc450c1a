"""How far a survival lies inside its two-sided bounds, with the sampling error that both sides share.

In a random-phase ensemble the bounds hold for the ensemble's mean. A finite sample obeys them up to its sampling error:
kappa, w0 and V(s) come from the same draws, but the interference of unequal histories averages out only in the mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from equinoise.evidence.frame.measured_cases import Measured

__all__ = ["TOLERANCE", "Gaps", "allowed_sigmas", "gaps"]

Real = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]

TOLERANCE = 1e-9
"""A bound counts as violated from here on, in V(s)/V(0)."""

_FAMILY_WISE = 0.01


def allowed_sigmas(points: int, samples: int) -> float:
    """Standard errors within which both bounds at every point lie, together wrong with probability 1 %."""
    return float(student.ppf(1 - _FAMILY_WISE / (2 * max(1, points)), samples - 1))


@dataclass(frozen=True)
class Gaps:
    """How far V(s)/V(0) lies inside its bounds on one sample; negative where a bound is violated.

    Attributes:
        ratio: V(s)/V(0), shape (m,).
        lower: max(exp(-2 s kappa), w0), shape (m,).
        upper: 1 - (kappa/Gmax)(1 - exp(-2 s Gmax)), shape (m,).
        below: ratio - lower, shape (m,).
        above: upper - ratio, shape (m,).
        below_error: Standard error of ``below`` from the paired draws, to first order, shape (m,).
        above_error: Of ``above``, shape (m,).
    """

    ratio: Real
    lower: Real
    upper: Real
    below: Real
    above: Real
    below_error: Real
    above_error: Real

    @property
    def outside(self) -> Truths:
        """Where a bound is violated, counted strictly, shape (m,)."""
        return (self.below < -TOLERANCE) | (self.above < -TOLERANCE)

    def beyond(self, sigmas: float) -> tuple[Truths, Truths]:
        """Where the lower and the upper bound are violated by more than so many standard errors, shapes (m,)."""
        return (
            self.below < -TOLERANCE - sigmas * self.below_error,
            self.above < -TOLERANCE - sigmas * self.above_error,
        )


def gaps(one: Measured) -> Gaps:
    """The gaps of a case or problem to both bounds, with the error that kappa, w0 and V(s) make together."""
    s, greatest = one.scales, one.certificate.greatest_rate
    ratio = one.noisy.mean(axis=0) / one.variance
    leading = np.exp(-2 * s * one.kappa)
    lower = np.maximum(leading, one.share)
    fall = -np.expm1(-2 * s * greatest) / greatest if greatest > 0 else np.zeros_like(s)
    upper = 1 - one.kappa * fall
    # per draw, the first-order change of each estimate with the draw's weight
    d_ratio = (one.noisy - ratio * one.squares[:, None]) / one.variance
    d_kappa = (-one.slopes - one.kappa * one.squares)[:, None] / one.variance
    d_share = (one.frozen - one.share * one.squares)[:, None] / one.variance
    d_lower = np.where(leading >= one.share, -2 * s * leading * d_kappa, d_share)
    root = math.sqrt(one.samples)
    return Gaps(
        ratio=ratio,
        lower=lower,
        upper=upper,
        below=ratio - lower,
        above=upper - ratio,
        below_error=(d_ratio - d_lower).std(axis=0, ddof=1) / root,
        above_error=(d_kappa * fall + d_ratio).std(axis=0, ddof=1) / root,
    )
