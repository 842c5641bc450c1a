"""Blocks of total spin: averages over permutations against 2^n amplitudes, and what a hundred qubits must be."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from qiskit.quantum_info import SparsePauliOp
from tests.symmetric_problems import entangled, product_state

from equinoise.circuit.pauli_sums import from_operator, sparse_matrix
from equinoise.engines.spin.orbits import totals
from equinoise.symmetry.spin_blocks import spin_blocks


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_averages_over_permutations_keep_every_symmetric_mean(n):
    """<sum of all strings with so many X, Y, Z> of product and entangled states, against 2^n amplitudes."""
    blocks = spin_blocks(n)
    product, state = product_state(n), entangled(n)
    amplitudes = np.ones(1)
    for one in product:
        amplitudes = np.kron(one, amplitudes)
    for counts in itertools.product(range(n + 1), repeat=3):
        if sum(counts) > n:
            continue
        word = "X" * counts[0] + "Y" * counts[1] + "Z" * counts[2] + "I" * (n - sum(counts))
        words = sorted(set(itertools.permutations(word)))
        assert len(words) == blocks.strings(counts)
        operator = SparsePauliOp(["".join(w) for w in words])
        strings = from_operator(operator)
        matrix = sparse_matrix(strings, n).toarray() if sum(counts) else np.eye(2**n)
        block = blocks.join(blocks.pauli(counts))
        if sum(counts):
            np.testing.assert_allclose(blocks.twirled(totals(strings)), block, rtol=0, atol=1e-13)
        for flat, vector in (
            (blocks.product_state(product), amplitudes),
            (blocks.vectors_state(state.data[:, None]), state.data),
        ):
            found = np.sum(block.conj() * flat)
            assert found == pytest.approx(vector.conj() @ matrix @ vector, rel=0, abs=1e-12)


def test_a_hundred_equal_qubits_fill_the_largest_spin_alone():
    blocks = spin_blocks(100)
    state = blocks.split(blocks.product_state(np.tile(product_state(1), (100, 1))))
    assert np.trace(state[0]) == pytest.approx(1.0, rel=0, abs=1e-13)
    assert max(np.abs(block).max() for block in state[1:]) < 1e-14


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_blocks_hold_as_many_numbers_as_there_are_ways_to_deal_qubits_to_four_operators(n):
    blocks = spin_blocks(n)
    assert blocks.size == math.comb(n + 3, 3)
    assert [b.shape[0] for b in blocks.split(np.zeros(blocks.size, dtype=complex))] == list(range(n + 1, 0, -2))


def test_a_basis_state_has_each_spin_as_often_as_pascal_says():
    """d_J / C(n, q) with d_J = C(n, k) - C(n, k - 1), for every J that holds M = n/2 - q; nothing off the diagonal."""
    n, filled = 60, 25
    bits = np.tile([[1.0, 0.0]], (n, 1))
    bits[:filled] = [0.0, 1.0]
    for k, block in enumerate(spin_blocks(n).split(spin_blocks(n).product_state(bits))):
        ways = math.comb(n, k) - (math.comb(n, k - 1) if k else 0)
        weight = ways / math.comb(n, filled) if k <= filled else 0.0
        expected = np.zeros(block.shape)
        if k <= filled:
            expected[filled - k, filled - k] = weight
        # relative to each weight, of which the least is 1e-17
        np.testing.assert_allclose(block, expected, rtol=1e-12, atol=0)


# a thousand strings of forty letters are built on one another
LONG = [(20, 20, 0), (16, 15, 2), (12, 12, 12), (2, 50, 3)]


def test_the_parity_of_sixty_qubits_is_the_sign_of_their_excitations():
    blocks = spin_blocks(60)
    for block, j in zip(blocks.pauli((0, 0, 60)), range(30, -1, -1), strict=True):
        signs = (-1.0) ** (30 - np.arange(j, -j - 1, -1))
        np.testing.assert_allclose(block, np.diag(signs), rtol=0, atol=1e-12)


@pytest.mark.parametrize("counts", [(0, 0, 31), (30, 0, 1), *(pytest.param(c, marks=pytest.mark.slow) for c in LONG)])
def test_sums_of_long_strings_have_the_square_of_orthogonal_strings(counts):
    """Tr[E^2] / 2^n is the number of strings, over blocks whose spins come in d_J ways; sixty qubits."""
    n, blocks = 60, spin_blocks(60)
    total = 0.0
    for k, block in enumerate(blocks.pauli(counts)):
        ways = math.comb(n, k) - (math.comb(n, k - 1) if k else 0)
        np.testing.assert_allclose(block, block.conj().T, rtol=0, atol=1e-14 * blocks.strings(counts))
        total += ways / 2**n * np.linalg.norm(block) ** 2
    assert total == pytest.approx(blocks.strings(counts), rel=1e-10)
