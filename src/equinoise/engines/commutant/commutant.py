"""The commutant engine: exact noisy gradients for any symmetry given by generators.

Everything happens among the operators that commute with the group, in blocks of the irreps that the noise can reach
from the input; the sweep is that of all exact engines.
"""

from __future__ import annotations

import os
from functools import lru_cache

from equinoise.engines.adjoint import SERIES_ORDERS
from equinoise.engines.block_space import BlockEngine
from equinoise.engines.commutant.commutant_space import CommutantPoint, CommutantSpace
from equinoise.engines.commutant.slot_noise import taylor_products
from equinoise.engines.contract import Cost, check_serves, memory_limit
from equinoise.reduction.symmetric_program import SymmetricProgram
from equinoise.symmetry.isotypic import MAX_CUBES, MAX_WIDTH, diagonalisation_cost, isotypic

__all__ = ["CommutantEngine"]

# a step on one coordinate per row of its block that it mixes, measured on one core; for estimates only
SECONDS_PER_UPDATE = 3e-9
# one element of a sparse generator in a product, likewise
SECONDS_PER_COUPLING = 1.5e-9

decomposed = lru_cache(maxsize=16)(isotypic)
_cubes = lru_cache(maxsize=64)(diagonalisation_cost)


class CommutantEngine(BlockEngine[CommutantPoint]):
    """Exact noisy values and gradients of a problem compiled for its symmetry.

    Args:
        program: The compiled problem.
        workers: Draws run at once (threads); by default all processors, fewer when memory is short.

    Raises:
        MemoryLimitError: Not even one draw fits in memory (with the numbers).
        SymmetryError: A step or a slot's noise leads out of the commutant.
    """

    name = "commutant"
    space: CommutantSpace

    def __init__(self, program: SymmetricProgram, workers: int | None = None) -> None:
        check_serves(type(self), program)
        super().__init__(program, workers)
        self.program = program
        room = memory_limit()
        self.space = CommutantSpace(program, decomposed(program.symmetry))
        self.workers = max(1, min(workers or os.cpu_count() or 1, room // self.space.draw_bytes(SERIES_ORDERS)))

    @classmethod
    def obstacle(cls, program: SymmetricProgram) -> str | None:
        """Why a problem is not for this engine, and which one serves; None if it is."""
        if program.width > MAX_WIDTH:
            return (
                f"the light cone of {program.width} qubits is wider than the {MAX_WIDTH} on which a symmetry is "
                "decomposed numerically; engine 'permutation' takes more for permutation-equivariant circuits"
            )
        if _cubes(program.symmetry) > MAX_CUBES:
            return (
                f"the symmetry {program.symmetry} mixes too many of the 2^{program.width} states to be decomposed "
                "numerically; engine 'permutation' takes more for permutation-equivariant circuits"
            )
        return None

    @classmethod
    def cost(cls, program: SymmetricProgram) -> Cost:
        """Seconds and bytes of one gradient."""
        found = decomposed(program.symmetry)
        # f states of the computational basis to a vector of the commutant's; where it is 1, all is as local as there
        states = found.basis.nnz / 2**found.width
        rows = [2 if states == 1 else i.multiplicity for i in found.irreps]
        updates = sum(i.multiplicity**2 * r for i, r in zip(found.irreps, rows, strict=True)) * len(program.steps)
        products = {slot: taylor_products(slot) for slot in dict.fromkeys(program.slots)}
        coupled = found.numbers * min(found.numbers, 4 * states**2)
        noise = 2 * SECONDS_PER_COUPLING * coupled * sum(products[slot] for slot in program.slots)
        return Cost(6 * SECONDS_PER_UPDATE * updates + noise, 16 * found.numbers * (len(program.steps) + 6))

    @property
    def memory_bytes(self) -> int:
        """Estimated peak of one gradient, in bytes."""
        return self.space.draw_bytes(1)
