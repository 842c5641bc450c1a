"""Study files: what they expand to, and that every mistake is named by its key before anything runs."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from equinoise.sweeps import study_file
from equinoise.sweeps.study_file import StudyFileError, load_study, study_from_dict
from equinoise.sweeps.task_grid import LayoutPoint

GOOD = {"circuits": [{"source": "brickwork", "n": 4, "depth": 2}], "readouts": ["Z1"], "samples": 2}
EXAMPLE = Path(__file__).parents[2] / "examples" / "architecture.toml"


def _mistakes(**changes):
    with pytest.raises(StudyFileError) as caught:
        study_from_dict({key: value for key, value in (GOOD | changes).items() if value is not None})
    return {mistake.partition(": ")[0]: mistake.partition(": ")[2] for mistake in caught.value.mistakes}


def _tasks(**changes):
    return list(study_from_dict(GOOD | changes).tasks())


def test_lists_are_expanded_as_a_product():
    tasks = _tasks(
        circuits=[
            {"source": "brickwork", "n": [4, 6], "depth": [2, 3], "interaction": ["rzz", "none"]},
            {"source": "brickwork:n=8,depth=1"},
        ],
        readouts=["first", "middle", "last", "Z0Z1"],
        noise=["dephasing:0.01", {"name": "own", "dephasing": 0.02}],
        scales=[0.5, 1],
        seeds=[0, 1],
    )
    assert len(tasks) == (2 * 2 * 2 + 1) * 4 * 2 * 2 * 2
    assert len({task.key for task in tasks}) == len(tasks)
    assert tasks[0].source == "brickwork:n=4,depth=2,interaction=rzz"
    assert {task.readout for task in tasks if task.num_qubits == 6} == {"Z0", "Z3", "Z5", "Z0Z1"}
    assert {task.noise for task in tasks} == {"dephasing:0.01", "own"}
    assert [task.seed for task in tasks[:4]] == [0, 1, 0, 1]


def test_the_same_task_stated_twice_is_one_task():
    tasks = _tasks(
        circuits=[{"source": "brickwork", "n": 4, "depth": 2}, {"source": "brickwork:depth=2,n=4"}],
        readouts=["middle", "Z2"],
    )
    assert len(tasks) == 1


def test_options_are_written_in_one_order():
    table = {"shared": True, "depth": 2, "periodic": False, "n": 4, "source": "brickwork"}
    assert _tasks(circuits=[table])[0].source == "brickwork:n=4,depth=2,shared=true,periodic=false"


def test_every_mistake_is_named_by_its_key_at_once(tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text(
        textwrap.dedent("""
        name = 7
        readouts = ["Z5", "X1", "Q", "Z20"]
        initial = ["neel", "0101"]
        noise = ["dephasing:0.01", "dephasng:0.01", "missing.toml", {dephasing = [{rate = 0.1, weights = {9 = 1.0}}]},
                 {relaxation = [{qubit = 0, down = -1}]}]
        scale = [1]
        scales = [-1, "one"]
        samples = [0, 16]
        seeds = 1.5
        shots = []
        ensemble = "normal:wide"
        engine = "fast"
        relative_error = -0.1
        quantities = ["law", "gradient"]

        [[circuits]]
        source = "brickwork"
        n = [6, 8]
        depth = [2, "four", 0]

        [[circuits]]
        source = "brickwork"
        n = 8
        depth = 4
        periodc = true
        interaction = "rxx"

        [[circuits]]
        depth = 3

        [[circuits]]
        source = "nothing.qasm"
        depth = 3

        [[circuits]]
        source = ["hexagon", "brickwork"]
        n = 8
        depth = 2
        """)
    )
    with pytest.raises(StudyFileError) as caught:
        load_study(file)
    assert str(file) in str(caught.value)
    found = [mistake.partition(": ")[0] for mistake in caught.value.mistakes]
    assert sorted(found) == sorted(
        [
            "scale",
            "name",
            "circuits[0].depth[1]",
            "circuits[0].depth[2]",
            "circuits[1].periodc",
            "circuits[2].source",
            "circuits[3].depth",
            "circuits[3].source",
            "circuits[4]",
            "readouts[1]",
            "readouts[2]",
            "readouts[3]",
            "initial[1]",
            "noise[1]",
            "noise[2]",
            "noise[3]",
            "noise[4]",
            "scales[0]",
            "scales[1]",
            "samples[0]",
            "seeds",
            "shots",
            "ensemble",
            "engine",
            "relative_error",
            "quantities[1]",
        ]
    )


@pytest.mark.parametrize(
    ("changes", "key", "text"),
    [
        (
            {"readouts": ["Z4"]},
            "readouts[0]",
            "names qubit 4, but the circuit has qubits 0..3. (circuits[0]: brickwork:n=4",
        ),
        ({"readouts": "X1"}, "readouts", "does not conserve the charge"),
        ({"readouts": None}, "readouts", "is missing"),
        ({"circuits": None}, "circuits", "is missing"),
        ({"circuits": "brickwork"}, "circuits", "must be tables, written [[circuits]]"),
        ({"sceles": [1]}, "sceles", "did you mean scales?"),
        ({"noise": ["ibm:nowhere"]}, "noise[0]", "no device snapshot is called"),
        ({"noise": [{"dephasing": 0.1, "depolarising": 0.1}]}, "noise[0]", "unknown key 'depolarising'"),
        ({"noise": [{"readout_error": {"7": [0.1, 0.1]}}]}, "noise[0]", "readout error is given for qubit 7"),
        ({"noise": [{"dephasing": [{"rate": 0.1, "layers": [5]}]}]}, "noise[0]", "names layer 5"),
        ({"initial": "01"}, "initial", "has 2 digits, the circuit has 4 qubits. (circuits[0]"),
        ({"layouts": [[0, 1, 2, 3]]}, "layouts", "no noise is ibm:NAME"),
        ({"seeds": [True]}, "seeds[0]", "must be a whole number of 0 to 9,223,372,036,854,775,807, got True"),
        ({"scales": {"a": 1}}, "scales", "got a table"),
        ({"circuits": [{"source": "brickwork", "n": 1, "depth": 2}]}, "circuits[0].n", ""),
        ({"circuits": [{"source": "brickwork", "n": 4}]}, "circuits[0]", "must say n and depth"),
        ({"circuits": [{"source": "device", "depth": 2}]}, "circuits[0].device", "is missing"),
        ({"circuits": [{"source": "brickwork:n=4", "n": 6, "depth": 2}]}, "circuits[0].n", "is also in the source"),
        ({"circuits": [{"source": "brickwork", "n": [], "depth": 2}]}, "circuits[0].n", "must not be empty"),
        ({"circuits": [{"source": "brickwork", "n": 4, "depth": 2, "shared": "yes"}]}, "circuits[0].shared", "true or"),
    ],
)
def test_each_mistake_says_what_was_expected(changes, key, text):
    found = _mistakes(**changes)
    assert list(found) == [key]
    assert text in found[key]


def test_a_wrong_option_is_named_once_not_for_each_combination():
    found = _mistakes(circuits=[{"source": "brickwork", "n": [4, 6], "depth": [1, 2, 3], "dept": 2}])
    assert list(found) == ["circuits[0].dept"]


def test_text_that_is_no_toml_is_refused(tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text("name = ")
    with pytest.raises(StudyFileError, match="is not valid TOML"):
        load_study(file)
    with pytest.raises(StudyFileError, match="cannot be read"):
        load_study(tmp_path / "none.toml")


def test_circuit_and_noise_files_are_looked_for_beside_the_study(tmp_path):
    (tmp_path / "c.qasm").write_text(
        'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float a;\nqubit[2] q;\nx q[0];\ncp(a) q[0], q[1];\n'
    )
    (tmp_path / "n.toml").write_text("dephasing = 0.01\n")
    (tmp_path / "s.toml").write_text('readouts = "Z0"\nnoise = "n.toml"\n[[circuits]]\nsource = "c.qasm"\n')
    study = load_study(tmp_path / "s.toml")
    (task,) = study.tasks()
    assert (study.name, task.source, task.family, task.num_qubits, task.noise) == ("s", "c.qasm", "file", 2, "n")


def test_layouts_go_to_the_circuits_of_their_length_and_to_devices_only():
    pytest.importorskip("qiskit_ibm_runtime")
    tasks = _tasks(
        circuits=[{"source": "brickwork", "n": [2, 3], "depth": 2}],
        noise=["dephasing:0.01", "ibm:manila", "ibm:quito"],
        layouts=["auto", [0, 1], [2, 3, 4], {"noise": "ibm:quito", "qubits": [0, 1, 2]}],
    )
    found = {(task.num_qubits, task.noise, task.layout) for task in tasks}
    assert found == {
        (2, "dephasing:0.01", None),
        (3, "dephasing:0.01", None),
        (2, "ibm:manila", None),
        (2, "ibm:manila", (0, 1)),
        (3, "ibm:manila", None),
        (3, "ibm:manila", (2, 3, 4)),
        (2, "ibm:quito", None),
        (2, "ibm:quito", (0, 1)),
        (3, "ibm:quito", None),
        (3, "ibm:quito", (2, 3, 4)),
        (3, "ibm:quito", (0, 1, 2)),
    }
    assert len(tasks) == len(found)
    assert LayoutPoint().qubits is None


@pytest.mark.parametrize(
    ("layouts", "mistakes"),
    [
        ([[0, 1, 2, 9]], {"layouts[0]": "layout entry 9 is not a physical qubit"}),
        ([[0, 1, 1, 2]], {"layouts[0]": "names physical qubit 1 twice"}),
        ([[0, 1]], {"layouts[0]": "has 2 qubits, which no circuit", "layouts": 'add one, or "auto"'}),
        ([0, 1, 2, 3], {"layouts": "must be a list of layouts"}),
        ([{"noise": "ibm:torino", "qubits": [0, 1, 2, 3]}], {"layouts[0]": "none of the study's device noises"}),
    ],
)
def test_a_layout_that_fits_nowhere_is_a_mistake(layouts, mistakes):
    pytest.importorskip("qiskit_ibm_runtime")
    found = _mistakes(noise=["ibm:manila"], layouts=layouts)
    assert list(found) == list(mistakes)
    assert all(text in found[key] for key, text in mistakes.items())


def test_validation_computes_nothing(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("computed")

    monkeypatch.setattr("equinoise.sweeps.task.law", refuse)
    monkeypatch.setattr("equinoise.sweeps.task.diagnose", refuse)
    monkeypatch.setattr("equinoise.reduction.program.compile_problem", refuse)
    assert study_file.study_from_dict(GOOD).name == "study"


def test_the_example_is_a_study_of_about_a_hundred_tasks():
    tasks = list(load_study(EXAMPLE).tasks())
    assert 80 <= len(tasks) <= 120
    assert {task.family for task in tasks} >= {"brickwork", "ladder", "ring", "all-to-all"}
