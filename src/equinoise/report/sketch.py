"""A survival curve in characters: the law as a line of dots, exact points on it."""

from __future__ import annotations

import math

import numpy as np

from equinoise.report.figures import SurvivalTable

__all__ = ["POINT", "sketch"]

POINT = "●"
_MARGIN = 6
# Braille patterns: eight dots a cell, two across and four down, one bit each
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_BLANK = 0x2800


def sketch(table: SurvivalTable, columns: int = 60, rows: int = 10) -> list[str]:
    """The curve as lines of text: the law in Braille dots, exact points as filled circles, survival 0..1 upwards.

    Args:
        table: What to draw, from :func:`equinoise.report.figures.survival_table`.
        columns: Width in characters, labels included.
        rows: Height in lines, the scale's axis and its labels included.
    """
    width, height = columns - _MARGIN, rows - 2
    top = max(1.0, min(4.0, float(np.nanmax(table.law)), 4.0), *np.minimum(table.exact, 4.0).tolist())
    left, right = math.log10(table.scale[0]), math.log10(table.scale[-1])
    cells = np.zeros((height, width), dtype=np.int64)
    across = np.linspace(left, right, 2 * width)
    law = np.interp(across, np.log10(table.scale), table.law)
    down = np.clip(np.round((1 - law / top) * (4 * height - 1)), 0, 4 * height - 1).astype(int)
    for x, y in enumerate(down):
        # the whole step to the next column, so that a steep fall stays one line
        for dot in range(y, max(y, down[min(x + 1, down.size - 1)] - 1) + 1):
            cells[dot // 4, x // 2] |= _DOTS[dot % 4, x % 2]
    lines = [[chr(_BLANK + c) if c else " " for c in row] for row in cells.tolist()]
    for s, value in zip(table.exact_scale, table.exact, strict=True):
        x = round((math.log10(s) - left) / (right - left) * (width - 1))
        y = round((1 - min(value, top) / top) * (4 * height - 1)) // 4
        if 0 <= x < width:
            lines[min(max(y, 0), height - 1)][x] = POINT
    labels = {0: f"{top:.2g}", height // 2: f"{top * (1 - (height // 2) / height):.2g}"}
    drawn = [
        f"{labels.get(i, ''):>{_MARGIN - 2}} {'┤' if i in labels else '│'}" + "".join(line)
        for i, line in enumerate(lines)
    ]
    axis, names = ["─"] * width, [" "] * (columns + 2)
    for exponent in range(math.ceil(left), math.floor(right) + 1):
        x = round((exponent - left) / (right - left) * (width - 1))
        axis[x] = "┴"
        name = f"{10.0**exponent:g}"
        start = min(max(0, _MARGIN + x - len(name) // 2), columns - len(name))
        names[start : start + len(name)] = name
    return [*drawn, f"{'0':>{_MARGIN - 2}} └" + "".join(axis), "".join(names).rstrip()]
