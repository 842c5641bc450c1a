"""The symmetry class of noise, from its operators: strong, weak, broken, and the terms that break it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import Pauli

import equinoise as eq
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import PauliJump
from equinoise.reduction.slots.noise_class import noise_class

CIRCUIT = eq.circuits.brickwork(3, depth=2)


def slots(**data):
    return eq.Problem(CIRCUIT, readout="Z1", initial="neel", noise=NoiseModel.from_dict(data)).slots


def jumps(rates, **where):
    return [{"pauli": pauli, "rate": rate, **where} for pauli, rate in rates.items()]


STRONG = {
    "local dephasing": {"dephasing": 0.1},
    "correlated dephasing": {"dephasing": [{"rate": 0.1, "weights": {"0": 1.0, "2": -0.5}}]},
    "collective dephasing": {"dephasing": [{"rate": 0.1, "weights": "all"}]},
    "parity ZZ": {"pauli": jumps({"Z0Z1": 0.1})},
    "parity ZZZ": {"pauli": jumps({"Z0Z1Z2": 0.1})},
}
WEAK = {
    "relaxation down": {"relaxation": 0.1},
    "relaxation up": {"relaxation": [{"qubit": 1, "up": 0.1}]},
    "depolarizing": {"depolarizing": 0.1},
    "pair depolarizing": {"depolarizing": [{"qubits": [0, 1], "rate": 0.1}]},
    "X and Y equal": {"pauli": jumps({"X0": 0.1, "Y0": 0.1})},
    "X and Y equal in parts": {"pauli": [*jumps({"X0": 0.05, "Y0": 0.1}), *jumps({"X0": 0.05})]},
    "with dephasing": {"dephasing": 0.2, "relaxation": 0.1},
}
BROKEN = {
    "X alone": {"pauli": jumps({"X0": 0.1})},
    "Y alone": {"pauli": jumps({"Y1": 0.1})},
    "X and Y unequal": {"pauli": jumps({"X0": 0.1, "Y0": 0.11})},
    "X and Y of different qubits": {"pauli": jumps({"X0": 0.1, "Y1": 0.1})},
    "X and Y of different slots": {"pauli": [*jumps({"X0": 0.1}, layers=[0]), *jumps({"Y0": 0.1}, layers=[1])]},
    "XX alone": {"pauli": jumps({"X0X1": 0.1})},
    "XX and YY": {"pauli": jumps({"X0X1": 0.1, "Y0Y1": 0.1})},
    "XZ": {"pauli": jumps({"X0Z1": 0.1})},
}


@pytest.mark.parametrize("name", STRONG)
def test_jumps_that_commute_with_the_charge_are_strong(name):
    assert noise_class(slots(**STRONG[name])) == "strong"


@pytest.mark.parametrize("name", WEAK)
def test_generators_that_commute_with_the_charges_action_are_weak(name):
    found = noise_class(slots(**WEAK[name]))
    assert found == "weak"
    assert found.blockwise
    assert found.breaking == ()


@pytest.mark.parametrize("name", BROKEN)
def test_other_jumps_break_the_charge_and_are_named(name):
    found = noise_class(slots(**BROKEN[name]))
    assert found == "broken"
    assert not found.blockwise
    terms = BROKEN[name]["pauli"]
    assert len(found.breaking) == len(terms)
    for entry, text in zip(terms, found.breaking, strict=True):
        assert entry["pauli"] in text


def test_no_noise_and_zero_rates_are_none():
    assert noise_class(slots()) == "none"
    assert noise_class([]) == "none"
    zero = slots(dephasing=0.0, relaxation=0.0, depolarizing=0.0, pauli=jumps({"X0": 0.0}))
    assert noise_class(zero) == "none"


def test_one_breaking_term_among_conserving_ones_is_the_one_named():
    found = noise_class(slots(dephasing=0.1, relaxation=0.1, pauli=[*jumps({"Z0Z1": 0.1}), *jumps({"Y2": 0.1})]))
    assert found == "broken"
    assert [text.split(",")[0] for text in found.breaking] == ["pauli 0.1 D[Y2]"]


def test_all_fifteen_pair_paulis_at_one_rate_are_depolarizing_and_weak():
    """Their generator is 16 rate times the depolarizing one: weak, though no single jump of XX, XZ, ... is."""
    letters = [p for p in itertools.product("IXYZ", repeat=2) if p != ("I", "I")]
    rates = {"".join(f"{a}{q}" for q, a in enumerate(p) if a != "I"): 0.01 for p in letters}
    found = noise_class(slots(pauli=jumps(rates)))
    assert found == "weak"
    assert not found.blockwise  # the block engine has no channel for pair jumps: the full space computes it
    # 0.01 D[P] summed over all 16 P is 0.16 (Tr(r) 1/4 - r)
    theta = np.linspace(-2, 2, CIRCUIT.num_parameters)
    as_jumps, as_depolarizing = (
        eq.gradient(eq.Problem(CIRCUIT, readout="Z1", initial="neel", noise=noise), theta)
        for noise in ({"pauli": jumps(rates)}, {"depolarizing": [{"qubits": [0, 1], "rate": 0.16}]})
    )
    # both exact: rounding of order 1e-15 per gate
    np.testing.assert_allclose(as_jumps.gradient, as_depolarizing.gradient, atol=1e-12)


@pytest.mark.parametrize("missing", ["XX", "XZ", "IY"])
def test_fourteen_pair_paulis_break_the_charge(missing):
    letters = [p for p in itertools.product("IXYZ", repeat=2) if p != ("I", "I") and "".join(p) != missing]
    rates = {"".join(f"{a}{q}" for q, a in enumerate(p) if a != "I"): 0.01 for p in letters}
    assert noise_class(slots(pauli=jumps(rates))) == "broken"


def test_xx_yy_xy_yx_at_one_rate_are_weak():
    """Together they average over both phases; XX with YY alone keeps the coherence between charges 0 and 2."""
    assert noise_class(slots(pauli=jumps({"X0X1": 0.1, "Y0Y1": 0.1, "X0Y1": 0.1, "Y0X1": 0.1}))) == "weak"


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["".join(p) for p in itertools.product("IXYZ", repeat=2) if p != ("I", "I")]),
        st.sampled_from([0.1, 0.2]),
        min_size=1,
        max_size=6,
    )
)
def test_class_of_random_pair_paulis_follows_from_their_superoperator(rates):
    """Weak exactly if exp(i a Q) r exp(-i a Q) goes through the generator unchanged; strong if every jump commutes."""
    charge = np.diag([0.0, 1.0, 1.0, 2.0])
    matrices = {label: Pauli(label[::-1]).to_matrix() for label in rates}  # letter 0 on qubit 0
    generator = sum(rate * (np.kron(matrices[p], matrices[p].conj()) - np.eye(16)) for p, rate in rates.items())
    turn = np.kron(charge, np.eye(4)) - np.kron(np.eye(4), charge)
    if all(np.allclose(m @ charge, charge @ m) for m in matrices.values()):
        expected = {"strong"}
    elif np.allclose(generator @ turn, turn @ generator):
        expected = {"weak"}
    else:
        # a sum over both qubits may conserve where parts on one qubit, taken by themselves, do not: never the reverse
        expected = {"broken"}
    labels = {"".join(f"{a}{q}" for q, a in enumerate(p) if a != "I"): rate for p, rate in rates.items()}
    assert noise_class(slots(pauli=jumps(labels))) in expected


def test_superposed_terms_of_one_qubit_count_together_whatever_their_order():
    rates = [PauliJump("Y0", 0.1), PauliJump("X0", 0.06), PauliJump("X0", 0.04)]
    for order in itertools.permutations(rates):
        model = NoiseModel(pauli=list(order))
        assert noise_class(eq.Problem(CIRCUIT, readout="Z1", noise=model).slots) == "weak"


def test_class_is_that_of_the_noise_inside_the_cone():
    """Flips that the readout does not see break nothing that is computed."""
    wide = eq.circuits.brickwork(8, depth=2)
    noise = {"dephasing": 0.1, "pauli": jumps({"X7": 0.2})}
    problem = eq.Problem(wide, readout="Z1", initial="neel", noise=noise)
    assert noise_class(problem.slots) == "broken"
    report = eq.diagnose(problem, sampling=eq.Sampling(samples=2), curve=False)
    assert report.equivariance["noise_class"] == "strong"
    assert report.equivariance["breaking"] == []
