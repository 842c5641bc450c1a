"""The draws of a diagnosis, taken by one engine, continued as far as is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from equinoise.coherence.fixed_point import fixed_point
from equinoise.coherence.rates import LAW_GRADIENTS
from equinoise.diagnosis.averages import Averages, DiagnosisDraw, Sampler
from equinoise.diagnosis.stopping import PROCESSORS, Plan, Watch
from equinoise.engines.draws import draw_generator, parallel_draws
from equinoise.engines.measured import MeasuredReadout
from equinoise.engines.select import Choice, choose, choose_engine, declarations, sampled_seconds
from equinoise.problem import Problem
from equinoise.sampling import Sampling

__all__ = ["Drawing", "draw_cost", "gradients_of", "until_decided"]

Real = npt.NDArray[np.float64]
Tell = Callable[[str, int, int], None]

# an engine whose draws take less than this many seconds on two processors is taken without asking another
_AT_ONCE = 2.0
# the clock stops the draws at so many times the limit that the engines' declared times stand for
_LATE = 2.0


def gradients_of(samples: int, points: int = 0) -> int:
    """How many gradients a diagnosis takes, for the choice of an engine.

    Args:
        samples: Number of parameter draws.
        points: Further scales of the survival curve.
    """
    return (LAW_GRADIENTS + 1 + points) * samples


def draw_cost(problem: Problem, engine: str, points: int = 0) -> float:
    """Seconds that an engine declares for one draw of a diagnosis, on one processor.

    Args:
        problem: The problem.
        engine: Its name.
        points: Further scales of the survival curve.
    """
    found = {one.engine: one for one in declarations(problem)}
    if engine == "trajectories":
        read = bool(problem.noise.readout_error)
        return sampled_seconds(found, 1 + points + read)
    return found[engine].seconds * gradients_of(1, points) if engine in found else float("inf")


@dataclass
class Drawing:
    """Draws so far.

    Attributes:
        problem: What is diagnosed.
        choice: Engine and reason.
        sampling: Seed, ensemble and workers.
        scales: The scale of the verdict, then further points of the survival curve.
        tell: Called with (stage, done, total).
        thetas: Angles so far, shape (S, K).
        draws: What each yields.
        interrupted: Whether the user stopped it.
    """

    problem: Problem
    choice: Choice
    sampling: Sampling
    scales: Sequence[float]
    tell: Tell
    thetas: Real = field(default_factory=lambda: np.zeros((0, 0)))
    draws: list[DiagnosisDraw] = field(default_factory=list)
    interrupted: bool = False

    def __post_init__(self) -> None:
        self.engine = self.choice.engine
        self.measured = MeasuredReadout(self.engine, self.sampling.workers)
        self._sampler = Sampler(self.engine, self.measured, self.scales)

    def to(self, count: int, most: int, stop: Callable[[], bool] | None = None) -> None:
        """Continues to a number of draws, or until ``stop`` says so, or the user interrupts after the second.

        Args:
            count: Draws in all; of given parameter values all.
            most: Draws that there may be, for the progress.
            stop: Asked after each draw.
        """
        self.thetas = replace(self.sampling, samples=count).draw(self.problem)
        todo = [(self.thetas[i], i) for i in range(len(self.draws), len(self.thetas))]

        def one(item: tuple[Real, int]) -> DiagnosisDraw:
            return self._sampler(item[0], draw_generator(self.sampling.seed, item[1]))

        try:
            for draw in parallel_draws(one, todo, self.engine.workers):
                self.draws.append(draw)
                self.tell("draws", len(self.draws), most)
                if stop is not None and stop():
                    break
        except KeyboardInterrupt:
            if len(self.draws) < 2:
                raise
            self.interrupted = True
        self.thetas = self.thetas[: len(self.draws)]

    @cached_property
    def fixed_point_kind(self) -> str:
        """What the noise's fixed point is."""
        return fixed_point(self.engine, self.thetas[0]).kind

    @property
    def averages(self) -> Averages:
        """Of the draws so far."""
        return Averages.of(self.draws, self.engine, self.scales)


def until_decided(
    start: Callable[[Choice], Drawing], problem: Problem, sampling: Sampling, plan: Plan, points: int, watch: Watch
) -> tuple[Drawing, str, tuple[str, ...]]:
    """Draws until the watch has nothing open, or a limit is reached.

    Args:
        start: Makes a drawing by an engine.
        problem: The problem.
        sampling: Engine, seed, ensemble and workers.
        plan: Precision and limits.
        points: Further scales of the survival curve.
        watch: Looks.

    Returns:
        The draws, why they ended, and what is open.
    """
    drawing, cost = _soonest(start, problem, sampling, plan, points)
    most, late = plan.most(cost), time.monotonic() + _LATE * plan.seconds
    count = plan.first(cost)
    while True:
        drawing.to(count, most, lambda: time.monotonic() > late)
        averages = drawing.averages
        open_ = watch.look(averages)
        if drawing.interrupted:
            return drawing, "interrupted", open_
        if not open_:
            return drawing, "decided", open_
        if len(drawing.draws) < count:
            return drawing, "clock", open_
        if count >= most:
            return drawing, "samples" if most == plan.samples else "seconds", open_
        count = watch.next(averages, open_, count, most)


def _soonest(
    start: Callable[[Choice], Drawing], problem: Problem, sampling: Sampling, plan: Plan, points: int
) -> tuple[Drawing, float]:
    """A drawing by the engine that reaches the precision soonest, and the seconds of one of its draws.

    What an exact engine needs at least is the first batch. Where that takes longer than a moment, a first batch of
    trajectories says how much they scatter, and so how many they would need; they are kept if they are the sooner.
    """
    if sampling.engine != "auto":
        drawing = start(choose_engine(problem, sampling.engine, workers=sampling.workers))
        return drawing, draw_cost(problem, drawing.engine.name, points)
    name, reason = choose(problem, workers=PROCESSORS, draws=gradients_of(plan.first(1.0), points))
    cost = draw_cost(problem, name, points)
    serves = any(one.serves for one in declarations(problem) if one.engine == "trajectories")
    exact = plan.first(cost) * cost / PROCESSORS
    if name == "trajectories" or not serves or exact <= _AT_ONCE:
        return start(_named(problem, name, reason, sampling)), cost
    sampled = draw_cost(problem, "trajectories", points)
    reason = "reaches the precision asked for soonest"
    pilot = start(_named(problem, "trajectories", reason, sampling))
    first = plan.first(sampled)
    pilot.to(first, first)
    needed = _needed(pilot.averages, plan, first)
    if pilot.interrupted or min(needed, plan.most(sampled)) * sampled / PROCESSORS <= exact:
        return pilot, sampled
    return start(_named(problem, name, reason, sampling)), cost


def _needed(averages: Averages, plan: Plan, count: int) -> float:
    """Draws after which R would be known to the precision, by how much these scatter."""
    watch = Watch(plan, lambda *_: "")
    ratio = watch.half_width(averages) / watch.target(averages)
    return max(float(count), count * ratio**2)


def _named(problem: Problem, name: str, reason: str, sampling: Sampling) -> Choice:
    """An engine with a reason of our own."""
    return replace(choose_engine(problem, name, workers=sampling.workers), reason=reason)
