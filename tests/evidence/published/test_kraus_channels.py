"""The authors' Kraus maps against exp of the generators that stand for them, both dense."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.linalg import expm

from equinoise.evidence.published.kraus_channels import CHANNELS, kraus_channel
from published_twin import applied, kraus_map

PAULI = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]], dtype=complex),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1.0, -1.0]).astype(complex),
}


def operator(strings, n):
    """Sum of Pauli strings as a matrix, qubit 0 least significant."""
    total = np.zeros((2**n, 2**n), dtype=complex)
    for string, value in strings.items():
        letters = dict(string)
        matrix = np.eye(1)
        for q in reversed(range(n)):
            matrix = np.kron(matrix, PAULI[letters.get(q, "I")])
        total += value * matrix
    return total


def generator(noise, n):
    """Column-stacked superoperator of all terms of a model."""
    one = np.eye(2**n)
    total = np.zeros((4**n, 4**n), dtype=complex)
    for term in noise.terms:
        for rate, strings in term.jumps():
            k = operator(strings, n)
            square = k.conj().T @ k
            total += rate * (np.kron(k.conj(), k) - (np.kron(one, square) + np.kron(square.T, one)) / 2)
        h = operator(term.hamiltonian(), n)
        total += -1j * (np.kron(one, h) - np.kron(h.T, one))
    return total


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize("strength", [0.004, 0.1])
def test_a_generator_with_the_exact_rates_is_the_kraus_map(name, strength):
    n = 2
    ours = expm(generator(kraus_channel(name, n).noise(strength), n))
    for x, y in itertools.product(range(2**n), repeat=2):
        element = np.zeros((2**n, 2**n), dtype=complex)
        element[x, y] = 1.0
        theirs = applied(kraus_map(name, strength, n), element)
        assert np.allclose((ours @ element.ravel(order="F")).reshape(4, 4, order="F"), theirs, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", [name for name in CHANNELS if name not in ("x_err", "biased_pauli")])
def test_to_first_order_rates_are_probabilities(name):
    n, step = 2, 1e-6
    slope = generator(kraus_channel(name, n).noise(step), n) / step
    turned = generator(kraus_channel(name, n).noise(0.0), n)
    ours = generator(kraus_channel(name, n).first_order(), n)
    if name in ("coh_overrot", "coh_diss_mix"):
        turned = (slope - slope.conj()) / 2  # RZ turns coherences by phases: the imaginary part, which is left out
    assert np.allclose(ours, slope - turned, rtol=0, atol=20 * step)


@pytest.mark.parametrize("name", ["x_err", "biased_pauli"])
def test_bit_flips_to_first_order_are_theirs_where_ket_and_bra_keep_their_charges(name):
    n, step = 2, 1e-6
    slope = generator(kraus_channel(name, n).noise(step), n) / step
    charge = np.bitwise_count(np.arange(4))
    difference = (charge[:, None] - charge[None, :]).ravel(order="F")
    same = difference[:, None] == difference[None, :]
    ours = generator(kraus_channel(name, n).first_order(), n)
    assert np.allclose(ours, np.where(same, slope, 0), rtol=0, atol=20 * step)
    assert not np.allclose(ours, slope, atol=0.1)


def test_dephasing_and_damping_rates_are_the_logarithms_of_what_is_left():
    noise = kraus_channel("dephase", 1).noise(0.2)
    assert math.isclose(noise.dephasing[0].rate, -math.log(0.6) / 2, rel_tol=1e-14)
    noise = kraus_channel("gen_amp_damp", 1).noise(0.2)
    assert math.isclose(noise.relaxation[0].up, -0.3 * math.log(0.8), rel_tol=1e-14)
