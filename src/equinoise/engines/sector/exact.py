"""The exact engine: density matrix in the cone's charge blocks, adjoint gradients, derivatives in the noise scale.

Forward, the state of each noise slot is kept; backward, the readout is pulled through noise and blocks (Heisenberg
picture), and each parameter's derivative 2 Im Tr[A G_k rho] is read off both on the way. Derivatives in s at s = 0 come
from the same sweeps on truncated power series; the budget from one sweep with a tangent along the gradient.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.engines.contract import Cost, ExactAnswers, about, bounded, check_serves, memory_limit
from equinoise.engines.draws import Draw
from equinoise.engines.sector import kernels
from equinoise.engines.sector.block_unitaries import Blocks, build_blocks, contract
from equinoise.engines.sector.channel import KEEP_BYTES, Channel
from equinoise.errors import MemoryLimitError
from equinoise.reduction.operators import OperatorEntries, weighted_sum
from equinoise.reduction.program import LayerProgram, Program

__all__ = ["ExactEngine"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
Index = npt.NDArray[np.int64]
State = dict[int | None, Real]
Spans = dict[int | None, tuple[int, int]]

SERIES_ORDERS = 3
# for estimates only, in seconds, fitted to cones of 4 to 13 qubits under six kinds of noise on one core: a block on one
# complex number of a density matrix, near (in cache) and far; a jump that moves the charge on it; the numbers that are
# half near, half far; what Python takes per call, per layer, per layer and sector, per jump and sector
_NEAR, _FAR, _MOVE, _CACHED = 5.1e-9, 1.3e-8, 2.0e-9, 4.4e5
_CALL, _LAYER, _SECTOR, _TERM = 9e-5, 1.3e-5, 1.7e-5, 1.5e-6


@dataclass(frozen=True)
class _Plan:
    """A sweep's memory: states kept, whether there is scratch beside them, bytes in all."""

    kept: int
    roomy: bool
    bytes: int


class _Rooms(threading.local):
    """Each thread's own working memory: no two draws that run at once share an array.

    Attributes:
        arrays: By name and number of orders, allocated once.
        roomy: Whether there is scratch beside the states that a sweep keeps.
    """

    def __init__(self) -> None:
        self.arrays: dict[tuple[str, int], State] = {}
        self.roomy = True


class ExactEngine(ExactAnswers):
    """Exact noisy values and gradients of a compiled problem.

    Args:
        program: The compiled problem.
        workers: Draws run at once (threads; the kernels release the GIL). By default all processors, fewer when memory
            is short.

    Raises:
        MemoryLimitError: Not even one draw fits in memory (with the numbers).
    """

    name = "exact"

    def __init__(self, program: Program, workers: int | None = None) -> None:
        check_serves(type(self), program)
        super().__init__(program, workers)
        self.program = program
        self.depth = len(program.layers)
        self._channels: dict[tuple[int, float | None], Channel] = {}
        self._slot_index = {slot: i for i, slot in enumerate(dict.fromkeys(program.slots))}
        self._room_of = _Rooms()
        # masks are shared by all draws; those too large to keep are made again row by row
        self.shared_bytes = max(0 if 8 * d * d > KEEP_BYTES else 8 * d * d for d in program.dimensions)
        room = memory_limit() - self.shared_bytes
        needed = self._plan(1, room).bytes
        if needed > room:
            raise MemoryLimitError(self._refusal("one gradient", needed, room))
        for q in program.charges:  # shared by all draws, so not left to whichever comes first
            _ = program.tables[q]
        self._room_bytes = room
        wanted = workers or os.cpu_count() or 1
        self.workers = max(1, min(wanted, room // max(self._plan(SERIES_ORDERS, room).bytes, self._tangent_bytes())))

    # -- what it can do, and at what cost --------------------------------------------------------------------------

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
        shared = max(0 if 8 * d * d > KEEP_BYTES else 8 * d * d for d in program.dimensions)
        moves = sum(term.mechanism != "dephasing" for term in program.budget_terms)
        depth, sectors, numbers = len(program.layers), len(program.charges), bounded(program.numbers)
        beyond = numbers / (numbers + _CACHED)
        block = _NEAR + (_FAR - _NEAR) * beyond
        calls = _CALL + depth * (_LAYER + _SECTOR * sectors) + _TERM * moves * sectors
        seconds = calls + numbers * (block * program.num_blocks + _MOVE * moves)
        return Cost(min(seconds, 1e300), shared + 2 * 16 * program.numbers)

    # -- memory --------------------------------------------------------------------------------------------------

    def _plan(self, orders: int, room: int) -> _Plan:
        """How many states a sweep keeps: all, or as many as fit, repeating the sweep from the start for the others."""
        state = 16 * self.program.numbers * orders
        if (self.depth + 3) * state <= room:
            return _Plan(self.depth, True, (self.depth + 3) * state)
        kept = int(min(self.depth, max(1, room // state - 1)))
        return _Plan(kept, False, (kept + 1) * state)

    def _tangent_bytes(self) -> int:
        """The budget's sweep: state and tangent of each layer, readout and scratch with theirs."""
        return 16 * self.program.numbers * (2 * self.depth + 6)

    def _refusal(self, what: str, needed: int, room: int) -> str:
        program = self.program
        return (
            f"the light cone of {program.width} qubits holds {about(program.numbers)} complex numbers "
            f"({about(16 * program.numbers, 10**9)} GB a state); {what} needs {about(needed, 10**9)} GB and "
            f"{max(room, 0) / 1e9:.3g} GB are free. Use fewer layers, a more local readout, an input of lower charge, "
            "or noise that conserves the charge; engine 'trajectories' needs state vectors only; EQUINOISE_MEMORY_GB "
            "sets the limit."
        )

    @property
    def memory_bytes(self) -> int:
        """Estimated peak of one gradient, in bytes."""
        return self.shared_bytes + self._plan(1, self._room_bytes).bytes

    @property
    def kept(self) -> int:
        """States that one gradient keeps at once; fewer than the layers when memory is short."""
        return self._plan(1, self._room_bytes).kept

    # -- preparation ---------------------------------------------------------------------------------------------

    def channel(self, layer: int, scale: float | None) -> Channel:
        """The noise of a slot at a scale (None: its power series at s = 0), built once."""
        slot = self.program.slots[layer]
        key = (self._slot_index[slot], scale)
        if key not in self._channels:
            self._channels[key] = Channel(self.program, slot, scale)
        return self._channels[key]

    # -- sweeps --------------------------------------------------------------------------------------------------

    def _room(self, name: str, orders: int) -> State:
        """This thread's arrays of that name: allocated once, their content whatever was left there."""
        rooms = self._room_of.arrays
        if (name, orders) not in rooms:
            dims = zip(self.program.charges, self.program.dimensions, strict=True)
            rooms[name, orders] = {q: np.empty((orders, 2, d, d)) for q, d in dims}
        return rooms[name, orders]

    def _zero(self, name: str, orders: int) -> State:
        state = self._room(name, orders)
        for array in state.values():
            array[:] = 0.0
        return state

    def _initial(self, orders: int) -> State:
        state = self._zero("state", orders)
        for q in self.program.input_charges:
            rows, columns, values = self.program.initial_entries(q)
            state[q][0, 0, rows, columns] = values.real
            state[q][0, 1, rows, columns] = values.imag
        return state

    @property
    def _roomy(self) -> bool:
        """Whether this thread's sweep has scratch arrays, or works in place."""
        return self._room_of.roomy

    def _operator(self, entries: OperatorEntries, orders: int, room: str = "readout") -> State:
        state = self._zero(room, orders)
        for q, (rows, columns, values) in entries.items():
            state[q][0, 0, rows, columns] = values.real
            state[q][0, 1, rows, columns] = values.imag
        return state

    def _first_order(self, charge: int | None, orders: int) -> int:
        """The lowest power of s at which the state can be in a block: noise moves the charge step by step."""
        if orders == 1 or charge is None:
            return 0
        step = 2 if any(len(q) == 2 for slot in self.program.slots for q, _ in slot.depolarizing) else 1
        distance = min(abs(charge - q) for q in self.program.input_charges if q is not None)
        return min(orders, -(-distance // step))

    def _rotate(self, state: State, result: State, layer: LayerProgram, blocks: Blocks, spans: Spans) -> None:
        """Makes ``result`` (which may be ``state``) U state U^dag; outside the spans both are left alone."""
        u = blocks.unitary[layer.start : layer.stop]
        for q, rho in state.items():
            first, last = spans[q]
            if first < last:
                args = (layer.kind, layer.table, u, *self.program.tables[q].arguments)
                self._conjugate(q, rho, result[q], first, last, args)

    def _conjugate(self, q: int | None, source: Real, target: Real, first: int, last: int, args: Any) -> None:
        """Makes ``target`` B source B^dag = (B (B source)^dag)^dag for a product B of blocks."""
        if self._roomy:
            scratch = self._room("scratch", source.shape[0])[q]
            kernels.multiply_left(source, scratch, first, last, True, *args)
            kernels.multiply_left(scratch, target, first, last, True, *args)
            return
        kernels.multiply_left(source, target, first, last, False, *args)
        kernels.dagger(target, first, last)
        kernels.multiply_left(target, target, first, last, False, *args)

    def _spans(self, orders: int, noiseless: bool = False) -> Spans:
        """Per block, the orders in which the forward state can differ from zero."""
        inputs = self.program.input_charges
        if noiseless:
            return {q: (0, orders if q in inputs else 0) for q in self.program.charges}
        return {q: (self._first_order(q, orders), orders) for q in self.program.charges}

    def _states(self, blocks: Blocks, scale: float | None, orders: int, keep: range) -> list[State]:
        """The states after the unitaries of the layers in ``keep``; the last of them is the running state itself."""
        spans = self._spans(orders, noiseless=scale == 0)
        state = self._initial(orders)
        kept: list[State] = []
        for number in range(keep.stop):
            layer = self.program.layers[number]
            if number in keep and number + 1 < keep.stop:
                room = self._room(f"kept {number - keep.start}", orders)
                self._rotate(state, room, layer, blocks, spans)
                for q, (first, last) in spans.items():
                    room[q][:first] = 0.0
                    room[q][last:] = 0.0
                    state[q][:] = room[q]
                kept.append(room)
            else:
                self._rotate(state, state, layer, blocks, spans)
            if number + 1 < keep.stop:
                self.channel(number, scale).apply(state)
        return [*kept, state]

    def _seen(self, entries: OperatorEntries, scale: float | None, orders: int) -> State:
        """An operator through the last slot's noise; pure dephasing leaves a diagonal one as it is."""
        channel = self.channel(self.depth - 1, scale)
        operator = self._operator(entries, orders)
        if not (channel.dephases_only and all(np.array_equal(r, c) for r, c, _ in entries.values())):
            channel.apply_adjoint(operator)
        return operator

    def _overlap(self, operator: State, state: State) -> Real:
        """Tr[A rho] as a power series in s, shape (orders,)."""
        # not a BLAS dot: its threads would fight the draws, and a single gradient's own thread
        total = np.zeros(next(iter(state.values())).shape[0])
        for q, rho in state.items():
            for k in range(total.size):
                for j in range(k + 1):
                    total[k] += np.einsum("i,i->", operator[q][j].ravel(), rho[k - j].ravel())
        return total

    def _expectations(self, rho: State, scale: float, operators: Sequence[OperatorEntries]) -> Real:
        """Tr[A N(rho)] for each operator A, N the last slot's noise; takes the readout's room."""
        noisy = self._room("readout", 1)
        for q, array in rho.items():
            noisy[q][:] = array
        self.channel(self.depth - 1, scale).apply(noisy)
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

    def _sweep(self, theta: Real, scale: float | None, orders: int, read: Callable[[State], State]) -> Real:
        """The gradient of <<A|rho>> per order, shape (orders, K).

        ``read`` is given the state before the last slot's noise N and returns N^dag(A), in the readout's room.
        """
        program = self.program
        blocks = build_blocks(self.program, theta)
        spans = self._spans(orders, noiseless=scale == 0)
        moments = np.zeros((orders, program.num_blocks, 4, 4), dtype=np.complex128)
        plan = self._plan(orders, self._room_bytes)
        if plan.bytes > self._room_bytes:
            raise MemoryLimitError(self._refusal("the law", plan.bytes, self._room_bytes))
        self._room_of.roomy = plan.roomy
        adjoint: State = {}
        stop = self.depth
        while stop > 0:
            start = max(0, stop - plan.kept)
            kept = self._states(blocks, scale, orders, range(start, stop))
            for number in range(stop - 1, start - 1, -1):
                rho = kept.pop()
                if number == self.depth - 1:
                    adjoint = read(rho)
                else:
                    self.channel(number, scale).apply_adjoint(adjoint)
                layer = program.layers[number]
                part = np.zeros((orders, layer.stop - layer.start, 4, 4), dtype=np.complex128)
                for q, (low, high) in spans.items():
                    if low < high:
                        self._pull_back(q, rho, adjoint, layer, blocks, low, orders - low, number > 0, part)
                moments[:, layer.start : layer.stop] = part[:, ::-1]
            stop = start
        return contract(program, blocks, moments)

    def _pull_back(
        self,
        q: int | None,
        rho: State,
        adjoint: State,
        layer: LayerProgram,
        blocks: Blocks,
        low: int,
        needed: int,
        onward: bool,
        moments: Complex,
    ) -> None:
        """One layer of one charge block backwards: its moments, and the readout before the layer if ``onward``."""
        first, last = self._reversed_slice(layer)
        reverse = (layer.kind_reversed, layer.table_reversed, blocks.dagger[first:last])
        args = (*reverse, *self.program.tables[q].arguments)
        if self._roomy:
            half = self._room("scratch", adjoint[q].shape[0])[q]
            kernels.backward_half(rho[q], adjoint[q], half, low, needed, True, *args, moments)
            if onward:
                kernels.multiply_left(half, adjoint[q], 0, needed, True, *args)
            return
        kernels.backward_half(rho[q], adjoint[q], adjoint[q], low, needed, False, *args, moments)
        if onward:
            kernels.dagger(adjoint[q], 0, needed)
            kernels.multiply_left(adjoint[q], adjoint[q], 0, needed, False, *args)

    def _reversed_slice(self, layer: LayerProgram) -> tuple[int, int]:
        """Where a layer's blocks stand in the reversed list."""
        return self.program.num_blocks - layer.stop, self.program.num_blocks - layer.start

    # -- quantities of one draw ------------------------------------------------------------------------------------

    def value(self, theta: Real, scale: float, rng: np.random.Generator | None = None) -> tuple[float, float]:
        """C(theta; s) and <O^2>."""
        value, square = self.values(theta, scale, [self.program.readout_entries, self.program.square_entries])
        return float(value), float(square)

    def values(self, theta: Real, scale: float, operators: Sequence[OperatorEntries]) -> Real:
        """Tr[A rho(theta; s)] for several operators that the cone and its charges hold, shape (len(operators),)."""
        self._room_of.roomy = self._plan(1, self._room_bytes).roomy
        (rho,) = self._states(build_blocks(self.program, theta), scale, 1, range(self.depth - 1, self.depth))
        return self._expectations(rho, scale, operators)

    def draw(self, theta: Real, scale: float, rng: np.random.Generator | None = None) -> Draw:
        """Value, <O^2> and gradient at one scale (0 to infinity)."""
        operators = [self.program.readout_entries, self.program.square_entries]
        values, gradient = self.value_and_pullback(theta, scale, operators, lambda _: np.array([1.0, 0.0]))
        return Draw(float(values[0]), float(values[1]), gradient)

    def value_and_pullback(
        self,
        theta: Real,
        scale: float,
        operators: Sequence[OperatorEntries],
        cotangent: Callable[[Real], Real],
    ) -> tuple[Real, Real]:
        """Values of several operators and the gradient of any function of them, by one sweep forward and one back.

        With values c_i = Tr[A_i rho(theta; s)] the gradient is sum_i w_i dc_i/dtheta_k for w = cotangent(c): the
        derivative of f(c_1, ..., c_m) where w_i = df/dc_i.

        Args:
            theta: Shape (K,), radians.
            scale: Noise scale s in [0, infinity].
            operators: Operators A_i that the program's cone and charges hold; see ``Program.operator_entries``.
            cotangent: From the values, shape (m,), to the weights w, shape (m,).

        Returns:
            The values, shape (m,), and the gradient, shape (K,), per radian.
        """
        found: list[Real] = []

        def read(rho: State) -> State:
            values = self._expectations(rho, scale, operators)
            found.append(values)
            return self._seen(weighted_sum(operators, cotangent(values)), scale, 1)

        gradient = self._sweep(theta, scale, 1, read)
        return found[0], gradient[0]

    def series(self, theta: Real) -> Real:
        """Taylor coefficients of the gradient in s at s = 0: g(s) = g_0 + g_1 s + g_2 s^2 + ..., shape (3, K)."""
        return self._sweep(
            theta, None, SERIES_ORDERS, lambda _: self._seen(self.program.readout_entries, None, SERIES_ORDERS)
        )

    def expansion(self, theta: Real, operator: OperatorEntries) -> tuple[Real, Real]:
        """Taylor coefficients in s at s = 0 of an operator's value and gradient: shapes (3,) and (3, K)."""
        found: list[Real] = []

        def read(rho: State) -> State:
            adjoint = self._seen(operator, None, SERIES_ORDERS)
            found.append(self._overlap(adjoint, rho))
            return adjoint

        gradient = self._sweep(theta, None, SERIES_ORDERS, read)
        return found[0], gradient

    def final_states(self, theta: Real, scale: float) -> list[State]:
        """The state after the unitaries of each layer (before its slot), order axis of length 1."""
        self._room_of.roomy = True
        kept = self._states(build_blocks(self.program, theta), scale, 1, range(self.depth))
        return [{q: rho.copy() for q, rho in state.items()} for state in kept]

    def budget(
        self,
        theta: Real,
        direction: Real,
        operator: OperatorEntries | None = None,
        change: OperatorEntries | None = None,
    ) -> Real:
        """Derivative along ``direction`` of <<O_l| E_j |rho_l>> for each of ``program.budget_terms``, at s = 0.

        With direction = gradient this is sum_k g_k g'_k split by noise term. An operator other than the readout may
        depend on the parameters itself: ``change`` is then its derivative along the direction.
        """
        parts = [
            self.channel(number, None).generator_overlaps(*states)
            for number, states in self._tangents(theta, direction, operator, change)
        ]
        return np.concatenate(parts[::-1])

    def mode_weights(self, theta: Real, direction: Real, modes: Sequence[Mapping[int | None, Index]]) -> list[Complex]:
        """Per slot, the amplitudes a_m = sum over elements (x, y) of mode m of dO*_xy rho_xy + O*_xy drho_xy.

        Args:
            theta: Shape (K,), radians.
            direction: Along which d is taken, shape (K,).
            modes: Per slot and block, the mode number of each element, shape (D, D).
        """
        out: list[Complex] = []
        for number, (o, do, rho, drho) in self._tangents(theta, direction):
            count = 1 + max(int(index.max()) for index in modes[number].values())
            total = np.zeros(count, dtype=np.complex128)
            for q, r in rho.items():
                index = modes[number][q].ravel()
                overlap = [
                    (a[0, 0] - 1j * a[0, 1]) * (b[0, 0] + 1j * b[0, 1]) for a, b in ((do[q], r), (o[q], drho[q]))
                ]
                amplitude = (overlap[0] + overlap[1]).ravel()
                total += np.bincount(index, weights=amplitude.real, minlength=count)
                total += 1j * np.bincount(index, weights=amplitude.imag, minlength=count)
            out.append(total)
        return out[::-1]

    def _tangents(
        self,
        theta: Real,
        direction: Real,
        operator: OperatorEntries | None = None,
        change: OperatorEntries | None = None,
    ) -> Iterator[tuple[int, tuple[State, State, State, State]]]:
        """Noiseless readout and state at each slot with their derivatives along ``direction``, last slot first."""
        program = self.program
        if self._tangent_bytes() > self._room_bytes:
            raise MemoryLimitError(self._refusal("the law's budget", self._tangent_bytes(), self._room_bytes))
        blocks = build_blocks(self.program, theta)
        tangent, tangent_dagger = blocks.tangent(program, direction)
        inputs = [q for q in program.charges if q in program.input_charges]
        state, dstate = self._initial(1), self._zero("tangent", 1)
        scratch, dscratch = self._room("scratch", 1), self._room("tangent scratch", 1)
        kept: list[tuple[State, State]] = []
        for number, layer in enumerate(program.layers):
            u, du = blocks.unitary[layer.start : layer.stop], tangent[layer.start : layer.stop]
            rho, drho = self._room(f"kept {number}", 1), self._room(f"tangent {number}", 1)
            for q in inputs:
                args = (layer.kind, layer.table, u, du, *program.tables[q].arguments)
                kernels.multiply_left_tangent(state[q], dstate[q], scratch[q], dscratch[q], *args)
                kernels.multiply_left_tangent(scratch[q], dscratch[q], rho[q], drho[q], *args)
            state, dstate = rho, drho
            kept.append(({q: rho[q] for q in inputs}, {q: drho[q] for q in inputs}))
        adjoint = self._operator(program.readout_entries if operator is None else operator, 1)
        dadjoint = self._operator(change or {}, 1, "tangent")
        for number in range(self.depth - 1, -1, -1):
            rho, drho = kept.pop()
            yield number, (adjoint, dadjoint, rho, drho)
            if number == 0:
                break
            layer = program.layers[number]
            first, last = self._reversed_slice(layer)
            reverse = (layer.kind_reversed, layer.table_reversed, blocks.dagger[first:last], tangent_dagger[first:last])
            for q in self._budget_charges:
                rows = program.tables[q].arguments
                kernels.multiply_left_tangent(adjoint[q], dadjoint[q], scratch[q], dscratch[q], *reverse, *rows)
                kernels.multiply_left_tangent(scratch[q], dscratch[q], adjoint[q], dadjoint[q], *reverse, *rows)

    def commutator_norms(self, theta: Real, state: State) -> Real:
        """Frobenius norms of [G_k, state] for each block generator, shape (slots,)."""
        program = self.program
        blocks = build_blocks(self.program, theta)
        empty, scratch = self._zero("tangent", 1), self._room("scratch", 1)
        dscratch = self._room("tangent scratch", 1)
        one = np.eye(4, dtype=np.complex128)[None]
        norms = np.zeros(program.slot_parameter.size)
        layer_of = {b: layer for layer in program.layers for b in range(layer.start, layer.stop)}
        for i, b in enumerate(program.slot_block):
            layer = layer_of[int(b)]
            place = slice(int(b) - layer.start, int(b) - layer.start + 1)
            step = -1j * blocks.generator[i : i + 1]
            for q, rho in state.items():
                # the tangent of one half is (-i G rho)^dag = i rho G; with its adjoint that is the commutator
                args = (layer.kind[place], layer.table[place], one, step, *program.tables[q].arguments)
                kernels.multiply_left_tangent(rho, empty[q], scratch[q], dscratch[q], *args)
                half = dscratch[q][0]
                real, imaginary = half[0] + half[0].T, half[1] - half[1].T
                norms[i] += float(np.sum(real**2) + np.sum(imaginary**2))
        return np.sqrt(norms)

    @property
    def _budget_charges(self) -> list[int | None]:
        return [q for q in self.program.charges if self._first_order(q, 2) <= 1]
