"""The authors' circuit and draws, against a dense simulation by Kraus operators and single published numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from equinoise.evidence.frame.rows import Rows
from equinoise.evidence.published.depth_sweep import Sweep, swept
from equinoise.evidence.published.kraus_channels import CHANNELS, kraus_channel
from equinoise.evidence.published.responses import gradients, response
from equinoise.evidence.published.ring import Ring, crossed_draws, nested_draws, unstructured
from published_twin import ring_value, shifted, unstructured_value


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize(
    ("ring", "layer", "qubit"),
    [
        (Ring(4, 3), 1, 0),
        (Ring(4, 3, excitations=2, spread=True), 1, 1),
        (Ring(4, 3, background=1, closed=False), 2, 1),
    ],
)
def test_gradients_are_those_of_a_dense_simulation_by_kraus_operators(name, ring, layer, qubit):
    rng = np.random.default_rng(5)
    theta, x = rng.uniform(-0.5, 0.5, (3, 4)), rng.uniform(-np.pi, np.pi, 4)
    beta = np.random.default_rng(ring.background).uniform(-0.5, 0.5, (3, 4))
    draws = crossed_draws(ring, [theta], [x])

    def value(t):
        return ring_value(t, beta, x, name, 0.07, r=ring.excitations, closed=ring.closed, spread=ring.spread)

    ours = gradients(ring.problem(kraus_channel(name, 4).noise(0.07)), draws, ring.parameter(layer, qubit))[0]
    theirs = shifted(value, theta, layer, qubit)
    assert abs(theirs) > 1e-4
    assert math.isclose(ours, theirs, rel_tol=1e-9)


@pytest.mark.parametrize("name", ["amp_damp", "depol", "dephase"])
def test_the_ansatz_without_symmetry_is_that_of_a_dense_simulation(name):
    theta = np.random.default_rng(3).uniform(-0.5, 0.5, (3, 4))
    problem = unstructured(4, 3, kraus_channel(name, 4).noise(0.07))
    ours = gradients(problem, theta.reshape(1, -1))[0].reshape(3, 4)
    theirs = [
        [shifted(lambda t: unstructured_value(t, name, 0.07), theta, layer, q) for q in range(4)] for layer in range(3)
    ]
    assert np.allclose(ours, theirs, rtol=0, atol=1e-12)


def test_the_noiseless_second_moment_is_the_published_one():
    ring = Ring(8, 3)
    thetas = nested_draws(ring, 42, 50, 5, 0.05)
    found = gradients(ring.problem(), thetas, ring.parameter(1, 0), 0.0) ** 2
    assert len(found) == 50
    # phase_baselines.csv, L = 3, teacher seed 42
    assert math.isclose(found.mean(), 0.00011674744539252843, rel_tol=1e-9)


@pytest.mark.parametrize(
    ("channel", "published"),
    # pooled_with_baselines.csv, L = 3, gamma L = 0.3
    [("amp_damp", 0.6321630939), ("depol", 3.7324698240), ("dephase", 1.7851484105)],
)
def test_single_settings_are_the_published_ones(channel, published):
    ring = Ring(8, 3)
    thetas = nested_draws(ring, 42, 50, 5, 0.05)
    row = {"gL": 0.3, "gamma": 0.1, "D_M": published, "m2_mean": 0.0}
    (found,) = swept(Sweep("1", ring, channel, (1, 0), thetas, Rows([row])))
    assert math.isclose(found["exact"], published, rel_tol=1e-9)
    assert math.isclose(found["first_order"], 0.2 * found["kappa"])
    assert math.isclose(found["kappa"], {"amp_damp": 3, "depol": 56 / 3, "dephase": 8}[channel], rel_tol=1e-9)


def test_data_are_a_global_phase_of_a_basis_state_and_not_of_a_superposition():
    one, many = Ring(4, 3), Ring(4, 3, excitations=2, spread=True)
    assert nested_draws(one, 1, 3, 2, 0.05).shape == (3, 12)
    assert nested_draws(many, 1, 3, 2, 0.05).shape == (6, 12)
    moved = nested_draws(many, 1, 1, 2, 0.05)
    assert np.array_equal(moved[0, 4:], moved[1, 4:])
    k = many.parameter(1, 1)
    first, second = gradients(many.problem(), moved, k, 0.0)
    assert abs(first - second) > 1e-4
    shift = np.concatenate([np.random.default_rng(0).uniform(-3, 3, 4), np.zeros(8)])
    plain, turned = gradients(one.problem(), np.stack([moved[0], moved[0] + shift]), one.parameter(1, 0), 0.0)
    assert math.isclose(plain, turned, rel_tol=1e-9)


def test_mean_median_and_mean_of_ratios_are_three_estimators():
    without, noisy = np.array([1.0, 2.0, 9.0]), np.array([0.5, 1.0, 1.0])
    assert math.isclose(response(without, noisy), math.log(12 / 2.5))
    assert math.isclose(response(without, noisy, "median"), math.log(2))
    assert math.isclose(response(without, noisy, "mean of ratios"), -math.log((0.5 + 0.5 + 1 / 9) / 3))
