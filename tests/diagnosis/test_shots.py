"""What a gradient costs in shots, against sampled shift-rule gradients, and what imperfect readout adds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import XXPlusYYGate

import equinoise as eq
from equinoise.diagnosis.shots import resolved_rms, shots_per_gradient


@given(st.floats(1e-3, 10), st.floats(1e-4, 1))
def test_shots_per_gradient_is_the_variance_over_twice_the_square(variance, rms):
    shots = shots_per_gradient(variance, rms)
    assert shots == pytest.approx(variance / (2 * rms**2), rel=1e-12)
    # at these shots the gradient is just resolved
    assert resolved_rms(variance, shots) == pytest.approx(rms, rel=1e-12)


def test_no_gradient_takes_for_ever_and_a_sharp_readout_takes_none():
    assert shots_per_gradient(1.0, 0.0) == math.inf
    assert shots_per_gradient(0.0, 0.1) == 0
    assert resolved_rms(0.0, 100) == 0


def test_two_term_shift_gradient_from_sampled_shots_has_the_stated_error():
    """g = (C(+pi/2) - C(-pi/2))/2 of <Z> = cos t from N shots each: variance (Var_+ + Var_-)/(4 N) = Var/(2 N)."""
    rng = np.random.default_rng(0)
    shots, t = 50, 0.7
    means = [math.cos(t + shift) for shift in (math.pi / 2, -math.pi / 2)]
    counts = [rng.binomial(shots, (1 + m) / 2, size=20_000) for m in means]
    gradients = (2 * counts[0] / shots - 2 * counts[1] / shots) / 2
    variance = np.mean([1 - m**2 for m in means])
    expected = resolved_rms(variance, shots)
    # a standard deviation from 20000 samples is known to 0.5 %: 4 sigma
    assert gradients.std() == pytest.approx(expected, rel=0.02)


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
    report = eq.diagnose(one_hop("relaxation:0.2"), samples=8, shots=500, curve=False)
    resources = report.resources
    assert resources.shots == 500
    assert resources.resolved_rms == pytest.approx(math.sqrt(resources.shot_variance / 1000), rel=1e-12)
    assert resources.measured_rms == pytest.approx(report.simulated.rms_gradient, rel=1e-12)
    assert resources.shots_per_gradient == pytest.approx(
        resources.shot_variance / (2 * report.simulated.rms_gradient**2), rel=1e-12
    )


@pytest.mark.parametrize(("p01", "p10"), [(0.03, 0.03), (0.02, 0.08), (0.0, 0.2)])
def test_readout_error_scales_the_measured_gradient_and_not_the_survival(p01, p10):
    """Z becomes (1 - p01 - p10) Z + (p10 - p01)."""
    quiet = eq.diagnose(one_hop("relaxation:0.2"), samples=8, curve=False)
    noise = eq.NoiseModel(relaxation=0.2, readout_error={0: (p01, p10), 1: (0.3, 0.3)})
    read = eq.diagnose(one_hop(noise), samples=8, curve=False)
    factor = 1 - p01 - p10
    assert read.resources.readout_factor == pytest.approx(factor, rel=1e-10)
    assert read.resources.measured_rms == pytest.approx(factor * quiet.simulated.rms_gradient, rel=1e-10)
    assert read.simulated == quiet.simulated
    assert read.law.kappa == quiet.law.kappa
    assert read.noiseless_rms == quiet.noiseless_rms
    # the outcome is still +-1: Var = 1 - (mean of what is read)^2, averaged over the draws
    thetas = eq.Ensemble.of(None).draw(one_hop(), 8, 0)
    values = np.array([eq.expectation(one_hop("relaxation:0.2"), theta).value for theta in thetas])
    variance = np.mean(1 - (factor * values + p10 - p01) ** 2)
    assert read.resources.shot_variance == pytest.approx(variance, rel=1e-10)


def test_readout_error_of_a_pair_multiplies():
    """Each of X0X1 and Y0Y1 is read on both qubits: (1 - 2 p)(1 - 2 q)."""
    circuit = eq.circuits.brickwork(4, 3)
    noise = eq.NoiseModel(dephasing=0.02, readout_error={1: (0.05, 0.05), 2: (0.1, 0.1)})
    report = eq.diagnose(eq.Problem(circuit, readout="X1X2+Y1Y2", initial="neel", noise=noise), samples=6, curve=False)
    assert report.resources.readout_factor == pytest.approx(0.9 * 0.8, rel=1e-10)
    assert any("readout errors scale the measured gradient by 0.720" in text for text in report.advice)


def test_readout_error_of_other_qubits_costs_nothing():
    report = eq.diagnose(one_hop(eq.NoiseModel(readout_error={1: (0.2, 0.2)})), samples=4, curve=False)
    assert report.resources.readout_factor == 1


def test_hopping_readout_on_a_device_keeps_what_conserves_the_charge():
    circuit = eq.circuits.brickwork(6, depth=2)
    errors = {2: (0.01, 0.03), 3: (0.0, 0.05)}
    noise = eq.NoiseModel(dephasing=0.01, readout_error=errors)
    problem = eq.Problem(circuit, readout="X2X3+Y2Y3", initial="neel", noise=noise)
    report = eq.diagnose(problem, samples=8, depth=False)
    # X2 alone, of weight p10 - p01 on qubit 3, has mean 0 in a state without coherence between charges
    assert report.resources.readout_factor == pytest.approx((1 - 0.04) * (1 - 0.05), rel=1e-12)
    superposed = eq.Problem(circuit, readout="X2X3+Y2Y3", initial=[[0.6, 0.8]] * 6, noise=noise)
    assert any("terms that move the charge; left out" in note for note in superposed.as_read().warnings)
