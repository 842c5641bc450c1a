"""The scientific regression test: the quick set of every study, each criterion held against what the docs page says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from equinoise.evidence.frame.reproduce import NEED_TABLES, STUDIES, reproduce

ROOT = Path(__file__).resolve().parents[2]
# criteria that fail, and are explained under that name in docs/law.md
KNOWN_TO_FAIL = {"R^2 of exp(-x) for x < 0.3"}


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    return reproduce(tmp_path_factory.mktemp("reproduced"), quick=True)


@pytest.mark.slow
# those that need the tables of others are tested where these are: tests/evidence/published
@pytest.mark.parametrize("name", [name for name in STUDIES if name not in NEED_TABLES])
def test_each_criterion_holds_or_is_explained(summary, name):
    (study,) = [s for s in summary.studies if s.name == name]
    failed = {c["statement"] for c in study.criteria if not c["passed"]}
    assert failed <= KNOWN_TO_FAIL
    assert study.criteria
    assert study.findings
    page = (ROOT / "docs" / "law.md").read_text(encoding="utf-8")
    assert all(statement in page for statement in failed)


@pytest.mark.slow
def test_failures_are_reported_and_everything_is_on_disk(summary):
    written = json.loads((summary.folder / "summary.json").read_text(encoding="utf-8"))
    assert written == summary.to_dict()
    failing = {c["statement"] for s in summary.studies for c in s.criteria if not c["passed"]}
    # a known failure that starts to hold must leave the list and the page
    assert failing == KNOWN_TO_FAIL
    assert written["passed"] is False
    for study in summary.studies:
        assert {Path(f).suffix for f in study.files} == {".csv", ".parquet", ".pdf", ".png"}
        assert all((summary.folder / f).stat().st_size > 0 for f in study.files)
