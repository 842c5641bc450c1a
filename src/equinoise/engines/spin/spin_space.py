r"""States in blocks of total spin, which is where what is the same on all qubits lives: C(n+3, 3) numbers for n qubits.

A step exp(-i angle H), H the same from every qubit, is a small matrix per block. In H's eigenbasis element (i, j) takes
the phase exp(-i angle (h_i - h_j)) and the derivative is 2 Im sum_ij h_i conj(A_ij) rho_ij, so the state after each
step is kept in that basis, where the readout meets it on the way back.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from equinoise.circuit.pauli_sums import Sum, multiplied
from equinoise.engines.adjoint import Moments
from equinoise.engines.block_space import Blocks, BlockSpace, StepPoint, real_overlap
from equinoise.engines.spin.orbits import SymmetricSlot, symmetric_slot, symmetric_sum, totals
from equinoise.engines.spin.spin_frame import Frame, eigenframe
from equinoise.engines.spin.spin_noise import SpinChannel, SpinGenerators
from equinoise.errors import UnsupportedError
from equinoise.reduction.compiled import IsotypicSector
from equinoise.reduction.symmetric_program import SymmetricProgram
from equinoise.symmetry.spin_blocks import SpinBlocks, spin_blocks

__all__ = ["SpinSpace"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

# beyond it the readout's square is not multiplied out term by term
MOST_TERMS = 2000


class SpinSpace(BlockSpace[StepPoint]):
    """The blocks of total spin of a compiled problem.

    Args:
        program: The compiled problem, the same from every qubit.

    Attributes:
        blocks: Of states, flat arrays of shape (orders, size).
        slots: The noise, by kinds that are the same on all qubits.

    Raises:
        UnsupportedError: Circuit or noise differ from qubit to qubit.
    """

    def __init__(self, program: SymmetricProgram) -> None:
        n = program.width
        self.blocks = spin_blocks(n)
        self._generators = SpinGenerators(n)
        different = {id(slot): slot for slot in program.slots}
        compiled = {key: symmetric_slot(slot, n) for key, slot in different.items()}
        self.slots: tuple[SymmetricSlot, ...] = tuple(compiled[id(slot)] for slot in program.slots)
        self._channels: dict[tuple[SymmetricSlot, float], SpinChannel] = {}
        self._layers: list[list[int]] = [[] for _ in range(program.num_layers)]
        self._frames: list[Frame] = []
        for index, step in enumerate(program.steps):
            sums = symmetric_sum(step.generator, n) or {}
            self._frames.append(eigenframe(n, tuple(sorted(sums.items()))))
            self._layers[step.layer].append(index)
        readout = self.blocks.twirled(totals(program.readout))
        super().__init__(program, _input(program, self.blocks), readout, _square(program, self.blocks, readout))

    def _point(self, angles: Real, rates: Real, scale: float | None, orders: int) -> StepPoint:
        return StepPoint(angles, rates, scale, orders)

    def channel(self, layer: int, scale: float) -> SpinChannel:
        """The noise of a slot at a scale, built once."""
        key = (self.slots[layer], scale)
        if key not in self._channels:
            self._channels[key] = SpinChannel(self._generators, self.slots[layer], scale)
        return self._channels[key]

    # -- one layer -------------------------------------------------------------------------------------------------

    def forward(
        self, point: StepPoint, layer: int, state: Complex, tape: list[Complex] | None = None, onward: bool = True
    ) -> Complex:
        """U rho U^dag, step by step; the state after each goes on the tape, in the step's eigenbasis."""
        for index in self._layers[layer]:
            frame = self._frames[index]
            turned = frame.enter(state, point.angles[index])
            if tape is not None:
                tape.append(turned)
            state = frame.leave(turned)
        return state

    def noise(self, point: StepPoint, layer: int, state: Complex, adjoint: bool = False) -> Complex:
        """exp(s E) of a slot, or its adjoint."""
        if point.scale is None:
            return self._expanded(layer, state, adjoint)
        channel = self.channel(layer, point.scale)
        return channel.apply_adjoint(state) if adjoint else channel.apply(state)

    def _expanded(self, layer: int, x: Complex, adjoint: bool) -> Complex:
        """exp(s E) on a power series in s to second order: x_1 + E x_0, and x_2 + E x_1 + E^2 x_0 / 2."""
        slot = self.slots[layer]
        for rates in (slot.second, slot.first) if adjoint else (slot.first, slot.second):
            if rates:
                once = self._generators.total(rates, x, adjoint)
                twice = self._generators.total(rates, once[:1], adjoint)
                x = x.copy()
                x[1:] += once[:-1]
                x[2:] += twice / 2
        return x

    def pull_back(
        self, point: StepPoint, layer: int, tape: list[Complex], operator: Complex, moments: Moments, onward: bool
    ) -> Complex:
        """U^dag A U, with each step's moments per order; the circuit's first step is not undone."""
        for index in reversed(self._layers[layer]):
            frame = self._frames[index]
            turned = frame.enter(operator)
            state = tape.pop()
            for k in range(point.orders):
                moments[k, index] = sum(_moment(turned[j], state[k - j], frame) for j in range(k + 1))
            if onward or tape:
                operator = frame.leave(turned, point.angles[index])
        return operator

    # -- pairs X + eps dX ------------------------------------------------------------------------------------------

    def forward_tangent(self, point: StepPoint, layer: int, pair: Complex) -> Complex:
        """(rho, drho) after a layer."""
        for index in self._layers[layer]:
            pair = self._turned_pair(pair, index, point.angles[index], point.rates[index])
        return pair

    def backward_tangent(self, point: StepPoint, layer: int, pair: Complex) -> Complex:
        """(A, dA) before a layer."""
        for index in reversed(self._layers[layer]):
            pair = self._turned_pair(pair, index, -point.angles[index], -point.rates[index])
        return pair

    def _turned_pair(self, pair: Complex, index: int, angle: float, rate: float) -> Complex:
        """d(U X U^dag) = U dX U^dag - i [dangle H, U X U^dag]; the commutator is h_i - h_j times element (i, j)."""
        frame = self._frames[index]
        turned = frame.enter(pair, angle)
        turned[1] -= 1j * rate * frame.gaps * turned[0]
        return frame.leave(turned)

    def shares(self, layer: int, operator: Complex, state: Complex) -> Real:
        """<<dA|E_j|rho>> + <<A|E_j|drho>> for each term j of a slot.

        All places of a mechanism have equal shares: each is the average over permutations.
        """
        slot = self.slots[layer]
        slopes = {}
        for kind in dict.fromkeys(kind for share in slot.shares for kind, _ in share):
            moved = self._generators.apply(kind, state, False)
            slopes[kind] = real_overlap(operator[0], moved[1]) + real_overlap(operator[1], moved[0])
        return np.array([sum(rate * slopes[kind] for kind, rate in share) for share in slot.shares], dtype=np.float64)

    # -- sectors, for the fixed point ------------------------------------------------------------------------------

    @property
    def kept_symmetry(self) -> str:
        """All permutations, even where less was claimed."""
        return "permutation"

    @property
    def sectors(self) -> tuple[IsotypicSector, ...]:
        """Those of total spin J = n/2, n/2 - 1, ..."""
        n = self.program.width
        ways = [math.comb(n, k) - (math.comb(n, k - 1) if k else 0) for k in range(n // 2 + 1)]
        dims = self.blocks.dims.tolist()
        return tuple(IsotypicSector(f"J={(m - 1) / 2:g}", m, d) for m, d in zip(dims, ways, strict=True))

    def handed_out(self, state: Complex) -> Blocks:
        """A copy of a state's first order, block by block."""
        return self.blocks.split(state[0].copy())

    def limit(self, layer: int, state: Blocks) -> Blocks:
        """What a slot's noise leaves of a state at s = infinity."""
        return self.blocks.split(self.channel(layer, math.inf).apply(self.blocks.join(state)[None])[0])

    def generator_blocks(self) -> list[Blocks]:
        """The different generators of the circuit's steps."""
        return [self.blocks.split(self.blocks.twirled(totals(generator))) for generator in self.program.generators]


def _input(program: SymmetricProgram, blocks: SpinBlocks) -> Complex:
    """The input averaged over permutations."""
    if program.product is not None:
        return blocks.product_state(np.asarray(program.product))
    return blocks.vectors_state(np.asarray(program.input_vectors()))


def _square(program: SymmetricProgram, blocks: SpinBlocks, readout: Complex) -> Complex:
    """The average over permutations of O^2: of the blocks themselves if O is the same on all places."""
    if symmetric_sum(program.readout, program.width) is not None:
        return blocks.join([o @ o for o in blocks.split(readout)])
    if len(program.readout) > MOST_TERMS:
        raise UnsupportedError(
            f"a readout of {len(program.readout)} terms that differ from qubit to qubit is too long to square. "
            "Use a symmetric readout or fewer terms."
        )
    return blocks.twirled(totals(_squared(program.readout)))


def _moment(operator: Complex, state: Complex, frame: Frame) -> float:
    """2 Im Tr[A H rho] in the eigenbasis of H."""
    return 2 * float(np.sum(frame.rows * (operator.real * state.imag - operator.imag * state.real)))


def _squared(operator: Sum) -> Sum:
    """O^2 as a Pauli sum: what anticommutes cancels."""
    out: Sum = {}
    for left, a in operator.items():
        for right, b in operator.items():
            power, string = multiplied(left, right)
            if power % 2 == 0:
                out[string] = out.get(string, 0.0) + (1 - power) * a * b
    return out
