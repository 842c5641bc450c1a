"""What a gradient costs in shots, against sampled shift-rule gradients, and what imperfect readout adds."""

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
from equinoise.diagnosis.shots import resolved_rms, shots_per_gradient
from shot_twin import qubit_wise, shift_rule_errors


@given(st.floats(1e-3, 10), st.floats(1e-4, 1), st.floats(0.1, 100))
def test_shots_per_gradient_is_where_the_estimates_are_as_uncertain_as_the_gradient_is_large(variance, rms, weight):
    shots = shots_per_gradient(variance, rms, weight)
    assert weight * variance / shots == pytest.approx(rms**2, rel=1e-12)
    # at these shots the gradient is just resolved
    assert resolved_rms(variance, shots, weight) == pytest.approx(rms, rel=1e-12)


def test_no_gradient_takes_for_ever_and_a_sharp_readout_takes_none():
    assert shots_per_gradient(1.0, 0.0, 0.5) == math.inf
    assert shots_per_gradient(0.0, 0.1, 0.5) == 0
    assert resolved_rms(0.0, 100, 0.5) == 0


# -- against real shift-rule estimates from simulated shots --------------------------------------------------------


def rotations():
    """RY and RZZ, one angle each."""
    circuit, theta = QuantumCircuit(3), iter(ParameterVector("t", 10))
    for _ in range(2):
        for q in range(3):
            circuit.ry(next(theta), q)
        circuit.rzz(next(theta), 0, 1)
        circuit.rzz(next(theta), 1, 2)
    return eq.Problem(circuit, "Z1", initial="000", allow_broken=True)


def scaled():
    """RZ(10 a) between fixed hops."""
    circuit = QuantumCircuit(2)
    a, b = ParameterVector("t", 2)
    for angle, gate in ((1.1, (a, 0)), (0.7, (b, 1)), (1.3, None)):
        circuit.append(XXPlusYYGate(angle), [0, 1])
        if gate:
            circuit.rz(10 * gate[0], gate[1])
    return eq.Problem(circuit, "Z0", initial="01")


ERRORS = {q: (0.03 + 0.02 * q, 0.1) for q in range(4)}
KINDS = {
    "plain": rotations,
    "ten times the angle": scaled,
    "shared angles": lambda: eq.Problem(eq.circuits.brickwork(4, 3, shared=True), "Z1", initial="neel"),
    "permutation-equivariant": lambda: eq.Problem(
        eq.circuits.permutation_equivariant(4, 2), "Z0+Z1+Z2+Z3", initial="0000", symmetry="permutation"
    ),
    "hopping, four terms": lambda: eq.Problem(
        eq.circuits.brickwork(4, 3, interaction="none"), "X1X2+Y1Y2", initial="neel"
    ),
    "sum with assignment errors": lambda: eq.Problem(
        eq.circuits.brickwork(4, 3), "Z0+Z1+0.5*Z2Z3", initial="neel", noise=eq.NoiseModel(readout_error=ERRORS)
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_real_shift_rule_estimates_are_as_noisy_as_large_at_the_shots_of_the_diagnosis(kind):
    """Every gate shifted by itself, outcomes drawn: mean sum_k (estimate - g_k)^2 over mean sum_k g_k^2 is 1."""
    problem = KINDS[kind]()
    resources = eq.diagnose(problem, sampling=eq.Sampling(samples=64), curve=False, depth=False).resources
    thetas, shots = eq.Ensemble.of(None).draw(problem, 64, 0), max(1, round(resources.shots_per_gradient))
    settings = qubit_wise(problem.readout.to_sparse_list())
    assert resources.settings == len(settings)
    errors = dict(problem.noise.readout_error)
    noise, signal = shift_rule_errors(problem, settings, thetas, shots, errors, repeats=8)
    ratio = math.sqrt(noise / signal * shots / resources.shots_per_gradient)
    # 64 draws of Var(O) and of the shots: a few per cent
    assert ratio == pytest.approx(1, abs=0.1)


def test_shots_of_a_narrow_ensemble_are_those_at_the_shifted_angles():
    """Neel input and angles near 0: Var(Z) = sin^2 a is next to nothing, but 1 where cos a is shifted by pi/2."""
    problem = one_hop()
    thetas = np.random.default_rng(3).normal(0, 0.05, (64, 1))
    resources = eq.diagnose(problem, sampling=eq.Sampling(ensemble=thetas), curve=False, depth=False).resources
    noise, signal = shift_rule_errors(problem, [({0: "Z"}, [((0,), 1.0)])], thetas, 100, {}, repeats=40)
    assert math.sqrt(100 * noise / signal / resources.shots_per_gradient) == pytest.approx(1, abs=0.1)


def one_hop(noise="none"):
    circuit = QuantumCircuit(2)
    circuit.append(XXPlusYYGate(Parameter("a")), [0, 1])
    return eq.Problem(circuit, readout="Z0", initial="01", noise=noise)


def test_variance_of_one_measurement_is_that_of_the_readout():
    """<Z> = -cos a, Z^2 = 1; and of hopping, whose square is not 1."""
    assert eq.expectation(one_hop(), [0.8]).shot_variance == pytest.approx(math.sin(0.8) ** 2, abs=1e-12)
    circuit = eq.circuits.brickwork(4, 3)
    theta = np.linspace(-2, 2, circuit.num_parameters)
    hopping = eq.Problem(circuit, readout="X1X2+Y1Y2", initial="neel", noise="dephasing:0.1+relaxation:0.05")
    square = eq.Problem(circuit, hopping.readout @ hopping.readout, initial="neel", noise=hopping.noise)
    found = eq.expectation(hopping, theta)
    assert found.shot_variance == pytest.approx(eq.expectation(square, theta).value - found.value**2, abs=1e-12)


def test_diagnosis_asks_for_the_shots_of_the_formula():
    report = eq.diagnose(one_hop("relaxation:0.2"), sampling=eq.Sampling(samples=8), shots=500, curve=False)
    resources = report.resources
    assert resources.shots == 500
    # XX+YY takes four terms: 3/8
    assert (resources.shift_weight, resources.evaluations, resources.settings) == (pytest.approx(0.375), 4, 1)
    assert resources.resolved_rms == pytest.approx(math.sqrt(0.375 * resources.shot_variance / 500), rel=1e-12)
    assert resources.measured_rms == pytest.approx(report.simulated.rms_gradient, rel=1e-12)
    assert resources.shots_per_gradient == pytest.approx(
        0.375 * resources.shot_variance / report.simulated.rms_gradient**2, rel=1e-12
    )


@pytest.mark.parametrize(("p01", "p10"), [(0.03, 0.03), (0.02, 0.08), (0.0, 0.2)])
def test_readout_error_scales_the_measured_gradient_and_not_the_survival(p01, p10):
    """Z becomes (1 - p01 - p10) Z + (p10 - p01)."""
    quiet = eq.diagnose(one_hop("relaxation:0.2"), sampling=eq.Sampling(samples=8), curve=False)
    noise = eq.NoiseModel(relaxation=0.2, readout_error={0: (p01, p10), 1: (0.3, 0.3)})
    read = eq.diagnose(one_hop(noise), sampling=eq.Sampling(samples=8), curve=False)
    factor = 1 - p01 - p10
    assert read.resources.readout_factor == pytest.approx(factor, rel=1e-10)
    assert read.resources.measured_rms == pytest.approx(factor * quiet.simulated.rms_gradient, rel=1e-10)
    assert read.simulated == quiet.simulated
    assert read.law.kappa == quiet.law.kappa
    assert read.noiseless_rms == quiet.noiseless_rms


def test_readout_error_of_a_pair_multiplies():
    """Each of X0X1 and Y0Y1 is read on both qubits: (1 - 2 p)(1 - 2 q)."""
    circuit = eq.circuits.brickwork(4, 3)
    noise = eq.NoiseModel(dephasing=0.02, readout_error={1: (0.05, 0.05), 2: (0.1, 0.1)})
    report = eq.diagnose(
        eq.Problem(circuit, readout="X1X2+Y1Y2", initial="neel", noise=noise),
        sampling=eq.Sampling(samples=6),
        curve=False,
    )
    assert report.resources.readout_factor == pytest.approx(0.9 * 0.8, rel=1e-10)
    assert any("readout errors scale the measured gradient by 0.720" in text for text in report.advice)


def test_readout_error_of_other_qubits_costs_nothing():
    report = eq.diagnose(
        one_hop(eq.NoiseModel(readout_error={1: (0.2, 0.2)})), sampling=eq.Sampling(samples=4), curve=False
    )
    assert report.resources.readout_factor == 1


def test_hopping_readout_on_a_device_keeps_what_conserves_the_charge():
    circuit = eq.circuits.brickwork(6, depth=2)
    errors = {2: (0.01, 0.03), 3: (0.0, 0.05)}
    noise = eq.NoiseModel(dephasing=0.01, readout_error=errors)
    problem = eq.Problem(circuit, readout="X2X3+Y2Y3", initial="neel", noise=noise)
    report = eq.diagnose(problem, sampling=eq.Sampling(samples=8), depth=False)
    # X2 alone, of weight p10 - p01 on qubit 3, has mean 0 in a state without coherence between charges
    assert report.resources.readout_factor == pytest.approx((1 - 0.04) * (1 - 0.05), rel=1e-12)
    superposed = eq.Problem(circuit, readout="X2X3+Y2Y3", initial=[[0.6, 0.8]] * 6, noise=noise)
    assert any("terms that move the charge; left out" in note for note in superposed.as_read().warnings)
