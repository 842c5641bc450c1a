"""The report on a terminal: its order, its numbers, and what it leaves out."""

from __future__ import annotations

import dataclasses
import io
import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import UnitaryGate, XXPlusYYGate
from rich.console import Console
from scipy.linalg import expm

import equinoise as eq
from equinoise.coherence.spectrum import Estimate
from equinoise.diagnosis.depth import GreatestDepth
from equinoise.diagnosis.survival_curve import survival_table
from equinoise.report.terminal.diagnosis_table import budget_shares, print_diagnosis
from equinoise.report.terminal.sketch import POINT, sketch
from equinoise.text.numbers import bar, interval, number, power, ranges, ratio, whole


def diagnosed(noise: object, qubits: int = 6, readout: str = "Z2", **options: object) -> eq.Diagnosis:
    circuit = eq.circuits.brickwork(qubits, depth=3)
    # given draws: no search for the greatest depth, which these tests put in by hand
    thetas = np.random.default_rng(3).uniform(0, 4 * math.pi, (6, circuit.num_parameters))
    problem = eq.Problem(circuit, readout, initial="neel", noise=noise)
    return eq.diagnose(problem, sampling=eq.Sampling(ensemble=thetas), **options)


@pytest.fixture(scope="module")
def dephased() -> eq.Diagnosis:
    return diagnosed("dephasing:0.02+relaxation:down=0.01")


def printed(diagnosis: eq.Diagnosis, width: int = 90, source: str | None = None) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_diagnosis(diagnosis.record, console, source)
    return console.file.getvalue()


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0123456, "0.0123"),
        (0, "0"),
        (2.3e-31, "0"),
        (1234.6, "1,230"),
        (999.7, "1,000"),
        (0.9, "0.900"),
        (3.0, "3"),
        (616.4, "616"),
    ],
)
def test_numbers_have_three_significant_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_counts_ranges_and_bars_are_compact() -> None:
    assert ranges([7, 0, 1, 2, 5, 6, 9]) == "0-2, 5-7, 9"
    assert ranges([3]) == "3"
    assert (whole(41.2), whole(math.inf), whole(3.2e9)) == ("42", "infinitely many", "3.2e+09")
    assert power(4**6) == "4,096"
    assert power(4**3000) == "1.5e1806"  # beyond the largest float
    assert ratio(4**3000, 4**2998) == "16.0"
    assert interval((0.1, 0.25)) == "[0.100, 0.250]"
    assert interval((-math.inf, math.inf)) == "[interval unknown]"
    assert (bar(1.0, 4), bar(0.5, 4), bar(0.0, 4), bar(0.03125, 4)) == ("████", "██", "", "▏")


def test_report_holds_the_numbers_of_the_diagnosis(dephased: eq.Diagnosis) -> None:
    text = flat(printed(dephased))
    law, exact, resources = dephased.law, dephased.simulated, dephased.resources
    assert exact is not None
    for expected in (
        "yes: every block and the readout conserve the charge",
        "q = 3 of 0..6, dimension 20",
        "weakly symmetric",
        f"qubits {ranges(dephased.light_cone['qubits'])}: width {dephased.light_cone['width']} of 6",
        "instead of 4^6 = 4,096",
        f"{number(dephased.noiseless_rms)} per rad",
        f"kappa {number(law.kappa)} {interval(law.kappa_interval)}",
        "too symmetric: the noise ends in one pure state",
        f"c2 {number(law.rate_variance)}",
        f"exact {number(exact.survival)} {interval(exact.interval)}",
        f"leading order {number(float(law.leading_order(1.0)))}",
        f"bounds {number(float(law.bounds(1.0)[0]))} to {number(float(law.bounds(1.0)[1]))} not proved",
        law.certificate.reason,
        f"{number(exact.rms_gradient)} per rad",
        f"from {number(resources.resolved_rms)} per rad up, with 10,000 shots",
        f"{whole(resources.shots_per_gradient)} per expectation value",
        f"resolved up to s = {number(resources.greatest_scale)}",
        "no answer: the layers do not repeat",
        "6 draws, given parameter values",
        dephased.engine,
        dephased.verdict.word,
        dephased.verdict.reason,
        *dephased.advice,
    ):
        assert expected in text.replace("│ ", "").replace(" │", ""), expected


def test_report_says_at_which_kappa_and_w0_proved_bounds_are_taken_and_prints_none_from_few_draws() -> None:
    stated = eq.Problem(eq.circuits.brickwork(4, 3), readout="Z1", initial="neel", noise="dephasing:0.05")
    found = eq.diagnose(stated, sampling=eq.Sampling(samples=32), curve=False, depth=False)
    low, high = (number(float(bound)) for bound in found.law.bounds(1.0))
    assert f"bounds {low} to {high} proved for exact kappa and w0; these at 99 %" in flat(printed(found, 120))
    assert "proved for exact V(s); these at 99 %" in flat(printed(found, 120))
    few = eq.diagnose(stated, sampling=eq.Sampling(samples=31), curve=False, depth=False)
    text = flat(printed(few, 120))
    assert "bounds none from fewer than 32 draws" in text
    assert "only 31 draws: below 32 the intervals may be too narrow" in text
    assert "from spectrum" not in text


def test_report_holds_the_bounds_of_the_spectrum_and_where_its_weight_sits(dephased: eq.Diagnosis) -> None:
    text, spectrum = flat(printed(dephased)), dephased.law.spectrum
    assert spectrum is not None
    spans = [f"{number(float(a))} to {number(float(b))}" for a, b in zip(*spectrum.bounds([1.0, 16.0]), strict=True)]
    assert f"from spectrum {spans[0]} at s = 1, {spans[1]} at s = 16 not proved" in text
    heaviest = int(spectrum.measure.weights.argmax())
    share, rate = spectrum.measure.weights[heaviest], spectrum.measure.rates[heaviest]
    assert f"{100 * share:.0f} % at {number(float(rate), 2)}" in text
    impossible = dataclasses.replace(spectrum, ratios=((1.0, Estimate(0.5)), (2.0, Estimate(0.6))))
    widened = dataclasses.replace(dephased, law=dataclasses.replace(dephased.law, spectrum=impossible))
    assert "no positive measure on rates up to" in flat(printed(widened))


def test_budget_shows_the_costliest_and_sums_by_mechanism(dephased: eq.Diagnosis) -> None:
    lines = printed(dephased).splitlines()
    first = next(i for i, line in enumerate(lines) if "costliest" in line) + 2
    worst = max(dephased.law.budget, key=lambda entry: entry.kappa)
    assert lines[first].split()[:4] == [worst.mechanism, str(worst.layer), ranges(worst.qubits), number(worst.kappa)]
    rest = next(line for line in lines if " others" in line)
    assert rest.split()[0] == str(len(dephased.law.budget) - 8)
    for mechanism in ("dephasing", "relaxation"):
        total = sum(entry.kappa for entry in dephased.law.budget if entry.mechanism == mechanism)
        assert any(
            line.split()[:1] == [mechanism] and number(total) in line and "█" in line for line in lines[first + 9 :]
        )


@pytest.mark.parametrize("width", [80, 100])
def test_report_fits_the_terminal_without_cutting_numbers(dephased: eq.Diagnosis, width: int) -> None:
    text = printed(dephased, width)
    assert max(map(len, text.splitlines())) <= width
    body = text.split("What would help most")[0]
    assert "…" not in body


def test_budget_rows_hold_every_term_and_sum_to_kappa(dephased: eq.Diagnosis) -> None:
    rows = budget_shares(dephased.record)
    assert len(rows) == len(dephased.law.budget)
    assert set(rows[0]) == {"layer", "qubits", "mechanism", "kappa", "standard_error", "share"}
    # exact but for the order of the sum
    assert sum(float(row["kappa"]) for row in rows) == pytest.approx(dephased.law.kappa, rel=1e-9)
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1, rel=1e-9)


def test_budget_rows_leave_out_what_is_not_a_number() -> None:
    quiet = diagnosed("collective:0.1", qubits=4, readout="Z1")
    single = dataclasses.replace(quiet.law.budget[0], standard_error=math.nan)
    rows = budget_shares(dataclasses.replace(quiet, law=dataclasses.replace(quiet.law, budget=(single,))).record)
    assert rows[0]["standard_error"] == ""
    assert rows[0]["share"] == ""  # kappa is 0
    text = flat(printed(quiet))
    assert "no noise term costs any of this gradient" in text
    assert "untouched" in text


def test_readout_errors_depth_and_open_bounds_are_told(dephased: eq.Diagnosis) -> None:
    resources = dataclasses.replace(
        dephased.resources,
        readout_factor=0.9,
        greatest_depth=GreatestDepth(12, True, 16),
        greatest_scale=math.inf,
        shots_per_gradient=math.inf,
    )
    text = flat(printed(dataclasses.replace(dephased, resources=resources)))
    assert "readout errors multiply it by 0.900" in text
    assert "resolved up to at least 12 layers of this kind (16 draws each)" in text
    assert "resolved at any noise scale" in text
    assert "infinitely many per expectation value" in text
    none = dataclasses.replace(resources, greatest_scale=0.0, greatest_depth=GreatestDepth(0, False, 16))
    text = flat(printed(dataclasses.replace(dephased, resources=none)))
    assert "not resolved at any noise scale" in text
    assert "not resolved at any depth" in text


def test_long_lists_of_notes_are_shortened_with_a_count(dephased: eq.Diagnosis) -> None:
    notes = ("x" * 1000, *(f"note number {i}" for i in range(1, 9)))
    text = flat(printed(dataclasses.replace(dephased, warnings=notes)))
    assert "xxx…" in text.replace(" ", "")
    assert "note number 3" in text
    assert "note number 4" not in text
    assert "and 5 more; --json holds them all" in text


def test_names_that_look_like_markup_are_printed_as_they_are(dephased: eq.Diagnosis) -> None:
    odd = dataclasses.replace(dephased, warnings=("theta[0] and [/red] stay",), advice=("mind [bold]this",))
    text = flat(printed(odd, source="[red]file[/red].qasm"))
    assert "[red]file[/red].qasm" in text
    assert "theta[0] and [/red] stay" in text
    assert "mind [bold]this" in text


def test_broken_symmetry_names_what_breaks_it(dephased: eq.Diagnosis) -> None:
    facts = dephased.equivariance | {
        "conserving": False,
        "sector": None,
        "noise_class": "broken",
        "breaking": [f"gate 'rx' at position {i}" for i in range(5)],
    }
    text = flat(printed(dataclasses.replace(dephased, equivariance=facts)))
    assert "no: computed in the full space of the light cone" in text
    assert "none: the input holds several charges" in text
    assert "gate 'rx' at position 0" in text
    assert "and 2 more" in text


def test_sketch_stays_small_and_shows_the_exact_points(dephased: eq.Diagnosis) -> None:
    table = survival_table(dephased.record)
    lines = sketch(table)
    assert len(lines) <= 10
    assert max(map(len, lines)) <= 60
    assert sum(line.count(POINT) for line in lines) == len(table.simulated)
    # survival falls with the scale: points further right stand no higher
    points = sorted((x, y) for y, line in enumerate(lines) for x, character in enumerate(line) if character == POINT)
    heights = [y for _, y in points]
    assert heights == sorted(heights)
    assert lines[0].startswith("   1 ┤")
    assert lines[-2].lstrip().startswith("0 └")
    assert lines[-1].split() == ["0.1", "1", "10"]


def test_sketch_of_a_gradient_that_noise_strengthens_fits_too(dephased: eq.Diagnosis) -> None:
    table = survival_table(dephased.record)
    lines = sketch(dataclasses.replace(table, law=1.8 * table.law, simulated=1.5 * table.simulated))
    assert lines[0].startswith(" 1.8 ┤")
    assert max(map(len, lines)) <= 60


@pytest.mark.parametrize(
    ("barriers", "said"),
    [(True, "between full-width barriers"), (False, "as soon as possible, since no barrier divides the gates")],
)
def test_the_first_lines_say_how_many_layers_were_found_and_how(barriers: bool, said: str) -> None:
    circuit = QuantumCircuit(4)
    for layer in range(3):
        for first in range(layer % 2, 3, 2):
            circuit.append(XXPlusYYGate(Parameter(f"t{layer}{first}")), [first, first + 1])
        if barriers:
            circuit.barrier()
    circuit.measure_all()
    problem = eq.Problem(circuit, "Z1", "neel", "dephasing:0.01")
    diagnosis = eq.diagnose(problem, sampling=eq.Sampling(samples=2), curve=False, depth=False)
    first = flat("\n".join(printed(diagnosis).splitlines()[:3]))
    assert f"layers 3 {said}" in first
    found = "barriers" if barriers else "as soon as possible"
    assert diagnosis.to_dict()["layers"] == {"count": 3, "found": found}


def test_a_wide_gate_that_keeps_the_charge_is_not_said_to_break_it() -> None:
    circuit = QuantumCircuit(5)
    circuit.append(XXPlusYYGate(Parameter("t")), [0, 1])
    exchange = np.zeros((32, 32))  # of one filling of five qubits for another
    exchange[0b00111, 0b11100] = exchange[0b11100, 0b00111] = 1
    circuit.append(UnitaryGate(expm(-1j * exchange)), range(5))
    problem = eq.Problem(circuit, "Z1", "neel", "dephasing:0.01", allow_broken=True)
    text = flat(printed(eq.diagnose(problem, sampling=eq.Sampling(samples=2), curve=False, depth=False)))
    assert "because of gate 'unitary' at position 1" in text
    assert "keeps the charge as a whole, but acts on 5 qubits" in text
