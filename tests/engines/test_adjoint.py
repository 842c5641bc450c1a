"""The one adjoint sweep: what holds in every space, with the space's own numbers or against another space's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import equinoise as eq
from equinoise.engines.adjoint import SERIES_ORDERS
from equinoise.engines.commutant.commutant import CommutantEngine
from equinoise.engines.sector.exact import ExactEngine
from equinoise.engines.sector.working_memory import Rooms
from equinoise.engines.spin.permutation import PermutationEngine
from equinoise.reduction.program import compile_problem
from equinoise.reduction.symmetric_program import SymmetricProgram

READOUT = "+".join(f"Z{q}" for q in range(4))
NOISE: dict[str, Any] = {
    "relaxation": [{"qubit": q, "down": 0.05, "up": 0.02} for q in range(4)],
    "dephasing": [{"weights": {q: 1.0}, "rate": 0.04} for q in range(4)],
}
CIRCUIT = eq.circuits.permutation_equivariant(4, depth=3)
THETA = np.random.default_rng(5).uniform(-3, 3, len(CIRCUIT.parameters))
SPACES = ("charge blocks", "commutant", "total spin")


def engine_in(space: str) -> Any:
    """An engine for one and the same problem in each of the spaces."""
    problem = eq.Problem(CIRCUIT, readout=READOUT, initial="0000", noise=NOISE, symmetry="permutation")
    if space == "charge blocks":
        return ExactEngine(compile_problem(problem, reduce=False), 1)
    return {"commutant": CommutantEngine, "total spin": PermutationEngine}[space](SymmetricProgram(problem), 1)


@pytest.mark.parametrize("scale", [0.0, 0.7, math.inf])
def test_all_spaces_agree_on_value_square_and_gradient(scale: float) -> None:
    draws = [engine_in(space).draw(THETA, scale) for space in SPACES]
    assert np.abs(draws[0].gradient).max() > 1e-3 or scale == math.inf
    for other in draws[1:]:
        assert (other.value, other.square) == pytest.approx((draws[0].value, draws[0].square), abs=1e-12)
        np.testing.assert_allclose(other.gradient, draws[0].gradient, atol=1e-12)


@pytest.mark.parametrize("space", SPACES)
def test_gradient_is_the_slope_of_the_value_along_any_direction(space: str) -> None:
    engine = engine_in(space)
    direction = np.random.default_rng(6).normal(size=THETA.size)
    step = 1e-5
    ahead, behind = (engine.value(THETA + sign * step * direction, 0.7)[0] for sign in (1, -1))
    # central difference: step^2 of the third derivative, rounding over step
    assert engine.draw(THETA, 0.7).gradient @ direction == pytest.approx((ahead - behind) / (2 * step), abs=1e-8)


@pytest.mark.parametrize("space", SPACES)
def test_taylor_series_in_the_scale_is_that_of_value_and_gradient(space: str) -> None:
    engine = engine_in(space)
    values, gradients = engine.expansion(THETA, engine.space.readout)
    s = 1e-3
    # what is left out is of order s^3 times the cube of the total rate
    draw, powers = engine.draw(THETA, s), s ** np.arange(SERIES_ORDERS)
    assert values @ powers == pytest.approx(draw.value, abs=1e-7)
    np.testing.assert_allclose(powers @ gradients, draw.gradient, atol=1e-7)
    # and it is there: without the second order the rest is larger
    assert abs(values[:2] @ powers[:2] - draw.value) > 10 * abs(values @ powers - draw.value)
    np.testing.assert_allclose(gradients, engine.series(THETA), atol=1e-14)


@pytest.mark.parametrize("space", SPACES)
def test_budget_along_a_direction_is_the_slope_of_the_first_order_value(space: str) -> None:
    """sum_j d<<O|E_j|rho>> is the derivative of dC/ds along the direction, whose k-th part is g'_k."""
    engine = engine_in(space)
    direction = np.random.default_rng(7).normal(size=THETA.size)
    budget = engine.budget(THETA, direction)
    assert budget.shape == (len(engine.program.budget_terms),)
    assert budget.sum() == pytest.approx(engine.series(THETA)[1] @ direction, abs=1e-11)


@pytest.mark.parametrize("space", SPACES)
def test_change_of_the_operator_adds_its_own_term_to_the_budget(space: str) -> None:
    """d<<A|E|rho>> of A that changes by dA is <<A|E|drho>> + <<dA|E|rho>>: twice the readout, changed by itself."""
    engine = engine_in(space)
    still = np.zeros(THETA.size)
    readout = engine.space.readout
    values, _ = engine.expansion(THETA, readout)
    budget = engine.budget(THETA, still, readout, readout)
    assert budget.sum() == pytest.approx(values[1], abs=1e-11)


@pytest.mark.parametrize("space", SPACES)
def test_pullback_of_a_function_of_two_values_is_its_gradient(space: str) -> None:
    engine = engine_in(space)
    operators = [engine.space.readout, engine.space.square]
    # f = <O^2> - <O>^2
    values, found = engine.value_and_pullback(THETA, 0.7, operators, lambda c: np.array([-2 * c[0], 1.0]))
    np.testing.assert_allclose(values, engine.value(THETA, 0.7), atol=1e-13)
    step, numeric = 1e-5, np.zeros(THETA.size)
    for k in range(THETA.size):
        shift = step * np.eye(THETA.size)[k]
        (up, up2), (down, down2) = engine.value(THETA + shift, 0.7), engine.value(THETA - shift, 0.7)
        numeric[k] = ((up2 - up**2) - (down2 - down**2)) / (2 * step)
    np.testing.assert_allclose(found, numeric, atol=1e-7)


@pytest.mark.parametrize("space", SPACES)
def test_limit_of_a_layers_state_is_left_alone_by_the_limit(space: str) -> None:
    engine = engine_in(space)
    state = engine.layer_states(THETA)[1]
    once = engine.space.limit(1, state)
    again = engine.space.limit(1, once)
    for place in once if isinstance(once, dict) else range(len(once)):
        np.testing.assert_allclose(again[place], once[place], atol=1e-12)


def test_sweep_of_few_orders_works_in_the_arrays_of_one_with_more() -> None:
    rooms = Rooms({0: 2, 1: 3})
    three = rooms.room("state", 3)
    assert {q: array.shape for q, array in three.items()} == {0: (3, 2, 2, 2), 1: (3, 2, 3, 3)}
    one = rooms.room("state", 1)
    assert all(np.shares_memory(one[q], three[q]) and one[q].flags.c_contiguous for q in one)
    assert not np.shares_memory(rooms.room("readout", 1)[1], three[1])
    four = rooms.room("state", 4)
    assert np.shares_memory(rooms.room("state", 1)[0], four[0])
