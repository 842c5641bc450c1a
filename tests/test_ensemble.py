"""Parameter ensembles: the periods of the gates, and draws that depend on the seed alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import RXXGate, RYYGate, XXPlusYYGate

import equinoise as eq
from equinoise.ensemble import Ensemble, periods
from equinoise.errors import ParameterError

PI = math.pi
BRICKS = eq.Problem(eq.circuits.brickwork(4, depth=2, phase=True), readout="Z1", initial="neel", noise="dephasing:0.1")


def period(build):
    """The period of the one parameter of a two-qubit circuit."""
    circuit = QuantumCircuit(2)
    build(circuit, Parameter("a"))
    return periods(eq.Problem(circuit, readout="Z0", initial="01", allow_broken=True))[0]


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda c, a: c.append(XXPlusYYGate(a), [0, 1]), 4 * PI),
        (lambda c, a: c.rz(a, 0), 2 * PI),
        (lambda c, a: c.p(a, 0), 2 * PI),
        (lambda c, a: c.rzz(a, 0, 1), 2 * PI),
        (lambda c, a: c.cp(a, 0, 1), 2 * PI),
        (lambda c, a: c.rx(a, 0), 2 * PI),
        (lambda c, a: c.append(XXPlusYYGate(2 * a), [0, 1]), 2 * PI),
        (lambda c, a: c.rz(2 * a, 0), PI),
        (lambda c, a: c.rzz(-a / 2, 0, 1), 4 * PI),
        (lambda c, a: (c.rz(2 * a, 0), c.rzz(3 * a, 0, 1)), 2 * PI),
        (lambda c, a: (c.rz(a, 0), c.append(XXPlusYYGate(a), [0, 1])), 4 * PI),
        (lambda c, a: c.append(XXPlusYYGate(0.3, a), [0, 1]), 2 * PI),
    ],
    ids=["hopping", "rz", "p", "rzz", "cp", "rx", "2 hopping", "2 rz", "half rzz", "2 and 3", "rz and hopping", "beta"],
)
def test_period_is_two_pi_over_the_common_divisor_of_the_frequencies(build, expected):
    assert period(build) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("size", [1e-13, 3e-10, 1.5e-9, 1e9, 1e15])
@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda c, a: c.rz(a, 0), 2 * PI),
        (lambda c, a: c.append(XXPlusYYGate(a), [0, 1]), 4 * PI),
        (lambda c, a: (c.rz(2 * a, 0), c.rzz(3 * a, 0, 1)), 2 * PI),
        (lambda c, a: (c.rz(0.1 * a, 0), c.rzz(0.3 * a, 0, 1)), 20 * PI),
        (lambda c, a: (c.rz(a, 0), c.rzz(math.sqrt(2) * a, 0, 1)), 2 * PI),
    ],
    ids=["rz", "hopping", "2 and 3", "tenths", "no divisor"],
)
def test_a_period_is_inversely_proportional_to_the_angles_coefficient_whatever_its_size(build, expected, size):
    """Frequencies were rounded to 1e-9: another period for 1.5e-9, a division by zero for 3e-10."""
    assert size * period(lambda c, a: build(c, size * a)) == pytest.approx(expected, rel=1e-9)


def test_a_slow_and_a_fast_rotation_by_one_parameter_repeat_with_the_slow_one():
    assert period(lambda c, a: (c.rz(1e9 * a, 0), c.rzz(a, 0, 1))) == pytest.approx(2 * PI, rel=1e-9)
    assert period(lambda c, a: (c.rz(1e-9 * a, 0), c.rzz(a, 0, 1))) == pytest.approx(2e9 * PI, rel=1e-6)


@pytest.mark.parametrize("size", [3e-10, 1e9])
def test_a_parameters_unit_changes_neither_kappa_nor_its_proof(size):
    circuit = eq.circuits.brickwork(4, depth=2)
    scaled = circuit.assign_parameters({p: size * Parameter(f"s{k:02d}") for k, p in enumerate(circuit.parameters)})
    one, two = (
        eq.law(eq.Problem(c, "Z1", "neel", "dephasing:0.1"), sampling=eq.Sampling(samples=16))
        for c in (circuit, scaled)
    )
    assert one.certificate.proved
    assert two.certificate.proved
    # 16 draws of the same shares of the periods
    assert two.kappa == pytest.approx(one.kappa, rel=1e-6)
    assert two.variance == pytest.approx(size**2 * one.variance, rel=1e-6)


def test_frequencies_without_common_divisor_take_the_slowest():
    assert period(lambda c, a: (c.rz(a, 0), c.rzz(math.sqrt(2) * a, 0, 1))) == pytest.approx(2 * PI, rel=1e-6)


def test_rxx_and_ryy_of_one_angle_repeat_together():
    """Each alone has 2 pi; so has their product, which is XX+YY of twice the angle."""
    assert period(lambda c, a: (c.append(RXXGate(a), [0, 1]), c.append(RYYGate(a), [0, 1]))) == pytest.approx(2 * PI)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**20))
def test_expectation_has_the_periods(seed):
    """And not half of them, for hopping seen by a coherence."""
    theta = np.random.default_rng(seed).uniform(-3, 3, len(BRICKS.parameters))
    shift = periods(BRICKS) * np.random.default_rng(seed + 1).integers(-2, 3, theta.size)
    # cosines of angles up to about 30: rounding of order 1e-14
    assert eq.expectation(BRICKS, theta + shift).value == pytest.approx(eq.expectation(BRICKS, theta).value, abs=1e-12)


def test_half_the_period_of_hopping_is_not_a_period():
    """exp(-i pi (XX+YY)/2) changes the sign of a coherence between its pair and a third qubit."""
    theta = ParameterVector("t", 3)
    circuit = QuantumCircuit(3)
    circuit.append(XXPlusYYGate(theta[0]), [0, 1])
    circuit.append(XXPlusYYGate(theta[1]), [1, 2])
    circuit.append(XXPlusYYGate(theta[2]), [0, 1])
    problem = eq.Problem(circuit, readout="X0Y1-Y0X1+X0X1+Y0Y1", initial="001")
    base = np.array([0.9, 0.4, 0.3])
    values = [eq.expectation(problem, base + np.array([0, shift, 0])).value for shift in (0, 2 * PI, 4 * PI)]
    assert abs(values[1] - values[0]) > 0.1
    assert values[2] == pytest.approx(values[0], abs=1e-12)


@pytest.mark.parametrize("text", [None, "uniform", "normal:0.2"])
def test_same_seed_gives_the_same_draws_and_more_samples_continue_them(text):
    ensemble = Ensemble.of(text)
    few, many, other = (ensemble.draw(BRICKS, count, seed) for count, seed in ((3, 7), (8, 7), (3, 8)))
    np.testing.assert_array_equal(few, many[:3])
    assert len(np.unique(many[:, 0])) == 8
    assert np.abs(few - other).max() > 1e-3


def test_uniform_draws_fill_the_period():
    draws = Ensemble.of(None).draw(BRICKS, 400, 0) / periods(BRICKS)
    assert draws.min() >= 0
    assert draws.max() <= 1
    # mean and mean square of uniform draws, 400 x 19 of them: 4 standard errors
    assert draws.mean() == pytest.approx(0.5, abs=4 * math.sqrt(1 / 12 / draws.size))
    assert (draws**2).mean() == pytest.approx(1 / 3, abs=4 * math.sqrt(4 / 45 / draws.size))


def test_normal_draws_have_the_width():
    draws = Ensemble.of("normal:0.2").draw(BRICKS, 400, 0)
    # standard error of a standard deviation: width/sqrt(2 N)
    assert draws.std() == pytest.approx(0.2, abs=4 * 0.2 / math.sqrt(2 * draws.size))
    assert draws.mean() == pytest.approx(0, abs=4 * 0.2 / math.sqrt(draws.size))


def test_given_values_are_the_draws():
    thetas = np.linspace(0, 1, 3 * len(BRICKS.parameters)).reshape(3, -1)
    ensemble = Ensemble.of(thetas)
    np.testing.assert_array_equal(ensemble.draw(BRICKS, 999, 5), thetas)
    assert ensemble.describe() == "given parameter values"
    assert Ensemble.of(ensemble) is ensemble
    assert Ensemble.of(thetas[0]).thetas.shape == (1, thetas.shape[1])
    with pytest.raises(ValueError, match="read-only"):
        ensemble.thetas[0, 0] = 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("gaussian", "cannot read the ensemble 'gaussian'. Expected 'uniform', 'uniform:WIDTH' \\(over"),
        ("normal", "cannot read the ensemble 'normal'"),
        ("normal:0", "width in radians, 0 < width <= 1000"),
        ("normal:-1", "cannot read the ensemble"),
        ("normal:nan", "cannot read the ensemble"),
        ("normal:inf", "cannot read the ensemble"),
        ([[0.1, math.nan]], "must be finite numbers of shape"),
        (np.zeros((2, 3, 4)), "must be finite numbers of shape"),
    ],
)
def test_malformed_ensembles_are_refused(value, text):
    with pytest.raises(ParameterError, match=text):
        Ensemble.of(value)


def test_wrong_number_of_columns_and_no_samples_are_refused():
    with pytest.raises(ParameterError, match="given parameter values have 2 columns; the circuit has"):
        eq.gradient_variance(BRICKS, sampling=eq.Sampling(ensemble=[[0.1, 0.2]]))
    for samples in (0, -3):
        with pytest.raises(ParameterError, match=f"samples must be a whole number >= 1, got {samples}"):
            eq.Sampling(samples=samples)


# -- boxes, groups, points ---------------------------------------------------------------------------------------------


def test_a_box_is_uniform_between_its_walls_and_a_half_is_half_a_wall():
    thetas = Ensemble.of("uniform:0.05").draw(BRICKS, 400, 3)
    assert np.abs(thetas).max() <= 0.05
    # the mean square of U[-a, a] is a^2/3, known to 0.9/sqrt(count) of itself
    assert np.mean(thetas**2) == pytest.approx(0.05**2 / 3, rel=4 * 0.9 / math.sqrt(thetas.size))


def test_draws_around_a_point_are_the_draws_around_zero_moved_there():
    point = np.linspace(-1, 1, len(BRICKS.parameters))
    for kind in ("uniform:0.1", "normal:0.1", "uniform"):
        moved = Ensemble.of(kind, around=point).draw(BRICKS, 5, 0)
        np.testing.assert_allclose(moved - point, Ensemble.of(kind).draw(BRICKS, 5, 0), atol=1e-15)


def test_groups_of_parameters_are_drawn_each_in_its_own_way():
    circuit = QuantumCircuit(3)
    hop, turn = ParameterVector("hop", 2), ParameterVector("turn", 3)
    for k in range(2):
        circuit.append(XXPlusYYGate(hop[k]), [k, k + 1])
    for k in range(3):
        circuit.rz(turn[k], k)
    problem = eq.Problem(circuit, "Z1", "010")
    prior = Ensemble.of({"hop": "uniform:0.2", "turn[1]": 0.7, "*": "normal:0.01"})
    thetas = prior.draw(problem, 50, 0)
    named = dict(zip([p.name for p in problem.parameters], thetas.T, strict=True))
    assert 0.1 < np.abs(named["hop[0]"]).max() <= 0.2
    assert set(named["turn[1]"]) == {0.7}
    assert 0.005 < named["turn[2]"].std() < 0.02
    assert (
        prior.describe()
        == "hop: uniform over [-0.2, 0.2] rad; turn[1]: given parameter values; *: normal, width " + ("0.01 rad")
    )


def test_no_bounds_are_claimed_for_a_box_or_for_groups():
    assert eq.law(BRICKS, sampling=eq.Sampling(samples=4)).certificate.proved
    for prior in ("uniform:0.05", {"*": "uniform:0.05"}):
        found = eq.law(BRICKS, sampling=eq.Sampling(samples=4, ensemble=prior)).certificate
        assert not found.proved
        assert "not uniform" in found.reason


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("uniform:0", "cannot read the ensemble 'uniform:0'"),
        ({"nothing": "uniform"}, "the prior names 'nothing', and no parameter is left of that name"),
        ({BRICKS.parameters[0].name: 0.1}, "the prior says nothing of the parameter"),
        ({"*": [[0.1, 0.2]]}, "gives 2 values for 17 parameters"),
    ],
)
def test_malformed_priors_are_refused(value, text):
    with pytest.raises(ParameterError, match=text):
        Ensemble.of(value).draw(BRICKS, 2, 0)


def test_a_point_of_another_length_is_refused():
    with pytest.raises(ParameterError, match="the point that parameters are drawn around has 3 values"):
        Ensemble.of("normal:0.1", around=[0.1, 0.2, 0.3]).draw(BRICKS, 2, 0)
    with pytest.raises(ParameterError, match="the point to draw parameters around must be finite numbers"):
        Ensemble.of("normal:0.1", around=[math.nan])


@pytest.mark.parametrize(
    ("stated", "plain"),
    [
        (None, "uniform"),
        ("uniform:0.05", "uniform:0.05"),
        ("normal:0.1", "normal:0.1"),
        ({"hop": "uniform", "*": "normal:0.1"}, {"hop": "uniform", "*": "normal:0.1"}),
    ],
)
def test_an_ensemble_is_told_as_it_was_stated(stated, plain):
    assert Ensemble.of(stated).plain() == plain
    moved = Ensemble.of(stated, around=[0.1, 0.2]).plain()
    assert moved["prior"] == plain
    assert moved != Ensemble.of(stated, around=[0.1, 0.3]).plain()
