"""Many parameter values of a circuit whose angles are any function of them, such as the products of a ZZFeatureMap.

What is not linear is an atom of :mod:`equinoise.circuit.angle_expressions`. Here the atoms' values are worked out for
many rows at once, and gradients are pulled back by the chain rule.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterExpression
from qiskit.exceptions import QiskitError

from equinoise.circuit.angle_expressions import linear_in_atoms
from equinoise.errors import ParameterError

__all__ = ["AngleRows"]

Real = npt.NDArray[np.float64]
Monomials = dict[tuple[int, ...], float]

_FAILED = (QiskitError, TypeError, ValueError, RuntimeError, ZeroDivisionError, OverflowError)


class AngleRows:
    """A circuit, and its angles as functions of another one's parameters.

    Args:
        circuit: Any circuit.

    Attributes:
        circuit: The same with angles linear in its own parameters; without global phase, which no mean sees.
        replaced: Number of atoms.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> from qiskit.circuit import Parameter
        >>> a, b = Parameter("a"), Parameter("b")
        >>> circuit = QuantumCircuit(1)
        >>> _ = circuit.rz(a * b, 0)
        >>> angles = AngleRows(circuit)
        >>> angles.values(np.array([[2.0, 3.0]])), angles.pulled_back(np.array([2.0, 3.0]), np.array([1.0]))
        (array([[6.]]), array([3., 2.]))
    """

    def __init__(self, circuit: QuantumCircuit) -> None:
        self._parameters = tuple(circuit.parameters)
        found = linear_in_atoms(circuit)
        self.circuit = found.circuit.copy()
        self.circuit.global_phase = 0
        self.replaced = len(found.atoms)
        index = {parameter: k for k, parameter in enumerate(self._parameters)}
        expressions: dict[Parameter, ParameterExpression] = {atom.parameter: atom.expression for atom in found.atoms}
        self._columns = [_Column(expressions.get(p, p), index) for p in self.circuit.parameters]

    def values(self, thetas: Real) -> Real:
        """Values of ``circuit.parameters``, shape (S, K'), at values of the original's, shape (S, K)."""
        columns = [column.values(thetas) for column in self._columns]
        return np.stack(columns, axis=1) if columns else np.zeros((len(thetas), 0))

    def pulled_back(self, theta: Real, gradient: Real) -> Real:
        """A gradient by ``circuit.parameters``, shape (..., K'), as one by the original's, shape (..., K)."""
        rows = [column.derivatives(theta) for column in self._columns]
        return np.asarray(gradient @ np.array(rows).reshape(len(rows), theta.size))


class _Column:
    """One angle: a polynomial of second degree, as most are, or an expression that is bound value by value."""

    def __init__(self, expression: ParameterExpression, index: dict[Parameter, int]) -> None:
        self._expression = expression
        self._places = sorted((index[p], p) for p in expression.parameters)
        self._monomials = _quadratic(expression, self._places)

    def values(self, thetas: Real) -> Real:
        if self._monomials is not None:
            return _evaluated(self._monomials, thetas)
        used = thetas[:, [k for k, _ in self._places]]
        rows, back = np.unique(used, axis=0, return_inverse=True)
        return np.array([_bound(self._expression, self._places, row) for row in rows])[back.ravel()]

    def derivatives(self, theta: Real) -> Real:
        out = np.zeros(theta.size)
        used = theta[[k for k, _ in self._places]]
        for k, parameter in self._places:
            slope = self._expression.gradient(parameter)
            out[k] = _bound(slope, self._places, used) if isinstance(slope, ParameterExpression) else float(slope)
        return out


def _bound(expression: ParameterExpression, places: list[tuple[int, Parameter]], values: Any) -> float:
    wanted = {p: float(v) for (_, p), v in zip(places, values, strict=True) if p in expression.parameters}
    try:
        number = complex(expression.bind(wanted))
    except _FAILED as error:
        raise ParameterError(f"the angle {expression} has no value at {list(wanted.values())} ({error}).") from None
    if number.imag or not math.isfinite(number.real):
        raise ParameterError(f"the angle {expression} must be real and finite; at {list(wanted.values())}: {number}.")
    return number.real


def _quadratic(expression: ParameterExpression, places: list[tuple[int, Parameter]]) -> Monomials | None:
    """The expression as sum c prod theta[k] of at most two factors; None if it is no such polynomial."""
    # Six numbers fix c + b x + a x^2 in each parameter and pair: differences of values at 0, +-1 and (1, 1). Whether
    # the expression is this polynomial is asked at two generic points. Derivatives would grow without bounds.
    count = len(places)
    unit = np.eye(count)
    try:
        origin = _bound(expression, places, np.zeros(count))
        ends = [[_bound(expression, places, sign * row) for sign in (1, -1)] for row in unit]
        found: Monomials = {(): origin}
        for i, (k, _) in enumerate(places):
            up, down = ends[i]
            found[k,] = (up - down) / 2
            found[k, k] = (up + down) / 2 - origin
            for j, (other, _) in enumerate(places[:i]):
                corner = _bound(expression, places, unit[i] + unit[j])
                found[other, k] = corner - up - ends[j][0] + origin
        points = np.random.default_rng(0).uniform(-2, 2, (2, count))
        exact = [_bound(expression, places, point) for point in points]
    except ParameterError:
        return None
    values = np.zeros((2, 1 + max((k for k, _ in places), default=0)))
    values[:, [k for k, _ in places]] = points
    small = 1e-13 * (1 + sum(map(abs, found.values())))
    kept = {powers: c for powers, c in found.items() if abs(c) > small} or {(): 0.0}
    return kept if np.abs(_evaluated(kept, values) - exact).max() < 100 * small else None


def _evaluated(monomials: Monomials, thetas: Real) -> Real:
    parts = [c * np.prod(thetas[:, list(powers)], axis=1) for powers, c in monomials.items()]
    return np.asarray(np.sum(parts, axis=0), dtype=np.float64)
