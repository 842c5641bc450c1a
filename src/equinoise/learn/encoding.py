"""From feature rows to the unit vectors that a loader takes: scaling, places, and a constant that keeps lengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from equinoise.errors import ParameterError
from equinoise.learn.loader import Loader

__all__ = ["Encoding", "Scaling", "fitted_encoding"]

Real = npt.NDArray[np.float64]
Scaling = Literal["standard", "maxabs", "none"]
SCALINGS = ("standard", "maxabs", "none")


@dataclass(frozen=True)
class Encoding:
    """How a row of features becomes the vector that is loaded, before each register normalises its own part.

    Attributes:
        centre: Taken off each feature, shape (F,).
        spread: What it is divided by afterwards, shape (F,).
        places: Qubit of each feature, shape (F,).
        constants: (qubit, value) of the constant component of each register; none where there is no qubit to spare.
        num_qubits: n.
    """

    centre: Real
    spread: Real
    places: tuple[int, ...]
    constants: tuple[tuple[int, float], ...]
    num_qubits: int

    def vectors(self, features: Real) -> Real:
        """Feature rows, shape (B, F), as vectors over the qubits, shape (B, n)."""
        out = np.zeros((features.shape[0], self.num_qubits))
        out[:, list(self.places)] = (features - self.centre) / self.spread
        for qubit, value in self.constants:
            out[:, qubit] = value
        return out


def fitted_encoding(features: Real, loader: Loader, scaling: Scaling) -> Encoding:
    """The encoding of training data.

    "standard" takes off each feature's mean and divides by its standard deviation, "maxabs" divides by the largest
    absolute value (0 stays 0), "none" leaves features alone; features that do not vary are divided by 1. Negative
    values are loaded with their sign. A register normalises what it loads, so lengths are lost, unless it has a qubit
    more than features: that one carries a constant component, the root mean square length of the register's features.

    Args:
        features: Shape (B, F).
        loader: Where they go.
        scaling: See above.

    Raises:
        ParameterError: More features than qubits, or an unknown scaling.
    """
    count = features.shape[1]
    if scaling not in SCALINGS:
        raise ParameterError(f"scaling must be one of {', '.join(SCALINGS)}, got {scaling!r}.")
    if count > loader.num_qubits:
        raise ParameterError(
            f"{count} features do not fit on {loader.num_qubits} qubits, one each. Give n_qubits={count} or more, or "
            "leave it out."
        )
    spare = int(loader.num_qubits >= count + len(loader.registers))
    centre = features.mean(axis=0) if scaling == "standard" else np.zeros(count)
    spread = np.ones(count)
    if scaling == "standard":
        spread = features.std(axis=0)
    elif scaling == "maxabs":
        spread = np.abs(features).max(axis=0)
    # what varies only by rounding does not vary
    spread = np.where(spread > 1e-12 * np.maximum(1e-300, np.abs(features).max(axis=0)), spread, 1.0)
    places: list[int] = []
    constants: list[tuple[int, float]] = []
    scaled = (features - centre) / spread
    for first, last in loader.registers:
        taken = range(len(places), min(count, len(places) + last - first - spare))
        places += [first + i for i in range(len(taken))]
        if spare:
            length = float(np.sqrt(np.mean(np.sum(scaled[:, taken.start : taken.stop] ** 2, axis=1))))
            constants.append((first + len(taken), length or 1.0))
    return Encoding(centre, spread, tuple(places), tuple(constants), loader.num_qubits)
