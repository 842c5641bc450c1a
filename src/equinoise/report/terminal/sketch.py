"""A survival curve in characters: the law as a line of dots, exact points on it."""

from __future__ import annotations

import math

import numpy as np

from equinoise.diagnosis.survival_curve import SurvivalTable

__all__ = ["POINT", "sketch"]

POINT = "●"
_MARGIN = 6
# Braille patterns: eight dots a cell, two across and four down, one bit each
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BLANK = 0x2800


def sketch(table: SurvivalTable, columns: int = 60, rows: int = 10) -> list[str]:
    """The curve as lines of text: the law in Braille dots, exact points as filled circles; survival upwards from 0.

    Args:
        table: What to draw, from :func:`equinoise.diagnosis.survival_curve.survival_table`.
        columns: Width in characters, labels included.
        rows: Height in lines, the scale's axis and its labels included.
    """
    width, height = columns - _MARGIN, rows - 2
    left, right = math.log10(table.scale[0]), math.log10(table.scale[-1])
    top = min(4.0, max([1.0, *table.law.tolist(), *table.simulated.tolist()]))
    law = np.interp(np.linspace(left, right, 2 * width), np.log10(table.scale), table.law)
    dots = [_row(value, top, 4 * height) for value in law.tolist()]
    cells = [[0] * width for _ in range(height)]
    for x, dot in enumerate(dots):
        # down to the next column's dot, so that a steep fall stays one line
        for y in range(dot, max(dot, dots[min(x + 1, len(dots) - 1)] - 1) + 1):
            cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
    lines = [[chr(_BLANK + cell) if cell else " " for cell in row] for row in cells]
    for scale, value in zip(table.simulated_scale.tolist(), table.simulated.tolist(), strict=True):
        x = round((math.log10(scale) - left) / (right - left) * (width - 1))
        lines[_row(value, top, 4 * height) // 4][x] = POINT
    labels = {0: f"{top:.2g}", height // 2: f"{top / 2:.2g}"}
    drawn = [
        f"{labels.get(i, ''):>{_MARGIN - 2}} {'┤' if i in labels else '│'}" + "".join(line).rstrip()
        for i, line in enumerate(lines)
    ]
    return [*drawn, *_axis(left, right, width)]


def _row(value: float, top: float, rows: int) -> int:
    return min(rows - 1, max(0, round((1 - value / top) * (rows - 1))))


def _axis(left: float, right: float, width: int) -> list[str]:
    """The scale's axis with a tick at each power of ten, and its labels."""
    axis, names = ["─"] * width, [" "] * (width + _MARGIN)
    for exponent in range(math.ceil(left), math.floor(right) + 1):
        x = round((exponent - left) / (right - left) * (width - 1))
        axis[x] = "┴"
        name = f"{10.0**exponent:g}"
        start = min(_MARGIN + max(0, x - len(name) // 2), len(names) - len(name))
        names[start : start + len(name)] = name
    return [f"{'0':>{_MARGIN - 2}} └" + "".join(axis), "".join(names).rstrip()]
