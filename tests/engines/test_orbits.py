"""Sums of Pauli strings and noise that look the same from every qubit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tests.symmetric_problems import permutation_layers

from equinoise.circuit.steps import steps
from equinoise.engines.spin.orbits import symmetric_slot, symmetric_sum, totals
from equinoise.errors import UnsupportedError
from equinoise.noise.model import NoiseModel
from slot_parts import slot_program as slot


def test_a_sum_is_symmetric_only_if_every_place_has_it():
    pairs = {((a, "Z"), (b, "Z")): 0.5 for a, b in itertools.combinations(range(5), 2)}
    assert symmetric_sum(pairs, 5) == {(0, 0, 2): 0.5}
    assert totals(pairs) == {(0, 0, 2): 5.0}
    assert symmetric_sum(pairs, 6) is None
    assert symmetric_sum(pairs | {((1, "Z"), (3, "Z")): 0.5 + 1e-9}, 5) is None
    ordered = {tuple(sorted([(a, "X"), (b, "Y")])): 0.2 for a, b in itertools.permutations(range(3), 2)}
    assert symmetric_sum(ordered, 3) == {(1, 1, 0): pytest.approx(0.2)}
    assert symmetric_sum({key: v for key, v in ordered.items() if key[0][1] == "X"}, 3) is None


def test_every_step_of_an_equivariant_circuit_is_one_number_per_kind():
    from equinoise.circuit.layers import layered

    found = [symmetric_sum(step.generator, 4) for step in steps(layered(permutation_layers(4, 2)).layers)]
    assert found == [{(1, 0, 0): 0.5}, {(0, 1, 0): 0.5}, {(0, 0, 2): 0.5}] * 2


def test_correlated_dephasing_is_symmetric_when_its_covariance_is():
    """Jumps Z_a - Z_b on all pairs of n qubits: sum rate v v^T = rate (n 1 - ones)."""
    n, rate = 4, 0.1
    jumps = tuple((rate, ((a, 1.0), (b, -1.0)), False) for a, b in itertools.combinations(range(n), 2))
    found = symmetric_slot(slot(jumps=jumps), n)
    assert dict(found.first) == {"Z": pytest.approx(n * rate), "total Z": pytest.approx(-rate)}
    summed = {kind: sum(dict(share).get(kind, 0.0) for share in found.shares) for kind in ("Z", "total Z")}
    assert summed == {kind: pytest.approx(total) for kind, total in found.first}
    with pytest.raises(UnsupportedError, match=r"dephasing noise differs from qubit to qubit or pair to pair"):
        symmetric_slot(slot(jumps=jumps[:-1]), n)


def test_shares_add_to_the_rates_of_every_kind():
    n = 3
    places = list(itertools.combinations(range(n), 2))
    given = slot(
        jumps=tuple((0.1, ((q, 1.0),), False) for q in range(n))
        + tuple((0.02, ((a, 1.0), (b, 1.0)), True) for a, b in places),
        relaxation=tuple((q, (0.3, 0.04)) for q in range(n)),
        depolarizing=tuple(((q,), 0.2) for q in range(n)) + tuple((pair, 0.05) for pair in places),
        flips=tuple((q, 0.06) for q in range(n)),
        paulis=tuple((((q, "Y"),), 0.01) for q in range(n)) + tuple((((a, "X"), (b, "X")), 0.03) for a, b in places),
    )
    found = symmetric_slot(given, n)
    total = dict.fromkeys(dict(found.first) | dict(found.second), 0.0)
    for share in found.shares:
        for kind, rate in share:
            total[kind] += rate
    rates = {kind: dict(found.first).get(kind, 0.0) + dict(found.second).get(kind, 0.0) for kind in total}
    assert total == pytest.approx(rates)
    expected = {"Z": 0.1, "down": 0.3, "up": 0.04, "ZZ": 0.02}
    assert dict(found.first) == pytest.approx(expected)
    assert dict(found.second) == pytest.approx(
        {"Z": 0.05, "down": 0.1 + 0.06, "up": 0.1 + 0.06, "reset": 0.05, "Y": 0.01, "XX": 0.03}
    )
    assert len(found.shares) == len(given.jumps) + 5 * n + 2 * len(places) - n


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"relaxation": ((0, (0.1, 0.0)), (1, (0.1, 0.0)))}, "relaxation noise acts on 2 of 3 places"),
        ({"depolarizing": (((0, 1), 0.1),)}, "depolarizing of pairs noise acts on 1 of 3 places"),
        ({"flips": ((0, 0.1), (1, 0.1), (2, 0.2))}, "bit-flip noise has rates from 0.1 to 0.2"),
        ({"paulis": ((((0, "X"), (1, "Y")), 0.1),)}, "Pauli XY noise acts on 1 of 6 places"),
        ({"jumps": ((0.1, ((0, 1.0), (1, 1.0)), True),)}, "ZZ noise acts on 1 of 3 places"),
    ],
)
def test_noise_that_tells_qubits_apart_is_named(given, text):
    with pytest.raises(UnsupportedError, match=text):
        symmetric_slot(slot(**given), 3)


def test_a_model_for_each_qubit_and_one_for_all_are_the_same_slot():
    from equinoise.circuit.layers import layered
    from equinoise.reduction.slots.slot_program import compile_slot

    layers = layered(permutation_layers(4, 1)).layers
    by_name = NoiseModel.from_string("dephasing:0.1").slots(layers, 4)[0]
    by_hand = NoiseModel(dephasing=[{"rate": 0.1, "weights": {q: 1.0}} for q in range(4)]).slots(layers, 4)[0]
    place = {q: q for q in range(4)}
    first, second = (symmetric_slot(compile_slot(s, place), 4) for s in (by_name, by_hand))
    assert first == second
    assert np.isclose(dict(first.first)["Z"], 0.1)
