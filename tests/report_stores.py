"""Stores for the tests of pages: small real diagnoses, written in the schema of a store."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

import equinoise as eq
from equinoise.report.page.results import results_of
from equinoise.sweeps.store import RESULTS, Store

NOISES = (
    "dephasing:0.03",
    "collective:0.05",
    "relaxation:0.02",
    "depolarizing:0.02",
    "dephasing:0.01+depolarizing:0.004",
)


@functools.cache
def diagnosed(
    source: str, readout: str, noise: str, seed: int = 0, scale: float = 1.0, samples: int = 6
) -> eq.Diagnosis:
    problem = eq.Problem(eq.load_circuit(source), readout, initial="neel", noise=noise)
    # given draws: no search for the greatest depth, which no page shows
    thetas = np.random.default_rng(seed).uniform(0, 4 * math.pi, (samples, len(problem.parameters)))
    return eq.diagnose(problem, scale=scale, sampling=eq.Sampling(ensemble=thetas))


def small_grid(seeds: Iterable[int] = (0,), noises: Iterable[str] = NOISES) -> list[tuple[str, str, str, eq.Diagnosis]]:
    """(source, readout, noise, diagnosis) over depths, readouts and noises on six qubits."""
    return [
        (source, readout, noise, diagnosed(source, readout, noise, seed))
        for depth in (2, 3, 4)
        for source in (f"brickwork:n=6,depth={depth}",)
        for readout in ("Z3", "X2X3+Y2Y3")
        for noise in noises
        for seed in seeds
    ]


def write_store(
    path: Path, found: Iterable[tuple[str, str, str, eq.Diagnosis]], copies: int = 1, failed: int = 1
) -> None:
    """A store of diagnoses; copies stand in for as many tasks with other keys, seeds and, a little, other numbers."""
    answers: list[dict[str, Any]] = []
    for source, readout, noise, diagnosis in found:
        live = results_of(diagnosis, source)
        whole = json.dumps(diagnosis.to_dict())
        for copy in range(copies):
            key = f"{source}|{readout}|{noise}|{copy}"
            factor = 1 + 0.3 * math.sin(copy)  # as if the noise were that much stronger
            row = {name: live.rows[0].get(name) for name in RESULTS}
            row |= {"key": key, "study": "grid", "family": "brickwork", "source": source, "noise": noise}
            row |= {"noise_terms": diagnosis.problem.stated_noise.describe()}
            row |= {"seed": copy, "kappa": row["kappa"] * factor, "survival": row["survival"] ** factor}
            row |= {"finished_at": None, "version": eq.__version__, "seconds": 0.1, "diagnosis": whole, "task": "{}"}
            budget = [
                {
                    "layer": e.layer,
                    "qubits": ",".join(map(str, e.qubits)),
                    "mechanism": e.mechanism,
                    "kappa": e.kappa * factor,
                    "standard_error": e.standard_error,
                }
                for e in diagnosis.law.budget
            ]
            curve = [{"scale": p.scale, "survival": p.survival**factor, "law": p.law**factor} for p in diagnosis.curve]
            answers.append({"row": row, "budget": budget, "curve": curve})
    for number in range(failed):
        row = dict.fromkeys(RESULTS) | {"key": f"failed {number}", "status": "failed", "study": "grid"}
        row |= {"error": "MemoryLimitError: <too wide> & too deep", "source": "brickwork:n=60,depth=30"}
        row |= {"readout": "Z30", "noise": "depolarizing:0.01", "num_qubits": 60}
        answers.append({"row": row, "budget": [], "curve": []})
    with Store(path).writing() as writer:
        writer.append(answers)
