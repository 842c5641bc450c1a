"""Gradients of loss and predictions against differences of a full-space simulation, for every loss, input and noise."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import XXPlusYYGate, zz_feature_map
from qiskit.quantum_info import SparsePauliOp, Statevector

import equinoise as eq
from equinoise.engines.model_sweeps import ModelSweeps
from model_twin import CIRCUITS, LOSSES, NOISES, ROWS, build, difference, twin_table


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("kind", CIRCUITS)
def test_loss_and_gradient_equal_differences_of_a_full_space_simulation(kind, noise, loss):
    options, readouts, by_hand = LOSSES[loss]
    model = build(kind, noise, readouts=readouts, **options)
    theta, here, around = twin_table(kind, noise)
    found = eq.loss_gradient(model, theta)
    count = len(readouts)
    np.testing.assert_allclose(found.predictions, here[:, :count], atol=1e-12)
    assert found.loss == pytest.approx(by_hand(here[:, :count]), abs=1e-12)
    expected = difference(np.array([[by_hand(f[:, :count]) for f in points] for points in around]))
    np.testing.assert_allclose(found.gradient, expected, atol=1e-9)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("kind", CIRCUITS)
def test_gradients_of_every_prediction_equal_differences(kind, noise):
    model = build(kind, noise, "mean")
    theta, _, around = twin_table(kind, noise)
    found = ModelSweeps(model).readout_gradients(theta, 1.0, np.arange(len(ROWS)))
    np.testing.assert_allclose(np.moveaxis(found.gradients, -1, 0), difference(around), atol=1e-9)


def test_a_feature_map_of_qiskits_before_a_conserving_ansatz_is_bound_row_by_row():
    """The map breaks the charge, so all is in the full space; without noise, against Qiskit's state vectors."""
    x, w = ParameterVector("x", 2), ParameterVector("w", 2)
    circuit = zz_feature_map(2, reps=2).assign_parameters(list(x))
    circuit.append(XXPlusYYGate(w[0], w[1]), [0, 1])
    readout = SparsePauliOp(["ZI", "XX"], [1.0, 0.5])
    model = eq.Model(circuit, readout, inputs=x, data=ROWS, loss="mean", initial="00", allow_broken=True)
    theta = np.array([0.8, 0.4])
    found = eq.loss_gradient(model, theta, 0.0)

    def by_qiskit(weights):
        rows = [dict(zip(x, row, strict=True)) | dict(zip(w, weights, strict=True)) for row in ROWS]
        states = [Statevector(circuit.assign_parameters(values)) for values in rows]
        return np.array([state.expectation_value(readout).real for state in states])

    np.testing.assert_allclose(found.predictions[:, 0], by_qiskit(theta), atol=1e-12)
    values = [
        [by_qiskit(theta + sign * n * 0.02 * np.eye(2)[k]).mean() for n in (1, 2, 3, 4) for sign in (1, -1)]
        for k in range(2)
    ]
    np.testing.assert_allclose(found.gradient, difference(np.array(values)), atol=1e-9)


def test_a_model_without_data_is_its_problem():
    circuit = eq.circuits.brickwork(4, depth=2, shared=True)
    problem = eq.Problem(circuit, "Z1", "neel", "relaxation:0.02")
    model = eq.Model(circuit, "Z1", initial="neel", noise="relaxation:0.02")
    theta = np.linspace(0.2, 1, len(model.weights))
    one, two = eq.loss_gradient(model, theta, 0.7), eq.gradient(problem, theta, 0.7)
    assert one.loss == pytest.approx(two.value, abs=1e-14)
    np.testing.assert_allclose(one.gradient, two.gradient, atol=1e-14)


@pytest.mark.parametrize("noise", ["relaxation:down=0.05", "dephasing:0.1"])
def test_projected_readouts_are_projected_each(noise):
    circuit = eq.circuits.brickwork(4, depth=2)
    theta = np.linspace(0.2, 1, len(circuit.parameters))
    labels = ["Z1", "X1X2+Y1Y2"]
    model = eq.Model(circuit, labels, initial="neel", noise=noise, projected=True, trained=[circuit.parameters[0]])
    expected = [
        eq.expectation(eq.Problem(circuit, o, "neel", noise, projected=True), theta, reduce=False).value for o in labels
    ]
    np.testing.assert_allclose(eq.loss_gradient(model, theta).predictions[0], expected, atol=1e-12)


def test_workers_change_no_number():
    model = build("re-uploading", "relaxation", "mean")
    theta = model.draw(1, 0)[0]
    one, two = (eq.loss_gradient(model, theta, sampling=eq.Sampling(workers=n)) for n in (1, 2))
    assert one.gradient.tolist() == two.gradient.tolist()


def test_trained_weights_alone_have_a_gradient():
    theta, _, _ = twin_table("products of inputs", "dephasing")
    every = eq.loss_gradient(build("products of inputs", "dephasing", "mean"), theta).gradient
    some = eq.loss_gradient(build("products of inputs", "dephasing", "mean", trained=["w[3]", "w[1]"]), theta).gradient
    assert some.tolist() == every[[1, 3]].tolist()


def test_a_circuit_of_a_transpiled_layout_keeps_its_qubits():
    from qiskit import transpile

    circuit = QuantumCircuit(2)
    x, w = ParameterVector("x", 1), ParameterVector("w", 2)
    circuit.append(XXPlusYYGate(w[0] * x[0]), [0, 1])
    circuit.rzz(w[1], 0, 1)
    circuit.append(XXPlusYYGate(w[0]), [0, 1])
    placed = transpile(
        circuit, initial_layout=[2, 0], coupling_map=[[0, 1], [1, 0], [0, 2], [2, 0]], optimization_level=0
    )
    options = {"inputs": "x", "data": [[0.4], [0.9]], "initial": "01"}
    one, two = (eq.Model(c, ["Z0", "Z1"], **options) for c in (circuit, placed))
    theta = [0.3, 0.8]
    first, second = (eq.loss_gradient(m, theta, 0.0) for m in (one, two))
    np.testing.assert_allclose(first.predictions, second.predictions, atol=1e-14)
    assert np.abs(first.predictions[:, 0] - first.predictions[:, 1]).min() > 0.1
