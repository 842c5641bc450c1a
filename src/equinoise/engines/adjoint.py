"""The adjoint sweep, written once for every space in which an engine keeps its states.

Unitaries and noise are linear, so C(theta; s) = Tr[A_l rho_l] at every place l of the circuit: rho_l is the input moved
forward to l (Schroedinger picture), A_l the readout moved back to l by the adjoint maps (Heisenberg picture). A
parameter that turns rho_l by exp(-i theta_k G_k) changes it by -i [G_k, rho_l], hence

    dC/dtheta_k = Tr[A_l (-i) [G_k, rho_l]] = 2 Im Tr[A_l G_k rho_l] ,

read off where A_l meets rho_l: one sweep forward, which keeps the states, and one back give all K derivatives.

Derivatives in s at s = 0 are the same sweep on truncated Taylor series: exp(s E) = 1 + s E + s^2 E^2/2, states and
operators are X_0 + s X_1 + s^2 X_2, and order m of a product gathers the orders i + j = m of its factors.

The budget is one sweep on pairs X + eps dX with eps^2 = 0, d the derivative along a direction of the parameters: what
noise term E_j of slot l adds to d<<A_l|E_j|rho_l>> is <<dA_l|E_j|rho_l>> + <<A_l|E_j|drho_l>>.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from equinoise.engines.contract import ExactAnswers
from equinoise.engines.draws import Draw

__all__ = ["SERIES_ORDERS", "AdjointEngine", "Moments", "Space"]

Real = npt.NDArray[np.float64]
Moments = npt.NDArray[Any]

State = TypeVar("State")
Point = TypeVar("Point")
Operator = TypeVar("Operator")

# powers of s that derivatives at s = 0 take: 1, s, s^2
SERIES_ORDERS = 3


class Space(Protocol[State, Point, Operator]):
    """Where states live, and what the circuit's layers and noise slots do to them there.

    A ``Point`` is what one sweep goes with: the unitaries at theta, the noise scale s (None: power series in s at
    s = 0) and the number of orders that states have. A ``State`` is an operator in this space (rho as well as A), with
    an axis of orders. An ``Operator`` is an observable as the problem states it. Methods may overwrite the state given
    and return it.

    Attributes:
        depth: Number of layers, each with its slot.
    """

    depth: int

    @property
    def readout(self) -> Operator:
        """O."""

    @property
    def square(self) -> Operator:
        """O^2."""

    def at(self, theta: Real, scale: float | None, orders: int) -> Point:
        """What a sweep at theta, shape (K,), and scale s goes with."""

    def along(self, theta: Real, direction: Real) -> Point:
        """What a noiseless sweep of pairs X + eps dX goes with, d along ``direction``, shape (K,)."""

    def kept(self, point: Point) -> int:
        """Layers of which a sweep keeps the states at once; for the others it starts again."""

    def input(self, point: Point) -> State:
        """The input (a pair with dX = 0, at a point of pairs)."""

    def operator(self, point: Point, operator: Operator, change: Operator | None = None) -> State:
        """An observable after the last slot; ``change`` is dA of a pair, 0 by default."""

    def seen(self, point: Point, operator: Operator) -> State:
        """An observable before the last slot's noise."""

    def forward(
        self, point: Point, layer: int, state: State, tape: list[Any] | None = None, onward: bool = True
    ) -> State:
        """U rho U^dag for all blocks of a layer.

        Args:
            point: The sweep's.
            layer: Counted from 0.
            state: Before the layer.
            tape: Gets what :meth:`pull_back` will take from its end again.
            onward: Whether the state returned will be moved on; if not, it may itself go on the tape.
        """

    def noise(self, point: Point, layer: int, state: State, adjoint: bool = False) -> State:
        """exp(s E) of the slot after a layer, or its adjoint on an operator."""

    def moments(self, point: Point) -> Moments:
        """Zeros, into which :meth:`pull_back` writes what the gradient is made of."""

    def pull_back(
        self, point: Point, layer: int, tape: list[Any], operator: State, moments: Moments, onward: bool
    ) -> State:
        """U^dag A U, adding the layer's Tr[A G rho] to ``moments``; what is returned counts only if ``onward``."""

    def gradient(self, point: Point, moments: Moments) -> Real:
        """2 Im Tr[A G_k rho] of every circuit parameter, shape (orders, K)."""

    def expectations(self, point: Point, state: State, operators: Sequence[Operator]) -> Real:
        """Tr[A exp(s E)(rho)] of each observable, E the last slot's, shape (len(operators),); leaves rho as it is."""

    def overlap(self, operator: State, state: State) -> Real:
        """Tr[A rho] per order, shape (orders,)."""

    def weighted(self, operators: Sequence[Operator], weights: Real) -> Operator:
        """sum_i w_i A_i."""

    def forward_tangent(self, point: Point, layer: int, pair: State) -> State:
        """(rho, drho) after a layer; the pair given is left as it is."""

    def backward_tangent(self, point: Point, layer: int, pair: State) -> State:
        """(A, dA) before a layer."""

    def shares(self, layer: int, operator: State, state: State) -> Real:
        """<<dA|E_j|rho>> + <<A|E_j|drho>> for each term j of a slot, of pairs."""

    def handed_out(self, state: State) -> Any:
        """A copy of a state's first order."""

    def limit(self, layer: int, state: Any) -> Any:
        """What a slot's noise on all cone qubits leaves of a state, as handed out, at s = infinity."""


class AdjointEngine(ExactAnswers, Generic[State, Point, Operator]):
    """All that an exact engine answers, by sweeps on its space.

    Attributes:
        space: Where its states live.
    """

    space: Space[State, Point, Operator]

    # -- the sweep -------------------------------------------------------------------------------------------------

    def _forward(self, point: Point, kept: range, state: State, first: int = 0) -> tuple[State, list[Any]]:
        """From before layer ``first`` to after the last in ``kept``, with the tape of the layers in ``kept``."""
        tape: list[Any] = []
        for layer in range(first, kept.stop):
            onward = layer + 1 < kept.stop
            state = self.space.forward(point, layer, state, tape if layer in kept else None, onward)
            if onward:
                state = self.space.noise(point, layer, state)
        return state, tape

    def sweep(
        self,
        point: Point,
        read: Callable[[State], State],
        start: Callable[[Point], State] | None = None,
        first: int = 0,
    ) -> Real:
        """The gradient of Tr[A rho] per order, shape (orders, K), by one sweep forward and one back.

        Where memory holds the states of some layers only, they are kept for the last layers first; the sweep forward is
        then repeated for those before.

        Args:
            point: Of the sweep.
            read: From the state before the last slot's noise to the observable A there (Heisenberg picture).
            start: Makes the state before layer ``first``; the input by default.
            first: The layer at which the sweep starts; parameters before it get 0.
        """
        space = self.space
        begin = space.input if start is None else start
        moments = space.moments(point)
        operator: State | None = None
        stop = space.depth
        while stop > first:
            kept = range(max(first, stop - space.kept(point)), stop)
            state, tape = self._forward(point, kept, begin(point), first)
            for layer in reversed(kept):
                operator = read(state) if operator is None else space.noise(point, layer, operator, adjoint=True)
                operator = space.pull_back(point, layer, tape, operator, moments, layer > first)
            stop = kept.start
        return space.gradient(point, moments)

    def final_state(self, point: Point, stop: int | None = None) -> State:
        """The state after the unitaries of layer ``stop`` - 1 (of the last by default), before its slot."""
        last = self.space.depth if stop is None else stop
        return self._forward(point, range(last, last), self.space.input(point))[0]

    # -- values and gradients --------------------------------------------------------------------------------------

    def value(self, theta: Real, scale: float, rng: np.random.Generator | None = None) -> tuple[float, float]:
        """C(theta; s) and <O^2>."""
        value, square = self.values(theta, scale, [self.space.readout, self.space.square])
        return float(value), float(square)

    def values(self, theta: Real, scale: float, operators: Sequence[Operator]) -> Real:
        """Tr[A rho(theta; s)] for several operators that the space holds, shape (len(operators),)."""
        point = self.space.at(theta, scale, 1)
        return self.space.expectations(point, self.final_state(point), operators)

    def draw(self, theta: Real, scale: float, rng: np.random.Generator | None = None) -> Draw:
        """Value, <O^2> and gradient at one scale (0 to infinity)."""
        operators = [self.space.readout, self.space.square]
        values, gradient = self.value_and_pullback(theta, scale, operators, lambda _: np.array([1.0, 0.0]))
        return Draw(float(values[0]), float(values[1]), gradient)

    def value_and_pullback(
        self, theta: Real, scale: float, operators: Sequence[Operator], cotangent: Callable[[Real], Real]
    ) -> tuple[Real, Real]:
        """Values of several operators and the gradient of any function of them, by one sweep forward and one back.

        With values c_i = Tr[A_i rho(theta; s)] the gradient is sum_i w_i dc_i/dtheta_k for w = cotangent(c): the
        derivative of f(c_1, ..., c_m) where w_i = df/dc_i.

        Args:
            theta: Shape (K,), radians.
            scale: Noise scale s in [0, infinity].
            operators: Operators A_i that the space holds; of engine "exact" see ``Program.operator_entries``.
            cotangent: From the values, shape (m,), to the weights w, shape (m,).

        Returns:
            The values, shape (m,), and the gradient, shape (K,), per radian.
        """
        space, found = self.space, []
        point = space.at(theta, scale, 1)

        def read(state: State) -> State:
            values = space.expectations(point, state, operators)
            found.append(values)
            return space.seen(point, space.weighted(operators, cotangent(values)))

        gradient = self.sweep(point, read)
        return found[0], gradient[0]

    # -- derivatives in the noise scale ----------------------------------------------------------------------------

    def series(self, theta: Real) -> Real:
        """Taylor coefficients of the gradient in s at s = 0: g(s) = g_0 + g_1 s + g_2 s^2 + ..., shape (3, K)."""
        point = self.space.at(theta, None, SERIES_ORDERS)
        return self.sweep(point, lambda _: self.space.seen(point, self.space.readout))

    def expansion(self, theta: Real, operator: Operator) -> tuple[Real, Real]:
        """Taylor coefficients in s at s = 0 of an operator's value and gradient: shapes (3,) and (3, K)."""
        space, found = self.space, []
        point = space.at(theta, None, SERIES_ORDERS)

        def read(state: State) -> State:
            seen = space.seen(point, operator)
            found.append(space.overlap(seen, state))
            return seen

        gradient = self.sweep(point, read)
        return found[0], gradient

    def budget(
        self, theta: Real, direction: Real, operator: Operator | None = None, change: Operator | None = None
    ) -> Real:
        """Derivative along ``direction`` of <<O_l| E_j |rho_l>> for each of ``program.budget_terms``, at s = 0.

        With direction = gradient this is sum_k g_k g'_k split by noise term. An operator other than the readout may
        depend on the parameters itself: ``change`` is then its derivative along the direction.
        """
        tangents = self.tangents(theta, direction, operator, change)
        parts = [self.space.shares(layer, adjoint, state) for layer, adjoint, state in tangents]
        return np.concatenate(parts[::-1])

    def tangents(
        self, theta: Real, direction: Real, operator: Operator | None = None, change: Operator | None = None
    ) -> Iterator[tuple[int, State, State]]:
        """Layer, (A, dA) and (rho, drho) at each slot without noise, last slot first; valid until the next is asked."""
        space = self.space
        point = space.along(theta, direction)
        pair = space.input(point)
        kept = []
        for layer in range(space.depth):
            pair = space.forward_tangent(point, layer, pair)
            kept.append(pair)
        adjoint = space.operator(point, space.readout if operator is None else operator, change)
        for layer in range(space.depth - 1, -1, -1):
            yield layer, adjoint, kept.pop()
            if layer > 0:
                adjoint = space.backward_tangent(point, layer, adjoint)

    # -- states, for the fixed point -------------------------------------------------------------------------------

    def layer_states(self, theta: Real) -> list[Any]:
        """The noiseless state after the unitaries of each layer, as the space hands it out."""
        space = self.space
        point = space.at(theta, 0.0, 1)
        state = space.input(point)
        out = []
        for layer in range(space.depth):
            state = space.forward(point, layer, state)
            out.append(space.handed_out(state))
        return out
