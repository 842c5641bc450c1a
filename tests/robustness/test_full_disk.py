"""A full disk: one line that says so, all earlier work kept, and the same command goes on once there is room.

The limit on the size of a file that the system sets a process (RLIMIT_FSIZE) makes every write beyond it fail, as a
full disk does, without the rights that making a small disk takes; ``/dev/full`` is the system's own full device.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from equinoise.cli.main import app
from equinoise.sweeps.store import Store

STORE = """
import os, resource, sys
from equinoise.sweeps.store import Store, StoreError
path, limit = sys.argv[1], int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
done = 0
try:
    with Store(path).writing() as writer:
        while True:
            row = {"key": f"{done:04}", "status": "done", "error": os.urandom(20_000).hex()}
            writer.append([{"row": row, "budget": [], "curve": []}])
            done += 1
except StoreError as error:
    print(done)
    print(error)
"""

TRAIN = """
import resource, sys
import numpy as np
from equinoise.learn.checkpoint import CheckpointError, write_checkpoint
folder = sys.argv[1]
write_checkpoint(folder, "run", {"angles": np.ones(10)})
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    write_checkpoint(folder, "run", {"angles": np.zeros(1000)})
except CheckpointError as error:
    print(error)
"""

LIMITED = """
import resource, sys
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from equinoise.cli.main import main
main()
"""


def _run(script, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, check=False, **options
    )


def test_a_store_on_a_full_disk_keeps_every_row_that_was_committed_and_goes_on_with_room(tmp_path):
    path = tmp_path / "r.duckdb"
    ended = _run(STORE, path, 1_500_000)
    assert ended.returncode == 0, ended.stderr
    done, *told = ended.stdout.splitlines()
    assert int(done) > 3
    assert len(told) == 1
    assert "cannot write to the store" in told[0]
    assert told[0].endswith("What it held before is kept: make room on its disk and run the same command again.")
    keys = {f"{number:04}" for number in range(int(done))}
    assert set(Store(path).statuses()) == keys
    with Store(path).writing() as writer:
        writer.append([{"row": {"key": "later", "status": "done"}, "budget": [], "curve": []}])
    assert set(Store(path).statuses()) == {*keys, "later"}


def test_a_store_that_finds_no_room_at_all_leaves_nothing_behind(tmp_path):
    ended = _run(STORE, tmp_path / "r.duckdb", 20_000)
    assert ended.returncode == 0, ended.stderr
    assert "cannot make the store" in ended.stdout.splitlines()[1]
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_on_a_full_disk_leaves_the_one_before_it(tmp_path):
    import numpy as np

    from equinoise.learn.checkpoint import read_checkpoint

    ended = _run(TRAIN, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) == 1
    assert "cannot write" in ended.stdout
    assert "The checkpoint before it is kept; make room" in ended.stdout
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.npz"]
    found = read_checkpoint(tmp_path, "run", {"angles": (np.float64, (10,))})
    assert found["angles"].tolist() == [1.0] * 10


def test_an_export_that_finds_no_room_is_told_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "r.duckdb"
    with Store(path).writing() as writer:
        for number in range(20):
            row = {"key": str(number), "status": "done", "error": os.urandom(20_000).hex()}
            writer.append([{"row": row, "budget": [], "curve": []}])
    script = LIMITED.replace("from equinoise.cli.main import main\nmain()", "") + (
        "from equinoise.sweeps.store import Store, StoreError\n"
        "try:\n    Store(sys.argv[1]).export(sys.argv[2])\nexcept StoreError as error:\n    print(error)\n"
    )
    for name in ("out.csv", "out.parquet"):
        ended = _run(script, 100_000, path, tmp_path / name)
        assert ended.returncode == 0, ended.stderr
        assert len(ended.stdout.splitlines()) == 1
        assert f"cannot write '{tmp_path / name}'" in ended.stdout
    assert [file.name for file in tmp_path.iterdir()] == ["r.duckdb"]
    assert len(Store(path).statuses()) == 20


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a full device")
def test_a_result_for_a_full_device_is_told_in_one_line():
    arguments = [
        "diagnose",
        "brickwork:n=4,depth=1",
        "--readout",
        "Z2",
        "--noise",
        "dephasing:0.01",
        "--json",
        "/dev/full",
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert [line for line in result.stderr.splitlines() if "error" in line] == [
        "error: cannot write '/dev/full': No space left on device. Write elsewhere."
    ]


STUDY = """
name = "full"
readouts = "Z2"
noise = "dephasing:0.05"
samples = 2
seeds = [{seeds}]
quantities = ["law", "budget"]
[[circuits]]
source = "brickwork:n=4,depth=2"
"""


@pytest.mark.slow
def test_a_sweep_on_a_full_disk_ends_in_one_line_and_goes_on_where_it_stopped(tmp_path):
    (tmp_path / "s.toml").write_text(STUDY.format(seeds=", ".join(map(str, range(60)))))
    store = tmp_path / "r.duckdb"
    arguments = ["sweep", tmp_path / "s.toml", "--store", store, "--workers", "1"]
    with Store(store).writing() as writer:
        row = {"key": "of an earlier study", "status": "done", "error": os.urandom(100_000).hex()}
        writer.append([{"row": row, "budget": [], "curve": []}])
    ended = _run(LIMITED, 20_000, *arguments)  # room for its journal's first rows
    assert ended.returncode == 2, ended.stderr
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert "cannot write to the store" in ended.stderr
    before = Store(store).statuses()
    assert 1 <= len(before) < 61
    ended = _run(LIMITED, 1 << 40, *arguments)
    assert ended.returncode == 0, ended.stderr
    assert f"{61 - len(before)} run now" in ended.stdout
    assert len(Store(store).statuses()) == 61


@pytest.mark.slow
def test_a_training_run_on_a_full_disk_ends_in_one_line_and_keeps_its_last_checkpoint(tmp_path):
    arguments = ["train", "--data", "breast-cancer", "--depth", "2", "--epochs", "1", "--batch-size", "213"]
    arguments += ["--checkpoint", tmp_path / "run", "--json", tmp_path / "run.json"]
    ended = _run(LIMITED, 1000, *arguments)
    assert ended.returncode == 2, ended.stderr
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert "checkpoint.npz" in ended.stderr
    assert list((tmp_path / "run").iterdir()) == []
    ended = _run(LIMITED, 1 << 40, *arguments)
    assert ended.returncode == 0, ended.stderr
    assert len(json.loads((tmp_path / "run.json").read_text())["history"]) == 1
