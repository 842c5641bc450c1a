"""What a sweep costs beside its work: overhead per task on two local workers, and the client's memory meanwhile.

    .venv/bin/python -m benchmarks.sweep_overhead [TASKS]

Overhead = (wall time x workers - time inside the tasks) / tasks, from the first task sent to the last one committed;
starting the workers is told separately. The client's memory holds the scheduler too.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import psutil

from equinoise.sweeps.store import Store
from equinoise.sweeps.study_file import study_from_dict
from equinoise.sweeps.sweep import SweepProgress, sweep

WORKERS = 2
TARGET = 0.020
# the same problem with other seeds: each task takes milliseconds
STUDY = {
    "name": "overhead",
    "circuits": [{"source": "brickwork", "n": 4, "depth": 2}],
    "readouts": ["middle"],
    "noise": ["dephasing:0.01"],
    "samples": 2,
    "quantities": ["survival"],
}


def main(tasks: int) -> None:
    study = study_from_dict(STUDY | {"seeds": list(range(tasks))})
    me = psutil.Process()
    memory: list[tuple[int, float, float]] = []

    def note(progress: SweepProgress) -> None:
        if not memory or progress.done - memory[-1][0] >= tasks / 10 or progress.done == tasks:
            memory.append((progress.done, progress.seconds, me.memory_info().rss / 1e6))

    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "overhead.duckdb"
        began = time.perf_counter()
        summary = sweep(study, store, workers=WORKERS, progress=note)
        total = time.perf_counter() - began
        rows = Store(store).read_results()
        size = store.stat().st_size / 1e6
    work = sum(row["seconds"] for row in rows)
    wall = memory[-1][1]
    overhead = (wall * WORKERS - work) / tasks
    print(f"{summary.done} tasks, {WORKERS} workers, {wall:.1f} s ({total - wall:.1f} s more to start and stop them)")
    print(f"work {1e3 * work / tasks:.2f} ms a task, store {size:.1f} MB")
    verdict = "met" if overhead < TARGET else "MISSED"
    print(f"overhead {1e3 * overhead:.2f} ms a task; target {1e3 * TARGET:.0f} ms: {verdict}")
    print(f"\n{'tasks done':>12} {'seconds':>9} {'client RSS / MB':>16}")
    for done, seconds, megabytes in memory:
        print(f"{done:>12} {seconds:>9.1f} {megabytes:>16.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
