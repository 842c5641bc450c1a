"""Files written whole or not at all: what a killed writer leaves is never taken for a file, and goes after a day."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from equinoise.learn.checkpoint import read_checkpoint, write_checkpoint
from equinoise.report.files import OutputError, write_whole
from equinoise.sweeps.store import Store
from equinoise.whole_file import PREFIX, put_whole

# writes half of a file, then kills itself as the kernel would: no finally, no atexit
KILLED = """
import io, os, signal, sys
from pathlib import Path
from equinoise.whole_file import put_whole

opened = Path.open
class Half(io.FileIO):
    def write(self, data):
        super().write(bytes(data)[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
Path.open = lambda path, mode="r", **options: Half(path, mode) if path.suffix == ".part" else opened(path, mode)
put_whole(Path(sys.argv[1]), b"new" * 1000)
"""


def killed_at(target):
    done = subprocess.run([sys.executable, "-c", KILLED, str(target)], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = target.parent.glob(f"{PREFIX}*.part")
    assert left.stat().st_size == 1500
    return left


def made_old(path, days=2.0):
    then = time.time() - 86_400 * days
    os.utime(path, (then, then), follow_symlinks=False)


def test_kill_in_the_middle_leaves_the_old_file_and_a_part_that_the_next_writers_ignore(tmp_path):
    target = tmp_path / "report.json"
    put_whole(target, b"old")
    left = killed_at(target)
    assert target.read_bytes() == b"old"
    put_whole(target, b"newer")
    assert target.read_bytes() == b"newer"
    assert left.exists()  # a minute old: it could be somebody's who is still at it
    made_old(left)
    write_whole(target, "newest")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_checkpoint_folder_with_a_part_goes_on_and_is_cleaned_a_day_later(tmp_path):
    write_checkpoint(tmp_path, "run", {"step": np.arange(3.0)})
    left = killed_at(tmp_path / "checkpoint.npz")
    expected = {"step": (np.float64, (None,))}
    assert read_checkpoint(tmp_path, "run", expected)["step"].tolist() == [0.0, 1.0, 2.0]
    made_old(left)
    write_checkpoint(tmp_path, "run", {"step": np.arange(4.0)})
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_what_a_killed_sweep_left_beside_its_new_store_goes_when_the_next_makes_or_exports_one(tmp_path):
    left = tmp_path / f"{PREFIX}abc"
    left.mkdir()
    (left / "new").write_bytes(b"half of a store")
    store = Store(tmp_path / "r.duckdb")
    with store.writing():
        pass
    assert left.exists()
    made_old(left)
    store.export(tmp_path / "r.csv")
    assert not left.exists()
    assert store.read_results() == []


def test_a_link_of_that_name_is_removed_and_not_followed(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "data").write_text("mine")
    link = tmp_path / f"{PREFIX}link"
    link.symlink_to(kept, target_is_directory=True)
    made_old(link)
    put_whole(tmp_path / "file", b"x")
    assert not os.path.lexists(link)
    assert (kept / "data").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        write_whole(tmp_path / "missing" / "file.json", "text")
