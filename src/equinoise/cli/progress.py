"""What is going on, on stderr: a bar that moves on a terminal, one line every 30 seconds in a pipe."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from equinoise.cli.terminal import Terminal

__all__ = ["Waiting"]

_PATIENCE = 2.0
_BETWEEN_LINES = 30.0
_STAGES = {"draws": "simulating draws", "depth": "searching the greatest depth"}


class Waiting:
    """Shows on stderr what is going on, if it lasts longer than a moment.

    Args:
        description: What is going on first.
        between: Seconds between two lines where stderr is no terminal.
    """

    def __init__(self, description: str, between: float = _BETWEEN_LINES) -> None:
        self._terminal = sys.stderr.isatty()
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Terminal(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(description, total=None)
        self._between, self._began, self._ended = between, time.monotonic(), threading.Event()
        self._told = description
        self._teller = threading.Thread(target=self._bar_late if self._terminal else self._lines, daemon=True)

    def __enter__(self) -> Waiting:
        self._teller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._teller.join()
        if self._terminal:
            self._bar.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Called by the work: stage, how much is done, of how much."""
        several = total > 1
        name = _STAGES.get(stage, stage)
        self._told = f"{name}, {done:,} of at most {total:,}" if several else name
        self._bar.update(
            self._task,
            description=name,
            completed=done if several else 0,
            total=total if several else None,
        )

    def _bar_late(self) -> None:
        if not self._ended.wait(_PATIENCE):
            self._bar.start()

    def _lines(self) -> None:
        while not self._ended.wait(self._between):
            print(f"{self._told} ({time.monotonic() - self._began:.0f} s)", file=sys.stderr, flush=True)
