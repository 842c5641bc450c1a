"""Equivariant circuits for tests, and what generators and noise are as matrices."""

from __future__ import annotations

import itertools
import math

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import XXPlusYYGate
from qiskit.quantum_info import SparsePauliOp, Statevector

from equinoise.circuit.pauli_sums import sparse_matrix
from equinoise.symmetry.groups import Charge, PauliString

__all__ = [
    "dense",
    "entangled",
    "exchange_layers",
    "hubbard_layers",
    "ising_ring",
    "matrix_of",
    "mean_z",
    "permutation_layers",
    "product_state",
    "superoperator",
]


def permutation_layers(n, depth, *, without=None):
    """RX on all, RY on all, RZZ on all pairs (but one)."""
    circuit, theta = QuantumCircuit(n), ParameterVector("t", 3 * depth)
    for layer in range(depth):
        for q in range(n):
            circuit.rx(theta[3 * layer], q)
        for q in range(n):
            circuit.ry(theta[3 * layer + 1], q)
        for a, b in itertools.combinations(range(n), 2):
            if (a, b) != without:
                circuit.rzz(theta[3 * layer + 2], a, b)
        circuit.barrier(label="layer")
    return circuit


def ising_ring(n, depth):
    """RZZ on the ring's bonds, RX on all qubits."""
    circuit, theta = QuantumCircuit(n), ParameterVector("t", 2 * depth)
    for layer in range(depth):
        for q in range(n):
            circuit.rzz(theta[2 * layer], q, (q + 1) % n)
        for q in range(n):
            circuit.rx(theta[2 * layer + 1], q)
        circuit.barrier(label="layer")
    return circuit


def exchange_layers(n, depth):
    """XX + YY + ZZ on brickwork pairs, an angle each."""
    pairs = [[(a, a + 1) for a in range(layer % 2, n - 1, 2)] for layer in range(depth)]
    circuit, theta = QuantumCircuit(n), ParameterVector("t", sum(map(len, pairs)))
    angles = iter(theta)
    for layer in pairs:
        for a, b in layer:
            angle = next(angles)
            circuit.rxx(angle, a, b)
            circuit.ryy(angle, a, b)
            circuit.rzz(angle, a, b)
        circuit.barrier(label="layer")
    return circuit


def hubbard_layers(n, depth):
    """Hops within each half of the register, RZZ between them."""
    half = n // 2
    circuit, theta = QuantumCircuit(n), ParameterVector("t", depth * (2 * (half - 1) + half))
    angles = iter(theta)
    for _ in range(depth):
        for start in (0, half):
            for a in range(start, start + half - 1):
                circuit.append(XXPlusYYGate(next(angles)), [a, a + 1])
        for a in range(half):
            circuit.rzz(next(angles), a, a + half)
        circuit.barrier(label="layer")
    return circuit


def mean_z(n):
    """The mean of all Z."""
    return SparsePauliOp.from_sparse_list([("Z", [q], 1 / n) for q in range(n)], n)


def product_state(n, seed=3):
    """One-qubit states with every amplitude complex, all different."""
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(n, 2)) + 1j * rng.normal(size=(n, 2))
    return states / np.linalg.norm(states, axis=1)[:, None]


def entangled(n, seed=5):
    """A state vector with every amplitude complex."""
    rng = np.random.default_rng(seed)
    amplitudes = rng.normal(size=2**n) + 1j * rng.normal(size=2**n)
    return Statevector(amplitudes / np.linalg.norm(amplitudes))


def dense(operator, n):
    """A Pauli sum as a matrix."""
    return sparse_matrix(operator, n).toarray()


def matrix_of(generator, n):
    """A permutation's or string's unitary; a charge's Q."""
    if isinstance(generator, Charge):
        return dense(generator.operator, n)
    if isinstance(generator, PauliString):
        return dense({generator.letters: 1.0}, n)
    out = np.zeros((2**n, 2**n))
    for x in range(2**n):
        out[sum(((x >> q) & 1) << to for q, to in enumerate(generator.image)), x] = 1
    return out


def superoperator(jumps, n):
    """sum of rate D[K] on row-major vectorised matrices."""
    eye = np.eye(2**n)
    out = np.zeros((4**n, 4**n), dtype=complex)
    for rate, jump in jumps:
        k = math.sqrt(rate) * dense(jump, n)
        square = k.conj().T @ k
        out += np.kron(k, k.conj()) - (np.kron(square, eye) + np.kron(eye, square.T)) / 2
    return out
