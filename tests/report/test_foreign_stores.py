"""Stores whose tables are right but whose contents no sweep wrote: one line, or a page without what was planted."""

from __future__ import annotations

import duckdb
import pytest
from typer.testing import CliRunner

from equinoise.cli.main import app
from equinoise.report.page.results import read_results
from equinoise.sweeps.store import Store, StoreError

ROW = {"status": "done", "study": "s", "source": "brickwork", "noise": "n", "readout": "Z2", "scale": 1.0, "kappa": 0.1}
ROW |= {"num_qubits": 4, "depth": 2}
PART = {"layer": 0, "qubits": "0,1", "mechanism": "dephasing", "kappa": 0.1, "standard_error": 0.0}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "r.duckdb"
    with Store(path).writing() as writer:
        writer.append([{"row": {"key": key, **ROW}, "budget": [PART], "curve": []} for key in ("a", "b")])
    return path


def _plant(path, table, column, value):
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE key = 'a'", [value])


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("results", "kappa", 1e300),
        ("results", "scale", -1.0),
        ("results", "num_qubits", -5),
        ("results", "num_qubits", None),
        ("results", "depth", 2**31 - 1),
        ("budget", "layer", None),
        ("budget", "layer", -1),
        ("budget", "qubits", "a,b"),
        ("budget", "qubits", ""),
        ("budget", "qubits", "9" * 99),
        ("budget", "qubits", None),
        ("budget", "kappa", 1e308),
        ("results", "diagnosis", "[]"),
        ("results", "diagnosis", '"x"'),
        ("results", "diagnosis", '{"law": 1}'),
        ("results", "diagnosis", '{"law": {"lasting_share": "x"}}'),
        ("results", "diagnosis", '{"law": {"greatest_rate": 1e300}}'),
        ("results", "diagnosis", '{"law": {"bound_status": ["x"]}}'),
        ("results", "diagnosis", '{"advice": [1, null]}'),
        ("results", "diagnosis", '{"warnings": "x"}'),
        ("results", "diagnosis", '{"light_cone": {"qubits": ["a", null]}}'),
        ("results", "diagnosis", '{"light_cone": {"qubits": [1e30]}}'),
        ("results", "diagnosis", "[" * 900 + "]" * 900),
    ],
)
def test_contents_that_no_sweep_writes_are_refused_with_task_and_column(path, table, column, value):
    _plant(path, table, column, value)
    with pytest.raises(StoreError, match=rf"holds what no sweep writes: .*{column}.* of the task 'a'") as caught:
        read_results(path)
    assert "\n" not in str(caught.value)


def test_what_a_sweep_may_leave_open_is_taken(path):
    for column, value in (("kappa", None), ("kappa_high", float("inf")), ("survival", float("nan"))):
        _plant(path, "results", column, value)
    _plant(path, "results", "diagnosis", '{"law": {"greatest_rate": null, "lasting_share": 0}, "advice": []}')
    assert len(read_results(path).rows) == 2


def test_escape_sequences_in_a_store_are_written_to_no_page(path, tmp_path):
    for column in ("source", "noise", "readout", "verdict_reason"):
        _plant(path, "results", column, "\x1b[31m<script>alert(1)</script>")
    result = CliRunner().invoke(app, ["report", str(path), "-o", str(tmp_path / "o.html")])
    assert result.exit_code == 0, result.output
    page = (tmp_path / "o.html").read_text()
    assert "\x1b" not in page
    assert "<script>alert" not in page
