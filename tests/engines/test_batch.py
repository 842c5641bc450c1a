"""Many parameter values at once: against one by one, the slow full-space program and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

import equinoise as eq
import slow_twin as reference
from equinoise.engines.batch import Batch

NOISES = {
    "none": None,
    "dephasing": "dephasing:0.05",
    "relaxation": "dephasing:0.03+relaxation:down=0.1,up=0.04+depolarizing:0.02",
    "pairs": eq.NoiseModel(depolarizing=[{"qubits": [0, 1], "rate": 0.05}], relaxation=0.1),
    "bit flips": eq.NoiseModel(pauli=[{"pauli": "X0", "rate": 0.1}, {"pauli": "Y1Z2", "rate": 0.05}]),
    "jump": eq.NoiseModel(
        jump=[{"qubits": [0, 1], "matrix": [[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]], "rate": 0.2}]
    ),
}


def brickwork(noise, readout="Z1+0.4*X1X2+0.4*Y1Y2", depth=3):
    return eq.Problem(eq.circuits.brickwork(4, depth=depth), readout=readout, initial="neel", noise=noise)


def off_the_charge(noise=None):
    """Gates of every form in the full space: one qubit, pairs in both orders, none that conserves."""
    a = ParameterVector("a", 5)
    circuit = QuantumCircuit(4)
    circuit.rx(a[0], 0)
    circuit.ry(a[1], 3)
    circuit.cx(3, 1)
    circuit.rzx(a[2], 2, 0)
    circuit.rxx(a[3] + 0.5 * a[0], 1, 2)
    circuit.h(1)
    circuit.crx(a[4], 0, 3)
    return eq.Problem(circuit, readout="Z3+0.5*X0Y1", initial="0110", noise=noise, allow_broken=True)


def angles(problem, count, seed=0):
    return np.random.default_rng(seed).uniform(-2, 2, (count, len(problem.parameters)))


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("state", [brickwork, off_the_charge])
def test_values_of_many_points_are_those_of_a_full_space_program(state, name):
    problem = state(NOISES[name])
    thetas = angles(problem, 40)
    found = eq.expectations(problem, thetas)
    assert found.engine == ("state-vector" if name == "none" else "exact")
    for theta, value in zip(thetas[:3], found.values[:3], strict=True):
        assert value == pytest.approx(reference.value(problem, theta, 1.0), abs=1e-12)
    one = [eq.expectation(problem, theta) for theta in thetas]
    np.testing.assert_allclose(found.values, [e.value for e in one], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.shot_variances, [e.shot_variance for e in one], rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [0.0, 0.3, np.inf])
def test_every_noise_scale_is_that_of_single_values(scale):
    problem = brickwork("dephasing:0.05+relaxation:0.1")
    thetas = angles(problem, 5)
    one = [eq.expectation(problem, theta, scale=scale).value for theta in thetas]
    np.testing.assert_allclose(eq.expectations(problem, thetas, scale=scale).values, one, rtol=0, atol=1e-12)


@pytest.mark.parametrize("initial", ["product", "entangled"])
def test_inputs_of_several_charges_and_mixed_cones_are_those_of_single_values(initial):
    rng = np.random.default_rng(1)
    state = rng.normal(size=(5, 2)) + 1j * rng.normal(size=(5, 2))
    state /= np.linalg.norm(state, axis=1)[:, None]
    if initial == "entangled":
        state = rng.normal(size=32) + 1j * rng.normal(size=32)
        state /= np.linalg.norm(state)
    for noise in (None, "dephasing:0.1+relaxation:0.1"):
        # depth 1: the cone of Z0 leaves qubits out, so that an entangled input is mixed on it
        problem = eq.Problem(eq.circuits.brickwork(5, depth=1), readout="Z0", initial=state, noise=noise)
        thetas = angles(problem, 30)
        one = [eq.expectation(problem, theta).value for theta in thetas]
        np.testing.assert_allclose(eq.expectations(problem, thetas).values, one, rtol=0, atol=1e-12)


@pytest.mark.parametrize("state", [brickwork, off_the_charge])
def test_noiseless_gradients_from_state_vectors_are_those_of_density_matrices(state):
    problem = state(None)
    theta = angles(problem, 1)[0]
    batch = Batch(problem)
    values, gradient = batch.value_and_pullback(theta, [batch.program.readout_entries], lambda _: np.ones(1))
    assert values[0] == pytest.approx(reference.value(problem, theta, 0.0), abs=1e-12)
    np.testing.assert_allclose(gradient, reference.gradient(problem, theta, 0.0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NOISES)
def test_populations_are_a_distribution_whose_means_are_the_values(name):
    problem = brickwork(NOISES[name], readout="Z0+2*Z1+4*Z2+8*Z3")
    thetas = angles(problem, 30)
    batch = Batch(problem)
    total, mean = np.zeros(30), np.zeros(30)
    for q, populations in batch.populations(thetas).items():
        signs = 1.0 - 2.0 * batch.program.sectors[q].occupations
        total += populations.sum(axis=1)
        mean += populations @ (signs @ 2 ** np.arange(4))
        assert populations.min() > -1e-12
    np.testing.assert_allclose(total, 1.0, rtol=0, atol=1e-12)
    np.testing.assert_allclose(mean, eq.expectations(problem, thetas).values, rtol=0, atol=1e-12)


def test_a_state_too_large_to_write_its_noise_out_is_worked_out_value_by_value():
    problem = eq.Problem(eq.circuits.brickwork(7, depth=4), readout="Z3", initial="neel", noise="relaxation:0.1")
    thetas = angles(problem, 3)
    assert Batch(problem).program.numbers > 1024
    one = [eq.expectation(problem, theta).value for theta in thetas]
    np.testing.assert_allclose(eq.expectations(problem, thetas).values, one, rtol=0, atol=1e-12)


def test_points_that_do_not_fit_are_named():
    problem = brickwork(None)
    count = len(problem.parameters)
    with pytest.raises(eq.EquinoiseError, match=rf"shape \(S, {count}\).*got \({count},\)"):
        eq.expectations(problem, np.zeros(count))
    thetas = np.zeros((3, count))
    thetas[1, 2] = np.nan
    with pytest.raises(eq.EquinoiseError, match="not finite in row 1"):
        eq.expectations(problem, thetas)
    assert eq.expectations(problem, np.zeros((0, count))).values.shape == (0,)
