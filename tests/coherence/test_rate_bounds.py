"""Minima certified between the points of a grid, and the programs that rest on them."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinoise.coherence.rate_bounds import Functions, Support, certified_minimum, least_integral, rate_grid

COEFFICIENT = st.floats(-50, 50)


@given(
    st.lists(st.tuples(st.floats(0, 300), COEFFICIENT), min_size=1, max_size=6),
    COEFFICIENT,
    COEFFICIENT,
    st.floats(0, 0.9),
    st.integers(2, 40),
)
@settings(max_examples=150)
def test_certified_minimum_is_below_a_dense_scan_and_close_to_it(terms, linear, square, least, points):
    """From however few points it starts."""
    size = len(terms)
    exponents, coefficients = np.array(terms).T
    none = np.zeros(size)
    one = np.eye(size)[0]
    total = Functions(exponents, coefficients, linear * one, square * one, none)
    bound, dips = certified_minimum(total, Support(least), np.linspace(least, 1, points))
    dense = np.union1d(np.linspace(least, 1, 4001), np.geomspace(max(least, 1e-5), 1, 4001))
    values = np.append(total.on(dense).sum(axis=0), total.at_zero().sum())
    lowest = float(values.min())
    # rounding of sums of terms up to 50
    assert bound <= lowest + 1e-12
    # certified to 1e-10 where it is negative; the scan itself is as coarse as this
    assert bound >= min(lowest, 0) - 1e-3 * max(1.0, abs(lowest))
    assert ((least <= dips) & (dips <= 1)).all()


def test_minimum_between_two_points_of_the_grid_is_found():
    """(exp(-x) - exp(-1/2))^2 - 0.01: -0.01 at x = 1/2, positive at 0.1 and 1."""
    middle = np.exp(-0.5)
    total = Functions.join([Functions.decay(2.0), Functions.decay(1.0), Functions.decay(0.0)]).scaled(
        np.array([1.0, -2 * middle, middle**2 - 0.01])
    )
    bound, dips = certified_minimum(total, Support(0.1), np.array([0.1, 1.0]))
    assert bound == pytest.approx(-0.01, abs=1e-8)
    assert bound <= -0.01
    assert np.abs(dips - 0.5).min() < 1e-3


def test_bound_holds_whatever_grid_and_solver_say(monkeypatch):
    """Wrong multipliers loosen the bound and never break it."""
    module = sys.modules[least_integral.__module__]
    known, target = Functions.join([Functions.decay(2.0), Functions.power(1)]), Functions.decay(1.0)
    rates, weights = np.array([0.0, 0.4, 1.0]), np.array([0.3, 0.5, 0.2])
    values = np.array([weights @ np.exp(-2 * rates), weights @ rates])
    exact = float(weights @ np.exp(-rates))
    honest = least_integral(target, known, values, values, Support(0.0), np.zeros(0))
    assert honest <= exact + 1e-9
    for seed in range(20):
        wrong = np.random.default_rng(seed).normal(size=3)
        monkeypatch.setattr(module, "_multipliers", lambda *_, c=wrong: (c[0], c[1:]))
        monkeypatch.setattr(module, "_ROUNDS", 1)
        assert least_integral(target, known, values, values, Support(0.0), np.zeros(0)) <= honest + 1e-9


def test_grid_reaches_from_the_least_rate_to_the_greatest():
    x = rate_grid(Support(0.2), np.array([3.0, 500.0]))
    assert (x[0], x[-1]) == (0.2, 1.0)
    assert (np.diff(x) > 0).all()
    assert rate_grid(Support(0.0), np.array([1e4]))[1] == pytest.approx(1e-6)
    assert rate_grid(Support(0.0, empty=True), np.array([1.0])).size == 0
    assert rate_grid(Support(1.0), np.array([1.0])).tolist() == [1.0]
