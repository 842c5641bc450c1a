"""kill -9 in the middle of the commands that run long: what was finished is kept, and the same command goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from equinoise.sweeps.store import Store, StoreError

# generous: it only ends a test that hangs
PATIENCE = 240.0
STUDY = """
name = "killed"
readouts = "Z2"
noise = "dephasing:0.05"
samples = 4
seeds = [{seeds}]
quantities = ["survival"]
[[circuits]]
source = "brickwork:n=4,depth=2"
"""
TASKS = 400


def _started(*arguments):
    return psutil.Popen(
        [sys.executable, "-m", "equinoise", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _until(condition, process, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, f"it ended before {what}: {process.stderr.read()}"
        assert time.monotonic() < deadline, f"waited {PATIENCE} s for {what}"
        time.sleep(0.01)


@pytest.mark.slow
def test_a_sweep_whose_processes_are_all_killed_keeps_what_was_finished_and_does_only_the_rest(tmp_path):
    (tmp_path / "s.toml").write_text(STUDY.format(seeds=", ".join(map(str, range(TASKS)))))
    store = Store(tmp_path / "r.duckdb")
    command = ["sweep", tmp_path / "s.toml", "--store", store.path, "--workers", "1"]
    process = _started(*command)
    journal = tmp_path / "r.duckdb.wal"
    _until(lambda: journal.exists() and journal.stat().st_size > 0, process, "the first results")
    with pytest.raises(StoreError, match=f"in use by process {process.pid}"):
        store.read_results()
    children = process.children(recursive=True)
    os.killpg(process.pid, signal.SIGKILL)  # the workers too, as when the machine is switched off
    assert process.wait(PATIENCE) == -signal.SIGKILL
    psutil.wait_procs(children, timeout=PATIENCE)
    before = {row["key"]: row for row in store.read_results()}
    assert 0 < len(before) < TASKS
    again = subprocess.run(
        [sys.executable, "-m", "equinoise", *map(str, command)], capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert f"{TASKS} tasks, {TASKS - len(before)} run now" in again.stdout
    after = {row["key"]: row for row in store.read_results()}
    assert len(after) == TASKS
    assert {key: after[key] for key in before} == before


@pytest.mark.slow
def test_a_training_run_that_is_killed_goes_on_to_the_numbers_of_one_that_is_not(tmp_path):
    command = ["train", "--data", "breast-cancer", "--depth", "2", "--epochs", "3", "--batch-size", "16"]
    command += ["--noise", "relaxation:down=0.01", "--workers", "1"]
    killed = [*command, "--checkpoint", tmp_path / "run", "--json", tmp_path / "killed.json"]
    process = _started(*killed)
    checkpoint = tmp_path / "run" / "checkpoint.npz"
    _until(checkpoint.exists, process, "the first checkpoint")
    process.kill()
    assert process.wait(PATIENCE) == -signal.SIGKILL
    assert not (tmp_path / "killed.json").exists(), "it had finished: make it longer"
    for arguments in (killed, [*command, "--json", tmp_path / "whole.json"]):
        ended = subprocess.run(
            [sys.executable, "-m", "equinoise", *map(str, arguments)], capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
    one, other = (json.loads((tmp_path / name).read_text()) for name in ("killed.json", "whole.json"))
    assert one["accuracy"] == other["accuracy"]
    for mine, its in zip(one["history"], other["history"], strict=True):
        assert mine == pytest.approx(its, rel=1e-9)  # BLAS adds in an order that depends on where arrays begin
