"""What one draw yields, many draws at once, and the noise scales they are taken at."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from equinoise.engines.blas_threads import one_blas_thread
from equinoise.errors import ParameterError

__all__ = ["Draw", "FirstOrderDraw", "NoisyDraw", "check_scale", "draw_generator", "parallel_draws", "sampled_draws"]

T = TypeVar("T")
Real = npt.NDArray[np.float64]

# keeps the generators of trajectories apart from those that draw parameters
_STREAM = 0x7247


@dataclass(frozen=True)
class Draw:
    """One parameter draw at one noise scale.

    Attributes:
        value: C(theta; s).
        square: <O^2>, for the single-shot variance <O^2> - C^2.
        gradient: dC/dtheta, shape (K,), all circuit parameters (zero outside the cone).
    """

    value: float
    square: float
    gradient: Real


@dataclass(frozen=True)
class NoisyDraw:
    """What one draw of the parameters adds to averages that are quadratic in value and gradient.

    Attributes:
        gradient: g_k, or an unbiased estimate of it; shape (K,).
        gradient_square: g_k^2, or an unbiased estimate of it, which may be negative; shape (K,).
        value_square: C^2 likewise.
        square: <O^2> likewise.
    """

    gradient: Real
    gradient_square: Real
    value_square: float
    square: float


@dataclass(frozen=True)
class FirstOrderDraw:
    """What one draw of the parameters adds to kappa, its budget and the second moment, at s = 0.

    Attributes:
        gradient: g_k, shape (K,).
        square: sum_k g_k^2.
        slope: sum_k g_k g'_k.
        curvature: sum_k (g'_k^2 + g_k g''_k); NaN where the engine does not have it.
        per_parameter: (g_k^2, g_k g'_k), shape (2, K); NaN likewise.
        budget: sum_k g_k g'_k by noise term, shape (terms,).
    """

    gradient: Real
    square: float
    slope: float
    curvature: float
    per_parameter: Real
    budget: Real


def parallel_draws(function: Callable[[Any], T], items: Iterable[Any], workers: int) -> Iterator[T]:
    """function(item) for each item in threads, one result after the other, in order whatever the number of workers.

    Who takes the results counts them, and may stop: what has not begun then never does.

    Args:
        function: Releases the GIL for most of its time.
        items: Draws.
        workers: Threads.
    """
    yield from _in_threads(function, (items,), workers)


def _in_threads(function: Callable[..., T], arguments: Sequence[Iterable[Any]], workers: int) -> Iterator[T]:
    """function(a, b, ...) for a, b, ... from the arguments' iterables; the pool's threads call it, nothing of ours."""
    with one_blas_thread(), ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        try:
            yield from pool.map(function, *arguments)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def sampled_draws(
    function: Callable[[Real, np.random.Generator], T], thetas: Sequence[Real] | Real, seed: int, workers: int
) -> Iterator[T]:
    """function(theta, generator) for each draw of the parameters; see :func:`parallel_draws`.

    Args:
        function: Releases the GIL for most of its time.
        thetas: S draws of shape (K,), radians.
        seed: Each draw's generator follows from it and the draw's number.
        workers: Threads.
    """
    yield from _in_threads(function, (thetas, [draw_generator(seed, i) for i in range(len(thetas))]), workers)


def draw_generator(seed: int, number: int) -> np.random.Generator:
    """The generator of one draw of a study."""
    return np.random.default_rng(np.random.SeedSequence([seed, _STREAM, number]))


def check_scale(scale: float) -> float:
    """A noise scale as a float in [0, infinity].

    Raises:
        ParameterError: Negative or not a number.
    """
    value = float(scale)
    if math.isnan(value) or value < 0:
        raise ParameterError(f"the noise scale must be a number >= 0 or infinity, got {scale}.")
    return value
