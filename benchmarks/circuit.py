"""The circuits that are timed, as Qiskit circuits that every program here walks through gate by gate."""

from __future__ import annotations

import math

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import RZGate, RZZGate, XXPlusYYGate
from qiskit.quantum_info import SparsePauliOp

import equinoise as eq

__all__ = [
    "ALIKE_DEPHASING",
    "ALIKE_DOWN",
    "DAMPING",
    "cone_alone",
    "device_problem",
    "free_fermion_problem",
    "interacting_circuit",
    "interacting_problem",
    "layered_problem",
    "permutation_problem",
    "random_angles",
    "wide_gradient",
    "wide_problem",
]

# phase damping after each double layer, on every qubit
DAMPING = 0.02
WIDE_DEPHASING = 0.01
# of the free-fermion circuit: long-range jumps, their rate, and that of the jump on each qubit
LONG_JUMPS = 5
LONG_RATE = 0.0005
LOCAL_RATE = 0.001
# of the permutation-equivariant circuit; powers of two, for PIQS holds rates in single precision
ALIKE_DEPHASING = 2**-9
ALIKE_DOWN = 2**-8


def interacting_circuit(num_qubits: int, double_layers: int) -> QuantumCircuit:
    """Double layers of XXPlusYY and RZZ on the even then the odd bonds and RZ on all, a full barrier after each.

    Args:
        num_qubits: n.
        double_layers: L.

    Returns:
        The circuit with K = L (3 n - 2) parameters, one per gate and in gate order.
    """
    theta = iter(ParameterVector("theta", double_layers * (3 * num_qubits - 2)))
    circuit = QuantumCircuit(num_qubits)
    for _ in range(double_layers):
        for first in (0, 1):
            for i in range(first, num_qubits - 1, 2):
                circuit.append(XXPlusYYGate(next(theta)), [i, i + 1])
                circuit.append(RZZGate(next(theta)), [i, i + 1])
        for i in range(num_qubits):
            circuit.append(RZGate(next(theta)), [i])
        circuit.barrier()
    return circuit


def interacting_problem(num_qubits: int, double_layers: int) -> eq.Problem:
    """The circuit with Neel input (even qubits in |1>), readout Z in the middle, phase damping after each barrier."""
    # D[Z] at rate r multiplies a coherence with exp(-2 r), phase damping of parameter g with sqrt(1 - g)
    noise = eq.NoiseModel(dephasing=-math.log1p(-DAMPING) / 4)
    circuit = interacting_circuit(num_qubits, double_layers)
    return eq.Problem(circuit, readout=f"Z{num_qubits // 2}", initial="neel", noise=noise)


def device_problem(num_qubits: int, double_layers: int) -> eq.Problem:
    """The same circuit, input and readout under the calibrated noise of ibm:torino, which moves the charge."""
    circuit = interacting_circuit(num_qubits, double_layers)
    return eq.Problem(circuit, readout=f"Z{num_qubits // 2}", initial="neel", noise="ibm:torino")


def layered_problem(width: int, half_layers: int) -> eq.Problem:
    """Half layers of XXPlusYY and RZZ with RZ on all after each: Neel input, Z in the middle, each qubit dephases."""
    circuit = eq.circuits.brickwork(width, depth=half_layers)
    return eq.Problem(circuit, readout=f"Z{width // 2}", initial="neel", noise="dephasing:0.01")


def cone_alone(circuit: QuantumCircuit) -> tuple[QuantumCircuit, np.ndarray]:
    """The gates in the backward light cone of the qubit in the middle, for programs that do not look for it themselves.

    Returns:
        The circuit on as many qubits, and which of the angles are left, ascending.
    """
    reached = {circuit.num_qubits // 2}
    kept = []
    for item in reversed(circuit.data):
        qubits = {circuit.find_bit(bit).index for bit in item.qubits}
        if item.operation.name == "barrier":
            kept.append(item)
        elif qubits & reached:
            reached |= qubits
            kept.append(item)
    cone = circuit.copy_empty_like()
    for item in reversed(kept):
        cone.append(item)
    left = set(cone.parameters)
    return cone, np.array([k for k, parameter in enumerate(circuit.parameters) if parameter in left])


def free_fermion_problem(num_qubits: int, layers: int, seed: int = 0) -> eq.Problem:
    """Layers of XXPlusYY on the even and the odd bonds in turn and RZ on all: free fermions under correlated dephasing.

    The readout is sum_i w_i Z_i with w_i normal, so that every qubit is in the cone; Neel input. Jumps in each slot:
    one Z per qubit, and a few on all qubits with normal weights.
    """
    rng = np.random.default_rng(seed)
    terms = [("Z", [i], weight) for i, weight in enumerate(rng.normal(size=num_qubits).tolist())]
    readout = SparsePauliOp.from_sparse_list(terms, num_qubits=num_qubits)
    local = [{"rate": LOCAL_RATE, "weights": {i: 1.0}} for i in range(num_qubits)]
    long = [
        {"rate": LONG_RATE, "weights": dict(enumerate(rng.normal(size=num_qubits).tolist()))} for _ in range(LONG_JUMPS)
    ]
    circuit = eq.circuits.brickwork(num_qubits, layers, interaction="none")
    return eq.Problem(circuit, readout=readout, initial="neel", noise=eq.NoiseModel(dephasing=local + long))


def permutation_problem(num_qubits: int, layers: int) -> eq.Problem:
    """RX on all, RY on all, RZZ on all pairs in each layer; all start in |0>, dephase and decay, mean Z is read out."""
    circuit = eq.circuits.permutation_equivariant(num_qubits, layers)
    readout = SparsePauliOp.from_sparse_list([("Z", [q], 1 / num_qubits) for q in range(num_qubits)], num_qubits)
    noise = eq.NoiseModel(
        dephasing=[{"rate": ALIKE_DEPHASING, "weights": {q: 1.0}} for q in range(num_qubits)],
        relaxation=[{"qubit": q, "down": ALIKE_DOWN} for q in range(num_qubits)],
    )
    return eq.Problem(circuit, readout=readout, initial="0" * num_qubits, noise=noise, symmetry="permutation")


def random_angles(count: int, draws: int, seed: int) -> np.ndarray:
    """Angles uniform over the period of XXPlusYY, shape (draws, count), radians."""
    return np.random.default_rng(seed).uniform(0.0, 4 * np.pi, (draws, count))


def _wide_weights(num_qubits: int) -> np.ndarray:
    return 1.0 + np.arange(num_qubits) / num_qubits


def wide_problem(num_qubits: int, excitations: int) -> eq.Problem:
    """One layer of XXPlusYY and RZZ on the even bonds and RZ on all, whose cone is every qubit, in a small sector.

    The readout is sum_i w_i Z_i with w_i = 1 + i/n, the input has its excitations on the first even qubits, and each
    qubit dephases.
    """
    bonds = range(0, num_qubits - 1, 2)
    theta = iter(ParameterVector("theta", 2 * len(bonds) + num_qubits))
    circuit = QuantumCircuit(num_qubits)
    for i in bonds:
        circuit.append(XXPlusYYGate(next(theta)), [i, i + 1])
        circuit.append(RZZGate(next(theta)), [i, i + 1])
    for i in range(num_qubits):
        circuit.append(RZGate(next(theta)), [i])
    circuit.barrier()
    terms = [("Z", [i], weight) for i, weight in enumerate(_wide_weights(num_qubits))]
    readout = SparsePauliOp.from_sparse_list(terms, num_qubits=num_qubits)
    filled = {2 * k for k in range(excitations)}
    bits = "".join("1" if i in filled else "0" for i in reversed(range(num_qubits)))
    return eq.Problem(circuit, readout=readout, initial=bits, noise=f"dephasing:{WIDE_DEPHASING}")


def wide_gradient(num_qubits: int, excitations: int, theta: np.ndarray) -> np.ndarray:
    """The gradient of :func:`wide_problem` in closed form.

    An excitation on qubit a of bond (a, b) has <Z_a> = -cos(theta) = -<Z_b>, which dephasing leaves alone; nothing else
    depends on a parameter.
    """
    weights = _wide_weights(num_qubits)
    gradient = np.zeros(theta.size)
    for k in range(excitations):
        gradient[2 * k] = (weights[2 * k] - weights[2 * k + 1]) * math.sin(theta[2 * k])
    return gradient
