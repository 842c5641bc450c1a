"""A study's parts: what decides a criterion, and what is judged from tables alone."""

from __future__ import annotations

import math

from equinoise.evidence.frame.figure_panels import Layout, Panel, Points
from equinoise.evidence.frame.study import Context, Study, at_least, at_most

STUDY = Study(
    tables=lambda context: {"data": [{"x": float(context.seed)}, {"x": 2.0}]},
    criteria=lambda tables: [at_most("largest x", tables["data"].largest("x"), 2.0)],
    findings=lambda tables: [f"The least x is {tables['data'].least('x'):g}."],
    figure=lambda tables: Layout([Panel([Points(tables["data"].column("x"), [0, 1])], "x")], (3, 2)),
)


def test_a_criterion_holds_up_to_its_threshold_and_never_for_nan() -> None:
    assert at_most("", 1.0, 1.0).passed
    assert at_least("", 1.0, 1.0).passed
    assert not at_most("", 1.1, 1.0).passed
    assert not at_least("", 0.9, 1.0).passed
    assert not at_most("", math.nan, 1.0).passed


def test_a_study_is_judged_by_its_tables_alone() -> None:
    found = STUDY.run(Context(seed=1))
    again = STUDY.judge({name: table.rows() for name, table in found.tables.items()})
    assert (again.tables, again.criteria, again.findings) == (found.tables, found.criteria, found.findings)
    assert found.passed
    assert found.findings == ("The least x is 1.",)
    assert not STUDY.run(Context(seed=3)).passed


def test_the_figure_shows_what_the_given_tables_hold() -> None:
    found = STUDY.run(Context(seed=1))
    (axes,) = found.plot().axes
    assert axes.get_lines()[0].get_xdata().tolist() == [1.0, 2.0]
