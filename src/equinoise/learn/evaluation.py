"""Training on data shipped with scikit-learn, judged on rows held out, beside a noiseless twin."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split

from equinoise.errors import ParameterError
from equinoise.learn.classifier import ChargeClassifier
from equinoise.learn.training import EpochRecord

__all__ = ["DATA", "Trained", "train_on"]

DATA: dict[str, Callable[..., Any]] = {"digits": load_digits, "breast-cancer": load_breast_cancer}
HELD_OUT = 0.25


@dataclass(frozen=True)
class Trained:
    """What a training run found.

    Attributes:
        data: Name of the data.
        rows: Rows trained on.
        held_out_rows: Rows judged on.
        settings: Of the classifier.
        parameters: Trained angles.
        training_accuracy: On the rows trained on, after training.
        accuracy: On the rows held out.
        noiseless_readout: The same weights without noise, on the rows held out.
        history: One record per epoch.
        seconds: From loading to the last accuracy; of this process, if the run was resumed.
        twin: The same run without noise, if asked for.
    """

    data: str
    rows: int
    held_out_rows: int
    settings: dict[str, Any]
    parameters: int
    training_accuracy: float
    accuracy: float
    noiseless_readout: float
    history: tuple[EpochRecord, ...]
    seconds: float
    twin: Trained | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"schema": "equinoise.train/1", **asdict(self)}


def train_on(
    data: str,
    *,
    twin: bool = False,
    checkpoint: str | Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    **settings: Any,
) -> Trained:
    """Trains a classifier on three quarters of the data and judges it on the rest.

    Rows are split with equal shares of the classes, by the classifier's seed.

    Args:
        data: "digits" (1797 images of 8 x 8 pixels) or "breast-cancer" (569 rows of 30 features).
        twin: Whether to train without noise as well, from the same first angles and in the same order of rows.
        checkpoint: Folder; the twin's is its subfolder ``noiseless``.
        progress: Called with (stage, batches done, batches in all).
        **settings: Of :class:`ChargeClassifier`.

    Raises:
        ParameterError: Unknown data.
        TrainingError: Settings that do not fit.
        CheckpointError: The checkpoint is another run's.
    """
    if data not in DATA:
        raise ParameterError(f"no data {data!r}; choose from: {', '.join(DATA)}.")
    ChargeClassifier(**settings).plan()  # settings are refused before the data are split by them
    began = time.perf_counter()
    features, labels = DATA[data](return_X_y=True)
    parts = train_test_split(
        features, labels, test_size=HELD_OUT, random_state=settings.get("seed", 0), stratify=labels
    )
    model = _fitted("training", parts, checkpoint, progress, settings)
    bare = {**settings, "noise": None, "scale": 0.0}
    quiet = ChargeClassifier(**bare).restored(model)
    other = None
    result = {
        "training_accuracy": float(model.score(parts[0], parts[2])),
        "accuracy": float(model.score(parts[1], parts[3])),
        "noiseless_readout": float(quiet.score(parts[1], parts[3])),
    }
    seconds = time.perf_counter() - began
    if twin:
        folder = None if checkpoint is None else Path(checkpoint) / "noiseless"
        other = train_on(data, checkpoint=folder, progress=_renamed(progress), **bare)
    return Trained(
        data=data,
        rows=len(parts[0]),
        held_out_rows=len(parts[1]),
        settings={k: _plain(v) for k, v in model.get_params().items() if k not in _UNSTATED},
        parameters=int(model.weights_.angles.size),
        history=tuple(model.history_),
        seconds=seconds,
        twin=other,
        **result,
    )


_UNSTATED = frozenset({"callback", "progress", "checkpoint", "workers"})


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else getattr(value, "name", repr(value))


def _renamed(progress: Callable[[str, int, int], None] | None) -> Callable[[str, int, int], None] | None:
    return None if progress is None else lambda stage, done, total: progress(f"{stage} the noiseless twin", done, total)


def _fitted(
    stage: str,
    parts: Any,
    checkpoint: str | Path | None,
    progress: Callable[[str, int, int], None] | None,
    settings: dict[str, Any],
) -> ChargeClassifier:
    tick = None if progress is None else (lambda done, total: progress(stage, done, total))
    model = ChargeClassifier(**settings, checkpoint=checkpoint, progress=tick)
    return model.fit(parts[0], parts[2])
