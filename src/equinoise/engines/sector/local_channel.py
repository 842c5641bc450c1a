"""Any generator on one or two qubits, on the charge blocks or in the full space.

An element |a r><c r'| has local states a, c on the noisy qubits and r, r' on the rest. A generator that commutes with
the charge's action keeps |a| - |c|, so for rests of charges m and m' only the elements with |c| - |a| = m - m' mix.
They are gathered into vectors over (a, c), multiplied by one matrix, and put back. The full space has one group of all.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.noise.terms.actions import General
from equinoise.reduction.program import Program
from equinoise.reduction.row_tables import RowIndex

__all__ = ["LocalChannel"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
Index = npt.NDArray[np.int64]
State = dict[int | None, Real]


@dataclass(frozen=True)
class _Group:
    """Elements that mix: which entries of the generator, and per entry its block, rows and columns."""

    entries: Index
    places: tuple[tuple[int | None, RowIndex, RowIndex], ...]


class LocalChannel:
    """exp(s E) of one generator, its adjoint, and <<O|E|rho>>.

    Args:
        program: The compiled problem; in charge blocks the generator commutes with the charge's action.
        action: The generator.
        scale: s in [0, infinity], or None for the power series at s = 0 up to s^2.

    Raises:
        UnsupportedError: s is infinite and the generator turns states forever.
    """

    def __init__(self, program: Program, action: General, scale: float | None) -> None:
        self._generator = action.generator
        self._matrices = _matrices(action, scale)
        self._groups = _groups(program, action.qubits)

    def apply(self, state: State) -> None:
        """The channel on a state, in place, order by order."""
        self._multiply(state, self._matrices)

    def apply_adjoint(self, state: State) -> None:
        """The adjoint map on a readout, in place."""
        self._multiply(state, self._matrices.conj().transpose(0, 2, 1))

    def overlap(self, readout: State, state: State) -> float:
        """Re <<O| E |rho>> of the lowest orders."""
        total = 0.0
        for group in self._groups:
            if any(q in readout for q, _, _ in group.places) and any(q in state for q, _, _ in group.places):
                matrix = self._generator[np.ix_(group.entries, group.entries)]
                moved = np.tensordot(matrix, _gathered(state, group, 0), 1)
                total += float(np.sum(_gathered(readout, group, 0).conj() * moved).real)
        return total

    def _multiply(self, state: State, matrices: Complex) -> None:
        for group in self._groups:
            held = [q in state for q, _, _ in group.places]
            if not any(held):
                continue
            local = matrices[:, group.entries[:, None], group.entries[None, :]]
            orders = len(local)
            before = [_gathered(state, group, order) for order in range(orders)]
            for order in range(orders):
                after = np.sum([np.tensordot(local[i], before[order - i], 1) for i in range(order + 1)], axis=0)
                for (q, rows, columns), values in zip(group.places, after, strict=True):
                    if q in state:
                        state[q][order, 0][np.ix_(rows, columns)] = values.real
                        state[q][order, 1][np.ix_(rows, columns)] = values.imag


def _matrices(action: General, scale: float | None) -> Complex:
    generator = action.generator
    if scale is None:
        eye = np.eye(len(generator), dtype=np.complex128)
        return np.stack([eye, generator, generator @ generator / 2])
    return action.channel(scale)[None]


def _gathered(state: State, group: _Group, order: int) -> Complex:
    """The group's elements, shape (entries, rests, rests'); 0 in blocks that the state does not hold."""
    shape = (len(group.places), group.places[0][1].size, group.places[0][2].size)
    out = np.zeros(shape, dtype=np.complex128)
    for values, (q, rows, columns) in zip(out, group.places, strict=True):
        if q in state:
            values.real = state[q][order, 0][np.ix_(rows, columns)]
            values.imag = state[q][order, 1][np.ix_(rows, columns)]
    return out


def _groups(program: Program, qubits: tuple[int, ...]) -> list[_Group]:
    size = len(qubits)
    local = range(2**size)
    if program.full:
        rows = program.local_rows(qubits, None)
        pairs = list(itertools.product(local, local))
        entries = np.array([a * 2**size + c for a, c in pairs])
        return [_Group(entries, tuple((None, rows[a], rows[c]) for a, c in pairs))]
    rests = range(program.width - size + 1)
    table = {m: program.local_rows(qubits, m) for m in rests}
    out = []
    for m, other in itertools.product(rests, rests):
        pairs = [(a, c) for a in local for c in local if c.bit_count() - a.bit_count() == m - other]
        if pairs and any(m + a.bit_count() in program.charges for a, _ in pairs):
            entries = np.array([a * 2**size + c for a, c in pairs])
            places = tuple((m + a.bit_count(), table[m][a], table[other][c]) for a, c in pairs)
            out.append(_Group(entries, places))
    return out
