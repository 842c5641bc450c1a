"""The draws of a diagnosis and their means: V without noise, at the scale, as it is read, for good, and beyond."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.coherence.law_record import Law
from equinoise.coherence.rates import FirstOrder, collect
from equinoise.coherence.sample import Interval, PairedDraws, Sampled
from equinoise.engines.contract import Engine
from equinoise.engines.draws import FirstOrderDraw
from equinoise.engines.measured import MeasuredReadout
from equinoise.reduction.compiled import CompiledProblem
from equinoise.reduction.shift_rules import gradient_rounding

__all__ = ["Averages", "DiagnosisDraw", "MechanismShare", "Sampler", "Simulation", "SurvivalPoint"]

Real = npt.NDArray[np.float64]

_COLUMNS = ("clean", "noisy", "read", "frozen")


@dataclass(frozen=True)
class Simulation:
    """What the noisy simulation itself says at the scale asked for.

    Attributes:
        sampled: Whether trajectories were sampled (unbiased, their error in the intervals), or every draw is exact.
        survival: R(s) = sqrt(V(s)/V(0)) over the draws.
        interval: 95 % interval of R.
        rms_gradient: sqrt(V(s)/K), K parameters in the cone; per radian.
        rms_interval: 95 % interval of it.
        direction: D(s) = E g(0).g(s) / sqrt(V(0) V(s)), the cosine between ideal and noisy gradient; NaN where
            either vanishes.
        direction_interval: 95 % interval of it.
    """

    sampled: bool
    survival: float
    interval: Interval
    rms_gradient: float
    rms_interval: Interval
    direction: float
    direction_interval: Interval


@dataclass(frozen=True)
class SurvivalPoint:
    """One simulated point of the survival curve.

    Attributes:
        scale: Noise scale s.
        survival: R(s) over the draws.
        law: Resummed law at s.
        direction: D(s) over the draws, as in :class:`Simulation`.
        direction_interval: 95 % interval of it.
        law_direction: By the direction law; NaN where its condition is not proved.
    """

    scale: float
    survival: float
    law: float
    direction: float
    direction_interval: Interval
    law_direction: float


@dataclass(frozen=True)
class MechanismShare:
    """How much of kappa a kind of noise costs.

    Attributes:
        mechanism: Its name.
        share: Of kappa; negative where this noise strengthens the gradient.
        interval: 95 % interval of it.
    """

    mechanism: str
    share: float
    interval: Interval


@dataclass(frozen=True)
class DiagnosisDraw:
    """One draw's share.

    Attributes:
        first: First order at s = 0.
        squares: Sum of g^2 at (s, s as read, infinity, further scales).
        products: Sum of g(0) g at (s, further scales).
        variance: Var(O) of one shot, as read.
    """

    first: FirstOrderDraw
    squares: Real
    products: Real
    variance: float


@dataclass(frozen=True)
class Sampler:
    """Makes the draws; called from several threads.

    Attributes:
        engine: Simulates.
        measured: The readout as it is really measured.
        scales: The scale of the verdict, then further points of the survival curve.
    """

    engine: Engine
    measured: MeasuredReadout
    scales: Sequence[float]

    def __call__(self, theta: Real, rng: np.random.Generator) -> DiagnosisDraw:
        """One draw, for angles theta of shape (K,)."""
        first, frozen = self.engine.first_order(theta, rng), self.engine.frozen(theta, rng)
        stream = int(rng.integers(2**63))
        noisy = self.engine.noisy(theta, self.scales, np.random.default_rng(stream))
        read = self.measured.read(theta, self.scales[0], stream, noisy[0])
        seen = (noisy[0].gradient_square, read.gradient_square, *(d.gradient_square for d in noisy[1:]))
        squares = [float(each.sum()) for each in seen]
        # g(0) is exact, and g(s) unbiased: so is their product
        products = np.array([float(np.sum(first.gradient * each.gradient)) for each in noisy])
        return DiagnosisDraw(first, np.array([*squares[:2], frozen, *squares[2:]]), products, read.variance)


@dataclass(frozen=True)
class Averages:
    """Everything that a diagnosis averages, over the same draws.

    Attributes:
        first: First order at s = 0.
        columns: Sum of g^2 without noise, at s, at s as read, at infinity, at further scales; shape (S, 4 + points).
        products: Sum of g(0) g at s, then at further scales; shape (S, 1 + points).
        scales: s, then the further scales.
        parameters: K, parameters in the cone; at least 1.
        shot_variance: Mean Var(O) of one shot.
        exact: Whether every draw is exact.
    """

    first: FirstOrder
    columns: Real
    products: Real
    scales: Sequence[float]
    parameters: int
    shot_variance: float
    exact: bool

    @classmethod
    def of(cls, draws: Sequence[DiagnosisDraw], engine: Engine, scales: Sequence[float]) -> Averages:
        """Collects the draws; what rounding alone leaves of a gradient is set to 0."""
        program = engine.program
        first, squares = collect([d.first for d in draws], program), np.stack([d.squares for d in draws])
        squares[:, squares.mean(axis=0) <= np.sum(gradient_rounding(program) ** 2)] = 0.0
        return cls(
            first=first,
            columns=np.column_stack([first.square, squares]),
            products=np.stack([d.products for d in draws]),
            scales=scales,
            parameters=max(1, len(program.parameters)),
            shot_variance=max(0.0, float(np.mean([d.variance for d in draws]))),
            exact=engine.exact,
        )

    @property
    def paired(self) -> PairedDraws:
        """Columns clean, noisy, read and frozen."""
        return PairedDraws(dict(zip(_COLUMNS, self.columns.T, strict=False)))

    @property
    def draws(self) -> PairedDraws:
        """What two diagnoses are compared by: sums of g(0)^2, g^2, g^2 as read, g(0) g, and g g' at s = 0."""
        names = ("clean", "noisy", "read", "cross", "slope")
        columns = (*self.columns.T[:3], self.products[:, 0], self.first.slope)
        return PairedDraws(dict(zip(names, columns, strict=True)))

    def mechanisms(self, program: CompiledProblem) -> tuple[MechanismShare, ...]:
        """Kappa's parts by kind of noise, costliest first; none where kappa cannot be told from 0."""
        low, high = self.first.over_square(self.first.slope, factor=-1.0).interval
        if low <= 0 <= high:
            return ()
        names, out = [term.mechanism for term in program.budget_terms], []
        for name in dict.fromkeys(names):
            part = self.first.budget[:, [each == name for each in names]].sum(axis=1)
            found = PairedDraws({"part": part, "whole": self.first.slope}).ratio("part", "whole")
            out.append(MechanismShare(name, found.value, found.interval))
        return tuple(sorted(out, key=lambda one: -one.share))

    @property
    def frozen(self) -> Real:
        """Sum of g^2 at s = infinity, shape (S,)."""
        return self.columns[:, 3]

    @property
    def known(self) -> list[tuple[float, Real]]:
        """(scale, sum of g^2 of shape (S,)) at each scale, ascending."""
        pairs = zip(self.scales, [self.columns[:, 1], *self.columns[:, 4:].T], strict=True)
        return sorted(pairs, key=lambda point: point[0])

    @property
    def vanishes(self) -> bool:
        """Whether there is no gradient even without noise."""
        return bool(self.columns[:, 0].mean() == 0)

    def rms(self, name: str) -> float:
        """sqrt(V/K) of a column, per radian; 0 where an unbiased estimate of V falls below 0."""
        return math.sqrt(max(0.0, float(self.columns[:, _COLUMNS.index(name)].mean())) / self.parameters)

    def rms_interval(self, name: str, confidence: float = 0.95) -> Interval:
        """The interval of it."""
        return self.paired.ratio(name, factor=1 / self.parameters, root=True, confidence=confidence).interval

    def direction(self, point: int = 0, confidence: float = 0.95) -> Sampled:
        """D at the scale (point 0) or at a further one: the cosine between ideal and noisy gradient.

        Args:
            point: Place in ``scales``.
            confidence: Of the interval.
        """
        noisy = self.columns[:, 3 + point if point else 1]
        draws = PairedDraws({"cross": self.products[:, point], "clean": self.columns[:, 0], "noisy": noisy})
        return draws.cosine("cross", "clean", "noisy", confidence=confidence)

    def simulation(self) -> Simulation:
        """What the noisy simulation says."""
        clean, noisy = self.columns[:, :2].mean(axis=0)
        direction = self.direction()
        return Simulation(
            sampled=not self.exact,
            survival=math.sqrt(max(0.0, noisy) / clean) if clean > 0 else math.nan,
            interval=self.paired.ratio("noisy", "clean", root=True).interval,
            rms_gradient=self.rms("noisy"),
            rms_interval=self.rms_interval("noisy"),
            direction=direction.value,
            direction_interval=direction.interval,
        )

    def curve(self, law: Law) -> tuple[SurvivalPoint, ...]:
        """The further points; none where there is no gradient."""
        if self.vanishes:
            return ()
        means, out = self.columns.mean(axis=0), []
        for point, x in enumerate(self.scales[1:], start=1):
            survival, found = math.sqrt(max(0.0, means[3 + point]) / means[0]), self.direction(point)
            known = float(law.survival(x)), found.value, found.interval, law.direction(x)
            out.append(SurvivalPoint(x, survival, *known))
        return tuple(out)
