r"""The permutation engine: equivariant circuits under noise alike on all qubits, at C(n+3, 3) numbers a state.

State and readout are blocks of total spin (see :mod:`equinoise.symmetry.spin_blocks`). A step exp(-i a H), H the same
from every qubit, is a small matrix per block: in H's eigenbasis element (i, j) takes the phase exp(-i a (h_i - h_j)),
and the derivative is 2 Im sum_ij h_i conj(A_ij) rho_ij. Forward, the state after each step is kept in that basis;
backward, the readout is pulled through noise and steps.
"""

from __future__ import annotations

import math
import os

import numpy as np
import numpy.typing as npt

from equinoise.circuit.pauli_sums import Sum, multiplied
from equinoise.engines.contract import Cost, ExactAnswers, about, check_serves, memory_limit
from equinoise.engines.draws import Draw
from equinoise.engines.spin.orbits import SymmetricSlot, symmetric_slot, symmetric_sum, totals
from equinoise.engines.spin.spin_frame import Frame, eigenframe
from equinoise.engines.spin.spin_noise import SpinChannel, SpinGenerators
from equinoise.errors import MemoryLimitError, UnsupportedError
from equinoise.reduction.compiled import IsotypicSector
from equinoise.reduction.symmetric_program import SymmetricProgram
from equinoise.symmetry.spin_blocks import spin_blocks

__all__ = ["PermutationEngine"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

SERIES_ORDERS = 3
# per step and number of a block of dimension d: matrix products of d operations, on one core; for estimates only
SECONDS_PER_OPERATION = 1e-9
# beyond it the 2^n amplitudes of an entangled input do not fit
MOST_ENTANGLED = 20
# beyond it the readout's square is not multiplied out term by term
MOST_TERMS = 2000


class PermutationEngine(ExactAnswers):
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
        >>> round(draw.value, 6), engine.blocks.size
        (48.893053, 23426)
    """

    name = "permutation"

    def __init__(self, program: SymmetricProgram, workers: int | None = None) -> None:
        check_serves(type(self), program)
        super().__init__(program, workers)
        self.program = program
        n = program.width
        self.blocks = spin_blocks(n)
        self.generators = SpinGenerators(n)
        different = {id(slot): slot for slot in program.slots}
        compiled = {key: symmetric_slot(slot, n) for key, slot in different.items()}
        self.slots = tuple(compiled[id(slot)] for slot in program.slots)
        self._channels: dict[tuple[SymmetricSlot, float], SpinChannel] = {}
        self._layers: list[list[int]] = [[] for _ in range(program.num_layers)]
        self._frames: list[Frame] = []
        for index, step in enumerate(program.steps):
            sums = symmetric_sum(step.generator, n) or {}
            self._frames.append(eigenframe(n, tuple(sorted(sums.items()))))
            self._layers[step.layer].append(index)
        self.input = self._input()
        self.readout = self.blocks.twirled(totals(program.readout))
        self.square = self._square()
        room = memory_limit()
        if self.memory_bytes > room:
            raise MemoryLimitError(
                f"{len(program.steps)} steps on {n} qubits keep {about(self.memory_bytes, 10**9)} GB and "
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

    # -- preparation ---------------------------------------------------------------------------------------------

    def _input(self) -> Complex:
        product = self.program.product
        if product is not None:
            return self.blocks.product_state(np.asarray(product))
        return self.blocks.vectors_state(np.asarray(self.program.input_vectors()))

    def _square(self) -> Complex:
        """The average over permutations of O^2: of the blocks themselves if O is the same on all places."""
        readout = self.program.readout
        if symmetric_sum(readout, self.program.width) is not None:
            return self.blocks.join([o @ o for o in self.blocks.split(self.readout)])
        if len(readout) > MOST_TERMS:
            raise UnsupportedError(
                f"a readout of {len(readout)} terms that differ from qubit to qubit is too long to square. "
                "Use a symmetric readout or fewer terms."
            )
        return self.blocks.twirled(totals(_squared(readout)))

    def channel(self, layer: int, scale: float) -> SpinChannel:
        """The noise of a slot at a scale, built once."""
        key = (self.slots[layer], scale)
        if key not in self._channels:
            self._channels[key] = SpinChannel(self.generators, self.slots[layer], scale)
        return self._channels[key]

    # -- sweeps --------------------------------------------------------------------------------------------------

    def _noise(self, state: Complex, layer: int, scale: float | None, adjoint: bool = False) -> Complex:
        """A slot's channel, or (None) its power series in s at s = 0 up to the orders held."""
        if scale is not None:
            channel = self.channel(layer, scale)
            return channel.apply_adjoint(state) if adjoint else channel.apply(state)
        # exp(s E_second) exp(s E_first), each stage 1 + s E + s^2 E^2/2 on the orders held; the adjoint takes them in
        # reverse.
        slot = self.slots[layer]
        for rates in (slot.second, slot.first) if adjoint else (slot.first, slot.second):
            if rates:
                once = self.generators.total(rates, state, adjoint)
                twice = self.generators.total(rates, once[:1], adjoint)
                state = state.copy()
                state[1:] += once[:-1]
                state[2:] += twice / 2
        return state

    def _angles(self, theta: Real) -> list[float]:
        return [step.angle.at(theta) for step in self.program.steps]

    def _forward(self, theta: Real, scale: float | None, orders: int, kept: list[Complex] | None = None) -> Complex:
        """The state after all slots; ``kept`` gets that after each step, in the step's basis."""
        state: Complex = np.zeros((orders, self.blocks.size), dtype=np.complex128)
        state[0] = self.input
        angles = self._angles(theta)
        for layer, steps in enumerate(self._layers):
            for index in steps:
                frame = self._frames[index]
                turned = frame.enter(state, angles[index])
                if kept is not None:
                    kept.append(turned)
                state = frame.leave(turned)
            state = self._noise(state, layer, scale)
        return state

    def _gradient(self, theta: Real, scale: float | None, orders: int, kept: list[Complex]) -> Real:
        """The gradient of <<O|rho>> per order, shape (orders, K)."""
        operator: Complex = np.zeros((orders, self.blocks.size), dtype=np.complex128)
        operator[0] = self.readout
        angles = self._angles(theta)
        out = np.zeros((orders, theta.size))
        for layer in range(len(self._layers) - 1, -1, -1):
            operator = self._noise(operator, layer, scale, adjoint=True)
            for index in reversed(self._layers[layer]):
                frame = self._frames[index]
                turned = frame.enter(operator)
                # dC/da of exp(-i a H) is Tr[A (-i) [H, rho]] = 2 Im Tr[A H rho] with rho after the step and A pulled
                # back to there, both in the eigenbasis of H; orders i + j of the two series give order i + j of the
                # gradient.
                state = kept.pop()
                for order in range(orders):
                    slope = sum(_moment(turned[j], state[order - j], frame) for j in range(order + 1))
                    for k, coefficient in self.program.steps[index].angle.coefficients:
                        out[order, k] += coefficient * slope
                operator = frame.leave(turned, angles[index])
        return out

    def state(self, theta: Real, scale: float) -> Complex:
        """The state after all slots, averaged over permutations: flat, blocks of ``self.blocks``."""
        return np.asarray(self._forward(theta, scale, 1)[0])

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

    def layer_states(self, theta: Real) -> list[list[Complex]]:
        """The noiseless state after each layer, in every block."""
        state, angles, out = self.input[None], self._angles(theta), []
        for steps in self._layers:
            for index in steps:
                frame = self._frames[index]
                state = frame.leave(frame.enter(state, angles[index]))
            out.append(self.blocks.split(state[0].copy()))
        return out

    def limit(self, layer: int, state: list[Complex]) -> list[Complex]:
        """What a slot's noise leaves of a state at s = infinity."""
        return self.blocks.split(self.channel(layer, math.inf).apply(self.blocks.join(state)[None])[0])

    def generator_blocks(self) -> list[list[Complex]]:
        """The different generators of the circuit's steps."""
        different = {frozenset(s.generator.items()): s.generator for s in self.program.steps}.values()
        return [self.blocks.split(self.blocks.twirled(totals(generator))) for generator in different]

    # -- quantities of one draw ------------------------------------------------------------------------------------

    def value(self, theta: Real, scale: float, rng: np.random.Generator | None = None) -> tuple[float, float]:
        """C(theta; s) and <O^2>."""
        state = self.state(theta, scale)
        return _overlap(self.readout, state), _overlap(self.square, state)

    def draw(self, theta: Real, scale: float, rng: np.random.Generator | None = None) -> Draw:
        """Value, <O^2> and gradient at one scale (0 to infinity)."""
        kept: list[Complex] = []
        state = self._forward(theta, scale, 1, kept)[0]
        gradient = self._gradient(theta, scale, 1, kept)[0]
        return Draw(_overlap(self.readout, state), _overlap(self.square, state), gradient)

    def series(self, theta: Real) -> Real:
        """Taylor coefficients of the gradient in s at s = 0, shape (3, K)."""
        kept: list[Complex] = []
        self._forward(theta, None, SERIES_ORDERS, kept)
        return self._gradient(theta, None, SERIES_ORDERS, kept)

    def budget(self, theta: Real, direction: Real) -> Real:
        """Derivative along ``direction`` of <<O_l| E_j |rho_l>> for each of ``program.budget_terms``, at s = 0.

        All places of a mechanism have equal shares: each is the average over permutations.
        """
        angles = self._angles(theta)
        rates = [sum(c * float(direction[k]) for k, c in s.angle.coefficients) for s in self.program.steps]
        # row 0 a quantity, row 1 its derivative along the direction
        state = np.stack([self.input, np.zeros_like(self.input)])
        states = []
        for steps in self._layers:
            for index in steps:
                state = self._step(state, index, angles[index], rates[index])
            states.append(state)
        operator = np.stack([self.readout, np.zeros_like(self.readout)])
        found: list[list[float]] = []
        for layer in range(len(self._layers) - 1, -1, -1):
            found.append(self._shares(self.slots[layer], operator, states.pop()))
            for index in reversed(self._layers[layer]):
                operator = self._step(operator, index, -angles[index], -rates[index])
        return np.array([share for layer in reversed(found) for share in layer])

    def _step(self, pair: Complex, index: int, angle: float, rate: float) -> Complex:
        frame = self._frames[index]
        # d(U X U^dag) = U dX U^dag - i rate [H, U X U^dag]; in the eigenbasis the commutator multiplies by h_i - h_j.
        turned = frame.enter(pair, angle)
        turned[1] -= 1j * rate * frame.gaps * turned[0]
        return frame.leave(turned)

    def _shares(self, slot: SymmetricSlot, operator: Complex, state: Complex) -> list[float]:
        # <<dO| E |rho>> + <<O| E |drho>> for each kind at rate 1; a term of the budget has its share of each kind's
        # rate.
        kinds = dict.fromkeys(kind for share in slot.shares for kind, _ in share)
        slopes = {}
        for kind in kinds:
            moved = self.generators.apply(kind, state, False)
            slopes[kind] = _overlap(operator[0], moved[1]) + _overlap(operator[1], moved[0])
        return [sum(rate * slopes[kind] for kind, rate in share) for share in slot.shares]


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


def _overlap(operator: Complex, state: Complex) -> float:
    """Tr[A rho] = Re sum conj(A_ij) rho_ij for Hermitian A."""
    # not a BLAS dot: its threads would fight the draws
    return float(np.sum(operator.real * state.real + operator.imag * state.imag))


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
