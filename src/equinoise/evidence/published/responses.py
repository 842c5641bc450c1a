"""Gradients of one parameter over draws, and what is estimated from them. All calls of engines are here."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.coherence.law import law
from equinoise.coherence.law_record import Law
from equinoise.coherence.resummed import lasting_share, rate_variance, resummed_survival
from equinoise.engines.select import exact_engine
from equinoise.problem import Problem
from equinoise.sampling import Sampling

__all__ = [
    "ESTIMATORS",
    "ParameterLaw",
    "first_order_rate",
    "gradients",
    "mean_response",
    "parameter_law",
    "response",
    "whole_law",
]

Real = npt.NDArray[np.float64]

ESTIMATORS: dict[str, Callable[[Real, Real], float]] = {
    # of the squares without and with noise, from the same draws: V(0)/V(gamma)
    "mean": lambda without, noisy: float(without.mean() / noisy.mean()),
    "median": lambda without, noisy: float(np.median(without) / np.median(noisy)),
    "mean of ratios": lambda without, noisy: float(1 / np.mean(noisy / without)),
}
"""How the authors summarise draws: means in phases 0 to 9 and 19, ratios draw by draw in 10, medians from 11 on."""


def response(without: Real, noisy: Real, estimator: str = "mean") -> float:
    """D_M = ln V(0)/V(gamma) of one parameter.

    Args:
        without: Squared gradients without noise, shape (S,).
        noisy: With noise, of the same draws, shape (S,).
        estimator: A key of :data:`ESTIMATORS`.
    """
    return math.log(ESTIMATORS[estimator](without, noisy))


def mean_response(without: Real, noisy: Real) -> tuple[float, float]:
    """D_M from independent draws by their means, and its standard error to first order."""
    spread = without / without.mean() - noisy / noisy.mean()
    return response(without, noisy), float(spread.std(ddof=1) / math.sqrt(spread.size))


def gradients(problem: Problem, thetas: Real, parameter: int | None = None, scale: float = 1.0) -> Real:
    """Exact noisy gradients at given draws, one draw after the other.

    One component is taken by the shift rule, half the difference of values at theta_k +- pi/2, exact for RZ and RY with
    any noise between gates: two sweeps forward are less than one forward and one back for all parameters.

    Args:
        problem: The problem.
        thetas: Draws, shape (S, K).
        parameter: Which component; all by default.
        scale: Noise scale s; 0 is without noise.

    Returns:
        Shape (S,), or (S, K).
    """
    engine = exact_engine(problem, workers=1)
    if parameter is None:
        return np.array([engine.draw(theta, scale).gradient for theta in thetas])
    shift = np.zeros(thetas.shape[1])
    shift[parameter] = math.pi / 2
    ends = [(engine.value(theta + shift, scale)[0], engine.value(theta - shift, scale)[0]) for theta in thetas]
    return np.array([(above - below) / 2 for above, below in ends])


def first_order_rate(problem: Problem, thetas: Real, parameter: int) -> float:
    """Kappa of one parameter, -E g g'/E g^2 over the draws, of noise that is stated per unit of strength."""
    engine = exact_engine(problem, workers=1)
    g, slope, _ = np.array([engine.series(theta)[:, parameter] for theta in thetas]).T
    return float(-(g @ slope) / (g @ g)) + 0.0


@dataclass(frozen=True)
class ParameterLaw:
    """The resummed law of one parameter over given draws.

    Attributes:
        kappa: Aligned rate, per unit of s.
        share: w0 = V(inf)/V(0) as the law uses it.
        c2: Relative variance of the decaying rates.
    """

    kappa: float
    share: float
    c2: float

    def response(self, scale: npt.ArrayLike) -> Real:
        """D_M = -2 ln R(s)."""
        return np.asarray(-2 * np.log(resummed_survival(scale, self.kappa, self.share, self.c2)))


def parameter_law(problem: Problem, thetas: Real, parameter: int) -> ParameterLaw:
    """kappa, w0 and c2 of one parameter, each exact at every draw.

    Args:
        problem: The problem.
        thetas: Draws, shape (S, K).
        parameter: Which parameter.
    """
    engine = exact_engine(problem, workers=1)
    g, slope, bend = np.array([engine.series(theta)[:, parameter] for theta in thetas]).T
    frozen = gradients(problem, thetas, parameter, math.inf)
    square = float(g @ g)
    kappa = float(-(g @ slope) / square)
    moment = float(slope @ slope + 2 * (g @ bend)) / (2 * square)
    share = lasting_share(kappa, moment, float(frozen @ frozen) / square, dephasing=engine.program.dephases_only)
    return ParameterLaw(kappa, share, rate_variance(kappa, moment, share))


def whole_law(problem: Problem, thetas: Real | None = None, *, samples: int = 64, seed: int = 0) -> Law:
    """The law of the whole gradient.

    Args:
        problem: The problem.
        thetas: Draws, shape (S, K); None for weights uniform over their period.
        samples: Draws where none are given.
        seed: Of those.
    """
    return law(problem, sampling=Sampling(samples=samples, seed=seed, workers=1, engine="exact", ensemble=thetas))
