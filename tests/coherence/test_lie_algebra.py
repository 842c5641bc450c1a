"""Lie algebras of circuits: dimensions known from the literature, ideals that are simple, orthogonal and commute."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import equinoise as eq
from equinoise.circuit.pauli_sums import sparse_matrix
from equinoise.coherence.lie.lie_algebra import adjoint_matrix, coordinates, invariant_subspace, lie_algebra
from equinoise.errors import UnsupportedError
from equinoise.text.notebook import MissingPackageError

pytest.importorskip("pennylane")


def words(text):
    """A Pauli sum with unit coefficients from "X0X1+Z0"."""
    return {tuple(sorted((int(w[i + 1]), w[i]) for i in range(0, len(w), 2))): 1.0 for w in text.split("+")}


def whole(texts, n, limit=300):
    """On all 2^n states."""
    return lie_algebra([words(t) for t in texts], n, np.eye(2**n, dtype=complex), limit)


def of_circuit(circuit, state, limit=300):
    """On the subspace of a product input, given per qubit; or of a state vector."""
    n = circuit.num_qubits
    problem = eq.Problem(circuit, readout="Z0", initial=state, allow_broken=True)
    generators = {tuple(sorted(s.generator.items())): s.generator for s in problem.steps}.values()
    space = invariant_subspace([sparse_matrix(g, n) for g in generators], problem.initial.statevector())
    return lie_algebra(list(generators), n, space, limit)


def dimensions(algebra):
    return algebra.centre.shape[0], [rows.shape[0] for rows in algebra.ideals]


@pytest.mark.parametrize(
    ("texts", "n", "expected"),
    [
        (["X0", "Y0"], 1, (0, [3])),
        (["X0", "Y0", "X1", "Y1"], 2, (0, [3, 3])),
        (["X0+X1", "Y0+Y1"], 2, (0, [3])),  # one su(2), on both qubits together
        (["X0X1", "Z0", "Z1"], 2, (0, [3, 3])),  # matchgates: so(4) = su(2) + su(2)
        (["X0X1", "X1X2", "Z0", "Z1", "Z2"], 3, (0, [15])),  # so(6) = su(4)
        (["X0X1", "Y0", "X0", "X1", "Y1", "Z0Z1"], 2, (0, [15])),
        (["X0", "Y0", "Z1"], 2, (1, [3])),
        (["Z0", "Z0Z1"], 2, (2, [])),
    ],
)
def test_algebras_whose_ideals_are_known(texts, n, expected):
    assert dimensions(whole(texts, n)) == expected


@pytest.mark.parametrize("n", [2, 3, 4])
def test_permutation_layers_control_all_polarised_states(n):
    """On the n + 1 symmetric states they generate u(n + 1) (Schatzki et al., arXiv:2210.09974)."""
    algebra = of_circuit(eq.circuits.permutation_equivariant(n, 1), "0" * n)
    centre, ideals = dimensions(algebra)
    assert algebra.basis.shape[-1] == n + 1
    assert ideals == [(n + 1) ** 2 - 1]
    assert centre <= 1


@pytest.mark.parametrize("n", [4, 6, 8])
def test_the_ising_ring_is_one_pseudospin_for_each_pair_of_momenta(n):
    """From |+...+> the n/2 pairs (k, -k) turn independently: n/2 algebras su(2) (arXiv:1906.08948)."""
    plus = [[2**-0.5, 2**-0.5]] * n
    assert dimensions(of_circuit(eq.circuits.translation_invariant(n, 1), plus)) == (0, [3] * (n // 2))


@pytest.mark.parametrize("n", [3, 4, 5])
def test_matchgates_are_rotations_of_two_n_majorana_modes(n):
    circuit = eq.circuits.parity_conserving(n, 2, interaction="none")
    assert dimensions(of_circuit(circuit, "0" * n)) == (0, [n * (2 * n - 1)])


def test_one_excitation_hops_through_u_of_n_and_four_singlet_spins_through_su_two():
    assert dimensions(of_circuit(eq.circuits.brickwork(4, 2, interaction="none"), "0001")) == (1, [15])
    assert dimensions(of_circuit(eq.circuits.exchange(4, 2), eq.circuits.singlet_pairs(4))) == (1, [3])


def test_ideals_are_orthogonal_closed_and_commute_with_each_other():
    algebra = of_circuit(eq.circuits.translation_invariant(6, 1), [[2**-0.5, 2**-0.5]] * 6)
    parts = [np.tensordot(rows, algebra.basis, axes=1) for rows in algebra.ideals]
    rows = np.concatenate([algebra.centre, *algebra.ideals])
    assert np.abs(rows @ rows.T - np.eye(algebra.dimension)).max() < 1e-9
    for i, first in enumerate(parts):
        for j, second in enumerate(parts):
            products = 1j * (first[:, None] @ second[None] - second[None] @ first[:, None])
            if i != j:
                assert np.abs(products).max() < 1e-9
            else:  # what [g_j, g_j] has outside g_j
                flat = products.reshape(-1, *products.shape[2:])
                kept = np.array([np.tensordot(coordinates(p, first), first, axes=1) for p in flat])
                assert np.abs(flat - kept).max() < 1e-9


def test_the_adjoint_matrix_is_pennylanes_structure_constants():
    """PennyLane's f of orthonormal matrices, [i G_a, i G_b] = sum_c f^c_ab i G_c, against A_cb of H = G_a."""
    import pennylane as qml

    algebra = whole(["X0X1", "Z0", "Z1"], 2)
    found = qml.liealg.structure_constants(list(algebra.basis), matrix=True)
    for a, generator in enumerate(algebra.basis):
        # i [G_a, G_b] = -[i G_a, i G_b]/i: the same up to sign
        assert np.allclose(adjoint_matrix(generator, algebra.basis), found[:, a, :], atol=1e-10) or np.allclose(
            adjoint_matrix(generator, algebra.basis), -found[:, a, :], atol=1e-10
        )


def test_strings_and_matrices_close_to_the_same_algebra():
    """A sum of two strings is closed as matrices, the strings as strings: XX + (Z0 twice) is a change of generators."""
    strings = whole(["X0X1", "X1X2", "Z0", "Z1", "Z2"], 3)
    sums = whole(["X0X1", "X1X2", "Z0+Z1", "Z1+Z2", "Z0+Z2"], 3)
    overlap = np.tensordot(strings.basis, sums.basis, axes=([1, 2], [2, 1]))
    assert strings.dimension == sums.dimension == 15
    assert np.abs(overlap @ overlap.conj().T - np.eye(15)).max() < 1e-9


def test_the_invariant_subspace_is_the_inputs_sector():
    n = 5
    hops = [sparse_matrix(words(f"X{i}X{i + 1}+Y{i}Y{i + 1}"), n) for i in range(n - 1)]
    state = np.zeros(2**n, dtype=complex)
    state[0b00011] = 1
    space = invariant_subspace([*hops, sparse_matrix(words("Z0Z1"), n), sparse_matrix(words("Z2"), n)], state)
    charge = np.bitwise_count(np.arange(2**n, dtype=np.uint64))
    assert space.shape == (2**n, 10)
    assert np.abs(space[charge != 2]).max() < 1e-12


@pytest.mark.parametrize(
    ("texts", "n"),
    [
        (["X0X1", "Y0Y1", "Z0Z1", "X1X2", "Y1Y2", "Z1Z2", "Z0", "Z1", "X2"], 3),
        (["X0X1+Z0", "X1X2+Z1", "Y0Z1+X2"], 3),
    ],
    ids=["strings", "matrices"],
)
def test_an_algebra_past_the_limit_is_refused_before_it_is_complete(texts, n):
    with pytest.raises(UnsupportedError, match=r"has more than 7 dimensions \(\d+ found\).*Raise max_dimension"):
        whole(texts, n, limit=7)


def test_a_subspace_past_its_limit_is_refused():
    n = 8
    generators = [sparse_matrix(words(f"{p}{q}"), n) for p in "XZ" for q in range(n)]
    generators += [sparse_matrix(words(f"Z{q}Z{q + 1}"), n) for q in range(n - 1)]
    with pytest.raises(UnsupportedError, match="more than 64 dimensions"):
        invariant_subspace(generators, np.eye(2**n, dtype=complex)[0])


def test_without_pennylane_the_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pennylane.liealg", None)
    with pytest.raises(MissingPackageError, match="pip install pennylane"):
        whole(["X0", "X0+Y0"], 1)
