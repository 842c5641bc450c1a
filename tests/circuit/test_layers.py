"""Layers: which barriers end one, and that all other barriers change nothing."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit, qasm2, qasm3
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import XXPlusYYGate

import equinoise as eq
from equinoise.circuit.layers import end_layer, layered

DEPTH = 5
NOISE = "dephasing:0.01+relaxation:0.02"


def plain(barriers=False):
    """Hopping in a brick pattern, as soon as possible or between barriers."""
    circuit, theta = QuantumCircuit(4), iter(ParameterVector("t", 2 * DEPTH))
    for layer in range(DEPTH):
        if barriers and layer:
            circuit.barrier()
        for first in range(layer % 2, 3, 2):
            circuit.append(XXPlusYYGate(next(theta)), [first, first + 1])
    return circuit.assign_parameters({p: 0.1 + 0.3 * k for k, p in enumerate(circuit.parameters) if k > 4})


def trailing(circuit):
    circuit.barrier()
    return circuit


def measured(circuit):
    circuit.measure_all()
    return circuit


def leading(circuit):
    out = QuantumCircuit(4)
    out.barrier()
    return out.compose(circuit)


def twice(circuit):
    circuit.barrier()
    circuit.barrier()
    return circuit


def partial(circuit):
    circuit.barrier(0, 1)
    circuit.rz(0.2, 0)
    return circuit


def prepared(circuit, barrier=True):
    out = QuantumCircuit(4)
    out.x([0, 2])
    if barrier:
        out.barrier()
    return out.compose(circuit)


@pytest.mark.parametrize("idle", [trailing, measured, leading, twice, partial])
def test_a_barrier_without_gates_on_both_sides_changes_nothing(idle):
    """All noise of the circuit went to the end: one layer, kappa 0, "trainable"."""
    stated = [eq.Problem(c, "Z1", "neel", NOISE) for c in (plain(), idle(plain()))]
    assert [len(p.layers) for p in stated] == [DEPTH, DEPTH]
    assert {p.layers_found for p in stated} == {"as soon as possible"}
    one, two = (eq.law(p, sampling=eq.Sampling(samples=8)) for p in stated)
    assert two.kappa == pytest.approx(one.kappa, rel=1e-9)
    assert one.kappa > 0.01


def test_a_barrier_behind_the_preparation_alone_changes_nothing():
    stated = [eq.Problem(prepared(plain(), barrier), "Z1", noise=NOISE) for barrier in (False, True)]
    assert [(len(p.layers), p.layers_found) for p in stated] == [(DEPTH, "as soon as possible")] * 2
    one, two = (eq.gradient(p, np.linspace(0.2, 1.4, 5)).gradient for p in stated)
    np.testing.assert_allclose(one, two, atol=1e-12)


@pytest.mark.parametrize("dumps", [qasm2.dumps, qasm3.dumps], ids=["qasm2", "qasm3"])
def test_a_file_that_ends_with_a_barrier_has_the_layers_of_the_circuit(dumps, tmp_path):
    bound = plain().assign_parameters([0.3] * 5)
    path = tmp_path / "circuit.qasm"
    path.write_text(dumps(measured(bound)))
    assert len(layered(eq.load_circuit(path)).layers) == DEPTH


@pytest.mark.parametrize("idle", [lambda c: c, trailing, measured, leading])
def test_barriers_with_gates_on_both_sides_end_layers(idle):
    circuit = idle(plain(barriers=True))
    problem = eq.Problem(circuit, "Z1", "neel", NOISE)
    assert (len(problem.layers), problem.layers_found) == (DEPTH, "barriers")


def test_barriers_divide_gates_that_would_share_a_layer_and_join_those_that_would_not():
    circuit = QuantumCircuit(4)
    circuit.append(XXPlusYYGate(0.1), [0, 1])
    circuit.append(XXPlusYYGate(0.2), [1, 2])
    circuit.barrier()
    circuit.append(XXPlusYYGate(0.3), [2, 3])
    split = layered(circuit)
    assert [len(layer.blocks) for layer in split.layers] == [2, 1]
    assert split.found == "barriers"


def test_one_stated_layer_is_kept_where_no_gate_follows_its_end():
    circuit = QuantumCircuit(3)
    circuit.append(XXPlusYYGate(0.1), [0, 1])
    circuit.append(XXPlusYYGate(0.2), [1, 2])
    asap = layered(circuit)
    end_layer(circuit)
    stated = layered(circuit)
    assert (len(asap.layers), asap.found) == (2, "as soon as possible")
    assert (len(stated.layers), stated.found) == (1, "barriers")


@pytest.mark.parametrize(
    "circuit",
    [
        eq.circuits.ladder(4, 1),
        eq.circuits.permutation_equivariant(4, 1),
        eq.circuits.translation_invariant(4, 1),
        eq.circuits.fermi_hubbard(3, 1),
    ],
    ids=["ladder", "permutation", "translation", "hubbard"],
)
def test_a_builders_single_layer_is_one_layer(circuit):
    assert len(layered(circuit).layers) == 1
    circuit.measure_all()
    assert len(layered(circuit).layers) == 1
