"""The store: whole transactions, one writer, and files that other programs open in one line."""

from __future__ import annotations

import os
import subprocess
import sys

import duckdb
import polars
import pytest

from equinoise.sweeps.store import BUDGET, CURVE, RESULTS, STORE_SCHEMA, Store, StoreError


def _answer(key, status="done", kappa=0.1, study="s", **row):
    return {
        "row": {"key": key, "status": status, "study": study, "kappa": kappa, **row},
        "budget": [
            {"layer": 0, "qubits": "0,1", "mechanism": "dephasing", "kappa": kappa / 2, "standard_error": None},
            {"layer": 1, "qubits": "2", "mechanism": "dephasing", "kappa": kappa / 2, "standard_error": 0.0},
        ],
        "curve": [{"scale": 2.0, "survival": 0.5, "law": None}],
    }


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results.duckdb")


def _filled(store, *answers):
    with store.writing() as writer:
        writer.append(answers)
    return store


def test_rows_come_back_as_they_were(store):
    _filled(store, _answer("b", shots_per_gradient=float("inf"), bounds_proved=True), _answer("a", survival=None))
    rows = store.read_results()
    assert [row["key"] for row in rows] == ["a", "b"]
    assert list(rows[0]) == list(RESULTS)
    assert (rows[1]["shots_per_gradient"], rows[1]["bounds_proved"], rows[0]["survival"]) == (float("inf"), True, None)
    assert rows[0]["finished_at"] is not None
    assert [list(row) for row in store.read_budget()[:1] + store.read_curve()[:1]] == [list(BUDGET), list(CURVE)]
    assert store.meta() == {"schema": STORE_SCHEMA}
    assert store.statuses() == {"a": "done", "b": "done"}


def test_a_new_answer_takes_the_place_of_the_old_one_in_all_tables(store):
    _filled(store, _answer("a", "failed", error="why"), _answer("b"))
    _filled(store, _answer("a", kappa=0.3), _answer("a", kappa=0.2))  # the last of two counts
    rows = store.read_results()
    assert [(row["key"], row["status"], row["kappa"], row["error"]) for row in rows] == [
        ("a", "done", 0.2, None),
        ("b", "done", 0.1, None),
    ]
    assert [row["kappa"] for row in store.read_budget() if row["key"] == "a"] == [0.1, 0.1]
    assert len(store.read_curve()) == 2


def test_one_study_of_several_can_be_read(store):
    _filled(store, _answer("a", study="one"), _answer("b", study="two"))
    assert [row["key"] for row in store.read_results("two")] == ["b"]
    assert {row["key"] for row in store.read_budget("two") + store.read_curve("two")} == {"b"}


def test_a_transaction_that_fails_leaves_nothing_of_itself(store):
    _filled(store, _answer("a"))
    bad = _answer("c")
    bad["budget"].append({"layer": "no number"})
    with store.writing() as writer:
        with pytest.raises(StoreError, match=r"cannot write to the store .*results\.duckdb"):
            writer.append([_answer("b"), bad])
        writer.append([_answer("d")])
    assert set(store.statuses()) == {"a", "d"}
    assert {row["key"] for row in store.read_budget()} == {"a", "d"}


def test_a_committed_row_survives_a_kill_right_after(store):
    script = (
        "import os, sys\nfrom equinoise.sweeps.store import Store\n"
        "with Store(sys.argv[1]).writing() as writer:\n"
        "    writer.append([{'row': {'key': 'a', 'status': 'done'}, 'budget': [], 'curve': []}])\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(store.path)], check=False)
    assert done.returncode == -9
    assert store.statuses() == {"a": "done"}
    _filled(store, _answer("b"))
    assert set(store.statuses()) == {"a", "b"}


def test_another_process_is_refused_and_told_which_store_and_who_has_it(store):
    _filled(store)
    script = (
        "import sys\nfrom equinoise.sweeps.store import Store, StoreError\n"
        "for use in (lambda s: s.writing().__enter__(), lambda s: s.read_results()):\n"
        "    try:\n        use(Store(sys.argv[1]))\n"
        "    except StoreError as error:\n        print(error)\n"
    )
    with store.writing() as writer:
        other = subprocess.run(
            [sys.executable, "-c", script, str(store.path)], capture_output=True, text=True, check=True
        )
        writer.append([_answer("a")])
    lines = other.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert f"results.duckdb' is in use by process {os.getpid()}" in line
        assert "give another --store" in line
    assert store.statuses() == {"a": "done"}


def test_a_second_writer_in_the_same_process_is_refused(store):
    with store.writing(), pytest.raises(StoreError, match="in use by this process"), Store(store.path).writing():
        pass
    with store.writing():  # and the first gives it free again
        pass


def test_reading_while_this_process_writes_is_refused_clearly(store):
    with store.writing(), pytest.raises(StoreError, match="in use"):
        store.read_results()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_text("no database " * 500), "is no DuckDB file"),
        (lambda path: duckdb.connect(str(path)).execute("CREATE TABLE t (x INTEGER)").close(), "no store of equinoise"),
    ],
)
def test_a_file_that_is_no_store_is_refused_and_left_alone(store, make, message):
    make(store.path)
    content = store.path.read_bytes()
    for use in (store.read_results, lambda: store.writing().__enter__()):
        with pytest.raises(StoreError, match=message):
            use()
    assert store.path.read_bytes() == content


def test_another_schema_is_refused_with_both_names(store):
    _filled(store)
    connection = duckdb.connect(str(store.path))
    connection.execute("UPDATE meta SET value = 'equinoise.store/0'")
    connection.close()
    with pytest.raises(StoreError, match=f"equinoise.store/0.*{STORE_SCHEMA}"):
        store.read_results()


def test_a_missing_store_or_folder_says_what_to_do(store, tmp_path):
    with pytest.raises(StoreError, match="there is no store"):
        store.read_results()
    assert store.statuses() == {}
    with pytest.raises(StoreError, match=r"folder .* does not exist"), Store(tmp_path / "no" / "x.duckdb").writing():
        pass
    assert list(tmp_path.iterdir()) == []


def test_it_opens_in_pandas_and_polars_in_one_line(store):
    _filled(store, _answer("a", task='{"x": 1}'), _answer("b", survival=0.5))
    path = str(store.path)
    frame = duckdb.connect(path, read_only=True).execute("from results").df()
    assert list(frame.columns) == list(RESULTS)
    assert frame.kappa.tolist() == [0.1, 0.1]
    table = polars.read_database("from results", duckdb.connect(path, read_only=True))
    assert table.columns == list(RESULTS)
    assert table["status"].to_list() == ["done", "done"]


def test_exports_open_in_pandas_polars_and_csv(store, tmp_path):
    import csv

    import pandas

    _filled(store, _answer("a", task='{"x": 1, "y": "a,\\"b\\""}', error="two\nlines"), _answer("b"))
    files = store.export(tmp_path / "out.parquet")
    assert [file.name for file in files] == ["out.parquet", "out.budget.parquet", "out.curve.parquet"]
    assert pandas.read_parquet(files[0]).key.tolist() == ["a", "b"]
    assert polars.read_parquet(files[1])["kappa"].to_list() == [0.05] * 4
    files = store.export(tmp_path / "it's.csv")
    with files[0].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["error"] for row in rows] == ["two\nlines", ""]
    assert pandas.read_csv(files[0]).kappa.tolist() == [0.1, 0.1]
    assert polars.read_csv(files[2])["survival"].to_list() == [0.5, 0.5]
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(("name", "message"), [("out.xlsx", "ending must be"), ("no/out.csv", "folder does not exist")])
def test_an_export_that_cannot_be_written_is_refused_beforehand(tmp_path, name, message):
    with pytest.raises(StoreError, match=message):
        Store.check_export(tmp_path / name)


@pytest.mark.parametrize("links", [True, False])
def test_a_store_that_appears_while_another_is_made_is_kept(store, monkeypatch, links):
    def refused(*_):
        raise PermissionError("no links here")

    if not links:
        monkeypatch.setattr(os, "link", refused)
    fresh = store.path.with_name("fresh")
    fresh.write_text("mine")
    store._put(fresh, store.path)
    assert store.path.read_text() == "mine"
    fresh.write_text("late")
    store.path.unlink()
    store.path.write_text("theirs")
    store._put(fresh, store.path)
    assert store.path.read_text() == "theirs"


def test_importing_equinoise_imports_neither_duckdb_nor_dask():
    script = (
        "import sys, equinoise, equinoise.cli.main, equinoise.sweeps.sweep, equinoise.sweeps.store\n"
        "sys.exit(bool({'duckdb', 'dask', 'distributed'} & set(sys.modules)))\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
