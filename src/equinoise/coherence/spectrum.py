"""The coherence spectrum: the measure over rates whose Laplace transform V(s)/V(0) is, and what it allows elsewhere.

Under the condition of the certificate V(s)/V(0) = integral of exp(-2 s Gamma) over a positive measure of mass 1. Values
at a few scales do not fix the measure, yet they bound the survival at every other scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from equinoise.coherence.bounds import Certificate
from equinoise.coherence.rate_bounds import Functions, Support, least_integral, least_widening, rate_grid
from equinoise.errors import ParameterError

__all__ = ["CoherenceSpectrum", "Estimate", "RateMeasure", "coherence_spectrum"]

Real = npt.NDArray[np.float64]

# half the width of an interval around an exact number: what engines agree to
_EXACT = 1e-9
# a widening by less is the grid's and the solver's, not the data's
_NEGLIGIBLE = 1e-6
# points of the finer grid around an atom
_CLOSER = 21


@dataclass(frozen=True)
class Estimate:
    """A number with what is known of its error.

    Attributes:
        value: The number.
        error: Standard error; 0 if not sampled.
        low: Lower end of its interval (what sampling or truncation leaves); by default so many standard errors below
            the value as the spectrum says.
        high: Upper end, likewise.
    """

    value: float
    error: float = 0.0
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        low, high = self._ends
        if not (all(map(math.isfinite, (self.value, self.error, low, high))) and self.error >= 0):
            raise ParameterError(f"an estimate needs finite numbers and an error >= 0, got {self!r}.")
        if not low <= self.value <= high:
            raise ParameterError(f"an estimate's value must lie between low and high, got {self!r}.")

    @property
    def _ends(self) -> tuple[float, float]:
        return self.value if self.low is None else self.low, self.value if self.high is None else self.high

    def interval(self, deviations: float) -> tuple[float, float]:
        """Low and high; where they are not stated, so many standard errors from the value."""
        reach = deviations * self.error
        return (
            self.value - reach if self.low is None else self.low,
            self.value + reach if self.high is None else self.high,
        )

    @property
    def uncertainty(self) -> float:
        """The standard error, or half of the interval where nothing was sampled; 0 for an exact number."""
        low, high = self._ends
        return self.error or (high - low) / 2


@dataclass(frozen=True)
class RateMeasure:
    """A positive measure over rates that comes closest to the known values; others may come as close.

    Attributes:
        rates: Total decay rates Gamma, ascending, dimensionless, shape (a,); the lasting part has rate 0.
        weights: Share of V(0) at each, shape (a,); they sum to 1.
        residual: Largest difference between a known V(s)/V(0) and the measure's.
    """

    rates: Real
    weights: Real
    residual: float

    def __call__(self, scale: npt.ArrayLike) -> Real:
        """V(s)/V(0) = sum of weights exp(-2 s rates), any shape of scales."""
        s = np.asarray(scale, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            exponents = np.where(self.rates > 0, s[..., None] * self.rates, 0.0)
        return np.asarray(np.exp(-2 * exponents) @ self.weights)


@dataclass(frozen=True)
class CoherenceSpectrum:
    """What known values say of the measure over rates, and of V(s) at scales where it is not known.

    Attributes:
        ratios: (s, V(s)/V(0)), ascending in s; infinity gives w0.
        kappa: First moment, -(1/2) d ln V/ds at 0; None if unknown.
        second_moment: m2 = V''(0)/(4 V(0)); None if unknown.
        certificate: Whether the measure is proved to exist, and the rates it may have.
        deviations: Standard errors that a known value may be off by, where its interval is not stated.
        within: Where sampled values are taken to lie, in words.
    """

    ratios: tuple[tuple[float, Estimate], ...]
    kappa: Estimate | None
    second_moment: Estimate | None
    certificate: Certificate
    deviations: float
    within: str

    @property
    def sampled(self) -> bool:
        """Whether any known value has a sampling error."""
        return any(e.error > 0 for e in self._estimates)

    @property
    def beyond(self) -> float | None:
        """Twice the greatest finite scale at which V is known, to be foretold; None if there is none."""
        finite = [s for s, _ in self.ratios if math.isfinite(s)]
        return 2 * finite[-1] if finite else None

    @property
    def status(self) -> str:
        """In words: "proved", "not proved", or for which values it is proved and where these were taken to lie."""
        if not self.certificate.proved:
            return "not proved"
        return f"proved for exact V(s); these {self.within}" if self.sampled else "proved"

    @property
    def widening(self) -> float:
        """By how much more each interval was widened, in its uncertainty (in its value if all are exact); 0 if not."""
        found = self._constraints[3]
        return found if found > _NEGLIGIBLE else 0.0

    @property
    def note(self) -> str:
        """What was done to values that no positive measure has; empty if nothing."""
        if not self.widening:
            return ""
        within = f" {self.within}" if self.sampled else ""
        unit = " times its uncertainty" if self._uncertainties.any() else ""
        return (
            f"no positive measure on rates up to {self.certificate.greatest_rate:.3g} has the known values{within}: "
            f"each was widened by a further {self.widening:.3g}{unit}"
        )

    @cached_property
    def measure(self) -> RateMeasure:
        """The measure by non-negative least squares on a grid of rates and an atom at 0, weighted by the errors."""
        estimates = self._estimates
        # Known integrals are linear in the measure: on a grid of rates with an atom at 0 the fit is a least-squares
        # problem with weights >= 0, whose solutions sit on few rates. Around these the grid is refined, and atoms on
        # neighbouring points are merged.
        values = np.array([e.value for e in estimates]) / self._units
        errors = np.maximum(self._uncertainties, _NEGLIGIBLE)
        x = rate_grid(self._support, self._functions.exponents)
        weights = self._least_squares(x, values, errors)
        for _ in range(2):
            # look closer around each atom
            groups = _groups(weights[1:])
            near = [np.linspace(x[max(g[0] - 1, 0)], x[min(g[-1] + 1, x.size - 1)], _CLOSER) for g in groups]
            x = np.unique(np.concatenate([np.zeros(0), *near]))
            weights = self._least_squares(x, values, errors)
        # an atom between two points of the grid takes both
        merged = np.array([np.average(x[g], weights=weights[1:][g]) for g in _groups(weights[1:])])
        weights = self._least_squares(merged, values, errors)
        weights /= weights.sum()
        rates = np.concatenate([[0.0], merged]) * self.certificate.greatest_rate
        kept = weights > _NEGLIGIBLE
        fit = self._columns(merged) @ weights
        ratios = slice(0, len(self.ratios))
        residual = float(np.abs((fit - values) * self._units)[ratios].max(initial=0.0))
        return RateMeasure(rates[kept], weights[kept], residual)

    def _least_squares(self, x: Real, values: Real, errors: Real) -> Real:
        columns = self._columns(x)
        # A last row, heavier than all others, asks for the mass 1.
        norm = 10 / errors.min(initial=1.0)
        matrix = np.vstack([columns / errors[:, None], np.full(columns.shape[1], norm)])
        return np.asarray(nnls(matrix, np.append(values / errors, norm), maxiter=50 * columns.shape[1])[0])

    def _columns(self, x: Real) -> Real:
        return np.column_stack([self._functions.at_zero(), self._functions.on(x)])

    def ratio_bounds(self, scale: npt.ArrayLike) -> tuple[Real, Real]:
        """Lower and upper bound on V(s)/V(0) over all measures that agree with the known values.

        For every p = c_0 + sum_i c_i exp(-2 s_i Gamma) + moments that is below exp(-2 s Gamma) at all rates, V(s)/V(0)
        is at least the integral of p. A linear program chooses p on a grid; its constant is then lowered by a
        certified bound on how far it rises above in between. Never outside the certificate's bounds.

        Args:
            scale: Noise scale s in [0, infinity], any shape.

        Returns:
            Lower and upper bound.

        Raises:
            ParameterError: A scale is negative or not a number.

        Example:
            >>> from equinoise.coherence.bounds import Certificate
            >>> from equinoise.coherence.spectrum import coherence_spectrum
            >>> known = {1.0: 0.55, 4.0: 0.31}
            >>> spectrum = coherence_spectrum(known, Certificate(True, "two atoms", 1.0), kappa=0.45)
            >>> low, high = spectrum.ratio_bounds([0.5, 2.0])
            >>> bool((low <= high).all())
            True
        """
        s = np.asarray(scale, dtype=np.float64)
        if np.isnan(s).any() or (s < 0).any():
            raise ParameterError(f"the noise scale must be a number >= 0 or infinity, got {scale!r}.")
        different, place = np.unique(s, return_inverse=True)
        both = np.array([self._at(float(one)) for one in different]).reshape(-1, 2)
        return both[place, 0].reshape(s.shape), both[place, 1].reshape(s.shape)

    def bounds(self, scale: npt.ArrayLike) -> tuple[Real, Real]:
        """Lower and upper bound on R(s) = sqrt(V(s)/V(0)); see :meth:`ratio_bounds`."""
        low, high = self.ratio_bounds(scale)
        return np.sqrt(low), np.sqrt(high)

    def _at(self, scale: float) -> tuple[float, float]:
        if scale == 0:
            return 1.0, 1.0
        low, high, points, _ = self._constraints
        # The least and the greatest integral of exp(-2 s Gamma) over all measures that agree with the known intervals:
        # two linear programs, the second one with the target's sign turned. Rates are in units of Gmax.
        target = Functions.decay(2 * scale * self.certificate.greatest_rate)
        least = least_integral(target, self._functions, low, high, self._support, points)
        opposite = target.scaled(np.array([-1.0]))
        most = -least_integral(opposite, self._functions, low, high, self._support, points)
        # measures that the intervals hold obey the certificate for some kappa in kappa's interval
        greatest = self.certificate.greatest_rate
        if self.kappa is not None and greatest > 0:
            first = len(self.ratios)
            smallest, largest = (bound[first] * self._units[first] for bound in (low, high))
            if math.isfinite(scale):
                least = max(least, math.exp(-2 * scale * greatest * max(largest, 0.0)))
            most = min(most, 1 + max(smallest, 0.0) * math.expm1(-2 * scale * greatest))
        # V(s) falls with s: it is not below a value known at a larger scale.
        lasting = [bound for (s, _), bound in zip(self.ratios, low * self._units, strict=False) if s >= scale]
        least = min(1.0, max(0.0, least, *lasting))
        return least, max(least, min(1.0, most))

    @property
    def _estimates(self) -> tuple[Estimate, ...]:
        greatest = self.certificate.greatest_rate or 1.0
        moments = [(self.kappa, greatest), (self.second_moment, greatest**2)]
        return (*(e for _, e in self.ratios), *(_divided(e, unit) for e, unit in moments if e is not None))

    @cached_property
    def _support(self) -> Support:
        greatest = self.certificate.greatest_rate
        return Support(self.certificate.least_rate / greatest if greatest > 0 else 0.0, empty=greatest == 0)

    @cached_property
    def _units(self) -> Real:
        """What the known integrals are divided by, so that all are of order 1."""
        return np.array([max(abs(e.value), 1e-3) for e in self._estimates])

    @cached_property
    def _uncertainties(self) -> Real:
        """Of the known integrals, divided by their units; 0 where it is rounding."""
        found = np.array([e.uncertainty for e in self._estimates]) / self._units
        return np.where(found > 10 * _EXACT, found, 0.0)

    @cached_property
    def _functions(self) -> Functions:
        parts = [Functions.decay(2 * s * self.certificate.greatest_rate) for s, _ in self.ratios]
        parts += [Functions.power(order) for order, e in ((1, self.kappa), (2, self.second_moment)) if e is not None]
        return Functions.join(parts).scaled(1 / self._units)

    @cached_property
    def _constraints(self) -> tuple[Real, Real, Real, float]:
        """Low and high of the known integrals, divided by their units and wide enough; grid points; the widening."""
        estimates = self._estimates
        # An interval may be wider than known values need, never narrower: if no positive measure fits, all are widened
        # by one number of their own uncertainties, the smallest that suffices, found by a linear program.
        ends = np.array([e.interval(self.deviations) for e in estimates]).reshape(-1, 2).T / self._units
        low, high = ends[0] - _EXACT, ends[1] + _EXACT
        unit = self._uncertainties
        # exact values give way last
        unit = np.where(unit > 0, unit, 1e-3 * unit[unit > 0].min() if (unit > 0).any() else 1 / self._units)
        factor = unit.max(initial=1e-300)
        widening, points = least_widening(self._functions, low, high, unit / factor, self._support)
        more = widening * unit / factor + (_EXACT if widening else 0.0)
        return low - more, high + more, points, widening / factor


def _groups(weights: Real) -> list[npt.NDArray[np.int64]]:
    """Neighbours that have weight."""
    used = np.flatnonzero(weights > 0)
    return list(np.split(used, np.flatnonzero(np.diff(used) > 1) + 1)) if used.size else []


def _divided(estimate: Estimate, unit: float) -> Estimate:
    ends = [None if end is None else end / unit for end in (estimate.low, estimate.high)]
    return Estimate(estimate.value / unit, estimate.error / unit, *ends)


def coherence_spectrum(
    ratios: Mapping[float, Estimate | float],
    certificate: Certificate,
    *,
    kappa: Estimate | float | None = None,
    second_moment: Estimate | float | None = None,
    deviations: float = 3.0,
    within: str | None = None,
) -> CoherenceSpectrum:
    """The coherence spectrum from what is known of V(s).

    Args:
        ratios: Noise scale s > 0 to V(s)/V(0); infinity gives w0. A bare number is exact.
        certificate: Whether the measure is proved to exist, its greatest and least rate above 0.
        kappa: -(1/2) d ln V/ds at 0, the measure's mean rate.
        second_moment: m2 = V''(0)/(4 V(0)).
        deviations: Standard errors that a known value may be off by, where its interval is not stated.
        within: Where sampled values are taken to lie, in words; by default those standard errors.

    Raises:
        ParameterError: A scale, a value, its error, a rate or deviations is out of range.

    Source:
        Goes beyond arXiv:2606.30688; the measure is the certificate's.

    Example:
        >>> import math
        >>> from equinoise.coherence.bounds import Certificate
        >>> from equinoise.coherence.spectrum import coherence_spectrum
        >>> exact = {s: 0.25 + 0.75 * math.exp(-2 * s * 0.3) for s in (0.5, 1, 2, 4)}
        >>> spectrum = coherence_spectrum({**exact, math.inf: 0.25}, Certificate(True, "two atoms", 1.0))
        >>> spectrum.measure.rates.round(2).tolist(), spectrum.measure.weights.round(2).tolist()
        ([0.0, 0.3], [0.25, 0.75])
    """
    greatest, least = certificate.greatest_rate, certificate.least_rate
    if not (math.isfinite(greatest) and 0 <= least <= greatest):
        raise ParameterError(
            f"the certificate's rates must obey 0 <= least <= greatest < infinity, got {least} and {greatest}."
        )
    if not (math.isfinite(deviations) and deviations > 0):
        raise ParameterError(f"deviations must be a number > 0, e.g. 3, got {deviations}.")
    known = []
    for scale, value in ratios.items():
        if math.isnan(scale) or scale <= 0:
            raise ParameterError(f"a known V(s)/V(0) needs a noise scale > 0 (it is 1 at 0), got s = {scale}.")
        known.append((float(scale), _estimate(value)))
    first, second = (None if value is None else _estimate(value) for value in (kappa, second_moment))
    ordered = tuple(sorted(known, key=lambda pair: pair[0]))
    told = f"within {deviations:.3g} standard errors" if within is None else within
    return CoherenceSpectrum(ordered, first, second, certificate, float(deviations), told)


def _estimate(value: Estimate | float) -> Estimate:
    return value if isinstance(value, Estimate) else Estimate(float(value))
