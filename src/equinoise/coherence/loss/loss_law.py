"""The coherence law of a model's loss: kappa in two parts with their budgets, survival, direction, each readout.

The gradient of a loss, d_k J = mean_i sum_c l_c d_k f_c, dies with the gradients of its predictions and turns with its
slope, so -(1/2) d ln V_loss/ds = kappa_gradient + kappa_residual; see :mod:`equinoise.engines.model_sweeps`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.coherence.loss.loss_law_record import LossLaw, LossSurvival, ReadoutLaw
from equinoise.coherence.rates import FirstOrder
from equinoise.coherence.sample import PairedDraws, Sampled, few_draws_warning
from equinoise.engines.draws import check_scale, sampled_draws
from equinoise.engines.model_sweeps import FirstOrderLoss, ModelSweeps
from equinoise.errors import ParameterError
from equinoise.model.qnn import Model
from equinoise.reduction.shift_rules import gradient_rounding
from equinoise.sampling import Sampling

__all__ = [
    "LossDraw",
    "check_batch",
    "loss_draw",
    "loss_law",
    "loss_law_from_draws",
    "rows_of",
]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LossDraw:
    """One draw of the weights (and of a batch of rows, where batches are drawn).

    Attributes:
        first: Without noise and in first order.
        gradients: d_k J at each noise scale, shape (scales, K).
        readout_squares: mean_i (d_k f_c)^2 at each scale, summed over k, shape (scales, C).
    """

    first: FirstOrderLoss
    gradients: Real
    readout_squares: Real


def loss_law(
    model: Model,
    *,
    scales: Sequence[float] = (1.0,),
    batch: int | None = None,
    sampling: Sampling | None = None,
    progress: Callable[[int], None] | None = None,
) -> LossLaw:
    """The coherence law of a model's loss and of its predictions, over the model's prior.

    V_loss = E sum_k (d_k J)^2 and kappa = -(1/2) d ln V_loss/ds at s = 0 = kappa_gradient + kappa_residual, each with
    its budget; beside them V_pred = E sum_c sum_k (d_k f_c)^2, and survival and direction simulated at the scales.

    Args:
        model: The model; its prior is the ensemble.
        scales: Noise scales at which survival and direction are simulated.
        batch: Rows of each draw's loss, drawn with the weights, as one step of stochastic gradient descent has them;
            all rows by default.
        sampling: Draws of the weights (128 by default); no ensemble, and the exact engine alone.
        progress: Called with 1 after each draw.

    Raises:
        ParameterError: The sampling, a scale or batch does not fit.
        UnsupportedError: The exact engine cannot take the noise.
        MemoryLimitError: The light cone of all readouts is too large.

    Source:
        arXiv:2606.30688 (kappa of a prediction's gradient); the split for losses goes beyond it.

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.brickwork(4, depth=2)
        >>> seen = [p.name for p in circuit.parameters][:4]
        >>> model = eq.Model(circuit, "Z1", loss="mse", labels=[0.5], initial="neel", noise="dephasing:0.05",
        ...                  prior="uniform:0.5", trained=seen)
        >>> found = eq.loss_law(model, sampling=eq.Sampling(samples=8))
        >>> bool(abs(found.kappa - found.kappa_gradient.value - found.kappa_residual.value) < 1e-12)
        True
    """
    wanted = [check_scale(s) for s in scales]
    check_batch(model, batch)
    sampling = Sampling.of(sampling, samples=128)
    sampling.check_engine("the law of a loss", "exact")
    thetas, sweeps = model.sampled(sampling), ModelSweeps(model, sampling.workers)

    def one(theta: Real, rng: np.random.Generator) -> LossDraw:
        return loss_draw(sweeps, theta, wanted, rows_of(model, batch, rng))

    draws = []
    for draw in sampled_draws(one, thetas, sampling.seed, sweeps.engine.workers):
        draws.append(draw)
        if progress is not None:
            progress(1)
    return loss_law_from_draws(sweeps, draws, wanted, sampling, batch)


def check_batch(model: Model, batch: int | None) -> None:
    """Refuses a batch that is no part of the rows.

    Raises:
        ParameterError: No whole number of 1 to N.
    """
    count = model.rows.count
    if batch is not None and (isinstance(batch, bool) or not isinstance(batch, int) or not 1 <= batch <= count):
        raise ParameterError(f"batch must be a whole number of 1 to {count} rows, got {batch!r}.")


def rows_of(model: Model, batch: int | None, rng: np.random.Generator) -> Index:
    """The rows of one draw: all, or a batch without repetition."""
    count = model.rows.count
    return np.arange(count) if batch is None else np.sort(rng.choice(count, batch, replace=False))


def loss_draw(sweeps: ModelSweeps, theta: Real, scales: Sequence[float], rows: Index) -> LossDraw:
    """One draw: first order without noise, and the gradients at each scale."""
    found = [sweeps.readout_gradients(theta, s, rows) for s in scales]
    count = len(sweeps.operators)
    return LossDraw(
        first=sweeps.first_order(theta, rows),
        gradients=np.array([sweeps.loss_gradient_of(each) for each in found]).reshape(
            len(found), sweeps.model.trained.size
        ),
        readout_squares=np.array([(each.gradients**2).mean(axis=0).sum(axis=1) for each in found]).reshape(
            len(found), count
        ),
    )


def loss_law_from_draws(
    sweeps: ModelSweeps, draws: Sequence[LossDraw], scales: Sequence[float], sampling: Sampling, batch: int | None
) -> LossLaw:
    """The law from its draws.

    Args:
        sweeps: Which made them.
        draws: Of the weights.
        scales: At which the draws have gradients.
        sampling: The draws' seed.
        batch: Rows of a draw's loss; None for all.
    """
    model, program = sweeps.model, sweeps.engine.program
    first = [draw.first for draw in draws]
    gradients = np.stack([f.gradient for f in first])
    square = _above_rounding((gradients**2).sum(axis=1), sweeps)
    parts = {
        "gradient": _first_order(square, gradients, [f.by_gradient for f in first], [f.gradient_budget for f in first]),
        "residual": _first_order(square, gradients, [f.by_residual for f in first], [f.residual_budget for f in first]),
    }
    whole = FirstOrder(
        square=square,
        slope=parts["gradient"].slope + parts["residual"].slope,
        curvature=np.full(square.size, math.nan),
        per_parameter=parts["gradient"].per_parameter + parts["residual"].per_parameter,
        budget=parts["gradient"].budget + parts["residual"].budget,
    )
    kappa = whole.over_square(whole.slope, factor=-1.0)
    per_weight = np.mean(gradients**2, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        by_weight = np.where(per_weight > _floor(sweeps), -whole.per_parameter[1] / per_weight, np.nan)
    squares = np.stack([f.readout_squares.sum(axis=1) for f in first])
    slopes = np.stack([f.readout_slopes.sum(axis=1) for f in first])
    noisy = np.stack([draw.readout_squares for draw in draws])
    found = np.stack([draw.gradients for draw in draws])
    return LossLaw(
        variance=float(square.mean()),
        per_weight=per_weight,
        kappa=kappa.value,
        kappa_interval=kappa.interval,
        kappa_error=kappa.error,
        kappa_gradient=parts["gradient"].over_square(parts["gradient"].slope, factor=-1.0),
        kappa_residual=parts["residual"].over_square(parts["residual"].slope, factor=-1.0),
        kappa_per_parameter=by_weight,
        budget=whole.entries(program),
        gradient_budget=parts["gradient"].entries(program),
        residual_budget=parts["residual"].entries(program),
        prediction_variance=float(squares.sum(axis=1).mean()),
        prediction_kappa=_ratio(slopes.sum(axis=1), squares.sum(axis=1), -1.0),
        readouts=tuple(_readout_law(model, c, squares, slopes, noisy) for c in range(len(model.readouts))),
        points=tuple(
            survival_point(
                s,
                squares=(square, found[:, i] ** 2),
                cross=(gradients * found[:, i]).sum(axis=1),
                readouts=(squares, noisy[:, i]),
            )
            for i, s in enumerate(scales)
        ),
        samples=len(draws),
        seed=model.drawn_seed(sampling),
        batch=batch,
        ensemble=model.prior.describe(),
        engine=sweeps.engine.name,
        approximations=_approximations(model, len(draws), batch),
    )


def _first_order(square: Real, gradients: Real, changes: Sequence[Real], budgets: Sequence[Real]) -> FirstOrder:
    """One part of (d_k J)' as first-order quantities; its squares are the whole's."""
    products = gradients * np.stack(changes)
    return FirstOrder(
        square=square,
        slope=products.sum(axis=1),
        curvature=np.full(square.size, math.nan),
        per_parameter=np.stack([np.zeros(gradients.shape[1]), products.mean(axis=0)]),
        budget=np.stack(budgets),
    )


def _ratio(top: Real, bottom: Real, factor: float = 1.0, *, root: bool = False) -> Sampled:
    """Mean top / mean bottom times a factor; 0 where there is nothing below."""
    if not bottom.any():
        return Sampled(0.0, 0.0, 0.0, 0.0)
    return PairedDraws({"top": top, "bottom": bottom}).ratio("top", "bottom", factor=factor, root=root)


def _readout_law(model: Model, c: int, squares: Real, slopes: Real, noisy: Real) -> ReadoutLaw:
    return ReadoutLaw(
        label=model.readout_labels[c],
        variance=float(squares[:, c].mean()),
        kappa=_ratio(slopes[:, c], squares[:, c], -1.0),
        survival=tuple(_ratio(noisy[:, i, c], squares[:, c], root=True) for i in range(noisy.shape[1])),
    )


def survival_point(scale: float, squares: tuple[Real, Real], cross: Real, readouts: tuple[Real, Real]) -> LossSurvival:
    """What is left at one scale, over the same draws as without noise.

    Args:
        scale: Noise scale s.
        squares: sum_k (d_k J)^2 without noise, shape (S,), and (d_k J)^2 at the scale, shape (S, K).
        cross: sum_k of the product of both gradients, shape (S,).
        readouts: mean_i sum_k (d_k f_c)^2 without noise and at the scale, shape (S, C) each.
    """
    before, left = squares[0], squares[1].sum(axis=1)
    return LossSurvival(
        scale=scale,
        variance=float(left.mean()),
        per_weight=squares[1].mean(axis=0),
        survival=_ratio(left, before, root=True),
        direction=_cosine(cross, before, left),
        prediction_variance=float(readouts[1].sum(axis=1).mean()),
        prediction_survival=_ratio(readouts[1].sum(axis=1), readouts[0].sum(axis=1), root=True),
    )


def _cosine(cross: Real, one: Real, other: Real) -> Sampled:
    """The cosine mean cross / sqrt(mean one x mean other); 0 where there is nothing below."""
    if not (one.any() and other.any()):
        return Sampled(0.0, 0.0, 0.0, 0.0)
    return PairedDraws({"cross": cross, "one": one, "other": other}).cosine("cross", "one", "other")


def _floor(sweeps: ModelSweeps) -> float:
    """What rounding alone leaves of a squared derivative of the loss."""
    program = sweeps.engine.program
    return float(np.max(gradient_rounding(program) ** 2, initial=0.0) * np.max(sweeps.model.scale**2))


def _above_rounding(square: Real, sweeps: ModelSweeps) -> Real:
    return square if square.mean() > _floor(sweeps) * sweeps.model.trained.size else np.zeros_like(square)


def _approximations(model: Model, samples: int, batch: int | None) -> tuple[str, ...]:
    notes = [] if model.prior.kind == "given" else list(few_draws_warning(samples))
    if batch is not None:
        notes.append(f"the loss is that of batches of {batch} of {model.rows.count} rows, drawn with the weights")
    if model.loss.name == "given":
        notes.append("the given loss's second derivative is a central difference of its first (relative error ~1e-12)")
    notes.append("second moment, w0 and the rates' spread of the loss are not computed: the law is exp(-s kappa)")
    return tuple(notes)
