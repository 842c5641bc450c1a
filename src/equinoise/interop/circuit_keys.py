"""What tells two Qiskit circuits apart, for caches."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Barrier, Instruction, Measure
from qiskit.circuit.library import UnitaryGate

__all__ = ["circuit_key"]


def circuit_key(circuit: QuantumCircuit) -> Hashable:
    """Equal for circuits that are the same, instruction by instruction; found in microseconds per instruction."""
    return (
        circuit.num_qubits,
        tuple(
            (
                _instruction_key(item.operation),
                tuple(circuit.find_bit(bit).index for bit in item.qubits),
                tuple(circuit.find_bit(bit).index for bit in item.clbits),
            )
            for item in circuit.data
        ),
    )


def _instruction_key(operation: Instruction) -> Hashable:
    standard = operation.base_class.__module__.startswith("qiskit.circuit.library.standard_gates")
    if isinstance(operation, UnitaryGate):
        return "unitary", np.asarray(operation.params[0]).tobytes()
    if isinstance(operation, Barrier):
        return operation.name, operation.label
    if standard or isinstance(operation, Measure) or operation.definition is None:
        state = getattr(operation, "ctrl_state", None)
        return operation.name, tuple(_hashable(p) for p in operation.params), state
    return operation.name, tuple(_hashable(p) for p in operation.params), circuit_key(operation.definition)


def _hashable(parameter: Any) -> Hashable:
    return parameter.tobytes() if isinstance(parameter, np.ndarray) else parameter
