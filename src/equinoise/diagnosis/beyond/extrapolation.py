"""A verdict where no engine fits: from the depths that can be done, continued in depth, or from a lower bound."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from equinoise.coherence.fixed_point import fixed_point_of_generators
from equinoise.coherence.quantity import Quantity, Record
from equinoise.coherence.sample import Interval
from equinoise.diagnosis.beyond.depth_models import MODELS, DepthPoint, Size, extrapolated_variance, obstacle
from equinoise.diagnosis.beyond.own_cones import OwnCones, own_cones
from equinoise.diagnosis.repetition import repetition, shortened
from equinoise.diagnosis.shots import resolved_rms
from equinoise.diagnosis.verdict import Verdict, decide
from equinoise.engines.draws import check_scale, sampled_draws
from equinoise.engines.evaluate import gradient_variance
from equinoise.engines.measured import MeasuredReadout
from equinoise.engines.replica.average import average
from equinoise.engines.select import REPLICA, declarations, select_engine
from equinoise.errors import UnsupportedError
from equinoise.measurement import measurement_settings
from equinoise.problem import Problem
from equinoise.reduction.light_cone import LightCone, light_cone
from equinoise.reduction.program import Program
from equinoise.reduction.symmetric_program import compiled
from equinoise.sampling import Sampling
from equinoise.text.notebook import facts_text

__all__ = ["Extrapolation", "extrapolate", "no_engine_fits"]

# estimated seconds of one processor that one depth may take
_EACH = 3.0
# depths tried, from half of the greatest one on
_DEPTHS = 5
# no engine simulates wider cones within that time
_WIDEST = 36
_FEWEST_DRAWS, _MOST_DRAWS = 32, 256
# of averages without sampling: their error asked for, and what they take over the estimate for one of 1 %
_RELATIVE_ERROR, _LONGER = 0.03, 1.2
_READ_DRAWS = 32
# Var(O) beyond the depths done: at least this share of what it was there
_SHOT_SHARE = 0.8


@dataclass(frozen=True)
class Extrapolation:
    """What is said of a problem whose cone no engine can simulate; nothing here was computed at its own depth.

    Attributes:
        problem: What was asked about.
        scale: Noise scale s.
        size: Its cone.
        points: The depths that were computed, ascending; none where the layers do not repeat.
        noiseless: Interval of V(0) = E sum_k g_k^2 over the models, and over errors.
        noisy: Likewise of V(s).
        models: In words; both ends of each interval are ends of these.
        bounded: Parameters of the lower bound, where the layers do not repeat; 0 where it was extrapolated.
        readout_factor: RMS gradient of the measured over the ideal readout, at the depth ``read_at``.
        threshold: Interval of the RMS gradient that the shots resolve, per radian.
        shots: Per expectation value.
        verdict: One word, where the whole intervals agree, else "undecided"; and its reason.
        assumptions: What is not known to hold.
        sampling: What was asked of the draws.
    """

    problem: Problem = field(repr=False)
    scale: float
    size: Size
    points: tuple[DepthPoint, ...]
    noiseless: Interval
    noisy: Interval
    models: tuple[str, ...]
    bounded: int
    readout_factor: float
    threshold: Interval
    shots: int
    verdict: Verdict
    assumptions: tuple[str, ...]
    sampling: dict[str, Any]

    @property
    def record(self) -> Record:
        """All of it as plain data."""
        return Record.of(self, EXTRAPOLATION)

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON holds it; infinity becomes null."""
        return dict(self.record.data)

    def rms_interval(self, variance: Interval) -> Interval:
        """sqrt(V/K) for an interval of V, per radian."""
        low, high = (math.sqrt(end / max(1, self.size.parameters)) for end in variance)
        return low, high

    @property
    def method(self) -> str:
        """In a few words, where the answer comes from."""
        if self.points:
            done = ", ".join(str(point.size.depth) for point in self.points)
            return f"extrapolated from depths {done} to {self.size.depth}"
        return f"lower bound from {self.bounded} of {self.size.parameters} parameters"

    def __str__(self) -> str:
        clean, noisy = (self.rms_interval(v) for v in (self.noiseless, self.noisy))
        facts = {
            "cone": f"{self.size.width} qubits, {self.size.depth} layers, {self.size.parameters} parameters: no engine "
            "fits",
            "gradient": f"RMS between {noisy[0]:.2g} and {noisy[1]:.2g} at s = {self.scale:g}, between "
            f"{clean[0]:.2g} and {clean[1]:.2g} without noise; {self.method}",
            "assumed": "; ".join(self.assumptions),
        }
        label = "extrapolated" if self.points else "lower bound"
        return facts_text(f"{self.verdict.word} ({label}): {self.verdict.reason}", facts)


_RADIAN = "per radian"
EXTRAPOLATION: tuple[Quantity[Extrapolation], ...] = (
    Quantity("schema", lambda _: "equinoise.extrapolation/1"),
    Quantity("method", lambda x: x.method),
    Quantity("scale", lambda x: x.scale, open=math.inf),
    Quantity("cone", lambda x: x.size),
    Quantity("depths_done", lambda x: x.points),
    Quantity("models", lambda x: x.models),
    Quantity("noiseless.variance", lambda x: x.noiseless, open=math.inf),
    Quantity("noiseless.rms_interval", lambda x: x.rms_interval(x.noiseless), _RADIAN, open=math.inf),
    Quantity("noisy.variance", lambda x: x.noisy, open=math.inf),
    Quantity("noisy.rms_interval", lambda x: x.rms_interval(x.noisy), _RADIAN, open=math.inf),
    Quantity("bounded_parameters", lambda x: x.bounded),
    Quantity("readout_factor", lambda x: x.readout_factor),
    Quantity("resolved_rms", lambda x: x.threshold, _RADIAN),
    Quantity("shots", lambda x: x.shots),
    Quantity("sampling", lambda x: x.sampling),
    Quantity("verdict", lambda x: x.verdict.word),
    Quantity("verdict_reason", lambda x: x.verdict.reason),
    Quantity("assumptions", lambda x: x.assumptions),
)
"""All that an extrapolation says."""

_ASSUMED = (
    "V/K falls no faster than an exponential in depth or width and no slower than 3/4 of the last power (measured, "
    "not proved)",
    "input, gates and noise beyond the depths done are like those within",
)


def no_engine_fits(problem: Problem) -> bool:
    """Whether no engine that draws can take a problem in the memory there is."""
    return not any(one.serves for one in declarations(problem) if one.engine != REPLICA)


def extrapolate(
    problem: Problem,
    scale: float = 1.0,
    *,
    shots: int = 10_000,
    sampling: Sampling | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Extrapolation:
    """A verdict on a circuit too deep and wide to simulate, from its last layers alone.

    Circuits of the same ends and fewer layers are done; V(0) and V(s) are continued to the asked depth by a family of
    models, and the verdict has a word only where the whole interval agrees. Validated in one dimension, see
    docs/law.md. Where the layers do not repeat, the parameters that only simulable terms of the readout see give a
    lower bound on V.

    Args:
        problem: The problem.
        scale: Noise scale s.
        shots: Per expectation value and measurement setting.
        sampling: Seed and workers; the angles are uniform, and engine and number of draws are what a depth affords.
        progress: Called with (stage, done, total).

    Raises:
        ParameterError: The scale does not fit.
        UnsupportedError: The angles are not uniform: nothing is known of how V falls with depth then.

    Source:
        arXiv:2606.30688 (V); the models are our own measurement.

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.brickwork(6, depth=10)
        >>> problem = eq.Problem(circuit, readout="Z3", initial="neel", noise="relaxation:0.01")
        >>> eq.extrapolate(problem).verdict.word
        'trainable'
    """
    s, sampling = check_scale(scale), Sampling.of(sampling, samples=_MOST_DRAWS)
    if sampling.ensemble.kind != "uniform":
        raise UnsupportedError(
            f"no engine fits, and for the ensemble {sampling.ensemble.describe()} nothing is known of how V falls with "
            "depth: only uniform angles are extrapolated. Use fewer layers or a more local readout."
        )
    how, cone = repetition(problem), light_cone(problem)
    size = _size(problem, cone)
    if how is None or _across_layers(problem):
        bound = own_cones(problem, s, _EACH * _DEPTHS, sampling)
        return _bounded(problem, s, size, bound, shots, sampling)
    points: list[DepthPoint] = []
    build = cache(lambda depth: shortened(problem, depth, how))
    depths = _affordable(build, cone, how.ends + 1)
    for number, depth in enumerate(depths):
        if progress is not None:
            progress("shallower circuits", number, len(depths))
        points += _point(build(depth), s, sampling)
    reason = obstacle(points, size)
    noiseless, noisy = ((0.0, math.inf), (0.0, math.inf)) if reason else extrapolated_variance(points, size)
    shot = _Shots.of([build(depth) for depth in depths or [how.ends + 1]], s, shots, sampling)
    found = Extrapolation(
        problem, s, size, tuple(points), noiseless, noisy, MODELS, 0, shot.factor, shot.threshold, shots,
        Verdict("undecided", reason or ""), _ASSUMED, sampling.plain(),
    )  # fmt: skip
    return found if reason else replace(found, verdict=_verdict(found))


def _verdict(found: Extrapolation) -> Verdict:
    """The word on which both ends of the threshold agree; what noise leaves for good is not extrapolated."""
    noisy = found.rms_interval(found.noisy)
    read = (noisy[0] * found.readout_factor, noisy[1] * found.readout_factor)
    clean = found.rms_interval(found.noiseless)
    kind = fixed_point_of_generators(_cone_program(found.problem)).kind
    first, second = (decide(clean, read, line, (0.0, 1.0), kind, found.shots) for line in found.threshold)
    if first.word == second.word:
        return second
    return Verdict(
        "undecided",
        f"the RMS gradient lies between {read[0]:.2g} and {read[1]:.2g}; {found.threshold[0]:.2g} to "
        f"{found.threshold[1]:.2g} is what {found.shots:,} shots per expectation value resolve",
    )


def _cone_program(problem: Problem) -> Program:
    program = compiled(problem)
    return program if isinstance(program, Program) else Program(problem)


def _size(problem: Problem, cone: LightCone) -> Size:
    seen = sum(map(len, cone.seen))
    noise = sum(term.strength for slot in cone.slots for term in slot.terms)
    return Size(len(problem.layers), cone.width, len(cone.parameters), noise / max(1, seen))


def _across_layers(problem: Problem) -> bool:
    """Whether a parameter stands in several layers, so that sum_k g_k^2 does not add up over layers."""
    found: set[int] = set()
    for layer in problem.layers:
        here = {k for gate in layer.gates for rotation in gate.rotations for k, _ in rotation.angle.coefficients}
        if here & found:
            return True
        found |= here
    return False


# -- the depths that can be done ---------------------------------------------------------------------------------------


def _affordable(build: Callable[[int], Problem], cone: LightCone, least: int) -> list[int]:
    """Some depths up to the greatest one that an engine can afford, from half of it on."""
    layers = len(cone.seen)
    for deepest in range(layers - 1, least - 1, -1):
        # the last layers see what they see in the whole circuit
        if len(cone.seen[layers - deepest]) <= _WIDEST and _plan(build(deepest)) is not None:
            first = max(least, deepest // 2)
            return sorted({round(depth) for depth in np.linspace(first, deepest, _DEPTHS)})
    return []


def _plan(candidate: Problem) -> tuple[str, int] | None:
    """Engine and number of draws that a depth affords (0: an average without draws); None if none does."""
    options = [one for one in declarations(candidate) if one.serves]
    cheapest = min((one.seconds for one in options if one.engine == REPLICA), default=math.inf)
    if 2 * _LONGER * cheapest <= _EACH:
        return REPLICA, 0
    exact = min((one for one in options if one.error == "none"), key=lambda one: one.gradient, default=None)
    plans: list[tuple[float, str]] = [] if exact is None else [(2 * exact.gradient, exact.engine)]
    plans += [(3 * one.gradient, one.engine) for one in options if one.engine == "trajectories"]
    if not plans:
        return None
    seconds, engine = min(plans)
    draws = int(min(_MOST_DRAWS, _EACH / seconds))
    return (engine, draws) if draws >= _FEWEST_DRAWS else None


def _point(candidate: Problem, scale: float, sampling: Sampling) -> list[DepthPoint]:
    """V(0) and V(s) of a circuit; none where nothing is seen of a gradient."""
    plan, size = _plan(candidate), _size(candidate, light_cone(candidate))
    if plan is None or not size.parameters:
        return []
    engine, draws = plan
    if engine == REPLICA:
        mean = average(candidate, (0.0, scale), _RELATIVE_ERROR, workers=sampling.workers)
        value, error = mean.variance, mean.error
    else:
        drawn = gradient_variance(candidate, [0.0, scale], sampling=replace(sampling, engine=engine, samples=draws))
        value, error = drawn.variance, drawn.standard_error
    if min(value) <= 0 or max(error / value) > 0.5:
        return []
    clean, noisy = map(float, value)
    return [DepthPoint(size, clean, noisy, float(error[0]), float(error[1]), engine)]


# -- shots -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shots:
    """Readout factor and threshold, from a shallower circuit."""

    factor: float
    threshold: Interval

    @classmethod
    def of(cls, candidates: Sequence[Problem], scale: float, shots: int, sampling: Sampling) -> _Shots:
        """At the greatest depth whose single draws cost next to nothing.

        Var(O) there is continued to between a share of it and the most that the readout can have.
        """
        cheap = [one for one in candidates if _draw_seconds(one) < _EACH / 300]
        candidate = cheap[-1] if cheap else candidates[0]
        engine = select_engine(candidate, workers=sampling.workers, draws=2 * _READ_DRAWS)
        measured = MeasuredReadout(engine, sampling.workers)
        thetas = replace(sampling, samples=_READ_DRAWS).draw(candidate)

        def one(theta: Any, rng: np.random.Generator) -> tuple[float, float, float]:
            stream = int(rng.integers(2**63))
            (ideal,) = engine.noisy(theta, [scale], np.random.default_rng(stream))
            read = measured.read(theta, scale, stream, ideal)
            return float(ideal.gradient_square.sum()), float(read.gradient_square.sum()), read.variance

        drawn = np.array(list(sampled_draws(one, thetas, sampling.seed, engine.workers)))
        ideal, read, variance = drawn.mean(axis=0)
        lines = (_SHOT_SHARE * max(0.0, float(variance)), _most_variance(candidate))
        low, high = (resolved_rms(one, shots, measured.shift_weight) for one in lines)
        return cls(math.sqrt(max(0.0, read) / ideal) if ideal > 0 else 1.0, (low, high))


def _draw_seconds(candidate: Problem) -> float:
    return min(
        (one.seconds for one in declarations(candidate) if one.serves and one.engine != REPLICA), default=math.inf
    )


def _most_variance(problem: Problem) -> float:
    """The most that one shot in each setting can scatter: the squared largest size of what the settings read."""
    settings = measurement_settings(problem.readout, {})
    return sum(float(np.abs(setting.ideal.coeffs).sum()) ** 2 for setting in settings)


# -- layers that do not repeat -----------------------------------------------------------------------------------------


def _bounded(
    problem: Problem, scale: float, size: Size, bound: OwnCones, shots: int, sampling: Sampling
) -> Extrapolation:
    """A lower bound on V from some parameters, and the verdict where that is enough."""
    high = resolved_rms(_most_variance(problem), shots, bound.shift_weight)
    found = Extrapolation(
        problem, scale, size, (), (bound.noiseless, math.inf), (bound.noisy, math.inf), (), bound.parameters, 1.0,
        (high, high), shots, Verdict("undecided", ""),
        ("the layers do not repeat, or share parameters: V is known from below alone",), sampling.plain(),
    )  # fmt: skip
    least = found.rms_interval(found.noisy)[0]
    line = f"{high:.2g} is what {shots:,} shots per expectation value resolve"
    kind = fixed_point_of_generators(_cone_program(problem)).kind
    word = "trainable" if least >= high and kind != "classical" and not problem.noise.readout_error else "undecided"
    return replace(found, verdict=Verdict(word, f"the RMS gradient is at least {least:.2g}; {line}"))
