"""A pytest plugin for PennyLane's own device tests (``make pennylane-suite``): what the device refuses, and how often.

A test that asks for what the device refuses is skipped only if the refusal stands in ``REFUSALS``; any other error is a
failure. The tests refused and skipped are counted, and the run fails if a count is not the one written here: a refusal
that vanishes or spreads is a change to look at, and to write down.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator

import pytest

from equinoise.errors import EquinoiseError

OPAQUE = "BlockEncode|QubitUnitary|Beamsplitter|QubitDensityMatrix"
# name: the beginning of the device's message, number of tests
REFUSALS: dict[str, tuple[str, int]] = {
    "gate without such gates in it": (
        rf"the gate ({OPAQUE}) on wires .* is not taken",
        8,
    ),
    "observable of a continuous variable": (
        r"the observable (NumberOperator|QuadX) on wires .* is neither",
        6,
    ),
    "trainable observable": (
        r"the coefficients of the observable (Projector|Hermitian|Prod) are marked as trainable",
        9,
    ),
    "probabilities of an observable": (r"probs of an observable or of a mid-circuit measurement is not provided", 8),
    "measurement unknown to PennyLane": (r"the measurement mymeasurement is not provided", 3),
    "snapshot": (r"Snapshot on wires .* is not provided", 1),
    "device without wires": (r"equinoise\.sector needs its wires", 1),
    "shots": (r"equinoise\.sector takes shots with the QNode", 1),
}
# what PennyLane's tests skip on their own: their reason, number of tests
OWN_SKIPS: dict[str, int] = {
    "device does not support diff_method": 18,
    "Device is in analytic mode, cannot test sampling.": 10,
    "If shots=None no warning is raised.": 1,
    "QutritBasisState template only works on qutrit devices": 2,
    "Shots must be specified in the device to compute a sampled measurement.": 1,
    "test is old interface specific.": 7,
    "test is specific to old device interface": 1,
    "test only works with backprop": 6,
    "test only works with parameter-shift": 3,
    "test specific for old device interface.": 1,
    "test specific to old device interface.": 1,
}
FOUND: Counter[str] = Counter()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Skips a test that asks for what the device refuses by name."""
    try:
        return (yield)
    except EquinoiseError as error:
        name = next((name for name, (begins, _) in REFUSALS.items() if re.match(begins, str(error))), None)
        if name is None:
            raise
        pytest.skip(f"refused: {name}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Counts the skipped tests by reason."""
    if report.skipped and isinstance(report.longrepr, tuple):
        FOUND[report.longrepr[2].removeprefix("Skipped: ")] += 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails the run if the counts are not those written above."""
    if session.exitstatus == pytest.ExitCode.OK and expected() != FOUND:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Writes the counts, and where they differ from those expected."""
    wanted = expected()
    terminalreporter.section("tests that were refused or skipped")
    for reason in sorted({*wanted, *FOUND}):
        differs = "" if FOUND[reason] == wanted[reason] else f", not {wanted[reason]}: look why, then write it down"
        terminalreporter.line(f"{FOUND[reason]:4d} {reason}{differs}", red=bool(differs))


def expected() -> Counter[str]:
    """The number of tests by reason for a skip."""
    refused = {f"refused: {name}": count for name, (_, count) in REFUSALS.items()}
    return Counter(refused | OWN_SKIPS)
