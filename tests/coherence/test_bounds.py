"""The certificate: it contains the exact survival where it is proved, and knows where it is not."""

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
from equinoise.coherence.bounds import certificate, greatest_rate, least_rate, survival_bounds
from equinoise.ensemble import Ensemble
from equinoise.reduction.program import compile_problem
from support import hop_phase_hop

SCALES = np.array([0.05, 0.2, 0.5, 1, 2, 4, 8, 20, math.inf])


def problem(noise="dephasing:0.05", n=5, depth=4, readout="Z2", **options):
    return eq.Problem(eq.circuits.brickwork(n, depth, **options), readout=readout, initial="neel", noise=noise)


def status(stated, ensemble=None):
    return certificate(compile_problem(stated), Ensemble.of(ensemble))


# -- containment ---------------------------------------------------------------------------------------------------

NOISES = {
    "local": "dephasing:0.08",
    "correlated": {"dephasing": [{"rate": 0.1, "weights": {0: 1.0, 1: -0.6, 2: 0.8, 4: -1.2}}]},
    "nearest neighbours": {"dephasing": [{"rate": 0.07, "weights": {q: 1.0, q + 1: -1.0}} for q in range(4)]},
    "one layer": {"dephasing": [{"rate": 0.3, "layers": [1]}]},
    "parities": {"pauli": [{"pauli": "Z1Z2", "rate": 0.1}, {"pauli": "Z0Z3", "rate": 0.05}]},
}


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("readout", ["Z2", "X2X3+Y2Y3"])
def test_certificate_contains_the_exact_survival_at_every_scale(noise, readout):
    """kappa, w0 and V(s)/V(0) of the same draws; the theorem is about their means over the whole ensemble."""
    stated = problem(NOISES[noise], readout=readout)
    found = eq.law(stated, sampling=eq.Sampling(samples=96, seed=1))
    assert found.certificate.status == "proved"
    exact = eq.gradient_variance(stated, scales=SCALES, sampling=eq.Sampling(samples=96, seed=1))
    low, high = found.bounds(SCALES)
    # three sampling errors of the paired ratio, and as much relative slack for kappa in the exponent
    error = 3 * exact.survival_error + 1e-9
    kappa_error = (found.kappa_interval[1] - found.kappa_interval[0]) / 4 * np.minimum(SCALES, 20)
    assert (exact.survival >= low * np.exp(-3 * kappa_error) - error).all()
    assert (exact.survival <= high + error).all()


def test_greatest_rate_is_reached_by_one_coherence():
    """All of the gradient in |01><10|: both bounds and the exact survival are exp(-s Gmax)."""
    stated = hop_phase_hop({"dephasing": [{"rate": 0.1, "weights": {0: 1.0, 1: -0.5}, "layers": [0]}]})
    gamma = 0.1 * 3**2 / 2
    assert greatest_rate(compile_problem(stated)) == pytest.approx(gamma, rel=1e-12)
    theta = [[math.pi / 2, 0.7, math.pi / 2]]
    found = eq.law(stated, sampling=eq.Sampling(ensemble=theta))
    exact = eq.gradient_variance(stated, scales=SCALES, sampling=eq.Sampling(ensemble=theta)).survival
    low, high = found.bounds(SCALES)
    assert low == pytest.approx(exact, abs=1e-9)
    # the chord touches the exponential when the whole measure sits at Gmax
    assert high == pytest.approx(exact, abs=1e-7)


def test_greatest_rate_counts_what_the_readout_can_see():
    """Z2 sees one qubit in its last slot, where the noise cannot touch it; two in the slot before."""
    program = compile_problem(problem("dephasing:0.1", depth=2))
    # slot 0 holds |01><10| of the two seen qubits: 2 rate each
    assert greatest_rate(program) == pytest.approx(2 * 2 * 0.1, rel=1e-12)
    assert greatest_rate(compile_problem(problem("none"))) == 0
    assert greatest_rate(compile_problem(problem("collective:0.5"))) == 0


def test_least_rate_is_the_smallest_that_any_visible_coherence_has():
    """|01><10| decays by 2 rate of each qubit's own: the slower of two layers; of unequal qubits, the slowest pair."""
    layers = {
        "dephasing": [
            {"rate": r, "weights": {q: 1.0}, "layers": [k]} for k, r in enumerate((0.1, 0.03)) for q in range(5)
        ]
    }
    assert least_rate(compile_problem(problem(layers))) == pytest.approx(2 * 2 * 0.03, rel=1e-12)
    assert status(problem(layers)).least_rate == pytest.approx(2 * 2 * 0.03, rel=1e-12)
    # not known, or not there
    assert least_rate(compile_problem(problem("none"))) == 0
    assert least_rate(compile_problem(problem("collective:0.5"))) == 0
    assert least_rate(compile_problem(problem("relaxation:0.1"))) == 0
    assert least_rate(compile_problem(problem("dephasing:0.1+static:0.1"))) == 0


@given(st.floats(0, 20), st.floats(0, 3), st.floats(0, 1), st.floats(1, 4))
def test_bounds_are_ordered_and_start_at_one(scale, kappa, share, factor):
    """For any kappa <= Gmax and w0 that a measure can have: w0 <= 1 - kappa/Gmax."""
    greatest = kappa * factor
    share = min(share, 1 - 1 / factor)
    low, high = survival_bounds(np.array([0.0, scale]), kappa, share, greatest)
    assert (low[0], high[0]) == (1, 1)
    assert low[1] ** 2 <= high[1] ** 2 + 1e-12  # of V(s)/V(0): rounding of numbers of order 1
    assert low[1] >= math.exp(-scale * kappa) - 1e-12


@given(st.lists(st.tuples(st.floats(0.01, 1), st.floats(0, 3)), min_size=1, max_size=5), st.floats(0, 10))
def test_every_positive_measure_over_rates_obeys_the_bounds(atoms, scale):
    weights = np.array([w for w, _ in atoms])
    weights /= weights.sum()
    rates = np.array([r for _, r in atoms])
    exact = math.sqrt(weights @ np.exp(-2 * scale * rates))
    greatest = float(rates.max())
    low, high = survival_bounds(scale, float(weights @ rates), float(weights[rates == 0].sum()), greatest)
    assert low - 1e-9 <= exact <= high + 1e-9


def test_no_rate_bounds_nothing_away_at_infinite_scale():
    low, high = survival_bounds(np.array([1.0, math.inf]), 0.0, 1.0, 0.0)
    np.testing.assert_array_equal((low, high), np.ones((2, 2)))


# -- the condition of the proof ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"phase": True}, {"interaction": "cphase"}, {"interaction": "none"}, {"n": 6, "periodic": True}]
)
def test_brickwork_with_uniform_angles_is_proved(options):
    found = status(problem(**options))
    assert found.proved
    assert found.status == "proved"
    assert "independent uniform Z rotation on each qubit at every noise slot" in found.reason


def test_shared_parameters_are_not_proved():
    found = status(problem(shared=True))
    assert not found.proved
    assert "has no Z rotation of its own next to the noise slot" in found.reason


@pytest.mark.parametrize("ensemble", ["normal:0.1", "given"])
def test_other_ensembles_are_not_proved(ensemble):
    stated = problem()
    found = status(stated, np.zeros((2, len(stated.parameters))) if ensemble == "given" else ensemble)
    assert found.status == "not proved"
    assert "not uniform" in found.reason


@pytest.mark.parametrize(
    ("noise", "text"),
    [
        ("relaxation:0.1", "the noise is weakly symmetric; the proof covers diagonal dephasing"),
        ("depolarizing:0.1", "weakly symmetric"),
        ("dephasing:0.1+relaxation:0.001", "weakly symmetric"),
    ],
)
def test_other_noise_is_not_proved(noise, text):
    found = status(problem(noise))
    assert not found.proved
    assert text in found.reason


@pytest.mark.parametrize("last", [True, False])
def test_proof_asks_for_random_phases_and_not_for_the_charge(last):
    """An RX between the last Z rotation and the slot undoes the condition; one at the start does not."""
    circuit = eq.circuits.brickwork(4, 3)
    turned = QuantumCircuit(4)
    turned.rx(Parameter("x"), 1)
    circuit = circuit.compose(turned, front=not last)
    stated = eq.Problem(circuit, readout="Z1", initial="0101", noise="dephasing:0.1", allow_broken=True)
    found = status(stated)
    assert found.proved is not last
    reason = (
        "qubit 1 has no Z rotation of its own next to the noise slot" if last else "an independent uniform Z rotation"
    )
    assert reason in found.reason


def test_noise_that_breaks_the_charge_is_not_proved():
    found = status(problem({"pauli": [{"pauli": "X1", "rate": 0.1}]}))
    assert (found.proved, found.reason) == (False, "the noise is not diagonal dephasing, which the proof covers")


def missing_rz(qubit, layer, depth=3):
    """A brickwork of four qubits without the RZ of one qubit in one layer."""
    full = eq.circuits.brickwork(4, depth)
    out = full.copy_empty_like()
    number = 0
    for item in full.data:
        if item.operation.name == "barrier":
            number += 1
        lacking = item.operation.name == "rz" and number == layer and full.find_bit(item.qubits[0]).index == qubit
        if not lacking:
            out.append(item)
    return eq.Problem(out, readout="Z1", initial="neel", noise="dephasing:0.1")


def test_missing_rz_on_a_seen_qubit_is_found_and_named():
    """Qubit 0 idles in layer 1, and hops right after its slot."""
    found = status(missing_rz(0, 1))
    assert not found.proved
    assert found.reason == "qubit 0 has no Z rotation of its own next to the noise slot of layer 1"


def test_missing_rz_that_the_readout_does_not_see_does_not_matter():
    """Z1 sees qubits 0 and 1 in the slot of layer 1, and itself alone in the last."""
    assert status(missing_rz(2, 1)).proved
    assert status(missing_rz(0, 2)).proved


def test_missing_rz_next_to_a_quiet_slot_does_not_matter():
    stated = missing_rz(0, 1)
    quiet = eq.Problem(
        stated.circuit, readout="Z1", initial="neel", noise={"dephasing": [{"rate": 0.1, "layers": [0, 2]}]}
    )
    assert status(quiet).proved


@pytest.mark.parametrize(("before", "proved"), [(True, True), (False, False)])
def test_rotation_after_the_slot_counts_if_nothing_that_hops_stands_between(before, proved):
    theta = ParameterVector("t", 6)
    circuit = QuantumCircuit(2)
    circuit.append(XXPlusYYGate(theta[0]), [0, 1])
    circuit.barrier()
    if before:
        circuit.rz(theta[1], 0)
        circuit.rzz(theta[2], 0, 1)  # diagonal: the phases commute with it
        circuit.rz(theta[3], 1)
    circuit.append(XXPlusYYGate(theta[4]), [0, 1])
    if not before:
        circuit.rz(theta[1], 0)
        circuit.rz(theta[3], 1)
    noise = {"dephasing": [{"rate": 0.1, "layers": [0]}]}
    stated = eq.Problem(circuit, readout="Z0", initial="01", noise=noise)
    assert status(stated).proved is proved


@pytest.mark.parametrize("angle", ["bound", "sum", "phase gate"])
def test_phase_must_be_a_parameter_of_its_own(angle):
    a, b, c, d = (Parameter(name) for name in "abcd")
    circuit = QuantumCircuit(2)
    circuit.append(XXPlusYYGate(a), [0, 1])
    circuit.rz(b, 0)
    if angle == "bound":
        circuit.rz(0.4, 1)
    elif angle == "sum":
        circuit.rz(b + c, 1)
    else:
        circuit.p(c, 1)
    circuit.barrier()
    circuit.append(XXPlusYYGate(d), [0, 1])
    noise = {"dephasing": [{"rate": 0.1, "layers": [0]}]}
    found = status(eq.Problem(circuit, readout="Z0", initial="01", noise=noise))
    assert found.proved is (angle == "phase gate")
