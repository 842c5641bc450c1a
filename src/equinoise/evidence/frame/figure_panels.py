"""Figures as lists of panels, each a list of marks: points or lines, bars, numbers in a grid. No physics is in here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from equinoise.evidence.frame.rows import Rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "MARKERS",
    "OKABE_ITO",
    "Bars",
    "Heat",
    "Layout",
    "Panel",
    "Points",
    "curve",
    "diagonal",
    "grouped",
    "places",
]

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
"""Colours that the colour-blind tell apart (Okabe and Ito)."""

MARKERS = "os^Dv*pP"
"""One for each colour, so that a figure can be read in grey."""


Place = Literal["", "best", "upper left", "upper center", "upper right", "lower left"]


class Mark(Protocol):
    """What a panel shows."""

    def draw(self, axes: Axes) -> None:
        """Puts it on the axes."""


@dataclass(frozen=True)
class Points:
    """Points, joined by a line or not.

    Attributes:
        x: Places, shape (m,).
        y: Values, shape (m,).
        error: Half-widths of the bars, shape (m,); None for none.
        label: In the legend.
        colour: Of points and line.
        marker: Of the points; empty for none.
        line: Style of the line; "none" for none.
        size: Of the points.
        filling: "full", "none" or "left".
        alpha: Opacity.
    """

    x: npt.ArrayLike
    y: npt.ArrayLike
    error: npt.ArrayLike | None = None
    label: str | None = None
    colour: str = "black"
    marker: str = "o"
    line: str = "none"
    size: float = 4.0
    filling: str = "full"
    alpha: float = 1.0

    def draw(self, axes: Axes) -> None:
        """Puts them on the axes."""
        style: dict[str, Any] = {"color": self.colour, "marker": self.marker, "linestyle": self.line, "linewidth": 1.0}
        style |= {"markersize": self.size, "fillstyle": self.filling, "alpha": self.alpha, "label": self.label}
        axes.errorbar(self.x, self.y, yerr=self.error, **style)


@dataclass(frozen=True)
class Bars:
    """Bars at the places 0, 1, ..., moved by a shift.

    Attributes:
        values: Lengths, shape (m,).
        colour: Of all, or one a bar.
        label: In the legend.
        shift: By which they are moved.
        width: Of a bar.
        error: Lengths below and above, shape (2, m); None for none.
        flat: Whether bars lie, the first on top.
        texts: Written at their ends, one a bar.
    """

    values: npt.ArrayLike
    colour: str | Sequence[str]
    label: str | None = None
    shift: float = 0.0
    width: float = 0.38
    error: npt.ArrayLike | None = None
    flat: bool = True
    texts: Sequence[str] = ()

    def draw(self, axes: Axes) -> None:
        """Puts them on the axes."""
        values = np.asarray(self.values)
        places = np.arange(values.size) + self.shift
        style: dict[str, Any] = {"color": self.colour, "label": self.label, "capsize": 2.5}
        if self.flat:
            axes.barh(places, values, height=self.width, xerr=self.error, **style)
        else:
            axes.bar(places, values, width=self.width, yerr=self.error, **style)
        for place, value, text in zip(places, values, self.texts, strict=False):
            axes.text(place, value + 0.01, text, ha="center", fontsize=7)


@dataclass(frozen=True)
class Heat:
    """Numbers in a grid, coloured.

    Attributes:
        values: Shape (rows, columns), NaN where there is none.
        texts: What is written in each cell, same shape.
        colours: Name of the colour map.
        limits: Values of its ends.
        dark: From which size on the text is white.
    """

    values: npt.NDArray[np.float64]
    texts: Sequence[Sequence[str]]
    colours: str
    limits: tuple[float, float]
    dark: float

    def draw(self, axes: Axes) -> None:
        """Puts it on the axes."""
        axes.imshow(self.values, cmap=self.colours, vmin=self.limits[0], vmax=self.limits[1], aspect="auto")
        for (i, j), value in np.ndenumerate(self.values):
            colour = "white" if abs(value) > self.dark else "black"
            axes.text(j, i, self.texts[i][j], ha="center", va="center", fontsize=7, color=colour)


def diagonal(ends: Sequence[float] = (0.0, 1.0), line: str = "-") -> Points:
    """The line on which predicted and seen are equal."""
    return Points(ends, ends, marker="", line=line)


def curve(x: npt.ArrayLike, y: npt.ArrayLike, label: str, line: str = "-", colour: str = "black") -> Points:
    """A line without points."""
    return Points(x, y, label=label, marker="", line=line, colour=colour)


def grouped(
    groups: Mapping[Any, Rows],
    x: str,
    y: str,
    *,
    labels: bool = True,
    size: float = 4.0,
    alpha: float = 1.0,
    line: str = "none",
) -> list[Points]:
    """One set of points a group, each with a colour and marker of its own.

    Args:
        groups: Label to rows.
        x: Column of places.
        y: Column of values.
        labels: Whether the legend names them.
        size: Of the points.
        alpha: Opacity.
        line: Style of the line.
    """
    return [
        Points(
            rows.column(x), rows.column(y), None, str(name) if labels else None, colour, marker, line, size, alpha=alpha
        )
        for (name, rows), colour, marker in zip(groups.items(), OKABE_ITO, MARKERS, strict=False)
    ]


def places(names: Iterable[str]) -> dict[float, str]:
    """Ticks 0, 1, ... with the names of bars or cells."""
    return {float(place): str(name) for place, name in enumerate(names)}


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        marks: What it shows.
        x: Name of the horizontal axis.
        y: Name of the vertical axis.
        title: Above it.
        log: Which axes are logarithmic: "", "x", "y" or "xy".
        base: Of the logarithms' ticks.
        xlim: Ends of the horizontal axis.
        ylim: Ends of the vertical axis.
        legend: Its place, if there are labels; empty for none.
        columns: Of the legend.
        xticks: Place to text.
        yticks: Place to text.
    """

    marks: Sequence[Mark]
    x: str = ""
    y: str = ""
    title: str = ""
    log: str = ""
    base: int = 10
    xlim: tuple[float, float] | None = None
    ylim: tuple[float, float] | None = None
    legend: Place = "best"
    columns: int = 1
    xticks: Mapping[float, str] = field(default_factory=dict)
    yticks: Mapping[float, str] = field(default_factory=dict)

    def draw(self, axes: Axes) -> None:
        """Draws it."""
        for mark in self.marks:
            mark.draw(axes)
        for letter, axis, ticks in (("x", axes.xaxis, self.xticks), ("y", axes.yaxis, self.yticks)):
            if letter in self.log:
                getattr(axes, f"set_{letter}scale")("log", base=self.base)
            if ticks:
                axis.set_ticks(list(ticks), list(ticks.values()))
                axis.set_minor_formatter("")
                axis.set_tick_params(which="minor", bottom=False, left=False)
        axes.set(xlabel=self.x, ylabel=self.y)
        axes.set_title(self.title, fontsize=9)
        if self.xlim is not None:
            axes.set_xlim(*self.xlim)
        if self.ylim is not None:
            axes.set_ylim(*self.ylim)
        if self.legend and axes.get_legend_handles_labels()[1]:
            style: dict[str, Any] = {"fontsize": 7, "frameon": False, "ncols": self.columns, "handletextpad": 0.4}
            axes.legend(loc=self.legend, **style)
        axes.tick_params(labelsize=8)
        axes.tick_params(which="minor", labelsize=6)
        axes.spines[["top", "right"]].set_visible(False)


@dataclass(frozen=True)
class Layout:
    """A figure: panels in rows of so many.

    Attributes:
        panels: In reading order.
        size: Width and height in inches.
        columns: Panels in a row.
        widths: Of the columns, relative to each other; equal by default.
        heights: Of the rows; equal by default.
        share_y: Whether all panels have one vertical axis.
    """

    panels: Sequence[Panel]
    size: tuple[float, float]
    columns: int = 1
    widths: Sequence[float] | None = None
    heights: Sequence[float] | None = None
    share_y: bool = False

    def draw(self) -> Figure:
        """The figure."""
        from matplotlib.figure import Figure

        out = Figure(figsize=self.size, layout="constrained")
        grid: dict[str, Any] = {"width_ratios": self.widths, "height_ratios": self.heights, "sharey": self.share_y}
        rows = math.ceil(len(self.panels) / self.columns)
        spots = np.ravel(out.subplots(rows, self.columns, squeeze=False, **grid))
        for place, panel in zip(spots, self.panels, strict=False):
            panel.draw(place)
        for place in spots[len(self.panels) :]:
            place.remove()
        return out
