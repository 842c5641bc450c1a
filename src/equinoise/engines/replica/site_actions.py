"""What a step does to the orders that a sweep carries: a state at one noise scale, a power series, a tangent.

A state is a polynomial in one variable, cut off after a few orders; an action is one too, with a matrix or a diagonal
for each order. Forwards it acts as it stands, backwards transposed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from equinoise.engines.replica.replicated_circuit import Step
from equinoise.engines.replica.replicated_noise import noise_at, noise_series

__all__ = ["Action", "Actions", "acted", "at_scale", "power_series", "tangent"]

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
        # exp(s E) = 1 + (s/unit) (unit E) + (s/unit)^2 (unit E)^2/2 + ...: the variable s/unit keeps the three orders
        # of one size, so that a cut of a bond does not lose the smaller ones.
        return noise_series(step.noise, unit)

    return Actions(SERIES_ORDERS, of)


def tangent(weight: float) -> Actions:
    """Two orders without noise: the state, and the sum over all blocks passed of it with a derivative, weighted."""

    def of(step: Step) -> Action:
        if step.block is None:
            return ()
        # The product rule: order 0 is the product of all W, order 1 the sum of the products with one W replaced by its
        # D. What order 1 holds after a step is this sum over all blocks passed.
        total = sum((d for _, d in step.block.derivatives), np.zeros_like(step.block.weight))
        return (step.block.weight, weight * total)

    return Actions(2, of)


def acted(
    theta: Real, sites: tuple[int, ...], steps: Sequence[tuple[tuple[int, ...], Action]], backwards: bool
) -> Real:
    """Actions on a tensor of shape (left, 6^k, right, orders), one after the other, the last first if backwards."""
    count = len(sites)
    # Cauchy's product: an action of order ``order`` lifts order j of the state to j + order; what goes beyond the last
    # order kept is dropped.
    for where, action in reversed(steps) if backwards else steps:
        out = np.zeros_like(theta)
        for order, part in enumerate(action):
            if part is None:
                continue
            matrix = _spread(part, where, sites, backwards)
            source = theta[..., : theta.shape[3] - order]
            if matrix.ndim == 1:
                moved = matrix[None, :, None, None] * source
            else:
                left, _, right, orders = source.shape
                moved = np.matmul(matrix, source.reshape(left, 6**count, right * orders)).reshape(source.shape)
            out[..., order:] += moved
        theta = out
    return theta


def _spread(part: Real, where: tuple[int, ...], sites: tuple[int, ...], backwards: bool) -> Real:
    """A matrix or diagonal on some sites as one on all sites of an operation."""
    if part.ndim == 2 and backwards:
        part = part.T
    if where == sites:
        return part
    if len(where) == 2:
        if part.ndim == 1:
            return np.ascontiguousarray(part.reshape(6, 6).T).ravel()
        return np.ascontiguousarray(part.reshape(6, 6, 6, 6).transpose(1, 0, 3, 2)).reshape(36, 36)
    one = np.ones(6) if part.ndim == 1 else np.eye(6)
    return np.asarray(np.kron(part, one) if where[0] == sites[0] else np.kron(one, part), dtype=np.float64)
