"""States in the cone's charge blocks: one density matrix of D x D numbers for each charge that the noise reaches.

Blocks are small (at most 4 x 4) and a layer holds many, so that a layer is one pass over tiles of columns that stay in
cache; see :mod:`equinoise.engines.sector.kernels`. All is done in place, on each thread's own arrays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.engines.adjoint import Moments, Space
from equinoise.engines.sector import kernels
from equinoise.engines.sector.block_unitaries import Blocks, build_blocks, contract
from equinoise.engines.sector.channel import Channel
from equinoise.engines.sector.working_memory import MemoryPlan, Rooms, SweepMemory
from equinoise.reduction.operators import OperatorEntries, weighted_sum
from equinoise.reduction.program import Program

__all__ = ["SectorPoint", "SectorSpace"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
State = dict[int | None, Real]
Spans = dict[int | None, tuple[int, int]]

PAIR_ORDERS = 2


@dataclass(frozen=True)
class SectorPoint:
    """What one sweep goes with.

    Attributes:
        blocks: Unitaries and generators at theta.
        scale: Noise scale; None for the power series at s = 0.
        orders: Of states.
        spans: Per charge block, the orders (first, last + 1) in which a state can differ from zero.
        plan: The sweep's memory.
        tangent: Of pairs: derivatives of the unitaries and of their adjoints, last block first, along a direction.
    """

    blocks: Blocks
    scale: float | None
    orders: int
    spans: Spans
    plan: MemoryPlan
    tangent: tuple[Complex, ...] = ()


class SectorSpace(Space[State, SectorPoint, OperatorEntries]):
    """The charge blocks of a compiled problem.

    Args:
        program: The compiled problem.

    Raises:
        MemoryLimitError: Not even one draw fits in memory (with the numbers).
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.depth = len(program.layers)
        self.memory = SweepMemory(program)
        self._rooms = Rooms(dict(zip(program.charges, program.dimensions, strict=True)))
        self._channels: dict[tuple[int, float | None], Channel] = {}
        self._slot_index = {slot: i for i, slot in enumerate(dict.fromkeys(program.slots))}
        for q in program.charges:  # shared by all draws, so not left to whichever comes first
            _ = program.tables[q]

    # -- what a sweep goes with ------------------------------------------------------------------------------------

    @property
    def readout(self) -> OperatorEntries:
        """O in each charge block."""
        return self.program.readout_entries

    @property
    def square(self) -> OperatorEntries:
        """O^2 in each charge block."""
        return self.program.square_entries

    def at(self, theta: Real, scale: float | None, orders: int) -> SectorPoint:
        """What a sweep at theta, shape (K,), and scale s goes with."""
        plan = self.memory.plan(orders)
        self.memory.require("the law", plan.bytes)
        spans = {q: (self._first_order(q, orders), orders) for q in self.program.charges}
        if scale == 0:
            inputs = self.program.input_charges
            spans = {q: (0, orders if q in inputs else 0) for q in self.program.charges}
        return SectorPoint(build_blocks(self.program, theta), scale, orders, spans, plan)

    def along(self, theta: Real, direction: Real) -> SectorPoint:
        """What a noiseless sweep of pairs X + eps dX goes with."""
        self.memory.require("the law's budget", self.memory.tangent_bytes)
        blocks = build_blocks(self.program, theta)
        plan = MemoryPlan(self.depth, True, self.memory.tangent_bytes)
        tangent = blocks.tangent(self.program, direction)
        spans = {q: (self._first_order(q, PAIR_ORDERS), PAIR_ORDERS) for q in self.program.charges}
        return SectorPoint(blocks, 0.0, PAIR_ORDERS, spans, plan, tangent)

    def kept(self, point: SectorPoint) -> int:
        """Layers of which a sweep keeps the state at once."""
        return point.plan.kept

    def channel(self, layer: int, scale: float | None) -> Channel:
        """The noise of a slot at a scale (None: its power series at s = 0), built once."""
        slot = self.program.slots[layer]
        key = (self._slot_index[slot], scale)
        if key not in self._channels:
            self._channels[key] = Channel(self.program, slot, scale)
        return self._channels[key]

    def _first_order(self, charge: int | None, orders: int) -> int:
        """The lowest power of s at which the state can be in a block: noise moves the charge step by step."""
        if orders == 1 or charge is None:
            return 0
        step = max(1, *(slot.largest_step for slot in self.program.slots))
        distance = min(abs(charge - q) for q in self.program.input_charges if q is not None)
        return min(orders, -(-distance // step))

    # -- states and observables ------------------------------------------------------------------------------------

    def input(self, point: SectorPoint) -> State:
        """The input on the cone."""
        entries = {q: self.program.initial_entries(q, point.blocks.theta) for q in self.program.input_charges}
        return _fill(self._rooms.zero("state", point.orders), entries)

    def blank(self, point: SectorPoint) -> State:
        """The room of the state that is moved, whatever was left there: to be filled before a sweep."""
        return self._rooms.room("state", point.orders)

    def operator(self, point: SectorPoint, operator: OperatorEntries, change: OperatorEntries | None = None) -> State:
        """An observable after the last slot; ``change`` is dA of a pair."""
        state = _fill(self._rooms.zero("readout", point.orders), operator)
        return _fill(state, change, order=1) if change else state

    def seen(self, point: SectorPoint, operator: OperatorEntries) -> State:
        """An observable before the last slot's noise; pure dephasing leaves a diagonal one as it is."""
        state = self.operator(point, operator)
        channel = self.channel(self.depth - 1, point.scale)
        if not (channel.dephases_only and all(np.array_equal(r, c) for r, c, _ in operator.values())):
            channel.apply_adjoint(state)
        return state

    def weighted(self, operators: Sequence[OperatorEntries], weights: Real) -> OperatorEntries:
        """sum_i w_i A_i."""
        return weighted_sum(operators, weights)

    def overlap(self, operator: State, state: State) -> Real:
        """Tr[A rho] as a power series in s, shape (orders,)."""
        # not a BLAS dot: its threads would fight the draws, and a single gradient's own thread
        total = np.zeros(next(iter(state.values())).shape[0])
        for q, rho in state.items():
            for k in range(total.size):
                for j in range(k + 1):
                    total[k] += np.einsum("i,i->", operator[q][j].ravel(), rho[k - j].ravel())
        return total

    def expectations(self, point: SectorPoint, state: State, operators: Sequence[OperatorEntries]) -> Real:
        """Tr[A exp(s E)(rho)] of each observable, E the last slot's; takes the readout's room."""
        noisy = self.noise(point, self.depth - 1, self._copied(state, "readout", point.orders))
        # Tr[A rho] = sum Re(A_xy conj(rho_xy)) for Hermitian rho
        return np.array(
            [
                sum(
                    np.sum(values.real * noisy[q][0, 0, rows, columns] + values.imag * noisy[q][0, 1, rows, columns])
                    for q, (rows, columns, values) in operator.items()
                )
                for operator in operators
            ],
            dtype=np.float64,
        )

    def _copied(self, state: State, name: str, orders: int) -> State:
        room = self._rooms.room(name, orders)
        for q, array in state.items():
            room[q][:] = array
        return room

    # -- one layer -------------------------------------------------------------------------------------------------

    def forward(
        self, point: SectorPoint, layer: int, state: State, tape: list[State] | None = None, onward: bool = True
    ) -> State:
        """U rho U^dag in place; a copy goes on the tape, or the state itself if it is not moved on."""
        program = self.program.layers[layer]
        blocks = (program.kind, program.table, point.blocks.unitary[program.start : program.stop])
        self._conjugate(point, state, blocks)
        if tape is not None:
            tape.append(self._copied(state, f"kept {len(tape)}", point.orders) if onward else state)
        return state

    def noise(self, point: SectorPoint, layer: int, state: State, adjoint: bool = False) -> State:
        """exp(s E) of a slot, or its adjoint, in place."""
        channel = self.channel(layer, point.scale)
        (channel.apply_adjoint if adjoint else channel.apply)(state)
        return state

    def backward(self, point: SectorPoint, layer: int, operator: State) -> State:
        """U^dag A U in place, without moments."""
        return self._conjugate(point, operator, self._reversed(point, layer))

    def _conjugate(self, point: SectorPoint, state: State, blocks: tuple[Any, ...]) -> State:
        """B X B^dag = (B (B X)^dag)^dag for Hermitian X and a product B of blocks, within the point's spans."""
        for q, x in state.items():
            first, last = point.spans[q]
            if first >= last:
                continue
            args = (*blocks, *self.program.tables[q].arguments)
            if point.plan.roomy:
                half = self._rooms.room("scratch", point.orders)[q]
                kernels.multiply_left(x, half, first, last, True, *args)
                kernels.multiply_left(half, x, first, last, True, *args)
            else:
                kernels.multiply_left(x, x, first, last, False, *args)
                kernels.dagger(x, first, last)
                kernels.multiply_left(x, x, first, last, False, *args)
        return state

    def _reversed(self, point: SectorPoint, layer: int) -> tuple[Any, ...]:
        """Kinds, tables and adjoints of a layer's blocks, last block first."""
        program, (first, last) = self.program.layers[layer], self._reversed_slice(layer)
        return *program.reversed, point.blocks.dagger[first:last]

    def _reversed_slice(self, layer: int) -> tuple[int, int]:
        """Where a layer's blocks stand in the reversed list."""
        program = self.program.layers[layer]
        return self.program.num_blocks - program.stop, self.program.num_blocks - program.start

    def moments(self, point: SectorPoint) -> Complex:
        """Tr[A |c><a| rho] on the rows of each block, shape (orders, blocks, d, d)."""
        return np.zeros(self.program.moments_shape(point.orders), dtype=np.complex128)

    def pull_back(
        self, point: SectorPoint, layer: int, tape: list[State], operator: State, moments: Moments, onward: bool
    ) -> State:
        """U^dag A U in place, with the layer's moments; half of it is left undone at the first layer."""
        program, state = self.program.layers[layer], tape.pop()
        part = np.zeros_like(moments[:, program.start : program.stop])
        blocks = self._reversed(point, layer)
        for q, (low, high) in point.spans.items():
            if low >= high:
                continue
            args = (*blocks, *self.program.tables[q].arguments)
            rho, adjoint = state[q], operator[q]
            # a state that starts at order ``low`` meets orders of A below orders - low only
            needed = point.orders - low
            if point.plan.roomy:
                half = self._rooms.room("scratch", point.orders)[q]
                kernels.backward_half(rho, adjoint, half, low, needed, True, *args, part)
                if onward:
                    kernels.multiply_left(half, adjoint, 0, needed, True, *args)
                continue
            kernels.backward_half(rho, adjoint, adjoint, low, needed, False, *args, part)
            if onward:
                kernels.dagger(adjoint, 0, needed)
                kernels.multiply_left(adjoint, adjoint, 0, needed, False, *args)
        moments[:, program.start : program.stop] = part[:, ::-1]
        return operator

    def gradient(self, point: SectorPoint, moments: Moments) -> Real:
        """2 Im Tr[A G_k rho] of every circuit parameter, shape (orders, K)."""
        return contract(self.program, point.blocks, moments)

    # -- pairs X + eps dX ------------------------------------------------------------------------------------------

    def forward_tangent(self, point: SectorPoint, layer: int, pair: State) -> State:
        """(rho, drho) after a layer, in the input's charge blocks: without noise there is nothing elsewhere."""
        program = self.program.layers[layer]
        here = slice(program.start, program.stop)
        blocks = (program.kind, program.table, point.blocks.unitary[here], point.tangent[0][here])
        inputs = [q for q in self.program.charges if q in self.program.input_charges]
        room = self._rooms.room(f"kept {layer}", PAIR_ORDERS)
        self._turn_pair(pair, room, inputs, blocks)
        return {q: room[q] for q in inputs}

    def backward_tangent(self, point: SectorPoint, layer: int, pair: State) -> State:
        """(A, dA) before a layer, in the charge blocks that one power of s reaches from the input."""
        first, last = self._reversed_slice(layer)
        charges = [q for q, (order, _) in point.spans.items() if order <= 1]
        blocks = (*self._reversed(point, layer), point.tangent[1][first:last])
        self._turn_pair(pair, pair, charges, blocks)
        return pair

    def _turn_pair(self, source: State, target: State, charges: list[int | None], blocks: tuple[Any, ...]) -> None:
        """(X, dX) -> (B X B^dag, dB X B^dag + B dX B^dag + B X dB^dag), in two halves."""
        scratch = self._rooms.room("scratch", PAIR_ORDERS)
        for q in charges:
            args = (*blocks, *self.program.tables[q].arguments)
            x, half, y = source[q], scratch[q], target[q]
            kernels.multiply_left_tangent(x[:1], x[1:], half[:1], half[1:], *args)
            kernels.multiply_left_tangent(half[:1], half[1:], y[:1], y[1:], *args)

    def shares(self, layer: int, operator: State, state: State) -> Real:
        """<<dA|E_j|rho>> + <<A|E_j|drho>> for each term j of a slot."""
        pairs = [{q: array[order : order + 1] for q, array in s.items()} for s in (operator, state) for order in (0, 1)]
        return self.channel(layer, None).generator_overlaps(*pairs)

    # -- states, for the fixed point -------------------------------------------------------------------------------

    def handed_out(self, state: State) -> State:
        """A copy of a state's first order."""
        return {q: rho[:1].copy() for q, rho in state.items()}

    def limit(self, layer: int, state: State) -> State:
        """What a slot's noise on all cone qubits leaves of a state at s = infinity."""
        left = self.handed_out(state)
        Channel(self.program, self.program.unrestricted_slot(layer), math.inf).apply(left)
        return left

    def commutator_norms(self, theta: Real, state: State) -> Real:
        """Frobenius norms of [G_k, state] for each block generator, shape (slots,)."""
        program = self.program
        blocks = build_blocks(program, theta)
        empty, scratch = self._rooms.zero("readout", 1), self._rooms.room("scratch", PAIR_ORDERS)
        one = np.eye(blocks.generator.shape[-1], dtype=np.complex128)[None]
        norms = np.zeros(program.slot_parameter.size)
        layer_of = {b: layer for layer in program.layers for b in range(layer.start, layer.stop)}
        for i, b in enumerate(program.slot_block):
            layer = layer_of[int(b)]
            place = slice(int(b) - layer.start, int(b) - layer.start + 1)
            step = -1j * blocks.generator[i : i + 1]
            for q, rho in state.items():
                # the tangent of one half is (-i G rho)^dag = i rho G; with its adjoint that is the commutator
                args = (layer.kind[place], layer.table[place], one, step, *program.tables[q].arguments)
                kernels.multiply_left_tangent(rho, empty[q], scratch[q][:1], scratch[q][1:], *args)
                half = scratch[q][1]
                real, imaginary = half[0] + half[0].T, half[1] - half[1].T
                norms[i] += float(np.sum(real**2) + np.sum(imaginary**2))
        return np.sqrt(norms)


def _fill(state: State, entries: OperatorEntries, order: int = 0) -> State:
    for q, (rows, columns, values) in entries.items():
        state[q][order, 0, rows, columns] = values.real
        state[q][order, 1, rows, columns] = values.imag
    return state
