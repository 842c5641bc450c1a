"""Sweeps over a circuit in two parts: a loader whose angles are data, and a part that is trained.

Loader and noise are linear, and the trained part is the same for every sample. So a class value is
f_c(x) = Tr[A_c(theta) rho(x)] with rho(x) the noisy loaded state, which does not change in training, and A_c(theta) the
class observable pulled back through the trained part with its noise, once for all samples. The gradient of a loss
sum_x l(f(x)) with weights w_xc = dl/df_c(x) is sum_c d/dtheta Tr[A_c(theta) R_c], R_c = sum_x w_xc rho(x): one sweep
forward and one back per class, however many samples there are. All of it is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from equinoise.engines.draws import parallel_draws
from equinoise.engines.sector.exact import ExactEngine
from equinoise.engines.sector.sector_space import SectorPoint
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
        point = self.space.at(theta, scale, 1)
        state = self.final_state(point, self.split)
        return self.vector(self.space.noise(point, self.split - 1, state))

    def pulled_back(self, theta: Real, scale: float, operator: OperatorEntries) -> Real:
        """An operator in the Heisenberg picture at the end of the loader, shape (size,).

        Args:
            theta: All angles, shape (K,), radians; those of the loader do not matter.
            scale: Noise scale s.
            operator: Of the whole circuit's end.
        """
        space, point = self.space, self._point(theta, scale)
        adjoint = space.seen(point, operator)
        for layer in range(space.depth - 1, self.split - 1, -1):
            if layer < space.depth - 1:
                adjoint = space.noise(point, layer, adjoint, adjoint=True)
            adjoint = space.backward(point, layer, adjoint)
        return self.vector(adjoint)

    def gradient_from(self, theta: Real, scale: float, operator: OperatorEntries, start: Real) -> Real:
        """d/dtheta Tr[A N(theta) R] for a Hermitian R at the end of the loader, shape (K,); 0 for the loader's angles.

        Args:
            theta: All angles, shape (K,), radians.
            scale: Noise scale s.
            operator: A.
            start: R as a vector, shape (size,).
        """
        space, point = self.space, self._point(theta, scale)

        def from_start(point: SectorPoint) -> State:
            state = space.blank(point)
            self._fill(state, start)
            return state

        return np.asarray(self.sweep(point, lambda _: space.seen(point, operator), from_start, self.split)[0])

    def _point(self, theta: Real, scale: float) -> SectorPoint:
        """What sweeps of observables and weighted states go with: they live in every charge block, noise or none."""
        return replace(self.space.at(theta, scale, 1), spans=dict.fromkeys(self.program.charges, (0, 1)))

    def in_threads(self, function: Callable[[int], Real], count: int) -> list[Real]:
        """function(0), ..., function(count - 1) in this engine's threads, in order."""
        return list(parallel_draws(function, range(count), self.workers))

    def all_pulled_back(self, theta: Real, scale: float, operators: Sequence[OperatorEntries]) -> Real:
        """:meth:`pulled_back` of each operator, shape (m, size)."""
        return np.stack(self.in_threads(lambda i: self.pulled_back(theta, scale, operators[i]), len(operators)))
