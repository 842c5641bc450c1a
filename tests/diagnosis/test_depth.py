"""The greatest depth: where layers repeat, and where the gradient is still resolved."""

from __future__ import annotations

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import XXPlusYYGate

import equinoise as eq
from equinoise.diagnosis.depth import greatest_depth
from equinoise.diagnosis.repetition import Repetition, repeated, repetition
from equinoise.reduction.program import compile_problem


def problem(depth=4, noise="relaxation:0.1", n=4, readout="Z1", **options):
    return eq.Problem(eq.circuits.brickwork(n, depth, **options), readout=readout, initial="neel", noise=noise)


# -- repetition ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "period"),
    [
        (problem(depth=4), 2),
        (problem(depth=5), 2),
        (problem(depth=3), 2),
        (problem(depth=2), None),
        (problem(depth=1), None),
        (problem(depth=4, shared=True), 2),
        (problem(depth=4, noise={"relaxation": [{"qubit": 0, "down": 0.1, "layers": [1]}]}), None),
        (problem(depth=4, noise={"relaxation": [{"qubit": 0, "down": 0.1, "layers": [1, 3]}]}), 2),
        (problem(depth=4, noise={"relaxation": [{"qubit": 0, "down": 0.1, "gate": "rzz"}]}), 2),
    ],
    ids=["four", "five", "three", "two", "one", "shared", "one noisy layer", "every second layer", "gate noise"],
)
def test_brickwork_repeats_after_two_layers_if_its_noise_does(stated, period):
    assert repetition(stated) == (None if period is None else Repetition(0, period, 0))


def test_equal_layers_repeat_after_one():
    circuit = QuantumCircuit(2)
    for theta in ParameterVector("t", 3):
        circuit.append(XXPlusYYGate(theta), [0, 1])
        circuit.barrier()
    assert repetition(eq.Problem(circuit, readout="Z0", initial="01")) == Repetition(0, 1, 0)


def test_layers_of_other_gates_do_not_repeat():
    circuit = QuantumCircuit(4)
    for number, pair in enumerate([(0, 1), (1, 2), (2, 3), (0, 1), (0, 3), (1, 2)]):
        circuit.append(XXPlusYYGate(Parameter(f"t{number}")), pair)
        circuit.barrier()
    stated = eq.Problem(circuit, readout="Z1", initial="neel")
    assert repetition(stated) is None
    assert greatest_depth(stated, 0.01, 1.0, eq.Sampling(seed=0)) is None
    assert eq.diagnose(stated, sampling=eq.Sampling(samples=2), curve=False).resources.greatest_depth is None


def hamiltonian_ansatz(repetitions, barriers, prepares=True, final=True):
    """XX+YY on the bonds of a line, then ZZ on them, one angle each in every repetition."""
    circuit = QuantumCircuit(4)
    if prepares:
        circuit.x([0, 2])
    for number in range(repetitions):
        hop, turn = Parameter(f"hop{number}"), Parameter(f"turn{number}")
        for pair in ((0, 1), (2, 3), (1, 2)):
            circuit.append(XXPlusYYGate(hop), pair)
        if barriers:
            circuit.barrier()
        for pair in ((0, 1), (1, 2), (2, 3)):
            circuit.rzz(turn, *pair)
        if barriers:
            circuit.barrier()
    for q in range(4 * final):
        circuit.rz(Parameter(f"last{q}"), q)
    return circuit


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"barriers": True}, Repetition(0, 2, 1)),
        ({"barriers": True, "final": False}, Repetition(0, 2, 0)),
        ({"barriers": True, "final": False, "prepares": False}, Repetition(0, 2, 0)),
        # as soon as possible: the last ZZ of a repetition stands in one layer with the first hops of the next
        ({"barriers": False, "final": False}, Repetition(1, 4, 1)),
        ({"barriers": False}, Repetition(1, 4, 3)),
    ],
    ids=["rotations", "plain", "input given", "as soon as possible", "as soon as possible, rotations"],
)
def test_an_ansatz_whose_repetitions_hold_several_layers_repeats_whatever_stands_around(options, expected):
    circuit = hamiltonian_ansatz(3, **options)
    initial = None if options.get("prepares", True) else "neel"
    stated = eq.Problem(circuit, "Z1", initial, "relaxation:0.05")
    assert repetition(stated) == expected
    assert greatest_depth(stated, 1e9, 1.0, eq.Sampling(seed=0)).depth == 0


@pytest.mark.parametrize("barriers", [True, False])
@pytest.mark.parametrize("repetitions", [2, 5])
def test_an_ansatz_repeated_more_or_less_often_is_that_ansatz_with_ties_and_ends(barriers, repetitions):
    noise = "dephasing:0.03+relaxation:0.05"
    stated = eq.Problem(hamiltonian_ansatz(4, barriers), "Z1", noise=noise)
    built = eq.Problem(hamiltonian_ansatz(repetitions, barriers), "Z1", noise=noise)
    again = repeated(stated, len(built.layers), repetition(stated))
    assert len(again.parameters) == len(built.parameters) == 2 * repetitions + 4
    order = {p: k for k, p in enumerate(built.parameters)}

    # the gates on each wire stand in the same order: the parameters correspond
    pairs = {}
    for one, two in zip(*(by_wire(problem) for problem in (again, built)), strict=True):
        assert one[:2] == two[:2]
        assert pairs.setdefault(one[2], two[2]) == two[2]
    values = np.random.default_rng(2).uniform(-3, 3, len(order))
    theta = {one: values[order[two]] for one, two in pairs.items()}
    found, expected = eq.gradient(again, theta), eq.gradient(built, values)
    assert found.value == pytest.approx(expected.value, abs=1e-12)
    assert np.sort(found.gradient) == pytest.approx(np.sort(expected.gradient), abs=1e-12)


def by_wire(problem):
    """(qubits, name, parameter) of every gate with an angle, by its qubits and then in time."""
    found = []
    for number, item in enumerate(problem.circuit.data):
        if item.operation.params:
            qubits = tuple(problem.circuit.find_bit(bit).index for bit in item.qubits)
            found.append((qubits, item.operation.name, item.operation.params[0], number))
    return [entry[:3] for entry in sorted(found, key=lambda entry: (entry[0], entry[3]))]


def test_a_parameter_of_all_repetitions_stays_one():
    circuit, shared = QuantumCircuit(2), Parameter("input")
    for number in range(3):
        circuit.append(XXPlusYYGate(Parameter(f"t{number}")), [0, 1])
        circuit.rz(shared, 0)
        circuit.barrier()
    again = repeated(eq.Problem(circuit, "Z0", "01"), 7, Repetition(0, 1, 0))
    assert len(again.parameters) == 7 + 1


def test_given_parameter_values_have_no_other_depth():
    stated = problem()
    thetas = np.ones((2, len(stated.parameters)))
    assert greatest_depth(stated, 0.01, 1.0, eq.Sampling(seed=0, ensemble=thetas)) is None


@pytest.mark.parametrize("depth", [2, 4, 7])
@pytest.mark.parametrize(
    "noise", ["relaxation:0.1", {"depolarizing": [{"qubits": [1, 2], "rate": 0.2, "gate": "rzz"}]}]
)
def test_repeated_circuit_is_the_builders_circuit_of_that_depth(depth, noise):
    again, built = repeated(problem(noise=noise), depth, Repetition(0, 2, 0)), problem(depth, noise)
    assert len(again.layers) == depth
    assert len(again.parameters) == len(built.parameters)
    # gate by gate the parameters correspond, though their names differ
    values = np.random.default_rng(1).uniform(-3, 3, len(built.parameters))
    by_gate = dict(zip(built.parameters, values, strict=True))
    pairs = zip(
        (i for i in again.circuit.data if i.operation.name != "barrier"),
        (i for i in built.circuit.data if i.operation.name != "barrier"),
        strict=True,
    )
    theta = {one.operation.params[0]: by_gate[two.operation.params[0]] for one, two in pairs}
    found, expected = eq.gradient(again, theta), eq.gradient(built, values)
    # the same numbers in another order
    assert found.value == pytest.approx(expected.value, abs=1e-12)
    assert np.sort(found.gradient) == pytest.approx(np.sort(expected.gradient), abs=1e-12)


def test_shared_parameters_stay_shared_in_each_layer():
    again = repeated(problem(shared=True), 6, Repetition(0, 2, 0))
    assert len(again.parameters) == 6 * 3


# -- the search ----------------------------------------------------------------------------------------------------


def rms(depth, noise):
    stated = problem(depth, noise)
    variance = eq.gradient_variance(stated, [1.0], sampling=eq.Sampling(samples=16, seed=0)).variance[0]
    return math.sqrt(variance / len(compile_problem(stated).parameters))


@pytest.mark.parametrize("start", [4, 12])
def test_greatest_depth_lies_between_resolved_and_lost_whether_searched_up_or_down(start):
    """Under relaxation the RMS gradient falls steadily; the threshold is put between two depths."""
    noise = "relaxation:0.1"
    threshold = math.sqrt(rms(8, noise) * rms(10, noise))
    assert rms(8, noise) > 1.02 * threshold
    found = greatest_depth(problem(start, noise), threshold, 1.0, eq.Sampling(seed=0))
    assert (found.depth, found.at_least) == (8, False)
    assert found.samples == 16


def test_no_depth_is_resolved_with_an_impossible_threshold():
    found = greatest_depth(problem(), 100.0, 1.0, eq.Sampling(seed=0))
    assert (found.depth, found.at_least) == (0, False)


def test_depth_without_an_end_is_said_to_be_a_least_one():
    """Collective dephasing costs nothing: the search ends at its own limit, not at the gradient's."""
    found = greatest_depth(
        problem(3, "collective:1.0", n=2, readout="Z0", interaction="none"), 1e-9, 1.0, sampling=eq.Sampling(seed=0)
    )
    assert found.at_least
    assert found.depth >= 100


def test_more_noise_and_a_higher_threshold_leave_less_depth():
    depths = [
        greatest_depth(problem(4, "relaxation:0.2"), threshold, scale, eq.Sampling(seed=0)).depth
        for threshold, scale in ((0.01, 1.0), (0.01, 2.0), (0.03, 2.0))
    ]
    assert depths[0] > depths[1] >= depths[2]


def test_same_seed_gives_the_same_depth():
    one, two = (greatest_depth(problem(), 0.02, 1.0, eq.Sampling(seed=5)) for _ in range(2))
    assert one == two


def test_circuits_of_very_many_gates_are_not_built(monkeypatch):
    from equinoise.diagnosis import depth

    many = problem(depth=4, noise="dephasing:0.001")
    gates = max(len(layer.gates) for layer in many.layers)
    monkeypatch.setattr(depth, "_MOST_GATES", 8 * gates)
    found = greatest_depth(many, threshold=1e-6, scale=1.0, sampling=eq.Sampling(seed=0))
    assert (found.depth, found.at_least) == (8, True)
