"""V_loss and V_pred of a model at noise scales, exactly or from trajectories: what is left, and where it points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from equinoise.coherence.loss.loss_law import check_batch, rows_of, survival_point
from equinoise.coherence.loss.loss_law_record import LossSurvival
from equinoise.coherence.sample import few_draws_warning
from equinoise.engines.draws import check_scale, draw_generator, parallel_draws
from equinoise.engines.loss_gradient import model_engine
from equinoise.engines.model_sweeps import ModelSweeps
from equinoise.engines.sampled_loss import SampledLoss
from equinoise.model.qnn import Model
from equinoise.sampling import Sampling

__all__ = ["LossVariance", "loss_variance"]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LossVariance:
    """V_loss and V_pred over a model's prior.

    Attributes:
        variance: V_loss(0) = E sum_k (d_k J)^2.
        prediction_variance: V_pred(0) = E sum_c sum_k (d_k f_c)^2.
        points: What is left of both at each noise scale, and the direction of the loss's gradient.
        samples: Number of draws of the weights.
        seed: Of the draws; None for given weights.
        batch: Rows of a draw's loss; None for all.
        ensemble: The prior in words.
        engine: Engine used.
        approximations: What was sampled or left out.
    """

    variance: float
    prediction_variance: float
    points: tuple[LossSurvival, ...]
    samples: int
    seed: int | None
    batch: int | None
    ensemble: str
    engine: str
    approximations: tuple[str, ...]


@dataclass(frozen=True)
class _Squares:
    """One draw at one scale: two estimates of d_k J (the same one twice if exact), and mean_i sum_k (d_k f_c)^2."""

    one: Real
    two: Real
    readouts: Real


class _Estimator(Protocol):
    def squares(self, theta: Real, scale: float, rows: Index, number: int) -> _Squares:
        """Of draw ``number``."""


@dataclass(frozen=True)
class _Exact:
    """By density matrices."""

    sweeps: ModelSweeps

    def squares(self, theta: Real, scale: float, rows: Index, number: int) -> _Squares:
        """Of a draw, whatever its number."""
        found = self.sweeps.readout_gradients(theta, scale, rows)
        gradient = self.sweeps.loss_gradient_of(found)
        return _Squares(gradient, gradient, (found.gradients**2).mean(axis=0).sum(axis=1))


@dataclass(frozen=True)
class _FromPaths:
    """By trajectories: products of estimates from different paths, unbiased but for the loss's slope."""

    sampled: SampledLoss

    def squares(self, theta: Real, scale: float, rows: Index, number: int) -> _Squares:
        """Of a draw, its number making its paths its own."""
        one, two = ([self.sampled.row(theta, scale, int(row), 2 * number + half) for row in rows] for half in range(2))
        readouts = [a.readout_gradients * b.readout_gradients for a, b in zip(one, two, strict=True)]
        gradients = [np.mean([row.gradient for row in each], axis=0) for each in (one, two)]
        return _Squares(gradients[0], gradients[1], np.mean(readouts, axis=0).sum(axis=1))


def loss_variance(
    model: Model,
    scales: Sequence[float] = (1.0,),
    *,
    paths: int = 32,
    batch: int | None = None,
    sampling: Sampling | None = None,
    progress: Callable[[int], None] | None = None,
) -> LossVariance:
    """V_loss(s) = E sum_k (d_k J)^2 and V_pred(s) = E sum_c sum_k (d_k f_c)^2 over a model's prior.

    From trajectories every square is the product of two estimates from different paths, so that V_pred is unbiased and
    V_loss up to the bias of the loss's slope, of order 1/paths.

    Args:
        model: The model; its prior is the ensemble.
        scales: Noise scales.
        paths: Trajectories of each estimate, at least 8, a row.
        batch: Rows of each draw's loss, drawn with the weights; all by default.
        sampling: Draws of the weights (128 by default) and the engine: "exact", "trajectories", or "auto", exact unless
            that takes too long or does not fit in memory; no ensemble.
        progress: Called with 1 after each draw.

    Raises:
        ParameterError: The sampling, a scale or batch does not fit.
        UnsupportedError: The engine asked for cannot serve.
        MemoryLimitError: The light cone of all readouts is too large.

    Source:
        arXiv:2606.30688 (V_pred, there M_2 of one weight).

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.brickwork(4, depth=2, shared=True)
        >>> model = eq.Model(circuit, "Z1", initial="neel", noise="dephasing:0.05")
        >>> found = eq.loss_variance(model, sampling=eq.Sampling(samples=8))
        >>> found.variance == found.prediction_variance, found.engine
        (True, 'exact')
    """
    wanted = [check_scale(s) for s in scales]
    check_batch(model, batch)
    sampling = Sampling.of(sampling, samples=128)
    thetas = model.sampled(sampling)
    name = model_engine(model, sampling, draws=len(thetas) * (1 + len(wanted)))
    estimator, at_once = _estimator(model, name, replace(sampling, samples=paths))

    def one(item: tuple[int, Real]) -> list[_Squares]:
        number, theta = item
        rows = rows_of(model, batch, draw_generator(sampling.seed, number))
        return [estimator.squares(theta, s, rows, number) for s in (0.0, *wanted)]

    draws: list[list[_Squares]] = []
    for draw in parallel_draws(one, enumerate(thetas), at_once):
        draws.append(draw)
        if progress is not None:
            progress(1)
    notes = [] if model.prior.kind == "given" else list(few_draws_warning(len(draws)))
    if name == "trajectories":
        notes.append(f"squares are products of estimates from {paths} trajectories a row each")
        if not model.loss.linear:
            notes.append("the loss's slope at sampled predictions is biased by O(1/trajectories)")
    variance, readouts, points = _collected(draws, wanted)
    return LossVariance(
        variance=variance,
        prediction_variance=readouts,
        points=points,
        samples=len(draws),
        seed=model.drawn_seed(sampling),
        batch=batch,
        ensemble=model.prior.describe(),
        engine=name,
        approximations=tuple(notes),
    )


def _estimator(model: Model, name: str, paths: Sampling) -> tuple[_Estimator, int]:
    """What estimates a draw, and how many draws run at once; trajectories run at once within a draw."""
    if name == "trajectories":
        return _FromPaths(SampledLoss(model, paths)), 1
    sweeps = ModelSweeps(model, paths.workers)
    return _Exact(sweeps), sweeps.engine.workers


def _collected(draws: list[list[_Squares]], scales: Sequence[float]) -> tuple[float, float, tuple[LossSurvival, ...]]:
    """V_loss and V_pred without noise, and the points."""

    def column(place: int, of: Callable[[_Squares], Any]) -> Real:
        return np.array([of(draw[place]) for draw in draws])

    clean = column(0, lambda d: d.one * d.two)
    readouts = column(0, lambda d: d.readouts)
    points = [
        survival_point(
            s,
            squares=(clean.sum(axis=1), column(place, lambda d: d.one * d.two)),
            cross=np.array([float(np.sum(draw[0].one * draw[place].two)) for draw in draws]),
            readouts=(readouts, column(place, lambda d: d.readouts)),
        )
        for place, s in enumerate(scales, start=1)
    ]
    return float(clean.sum(axis=1).mean()), float(readouts.sum(axis=1).mean()), tuple(points)
