"""Brickwork builders: which gate stands where, how many parameters, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator

import equinoise as eq
from equinoise.errors import SourceError


def split_at_barriers(circuit):
    """[(name, qubits, params), ...] per layer."""
    layers = [[]]
    for item in circuit.data:
        qubits = tuple(circuit.find_bit(q).index for q in item.qubits)
        if item.operation.name == "barrier":
            assert qubits == tuple(range(circuit.num_qubits))
            layers.append([])
        else:
            layers[-1].append((item.operation.name, qubits, list(item.operation.params)))
    assert layers[-1] == []  # a barrier also ends the last layer
    return layers[:-1]


def bonds(layer, name="xx_plus_yy"):
    return [qubits for gate, qubits, _ in layer if gate == name]


@pytest.mark.parametrize("n", [2, 3, 6, 7])
def test_open_brickwork_hops_on_even_and_odd_bonds_in_turn(n):
    layers = split_at_barriers(eq.circuits.brickwork(n, depth=4))
    assert len(layers) == 4
    for number, layer in enumerate(layers):
        expected = [(i, i + 1) for i in range(number % 2, n - 1, 2)]
        assert bonds(layer) == bonds(layer, "rzz") == expected
        assert bonds(layer, "rz") == [(q,) for q in range(n)]


def test_periodic_brickwork_closes_the_ring_in_odd_layers_only():
    layers = split_at_barriers(eq.circuits.brickwork(6, depth=4, periodic=True))
    even, odd = [(0, 1), (2, 3), (4, 5)], [(1, 2), (3, 4), (5, 0)]
    assert [bonds(layer) for layer in layers] == [even, odd, even, odd]


def test_two_qubits_have_one_bond_whether_periodic_or_not():
    """The ring's second bond (1, 0) would be the first again."""
    for periodic in (False, True):
        layers = split_at_barriers(eq.circuits.brickwork(2, depth=2, periodic=periodic))
        assert [bonds(layer) for layer in layers] == [[(0, 1)], []]


@pytest.mark.parametrize("interaction", ["rzz", "cphase", "none"])
@pytest.mark.parametrize("phase", [False, True])
@pytest.mark.parametrize("periodic", [False, True])
def test_each_gate_has_a_parameter_of_its_own(interaction, phase, periodic):
    n, depth = 6, 3
    circuit = eq.circuits.brickwork(n, depth, periodic=periodic, interaction=interaction, phase=phase)
    blocks = 3 + (3 if periodic else 2) + 3
    angles = 1 + phase + (interaction != "none")
    assert circuit.num_parameters == blocks * angles + n * depth
    used = [p for layer in split_at_barriers(circuit) for _, _, params in layer for p in params if p != 0.0]
    # circuit.parameters lists them in gate order
    assert [p.name for p in used] == [p.name for p in circuit.parameters]


@pytest.mark.parametrize("interaction", ["rzz", "cphase", "none"])
@pytest.mark.parametrize("phase", [False, True])
def test_shared_parameters_are_one_per_layer_and_kind_of_gate(interaction, phase):
    circuit = eq.circuits.brickwork(6, depth=3, interaction=interaction, phase=phase, shared=True)
    kinds = 2 + phase + (interaction != "none")
    assert circuit.num_parameters == 3 * kinds
    by_layer = [
        {
            (name, i): {p.name for g, _, ps in layer if g == name for p in ps[i : i + 1]}
            for name, _, ps in layer
            for i in range(len(ps))
            if ps[i] != 0.0
        }
        for layer in split_at_barriers(circuit)
    ]
    assert all(len(names) == 1 for kinds_of in by_layer for names in kinds_of.values())
    assert sum(len(kinds_of) for kinds_of in by_layer) == circuit.num_parameters


def test_an_empty_bond_layer_keeps_its_z_rotations_with_shared_parameters():
    """Two qubits have no odd bond: the second layer is RZ alone, and its own RZ parameter is used."""
    circuit = eq.circuits.brickwork(2, depth=2, shared=True)
    (_, second) = split_at_barriers(circuit)
    assert [name for name, _, _ in second] == ["rz", "rz"]
    assert second[0][2] == second[1][2]


@pytest.mark.parametrize("options", [{}, {"interaction": "cphase", "phase": True}, {"periodic": True, "shared": True}])
def test_brickwork_unitary_conserves_the_charge(options):
    circuit = eq.circuits.brickwork(4, depth=2, **options)
    theta = np.random.default_rng(1).uniform(-3, 3, circuit.num_parameters)
    unitary = Operator(circuit.assign_parameters(theta)).data
    charge = np.array([x.bit_count() for x in range(16)])
    # a product of sixteen-dimensional unitaries: rounding of order 1e-15
    assert np.abs(unitary[charge[:, None] != charge[None, :]]).max() < 1e-13


def test_cphase_and_rzz_differ_by_z_rotations_only():
    """CP(t) = RZZ(-t/2) times RZ(t/2) on both qubits, up to a phase."""
    t = 0.7
    cphase, rzz = (eq.circuits.brickwork(2, 1, interaction=kind) for kind in ("cphase", "rzz"))
    left = Operator(cphase.assign_parameters([0.3, t, 0.1, 0.2]))
    right = Operator(rzz.assign_parameters([0.3, -t / 2, 0.1 + t / 2, 0.2 + t / 2]))
    assert left.equiv(right)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"num_qubits": 1, "depth": 2}, "num_qubits >= 2 and depth >= 1, got 1 and 2"),
        ({"num_qubits": 4, "depth": 0}, "num_qubits >= 2 and depth >= 1, got 4 and 0"),
        ({"num_qubits": 5, "depth": 2, "periodic": True}, "periodic brickwork needs an even number of qubits, got 5"),
        ({"num_qubits": 4, "depth": 1, "interaction": "cz"}, "interaction must be one of rzz, cphase, none, got 'cz'"),
    ],
)
def test_bad_sizes_and_interactions_are_refused(arguments, text):
    with pytest.raises(SourceError, match=text):
        eq.circuits.brickwork(**arguments)


def test_builder_returns_a_plain_qiskit_circuit():
    assert type(eq.circuits.brickwork(3, depth=1)) is QuantumCircuit


# -- ladder, ring, all to all --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 6])
def test_a_ladders_layer_is_one_whole_staircase(n):
    layers = split_at_barriers(eq.circuits.ladder(n, depth=2))
    assert len(layers) == 2
    for layer in layers:
        assert bonds(layer) == bonds(layer, "rzz") == [(i, i + 1) for i in range(n - 1)]
        assert bonds(layer, "rz") == [(q,) for q in range(n)]


def test_a_ladder_carries_an_excitation_from_end_to_end_in_one_layer():
    """The blocks of a layer follow each other: with full swaps the excitation rides the staircase up."""
    circuit = eq.circuits.ladder(4, depth=1, interaction="none")
    swapping = circuit.assign_parameters([np.pi] * 3 + [0.0] * 4)
    state = Operator(swapping).data[:, 0b0001]
    assert abs(state[0b1000]) == pytest.approx(1.0, abs=1e-12)


def test_ring_is_the_periodic_brickwork():
    ring, expected = eq.circuits.ring(6, 4, phase=True), eq.circuits.brickwork(6, 4, periodic=True, phase=True)
    assert [(i.operation.name, i.qubits) for i in ring.data] == [(i.operation.name, i.qubits) for i in expected.data]


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8, 9])
def test_all_to_all_pairs_everyone_once_in_a_tournament_and_then_again(n):
    rounds = n - 1 + n % 2
    layers = [bonds(layer) for layer in split_at_barriers(eq.circuits.all_to_all(n, depth=2 * rounds))]
    met = [pair for layer in layers[:rounds] for pair in layer]
    assert sorted(met) == [(a, b) for a in range(n) for b in range(a + 1, n)]
    assert layers[rounds:] == layers[:rounds]
    for layer in layers:  # nobody plays twice in a round, and at most one rests
        players = [q for pair in layer for q in pair]
        assert len(set(players)) == len(players) == n - n % 2


@pytest.mark.parametrize("family", [eq.circuits.ladder, eq.circuits.ring, eq.circuits.all_to_all])
@pytest.mark.parametrize("options", [{}, {"interaction": "cphase", "phase": True}, {"shared": True}])
def test_each_familys_unitary_conserves_the_charge(family, options):
    circuit = family(4, 3, **options)
    theta = np.random.default_rng(2).uniform(-3, 3, circuit.num_parameters)
    unitary = Operator(circuit.assign_parameters(theta)).data
    charge = np.array([x.bit_count() for x in range(16)])
    assert np.abs(unitary[charge[:, None] != charge[None, :]]).max() < 1e-13
    # and within a sector it does move excitations
    assert np.abs(unitary[0b0010, 0b0001]) > 1e-3


@pytest.mark.parametrize(
    ("family", "arguments", "text"),
    [
        (eq.circuits.ladder, (1, 2), "ladder needs num_qubits >= 2 and depth >= 1, got 1 and 2"),
        (eq.circuits.ring, (4, 0), "ring needs num_qubits >= 2 and depth >= 1, got 4 and 0"),
        (eq.circuits.ring, (5, 2), "a ring of alternating bonds needs an even number of qubits, got 5"),
        (eq.circuits.all_to_all, (1, 1), "all_to_all needs num_qubits >= 2"),
    ],
)
def test_bad_sizes_of_families_are_refused(family, arguments, text):
    with pytest.raises(SourceError, match=text):
        family(*arguments)
