"""What noise keeps of a symmetry, against superoperators of the full space."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

import equinoise as eq
import slow_twin as reference
from equinoise.errors import UnsupportedError
from equinoise.reduction.program import Program
from equinoise.reduction.slots.kossakowski import keeps_strongly, keeps_weakly, kossakowski
from equinoise.reduction.slots.slot_program import compile_slot
from equinoise.reduction.slots.slot_terms import jump_operators
from equinoise.reduction.symmetric_program import SymmetricProgram, compiled
from equinoise.symmetry.commutant_dimension import commutant_dimension
from equinoise.symmetry.groups import Charge, PauliString, Permutation, parse_symmetry
from symmetric_problems import dense, exchange_layers, ising_ring, matrix_of, mean_z, permutation_layers, superoperator

N = 3
GENERATORS = [
    Charge(tuple((q, "Z", -0.5) for q in range(N))),
    Charge(tuple((q, "X", 0.5) for q in range(N))),
    Charge(((0, "Z", 1.0), (1, "Z", -1.0))),
    PauliString(tuple((q, "Z") for q in range(N))),
    PauliString(tuple((q, "X") for q in range(N))),
    PauliString(((0, "Z"), (2, "Y"))),
    Permutation((1, 0, 2)),
    Permutation((1, 2, 0)),
]
NOISE = [
    {"dephasing": [{"rate": 0.3, "weights": "each"}]},
    {"dephasing": [{"rate": 0.3, "weights": "all"}]},
    {"dephasing": [{"rate": 0.3, "weights": {0: 1.0, 1: -1.0}}]},
    {"dephasing": [{"rate": 0.3, "weights": {0: 1.0}}, {"rate": 0.3, "weights": {1: 1.0}}]},
    {"relaxation": [{"qubit": "each", "down": 0.2}]},
    {"relaxation": [{"qubit": "each", "down": 0.2, "up": 0.2}]},
    {"relaxation": [{"qubit": 0, "down": 0.2, "up": 0.1}]},
    {"depolarizing": [{"qubits": "each", "rate": 0.2}]},
    {"depolarizing": [{"qubits": [0, 1], "rate": 0.2}]},
    {"pauli": [{"pauli": "X0", "rate": 0.1}, {"pauli": "Y0", "rate": 0.1}]},
    {"pauli": [{"pauli": "X0", "rate": 0.1}]},
    {"pauli": [{"pauli": "Z0Z1", "rate": 0.1}]},
    {"pauli": [{"pauli": "X0X1", "rate": 0.1}, {"pauli": "X1X2", "rate": 0.1}, {"pauli": "X2X0", "rate": 0.1}]},
]


def slot_of(noise):
    circuit = permutation_layers(N, 1)
    problem = eq.Problem(circuit, "Z0", initial="000", noise=eq.NoiseModel.from_dict(noise), allow_broken=True)
    return compile_slot(problem.slots[0], {q: q for q in range(N)})


@pytest.mark.parametrize("noise", NOISE, ids=str)
def test_weak_and_strong_are_those_of_the_superoperator(noise):
    slot = slot_of(noise)
    generator = superoperator(jump_operators(slot), N)
    kraus = [dense(jump, N) for _, jump in jump_operators(slot)]
    for g in GENERATORS:
        m = matrix_of(g, N)
        u = expm(0.7j * m) if isinstance(g, Charge) else m
        action = np.kron(u, u.conj())
        weakly = np.abs(action @ generator - generator @ action).max() < 1e-9
        strongly = all(np.abs(m @ k - k @ m).max() < 1e-9 for k in kraus)
        assert keeps_weakly(kossakowski(slot), g) == weakly, g
        assert keeps_strongly(slot, g) == strongly, g


@given(st.lists(st.sampled_from(NOISE), min_size=1, max_size=3))
@settings(max_examples=20)
def test_the_noises_matrix_over_strings_makes_its_superoperator(parts):
    merged = {}
    for part in parts:
        for kind, terms in part.items():
            merged.setdefault(kind, []).extend(terms)
    slot = slot_of(merged)
    out = np.zeros((4**N, 4**N), dtype=complex)
    eye = np.eye(2**N)
    for (a, b), value in kossakowski(slot).items():
        left, right = dense({a: 1.0}, N), dense({b: 1.0}, N)
        both = right @ left
        out += value * (np.kron(left, right.T) - (np.kron(both, eye) + np.kron(eye, both.T)) / 2)
    np.testing.assert_allclose(out, superoperator(jump_operators(slot), N), atol=1e-12)


@pytest.mark.parametrize("noise", NOISE, ids=str)
def test_jumps_make_the_slow_twins_generator(noise):
    circuit = permutation_layers(N, 1)
    model = eq.NoiseModel.from_dict(noise)
    problem = eq.Problem(circuit, "Z0", initial="000", noise=model, allow_broken=True)
    generator = superoperator(jump_operators(slot_of(noise)), N).reshape((2**N,) * 4)
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2**N, 2**N)) + 1j * rng.normal(size=(2**N, 2**N))
    twin = sum(one.apply(x) for one in reference._generators(problem.slots[0], N))
    np.testing.assert_allclose(np.einsum("abcd,cd->ab", generator, x), twin, atol=1e-12)


def test_noise_on_one_qubit_leaves_the_permutations_of_the_others():
    noise = eq.NoiseModel(dephasing=[{"rate": 0.2 if q == 3 else 0.1, "weights": {q: 1.0}} for q in range(4)])
    program = compiled(eq.Problem(permutation_layers(4, 2), mean_z(4), "0000", noise, symmetry="permutation"))
    assert (program.claimed.name, program.symmetry.name) == ("permutation", "permutation:0-2")
    assert program.noise_class == "weak"
    assert program.noise_class.breaking == ("dephasing 0.1 D[Z2]", "dephasing 0.2 D[Z3]")
    assert program.reduced


@pytest.mark.parametrize(
    ("noise", "left", "kind"),
    [
        (None, "su2", "none"),
        ("depolarizing:0.1", "su2", "weak"),
        ("dephasing:0.1", "charge * parity:X", "weak"),
        ("relaxation:0.1", "charge", "weak"),
        ({"pauli": [{"pauli": "X0", "rate": 0.1}]}, "sum of X on 0-3 * parity:Y", "weak"),
        ({"pauli": [{"pauli": "X0", "rate": 0.1}, {"pauli": "Z1", "rate": 0.1}]}, "parity:X * parity:Y", "weak"),
    ],
)
def test_what_noise_leaves_of_su2(noise, left, kind):
    problem = eq.Problem(exchange_layers(4, 3), "X1X2+Y1Y2+Z1Z2", "0101", noise, symmetry="su2")
    program = compiled(problem)
    assert isinstance(program, SymmetricProgram)
    assert (program.symmetry.name, program.noise_class) == (left, kind)


def test_the_cone_is_kept_for_on_site_symmetries_and_not_for_permutations():
    noise = "dephasing:0.1"
    on_site = compiled(eq.Problem(exchange_layers(8, 2), "X3X4+Y3Y4+Z3Z4", "01010101", noise, symmetry="su2"))
    assert on_site.width < 8
    assert on_site.claimed.num_qubits == on_site.width
    ring = compiled(eq.Problem(ising_ring(6, 1), mean_z(6), "000000", noise, symmetry="translation"))
    assert ring.width == 6


def test_the_input_on_the_cone():
    problem = eq.Problem(exchange_layers(6, 2), "X0X1+Y0Y1+Z0Z1", "010011", "dephasing:0.1", symmetry="su2")
    program = compiled(problem)
    vectors = program.input_vectors()
    bits = [problem.initial.bits[q] for q in program.cone.qubits]
    assert vectors[sum(b << i for i, b in enumerate(bits)), 0] == 1
    from qiskit.quantum_info import Statevector

    entangled = eq.Problem(
        exchange_layers(6, 2), "X0X1+Y0Y1+Z0Z1", Statevector(problem.initial.statevector()), symmetry="su2"
    )
    v = compiled(entangled).input_vectors()
    np.testing.assert_allclose(v @ v.conj().T, vectors @ vectors.conj().T, atol=1e-12)


def test_the_full_space_serves_where_nothing_is_left():
    noise = {"pauli": [{"pauli": f"{p}{q}", "rate": 0.1 * (q + 1)} for q in range(4) for p in "X"]}
    problem = eq.Problem(permutation_layers(4, 1), mean_z(4), "0000", noise, symmetry="permutation")
    program = compiled(problem)
    assert isinstance(program, Program)
    assert program.full
    plain = eq.Problem(permutation_layers(4, 1), mean_z(4), "0000", noise, allow_broken=True)
    theta = np.random.default_rng(0).uniform(-3, 3, 3)
    np.testing.assert_allclose(eq.gradient(problem, theta).gradient, eq.gradient(plain, theta).gradient, atol=1e-12)


def test_noise_correlated_in_time_is_refused():
    noise = eq.NoiseModel(dephasing=[{"rate": 0.1, "weights": "each", "correlation": "static"}])
    problem = eq.Problem(permutation_layers(4, 2), mean_z(4), "0000", noise, symmetry="permutation")
    with pytest.raises(UnsupportedError, match="correlated in time is computed in sectors of the charge, not of perm"):
        compiled(problem)


def test_the_charge_itself_is_compiled_as_before():
    problem = eq.Problem(eq.circuits.brickwork(4, 2), "Z1", "neel", "dephasing:0.1")
    assert type(compiled(problem)) is Program
    assert compiled(problem).engines[0] == "exact"


NAMES = [
    "charge",
    "charges:0,1|2",
    "parity",
    "permutation",
    "permutation:0,1",
    "su2",
    "translation",
    "reflection",
    "X0Z1",
]


@pytest.mark.parametrize("text", NAMES)
def test_commutants_have_the_dimension_of_their_null_space(text):
    symmetry = parse_symmetry(text, N)
    rows = []
    for g in symmetry.generators:
        m = matrix_of(g, N)
        rows.append(np.kron(m, np.eye(2**N)) - np.kron(np.eye(2**N), m.T))
    null = 4**N - np.linalg.matrix_rank(np.vstack(rows), tol=1e-8)
    assert commutant_dimension(symmetry) == null
