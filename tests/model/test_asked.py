"""One surface: law, diagnose and gradient are asked of problems and models alike, and say what else they were given."""

from __future__ import annotations

import json

import pytest

import equinoise as eq
from equinoise.errors import ParameterError
from model_twin import build


def test_one_row_and_one_readout_by_its_mean_is_a_problem():
    """J = C there, so that law and gradient of the model are those of the problem."""
    circuit = eq.circuits.brickwork(4, depth=2, shared=True)
    stated = {"initial": "neel", "noise": "relaxation:0.03"}
    problem, model = eq.Problem(circuit, "Z1", **stated), eq.Model(circuit, "Z1", **stated)
    few = eq.Sampling(samples=6, seed=2)
    one, two = eq.law(problem, sampling=few), eq.law(model, sampling=few)
    assert two.kappa == pytest.approx(one.kappa, rel=1e-10)
    assert two.variance == pytest.approx(one.variance, rel=1e-10)
    theta = model.draw(1, 0)[0]
    assert eq.gradient(model, theta).gradient == pytest.approx(eq.gradient(problem, theta).gradient, abs=1e-12)
    rms = [eq.diagnose(each, depth=False, sampling=few).simulated.rms_gradient for each in (problem,)]
    assert eq.diagnose(model, sampling=few).noisy_rms.value == pytest.approx(rms[0], rel=1e-10)


@pytest.mark.parametrize("question", [eq.law, eq.diagnose], ids=["law", "diagnose"])
def test_what_is_neither_problem_nor_model_is_told_how_to_state_it(question):
    circuit = eq.circuits.brickwork(3, depth=1)
    with pytest.raises(ParameterError, match=r"asked of a Problem or a Model, got QuantumCircuit: state eq\.Problem"):
        question(circuit)
    qnode = type("QNode", (), {"__module__": "pennylane.workflow.qnode"})()
    with pytest.raises(ParameterError, match=r"got QNode: state eq\.Model\.from_qnode"):
        question(qnode)


def test_answers_about_a_model_are_json_text_and_html():
    model = build("re-uploading", "relaxation", "mean")
    few = eq.Sampling(samples=4)
    for found in (eq.law(model, sampling=few), eq.diagnose(model, sampling=few)):
        data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        law = data["law"]
        assert law["kappa"] == pytest.approx(law["kappa_gradient"] + law["kappa_residual"], rel=1e-12)
        assert [one["label"] for one in law["readouts"]] == list(model.readout_labels)
        assert "(residual)" in str(found)
        assert "<table>" in found._repr_html_()
        assert model.readout_labels[1] in found._repr_html_()


def test_the_record_of_a_model_states_what_was_asked():
    few = eq.Sampling(samples=2, seed=5)
    made = build("re-uploading", "dephasing", "mean", prior={"w": "normal:0.3"})
    data = eq.diagnose(made, 0.5, sampling=few, shots=77).to_dict()
    assert data["loss"] == {"name": "mean", "scale": [1.0, 1.0], "bias": [0.0, 0.0]}
    assert data["data"]["rows"] == 3
    assert data["data"]["inputs"] == ["x[0]", "x[1]"]
    assert data["prior"] == {"w": "normal:0.3"}
    assert data["sampling"] == {"samples": 2, "seed": 5, "engine": "auto"}
    assert (data["scale"], data["resources"]["shots"]) == (0.5, 77)
    assert [one["label"] for one in data["readouts"]] == list(made.readout_labels)
    assert data["circuit"]["num_parameters"] == 6


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"data": [[0.3, -0.8], [1.1, 0.4], [-0.6, 0.91]]}, ("data", "inputs_sha256")),
        ({"labels": [0.1, 0.2, 0.3], "readouts": "Z1", "loss": "mse"}, ("data", "labels_sha256")),
    ],
    ids=["inputs", "labels"],
)
def test_other_data_has_another_hash(change, path):
    few = eq.Sampling(samples=1)
    same = {"labels": [0.1, 0.2, 0.4], "readouts": "Z1", "loss": "mse"}
    found = []
    for more in (same, same | change):
        options = {**more}
        model = build("re-uploading", "dephasing", options.pop("loss"), **options)
        data = eq.diagnose(model, sampling=few).to_dict()
        found.append(data[path[0]][path[1]])
    assert found[0] != found[1]
