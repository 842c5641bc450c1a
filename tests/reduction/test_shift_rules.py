"""Shift rules differentiate, gate by gate; what they cost adds up over gates that share an angle."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import XXPlusYYGate

import equinoise as eq
from equinoise.reduction.program import compile_problem
from equinoise.reduction.shift_rules import (
    gradient_rounding,
    shift_costs,
    shift_evaluations,
    shift_points,
    shift_rule,
)

energies = st.lists(st.integers(-3, 3), min_size=2, max_size=4).map(lambda e: [x / 2 for x in e])


@given(st.one_of(energies, st.lists(st.floats(-2, 2), min_size=2, max_size=3)), st.integers(0, 2**32 - 1))
def test_rule_differentiates_any_expectation_value_of_its_gate(levels, seed):
    """f(x) = <psi| e^{i x H} A e^{-i x H} |psi> with random A and psi."""
    levels = np.round(levels, 2)
    rng = np.random.default_rng(seed)
    size = len(levels)
    a = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
    psi = rng.normal(size=size) + 1j * rng.normal(size=size)
    rule = shift_rule(np.diag(levels))

    def f(x):
        state = np.exp(-1j * x * levels) * psi
        return (state.conj() @ (a + a.conj().T) @ state).real

    h = np.diag(levels)
    exact = (psi.conj() @ (1j * (h @ (a + a.conj().T) - (a + a.conj().T) @ h)) @ psi).real
    found = sum(d * (f(x) - f(-x)) for x, d in zip(rule.shifts, rule.coefficients, strict=True))
    size = 1 + sum(map(abs, rule.coefficients))
    assert found == pytest.approx(exact, abs=1e-8 * size * np.abs(a).max() * np.vdot(psi, psi).real)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("gap", [0.5, 1.0, 7.0])
def test_equidistant_gaps_take_2r_terms_of_the_known_variance(count, gap):
    """arXiv:2107.12390: W^2 (2 R^2 + 1)/6, which is 1/2 for RZ and 3/8 for XX+YY."""
    rule = shift_rule(np.diag(gap * np.arange(count + 1)))
    assert rule.evaluations == 2 * count
    assert rule.variance == pytest.approx(gap**2 * (2 * count**2 + 1) / 6, rel=1e-10)


def test_multiple_of_the_identity_takes_no_shots():
    assert shift_rule(0.3 * np.eye(4)).evaluations == 0


def costs(circuit, readout, initial):
    problem = eq.Problem(circuit, readout, initial=initial)
    return shift_costs(compile_problem(problem)), problem


def test_noise_grows_with_the_square_of_the_angles_factor_and_adds_up_over_gates():
    circuit = QuantumCircuit(3)
    a, b, c = ParameterVector("t", 3)
    circuit.append(XXPlusYYGate(2 * a), [0, 1])
    circuit.rz(10 * b - a, 0)
    circuit.rzz(b, 0, 1)
    circuit.append(XXPlusYYGate(a), [0, 1])
    circuit.rz(c, 2)
    found, problem = costs(circuit, "Z0", "001")
    assert found.noise == pytest.approx([0.375 * 4 + 0.5 + 0.375, 50 + 0.5, 0])
    assert found.evaluations.tolist() == [10, 4, 0]
    assert shift_evaluations(problem).tolist() == [10, 4, 2]
    points = shift_points(compile_problem(problem))
    assert sum(point.weight for point in points) == pytest.approx(found.total)
    assert {point.rotation for point in points} == {0, 1, 2, 3}


def test_shiftable_problem_shifts_one_gate_of_a_shared_angle():
    circuit, again = QuantumCircuit(2), QuantumCircuit(2)
    a, shift = Parameter("a"), Parameter("b")
    for one, second in ((circuit, 2 * a + 0.3), (again, 2 * a + 0.3 + shift)):
        one.append(XXPlusYYGate(a), [0, 1])
        one.rz(second, 0)
        one.append(XXPlusYYGate(a), [0, 1])
    opened = eq.Problem(circuit, "Z0", initial="01", noise="relaxation:0.1").shiftable()
    moved = eq.Problem(again, "Z0", initial="01", noise="relaxation:0.1")
    assert len(opened.parameters) == 4
    found = eq.expectation(opened, [0.4, 0.0, 0.9, 0.0])
    assert found.value == pytest.approx(eq.expectation(moved, [0.4, 0.9]).value, abs=1e-12)


@pytest.mark.parametrize("factor", [1.0, 1e-9, 1e9])
def test_rounding_follows_the_factors_of_angles_and_readout(factor):
    """RZ before a Z readout moves nothing: what is computed is rounding; the gradient of a hop is none."""
    circuit = QuantumCircuit(2)
    a, b = ParameterVector("t", 2)
    circuit.append(XXPlusYYGate(factor * a), [0, 1])
    circuit.rz(factor * b, 0)
    problem = eq.Problem(circuit, "Z0", initial="01")
    rounding = gradient_rounding(compile_problem(problem))
    thetas = eq.Ensemble.of(None).draw(problem, 16, 0)
    for theta in thetas:
        hop, phase = np.abs(eq.gradient(problem, theta).gradient)
        assert phase <= rounding[1]
        assert hop > rounding[0]
    assert rounding == pytest.approx(factor * 64 * np.finfo(float).eps * np.ones(2))
    assert math.isfinite(rounding.sum())
