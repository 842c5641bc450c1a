"""From weights and a row of data to the angles that are compiled, and derivatives back from the angles to the weights.

A compiled parameter is a weight, an input, or an atom u = h(w, x) (:mod:`equinoise.circuit.angle_expressions`). So with
phi = phi(w, x_i) and J = dphi/dw the derivatives by weights are g_w = sum_phi J_phi,w dC/dphi: a weight's own place,
plus those of the atoms that depend on it. Only the atoms' part of J differs between rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qiskit.circuit import Parameter, ParameterExpression

from equinoise.circuit.angle_expressions import Atom, evaluated
from equinoise.errors import DataError, ParameterError

__all__ = ["Angles", "RowAngles"]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Angles:
    """The compiled parameters' values for one row, and how the weights move them.

    Attributes:
        values: phi, shape (P,), radians.
        own: Compiled places of weights that are compiled themselves, shape (m,).
        weights: Which weights these are, shape (m,).
        atoms: Compiled places of the atoms that depend on weights, shape (A,).
        slopes: Their derivatives, shape (A, W).
    """

    values: Real
    own: Index
    weights: Index
    atoms: Index
    slopes: Real

    def pulled_back(self, gradient: Real) -> Real:
        """Derivatives by the weights, shape (..., W), from those by the compiled parameters, shape (..., P)."""
        out = gradient[..., self.atoms] @ self.slopes
        out[..., self.weights] += gradient[..., self.own]
        return np.asarray(out)

    def jacobian(self) -> Real:
        """J = dphi/dw, shape (P, W)."""
        return np.stack([self.pushed(direction) for direction in np.eye(self.slopes.shape[1])], axis=1)

    def pushed(self, direction: Real) -> Real:
        """How the compiled parameters move, shape (P,), when the weights move along a direction, shape (W,)."""
        out = np.zeros(self.values.size)
        out[self.own] = direction[self.weights]
        out[self.atoms] += self.slopes @ direction
        return out


class RowAngles:
    """The map (w, x_i) -> phi_i for the rows of a data set.

    Args:
        parameters: The compiled parameters, P of them.
        weights: W of them.
        inputs: F of them.
        atoms: What other compiled parameters stand for.
        rows: x, shape (N, F).

    Raises:
        ParameterError: An atom has no derivative by a weight.
        DataError: An atom of inputs alone has no finite value in some row.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        weights: Sequence[Parameter],
        inputs: Sequence[Parameter],
        atoms: Sequence[Atom],
        rows: Real,
    ) -> None:
        place = {parameter: i for i, parameter in enumerate(parameters)}
        self._weights, self._inputs, self._rows = tuple(weights), tuple(inputs), rows
        compiled = [k for k, weight in enumerate(weights) if weight in place]
        self._compiled = np.array(compiled, dtype=np.int64)
        self._own = np.array([place[weights[k]] for k in compiled], dtype=np.int64)
        trained = frozenset(weights)
        self._moving = [atom for atom in atoms if atom.depends_on & trained]
        self._places = np.array([place[atom.parameter] for atom in self._moving], dtype=np.int64)
        self._slopes = [self._by_weights(atom) for atom in self._moving]
        self._fixed = np.zeros((len(rows), len(parameters)))
        for column, parameter in enumerate(inputs):
            if parameter in place:
                self._fixed[:, place[parameter]] = rows[:, column]
        for atom in atoms:
            if not atom.depends_on & trained:
                self._fixed[:, place[atom.parameter]] = self._of_inputs(atom)

    def _by_weights(self, atom: Atom) -> list[tuple[int, ParameterExpression | float]]:
        return [(k, atom.slope(weight)) for k, weight in enumerate(self._weights) if weight in atom.depends_on]

    def _of_inputs(self, atom: Atom) -> Real:
        values = np.array([atom.value(dict(zip(self._inputs, row, strict=True))) for row in self._rows.tolist()])
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            raise DataError(
                f"the angle {atom.expression} has no real value for row {int(bad[0])} of the data: "
                f"{self._rows[bad[0]].tolist()}."
            )
        return values

    def at(self, theta: Real, row: int) -> Angles:
        """The angles of a row at weights theta, shape (W,), radians.

        Raises:
            ParameterError: An angle has no real value or derivative there.
        """
        values = self._fixed[row].copy()
        values[self._own] = theta[self._compiled]
        slopes = np.zeros((len(self._moving), len(self._weights)))
        if self._moving:
            known = dict(zip(self._inputs, self._rows[row].tolist(), strict=True))
            known |= dict(zip(self._weights, theta.tolist(), strict=True))
            for a, (atom, by_weights) in enumerate(zip(self._moving, self._slopes, strict=True)):
                values[self._places[a]] = atom.value(known)
                for k, slope in by_weights:
                    slopes[a, k] = evaluated(slope, known)
            if not (np.isfinite(values).all() and np.isfinite(slopes).all()):
                raise ParameterError(f"an angle has no real value or derivative at these weights for row {row}.")
        return Angles(values, self._own, self._compiled, self._places, slopes)
