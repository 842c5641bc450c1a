"""What is compiled for a problem: kept beside it, once, for as long as it lives, and for no other problem."""

from __future__ import annotations

import ast
import copy
import gc
import pickle
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import equinoise as eq
from equinoise.engines.select import exact_engine, reading_engine, select_engine
from equinoise.reduction import prepared as room
from equinoise.reduction.prepared import CAPACITY, Kept, prepared
from equinoise.reduction.program import compile_problem

SOURCES = sorted(Path(eq.__file__).parent.rglob("*.py"))


def problem(noise="dephasing:0.05", readout="Z1", **options):
    return eq.Problem(eq.circuits.brickwork(4, depth=2), readout=readout, initial="neel", noise=noise, **options)


def angles(stated):
    return np.linspace(-1, 1, len(stated.parameters))


# -- one for each problem --------------------------------------------------------------------------------------------


def test_repeated_gradients_use_one_program_and_one_engine():
    stated = problem()
    engine = select_engine(stated)
    eq.gradient(stated, angles(stated))
    assert select_engine(stated) is engine
    assert compile_problem(stated) is engine.program


@pytest.mark.parametrize(
    "derive",
    [
        copy.copy,
        copy.deepcopy,
        lambda p: pickle.loads(pickle.dumps(p)),
        lambda p: p.with_noise("dephasing:0.1"),
        lambda p: p.with_readout("Z2"),
        lambda p: p.with_projection(),
        lambda p: p.with_warnings(["told"]),
    ],
)
def test_no_copy_inherits_what_was_compiled(derive):
    stated = problem()
    program = compile_problem(stated)
    assert compile_problem(derive(stated)) is not program
    assert compile_problem(stated) is program


def test_a_programs_own_statement_leads_to_the_same_program():
    stated = problem()
    program = compile_problem(stated)
    assert program.problem is not stated
    assert compile_problem(program.problem) is program


def test_a_reading_without_errors_takes_the_engine_there_is():
    stated = problem()
    engine = select_engine(stated)
    assert reading_engine(engine, stated.as_read()) is engine
    misread = problem({"dephasing": [{"rate": 0.05}], "readout_error": {1: [0.1, 0.1]}})
    engine = select_engine(misread)
    assert reading_engine(engine, misread.as_read()) is not engine


# -- no longer than the problem lives --------------------------------------------------------------------------------


def test_programs_and_engines_are_freed_with_their_problem():
    stated = problem("relaxation:0.05")
    eq.mitigation.verify(stated, angles(stated))
    eq.gradient(stated, angles(stated))
    alive = [weakref.ref(compile_problem(stated)), weakref.ref(select_engine(stated)), weakref.ref(prepared(stated))]
    del stated
    gc.collect()
    assert [reference() for reference in alive] == [None] * 3


def test_an_engine_outlives_its_problem():
    stated = problem()
    theta, before = angles(stated), eq.gradient(problem(), angles(problem())).gradient
    engine = exact_engine(stated)
    del stated
    gc.collect()
    np.testing.assert_array_equal(engine.draw(theta, 1.0).gradient, before)
    program = compile_problem(engine.program.problem)  # compiled again, from what the program says of itself
    assert program.numbers == engine.program.numbers


def test_the_table_is_bounded_and_forgets_what_was_asked_for_longest_ago():
    first, stated = problem(), problem()
    before = eq.gradient(first, angles(first)).gradient
    old, kept = prepared(first), prepared(stated)
    alive = []
    for _ in range(CAPACITY):
        alive.append(copy.copy(stated))
        prepared(alive[-1])
        assert prepared(stated) is kept  # asked for again and again
    assert len(room._table) == CAPACITY
    assert prepared(first) is not old
    np.testing.assert_array_equal(eq.gradient(first, angles(first)).gradient, before)


def test_the_table_holds_nothing_of_problems_that_are_gone():
    gc.collect()
    before = len(room._table)
    for _ in range(20):
        prepared(problem())
    gc.collect()
    assert len(room._table) <= before


# -- threads ---------------------------------------------------------------------------------------------------------


def test_threads_that_ask_at_once_share_one_value():
    kept, made, start = Kept(), [], threading.Barrier(8)

    def make():
        time.sleep(0.02)
        made.append(object())
        return made[-1]

    def ask(_):
        start.wait()
        with kept as values:
            if "key" not in values:
                values["key"] = make()
            return values["key"]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert len(made) == 1
    assert all(value is made[0] for value in found)


def test_making_one_value_may_ask_for_another_and_a_failure_is_not_kept():
    kept = Kept()
    with kept as outer:
        with kept as inner:
            inner["inner"] = 1
        outer["outer"] = inner["inner"] + 1
    with pytest.raises(ZeroDivisionError), kept as values:
        values["failing"] = 1 / 0
    with kept as values:
        assert values == {"inner": 1, "outer": 2}


def test_threads_get_one_program_of_a_problem_and_right_gradients():
    stated = problem("relaxation:0.05+dephasing:0.05")
    theta = angles(stated)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: (compile_problem(stated), eq.gradient(stated, theta).gradient), range(8)))
    assert len({id(program) for program, _ in found}) == 1
    for _, gradient in found:
        np.testing.assert_array_equal(gradient, found[0][1])


# -- nothing is written into a problem -------------------------------------------------------------------------------


def test_a_problem_holds_after_use_what_it_held_before():
    stated = problem({"relaxation": [{"qubit": 1, "down": 0.05}], "readout_error": {1: [0.02, 0.02]}})
    theta, before = angles(stated), dict(vars(stated))
    eq.law(stated, sampling=eq.Sampling(samples=2))
    eq.gradient(stated, theta)
    eq.mitigation.verify(stated, theta)
    eq.lie_algebraic_variance(stated)
    after = vars(stated)
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)


@pytest.mark.parametrize("name", ["noise", "projected", "warnings", "anything"])
def test_a_problem_cannot_be_changed(name):
    stated = problem()
    with pytest.raises(AttributeError, match=f"'{name}' cannot be set.*with_noise"):
        setattr(stated, name, None)


def test_a_circuit_that_is_changed_afterwards_changes_no_problem():
    circuit = eq.circuits.brickwork(4, depth=2)
    stated, fresh = (eq.Problem(c, "Z1", "neel", "dephasing:0.05") for c in (circuit, circuit.copy()))
    circuit.data.pop(0)
    circuit.rz(0.3, 0)
    found, expected = (eq.gradient(p.with_noise("ibm:torino"), angles(p)).gradient for p in (stated, fresh))
    np.testing.assert_array_equal(found, expected)


def test_a_projection_is_another_problem():
    stated = problem("depolarizing:0.05")
    whole = stated.with_projection()
    assert (stated.projected, whole.projected, whole.with_projection(False).projected) == (False, True, False)
    fresh = problem("depolarizing:0.05", projected=True)
    theta = angles(stated)
    np.testing.assert_array_equal(eq.gradient(whole, theta).gradient, eq.gradient(fresh, theta).gradient)
    plus = [[np.sqrt(0.5), np.sqrt(0.5)]] * 4
    several = eq.Problem(eq.circuits.brickwork(4, depth=2), "Z1", initial=plus)
    with pytest.raises(eq.EquinoiseError, match="charge=q"):
        several.with_projection()


def _hides_state(node: ast.AST) -> bool:
    """Whether a node reads or writes single entries of vars(x) or x.__dict__, or calls their methods."""
    if not isinstance(node, ast.Subscript | ast.Attribute):
        return False
    inside = node.value
    named = isinstance(inside, ast.Call) and isinstance(inside.func, ast.Name) and inside.func.id == "vars"
    dictionary = isinstance(inside, ast.Attribute) and inside.attr == "__dict__"
    return (named and bool(inside.args)) or dictionary


def test_no_source_file_hides_state_in_the_dictionary_of_an_object():
    allowed = {"devices.py"}  # asks a module of another package for the backends that it holds
    found = [
        f"{path.name}:{node.lineno}"
        for path in SOURCES
        if path.name not in allowed
        for text in [path.read_text(encoding="utf-8")]
        if "vars(" in text or "__dict__" in text
        for node in ast.walk(ast.parse(text))
        if _hides_state(node)
    ]
    assert found == []
