"""Class values and loss gradients: whole-circuit engine, full-space twin, finite differences, shots."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.quantum_info import SparsePauliOp

import slow_twin as reference
from equinoise.engines.sector.exact import ExactEngine
from equinoise.errors import NoiseError
from equinoise.learn.classifier_circuit import ClassifierCircuit, Design
from equinoise.learn.training import Weights, loss_and_gradient
from equinoise.noise.model import NoiseModel

NOISE = "relaxation:down=0.07+dephasing:0.05"
RNG = np.random.default_rng(5)
VECTORS = RNG.normal(size=(4, 5))
LABELS = np.array([0, 1, 1, 0])


def built(**options):
    stated = {"depth": 3, "noise": NOISE, "interaction": "rzz", **options}
    model = ClassifierCircuit(Design(5, 2, **stated), workers=2)
    weights = Weights(np.random.default_rng(6).normal(size=model.trained.size), np.array([0.7]), np.array([0.1, -0.2]))
    return model, weights


def moved(weights, number, k, step):
    arrays = [a.copy() for a in weights.arrays]
    arrays[number][k] += step
    return Weights(*arrays)


@pytest.mark.parametrize("excitations", [1, 2])
@pytest.mark.parametrize("verified", [False, True])
def test_gradient_of_the_loss_is_its_difference_quotient(excitations, verified):
    model, weights = built(excitations=excitations, verified=verified)
    states = model.loaded(VECTORS)
    _, _, gradient = loss_and_gradient(model, weights, states, LABELS)
    step = 1e-5
    for number, k in [(0, 0), (0, 4), (0, model.trained.size - 6), (1, 0), (2, 1)]:
        ahead, behind = (
            loss_and_gradient(model, moved(weights, number, k, d), states, LABELS)[0] for d in (step, -step)
        )
        # central difference: error step^2
        assert gradient[number][k] == pytest.approx((ahead - behind) / (2 * step), abs=1e-8)


@pytest.mark.parametrize("excitations", [1, 2])
def test_values_and_gradients_are_those_of_the_whole_circuit_in_the_full_space(excitations):
    model, weights = built(excitations=excitations, depth=2)
    states = model.loaded(VECTORS[:1])
    observed = model.expectations(weights.angles, states)
    counts = [
        SparsePauliOp.from_sparse_list(
            [("Z", [q], -0.5) for q in range(c, 5, 2)] + [("", [], len(range(c, 5, 2)) / 2)], num_qubits=5
        )
        for c in range(2)
    ]
    theta = model._theta(weights.angles, model.loader.angles(VECTORS[:1])[0])
    for c, count in enumerate(counts):
        alone = model.problem.with_readout(count)
        assert observed[0, c] == pytest.approx(reference.value(alone, theta, 1.0), abs=1e-12)
        slow = reference.gradient(alone, theta, 1.0)[model.trained]
        fast = model.gradient(weights.angles, states, np.eye(2)[[c]])
        np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-12)


def test_one_sweep_per_class_equals_one_sweep_per_sample():
    model, weights = built()
    states = model.loaded(VECTORS)
    mixed = model.gradient(weights.angles, states, np.tile([0.3, -1.1], (4, 1)))
    engine = ExactEngine(model.program, workers=1)
    each = [
        engine.value_and_pullback(
            model._theta(weights.angles, angles), 1.0, model.observables, lambda _: np.array([0.3, -1.1])
        )[1][model.trained]
        for angles in model.loader.angles(VECTORS)
    ]
    np.testing.assert_allclose(mixed, np.sum(each, axis=0), rtol=0, atol=1e-13)


def test_post_selection_under_uniform_damping_gives_the_noiseless_values_back():
    noisy, weights = built(noise="relaxation:down=0.2", verified=True)
    bare, _ = built(noise=None)
    found = noisy.class_values(noisy.expectations(weights.angles, noisy.loaded(VECTORS)))
    # every layer multiplies the one-excitation block by the same number
    np.testing.assert_allclose(
        found, bare.class_values(bare.expectations(weights.angles, bare.loaded(VECTORS))), atol=1e-13
    )


@pytest.mark.parametrize("verified", [False, True])
def test_outcomes_are_a_distribution_with_the_observables_as_means(verified):
    model, weights = built(excitations=2, verified=verified)
    states = model.loaded(VECTORS)
    p = model.expectations(weights.angles, states, model.outcomes.operators)
    assert p.min() > -1e-15
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-13)
    np.testing.assert_allclose(p @ model.outcomes.values.T, model.expectations(weights.angles, states), atol=1e-13)


@pytest.mark.slow
def test_shot_gradients_scatter_as_the_shift_rules_say_and_are_centred():
    model, weights = built()
    states, shots = model.loaded(VECTORS), 4000
    exact = loss_and_gradient(model, weights, states, LABELS)[2][0]
    rng = np.random.default_rng(1)
    draws = np.stack([loss_and_gradient(model, weights, states, LABELS, shots, rng)[2][0] for _ in range(300)])
    error = draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
    # 4.5 sigma over 37 angles; the loss's bias of order 1/4000 lies far below
    assert np.all(np.abs(draws.mean(axis=0) - exact) < 4.5 * error)
    few = np.stack([loss_and_gradient(model, weights, states, LABELS, 1000, rng)[2][0] for _ in range(300)])
    # a ratio of two sample deviations from 300 draws, over 37 angles: 2 +- 0.02
    assert np.mean(few.std(axis=0) / draws.std(axis=0)) == pytest.approx(2.0, abs=0.1)


def test_assignment_errors_shrink_exact_class_values_and_are_refused_with_shots():
    noise = NoiseModel.from_dict({"readout_error": {q: [0.1, 0.1] for q in range(5)}})
    model, weights = built(noise=noise)
    bare, _ = built(noise=None)
    found, clean = (m.expectations(weights.angles, m.loaded(VECTORS)) for m in (model, bare))
    # N -> 0.8 N + 0.1 |group|
    np.testing.assert_allclose(found, 0.8 * clean + 0.1 * np.array([3, 2]), atol=1e-13)
    with pytest.raises(NoiseError, match="shots under assignment errors"):
        _ = model.outcomes
    with pytest.raises(NoiseError, match="post-selection on the charge under assignment errors"):
        built(noise=noise, verified=True)
