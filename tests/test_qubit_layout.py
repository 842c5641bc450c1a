"""Transpiled circuits: labels and inputs mean the qubits from before, wherever routing has put them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from qiskit import QuantumCircuit, qpy, transpile
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import RZZGate, XXPlusYYGate
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit.transpiler import CouplingMap

import equinoise as eq
from equinoise.errors import ReadoutError, StateError
from equinoise.qubit_layout import QubitLayout, without_layout

GATES = ["xx_plus_yy", "rzz", "rz", "swap", "x"]
PAIRS = [(0, 2), (1, 3), (0, 3), (1, 2), (0, 1)]
THETA = np.linspace(-1.2, 2.1, 2 * len(PAIRS))


def ansatz(prepares=False):
    """Couplings that no line has."""
    circuit, theta = QuantumCircuit(4), iter(ParameterVector("t", 2 * len(PAIRS)))
    if prepares:
        circuit.x([0, 1])
    for pair in PAIRS:
        circuit.append(XXPlusYYGate(next(theta)), pair)
        circuit.append(RZZGate(next(theta)), pair)
    return circuit


def routed(circuit, num_qubits=4, seed=0, level=1, gates=GATES):
    line = CouplingMap.from_line(num_qubits)
    return transpile(circuit, coupling_map=line, basis_gates=gates, seed_transpiler=seed, optimization_level=level)


def errors():
    return eq.NoiseModel(readout_error=dict.fromkeys(range(4), (0.05, 0.1)))


def gradient(circuit, readout="Z2", initial="0011", **options):
    problem = eq.Problem(circuit, readout, initial=initial, **options)
    return eq.gradient(problem, THETA).gradient


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_a_routed_circuit_has_the_gradient_of_the_circuit_before(seed, level):
    """The label was taken for a circuit qubit, on which another qubit ended: gradients differed by up to 0.5."""
    plain = ansatz()
    for num_qubits in (4, 6):
        circuit = routed(plain, num_qubits, seed, level)
        assert QubitLayout.of(circuit) is not None
        for readout in ("Z2", "X0X3+Y0Y3"):
            np.testing.assert_allclose(gradient(circuit, readout), gradient(plain, readout), atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_compiled_form_of_a_routed_circuit_has_it_too(seed):
    circuit = routed(ansatz(), 5, seed, gates=["cx", "rz", "sx", "x"])
    np.testing.assert_allclose(gradient(circuit), gradient(ansatz()), atol=1e-9)


@pytest.mark.parametrize("num_qubits", [4, 6])
def test_every_way_of_stating_readout_and_input_means_the_qubits_before(num_qubits):
    circuit, plain = routed(ansatz(), num_qubits, seed=1), ansatz()
    z = SparsePauliOp.from_sparse_list([("Z", [2], 1.0), ("ZZ", [0, 1], 0.3)], 4)
    vector = Statevector.from_label("0011").data + Statevector.from_label("0110").data
    product = [[0.0, 1.0], [0.6, 0.8], [1.0, 0.0], [1.0, 0.0]]
    for initial in ("neel", "0011", vector / np.sqrt(2), Statevector(vector / np.sqrt(2)), product):
        np.testing.assert_allclose(gradient(circuit, z, initial), gradient(plain, z, initial), atol=1e-9)
    np.testing.assert_allclose(gradient(circuit, initial=None), gradient(plain, initial=None), atol=1e-9)
    own, before = routed(ansatz(prepares=True), num_qubits, seed=1), ansatz(prepares=True)
    np.testing.assert_allclose(gradient(own, initial=None), gradient(before, initial=None), atol=1e-9)


def test_an_operator_and_an_input_of_all_circuit_qubits_are_taken_on_those():
    circuit = routed(ansatz(), 6, seed=1)
    layout = QubitLayout.of(circuit)
    operator = SparsePauliOp.from_sparse_list([("Z", [2], 1.0)], 4).apply_layout(circuit.layout)
    bits = ["0"] * 6
    for i in (0, 1):
        bits[layout.initial[i]] = "1"
    found = gradient(circuit, operator, "".join(reversed(bits)))
    np.testing.assert_allclose(found, gradient(ansatz()), atol=1e-9)


def test_the_layout_is_in_notes_and_json_and_survives_a_qpy_file(tmp_path):
    circuit = routed(ansatz(), 5, seed=2)
    file = io.BytesIO()
    qpy.dump(circuit, file)
    path = tmp_path / "routed.qpy"
    path.write_bytes(file.getvalue())
    problem = eq.Problem(eq.load_circuit(path), "Z2", "0011", "dephasing:0.01")
    layout = QubitLayout.of(circuit)
    assert problem.layout == layout
    assert any("stated for its qubits before that" in note for note in problem.warnings)
    assert f"2: {layout.initial[2]} to {layout.final[2]}" in problem.layout.note()
    found = eq.diagnose(problem, sampling=eq.Sampling(samples=2), curve=False, depth=False).to_dict()
    assert found["qubit_layout"] == {"initial": list(layout.initial), "final": list(layout.final)}
    np.testing.assert_allclose(eq.gradient(problem, THETA, 0.0).gradient, gradient(ansatz()), atol=1e-9)


def test_problems_made_from_a_routed_one_are_not_placed_twice():
    stated = eq.Problem(routed(ansatz(), 4, seed=1), "Z2", "0011", errors())
    plain = eq.Problem(ansatz(), "Z2", "0011", errors())
    for one, two in (
        (stated.as_read(), plain.as_read()),
        (stated.with_readout("X0X1+Y0Y1"), plain.with_readout("X0X1+Y0Y1")),
        (stated.with_operator(stated.readout), plain),
        (eq.Problem(stated.circuit, stated.readout, stated.stated_initial), plain),
    ):
        np.testing.assert_allclose(eq.gradient(one, THETA).gradient, eq.gradient(two, THETA).gradient, atol=1e-9)
    assert stated.readout_label == "Z2"
    assert stated.with_operator(stated.readout).readout_label == "Z2"
    other = stated.with_operator(SparsePauliOp.from_sparse_list([("Z", [stated.layout.final[3]], 1.0)], 4))
    assert other.readout_label == "Z3"


def test_qiskits_estimator_keeps_its_own_convention_of_operators_on_circuit_qubits():
    from equinoise.interop.qiskit_estimator import SectorEstimator

    plain = ansatz(prepares=True)
    circuit = routed(plain, 4, seed=1)
    operator = SparsePauliOp.from_sparse_list([("Z", [2], 1.0)], 4)
    pubs = [(circuit, operator.apply_layout(circuit.layout), THETA), (plain, operator, THETA)]
    one, two = (result.data.evs for result in SectorEstimator().run(pubs).result())
    assert float(one) == pytest.approx(float(two), abs=1e-9)


def test_what_the_circuit_before_had_not_is_refused():
    circuit = routed(ansatz(), 6)
    with pytest.raises(ReadoutError, match=r"names qubit 4, .*qubits 0\.\.3"):
        eq.Problem(circuit, "Z4", "0011")
    wide = routed(ansatz(), 30)
    with pytest.raises(StateError, match="transpiled circuit has 30"):
        eq.Problem(wide, "Z2", Statevector.from_label("0011"))
    np.testing.assert_allclose(gradient(wide), gradient(ansatz()), atol=1e-9)


def test_a_circuit_that_was_not_moved_has_no_layout():
    assert QubitLayout.of(ansatz()) is None
    assert QubitLayout.of(transpile(ansatz(), basis_gates=GATES, optimization_level=1)) is None
    circuit = routed(ansatz(), 6)
    assert without_layout(circuit).layout is None
    assert list(without_layout(circuit).parameters) == list(circuit.parameters)
