"""Files of a study: tables as CSV and Parquet, texts that are there whole or not at all."""

from __future__ import annotations

import csv
import hashlib
import importlib
from pathlib import Path
from typing import Any

from equinoise.errors import UnsupportedError
from equinoise.text.table import Table
from equinoise.whole_file import put_whole

__all__ = ["duckdb", "files_digest", "write", "write_table"]


def write_table(stem: Path, table: Table) -> list[str]:
    """The table as CSV and Parquet; names of the files.

    Args:
        stem: Path without a suffix.
        table: The table.
    """
    comma, parquet = stem.with_suffix(".csv"), stem.with_suffix(".parquet")
    with comma.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table.columns)
        writer.writerows(["" if v is None else v for v in row.values()] for row in table.rows())
    quoted = [str(p).replace("'", "''") for p in (comma, parquet)]
    with duckdb().connect() as connection:
        source = f"read_csv('{quoted[0]}', header = true, sample_size = -1)"
        connection.execute(f"COPY (SELECT * FROM {source}) TO '{quoted[1]}' (FORMAT parquet)")
    return [comma.name, parquet.name]


def duckdb() -> Any:
    """The package that writes Parquet.

    Raises:
        UnsupportedError: It is not installed.
    """
    try:
        return importlib.import_module("duckdb")
    except ImportError:
        raise UnsupportedError(
            'studies write Parquet with DuckDB, which is not installed: pip install "equinoise[studies]".'
        ) from None


def files_digest(folder: Path, pattern: str) -> str:
    """A hash of the files of a folder and those below it whose names match, and of where they lie."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob(pattern)):
        digest.update(str(file.relative_to(folder)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def write(path: Path, text: str) -> None:
    """A whole text, or nothing where writing is interrupted."""
    put_whole(path, text.encode())
