"""What a study is: a question answered by tables, a figure drawn from them, and criteria stated beforehand."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equinoise.errors import ParameterError
from equinoise.evidence.frame.figure_panels import Layout
from equinoise.evidence.frame.rows import Row, Rows, Tables
from equinoise.sampling import Sampling
from equinoise.text.notebook import rows_html
from equinoise.text.table import Table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Context", "Criterion", "Study", "StudyResult", "at_least", "at_most"]


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
        """Whether the claim holds; never for NaN, which compares with nothing."""
        return self.value >= self.threshold if self.at_least else self.value <= self.threshold

    @property
    def bound(self) -> str:
        """The threshold with its sign, e.g. ">= 0.99"."""
        return f"{'>=' if self.at_least else '<='} {self.threshold:.4g}"


def at_most(statement: str, value: float, threshold: float) -> Criterion:
    """The claim that a number is no larger than a threshold."""
    return Criterion(statement, float(value), float(threshold), False)


def at_least(statement: str, value: float, threshold: float) -> Criterion:
    """The claim that a number is no smaller than a threshold."""
    return Criterion(statement, float(value), float(threshold), True)


@dataclass(frozen=True)
class StudyResult:
    """What a study found.

    Attributes:
        tables: Name to table; "data" is the main one.
        criteria: Each decided by a number of the tables.
        findings: Sentences for the page: what holds, and plainly where it does not.
        figure: Draws the study's figure from ``tables`` alone.
        page: The study's own page in Markdown, with its figure as figure.png; empty without one.
    """

    tables: Mapping[str, Table]
    criteria: tuple[Criterion, ...]
    findings: tuple[str, ...]
    figure: Callable[[Mapping[str, Table]], Figure] = field(repr=False)
    page: str = field(default="", repr=False)

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
        tables: Folder of published tables that the user named, for the studies that need them.
    """

    quick: bool = False
    seed: int = 0
    workers: int | None = None
    progress: Callable[[int, int], None] | None = None
    tables: Path | None = None

    def tick(self, done: int, total: int) -> None:
        """Reports progress if anyone listens."""
        if self.progress is not None:
            self.progress(done, total)

    def sampling(self, samples: int, *key: Any, engine: str = "auto", ensemble: Any = None) -> Sampling:
        """Draws whose seed is :meth:`seed_for` of a key, with the context's workers."""
        return Sampling(samples, self.seed_for(*key), self.workers, engine, ensemble)

    def seed_for(self, *key: Any) -> int:
        """A seed that depends on the study's seed and a key (numbers and words), and on nothing else."""
        words = [self.seed, *"\x1f".join(str(part) for part in key).encode()]
        state = 1469598103934665603
        for word in words:
            state = ((state ^ (int(word) & 0xFFFFFFFF)) * 1099511628211) % 2**64
        return state % 2**32


@dataclass(frozen=True)
class Study:
    """A question, what is computed for it, and what is read off the tables.

    Attributes:
        tables: Computes the tables' rows by name; "data" is the main one. A case's rows depend on the context's seed
            and on the case alone.
        criteria: Decided by numbers of the tables.
        findings: Sentences for the page: what holds, and plainly where it does not.
        figure: Drawn from the tables alone.
        page: A page of its own, from the tables, criteria and findings; None for none.
    """

    tables: Callable[[Context], Mapping[str, Sequence[Row]]]
    criteria: Callable[[Tables], Sequence[Criterion]]
    findings: Callable[[Tables], Sequence[str]]
    figure: Callable[[Tables], Layout]
    page: Callable[[Tables, Sequence[Criterion], Sequence[str]], str] | None = None

    def run(self, context: Context) -> StudyResult:
        """Computes the tables and judges them.

        Args:
            context: Size, seed, workers, progress.
        """
        return self.judge(self.tables(context))

    def judge(self, tables: Mapping[str, Sequence[Row]]) -> StudyResult:
        """Criteria and findings of tables that were computed before.

        Args:
            tables: Name to rows.
        """
        rows = {name: Rows(table) for name, table in tables.items()}
        criteria, findings = tuple(self.criteria(rows)), tuple(self.findings(rows))
        return StudyResult(
            tables={name: Table.from_rows(table) for name, table in rows.items()},
            criteria=criteria,
            findings=findings,
            figure=lambda found: self.figure({name: Rows(table.rows()) for name, table in found.items()}).draw(),
            page="" if self.page is None else self.page(rows, criteria, findings),
        )
