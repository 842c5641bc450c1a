"""Unitary coupled cluster of Qiskit Nature and of PennyLane, LiH among it, against their own simulators."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparsePauliOp, Statevector
from scipy.sparse.linalg import expm_multiply

import equinoise as eq
from equinoise.reduction.program import compile_problem

qml = pytest.importorskip("pennylane")
pnp = qml.numpy

HERE = Path(__file__).parent


def nature():
    """Six qubits, eight excitations, as exponentials of sums of Pauli strings."""
    with (HERE / "qiskit_nature_uccsd_6.qpy").open("rb") as file:
        return qpy.load(file)[0]


def ladders():
    """Four qubits, as 230 one-qubit gates and CX."""
    return QuantumCircuit.from_qasm_file(str(HERE / "qiskit_nature_uccsd_4.qasm"))


def evolved(circuit, theta):
    """The final state, exponential by exponential, on all states."""
    state = np.zeros(2**circuit.num_qubits, dtype=complex)
    state[0] = 1.0
    order = dict(zip(circuit.parameters, theta, strict=True))
    for item in circuit.data:
        operation = item.operation
        qubits = [circuit.find_bit(bit).index for bit in item.qubits]
        if isinstance(operation, PauliEvolutionGate):
            time = operation.time.bind({p: order[p] for p in operation.time.parameters})
            assert qubits == list(range(circuit.num_qubits))
            parts = operation.operator if isinstance(operation.operator, list) else [operation.operator]
            for part in parts:
                state = expm_multiply(-1j * float(time) * part.to_matrix(sparse=True), state)
        else:
            state = Statevector(state).evolve(operation, qubits).data
    return state


def test_qiskit_natures_coupled_cluster_is_eight_blocks_with_strings():
    circuit = nature()
    problem = eq.Problem(circuit, "Z1+0.4*Z3+0.3*X0Z1X2+0.3*Y0Z1Y2", noise="dephasing:0.01")
    assert problem.charge == 2
    assert sum(len(layer.blocks) for layer in problem.layers) == 8
    theta = np.linspace(-0.8, 0.9, 8)

    def value(angles):
        return float(Statevector(evolved(circuit, angles)).expectation_value(problem.readout).real)

    found = eq.gradient(problem, theta, scale=0.0)
    assert found.value == pytest.approx(value(theta), abs=1e-10)
    step = 1e-3
    for k, unit in enumerate(np.eye(8) * step):
        # central differences to fourth order: step^4/30 of a fifth derivative
        near, far = value(theta + unit) - value(theta - unit), value(theta + 2 * unit) - value(theta - 2 * unit)
        assert found.gradient[k] == pytest.approx((8 * near - far) / (12 * step), abs=1e-8)


def test_ladders_of_cx_are_read_as_the_excitations_that_they_compile():
    circuit = ladders()
    problem = eq.Problem(circuit, "Z1+0.4*Z3")
    assert not problem.breaking
    assert problem.charge == 2
    assert any("228 gates read as 2 exponentials of Pauli sums" in warning for warning in problem.warnings)
    assert {block.qubits for layer in problem.layers for block in layer.blocks} == {(0, 1), (2, 3), (0, 1, 2, 3)}
    value = Statevector(circuit).expectation_value(problem.readout)
    assert eq.expectation(problem, []).value == pytest.approx(value.real, abs=1e-10)


def test_one_gate_missing_in_a_ladder_is_found():
    circuit = ladders()
    del circuit.data[40]
    with pytest.raises(eq.errors.SymmetryError, match="breaks the charge"):
        eq.Problem(circuit, "Z1")


def test_tied_ladders_with_free_angles_keep_their_ties():
    """Qiskit's own compilation of two of Nature's doubles and a single, to CX and one-qubit gates."""
    angles = ParameterVector("t", 3)
    whole = QuantumCircuit(6)
    whole.x([0, 3])
    evolutions = [item.operation for item in nature().data if isinstance(item.operation, PauliEvolutionGate)]
    for angle, gate in zip(angles, (evolutions[7], evolutions[1], evolutions[4]), strict=True):
        operator = gate.operator[0] if isinstance(gate.operator, list) else gate.operator
        whole.append(PauliEvolutionGate(operator, angle), range(6))
    flat = whole.decompose(reps=4)
    assert set(flat.count_ops()) == {"cx", "u"}
    theta = np.array([0.5, -0.8, 0.9])
    one, other = (eq.gradient(eq.Problem(circuit, "Z1+0.4*Z3"), theta) for circuit in (whole, flat))
    assert other.value == pytest.approx(one.value, abs=1e-12)
    np.testing.assert_allclose(other.gradient, one.gradient, atol=1e-12)
    assert np.abs(one.gradient).max() > 0.1


# -- PennyLane -----------------------------------------------------------------------------------------------------

ELECTRONS, ORBITALS = 2, 6
SINGLES, DOUBLES = qml.qchem.excitations(ELECTRONS, ORBITALS)
WIRES = qml.qchem.excitations_to_wires(SINGLES, DOUBLES)
FILLED = np.array([1, 1, 0, 0, 0, 0])

TEMPLATES = {
    "AllSinglesDoubles": (
        lambda x: qml.AllSinglesDoubles(x, wires=range(6), hf_state=FILLED, singles=SINGLES, doubles=DOUBLES),
        (len(SINGLES) + len(DOUBLES),),
    ),
    "UCCSD": (
        lambda x: qml.UCCSD(x, wires=range(6), s_wires=WIRES[0], d_wires=WIRES[1], init_state=FILLED),
        (len(SINGLES) + len(DOUBLES),),
    ),
    "GateFabric": (
        lambda x: qml.GateFabric(x, wires=range(6), init_state=FILLED, include_pi=True),
        qml.GateFabric.shape(2, 6),
    ),
    "kUpCCGSD": (
        lambda x: qml.kUpCCGSD(x, wires=range(6), k=1, delta_sz=0, init_state=FILLED),
        qml.kUpCCGSD.shape(1, 6, 0),
    ),
}


def means(device, ansatz, operator, theta, **options):
    """Value and gradient of one expectation value."""

    @qml.qnode(device, **options)
    def node(x):
        ansatz(x)
        return qml.expval(operator)

    theta = pnp.array(theta, requires_grad=True)
    return float(node(theta)), qml.grad(node)(theta)


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_of_pennylane_equal_default_qubit(name):
    ansatz, shape = TEMPLATES[name]
    theta = np.random.default_rng(0).uniform(-1, 1, shape)
    hop = [(letter(0) @ qml.Z(1) @ letter(2)) for letter in (qml.X, qml.Y)]
    operator = qml.Hamiltonian([0.7, 0.4, 0.3, 0.3], [qml.Z(0) @ qml.Z(1), qml.Z(3), *hop])
    ours = means(qml.device("equinoise.sector", wires=6), ansatz, operator, theta)
    theirs = means(qml.device("default.qubit", wires=6), ansatz, operator, theta, diff_method="backprop")
    assert ours[0] == pytest.approx(theirs[0], abs=1e-10)
    np.testing.assert_allclose(ours[1], theirs[1], atol=1e-10)


def test_noisy_hydrogen_equals_default_mixed():
    """H2 in a minimal basis, singles and doubles with noise after each excitation."""
    coefficients = [-0.0971, 0.1714, 0.1714, -0.2234, -0.2234, 0.1687, 0.1206, 0.1659, 0.1659, 0.1206, 0.1744]
    strings = [(), (0,), (1,), (2,), (3,), (0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    diagonal = [qml.prod(*(qml.Z(q) for q in s)) if s else qml.Identity(0) for s in strings]
    moved = [qml.pauli.string_to_pauli_word(word) for word in ("XXYY", "XYYX", "YXXY", "YYXX")]
    hydrogen = qml.Hamiltonian([*coefficients, -0.0453, 0.0453, 0.0453, -0.0453], [*diagonal, *moved])

    def ansatz(x):
        qml.BasisState(np.array([1, 1, 0, 0]), wires=range(4))
        for step in (
            lambda: qml.DoubleExcitation(x[0], wires=range(4)),
            lambda: qml.FermionicSingleExcitation(x[1], wires=[0, 1, 2]),
            lambda: qml.FermionicSingleExcitation(x[2], wires=[1, 2, 3]),
        ):
            step()
            for q in range(4):
                qml.PhaseDamping(0.03, wires=q)
                qml.AmplitudeDamping(0.02, wires=q)

    theta = np.array([0.22, -0.4, 0.3])
    ours = means(qml.device("equinoise.sector", wires=4), ansatz, hydrogen, theta)

    @qml.qnode(qml.device("default.mixed", wires=4))
    def theirs(x):
        ansatz(x)
        return qml.expval(hydrogen)

    assert ours[0] == pytest.approx(float(theirs(theta)), abs=1e-9)
    for k, unit in enumerate(np.eye(3) * 3e-3):  # to fourth order: (3e-3)^4/30 of a fifth derivative
        near, far = theirs(theta + unit) - theirs(theta - unit), theirs(theta + 2 * unit) - theirs(theta - 2 * unit)
        assert ours[1][k] == pytest.approx(float(8 * near - far) / (12 * 3e-3), abs=1e-9)


def lithium_hydride():
    stored = json.loads((HERE / "lih_hamiltonian.json").read_text())
    return stored["coefficients"], stored["words"]


def lithium_hydride_ansatz(x):
    singles, doubles = qml.qchem.excitations_to_wires(*qml.qchem.excitations(4, 12))
    qml.UCCSD(x, wires=range(12), s_wires=singles, d_wires=doubles, init_state=np.array([1] * 4 + [0] * 8))


@pytest.mark.slow
def test_lithium_hydride_with_its_631_terms_equals_default_qubit():
    coefficients, words = lithium_hydride()
    assert len(words) == 631
    operator = qml.Hamiltonian(coefficients, [qml.pauli.string_to_pauli_word(word) for word in words])
    rng = np.random.default_rng(0)
    theta, direction = rng.uniform(-0.1, 0.1, 92), rng.normal(size=92)
    value, gradient = means(qml.device("equinoise.sector", wires=12), lithium_hydride_ansatz, operator, theta)

    @qml.qnode(qml.device("default.qubit", wires=12))
    def theirs(x):
        lithium_hydride_ansatz(x)
        return qml.expval(operator)

    assert value == pytest.approx(float(theirs(theta)), abs=1e-8)
    step = 1e-3  # central difference to fourth order along one direction
    one, two = (float(theirs(theta + k * step * direction) - theirs(theta - k * step * direction)) for k in (1, 2))
    assert gradient @ direction == pytest.approx((8 * one - two) / (12 * step), abs=1e-8)


def test_lithium_hydrides_readout_is_one_sparse_matrix_of_its_sector():
    """Term by term on all states and in the sector: 631 terms on 4,096 and on 495 states."""
    coefficients, words = lithium_hydride()
    readout = SparsePauliOp([word[::-1] for word in words], coefficients)
    circuit = eq.circuits.brickwork(12, depth=1)
    program = compile_problem(eq.Problem(circuit, readout, initial="000000001111"))
    block = program.readout[4]
    inside = np.array([x for x in range(2**12) if x.bit_count() == 4])
    whole = readout.to_matrix(sparse=True).tocsr()[inside][:, inside]
    assert abs(block - whole).max() < 1e-12
