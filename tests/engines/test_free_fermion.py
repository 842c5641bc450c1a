"""Free fermions against the exact engine on every readout, noise and input they take, closed forms, and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import XXPlusYYGate, iSwapGate
from qiskit.quantum_info import SparsePauliOp, Statevector

import equinoise as eq
import slow_twin as reference
from equinoise.engines.fermion.free_fermion import FreeFermionEngine
from equinoise.engines.sector.exact import ExactEngine
from equinoise.errors import UnsupportedError
from equinoise.reduction.program import compile_problem
from support import hop_phase_hop, random_theta

SCALES = [0.0, 0.3, 1.0, math.inf]
# both are exact: some hundred gates, each rounding at 1e-16, on quantities of order 1 to 10
TOLERANCE = 1e-10
STRAIGHT, SHUFFLED = (0, 1, 2, 3, 4, 5), (3, 0, 5, 1, 4, 2)

NOISES = {
    "none": {},
    "local": {"dephasing": [{"rate": 0.02 * (q + 1), "weights": {q: 1.0}} for q in range(6)]},
    "correlated": {
        "dephasing": [
            {"rate": 0.1, "weights": {0: 1.0, 3: -0.5, 2: 0.3}},
            {"rate": 0.05, "weights": {1: 1.0, 5: 1.0}, "layers": [0, 2]},
            {"rate": 0.02, "weights": "each"},
        ]
    },
    "collective": {"dephasing": [{"rate": 0.3, "weights": "all"}]},
    "strings": {"pauli": [{"pauli": "Z0Z2", "rate": 0.08}, {"pauli": "Z1Z2Z4", "rate": 0.05}], "dephasing": 0.01},
}


def brickwork(place=STRAIGHT, depth=4):
    """Hopping with both angles on alternate bonds of the line place[0], place[1], ..., then RZ or P on every qubit."""
    circuit = QuantumCircuit(len(place))
    theta = iter(ParameterVector("t", 200))
    for layer in range(depth):
        for i in range(layer % 2, len(place) - 1, 2):
            circuit.append(XXPlusYYGate(next(theta), next(theta)), [place[i], place[i + 1]])
        for q in range(len(place)):
            (circuit.p if q % 2 else circuit.rz)(next(theta), q)
        circuit.barrier()
    return circuit


def ladder(place=STRAIGHT):
    """One bond after another along the line, as soon as possible (no barriers)."""
    circuit = QuantumCircuit(len(place))
    theta = ParameterVector("t", 4 * len(place))
    for i in range(2 * (len(place) - 1)):
        a = i % (len(place) - 1)
        circuit.append(XXPlusYYGate(theta[2 * i]), [place[a], place[a + 1]])
        circuit.rz(theta[2 * i + 1], place[a])
    return circuit


def readouts(p):
    """Labels of readouts on the line p[0], p[1], ...; the last four are two-body by their strings."""
    return {
        "Z": f"Z{p[2]}",
        "sum of Z": f"Z{p[0]}-0.5*Z{p[3]}+0.3*Z{p[5]}",
        "hopping": f"X{p[2]}X{p[3]}+Y{p[2]}Y{p[3]}",
        "current": f"X{p[1]}Y{p[2]}-Y{p[1]}X{p[2]}",
        "hopping with string": f"X{p[0]}Z{p[1]}X{p[2]}+Y{p[0]}Z{p[1]}Y{p[2]}",
        "mixed": f"0.7*Z{p[1]}+X{p[3]}X{p[4]}+Y{p[3]}Y{p[4]}-0.2*X{p[0]}Y{p[1]}+0.2*Y{p[0]}X{p[1]}",
        "ZZ": f"Z{p[1]}Z{p[4]}",
        "ZZ and Z": f"Z{p[0]}Z{p[3]}-0.2*Z{p[1]}+Z{p[2]}Z{p[5]}",
        "hopping over a site": f"X{p[0]}X{p[2]}+Y{p[0]}Y{p[2]}",
        "current beside a site": f"X{p[2]}Y{p[3]}Z{p[0]}-Y{p[2]}X{p[3]}Z{p[0]}",
        "two hops": "+".join(f"{a}{p[0]}{a}{p[1]}{b}{p[3]}{b}{p[4]}" for a in "XY" for b in "XY"),
    }


def product_state(num_qubits=6, seed=3):
    """One-qubit states with every amplitude complex: all charges superposed."""
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(num_qubits, 2)) + 1j * rng.normal(size=(num_qubits, 2))
    return states / np.linalg.norm(states, axis=1)[:, None]


INITIALS = {"neel": "neel", "bits": "011010", "full": "111111", "product": product_state()}


def engines(problem):
    program = compile_problem(problem)
    assert FreeFermionEngine.obstacle(program) is None
    return ExactEngine(program, 1), FreeFermionEngine(program, 1)


def assert_same_physics(problem, seed=0):
    """Value, <O^2>, gradient, power series and budget of free fermions and of the many-body density matrix."""
    many_body, free = engines(problem)
    theta = random_theta(problem, seed)
    for scale in SCALES:
        expected, found = many_body.draw(theta, scale), free.draw(theta, scale)
        assert found.value == pytest.approx(expected.value, rel=0, abs=TOLERANCE)
        value, square = free.value(theta, scale)
        assert value == pytest.approx(found.value, rel=0, abs=TOLERANCE)
        assert found.square == pytest.approx(square, rel=0, abs=TOLERANCE) or math.isnan(found.square)
        assert free.noisy(theta, [scale])[0].square == pytest.approx(square, rel=0, abs=TOLERANCE)
        np.testing.assert_allclose(found.gradient, expected.gradient, rtol=0, atol=TOLERANCE)
        if free.square_kind == "exact":
            assert square == pytest.approx(expected.square, rel=0, abs=TOLERANCE)
        else:
            assert square >= expected.square - TOLERANCE
    np.testing.assert_allclose(free.series(theta), many_body.series(theta), rtol=0, atol=TOLERANCE)
    direction = np.random.default_rng(seed).normal(size=theta.size)
    budget = free.budget(theta, direction)
    assert budget.shape == (len(compile_problem(problem).budget_terms),)
    np.testing.assert_allclose(budget, many_body.budget(theta, direction), rtol=0, atol=TOLERANCE)


# -- against the exact engine and the slow twin --------------------------------------------------------------------


@pytest.mark.parametrize("place", [STRAIGHT, SHUFFLED], ids=["straight", "shuffled"])
@pytest.mark.parametrize("readout", readouts(STRAIGHT))
def test_every_readout_equals_the_exact_engine_on_any_line_order(readout, place):
    for initial in ("bits", "product"):
        label = readouts(place)[readout]
        problem = eq.Problem(brickwork(place), readout=label, initial=INITIALS[initial], noise=NOISES["correlated"])
        assert_same_physics(problem)


@pytest.mark.parametrize("readout", ["sum of Z", "hopping", "ZZ"])
@pytest.mark.parametrize("noise", NOISES)
def test_every_diagonal_noise_equals_the_exact_engine(noise, readout):
    label = readouts(SHUFFLED)[readout]
    assert_same_physics(eq.Problem(brickwork(SHUFFLED), readout=label, initial="neel", noise=NOISES[noise]))


@pytest.mark.parametrize("initial", INITIALS)
@pytest.mark.parametrize("place", [STRAIGHT, SHUFFLED], ids=["straight", "shuffled"])
def test_ladders_equal_the_exact_engine_from_every_input(initial, place):
    for readout in ("mixed", "ZZ and Z"):
        label = readouts(place)[readout]
        problem = eq.Problem(ladder(place), readout=label, initial=INITIALS[initial], noise=NOISES["strings"])
        assert_same_physics(problem)


def test_the_brickwork_builder_without_interaction_is_taken():
    circuit = eq.circuits.brickwork(8, depth=3, interaction="none", phase=True)
    for readout in ("Z4", "X3X4+Y3Y4", "Z3Z4"):
        assert_same_physics(eq.Problem(circuit, readout=readout, initial="neel", noise="dephasing:0.05"))


def test_a_projected_readout_from_one_charge_is_the_readout():
    problem = eq.Problem(brickwork(), readout="Z2", initial="neel", noise=NOISES["correlated"], projected=True)
    assert_same_physics(problem)


def test_shared_parameters_and_fixed_gates_equal_the_exact_engine():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(4)
    for pair in ([0, 1], [2, 3], [1, 2]):
        circuit.append(XXPlusYYGate(a, 0.5 * b), pair)
        circuit.append(iSwapGate(), pair)
        circuit.append(XXPlusYYGate(0.4), pair)
    circuit.s(1)
    circuit.rz(a - 2 * b, 2)
    circuit.append(XXPlusYYGate(2 * math.pi), [0, 3])  # Z on both: no particle hops on this bond
    circuit.append(XXPlusYYGate(a), [0, 1])
    assert_same_physics(eq.Problem(circuit, readout="Z0-Z3", initial="0110", noise="dephasing:0.05"))


def test_hopping_spelt_by_elementary_gates_equals_the_exact_engine():
    """RXX and RYY break the charge one by one; their product on one pair is a hop."""
    a, b, c = (Parameter(name) for name in "abc")
    circuit = QuantumCircuit(3)
    for pair, angle in (((0, 1), a), ((1, 2), b), ((0, 1), c)):
        circuit.rxx(angle, *pair)
        circuit.ryy(angle, *pair)
        circuit.rz(0.3, pair[0])
    assert_same_physics(eq.Problem(circuit, readout="Z0+0.4*Z2", initial="011", noise="dephasing:0.05"))


def test_superposed_inputs_carry_their_strings_as_the_full_space_says():
    """<c_i^dag c_j> of a product state from the slow twin's 2^n amplitudes, shuffled line, hopping and two-body."""
    place = (2, 0, 3, 1)
    for label in ("X2X0+Y2Y0", "X0Y3-Y0X3", "X2Z0X3+Y2Z0Y3", "Z2Z1"):
        circuit = brickwork(place, depth=3)
        problem = eq.Problem(circuit, readout=label, initial=product_state(4), noise="dephasing:0.1")
        theta = random_theta(problem, 4)
        draw = FreeFermionEngine(compile_problem(problem)).draw(theta, 1.0)
        assert draw.value == pytest.approx(reference.value(problem, theta, 1.0), rel=0, abs=TOLERANCE)
        np.testing.assert_allclose(draw.gradient, reference.gradient(problem, theta, 1.0), rtol=0, atol=TOLERANCE)


# -- closed forms --------------------------------------------------------------------------------------------------


def test_a_hop_of_one_particle_turns_z_by_cosine():
    """|01> under exp(-i t (XX+YY)/4): <Z0> = -cos t, shot variance sin^2 t."""
    t = Parameter("t")
    circuit = QuantumCircuit(2)
    circuit.append(XXPlusYYGate(t), [0, 1])
    engine = FreeFermionEngine(compile_problem(eq.Problem(circuit, readout="Z0", initial="01")))
    for angle in (0.0, 0.4, 2.0):
        draw = engine.draw(np.array([angle]), 1.0)
        assert draw.value == pytest.approx(-math.cos(angle), abs=TOLERANCE)
        assert draw.gradient == pytest.approx([math.sin(angle)], abs=TOLERANCE)
        assert (draw.square, engine.square_kind) == (1.0, "exact")


def test_an_interferometer_loses_its_fringe_at_the_dephasing_rate():
    """Hop, dephasing, phase, hop: <Z0> = -cos a cos c + exp(-2 s (g_0 + g_1)) sin a sin c cos b, by hand."""
    rates = (0.1, 0.03)
    noise = {"dephasing": [{"rate": g, "weights": {q: 1.0}} for q, g in enumerate(rates)]}
    engine = FreeFermionEngine(compile_problem(hop_phase_hop(noise)))
    a, b, c = theta = np.array([0.7, -0.4, 1.1])
    for scale in SCALES:
        fringe = math.exp(-2 * scale * sum(rates)) * math.sin(a) * math.sin(c)
        draw = engine.draw(theta, scale)
        assert draw.value == pytest.approx(-math.cos(a) * math.cos(c) + fringe * math.cos(b), abs=TOLERANCE)
        assert draw.gradient[1] == pytest.approx(-fringe * math.sin(b), abs=TOLERANCE)


def test_the_number_of_particles_is_kept_and_has_no_gradient():
    """sum Z = n - 2 N at every scale on a hundred qubits, with N = 50: trace of the correlation matrix."""
    circuit = eq.circuits.brickwork(100, depth=6, interaction="none")
    total = SparsePauliOp.from_sparse_list([("Z", [q], 1.0) for q in range(100)], num_qubits=100)
    weights = {q: float(np.cos(q)) for q in range(100)}
    noise = {"dephasing": [{"rate": 0.05, "weights": weights}]}
    problem = eq.Problem(circuit, readout=total, initial="neel", noise=noise)
    engine = FreeFermionEngine(compile_problem(problem))
    for scale in SCALES:
        draw = engine.draw(random_theta(problem, 1), scale)
        # a hundred terms of order 1 cancel
        assert draw.value == pytest.approx(0.0, abs=1e-9)
        np.testing.assert_allclose(draw.gradient, 0.0, atol=1e-9)


def test_collective_dephasing_leaves_free_fermions_alone():
    circuit = eq.circuits.brickwork(30, depth=6, interaction="none")
    problem = eq.Problem(circuit, readout="X14X15+Y14Y15", initial="neel", noise="collective:0.7")
    engine = FreeFermionEngine(compile_problem(problem))
    theta = random_theta(problem, 2)
    quiet, loud = engine.draw(theta, 0.0), engine.draw(theta, math.inf)
    assert np.linalg.norm(quiet.gradient) > 0.1
    np.testing.assert_allclose(loud.gradient, quiet.gradient, rtol=0, atol=TOLERANCE)


def test_the_gradient_on_two_hundred_qubits_is_the_derivative_of_the_value():
    circuit = eq.circuits.brickwork(200, depth=8, interaction="none")
    rng = np.random.default_rng(0)
    readout = SparsePauliOp.from_sparse_list([("Z", [q], rng.normal()) for q in range(200)], num_qubits=200)
    noise = {"dephasing": [{"rate": 0.01, "weights": "each"}, {"rate": 0.02, "weights": {0: 1.0, 150: -0.5}}]}
    problem = eq.Problem(circuit, readout=readout, initial="neel", noise=noise)
    engine = FreeFermionEngine(compile_problem(problem))
    theta = random_theta(problem, 3)
    gradient = engine.draw(theta, 1.0).gradient
    direction = rng.normal(size=theta.size) / math.sqrt(theta.size)
    step = 1e-3  # central differences of fourth order: error of order step^4 (1e-12) and 1e-13/step
    value = {m: engine.value(theta + m * step * direction, 1.0)[0] for m in (-2, -1, 1, 2)}
    slope = (8 * (value[1] - value[-1]) - (value[2] - value[-2])) / (12 * step)
    assert gradient @ direction == pytest.approx(slope, rel=0, abs=1e-8)
    assert engine.square_kind == "bound"
    assert engine.value(theta, 1.0)[1] == pytest.approx(np.abs(readout.coeffs).sum() ** 2)


def test_cost_grows_as_the_square_of_the_pairs_for_two_body_readouts():
    circuit = eq.circuits.brickwork(40, depth=30, interaction="none")
    one, two = (
        FreeFermionEngine.cost(
            compile_problem(eq.Problem(circuit, readout=label, initial="neel", noise="dephasing:0.01"))
        )
        for label in ("Z20", "Z20Z21")
    )
    assert one.bytes == pytest.approx(16 * 40**2 * 33 + 8 * 40**2)
    assert two.bytes - one.bytes == pytest.approx((16 * 33 + 8) * math.comb(40, 2) ** 2)
    assert two.seconds > one.seconds > 0


# -- refusals ------------------------------------------------------------------------------------------------------


def chain_with(gate, *, wires=(1, 2), closing=()):
    circuit = QuantumCircuit(4)
    theta = ParameterVector("t", 8)
    for i, pair in enumerate([(0, 1), (2, 3), (1, 2), *closing]):
        circuit.append(XXPlusYYGate(theta[i]), pair)
    if gate:
        getattr(circuit, gate)(*([theta[7]] if gate in ("rzz", "cp") else []), *wires)
    circuit.append(XXPlusYYGate(theta[6]), [1, 2])
    return circuit


def refusal(circuit, **options):
    options = {"readout": "Z1", "initial": "0101", **options}
    program = compile_problem(eq.Problem(circuit, **options))
    reason = FreeFermionEngine.obstacle(program)
    with pytest.raises(UnsupportedError) as caught:
        FreeFermionEngine(program)
    assert str(caught.value) == f"the engine 'free-fermion' cannot serve this problem: {reason}."
    assert "engine 'exact' takes it" in reason
    return reason


@pytest.mark.parametrize("gate", ["rzz", "cp", "cz", "swap"])
def test_an_interaction_is_refused_by_name_and_place(gate):
    reason = refusal(chain_with(gate))
    assert f"gate '{gate}' at position 3 on qubits [1, 2]" in reason
    assert "not quadratic in fermions" in reason
    assert "engine 'exact' takes it" in reason


def test_an_interaction_outside_the_light_cone_is_not_refused():
    circuit = chain_with(None)
    circuit.rzz(Parameter("far"), 2, 3)
    assert_same_physics(eq.Problem(circuit, readout="Z1", initial="0101", noise="dephasing:0.1"))


def test_a_ring_is_refused_and_named():
    assert "hopping forms a ring that the bond of qubits [2, 3] closes" in refusal(
        chain_with(None, closing=[(0, 3), (0, 1), (2, 3)])
    )


def test_a_branching_is_refused_and_named():
    reason = refusal(chain_with(None, closing=[(1, 3)]))
    assert "hopping joins qubit 1 to the qubits [0, 2, 3]" in reason


@pytest.mark.parametrize(
    ("noise", "text"),
    [
        ("relaxation:0.1", "relaxation noise on qubits [1] (slot 0)"),
        ("depolarizing:0.1", "depolarizing noise on qubits [1] (slot 0)"),
        ({"pauli": [{"pauli": "X1", "rate": 0.1}, {"pauli": "Y1", "rate": 0.1}]}, "bit-flip noise on qubits [1]"),
        ({"pauli": [{"pauli": "X1", "rate": 0.1}]}, "full space of its light cone"),
    ],
)
def test_noise_other_than_diagonal_dephasing_is_refused(noise, text):
    reason = refusal(chain_with(None), noise=noise)
    assert text in reason
    assert "engine 'exact' takes it" in reason


def test_readouts_beyond_two_bodies_are_refused():
    assert "term Z0Z1Z2 is an operator of 3 bodies" in refusal(chain_with(None), readout="Z1+Z0Z1Z2")
    along = chain_with(None, closing=[(0, 1), (2, 3)])
    assert "term X0X3 is an operator of 3 bodies" in refusal(along, readout="X0X3+Y0Y3")


def test_inputs_out_of_reach_are_refused():
    bell = Statevector(np.array([0, 1, 1, 0]) / math.sqrt(2)).expand(Statevector.from_label("01"))
    assert "entangled state vector" in refusal(chain_with(None), initial=bell)
    superposed = refusal(chain_with(None), initial=product_state(4), projected=True, charge=2)
    assert "projected on one charge and the input holds several" in superposed
    wide = eq.circuits.brickwork(60, depth=60, interaction="none")
    reason = refusal(wide, readout="Z29Z30", initial=product_state(60))
    assert "two-body readout from an input without definite charge" in reason


def test_the_full_space_is_refused():
    program = compile_problem(eq.Problem(chain_with(None), readout="Z1", initial="0101"), reduce=False)
    assert "full space of its light cone" in FreeFermionEngine.obstacle(program)


def test_noise_correlated_in_time_is_refused():
    program = compile_problem(eq.Problem(chain_with(None), readout="Z1", initial="0101"))
    program.processes = (object(),)  # whatever it is
    assert "the noise is correlated in time" in FreeFermionEngine.obstacle(program)
