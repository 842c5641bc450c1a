"""Circuits of Qiskit's library and of PennyLane's templates, as their packages build them, in Python and by files.

Each runs, and then its value is Qiskit's, or is refused with the true reason.
"""

from __future__ import annotations

import json
import re

import networkx
import numpy as np
import pytest
from qiskit import QuantumCircuit, qasm2, qpy, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.library import (
    PauliEvolutionGate,
    XXPlusYYGate,
    efficient_su2,
    evolved_operator_ansatz,
    excitation_preserving,
    hamiltonian_variational_ansatz,
    n_local,
    pauli_two_design,
    qaoa_ansatz,
    real_amplitudes,
    zz_feature_map,
)
from qiskit.quantum_info import SparsePauliOp, Statevector
from typer.testing import CliRunner

import equinoise as eq
from equinoise.cli.main import app
from equinoise.interop.pennylane_circuit import convert, takes

qml = pytest.importorskip("pennylane")

N = 4
FILLED = np.array([1, 1, 0, 0])
SINGLES, DOUBLES = qml.qchem.excitations(2, N)
ROTATION = np.linalg.qr(np.random.default_rng(1).normal(size=(N, N)))[0]
HOPS = [SparsePauliOp.from_sparse_list([("XX", [i, i + 1], 1.0), ("YY", [i, i + 1], 1.0)], N) for i in range(N - 1)]
COST = SparsePauliOp.from_sparse_list(
    [("ZZ", [0, 1], 1.0), ("ZZ", [1, 2], 0.5), ("ZZ", [2, 3], 0.7), ("Z", [0], 0.2)], N
)
RING = SparsePauliOp.from_sparse_list([(p, [i, (i + 1) % N], 0.5) for i in range(N) for p in ("XX", "YY")], N)


def filled():
    circuit = QuantumCircuit(N)
    circuit.x([0, 2])
    return circuit


def evolution():
    circuit = filled()
    for name in ("s", "t"):
        circuit.append(PauliEvolutionGate((sum(HOPS[1:], HOPS[0]) + COST).simplify(), Parameter(name)), range(N))
    return circuit


def mapped(reps):
    circuit = zz_feature_map(N, reps=reps)
    return circuit.assign_parameters([0.3, -0.8, 1.1, 0.4]).compose(excitation_preserving(N, reps=1))


QISKIT = {
    **{
        f"excitation_preserving {mode} {entanglement}": lambda m=mode, e=entanglement: excitation_preserving(
            N, mode=m, entanglement=e, reps=2
        )
        for mode in ("iswap", "fsim")
        for entanglement in ("linear", "reverse_linear", "full", "circular", "sca", "pairwise")
    },
    "qaoa_ansatz with an XY mixer": lambda: qaoa_ansatz(COST, reps=2, initial_state=filled(), mixer_operator=RING),
    "evolved_operator_ansatz": lambda: evolved_operator_ansatz([*HOPS, COST], reps=2),
    "hamiltonian_variational_ansatz": lambda: hamiltonian_variational_ansatz(sum(HOPS[1:], HOPS[0]) + COST, reps=2),
    "n_local of RZ and CP": lambda: n_local(N, ["rz", "p"], ["cp"], reps=2),
    "n_local of RZ and XX+YY": lambda: n_local(N, ["rz"], XXPlusYYGate(Parameter("a")), reps=2),
    "n_local of RZ and SWAP": lambda: n_local(N, ["rz"], ["swap"], reps=2),
    "PauliEvolutionGate": evolution,
    "zz_feature_map and excitation_preserving": lambda: mapped(2),
}
QISKIT_REFUSED = {
    "qaoa_ansatz": (lambda: qaoa_ansatz(COST, reps=2), "gate 'rx' at position"),
    "pauli_two_design": (lambda: pauli_two_design(N, reps=2, seed=1), "gate 'r[xy]' at position"),
    "real_amplitudes": (lambda: real_amplitudes(N, reps=1), "gate 'ry' at position 0"),
    "efficient_su2": (lambda: efficient_su2(N, reps=1), "gate 'ry' at position 0"),
    "n_local of RZ and CRX": (lambda: n_local(N, ["rz"], ["crx"], reps=1), "gate 'crx' at position"),
}


def rotated(x):
    qml.BasisState(FILLED, wires=range(N))
    qml.BasisRotation(wires=range(N), unitary_matrix=ROTATION)
    for i in range(3):
        qml.SingleExcitation(x[i], wires=[i, i + 1])


def swapped(x):
    qml.BasisState(FILLED, wires=range(N))
    for i in range(3):
        qml.FermionicSWAP(x[i], wires=[i, i + 1])


def mixed(x):
    qml.BasisState(FILLED, wires=range(N))
    for i in range(2):
        qml.qaoa.cost_layer(x[0, i], qml.Z(0) @ qml.Z(1) + 0.5 * qml.Z(2))
        qml.qaoa.mixer_layer(x[1, i], qml.qaoa.xy_mixer(networkx.path_graph(N)))


def embedded(x):
    qml.IQPEmbedding(np.array([0.1, 0.2, 0.3, 0.4]), wires=range(N), n_repeats=2)
    for i in range(3):
        qml.SingleExcitation(x[i], wires=[i, i + 1])


PENNYLANE = {
    "ParticleConservingU1": (
        lambda x: qml.ParticleConservingU1(x, wires=range(N), init_state=FILLED),
        qml.ParticleConservingU1.shape(1, N),
    ),
    "ParticleConservingU2": (
        lambda x: qml.ParticleConservingU2(x, wires=range(N), init_state=FILLED),
        qml.ParticleConservingU2.shape(2, N),
    ),
    "GateFabric": (
        lambda x: qml.GateFabric(x, wires=range(N), init_state=FILLED, include_pi=True),
        qml.GateFabric.shape(1, N),
    ),
    "kUpCCGSD": (
        lambda x: qml.kUpCCGSD(x, wires=range(N), k=1, delta_sz=0, init_state=FILLED),
        qml.kUpCCGSD.shape(1, N, 0),
    ),
    "AllSinglesDoubles": (
        lambda x: qml.AllSinglesDoubles(x, wires=range(N), hf_state=FILLED, singles=SINGLES, doubles=DOUBLES),
        (len(SINGLES) + len(DOUBLES),),
    ),
    "BasisRotation": (rotated, (3,)),
    "FermionicSWAP": (swapped, (3,)),
    "XY mixers": (mixed, (2, 2)),
    "IQPEmbedding and SingleExcitation": (embedded, (3,)),
}
# one weight in several gates, or data: as gates with a free angle each they lose the charge, on the device they do not
TIED = ("ParticleConservingU1", "XY mixers", "IQPEmbedding and SingleExcitation")
PENNYLANE_REFUSED = {
    "ArbitraryUnitary": (lambda x: qml.ArbitraryUnitary(x, wires=range(2)), (15,)),
    "StronglyEntanglingLayers": (
        lambda x: qml.StronglyEntanglingLayers(x, wires=range(N)),
        qml.StronglyEntanglingLayers.shape(1, N),
    ),
}


def converted(name, templates):
    """A template as the device reads it: circuit, input and parameter values."""
    ansatz, shape = templates[name]
    x = qml.numpy.array(np.random.default_rng(3).uniform(-1, 1, shape), requires_grad=True)
    with qml.queuing.AnnotatedQueue() as queue:
        ansatz(x)
        qml.expval(qml.Z(1))
    tape = qml.tape.QuantumScript.from_queue(queue)
    wires = range(2 if name == "ArbitraryUnitary" else N)
    (decomposed,), _ = qml.transforms.decompose(tape, stopping_condition=takes)
    return convert(decomposed, wires), ansatz, x


def file_of(circuit, folder):
    path = folder / "circuit.qpy"
    with path.open("wb") as file:
        qpy.dump(circuit, file)
    return str(path)


def asked(path, *more):
    return CliRunner().invoke(app, ["diagnose", path, "--noise", "dephasing:0.01", "--samples", "8", *more])


@pytest.mark.parametrize("name", QISKIT)
def test_circuits_of_qiskits_library_run(name, tmp_path):
    circuit = QISKIT[name]()
    problem = eq.Problem(circuit, "X1X2+Y1Y2", noise="dephasing:0.01")
    theta = np.linspace(-1.0, 1.2, len(problem.parameters))
    start = problem.start.statevector() if problem.warnings and "Néel" in problem.warnings[0] else None
    state = Statevector.from_label("0" * N) if start is None else Statevector(start)
    final = state.evolve(circuit.assign_parameters(theta))
    value = eq.expectation(problem.with_noise(None), theta).value
    assert value == pytest.approx(final.expectation_value(problem.readout).real, abs=1e-9)
    found = asked(file_of(circuit, tmp_path), "--readout", "X1X2+Y1Y2", "--json", "-")
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["layers"]["count"] == len(problem.layers)


@pytest.mark.parametrize("name", QISKIT_REFUSED)
def test_circuits_of_qiskits_library_that_break_the_charge_are_refused_by_their_gate(name, tmp_path):
    build, reason = QISKIT_REFUSED[name]
    circuit = build()
    with pytest.raises(eq.errors.SymmetryError, match=f"{reason}.* breaks the charge"):
        eq.Problem(circuit, "Z1")
    found = asked(file_of(circuit, tmp_path), "--readout", "Z1")
    assert found.exit_code == 2
    assert re.search(f"{reason}.* breaks the charge", " ".join(found.output.split()))


@pytest.mark.filterwarnings("ignore:equinoise.sector.*break the charge")
@pytest.mark.parametrize("name", PENNYLANE)
def test_templates_of_pennylane_have_default_qubits_gradients(name):
    _, ansatz, x = converted(name, PENNYLANE)
    operator = qml.Hamiltonian([1.0, 0.3, 0.3], [qml.Z(1), qml.X(0) @ qml.X(1), qml.Y(0) @ qml.Y(1)])

    def node(x):
        ansatz(x)
        return qml.expval(operator)

    ours, theirs = (
        qml.grad(qml.QNode(node, qml.device(device, wires=N), diff_method=how))(x)
        for device, how in (("equinoise.sector", "device"), ("default.qubit", "backprop"))
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in PENNYLANE if name not in TIED])
def test_templates_of_pennylane_run_as_files(name, tmp_path):
    found, _, _ = converted(name, PENNYLANE)
    problem = eq.Problem(found.circuit, "Z1", initial=found.initial)
    assert problem.conserves
    initial = () if found.initial is None else ("--initial", str(found.initial))
    told = asked(file_of(found.circuit, tmp_path), "--readout", "Z1", *initial)
    assert told.exit_code == 0, told.output


@pytest.mark.parametrize("name", TIED)
def test_templates_whose_ties_are_lost_are_refused_by_their_gate(name, tmp_path):
    found, _, _ = converted(name, PENNYLANE)
    told = asked(file_of(found.circuit, tmp_path), "--readout", "Z1")
    assert told.exit_code == 2
    assert re.search(r"gate '\w+' at position \d+ .* breaks the charge", " ".join(told.output.split()))


@pytest.mark.parametrize("name", PENNYLANE_REFUSED)
def test_templates_of_pennylane_that_break_the_charge_are_refused_by_their_gate(name, tmp_path):
    found, _, _ = converted(name, PENNYLANE_REFUSED)
    told = asked(file_of(found.circuit, tmp_path), "--readout", "Z1")
    assert told.exit_code == 2
    assert re.search(r"gate '\w+' at position \d+ .* breaks the charge", " ".join(told.output.split()))


def test_pennylanes_openqasm_with_global_phases_is_read(tmp_path):
    """PennyLane writes ``gphase(0.1) q[0];``, which OpenQASM 2 does not know."""
    _, ansatz, x = converted("GateFabric", PENNYLANE)

    def node(x):
        ansatz(x)
        return qml.expval(qml.Z(1))

    text = qml.to_openqasm(qml.QNode(node, qml.device("default.qubit", wires=N)), measure_all=False)(x)
    assert "gphase(" in text
    path = tmp_path / "fabric.qasm"
    path.write_text(text)
    circuit = eq.load_circuit(path)
    value = Statevector(circuit.remove_final_measurements(inplace=False)).expectation_value(SparsePauliOp("IIZI"))
    assert value.real == pytest.approx(float(qml.QNode(node, qml.device("default.qubit", wires=N))(x)), abs=1e-9)


def test_a_givens_network_in_openqasm_is_read_and_its_ties_are_named(tmp_path):
    """XX+YY of fixed angles, compiled to CX, RZ and SX by Qiskit: bound it conserves, with each angle free not."""
    network = filled()
    for angle, pair in ((0.4, (0, 1)), (1.1, (2, 3)), (-0.7, (1, 2))):
        network.append(XXPlusYYGate(angle, -np.pi / 2), pair)
        network.rz(0.2, pair[1])
    path = tmp_path / "givens.qasm"
    path.write_text(qasm2.dumps(transpile(network, basis_gates=["cx", "rz", "sx", "x"], optimization_level=1)))
    problem = eq.Problem(eq.load_circuit(path), "Z1")
    value = Statevector(network).expectation_value(problem.readout).real
    assert eq.expectation(problem, []).value == pytest.approx(value, abs=1e-9)
    without = asked(str(path), "--readout", "Z1")
    assert without.exit_code == 2
    assert "has no parameters" in " ".join(without.output.split())
    freed = asked(str(path), "--readout", "Z1", "--free-angles")
    assert freed.exit_code == 2
    assert "not where each of them is free" in " ".join(freed.output.split())
