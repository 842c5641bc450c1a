"""Progress in a pipe: a line now and then, none for what is soon done."""

from __future__ import annotations

import threading

import pytest

from equinoise.cli.progress import Waiting


def test_a_pipe_gets_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with Waiting("preparing", between=0.02) as waiting:
        waiting("draws", 12, 400)
        threading.Event().wait(0.2)
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert lines[0] == "simulating draws, 12 of at most 400 (0 s)"


def test_what_is_soon_done_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Waiting("preparing") as waiting:
        waiting("depth", 0, 1)
    assert capsys.readouterr().err == ""
