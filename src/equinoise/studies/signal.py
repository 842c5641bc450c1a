"""The signal-to-noise ratio of a gradient from one shot: what a design keeps, draw by draw, and how two compare."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from equinoise.engines.draws import draw_generator, parallel_draws
from equinoise.engines.engine import Engine
from equinoise.engines.measured import MeasuredReadout
from equinoise.engines.select import select_engine
from equinoise.problem.ensemble import Ensemble
from equinoise.problem.problem import Problem
from equinoise.reduction.shift_rules import gradient_rounding
from equinoise.studies.sensitivity import first_order_budget

__all__ = ["Comparison", "Signal", "compare", "paired_ratios"]

Real = npt.NDArray[np.float64]
Interval = tuple[float, float]

_CONFIDENCE = 0.95
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
        seed: Of the draws.
        ensemble: Of the draws.
        engine: Its name; "auto" until the first draws.
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
    seed: int
    ensemble: Ensemble
    engine: str = "auto"
    with_kappa: bool = True
    circuit_parameters: int = 0
    parameters: int = 0
    width: int = 0
    shift_weight: float = 0.0
    rounding: float = 0.0
    columns: Real = field(default_factory=lambda: np.zeros((0, 4)))
    slope: Real = field(default_factory=lambda: np.zeros((0, 2)))

    @property
    def count(self) -> int:
        """Number of draws so far."""
        return int(self.columns.shape[0])

    def extend(
        self, samples: int, most: int, workers: int | None = None, progress: Callable[[int], None] | None = None
    ) -> None:
        """Draws on up to ``samples`` in all; draw i is the same however many there are.

        Args:
            samples: Number of draws wanted in all.
            most: Number of draws there may ever be, for the choice of an engine.
            workers: Draws run at once; all processors by default.
            progress: Called with 1 after each draw.

        Raises:
            EquinoiseError: No engine serves.
        """
        problem = self.build()
        chosen = select_engine(problem, self.engine, workers=workers, draws=6 * most)
        self.circuit_parameters = len(problem.parameters)
        self.engine, self.parameters, self.width = chosen.name, len(chosen.program.parameters), chosen.program.width
        self.rounding = float(np.sum(gradient_rounding(chosen.program) ** 2))
        measured = MeasuredReadout(chosen, workers)
        self.shift_weight = measured.shift_weight
        thetas = self.ensemble.draw(problem, samples, self.seed)
        first = self.count == 0 and self.with_kappa

        def one(number: int) -> tuple[list[float], tuple[float, float]]:
            rng = draw_generator(self.seed, number)
            row = self._draw(chosen, measured, thetas[number], int(rng.integers(2**63)))
            return row, _slope(chosen, thetas[number], rng) if first else (math.nan, math.nan)

        found = parallel_draws(one, range(self.count, len(thetas)), chosen.workers, progress)
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
        return _around(self.survival, 0.5 * (self._relative(_NOISY) - self._relative(_NOISELESS)))

    @property
    def score(self) -> float:
        """Signal-to-noise ratio of one shot."""
        if self.mean[_READ] == 0:
            return 0.0
        noise = self.shift_weight * self.shot_variance
        return self.rms / math.sqrt(noise) if noise > 0 else math.inf

    @property
    def interval(self) -> Interval:
        """95 % interval of the score, from the spread of its logarithm over the draws."""
        if 0 < self.score < math.inf:
            return _around(self.score, self.influence)
        if self.score > 0 or self.columns[:, _READ].max() <= self.rounding:
            return (self.score, self.score)
        squares = self.columns[:, _READ]
        high = float(squares.mean()) + _quantile(self.count) * _error(squares)
        scale = max(1, self.parameters) * self.shift_weight * self.shot_variance
        return (0.0, math.sqrt(max(0.0, high) / scale) if scale > 0 else math.inf)

    @property
    def influence(self) -> Real:
        """How far each draw moves ln(score), shape (S,): 0.5 (g^2/mean - Var/mean)."""
        return np.asarray(0.5 * (self._relative(_READ) - self._relative(_VARIANCE)))

    def _relative(self, column: int) -> Real:
        return np.asarray(self.columns[:, column] / max(self.mean[column], 1e-300) - 1.0)

    @property
    def kappa(self) -> tuple[float, float]:
        """The law's kappa and its standard error, from the first draws."""
        square, slope = self.slope.T
        total = float(square.mean())
        if total <= self.rounding:
            return 0.0, 0.0
        kappa = float(-slope.mean() / total) + 0.0
        return kappa, _error((slope + kappa * square) / total)


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

    With u the influence of a draw on ln(score), n draws each and m in common,
    error^2 = var(u_1)/n_1 + var(u_2)/n_2 - 2 m cov(u_1, u_2)/(n_1 n_2); the interval has Student's t with m - 1
    degrees of freedom.

    Args:
        one: Its draws.
        other: Draws with the same seed.
    """
    if not (0 < one.score < math.inf and 0 < other.score < math.inf):
        apart = one.interval[0] > other.interval[1] or one.interval[1] < other.interval[0]
        same = one.score == other.score and one.interval == other.interval
        return Comparison(math.nan, math.nan, (math.nan, math.nan), same, apart)
    a, b = one.influence, other.influence
    common = min(a.size, b.size)
    difference = math.log(one.score) - math.log(other.score)
    if common < 2:
        same = abs(difference) < _SAME
        return Comparison(difference, math.inf, (-math.inf, math.inf), same, False)
    shared = float(np.cov(a[:common], b[:common])[0, 1])
    square = a.var(ddof=1) / a.size + b.var(ddof=1) / b.size - 2 * common * shared / (a.size * b.size)
    error = math.sqrt(max(0.0, float(square)))
    reach = _quantile(common) * error
    same = abs(difference) < _SAME and error < _SAME
    apart = abs(difference) > max(reach, _SAME)
    return Comparison(difference, error, (difference - reach, difference + reach), same, apart)


def paired_ratios(one: Signal, other: Signal) -> tuple[float, Interval, float]:
    """One circuit in two places: ratio of the RMS gradients as read, its 95 % interval, and ratio of the shots needed.

    Args:
        one: Its draws.
        other: Draws of the same circuit with the same seed; those that both have are used.
    """
    common = min(one.count, other.count)
    a, b = (each.columns[:common] for each in (one, other))
    squares = a[:, _READ], b[:, _READ]
    if not all(column.mean() > 0 for column in squares):
        return math.nan, (math.nan, math.nan), math.nan
    ratio = math.sqrt(squares[0].mean() / squares[1].mean())
    variance = a[:, _VARIANCE].mean() / b[:, _VARIANCE].mean() if b[:, _VARIANCE].mean() > 0 else math.nan
    influence = 0.5 * (squares[0] / squares[0].mean() - squares[1] / squares[1].mean())
    return ratio, _around(ratio, influence), float(variance / ratio**2)


def _slope(engine: Engine, theta: Real, rng: np.random.Generator) -> tuple[float, float]:
    square, budget = first_order_budget(engine, theta, rng)
    return square, float(budget.sum())


def _quantile(count: int) -> float:
    return float(stdtrit(count - 1, 0.5 + _CONFIDENCE / 2)) if count > 1 else math.inf


def _error(values: Real) -> float:
    return float(values.std(ddof=1) / math.sqrt(values.size)) if values.size > 1 else math.nan


def _around(value: float, influence: Real) -> Interval:
    """95 % interval of a positive value from how far each draw moves its logarithm."""
    if influence.size < 2:
        return (-math.inf, math.inf)
    reach = _quantile(influence.size) * _error(influence)
    return value * math.exp(-reach), value * math.exp(min(reach, 700.0))
