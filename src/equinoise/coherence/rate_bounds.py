"""Rigorous bounds on the integral of one function of a rate from intervals of others, by linear programming.

A positive measure mu on {0} and [least, greatest] has the mass 1, and integrals of known functions f_i within intervals
[low_i, high_i]. For any multipliers c, with p = c_0 + sum_i c_i f_i and h = f - p,

    integral f dmu  >=  c_0 + sum_i min(c_i low_i, c_i high_i) + min h,

the minimum over the whole support. A linear program on a grid of rates proposes c; the minimum of h is then bounded
from below between the grid's points too, so that the inequality holds whatever the grid and the solver's tolerance. All
functions here are exponentials, powers up to the second, and the indicator of rate 0: their second derivatives are
bounded in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

__all__ = ["Functions", "Support", "certified_minimum", "least_integral", "least_widening", "rate_grid"]

Real = npt.NDArray[np.float64]

_TOLERANCE = 1e-9
_ROUNDS = 6
_GRID = 160
# rounding of a sum of terms, relative to the sum of their sizes
_ROUNDING = 4e-16


@dataclass(frozen=True)
class Support:
    """Where the measure may sit: rate 0, and [least, 1] in units of the greatest rate.

    Attributes:
        least: Smallest rate above 0 that occurs; 0 if unknown.
        empty: Whether rate 0 is all there is (the greatest rate is 0).
    """

    least: float
    empty: bool = False


@dataclass(frozen=True)
class Functions:
    """Functions of a rate x, in units of the greatest: a exp(-e x), plus b x + c x^2, plus d where x = 0.

    Attributes:
        exponents: e, shape (m,); infinity for a function that is 0 at every x > 0.
        exponential: a, shape (m,); 0 with an infinite exponent.
        linear: b, shape (m,).
        square: c, shape (m,).
        atom: d, shape (m,).
    """

    exponents: Real
    exponential: Real
    linear: Real
    square: Real
    atom: Real

    @staticmethod
    def decay(exponent: float) -> Functions:
        """exp(-exponent x); the indicator of x = 0 for an infinite exponent."""
        lasting = np.isinf(exponent)
        one, none = np.ones(1), np.zeros(1)
        return Functions(np.array([0.0 if lasting else exponent]), none if lasting else one, none, none, one * lasting)

    @staticmethod
    def power(order: int) -> Functions:
        """The rate x itself, or its square."""
        one, none = np.ones(1), np.zeros(1)
        return Functions(none, none, one * (order == 1), one * (order == 2), none)

    @staticmethod
    def join(parts: list[Functions]) -> Functions:
        """All functions of the parts, in order."""
        names = ("exponents", "exponential", "linear", "square", "atom")
        return Functions(*(np.concatenate([np.zeros(0), *(getattr(p, name) for p in parts)]) for name in names))

    def scaled(self, factors: Real) -> Functions:
        """Each function times its factor."""
        columns = (self.exponential, self.linear, self.square, self.atom)
        return Functions(self.exponents, *(column * factors for column in columns))

    def on(self, x: Real) -> Real:
        """Values at x > 0 (at 0, the limits from above), shape (m, points)."""
        decay = self.exponential[:, None] * np.exp(-self.exponents[:, None] * x)
        return np.asarray(decay + self.linear[:, None] * x + self.square[:, None] * x**2)

    def at_zero(self) -> Real:
        """Values at rate 0 itself, shape (m,)."""
        return self.exponential + self.atom

    def curvature(self, left: Real, right: Real) -> Real:
        """No less than the second derivative of the functions' sum anywhere in each interval, shape (intervals,)."""
        size = (self.exponential * self.exponents**2)[:, None]
        # convex terms curve most at the left end of an interval, concave ones least at its right
        ends = np.where(size > 0, left, right)
        return np.asarray((size * np.exp(-self.exponents[:, None] * ends)).sum(axis=0) + 2 * self.square.sum())


def rate_grid(support: Support, exponents: Real, points: int = _GRID) -> Real:
    """Rates from the smallest that an exponential resolves to the greatest, even in their logarithm at the low end."""
    if support.empty:
        return np.zeros(0)
    if support.least >= 1:
        return np.ones(1)
    steepest = float(exponents.max(initial=1.0))
    low = max(support.least, 0.01 / steepest)
    even = np.linspace(support.least, 1.0, points // 4)
    return np.unique(np.concatenate([[support.least, 1.0], even, np.geomspace(low, 1.0, points)]))


def certified_minimum(functions: Functions, support: Support, start: Real) -> tuple[float, Real]:
    """A lower bound on the minimum over the support of the functions' sum, and where it nearly lies.

    Between neighbours at distance d the sum lies above the lower of the two values less d^2/8 times the largest second
    derivative. Intervals on which that is not good enough are split.

    Args:
        functions: Their sum is minimised.
        support: Where.
        start: Points to begin with, ascending, from the support's least rate to 1.

    Returns:
        The bound, and the negative local minima among the points.
    """
    # On an interval of length d a function whose second derivative is at most C lies above its chord less C d^2/8 (and
    # a chord above the lower end). So with ``curvature`` >= f'' everywhere, ``floor`` is a proved bound on each
    # interval.
    rounding = _ROUNDING * float(
        np.abs(np.stack([functions.exponential, functions.linear, functions.square, functions.atom])).sum()
    )
    lowest = float(functions.at_zero().sum())
    if support.empty:
        return lowest - rounding, np.zeros(0)
    x = start if start.size > 1 else np.repeat(start, 2)
    value = functions.on(x).sum(axis=0)
    tolerance = _TOLERANCE / 10
    for _ in range(30):
        left, right = x[:-1], x[1:]
        floor = np.minimum(value[:-1], value[1:]) - (right - left) ** 2 / 8 * np.maximum(
            functions.curvature(left, right), 0
        )
        coarse = (floor < value.min() - tolerance) & (floor < -tolerance)
        if not coarse.any() or x.size > 20_000:
            break
        steps = np.array([0.25, 0.5, 0.75])
        new = (left[coarse, None] + (right - left)[coarse, None] * steps).ravel()
        merged = np.concatenate([x, new])
        order = np.argsort(merged, kind="stable")
        value = np.concatenate([value, functions.on(new).sum(axis=0)])[order]
        x = merged[order]
    padded = np.concatenate([[np.inf], value, [np.inf]])
    dips = (value <= padded[:-2]) & (value <= padded[2:]) & (value < -tolerance)
    return min(lowest, float(floor.min())) - rounding, x[dips]


def least_integral(target: Functions, known: Functions, low: Real, high: Real, support: Support, points: Real) -> float:
    """A number that the target's integral cannot be below, for any measure with the known integrals.

    Args:
        target: One function.
        known: The others.
        low: Of their integrals, shape (m,).
        high: Likewise.
        support: Where the measure sits.
        points: Rates that the grid should hold, shape (any,).
    """
    # Weak duality: any multipliers give a valid bound, and those of the linear program on the grid nearly the best
    # one. ``gap`` is how far h = f - p falls below 0 between grid points; the points where it does join the grid.
    best = -np.inf
    x = np.union1d(rate_grid(support, np.concatenate([known.exponents, target.exponents])), points)
    for _ in range(_ROUNDS):
        columns = np.column_stack([known.at_zero(), known.on(x)])
        goal = np.concatenate([target.at_zero(), target.on(x)[0]])
        free, multipliers = _multipliers(goal, columns, low, high)
        gap, dips = certified_minimum(
            Functions.join([target, known.scaled(-multipliers), _constant(-free)]), support, x
        )
        best = max(best, free + float(np.minimum(multipliers * low, multipliers * high).sum()) + gap)
        if gap > -_TOLERANCE or not np.setdiff1d(dips, x).size:
            break
        x = np.union1d(x, dips)
    return best


def least_widening(known: Functions, low: Real, high: Real, unit: Real, support: Support) -> tuple[float, Real]:
    """The smallest t for which some measure has its integrals in [low - t unit, high + t unit], found on a grid.

    Args:
        known: The functions.
        low: Of their integrals, shape (m,).
        high: Likewise.
        unit: How far each may be widened, relative to the others, shape (m,).
        support: Where the measure sits.

    Returns:
        t, which suffices whatever the grid, and the rates added to the grid on the way.
    """
    extra = np.zeros(0)
    start = rate_grid(support, known.exponents)
    widening = np.inf
    for _ in range(_ROUNDS):
        x = np.union1d(start, extra)
        columns = np.column_stack([known.at_zero(), known.on(x)])
        found = linprog(
            np.concatenate([np.zeros(columns.shape[1]), [1.0]]),
            A_ub=np.block([[columns, -unit[:, None]], [-columns, -unit[:, None]]]),
            b_ub=np.concatenate([high, -low]),
            A_eq=np.concatenate([np.ones(columns.shape[1]), [0.0]])[None, :],
            b_eq=[1.0],
            options=_OPTIONS,
        )
        if found.x is None or found.ineqlin.marginals is None:
            break
        widening = min(widening, max(0.0, float(found.x[-1])))
        if widening == 0.0:
            break
        # The dual solution prices each rate: a rate of negative reduced cost would, if it joined the grid, make the
        # widening smaller.
        above, below = np.split(found.ineqlin.marginals, 2)
        parts = [known.scaled(below - above), _constant(-float(found.eqlin.marginals[0]))]
        gap, dips = certified_minimum(Functions.join(parts), support, x)
        if gap > -_TOLERANCE or not np.setdiff1d(dips, x).size:
            break
        extra = np.union1d(extra, dips)
    if np.isinf(widening):  # no answer of the solver: what the best single rate needs suffices too
        missed = np.maximum(low[:, None] - columns, columns - high[:, None]) / unit[:, None]
        widening = max(0.0, float(missed.max(axis=0).min()))
    return widening, extra


_WIDENINGS = (0.0, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5)
_OPTIONS = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


def _constant(value: float) -> Functions:
    return Functions(np.zeros(1), np.full(1, value), np.zeros(1), np.zeros(1), np.zeros(1))


def _multipliers(goal: Real, columns: Real, low: Real, high: Real) -> tuple[float, Real]:
    """c_0 and c of the linear program on a grid: minimise goal.w over w >= 0, sum w = 1, low <= columns w <= high.

    Integrals known to rounding can leave the solver without a feasible point on one processor and with one on another:
    then they are widened until it finds one. Any multipliers are right; those of a wider program are as good as its
    width is small.
    """
    count, size = columns.shape
    for widening in _WIDENINGS:
        found = linprog(
            np.concatenate([goal, np.zeros(count)]),
            A_eq=np.block([[np.ones(size), np.zeros(count)], [columns, -np.eye(count)]]),
            b_eq=np.concatenate([[1.0], np.zeros(count)]),
            bounds=np.concatenate(
                [np.tile([0.0, np.inf], (size, 1)), np.column_stack([low - widening, high + widening])]
            ),
            options=_OPTIONS,
        )
        if found.success and np.isfinite(found.eqlin.marginals).all():
            return float(found.eqlin.marginals[0]), np.asarray(found.eqlin.marginals[1:])
    return 0.0, np.zeros(count)  # leaves the target's own minimum
