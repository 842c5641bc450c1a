"""The exact engine against the slow twin and Qiskit Aer on random problems, and the laws that physics asks of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import XXPlusYYGate
from qiskit.quantum_info import SparsePauliOp

import equinoise as eq
import slow_twin as reference
from support import (
    SYMMETRY_CLASSES,
    aer_density_matrix,
    golden_cases,
    golden_problem,
    random_problems,
    random_theta,
    readout_matrix,
)

SCALES = [0.0, 0.3, 1.0, math.inf]
# both programs are exact: rounding of order 1e-15 per gate, some tens of gates, norms of order 1
TOLERANCE = 1e-9
SLOW = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
CASES = golden_cases()
each_class = pytest.mark.parametrize("symmetry_class", SYMMETRY_CLASSES)
each_golden = pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])


def assert_same(found, value, gradient, tolerance=TOLERANCE):
    assert found.value == pytest.approx(value, rel=0, abs=tolerance)
    np.testing.assert_allclose(found.gradient, gradient, rtol=0, atol=tolerance)


# -- other programs ------------------------------------------------------------------------------------------------


@each_golden
@pytest.mark.parametrize("scale", [0, 1])
def test_value_and_gradient_equal_the_golden_program(case, scale):
    problem, expected = golden_problem(case), case["expected"]
    for theta in case["thetas"][:1]:
        found = eq.gradient(problem, theta, scale=scale)
        assert_same(found, expected[f"value_s{scale}"], expected[f"gradient_s{scale}"], 1e-12)
        assert eq.expectation(problem, theta, scale=scale).value == pytest.approx(found.value, abs=1e-12)


@each_golden
def test_gradient_variance_equals_the_golden_program(case):
    problem, expected = golden_problem(case), case["expected"]
    for scale, name in ((0.0, "V0"), (1.0, "V1")):
        squares = [np.sum(np.asarray(eq.gradient(problem, t, scale=scale).gradient) ** 2) for t in case["thetas"]]
        assert np.mean(squares) == pytest.approx(expected[name], rel=1e-10)


@each_class
def test_value_and_gradient_equal_the_slow_twin(symmetry_class):
    @settings(max_examples=12, **SLOW)
    @given(random_problems(symmetry_class), st.integers(0, 2**20))
    def check(problem, seed):
        theta = random_theta(problem, seed)
        for scale in SCALES:
            value, gradient = reference.value(problem, theta, scale), reference.gradient(problem, theta, scale)
            assert_same(eq.gradient(problem, theta, scale=scale), value, gradient)
            assert eq.expectation(problem, theta, scale=scale).value == pytest.approx(value, rel=0, abs=TOLERANCE)

    check()


@each_class
def test_five_qubits_equal_the_slow_twin(symmetry_class):
    @settings(max_examples=3, **SLOW)
    @given(random_problems(symmetry_class, min_qubits=5, max_qubits=5), st.integers(0, 2**20), st.sampled_from(SCALES))
    def check(problem, seed, scale):
        theta = random_theta(problem, seed)
        value, gradient = reference.value(problem, theta, scale), reference.gradient(problem, theta, scale)
        assert_same(eq.gradient(problem, theta, scale=scale), value, gradient)

    check()


@each_class
def test_value_equals_aer(symmetry_class):
    @settings(max_examples=12, **SLOW)
    @given(random_problems(symmetry_class), st.integers(0, 2**20))
    def check(problem, seed):
        theta = random_theta(problem, seed)
        for scale in (s for s in SCALES if math.isfinite(s)):
            expected = np.trace(readout_matrix(problem) @ aer_density_matrix(problem, theta, scale)).real
            assert eq.expectation(problem, theta, scale=scale).value == pytest.approx(expected, rel=0, abs=TOLERANCE)

    check()


# -- reduction -----------------------------------------------------------------------------------------------------


@each_class
def test_light_cone_and_sectors_equal_the_full_circuit(symmetry_class):
    @settings(max_examples=15, **SLOW)
    @given(random_problems(symmetry_class), st.integers(0, 2**20))
    def check(problem, seed):
        theta = random_theta(problem, seed)
        for scale in SCALES:
            full = eq.gradient(problem, theta, scale=scale, reduce=False)
            assert_same(eq.gradient(problem, theta, scale=scale), full.value, full.gradient, 1e-10)

    check()


# -- laws ----------------------------------------------------------------------------------------------------------


@each_class
def test_without_noise_every_scale_is_scale_zero(symmetry_class):
    @settings(max_examples=8, **SLOW)
    @given(random_problems(symmetry_class), st.integers(0, 2**20))
    def check(problem, seed):
        theta = random_theta(problem, seed)
        bare = eq.Problem(
            problem.circuit,
            readout=problem.readout,
            initial=problem.initial.statevector(),
            projected=problem.projected,
            charge=problem.charge,
            allow_broken=True,
        )
        quiet = eq.gradient(problem, theta, scale=0.0)
        for scale in SCALES:
            assert_same(eq.gradient(bare, theta, scale=scale), quiet.value, quiet.gradient, 1e-12)

    check()


@each_class
def test_infinite_scale_is_the_limit_of_large_scales(symmetry_class):
    @settings(max_examples=8, **SLOW)
    @given(random_problems(symmetry_class), st.integers(0, 2**20))
    def check(problem, seed):
        theta = random_theta(problem, seed)
        limit = eq.gradient(problem, theta, scale=math.inf)
        # weights are multiples of 0.1 and rates of 0.01: the slowest mode decays with 0.01 (2 x 0.1)^2/2 = 2e-4 or more
        assert_same(eq.gradient(problem, theta, scale=2e5), limit.value, limit.gradient)

    check()


@each_class
def test_gradient_is_the_derivative_of_the_expectation(symmetry_class):
    @settings(max_examples=6, **SLOW)
    @given(random_problems(symmetry_class, max_qubits=3), st.integers(0, 2**20), st.sampled_from(SCALES))
    def check(problem, seed, scale):
        theta = random_theta(problem, seed)
        direction = np.random.default_rng(seed).normal(size=theta.size)
        direction /= np.linalg.norm(direction)
        # 6th-order differences: error of order step^6 + 1e-15/step
        step, weights = 0.01, {1: 0.75, 2: -0.15, 3: 1 / 60}
        slope = sum(
            sign * w * eq.expectation(problem, theta + sign * m * step * direction, scale=scale).value / step
            for m, w in weights.items()
            for sign in (1, -1)
        )
        assert eq.gradient(problem, theta, scale=scale).gradient @ direction == pytest.approx(slope, abs=1e-8)

    check()


NOISE = [
    {"dephasing": [{"rate": 0.05, "weights": {q: 1.0 - 0.3 * q for q in range(6)}}, {"rate": 0.02}]},
    {"dephasing": 0.03, "relaxation": [{"qubit": q, "down": 0.01 * (q + 1), "up": 0.004} for q in range(6)]},
    {"relaxation": 0.04, "depolarizing": [{"qubits": [q, q + 1], "rate": 0.01 * (q + 1)} for q in range(5)]},
    {"dephasing": 0.03, "pauli": [{"pauli": f"X{q}", "rate": 0.01 * (q + 1)} for q in range(6)]},
]
each_noise = pytest.mark.parametrize("noise", NOISE, ids=["strong", "weak", "depolarizing", "broken"])


def relabelled(noise, place):
    """The same noise with qubit q called place[q]."""
    out = {kind: list(terms) if isinstance(terms, list) else terms for kind, terms in noise.items()}
    for kind, terms in out.items():
        for index, term in enumerate(terms if isinstance(terms, list) else ()):
            new = dict(term)
            if isinstance(new.get("weights"), dict):
                new["weights"] = {place[q]: w for q, w in new["weights"].items()}
            if "qubit" in new:
                new["qubit"] = place[new["qubit"]]
            if "qubits" in new:
                new["qubits"] = [place[q] for q in new["qubits"]]
            if "pauli" in new:
                new["pauli"] = f"X{place[int(new['pauli'][1:])]}"
            out[kind][index] = new
    return out


def chain(noise, place=range(6), readout=0, bits="010101"):
    """Two brickwork layers on six qubits; Z of qubit 0 sees qubits 0..2 only (0-1 in the last layer, 1-2 before)."""
    circuit = QuantumCircuit(6)
    theta = iter(ParameterVector("t", 22))
    for start in (1, 0):
        for q in range(start, 5, 2):
            pair = [place[q], place[q + 1]]
            circuit.append(XXPlusYYGate(next(theta), 0.2), pair)
            circuit.rzz(next(theta), *pair)
        for q in range(6):
            circuit.rz(next(theta), place[q])
        circuit.barrier()
    # bits are written qubit 0 first here
    initial = "".join(bits[list(place).index(q)] for q in reversed(range(6)))
    return eq.Problem(
        circuit,
        readout=SparsePauliOp.from_sparse_list([("Z", [place[readout]], 1.0)], num_qubits=6),
        initial=initial,
        noise=eq.NoiseModel.from_dict(relabelled(noise, place)),
        allow_broken=True,
    )


@each_noise
@pytest.mark.parametrize("scale", SCALES)
def test_renaming_qubits_changes_nothing(noise, scale):
    base = chain(noise)
    theta = random_theta(base, 5)
    plain = eq.gradient(base, theta, scale=scale)
    for place in ([0, 1, 2, 5, 3, 4], [3, 5, 0, 1, 4, 2]):
        assert_same(eq.gradient(chain(noise, place), theta, scale=scale), plain.value, plain.gradient, 1e-12)


@each_noise
@pytest.mark.parametrize("scale", SCALES)
def test_what_happens_outside_the_light_cone_changes_nothing(noise, scale):
    """Other input and other noise on qubits 3..5, beyond the cone of Z0; their parameters have no gradient."""
    base = chain(noise)
    theta = random_theta(base, 6)
    plain = eq.gradient(base, theta, scale=scale)
    # same charge on the chain, so that the active sector stays
    far = chain({**noise, "relaxation": [*_terms(noise, "relaxation"), {"qubit": 4, "down": 0.7}]}, bits="010110")
    assert_same(eq.gradient(far, theta, scale=scale), plain.value, plain.gradient, 1e-12)
    names = [p.name for p in base.parameters]
    outside = [names.index(f"t[{k}]") for k in (2, 3, 7, 8, 9)]
    np.testing.assert_allclose(np.asarray(plain.gradient)[outside], 0.0, atol=1e-14)
    assert np.abs(plain.gradient).max() > 1e-3 or math.isinf(scale)


def _terms(noise, kind):
    terms = noise.get(kind, [])
    return terms if isinstance(terms, list) else [{"qubit": q, "down": terms} for q in range(6)]


def test_collective_dephasing_leaves_a_sector_alone():
    noise = {"dephasing": [{"rate": 0.5, "weights": "all"}]}
    base = chain(noise)
    theta = random_theta(base, 7)
    quiet = eq.gradient(base, theta, scale=0.0)
    for scale in SCALES:
        assert_same(eq.gradient(base, theta, scale=scale), quiet.value, quiet.gradient, 1e-12)


def test_depolarizing_everything_leaves_no_gradient():
    base = chain({"depolarizing": 0.1})
    theta = random_theta(base, 8)
    quiet, noisy, mixed = (eq.gradient(base, theta, scale=s) for s in (0.0, 1.0, math.inf))
    assert np.linalg.norm(noisy.gradient) < np.linalg.norm(quiet.gradient)
    assert_same(mixed, 0.0, np.zeros(theta.size), 1e-12)


def test_final_dephasing_is_invisible_to_a_diagonal_readout():
    """Z0 commutes with every diagonal jump of the last slot."""
    last = chain({"dephasing": [{"rate": 0.4, "weights": "each", "layers": [1]}]})
    theta = random_theta(last, 9)
    quiet = eq.gradient(last, theta, scale=0.0)
    assert_same(eq.gradient(last, theta, scale=1.0), quiet.value, quiet.gradient, 1e-12)
