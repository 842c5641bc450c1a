"""Measures the rows, prints them as a table and exits with 1 if a target is missed.

Time and memory against width and depth, as a table and a figure: ``python -m benchmarks.scaling --out FOLDER``.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import sys
import time
import traceback
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.rows import ROWS, Row

PACKAGES = (
    "equinoise",
    "numpy",
    "numba",
    "qiskit",
    "qiskit-aer",
    "tensorcircuit-ng",
    "jax",
    "pennylane-lightning",
    "tencirpauli",
    "qutip",
    "pennylane",
)


def main() -> int:
    """Runs the benchmarks; 1 if a target is missed, results disagree or a row fails."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=list(ROWS), help="measure this row (may be repeated)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the table as JSON")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.getLogger("tensorcircuit").setLevel(logging.ERROR)
    console = Console(width=None if sys.stdout.isatty() else 150)
    machine = _machine()
    rows: list[Row] = []
    for name, measure in ROWS.items():
        if options.only and name not in options.only:
            continue
        console.print(f"measuring {name} ...", style="dim", highlight=False)
        start = time.perf_counter()
        try:
            row = measure()
        except Exception as error:  # one row's failure must not hide the others
            traceback.print_exc()
            row = Row(name, measure.__doc__ or "", shown="failed", met=False, note=f"{type(error).__name__}: {error}")
        rows.append(row)
        console.print(f"  {row.shown} in {time.perf_counter() - start:.0f} s", style="dim", highlight=False)
    machine["load_after"] = os.getloadavg()
    _print(console, rows, machine)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        record = {"schema": 1, "machine": machine, "rows": [row.record() for row in rows]}
        options.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    missed = [row.name for row in rows if row.met is False]
    if missed:
        console.print(f"missed: {', '.join(missed)}", style="bold red")
    return 1 if missed else 0


def _machine() -> dict[str, Any]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return {
        "processor": platform.machine(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "packages": versions,
        "load_before": os.getloadavg(),
    }


def _print(console: Console, rows: list[Row], machine: dict[str, Any]) -> None:
    title = "Unless said otherwise: interacting brickwork, phase damping 0.02, Néel input, readout Z in the middle"
    table = Table(title=title)
    for column in ("row", "what", "equinoise", "against", "measured", "target", "difference", ""):
        table.add_column(column, overflow="fold")
    words = {True: "[green]met[/]", False: "[bold red]missed[/]", None: ""}
    for row in rows:
        difference = "" if row.difference is None else f"{row.difference:.1e}"
        table.add_row(row.name, row.task, row.ours, row.peer, row.shown, row.target, difference, words[row.met])
    console.print(table)
    for row in rows:
        if row.note:
            console.print(f"{row.name}: {row.note}", highlight=False, soft_wrap=True)
    before, after = machine["load_before"][0], machine["load_after"][0]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items() if number)
    console.print(
        f"{machine['processors']} x {machine['processor']}, load {before:.1f} before and {after:.1f} after, "
        f"Python {machine['python']}, {packages}",
        style="dim",
        highlight=False,
        soft_wrap=True,
    )


if __name__ == "__main__":
    sys.exit(main())
