"""Compiled kernels on disk: a damaged file is never run and never a traceback, it is compiled again."""

from __future__ import annotations

import importlib

import numba as nb

from equinoise.engines.kernel_cache import KernelFiles, checked


def _run(function):
    """Value, and how often machine code was taken from the disk and how often compiled, of a new dispatcher."""
    kernel = checked(nb.njit(cache=True)(function))
    value = kernel(3.0)
    return value, sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values())


def test_damaged_machine_code_is_compiled_again_and_then_kept(tmp_path, monkeypatch):
    # compiled in a folder of its own: the tests' own kernels stay as they are
    (tmp_path / "tiny_kernel.py").write_text("def twice(x):\n    return 2.0 * x\n")
    monkeypatch.syspath_prepend(tmp_path)
    tiny = importlib.import_module("tiny_kernel")
    assert _run(tiny.twice) == (6.0, 0, 1)
    assert _run(tiny.twice) == (6.0, 1, 0)
    (file,) = tmp_path.rglob("*.kernel")
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 4
    for content in (b"", whole[:50], b"x" * 5000, bytes(flipped)):
        file.write_bytes(content)
        assert _run(tiny.twice) == (6.0, 0, 1)
        assert _run(tiny.twice) == (6.0, 1, 0)
    assert list(tmp_path.rglob("*.kernel")) == [file]
    assert not list(tmp_path.rglob("*.part"))


def test_every_byte_of_a_kernels_file_is_checked(tmp_path):
    files = KernelFiles(tmp_path, "kernel", "source")
    files.save("key", {"code": bytes(range(40))})
    assert files.load("key") == {"code": bytes(range(40))}
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert files.load("key") is None
        path.write_bytes(whole[:place])
        assert files.load("key") is None
    path.write_bytes(whole)
    assert KernelFiles(tmp_path, "kernel", "changed source").load("key") is None
    assert files.load("other key") is None
    files.flush()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path):
    (tmp_path / "file").write_text("")
    files = KernelFiles(tmp_path / "file", "kernel", "source")
    files.save("key", 1)
    assert files.load("key") is None


def test_the_kernels_of_the_engines_have_checked_files():
    from equinoise.engines.sector import kernels, noise_kernels
    from equinoise.engines.spin import spin_kernels
    from equinoise.engines.vectors import vector_kernels

    for module in (kernels, noise_kernels, spin_kernels, vector_kernels):
        compiled = [one for one in vars(module).values() if hasattr(one, "py_func")]
        assert compiled
        for one in compiled:
            assert isinstance(one._cache._cache_file, KernelFiles)
