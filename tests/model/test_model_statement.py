"""What a model is made of: inputs, weights, data in its three forms, and the error for each thing that does not fit."""

from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pandas as pd
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import XXPlusYYGate

import equinoise as eq
from equinoise.circuit.angle_expressions import linear_in_atoms
from equinoise.errors import DataError, EquinoiseError, ParameterError, ReadoutError, SymmetryError
from model_twin import CIRCUITS, READOUTS, ROWS, build, stated


def model(data=ROWS, labels=None, loss="mean", readouts=READOUTS, kind="re-uploading", **more):
    circuit, x, _ = stated(kind)
    return eq.Model(
        circuit, readouts, **({"inputs": x, "initial": "010", "data": data} | more), labels=labels, loss=loss
    )


# -- angles ------------------------------------------------------------------------------------------------------------


def test_a_linear_circuit_is_left_as_it_is():
    circuit = eq.circuits.brickwork(4, depth=2)
    found = linear_in_atoms(circuit)
    assert found.circuit is circuit
    assert found.atoms == ()


def test_multiples_of_one_expression_share_an_atom_and_others_do_not():
    w, x, b = (Parameter(name) for name in "wxb")
    circuit = QuantumCircuit(2)
    for angle in (w * x, -w * x / 2 + b, math.pi - 3 * x * w, w * x * x, w * w):
        circuit.rz(angle, 0)
    found = linear_in_atoms(circuit)
    assert len(found.atoms) == 3
    values = {"w": 0.7, "x": -1.3, "b": 0.2}
    atoms = {atom.parameter: atom.value({p: values[p.name] for p in atom.depends_on}) for atom in found.atoms}
    for one, two in zip(circuit.data, found.circuit.data, strict=True):
        here, there = (
            float(i.operation.params[0].bind({p: v for p, v in known.items() if p in i.operation.params[0].parameters}))
            for i, known in ((one, {w: 0.7, x: -1.3, b: 0.2}), (two, atoms | {b: 0.2}))
        )
        assert there == pytest.approx(here, abs=1e-14)


def test_names_of_atoms_avoid_the_circuits_own():
    w, x, taken = Parameter("w"), Parameter("x"), Parameter("angle 0")
    circuit = QuantumCircuit(1)
    circuit.rz(w * x, 0)
    circuit.rz(taken, 0)
    assert [atom.parameter.name for atom in linear_in_atoms(circuit).atoms] == ["angle 1"]


def test_gates_keep_their_places_names_and_layers():
    found = build("nonlinear in weights", "dephasing", "mean")
    circuit = stated("nonlinear in weights")[0]
    assert [(i.operation.name, len(i.qubits)) for i in found.problem.circuit.data] == [
        (i.operation.name, len(i.qubits)) for i in circuit.data
    ]
    assert len(found.problem.layers) == 2


# -- data --------------------------------------------------------------------------------------------------------------


def test_arrays_frames_columns_and_files_are_one_model(tmp_path):
    numbers = [0.2, -0.1, 0.4]
    frame = pd.DataFrame({"x[1]": ROWS[:, 1], "label": numbers, "x[0]": ROWS[:, 0]})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame[["label"]].to_csv(tmp_path / "labels.csv", index=False)
    np.savetxt(tmp_path / "bare.csv", ROWS, delimiter=",")
    ways = [
        (ROWS, numbers),
        (ROWS.tolist(), pd.Series(numbers)),
        (frame, "label"),
        (tmp_path / "rows.csv", "label"),
        (str(tmp_path / "bare.csv"), tmp_path / "labels.csv"),
        ({"x[0]": ROWS[:, 0], "x[1]": ROWS[:, 1]}, np.array(numbers)[:, None]),
    ]
    theta = np.linspace(-1, 1, 4)
    found = [eq.loss_gradient(model(x, y, "mse", READOUTS[0]), theta) for x, y in ways]
    for each in found:
        assert each.loss == pytest.approx(found[0].loss, abs=1e-15)
        np.testing.assert_allclose(each.gradient, found[0].gradient, atol=1e-15)


def test_other_column_names_are_taken_in_order_and_that_is_said():
    found = model(pd.DataFrame(ROWS, columns=["age", "height"]))
    assert "columns age, height are taken as the inputs x[0], x[1], in this order" in found.warnings


def test_class_names_are_sorted_and_the_greater_of_two_is_class_one():
    names = ["yes", "no", "yes"]
    assert model(labels=names, loss="logistic", readouts="Z1").targets.ravel().tolist() == [1, 0, 1]
    assert model(labels=[-1, 1, -1], loss="logistic", readouts="Z1").targets.ravel().tolist() == [0, 1, 0]
    assert model(labels=names, loss="cross-entropy").targets.tolist() == [[0, 1], [1, 0], [0, 1]]
    assert model(labels=[0, 0, 1], loss="cross-entropy", readouts=[*READOUTS, "Z0"]).targets.shape == (3, 3)


MISSING = ROWS.copy()
MISSING[1, 0] = math.nan

BAD_DATA = {
    "no data": (None, {}, "the model has 2 inputs .* and no data was given"),
    "NaN": (MISSING, {}, "not finite in row 1, column 0 .so in 1 rows.: fill in"),
    "infinity": (np.full((2, 2), np.inf), {}, "not finite in row 0, column 0 .so in 2 rows."),
    "three columns": (np.zeros((4, 3)), {}, "has 3 columns, the model 2 inputs"),
    "a cube": (np.zeros((4, 3, 2)), {}, r"must be numbers of shape \(rows, columns\)"),
    "ragged": ([[1.0, 2.0], [3.0]], {}, "rows must have one length|must be numbers of shape"),
    "no rows": (np.zeros((0, 2)), {}, "has no rows"),
    "text": ([["a", "b"]], {}, "holds 'a' in row 0, column 0: expected a number"),
    "complex": (ROWS + 1j, {}, "must be numbers of shape"),
    "unknown columns": (
        pd.DataFrame({"x[0]": [1.0], "x[1]": [2.0], "z": [3.0]}),
        {},
        "are not the model's inputs: missing none, unknown z",
    ),
    "missing columns": (pd.DataFrame({"x[0]": [1.0], "z": [2.0]}), {}, r"missing x\[1\], unknown z"),
    "no file": ("nowhere.csv", {}, "there is no file 'nowhere.csv'"),
    "an object": (object(), {}, "must be numbers of shape"),
    "data without inputs": (ROWS, {"inputs": None}, "the model has no inputs"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_is_refused_with_what_to_do(case):
    data, more, text = BAD_DATA[case]
    with pytest.raises(DataError, match=text):
        model(data, **more)


def test_bad_files_are_refused(tmp_path):
    for name, content, text in (
        ("empty.csv", "", "is empty"),
        ("ragged.csv", "1,2\n3\n", "line 2 of 'ragged.csv' has 1 columns, the first has 2"),
        ("hole.csv", "1,2\n3,\n", "not finite in row 1, column 1"),
        ("words.csv", "x[0],x[1]\n1,2\n3,four\n", "holds 'four' in row 1, column 1"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(DataError, match=text):
            model(tmp_path / name)


BAD_LABELS = {
    "none given": ("mse", None, READOUTS[0], "the loss 'mse' needs labels"),
    "not wanted": ("mean", [1, 2, 3], READOUTS, "takes no labels"),
    "too few": ("mse", [0.1, 0.2], READOUTS[0], "one entry for each of the 3 rows"),
    "NaN": ("mse", [0.1, math.nan, 0.2], READOUTS[0], "the label of row 1 is missing"),
    "empty": ("cross-entropy", ["a", None, "b"], READOUTS, "the label of row 1 is missing"),
    "one column of two": ("mse", [0.1, 0.2, 0.3], READOUTS, "one number for each of the 2 readouts"),
    "names as numbers": ("mse", ["a", "b", "c"], READOUTS[0], "takes numbers as labels, got 'a'"),
    "three classes": ("logistic", [0, 1, 2], READOUTS[0], "takes two classes, the labels hold 3: 0, 1, 2"),
    "one name": ("logistic", ["a", "a", "a"], READOUTS[0], "takes two classes, the labels hold 1"),
    "two readouts": ("logistic", [0, 1, 1], READOUTS, "takes one readout, the model has 2"),
    "too many classes": ("cross-entropy", [0, 1, 2], READOUTS, "has 2 classes, one a readout, and the labels hold 3"),
    "fractions": ("cross-entropy", [0.5, 1.0, 1.5], READOUTS, "the labels hold 3"),
    "one class readout": ("cross-entropy", [0, 1, 1], READOUTS[0], "one readout for each class"),
    "columns of classes": (
        "cross-entropy",
        np.zeros((3, 2)),
        READOUTS,
        r"one class a row, got labels of shape \(3, 2\)",
    ),
    "unknown loss": ("hinge", [0, 1, 1], READOUTS, "loss must be one of mean, mse, logistic, cross-entropy"),
    "one function": ((np.sum,), None, READOUTS, "or two functions"),
    "wrong derivative": (
        (lambda z, y: (z**2).sum(axis=1), lambda z, y: z),
        None,
        READOUTS,
        "the derivative given with the loss is not the loss's",
    ),
    "wrong shape": (
        (lambda z, y: (z**2).sum(), lambda z, y: 2 * z),
        None,
        READOUTS,
        r"the loss returned shape \(\) for predictions of 3 rows",
    ),
}


@pytest.mark.parametrize("case", BAD_LABELS)
def test_labels_that_the_loss_cannot_take_are_refused(case):
    loss, labels, readouts, text = BAD_LABELS[case]
    with pytest.raises(DataError, match=text):
        model(labels=labels, loss=loss, readouts=readouts)


# -- inputs, weights, readouts -----------------------------------------------------------------------------------------


def test_inputs_are_named_by_vector_parameter_or_name_and_order_the_columns():
    names = [["x[1]", "x[0]"], "x", ParameterVector("x", 2)]
    found = [model(inputs=each) for each in names]
    assert [[p.name for p in each.inputs] for each in found] == [["x[1]", "x[0]"], ["x[0]", "x[1]"], ["x[0]", "x[1]"]]
    assert [p.name for p in found[0].weights] == ["w[0]", "w[1]", "w[2]", "w[3]"]


BAD_STATEMENTS = {
    "unknown input": ({"inputs": "y"}, ParameterError, "inputs names 'y', which is no parameter of the circuit"),
    "no input": ({"inputs": []}, ParameterError, "inputs names no parameter"),
    "input twice": ({"inputs": ["x", "x[0]"]}, ParameterError, r"inputs names 'x\[0\]' twice"),
    "input and weight": (
        {"trained": ["w[0]", "x[0]"]},
        ParameterError,
        r"'x\[0\]' is an input and a trained weight at",
    ),
    "all inputs": ({"inputs": ["x", "w"], "data": np.zeros((1, 6))}, ParameterError, "there are no weights to train"),
    "unknown weight": ({"trained": ["v"]}, ParameterError, "trained names 'v', which is no parameter"),
    "no readout": ({"readouts": []}, ReadoutError, "readouts is empty"),
    "one bad readout": ({"readouts": ["Z0", "X1"]}, ReadoutError, "'X1' does not conserve the charge"),
    "scale": ({"scale": [1, 2, 3]}, DataError, "scale must be a finite number, or one for each of the 2 readouts"),
    "bias": ({"bias": math.nan}, DataError, "bias must be a finite number"),
    "prior": ({"prior": "box:1"}, ParameterError, "cannot read the ensemble 'box:1'"),
    "prior's columns": ({"prior": [[0.1, 0.2]]}, ParameterError, "given parameter values have 2 columns"),
    "point": ({"at": [0.1], "prior": "normal:0.1"}, ParameterError, "theta must hold 4 finite numbers"),
    "a charge broken by a tie undone": ({"kind": "broken"}, SymmetryError, "breaks the charge"),
}


@pytest.mark.parametrize("case", BAD_STATEMENTS)
def test_statements_that_do_not_fit_are_refused(case, monkeypatch):
    more, error, text = BAD_STATEMENTS[case]
    monkeypatch.setitem(CIRCUITS, "broken", broken)
    with pytest.raises(error, match=text):
        model(**more)


def broken(x, w):
    """Two halves of a hop by angles that are not the same."""
    circuit = QuantumCircuit(3)
    circuit.rxx(w[0] * x[0], 0, 1)
    circuit.ryy(w[0] * x[1], 0, 1)
    circuit.rz(w[1], 0)
    return circuit


def test_a_weight_in_no_readouts_cone_is_refused_unless_it_is_not_trained():
    circuit, w = QuantumCircuit(4), ParameterVector("w", 3)
    circuit.append(XXPlusYYGate(w[0]), [0, 1])
    circuit.append(XXPlusYYGate(w[1] * w[2]), [2, 3])
    with pytest.raises(ParameterError, match=r"the weight 'w\[1\]' .2 in all. stands outside the light cone of every"):
        eq.Model(circuit, ["Z0", "Z1"], initial="0101")
    assert eq.Model(circuit, ["Z0", "Z3"], initial="0101").trained.tolist() == [0, 1, 2]
    assert eq.Model(circuit, ["Z0", "Z1"], initial="0101", trained="w[0]").trained.tolist() == [0]


def test_an_angle_that_is_not_real_at_a_row_names_the_row():
    circuit, x, w = QuantumCircuit(2), ParameterVector("x", 1), ParameterVector("w", 1)
    circuit.rz(x[0].log(), 0)
    circuit.append(XXPlusYYGate(w[0]), [0, 1])
    with pytest.raises(DataError, match=r"has no real value for row 1 of the data: \[-1.0\]"):
        eq.Model(circuit, "Z0", inputs=x, data=[[1.0], [-1.0]], initial="01")


def test_a_weights_prior_is_drawn_for_weights_alone_and_around_the_point_asked_for():
    around = model(prior="uniform:0.05", at={"w[0]": 1.0, "w[1]": -1.0, "w[2]": 0.5, "w[3]": 0.0})
    thetas = around.draw(20, 0)
    assert thetas.shape == (20, 4)
    assert np.abs(thetas - [1.0, -1.0, 0.5, 0.0]).max() <= 0.05
    assert model(prior=[[1, 2, 3, 4]]).draw(5, 0).tolist() == [[1, 2, 3, 4]]


def test_given_weights_and_the_point_of_a_prior_come_from_files(tmp_path):
    point = {"w[3]": 0.4, "w[0]": 0.1, "w[2]": 0.3, "w[1]": 0.2}
    (tmp_path / "point.json").write_text(json.dumps(point))
    np.savetxt(tmp_path / "given.csv", [[1, 2, 3, 4], [5, 6, 7, 8]], delimiter=",")
    np.save(tmp_path / "given.npy", [[1.0, 2, 3, 4]])
    near = model(prior="uniform:0.01", at=tmp_path / "point.json").draw(5, 0)
    assert np.abs(near - [0.1, 0.2, 0.3, 0.4]).max() <= 0.01
    assert model(prior=str(tmp_path / "given.csv")).draw(9, 0).tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert model(prior=tmp_path / "given.npy").draw(9, 0).tolist() == [[1, 2, 3, 4]]
    assert model(prior=tmp_path / "point.json").draw(2, 0).tolist() == [[0.1, 0.2, 0.3, 0.4]] * 2
    (tmp_path / "words.csv").write_text("a,b\n")
    with pytest.raises(ParameterError, match=r"the file 'words.csv' holds no parameter values"):
        model(prior=tmp_path / "words.csv")
    with pytest.raises(ParameterError, match=r"there is no file 'nowhere.json' of parameter values"):
        model(at="nowhere.json")


def test_weights_in_nonlinear_angles_have_no_period_and_that_is_said():
    assert any("enter nonlinear angles" in note for note in model().warnings)
    assert not any("enter nonlinear angles" in note for note in model(prior="normal:1").warnings)
    assert np.ptp(model().draw(200, 0)[:, 0]) == pytest.approx(2 * math.pi, rel=0.05)


def test_a_model_cannot_be_changed_and_survives_a_pickle():
    made = model(labels=[0, 1, 1], loss="cross-entropy", noise="dephasing:0.01")
    with pytest.raises(AttributeError, match="a Model cannot be changed, so 'loss' cannot be set"):
        made.loss = "mse"
    theta = np.linspace(-1, 1, 4)
    copied = eq.loss_gradient(pickle.loads(pickle.dumps(made)), theta)
    assert copied.gradient.tolist() == eq.loss_gradient(made, theta).gradient.tolist()


def test_weights_and_batches_that_do_not_fit_are_refused():
    made = model()
    with pytest.raises(ParameterError, match="theta must hold 4 finite numbers"):
        eq.loss_gradient(made, [0.1, 0.2])
    with pytest.raises(
        ParameterError, match=r"weights do not fit: missing \['w\[1\]', 'w\[2\]', 'w\[3\]'\], unknown \['q'\]"
    ):
        eq.loss_gradient(made, {"w[0]": 0.1, "q": 1.0})
    for batch in (0, 4, 1.5):
        with pytest.raises(ParameterError, match="batch must be a whole number of 1 to 3 rows"):
            eq.loss_law(made, batch=batch, sampling=eq.Sampling(samples=2))
    with pytest.raises(EquinoiseError, match="noise scale must be a number >= 0"):
        eq.loss_law(made, scales=[-1], sampling=eq.Sampling(samples=2))


def test_a_model_says_what_it_is():
    text = str(model(labels=[0, 1, 1], loss="cross-entropy", noise="dephasing:0.01"))
    assert "model of 3 qubits, 3 layers, 4 weights" in text
    assert "3 rows of 2 inputs" in text


def test_a_model_is_drawn_from_its_prior_and_from_no_ensemble():
    made = build("re-uploading", "dephasing", "mean")
    with pytest.raises(ParameterError, match=r"drawn from its prior.*with_prior"):
        eq.loss_law(made, sampling=eq.Sampling(samples=2, ensemble="normal:0.1"))
    with pytest.raises(EquinoiseError, match="takes no engine 'trajectories'"):
        eq.loss_law(made, sampling=eq.Sampling(samples=2, engine="trajectories"))


def test_a_model_with_another_prior_is_the_model_made_with_it():
    point = [0.1, 0.2, 0.3, 0.4]
    made = build("re-uploading", "dephasing", "mean")
    afresh = build("re-uploading", "dephasing", "mean", prior="normal:0.1", at=point)
    changed = made.with_prior("normal:0.1", at=point)
    np.testing.assert_array_equal(changed.draw(5, 3), afresh.draw(5, 3))
    assert (changed.prior.describe(), changed.warnings) == (afresh.prior.describe(), afresh.warnings)
    assert made.prior.width == 1.0
