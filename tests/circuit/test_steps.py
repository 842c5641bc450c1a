"""Rotations of one angle joined to steps: by kind first, so that gates that share an angle by chance stay apart."""

from __future__ import annotations

import itertools

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from equinoise.circuit.layers import layered
from equinoise.circuit.steps import steps

N = 4
PAIRS = list(itertools.combinations(range(N), 2))


def everywhere(circuit, gate, *angle):
    for qubits in PAIRS if gate in ("rxx", "ryy", "rzz", "cz") else [(q,) for q in range(N)]:
        getattr(circuit, gate)(*angle, *qubits)


def joined(*gates):
    circuit, t = QuantumCircuit(N), Parameter("t")
    for gate in gates:
        everywhere(circuit, gate, *(() if gate in ("h", "cz", "s") else (t,)))
    circuit.barrier(label="layer")
    found = steps(layered(circuit, find_preparation=False).layers)
    return [(len(step.rotations), sorted({"".join(p for _, p in s) for s in step.generator})) for step in found]


@pytest.mark.parametrize(
    ("gates", "expected"),
    [
        (("rx", "ry"), [(4, ["X"]), (4, ["Y"])]),
        (("rx", "rzz"), [(4, ["X"]), (6, ["ZZ"])]),
        (("rzz", "rx", "rxx"), [(6, ["ZZ"]), (10, ["X", "XX"])]),
        (("h", "cz"), [(4, ["X", "Z"]), (6, ["Z", "ZZ"])]),
        (("h", "s", "h"), [(4, ["X", "Z"]), (4, ["Z"]), (4, ["X", "Z"])]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value[0], str) else None,
)
def test_gates_that_share_an_angle_make_one_step_of_each_kind_unless_all_commute(gates, expected):
    assert joined(*gates) == expected


def test_an_exchange_spelt_by_three_gates_is_one_step():
    """RXX, RYY, RZZ on one pair commute; on pairs that share a qubit they do not."""
    circuit, t = QuantumCircuit(N), Parameter("t")
    for pair in ((0, 1), (2, 3)):
        for gate in ("rxx", "ryy", "rzz"):
            getattr(circuit, gate)(t, *pair)
    circuit.barrier(label="layer")
    (step,) = steps(layered(circuit).layers)
    assert len(step.rotations) == len(step.generator) == 6


@pytest.mark.parametrize("size", [3e-10, 1.0, 1e9])
def test_joining_rotations_does_not_depend_on_the_size_of_their_angles_coefficient(size):
    """RX and RZ of one qubit commute with nothing between them at any size; constants keep their digits."""
    circuit, t, u = QuantumCircuit(2), Parameter("t"), Parameter("u")
    circuit.rx(size * t + 0.3, 0)
    circuit.rz(size * u, 0)
    circuit.rx(size * t + 0.3, 0)
    circuit.rx(size * t + 0.3, 1)
    found = steps(layered(circuit, find_preparation=False).layers)
    assert sorted(len(step.rotations) for step in found) == [1, 1, 2]
    for step in found:
        (k, c), *_ = step.angle.coefficients
        value = step.generator[min(step.generator)]
        assert (c, value) == (1.0, pytest.approx(size / 2))
        assert step.angle.constant * size == pytest.approx(0.3 if k == 0 else 0.0, rel=1e-11)
