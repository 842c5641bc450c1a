"""The classical process that full dephasing leaves, against the exact engine and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import XXPlusYYGate
from qiskit.quantum_info import Statevector

import equinoise as eq
from equinoise.engines.sector.exact import ExactEngine
from equinoise.engines.vectors.classical import classical_gradient, is_classical
from equinoise.engines.vectors.trajectories import TrajectoryEngine
from equinoise.reduction.program import compile_problem
from support import random_theta

EACH = {"dephasing": [{"rate": 0.1, "weights": "each"}]}
# with the charge, all but one qubit suffices to tell basis states apart
ALL_BUT_ONE = {"dephasing": [{"rate": 0.1, "weights": {q: 1.0}} for q in range(1, 6)]}
PRODUCT = np.array([[math.cos(a), math.sin(a) * np.exp(0.3j * a)] for a in range(6)])
DICKE = Statevector(np.array([x.bit_count() == 2 for x in range(64)]) / math.sqrt(15))


def stated(noise, readout="Z2", initial="neel", **options):
    return eq.Problem(eq.circuits.brickwork(6, depth=5), readout, initial=initial, noise=noise, **options)


@pytest.mark.parametrize("noise", [EACH, ALL_BUT_ONE], ids=["each", "all but one"])
@pytest.mark.parametrize("initial", ["neel", PRODUCT, DICKE], ids=["neel", "product", "dicke"])
@pytest.mark.parametrize("readout", ["Z2", "Z1Z3", "Z0-0.5*Z4", "X2X3+Y2Y3"])
def test_gradient_of_the_process_is_the_exact_one_at_infinite_noise(noise, initial, readout):
    problem = stated(noise, readout, initial)
    program = compile_problem(problem)
    assert is_classical(program)
    theta = random_theta(problem, 4)
    exact = ExactEngine(program).draw(theta, math.inf).gradient
    engine = TrajectoryEngine(program)
    # exact linear algebra on both sides, entries of order 1
    np.testing.assert_allclose(classical_gradient(program, engine.program.inputs(), theta), exact, rtol=0, atol=1e-12)
    assert engine.frozen(theta, np.random.default_rng(0)) == pytest.approx(exact @ exact, abs=1e-12)


def test_two_dephased_hops_move_an_excitation_by_products_of_cosines():
    theta = ParameterVector("t", 2)
    circuit = QuantumCircuit(2)
    for angle in theta:
        circuit.append(XXPlusYYGate(angle), [0, 1])
        circuit.barrier()
    problem = eq.Problem(circuit, "Z0", initial="01", noise="dephasing:0.1")
    program = compile_problem(problem)
    a, b = 0.7, 1.9
    # a hop keeps the excitation with probability cos^2(t/2): <Z0> = -cos(a) cos(b)
    gradient = classical_gradient(program, program.inputs(), np.array([a, b]))
    np.testing.assert_allclose(gradient, [math.sin(a) * math.cos(b), math.cos(a) * math.sin(b)], atol=1e-14)


@pytest.mark.parametrize(
    "noise",
    [
        "none",
        "collective:0.1",
        "relaxation:0.1",
        {"dephasing": [{"rate": 0.1, "weights": {q: 1.0}} for q in range(2, 6)]},
        {"dephasing": [{"rate": 0.1, "weights": "each", "layers": [0, 1, 3, 4]}]},
        {"dephasing": [{"rate": 0.1, "weights": "each", "correlation": "static"}]},
    ],
    ids=["none", "collective", "relaxation", "two qubits left out", "a slot left out", "static"],
)
def test_noise_that_leaves_coherences_is_no_classical_process(noise):
    assert not is_classical(compile_problem(stated(noise)))


def test_two_blocks_of_a_layer_on_one_qubit_interfere_and_are_no_classical_process():
    theta = ParameterVector("t", 4)
    circuit = QuantumCircuit(3)
    for layer in range(2):
        circuit.append(XXPlusYYGate(theta[2 * layer]), [0, 1])
        circuit.append(XXPlusYYGate(theta[2 * layer + 1]), [1, 2])
        circuit.barrier()
    program = compile_problem(eq.Problem(circuit, "Z1", initial="011", noise="dephasing:0.1"))
    assert not is_classical(program)
