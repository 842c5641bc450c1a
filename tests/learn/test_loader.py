"""Loaders prepare the vector that they are given, and their noise acts on it."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.quantum_info import Statevector

from equinoise.errors import ParameterError
from equinoise.learn.classifier_circuit import ClassifierCircuit, Design
from equinoise.learn.encoding import fitted_encoding
from equinoise.learn.loader import loader


def prepared(load, row):
    """Qiskit's amplitudes of the loader's output."""
    circuit = load.circuit()
    bound = circuit.assign_parameters(dict(zip(circuit.parameters, load.angles(row[None])[0], strict=True)))
    return Statevector.from_label(load.initial).evolve(bound).data


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_one_excitation_has_the_normalised_vector_as_amplitudes_signs_included(n):
    row = np.random.default_rng(n).normal(size=n)
    row[0] = -abs(row[0])
    state = prepared(loader(n), row)
    np.testing.assert_allclose(state[2 ** np.arange(n)], row / np.linalg.norm(row), atol=1e-14)


def test_two_registers_have_the_product_of_their_vectors():
    row = np.random.default_rng(1).normal(size=7)
    load = loader(7, excitations=2)
    state = prepared(load, row)
    (a, b), (c, d) = load.registers
    u, v = (row[s:t] / np.linalg.norm(row[s:t]) for s, t in ((a, b), (c, d)))
    for i in range(a, b):
        for j in range(c, d):
            assert state[2**i + 2**j] == pytest.approx(u[i - a] * v[j - c], abs=1e-14)


def test_a_row_without_direction_is_loaded_evenly():
    np.testing.assert_allclose(prepared(loader(4), np.zeros(4))[[1, 2, 4, 8]], 0.5, atol=1e-14)


def test_the_tree_of_64_qubits_has_six_layers():
    assert loader(64).depth == 6


def test_damping_in_the_loader_takes_its_share_in_every_layer():
    model = ClassifierCircuit(Design(8, 2, depth=1, noise="relaxation:down=0.3"), workers=1)
    state = model.loaded(np.random.default_rng(2).normal(size=(1, 8)))[0]
    # block of charge 0 first: one real and one imaginary part; each of three layers keeps exp(-0.3)
    assert state[0] == pytest.approx(1 - np.exp(-3 * 0.3), abs=1e-13)
    assert np.trace(state[2 : 2 + 64].reshape(8, 8)) == pytest.approx(np.exp(-3 * 0.3), abs=1e-13)


def test_too_few_qubits_are_refused_with_the_number_needed():
    with pytest.raises(ParameterError, match=r"2 excitation.s. need at least 4 qubits.*got 3"):
        loader(3, excitations=2)
    with pytest.raises(ParameterError, match="excitations must be 1 or 2, got 3"):
        loader(9, excitations=3)


def test_encoding_keeps_lengths_where_a_qubit_is_spare_and_survives_constant_features():
    rows = np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    vectors = fitted_encoding(rows, loader(3), "standard").vectors(rows)
    assert np.all(vectors[:, 1] == 0)
    np.testing.assert_allclose(vectors[:, 2], 1.0)
    with pytest.raises(ParameterError, match="2 features do not fit on 1"):
        fitted_encoding(rows, type(loader(2))(1, ((0, 1),), ()), "standard")
