"""The runner: what is kept, what is repeated, what is written."""

from __future__ import annotations

import csv
import importlib
import json
import math
import sys
import types
from pathlib import Path

import duckdb
import pytest
from matplotlib.figure import Figure

from equinoise.errors import ParameterError
from equinoise.evidence.frame.reproduce import ReproduceError, reproduce
from equinoise.evidence.frame.study import Context, Criterion, StudyResult
from equinoise.text.table import Table

# equinoise.evidence.frame.reproduce is the function; the module of that name is wanted here
runner = importlib.import_module("equinoise.evidence.frame.reproduce")


class Tiny:
    """A study that counts its runs and whose value can be set."""

    def __init__(self) -> None:
        self.runs = 0
        self.value = 1.0
        self.error: BaseException | None = None

    def run(self, context: Context) -> StudyResult:
        self.runs += 1
        if self.error is not None:
            raise self.error
        seed = context.seed_for("tiny")
        rows = [{"name": "one, two", "x": 0.1 * seed, "whole": 2, "holds": True}]
        rows += [{"name": "infinite", "x": math.inf, "whole": 3, "holds": False}]
        rows += [{"name": "none", "x": None, "whole": 4, "holds": True}]
        criteria = (Criterion("the value", self.value, 0.5, True),)
        return StudyResult({"data": Table.from_rows(rows)}, criteria, ("A finding.",), lambda tables: Figure())


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Tiny:
    study = Tiny()
    for name in ("tiny", "other"):
        module = types.ModuleType(f"equinoise.evidence._{name}_for_tests")
        module.STUDY = study  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(
        runner,
        "STUDIES",
        {"tiny": ("_tiny_for_tests", "Is it small?"), "other": ("_other_for_tests", "Is it another?")},
    )
    return study


def test_an_unknown_study_is_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"no study 'light_cone'; choose from: light-cone, training-law"):
        reproduce(tmp_path, only=["light_cone"])


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path, tiny: Tiny) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReproduceError, match=r"cannot use .*file.* as the output folder"):
        reproduce(tmp_path / "file")
    assert tiny.runs == 0


def test_a_second_run_repeats_no_finished_study(tmp_path: Path, tiny: Tiny) -> None:
    first = reproduce(tmp_path, quick=True)
    again = reproduce(tmp_path, quick=True)
    assert tiny.runs == 2
    assert [s.reused for s in first.studies] == [False, False]
    assert [s.reused for s in again.studies] == [True, True]
    assert again.to_dict() == first.to_dict()


@pytest.mark.parametrize("change", [{"seed": 1}, {"quick": False}])
def test_another_seed_or_size_is_another_run(tmp_path: Path, tiny: Tiny, change: dict[str, object]) -> None:
    options: dict[str, object] = {"quick": True, "seed": 0, "only": ["tiny"]}
    reproduce(tmp_path, **options)  # type: ignore[arg-type]
    reproduce(tmp_path, **options | change)  # type: ignore[arg-type]
    assert tiny.runs == 2


def test_other_code_is_another_run(tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    reproduce(tmp_path, only=["tiny"])
    monkeypatch.setattr(runner, "_code_digest", lambda: "changed")
    reproduce(tmp_path, only=["tiny"])
    assert tiny.runs == 2


@pytest.mark.parametrize("damage", ["remove a table", "cut the record short", "a record of another kind"])
def test_a_study_whose_files_are_damaged_is_run_again(tmp_path: Path, tiny: Tiny, damage: str) -> None:
    reproduce(tmp_path, only=["tiny"])
    home = tmp_path / "tiny"
    if damage == "remove a table":
        (home / "data.parquet").unlink()
    elif damage == "cut the record short":
        (home / "result.json").write_text((home / "result.json").read_text()[:40])
    else:
        (home / "result.json").write_text("[]")
    reproduce(tmp_path, only=["tiny"])
    assert tiny.runs == 2


def test_an_interrupted_study_is_not_taken_for_finished(tmp_path: Path, tiny: Tiny) -> None:
    reproduce(tmp_path, only=["other"])
    tiny.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        reproduce(tmp_path)
    assert not (tmp_path / "tiny" / "result.json").exists()
    tiny.error = None
    summary = reproduce(tmp_path)
    assert {s.name: s.reused for s in summary.studies} == {"tiny": False, "other": True}


def test_parquet_and_csv_hold_the_same_table(tmp_path: Path, tiny: Tiny) -> None:
    reproduce(tmp_path, only=["tiny"])
    with (tmp_path / "tiny" / "data.csv").open(newline="") as file:
        lines = list(csv.reader(file))
    rows = duckdb.sql(f"SELECT * FROM '{tmp_path}/tiny/data.parquet'")
    assert lines[0] == rows.columns == ["name", "x", "whole", "holds"]
    found = rows.fetchall()
    assert found == [
        ("one, two", 0.1 * Context().seed_for("tiny"), 2, True),
        ("infinite", math.inf, 3, False),
        ("none", None, 4, True),
    ]
    written = [tuple("" if v is None else str(v) for v in row) for row in found]
    assert [tuple(line) for line in lines[1:]] == written


@pytest.mark.parametrize(("value", "shown"), [(0.1, 0.1), (math.nan, None)])
def test_a_failing_criterion_fails_its_study_and_the_run(
    tmp_path: Path, tiny: Tiny, value: float, shown: float | None
) -> None:
    tiny.value = value
    summary = reproduce(tmp_path, only=["tiny"])
    assert not summary.passed
    assert not summary.studies[0].passed
    record = json.loads((tmp_path / "summary.json").read_text())
    assert record["passed"] is False
    assert record["studies"]["tiny"]["passed"] is False
    (criterion,) = record["studies"]["tiny"]["criteria"]
    assert criterion["value"] == shown
    assert criterion["passed"] is False
    assert "| NO |" in (tmp_path / "report.md").read_text()
    assert not reproduce(tmp_path, only=["tiny"]).passed, "a failure found in the folder is still a failure"


@pytest.mark.parametrize("at_least", [True, False])
def test_nan_meets_no_criterion(at_least: bool) -> None:
    assert not Criterion("a number", math.nan, 0.0, at_least).passed


def test_the_summary_lists_files_that_are_there(tmp_path: Path, tiny: Tiny) -> None:
    reproduce(tmp_path)
    record = json.loads((tmp_path / "summary.json").read_text())
    assert list(record["studies"]) == ["tiny", "other"]
    for study in record["studies"].values():
        assert len(study["files"]) == 4
        assert all((tmp_path / file).is_file() for file in study["files"])
    assert not list(tmp_path.rglob("*.part"))


def test_equal_runs_write_equal_bytes(tmp_path: Path, tiny: Tiny) -> None:
    for name in ("a", "b"):
        reproduce(tmp_path / name, only=["tiny"])
    for file in ("data.csv", "data.parquet", "figure.png", "figure.pdf"):
        assert (tmp_path / "a" / "tiny" / file).read_bytes() == (tmp_path / "b" / "tiny" / file).read_bytes(), file


def test_a_table_needs_columns_of_one_length() -> None:
    with pytest.raises(ParameterError, match=r"one length, got \[1, 2\]"):
        Table({"a": [1], "b": [1, 2]})


def test_seeds_differ_by_key_and_by_seed() -> None:
    keys = [("a",), ("b",), ("a", 1), ("a", 2), ("a", 1, 2)]
    seeds = {Context(seed=s).seed_for(*key) for s in (0, 1) for key in keys}
    assert len(seeds) == 2 * len(keys)


def test_tables_of_an_interrupted_run_are_not_taken_for_those_of_an_older_one(
    tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    reproduce(tmp_path, only=["tiny"], seed=0)
    with monkeypatch.context() as patch:
        patch.setattr(Figure, "savefig", _stop)  # after the tables of seed 1 are written
        with pytest.raises(KeyboardInterrupt):
            reproduce(tmp_path, only=["tiny"], seed=1)
    again = reproduce(tmp_path, only=["tiny"], seed=0)
    assert [s.reused for s in again.studies] == [False]
    assert tiny.runs == 3


def test_a_file_in_the_place_of_a_study_is_refused_before_it_runs(tmp_path: Path, tiny: Tiny) -> None:
    (tmp_path / "tiny").write_text("")
    with pytest.raises(ReproduceError, match=r"cannot use .*tiny.* for the study's files"):
        reproduce(tmp_path, only=["tiny"])
    assert tiny.runs == 0


def test_studies_finished_before_stay_in_the_summary(tmp_path: Path, tiny: Tiny) -> None:
    reproduce(tmp_path, only=["tiny"])
    summary = reproduce(tmp_path, only=["other"])
    assert [s.name for s in summary.studies] == ["tiny", "other"]
    assert set(json.loads((tmp_path / "summary.json").read_text())["studies"]) == {"tiny", "other"}


def _stop(*_args: object, **_options: object) -> None:
    raise KeyboardInterrupt
