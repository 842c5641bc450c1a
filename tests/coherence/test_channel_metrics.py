"""Standard channel diagnostics against Qiskit on 1 to 3 qubits, closed forms, and the programs they reduce."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from qiskit.quantum_info import (
    PTM,
    Choi,
    DensityMatrix,
    Operator,
    SuperOp,
    diamond_norm,
    process_fidelity,
)
from scipy.linalg import expm

import equinoise as eq
from equinoise.coherence import metrics
from equinoise.coherence.metrics import SlotChannel
from equinoise.errors import ParameterError, UnsupportedError
from equinoise.noise.terms import Depolarizing, Relaxation
from equinoise.noise.terms.pauli_jump import BitFlips
from equinoise.reduction.program import compile_problem
from slot_parts import slot_program

LOWER = np.array([[0.0, 1.0], [0.0, 0.0]])
PAULIS = {"I": np.eye(2), "X": np.array([[0, 1], [1, 0]]), "Y": np.array([[0, -1j], [1j, 0]]), "Z": np.diag([1.0, -1])}
# both sides are exact linear algebra on at most 64 x 64 matrices with entries of order 1
EXACT = {"rel": 1e-10, "abs": 1e-12}


# -- the slow way: Lindblad generators as 4^w x 4^w matrices on column-stacked operators, as Qiskit's SuperOp ----------


def on_qubits(v):
    """Weights by qubit, as a slot holds them."""
    return tuple((i, float(w)) for i, w in enumerate(v) if w)


def on(width, factors):
    return functools.reduce(lambda low, i: np.kron(factors.get(i, np.eye(2)), low), range(width), np.eye(1))


def lindblad(jump):
    square, eye = jump.conj().T @ jump, np.eye(len(jump))
    return np.kron(jump.conj(), jump) - (np.kron(eye, square) + np.kron(square.T, eye)) / 2


def generators(slot, width):
    """Generators of dephasing, relaxation, depolarizing and flips, in the order in which they act."""
    none = np.zeros((4**width, 4**width), dtype=complex)
    dephasing, relaxation, depolarizing, flips = none.copy(), none.copy(), none.copy(), none.copy()
    for rate, v, parity in slot.jumps:
        if parity:
            dephasing += rate * lindblad(on(width, {i: PAULIS["Z"] for i, _ in v}))
        else:
            dephasing += rate * lindblad(sum(w * on(width, {i: PAULIS["Z"]}) for i, w in v))
    of = {
        kind: [term for term in slot.terms if isinstance(term, kind)] for kind in (Relaxation, Depolarizing, BitFlips)
    }
    for term in of[Relaxation]:
        lower = on(width, {term.qubit: LOWER})
        relaxation += term.down * lindblad(lower) + term.up * lindblad(lower.T)
    for term in of[Depolarizing]:
        qubits, rate = term.qubits, term.rate
        for letters in np.ndindex(*(4,) * len(qubits)):
            factors = {q: PAULIS["IXYZ"[k]] for q, k in zip(qubits, letters, strict=True)}
            depolarizing += rate / 4 ** len(qubits) * lindblad(on(width, factors))
    for term in of[BitFlips]:
        for letter in "XY":
            flips += term.rate / 2 * lindblad(on(width, {term.qubit: PAULIS[letter]}))
    return dephasing, relaxation, depolarizing, flips


def superoperator(slot, width, scale=1.0):
    return SuperOp(
        functools.reduce(lambda before, e: expm(scale * e) @ before, generators(slot, width), np.eye(4**width))
    )


def random_slot(width, seed, kinds="drpf"):
    rng = np.random.default_rng(seed)
    jumps, relaxation, depolarizing, flips = (), (), (), ()
    if "d" in kinds:
        jumps = ((0.2, on_qubits(rng.normal(size=width)), False), (0.1, on_qubits(rng.normal(size=width)), False))
    if "z" in kinds:
        jumps += ((0.15, on_qubits((1.0,) * width), True),)
    if "r" in kinds:
        relaxation = tuple((i, tuple(rng.uniform(0, 0.4, 2))) for i in range(width))
    if "p" in kinds:
        depolarizing = ((0,), 0.2), *((((i, i + 1), 0.1 + 0.1 * i)) for i in range(width - 1))
    if "f" in kinds:
        flips = ((width - 1, 0.1),)
    return slot_program(jumps, relaxation, tuple(depolarizing), flips, ())


CASES = [(w, kinds) for w in (1, 2, 3) for kinds in ("d", "r", "p", "zr", "drpf")]
each_case = pytest.mark.parametrize(("width", "kinds"), CASES)


# -- against Qiskit ----------------------------------------------------------------------------------------------------


@each_case
def test_fidelities_equal_qiskit(width, kinds):
    slot = random_slot(width, 1, kinds)
    channel, whole = SlotChannel(slot, width), superoperator(slot, width, 0.7)
    identity = Operator(np.eye(2**width))
    infidelity = 1 - process_fidelity(whole, identity)
    assert metrics.entanglement_infidelity(channel, 0.7) == pytest.approx(infidelity, **EXACT)


@each_case
def test_unitarity_equals_the_pauli_transfer_matrix(width, kinds):
    slot = random_slot(width, 2, kinds)
    block = np.real(PTM(superoperator(slot, width)).data)[1:, 1:]
    expected = np.sum(block**2) / (4**width - 1)
    assert metrics.unitarity(SlotChannel(slot, width)) == pytest.approx(expected, **EXACT)


@each_case
def test_channel_and_generator_on_a_state_equal_the_superoperator(width, kinds):
    slot = random_slot(width, 3, kinds)
    channel = SlotChannel(slot, width)
    rng = np.random.default_rng(0)
    a = rng.normal(size=(2, 2**width, 2**width)) + 1j * rng.normal(size=(2, 2**width, 2**width))
    rho = a @ a.conj().transpose(0, 2, 1)
    total = sum(generators(slot, width))
    for k in range(2):
        expected = DensityMatrix(rho[k]).evolve(superoperator(slot, width, 0.6)).data
        np.testing.assert_allclose(channel.apply(rho, 0.6)[k], expected, atol=1e-11)
        slope = (total @ rho[k].ravel(order="F")).reshape(rho[k].shape, order="F")
        np.testing.assert_allclose(channel.generate(rho)[k], slope, atol=1e-11)


@each_case
def test_spectral_gap_is_the_slowest_decay_of_the_full_generator(width, kinds):
    slot = random_slot(width, 4, kinds)
    decays = -np.linalg.eigvals(sum(generators(slot, width))).real
    expected = decays[decays > 1e-6].min()
    # defective or nearly equal eigenvalues lose half the digits
    assert metrics.spectral_gap(SlotChannel(slot, width)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("width", "kinds"), [(1, "dr"), (1, "p"), (1, "r"), (2, "d"), (2, "r"), (2, "drpf")])
def test_diamond_distance_encloses_the_semidefinite_program(width, kinds):
    pytest.importorskip("cvxpy")
    slot = random_slot(width, 5, kinds)
    difference = Choi(superoperator(slot, width)).data - Choi(Operator(np.eye(2**width))).data
    expected = diamond_norm(Choi(difference)) / 2
    found = metrics.diamond_distance(SlotChannel(slot, width), tolerance=1e-5)
    # the solver's own accuracy
    assert found.lower <= expected + 1e-4
    assert expected - 1e-4 <= found.upper
    assert found.upper - found.lower <= 1e-5 * found.upper * 1.0001


def test_diamond_distance_of_correlated_dephasing_is_half_the_schur_multiplier_norm_on_three_qubits():
    cvxpy = pytest.importorskip("cvxpy")
    channel = SlotChannel(random_slot(3, 6, "d"), 3)
    change = np.exp(-channel.coherence_rates) - 1
    whole = cvxpy.Variable((16, 16), symmetric=True)
    norm = cvxpy.Problem(cvxpy.Minimize(cvxpy.max(cvxpy.diag(whole))), [whole >> 0, whole[:8, 8:] == change]).solve()
    assert metrics.diamond_distance(channel, tolerance=1e-6).value == pytest.approx(norm / 2, abs=1e-4)


# -- closed forms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1, 3, 6])
def test_diamond_distance_of_a_pauli_channel_is_its_entanglement_infidelity_at_once(width):
    jumps = tuple((0.1 * (i + 1), on_qubits(np.eye(width)[i]), False) for i in range(width))
    slot = slot_program(jumps, (), (((0,), 0.2),), ((0, 0.1),), ())
    found = metrics.diamond_distance(SlotChannel(slot, width))
    assert found.iterations == 1
    assert found.upper == pytest.approx(found.lower, abs=1e-12)
    assert found.value == pytest.approx(metrics.entanglement_infidelity(SlotChannel(slot, width)), abs=1e-12)


def test_entanglement_fidelity_of_local_noise_is_a_product_over_many_qubits():
    gamma, lam = 0.3, 0.2
    slot = slot_program(
        tuple((lam, on_qubits(np.eye(8)[i]), False) for i in range(4)),
        tuple((i, (gamma, 0.0)) for i in range(4, 8)),
        (),
        (),
        (),
    )
    dephased, damped = (1 + math.exp(-2 * lam)) / 2, ((1 + math.exp(-gamma / 2)) / 2) ** 2
    found = metrics.entanglement_infidelity(SlotChannel(slot, 8))
    assert found == pytest.approx(1 - dephased**4 * damped**4, rel=1e-12)


def test_collective_dephasing_has_rates_in_the_whole_space_and_none_in_a_sector():
    channel = SlotChannel(slot_program(((0.1, on_qubits((1.0,) * 4), False),), (), (), (), ()), 4)
    assert metrics.worst_coherence_rate(channel) == pytest.approx(0.1 * 8**2 / 2)
    assert metrics.worst_coherence_rate(channel, 2) == 0
    assert metrics.mean_coherence_rate(channel, 2) == 0
    assert metrics.spectral_gap(channel) == pytest.approx(0.1 * 2**2 / 2)


def test_local_dephasing_rates_count_the_qubits_that_differ():
    channel = SlotChannel(slot_program(tuple((0.1, on_qubits(v), False) for v in np.eye(4)), (), (), (), ()), 4)
    assert metrics.worst_coherence_rate(channel, 2) == pytest.approx(4 * 0.2)
    # from one of the 6 states of charge 2: 4 others at distance 2, one at distance 4
    assert metrics.mean_coherence_rate(channel, 2) == pytest.approx((4 * 2 + 4) / 5 * 0.2)


def test_rates_equal_those_of_the_compiled_program():
    noise = {
        "dephasing": [{"rate": 0.1, "weights": {0: 1.0, 2: -0.5}}],
        "relaxation": [{"qubit": 1, "down": 0.1, "up": 0.05}],
        "depolarizing": [{"qubits": [0, 1], "rate": 0.1}, {"qubits": [2], "rate": 0.1}],
        "pauli": [{"pauli": "Z0Z3", "rate": 0.1}, {"pauli": "X3", "rate": 0.1}, {"pauli": "Y3", "rate": 0.1}],
    }
    circuit = eq.circuits.brickwork(4, depth=4)
    program = compile_problem(eq.Problem(circuit, "Z1", "neel", noise), reduce=False)
    channel = metrics.slot_channel(program, 0)
    np.testing.assert_allclose(channel.coherence_rates, program.coherence_rates(program.slots[0], None), atol=1e-14)
    strength = 0.1 * 1.5**2 + 0.15 + 0.1 * 15 / 16 + 0.1 * 3 / 4 + 0.1 + 0.2
    assert metrics.jump_strength(channel) == pytest.approx(strength)


def test_strength_of_one_jump_sets_its_worst_case_rate_whatever_the_correlations():
    for v in np.random.default_rng(0).normal(size=(5, 4)):
        channel = SlotChannel(slot_program(((0.1, on_qubits(v), False),), (), (), (), ()), 4)
        assert metrics.worst_coherence_rate(channel) == pytest.approx(2 * metrics.jump_strength(channel))


# -- with states -------------------------------------------------------------------------------------------------------


def test_state_only_quotient_is_half_the_initial_purity_loss():
    channel = SlotChannel(random_slot(3, 7), 3)
    rng = np.random.default_rng(1)
    psi = rng.normal(size=8) + 1j * rng.normal(size=8)
    rho = np.outer(psi, psi.conj()) / np.vdot(psi, psi)
    step = 1e-6
    # the error of the difference quotient is of the order of the step
    slope = metrics.purity_loss(channel, rho, step) / step / 2
    assert metrics.rayleigh_quotient(channel, rho) == pytest.approx(slope, rel=1e-4)


def test_rayleigh_quotient_of_dephasing_weights_the_rates_with_the_operator():
    channel = SlotChannel(random_slot(3, 8, "d"), 3)
    a = np.random.default_rng(2).normal(size=(8, 8))
    expected = np.sum(channel.coherence_rates * a**2) / np.sum(a**2)
    assert metrics.rayleigh_quotient(channel, a) == pytest.approx(expected, rel=1e-12)


def test_unital_identity_costs_nothing_and_a_pure_state_loses_all_but_half_to_full_dephasing():
    plus = np.full((2, 2), 0.5)
    channel = SlotChannel(slot_program(((50.0, on_qubits((1.0,)), False),), (), (), (), ()), 1)
    assert metrics.purity_loss(channel, plus) == pytest.approx(0.5)
    assert metrics.rayleigh_quotient(channel, np.eye(2)) == 0


def test_no_noise_and_zero_scale_give_an_ideal_channel():
    silent = SlotChannel(slot_program((), (), (), (), ()), 3)
    noisy = SlotChannel(random_slot(3, 9), 3)
    for channel, scale in ((silent, 1.0), (noisy, 0.0)):
        assert metrics.entanglement_infidelity(channel, scale) == pytest.approx(0, abs=1e-14)
        assert metrics.unitarity(channel, scale) == pytest.approx(1, abs=1e-14)
        assert metrics.diamond_distance(channel, scale).upper == pytest.approx(0, abs=1e-13)
    assert metrics.spectral_gap(silent) == metrics.worst_coherence_rate(silent) == metrics.jump_strength(silent) == 0


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_lone_x_jumps_are_refused_with_a_remedy():
    slot = slot_program((), (), (), (), ((((0, "X"),), 0.1),))
    with pytest.raises(UnsupportedError, match="Give X and Y the same rate"):
        SlotChannel(slot, 1)


def test_wide_channels_bad_shapes_scales_and_charges_are_refused():
    empty = slot_program((), (), (), (), ())
    with pytest.raises(UnsupportedError, match="11 qubits are more than 10"):
        SlotChannel(empty, 11)
    channel = SlotChannel(empty, 2)
    with pytest.raises(ParameterError, match=r"shape \(\.\.\., 4, 4\)"):
        metrics.purity_loss(channel, np.eye(2))
    with pytest.raises(ParameterError, match="finite noise scale"):
        metrics.unitarity(channel, math.inf)
    with pytest.raises(ParameterError, match=r"0\.\.2"):
        metrics.worst_coherence_rate(channel, 3)
