"""Networks of qiskit-machine-learning on our primitives: its own gradients, feature maps off the charge, training."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import XXPlusYYGate, zz_feature_map
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import SparsePauliOp

from equinoise.interop.qiskit_estimator import SectorEstimator

gradients = pytest.importorskip("qiskit_machine_learning.gradients")

from qiskit_machine_learning.neural_networks import EstimatorQNN  # noqa: E402

from equinoise.interop.qiskit_gradient import SectorEstimatorGradient  # noqa: E402

OBSERVABLES = [SparsePauliOp("IZ"), SparsePauliOp(["XX", "YI"])]
DATA = np.array([[0.3, -0.8], [1.1, 0.4]])
WEIGHTS = np.array([0.5, -0.4, 0.9])


def network(estimator, gradient, observables=None):
    """A feature map with products of inputs, which breaks the charge, before a conserving ansatz with tied angles."""
    inputs, weights = ParameterVector("x", 2), ParameterVector("w", 3)
    circuit = zz_feature_map(2, reps=1).assign_parameters(list(inputs))
    ansatz = QuantumCircuit(2)
    ansatz.append(XXPlusYYGate(2 * weights[0]), [0, 1])
    ansatz.rz(weights[1], 0)
    ansatz.rzz(weights[2], 0, 1)
    ansatz.append(XXPlusYYGate(weights[0]), [0, 1])
    return EstimatorQNN(
        circuit=circuit.compose(ansatz),
        estimator=estimator,
        observables=OBSERVABLES if observables is None else observables,
        input_params=list(inputs),
        weight_params=list(weights),
        gradient=gradient,
        input_gradients=True,
    )


@pytest.mark.parametrize("name", ["ParamShiftEstimatorGradient", "LinCombEstimatorGradient", "ours"])
def test_every_gradient_without_noise_is_that_of_qiskits_state_vectors(name):
    estimator, exact = SectorEstimator(), StatevectorEstimator()
    kind = SectorEstimatorGradient if name == "ours" else getattr(gradients, name)
    found = network(estimator, kind(estimator))
    expected = network(exact, gradients.ParamShiftEstimatorGradient(exact))
    order = [p.name for p in found.circuit.parameters]
    assert order == ["w[0]", "w[1]", "w[2]", "x[0]", "x[1]"]
    jobs = [exact.run([(found.circuit, OBSERVABLES, [*WEIGHTS, *x])], precision=0) for x in DATA]
    values = [job.result()[0].data.evs for job in jobs]
    np.testing.assert_allclose(found.forward(DATA, WEIGHTS), values, rtol=0, atol=1e-12)
    for ours, theirs in zip(found.backward(DATA, WEIGHTS), expected.backward(DATA, WEIGHTS), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-11)


def test_with_noise_our_gradient_is_the_shift_rules():
    estimator = SectorEstimator(noise="dephasing:0.05+relaxation:0.1")
    by_sweep = network(estimator, SectorEstimatorGradient(estimator)).backward(DATA, WEIGHTS)
    by_shift = network(estimator, gradients.ParamShiftEstimatorGradient(estimator)).backward(DATA, WEIGHTS)
    for ours, theirs in zip(by_sweep, by_shift, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
    assert np.abs(by_sweep[1]).max() > 0.1


def test_a_classifier_is_trained_with_noise():
    from qiskit_machine_learning.algorithms import NeuralNetworkClassifier
    from qiskit_machine_learning.optimizers import L_BFGS_B

    estimator = SectorEstimator(noise="relaxation:0.05")
    one = network(estimator, SectorEstimatorGradient(estimator), observables=OBSERVABLES[0])
    data = np.random.default_rng(0).uniform(-1, 1, (12, 2))
    labels = np.where(data[:, 0] > 0, 1, -1)
    losses = []
    classifier = NeuralNetworkClassifier(
        one,
        optimizer=L_BFGS_B(maxiter=6),
        initial_point=WEIGHTS,
        callback=lambda _, loss: losses.append(loss),
    )
    classifier.fit(data, labels)
    assert min(losses) < losses[0] - 1e-3
    assert classifier.predict(data).shape == (12, 1)
