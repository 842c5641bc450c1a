"""The exact engine: density matrices in the cone's charge blocks, with the adjoint sweep of all exact engines."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from equinoise.engines.adjoint import SERIES_ORDERS, AdjointEngine
from equinoise.engines.contract import Cost, bounded, check_serves
from equinoise.engines.sector.sector_space import SectorPoint, SectorSpace
from equinoise.engines.sector.working_memory import shared_bytes
from equinoise.reduction.operators import OperatorEntries
from equinoise.reduction.program import Program

__all__ = ["ExactEngine"]

Real = npt.NDArray[np.float64]
State = dict[int | None, Real]

# for estimates only, in seconds, fitted to cones of 4 to 13 qubits under six kinds of noise on one core: a block on one
# complex number of a density matrix, near (in cache) and far; a jump that moves the charge on it; the numbers that are
# half near, half far; what Python takes per call, per layer, per layer and sector, per jump and sector
_NEAR, _FAR, _MOVE, _CACHED = 5.1e-9, 1.3e-8, 2.0e-9, 4.4e5
_CALL, _LAYER, _SECTOR, _TERM = 9e-5, 1.3e-5, 1.7e-5, 1.5e-6


class ExactEngine(AdjointEngine[State, SectorPoint, OperatorEntries]):
    """Exact noisy values and gradients of a compiled problem.

    Args:
        program: The compiled problem.
        workers: Draws run at once (threads; the kernels release the GIL). By default all processors, fewer when memory
            is short.

    Raises:
        MemoryLimitError: Not even one draw fits in memory (with the numbers).
    """

    name = "exact"
    space: SectorSpace

    def __init__(self, program: Program, workers: int | None = None) -> None:
        check_serves(type(self), program)
        super().__init__(program, workers)
        self.program = program
        self.space = SectorSpace(program)
        memory = self.space.memory
        most = max(memory.plan(SERIES_ORDERS).bytes, memory.tangent_bytes)
        self.workers = max(1, min(workers or os.cpu_count() or 1, memory.available // most))

    @classmethod
    def obstacle(cls, program: Program) -> str | None:
        """Why a problem is not for this engine, and which one serves; None if it is."""
        if program.processes:
            return (
                "noise correlated in time is no product of one channel per slot; engine 'trajectories' samples it, and "
                "'state-vector' has its kappa"
            )
        return None

    @classmethod
    def cost(cls, program: Program) -> Cost:
        """Seconds and bytes of one gradient, before any table is built."""
        moves = sum(term.mechanism != "dephasing" for term in program.budget_terms)
        depth, sectors, numbers = len(program.layers), len(program.charges), bounded(program.numbers)
        beyond = numbers / (numbers + _CACHED)
        block = _NEAR + (_FAR - _NEAR) * beyond
        calls = _CALL + depth * (_LAYER + _SECTOR * sectors) + _TERM * moves * sectors
        seconds = calls + numbers * (block * program.num_blocks + _MOVE * moves)
        return Cost(min(seconds, 1e300), shared_bytes(program) + 2 * 16 * program.numbers)

    @property
    def memory_bytes(self) -> int:
        """Estimated peak of one gradient, in bytes."""
        return shared_bytes(self.program) + self.space.memory.plan(1).bytes

    @property
    def kept(self) -> int:
        """States that one gradient keeps at once; fewer than the layers when memory is short."""
        return self.space.memory.plan(1).kept
