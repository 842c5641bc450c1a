"""What every kind of noise says about itself agrees with its own jumps and Hamiltonian."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.quantum_info import Kraus as QiskitKraus
from qiskit.quantum_info import SuperOp
from scipy.linalg import expm

import equinoise as eq
from equinoise.errors import NoiseError
from equinoise.noise.terms import KINDS, Dephasing, Depolarizing, PauliJump, Relaxation
from equinoise.noise.terms.coherent import Coherent
from equinoise.noise.terms.jump import Jump
from equinoise.noise.terms.kraus import Kraus
from equinoise.noise.terms.pauli_jump import BitFlips
from equinoise.noise.terms.term import NoiseTerm


def random_channel():
    """Kraus operators on a pair: near the identity, so that there is a generator."""
    rng = np.random.default_rng(5)
    jumps = [rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4)) for _ in range(2)]
    h = jumps[0] + jumps[0].conj().T
    eye = np.eye(4)
    generator = -0.05j * (np.kron(h, eye) - np.kron(eye, h.T))
    for k in jumps:
        square = k.conj().T @ k
        generator += 0.01 * (np.kron(k, k.conj()) - (np.kron(square, eye) + np.kron(eye, square.T)) / 2)
    return QiskitKraus(SuperOp(columns_first(expm(generator)))).data


def columns_first(channel):
    """A superoperator on matrices vectorised row by row as one on columns, which Qiskit takes."""
    return channel.reshape(4, 4, 4, 4).transpose(1, 0, 3, 2).reshape(16, 16)


TERMS = {
    "dephasing": Dephasing(0.2, {1: 1.0, 3: -0.5}),
    "relaxation": Relaxation(2, 0.3, 0.1),
    "depolarizing": Depolarizing((1,), 0.2),
    "depolarizing of a pair": Depolarizing((1, 3), 0.2),
    "pauli": PauliJump("X1Z3", 0.1),
    "product of Z": PauliJump("Z1Z3", 0.1),
    "bit flips": BitFlips(2, 0.1),
    "jump": Jump((3, 1), np.arange(16).reshape(4, 4) / 10, 0.1),
    "kraus": Kraus((3, 1), random_channel()),
    "coherent": Coherent((1,), [[0, -1j], [1j, 0.5]], 0.3),
}
each_term = pytest.mark.parametrize("term", TERMS.values(), ids=TERMS)


def test_every_kind_is_among_the_terms_looked_at():
    assert set(KINDS) == {term.kind for term in TERMS.values()}


@each_term
def test_the_generator_is_that_of_the_jumps_and_preserves_the_trace(term):
    found = term.superoperator()
    np.testing.assert_allclose(found, NoiseTerm.superoperator(term), atol=1e-14)
    identity = np.eye(2 ** len(term.sites)).ravel()
    np.testing.assert_allclose(identity @ found, 0, atol=1e-14)


@each_term
def test_listed_decay_rates_are_the_generators_eigenvalues_and_the_bound_its_norms(term):
    values = np.linalg.eigvals(term.superoperator())
    if term.decays is not None:
        assert np.abs(values.imag).max() < 1e-12
        assert np.abs(np.subtract.outer(values.real, term.decays)).min(axis=1).max() < 1e-12
    assert term.bound >= np.abs(values).max() - 1e-12


@each_term
def test_the_charge_is_kept_if_and_only_if_the_operators_commute_with_it(term):
    charge = np.diag([x.bit_count() for x in range(2 ** len(term.sites))])
    operators = [term.dense(jump) for _, jump in term.jumps()] + [term.dense(term.hamiltonian())]
    assert term.keeps_charge == all(np.allclose(k @ charge, charge @ k) for k in operators)


@each_term
def test_a_term_is_itself_on_its_own_qubits_nothing_elsewhere_and_reads_back(term):
    assert term.restricted(frozenset(range(5))) == term
    assert term.restricted(frozenset({0})) is None
    assert term.placed({q: q + 1 for q in range(5)}).sites == tuple(q + 1 for q in term.sites)
    assert term.scaled(0.5).strength == pytest.approx(term.strength / 2)
    if not isinstance(term, BitFlips):
        assert type(term)(**term.plain()) == term
        assert eq.NoiseModel([term]).terms == getattr(eq.NoiseModel([term]), term.kind)


def test_equal_jumps_are_joined_beyond_the_greatest_rate_that_may_be_stated():
    (joined,) = Dephasing.merged([Dephasing(900.0, {0: 1.0}), Dephasing(900.0, {0: 1.0})])
    assert joined.strength == 1800.0


def test_an_unknown_kind_of_noise_is_refused_by_name():
    with pytest.raises(NoiseError, match="no kind of noise 'flips'"):
        eq.NoiseModel(flips=0.1)


def test_a_channel_by_its_kraus_operators_is_itself_at_scale_1():
    term = Kraus((3, 1), random_channel())
    expected = sum(np.kron(k, k.conj()) for k in map(np.array, term.operators))
    np.testing.assert_allclose(expm(term.superoperator()), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("operators", "message"),
    [
        ([np.diag([1, 0.5])], "must be complete"),
        ([np.diag([1, 0]), np.diag([0, 1])], "erases or inverts"),
        # a bit flip with less than its share of phase flips: no noise of small steps makes it
        ([np.sqrt(0.9) * np.array([[0, 1], [1, 0]]), np.sqrt(0.1) * np.eye(2)], "erases or inverts"),
        (
            [
                np.sqrt(p) * np.array(k)
                for p, k in ((0.6, np.eye(2)), (0.2, [[0, 1], [1, 0]]), (0.2, [[0, -1j], [1j, 0]]))
            ],
            "negative rate",
        ),
        ([np.eye(4)], "must have 2 rows"),
    ],
)
def test_a_channel_that_no_generator_makes_is_refused(operators, message):
    with pytest.raises(NoiseError, match=message):
        Kraus((0,), operators)
