"""Options that say nothing, too much, or nonsense: each is refused in one line."""

from __future__ import annotations

import pytest

from refusals import cases, name_of, refused

BRICKWORK = ["brickwork:n=4,depth=2", "--readout", "Z1", "--noise", "dephasing:0.1"]
DIAGNOSE = ["diagnose", *BRICKWORK]
RANK = ["rank", "--readout", "Z1", "--noise", "dephasing:0.1"]
RANK_FOUR = [*RANK, "--qubits", "4"]
TRAIN = ["train", "--data", "breast-cancer"]
REPRODUCE = ["reproduce", "--quick", "--out", "reproduced"]

NOT_WHOLE = ["x", "1.5", "", "-1", "9" * 5000, "1e9", "nan"]
HUGE = ["1000000000", "9" * 30]
NOT_A_NUMBER = ["x", "nan", "", "-1", "-inf", "1e999x"]

WHOLE_NUMBERS = [
    *cases(DIAGNOSE, "--samples", [*NOT_WHOLE, "0", *HUGE]),
    *cases(DIAGNOSE, "--seed", NOT_WHOLE),
    *cases(DIAGNOSE, "--shots", [*NOT_WHOLE, "0", "9" * 30]),
    *cases(DIAGNOSE, "--charge", [*NOT_WHOLE, "5", *HUGE]),
    *cases(DIAGNOSE, "--workers", [*NOT_WHOLE, "0", *HUGE]),
    *cases(["advise", *BRICKWORK], "--samples", [*NOT_WHOLE, "0", "1", *HUGE]),
    *cases(["advise", *BRICKWORK], "--first-samples", [*NOT_WHOLE, "0", "1"]),
    *cases(["engines", *BRICKWORK], "--samples", [*NOT_WHOLE, "0", *HUGE]),
    *cases(RANK, "--qubits", [*NOT_WHOLE, "0", "1", *HUGE]),
    *cases(RANK_FOUR, "--depth", [*NOT_WHOLE, "0", "2,x", "\u00b2", *HUGE]),
    *cases(RANK_FOUR, "--charge", [*NOT_WHOLE, "5", *HUGE]),
    *cases(RANK_FOUR, "--samples", [*NOT_WHOLE, "0"]),
    *cases(RANK_FOUR, "--first-samples", [*NOT_WHOLE, "0"]),
    *cases(RANK_FOUR, "--seed", NOT_WHOLE),
    *cases(RANK_FOUR, "--workers", [*NOT_WHOLE, "0", *HUGE]),
    *cases(RANK_FOUR, "--top", [*NOT_WHOLE, "0"]),
    *cases(RANK_FOUR, "--max-parameters", NOT_WHOLE),
    *cases(TRAIN, "--qubits", [*NOT_WHOLE, "0", *HUGE]),
    *cases(TRAIN, "--excitations", [*NOT_WHOLE, "0", "3", *HUGE]),
    *cases(TRAIN, "--depth", [*NOT_WHOLE, "0", *HUGE]),
    *cases(TRAIN, "--epochs", [*NOT_WHOLE, *HUGE]),
    *cases(TRAIN, "--batch-size", [*NOT_WHOLE, "0", "9" * 30]),
    *cases(TRAIN, "--shots", [*NOT_WHOLE, "0", "9" * 30]),
    *cases(TRAIN, "--seed", [*NOT_WHOLE, "4294967296", "9" * 30]),
    *cases(TRAIN, "--workers", [*NOT_WHOLE, "0", *HUGE]),
    *cases(REPRODUCE, "--seed", NOT_WHOLE),
    *cases(REPRODUCE, "--workers", [*NOT_WHOLE, "0", *HUGE]),
]
REAL_NUMBERS = [
    *cases(DIAGNOSE, "--scale", NOT_A_NUMBER),
    *cases(DIAGNOSE, "--relative-error", [*NOT_A_NUMBER, "0", "inf"]),
    *cases(["advise", *BRICKWORK], "--scale", NOT_A_NUMBER),
    *cases(RANK_FOUR, "--scale", NOT_A_NUMBER),
    *cases(TRAIN, "--scale", NOT_A_NUMBER),
    *cases(TRAIN, "--learning-rate", [*NOT_A_NUMBER, "0", "inf", "1e300"]),
]
NAMES = [
    *cases(
        DIAGNOSE,
        "--ensemble",
        [
            "",
            "x",
            "normal",
            "normal:",
            "normal:x",
            "normal:0",
            "normal:-1",
            "normal:nan",
            "normal:inf",
            "normal:1e300",
            "normal:1e400",
            "uniform:x",
            "uniform:-1",
            "given",
            "Normal:1",
            "normal:1,2",
            "normal:1:2",
            "\x1b[31m",
        ],
    ),
    *cases(DIAGNOSE, "--engine", ["", "x", "EXACT", "auto,exact", "\x1b[31m", "[bold]", "[/]"]),
    *cases(RANK_FOUR, "--family", ["x", "brickwork,x", "\x1b[31m", "[/]"]),
    *cases(RANK_FOUR, "--interaction", ["x", "rzz,x", "\x1b[31m"]),
    *cases(["rank", "--readout", "Z1", "--qubits", "4"], "--device", ["x", "ibm:x", "../torino", "\x1b[31m"]),
    *cases(["train"], "--data", ["", "x", "\x1b[31m", "/etc/passwd"]),
    *cases(TRAIN, "--scaling", ["", "x"]),
    *cases(TRAIN, "--interaction", ["", "x"]),
    *cases(REPRODUCE, "--only", ["", "x", "\x1b[31m"]),
]
COMMANDS = [
    ["diagnos"],
    ["\x1b[31mdiagnose"],
    ["--bogus"],
    ["--version=x"],
    ["diagnose"],
    ["diagnose", "brickwork:n=4,depth=2"],
    ["diagnose", "brickwork:n=4,depth=2", "--readout", "Z0"],
    ["diagnose", "brickwork:n=4,depth=2", "--noise", "none"],
    [*DIAGNOSE, "--bogus"],
    [*DIAGNOSE, "--\x1b[31m"],
    [*DIAGNOSE, "another"],
    [*DIAGNOSE, "\x1b[31manother"],
    [*DIAGNOSE, "--seed"],
    [*DIAGNOSE, "--projected=yes"],
    ["rank", "--qubits", "4"],
    ["rank", "--qubits", "4", "--readout", "Z1"],
    ["train"],
    ["sweep"],
    ["report"],
    ["reproduce"],
    ["symmetries"],
    ["devices", "torino"],
]
TWICE = [
    [*DIAGNOSE, "--seed", "1", "--seed", "2"],
    [*DIAGNOSE, "--charge", "1", "--charge", "2"],
    [*DIAGNOSE, "--scale", "1", "--scale=2"],
    [*DIAGNOSE, "--advice", "--advice"],
    [*DIAGNOSE, "--projected", "--projected"],
    [*DIAGNOSE, "--json", "a.json", "--json", "b.json"],
    [*RANK_FOUR, "--qubits", "6"],
    [*TRAIN, "--data", "digits"],
    ["report", "a.duckdb", "-o", "a.html", "--out", "b.html"],
]


@pytest.mark.parametrize("arguments", WHOLE_NUMBERS, ids=name_of)
def test_a_whole_number_out_of_range_is_refused(arguments):
    refused(arguments)


@pytest.mark.parametrize("arguments", REAL_NUMBERS, ids=name_of)
def test_a_real_number_out_of_range_is_refused(arguments):
    refused(arguments)


@pytest.mark.parametrize("arguments", NAMES, ids=name_of)
def test_an_unknown_name_is_refused(arguments):
    refused(arguments)


@pytest.mark.parametrize("arguments", COMMANDS, ids=name_of)
def test_a_malformed_command_is_refused_and_points_at_the_help(arguments):
    assert "--" in refused(arguments)


@pytest.mark.parametrize("arguments", TWICE, ids=name_of)
def test_an_option_of_one_value_given_twice_is_refused(arguments):
    assert "is given twice" in refused(arguments)


def test_limits_say_the_limit_and_why():
    said = refused([*DIAGNOSE, "--samples", "1000000000"])
    assert "at most 1,000,000" in said
    assert "memory" in said
    assert "Adam" in refused([*TRAIN, "--learning-rate", "1e300"])
