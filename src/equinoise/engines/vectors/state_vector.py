"""The state-vector engine: noiseless gradients, and kappa with its budget, from vectors instead of density matrices.

In charge sectors where circuit, readout and noise conserve the charge, else in the full space of the cone. States are
never stored: going backwards, the unitaries are undone.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from equinoise.engines.contract import Cost, Remade, check_serves, memory_limit
from equinoise.engines.draws import Draw, FirstOrderDraw, NoisyDraw
from equinoise.engines.sector.block_unitaries import Blocks, build_blocks, contract
from equinoise.engines.vectors import vector_kernels as kernels
from equinoise.engines.vectors.diagonals import Phases
from equinoise.engines.vectors.first_order import FirstOrderSweep
from equinoise.engines.vectors.jumps import SlotJumps, slot_jumps
from equinoise.errors import MemoryLimitError, UnsupportedError
from equinoise.reduction.program import Program
from equinoise.reduction.row_tables import QUAD

__all__ = ["COUNTLESS", "StateVectorEngine", "block_count"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
Index = npt.NDArray[np.int64]

_ONE = (0,)
# for estimates only, in seconds, fitted to cones of 4 to 18 qubits on one core: a block on a row of a plain state, in
# one noiseless gradient and in one draw of kappa (with charge-moving jumps half as much again); what Python takes per
# call, block and layer
_ROW, _ROW_OF_LAW, _CALL, _BLOCK, _LAYER = 3.7e-9, 2.4e-8, 4.5e-5, 6.5e-6, 7e-5
# a block that breaks the charge, in blocks that keep it; a jump that is no phase, on a row in one draw of kappa
_QUAD, _ROW_OF_KICK = 6, 4e-8
# cone qubits of the full space: 2^22 rows are 0.07 GB a vector, a dozen of them in one draw
_WIDEST = 22
# stands for numbers of states that no float holds
COUNTLESS = 10**290


class StateVectorEngine(Remade):
    """Noiseless values and gradients, exactly; kappa and its budget, unbiased.

    Args:
        program: The compiled problem.
        workers: Draws run at once (threads); all processors by default, fewer when memory is short.

    Raises:
        UnsupportedError: The charge is broken and the full space of the cone too wide.
        MemoryLimitError: Not even one draw fits in memory.
    """

    name = "state-vector"
    exact = False

    def __init__(self, program: Program, workers: int | None = None) -> None:
        check_serves(type(self), program)
        super().__init__(program, workers)
        self.program = program
        self.depth = len(program.layers)
        cost = self.cost(program)
        room = memory_limit()
        if cost.bytes > room:
            raise MemoryLimitError(
                f"the light cone of {program.width} qubits has sectors of up to "
                f"{min(max(program.dimensions), COUNTLESS):.3g} states; "
                f"one draw of the engine {self.name!r} needs {cost.bytes / 1e9:.3g} GB and {room / 1e9:.3g} GB are "
                "free. Use fewer layers, a more local readout or an input of lower charge; EQUINOISE_MEMORY_GB sets "
                "the limit."
            )
        self.memory_bytes = cost.bytes
        per_draw = max(1, 16 * 12 * max(program.dimensions))
        self.workers = max(1, min(workers or os.cpu_count() or 1, (room - cost.bytes) // per_draw + 1))
        self._phases: dict[int | None, Phases] = {}
        for q in program.input_charges:  # shared by all draws, so not left to whichever comes first
            _ = program.tables[q], program.readout[q]

    # -- what it can do, and at what cost --------------------------------------------------------------------------

    @classmethod
    def obstacle(cls, program: Program) -> str | None:
        """Why a problem is not for this engine, and which one serves; None if it is."""
        if program.full and program.width > _WIDEST:
            return (
                f"circuit, readout or noise breaks the charge, and the full space of {program.width} cone qubits is "
                f"beyond the {_WIDEST} that state vectors hold; use fewer layers or a more local readout"
            )
        return None

    @classmethod
    def cost(cls, program: Program) -> Cost:
        """Seconds and bytes of one draw of kappa, before any table is built."""
        sizes = [2**program.width if q is None else math.comb(program.width, q) for q in program.input_charges]
        rows = min(sum(sizes), COUNTLESS)
        largest = min(max(program.dimensions), COUNTLESS)
        pairs = len(set(program.table.tolist()))
        noise = 2 if any(not slot.dephases_only for slot in program.slots) else 0
        sectors = largest * (1 + noise)
        # per row: 4 bytes in three tables of a quarter of the rows a pair, occupations, and tables of the jumps
        tables = 3 * pairs + 2 * program.width + (8 * program.width if noise else 0)
        size = sectors * tables + 16 * 12 * largest
        updates, depth = rows * block_count(program), len(program.layers)
        gradient = _CALL + _BLOCK * program.num_blocks + _ROW * updates
        moves = 1.6 if noise else 1.0
        seconds = gradient + moves * (2e-4 + _LAYER * depth + _ROW_OF_LAW * updates)
        seconds += _ROW_OF_KICK * rows * sum(len(slot.strings) + len(slot.general) for slot in program.slots)
        return Cost(seconds=seconds, bytes=int(size), gradient=gradient)

    # -- noiseless -------------------------------------------------------------------------------------------------

    def value(self, theta: Real, scale: float = 0.0, rng: np.random.Generator | None = None) -> tuple[float, float]:
        """C(theta; 0) and <O^2>."""
        self._check_scale(scale)
        blocks = build_blocks(self.program, theta)
        total = square = 0.0
        for charge, vectors in self.program.inputs(theta):
            for vector in vectors.T:
                psi = self._forward(charge, vector, blocks)
                seen = self.program.readout[charge] @ psi
                total += kernels.overlap(psi[:, 0], seen[:, 0])
                square += kernels.overlap(seen[:, 0], seen[:, 0])
        return total, square

    def draw(self, theta: Real, scale: float = 0.0, rng: np.random.Generator | None = None) -> Draw:
        """Value, <O^2> and gradient without noise."""
        self._check_scale(scale)
        return self._noiseless(build_blocks(self.program, theta))

    def noisy(self, theta: Real, scales: Sequence[float], rng: np.random.Generator) -> list[NoisyDraw]:
        """g_k^2, C^2 and <O^2> without noise, the only scale that this engine has."""
        for scale in scales:
            self._check_scale(scale)
        draws = [self._noiseless(build_blocks(self.program, theta)) for _ in scales]
        return [NoisyDraw(d.gradient, d.gradient**2, d.value**2, d.square) for d in draws]

    def frozen(self, theta: Real, rng: np.random.Generator) -> float:
        """NaN: engine 'trajectories' has the gradient at s = infinity."""
        return math.nan

    def _check_scale(self, scale: float) -> None:
        if scale != 0:
            raise UnsupportedError(
                f"the engine 'state-vector' computes noiseless gradients (scale 0) and the law's kappa, not values at "
                f"noise scale {scale:g}. Use engine 'trajectories' (unbiased, any width) or 'exact'."
            )

    def _noiseless(self, blocks: Blocks) -> Draw:
        program = self.program
        # Reverse mode on C = <psi| O |psi>: psi after the circuit and lambda = O psi are undone together, block by
        # block, and each block's 2 Im Tr[G M] is read on the way. All K derivatives cost about three passes, and two
        # vectors.
        moments = np.zeros(program.moments_shape(1), dtype=np.complex128)
        value = square = 0.0
        for charge, vectors in program.inputs(blocks.theta):
            rows = program.tables[charge].arguments
            for vector in vectors.T:
                psi = self._forward(charge, vector, blocks)
                both = np.empty((psi.shape[0], 2), dtype=np.complex128)
                both[:, 0] = psi[:, 0]
                both[:, 1] = program.readout[charge] @ psi[:, 0]
                value += kernels.overlap(both[:, 0], both[:, 1])
                square += kernels.overlap(both[:, 1], both[:, 1])
                kernels.pull_back(both, *self._reversed, blocks.dagger, *rows, moments[0, ::-1])
        return Draw(value, square, contract(program, blocks, moments)[0])

    @cached_property
    def _reversed(self) -> tuple[Index, Index]:
        """Kind and table of every block, last block first."""
        return np.ascontiguousarray(self.program.kind[::-1]), np.ascontiguousarray(self.program.table[::-1])

    def _forward(self, charge: int | None, vector: Complex, blocks: Blocks) -> Complex:
        psi = np.ascontiguousarray(vector)[:, None].copy()
        program = self.program
        rows = program.tables[charge].arguments
        kernels.multiply(psi, _ONE, program.kind, program.table, blocks.unitary, *rows)
        return psi

    # -- kappa ------------------------------------------------------------------------------------------------------

    @cached_property
    def jumps(self) -> tuple[SlotJumps, ...]:
        """Each slot's noise as jumps."""
        out = []
        first = 0
        for slot in self.program.slots:
            out.append(slot_jumps(self.program, slot, first))
            first += len(slot.terms)
        return tuple(out)

    def phases(self, charge: int | None) -> Phases:
        """Diagonal operators on a sector, prepared once."""
        if charge not in self._phases:
            self._phases[charge] = Phases(self.program.sectors[charge])
        return self._phases[charge]

    def first_order(self, theta: Real, rng: np.random.Generator) -> FirstOrderDraw:
        """sum_k g_k^2 exactly and sum_k g_k g'_k by noise term, unbiased, for one draw of signs."""
        blocks = build_blocks(self.program, theta)
        gradient = self._noiseless(blocks).gradient
        sweep = FirstOrderSweep(self.program, self.jumps, self.phases, blocks, gradient, rng)
        for charge, vectors in self.program.inputs(theta):
            sweep.add(charge, vectors)
        square = float(np.sum(gradient**2))
        per_parameter = np.stack([gradient**2, np.full(gradient.size, math.nan)])
        slope = float(sweep.budget.sum())
        return FirstOrderDraw(gradient, square, slope, math.nan, per_parameter, sweep.budget)


def block_count(program: Program) -> int:
    """Blocks that keep the charge which would take as long as all blocks of a program."""
    return program.num_blocks + (_QUAD - 1) * int(np.count_nonzero(program.kind == QUAD))
