"""What the two spaces of symmetric operators share: blocks of one matrix per sector, in one flat array.

An operator that commutes with the symmetry is (+)_lambda X_lambda (x) 1_d, and Tr[A B] is a plain sum over elements in
coordinates that make it so. A circuit is a list of steps exp(-i angle H), of which several may depend on one parameter.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from equinoise.engines.adjoint import AdjointEngine, Moments, Space
from equinoise.engines.contract import Engine
from equinoise.reduction.compiled import IsotypicSector
from equinoise.reduction.program import Program
from equinoise.reduction.symmetric_program import SymmetricProgram

__all__ = ["BlockEngine", "BlockSpace", "Blocks", "StepPoint", "held_sectors", "kept_symmetry", "real_overlap"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
Blocks = list[Complex]


@dataclass(frozen=True)
class StepPoint:
    """What one sweep goes with.

    Attributes:
        angles: Of the steps, radians.
        rates: Of pairs: derivatives of the angles along the direction.
        scale: Noise scale; None for the power series at s = 0.
        orders: Of states.
    """

    angles: Real
    rates: Real
    scale: float | None
    orders: int


Point = TypeVar("Point", bound=StepPoint)


class BlockSpace(Space[Complex, Point, Complex]):
    """A space in which states and operators have the shape (orders, numbers).

    They are handed out as one matrix X_lambda (m, m) per sector, scaled so that Tr X_lambda is the sector's weight.

    Args:
        program: The compiled problem.
        start: The input, shape (numbers,).
        readout: O averaged over the group, shape (numbers,).
        square: O^2 likewise.
    """

    def __init__(self, program: SymmetricProgram, start: Complex, readout: Complex, square: Complex) -> None:
        self.program = program
        self.depth = program.num_layers
        self._start = start
        self._readout = readout
        self._square = square

    @property
    def readout(self) -> Complex:
        """O averaged over the group, shape (numbers,)."""
        return self._readout

    @property
    def square(self) -> Complex:
        """O^2 likewise."""
        return self._square

    # -- what a sweep goes with ------------------------------------------------------------------------------------

    @abstractmethod
    def _point(self, angles: Real, rates: Real, scale: float | None, orders: int) -> Point:
        """With what is made of the angles once."""

    def at(self, theta: Real, scale: float | None, orders: int) -> Point:
        """What a sweep at theta, shape (K,), and scale s goes with."""
        angles = self.program.angles(theta)
        return self._point(angles, np.zeros(angles.size), scale, orders)

    def along(self, theta: Real, direction: Real) -> Point:
        """What a noiseless sweep of pairs X + eps dX goes with, d along ``direction``, shape (K,)."""
        return self._point(self.program.angles(theta), self.program.angle_rates(direction), 0.0, 2)

    def kept(self, point: Point) -> int:
        """All layers: whether they fit is asked when the space is built."""
        return self.depth

    # -- states and observables ------------------------------------------------------------------------------------

    def input(self, point: Point) -> Complex:
        """The input."""
        return self.operator(point, self._start)

    def operator(self, point: Point, operator: Complex, change: Complex | None = None) -> Complex:
        """An observable after the last slot; ``change`` is dA of a pair."""
        state = np.zeros((point.orders, self._start.size), dtype=np.complex128)
        state[0] = operator
        if change is not None:
            state[1] = change
        return state

    def seen(self, point: Point, operator: Complex) -> Complex:
        """An observable before the last slot's noise."""
        return self.noise(point, self.depth - 1, self.operator(point, operator), adjoint=True)

    def weighted(self, operators: Sequence[Complex], weights: Real) -> Complex:
        """sum_i w_i A_i."""
        return np.asarray(sum((w * a for a, w in zip(operators, weights, strict=True)), np.zeros_like(self._start)))

    def overlap(self, operator: Complex, state: Complex) -> Real:
        """Tr[A rho] as a power series in s, shape (orders,)."""
        orders = range(state.shape[0])
        return np.array([sum(real_overlap(operator[j], state[k - j]) for j in range(k + 1)) for k in orders])

    def expectations(self, point: Point, state: Complex, operators: Sequence[Complex]) -> Real:
        """Tr[A exp(s E)(rho)] of each observable, E the last slot's."""
        noisy = self.noise(point, self.depth - 1, state)
        return np.array([real_overlap(a, noisy[0]) for a in operators])

    # -- one layer -------------------------------------------------------------------------------------------------

    def moments(self, point: Point) -> Real:
        """2 Im Tr[A H rho] of each step, shape (orders, steps)."""
        return np.zeros((point.orders, len(self.program.steps)))

    def gradient(self, point: Point, moments: Moments) -> Real:
        """The same of every circuit parameter, shape (orders, K)."""
        return self.program.by_parameter(moments)

    # -- sectors, for the fixed point ------------------------------------------------------------------------------

    @property
    @abstractmethod
    def kept_symmetry(self) -> str:
        """The symmetry, in words."""

    @property
    @abstractmethod
    def sectors(self) -> tuple[IsotypicSector, ...]:
        """Those that it holds."""

    @abstractmethod
    def generator_blocks(self) -> list[Blocks]:
        """The different generators H of the circuit's steps."""


class BlockEngine(AdjointEngine[Complex, Point, Complex]):
    """An engine in the commutant of a symmetry.

    Attributes:
        program: The compiled problem.
        space: Where its states live.
    """

    program: SymmetricProgram
    space: BlockSpace[Point]


def held_sectors(engine: Engine) -> tuple[IsotypicSector, ...]:
    """The sectors in which an engine holds density matrices, sum m^2 complex numbers each."""
    return engine.space.sectors if isinstance(engine, BlockEngine) else cast(Program, engine.program).isotypic_sectors


def kept_symmetry(engine: Engine) -> str:
    """The symmetry that an engine works with, in words; "none" in the full space."""
    space = engine.space if isinstance(engine, BlockEngine) else cast(Program, engine.program)
    return space.kept_symmetry


def real_overlap(a: Complex, b: Complex) -> float:
    """Tr[A B] of Hermitian operators; not by BLAS, whose sums depend on where arrays lie in memory."""
    return float(np.sum(a.real * b.real) + np.sum(a.imag * b.imag))
