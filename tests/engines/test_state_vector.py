"""State vectors against density matrices: noiseless gradients exactly, kappa and its budget by their own error bars."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import Statevector

import equinoise as eq
from equinoise.engines.draws import draw_generator
from equinoise.engines.sector.exact import ExactEngine
from equinoise.engines.vectors import vector_kernels as kernels
from equinoise.engines.vectors.diagonals import Phases
from equinoise.engines.vectors.state_vector import StateVectorEngine
from equinoise.errors import UnsupportedError
from equinoise.reduction.program import compile_problem
from equinoise.reduction.row_tables import PAIR, pair_tables
from equinoise.reduction.sector import sector
from support import (
    PhaseTwin,
    gaussian_average,
    golden_cases,
    golden_problem,
    hop_phase_hop,
    random_problems,
    random_theta,
)

SLOW = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
# both are exact: some tens of gates, each rounding at 1e-16, on quantities of order 1 to 10
EXACT = 1e-12


def engines(problem):
    program = compile_problem(problem)
    return StateVectorEngine(program, 1), ExactEngine(program, 1)


def assert_same_without_noise(problem, theta):
    vector, matrix = engines(problem)
    found, expected = vector.draw(theta), matrix.draw(theta, 0.0)
    assert found.value == pytest.approx(expected.value, rel=0, abs=EXACT)
    assert found.square == pytest.approx(expected.square, rel=0, abs=EXACT)
    np.testing.assert_allclose(found.gradient, expected.gradient, rtol=0, atol=EXACT)
    assert vector.value(theta) == pytest.approx((expected.value, expected.square), rel=0, abs=EXACT)


def assert_mean(samples, expected, sigmas=4.0, tolerance=EXACT):
    """The mean over the first axis is ``expected`` within its own standard errors, and those are no empty excuse."""
    samples = np.asarray(samples)
    error = samples.std(axis=0, ddof=1) / math.sqrt(len(samples))
    # terms that do not fluctuate are exact up to rounding
    excess = np.abs(samples.mean(axis=0) - expected) / (sigmas * error + tolerance)
    assert np.max(excess) < 1, f"{sigmas * np.max(excess):.2f} standard errors"
    if samples.ndim > 1:
        # the bar of a sum of terms shows that not all of them are merely uncertain
        assert np.linalg.norm(error) < np.linalg.norm(expected) + EXACT


# -- without noise -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("symmetry_class", ["none", "strong", "weak"])
def test_noiseless_gradient_equals_that_of_density_matrices(symmetry_class):
    """Inputs among them: bitstrings, products of several charges, Dicke states whose cone is a mixture."""

    @settings(max_examples=25, **SLOW)
    @given(random_problems(symmetry_class), st.integers(0, 2**20))
    def check(problem, seed):
        assert_same_without_noise(problem, random_theta(problem, seed))

    check()


@pytest.mark.parametrize("case", golden_cases(), ids=lambda case: case["name"])
def test_noiseless_gradient_equals_the_golden_program(case):
    problem, expected = golden_problem(case), case["expected"]
    engine, _ = engines(problem)
    found = engine.draw(np.array(case["thetas"][0]))
    assert found.value == pytest.approx(expected["value_s0"], abs=EXACT)
    np.testing.assert_allclose(found.gradient, expected["gradient_s0"], rtol=0, atol=EXACT)


def dicke(num_qubits, charge):
    inside = np.array([x.bit_count() == charge for x in range(2**num_qubits)])
    return Statevector(inside / math.sqrt(inside.sum()))


def entangled(num_qubits, charge):
    rng = np.random.default_rng(0)
    amplitudes = complex_array(rng, 2**num_qubits) * (np.abs(dicke(num_qubits, charge).data) > 0)
    return Statevector(amplitudes / np.linalg.norm(amplitudes))


def tilted(num_qubits):
    """A product of superposed qubits: every charge has weight."""
    polar = np.linspace(0.7, 2.1, num_qubits)
    return np.stack([np.cos(polar / 2), np.sin(polar / 2) * np.exp(0.6j)], axis=1)


@pytest.mark.parametrize("projected", [False, True])
@pytest.mark.parametrize("noise", ["dephasing:0.1", "relaxation:0.1"])
def test_entangled_input_is_a_mixture_on_the_cone_of_its_readout(noise, projected):
    """A random state of three excitations on six qubits, four in the cone: several charges, several vectors each."""
    circuit = eq.circuits.brickwork(6, 2)
    options = {"readout": "Z2", "initial": entangled(6, 3), "noise": noise, "projected": projected}
    problem = eq.Problem(circuit, **options)
    engine, _ = engines(problem)
    if not (projected and noise.startswith("relaxation")):  # there the projector sees every qubit
        assert engine.program.width == 4
        assert sum(vectors.shape[1] for _, vectors in engine.program.inputs()) > len(engine.program.inputs()) > 1
    assert_same_without_noise(problem, random_theta(problem, 1))


def test_answers_beyond_its_reach_are_refused_with_a_remedy():
    problem = eq.Problem(eq.circuits.brickwork(4, 2), readout="Z1", initial="neel", noise="dephasing:0.1")
    engine, _ = engines(problem)
    theta, rng = random_theta(problem, 0), np.random.default_rng(0)
    for ask in (
        lambda: engine.value(theta, 1.0, rng),
        lambda: engine.draw(theta, 1.0, rng),
        lambda: engine.noisy(theta, [0.0, math.inf], rng),
    ):
        with pytest.raises(UnsupportedError, match="engine 'trajectories'"):
            ask()
    assert math.isnan(engine.frozen(theta, rng))
    draw = engine.draw(theta)
    (pair,) = engine.noisy(theta, [0.0], rng)
    np.testing.assert_allclose(pair.gradient_square, draw.gradient**2, rtol=0, atol=EXACT)
    assert (pair.value_square, pair.square) == pytest.approx((draw.value**2, draw.square), abs=EXACT)


# -- kappa and its budget ------------------------------------------------------------------------------------------

EACH = range(5)
NOISES = {
    "local": {"dephasing": [{"rate": 0.02 * (q + 1), "weights": {q: 1.0}} for q in EACH]},
    "correlated": {
        "dephasing": [
            {"rate": 0.1, "weights": {0: 1.0, 2: -0.7, 3: 0.4}},
            {"rate": 0.05, "weights": {1: 1.0, 4: 2.0}, "layers": [0, 1]},
        ]
    },
    "parity": {"pauli": [{"pauli": "Z1Z2", "rate": 0.08}, {"pauli": "Z0Z2Z3", "rate": 0.05}]},
    "down": {"relaxation": [{"qubit": q, "down": 0.03 * (q + 1)} for q in EACH]},
    "down and up": {"relaxation": [{"qubit": q, "down": 0.03 * (q + 1), "up": 0.02} for q in EACH]},
    "one-qubit depolarizing": {"depolarizing": [{"qubits": [q], "rate": 0.04 * (q + 1)} for q in EACH]},
    "two-qubit depolarizing": {"depolarizing": [{"qubits": [2, 1], "rate": 0.1}, {"qubits": [0, 3], "rate": 0.06}]},
    "X and Y flips": {"pauli": [{"pauli": f"{p}{q}", "rate": 0.03} for q in (1, 2, 3) for p in "XY"]},
}
NOISES["all together"] = {
    kind: [term for noise in NOISES.values() for term in noise.get(kind, [])]
    for kind in ("dephasing", "relaxation", "depolarizing", "pauli")
}


def noisy_problem(noise, initial="neel", depth=3, **options):
    circuit = eq.circuits.brickwork(5, depth)
    return eq.Problem(circuit, readout="Z2+0.5*X1X2+0.5*Y1Y2", initial=initial, noise=NOISES[noise], **options)


def assert_budget(problem, draws=400, seed=0):
    vector, matrix = engines(problem)
    theta = random_theta(problem, seed)
    gradient = matrix.draw(theta, 0.0).gradient
    found = [vector.first_order(theta, draw_generator(seed, i)) for i in range(draws)]
    assert found[0].square == pytest.approx(gradient @ gradient, rel=1e-12)
    expected = matrix.budget(theta, gradient)
    assert expected.shape == (len(vector.program.budget_terms),)
    assert np.abs(expected).max() > 1e-3
    assert_mean([d.budget for d in found], expected)
    assert_mean([d.slope for d in found], expected.sum())
    assert found[3].slope == pytest.approx(found[3].budget.sum(), rel=1e-12)


@pytest.mark.parametrize("noise", NOISES)
def test_budget_of_kappa_is_that_of_density_matrices_term_by_term(noise):
    assert_budget(noisy_problem(noise))


@pytest.mark.parametrize("noise", ["correlated", "down and up", "two-qubit depolarizing"])
def test_budget_of_a_mixture_of_charges_is_that_of_density_matrices(noise):
    assert_budget(noisy_problem(noise, tilted(5), depth=2))


@pytest.mark.parametrize("noise", ["local", "down and up"])
def test_budget_from_entangled_inputs_and_projected_readouts_is_that_of_density_matrices(noise):
    assert_budget(noisy_problem(noise, entangled(5, 2), depth=2, projected=True))
    assert_budget(noisy_problem(noise, entangled(5, 2), depth=2))


def test_error_bars_shrink_with_the_root_of_the_draws():
    problem = noisy_problem("all together")
    theta = random_theta(problem, 0)
    few, many = (
        eq.law(problem, sampling=eq.Sampling(engine="state-vector", ensemble=[theta] * count)) for count in (64, 1024)
    )
    # a standard deviation from 64 draws is known to 9 %, more for the tails of products of signs: 4 sigma
    assert few.kappa_error / many.kappa_error == pytest.approx(4, rel=0.4)
    exact = eq.law(problem, sampling=eq.Sampling(engine="exact", ensemble=[theta])).kappa
    assert abs(many.kappa - exact) < 4 * many.kappa_error
    # and the draws are independent: means of 16 scatter by the bar of one over 4; 64 such means know it to 9 %
    engine, _ = engines(problem)
    slopes = np.array([engine.first_order(theta, draw_generator(1, i)).slope for i in range(1024)])
    assert slopes.std() / slopes.reshape(64, 16).mean(axis=1).std() == pytest.approx(4, rel=0.4)


def test_draws_repeat_with_their_generator():
    problem = noisy_problem("all together")
    engine, _ = engines(problem)
    theta = random_theta(problem, 0)
    one, two, other = (engine.first_order(theta, draw_generator(seed, 0)).budget for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - other).max() > 1e-6


# -- closed forms --------------------------------------------------------------------------------------------------

ANGLES = np.array([0.7, -0.4, 1.1])


def fringe():
    """C = -cos a cos c + lambda sin a sin c cos b by hand: the gradient at lambda = 1, and its part with lambda."""
    a, b, c = ANGLES
    still = np.array([math.sin(a) * math.cos(c), 0.0, math.cos(a) * math.sin(c)])
    moving = np.array(
        [
            math.cos(a) * math.sin(c) * math.cos(b),
            -math.sin(a) * math.sin(c) * math.sin(b),
            math.sin(a) * math.cos(c) * math.cos(b),
        ]
    )
    return still + moving, moving


def test_interferometer_with_one_jump_has_kappa_without_any_sampling_error():
    """lambda = exp(-s rate (2 v0 - 2 v1)^2/2); one sign alone squares to 1, so that every draw is exact."""
    gradient, moving = fringe()
    for v0, v1 in ((1.0, 0.0), (0.8, -0.5), (1.0, 1.0)):
        engine, _ = engines(hop_phase_hop({"dephasing": [{"rate": 0.1, "weights": {0: v0, 1: v1}}]}))
        gamma = 0.1 * (2 * (v0 - v1)) ** 2 / 2
        for seed in range(4):
            draw = engine.first_order(ANGLES, np.random.default_rng(seed))
            assert draw.square == pytest.approx(gradient @ gradient, rel=1e-12)
            assert draw.slope == pytest.approx(-gamma * gradient @ moving, rel=1e-12, abs=1e-14)


def test_interferometer_with_relaxation_loses_its_contrast_at_half_the_rates_and_its_population_at_the_rates():
    """<Z0> = p_1 scaled by exp(-s d0) of what is left on 0: by hand, noise after the first hop.

    With loss d0, d1 the unnormalised one-excitation state has amplitudes times exp(-s d/2), and the vacuum reads +1:
    C = 1 - 2 |amplitude on 0|^2 after the second hop.
    """
    down = (0.2, 0.07)
    noise = {"relaxation": [{"qubit": q, "down": d} for q, d in enumerate(down)]}
    problem = hop_phase_hop(noise)

    def cost(theta, s):
        t, u, v = theta
        kept0 = math.cos(t / 2) ** 2 * math.exp(-s * down[0])
        kept1 = math.sin(t / 2) ** 2 * math.exp(-s * down[1])
        cross = math.sqrt(kept0 * kept1) * math.sin(v) * math.cos(u)
        cross *= math.copysign(1, math.sin(t / 2) * math.cos(t / 2))
        return 1 - 2 * (kept0 * math.cos(v / 2) ** 2 + kept1 * math.sin(v / 2) ** 2 - cross)

    vector, matrix = engines(problem)
    # fringe sign and excited qubit as the density matrix has them, at noise far from the first order
    assert cost(ANGLES, 3.0) == pytest.approx(matrix.draw(ANGLES, 3.0).value, abs=1e-12)
    h = 1e-3

    def gradient(s):
        return np.array([(cost(ANGLES + d, s) - cost(ANGLES - d, s)) / (2 * h) for d in h * np.eye(3)])

    slope = gradient(0.0) @ (gradient(h) - gradient(-h)) / (2 * h)
    found = [vector.first_order(ANGLES, draw_generator(0, i)).slope for i in range(400)]
    error = np.std(found) / 20
    # differences of second order: 1e-6
    assert np.mean(found) == pytest.approx(slope, abs=4 * error + 1e-6)
    assert abs(slope) > 1e-2


# -- noise correlated in time --------------------------------------------------------------------------------------

CORRELATIONS = {"static": "static", "over 2 slots": 2.0, "1/f": {"1/f": [1, 100]}}
WEIGHTS = {0: 1.0, 1: -0.6, 2: 0.3, 3: 0.9}


def correlated(correlation, weights=WEIGHTS, rate=0.2, **options):
    noise = {"dephasing": [{"rate": rate, "weights": weights, "correlation": correlation, **options}]}
    return eq.Problem(eq.circuits.brickwork(4, 4), readout="Z1+0.5*X0X1+0.5*Y0Y1", initial="neel", noise=noise)


def stated_factors(times, rate=0.2, weights=WEIGHTS, depth=4, qubits=4):
    """Angles per independent normal, from the stated c(k) = sum_a w_a exp(-k/tau_a) by Cholesky."""
    lags = np.abs(np.subtract.outer(np.arange(depth), np.arange(depth)))
    covariance = sum(w * np.exp(-lags / tau) for w, tau in times)
    root = np.linalg.cholesky(covariance + 1e-15 * np.eye(depth))
    row = np.array([weights.get(q, 0.0) for q in range(qubits)])
    return [math.sqrt(rate) * np.outer(column, row) for column in root.T]


@pytest.mark.parametrize("correlation", CORRELATIONS)
def test_kappa_of_correlated_phases_is_the_slope_of_their_gaussian_average(correlation):
    problem = correlated(CORRELATIONS[correlation])
    engine = StateVectorEngine(compile_problem(problem), 1)
    theta = random_theta(problem, 2)
    twin = PhaseTwin(problem, theta)
    factors = stated_factors(problem.processes[0].correlation)
    quiet = gaussian_average(twin, factors, 0.0, 1)[1]
    h = 1e-3
    # Richardson's third order leaves h^3; five nodes are exact to s^4
    steps = [quiet @ (gaussian_average(twin, factors, s, 5)[1] - quiet) / s for s in (h / 4, h / 2, h)]
    first = [2 * steps[0] - steps[1], 2 * steps[1] - steps[2]]
    slope = (4 * first[0] - first[1]) / 3
    found = [engine.first_order(theta, draw_generator(3, i)) for i in range(400)]
    assert found[0].square == pytest.approx(quiet @ quiet, rel=1e-10)
    # third-order differences of step 1e-3, and rounding over it: 1e-6 is far below the bars
    assert_mean([d.slope for d in found], slope, tolerance=1e-6)
    if correlation == "static":  # one sign for all slots: nothing fluctuates
        assert np.std([d.slope for d in found]) < 1e-10
        assert found[0].slope == pytest.approx(slope, rel=1e-6)
    white, _ = engines(eq.Problem(problem.circuit, problem.readout, initial="neel", noise=white_noise()))
    exact = ExactEngine(white.program, 1)
    independent = exact.budget(theta, quiet).sum()
    assert abs(slope - independent) > 0.05 * abs(independent)  # correlation matters here


def white_noise(rate=0.2):
    return {"dephasing": [{"rate": rate, "weights": WEIGHTS}]}


def test_vanishing_correlation_time_is_white_dephasing_term_by_term():
    short, white = correlated(1e-3), correlated(None)
    engine, exact = StateVectorEngine(compile_problem(short), 1), ExactEngine(compile_problem(white), 1)
    theta = random_theta(short, 5)
    gradient = exact.draw(theta, 0.0).gradient
    places = [(t.layer, t.qubits, t.mechanism) for t in engine.program.budget_terms]
    assert places == [(t.layer, t.qubits, t.mechanism) for t in exact.program.budget_terms]
    samples = [engine.first_order(theta, draw_generator(0, i)).budget for i in range(600)]
    assert_mean(samples, exact.budget(theta, gradient))


def test_collective_static_phases_cost_nothing_slot_by_slot():
    """The charge is conserved, so that its phase is a global one in every sector."""
    problem = correlated("static", dict.fromkeys(range(4), 1.0))
    engine = StateVectorEngine(compile_problem(problem), 1)
    draw = engine.first_order(random_theta(problem, 0), np.random.default_rng(0))
    assert draw.square > 0.1
    np.testing.assert_allclose(draw.budget, 0.0, atol=1e-12)


# -- kernels against their twins on the full space -----------------------------------------------------------------

WIDTH, CHARGE = 5, 2
KEYS = ((0, 3), (4, 1), (2,), (1, 2))


def masks(width=WIDTH, charge=CHARGE):
    """The sector's basis states as whole numbers in ascending order."""
    return np.array([x for x in range(2**width) if x.bit_count() == charge])


def bit(x, q):
    return x >> q & 1


def whole(matrix, qubits, width=WIDTH):
    """A 4x4 matrix (rows 00, 10, 01, 11, first qubit first; one qubit: entries 0 and 3) on the full space."""
    out = np.zeros((2**width, 2**width), dtype=complex)
    touched = sum(1 << q for q in qubits)
    for x in range(2**width):
        for y in range(2**width):
            if (x ^ y) & ~touched == 0:
                first, second = qubits[0], qubits[-1]
                if len(qubits) == 1:
                    i, j = 3 * bit(x, first), 3 * bit(y, first)
                else:
                    i, j = bit(x, first) + 2 * bit(x, second), bit(y, first) + 2 * bit(y, second)
                out[x, y] = matrix[i, j]
    return out


def complex_array(rng, *shape):
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def block(rng, hermitian=False):
    """Charge-conserving, entry (0, 0) fixed as the kernels take it: 1 for a gate, 0 for a generator."""
    out = np.zeros((4, 4), dtype=complex)
    out[1:3, 1:3] = complex_array(rng, 2, 2)
    out[3, 3] = complex_array(rng, 1)[0]
    if hermitian:
        return out + out.conj().T
    out[0, 0] = 1.0
    return out


def spread(state, width=WIDTH, charge=CHARGE):
    out = np.zeros((2**width, *state.shape[1:]), dtype=complex)
    out[masks(width, charge)] = state
    return out


def tables(width=WIDTH, charge=CHARGE):
    return pair_tables(sector(width, charge), [(key, PAIR) for key in KEYS]).arguments


def test_blocks_on_a_sector_are_blocks_on_the_full_space():
    rng = np.random.default_rng(0)
    state = complex_array(rng, masks().size, 3)
    order = np.array([1, 0, 3, 2, 1])
    gates = np.stack([block(rng) for _ in order])
    expected = spread(state)
    for t, u in zip(order, gates, strict=True):
        expected = whole(u, KEYS[t]) @ expected
    kernels.multiply(state, (0, 0, 0), PAIR + 0 * order, order, gates, *tables())
    np.testing.assert_allclose(spread(state), expected, atol=1e-12 * np.abs(expected).max())


def test_tangents_of_blocks_are_their_derivatives():
    """(U + delta dU)(x + delta dx) to first order: differences at delta = +-1 are exact for a square."""
    rng = np.random.default_rng(1)
    state = complex_array(rng, masks().size, 4)
    order = np.array([0, 2, 3])
    gates, slopes = (np.stack([block(rng) for _ in order]) for _ in range(2))
    slopes[:, 0, 0] = 0.0
    half = spread(state)
    value, slope = half[:, :2], half[:, 2:]
    for t, u, du in zip(order, gates, slopes, strict=True):
        at = {d: whole(u + d * du, KEYS[t]) @ (value + d * slope) for d in (-1, 0, 1)}
        value, slope = at[0], (at[1] - at[-1]) / 2
    kernels.multiply_tangent(state, (0, 0, 0, 0), PAIR + 0 * order, order, gates, slopes, *tables())
    np.testing.assert_allclose(spread(state), np.hstack([value, slope]), atol=1e-12 * np.abs(slope).max())


def test_pull_back_reads_the_moments_after_each_block_and_undoes_it():
    """2 Im <lambda|G|psi> for any charge-conserving generator, blocks last in time first."""
    rng = np.random.default_rng(2)
    both = complex_array(rng, masks().size, 2)
    order = np.array([3, 1, 2])
    gates, generators = (np.stack([block(rng, hermitian) for _ in order]) for hermitian in (False, True))
    moments = np.zeros((3, 4, 4), dtype=complex)
    expected, full = [], spread(both)
    for t, u, g in zip(order, gates, generators, strict=True):
        expected.append(2 * (full[:, 1].conj() @ whole(g, KEYS[t]) @ full[:, 0]).imag)
        full = whole(u, KEYS[t]) @ full
    kernels.pull_back(both, PAIR + 0 * order, order, gates, *tables(), moments)
    np.testing.assert_allclose(2 * np.einsum("bac,bca->b", generators, moments).imag, expected, rtol=1e-12)
    np.testing.assert_allclose(spread(both), full, atol=1e-12 * np.abs(full).max())


def test_sums_and_products_over_qubits_take_every_bit():
    """Eleven qubits: more than one byte of bits, the last one not full."""
    rng = np.random.default_rng(3)
    width, charge = 11, 3
    phases, states = Phases(sector(width, charge)), masks(width, charge)
    z = np.array([[1 - 2 * bit(x, q) for q in range(width)] for x in states])
    weights = rng.normal(size=width)
    np.testing.assert_allclose(phases.values(weights), z @ weights, atol=1e-13)
    empty, filled = complex_array(rng, width), complex_array(rng, width)
    expected = [np.prod([filled[q] if bit(x, q) else empty[q] for q in range(width)]) for x in states]
    np.testing.assert_allclose(phases.products(empty, filled), expected, rtol=1e-12)
    moment = rng.normal(size=states.size)
    np.testing.assert_allclose(phases.sums(moment), moment @ z, atol=1e-12)
    np.testing.assert_array_equal(phases.parity((0, 8, 10)), z[:, 0] * z[:, 8] * z[:, 10])


def polynomial(jet, epsilon, delta):
    return jet[:, 0] + epsilon * jet[:, 1] + delta * jet[:, 2] + epsilon * delta * jet[:, 3]


def test_phases_of_jets_are_first_order_in_epsilon():
    """Coefficients of exp(-i sign epsilon phi) x(epsilon, delta) by Cauchy's integral over a circle."""
    rng = np.random.default_rng(4)
    jet, phi = complex_array(rng, 7, 4), rng.normal(size=7)
    circle = 0.1 * np.exp(2j * np.pi * np.arange(16) / 16)  # sixteen points: exact to 0.1^16
    for sign in (1.0, -1.0):

        def turned(e, d, sign=sign):
            return np.exp(-1j * sign * e * phi) * polynomial(jet, e, d)

        expected = jet.copy()
        still = np.mean([turned(e, 0) / e for e in circle], axis=0)
        moving = np.mean([turned(e, 1) / e for e in circle], axis=0)
        expected[:, 1], expected[:, 3] = still, moving - still
        found = jet.copy()
        kernels.phase_jet(found, phi, sign)
        np.testing.assert_allclose(found, expected, atol=1e-13)


def test_moments_of_jets_are_coefficients_of_their_product():
    """conj(a) p at epsilon, delta = +-1: what is odd in both is the coefficient of epsilon delta, degrees being 2."""
    rng = np.random.default_rng(5)
    psi, adjoint = complex_array(rng, 9, 4), complex_array(rng, 9, 4)

    def product(e, d):
        return polynomial(adjoint, e, d).conj() * polynomial(psi, e, d)

    found = np.empty(9)
    kernels.phase_moments(psi, adjoint, found)
    mixed = (product(1, 1) - product(1, -1) - product(-1, 1) + product(-1, -1)) / 4
    np.testing.assert_allclose(found, mixed.imag, atol=1e-13)
    kernels.value_moments(psi, adjoint, found)
    np.testing.assert_allclose(found, ((product(0, 1) - product(0, -1)) / 2).real, atol=1e-13)


def test_populations_are_sums_over_filled_rows():
    rng = np.random.default_rng(6)
    problem = eq.Problem(eq.circuits.brickwork(4, 3), readout="Z1", initial="neel", noise="relaxation:0.1")
    jet = complex_array(rng, masks(4, 2).size, 4)
    full = spread(jet, 4, 2)
    for qubit in range(4):
        _, high = compile_problem(problem).site_rows(qubit, 2)
        filled = np.array([bit(x, qubit) for x in range(16)])
        assert kernels.population(jet, high) == pytest.approx(filled @ np.abs(full[:, 0]) ** 2, abs=1e-13)


def test_overlaps_and_row_factors_are_plain_arithmetic():
    rng = np.random.default_rng(7)
    left, right, factor = complex_array(rng, 8, 2), complex_array(rng, 8, 2), complex_array(rng, 8)
    assert kernels.overlap(left[:, 0], right[:, 1]) == pytest.approx(np.vdot(left[:, 0], right[:, 1]).real, abs=1e-13)
    scaled = left.copy()
    kernels.scale_rows(scaled, (0, 0), factor)
    np.testing.assert_allclose(scaled, factor[:, None] * left, atol=1e-13)
