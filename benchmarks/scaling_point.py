"""One point of the scaling figure, in a process of its own.

``python -m benchmarks.scaling_point METHOD WIDTH DOUBLE_LAYERS SECONDS`` prints JSON.
"""

from __future__ import annotations

import inspect
import json
import logging
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import equinoise as eq
from benchmarks.circuit import (
    device_problem,
    free_fermion_problem,
    interacting_circuit,
    interacting_problem,
    random_angles,
)
from benchmarks.measure import peak_memory
from equinoise.engines.select import Declaration, declarations, select_engine
from equinoise.errors import EquinoiseError, MemoryLimitError

__all__ = ["METHODS", "Method", "measure_point"]

REPEATS = 25
TRAJECTORIES = 16


@dataclass(frozen=True)
class Prepared:
    """What is timed at one size.

    Attributes:
        run: A function of the angles.
        parameters: Their number.
        declared: Seconds that our engine declares for one unit (gradient, trajectory, draw); None for other programs.
    """

    run: Callable[[Any], object]
    parameters: int
    declared: float | None = None


# (width, double layers) to what is timed
Prepare = Callable[[int, int], Prepared]


class Refused(Exception):
    """The engine does not exist, or does not take this problem."""


@dataclass(frozen=True)
class Method:
    """One curve.

    Attributes:
        label: In the legend.
        peer: Whether it is another program.
        compiles: Whether the first call compiles, so that only a second one counts.
        unit: By how many a call's seconds are divided: trajectories in it.
        prepare: Builds what does not depend on the angles.
    """

    label: str
    prepare: Prepare
    peer: bool = False
    compiles: bool = False
    unit: int = 1


def _accepts(function: Callable[..., object], options: dict[str, Any]) -> None:
    known = inspect.signature(function).parameters
    for name in options:
        if name not in known:
            raise Refused(f"{function.__name__} takes no argument {name!r} in this version")


def _declared(problem: eq.Problem, engine: str) -> Declaration:
    return next(one for one in declarations(problem) if one.engine == engine)


def _gradient(
    engine: str, scale: float, make: Callable[[int, int], eq.Problem] = interacting_problem, **options: Any
) -> Prepare:
    def prepare(width: int, double_layers: int) -> Prepared:
        _accepts(eq.gradient, options)
        small = make(4, 1)  # loads the kernels
        eq.gradient(small, random_angles(len(small.parameters), 1, seed=0)[0], scale, engine, **options)
        problem = make(width, double_layers)
        return Prepared(
            lambda theta: eq.gradient(problem, theta, scale, engine, **options),
            len(problem.parameters),
            _declared(problem, engine).gradient,
        )

    return prepare


def _law(engine: str) -> Prepare:
    def prepare(width: int, double_layers: int) -> Prepared:
        eq.law(interacting_problem(4, 1), sampling=eq.Sampling(samples=2, workers=1, engine=engine))
        problem = interacting_problem(width, double_layers)
        chosen, rng = select_engine(problem, engine, workers=1), np.random.default_rng(0)
        declared = _declared(problem, engine).seconds
        return Prepared(lambda theta: chosen.first_order(theta, rng), len(problem.parameters), declared)

    return prepare


def _peer(module: str, function: str) -> Prepare:
    def prepare(width: int, double_layers: int) -> Prepared:
        build = getattr(__import__(f"benchmarks.{module}", fromlist=[function]), function)
        circuit = interacting_circuit(width, double_layers)
        return Prepared(build(circuit), circuit.num_parameters)

    return prepare


def free_fermions(num_qubits: int, double_layers: int) -> eq.Problem:
    """The free-fermion circuit with as many hopping layers as double layers have."""
    return free_fermion_problem(num_qubits, 2 * double_layers)


METHODS = {
    "exact": Method("equinoise exact, noisy", _gradient("exact", 1.0)),
    "exact-device": Method("equinoise exact, noise of ibm:torino", _gradient("exact", 1.0, device_problem)),
    "trajectories": Method(
        "equinoise trajectories, noisy, per trajectory",
        _gradient("trajectories", 1.0, trajectories=TRAJECTORIES),
        unit=TRAJECTORIES,
    ),
    "state-vector": Method("equinoise state vector, noiseless", _gradient("state-vector", 0.0)),
    "state-vector-law": Method("equinoise state vector, kappa with its budget, per draw", _law("state-vector")),
    "free-fermion": Method(
        "equinoise free fermions, noisy, all qubits read", _gradient("free-fermion", 1.0, free_fermions)
    ),
    "tensorcircuit": Method(
        "TensorCircuit-NG density matrix, noisy",
        _peer("tensorcircuit_peer", "tensorcircuit_gradient"),
        peer=True,
        compiles=True,
    ),
    "lightning": Method("Lightning adjoint, noiseless", _peer("lightning_peer", "lightning_gradient"), peer=True),
    "tencirpauli": Method("TenCirPauli U(1), noiseless", _peer("tencirpauli_peer", "tencirpauli_gradient"), peer=True),
    "tensorcircuit-u1": Method(
        "TensorCircuit-NG U(1), noiseless",
        _peer("tensorcircuit_u1_peer", "tensorcircuit_u1_gradient"),
        peer=True,
        compiles=True,
    ),
}


def measure_point(method: Method, width: int, double_layers: int, longest: float) -> dict[str, Any]:
    """Seconds per gradient (trajectory, draw) and peak memory of this process.

    Args:
        method: What to time.
        width: Qubits.
        double_layers: Depth.
        longest: A first call longer than this, in seconds, is not repeated unless it compiled.
    """
    start = time.perf_counter()
    try:
        made = method.prepare(width, double_layers)
        run = made.run
        angles = random_angles(made.parameters, REPEATS + 1, seed=width)
        prepared = time.perf_counter()
        before = peak_memory()
        run(angles[-1])
    except MemoryLimitError as error:
        return {"status": "memory", "reason": str(error)}
    except (Refused, EquinoiseError) as error:
        return {"status": "refused", "reason": str(error)}
    except MemoryError as error:
        return {"status": "memory", "reason": str(error) or "MemoryError"}
    first = time.perf_counter() - prepared
    times = []
    if method.compiles or first <= longest:
        until = time.perf_counter() + min(2.0, longest / 4)
        for theta in angles[:-1]:
            begin = time.perf_counter()
            run(theta)
            times.append(time.perf_counter() - begin)
            if time.perf_counter() > until:
                break
    return {
        "status": "measured",
        "seconds": statistics.median(times or [first]) / method.unit,
        "calls": len(times) or 1,
        "first_seconds": first,
        "prepare_seconds": prepared - start,
        "peak_bytes": peak_memory(),
        "before_bytes": before,
        "parameters": made.parameters,
        "declared_seconds": made.declared,
    }


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.getLogger("tensorcircuit").setLevel(logging.ERROR)
    name, width, double_layers, longest = sys.argv[1:]
    print(json.dumps(measure_point(METHODS[name], int(width), int(double_layers), float(longest))))
