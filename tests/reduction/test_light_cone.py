"""The readout's backward light cone: what it holds, and that nothing outside it matters."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import XXPlusYYGate
from qiskit.quantum_info import SparsePauliOp

import equinoise as eq
from equinoise.noise.terms import Dephasing, Depolarizing, PauliJump, Relaxation, Slot
from equinoise.reduction.light_cone import light_cone
from equinoise.reduction.program import compile_problem

# the same sums in another order: rounding of order 1e-15
EXACT = 1e-12


def z(qubit, n):
    return SparsePauliOp.from_sparse_list([("Z", [qubit], 1.0)], num_qubits=n)


def problem(n, depth, readout, noise="none", initial="neel", **options):
    return eq.Problem(eq.circuits.brickwork(n, depth, **options), readout=readout, initial=initial, noise=noise)


# -- which qubits --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "depth", "readout", "options", "qubits"),
    [
        # layers act on even, odd, even, ... bonds; the last one first seen from the readout
        (12, 1, "Z5", {}, [4, 5]),
        (12, 2, "Z5", {}, [4, 5, 6, 7]),
        (12, 2, "Z6", {}, [4, 5, 6, 7]),
        (12, 3, "Z5", {}, [2, 3, 4, 5, 6, 7]),
        (12, 4, "Z5", {}, [2, 3, 4, 5, 6, 7, 8, 9]),
        (12, 2, "Z0", {}, [0, 1]),
        (12, 3, "Z0", {}, [0, 1, 2, 3]),
        (12, 2, "X5X6+Y5Y6", {}, [4, 5, 6, 7]),
        (12, 1, "Z0Z9", {}, [0, 1, 8, 9]),
        (12, 2, "Z0", {"periodic": True}, [0, 1, 10, 11]),
        (6, 9, "Z5", {}, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_cone_of_a_brickwork_grows_by_one_bond_a_layer(n, depth, readout, options, qubits):
    cone = light_cone(problem(n, depth, readout, **options))
    assert list(cone.qubits) == qubits
    assert cone.width == len(qubits)


def test_cone_lists_blocks_and_parameters_layer_by_layer():
    stated = problem(8, 2, "Z3")
    cone = light_cone(stated)
    names = [stated.parameters[k].name for k in cone.parameters]
    # layer 0: bonds 01 23 45 67 with RZ on all; layer 1: bonds 12 34 56
    assert cone.seen == (frozenset({3, 4}), frozenset({3}))
    kept = [[stated.layers[layer].blocks[i].qubits for i in indices] for layer, indices in enumerate(cone.blocks)]
    assert [q for q in kept[0] if len(q) == 2] == [(2, 3), (4, 5)]
    assert [q for q in kept[1] if len(q) == 2] == [(3, 4)]
    gradient = eq.gradient(stated, np.linspace(-2, 2, len(stated.parameters))).gradient
    outside = [k for k in range(len(stated.parameters)) if k not in cone.parameters]
    assert (gradient[outside] == 0).all()
    assert "theta[0]" not in names  # bond 01


def test_diagonal_gates_count_as_any_other():
    """An RZZ next to the readout is in the cone, though Z commutes with it: the cone is one of connections."""
    circuit = QuantumCircuit(3)
    circuit.append(XXPlusYYGate(Parameter("a")), [0, 1])
    circuit.rzz(Parameter("b"), 1, 2)
    assert light_cone(eq.Problem(circuit, readout="Z1", initial="001")).qubits == (0, 1, 2)


def test_everything_is_all_qubits_blocks_and_noise():
    stated = problem(6, 2, "Z0", "dephasing:0.1")
    cone = light_cone(stated, everything=True)
    assert cone.qubits == tuple(range(6))
    assert [len(indices) for indices in cone.blocks] == [len(layer.blocks) for layer in stated.layers]
    assert cone.slots == stated.slots
    assert cone.parameters == tuple(range(len(stated.parameters)))


# -- restriction of noise ------------------------------------------------------------------------------------------


def test_terms_are_cut_to_the_seen_qubits_at_the_same_rate():
    dephasing = (Dephasing(0.1, {0: 1.0, 3: -0.5}), Dephasing(0.2, {3: 1.0}), Dephasing(0.3, {0: 0.0, 3: 2.0}))
    relaxation = (Relaxation(0, 0.1), Relaxation(3, 0.1), Relaxation(1, 0.0))
    depolarizing = (Depolarizing((1, 3), 0.4), Depolarizing((3, 4), 0.4), Depolarizing((0,), 0.0))
    pauli = (PauliJump("X0Y3", 0.5), PauliJump("Z4", 0.5))
    left = (Dephasing(0.1, {0: 1.0}), Relaxation(0, 0.1), Depolarizing((1,), 0.4), PauliJump("X0", 0.5))
    assert Slot((*dephasing, *relaxation, *depolarizing, *pauli)).restricted(frozenset({0, 1})) == Slot(left)


STRADDLING = {
    "correlated dephasing": {"dephasing": [{"rate": 0.3, "weights": {0: 1.0, 2: -0.7, 3: 0.5, 5: 1.3}}]},
    "collective": {"dephasing": [{"rate": 0.2, "weights": "all"}]},
    "pair depolarizing": {"depolarizing": [{"qubits": [q, q + 1], "rate": 0.15 + 0.02 * q} for q in range(5)]},
    "far pair depolarizing": {"depolarizing": [{"qubits": [0, 5], "rate": 0.3}, {"qubits": [1, 4], "rate": 0.2}]},
    "z strings": {"pauli": [{"pauli": "Z1Z4", "rate": 0.2}, {"pauli": "Z0Z1Z2Z3", "rate": 0.1}]},
    "flips of pairs": {"pauli": [{"pauli": "X1X4", "rate": 0.2}, {"pauli": "Y0Z3", "rate": 0.1}]},
    "relaxation": {"relaxation": [{"qubit": q, "down": 0.1 + 0.05 * q, "up": 0.03} for q in range(6)]},
}


@pytest.mark.parametrize("kind", STRADDLING)
@pytest.mark.parametrize("readout", ["Z0", "X0X1+Y0Y1", "Z5"])
@pytest.mark.parametrize("scale", [1.0, math.inf])
def test_noise_that_straddles_the_cones_edge_equals_the_full_circuit(kind, readout, scale):
    """Two layers on six qubits: the cone is at most four wide, and each of these terms reaches across its edge."""
    stated = problem(6, 2, readout, STRADDLING[kind])
    assert compile_problem(stated).width < 6
    theta = np.random.default_rng(3).uniform(-3, 3, len(stated.parameters))
    full = eq.gradient(stated, theta, scale=scale, reduce=False)
    found = eq.gradient(stated, theta, scale=scale)
    assert found.value == pytest.approx(full.value, abs=EXACT)
    np.testing.assert_allclose(found.gradient, full.gradient, atol=EXACT)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**20), st.integers(2, 5), st.sampled_from(["Z0", "Z5", "Z2Z3"]))
def test_random_correlated_dephasing_equals_the_full_circuit(seed, count, readout):
    rng = np.random.default_rng(seed)
    jumps = [
        {"rate": 0.2, "weights": {int(q): float(rng.normal()) for q in rng.choice(6, count, replace=False)}}
        for _ in range(3)
    ]
    stated = problem(6, 2, readout, {"dephasing": jumps})
    theta = rng.uniform(-3, 3, len(stated.parameters))
    full = eq.gradient(stated, theta, reduce=False)
    np.testing.assert_allclose(eq.gradient(stated, theta).gradient, full.gradient, atol=EXACT)


# -- width of the register -----------------------------------------------------------------------------------------

PLACED = {
    "dephasing": "dephasing:0.05",
    "collective": "collective:0.1+dephasing:0.02",
    "relaxation": "relaxation:down=0.05,up=0.01",
    "depolarizing": "depolarizing:0.04",
    "pairs": {"depolarizing": [{"qubits": [2, 3], "rate": 0.1}, {"qubits": [1, 2], "rate": 0.2}]},
}


@pytest.mark.parametrize("noise", PLACED)
def test_eight_and_three_hundred_qubits_with_one_cone_have_one_gradient(noise):
    """Z3 after three layers sees qubits 0..5 or fewer in both registers."""
    found = {}
    for n in (8, 300):
        stated = problem(n, 3, z(3, n), PLACED[noise])
        assert light_cone(stated).qubits == (0, 1, 2, 3, 4, 5)
        # the gate, not its number, names a parameter: (layer, gate, qubits)
        values, keys = {}, {}
        for layer_number, layer in enumerate(stated.layers):
            for gate in layer.gates:
                parameter = stated.circuit.data[gate.position].operation.params[0]
                key = (layer_number, gate.name, gate.qubits)
                keys[parameter.name] = key
                values[parameter.name] = math.sin(1 + 7 * layer_number + 3 * gate.qubits[0] + len(gate.name)) * 3
        result = eq.gradient(stated, values)
        assert result.engine == "exact"
        found[n] = {keys[p.name]: g for p, g in zip(stated.parameters, result.gradient, strict=True) if g}
        found[n, "value"], found[n, "numbers"] = result.value, result.reduction["numbers"]
    assert found[300, "value"] == pytest.approx(found[8, "value"], abs=EXACT)
    assert found[300, "numbers"] == found[8, "numbers"]
    assert found[300].keys() == found[8].keys()
    assert found[300] == pytest.approx(found[8], abs=EXACT)
    assert len(found[8]) > 10


def test_noise_outside_the_cone_changes_no_digit():
    quiet = problem(10, 2, "Z3", "dephasing:0.1")
    theta = np.random.default_rng(2).uniform(-3, 3, len(quiet.parameters))
    base = eq.gradient(quiet, theta)
    assert base.reduction["qubits"] == (2, 3, 4, 5)
    far = {
        "dephasing": [{"rate": 0.1}, {"rate": 9.0, "weights": {8: 1.0, 9: -2.0}}],
        "relaxation": [{"qubit": 7, "down": 3.0}],
        "depolarizing": [{"qubits": [0, 1], "rate": 5.0}],
        "pauli": [{"pauli": "X9", "rate": 4.0}, {"pauli": "Y6Z8", "rate": 4.0}],
    }
    noisy = problem(10, 2, "Z3", far)
    found = eq.gradient(noisy, theta)
    # the program is the same, not only its numbers
    assert compile_problem(noisy).slots == compile_problem(quiet).slots
    assert compile_problem(noisy).noise_class == "strong"
    assert found.value == base.value
    np.testing.assert_array_equal(found.gradient, base.gradient)


def test_noise_on_a_cone_qubit_that_the_readout_no_longer_sees_drops_out():
    """In the last slot Z3 sees its own qubit alone; in the first, the two of its last bond."""
    quiet = problem(8, 2, "Z3")
    theta = np.random.default_rng(2).uniform(-3, 3, len(quiet.parameters))
    base = eq.gradient(quiet, theta)
    unseen = {
        "relaxation": [
            {"qubit": 2, "down": 3.0, "layers": [0, 1]},
            {"qubit": 5, "down": 3.0, "layers": [0, 1]},
            {"qubit": 4, "down": 3.0, "layers": [1]},
        ]
    }
    np.testing.assert_array_equal(eq.gradient(problem(8, 2, "Z3", unseen), theta).gradient, base.gradient)
    seen = {"relaxation": [{"qubit": 4, "down": 3.0, "layers": [0]}]}
    assert np.abs(eq.gradient(problem(8, 2, "Z3", seen), theta).gradient - base.gradient).max() > 0.01


def test_projector_on_a_global_sector_sees_every_qubit_when_noise_changes_the_charge():
    """Loss on qubit 7 alone takes the state out of the sector and so scales the projected readout by exp(-rate)."""
    circuit = eq.circuits.brickwork(8, 2)
    theta = np.random.default_rng(2).uniform(-3, 3, circuit.num_parameters)
    noise = {"relaxation": [{"qubit": 6, "down": 0.3, "layers": [0]}]}
    options = {"readout": "Z0", "initial": "01000001", "noise": noise}
    plain = eq.gradient(eq.Problem(circuit, **options), theta)
    assert plain.reduction["qubits"] == (0, 1)
    projected = eq.gradient(eq.Problem(circuit, **options, projected=True), theta)
    assert projected.reduction["qubits"] == tuple(range(8))
    # layer 0 has shared the excitation of qubit 6 with 7: what is left there may be lost
    share = math.cos(theta[list(circuit.parameters).index(circuit.data[6].operation.params[0])] / 2) ** 2
    kept = 1 - share * -math.expm1(-0.3)
    assert projected.value == pytest.approx(kept * plain.value, abs=EXACT)
    np.testing.assert_allclose(projected.gradient[:2], kept * plain.gradient[:2], atol=EXACT)


def test_readout_that_no_gate_touches_has_no_gradient():
    circuit = QuantumCircuit(3)
    circuit.append(XXPlusYYGate(Parameter("a")), [0, 1])
    found = eq.gradient(eq.Problem(circuit, readout="Z2", initial="100"), [0.3])
    assert found.value == -1
    np.testing.assert_array_equal(found.gradient, [0])
