"""What a study is: a question answered by tables, a figure drawn from them, and criteria stated beforehand."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from equinoise.errors import ParameterError
from equinoise.problem.notebook import data_frame, rows_html

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["OKABE_ITO", "Context", "Criterion", "StudyResult", "Table", "as_number"]

Value = str | float | int | bool | None

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
"""Colours that the colour-blind tell apart (Okabe and Ito)."""


def as_number(value: Value) -> float:
    """A table's entry that is known to be a number."""
    return float(value)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Table:
    """A tidy table: one row an observation.

    Attributes:
        columns: Column name to values, all of one length.
    """

    columns: Mapping[str, Sequence[Value]]

    def __post_init__(self) -> None:
        lengths = {len(values) for values in self.columns.values()}
        if len(lengths) > 1:
            raise ParameterError(f"a table's columns must have one length, got {sorted(lengths)}.")

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, Value]]) -> Table:
        """A table from rows with the same keys."""
        return cls({name: [row[name] for row in rows] for name in rows[0]} if rows else {})

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def rows(self) -> list[dict[str, Value]]:
        """The rows as mappings."""
        return [dict(zip(self.columns, values, strict=True)) for values in zip(*self.columns.values(), strict=True)]

    def _repr_html_(self) -> str:
        rows = list(zip(*self.columns.values(), strict=True))
        return rows_html(f"{len(self)} rows", list(self.columns), rows)

    def to_dataframe(self) -> pd.DataFrame:
        """The table as a pandas frame.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        return data_frame(self.columns)


@dataclass(frozen=True)
class Criterion:
    """A statement that a number decides.

    Attributes:
        statement: What is claimed, in words that name the number.
        value: The number found.
        threshold: What it is held against.
        at_least: Whether the value must be at least the threshold (else at most).
    """

    statement: str
    value: float
    threshold: float
    at_least: bool

    @property
    def passed(self) -> bool:
        """Whether the claim holds; never for NaN."""
        if math.isnan(self.value):
            return False
        return self.value >= self.threshold if self.at_least else self.value <= self.threshold

    @property
    def bound(self) -> str:
        """The threshold with its sign, e.g. ">= 0.99"."""
        return f"{'>=' if self.at_least else '<='} {self.threshold:.4g}"


@dataclass(frozen=True)
class StudyResult:
    """What a study found.

    Attributes:
        tables: Name to table; "data" is the main one.
        criteria: Each decided by a number of the tables.
        findings: Sentences for the page: what holds, and plainly where it does not.
        figure: Draws the study's figure from ``tables`` alone.
    """

    tables: Mapping[str, Table]
    criteria: tuple[Criterion, ...]
    findings: tuple[str, ...]
    figure: Callable[[Mapping[str, Table]], Figure] = field(repr=False)

    @property
    def passed(self) -> bool:
        """Whether every criterion holds."""
        return all(criterion.passed for criterion in self.criteria)

    def _repr_html_(self) -> str:
        rows = [(c.statement, c.value, c.bound, "holds" if c.passed else "FAILS") for c in self.criteria]
        findings = "".join(f"<p>{html.escape(text)}</p>" for text in self.findings)
        return rows_html("study", ["criterion", "found", "held against", ""], rows) + findings

    def plot(self) -> Figure:
        """The study's figure, drawn from its tables alone."""
        return self.figure(self.tables)

    def to_dataframe(self, table: str = "data") -> pd.DataFrame:
        """One of the tables as a pandas frame.

        Args:
            table: Its name.

        Raises:
            ParameterError: There is no such table.
            MissingPackageError: pandas is not installed.
        """
        if table not in self.tables:
            raise ParameterError(f"no table is called {table!r}; there are: {', '.join(self.tables)}.")
        return self.tables[table].to_dataframe()


@dataclass(frozen=True)
class Context:
    """What a study is run with.

    Attributes:
        quick: Whether to take the small set (all studies together under a minute on two cores).
        seed: Of everything random; the same seed gives the same tables whatever the number of workers.
        workers: Draws run at once; None for all processors.
        progress: Called with (done, total) in the study's own units.
    """

    quick: bool = False
    seed: int = 0
    workers: int | None = None
    progress: Callable[[int, int], None] | None = None

    def tick(self, done: int, total: int) -> None:
        """Reports progress if anyone listens."""
        if self.progress is not None:
            self.progress(done, total)

    def seed_for(self, *key: Any) -> int:
        """A seed that depends on the study's seed and a key (numbers and words), and on nothing else."""
        words = [self.seed, *"\x1f".join(str(part) for part in key).encode()]
        state = 1469598103934665603
        for word in words:
            state = ((state ^ (int(word) & 0xFFFFFFFF)) * 1099511628211) % 2**64
        return state % 2**32
