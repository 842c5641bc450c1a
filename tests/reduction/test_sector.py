"""Charge sectors: tables of occupations, ordered as integers, and their ranks."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinoise.errors import MemoryLimitError, StateError
from equinoise.reduction.sector import sector

sizes = st.integers(1, 11).flatmap(lambda w: st.tuples(st.just(w), st.none() | st.integers(0, w)))


def integers(occupations):
    """Each row as a Python integer, qubit 0 the least significant bit, whatever the width."""
    return [sum(int(bit) << i for i, bit in enumerate(row)) for row in occupations]


@settings(max_examples=60, deadline=None)
@given(sizes)
def test_states_are_all_integers_of_the_charge_in_increasing_order(size):
    width, charge = size
    expected = [x for x in range(2**width) if charge is None or x.bit_count() == charge]
    assert integers(sector(width, charge).occupations) == expected


@settings(max_examples=60, deadline=None)
@given(sizes)
def test_rank_inverts_the_table(size):
    table = sector(*size)
    np.testing.assert_array_equal(table.rank(table.occupations), np.arange(table.dimension))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_rank_inverts_the_table_in_any_order_with_repetitions(data):
    width, charge = data.draw(sizes)
    table = sector(width, charge)
    rows = data.draw(st.lists(st.integers(0, table.dimension - 1), max_size=8))
    np.testing.assert_array_equal(table.rank(table.occupations[rows]), rows)


def test_two_charges_on_two_hundred_qubits_are_19900_states():
    table = sector(200, 2)
    assert table.dimension == 19900
    assert (table.occupations.sum(axis=1) == 2).all()
    np.testing.assert_array_equal(table.rank(table.occupations), np.arange(19900))
    # in increasing order of the integers: by the upper position, then by the lower
    pairs = [(low, high) for high in range(200) for low in range(high)]
    np.testing.assert_array_equal(np.argwhere(table.occupations)[:, 1].reshape(-1, 2), pairs)


def test_hundreds_of_qubits_with_nearly_all_filled_are_as_cheap():
    """q = w - 1 on 300 qubits: binomials far beyond 64 bits must not enter a rank."""
    table = sector(300, 299)
    assert table.dimension == 300
    np.testing.assert_array_equal(table.rank(table.occupations), np.arange(300))
    # the empty place moves down as the integer grows
    np.testing.assert_array_equal(table.occupations.argmin(axis=1), np.arange(300)[::-1])


@pytest.mark.parametrize("width", [1, 5, 64, 65, 300])
def test_empty_and_full_registers_are_one_state(width):
    for charge in (0, width):
        table = sector(width, charge)
        assert table.dimension == 1
        assert (table.occupations == (1 if charge else 0)).all()
        assert table.rank(table.occupations) == [0]


@pytest.mark.parametrize("width", [63, 64, 65])
def test_one_charge_is_ordered_by_position_across_the_word_boundary(width):
    np.testing.assert_array_equal(sector(width, 1).occupations, np.eye(width))


def test_sectors_partition_the_full_space():
    states = itertools.chain.from_iterable(integers(sector(6, q).occupations) for q in range(7))
    assert sorted(states) == integers(sector(6, None).occupations)
    assert sum(sector(6, q).dimension for q in range(7)) == sector(6, None).dimension == 64


def test_tables_are_built_once_and_read_only():
    table = sector(7, 3)
    assert sector(7, 3) is table
    with pytest.raises(ValueError, match="read-only"):
        table.occupations[0, 0] = 1


@pytest.mark.parametrize("charge", [-1, 5])
def test_charge_outside_the_register_is_refused(charge):
    with pytest.raises(StateError, match=rf"charge must lie in 0\.\.4, got {charge}"):
        sector(4, charge)


@pytest.mark.parametrize(("width", "charge"), [(200, 100), (60, None), (30, 15)])
def test_table_that_no_memory_holds_is_refused_with_its_size(width, charge):
    dimension = 2**width if charge is None else math.comb(width, charge)
    with pytest.raises(MemoryLimitError, match=f"on {width} qubits has {dimension:.3g} states".replace("+", r"\+")):
        sector(width, charge)
