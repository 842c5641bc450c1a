"""The store of a sweep: one DuckDB file of flat rows, written by one process in whole transactions."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from equinoise.errors import EquinoiseError

if TYPE_CHECKING:
    import duckdb

__all__ = ["BUDGET", "CURVE", "RESULTS", "STORE_SCHEMA", "Store", "StoreError", "StoreWriter"]

STORE_SCHEMA = "equinoise.store/2"

RESULTS: dict[str, str] = {
    "key": "VARCHAR",
    "study": "VARCHAR",
    "status": "VARCHAR",
    "error": "VARCHAR",
    "family": "VARCHAR",
    "source": "VARCHAR",
    "num_qubits": "INTEGER",
    "depth": "INTEGER",
    "readout": "VARCHAR",
    "initial": "VARCHAR",
    "noise": "VARCHAR",
    "noise_terms": "VARCHAR",
    "device": "VARCHAR",
    "layout": "VARCHAR",
    "scale": "DOUBLE",
    "samples": "BIGINT",
    "seed": "BIGINT",
    "shots": "BIGINT",
    "ensemble": "VARCHAR",
    "engine": "VARCHAR",
    "engine_reason": "VARCHAR",
    "width": "INTEGER",
    "parameters": "INTEGER",
    "noise_class": "VARCHAR",
    "variance": "DOUBLE",
    "noiseless_rms": "DOUBLE",
    "noiseless_low": "DOUBLE",
    "noiseless_high": "DOUBLE",
    "kappa": "DOUBLE",
    "kappa_low": "DOUBLE",
    "kappa_high": "DOUBLE",
    "kappa_error": "DOUBLE",
    "fixed_point_share": "DOUBLE",
    "fixed_point_class": "VARCHAR",
    "rate_variance": "DOUBLE",
    "survival": "DOUBLE",
    "survival_low": "DOUBLE",
    "survival_high": "DOUBLE",
    "survival_kind": "VARCHAR",
    "law_survival": "DOUBLE",
    "lower_bound": "DOUBLE",
    "upper_bound": "DOUBLE",
    "bounds_proved": "BOOLEAN",
    "rms_gradient": "DOUBLE",
    "rms_low": "DOUBLE",
    "rms_high": "DOUBLE",
    "measured_rms": "DOUBLE",
    "shot_variance": "DOUBLE",
    "shots_per_gradient": "DOUBLE",
    "verdict": "VARCHAR",
    "verdict_reason": "VARCHAR",
    "seconds": "DOUBLE",
    "finished_at": "TIMESTAMP",
    "version": "VARCHAR",
    "task": "JSON",
    "diagnosis": "JSON",
}
"""Columns of the table ``results``, one row a task; ``key`` is its primary key."""
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
_FORMATS = {".parquet": "FORMAT parquet", ".csv": "FORMAT csv, HEADER"}

# stores that this process writes: DuckDB's lock keeps other processes out, not other threads of the same one
_open: set[Path] = set()
_guard = threading.Lock()

Row = dict[str, Any]


class StoreError(EquinoiseError):
    """A store is in use, is no store of equinoise, or cannot be written."""


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
        return self.path.is_file()

    @contextlib.contextmanager
    def writing(self) -> Iterator[StoreWriter]:
        """The store opened for writing, by this process alone, made if it does not exist.

        Raises:
            StoreError: It is in use, is no store of equinoise, or cannot be made.
        """
        place = self.path.resolve()
        with _guard:
            if place in _open:
                raise StoreError(_in_use(self.path, "this process"))
            _open.add(place)
        try:
            if not self.exists():
                self._create(place)
            connection = self._connect(read_only=False)
            try:
                self._check(connection)
                yield StoreWriter(connection, self.path)
            finally:
                connection.close()
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
            StoreError: There is no such store, or a sweep is writing it.
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
        with self._reading() as connection:
            for name, file in zip(_TABLES, files, strict=True):
                partial = file.with_name(f".{file.name}.{os.getpid()}.part")
                order = "key" if name == "results" else f"key, {list(_TABLES[name])[1]}"
                quoted = str(partial).replace("'", "''")
                try:
                    connection.execute(
                        f"COPY (FROM {name} ORDER BY {order}) TO '{quoted}' ({_FORMATS[target.suffix.lower()]})"
                    )
                    partial.replace(file)
                except (_package().Error, OSError) as error:
                    raise StoreError(f"cannot write {str(file)!r}: {error}. Write elsewhere.") from None
                finally:
                    partial.unlink(missing_ok=True)
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
        connection = self._connect(read_only=True)
        try:
            self._check(connection)
            yield connection
        finally:
            connection.close()

    def _create(self, place: Path) -> None:
        """A new store in its place at once: whoever is killed meanwhile leaves no half of it."""
        package = _package()
        if not place.parent.is_dir():
            raise StoreError(f"the store's folder {str(place.parent)!r} does not exist. Create it first.")
        fresh = place.with_name(f".{place.name}.{os.getpid()}.new")
        try:
            fresh.unlink(missing_ok=True)
            connection = package.connect(str(fresh))
            for name, columns in _TABLES.items():
                listed = ", ".join(f"{c} {kind}" for c, kind in columns.items())
                unique = ", PRIMARY KEY (key)" if name == "results" else ""
                connection.execute(f"CREATE TABLE {name} ({listed}{unique})")
            connection.execute("CREATE TABLE meta (name VARCHAR PRIMARY KEY, value VARCHAR)")
            connection.execute("INSERT INTO meta VALUES ('schema', ?)", [STORE_SCHEMA])
            connection.close()
            self._put(fresh, place)
        except (package.Error, OSError) as error:
            raise StoreError(f"cannot make the store {str(self.path)!r}: {error}. Give another --store.") from None
        finally:
            fresh.unlink(missing_ok=True)

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

    def _connect(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        package = _package()
        try:
            return cast("duckdb.DuckDBPyConnection", package.connect(str(self.path.resolve()), read_only=read_only))
        except package.Error as error:
            text = str(error)
            owner = re.search(r"PID (\d+)", text)
            if "lock" in text or "different configuration" in text:
                raise StoreError(
                    _in_use(self.path, f"process {owner.group(1)}" if owner else "this or another process")
                ) from None
            raise StoreError(
                f"cannot open the store {str(self.path)!r}: {text}. Give a file that a sweep made, or a new one."
            ) from None

    def _check(self, connection: duckdb.DuckDBPyConnection) -> None:
        package = _package()
        try:
            found = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
        except package.Error:
            found = None
        if found is None:
            raise StoreError(f"{str(self.path)!r} is a DuckDB file, but no store of equinoise. Give another --store.")
        if found[0] != STORE_SCHEMA:
            raise StoreError(
                f"the store {str(self.path)!r} has the schema {found[0]!r}; this equinoise writes {STORE_SCHEMA!r}. "
                "Give another --store, or use the equinoise that made it."
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
        package = _package()
        try:
            run("BEGIN")
            for name in ("budget", "curve"):
                run(f"DELETE FROM {name} WHERE key IN (SELECT unnest(?::VARCHAR[]))", [list(latest)])
            for name, rows in tables.items():
                if rows:
                    columns = _TABLES[name]
                    listed = ", ".join(f"unnest(?::{kind}[])" for kind in columns.values())
                    verb = "INSERT OR REPLACE" if name == "results" else "INSERT"
                    run(f"{verb} INTO {name} SELECT {listed}", [[row.get(c) for row in rows] for c in columns])
            run("COMMIT")
        except package.Error as error:
            with contextlib.suppress(package.Error):  # a failed COMMIT has rolled back by itself
                run("ROLLBACK")
            raise StoreError(f"cannot write to the store {str(self._path)!r}: {error}.") from None


def _package() -> Any:
    try:
        import duckdb
    except ImportError:
        raise StoreError(
            'stores need the package duckdb, which is missing. Run: pip install "equinoise[studies]"'
        ) from None
    return duckdb


def _beside(target: Path, table: str) -> Path:
    return target.with_name(f"{target.stem}.{table}{target.suffix}")


def _in_use(path: Path, owner: str) -> str:
    return (
        f"the store {str(path)!r} is in use by {owner}: a sweep writes it, or a program has it open. "
        "Wait until that ends, or give another --store."
    )
