"""DuckDB files from anywhere, opened so that nothing but what is stored in them can answer."""

from __future__ import annotations

import contextlib
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from equinoise.errors import EquinoiseError

if TYPE_CHECKING:
    import duckdb

__all__ = ["StoreError", "first_line", "holder", "in_use", "opened", "package"]

# A file can bring views and macros of its own, which run when they are asked: with these settings they reach no other
# file, no network, no object of this process and no extension, and no statement can change that.
_CLOSED = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "lock_configuration": "true",
}
# of a DuckDB file: eight bytes of checksum, then this
_MAGIC, _MAGIC_AT = b"DUCK", 8
# struct flock as fcntl's F_GETLK fills it in: (format, its values' names in order)
_FLOCK = {
    "linux": ("hhqqi", ("type", "whence", "start", "length", "pid")),
    "darwin": ("qqihh", ("start", "length", "pid", "type", "whence")),
}


class StoreError(EquinoiseError):
    """A store is in use, is corrupt, is no store of equinoise, or cannot be written."""


def package() -> Any:
    """The module duckdb.

    Raises:
        StoreError: It is not installed.
    """
    try:
        import duckdb
    except ImportError:
        raise StoreError(
            'stores need the package duckdb, which is missing. Run: pip install "equinoise[studies]"'
        ) from None
    return duckdb


@contextlib.contextmanager
def opened(path: Path, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a DuckDB file, cut off from everything outside it.

    What DuckDB raises inside is told as a :class:`StoreError`.

    Args:
        path: Of a file that exists.
        read_only: Whether nothing is written; several processes may read at once.

    Raises:
        StoreError: It is in use, corrupt, no DuckDB file, or may not be read or written.
    """
    connection = _connected(path, path.resolve(), read_only)
    duckdb_error = package().Error
    try:
        yield connection
    except duckdb_error as error:
        raise StoreError(_corrupt(path, error)) from None
    finally:
        with contextlib.suppress(duckdb_error):  # on a full disk; what is committed stays in the journal beside it
            connection.close()


def _connected(path: Path, place: Path, read_only: bool) -> duckdb.DuckDBPyConnection:
    module = package()
    if place.exists() and not place.is_file():
        raise StoreError(f"the store {str(path)!r} is a folder or a device. Give the name of a file.")
    for last in (False, True):
        try:
            found = module.connect(str(place), read_only=read_only, config=dict(_CLOSED))
            return cast("duckdb.DuckDBPyConnection", found)
        except module.ConnectionException:  # this process has it open otherwise
            raise StoreError(in_use(path, "this process")) from None
        except module.Error as error:
            owner = holder(place, read_only=read_only)
            if owner is not None:
                raise StoreError(in_use(path, owner)) from None
            if last:  # else whoever held it has just let it go
                raise StoreError(_refusal(path, place, read_only, error)) from None
    raise AssertionError("unreachable")


def holder(place: Path, *, read_only: bool) -> str | None:
    """Who keeps this process from locking a file, as the system knows it; None if nobody does.

    To be called only while this process has the file not open: closing it gives up the process's own locks.

    Args:
        place: The file.
        read_only: Whether a lock for reading is wanted, which goes with others that read.
    """
    try:
        import fcntl
    except ImportError:  # Windows: a file that a DuckDB has open cannot be opened at all
        try:
            place.open("rb").close()
        except OSError:
            return "another process" if os.access(place, os.R_OK) else None
        return None
    kind = fcntl.F_RDLCK if read_only else fcntl.F_WRLCK
    layout, names = _FLOCK.get(sys.platform, ("", ()))
    try:
        with place.open("rb") as file:
            if not names:
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return None
            asked = struct.pack(layout, *({"type": kind}.get(name, 0) for name in names))
            found = dict(zip(names, struct.unpack(layout, fcntl.fcntl(file, fcntl.F_GETLK, asked)), strict=True))
    except BlockingIOError:
        return "another process"
    except OSError:
        return None
    if found["type"] == fcntl.F_UNLCK:
        return None
    return f"process {found['pid']}" if found["pid"] > 0 else "another process"


def in_use(path: Path, owner: str) -> str:
    """The message that a store is open elsewhere."""
    return (
        f"the store {str(path)!r} is in use by {owner}: a sweep writes it, or a program has it open. "
        "Wait until that ends, or give another --store."
    )


def _refusal(path: Path, place: Path, read_only: bool, error: Exception) -> str:
    """Why a file that nobody holds does not open: from the file itself, not from the words of the error."""
    duckdb = package()
    if not os.access(place, os.R_OK if read_only else os.R_OK | os.W_OK):
        return f"no permission to {'read' if read_only else 'write'} the store {str(path)!r}. Give another --store."
    try:
        with place.open("rb") as file:
            start = file.read(_MAGIC_AT + len(_MAGIC))
    except OSError as refused:
        return f"cannot read the store {str(path)!r}: {refused.strerror or refused}. Give another --store."
    if start[_MAGIC_AT:] != _MAGIC:
        return f"{str(path)!r} is no DuckDB file. Give a store that a sweep made, or the name of a new one."
    if not read_only:
        with contextlib.suppress(duckdb.Error):
            duckdb.connect(str(place), read_only=True, config=dict(_CLOSED)).close()
            return (
                f"the store {str(path)!r} can be read but not written: {first_line(error)}. Free space on its disk, "
                "or give another --store."
            )
    return _corrupt(path, error)


def _corrupt(path: Path, error: Exception) -> str:
    duckdb = package()
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError):
        return f"the store {str(path)!r} needs more memory than there is. Read it on a larger machine."
    return (
        f"the store {str(path)!r} is corrupt, or a newer DuckDB than {duckdb.__version__} wrote it: "
        f"{first_line(error)}. Restore it from a copy, or give another --store."
    )


def first_line(error: Exception) -> str:
    """What DuckDB says, without the statement and the hints below it."""
    return str(error).strip().split("\n")[0].rstrip(".")
