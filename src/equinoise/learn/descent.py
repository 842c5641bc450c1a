"""Descent on mini-batches by Adam: runs that go on from their checkpoint to the same numbers.

Everything random in batch b of epoch e follows from (seed, e, b) alone, so a checkpoint needs no generator's state.
"""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.errors import ParameterError
from equinoise.learn.adam import Adam
from equinoise.learn.checkpoint import CheckpointError, damaged, read_checkpoint, write_checkpoint
from equinoise.limits import MOST_SHOTS

__all__ = ["Descent", "Kept", "Plan", "TrainingError", "check_whole", "descend"]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

_ORDER, _BATCH = 0x6F72, 0x7368
_FASTEST = 10.0


class TrainingError(ParameterError, ValueError):
    """Data or settings of a training run that do not fit."""


# what each may be; seeds are those that scikit-learn takes
_RANGES = {"epochs": (0, 1_000_000), "batch_size": (1, MOST_SHOTS), "seed": (0, 2**32 - 1), "shots": (1, MOST_SHOTS)}


def check_whole(name: str, value: Any, least: int, most: int) -> None:
    """Refuses a setting that is no whole number in its range.

    Raises:
        TrainingError: Naming it.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not least <= int(value) <= most:
        raise TrainingError(f"{name} must be a whole number of {least} to {most:,}, got {value!r}.")


@dataclass(frozen=True)
class Plan:
    """How something is trained.

    Attributes:
        epochs: Passes over the data.
        batch_size: Rows per step.
        learning_rate: Adam's, in radians per step at most about.
        shots: Per sample and circuit evaluation; None for exact values and gradients.
        seed: Of the first weights, the order of the rows and the shots.

    Raises:
        TrainingError: A number out of its range.
    """

    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 0.03
    shots: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if value is not None or name != "shots":
                check_whole(name, value, least, most)
                object.__setattr__(self, name, int(value))
        rate = self.learning_rate
        if isinstance(rate, bool) or not isinstance(rate, numbers.Real) or not 0 < float(rate) <= _FASTEST:
            raise TrainingError(
                f"learning_rate must be a positive number of at most {_FASTEST:g}, got {rate!r}: Adam turns each angle "
                "by about as many radians a step."
            )
        object.__setattr__(self, "learning_rate", float(rate))


@dataclass(frozen=True)
class Kept:
    """Where a run is kept, and whom it tells.

    Attributes:
        folder: Of the checkpoint, written after every batch and gone on from if it holds this run's; None for none.
        key: The run's identity.
        progress: Called with (batches done, batches in all).
        told: Called after each epoch with its record.
    """

    folder: str | Path | None = None
    key: str = ""
    progress: Callable[[int, int], None] | None = None
    told: Callable[[Real], None] | None = None


class Descent(ABC):
    """What is trained: arrays, the gradient of a batch, and what is told of an epoch.

    Attributes:
        arrays: By their names in a checkpoint; changed in place.
        rows: How many rows there are.
        columns: Numbers in an epoch's record.
    """

    arrays: dict[str, Real]
    rows: int
    columns: int

    @abstractmethod
    def batch(self, rows: Index, rng: np.random.Generator) -> tuple[float, int, list[Real]]:
        """Mean loss of rows, how many of them are right, and the loss's gradient by each of the arrays."""

    @abstractmethod
    def record(self, epoch: int, loss: float, right: float, gradient_norm: float) -> tuple[float, ...]:
        """An epoch as numbers, its own first.

        Args:
            epoch: 1, 2, ...
            loss: Mean over the rows, as they were trained on.
            right: Share of rows likewise.
            gradient_norm: Root mean square over the batches of the first array's gradient's norm.
        """


def descend(trained: Descent, plan: Plan, kept: Kept) -> Real:
    """Trains; the numbers do not depend on whether the run was interrupted and resumed.

    Args:
        trained: Its arrays are changed in place.
        plan: How.
        kept: Where its checkpoint stands.

    Returns:
        The epochs' records, shape (epochs, columns).

    Raises:
        CheckpointError: The folder's checkpoint is another run's, unreadable, or further than this run goes.
    """
    optimiser = Adam(list(trained.arrays.values()), plan.learning_rate)
    sums, history = np.zeros(3), np.zeros((0, trained.columns))
    epoch = batch = 0
    batches = -(-trained.rows // plan.batch_size)
    found = None if kept.folder is None else read_checkpoint(kept.folder, kept.key, _expected(trained))
    if kept.folder is not None and found is not None:
        _check_position(kept.folder, found, plan.epochs, batches, len(optimiser.means))
        epoch, batch = _restore(trained, optimiser, found)
        sums, history = found["sums"], found["history"]
    while epoch < plan.epochs:
        order = np.random.default_rng(np.random.SeedSequence([plan.seed, _ORDER, epoch])).permutation(trained.rows)
        while batch < batches:
            rows = order[batch * plan.batch_size : (batch + 1) * plan.batch_size]
            rng = np.random.default_rng(np.random.SeedSequence([plan.seed, _BATCH, epoch, batch]))
            loss, right, gradient = trained.batch(rows, rng)
            optimiser.step(list(trained.arrays.values()), gradient)
            sums = sums + np.array([loss * rows.size, right, float(np.sum(gradient[0] ** 2))])
            batch += 1
            if batch == batches:
                share = sums[:2] / trained.rows
                told = trained.record(epoch + 1, float(share[0]), float(share[1]), float(np.sqrt(sums[2] / batches)))
                history = np.vstack([history, told])
                epoch, sums = epoch + 1, np.zeros(3)
            if kept.folder is not None:
                state = _state(trained, optimiser, (epoch, batch % batches), sums, history)
                write_checkpoint(kept.folder, kept.key, state)
            if kept.progress is not None:
                kept.progress(epoch * batches + batch % batches, plan.epochs * batches)
        batch = 0
        if kept.told is not None:
            kept.told(history[-1])
    return history


def _moments(trained: Descent) -> list[tuple[str, str, Real]]:
    return [(f"first_{i}", f"second_{i}", array) for i, array in enumerate(trained.arrays.values())]


def _expected(trained: Descent) -> dict[str, tuple[type, tuple[int | None, ...]]]:
    """Type and shape of all that :func:`_state` writes."""
    averages = {name: (np.float64, array.shape) for *names, array in _moments(trained) for name in names}
    return {
        "position": (np.int64, (3,)),
        **{name: (np.float64, array.shape) for name, array in trained.arrays.items()},
        "sums": (np.float64, (3,)),
        "history": (np.float64, (None, trained.columns)),
        **averages,
    }


def _state(
    trained: Descent, optimiser: Adam, position: tuple[int, int], sums: Real, history: Real
) -> dict[str, npt.NDArray[Any]]:
    out: dict[str, npt.NDArray[Any]] = {
        "position": np.array([*position, optimiser.steps], dtype=np.int64),
        **trained.arrays,
        "sums": sums,
        "history": history,
    }
    for i, (first, second) in enumerate(zip(optimiser.means, optimiser.squares, strict=True)):
        out[f"first_{i}"], out[f"second_{i}"] = first, second
    return out


def _restore(trained: Descent, optimiser: Adam, found: Mapping[str, npt.NDArray[Any]]) -> tuple[int, int]:
    """Puts a checkpoint's state in place; its epoch and batch."""
    for name, array in trained.arrays.items():
        array[...] = found[name]
    moments = _moments(trained)
    optimiser.means = [found[first] for first, _, _ in moments]
    optimiser.squares = [found[second] for _, second, _ in moments]
    epoch, batch, optimiser.steps = (int(x) for x in found["position"])
    return epoch, batch


def _check_position(
    folder: str | Path, found: Mapping[str, npt.NDArray[Any]], epochs: int, batches: int, arrays: int
) -> None:
    """After t batches a run is in epoch t // batches and has a record of each epoch before; no mean square is < 0."""
    epoch, batch, steps = (int(x) for x in found["position"])
    if not (epoch >= 0 and 0 <= batch < batches and steps == epoch * batches + batch):
        raise damaged(folder, f"no run is in batch {batch} of epoch {epoch} after {steps} steps")
    if (epoch, batch) > (epochs, 0):
        raise CheckpointError(
            f"the checkpoint in {str(folder)!r} is in epoch {epoch + 1}, beyond the {epochs} asked for. "
            "Ask for more epochs, or use another folder."
        )
    if found["history"][:, 0].tolist() != list(range(1, epoch + 1)):
        raise damaged(folder, f"its history is not that of {epoch} epochs")
    if any(np.any(found[f"second_{i}"] < 0) for i in range(arrays)):
        raise damaged(folder, "a mean square is negative")
