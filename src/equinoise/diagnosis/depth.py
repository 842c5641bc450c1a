"""How deep a circuit of repeating layers can be before its gradient is lost in noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from equinoise.diagnosis.repetition import repeated, repetition
from equinoise.engines.evaluate import gradient_variance
from equinoise.engines.select import declarations
from equinoise.problem import Problem
from equinoise.reduction.shift_rules import gradient_rounding, shift_costs
from equinoise.reduction.symmetric_program import compiled
from equinoise.sampling import Sampling

__all__ = ["GreatestDepth", "greatest_depth"]

# one depth is tried only while its draws are estimated to stay below this many seconds on one processor
_AFFORDABLE = 2.0
# draws per depth; trajectories come in pairs and scatter more
_SAMPLES = 16
_SAMPLED = 32
_DEEPEST = 400
# a circuit of more gates than this is not built to be tried
_MOST_GATES = 40_000


@dataclass(frozen=True)
class GreatestDepth:
    """The greatest number of layers at which the gradient is still resolved.

    Attributes:
        depth: Layers in all; 0 if not even the shortest circuit is resolved.
        at_least: Whether the search ended at what the engines can do, so that the true depth may be greater.
        samples: Draws per depth.
        engine: Engine used at that depth; None if none was resolved.
    """

    depth: int
    at_least: bool
    samples: int
    engine: str | None = None


def greatest_depth(problem: Problem, threshold: float, scale: float, sampling: Sampling) -> GreatestDepth | None:
    """The greatest depth at which the RMS gradient per parameter is above a threshold at a noise scale.

    Depths in steps of the repetition are evaluated on a few draws, exactly where that is affordable, else on
    trajectories: upwards in doubling strides while the gradient is resolved and an engine can afford it, then halving
    between the last two; downwards step by step if it is not resolved to begin with.

    Args:
        problem: The problem; its layers and noise must repeat.
        threshold: RMS gradient that the shots resolve in the problem as it is; other depths take the same shots.
        scale: Noise scale s.
        sampling: Seed, ensemble and workers; the number of draws and the engine are those that a depth can afford.

    Returns:
        None where the layers do not repeat, and for given parameter values, which have no depth to go to.
    """
    how = repetition(problem)
    if how is None or sampling.given:
        return None

    used: dict[int, tuple[int, str]] = {}

    gates = max(len(layer.gates) for layer in problem.layers)
    here = compiled(problem)
    # the same shots at another depth: sum_k g_k^2 against sum_k w_k Var(O)/N
    per_weight = threshold**2 * len(here.parameters) / max(shift_costs(here).total, 1e-300)

    def resolved(depth: int) -> bool | None:
        if depth * gates > _MOST_GATES:
            return None
        candidate = repeated(problem, depth, how)
        options = [d for d in declarations(candidate) if d.serves]
        exact = min((d.seconds for d in options if d.error == "none"), default=math.inf)
        sampled = min((d.seconds for d in options if d.engine == "trajectories"), default=math.inf)
        if exact * _SAMPLES <= _AFFORDABLE:
            count, engine = _SAMPLES, "auto"
        elif 2 * sampled * _SAMPLED <= _AFFORDABLE:
            count, engine = _SAMPLED, "trajectories"
        else:
            return None
        result = gradient_variance(candidate, [scale], sampling=replace(sampling, samples=count, engine=engine))
        used[depth] = (count, result.engine)
        program = compiled(candidate)
        noise = shift_costs(program).total * per_weight
        return bool(result.variance[0] > max(noise, float(np.sum(gradient_rounding(program) ** 2))))

    def found(depth: int, at_least: bool) -> GreatestDepth:
        count, engine = used.get(depth, (_SAMPLES, None))
        return GreatestDepth(depth, at_least, count, engine)

    start, period = len(problem.layers), how.period
    answer = resolved(start)
    if not answer:
        for depth in range(start - period, how.ends, -period):
            deeper, answer = answer, resolved(depth)
            if answer:
                return found(depth, deeper is None)
        return found(0, False)
    # strides double while the gradient is resolved; then the gap to the depth where it is not is halved
    deepest = start + max(0, (_DEEPEST - start) // period) * period
    above: int | None = None
    best, stride, lost = start, period, False
    while best < deepest and (above is None or best + period < above):
        if above is None:
            depth, stride = min(best + stride, deepest), 2 * stride
        else:
            depth = best + (above - best) // (2 * period) * period
        answer = resolved(depth)
        if answer:
            best = depth
        else:
            above, lost = depth, answer is False
    return found(best, not lost)
