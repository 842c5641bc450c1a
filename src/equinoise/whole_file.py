"""Files that are there as a whole or not at all, and what a killed process has left of them."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from pathlib import Path

__all__ = ["PREFIX", "put_whole", "remove_leftovers"]

# of what is being written: a file or folder of an unguessable name, since a link planted there would be followed
PREFIX = ".equinoise-"
# seconds; what is older is written by nobody any more
_STALE = 86_400.0


def put_whole(target: Path, data: bytes | memoryview) -> None:
    """Writes a file under another name in its folder and renames it, so that no reader ever meets half of it.

    Killed at any moment it leaves the old file or the new one. What it leaves beside them has a name that no later
    process reads or takes, and is removed by the first that writes there a day later.

    Args:
        target: A file that exists or not, in a folder that does.
        data: Its content.

    Raises:
        OSError: The system refuses; the file is what it was.
    """
    remove_leftovers(target.parent)
    partial = target.with_name(f"{PREFIX}{secrets.token_hex(8)}.part")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Removes what processes that were killed a day ago or longer have left in a folder."""
    with contextlib.suppress(OSError):
        for path in folder.glob(f"{PREFIX}*"):
            _remove_stale(path)


def _remove_stale(path: Path) -> None:
    with contextlib.suppress(OSError):  # another user's, or another process was quicker
        if time.time() - path.lstat().st_mtime <= _STALE:
            return
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
