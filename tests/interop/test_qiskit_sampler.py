"""Qiskit's sampler interface against exact distributions: Qiskit's state vectors, Aer with noise, closed forms."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import XXPlusYYGate, zz_feature_map
from qiskit.primitives import StatevectorSampler
from qiskit.quantum_info import Statevector

import equinoise as eq
from equinoise.interop.qiskit_sampler import SectorSampler

SHOTS = 40_000


def brickwork(n=4, depth=2):
    circuit = QuantumCircuit(n)
    circuit.x(range(0, n, 2))
    return circuit.compose(eq.circuits.brickwork(n, depth=depth))


def assert_drawn_from(counts, probabilities):
    """Frequencies within five standard errors of each probability (the seed is fixed)."""
    shots = sum(counts.values())
    for bits in {*counts, *probabilities}:
        p = probabilities.get(bits, 0.0)
        assert abs(counts.get(bits, 0) / shots - p) < 5 * np.sqrt(p * (1 - p) / shots) + 1e-9, bits


@pytest.mark.parametrize("feature_map", [False, True], ids=["in the sector", "in the full space"])
def test_counts_of_many_values_are_drawn_from_the_state_vectors_distribution(feature_map):
    circuit = zz_feature_map(3, reps=1).compose(eq.circuits.brickwork(3, depth=2)) if feature_map else brickwork()
    thetas = np.random.default_rng(0).uniform(-2, 2, (2, 3, circuit.num_parameters))
    measured = circuit.copy()
    measured.measure_all()
    result = SectorSampler(seed=1).run([(measured, thetas)], shots=SHOTS).result()[0]
    assert result.data.meas.shape == (2, 3)
    assert result.data.meas.num_bits == circuit.num_qubits
    assert result.metadata["shots"] == SHOTS
    assert result.metadata["engine"] == "state-vector"
    for index in np.ndindex(2, 3):
        exact = Statevector(circuit.assign_parameters(thetas[index])).probabilities_dict()
        assert_drawn_from(result.data.meas.get_counts(index), exact)


def test_named_registers_hold_their_bits_and_bits_without_a_measurement_are_0():
    qubits = QuantumRegister(3)
    first, second = ClassicalRegister(2, "first"), ClassicalRegister(9, "second")
    circuit = QuantumCircuit(qubits, first, second)
    circuit.x(0)
    circuit.append(XXPlusYYGate(Parameter("a")), [0, 1])
    circuit.measure([1, 0], [first[0], first[1]])
    circuit.measure(2, second[3])
    circuit.measure(0, second[8])
    for angle in (0.0, np.pi):
        ours, theirs = (
            sampler.run([(circuit, [angle])], shots=50).result()[0].data
            for sampler in (SectorSampler(seed=1), StatevectorSampler(seed=1))
        )
        for name in ("first", "second"):
            assert ours[name].get_counts() == theirs[name].get_counts()
            assert ours[name].array.shape == theirs[name].array.shape


def test_noisy_counts_with_assignment_errors_are_those_of_aer():
    pytest.importorskip("qiskit_aer")
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import amplitude_damping_error

    circuit = QuantumCircuit(3)
    circuit.x([0, 2])
    circuit.append(XXPlusYYGate(0.9), [0, 1])
    circuit.append(XXPlusYYGate(1.3), [1, 2])
    errors = {0: (0.02, 0.1), 2: (0.05, 0.0)}
    # exp(-down) = 1 - gamma; one slot after each of the two layers
    noise = eq.NoiseModel(relaxation=-np.log(0.85), readout_error=errors)
    noisy = QuantumCircuit(3)
    noisy.x([0, 2])
    for angle, pair in ((0.9, [0, 1]), (1.3, [1, 2])):
        noisy.append(XXPlusYYGate(angle), pair)
        for q in range(3):
            noisy.append(amplitude_damping_error(0.15).to_instruction(), [q])
    noisy.save_density_matrix()
    simulator = AerSimulator(method="density_matrix", max_parallel_threads=1)
    state = simulator.run(transpile(noisy, simulator, optimization_level=0)).result().data()["density_matrix"]
    tensor = np.real(np.diag(state.data)).reshape(2, 2, 2)  # axes: qubit 2, 1, 0
    for qubit, (up, down) in errors.items():
        misread = np.array([[1 - up, down], [up, 1 - down]])
        tensor = np.moveaxis(np.tensordot(misread, tensor, ([1], [2 - qubit])), 0, 2 - qubit)
    exact = {f"{i:03b}": p for i, p in enumerate(tensor.ravel())}
    circuit.measure_all()
    result = SectorSampler(noise=noise, seed=3).run([circuit], shots=SHOTS).result()[0]
    assert result.metadata["engine"] == "exact"
    assert_drawn_from(result.data.meas.get_counts(), exact)


def test_the_seed_decides_the_samples_and_threads_share_a_sampler():
    circuit = brickwork()
    circuit.measure_all()
    thetas = np.random.default_rng(4).uniform(-2, 2, (5, 14))
    sampler = SectorSampler(noise="dephasing:0.05+relaxation:0.1", seed=5)

    def counts(one):
        return one.run([(circuit, thetas)], shots=100).result()[0].data.meas.array

    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(counts, [sampler] * 6):
            np.testing.assert_array_equal(found, counts(sampler))
    np.testing.assert_array_equal(counts(pickle.loads(pickle.dumps(sampler))), counts(sampler))
    assert np.any(counts(SectorSampler(noise="dephasing:0.05+relaxation:0.1", seed=6)) != counts(sampler))


def test_only_the_measured_qubits_light_cone_is_computed():
    circuit = QuantumCircuit(40, 1)
    circuit.x(range(0, 40, 2))
    circuit = circuit.compose(eq.circuits.brickwork(40, depth=2))
    circuit.measure(7, 0)
    result = SectorSampler(seed=1).run([(circuit, np.zeros(circuit.num_parameters))], shots=20).result()[0]
    assert len(result.metadata["reduction"][0]["qubits"]) <= 6
    assert result.data.c.get_counts() == {"0": 20}


def test_gates_after_a_measurement_are_refused_and_a_circuit_without_registers_is_warned_about():
    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    circuit.append(XXPlusYYGate(0.3), [0, 1])
    with pytest.raises(eq.EquinoiseError, match="'xx_plus_yy' follows a measurement of qubit 0"):
        SectorSampler().run([circuit]).result()
    with pytest.warns(UserWarning, match="no classical registers"):
        result = SectorSampler().run([brickwork().assign_parameters(np.zeros(14))], shots=3).result()
    assert len(result[0].data) == 0


def test_empty_runs_and_arrays_have_empty_results():
    circuit = brickwork()
    circuit.measure_all()
    assert len(SectorSampler().run([]).result()) == 0
    result = SectorSampler().run([(circuit, np.zeros((0, 14)))], shots=7).result()[0]
    assert result.data.meas.array.shape == (0, 7, 1)


@pytest.mark.parametrize("gradient", ["ParamShiftSamplerGradient", "LinCombSamplerGradient"])
def test_a_sampler_network_runs_forward_and_backward(gradient):
    gradients = pytest.importorskip("qiskit_machine_learning.gradients")
    from qiskit_machine_learning.neural_networks import SamplerQNN

    weights = ParameterVector("w", 2)
    inputs = ParameterVector("x", 1)
    circuit = QuantumCircuit(2)
    circuit.x(0)
    circuit.append(XXPlusYYGate(inputs[0] + weights[0]), [0, 1])
    circuit.rz(weights[1], 0)
    sampler = SectorSampler(seed=7, default_shots=SHOTS)
    network = SamplerQNN(
        circuit=circuit,
        sampler=sampler,
        input_params=list(inputs),
        weight_params=list(weights),
        gradient=getattr(gradients, gradient)(sampler),
        input_gradients=True,
    )
    values = network.forward([[0.3]], [0.5, 0.1])
    # the excitation stays with probability cos^2(angle/2)
    np.testing.assert_allclose(values[0], [0, np.cos(0.4) ** 2, np.sin(0.4) ** 2, 0], rtol=0, atol=0.0125)
    _, by_weight = network.backward([[0.3]], [0.5, 0.1])
    expected = np.zeros((4, 2))
    expected[1:3, 0] = [-np.sin(0.8) / 2, np.sin(0.8) / 2]
    # five standard errors of sums of a few frequencies
    np.testing.assert_allclose(by_weight[0], expected, rtol=0, atol=0.03)
