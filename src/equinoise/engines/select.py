"""The choice of an engine for a problem: what each declares, and the cheapest that serves."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from equinoise.engines.commutant.commutant import CommutantEngine
from equinoise.engines.contract import Cost, Engine, memory_limit
from equinoise.engines.fermion.free_fermion import FreeFermionEngine
from equinoise.engines.replica.average import average_cost, average_obstacle
from equinoise.engines.sector.exact import ExactEngine
from equinoise.engines.spin.permutation import PermutationEngine
from equinoise.engines.vectors.state_vector import StateVectorEngine
from equinoise.engines.vectors.trajectories import TrajectoryEngine
from equinoise.ensemble import Ensemble
from equinoise.errors import UnsupportedError
from equinoise.problem import Problem
from equinoise.reduction.compiled import CompiledProblem
from equinoise.reduction.prepared import prepared
from equinoise.reduction.program import Program, compile_problem
from equinoise.reduction.symmetric_program import SymmetricProgram, compiled
from equinoise.sampling import Sampling

__all__ = [
    "ENGINES",
    "PATIENCE",
    "Choice",
    "Declaration",
    "averages",
    "choose",
    "choose_engine",
    "declarations",
    "exact_engine",
    "reading_engine",
    "sampled_seconds",
    "select_engine",
]

_CLASSES: dict[str, type[Any]] = {  # each an Engine, on one kind of compiled problem
    "commutant": CommutantEngine,
    "exact": ExactEngine,
    "free-fermion": FreeFermionEngine,
    "permutation": PermutationEngine,
    "state-vector": StateVectorEngine,
    "trajectories": TrajectoryEngine,
}
_EXACT = ("exact", "free-fermion", "commutant", "permutation")
# the engine that takes any problem, with or without its symmetry
FULL_SPACE = "exact"
# averages over the ensemble, which has no single draws
REPLICA = "replica"
ENGINES = (*_CLASSES, REPLICA)
_QUANTITIES = {
    "commutant": ("values, gradients and the law at any noise", "none"),
    "exact": ("values, gradients and the law at any noise", "none"),
    "free-fermion": ("values, gradients and the law at any noise", "none"),
    "permutation": ("values, gradients and the law at any noise", "none"),
    "state-vector": ("noiseless gradients; kappa and its budget", "none without noise; sampling error of kappa"),
    "trajectories": ("values, gradients and the law at any noise", "sampling error; unbiased"),
    REPLICA: ("gradient variance and the law, averaged over uniform angles", "none on narrow cones; else truncation"),
}
# an exact engine whose draws would take longer than this many seconds gives way to an unbiased one
PATIENCE = 900.0
# sampling that takes less than this many seconds is left alone
_AT_ONCE = 1.0
# how many times cheaper than an engine that uses the symmetry engine "exact" must be to be taken instead: its cost is
# underestimated on wide layers
_CLEARLY = 40.0
# a pair of trajectories, split by its first event, in trajectories
_PAIR = 2.0
# what kappa, budget, second moment and w0 cost, in averages at one scale
LAW_AVERAGES = 12


@dataclass(frozen=True)
class Declaration:
    """What an engine says of itself before it is built.

    Attributes:
        engine: Its name.
        serves: Whether it can take the problem within the memory there is.
        reason: Why not; empty if it serves.
        quantities: What it computes.
        error: Its kind of error.
        seconds: Estimate for one draw (of an exact gradient, of kappa, of one trajectory), on one processor.
        gradient: Estimate for one gradient alone, without what a draw adds for kappa or shots.
        bytes: Estimated peak memory of one draw.
    """

    engine: str
    serves: bool
    reason: str
    quantities: str
    error: str
    seconds: float
    gradient: float
    bytes: int


@dataclass(frozen=True)
class Choice:
    """An engine with the reason why it was taken."""

    engine: Engine
    reason: str


def declarations(problem: Problem, *, reduce: bool = True) -> tuple[Declaration, ...]:
    """What each engine declares for a problem.

    Args:
        problem: The problem.
        reduce: Whether to use light cone and sectors.
    """
    program = compiled(problem, reduce=reduce)
    return (*_declare(program).values(), _declare_average(program))


def _declare_average(program: CompiledProblem) -> Declaration:
    reason = _average_obstacle(program) or ""
    cost = Cost(math.nan, 0) if reason else average_cost(cast(Program, program))
    return _declaration(REPLICA, reason, cost, memory_limit())


def _average_obstacle(program: CompiledProblem, ensemble: Ensemble | None = None) -> str | None:
    if foreign := _foreign(REPLICA, program):
        return foreign
    whole = cast(Program, program)
    return average_obstacle(whole) if ensemble is None else average_obstacle(whole, ensemble)


def _foreign(engine: str, program: CompiledProblem) -> str:
    """Why an engine does not work on this kind of program; empty if it does."""
    if engine in program.engines:
        return ""
    symmetry = program.problem.symmetry
    if program.problem.by_charge:
        return f"it is for other symmetries than the {symmetry}"
    if isinstance(program, Program):
        return f"it does not work with the symmetry {symmetry}, of which gates or noise leave nothing"
    if engine == FULL_SPACE:
        return f"it does not use the symmetry {symmetry}: taken by name, and where that is clearly cheaper"
    return f"it does not work with the symmetry {symmetry}"


def averages(problem: Problem, sampling: Sampling, *, draws: float, scales: int, noiseless: bool = False) -> bool:
    """Whether an average over the ensemble is to be taken without sampling.

    For "replica" it is; for "auto" where the ensemble and the problem have such an average, sampling would take more
    than a second, and the average less.

    Args:
        problem: The problem.
        sampling: Ensemble, engine and workers asked for.
        draws: Number of gradients that sampling would take.
        scales: Number of averages at one noise scale that it would take without.
        noiseless: Whether only noise scale 0 is asked for.

    Raises:
        UnsupportedError: "replica" was asked for and cannot serve (with the reason).
    """
    engine, ensemble, workers = sampling.engine, sampling.ensemble, sampling.workers
    if engine == REPLICA:
        reason = _average_obstacle(compiled(problem), ensemble)
        if reason is not None:
            raise UnsupportedError(f"the engine 'replica' cannot serve this problem: {reason}. {_ELSE}")
        return True
    if engine != "auto" or ensemble.kind != "uniform":
        return False
    program = compiled(problem)
    try:
        chosen, _ = choose(problem, workers=workers, draws=draws, noiseless=noiseless)
        duration = _declare(program)[chosen].seconds * draws / (workers or os.cpu_count() or 1)
    except UnsupportedError:
        duration = math.inf
    if duration <= _AT_ONCE or _average_obstacle(program, ensemble) is not None:
        return False
    cost = average_cost(cast(Program, program))
    return cost.seconds * scales < duration and cost.bytes < memory_limit()


_ELSE = "Engine 'auto' takes one that samples."


def _declare(program: CompiledProblem) -> dict[str, Declaration]:
    """Every engine's declaration, with the memory that is free now; obstacles and costs are worked out once."""

    def stated(name: str, kind: type[Any]) -> tuple[str, Cost]:
        reason = _foreign(name, program) or kind.obstacle(program) or ""
        return reason, Cost(math.nan, 0) if reason else kind.cost(program)

    with program.kept as values:
        if "declarations" not in values:
            values["declarations"] = {name: stated(name, kind) for name, kind in _CLASSES.items()}
        known: dict[str, tuple[str, Cost]] = values["declarations"]
    room = memory_limit()
    return {name: _declaration(name, *known[name], room) for name in _CLASSES}


def _declaration(name: str, reason: str, cost: Cost, room: int) -> Declaration:
    quantities, error = _QUANTITIES[name]
    if not reason and cost.bytes > room:
        reason = f"one draw needs {_gigabytes(cost.bytes)} and {_gigabytes(room)} are free"
    alone = cost.seconds if cost.gradient is None else cost.gradient
    return Declaration(name, not reason, reason, quantities, error, cost.seconds, alone, cost.bytes)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.3g} GB" if size < 10**300 else "more than 1e+291 GB"


def choose(
    problem: Problem,
    *,
    reduce: bool = True,
    workers: int | None = None,
    draws: float = 1,
    noiseless: bool = False,
) -> tuple[str, str]:
    """The engine that "auto" takes, and why; none of them is built.

    The cheapest exact engine that fits in memory and in patience, else the cheapest unbiased one.

    Args:
        problem: The problem.
        reduce: Whether to use light cone and sectors.
        workers: Draws run at once; all processors by default.
        draws: Number of gradients that will be asked for.
        noiseless: Whether only noise scale 0 will be asked for.

    Raises:
        UnsupportedError: No engine serves (with each one's reason).
    """
    program = compiled(problem, reduce=reduce)
    found = _declare(program)
    processors = workers or os.cpu_count() or 1
    exact = [found[name] for name in _EXACT if name in found]
    exact += [found["state-vector"]] if noiseless else []
    fits = sorted((d for d in exact if d.serves), key=lambda d: d.gradient if noiseless else d.seconds)
    if isinstance(program, SymmetricProgram) and (not fits or fits[0].seconds * draws > _AT_ONCE * processors):
        other = compile_problem(problem)
        least = math.inf if not fits else fits[0].seconds / _CLEARLY
        told = _declare(other)[FULL_SPACE]
        if told.serves and told.seconds < least and told.seconds * draws <= PATIENCE * processors:
            where = "the full space of the light cone" if other.full else "charge sectors"
            return FULL_SPACE, f"cheaper in {where} than in the commutant of {program.symmetry}"
    if fits and fits[0].seconds * draws <= PATIENCE * processors:
        return fits[0].engine, "the cheapest exact engine" if len(fits) > 1 else "fits in memory and in time"
    if found["trajectories"].serves:
        if not fits:
            return "trajectories", f"unbiased; no exact engine serves ({found['exact'].reason})"
        long = _duration(fits[0].seconds * draws / processors)
        return "trajectories", f"unbiased; engine {fits[0].engine} would take about {long}"
    if fits:
        return fits[0].engine, "the only engine that serves"
    if found["exact"].bytes:  # its own refusal has the numbers and the remedies
        return "exact", "the only engine that could serve"
    reasons = "; ".join(f"{d.engine}: {d.reason}" for d in (*found.values(), _declare_average(program)))
    raise UnsupportedError(f"no engine serves this problem. {reasons}.")


def sampled_seconds(found: Mapping[str, Declaration], scales: int) -> float:
    """Seconds that the engine "trajectories" declares for one draw of kappa and of V at some noise scales.

    Args:
        found: Declarations by engine.
        scales: Number of noise scales; a pair of trajectories, split by its first event, is about two and a half.
    """
    kappa, path = found["state-vector"], found["trajectories"]
    return kappa.seconds + kappa.gradient + (_PAIR * scales + 1) * path.seconds


def choose_engine(
    problem: Problem,
    engine: str = "auto",
    *,
    reduce: bool = True,
    workers: int | None = None,
    draws: float = 1,
    noiseless: bool = False,
) -> Choice:
    """The engine that a name stands for, prepared for the problem and kept while it lives, and why.

    Args:
        problem: The problem.
        engine: "auto" (see :func:`choose`) or one of :data:`ENGINES`.
        reduce: Whether to use light cone and sectors.
        workers: Draws run at once; all processors by default.
        draws: Number of gradients that will be asked for.
        noiseless: Whether only noise scale 0 will be asked for.

    Raises:
        UnsupportedError: No such engine, or it cannot serve the problem (saying which does).
        MemoryLimitError: Nothing fits (with the numbers, and what to do).
    """
    if engine not in ("auto", *ENGINES):
        raise UnsupportedError(f"no engine {engine!r}; choose auto or one of: {', '.join(ENGINES)}.")
    reason = "asked for"
    if engine == REPLICA:
        raise UnsupportedError(
            "the engine 'replica' averages over the ensemble and has no single draws: it serves gradient_variance and "
            "law. Choose another engine for gradients and diagnoses."
        )
    if engine == "auto":
        engine, reason = choose(problem, reduce=reduce, workers=workers, draws=draws, noiseless=noiseless)
    program = compiled(problem, reduce=reduce)
    if engine == FULL_SPACE and engine not in program.engines:
        program = compile_problem(problem)
        if reason == "asked for":
            reason += f"; in {'the full space of the light cone' if program.full else 'charge sectors'}"
    elif foreign := _foreign(engine, program):
        raise UnsupportedError(f"the engine {engine!r} cannot serve this problem: {foreign}.")
    return Choice(_built(problem, program, engine, reduce, workers), reason)


def select_engine(
    problem: Problem,
    engine: str = "auto",
    *,
    reduce: bool = True,
    workers: int | None = None,
    draws: float = 1,
    noiseless: bool = False,
) -> Engine:
    """The engine of :func:`choose_engine`, without the reason."""
    return choose_engine(problem, engine, reduce=reduce, workers=workers, draws=draws, noiseless=noiseless).engine


def reading_engine(chosen: Engine, measured: Problem, workers: int | None = None) -> Engine:
    """The engine for a problem as it is read, ``problem.as_read()``, beside the one chosen for the problem itself."""
    problem = chosen.program.problem
    if prepared(measured) is prepared(problem):
        return chosen
    # readings that break the symmetry that the engine works with leave another
    name = chosen.name if measured.symmetry is problem.symmetry else "auto"
    return select_engine(measured, name, workers=workers)


def exact_engine(problem: Problem, *, reduce: bool = True, workers: int | None = None) -> ExactEngine:
    """The density-matrix engine, whatever else would serve.

    Raises:
        MemoryLimitError: It does not fit (with the numbers, and what to do).
        UnsupportedError: The noise is correlated in time.
    """
    built = _built(problem, compile_problem(problem, reduce=reduce), "exact", reduce, workers)
    return cast(ExactEngine, built)


def _duration(seconds: float) -> str:
    for unit, size in (("years", 3.15e7), ("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds:.2g} s"


def _built(problem: Problem, program: CompiledProblem, name: str, reduce: bool, workers: int | None) -> Engine:
    key = ("engine", name, reduce, workers)
    with prepared(problem).kept as values:
        if key not in values:
            values[key] = _CLASSES[name](program, workers=workers)
        built: Engine = values[key]
    return built
