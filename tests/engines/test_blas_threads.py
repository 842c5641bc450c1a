"""One thread of BLAS while draws run: calls that overlap leave the process as they found it."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from equinoise.engines.blas_threads import one_blas_thread
from equinoise.engines.draws import parallel_draws


def blas_threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def before():
    """The threads that the process starts with: two where a library takes them, as one told to use one may not."""
    with threadpool_limits(2, user_api="blas"):
        found = blas_threads()
        assert max(found) == 2
        yield found


def test_the_limit_holds_inside_and_is_lifted_outside(before):
    assert blas_threads() == before
    with one_blas_thread():
        assert set(blas_threads()) == {1}
        with one_blas_thread():
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {1}
    assert blas_threads() == before


def test_an_error_inside_lifts_the_limit(before):
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        raise ZeroDivisionError
    assert blas_threads() == before


def test_the_first_to_enter_may_leave_first(before):
    first, second = ExitStack(), ExitStack()
    first.enter_context(one_blas_thread())
    second.enter_context(one_blas_thread())
    first.close()
    assert set(blas_threads()) == {1}
    second.close()
    assert blas_threads() == before


def test_draws_of_overlapping_threads_leave_the_process_its_threads(before):
    """Each call waits inside for the next one to enter, and leaves before it does."""
    entered = [threading.Event() for _ in range(5)]
    left = [threading.Event() for _ in range(4)]
    found: list[list[int]] = []

    def draws(i: int) -> None:
        def one(_: int) -> None:
            entered[i].set()
            assert entered[i + 1].wait(30)
            if i:
                assert left[i - 1].wait(30)
            found.append(blas_threads())

        list(parallel_draws(one, [0], workers=1))
        left[i].set()

    threads = [threading.Thread(target=draws, args=(i,)) for i in range(4)]
    for i, thread in enumerate(threads):
        thread.start()
        assert entered[i].wait(30)
    entered[4].set()
    for thread in threads:
        thread.join(60)
    assert [set(one) for one in found] == [{1}] * 4
    assert blas_threads() == before
