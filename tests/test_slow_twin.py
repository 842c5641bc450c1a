"""The slow twin against the goldens, closed forms, Qiskit Aer and its own laws."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import scipy.linalg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import CUGate, RVGate, U3Gate, XXPlusYYGate
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector

import slow_twin as reference
from equinoise.errors import ParameterError, UnsupportedError
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import Slot
from support import (
    SYMMETRY_CLASSES,
    aer_density_matrix,
    golden_cases,
    golden_problem,
    random_problems,
    random_theta,
    readout_matrix,
    stand_in_problem,
)

CASES = golden_cases()
SLOW = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
A, B = Parameter("a"), Parameter("b")


def one_qubit(*gates, noise, readout="Z"):
    """One gate per layer on one qubit in |0>; a pair (name, angle) is one gate."""
    circuit = QuantumCircuit(1)
    for index, (name, angle) in enumerate(gates):
        if index:
            circuit.barrier()
        getattr(circuit, name)(angle, 0)
    return stand_in_problem(circuit, readout=SparsePauliOp(readout), initial="0", noise=noise)


def exchange(noise):
    """One excitation on qubits 0 and 1, hopping by angle a, slot, hopping by angle b, slot; Z of qubit 0."""
    circuit = QuantumCircuit(2)
    circuit.append(XXPlusYYGate(A), [0, 1])
    circuit.barrier()
    circuit.append(XXPlusYYGate(B), [0, 1])
    return stand_in_problem(circuit, readout=SparsePauliOp("IZ"), initial="01", noise=noise)


# -- goldens -------------------------------------------------------------------------------------------------------


@pytest.fixture(params=CASES, ids=[case["name"] for case in CASES])
def golden(request):
    return request.param, golden_problem(request.param)


@pytest.mark.parametrize("scale", [0, 1])
def test_value_and_gradient_equal_the_golden_program(golden, scale):
    case, problem = golden
    theta, expected = case["thetas"][0], case["expected"]
    # both programs are exact: only rounding of order 1e-15 per layer separates them
    assert reference.value(problem, theta, scale) == pytest.approx(expected[f"value_s{scale}"], rel=0, abs=1e-13)
    np.testing.assert_allclose(
        reference.gradient(problem, theta, scale), expected[f"gradient_s{scale}"], rtol=0, atol=1e-13
    )


def test_law_equals_the_golden_program(golden):
    case, problem = golden
    expected = case["expected"]
    found = reference.law(problem, case["thetas"])
    assert found["V0"] == pytest.approx(expected["V0"], rel=1e-12)
    assert found["V"](1.0) == pytest.approx(expected["V1"], rel=1e-12)
    # the golden program differentiated V(s) by finite differences: 1e-12 lost in kappa, up to 5e-8 in V''
    assert found["kappa"] == pytest.approx(expected["kappa"], rel=1e-11)
    assert found["second_moment"] == pytest.approx(expected["second_moment"], rel=1e-7)
    assert found["fixed_point_share"] == pytest.approx(expected["fixed_point_share"], rel=1e-12, abs=1e-20)


# -- closed forms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.0, 0.3, 1.0, math.inf])
def test_dephasing_between_two_rotations_shrinks_the_coherent_part(scale):
    """<Z> = cos a cos b - e sin a sin b with e = exp(-2 s rate)."""
    problem = one_qubit(("rx", A), ("rx", B), noise=NoiseModel(dephasing=0.2))
    a, b = 0.7, -1.9
    e = math.exp(-0.4 * scale)
    assert reference.value(problem, [a, b], scale) == pytest.approx(
        math.cos(a) * math.cos(b) - e * math.sin(a) * math.sin(b), abs=1e-14
    )
    np.testing.assert_allclose(
        reference.gradient(problem, [a, b], scale),
        [
            -math.sin(a) * math.cos(b) - e * math.cos(a) * math.sin(b),
            -math.cos(a) * math.sin(b) - e * math.sin(a) * math.cos(b),
        ],
        atol=1e-14,
    )


@pytest.mark.parametrize("scale", [0.0, 0.3, 1.0, math.inf])
def test_ramsey_phase_gradient_decays_with_the_coherence(scale):
    """RX(pi/2), RZ(a), RX(b): <Z> = -e^2 cos a sin b with e = exp(-2 s rate) for each of the two slots in between."""
    problem = one_qubit(("rx", math.pi / 2), ("rz", A), ("rx", B), noise=NoiseModel(dephasing=0.15))
    a, b = 1.1, 0.6
    e = math.exp(-0.3 * scale) ** 2
    assert reference.value(problem, [a, b], scale) == pytest.approx(-e * math.cos(a) * math.sin(b), abs=1e-14)
    expected = [e * math.sin(a) * math.sin(b), -e * math.cos(a) * math.cos(b)]
    np.testing.assert_allclose(reference.gradient(problem, [a, b], scale), expected, atol=1e-14)


@pytest.mark.parametrize("scale", [0.0, 0.3, 1.0, math.inf])
def test_relaxation_draws_the_population_to_its_balance(scale):
    """z -> z exp(-s (down + up)) + (1 - exp(..)) (down - up)/(down + up); the coherence decays half as fast."""
    down, up = 0.3, 0.1
    noise = NoiseModel(relaxation=[{"qubit": 0, "down": down, "up": up}])
    a, b = 0.7, 0.4
    t1, t2 = math.exp(-scale * (down + up)), math.exp(-scale * (down + up) / 2)
    balance = (1 - t1) * (down - up) / (down + up)
    inner = t1 * math.cos(a) + balance
    problem = one_qubit(("rx", A), ("rx", B), noise=noise)
    assert reference.value(problem, [a, b], scale) == pytest.approx(
        t1 * (inner * math.cos(b) - t2 * math.sin(a) * math.sin(b)) + balance, abs=1e-14
    )
    np.testing.assert_allclose(
        reference.gradient(problem, [a, b], scale),
        [
            t1 * (-t1 * math.sin(a) * math.cos(b) - t2 * math.cos(a) * math.sin(b)),
            t1 * (-inner * math.sin(b) - t2 * math.sin(a) * math.cos(b)),
        ],
        atol=1e-14,
    )


@pytest.mark.parametrize(
    ("jump", "gamma"),
    [
        ({"rate": 0.1, "weights": {0: 1.0}}, 0.2),
        ({"rate": 0.1, "weights": {0: 1.0, 1: -0.5}}, 0.45),
        ({"rate": 0.1, "weights": "each"}, 0.4),
        ({"rate": 0.1, "weights": "all"}, 0.0),
    ],
)
def test_one_excitation_feels_only_the_differential_dephasing(jump, gamma):
    """Hopping twice: <Z0> = -cos a cos b + e sin a sin b with e = exp(-s Gamma), Gamma = rate (2 v0 - 2 v1)^2/2."""
    problem = exchange(NoiseModel(dephasing=[jump]))
    a, b = 0.9, -0.4
    for scale in (0.0, 0.3, 1.0, math.inf):
        e = math.exp(-gamma * scale) if gamma else 1.0
        expected = [
            math.sin(a) * math.cos(b) + e * math.cos(a) * math.sin(b),
            math.cos(a) * math.sin(b) + e * math.sin(a) * math.cos(b),
        ]
        assert reference.value(problem, [a, b], scale) == pytest.approx(
            -math.cos(a) * math.cos(b) + e * math.sin(a) * math.sin(b), abs=1e-14
        )
        np.testing.assert_allclose(reference.gradient(problem, [a, b], scale), expected, atol=1e-14)


def test_law_of_one_excitation_is_the_closed_form():
    """g(s) = u + exp(-s Gamma) w per parameter: V(s) = |u|^2 + 2 e u.w + e^2 |w|^2."""
    problem = exchange(NoiseModel(dephasing=0.1))
    a, b, gamma = 0.9, -0.4, 0.4
    u = np.array([math.sin(a) * math.cos(b), math.cos(a) * math.sin(b)])
    w = np.array([math.cos(a) * math.sin(b), math.sin(a) * math.cos(b)])
    v0 = np.sum((u + w) ** 2)
    found = reference.law(problem, [[a, b]])
    assert found["V0"] == pytest.approx(v0, rel=1e-13)
    assert found["kappa"] == pytest.approx(gamma * (u @ w + w @ w) / v0, rel=1e-13)
    assert found["second_moment"] == pytest.approx(gamma**2 * (2 * u @ w + 4 * w @ w) / (4 * v0), rel=1e-13)
    assert found["fixed_point_share"] == pytest.approx(u @ u / v0, rel=1e-13)
    assert found["V"](0.8) == pytest.approx(np.sum((u + math.exp(-0.8 * gamma) * w) ** 2), rel=1e-13)


def test_pauli_jump_mixes_the_flipped_state_in():
    """exp(s rate D[X]): z -> exp(-2 s rate) z."""
    problem = one_qubit(("rx", A), noise=NoiseModel(pauli=[{"pauli": "X0", "rate": 0.2}]))
    assert reference.value(problem, [0.7], 1.5) == pytest.approx(math.exp(-0.6) * math.cos(0.7), abs=1e-14)
    assert reference.value(problem, [0.7], math.inf) == pytest.approx(0.0, abs=1e-14)


def test_pair_depolarizing_has_the_maximally_mixed_fixed_point():
    circuit = QuantumCircuit(2)
    circuit.append(XXPlusYYGate(A), [0, 1])
    noise = NoiseModel(depolarizing=[{"qubits": [0, 1], "rate": 0.1}])
    problem = stand_in_problem(circuit, readout=SparsePauliOp("IZ"), initial="01", noise=noise)
    assert reference.value(problem, [0.7], 2.0) == pytest.approx(-math.exp(-0.2) * math.cos(0.7), abs=1e-14)
    np.testing.assert_allclose(reference.evolve(problem, [0.7], math.inf), np.eye(4) / 4, atol=1e-14)


def test_projected_readout_loses_what_left_the_sector():
    """One decaying excitation, O = P_1 Z0 P_1: the part that fell to |00> counts nothing."""
    circuit = QuantumCircuit(2)
    circuit.append(XXPlusYYGate(A), [0, 1])
    noise = NoiseModel(relaxation=0.2)
    options = {"readout": SparsePauliOp("IZ"), "initial": "01", "noise": noise}
    kept = stand_in_problem(circuit, projected=True, **options)
    whole = stand_in_problem(circuit, projected=False, **options)
    decay = math.exp(-0.2)
    assert reference.value(kept, [0.7], 1.0) == pytest.approx(-decay * math.cos(0.7), abs=1e-14)
    assert reference.value(whole, [0.7], 1.0) == pytest.approx(-decay * math.cos(0.7) + 1 - decay, abs=1e-14)


# -- gates ---------------------------------------------------------------------------------------------------------


def test_gate_derivative_is_the_generator_times_the_gate():
    angle = 0.37
    found = reference._matrix_derivative(lambda t: np.asarray(XXPlusYYGate(t, 0.3).to_matrix()), angle, "xx_plus_yy")
    # G^3 = G/4, so exp(-i t G) = 1 - 4 G^2 (1 - cos t/2) - 2i G sin t/2 and U(pi) - U(-pi) = -4i G
    generator = 1j * (XXPlusYYGate(math.pi, 0.3).to_matrix() - XXPlusYYGate(-math.pi, 0.3).to_matrix()) / 4
    np.testing.assert_allclose(found, -1j * generator @ XXPlusYYGate(angle, 0.3).to_matrix(), atol=1e-14)


@pytest.mark.parametrize("gate", [U3Gate, CUGate])
def test_shared_parameter_with_coefficients_follows_the_chain_rule(gate):
    count = len(gate(*[0.1] * (3 if gate is U3Gate else 4)).params)
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.append(
        gate(*[0.3 * (j + 1) * A - B / 2 + 0.1 * j for j in range(count)]),
        range(circuit.num_qubits)[: gate(*[0] * count).num_qubits],
    )
    circuit.rx(2 * A, 0)
    problem = stand_in_problem(
        circuit, readout=SparsePauliOp(["IZ", "XX"], [1.0, 0.4]), initial="00", noise=NoiseModel(relaxation=0.1)
    )
    theta, step = np.array([0.4, -0.8]), 1e-4
    # fourth-order differences: error of order step^4 + 1e-16/step
    for k in range(2):
        shift = step * np.eye(2)[k]
        near, far = (
            (reference.value(problem, theta + m * shift, 1.0) - reference.value(problem, theta - m * shift, 1.0))
            / (2 * m * step)
            for m in (1, 2)
        )
        assert reference.gradient(problem, theta, 1.0)[k] == pytest.approx((4 * near - far) / 3, abs=1e-10)


def test_gate_wrapped_into_a_custom_gate_gives_the_same_gradient():
    inner = QuantumCircuit(2)
    inner.append(XXPlusYYGate(2 * A, B), [1, 0])
    inner.rz(A, 1)
    outer = QuantumCircuit(3)
    outer.append(inner.to_gate(), [2, 0])
    flat = QuantumCircuit(3)
    flat.compose(inner, [2, 0], inplace=True)
    options = {
        "readout": SparsePauliOp(["IIZ", "XIX"], [1.0, 0.5]),
        "initial": "001",
        "noise": NoiseModel(dephasing=0.1),
    }
    wrapped, plain = (stand_in_problem(c, **options) for c in (outer, flat))
    np.testing.assert_allclose(
        reference.gradient(wrapped, [0.3, 0.9], 1.0), reference.gradient(plain, [0.3, 0.9], 1.0), atol=1e-13
    )


def test_gate_that_is_no_trigonometric_polynomial_is_refused():
    circuit = QuantumCircuit(1)
    circuit.append(RVGate(A, 0.4, 0.2), [0])
    problem = stand_in_problem(circuit, readout=SparsePauliOp("Z"), initial="0")
    with pytest.raises(UnsupportedError, match=r"'rv'.*Write it as rotations"):
        reference.gradient(problem, [0.3], 0.0)


def test_nonlinear_angle_is_refused():
    problem = one_qubit(("rx", A * A), noise=None)
    with pytest.raises(ParameterError, match=r"a enters the angle .* nonlinearly"):
        reference.gradient(problem, [0.3], 0.0)


@pytest.mark.parametrize(
    ("theta", "scale", "text"),
    [
        ([0.1, 0.2], 0.0, "theta must hold 1"),
        ([math.nan], 0.0, "finite"),
        ([0.1], -1.0, "scale"),
        ([0.1], math.nan, "scale"),
    ],
)
def test_bad_angles_and_scales_are_refused(theta, scale, text):
    problem = one_qubit(("rx", A), noise=None)
    with pytest.raises(ParameterError, match=text):
        reference.value(problem, theta, scale)


def test_flat_gradient_has_no_rate():
    with pytest.raises(ParameterError, match="noiseless gradient is zero"):
        reference.law(one_qubit(("rz", A), noise=NoiseModel(dephasing=0.1)), [[0.3]])


# -- noise laws ----------------------------------------------------------------------------------------------------


def random_density_matrix(num_qubits, seed):
    root = np.random.default_rng(seed).normal(size=(2, 2**num_qubits, 2**num_qubits))
    matrix = root[0] + 1j * root[1]
    return matrix @ matrix.conj().T / np.trace(matrix @ matrix.conj().T)


SLOT = NoiseModel.from_dict(
    {
        "dephasing": [{"rate": 0.2, "weights": {0: 1.0, 1: -0.5}}],
        "relaxation": [{"qubit": 1, "down": 0.3, "up": 0.05}, {"qubit": 1, "up": 0.1}, {"qubit": 0, "down": 0.2}],
        "depolarizing": [{"qubits": [0], "rate": 0.1}, {"qubits": [1, 0], "rate": 0.2}],
        "pauli": [{"pauli": "X0Y1", "rate": 0.1}],
    }
)
GENERATORS = list(reference._generators(Slot(SLOT.terms), 2))
each_generator = pytest.mark.parametrize("generator", GENERATORS, ids=range(len(GENERATORS)))


@each_generator
@pytest.mark.parametrize("scale", [0.7, math.inf])
def test_channel_keeps_trace_hermiticity_and_positivity(generator, scale):
    after = generator.evolve(random_density_matrix(2, 1), scale)
    assert np.trace(after) == pytest.approx(1.0, abs=1e-13)
    np.testing.assert_allclose(after, after.conj().T, atol=1e-14)
    assert np.linalg.eigvalsh(after).min() > -1e-14


@each_generator
def test_channel_is_the_exponential_of_its_generator(generator):
    units = np.eye(16).reshape(16, 4, 4).astype(complex)
    superoperator = generator.apply(units).reshape(16, 16).T
    channel = generator.evolve(units, 0.7).reshape(16, 16).T
    np.testing.assert_allclose(channel, scipy.linalg.expm(0.7 * superoperator), atol=1e-13)


@each_generator
def test_channels_compose_and_reach_their_fixed_points(generator):
    state = random_density_matrix(2, 2)
    twice = generator.evolve(generator.evolve(state, 0.3), 0.9)
    np.testing.assert_allclose(twice, generator.evolve(state, 1.2), atol=1e-14)
    fixed = generator.evolve(state, math.inf)
    np.testing.assert_allclose(generator.apply(fixed), 0, atol=1e-14)
    # the smallest rate here is 0.1: exp(-1000 x 0.1) is nothing
    np.testing.assert_allclose(generator.evolve(state, 1000.0), fixed, atol=1e-12)


def test_relaxations_of_one_qubit_act_as_one_generator():
    assert [g.qubits for g in GENERATORS if isinstance(g, reference._LocalGenerator)][:2] == [(1,), (0,)]
    state = GENERATORS[1].evolve(random_density_matrix(2, 3), math.inf)
    excited = np.trace(state.reshape(2, 2, 2, 2)[1, :, 1, :]).real
    assert excited == pytest.approx(0.15 / 0.45, abs=1e-13)


def test_zero_rate_fixes_everything_even_at_infinite_scale():
    noise = {
        "dephasing": 0.0,
        "relaxation": 0.0,
        "depolarizing": 0.0,
        "pauli": [{"pauli": "X0", "rate": 0.0}],
    }
    problem = one_qubit(("rx", A), ("rx", B), noise=NoiseModel.from_dict(noise))
    bare = one_qubit(("rx", A), ("rx", B), noise=None)
    for scale in (1.0, math.inf):
        np.testing.assert_array_equal(
            reference.gradient(problem, [0.3, 0.9], scale), reference.gradient(bare, [0.3, 0.9], 0.0)
        )


@pytest.mark.parametrize("symmetry_class", SYMMETRY_CLASSES)
def test_final_state_equals_aer(symmetry_class):
    @SLOW
    @given(random_problems(symmetry_class), st.integers(0, 2**20), st.sampled_from([0.0, 0.3, 1.0]))
    def check(problem, seed, scale):
        theta = random_theta(problem, seed)
        state = aer_density_matrix(problem, theta, scale)
        np.testing.assert_allclose(reference.evolve(problem, theta, scale), state, atol=1e-12)
        value = np.trace(readout_matrix(problem) @ state).real
        assert reference.value(problem, theta, scale) == pytest.approx(value, abs=1e-11)

    check()


@pytest.mark.parametrize("symmetry_class", SYMMETRY_CLASSES)
def test_layers_and_slots_of_a_problem_are_those_between_its_barriers(symmetry_class):
    @SLOW
    @given(random_problems(symmetry_class), st.integers(0, 2**20))
    def check(problem, seed):
        theta = random_theta(problem, seed)
        again = stand_in_problem(
            problem.circuit,
            readout=problem.readout,
            initial=Statevector(problem.initial.statevector()),
            noise=problem.noise,
            projected=problem.projected,
            charge=problem.charge,
        )
        np.testing.assert_allclose(
            reference.gradient(problem, theta, 1.0), reference.gradient(again, theta, 1.0), rtol=0, atol=1e-13
        )

    check()


@pytest.mark.parametrize("symmetry_class", SYMMETRY_CLASSES)
def test_gradient_and_power_series_equal_differences(symmetry_class):
    @SLOW
    @given(random_problems(symmetry_class, max_qubits=3), st.integers(0, 2**20))
    def check(problem, seed):
        theta = random_theta(problem, seed)
        # 6th-order differences along a random direction: error of order step^6 + 1e-15/step
        direction = np.random.default_rng(seed).normal(size=theta.size)
        direction /= np.linalg.norm(direction)
        weights, step = {1: 0.75, 2: -0.15, 3: 1 / 60}, 0.01
        slope = sum(
            w
            * (
                reference.value(problem, theta + m * step * direction, 0.5)
                - reference.value(problem, theta - m * step * direction, 0.5)
            )
            for m, w in weights.items()
        )
        assert reference.gradient(problem, theta, 0.5) @ direction == pytest.approx(slope / step, abs=1e-8)
        series = reference.second_order(problem, theta)
        # one-sided in s, where g is analytic: the remainder of the series is of third order
        remainders = [
            np.abs(
                reference.gradient(problem, theta, s) - series.gradient - s * series.first - s**2 / 2 * series.second
            ).max()
            for s in (2e-3, 1e-3)
        ]
        assert remainders[0] < 1e-4
        assert remainders[1] < remainders[0] / 6 + 1e-12

    check()


def test_operators_are_in_qiskit_order():
    circuit = QuantumCircuit(3)
    circuit.cx(2, 0)
    embedded = reference._embedded(np.asarray(Operator.from_label("I").data), (1,), 3)
    np.testing.assert_allclose(embedded, np.eye(8))
    cx = QuantumCircuit(2)
    cx.cx(0, 1)
    np.testing.assert_allclose(reference._embedded(Operator(cx).data, (2, 0), 3), Operator(circuit).data)


def test_gate_in_two_layers_is_refused():
    problem = exchange(None)
    twice = dataclasses.replace(problem, layers=(problem.layers[0], problem.layers[0]))
    with pytest.raises(UnsupportedError, match="divided between two layers"):
        reference.value(twice, [0.1, 0.2], 0.0)


def test_too_many_qubits_are_refused():
    circuit = QuantumCircuit(9)
    circuit.rz(A, 0)
    problem = stand_in_problem(circuit, readout=SparsePauliOp("Z" * 9), initial="0" * 9)
    with pytest.raises(UnsupportedError, match=r"up to 8 qubits, got 9\. Use engine 'exact'"):
        reference.value(problem, [0.1], 0.0)
