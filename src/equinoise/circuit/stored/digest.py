"""The identity of a circuit: equal for the same instructions, whatever its name and whenever it was built."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Operation, ParameterExpression

__all__ = ["circuit_digest"]

_STANDARD = "qiskit.circuit.library.standard_gates"


def circuit_digest(circuit: QuantumCircuit) -> str:
    """SHA-256 over a circuit's qubits and instructions: names, qubits, exact numbers, parameters by name.

    A QPY file of the circuit would do, but for what is volatile in it: the circuit's running number, each parameter's
    identifier, Qiskit's version, and an identifier that is drawn afresh for each gate of an own definition. So each
    instruction is written as a line instead; a gate that is not one of Qiskit's standard gates holds its definition.

    Args:
        circuit: Any circuit without control flow.

    Example:
        >>> import equinoise as eq
        >>> one, two, deeper = (eq.circuits.brickwork(4, depth) for depth in (2, 2, 3))
        >>> circuit_digest(one) == circuit_digest(two), circuit_digest(one) == circuit_digest(deeper)
        (True, False)
    """
    total = hashlib.sha256()
    for line in _lines(circuit):
        total.update(f"{line}\n".encode())
    return total.hexdigest()


def _lines(circuit: QuantumCircuit) -> Iterator[str]:
    yield f"{circuit.num_qubits} {circuit.num_clbits}"
    places = {bit: str(i) for bits in (circuit.qubits, circuit.clbits) for i, bit in enumerate(bits)}
    for instruction in circuit.data:
        operation = instruction.operation
        where = " ".join(places[bit] for bit in (*instruction.qubits, *instruction.clbits))
        values = list(getattr(operation, "params", ()))
        yield f"{operation.name} {where} {[_exact(value) for value in values]} {_inside(operation, values)}"


def _inside(operation: Operation, values: list[Any]) -> str:
    """The definition's digest, where name and numbers alone do not say what is done."""
    kind = getattr(operation, "base_class", type(operation))
    if kind.__module__.startswith(_STANDARD) or any(isinstance(value, np.ndarray) for value in values):
        return ""
    definition = getattr(operation, "definition", None)
    return "" if definition is None else circuit_digest(definition)


def _exact(value: Any) -> str:
    """A number to its last bit; an angle by its parameters' names and exact factors."""
    if isinstance(value, ParameterExpression):  # written with parameters by name and factors to the last bit
        return str(value)
    if isinstance(value, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(value, dtype=np.complex128).tobytes()).hexdigest()
    return repr(value.item() if isinstance(value, np.generic) else value)
