"""Trajectories against density matrices, quadrature and a replay of their own record; means by their own error bars."""

from __future__ import annotations

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import XXPlusYYGate

import equinoise as eq
from equinoise.engines.draws import draw_generator
from equinoise.engines.sector.exact import ExactEngine
from equinoise.engines.vectors import trajectories
from equinoise.engines.vectors.trajectories import TrajectoryEngine
from equinoise.reduction.program import compile_problem
from support import PhaseTwin, gaussian_average, layer_unitaries, random_theta

# standard errors; some hundred means are compared with fixed seeds, 6e-5 of which would fall outside by chance
SIGMAS = 4.0
SCALES = [0.3, 1.0, 8.0, math.inf]
EACH = range(4)
DIAGONAL = {
    "local": {"dephasing": [{"rate": 0.05 * (q + 1), "weights": {q: 1.0}} for q in EACH]},
    "correlated": {
        "dephasing": [
            {"rate": 0.2, "weights": {0: 1.0, 2: -0.7, 3: 0.4}},
            {"rate": 0.1, "weights": {1: 1.0, 3: 2.0}, "layers": [0, 2]},
        ]
    },
    "parity": {"pauli": [{"pauli": "Z1Z2", "rate": 0.1}, {"pauli": "Z0Z2Z3", "rate": 0.2}]},
}
JUMPING = {
    "down": {"relaxation": [{"qubit": q, "down": 0.05 * (q + 1)} for q in EACH]},
    "down and up": {"relaxation": [{"qubit": q, "down": 0.05 * (q + 1), "up": 0.03} for q in EACH]},
    "one-qubit depolarizing": {"depolarizing": [{"qubits": [q], "rate": 0.06 * (q + 1)} for q in EACH]},
    "two-qubit depolarizing": {"depolarizing": [{"qubits": [2, 1], "rate": 0.1}, {"qubits": [0, 3], "rate": 0.06}]},
    "X and Y flips": {"pauli": [{"pauli": f"{p}{q}", "rate": 0.04} for q in (1, 2) for p in "XY"]},
}
NOISES = DIAGONAL | JUMPING
NOISES["all together"] = {
    kind: [term for noise in NOISES.values() for term in noise.get(kind, [])]
    for kind in ("dephasing", "relaxation", "depolarizing", "pauli")
}


def noisy_problem(noise, initial="neel", readout="Z2+0.5*X1X2+0.5*Y1Y2", depth=3, **options):
    return eq.Problem(eq.circuits.brickwork(4, depth), readout=readout, initial=initial, noise=noise, **options)


def tilted():
    """A product of superposed qubits: every charge has weight."""
    polar = np.linspace(0.7, 2.1, 4)
    return np.stack([np.cos(polar / 2), np.sin(polar / 2) * np.exp(0.6j)], axis=1)


def engines(problem):
    program = compile_problem(problem)
    return TrajectoryEngine(program, 1), ExactEngine(program, 1)


def assert_mean(samples, expected, tolerance=1e-10):
    """The mean over the first axis is ``expected`` within its own standard errors (rounding where nothing varies)."""
    samples = np.asarray(samples)
    error = samples.std(axis=0, ddof=1) / math.sqrt(len(samples))
    excess = np.abs(samples.mean(axis=0) - expected) / (SIGMAS * error + tolerance)
    assert np.max(excess) < 1, f"{SIGMAS * np.max(excess):.2f} standard errors"


def assert_unbiased(problem, scale, count=700, gradient=True):
    engine, exact = engines(problem)
    theta = random_theta(problem, 1)
    expected = exact.draw(theta, scale)
    if gradient:
        draws = [engine.draw(theta, scale, draw_generator(0, i)) for i in range(count)]
        assert_mean([d.gradient for d in draws], expected.gradient)
        pairs = [(d.value, d.square) for d in draws]
    else:
        pairs = [engine.value(theta, scale, draw_generator(0, i)) for i in range(count)]
    values, squares = np.array(pairs).T
    assert_mean(values, expected.value)
    assert_mean(squares, expected.square)


# -- means ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("noise", DIAGONAL)
def test_random_phases_average_to_dephasing(noise, scale):
    assert_unbiased(noisy_problem(NOISES[noise]), scale)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("noise", [*JUMPING, "all together"])
def test_jumps_average_to_relaxation_and_depolarizing(noise, scale):
    """At large scales a record without a jump is rare and its gradient large: there the values alone are compared."""
    assert_unbiased(noisy_problem(NOISES[noise]), scale, gradient=scale <= 1)


@pytest.mark.parametrize("noise", ["correlated", "down and up", "two-qubit depolarizing"])
def test_products_of_superposed_qubits_are_mixtures_of_charges(noise):
    assert_unbiased(noisy_problem(NOISES[noise], tilted()), 1.0, count=1500)


@pytest.mark.parametrize("noise", ["correlated", "down"])
def test_projected_readouts_count_what_is_left_in_the_sector(noise):
    assert_unbiased(noisy_problem(NOISES[noise], projected=True), 1.0, count=1500)
    assert_unbiased(noisy_problem(NOISES[noise], tilted(), projected=True, charge=2), 1.0, count=1500)


def test_everything_decays_to_the_vacuum_at_infinite_scale():
    """Each trajectory ends in |0000>; only the odds of its jumps know the angles, and on average not even they."""
    problem = noisy_problem("relaxation:0.1", readout="Z1+0.3*Z2Z3")
    engine, _ = engines(problem)
    theta = random_theta(problem, 0)
    draws = [engine.draw(theta, math.inf, draw_generator(0, i)) for i in range(400)]
    np.testing.assert_allclose([d.value for d in draws], 1.3, atol=1e-12)
    assert np.linalg.norm(draws[0].gradient) > 0.1
    assert_mean([d.gradient for d in draws], 0.0)


def test_one_qubit_relaxes_by_the_closed_form():
    """A hop of angle pi/2 shares one excitation; losing it at rate d from qubit 0: <Z0> = 1 - exp(-s d)."""
    noise = {"relaxation": [{"qubit": 0, "down": 0.3}]}
    problem = eq.Problem(eq.circuits.brickwork(2, 1, interaction="none"), readout="Z0", initial="01", noise=noise)
    engine, exact = engines(problem)
    theta = np.zeros(len(problem.parameters))
    theta[int(np.argmax(np.abs(exact.draw(np.full(theta.size, 1.0), 0.0).gradient)))] = math.pi / 2
    for scale in (0.5, 2.0):
        values = [engine.value(theta, scale, draw_generator(0, i))[0] for i in range(1500)]
        assert np.std(values) > 0.1
        assert_mean(values, 1 - math.exp(-0.3 * scale))


# -- pairs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("noise", "scale"), [("local", 1.0), ("correlated", math.inf), ("down", 1.0), ("parity", 0.3)])
def test_products_of_two_trajectories_are_unbiased_for_squares(noise, scale):
    problem = noisy_problem(NOISES[noise])
    engine, exact = engines(problem)
    theta = random_theta(problem, 2)
    expected = exact.draw(theta, scale)
    pairs = [engine.noisy(theta, [0.0, scale], draw_generator(0, i)) for i in range(700)]
    quiet = exact.draw(theta, 0.0)
    np.testing.assert_allclose(pairs[0][0].gradient_square, quiet.gradient**2, atol=1e-12)
    assert pairs[0][0].value_square == pytest.approx(quiet.value**2, abs=1e-12)
    assert_mean([p[1].gradient_square for p in pairs], expected.gradient**2)
    assert_mean([p[1].gradient_square.sum() for p in pairs], expected.gradient @ expected.gradient)
    assert_mean([p[1].value_square for p in pairs], expected.value**2)
    assert_mean([p[1].square for p in pairs], expected.square)


@pytest.mark.parametrize("noise", DIAGONAL)
def test_what_dephasing_leaves_at_infinity_is_unbiased(noise):
    problem = noisy_problem(NOISES[noise], readout="Z2")
    engine, exact = engines(problem)
    theta = random_theta(problem, 3)
    expected = exact.frozen(theta)
    assert expected > 0.01
    assert_mean([engine.frozen(theta, draw_generator(0, i)) for i in range(700)], expected)


def test_what_relaxation_leaves_at_infinity_is_not_claimed():
    problem = noisy_problem(NOISES["down"])
    engine, _ = engines(problem)
    assert math.isnan(engine.frozen(random_theta(problem, 3), draw_generator(0, 0)))


def test_error_bars_shrink_with_the_root_of_the_trajectories():
    problem = noisy_problem(NOISES["local"])
    theta = random_theta(problem, 0)
    few, many = (eq.expectation(problem, theta, engine="trajectories", trajectories=n, seed=4) for n in (100, 1600))
    # a standard deviation from 100 trajectories is known to about 7 %: 4 sigma
    assert few.standard_error / many.standard_error == pytest.approx(4, rel=0.3)
    exact = eq.expectation(problem, theta, engine="exact")
    assert abs(many.value - exact.value) < SIGMAS * many.standard_error
    # <O^2> - C^2 with the mean's own error taken out; it varies by at most |O|^2 = 4 per trajectory
    assert many.shot_variance == pytest.approx(exact.shot_variance, abs=SIGMAS * 4 / 40)
    gradient = eq.gradient(problem, theta, engine="trajectories", trajectories=1600, seed=4)
    expected = eq.gradient(problem, theta, engine="exact").gradient
    assert (np.abs(gradient.gradient - expected) <= SIGMAS * gradient.standard_error + 1e-12).all()
    assert (gradient.samples, gradient.seed, gradient.engine) == (1600, 4, "trajectories")


# -- one trajectory ------------------------------------------------------------------------------------------------


@pytest.fixture
def recorded(monkeypatch):
    """What the last trajectory met: (layer, charge, factor) or (layer, charge, charge after, source, target)."""
    events = []

    class Recorded(trajectories.Running):
        def scale(self, factor):
            events.append((len(self.path) - 1, self.charge, np.array(factor)))
            super().scale(factor)

        def jump(self, source, target, charge, dimension):
            events.append((len(self.path) - 1, self.charge, charge, np.array(source), np.array(target)))
            super().jump(source, target, charge, dimension)

    monkeypatch.setattr(trajectories, "Running", Recorded)
    return events


def masks(num_qubits, charge):
    return np.array([x for x in range(2**num_qubits) if x.bit_count() == charge])


def replay(problem, theta, events):
    """<psi|O|psi> and <psi|psi> of the unnormalised record, on 2^n amplitudes."""
    n = problem.num_qubits
    psi = np.asarray(problem.initial.statevector())
    for number, u in enumerate(layer_unitaries(problem, theta)):
        psi = u @ psi
        for layer, charge, *rest in events:
            if layer != number:
                continue
            after = np.zeros_like(psi)
            if len(rest) == 1:
                after[masks(n, charge)] = rest[0] * psi[masks(n, charge)]
            else:
                charge_after, source, target = rest
                after[masks(n, charge_after)[target]] = psi[masks(n, charge)[source]]
            psi = after
    return (psi.conj() @ problem.readout.to_matrix() @ psi).real, np.vdot(psi, psi).real


@pytest.mark.parametrize(
    ("noise", "scale"),
    [("down", 8.0), ("down and up", 8.0), ("two-qubit depolarizing", 8.0), ("all together", 1.0), ("local", math.inf)],
)
def test_going_backwards_undoes_the_trajectory(noise, scale, recorded):
    """The gradient of one record is the derivative of its <psi|O|psi> over its norm, however strong its factors."""
    problem = noisy_problem(NOISES[noise])
    engine, _ = engines(problem)
    assert engine.program.cone.qubits == tuple(EACH)
    theta = random_theta(problem, 4)
    smallest, jumps = 1.0, 0
    for i in range(4):
        recorded.clear()
        draw = engine.draw(theta, scale, draw_generator(7, i))
        events = list(recorded)
        value, norm = replay(problem, theta, events)
        assert draw.value == pytest.approx(value / norm, abs=1e-10)
        direction = np.random.default_rng(i).normal(size=theta.size)
        direction /= np.linalg.norm(direction)
        h = 1e-3  # fourth-order differences: h^4 = 1e-12, rounding 1e-16/h
        at = {m: replay(problem, theta + m * h * direction, events)[0] for m in (-2, -1, 1, 2)}
        slope = (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * h) / norm
        # relative to a gradient that a small norm makes large
        assert draw.gradient @ direction == pytest.approx(slope, rel=1e-6, abs=1e-6)
        sizes = [np.abs(rest[0]) for _, _, *rest in events if len(rest) == 1]
        smallest = min(smallest, math.prod(size.min() / size.max() for size in sizes))
        jumps += sum(len(rest) > 1 for _, _, *rest in events)
    if noise.startswith("down"):
        assert smallest < 0.2  # no-jump factors are strong here
    assert (jumps > 0) == (noise != "local")


def test_a_state_is_kept_where_undoing_would_cost_accuracy(recorded):
    """No-jump factors of exp(-10 d) on every filled qubit, slot after slot: dividing by their product leaves noise."""
    problem = noisy_problem({"relaxation": [{"qubit": 0, "down": 1.5}, {"qubit": 3, "down": 1.2}]}, depth=6)
    engine, _ = engines(problem)
    theta = random_theta(problem, 5)
    found = 0
    for i in range(12):
        recorded.clear()
        draw = engine.draw(theta, 20.0, draw_generator(0, i))
        events = list(recorded)
        factors = [rest[0] for _, _, *rest in events if len(rest) == 1]
        if np.prod([np.abs(f).min() / np.abs(f).max() for f in factors]) > 1e-8:
            continue
        found += 1
        norm = replay(problem, theta, events)[1]
        direction = np.random.default_rng(i).normal(size=theta.size) / math.sqrt(theta.size)
        h = 1e-3
        at = {m: replay(problem, theta + m * h * direction, events)[0] for m in (-2, -1, 1, 2)}
        slope = (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * h) / norm
        assert abs(slope) > 1e-4
        assert draw.gradient @ direction == pytest.approx(slope, rel=1e-6)
    assert found > 2


@pytest.mark.parametrize("noise", ["correlated", "all together"])
def test_value_alone_is_the_value_beside_the_gradient(noise):
    problem = noisy_problem(NOISES[noise])
    engine, _ = engines(problem)
    theta = random_theta(problem, 6)
    for i in range(5):
        draw = engine.draw(theta, 1.0, draw_generator(0, i))
        assert engine.value(theta, 1.0, draw_generator(0, i)) == (draw.value, draw.square)
        assert draw.gradient.shape == theta.shape


def test_no_noise_scale_means_no_randomness():
    problem = noisy_problem(NOISES["all together"])
    engine, exact = engines(problem)
    theta = random_theta(problem, 6)
    draw, expected = engine.draw(theta, 0.0, draw_generator(0, 0)), exact.draw(theta, 0.0)
    np.testing.assert_allclose(draw.gradient, expected.gradient, rtol=0, atol=1e-12)
    assert engine.value(theta, 0.0, draw_generator(0, 1)) == pytest.approx((expected.value, expected.square), abs=1e-12)


def test_same_seed_same_numbers_whatever_the_workers():
    def variance(workers, seed=3):
        problem = noisy_problem(NOISES["all together"])
        return eq.gradient_variance(
            problem,
            scales=[0, 0.5, 1],
            sampling=eq.Sampling(samples=12, seed=seed, workers=workers, engine="trajectories"),
        )

    one, two = variance(1), variance(2)
    np.testing.assert_array_equal(one.per_parameter, two.per_parameter)
    assert one.engine == "trajectories"
    assert np.abs(variance(2, seed=4).variance - two.variance).max() > 1e-3
    laws = [
        eq.law(noisy_problem(NOISES["local"]), sampling=eq.Sampling(samples=12, workers=w, engine="trajectories"))
        for w in (1, 2)
    ]
    assert laws[0].kappa == laws[1].kappa
    assert laws[0].fixed_point_share == laws[1].fixed_point_share


# -- noise correlated in time --------------------------------------------------------------------------------------


def covariance_factors(problem):
    """Angles per independent normal at scale 1, from the processes' stated c(k) by Cholesky."""
    out = []
    for process in problem.processes:
        depth = len(problem.layers)
        covariance = np.array([[process.covariance(abs(i - j)) for j in range(depth)] for i in range(depth)])
        row = np.zeros(problem.num_qubits)
        for qubit, weight in process.pairs:
            row[qubit] = weight
        roots = np.linalg.cholesky(covariance + 1e-14 * np.eye(depth)).T
        amplitudes = np.array(process.amplitudes)
        out += [np.outer(amplitudes * column, row) for column in roots if np.abs(column).max() > 1e-5]
    return out


CORRELATED = {
    "static local": [{"rate": 0.1, "correlation": "static"}],
    "static crosstalk": [{"rate": 0.1, "correlation": "static", "weights": {0: 1.0, 1: -0.6, 2: 0.3}}],
    "1/f": [{"rate": 0.1, "correlation": {"1/f": [1, 50]}, "weights": {0: 1.0, 1: -0.6, 2: 0.3}}],
    "over 2 slots": [{"rate": 0.1, "correlation": 2.0, "weights": {0: 0.4, 1: 1.0}}],
}


def correlated_problem(terms, initial="101"):
    options = {"readout": "Z1+0.5*X0X1+0.5*Y0Y1", "initial": initial, "noise": {"dephasing": terms}}
    return eq.Problem(eq.circuits.brickwork(3, 4), **options)


@pytest.mark.parametrize("scale", [0.3, 1.0])
@pytest.mark.parametrize("correlation", CORRELATED)
def test_phases_correlated_in_time_average_to_their_quadrature(correlation, scale):
    problem = correlated_problem(CORRELATED[correlation])
    engine = TrajectoryEngine(compile_problem(problem), 1)
    theta = random_theta(problem, 7)
    factors = covariance_factors(problem)
    # phases of at most 4 sqrt(0.1) xi (1.6): these numbers of nodes leave 1e-6
    nodes = {1: 60, 3: 20, 4: 15}[len(factors)]
    value, gradient = gaussian_average(PhaseTwin(problem, theta), factors, scale, nodes)
    draws = [engine.draw(theta, scale, draw_generator(0, i)) for i in range(800)]
    assert_mean([d.value for d in draws], value, tolerance=1e-5)
    assert_mean([d.gradient for d in draws], gradient, tolerance=1e-5)


def test_correlation_in_time_changes_the_average():
    """The same rate, white: what is measured above is no white dephasing."""
    static = correlated_problem([{"rate": 0.1, "correlation": "static", "weights": {0: 1.0, 1: -0.6, 2: 0.3}}])
    white = correlated_problem([{"rate": 0.1, "weights": {0: 1.0, 1: -0.6, 2: 0.3}}])
    theta = random_theta(static, 7)
    value, gradient = gaussian_average(PhaseTwin(static, theta), covariance_factors(static), 1.0, 60)
    expected = engines(white)[1].draw(theta, 1.0)
    assert np.abs(gradient - expected.gradient).max() > 0.05
    assert abs(value - expected.value) > 1e-3


def test_static_phases_of_the_last_layer_alone_are_white():
    """One slot has nothing to be correlated with."""
    term = {"rate": 0.3, "weights": {0: 1.0, 2: -0.5}, "layers": [1]}
    static, white = (correlated_problem([term | extra]) for extra in ({"correlation": "static"}, {}))
    engine, exact = TrajectoryEngine(compile_problem(static), 1), engines(white)[1]
    theta = random_theta(static, 8)
    draws = [engine.draw(theta, 1.0, draw_generator(0, i)) for i in range(800)]
    assert_mean([d.gradient for d in draws], exact.draw(theta, 1.0).gradient)


@pytest.mark.parametrize("scale", [0.3, 8.0, math.inf])
def test_collective_static_phases_cost_nothing_in_any_trajectory(scale):
    problem = correlated_problem([{"rate": 0.5, "correlation": "static", "weights": "all"}])
    engine = TrajectoryEngine(compile_problem(problem), 1)
    theta = random_theta(problem, 9)
    quiet = engine.draw(theta)
    assert np.linalg.norm(quiet.gradient) > 0.1
    for i in range(4):
        draw = engine.draw(theta, scale, draw_generator(0, i))
        assert draw.value == pytest.approx(quiet.value, abs=1e-9)
        np.testing.assert_allclose(draw.gradient, quiet.gradient, rtol=0, atol=1e-9)


def test_pairs_use_the_same_random_numbers_at_every_scale():
    """At scales that differ by rounding, the pairs do too."""
    problem = noisy_problem(NOISES["all together"])
    engine, _ = engines(problem)
    theta = random_theta(problem, 10)
    near, far = engine.noisy(theta, [1.0, 1.0 + 1e-12], draw_generator(0, 0))
    np.testing.assert_allclose(near.gradient_square, far.gradient_square, rtol=1e-6, atol=1e-9)


def test_odds_of_a_jump_on_one_qubit_depend_on_what_became_of_the_other():
    """(|01> + |10>)/sqrt 2 loses its excitation with p = 0.4, whichever qubit holds it: <Z0 Z1> = -(1 - p) + p."""
    circuit = QuantumCircuit(2)
    circuit.append(XXPlusYYGate(Parameter("a")), [0, 1])
    stated = eq.Problem(circuit, readout="Z0Z1", initial="01", noise={"relaxation": -math.log(0.6)})
    engine = TrajectoryEngine(compile_problem(stated), 1)
    theta = np.array([math.pi / 2])
    values = [engine.value(theta, 1.0, draw_generator(0, i))[0] for i in range(8000)]
    error = np.std(values) / math.sqrt(8000)
    # 4 standard errors are 0.044; odds taken out of turn give -0.142
    assert np.mean(values) == pytest.approx(-0.2, abs=4 * error)
