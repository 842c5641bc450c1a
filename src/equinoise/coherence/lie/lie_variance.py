"""Variance of the noiseless value and gradient from the circuit's Lie algebra, beside the sampled one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from equinoise.coherence.lie.lie_algebra import Real
from equinoise.coherence.lie.lie_moments import (
    IdealShare,
    characteristic,
    deep_moments,
    dependent,
    ideal_shares,
    moments_at_depth,
    reduced,
)
from equinoise.engines.blas_threads import one_blas_thread
from equinoise.engines.draws import sampled_draws
from equinoise.engines.select import select_engine
from equinoise.ensemble import Ensemble
from equinoise.errors import UnsupportedError
from equinoise.problem import Problem
from equinoise.sampling import Sampling

__all__ = ["IdealShare", "LieCheck", "LieVariance", "lie_algebraic_check", "lie_algebraic_variance"]

_MAX_QUBITS = 14


@dataclass(frozen=True)
class LieVariance:
    """Mean and variance of C(theta) and E (dC/dtheta_k)^2 without noise, from the Lie algebra; NaN where it is silent.

    Attributes:
        dimension: Of the Lie algebra on the input's subspace.
        subspace: Dimension of that subspace.
        centre: Dimension of the algebra's centre.
        ideals: The simple ideals, largest first.
        mean: E C in the limit of many layers.
        variance: Var C in that limit.
        gradient: E (dC/dtheta_k)^2 with many layers before and after, shape (K,), per radian squared; NaN for a
            parameter that enters several steps.
        mean_at_depth: E C of the circuit as it is, exact.
        variance_at_depth: Var C of the circuit as it is, exact.
        gradient_at_depth: E (dC/dtheta_k)^2 of the circuit as it is, exact, shape (K,).
        ensemble: Of the angles, in words.
        reasons: Why the formula does not apply; empty if it does.
    """

    dimension: int
    subspace: int
    centre: int
    ideals: tuple[IdealShare, ...]
    mean: float
    variance: float
    gradient: Real
    mean_at_depth: float
    variance_at_depth: float
    gradient_at_depth: Real
    ensemble: str
    reasons: tuple[str, ...]

    @property
    def applies(self) -> bool:
        """Whether readout or input lies in the algebra, up to what commutes with it, and the angles are independent."""
        return not self.reasons

    @property
    def depth_error(self) -> float:
        """Var C of the circuit as it is, over its limit of many layers, less 1: whether it is deep enough."""
        return self.variance_at_depth / self.variance - 1 if self.variance > 0 else math.nan


@dataclass(frozen=True)
class LieCheck:
    """The formula beside the sampled values, all without noise.

    Attributes:
        formula: From the Lie algebra.
        variance: Sampled Var C.
        variance_error: Its standard error.
        gradient: Sampled E (dC/dtheta_k)^2, shape (K,).
        gradient_error: Standard errors, shape (K,).
        gradient_sum: Sampled V(0) = E sum_k (dC/dtheta_k)^2.
        gradient_sum_error: Its standard error.
        samples: Number of draws.
        seed: Of the draws.
        engine: What sampled.
    """

    formula: LieVariance
    variance: float
    variance_error: float
    gradient: Real
    gradient_error: Real
    gradient_sum: float
    gradient_sum_error: float
    samples: int
    seed: int
    engine: str

    def rows(self) -> list[dict[str, float | str]]:
        """Quantity, limit of many layers, exact at this depth, sampled and its standard error: for a table."""
        theory = self.formula
        sums = (float(np.sum(theory.gradient)), float(np.sum(theory.gradient_at_depth)))
        lines = [
            ("Var C", theory.variance, theory.variance_at_depth, self.variance, self.variance_error),
            ("E sum g^2", *sums, self.gradient_sum, self.gradient_sum_error),
        ]
        names = ("quantity", "deep", "at depth", "sampled", "error")
        return [dict(zip(names, line, strict=True)) for line in lines]


def lie_algebraic_variance(
    problem: Problem,
    *,
    ensemble: Ensemble | str | None = None,
    max_dimension: int = 200,
    progress: Callable[[int], None] | None = None,
) -> LieVariance:
    """Variance of the noiseless value and gradient over the angles, from the circuit's dynamical Lie algebra.

    g is the Lie algebra of the circuit's generators (one for each angle, gates that share it together) on the smallest
    invariant subspace that holds the input; g = centre + sum_j g_j, g_j simple. If readout or input lies in i g plus
    what commutes with g, then with many layers

        Var C = sum_j P_j(rho) P_j(O)/d_j ,    E (dC/dtheta)^2 = sum_j P_j(rho) P_j(O) ||ad_j H||^2/d_j^2 ,

    P_j(A) = sum_a Tr[B_a A]^2 over an orthonormal basis of i g_j, ||ad_j H||^2 = sum_a ||[H, B_a]||^2 (the Killing norm
    of H, times -1), the angle's gate exp(-i theta H), many layers on both of its sides. For the circuit as it is the
    same two are exact by sweeps of E[o o^T], o the readout's coordinates in g, from gate to gate: the difference tells
    whether it is deep enough.

    Args:
        problem: The problem; its noise is not looked at.
        ensemble: "uniform" (default) or "normal:WIDTH"; angles independent.
        max_dimension: Largest dimension of g.
        progress: Called with 1 after each step of either sweep and each round of commutators.

    Returns:
        The record; its ``reasons`` say why the formula does not apply where it does not.

    Raises:
        UnsupportedError: More than 14 qubits, a subspace of more than 64 dimensions, an algebra larger than
            max_dimension, or an ensemble of given angles.
        MissingPackageError: PennyLane is not installed.

    Source:
        Ragone et al., arXiv:2309.09342, Theorem 1 (value); Fontana et al., arXiv:2309.07902 (gradient).

    Example:
        >>> import equinoise as eq
        >>> from equinoise.coherence.lie.lie_variance import lie_algebraic_variance
        >>> circuit = eq.circuits.brickwork(4, depth=4, interaction="none")
        >>> problem = eq.Problem(circuit, readout="Z1", initial="0001")
        >>> found = lie_algebraic_variance(problem)
        >>> found.subspace, [i.dimension for i in found.ideals], round(found.variance, 4)
        (4, [15], 0.15)
    """
    drawn = Ensemble.of(ensemble)
    if drawn.thetas is not None:
        raise UnsupportedError("the Lie-algebraic variance is over independent angles: 'uniform' or 'normal:WIDTH'.")
    if problem.num_qubits > _MAX_QUBITS:
        raise UnsupportedError(
            f"the Lie-algebraic variance is for up to {_MAX_QUBITS} qubits, got {problem.num_qubits}. Sampling serves."
        )
    tick = progress if progress is None else (lambda _: progress(1))
    # matrices this small are many times slower on several BLAS threads that others share
    with one_blas_thread():
        circuit = reduced(problem, max_dimension, tick)
        count = len(problem.parameters)
        lost = np.full(count, math.nan)
        ideals, reasons = ideal_shares(circuit), (*dependent(problem), *circuit.obstacles())
        if reasons:
            out = (math.nan, math.nan, lost, math.nan, math.nan, lost)
        else:
            out = (
                *deep_moments(circuit, problem, ideals),
                *moments_at_depth(circuit, problem, characteristic(problem, drawn), tick),
            )
    algebra = circuit.algebra
    sizes = (algebra.dimension, int(algebra.basis.shape[-1]), int(algebra.centre.shape[0]))
    return LieVariance(*sizes, ideals, *out, ensemble=drawn.describe(), reasons=reasons)


def lie_algebraic_check(
    problem: Problem,
    *,
    sampling: Sampling | None = None,
    max_dimension: int = 200,
    progress: Callable[[int], None] | None = None,
) -> LieCheck:
    """The Lie-algebraic variance of a problem beside the one of sampled angles, both without noise.

    Args:
        problem: The problem; its noise is not looked at.
        sampling: Draws (400 by default), ensemble (as for :func:`lie_algebraic_variance`) and engine.
        max_dimension: As for :func:`lie_algebraic_variance`.
        progress: Called with 1 after each draw, step and round.

    Raises:
        UnsupportedError: As for :func:`lie_algebraic_variance`, or the engine cannot serve.
        ParameterError: The sampling does not fit.
        MissingPackageError: PennyLane is not installed.

    Source:
        arXiv:2309.09342, arXiv:2309.07902.
    """
    sampling = Sampling.of(sampling, samples=400)
    formula = lie_algebraic_variance(
        problem, ensemble=sampling.ensemble, max_dimension=max_dimension, progress=progress
    )
    thetas, samples = sampling.draw(problem), sampling.count
    chosen = select_engine(problem, sampling.engine, workers=sampling.workers, noiseless=True)
    draws = []
    for draw in sampled_draws(lambda t, _: chosen.draw(t, 0.0), thetas, sampling.seed, chosen.workers):
        draws.append(draw)
        if progress is not None:
            progress(1)
    values, squares = np.array([d.value for d in draws]), np.array([d.gradient for d in draws]) ** 2
    variance = float(values.var(ddof=1)) if samples > 1 else math.nan
    # The variance of a sample variance is (fourth central moment - variance^2)/n to leading order.
    fourth = float(np.mean((values - values.mean()) ** 4))
    sums, root = squares.sum(axis=1), math.sqrt(samples)
    return LieCheck(
        formula,
        variance,
        math.sqrt(max(fourth - variance**2, 0.0)) / root,
        squares.mean(axis=0),
        squares.std(axis=0) / root,
        float(sums.mean()),
        float(sums.std()) / root,
        samples,
        sampling.seed,
        chosen.name,
    )
