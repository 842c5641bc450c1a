"""A pytest plugin for PennyLane's own device tests: what the device refuses by name counts as skipped.

With D the folder ``devices/tests`` of the PennyLane package, flaky and pytest-mock installed:

    PYTHONPATH=tests/interop python -m pytest -p pennylane_suite \\
        -c D/pytest.ini D --device equinoise.sector --shots None
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from equinoise.errors import EquinoiseError


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Skips a test that asks for what the device refuses."""
    try:
        return (yield)
    except EquinoiseError as error:
        pytest.skip(f"refused: {error}")
