"""The permutation engine: equivariant circuits under noise alike on all qubits, at C(n+3, 3) numbers a state.

State and readout are blocks of total spin (see :mod:`equinoise.symmetry.spin_blocks`); the sweep is that of all exact
engines.
"""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from equinoise.engines.adjoint import SERIES_ORDERS
from equinoise.engines.block_space import BlockEngine, StepPoint
from equinoise.engines.contract import Cost, about, check_serves, memory_limit
from equinoise.engines.spin.orbits import symmetric_slot, symmetric_sum
from equinoise.engines.spin.spin_space import SpinSpace
from equinoise.errors import MemoryLimitError, UnsupportedError
from equinoise.reduction.symmetric_program import SymmetricProgram
from equinoise.symmetry.spin_blocks import spin_blocks

__all__ = ["PermutationEngine"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

# per step and number of a block of dimension d: matrix products of d operations, on one core; for estimates only
SECONDS_PER_OPERATION = 1e-9
# beyond it the 2^n amplitudes of an entangled input do not fit
MOST_ENTANGLED = 20


class PermutationEngine(BlockEngine[StepPoint]):
    """Exact noisy values and gradients of permutation-equivariant circuits.

    Args:
        program: The compiled problem.
        workers: Draws run at once. By default all processors, fewer when memory is short.

    Raises:
        UnsupportedError: Circuit or noise differ from qubit to qubit (see :meth:`obstacle`).
        MemoryLimitError: Not even one draw fits in memory.

    Source:
        Chase and Geremia, arXiv:0805.2911 (local noise on blocks of total spin); Shammah et al., arXiv:1805.05129
        (PIQS). That a channel needs no matrix exponential of the whole space is derived in
        :mod:`equinoise.engines.spin.spin_noise`.

    Example:
        >>> import equinoise as eq
        >>> from equinoise.reduction.symmetric_program import compiled
        >>> circuit = eq.circuits.permutation_equivariant(50, depth=2)
        >>> readout = "+".join(f"Z{q}" for q in range(50))
        >>> noise = "relaxation:0.01"
        >>> problem = eq.Problem(circuit, readout=readout, initial="0" * 50, noise=noise, symmetry="permutation")
        >>> engine = PermutationEngine(compiled(problem))
        >>> draw = engine.draw(problem.theta([0.1] * len(problem.parameters)), 1.0)
        >>> round(draw.value, 6), engine.space.blocks.size
        (48.893053, 23426)
    """

    name = "permutation"
    space: SpinSpace

    def __init__(self, program: SymmetricProgram, workers: int | None = None) -> None:
        check_serves(type(self), program)
        super().__init__(program, workers)
        self.program = program
        self.space = SpinSpace(program)
        room = memory_limit()
        if self.memory_bytes > room:
            raise MemoryLimitError(
                f"{len(program.steps)} steps on {program.width} qubits keep {about(self.memory_bytes, 10**9)} GB and "
                f"{room / 1e9:.3g} GB are free. Use fewer layers or qubits; EQUINOISE_MEMORY_GB sets the limit."
            )
        wanted = workers or os.cpu_count() or 1
        self.workers = max(1, min(wanted, room // (SERIES_ORDERS * self.memory_bytes)))

    # -- what it can do, and at what cost --------------------------------------------------------------------------

    @classmethod
    def obstacle(cls, program: SymmetricProgram) -> str | None:
        """Why a problem is not for this engine, and which one serves; None if it is."""
        n = program.width
        other = "engine 'commutant' serves small registers"
        for step in program.steps:
            if symmetric_sum(step.generator, n) is None:
                return f"a step of layer {step.layer} differs from qubit to qubit or pair to pair; {other}"
        for layer, slot in enumerate(program.slots):
            try:
                symmetric_slot(slot, n)
            except UnsupportedError as error:
                return f"{error} (slot {layer}); {other}"
        if program.product is None and n > MOST_ENTANGLED:
            return f"an entangled input on {n} qubits has 2^{n} amplitudes; give a product state"
        if symmetric_sum(program.readout, n) is None and not _same_on_all(program):
            return f"neither readout nor input is the same on all qubits, so that no average over them is free; {other}"
        return None

    @classmethod
    def cost(cls, program: SymmetricProgram) -> Cost:
        """Seconds and bytes of one gradient, before any table is built."""
        blocks = spin_blocks(program.width)
        operations = 8 * int(np.sum(blocks.dims**3)) * len(program.steps)
        return Cost(SECONDS_PER_OPERATION * operations, 16 * blocks.size * (len(program.steps) + 8))

    @property
    def memory_bytes(self) -> int:
        """Estimated peak of one gradient, in bytes."""
        return self.cost(self.program).bytes

    def state(self, theta: Real, scale: float) -> Complex:
        """The state after all slots, averaged over permutations: flat, blocks of ``space.blocks``."""
        point = self.space.at(theta, scale, 1)
        return np.asarray(self.space.noise(point, self.space.depth - 1, self.final_state(point))[0])


def _same_on_all(program: SymmetricProgram) -> bool:
    """Whether the input is the same after every exchange of two qubits."""
    product = program.product
    if product is not None:
        overlaps = np.abs(np.asarray(product)[1:].conj() @ np.asarray(product)[0])
        return bool(np.all(np.abs(overlaps - 1) < 1e-12))
    vectors = np.asarray(program.input_vectors())
    n = program.width
    purity = np.linalg.norm(vectors.conj().T @ vectors) ** 2
    for q in range(n - 1):
        tensor = vectors.reshape(*(2,) * n, -1)
        swapped = tensor.swapaxes(n - 1 - q, n - 2 - q).reshape(vectors.shape)
        # Tr[rho^2] - Tr[rho P rho P] = |rho - P rho P|^2 / 2
        if purity - np.linalg.norm(vectors.conj().T @ swapped) ** 2 > 1e-12 * purity:
            return False
    return True
