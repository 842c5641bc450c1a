"""Training of the classifier: cross-entropy over scaled class values, exactly or from shots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from equinoise.learn.classifier_circuit import ClassifierCircuit
from equinoise.learn.descent import Descent, Kept, Plan, descend

__all__ = ["EpochRecord", "Weights", "first_weights", "loss_and_gradient", "trained_weights"]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

_START = 0x5741
FIRST_GAIN = 10.0


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch found, over its batches as they were trained on.

    Attributes:
        epoch: 1, 2, ...
        loss: Mean cross-entropy in nats.
        accuracy: Share of rows whose class had the highest probability.
        gradient_norm: Root mean square over the batches of the loss gradient's norm in the circuit's angles.
    """

    epoch: int
    loss: float
    accuracy: float
    gradient_norm: float


@dataclass(frozen=True)
class Weights:
    """All that is trained: the circuit's angles, and C + 1 numbers outside it.

    Attributes:
        angles: Shape (P,), radians.
        log_gain: Shape (1,); logits are exp(log_gain) f_c + bias_c.
        bias: Shape (C,).
    """

    angles: Real
    log_gain: Real
    bias: Real

    def logits(self, values: Real) -> Real:
        """Of class values, shape (B, C)."""
        return np.asarray(np.exp(self.log_gain) * values + self.bias)

    @property
    def arrays(self) -> list[Real]:
        """In the order in which the optimiser sees them."""
        return [self.angles, self.log_gain, self.bias]


def first_weights(model: ClassifierCircuit, seed: int) -> Weights:
    """Angles uniform over a full turn, bias 0."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, _START]))
    angles = rng.uniform(-np.pi, np.pi, model.trained.size)
    return Weights(angles, np.array([np.log(FIRST_GAIN)]), np.zeros(model.design.num_classes))


def loss_and_gradient(
    model: ClassifierCircuit,
    weights: Weights,
    states: Real,
    labels: Index,
    shots: int | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[float, int, list[Real]]:
    """Mean cross-entropy of a batch, how many rows are right, and the gradient in angles, log_gain and bias.

    With shots, every row's outcomes are drawn from their exact distribution (multinomial), and each circuit derivative
    gets the Gaussian error of a shift rule with as many shots per term: for the weighted observable O a variance of
    sum of squared coefficients times Var(O)/N (1/2 for RZ and RZZ, 3/8 for the four-term rule of XX+YY), Var(O) taken
    at the angles themselves instead of at the shifted ones. Class values and their derivatives are unbiased; a function
    of estimated values, such as this loss, is biased by order 1/N, as it is on hardware.

    Args:
        model: The compiled model.
        weights: All that is trained.
        states: Loaded states, shape (B, size).
        labels: Class numbers, shape (B,).
        shots: N, or None for exact numbers.
        rng: Generator of the shots.
    """
    rows = np.arange(labels.size)
    if shots is None:
        observed = model.expectations(weights.angles, states)
    else:
        exact = _distribution(model, weights.angles, states)
        sampled = (rng or np.random.default_rng()).multinomial(shots, exact) / shots
        observed = sampled @ model.outcomes.values.T
    values = model.class_values(observed)
    logs = log_softmax(weights.logits(values), axis=1)
    loss = float(-np.mean(logs[rows, labels]))
    right = int(np.sum(np.argmax(logs, axis=1) == labels))
    residual = np.exp(logs)
    residual[rows, labels] -= 1.0
    residual /= labels.size
    gain = float(np.exp(weights.log_gain[0]))
    pulled = model.weights(observed, gain * residual)
    angles = model.gradient(weights.angles, states, pulled)
    if shots is not None:
        single = pulled @ model.outcomes.values
        variance = np.sum(exact * single**2, axis=1) - np.sum(exact * single, axis=1) ** 2
        spread = np.sqrt(model.shift_weights * max(0.0, float(variance.sum())) / shots)
        angles = angles + spread * (rng or np.random.default_rng()).standard_normal(angles.size)
    return loss, right, [angles, np.array([gain * float(np.sum(residual * values))]), residual.sum(axis=0)]


def _distribution(model: ClassifierCircuit, angles: Real, states: Real) -> Real:
    """Exact outcome probabilities, rounding taken off, shape (B, outcomes)."""
    exact = np.maximum(0.0, model.expectations(angles, states, model.outcomes.operators))
    return np.asarray(exact / exact.sum(axis=1, keepdims=True))


class _Training(Descent):
    """A classifier's weights on its rows."""

    columns = 4

    def __init__(self, model: ClassifierCircuit, vectors: Real, labels: Index, plan: Plan) -> None:
        self.weights = first_weights(model, plan.seed)
        self.arrays = dict(zip(("angles", "log_gain", "bias"), self.weights.arrays, strict=True))
        self.rows = int(labels.size)
        self._model, self._vectors, self._labels, self._shots = model, vectors, labels, plan.shots

    @cached_property
    def _loaded(self) -> Real | None:
        """All loaded states, where they may stay in memory."""
        return self._model.loaded(self._vectors) if self._model.keeps(self.rows) else None

    def batch(self, rows: Index, rng: np.random.Generator) -> tuple[float, int, list[Real]]:
        """See :func:`loss_and_gradient`."""
        states = self._model.loaded(self._vectors[rows]) if self._loaded is None else self._loaded[rows]
        return loss_and_gradient(self._model, self.weights, states, self._labels[rows], self._shots, rng)

    def record(self, epoch: int, loss: float, right: float, gradient_norm: float) -> tuple[float, ...]:
        """The fields of an :class:`EpochRecord`."""
        return epoch, loss, right, gradient_norm


def trained_weights(
    model: ClassifierCircuit,
    vectors: Real,
    labels: Index,
    plan: Plan,
    *,
    checkpoint: str | Path | None = None,
    key: str = "",
    callback: Callable[[EpochRecord], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Weights, list[EpochRecord]]:
    """Trains a classifier; the numbers do not depend on workers, nor on whether it was interrupted and resumed.

    Args:
        model: The compiled model.
        vectors: Rows over the qubits, shape (B, n).
        labels: Class numbers, shape (B,).
        plan: How.
        checkpoint: Folder; written after every batch, and gone on from if it holds this run's.
        key: The run's identity.
        callback: Called with each epoch's record.
        progress: Called with (batches done, batches in all).

    Raises:
        CheckpointError: The folder's checkpoint is another run's, unreadable, or further than this run goes.
    """
    training = _Training(model, vectors, labels, plan)
    told = None if callback is None else (lambda row: callback(_record(row)))
    history = descend(training, plan, Kept(checkpoint, key, progress, told))
    return training.weights, [_record(row) for row in history]


def _record(row: Real) -> EpochRecord:
    epoch, *rest = row.tolist()
    return EpochRecord(int(epoch), *rest)
