"""The law of a verified gradient: survival, kappa and its budget after post-selection, and what verification gains."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.coherence.rates import LAW_GRADIENTS, BudgetEntry, collect
from equinoise.coherence.resummed import lasting_share, leading_order_survival, rate_variance, resummed_survival
from equinoise.coherence.sample import Interval, PairedDraws, few_draws_warning
from equinoise.diagnosis.shots import shots_per_gradient
from equinoise.engines.contract import Engine
from equinoise.engines.draws import FirstOrderDraw, check_scale, sampled_draws
from equinoise.engines.measured import MeasuredReadout
from equinoise.engines.select import select_engine
from equinoise.mitigation.verification.post_selection import (
    NO_VERIFIED_MODEL,
    KeptSector,
    PostSelection,
    SelectedDraw,
    post_selection,
)
from equinoise.mitigation.verification.symmetry_verification import verification_notes
from equinoise.model.asked import of_problems_alone
from equinoise.problem import Problem
from equinoise.sampling import Sampling

__all__ = ["GradientLaw", "VerifiedLaw", "verified_law"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GradientLaw:
    """Survival, first-order law and shots of one way of reading, over the draws.

    Attributes:
        variance: V(0), mean of sum_k g_k^2 at s = 0, assignment errors of the charge included, of the readout not.
        kappa: -(1/2) d ln V/ds at s = 0; negative where noise strengthens the gradient.
        kappa_interval: 95 % interval over the draws.
        budget: kappa's additive parts by slot, qubits and mechanism.
        second_moment: m2 = V''(0)/(4 V(0)); NaN from sampling engines.
        fixed_point_share: w0 = V(inf)/V(0); NaN where undefined (nothing is kept) or not computed.
        lasting_share: w0 as the law uses it; 0 where it is undefined or no share of lasting modes.
        rate_variance: c2; NaN if unknown, and the law takes 0.
        survival: R(s) = sqrt(V(s)/V(0)), simulated; above 1 where post-selection strengthens the gradient.
        survival_interval: 95 % interval.
        rms_gradient: As read: sqrt(V(s)/K), K parameters in the readout's light cone, per radian.
        shot_variance: Mean variance of the readout from one kept shot (plain: from one in each setting).
        shots_per_gradient: Shots taken per expectation value (plain: and setting) at which the RMS gradient has
            signal-to-noise 1.
        engine: Engine used.
    """

    variance: float
    kappa: float
    kappa_interval: Interval
    budget: tuple[BudgetEntry, ...]
    second_moment: float
    fixed_point_share: float
    lasting_share: float
    rate_variance: float
    survival: float
    survival_interval: Interval
    rms_gradient: float
    shot_variance: float
    shots_per_gradient: float
    engine: str

    def predicted(self, scale: npt.ArrayLike) -> Real:
        """R(s) by the resummed law, any shape of scales."""
        return resummed_survival(scale, self.kappa, self.lasting_share, self.rate_variance)

    def leading_order(self, scale: npt.ArrayLike) -> Real:
        """R(s) = exp(-s kappa)."""
        return leading_order_survival(scale, self.kappa)


@dataclass(frozen=True)
class VerifiedLaw:
    """What verification does to the gradient of a circuit, with its plain twin on the same draws.

    Attributes:
        verified: After post-selection.
        plain: Without; ``rms_gradient`` and shots with the readout's assignment errors.
        kept: Mean kept fraction at s.
        kept_interval: 95 % interval.
        kept_rate: -d ln D/ds at s = 0, averaged: the first-order rate at which shots are lost.
        gain: Surviving gradient per shot, all settings counted: plain over verified shots per gradient; above 1
            verification pays.
        gain_interval: 95 % interval over paired draws.
        outside_share: Share of the verified V(s) on parameters that the plain readout does not see: by selecting on
            all qubits the noise there leaks into the gradient.
        charge: q.
        scale: Noise scale s.
        changes: Whether verification does anything here.
        samples: Number of draws.
        seed: Of the draws (None for given parameter values).
        ensemble: In words.
        notes: What it does or does not do, what is undefined, and what was left out, in words.
    """

    verified: GradientLaw
    plain: GradientLaw
    kept: float
    kept_interval: Interval
    kept_rate: float
    gain: float
    gain_interval: Interval
    outside_share: float
    charge: int
    scale: float
    changes: bool
    samples: int
    seed: int | None
    ensemble: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Pair:
    """One draw, plain and verified: first order, sum g^2 at (s, s as read, infinity), variances, kept fraction."""

    plain: FirstOrderDraw
    verified: FirstOrderDraw
    plain_squares: Real
    verified_squares: Real
    plain_variance: float
    verified_variance: float
    kept: float
    kept_rate: float
    outside: float


@of_problems_alone(NO_VERIFIED_MODEL)
def verified_law(
    problem: Problem,
    scale: float = 1.0,
    *,
    sampling: Sampling | None = None,
    progress: Callable[[int], None] | None = None,
) -> VerifiedLaw:
    """The law of a gradient verified by the charge of all qubits, beside that of the plain one on the same draws.

    V_ps(s) = mean of sum_k (dC_ps/dtheta_k)^2 with C_ps = N/D; kappa_ps = -(1/2) d ln V_ps/ds at s = 0 from the power
    series of N and D; shots per gradient w mean(Var_ps(O)/D) / g^2, w the mean weight of the shift rules (1/2 for two
    terms). A verified readout is read in one setting, a plain one in those of
    :func:`equinoise.measurement.measurement_settings`; both variances are those at the draws themselves.

    Args:
        problem: The problem; the charge kept is ``problem.charge``.
        scale: Noise scale s in [0, infinity].
        sampling: Draws (128 by default) and ensemble; the engines are those that serve.
        progress: Called with 1 after each draw.

    Raises:
        ParameterError: The sampling or scale does not fit.
        StateError: The input holds several charges and the problem does not say which one is kept.
        ReadoutError: The readout does not commute with the charge.
        MemoryLimitError: The noise changes the charge and all n qubits do not fit.
        UnsupportedError: An engine is asked for by name; the noise is correlated in time and something else changes the
            charge; or nothing is kept even without noise.

    Source:
        kappa and the leading-order law: arXiv:2606.30688; post-selection on a symmetry: arXiv:1807.10050.

    Example:
        >>> import equinoise as eq
        >>> from equinoise.mitigation.verification.verified_law import verified_law
        >>> circuit = eq.circuits.brickwork(4, depth=4)
        >>> problem = eq.Problem(circuit, readout="Z2", initial="neel", noise="relaxation:0.05")
        >>> found = verified_law(problem, sampling=eq.Sampling(samples=8))
        >>> round(found.verified.survival, 9), round(found.kept, 6), round(found.kept_rate, 9)
        (1.0, 0.67032, 0.4)
    """
    s = check_scale(scale)
    sampling = Sampling.of(sampling, samples=128)
    sampling.check_engine("verified_law")
    thetas, workers = sampling.draw(problem), sampling.workers
    count = (LAW_GRADIENTS + 2) * len(thetas)
    chosen = post_selection(problem, draws=count, workers=workers)
    engine = select_engine(problem, draws=count, workers=workers)
    measured = MeasuredReadout(engine, workers, shifted=False)
    sampler = _Sampler(s, engine, chosen, measured, np.setdiff1d(np.arange(thetas.shape[1]), engine.program.parameters))
    pairs = []
    for pair in sampled_draws(sampler, thetas, sampling.seed, min(engine.workers, chosen.engine.workers)):
        pairs.append(pair)
        if progress is not None:
            progress(1)
    drawn = not sampling.given
    plain, verified = _laws(pairs, sampler)
    paired = _paired(pairs, measured.settings)
    # (V_ps / Var_ps per shot taken) / (V / Var of all settings)
    gain = paired.ratio(("verified", "plain variance"), ("verified variance", "plain"))
    total = paired.mean("verified")
    return VerifiedLaw(
        verified=verified,
        plain=plain,
        kept=paired.mean("kept"),
        kept_interval=paired.ratio("kept").interval,
        kept_rate=float(np.mean([p.kept_rate for p in pairs])),
        gain=1.0 if sampler.alone else gain.value,
        gain_interval=(1.0, 1.0) if sampler.alone else gain.interval,
        outside_share=float(np.mean([p.outside for p in pairs]) / total) if total > 0 else math.nan,
        charge=int(problem.charge or 0),
        scale=s,
        changes=not sampler.alone,
        samples=len(pairs),
        seed=sampling.drawn_seed,
        ensemble=sampling.ensemble.describe(),
        notes=(*verification_notes(problem, chosen), *_notes(pairs, sampler, verified, drawn)),
    )


@dataclass(frozen=True)
class _Sampler:
    """Makes pairs of draws, plain and verified, on the same angles and trajectories; called from several threads."""

    scale: float
    engine: Engine
    chosen: KeptSector | PostSelection
    measured: MeasuredReadout
    unseen: npt.NDArray[np.int64]

    @property
    def alone(self) -> bool:
        """Whether every shot is kept anyway, so that verification does nothing."""
        return isinstance(self.chosen, KeptSector) and self.chosen.alone

    def __call__(self, theta: Real, rng: np.random.Generator) -> _Pair:
        stream = int(rng.integers(2**63))
        first, frozen = self.engine.first_order(theta, rng), self.engine.frozen(theta, rng)
        noisy = self.engine.noisy(theta, [self.scale], np.random.default_rng(stream))[0]
        read = self.measured.read(theta, self.scale, stream, noisy)
        squares = np.array([noisy.gradient_square.sum(), read.gradient_square.sum(), frozen])
        if self.alone:
            draw = SelectedDraw(noisy.gradient_square, 1.0, read.variance)
            first_kept, kept, last = first, np.array([1.0, 0.0]), frozen
        else:
            draw = self.chosen.noisy(theta, [self.scale], np.random.default_rng(stream))[0]
            (first_kept, kept), last = self.chosen.first_order(theta, rng), self.chosen.frozen(theta, rng)
        total = draw.gradient_square.sum()
        return _Pair(
            plain=first,
            verified=first_kept,
            plain_squares=squares,
            verified_squares=np.array([total, total, last]),
            plain_variance=read.variance,
            verified_variance=draw.shot_variance,
            kept=draw.kept,
            kept_rate=float(-kept[1] / kept[0]),
            outside=float(draw.gradient_square[self.unseen].sum()),
        )


def _laws(pairs: list[_Pair], sampler: _Sampler) -> tuple[GradientLaw, GradientLaw]:
    """The law of the plain and of the verified gradient."""
    parameters, weight = len(sampler.engine.program.parameters), sampler.measured.shift_weight
    plain = _law(
        [p.plain for p in pairs],
        np.stack([p.plain_squares for p in pairs]),
        np.array([p.plain_variance for p in pairs]),
        np.ones(len(pairs)),
        sampler.engine,
        parameters,
        weight,
    )
    verified = _law(
        [p.verified for p in pairs],
        np.stack([p.verified_squares for p in pairs]),
        np.array([p.verified_variance for p in pairs]),
        np.array([p.kept for p in pairs]),
        sampler.chosen.engine,
        parameters,
        weight,
    )
    return plain, verified


def _paired(pairs: list[_Pair], settings: int) -> PairedDraws:
    """Squared gradients and variances per shot taken, of both ways of reading."""
    kept = np.array([p.kept for p in pairs])
    with np.errstate(divide="ignore", invalid="ignore"):
        # Of N shots D N are kept: the error of the mean falls as Var_ps/(D N), so a shot taken is worth D kept ones.
        per_shot = np.array([p.verified_variance for p in pairs]) / kept
    return PairedDraws(
        {
            "verified": np.array([p.verified_squares[0] for p in pairs]),
            "verified variance": per_shot,
            "plain": np.array([p.plain_squares[1] for p in pairs]),
            "plain variance": np.array([settings * p.plain_variance for p in pairs]),
            "kept": kept,
        }
    )


def _notes(pairs: list[_Pair], sampler: _Sampler, verified: GradientLaw, drawn: bool) -> list[str]:
    notes = [*sampler.chosen.notes, *sampler.measured.notes, *(few_draws_warning(len(pairs)) if drawn else ())]
    if sampler.measured.settings > 1 and not sampler.alone:
        notes.append(
            f"the plain readout takes {sampler.measured.settings} settings, the verified one reads all terms in one: "
            "the gain counts that too"
        )
    lost = sum(p.kept == 0 for p in pairs)
    if lost:
        notes.append(
            f"at s = {sampler.scale:g} no shot is kept in {lost} of {len(pairs)} draws: the verified gradient is "
            "undefined there"
        )
    if sampler.chosen.engine.exact and math.isnan(verified.fixed_point_share):
        notes.append("w0 is undefined: at s = infinity no shot is kept; the law takes 0")
    return notes


def _law(
    draws: list[FirstOrderDraw],
    squares: Real,
    variances: Real,
    kept: Real,
    engine: Any,
    parameters: int,
    weight: float,
) -> GradientLaw:
    """The law of one way of reading; squares of shape (S, 3): sum g^2 at s, at s as read, at infinity."""
    first = collect(draws, engine.program)
    means = np.column_stack([first.square, first.slope, squares]).mean(axis=0)
    survivals = PairedDraws({"clean": first.square, "noisy": squares[:, 0]}).ratio("noisy", "clean", root=True)
    alive = means[0] > 0
    kappa, moment = (first.kappa, first.second_moment) if alive else (0.0, 0.0)
    share = float(means[4] / means[0]) if alive else 0.0
    # Post-selection divides by D(s): that V_ps has a positive measure over rates is known only where D is constant.
    dephasing = engine.program.noise_class in ("none", "strong") and bool(np.all(kept == 1))
    lasting = lasting_share(kappa, moment, share, dephasing=dephasing)
    survival = math.sqrt(max(0.0, means[2]) / means[0]) if alive else math.nan
    rms = math.sqrt(max(0.0, means[3]) / max(1, parameters))
    with np.errstate(divide="ignore", invalid="ignore"):
        per_shot = float(np.mean(variances / kept))
    return GradientLaw(
        variance=float(means[0]),
        kappa=kappa,
        kappa_interval=first.over_square(first.slope, factor=-1.0).interval,
        budget=first.entries(engine.program) if alive else (),
        second_moment=moment,
        fixed_point_share=share,
        lasting_share=lasting,
        rate_variance=rate_variance(kappa, moment, lasting),
        survival=survival if not math.isnan(means[2]) else math.nan,
        survival_interval=survivals.interval,
        rms_gradient=rms if not math.isnan(means[3]) else math.nan,
        shot_variance=max(0.0, float(np.mean(variances))) if not np.isnan(variances).any() else math.nan,
        shots_per_gradient=math.inf if math.isnan(means[3]) else shots_per_gradient(max(0.0, per_shot), rms, weight),
        engine=engine.name,
    )
