"""Checkpoints of a training run: written whole or not at all, and refused by any other run."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.errors import EquinoiseError

__all__ = ["CheckpointError", "identity", "read_checkpoint", "write_checkpoint"]

_NAME = "checkpoint.npz"
_SCHEMA = "equinoise.training/1"


class CheckpointError(EquinoiseError):
    """A checkpoint belongs to another run, cannot be read, or cannot be written."""


def identity(settings: Mapping[str, Any], *arrays: npt.NDArray[Any]) -> str:
    """A hash of what a run's numbers depend on: settings and data."""
    digest = hashlib.sha256(json.dumps({"schema": _SCHEMA, **settings}, sort_keys=True).encode())
    for array in arrays:
        whole = np.ascontiguousarray(array)
        digest.update(f"{whole.dtype}{whole.shape}".encode())
        digest.update(whole.tobytes())
    return digest.hexdigest()


def write_checkpoint(folder: str | Path, key: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Replaces the folder's checkpoint at once: a kill at any moment leaves the old one or the new one.

    Args:
        folder: Made if missing.
        key: The run's identity.
        arrays: What a run needs to go on.

    Raises:
        CheckpointError: The system refuses.
    """
    target = Path(folder) / _NAME
    partial = target.with_name(f".{_NAME}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, identity=np.array(key), **arrays)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        raise CheckpointError(
            f"cannot write {str(target)!r}: {error.strerror or error}. Choose another folder."
        ) from None


def read_checkpoint(folder: str | Path, key: str) -> dict[str, npt.NDArray[Any]] | None:
    """The folder's checkpoint, None if there is none.

    Args:
        folder: Where it was written.
        key: The run's identity.

    Raises:
        CheckpointError: It is another run's, or unreadable.
    """
    target = Path(folder) / _NAME
    if not target.exists():
        return None
    try:
        with np.load(target, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"{str(target)!r} is not a readable checkpoint ({error}). Remove it to start anew."
        ) from None
    if str(found.pop("identity", "")) != key:
        raise CheckpointError(
            f"{str(target)!r} belongs to a run with other data or settings. Use another checkpoint folder, or remove "
            "it to start anew."
        )
    return found
