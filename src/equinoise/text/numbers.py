"""How numbers are written in reports: significant digits, ranges, bars."""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = ["bar", "interval", "number", "plural", "power", "ranges", "ratio", "whole"]


def number(value: float, digits: int = 3) -> str:
    """Significant digits, thousands grouped; what is below rounding is 0."""
    if math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "infinity"
    if abs(value) < 1e-12:
        return "0"
    rounded = float(f"{value:.{digits}g}")
    if 1000 <= abs(rounded) < 1e7:
        return f"{rounded:,.0f}"
    if value == int(value) and abs(value) < 1000:
        return str(int(value))
    return f"{value:#.{digits}g}".rstrip(".")


def whole(value: float) -> str:
    """A count of shots: rounded up, at most three digits said."""
    if not math.isfinite(value):
        return "infinitely many"
    return number(math.ceil(value)) if value < 1e7 else f"{value:.2g}"


def power(value: int) -> str:
    """A whole number of any size; large ones as a power of ten."""
    return f"{value:,}" if value < 10**7 else ratio(value, 1)


def ratio(value: int, unit: int) -> str:
    """How many times greater a whole number of any size is than another."""
    exponent = math.log10(value) - math.log10(unit)
    if exponent < 6:
        return number(10**exponent)
    mantissa = 10 ** (exponent - math.floor(exponent))
    return f"{mantissa:.1f}e{math.floor(exponent)}"


def interval(bounds: tuple[float, float]) -> str:
    """[low, high], or that it is unknown."""
    if not all(map(math.isfinite, bounds)):
        return "[interval unknown]"
    return f"[{number(bounds[0])}, {number(bounds[1])}]"


def ranges(values: Iterable[int]) -> str:
    """Whole numbers with runs drawn together: 0-3, 6, 8-9."""
    runs: list[list[int]] = []
    for value in sorted(values):
        if runs and value == runs[-1][1] + 1:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def bar(share: float, width: int) -> str:
    """A bar of eighths of a character."""
    eighths = round(8 * width * min(1.0, max(0.0, share)))
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def plural(count: int, noun: str) -> str:
    """A count with its noun."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
