"""`equinoise engines`: what each engine declares for a problem, and which one auto takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from equinoise.cli.main import app
from equinoise.engines.select import ENGINES

BRICKWORK = ("brickwork:n=12,depth=4", "--readout", "Z6")
NOISE = ("--noise", "dephasing:0.01")
ROW = {"engine", "serves", "reason", "quantities", "error", "seconds", "gradient", "bytes"}


def run(*arguments: str) -> Any:
    return CliRunner(env={"COLUMNS": "160"}).invoke(app, ["engines", *arguments])


def rows(text: str) -> dict[str, str]:
    """The table's rows by engine, the mark before it kept."""
    out = {}
    for line in text.splitlines():
        words = line.replace("→", "").split()
        if words and words[0] in ENGINES:
            out[words[0]] = line
    return out


def test_table_marks_the_engine_that_auto_takes() -> None:
    result = run(*BRICKWORK, *NOISE)
    assert result.exit_code == 0, result.output
    assert "12 qubits, 4 layers, readout Z6" in result.stdout
    found = rows(result.stdout)
    assert set(found) == set(ENGINES)
    assert [name for name, line in found.items() if "→" in line] == ["exact"]
    assert "auto takes exact" in result.stdout
    assert "estimates for one processor" in result.stdout
    assert "MB" in found["exact"]
    assert "MB" not in found["free-fermion"]
    assert "gate 'rzz'" in " ".join(result.stdout.split())


def test_arrow_follows_the_problem() -> None:
    free = run("brickwork:n=40,depth=15,interaction=none", "--readout", "Z20", *NOISE)
    assert "→" in rows(free.stdout)["free-fermion"]
    static = run(*BRICKWORK, "--noise", "static:0.01")
    assert "→" in rows(static.stdout)["trajectories"]
    assert "no exact engine serves" in " ".join(static.stdout.split())


def test_more_draws_make_auto_impatient() -> None:
    few, many = (
        json.loads(run("brickwork:n=16,depth=6", "--readout", "Z8", *NOISE, "--samples", n, "--json", "-").stdout)
        for n in ("2", "1000000")
    )
    assert (few["auto"], many["auto"]) == ("exact", "trajectories")
    assert "would take about" in many["reason"]


def test_json_alone_holds_every_declaration() -> None:
    result = run(*BRICKWORK, *NOISE, "--json", "-")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert set(data) == {"schema", "auto", "reason", "engines"}
    assert data["schema"] == "equinoise.engines/1"
    assert data["auto"] == "exact"
    assert [row["engine"] for row in data["engines"]] == list(ENGINES)
    for row in data["engines"]:
        assert set(row) == ROW
        if row["serves"]:
            assert row["reason"] == ""
            assert row["seconds"] > 0
            assert row["bytes"] > 0
        else:
            assert row["reason"]
    refused = next(row for row in data["engines"] if row["engine"] == "free-fermion")
    assert refused["seconds"] is None


def test_json_file_is_written_beside_the_table(tmp_path: Path) -> None:
    target = tmp_path / "engines.json"
    result = run(*BRICKWORK, *NOISE, "--json", str(target))
    assert result.exit_code == 0
    assert "auto takes exact" in result.stdout
    assert json.loads(target.read_text()) == json.loads(run(*BRICKWORK, *NOISE, "--json", "-").stdout)


def test_missing_folder_is_told_before_anything_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equinoise.engines.select.choose", lambda *_, **__: pytest.fail("an engine was chosen"))
    result = run(*BRICKWORK, *NOISE, "--json", str(tmp_path / "none" / "a.json"))
    assert result.exit_code == 2
    assert "does not exist" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("brickwork:n=12,depth=4", "--readout", "Z60", *NOISE), "Z60"),
        ((*BRICKWORK, "--noise", "dephazing:0.1"), "cannot read the noise specification 'dephazing:0.1'"),
        (("brickwork:n=0,depth=4", "--readout", "Z0", *NOISE), "error: "),
        (("missing.qasm", "--readout", "Z0", *NOISE), "missing.qasm"),
        ((*BRICKWORK, *NOISE, "--layout", "0,1"), "--layout places a circuit on a device"),
        ((*BRICKWORK, *NOISE, "--initial", "01"), "error: "),
    ],
)
def test_what_does_not_fit_is_said_in_words(arguments: tuple[str, ...], text: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert text in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [(*BRICKWORK,), (*BRICKWORK, *NOISE, "--samples", "0")])
def test_options_left_out_or_out_of_range_are_usage_errors(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "--noise" in result.stderr or "--samples" in result.stderr


def test_where_no_engine_serves_the_reasons_are_the_message(tmp_path: Path) -> None:
    noise = tmp_path / "noise.toml"
    noise.write_text('[[pauli]]\npauli = "X15"\nrate = 0.1\n\n[[dephasing]]\nrate = 0.1\ncorrelation = "static"\n')
    # 28 cone qubits in the full space, and noise that is correlated in time
    result = run("brickwork:n=30,depth=14", "--readout", "Z15", "--noise", str(noise))
    assert result.exit_code == 2
    message = " ".join(result.stderr.split())
    assert message.startswith("error: no engine serves this problem")
    for name in ENGINES:
        assert f"{name}: " in message


def test_memory_limit_moves_the_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EQUINOISE_MEMORY_GB", "0.001")
    data = json.loads(run("brickwork:n=16,depth=6", "--readout", "Z8", *NOISE, "--json", "-").stdout)
    assert data["auto"] == "trajectories"
    exact = next(row for row in data["engines"] if row["engine"] == "exact")
    assert not exact["serves"]
    assert "0.001 GB are free" in exact["reason"]
    assert exact["bytes"] > 1e6
