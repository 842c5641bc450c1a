"""The certificate's and the linear programme's bounds, held against ensemble averages of known truncation error."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from equinoise.coherence.bounds import certificate
from equinoise.coherence.spectrum import Estimate, coherence_spectrum
from equinoise.engines.replica.average import EnsembleAverage, FirstOrderAverage
from equinoise.ensemble import Ensemble
from equinoise.evidence.frame.rows import Row
from equinoise.problem import Problem
from equinoise.reduction.program import compile_problem

__all__ = ["contained", "ratio_interval"]

Real = npt.NDArray[np.float64]


def contained(
    label: str, problem: Problem, found: EnsembleAverage, orders: FirstOrderAverage | None, told: Sequence[float]
) -> list[Row]:
    """V(s)/V(0) in its truncation interval, and the certificate's and linear programme's bounds in theirs.

    Args:
        label: Of the problem.
        problem: With diagonal dephasing.
        found: V at 0, at other scales and, last, at infinity.
        orders: kappa, m2 and w0; without them the bounds follow from w0 alone.
        told: Scales at which the linear programme knows V, besides.
    """
    proof = certificate(compile_problem(problem), Ensemble())
    low, high = ratio_interval(found)
    share = Estimate((low[-1] + high[-1]) / 2, low=low[-1], high=high[-1])
    kappa = moment = None
    if orders is not None:
        kappa = _estimate(orders.kappa, orders.kappa_error)
        share = _estimate(orders.fixed_point_share, orders.fixed_point_share_error)
        moment = _estimate(orders.second_moment, orders.second_moment_error)
    finite = [(i, float(s)) for i, s in enumerate(found.scales) if 0 < s < math.inf]
    known = {s: Estimate((low[i] + high[i]) / 2, low=low[i], high=high[i]) for i, s in finite if s in told}
    spectrum = coherence_spectrum({**known, math.inf: share}, proof, kappa=kappa, second_moment=moment)
    out: list[Row] = []
    for i, s in finite:
        least, most = _certified(s, proof.greatest_rate, share, kappa)
        least_lp, most_lp = (float(v) for v in spectrum.ratio_bounds(s))
        out.append(
            {
                "case": label,
                "proved": proof.proved,
                "scale": s,
                "kappa": None if orders is None else orders.kappa,
                "greatest_rate": proof.greatest_rate,
                "low": float(low[i]),
                "high": float(high[i]),
                "certificate_lower": least,
                "certificate_upper": most,
                "program_lower": least_lp,
                "program_upper": most_lp,
                "widening": spectrum.widening,
                "foretold": s not in told,
                # how far even the nearest end of V's interval lies outside; negative inside
                "outside_certificate": float(max(least - high[i], low[i] - most)),
                "outside_program": float(max(least_lp - high[i], low[i] - most_lp)),
            }
        )
    return out


def _certified(s: float, greatest: float, share: Estimate, kappa: Estimate | None) -> tuple[float, float]:
    """max(exp(-2 s kappa), w0) and 1 - (kappa/Gmax)(1 - exp(-2 s Gmax)), each at the ends that widen it."""
    low = share.value if share.low is None else share.low
    if kappa is None or kappa.low is None or kappa.high is None:
        return low, 1.0
    fall = -math.expm1(-2 * s * greatest) / greatest if greatest > 0 else 0.0
    return max(math.exp(-2 * s * kappa.high), low), 1 - kappa.low * fall


def ratio_interval(found: EnsembleAverage) -> tuple[Real, Real]:
    """V(s)/V(0) of an average whose first scale is 0: the least and greatest that its truncation intervals allow."""
    low = (found.variance - found.error).clip(min=0) / (found.variance[0] + found.error[0])
    high = (found.variance + found.error) / (found.variance[0] - found.error[0])
    return low, high


def _estimate(value: float, error: float) -> Estimate:
    return Estimate(value, low=max(value - error, 0.0) if value >= 0 else value - error, high=value + error)
