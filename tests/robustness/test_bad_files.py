"""Circuit files, study files and places to write: damaged, hostile or absent, each is refused in one line."""

from __future__ import annotations

import contextlib
import io
import os
import random
from pathlib import Path

import pytest
from qiskit import qpy

import equinoise as eq
from refusals import cases, name_of, refused

QASM2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
QASM3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
DOUBLING = "gate g0 a { x a; }\n" + "".join(f"gate g{i} a {{ g{i - 1} a; g{i - 1} a; }}\n" for i in range(1, 40))
TAIL = ["--readout", "Z0", "--noise", "dephasing:0.1", "--samples", "2"]

QASM = {
    "empty": "",
    "version-9": "OPENQASM 9.9;\nqubit[2] q;",
    "version-2.5": "OPENQASM 2.5;\nqreg q[2];",
    "version-x": "OPENQASM x;",
    "no-header": "qreg q[2];",
    "binary": "\udcff\udcfe\x00\x01",
    "register-2": QASM2 + "qreg q[1000000000];\nrz(0.1) q[0];",
    "register-3": QASM3 + "qubit[1000000000] q;\nrz(0.1) q[0];",
    "register-underscores": QASM3 + "qubit[1_000_000_000] q;",
    "register-hexadecimal": QASM3 + "qubit[0x3B9ACA00] q;",
    "register-product": QASM3 + "qubit[100000*10000] q;",
    "register-constant": QASM3 + "const int n = 1000000000; qubit[n] q;",
    "register-5000-digits": QASM2 + "qreg q[" + "9" * 5000 + "];",
    "register-comment": QASM2 + "qreg q // a comment\n[1000000000];",
    "register-after-quotes": 'OPENQASM 2.0;\ninclude "//"; qreg q[1000000000];',
    "registers-many": QASM2 + "".join(f"qreg q{i}[9999];\n" for i in range(300)),
    "bits": QASM2 + "qreg q[2];creg c[1000000000];",
    "physical-qubit": QASM3 + "x $1000000000;",
    "doubling-2": QASM2 + DOUBLING + "qreg q[1]; g39 q[0];",
    "doubling-3": QASM3 + DOUBLING + "qubit[1] q; g39 q[0];",
    "broadcast": QASM2 + "qreg q[9999];\n" + "h q;\n" * 2000,
    "controls": QASM3 + "qubit[9000] q; ctrl(1000000000) @ x q;",
    "controls-many": QASM3 + "qubit[9000] q; " + "ctrl @ " * 1000 + "x q;",
    "nested-2": QASM2 + "qreg q[1]; rz(" + "(" * 100000 + "1" + ")" * 100000 + ") q[0];",
    "nested-3": QASM3 + "qubit[1] q; rz(" + "(" * 3000 + "1" + ")" * 3000 + ") q[0];",
    "nested-if": QASM3 + "qubit[1] q; " + "if (true) {" * 500 + "}" * 500,
    "include-absolute": 'OPENQASM 2.0;\ninclude "/etc/passwd";\nqreg q[2];',
    "include-absolute-3": 'OPENQASM 3.0;\ninclude "/etc/passwd";\nqubit[2] q;',
    "include-above": 'OPENQASM 2.0;\ninclude "../../etc/passwd";\nqreg q[2];',
    "include-link": 'OPENQASM 2.0;\ninclude "link.inc";\nqreg q[2];',
    "include-comment": 'OPENQASM 2.0;\ninclude // x\n "/etc/passwd";',
    "include-missing": 'OPENQASM 2.0;\ninclude "missing.inc";',
    "include-folder": 'OPENQASM 2.0;\ninclude ".";',
    "include-long": 'OPENQASM 2.0;\ninclude "' + "a" * 300 + '";',
    "include-itself": 'OPENQASM 2.0;\ninclude "include-itself.qasm";',
    "syntax-2": QASM2 + "qreg q[2]; rz( q[0];",
    "syntax-3": QASM3 + "qubit[2] q; rz( q[0];",
    "unknown-gate": QASM2 + "qreg q[2]; foo q[0];",
    "off-register": QASM2 + "qreg q[2]; x q[5];",
    "off-register-panic": QASM2 + "qreg q[2]; x q[99999999999999999999];",
    "no-qubits": QASM2,
    "no-gates": QASM2 + "qreg q[2];",
    "no-parameters": QASM2 + "qreg q[2]; rz(0.1) q[0];",
    "reset": QASM2 + "qreg q[2]; rz(0.1) q[0]; reset q[0]; rz(0.1) q[0];",
    "measured-early": QASM2 + "qreg q[2];creg c[2]; rz(0.1) q[0]; measure q[0]->c[0]; rz(0.1) q[0];",
    "conditional": QASM2 + "qreg q[2];creg c[2]; if(c==1) x q[0];",
    "breaking": QASM3 + "input float a; qubit[2] q; rx(a) q[0];",
    "quadratic": QASM3 + "input float a; qubit[2] q; rz(a*a) q[0];",
    "sine": QASM3 + "input float a; qubit[2] q; rz(sin(a)) q[0];",
    "unused": QASM3 + "input float a; input float b; qubit[2] q; rz(a) q[0];",
    "register-twice": QASM2 + "qreg q[2]; qreg q[2];",
    "gate-twice": QASM2 + "gate a x {} gate a x {} qreg q[2];",
    "gate-of-itself": QASM2 + "gate a x { a x; } qreg q[1]; a q[0];",
    "opaque": QASM2 + "opaque a x; qreg q[2]; a q[0]; rz(0.1) q[0];",
    "infinite": QASM2 + "qreg q[2]; rz(1e999) q[0];",
    "division": QASM2 + "qreg q[2]; rz(1/0) q[0];",
    "logarithm": QASM2 + "qreg q[2]; rz(ln(-1)) q[0];",
    "overflow": QASM3 + "input float a; qubit[2] q; rz(1e308*10*a) q[0];",
    "escape-2": QASM2 + "qreg \x1b[31m[2];",
    "escape-3": QASM3 + "qubit[2] \x1b[31mq;",
    "for": QASM3 + "qubit[2] q; for int i in [0:1000000000] { x q[0]; }",
    "while": QASM3 + "qubit[2] q; while (true) { x q[0]; }",
    "array": QASM3 + "array[int[8],1000000000] a; qubit[2] q;",
    "subroutine": QASM3 + "def f(qubit a) { x a; } qubit[2] q; f(q[0]);",
}

BUILDERS = [
    "",
    "nope.qasm",
    "/etc",
    "/dev/zero",
    "/dev/null",
    "a" * 300,
    "a" * 5000,
    "/" + "a/" * 3000,
    "\x1b[31mred",
    "[/]",
    "[bold]x",
    "brickwork:",
    "brickwork:n",
    "brickwork:n=4",
    "brickwork:depth=4",
    "brickwork:n=4,depth=",
    "brickwork:n=4,n=5,depth=2",
    "brickwork:n=4,depth=2,depth=3",
    "brickwork:n=x,depth=2",
    "brickwork:n=-1,depth=2",
    "brickwork:n=1,depth=2",
    "brickwork:n=0,depth=2",
    "brickwork:n=4,depth=0",
    "brickwork:n=1000000000,depth=1",
    "brickwork:n=4,depth=1000000000",
    f"brickwork:n={'9' * 5000},depth=2",
    "brickwork:n=²,depth=2",
    "brickwork:n=4,depth=2,foo=1",
    "brickwork:n=4,depth=2,periodic=maybe",
    "brickwork:n=5,depth=2,periodic=true",
    "brickwork:n=4,depth=2,interaction=x",
    "brickwork:n=4,depth=2,interaction=rzz,interaction=none",
    "brickwork:n=4,depth=2,",
    "brickwork:n=4;depth=2",
    "brickwork:n=4.0,depth=2",
    "wallwork:n=4,depth=2",
    "brickwork:n=4,depth=2,shared=true,shared=false",
    "ladder:n=1,depth=1",
    "ring:n=1000000000,depth=1",
    "all-to-all:n=1000000000,depth=1",
    "all-to-all:n=4,depth=1000000000",
    "permutation:n=9000,depth=1",
    "permutation:n=1000000000,depth=1",
    "exchange:n=2,depth=1",
    "exchange:n=1000000000,depth=1",
    "parity:n=1,depth=1",
    "parity:n=4,depth=1000000000",
    "translation:n=2,depth=1",
    "translation:n=1000000000,depth=1",
    "hubbard:n=2,depth=1",
    "hubbard:sites=1,depth=1",
    "hubbard:sites=1000000000,depth=1",
    "device:",
    "device:nope,depth=2",
    "device:torino",
    "device:torino,depth=0",
    "device:torino,depth=1000000000",
    "device:torino,n=4,depth=2",
    "device:../x,depth=2",
    "device:\x1b[31m,depth=1",
    "Brickwork:n=4,depth=2",
    "permutation:n=4,depth=1,shared=true",
    "http://example.org/y.qasm",
]

OUT_PATHS = ["", "nowhere/x", "/etc", ".", "..", "a" * 300 + ".png", "/" + "a/" * 3000]
COMMANDS = [
    ["diagnose", "brickwork:n=4,depth=2", *TAIL],
    ["advise", "brickwork:n=4,depth=2", "--readout", "Z0", "--noise", "none"],
    ["engines", "brickwork:n=4,depth=2", "--readout", "Z0", "--noise", "none"],
    ["rank", "--qubits", "4", "--readout", "Z0", "--noise", "none"],
    ["devices"],
    ["symmetries", "brickwork:n=4,depth=2"],
    ["train", "--data", "breast-cancer"],
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", QASM)
def test_a_qasm_file_that_is_no_circuit_is_refused(folder, name):
    file = Path(f"{name}.qasm")
    file.write_bytes(QASM[name].encode(errors="surrogateescape"))
    os.symlink("/etc/passwd", folder / "link.inc")
    said = refused(["diagnose", file, *TAIL])
    assert "root" not in said  # of /etc/passwd


def test_a_file_included_from_the_circuits_folder_is_read(folder):
    (folder / "hop.inc").write_text("gate turn(t) a { rz(t) a; }\n")
    (folder / "whole.qasm").write_text(QASM2 + 'include "hop.inc";\nqreg q[2]; turn(0.3) q[0];')
    assert eq.load_circuit(folder / "whole.qasm").count_ops() == {"turn": 1}


def _qpy(circuits):
    buffer = io.BytesIO()
    qpy.dump(circuits, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("version", [None, 13, 14, 15, 16])
def test_the_size_in_a_qpy_header_is_found_in_every_version(folder, version):
    buffer = io.BytesIO()
    qpy.dump(eq.circuits.brickwork(4, 2), buffer, version=version)
    whole = buffer.getvalue()
    (folder / "whole.qpy").write_bytes(whole)
    assert eq.load_circuit(folder / "whole.qpy").num_qubits == 4
    at = whole.index(b"\x00\x00\x00\x04\x00\x00\x00\x00")  # 4 qubits, no bits
    (folder / "large.qpy").write_bytes(whole[:at] + b"\x7f" + whole[at + 1 :])
    assert "2,130,706,436 qubits" in refused(["diagnose", folder / "large.qpy", *TAIL])


def test_flipped_bits_of_a_qpy_file_are_refused_or_make_no_difference_to_reading(folder):
    whole = _qpy(eq.circuits.brickwork(4, 2))
    places = random.Random(3)
    refusals = 0
    for number in range(150):
        data = bytearray(whole)
        data[places.randrange(6, len(whole))] ^= 1 << places.randrange(8)
        file = folder / f"flipped{number}.qpy"
        file.write_bytes(data)
        with contextlib.suppress(eq.EquinoiseError):  # nothing else may come out
            eq.load_circuit(file)
            continue
        refusals += 1
    assert refusals > 75


@pytest.mark.parametrize("data", [b"", b"QISKIT", b"x" * 100, b"QISKIT" + b"\xff" * 100, "cut", "two"], ids=ascii)
def test_what_is_no_qpy_file_of_one_circuit_is_refused(folder, data):
    whole = {"cut": _qpy(eq.circuits.brickwork(4, 2))[:300], "two": _qpy([eq.circuits.brickwork(4, 2)] * 2)}
    file = folder / "x.qpy"
    file.write_bytes(whole.get(data, data))
    refused(["diagnose", file, *TAIL])


@pytest.mark.parametrize("source", BUILDERS, ids=name_of)
def test_a_source_that_is_neither_file_nor_builder_is_refused(folder, source):
    refused(["diagnose", source, *TAIL])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("path", OUT_PATHS, ids=name_of)
def test_json_that_cannot_be_written_is_refused_before_the_work(folder, command, path):
    refused([*command, "--json", path])


@pytest.mark.parametrize(
    "arguments",
    [
        *cases(COMMANDS[0], "--csv", OUT_PATHS),
        *cases(COMMANDS[0], "--html", OUT_PATHS),
        *cases(COMMANDS[0], "--plot", [*OUT_PATHS, "x", "x.txt", "x.PNGG", "x.png.gz", "png", "nowhere/x.png"]),
        *cases(["report", "nope.duckdb"], "--out", OUT_PATHS),
        ["report", "nope.duckdb", "--out", "x.html"],
        ["report", "/etc", "--out", "x.html"],
        ["report", "a" * 300, "--out", "x.html"],
        *cases(["reproduce", "--only", "certificate"], "--out", ["/etc/passwd", "/proc/x", "a" * 300, "/dev/null"]),
    ],
    ids=name_of,
)
def test_a_place_that_cannot_be_written_is_refused(folder, arguments):
    refused(arguments)


def test_a_file_too_large_to_be_a_circuit_is_refused_unread(folder):
    with (folder / "large.qasm").open("wb") as file:
        file.truncate(60_000_000)
    assert "60 MB" in refused(["diagnose", "large.qasm", *TAIL])
