"""The authors' circuit, and the draws of weights and data that they used.

Layer l: RZ(theta[l, q]) on every qubit q, then the fixed exp(-i beta[l, j](XX + YY)) = XXPlusYY(4 beta[l, j]) on the
bonds (j, j + 1) with j = l mod 2, l mod 2 + 2, ..., around the ring. The background beta is uniform in [-0.5, 0.5];
input |1^r 0^(n-r)> or the uniform superposition of sector r; readout P_r Z_0 P_r. Data x enter as RZ(x_q) before the
first layer, with no noise between: they add to its angles. A basis state takes them as a global phase.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import XXPlusYYGate
from qiskit.quantum_info import Statevector

from equinoise.circuit.layers import end_layer
from equinoise.noise.model import NoiseModel
from equinoise.problem import Problem

__all__ = ["SMALL_BOX", "WIDE_BOX", "Ring", "crossed_draws", "nested_draws", "unstructured"]

Real = npt.NDArray[np.float64]

SMALL_BOX, WIDE_BOX = 0.05, 0.5
"""Half-widths of the two priors of the weights, radians."""


@dataclass(frozen=True)
class Ring:
    """The authors' equivariant brickwork.

    Attributes:
        num_qubits: n.
        depth: L.
        background: Seed of beta.
        excitations: r.
        closed: Whether the bond between last and first qubit is there.
        spread: Whether the input is the uniform superposition of the sector, else the basis state.
        angles: Between which beta is uniform.
    """

    num_qubits: int
    depth: int
    background: int = 42
    excitations: int = 1
    closed: bool = True
    spread: bool = False
    angles: tuple[float, float] = (-0.5, 0.5)

    def problem(self, noise: NoiseModel | None = None) -> Problem:
        """The problem, parameters theta[l n + q]."""
        n, r = self.num_qubits, self.excitations
        initial = _uniform_superposition(n, r) if self.spread else "0" * (n - r) + "1" * r
        return Problem(self.circuit(), readout="Z0", initial=initial, noise=noise, projected=True)

    def circuit(self) -> QuantumCircuit:
        """The circuit."""
        n = self.num_qubits
        beta = np.random.default_rng(self.background).uniform(*self.angles, (self.depth, n))
        theta = ParameterVector("theta", self.depth * n)
        circuit = QuantumCircuit(n)
        for layer in range(self.depth):
            for q in range(n):
                circuit.rz(theta[layer * n + q], q)
            for j in range(layer % 2, n, 2):
                if self.closed or j + 1 < n:
                    circuit.append(XXPlusYYGate(4 * beta[layer, j]), [j, (j + 1) % n])
            end_layer(circuit)
        return circuit

    def parameter(self, layer: float, qubit: float) -> int:
        """Index of theta[layer, qubit]."""
        return int(layer) * self.num_qubits + int(qubit)


def _uniform_superposition(n: int, r: int) -> Statevector:
    amplitudes = (np.bitwise_count(np.arange(2**n, dtype=np.uint64)) == r).astype(np.complex128)
    return Statevector(amplitudes / np.linalg.norm(amplitudes))


def unstructured(num_qubits: int, depth: int, noise: NoiseModel | None = None) -> Problem:
    """The authors' hardware-efficient ansatz: RY on every qubit, then CX along the chain; input |0..0>, readout Z0.

    It breaks the charge and is computed in the full space of its cone. The data are a global phase of the input.
    """
    theta = ParameterVector("theta", depth * num_qubits)
    circuit = QuantumCircuit(num_qubits)
    for layer in range(depth):
        for q in range(num_qubits):
            circuit.ry(theta[layer * num_qubits + q], q)
        for q in range(num_qubits - 1):
            circuit.cx(q, q + 1)
        end_layer(circuit)
    return Problem(circuit, readout="Z0", initial="0" * num_qubits, noise=noise, allow_broken=True)


def nested_draws(ring: Ring, seed: int, weights: int, data: int, box: float, *, after_each: int = 0) -> Real:
    """Draws as in phases 0 to 10 and 19: one stream, each theta followed by its x; data are added to layer 0.

    Args:
        ring: The circuit.
        seed: Of the stream.
        weights: Number of thetas.
        data: Number of x for each.
        box: Half-width of the uniform prior, radians.
        after_each: Further numbers that the authors take from the stream after each x (label noise).

    Returns:
        Parameter values, shape (weights * data, K); (weights, K) where the data are a global phase, which changes no
        mean and no median over the draws.
    """
    n, rng = ring.num_qubits, np.random.default_rng(seed)
    rows: list[Real] = []
    for _ in range(weights):
        theta = rng.uniform(-box, box, (ring.depth, n))
        x = [rng.uniform(-np.pi, np.pi, n + after_each)[:n] for _ in range(data)]
        rows += [_with_data(theta, one) for one in x] if ring.spread else [theta.ravel()]
    return np.array(rows)


def crossed_draws(ring: Ring, thetas: Iterable[Real], data: Iterable[Real]) -> Real:
    """All combinations of weights, shape (L, n) each, with data, shape (n,) each, as in phases 11 to 18.

    Where the data are a global phase the weights alone.
    """
    if not ring.spread:
        return np.array([theta.ravel() for theta in thetas])
    x = list(data)
    return np.array([_with_data(theta, one) for theta in thetas for one in x])


def _with_data(theta: Real, x: Real) -> Real:
    first = np.zeros_like(theta)
    first[0] = x
    return np.asarray((theta + first).ravel(), dtype=np.float64)
