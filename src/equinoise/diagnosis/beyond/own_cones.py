"""A lower bound on V: the parameters that only those terms of the readout see whose cone an engine can do."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
from qiskit.quantum_info import SparsePauliOp

from equinoise.engines.evaluate import gradient_variance
from equinoise.engines.select import declarations
from equinoise.problem import Problem
from equinoise.reduction.light_cone import light_cone
from equinoise.sampling import Sampling

__all__ = ["OwnCones", "own_cones"]

_DRAWS = 64
_MOST_TERMS = 64


@dataclass(frozen=True)
class OwnCones:
    """E g_k^2 summed over the parameters that can be done.

    Attributes:
        noiseless: Lower 98 % end of their share of V(0).
        noisy: Likewise of V(s).
        parameters: How many.
        shift_weight: Variance of a two-term rule's estimate over Var(O)/N, at most.
    """

    noiseless: float
    noisy: float
    parameters: int
    shift_weight: float = 1.0


def own_cones(problem: Problem, scale: float, seconds: float, sampling: Sampling) -> OwnCones:
    """What the parameters with a small cone of their own add to V, cheapest cones first.

    g_k sees those terms of the readout alone whose light cone holds k's gate: of the others the derivative vanishes
    identically. So g_k of the readout is that of the sum of these terms, which may have a far smaller cone; and V, a
    sum of squares, is at least the sum over any of its parameters.

    Args:
        problem: The problem.
        scale: Noise scale s.
        seconds: Estimated seconds of one processor that all of it may take.
        sampling: Seed and workers.
    """
    # without the charge's projector, which sees every qubit, each term stands for itself
    if problem.projected or len(problem.readout) > _MOST_TERMS or len(problem.readout) < 2:
        return OwnCones(0.0, 0.0, 0)
    terms = [SparsePauliOp([p], [c]) for p, c in zip(problem.readout.paulis, problem.readout.coeffs, strict=True)]
    seen: dict[int, list[int]] = defaultdict(list)
    for number, term in enumerate(terms):
        for k in light_cone(problem.with_operator(term)).parameters:
            seen[k].append(number)
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for k, those in seen.items():
        groups[tuple(those)].append(k)
    noiseless = noisy = 0.0
    done = 0
    for numbers in sorted(groups, key=len):
        part = problem.with_operator(SparsePauliOp.sum([terms[i] for i in numbers]).simplify())
        cost = min((one.seconds for one in declarations(part) if one.serves), default=math.inf) * 3 * _DRAWS
        if cost > seconds:
            continue
        seconds -= cost
        found = gradient_variance(part, [0.0, scale], sampling=replace(sampling, samples=_DRAWS, engine="auto"))
        mine = groups[numbers]
        # the whole group's relative error stands for that of its parameters
        share = np.maximum(0.0, 1 - 2.4 * np.nan_to_num(found.standard_error / np.maximum(found.variance, 1e-300)))
        least = found.per_parameter[:, mine].sum(axis=1) * share
        noiseless, noisy, done = noiseless + float(least[0]), noisy + float(least[1]), done + len(mine)
    return OwnCones(noiseless, noisy, done)
