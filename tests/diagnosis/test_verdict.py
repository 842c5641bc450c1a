"""The verdict: its word from intervals and threshold, and each word reached by a real circuit."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

import equinoise as eq
from equinoise.diagnosis.verdict import at_least, at_most, decide

intervals = st.tuples(st.floats(1e-6, 10), st.floats(1e-6, 10)).map(lambda pair: tuple(sorted(pair)))


@pytest.mark.parametrize(
    ("noiseless", "noisy", "share", "fixed_point", "word"),
    [
        ((2, 3), (1.5, 2), (0.1, 0.2), "classical", "trainable"),
        ((2, 3), (1.0, 2), (0.1, 0.2), "classical", "trainable"),
        ((2, 3), (0.5, 0.9), (0.1, 0.2), "classical", "noise-limited"),
        ((2, 3), (0.9, 1.1), (0.1, 0.2), "classical", "undecided"),
        ((0.5, 0.9), (0.4, 0.8), (0.1, 0.2), "classical", "shot-limited"),
        ((0.9, 1.1), (0.4, 0.8), (0.1, 0.2), "classical", "undecided"),
        ((2, 3), (1.5, 2), (0.91, 0.97), "classical", "classical"),
        ((2, 3), (1.5, 2), (0.9, 0.97), "classical", "classical"),
        ((2, 3), (1.5, 2), (0.85, 0.95), "classical", "undecided"),
        ((2, 3), (0.5, 0.9), (0.95, 1.0), "classical", "noise-limited"),
        ((2, 3), (2, 3), (1.0, 1.0), "untouched", "trainable"),
        ((2, 3), (2, 3), (1.0, 1.0), "no noise", "trainable"),
        ((2, 3), (1.5, 2), (0.0, 0.0), "too mixed", "trainable"),
        ((-math.inf, math.inf), (-math.inf, math.inf), (0.0, 0.0), "classical", "undecided"),
    ],
)
def test_word_follows_from_where_the_intervals_lie(noiseless, noisy, share, fixed_point, word):
    """Threshold 1: above, below or across, first without noise, then with it, then by what survives."""
    assert decide(noiseless, noisy, 1.0, share, fixed_point, 10_000).word == word


# the patch below belongs to the diagnosis, which these do not call
PURE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize(
    ("direction", "word"),
    [
        (None, "trainable"),
        ((0.7, 1.0), "trainable"),
        ((0.5, 0.69), "misdirected"),
        ((-0.9, -0.8), "misdirected"),
        ((0.65, 0.75), "undecided"),
        ((-math.inf, math.inf), "undecided"),
    ],
)
def test_resolved_gradient_that_points_elsewhere_is_misdirected(direction, word):
    assert decide((2, 3), (1.5, 2), 1.0, (0.1, 0.2), "too mixed", 1, direction).word == word
    # what is not resolved, or classical, is that first
    assert decide((2, 3), (0.5, 0.9), 1.0, (0.1, 0.2), "too mixed", 1, direction).word == "noise-limited"
    assert decide((2, 3), (1.5, 2), 1.0, (0.95, 1.0), "classical", 1, direction).word == "classical"


@PURE
@given(st.floats(1e-9, 1e9), st.sampled_from([None, 1, 2, 3]))
def test_ends_of_intervals_are_rounded_to_where_they_claim_less(value, places):
    assert float(at_least(value, places)) <= value <= float(at_most(value, places))


@PURE
@given(intervals, intervals, st.floats(-1, 1), st.floats(-1, 1), st.floats(1e-6, 10))
def test_no_reason_claims_more_than_its_interval(noiseless, noisy, one, other, threshold):
    direction = (min(one, other), max(one, other))
    verdict = decide(noiseless, noisy, threshold, (0.0, 0.1), "too mixed", 1, direction)
    numbers = {key: [float(x) for x in re.findall(key + r" (-?[\d.e-]+)", verdict.reason)] for key in ("least", "most")}
    limits = {"trainable": (noisy[0], direction[0]), "misdirected": (direction[1],)}
    unresolved = (noisy[1],) if "not resolved" in verdict.reason else ()
    limits |= {"noise-limited": (noisy[1],), "shot-limited": (noiseless[1],), "undecided": unresolved}
    said = numbers["least"] or numbers["most"]
    for claimed, known in zip(said, limits[verdict.word], strict=True):
        assert claimed <= known if numbers["least"] else claimed >= known


@PURE
@given(intervals, intervals, st.floats(1e-6, 10), st.floats(0.1, 1), st.sampled_from(["classical", "too mixed"]))
def test_more_shots_never_turn_a_resolved_gradient_into_a_lost_one(noiseless, noisy, threshold, factor, kind):
    rank = {"shot-limited": 0, "noise-limited": 0, "undecided": 1, "trainable": 2, "classical": 2}
    before, after = (decide(noiseless, noisy, t, (0.0, 0.1), kind, 1).word for t in (threshold, threshold * factor))
    if before != "noise-limited" or after != "shot-limited":
        assert rank[after] >= rank[before]


@PURE
@given(intervals, intervals, st.floats(1e-6, 10))
def test_reason_names_threshold_and_shots(noiseless, noisy, threshold):
    verdict = decide(noiseless, noisy, threshold, (0.0, 0.1), "too mixed", 12_345)
    assert f"12,345 shots resolve {threshold:.2g}" in verdict.reason


def test_noise_is_not_blamed_where_the_shots_may_be():
    """The noiseless interval reaches across the line: without noise these shots may not resolve it either."""
    verdict = decide((0.0095, 0.0105), (0.004, 0.005), 0.01, (0.0, 0.1), "too mixed", 10_000)
    assert verdict.word == "undecided"
    assert "whether noise or the shots alone limit it is open" in verdict.reason
    assert decide((0.0101, 0.0105), (0.004, 0.005), 0.01, (0.0, 0.1), "too mixed", 10_000).word == "noise-limited"


# -- real circuits -------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_depth_search(monkeypatch):
    """The search for the greatest depth takes longest and has tests of its own."""
    monkeypatch.setattr("equinoise.diagnosis.diagnose.greatest_depth", lambda *_: None)


def diagnose(noise, readout="Z1", depth=3, initial="neel", samples=48, **options):
    problem = eq.Problem(eq.circuits.brickwork(4, depth), readout=readout, initial=initial, noise=noise)
    return eq.diagnose(problem, sampling=eq.Sampling(samples=samples), curve=False, **options)


def test_strong_local_dephasing_of_a_z_readout_is_classical():
    """What survives is diffusion: V(inf)/V(1) above 0.9, and well resolved."""
    report = diagnose("dephasing:1.0")
    assert report.verdict.word == "classical"
    assert report.law.fixed_point.kind == "classical"
    assert report.resources.measured_rms > 5 * report.resources.resolved_rms
    assert "a classical stochastic process has it too" in report.verdict.reason


def test_the_same_dephasing_of_a_hopping_readout_is_noise_limited():
    report = diagnose("dephasing:2.0", readout="X1X2+Y1Y2")
    assert report.verdict.word == "noise-limited"


def test_weak_dephasing_is_trainable():
    assert diagnose("dephasing:0.01").verdict.word == "trainable"


def test_collective_dephasing_is_trainable_however_strong():
    report = diagnose("collective:50.0")
    assert report.verdict.word == "trainable"
    assert report.simulated.survival == pytest.approx(1, abs=1e-9)


def test_strong_damping_is_noise_limited_with_few_shots():
    assert diagnose("relaxation:1.0", shots=50).verdict.word == "noise-limited"


def test_two_shots_are_too_few_even_without_noise():
    assert diagnose("none", depth=6, shots=2).verdict.word == "shot-limited"


def test_threshold_at_the_gradient_itself_is_undecided():
    report = diagnose("relaxation:0.2")
    shots = round(report.resources.shots_per_gradient)
    assert diagnose("relaxation:0.2", shots=shots).verdict.word == "undecided"


def test_one_draw_decides_nothing():
    verdict = diagnose("dephasing:0.1", samples=1).verdict
    assert verdict.word == "undecided"
    assert "take more samples" in verdict.reason


def test_readout_error_can_cost_the_verdict():
    noise = {"relaxation": 0.1}
    fine = diagnose(noise, shots=2000)
    blind = diagnose({**noise, "readout_error": {1: [0.49, 0.49]}}, shots=2000)
    assert (fine.verdict.word, blind.verdict.word) == ("trainable", "noise-limited")


def test_noise_that_the_gradient_does_not_feel_leaves_it_trainable():
    """Dephasing before a Z readout: kappa = 0 and R = 1; all of the gradient's quantum interference is still there."""
    report = diagnose({"dephasing": [{"rate": 0.1, "layers": [2]}]})
    assert report.law.kappa == pytest.approx(0, abs=1e-12)
    assert report.simulated.survival == pytest.approx(1, abs=1e-12)
    assert report.verdict.word == "trainable"


def test_protected_coherences_are_no_classical_process():
    """K = Z1 + Z2 leaves |01><10| of its pair alone: hopping inside it is a quantum process that survives for ever."""
    report = diagnose({"dephasing": [{"rate": 2.0, "weights": {1: 1.0, 2: 1.0}}]}, depth=4)
    assert report.law.fixed_point.kind == "partly protected"
    # what lasts is the protected part of the gradient, which points 0.70 [0.64, 0.75] the right way
    assert report.verdict.word == "undecided"
    assert "cosine with the noiseless gradient lies between" in report.verdict.reason


# -- gradients that are rounding -----------------------------------------------------------------------------------


def phases_alone(factor):
    """Z rotations alone move no Z: layers that repeat, of which the readout sees no parameter."""
    circuit, angles = QuantumCircuit(2), iter(ParameterVector("t", 9))
    for _ in range(3):
        circuit.rz(factor * next(angles), 0)
        circuit.rz(factor * next(angles), 1)
        circuit.rzz(factor * next(angles), 0, 1)
        circuit.barrier()
    return circuit


@pytest.mark.parametrize("factor", [1.0, 1e9])
@pytest.mark.parametrize("noise", ["none", "dephasing:0.1", "relaxation:0.1"])
def test_gradient_that_is_rounding_is_none_and_the_report_says_so_throughout(monkeypatch, factor, noise):
    monkeypatch.undo()  # with the search for the greatest depth
    report = eq.diagnose(
        eq.Problem(phases_alone(factor), "Z0", initial="01", noise=noise), sampling=eq.Sampling(samples=8)
    )
    assert report.verdict.word == "shot-limited"
    assert "the gradient vanishes identically" in report.verdict.reason
    assert (report.noiseless_rms, report.simulated.rms_gradient, report.law.variance, report.law.kappa) == (0, 0, 0, 0)
    assert math.isinf(report.resources.shots_per_gradient)
    assert report.resources.greatest_scale == 0
    assert (report.resources.greatest_depth.depth, report.resources.greatest_depth.at_least) == (0, False)
    assert report.curve == ()
    plain = report.to_dict()
    assert plain["law"]["survival"] is plain["simulated"]["survival"] is plain["law"]["upper_bound"] is None
    assert "no shots and no better device give this readout a gradient" in report.advice[0]


def test_total_charge_has_no_gradient_whatever_relaxation_does_to_it():
    problem = eq.Problem(eq.circuits.brickwork(4, 3), "Z0+Z1+Z2+Z3", initial="neel", noise="relaxation:0.1")
    report = eq.diagnose(problem, sampling=eq.Sampling(samples=8), curve=False)
    assert (report.law.variance, report.verdict.word) == (0, "shot-limited")


def test_tiny_readout_has_the_verdict_of_a_large_one():
    """1e-9 Z is as trainable as Z: nothing is rounding by its absolute size."""
    problem = eq.Problem(
        eq.circuits.brickwork(4, 3), SparsePauliOp("IIZI", 1e-9), initial="neel", noise="relaxation:0.1"
    )
    report, large = (
        eq.diagnose(p, sampling=eq.Sampling(samples=16), curve=False) for p in (problem, problem.with_readout("Z1"))
    )
    assert report.verdict.word == large.verdict.word == "trainable"
    assert report.resources.shots_per_gradient == pytest.approx(large.resources.shots_per_gradient, rel=1e-6)
    assert report.law.kappa == pytest.approx(large.law.kappa, rel=1e-6)
