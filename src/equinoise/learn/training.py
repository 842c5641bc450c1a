"""Training: mini-batches, cross-entropy over scaled class values, Adam, and runs that resume to the same numbers.

Everything random in batch b of epoch e follows from (seed, e, b) alone, so a checkpoint needs no generator's state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from equinoise.learn.adam import Adam
from equinoise.learn.checkpoint import CheckpointError, damaged, read_checkpoint, write_checkpoint
from equinoise.learn.classifier_circuit import ClassifierCircuit

__all__ = ["EpochRecord", "Plan", "Weights", "first_weights", "loss_and_gradient", "train"]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

_START, _ORDER, _SHOTS = 0x5741, 0x6F72, 0x7368
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
class Plan:
    """How a model is trained.

    Attributes:
        epochs: Passes over the data.
        batch_size: Rows per step.
        learning_rate: Adam's.
        shots: Per sample and circuit evaluation; None for exact values and gradients.
        seed: Of the first angles, the order of the rows and the shots.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    shots: int | None
    seed: int


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
    """Mean cross-entropy of a batch, how many rows are right, and the gradient in each of ``weights.arrays``.

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


def train(
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
    """Trains a model; the numbers do not depend on workers, nor on whether it was interrupted and resumed.

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
    weights = first_weights(model, plan.seed)
    optimiser = Adam(weights.arrays, plan.learning_rate)
    sums = np.zeros(3)
    history: list[EpochRecord] = []
    epoch = batch = 0
    count = labels.size
    batches = -(-count // plan.batch_size)
    found = None if checkpoint is None else read_checkpoint(checkpoint, key, _expected(weights))
    if checkpoint is not None and found is not None:
        _check_position(checkpoint, found, plan.epochs, batches)
        epoch, batch, optimiser.steps = (int(x) for x in found["position"])
        weights = Weights(found["angles"], found["log_gain"], found["bias"])
        optimiser.means = [found[f"first_{i}"] for i in range(3)]
        optimiser.squares = [found[f"second_{i}"] for i in range(3)]
        sums = found["sums"]
        history = [EpochRecord(int(row[0]), *(float(x) for x in row[1:])) for row in found["history"]]
    kept = model.loaded(vectors) if model.keeps(count) and epoch < plan.epochs else None
    while epoch < plan.epochs:
        order = np.random.default_rng(np.random.SeedSequence([plan.seed, _ORDER, epoch])).permutation(count)
        while batch < batches:
            rows = order[batch * plan.batch_size : (batch + 1) * plan.batch_size]
            states = kept[rows] if kept is not None else model.loaded(vectors[rows])
            rng = np.random.default_rng(np.random.SeedSequence([plan.seed, _SHOTS, epoch, batch]))
            loss, right, gradient = loss_and_gradient(model, weights, states, labels[rows], plan.shots, rng)
            optimiser.step(weights.arrays, gradient)
            sums = sums + np.array([loss * rows.size, right, float(np.sum(gradient[0] ** 2))])
            batch += 1
            if batch == batches:
                history.append(
                    EpochRecord(
                        epoch + 1, float(sums[0] / count), float(sums[1] / count), float(np.sqrt(sums[2] / batches))
                    )
                )
                epoch, sums = epoch + 1, np.zeros(3)
            if checkpoint is not None:
                write_checkpoint(checkpoint, key, _state(weights, optimiser, (epoch, batch % batches), sums, history))
            if progress is not None:
                progress(epoch * batches + batch % batches, plan.epochs * batches)
        batch = 0
        if callback is not None:
            callback(history[-1])
    return weights, history


def _expected(weights: Weights) -> dict[str, tuple[type, tuple[int | None, ...]]]:
    """Type and shape of all that :func:`_state` writes."""
    moments = {
        f"{moment}_{i}": (np.float64, array.shape)
        for i, array in enumerate(weights.arrays)
        for moment in ("first", "second")
    }
    return {
        "position": (np.int64, (3,)),
        "angles": (np.float64, weights.angles.shape),
        "log_gain": (np.float64, weights.log_gain.shape),
        "bias": (np.float64, weights.bias.shape),
        "sums": (np.float64, (3,)),
        "history": (np.float64, (None, 4)),
        **moments,
    }


def _check_position(checkpoint: str | Path, found: dict[str, npt.NDArray[Any]], epochs: int, batches: int) -> None:
    """After t batches a run is in epoch t // batches and has a record of each epoch before; no mean square is < 0."""
    epoch, batch, steps = (int(x) for x in found["position"])
    if not (epoch >= 0 and 0 <= batch < batches and steps == epoch * batches + batch):
        raise damaged(checkpoint, f"no run is in batch {batch} of epoch {epoch} after {steps} steps")
    if (epoch, batch) > (epochs, 0):
        raise CheckpointError(
            f"the checkpoint in {str(checkpoint)!r} is in epoch {epoch + 1}, beyond the {epochs} asked for. "
            "Ask for more epochs, or use another folder."
        )
    if found["history"][:, 0].tolist() != list(range(1, epoch + 1)):
        raise damaged(checkpoint, f"its history is not that of {epoch} epochs")
    if any(np.any(found[f"second_{i}"] < 0) for i in range(3)):
        raise damaged(checkpoint, "a mean square is negative")


def _state(
    weights: Weights, optimiser: Adam, position: tuple[int, int], sums: Real, history: list[EpochRecord]
) -> dict[str, npt.NDArray[Any]]:
    out: dict[str, npt.NDArray[Any]] = {
        "position": np.array([*position, optimiser.steps], dtype=np.int64),
        "angles": weights.angles,
        "log_gain": weights.log_gain,
        "bias": weights.bias,
        "sums": sums,
        "history": np.array([list(asdict(record).values()) for record in history], dtype=np.float64).reshape(-1, 4),
    }
    for i, (first, second) in enumerate(zip(optimiser.means, optimiser.squares, strict=True)):
        out[f"first_{i}"], out[f"second_{i}"] = first, second
    return out
