"""A traced run of the main calls: no function of a lower room calls one of a higher room.

import-linter sees what a file imports; a function handed down and called there it does not see. Functions that the
standard library calls (a thread pool, sorted) are called by no room.
"""

from __future__ import annotations

import gc
import sys
import threading
import tomllib
from pathlib import Path

import numpy as np
import pytest

import equinoise as eq

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
PACKAGE = str(Path(eq.__file__).parent) + "/"
NOISE = "dephasing:0.02+relaxation:0.01+depolarizing:0.01"


def ranks():
    """Room to its height, from the layers that import-linter holds."""
    contracts = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if one["type"] == "layers")
    return {
        room.strip(): height
        for height, line in enumerate(reversed(layers))
        for room in line.replace(":", "|").split("|")
    }


HEIGHT = ranks()


def room(filename):
    return filename[len(PACKAGE) :].split("/")[0].removesuffix(".py") if filename.startswith(PACKAGE) else None


def upward_calls(run):
    """(caller, called) where a frame's direct caller stands in a lower room than the frame itself."""
    found = set()

    def look(frame, event, _):
        caller = frame.f_back
        if event != "call" or caller is None:
            return
        above, below = (HEIGHT.get(room(f.f_code.co_filename)) for f in (frame, caller))
        if above is not None and below is not None and below < above:
            found.add(
                " -> ".join(f"{f.f_code.co_filename[len(PACKAGE) :]}:{f.f_code.co_qualname}" for f in (caller, frame))
            )

    # a collection calls what waits for an object's end from whichever frame runs just then
    gc.collect()
    gc.disable()
    threading.setprofile(look)
    before = sys.getprofile()
    sys.setprofile(look)
    try:
        run()
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
        gc.enable()
    return sorted(found)


def brickwork(noise=NOISE, n=4, **options):
    return eq.Problem(eq.circuits.brickwork(n, depth=3), "Z2", "neel", noise, **options)


def symmetric():
    circuit = eq.circuits.permutation_equivariant(4, 2)
    mean = "0.25*Z0+0.25*Z1+0.25*Z2+0.25*Z3"
    return eq.Problem(circuit, mean, "0000", "dephasing:0.02", symmetry="permutation")


def free():
    return eq.Problem(eq.circuits.brickwork(6, depth=3, interaction="none"), "Z2", "neel", "dephasing:0.02")


PROBLEMS = {
    "exact": brickwork,
    "free fermions": free,
    "correlated": lambda: brickwork("static:0.03"),
    "permutation": symmetric,
    "device": lambda: brickwork("ibm:manila"),
}


SLOW = pytest.mark.slow  # a traced diagnosis takes seconds


def planted():
    """A listener that stands in the highest room."""

    def progress(*done):
        assert done

    progress.__code__ = progress.__code__.replace(co_filename=f"{PACKAGE}cli/progress.py", co_qualname="planted")
    return progress


def test_a_call_back_into_a_higher_room_is_seen():
    listener = planted()
    found = upward_calls(lambda: eq.law(brickwork(), sampling=eq.Sampling(samples=2), progress=listener))
    assert found == ["coherence/law.py:law -> cli/progress.py:planted"]


def asks():
    """Questions that stop early and tell how far they are, each with its place."""
    few = eq.Sampling(samples=32)
    return {
        "coherence/law.py:law": lambda tell: eq.law(brickwork(), sampling=few, relative_error=0.5, progress=tell),
        "diagnosis/diagnose.py:diagnose": lambda tell: eq.diagnose(
            brickwork(), sampling=few, relative_error=0.5, depth=False, curve=False, progress=tell
        ),
        "engines/evaluate.py:gradient_variance": lambda tell: eq.gradient_variance(
            brickwork(), sampling=few, progress=tell
        ),
        "coherence/rates.py:aligned_rates": lambda tell: eq.aligned_rates(
            brickwork("dephasing:0.02"), sampling=eq.Sampling(samples=2), progress=tell
        ),
    }


@pytest.mark.parametrize("place", asks())
def test_only_the_question_itself_tells_its_listener(place):
    """It, or what stands in its own room."""
    listener = planted()
    calls = upward_calls(lambda: asks()[place](listener))
    assert calls
    room = place.partition("/")[0]
    assert all(call.startswith(f"{room}/") and call.endswith("-> cli/progress.py:planted") for call in calls)


@pytest.mark.parametrize("name", PROBLEMS)
def test_gradient_calls_no_higher_room(name):
    def run():
        problem = PROBLEMS[name]()
        eq.gradient(problem, np.linspace(0.1, 1.0, len(problem.parameters)))

    assert upward_calls(run) == []


@pytest.mark.parametrize("engine", ["exact", "trajectories"])
def test_gradient_by_a_named_engine_calls_no_higher_room(engine):
    def run():
        problem = brickwork()
        eq.gradient(problem, np.linspace(0.1, 1.0, len(problem.parameters)), engine=engine)

    assert upward_calls(run) == []


@pytest.mark.parametrize("name", [name if name == "exact" else pytest.param(name, marks=SLOW) for name in PROBLEMS])
def test_diagnose_calls_no_higher_room(name):
    assert upward_calls(lambda: eq.diagnose(PROBLEMS[name](), sampling=eq.Sampling(samples=2))) == []


def test_law_calls_no_higher_room():
    assert upward_calls(lambda: eq.law(brickwork(), sampling=eq.Sampling(samples=4))) == []
