"""Blocks on three and four qubits, with Jordan-Wigner strings, in every engine that takes them."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import CCZGate, CSwapGate, DiagonalGate, PauliEvolutionGate, XXPlusYYGate
from qiskit.quantum_info import SparsePauliOp

import equinoise as eq
import slow_twin
from equinoise.engines.fermion.free_fermion import FreeFermionEngine
from equinoise.engines.measured import MeasuredReadout
from equinoise.engines.replica.replicated_circuit import replica_obstacle
from equinoise.engines.sector import kernels as matrix_kernels
from equinoise.engines.sector.exact import ExactEngine
from equinoise.engines.vectors.path_average import path_average
from equinoise.engines.vectors.state_vector import StateVectorEngine
from equinoise.engines.vectors.trajectories import TrajectoryEngine
from equinoise.reduction.program import compile_problem
from equinoise.reduction.row_tables import PAIR
from equinoise.reduction.shift_rules import shift_costs

NOISES = {
    "dephasing": "dephasing:0.04",
    "collective": "collective:0.03",
    "relaxation": "relaxation:down=0.05,up=0.01",
    "depolarizing": "depolarizing:0.03",
    "flips": {"jump": [{"qubits": [1], "matrix": [[0, 1], [1, 0]], "rate": 0.03}]},
}


def excitation(num_qubits, up, down):
    """i (a_up^dag .. a_down .. - h.c.) by Jordan and Wigner, in Qiskit's own algebra."""

    def annihilator(p):
        string = list(range(p))
        terms = [("Z" * p + letter, [*string, p], factor) for letter, factor in (("X", 0.5), ("Y", 0.5j))]
        return SparsePauliOp.from_sparse_list(terms, num_qubits)

    product = SparsePauliOp("I" * num_qubits)
    for p in up:
        product = product @ annihilator(p).adjoint()
    for p in down:
        product = product @ annihilator(p)
    return (1j * (product - product.adjoint())).simplify()


def chemistry(num_qubits=5, turned=False):
    """One of everything: strings, four-qubit excitations, pieces of four and six rows, phases, pairs.

    The exchange of a chain, whose gaps are irrational and so not for the twin, has a free angle if ``turned``.
    """
    theta = ParameterVector("t", 6)
    circuit = QuantumCircuit(num_qubits)
    everywhere = range(num_qubits)
    circuit.append(PauliEvolutionGate(excitation(num_qubits, [3], [0]), theta[0]), everywhere)
    circuit.append(PauliEvolutionGate(excitation(num_qubits, [4, 2], [0, 1]), theta[1] + 0.5 * theta[0]), everywhere)
    circuit.append(XXPlusYYGate(theta[2], 0.3), [1, 2])
    circuit.append(CCZGate(), [0, 2, 4])
    circuit.append(CSwapGate(), [1, 0, 3])
    circuit.append(PauliEvolutionGate(SparsePauliOp("ZZIZZ", 0.5), theta[3]), everywhere)
    chain = [(letters, [q, q + 1], 0.5) for q in range(3) for letters in ("XX", "YY")]
    circuit.append(
        PauliEvolutionGate(SparsePauliOp.from_sparse_list(chain, 4), 0.8 + theta[3] if turned else 0.8), [0, 2, 3, 4]
    )
    circuit.append(DiagonalGate(np.exp(1j * np.arange(8)).tolist()), [4, 1, 2])
    circuit.append(PauliEvolutionGate(excitation(num_qubits, [4, 1], [3, 2]), theta[4]), everywhere)
    circuit.rz(theta[5], 2)
    return circuit


def problem(noise=None, turned=False):
    readout = "Z1+0.5*Z0Z3+0.4*X2Z3X4+0.4*Y2Z3Y4"
    return eq.Problem(chemistry(turned=turned), readout, initial="01011", noise=noise)


THETA = np.array([0.4, -0.7, 1.1, 0.3, -0.9, 0.6])


# the twin takes four seconds a case
@pytest.mark.parametrize(
    "noise", [pytest.param(n, marks=() if n == "relaxation" else pytest.mark.slow) for n in NOISES]
)
def test_noisy_gradient_equals_that_of_the_full_space(noise):
    stated = problem(NOISES[noise])
    draw = ExactEngine(compile_problem(stated)).draw(THETA, 1.0)
    assert draw.value == pytest.approx(slow_twin.value(stated, THETA, 1.0), abs=1e-10)
    np.testing.assert_allclose(draw.gradient, slow_twin.gradient(stated, THETA, 1.0), atol=1e-9)


def test_pieces_of_every_kind_are_met():
    program = compile_problem(problem())
    assert not program.full
    assert set(program.kind.tolist()) == {PAIR, 4, 6}  # the chain's sectors of 4 and 6 states beside pairs and phases
    assert program.block_size == 6


@pytest.mark.parametrize("engine", [StateVectorEngine, TrajectoryEngine])
def test_state_vectors_agree_with_density_matrices_without_noise(engine):
    stated = problem(turned=True)
    exact = ExactEngine(compile_problem(stated)).draw(THETA, 0.0)
    vector = engine(compile_problem(stated)).draw(THETA, 0.0)
    assert vector.value == pytest.approx(exact.value, abs=1e-12)
    np.testing.assert_allclose(vector.gradient, exact.gradient, atol=1e-12)


@pytest.mark.parametrize("noise", [None, "relaxation", "flips"])
def test_gradients_of_larger_pieces_are_differences_of_values(noise):
    engine = ExactEngine(compile_problem(problem(NOISES.get(noise), turned=True)))
    gradient = engine.draw(THETA, 1.0).gradient
    step = 1e-3
    for k, unit in enumerate(np.eye(6) * step):  # to fourth order: step^4/30 of a fifth derivative
        one, two = (engine.value(THETA + m * unit, 1.0)[0] - engine.value(THETA - m * unit, 1.0)[0] for m in (1, 2))
        assert gradient[k] == pytest.approx((8 * one - two) / (12 * step), abs=1e-9)


@pytest.mark.parametrize("noise", ["dephasing", "relaxation"])
def test_trajectories_and_random_signs_average_to_the_exact_gradient_and_budget(noise):
    program = compile_problem(problem(NOISES[noise], turned=True))
    engine, exact = TrajectoryEngine(program), ExactEngine(program)
    rngs = np.random.default_rng(3).spawn(400)
    draws = np.array([engine.draw(THETA, 1.0, rng).gradient for rng in rngs])
    error = draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
    assert np.all(np.abs(draws.mean(axis=0) - exact.draw(THETA, 1.0).gradient) <= 4 * error + 1e-12)
    slopes = np.array([engine.first_order(THETA, rng).slope for rng in rngs])
    wanted = exact.first_order(THETA, np.random.default_rng(0)).slope
    assert abs(slopes.mean() - wanted) <= 4 * slopes.std(ddof=1) / np.sqrt(len(slopes))


@pytest.mark.slow
def test_the_law_has_the_derivatives_of_the_full_space():
    stated = problem(NOISES["relaxation"])
    found = slow_twin.second_order(stated, THETA)
    first = ExactEngine(compile_problem(stated)).first_order(THETA, np.random.default_rng(0))
    assert first.slope == pytest.approx(float(found.gradient @ found.first), rel=1e-9)


def test_paths_side_by_side_turn_groups_of_rows_too():
    program = compile_problem(problem(turned=True))
    phases = np.random.default_rng(2).normal(size=(3, len(program.layers), program.width))
    one = [path_average(program, THETA, phases[i : i + 1], np.ones(1)) for i in range(3)]
    weights = np.array([0.2, 0.3, 0.5])
    together = path_average(program, THETA, phases, weights)
    np.testing.assert_allclose(
        together.gradient, sum(w * d.gradient for w, d in zip(weights, one, strict=True)), atol=1e-13
    )


@pytest.mark.parametrize("obstacle", [FreeFermionEngine.obstacle, replica_obstacle])
def test_engines_of_pairs_say_why_they_do_not_serve(obstacle):
    assert "a block acts on more than two qubits" in obstacle(compile_problem(problem("dephasing:0.01")))


def test_shots_of_excitations_take_the_rules_of_their_gaps():
    """Eigenvalues 0, +-1 give gaps 1 and 2: four terms, variance 3/2 of unit gap 2; a string changes nothing."""
    circuit = QuantumCircuit(5)
    theta = ParameterVector("t", 2)
    circuit.append(PauliEvolutionGate(excitation(5, [4], [0]), theta[0]), range(5))
    circuit.append(PauliEvolutionGate(excitation(5, [4, 2], [0, 1]), theta[1]), range(5))
    stated = eq.Problem(circuit, "Z0", initial="00011")
    costs = shift_costs(compile_problem(stated))
    assert costs.evaluations.tolist() == [4, 4]
    np.testing.assert_allclose(costs.noise, 1.5)
    assert MeasuredReadout(ExactEngine(compile_problem(stated))).evaluations == 8


def test_a_string_widens_the_light_cone_and_takes_a_layer_of_its_own():
    circuit = QuantumCircuit(5)
    theta = ParameterVector("t", 2)
    circuit.append(PauliEvolutionGate(excitation(5, [4], [0]), theta[0]), range(5))
    circuit.append(XXPlusYYGate(theta[1]), [1, 2])
    stated = eq.Problem(circuit, "Z4", initial="00011")
    assert [[block.qubits for block in layer.blocks] for layer in stated.layers] == [[(0, 1, 2, 3, 4)], [(1, 2)]]
    assert compile_problem(stated).cone.qubits == (0, 1, 2, 3, 4)


def test_a_group_of_rows_is_multiplied_as_by_its_matrix():
    """The matrix kernel against a dense product, on a group of three rows, with its moments."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 2, 5, 5))
    u = np.linalg.qr(rng.normal(size=(1, 4, 4)) + 1j * rng.normal(size=(1, 4, 4)))[0]
    u[:, 3], u[:, :, 3] = 0, 0
    none, no_ptr = np.zeros(0, dtype=np.int32), np.zeros(2, dtype=np.int64)
    group = np.array([[3], [0], [4], [0]], dtype=np.int32)
    rows = (none, none, no_ptr, none, no_ptr, group, np.array([0, 1]))
    kind, table, out = np.array([3]), np.array([0]), np.zeros_like(x)
    matrix_kernels.multiply_left(x, out, 0, 1, False, kind, table, u, *rows)
    whole = np.eye(5, dtype=complex)
    whole[np.ix_([3, 0, 4], [3, 0, 4])] = u[0, :3, :3]
    np.testing.assert_allclose(out[0, 0] + 1j * out[0, 1], whole @ (x[0, 0] + 1j * x[0, 1]), atol=1e-12)
