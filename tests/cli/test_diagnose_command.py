"""`equinoise diagnose`: what it prints, what it writes, and what it says when something does not fit."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from qiskit import QuantumCircuit, qasm2, qpy
from qiskit.circuit import Parameter
from qiskit.circuit.library import XXPlusYYGate
from typer.testing import CliRunner

import equinoise as eq
from equinoise.cli.main import app
from refusals import overridden

# interacting, with layers that do not repeat (no search for the greatest depth) and a charge-conserving custom gate
HOPPING = """OPENQASM 3.0;
include "stdgates.inc";
input float[64] a;
input angle[32] b;
gate hop(t) p, q {
  h p; h q; cx p, q; rz(t) q; cx p, q; h p; h q;
  sdg p; sdg q; h p; h q; cx p, q; rz(t) q; cx p, q; h p; h q; s p; s q;
}
qubit[3] q;
x q[0];
hop(a) q[0], q[1];
hop(2*b) q[1], q[2];
rz(b) q[1];
hop(a) q[0], q[1];
rz(a) q[0];
"""
QUICK = ("--readout", "Z1", "--samples", "4")
NOISE = ("--noise", "dephasing:0.1")

REQUIRED = {
    "equivariance": {"charge", "sector", "sector_dimension", "noise_class", "breaking"},
    "light_cone": {"qubits", "width", "dimension", "full_dimension"},
    "noiseless": {"rms_gradient", "per_parameter"},
    "law": {
        "kappa",
        "kappa_interval",
        "fixed_point_share",
        "fixed_point_class",
        "second_moment",
        "rate_variance",
        "survival",
        "lower_bound",
        "upper_bound",
        "bound_status",
        "budget",
    },
    "simulated": {"kind", "survival", "interval", "rms_gradient"},
    "resources": {"shots_per_gradient", "greatest_scale", "greatest_depth"},
}


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["diagnose", *overridden(arguments)], prog_name="equinoise")


def message(*arguments: object) -> str:
    """What a failing command says: one line on stderr, nothing on stdout, exit code 2."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    return lines[0]


def numbers(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json", "-")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def command(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """In a process of its own, both streams pipes."""
    path = os.pathsep.join(filter(None, [str(Path(eq.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, "-m", "equinoise", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONPATH": path} | options.pop("env", {}),
        check=False,
        **options,
    )


@pytest.fixture
def hopping(tmp_path: Path) -> Path:
    file = tmp_path / "hopping.qasm"
    file.write_text(HOPPING)
    return file


def edited(file: Path, old: str, new: str) -> Path:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return file


# -- what comes out ------------------------------------------------------------------------------------------------


def test_json_alone_on_stdout_and_nothing_on_stderr_in_a_pipe() -> None:
    done = command("diagnose", "brickwork:n=4,depth=3", *QUICK, "--noise", "relaxation:down=0.3", "--json", "-")
    assert done.returncode == 0
    assert done.stderr == ""
    data = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert data["schema"] == "equinoise.diagnosis/3"


def test_json_holds_every_key_that_is_promised(hopping: Path) -> None:
    data = numbers(hopping, "--readout", "Z1", "--samples", 32, *NOISE)
    for section, keys in REQUIRED.items():
        assert keys <= set(data[section]), section
    assert {"schema", "verdict", "engine", "samples", "seed", "warnings"} <= set(data)
    assert {"layer", "qubits", "mechanism", "kappa"} <= set(data["law"]["budget"][0])
    spectrum = data["law"]["spectrum"]
    assert {"rates", "weights", "residual", "bounds", "bound_status", "widening", "known"} <= set(spectrum)
    assert [bound["scale"] for bound in spectrum["bounds"]] == [1.0, 16.0]
    assert all(0 <= bound["lower_bound"] <= bound["upper_bound"] <= 1 for bound in spectrum["bounds"])
    assert sum(spectrum["weights"]) == pytest.approx(1, abs=1e-5)


def test_few_draws_are_warned_of_and_have_no_bounds(hopping: Path) -> None:
    data = numbers(hopping, *QUICK, *NOISE)
    assert any(warning.startswith("only 4 draws: below 32") for warning in data["warnings"])
    law = data["law"]
    assert (law["lower_bound"], law["upper_bound"], law["bound_ends"], law["spectrum"]) == (None, None, None, None)
    shown = command("diagnose", hopping, *QUICK, *NOISE, "--full").stdout
    assert "only 4 draws: below 32" in " ".join(shown.split())
    assert "none from fewer than 32 draws" in shown


def test_json_is_what_the_python_twin_says(hopping: Path) -> None:
    options = ("--seed", 5, "--scale", 0.5, "--shots", 500, "--ensemble", "normal:0.4", "--advice")
    data = numbers(hopping, *QUICK, *NOISE, *options)
    problem = eq.Problem(eq.load_circuit(hopping), "Z1", noise="dephasing:0.1")
    sampling = eq.Sampling(samples=4, seed=5, ensemble="normal:0.4")
    twin = eq.diagnose(problem, 0.5, shots=500, sampling=sampling)
    twin = twin.with_advice(eq.advise(problem, 0.5, sampling=replace(sampling, samples=None)))
    assert data == json.loads(json.dumps(twin.to_dict()))


def test_advice_is_simulated_on_request_only_and_kappas_budget_stands_without(hopping: Path) -> None:
    data = numbers(hopping, *QUICK, *NOISE, "--samples", 32)
    assert data["suggestions"] is None
    assert data["advice"][0].startswith("without dephasing (100 % of kappa) the gradient is ")
    advised = numbers(hopping, *QUICK, *NOISE, "--samples", 32, "--advice")
    assert advised["suggestions"]["suggestions"]
    assert advised["advice"][-len(data["advice"]) :] == data["advice"]
    assert advised["verdict_reason"] == data["verdict_reason"]


def test_a_single_draw_and_a_vanishing_gradient_still_give_valid_json(tmp_path: Path) -> None:
    circuit = QuantumCircuit(2)
    circuit.rzz(Parameter("t"), 0, 1)
    with (tmp_path / "diagonal.qpy").open("wb") as file:
        qpy.dump(circuit, file)
    # json.loads accepts NaN, so that it must be looked for
    strict: dict[str, Any] = {"parse_constant": lambda name: pytest.fail(f"{name} in JSON")}
    for arguments in (("--samples", 1), ("--samples", 2, "--scale", "inf")):
        result = run(tmp_path / "diagonal.qpy", "--readout", "Z1", *NOISE, *arguments, "--json", "-")
        assert result.exit_code == 0, result.output
        data = json.loads(result.stdout, **strict)
        assert data["law"]["kappa"] == 0
        assert data["law"]["spectrum"] is None


def test_seed_alone_decides_the_numbers_whatever_the_number_of_workers(hopping: Path) -> None:
    one, two, other = (
        numbers(hopping, *QUICK, *NOISE, "--workers", workers, "--seed", seed)
        for workers, seed in ((1, 3), (2, 3), (1, 4))
    )
    assert one["engine_reason"] != two["engine_reason"]  # it says how many draws ran at once
    one.pop("engine_reason")
    two.pop("engine_reason")
    assert one == two
    assert one["law"]["kappa"] != other["law"]["kappa"]


def test_csv_budget_sums_to_kappa(hopping: Path, tmp_path: Path) -> None:
    target = tmp_path / "budget.csv"
    both = ("--noise", "dephasing:0.1", "--noise", "relaxation:down=0.02,up=0.01")
    data = numbers(hopping, *QUICK, *both, "--csv", target)
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["mechanism"] for row in rows} == {"dephasing", "relaxation"}
    assert list(rows[0])[:4] == ["layer", "qubits", "mechanism", "kappa"]
    total = sum(float(row["kappa"]) for row in rows)
    # exact but for the order of the sum
    assert total == pytest.approx(data["law"]["kappa"], rel=1e-9)
    assert data["law"]["kappa"] > 0.01


def test_report_answers_in_order_and_files_are_whole(hopping: Path, tmp_path: Path) -> None:
    targets = [tmp_path / name for name in ("all.json", "budget.csv", "figure.png")]
    result = run(hopping, *QUICK, *NOISE, "--json", targets[0], "--csv", targets[1], "--plot", targets[2], "--full")
    assert result.exit_code == 0, result.output
    questions = [
        "Is it equivariant?",
        "Where does the gradient live?",
        "How large is it without noise?",
        "How fast does it die?",
        "What is left at s = 1?",
        "How sure is this?",
        "What would help most",
    ]
    places = [result.stdout.index(question) for question in questions]
    assert places == sorted(places)
    assert json.loads(targets[0].read_text())["verdict"] in result.stdout
    assert targets[2].read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.iterdir()} == {*(path.name for path in targets), hopping.name}


@pytest.mark.parametrize("columns", [80, 60])
def test_the_answer_in_a_pipe_is_one_screen_and_full_adds_the_report_below(hopping: Path, columns: int) -> None:
    done = command("diagnose", hopping, *QUICK, *NOISE, env={"COLUMNS": str(columns)})
    lines = done.stdout.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= columns
    assert lines[0].startswith(numbers(hopping, *QUICK, *NOISE)["verdict"].upper())
    assert "\x1b" not in done.stdout
    full = command("diagnose", hopping, *QUICK, *NOISE, "--full", env={"COLUMNS": str(columns)}).stdout.splitlines()
    assert full[: len(lines)] == lines
    assert any("How sure is this?" in line for line in full[len(lines) :])


def test_report_in_a_closed_pipe_ends_silently(hopping: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    arguments = [sys.executable, "-m", "equinoise", "diagnose", str(hopping), *QUICK, *NOISE, "--json", "-"]
    path = os.pathsep.join(filter(None, [str(Path(eq.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        arguments,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
        check=False,
    )
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 141


# -- circuits and noise --------------------------------------------------------------------------------------------


def test_openqasm_3_custom_gate_is_the_hopping_that_it_decomposes(hopping: Path) -> None:
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(3)
    circuit.x(0)
    circuit.append(XXPlusYYGate(2 * a), [0, 1])  # RXX(t) RYY(t) = XX+YY at 2 t
    circuit.append(XXPlusYYGate(4 * b), [1, 2])
    circuit.rz(b, 1)
    circuit.append(XXPlusYYGate(2 * a), [0, 1])
    circuit.rz(a, 0)
    twin = eq.diagnose(eq.Problem(circuit, "Z1", noise="dephasing:0.1"), sampling=eq.Sampling(samples=4))
    data = numbers(hopping, *QUICK, *NOISE)
    assert data["equivariance"]["breaking"] == []
    assert data["equivariance"]["sector"] == 1
    assert data["noiseless"]["rms_gradient"] == pytest.approx(twin.noiseless_rms, rel=1e-9)
    assert data["law"]["kappa"] == pytest.approx(twin.law.kappa, rel=1e-9)


def test_qpy_and_openqasm_2_files_give_what_the_circuit_gives(tmp_path: Path) -> None:
    circuit = eq.circuits.brickwork(4, depth=3)
    with (tmp_path / "circuit.qpy").open("wb") as file:
        qpy.dump(circuit, file)
    bound = circuit.assign_parameters([0.1 * (k + 1) for k in range(circuit.num_parameters)])
    qasm2.dump(bound, tmp_path / "bound.qasm")
    arguments = (*QUICK, "--noise", "relaxation:down=0.3")
    from_qpy = numbers(tmp_path / "circuit.qpy", *arguments)
    from_qasm = numbers(tmp_path / "bound.qasm", *arguments, "--free-angles")
    # the same draws: angles are made free in gate order, which is brickwork's own order
    assert from_qasm["law"]["kappa"] == pytest.approx(from_qpy["law"]["kappa"], rel=1e-9)
    assert from_qasm["law"]["kappa"] > 0.01
    text = message(tmp_path / "bound.qasm", *arguments)
    assert "no parameters" in text
    assert "--free-angles" in text


def test_noise_given_twice_adds_up(hopping: Path) -> None:
    once = numbers(hopping, *QUICK, "--noise", "dephasing:0.1")
    twice = numbers(hopping, *QUICK, "--noise", "dephasing:0.1", "--noise", "dephasing:0.05")
    # kappa is linear in the rates
    assert twice["law"]["kappa"] == pytest.approx(1.5 * once["law"]["kappa"], rel=1e-9)


def test_toml_noise_is_read(hopping: Path, tmp_path: Path) -> None:
    file = tmp_path / "noise.toml"
    file.write_text("dephasing = [{rate = 0.1, weights = {0 = 1.0, 1 = 1.0, 2 = 1.0}}]")
    data = numbers(hopping, *QUICK, "--noise", file)
    assert data["law"]["kappa"] == pytest.approx(0, abs=1e-12)  # collective dephasing leaves a sector alone
    assert data["law"]["fixed_point_class"] == "untouched"


def test_projected_readout_sees_what_relaxation_takes_out_of_the_sector(hopping: Path) -> None:
    relaxing = (hopping, *QUICK, "--noise", "relaxation:down=0.1,up=0.1")
    plain, projected = numbers(*relaxing), numbers(*relaxing, "--projected", "--charge", 1)
    # to first order every jump leaves the sector: one excitation falls, two empty qubits fill, in each of three slots
    assert projected["law"]["kappa"] == pytest.approx(3 * (0.1 + 2 * 0.1), rel=1e-9)
    assert plain["law"]["kappa"] < 0.9 * projected["law"]["kappa"]


def test_device_on_a_layout_along_its_coupling_map(hopping: Path) -> None:
    pytest.importorskip("qiskit_ibm_runtime")
    result = run(hopping, *QUICK, "--noise", "ibm:torino", "--layout", "4,3,2", "--full")
    assert result.exit_code == 0, result.output
    assert "4, 3, 2" in " ".join(result.stdout.split())
    assert "readout errors multiply it by" in " ".join(result.stdout.split())


def test_broken_charge_is_computed_in_the_full_cone_when_allowed(hopping: Path) -> None:
    broken = edited(hopping, "rz(b) q[1]", "rx(b) q[1]")
    data = numbers(broken, *QUICK, *NOISE, "--allow-broken")
    assert data["equivariance"]["breaking"]
    assert data["light_cone"]["dimension"] == data["light_cone"]["full_dimension"] == 4**3
    # a readout that does not conserve the charge, likewise
    data = numbers(broken, "--readout", "X1", "--samples", 2, *NOISE, "--allow-broken")
    assert "readout X1" in data["equivariance"]["breaking"]


# -- what does not fit: the user sees the text ---------------------------------------------------------------------


def test_gate_that_breaks_the_charge_is_named_with_its_position(hopping: Path) -> None:
    text = message(edited(hopping, "rz(b) q[1]", "rx(b) q[1]"), *QUICK, *NOISE)
    assert "gate 'rx' at position 3" in text
    assert "qubits [1]" in text
    assert "--allow-broken" in text


def test_readout_that_does_not_conserve_the_charge_is_refused(hopping: Path) -> None:
    text = message(hopping, "--readout", "X1", *NOISE)
    assert "'X1' does not conserve the charge" in text
    assert "--allow-broken" in text


@pytest.mark.parametrize(
    ("readout", "says"),
    [("Q1", "cannot read the readout 'Q1'"), ("Z9", "qubits 0..2"), ("nan*Z1", "cannot read"), ("1e999*Z1", "finite")],
)
def test_malformed_readout_is_refused(hopping: Path, readout: str, says: str) -> None:
    assert says in message(hopping, "--readout", readout, *NOISE)


def test_input_parameter_in_no_gate_is_named(hopping: Path) -> None:
    text = message(edited(hopping, "input angle[32] b;", "input angle[32] b;\ninput float[64] idle;"), *QUICK, *NOISE)
    assert "'idle' enters no gate" in text


def test_nonlinear_angle_is_refused_with_its_place(hopping: Path) -> None:
    text = message(edited(hopping, "rz(b) q[1]", "rz(b/a) q[1]"), *QUICK, *NOISE)
    assert "'rz' at position 3" in text
    assert "not linear" in text


def test_infinite_angle_is_refused(hopping: Path) -> None:
    assert "finite" in message(edited(hopping, "rz(b) q[1]", "rz(b) q[1]; rz(1e999) q[1]"), *QUICK, *NOISE)


def test_missing_or_malformed_circuit_files_are_told(hopping: Path, tmp_path: Path) -> None:
    assert "no such circuit file" in message(tmp_path / "nothing.qasm", *QUICK, *NOISE)
    assert "no such circuit file" in message(tmp_path, *QUICK, *NOISE)
    (tmp_path / "cut.qpy").write_bytes(b"QISKIT\x0f")
    assert "not a readable QPY file" in message(tmp_path / "cut.qpy", *QUICK, *NOISE)
    (tmp_path / "bytes.qasm").write_bytes(b"\xff\xfe\x00OPENQASM")
    assert "cannot read" in message(tmp_path / "bytes.qasm", *QUICK, *NOISE)
    (tmp_path / "headless.qasm").write_text("qubit[2] q;")
    assert "header" in message(tmp_path / "headless.qasm", *QUICK, *NOISE)
    text = message(edited(hopping, "rz(b) q[1];", "rz(b) b q[1];"), *QUICK, *NOISE)
    assert "not valid OpenQASM 3: syntax error at line 13" in text
    (tmp_path / "two.qasm").write_text("OPENQASM 2.0;\nqreg q[2];\nnogate q[0];\n")
    assert "not valid OpenQASM 2" in message(tmp_path / "two.qasm", *QUICK, *NOISE)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("brickwork:n=4", "must say n and depth"),
        ("brickwork:n=4,depth=x", "depth must be a whole number"),
        ("brickwork:n=4,depth=2,colour=red", "cannot read 'colour=red'"),
        ("brickwork:n=5,depth=2,periodic=true", "even number"),
    ],
)
def test_builder_that_cannot_be_read_is_told(source: str, says: str) -> None:
    assert says in message(source, *QUICK, *NOISE)


@pytest.mark.parametrize(
    ("noise", "says"),
    [
        ("dephasing:-0.1", "must not be negative, got -0.1"),
        ("dephasing:nan", "must be finite"),
        ("relaxation:down=inf", "must be finite"),
        ("damping:0.1", "cannot read the noise specification 'damping:0.1'"),
        ("nothing.toml", "cannot read the noise file"),
    ],
)
def test_noise_that_does_not_fit_is_refused(hopping: Path, noise: str, says: str) -> None:
    assert says in message(hopping, *QUICK, "--noise", noise)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("dephasing = [{rate = nan, weights = {0 = 1.0}}]", "dephasing[0]: dephasing rate must be finite, got nan"),
        ("dephasing = [{rate = 0.1, weights = {0 = nan}}]", "weight of qubit '0' must be finite"),
        ("relaxation = [{qubit = 7, down = 0.1}]", "qubit 7"),
        ("relaxation = [{qubit = 0, down = -1}]", "must not be negative"),
        ("dephasing = [{rate = 0.1, layers = [99]}]", "layer 99"),
        ("dephasing = 0.1\ndamping = 0.1", "unknown key 'damping'"),
        ("dephasing = [{rate 0.1}]", "not valid TOML"),
    ],
)
def test_noise_file_that_does_not_fit_is_refused(hopping: Path, tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "noise.toml"
    file.write_text(content)
    assert says in message(hopping, *QUICK, "--noise", file)


def test_unknown_device_suggests_names(hopping: Path) -> None:
    pytest.importorskip("qiskit_ibm_runtime")
    text = message(hopping, *QUICK, "--noise", "ibm:torinno")
    assert "'torinno'" in text
    assert "Did you mean torino" in text


def test_layout_off_the_coupling_map_is_refused_with_the_pair(hopping: Path) -> None:
    pytest.importorskip("qiskit_ibm_runtime")
    device = ("--noise", "ibm:torino")
    text = message(hopping, *QUICK, *device, "--layout", "0,1,7")
    assert "(1, 7)" in text
    assert "not coupled" in text
    assert "is not a physical qubit" in message(hopping, *QUICK, *device, "--layout", "0,1,999")
    assert "0,1,2" in message(hopping, *QUICK, *device, "--layout", "0;1;2")
    assert "lists 2 physical qubits" in message(hopping, *QUICK, *device, "--layout", "0,1")
    assert "--noise ibm:NAME" in message(hopping, *QUICK, *NOISE, "--layout", "0,1,2")


@pytest.mark.parametrize("charge", [-1, 4])
def test_charge_outside_the_register_is_refused(hopping: Path, charge: int) -> None:
    assert f"charge must lie in 0..3, got {charge}" in message(hopping, *QUICK, *NOISE, "--charge", charge)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--samples", 0), "'--samples': it must be a whole number >= 1, got 0"),
        (("--shots", 0), "shots must be at least 1"),
        (("--seed", -1), "--seed"),
        (("--scale", "nan"), "noise scale"),
        (("--scale", -1), "noise scale"),
        (("--ensemble", "normal:nan"), "cannot read the ensemble"),
        (("--engine", "magic"), "no engine 'magic'"),
        (("--initial", "0101"), "error"),
    ],
)
def test_options_out_of_range_are_refused(hopping: Path, arguments: tuple[object, ...], says: str) -> None:
    assert says in message(hopping, *QUICK, *NOISE, *arguments)


def test_cone_too_large_for_memory_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EQUINOISE_MEMORY_GB", "0.001")
    text = message("brickwork:n=12,depth=8", "--readout", "Z5", "--engine", "exact", *NOISE)
    assert "12 qubits" in text
    assert "GB" in text
    assert "fewer layers" in text
    assert "EQUINOISE_MEMORY_GB" in text


def test_targets_are_checked_before_the_work_starts(
    hopping: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eq, "diagnose", lambda *_, **__: pytest.fail("the work was started"))
    for option, name in (("--json", "a.json"), ("--csv", "a.csv"), ("--plot", "a.png")):
        text = message(hopping, *QUICK, *NOISE, option, tmp_path / "missing" / name)
        assert text.startswith(f"error: {option}: the folder")
        assert "does not exist" in text
    assert "is a folder" in message(hopping, *QUICK, *NOISE, "--json", tmp_path)
    assert ".pdf, .png, .svg" in message(hopping, *QUICK, *NOISE, "--plot", tmp_path / "a.bmp")


def test_failed_command_leaves_an_older_file_as_it_was(hopping: Path, tmp_path: Path) -> None:
    target = tmp_path / "old.json"
    target.write_text("{}")
    message(hopping, *QUICK, "--noise", "dephasing:-1", "--json", target)
    assert target.read_text() == "{}"
    assert {path.name for path in tmp_path.iterdir()} == {target.name, hopping.name}  # nothing half-written


def test_missing_option_is_told_with_exit_code_2() -> None:
    result = run("brickwork:n=4,depth=2", "--readout", "Z1")
    assert result.exit_code == 2
    assert "--noise" in result.stderr


def test_version_and_help_name_every_option() -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["--version"]).stdout == f"equinoise {eq.__version__}\n"
    text = runner.invoke(app, ["diagnose", "--help"], env={"COLUMNS": "200"}).stdout
    problem = ("readout", "noise", "initial", "charge", "projected", "layout", "free-angles", "allow-broken")
    simulation = ("scale", "samples", "seed", "shots", "ensemble", "engine", "workers")
    for option in (*problem, *simulation, "json", "csv", "plot"):
        assert f"--{option}" in text
    for default in ("10000", "(128; advise 32)", "uniform", "auto"):
        assert f"[default: {default}]" in text


def test_the_help_fits_two_screens_of_thirty_lines() -> None:
    text = CliRunner().invoke(app, ["diagnose", "--help"], env={"COLUMNS": "80"}).stdout
    assert max(len(line) for line in text.splitlines()) <= 80
    assert len(text.splitlines()) <= 60
