"""What was compiled for a problem: worked out once, beside the problem and never in it.

A problem holds what was stated and nothing else, so that no copy of it can inherit what was compiled for another. What
is compiled is kept in one table for as long as the problem lives, and for no more problems than :data:`CAPACITY`.
"""

from __future__ import annotations

import copy
import threading
import weakref
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from equinoise.problem import Problem

__all__ = ["CAPACITY", "Kept", "Prepared", "prepared"]

T = TypeVar("T")

# problems whose programs and engines are kept; of more, those that were asked for last
CAPACITY = 256


class Kept:
    """Values worked out once each and looked up by a key, from any thread.

    Entered, it hands out the table and keeps other threads off it until the block ends, so that what is not there yet
    is made once. What is made is made by whoever asks: this room calls nothing of the rooms above it.
    Copies and pickles are empty: whoever gets one works its values out again.

    Args:
        capacity: With it :meth:`made` keeps that many values, those that were asked for last.

    Example:
        >>> from equinoise.reduction.prepared import Kept
        >>> kept = Kept()
        >>> with kept as values:
        ...     if "answer" not in values:
        ...         values["answer"] = 6 * 7
        ...     values["answer"]
        42
    """

    def __init__(self, capacity: int | None = None) -> None:
        self._values: dict[Hashable, Any] = {}
        self._capacity = capacity
        # held while a value is made, so that each is made once; making one may ask for another
        self._lock = threading.RLock()

    def __enter__(self) -> dict[Hashable, Any]:
        self._lock.acquire()
        return self._values

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def made(self, key: Hashable, make: Callable[[], T], good: Callable[[T], bool] | None = None) -> T:
        """The value of a key, made once and again only if it is not ``good`` for this call."""
        with self as values:
            found: T | None = values.pop(key, None)
            if found is None or (good is not None and not good(found)):
                found = make()
            values[key] = found
            while self._capacity is not None and len(values) > self._capacity:
                del values[next(iter(values))]
        return found

    def __reduce__(self) -> tuple[type[Kept], tuple[int | None]]:
        return Kept, (self._capacity,)


class Prepared:
    """What was compiled for one problem: programs, engines, the problem on all qubits.

    Args:
        problem: The problem.

    Attributes:
        problem: Its statement, a copy: what is compiled refers to it, since a reference to the problem itself would
            keep it alive.
        kept: What was made from the statement.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = copy.copy(problem)
        self.kept = Kept()


class _Table:
    """The prepared problems by identity, longest unused first; a problem's entry goes when the problem does."""

    def __init__(self) -> None:
        self._entries: dict[int, tuple[weakref.ref[Problem], Prepared]] = {}
        # not a plain lock: a problem may be collected, and its entry taken out, while this thread holds it
        self._lock = threading.RLock()

    def of(self, problem: Problem) -> Prepared:
        with self._lock:
            entry = self._entries.pop(id(problem), None)
            if entry is None or entry[0]() is not problem:
                known = next((p for _, p in self._entries.values() if p.problem is problem), None)
                if known is not None:  # asked for by the statement that a program refers to
                    return known
                entry = weakref.ref(problem, self._forget(id(problem))), Prepared(problem)
            self._entries[id(problem)] = entry
            while len(self._entries) > CAPACITY:
                del self._entries[next(iter(self._entries))]
            return entry[1]

    def _forget(self, key: int) -> Callable[[weakref.ref[Problem]], None]:
        def gone(reference: weakref.ref[Problem]) -> None:
            with self._lock:
                entry = self._entries.get(key)
                if entry is not None and entry[0] is reference:  # else another problem has its address by now
                    del self._entries[key]

        return gone

    def __len__(self) -> int:
        return len(self._entries)


_table = _Table()


def prepared(problem: Problem) -> Prepared:
    """What was compiled for this very problem; a copy or a derived problem has its own.

    Args:
        problem: A problem, or the statement of one that a compiled program refers to.

    Example:
        >>> import equinoise as eq
        >>> from equinoise.reduction.prepared import prepared
        >>> problem = eq.Problem(eq.circuits.brickwork(4, depth=2), readout="Z1", initial="neel")
        >>> prepared(problem) is prepared(problem), prepared(problem) is prepared(problem.with_noise("dephasing:0.1"))
        (True, False)
    """
    return _table.of(problem)
