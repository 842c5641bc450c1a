"""Consecutive gates on one pair as one block: which conserve the charge, and what is said of those that do not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import XXPlusYYGate
from qiskit.quantum_info import Operator

import equinoise as eq
from equinoise.circuit.blocks import conserves_charge, consolidate, embed, unitary_and_generators
from equinoise.circuit.gates import Gate, rotations_of
from equinoise.circuit.layers import split_layers
from equinoise.errors import SymmetryError

NATIVE = ["cz", "sx", "x", "rz"]
# unitaries of a few gates: rounding of order 1e-15 per gate
EXACT = 1e-12


def without_barriers(circuit):
    out = circuit.copy_empty_like()
    for item in circuit.data:
        if item.operation.name != "barrier":
            out.append(item)
    return out


def gates_of(circuit):
    index = {p: i for i, p in enumerate(circuit.parameters)}
    gates = []
    for position, item in enumerate(circuit.data):
        qubits = tuple(circuit.find_bit(q).index for q in item.qubits)
        gates.append(Gate(position, item.operation.name, qubits, rotations_of(item.operation, qubits, index, "here")))
    return gates


def only_block(circuit):
    blocks, _ = consolidate(gates_of(circuit))
    (block,) = blocks
    return block


def equal_up_to_phase(left, right):
    overlap = np.trace(left.conj().T @ right) / len(left)
    return abs(abs(overlap) - 1) < EXACT


def hopping_forms():
    """exp(-i t (XX + YY)/4) in five spellings, each on two qubits with one parameter."""
    t = Parameter("t")
    plain = QuantumCircuit(2)
    plain.append(XXPlusYYGate(t), [0, 1])
    pair = QuantumCircuit(2)
    pair.rxx(t / 2, 0, 1)
    pair.ryy(t / 2, 0, 1)
    conjugated = QuantumCircuit(2)
    conjugated.cx(0, 1)
    conjugated.crx(t, 1, 0)
    conjugated.cx(0, 1)
    reverse = QuantumCircuit(2)
    reverse.append(XXPlusYYGate(t), [1, 0])
    return {
        "gate": plain,
        "rxx ryy": pair,
        "cx conjugated": conjugated,
        "reversed": reverse,
        "decomposed": plain.decompose(),
        "decomposed twice": plain.decompose(reps=2),
        "native 0": transpile(plain, basis_gates=NATIVE, optimization_level=0),
        "native 1": transpile(plain, basis_gates=NATIVE, optimization_level=1),
    }


@pytest.mark.parametrize("form", hopping_forms())
def test_every_spelling_of_hopping_is_one_conserving_block_with_the_same_gradient(form):
    circuit = hopping_forms()[form]
    plain = eq.Problem(hopping_forms()["gate"], readout="Z0", initial="01", noise="dephasing:0.02")
    block = only_block(circuit)
    assert block.conserving
    assert block.qubits == (0, 1)
    problem = eq.Problem(circuit, readout="Z0", initial="01", noise="dephasing:0.02")
    assert eq.gradient(problem, [0.9]).gradient == pytest.approx(eq.gradient(plain, [0.9]).gradient, abs=EXACT)
    # closed form: C = -cos(t), from |01> with Z0 = -1 at t = 0
    assert eq.gradient(problem, [0.9]).gradient[0] == pytest.approx(math.sin(0.9), abs=EXACT)


@pytest.mark.parametrize("form", hopping_forms())
def test_effective_generator_of_the_whole_block_is_the_hopping_generator(form):
    """i (dU/dt) U^dag = (XX + YY)/4, though the elementary generators (Y/2 on one qubit, ...) break the charge."""
    block = only_block(hopping_forms()[form])
    unitary, generators = unitary_and_generators(block.rotations, block.qubits, np.array([0.9]))
    expected = np.zeros((4, 4))
    expected[1, 2] = expected[2, 1] = 0.5
    assert equal_up_to_phase(unitary, Operator(XXPlusYYGate(0.9)).data)
    np.testing.assert_allclose(generators[0], expected, atol=EXACT)


def test_generator_equals_the_difference_quotient_of_the_unitary():
    a, b = ParameterVector("p", 2)
    circuit = QuantumCircuit(2)
    circuit.rxx(a, 0, 1)
    circuit.ryy(a, 0, 1)
    circuit.cp(2 * b - a, 0, 1)
    circuit.rz(b, 1)
    block = only_block(circuit)
    theta = np.array([0.4, -1.1])
    unitary, generators = unitary_and_generators(block.rotations, block.qubits, theta)
    step = 1e-5  # central differences: error of order step^2 + 1e-16/step, about 1e-10
    for k in range(2):
        shift = step * np.eye(2)[k]
        up, down = (unitary_and_generators(block.rotations, block.qubits, theta + s * shift)[0] for s in (1, -1))
        expected = 1j * (up - down) / (2 * step) @ unitary.conj().T
        np.testing.assert_allclose(generators[k], expected, atol=1e-9)


def test_embed_places_a_gate_as_qiskit_does():
    rng = np.random.default_rng(3)
    one, two = (rng.normal(size=(d, d)) + 1j * rng.normal(size=(d, d)) for d in (2, 4))
    identity = Operator(np.eye(4))
    for wires in ([0], [1]):
        np.testing.assert_allclose(embed(one, wires, (0, 1)), identity.compose(Operator(one), wires).data)
    for wires in ([0, 1], [1, 0]):
        np.testing.assert_allclose(embed(two, wires, (0, 1)), identity.compose(Operator(two), wires).data)
    # absolute qubit numbers count, not positions
    np.testing.assert_allclose(embed(two, (7, 4), (4, 7)), identity.compose(Operator(two), [1, 0]).data)


@pytest.mark.parametrize("level", ["decompose", 0, 1])
@pytest.mark.parametrize("barriers", [True, False])
@pytest.mark.parametrize("options", [{}, {"interaction": "cphase", "phase": True}, {"interaction": "none"}])
def test_compiled_brickwork_is_recognised_with_the_same_gradient_under_noise(level, barriers, options):
    """Optimisation moves one-qubit gates across blocks; layers, noise slots and gradient must not notice."""
    circuit = eq.circuits.brickwork(4, depth=3, **options)
    reference = eq.Problem(circuit, readout="X1X2+Y1Y2", initial="neel", noise="dephasing:0.05+relaxation:0.03")
    source = circuit if barriers else without_barriers(circuit)
    if level == "decompose":
        compiled = source.decompose()
    else:
        compiled = transpile(source, basis_gates=NATIVE, optimization_level=level, seed_transpiler=1)
        assert set(compiled.count_ops()) <= {*NATIVE, "barrier"}
    problem = eq.Problem(compiled, readout="X1X2+Y1Y2", initial="neel", noise="dephasing:0.05+relaxation:0.03")
    theta = np.random.default_rng(2).uniform(-3, 3, circuit.num_parameters)
    names = [p.name for p in reference.parameters]
    expected = eq.gradient(reference, theta)
    found = eq.gradient(problem, dict(zip(names, theta, strict=True)))
    order = [names.index(p.name) for p in problem.parameters]
    assert found.value == pytest.approx(expected.value, abs=EXACT)
    np.testing.assert_allclose(found.gradient, expected.gradient[order], atol=EXACT)
    assert np.abs(expected.gradient).max() > 0.01


@pytest.mark.parametrize(("n", "periodic"), [(5, False), (6, False), (6, True)])
def test_layers_as_soon_as_possible_are_the_barrier_layers_of_a_brickwork(n, periodic):
    circuit = eq.circuits.brickwork(n, depth=4, periodic=periodic)
    with_barriers, without = (split_layers(c, find_preparation=False) for c in (circuit, without_barriers(circuit)))
    assert len(with_barriers) == len(without) == 4
    for left, right in zip(with_barriers, without, strict=True):
        # Z rotations of qubits that idle in a layer join the last block on their wire
        assert [g.qubits for g in left.gates if len(g.qubits) == 2] == [
            g.qubits for g in right.gates if len(g.qubits) == 2
        ]
        two = [[b.qubits for b in layer.blocks if len(b.qubits) == 2] for layer in (left, right)]
        assert two[0] == two[1]


def test_without_barriers_the_gradient_of_a_ring_is_that_with_barriers():
    circuit = eq.circuits.brickwork(6, depth=3, periodic=True)
    theta = np.random.default_rng(5).uniform(-3, 3, circuit.num_parameters)
    pair = [
        eq.gradient(eq.Problem(c, readout="Z2", initial="neel", noise="collective:0.2+dephasing:0.04"), theta).gradient
        for c in (circuit, without_barriers(circuit))
    ]
    np.testing.assert_allclose(pair[0], pair[1], atol=EXACT)


def test_blocks_are_placed_as_soon_as_their_qubits_are_free():
    """A staircase 01, 12, 23, then 01 again: the last one fits beside 23."""
    circuit = QuantumCircuit(4)
    for theta, pair in zip(ParameterVector("t", 4), [(0, 1), (1, 2), (2, 3), (0, 1)], strict=True):
        circuit.append(XXPlusYYGate(theta), pair)
    layers = split_layers(circuit, find_preparation=False)
    assert [[b.qubits for b in layer.blocks] for layer in layers] == [[(0, 1)], [(1, 2)], [(2, 3), (0, 1)]]


def test_independent_rxx_and_ryy_are_refused_by_name_and_position():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(3)
    circuit.append(XXPlusYYGate(0.3), [0, 1])
    circuit.barrier()
    circuit.rxx(a, 1, 2)
    circuit.ryy(b, 1, 2)
    with pytest.raises(SymmetryError) as error:
        eq.Problem(circuit, readout="Z1", initial="neel")
    text = str(error.value)
    assert "gate 'rxx' at position 2 (layer 1) on qubits [1, 2] breaks the charge" in text
    assert "and 1 more" in text
    assert "allow_broken=True" in text


def test_equal_angles_at_one_point_do_not_make_a_block_conserving():
    """RXX(a) RYY(a + 0.1 b) conserves at b = 0 alone; its derivative in b never does."""
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(2)
    circuit.rxx(a, 0, 1)
    circuit.ryy(a + 0.1 * b, 0, 1)
    assert not only_block(circuit).conserving


def test_a_gate_between_them_on_another_pair_keeps_rxx_and_ryy_apart():
    a = Parameter("a")
    circuit = QuantumCircuit(3)
    circuit.rxx(a, 0, 1)
    circuit.append(XXPlusYYGate(0.4), [1, 2])
    circuit.ryy(a, 0, 1)
    with pytest.raises(SymmetryError, match="'rxx' at position 0"):
        eq.Problem(circuit, readout="Z1", initial="neel")


def test_barrier_keeps_rxx_and_ryy_apart():
    """Noise acts between them, so each must conserve by itself."""
    a = Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.rxx(a, 0, 1)
    circuit.barrier()
    circuit.ryy(a, 0, 1)
    with pytest.raises(SymmetryError, match=r"'rxx' at position 0 \(layer 0\)"):
        eq.Problem(circuit, readout="Z1", initial="neel")


def test_lone_x_rotation_is_named():
    circuit = QuantumCircuit(2)
    circuit.append(XXPlusYYGate(Parameter("a")), [0, 1])
    circuit.rx(Parameter("b"), 1)
    with pytest.raises(SymmetryError, match=r"gate 'rx' at position 1 \(layer 0\) on qubits \[1\]"):
        eq.Problem(circuit, readout="Z0", initial="neel")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["rz", "rzz", "xy", "swap", "rx", "rxx"]), st.floats(-3, 3)), min_size=1, max_size=5
    ),
)
def test_conservation_is_decided_as_by_the_unitary_of_fixed_gates(gates):
    """For gates without parameters conserving means that the product commutes with the charge."""
    circuit = QuantumCircuit(2)
    for name, angle in gates:
        if name == "xy":
            circuit.append(XXPlusYYGate(angle), [0, 1])
        elif name in ("rz", "rx"):
            getattr(circuit, name)(angle, 1)
        elif name == "swap":
            circuit.swap(0, 1)
        else:
            getattr(circuit, name)(angle, 0, 1)
    rotations = [r for gate in gates_of(circuit) for r in gate.rotations]
    unitary = Operator(circuit).data
    charge = np.array([0, 1, 1, 2])
    leak = np.abs(unitary[charge[:, None] != charge[None, :]]).max()
    if leak < 1e-12 or leak > 1e-6:  # between them the decision is one of rounding
        assert conserves_charge(rotations, (0, 1)) == (leak < 1e-9)


def test_three_qubit_gate_is_taken_through_its_definition():
    t = ParameterVector("t", 2)
    inner = QuantumCircuit(3, name="triple")
    inner.append(XXPlusYYGate(t[0]), [0, 1])
    inner.append(XXPlusYYGate(t[1]), [1, 2])
    circuit, plain = QuantumCircuit(3), QuantumCircuit(3)
    circuit.append(inner.to_gate(), [2, 0, 1])
    plain.append(XXPlusYYGate(t[0]), [2, 0])
    plain.append(XXPlusYYGate(t[1]), [0, 1])
    found, expected = (
        eq.gradient(eq.Problem(c, readout="Z1", initial="100"), [0.7, 1.9]).gradient for c in (circuit, plain)
    )
    np.testing.assert_allclose(found, expected, atol=EXACT)


@pytest.mark.parametrize("size", [1e-12, 3e-10, 1.0, 1e9])
def test_a_small_coefficient_of_an_angle_neither_hides_a_broken_charge_nor_breaks_one(size):
    """RX(3e-10 a) turns fully at a = 1e10: at angles of order 1 it looked like the identity."""
    a, b = Parameter("a"), Parameter("b")
    broken, kept = QuantumCircuit(2), QuantumCircuit(2)
    for circuit in (broken, kept):
        circuit.rzz(b, 0, 1)
        circuit.rxx(size * a, 0, 1)
        circuit.ryy((1 if circuit is kept else 2) * size * a, 0, 1)
    with pytest.raises(SymmetryError, match="gate 'rxx' at position 1"):
        eq.Problem(broken, "Z0", "01")
    assert not eq.Problem(kept, "Z0", "01").breaking
