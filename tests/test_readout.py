"""Readouts: what the labels mean, what conserves the charge, and what assignment errors measure instead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

import equinoise as eq
from equinoise.errors import ReadoutError
from equinoise.readout import attenuated, commutes_with_charge, parse_readout, support


def matrix(terms, n):
    return SparsePauliOp.from_sparse_list(terms, num_qubits=n).to_matrix()


@pytest.mark.parametrize(
    ("label", "terms"),
    [
        ("Z2", [("Z", [2], 1)]),
        ("X1X2+Y1Y2", [("XX", [1, 2], 1), ("YY", [1, 2], 1)]),
        ("0.5*Z0Z1 - Z2", [("ZZ", [0, 1], 0.5), ("Z", [2], -1)]),
        ("-Z0", [("Z", [0], -1)]),
        (" .25 Z0*Z2 + 1e-1*Z1 ", [("ZZ", [0, 2], 0.25), ("Z", [1], 0.1)]),
        ("2.Z0+Z0", [("Z", [0], 3)]),
        ("X2Y0-Y2X0", [("XY", [2, 0], 1), ("YX", [2, 0], -1)]),
    ],
)
def test_label_is_the_operator_with_qiskits_qubit_numbers(label, terms):
    np.testing.assert_allclose(parse_readout(label, 3).to_matrix(), matrix(terms, 3), atol=1e-15)


def test_operator_passes_through_simplified():
    operator = SparsePauliOp(["IZ", "IZ", "XX"], [0.5, 0.5, 0])
    assert parse_readout(operator, 2).to_list() == [("IZ", 1)]


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("Q5", "cannot read the readout 'Q5' at 'Q5'. Expected Pauli letters with qubit indices"),
        ("Z", "cannot read the readout 'Z'"),
        ("Z0Z", "cannot read the readout 'Z0Z' at 'Z'"),
        ("Z0 Z1 + W", r"at ' ?\+ W'"),
        ("Z0+", r"at '\+'"),
        ("5", "cannot read the readout '5'"),
        ("Z0Z0", "names a qubit twice in one term"),
        ("Z7", "names qubit 7, but the circuit has qubits 0..2"),
        ("", "the readout is empty"),
        ("   ", "the readout is empty"),
        ("Z0-Z0", "multiple of the identity"),
        ("0*Z0", "multiple of the identity"),
        ("1e999*Z0", "not finite"),
    ],
)
def test_malformed_labels_are_refused_with_the_place(label, text):
    with pytest.raises(ReadoutError, match=text):
        parse_readout(label, 3)


@pytest.mark.parametrize(
    ("operator", "text"),
    [
        (SparsePauliOp(["IIZ"], [1j]), "not Hermitian"),
        (SparsePauliOp(["IIZ"], [np.nan]), "not finite"),
        (SparsePauliOp(["III"], [2.0]), "multiple of the identity"),
        (SparsePauliOp("ZZ"), "acts on 2 qubits, the circuit has 3"),
        (SparsePauliOp(["IIZ"], np.array([Parameter("a")])), "must be numbers, not parameters"),
        (np.eye(8), "label such as 'Z5' or a SparsePauliOp, got ndarray"),
        (5, "got int"),
    ],
)
def test_malformed_operators_are_refused(operator, text):
    with pytest.raises(ReadoutError, match=text):
        parse_readout(operator, 3)


@pytest.mark.parametrize(
    ("label", "conserves"),
    [
        ("Z0", True),
        ("Z0Z1Z2", True),
        ("X0X2+Y0Y2", True),
        ("X0Y1-Y0X1", True),
        ("X0X1Z2+Y0Y1Z2", True),
        ("X0X1", False),
        ("X0X1-Y0Y1", False),
        ("X0Y1+Y0X1", False),
        ("X0", False),
        ("X0X1+0.99*Y0Y1", False),
    ],
)
def test_conservation_is_the_commutator_with_the_charge(label, conserves):
    operator = parse_readout(label, 3)
    assert commutes_with_charge(operator) is conserves
    charge = np.diag([float(x.bit_count()) for x in range(8)])
    full = operator.to_matrix()
    assert bool(np.abs(full @ charge - charge @ full).max() < 1e-12) is conserves


def test_problem_refuses_a_readout_that_changes_the_charge_unless_allowed():
    circuit = eq.circuits.brickwork(3, depth=2)
    with pytest.raises(ReadoutError, match="the readout 'X0X1' does not conserve the charge") as error:
        eq.Problem(circuit, readout="X0X1")
    assert "--allow-broken" in str(error.value)
    assert not eq.Problem(circuit, readout="X0X1", allow_broken=True).readout_conserves


def test_support_is_where_a_letter_stands():
    assert support(parse_readout("Z5+X1Y3-Y1X3", 7)) == (1, 3, 5)


def test_label_of_an_operator_on_screen_reads_back():
    operator = SparsePauliOp.from_sparse_list([("XX", [0, 2], 0.5), ("YY", [0, 2], 0.5), ("Z", [1], -2)], num_qubits=3)
    problem = eq.Problem(eq.circuits.brickwork(3, depth=2), readout=operator)
    np.testing.assert_allclose(
        parse_readout(problem.readout_label.replace("+-", "-"), 3).to_matrix(), operator.to_matrix()
    )


# -- assignment errors ---------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 0.3), st.floats(0, 0.3)), min_size=2, max_size=2))
def test_attenuated_z_string_is_the_mean_of_what_is_read(errors):
    """Sum over read bits of parity times confusion matrices [[1-p01, p01], [p10, 1-p10]] (row: true bit)."""
    confusion = [np.array([[1 - p01, p01], [p10, 1 - p10]]) for p01, p10 in errors]
    read = [c @ np.array([1.0, -1.0]) for c in confusion]
    measured = attenuated(SparsePauliOp("ZZ"), dict(enumerate(errors)))
    np.testing.assert_allclose(np.diag(measured.to_matrix()), np.kron(read[1], read[0]), atol=1e-12)


def test_unmeasured_qubits_and_absent_errors_leave_the_readout_alone():
    operator = parse_readout("Z0+X1X2+Y1Y2", 4)
    assert attenuated(operator, {3: (0.1, 0.2)}) == operator
    shrunk = attenuated(operator, {1: (0.1, 0.1), 2: (0.05, 0.05)})
    expected = parse_readout("Z0+0.72*X1X2+0.72*Y1Y2", 4)
    np.testing.assert_allclose(shrunk.to_matrix(), expected.to_matrix(), atol=1e-15)
