"""Initial states: qubit order, charges, normalisation, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import DensityMatrix, Statevector

from equinoise.errors import StateError
from equinoise.initial import charge_distribution, parse_initial

amplitudes = st.tuples(st.floats(0, math.pi), st.floats(-3, 3)).map(
    lambda a: [math.cos(a[0] / 2), math.sin(a[0] / 2) * complex(math.cos(a[1]), math.sin(a[1]))]
)


def dicke(n, q):
    inside = np.array([x.bit_count() == q for x in range(2**n)], dtype=float)
    return Statevector(inside / math.sqrt(inside.sum()))


def test_neel_fills_the_even_numbered_qubits():
    for n in (1, 2, 5, 300):
        assert parse_initial("neel", n).bits == tuple(1 - q % 2 for q in range(n))
        assert parse_initial("neel", n).charges()[(n + 1) // 2] == 1


def test_bitstring_is_written_as_qiskit_prints_it():
    state = parse_initial("0011", 4)
    assert state.bits == (1, 1, 0, 0)
    np.testing.assert_array_equal(state.statevector(), Statevector.from_label("0011").data)


@settings(max_examples=30, deadline=None)
@given(st.lists(amplitudes, min_size=1, max_size=5))
def test_product_state_is_the_tensor_product_with_qubit_zero_least_significant(states):
    found = parse_initial(states, len(states))
    expected = Statevector([1.0])
    for one in states:
        expected = Statevector(one).tensor(expected)
    # up to a phase; amplitudes below 1e-9 may be taken for 0, which costs 1e-18 of the overlap
    assert abs(np.vdot(found.statevector(), expected.data)) == pytest.approx(1, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.lists(amplitudes, min_size=1, max_size=5))
def test_charges_of_a_product_state_are_those_of_its_amplitudes(states):
    n = len(states)
    product = parse_initial(states, n)
    vector = parse_initial(Statevector(product.statevector()), n)
    weight = np.array([x.bit_count() for x in range(2**n)])
    born = [float((np.abs(product.statevector()[weight == q]) ** 2).sum()) for q in range(n + 1)]
    np.testing.assert_allclose(product.charges(), born, atol=1e-12)
    np.testing.assert_allclose(vector.charges(), born, atol=1e-12)
    assert product.charges().sum() == pytest.approx(1, abs=1e-12)


def test_charges_of_a_wide_product_state_are_binomial():
    """300 qubits in (|0> + |1>)/sqrt 2: no amplitude is ever written out."""
    found = charge_distribution(np.full((300, 2), math.sqrt(0.5)))
    expected = [math.comb(300, q) / 2**300 for q in range(301)]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_dicke_state_has_one_charge():
    state = parse_initial(dicke(5, 2), 5)
    assert state.bits is None
    assert state.product is None
    np.testing.assert_allclose(state.charges(), np.eye(6)[2], atol=1e-15)


def test_product_of_basis_states_is_a_basis_state_whatever_its_phases():
    state = parse_initial([[0, 1j], [-1, 0], [0, 1]], 3)
    assert state.bits == (1, 0, 1)
    assert state.name == "101"


def test_state_vectors_and_lists_of_numbers_are_the_same():
    vector = np.zeros(8, dtype=complex)
    vector[3] = 1j
    for given_as in (vector, list(vector), Statevector(vector)):
        np.testing.assert_array_equal(parse_initial(given_as, 3).statevector(), vector)


def test_a_parsed_state_passes_and_its_arrays_are_read_only():
    for state in (parse_initial("neel", 3), parse_initial([[0.6, 0.8]] * 3, 3), parse_initial(dicke(3, 1), 3)):
        assert parse_initial(state, 3) is state
        array = state.product if state.product is not None else state.vector
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_two_qubits_as_two_pairs_and_as_four_amplitudes_are_told_apart():
    """Shape (2, 2) is one pair a qubit; shape (4,) a state vector."""
    pairs = parse_initial([[1, 0], [0, 1]], 2)
    vector = parse_initial([0, 1, 0, 0], 2)
    assert pairs.bits == (0, 1)
    assert vector.charges()[1] == 1
    assert vector.statevector()[1] == 1


@pytest.mark.parametrize(
    ("initial", "text"),
    [
        ("up", "cannot read the initial state 'up'. Expected 'neel', a bitstring of 3 digits"),
        ("", "cannot read the initial state ''"),
        ("0102", "cannot read the initial state '0102'"),
        ("01", "'01' has 2 digits, the circuit has 3 qubits"),
        ([[1, 0]] * 2, r"shape \(2, 2\); expected \(3, 2\) one-qubit states or 2\^3 amplitudes"),
        (np.ones(4) / 2, r"shape \(4,\)"),
        (Statevector.from_label("0000"), r"shape \(16,\)"),
        (Statevector([1, 0, 0], dims=(3,)), "must be one of qubits"),
        (np.ones(8), "not normalised: its norm is 2.82843"),
        ([[1, 0], [1, 1], [1, 0]], "state of qubit 1 is not normalised"),
        ([[1, 0], [np.nan, 1], [1, 0]], "not finite"),
        (np.full(8, np.inf), "not finite"),
        ([[1, 0], [1], [1, 0]], "cannot read an initial state from a list"),
        (object(), "cannot read an initial state from a object"),
        (DensityMatrix.from_label("000"), r"shape \(8, 8\)"),
        (5, r"shape \(\)"),
    ],
)
def test_malformed_states_are_refused(initial, text):
    with pytest.raises(StateError, match=text):
        parse_initial(initial, 3)


def test_more_than_twenty_qubits_have_no_state_vector():
    with pytest.raises(StateError, match="at most 20 qubits"):
        parse_initial(np.zeros(2**21), 21)
    with pytest.raises(StateError, match="21 qubits has too many amplitudes"):
        parse_initial("neel", 21).statevector()
