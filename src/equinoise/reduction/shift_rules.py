"""Parameter-shift rules gate by gate: what noise, how many evaluations and how much rounding a gradient collects."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from equinoise.circuit.gates import Matrix, Rotation
from equinoise.problem import Problem
from equinoise.reduction.compiled import CompiledProblem

__all__ = [
    "ShiftCosts",
    "ShiftPoint",
    "ShiftRule",
    "gradient_rounding",
    "shift_costs",
    "shift_evaluations",
    "shift_points",
    "shift_rule",
]

Real = npt.NDArray[np.float64]

# gaps of a generator's spectrum that agree to this share of its width are one frequency
_SAME = 1e-9
# a system of sines is solved with further shifts while its condition number is above this
_CONDITION = 1e6
# rounding of a gradient, in units of eps x depth x |dangle/dtheta| x |O|: below 8 in the small circuits that were tried
_ROUNDING = 64.0


@dataclass(frozen=True)
class ShiftRule:
    """f'(x) = sum_i d_i [f(x + x_i) - f(x - x_i)] for f of one gate's angle.

    Attributes:
        shifts: x_i > 0, radians of the gate's own angle.
        coefficients: d_i.
    """

    shifts: tuple[float, ...]
    coefficients: tuple[float, ...]

    @property
    def variance(self) -> float:
        """2 sum_i d_i^2: variance of the estimate over Var(O)/N, from N shots per evaluation."""
        return 2 * sum(d * d for d in self.coefficients)

    @property
    def evaluations(self) -> int:
        """Expectation values that the rule takes."""
        return 2 * len(self.shifts)


def shift_rule(generator: Matrix) -> ShiftRule:
    """The shift rule of a gate exp(-i x H), from the gaps of H's spectrum.

    C is a trigonometric polynomial in x whose frequencies W_1 < .. < W_R are those gaps. The shifts
    x_i = (2 i - 1) pi / (2 W_R) with d solving 2 sum_i d_i sin(W_r x_i) = W_r differentiate all of it. Equidistant gaps
    W, 2 W, .., R W give the known rules: two terms (R = 1, variance W^2/2), four (R = 2, 3 W^2/2), and 2 R terms of
    variance W^2 (2 R^2 + 1)/6. For other gaps these shifts are an assumption: other ones may take fewer shots.

    Args:
        generator: H, Hermitian, shape (d, d).

    Returns:
        No shifts for a multiple of the identity.

    Source:
        General equidistant rule: arXiv:2107.12390; four terms: arXiv:2104.05695.

    Example:
        >>> import numpy as np
        >>> shift_rule(np.diag([0.5, -0.5])).coefficients, shift_rule(np.diag([0.5, -0.5])).variance
        ((0.5,), 0.5)
        >>> round(shift_rule(np.diag([0.5, 0, 0, -0.5])).variance, 12)
        0.375
    """
    matrix = np.ascontiguousarray(generator, dtype=np.complex128)
    return _rule(matrix.tobytes(), matrix.shape[0])


@lru_cache(maxsize=4096)
def _rule(data: bytes, dim: int) -> ShiftRule:
    # exp(i x H) O exp(-i x H) has the phases exp(i x (h_a - h_b)), so C(x) = a_0 + sum_r (a_r cos W_r x + b_r sin W_r
    # x) with W_r the gaps. A difference of shifted values turns sin W x and cos W x into their derivatives, up to the
    # factor 2 sin(W x_i): the rule holds for all of them where sum_i d_i 2 sin(W_r x_i) = W_r, a linear system for d.
    values = np.linalg.eigvalsh(np.frombuffer(data, dtype=np.complex128).reshape(dim, dim))
    gaps = np.sort((values[:, None] - values[None, :]).ravel())
    gaps = gaps[gaps > _SAME * max(1.0, float(np.abs(values).max(initial=0.0)))]
    if not gaps.size:
        return ShiftRule((), ())
    frequencies = gaps[np.concatenate([[True], np.diff(gaps) > _SAME * gaps[-1]])]
    # as many shifts as frequencies suffice, unless two frequencies look alike at these shifts
    count = frequencies.size
    for more in range(count + 1):
        shifts = (2 * np.arange(count + more) + 1) * math.pi / (2 * frequencies[-1])
        sines = 2 * np.sin(np.outer(frequencies, shifts))
        if np.linalg.cond(sines) < _CONDITION:
            break
    coefficients = np.linalg.pinv(sines) @ frequencies
    return ShiftRule(tuple(shifts.tolist()), tuple(coefficients.tolist()))


@dataclass(frozen=True)
class ShiftCosts:
    """What the gradient of one readout takes, parameter by parameter; zeros outside the light cone.

    A parameter that enters gates j with dangle_j/dtheta_k = c_jk is shifted gate by gate, since no rule differentiates
    gates that share it at once: g_k = sum_j c_jk dC/dangle_j, and the shot noise of the gates adds up.

    Attributes:
        noise: Variance of each estimate over Var(O)/N, N shots per evaluation: sum_j c_jk^2 x the rule's, shape (K,).
        evaluations: Expectation values taken for each parameter, shape (K,).
        slopes: sum_j |c_jk| x the largest gap of H_j: the greatest change of C's phases per radian, shape (K,).
    """

    noise: Real
    evaluations: npt.NDArray[np.int64]
    slopes: Real

    @property
    def total(self) -> float:
        """Variance of all estimates together, over Var(O)/N."""
        return float(self.noise.sum())


def shift_costs(program: CompiledProblem) -> ShiftCosts:
    """What a parameter-shift gradient takes in the readout's light cone.

    Args:
        program: The compiled problem.

    Example:
        >>> import equinoise as eq
        >>> from equinoise.reduction.program import compile_problem
        >>> problem = eq.Problem(eq.circuits.brickwork(2, depth=1, interaction="none"), readout="Z0", initial="01")
        >>> shift_costs(compile_problem(problem)).noise.round(3).tolist()
        [0.375, 0.5, 0.5]
    """
    count = len(program.problem.parameters)
    noise, evaluations, slopes = np.zeros(count), np.zeros(count, dtype=np.int64), np.zeros(count)
    for _, rotation, inside in _open_rotations(program):
        rule = shift_rule(rotation.whole_generator)
        if not (inside and rule.shifts):
            continue
        largest = math.pi / (2 * rule.shifts[0])
        for k, coefficient in rotation.angle.coefficients:
            noise[k] += coefficient**2 * rule.variance
            evaluations[k] += rule.evaluations
            slopes[k] += abs(coefficient) * largest
    return ShiftCosts(noise, evaluations, slopes)


@dataclass(frozen=True)
class ShiftPoint:
    """One evaluation of a gradient's shift rules.

    Attributes:
        rotation: Which rotation of an open angle is shifted, as in :meth:`equinoise.problem.Problem.shiftable`.
        shift: By how much, radians.
        weight: sum_k (c_jk d_i)^2, its share in the variance of all estimates: they add up to ``ShiftCosts.total``.
    """

    rotation: int
    shift: float
    weight: float


def shift_points(program: CompiledProblem) -> tuple[ShiftPoint, ...]:
    """The evaluations that a parameter-shift gradient takes in the readout's light cone.

    Args:
        program: The compiled problem.
    """
    out = []
    for number, rotation, inside in _open_rotations(program):
        if inside:
            rule, slope = shift_rule(rotation.whole_generator), sum(c * c for _, c in rotation.angle.coefficients)
            for x, d in zip(rule.shifts, rule.coefficients, strict=True):
                out += [ShiftPoint(number, sign * x, slope * d * d) for sign in (1.0, -1.0)]
    return tuple(out)


def shift_evaluations(problem: Problem) -> npt.NDArray[np.int64]:
    """Expectation values that each parameter's shift rules take if every gate of the circuit is shifted, shape (K,)."""
    out = np.zeros(len(problem.parameters), dtype=np.int64)
    for layer in problem.layers:
        for rotation in (r for block in layer.blocks for r in block.rotations):
            for k, _ in rotation.angle.coefficients:
                out[k] += shift_rule(rotation.whole_generator).evaluations
    return out


def _open_rotations(program: CompiledProblem) -> Iterator[tuple[int, Rotation, bool]]:
    """The rotations whose angles hold parameters, in time order, and whether they lie in the light cone."""
    number = 0
    for layer, kept in zip(program.problem.layers, program.cone.blocks, strict=True):
        for i, block in enumerate(layer.blocks):
            for rotation in block.rotations:
                if rotation.angle.coefficients:
                    yield number, rotation, i in kept
                    number += 1


def gradient_rounding(program: CompiledProblem) -> Real:
    """The gradient of each parameter below which double precision tells nothing from zero, shape (K,), per radian.

    A gradient is a sum of products of c_jk, a gap of H_j and |O|, and each layer rounds it by some eps.

    Args:
        program: The compiled problem.
    """
    size = float(np.abs(np.asarray(program.problem.readout.coeffs, dtype=np.complex128)).sum())
    unit = _ROUNDING * np.finfo(np.float64).eps * max(1, len(program.problem.layers)) * size
    return unit * shift_costs(program).slopes
