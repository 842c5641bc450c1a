"""The statistics that studies state: R^2, correlations, quotients with errors, power laws and exponentials.

Exponents are slopes of least-squares lines. Such a slope is linear in the logarithms, b = sum_i c_i ln V_i, so that the
intervals of the values move it by at most sum_i |c_i| error_i/V_i: this is the error stated with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

__all__ = ["Line", "coefficient_of_determination", "fall", "finite", "line", "quotient", "rank_measures"]

Real = npt.NDArray[np.float64]


def finite(value: float) -> float | None:
    """The number as a table holds it; None where it is undefined."""
    return float(value) if math.isfinite(value) else None


def coefficient_of_determination(predicted: npt.ArrayLike, exact: npt.ArrayLike) -> float:
    """R^2 = 1 - sum (exact - predicted)^2 / sum (exact - mean exact)^2; NaN without spread.

    Example:
        >>> from equinoise.evidence.frame.statistics import coefficient_of_determination
        >>> coefficient_of_determination([1.0, 2.0, 4.0], [1.0, 2.0, 3.0])
        0.5
    """
    seen = np.asarray(exact, dtype=np.float64)
    miss = seen - np.asarray(predicted, dtype=np.float64)
    spread = float(np.sum((seen - seen.mean()) ** 2)) if seen.size else 0.0
    return 1.0 - float(np.sum(miss**2)) / spread if spread > 0 else math.nan


def quotient(
    top: tuple[float, float], bottom: tuple[float, float], known: bool
) -> tuple[float, float] | tuple[None, None]:
    """The quotient of two independent estimates and its standard error, to first order; None where it is not known.

    Args:
        top: Value and standard error.
        bottom: Value and standard error.
        known: Whether the bottom is more than rounding.

    Example:
        >>> from equinoise.evidence.frame.statistics import quotient
        >>> quotient((1.0, 0.5), (2.0, 0.0), True)
        (0.5, 0.25)
    """
    (a, a_error), (b, b_error) = top, bottom
    if not known or b == 0:
        return None, None
    return float(a / b), float(math.hypot(a_error / b, a * b_error / b**2))


def _correlation(x: Real, y: Real) -> Real:
    """Pearson's correlation along the last axis; 0 where either is constant."""
    a, b = x - x.mean(axis=-1, keepdims=True), y - y.mean(axis=-1, keepdims=True)
    spread = np.sqrt(np.sum(a**2, axis=-1) * np.sum(b**2, axis=-1))
    floor = 1e-12 * np.maximum(np.abs(x).max(axis=-1) * np.abs(y).max(axis=-1), 1e-300)
    return np.where(spread > floor, np.sum(a * b, axis=-1) / np.maximum(spread, 1e-300), 0.0)


def rank_measures(x: Real, r: Real) -> Real:
    """|Spearman|, |Pearson|, and R^2 of the better straight line (r or ln r on x): shape (3, ...).

    Args:
        x: A quantity, shape (..., m); sizes below 1e-12 count as 0.
        r: What it is to predict, shape (..., m), positive.
    """
    x = np.where(np.abs(x) < 1e-12, 0.0, x).round(12)
    spearman = np.abs(_correlation(rankdata(x, axis=-1), rankdata(r.round(12), axis=-1)))
    pearson = np.abs(_correlation(x, r))
    logarithm = np.abs(_correlation(x, np.log(r)))
    return np.stack([spearman, pearson, np.maximum(pearson, logarithm) ** 2])


@dataclass(frozen=True)
class Line:
    """A least-squares line y = intercept + slope x through values with intervals.

    Attributes:
        slope: Of the line.
        error: By how much the intervals can move the slope.
        intercept: Of the line.
        r2: Share of the spread of y that it explains.
    """

    slope: float
    error: float
    intercept: float
    r2: float


def line(x: npt.ArrayLike, y: npt.ArrayLike, errors: npt.ArrayLike) -> Line:
    """The least-squares line, its slope's error by worst case over |y_i - true y_i| <= errors_i.

    Example:
        >>> from equinoise.evidence.frame.statistics import line
        >>> found = line([0, 1, 2], [1.0, 3.0, 5.0], [0.1, 0.0, 0.1])
        >>> round(found.slope, 12), round(found.error, 12), round(found.intercept, 12), round(found.r2, 12)
        (2.0, 0.1, 1.0, 1.0)
    """
    places, values = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    centred = places - places.mean()
    weights = centred / (centred @ centred)
    slope = float(weights @ values)
    intercept = float(values.mean() - slope * places.mean())
    r2 = coefficient_of_determination(intercept + slope * places, values)
    return Line(slope, float(np.abs(weights) @ np.asarray(errors, dtype=np.float64)), intercept, r2)


def fall(x: npt.ArrayLike, values: npt.ArrayLike, errors: npt.ArrayLike) -> tuple[Line, Line]:
    """The power law and the exponential through positive values: lines of ln V against ln x and against x."""
    v, e = np.asarray(values, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    spread = -np.log1p(-np.minimum(e / v, 1 - 1e-12))
    return line(np.log(x), np.log(v), spread), line(x, np.log(v), spread)
