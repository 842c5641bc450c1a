"""Phases 7 and 19: the second moment of a loss's gradient against that of the prediction, teacher and student.

The input is a basis state, on which the data are a global phase. The teacher's score is then one number for all x, its
median is that number, and which label an x gets is decided by the last bit of rounding. Both labels are computed here,
and the published value must lie between. The ratio of the two moments is a mean of l'(f)^2, which for logistic loss is
1/4 where the prediction is at the threshold: that is their "ceiling".
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from equinoise.engines.select import exact_engine
from equinoise.evidence.frame.measured_cases import in_parallel
from equinoise.evidence.frame.rows import Row
from equinoise.evidence.frame.study import Context
from equinoise.evidence.published.kraus_channels import kraus_channel
from equinoise.evidence.published.published_tables import PublishedTables
from equinoise.evidence.published.ring import SMALL_BOX, WIDE_BOX, Ring, nested_draws
from equinoise.problem import Problem

__all__ = ["loss_rows"]

Real = npt.NDArray[np.float64]

_ROUNDING = 1e-9


def _logistic(score: Real, label: float) -> Real:
    """l'(f)^2 of ln(1 + exp(-y f))."""
    return np.asarray((1 + np.exp(label * score)) ** -2.0)


def loss_rows(tables: PublishedTables, context: Context) -> list[Row]:
    """Each row of both phases: the published quotient of second moments beside ours with either label.

    Label noise flips labels that mean nothing, and an imbalanced threshold is the same number: these change nothing but
    the draws. "between" says whether the published value lies within what the two labels give.
    """
    first = tables.rows("phase7_loss_grad", ("gL", "gamma", "kappa_empirical"), ("channel",))
    variants = tables.rows("phase19_robust_ts", ("gamma_L", "kappa"), ("variant", "channel"))
    items = [
        ("7", "logistic", row["channel"], row["gL"], row["kappa_empirical"])
        for row in first
        if not (context.quick and (row["channel"] == "x_err" or row["gL"] not in (0.01, 0.3)))
    ]
    items += [("19", row["variant"], row["channel"], row["gamma_L"], row["kappa"]) for row in variants]
    return in_parallel(lambda item: _row(*item), items, context)


def _row(phase: str, variant: str, channel: str, strength: float, published: float) -> Row:
    found = np.array(_quotients(phase, variant, channel, strength))
    least, greatest = float(found.min(axis=1).mean()), float(found.max(axis=1).mean())
    alone = len(found) == 1
    return {
        "phase": phase,
        "variant": variant,
        "channel": channel,
        "gamma_L": strength,
        "published": published,
        "label_minus": float(found[0, 0]) if alone else None,
        "label_plus": float(found[0, 1]) if alone else None,
        "least": least,
        "greatest": greatest,
        "between": least * (1 - _ROUNDING) <= published <= greatest * (1 + _ROUNDING),
    }


def _quotients(phase: str, variant: str, channel: str, strength: float) -> list[tuple[float, float]]:
    """V_loss/V_pred with all labels -1 and with all +1, for each teacher."""
    if phase == "7":
        ring = Ring(8, 4, angles=(0.3, 0.7))
        return [_with_labels(ring, channel, strength, nested_draws(ring, 142, 40, 4, SMALL_BOX), (2, 0), 0.0)]
    if variant == "multi_teacher_5seeds":
        return [_student(Ring(8, 3, background=seed), channel, strength) for seed in range(1, 6)]
    return [_student(Ring(8, 3), channel, strength, variant)]


def _student(ring: Ring, channel: str, strength: float, variant: str = "baseline") -> tuple[float, float]:
    """The student of phase 19, whose teacher is itself at theta = 0 (or five layers deep)."""
    own, below = nested_draws(ring, 4242, 30, 4, WIDE_BOX), _score(ring.problem())
    if variant == "regression_MSE":
        value, slope = _values_and_slopes(ring, channel, strength, own, (1, 0))
        quotient = float(np.mean((value - below) ** 2 * slope**2) / np.mean(slope**2))
        return quotient, quotient
    if variant == "depth_mismatch_LT5_LS3":
        deep = _score(Ring(8, 5, background=142).problem())
        return _with_labels(ring, channel, strength, nested_draws(ring, 4243, 30, 4, WIDE_BOX), (1, 0), deep, own)
    if variant == "label_noise_10pct":
        noisy = nested_draws(ring, 4242, 30, 4, WIDE_BOX, after_each=1)
        return _with_labels(ring, channel, strength, noisy, (1, 0), below, own)
    return _with_labels(ring, channel, strength, own, (1, 0), below)


def _with_labels(
    ring: Ring,
    channel: str,
    strength: float,
    thetas: Real,
    parameter: tuple[int, int],
    threshold: float,
    of_prediction: Real | None = None,
) -> tuple[float, float]:
    value, slope = _values_and_slopes(ring, channel, strength, thetas, parameter)
    other = slope if of_prediction is None else _values_and_slopes(ring, channel, strength, of_prediction, parameter)[1]
    moments = [float(np.mean(_logistic(value - threshold, label) * slope**2)) for label in (-1.0, 1.0)]
    below = float(np.mean(other**2))
    return moments[0] / below, moments[1] / below


def _values_and_slopes(
    ring: Ring, channel: str, strength: float, thetas: Real, parameter: tuple[int, int]
) -> tuple[Real, Real]:
    noise = kraus_channel(channel, ring.num_qubits).noise(strength / ring.depth)
    engine = exact_engine(ring.problem(noise), workers=1)
    draws = [engine.draw(theta, 1.0) for theta in thetas]
    k = ring.parameter(*parameter)
    return np.array([one.value for one in draws]), np.array([one.gradient[k] for one in draws])


def _score(problem: Problem) -> float:
    """The teacher's prediction, without noise at theta = 0."""
    engine = exact_engine(problem, workers=1)
    return engine.draw(np.zeros(len(problem.parameters)), 0.0).value
