"""The authors' tables, read from the folder that the user names; nothing of them is kept in this project."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from equinoise.errors import EquinoiseError
from equinoise.evidence.frame.rows import Row, Rows

__all__ = ["REPOSITORY", "PublishedTables", "TablesError"]

REPOSITORY = "github.com/ugail/Readout-Visible-Coherence-QNN"

_ASK = f"Clone {REPOSITORY} and name its folder: equinoise reproduce --only published --tables FOLDER"
# where the tables lie in the authors' repository, and in copies of it
_INSIDE = ("", "Results", "readout-visible-coherence")
_KNOWN_BY = "pooled_with_baselines.csv"


class TablesError(EquinoiseError):
    """The published tables are missing, or a table is not as it was published."""


class PublishedTables:
    """The authors' tables.

    Args:
        folder: The authors' repository, or the folder of its CSV files; None where the user named none.

    Raises:
        TablesError: No folder was named, or it does not hold the tables.
    """

    def __init__(self, folder: str | Path | None) -> None:
        if folder is None:
            raise TablesError(
                f"the published study needs the authors' tables, which are not part of equinoise. {_ASK}."
            )
        places = [Path(folder) / inside for inside in _INSIDE]
        found = [place for place in places if (place / _KNOWN_BY).is_file()]
        if not found:
            raise TablesError(f"there is no {_KNOWN_BY} in {str(folder)!r}, nor in its folder 'Results'. {_ASK}.")
        self.folder = found[0]

    def rows(self, name: str, numbers: Sequence[str], words: Sequence[str] = (), blank: Sequence[str] = ()) -> Rows:
        """Columns of one table.

        Args:
            name: Of the file, without ``.csv``.
            numbers: Columns of finite numbers.
            words: Columns of text.
            blank: Those of the numbers that may be empty (None then).

        Raises:
            TablesError: The file or a column is missing, or an entry is no finite number (with the line).
        """
        path = self.folder / f"{name}.csv"
        try:
            with path.open(newline="", encoding="utf-8") as file:
                lines = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise TablesError(f"cannot read the table {str(path)!r}: {error}. {_ASK}.") from None
        missing = [column for column in (*words, *numbers) if not lines or column not in lines[0]]
        if missing:
            raise TablesError(f"{path.name} has no column {missing[0]!r} (or no rows). {_ASK}.")
        return Rows(
            {**{c: line[c] for c in words}, **{c: _number(line, c, path.name, at, c in blank) for c in numbers}}
            for at, line in enumerate(lines, start=2)
        )

    def row(self, name: str, numbers: Sequence[str], **where: str) -> Row:
        """The first row of a table whose columns hold the given words; see :meth:`rows`."""
        found = self.rows(name, numbers, tuple(where)).where(**where)
        if not found:
            raise TablesError(f"{name}.csv has no row with {where}. {_ASK}.")
        return found[0]


def _number(line: Mapping[str, str | None], column: str, file: str, at: int, may_be_blank: bool) -> float | None:
    text = line[column]
    if may_be_blank and not text:
        return None
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise TablesError(f"{file}, line {at}: {column} must be a finite number, got {text!r}. {_ASK}.")
    return value
