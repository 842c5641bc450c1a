"""Leading gates that break the charge: a state vector in charge sectors, against full-space simulation.

The references are the slow twin (density matrices, gate by gate, no light cone), the same engines in the full space,
and problems whose input is the state vector that Qiskit makes of the feature map.
"""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import XXPlusYYGate, zz_feature_map
from qiskit.quantum_info import Statevector

import equinoise as eq
from equinoise.engines.model_sweeps import ModelSweeps
from equinoise.engines.sector.exact import ExactEngine
from equinoise.engines.vectors.state_vector import StateVectorEngine
from equinoise.engines.vectors.trajectories import TrajectoryEngine
from equinoise.errors import SymmetryError
from equinoise.reduction.program import compile_problem
from model_twin import STENCIL, STEP
from slow_twin import value as slow_value

EXACT = 1e-9


def ansatz(num_qubits, depth, first=0):
    """Hops, RZZ and RZ, each with a weight, in barrier layers."""
    circuit = QuantumCircuit(num_qubits)
    for layer in range(depth):
        for a in range(layer % 2, num_qubits - 1, 2):
            circuit.append(XXPlusYYGate(Parameter(f"w{first:03d}")), [a, a + 1])
            circuit.rzz(Parameter(f"w{first + 1:03d}"), a, a + 1)
            first += 2
        circuit.barrier()
    return circuit


def feature_map(kind, num_qubits, x):
    """Qiskit's ZZFeatureMap of two repetitions, or rotations by data and a ring of CX."""
    if kind == "zz":
        # its entangler is linear: then the cones of local readouts stay small
        circuit = zz_feature_map(num_qubits, reps=2, entanglement="linear", parameter_prefix="x")
        return circuit.assign_parameters(dict(zip(circuit.parameters, x, strict=True)))
    circuit = QuantumCircuit(num_qubits)
    for q in range(num_qubits):
        circuit.ry(x[q] * x[q] + 0.3, q)
        circuit.rz(2 * x[q] * x[(q + 1) % num_qubits], q)
    for q in range(num_qubits):
        circuit.cx(q, (q + 1) % num_qubits)
    return circuit


def model(kind, num_qubits, depth, readouts, rows=2, barrier=True, **more):
    x = ParameterVector("x", num_qubits)
    circuit = feature_map(kind, num_qubits, x)
    if barrier:
        circuit.barrier()
    circuit.compose(ansatz(num_qubits, depth), inplace=True)
    data = np.random.default_rng(num_qubits).uniform(-1, 1, (rows, num_qubits))
    trained = [p.name for p in circuit.parameters if p not in set(x)]
    options = {"initial": "0" * num_qubits} if kind == "rotations" else {}
    found = eq.Model(circuit, readouts, inputs=x, data=data, **options, **more)
    return found, circuit, dict(zip(x, data.T, strict=True)), trained


def bound(circuit, inputs, row):
    return circuit.assign_parameters({parameter: column[row] for parameter, column in inputs.items()})


@pytest.mark.parametrize("kind", ["zz", "rotations"])
@pytest.mark.parametrize(("num_qubits", "readout"), [(4, "Z1"), (5, "X2X3+Y2Y3"), (6, "Z0"), (6, "Z0Z5")])
def test_predictions_and_gradients_are_those_of_the_full_space(kind, num_qubits, readout):
    found, circuit, inputs, _ = model(kind, num_qubits, 2, readout, trained=["w000"])
    assert found.problem.conserves
    assert not compile_problem(found.problem).full
    sweeps, theta = ModelSweeps(found), found.draw(1, 5)[0]
    for row in range(found.rows.count):
        values, gradient = sweeps.row_gradient(theta, 0.0, row)
        one = bound(circuit, inputs, row)
        assert [p.name for p in one.parameters] == [p.name for p in found.weights]

        def value(first_weight, one=one):
            state = Statevector(one.assign_parameters([first_weight, *theta[1:]]))
            return state.expectation_value(found.readouts[0]).real

        assert values[0] == pytest.approx(value(theta[0]), abs=EXACT)
        ends = [c * (value(theta[0] + m * STEP) - value(theta[0] - m * STEP)) for m, c in STENCIL]
        assert gradient == pytest.approx([sum(ends) / STEP], abs=EXACT)


@pytest.mark.parametrize("noise", ["dephasing:0.03", "relaxation:down=0.05,up=0.01", "depolarizing:0.02"])
def test_a_preparations_noise_is_that_of_density_matrices_gate_by_gate(noise):
    found, circuit, inputs, _ = model("rotations", 4, 2, ["Z1", "X1X2+Y1Y2"], noise=noise, trained=["w000"])
    assert any("with their noise" in text for text in found.warnings)
    sweeps, theta = ModelSweeps(found), found.draw(1, 5)[0]
    for row in range(2):
        one = bound(circuit, inputs, row)
        for readout, value in zip(found.readouts, sweeps.row_gradient(theta, 1.0, row)[0], strict=True):
            problem = eq.Problem(one, readout, initial="0000", noise=noise, allow_broken=True)
            assert len(problem.layers) == 3
            assert value == pytest.approx(slow_value(problem, theta, 1.0), abs=EXACT)


@pytest.mark.parametrize("noise", [None, "dephasing:0.03", "relaxation:down=0.05,up=0.01"])
@pytest.mark.parametrize("engine", [ExactEngine, StateVectorEngine, TrajectoryEngine])
def test_every_engine_starts_each_row_from_its_prepared_state(engine, noise):
    """Nine qubits, where the preparation's noise is left out: the input is the vector that Qiskit makes of the map."""
    found, _, inputs, _ = model("zz", 9, 2, ["Z4"], barrier=False, noise=noise, trained=["w004"])
    left_out = [text for text in found.warnings if "noise is left out" in text]
    assert bool(left_out) == bool(noise)
    program = compile_problem(found.problem)
    assert not program.full
    assert program.width == 4
    x = ParameterVector("x", 9)
    theta = found.draw(1, 5)[0]
    scale = 0.0 if engine is StateVectorEngine else 0.7
    for row in range(2):
        prepared = feature_map("zz", 9, x).assign_parameters(
            dict(zip(x, (c[row] for c in inputs.values()), strict=True))
        )
        reference = eq.Problem(ansatz(9, 2), "Z4", initial=Statevector(prepared), noise=noise)
        one = engine(program).draw(found.angles(theta, row).values, scale, np.random.default_rng(3))
        other = engine(compile_problem(reference)).draw(theta, scale, np.random.default_rng(3))
        assert one.value == pytest.approx(other.value, abs=EXACT)
        gradient = found.angles(theta, row).pulled_back(one.gradient)
        np.testing.assert_allclose(gradient, other.gradient, rtol=0, atol=EXACT)


def test_a_preparation_without_data_is_the_input_of_a_plain_problem():
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(0.4 + q, q)
        circuit.cx(q, (q + 1) % 3)
    circuit.barrier()
    circuit.compose(ansatz(3, 2), inplace=True)
    problem = eq.Problem(circuit, "Z1")
    whole = eq.Problem(circuit, "Z1", initial="000", allow_broken=True)
    assert (problem.conserves, whole.conserves) == (True, False)
    theta = np.array([0.7, -0.4, 1.1, 0.3])
    np.testing.assert_allclose(
        eq.gradient(problem, theta).gradient, eq.gradient(whole, theta).gradient, rtol=0, atol=EXACT
    )
    noisy = problem.with_noise("dephasing:0.05")
    assert noisy.breaking
    assert noisy.with_noise(None).layers == problem.layers
    reference = whole.with_noise("dephasing:0.05")
    np.testing.assert_allclose(
        eq.gradient(noisy, theta).gradient, eq.gradient(reference, theta).gradient, rtol=0, atol=EXACT
    )


def test_the_first_cx_of_a_trained_block_is_no_preparation():
    """CX RZ(w) CX conserves as a whole: its first CX stands behind gates without weights, and is not one of them."""
    circuit = QuantumCircuit(3)
    circuit.h(range(3))
    circuit.cx(1, 2)
    circuit.ry(0.3, 1)
    circuit.cx(0, 1)
    circuit.rz(Parameter("w"), 1)
    circuit.cx(0, 1)
    circuit.append(XXPlusYYGate(Parameter("v")), [1, 2])
    problem = eq.Problem(circuit, "Z1")
    assert problem.conserves
    assert problem.preparation.gates == 2
    whole = eq.Problem(circuit, "Z1", allow_broken=True)
    theta = np.array([0.7, 0.4])
    np.testing.assert_allclose(
        eq.gradient(problem, theta).gradient, eq.gradient(whole, theta).gradient, rtol=0, atol=EXACT
    )


def test_gates_that_break_the_charge_behind_a_weight_are_refused_by_name():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.append(XXPlusYYGate(Parameter("w")), [0, 1])
    circuit.barrier()
    circuit.rx(0.3, 1)
    with pytest.raises(SymmetryError, match=r"gate 'rx' at position 4 .* breaks the charge"):
        eq.Problem(circuit, "Z1")


def test_a_preparation_on_more_qubits_than_a_state_vector_holds_is_refused_with_the_reason():
    circuit = QuantumCircuit(21)
    circuit.ry(0.3, 0)
    circuit.cx(0, 1)
    circuit.append(XXPlusYYGate(Parameter("w")), [1, 2])
    with pytest.raises(SymmetryError, match="state vectors are held of at most 20"):
        eq.Problem(circuit, "Z1")
