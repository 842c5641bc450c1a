"""The interacting circuit as a PennyLane QNode, for any PennyLane device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pennylane as qml
from qiskit import QuantumCircuit

from benchmarks.circuit import DAMPING

__all__ = ["pennylane_gradient"]


def pennylane_gradient(
    device: Any, circuit: QuantumCircuit, **options: Any
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """A function from angles, shape (K,), to value and gradient of Z in the middle, Neel input, autograd interface.

    Phase damping stands in the circuit, after each barrier, on every wire. Z is written as a matrix on its wire: with
    ``qml.Z`` the gradient of default.mixed is NaN in a charge sector.
    """
    n = circuit.num_qubits
    index = {parameter: k for k, parameter in enumerate(circuit.parameters)}
    steps = [
        (item.operation.name, [circuit.find_bit(bit).index for bit in item.qubits], item.operation.params)
        for item in circuit.data
    ]
    readout = qml.Hermitian(np.diag([1.0, -1.0]), wires=n // 2)

    @qml.qnode(device, **options)
    def node(theta: Any) -> Any:
        for q in range(0, n, 2):
            qml.X(q)
        for name, wires, params in steps:
            if name == "barrier":
                for q in range(n):
                    qml.PhaseDamping(DAMPING, wires=q)
            elif name == "xx_plus_yy":
                qml.IsingXY(-theta[index[params[0]]], wires=wires)
            elif name == "rzz":
                qml.IsingZZ(theta[index[params[0]]], wires=wires)
            else:
                qml.RZ(theta[index[params[0]]], wires=wires)
        return qml.expval(readout)

    slope = qml.grad(node)

    def run(theta: np.ndarray) -> tuple[float, np.ndarray]:
        gradient = np.asarray(slope(qml.numpy.array(theta, requires_grad=True)))
        return float(slope.forward), gradient

    return run
