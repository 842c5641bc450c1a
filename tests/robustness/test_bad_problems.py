"""Readouts, inputs, layouts, symmetries and noise that mean nothing on the circuit: each is refused in one line."""

from __future__ import annotations

import pytest

from refusals import cases, name_of, refused

SOURCE = "brickwork:n=4,depth=2"
BARE = ["diagnose", SOURCE, "--samples", "2"]
QUIET = [*BARE, "--noise", "none"]
STATED = [*QUIET, "--readout", "Z0"]
LONG = "9" * 5000

READOUTS = [
    "",
    " ",
    "Z",
    "Z4",
    "Z-1",
    "Q0",
    "z0",
    "0",
    "Z0+",
    "+",
    "Z0++Z1",
    "Z0Z0",
    "Z0 Z1x",
    "1*",
    "nan*Z0",
    "inf*Z0",
    "1e999*Z0",
    "0*Z0",
    "Z0-Z0",
    "1e-320*Z0",
    "X0",
    "Y1",
    "X0X1",
    "X0Y1",
    f"Z{LONG}",
    "Z99999999999999999999",
    f"{LONG}*Z0",
    "I0",
    "Z0I1",
    "Z²",
    "Z٣",
    "\x1b[31mZ0",
    "[/]",
    "Z0;rm",
    "(Z0)",
    "Z0*Z1*",
    "i*Z0",
    "1j*Z0",
    "1e308*Z0+1e308*Z0",
    "1e308*Z0+1e308*Z1",
    "1e200*Z0",
    "X0X1+Y0Y1Z",
    "Z0\u202e",
]
INITIAL = [
    "",
    "x",
    "neels",
    "Neel",
    "neel ",
    "01",
    "01010",
    "0120",
    "2222",
    "-1",
    "0b01",
    "\x1b[31m",
    "[/]",
    "0" * 5000,
    "0\uff110\uff11",
    "01 01",
    "0.5",
    "[1,0]",
]
SYMMETRIES = [
    "",
    "x",
    "charge2",
    "charges",
    "charges:",
    "charges:0-1",
    "charges:0-9|4",
    "charges:0-1000000000|2",
    "charges:0-99999999999999999999|1",
    f"charges:{LONG}|1",
    "charges:0-1|1-2",
    "charges:3-1|0",
    "charges:0:3",
    "charges:-1-2|3",
    "charges:||",
    "parity:X",
    "parity:Q",
    "permutation",
    "permutation:0-1000000000",
    "permutation:0-1|5",
    "permutation:|",
    "su2",
    "translation",
    "reflection",
    "(0 1)",
    "(0 9)",
    "(0 0)",
    "(0",
    "()",
    "(0 1)(1 2)",
    "(a b)",
    f"(0 {LONG})",
    "X0",
    "X9",
    "X0X0",
    "Q0Z1",
    f"X{LONG}",
    "charge*",
    "*",
    "charge*x",
    "Z0*",
    "\x1b[31m",
    "[/]",
    "charges:0-1|2-3*x",
    "translation*su2*reflection",
    "X0*Z0",
]
LAYOUTS = ["", "x", "0,1,2,-1", "0,1,2,1.5", "0,,1,2", "0;1;2;3", f"{LONG},1,2,3", "0,1,2", "0,1,2,2", "0,1,2,9999"]
NOISE = [
    "",
    "x",
    "dephasing",
    "dephasing:",
    "dephasing:x",
    "dephasing:-1",
    "dephasing:nan",
    "dephasing:inf",
    "dephasing:0.1:0.2",
    "dephasing:0.1,0.2",
    "dephasing:0.1+",
    "+",
    "dephasing:0.1++dephasing:0.1",
    "none:1",
    "static:x",
    "static:-1",
    "collective:x",
    "collective:-1",
    "relaxation",
    "relaxation:",
    "relaxation:x",
    "relaxation:down",
    "relaxation:down=",
    "relaxation:down=x",
    "relaxation:down=0.1,down=0.2",
    "relaxation:down=-1",
    "relaxation:sideways=1",
    "relaxation:down=0.1,up=nan",
    "relaxation:down==1",
    "depolarizing:x",
    "depolarizing:2x",
    "depolarizing:-1",
    "ibm:",
    "ibm:nope",
    "ibm:../x",
    "ibm:\x1b[31m",
    "\x1b[31m",
    "[/]",
    "DEPHASING:0.1",
    "nope.toml",
    "nope.json",
    ".toml",
    "a" * 300 + ".toml",
    "/etc/passwd",
]


@pytest.mark.parametrize("arguments", cases(QUIET, "--readout", READOUTS), ids=name_of)
def test_a_readout_that_cannot_be_measured_is_refused(arguments):
    refused(arguments)


@pytest.mark.parametrize("arguments", cases(STATED, "--initial", INITIAL), ids=name_of)
def test_an_initial_state_that_does_not_fit_is_refused(arguments):
    refused(arguments)


@pytest.mark.parametrize("arguments", cases(STATED, "--symmetry", SYMMETRIES), ids=name_of)
def test_a_symmetry_that_is_none_or_does_not_hold_is_refused(arguments):
    refused(arguments)


@pytest.mark.parametrize(
    "arguments", cases([*BARE, "--readout", "Z0", "--noise", "ibm:torino"], "--layout", LAYOUTS), ids=name_of
)
def test_a_layout_off_the_device_is_refused(arguments):
    refused(arguments)


@pytest.mark.parametrize("arguments", cases([*BARE, "--readout", "Z0"], "--noise", NOISE), ids=name_of)
def test_noise_that_says_nothing_is_refused(arguments):
    refused(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        [*STATED, "--layout", "0,1,2,3"],
        [*STATED, "--projected", "--symmetry", "parity"],
        [*STATED, "--charge", "1"],
        [*BARE, "--readout", "Z0", "--noise", "ibm:torino", "--noise", "ibm:torino"],
        ["symmetries", SOURCE, "--readout", "Q0"],
        ["symmetries", SOURCE, "--initial", "01"],
        ["symmetries", SOURCE, "--noise", "x"],
        ["symmetries", SOURCE, "--layout", "x"],
        ["engines", SOURCE, "--readout", "Z9", "--noise", "none"],
        ["advise", SOURCE, "--readout", "X0", "--noise", "none"],
    ],
    ids=name_of,
)
def test_statements_that_contradict_each_other_are_refused(arguments):
    refused(arguments)
