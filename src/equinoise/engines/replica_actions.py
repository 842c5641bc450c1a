"""What a step does to the orders that a sweep carries: a state at one noise scale, a power series, a tangent.

A state is a polynomial in one variable, cut off after a few orders; an action is one too, with a matrix or a diagonal
for each order. Forwards it acts as it stands, backwards transposed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from equinoise.engines.replica_circuit import Step
from equinoise.engines.replica_noise import noise_at

__all__ = ["Action", "Actions", "at_scale", "power_series", "tangent"]

Real = npt.NDArray[np.float64]
# per order a matrix of shape (6^k, 6^k), a diagonal of shape (6^k,), or None for 0
Action = tuple[Real | None, ...]

SERIES_ORDERS = 3


@dataclass(frozen=True)
class Actions:
    """The actions of every step.

    Attributes:
        orders: How many orders a state has.
        of: The action of a step; empty if it does nothing.
        known: Those worked out so far; steps that share their matrices share their action.
    """

    orders: int
    of: Callable[[Step], Action]
    known: dict[int, Action] = field(default_factory=dict)

    def __call__(self, step: Step) -> Action:
        """The action of a step, worked out once."""
        key = id(step.noise) if step.block is None else id(step.block.weight)
        if key not in self.known:
            self.known[key] = self.of(step)
        return self.known[key]


def at_scale(scale: float) -> Actions:
    """One order: the state at a noise scale in [0, infinity]."""

    def of(step: Step) -> Action:
        if step.noise is None:
            return (step.weight,)
        return () if scale == 0 else (noise_at(step.noise, scale),)

    return Actions(1, of)


def power_series(unit: float) -> Actions:
    """Three orders: the coefficients of 1, s/unit and (s/unit)^2 at s = 0."""

    def of(step: Step) -> Action:
        if step.noise is None:
            return (step.weight, None, None)
        generator = unit * step.noise.action
        if generator.ndim == 1:
            return (np.ones_like(generator), generator, generator**2 / 2)
        return (np.eye(generator.shape[0]), generator, generator @ generator / 2)

    return Actions(SERIES_ORDERS, of)


def tangent(weight: float) -> Actions:
    """Two orders without noise: the state, and the sum over all blocks passed of it with a derivative, weighted."""

    def of(step: Step) -> Action:
        if step.block is None:
            return ()
        total = sum((d for _, d in step.block.derivatives), np.zeros_like(step.block.weight))
        return (step.block.weight, weight * total)

    return Actions(2, of)
