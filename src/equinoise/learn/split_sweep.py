"""Sweeps over a circuit in two parts: a loader whose angles are data, and a part that is trained.

Loader and noise are linear, and the trained part is the same for every sample. So a class value is
f_c(x) = Tr[A_c(theta) rho(x)] with rho(x) the noisy loaded state, which does not change in training, and A_c(theta) the
class observable pulled back through the trained part with its noise, once for all samples. The gradient of a loss
sum_x l(f(x)) with weights w_xc = dl/df_c(x) is sum_c d/dtheta Tr[A_c(theta) R_c], R_c = sum_x w_xc rho(x): one sweep
forward and one back per class, however many samples there are. All of it is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from equinoise.engines.draws import parallel_draws
from equinoise.engines.sector.block_unitaries import build_blocks, contract
from equinoise.engines.sector.exact import ExactEngine
from equinoise.reduction.operators import OperatorEntries
from equinoise.reduction.program import Program

__all__ = ["SplitSweep"]

Real = npt.NDArray[np.float64]
State = dict[int | None, Real]


class SplitSweep(ExactEngine):
    """The exact engine on a program whose first layers load data.

    States and observables outside it are vectors: real and imaginary parts of all charge blocks in a row, so that
    Tr[A rho] of Hermitian A and rho is their dot product.

    Args:
        program: The whole circuit with its noise.
        split: Number of layers of the loader.
        workers: As for the engine.

    Raises:
        MemoryLimitError: Not even one state fits in memory.
        UnsupportedError: The noise is correlated in time.
    """

    def __init__(self, program: Program, split: int, workers: int | None = None) -> None:
        super().__init__(program, workers)
        self.split = split
        self._made_from = (program, split, workers)

    @property
    def size(self) -> int:
        """Length of a state's vector."""
        return 2 * self.program.numbers

    def vector(self, state: State) -> Real:
        """The vector of a state."""
        return np.concatenate([array[0].ravel() for array in state.values()])

    def _fill(self, state: State, vector: Real) -> None:
        start = 0
        for array in state.values():
            array[0] = vector[start : start + array[0].size].reshape(array[0].shape)
            start += array[0].size

    def loaded(self, theta: Real, scale: float) -> Real:
        """The state after the loader and its noise, shape (size,).

        Args:
            theta: All angles, shape (K,), radians; those of the trained part do not matter.
            scale: Noise scale s.
        """
        self._room_of.roomy = True
        state = self._states(build_blocks(self.program, theta), scale, 1, range(self.split - 1, self.split))[-1]
        self.channel(self.split - 1, scale).apply(state)
        return self.vector(state)

    def pulled_back(self, theta: Real, scale: float, operator: OperatorEntries) -> Real:
        """An operator in the Heisenberg picture at the end of the loader, shape (size,).

        Args:
            theta: All angles, shape (K,), radians; those of the loader do not matter.
            scale: Noise scale s.
            operator: Of the whole circuit's end.
        """
        self._room_of.roomy = True
        blocks = build_blocks(self.program, theta)
        adjoint = self._seen(operator, scale, 1)
        for number in range(self.depth - 1, self.split - 1, -1):
            if number < self.depth - 1:
                self.channel(number, scale).apply_adjoint(adjoint)
            layer = self.program.layers[number]
            first, last = self._reversed_slice(layer)
            reverse = (layer.kind_reversed, layer.table_reversed, blocks.dagger[first:last])
            for q, array in adjoint.items():
                self._conjugate(q, array, array, 0, 1, (*reverse, *self.program.tables[q].arguments))
        return self.vector(adjoint)

    def gradient_from(self, theta: Real, scale: float, operator: OperatorEntries, start: Real) -> Real:
        """d/dtheta Tr[A N(theta) R] for a Hermitian R at the end of the loader, shape (K,); 0 for the loader's angles.

        Args:
            theta: All angles, shape (K,), radians.
            scale: Noise scale s.
            operator: A.
            start: R as a vector, shape (size,).
        """
        self._room_of.roomy = True
        program = self.program
        blocks = build_blocks(program, theta)
        every = dict.fromkeys(program.charges, (0, 1))
        state = self._zero("state", 1)
        self._fill(state, start)
        kept: list[State] = []
        for number in range(self.split, self.depth):
            room = self._room(f"kept {number}", 1)
            self._rotate(state, room, program.layers[number], blocks, every)
            kept.append(room)
            if number + 1 < self.depth:
                for q, array in room.items():
                    state[q][:] = array
                self.channel(number, scale).apply(state)
        moments = np.zeros((1, program.num_blocks, 4, 4), dtype=np.complex128)
        adjoint = self._seen(operator, scale, 1)
        for number in range(self.depth - 1, self.split - 1, -1):
            if number < self.depth - 1:
                self.channel(number, scale).apply_adjoint(adjoint)
            layer = program.layers[number]
            part = np.zeros((1, layer.stop - layer.start, 4, 4), dtype=np.complex128)
            rho = kept.pop()
            for q in program.charges:
                self._pull_back(q, rho, adjoint, layer, blocks, 0, 1, number > self.split, part)
            moments[:, layer.start : layer.stop] = part[:, ::-1]
        return np.asarray(contract(program, blocks, moments)[0])

    def in_threads(self, function: Callable[[int], Real], count: int) -> list[Real]:
        """function(0), ..., function(count - 1) in this engine's threads, in order."""
        return parallel_draws(function, range(count), self.workers)

    def all_pulled_back(self, theta: Real, scale: float, operators: Sequence[OperatorEntries]) -> Real:
        """:meth:`pulled_back` of each operator, shape (m, size)."""
        return np.stack(self.in_threads(lambda i: self.pulled_back(theta, scale, operators[i]), len(operators)))
