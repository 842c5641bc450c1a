"""The first screen: 24 lines at 80 and at 60 columns that hold all of the answer, whatever the verdict."""

from __future__ import annotations

import functools
import io
import json

import pytest
from rich.console import Console

import equinoise as eq
from equinoise.device.snapshots import snapshot
from equinoise.diagnosis.record import read_record
from equinoise.diagnosis.screen import LINES, first_screen
from equinoise.report.terminal.diagnosis_table import print_first_screen

TURNED = {"coherent": [{"qubits": [q], "matrix": [[1, 0], [0, -1]], "angle": 0.5 * q} for q in range(4)]}
SUM = "Z0+Z1+Z2+Z3"
# readout, noise, qubits, layers, shots, draws; and the verdict
CASES = {
    "trainable": ("Z2", "relaxation:0.01+dephasing:0.004", 6, 4, 10_000, 32, "trainable"),
    "shot-limited": ("Z1", "none", 4, 6, 2, 32, "shot-limited"),
    "noise-limited": ("X1X2+Y1Y2", "dephasing:2.0", 4, 3, 10_000, 32, "noise-limited"),
    "classical": ("Z1", "dephasing:1.0", 4, 3, 10_000, 48, "classical"),
    "misdirected": ("Z1", TURNED, 4, 4, 10_000, 32, "misdirected"),
    "no gradient": (SUM, "relaxation:0.1", 4, 3, 10_000, 32, "shot-limited"),
    "one draw": ("Z2", "dephasing:0.02", 6, 4, 10_000, 1, "undecided"),
    "undecided": ("Z1", "relaxation:0.2", 4, 3, 18, 32, "undecided"),
    "device": ("Z3", "ibm:torino", 8, 4, 10_000, 32, "trainable"),
    "collective": ("Z1", "collective:50", 4, 3, 10_000, 32, "trainable"),
    "trajectories": ("Z2", "dephasing:0.05", 6, 4, 10_000, 64, "undecided"),
}
FIELDS = ("gradient", "noise", "headroom", "cone", "lost to", "helps", "sure", "bounds", "next")


@functools.cache
def record(case):
    readout, noise, n, depth, shots, draws, _ = CASES[case]
    if case == "device":
        pytest.importorskip("qiskit_ibm_runtime")
    problem = eq.Problem(eq.circuits.brickwork(n, depth=depth), readout, initial="neel", noise=noise)
    engine = case if case == "trajectories" else "auto"
    sampling = eq.Sampling(samples=draws, engine=engine)
    return eq.diagnose(problem, shots=shots, sampling=sampling, depth=False).record


def fields(case, width=80):
    """Label to text, its lines put together again."""
    out, label = {}, ""
    for line in first_screen(record(case), width)[1:]:
        label = line[:12].strip() or label
        out[label] = f"{out.get(label, '')} {line[12:]}".strip()
    return out


@pytest.mark.parametrize("width", [80, 60])
@pytest.mark.parametrize("case", CASES)
def test_the_answer_fits_one_screen_and_loses_no_number(case, width):
    lines = first_screen(record(case), width)
    assert len(lines) <= LINES == 24
    assert max(map(len, lines)) <= width
    assert lines[0].startswith(CASES[case][-1].upper())
    assert lines[0].endswith(", s = 1")
    told = fields(case, width)
    assert set(FIELDS) <= set(told)
    for name in ("gradient", "noise", "headroom", "lost to", "cone"):
        assert "..." not in told[name], told[name]


@pytest.mark.parametrize("case", CASES)
def test_python_and_a_pipe_show_the_same_screen(case):
    kept = read_record(json.loads(json.dumps(record(case).data, allow_nan=False)))
    console = Console(file=io.StringIO(), width=60)
    print_first_screen(kept, console)
    assert console.file.getvalue().splitlines() == first_screen(record(case), 60)


def test_print_of_a_diagnosis_is_the_screen_at_80_columns():
    problem = eq.Problem(eq.circuits.brickwork(4, depth=2), "Z1", initial="neel", noise="relaxation:0.02")
    found = eq.diagnose(problem, sampling=eq.Sampling(samples=4), depth=False)
    assert str(found).splitlines() == first_screen(found.record)


def test_the_numbers_of_the_screen_are_those_of_the_record():
    told, known = fields("trainable"), record("trainable")
    read, resolved = known["resources.measured_rms"], known["resources.resolved_rms"]
    assert told["gradient"].startswith(f"{read:.3f} /rad [{known['resources.measured_interval'][0]:.3f}, ")
    assert f"{read / resolved:.0f} x what 10,000 shots resolve" in told["gradient"]
    low, high = known["simulated.interval"]
    assert f"leaves {100 * known['simulated.survival']:.1f} % [{100 * low:.1f}, {100 * high:.1f}]" in told["noise"]
    assert f"direction {known['simulated.direction']:.4f} [" in told["noise"]
    assert "33 of 44 weights have a gradient; 4 layers (barriers)" in told["cone"]
    shares = {part["mechanism"]: part for part in known["law.mechanisms"]}
    assert sum(part["share"] for part in shares.values()) == pytest.approx(1, rel=1e-9)
    for name, part in shares.items():
        low, high = part["interval"]
        assert low < part["share"] < high
        assert f"{name} {100 * part['share']:.0f} % [{100 * low:.0f}, {100 * high:.0f}]" in told["lost to"]


def test_direction_law_is_told_where_it_is_proved_and_else_that_there_is_none():
    assert "law 0." in fields("trajectories")["noise"].split("direction")[1]
    assert fields("trainable")["noise"].endswith("no law here")


def test_bars_are_as_long_as_parts_of_kappa_and_the_smallest_are_counted_where_room_ends():
    told = fields("trainable")["by qubit"]
    costliest = max(told.split("  "), key=lambda part: part.count("="))
    assert costliest.split() == ["2", "====="]
    narrow = fields("device", 60)
    assert narrow["by qubit"].count("=====") == 1
    assert fields("device", 40)["by layer"].endswith("more)")


def test_what_is_not_known_is_said_to_be_unknown():
    one = fields("one draw")
    assert one["gradient"].count("[unknown]") == 2
    assert one["noise"].count("[unknown]") == 2
    assert one["lost to"].startswith("unknown: kappa")
    assert one["helps"].startswith("unknown")
    assert one["headroom"].endswith("in depth unknown")
    assert fields("no gradient")["noise"] == "has no gradient to take from; direction unknown"
    # to first order coherent errors may do either: no mechanism is blamed
    assert fields("misdirected")["lost to"].endswith("may be 0")


def test_the_next_step_follows_from_the_verdict():
    steps = {case: fields(case)["next"] for case in CASES}
    assert steps["trainable"] == "equinoise advise simulates what helps; --full"
    assert steps["undecided"] == "--samples 128 for narrower intervals; --full"
    assert steps["shot-limited"].startswith("--shots 10 for signal = noise")
    assert steps["no gradient"].startswith("another readout or input")


def test_long_names_lose_their_middle_and_never_the_verdict_or_the_scale():
    (first, *_) = first_screen(record("noise-limited"), 60, source="a/very/long/way/to/the/file/of/the/circuit.qasm")
    assert len(first) <= 60
    assert first.startswith("NOISE-LIMITED a/v")
    assert first.endswith("dephasing:2.0, s = 1")


def test_simulated_advice_tells_the_same_model_from_another():
    circuit = eq.circuits.brickwork(4, depth=3)
    problem = eq.Problem(circuit, "Z1", initial="neel", noise="relaxation:0.05")
    few = eq.Sampling(samples=4)
    found = eq.diagnose(problem, sampling=few, depth=False).with_advice(eq.advise(problem, sampling=few))
    for width in (80, 60):
        lines = first_screen(found.record, width)
        assert len(lines) <= 24
        assert any(line.startswith("helps ") and "another model" not in line for line in lines)
        assert any(line.startswith("or else     another model: ") for line in lines)


def test_notes_of_a_device_concern_the_qubits_that_the_circuit_is_placed_on():
    notes = record("device")["warnings"]
    assert not any("of 133 physical qubits" in note for note in notes)
    torino = eq.NoiseModel.from_backend(snapshot("torino"), layout=[22, 23, 24])
    placed = eq.Problem(eq.circuits.brickwork(3, depth=2), "Z1", initial="neel", noise=torino)
    assert any("T2 > 2 T1 on 1 of 3 physical qubits (23)" in note for note in placed.warnings)
