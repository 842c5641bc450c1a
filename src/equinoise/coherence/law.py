"""The coherence law of a problem: kappa, its budget, fixed-point share, second moment, survival and certificate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from equinoise.coherence.bounds import BoundEnds, Certificate, certificate
from equinoise.coherence.fixed_point import FixedPoint, fixed_point, fixed_point_of_generators
from equinoise.coherence.law_table import budget_columns, law_html, law_text
from equinoise.coherence.rates import LAW_GRADIENTS, BudgetEntry, FirstOrder, collect, relative_error
from equinoise.coherence.resummed import (
    fitted_rate_variance,
    lasting_share,
    leading_order_survival,
    rate_variance,
    resummed_survival,
)
from equinoise.coherence.sample import FEWEST_DRAWS, Interval, few_draws_warning
from equinoise.coherence.spectrum import CoherenceSpectrum, Estimate, coherence_spectrum
from equinoise.engines.contract import Engine
from equinoise.engines.draws import FirstOrderDraw, sampled_draws
from equinoise.engines.replica.average import FirstOrderAverage, first_order_average
from equinoise.engines.select import LAW_AVERAGES, averages, select_engine
from equinoise.ensemble import Ensemble
from equinoise.errors import ParameterError
from equinoise.notebook import data_frame
from equinoise.problem import Problem
from equinoise.reduction.program import compile_problem
from equinoise.reduction.shift_rules import gradient_rounding

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Law", "enough", "law", "law_from_draws"]

Real = npt.NDArray[np.float64]
T = TypeVar("T")

# of the intervals whose ends the bounds are taken at
_CONFIDENCE = 0.99
_WITHIN = "at 99 %"
# share of kappa that is rounding and no truncation
_NO_LIMIT = (
    "coherent noise has no limit s -> infinity: there is no w0, c2 or bound, and kappa has a sign; the law is "
    "exp(-s kappa). Measure survival and direction at the scale of interest"
)
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Law:
    """The coherence law of one problem and ensemble.

    Attributes:
        variance: V(0), mean of sum_k g_k^2 without noise.
        kappa: Aligned coherence rate summed over slots, -(1/2) d ln V/ds at s = 0.
        kappa_interval: 95 % interval over the draws (:class:`equinoise.coherence.sample.PairedDraws`); from "replica"
            what truncation leaves.
        kappa_error: Standard error of kappa over the draws; from "replica" the half-width of that interval.
        kappa_per_parameter: -E g_k g'_k / E g_k^2, shape (K,); NaN where g_k = 0, and from sampling engines.
        budget: kappa's additive parts.
        fixed_point_share: w0 = V(inf)/V(0); NaN where the engine does not have it.
        fixed_point_share_interval: 95 % interval, or likewise.
        fixed_point: What the noise's fixed point is.
        second_moment: m2 = V''(0)/(4 V(0)); NaN from sampling engines.
        lasting_share: w0 as the law uses it: 0 where V(s) is not monotone and w0 no share of lasting modes, or unknown.
        rate_variance: c2, relative variance of the decaying rates; NaN if unknown, and the law takes 0.
        certificate: Whether the bounds are proved here for exact kappa and w0, and Gmax.
        bound_ends: Where kappa and w0 lie for the bounds: 99 % intervals where they are sampled; None below 32 draws.
        samples: Number of draws; 0 where the average was taken without sampling.
        seed: Of the draws (None for given parameter values, and without sampling).
        ensemble: In words.
        engine: Engine used.
        approximations: What of the law was sampled, fitted or left out, in words.
        spectrum: The measure over rates and the bounds that all known values of V(s) allow; None where the gradient
            vanishes, and for a single draw, whose errors are unknown.
    """

    variance: float
    kappa: float
    kappa_interval: Interval
    kappa_error: float
    kappa_per_parameter: Real
    budget: tuple[BudgetEntry, ...]
    fixed_point_share: float
    fixed_point_share_interval: Interval
    fixed_point: FixedPoint
    second_moment: float
    lasting_share: float
    rate_variance: float
    certificate: Certificate
    bound_ends: BoundEnds | None
    samples: int
    seed: int | None
    ensemble: str
    engine: str
    approximations: tuple[str, ...] = ()
    spectrum: CoherenceSpectrum | None = None

    def survival(self, scale: npt.ArrayLike) -> Real:
        """R(s) by the resummed law, any shape of scales."""
        return resummed_survival(scale, self.kappa, self.lasting_share, self.rate_variance)

    def leading_order(self, scale: npt.ArrayLike) -> Real:
        """R(s) = exp(-s kappa)."""
        return leading_order_survival(scale, self.kappa)

    def bounds(self, scale: npt.ArrayLike) -> tuple[Real, Real]:
        """Lower and upper bound on R(s), at the ends of kappa and w0; see :attr:`bound_status`. NaN below 32 draws."""
        if self.bound_ends is None:
            unknown = np.full_like(np.asarray(scale, dtype=np.float64), np.nan)
            return unknown, unknown
        return self.bound_ends.survival_bounds(scale, self.certificate.greatest_rate)

    @property
    def bound_status(self) -> str:
        """What the bounds are worth, in words: whether they are proved, and at which kappa and w0 they are taken."""
        if math.isnan(self.certificate.greatest_rate):
            return self.certificate.reason
        if self.bound_ends is None:
            return f"none from fewer than {FEWEST_DRAWS} draws"
        within = self.bound_ends.within
        if not within:
            return self.certificate.status
        if self.certificate.proved:
            return f"proved for exact kappa and w0; these {within}"
        return f"not proved; kappa and w0 {within}"

    def __str__(self) -> str:
        return law_text(self)

    def __repr__(self) -> str:
        return f"Law(kappa={self.kappa:.4g}, fixed_point_share={self.fixed_point_share:.4g}, engine={self.engine!r})"

    def _repr_html_(self) -> str:
        return law_html(self)

    def to_dataframe(self) -> pd.DataFrame:
        """The budget of kappa as a pandas frame; see :func:`equinoise.coherence.law_table.budget_columns`.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        return data_frame(budget_columns(self))


def law_from_draws(
    engine: Engine,
    ensemble: Ensemble,
    thetas: Real,
    first: FirstOrder,
    frozen: Real,
    seed: int,
    known: Sequence[tuple[float, Real]] = (),
) -> Law:
    """The law from per-draw quantities.

    Args:
        engine: Which made them.
        ensemble: The draws' ensemble.
        thetas: The draws, shape (S, K).
        first: First-order quantities.
        frozen: sum_k g_k^2 at s = infinity, shape (S,); NaN if unknown.
        seed: Of the draws.
        known: (scale, sum_k g_k^2 there, shape (S,)), ...; c2 is fitted to their ratios where the engine has no second
            moment, and the spectrum holds them.
    """
    program = engine.program
    drawn = ensemble.kind != "given"
    notes = [*few_draws_warning(len(thetas))] if drawn else []
    variance = float(first.square.mean())
    if variance == 0:
        kappa, share, moment = 0.0, 0.0, 0.0
        kappa_interval = share_interval = (0.0, 0.0)
    else:
        kappa, moment = first.kappa, first.second_moment
        share = float(frozen.mean()) / variance
        if frozen.mean() <= np.sum(gradient_rounding(program) ** 2):
            share, frozen = 0.0, np.zeros_like(frozen)
        kappa_interval = first.over_square(first.slope, factor=-1.0).interval
        share_interval = first.over_square(frozen).interval
    # kappa = -V'/(2 V) from the means of g g' and g^2, m2 = V''/(4 V) from those of g'^2 + g g''; w0 = V(inf)/V(0).
    # The three fix the resummed law: its share at rate 0 and the mean and relative variance of the decaying rates.
    lasting = lasting_share(kappa, moment, share, dephasing=program.dephases_only)
    spread = rate_variance(kappa, moment, lasting)
    if not engine.exact:
        notes.append(f"kappa and its budget are sampled (engine {engine.name})")
        if math.isnan(share):
            notes.append("w0 is not computed: the law takes 0, which bounds the survival from below at large scales")
        if known and math.isnan(spread):
            ratios = [float(squares.mean()) / max(variance, 1e-300) for _, squares in known]
            spread = fitted_rate_variance([s for s, _ in known], ratios, kappa, lasting)
        if math.isnan(spread):
            notes.append("c2 is not computed: the law takes 0, equal rates")
        elif known:
            notes.append(f"c2 is fitted to the sampled survival at s = {', '.join(f'{s:g}' for s, _ in known)}")
    if not program.has_limit:
        spread = math.nan
        notes.append(_NO_LIMIT)
    bounded = certificate(program, ensemble)
    squares, slopes = first.per_parameter
    with np.errstate(divide="ignore", invalid="ignore"):
        per_parameter = np.where(squares > gradient_rounding(program) ** 2, -slopes / squares, np.nan)
    return Law(
        variance=variance,
        kappa=kappa,
        kappa_interval=kappa_interval,
        kappa_error=first.kappa_error if variance > 0 else 0.0,
        kappa_per_parameter=per_parameter,
        budget=first.entries(program) if variance > 0 else (),
        fixed_point_share=share,
        fixed_point_share_interval=share_interval,
        fixed_point=fixed_point(engine, thetas[0]),
        second_moment=moment,
        lasting_share=lasting,
        rate_variance=spread,
        certificate=bounded,
        bound_ends=_bound_ends(first, frozen, lasting, exact=(engine.exact and not drawn) or bounded.greatest_rate == 0)
        if program.has_limit
        else None,
        samples=len(thetas),
        seed=seed if drawn else None,
        ensemble=ensemble.describe(),
        engine=engine.name,
        approximations=tuple(notes),
        spectrum=_spectrum(first, frozen, known, bounded)
        if program.has_limit and len(thetas) >= (FEWEST_DRAWS if drawn else 2)
        else None,
    )


def _bound_ends(first: FirstOrder, frozen: Real, lasting: float, *, exact: bool) -> BoundEnds | None:
    """Where kappa and w0 lie with 99 %; as they are where given values are the ensemble, or nothing can decay."""
    if first.square.mean() <= 1e-300:
        return BoundEnds((0.0, 0.0), (0.0, 0.0))
    if exact:
        return BoundEnds((first.kappa, first.kappa), (lasting, lasting))
    if first.square.size < FEWEST_DRAWS:
        return None
    # The bounds are taken at the ends of these intervals, so they hold where kappa and w0 lie inside.
    kappa = first.over_square(first.slope, factor=-1.0, confidence=_CONFIDENCE).interval
    share = (0.0, 0.0) if lasting == 0 else first.over_square(frozen, confidence=_CONFIDENCE).interval
    return BoundEnds(kappa, (min(1.0, max(0.0, share[0])), min(1.0, share[1])), _WITHIN)


def _spectrum(
    first: FirstOrder, frozen: Real, known: Sequence[tuple[float, Real]], bounded: Certificate
) -> CoherenceSpectrum | None:
    """From the ratios of paired draws, all of which lie in their intervals together with 99 % (Bonferroni)."""
    if first.square.size < 2 or not first.square.any():
        return None
    ratios = {s: parts for s, parts in (*known, (math.inf, frozen)) if s > 0 and np.isfinite(parts).all()}
    slopes = {"kappa": -first.slope, "second_moment": first.curvature / 2}
    moments = {name: parts for name, parts in slopes.items() if np.isfinite(parts).all()}
    confidence = 1 - (1 - _CONFIDENCE) / max(1, len(ratios) + len(moments))

    def estimate(parts: Real) -> Estimate:
        found = first.over_square(parts, confidence=confidence)
        return Estimate(found.value, found.error, found.low, found.high)

    found = {name: estimate(parts) for name, parts in moments.items()}
    return coherence_spectrum(
        {s: estimate(parts) for s, parts in ratios.items()},
        bounded,
        kappa=found.get("kappa"),
        second_moment=found.get("second_moment"),
        within=_WITHIN,
    )


def law(
    problem: Problem,
    samples: int = 128,
    seed: int = 0,
    ensemble: Any = None,
    engine: str = "auto",
    *,
    relative_error: float | None = None,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Law:
    """The coherence law of a problem.

    kappa = -(1/2) d ln V/ds at s = 0 and its budget, per draw exactly or unbiased; w0 = V(inf)/V(0);
    m2 = V''(0)/(4 V(0)); R^2 = w0 + (1 - w0)(1 + 2 s kappa' c2)^(-1/c2).

    Args:
        problem: The problem.
        samples: Number of draws; the greatest number where ``relative_error`` is given.
        seed: Of the draws; the same numbers whatever the number of workers.
        ensemble: "uniform" (default), "normal:WIDTH" or given parameter values of shape (S, K).
        engine: "auto" or an engine's name. "replica" averages over independent uniform angles without sampling, and
            "auto" takes it where sampling would take more than a second, and longer.
        relative_error: Stop as soon as kappa's standard error is at most this share of kappa (looked at every 16
            draws); from "replica" the truncation error asked for, by default 1 %.
        workers: Draws run at once; all processors by default.
        progress: Called with 1 after each draw.

    Raises:
        ParameterError: The ensemble, samples or relative_error does not fit.
        UnsupportedError: The engine asked for cannot serve (saying which does).
        MemoryLimitError: The cone is too large.

    Source:
        arXiv:2606.30688 (kappa, the leading-order law); w0, c2 and the certificate go beyond it.

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.brickwork(6, depth=3)
        >>> problem = eq.Problem(circuit, readout="Z3", initial="neel", noise="collective:0.3")
        >>> result = eq.law(problem, samples=8)
        >>> abs(result.kappa) < 1e-12, result.fixed_point.kind
        (True, 'untouched')
    """
    law_ensemble = Ensemble.of(ensemble)
    thetas = law_ensemble.draw(problem, samples, seed)
    stop = enough(relative_error, _first)
    count = LAW_GRADIENTS * len(thetas)
    if averages(problem, law_ensemble, engine, draws=count, scales=LAW_AVERAGES, workers=workers):
        found = first_order_average(problem, relative_error or 0.01, workers=workers, progress=progress)
        return _averaged_law(problem, law_ensemble, found)
    chosen = select_engine(problem, engine, workers=workers, draws=count)

    def one(theta: Real, rng: np.random.Generator) -> tuple[FirstOrderDraw, float]:
        return chosen.first_order(theta, rng), chosen.frozen(theta, rng)

    draws = sampled_draws(one, thetas, seed, chosen.workers, progress, stop)
    first = collect([d for d, _ in draws], chosen.program)
    frozen = np.array([f for _, f in draws])
    return law_from_draws(chosen, law_ensemble, thetas[: len(draws)], first, frozen, seed)


def _first(draw: tuple[FirstOrderDraw, float]) -> FirstOrderDraw:
    return draw[0]


def _averaged_law(problem: Problem, ensemble: Ensemble, found: FirstOrderAverage) -> Law:
    """The law from averages without sampling; intervals are what truncation leaves."""
    program = compile_problem(problem)
    first = FirstOrder(
        square=found.series[0].sum(keepdims=True),
        slope=found.series[1].sum(keepdims=True) / 2,
        curvature=found.series[2].sum(keepdims=True),
        per_parameter=np.stack([found.series[0], found.series[1] / 2]),
        budget=found.budget[None, :],
    )
    vanishes = found.variance <= np.sum(gradient_rounding(program) ** 2)
    budget = () if vanishes else first.entries(program)
    squares, slopes = first.per_parameter
    with np.errstate(divide="ignore", invalid="ignore"):
        per_parameter = np.where(squares > gradient_rounding(program) ** 2, -slopes / squares, np.nan)
    share = found.fixed_point_share
    lasting = lasting_share(found.kappa, found.second_moment, share, dephasing=program.dephases_only)
    notes = ["averaged over the ensemble without sampling"]
    if found.bond:
        left = found.kappa_error / abs(found.kappa) if found.kappa else 0.0
        notes[0] += f"; bonds cut at {found.bond} leave kappa uncertain by {left:.1g} of itself"
    if not found.met:
        notes.append("the truncation error asked for was not reached at the greatest bond dimension")
    if not program.has_limit:
        notes.append(_NO_LIMIT)
    return Law(
        variance=found.variance,
        kappa=found.kappa,
        kappa_interval=(found.kappa - found.kappa_error, found.kappa + found.kappa_error),
        kappa_error=found.kappa_error,
        kappa_per_parameter=per_parameter,
        budget=tuple(replace(entry, standard_error=found.kappa_error) for entry in budget),
        fixed_point_share=share,
        fixed_point_share_interval=(share - found.fixed_point_share_error, share + found.fixed_point_share_error),
        fixed_point=fixed_point_of_generators(program),
        second_moment=found.second_moment,
        lasting_share=lasting,
        rate_variance=rate_variance(found.kappa, found.second_moment, lasting) if program.has_limit else math.nan,
        certificate=certificate(program, ensemble),
        bound_ends=_averaged_ends(found, lasting) if program.has_limit else None,
        samples=0,
        seed=None,
        ensemble=ensemble.describe(),
        engine=found.engine,
        approximations=tuple(notes),
    )


def _averaged_ends(found: FirstOrderAverage, lasting: float) -> BoundEnds:
    """Both as they are where nothing was cut, else what truncation leaves of them."""
    if found.kappa_error <= _ROUNDING * abs(found.kappa):
        return BoundEnds((found.kappa, found.kappa), (lasting, lasting))
    kappa, share = found.kappa_error, found.fixed_point_share_error if lasting else 0.0
    return BoundEnds(
        (found.kappa - kappa, found.kappa + kappa),
        (max(0.0, lasting - share), min(1.0, lasting + share)),
        "within what truncation leaves",
    )


def enough(target: float | None, first: Callable[[T], FirstOrderDraw]) -> Callable[[list[T]], bool] | None:
    """Whether draws give kappa to a relative standard error; None where no target is set.

    Args:
        target: The error asked for.
        first: A draw's first-order part.

    Raises:
        ParameterError: The target is not a positive number.
    """
    if target is None:
        return None
    if not (math.isfinite(target) and target > 0):
        raise ParameterError(f"relative_error must be a number > 0, e.g. 0.05, got {target}.")
    return lambda draws: relative_error([first(d) for d in draws]) <= target
