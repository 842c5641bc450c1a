"""The compiled problem: mixtures over local charges, projection, and what each charge block holds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import Statevector

import equinoise as eq
from equinoise.engines.sector.exact import ExactEngine
from equinoise.errors import MemoryLimitError
from equinoise.reduction.program import compile_problem

# the same numbers summed in another order
EXACT = 1e-12
amplitudes = st.tuples(st.floats(0, math.pi), st.floats(-3, 3)).map(
    lambda a: [math.cos(a[0] / 2), math.sin(a[0] / 2) * complex(math.cos(a[1]), math.sin(a[1]))]
)


def dicke(n, q):
    inside = np.array([x.bit_count() == q for x in range(2**n)], dtype=float)
    return Statevector(inside / math.sqrt(inside.sum()))


def problem(n=6, depth=2, readout="Z0", initial="neel", noise="none", **options):
    return eq.Problem(eq.circuits.brickwork(n, depth), readout=readout, initial=initial, noise=noise, **options)


def block(program, charge):
    """The input's density matrix in one charge block."""
    rows, columns, values = program.initial_entries(charge)
    dimension = program.sectors[charge].dimension
    out = np.zeros((dimension, dimension), dtype=complex)
    np.add.at(out, (rows, columns), values)
    return out


def trace_of_input(program):
    return sum(np.trace(block(program, q)).real for q in program.input_charges)


# -- mixtures over local charges -----------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.lists(amplitudes, min_size=6, max_size=6))
def test_product_input_is_a_mixture_over_the_cones_charges_of_weight_one(states):
    """Blocks hold |psi_q><psi_q| of the cone's qubits; their traces are the charge's probabilities and sum to 1."""
    program = compile_problem(problem(initial=states, readout="Z2", noise="dephasing:0.1"))
    assert program.width == 4
    assert trace_of_input(program) == pytest.approx(1, abs=EXACT)
    state = Statevector([1.0])
    for q in program.cone.qubits:
        state = Statevector(states[q]).tensor(state)
    density = np.outer(state.data, state.data.conj())
    for q in program.input_charges:
        rows = np.flatnonzero([x.bit_count() == q for x in range(16)])
        np.testing.assert_allclose(block(program, q), density[np.ix_(rows, rows)], atol=EXACT)


def test_cone_of_a_basis_state_is_one_block():
    program = compile_problem(problem(noise="dephasing:0.1"))
    assert program.cone.qubits == (0, 1)
    assert program.charges == (1,)
    assert program.dimensions == (2,)
    assert program.numbers == 4


def test_dicke_input_is_a_hypergeometric_mixture_on_the_cone():
    """Two of six filled, two of them seen: charge k has weight C(2,k) C(4,2-k)/C(6,2), each block again pure Dicke."""
    program = compile_problem(problem(initial=dicke(6, 2), noise="dephasing:0.1"))
    assert program.cone.qubits == (0, 1)
    assert program.charges == (0, 1, 2)
    for k in range(3):
        weight = math.comb(2, k) * math.comb(4, 2 - k) / math.comb(6, 2)
        d = math.comb(2, k)
        np.testing.assert_allclose(block(program, k), np.full((d, d), weight / d), atol=EXACT)


def test_entangled_input_is_traced_over_the_rest():
    """A Bell pair of qubits 1 (in the cone) and 5 (outside) leaves qubit 1 a mixture without coherence."""
    vector = np.zeros(64)
    vector[1 << 1] = vector[1 << 5] = math.sqrt(0.5)
    program = compile_problem(problem(initial=vector, noise="dephasing:0.1"))
    np.testing.assert_allclose(block(program, 0), [[0.5]], atol=EXACT)
    np.testing.assert_allclose(block(program, 1), np.diag([0, 0.5]), atol=EXACT)


# -- which blocks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("noise", "charges"),
    [
        ("none", (2,)),
        ("dephasing:0.1+collective:0.2", (2,)),
        ("relaxation:0.1", (0, 1, 2)),
        ("relaxation:up=0.1", (2, 3, 4)),
        ("relaxation:down=0.1,up=0.1", (0, 1, 2, 3, 4)),
        ("depolarizing:0.1", (0, 1, 2, 3, 4)),
        ({"relaxation": [{"qubit": 5, "down": 0.1}]}, (2,)),
    ],
)
def test_blocks_are_the_charges_that_the_noise_can_reach(noise, charges):
    program = compile_problem(problem(readout="Z2", noise=noise))
    assert program.width == 4
    assert program.charges == charges
    assert not program.full
    assert program.numbers == sum(math.comb(4, q) ** 2 for q in charges)


def test_broken_charge_needs_the_full_space_of_the_cone():
    program = compile_problem(problem(readout="Z2", noise={"pauli": [{"pauli": "X2", "rate": 0.1}]}))
    assert program.full
    assert program.charges == (None,)
    assert program.numbers == 4**4


def test_half_filled_cone_of_weak_noise_holds_binomial_2w_w_numbers():
    """sum_q C(w,q)^2 = C(2w, w)."""
    program = compile_problem(problem(n=8, depth=3, readout="Z3", noise="depolarizing:0.1"))
    assert program.width == 6
    assert program.numbers == math.comb(12, 6)


def test_one_charge_on_two_hundred_qubits_holds_forty_thousand_numbers():
    readout = "+".join(f"{1 + q / 7}*Z{q}" for q in range(200))
    program = compile_problem(
        eq.Problem(eq.circuits.brickwork(200, 2), readout=readout, initial="0" * 199 + "1", noise="dephasing:0.1")
    )
    assert program.width == 200
    assert program.numbers == 200**2


def test_cone_that_no_memory_holds_is_refused_with_its_numbers():
    wide = eq.Problem(eq.circuits.brickwork(40, 30), readout="Z20", initial="neel", noise="dephasing:0.1")
    program = compile_problem(wide)
    assert program.dimensions == (math.comb(40, 20),)
    with pytest.raises(MemoryLimitError, match=r"the light cone of 40 qubits holds 1\.90e\+22 complex") as error:
        ExactEngine(program)
    assert "Use fewer layers, a more local readout" in str(error.value)


# -- projection ----------------------------------------------------------------------------------------------------

NOISE = {
    "none": "none",
    "dephasing": "dephasing:0.4",
    "collective": "collective:0.3",
    "relaxation": "relaxation:down=0.4,up=0.1",
    "depolarizing": {"depolarizing": [{"qubits": [q, q + 1], "rate": 0.3} for q in range(4)]},
    "flips": {"pauli": [{"pauli": f"{p}{q}", "rate": 0.2} for q in range(5) for p in "XY"]},
    "broken": {"pauli": [{"pauli": "X1", "rate": 0.3}]},
}


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("kind", ["product", "dicke mixture"])
@pytest.mark.parametrize("scale", [1.0, math.inf])
def test_projected_readout_of_a_superposition_under_strong_noise_equals_the_full_space(noise, kind, scale):
    """P_q O P_q with q the charge of all five qubits, of which the cone may see fewer."""
    rng = np.random.default_rng(5)
    if kind == "product":
        polar, phase = rng.uniform(0.5, 2.5, 5), rng.uniform(-3, 3, 5)
        initial = np.stack([np.cos(polar / 2), np.sin(polar / 2) * np.exp(1j * phase)], axis=1)
    else:
        initial = (0.6 * dicke(5, 2).data + 0.8 * dicke(5, 3).data) * np.exp(1j * rng.uniform(-3, 3, 32))
    stated = problem(n=5, readout="X0X1+Y0Y1", initial=initial, noise=NOISE[noise], projected=True, charge=2)
    theta = rng.uniform(-3, 3, len(stated.parameters))
    full = eq.gradient(stated, theta, scale=scale, reduce=False)
    found = eq.gradient(stated, theta, scale=scale)
    assert found.value == pytest.approx(full.value, abs=EXACT)
    np.testing.assert_allclose(found.gradient, full.gradient, atol=EXACT)


def test_projected_sectors_add_up_to_the_whole_under_strongly_symmetric_noise():
    """sum_q P_q O P_q = O for a conserving readout."""
    rng = np.random.default_rng(6)
    polar = rng.uniform(0.5, 2.5, 5)
    initial = np.stack([np.cos(polar / 2), np.sin(polar / 2)], axis=1)
    theta = rng.uniform(-3, 3, eq.circuits.brickwork(5, 2).num_parameters)
    options = {"n": 5, "initial": initial, "noise": "dephasing:0.2"}
    whole = eq.gradient(problem(**options), theta)
    parts = [eq.gradient(problem(**options, projected=True, charge=q), theta) for q in range(6)]
    assert sum(p.value for p in parts) == pytest.approx(whole.value, abs=EXACT)
    np.testing.assert_allclose(sum(p.gradient for p in parts), whole.gradient, atol=EXACT)


def test_projector_weights_the_cones_charges_by_what_the_rest_can_hold():
    """Two cone qubits of six in 2^-1/2 (|0> + |1>): P_2 leaves charge k the weight C(2,k) C(4,2-k)/2^6."""
    initial = np.full((6, 2), math.sqrt(0.5))
    program = compile_problem(problem(initial=initial, noise="dephasing:0.1", projected=True, charge=2))
    assert program.cone.qubits == (0, 1)
    traces = [np.trace(block(program, k)).real for k in range(3)]
    assert traces == pytest.approx([math.comb(2, k) * math.comb(4, 2 - k) / 64 for k in range(3)], abs=EXACT)
    assert sum(traces) == pytest.approx(math.comb(6, 2) / 64, abs=EXACT)  # probability of charge 2


# -- use -----------------------------------------------------------------------------------------------------------


def test_program_is_built_once_per_problem_and_reduction():
    stated = problem()
    assert compile_problem(stated) is compile_problem(stated)
    assert compile_problem(stated, reduce=False) is not compile_problem(stated)
    assert compile_problem(stated, reduce=False).charges == (None,)


@pytest.mark.parametrize("label", ["Z0", "Z0Z1", "X0X1+Y0Y1", "0.3*X0Y1-0.3*Y0X1"])
def test_readout_blocks_are_those_of_the_matrix(label):
    program = compile_problem(problem(n=2, depth=2, readout=label, noise="depolarizing:0.1"))
    full = program.problem.readout.to_matrix()
    assert program.charges == (0, 1, 2)
    for q in program.charges:
        rows = np.flatnonzero([x.bit_count() == q for x in range(4)])
        np.testing.assert_allclose(program.readout[q].toarray(), full[np.ix_(rows, rows)], atol=1e-15)


def test_coherence_rates_are_those_of_the_generators():
    """Gamma = rate (v.(z_x - z_y))^2/2 + (down + up)/2 per differing qubit + depolarizing, in the sector 01, 10."""
    noise = {
        "dephasing": [{"rate": 0.1, "weights": {0: 1.0, 1: -0.5}}, {"rate": 0.02}],
        "relaxation": [{"qubit": 0, "down": 0.3, "up": 0.1}],
        "depolarizing": [{"qubits": [0, 1], "rate": 0.05}, {"qubits": [1], "rate": 0.07}],
    }
    program = compile_problem(problem(n=2, depth=2, readout="X0X1+Y0Y1", noise=noise))
    gamma = program.coherence_rates(program.slots[0], 1)
    # z goes from (-1, 1) to (1, -1): v.dz = 2 (1 + 0.5); each local jump has dz = 2
    expected = 0.1 * 3.0**2 / 2 + 2 * 0.02 * 2 + 0.4 / 2 + 0.05 + 0.07
    np.testing.assert_allclose(gamma, [[0, expected], [expected, 0]], rtol=1e-13)


def test_budget_terms_name_circuit_qubits_inside_the_cone():
    noise = {
        "dephasing": [{"rate": 0.1, "weights": {2: 1.0, 3: 0.5, 7: 1.0}, "layers": [0]}],
        "relaxation": [{"qubit": 3, "down": 0.1, "layers": [0]}],
        "depolarizing": [{"qubits": [3, 4], "rate": 0.1, "layers": [1]}],
    }
    program = compile_problem(problem(n=8, depth=2, readout="Z3", noise=noise))
    assert program.cone.qubits == (2, 3, 4, 5)
    found = [(t.layer, t.qubits, t.mechanism) for t in program.budget_terms]
    # the evolved readout acts on 3 and 4 in slot 0, on 3 alone in slot 1
    assert found == [(0, (3,), "dephasing"), (0, (3,), "relaxation"), (1, (3,), "depolarizing")]
