"""The loss of a model and its gradient at one point, under noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.engines.draws import check_scale, parallel_draws
from equinoise.engines.model_sweeps import ModelSweeps
from equinoise.model.qnn import Model

__all__ = ["LossGradient", "loss_gradient"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LossGradient:
    """J(theta; s) and dJ/dtheta with how they were obtained.

    Attributes:
        loss: J, mean over the rows.
        gradient: dJ/dtheta_k by the trained weights, shape (K,), per radian.
        predictions: f_c of every row, shape (N, C), before scale and bias.
        losses: l of every row, shape (N,).
        scale: Noise scale s.
        engine: Engine used.
    """

    loss: float
    gradient: Real
    predictions: Real
    losses: Real
    scale: float
    engine: str


def loss_gradient(
    model: Model,
    theta: Any,
    scale: float = 1.0,
    *,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> LossGradient:
    """The loss J = mean_i l(f(x_i), y_i) and its gradient, exactly: one sweep forward and one back a row.

    d_k J = mean_i sum_c l_c(i) d_k f_c(x_i), with l_c = dl/df_c at the row's noisy predictions.

    Args:
        model: The model.
        theta: Weights, shape (W,), radians, in the order of ``model.weights`` (or a mapping).
        scale: Noise scale s in [0, infinity].
        workers: Rows run at once; all processors by default.
        progress: Called with 1 after each row.

    Raises:
        ParameterError: theta or scale does not fit.
        UnsupportedError: The exact engine cannot take the noise.
        MemoryLimitError: The light cone of all readouts is too large.

    Source:
        arXiv:2606.30688 (the gradient of a prediction); the chain rule.

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.brickwork(4, depth=2)
        >>> seen = [p.name for p in circuit.parameters][:4]
        >>> model = eq.Model(circuit, "Z1", loss="mean", initial="neel", noise="dephasing:0.05", trained=seen)
        >>> eq.loss_gradient(model, [0.3] * 14).gradient.shape
        (4,)
    """
    s, weights = check_scale(scale), model.theta(theta)
    sweeps = ModelSweeps(model, workers)
    found = parallel_draws(
        lambda row: sweeps.row_gradient(weights, s, row), range(model.rows.count), sweeps.engine.workers, progress
    )
    predictions = np.stack([values for values, _ in found])
    losses = model.losses(predictions)
    gradient = np.mean([gradient for _, gradient in found], axis=0)
    return LossGradient(float(losses.mean()), gradient, predictions, losses, s, sweeps.engine.name)
