"""The gate itself: a skip fails in CI, and random tests draw the same examples in every run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]

TESTS = Path(__file__).parent
SKIPPING = """
import pytest

@pytest.mark.skipif(True, reason="no browser here")
def test_by_mark():
    pass

def test_by_call():
    pytest.importorskip("no_such_package")

@pytest.mark.xfail(reason="known", strict=True)
def test_that_fails_as_expected():
    assert False

def test_that_passes():
    pass
"""
DRAWING = """
from hypothesis import given, strategies as st

DRAWN = []

def test_of_something_else():
    {before}

@given(st.floats(0, 20), st.integers(0, 2**20))
def test_property(x, n):
    DRAWN.append((x, n))

def test_print():
    import hashlib
    print("DRAWN", len(DRAWN), hashlib.sha256(repr(DRAWN).encode()).hexdigest())
"""


@pytest.fixture
def gated(pytester, request):
    """Runs the tests of a folder under our conftest, in this process."""
    ours = next(p for p in request.config.pluginmanager.get_plugins() if hasattr(p, "refused_if_skipped"))
    return lambda: pytester.runpytest_inprocess("-p", "no:cacheprovider", plugins=[ours])


def test_where_no_skip_is_allowed_a_skipped_test_fails_with_its_reason(gated, pytester, monkeypatch):
    pytester.makepyfile(test_skips=SKIPPING)
    monkeypatch.delenv("EQUINOISE_NO_SKIPS", raising=False)
    gated().assert_outcomes(passed=1, skipped=2, xfailed=1)
    monkeypatch.setenv("EQUINOISE_NO_SKIPS", "1")
    refused = gated()
    refused.assert_outcomes(passed=1, failed=1, errors=1, xfailed=1)
    refused.stdout.fnmatch_lines_random(["*no browser here*", "*EQUINOISE_NO_SKIPS=1 allows no skip*no_such_package*"])


def test_where_no_skip_is_allowed_a_file_that_skips_itself_fails_too(gated, pytester, monkeypatch):
    pytester.makepyfile(test_file='import pytest\npytest.importorskip("no_such_package")\n')
    monkeypatch.setenv("EQUINOISE_NO_SKIPS", "1")
    refused = gated()
    refused.assert_outcomes(errors=1)
    refused.stdout.fnmatch_lines(["*test_file.py was skipped, and EQUINOISE_NO_SKIPS=1 allows no skip*"])


@pytest.mark.slow
def test_a_property_draws_the_same_examples_whatever_was_loaded_before(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]))
    drawn = []
    for before in ("pass", "import equinoise.sweeps.sweep, equinoise.report.page.html"):
        pytester.makepyfile(test_drawing=DRAWING.format(before=before))
        result = pytester.runpytest_subprocess("-s", "-p", "conftest", "-p", "no:cacheprovider")
        result.assert_outcomes(passed=3)
        drawn.append(next(line.split("DRAWN")[1] for line in result.outlines if "DRAWN" in line))
    assert drawn[0].startswith(" 100 ")
    assert drawn[1] == drawn[0]


@pytest.mark.parametrize(("name", "derandomized"), [("gate", True), ("fuzz", False)])
def test_only_fuzzing_draws_at_random(name, derandomized):
    profile = settings.get_profile(name)
    assert profile.derandomize is derandomized
    assert profile.deadline is None
    # where CI is set Hypothesis keeps no examples in either
    assert profile.database is None or not derandomized
    assert profile.print_blob or derandomized
