"""`equinoise train`: what it prints and writes, and its errors."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from equinoise.cli.main import app
from refusals import overridden

QUICK = ["--data", "breast-cancer", "--depth", "2", "--epochs", "1", "--batch-size", "213"]


def run(*arguments):
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, ["train", *map(str, arguments)])


def test_it_trains_with_a_twin_writes_json_and_repeats_from_its_checkpoint(tmp_path):
    file = tmp_path / "run.json"
    arguments = [*QUICK, "--noise", "dephasing:0.01", "--noise", "relaxation:down=0.01", "--twin"]
    arguments += ["--checkpoint", tmp_path / "run", "--json", file]
    first = run(*arguments)
    assert first.exit_code == 0, first.output
    assert "breast-cancer: 426 rows, 143 held out" in first.output
    found = json.loads(file.read_text())
    assert found["settings"]["noise"] == "dephasing:0.01+relaxation:down=0.01"
    assert found["twin"]["settings"]["noise"] is None
    assert 0 <= found["accuracy"] <= 1
    assert found["history"][0]["loss"] != found["twin"]["history"][0]["loss"]
    assert run(*arguments).exit_code == 0
    again = json.loads(file.read_text())
    assert (again["history"], again["accuracy"]) == (found["history"], found["accuracy"])


OWN = """
import equinoise as eq
circuit = eq.circuits.brickwork(3, depth=2)
model = eq.Model(circuit, ["Z0+Z1"], loss="mean", initial="010", noise="dephasing:0.02")
number = 3
"""


def test_it_trains_a_model_of_ones_own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    source, file = f"{tmp_path / 'own.py'}:model", tmp_path / "run.json"
    arguments = [source, "--epochs", "3", "--learning-rate", "0.1", "--twin", "--json", file]
    first = run(*arguments, "--checkpoint", tmp_path / "run")
    assert first.exit_code == 0, first.output
    assert "the same weights without noise: loss" in first.output
    found = json.loads(file.read_text())
    assert found["schema"] == "equinoise.train-model/1"
    assert [one["epoch"] for one in found["history"]] == [1, 2, 3]
    assert found["history"][0]["accuracy"] is None
    assert found["twin"]["start"] == found["start"]
    assert run(*arguments, "--checkpoint", tmp_path / "run").exit_code == 0
    assert json.loads(file.read_text())["weights"] == found["weights"]
    louder = run(source, "--epochs", "3", "--learning-rate", "0.1", "--noise", "relaxation:down=0.2", "--json", file)
    assert louder.exit_code == 0, louder.output
    assert json.loads(file.read_text())["history"][0]["loss"] != found["history"][0]["loss"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["own.py:model", "--data", "digits"], "either a SOURCE, module.py:object, or --data NAME"),
        ([], "either a SOURCE, module.py:object, or --data NAME"),
        (["own.py:model", "--depth", "3"], "--depth is for the built-in classifier"),
        (["own.qasm"], "cannot train 'own.qasm': expected module.py:object"),
        (["own.py:other"], "has no object 'other'"),
        (["own.py:number"], "the object is a int"),
        (["own.py:model", "--shots", "10"], "leave shots out"),
    ],
)
def test_a_model_that_cannot_be_trained_is_refused_on_one_line(tmp_path, monkeypatch, arguments, text):
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert text in result.output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--data", "iris"], "no data 'iris'; choose from: digits, breast-cancer"),
        ([*QUICK, "--qubits", "20"], "30 features do not fit on 20 qubits"),
        ([*QUICK, "--noise", "fog:0.1"], "fog"),
        ([*QUICK, "--json", "/nowhere/x.json"], "--json: the folder '/nowhere' does not exist"),
        (overridden([*QUICK, "--epochs", "-1"]), "epochs must be a whole number of 0 to 1,000,000, got -1"),
    ],
)
def test_errors_are_told_on_one_line(arguments, text):
    result = run(*arguments)
    assert result.exit_code == 2
    assert text in result.output
