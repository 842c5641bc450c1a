"""Values, gradients and their variance over an ensemble, by whichever engine serves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.engines.block_space import held_sectors, kept_symmetry
from equinoise.engines.contract import Engine
from equinoise.engines.draws import Draw, check_scale, sampled_draws
from equinoise.engines.loss_gradient import loss_gradient
from equinoise.engines.replica.average import average
from equinoise.engines.select import averages, select_engine
from equinoise.errors import ParameterError
from equinoise.model.asked import also_of_models
from equinoise.problem import Problem
from equinoise.reduction.program import Program
from equinoise.sampling import Sampling

__all__ = ["Expectation", "Gradient", "GradientVariance", "expectation", "gradient", "gradient_variance"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Expectation:
    """C(theta; s) with how it was obtained.

    Attributes:
        value: C(theta; s), in the readout's units.
        shot_variance: <O^2> - C^2, the variance of one ideal measurement of the readout.
        standard_error: Of the value; 0 for an exact engine.
        scale: Noise scale s.
        engine: Engine used.
        samples: Trajectories averaged; 1 for an exact engine.
        seed: Of the trajectories; None for an exact engine.
    """

    value: float
    shot_variance: float
    standard_error: float
    scale: float
    engine: str
    samples: int = 1
    seed: int | None = None


@dataclass(frozen=True)
class Gradient:
    """dC/dtheta at one noise scale with how it was obtained.

    Attributes:
        value: C(theta; s).
        gradient: Shape (K,), per radian, in the order of ``circuit.parameters``; exactly 0 outside the light cone.
        standard_error: Shape (K,); zeros for an exact engine.
        scale: Noise scale s.
        engine: Engine used.
        reduction: Cone qubits, charges held (None for another symmetry), complex numbers of a density matrix in them,
            and the symmetry that circuit and noise keep.
        samples: Trajectories averaged; 1 for an exact engine.
        seed: Of the trajectories; None for an exact engine.
    """

    value: float
    gradient: Real
    standard_error: Real
    scale: float
    engine: str
    reduction: dict[str, Any]
    samples: int = 1
    seed: int | None = None


@dataclass(frozen=True)
class GradientVariance:
    """V(s) = mean over the ensemble of sum_k (dC/dtheta_k)^2.

    Attributes:
        scales: Shape (S,).
        variance: V at each scale, shape (S,); an unbiased estimate from trajectories may be negative.
        standard_error: Of each V over the draws (trajectories included), shape (S,); from "replica" the half-width of
            the interval that truncation leaves, 0 up to rounding where nothing was cut.
        per_parameter: mean g_k^2, shape (S, K).
        survival: R = sqrt(V(s)/V(0)), shape (S,).
        survival_error: Standard error of R from the paired draws, shape (S,); from "replica" a half-width likewise.
        samples: Number of draws; 0 where the average was taken without sampling.
        seed: Of the draws (None for given parameter values, and without sampling).
        engine: Engine used.
        ensemble: In words.
    """

    scales: Real
    variance: Real
    standard_error: Real
    per_parameter: Real
    survival: Real
    survival_error: Real
    samples: int
    seed: int | None
    engine: str
    ensemble: str


def expectation(
    problem: Problem,
    theta: Any,
    scale: float = 1.0,
    engine: str = "auto",
    *,
    trajectories: int = 256,
    seed: int = 0,
    reduce: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Expectation:
    """The readout's expectation value C(theta; s) = Tr[O exp(s E_L) U_L ... exp(s E_1) U_1(rho_0)].

    Args:
        problem: The problem.
        theta: Shape (K,), radians, in the order of ``circuit.parameters`` (or a mapping).
        scale: Noise scale s in [0, infinity]; 1 is the stated noise.
        engine: "auto" or an engine's name.
        trajectories: How many are averaged, where the engine samples.
        seed: Of the trajectories.
        reduce: Whether to use light cone and sectors (off only for checks).
        progress: Called with 1 after each trajectory.

    Raises:
        ParameterError: theta, scale or trajectories does not fit.
        UnsupportedError: The engine asked for cannot serve (saying which does).
        MemoryLimitError: The cone is too large.

    Source:
        arXiv:2606.30688.

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.brickwork(4, depth=2)
        >>> problem = eq.Problem(circuit, readout="Z2", initial="neel", noise="dephasing:0.05")
        >>> round(eq.expectation(problem, [0.3] * 14).value, 6)
        -0.912668
    """
    s = check_scale(scale)
    angles = problem.theta(theta)
    chosen = select_engine(problem, engine, reduce=reduce, noiseless=s == 0)
    if chosen.exact or s == 0:
        value, square = chosen.value(angles, s)
        return Expectation(value, square - value**2, 0.0, s, chosen.name)
    found = []
    for pair in sampled_draws(
        lambda t, rng: chosen.value(t, s, rng), _repeated(angles, trajectories), seed, chosen.workers
    ):
        found.append(pair)
        if progress is not None:
            progress(1)
    values, squares = np.array(found).T
    # The mean's square overestimates C^2 by the mean's own variance, error^2: adding it to <O^2> - mean^2 makes the
    # variance of a shot unbiased.
    value, error = float(values.mean()), _standard_error(values)
    return Expectation(value, float(squares.mean()) - value**2 + error**2, error, s, chosen.name, len(found), seed)


def _repeated(angles: Real, trajectories: int) -> list[Real]:
    """The same angles for each trajectory."""
    if isinstance(trajectories, bool) or not isinstance(trajectories, int) or trajectories < 2:
        raise ParameterError(f"trajectories must be at least 2 for an error bar, got {trajectories!r}.")
    return [angles] * trajectories


def _standard_error(values: Real) -> Any:
    """Of the mean over the first axis."""
    return values.std(axis=0, ddof=1) / np.sqrt(values.shape[0])


@also_of_models(loss_gradient)
def gradient(
    problem: Problem,
    theta: Any,
    scale: float = 1.0,
    engine: str = "auto",
    *,
    trajectories: int = 256,
    seed: int = 0,
    reduce: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Gradient:
    """The gradient of C(theta; s) with respect to all parameters at once, by noisy adjoint sweeps.

    Args:
        problem: The problem.
        theta: Shape (K,), radians, in the order of ``circuit.parameters`` (or a mapping).
        scale: Noise scale s in [0, infinity].
        engine: "auto" or an engine's name.
        trajectories: How many are averaged, where the engine samples.
        seed: Of the trajectories.
        reduce: Whether to use light cone and sectors (off only for checks).
        progress: Called with 1 after each trajectory.

    Raises:
        ParameterError: theta, scale or trajectories does not fit.
        UnsupportedError: The engine asked for cannot serve (saying which does).
        MemoryLimitError: The cone is too large.

    Source:
        arXiv:2606.30688; the derivative is 2 Im Tr[A G_k rho] with the block's generator G_k = i (dU/dtheta_k) U^dag.

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.brickwork(4, depth=2)
        >>> problem = eq.Problem(circuit, readout="Z2", initial="neel", noise="dephasing:0.05")
        >>> result = eq.gradient(problem, [0.3] * 14)
        >>> result.engine, result.gradient.shape
        ('exact', (14,))
    """
    s = check_scale(scale)
    angles = problem.theta(theta)
    chosen = select_engine(problem, engine, reduce=reduce, noiseless=s == 0)
    if chosen.exact or s == 0:
        draw = chosen.draw(angles, s)
        exact = np.zeros_like(draw.gradient)
        return Gradient(draw.value, draw.gradient, exact, s, chosen.name, _reduction(chosen))

    def one(angles: Real, rng: np.random.Generator) -> Draw:
        return chosen.draw(angles, s, rng)

    draws = []
    for draw in sampled_draws(one, _repeated(angles, trajectories), seed, chosen.workers):
        draws.append(draw)
        if progress is not None:
            progress(1)
    gradients = np.stack([d.gradient for d in draws])
    value = float(np.mean([d.value for d in draws]))
    error = _standard_error(gradients)
    return Gradient(value, gradients.mean(axis=0), error, s, chosen.name, _reduction(chosen), len(draws), seed)


def _reduction(engine: Engine) -> dict[str, Any]:
    program = engine.program
    charges = tuple(q for q in program.charges if q is not None) or None if isinstance(program, Program) else None
    numbers = sum(sector.multiplicity**2 for sector in held_sectors(engine))
    return {"qubits": program.cone.qubits, "charges": charges, "numbers": numbers, "symmetry": kept_symmetry(engine)}


def gradient_variance(
    problem: Problem,
    scales: Sequence[float] = (0.0, 1.0),
    *,
    sampling: Sampling | None = None,
    progress: Callable[[int], None] | None = None,
) -> GradientVariance:
    """V(s) and the survival R(s) over an ensemble of parameters.

    Args:
        problem: The problem.
        scales: Noise scales in [0, infinity].
        sampling: Draws (128 by default), ensemble and engine. Engine "replica" averages over independent uniform
            angles without sampling, and "auto" takes it where sampling would take more than a second, and longer.
        progress: Called with 1 after each draw.

    Raises:
        ParameterError: A scale or the sampling does not fit.
        UnsupportedError: The engine asked for cannot serve (saying which does).
        MemoryLimitError: The cone is too large.

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.brickwork(4, depth=2)
        >>> problem = eq.Problem(circuit, readout="Z2", initial="neel", noise="collective:0.5")
        >>> result = eq.gradient_variance(problem, scales=[0, 1], sampling=eq.Sampling(samples=4))
        >>> bool(abs(result.survival[1] - 1) < 1e-12)
        True
    """
    wanted = [check_scale(s) for s in scales]
    if not wanted:
        raise ParameterError("scales must hold at least one noise scale.")
    sampling = Sampling.of(sampling, samples=128)
    thetas = sampling.draw(problem)
    all_scales = wanted if 0.0 in wanted else [0.0, *wanted]
    count = len(thetas) * len(all_scales)
    alone = set(wanted) == {0.0}
    if averages(problem, sampling, draws=count, scales=len(all_scales), noiseless=alone):
        return _averaged(problem, wanted, sampling, progress)
    chosen = select_engine(problem, sampling.engine, workers=sampling.workers, draws=count, noiseless=alone)

    def one(theta: Real, rng: np.random.Generator) -> Real:
        return np.stack([d.gradient_square for d in chosen.noisy(theta, all_scales, rng)])

    drawn = []
    for draw in sampled_draws(one, thetas, sampling.seed, chosen.workers):
        drawn.append(draw)
        if progress is not None:
            progress(1)
    squares = np.stack(drawn)
    totals = squares.sum(axis=2)
    mean = totals.mean(axis=0)
    base = all_scales.index(0.0)
    pick = [all_scales.index(s) for s in wanted]
    count = len(thetas)
    spread = totals.std(axis=0, ddof=1) / np.sqrt(count) if count > 1 else np.full(len(all_scales), np.nan)
    ratio = mean / mean[base] if mean[base] > 0 else np.full(mean.shape, np.nan)
    # Delta method: a ratio of means a/b moves by (a_i - ratio b_i)/b with each draw; paired draws fluctuate together,
    # so the residuals are far smaller than either spread. R = sqrt(ratio) halves the relative error.
    residual = (totals - ratio * totals[:, [base]]) / max(mean[base], np.finfo(float).tiny)
    ratio_error = residual.std(axis=0, ddof=1) / np.sqrt(count) if count > 1 else np.full(mean.shape, np.nan)
    survival = np.sqrt(np.maximum(ratio, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        survival_error = np.where(survival > 0, ratio_error / (2 * survival), 0.0)
    return GradientVariance(
        scales=np.array(wanted),
        variance=mean[pick],
        standard_error=spread[pick],
        per_parameter=squares.mean(axis=0)[pick],
        survival=survival[pick],
        survival_error=survival_error[pick],
        samples=count,
        seed=sampling.drawn_seed,
        engine=chosen.name,
        ensemble=sampling.ensemble.describe(),
    )


def _averaged(
    problem: Problem,
    wanted: Sequence[float],
    sampling: Sampling,
    progress: Callable[[int], None] | None,
) -> GradientVariance:
    """The same without sampling."""
    scales = list(dict.fromkeys([0.0, *wanted]))
    found = average(problem, scales, workers=sampling.workers, progress=progress)
    base, size = found.variance[0], np.maximum(found.variance, np.finfo(float).tiny)
    pick = [scales.index(s) for s in wanted]
    ratio = np.maximum(found.variance, 0.0) / base if base > 0 else np.full(size.shape, np.nan)
    survival = np.sqrt(ratio)
    with np.errstate(invalid="ignore"):
        # Truncation errors are bounds and not independent: relative half-widths of V(s) and V(0) add, halved by the
        # root.
        survival_error = survival / 2 * (found.error / size + found.error[0] / size[0])
    return GradientVariance(
        scales=np.array(wanted),
        variance=found.variance[pick],
        standard_error=found.error[pick],
        per_parameter=found.per_parameter[pick],
        survival=survival[pick],
        survival_error=survival_error[pick],
        samples=0,
        seed=None,
        engine=found.engine,
        ensemble=sampling.ensemble.describe(),
    )
