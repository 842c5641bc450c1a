"""One case's law and survival, from the same draws: their difference is the law's and not the sample's."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from equinoise.coherence.bounds import Certificate, certificate
from equinoise.coherence.resummed import lasting_share, leading_order_survival, rate_variance, resummed_survival
from equinoise.engines.commutant.commutant import CommutantEngine
from equinoise.engines.draws import parallel_draws
from equinoise.engines.sector.exact import ExactEngine
from equinoise.engines.select import exact_engine, select_engine
from equinoise.engines.spin.permutation import PermutationEngine
from equinoise.evidence.frame.cases import Case, draws_per_case, x_grid
from equinoise.evidence.frame.channels import DEVICE, RATE, make_noise
from equinoise.evidence.frame.rows import Row
from equinoise.evidence.frame.study import Context
from equinoise.problem import Problem
from equinoise.sampling import Sampling

__all__ = ["Measured", "Survival", "evaluate", "evaluate_all", "evaluated", "in_parallel", "measure"]

Real = npt.NDArray[np.float64]

_UNTOUCHED = 1e-9


@dataclass(frozen=True)
class Measured:
    """One problem: the law's inputs and the exact survival, from the same draws.

    Attributes:
        samples: Number of draws, S.
        variance: V(0).
        kappa: Aligned coherence rate summed over slots.
        share: w0 = V(inf)/V(0).
        second_moment: m2.
        lasting: w0 as the law uses it.
        rate_variance: sigma_Gamma^2 of the decaying part, by which the law departs from an exponential.
        width: Qubits in the cone.
        parameters: Parameters in the cone.
        noise_class: "strong", "weak", ...
        certificate: Whether the bounds are proved here, and Gmax (of coherences).
        scales: Noise scales s, shape (m,).
        exact: R(s) = sqrt(V(s)/V(0)), shape (m,).
        squares: sum_k g_k^2 per draw at s = 0, shape (S,).
        slopes: sum_k g_k g'_k per draw, shape (S,).
        frozen: sum_k g_k^2 per draw at s = infinity, shape (S,).
        noisy: sum_k g_k^2 per draw and scale, shape (S, m).
    """

    samples: int
    variance: float
    kappa: float
    share: float
    second_moment: float
    lasting: float
    rate_variance: float
    width: int
    parameters: int
    noise_class: str
    certificate: Certificate
    scales: Real
    exact: Real
    squares: Real = field(repr=False)
    slopes: Real = field(repr=False)
    frozen: Real = field(repr=False)
    noisy: Real = field(repr=False)

    @property
    def untouched(self) -> bool:
        """Whether nothing decays: w0 = 1."""
        return abs(1.0 - self.share) < _UNTOUCHED

    @property
    def x(self) -> Real:
        """S kappa, shape (m,)."""
        return self.scales * self.kappa

    @property
    def leading(self) -> Real:
        """exp(-s kappa), shape (m,)."""
        return np.asarray(leading_order_survival(self.scales, self.kappa))

    @property
    def with_share(self) -> Real:
        """R^2 = w0 + (1 - w0) exp(-2 s kappa/(1 - w0)), shape (m,)."""
        return np.asarray(resummed_survival(self.scales, self.kappa, self.lasting, 0.0))

    @property
    def resummed(self) -> Real:
        """The resummed law, shape (m,)."""
        return np.asarray(resummed_survival(self.scales, self.kappa, self.lasting, self.rate_variance))


@dataclass(frozen=True)
class Survival(Measured):
    """One case of the grid, measured.

    Attributes:
        case: Which case.
    """

    case: Case

    def columns(self) -> Row:
        """What describes the case, for a table's rows."""
        c = self.case
        return {
            "case": c.label,
            "family": c.family,
            "member": c.member,
            "depth": c.depth,
            "qubits": c.num_qubits,
            "cone": self.width,
            "initial": c.initial,
            "readout": c.readout,
            "projected": c.projected,
            "samples": self.samples,
            "variance": self.variance,
            "kappa": self.kappa,
            "w0": self.share,
            "m2": self.second_moment,
            "c2": self.rate_variance,
        }


def evaluate(
    case: Case,
    sampling: Sampling,
    x: Sequence[float] | Real = (),
    *,
    problem: Problem | None = None,
    scales: Sequence[float] | Real | None = None,
) -> Survival:
    """One case at the scales s = x / kappa, one draw at a time.

    Args:
        case: The case.
        sampling: Draws, seed and ensemble; the engine is an exact one.
        x: Accumulated variable of the exact points; with kappa = 0 (nothing decays) s = x / 0.05 is used instead.
        problem: In place of ``case.problem()``.
        scales: Noise scales in place of x / kappa.
    """
    found = measure(case.problem() if problem is None else problem, sampling, x, scales=scales)
    return Survival(case=case, **vars(found))


def measure(
    problem: Problem,
    sampling: Sampling,
    x: Sequence[float] | Real = (),
    *,
    scales: Sequence[float] | Real | None = None,
) -> Measured:
    """One problem of any symmetry, as :func:`evaluate` does a case; its engine must be exact."""
    engine: ExactEngine | CommutantEngine | PermutationEngine
    if problem.by_charge:
        engine = exact_engine(problem, workers=1)
    else:
        engine = cast(CommutantEngine | PermutationEngine, select_engine(problem, workers=1))
    thetas = sampling.draw(problem)
    series = np.stack([engine.series(theta) for theta in thetas])
    g0, g1, g2 = series[:, 0], series[:, 1], series[:, 2]
    squares, slopes = (g0**2).sum(axis=1), (g0 * g1).sum(axis=1)
    frozen = np.array([_square(engine.draw(theta, math.inf).gradient) for theta in thetas])
    variance = float(squares.mean())
    kappa = float(-slopes.mean() / variance) + 0.0
    share = float(frozen.mean() / variance)
    moment = float((g1**2 + 2 * g0 * g2).sum(axis=1).mean() / (2 * variance))
    lasting = lasting_share(kappa, moment, share, dephasing=engine.program.dephases_only)
    touched = abs(1.0 - share) >= _UNTOUCHED
    if scales is None:
        scales = np.asarray(x) / (abs(kappa) if touched else RATE)
    wanted = np.asarray(scales, dtype=np.float64)
    noisy = np.array([[_square(engine.draw(theta, float(s)).gradient) for s in wanted] for theta in thetas])
    return Measured(
        samples=len(thetas),
        variance=variance,
        kappa=kappa,
        share=share,
        second_moment=moment,
        lasting=lasting,
        rate_variance=rate_variance(kappa, moment, lasting),
        width=engine.program.width,
        parameters=len(engine.program.parameters),
        noise_class=engine.program.noise_class,
        certificate=certificate(engine.program, sampling.ensemble),
        scales=wanted,
        exact=np.sqrt(noisy.mean(axis=0) / variance),
        squares=squares,
        slopes=slopes,
        frozen=frozen,
        noisy=noisy,
    )


def _square(gradient: Real) -> float:
    return float(gradient @ gradient)


@lru_cache(maxsize=4096)
def evaluated(case: Case, sampling: Sampling, points: tuple[float, ...]) -> Survival:
    """What :func:`evaluate` says of a case, kept in memory for the next study that asks."""
    return evaluate(case, sampling, points)


def evaluate_all(
    chosen: Sequence[Case], context: Context, samples: int | None = None, x: Sequence[float] | Real | None = None
) -> list[Survival]:
    """Every case, several at once; each case's seed depends on the study's seed and the case's label alone.

    Results are kept in memory: a second study on the same cases and draws does not repeat them.

    Args:
        chosen: The cases.
        context: Size, seed and workers.
        samples: Draws per case; :func:`equinoise.evidence.frame.cases.draws_per_case` by default.
        x: Accumulated variable of the exact points; :func:`equinoise.evidence.frame.cases.x_grid` by default.
    """
    points = tuple(float(v) for v in (x_grid(context.quick) if x is None else x))
    count = draws_per_case(context.quick) if samples is None else samples
    if any(case.family == DEVICE for case in chosen):
        make_noise(DEVICE, 2)  # the snapshot is read once, before the threads start
    return in_parallel(
        lambda case: evaluated(case, context.sampling(count, "grid", case.label), points), chosen, context
    )


def in_parallel(function: Callable[[Any], Any], items: Sequence[Any], context: Context) -> list[Any]:
    """function(item) for each item, in order, ``context.workers`` at once, with progress."""
    found = []
    for one in parallel_draws(function, items, context.workers or os.cpu_count() or 1):
        found.append(one)
        context.tick(len(found), len(items))
    return found
