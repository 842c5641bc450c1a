"""Equivariant builders: each commutes with its symmetry, not with more, and shares its angles within orbits."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from qiskit.quantum_info import Operator, SparsePauliOp

import equinoise as eq
from equinoise.circuit.layers import split_layers
from equinoise.errors import SourceError

# a product of some hundred unitaries of dimension at most 64: rounding of order 1e-14
EXACT = 1e-12


def unitary(circuit, seed=1):
    theta = np.random.default_rng(seed).uniform(-3, 3, circuit.num_parameters)
    return Operator(circuit.assign_parameters(theta)).data


def moved(image):
    """The unitary that takes qubit i to image[i]."""
    n = len(image)
    columns = [sum((x >> i & 1) << image[i] for i in range(n)) for x in range(2**n)]
    return np.eye(2**n)[:, columns]


def string(letters):
    return SparsePauliOp(letters).to_matrix()


def total(letter, n, qubits=None):
    terms = [(letter, [q], 0.5) for q in qubits or range(n)]
    return SparsePauliOp.from_sparse_list(terms, num_qubits=n).to_matrix()


def breach(matrix, other):
    return np.abs(matrix @ other - other @ matrix).max()


def permutations(n):
    swap = [1, 0, *range(2, n)]
    return [moved(swap), moved([(i + 1) % n for i in range(n)])]


def dihedral(n):
    return [moved([(i + 1) % n for i in range(n)]), moved([n - 1 - i for i in range(n)])]


CASES = {
    "permutation": (eq.circuits.permutation_equivariant(5, 3), permutations(5), [total("X", 5), total("Z", 5)]),
    "exchange": (eq.circuits.exchange(5, 4), [total(p, 5) for p in "XYZ"], dihedral(5)),
    "exchange ring": (eq.circuits.exchange(4, 3, periodic=True), [total(p, 4) for p in "XYZ"], dihedral(4)),
    "shared exchange ring": (
        eq.circuits.exchange(6, 3, periodic=True, shared=True),
        [*(total(p, 6) for p in "XYZ"), moved([(i + 2) % 6 for i in range(6)])],
        [moved([(i + 1) % 6 for i in range(6)])],
    ),
    "parity": (eq.circuits.parity_conserving(4, 3), [string("ZZZZ")], [total("Z", 4), string("XXXX")]),
    "parity ring": (
        eq.circuits.parity_conserving(4, 3, periodic=True, interaction="none"),
        [string("ZZZZ")],
        [total("Z", 4)],
    ),
    "translation": (eq.circuits.translation_invariant(5, 3), [*dihedral(5), string("XXXXX")], [total("X", 5)]),
    "hubbard": (
        eq.circuits.fermi_hubbard(3, 3),
        [total("Z", 6, range(3)), total("Z", 6, range(3, 6)), moved([3, 4, 5, 0, 1, 2])],
        [total("X", 6), total("Z", 6, [0])],
    ),
    "hubbard, all angles": (
        eq.circuits.fermi_hubbard(3, 2, shared=False),
        [total("Z", 6, range(3)), total("Z", 6, range(3, 6))],
        [moved([3, 4, 5, 0, 1, 2])],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_circuit_commutes_with_its_symmetry_and_not_with_a_larger_one(name):
    circuit, kept, broken = CASES[name]
    evolution = unitary(circuit)
    assert max(breach(evolution, g) for g in kept) < EXACT
    assert min(breach(evolution, g) for g in broken) > 1e-2


@pytest.mark.parametrize(
    ("circuit", "count"),
    [
        (eq.circuits.permutation_equivariant(6, 4), 3 * 4),
        (eq.circuits.exchange(6, 4), 2 + 3 + 2 + 3),
        (eq.circuits.exchange(6, 4, periodic=True), 4 * 3),
        (eq.circuits.exchange(6, 4, shared=True), 4),
        (eq.circuits.parity_conserving(5, 3), 3 * (2 + 2 + 2) + 3 * 5),
        (eq.circuits.parity_conserving(5, 3, interaction="none"), 2 * (2 + 2 + 2) + 3 * 5),
        (eq.circuits.translation_invariant(6, 4), 2 * 4),
        (eq.circuits.fermi_hubbard(4, 3), 3 * 3),
        (eq.circuits.fermi_hubbard(2, 3), 2 * 3),
        (eq.circuits.fermi_hubbard(4, 3, shared=False), 3 * (4 + 2 * 3)),
    ],
)
def test_angles_are_one_per_orbit_in_gate_order_and_barriers_make_the_layers(circuit, count):
    assert circuit.num_parameters == count
    used = [p.name for item in circuit.data for p in item.operation.params if hasattr(p, "name")]
    assert list(dict.fromkeys(used)) == [f"theta[{k}]" for k in range(count)] == [p.name for p in circuit.parameters]
    layers = split_layers(circuit)
    assert len(layers) == circuit.count_ops()["barrier"]
    gates = sum(len(layer.gates) for layer in layers)
    assert gates == sum(circuit.count_ops().values()) - len(layers)


def test_the_exponential_of_a_swap_is_the_exchange_block():
    """SWAP = (1 + XX + YY + ZZ)/2, so exp(-i pi/2 SWAP) is a swap up to a phase."""
    circuit = eq.circuits.exchange(3, 1).assign_parameters([np.pi / 2])
    assert Operator(circuit).equiv(Operator(moved([0, 2, 1])))


def test_singlets_have_no_spin_and_the_first_layer_moves_them():
    state = eq.circuits.singlet_pairs(4)
    assert np.linalg.norm(state.data) == pytest.approx(1, abs=1e-15)
    for letter in "XYZ":
        assert np.abs(total(letter, 4) @ state.data).max() < EXACT
    # <s|exp(-i t SWAP_12)|s> = cos t - i sin t <SWAP_12>, and qubits of different singlets have <SWAP_12> = 1/2
    after = Operator(eq.circuits.exchange(4, 1).assign_parameters([0.8])).data @ state.data
    assert abs(np.vdot(state.data, after)) == pytest.approx(np.hypot(np.cos(0.8), np.sin(0.8) / 2), abs=EXACT)


def test_permutation_layers_rotate_a_polarised_input_as_one_spin_does_without_the_interaction():
    """With c = 0 every qubit turns alike: <Z_i> = cos a cos b from |0> by RX(a), then RY(b)."""
    circuit = eq.circuits.permutation_equivariant(3, 1).assign_parameters([0.4, 0.9, 0.0])
    state = Operator(circuit).data[:, 0]
    for q in range(3):
        z = SparsePauliOp.from_sparse_list([("Z", [q], 1.0)], num_qubits=3).to_matrix()
        assert np.vdot(state, z @ state).real == pytest.approx(np.cos(0.4) * np.cos(0.9), abs=EXACT)


def test_hubbard_hops_within_a_spin_and_repels_on_a_site():
    layer = eq.circuits.fermi_hubbard(3, 1).data
    pairs = {
        name: [(i.qubits[0]._index, i.qubits[1]._index) for i in layer if i.operation.name == name]
        for name in ("cp", "xx_plus_yy")
    }
    assert pairs == {"cp": [(0, 3), (1, 4), (2, 5)], "xx_plus_yy": [(0, 1), (3, 4), (1, 2), (4, 5)]}


@pytest.mark.parametrize(
    ("family", "arguments", "text"),
    [
        (eq.circuits.permutation_equivariant, (1, 2), "permutation_equivariant needs num_qubits >= 2"),
        (eq.circuits.exchange, (2, 2), "exchange needs num_qubits >= 3 and depth >= 1, got 2 and 2"),
        (functools.partial(eq.circuits.exchange, periodic=True), (5, 1), "periodic exchange brickwork needs an even"),
        (eq.circuits.parity_conserving, (4, 0), "parity_conserving needs num_qubits >= 2 and depth >= 1, got 4 and 0"),
        (functools.partial(eq.circuits.parity_conserving, periodic=True), (3, 1), "needs an even number of qubits"),
        (functools.partial(eq.circuits.parity_conserving, interaction="cz"), (4, 1), "one of rzz, none, got 'cz'"),
        (eq.circuits.translation_invariant, (2, 1), "translation_invariant needs num_qubits >= 3"),
        (eq.circuits.fermi_hubbard, (1, 1), "fermi_hubbard needs sites >= 2 and depth >= 1, got 1 and 1"),
        (eq.circuits.singlet_pairs, (5,), "singlet_pairs needs an even number of qubits from 2 to 20, got 5"),
        (eq.circuits.singlet_pairs, (22,), "from 2 to 20, got 22"),
    ],
)
def test_sizes_that_no_such_circuit_has_are_refused(family, arguments, text):
    with pytest.raises(SourceError, match=text):
        family(*arguments)


@pytest.mark.parametrize(
    ("source", "circuit"),
    [
        ("permutation:n=4,depth=2", eq.circuits.permutation_equivariant(4, 2)),
        ("exchange:n=4,depth=2,periodic=true,shared=true", eq.circuits.exchange(4, 2, periodic=True, shared=True)),
        ("parity:n=4,depth=2,interaction=none", eq.circuits.parity_conserving(4, 2, interaction="none")),
        ("translation:n=4,depth=2", eq.circuits.translation_invariant(4, 2)),
        ("hubbard:sites=2,depth=2,shared=false", eq.circuits.fermi_hubbard(2, 2, shared=False)),
    ],
)
def test_each_builder_has_a_short_description(source, circuit):
    written = [
        [(i.operation.name, [q._index for q in i.qubits], [str(p) for p in i.operation.params]) for i in c.data]
        for c in (eq.load_circuit(source), circuit)
    ]
    assert written[0] == written[1]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("permutation:n=4,depth=2,shared=true", "options: n=.., depth=.."),
        ("hubbard:n=4,depth=2", "options: sites=.., depth=.., shared=.."),
        ("hubbard:depth=2", "must say sites and depth, e.g. hubbard:sites=12,depth=6"),
        ("exchange:n=x,depth=2", "n must be a whole number"),
    ],
)
def test_a_description_that_does_not_fit_says_what_does(source, text):
    with pytest.raises(SourceError, match=text):
        eq.load_circuit(source)
