"""The statistics that studies state, against closed forms and samples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from equinoise.evidence.frame.statistics import finite, quotient, rank_measures


def test_the_quotients_error_is_the_spread_of_quotients_of_samples() -> None:
    rng = np.random.default_rng(0)
    top, bottom = rng.normal(2.0, 0.02, 100_000), rng.normal(4.0, 0.08, 100_000)
    value, error = quotient((2.0, 0.02), (4.0, 0.08), True)
    assert value == 0.5
    # 100,000 samples know their own spread to 0.2 %; the second order adds 0.1 %
    assert error == pytest.approx(np.std(top / bottom), rel=0.01)


def test_nothing_is_stated_of_a_quotient_whose_bottom_is_rounding() -> None:
    assert quotient((1.0, 0.1), (1e-16, 1e-16), False) == (None, None)
    assert quotient((1.0, 0.1), (0.0, 0.0), True) == (None, None)


def test_a_table_holds_no_undefined_number() -> None:
    assert finite(0.5) == 0.5
    assert finite(math.nan) is None


def test_ranks_see_a_monotone_relation_and_lines_an_exponential_one() -> None:
    x = np.linspace(0.1, 2.0, 30)
    spearman, pearson, r2 = rank_measures(x, np.exp(-x))
    assert spearman == pytest.approx(1.0)
    assert pearson < 0.99
    assert r2 == pytest.approx(1.0)
    assert rank_measures(np.ones(30), np.exp(-x)).tolist() == [0.0, 0.0, 0.0]


def test_differences_below_rounding_are_ties() -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0])
    r = np.array([0.5, 0.5 + 1e-15, 0.7, 0.8])
    assert rank_measures(x, r)[0] == rank_measures(x, r[[1, 0, 2, 3]])[0]
