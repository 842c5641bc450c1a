"""Noisy gradients by Qiskit Aer: ``density_matrix`` at shifted angles, all in one run, two threads.

Aer has no gradient; shift rules are exact: four terms for XXPlusYY (frequencies 1/2 and 1), two for RZZ and RZ.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator
from qiskit_aer.noise import phase_damping_error

from benchmarks.circuit import DAMPING

__all__ = ["aer_gradient"]

THREADS = 2
_PI = math.pi
_NEAR, _FAR = (math.sqrt(2) + 1) / (4 * math.sqrt(2)), (math.sqrt(2) - 1) / (4 * math.sqrt(2))
# gate name: (shift, weight), ...
_SHIFTS = {
    "xx_plus_yy": ((_PI / 2, _NEAR), (-_PI / 2, -_NEAR), (3 * _PI / 2, -_FAR), (-3 * _PI / 2, _FAR)),
    "rzz": ((_PI / 2, 0.5), (-_PI / 2, -0.5)),
    "rz": ((_PI / 2, 0.5), (-_PI / 2, -0.5)),
}


def aer_gradient(circuit: QuantumCircuit) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """A function from angles, shape (K,), to value and gradient of Z in the middle, Neel input.

    What depends on the circuit alone is built here, outside the time measured: only binding and running remain.
    """
    # By default Aer runs the circuits one by one with both threads in each; one thread per circuit, two circuits at
    # a time, is faster at this size.
    simulator = AerSimulator(method="density_matrix", max_parallel_threads=THREADS, max_parallel_experiments=THREADS)
    native = _native(circuit)
    parameters = list(circuit.parameters)
    index = {parameter: k for k, parameter in enumerate(parameters)}
    shifts = [
        (index[item.operation.params[0]], shift, weight)
        for item in circuit.data
        if item.operation.name != "barrier"
        for shift, weight in _SHIFTS[item.operation.name]
    ]

    def run(theta: np.ndarray) -> tuple[float, np.ndarray]:
        # one circuit more than there are shifts: the value itself
        angles = np.tile(theta, (len(shifts) + 1, 1))
        for row, (k, shift, _) in enumerate(shifts):
            angles[row, k] += shift
        binds = {parameter: angles[:, k].tolist() for k, parameter in enumerate(parameters)}
        result = simulator.run(native, parameter_binds=[binds], shots=1).result()
        if not result.success:
            raise RuntimeError(f"Aer failed: {result.status}")
        values = [entry.data.expectation_value for entry in result.results]
        gradient = np.zeros(len(parameters))
        for (k, _, weight), value in zip(shifts, values[:-1], strict=True):
            gradient[k] += weight * value
        return float(values[-1]), gradient

    return run


def _native(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit in Aer's own gates, so that nothing is left to transpile, with input, noise and readout."""
    n = circuit.num_qubits
    damping = phase_damping_error(DAMPING).to_instruction()
    native = QuantumCircuit(n)
    for q in range(0, n, 2):
        native.x(q)
    for item in circuit.data:
        qubits = [circuit.find_bit(bit).index for bit in item.qubits]
        if item.operation.name == "barrier":
            for q in range(n):
                native.append(damping, [q])
        elif item.operation.name == "xx_plus_yy":
            angle = item.operation.params[0] / 2
            native.rxx(angle, *qubits)
            native.ryy(angle, *qubits)
        else:
            native.append(item.operation, qubits)
    native.save_expectation_value(SparsePauliOp("Z"), [n // 2])
    return native
