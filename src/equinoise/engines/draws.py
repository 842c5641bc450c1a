"""Many draws at once, and the noise scales they are taken at."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from equinoise.errors import ParameterError

__all__ = ["check_scale", "parallel_draws"]

T = TypeVar("T")


def parallel_draws(
    function: Callable[[Any], T], items: Iterable[Any], workers: int, progress: Callable[[int], None] | None = None
) -> list[T]:
    """function(item) for each item in threads, results in order whatever the number of workers.

    Args:
        function: Releases the GIL for most of its time.
        items: Draws.
        workers: Threads.
        progress: Called with 1 whenever an item is done.
    """
    done: list[T] = []
    # BLAS with threads of its own would fight the draws for processors, and round differently
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        results: Iterable[T] = pool.map(function, items)
        try:
            for result in results:
                done.append(result)
                if progress is not None:
                    progress(1)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return done


def check_scale(scale: float) -> float:
    """A noise scale as a float in [0, infinity].

    Raises:
        ParameterError: Negative or not a number.
    """
    value = float(scale)
    if math.isnan(value) or value < 0:
        raise ParameterError(f"the noise scale must be a number >= 0 or infinity, got {scale}.")
    return value
