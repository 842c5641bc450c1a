"""A progress bar on the terminal, for work that takes longer than a moment."""

from __future__ import annotations

import sys
import threading
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from equinoise.cli.terminal import Terminal

__all__ = ["Waiting"]

_PATIENCE = 2.0
_STAGES = {"draws": "simulating draws", "depth": "searching the greatest depth"}


class Waiting:
    """Shows on stderr what is going on, if stderr is a terminal and the work lasts longer than two seconds.

    Args:
        description: What is going on first.
    """

    def __init__(self, description: str) -> None:
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
        self._timer = threading.Timer(_PATIENCE, self._bar.start)
        self._timer.daemon = True

    def __enter__(self) -> Waiting:
        if self._terminal:
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._terminal:
            self._timer.cancel()
            self._timer.join()
            self._bar.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Called by the work: stage, how much is done, of how much."""
        several = total > 1
        self._bar.update(
            self._task,
            description=_STAGES.get(stage, stage),
            completed=done if several else 0,
            total=total if several else None,
        )
