"""Compiled kernels on disk, each with its checksum: one that is damaged is compiled again instead of being run.

Numba's own files carry none. A cut or overwritten one ends in a traceback from its unpickling, and a flipped bit in the
machine code is run as it is. Here a file is the SHA-256 of all that follows it: the stamp of the source that was
compiled, then the pickled code. What does not match in either is as good as no file.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
from pathlib import Path
from typing import Any

import numba as nb
from numba.core import serialize

from equinoise.whole_file import put_whole

__all__ = ["KernelFiles", "checked"]

_SUFFIX = ".kernel"
_dumps: Any = serialize.dumps  # also of what plain pickle refuses
_DIGEST = hashlib.sha256().digest_size


class KernelFiles:
    """Where one kernel's machine code lives: a file for each signature and processor.

    Args:
        folder: Of the files.
        name: Their common beginning: module, function, line and Python version.
        stamp: Of the source; code of another one is not taken.
    """

    def __init__(self, folder: str | Path, name: str, stamp: Any) -> None:
        self._folder = Path(folder)
        self._name = name
        self._stamp = repr((nb.__version__, stamp)).encode()

    def load(self, key: Any) -> Any:
        """What was saved under a key, None if there is nothing or not exactly that."""
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        digest, body = content[:_DIGEST], content[_DIGEST:]
        if hashlib.sha256(body).digest() != digest or not body.startswith(self._stamp):
            return None
        return pickle.loads(body[len(self._stamp) :])

    def save(self, key: Any, data: Any) -> None:
        """Writes a file whole or not at all; where none can be written, the next process compiles again."""
        body = self._stamp + _dumps(data)
        with contextlib.suppress(OSError):
            put_whole(self._path(key), hashlib.sha256(body).digest() + body)

    def flush(self) -> None:
        """Removes the kernel's files."""
        for path in self._folder.glob(f"{self._name}.*{_SUFFIX}"):
            path.unlink(missing_ok=True)

    def _path(self, key: Any) -> Path:
        return self._folder / f"{self._name}.{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}{_SUFFIX}"


def checked(kernel: Any) -> Any:
    """A kernel made with ``njit(cache=True)`` whose files are checked; with NUMBA_DISABLE_JIT it has none.

    Numba has no public place for this: its cache object keeps its files in ``_cache_file``, which is replaced. A test
    damages the files of a kernel and would tell if that moved.
    """
    cache = getattr(kernel, "_cache", None)
    if cache is not None:
        locator, name = cache._impl.locator, cache._impl.filename_base
        cache._cache_file = KernelFiles(cache.cache_path, name, locator.get_source_stamp())
    return kernel
