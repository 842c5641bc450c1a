"""The angles of a QNode's gates as functions of its weights: affine, with coefficients that differ from row to row.

    angle_g(w, x_i) = sum_k a_gk(x_i) w_k + b_g(x_i)

A user's function is only ever called. It is affine in w if differences over steps of length 1 tell what happens at
another point, which is checked for every row. Weights that share no angle are stepped together, so that the number of
calls is that of the weights in the fullest angle and not of all weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.errors import ParameterError, UnsupportedError
from equinoise.interop.models.qnode_calls import QNodeCalls, Tape
from equinoise.interop.pennylane_circuit import described
from equinoise.interop.pennylane_measurements import measurement_key

__all__ = ["AffineAngles", "affine_angles"]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# rows from which it is first guessed which weight enters which angle
_LOOKED_AT = 4
_SEED = 20261128
# errors of angles and of their differences, radians: in double precision and in single
_DOUBLE, _SINGLE = 1e-10, 2e-5


@dataclass(frozen=True)
class AffineAngles:
    """Coefficients of all angles for all rows.

    Attributes:
        entries: Pairs (angle g, weight k) that go together, shape (E, 2).
        slopes: a of each pair, shape (N, E).
        offsets: b of each angle, shape (N, G).
        tape: The first row's.
        tolerance: What angles are known to, radians.
    """

    entries: Index
    slopes: Real
    offsets: Real
    tape: Tape
    tolerance: float

    def at(self, theta: Real, row: int) -> Real:
        """The angles of a row, shape (G,)."""
        out: Real = self.offsets[row].copy()
        np.add.at(out, self.entries[:, 0], self.slopes[row] * theta[self.entries[:, 1]])
        return out


def affine_angles(calls: QNodeCalls) -> AffineAngles:
    """The angles of a QNode, from its tapes.

    Args:
        calls: The QNode with its weights and rows.

    Raises:
        ParameterError: An angle that is no affine function of the weights (its gate and the weight named).
        UnsupportedError: Rows or weights change more than angles: gates, matrices, states, observables.
    """
    tapes = calls.tapes(calls.start)
    tolerance = _SINGLE if _single(tapes[0]) else _DOUBLE
    base = _angles(tapes, tapes[0], "data")
    jump = np.random.default_rng(_SEED).uniform(0.3, 1.0, calls.start.size)
    away = _angles(calls.tapes(calls.start + jump), tapes[0], "weights")
    known = np.zeros((base.shape[1], calls.start.size), dtype=bool)
    wrong = np.unique(np.linspace(0, len(base) - 1, _LOOKED_AT).astype(np.int64))
    for _ in range(2):
        known |= _together(replace(calls, rows=calls.rows[wrong]), base[wrong], tapes[0], tolerance)
        entries, slopes = _slopes(calls, known, base, tapes[0])
        told = base.copy()
        for e, (g, k) in enumerate(entries):
            told[:, g] += slopes[:, e] * jump[k]
        bad = np.abs(told - away) > 10 * tolerance * (1 + np.abs(away))
        if not bad.any():
            offsets = base.copy()
            for e, (g, k) in enumerate(entries):
                offsets[:, g] -= slopes[:, e] * calls.start[k]
            return AffineAngles(entries, _snapped(slopes), _snapped(offsets), tapes[0], tolerance)
        wrong = np.flatnonzero(bad.any(axis=1))
    raise _not_affine(calls, tapes[0], known, int(np.flatnonzero(bad.any(axis=0))[0]), int(wrong[0]))


def _angles(tapes: Sequence[Tape], first: Tape, by: str) -> Real:
    """Shape (N, G), of tapes that differ in nothing but angles."""
    measured = [measurement_key(m) for m in first.script.measurements]
    for row, tape in enumerate(tapes):
        if tape.structure.key != first.structure.key:
            raise _another(tape, first, row, by)
        if [measurement_key(m) for m in tape.script.measurements] != measured:
            raise UnsupportedError(
                f"the QNode's measurements depend on its {by} (row {row} of the data): observables and their "
                "coefficients must be the same for all."
            )
    return np.stack([tape.structure.theta for tape in tapes])


def _another(tape: Tape, first: Tape, row: int, by: str) -> UnsupportedError:
    pairs = zip(tape.structure.key, first.structure.key, strict=False)  # type: ignore[call-overload]
    place = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
    if place is None:
        return UnsupportedError(f"the QNode applies other operations for other {by} (row {row} of the data).")
    return UnsupportedError(
        f"{described(tape.script.operations[place])} depends on the {by} (row {row} of the data) by more than an "
        "angle: states, matrices and channels must be the same for all rows and weights. Write it with "
        "rotations, or state an eq.Model for each."
    )


def _together(calls: QNodeCalls, base: Real, first: Tape, tolerance: float) -> Mask:
    """Which weight enters which angle, in any of the rows, shape (G, W)."""
    columns = []
    for step in np.eye(calls.start.size):
        moved = _angles(calls.tapes(calls.start + step), first, "weights") - base
        columns.append((np.abs(moved) > tolerance).any(axis=0))
    return np.stack(columns, axis=1)


def _slopes(calls: QNodeCalls, known: Mask, base: Real, first: Tape) -> tuple[Index, Real]:
    """All pairs (angle, weight), and their slopes for all rows."""
    entries = np.argwhere(known)
    slopes = np.zeros((len(base), len(entries)))
    for group in _groups(known):
        step = np.zeros(calls.start.size)
        step[group] = 1.0
        moved = _angles(calls.tapes(calls.start + step), first, "weights") - base
        of = np.flatnonzero(np.isin(entries[:, 1], group))
        slopes[:, of] = moved[:, entries[of, 0]]
    return entries, slopes


def _groups(known: Mask) -> list[list[int]]:
    """Weights in groups of which no two enter one angle."""
    groups: list[tuple[list[int], Mask]] = []
    for k in np.flatnonzero(known.any(axis=0)):
        free = next((group for group in groups if not (group[1] & known[:, k]).any()), None)
        if free is None:
            free = ([], np.zeros(len(known), dtype=bool))
            groups.append(free)
        free[0].append(int(k))
        free[1][:] |= known[:, k]
    return [group for group, _ in groups]


def _snapped(values: Real) -> Real:
    """Numbers that are round but for the rounding of differences are made round: 1 and not 0.9999999999999998."""
    near = np.round(values, 9)
    return np.where(np.abs(values - near) < 1e-14 * (10 + np.abs(values)), near, values)


def _single(tape: Tape) -> bool:
    kinds = [getattr(p, "dtype", None) for operation in tape.script.operations for p in operation.data]
    return any("float32" in str(kind) for kind in kinds)


def _not_affine(calls: QNodeCalls, tape: Tape, known: Mask, angle: int, row: int) -> ParameterError:
    info: Any = tape.script.par_info[tape.structure.places.index(angle)]
    weights = [calls.weight_names()[k] for k in np.flatnonzero(known[angle])] or list(calls.weight_names())
    return ParameterError(
        f"an angle of {described(info['op'])} is no linear function of the weights ({', '.join(weights[:4])}; row "
        f"{row} of the data): products of weights, and functions such as sin or tanh of them, cannot be taken from a "
        "QNode. Make what stands in the gate a weight itself, or state the circuit with eq.Model: it takes any "
        "expression."
    )
