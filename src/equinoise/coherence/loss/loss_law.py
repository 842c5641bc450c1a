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

from equinoise.coherence.loss.drawn_rows import DrawnRows
from equinoise.coherence.loss.loss_law_record import LossLaw, LossSurvival, ReadoutLaw
from equinoise.coherence.rates import FirstOrder
from equinoise.coherence.sample import PairedDraws, Sampled, few_draws_warning
from equinoise.engines.draws import check_scale, sampled_draws
from equinoise.engines.model_sweeps import FirstOrderLoss, ModelSweeps, product_of_means
from equinoise.model.qnn import Model
from equinoise.reduction.shift_rules import gradient_rounding
from equinoise.sampling import Sampling

__all__ = [
    "LossDraw",
    "loss_draw",
    "loss_law",
    "loss_law_from_draws",
]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LossDraw:
    """One draw of the weights (and of a batch of rows, where batches are drawn).

    Attributes:
        rows: Which.
        first: Without noise and in first order.
        squares: (d_k J)^2 at each noise scale, shape (scales, K).
        cross: sum_k of the product of d_k J without noise and at each scale, shape (scales,).
        readout_squares: mean_i (d_k f_c)^2 at each scale, summed over k, shape (scales, C).
    """

    rows: Index
    first: FirstOrderLoss
    squares: Real
    cross: Real
    readout_squares: Real


def loss_law(
    model: Model,
    *,
    scales: Sequence[float] = (1.0,),
    batch: int | None = None,
    rows: int | None = None,
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
        rows: Rows of each draw that stand for all: the loss is that of all rows, and its squares are estimated from
            these without bias; 2 or more.
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
    drawn = DrawnRows.of(model, batch, rows)
    sampling = Sampling.of(sampling, samples=128)
    sampling.check_engine("the law of a loss", "exact")
    thetas, sweeps = model.sampled(sampling), ModelSweeps(model, sampling.workers)

    def one(theta: Real, rng: np.random.Generator) -> LossDraw:
        return loss_draw(sweeps, theta, wanted, drawn, rng)

    draws = []
    for draw in sampled_draws(one, thetas, sampling.seed, sweeps.engine.workers):
        draws.append(draw)
        if progress is not None:
            progress(1)
    return loss_law_from_draws(sweeps, draws, wanted, sampling, drawn)


def loss_draw(
    sweeps: ModelSweeps, theta: Real, scales: Sequence[float], drawn: DrawnRows, rng: np.random.Generator
) -> LossDraw:
    """One draw: first order without noise, and the squares at each scale."""
    rows, unseen = drawn.draw(rng), drawn.unseen
    first = sweeps.first_order(theta, rows, unseen)
    found = [sweeps.readout_gradients(theta, s, rows) for s in scales]
    noisy = [sweeps.gradient_by_row(each) for each in found]
    weights, readouts = sweeps.model.trained.size, len(sweeps.operators)
    return LossDraw(
        rows=rows,
        first=first,
        squares=np.array([product_of_means(h, h, unseen) for h in noisy]).reshape(len(noisy), weights),
        cross=np.array([float(product_of_means(first.by_row, h, unseen).sum()) for h in noisy]),
        readout_squares=np.array([(each.gradients**2).mean(axis=0).sum(axis=1) for each in found]).reshape(
            len(found), readouts
        ),
    )


def loss_law_from_draws(
    sweeps: ModelSweeps, draws: Sequence[LossDraw], scales: Sequence[float], sampling: Sampling, drawn: DrawnRows
) -> LossLaw:
    """The law from its draws.

    Args:
        sweeps: Which made them.
        draws: Of the weights.
        scales: At which the draws have gradients.
        sampling: The draws' seed.
        drawn: The rows of each draw.
    """
    model, program = sweeps.model, sweeps.engine.program
    first = [draw.first for draw in draws]
    square = np.array([f.square.sum() for f in first])
    resolved = drawn.unseen == 0 or PairedDraws({"square": square}).ratio("square").low > 0
    # an estimate of rows that stand for all can be 0 or less: then nothing is a share of it
    square = _above_rounding(square, sweeps) if resolved else np.full_like(square, math.nan)
    parts = {
        "gradient": _first_order(square, [f.by_gradient for f in first], [f.gradient_budget for f in first]),
        "residual": _first_order(square, [f.by_residual for f in first], [f.residual_budget for f in first]),
    }
    whole = FirstOrder(
        square=square,
        slope=parts["gradient"].slope + parts["residual"].slope,
        curvature=np.full(square.size, math.nan),
        per_parameter=parts["gradient"].per_parameter + parts["residual"].per_parameter,
        budget=parts["gradient"].budget + parts["residual"].budget,
    )
    kappa = whole.over_square(whole.slope, factor=-1.0)
    per_weight = np.mean([f.square for f in first], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        by_weight = np.where(per_weight > _floor(sweeps), -whole.per_parameter[1] / per_weight, np.nan)
    squares = np.stack([f.readout_squares.sum(axis=1) for f in first])
    slopes = np.stack([f.readout_slopes.sum(axis=1) for f in first])
    noisy = np.stack([draw.readout_squares for draw in draws])
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
                squares=(square, np.stack([draw.squares[i] for draw in draws])),
                cross=np.array([draw.cross[i] for draw in draws]),
                readouts=(squares, noisy[:, i]),
            )
            for i, s in enumerate(scales)
        ),
        samples=len(draws),
        seed=model.drawn_seed(sampling),
        batch=drawn.batch,
        rows=drawn.count,
        ensemble=model.prior.describe(),
        engine=sweeps.engine.name,
        approximations=_approximations(model, len(draws), drawn, resolved=resolved),
    )


def _first_order(square: Real, parts: Sequence[Real], budgets: Sequence[Real]) -> FirstOrder:
    """One part of d_k J times (d_k J)' as first-order quantities; its squares are the whole's."""
    products = np.stack(parts)
    return FirstOrder(
        square=square,
        slope=products.sum(axis=1),
        curvature=np.full(square.size, math.nan),
        per_parameter=np.stack([np.zeros(products.shape[1]), products.mean(axis=0)]),
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


def _approximations(model: Model, samples: int, drawn: DrawnRows, *, resolved: bool) -> tuple[str, ...]:
    notes = [] if model.prior.kind == "given" else list(few_draws_warning(samples))
    notes += drawn.notes()
    if not resolved:
        notes.insert(
            0,
            f"{drawn.count} rows a draw do not tell the loss's gradient from 0: kappa, survival and direction are "
            "unknown; take more rows or draws",
        )
    if model.loss.name == "given":
        notes.append("the given loss's second derivative is a central difference of its first (relative error ~1e-12)")
    notes.append("second moment, w0 and the rates' spread of the loss are not computed: the law is exp(-s kappa)")
    return tuple(notes)
