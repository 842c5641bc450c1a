"""Losses l(z, y) of a row's predictions z_c and its label y, with their derivatives by z."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logsumexp, softmax

from equinoise.errors import DataError

__all__ = ["LOSSES", "CrossEntropy", "GivenLoss", "Logistic", "Loss", "Mean", "MeanSquare", "loss_of"]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Given = Callable[[Real, Any], Any]

# of the central differences for a given loss's second derivative: z^4/30 of its fifth derivative and rounding of the
# first, each about 1e-13
_STEP = 1e-3
_STENCIL = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))
# largest relative error of a given derivative against a difference of the given loss
_AGREES = 1e-4


class Loss(ABC):
    """A loss of predictions z, shape (N, C), and targets, which :meth:`targets` makes of labels.

    Attributes:
        name: As ``loss=`` takes it.
        linear: Whether l is linear in z: then noise on the predictions does not turn the gradient.
    """

    name: ClassVar[str]
    linear: ClassVar[bool] = False

    @abstractmethod
    def targets(self, labels: npt.NDArray[Any] | None, rows: int, readouts: int) -> Any:
        """What the loss compares with, from labels of shape (N,) or (N, columns).

        Raises:
            DataError: Labels that the loss cannot take.
        """

    @abstractmethod
    def value(self, predictions: Real, targets: Any) -> Real:
        """The loss l of each row, shape (N,)."""

    @abstractmethod
    def slope(self, predictions: Real, targets: Any) -> Real:
        """dl/dz_c of each row, shape (N, C)."""

    @abstractmethod
    def curvature(self, predictions: Real, targets: Any) -> Real:
        """d^2 l/dz_c dz_d of each row, shape (N, C, C)."""

    def right(self, predictions: Real, targets: Any) -> npt.NDArray[np.bool_] | None:
        """Whether each row's most probable class is its label's, shape (N,); None where labels are no classes."""
        return None


class Mean(Loss):
    """l = sum_c z_c: the mean over rows of the sum of all readouts; takes no labels."""

    name = "mean"
    linear = True

    def targets(self, labels: npt.NDArray[Any] | None, rows: int, readouts: int) -> None:
        """Nothing."""
        if labels is not None:
            raise DataError("the loss 'mean' is the mean of the readouts and takes no labels: leave labels= out.")

    def value(self, predictions: Real, targets: Any) -> Real:
        """Shape (N,)."""
        return np.asarray(predictions.sum(axis=1))

    def slope(self, predictions: Real, targets: Any) -> Real:
        """Ones, shape (N, C)."""
        return np.ones_like(predictions)

    def curvature(self, predictions: Real, targets: Any) -> Real:
        """Zeros, shape (N, C, C)."""
        return np.zeros((*predictions.shape, predictions.shape[1]))


class MeanSquare(Loss):
    """l = (1/C) sum_c (z_c - y_c)^2, as scikit-learn and torch have it; one number a row and readout."""

    name = "mse"

    def targets(self, labels: npt.NDArray[Any] | None, rows: int, readouts: int) -> Real:
        """Numbers of shape (N, C)."""
        given = _needed(labels, self.name)
        try:
            numbers = np.array(given, dtype=np.float64).reshape(rows, -1)
        except (TypeError, ValueError):
            raise DataError(
                f"the loss 'mse' takes numbers as labels, got {str(given.reshape(-1)[0])!r}. For classes use "
                "'logistic' or 'cross-entropy'."
            ) from None
        if numbers.shape[1] != readouts:
            raise DataError(
                f"the loss 'mse' takes one number for each of the {readouts} readouts in a row, got "
                f"{numbers.shape[1]}. Give labels of shape ({rows}, {readouts})."
            )
        return numbers

    def value(self, predictions: Real, targets: Any) -> Real:
        """Shape (N,)."""
        return np.asarray(((predictions - targets) ** 2).mean(axis=1))

    def slope(self, predictions: Real, targets: Any) -> Real:
        """Shape (N, C)."""
        return np.asarray(2 * (predictions - targets) / predictions.shape[1])

    def curvature(self, predictions: Real, targets: Any) -> Real:
        """2/C on the diagonal, shape (N, C, C)."""
        rows, count = predictions.shape
        return np.broadcast_to(2 * np.eye(count) / count, (rows, count, count))


class Logistic(Loss):
    """l = ln(1 + exp(z)) - y z, the negative log likelihood of P(1) = 1/(1 + exp(-z)); two classes, one readout.

    The greater of two labels is class 1, as in scikit-learn; 0 and 1, -1 and 1, or two names.
    """

    name = "logistic"

    def targets(self, labels: npt.NDArray[Any] | None, rows: int, readouts: int) -> Real:
        """0 or 1, shape (N, 1)."""
        if readouts != 1:
            raise DataError(
                f"the loss 'logistic' takes one readout, the model has {readouts}: use 'cross-entropy', one class each."
            )
        given = _one_column(_needed(labels, self.name), self.name)
        classes = np.unique(given)
        if set(classes.tolist()) <= {0, 1} or set(classes.tolist()) <= {-1, 1}:
            return np.asarray((given.astype(np.float64) > 0).astype(np.float64)[:, None])
        if classes.size != 2:
            raise DataError(
                f"the loss 'logistic' takes two classes, the labels hold {classes.size}: {_shown(classes)}. Use "
                "'cross-entropy' with one readout a class, or 'mse' for numbers."
            )
        return np.asarray((given == classes[1]).astype(np.float64)[:, None])

    def value(self, predictions: Real, targets: Any) -> Real:
        """Shape (N,)."""
        return np.asarray((np.logaddexp(0.0, predictions) - targets * predictions)[:, 0])

    def slope(self, predictions: Real, targets: Any) -> Real:
        """Shape (N, 1)."""
        return np.asarray(expit(predictions) - targets)

    def curvature(self, predictions: Real, targets: Any) -> Real:
        """Shape (N, 1, 1)."""
        return np.asarray((expit(predictions) * expit(-predictions))[:, :, None])

    def right(self, predictions: Real, targets: Any) -> npt.NDArray[np.bool_]:
        """Whether z > 0 just where the class is 1."""
        return np.asarray(((predictions > 0) == (targets > 0))[:, 0])


class CrossEntropy(Loss):
    """l = ln(sum_c exp(z_c)) - z_y, the negative log likelihood of softmax(z); one readout a class.

    Labels are the class numbers 0..C-1, or C names or numbers, which are the classes in sorted order.
    """

    name = "cross-entropy"

    def targets(self, labels: npt.NDArray[Any] | None, rows: int, readouts: int) -> Real:
        """One-hot rows, shape (N, C)."""
        given = _one_column(_needed(labels, self.name), self.name)
        if readouts < 2:
            raise DataError(
                "the loss 'cross-entropy' takes one readout for each class, the model has one: use 'logistic' for two "
                "classes on one readout."
            )
        classes = np.unique(given)
        numbered = given.dtype.kind in "biuf" and set(classes.tolist()) <= set(range(readouts))
        if not numbered and classes.size != readouts:
            raise DataError(
                f"the loss 'cross-entropy' has {readouts} classes, one a readout, and the labels hold {classes.size}: "
                f"{_shown(classes)}. Number them 0..{readouts - 1}, or give one readout a class."
            )
        place = given.astype(np.int64) if numbered else np.searchsorted(classes, given)
        return np.asarray(np.eye(readouts)[place])

    def value(self, predictions: Real, targets: Any) -> Real:
        """Shape (N,)."""
        return np.asarray(logsumexp(predictions, axis=1) - (targets * predictions).sum(axis=1))

    def slope(self, predictions: Real, targets: Any) -> Real:
        """Shape (N, C)."""
        return np.asarray(softmax(predictions, axis=1) - targets)

    def curvature(self, predictions: Real, targets: Any) -> Real:
        """diag(p) - p p^T, shape (N, C, C)."""
        p = softmax(predictions, axis=1)
        return np.asarray(p[:, :, None] * (np.eye(p.shape[1]) - p[:, None, :]))

    def right(self, predictions: Real, targets: Any) -> npt.NDArray[np.bool_]:
        """Whether the largest z_c is the class's."""
        return np.asarray(predictions.argmax(axis=1) == targets.argmax(axis=1))


class GivenLoss(Loss):
    """A loss as two functions of predictions, shape (N, C), and labels as they were given.

    The second derivative, which the noise's pull on the predictions takes, comes from central differences of the first
    (fourth order, step 1e-3).

    Args:
        value: l of each row, shape (N,).
        slope: dl/dz_c of each row, shape (N, C).
    """

    name = "given"

    def __init__(self, value: Given, slope: Given) -> None:
        self._value, self._slope = value, slope

    def targets(self, labels: npt.NDArray[Any] | None, rows: int, readouts: int) -> Any:
        """The labels; the functions are tried on them and compared with each other."""
        rng = np.random.default_rng(0)
        at = rng.uniform(-0.7, 0.7, (rows, readouts))
        slopes = self.slope(at, labels)
        step = 1e-5
        for c in range(readouts):
            shift = step * np.eye(readouts)[c]
            difference = (self.value(at + shift, labels) - self.value(at - shift, labels)) / (2 * step)
            worst = float(np.abs(difference - slopes[:, c]).max() / max(1.0, np.abs(difference).max()))
            if not worst < _AGREES:
                raise DataError(
                    f"the derivative given with the loss is not the loss's: at predictions {at[0]} of row 0 it is "
                    f"{slopes[0, c]:.6g} for readout {c}, and the loss itself changes by {difference[0]:.6g}. Both "
                    "take (predictions, labels); the loss returns shape (rows,), its derivative (rows, readouts)."
                )
        return labels

    def value(self, predictions: Real, targets: Any) -> Real:
        """Shape (N,)."""
        return _shaped(self._value(predictions, targets), predictions.shape[:1], "loss")

    def slope(self, predictions: Real, targets: Any) -> Real:
        """Shape (N, C)."""
        return _shaped(self._slope(predictions, targets), predictions.shape, "loss's derivative")

    def curvature(self, predictions: Real, targets: Any) -> Real:
        """Shape (N, C, C), symmetric."""
        unit = _STEP * np.eye(predictions.shape[1])
        columns = [sum(w * self.slope(predictions + k * shift, targets) for k, w in _STENCIL) / _STEP for shift in unit]
        found = np.stack(columns, axis=2)
        return np.asarray((found + found.transpose(0, 2, 1)) / 2)


LOSSES: dict[str, Loss] = {kind.name: kind() for kind in (Mean, MeanSquare, Logistic, CrossEntropy)}


def loss_of(loss: Any) -> Loss:
    """A loss from what the user gave: a name, a pair of functions, or a :class:`Loss`.

    Raises:
        DataError: None of these.

    Example:
        >>> import numpy as np
        >>> from equinoise.model.losses import loss_of
        >>> huber = loss_of((lambda z, y: np.sqrt(1 + (z[:, 0] - y) ** 2), lambda z, y: (z - y[:, None])
        ...                  / np.sqrt(1 + (z - y[:, None]) ** 2)))
        >>> huber.name, loss_of("mse").name
        ('given', 'mse')
    """
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]
    if isinstance(loss, tuple | list) and len(loss) == 2 and all(callable(each) for each in loss):
        return GivenLoss(*loss)
    raise DataError(
        f"loss must be one of {', '.join(LOSSES)}, or two functions (loss, derivative) of predictions and labels; got "
        f"{loss!r}."
    )


def _needed(labels: npt.NDArray[Any] | None, name: str) -> npt.NDArray[Any]:
    if labels is None:
        raise DataError(f"the loss {name!r} needs labels: give labels=, one entry for each row of data.")
    return labels


def _one_column(labels: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    if labels.ndim != 1:
        raise DataError(f"the loss {name!r} takes one class a row, got labels of shape {labels.shape}.")
    return labels


def _shown(classes: npt.NDArray[Any]) -> str:
    return ", ".join(repr(c) for c in classes[:5].tolist()) + (", ..." if classes.size > 5 else "")


def _shaped(found: Any, shape: tuple[int, ...], what: str) -> Real:
    array = np.asarray(found, dtype=np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise DataError(
            f"the {what} returned {'numbers that are not finite' if array.shape == shape else f'shape {array.shape}'} "
            f"for predictions of {shape[0]} rows; expected finite numbers of shape {shape}."
        )
    return array
