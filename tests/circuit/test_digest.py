"""A circuit's identity: equal for equal instructions, another for any other angle, qubit or gate."""

from __future__ import annotations

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter
from qiskit.circuit.library import PauliEvolutionGate, UnitaryGate, efficient_su2
from qiskit.quantum_info import SparsePauliOp

import equinoise as eq
from equinoise.circuit.stored.digest import circuit_digest


class Hop(Gate):
    """A gate of an own definition, as users write them."""

    def __init__(self, angle, factor=2.0):
        super().__init__("hop", 2, [angle])
        self.factor = factor

    def _define(self):
        self.definition = QuantumCircuit(2)
        self.definition.rxx(self.factor * self.params[0], 0, 1)


def with_gate(gate, qubits=(0, 1)):
    circuit = QuantumCircuit(3)
    circuit.append(gate, list(qubits))
    return circuit


def evolution(coupling=1.0):
    return with_gate(PauliEvolutionGate(SparsePauliOp(["XX", "YY"], [1.0, coupling]), Parameter("t")))


@pytest.mark.parametrize(
    "build",
    [
        lambda: eq.circuits.brickwork(4, 2),
        lambda: efficient_su2(3),
        lambda: with_gate(Hop(Parameter("t"))),
        evolution,
        lambda: with_gate(UnitaryGate(np.eye(4)[[0, 2, 1, 3]])),
    ],
)
def test_a_circuit_built_twice_has_one_digest_whatever_its_name(build):
    one, two = build(), build()
    two.name = "renamed"
    assert circuit_digest(one) == circuit_digest(two)


def test_each_change_of_gate_qubit_angle_or_parameter_changes_the_digest():
    t = Parameter("t")
    circuits = [
        evolution(),
        evolution(1 + 1e-12),
        with_gate(Hop(t)),
        with_gate(Hop(t), (1, 0)),
        with_gate(Hop(t, factor=3.0)),
        with_gate(Hop(Parameter("u"))),
        with_gate(Hop(t / 3)),
        with_gate(Hop(t * math.nextafter(1 / 3, 1.0))),
        with_gate(Hop(t + 1.0)),
        with_gate(Hop(t + math.nextafter(1.0, 2.0))),
        with_gate(Hop(math.nextafter(1.0, 2.0))),
        with_gate(Hop(1.0)),
        with_gate(UnitaryGate(np.eye(4))),
        with_gate(UnitaryGate(np.diag([1, 1, 1, -1]))),
    ]
    assert len({circuit_digest(circuit) for circuit in circuits}) == len(circuits)
