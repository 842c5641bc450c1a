"""Coherent errors: against the slow twin, signed kappa, no limit, and what a twirl would lose."""

from __future__ import annotations

import math

import numpy as np
import pytest

import equinoise as eq
import slow_twin as reference
from equinoise.errors import NoiseError, UnsupportedError
from equinoise.noise.terms.coherent import Coherent
from equinoise.reduction.program import compile_problem

X = [[0, 1], [1, 0]]
EXCHANGE = [[0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
PAIRING = [[0, 0, 0, 1j], [0, 0, 0, 0], [0, 0, 0, 0], [-1j, 0, 0, 0]]
CASES = {
    "exchange keeps the charge": ([{"qubits": [1, 2], "matrix": EXCHANGE, "angle": 0.3}], "strong"),
    "a single X breaks it": ([{"qubits": [2], "matrix": X, "angle": 0.1}], "broken"),
    "pairs made and lost": ([{"qubits": [3, 0], "matrix": PAIRING, "angle": -0.4}], "broken"),
}


def problem(noise, readout="Z1", depth=3):
    return eq.Problem(eq.circuits.brickwork(4, depth=depth), readout, "neel", noise, allow_broken=True)


def theta_of(problem, seed=0):
    return np.random.default_rng(seed).uniform(-3, 3, len(problem.parameters))


@pytest.mark.parametrize("name", CASES)
def test_gradient_and_signed_kappa_equal_the_slow_twins(name):
    terms, symmetry = CASES[name]
    stated = problem({"coherent": terms, "relaxation": 0.05})
    theta = theta_of(stated)
    assert compile_problem(problem({"coherent": terms})).noise_class == symmetry
    for scale in (0.0, 0.4, 1.0, 5.0):
        found = eq.gradient(stated, theta, scale=scale, engine="exact")
        np.testing.assert_allclose(found.gradient, reference.gradient(stated, theta, scale), atol=1e-9)
    first = reference.second_order(stated, theta)
    law = eq.law(stated, sampling=eq.Sampling(engine="exact", ensemble=[theta]))
    g0, g1 = first.gradient, first.first
    assert law.kappa == pytest.approx(-np.sum(g0 * g1) / np.sum(g0**2), rel=1e-9)
    assert sum(entry.kappa for entry in law.budget) == pytest.approx(law.kappa, rel=1e-9)


def test_a_coherent_exchange_is_a_shift_of_the_gates_angle_with_a_kappa_of_either_sign():
    kappas = [
        eq.law(
            problem({"coherent": [{"qubits": [1, 2], "matrix": EXCHANGE, "angle": a}]}), sampling=eq.Sampling(samples=4)
        ).kappa
        for a in (0.2, -0.2)
    ]
    assert kappas[0] == pytest.approx(-kappas[1], rel=1e-9)
    assert abs(kappas[0]) > 1e-3


def test_there_is_no_limit_and_the_law_says_so():
    stated = problem({"coherent": [{"qubits": [q], "matrix": X, "angle": 0.1} for q in range(4)]})
    law = eq.law(stated, sampling=eq.Sampling(samples=4))
    assert math.isnan(law.fixed_point_share)
    assert math.isnan(law.rate_variance)
    assert np.isnan(law.bounds(1.0)).all()
    assert law.fixed_point.kind == "no limit"
    assert law.spectrum is None
    assert any("no limit s -> infinity" in note for note in law.approximations)
    assert "no bounds" in law.bound_status
    with pytest.raises(UnsupportedError, match="no limit at noise scale inf"):
        eq.gradient(stated, theta_of(stated), scale=math.inf)


def test_coherent_x_on_each_qubit_costs_what_its_twirl_would_hide():
    stated = problem({"coherent": [{"qubits": [q], "matrix": X, "angle": 0.1} for q in range(4)]}, depth=4)
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(200):
        theta = rng.uniform(-math.pi, math.pi, len(stated.parameters))
        pairs.append([eq.gradient(stated, theta, scale=s, engine="exact").gradient for s in (0.0, 1.0)])
    ideal, noisy = np.array(pairs).transpose(1, 0, 2)
    survival = math.sqrt(np.sum(noisy**2) / np.sum(ideal**2))
    direction = np.sum(ideal * noisy) / math.sqrt(np.sum(ideal**2) * np.sum(noisy**2))
    assert survival == pytest.approx(0.919, abs=0.02)
    assert direction == pytest.approx(0.992, abs=0.01)


def test_a_matrix_that_is_not_hermitian_is_refused_and_plain_data_reads_back():
    with pytest.raises(NoiseError, match="must be Hermitian"):
        Coherent((0,), [[0, 1], [0, 0]], 0.1)
    model = eq.NoiseModel([Coherent((1, 0), EXCHANGE, -0.2)])
    assert eq.NoiseModel.from_dict(model.to_dict()) == model
    assert model.describe() == "coherent -0.2 rad on qubits 0, 1"
