"""Dephasing correlated in time on cone qubits: what the readout sees of it, its covariance, and circuits repeated."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import XXPlusYYGate
from qiskit.quantum_info import Operator

import equinoise as eq
from equinoise.diagnosis.repetition import Repetition, repeated, repetition
from equinoise.noise.terms import Dephasing
from equinoise.reduction.light_cone import light_cone
from equinoise.reduction.slots.processes import ProcessProgram, compile_processes, greatest_process_rate


def problem(entries, n=6, depth=3, readout="Z2"):
    noise = {"dephasing": [{"rate": 0.04, "correlation": "static", **entry} for entry in entries]}
    return eq.Problem(eq.circuits.brickwork(n, depth), readout=readout, initial="neel", noise=noise)


def compiled(stated):
    cone = light_cone(stated)
    place = {q: i for i, q in enumerate(cone.qubits)}
    return cone, place, compile_processes(stated.processes, cone, place, cone.width)


# -- covariance ----------------------------------------------------------------------------------------------------

_TIMES = st.floats(1e-3, 1e6) | st.just(math.inf)
CORRELATIONS = st.lists(st.tuples(st.floats(1e-3, 1e3), _TIMES), min_size=1, max_size=8)


def program(pairs, depth, width=1):
    correlation = Dephasing(0.1, correlation=pairs).correlation
    return ProcessProgram(np.ones((depth, width)), correlation, tuple(range(width)), np.ones(width))


@settings(deadline=None)
@given(CORRELATIONS, st.integers(1, 40))
def test_factor_reproduces_the_covariance(pairs, depth):
    process = program(pairs, depth)
    covariance, factor = process.covariance(), process.factor()
    np.testing.assert_allclose(np.diag(covariance), 1, atol=1e-14)
    assert np.linalg.eigvalsh(covariance).min() > -1e-12
    assert factor.shape[0] == depth
    assert factor.shape[1] <= depth
    np.testing.assert_allclose(factor @ factor.T, covariance, atol=1e-10)
    # principal components, the largest first
    sizes = (factor**2).sum(axis=0)
    assert (np.diff(sizes) <= 1e-12).all()


def test_covariance_is_that_of_the_stated_process_slot_by_slot():
    process = program({"1/f": [1, 100]}, 5)
    stated = problem([{"correlation": {"1/f": [1, 100]}, "weights": "all"}], depth=5).processes[0]
    for i, j in itertools.product(range(5), repeat=2):
        assert process.covariance()[i, j] == pytest.approx(stated.covariance(abs(i - j)), abs=1e-15)
    assert process.covariance(3).shape == (3, 3)
    np.testing.assert_array_equal(process.covariance(7)[:5, :5], process.covariance())


def test_static_noise_is_one_number_and_short_times_are_independent_slots():
    np.testing.assert_allclose(program("static", 6).factor(), np.ones((6, 1)), atol=1e-14)
    for time in (1e-3, 1e-320):
        np.testing.assert_allclose(program(time, 4).covariance(), np.eye(4), atol=1e-15)
        assert program(time, 4).factor().shape == (4, 4)


def test_sampled_sequences_have_the_covariance():
    factor = program([[1, 2.0], [1, "inf"]], 4).factor()
    samples = factor @ np.random.default_rng(0).standard_normal((factor.shape[1], 200_000))
    # a covariance of unit normals from N samples has a standard error of at most sqrt(2/N) = 0.0032: 4 sigma
    np.testing.assert_allclose(
        samples @ samples.T / 200_000, program([[1, 2.0], [1, "inf"]], 4).covariance(), atol=0.013
    )


def test_arrays_are_read_only_and_the_factor_is_made_once():
    process = program(3.0, 4)
    for array in (process.coefficients, process.weights, process.covariance(), process.factor()):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0
    assert process.factor() is process.factor()


# -- what the readout sees -----------------------------------------------------------------------------------------


def test_coefficients_are_amplitude_times_weight_where_the_readout_sees_the_qubit():
    # Z2 sees 0..5 before layer 0, 1..4 after it, 2..3 after layer 1 and 2 after the last
    weights = {q: float(q + 1) for q in range(6)}
    stated = problem([{"weights": weights, "layers": [0, 1]}])
    cone, place, (process,) = compiled(stated)
    expected = np.zeros((3, cone.width))
    for layer in (0, 1):
        for qubit in cone.seen[layer]:
            expected[layer, place[qubit]] = 0.2 * weights[qubit]
    assert 0 < np.count_nonzero(expected) < 2 * cone.width
    np.testing.assert_array_equal(process.coefficients, expected)
    assert process.qubits == tuple(sorted(cone.seen[0] | cone.seen[1]))
    shown = {q: process.weights[place[q]] for q in cone.qubits}
    assert shown == {q: weights[q] if q in process.qubits else 0.0 for q in cone.qubits}
    assert process.correlation == ((1.0, math.inf),)
    assert process.depth == 3


def test_cone_indices_follow_the_cone_and_not_the_circuit():
    stated = problem([{"weights": {8: 1.0, 7: 0.5}}], n=12, depth=2, readout="Z8")
    cone, place, (process,) = compiled(stated)
    assert cone.qubits[0] > 0
    np.testing.assert_allclose(process.coefficients[-1], [0.2 if q == 8 else 0.0 for q in cone.qubits])
    assert process.weights[place[7]] == (0.5 if 7 in cone.seen[0] else 0.0)


def test_processes_that_the_readout_never_sees_are_dropped():
    far = {"weights": {11: 1.0}}
    hidden = {"weights": {0: 1.0}, "layers": [1]}  # in the cone, but not in the slot in which it acts
    seen = {"weights": {1: 1.0}}
    stated = problem([far, hidden, seen], n=12, depth=2, readout="Z1")
    cone, _, programs = compiled(stated)
    assert 0 in cone.qubits
    assert len(stated.processes) == 3
    assert [p.qubits for p in programs] == [(1,)]


def test_processes_of_each_qubit_stay_independent_programs():
    _, _, programs = compiled(problem([{"weights": "each"}, {"weights": "each"}]))
    assert len(programs) == 2 * len({p.qubits for p in programs})
    assert all(np.count_nonzero(p.weights) == 1 for p in programs)


def _value(stated, theta, phases):
    """C of one trajectory over the full space: exp(-i sum_j xi_jl a_jl K_j) after layer l, xi given."""
    n = stated.num_qubits
    bound = stated.circuit.assign_parameters(dict(zip(stated.parameters, theta, strict=True)))
    state = stated.initial.statevector()
    levels = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    for layer, angles in zip(stated.layers, phases, strict=True):
        circuit = QuantumCircuit(n)
        for gate in layer.gates:
            circuit.append(bound.data[gate.position].operation, gate.qubits)
        state = np.exp(-1j * levels @ angles) * (Operator(circuit).data @ state)
    return float((state.conj() @ stated.readout.to_matrix() @ state).real)


@settings(max_examples=10, deadline=None)
@given(
    st.integers(0, 1000),
    st.lists(st.sampled_from([1.0, -0.5, 0.3]), min_size=5, max_size=5),
    st.sampled_from(["Z2", "X1X2+Y1Y2", "Z0Z4"]),
)
def test_a_trajectory_is_the_same_with_what_the_readout_does_not_see_left_out(seed, weights, readout):
    entries = [{"weights": dict(enumerate(weights)), "correlation": 2.0}, {"weights": "each"}]
    stated = problem(entries, n=5, readout=readout)
    rng = np.random.default_rng(seed)
    theta = rng.uniform(-3, 3, len(stated.parameters))
    whole, seen = np.zeros((3, 5)), np.zeros((3, 5))
    cone = light_cone(stated)
    place = {q: i for i, q in enumerate(cone.qubits)}
    for process in stated.processes:
        xi = rng.normal(size=3)
        for qubit, weight in process.pairs:
            whole[:, qubit] += 3 * xi * np.array(process.amplitudes) * weight
        for kept in compile_processes([process], cone, place, cone.width):
            seen[:, list(cone.qubits)] += 3 * xi[:, None] * kept.coefficients
    assert _value(stated, theta, seen) == pytest.approx(_value(stated, theta, whole), abs=1e-12)


# -- the largest rate ----------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from([1.0, -1.0, 0.5, 0.3, 0.0]), min_size=4, max_size=4).filter(any),
    st.sampled_from(["static", 2.0]),
    st.sampled_from([None, 0, 1, 2, 3]),
    st.sampled_from(["Z0Z2Z3", "X0X1+Y0Y1"]),
)
def test_no_history_decays_faster_than_the_greatest_rate(weights, correlation, charge, readout):
    """All histories of two slots by brute force: the bound is attained."""
    stated = problem([{"weights": dict(enumerate(weights)), "correlation": correlation}], 4, 2, readout)
    cone, place, programs = compiled(stated)
    for process in programs:
        width = cone.width
        reached = []
        for layer in range(2):
            hidden = [place[q] for q in cone.qubits if q not in cone.seen[layer]]
            states = [x for x in itertools.product([0, 1], repeat=width) if charge is None or sum(x) == charge]
            pairs = [(x, y) for x in states for y in states if all(x[i] == y[i] for i in hidden)]
            differences = {tuple(2 * (b - a) for a, b in zip(x, y, strict=True)) for x, y in pairs}
            reached.append([float(process.coefficients[layer] @ np.array(dz)) for dz in differences])
        rates = [np.array(d) @ process.covariance() @ np.array(d) / 2 for d in itertools.product(*reached)]
        assert greatest_process_rate(process, cone, place, charge) == pytest.approx(max(rates), abs=1e-12)


def test_collective_process_costs_nothing_inside_a_sector():
    stated = problem([{"weights": "all"}])
    cone, place, (process,) = compiled(stated)
    assert greatest_process_rate(process, cone, place, 3) == 0
    assert greatest_process_rate(process, cone, place) > 0


# -- circuits of more layers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "period"),
    [
        ({}, 2),
        ({"layers": [0, 2]}, 2),
        ({"layers": [0]}, None),
        ({"layers": [0, 1, 2]}, None),
        ({"gate": "rzz"}, 2),
        ({"gate": "rzz", "layers": [0]}, None),
        # acts nowhere
        ({"gate": "cz", "layers": [0]}, 2),
    ],
)
def test_layers_repeat_if_the_amplitudes_of_the_processes_do(entry, period):
    expected = None if period is None else Repetition(0, period, 0)
    assert repetition(problem([entry], n=4, depth=4, readout="Z1")) == expected


@pytest.mark.parametrize("depth", [1, 4, 7])
@pytest.mark.parametrize(
    ("entry", "layers"),
    [
        ({}, [0, 1, 2, 3]),
        ({"weights": "all", "correlation": 5}, [0, 1, 2, 3]),
        ({"weights": {0: 1.0, 1: -0.5}, "correlation": {"1/f": [1, 50]}, "layers": [1, 3]}, [1, 3]),
        ({"weights": {1: 1.0}, "gate": "rzz", "on": [1, 2]}, [1, 3]),
    ],
)
def test_repeated_circuit_has_the_processes_of_that_depth(entry, layers, depth):
    stated = problem([entry], n=4, depth=4, readout="Z1")
    how = repetition(stated)
    again = repeated(stated, depth, how)
    assert len(again.layers) == depth
    assert all(slot.dephasing == () for slot in again.slots)
    amplitudes = tuple(0.2 if number % how.period in layers else 0.0 for number in range(depth))
    found = [(p.pairs, p.rate, p.correlation, p.amplitudes) for p in again.processes]
    expected = [(p.pairs, p.rate, p.correlation, amplitudes) for p in stated.processes] if any(amplitudes) else []
    assert found == expected


def test_repeated_circuit_keeps_how_often_a_process_acts_in_a_slot():
    circuit = QuantumCircuit(2)
    angles = iter(ParameterVector("t", 6))
    for count in (2, 1, 2, 1):
        for _ in range(count):
            circuit.append(XXPlusYYGate(next(angles)), [0, 1])
        circuit.barrier()
    entry = {"rate": 0.04, "weights": {0: 1.0}, "correlation": 3, "gate": "xx_plus_yy"}
    stated = eq.Problem(circuit, readout="Z0", initial="01", noise={"dephasing": [entry]})
    assert repetition(stated) == Repetition(0, 2, 0)
    (process,) = repeated(stated, 5, Repetition(0, 2, 0)).processes
    assert process.amplitudes == (0.4, 0.2, 0.4, 0.2, 0.4)
