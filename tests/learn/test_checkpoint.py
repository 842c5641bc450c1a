"""Checkpoints: no planted link is followed, nothing is unpickled, and every damaged file is refused in one line."""

from __future__ import annotations

import io
import os
import pickle
import random
import zipfile

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from equinoise.learn import ChargeClassifier, CheckpointError
from equinoise.learn.checkpoint import read_checkpoint, write_checkpoint

ARRAYS = {
    "position": np.array([2, 1, 7], dtype=np.int64),
    "angles": np.linspace(-1.0, 1.0, 40),
    "history": np.ones((2, 4)),
}
EXPECTED = {"position": (np.int64, (3,)), "angles": (np.float64, (40,)), "history": (np.float64, (None, 4))}
KEY = "the run"


class _Bomb:
    """What an unpickled file could do."""

    def __reduce__(self):
        return os.abort, ()


def _npz(**changed):
    out = io.BytesIO()
    np.savez(out, **{"identity": np.array(KEY), **ARRAYS, **changed})
    return out.getvalue()


def _zipped(parts, compression=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return out.getvalue()


def _parts():
    with zipfile.ZipFile(io.BytesIO(_npz())) as archive:
        return {one.filename: archive.read(one) for one in archive.infolist()}


def _npy(value, **options):
    out = io.BytesIO()
    np.lib.format.write_array(out, value, **options)
    return out.getvalue()


def _header(text):
    """An array's part with a header of one's own and four bytes of data."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(4)


def _with(name, content):
    return _zipped((_parts() | {name: content}).items())


DAMAGED = {
    "empty": lambda: b"",
    "text": lambda: b"half",
    "nested JSON": lambda: b"[" * 100_000 + b"]" * 100_000,
    "a pickle": lambda: pickle.dumps(_Bomb()),
    "a pickled array": lambda: _npy(np.array([_Bomb()], dtype=object), allow_pickle=True),
    "a pickled part": lambda: _with("angles.npy", _npy(np.array([_Bomb()] * 40, dtype=object), allow_pickle=True)),
    "a part that is a pickle": lambda: _with("angles.npy", pickle.dumps(_Bomb())),
    "one array": lambda: _npy(np.ones(3)),
    "an empty archive": lambda: _zipped([]),
    "compressed": lambda: _zipped(_parts().items(), zipfile.ZIP_DEFLATED),
    "a part twice": lambda: _zipped([*_parts().items(), ("angles", _npy(np.zeros(40)))]),
    "an archive in the archive": lambda: _with("angles.npy", _npz()),
    "a header of a terabyte": lambda: _with(
        "angles.npy", _header("{'descr': '<f8', 'fortran_order': False, 'shape': (137438953472,), }\n")
    ),
    "a negative length": lambda: _with(
        "angles.npy", _header("{'descr': '<i4', 'fortran_order': False, 'shape': (-1, -1), }\n")
    ),
    "a nested header": lambda: _with("angles.npy", _header("[" * 5000 + "]" * 5000)),
    "a header that is code": lambda: _with("angles.npy", _header("__import__('os').abort()")),
    "no header": lambda: _with("angles.npy", b"x" * 100),
    "wrong type": lambda: _npz(angles=np.linspace(0, 1, 40).astype(complex)),
    "texts": lambda: _npz(angles=np.array(["1.0"] * 40)),
    "real position": lambda: _npz(position=np.array([2.0, 1.0, 7.0])),
    "NaN": lambda: _npz(angles=np.full(40, np.nan)),
    "infinite": lambda: _npz(history=np.full((2, 4), np.inf)),
    "wrong shape": lambda: _npz(angles=np.ones(41)),
    "wrong dimension": lambda: _npz(angles=np.ones((40, 1))),
    "no number": lambda: _npz(angles=np.float64(1.0)),
    "one array more": lambda: _npz(more=np.ones(1)),
    "one array less": lambda: _zipped([(n, c) for n, c in _parts().items() if n != "angles.npy"]),
    "another run": lambda: _npz(identity=np.array("other")),
    "identity of numbers": lambda: _npz(identity=np.ones(3)),
    "no identity": lambda: _zipped([(n, c) for n, c in _parts().items() if n != "identity.npy"]),
}


def _refused(folder):
    with pytest.raises(
        CheckpointError, match=r"^(.*checkpoint\.npz.*(Remove it|Use another|use another).*)$"
    ) as caught:
        read_checkpoint(folder, KEY, EXPECTED)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_checkpoint_comes_back_as_it_was_written(tmp_path):
    assert read_checkpoint(tmp_path / "none", KEY, EXPECTED) is None
    write_checkpoint(tmp_path / "run", KEY, ARRAYS)
    found = read_checkpoint(tmp_path / "run", KEY, EXPECTED)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
        assert found[name].flags.writeable
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["checkpoint.npz"]


@pytest.mark.parametrize("kind", DAMAGED)
def test_every_damaged_checkpoint_is_refused_in_one_line(tmp_path, kind):
    (tmp_path / "checkpoint.npz").write_bytes(DAMAGED[kind]())
    _refused(tmp_path)


def test_a_checkpoint_cut_off_anywhere_is_refused(tmp_path):
    whole = _npz()
    for length in range(0, len(whole), 37):
        (tmp_path / "checkpoint.npz").write_bytes(whole[:length])
        _refused(tmp_path)


def test_a_flipped_bit_is_refused_or_stands_where_no_number_does(tmp_path):
    whole, dice = _npz(), random.Random(5)
    refused = 0
    for _ in range(300):
        flipped = bytearray(whole)
        flipped[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
        (tmp_path / "checkpoint.npz").write_bytes(flipped)
        try:
            found = read_checkpoint(tmp_path, KEY, EXPECTED)
        except CheckpointError:
            refused += 1
        else:  # a date or a flag of the archive
            for name, array in ARRAYS.items():
                np.testing.assert_array_equal(found[name], array)
    assert refused > 200


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "huge"])
def test_what_is_no_file_or_too_large_is_refused_without_being_read(tmp_path, kind):
    target = tmp_path / "checkpoint.npz"
    if kind == "folder":
        target.mkdir()
    elif kind == "pipe":
        os.mkfifo(target)
    elif kind == "device":
        target.symlink_to("/dev/zero")
    else:
        with target.open("wb") as file:
            file.truncate(1 << 40)  # holes: takes no room
    _refused(tmp_path)


def test_a_planted_link_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".checkpoint.npz.part").symlink_to(victim)  # the name that was written to before
    (folder / "checkpoint.npz").symlink_to(victim)
    write_checkpoint(folder, KEY, ARRAYS)
    assert victim.read_text() == "precious"
    assert not (folder / "checkpoint.npz").is_symlink()
    assert read_checkpoint(folder, KEY, EXPECTED) is not None


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / ("x" * 300)):
        assert read_checkpoint(folder, KEY, EXPECTED) is None
        with pytest.raises(CheckpointError, match=r"cannot write .*checkpoint\.npz.*choose another folder"):
            write_checkpoint(folder, KEY, ARRAYS)


X, Y = (part[:40] for part in load_breast_cancer(return_X_y=True))


def _fit(folder, epochs=2):
    return ChargeClassifier(depth=2, batch_size=20, epochs=epochs, checkpoint=folder).fit(X[:, :3], Y)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"position": [1, 1, 2]}, "no run is in batch 1 of epoch 1 after 2 steps"),
        ({"position": [0, 7, 7]}, "no run is in batch 7 of epoch 0"),
        ({"position": [-1, 0, -2]}, "no run is in batch 0 of epoch -1"),
        ({"history": np.ones((3, 4))}, "history is not that of 2 epochs"),
        ({"second_0": None}, "a mean square is negative"),
        ({"bias": np.zeros(3)}, r"bias is float64 of shape \(3,\), not float64 of \(2,\)"),
    ],
)
def test_a_state_that_no_run_was_ever_in_is_refused(tmp_path, changed, text):
    _fit(tmp_path)
    with np.load(tmp_path / "checkpoint.npz") as file:
        held = {name: file[name] for name in file.files}
    for name, value in changed.items():
        held[name] = -1.0 - held[name] if value is None else np.array(value)
    np.savez(tmp_path / "checkpoint.npz", **held)
    with pytest.raises(CheckpointError, match=text):
        _fit(tmp_path)
