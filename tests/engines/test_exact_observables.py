"""Several operators read from one state, and the gradient of any function of their values, by the exact engine."""

from __future__ import annotations

import math

import numpy as np
import pytest
from qiskit.quantum_info import SparsePauliOp

import equinoise as eq
import slow_twin as reference
from equinoise.engines.select import exact_engine
from equinoise.reduction.program import compile_problem
from support import random_theta

READOUTS = ["Z1", "Z2Z3", "X1X2+Y1Y2", "0.5*Z3 - 2*Z0"]
NOISES = ["dephasing:0.05+collective:0.02", "relaxation:down=0.07,up=0.02+depolarizing:0.03"]


def covering_problem(noise, **options):
    """Five qubits; the readout covers every qubit that the operators act on."""
    circuit = eq.circuits.brickwork(5, depth=4)
    return eq.Problem(circuit, readout="Z0+Z1+Z2+Z3+Z4", initial="neel", noise=noise, **options)


def operators_of(problem):
    program = compile_problem(problem)
    parsed = [problem.with_readout(label).readout for label in READOUTS]
    return [program.operator_entries(operator) for operator in parsed]


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("scale", [0.0, 0.7, math.inf])
def test_each_operator_has_the_value_and_gradient_that_it_has_as_a_readout(noise, scale):
    problem = covering_problem(noise)
    theta = random_theta(problem, 1)
    engine, operators = exact_engine(problem), operators_of(problem)
    for i, label in enumerate(READOUTS):
        alone = problem.with_readout(label)
        values, gradient = engine.value_and_pullback(theta, scale, operators, lambda v, i=i: np.eye(v.size)[i])
        # rounding of two exact sweeps, in one cone and in another
        assert values[i] == pytest.approx(reference.value(alone, theta, scale), abs=1e-12)
        np.testing.assert_allclose(gradient, reference.gradient(alone, theta, scale), rtol=0, atol=1e-12)


def test_gradient_of_a_function_of_several_values_is_its_chain_rule():
    problem = covering_problem(NOISES[1])
    theta = random_theta(problem, 2)
    engine, operators = exact_engine(problem), operators_of(problem)

    def function(v):
        return math.sin(v[0]) * v[1] + v[2] ** 2 * v[3]

    def cotangent(v):
        return np.array([math.cos(v[0]) * v[1], math.sin(v[0]), 2 * v[2] * v[3], v[2] ** 2])

    _, gradient = engine.value_and_pullback(theta, 1.0, operators, cotangent)
    step = 1e-5
    for k in (0, 3, 11, theta.size - 1):
        ahead, behind = theta.copy(), theta.copy()
        ahead[k] += step
        behind[k] -= step
        difference = function(engine.values(ahead, 1.0, operators)) - function(engine.values(behind, 1.0, operators))
        # central difference: error step^2
        assert gradient[k] == pytest.approx(difference / (2 * step), abs=1e-8)


def test_a_sweep_short_of_memory_reads_the_same(monkeypatch):
    problem = covering_problem(NOISES[1])
    theta = random_theta(problem, 3)
    roomy = exact_engine(problem).value_and_pullback(theta, 1.0, operators_of(problem), np.cos)
    state = 16 * compile_problem(problem).numbers / 1e9
    monkeypatch.setenv("EQUINOISE_MEMORY_GB", str(3.5 * state))
    tight_problem = covering_problem(NOISES[1])
    tight = exact_engine(tight_problem, workers=1)
    assert tight.kept < len(problem.layers)
    found = tight.value_and_pullback(theta, 1.0, operators_of(tight_problem), np.cos)
    np.testing.assert_allclose(found[0], roomy[0], rtol=0, atol=1e-14)
    np.testing.assert_allclose(found[1], roomy[1], rtol=0, atol=1e-14)


@pytest.mark.parametrize("noise", NOISES)
def test_expansion_holds_the_taylor_coefficients_of_value_and_gradient(noise):
    problem = covering_problem(noise)
    theta = random_theta(problem, 4)
    engine, operators = exact_engine(problem), operators_of(problem)
    for label, operator in zip(READOUTS, operators, strict=True):
        values, gradients = engine.expansion(theta, operator)
        alone = problem.with_readout(label)
        small = 1e-3
        powers = small ** np.arange(3)
        # the next order is s^3 times a rate of order 1 cubed
        assert values @ powers == pytest.approx(reference.value(alone, theta, small), abs=3e-9)
        np.testing.assert_allclose(gradients[0], reference.gradient(alone, theta, 0.0), rtol=0, atol=1e-12)
        np.testing.assert_allclose(powers @ gradients, reference.gradient(alone, theta, small), rtol=0, atol=3e-9)


def test_a_projected_operator_sees_one_charge_of_the_cone():
    problem = covering_problem(NOISES[1], projected=True)
    program = compile_problem(problem)
    identity = SparsePauliOp("IIIII")
    theta = random_theta(problem, 5)
    kept = exact_engine(problem).values(theta, 1.0, [program.operator_entries(identity, q) for q in range(6)])
    # the charges are all there is
    assert kept.sum() == pytest.approx(1.0, abs=1e-13)
    assert 0 < kept[problem.charge] < 1


def test_an_operator_outside_the_cone_is_named():
    problem = eq.Problem(eq.circuits.brickwork(8, depth=2), readout="Z0", initial="neel")
    with pytest.raises(eq.EquinoiseError, match=r"qubit 7, outside the light cone \(0, 1\)"):
        compile_problem(problem).operator_entries(SparsePauliOp("Z" + "I" * 7))
