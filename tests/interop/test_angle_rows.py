"""Angles that are any function of a circuit's parameters: against Qiskit's own binding, and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import zz_feature_map
from qiskit.quantum_info import Operator

from equinoise.interop.angle_rows import AngleRows

A, B, C = (Parameter(name) for name in "abc")
EXPRESSIONS = {
    "linear": 2 * A - B + 0.3,
    "product": 2 * (np.pi - A) * (np.pi - B),
    "third degree": A * B * C - 3 * A * A * B,
    "fifth degree": A**5 - B,
    "sine": (A * B).sin() + C,
    "quotient": A / (2 + B * B),
    "modulus": (A * C).abs(),
}


def of(expression):
    circuit = QuantumCircuit(1)
    circuit.rx(expression, 0)
    circuit.rz(A, 0)
    circuit.global_phase = C
    return circuit


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_values_are_those_of_binding_the_circuit(name):
    circuit = of(EXPRESSIONS[name])
    angles = AngleRows(circuit)
    thetas = np.random.default_rng(0).uniform(-2, 2, (4, len(circuit.parameters)))
    for theta, own in zip(thetas, angles.values(thetas), strict=True):
        ours, theirs = (Operator(c.assign_parameters(t)) for c, t in ((angles.circuit, own), (circuit, theta)))
        assert ours.equiv(theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_gradients_are_finite_differences_of_the_values(name):
    circuit = of(EXPRESSIONS[name])
    angles = AngleRows(circuit)
    theta = np.random.default_rng(1).uniform(0.2, 2, len(circuit.parameters))
    weights = np.random.default_rng(2).normal(size=len(angles.circuit.parameters))
    step = 1e-5
    ends = [angles.values(theta + sign * step * np.eye(theta.size)) @ weights for sign in (1, -1)]
    difference = (ends[0] - ends[1]) / (2 * step)
    # central difference: error step^2 times the third derivative
    np.testing.assert_allclose(angles.pulled_back(theta, weights), difference, rtol=1e-7, atol=1e-7)


def test_equal_expressions_share_one_parameter_so_that_ties_stay():
    circuit = QuantumCircuit(2)
    circuit.rxx(A * B, 0, 1)
    circuit.ryy(A * B, 0, 1)
    assert AngleRows(circuit).replaced == 1


def test_composite_gates_are_written_out_where_their_angles_are_products():
    circuit = QuantumCircuit(3)
    circuit.append(zz_feature_map(3, reps=1).to_instruction(), range(3))
    angles = AngleRows(circuit)
    theta = np.array([0.4, -0.3, 1.1])
    own = angles.values(theta[None])[0]
    assert Operator(angles.circuit.assign_parameters(own)).equiv(Operator(circuit.assign_parameters(theta)))
