"""Rows of a table as studies ask for them: those that meet a condition, a column as numbers, its largest value."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Row", "Rows", "Tables", "along", "listed"]

Row = dict[str, Any]
"""Column name to value: text, number, truth or None."""


class Rows(tuple[Row, ...]):
    """Rows with the same keys, in order.

    Example:
        >>> from equinoise.evidence.frame.rows import Rows
        >>> rows = Rows([{"noise": "local", "x": 1.0}, {"noise": "none", "x": 3.0}])
        >>> rows.largest("x"), rows.where(noise="local").column("x")
        (3.0, array([1.]))
    """

    __slots__ = ()

    def where(self, holds: Callable[[Row], Any] | None = None, /, **equal: Any) -> Rows:
        """The rows for which ``holds`` is true and whose named columns have the given values."""
        return Rows(
            row for row in self if (holds is None or holds(row)) and all(row[key] == v for key, v in equal.items())
        )

    def among(self, name: str, values: Container[Any]) -> Rows:
        """The rows whose column has one of the values."""
        return Rows(row for row in self if row[name] in values)

    def between(self, name: str, least: float = -math.inf, most: float = math.inf) -> Rows:
        """The rows whose column has a number within limits."""
        return Rows(row for row in self if row[name] is not None and least <= row[name] <= most)

    def known(self, name: str) -> Rows:
        """The rows in which a column has a value."""
        return self.where(lambda row: row[name] is not None)

    def row(self, **equal: Any) -> Row:
        """The first row whose named columns have the given values."""
        return self.where(**equal)[0]

    def column(self, name: str) -> npt.NDArray[np.float64]:
        """A column as numbers, shape (rows,); NaN where there is none."""
        return np.array([math.nan if row[name] is None else row[name] for row in self], dtype=np.float64)

    def distinct(self, name: str) -> list[Any]:
        """The values of a column, each once, in order of appearance."""
        return list(dict.fromkeys(row[name] for row in self))

    def by(self, name: str) -> dict[Any, Rows]:
        """Each value of a column and its rows."""
        return {value: self.where(**{name: value}) for value in self.distinct(name)}

    def largest(self, name: str) -> float:
        """The largest value of a column; NaN without rows."""
        return float(self.column(name).max()) if self else math.nan

    def least(self, name: str) -> float:
        """The least value of a column; NaN without rows."""
        return float(self.column(name).min()) if self else math.nan

    def largest_size(self, name: str, centre: float = 0.0) -> float:
        """The largest distance of a column from a number; NaN without rows."""
        return float(np.abs(self.column(name) - centre).max()) if self else math.nan

    def total(self, name: str) -> int:
        """Sum of a column of counts or truths."""
        return sum(int(row[name]) for row in self)

    def lowest(self, key: str | Callable[[Row], float]) -> Row:
        """The row with the least value of a column, or of a function of the row."""
        return min(self, key=key if callable(key) else lambda row: float(row[key]))

    def highest(self, key: str | Callable[[Row], float]) -> Row:
        """The row with the largest value of a column, or of a function of the row."""
        return max(self, key=key if callable(key) else lambda row: float(row[key]))


def along(fixed: Row, **columns: npt.NDArray[Any]) -> list[Row]:
    """One row for each entry of the columns, with the same fixed values in all.

    Args:
        fixed: Values of every row.
        columns: Numbers or truths, shape (m,) each.

    Example:
        >>> import numpy as np
        >>> from equinoise.evidence.frame.rows import along
        >>> along({"case": "a"}, scale=np.array([0.5, 1.0]))
        [{'case': 'a', 'scale': 0.5}, {'case': 'a', 'scale': 1.0}]
    """
    plain = zip(*(np.asarray(values).tolist() for values in columns.values()), strict=True)
    return [{**fixed, **dict(zip(columns, values, strict=True))} for values in plain]


Tables = Mapping[str, Rows]
"""A study's tables by name."""


def listed(texts: Iterable[str], otherwise: str = "") -> str:
    """Texts joined by commas, or what is said without any."""
    return ", ".join(texts) or otherwise
