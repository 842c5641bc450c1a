"""Trajectories and kappa of noise that breaks the charge or is stated by matrices, against density matrices and Aer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp
from scipy.linalg import expm

import equinoise as eq
from equinoise.engines.draws import draw_generator
from equinoise.engines.sector.exact import ExactEngine
from equinoise.engines.select import declarations
from equinoise.engines.vectors.events.sampled_channels import KrausChannel, kraus_matrices
from equinoise.engines.vectors.state_vector import StateVectorEngine
from equinoise.engines.vectors.trajectories import TrajectoryEngine
from equinoise.engines.vectors.vector_operators import LocalOperator, StringOperator
from equinoise.noise.terms.actions import PauliString
from equinoise.reduction.program import compile_problem
from support import aer_density_matrix, random_theta, readout_matrix

SIGMAS = 4.0
HOP = [[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
EXCHANGE = [[0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
LOWER, TILTED = [[0, 1], [0, 0]], [[1, 2], [0, 1j]]
RANDOM = np.random.default_rng(5).normal(size=(2, 4, 4)) @ np.eye(4)
RANDOM = RANDOM[0] + 1j * RANDOM[1]
CONSERVING = {
    "a hop": {"jump": [{"qubits": [1, 2], "matrix": HOP, "rate": 0.4}]},
    "hop, decay and exchange at the same time": {
        "jump": [
            {"qubits": [1, 2], "matrix": HOP, "rate": 0.4},
            {"qubits": [1], "matrix": LOWER, "rate": 0.3},
            {"qubits": [2, 3], "matrix": HOP, "rate": 0.2},
        ],
        "coherent": [{"qubits": [1, 2], "matrix": EXCHANGE, "angle": 0.3}],
        "dephasing": 0.05,
    },
    "a Hermitian hop": {"jump": [{"qubits": [1, 2], "matrix": EXCHANGE, "rate": 0.4}]},
    "exchange": {"coherent": [{"qubits": [1, 2], "matrix": EXCHANGE, "angle": 0.3}], "relaxation": 0.4},
}
BROKEN = {
    "bit flips": {"pauli": [{"pauli": f"X{q}", "rate": 0.03 * (q + 1)} for q in range(4)]},
    "strings with every kind that has a name": {
        "pauli": [{"pauli": "Y2X0", "rate": 0.15}, {"pauli": "Y0Z1X3", "rate": 0.1}, {"pauli": "Z0Z1", "rate": 0.1}],
        "relaxation": [{"qubit": q, "down": 0.05, "up": 0.02} for q in range(4)],
        "depolarizing": [{"qubits": [0, 1], "rate": 0.1}],
        "dephasing": 0.02,
    },
    "any jump and any Hamiltonian": {
        "jump": [{"qubits": [0, 3], "matrix": RANDOM, "rate": 0.03}, {"qubits": [1], "matrix": TILTED, "rate": 0.1}],
        "coherent": [{"qubits": [2, 1], "matrix": RANDOM + RANDOM.conj().T, "angle": 0.1}],
    },
}
NOISES = CONSERVING | BROKEN


def problem(noise, qubits=4, depth=3, readout="Z2+0.5*X1X2+0.5*Y1Y2", **options):
    circuit = eq.circuits.brickwork(qubits, depth)
    return eq.Problem(circuit, readout, options.pop("initial", "neel"), noise, allow_broken=True, **options)


def sigmas(samples, expected):
    """By how many of its standard errors the mean over the first axis is off; what never varies must be exact."""
    samples = np.asarray(samples)
    error = samples.std(axis=0, ddof=1) / math.sqrt(len(samples))
    return float(np.max(np.abs(samples.mean(axis=0) - expected) / (error + 1e-10 / SIGMAS)))


def draws(stated, theta, scale, count):
    engine = TrajectoryEngine(compile_problem(stated), 1)
    found = [engine.draw(theta, scale, draw_generator(0, i)) for i in range(count)]
    return np.array([[d.value, d.square, *d.gradient] for d in found])


# -- at finite noise -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.3, 1.5])
@pytest.mark.parametrize("name", NOISES)
def test_trajectories_average_to_the_density_matrixs_value_and_gradient(name, scale):
    stated = problem(NOISES[name])
    assert compile_problem(stated).full == (name in BROKEN)
    theta = random_theta(stated, 1)
    exact = ExactEngine(compile_problem(stated), 1).draw(theta, scale)
    expected = np.array([exact.value, exact.square, *exact.gradient])
    assert sigmas(draws(stated, theta, scale, 500), expected) < SIGMAS


@pytest.mark.parametrize(
    "name", ["hop, decay and exchange at the same time", "strings with every kind that has a name"]
)
def test_projected_readouts_and_superposed_inputs_are_unbiased_too(name):
    polar = np.linspace(0.7, 2.1, 4)
    tilted = np.stack([np.cos(polar / 2), np.sin(polar / 2) * np.exp(0.6j)], axis=1)
    stated = problem(NOISES[name], initial=tilted, projected=True, charge=2)
    theta = random_theta(stated, 1)
    exact = ExactEngine(compile_problem(stated), 1).draw(theta, 1.0)
    expected = np.array([exact.value, exact.square, *exact.gradient])
    assert sigmas(draws(stated, theta, 1.0, 800), expected) < SIGMAS


def test_wider_cones_and_gates_that_break_the_charge():
    a = ParameterVector("a", 12)
    circuit = QuantumCircuit(6)
    for q in range(6):
        circuit.rx(a[q], q)
    for q in range(5):
        circuit.rzz(a[6 + q], q, q + 1)
    circuit.ryy(a[11], 1, 4)
    stated = eq.Problem(circuit, "Z1+0.3*X2X3", "000000", {"pauli": [{"pauli": "X1", "rate": 0.2}]}, allow_broken=True)
    theta = random_theta(stated, 2)
    exact = ExactEngine(compile_problem(stated), 1)
    vector = StateVectorEngine(compile_problem(stated), 1)
    np.testing.assert_allclose(vector.draw(theta).gradient, exact.draw(theta, 0.0).gradient, atol=1e-12)
    noisy = exact.draw(theta, 1.0)
    expected = np.array([noisy.value, noisy.square, *noisy.gradient])
    assert sigmas(draws(stated, theta, 1.0, 400), expected) < SIGMAS
    slopes = np.array([vector.first_order(theta, draw_generator(1, i)).budget for i in range(400)])
    assert sigmas(slopes, exact.first_order(theta).budget) < SIGMAS


def test_error_bars_shrink_with_the_root_of_the_number_of_trajectories():
    stated = problem(BROKEN["bit flips"])
    found = draws(stated, random_theta(stated, 1), 1.0, 1600)
    few, many = (found[:count].std(axis=0, ddof=1) / math.sqrt(count) for count in (100, 1600))
    np.testing.assert_allclose(np.linalg.norm(few) / np.linalg.norm(many), 4.0, rtol=0.2)


def test_the_gradient_of_one_record_is_the_derivative_of_its_value():
    """Where odds do not depend on the state (Pauli jumps) a record stays as it is when an angle moves."""
    stated = problem(BROKEN["bit flips"])
    theta, step = random_theta(stated, 1), 1e-5
    engine = TrajectoryEngine(compile_problem(stated), 1)
    gradient = engine.draw(theta, 3.0, draw_generator(3, 0)).gradient
    for k in (0, 5, 9):
        ends = [
            engine.draw(theta + sign * step * np.eye(theta.size)[k], 3.0, draw_generator(3, 0)).value
            for sign in (1, -1)
        ]
        assert gradient[k] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-9)


# -- kappa ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NOISES)
def test_kappas_budget_is_that_of_density_matrices_term_by_term(name):
    stated = problem(NOISES[name])
    program, theta = compile_problem(stated), random_theta(stated, 1)
    exact = ExactEngine(program, 1).first_order(theta)
    engine = StateVectorEngine(program, 1)
    found = [engine.first_order(theta, draw_generator(1, i)) for i in range(700)]
    assert found[0].square == pytest.approx(exact.square, abs=1e-12)
    assert sigmas([f.budget for f in found], exact.budget) < SIGMAS
    assert sigmas([f.slope for f in found], exact.slope) < SIGMAS


def test_kappa_of_bit_flips_is_the_slope_of_the_exact_survival():
    stated = problem(BROKEN["bit flips"])
    thetas = np.array([random_theta(stated, seed) for seed in range(3)])
    law = eq.law(stated, sampling=eq.Sampling(engine="exact", ensemble=thetas))
    step = 1e-4
    found = eq.gradient_variance(stated, [0.0, step], sampling=eq.Sampling(engine="exact", ensemble=thetas))
    slope = -(found.variance[1] / found.variance[0] - 1) / (2 * step)
    assert law.kappa == pytest.approx(slope, rel=1e-3)
    sampled = eq.law(
        stated, sampling=eq.Sampling(seed=2, engine="trajectories", ensemble=np.repeat(thetas, 40, axis=0))
    )
    assert abs(sampled.kappa - law.kappa) < SIGMAS * sampled.kappa_error


# -- another program -----------------------------------------------------------------------------------------------


def test_bit_flips_on_eight_qubits_are_those_of_aers_density_matrix():
    flips = {"pauli": [{"pauli": f"{'XY'[q % 2]}{q}", "rate": 0.08} for q in range(8)]}
    stated = problem(flips, 8, 5, readout="Z4+0.5*X3X4+0.5*Y3Y4")
    assert compile_problem(stated).width == 8
    theta, step, chosen = random_theta(stated, 4), 1e-4, (0, 25)

    def value(angles):
        return np.trace(readout_matrix(stated) @ aer_density_matrix(stated, angles, 1.0)).real

    moves = step * np.eye(theta.size)
    slopes = [(value(theta + moves[k]) - value(theta - moves[k])) / (2 * step) for k in chosen]
    found = draws(stated, theta, 1.0, 400)[:, [0, *(2 + k for k in chosen)]]
    assert sigmas(found, [value(theta), *slopes]) < SIGMAS


# -- parts ---------------------------------------------------------------------------------------------------------


def test_kraus_operators_are_complete_and_make_the_channel_again():
    rng = np.random.default_rng(0)
    for matrix, by_charge in ((RANDOM, False), (np.array(HOP), True), (np.kron(np.eye(2), LOWER), True)):
        term = eq.NoiseModel(jump=[{"qubits": [0, 1], "matrix": matrix, "rate": 0.3}]).jump[0]
        kraus = kraus_matrices(expm(0.7 * term.superoperator()), by_charge=by_charge)
        np.testing.assert_allclose(np.einsum("mab,mac->bc", kraus.conj(), kraus), np.eye(4), atol=1e-12)
        rho = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
        expected = (expm(0.7 * term.superoperator()) @ rho.ravel()).reshape(4, 4)
        np.testing.assert_allclose(np.einsum("mab,bc,mdc->ad", kraus, rho, kraus.conj()), expected, atol=1e-12)


def test_operators_on_sectors_are_those_of_the_full_space():
    stated = problem(CONSERVING["a hop"])
    program, full = compile_problem(stated), compile_problem(stated, reduce=False)
    rng = np.random.default_rng(1)
    psi = rng.normal(size=(6, 2)) + 1j * rng.normal(size=(6, 2))
    places = {q: np.flatnonzero(np.bitwise_count(np.arange(16)) == q) for q in range(5)}
    whole = np.zeros((16, 2), dtype=complex)
    whole[places[2]] = psi
    for qubits, matrix in (((1, 2), HOP), ((3,), LOWER), ((0, 3), np.kron(LOWER, LOWER)), ((2,), np.diag([1, 2j]))):
        one, other = (LocalOperator(p, qubits, np.array(matrix)) for p in (program, full))
        found = np.zeros((places[2 + one.step].size, 2), dtype=complex)
        one.add(found, (1, 0), psi, (0, 1), 2, 0.5j)
        expected = np.zeros((16, 2), dtype=complex)
        other.add(expected, (1, 0), whole, (0, 1), None, 0.5j)
        np.testing.assert_allclose(found, expected[places[2 + one.step]], atol=1e-14)
        left = rng.normal(size=found.shape) + 0j
        spread = np.zeros((16, 2), dtype=complex)
        spread[places[2 + one.step]] = left
        seen = [o.moment(a, (0, 1), b, (1, 0), c) for o, a, b, c in ((one, left, psi, 2), (other, spread, whole, None))]
        assert seen[0] == pytest.approx(seen[1], abs=1e-13)


def test_pauli_strings_are_their_matrices():
    rng = np.random.default_rng(2)
    psi = rng.normal(size=(16, 1)) + 1j * rng.normal(size=(16, 1))
    for label in ("IIXY", "YIZX", "ZYYI"):
        letters = tuple((q, p) for q, p in enumerate(reversed(label)) if p != "I")
        string, matrix = StringOperator(PauliString(letters, 0.1)), SparsePauliOp(label).to_matrix()
        found = np.zeros_like(psi)
        string.add(found, (0,), psi, (0,), None, 2.0)
        np.testing.assert_allclose(found, 2 * matrix @ psi, atol=1e-14)
        assert string.moment(psi, (0,), psi, (0,), None) == pytest.approx(np.vdot(psi, matrix @ psi), abs=1e-13)


def test_odds_of_kraus_operators_are_the_states_own():
    stated = problem({"jump": [{"qubits": [0, 3], "matrix": RANDOM, "rate": 0.3}]})
    program = compile_problem(stated)
    channel = KrausChannel.of(program, program.slots[0].joint[0], 1.0)
    rng = np.random.default_rng(3)
    psi = (rng.normal(size=(16, 1)) + 1j * rng.normal(size=(16, 1))) * 0.3
    norms = []
    for matrix in channel.matrices:
        after = np.zeros_like(psi)
        LocalOperator(program, (0, 3), matrix).add(after, (0,), psi, (0,), None, 1.0)
        norms.append(np.linalg.norm(after) ** 2)
    edges = np.cumsum(norms) / np.linalg.norm(psi) ** 2
    assert edges[-1] == pytest.approx(1.0, abs=1e-12)
    for m, edge in enumerate(edges[:-1]):
        assert channel.pick(psi, None, edge - 1e-9) == m
        assert channel.pick(psi, None, edge + 1e-9) == m + 1
    assert channel.least <= norms[0] / np.linalg.norm(psi) ** 2


def test_twenty_qubits_of_bit_flips_are_served():
    flips = {"pauli": [{"pauli": f"X{q}", "rate": 0.01} for q in range(20)]}
    wide = eq.Problem(eq.circuits.brickwork(20, 12), "Z10", "neel", flips)
    assert compile_problem(wide).width == 20
    served = {d.engine: d.serves for d in declarations(wide)}
    assert served["trajectories"]
    assert served["state-vector"]
    assert not served["exact"]


@pytest.mark.parametrize(
    ("noise", "kind"),
    [
        ({"pauli": [{"pauli": f"X{q}", "rate": 0.1} for q in range(4)], "dephasing": 0.05}, "too mixed"),
        ({"pauli": [{"pauli": f"X{q}", "rate": 0.1} for q in range(4)]}, "partly protected"),
    ],
)
def test_flips_and_dephasing_of_every_qubit_leave_nothing_and_flips_alone_something(noise, kind):
    stated = problem(noise)
    law = eq.law(stated, sampling=eq.Sampling(samples=2, engine="trajectories"))
    assert law.fixed_point.kind == kind
