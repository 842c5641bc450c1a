"""Layouts ranked by the law's budget: the predicted kappa is the law's, and the order is the simulation's."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from qiskit.providers.fake_provider import GenericBackendV2
from scipy.stats import spearmanr

import equinoise as eq
from equinoise.design.layout_search import best_layouts, log_scores
from equinoise.design.sensitivity import readout_factor, sensitivities
from equinoise.design.signal import Signal
from equinoise.device.site_rates import SiteRates
from equinoise.errors import DeviceError, NoiseError, UnsupportedError

# a star of three arms: the smallest heavy-hex piece where a line has several places
ARMS = [(0, 1), (1, 2), (2, 3), (3, 4), (2, 5), (5, 6), (6, 7), (4, 8)]


@pytest.fixture(scope="module")
def backend():
    # each coupler one way, as on today's devices: which way a block runs then follows from the pair alone
    return GenericBackendV2(9, coupling_map=[list(pair) for pair in ARMS], seed=7)


def physical_pairs(circuit, layout):
    pairs = {tuple(circuit.find_bit(q).index for q in i.qubits) for i in circuit.data if len(i.qubits) == 2}
    return {tuple(sorted((layout[a], layout[b]))) for a, b in pairs}


# -- kappa is linear in the rates ----------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["brickwork:n=5,depth=4", "ladder:n=4,depth=2", "brickwork:n=4,depth=3,phase=1"])
@pytest.mark.parametrize("readout", ["Z2", "X1X2+Y1Y2"])
def test_kappa_of_every_layout_is_the_laws_for_the_placed_problem(source, readout, backend):
    circuit = eq.load_circuit(source)
    search = best_layouts(
        eq.Problem(circuit, readout, initial="neel"),
        backend,
        count=2,
        spread=4,
        sampling=eq.Sampling(samples=6, seed=3),
    )
    placements = {one.layout: one for one in (*search.best, *search.spread, search.default)}
    assert len(placements) >= 3
    for one in placements.values():
        noise = eq.NoiseModel.from_backend(backend, layout=one.layout)
        expected = eq.law(
            eq.Problem(circuit, readout, initial="neel", noise=noise), sampling=eq.Sampling(samples=6, seed=3)
        )
        # the same draws and the same linear form: rounding alone
        assert one.kappa == pytest.approx(expected.kappa, rel=1e-9)
        assert one.kappa_error == pytest.approx(expected.kappa_error, rel=1e-9)
        assert one.noise.readout_error == eq.Problem(circuit, readout, initial="neel", noise=noise).noise.readout_error


def test_relaxation_up_and_down_have_sensitivities_of_their_own():
    circuit = eq.circuits.brickwork(4, depth=3)
    found = sensitivities(eq.Problem(circuit, "Z1", initial="0001"), sampling=eq.Sampling(samples=6))
    kappas = {}
    for name in ("down", "up"):
        problem = eq.Problem(circuit, "Z1", initial="0001", noise=f"relaxation:{name}=0.02")
        kappas[name] = found.kappa(problem.slots)[0]
        assert kappas[name] == pytest.approx(eq.law(problem, sampling=eq.Sampling(samples=6)).kappa, rel=1e-9)
    # one excitation among four qubits: filling the empty ones costs more than emptying the full one
    assert abs(kappas["up"] - kappas["down"]) > 1e-3


def test_dephasing_with_a_weight_counts_by_its_square():
    circuit = eq.circuits.brickwork(4, depth=3)
    found = sensitivities(eq.Problem(circuit, "X1X2+Y1Y2", initial="neel"), sampling=eq.Sampling(samples=4))
    noise = eq.NoiseModel(
        dephasing=[{"rate": 0.01, "weights": {2: 3.0}}], depolarizing=[{"qubits": [1, 2], "rate": 0.1}]
    )
    problem = eq.Problem(circuit, "X1X2+Y1Y2", initial="neel", noise=noise)
    layered = {layer for layer, kind, qubits in found.columns if kind == "depolarizing" and qubits == (1, 2)}
    assert layered == {1}  # only where the pair meets in a gate
    with pytest.raises(UnsupportedError, match=r"slot 0 has depolarizing on qubits \[1, 2\]"):
        found.kappa(problem.slots)
    alone = eq.Problem(circuit, "X1X2+Y1Y2", initial="neel", noise=eq.NoiseModel(dephasing=noise.dephasing))
    assert found.kappa(alone.slots)[0] == pytest.approx(eq.law(alone, sampling=eq.Sampling(samples=4)).kappa, rel=1e-9)


def test_noise_without_a_sensitivity_is_refused_by_name():
    circuit = eq.circuits.brickwork(4, depth=2)
    found = sensitivities(eq.Problem(circuit, "Z1", initial="neel"), sampling=eq.Sampling(samples=2))
    problem = eq.Problem(circuit, "Z1", initial="neel", noise="collective:0.1")
    with pytest.raises(UnsupportedError, match=r"slot 0 has dephasing on qubits .* Use equinoise.law"):
        found.kappa(problem.slots)


def test_sampled_sensitivities_agree_with_exact_ones_within_their_error_bars(backend):
    circuit = eq.circuits.brickwork(4, depth=3)
    noise = eq.NoiseModel.from_backend(backend, layout=[0, 1, 2, 3])
    slots = eq.Problem(circuit, "Z1", initial="neel", noise=noise).slots
    exact = sensitivities(eq.Problem(circuit, "Z1", initial="neel"), sampling=eq.Sampling(samples=200, engine="exact"))
    sampled = sensitivities(
        eq.Problem(circuit, "Z1", initial="neel"), sampling=eq.Sampling(samples=200, engine="state-vector")
    )
    (a, _), (b, error) = exact.kappa(slots), sampled.kappa(slots)
    assert exact.columns.keys() == sampled.columns.keys()
    assert abs(a - b) < 4 * error
    assert error > 0


def test_readout_factor_is_the_measured_over_the_ideal_gradient():
    """Assignment errors that differ by qubit and by outcome, on a Z and on a hopping readout."""
    circuit = eq.circuits.brickwork(4, depth=3)
    errors = {1: (0.02, 0.05), 2: (0.01, 0.08)}
    noise = eq.NoiseModel(dephasing=0.01, readout_error=errors)
    for readout, expected in (("Z1", 0.93), ("Z1Z2", 0.93 * 0.91), ("X1X2+Y1Y2", 0.93 * 0.91)):
        build = partial(eq.Problem, circuit, readout, initial="0101", noise=noise)
        signal = Signal(build, 1.0, eq.Sampling(samples=4))
        signal.extend(4)
        operator = eq.Problem(circuit, readout, initial="neel").readout
        assert readout_factor(operator, noise.readout_error) == pytest.approx(expected, rel=1e-12)
        if readout != "Z1Z2":  # the errors also make a pair readout a little of Z1 and Z2
            assert signal.readout_factor == pytest.approx(expected, rel=1e-9)


# -- the search ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "readout"),
    [("brickwork:n=4,depth=3", "Z1"), ("brickwork:n=5,depth=3", "X1X2+Y1Y2"), ("ladder:n=3,depth=2", "Z1")],
)
def test_predicted_order_of_layouts_is_the_simulated_one(source, readout, backend):
    circuit = eq.load_circuit(source)
    search = best_layouts(
        eq.Problem(circuit, readout, initial="neel"), backend, spread=8, sampling=eq.Sampling(samples=24)
    )
    predicted, simulated = [], []
    for one in search.spread:
        problem = eq.Problem(circuit, readout, initial="neel", noise=one.noise)
        found = eq.gradient_variance(problem, [1.0], sampling=eq.Sampling(samples=24))
        predicted.append(math.exp(-one.kappa) * one.readout_factor)
        simulated.append(found.survival[0] * one.readout_factor)
    assert len(predicted) >= 6
    # neighbours in the order may swap where their survivals agree within 1 %
    assert spearmanr(predicted, simulated).statistic > 0.9
    assert predicted == pytest.approx(simulated, abs=0.05)
    assert np.ptp(simulated) > 0.02


@pytest.mark.parametrize("source", ["brickwork:n=4,depth=3", "ladder:n=4,depth=1"])
def test_best_layout_is_the_best_of_all_there_are(source, backend):
    """Every line on the device, placed and scored one by one."""
    circuit = eq.load_circuit(source)
    search = best_layouts(eq.Problem(circuit, "Z1", initial="neel"), backend, sampling=eq.Sampling(samples=4))
    couplers = {frozenset(pair) for pair in ARMS}
    lines = [
        p for p in itertools.permutations(range(9), 4) if all({a, b} in couplers for a, b in itertools.pairwise(p))
    ]
    assert search.complete
    assert search.candidates == len(lines)
    scores = {}
    for line in lines:
        problem = eq.Problem(circuit, "Z1", initial="neel", noise=eq.NoiseModel.from_backend(backend, layout=line))
        kappa = search.sensitivities.kappa(problem.slots)[0]
        scores[line] = np.exp(-kappa) * readout_factor(problem.readout, problem.noise.readout_error)
    ordered = sorted(scores, key=lambda line: -scores[line])
    assert search.best[0].layout == ordered[0]
    assert [one.predicted for one in search.best] == pytest.approx([scores[line] for line in ordered[:5]], rel=1e-9)
    assert search.default.predicted <= search.best[0].predicted


@pytest.mark.parametrize("source", ["ladder:n=5,depth=2", "brickwork:n=5,depth=3"])
def test_table_of_blocks_scores_a_layout_as_placing_it_does(source, backend):
    """A staircase's blocks wait for each other: the layer lasts as long as their chain, and all its qubits decay."""
    circuit = eq.load_circuit(source)
    search = best_layouts(
        eq.Problem(circuit, "Z2", initial="neel"), backend, count=3, spread=4, sampling=eq.Sampling(samples=2)
    )
    calibration = eq.NoiseModel.from_backend(backend).calibration
    bare = eq.Problem(circuit, "Z2", initial="neel")
    rates = SiteRates(circuit, bare.layers, calibration, ARMS)
    placements = (*search.best, *search.spread)
    layouts = np.array([one.layout for one in placements])
    scores = log_scores(rates, layouts, bare.readout, search.sensitivities, 1.0)
    # a block is compiled once per kind, for the first pair that comes: another pair's may differ by a native gate
    assert np.exp(scores) == pytest.approx([one.predicted for one in placements], abs=1e-3)


def test_qubits_outside_the_cone_must_fit_and_no_more(backend):
    circuit = eq.circuits.brickwork(7, depth=1)
    search = best_layouts(eq.Problem(circuit, "Z0", initial="neel"), backend, count=3, sampling=eq.Sampling(samples=4))
    assert search.sensitivities.qubits == (0, 1)
    couplers = {tuple(sorted(pair)) for pair in ARMS}
    for one in search.best:
        assert len(set(one.layout)) == 7
        assert physical_pairs(circuit, one.layout) <= couplers


def test_uncalibrated_qubits_are_not_taken_for_noiseless(backend):
    circuit = eq.circuits.brickwork(3, depth=2)
    model = eq.NoiseModel.from_backend(backend)
    calibration = model.calibration
    favourite = (
        best_layouts(eq.Problem(circuit, "Z1", initial="neel"), model, sampling=eq.Sampling(samples=4)).best[0].layout
    )
    t1 = tuple(None if q == favourite[1] else t for q, t in enumerate(calibration.t1))
    search = best_layouts(
        eq.Problem(circuit, "Z1", initial="neel"),
        replace(model, calibration=replace(calibration, t1=t1)),
        sampling=eq.Sampling(samples=4),
        count=20,
    )
    assert all(favourite[1] not in one.layout for one in search.best)
    assert "1 qubits without T1, T2 or readout error are not used" in search.notes


def test_a_ring_has_no_place_on_a_tree_and_the_search_says_that_it_is_proved(backend):
    with pytest.raises(DeviceError, match=r"no place on .* its interaction graph is not part of the coupling map"):
        best_layouts(eq.Problem(eq.circuits.ring(4, 2), "Z1"), backend, sampling=eq.Sampling(samples=2))


def test_noise_beside_the_calibration_is_refused(backend):
    both = eq.NoiseModel.from_backend(backend).combined(eq.NoiseModel.from_string("dephasing:0.01"))
    with pytest.raises(NoiseError, match="has other terms beside it"):
        best_layouts(eq.Problem(eq.circuits.brickwork(3, 2), "Z1"), both, sampling=eq.Sampling(samples=2))
    with pytest.raises(NoiseError, match="holds a device's calibration"):
        best_layouts(eq.Problem(eq.circuits.brickwork(3, 2), "Z1"), eq.NoiseModel(), sampling=eq.Sampling(samples=2))
