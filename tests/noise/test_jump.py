"""General Lindblad jumps: against the slow twin, against the named kinds they equal, and their place in files."""

from __future__ import annotations

import math

import numpy as np
import pytest

import equinoise as eq
import slow_twin as reference
from equinoise.errors import NoiseError, UnsupportedError
from equinoise.noise.terms.jump import Jump
from equinoise.reduction.program import compile_problem

HOP = [[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
EXCHANGE = [[0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
LOWER = [[0, 1], [0, 0]]
ANY = np.random.default_rng(5).normal(size=(2, 4, 4))
ANY = ANY[0] + 1j * ANY[1]


def problem(noise, readout="Z1", **options):
    circuit = eq.circuits.brickwork(4, depth=3)
    noise = eq.NoiseModel(noise) if isinstance(noise, list) else noise
    return eq.Problem(circuit, readout, "neel", noise, **options)


def theta_of(problem, seed=0):
    return np.random.default_rng(seed).uniform(-3, 3, len(problem.parameters))


CASES = {
    "a hop within the charge": ({"jump": [{"qubits": [1, 2], "matrix": HOP, "rate": 0.2}]}, "strong"),
    "hop the other way, decay and named noise": (
        {
            "jump": [
                {"qubits": [2, 1], "matrix": HOP, "rate": 0.2},
                {"qubits": [0], "matrix": LOWER, "rate": 0.1},
            ],
            "dephasing": 0.05,
            "relaxation": 0.1,
        },
        "weak",
    ),
    "any matrix": ({"jump": [{"qubits": [0, 3], "matrix": ANY, "rate": 0.1}], "depolarizing": 0.05}, "broken"),
    "a jump and decay on one of its qubits act at the same time": (
        {
            "jump": [
                {"qubits": [1], "matrix": LOWER, "rate": 0.3},
                {"qubits": [1, 2], "matrix": HOP, "rate": 0.2},
                {"qubits": [2, 3], "matrix": HOP, "rate": 0.4},
            ],
            "coherent": [{"qubits": [2, 1], "matrix": EXCHANGE, "angle": 0.5}],
        },
        "weak",
    ),
    "diagonal with a phase": (
        {"jump": [{"qubits": [0, 1], "matrix": np.diag([1, 2, 1j, 0.3]), "rate": 0.3}]},
        "strong",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_gradient_and_kappa_equal_the_slow_twins_at_every_scale(name):
    noise, symmetry = CASES[name]
    stated = problem(noise)
    theta = theta_of(stated)
    assert compile_problem(stated).noise_class == symmetry
    for scale in (0.0, 0.3, 2.0, math.inf):
        found = eq.gradient(stated, theta, scale=scale, engine="exact")
        np.testing.assert_allclose(found.gradient, reference.gradient(stated, theta, scale), atol=1e-9)
        assert found.value == pytest.approx(reference.value(stated, theta, scale), abs=1e-9)
    law = eq.law(stated, sampling=eq.Sampling(engine="exact", ensemble=[theta]))
    expected = reference.law(stated, [theta])
    assert law.kappa == pytest.approx(expected["kappa"], rel=1e-9)
    assert law.second_moment == pytest.approx(expected["second_moment"], rel=1e-9)
    assert sum(entry.kappa for entry in law.budget) == pytest.approx(law.kappa, rel=1e-9)


def test_the_named_kinds_are_jumps_of_their_own_matrices():
    string = {"pauli": "Y1Z3", "rate": 0.1}
    named = problem({"relaxation": [{"qubit": 2, "down": 0.2}], "dephasing": [{"rate": 0.1, "weights": {3: 1}}]})
    named = named.with_noise(eq.NoiseModel([*named.noise.terms, *eq.NoiseModel(pauli=[string]).terms]))
    y, z = np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])
    stated = problem([Jump((3,), z, 0.1), Jump((2,), LOWER, 0.2), Jump((1, 3), np.kron(z, y), 0.1)])
    theta = theta_of(named)
    pair = [eq.gradient(p, theta, scale=0.7, engine="exact").gradient for p in (named, stated)]
    np.testing.assert_allclose(*pair, atol=1e-12)


def test_a_jump_on_one_seen_qubit_carries_the_readout_to_its_other_qubit():
    near = eq.Problem(eq.circuits.brickwork(6, depth=1), "Z0", "neel")
    far = eq.Problem(
        eq.circuits.brickwork(6, depth=1), "Z0", "neel", {"jump": [{"qubits": [0, 5], "matrix": HOP, "rate": 0.3}]}
    )
    assert compile_problem(near).cone.qubits == (0, 1)
    assert 5 in compile_problem(far).cone.qubits
    theta = theta_of(far)
    found = eq.gradient(far, theta, engine="exact").gradient
    np.testing.assert_allclose(found, reference.gradient(far, theta, 1.0), atol=1e-9)


def test_the_qubits_order_is_that_of_the_matrixs_bits_and_plain_data_reads_back():
    one, other = Jump((1, 2), HOP, 0.2), Jump((2, 1), np.array(HOP).T, 0.2)
    assert one == other
    model = eq.NoiseModel(jump=[{"qubits": [2], "matrix": [[0, [0, -1]], [[0, 1], 0]], "rate": 0.1, "layers": [0]}])
    assert eq.NoiseModel.from_dict(model.to_dict()) == model
    assert model.describe() == "jump 0.1 on qubits 2, layers 0"
    np.testing.assert_array_equal(model.jump[0].array, [[0, -1j], [1j, 0]])


def test_free_fermions_refuse_it_and_say_why():
    stated = problem({"jump": [{"qubits": [1, 2], "matrix": HOP, "rate": 0.2}]})
    with pytest.raises(UnsupportedError, match="jump noise"):
        eq.gradient(stated, theta_of(stated), engine="free-fermion")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"qubits": [0, 1, 2], "matrix": LOWER, "rate": 0.1}, "one or two different qubits"),
        ({"qubits": [0, 1], "matrix": LOWER, "rate": 0.1}, "must have 4 rows of 4 numbers"),
        ({"qubits": [0], "matrix": [[0, 1], [0, "x"]], "rate": 0.1}, "must be a number"),
        ({"qubits": [0], "matrix": [[0, 0], [0, 0]], "rate": 0.1}, "not all 0"),
        ({"qubits": [0], "matrix": LOWER, "rate": -1}, "must not be negative"),
    ],
)
def test_malformed_jumps_are_refused_by_name(entry, message):
    with pytest.raises(NoiseError, match=message):
        eq.NoiseModel(jump=[entry])
