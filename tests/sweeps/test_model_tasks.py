"""Sweeps of models: the numbers are those of the model's own diagnosis, files travel with the task."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import distributed
import pytest
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import XXPlusYYGate, zz_feature_map

import equinoise as eq
from equinoise.device.snapshots import snapshot
from equinoise.report.page.html import page
from equinoise.report.page.page_tables import ranked, ranking_table
from equinoise.report.page.results import read_results
from equinoise.sweeps.model_statement import ModelStatement
from equinoise.sweeps.store import BUDGET, RESULTS, Store
from equinoise.sweeps.study_file import StudyFileError, load_study, study_from_dict
from equinoise.sweeps.sweep import plan, sweep
from equinoise.sweeps.task import Task, run_task

DATA = "x1,x0,y\n0.3,0.1,a\n-0.5,0.7,b\n1.1,-0.2,a\n"
STUDY = """
name = "models"
readouts = [["Z0", "X0X1+Y0Y1"], ["first", "last"]]
initial = "01"
noise = ["dephasing:0.02", "relaxation:down=0.01"]
samples = 6
inputs = ["x0", "x1"]
data = "rows.csv"
labels = "y"
loss = ["cross-entropy"]
prior = ["uniform", "normal:0.3", {w = "normal:0.1", "*" = 0.2}]
[[circuits]]
source = "model.qpy"
"""


def _circuit():
    """Inputs enter by a product with a weight and by one another."""
    x, w, b = (Parameter("x0"), Parameter("x1")), ParameterVector("w", 2), Parameter("b")
    circuit = QuantumCircuit(2)
    circuit.rz(w[0] * x[0] + b, 0)
    circuit.rz(x[0] * x[1], 1)
    circuit.append(XXPlusYYGate(w[1]), [0, 1])
    circuit.rz(x[1], 1)
    circuit.append(XXPlusYYGate(0.4 * w[0]), [0, 1])
    return circuit


@pytest.fixture
def folder(tmp_path):
    with (tmp_path / "model.qpy").open("wb") as file:
        qpy.dump(_circuit(), file)
    (tmp_path / "rows.csv").write_text(DATA)
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path


def _model(folder, task_number, readouts, noise):
    priors = ["uniform", "normal:0.3", {"w": "normal:0.1", "*": 0.2}]
    return eq.Model(
        _circuit(),
        readouts,
        inputs=["x0", "x1"],
        data=folder / "rows.csv",
        labels="y",
        loss="cross-entropy",
        prior=priors[task_number],
        initial="01",
        noise=noise,
    )


def test_a_task_says_what_the_diagnosis_of_the_model_says(folder):
    tasks = list(load_study(folder / "study.toml").tasks())
    assert len(tasks) == 2 * 2 * 3
    shutil.move(folder / "model.qpy", folder / "gone.qpy")
    for number, task in enumerate(tasks):
        readouts = [["Z0", "X0X1+Y0Y1"], ["Z0", "Z1"]][number // 6]
        noise = ["dephasing:0.02", "relaxation:down=0.01"][number // 3 % 2]
        found = eq.diagnose(_model(folder, number % 3, readouts, noise), sampling=eq.Sampling(samples=6))
        answer = run_task(task)
        row = answer["row"]
        assert row["status"] == "done", row["error"]
        point = found.law.points[0]
        expected = {
            "variance": found.law.variance,
            "prediction_variance": found.law.prediction_variance,
            "kappa": found.law.kappa,
            "kappa_gradient": found.law.kappa_gradient.value,
            "kappa_residual": found.law.kappa_residual.value,
            "prediction_kappa": found.law.prediction_kappa.value,
            "survival": point.survival.value,
            "survival_low": point.survival.low,
            "direction": point.direction.value,
            "noiseless_rms": found.noiseless_rms.value,
            "rms_gradient": found.noisy_rms.value,
            "rms_high": found.noisy_rms.high,
            "shots_per_gradient": found.resources.shots_per_row,
            "shots_in_all": found.resources.shots_in_all,
        }
        assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-12, abs=1e-12)
        assert (row["verdict"], row["parameters"], row["loss_rows"]) == (found.verdict.word, 3, 3)
        assert (row["readout"], row["inputs"], row["loss"]) == (", ".join(readouts), "x0,x1", "cross-entropy")
        assert json.loads(row["diagnosis"])["data"]["rows"] == 3
        assert sum(part["kappa"] for part in answer["budget"]) == pytest.approx(row["kappa"], abs=1e-9)
        assert set(row) <= set(RESULTS)
        assert all(set(part) | {"key"} == set(BUDGET) for part in answer["budget"])
    assert row["prior"].startswith('{"w": "normal:0.1", "*": "given:sha256:')
    assert row["ensemble"] is None


def test_the_same_rows_are_the_same_task_and_others_are_not(folder):
    def key(**changes):
        (folder / "rows.csv").write_text(changes.pop("rows", DATA))
        return next(load_study(folder / "study.toml").tasks()).key

    assert key() == key(rows=DATA.replace("0.3,", "0.30,"))
    assert key() != key(rows=DATA.replace("0.3,", "0.31,"))
    assert key() != key(rows=DATA.replace(",b", ",a").replace("0.1,a", "0.1,b"))
    stated = next(load_study(folder / "study.toml").tasks())
    for change in (
        {"loss": "mse"},
        {"prior": '"normal:0.1"'},
        {"prior": '{"*": 0.1}'},
        {"readouts": ("Z1",)},
        {"inputs": ("x0",)},
        {"trained": ("b",)},
    ):
        assert replace(stated, model=replace(stated.model, **change)).key != stated.key
    groups = [replace(stated.model, prior=text) for text in ('{"w": 0.1, "*": 0.2}', '{"*": 0.2, "w": 0.1}')]
    assert replace(stated, model=groups[0]).key != replace(stated, model=groups[1]).key  # the first that fits counts
    assert "0.3" not in json.dumps(stated.content()["model"])  # the rows are not repeated in each row of a store


def test_one_row_and_no_data_make_a_model_of_a_built_circuit(tmp_path):
    study = study_from_dict(
        {
            "circuits": [{"source": "brickwork", "n": 4, "depth": 2, "shared": True}],
            "noise": ["dephasing:0.03"],
            "labels": [[0.5, -0.5]],
            "loss": "mse",
            "samples": 4,
            "readouts": [["Z1", "middle"]],
        }
    )
    (task,) = study.tasks()
    circuit = eq.circuits.brickwork(4, depth=2, shared=True)
    model = eq.Model(circuit, ["Z1", "Z2"], labels=[[0.5, -0.5]], loss="mse", noise="dephasing:0.03")
    found = eq.diagnose(model, sampling=eq.Sampling(samples=4))
    row = run_task(task)["row"]
    assert row["kappa"] == pytest.approx(found.law.kappa, rel=1e-12)
    assert row["kappa_residual"] == pytest.approx(found.law.kappa_residual.value, rel=1e-12)


def test_a_feature_map_that_breaks_the_charge_is_taken_before_the_first_weight(tmp_path):
    weights = ParameterVector("w", 2)
    circuit = zz_feature_map(2, reps=1)  # inputs x[0] and x[1], and their product
    circuit.barrier()
    circuit.append(XXPlusYYGate(weights[0]), [0, 1])
    circuit.rz(weights[1], 1)
    circuit.append(XXPlusYYGate(0.5), [0, 1])
    with (tmp_path / "zz.qpy").open("wb") as file:
        qpy.dump(circuit, file)
    rows, labels, noise = [[0.1, 0.7], [-0.4, 0.9]], [1.0, -1.0], {"dephasing": 0.02}
    stated = {"circuits": [{"source": "zz.qpy"}], "readouts": "Z0", "noise": [noise], "samples": 4}
    (task,) = study_from_dict(
        stated | {"inputs": "x", "data": rows, "labels": labels, "loss": "mse"}, folder=tmp_path
    ).tasks()
    model = eq.Model(circuit, "Z0", inputs="x", data=rows, labels=labels, loss="mse", noise=noise)
    found = eq.diagnose(model, sampling=eq.Sampling(samples=4))
    row = run_task(task)["row"]
    assert row["status"] == "done", row["error"]
    assert row["kappa"] == pytest.approx(found.law.kappa, rel=1e-12)
    assert row["survival"] == pytest.approx(found.law.points[0].survival.value, rel=1e-12)


def test_weights_that_no_readout_sees_are_left_out_of_the_trained_ones():
    source, stated = "brickwork:n=4,depth=2", {"readouts": "Z1", "labels": [0.5], "loss": "mse", "samples": 4}
    stated["circuits"] = [{"source": source}]
    with pytest.raises(StudyFileError, match=r"readouts: the weight 'theta\[10\]'.*with trained="):
        study_from_dict(stated)
    (task,) = study_from_dict(stated | {"trained": ["theta[0]", "theta[1]"], "noise": "dephasing:0.02"}).tasks()
    model = eq.Model(
        eq.load_circuit(source),
        "Z1",
        labels=[0.5],
        loss="mse",
        trained=["theta[0]", "theta[1]"],
        noise="dephasing:0.02",
    )
    row = run_task(task)["row"]
    assert row["kappa"] == pytest.approx(eq.diagnose(model, sampling=eq.Sampling(samples=4)).law.kappa, rel=1e-12)
    assert row["parameters"] == 2


def test_a_model_is_placed_on_the_device_as_asked():
    stated = {"noise": "ibm:torino", "layouts": [[0, 1, 2, 3]], "labels": [0.5], "loss": "mse", "samples": 2}
    source = "brickwork:n=4,depth=2,shared=true"
    (task,) = study_from_dict({"circuits": [{"source": source}], "readouts": "Z1"} | stated).tasks()
    row = run_task(task)["row"]
    noise = eq.NoiseModel.from_backend(snapshot("torino"), [0, 1, 2, 3])
    model = eq.Model(eq.load_circuit(source), "Z1", labels=[0.5], loss="mse", noise=noise)
    assert (row["layout"], row["device"]) == ("0,1,2,3", model.problem.noise.placement.device)
    found = eq.diagnose(model, sampling=eq.Sampling(samples=2))
    assert row["kappa"] == pytest.approx(found.law.kappa, rel=1e-12)


def _mistakes(folder, **changes):
    base = {
        "circuits": [{"source": "model.qpy"}],
        "readouts": [["Z0", "Z1"]],
        "inputs": ["x0", "x1"],
        "data": "rows.csv",
        "labels": "y",
        "loss": "cross-entropy",
    }
    stated = {key: value for key, value in (base | changes).items() if value is not None}
    with pytest.raises(StudyFileError) as caught:
        study_from_dict(stated, folder=folder)
    return dict(mistake.split(": ", 1) for mistake in caught.value.mistakes)


@pytest.mark.parametrize(
    ("changes", "key", "text"),
    [
        ({"data": "none.csv"}, "data", "there is no file"),
        ({"data": "nan.csv"}, "data", "is not finite in row 1"),
        ({"data": [[0.1], [0.2], [0.3]], "labels": [0, 1, 0]}, "data", "has 1 columns, the model 2 inputs"),
        ({"data": None, "labels": [0]}, "data", "no data was given"),
        ({"inputs": None}, "data", "the model has no inputs"),
        ({"inputs": ["x0", "x7"]}, "inputs", "names 'x7'"),
        ({"inputs": ["x0", 3]}, "inputs[1]", "must be a text"),
        ({"inputs": ["x0", "x1", "w", "b"]}, "inputs", "no weights to train"),
        ({"trained": ["w", "x0"]}, "trained", "names 'x0'"),
        ({"labels": "z"}, "labels", "no column of the data is called so"),
        ({"labels": [0, 1], "data": [[0.1, 1], [0.2, 1], [0.3, 1]]}, "labels", "one entry for each of the 3 rows"),
        ({"labels": None, "data": [[0.1, 1]]}, "labels", "needs labels"),
        ({"readouts": [["Z0", "Z1"]], "loss": "logistic", "labels": "y3.csv", "data": "x.csv"}, "labels", ""),
        ({"loss": ["cross-entropy", "hinge"]}, "loss[1]", "must be one of mean"),
        ({"prior": ["uniform", "normal:wide"]}, "prior[1]", "cannot read the ensemble"),
        ({"prior": [{"v": "uniform"}]}, "prior[0]", "no parameter is left of that name"),
        ({"prior": "none.json"}, "prior", "no file"),
        ({"readouts": [["Z0", "X1"]]}, "readouts[0]", "does not conserve the charge"),
        ({"readouts": [[]]}, "readouts[0]", "must not be empty"),
        ({"ensemble": "normal:0.1"}, "ensemble", "state prior"),
        ({"relative_error": 0.1}, "relative_error", "state samples"),
        ({"quantities": ["law"]}, "quantities", "whole diagnosis"),
        ({"engine": "trajectories"}, "engine", "exact engine alone"),
    ],
)
def test_each_mistake_about_a_model_is_named_by_its_key(folder, changes, key, text):
    (folder / "nan.csv").write_text("x0,x1,y\n0.1,0.2,a\n0.1,,b\n")
    (folder / "x.csv").write_text("x0,x1\n0.1,0.2\n0.1,0.3\n0.4,0.5\n")
    (folder / "y3.csv").write_text("a\nb\nc\n")
    found = _mistakes(folder, **changes)
    assert list(found) == [key], found
    assert text in found[key]


def test_joined_readouts_without_a_model_are_a_mistake():
    with pytest.raises(StudyFileError, match=r"readouts\[0\]: a list is one model's readouts"):
        study_from_dict({"circuits": [{"source": "brickwork", "n": 4, "depth": 2}], "readouts": [["Z0", "Z1"]]})


def test_a_task_whose_model_fails_is_recorded_as_failed():
    stated = ModelStatement(loss="mse", readouts=("Z0",), labels='["a"]')
    row = run_task(Task("brickwork:n=4,depth=2", "Z0", model=stated, samples=2))["row"]
    assert (row["status"], row["loss"]) == ("failed", "mse")
    assert row["error"].startswith("DataError")


def test_a_sweep_of_models_resumes_and_its_page_shows_the_rows(folder):
    path = folder / "r.duckdb"
    study = load_study(folder / "study.toml")
    part = replace(study, models=study.models[:1], noise=study.noise[:1])
    planned = plan(study, path)
    assert (planned.missing, planned.unknown) == (12, 0)
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, local_directory=folder
    )
    with cluster:
        address = cluster.scheduler_address
        assert sweep(part, path, scheduler=address).done == 2
        summary = sweep(study, path, scheduler=address)
        assert (summary.before, summary.done, summary.failed) == (2, 10, 0)
        assert sweep(study, path, scheduler=address).done == 0
    rows = {row["key"]: row for row in Store(path).read_results()}
    task = next(study.tasks())
    assert rows[task.key]["kappa_residual"] == pytest.approx(run_task(task)["row"]["kappa_residual"], rel=1e-12)
    results = read_results(path)
    assert {row["readout"] for row in ranked(results)} == {"Z0, X0X1+Y0Y1", "Z0, Z1"}
    assert len(ranking_table(ranked(results))) == 12
    text = page(results)
    assert "<dt>Loss of the models</dt><dd>cross-entropy" in text
    assert "normal:0.3" in text
