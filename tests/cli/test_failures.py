"""What the command says of failures that are nobody's mistake in typing, and what it never lets through."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.table import Table
from typer.testing import CliRunner

from equinoise.cli.main import app
from equinoise.cli.terminal import Terminal, printable

ESCAPE = "\x1b[31m"


class Panic(BaseException):
    """As Qiskit's Rust code raises: no Exception."""


@pytest.mark.parametrize("error", [ValueError(f"a fault {ESCAPE}"), Panic("called unwrap on a None"), RecursionError()])
def test_a_fault_of_ours_is_one_line_that_names_a_file_with_the_traceback(monkeypatch, tmp_path, error):
    def faulty():
        raise error

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("equinoise.device.snapshots.available", faulty)
    result = CliRunner().invoke(app, ["devices"])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: internal error")
    assert line.isprintable()
    path = Path(line.rpartition(" ")[2])
    assert path.parent == tmp_path
    text = path.read_text()
    assert "in faulty" in text
    assert "\x1b" not in text


def test_two_faults_leave_two_files_even_where_one_name_is_planted(monkeypatch, tmp_path):
    def faulty():
        raise ValueError

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("equinoise.device.snapshots.available", faulty)
    for _ in range(2):
        CliRunner().invoke(app, ["devices"])
    assert len(list(tmp_path.glob("equinoise-traceback-*.txt"))) == 2


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (MemoryError(), 2), (OSError(28, "No space left on device"), 2)]
)
def test_what_the_system_or_the_user_ends_leaves_no_traceback_file(monkeypatch, tmp_path, error, code):
    def ended():
        raise error

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("equinoise.device.snapshots.available", ended)
    result = CliRunner().invoke(app, ["devices"])
    assert result.exit_code == code
    assert "internal" not in result.stderr
    assert not list(tmp_path.iterdir())


def test_control_characters_in_names_are_written_out():
    assert printable(f"a{ESCAPE}b\x07\u202e\udcff\n") == "a\\x1b[31mb\\x07\\u202e\\udcff\n"
    assert printable("κ = 1 ± 0.1") == "κ = 1 ± 0.1"


def test_a_console_that_colours_prints_no_escape_of_a_name():
    stream = io.StringIO()
    console = Terminal(file=stream, force_terminal=True, color_system="standard", width=80)
    table = Table(f"head{ESCAPE}")
    table.add_row(f"cell{ESCAPE}")
    console.print(table)
    console.print(f"line{ESCAPE}", style="bold")
    text = stream.getvalue()
    assert ESCAPE not in text
    assert text.count("\\x1b") == 3
    assert "\x1b[1m" in text  # its own bold


def test_parameter_and_file_names_with_escapes_are_printed_harmlessly(tmp_path, monkeypatch):
    from qiskit import QuantumCircuit, qpy
    from qiskit.circuit import Parameter

    monkeypatch.chdir(tmp_path)
    circuit = QuantumCircuit(2, name=f"circuit{ESCAPE}")
    circuit.rx(Parameter(f"a{ESCAPE}[/]"), 0)
    circuit.rzz(Parameter("[bold]b"), 0, 1)
    with open(f"file{ESCAPE}.qpy", "wb") as file:
        qpy.dump(circuit, file)
    stated = [f"file{ESCAPE}.qpy", "--readout", "Z0", "--noise", "dephasing:0.1"]
    for more in ([], ["--allow-broken"]):
        result = CliRunner().invoke(app, ["diagnose", *stated, "--samples", "2", *more])
        assert result.exit_code == (0 if more else 2), result.stderr
        assert "\x1b" not in result.output


def test_a_dollar_in_a_name_is_drawn_as_a_dollar(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a$b^$_{.toml").write_text("dephasing = 0.1\n")
    stated = ["brickwork:n=4,depth=2", "--readout", "Z0", "--noise", "a$b^$_{.toml", "--samples", "2"]
    result = CliRunner().invoke(app, ["diagnose", *stated, "--plot", "$x_{$.png"])
    assert result.exit_code == 0, result.stderr
    assert Path("$x_{$.png").read_bytes().startswith(b"\x89PNG")
