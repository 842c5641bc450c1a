"""Circuits whose angles are any function of their parameters, such as the products of a ZZFeatureMap.

The engines take angles that are linear in the parameters. Each other expression gets a parameter of its own, whose
values are worked out from those of the circuit's parameters, and its derivatives by the chain rule.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction, Parameter, ParameterExpression
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.exceptions import QiskitError

from equinoise.errors import ParameterError

__all__ = ["AngleExpressions"]

Real = npt.NDArray[np.float64]
Monomials = dict[tuple[int, ...], float]

_FAILED = (QiskitError, TypeError, ValueError, RuntimeError, ZeroDivisionError, OverflowError)


class AngleExpressions:
    """A circuit, and its angles as functions of another one's parameters.

    Args:
        circuit: Any circuit.

    Attributes:
        circuit: The same, composite gates written out where needed, with angles linear in its own parameters; without
            global phase, which no mean sees.
        replaced: How many expressions got a parameter of their own.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> from qiskit.circuit import Parameter
        >>> a, b = Parameter("a"), Parameter("b")
        >>> circuit = QuantumCircuit(1)
        >>> _ = circuit.rz(a * b, 0)
        >>> angles = AngleExpressions(circuit)
        >>> angles.values(np.array([[2.0, 3.0]])), angles.pulled_back(np.array([2.0, 3.0]), np.array([1.0]))
        (array([[6.]]), array([3., 2.]))
    """

    def __init__(self, circuit: QuantumCircuit) -> None:
        self._parameters = tuple(circuit.parameters)
        own: dict[ParameterExpression, Parameter] = {}
        self.circuit = _linear(circuit, own)
        self.replaced = len(own)
        index = {parameter: k for k, parameter in enumerate(self._parameters)}
        expressions = {parameter: expression for expression, parameter in own.items()}
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


def _linear(circuit: QuantumCircuit, own: dict[ParameterExpression, Parameter]) -> QuantumCircuit:
    out = circuit.copy_empty_like()
    out.global_phase = 0
    for item in circuit.data:
        operation = item.operation
        free = [p for p in operation.params if isinstance(p, ParameterExpression) and p.parameters]
        if free and _composite(operation):
            inner = _linear(operation.definition, own)
            for part in inner.data:
                qubits = [item.qubits[inner.find_bit(bit).index] for bit in part.qubits]
                out.append(part.operation, qubits)
            continue
        if any(not _is_linear(p) for p in free):
            operation = operation.to_mutable()
            operation.params = [_replaced(p, own) for p in operation.params]
        out.append(operation, item.qubits, item.clbits)
    return out


def _composite(operation: Instruction) -> bool:
    standard = operation.base_class.__module__.startswith("qiskit.circuit.library.standard_gates")
    return not standard and not isinstance(operation, PauliEvolutionGate) and operation.definition is not None


def _is_linear(expression: ParameterExpression) -> bool:
    if isinstance(expression, Parameter):
        return True
    try:
        slopes = [expression.gradient(parameter) for parameter in expression.parameters]
    except _FAILED:
        return False
    return not any(isinstance(slope, ParameterExpression) and slope.parameters for slope in slopes)


def _replaced(value: Any, own: dict[ParameterExpression, Parameter]) -> Any:
    if not isinstance(value, ParameterExpression) or not value.parameters or _is_linear(value):
        return value
    return own.setdefault(value, Parameter(f"angle {len(own)}"))
