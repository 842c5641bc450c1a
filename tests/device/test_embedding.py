"""Embeddings of a circuit's graph into a coupling map against trying every place."""

from __future__ import annotations

import itertools

import pytest

from equinoise.device.embedding import extend, find_embeddings

# a star of three arms: the smallest heavy-hex piece where a line has several places
ARMS = [(0, 1), (1, 2), (2, 3), (3, 4), (2, 5), (5, 6), (6, 7), (4, 8)]


@pytest.mark.parametrize(
    "pairs", [[(0, 1), (1, 2)], [(0, 1), (2, 3)], [(0, 1), (0, 2), (0, 3)], [(0, 1), (1, 2), (2, 0)]]
)
def test_embeddings_are_those_that_trying_every_place_finds(pairs):
    qubits = sorted({q for pair in pairs for q in pair})
    couplers = [*ARMS, (3, 5)]  # with one triangle
    linked = {frozenset(pair) for pair in couplers}
    tried = {
        place
        for place in itertools.permutations(range(9), len(qubits))
        if all({place[qubits.index(a)], place[qubits.index(b)]} in linked for a, b in pairs)
    }
    found = find_embeddings(qubits, pairs, couplers, range(9), limit=100_000, seed=0)
    assert found.complete
    assert len(found.places) == len(set(found.places))
    assert set(found.places) == tried


def test_too_many_embeddings_are_sampled_and_the_seed_repeats_them():
    line = [(i, i + 1) for i in range(30)]
    pairs = [(0, 1), (1, 2)]
    first, again, other = (find_embeddings(range(3), pairs, line, range(31), 10, seed) for seed in (1, 1, 2))
    assert not first.complete
    assert len(first.places) == 10
    assert first == again
    assert first.places != other.places
    assert all(abs(a - b) == 1 and abs(b - c) == 1 for a, b, c in first.places)


def test_extension_keeps_what_is_placed_and_tells_when_nothing_fits():
    line = [(0, 1), (1, 2), (2, 3)]
    both = ((0, 1, 2), (2, 1, 0))
    assert set(extend({1: 1}, [0, 1, 2], [(0, 1), (1, 2)], line, range(4), most=5)) == set(both)
    assert len(extend({1: 1}, [0, 1, 2], [(0, 1), (1, 2)], line, range(4))) == 1
    assert extend({1: 0}, [0, 1, 2], [(0, 1), (1, 2)], line, range(4)) == ()


def test_a_sample_can_be_smaller_than_the_number_up_to_which_all_are_found():
    line = [(i, i + 1) for i in range(30)]
    found = find_embeddings(range(3), [(0, 1), (1, 2)], line, range(31), 20, 0, sample=4)
    assert (len(found.places), found.complete) == (4, False)
