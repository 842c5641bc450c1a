"""The signal-to-noise ratio of a gradient from one shot: what a design keeps, draw by draw, and how two compare."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from equinoise.coherence.sample import Interval, PairedDraws, log_difference
from equinoise.design.sensitivity import first_order_budget
from equinoise.engines.contract import Engine
from equinoise.engines.draws import draw_generator, parallel_draws
from equinoise.engines.measured import MeasuredReadout
from equinoise.engines.select import select_engine
from equinoise.problem import Problem
from equinoise.reduction.shift_rules import gradient_rounding
from equinoise.sampling import Sampling

__all__ = ["Comparison", "Signal", "compare", "paired_ratios"]

Real = npt.NDArray[np.float64]

# two logarithms of scores that agree to this are the same design, rounded
_SAME = 1e-9
# sum g^2 without noise, with noise, with noise as read; Var(O)
_NOISELESS, _NOISY, _READ, _VARIANCE = range(4)


@dataclass
class Signal:
    """The draws of one placed design, and what they say.

    With V the ensemble's mean of sum_k g_k^2, w_k the noise of each parameter's shift rule
    (:func:`equinoise.reduction.shift_rules.shift_costs`) and Var(O) the variance from one shot in each setting,

        score = sqrt(V_read(s) / (Var(O) sum_k w_k)),

    the signal-to-noise ratio of the gradient from its shift rules with one shot per evaluation and setting; 1/score^2
    shots give ratio 1. A gradient that is rounding has score 0.

    Attributes:
        build: Makes the problem; called at each extension, so that no compiled problem outlives its draws.
        scale: Noise scale s.
        sampling: Of the draws; its number of samples is the most there may ever be, for the choice of an engine.
        engine: Its name; that asked for until the first draws.
        with_kappa: Whether the first draws also tell kappa.
        circuit_parameters: Number of parameters of the circuit.
        parameters: Number K of parameters in the light cone.
        width: Number of qubits in the light cone.
        shift_weight: Mean of w_k over the light cone's parameters; 1/2 for two-term rules.
        rounding: sum g^2 below which double precision tells nothing from 0.
        columns: sum g^2 at 0, at s, at s as read, and Var(O), by draw: shape (S, 4).
        slope: sum g g' of the first draws, with their sum g^2: shape (S', 2).
    """

    build: Callable[[], Problem]
    scale: float
    sampling: Sampling
    engine: str = field(init=False)
    with_kappa: bool = True
    circuit_parameters: int = 0
    parameters: int = 0
    width: int = 0
    shift_weight: float = 0.0
    rounding: float = 0.0
    columns: Real = field(default_factory=lambda: np.zeros((0, 4)))
    slope: Real = field(default_factory=lambda: np.zeros((0, 2)))

    def __post_init__(self) -> None:
        self.engine = self.sampling.engine

    @property
    def count(self) -> int:
        """Number of draws so far."""
        return int(self.columns.shape[0])

    def extend(self, samples: int) -> None:
        """Draws on up to ``samples`` in all; draw i is the same however many there are.

        Args:
            samples: Number of draws wanted in all.

        Raises:
            EquinoiseError: No engine serves.
        """
        problem = self.build()
        workers = self.sampling.workers
        chosen = select_engine(problem, self.engine, workers=workers, draws=6 * self.sampling.count)
        self.circuit_parameters = len(problem.parameters)
        self.engine, self.parameters, self.width = chosen.name, len(chosen.program.parameters), chosen.program.width
        self.rounding = float(np.sum(gradient_rounding(chosen.program) ** 2))
        measured = MeasuredReadout(chosen, workers)
        self.shift_weight = measured.shift_weight
        thetas = replace(self.sampling, samples=samples).draw(problem)
        first = self.count == 0 and self.with_kappa

        def one(number: int) -> tuple[list[float], tuple[float, float]]:
            rng = draw_generator(self.sampling.seed, number)
            row = self._draw(chosen, measured, thetas[number], int(rng.integers(2**63)))
            return row, _slope(chosen, thetas[number], rng) if first else (math.nan, math.nan)

        found = list(parallel_draws(one, range(self.count, len(thetas)), chosen.workers))
        if not found:
            return
        self.columns = np.concatenate([self.columns, np.array([row for row, _ in found])])
        if first:
            self.slope = np.array([slope for _, slope in found])

    def _draw(self, chosen: Engine, measured: MeasuredReadout, theta: Real, stream: int) -> list[float]:
        noisy, clean = chosen.noisy(theta, [self.scale, 0.0], np.random.default_rng(stream))
        read = measured.read(theta, self.scale, stream, noisy)
        return [*(float(d.gradient_square.sum()) for d in (clean, noisy, read)), read.variance]

    # -- what the draws say ----------------------------------------------------------------------------------------

    @property
    def mean(self) -> Real:
        """Means of the columns, shape (4,); 0 for gradients that are rounding, or negative as only sampling gives."""
        means = np.maximum(self.columns.mean(axis=0), 0.0)
        gradients = np.arange(means.size) != _VARIANCE
        return np.asarray(np.where(gradients & (means <= self.rounding), 0.0, means))

    @property
    def shot_variance(self) -> float:
        """Var(O) from one shot in each setting."""
        return float(self.mean[_VARIANCE])

    @property
    def noiseless_rms(self) -> float:
        """sqrt(V(0)/K), per radian."""
        return math.sqrt(self.mean[_NOISELESS] / max(1, self.parameters))

    @property
    def rms(self) -> float:
        """sqrt(V_read(s)/K), per radian: noise and assignment errors included."""
        return math.sqrt(self.mean[_READ] / max(1, self.parameters))

    @property
    def readout_factor(self) -> float:
        """What assignment errors leave of the RMS gradient."""
        _, noisy, read, _ = self.mean
        return math.sqrt(read / noisy) if noisy > 0 else 1.0

    @property
    def survival(self) -> float:
        """R(s) = sqrt(V(s)/V(0)); NaN where there is no gradient."""
        clean, noisy, _, _ = self.mean
        return math.sqrt(noisy / clean) if clean > 0 else math.nan

    @property
    def survival_interval(self) -> Interval:
        """95 % interval of R(s)."""
        if not self.mean[_NOISELESS] > 0:
            return (math.nan, math.nan)
        return self.paired.ratio("noisy", "clean", root=True).interval

    @property
    def score(self) -> float:
        """Signal-to-noise ratio of one shot."""
        if self.mean[_READ] == 0:
            return 0.0
        noise = self.shift_weight * self.shot_variance
        return self.rms / math.sqrt(noise) if noise > 0 else math.inf

    @property
    def interval(self) -> Interval:
        """95 % interval of the score over the draws."""
        if self.score == math.inf or self.columns[:, _READ].max() <= self.rounding:
            return (self.score, self.score)
        factor = 1.0 / (max(1, self.parameters) * self.shift_weight)
        return self.paired.ratio("read", "variance", factor=factor, root=True).interval

    @property
    def influence(self) -> Real:
        """How far each draw moves ln(score), shape (S,): 0.5 (g^2/mean - Var/mean)."""
        return self.paired.influence("read", "variance")

    @property
    def paired(self) -> PairedDraws:
        """The draws as columns clean, noisy, read and variance."""
        return PairedDraws(dict(zip(("clean", "noisy", "read", "variance"), self.columns.T, strict=True)))

    @property
    def kappa(self) -> tuple[float, float]:
        """The law's kappa and its standard error, from the first draws."""
        square, slope = self.slope.T
        if float(square.mean()) <= self.rounding:
            return 0.0, 0.0
        found = PairedDraws({"slope": slope, "square": square}).ratio("slope", "square", factor=-1.0)
        return found.value, found.error


@dataclass(frozen=True)
class Comparison:
    """ln(score of one) - ln(score of another).

    Attributes:
        difference: Of the logarithms.
        error: Standard error, common draws taken as paired.
        interval: 95 %.
        same: Whether they agree to rounding, which no further draw changes.
        told_apart: Whether 0 is outside the interval.
    """

    difference: float
    error: float
    interval: Interval
    same: bool
    told_apart: bool


def compare(one: Signal, other: Signal) -> Comparison:
    """Whether two designs' scores differ by more than their draws leave open.

    The interval is that of :func:`equinoise.coherence.sample.log_difference`.

    Args:
        one: Its draws.
        other: Draws with the same seed.
    """
    if not (0 < one.score < math.inf and 0 < other.score < math.inf):
        apart = one.interval[0] > other.interval[1] or one.interval[1] < other.interval[0]
        same = one.score == other.score and one.interval == other.interval
        return Comparison(math.nan, math.nan, (math.nan, math.nan), same, apart)
    difference = math.log(one.score) - math.log(other.score)
    if min(one.count, other.count) < 2:
        same = abs(difference) < _SAME
        return Comparison(difference, math.inf, (-math.inf, math.inf), same, False)
    found = log_difference(one.influence, other.influence)
    same = abs(difference) < _SAME and found.error < _SAME
    apart = abs(difference) > max(found.reach, _SAME)
    return Comparison(difference, found.error, (difference - found.reach, difference + found.reach), same, apart)


def paired_ratios(one: Signal, other: Signal) -> tuple[float, Interval, float]:
    """One circuit in two places: ratio of the RMS gradients as read, its 95 % interval, and ratio of the shots needed.

    Args:
        one: Its draws.
        other: Draws of the same circuit with the same seed; those that both have are used.
    """
    common = min(one.count, other.count)
    pair = ("one", one), ("other", other)
    paired = PairedDraws(
        {f"{name} {what}": each.paired.columns[what][:common] for name, each in pair for what in ("read", "variance")}
    )
    if not all(paired.mean(f"{name} read") > 0 for name, _ in pair):
        return math.nan, (math.nan, math.nan), math.nan
    found = paired.ratio("one read", "other read", root=True)
    variances = paired.ratio("one variance", "other variance").value
    return found.value, found.interval, variances / found.value**2


def _slope(engine: Engine, theta: Real, rng: np.random.Generator) -> tuple[float, float]:
    square, budget = first_order_budget(engine, theta, rng)
    return square, float(budget.sum())
