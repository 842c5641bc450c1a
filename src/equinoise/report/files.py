"""Writing results: refused before the work if the place does not exist, and whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from equinoise.errors import EquinoiseError
from equinoise.whole_file import put_whole

__all__ = ["OutputError", "check_target", "write_whole"]


class OutputError(EquinoiseError):
    """A file to be written has no folder, no known format, or cannot be written."""


def check_target(path: str | Path, what: str) -> Path:
    """A path that can be written, checked before anything is computed for it.

    Args:
        path: Where to write.
        what: Whose file it is, for the message, e.g. "--json".

    Raises:
        OutputError: The folder is missing or not writable, or the path is a folder.
    """
    target = Path(path)
    try:
        folder = target.resolve().parent
        if target.name in ("", ".", ".."):
            raise OutputError(f"{what}: {str(target)!r} is no name of a file. Give one.")
        target.is_dir()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a zero byte, links in a circle
        raise OutputError(
            f"{what}: {str(target)!r} cannot be a file's name ({_kind(error)}). Choose another."
        ) from None
    if not folder.is_dir():
        raise OutputError(f"{what}: the folder {str(folder)!r} does not exist. Create it first, or write elsewhere.")
    if target.is_dir():
        raise OutputError(f"{what}: {str(target)!r} is a folder. Give the name of a file.")
    if not os.access(target if _special(target) else folder, os.W_OK):
        raise OutputError(f"{what}: no permission to write {str(target)!r}. Write elsewhere.")
    return target


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write a file as a whole or not at all.

    Args:
        path: Where to write; a link is followed, and a device or pipe (``/dev/stdout``) is written to directly.
        content: Text (as UTF-8) or bytes.

    Raises:
        OutputError: The system refuses.
    """
    data = content.encode() if isinstance(content, str) else content
    target = Path(path)
    try:
        if _special(target):
            target.write_bytes(data)
            return
        put_whole(target.resolve(), data)
    except OSError as error:
        raise OutputError(f"cannot write {str(path)!r}: {error.strerror or error}. Write elsewhere.") from None


def _kind(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _special(target: Path) -> bool:
    return target.exists() and not target.is_file() and not target.is_dir()
