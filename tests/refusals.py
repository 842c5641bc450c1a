"""What every bad input must end in: exit status 2 and a line that says what to do; used by the tests in robustness/."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from typer.testing import CliRunner

from equinoise.cli.main import app

_LONGEST = 1300


def refused(arguments: Sequence[object], *, lines: int = 1) -> str:
    """What is said on stderr; fails if it is not a refusal: nothing on stdout, no traceback, no control character."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], prog_name="equinoise")
    said = result.stderr
    assert result.exit_code == 2, said or result.stdout
    assert result.stdout == ""
    assert said.startswith("error: "), said
    assert "internal error" not in said, said
    assert "Traceback" not in said
    assert said.removesuffix("\n").replace("\n", "").isprintable(), ascii(said)
    assert 1 <= len(said.splitlines()) <= lines, said
    assert len(said) <= _LONGEST * lines
    return said


def cases(base: Sequence[object], option: str, values: Sequence[object]) -> list[list[Any]]:
    """The base command with each value of one option in turn."""
    return [[*base, option, value] for value in values]


def overridden(arguments: Sequence[object], several: Sequence[str] = ("--noise",)) -> list[str]:
    """The arguments with the last value of each option: the command itself refuses an option given twice."""
    out: list[str] = []
    for argument in map(str, arguments):
        if argument.startswith("--") and argument not in several and argument in out:
            at = out.index(argument)
            del out[at : at + 2]
        out.append(argument)
    return out


def name_of(arguments: Any) -> str:
    """A test's name: the command without what all have, long values cut, nothing that a terminal obeys."""
    text = " ".join(str(a) for a in arguments) if isinstance(arguments, list) else str(arguments)
    return ascii(text if len(text) <= 150 else f"{text[:110]}...{len(text)}").strip("'")


assert sys.get_int_max_str_digits() == 4300  # the integers of 5,000 digits below are those that int() refuses
