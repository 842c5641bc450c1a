"""The error of R per second: trajectories split by their first event, plain pairs, and exact draws.

    python -m benchmarks.error_per_second [--draws N]

Per problem, the scatter of ln R by draw and the processor time of a draw's gradient at s = 1. The figure that counts is
scatter x sqrt(time): the relative error of R after one second of one processor.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import equinoise as eq
from equinoise.engines.draws import draw_generator
from equinoise.engines.sector.exact import ExactEngine
from equinoise.engines.vectors.trajectories import TrajectoryEngine
from equinoise.reduction.program import compile_problem

__all__ = ["main"]

PROBLEMS = {
    "torino, Z, n = 12": (12, 6, "Z5", "ibm:torino"),
    "torino, hop, n = 10": (10, 4, "X4X5+Y4Y5", "ibm:torino"),
    "relaxation 0.01, Z, n = 10": (10, 5, "Z5", "relaxation:0.01"),
    "dephasing 0.02, Z, n = 8": (8, 4, "Z4", "dephasing:0.02"),
    "depolarizing 0.05, Z, n = 8": (8, 4, "Z4", "depolarizing:0.05"),
}


def _split(engine: TrajectoryEngine, theta: Any, rng: np.random.Generator) -> float:
    return float(engine.noisy(theta, [1.0], rng)[0].gradient_square.sum())


def _plain(engine: TrajectoryEngine, theta: Any, rng: np.random.Generator) -> float:
    one, two = (engine.draw(theta, 1.0, rng).gradient for _ in range(2))
    return float((one * two).sum())


def _noiseless(engine: Any, theta: Any, rng: np.random.Generator | None = None, scale: float = 0.0) -> float:
    return float((engine.draw(theta, scale).gradient ** 2).sum())


def scatter(one: Callable[[Any, np.random.Generator], float], clean: Any, thetas: Any) -> tuple[float, float]:
    """Scatter of ln R by draw, and processor seconds of a draw."""
    one(thetas[0], draw_generator(0, 0))
    began = time.process_time()
    noisy = np.array([one(theta, draw_generator(0, i)) for i, theta in enumerate(thetas)])
    seconds = (time.process_time() - began) / len(thetas)
    square = np.array([clean(theta) for theta in thetas])
    return float(np.std((noisy / noisy.mean() - square / square.mean()) / 2, ddof=1)), seconds


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.error_per_second", description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=200)
    asked = parser.parse_args()
    print(f"{'problem':>28} {'estimate':>8} {'scatter':>8} {'ms a draw':>10} {'error after 1 s':>16}")
    for name, (n, depth, readout, noise) in PROBLEMS.items():
        problem = eq.Problem(eq.circuits.brickwork(n, depth=depth), readout, "neel", noise)
        program = compile_problem(problem)
        engine = TrajectoryEngine(program)
        kinds = {"split": partial(_split, engine), "plain": partial(_plain, engine)}
        if n <= 8:
            kinds["exact"] = partial(_noiseless, ExactEngine(program), scale=1.0)
        thetas = eq.Sampling(samples=asked.draws).draw(problem)
        for kind, one in kinds.items():
            found, seconds = scatter(one, partial(_noiseless, engine), thetas)
            print(f"{name:>28} {kind:>8} {found:8.3f} {1e3 * seconds:10.2f} {100 * found * math.sqrt(seconds):14.2f} %")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
