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
