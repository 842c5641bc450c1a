"""The charge-conserving classifier as a scikit-learn estimator."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from equinoise.engines.draws import check_scale
from equinoise.errors import ParameterError
from equinoise.learn.checkpoint import identity
from equinoise.learn.classifier_circuit import ClassifierCircuit, Design
from equinoise.learn.descent import Plan, TrainingError, check_whole
from equinoise.learn.encoding import Scaling, fitted_encoding
from equinoise.learn.loader import loader
from equinoise.learn.training import EpochRecord, Weights, trained_weights
from equinoise.limits import MOST_GATES, MOST_QUBITS

__all__ = ["ChargeClassifier"]

Real = npt.NDArray[np.float64]

# rows loaded at once in a prediction
_AT_ONCE = 256


class ChargeClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier made of a charge-conserving circuit under noise, trained by exact noisy gradients.

    Row x is scaled and loaded into one or two registers with one excitation each (:mod:`equinoise.learn.loader`), a
    brickwork of XX+YY, RZ and optionally RZZ gates is applied, every layer followed by its noise slot, and class c
    reads

        f_c = sum over its qubits i = c, c + C, c + 2C, ... of <n_i> / excitations,
        P(c | x) = softmax_c(exp(g) f_c + b_c).

    Trained are the circuit's angles, and outside it only the gain g and the biases b_c: C + 1 numbers. The loss is the
    cross-entropy, its minimum sought by Adam (scikit-learn's) on mini-batches.

    Args:
        excitations: 1, or 2 for two registers with half of the features each.
        depth: Layers of the trained brickwork.
        n_qubits: At least one per feature; by default one more per register, which carries a constant so that the
            length of a row counts. With just one per feature the length is lost.
        interaction: "none" or "rzz". With one excitation RZZ is no more than an RZ, with two it interacts.
        noise: A :class:`~equinoise.NoiseModel` or what it reads, e.g. "relaxation:down=0.002+dephasing:0.002"; it acts
            after each layer of loader and brickwork, on every qubit it names. Slots count the loader's layers first.
        scale: Noise scale s >= 0.
        verified: Post-select class values on the charge of the input (exactly, or the shots that pass).
        shots: Shots per sample and circuit evaluation in training and prediction; None for exact values and gradients.
        epochs: Passes over the data.
        batch_size: Rows per step.
        learning_rate: Adam's, in radians per step at most about.
        scaling: "standard", "maxabs" or "none"; see :func:`equinoise.learn.encoding.fitted_encoding`.
        seed: Of everything random.
        workers: Threads; all processors by default. The numbers do not depend on it.
        checkpoint: Folder of the run's checkpoint, written after every batch; a run that finds its own there goes on.
        callback: Called with each epoch's :class:`~equinoise.learn.EpochRecord`.
        progress: Called with (batches done, batches in all).

    Attributes:
        classes_: Labels, sorted, shape (C,).
        n_features_in_: Number of features.
        n_qubits_: Number of qubits.
        encoding_: How rows become vectors.
        weights_: What was trained.
        history_: One record per epoch.

    Raises:
        TrainingError: Data or settings that do not fit (also a ValueError, as scikit-learn expects).
        CheckpointError: The checkpoint is another run's.

    Source:
        Orthogonal and charge-conserving networks on classical data: arXiv:2012.04145, arXiv:2209.08167.

    Example:
        >>> import equinoise as eq
        >>> X = [[0.0, 1.0], [0.1, 0.9], [1.0, 0.0], [0.9, 0.2]]
        >>> model = eq.learn.ChargeClassifier(depth=3, noise="dephasing:0.01", epochs=40, learning_rate=0.1)
        >>> [str(label) for label in model.fit(X, ["up", "up", "down", "down"]).predict(X)]
        ['up', 'up', 'down', 'down']
    """

    def __init__(
        self,
        *,
        excitations: int = 1,
        depth: int = 8,
        n_qubits: int | None = None,
        interaction: Literal["none", "rzz"] = "none",
        noise: Any = None,
        scale: float = 1.0,
        verified: bool = False,
        shots: int | None = None,
        epochs: int = 20,
        batch_size: int = 32,
        learning_rate: float = 0.03,
        scaling: Scaling = "standard",
        seed: int = 0,
        workers: int | None = None,
        checkpoint: str | Path | None = None,
        callback: Callable[[EpochRecord], None] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.excitations = excitations
        self.depth = depth
        self.n_qubits = n_qubits
        self.interaction = interaction
        self.noise = noise
        self.scale = scale
        self.verified = verified
        self.shots = shots
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.scaling = scaling
        self.seed = seed
        self.workers = workers
        self.checkpoint = checkpoint
        self.callback = callback
        self.progress = progress

    def fit(self, X: Any, y: Any) -> ChargeClassifier:
        """Trains the circuit, or goes on from this run's checkpoint.

        Args:
            X: Features, shape (B, F), finite real numbers.
            y: Labels, shape (B,), of two classes or more.
        """
        plan = self.plan()
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if self.classes_.size < 2:
            raise TrainingError(
                f"y holds one class only, {self.classes_[0]!r}; a classifier needs samples of two or more."
            )
        self.n_qubits_ = self._width(X.shape[1])
        try:
            self.encoding_ = fitted_encoding(X, loader(self.n_qubits_, self.excitations), self.scaling)
            self._model = self._compiled()
        except ParameterError as error:
            raise TrainingError(str(error)) from error
        settings = {name: getattr(plan, name) for name in ("batch_size", "learning_rate", "shots", "seed")}
        settings |= {"design": self._stated_design(), "scaling": self.scaling}
        key = identity(settings, X, labels)
        self.weights_, self.history_ = trained_weights(
            self._model,
            self.encoding_.vectors(X),
            labels,
            plan,
            checkpoint=self.checkpoint,
            key=key,
            callback=self.callback,
            progress=self.progress,
        )
        return self

    def restored(self, other: ChargeClassifier) -> ChargeClassifier:
        """This estimator with the weights of a trained one of the same circuit, e.g. to read it out without its noise.

        Args:
            other: Trained, with the same excitations, depth, n_qubits and interaction.

        Raises:
            TrainingError: Its circuit is another one.
        """
        check_is_fitted(other)
        for name in ("excitations", "depth", "n_qubits", "interaction"):
            if getattr(self, name) != getattr(other, name):
                raise TrainingError(f"{name} differs: {getattr(self, name)!r} here, {getattr(other, name)!r} in other.")
        for name in ("classes_", "n_features_in_", "n_qubits_", "encoding_", "weights_", "history_"):
            setattr(self, name, getattr(other, name))
        self._model = self._compiled()
        return self

    def class_values(self, X: Any) -> Real:
        """The class values f_c, shape (B, C): exact, or from ``shots`` shots a row.

        Args:
            X: Features, shape (B, F).
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        model: ClassifierCircuit = self._model
        vectors = self.encoding_.vectors(X)
        weights: Weights = self.weights_
        operators = None if self.shots is None else model.outcomes.operators
        parts = [
            model.expectations(weights.angles, model.loaded(vectors[i : i + _AT_ONCE]), operators)
            for i in range(0, len(vectors), _AT_ONCE)
        ]
        observed = np.concatenate(parts)
        if self.shots is not None:
            exact = np.maximum(0.0, observed)
            rng = np.random.default_rng(np.random.SeedSequence([self.seed, _PREDICTION]))
            drawn = rng.multinomial(self.shots, exact / exact.sum(axis=1, keepdims=True)) / self.shots
            observed = drawn @ model.outcomes.values.T
        return model.class_values(observed)

    def predict_proba(self, X: Any) -> Real:
        """P(c | x), shape (B, C), columns as ``classes_``.

        Args:
            X: Features, shape (B, F).
        """
        check_is_fitted(self)
        return np.asarray(softmax(self.weights_.logits(self.class_values(X)), axis=1))

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The most probable label of each row, shape (B,).

        Args:
            X: Features, shape (B, F).
        """
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[np.argmax(probabilities, axis=1)])

    @property
    def problem_(self) -> Any:
        """The circuit with its noise as a :class:`~equinoise.Problem`: data angles x[i], trained angles theta[k]."""
        check_is_fitted(self)
        return self._model.problem

    def plan(self) -> Plan:
        """How it trains, checked; :meth:`fit` looks at it first.

        Raises:
            TrainingError: A setting outside its range.
        """
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if value is not None or name == "depth":
                check_whole(name, value, least, most)
        return Plan(self.epochs, self.batch_size, self.learning_rate, self.shots, self.seed)

    def _width(self, features: int) -> int:
        return int(self.n_qubits) if self.n_qubits is not None else max(features, self.excitations) + self.excitations

    def _compiled(self) -> ClassifierCircuit:
        design = Design(
            self.n_qubits_,
            len(self.classes_),
            self.excitations,
            self.depth,
            self.interaction,
            self.noise,
            check_scale(self.scale),
            bool(self.verified),
        )
        return ClassifierCircuit(design, self.workers)

    def _stated_design(self) -> str:
        """All that the exact numbers depend on, with the noise as it acts."""
        design = self._model.design
        slots = [repr(slot) for slot in self._model.problem.slots]
        stated = {field.name: getattr(design, field.name) for field in fields(design) if field.name != "noise"}
        return json.dumps({**stated, "slots": slots, "readout_error": repr(self._model.errors)}, sort_keys=True)


_PREDICTION = 0x7072


_RANGES = {"depth": (1, MOST_GATES), "n_qubits": (1, MOST_QUBITS), "workers": (1, 4096)}
