"""One job in a process of its own: ``python -m benchmarks.task NAME '{"argument": value}'`` prints JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import equinoise as eq
from benchmarks.circuit import (
    free_fermion_problem,
    interacting_problem,
    layered_problem,
    permutation_problem,
    random_angles,
    wide_gradient,
    wide_problem,
)
from benchmarks.measure import peak_memory
from equinoise.engines.replica.average import average as replica
from equinoise.engines.select import select_engine
from equinoise.errors import MemoryLimitError

Make = Callable[[], eq.Problem]


def deep(num_qubits: int, double_layers: int) -> dict[str, Any]:
    """The interacting circuit: seconds and peak memory of one gradient."""
    return _gradient(lambda: interacting_problem(num_qubits, double_layers))[0]


def wide(num_qubits: int, excitations: int) -> dict[str, Any]:
    """A cone of every qubit in a small sector: seconds, peak memory, difference from the closed form."""
    record, theta, gradient = _gradient(lambda: wide_problem(num_qubits, excitations))
    if gradient is not None:
        record["difference"] = float(np.abs(gradient - wide_gradient(num_qubits, excitations, theta)).max())
    return record


def free_fermion(num_qubits: int, layers: int, engine: str) -> dict[str, Any]:
    """Hopping and phases under correlated dephasing: seconds and peak memory of one gradient."""
    small = free_fermion_problem(6, 2)
    record, theta, gradient = _gradient(lambda: free_fermion_problem(num_qubits, layers), small, engine=engine)
    if gradient is not None:
        record["parameters"] = theta.size
        record["norm"] = float(np.linalg.norm(gradient))
    return record


def permutation(num_qubits: int, layers: int, scales: list[float]) -> dict[str, Any]:
    """The permutation-equivariant circuit: seconds and peak memory of its first gradient, and seconds of later ones."""
    seconds: list[float] = []

    def run(problem: eq.Problem) -> Any:
        angles = random_angles(len(problem.parameters), 1, seed=1)[0]
        engine = select_engine(problem, "permutation")
        first = engine.draw(angles, 1.0)
        for scale in scales:
            start = time.perf_counter()
            engine.draw(angles, scale)
            seconds.append(time.perf_counter() - start)
        return first

    record, draw = _measure(
        lambda: permutation_problem(num_qubits, layers), run, warm=lambda: run(permutation_problem(4, 1))
    )
    if draw is not None:
        later = seconds[len(scales) :]
        record["seconds"] -= sum(later)
        record |= {"later": later, "parameters": draw.gradient.size, "norm": float(np.linalg.norm(draw.gradient))}
    return record


def kappa_wide(
    num_qubits: int, double_layers: int, samples: int, engine: str, relative_error: float | None = None
) -> dict[str, Any]:
    """The law of the interacting circuit: seconds, peak memory, draws used, kappa and its interval."""
    options: dict[str, Any] = {} if relative_error is None else {"relative_error": relative_error}
    record, law = _measure(
        lambda: interacting_problem(num_qubits, double_layers),
        lambda problem: eq.law(problem, sampling=eq.Sampling(samples=samples, engine=engine), **options),
        warm=lambda: eq.law(interacting_problem(4, 1), sampling=eq.Sampling(samples=2, engine=engine)),
    )
    if law is not None:
        record |= {"draws": law.samples, "kappa": law.kappa, "interval": law.kappa_interval, "engine": law.engine}
    return record


def replica_wide(width: int, half_layers: int, relative_error: float) -> dict[str, Any]:
    """V without and with noise, without sampling: seconds, peak memory, V and the intervals' half-widths."""
    scales = [0.0, 1.0]
    record, found = _measure(
        lambda: layered_problem(width, half_layers),
        lambda problem: replica.average(problem, scales, relative_error),
        warm=lambda: replica.average(layered_problem(4, 2), scales),
    )
    if found is not None:
        record |= {"width": found.width, "bond": found.bond, "met": found.met}
        record |= {"variance": found.variance.tolist(), "error": found.error.tolist()}
    return record


def _gradient(
    make: Make, small: eq.Problem | None = None, **options: Any
) -> tuple[dict[str, Any], np.ndarray, np.ndarray | None]:
    """Seconds and memory of one noisy gradient, its angles and itself; without the last if it needs too much memory."""
    angles: list[np.ndarray] = []

    def run(problem: eq.Problem) -> Any:
        angles.append(random_angles(len(problem.parameters), 1, seed=1)[0])
        return eq.gradient(problem, angles[-1], **options)

    record, result = _measure(make, run, warm=lambda: run(small or interacting_problem(4, 1)))
    if result is None:
        return record, angles[-1], None
    record["numbers"] = result.reduction.get("numbers")
    return record, angles[-1], result.gradient


def _measure(
    make: Make, run: Callable[[eq.Problem], Any], warm: Callable[[], object]
) -> tuple[dict[str, Any], Any | None]:
    try:
        warm()  # the kernels are loaded from here on
        before = peak_memory()
        start = time.perf_counter()
        problem = make()
        built = time.perf_counter()
        result = run(problem)
    except MemoryLimitError as error:
        return {"refused": str(error)}, None
    end = time.perf_counter()
    record = {
        "seconds": end - start,
        "build_seconds": built - start,
        "peak_bytes": peak_memory(),
        "before_bytes": before,
    }
    return record, result


TASKS = {
    "deep": deep,
    "free-fermion": free_fermion,
    "kappa-wide": kappa_wide,
    "permutation": permutation,
    "replica-wide": replica_wide,
    "wide": wide,
}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](**json.loads(sys.argv[2]))))
