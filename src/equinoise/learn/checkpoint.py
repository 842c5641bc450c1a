"""Checkpoints of a training run: written whole or not at all, and refused if damaged or of any other run."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.errors import EquinoiseError
from equinoise.whole_file import put_whole

__all__ = ["CheckpointError", "damaged", "identity", "read_checkpoint", "write_checkpoint"]

_NAME = "checkpoint.npz"
_SCHEMA = "equinoise.training/1"
# of a whole checkpoint: 64 qubits and 1000 epochs take less than a megabyte
_LARGEST = 1 << 28

Shape = tuple[int | None, ...]


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
        CheckpointError: The system refuses; the checkpoint before is kept.
    """
    target = Path(folder) / _NAME
    whole = io.BytesIO()
    np.savez(whole, allow_pickle=False, identity=np.array(key), **arrays)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        put_whole(target, whole.getbuffer())
    except OSError as error:
        raise CheckpointError(
            f"cannot write {str(target)!r}: {error.strerror or error}. The checkpoint before it is kept; make room or "
            "choose another folder."
        ) from None


def read_checkpoint(
    folder: str | Path, key: str, expected: Mapping[str, tuple[type, Shape]]
) -> dict[str, npt.NDArray[Any]] | None:
    """The folder's checkpoint, None if there is none.

    Args:
        folder: Where it was written.
        key: The run's identity.
        expected: Name to (type, shape) of each array; None in a shape stands for any length.

    Raises:
        CheckpointError: It is another run's, unreadable, or does not hold what this run writes.
    """
    target = Path(folder) / _NAME
    try:
        if not os.path.lexists(target):
            return None
        if not target.is_file():
            raise damaged(folder, "it is no file")
        if target.stat().st_size > _LARGEST:
            raise damaged(folder, f"it is larger than {_LARGEST >> 20} MB")
        content = target.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"cannot read {str(target)!r}: {error.strerror or error}. Give it to this user or use another folder."
        ) from None
    found = _arrays(folder, content)
    if str(found.pop("identity", "")) != key:
        raise CheckpointError(
            f"{str(target)!r} belongs to a run with other data or settings. Use another checkpoint folder, or remove "
            "it to start anew."
        )
    if found.keys() != expected.keys():
        raise damaged(folder, f"it holds {len(found)} arrays, not just {', '.join(expected)}")
    for name, (kind, shape) in expected.items():
        array = found[name]
        fits = array.ndim == len(shape) and all(b in (None, a) for a, b in zip(array.shape, shape, strict=True))
        if array.dtype != np.dtype(kind) or not fits:
            raise damaged(folder, f"{name} is {array.dtype} of shape {array.shape}, not {np.dtype(kind)} of {shape}")
        if not np.all(np.isfinite(array)):
            raise damaged(folder, f"{name} holds numbers that are not finite")
    return found


def damaged(folder: str | Path, why: str) -> CheckpointError:
    """The error of a checkpoint that no run of equinoise has written."""
    return CheckpointError(
        f"{str(Path(folder) / _NAME)!r} is not a readable checkpoint: {why}. Remove it to start anew, or use another "
        "folder."
    )


def _arrays(folder: str | Path, content: bytes) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an .npz file whose members are stored as they are: none can be larger than the file."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if any(one.compress_type != zipfile.ZIP_STORED or one.file_size > len(content) for one in members):
                raise damaged(folder, "its parts are compressed")
            parts = {one.filename.removesuffix(".npy"): archive.read(one) for one in members}
            if len(parts) < len(members):
                raise damaged(folder, "a part stands in it twice")
        return {name: _array(part) for name, part in parts.items()}
    except CheckpointError:
        raise
    except Exception as error:  # whatever zipfile and NumPy make of foreign bytes, the answer is the same
        raise damaged(folder, " ".join(f"{type(error).__name__}: {error}".split())[:200]) from None


def _array(part: bytes) -> npt.NDArray[Any]:
    """Never unpickles, and takes no more memory than the part has bytes, whatever its header claims."""
    stream = io.BytesIO(part)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array of an unknown format")
    shape, fortran, kind = np.lib.format.read_array_header_1_0(stream)
    size = kind.itemsize
    for length in shape:
        size *= length
    if kind.hasobject or (fortran and len(shape) > 1) or size != len(part) - stream.tell():
        raise ValueError("an array whose length is not what it says")
    return np.frombuffer(part, kind, offset=stream.tell()).reshape(shape).copy()
