"""The problem as a whole: preparation recognised, angles linear in the parameters, and every refusal's text."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import XXPlusYYGate
from qiskit.quantum_info import SparsePauliOp, Statevector

import equinoise as eq
from equinoise.errors import (
    CircuitError,
    NoiseError,
    ParameterError,
    ReadoutError,
    StateError,
    SymmetryError,
)

NATIVE = ["cz", "sx", "x", "rz"]
# the same physics spelled twice: rounding of order 1e-15 per gate
EXACT = 1e-12
BRICKS = eq.circuits.brickwork(4, depth=2)


def hopping(n=2):
    """One parameter, XX+YY on qubits 0 and 1."""
    circuit = QuantumCircuit(n)
    circuit.append(XXPlusYYGate(Parameter("a")), [0, 1])
    return circuit


# -- preparation ---------------------------------------------------------------------------------------------------


def prepared_by_x():
    circuit = QuantumCircuit(4)
    circuit.x([1, 2])
    return circuit, "0110"


def prepared_by_rotations():
    circuit = QuantumCircuit(4)
    circuit.ry(0.7, 0)
    circuit.ry(math.pi, 1)
    circuit.h(3)
    circuit.rz(0.4, 3)
    return circuit, [[math.cos(0.35), math.sin(0.35)], [0, 1], [1, 0], np.array([1, np.exp(0.4j)]) / math.sqrt(2)]


@pytest.mark.parametrize("preparation", [prepared_by_x, prepared_by_rotations])
@pytest.mark.parametrize("barrier", [True, False])
@pytest.mark.parametrize("form", ["gates", "decomposed", "native"])
def test_leading_gates_are_the_input_state(preparation, barrier, form):
    """Also in front of compiled blocks, whose own leading gates must stay with them."""
    first, initial = preparation()
    circuit = first.copy()
    if barrier:
        circuit.barrier()
    circuit = circuit.compose(BRICKS)
    if form == "decomposed":
        circuit = first.compose(BRICKS.decompose())
    elif form == "native":
        circuit = first.compose(transpile(BRICKS, basis_gates=NATIVE, optimization_level=1, seed_transpiler=1))
    stated = eq.Problem(BRICKS, readout="X1X2+Y1Y2", initial=initial, noise="dephasing:0.05")
    found = eq.Problem(circuit, readout="X1X2+Y1Y2", noise="dephasing:0.05")
    assert len(found.layers) == len(stated.layers) == 2
    np.testing.assert_allclose(found.initial.charges(), stated.initial.charges(), atol=EXACT)
    values = {p.name: v for p, v in zip(BRICKS.parameters, np.linspace(-2, 2, len(BRICKS.parameters)), strict=True)}
    expected, result = (eq.gradient(p, values) for p in (stated, found))
    assert result.value == pytest.approx(expected.value, abs=EXACT)
    np.testing.assert_allclose(result.gradient, expected.gradient, atol=EXACT)
    assert np.abs(expected.gradient).max() > 0.05


def test_x_gates_are_a_computational_basis_state():
    circuit = QuantumCircuit(3)
    circuit.x([0, 2])
    problem = eq.Problem(circuit.compose(eq.circuits.brickwork(3, depth=1)), readout="Z0")
    assert problem.initial.bits == (1, 0, 1)
    assert problem.charge == 2
    assert problem.warnings == ()


def test_preparation_costs_no_noise():
    """The slots follow the circuit's layers; the preparation is not one of them."""
    circuit = QuantumCircuit(2)
    circuit.x(0)
    circuit.barrier()
    problem = eq.Problem(circuit.compose(hopping()), readout="Z0", noise="relaxation:0.3")
    assert len(problem.layers) == len(problem.slots) == 1


def test_superposition_of_charges_has_no_sector():
    circuit = QuantumCircuit(2)
    circuit.ry(0.7, 0)
    problem = eq.Problem(circuit.compose(hopping()), readout="Z0")
    assert problem.charge is None
    assert problem.initial.charges() == pytest.approx([math.cos(0.35) ** 2, math.sin(0.35) ** 2, 0])


def test_stated_initial_state_turns_leading_gates_into_gates():
    circuit = QuantumCircuit(2)
    circuit.x(0)
    with pytest.raises(SymmetryError, match="gate 'x' at position 0"):
        eq.Problem(circuit.compose(hopping()), readout="Z0", initial="00")


def test_parametrised_leading_rotation_is_no_preparation():
    circuit = QuantumCircuit(2)
    circuit.ry(Parameter("b"), 0)
    with pytest.raises(SymmetryError, match=r"gate 'ry' at position 0 \(layer 0\) on qubits \[0\]"):
        eq.Problem(circuit.compose(hopping()), readout="Z0")


def test_a_rotation_in_the_middle_breaks_the_charge():
    circuit = hopping().compose(QuantumCircuit(2))
    circuit.barrier()
    circuit.rx(Parameter("b"), 1)
    with pytest.raises(SymmetryError, match=r"gate 'rx' at position 2 \(layer 1\) on qubits \[1\] breaks the charge"):
        eq.Problem(circuit, readout="Z0")


def test_an_x_gate_in_the_middle_turns_the_charge_upside_down():
    """One qubit's charge then counts its empty states: a hidden charge, followed and not refused."""
    circuit = hopping().compose(QuantumCircuit(2))
    circuit.barrier()
    circuit.x(1)
    turned = eq.Problem(circuit, readout="Z1", initial="01")
    assert sorted(turned.frames.end) == [1]
    whole = eq.Problem(circuit, readout="Z1", initial="01", allow_broken=True)
    assert eq.gradient(turned, [0.4]).value == pytest.approx(eq.gradient(whole, [0.4]).value, abs=1e-12)


def test_without_preparation_neel_is_assumed_and_said():
    problem = eq.Problem(BRICKS, readout="Z1")
    assert problem.initial.bits == (1, 0, 1, 0)
    assert problem.warnings == ("the circuit prepares no state of its own and none was given: Néel input assumed",)


def test_compiled_circuit_without_preparation_is_prepared_as_its_source_is():
    """The RZ with which a decomposed block begins leaves |0> alone: it prepares nothing."""
    for circuit in (BRICKS.decompose(), transpile(BRICKS, basis_gates=NATIVE, optimization_level=1, seed_transpiler=1)):
        problem = eq.Problem(circuit, readout="Z1")
        assert problem.initial.bits == (1, 0, 1, 0)
        assert "Néel input assumed" in problem.warnings[0]


def test_final_measurements_are_ignored_and_said():
    circuit = BRICKS.copy()
    circuit.measure_all()
    problem = eq.Problem(circuit, readout="Z1", initial="neel")
    assert problem.warnings == ("final measurements of 4 qubits ignored: the readout says what is measured",)


# -- parameters ----------------------------------------------------------------------------------------------------


def test_linear_expressions_follow_the_chain_rule():
    """C of angles A x + c has the gradient A^T dC/d(angles)."""
    a, b = Parameter("a"), Parameter("b")
    plain = eq.circuits.brickwork(3, depth=2)
    rng = np.random.default_rng(4)
    slope = rng.choice([-0.5, 0.0, 1.0, 2.0], size=(plain.num_parameters, 2))
    slope[0] = [2, -0.5]
    offset = rng.uniform(-1, 1, plain.num_parameters)
    offset[0] = 0.3
    mapping = {
        p: float(s[0]) * a + float(s[1]) * b + c for p, s, c in zip(plain.parameters, slope, offset, strict=True)
    }
    linear = eq.Problem(plain.assign_parameters(mapping), readout="Z1", initial="neel", noise="dephasing:0.1")
    assert [p.name for p in linear.parameters] == ["a", "b"]
    x = np.array([0.7, -1.9])
    full = eq.Problem(plain, readout="Z1", initial="neel", noise="dephasing:0.1")
    expected = eq.gradient(full, slope @ x + offset)
    found = eq.gradient(linear, x)
    assert found.value == pytest.approx(expected.value, abs=EXACT)
    np.testing.assert_allclose(found.gradient, slope.T @ expected.gradient, atol=EXACT)


def test_angle_of_the_written_out_expression():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(2)
    circuit.append(XXPlusYYGate(2 * a - b / 2 + 0.3), [0, 1])
    problem = eq.Problem(circuit, readout="Z0", initial="01")
    x, y = 0.4, 1.1
    found = eq.gradient(problem, {"a": x, "b": y})
    angle = 2 * x - y / 2 + 0.3
    # one hopping block from |01>: C = -cos(angle)
    assert found.value == pytest.approx(-math.cos(angle), abs=EXACT)
    assert found.gradient == pytest.approx([2 * math.sin(angle), -math.sin(angle) / 2], abs=EXACT)


def test_shared_parameter_sums_the_gradients_of_its_gates():
    shared = eq.circuits.brickwork(4, depth=2, shared=True)
    apart = eq.circuits.brickwork(4, depth=2)
    # gate by gate, the apart circuit's parameter plays the part of the shared one
    owner = {}
    for one, two in zip(apart.data, shared.data, strict=True):
        for p, s in zip(one.operation.params, two.operation.params, strict=True):
            if p != 0.0:
                owner[p] = s
    problems = [eq.Problem(c, readout="Z1", initial="neel", noise="dephasing:0.1") for c in (shared, apart)]
    values = dict(zip(shared.parameters, np.linspace(-2, 2, shared.num_parameters), strict=True))
    found = eq.gradient(problems[0], values).gradient
    each = eq.gradient(problems[1], {p: values[owner[p]] for p in apart.parameters}).gradient
    expected = dict.fromkeys(shared.parameters, 0.0)
    for p, g in zip(apart.parameters, each, strict=True):
        expected[owner[p]] += g
    np.testing.assert_allclose(found, list(expected.values()), atol=EXACT)


@settings(max_examples=15, deadline=None)
@given(st.floats(-3, 3), st.floats(-3, 3))
def test_parameter_that_cancels_in_one_gate_must_enter_another(x, y):
    """(a + b) - b is a, and b acts by its RZ alone."""
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(2)
    circuit.append(XXPlusYYGate((a + b) - b), [0, 1])
    circuit.rz(b, 0)
    found = eq.gradient(eq.Problem(circuit, readout="Z0", initial="01"), {"a": x, "b": y})
    assert found.gradient == pytest.approx([math.sin(x), 0], abs=EXACT)


@pytest.mark.parametrize(
    "bad", [lambda a, b: a * b, lambda a, b: a**2 + b, lambda a, b: a.sin() + b, lambda a, b: b / a]
)
def test_nonlinear_angle_is_refused_by_gate_and_parameter(bad):
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(2)
    circuit.rz(b, 0)
    circuit.append(XXPlusYYGate(bad(a, b)), [0, 1])
    text = r"gate 'xx_plus_yy' at position 1 on qubits \[0, 1\]: the angle .* is not linear in '[ab]'"
    with pytest.raises(ParameterError, match=text) as error:
        eq.Problem(circuit, readout="Z0")
    assert "introduce a new parameter" in str(error.value)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_angles_that_are_not_finite_are_refused(value):
    circuit = hopping()
    circuit.rz(value, 0)
    with pytest.raises((ParameterError, CircuitError), match=r"finite|unitary"):
        eq.Problem(circuit, readout="Z0")


def test_parameter_in_no_gate_is_named():
    b, c = Parameter("b"), Parameter("c")
    circuit = hopping()
    circuit.global_phase = b + c
    with pytest.raises(ParameterError, match=r"parameter 'b' enters no gate \(nor do 1 others\)"):
        eq.Problem(circuit, readout="Z0")
    cancelled = hopping()
    cancelled.rz(b - b + 0.3, 0)
    with pytest.raises(ParameterError, match=r"parameter 'b' enters no gate\. Remove it or use it"):
        eq.Problem(cancelled, readout="Z0")


@pytest.mark.parametrize(
    ("theta", "text"),
    [
        ([0.1], r"theta must have shape \(2,\), one angle for each of circuit.parameters; got \(1,\)"),
        ([[0.1, 0.2]], r"got \(1, 2\)"),
        ([0.1, math.nan], "not finite at index 1"),
        ([math.inf, 0.1], "not finite at index 0"),
        (["x", "y"], "must be real numbers in radians"),
        ([0.1, 0.2j], "must be real numbers"),
        ({"a": 0.1}, r"missing \['b'\], unknown \[\]"),
        ({"a": 0.1, "b": 0.2, "c": 0.3}, r"missing \[\], unknown \['c'\]"),
        (None, "theta must have shape|must be real numbers"),
    ],
)
def test_parameter_values_that_do_not_fit_are_refused(theta, text):
    circuit = hopping()
    circuit.rz(Parameter("b"), 0)
    problem = eq.Problem(circuit, readout="Z0")
    with pytest.raises(ParameterError, match=text):
        eq.gradient(problem, theta)


def test_values_by_name_and_by_position_agree_in_the_order_of_circuit_parameters():
    z, a = Parameter("z"), Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.append(XXPlusYYGate(z), [0, 1])
    circuit.append(XXPlusYYGate(a), [0, 1])
    problem = eq.Problem(circuit, readout="Z0")
    assert [p.name for p in problem.parameters] == ["a", "z"]
    np.testing.assert_array_equal(problem.theta({"z": 1.0, a: 2.0}), [2.0, 1.0])


@pytest.mark.parametrize("scale", [-0.1, math.nan])
def test_negative_noise_scale_is_refused(scale):
    problem = eq.Problem(hopping(), readout="Z0")
    for ask in (eq.gradient, eq.expectation):
        with pytest.raises(ParameterError, match="noise scale must be a number >= 0 or infinity"):
            ask(problem, [0.1], scale=scale)


# -- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"readout": "Q"}, ReadoutError, "cannot read the readout"),
        ({"readout": "Z9"}, ReadoutError, r"names qubit 9, but the circuit has qubits 0\.\.3"),
        ({"readout": "X1"}, ReadoutError, "does not conserve the charge"),
        ({"initial": "01"}, StateError, "has 2 digits, the circuit has 4 qubits"),
        ({"initial": "nell"}, StateError, "cannot read the initial state"),
        ({"charge": 5}, StateError, r"charge must lie in 0\.\.4, got 5"),
        ({"charge": -1}, StateError, r"charge must lie in 0\.\.4, got -1"),
        ({"charge": 1.5}, StateError, r"charge must be an integer in 0\.\.4, got 1.5"),
        ({"charge": True}, StateError, "charge must be an integer"),
        ({"charge": 1}, StateError, r"no part of charge 1; its charges are \[2\]"),
        (
            {"initial": [[0.6, 0.8]] * 4, "projected": True},
            StateError,
            r"holds the charges \[0, 1, 2, 3, 4\]; say which",
        ),
        ({"noise": "dephasing:-1"}, NoiseError, "must not be negative"),
        ({"noise": 3}, NoiseError, "noise must be a NoiseModel"),
    ],
)
def test_bad_input_is_refused_with_argument_expectation_and_value(options, error, text):
    with pytest.raises(error, match=text):
        eq.Problem(BRICKS, **{"readout": "Z1", "initial": "neel", **options})


def test_state_of_another_register_is_refused():
    state = eq.Problem(BRICKS, readout="Z1").initial
    with pytest.raises(StateError, match="the initial state has 4 qubits, the circuit 2"):
        eq.Problem(hopping(), readout="Z0", initial=state)


def test_what_is_no_circuit_is_refused():
    with pytest.raises(CircuitError, match=r"must be a qiskit\.QuantumCircuit, got str. Load files with"):
        eq.Problem("brickwork:n=4,depth=2", readout="Z1")
    with pytest.raises(CircuitError, match="the circuit has no qubits"):
        eq.Problem(QuantumCircuit(), readout="Z1")
    for empty in (QuantumCircuit(2), prepared_by_x()[0]):
        with pytest.raises(CircuitError, match="no gates between preparation and readout"):
            eq.Problem(empty, readout="Z1")


def test_measurement_reset_and_control_flow_inside_are_refused():
    measured = QuantumCircuit(2, 1)
    measured.measure(0, 0)
    with pytest.raises(CircuitError, match=r"gate 'xx_plus_yy' at position 1 on qubits \[0, 1\] follows a measurement"):
        eq.Problem(measured.compose(hopping()), readout="Z0")
    reset = hopping()
    reset.reset(0)
    with pytest.raises(CircuitError, match=r"gate 'reset' at position 1 .* is not a unitary gate"):
        eq.Problem(reset, readout="Z0")
    flow = QuantumCircuit(2, 1)
    with flow.if_test((flow.clbits[0], 1)):
        flow.x(0)
    with pytest.raises(CircuitError, match="is not a unitary gate that equinoise can take"):
        eq.Problem(flow, readout="Z0")


def test_broken_charge_is_computed_when_allowed_and_named():
    circuit = hopping(3)
    circuit.barrier()
    circuit.rx(Parameter("b"), 1)
    circuit.ry(0.2, 0)
    with pytest.raises(SymmetryError, match=r"gate 'rx' at position 2 .*\(and 1 more\).*--allow-broken"):
        eq.Problem(circuit, readout="Z1", initial="001")
    problem = eq.Problem(circuit, readout="Z1", initial="001", allow_broken=True)
    assert [text.split(" at ")[0] for text in problem.breaking] == ["gate 'rx'", "gate 'ry'"]
    a, b = 0.8, 0.5
    # Z1 after RX(b): cos(b) <Z1>, and hopping from |001> leaves <Z1> = cos(a)
    found = eq.gradient(problem, {"a": a, "b": b})
    assert found.value == pytest.approx(math.cos(a) * math.cos(b), abs=EXACT)
    assert found.gradient == pytest.approx([-math.sin(a) * math.cos(b), -math.cos(a) * math.sin(b)], abs=EXACT)


def test_charge_selects_the_sector_of_a_projected_superposition():
    """P_1 Z0 P_1 in sqrt(1/2)(|01> + |11>): only the first part counts."""
    state = Statevector([0, 1, 0, 1]) / math.sqrt(2)
    problem = eq.Problem(hopping(), readout="Z0", initial=state, projected=True, charge=1)
    assert problem.charge == 1
    assert eq.expectation(problem, [0.9]).value == pytest.approx(-math.cos(0.9) / 2, abs=EXACT)


def test_repr_names_what_matters():
    readout = SparsePauliOp.from_sparse_list([("Z", [1], 1.0)], num_qubits=4)
    problem = eq.Problem(BRICKS, readout=readout, initial="neel", noise="dephasing:0.01")
    assert repr(problem) == (
        "Problem(4 qubits, 2 layers, 14 parameters, readout 'Z1', initial 'neel', noise 'dephasing:0.01')"
    )


def test_parameter_vectors_beyond_ten_elements_keep_their_order():
    theta = ParameterVector("t", 12)
    circuit = QuantumCircuit(2)
    for t in theta:
        circuit.append(XXPlusYYGate(t), [0, 1])
    problem = eq.Problem(circuit, readout="Z0", initial="01")
    values = np.arange(12) / 10
    assert eq.expectation(problem, values).value == pytest.approx(-math.cos(values.sum()), abs=EXACT)
    assert problem.theta({f"t[{k}]": k / 10 for k in range(12)}) == pytest.approx(values)


def test_with_noise_is_the_problem_stated_with_that_noise():
    circuit = eq.circuits.brickwork(4, depth=2)
    one = eq.Problem(circuit, readout="Z1", initial="neel", noise="dephasing:0.1")
    eq.gradient(one, np.full(len(one.parameters), 0.4))
    other, stated = one.with_noise("relaxation:0.2"), eq.Problem(circuit, "Z1", initial="neel", noise="relaxation:0.2")
    assert other.slots == stated.slots
    assert other.warnings == stated.warnings
    theta = np.linspace(0, 1, len(one.parameters))
    np.testing.assert_array_equal(eq.gradient(other, theta).gradient, eq.gradient(stated, theta).gradient)
    assert one.noise.name == "dephasing:0.1"
