"""Networks of qiskit-machine-learning as models: their own forward and backward, orders of weights, refusals."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import XXPlusYYGate, zz_feature_map
from qiskit.quantum_info import SparsePauliOp

import equinoise as eq
from equinoise.errors import CircuitError, DataError, ParameterError, ReadoutError, UnsupportedError

networks = pytest.importorskip("qiskit_machine_learning.neural_networks")

ROWS = np.random.default_rng(3).uniform(-1, 1, (3, 3))
LABELS = np.array([0, 1, 1])
READOUTS = [SparsePauliOp(["IIZ"]), SparsePauliOp(["ZIZ", "IXX", "IYY"], [0.5, 0.3, 0.3])]


def ansatz():
    """Hops in two parts with one angle, and phases."""
    w = ParameterVector("w", 5)
    circuit = QuantumCircuit(3)
    for k in range(2):
        circuit.rxx(w[k] / 2, k, k + 1)
        circuit.ryy(w[k] / 2, k, k + 1)
        circuit.rz(w[2 + k], k + 1)
    circuit.append(XXPlusYYGate(w[4]), [0, 1])
    return circuit, w


def phases(x):
    """Data in angles and products of them, between conserving gates."""
    circuit = QuantumCircuit(3)
    circuit.x(0)
    for k in range(3):
        circuit.append(XXPlusYYGate(0.7), [k % 2, k % 2 + 1])
        circuit.rz(2 * x[k], k)
    circuit.rzz((np.pi - x[0]) * (np.pi - x[1]), 0, 1)
    return circuit


def estimator(features=None, **options):
    x = ParameterVector("x", 3)
    circuit = phases(x) if features is None else features
    trained, w = ansatz()
    inputs = list(x) if features is None else list(features.parameters)
    return networks.EstimatorQNN(
        circuit=circuit.compose(trained), observables=READOUTS, input_params=inputs, weight_params=list(w), **options
    )


def check(network, model):
    theta = np.random.default_rng(4).uniform(-1, 1, 5)
    found = eq.loss_gradient(model, theta)
    forward = network.forward(ROWS, theta)
    np.testing.assert_allclose(found.predictions, forward, atol=1e-8)
    _, backward = network.backward(ROWS, theta)
    slopes = 2 * (forward - np.stack([LABELS, LABELS], axis=1)) / 2
    np.testing.assert_allclose(found.gradient, np.einsum("ic,ick->k", slopes, backward) / len(ROWS), atol=1e-8)


def test_an_estimator_network_has_its_own_forward_and_backward():
    network = estimator()
    labels = np.stack([LABELS, LABELS], axis=1)
    check(network, eq.Model.from_qnn(network, data=ROWS, labels=labels, loss="mse"))


def test_a_feature_map_that_breaks_the_charge_runs_in_the_full_space():
    network = estimator(zz_feature_map(3, reps=1))
    labels = np.stack([LABELS, LABELS], axis=1)
    check(network, eq.Model.from_qnn(network, data=ROWS, labels=labels, loss="mse", allow_broken=True))


def test_a_sampler_network_has_probabilities_of_what_outcomes_are_interpreted_as():
    x = ParameterVector("x", 3)
    trained, w = ansatz()
    circuit = phases(x).compose(trained)
    for options in ({}, {"interpret": lambda b: b.bit_count() % 2 + 2 * (b == 3), "output_shape": 3}):
        network = networks.SamplerQNN(circuit=circuit, input_params=list(x), weight_params=list(w), **options)
        model = eq.Model.from_qnn(network, data=ROWS)
        found = eq.loss_gradient(model, np.arange(5) / 5).predictions
        # the sampler draws 1024 shots with a fixed seed: four standard errors
        np.testing.assert_allclose(found, network.forward(ROWS, np.arange(5) / 5), atol=4 * 0.5 / 32)
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)


def test_measurements_say_which_qubits_a_sampler_network_reads():
    w = Parameter("w")
    circuit = QuantumCircuit(3, 2)
    circuit.x(0)
    circuit.append(XXPlusYYGate(w), [0, 2])
    circuit.measure([2, 0], [0, 1])
    kept = np.cos(0.3) ** 2
    with pytest.raises(ReadoutError, match="no outcome of the 2 qubits measured is number 0"):
        eq.Model.from_qnn(
            networks.SamplerQNN(circuit=circuit, weight_params=[w], interpret=lambda b: 4, output_shape=5)
        )
    network = networks.SamplerQNN(circuit=circuit, weight_params=[w], interpret=lambda b: b, output_shape=4)
    found = eq.loss_gradient(eq.Model.from_qnn(network), [0.6]).predictions
    np.testing.assert_allclose(found, [[0, 1 - kept, kept, 0]], atol=1e-12)


def test_the_sector_estimator_hands_its_noise_on():
    from equinoise.interop.qiskit_estimator import SectorEstimator

    network = estimator(estimator=SectorEstimator(noise="dephasing:0.1"))
    model = eq.Model.from_qnn(network, data=ROWS)
    assert model.problem.noise.name == "dephasing:0.1"
    theta = np.arange(5) / 5
    np.testing.assert_allclose(eq.loss_gradient(model, theta).predictions, network.forward(ROWS, theta), atol=1e-10)
    assert eq.Model.from_qnn(network, data=ROWS, noise="depolarizing:0.1").problem.noise.name == "depolarizing:0.1"


def test_weights_in_another_order_are_told_and_a_point_is_given_in_the_networks_order():
    w = [Parameter(name) for name in "cab"]
    circuit = QuantumCircuit(2)
    circuit.x(0)
    for each in w:
        circuit.append(XXPlusYYGate(each), [0, 1])
        circuit.rz(0.3, 0)
    network = networks.EstimatorQNN(circuit=circuit, weight_params=w)
    model = eq.Model.from_qnn(network, at=[0.3, 0.1, 0.2], prior="normal:1e-9")
    assert any("another order" in note for note in model.warnings)
    np.testing.assert_allclose(model.draw(1, 0)[0], [0.1, 0.2, 0.3], atol=1e-7)


def test_networks_that_are_no_models_are_refused():
    with pytest.raises(
        CircuitError, match="EstimatorQNN or a SamplerQNN of qiskit-machine-learning, got QuantumCircuit"
    ):
        eq.Model.from_qnn(QuantumCircuit(1))
    with pytest.raises(DataError, match="no data was given"):
        eq.Model.from_qnn(estimator())
    with pytest.raises(ParameterError, match="at must hold 5 numbers"):
        eq.Model.from_qnn(estimator(), data=ROWS, at=[0.1])
    w = Parameter("w")
    wide = QuantumCircuit(11)
    wide.x(0)
    wide.append(XXPlusYYGate(w), [0, 1])
    with pytest.raises(UnsupportedError, match="at most 10 qubits"):
        eq.Model.from_qnn(networks.SamplerQNN(circuit=wide, weight_params=[w]))
