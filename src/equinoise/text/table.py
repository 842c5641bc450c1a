"""A tidy table of plain values: what studies answer with and reports are drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from equinoise.errors import ParameterError
from equinoise.text.notebook import data_frame, rows_html

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Table", "Value", "as_number"]

Value = str | float | int | bool | None


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
