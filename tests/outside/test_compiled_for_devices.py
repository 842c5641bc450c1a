"""Circuits that Qiskit's transpiler made for devices' natives, routed and laid out: gradients of what was compiled."""

import io

import numpy as np
import pytest
from qiskit import QuantumCircuit, qpy, transpile
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import XXPlusYYGate
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit.transpiler import CouplingMap

import equinoise as eq
from compiled_twin import compiled_value, derivative

NATIVES = {
    "IBM CZ": ["rz", "sx", "x", "cz"],
    "IBM ECR": ["rz", "sx", "x", "ecr"],
    "IQM": ["r", "cz"],
    "IonQ": ["rz", "rx", "ry", "rxx"],
    "Quantinuum": ["rz", "sx", "rzz"],
}
LINE = CouplingMap.from_line(7)
HEAVY = CouplingMap([(0, 1), (1, 2), (2, 3), (1, 4), (4, 5), (5, 6), (6, 7)])
EXACT = 1e-8


def free_of_barriers(circuit):
    bare = circuit.copy_empty_like()
    for item in circuit.data:
        if item.operation.name != "barrier":
            bare.append(item)
    return bare


def neel(num_qubits):
    circuit = QuantumCircuit(num_qubits)
    circuit.x(range(0, num_qubits, 2))
    return circuit


def bricks(num_qubits):
    """XX+YY, RZZ and RZ with angles of their own."""
    return neel(num_qubits).compose(free_of_barriers(eq.circuits.brickwork(num_qubits, depth=3)))


def heisenberg(num_qubits):
    """XXZ: one angle for XX+YY and another for ZZ on each bond, written as three gates; a Z field."""
    circuit = neel(num_qubits)
    angles = iter(ParameterVector("a", 4 * num_qubits))
    for layer in range(3):
        for i in range(layer % 2, num_qubits - 1, 2):
            hop, zz = next(angles), next(angles)
            circuit.rxx(hop, i, i + 1)
            circuit.ryy(hop, i, i + 1)
            circuit.rzz(zz - hop / 2, i, i + 1)
        circuit.rz(next(angles), layer)
    return circuit


def fixed_hops(num_qubits):
    """iSWAP, controlled phases, phases of the hops and fixed gates between."""
    circuit = neel(num_qubits)
    angles = ParameterVector("a", 6)
    circuit.iswap(0, 1)
    circuit.cp(angles[0], 1, 2)
    circuit.iswap(2, 3)
    circuit.rz(angles[1], 0)
    circuit.cp(angles[2] / 2 + 0.3, 0, 1)
    circuit.append(XXPlusYYGate(angles[3], 0.4), [1, 2])
    circuit.rz(angles[4] - angles[1], 1)
    circuit.append(XXPlusYYGate(angles[5]), [2, 3])
    circuit.cz(2, 3)
    circuit.iswap(1, 2)
    return circuit


FAMILIES = {"XX+YY, RZZ, RZ": bricks, "XXZ": heisenberg, "iSWAP and CPhase": fixed_hops}
HOP = [("XX", [1, 2], 1.0), ("YY", [1, 2], 1.0)]


def logical_gradient(circuit, theta):
    operator = SparsePauliOp.from_sparse_list(HOP, num_qubits=circuit.num_qubits)

    def value(values):
        return Statevector(circuit.assign_parameters(values)).expectation_value(operator).real

    units = np.eye(len(theta))
    return value(theta), [derivative(lambda x, e=e: value(theta + x * e)) for e in units]


@pytest.fixture(scope="module")
def logical():
    """Per family the circuit on four qubits, angles, value and gradient by Qiskit's state vector."""
    out = {}
    for name, family in FAMILIES.items():
        circuit = family(4)
        theta = np.random.default_rng(len(name)).uniform(-3, 3, circuit.num_parameters)
        out[name] = (circuit, theta, *logical_gradient(circuit, theta))
    return out


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("natives", NATIVES)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_compiled_gradient_is_that_of_the_logical_circuit(family, natives, level, logical):
    circuit, theta, value, gradient = logical[family]
    named = dict(zip(circuit.parameters, theta, strict=True))
    for coupling in (None, HEAVY):
        compiled = transpile(
            circuit,
            basis_gates=NATIVES[natives],
            optimization_level=level,
            coupling_map=coupling,
            seed_transpiler=5,
        )
        problem = eq.Problem(compiled, "X1X2+Y1Y2")
        found = eq.gradient(problem, [named[p] for p in problem.parameters])
        assert found.value == pytest.approx(value, abs=EXACT)
        by_name = dict(zip(problem.parameters, found.gradient, strict=True))
        np.testing.assert_allclose([by_name.get(p, 0.0) for p in circuit.parameters], gradient, atol=EXACT)


@pytest.fixture(scope="module")
def six():
    """Six qubits: circuit, angles, value and two of the derivatives by Qiskit's state vector."""
    circuit = bricks(6)
    theta = np.random.default_rng(6).uniform(-3, 3, circuit.num_parameters)
    operator = SparsePauliOp.from_sparse_list(HOP, num_qubits=6)

    def value(values):
        return Statevector(circuit.assign_parameters(values)).expectation_value(operator).real

    units = np.eye(len(theta))
    return circuit, theta, value(theta), [derivative(lambda x, e=units[k]: value(theta + x * e)) for k in (0, 12)]


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("natives", NATIVES)
def test_six_routed_qubits_keep_value_and_derivatives(natives, level, six):
    circuit, theta, value, derivatives = six
    named = dict(zip(circuit.parameters, theta, strict=True))
    compiled = transpile(
        circuit, basis_gates=NATIVES[natives], optimization_level=level, coupling_map=HEAVY, seed_transpiler=9
    )
    problem = eq.Problem(compiled, "X1X2+Y1Y2")
    found = eq.gradient(problem, [named[p] for p in problem.parameters])
    assert found.value == pytest.approx(value, abs=EXACT)
    by_name = dict(zip(problem.parameters, found.gradient, strict=True))
    np.testing.assert_allclose([by_name[circuit.parameters[k]] for k in (0, 12)], derivatives, atol=EXACT)


@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("natives", ["IBM CZ", "IQM"])
def test_routing_moves_readouts_and_frames_along(natives, level, logical):
    """A ring has to be routed on a line: SWAPs stand between, and the readout's qubits end elsewhere."""
    circuit = neel(4)
    a = ParameterVector("a", 8)
    for k, (i, j) in enumerate([(0, 1), (2, 3), (1, 2), (3, 0), (0, 2), (1, 3)]):
        circuit.append(XXPlusYYGate(a[k]), [i, j])
    circuit.rzz(a[6], 0, 2)
    circuit.append(XXPlusYYGate(a[7]), [1, 2])
    compiled = transpile(
        circuit,
        basis_gates=NATIVES[natives],
        optimization_level=level,
        coupling_map=LINE,
        initial_layout=[5, 2, 4, 3],
        seed_transpiler=2,
    )
    assert compiled.layout.final_index_layout() != compiled.layout.initial_index_layout(filter_ancillas=True)
    theta = np.random.default_rng(1).uniform(-3, 3, 8)
    value, gradient = logical_gradient(circuit, theta)
    found = eq.gradient(eq.Problem(compiled, "X1X2+Y1Y2"), theta)
    assert found.value == pytest.approx(value, abs=EXACT)
    np.testing.assert_allclose(found.gradient, gradient, atol=EXACT)


def test_laboratory_noise_of_a_routed_circuit_is_that_of_a_density_matrix(logical):
    circuit, theta, _, _ = logical["iSWAP and CPhase"]
    compiled = transpile(
        circuit,
        basis_gates=NATIVES["IQM"],
        optimization_level=3,
        coupling_map=CouplingMap.from_line(5),
        initial_layout=[4, 0, 2, 1],
        seed_transpiler=2,
    )
    problem = eq.Problem(compiled, "X1X2+Y1Y2", noise="dephasing:0.05+relaxation:down=0.04,up=0.01")
    operator = SparsePauliOp.from_sparse_list(HOP, num_qubits=4).apply_layout(compiled.layout)
    noise = {"dephasing": 0.05, "relaxation": (0.04, 0.01)}

    def value(values):
        return compiled_value(compiled.assign_parameters(values), problem.frames.laboratory, operator, noise)

    found = eq.gradient(problem, theta)
    assert found.value == pytest.approx(value(theta), abs=1e-9)
    unit = np.eye(len(theta))[3]
    assert found.gradient[3] == pytest.approx(derivative(lambda x: value(theta + x * unit)), abs=1e-9)


def test_six_qubits_on_a_device_of_133_run_on_their_own_wires():
    provider = pytest.importorskip("qiskit_ibm_runtime.fake_provider")
    circuit = bricks(6)
    compiled = transpile(circuit, provider.FakeTorino(), optimization_level=2, seed_transpiler=1)
    assert compiled.num_qubits == 133
    theta = np.random.default_rng(4).uniform(-3, 3, circuit.num_parameters)
    named = dict(zip(circuit.parameters, theta, strict=True))
    problem = eq.Problem(compiled, "X1X2+Y1Y2", noise="ibm:torino")
    assert problem.noise.placement.layout == tuple(range(133))
    found = eq.gradient(problem.with_noise(None), [named[p] for p in problem.parameters])
    operator = SparsePauliOp.from_sparse_list(HOP, num_qubits=6)
    expected = Statevector(circuit.assign_parameters(theta)).expectation_value(operator).real
    assert found.value == pytest.approx(expected, abs=EXACT)


def test_a_compiled_circuit_goes_through_a_qpy_file(tmp_path, logical):
    circuit, theta, value, _ = logical["XXZ"]
    compiled = transpile(
        circuit, basis_gates=NATIVES["IBM ECR"], optimization_level=3, coupling_map=HEAVY, seed_transpiler=5
    )
    buffer = io.BytesIO()
    qpy.dump(compiled, buffer)
    path = tmp_path / "compiled.qpy"
    path.write_bytes(buffer.getvalue())
    named = {p.name: x for p, x in zip(circuit.parameters, theta, strict=True)}
    problem = eq.Problem(eq.load_circuit(path), "X1X2+Y1Y2")
    found = eq.gradient(problem, [named[p.name] for p in problem.parameters])
    assert found.value == pytest.approx(value, abs=EXACT)
