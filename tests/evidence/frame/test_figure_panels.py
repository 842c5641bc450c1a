"""Figures hold the numbers that they are given, and no more."""

from __future__ import annotations

import numpy as np

from equinoise.evidence.frame.figure_panels import Bars, Heat, Layout, Panel, Points, curve, diagonal, grouped, places
from equinoise.evidence.frame.rows import Rows


def test_points_bars_and_cells_stand_where_their_numbers_say() -> None:
    heat = Heat(np.array([[0.1, np.nan]]), [["0.1", "-"]], "Blues", (0.0, 1.0), 0.6)
    panels = [
        Panel([Points([1, 2], [3, 4], [0.1, 0.2], "seen"), diagonal(), curve([1, 2], [1, 1], "line")], log="x"),
        Panel([Bars([0.5, 1.0], "red", "share")], yticks=places(["a", "b"])),
        Panel([heat], legend=""),
    ]
    figure = Layout(panels, (6, 6), columns=2).draw()
    points, bars, cells = figure.axes
    assert points.get_xscale() == "log"
    assert points.get_lines()[0].get_ydata().tolist() == [3, 4]
    assert [bar.get_width() for bar in bars.patches] == [0.5, 1.0]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["a", "b"]
    assert [text.get_text() for text in cells.texts] == ["0.1", "-"]
    figure.draw_without_rendering()


def test_each_group_has_a_colour_and_a_marker_of_its_own() -> None:
    rows = Rows({"kind": kind, "x": 1.0, "y": 2.0} for kind in "abcde")
    marks = grouped(rows.by("kind"), "x", "y")
    assert [mark.label for mark in marks] == list("abcde")
    assert len({mark.colour for mark in marks}) == len({mark.marker for mark in marks}) == 5
    assert {mark.label for mark in grouped(rows.by("kind"), "x", "y", labels=False)} == {None}
