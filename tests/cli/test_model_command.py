"""`equinoise diagnose`, `advise` and `engines` of a model: by options, from a Python file, along a run."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import equinoise as eq
from equinoise.cli.main import app

MODULE = """
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import XXPlusYYGate

import equinoise as eq

x, w = ParameterVector("x", 2), ParameterVector("w", 4)
circuit = QuantumCircuit(3)
circuit.x(1)
circuit.append(XXPlusYYGate(w[0] * x[0] + w[1]), [0, 1])
circuit.append(XXPlusYYGate(w[2] * x[1]), [1, 2])
circuit.barrier()
circuit.append(XXPlusYYGate(w[3]), [0, 1])
circuit.append(XXPlusYYGate(w[1]), [1, 2])
rows, labels = [[0.3, 1.2], [0.9, -0.4], [-0.7, 0.5]], [0, 1, 1]
model = eq.Model(
    circuit, ["Z0", "Z2"], inputs=x, data=rows, labels=labels, loss="cross-entropy", noise="dephasing:0.02",
    prior="normal:0.5",
)
problem = eq.Problem(eq.circuits.brickwork(3, 2), "Z1", initial="010", noise="dephasing:0.02")
plain = eq.circuits.brickwork(3, 2)
"""
STATED = (
    *("--data", "X.csv", "--labels", "y.csv", "--inputs", "x", "--loss", "cross-entropy"),
    *("--readout", "Z0", "--readout", "Z2", "--noise", "dephasing:0.02", "--prior", "normal:0.5"),
)
FEW = ("--samples", "4", "--seed", "3")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "X.csv").write_text("x[0],x[1]\n0.3,1.2\n0.9,-0.4\n-0.7,0.5\n")
    (tmp_path / "y.csv").write_text("label\n0\n1\n1\n")
    (tmp_path / "theta.json").write_text("[0.4, 0.8, 0.1, -0.3]")
    np.save(tmp_path / "run.npy", [[0.0, 0.1, 0.2, 0.3], [0.4, 0.8, 0.1, -0.3]])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments], prog_name="equinoise")


def record(*arguments: object) -> dict[str, Any]:
    result = run("diagnose", *arguments, *FEW, "--json", "-")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def message(*arguments: object) -> str:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert "internal error" not in result.stderr
    return str(result.stderr)


@pytest.mark.usefixtures("folder")
def test_options_and_an_object_state_one_model_and_python_says_the_same() -> None:
    stated, found = record("mine.py:circuit", *STATED), record("mine.py:model")
    made = eq.Model(
        _circuit(),
        ["Z0", "Z2"],
        inputs="x",
        data="X.csv",
        labels="y.csv",
        loss="cross-entropy",
        noise="dephasing:0.02",
        prior="normal:0.5",
    )
    twin = eq.diagnose(made, sampling=eq.Sampling(samples=4, seed=3)).to_dict()
    assert stated == twin
    # labels as numbers or as texts of a file are other data of the same numbers
    for part in ("law", "resources", "noisy", "verdict", "circuit", "prior"):
        assert found[part] == twin[part]
    assert [one["label"] for one in twin["readouts"]] == ["Z0", "Z2"]


def _circuit() -> Any:
    space: dict[str, Any] = {}
    exec(compile(MODULE, "mine.py", "exec"), space)
    return space["circuit"]


@pytest.mark.usefixtures("folder")
def test_around_a_point_and_along_a_run() -> None:
    around = record("mine.py:model", "--at", "theta.json", "--prior", "normal:0.1")
    assert around["prior"]["prior"] == "normal:0.1"
    along = record("mine.py:model", "--at", "run.npy", "--prior", "normal:0.1")
    assert along["schema"] == "equinoise.run-diagnosis/1"
    assert along["points"][1] == around
    two = record("mine.py:model", "--at", "run.npy", "--at", "theta.json", "--prior", "normal:0.1")
    assert two["points"][2] == around
    table = run("diagnose", "mine.py:model", "--at", "run.npy", *FEW).stdout
    assert "point" in table
    assert table.count("undecided") + table.count("trainable") == 2


@pytest.mark.usefixtures("folder")
def test_noise_beside_a_model_replaces_its_own() -> None:
    assert record("mine.py:model", "--noise", "none")["law"]["kappa"] == pytest.approx(0, abs=1e-12)


@pytest.mark.usefixtures("folder")
def test_a_problem_and_a_circuit_of_a_python_file_are_taken() -> None:
    assert record("mine.py:problem")["readout"]["label"] == "Z1"
    plain = record("mine.py:plain", "--readout", "Z1", "--initial", "010", "--noise", "dephasing:0.02")
    assert plain["law"]["kappa"] == record("mine.py:problem")["law"]["kappa"]


def test_report_and_files_of_a_model(folder: Path) -> None:
    result = run("diagnose", "mine.py:model", *FEW, "--csv", "b.csv", "--html", "p.html", "--json", "m.json")
    assert result.exit_code == 0, result.output
    for word in ("cross-entropy", "(residual)", "predictions", "Z2", "costliest", "per row"):
        assert word in result.stdout
    with (folder / "b.csv").open(newline="") as file:
        total = sum(float(row["kappa"]) for row in csv.DictReader(file))
    assert total == pytest.approx(json.loads((folder / "m.json").read_text())["law"]["kappa"], rel=1e-9)
    page = (folder / "p.html").read_text()
    assert "default-src 'none'" in page
    assert "by the residual" in page
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.usefixtures("folder")
def test_advice_and_engines_of_a_model() -> None:
    found = json.loads(run("advise", "mine.py:model", *FEW, "--json", "-").stdout)
    assert found["samples"] == 4
    engines = json.loads(run("engines", "mine.py:model", "--json", "-").stdout)
    assert engines["auto"] == "exact"
    assert {one["engine"] for one in engines["engines"] if one["serves"]} == {"exact", "trajectories"}
    assert "loss cross-entropy of Z0, Z2" in run("advise", "mine.py:model", *FEW).stdout


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("mine.py:model", "--readout", "Z0"), "states its own readouts"),
        (("mine.py:problem", "--noise", "none"), "is a Problem, which states its own noise"),
        (("mine.py:rows",), "the object is a list; expected an eq.Model"),
        (("mine.py:nothing",), "has no object 'nothing'. It has:"),
        (("other.py:model",), "no such Python file: 'other.py'"),
        (("mine.py:plain", "--noise", "none", "--loss", "mse"), "needs --readout"),
        (("mine.py:plain", "--readout", "Z1"), "--noise is missing"),
        (("mine.py:plain", "--noise", "none"), "--readout is missing"),
        (("mine.py:model", "--at", "theta.json", "--prior", "uniform"), "at= says where the prior lies"),
        (("mine.py:model", "--ensemble", "normal:0.1"), "drawn from its prior"),
        (("mine.py:model", "--plot", "a.png"), "--plot draws the survival of a circuit"),
        (("mine.py:model", "--relative-error", "0.1"), "--relative-error stops the draws of a circuit"),
        (("mine.py:circuit", *STATED, "--at", "X.csv"), "no parameter values"),
        (("mine.py:circuit", *STATED[:-4], "--loss", "mse"), "is given twice"),
    ],
    ids=lambda value: "_".join(value[:3]) if isinstance(value, tuple) else None,
)
def test_what_does_not_fit_is_told(arguments: tuple[str, ...], says: str) -> None:
    assert says in message("diagnose", *arguments)


def test_a_module_that_does_not_run_is_told(folder: Path) -> None:
    (folder / "bad.py").write_text("raise ValueError('no data today')\n")
    assert "does not run: ValueError: no data today" in message("diagnose", "bad.py:model")
    (folder / "leaves.py").write_text("import sys\nsys.exit(0)\n")
    assert "does not run: SystemExit" in message("diagnose", "leaves.py:model")


def test_a_module_imports_its_neighbours_and_leaves_the_path_alone(folder: Path) -> None:
    (folder / "neighbour.py").write_text(MODULE)
    (folder / "front.py").write_text("from neighbour import model\n")
    before = list(sys.path)
    assert record("front.py:model")["verdict"] in ("trainable", "undecided")
    assert sys.path == before


def test_no_study_file_runs_a_module(folder: Path) -> None:
    """Only the command line imports: what files name as circuits is read."""
    with pytest.raises(eq.EquinoiseError, match="no such circuit file"):
        eq.load_circuit("mine.py:model")
