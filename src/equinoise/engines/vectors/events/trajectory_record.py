"""A trajectory on its way, and what it met: how each of these is undone on the way back.

Unitaries and no-jump factors are undone, so that only the states before jumps, and before what would lose accuracy, are
kept. The adjoint vector lambda goes through the adjoint of each.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from equinoise.engines.vectors import vector_kernels as kernels
from equinoise.engines.vectors.vector_operators import VectorOperator
from equinoise.reduction.row_tables import RowIndex

__all__ = ["Acted", "Jumped", "Running", "Scaled", "act_string", "moved"]

Complex = npt.NDArray[np.complex128]

_ONE = (0,)
# a state is kept instead of undone once dividing by no-jump factors would cost more than this in accuracy
_SMALLEST_FACTOR = 1e-4


@dataclass(frozen=True)
class Scaled:
    """A diagonal factor that a trajectory met.

    Attributes:
        factor: Shape (D,).
        before: The state before it, where dividing by the factor would cost accuracy.
    """

    factor: Complex
    before: Complex | None

    def undo(self, both: Complex) -> Complex:
        """(psi, lambda) before it from those after it."""
        kernels.scale_rows(both[:, 1:], _ONE, self.factor.conj())
        if self.before is not None:
            both[:, 0] = self.before[:, 0]
        else:
            kernels.scale_rows(both[:, :1], _ONE, 1 / self.factor)
        return both


@dataclass(frozen=True)
class Jumped:
    """A jump that a trajectory made: rows of one sector went to rows of another, all else was lost.

    Attributes:
        source: Rows before.
        target: Rows after.
        before: The state before it.
    """

    source: RowIndex
    target: RowIndex
    before: Complex

    def undo(self, both: Complex) -> Complex:
        """(psi, lambda) before it from those after it."""
        out = np.zeros((self.before.shape[0], 2), dtype=np.complex128)
        out[:, 0] = self.before[:, 0]
        out[self.source, 1] = both[self.target, 1]
        return out


@dataclass(frozen=True)
class Acted:
    """An operator that acted on a trajectory.

    Attributes:
        dagger: Its adjoint.
        charge: Of the state after it.
        inverse: Undoes it; None where the state before it was kept.
        before: That state, or None.
        dimension: Of the sector before it.
    """

    dagger: VectorOperator
    charge: int | None
    inverse: VectorOperator | None
    before: Complex | None
    dimension: int

    def undo(self, both: Complex) -> Complex:
        """(psi, lambda) before it from those after it."""
        out = np.zeros((self.dimension, 2), dtype=np.complex128)
        self.dagger.add(out, (1,), both, (1,), self.charge, 1.0)
        if self.before is not None:
            out[:, 0] = self.before[:, 0]
        elif self.inverse is not None:
            self.inverse.add(out, (0,), both, (0,), self.charge, 1.0)
        return out


@dataclass
class Running:
    """A trajectory on its way: its state, and what it met in each slot.

    Attributes:
        charge: Of the state.
        psi: Shape (D, 1), unnormalised.
        reach: Smallest ratio of factors met since a state was last kept.
        path: Per slot, the charge before it and what happened, in time order.
    """

    charge: int | None
    psi: Complex
    reach: float = 1.0
    path: list[tuple[int | None, list[Scaled | Jumped | Acted]]] = field(default_factory=list)

    def scale(self, factor: Complex) -> None:
        """Meets a diagonal factor."""
        size = np.abs(factor)
        self.reach *= float(size.min() / size.max())
        keeps = self.reach < _SMALLEST_FACTOR
        if keeps:
            self.reach = 1.0
        self.path[-1][1].append(Scaled(factor, self.psi.copy() if keeps else None))
        kernels.scale_rows(self.psi, _ONE, factor)

    def jump(self, source: RowIndex, target: RowIndex, charge: int | None, dimension: int) -> None:
        """Jumps from rows of its sector to rows of that of ``charge``."""
        after = np.zeros((dimension, 1), dtype=np.complex128)
        after[target] = self.psi[source]
        self.path[-1][1].append(Jumped(source, target, self.psi))
        self.psi, self.charge, self.reach = after, charge, 1.0

    def act(
        self,
        operator: VectorOperator,
        dagger: VectorOperator,
        dimension: int,
        *,
        inverse: VectorOperator | None = None,
        smallest: float = 1.0,
    ) -> None:
        """Meets an operator.

        Args:
            operator: It.
            dagger: Its adjoint.
            dimension: Of the sector that it leads to.
            inverse: Its inverse; without, the state before it is kept.
            smallest: Ratio of its smallest to its largest singular value.
        """
        after = np.zeros((dimension, 1), dtype=np.complex128)
        operator.add(after, _ONE, self.psi, _ONE, self.charge, 1.0)
        charge = None if self.charge is None else self.charge + operator.step
        self.reach *= smallest
        keeps = inverse is None or self.reach < _SMALLEST_FACTOR
        if keeps:
            self.reach = 1.0
        before = self.psi if keeps else None
        self.path[-1][1].append(Acted(dagger, charge, inverse, before, self.psi.shape[0]))
        self.psi, self.charge = after, charge


def act_string(running: Running, _: np.random.Generator, operator: VectorOperator) -> None:
    """A Pauli string, which is its own adjoint and inverse."""
    running.act(operator, operator, running.psi.shape[0], inverse=operator)


def moved(charge: int | None, step: int) -> int | None:
    """A charge after a step; the full space has none."""
    return None if charge is None else charge + step
