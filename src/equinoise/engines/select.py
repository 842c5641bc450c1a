"""The choice of an engine for a problem."""

from __future__ import annotations

from equinoise.engines.exact import ExactEngine
from equinoise.errors import UnsupportedError
from equinoise.problem.problem import Problem
from equinoise.reduction.program import compile_problem

__all__ = ["ENGINES", "select_engine"]

ENGINES = ("exact",)


def select_engine(
    problem: Problem, engine: str = "auto", *, reduce: bool = True, workers: int | None = None
) -> ExactEngine:
    """The engine that a name stands for, prepared for the problem and kept with it.

    Args:
        problem: The problem.
        engine: "auto" or "exact".
        reduce: Whether to use light cone and sectors.
        workers: Draws run at once; all processors by default.

    Raises:
        UnsupportedError: No such engine.
        MemoryLimitError: It does not fit (with the numbers, and what to do).
    """
    if engine not in ("auto", *ENGINES):
        raise UnsupportedError(f"no engine {engine!r}; choose auto or one of: {', '.join(ENGINES)}.")
    program = compile_problem(problem, reduce=reduce)
    known: dict[tuple[bool, int | None], ExactEngine] = vars(problem).setdefault("_engines", {})
    if (reduce, workers) not in known:
        known[reduce, workers] = ExactEngine(program, workers=workers)
    return known[reduce, workers]
