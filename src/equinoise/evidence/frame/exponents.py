"""Power laws and exponentials through values with intervals.

Exponents are slopes of least-squares lines. Such a slope is linear in the logarithms, b = sum_i c_i ln V_i, so that the
intervals of the values move it by at most sum_i |c_i| error_i/V_i: this is the error stated with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.evidence.frame.grid import coefficient_of_determination

__all__ = ["Line", "fall", "line"]


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
        >>> from equinoise.evidence.frame.exponents import line
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


def fall(x: Sequence[float], values: Sequence[float], errors: Sequence[float]) -> tuple[Line, Line]:
    """The power law and the exponential through positive values: lines of ln V against ln x and against x."""
    v, e = np.asarray(values, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    spread = -np.log1p(-np.minimum(e / v, 1 - 1e-12))
    return line(np.log(x), np.log(v), spread), line(x, np.log(v), spread)
