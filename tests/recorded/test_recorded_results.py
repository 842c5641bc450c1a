"""Every recorded result of the public surface, to ten digits: a change of structure changes no number."""

from __future__ import annotations

import functools
import json
import math

import pytest

from recorded.calls import RECORD, calls, plain

# rounding differs between processors and BLAS builds; nothing else may
RELATIVE = 1e-10
CALLS = dict(calls())


@functools.cache
def recorded():
    return json.loads(RECORD.read_text(encoding="utf-8"))


def test_every_call_has_a_record_and_there_are_at_least_two_hundred():
    assert set(CALLS) == set(recorded())
    assert len(CALLS) >= 200


@pytest.mark.parametrize("name", CALLS)
def test_result_is_the_recorded_one(name):
    found, known = plain(CALLS[name]()), recorded()[name]
    assert found.keys() == known.keys()
    for key, values in known.items():
        assert_equal(found[key], values, f"{name}: {key}")


def assert_equal(found, known, where):
    if isinstance(known, list):
        assert len(found) == len(known), where
        size = max((abs(v) for v in known if isinstance(v, float)), default=0.0)
        for one, other in zip(found, known, strict=True):
            assert_close(one, other, size, where)
    else:
        assert_close(found, known, 0.0, where)


def assert_close(one, other, size, where):
    if isinstance(other, list):
        assert_equal(one, other, where)
    elif isinstance(other, str):
        assert one == other, where
    else:
        # an entry of a vector is held against the vector's largest, as its rounding is
        assert math.isclose(one, other, rel_tol=RELATIVE, abs_tol=RELATIVE * size + 1e-12), where
