"""The coherence law of a problem: kappa, its budget, fixed-point share, second moment, survival and certificate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from equinoise.coherence.bounds import BoundEnds, Certificate, certificate
from equinoise.coherence.fixed_point import fixed_point, fixed_point_of_generators
from equinoise.coherence.law_record import Law
from equinoise.coherence.loss.loss_law import loss_law
from equinoise.coherence.rates import LAW_GRADIENTS, FirstOrder, collect, relative_error
from equinoise.coherence.resummed import (
    fitted_rate_variance,
    lasting_share,
    rate_variance,
)
from equinoise.coherence.sample import FEWEST_DRAWS, few_draws_warning
from equinoise.coherence.spectrum import CoherenceSpectrum, Estimate, coherence_spectrum
from equinoise.engines.contract import Engine
from equinoise.engines.draws import FirstOrderDraw, sampled_draws
from equinoise.engines.replica.average import FirstOrderAverage, first_order_average
from equinoise.engines.select import LAW_AVERAGES, averages, select_engine
from equinoise.ensemble import Ensemble
from equinoise.errors import ParameterError
from equinoise.model.asked import also_of_models
from equinoise.problem import Problem
from equinoise.reduction.program import compile_problem
from equinoise.reduction.shift_rules import gradient_rounding
from equinoise.sampling import Sampling

__all__ = ["Precision", "law", "law_from_draws"]

Real = npt.NDArray[np.float64]

# of the intervals whose ends the bounds are taken at
_CONFIDENCE = 0.99
_WITHIN = "at 99 %"
# draws between two looks at whether they suffice
_BETWEEN_LOOKS = 16
# share of kappa that is rounding and no truncation
_NO_LIMIT = (
    "coherent noise has no limit s -> infinity: there is no w0, c2 or bound, and kappa has a sign; the law is "
    "exp(-s kappa). Measure survival and direction at the scale of interest"
)
_ROUNDING = 1e-9


def law_from_draws(
    engine: Engine,
    sampling: Sampling,
    thetas: Real,
    first: FirstOrder,
    frozen: Real,
    known: Sequence[tuple[float, Real]] = (),
) -> Law:
    """The law from per-draw quantities.

    Args:
        engine: Which made them.
        sampling: The draws' ensemble and seed.
        thetas: The draws, shape (S, K).
        first: First-order quantities.
        frozen: sum_k g_k^2 at s = infinity, shape (S,); NaN if unknown.
        known: (scale, sum_k g_k^2 there, shape (S,)), ...; c2 is fitted to their ratios where the engine has no second
            moment, and the spectrum holds them.
    """
    program = engine.program
    drawn = not sampling.given
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
    bounded = certificate(program, sampling.ensemble)
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
        seed=sampling.drawn_seed,
        ensemble=sampling.ensemble.describe(),
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


@also_of_models(loss_law)
def law(
    problem: Problem,
    *,
    sampling: Sampling | None = None,
    relative_error: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> Law:
    """The coherence law of a problem.

    kappa = -(1/2) d ln V/ds at s = 0 and its budget, per draw exactly or unbiased; w0 = V(inf)/V(0);
    m2 = V''(0)/(4 V(0)); R^2 = w0 + (1 - w0)(1 + 2 s kappa' c2)^(-1/c2).

    Args:
        problem: The problem; of a model, see :func:`equinoise.loss_law`.
        sampling: Draws (128 by default; the greatest number where ``relative_error`` is given), ensemble and engine.
            Engine "replica" averages over independent uniform angles without sampling, and "auto" takes it where
            sampling would take more than a second, and longer.
        relative_error: Stop as soon as kappa's standard error is at most this share of kappa (looked at every 16
            draws); from "replica" the truncation error asked for, by default 1 %.
        progress: Called with 1 after each draw.

    Raises:
        ParameterError: The sampling or relative_error does not fit.
        UnsupportedError: The engine asked for cannot serve (saying which does).
        MemoryLimitError: The cone is too large.

    Source:
        arXiv:2606.30688 (kappa, the leading-order law); w0, c2 and the certificate go beyond it.

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.brickwork(6, depth=3)
        >>> problem = eq.Problem(circuit, readout="Z3", initial="neel", noise="collective:0.3")
        >>> result = eq.law(problem, sampling=eq.Sampling(samples=8))
        >>> abs(result.kappa) < 1e-12, result.fixed_point.kind
        (True, 'untouched')
    """
    sampling = Sampling.of(sampling, samples=128)
    thetas = sampling.draw(problem)
    precision = Precision(relative_error)
    count = LAW_GRADIENTS * len(thetas)
    if averages(problem, sampling, draws=count, scales=LAW_AVERAGES):
        found = first_order_average(problem, relative_error or 0.01, workers=sampling.workers)
        return _averaged_law(problem, sampling.ensemble, found)
    chosen = select_engine(problem, sampling.engine, workers=sampling.workers, draws=count)

    def one(theta: Real, rng: np.random.Generator) -> tuple[FirstOrderDraw, float]:
        return chosen.first_order(theta, rng), chosen.frozen(theta, rng)

    draws: list[FirstOrderDraw] = []
    frozen: list[float] = []
    for draw, last in sampled_draws(one, thetas, sampling.seed, chosen.workers):
        draws.append(draw)
        frozen.append(last)
        if progress is not None:
            progress(1)
        if precision.reached(draws):
            break
    first = collect(draws, chosen.program)
    return law_from_draws(chosen, sampling, thetas[: len(draws)], first, np.array(frozen))


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


@dataclass(frozen=True)
class Precision:
    """When draws suffice for kappa; whoever takes the draws asks, one after the other.

    Attributes:
        relative_error: Of kappa, its standard error over its size; None to take all draws.

    Raises:
        ParameterError: It is not a positive number.
    """

    relative_error: float | None

    def __post_init__(self) -> None:
        target = self.relative_error
        if target is not None and not (math.isfinite(target) and target > 0):
            raise ParameterError(f"relative_error must be a number > 0, e.g. 0.05, got {target}.")

    def reached(self, draws: Sequence[FirstOrderDraw]) -> bool:
        """Whether these draws suffice; looked at after every 16 of them.

        Args:
            draws: All so far.
        """
        if self.relative_error is None or len(draws) % _BETWEEN_LOOKS:
            return False
        return relative_error(draws) <= self.relative_error
