"""``equinoise symmetries``: table, culprits, claim, JSON and refusals."""

from __future__ import annotations

import json

from qiskit import qasm3
from typer.testing import CliRunner

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


def test_a_bad_file_is_refused(tmp_path):
    done = RUN.invoke(app, ["symmetries", str(tmp_path / "none.qasm")])
    assert done.exit_code == 2
    assert "error:" in done.output
