"""Training of a user's own model: exact noisy gradients of its loss, and the loss of the same weights without noise."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.circuit.digest import circuit_digest
from equinoise.engines.draws import check_scale, parallel_draws
from equinoise.engines.model_sweeps import ModelSweeps
from equinoise.learn.checkpoint import identity
from equinoise.learn.descent import Descent, Kept, Plan, TrainingError, descend
from equinoise.model.qnn import Model

__all__ = ["ModelEpoch", "TrainedModel", "train"]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ModelEpoch:
    """What one epoch of a model's training found.

    Attributes:
        epoch: 1, 2, ...
        loss: J at the noise scale, mean over the rows as they were trained on.
        accuracy: Share of rows put into their class likewise; None for a loss without classes.
        gradient_norm: Root mean square over the batches of the loss gradient's norm, per radian.
        noiseless_loss: J of the weights after the epoch without noise, over all rows.
        noiseless_accuracy: Likewise.
    """

    epoch: int
    loss: float
    accuracy: float | None
    gradient_norm: float
    noiseless_loss: float
    noiseless_accuracy: float | None


@dataclass(frozen=True)
class TrainedModel:
    """What a model's training found.

    Attributes:
        theta: The weights, shape (W,), radians, in the order of ``model.weights``.
        names: Of the weights.
        start: The first weights.
        loss: J of theta at the noise scale, over all rows.
        accuracy: Share of rows put into their class likewise; None for a loss without classes.
        noiseless_loss: J of theta without noise.
        noiseless_accuracy: Likewise.
        history: One record an epoch.
        plan: How it was trained.
        scale: Noise scale s.
        engine: Engine used.
        seconds: Of this process, if the run was resumed.
        warnings: The model's.
        twin: The same run without noise, if asked for.
    """

    theta: Real
    names: tuple[str, ...]
    start: Real
    loss: float
    accuracy: float | None
    noiseless_loss: float
    noiseless_accuracy: float | None
    history: tuple[ModelEpoch, ...]
    plan: Plan
    scale: float
    engine: str
    seconds: float
    warnings: tuple[str, ...] = ()
    twin: TrainedModel | None = None

    @property
    def weights(self) -> dict[str, float]:
        """The weights by their names, as ``Model(at=...)`` takes them."""
        return dict(zip(self.names, self.theta.tolist(), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain data; the weights by their names, as ``--at`` reads them."""
        told = {name: value for name, value in asdict(self).items() if name not in ("theta", "names", "start", "twin")}
        return {
            "schema": "equinoise.train-model/1",
            **told,
            "weights": self.weights,
            "start": dict(zip(self.names, self.start.tolist(), strict=True)),
            "twin": None if self.twin is None else self.twin.to_dict(),
        }


def train(
    model: Model,
    plan: Plan | None = None,
    *,
    scale: float = 1.0,
    twin: bool = False,
    checkpoint: str | Path | None = None,
    workers: int | None = None,
    callback: Callable[[ModelEpoch], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TrainedModel:
    """Trains a model's weights by Adam on mini-batches, with exact gradients of its noisy loss.

    The first weights are drawn from the model's prior by the plan's seed: around ``at`` where the model has it. Weights
    that are not ``trained`` keep theirs. Batches, their order and so all numbers follow from the seed, whatever the
    number of workers.

    Args:
        model: With data, labels, loss and noise.
        plan: Epochs, batch size, learning rate and seed; shots are for the classifier.
        scale: Noise scale s >= 0 of the training.
        twin: Whether to train without noise as well, from the same first weights and in the same order of rows.
        checkpoint: Folder, written after every batch and gone on from if it holds this run's; the twin's is its
            subfolder ``noiseless``.
        workers: Rows run at once; all processors by default.
        callback: Called with each epoch's record.
        progress: Called with (batches done, batches in all).

    Raises:
        TrainingError: A model without data or noise that cannot be trained, or a plan with shots.
        CheckpointError: The folder's checkpoint is another run's, unreadable, or further than this run goes.
        MemoryLimitError: The light cone of all readouts is too large for the exact engine.

    Source:
        Kingma and Ba, arXiv:1412.6980 (Adam).

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.brickwork(3, depth=2)
        >>> model = eq.Model(circuit, ["Z0+Z1"], loss="mean", initial="010", noise="dephasing:0.02",
        ...                  trained=[p for p in circuit.parameters if p.name != "theta[4]"])
        >>> found = eq.learn.train(model, eq.learn.Plan(epochs=30, learning_rate=0.1))
        >>> found.loss < found.history[0].loss
        True
    """
    plan = Plan() if plan is None else plan
    if not isinstance(model, Model) or not isinstance(plan, Plan):
        raise TrainingError(f"train takes a Model and a Plan, got {type(model).__name__} and {type(plan).__name__}.")
    if plan.shots is not None:
        raise TrainingError("a model is trained with exact gradients: leave shots out of the plan.")
    began = time.perf_counter()
    descent = _ModelDescent(model, plan, check_scale(scale), workers)
    start = descent.theta.copy()
    told = None if callback is None else (lambda row: callback(descent.epoch(row)))
    kept = Kept(checkpoint, _identity(model, plan, scale, start), progress, told)
    history = tuple(descent.epoch(row) for row in descend(descent, plan, kept))
    loss, right = descent.losses(descent.scale)
    noiseless_loss, noiseless_right = descent.losses(0.0)
    seconds = time.perf_counter() - began
    other = None
    if twin:
        folder = None if checkpoint is None else Path(checkpoint) / "noiseless"
        other = train(model, plan, scale=0.0, checkpoint=folder, workers=workers, progress=progress)
    return TrainedModel(
        theta=descent.theta,
        names=tuple(p.name for p in model.weights),
        start=start,
        loss=loss,
        accuracy=descent.share(right),
        noiseless_loss=noiseless_loss,
        noiseless_accuracy=descent.share(noiseless_right),
        history=history,
        plan=plan,
        scale=descent.scale,
        engine=descent.sweeps.engine.name,
        seconds=seconds,
        warnings=model.warnings,
        twin=other,
    )


class _ModelDescent(Descent):
    """A model's trained weights on its rows."""

    columns = 6

    def __init__(self, model: Model, plan: Plan, scale: float, workers: int | None) -> None:
        self.sweeps = ModelSweeps(model, workers)
        self.model, self.scale, self.rows = model, scale, model.rows.count
        self._fixed = model.draw(1, plan.seed)[0]
        self.arrays = {"weights": self._fixed[model.trained]}

    @property
    def theta(self) -> Real:
        """All weights, shape (W,)."""
        out: Real = self._fixed.copy()
        out[self.model.trained] = self.arrays["weights"]
        return out

    def batch(self, rows: Index, rng: np.random.Generator) -> tuple[float, int, list[Real]]:
        """One sweep forward and one back a row."""
        theta = self.theta

        def one(row: int) -> tuple[Real, Real]:
            return self.sweeps.row_gradient(theta, self.scale, row)

        found = list(parallel_draws(one, rows.tolist(), self.sweeps.engine.workers))
        predictions = np.stack([values for values, _ in found])
        gradient = np.mean([each for _, each in found], axis=0)
        return float(self.model.losses(predictions, rows).mean()), self._right(predictions, rows), [gradient]

    def losses(self, scale: float) -> tuple[float, int]:
        """J of the weights at a noise scale and how many rows are right, over all rows."""
        theta = self.theta

        def one(row: int) -> Real:
            return self.sweeps.row_values(theta, scale, row)

        predictions = np.stack(list(parallel_draws(one, range(self.rows), self.sweeps.engine.workers)))
        return float(self.model.losses(predictions).mean()), self._right(predictions, slice(None))

    def _right(self, predictions: Real, rows: Any) -> int:
        right = self.model.right(predictions, rows)
        return 0 if right is None else int(right.sum())

    @property
    def _has_classes(self) -> bool:
        return self.model.right(np.zeros((self.rows, len(self.model.readouts)))) is not None

    def share(self, right: float) -> float | None:
        """Of the rows; None for a loss without classes."""
        return right / self.rows if self._has_classes else None

    def record(self, epoch: int, loss: float, right: float, gradient_norm: float) -> tuple[float, ...]:
        """The fields of a :class:`ModelEpoch`, shares 0 where there are no classes."""
        noiseless, count = self.losses(0.0)
        return epoch, loss, right, gradient_norm, noiseless, count / self.rows

    def epoch(self, row: Real) -> ModelEpoch:
        """A record as it is told."""
        epoch, loss, right, norm, noiseless, share = row.tolist()
        shares = (right, share) if self._has_classes else (None, None)
        return ModelEpoch(int(epoch), loss, shares[0], norm, noiseless, shares[1])


def _identity(model: Model, plan: Plan, scale: float, start: Real) -> str:
    """A hash of all that the numbers depend on, but for how long the run is."""
    problem = model.problem
    settings = {
        "model": circuit_digest(problem.circuit),
        "atoms": [str(atom.expression) for atom in model.atoms],
        "readouts": [str(readout.to_list()) for readout in model.readouts],
        "slots": [repr(slot) for slot in problem.slots],
        "projected": [problem.projected, problem.charge],
        "names": [[p.name for p in model.weights], [p.name for p in model.inputs]],
        "loss": model.loss.name,
        "plan": [plan.batch_size, plan.learning_rate, plan.seed],
        "scale": float(scale),
    }
    targets = np.array([]) if model.targets is None else np.asarray(model.targets, dtype=np.float64)
    state = problem.initial.product if problem.initial.vector is None else problem.initial.vector
    arrays = (model.rows.inputs, targets, model.scale, model.bias, start, model.trained, np.asarray(state))
    return identity(settings, *arrays)
