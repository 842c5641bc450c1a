"""The loss of a model and its gradient at one point, under noise."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.engines.draws import check_scale, parallel_draws
from equinoise.engines.model_sweeps import ModelSweeps
from equinoise.engines.sampled_loss import SampledLoss
from equinoise.engines.select import PATIENCE, Declaration, declarations
from equinoise.model.qnn import Model
from equinoise.sampling import Sampling

__all__ = ["LossGradient", "choose_for_model", "loss_gradient", "model_declarations", "model_engine"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LossGradient:
    """J(theta; s) and dJ/dtheta with how they were obtained.

    Attributes:
        loss: J, mean over the rows.
        gradient: dJ/dtheta_k by the trained weights, shape (K,), per radian.
        predictions: f_c of every row, shape (N, C), before scale and bias.
        losses: l of every row, shape (N,).
        standard_error: Of the gradient, shape (K,); zeros from the exact engine.
        bias: Estimate of what the gradient is off on average, shape (K,): the loss's slope at sampled predictions is
            biased by O(1/samples); zeros from the exact engine and for losses of second degree.
        loss_bias: Estimate likewise of the loss's.
        scale: Noise scale s.
        engine: Engine used.
        samples: Trajectories a row; 1 from the exact engine.
        seed: Of the trajectories; None from the exact engine.
    """

    loss: float
    gradient: Real
    predictions: Real
    losses: Real
    standard_error: Real
    bias: Real
    loss_bias: float
    scale: float
    engine: str
    samples: int = 1
    seed: int | None = None


def loss_gradient(
    model: Model,
    theta: Any,
    scale: float = 1.0,
    *,
    sampling: Sampling | None = None,
    progress: Callable[[int], None] | None = None,
) -> LossGradient:
    """The loss J = mean_i l(f(x_i), y_i) and its gradient: exactly, one sweep forward and one back a row, or sampled.

    d_k J = mean_i sum_c l_c(i) d_k f_c(x_i), with l_c = dl/df_c at the row's noisy predictions. From trajectories
    values and gradients come from independent paths; see :mod:`equinoise.engines.sampled_loss`.

    Args:
        model: The model.
        theta: Weights, shape (W,), radians, in the order of ``model.weights`` (or a mapping).
        scale: Noise scale s in [0, infinity].
        sampling: Trajectories a row where they are sampled (256 by default, at least 8), their seed, how many rows or
            trajectories run at once, and the engine: "exact", "trajectories", or "auto", exact unless that takes too
            long or does not fit in memory. No ensemble: theta is given.
        progress: Called with 1 after each row.

    Raises:
        ParameterError: theta or scale does not fit.
        UnsupportedError: The engine asked for cannot serve (saying which does).
        MemoryLimitError: The light cone of all readouts is too large.

    Source:
        arXiv:2606.30688 (the gradient of a prediction); the chain rule.

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.brickwork(4, depth=2)
        >>> seen = [p.name for p in circuit.parameters][:4]
        >>> model = eq.Model(circuit, "Z1", loss="mean", initial="neel", noise="dephasing:0.05", trained=seen)
        >>> eq.loss_gradient(model, [0.3] * len(model.weights)).gradient.shape
        (4,)
    """
    s, weights, sampling = check_scale(scale), model.theta(theta), Sampling.of(sampling, samples=256)
    if model_engine(model, sampling) == "trajectories":
        return _sampled(model, weights, s, sampling, progress or _silent)
    sweeps, found = ModelSweeps(model, sampling.workers), []
    for each in parallel_draws(
        lambda row: sweeps.row_gradient(weights, s, row), range(model.rows.count), sweeps.engine.workers
    ):
        found.append(each)
        (progress or _silent)(1)
    predictions = np.stack([values for values, _ in found])
    losses = model.losses(predictions)
    gradient = np.mean([gradient for _, gradient in found], axis=0)
    none = np.zeros_like(gradient)
    return LossGradient(float(losses.mean()), gradient, predictions, losses, none, none, 0.0, s, sweeps.engine.name)


def _silent(done: int) -> None:
    del done


def model_engine(model: Model, sampling: Sampling, draws: float = 1) -> str:
    """The engine that a model's sweeps take: "exact" or "trajectories".

    Args:
        model: The model.
        sampling: Its engine, one of these or "auto", and how many draws run at once.
        draws: How often all rows are gone through.

    Raises:
        UnsupportedError: Another engine, or none serves.
    """
    return choose_for_model(model, sampling, draws)[0]


def choose_for_model(model: Model, sampling: Sampling, draws: float = 1) -> tuple[str, str]:
    """The engine of :func:`model_engine`, and why."""
    sampling.check_engine("a model", *_ENGINES)
    if sampling.engine != "auto":
        return sampling.engine, "it was asked for"
    found = {one.engine: one for one in model_declarations(model)}
    exact, paths = found["exact"], found.get("trajectories")
    if paths is None or not paths.serves:
        return "exact", "no other engine serves this model"
    seconds = exact.seconds * draws / (sampling.workers or os.cpu_count() or 1)
    if exact.serves and seconds < PATIENCE:
        return "exact", f"all rows of all draws take {seconds:.2g} s"
    return "trajectories", f"exact would take {seconds:.2g} s" if exact.serves else f"exact: {exact.reason}"


def model_declarations(model: Model) -> tuple[Declaration, ...]:
    """What each engine declares for a model: its time is that of one draw of the weights, over all rows.

    Args:
        model: The model.
    """
    rows = model.rows.count
    return tuple(
        replace(one, seconds=one.seconds * rows)
        if one.engine in _ENGINES
        else replace(one, serves=False, reason="a loss is taken through the engines exact and trajectories alone")
        for one in declarations(model.problem)
    )


_ENGINES = ("exact", "trajectories")


def _sampled(
    model: Model,
    theta: Real,
    scale: float,
    sampling: Sampling,
    progress: Callable[[int], None],
) -> LossGradient:
    """From trajectories, row after row."""
    sampled = SampledLoss(model, sampling)
    rows = []
    for row in range(model.rows.count):
        rows.append(sampled.row(theta, scale, row))
        progress(1)
    predictions = np.stack([row.predictions for row in rows])
    losses = model.losses(predictions)
    return LossGradient(
        loss=float(losses.mean()),
        gradient=np.mean([row.gradient for row in rows], axis=0),
        predictions=predictions,
        losses=losses,
        standard_error=np.sqrt(np.sum([row.variance for row in rows], axis=0)) / len(rows),
        bias=np.mean([row.bias for row in rows], axis=0),
        loss_bias=float(np.mean([row.loss_bias for row in rows])),
        scale=scale,
        engine=sampled.engine.name,
        samples=sampling.count,
        seed=sampling.seed,
    )
