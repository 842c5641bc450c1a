"""Whole channels on one qubit act one after another, in the order given; jumps on it act together."""

import numpy as np
import pytest
import scipy.linalg
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import equinoise as eq
from compiled_twin import LOWER, PAULIS, lindblad

DAMPING = [[[1, 0], [0, 0.8]], [[0, 0.6], [0, 0]]]


def turned(angle, probability):
    """A rotation about X, applied with some probability: it does not commute with damping."""
    rotation = scipy.linalg.expm(-1j * angle * PAULIS["X"])
    kept = np.sqrt(1 - probability) * np.eye(2)
    return [kept.tolist(), (np.sqrt(probability) * rotation).tolist()]


def plain(operators):
    return [[[[complex(v).real, complex(v).imag] for v in row] for row in k] for k in operators]


@pytest.mark.parametrize("flipped", [False, True])
def test_two_channels_on_one_qubit_act_in_the_order_given(flipped):
    circuit = QuantumCircuit(1)
    circuit.rz(Parameter("t"), 0)
    operators = [DAMPING, turned(0.5, 0.3)][:: -1 if flipped else 1]
    noise = eq.NoiseModel(kraus=[{"qubits": [0], "operators": plain(k)} for k in operators])
    problem = eq.Problem(circuit, "Z0", initial="1", noise=noise, allow_broken=True)
    rho = np.diag([0.0, 1.0]).astype(complex)
    for channel in operators:
        rho = sum(np.array(k) @ rho @ np.array(k).conj().T for k in channel)
    assert eq.expectation(problem, [0.3]).value == pytest.approx((rho[0, 0] - rho[1, 1]).real, abs=1e-10)


def test_jumps_on_one_qubit_act_together():
    circuit = QuantumCircuit(1)
    circuit.rz(Parameter("t"), 0)
    jumps = [(0.4, LOWER), (0.3, PAULIS["X"] + 0.2 * PAULIS["Z"])]
    stated = [eq.Jump((0,), k, rate) for rate, k in jumps]
    problem = eq.Problem(circuit, "Z0", initial="1", noise=eq.NoiseModel(jump=stated), allow_broken=True)
    rho = scipy.linalg.expm(lindblad(jumps, None, 2)) @ np.array([0, 0, 0, 1])
    assert eq.expectation(problem, [0.3]).value == pytest.approx((rho[0] - rho[3]).real, abs=1e-10)
