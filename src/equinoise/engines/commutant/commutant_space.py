"""States in the commutant of a symmetry: blocks of m_lambda x m_lambda numbers, one for each irrep that noise reaches.

Circuit and noise commute with a group, and so does readout or input: only the average of either over the group counts,
and everything happens among the operators that commute with it. A layer is a list of moves, and the state after each is
kept: the derivative by a step's angle is 2 Im Tr[A H rho] right after it, exp(-i angle H) commuting with H.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from equinoise.circuit.pauli_sums import sparse_matrix
from equinoise.engines.adjoint import Moments
from equinoise.engines.block_space import Blocks, BlockSpace, StepPoint
from equinoise.engines.commutant.commutant_steps import Move, moves
from equinoise.engines.commutant.slot_noise import Reach, SlotNoise
from equinoise.engines.contract import about, memory_limit
from equinoise.errors import MemoryLimitError
from equinoise.reduction.compiled import IsotypicSector
from equinoise.reduction.symmetric_program import SymmetricProgram
from equinoise.symmetry.commutant_basis import Commutant
from equinoise.symmetry.isotypic import Isotypic

__all__ = ["CommutantPoint", "CommutantSpace"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class CommutantPoint(StepPoint):
    """What one sweep goes with.

    Attributes:
        unitaries: Of each move, one a block.
    """

    unitaries: list[list[Complex]]


class CommutantSpace(BlockSpace[CommutantPoint]):
    """The commutant of a compiled problem's symmetry.

    Args:
        program: The compiled problem.
        found: Its symmetry, decomposed.

    Attributes:
        commutant: The coordinates of states, shape (orders, numbers).
        slot_noise: Generators and channels.

    Raises:
        MemoryLimitError: Not even one draw fits in memory (with the numbers).
        SymmetryError: A step or a slot's noise leads out of the commutant.
    """

    def __init__(self, program: SymmetricProgram, found: Isotypic) -> None:
        self.found = found
        reach = Reach(program, found)
        self.commutant = commutant = Commutant(found, reach.of_input())
        self._moves: tuple[Move, ...] = moves(program.steps, commutant)
        self._layers: list[list[int]] = [[] for _ in range(program.num_layers)]
        for number, move in enumerate(self._moves):
            self._layers[move.layer].append(number)
        room = memory_limit()
        needed = self.draw_bytes(1)
        if needed > room:
            raise MemoryLimitError(
                f"one gradient in the commutant of {program.symmetry} on {program.width} qubits keeps "
                f"{about(commutant.numbers)} complex numbers for each of {len(self._moves)} moves: "
                f"{about(needed, 10**9)} GB, and {room / 1e9:.3g} GB are free. Use fewer layers or a narrower light "
                "cone; EQUINOISE_MEMORY_GB sets the limit."
            )
        self.slot_noise = SlotNoise(reach, commutant)
        readout = sparse_matrix(program.readout, program.width)
        super().__init__(
            program,
            commutant.of_vectors(program.input_vectors()),
            commutant.of_operator(readout),
            commutant.of_operator(csr_array(readout @ readout)),
        )

    def draw_bytes(self, orders: int) -> int:
        """Estimated peak of one sweep."""
        return 16 * self.commutant.numbers * orders * (len(self._moves) + 6)

    def _point(self, angles: Real, rates: Real, scale: float | None, orders: int) -> CommutantPoint:
        return CommutantPoint(angles, rates, scale, orders, [move.prepared(angles) for move in self._moves])

    # -- one layer -------------------------------------------------------------------------------------------------

    def forward(
        self, point: CommutantPoint, layer: int, state: Complex, tape: list[Complex] | None = None, onward: bool = True
    ) -> Complex:
        """U rho U^dag in place, move by move; the state after each goes on the tape."""
        for number in self._layers[layer]:
            self._moves[number].forward(state, point.unitaries[number])
            if tape is not None:
                tape.append(state.copy())
        return state

    def noise(self, point: CommutantPoint, layer: int, state: Complex, adjoint: bool = False) -> Complex:
        """exp(s E) of a slot, or its adjoint; in place for power series."""
        return self.slot_noise.apply(self.program.slots[layer], point.scale, state, adjoint)

    def pull_back(
        self, point: CommutantPoint, layer: int, tape: list[Complex], operator: Complex, moments: Moments, onward: bool
    ) -> Complex:
        """U^dag A U in place, with each move's moments; the circuit's first move is not undone."""
        for number in reversed(self._layers[layer]):
            move = self._moves[number]
            moments[:, list(move.steps)] = move.moments(operator, tape.pop())
            if onward or tape:
                move.backward(operator, point.unitaries[number])
        return operator

    # -- pairs X + eps dX ------------------------------------------------------------------------------------------

    def forward_tangent(self, point: CommutantPoint, layer: int, pair: Complex) -> Complex:
        """(rho, drho) after a layer: d(U rho U^dag) = U drho U^dag - i [dangle H, U rho U^dag]."""
        pair = pair.copy()
        for number in self._layers[layer]:
            move = self._moves[number]
            move.forward(pair, point.unitaries[number])
            pair[1] += move.commutator(pair[:1], point.rates)[0]
        return pair

    def backward_tangent(self, point: CommutantPoint, layer: int, pair: Complex) -> Complex:
        """(A, dA) before a layer: d(U^dag A U) = U^dag (dA + i [dangle H, A]) U."""
        for number in reversed(self._layers[layer]):
            move = self._moves[number]
            pair[1] -= move.commutator(pair[:1], point.rates)[0]
            move.backward(pair, point.unitaries[number])
        return pair

    def shares(self, layer: int, operator: Complex, state: Complex) -> Real:
        """<<dA|E_j|rho>> + <<A|E_j|drho>> for each term j of a slot."""
        return np.array(self.slot_noise.shares(self.program.slots[layer], operator, state), dtype=np.float64)

    # -- sectors, for the fixed point ------------------------------------------------------------------------------

    @property
    def kept_symmetry(self) -> str:
        """What the noise keeps of the symmetry claimed."""
        return str(self.program.symmetry)

    @property
    def sectors(self) -> tuple[IsotypicSector, ...]:
        """The irreps that the noise reaches from the input."""
        return tuple(IsotypicSector(i.label, i.multiplicity, i.dimension) for i in self.commutant.irreps)

    def handed_out(self, state: Complex) -> Blocks:
        """A copy of a state's first order, block by block."""
        return self.commutant.split(state[0].copy())

    def limit(self, layer: int, state: Blocks) -> Blocks:
        """What a slot's noise leaves of a state at s = infinity, on all cone qubits where the irreps held allow it."""
        return self.commutant.split(self.slot_noise.limit(layer, self.commutant.join(state)[None])[0])

    def generator_blocks(self) -> list[Blocks]:
        """The different generators of the circuit's steps."""
        out = []
        for generator in self.program.generators:
            blocks = self.found.twirled(self.found.transformed(sparse_matrix(generator, self.program.width)))
            out.append([blocks[k].toarray() for k in self.commutant.kept])
        return out
