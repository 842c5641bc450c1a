"""Bond dimensions doubled until the results converge, and an estimate of the error that is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["ROUNDING", "Attempt", "Converged", "doubled"]

Real = npt.NDArray[np.float64]
T = TypeVar("T")

# of a sum of many products in double precision
ROUNDING = 1e-12


@dataclass(frozen=True)
class Attempt(Generic[T]):
    """The numbers at one bond dimension.

    Attributes:
        headline: Those whose error is asked for, any shape (n,).
        everything: What they belong to.
        discarded: For each, the share of the squared norm that its sweeps discarded, shape (n,).
        exact: Whether no bond was cut.
        bytes: Memory that the sweeps' states took together.
    """

    headline: Real
    everything: T
    discarded: Real
    exact: bool
    bytes: int = 0


@dataclass(frozen=True)
class Converged(Generic[T]):
    """The last attempt with its error.

    Attributes:
        attempt: The attempt.
        error: Half-width of the interval about each headline number, shape (n,).
        extrapolated: Each headline number continued linearly to nothing discarded, shape (n,).
        bond: Bond dimension; 0 where no matrix-product state was needed.
        met: Whether the error asked for was reached.
    """

    attempt: Attempt[T]
    error: Real
    extrapolated: Real
    bond: int
    met: bool


def doubled(
    attempt: Callable[[int], Attempt[T]],
    relative_error: float,
    floor: Callable[[Real], Real],
    first: int,
    last: int,
    room: int,
) -> Converged[T]:
    """Attempts at doubled bond dimensions until every headline number's error is small enough.

    The error is the largest of three: the last change, the distance to the linear extrapolation in the discarded
    share, and twice that share of the number itself. The last guards against two bonds that agree by accident.

    Args:
        attempt: The numbers at a bond dimension.
        relative_error: Asked for.
        floor: Sizes below which numbers count as 0, shape (n,), from the headline numbers.
        first: Bond dimension of the first attempt.
        last: Greatest one.
        room: Bytes that the states of an attempt may take.
    """
    # The discarded share goes to 0 with the bond dimension and numbers depend on it about linearly there: two attempts
    # give a line, whose value at nothing discarded is the extrapolation.
    bond = first
    before: Attempt[T] | None = None
    while True:
        now = attempt(bond)
        size = np.abs(now.headline)
        if now.exact:
            return Converged(now, ROUNDING * size, now.headline, bond, True)
        error, extrapolated = np.full(size.shape, np.inf), now.headline
        if before is not None:
            change = now.headline - before.headline
            gained = before.discarded - now.discarded
            slope = np.where(gained > 0, change / np.where(gained > 0, gained, 1.0), 0.0)
            extrapolated = now.headline + slope * now.discarded
            error = np.maximum(
                np.abs(change), np.maximum(np.abs(extrapolated - now.headline), 2 * now.discarded * size)
            )
        met = bool(np.all(error <= relative_error * np.maximum(size, floor(now.headline))))
        if met or 2 * bond > last or 4 * now.bytes > room:
            return Converged(now, error, extrapolated, bond, met)
        before, bond = now, 2 * bond
