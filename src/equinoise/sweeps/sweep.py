"""Sweeps: all tasks of a study on a Dask cluster, the answers appended to a store as they arrive, resumable."""

from __future__ import annotations

import math
import os
import re
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from equinoise.engines.select import choose, declarations
from equinoise.errors import EquinoiseError
from equinoise.sweeps.cluster import SweepError, TLSFiles, local_cluster, outside_cluster
from equinoise.sweeps.store import Store, StoreWriter
from equinoise.sweeps.study_file import load_study
from equinoise.sweeps.task import Task, failed, gradients, run_task, stated_problem
from equinoise.sweeps.task_grid import Study

__all__ = ["SweepError", "SweepPlan", "SweepProgress", "SweepSummary", "TLSFiles", "plan", "sweep"]

# what arrives within this many seconds is written in one transaction
_BATCH = 0.05
# futures in flight for each worker thread: enough that no worker waits, few enough that memory stays flat
_IN_FLIGHT = 32
# how often a task is sent anew after Dask gave it up because its workers died
_ATTEMPTS = 3
# for estimates: what a task costs beside its gradients, and a diagnosis's search for the greatest depth, in seconds;
# that search goes to about so many layers with so many draws each
_OVERHEAD, _SEARCH = 0.01, 1.5
_SEARCHED_LAYERS, _SEARCHED_DRAWS, _SEARCH_LIMIT = 400, 16, 60.0
_NUMBER = re.compile(r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class SweepProgress:
    """How far a sweep is; everything counted is in the store.

    Attributes:
        done: Tasks answered by this run, failed ones included.
        total: Tasks that this run has to answer.
        failed: How many of them failed.
        seconds: Since the first task was sent.
    """

    done: int
    total: int
    failed: int
    seconds: float


@dataclass(frozen=True)
class SweepSummary:
    """What a sweep did.

    Attributes:
        study: Name.
        total: Tasks of the study.
        before: Those that the store held already, failed ones included unless they were tried again.
        done: Answered by this run.
        failed: Of the study's tasks, how many stand in the store as failed.
        seconds: Of this run.
    """

    study: str
    total: int
    before: int
    done: int
    failed: int
    seconds: float


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep would do.

    Attributes:
        study: Name.
        total: Tasks of the study.
        done: Already in the store.
        failed: In the store as failed.
        missing: To be run.
        families: {circuit family: (tasks, done, failed)}.
        seconds: Estimated time by the engines' declarations on ``workers`` workers.
        workers: As many as the estimate assumes.
        unknown: Missing tasks whose time no engine can tell; the estimate leaves them out.
    """

    study: str
    total: int
    done: int
    failed: int
    missing: int
    families: Mapping[str, tuple[int, int, int]]
    seconds: float
    workers: int
    unknown: int


def plan(
    study: str | Path | Study, store: str | Path, *, workers: int | None = None, retry_failed: bool = False
) -> SweepPlan:
    """How many tasks a sweep would run and about how long it would take; runs none.

    Args:
        study: A study, or its TOML file.
        store: The store that holds finished tasks; need not exist.
        workers: As many as will run; all processors by default.
        retry_failed: Whether failed tasks count as missing.

    Raises:
        StudyFileError: The study file has mistakes.
        StoreError: The store is in use or no store.
    """
    grid = study if isinstance(study, Study) else load_study(study)
    statuses = Store(store).statuses()
    counts: Counter[tuple[str, str]] = Counter()
    shapes: dict[tuple[Any, ...], float] = {}
    seconds, missing, unknown = 0.0, 0, 0
    for task in grid.tasks():
        status = statuses.get(task.key, "missing")
        counts[task.family, status] += 1
        if status == "missing" or (retry_failed and status == "failed"):
            missing += 1
            each = _seconds_per_gradient(task, shapes)
            if math.isnan(each):
                unknown += 1
            else:
                seconds += each * gradients(task) + _OVERHEAD
                if "diagnosis" in task.quantities and task.model is None:
                    search = each * _SEARCHED_DRAWS * _SEARCHED_LAYERS / max(1, task.depth)
                    seconds += _SEARCH + min(search, _SEARCH_LIMIT)
    families = {
        family: (
            sum(n for (f, _), n in counts.items() if f == family),
            counts[family, "done"],
            counts[family, "failed"],
        )
        for family in sorted({family for family, _ in counts})
    }
    number = workers or os.cpu_count() or 1
    return SweepPlan(
        study=grid.name,
        total=counts.total(),
        done=sum(n for (_, status), n in counts.items() if status == "done"),
        failed=sum(n for (_, status), n in counts.items() if status == "failed"),
        missing=missing,
        families=families,
        seconds=seconds / number,
        workers=number,
        unknown=unknown,
    )


def _seconds_per_gradient(task: Task, shapes: dict[tuple[Any, ...], float]) -> float:
    """Declared time of one gradient, once for each shape of problem: rates and layouts change no cost."""
    noise = task.noise_table or _NUMBER.sub("#", task.noise) if not task.noise.startswith("ibm:") else task.noise
    shape = (task.source, task.readout, task.initial, noise, task.engine, task.quantities, task.samples, task.model)
    if shape not in shapes:
        try:
            problem = stated_problem(task)
            name = task.engine if task.model is None else "exact"
            if name == "auto":
                name, _ = choose(problem, workers=1, draws=gradients(task))
            shapes[shape] = next(d.seconds for d in declarations(problem) if d.engine == name)
        except EquinoiseError:
            shapes[shape] = math.nan  # the task itself will say what is wrong
    return shapes[shape]


def sweep(
    study: str | Path | Study,
    store: str | Path,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    tls: TLSFiles | None = None,
    retry_failed: bool = False,
    progress: Callable[[SweepProgress], None] | None = None,
) -> SweepSummary:
    """Run the tasks of a study that a store does not hold yet, and append the answers as they arrive.

    The answers do not depend on the number of workers. Only this process writes; a task counts as done once its
    transaction is committed, so that an interrupted sweep, however it ended, goes on where it stopped. In a script,
    call it under ``if __name__ == "__main__":``, because the workers are processes of their own.

    Args:
        study: A study, or its TOML file.
        store: DuckDB file; made if it does not exist.
        workers: Processes of a cluster on this machine, one thread each; all processors by default.
        scheduler: Address of a running Dask scheduler instead, e.g. "tls://10.0.0.1:8786".
        tls: Credentials for that scheduler; a cluster on this machine makes its own, for this run alone.
        retry_failed: Run again what failed before.
        progress: Called after each committed transaction.

    Raises:
        StudyFileError: The study file has mistakes; nothing was run.
        StoreError: The store is in use, no store, or cannot be written.
        SweepError: The scheduler cannot be reached, has no fitting workers, or was lost.
        KeyboardInterrupt: Ctrl-C; what was finished is in the store.
    """
    if scheduler is not None and workers is not None:
        raise SweepError("workers are started by the scheduler's owner: give either workers or scheduler.")
    if tls is not None and scheduler is None:
        raise SweepError("TLS files are for --scheduler; a cluster on this machine makes its own credentials.")
    if workers is not None and (isinstance(workers, bool) or workers < 1):
        raise SweepError(f"workers must be at least 1, got {workers}.")
    grid = study if isinstance(study, Study) else load_study(study)
    began = time.monotonic()
    with _Interrupt() as interrupt, Store(store).writing() as writer:
        statuses = writer.statuses()
        held = {"done"} if retry_failed else {"done", "failed"}
        total, before, failures = 0, 0, 0
        for task in grid.tasks():
            total += 1
            status = statuses.get(task.key)
            before += status in held
            failures += status == "failed" and status in held
        run = _Run(writer, interrupt, progress, total - before)
        if total > before:
            missing = (task for task in grid.tasks() if statuses.get(task.key) not in held)
            if scheduler is not None:
                cluster = outside_cluster(scheduler, tls, interrupt.check)
            else:
                cluster = local_cluster(workers or os.cpu_count() or 1, interrupt.check)
            with cluster as client:
                run.all(client, missing)
    return SweepSummary(grid.name, total, before, run.done, failures + run.failed, time.monotonic() - began)


class _Interrupt:
    """Turns the first Ctrl-C into a flag that is looked at between transactions; the second acts at once."""

    def __init__(self) -> None:
        self.asked = False
        self._old: Any = None

    def __enter__(self) -> _Interrupt:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._old = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._old is not None:
            signal.signal(signal.SIGINT, self._old)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def check(self) -> None:
        if self.asked:
            raise KeyboardInterrupt


@dataclass
class _Run:
    """The tasks of one sweep under way."""

    writer: StoreWriter
    interrupt: _Interrupt
    progress: Callable[[SweepProgress], None] | None
    total: int
    done: int = 0
    failed: int = 0

    def all(self, client: Any, tasks: Iterator[Task]) -> None:
        """Keeps a bounded number of tasks in flight until none is left."""
        import distributed

        began = written = time.monotonic()
        run = uuid.uuid4().hex[:12]  # so that no scheduler takes the tasks of another run for these
        flying: dict[Any, tuple[Task, int]] = {}
        ordered: Any = distributed.as_completed
        arriving = ordered(loop=client.loop)

        def send(task: Task, attempt: int) -> None:
            future = client.submit(run_task, task, key=(f"equinoise-{run}-{attempt}", task.key), pure=False)
            flying[future.key] = (task, attempt)
            arriving.add(future)

        limit = _limit(client)
        while True:
            while len(flying) < limit and (task := next(tasks, None)) is not None:
                send(task, 1)
            if not flying:
                return
            self.interrupt.check()
            if not arriving.has_ready():
                time.sleep(0.002)
                continue
            time.sleep(max(0.0, written + _BATCH - time.monotonic()))
            answers = []
            for task, attempt, answer in _collect(client, arriving.next_batch(block=False), flying):
                if answer is None and attempt < _ATTEMPTS:
                    send(task, attempt + 1)
                else:
                    answers.append(
                        answer or failed(task, f"KilledWorker: its worker died {attempt} times, perhaps out of memory")
                    )
            while len(flying) < limit and (task := next(tasks, None)) is not None:
                send(task, 1)
            self.writer.append(answers)
            written = time.monotonic()
            limit = _limit(client)
            self.done += len(answers)
            self.failed += sum(answer["row"]["status"] == "failed" for answer in answers)
            if self.progress is not None and answers:
                self.progress(SweepProgress(self.done, self.total, self.failed, written - began))


def _limit(client: Any) -> int:
    threads: int = sum(worker["nthreads"] for worker in client.scheduler_info(n_workers=-1)["workers"].values())
    return max(_IN_FLIGHT, _IN_FLIGHT * threads)


def _collect(
    client: Any, futures: list[Any], flying: dict[Any, tuple[Task, int]]
) -> Iterator[tuple[Task, int, dict[str, Any] | None]]:
    """(task, attempt, answer) of futures that have ended; the answer is None where the worker was killed too often.

    Raises:
        SweepError: The scheduler forgot a future: the connection is lost.
    """
    from distributed import KilledWorker

    finished = [future for future in futures if future.status == "finished"]
    try:
        results = dict(zip((f.key for f in finished), client.gather(finished), strict=True))
    except Exception:  # a worker was lost in between: each future then tells of itself
        results = {}
    for future in futures:
        task, attempt = flying.pop(future.key)
        if future.key in results:
            yield task, attempt, results[future.key]
            continue
        error = future.exception() if future.status != "cancelled" else None
        if future.status == "cancelled":
            raise SweepError(
                "the connection to the scheduler was lost. What was finished is in the store; sweep again."
            )
        if error is None:
            yield task, attempt, future.result()
        elif isinstance(error, KilledWorker):
            yield task, attempt, None
        else:
            yield task, attempt, failed(task, f"{type(error).__name__}: {error}")
