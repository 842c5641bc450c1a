"""The charge that compiled circuits hide: found where it is, along the right axes, and refused where it is not."""

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import XXMinusYYGate, XXPlusYYGate
from qiskit.quantum_info import Operator

import equinoise as eq
from equinoise.circuit.compiled.hidden_charge import NoHiddenCharge, hidden_charge
from equinoise.circuit.layers import segments
from equinoise.errors import SymmetryError


def charge_of(circuit):
    return hidden_charge([part.gates for part in segments(circuit)[0]])


def one_body(axes, num_qubits):
    """sum_q axis_q . sigma_q on all qubits, from Kronecker products."""
    paulis = [np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])]
    out = np.zeros((2**num_qubits, 2**num_qubits), dtype=complex)
    for q, axis in axes.items():
        local = sum(x * p for x, p in zip(axis, paulis, strict=True))
        out += np.kron(np.eye(2 ** (num_qubits - 1 - q)), np.kron(local, np.eye(2**q)))
    return out


def bricks(levels, basis, **options):
    circuit = QuantumCircuit(4)
    circuit.x([0, 2])
    return transpile(
        circuit.compose(eq.circuits.brickwork(4, depth=3, **options)), basis_gates=basis, optimization_level=levels
    )


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("basis", [["rz", "sx", "x", "cz"], ["rz", "sx", "x", "ecr"], ["r", "cz"]], ids="-".join)
def test_the_found_charge_at_the_start_evolves_into_the_one_at_the_end(basis, level):
    circuit = bricks(level, basis)
    found = charge_of(circuit)
    for seed in (0, 1):
        theta = np.random.default_rng(seed).uniform(-3, 3, circuit.num_parameters)
        u = Operator(circuit.assign_parameters(theta)).data
        turned = u @ one_body(found.start, 4) @ u.conj().T
        np.testing.assert_allclose(turned, one_body(found.end, 4), atol=1e-12)


def test_x_gates_of_the_preparation_turn_the_axes_at_the_start():
    found = charge_of(bricks(3, ["rz", "sx", "x", "cz"]))
    assert [round(axis[2]) for _, axis in sorted(found.start.items())] == [-1, 1, -1, 1]
    assert [round(axis[2]) for _, axis in sorted(found.end.items())] == [1, 1, 1, 1]


def test_swaps_carry_axes_along():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.append(XXPlusYYGate(Parameter("a")), [0, 1])
    circuit.swap(0, 1)
    circuit.h(1)
    found = charge_of(circuit)
    np.testing.assert_allclose(np.abs([found.end[0], found.end[1]]), [[0, 0, 1], [1, 0, 0]], atol=1e-12)


def test_pairing_on_a_bipartite_line_counts_every_second_qubit_by_its_empty_states():
    circuit = QuantumCircuit(3)
    circuit.append(XXMinusYYGate(Parameter("a")), [0, 1])
    circuit.append(XXMinusYYGate(Parameter("b")), [1, 2])
    ends = charge_of(circuit).end
    assert [round(ends[q][2]) for q in range(3)] == [1, -1, 1]


def test_registers_with_charges_of_their_own_are_counted_alike():
    circuit = QuantumCircuit(4)
    a = ParameterVector("a", 3)
    circuit.append(XXPlusYYGate(a[0]), [0, 1])
    circuit.append(XXPlusYYGate(a[1]), [2, 3])
    circuit.rzz(a[2], 1, 2)
    compiled = transpile(circuit, basis_gates=["rz", "sx", "x", "cz"], optimization_level=1)
    ends = charge_of(compiled).end
    np.testing.assert_allclose([ends[q] for q in range(4)], np.tile([0.0, 0, 1], (4, 1)), atol=1e-12)


def test_a_rotation_that_no_block_takes_ends_the_charge_and_is_named():
    circuit = bricks(1, ["rz", "sx", "x", "cz"])
    middle = QuantumCircuit(4)
    middle.ry(Parameter("tilt"), 1)
    broken = circuit.compose(middle).compose(circuit.assign_parameters(np.full(circuit.num_parameters, 0.3)))
    with pytest.raises(NoHiddenCharge, match=r"the block of gates \d+ to \d+ .* on qubits \[.*1.*\] carries no sum"):
        charge_of(broken)


def test_the_refusal_of_a_problem_names_gate_and_block():
    circuit = QuantumCircuit(3)
    a = ParameterVector("a", 3)
    circuit.rxx(a[0], 0, 1)
    circuit.rzz(a[1], 0, 1)
    circuit.ryy(a[2], 1, 2)
    with pytest.raises(SymmetryError, match=r"gate 'rxx' at position 0 .* no charge is hidden .* \(residual [0-9.]+\)"):
        eq.Problem(circuit, readout="Z0", initial="neel")


def test_gates_on_three_qubits_are_named_as_what_no_hidden_charge_is_looked_for_in():
    circuit = QuantumCircuit(3)
    circuit.ccx(0, 1, 2)
    with pytest.raises(NoHiddenCharge, match="'ccx' at position 0 acts on 3 qubits"):
        charge_of(circuit)
