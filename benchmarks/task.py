"""One gradient in a process of its own: ``python -m benchmarks.task NAME '{"argument": value}'`` prints JSON."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

import equinoise as eq
from benchmarks.circuit import interacting_problem, random_angles, wide_gradient, wide_problem
from benchmarks.measure import peak_memory
from equinoise.errors import MemoryLimitError


def deep(num_qubits: int, double_layers: int) -> dict[str, Any]:
    """The interacting circuit: seconds and peak memory of one gradient."""
    return _measure(lambda: interacting_problem(num_qubits, double_layers))[0]


def wide(num_qubits: int, excitations: int) -> dict[str, Any]:
    """A cone of every qubit in a small sector: seconds, peak memory, difference from the closed form."""
    record, theta, gradient = _measure(lambda: wide_problem(num_qubits, excitations))
    if gradient is not None:
        record["difference"] = float(np.abs(gradient - wide_gradient(num_qubits, excitations, theta)).max())
    return record


def _measure(make: Any) -> tuple[dict[str, Any], np.ndarray, np.ndarray | None]:
    small = interacting_problem(4, 1)
    eq.gradient(small, random_angles(len(small.parameters), 1, seed=0)[0])  # the kernels are loaded from here on
    before = peak_memory()
    start = time.perf_counter()
    problem = make()
    theta = random_angles(len(problem.parameters), 1, seed=1)[0]
    try:
        result = eq.gradient(problem, theta)
    except MemoryLimitError as error:
        return {"refused": str(error)}, theta, None
    record = {
        "seconds": time.perf_counter() - start,
        "peak_bytes": peak_memory(),
        "before_bytes": before,
        "numbers": result.reduction["numbers"],
    }
    return record, theta, result.gradient


if __name__ == "__main__":
    print(json.dumps({"deep": deep, "wide": wide}[sys.argv[1]](**json.loads(sys.argv[2]))))
