"""The store of a sweep: one DuckDB file of flat rows, written by one process in whole transactions."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equinoise.coherence.quantity import column_kinds
from equinoise.diagnosis.loss.loss_record import LOSS_DIAGNOSIS
from equinoise.diagnosis.record import DIAGNOSIS
from equinoise.sweeps.database import StoreError, first_line, in_use, opened, package
from equinoise.sweeps.model_statement import MODEL_COLUMNS
from equinoise.whole_file import PREFIX, remove_leftovers

if TYPE_CHECKING:
    import duckdb

__all__ = ["BUDGET", "CURVE", "RESULTS", "STORE_SCHEMA", "Store", "StoreError", "StoreWriter"]

STORE_SCHEMA = "equinoise.store/3"

RESULTS: dict[str, str] = {
    **dict.fromkeys(("key", "study", "status", "error", "family", "source"), "VARCHAR"),
    "depth": "INTEGER",
    "noise_terms": "VARCHAR",
    **column_kinds(DIAGNOSIS),
    **MODEL_COLUMNS,
    **column_kinds(LOSS_DIAGNOSIS),
    "seconds": "DOUBLE",
    "finished_at": "TIMESTAMP",
    "version": "VARCHAR",
    "task": "JSON",
    "diagnosis": "JSON",
}
"""Columns of the table ``results``, one row a task; ``key`` is its primary key. Those of a diagnosis, of a
circuit or a model, are its own."""
BUDGET: dict[str, str] = {
    "key": "VARCHAR",
    "layer": "INTEGER",
    "qubits": "VARCHAR",
    "mechanism": "VARCHAR",
    "kappa": "DOUBLE",
    "standard_error": "DOUBLE",
}
"""Columns of the table ``budget``: the additive parts of each task's kappa."""
CURVE: dict[str, str] = {"key": "VARCHAR", "scale": "DOUBLE", "survival": "DOUBLE", "law": "DOUBLE"}
"""Columns of the table ``curve``: each task's survival at further scales."""
_TABLES = {"results": RESULTS, "budget": BUDGET, "curve": CURVE}
_META = {"name": "VARCHAR", "value": "VARCHAR"}
_FORMATS = {".parquet": "FORMAT parquet", ".csv": "FORMAT csv, HEADER"}

# stores that this process writes: DuckDB's lock keeps other processes out, not other threads of the same one
_open: set[Path] = set()
_guard = threading.Lock()

# rows that an export holds at once
_AT_ONCE = 500

Row = dict[str, Any]


class Store:
    """Results of sweeps in one DuckDB file.

    Reading opens the file read-only and closes it again; a sweep that writes it keeps everybody else out meanwhile.

    Args:
        path: Of the file; :meth:`writing` makes it where there is none.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> store = Store(f"{folder.name}/results.duckdb")
        >>> with store.writing() as writer:
        ...     writer.append([{"row": {"key": "a", "status": "done"}, "budget": [], "curve": []}])
        >>> [row["status"] for row in store.read_results()]
        ['done']
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def exists(self) -> bool:
        """Whether there is a file."""
        return os.path.isfile(self.path)  # Path.is_file raises where the name is too long

    @contextlib.contextmanager
    def writing(self) -> Iterator[StoreWriter]:
        """The store opened for writing, by this process alone, made if it does not exist.

        Raises:
            StoreError: It is in use, is corrupt, is no store of equinoise, or cannot be made.
        """
        place = self.path.resolve()
        with _guard:
            if place in _open:
                raise StoreError(in_use(self.path, "this process"))
            _open.add(place)
        try:
            if not self.exists():
                self._create(place)
            with opened(self.path, read_only=False) as connection:
                self._check(connection)
                yield StoreWriter(connection, self.path)
        finally:
            with _guard:
                _open.discard(place)

    def statuses(self) -> dict[str, str]:
        """{key: "done" or "failed"} of every task in the store; empty where there is no file."""
        if not self.exists():
            return {}
        with self._reading() as connection:
            return dict(connection.execute("SELECT key, status FROM results").fetchall())

    def read_results(self, study: str | None = None) -> list[Row]:
        """The rows of ``results``, as mappings with the columns :data:`RESULTS`, in order of key.

        Args:
            study: Only of the study of this name.

        Raises:
            StoreError: There is no such store, it is corrupt, or a sweep is writing it.
        """
        return self._rows("results", study)

    def read_budget(self, study: str | None = None) -> list[Row]:
        """The rows of ``budget``; arguments and errors as :meth:`read_results`."""
        return self._rows("budget", study)

    def read_curve(self, study: str | None = None) -> list[Row]:
        """The rows of ``curve``; arguments and errors as :meth:`read_results`."""
        return self._rows("curve", study)

    def meta(self) -> dict[str, str]:
        """Name and value of what the store says of itself; "schema" is :data:`STORE_SCHEMA`."""
        with self._reading() as connection:
            return dict(connection.execute("SELECT name, value FROM meta ORDER BY name").fetchall())

    def export(self, path: str | Path) -> tuple[Path, ...]:
        """Write the tables as Parquet or CSV: FILE.parquet, FILE.budget.parquet and FILE.curve.parquet.

        Args:
            path: Of the results; the ending says the format. The other two stand beside it.

        Returns:
            The three files; each is whole or not there.

        Raises:
            StoreError: An unknown ending, a missing folder, no store, or a sweep is writing it.
        """
        target = self.check_export(path)
        files = tuple(target if name == "results" else _beside(target, name) for name in _TABLES)
        with self._reading() as connection, _private_folder(target.resolve().parent) as folder:
            for name, file in zip(_TABLES, files, strict=True):
                order = "key" if name == "results" else f"key, {list(_TABLES[name])[1]}"
                rows = connection.execute(f"SELECT {', '.join(_TABLES[name])} FROM {name} ORDER BY {order}")
                partial = folder / name
                try:
                    _write_table(rows, name, partial, _FORMATS[target.suffix.lower()])
                    partial.replace(file)
                except (package().Error, OSError) as error:
                    raise StoreError(f"cannot write {str(file)!r}: {first_line(error)}. Write elsewhere.") from None
        return files

    @staticmethod
    def check_export(path: str | Path) -> Path:
        """A path that :meth:`export` can write, checked before anything is computed.

        Raises:
            StoreError: An unknown ending, a missing folder, or a folder in its place.
        """
        target = Path(path)
        if target.suffix.lower() not in _FORMATS:
            raise StoreError(f"cannot export to {str(path)!r}: the ending must be .parquet or .csv.")
        if not target.resolve().parent.is_dir() or target.is_dir():
            raise StoreError(f"cannot export to {str(path)!r}: its folder does not exist, or it is a folder itself.")
        return target

    def _rows(self, table: str, study: str | None) -> list[Row]:
        columns = list(_TABLES[table])
        order = "key" if table == "results" else f"key, {columns[1]}"
        where = "" if study is None else " WHERE key IN (SELECT key FROM results WHERE study = ?)"
        with self._reading() as connection:
            found = connection.execute(
                f"SELECT {', '.join(columns)} FROM {table}{where} ORDER BY {order}", [] if study is None else [study]
            )
            return [dict(zip(columns, values, strict=True)) for values in found.fetchall()]

    @contextlib.contextmanager
    def _reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        if not self.exists():
            raise StoreError(
                f"there is no store {str(self.path)!r}. `equinoise sweep STUDY.toml --store FILE` makes one."
            )
        with opened(self.path, read_only=True) as connection:
            self._check(connection)
            yield connection

    def _create(self, place: Path) -> None:
        """A new store in its place at once: whoever is killed meanwhile leaves no half of it."""
        duckdb = package()
        if not place.parent.is_dir():
            raise StoreError(f"the store's folder {str(place.parent)!r} does not exist. Create it first.")
        with _private_folder(place.parent) as folder:
            fresh = folder / "new"
            try:
                with contextlib.closing(duckdb.connect(str(fresh))) as connection:
                    for name in _TABLES:
                        _create_table(connection, name)
                    connection.execute("CREATE TABLE meta (name VARCHAR PRIMARY KEY, value VARCHAR)")
                    connection.execute("INSERT INTO meta VALUES ('schema', ?)", [STORE_SCHEMA])
                    connection.execute("CHECKPOINT")  # all of it into the one file; closing would not tell a full disk
                self._put(fresh, place)
            except (duckdb.Error, OSError) as error:
                raise StoreError(
                    f"cannot make the store {str(self.path)!r}: {first_line(error)}. Give another --store."
                ) from None

    @staticmethod
    def _put(fresh: Path, place: Path) -> None:
        """Unlike a renaming, a link never takes the place of a store that another sweep has made meanwhile."""
        try:
            os.link(fresh, place)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            if not place.exists():
                fresh.rename(place)

    def _check(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Refuses whatever is not the tables that a sweep writes; asks with no function that the file could replace."""
        if not _is_table(connection, "meta", _META):
            raise StoreError(f"{str(self.path)!r} is a DuckDB file, but no store of equinoise. Give another --store.")
        found = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
        if found is None or found[0] != STORE_SCHEMA:
            raise StoreError(
                f"the store {str(self.path)!r} has the schema {found and found[0]!r}; this equinoise writes "
                f"{STORE_SCHEMA!r}. Give another --store, or use the equinoise that made it."
            )
        for name, columns in _TABLES.items():
            if not _is_table(connection, name, columns):
                raise StoreError(
                    f"{str(self.path)!r} is no store that a sweep wrote: {name!r} is not the table of that name with "
                    f"the {len(columns)} columns of {STORE_SCHEMA!r}. Give another --store."
                )


class StoreWriter:
    """Appends to a store; made by :meth:`Store.writing`.

    Args:
        connection: Open for writing.
        path: The store's, for messages.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def statuses(self) -> dict[str, str]:
        """{key: "done" or "failed"} of every task in the store."""
        return dict(self._connection.execute("SELECT key, status FROM results").fetchall())

    def append(self, answers: Sequence[Mapping[str, Any]]) -> None:
        """Write answers, each {"row", "budget", "curve"}, in one transaction; an older answer to a task is replaced.

        When it returns, the rows survive whatever happens to this process.

        Raises:
            StoreError: The disk is full or the file cannot be written; nothing of the answers is stored.
        """
        latest = {answer["row"]["key"]: answer for answer in answers}
        if not latest:
            return
        now = datetime.now(UTC).replace(tzinfo=None)
        tables: dict[str, list[Row]] = {
            "results": [dict(a["row"]) | {"finished_at": now} for a in latest.values()],
            "budget": [{"key": key, **entry} for key, a in latest.items() for entry in a["budget"]],
            "curve": [{"key": key, **entry} for key, a in latest.items() for entry in a["curve"]],
        }
        run = self._connection.execute
        duckdb = package()
        try:
            run("BEGIN")
            for name in ("budget", "curve"):
                run(f"DELETE FROM {name} WHERE key IN (SELECT unnest(?::VARCHAR[]))", [list(latest)])
            for name, rows in tables.items():
                columns = [[row.get(column) for row in rows] for column in _TABLES[name]]
                _insert(self._connection, name, columns, replace=name == "results")
            run("COMMIT")
        except duckdb.Error as error:
            with contextlib.suppress(duckdb.Error):  # a failed COMMIT has rolled back by itself
                run("ROLLBACK")
            raise StoreError(
                f"cannot write to the store {str(self._path)!r}: {first_line(error)}. What it held before is kept: "
                "make room on its disk and run the same command again."
            ) from None


def _create_table(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    listed = ", ".join(f"{column} {kind}" for column, kind in _TABLES[name].items())
    unique = ", PRIMARY KEY (key)" if name == "results" else ""
    connection.execute(f"CREATE TABLE {name} ({listed}{unique})")


def _insert(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Sequence[Sequence[Any]], *, replace: bool = False
) -> None:
    if columns[0]:
        listed = ", ".join(f"unnest(?::{kind}[])" for kind in _TABLES[name].values())
        verb = "INSERT OR REPLACE" if replace else "INSERT"
        connection.execute(f"{verb} INTO {name} SELECT {listed}", list(columns))


def _is_table(connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str]) -> bool:
    """Whether a base table, and no view, has exactly these columns: with them, only a table has row numbers beside."""
    duckdb = package()
    try:
        found = [(column, kind) for column, kind, *_ in connection.execute(f"DESCRIBE {name}").fetchall()]
        connection.execute(f"SELECT rowid FROM {name} LIMIT 0")
    except (duckdb.CatalogException, duckdb.BinderException, duckdb.PermissionException):
        return False
    return found == list(columns.items())


def _write_table(rows: duckdb.DuckDBPyConnection, name: str, target: Path, kind: str) -> None:
    """Rows as a file, by a database of our own: the store's connection can write no file."""
    with contextlib.closing(package().connect(":memory:")) as own:
        _create_table(own, name)
        while chunk := rows.fetchmany(_AT_ONCE):
            _insert(own, name, list(zip(*chunk, strict=True)))
        quoted = str(target).replace("'", "''")
        own.execute(f"COPY {name} TO '{quoted}' ({kind})")


@contextlib.contextmanager
def _private_folder(parent: Path) -> Iterator[Path]:
    """A new folder that only this user may enter, on the same disk, so that nobody plants a link in it."""
    try:
        remove_leftovers(parent)
        folder = tempfile.TemporaryDirectory(prefix=PREFIX, dir=parent, ignore_cleanup_errors=True)
    except OSError as error:
        raise StoreError(
            f"cannot write in the folder {str(parent)!r}: {error.strerror or error}. Write elsewhere."
        ) from None
    with folder as path:
        yield Path(path)


def _beside(target: Path, table: str) -> Path:
    return target.with_name(f"{target.stem}.{table}{target.suffix}")
