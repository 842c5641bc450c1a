"""A pytest plugin for PennyLane's own device tests: what the device refuses by name counts as skipped.

``PYTHONPATH=tests python -m pytest -p interop.pennylane_suite PENNYLANE/devices/tests -c PENNYLANE/devices/tests/pytest.ini
--device equinoise.sector --shots None``, with PENNYLANE the folder of the package, flaky and pytest-mock installed.
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
