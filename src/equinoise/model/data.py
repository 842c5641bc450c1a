"""Rows of data and their labels: from arrays, data frames or CSV files, checked before anything is computed."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.errors import DataError
from equinoise.limits import check_file

__all__ = ["Rows", "plain_table", "read_labels", "read_rows", "read_table"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """What is known of each row.

    Attributes:
        inputs: Shape (N, F), finite, columns in the order of the model's inputs; read-only.
        labels: Shape (N,) or (N, columns), as given; None without labels.
        notes: What was assumed.
    """

    inputs: Real
    labels: npt.NDArray[Any] | None = None
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """N."""
        return int(self.inputs.shape[0])


@dataclass(frozen=True)
class _Table:
    """A table as it was given: values of shape (N, F), and names where it has a header."""

    values: npt.NDArray[Any]
    names: tuple[str, ...] | None
    where: str

    def column(self, name: str) -> npt.NDArray[Any] | None:
        return self.values[:, self.names.index(name)] if self.names is not None and name in self.names else None

    def without(self, name: str) -> _Table:
        kept = [i for i, each in enumerate(self.names or ()) if each != name]
        return _Table(self.values[:, kept], tuple((self.names or ())[i] for i in kept), self.where)


def read_rows(data: Any, labels: Any, inputs: Sequence[str]) -> Rows:
    """Rows and labels, each by itself or the labels as one column of the data.

    A table with a header is read by its column names, in any order, if they are the inputs' names; if none of them is,
    its columns are the inputs in order, which is noted.

    Args:
        data: Array of shape (N, F) (of shape (N,) for one input), data frame, or path of a CSV file; None for a model
            without inputs, which has one row.
        labels: Likewise with one number or name a row (or one a readout), or the name of a column of the data.
        inputs: Names of the model's inputs, F of them.

    Raises:
        DataError: Missing, unknown or superfluous columns, values that are no finite numbers, or rows that do not fit.
    """
    if data is None:
        if inputs:
            raise DataError(
                f"the model has {len(inputs)} inputs ({_some(inputs)}), and no data was given: give data=, an array of "
                f"shape (rows, {len(inputs)}), a data frame or a CSV file."
            )
        return _with_labels(np.zeros((1, 0)), labels, ())
    if not inputs:
        raise DataError(
            "data was given, but the model has no inputs: name the circuit parameters that the columns stand for with "
            "inputs=."
        )
    table = _table(data, "data")
    found = table.column(labels) if isinstance(labels, str) else None
    if found is not None:
        table, labels = table.without(labels), found
    values, notes = _in_order(table, inputs)
    return _with_labels(_finite(values, table.where), labels, notes)


def read_table(data: Any, labels: Any = None) -> tuple[Real, npt.NDArray[Any] | None]:
    """All columns of a table, shape (N, F), and apart from them the one that holds the labels.

    Args:
        data: As for :func:`read_rows`.
        labels: The name of a column of the data; anything else names none.

    Raises:
        DataError: Values that are no finite numbers.
    """
    table = _table(data, "data")
    found = table.column(labels) if isinstance(labels, str) else None
    kept = table if found is None else table.without(labels)
    return _finite(kept.values, kept.where), found


def plain_table(source: Any, what: str) -> Any:
    """A table as plain data, which :func:`read_rows` and :func:`read_labels` take as they took the table.

    Args:
        source: Array, data frame, columns, or path of a CSV file.
        what: "data" or "labels", for messages.

    Returns:
        {column: values} where it has a header, else a list of rows. The entries are not checked.

    Raises:
        DataError: It is no table, or two columns have one name.
    """
    table = _table(source, what)
    if table.names is None:
        return table.values.tolist()
    if len(set(table.names)) < len(table.names):
        raise DataError(f"two columns of {table.where} have one name: {_some(table.names)}.")
    columns = table.values.T.tolist()
    return {name: _numbers(column) for name, column in zip(table.names, columns, strict=True)}


def _numbers(column: list[Any]) -> list[Any]:
    """A column's numbers, which stand as texts where another column of a file holds names; itself if it has names."""
    if not all(isinstance(cell, str) and (not cell or _is_number(cell)) for cell in column):
        return column
    return [float(cell) if cell else np.nan for cell in column]


def _with_labels(values: Real, labels: Any, notes: tuple[str, ...]) -> Rows:
    values.setflags(write=False)
    found = None if labels is None else read_labels(labels, values.shape[0])
    return Rows(values, found, notes)


def read_labels(labels: Any, rows: int) -> npt.NDArray[Any]:
    """Labels as an array of shape (rows,) or (rows, columns).

    Args:
        labels: Array, series, data frame, or path of a CSV file.
        rows: N.

    Raises:
        DataError: Another number of labels, or missing ones.
    """
    array = _table(labels, "labels").values
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape[0] != rows or not array.size:
        raise DataError(f"labels must hold one entry for each of the {rows} rows of data; got shape {array.shape}.")
    if array.dtype.kind == "f":
        missing = np.flatnonzero(~np.isfinite(array.reshape(rows, -1)).all(axis=1))
    else:
        missing = np.array([i for i, each in enumerate(array.reshape(rows, -1)) if any(_absent(v) for v in each)])
    if missing.size:
        raise DataError(
            f"the label of row {int(missing[0])} is missing or not finite (so in {missing.size} rows): fill it in, or "
            "leave these rows out of data and labels."
        )
    array.setflags(write=False)
    return array


def _absent(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and not np.isfinite(value))


def _table(source: Any, what: str) -> _Table:
    """A table from what the user gave; its entries are not checked yet."""
    if isinstance(source, str | Path):
        return _from_csv(Path(source), what)
    if hasattr(source, "columns") and hasattr(source, "to_numpy"):
        return _Table(np.array(source.to_numpy()), tuple(str(name) for name in source.columns), f"the {what} frame")
    if isinstance(source, Mapping):
        columns = [np.asarray(column) for column in source.values()]
        if len({column.shape for column in columns}) != 1 or columns[0].ndim != 1:
            raise DataError(f"{what} given as columns must have columns of one length, a number in each row.")
        return _Table(np.column_stack(columns), tuple(str(name) for name in source), f"the {what}")
    if hasattr(source, "to_numpy"):
        source = source.to_numpy()
    try:
        array = np.asarray(source).copy()
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} cannot be read as an array ({error}); rows must have one length.") from None
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or (array.dtype.kind in "OcVMm" and what == "data"):
        raise DataError(
            f"{what} must be numbers of shape (rows, columns), a data frame or the path of a CSV file; got shape "
            f"{array.shape} of {array.dtype}."
        )
    return _Table(array, None, f"the {what}")


def _from_csv(path: Path, what: str) -> _Table:
    if not path.is_file():
        raise DataError(f"{what}: there is no file {str(path)!r}, and no column of the data is called so.")
    check_file(path)
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = [line for line in csv.reader(file) if line]
    if not lines:
        raise DataError(f"{what}: the file {path.name!r} is empty.")
    headed = len(lines) > 1 and not any(_is_number(cell) for cell in lines[0])
    header = tuple(cell.strip() for cell in lines[0]) if headed else None
    ragged = next((i for i, line in enumerate(lines) if len(line) != len(lines[0])), None)
    if ragged is not None:
        raise DataError(
            f"{what}: line {ragged + 1} of {path.name!r} has {len(lines[ragged])} columns, the first has "
            f"{len(lines[0])}."
        )
    cells = np.array([[cell.strip() for cell in line] for line in lines[int(headed) :]])
    numeric = all(_is_number(cell) or not cell for cell in cells.ravel())
    if numeric:
        cells = np.array([[float(cell) if cell else np.nan for cell in line] for line in cells])
    return _Table(cells, header, f"the file {path.name!r}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _in_order(table: _Table, inputs: Sequence[str]) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """The columns of the inputs, in their order."""
    count = table.values.shape[1]
    known = [] if table.names is None else [name for name in inputs if name in table.names]
    if table.names is not None and known:
        missing = [name for name in inputs if name not in table.names]
        unknown = [name for name in table.names if name not in inputs]
        if missing or unknown or len(set(table.names)) < count:
            raise DataError(
                f"the columns of {table.where} are not the model's inputs: missing {_some(missing)}, unknown "
                f"{_some(unknown)}. Leave out what is no input, and name labels with labels=COLUMN."
            )
        return table.values[:, [table.names.index(name) for name in inputs]], ()
    if count != len(inputs):
        named = "" if table.names is None else f" ({_some(table.names)})"
        raise DataError(
            f"{table.where} has {count} columns{named}, the model {len(inputs)} inputs ({_some(inputs)}): give one "
            "column for each input."
        )
    if table.names is None:
        return table.values, ()
    return table.values, (f"columns {_some(table.names)} are taken as the inputs {_some(inputs)}, in this order",)


def _finite(values: npt.NDArray[Any], where: str) -> Real:
    try:
        numbers = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        places = ((r, c) for r, line in enumerate(values) for c, v in enumerate(line) if not _is_number(str(v)))
        row, column = next(places, (0, 0))
        raise DataError(
            f"{where} holds {str(values[row][column])!r} in row {row}, column {column}: expected a number."
        ) from None
    if not numbers.size:
        raise DataError(f"{where} has no rows.")
    bad = np.argwhere(~np.isfinite(numbers))
    if bad.size:
        rows = np.unique(bad[:, 0])
        raise DataError(
            f"{where} is not finite in row {bad[0, 0]}, column {bad[0, 1]} (so in {rows.size} rows): fill in missing "
            "values, or leave these rows out of data and labels."
        )
    return numbers


def _some(names: Sequence[str]) -> str:
    if not names:
        return "none"
    return ", ".join(names[:5]) + (f", ... ({len(names)})" if len(names) > 5 else "")
