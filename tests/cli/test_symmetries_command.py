"""``equinoise symmetries``: table, culprits, claim, JSON and refusals."""

from __future__ import annotations

import json

from qiskit import QuantumCircuit, qasm3, qpy, transpile
from typer.testing import CliRunner

from equinoise.circuit.builders import brickwork
from equinoise.cli.main import app
from symmetric_problems import ising_ring

RUN = CliRunner()


def ring_file(tmp_path):
    file = tmp_path / "ring.qasm"
    file.write_text(qasm3.dumps(ising_ring(4, 2)))
    return str(file)


def test_the_table_names_keepers_and_culprits(tmp_path):
    done = RUN.invoke(app, ["symmetries", ring_file(tmp_path), "--initial", "0000", "--noise", "relaxation:0.1"])
    assert done.exit_code == 0, done.output
    text = " ".join(done.output.split())
    assert "translation keeps - keeps weak 70" in text
    assert "charge: gate 'rx' at position 4 (layer 0) on qubits [0] breaks the sum of Z on 0-3" in text
    assert "parity:X: broken by relaxation of qubit 0: down 0.1, up 0 (and 3 more terms)" in text
    assert "Claim --symmetry 'translation'. A density matrix without symmetry holds 256." in text


def test_json_alone(tmp_path):
    done = RUN.invoke(app, ["symmetries", ring_file(tmp_path), "--initial", "0000", "--readout", "Z0Z1", "--json", "-"])
    data = json.loads(done.output)
    rows = {row["name"]: row for row in data["symmetries"]}
    assert (rows["parity:X"]["readout"], rows["translation"]["readout"]) == (True, False)
    assert rows["translation"]["claimable"]  # the input is invariant


def compiled_file(tmp_path):
    circuit = QuantumCircuit(4)
    circuit.x([0, 2])
    circuit = circuit.compose(brickwork(4, depth=2))
    compiled = transpile(circuit, basis_gates=["rz", "sx", "x", "cz"], optimization_level=3, seed_transpiler=1)
    file = tmp_path / "compiled.qpy"
    with file.open("wb") as out:
        qpy.dump(compiled, out)
    return str(file)


def test_a_compiled_circuit_tells_where_it_hides_its_charge(tmp_path):
    done = RUN.invoke(app, ["symmetries", compiled_file(tmp_path), "--readout", "Z1"])
    assert done.exit_code == 0, done.output
    text = " ".join(done.output.split())
    assert "Hidden charge: 5 blocks carry a sum of one-qubit operators through the circuit" in text
    assert "-Z to +Z: qubits 0, 2 +Z to +Z: qubits 1, 3" in text
    assert "Nothing to claim: the hidden charge is used unasked." in text


def test_json_holds_the_axes_of_the_hidden_charge(tmp_path):
    done = RUN.invoke(app, ["symmetries", compiled_file(tmp_path), "--json", "-"])
    hidden = json.loads(done.output)["hidden_charge"]
    assert hidden["found"] is True
    assert hidden["blocks"] == 5
    assert hidden["axes"][0] == {"qubit": 0, "start": [0.0, 0.0, -1.0], "end": [0.0, 0.0, 1.0]}


def test_json_says_why_no_charge_is_hidden(tmp_path):
    hidden = json.loads(RUN.invoke(app, ["symmetries", ring_file(tmp_path), "--json", "-"]).output)["hidden_charge"]
    assert hidden["found"] is False
    assert "carries no sum of one-qubit operators" in hidden["reason"]


def test_a_compiled_file_is_diagnosed(tmp_path):
    done = RUN.invoke(
        app, ["diagnose", compiled_file(tmp_path), "--readout", "Z1", "--noise", "dephasing:0.01", "--json", "-"]
    )
    assert done.exit_code == 0, done.output
    data = json.loads(done.output)
    assert data["equivariance"]["noise_class"] == "strong"
    assert any("the circuit hides one" in warning for warning in data["warnings"])


def test_a_bad_file_is_refused(tmp_path):
    done = RUN.invoke(app, ["symmetries", str(tmp_path / "none.qasm")])
    assert done.exit_code == 2
    assert "error:" in done.output
