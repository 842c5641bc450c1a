"""One record of a diagnosis: it says what was asked, is the same for the same question, and is all that views need."""

from __future__ import annotations

import io
import json
import math
from dataclasses import fields

import numpy as np
import pytest
from qiskit import QuantumCircuit
from rich.console import Console

import equinoise as eq
from equinoise.coherence.quantity import Quantity, Record, column_kinds
from equinoise.diagnosis.panels import diagnosis_html
from equinoise.diagnosis.record import DIAGNOSIS, SCHEMA, read_record
from equinoise.diagnosis.screen import first_screen
from equinoise.errors import ParameterError
from equinoise.report.terminal.diagnosis_table import budget_shares, print_diagnosis
from equinoise.sweeps.store import RESULTS

SAMPLING = {field.name for field in fields(eq.Sampling)}


def ask(readout="Z1", noise="dephasing:0.02", initial="neel", depth=2, **options):
    """Options of a sampling are taken by their names."""
    stated = eq.Problem(eq.circuits.brickwork(4, depth), readout, initial=initial, noise=noise)
    drawn = {"samples": 4} | {name: options.pop(name) for name in SAMPLING & set(options)}
    return eq.diagnose(stated, **({"depth": False, "sampling": eq.Sampling(**drawn)} | options))


def read_back(diagnosis):
    """Through strict JSON: neither the problem nor any number beyond JSON comes along."""
    return read_record(json.loads(json.dumps(diagnosis.to_dict(), allow_nan=False)))


def report(record):
    console = Console(file=io.StringIO(), width=90)
    print_diagnosis(record, console)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def found():
    return ask()


# -- what was asked ------------------------------------------------------------------------------------------------


def test_record_holds_what_was_asked(found):
    asked = found.record
    assert asked["schema"] == SCHEMA
    assert set(asked["versions"]) == {"equinoise", "qiskit", "numpy", "python"}
    assert (asked["circuit.num_qubits"], asked["layers.count"]) == (4, 2)
    assert len(asked["circuit.sha256"]) == 64
    assert asked["readout.terms"] == [["Z1", 1.0]]
    assert (asked["initial.name"], asked["scale"], asked["resources.shots"]) == ("neel", 1.0, 10_000)
    assert eq.NoiseModel.from_dict(asked["noise.stated"]).terms == found.problem.stated_noise.terms
    assert asked["sampling"] == {
        **{"samples": 4, "seed": 0, "engine": "auto", "ensemble": "uniform", "relative_error": None},
        **{"precision": None, "seconds": None},
    }


def test_the_same_question_gives_the_same_record_and_another_question_another(found):
    same = ask()
    assert same.to_dict() == found.to_dict()
    others = [
        ask(noise="dephasing:0.03"),
        ask(readout="Z2"),
        ask(initial="0101"),
        ask(depth=3),
        ask(seed=1),
        ask(ensemble="normal:0.1"),
        ask(ensemble=np.zeros((4, len(found.problem.parameters)))),
    ]
    asked = [
        json.dumps([d.record[name] for name in ("circuit.sha256", "readout", "initial", "noise", "sampling")])
        for d in (found, *others)
    ]
    assert len(set(asked)) == len(asked)


def test_two_inputs_of_one_name_are_two_questions():
    inputs = [[[1, 0], [0, 1], [x, math.sqrt(1 - x * x)], [0, 1]] for x in (0.6, 0.6 + 1e-9)]
    one, two = (ask(initial=state).record for state in inputs)
    assert one["initial.name"] == two["initial.name"]
    assert one["initial.sha256"] != two["initial.sha256"]


def test_a_record_tells_an_endless_scale_from_an_unknown_number():
    kept = read_back(ask(scale=math.inf))
    assert kept["scale"] is None
    assert kept.number("scale") == math.inf
    assert first_screen(kept)[0].endswith(", s = inf")
    assert "What is left at s = inf?" in report(kept)


def test_the_running_number_of_an_unnamed_circuit_is_no_part_of_the_record():
    theta = eq.circuits.brickwork(4, 2).parameters
    names = []
    for _ in range(2):
        circuit = QuantumCircuit(2)
        circuit.rxx(theta[0], 0, 1)
        circuit.ryy(theta[0], 0, 1)
        names.append(
            eq.diagnose(eq.Problem(circuit, "Z0", initial="01"), sampling=eq.Sampling(samples=2), depth=False).record[
                "circuit"
            ]
        )
    assert names[0] == names[1]
    assert names[0]["name"] == "circuit"


# -- views ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale": math.inf},
        {"samples": 1},
        {"noise": {"readout_error": {1: [0.02, 0.05]}, "relaxation": 0.01}},
        {"noise": None},
        {"engine": "trajectories"},
    ],
    ids=["dephasing", "endless scale", "one draw", "readout errors", "no noise", "trajectories"],
)
def test_a_record_read_back_from_json_shows_the_same_texts_without_the_problem(options):
    live = ask(**options)
    kept = read_back(live)
    assert "\n".join(first_screen(kept)) == str(live)
    assert diagnosis_html(kept) == live._repr_html_()
    assert report(kept) == report(live.record)
    assert budget_shares(kept) == budget_shares(live.record)
    assert kept.columns() == live.record.columns()


def test_a_record_of_another_schema_is_refused(found):
    with pytest.raises(ParameterError, match=r"schema 'equinoise.diagnosis/3', but 'equinoise.diagnosis/1'"):
        read_record(found.to_dict() | {"schema": "equinoise.diagnosis/1"})


def test_no_quantity_and_no_column_is_named_twice():
    paths = [one.path for one in DIAGNOSIS]
    assert len(set(paths)) == len(paths)
    columns = [name for one in DIAGNOSIS for name in one.columns]
    assert len(set(columns)) == len(columns)
    assert set(columns) <= set(RESULTS)


def test_every_interval_that_a_quantity_names_is_in_the_list():
    paths = {one.path for one in DIAGNOSIS}
    assert {one.interval for one in DIAGNOSIS if one.interval} <= paths


def test_one_line_adds_a_quantity_to_json_text_and_store(found):
    line = Quantity(
        "direction.cosine", lambda x: 0.5 * x.scale, "of 1", "direction.interval", columns={"cosine": "DOUBLE"}
    )
    ends = Quantity(
        "direction.interval", lambda x: (0.25, math.inf), columns={"cosine_low": "DOUBLE", "high": "DOUBLE"}
    )
    record = Record.of(found, [*DIAGNOSIS, line, ends])
    assert record["direction"] == {"cosine": 0.5, "interval": [0.25, None]}
    assert record.told("direction.cosine") == "0.5 [interval unknown] of 1"
    assert record.columns()["cosine"] == 0.5
    assert column_kinds([line])["cosine"] == "DOUBLE"
    shots = Quantity("direction.shots", lambda x: math.inf, open=math.inf)
    assert Record.of(found, [shots]).told("direction.shots") == "infinity"
