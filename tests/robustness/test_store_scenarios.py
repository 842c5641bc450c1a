"""Stores from anywhere: foreign, corrupt or shared by two users, each gives a right answer or one line."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import duckdb
import pytest
from typer.testing import CliRunner

from equinoise.cli.main import app
from equinoise.sweeps.store import RESULTS, STORE_SCHEMA, Store, StoreError

SECRET = "the words of a file that is nobody's business"


def _answer(key, **row):
    return {
        "row": {"key": key, "status": "done", "study": "s", "kappa": 0.1, **row},
        "budget": [{"layer": 0, "qubits": "0,1", "mechanism": "dephasing", "kappa": 0.1, "standard_error": 0.0}],
        "curve": [{"scale": 2.0, "survival": 0.5, "law": None}],
    }


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "r.duckdb")
    with store.writing() as writer:
        writer.append([_answer(str(number)) for number in range(30)])
    return store


def _changed(path, *statements):
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)


def _each_use(store):
    """Everything that opens a store."""

    def write():
        with store.writing() as writer:
            writer.statuses()
            writer.append([_answer("new")])

    folder = store.path.parent
    return [
        store.statuses,
        store.read_results,
        store.read_budget,
        store.read_curve,
        store.meta,
        lambda: store.export(folder / "o.csv"),
        write,
    ]


def _refused(store, text):
    for use in _each_use(store):
        with pytest.raises(StoreError, match=text) as caught:
            use()
        assert "\n" not in str(caught.value)
        assert SECRET not in str(caught.value)
    result = CliRunner().invoke(app, ["report", str(store.path), "-o", str(store.path.parent / "o.html")])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert SECRET not in result.output
    assert not list(store.path.parent.glob("o.*"))


def _columns(**given):
    return ", ".join(f"{given.get(name, 'NULL')}::{kind} AS {name}" for name, kind in RESULTS.items())


FOREIGN = {
    "a view over another file": lambda secret: [
        "DROP TABLE results",
        "CREATE VIEW results AS SELECT " + _columns(key="content", status="'done'") + f" FROM read_text('{secret}')",
    ],
    "a view with row numbers": lambda secret: [
        "DROP TABLE budget",
        "CREATE VIEW budget AS SELECT 'a' AS key, 1 AS layer, '0' AS qubits, 'm' AS mechanism, 0.1::DOUBLE AS kappa, "
        "0.1::DOUBLE AS standard_error, 1 AS rowid",
    ],
    "a view over a csv": lambda secret: [
        "DROP TABLE curve",
        "CREATE VIEW curve AS SELECT column0 AS key, 1.0::DOUBLE AS scale, 1.0::DOUBLE AS survival, "
        f"1.0::DOUBLE AS law FROM read_csv('{secret}', header = false, columns = {{'column0': 'VARCHAR'}})",
    ],
    "a view of the schema's name": lambda secret: [
        "DROP TABLE meta",
        f"CREATE VIEW meta AS SELECT 'schema' AS name, '{STORE_SCHEMA}' AS value",
    ],
    "a column less": lambda secret: ["ALTER TABLE results DROP COLUMN kappa"],
    "a column more": lambda secret: ["ALTER TABLE results ADD COLUMN extra VARCHAR"],
    "a column of another type": lambda secret: ["ALTER TABLE curve ALTER survival TYPE VARCHAR"],
    "no budget": lambda secret: ["DROP TABLE budget"],
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_whose_tables_are_not_those_of_a_sweep_shows_nothing_of_other_files(store, tmp_path, kind):
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    _changed(store.path, *FOREIGN[kind](secret))
    _refused(store, "no store")


def test_macros_that_a_file_brings_reach_nothing_outside_it(store, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    _changed(
        store.path,
        f"CREATE MACRO unnest(x) AS (SELECT content FROM read_text('{secret}'))",
        f"CREATE MACRO duckdb_tables() AS TABLE SELECT * FROM read_text('{secret}')",
    )
    assert len(store.read_results()) == 30
    store.export(tmp_path / "o.csv")
    assert SECRET not in (tmp_path / "o.csv").read_text()


@pytest.mark.parametrize("statement", ["SELECT * FROM read_text('{}')", "COPY (SELECT 1) TO '{}'", "ATTACH '{}' AS b"])
def test_what_is_opened_reaches_no_other_file_and_stays_so(store, tmp_path, statement):
    outside = tmp_path / "outside"
    for read_only in (True, False):
        with pytest.raises(StoreError), store._reading() if read_only else _connection(store) as connection:
            connection.execute(statement.format(outside))
        with pytest.raises(StoreError), store._reading() if read_only else _connection(store) as connection:
            connection.execute("SET enable_external_access = true")
    assert not outside.exists()


def _connection(store):
    from equinoise.sweeps.database import opened

    return opened(store.path, read_only=False)


def test_a_file_of_another_database_loads_no_extension(tmp_path):
    path = tmp_path / "r.duckdb"
    path.write_bytes(b"SQLite format 3\0" + bytes(5000))
    _refused(Store(path), "no DuckDB file")


@pytest.mark.parametrize("content", [b"", b"x", b"blocklock" * 2000, bytes(20_000)])
def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path, content):
    path = tmp_path / "r.duckdb"
    path.write_bytes(content)
    _refused(Store(path), "no DuckDB file")


def test_a_corrupt_store_is_never_said_to_be_in_use(store, tmp_path):
    whole, dice = store.path.read_bytes(), random.Random(3)
    damaged = Store(tmp_path / "damaged" / "r.duckdb")
    damaged.path.parent.mkdir()
    told = []
    for trial in range(8):
        content = bytearray(whole)
        if trial % 2:
            content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        else:
            del content[dice.randrange(12, len(content)) :]
        for use in (damaged.read_results, damaged.read_budget, _each_use(damaged)[-1]):
            for beside in damaged.path.parent.iterdir():  # what the use before has left, its journal above all
                beside.unlink()
            damaged.path.write_bytes(content)
            try:
                use()
            except StoreError as error:
                told.append(str(error))
    assert len(told) > 12
    wrong = [text for text in told if not any(word in text for word in ("corrupt", "cannot write", "no store"))]
    assert wrong == []
    assert not any("in use" in text or "\n" in text for text in told)


def test_a_folder_or_a_pipe_is_no_store(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(StoreError, match="no store"):
            Store(tmp_path / name).read_results()
        with pytest.raises(StoreError, match="is a folder or a device"), Store(tmp_path / name).writing():
            pass


def test_a_name_that_is_too_long_is_told_in_one_line(tmp_path):
    store = Store(tmp_path / ("x" * 300))
    assert store.statuses() == {}
    with pytest.raises(StoreError, match=r"cannot make the store .*Give another --store"), store.writing():
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_planted_in_the_way_of_a_new_store_is_not_entered(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f".r.duckdb.{os.getpid()}.new").symlink_to(tmp_path / "elsewhere" / "victim")
    with Store(tmp_path / "r.duckdb").writing() as writer:
        writer.append([_answer("a")])
    assert list((tmp_path / "elsewhere").iterdir()) == []


USER = """
import sys, time
from equinoise.sweeps.store import Store, StoreError
path, name = sys.argv[1:]
written, others = 0, set()
while written < 5:
    try:
        with Store(path).writing() as writer:
            writer.append([{"row": {"key": f"{name}-{written}", "status": "done"}, "budget": [], "curve": []}])
            written += 1
            time.sleep(0.02)
    except StoreError as error:
        others.add(" ".join(str(error).split("process")[0].split()))
    time.sleep(0.001)
print(*others, sep="\\n")
"""


@pytest.mark.slow
def test_two_users_at_once_lose_nothing_and_are_told_only_that_it_is_in_use(tmp_path):
    path = tmp_path / "shared.duckdb"  # which they also make at once
    users = [
        subprocess.Popen(
            [sys.executable, "-c", USER, str(path), name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for name in ("ada", "bob")
    ]
    told = set()
    for user in users:
        output, errors = user.communicate(timeout=300)
        assert user.returncode == 0, errors
        told |= set(output.splitlines())
    assert all(line.endswith("shared.duckdb' is in use by") for line in told if line), told
    assert Store(path).statuses() == {f"{name}-{i}": "done" for name in ("ada", "bob") for i in range(5)}
    assert [file.name for file in tmp_path.iterdir()] == ["shared.duckdb"]


def test_a_reader_beside_readers_is_served_and_a_writer_beside_them_is_told_who_reads(store):
    script = (
        "import duckdb, sys\nkept = duckdb.connect(sys.argv[1], read_only=True)\n"
        "print('open', flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(store.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        assert len(store.read_results()) == 30
        with pytest.raises(StoreError, match=rf"in use by process {other.pid}"), store.writing():
            pass
        other.stdin.close()
    with store.writing() as writer:
        assert len(writer.statuses()) == 30
