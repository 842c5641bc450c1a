"""The replica average's slow twin: E vec(rho) vec(rho)^dag over all angles by quadrature, on the full 2^n space.

It shares no code with the engine: gates are Qiskit's matrices at sampled angles, derivatives come from the samples'
Fourier transform, noise from Lindblad generators written down here and exponentiated whole.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np
import scipy.linalg
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator

__all__ = ["twin_variance"]

# frequencies of a gate's superoperator are multiples of 1/4 up to 1, and of two together up to 2
NODES, SPAN = 16, 8 * math.pi
PAULI = {
    "Z": np.diag([1.0, -1.0]),
    "down": np.array([[0.0, 1.0], [0.0, 0.0]]),
    "up": np.array([[0.0, 0.0], [1.0, 0.0]]),
}


def twin_variance(problem: Any, scale: float) -> np.ndarray:
    """E g_k^2 by parameter, shape (K,), at a finite noise scale."""
    n = problem.num_qubits
    vector = problem.initial.statevector()
    rho = np.outer(vector, vector.conj()).reshape(-1)
    state = np.outer(rho, rho.conj())
    index = {p: k for k, p in enumerate(problem.circuit.parameters)}
    tangents: dict[int, np.ndarray] = {}
    for layer, slot in zip(problem.layers, problem.slots, strict=True):
        for gate in layer.gates:
            instruction = problem.circuit.data[gate.position]
            names = sorted(instruction.operation.params and _free(instruction.operation), key=lambda p: p.name)
            maps, slopes = _samples(instruction.operation, gate.qubits, n, names)
            fresh = {index[p]: _mean(slopes[p], state) for p in names}
            state = _mean(maps, state)
            tangents = {k: _mean(maps, t) for k, t in tangents.items()} | fresh
        noise = _channel(slot, n, scale)
        state = noise @ state @ noise.conj().T
        tangents = {k: noise @ t @ noise.conj().T for k, t in tangents.items()}
    seen = _observable(problem).T.reshape(-1)
    out = np.zeros(len(index))
    for k, t in tangents.items():
        out[k] = (seen @ t @ seen.conj()).real
    return out


def _free(operation: Any) -> set[Any]:
    return {p for angle in operation.params for p in getattr(angle, "parameters", ())}


def _samples(operation: Any, qubits: Any, n: int, names: list[Any]) -> tuple[np.ndarray, dict[Any, np.ndarray]]:
    """Superoperators U (x) U* at all angles of a grid and their derivatives by each parameter."""
    grid = np.arange(NODES) * SPAN / NODES
    unitaries = []
    for angles in itertools.product(grid, repeat=len(names)):
        circuit = QuantumCircuit(n)
        circuit.append(operation, qubits)
        unitaries.append(Operator(circuit.assign_parameters(dict(zip(names, angles, strict=True)))).data)
    shape = (NODES,) * len(names)
    maps = np.array([np.kron(u, u.conj()) for u in unitaries])
    slopes = {}
    for axis, name in enumerate(names):
        wide = maps.reshape(*shape, *maps.shape[1:])
        frequencies = np.fft.fftfreq(NODES, d=SPAN / NODES) * 2 * math.pi
        turned = np.fft.fft(wide, axis=axis)
        factor = (1j * frequencies).reshape([-1 if a == axis else 1 for a in range(wide.ndim)])
        slopes[name] = np.fft.ifft(turned * factor, axis=axis).reshape(maps.shape)
    return maps, slopes


def _mean(maps: np.ndarray, state: np.ndarray) -> np.ndarray:
    return sum(m @ state @ m.conj().T for m in maps) / len(maps)


def _embedded(matrices: dict[int, np.ndarray], n: int) -> np.ndarray:
    return functools.reduce(lambda low, q: np.kron(matrices.get(q, np.eye(2)), low), range(n), np.eye(1))


def _jump(k: np.ndarray) -> np.ndarray:
    one = np.eye(k.shape[0])
    square = k.conj().T @ k
    return np.kron(k, k.conj()) - np.kron(square, one) / 2 - np.kron(one, square.T) / 2


def _channel(slot: Any, n: int, scale: float) -> np.ndarray:
    out = np.eye(4**n, dtype=complex)
    for term in slot.dephasing:
        k = sum(w * _embedded({q: PAULI["Z"]}, n) for q, w in term.pairs)
        out = scipy.linalg.expm(scale * term.rate * _jump(k)) @ out
    for term in slot.relaxation:
        down, up = (_jump(_embedded({term.qubit: PAULI[name]}, n)) for name in ("down", "up"))
        out = scipy.linalg.expm(scale * (term.down * down + term.up * up)) @ out
    for term in slot.depolarizing:
        x, y, z = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), PAULI["Z"]
        total = np.zeros((4**n, 4**n), dtype=complex)
        for letters in itertools.product((np.eye(2), x, y, z), repeat=len(term.qubits)):
            u = _embedded(dict(zip(term.qubits, letters, strict=True)), n)
            total += np.kron(u, u.conj()) / 4 ** len(term.qubits)
        out = scipy.linalg.expm(scale * term.rate * (total - np.eye(4**n))) @ out
    for term in slot.pauli:
        u = _embedded({q: PAULI[letter] for q, letter in term.pauli}, n)
        out = scipy.linalg.expm(scale * term.rate * _jump(u)) @ out
    # stated by matrices: here all terms of a slot at once, which is what they do where pairs do not overlap
    total = np.zeros((4**n, 4**n), dtype=complex)
    for term in (*slot.jump, *slot.coherent):
        k = _on(np.array(term.matrix), term.qubits, n)
        turn = -1j * (np.kron(k, np.eye(2**n)) - np.kron(np.eye(2**n), k.T))
        total += term.angle * turn if hasattr(term, "angle") else term.rate * _jump(k)
    return scipy.linalg.expm(scale * total) @ out


def _on(matrix: np.ndarray, qubits: tuple[int, ...], n: int) -> np.ndarray:
    """A matrix on some qubits, the first the least significant bit, as the sum of its elements."""
    out = np.zeros((2**n, 2**n), dtype=complex)
    for row, column in zip(*np.nonzero(matrix), strict=True):
        units = {q: np.eye(2)[:, [row >> i & 1]] @ np.eye(2)[[column >> i & 1]] for i, q in enumerate(qubits)}
        out += matrix[row, column] * _embedded(units, n)
    return out


def _observable(problem: Any) -> np.ndarray:
    matrix = problem.readout.to_matrix()
    if problem.projected:
        inside = np.array([x.bit_count() == problem.charge for x in range(matrix.shape[0])], dtype=float)
        matrix = inside[:, None] * matrix * inside
    return matrix
