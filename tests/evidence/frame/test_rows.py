"""What studies ask of a table's rows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from equinoise.evidence.frame.rows import Rows, along, listed

ROWS = Rows(
    [
        {"noise": "local", "x": 1.0, "held": True},
        {"noise": "none", "x": None, "held": False},
        {"noise": "local", "x": -3.0, "held": True},
    ]
)


def test_rows_are_chosen_by_value_by_condition_and_by_limits() -> None:
    assert len(ROWS.where(noise="local", held=True)) == 2
    assert ROWS.where(lambda r: not r["held"])[0]["noise"] == "none"
    assert [r["x"] for r in ROWS.known("x")] == [1.0, -3.0]
    assert [r["x"] for r in ROWS.between("x", least=-1.0)] == [1.0]
    assert len(ROWS.among("noise", ("none", "other"))) == 1


def test_an_unknown_number_is_nan_and_extremes_are_those_of_the_column() -> None:
    assert np.isnan(ROWS.column("x")).tolist() == [False, True, False]
    known = ROWS.known("x")
    assert (known.least("x"), known.largest("x"), known.largest_size("x", 1.0)) == (-3.0, 1.0, 4.0)
    assert known.lowest("x") is ROWS[2]
    assert known.highest(lambda r: abs(r["x"])) is ROWS[2]


def test_no_rows_have_no_extremes_so_that_a_criterion_on_them_fails() -> None:
    nothing = ROWS.where(noise="other")
    assert all(math.isnan(value) for value in (nothing.largest("x"), nothing.least("x"), nothing.largest_size("x")))
    assert nothing.total("held") == 0


def test_groups_keep_the_order_of_appearance_and_every_row() -> None:
    groups = ROWS.by("noise")
    assert list(groups) == ROWS.distinct("noise") == ["local", "none"]
    assert sum(map(len, groups.values())) == len(ROWS)


def test_rows_along_columns_hold_plain_values() -> None:
    (first, second) = along({"case": "a"}, s=np.array([0.5, 1.0]), outside=np.array([True, False]))
    assert first == {"case": "a", "s": 0.5, "outside": True}
    assert (type(second["s"]), type(second["outside"])) == (float, bool)


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        along({}, s=np.zeros(2), r=np.zeros(3))


def test_a_list_without_items_says_so() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed([], "nowhere") == "nowhere"
