"""Diagnoses from the shell: how long until the answer, and whether it agrees with twenty times the draws.

    python -m benchmarks.answers [--reference FILE] [--make]

Cones of 4 to 20 qubits under dephasing, relaxation, two devices, bit flips and slow phases, read by Z, a hop or
a Heisenberg bond; a model with 100 rows joins once the command takes models. Each is one run of the command as a user
types it, with everything it prints. Wall-clock seconds count on two idle cores; processor seconds (of the child, all
threads) are shown beside them. The reference (``--make``, hours) has twenty times the draws of the same engine from
another seed and is kept in a file; no verdict may contradict it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["ANSWERS", "Answer", "main"]

REFERENCE = Path(__file__).with_name("answers_reference.json")
TIMES = 20
MEDIAN, LONGEST, MOST_UNDECIDED = 10.0, 20.0, 2

BIT_FLIPS = str(Path(__file__).with_name("answers_flips.json"))
ANSWERS: dict[str, tuple[str, ...]] = {
    "dephasing 4": ("brickwork:n=4,depth=3", "--readout", "Z2", "--noise", "dephasing:0.02"),
    "relaxation 8": ("brickwork:n=8,depth=4", "--readout", "Z4", "--noise", "relaxation:0.01"),
    "torino 12": ("brickwork:n=12,depth=6", "--readout", "Z5", "--noise", "ibm:torino"),
    "torino 10 hop": ("brickwork:n=10,depth=5", "--readout", "X4X5+Y4Y5", "--noise", "ibm:torino"),
    "sherbrooke 8 bond": ("brickwork:n=8,depth=4", "--readout", "X3X4+Y3Y4+Z3Z4", "--noise", "ibm:sherbrooke"),
    "sherbrooke 14": ("brickwork:n=16,depth=7", "--readout", "Z8", "--noise", "ibm:sherbrooke"),
    "flips 6": ("brickwork:n=6,depth=4", "--readout", "Z3", "--noise", BIT_FLIPS, "--allow-broken"),
    "slow phases 8": ("brickwork:n=8,depth=6", "--readout", "X3X4+Y3Y4", "--noise", "static:0.01"),
    "dephasing 16 hop": ("brickwork:n=16,depth=8", "--readout", "X7X8+Y7Y8", "--noise", "dephasing:0.005"),
    "strong relaxation 6": ("brickwork:n=6,depth=6", "--readout", "Z3", "--noise", "relaxation:0.5"),
    "torino 20": ("brickwork:n=20,depth=10", "--readout", "Z10", "--noise", "ibm:torino"),
}


@dataclass(frozen=True)
class Answer:
    """One run of the command.

    Attributes:
        verdict: Its word.
        survival: R.
        half_width: Of R's 95 % interval.
        samples: Draws.
        engine: Engine.
        reason: Why drawing ended.
        wall: Seconds until the command was done.
        processor: Seconds of all its threads.
    """

    verdict: str
    survival: float | None
    half_width: float | None
    samples: int
    engine: str
    reason: str
    wall: float
    processor: float


def ask(arguments: tuple[str, ...], *options: str) -> Answer:
    """Runs ``equinoise diagnose`` in a process of its own, its text read and thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "answer.json"
        command = [sys.executable, "-m", "equinoise", "diagnose", *arguments, "--json", str(target), *options]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        found: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    stopping = found["stopping"]
    return Answer(
        found["verdict"],
        found["simulated"]["survival"],
        stopping["half_width"],
        found["samples"],
        found["engine"],
        stopping["reason"],
        wall,
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    )


def main() -> int:
    """Prints the table; 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answers", description=__doc__.splitlines()[0])
    parser.add_argument("--reference", type=Path, default=REFERENCE, help="file of the references")
    parser.add_argument("--make", action="store_true", help="make the references that the file lacks")
    parser.add_argument("--only", action="append", choices=list(ANSWERS), help="ask this one (may be repeated)")
    asked = parser.parse_args()
    known = json.loads(asked.reference.read_text(encoding="utf-8")) if asked.reference.exists() else {}
    rows: list[Answer] = []
    wrong = 0
    print(
        f"{'problem':>20} {'verdict':>14} {'R':>16} {'draws':>6} {'engine':>13} {'ended':>8} {'wall':>7} {'cpu':>7}  "
    )
    for name, arguments in ANSWERS.items():
        if asked.only and name not in asked.only:
            continue
        row = ask(arguments, *_OPTIONS)
        rows.append(row)
        if asked.make and name not in known:
            more = ("--samples", str(TIMES * row.samples), "--seed", "1", "--engine", row.engine)
            large = ask(arguments, *more, *_OPTIONS)
            known[name] = {"verdict": large.verdict, "survival": large.survival, "samples": large.samples}
            asked.reference.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
        reference = known.get(name, {}).get("verdict")
        contradicts = reference not in (None, "undecided", row.verdict) and row.verdict != "undecided"
        wrong += contradicts
        size = "unknown" if row.survival is None else f"{row.survival:.3f} +- {row.half_width or 0:.3f}"
        against = f"contradicts {reference}" if contradicts else ""
        told = f"{name:>20} {row.verdict:>14} {size:>16} {row.samples:>6} {row.engine:>13} {row.reason:>8}"
        print(f"{told} {row.wall:7.1f} {row.processor:7.1f}  {against}", flush=True)
    walls, undecided = [row.wall for row in rows], sum(row.verdict == "undecided" for row in rows)
    met = statistics.median(walls) < MEDIAN and max(walls) < LONGEST and not wrong and undecided <= MOST_UNDECIDED
    print(
        f"median {statistics.median(walls):.1f} s (below {MEDIAN:g}), longest {max(walls):.1f} s (below {LONGEST:g}), "
        f"undecided {undecided} (at most {MOST_UNDECIDED}), contradicted {wrong} of {len(known)} references: "
        f"{'met' if met else 'MISSED'}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    )
    return 0 if met else 1


# advice simulates other problems, and is another command's
_OPTIONS: tuple[str, ...] = ()

if __name__ == "__main__":
    raise SystemExit(main())
