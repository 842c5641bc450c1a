"""`equinoise sweep`: what it prints, and its exit codes."""

from __future__ import annotations

import csv

import pytest
from typer.testing import CliRunner

from equinoise.cli.commands import sweep as command
from equinoise.cli.main import app
from equinoise.sweeps.store import Store
from equinoise.sweeps.study_file import load_study
from equinoise.sweeps.sweep import SweepProgress
from equinoise.sweeps.task import run_task

STUDY = """
name = "tiny"
readouts = ["middle"]
noise = ["dephasing:0.01"]
engine = ["exact", "free-fermion"]
samples = 2
quantities = ["law"]
[[circuits]]
source = ["brickwork", "ring"]
n = 4
depth = 2
interaction = ["rzz", "none"]
"""


@pytest.fixture
def study(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(STUDY)
    return file


@pytest.fixture
def store(tmp_path):
    return tmp_path / "r.duckdb"


def run(*arguments):
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, ["sweep", *map(str, arguments)])


def _finish(study, store):
    """All answers, without a cluster."""
    with Store(store).writing() as writer:
        writer.append([run_task(task) for task in load_study(study).tasks()])


def test_a_dry_run_counts_by_family_estimates_and_runs_nothing(study, store):
    result = run(study, "--store", store, "--dry-run", "--workers", 2)
    assert result.exit_code == 0, result.output
    assert "tiny: 8 tasks, 0 done and 0 failed" in result.stdout
    assert "brickwork       4 tasks       0 done       0 failed" in result.stdout
    assert "ring            4 tasks       0 done       0 failed" in result.stdout
    assert "8 to run: about" in result.stdout
    assert "on 2 workers" in result.stdout
    assert not store.exists()


def test_a_finished_sweep_does_nothing_says_so_and_exports(study, store, tmp_path):
    _finish(study, store)
    result = run(study, "--store", store, "--export", tmp_path / "o.csv", "--export", tmp_path / "o.parquet")
    assert result.exit_code == 1  # interacting circuits are not free fermions
    assert "8 tasks, 0 run now" in result.stdout
    assert "8 before, 2 failed" in result.stdout
    assert "UnsupportedError: the engine 'free-fermion' cannot serve" in result.stderr
    assert "--retry-failed runs the failed tasks again." in result.stderr
    with (tmp_path / "o.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 8
    for name in ("o.parquet", "o.budget.csv", "o.curve.parquet"):
        assert (tmp_path / name).stat().st_size > 0
        assert f"wrote {tmp_path / name}" in result.stdout


def test_a_sweep_of_nothing_but_successes_ends_with_0(study, store):
    study.write_text(STUDY.replace('engine = ["exact", "free-fermion"]', "").replace('["rzz", "none"]', '"none"'))
    _finish(study, store)
    result = run(study, "--store", store)
    assert result.exit_code == 0, result.output
    assert "2 tasks, 0 run now" in result.stdout
    assert result.stderr == ""


def test_mistakes_are_listed_one_a_line_with_exit_code_2(study, store):
    study.write_text(STUDY.replace("samples = 2", "samples = 0\nsede = 1").replace('["middle"]', '["Z7"]'))
    result = run(study, "--store", store)
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert lines[0] == f"error: the study file {str(study)!r} has 3 mistakes:"
    assert [line.split(": ")[0].strip() for line in lines[1:]] == ["sede", "readouts[0]", "samples"]
    assert not store.exists()


@pytest.mark.parametrize("export", ["o.xlsx", "missing/o.csv"])
def test_an_export_that_cannot_be_written_is_refused_before_the_sweep(study, store, tmp_path, export):
    result = run(study, "--store", store, "--export", tmp_path / export)
    assert result.exit_code == 2
    assert "cannot export" in result.stderr
    assert not store.exists()


def test_a_store_in_use_is_refused_with_exit_code_2(study, store):
    with Store(store).writing():
        for option in ([], ["--dry-run"]):
            result = run(study, "--store", store, *option)
            assert result.exit_code == 2
            assert f"the store {str(store)!r} is in use" in " ".join(result.stderr.split())


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(study, store, monkeypatch):
    def interrupted(*_, progress, **__):
        progress(SweepProgress(3, 8, 0, 1.0))
        raise KeyboardInterrupt

    monkeypatch.setattr("equinoise.sweeps.sweep.sweep", interrupted)
    result = run(study, "--store", store)
    assert result.exit_code == 130
    assert result.stderr == (
        f"interrupted: 3 of 8 tasks of this run are in {store}; run the same command again to do the rest.\n"
    )


def test_progress_shows_rate_and_time_left_on_a_terminal_only(monkeypatch, capsys):
    monkeypatch.setattr(command, "_PATIENCE", 0.0)
    with command._Bar() as bar:
        bar.show(SweepProgress(10, 100, 1, 5.0))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with command._Bar() as bar:
        bar.show(SweepProgress(10, 100, 1, 5.0))
        task = bar._bar.tasks[0]
    assert (task.completed, task.total, task.fields["rate"]) == (10, 100, "2 tasks/s, 1 failed")
    assert "10/100" in capsys.readouterr().err
