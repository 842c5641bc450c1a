"""Adam: steps along the gradient's running mean, in units of its running root mean square."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["Adam"]

Real = npt.NDArray[np.float64]

_MEAN, _SQUARE, _FLOOR = 0.9, 0.999, 1e-8


class Adam:
    """Adam over several arrays, which it changes in place.

    With m <- 0.9 m + 0.1 g and v <- 0.999 v + 0.001 g^2 per element, step t is -eta_t m / (sqrt(v) + 1e-8), where
    eta_t = eta sqrt(1 - 0.999^t) / (1 - 0.9^t) takes off the bias of averages that began at 0.

    Args:
        arrays: What is trained, for the shapes.
        learning_rate: eta, the length of a step while gradients agree.

    Attributes:
        steps: t, steps taken.
        means: m, one array each.
        squares: v likewise.

    Source:
        Kingma and Ba, arXiv:1412.6980.

    Example:
        >>> import numpy as np
        >>> from equinoise.learn.adam import Adam
        >>> angles = np.array([1.0])
        >>> Adam([angles], learning_rate=0.1).step([angles], [np.array([5.0])])
        >>> angles.round(6)
        array([0.9])
    """

    def __init__(self, arrays: Sequence[Real], learning_rate: float) -> None:
        self.learning_rate = learning_rate
        self.steps = 0
        self.means = [np.zeros_like(each) for each in arrays]
        self.squares = [np.zeros_like(each) for each in arrays]

    def step(self, arrays: Sequence[Real], gradients: Sequence[Real]) -> None:
        """Moves the arrays by one step against their gradients, same order and shapes."""
        self.steps += 1
        self.means = [_MEAN * m + (1 - _MEAN) * g for m, g in zip(self.means, gradients, strict=True)]
        self.squares = [_SQUARE * v + (1 - _SQUARE) * g**2 for v, g in zip(self.squares, gradients, strict=True)]
        rate = self.learning_rate * np.sqrt(1 - _SQUARE**self.steps) / (1 - _MEAN**self.steps)
        for array, m, v in zip(arrays, self.means, self.squares, strict=True):
            np.subtract(array, rate * m / (np.sqrt(v) + _FLOOR), out=array)
