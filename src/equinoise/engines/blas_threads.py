"""One thread of BLAS for the whole process while draws run, however many calls overlap."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread"]


class _Limit:
    """Who is inside, and what to restore when the last one leaves.

    The number of threads is one setting of the process. Were each call to save and restore it by itself, of two that
    overlap the second would save the first one's limit, and leave it behind for good.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._libraries: Any = None
        self._limits: Any = None

    def enter(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._libraries = ThreadpoolController().select(user_api="blas")
                self._take_control()
                self._limits = self._libraries.limit(limits=1)
            self._inside += 1

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._take_control()
                self._limits.restore_original_limits()
                self._take_control()
                self._libraries = self._limits = None

    def _take_control(self) -> None:
        """Lets this thread set OpenBLAS's limit.

        Newer threadpoolctl hears the thread alone that was the first to set one, and ignores the others
        without a word; here the first to enter and the last to leave may be different threads.
        """
        for library in self._libraries.lib_controllers:
            if hasattr(library, "clear_controlling_thread"):
                library.clear_controlling_thread(force=True)


_limit = _Limit()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Inside, BLAS uses one thread; when the last one of all threads leaves, as many as before the first entered.

    Small matrices only wait for the threads of BLAS, which fight the draws for processors and round differently.
    """
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()
