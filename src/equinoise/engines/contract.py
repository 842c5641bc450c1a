"""What every engine is: what it declares before it is built, and the questions that it answers once it is."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import psutil

from equinoise.engines.draws import Draw, FirstOrderDraw, NoisyDraw
from equinoise.errors import MemoryLimitError, UnsupportedError
from equinoise.reduction.compiled import CompiledProblem

__all__ = [
    "Cost",
    "Engine",
    "ExactAnswers",
    "Remade",
    "about",
    "bounded",
    "check_serves",
    "memory_limit",
]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cost:
    """An estimate, made before any table is built.

    Attributes:
        seconds: Of one draw, on one processor.
        bytes: Peak memory of one draw, with the tables that all draws share.
        gradient: Seconds of one gradient by itself where a draw is more than that (or less), else None.
    """

    seconds: float
    bytes: int
    gradient: float | None = None


class Engine(Protocol):
    """Answers about one compiled problem; random ones from the generator given, so that draws repeat.

    Attributes:
        name: As ``engine=`` takes it.
        exact: Whether every answer is exact; else unbiased, with a sampling error.
        program: The compiled problem.
        workers: Draws run at once.
        memory_bytes: Estimated peak of one draw.
    """

    name: str
    exact: bool
    workers: int

    @property
    def program(self) -> CompiledProblem:
        """The compiled problem."""

    @property
    def memory_bytes(self) -> int:
        """Estimated peak of one draw, in bytes."""

    @classmethod
    def obstacle(cls, program: Any) -> str | None:
        """Why a problem is not for this engine, and which one serves; None if it is."""

    @classmethod
    def cost(cls, program: Any) -> Cost:
        """Seconds and bytes of one draw, before any table is built."""

    def value(self, theta: Real, scale: float, rng: np.random.Generator | None = None) -> tuple[float, float]:
        """C(theta; s) and <O^2>, exact or of one trajectory."""

    def draw(self, theta: Real, scale: float, rng: np.random.Generator | None = None) -> Draw:
        """Value, <O^2> and gradient, exact or of one trajectory."""

    def noisy(self, theta: Real, scales: Sequence[float], rng: np.random.Generator) -> list[NoisyDraw]:
        """At each scale unbiased estimates of what is quadratic in value and gradient."""

    def first_order(self, theta: Real, rng: np.random.Generator) -> FirstOrderDraw:
        """What one draw adds to kappa, its budget and the second moment."""

    def frozen(self, theta: Real, rng: np.random.Generator) -> float:
        """sum_k g_k^2 at s = infinity; NaN where the engine does not have it."""


class Remade:
    """An engine that is copied and pickled as what it was made from, and made again there.

    Its tables follow from the problem, its working memory belongs to threads, and the memory limit to the machine.

    Args:
        program: The compiled problem.
        workers: Draws run at once, as asked for.
    """

    def __init__(self, program: CompiledProblem, workers: int | None) -> None:
        self._made_from: tuple[Any, ...] = (program, workers)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._made_from


class ExactAnswers(Remade, ABC):
    """What follows from exact gradients, power series and budgets; the generators that others need are left alone."""

    exact = True

    @abstractmethod
    def draw(self, theta: Real, scale: float, rng: np.random.Generator | None = None) -> Draw:
        """Value, <O^2> and gradient at one scale (0 to infinity)."""

    @abstractmethod
    def series(self, theta: Real) -> Real:
        """Taylor coefficients of the gradient in s at s = 0, shape (3, K)."""

    @abstractmethod
    def budget(self, theta: Real, direction: Real) -> Real:
        """Derivative along ``direction`` of <<O_l| E_j |rho_l>> for each of ``program.budget_terms``, at s = 0."""

    def noisy(self, theta: Real, scales: Sequence[float], rng: np.random.Generator | None = None) -> list[NoisyDraw]:
        """g_k^2, C^2 and <O^2> at each scale."""
        draws = [self.draw(theta, s) for s in scales]
        return [NoisyDraw(d.gradient, d.gradient**2, d.value**2, d.square) for d in draws]

    def frozen(self, theta: Real, rng: np.random.Generator | None = None) -> float:
        """sum_k g_k^2 at s = infinity; NaN where the noise has no such limit."""
        program: CompiledProblem = self._made_from[0]
        if not program.has_limit:
            return math.nan
        return float(np.sum(self.draw(theta, math.inf).gradient ** 2))

    def first_order(self, theta: Real, rng: np.random.Generator | None = None) -> FirstOrderDraw:
        """What one draw adds to kappa, its budget and the second moment, exactly."""
        g0, g1, g2 = self.series(theta)
        return FirstOrderDraw(
            gradient=g0,
            square=float(np.sum(g0 * g0)),  # not BLAS, whose sums depend on where arrays lie in memory
            slope=float(np.sum(g0 * g1)),
            curvature=float(np.sum(g1 * g1 + 2 * g0 * g2)),
            per_parameter=np.stack([g0**2, g0 * g1]),
            budget=self.budget(theta, g0),
        )


def check_serves(kind: type[Engine], program: CompiledProblem) -> None:
    """Refuses a problem that an engine cannot take.

    Raises:
        UnsupportedError: Why not, and which engine can.
    """
    reason = kind.obstacle(program)
    if reason is not None:
        raise UnsupportedError(f"the engine {kind.name!r} cannot serve this problem: {reason}.")


def memory_limit() -> int:
    """Bytes that the engine may use: 85 % of what is available now, or EQUINOISE_MEMORY_GB."""
    given = os.environ.get("EQUINOISE_MEMORY_GB")
    if given:
        try:
            return int(float(given) * 1e9)
        except ValueError:
            raise MemoryLimitError(f"EQUINOISE_MEMORY_GB must be a number of gigabytes, got {given!r}.") from None
    return int(0.85 * psutil.virtual_memory().available)


def about(number: int, unit: int = 1) -> str:
    """Three figures of a whole number in a unit, however large."""
    value = Decimal(number) / unit
    return f"{value:.3g}" if value > 10**15 else f"{float(value):.3g}"


def bounded(value: int | Decimal) -> float:
    """As a float; a number too large for one becomes 1e300."""
    return float(min(value, Decimal("1e300")))
