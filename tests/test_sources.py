"""Circuits from files: the circuit that comes back has the gradient of the one that was written."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from qiskit import QuantumCircuit, qasm2, qasm3, qpy
from qiskit.circuit import Parameter
from qiskit.circuit.library import CPhaseGate, RZZGate, XXPlusYYGate, get_standard_gate_name_mapping
from qiskit.quantum_info import Operator

import equinoise as eq
from equinoise.errors import ParameterError, SourceError, SymmetryError

# the same gates in another spelling: rounding of order 1e-15 per gate
EXACT = 1e-12
NOISE = "dephasing:0.05+relaxation:0.02"
HEADER3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
HEADER2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'


def saved(folder, text, name="circuit.qasm"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def gradient(circuit, values, readout="Z1"):
    """{parameter name: derivative} at {parameter name: value}, from Néel."""
    problem = eq.Problem(circuit, readout=readout, initial="neel", noise=NOISE)
    found = eq.gradient(problem, values).gradient
    return {p.name: g for p, g in zip(problem.parameters, found, strict=True)}


def plain_name(name):
    """OpenQASM identifiers hold no brackets: theta[3] is written _theta_3_."""
    return name.strip("_").replace("[", "_").replace("]", "")


@pytest.mark.parametrize(
    "options",
    [{}, {"phase": True, "interaction": "cphase"}, {"periodic": True, "shared": True}],
    ids=["rzz", "cphase", "ring"],
)
@pytest.mark.parametrize("form", ["qasm3", "qpy"])
def test_round_trip_keeps_the_gradient_of_each_parameter_by_name(options, form, tmp_path):
    """Files give the parameters in another order (theta_10 before theta_2): names, not positions, carry them."""
    circuit = eq.circuits.brickwork(4, depth=3, **options)
    if form == "qasm3":
        path = saved(tmp_path, qasm3.dumps(circuit))
    else:
        path = tmp_path / "circuit.qpy"
        with path.open("wb") as file:
            qpy.dump(circuit, file)
    loaded = eq.load_circuit(path)
    rng = np.random.default_rng(1)
    values = {p.name: rng.uniform(-3, 3) for p in circuit.parameters}
    expected = {plain_name(k): g for k, g in gradient(circuit, values).items()}
    by_plain_name = {plain_name(k): v for k, v in values.items()}
    names = [p.name for p in loaded.parameters]
    found = gradient(loaded, {name: by_plain_name[plain_name(name)] for name in names})
    assert {plain_name(k): g for k, g in found.items()} == pytest.approx(expected, abs=EXACT)
    assert max(map(abs, expected.values())) > 0.01
    if form == "qasm3" and len(names) > 10:
        assert names != sorted(names, key=lambda name: int(plain_name(name).split("_")[1]))


def test_openqasm3_with_inputs_and_own_gates_has_the_gradient_of_the_gates_that_they_are(tmp_path):
    text = HEADER3 + (
        "input float[64] a;\ninput angle[32] b;\ninput float c;\n"
        "gate hop(t) p, q { cx p, q; crx(t) q, p; cx p, q; }\n"
        "gate both(t, u) p, q { hop(t) p, q; rz(-u/2) p; rz(u/2) q; }\n"
        "qubit[3] q;\n"
        "both(a, 2*b) q[0], q[1];\nbarrier q;\nhop(c - a/2) q[1], q[2];\nrz(b) q[1];\n"
    )
    a, b, c = (Parameter(name) for name in "abc")
    plain = QuantumCircuit(3)
    plain.append(XXPlusYYGate(a), [0, 1])
    plain.rz(-b, 0)
    plain.rz(b, 1)
    plain.barrier()
    plain.append(XXPlusYYGate(c - a / 2), [1, 2])
    plain.rz(b, 1)
    values = {"a": 0.8, "b": -1.3, "c": 2.1}
    found = gradient(eq.load_circuit(saved(tmp_path, text)), values, "X0X1+Y0Y1")
    assert found == pytest.approx(gradient(plain, values, "X0X1+Y0Y1"), abs=EXACT)
    assert min(abs(g) for g in found.values()) > 1e-3


@pytest.mark.parametrize("header", [HEADER3, HEADER2], ids=["qasm3", "qasm2"])
def test_own_gate_named_rzz_that_breaks_the_charge_is_not_taken_for_rzz(header, tmp_path):
    register = "qubit[2] q;" if header == HEADER3 else "qreg q[2];"
    text = f"{header}gate rzz(t) p, q {{ rx(t) p; cx p, q; }}\n{register}\nrzz(0.3) q[0], q[1];\nrz(0.2) q[0];\n"
    circuit = eq.load_circuit(saved(tmp_path, text))
    own = QuantumCircuit(2)
    own.rx(0.3, 0)
    own.cx(0, 1)
    own.rz(0.2, 0)
    assert Operator(circuit).equiv(Operator(own))
    with pytest.raises(SymmetryError, match="gate 'rzz' at position 0"):
        eq.Problem(circuit, readout="Z1", initial="neel")


def test_own_gate_named_rzz_that_hops_has_the_gradient_of_hopping(tmp_path):
    text = HEADER3 + (
        "input float a;\ngate rzz(t) p, q { cx p, q; crx(t) q, p; cx p, q; }\nqubit[2] q;\nrzz(a) q[0], q[1];\n"
    )
    plain = QuantumCircuit(2)
    plain.append(XXPlusYYGate(Parameter("a")), [0, 1])
    found = gradient(eq.load_circuit(saved(tmp_path, text)), {"a": 0.7})
    assert found == pytest.approx(gradient(plain, {"a": 0.7}), abs=EXACT)
    assert abs(found["a"]) > 0.1


def test_openqasm2_holds_the_bound_circuit(tmp_path):
    circuit = eq.circuits.brickwork(4, depth=2, phase=True)
    bound = circuit.assign_parameters(np.linspace(-2, 2, circuit.num_parameters))
    loaded = eq.load_circuit(saved(tmp_path, qasm2.dumps(bound)))
    problems = [eq.Problem(c, readout="X1X2+Y1Y2", initial="neel", noise=NOISE) for c in (bound, loaded)]
    values = [eq.expectation(p, []).value for p in problems]
    assert values[0] == pytest.approx(values[1], abs=EXACT)
    assert abs(values[0]) > 0.01


@pytest.mark.parametrize(
    "name", sorted(set(get_standard_gate_name_mapping()) - {"measure", "reset", "delay", "global_phase"})
)
def test_every_standard_gate_survives_openqasm2(name, tmp_path):
    gate = get_standard_gate_name_mapping()[name]
    gate = gate.base_class(*[0.3 + 0.1 * i for i in range(len(gate.params))])
    circuit = QuantumCircuit(gate.num_qubits)
    circuit.append(gate, range(gate.num_qubits))
    assert Operator(eq.load_circuit(saved(tmp_path, qasm2.dumps(circuit)))).equiv(Operator(circuit))


# -- free angles ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["circuit", "qasm3", "qasm2", "qpy"])
def test_freed_angles_give_the_gradient_of_the_circuit_before_binding(form, tmp_path):
    """Also through files, where XX+YY is a gate that the file defines."""
    circuit = eq.circuits.brickwork(4, depth=3, phase=True)
    theta = np.random.default_rng(2).uniform(-3, 3, circuit.num_parameters)
    bound = circuit.assign_parameters(theta)
    if form == "qpy":
        path = tmp_path / "circuit.qpy"
        with path.open("wb") as file:
            qpy.dump(bound, file)
        bound = eq.load_circuit(path)
    elif form != "circuit":
        bound = eq.load_circuit(saved(tmp_path, (qasm3 if form == "qasm3" else qasm2).dumps(bound)))
    # the first layer's RZ of no qubit is leading: all stand behind a block
    freed = eq.free_angles(bound)
    assert freed.num_parameters == circuit.num_parameters
    problems = [eq.Problem(c, readout="X1X2+Y1Y2", initial="neel", noise=NOISE) for c in (circuit, freed)]
    expected, found = (eq.gradient(p, theta) for p in problems)
    assert found.value == pytest.approx(expected.value, abs=EXACT)
    np.testing.assert_allclose(found.gradient, expected.gradient, atol=EXACT)
    assert np.abs(expected.gradient).max() > 0.01


def test_preparation_angles_and_a_beta_of_zero_stay_bound():
    circuit = QuantumCircuit(2)
    circuit.ry(0.4, 0)
    circuit.rz(0.3, 0)
    circuit.x(1)
    circuit.append(XXPlusYYGate(0.5), [0, 1])
    circuit.append(XXPlusYYGate(0.6, 0.7), [0, 1])
    circuit.rz(0.8, 0)
    circuit.measure_all()
    freed = eq.free_angles(circuit)
    assert [p.name for p in freed.parameters] == [f"angle[{k}]" for k in range(4)]
    restored = freed.assign_parameters([0.5, 0.6, 0.7, 0.8])
    assert [item.operation.params for item in restored.data] == [item.operation.params for item in circuit.data]


def test_free_angles_keep_parameters_control_states_and_the_global_phase():
    a = Parameter("a")
    circuit = QuantumCircuit(2, global_phase=0.4)
    circuit.append(XXPlusYYGate(a, 0.3), [0, 1])
    circuit.append(CPhaseGate(0.5, ctrl_state=0), [0, 1])
    freed = eq.free_angles(circuit, name="free")
    assert {p.name for p in freed.parameters} == {"a", "free[0]", "free[1]"}
    restored = freed.assign_parameters({"free[0]": 0.3, "free[1]": 0.5, "a": 0.9})
    assert Operator(restored) == Operator(circuit.assign_parameters([0.9]))


def test_bound_angles_of_a_gate_of_unknown_make_cannot_be_freed(tmp_path):
    text = HEADER2 + "gate hop(t) p, q { cx p, q; crx(t) q, p; cx p, q; }\nqreg q[2];\nhop(0.3) q[0], q[1];\n"
    with pytest.raises(SourceError, match="gate 'hop' at position 0 is not a standard Qiskit gate") as error:
        eq.free_angles(eq.load_circuit(saved(tmp_path, text)))
    assert "input float" in str(error.value)


def test_standard_name_of_another_gate_is_not_freed_as_that_gate(tmp_path):
    text = HEADER2 + "gate rzz(t) p, q { cx p, q; crx(t) q, p; cx p, q; }\nqreg q[2];\nrzz(0.3) q[0], q[1];\n"
    circuit = eq.load_circuit(saved(tmp_path, text))
    assert not Operator(circuit).equiv(Operator(RZZGate(0.3)))
    with pytest.raises(SourceError, match="gate 'rzz' at position 0 is not a standard Qiskit gate"):
        eq.free_angles(circuit)


# -- builders and bad input ----------------------------------------------------------------------------------------


def test_builder_string_is_the_builder():
    text = "brickwork:n=6, depth=3, periodic=true, interaction=cphase, phase=1, shared=False"
    expected = eq.circuits.brickwork(6, 3, periodic=True, interaction="cphase", phase=True, shared=False)
    loaded = eq.load_circuit(text)
    assert [(i.operation.name, i.qubits) for i in loaded.data] == [(i.operation.name, i.qubits) for i in expected.data]
    assert [p.name for p in loaded.parameters] == [p.name for p in expected.parameters]


@pytest.mark.parametrize(
    ("name", "builder"),
    [("ladder", eq.circuits.ladder), ("ring", eq.circuits.ring), ("all-to-all", eq.circuits.all_to_all)],
)
def test_each_family_has_its_builder_string(name, builder):
    loaded = eq.load_circuit(f"{name}:n=6,depth=3,interaction=cphase,phase=true,shared=1")
    expected = builder(6, 3, interaction="cphase", phase=True, shared=True)
    assert [(i.operation.name, i.qubits) for i in loaded.data] == [(i.operation.name, i.qubits) for i in expected.data]
    assert [p.name for p in loaded.parameters] == [p.name for p in expected.parameters]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("brickwork:n=6", "must say n and depth"),
        ("brickwork:", "cannot read ''"),
        ("brickwork:n=6,depth=2,width=3", "cannot read 'width=3'.*options: n=.., depth=.."),
        ("brickwork:n=six,depth=2", "n must be a whole number.*got 'six'"),
        ("brickwork:n=-6,depth=2", "n must be a whole number.*got '-6'"),
        ("brickwork:n=6,depth=2,periodic=maybe", "periodic must be true or false.*got 'maybe'"),
        ("brickwork:n=6,depth=2,interaction=cz", "interaction must be one of"),
        ("brickwork:n=1,depth=2", "num_qubits >= 2"),
        ("ladder:n=6", "'ladder:n=6' must say n and depth, e.g. ladder:n=12,depth=6"),
        ("ring:n=5,depth=2", "a ring of alternating bonds needs an even number of qubits, got 5"),
        ("all-to-all:n=six,depth=2", "n must be a whole number.*got 'six'"),
        ("ladder:n=4,depth=2,periodic=true", "cannot read 'periodic=true'.*options: n=.., depth=.., interaction=.."),
        ("tower:n=6", "no such circuit file: 'tower:n=6'"),
        ("nowhere.qasm", "no such circuit file: 'nowhere.qasm'.*or a builder such as 'brickwork:n=12,depth=6'"),
    ],
)
def test_unknown_builders_options_and_missing_files_are_refused(text, message):
    with pytest.raises(SourceError, match=message):
        eq.load_circuit(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("qubit[2] q;", "has no 'OPENQASM 2.0;' or 'OPENQASM 3.0;' header"),
        ("", "has no 'OPENQASM 2.0;'"),
        (HEADER3 + "qubit[2] q;\nhop(0.3) q[0], q[1];", "is not valid OpenQASM 3: .*hop"),
        (HEADER3 + "qubit[2] q;\nrz(0.3 q[0];", "is not valid OpenQASM 3"),
        (HEADER2 + "qreg q[2];\nhop(0.3) q[0], q[1];", "is not valid OpenQASM 2: .*hop"),
        (HEADER2 + "qreg q[2];\nrz(0.3) q[5];", "is not valid OpenQASM 2: .*out-of-range"),
    ],
)
def test_malformed_openqasm_is_refused_with_the_parsers_words(text, message, tmp_path):
    with pytest.raises(SourceError, match=message) as error:
        eq.load_circuit(saved(tmp_path, text))
    assert "circuit.qasm" in str(error.value)
    assert "\n" not in str(error.value)


def test_input_that_no_gate_uses_is_named(tmp_path):
    text = HEADER3 + "input float a;\ninput float[64] idle;\nqubit[2] q;\nrz(a) q[0];\n"
    path = saved(tmp_path, text)
    # the OpenQASM importer keeps the parameter in the circuit's global phase, where it moves no expectation value
    with pytest.raises(ParameterError, match="parameter 'idle' enters no gate"):
        eq.Problem(eq.load_circuit(path), readout="Z0")


def test_binary_files_that_are_no_text_or_no_qpy_are_refused(tmp_path):
    path = tmp_path / "circuit.qasm"
    path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(SourceError, match="cannot read"):
        eq.load_circuit(path)
    for content in (b"", b"QISKIT", b"not a circuit at all", bytes(range(256))):
        path = tmp_path / "circuit.qpy"
        path.write_bytes(content)
        with pytest.raises(SourceError, match="is not a readable QPY file"):
            eq.load_circuit(path)


def test_qpy_file_of_two_circuits_is_refused(tmp_path):
    path = tmp_path / "two.qpy"
    with path.open("wb") as file:
        qpy.dump([QuantumCircuit(1), QuantumCircuit(2)], file)
    with pytest.raises(SourceError, match="holds 2 programs; expected exactly one"):
        eq.load_circuit(path)


def test_folder_is_no_file(tmp_path):
    with pytest.raises(SourceError, match="no such circuit file"):
        eq.load_circuit(tmp_path)


@pytest.mark.parametrize(
    ("source", "option"),
    [
        ("brickwork:n=1,depth=2", "num_qubits"),
        ("brickwork:n=4,depth=0", "depth"),
        ("brickwork:n=4,depth=x", "depth"),
        ("brickwork:n=4,dept=2", "dept"),
        ("brickwork:n=4,depth=2,interaction=cz", "interaction"),
        ("brickwork:n=4,depth=2,shared=maybe", "shared"),
        ("brickwork:n=4", None),
    ],
)
def test_the_error_of_a_builder_names_the_option_at_fault_as_data(source, option):
    with pytest.raises(SourceError) as caught:
        eq.load_circuit(source)
    assert caught.value.option == option
    assert pickle.loads(pickle.dumps(caught.value)).option == option
