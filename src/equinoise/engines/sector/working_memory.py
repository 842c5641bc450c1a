"""The memory of a sweep in charge blocks: what fits, and each thread's arrays.

Only the number of states that a sweep keeps grows with the depth. If all of them fit, with scratch arrays beside them,
the sweep is "roomy"; else it works in place, keeps as many states as fit and repeats the way forward for the others.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.engines.contract import about, memory_limit
from equinoise.engines.sector.channel import KEEP_BYTES
from equinoise.errors import MemoryLimitError
from equinoise.reduction.program import Program

__all__ = ["MemoryPlan", "Rooms", "SweepMemory", "shared_bytes"]

Real = npt.NDArray[np.float64]
State = dict[int | None, Real]


def shared_bytes(program: Program) -> int:
    """Of the masks that all draws share; those too large to keep are made again row by row."""
    return max(0 if 8 * d * d > KEEP_BYTES else 8 * d * d for d in program.dimensions)


@dataclass(frozen=True)
class MemoryPlan:
    """A sweep's memory: states kept, whether there is scratch beside them, bytes in all."""

    kept: int
    roomy: bool
    bytes: int


class Rooms(threading.local):
    """Each thread's own arrays: no two draws that run at once share one.

    Args:
        dimensions: D of each charge block.
    """

    def __init__(self, dimensions: Mapping[int | None, int]) -> None:
        self._dimensions = dimensions
        self._held: dict[str, State] = {}
        self._views: dict[tuple[str, int], State] = {}

    def room(self, name: str, orders: int) -> State:
        """Arrays of that name: allocated once for the most orders asked for, their content whatever was left there."""
        if (name, orders) not in self._views:
            held = self._held.get(name, {})
            if not held or next(iter(held.values())).shape[0] < orders:
                for key in [key for key in self._views if key[0] == name]:
                    del self._views[key]
                held.clear()
                self._held[name] = held = {q: np.empty((orders, 2, d, d)) for q, d in self._dimensions.items()}
            self._views[name, orders] = {q: array[:orders] for q, array in held.items()}
        return self._views[name, orders]

    def zero(self, name: str, orders: int) -> State:
        """The same, filled with zeros."""
        state = self.room(name, orders)
        for array in state.values():
            array[:] = 0.0
        return state


class SweepMemory:
    """What sweeps over a program may take.

    Args:
        program: The compiled problem.

    Attributes:
        available: Bytes for all draws that run at once.

    Raises:
        MemoryLimitError: Not even one draw fits in memory (with the numbers).
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._depth = len(program.layers)
        self.available = memory_limit() - shared_bytes(program)
        self.require("one gradient", self.plan(1).bytes)

    def plan(self, orders: int) -> MemoryPlan:
        """How many states a sweep keeps: all, or as many as fit, repeating the sweep from the start for the others."""
        state = 16 * self._program.numbers * orders
        if (self._depth + 3) * state <= self.available:
            return MemoryPlan(self._depth, True, (self._depth + 3) * state)
        kept = int(min(self._depth, max(1, self.available // state - 1)))
        return MemoryPlan(kept, False, (kept + 1) * state)

    @property
    def tangent_bytes(self) -> int:
        """The budget's sweep: state and tangent of each layer; input, readout and scratch with theirs."""
        return 16 * self._program.numbers * (2 * self._depth + 6)

    def require(self, what: str, needed: int) -> None:
        """Refuses what does not fit.

        Raises:
            MemoryLimitError: With the numbers.
        """
        if needed <= self.available:
            return
        program = self._program
        raise MemoryLimitError(
            f"the light cone of {program.width} qubits holds {about(program.numbers)} complex numbers "
            f"({about(16 * program.numbers, 10**9)} GB a state); {what} needs {about(needed, 10**9)} GB and "
            f"{max(self.available, 0) / 1e9:.3g} GB are free. Use fewer layers, a more local readout, an input of "
            "lower charge, or noise that conserves the charge; engine 'trajectories' needs state vectors only; "
            "EQUINOISE_MEMORY_GB sets the limit."
        )
