"""Loss gradients from trajectories: unbiased within their own error bars, and what bias remains is told."""

from __future__ import annotations

import numpy as np
import pytest

import equinoise as eq
from equinoise.errors import UnsupportedError
from model_twin import LOSSES, build


def paths(samples, **more):
    return eq.Sampling(samples, engine="trajectories", **more)


@pytest.mark.parametrize("loss", ["mean", "mse", "logistic", "cross-entropy"])
@pytest.mark.parametrize("noise", ["dephasing", "relaxation", "depolarizing"])
def test_a_sampled_gradient_is_the_exact_one_within_its_error(noise, loss):
    options, readouts, _ = LOSSES[loss]
    model = build("re-uploading", noise, readouts=readouts, **options)
    theta = model.draw(1, 5)[0]
    exact = eq.loss_gradient(model, theta, 2.0, sampling=eq.Sampling(engine="exact"))
    found = eq.loss_gradient(model, theta, 2.0, sampling=paths(400))
    apart = np.abs(found.gradient - exact.gradient)
    assert (apart <= 4 * found.standard_error + 1e-12).all()  # fixed seed
    assert (found.standard_error <= 0.2 * np.abs(exact.gradient).max()).all()
    assert np.abs(found.predictions - exact.predictions).max() < 0.2
    if loss in ("mean", "mse"):
        np.testing.assert_allclose(found.bias, 0, atol=1e-12)


def at_its_minimum(noise, readouts, **more):
    """A model whose labels are its own noisy predictions at scale 3: the gradient there is exactly 0."""
    theta = build("products of inputs", noise, "mean").draw(1, 5)[0]
    plain = build("products of inputs", noise, "mean", readouts=readouts, **more)
    labels = eq.loss_gradient(plain, theta, 3.0).predictions
    return build("products of inputs", noise, "mse", readouts=readouts, labels=labels, **more), theta


@pytest.mark.slow
def test_at_the_minimum_the_error_told_is_the_spread_over_seeds_and_shrinks_as_the_root_of_the_paths():
    """There the error comes through the loss's slope alone; the paths' own gradients are multiplied by 0."""
    model, theta = at_its_minimum("dephasing", "Z1", data=[[0.3, -0.8]])
    few = [eq.loss_gradient(model, theta, 3.0, sampling=paths(64, seed=s)) for s in range(60)]
    spread = np.std([f.gradient for f in few], axis=0, ddof=1)
    told = np.sqrt(np.mean([f.standard_error**2 for f in few], axis=0))
    np.testing.assert_allclose(told, spread, rtol=4 / np.sqrt(2 * 59))
    many = eq.loss_gradient(model, theta, 3.0, sampling=paths(1024))
    np.testing.assert_allclose(many.standard_error, told / 4, rtol=0.4)


@pytest.mark.slow
def test_values_and_gradients_of_the_same_paths_never_meet():
    """At the minimum a slope and a gradient from one path would average to their covariance; from two, to 0."""
    model, theta = at_its_minimum("depolarizing", "Z1", data=[[0.3, -0.8]])
    few = [eq.loss_gradient(model, theta, 3.0, sampling=paths(8, seed=s)).gradient for s in range(400)]
    error = np.std(few, axis=0, ddof=1) / np.sqrt(len(few))
    assert (np.abs(np.mean(few, axis=0)) < 4 * error + 1e-12).all()


@pytest.mark.slow
def test_the_bias_told_is_the_mean_distance_from_the_exact_gradient():
    """Eight paths a row and a steep loss: the bias is seen above the error of 300 repetitions."""
    model = build(
        "products of inputs", "depolarizing", "logistic", readouts="Z1", labels=[0, 1, 0], scale=6.0, bias=-1.0
    )
    theta = model.draw(1, 5)[0]
    exact = eq.loss_gradient(model, theta, 3.0, sampling=eq.Sampling(engine="exact"))
    few = [eq.loss_gradient(model, theta, 3.0, sampling=paths(8, seed=s, workers=1)) for s in range(300)]
    off = np.mean([f.gradient for f in few], axis=0) - exact.gradient
    error = np.std([f.gradient for f in few], axis=0, ddof=1) / np.sqrt(len(few))
    told = np.mean([f.bias for f in few], axis=0)
    worst = int(np.argmax(np.abs(told) / error))
    assert np.abs(off - told)[worst] < 4 * error[worst]
    assert np.abs(told / error)[worst] > 2


def test_the_same_seed_gives_the_same_numbers_whatever_the_workers():
    model = build("re-uploading", "relaxation", "mean")
    theta = model.draw(1, 0)[0]
    one, two = (eq.loss_gradient(model, theta, sampling=paths(16, workers=n)) for n in (1, 2))
    assert one.gradient.tolist() == two.gradient.tolist()
    assert one.engine == "trajectories"
    assert one.samples == 16


def test_engines_that_no_model_has_and_too_few_paths_are_refused():
    model = build("re-uploading", "dephasing", "mean")
    with pytest.raises(UnsupportedError, match="a model takes no engine 'replica': it serves auto or exact or traj"):
        eq.loss_gradient(model, [0.1] * 4, sampling=eq.Sampling(engine="replica"))
    with pytest.raises(UnsupportedError, match="at least 8 trajectories a row, got 4"):
        eq.loss_gradient(model, [0.1] * 4, sampling=paths(4))
