"""Compiled circuits seen from the frames of their charge: logical blocks again, inputs, readouts, noise."""

import pickle

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit.transpiler import CouplingMap

import equinoise as eq
from compiled_twin import PAULIS, compiled_value, derivative
from equinoise.circuit.compiled.frames import find_frames, in_frame
from equinoise.errors import NoiseError, ReadoutError, SymmetryError, UnsupportedError
from equinoise.mitigation.decoupling.decoupling import decouple
from equinoise.reduction.program import compile_problem

CZ = ["rz", "sx", "x", "cz"]
STAR = CouplingMap([(0, 1), (0, 2), (0, 3), (1, 0), (2, 0), (3, 0), (3, 4), (4, 3)])
RNG = np.random.default_rng(7)
ONE = RNG.normal(size=(2, 2)) + 1j * RNG.normal(size=(2, 2))
TWO = RNG.normal(size=(4, 4)) + 1j * RNG.normal(size=(4, 4))
HERMITIAN = (TWO + TWO.conj().T) / 2


def neel_bricks(depth=2, **options):
    circuit = QuantumCircuit(4)
    circuit.x([0, 2])
    return circuit.compose(eq.circuits.brickwork(4, depth=depth, **options))


def tilted(depth=2):
    """Without Z rotations between them, one-qubit gates of neighbouring blocks are merged into R gates."""
    circuit = neel_bricks(depth, phase=False)
    bare = circuit.copy_empty_like()
    for item in circuit.data:
        if item.operation.name != "barrier":
            bare.append(item)
    return transpile(bare, basis_gates=["r", "cz"], optimization_level=2)


def routed(level=3, basis=CZ):
    return transpile(neel_bricks(), basis_gates=basis, optimization_level=level, coupling_map=STAR, seed_transpiler=3)


@pytest.mark.parametrize("basis", [CZ, ["rz", "sx", "x", "ecr"], ["r", "cz"], ["rz", "sx", "rzz"]], ids="-".join)
def test_frames_give_back_the_hops_and_phases_that_were_compiled(basis):
    """As many rotations as the logical block has angles, each conserving by itself; no fixed gate is left."""
    frames = find_frames(transpile(neel_bricks(), basis_gates=basis, optimization_level=3))
    block = frames.layers[0].blocks[0]
    assert [len(rotation.angle.coefficients) for rotation in block.rotations] == [1, 1, 1, 1]
    hop = np.zeros((4, 4))
    hop[1, 2] = hop[2, 1] = 0.5
    np.testing.assert_allclose(np.abs(block.rotations[0].generator), hop, atol=1e-12)


def test_the_test_circuit_has_axes_that_are_not_z_where_noise_acts():
    frames = find_frames(tilted())
    assert any(abs(frame[0, 0]) not in (0, 1) for turns in frames.after for frame in turns.values())


NOISE = {
    "dephasing": ({"dephasing": 0.07}, {"dephasing": 0.07}),
    "relaxation both ways": (
        {"relaxation": (0.1, 0.03)},
        {"relaxation": [{"qubit": "each", "down": 0.1, "up": 0.03}]},
    ),
    "all kinds on shared qubits": (
        {
            "dephasing": 0.05,
            "relaxation": (0.1, 0.03),
            "depolarizing": [((0, 1), 0.04), ((2,), 0.05)],
            "pauli": [(1, "X", 0.03)],
        },
        {
            "dephasing": 0.05,
            "relaxation": [{"qubit": "each", "down": 0.1, "up": 0.03}],
            "depolarizing": [{"qubits": [0, 1], "rate": 0.04}, {"qubits": [2], "rate": 0.05}],
            "pauli": [{"pauli": "X1", "rate": 0.03}],
        },
    ),
    "correlated dephasing of a pair": (
        {"sums": [((0, 1), 0.05, (1, -0.5))], "relaxation": (0.05, 0)},
        {"dephasing": [{"rate": 0.05, "weights": {0: 1.0, 1: -0.5}}], "relaxation": 0.05},
    ),
    "any jumps and Hamiltonians": (
        {"dephasing": 0.02, "jump": [((1,), ONE, 0.05), ((0, 1), TWO, 0.02)], "coherent": [((1, 2), HERMITIAN, 0.1)]},
        {
            "dephasing": 0.02,
            "jump": [
                {"qubits": [1], "matrix": ONE, "rate": 0.05},
                {"qubits": [0, 1], "matrix": TWO, "rate": 0.02},
            ],
            "coherent": [{"qubits": [1, 2], "matrix": HERMITIAN, "angle": 0.1}],
        },
    ),
}


@pytest.mark.parametrize("compiled", [tilted, routed], ids=["merged R gates", "routed CZ"])
@pytest.mark.parametrize("name", NOISE)
def test_laboratory_noise_is_that_of_a_density_matrix_gate_by_gate(compiled, name):
    circuit = compiled()
    twin, stated = NOISE[name]
    problem = eq.Problem(circuit, "X1X2+Y1Y2", noise=eq.NoiseModel(**stated))
    theta = np.random.default_rng(3).uniform(-3, 3, len(problem.parameters))
    operator = SparsePauliOp.from_sparse_list([("XX", [1, 2], 1), ("YY", [1, 2], 1)], num_qubits=4)
    operator = operator.apply_layout(circuit.layout)

    def value(values):
        return compiled_value(circuit.assign_parameters(values), problem.frames.laboratory, operator, twin)

    found = eq.gradient(problem, theta)
    assert found.value == pytest.approx(value(theta), abs=1e-9)
    for k in (0, len(theta) // 2):
        unit = np.eye(len(theta))[k]
        assert found.gradient[k] == pytest.approx(derivative(lambda x, e=unit: value(theta + x * e)), abs=1e-9)


def test_noise_of_several_kinds_on_one_tilted_qubit_acts_in_the_order_of_the_laboratory():
    """Behind a turn about Y a Y jump is one again, and relaxation none of the named kinds: they keep their places."""
    circuit = neel_bricks(1)
    circuit.barrier()
    circuit.ry(np.pi / 4, 1)
    noise = eq.NoiseModel(relaxation=[{"qubit": 1, "down": 0.3}], pauli=[{"pauli": "Y1", "rate": 0.4}])
    problem = eq.Problem(circuit, "X1+Z1", noise=noise)
    theta = np.linspace(-1, 2, len(problem.parameters))
    bound = circuit.assign_parameters(theta)
    twin = {"sequence": [((1,), np.array([[0, 1], [0, 0]]), 0.3), ((1,), PAULIS["Y"], 0.4)]}
    operator = SparsePauliOp(["IIXI", "IIZI"])
    expected = compiled_value(bound, problem.frames.laboratory, operator, twin)
    turned = compiled_value(bound, problem.frames.laboratory, operator, {"sequence": twin["sequence"][::-1]})
    assert abs(turned - expected) > 1e-3
    assert eq.gradient(problem, theta).value == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("initial", [None, "product", "vector"])
def test_gates_of_a_preparation_merged_into_the_first_block_tilt_the_frame_at_the_start(initial):
    preparation = QuantumCircuit(4)
    for q in range(4):
        preparation.u(0.7 + q, 0.4 - q, 0.2 * q, q)
    circuit = preparation.compose(eq.circuits.brickwork(4, depth=1))
    compiled = transpile(circuit, basis_gates=["rz", "sx", "x", "cz"], optimization_level=3)
    rng = np.random.default_rng(5)
    states = rng.normal(size=(4, 2)) + 1j * rng.normal(size=(4, 2))
    states /= np.linalg.norm(states, axis=1)[:, None]
    vector = rng.normal(size=16) + 1j * rng.normal(size=16)
    start = {
        None: Statevector.from_label("0000"),
        "product": Statevector(np.kron(states[3], np.kron(states[2], np.kron(states[1], states[0])))),
        "vector": Statevector(vector / np.linalg.norm(vector)),
    }[initial]
    problem = eq.Problem(compiled, "X1X2+Y1Y2", initial={None: None, "product": states, "vector": start}[initial])
    assert any(0 < abs(frame[0, 1]) < 1 and abs(frame[0, 1].imag) > 0.1 for frame in problem.frames.start.values())
    theta = rng.uniform(-3, 3, len(problem.parameters))
    operator = SparsePauliOp.from_sparse_list([("XX", [1, 2], 1), ("YY", [1, 2], 1)], num_qubits=4)
    expected = start.evolve(compiled.assign_parameters(theta)).expectation_value(operator).real
    assert eq.gradient(problem, theta).value == pytest.approx(expected, abs=1e-11)


def test_dephasing_where_the_axis_is_z_stays_strong_and_keeps_its_name():
    program = compile_problem(eq.Problem(routed(), "Z1", noise="dephasing:0.01"))
    assert program.noise_class == "strong"
    assert {term.mechanism for term in program.budget_terms} == {"dephasing"}


def test_relaxation_goes_up_where_the_frame_is_upside_down():
    upside_down = QuantumCircuit(2)
    upside_down.barrier()
    upside_down.x(0)
    problem = eq.Problem(eq.circuits.brickwork(2, depth=1).compose(upside_down), "Z0", "01", "relaxation:0.1")
    last = problem.slots[-1].relaxation
    assert [(term.qubit, term.down, term.up) for term in last] == [(0, 0.0, 0.1), (1, 0.1, 0.0)]


def test_dephasing_of_three_qubits_along_tilted_axes_is_refused():
    noise = eq.NoiseModel(dephasing=[{"rate": 0.1, "weights": {0: 1, 1: 1, 2: 1}}])
    with pytest.raises(NoiseError, match="3 qubits of a compiled circuit whose charge is hidden along other axes"):
        eq.Problem(tilted(), "Z1", noise=noise)


def test_dephasing_correlated_in_time_along_tilted_axes_is_refused():
    with pytest.raises(NoiseError, match="correlated in time acts on qubits"):
        eq.Problem(tilted(), "Z1", noise="static:0.1")


@pytest.mark.parametrize("initial", ["0110", "vector", "product"])
def test_a_stated_input_is_that_of_the_laboratory(initial):
    """Of the circuit without preparation; also inputs that are no charge eigenstates, entangled or not."""
    circuit = transpile(eq.circuits.brickwork(4, depth=2), basis_gates=["r", "cz"], optimization_level=3)
    rng = np.random.default_rng(5)
    states = rng.normal(size=(4, 2)) + 1j * rng.normal(size=(4, 2))
    states /= np.linalg.norm(states, axis=1)[:, None]
    vector = rng.normal(size=16) + 1j * rng.normal(size=16)
    start = {
        "0110": Statevector.from_label("0110"),
        "vector": Statevector(vector / np.linalg.norm(vector)),
        "product": Statevector(np.kron(states[3], np.kron(states[2], np.kron(states[1], states[0])))),
    }[initial]
    given = {"0110": "0110", "vector": start, "product": states}[initial]
    problem = eq.Problem(circuit, "X1X2+Y1Y2", initial=given)
    theta = rng.uniform(-3, 3, len(problem.parameters))
    operator = SparsePauliOp.from_sparse_list([("XX", [1, 2], 1), ("YY", [1, 2], 1)], num_qubits=4)
    expected = start.evolve(circuit.assign_parameters(theta)).expectation_value(operator).real
    assert eq.gradient(problem, theta).value == pytest.approx(expected, abs=1e-11)


def test_a_readout_along_the_turned_axis_is_read_in_the_frame_and_measured_in_the_laboratory():
    circuit = neel_bricks()
    circuit.h(1)
    compiled = transpile(circuit, basis_gates=CZ, optimization_level=3)
    problem = eq.Problem(compiled, "X1")
    assert problem.readout.to_list() in ([("IIZI", 1 + 0j)], [("IIZI", -1 + 0j)])
    assert problem.measured.to_list() == [("IIXI", 1 + 0j)]
    assert problem.readout_label == "X1"
    theta = np.linspace(-1, 2, len(problem.parameters))
    expected = Statevector(compiled.assign_parameters(theta)).expectation_value(SparsePauliOp("IIXI")).real
    assert eq.gradient(problem, theta).value == pytest.approx(expected, abs=1e-11)
    assert problem.with_readout("X1").readout == problem.readout


def test_assignment_errors_act_on_what_is_measured_and_not_on_what_the_frame_shows():
    """Upside down, Z reads as (1 - p01 - p10) Z + (p10 - p01) of the laboratory's Z."""
    circuit = neel_bricks().compose(QuantumCircuit(4))
    circuit.barrier()
    circuit.x(1)
    noise = eq.NoiseModel(readout_error={1: (0.02, 0.08)})
    problem = eq.Problem(circuit, "Z1", noise=noise)
    theta = np.linspace(-1, 2, len(problem.parameters))
    ideal = eq.gradient(problem, theta).value
    read = eq.gradient(problem.as_read(), theta).value
    assert problem.frames is not None
    assert read == pytest.approx(0.9 * ideal + 0.06, abs=1e-12)


def test_a_readout_off_the_charge_is_refused():
    with pytest.raises((ReadoutError, SymmetryError), match="does not conserve"):
        eq.Problem(tilted(), "X1")


def test_ties_and_shifted_angles_of_the_compiler_keep_their_derivative():
    """theta/2 + pi in several native gates is one logical angle theta."""
    circuit = tilted()
    shifted = [p for item in circuit.data for p in item.operation.params if "pi" in str(p) or "3.14" in str(p)]
    problem = eq.Problem(circuit, "Z1")
    assert shifted or len(problem.parameters) < sum(len(item.operation.params) for item in circuit.data)
    theta = np.random.default_rng(2).uniform(-3, 3, len(problem.parameters))
    found = eq.gradient(problem, theta).gradient

    def value(values):
        state = Statevector(circuit.assign_parameters(values))
        return state.expectation_value(SparsePauliOp("IIZI")).real

    for k, unit in enumerate(np.eye(len(theta))):
        assert found[k] == pytest.approx(derivative(lambda x, e=unit: value(theta + x * e)), abs=1e-9)


def test_frames_turn_operators_by_v_dagger_from_the_left():
    v = np.array([[1, 1j], [1j, 1]]) / np.sqrt(2)
    moved = v.conj().T @ PAULIS["Z"] @ v
    image = in_frame({((3, "Z"),): 2.0}, {3: v})
    matrix = sum(value * PAULIS[string[0][1]] for string, value in image.items())
    np.testing.assert_allclose(matrix, 2 * moved, atol=1e-14)


def test_decoupling_is_refused_for_compiled_circuits():
    problem = eq.Problem(tilted(), "Z1", noise="dephasing:0.1")
    with pytest.raises(UnsupportedError, match="Decouple the circuit before it is compiled"):
        decouple(problem, "X2", durations={"r": 2e-8, "cz": 1e-7})


def test_what_was_found_is_told():
    problem = eq.Problem(tilted(), "Z1")
    assert any("the circuit hides one" in warning for warning in problem.warnings)


def test_a_problem_in_frames_can_be_pickled():
    problem = eq.Problem(tilted(), "Z1", noise="dephasing:0.1")
    theta = np.linspace(-1, 2, len(problem.parameters))
    again = pickle.loads(pickle.dumps(problem))
    assert eq.gradient(again, theta).value == eq.gradient(problem, theta).value
