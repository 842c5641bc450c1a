"""Sweeps: the same results however they are run, nothing lost and nothing twice whatever is killed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from operator import itemgetter

import psutil
import pytest

from equinoise.sweeps import cluster
from equinoise.sweeps import sweep as sweeps
from equinoise.sweeps.store import Store, StoreError
from equinoise.sweeps.study_file import StudyFileError, study_from_dict
from equinoise.sweeps.sweep import SweepError, plan, sweep
from equinoise.sweeps.task import run_task

# generous: they only end a test that hangs
PATIENCE = 600.0
ANSWER = ("key", "status", "error", "engine", "variance", "kappa", "kappa_low", "survival", "rms_low", "law_survival")

SMALL = {
    "name": "small",
    "circuits": [{"source": "brickwork", "n": [4, 6], "depth": 2}],
    "readouts": ["middle"],
    "noise": ["dephasing:0.01", "relaxation:0.02"],
    "seeds": [0, 1, 2],
    "samples": 4,
    "quantities": ["law", "survival", "budget", "curve"],
}
# every second task fails: the engine is exact by name only up to memory, free fermions need no interaction
FAILING = SMALL | {"engine": ["exact", "free-fermion"], "seeds": [0], "quantities": ["law"]}
LONG = SMALL | {
    "name": "long",
    "circuits": [{"source": "brickwork", "n": 4, "depth": 2}],
    "noise": ["dephasing:0.05"],
    "seeds": list(range(700)),
    "quantities": ["budget", "survival"],
}

# the sweep waits after argv[4] results, so that it cannot end before it is killed
CLIENT = """
import json, os, sys, time
from equinoise.sweeps.study_file import study_from_dict
from equinoise.sweeps.sweep import sweep

def main():
    log = os.open(sys.argv[3], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    study = study_from_dict(json.loads(sys.argv[1]))

    def progress(now):
        os.write(log, f"{now.done}\\n".encode())
        while now.done >= int(sys.argv[4]):
            time.sleep(0.01)

    sweep(study, sys.argv[2], workers=2, progress=progress)

if __name__ == "__main__":
    main()
"""


def alike(found, expected):
    """Equal, numbers to 1e-12: in another process BLAS may round a last bit otherwise, as arrays lie elsewhere."""
    if isinstance(expected, float) and isinstance(found, float):
        return found == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True)
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(alike(found[k], expected[k]) for k in expected)
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(alike, found, expected))
    return found == expected


def _answers(store):
    rows = [tuple(row[name] for name in ANSWER) for row in store.read_results()]
    budget = [tuple(row.values()) for row in store.read_budget()]
    return rows, sorted(budget, key=repr), sorted((tuple(row.values()) for row in store.read_curve()), key=repr)


def _until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE} s for {what}"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """A scheduler and two workers on loopback, each a process of its own."""
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "DASK_TEMPORARY_DIRECTORY": str(folder)}
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    module = "distributed.cli.dask_scheduler"
    commands = [[sys.executable, "-m", module, "--host", "127.0.0.1", "--port", "0", *common]]
    worker = ["--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
    commands += [[sys.executable, "-m", "distributed.cli.dask_worker", *common, *worker]] * 2
    with contextlib.ExitStack() as stack:
        for command in commands:
            process = stack.enter_context(
                subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
            stack.callback(process.kill)
            _until(file.exists, "the scheduler")
        import json

        yield json.loads(file.read_text())["address"]


@pytest.fixture(scope="module")
def expected():
    """What the tasks of SMALL answer in this process, without any cluster."""
    answers = [run_task(task) for task in study_from_dict(SMALL).tasks()]
    return {answer["row"]["key"]: answer for answer in answers}


def _check(store, expected):
    rows = {row["key"]: row for row in store.read_results()}
    assert rows.keys() == expected.keys()
    for key, answer in expected.items():
        found = {name: rows[key][name] for name in ANSWER}
        assert alike(found, {name: answer["row"].get(name) for name in ANSWER})
        found = [{k: v for k, v in row.items() if k != "key"} for row in store.read_budget() if row["key"] == key]
        places = itemgetter("layer", "qubits", "mechanism")
        assert alike(sorted(found, key=places), sorted(answer["budget"], key=places))


@pytest.mark.slow
def test_one_two_and_four_workers_and_an_outside_scheduler_give_the_same_results(tmp_path, scheduler, expected):
    stores = {}
    for number in (1, 2, 4):
        stores[number] = Store(tmp_path / f"{number}.duckdb")
        summary = sweep(study_from_dict(SMALL), stores[number].path, workers=number)
        assert (summary.total, summary.done, summary.before, summary.failed) == (12, 12, 0, 0)
    stores["outside"] = Store(tmp_path / "outside.duckdb")
    sweep(study_from_dict(SMALL), stores["outside"].path, scheduler=scheduler)
    first = _answers(stores[1])
    assert len(first[0]) == 12
    assert all(alike(_answers(store), first) for store in stores.values())
    _check(stores["outside"], expected)


def test_a_second_run_does_only_what_is_missing(tmp_path, scheduler):
    path = tmp_path / "r.duckdb"
    part = study_from_dict(SMALL | {"seeds": [0, 1]})
    assert sweep(part, path, scheduler=scheduler).done == 8
    before = {row["key"]: row for row in Store(path).read_results()}
    counted = []
    summary = sweep(study_from_dict(SMALL), path, scheduler=scheduler, progress=counted.append)
    assert (summary.done, summary.before) == (4, 8)
    assert (counted[-1].done, counted[-1].total) == (4, 4)
    after = {row["key"]: row for row in Store(path).read_results()}
    assert {key: after[key] for key in before} == before  # the time at which they finished included
    again = sweep(study_from_dict(SMALL), path)  # needs no cluster
    assert (again.done, again.before) == (0, 12)
    assert {row["key"]: row for row in Store(path).read_results()} == after


def test_a_failed_task_is_recorded_and_run_again_on_request(tmp_path, scheduler):
    path = tmp_path / "r.duckdb"
    study = study_from_dict(FAILING)
    summary = sweep(study, path, scheduler=scheduler)
    assert (summary.done, summary.failed) == (8, 4)
    rows = Store(path).read_results()
    failed = {row["key"]: row for row in rows if row["status"] == "failed"}
    assert {row["engine"] for row in failed.values()} == {"free-fermion"}
    assert all("UnsupportedError: the engine 'free-fermion' cannot serve" in row["error"] for row in failed.values())
    assert all(row["kappa"] is None and row["source"] for row in failed.values())
    assert sweep(study, path, scheduler=scheduler).done == 0
    summary = sweep(study, path, scheduler=scheduler, retry_failed=True)
    assert (summary.done, summary.before, summary.failed) == (4, 4, 4)
    again = {row["key"]: row for row in Store(path).read_results()}
    assert all(again[key]["finished_at"] > row["finished_at"] for key, row in failed.items())
    done = {row["key"]: row for row in rows if row["status"] == "done"}
    assert {key: again[key] for key in done} == done


def test_a_failed_task_that_succeeds_the_second_time_is_done(tmp_path, scheduler):
    path = tmp_path / "r.duckdb"
    study = study_from_dict(SMALL)
    key = next(study.tasks()).key
    with Store(path).writing() as writer:
        writer.append([{"row": {"key": key, "status": "failed", "error": "power cut"}, "budget": [], "curve": []}])
    assert sweep(study, path, scheduler=scheduler).failed == 1
    summary = sweep(study, path, scheduler=scheduler, retry_failed=True)
    assert (summary.done, summary.failed) == (1, 0)
    assert set(Store(path).statuses().values()) == {"done"}


def test_a_store_in_use_is_refused_before_anything_starts(tmp_path):
    path = tmp_path / "shared.duckdb"
    with Store(path).writing() as writer:
        with pytest.raises(StoreError, match=r"shared\.duckdb' is in use"):
            sweep(study_from_dict(SMALL), path, workers=1)
        script = "import sys; from equinoise.cli.main import main; main()"
        (tmp_path / "s.toml").write_text('readouts = "Z0"\n[[circuits]]\nsource = "brickwork:n=4,depth=2"\n')
        other = subprocess.run(
            [sys.executable, "-c", script, "sweep", str(tmp_path / "s.toml"), "--store", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert other.returncode == 2
        assert f"shared.duckdb' is in use by process {os.getpid()}" in other.stderr
        writer.append([{"row": {"key": "a", "status": "done"}, "budget": [], "curve": []}])
    assert Store(path).statuses() == {"a": "done"}


def test_mistakes_are_told_before_the_store_is_made(tmp_path):
    file = tmp_path / "s.toml"
    file.write_text('readouts = ["Z9"]\nseeds = "x"\n[[circuits]]\nsource = "brickwork:n=4,depth=2"\n')
    with pytest.raises(StudyFileError) as caught:
        sweep(file, tmp_path / "r.duckdb")
    assert len(caught.value.mistakes) == 2
    assert not (tmp_path / "r.duckdb").exists()


def test_a_scheduler_that_does_not_answer_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_PATIENCE", 6.0)
    with pytest.raises(SweepError, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:9'"):
        sweep(study_from_dict(SMALL), tmp_path / "r.duckdb", scheduler="tcp://127.0.0.1:9")


def test_workers_with_other_tasks_are_refused(tmp_path, scheduler, monkeypatch):
    monkeypatch.setattr(cluster, "TASK_SCHEMA", 99)  # of this process only
    with pytest.raises(SweepError, match=r"the worker tcp://.* has equinoise .* Install the same"):
        sweep(study_from_dict(SMALL), tmp_path / "r.duckdb", scheduler=scheduler)
    assert Store(tmp_path / "r.duckdb").statuses() == {}


@pytest.mark.parametrize("options", [{"workers": 0}, {"workers": 2, "scheduler": "tcp://127.0.0.1:9"}])
def test_options_that_contradict_are_refused(tmp_path, options):
    with pytest.raises(SweepError, match="workers"):
        sweep(study_from_dict(SMALL), tmp_path / "r.duckdb", **options)


def test_the_plan_counts_by_family_and_estimates_each_shape_once(tmp_path, monkeypatch):
    path = tmp_path / "r.duckdb"
    study = study_from_dict(SMALL | {"seeds": list(range(5)), "scales": [0.5, 1.0]})
    tasks = list(study.tasks())
    answers = [run_task(replace(tasks[0])), run_task(replace(tasks[1], readout="Z2", engine="no-such"))]
    answers[1]["row"]["key"] = tasks[1].key
    with Store(path).writing() as writer:
        writer.append(answers)
    asked = []
    declared = sweeps.declarations
    monkeypatch.setattr(sweeps, "declarations", lambda problem: asked.append(problem) or declared(problem))
    found = plan(study, path, workers=2)
    assert (found.total, found.done, found.failed, found.missing) == (40, 1, 1, 38)
    assert found.families == {"brickwork": (40, 1, 1)}
    assert len(asked) == 4  # two sizes, two kinds of noise
    assert found.seconds > 0
    assert plan(study, path, workers=1).seconds == pytest.approx(2 * found.seconds)
    assert plan(study, path, workers=2, retry_failed=True).missing == 39
    assert plan(study, tmp_path / "none.duckdb").missing == 40


class _Future:
    """A future that has ended, as the collector sees it."""

    def __init__(self, key, status, outcome):
        self.key, self.status, self._outcome = key, status, outcome

    def exception(self):
        return self._outcome if isinstance(self._outcome, Exception) else None

    def result(self):
        return self._outcome


class _Client:
    def __init__(self, lost=False):
        self._lost = lost

    def gather(self, futures):
        if self._lost:
            raise OSError("a worker was lost while its results were on the way")
        return [future.result() for future in futures]


@pytest.mark.parametrize("lost", [False, True])
def test_each_way_in_which_a_future_ends_is_told_apart(lost):
    from distributed import KilledWorker

    task = next(study_from_dict(SMALL).tasks())
    futures = [
        _Future("a", "finished", {"row": "answer"}),
        _Future("b", "error", KilledWorker("b", "tcp://x", 3)),
        _Future("c", "error", ModuleNotFoundError("no module")),
        _Future("d", "finished", {"row": "other"}),
    ]
    flying = {future.key: (task, 1) for future in futures}
    found = [answer for _, _, answer in sweeps._collect(_Client(lost), futures, flying)]
    assert found[0] == {"row": "answer"}
    assert found[1] is None  # to be sent anew
    assert (found[2]["row"]["status"], found[2]["row"]["error"]) == ("failed", "ModuleNotFoundError: no module")
    assert found[3] == {"row": "other"}
    assert flying == {}


def test_a_scheduler_that_goes_away_is_told_as_such():
    task = next(study_from_dict(SMALL).tasks())
    with pytest.raises(SweepError, match="connection to the scheduler was lost"):
        list(sweeps._collect(_Client(), [_Future("a", "cancelled", None)], {"a": (task, 1)}))


class _Killer:
    """Starts a sweep in a process of its own and kills parts of it."""

    def __init__(self, folder):
        import json

        self.store = Store(folder / "kill.duckdb")
        self.log = folder / "log"
        script = folder / "client.py"
        script.write_text(CLIENT)
        self.log.write_text("")
        self.environment = os.environ | {"TMPDIR": str(folder)}
        self.command = [sys.executable, str(script), json.dumps(LONG), str(self.store.path), str(self.log)]
        self.process = None

    def start(self, most):
        """Starts a client that waits to be killed after ``most`` results."""
        self.log.write_text("")
        self.process = psutil.Popen(
            [*self.command, str(most)], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def counted(self):
        lines = self.log.read_text().splitlines()
        return int(lines[-1]) if lines else 0

    def progressed(self, more):
        start = self.counted()
        _until(lambda: self.counted() >= start + more or self.process.poll() is not None, f"{more} more results")

    def workers(self):
        with contextlib.suppress(psutil.NoSuchProcess):
            found = [c for c in self.process.children(recursive=True) if "spawn_main" in " ".join(c.cmdline())]
            return found
        return []

    def kill_client(self):
        children = self.process.children(recursive=True)
        counted = self.counted()
        self.process.kill()
        assert self.process.wait(PATIENCE) == -signal.SIGKILL
        _, left = psutil.wait_procs(children, timeout=PATIENCE)
        assert not left, "workers outlive their client"
        return max(counted, self.counted())


@pytest.mark.slow
def test_five_kills_at_random_moments_lose_nothing_and_double_nothing(tmp_path):
    dice = random.Random(20240607)
    killer = _Killer(tmp_path)
    keys = {task.key for task in study_from_dict(LONG).tasks()}
    seen = {}
    # two workers and three clients, at moments that the dice choose
    for victims in (["worker", "client"], ["client"], ["worker", "client"]):
        # at most 119 results are waited for below; three such runs and a batch each leave some for the last
        killer.start(most=150)
        killer.progressed(1)
        for victim in victims:
            killer.progressed(dice.randrange(1, 60))
            time.sleep(dice.uniform(0, 0.2))
            if victim == "worker":
                workers = killer.workers()
                assert workers
                dice.choice(workers).kill()
        counted = killer.kill_client()
        rows = {row["key"]: row for row in killer.store.read_results()}
        assert {key: rows.get(key) for key in seen} == seen, "a finished result was lost or changed"
        assert len(rows) >= len(seen) + counted, "progress counted what is not in the file"
        assert rows.keys() <= keys
        seen = rows
    assert len(seen) < len(keys)
    killer.start(most=len(keys) + 1)
    assert killer.process.wait(PATIENCE) == 0
    assert killer.counted() == len(keys) - len(seen)
    rows = killer.store.read_results()
    assert [row["key"] for row in rows] == sorted(keys)
    assert {row["status"] for row in rows} == {"done"}
    after = {row["key"]: row for row in rows}
    assert {key: after[key] for key in seen} == seen
    budget = killer.store.read_budget()
    parts = {(row["key"], row["layer"], row["qubits"], row["mechanism"]) for row in budget}
    assert len(parts) == len(budget), "budget rows stand twice"
    for task in dice.sample(list(study_from_dict(LONG).tasks()), 5):
        answer = run_task(task)
        found = {name: after[task.key][name] for name in ANSWER}
        assert alike(found, {name: answer["row"].get(name) for name in ANSWER})
        assert sum(row["key"] == task.key for row in budget) == len(answer["budget"])
    assert sorted(p.name for p in tmp_path.glob("kill.duckdb*")) == ["kill.duckdb"]


@pytest.mark.slow
def test_ctrl_c_stops_cleanly_and_leaves_nothing_behind(tmp_path):
    (tmp_path / "tmp").mkdir()
    # far more than can run between the first result and the signal
    seeds = ", ".join(map(str, range(5000)))
    (tmp_path / "s.toml").write_text(
        f'readouts = "Z2"\nnoise = "dephasing:0.05"\nseeds = [{seeds}]\nsamples = 4\nquantities = ["survival"]\n'
        '[[circuits]]\nsource = "brickwork:n=4,depth=2"\n'
    )
    store = tmp_path / "r.duckdb"
    command = [sys.executable, "-m", "equinoise", "sweep", str(tmp_path / "s.toml"), "--store", str(store)]
    with psutil.Popen(
        [*command, "--workers", "2"],
        env=os.environ | {"TMPDIR": str(tmp_path / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        journal = tmp_path / "r.duckdb.wal"
        _until(lambda: (journal.exists() and journal.stat().st_size > 0) or process.poll() is not None, "results")
        children = process.children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the workers too
        output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, errors
    assert "run the same command again" in errors
    assert output == ""
    assert len(errors.splitlines()) == 1, errors
    _, left = psutil.wait_procs(children, timeout=PATIENCE)
    assert not left
    assert list((tmp_path / "tmp").iterdir()) == []
    rows = Store(store).read_results()
    assert 0 < len(rows) < 5000
    assert f"{len(rows)} of 5000 tasks" in errors
