"""V_loss and V_pred: the law's where both are exact, and from trajectories within their own intervals."""

from __future__ import annotations

import numpy as np
import pytest

import equinoise as eq
from model_twin import LOSSES, build


def test_exact_variances_are_those_of_the_law():
    options, readouts, _ = LOSSES["cross-entropy"]
    model = build("re-uploading", "relaxation", readouts=readouts, **options)
    one, two = (
        eq.loss_law(model, scales=[0.5, 2], sampling=eq.Sampling(samples=5)),
        eq.loss_variance(model, [0.5, 2], sampling=eq.Sampling(samples=5)),
    )
    assert two.engine == "exact"
    assert two.variance == pytest.approx(one.variance, rel=1e-12)
    assert two.prediction_variance == pytest.approx(one.prediction_variance, rel=1e-12)
    for a, b in zip(one.points, two.points, strict=True):
        assert b.survival.value == pytest.approx(a.survival.value, rel=1e-12)
        assert b.direction.value == pytest.approx(a.direction.value, rel=1e-12)
        assert b.prediction_survival.value == pytest.approx(a.prediction_survival.value, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
def test_trajectories_give_the_exact_variances_within_their_spread(loss):
    """The same draws of the weights, so that only paths differ; their spread from repetitions with other seeds."""
    options, readouts, _ = LOSSES[loss]
    thetas = build("re-uploading", "depolarizing", readouts=readouts, **options).draw(6, 0)
    model = build("re-uploading", "depolarizing", readouts=readouts, prior=thetas, **options)
    exact = eq.loss_variance(model, [3.0], sampling=eq.Sampling(engine="exact")).points[0]
    found = [
        eq.loss_variance(model, [3.0], paths=24, sampling=eq.Sampling(engine="trajectories", seed=s)).points[0]
        for s in range(8)
    ]
    for name in ("variance", "prediction_variance"):
        values = np.array([getattr(f, name) for f in found])
        error = values.std(ddof=1) / np.sqrt(len(values))
        assert abs(values.mean() - getattr(exact, name)) < 4 * error
        assert error < 0.1 * getattr(exact, name)


def test_without_noise_paths_are_all_alike_and_exact():
    options, readouts, _ = LOSSES["logistic"]
    model = build("products of inputs", "dephasing", readouts=readouts, initial="010", **options)
    one, two = (
        eq.loss_variance(model, [0.0], paths=8, sampling=eq.Sampling(samples=3, engine=e))
        for e in ("exact", "trajectories")
    )
    assert two.variance == pytest.approx(one.variance, rel=1e-10)
    assert two.points[0].direction.value == pytest.approx(1, abs=1e-12)
    assert "biased by O(1/trajectories)" in two.approximations[-1]
