"""`equinoise advise`: what it prints and writes, and that it is what the library says."""

from __future__ import annotations

import json
from typing import Any

from typer.testing import CliRunner

import equinoise as eq
from equinoise.cli.main import app

PROBLEM = ("brickwork:n=5,depth=3", "--readout", "Z1", "--noise", "relaxation:0.05")
FEW = ("--samples", "4", "--first-samples", "4")


def run(*arguments: str) -> Any:
    return CliRunner(env={"COLUMNS": "140"}).invoke(app, ["advise", *arguments], prog_name="equinoise")


def test_table_has_the_library_s_gains_and_reasons() -> None:
    result = run(*PROBLEM, *FEW, "--seed", "2")
    assert result.exit_code == 0, result.output
    problem = eq.Problem(eq.load_circuit(PROBLEM[0]), "Z1", noise="relaxation:0.05")
    advice = eq.advise(problem, sampling=eq.Sampling(samples=4, seed=2), first_samples=4)
    shown = " ".join(result.stdout.split())
    for one in advice.suggestions:
        assert f"{one.gain:.3f}" in shown
    assert "there is no layout to choose" in shown
    assert "What helps" in shown


def test_json_alone_on_stdout_is_the_library_s_record() -> None:
    result = run(*PROBLEM, *FEW, "--json", "-")
    problem = eq.Problem(eq.load_circuit(PROBLEM[0]), "Z1", noise="relaxation:0.05")
    expected = eq.advise(problem, sampling=eq.Sampling(samples=4), first_samples=4).to_dict()
    assert json.loads(result.stdout) == json.loads(json.dumps(expected))


def test_bad_samples_are_told_on_stderr() -> None:
    result = run(*PROBLEM, "--samples", "1")
    assert result.exit_code == 2
    assert "at least 2" in result.output
