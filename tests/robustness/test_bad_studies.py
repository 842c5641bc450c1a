"""Study files with mistakes: each mistake is told in a line of its own, before anything runs."""

from __future__ import annotations

import pytest

from refusals import refused

CIRCUITS = 'circuits = [{source = "brickwork", n = 4, depth = 2}]\n'
READOUTS = 'readouts = ["Z0"]\n'
WHOLE = CIRCUITS + READOUTS + 'noise = ["dephasing:0.1"]\n'
HUGE = "9" * 4000
MANY = ",".join(map(str, range(1, 2001)))


def one(**options: str) -> str:
    """A study of one circuit, stated by its options."""
    return READOUTS + "circuits = [{" + ", ".join(f"{key} = {value}" for key, value in options.items()) + "}]\n"


STUDIES = {
    "empty": "",
    "syntax": "a = ",
    "key-twice": WHOLE + READOUTS,
    "nested-lists": WHOLE + "seeds=" + "[" * 100000 + "]" * 100000,
    "nested-tables": WHOLE + "x=" + "{a=" * 5000 + "1" + "}" * 5000,
    "no-circuits": READOUTS,
    "no-readouts": CIRCUITS,
    "unknown-key": WHOLE + "nois = 1",
    "escape-in-key": WHOLE + '"\\u001b[31m" = 1',
    "symmetry": WHOLE + 'symmetry = "su2"',
    "name": WHOLE + "name = 3",
    "circuits-text": READOUTS + 'circuits = "brickwork"',
    "circuits-none": READOUTS + "circuits = []",
    "circuits-number": READOUTS + "circuits = [1]",
    "no-source": one(n="4"),
    "unknown-source": one(source='"x"', n="4", depth="2"),
    "qubits-negative": one(source='"brickwork"', n="-1", depth="2"),
    "qubits-1e9": one(source='"brickwork"', n="1000000000", depth="2"),
    "layers-1e9": one(source='"brickwork"', n="4", depth="1000000000"),
    "qubits-real": one(source='"brickwork"', n="4.5", depth="2"),
    "qubits-text": one(source='"brickwork"', n='"4"', depth="2"),
    "qubits-none": one(source='"brickwork"', n="[]", depth="2"),
    "qubits-huge": one(source='"brickwork"', n=HUGE, depth="2"),
    "qubits-5000-digits": one(source='"brickwork"', n="9" * 5000, depth="2"),
    "unknown-option": one(source='"brickwork"', n="4", depth="2", foo="1"),
    "option-twice": one(source='"brickwork:n=4"', n="4", depth="2"),
    "periodic": one(source='"brickwork"', n="4", depth="2", periodic='"x"'),
    "interaction": one(source='"brickwork"', n="4", depth="2", interaction='"x"'),
    "option-nested": one(source='"brickwork"', n="4", depth="2", interaction='[["x"]]'),
    "circuits-many": one(source='"brickwork"', n=f"[{MANY}]", depth=f"[{MANY}]"),
    "no-file": one(source='"nope.qasm"'),
    "file-long": one(source='"' + "a" * 300 + '.qasm"'),
    "file-zero": one(source='"a\\u0000.qasm"'),
    "file-escape": one(source='"\\u001b[31m.qasm"'),
    "device-missing": one(source='"device"', depth="2"),
    "readout-off": CIRCUITS + 'readouts = ["Z9"]',
    "readout-breaking": CIRCUITS + 'readouts = ["X0"]',
    "readout-empty": CIRCUITS + 'readouts = [""]',
    "readout-number": CIRCUITS + "readouts = [3]",
    "readout-none": CIRCUITS + "readouts = []",
    "readout-table": CIRCUITS + "readouts = {a = 1}",
    "readout-huge": CIRCUITS + f'readouts = ["Z{"9" * 5000}"]',
    "readout-escape": CIRCUITS + 'readouts = ["\\u001b[31m"]',
    "initial-short": WHOLE + 'initial = "01"',
    "initial-unknown": WHOLE + 'initial = "x"',
    "initial-number": WHOLE + "initial = [1]",
    "noise-unknown": CIRCUITS + READOUTS + 'noise = ["x"]',
    "noise-negative": CIRCUITS + READOUTS + "noise = [{dephasing = -1}]",
    "noise-key": CIRCUITS + READOUTS + "noise = [{foo = 1}]",
    "noise-file": CIRCUITS + READOUTS + 'noise = ["nope.toml"]',
    "noise-number": CIRCUITS + READOUTS + "noise = [1]",
    "noise-date": CIRCUITS + READOUTS + "noise = [{dephasing = 1979-05-27}]",
    "layout-without-device": WHOLE + "layouts = [[0, 1, 2, 3]]",
    "scale-negative": WHOLE + "scales = [-1]",
    "scale-text": WHOLE + 'scales = ["x"]',
    "scale-nan": WHOLE + "scales = [nan]",
    "samples-0": WHOLE + "samples = 0",
    "samples-1e9": WHOLE + "samples = 1000000000",
    "samples-real": WHOLE + "samples = 1.5",
    "samples-true": WHOLE + "samples = true",
    "seed-negative": WHOLE + "seeds = [-1]",
    "seed-huge": WHOLE + f"seeds = [{HUGE}]",
    "seed-date": WHOLE + "seeds = 1979-05-27",
    "shots-0": WHOLE + "shots = 0",
    "shots-huge": WHOLE + f"shots = {HUGE}",
    "ensemble": WHOLE + 'ensemble = "normal:1e300"',
    "engine": WHOLE + 'engine = [["x"]]',
    "relative-error": WHOLE + "relative_error = [nan]",
    "quantities": WHOLE + 'quantities = [["x"]]',
    "tasks": WHOLE + "".join(f"{key} = [{MANY}]\n" for key in ("seeds", "samples", "shots", "scales")),
}


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_with_a_mistake_is_refused_by_its_key(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text(STUDIES[name])
    refused(["sweep", "study.toml", "--store", "store.duckdb", "--dry-run"], lines=4)


@pytest.mark.parametrize(
    "path", ["", "nope.toml", "/etc", "/dev/zero", "/etc/passwd", "a" * 300, "\x1b[31m"], ids=ascii
)
def test_what_is_no_study_file_is_refused(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    refused(["sweep", path, "--store", "store.duckdb", "--dry-run"], lines=2)


@pytest.mark.parametrize("path", ["", "/etc", "nowhere/x.duckdb", "a" * 300], ids=ascii)
@pytest.mark.parametrize("more", [[], ["--dry-run"]], ids=["run", "dry-run"])
def test_a_store_that_cannot_be_written_is_refused_before_the_work(tmp_path, monkeypatch, path, more):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text(WHOLE)
    refused(["sweep", "study.toml", "--store", path, *more])
