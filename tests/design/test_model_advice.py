"""Advice on a model: each gain is that of models stated afresh, and shares of shots are the best there are."""

from __future__ import annotations

import math

import numpy as np
import pytest

import equinoise as eq
from equinoise.diagnosis.loss.loss_diagnosis import diagnose_loss
from equinoise.diagnosis.loss.loss_shots import LossShotNoise
from equinoise.engines.model_sweeps import ModelSweeps
from equinoise.errors import CircuitError, ParameterError, UnsupportedError
from model_twin import build

FEW = eq.Sampling(samples=6, seed=1)


def of(down, **more):
    circuit = eq.circuits.brickwork(4, depth=2, shared=True)
    noise = {"relaxation": [{"qubit": q, "down": rate} for q, rate in enumerate(down)]}
    stated = {"labels": [[0.5, 0.1]], "loss": "mse", "initial": "neel", "prior": "normal:0.7"} | more
    return eq.Model(circuit, ["Z1", "Z2"], noise=noise, **stated)


def signal(model):
    """sqrt(V_loss/noise) of one shot, by the diagnosis."""
    found = diagnose_loss(model, shots=1, sampling=FEW)
    return math.sqrt(found.law.points[0].variance / found.model.trained.size) / found.resources.resolved_rms


def test_the_gain_of_a_better_qubit_is_that_of_the_model_stated_with_it():
    rates = [0.02, 0.3, 0.05, 0.02]
    found = eq.advise(of(rates), sampling=FEW)
    assert found.baseline == pytest.approx(signal(of(rates)), rel=1e-10)
    every = (*found.suggestions, *found.useless)
    best = next(one for one in every if one.change.startswith("half the relaxation of qubit 2"))
    rates[2] /= 2
    assert best.gain == pytest.approx(signal(of(rates)) / found.baseline, rel=1e-10)
    assert best.interval[0] < best.gain < best.interval[1]


def test_shares_of_the_readouts_are_better_than_any_other_shares():
    """Against a scan over shares of a fixed number of shots in all."""
    model = of([0.05] * 4, scale=[3.0, 0.5])
    found = eq.advise(model, sampling=FEW)
    (told,) = [one for one in found.suggestions if "shared" in one.change]
    parts = np.mean(
        [LossShotNoise(ModelSweeps(model)).by_readout(theta, 1.0, np.arange(1)) for theta in model.sampled(FEW)], axis=0
    )
    shares = np.linspace(1e-3, 1 - 1e-3, 4001)
    noise = parts[0] / (2 * shares) + parts[1] / (2 * (1 - shares))
    assert told.gain == pytest.approx(math.sqrt(parts.sum() / noise.min()), rel=1e-6)


def test_weights_without_gradient_get_no_shots():
    circuit = eq.circuits.brickwork(4, depth=2)
    seen = [p.name for p in circuit.parameters][:6]
    model = eq.Model(circuit, "Z1", initial="neel", noise="dephasing:0.05", trained=seen)
    found = eq.advise(model, sampling=FEW)
    worth = diagnose_loss(model, sampling=FEW).noisy_per_weight > 1e-6
    (told,) = [one for one in (*found.suggestions, *found.useless) if "no shots on" in one.change]
    assert f"no shots on {int((~worth).sum())} of 6" in told.change


def test_what_advice_leaves_out_of_a_model_is_said():
    found = eq.advise(build("re-uploading", "dephasing", "mean"), sampling=FEW)
    kinds = [kind for kind, _ in found.left_out]
    assert {"readout", "depth", "verification", "decoupling", "layout"} <= set(kinds)
    with pytest.raises(UnsupportedError, match="advise takes no engine"):
        eq.advise(build("re-uploading", "dephasing", "mean"), sampling=eq.Sampling(engine="exact"))
    with pytest.raises(ParameterError, match="at least 2"):
        eq.advise(build("re-uploading", "dephasing", "mean"), sampling=eq.Sampling(samples=1))


def test_a_model_takes_no_problem_of_other_parameters():
    model = build("re-uploading", "dephasing", "mean")
    with pytest.raises(CircuitError, match="other parameters than the model's"):
        model.with_problem(eq.Problem(eq.circuits.brickwork(3, depth=1), "Z0", initial="010"))


def test_a_model_under_another_noise_is_the_model_made_with_it():
    one, other = (build("re-uploading", noise, "mean") for noise in ("dephasing", "relaxation"))
    theta = one.draw(1, 0)[0]
    changed = one.with_noise("relaxation:down=0.05,up=0.01")
    assert eq.gradient(changed, theta).gradient == pytest.approx(eq.gradient(other, theta).gradient, abs=1e-14)
    assert changed.problem.noise.name == other.problem.noise.name
