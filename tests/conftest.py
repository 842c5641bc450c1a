"""What all tests share: random examples that are the same in every run, and in CI no skipped test."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import pkgutil
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings

import equinoise

sys.path.insert(0, str(Path(__file__).parent))
# else the engine chosen and the problems refused would depend on what is free on the machine just now
os.environ["EQUINOISE_MEMORY_GB"] = "4"

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

# -- random examples -------------------------------------------------------------------------------------------------

# no time limits: the first example may compile kernels, and machines are shared
SHARED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
# what gates a change draws the same examples everywhere; `make fuzz` draws new ones and remembers those that failed
settings.register_profile("gate", derandomize=True, database=None, **SHARED)
settings.register_profile("fuzz", derandomize=False, max_examples=1000, print_blob=True, **SHARED)
settings.load_profile("gate")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Loads the whole package before a property test draws its first example.

    Hypothesis also draws numbers that stand in the source of the modules loaded so far: else the examples would depend
    on the tests that ran before.
    """
    if item.get_closest_marker("hypothesis"):
        load_package()


@functools.cache
def load_package() -> None:
    """Imports every module of the package, those excepted whose optional package is missing."""
    for module in pkgutil.walk_packages(equinoise.__path__, "equinoise."):
        if module.name != "equinoise.__main__":
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)


# -- skipped tests ---------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped test fails where none may be skipped."""
    report = yield
    return refused_if_skipped(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A file that skips itself fails where none may be skipped."""
    report = yield
    return refused_if_skipped(report)


def refused_if_skipped(report: Report) -> Report:
    """The report, a skip turned into a failure where the environment says EQUINOISE_NO_SKIPS=1, as ``.ci/run`` does."""
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("EQUINOISE_NO_SKIPS") == "1":
        report.outcome = "failed"
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.longrepr = f"{report.nodeid} was skipped, and EQUINOISE_NO_SKIPS=1 allows no skip. {reason}"
    return report
