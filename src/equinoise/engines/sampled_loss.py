"""The gradient of a model's loss from trajectories: values and gradients from independent paths.

The loss's slope l_c(f) is no linear function of f: with f and its gradient from the same paths their errors would go
together. So each row's paths are two halves, and the slope at one half's mean meets the other half's gradients,

    g = (1/2) sum_h sum_c l_c(f^h) D_c^(1-h),

averaged over both assignments. What remains is the bias of l_c at a mean of M/2 paths, E l_c(f^h) - l_c(f), which falls
as 1/M and vanishes for losses of second degree; the jackknife estimates it, half by half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.engines.draws import sampled_draws
from equinoise.engines.select import select_engine
from equinoise.engines.vectors.trajectories import TrajectoryEngine
from equinoise.errors import UnsupportedError
from equinoise.model.qnn import Model
from equinoise.sampling import Sampling

__all__ = ["SampledLoss", "SampledRow"]

Real = npt.NDArray[np.float64]

_FEWEST = 8


@dataclass(frozen=True)
class SampledRow:
    """One row's share of a sampled loss.

    Attributes:
        predictions: f_c over all its paths, shape (C,).
        gradient: sum_c l_c d_k f_c, shape (K,).
        variance: Of each component's error, shape (K,).
        bias: Estimate of each component's bias, shape (K,).
        loss_bias: Estimate of that of l at the mean prediction.
        readout_gradients: d_k f_c over all its paths, shape (C, K).
    """

    predictions: Real
    gradient: Real
    variance: Real
    bias: Real
    loss_bias: float
    readout_gradients: Real


class SampledLoss:
    """A model made ready for trajectories.

    Args:
        model: The model.
        sampling: Paths a row, at least 8, their seed, and how many run at once.

    Raises:
        UnsupportedError: The circuit or noise breaks the charge, or too few samples.
        MemoryLimitError: Not even one path fits in memory.
    """

    def __init__(self, model: Model, sampling: Sampling) -> None:
        if sampling.count < _FEWEST:
            raise UnsupportedError(f"samples must be at least {_FEWEST} trajectories a row, got {sampling.count}.")
        chosen = select_engine(model.problem, "trajectories", workers=sampling.workers)
        if not isinstance(chosen, TrajectoryEngine):
            raise UnsupportedError("the engine 'trajectories' cannot serve this model.")
        self.engine = chosen
        self._model, self._samples, self._seed = model, 2 * (sampling.count // 2), sampling.seed
        self._readouts = [chosen.program.observable(o) for o in model.readouts]

    def row(self, theta: Real, scale: float, row: int, repetition: int = 0) -> SampledRow:
        """A row's share at weights theta, shape (W,), radians, and noise scale s; a repetition has its own paths."""
        model, angles = self._model, self._model.angles(theta, row)
        stream = int(np.random.SeedSequence([self._seed, row, repetition]).generate_state(1)[0])

        def one(phi: Real, rng: np.random.Generator) -> tuple[Real, Real]:
            values, compiled = self.engine.read_along(phi, scale, self._readouts, rng)
            return values, angles.pulled_back(compiled)[:, model.trained]

        draws = list(sampled_draws(one, [angles.values] * self._samples, stream, self.engine.workers))
        values, gradients = (np.array(each) for each in zip(*draws, strict=True))
        return self._put_together(row, values.reshape(2, -1, values.shape[1]), gradients)

    def _put_together(self, row: int, values: Real, gradients: Real) -> SampledRow:
        """From values of shape (2, M/2, C) and gradients of shape (M, C, K)."""
        model, half = self._model, values.shape[1]
        gradients = gradients.reshape(2, half, *gradients.shape[1:])
        means = values.mean(axis=1)
        slopes, there = model.slopes(means, [row, row]), gradients.mean(axis=1)
        others, crossed = slopes[::-1], there[::-1]
        bent = model.curvatures(means, [row, row])
        # how far one path moves the estimate: through its gradient at the other half's slope, and through its half's
        # slope at the other half's gradient
        direct = np.einsum("hc,hpck->hpk", others, gradients - there[:, None])
        through = np.einsum("hpc,hcd,hdk->hpk", values - means[:, None], bent, crossed)
        moved = (direct + through) / 2
        variance = (moved.var(axis=1, ddof=1) / half).sum(axis=0)
        # jackknife: (n - 1) (mean of the leave-one-out slopes - slope)
        without = (half * means[:, None] - values) / (half - 1)
        left = np.stack([model.slopes(each, [row] * half).mean(axis=0) for each in without])
        bias = np.einsum("hc,hck->k", (half - 1) * (left - slopes), crossed) / 2
        predictions = values.mean(axis=(0, 1))
        spread = np.atleast_2d(np.cov(values.reshape(-1, values.shape[2]).T)) / (2 * half)
        return SampledRow(
            predictions=predictions,
            gradient=np.einsum("hc,hck->k", others, there) / 2,
            variance=variance,
            bias=bias,
            loss_bias=float(np.sum(model.curvatures(predictions[None], [row])[0] * spread) / 2),
            readout_gradients=there.mean(axis=0),
        )
