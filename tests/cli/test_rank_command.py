"""`equinoise rank`: designs in order, ties and reasons on screen, all of it in the JSON, errors that say what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from equinoise.cli.main import app

TASK = ("--qubits", "4", "--readout", "Z1", "--samples", "8", "--first-samples", "8")


def run(*arguments: str, columns: str = "100") -> Any:
    return CliRunner(env={"COLUMNS": columns}).invoke(app, ["rank", *arguments])


@pytest.mark.parametrize("columns", ["60", "100", "160"])
def test_designs_are_printed_best_first_with_what_is_left_out(columns: str) -> None:
    result = run(
        *TASK,
        "--noise",
        "dephasing:0.2",
        "--family",
        "brickwork,ladder",
        "--depth",
        "2,8",
        "--max-parameters",
        "40",
        columns=columns,
    )
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    assert "on the input 0101 (charge 2) at noise scale 1, at most 40 parameters" in text
    assert "1 1 " in text
    assert "brickwork" in text
    assert "left out: 2 designs" in text
    assert "above the budget of 40" in text
    assert "score: signal-to-noise ratio of one shot" in text


def test_json_alone_holds_every_number_and_the_order() -> None:
    result = run(
        *TASK,
        "--noise",
        "dephasing:0.05",
        "--noise",
        "relaxation:0.2",
        "--family",
        "ladder",
        "--depth",
        "2",
        "--json",
        "-",
    )
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["schema"] == "equinoise.rank/1"
    assert [one["place"] for one in data["designs"]] == [1, 2]
    scores = [one["score"] for one in data["designs"]]
    assert scores == sorted(scores, reverse=True)
    assert {one["design"]["noise"] for one in data["designs"]} == {"dephasing:0.05", "relaxation:0.2"}
    assert data["designs"][0]["source"] == "ladder:n=4,depth=2,interaction=rzz"
    for one in data["designs"]:
        low, high = one["interval"]
        assert low <= one["score"] <= high
        assert one["shots"] == pytest.approx(1 / one["score"] ** 2)


def test_ties_are_told_on_screen_and_top_hides_but_does_not_forget(tmp_path: Path) -> None:
    file = tmp_path / "rank.json"
    result = run(
        "--qubits",
        "2",
        "--readout",
        "Z0",
        "--noise",
        "dephasing:0.1",
        "--depth",
        "1",
        "--samples",
        "8",
        "--first-samples",
        "8",
        "--top",
        "1",
        "--json",
        str(file),
    )
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    assert "Designs 1-4 cannot be told apart" in text
    assert "3 more are not shown" in text
    assert len(json.loads(file.read_text())["designs"]) == 4


def test_a_device_is_searched_and_what_does_not_fit_is_said() -> None:
    pytest.importorskip("qiskit_ibm_runtime")
    result = run(*TASK, "--device", "lima", "--family", "brickwork,ring", "--depth", "2")
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    assert "layout searched" in text
    assert "its interaction graph is not part of the coupling map" in text
    nothing = run(*TASK, "--device", "lima", "--family", "ring", "--depth", "2")
    assert nothing.exit_code == 1
    assert "0 designs" in nothing.stdout


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "say under which noise: --device NAME"),
        (("--noise", "dephase:1"), "cannot read the noise specification 'dephase:1'"),
        (("--noise", "none", "--depth", "two"), "--depth must list whole numbers >= 1, e.g. 2,4,6; got 'two'"),
        (("--noise", "none", "--family", "tree"), "family must be one of brickwork, ladder, ring, all-to-all"),
        (("--noise", "none", "--charge", "9"), "charge must lie in 0..4, got 9"),
        (("--noise", "none", "--json", "/nowhere/x.json"), "does not exist"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments: tuple[str, ...], text: str) -> None:
    result = run(*TASK, *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert text in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
