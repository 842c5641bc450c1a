"""Symmetries: their names, what they do to Pauli sums, what is left of them, and refusals that name the culprit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from scipy.linalg import expm

import equinoise as eq
import symmetric_problems
from equinoise.circuit.pauli_sums import commutator, from_matrix, from_operator, sparse_matrix, to_operator
from equinoise.errors import StateError, SymmetryError
from equinoise.initial import parse_initial
from equinoise.symmetry.equivariance import commute, state_keeps
from equinoise.symmetry.groups import Charge, PauliString, Permutation, change, parse_symmetry
from symmetric_problems import mean_z, permutation_layers

N = 3
STRINGS = st.lists(st.sampled_from("IXYZ"), min_size=N, max_size=N).map(
    lambda letters: tuple((q, p) for q, p in enumerate(letters) if p != "I")
)
SUMS = st.dictionaries(STRINGS, st.floats(0.1, 2.0), min_size=1, max_size=4)
GENERATORS = st.one_of(
    st.permutations(range(N)).map(lambda image: Permutation(tuple(image))),
    STRINGS.map(PauliString),
    st.lists(st.tuples(st.integers(0, N - 1), st.sampled_from("XYZ"), st.floats(0.2, 2.0)), min_size=1, max_size=3).map(
        lambda pairs: Charge(tuple({(q, p): (q, p, c) for q, p, c in pairs}.values()))
    ),
)


def dense(operator):
    return symmetric_problems.dense(operator, N)


def unitary(generator):
    return symmetric_problems.matrix_of(generator, N)


@given(SUMS, SUMS)
@settings(max_examples=40)
def test_pauli_sums_have_the_algebra_of_matrices(first, second):
    a, b = dense(first), dense(second)
    np.testing.assert_allclose(dense(commutator(first, second)), 1j * (a @ b - b @ a), atol=1e-12)
    np.testing.assert_allclose(to_operator(first, N).to_matrix(), a, atol=1e-12)
    assert from_operator(to_operator(first, N)) == pytest.approx(first)


@given(SUMS, GENERATORS)
@settings(max_examples=80)
def test_change_is_what_the_generators_matrix_does(operator, generator):
    a, g = dense(operator), unitary(generator)
    expected = 1j * (g @ a - a @ g) if isinstance(generator, Charge) else g @ a @ g.conj().T - a
    np.testing.assert_allclose(dense(change(operator, generator)), expected, atol=1e-9)


@given(GENERATORS, GENERATORS)
@settings(max_examples=80)
def test_generators_commute_where_their_actions_on_operators_do(first, second):
    def action(g):
        m = unitary(g)
        m = expm(0.7j * m) if isinstance(g, Charge) else m
        return np.kron(m, m.conj())

    a, b = action(first), action(second)
    assert commute(first, second) == np.allclose(a @ b, b @ a, atol=1e-9)


@given(GENERATORS, st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=80)
def test_a_state_keeps_a_generator_where_it_is_its_eigenvector(generator, seed, entangled):
    rng = np.random.default_rng(seed)
    letters = {"0": [1, 0], "1": [0, 1], "+": [1, 1], "i": [1, 1j]}
    sites = [np.array(letters[k], dtype=complex) / np.linalg.norm(letters[k]) for k in rng.choice(list(letters), N)]
    product = parse_initial(sites, N)
    if entangled:
        from qiskit.quantum_info import Statevector

        product = parse_initial(Statevector(product.statevector()), N)
    rho = np.outer(product.statevector(), product.statevector().conj())
    g = unitary(generator)
    assert state_keeps(product, generator) == (np.abs(g @ rho - rho @ g).max() < 1e-7)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_a_matrix_becomes_the_pauli_sum_that_makes_it(seed):
    rng = np.random.default_rng(seed)
    m = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    hermitian = m + m.conj().T
    back = dense(from_matrix(np.ascontiguousarray(hermitian), (0, 1)))
    traceless = np.kron(np.eye(2), hermitian - np.trace(hermitian) / 4 * np.eye(4))
    np.testing.assert_allclose(back, traceless, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "count", "on_site"),
    [
        ("charge", 1, True),
        ("charges:0-2|3-5", 2, True),
        ("parity", 1, True),
        ("parity:X", 1, True),
        ("permutation", 5, False),
        ("permutation:0-2|3,4", 3, False),
        ("su2", 3, True),
        ("translation", 1, False),
        ("translation*reflection", 2, False),
        ("(0 1)(2 3)", 1, False),
        ("X0X1Z2", 1, True),
    ],
)
def test_names_are_read(text, count, on_site):
    one = parse_symmetry(text, 6)
    assert (len(one.generators), one.on_site) == (count, on_site)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("spin", "no symmetry 'spin'; expected one of charge"),
        ("parity:Q", "parity is of X, Y or Z, got 'Q'"),
        ("permutation:0-2|2-4", "qubit 2 is in two parts"),
        ("charges:a", "'a' is neither a qubit nor a range"),
        ("permutation:4-8", "qubit 6 is not in 0..5"),
        ("X9", "does not act on the qubits 0..5"),
        ("(0 7)", "qubit 7 is not in 0..5"),
    ],
)
def test_names_that_are_none_are_refused_with_what_would_be(text, told):
    with pytest.raises(SymmetryError, match=told):
        parse_symmetry(text, 6)


def test_what_is_left_of_a_symmetry():
    left = eq.symmetry.permutation(5).kept_where(lambda g: 2 not in g.qubits)
    assert left.name == "permutation:0,1,3,4"
    assert len(left.generators) == 3
    even = eq.symmetry.translation(6).kept_where(lambda g: isinstance(g, Permutation) and g.image[0] % 2 == 0)
    assert [g.image for g in even.generators] == [(2, 3, 4, 5, 0, 1)]
    assert eq.symmetry.su2(4).kept_where(lambda g: isinstance(g, PauliString)).name == "parity:X * parity:Y"
    assert eq.symmetry.su2(4).kept_where(lambda g: isinstance(g, Charge) and g.pairs[0][1] == "Z").name == "charge"
    assert eq.symmetry.parity(4).kept_where(lambda g: False).trivial


# -- claims ----------------------------------------------------------------------------------------------------------


def test_a_layer_is_joined_into_its_equivariant_steps():
    problem = eq.Problem(permutation_layers(4, 2), mean_z(4), initial="0000", symmetry="permutation")
    assert [len(s.rotations) for s in problem.steps] == [4, 4, 6, 4, 4, 6]
    assert [s.layer for s in problem.steps] == [0, 0, 0, 1, 1, 1]
    # in time order, the steps make the circuit's unitary
    theta = np.random.default_rng(1).uniform(-3, 3, len(problem.parameters))
    u = np.eye(16)
    for step in problem.steps:
        u = expm(-1j * step.angle.at(theta) * sparse_matrix(step.generator, 4).toarray()) @ u
    from qiskit.quantum_info import Operator

    exact = Operator(problem.circuit.assign_parameters(dict(zip(problem.parameters, theta, strict=True)))).data
    assert abs(np.vdot(u, exact)) / 16 == pytest.approx(1, abs=1e-12)


def test_a_missing_image_is_named():
    with pytest.raises(
        SymmetryError, match=r"gate 'rzz' at position 9 \(layer 0\) on qubits \[0, 2\] has no image Z1Z2"
    ) as e:
        eq.Problem(permutation_layers(4, 1, without=(1, 2)), mean_z(4), initial="0000", symmetry="permutation")
    assert "equinoise symmetries" in str(e.value)


def test_a_gate_that_breaks_parity_is_named():
    circuit = QuantumCircuit(2)
    circuit.rxx(ParameterVector("t", 1)[0], 0, 1)
    circuit.h(1)
    with pytest.raises(SymmetryError, match=r"gate 'h' at position 1 .* breaks the string Z0Z1"):
        eq.Problem(circuit, "Z0", initial="00", symmetry="parity")


def test_a_charge_hop_keeps_parity_and_the_rest_of_the_problem_is_as_before():
    problem = eq.Problem(eq.circuits.brickwork(4, 2), "Z1", "neel", "dephasing:0.1", symmetry="parity")
    assert not problem.by_charge
    assert not problem.breaking


def test_readout_and_input_that_do_not_fit_together_are_refused():
    circuit = permutation_layers(4, 1)
    with pytest.raises(SymmetryError, match="neither the readout nor the input '0001' is invariant under the per"):
        eq.Problem(circuit, "Z0", initial="0001", symmetry="permutation")
    problem = eq.Problem(circuit, "Z0", initial="0000", symmetry="permutation")
    assert problem.with_readout("Z2").readout_label == "Z2"
    eq.Problem(circuit, mean_z(4), initial="0001", symmetry="permutation")


def test_a_sector_of_the_charge_is_no_sector_of_another_symmetry():
    with pytest.raises(StateError, match="select a sector of the total charge; the symmetry is permutation"):
        eq.Problem(permutation_layers(4, 1), mean_z(4), initial="0000", symmetry="permutation", charge=0)


def test_a_symmetry_of_another_register_is_refused():
    with pytest.raises(SymmetryError, match="acts on 3 qubits, the circuit has 4"):
        eq.Problem(permutation_layers(4, 1), mean_z(4), symmetry=eq.symmetry.permutation(3))
    with pytest.raises(SymmetryError, match=r"must be a name or one of equinoise\.symmetry's, got int"):
        eq.Problem(permutation_layers(4, 1), mean_z(4), symmetry=3)


def test_ends_that_keep_different_generators_which_do_not_commute_are_refused():
    from qiskit.quantum_info import Statevector

    wave = np.zeros(16, dtype=complex)  # momentum pi/2: the shift's eigenvector, turned into -pi/2 by the reflection
    wave[[1, 2, 4, 8]] = np.exp(0.5j * np.pi * np.arange(4)) / 2
    both = {"initial": Statevector(wave), "symmetry": "translation*reflection"}
    with pytest.raises(SymmetryError, match=r"the readout is not invariant under .* and these do not commute"):
        eq.Problem(symmetric_problems.ising_ring(4, 1), "Z0+Z3", **both)
    eq.Problem(symmetric_problems.ising_ring(4, 1), "Z0+Z1+Z2+Z3", **both)
