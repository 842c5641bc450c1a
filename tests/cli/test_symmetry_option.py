"""`--symmetry` of diagnose, advise and engines: any symmetry by its name, and why one does not fit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

import equinoise as eq
from equinoise.cli.main import app

EXCHANGE = ("exchange:n=4,depth=2", "--readout", "X1X2+Y1Y2+Z1Z2", "--initial", "0101")
PERMUTATION = ("permutation:n=4,depth=2", "--readout", "Z0+Z1+Z2+Z3", "--initial", "0000")
FEW = ("--samples", "4")


def run(command: str, *arguments: str) -> Any:
    return CliRunner(env={"COLUMNS": "160"}).invoke(app, [command, *arguments])


def numbers(command: str, *arguments: str) -> dict[str, Any]:
    result = run(command, *arguments, "--json", "-")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def message(command: str, *arguments: str) -> str:
    result = run(command, *arguments)
    assert result.exit_code == 2, result.output
    return " ".join(result.stderr.split())


def test_diagnosis_of_a_symmetry_is_what_the_python_twin_says() -> None:
    found = numbers("diagnose", *PERMUTATION, "--noise", "dephasing:0.3", "--symmetry", "permutation", *FEW)
    circuit = eq.load_circuit("permutation:n=4,depth=2")
    problem = eq.Problem(
        circuit, "Z0+Z1+Z2+Z3", initial="0000", noise="dephasing:0.3", symmetry=eq.symmetry.permutation(4)
    )
    twin = eq.diagnose(problem, sampling=eq.Sampling(samples=4)).to_dict()
    assert found["engine"] == "permutation"
    assert found["symmetry"] == twin["symmetry"]
    assert found["symmetry"]["numbers"] == 35
    assert found["law"]["kappa"] == pytest.approx(twin["law"]["kappa"], rel=1e-12)


def test_report_names_the_symmetry_and_what_the_noise_leaves() -> None:
    result = run("diagnose", *EXCHANGE, "--noise", "dephasing:0.02", "--symmetry", "su2", *FEW)
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    assert "every step of the circuit commutes with su2" in text
    assert "the noise breaks su2 (dephasing 0.02 D[Z0]" in text
    assert "numbers a density matrix instead of 14" in text


def test_charge_is_claimed_where_nothing_is_said() -> None:
    brickwork = ("brickwork:n=4,depth=2", "--readout", "Z1", "--noise", "dephasing:0.02", *FEW)
    plain, named = (numbers("diagnose", *brickwork, *more) for more in ((), ("--symmetry", "charge")))
    assert plain == named
    assert plain["symmetry"]["claimed"] == "charge"


def test_products_and_blocks_are_read() -> None:
    ring = ("translation:n=4,depth=2", "--readout", "Z0", "--initial", "0000", "--noise", "depolarizing:0.5", *FEW)
    found = numbers("diagnose", *ring, "--symmetry", "translation*reflection")
    assert found["symmetry"]["claimed"] == "translation * reflection"
    halves = (*PERMUTATION, "--noise", "depolarizing:0.5", "--symmetry", "permutation:0-1|2-3", *FEW)
    found = numbers("diagnose", *halves, "--engine", "commutant")
    assert found["symmetry"]["numbers"] == 100  # C(5, 3)^2
    # the circuit has more than was claimed
    found = numbers("diagnose", *halves, "--engine", "permutation")
    assert (found["symmetry"]["kept"], found["symmetry"]["numbers"]) == ("permutation", 35)


def test_engines_say_which_one_takes_the_symmetry() -> None:
    found = numbers("engines", *PERMUTATION, "--noise", "dephasing:0.02", "--symmetry", "permutation")
    assert found["auto"] in ("permutation", "commutant")
    reasons = {row["engine"]: row["reason"] for row in found["engines"]}
    assert (reasons["permutation"], reasons["commutant"]) == ("", "")
    assert "taken by name, and where that is clearly cheaper" in reasons["exact"]
    assert reasons["trajectories"] == "it does not work with the symmetry permutation"


def test_advice_on_a_symmetry_leaves_out_what_needs_the_charge() -> None:
    few = ("--samples", "4", "--first-samples", "2")
    found = numbers("advise", *EXCHANGE, "--noise", "depolarizing:0.02", "--symmetry", "su2", *few)
    left_out = {entry["kind"]: entry["reason"] for entry in found["left_out"]}
    assert "the symmetry here is su2" in left_out["verification"]
    assert any(one["kind"] == "calibration" for one in found["suggestions"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((*EXCHANGE, "--noise", "none", "--symmetry", "permutation"), "has no image"),
        ((*EXCHANGE, "--noise", "none", "--symmetry", "charges:0-1|2-3"), "breaks the sum of Z on 0,1"),
        ((*EXCHANGE, "--noise", "none", "--symmetry", "spin"), "no symmetry 'spin'; expected one of charge,"),
        ((*EXCHANGE, "--noise", "none", "--symmetry", "charges:0-9"), "charges"),
        ((*PERMUTATION, "--noise", "none"), "breaks the charge"),
        ((*EXCHANGE, "--noise", "none", "--symmetry", "su2", "--charge", "2"), "select a sector of the total charge"),
        ((*EXCHANGE, "--noise", "static:0.1", "--symmetry", "su2"), "computed in sectors of the charge, not of su2"),
        ((*EXCHANGE, "--noise", "none", "--symmetry", "su2", "--engine", "trajectories"), "does not work with"),
        (
            ("exchange:n=4,depth=2", "--readout", "Z1", "--initial", "0101", "--noise", "none", "--symmetry", "su2"),
            "neither the readout nor the input '0101' is invariant",
        ),
    ],
)
def test_symmetry_that_does_not_fit_is_refused_with_the_reason(arguments: tuple[str, ...], says: str) -> None:
    assert says in message("diagnose", *arguments, *FEW)


def test_help_lists_the_names() -> None:
    text = " ".join(run("diagnose", "--help").stdout.replace("│", " ").split())
    assert "--symmetry" in text
    assert "permutation" in text
    assert "su2" in text
