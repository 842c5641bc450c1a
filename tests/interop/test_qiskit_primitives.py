"""Qiskit's estimator and gradient interfaces against the problem itself and a full-space program."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import XXPlusYYGate, zz_feature_map
from qiskit.primitives import StatevectorEstimator
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import SparsePauliOp

import equinoise as eq
import slow_twin as reference
from equinoise.interop.qiskit_estimator import SectorEstimator

NOISE = "dephasing:0.03+relaxation:down=0.04,up=0.01"
READOUTS = ["Z2", "X1X2+Y1Y2", "0.5*Z0Z3 - Z1"]


def brickwork():
    circuit = QuantumCircuit(4)
    circuit.x([0, 2])
    return circuit.compose(eq.circuits.brickwork(4, depth=2))


def problem(readout, noise=NOISE):
    return eq.Problem(brickwork(), readout=readout, noise=noise)


def operators():
    return [problem(label).readout for label in READOUTS]


def test_noisy_values_broadcast_as_qiskit_does():
    thetas = np.random.default_rng(0).uniform(-2, 2, (5, 14))
    column = [[operator] for operator in operators()]
    result = SectorEstimator(noise=NOISE).run([(brickwork(), column, thetas)]).result()[0]
    assert result.data.evs.shape == (3, 5)
    for i, label in enumerate(READOUTS):
        for j, theta in enumerate(thetas):
            assert result.data.evs[i, j] == pytest.approx(reference.value(problem(label), theta, 1.0), abs=1e-12)
    np.testing.assert_array_equal(result.data.stds, 0.0)
    assert result.metadata["engine"] == "exact"


def test_observables_of_one_run_are_read_on_one_layout_of_the_device():
    """Z0 and Z5 of a shallow circuit have cones of their own; alone each would be placed elsewhere."""
    backend = GenericBackendV2(8, coupling_map=[[q, q + 1] for q in range(7)], seed=3)
    circuit = QuantumCircuit(6)
    circuit.x([0, 2, 4])
    circuit = circuit.compose(eq.circuits.brickwork(6, depth=1))
    theta = np.linspace(0.1, 1.0, circuit.num_parameters)
    noise = eq.NoiseModel.from_backend(backend)
    pair = eq.Problem(circuit, "Z0+Z5", noise=noise)
    alone = [eq.Problem(circuit, label, noise=noise) for label in ("Z0", "Z5")]
    assert pair.noise.placement not in [one.noise.placement for one in alone]
    result = SectorEstimator(noise=noise).run([(circuit, [one.readout for one in alone], theta)]).result()[0]
    for value, one in zip(result.data.evs, alone, strict=True):
        there = one.with_noise(pair.noise).as_read()
        assert value == pytest.approx(eq.gradient(there, theta).value, abs=1e-9)


def test_without_noise_it_is_qiskits_state_vector_estimator():
    theta = np.random.default_rng(1).uniform(-2, 2, 14)
    pub = (brickwork(), operators(), theta)
    ours = SectorEstimator().run([pub], precision=0.0).result()[0].data.evs
    theirs = StatevectorEstimator().run([pub]).result()[0].data.evs
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_an_empty_register_is_all_zeros_and_a_fixed_circuit_needs_no_parameters():
    circuit = QuantumCircuit(2)
    circuit.rzz(0.3, 0, 1)
    assert SectorEstimator().run([(circuit, "IZ")]).result()[0].data.evs == pytest.approx(1.0)


def compared_with_qiskit(circuit, observables, thetas, tolerance=1e-12):
    """Our result of a pub, after its values were held against Qiskit's state vectors."""
    pub = (circuit, observables, thetas)
    ours = SectorEstimator().run([pub]).result()[0]
    theirs = StatevectorEstimator().run([pub]).result()[0]
    assert ours.data.evs.shape == theirs.data.evs.shape
    np.testing.assert_allclose(ours.data.evs, theirs.data.evs, rtol=0, atol=tolerance)
    return ours


def test_a_feature_map_with_products_of_inputs_before_a_conserving_ansatz_is_bound_value_by_value():
    features = zz_feature_map(4, reps=2)
    circuit = features.compose(eq.circuits.brickwork(4, depth=2))
    thetas = np.random.default_rng(3).uniform(-2, 2, (6, circuit.num_parameters))
    result = compared_with_qiskit(circuit, [["IZII"], [SparsePauliOp(["XIII", "ZZII"], [0.3, 0.4])]], thetas)
    assert result.metadata["engine"] == "state-vector"
    assert any("breaks the charge" in note and "full space" in note for note in result.metadata["warnings"])


def test_gates_and_observables_that_break_the_charge_take_the_full_space():
    a = ParameterVector("a", 3)
    circuit = QuantumCircuit(3)
    circuit.ry(a[0], 0)
    circuit.cx(0, 1)
    circuit.rxx(a[1], 1, 2)
    circuit.h(2)
    circuit.rz(a[2], 2)
    compared_with_qiskit(circuit, [["ZIX"], ["YYI"], ["IXZ"]], np.random.default_rng(4).uniform(-2, 2, (5, 3)))


def test_what_moves_the_charge_has_mean_0_in_a_state_of_one_charge_and_is_named():
    theta = np.random.default_rng(5).uniform(-2, 2, 14)
    result = compared_with_qiskit(brickwork(), ["XIII", SparsePauliOp(["IXXI", "IZII"])], theta)
    assert result.data.evs[0] == 0
    assert any("1*XIII" in note and "mean 0" in note for note in result.metadata["warnings"])
    assert result.metadata["reduction"][0]["charges"] is not None


def test_coherence_between_charges_in_the_input_is_seen_by_what_moves_the_charge():
    circuit = QuantumCircuit(4)
    circuit.h(0)
    circuit = circuit.compose(eq.circuits.brickwork(4, depth=2))
    result = compared_with_qiskit(circuit, "IIIX", np.full(14, 0.1))
    assert abs(result.data.evs) > 0.1


def test_bit_flips_and_a_breaking_gate_are_exact_in_the_full_space():
    circuit = QuantumCircuit(3)
    circuit.ry(0.7, 0)
    circuit.rxx(0.4, 0, 1)
    circuit.append(XXPlusYYGate(0.9), [1, 2])
    noise = eq.NoiseModel(pauli=[{"pauli": "X0", "rate": 0.1}], relaxation=0.05)
    value = SectorEstimator(noise=noise).run([(circuit, "ZZX")]).result()[0].data.evs
    stated = eq.Problem(circuit, SparsePauliOp("ZZX"), initial="000", noise=noise, allow_broken=True)
    assert float(value) == pytest.approx(reference.value(stated, np.zeros(0), 1.0), abs=1e-12)


def test_a_full_space_beyond_what_is_held_is_refused_with_the_reason():
    circuit = QuantumCircuit(21)
    for q in range(20):
        circuit.rxx(0.3, q, q + 1)
    with pytest.raises(eq.EquinoiseError, match="21 qubits, and the full space is held for at most 20"):
        SectorEstimator().run([(circuit, "Z" * 21)]).result()


def test_arrays_of_parameters_and_observables_broadcast_where_only_some_pairs_are_asked_for():
    thetas = np.random.default_rng(6).uniform(-2, 2, (3, 1, 14))
    column = [operators()[:2]] * 3
    compared_with_qiskit(brickwork(), column, thetas)
    # one observable for each parameter value: none of the other pairs
    compared_with_qiskit(brickwork(), operators(), thetas[:, 0])


def test_pubs_of_one_circuit_are_worked_out_together_and_keep_their_own_results():
    rng = np.random.default_rng(7)
    thetas = rng.uniform(-2, 2, (4, 14))
    other = brickwork()
    other.rz(0.3, 0)
    pubs = [(brickwork(), operators()[0], thetas[0]), (other, operators()[1], thetas[1])]
    pubs += [(brickwork(), operators()[1], thetas[2:]), (brickwork(), operators()[0], thetas[3])]
    together = SectorEstimator(noise=NOISE).run(pubs).result()
    for result, pub in zip(together, pubs, strict=True):
        alone = SectorEstimator(noise=NOISE).run([pub]).result()[0]
        np.testing.assert_allclose(result.data.evs, alone.data.evs, rtol=0, atol=1e-13)


def test_empty_runs_and_empty_arrays_of_parameter_values_have_empty_results():
    assert len(SectorEstimator().run([]).result()) == 0
    result = SectorEstimator().run([(brickwork(), "IZII", np.zeros((0, 14)))]).result()[0]
    assert result.data.evs.shape == result.data.stds.shape == (0,)


def test_precision_is_repeated_and_only_a_seed_makes_errors_of_it():
    pub = (brickwork(), "IZII", np.zeros((4000, 14)))
    exact = SectorEstimator(default_precision=0.1).run([pub]).result()[0]
    assert exact.metadata["target_precision"] == 0.1
    np.testing.assert_array_equal(exact.data.stds, 0.0)
    noisy = [SectorEstimator(default_precision=0.1, seed=seed).run([pub]).result()[0].data for seed in (1, 1, 2)]
    np.testing.assert_array_equal(noisy[0].evs, noisy[1].evs)
    assert np.any(noisy[0].evs != noisy[2].evs)
    np.testing.assert_array_equal(noisy[0].stds, 0.1)
    errors = noisy[0].evs - exact.data.evs
    # 4000 normal errors: their spread is known to 1.1 %, their mean to 0.0016
    assert errors.std() == pytest.approx(0.1, rel=0.05)
    assert abs(errors.mean()) < 0.0064
    stated = SectorEstimator(seed=1).run([(*pub, 0.02)], precision=0.5).result()[0]
    assert stated.metadata["target_precision"] == 0.02
    with pytest.raises(eq.EquinoiseError, match="precision must be a number of at least 0"):
        SectorEstimator(default_precision=-1)


def test_threads_share_an_estimator_and_a_pickle_of_it_has_the_same_values():
    estimator = SectorEstimator(noise=NOISE)
    thetas = np.random.default_rng(8).uniform(-2, 2, (8, 14))
    pubs = [[(brickwork(), operators()[i % 3], theta)] for i, theta in enumerate(thetas)]

    def value(pub):
        return float(estimator.run(pub).result()[0].data.evs)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(value, pubs * 4))
    assert found == [value(pub) for pub in pubs] * 4
    restored = pickle.loads(pickle.dumps(estimator))
    assert float(restored.run(pubs[0]).result()[0].data.evs) == found[0]


def test_gradients_are_those_of_the_slow_twin_for_the_parameters_asked_for():
    pytest.importorskip("qiskit_machine_learning")
    from equinoise.interop.qiskit_gradient import SectorEstimatorGradient

    theta = np.random.default_rng(2).uniform(-2, 2, 14)
    circuit = brickwork()
    chosen = [circuit.parameters[9], circuit.parameters[2]]
    gradient = SectorEstimatorGradient(SectorEstimator(noise=NOISE))
    result = gradient.run([circuit] * 3, operators(), [theta] * 3, [None, chosen, None]).result()
    for i, label in enumerate(READOUTS):
        expected = reference.gradient(problem(label), theta, 1.0)
        expected = expected[[9, 2]] if i == 1 else expected
        np.testing.assert_allclose(result.gradients[i], expected, rtol=0, atol=1e-12)


def test_a_neural_network_of_qiskit_machine_learning_has_noisy_input_and_weight_gradients():
    pytest.importorskip("qiskit_machine_learning")
    from qiskit_machine_learning.neural_networks import EstimatorQNN

    from equinoise.interop.qiskit_gradient import SectorEstimatorGradient

    inputs, weights = ParameterVector("x", 2), ParameterVector("w", 3)
    circuit = QuantumCircuit(3)
    circuit.x(0)
    circuit.append(XXPlusYYGate(inputs[0]), [0, 1])
    circuit.append(XXPlusYYGate(inputs[1] + weights[0]), [1, 2])
    circuit.rz(weights[1], 1)
    circuit.append(XXPlusYYGate(2 * weights[2]), [0, 1])
    estimator = SectorEstimator(noise="relaxation:0.1+dephasing:0.05")
    observables = [SparsePauliOp("IIZ"), SparsePauliOp(["IXX", "IYY"])]
    network = EstimatorQNN(
        circuit=circuit,
        estimator=estimator,
        observables=observables,
        input_params=list(inputs),
        weight_params=list(weights),
        gradient=SectorEstimatorGradient(estimator),
        input_gradients=True,
    )
    data, values = np.array([[0.3, 1.1], [-0.4, 0.9]]), np.array([0.2, 0.5, -0.7])
    by_input, by_weight = network.backward(data, values)
    assert network.forward(data, values).shape == (2, 2)
    step = 1e-5
    for k in range(2):
        shift = step * np.eye(2)[k]
        difference = (network.forward(data + shift, values) - network.forward(data - shift, values)) / (2 * step)
        # central difference: error step^2
        np.testing.assert_allclose(by_input[:, :, k], difference, rtol=0, atol=1e-8)
    for k in range(3):
        shift = step * np.eye(3)[k]
        difference = (network.forward(data, values + shift) - network.forward(data, values - shift)) / (2 * step)
        np.testing.assert_allclose(by_weight[:, :, k], difference, rtol=0, atol=1e-8)


def aer_value(circuit, observable):
    """Of a bound circuit with barriers, by Aer: phase damping 0.1, then amplitude damping 0.15, at each barrier."""
    aer = pytest.importorskip("qiskit_aer")
    noise = pytest.importorskip("qiskit_aer.noise")
    n = circuit.num_qubits
    channels = [noise.phase_damping_error(0.1), noise.amplitude_damping_error(0.15)]
    noisy = QuantumCircuit(n)
    for item in circuit.data:
        if item.operation.name == "barrier":
            for channel in channels:
                for q in range(n):
                    noisy.append(channel.to_instruction(), [q])
        else:
            noisy.append(item.operation, [circuit.find_bit(bit).index for bit in item.qubits])
    noisy.save_expectation_value(observable, range(n))
    simulator = aer.AerSimulator(method="density_matrix", max_parallel_threads=1)
    return simulator.run(transpile(noisy, simulator, optimization_level=0)).result().data()["expectation_value"]


def test_noisy_values_and_gradients_are_those_of_aer():
    pytest.importorskip("qiskit_aer")
    pytest.importorskip("qiskit_machine_learning")
    from equinoise.interop.qiskit_gradient import SectorEstimatorGradient

    theta = ParameterVector("t", 4)
    circuit = QuantumCircuit(3)
    circuit.x(0)
    for k in (0, 2):
        circuit.append(XXPlusYYGate(theta[k]), [0, 1])
        circuit.append(XXPlusYYGate(0.7), [1, 2])
        circuit.rzz(theta[k + 1], 1, 2)
        circuit.barrier()
    circuit.append(XXPlusYYGate(0.4), [1, 2])
    circuit.barrier()
    # exp(-2 rate) = sqrt(1 - lambda), exp(-down) = 1 - gamma
    noise = eq.NoiseModel(dephasing=-np.log(0.9) / 4, relaxation=-np.log(0.85))
    estimator = SectorEstimator(noise=noise)
    observable = SparsePauliOp(["ZII", "IXX", "IYY"], [1.0, 0.5, 0.5])
    angles = np.array([0.9, -0.3, 1.7, 0.8])
    value = estimator.run([(circuit, observable, angles)]).result()[0].data.evs
    found = SectorEstimatorGradient(estimator).run([circuit], [observable], [angles]).result().gradients[0]
    assert float(value) == pytest.approx(aer_value(circuit.assign_parameters(angles), observable), abs=1e-9)
    # exact shift rules: four terms for XX+YY, two for ZZ
    near, far = (np.sqrt(2) + 1) / (4 * np.sqrt(2)), (np.sqrt(2) - 1) / (4 * np.sqrt(2))
    four = [(np.pi / 2, near), (-np.pi / 2, -near), (3 * np.pi / 2, -far), (-3 * np.pi / 2, far)]
    two = [(np.pi / 2, 0.5), (-np.pi / 2, -0.5)]
    for k in range(4):
        shifted = [(angles + s * np.eye(4)[k], w) for s, w in (two if k % 2 else four)]
        expected = sum(w * aer_value(circuit.assign_parameters(a), observable) for a, w in shifted)
        assert found[k] == pytest.approx(expected, abs=1e-9)
