"""The diagnosis of a model: its numbers are the law's, and its shots are those that independent means say."""

from __future__ import annotations

import math

import numpy as np
import pytest

import equinoise as eq
from equinoise.diagnosis.loss.loss_diagnosis import diagnose_loss
from equinoise.errors import ParameterError
from model_twin import LOSSES, build, stated


def test_gradients_are_those_of_the_loss_at_the_drawn_weights():
    options, readouts, _ = LOSSES["cross-entropy"]
    model = build("re-uploading", "relaxation", readouts=readouts, **options)
    found = diagnose_loss(model, scale=2.0, sampling=eq.Sampling(samples=6))
    gradients = [[eq.loss_gradient(model, theta, s).gradient for theta in model.draw(6, 0)] for s in (0.0, 2.0)]
    clean, noisy = np.sqrt(np.mean(np.square(gradients), axis=1))
    np.testing.assert_allclose(found.noiseless_per_weight, clean, rtol=1e-12)
    np.testing.assert_allclose(found.noisy_per_weight, noisy, rtol=1e-12)
    assert found.noisy_rms.value == pytest.approx(math.sqrt(np.mean(noisy**2)), rel=1e-12)


def test_shots_of_one_row_and_a_linear_loss_are_those_of_its_problem():
    """By the problem's own diagnosis at fixed angles: V is sum_k g_k^2, and each gate is shifted by itself."""
    circuit = eq.circuits.brickwork(4, depth=2, shared=True)
    theta = np.linspace(0.3, 1.2, len(circuit.parameters))
    model = eq.Model(circuit, "Z1", initial="neel", noise="dephasing:0.05", prior=[theta])
    found = diagnose_loss(model, shots=1000, sampling=eq.Sampling(samples=1)).resources
    problem = eq.Problem(circuit, "Z1", "neel", "dephasing:0.05")
    variance = eq.expectation(problem, theta).shot_variance
    gradient = eq.gradient(problem, theta).gradient
    from equinoise.reduction.program import compile_problem
    from equinoise.reduction.shift_rules import shift_costs

    costs = shift_costs(compile_problem(problem))
    assert found.shots_per_row == pytest.approx(variance * costs.total / np.sum(gradient**2), rel=1e-12)
    assert found.evaluations == costs.evaluations.sum()
    assert found.resolved_rms == pytest.approx(math.sqrt(variance * costs.total / 1000 / len(theta)), rel=1e-12)
    assert found.shots_in_all == pytest.approx(found.shots_per_row * found.evaluations, rel=1e-12)


def test_slopes_scale_signal_and_noise_alike_and_rows_average():
    circuit, x, _ = stated("products of inputs")
    options = {"inputs": x, "initial": "010", "noise": "dephasing:0.05", "prior": [[0.3, 0.6, 0.9, 1.2]]}
    row = [[0.3, 0.7]]
    one, steep, twice = (
        diagnose_loss(model, sampling=eq.Sampling(samples=1)).resources
        for model in (
            eq.Model(circuit, "Z1", data=row * rows, scale=scale, **options)
            for rows, scale in ((1, 1.0), (1, 3.0), (2, 1.0))
        )
    )
    assert steep.shots_per_row == pytest.approx(one.shots_per_row, rel=1e-12)
    # two equal rows measured independently halve the variance of the mean, with as many shots in all
    assert twice.shots_per_row == pytest.approx(one.shots_per_row / 2, rel=1e-12)
    assert twice.shots_in_all == pytest.approx(one.shots_in_all, rel=1e-12)


def test_a_model_that_noise_kills_is_noise_limited_and_says_so():
    circuit = eq.circuits.brickwork(4, depth=3, shared=True)
    found = diagnose_loss(
        eq.Model(circuit, "Z1", initial="neel", noise="depolarizing:3"), sampling=eq.Sampling(samples=32)
    )
    assert found.verdict.word == "noise-limited"
    text = str(found)
    for part in ("noise-limited: noise leaves", "kappa", "(residual)", "readout Z1", "shots"):
        assert part in text


def test_shots_that_are_no_whole_number_are_refused():
    with pytest.raises(ParameterError, match="shots must be a whole number"):
        diagnose_loss(build("re-uploading", "dephasing", "mean"), shots=0)
