"""Angles of any expression made linear: what is not linear in the parameters becomes a parameter of its own.

Engines take angles that are linear in the circuit's parameters. An angle that holds a product of inputs, or an input
times a weight, is split: e = sum_k c_k p_k + a u + d, with p_k the parameters that enter linearly with constant
coefficients and u a new parameter, the *atom*, which stands for the rest. Two angles whose rests are multiples of each
other up to a constant share one atom. So ties stay that the charge needs, such as w x/2 and -w x/2 in the parts of one
hop, and a circuit is compiled once for all rows of data: only the atoms' values and slopes differ from row to row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Instruction, Parameter, ParameterExpression
from qiskit.circuit.exceptions import CircuitError
from qiskit.circuit.library import HamiltonianGate, PauliEvolutionGate
from qiskit.exceptions import QiskitError

from equinoise.errors import ParameterError

__all__ = ["Atom", "LinearCircuit", "evaluated", "linear_in_atoms"]

# points of both signs at which expressions are compared: a multiple and a constant take two of them, and some may lie
# where a logarithm or root is not real
_POINTS = 16
_SEED = 20261128
_SAME = 1e-10


@dataclass(frozen=True)
class Atom:
    """What stands for the part of an angle that is not linear.

    Attributes:
        parameter: Its name in the circuit made linear.
        expression: What it is, of the stated circuit's parameters.
    """

    parameter: Parameter
    expression: ParameterExpression

    @property
    def depends_on(self) -> frozenset[Parameter]:
        """The stated circuit's parameters in it."""
        return frozenset(self.expression.parameters)

    def value(self, values: Mapping[Parameter, float]) -> float:
        """Its value, radians.

        Args:
            values: Of all that it depends on.
        """
        return evaluated(self.expression, values)

    def slope(self, parameter: Parameter) -> ParameterExpression | float:
        """Its derivative by a parameter, symbolically.

        Raises:
            ParameterError: The expression has no derivative that Qiskit knows.
        """
        try:
            found: ParameterExpression | float = self.expression.gradient(parameter)
        except (QiskitError, TypeError, ValueError, RuntimeError) as error:
            raise ParameterError(
                f"the angle {self.expression} cannot be differentiated with respect to {parameter.name!r} ({error}). "
                "Use sums, products, powers and elementary functions, or make the parameter an input."
            ) from None
        return found


def evaluated(expression: ParameterExpression | float, values: Mapping[Parameter, float]) -> float:
    """An expression's number at parameter values; NaN where it is none, or not real."""
    if not isinstance(expression, ParameterExpression):
        return float(expression)
    try:
        bound = complex(expression.bind({p: values[p] for p in expression.parameters}))
    except (CircuitError, ZeroDivisionError):  # Qiskit's word for infinity
        return float("nan")
    return bound.real if abs(bound.imag) < _SAME * (1 + abs(bound)) else float("nan")


@dataclass(frozen=True)
class LinearCircuit:
    """A circuit whose angles are all linear in its parameters.

    Attributes:
        circuit: With the stated circuit's gates in their places.
        atoms: The parameters that it has beyond the stated circuit's.
    """

    circuit: QuantumCircuit
    atoms: tuple[Atom, ...]


def linear_in_atoms(circuit: QuantumCircuit) -> LinearCircuit:
    """A circuit with its nonlinear angles replaced; itself where there are none.

    Args:
        circuit: Of gates whose angles are any expressions of its parameters.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> from qiskit.circuit import Parameter
        >>> from equinoise.circuit.angle_expressions import linear_in_atoms
        >>> w, x, b = (Parameter(name) for name in "wxb")
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.rz(w * x + b, 0), circuit.rz(1 - 2 * w * x, 1)
        >>> found = linear_in_atoms(circuit)
        >>> [(atom.parameter.name, str(atom.expression)) for atom in found.atoms]
        [('angle 0', 'w*x')]
        >>> [p.name for p in found.circuit.parameters]
        ['angle 0', 'b']
    """
    splitter = _Splitter({p.name for p in circuit.parameters})
    opened = splitter.circuit(circuit)
    return LinearCircuit(circuit if opened is None else opened, tuple(splitter.atoms))


@dataclass
class _Splitter:
    """Collects the atoms of one circuit."""

    taken: set[str]
    atoms: list[Atom] = field(default_factory=list)
    _points: dict[Parameter, npt.NDArray[np.float64]] = field(default_factory=dict)

    def circuit(self, circuit: QuantumCircuit) -> QuantumCircuit | None:
        """The circuit with its angles split, or None if none needs it."""
        changed = {}
        for position, item in enumerate(circuit.data):
            operation = self._operation(item.operation)
            if operation is not None:
                changed[position] = item.replace(operation=operation)
        if not changed:
            return None
        out = circuit.copy()
        for position, item in changed.items():
            out.data[position] = item
        return out

    def _operation(self, operation: Instruction) -> Instruction | None:
        """A gate with its angles split, or None: gates of Qiskit's by their angles, others by their definition."""
        free = [p for p in operation.params if isinstance(p, ParameterExpression) and p.parameters]
        if not free:
            return None
        by_angles = isinstance(operation, PauliEvolutionGate | HamiltonianGate)
        if by_angles or operation.base_class.__module__.startswith("qiskit.circuit.library.standard_gates"):
            params = [self._angle(p) if isinstance(p, ParameterExpression) else p for p in operation.params]
            if all(new is old for new, old in zip(params, operation.params, strict=True)):
                return None
            changed = operation.to_mutable()
            changed.params = params
            return changed
        definition = operation.definition
        inner = None if definition is None else self.circuit(definition)
        if inner is None:
            return None
        gate = Gate(operation.name, operation.num_qubits, list(inner.parameters), label=operation.label)
        gate.definition = inner
        return gate

    def _angle(self, expression: ParameterExpression) -> ParameterExpression:
        """The expression itself if it is linear, else the linear one in an atom."""
        slopes = {parameter: self._slope(expression, parameter) for parameter in expression.parameters}
        linear = {parameter: slope for parameter, slope in slopes.items() if slope is not None}
        if len(linear) == len(expression.parameters):
            return expression
        parameter, factor, constant = self._atom(_without(expression, linear))
        out = factor * parameter + constant
        for each in sorted(linear, key=lambda p: p.name):
            out += linear[each] * each
        return out

    def _atom(self, rest: ParameterExpression) -> tuple[Parameter, float, float]:
        """(u, a, d) with rest = a u + d: of an atom that is known, or of a new one."""
        here = self._at_points(rest)
        real = np.isfinite(here)
        for atom in self.atoms if real.sum() > 3 else ():
            known = np.column_stack([self._at_points(atom.expression), np.ones(_POINTS)])
            alike = np.array_equal(np.isfinite(known[:, 0]), real)
            if atom.depends_on != frozenset(rest.parameters) or not alike:
                continue
            # rest = a u + d at more points than unknowns, and both are analytic: so it holds everywhere, with
            # probability 1
            (factor, constant), *_ = np.linalg.lstsq(known[real], here[real], rcond=None)
            if np.abs(known[real] @ [factor, constant] - here[real]).max() < _SAME * np.abs(here[real]).max():
                return atom.parameter, float(factor), float(constant)
        number = len(self.atoms)
        while (name := f"angle {number}") in self.taken:
            number += 1
        self.taken.add(name)
        self.atoms.append(Atom(Parameter(name), rest))
        return self.atoms[-1].parameter, 1.0, 0.0

    def _slope(self, expression: ParameterExpression, parameter: Parameter) -> float | None:
        """The derivative by a parameter where it is a number, else None."""
        try:
            slope = expression.gradient(parameter)
        except (QiskitError, TypeError, ValueError, RuntimeError):
            # some other term has no derivative that Qiskit knows: a step of 1 tells whether this parameter is linear
            steps = self._at_points(expression.assign(parameter, parameter + 1.0)) - self._at_points(expression)
            apart = np.abs(steps - steps[0]).max()
            return float(steps[0]) if apart < _SAME * max(1.0, abs(steps[0])) else None
        if isinstance(slope, ParameterExpression) and slope.parameters:
            return None
        return float(complex(slope).real)

    def _at_points(self, expression: ParameterExpression) -> npt.NDArray[np.float64]:
        for parameter in sorted(expression.parameters, key=lambda p: p.name):
            if parameter not in self._points:
                rng = np.random.default_rng([_SEED, len(self._points)])
                self._points[parameter] = rng.uniform(-1.7, 1.7, _POINTS)
        points = [{p: self._points[p][i] for p in expression.parameters} for i in range(_POINTS)]
        return np.array([evaluated(expression, point) for point in points])


def _without(expression: ParameterExpression, linear: Mapping[Parameter, float]) -> ParameterExpression:
    rest: Any = expression
    for parameter in linear:
        rest = rest.assign(parameter, 0.0)
    return rest
