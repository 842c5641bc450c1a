"""Time and peak memory of one gradient against width and depth, for each engine and each other program.

Each point runs in a fresh process with a time-out and a memory limit. Written to the folder: scaling.csv with every
point, also those that failed and why, and scaling.png drawn from it. Depth 4 double layers where the width varies,
width 10 where the depth does. All of it takes about 40 minutes, most of them for programs that compile each size.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from benchmarks.measure import ROOT
from benchmarks.scaling_figure import draw
from benchmarks.scaling_point import METHODS

__all__ = ["main"]

GIB = 2**30
DEPTH, WIDTH = 4, 10
WIDTHS = (6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
DEPTHS = (1, 2, 4, 8, 16, 32, 64)
COLUMNS = (
    "sweep",
    "method",
    "width",
    "double_layers",
    "status",
    "seconds",
    "peak_bytes",
    "before_bytes",
    "first_seconds",
    "prepare_seconds",
    "calls",
    "parameters",
    "declared_seconds",
    "reason",
)


def main() -> int:
    """Measures, writes the table after each point, draws; 0 unless nothing at all was measured."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("scaling-output"), metavar="FOLDER", help="where to write")
    parser.add_argument("--quick", action="store_true", help="small sizes and short time-outs: a look in some minutes")
    parser.add_argument("--only", action="append", choices=list(METHODS), help="measure this curve (may be repeated)")
    parser.add_argument("--longest", type=float, metavar="S", help="end a curve where a call takes longer; 20 or 5 s")
    parser.add_argument("--timeout", type=float, metavar="S", help="end a process after this; 240 or 60 s")
    parser.add_argument("--memory", type=float, default=8.0, metavar="GIB", help="end a process above this; 8")
    parser.add_argument("--redraw", action="store_true", help="only draw the table that is in the folder")
    options = parser.parse_args()
    longest = options.longest or (5.0 if options.quick else 20.0)
    timeout = options.timeout or (60.0 if options.quick else 240.0)
    console = Console(width=None if sys.stdout.isatty() else 150)
    options.out.mkdir(parents=True, exist_ok=True)
    table, figure = options.out / "scaling.csv", options.out / "scaling.png"
    if options.redraw:
        with table.open(encoding="utf-8", newline="") as file:
            rows: list[dict[str, Any]] = list(csv.DictReader(file))
    else:
        widths = [w for w in WIDTHS if w <= 10] if options.quick else list(WIDTHS)
        depths = [d for d in DEPTHS if d <= 4] if options.quick else list(DEPTHS)
        sweeps = (
            ("width", [(width, DEPTH) for width in widths]),
            ("depth", [(WIDTH, depth) for depth in depths]),
        )
        rows = []
        for name in options.only or METHODS:
            for sweep, sizes in sweeps:
                for width, depth in sizes:
                    found = _point(name, width, depth, longest, timeout, int(options.memory * GIB))
                    rows.append({"sweep": sweep, "method": name, "width": width, "double_layers": depth} | found)
                    _write(table, rows)
                    console.print(_line(rows[-1]), highlight=False, soft_wrap=True)
                    if found["status"] != "measured" or found["seconds"] * METHODS[name].unit > longest:
                        break
    measured = [row for row in rows if row["status"] == "measured"]
    if not measured:
        console.print("nothing was measured", style="bold red")
        return 1
    draw(rows, METHODS, figure)
    console.print(f"wrote {table} and {figure}", highlight=False, soft_wrap=True)
    return 0


def _point(name: str, width: int, depth: int, longest: float, timeout: float, most: int) -> dict[str, Any]:
    """What the fresh process measured, or why it did not."""
    command = [sys.executable, "-m", "benchmarks.scaling_point", name, str(width), str(depth), str(longest)]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err, env=dict(os.environ))
        started = time.monotonic()
        ended: dict[str, Any] | None = None
        try:
            while child.poll() is None:
                if time.monotonic() - started > timeout:
                    ended = {"status": "time", "reason": f"not done after {timeout:g} s"}
                elif _resident(child.pid) > most:
                    ended = {"status": "memory", "reason": f"more than {most / GIB:g} GiB"}
                if ended is not None:
                    return ended
                time.sleep(0.05)
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
        out.seek(0)
        err.seek(0)
        if child.returncode != 0:
            lines = err.read().strip().splitlines() or ["no message"]
            return {"status": "failed", "reason": f"exit status {child.returncode}: {lines[-1]}"}
        found: dict[str, Any] = json.loads(out.read().splitlines()[-1])
        return found


def _resident(process: int) -> int:
    try:
        return int(psutil.Process(process).memory_info().rss)
    except psutil.Error:
        return 0


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def _line(row: dict[str, Any]) -> str:
    where = f"{row['method']}, {row['width']} qubits, {row['double_layers']} double layers"
    if row["status"] != "measured":
        return f"{where}: {row['status']} ({row['reason']})"
    declared = row.get("declared_seconds")
    told = f"; {row['seconds'] / float(declared):.2f} of what the engine declares" if declared else ""
    return f"{where}: {row['seconds']:.3g} s, {row['peak_bytes'] / GIB:.2f} GiB{told}"


if __name__ == "__main__":
    sys.exit(main())
