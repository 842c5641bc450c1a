"""A sweep's task: its identity, and that its rows say what the library says."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace

import pytest

import equinoise as eq
from equinoise.coherence.quantity import column_kinds
from equinoise.diagnosis.loss.loss_record import LOSS_DIAGNOSIS
from equinoise.diagnosis.record import DIAGNOSIS
from equinoise.sweeps import task as tasks
from equinoise.sweeps.store import BUDGET, CURVE, RESULTS
from equinoise.sweeps.study_file import study_from_dict
from equinoise.sweeps.task import Task, run_task

TINY = Task("brickwork:n=4,depth=2", "Z2", "dephasing:0.05", samples=4, quantities=("law",))


def _problem():
    return eq.Problem(eq.circuits.brickwork(4, depth=2), "Z2", noise="dephasing:0.05")


def test_the_identity_is_pinned_so_that_old_stores_stay_valid():
    pinned = replace(TINY, version="0.1.0")
    assert pinned.key == "4c55c5afe5f62af8d51f0f5d2d4494c4277c9e5669a1151b8f645c09125579c3"


@pytest.mark.parametrize(
    "change",
    [
        {"source": "brickwork:n=4,depth=3"},
        {"readout": "Z1"},
        {"noise": "dephasing:0.06"},
        {"noise_table": '{"dephasing":0.05}'},
        {"scale": 2.0},
        {"samples": 5},
        {"seed": 1},
        {"shots": 100},
        {"quantities": ("law", "survival")},
        {"initial": "0011"},
        {"layout": (0, 1, 2, 3)},
        {"ensemble": "normal:0.1"},
        {"engine": "exact"},
        {"relative_error": 0.1},
        {"circuit_digest": "00"},
        {"version": "9.9.9"},
    ],
)
def test_whatever_changes_the_answer_changes_the_identity(change):
    assert replace(TINY, **change).key != TINY.key


def test_names_number_types_and_order_do_not_change_the_identity():
    assert replace(TINY, study="other", family="x", num_qubits=9, depth=9, circuit_data="x").key == TINY.key
    assert replace(TINY, scale=1).key == TINY.key
    assert replace(TINY, scale=-0.0).key == replace(TINY, scale=0).key
    both = replace(TINY, quantities=("survival", "law"))
    assert both.key == replace(TINY, quantities=("law", "survival")).key
    assert replace(TINY, noise="a", noise_table="{}").key == replace(TINY, noise="b", noise_table="{}").key


def test_the_schema_number_is_part_of_the_identity(monkeypatch):
    before = replace(TINY).key
    monkeypatch.setattr(tasks, "TASK_SCHEMA", tasks.TASK_SCHEMA + 1)
    assert replace(TINY).key != before


@pytest.mark.parametrize("bad", [{"quantities": ("laws",)}, {"quantities": ()}, {"samples": 0}, {"seed": -1}])
def test_a_malformed_task_is_refused(bad):
    with pytest.raises(eq.EquinoiseError):
        replace(TINY, **bad)


def test_files_are_known_by_their_content_and_workers_need_none(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    qasm = 'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float phi;\nqubit[2] q;\nx q[0];\ncp(phi) q[0], q[1];\n'
    (tmp_path / "a" / "one.qasm").write_text(qasm)
    (tmp_path / "a" / "n.toml").write_text("dephasing = 0.01\n")
    shutil.copy(tmp_path / "a" / "one.qasm", tmp_path / "b" / "two.qasm")
    (tmp_path / "b" / "m.json").write_text('{"dephasing": 0.01}')

    def only(folder, circuit, noise):
        data = {"circuits": [{"source": circuit}], "readouts": ["Z0"], "noise": [noise], "quantities": ["law"]}
        return next(study_from_dict(data | {"samples": 2}, folder=tmp_path / folder).tasks())

    one, two = only("a", "one.qasm", "n.toml"), only("b", "two.qasm", "m.json")
    assert one.key == two.key
    assert (one.noise, two.noise) == ("n", "m")
    (tmp_path / "b" / "two.qasm").write_text(qasm + "// changed\n")
    assert only("b", "two.qasm", "m.json").key != one.key
    shutil.rmtree(tmp_path / "a")
    answer = run_task(one)
    assert answer["row"]["status"] == "done", answer["row"]["error"]
    assert answer["row"]["family"] == "file"


def test_the_law_of_a_task_is_the_library_s():
    row = run_task(TINY)["row"]
    law = eq.law(_problem(), sampling=eq.Sampling(samples=4))
    assert row["kappa"] == law.kappa
    assert (row["kappa_low"], row["kappa_high"]) == law.kappa_interval
    assert row["law_survival"] == float(law.survival(1.0))
    assert (row["lower_bound"], row["upper_bound"]) == (None, None)  # 4 draws
    assert row["survival"] is None if "survival" in row else True
    assert row["verdict"] is None if "verdict" in row else True


def test_the_bounds_of_a_task_are_the_law_s():
    row = run_task(replace(TINY, samples=32))["row"]
    low, high = eq.law(_problem(), sampling=eq.Sampling(samples=32)).bounds(1.0)
    assert (row["lower_bound"], row["upper_bound"]) == (float(low), float(high))
    assert row["bounds_proved"] is True


def test_budget_and_curve_are_rows_of_their_own():
    answer = run_task(replace(TINY, quantities=("budget", "curve", "survival"), scale=0.5))
    law = eq.law(_problem(), sampling=eq.Sampling(samples=4))
    variance = eq.gradient_variance(_problem(), [0, 0.5, 0.25, 1, 2, 4], sampling=eq.Sampling(samples=4))
    assert [entry["kappa"] for entry in answer["budget"]] == [entry.kappa for entry in law.budget]
    assert math.fsum(entry["kappa"] for entry in answer["budget"]) == pytest.approx(answer["row"]["kappa"], rel=1e-9)
    assert [point["scale"] for point in answer["curve"]] == [0.25, 1.0, 2.0, 4.0]
    assert [point["survival"] for point in answer["curve"]] == list(variance.survival[2:])
    assert [point["law"] for point in answer["curve"]] == [float(law.survival(s)) for s in (0.25, 1, 2, 4)]
    row = answer["row"]
    assert row["survival"] == variance.survival[1]
    assert row["survival_low"] <= row["survival"] <= row["survival_high"]
    assert row["rms_low"] <= row["rms_gradient"] <= row["rms_high"]


def test_a_diagnosis_holds_all_that_diagnose_says():
    answer = run_task(replace(TINY, quantities=("diagnosis",)))
    found = eq.diagnose(_problem(), sampling=eq.Sampling(samples=4, workers=1)).to_dict()
    row = answer["row"]
    assert json.loads(row["diagnosis"]) == found
    assert row["verdict"] == found["verdict"]
    assert row["survival"] == found["simulated"]["survival"]
    assert row["shots_per_gradient"] == found["resources"]["shots_per_gradient"]
    assert len(answer["budget"]) == len(found["law"]["budget"])
    assert len(answer["curve"]) == len(found["curve"])


def test_every_column_is_one_of_the_store_s():
    answer = run_task(replace(TINY, quantities=("diagnosis",)))
    of_models = set(column_kinds(LOSS_DIAGNOSIS)) - set(column_kinds(DIAGNOSIS))
    assert set(answer["row"]) | {"finished_at"} == set(RESULTS) - of_models
    assert all(set(entry) | {"key"} == set(BUDGET) for entry in answer["budget"])
    assert all(set(point) | {"key"} == set(CURVE) for point in answer["curve"])


def test_the_layout_is_the_one_that_a_device_s_noise_was_placed_on():
    pytest.importorskip("qiskit_ibm_runtime")
    task = Task("brickwork:n=3,depth=2", "Z1", "ibm:manila+dephasing:0.001", samples=2, quantities=("law",))
    chosen = run_task(task)["row"]
    assert (chosen["device"], len(chosen["layout"].split(","))) == ("fake_manila", 3)
    assert chosen["noise_terms"].splitlines() == [
        "dephasing 0.001 D[Z] on each qubit",
        "device calibration of fake_manila; give a circuit to see the slots",
        *(f"note: {note}" for note in eq.NoiseModel.from_string("ibm:manila").notes),
    ]
    given = run_task(replace(task, layout=(4, 3, 2)))["row"]
    assert given["layout"] == "4,3,2"
    placed = eq.NoiseModel.from_backend(tasks.snapshot("manila"), [4, 3, 2]).combined(
        eq.NoiseModel.from_string("dephasing:0.001")
    )
    assert (
        given["kappa"]
        == eq.law(
            eq.Problem(eq.circuits.brickwork(3, depth=2), "Z1", noise=placed), sampling=eq.Sampling(samples=2)
        ).kappa
    )


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"readout": "Z9"}, "ReadoutError: the readout 'Z9' names qubit 9"),
        ({"engine": "no-such"}, "UnsupportedError: no engine 'no-such'"),
        ({"version": "0.0.0"}, "ParameterError: the task is for equinoise 0.0.0"),
    ],
)
def test_what_goes_wrong_is_in_the_row(change, error):
    answer = run_task(replace(TINY, **change))
    assert answer["row"]["status"] == "failed"
    assert answer["row"]["error"].startswith(error)
    assert answer["row"]["key"] == replace(TINY, **change).key
    assert not answer["budget"]


def test_any_exception_is_recorded_not_raised(monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("of our own making")

    monkeypatch.setattr(tasks, "law", broken)
    row = run_task(TINY)["row"]
    assert (row["status"], row["error"]) == ("failed", "ZeroDivisionError: of our own making")


def test_an_infinite_scale_is_stored_as_such():
    row = run_task(replace(TINY, scale=math.inf, quantities=("survival", "curve")))["row"]
    assert row["status"] == "done", row["error"]
    assert row["scale"] == math.inf
    assert json.loads(row["task"])["scale"] == "inf"


def test_several_seeds_of_one_problem_compile_it_once(monkeypatch):
    tasks._problem.cache_clear()
    for seed in range(3):
        run_task(replace(TINY, seed=seed))
    assert tasks._problem.cache_info().misses == 1
