"""Reading the authors' tables: where they are looked for, and what is said of those that are not as published."""

from __future__ import annotations

from pathlib import Path

import pytest

from equinoise.evidence.frame.reproduce import NEED_TABLES, STUDIES, reproduce
from equinoise.evidence.published.published_tables import PublishedTables, TablesError


def folder(path: Path, text: str, inside: str = "") -> Path:
    home = path / inside
    home.mkdir(parents=True, exist_ok=True)
    (home / "pooled_with_baselines.csv").write_text(text)
    return path


@pytest.mark.parametrize("inside", ["", "Results", "readout-visible-coherence"])
def test_the_tables_are_found_in_a_clone_and_in_a_folder_of_them(tmp_path, inside):
    tables = PublishedTables(folder(tmp_path, "L,channel\n3,depol\n", inside))
    assert tables.rows("pooled_with_baselines", ("L",), ("channel",)) == ({"channel": "depol", "L": 3.0},)


def test_without_tables_the_study_says_which_repository_to_clone(tmp_path):
    with pytest.raises(
        TablesError, match=r"not part of equinoise\. Clone github.com/ugail/Readout-Visible-Coherence-QNN"
    ):
        reproduce(tmp_path, only=["published"])


def test_a_folder_without_the_tables_is_named(tmp_path):
    with pytest.raises(TablesError, match=r"no pooled_with_baselines.csv in .*nowhere"):
        PublishedTables(tmp_path / "nowhere")


@pytest.mark.parametrize("entry", ["nan", "inf", "", "three"])
def test_an_entry_that_is_no_finite_number_is_named_with_its_line(tmp_path, entry):
    tables = PublishedTables(folder(tmp_path, f"L,channel\n3,depol\n{entry},depol\n"))
    with pytest.raises(
        TablesError, match=rf"pooled_with_baselines.csv, line 3: L must be a finite number, got '{entry}'"
    ):
        tables.rows("pooled_with_baselines", ("L",))


def test_a_missing_column_or_file_is_named(tmp_path):
    tables = PublishedTables(folder(tmp_path, "L,channel\n3,depol\n"))
    with pytest.raises(TablesError, match=r"pooled_with_baselines.csv has no column 'D_M'"):
        tables.rows("pooled_with_baselines", ("L", "D_M"))
    with pytest.raises(TablesError, match=r"cannot read the table .*phase5_lambda_coh.csv"):
        tables.rows("phase5_lambda_coh", ("L",))
    with pytest.raises(TablesError, match=r"has no row with \{'channel': 'x_err'\}"):
        tables.row("pooled_with_baselines", ("L",), channel="x_err")


def test_an_empty_entry_may_be_allowed(tmp_path):
    tables = PublishedTables(folder(tmp_path, "L,channel\n,depol\n"))
    assert tables.rows("pooled_with_baselines", ("L",), blank=("L",))[0]["L"] is None


def test_only_the_published_study_needs_tables():
    assert set(STUDIES) >= NEED_TABLES == {"published"}
