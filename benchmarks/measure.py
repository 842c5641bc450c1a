"""Times in turn, and times and peak memory of fresh processes."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Paired", "in_turn", "peak_memory", "run_command", "run_task", "seconds_of"]

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Paired:
    """Two programs timed in turn.

    Attributes:
        first: Seconds per call, one per repeat.
        second: Seconds per call, one per repeat.
    """

    first: tuple[float, ...]
    second: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """How many times longer the second takes, per repeat, ascending."""
        return tuple(sorted(b / a for a, b in zip(self.first, self.second, strict=True)))

    @property
    def ratio(self) -> float:
        """Their median."""
        return statistics.median(self.ratios)


def seconds_of(function: Callable[[], object], calls: int = 1) -> float:
    """Seconds per call, the mean over ``calls`` in a row."""
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def in_turn(
    first: Callable[[int], object], second: Callable[[int], object], repeats: int, calls: tuple[int, int] = (1, 1)
) -> Paired:
    """Times first(repeat) and second(repeat) one after the other, ``repeats`` times: a slow moment hits both.

    Args:
        first: Called with the number of the repeat.
        second: Likewise.
        repeats: How often.
        calls: Calls of each per repeat; short ones need more.
    """
    times = [
        (seconds_of(lambda k=k: first(k), calls[0]), seconds_of(lambda k=k: second(k), calls[1]))
        for k in range(repeats)
    ]
    return Paired(tuple(a for a, _ in times), tuple(b for _, b in times))


def peak_memory() -> int:
    """The largest resident size that this process has had, in bytes."""
    # ru_maxrss on Linux also counts what the parent held when it started this process; VmHWM does not.
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def run_task(name: str, **arguments: Any) -> dict[str, Any]:
    """What benchmarks.task prints for a task, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.task", name, json.dumps(arguments)]
    _, out = run_command(command)
    return json.loads(out.splitlines()[-1])


def run_command(command: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[float, str]:
    """Seconds and standard output of a command run from the repository root.

    Raises:
        RuntimeError: It fails; with the end of what it wrote.
    """
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        written = (done.stderr or done.stdout).strip().splitlines()
        raise RuntimeError(f"exit status {done.returncode}: " + (" / ".join(written[-3:]) or "no message"))
    return seconds, done.stdout
