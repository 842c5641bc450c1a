"""Ranking by surviving gradient per shot: known answers, honest ties, refusals with reasons, seeds."""

from __future__ import annotations

import json
import math
from functools import partial

import numpy as np
import pytest
from qiskit.providers.fake_provider import GenericBackendV2

import equinoise as eq
from equinoise.design.design_space import spread_input
from equinoise.design.rank import rank
from equinoise.design.signal import Signal, compare
from equinoise.errors import NoiseError, ParameterError, ReadoutError, StateError

LINE = [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]]


@pytest.fixture(scope="module")
def device():
    return eq.NoiseModel.from_backend(GenericBackendV2(6, coupling_map=LINE, seed=11))


def signal_of(source, readout, noise, samples, *, scale=1.0, seed=0):
    circuit = eq.load_circuit(source)
    initial = spread_input(circuit.num_qubits, (circuit.num_qubits + 1) // 2)
    build = partial(eq.Problem, circuit, readout, initial=initial, noise=noise)
    signal = Signal(build, scale, eq.Sampling(samples=samples, seed=seed))
    signal.extend(samples)
    return signal


# -- known answers -------------------------------------------------------------------------------------------------


def test_collective_dephasing_leaves_every_design_its_gradient():
    """All-ones dephasing commutes with everything that conserves the charge."""
    found = rank(
        eq.DesignSpace(4, ["Z1", "X1X2+Y1Y2"], depth=[2, 3]),
        "collective:0.5",
        sampling=eq.Sampling(samples=8),
        first_samples=8,
    )
    assert len(found.designs) == 4 * 2 * 2
    for one in found.designs:
        assert one.survival == pytest.approx(1.0, abs=1e-12)
        assert one.kappa == pytest.approx(0.0, abs=1e-12)
        assert one.rms == pytest.approx(one.noiseless_rms, rel=1e-12)


def test_under_local_dephasing_the_deeper_of_two_equal_gradients_is_worse():
    """Layers of a single pair add nothing without noise: blocks on the same pair draw from the same (Haar-like) law."""
    found = rank(
        eq.DesignSpace(2, "X0X1+Y0Y1", family=["ladder"], depth=[2, 4, 8]),
        "dephasing:0.05",
        sampling=eq.Sampling(samples=64),
        first_samples=64,
    )
    assert [one.design.depth for one in found.designs] == [2, 4, 8]
    survivals = [one.survival for one in found.designs]
    kappas = [one.kappa for one in found.designs]
    assert survivals == sorted(survivals, reverse=True)
    assert kappas == sorted(kappas)
    # the noiseless RMS over all parameters of the cone, hardly any depth in it
    clean = [one.noiseless_rms for one in found.designs]
    assert max(clean) / min(clean) < 1.3
    # RMS gradients differ by the noise: what is lost is what the ranking sees
    assert found.designs[0].score > 1.5 * found.designs[-1].score


def test_scores_are_those_of_the_diagnosis():
    """Same draws, same formula: N = Var(O)/(2 g^2) for signal-to-noise 1, assignment errors included."""
    noise = eq.NoiseModel(dephasing=0.02, relaxation=0.01, readout_error={2: (0.02, 0.06)}, name="own")
    found = rank(
        eq.DesignSpace(5, "Z2", family=["brickwork"], depth=[3]),
        noise,
        sampling=eq.Sampling(samples=12, seed=4),
        first_samples=12,
    )
    (one,) = found.designs
    problem = eq.Problem(eq.load_circuit(one.design.source), "Z2", initial=found.initial, noise=noise)
    diagnosis = eq.diagnose(problem, sampling=eq.Sampling(samples=12, seed=4), curve=False)
    assert one.shots == pytest.approx(diagnosis.resources.shots_per_gradient, rel=1e-9)
    assert one.survival == pytest.approx(diagnosis.simulated.survival, rel=1e-9)
    assert one.kappa == pytest.approx(diagnosis.law.kappa, rel=1e-9)
    assert one.kappa_error == pytest.approx(diagnosis.law.kappa_error, rel=1e-9)
    assert one.readout_factor == pytest.approx(0.92, rel=1e-9)
    assert one.shots == pytest.approx(1 / one.score**2, rel=1e-12)


def test_a_readout_without_gradient_comes_last_with_no_signal():
    """From |0000> nothing moves: the Z readout is constant."""
    found = rank(
        eq.DesignSpace(4, "Z1", charge=0, family=["brickwork"], depth=[2]),
        "dephasing:0.1",
        sampling=eq.Sampling(samples=4),
        first_samples=4,
    )
    (one,) = found.designs
    assert (one.score, one.interval) == (0.0, (0.0, 0.0))
    assert math.isinf(one.shots)
    assert math.isnan(one.survival)
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert json.loads(text)["designs"][0]["shots"] is None


# -- what can be told apart ----------------------------------------------------------------------------------------


def test_identical_designs_are_told_as_indistinguishable_without_wasting_draws():
    """On two qubits one layer is the same circuit in every family."""
    found = rank(
        eq.DesignSpace(2, "Z0", depth=[1]), "dephasing:0.05", sampling=eq.Sampling(samples=64), first_samples=8
    )
    assert len(found.designs) == 4
    assert [one.group for one in found.designs] == [1] * 4
    assert [one.leads for one in found.designs] == [True, False, False, False]
    assert not found.told_apart
    assert {one.samples for one in found.designs} == {8}
    assert len({one.score for one in found.designs}) == 1


def test_a_clear_winner_is_told_apart_and_close_rivals_get_more_draws():
    clear = rank(
        eq.DesignSpace(4, "X1X2+Y1Y2", family=["brickwork"], depth=[3]),
        ["dephasing:0.001", "dephasing:0.5"],
        sampling=eq.Sampling(samples=64),
        first_samples=16,
    )
    assert clear.told_apart
    assert [one.design.noise for one in clear.designs] == ["dephasing:0.001", "dephasing:0.5"]
    assert [one.samples for one in clear.designs] == [16, 16]
    assert clear.designs[1].group == 2


def test_mirror_images_get_more_draws_and_stay_tied():
    """Z2 and Z3 in a brickwork of six qubits are each other's mirror image: equal in law, not in draws."""
    found = rank(
        eq.DesignSpace(6, ["Z2", "Z3"], family=["brickwork"], depth=[3]),
        "dephasing:0.05",
        sampling=eq.Sampling(samples=64),
        first_samples=8,
    )
    assert [one.group for one in found.designs] == [1, 1]
    assert [one.samples for one in found.designs] == [64, 64]
    low, high = found.designs[1].against_leader
    assert low < 0 < high


@pytest.mark.slow
def test_the_same_design_under_two_seeds_is_not_told_apart_and_its_interval_holds_the_truth():
    """Of 40 seeds, the 95 % interval of 24 draws misses the value of 1500 draws rarely, and ties are kept."""
    many = signal_of("brickwork:n=4,depth=3", "Z1", "dephasing:0.05", 1500, seed=999)
    missed = 0
    for seed in range(40):
        low, high = signal_of("brickwork:n=4,depth=3", "Z1", "dephasing:0.05", 24, seed=seed).interval
        missed += not low <= many.score <= high
    # 2 expected; 8 has a probability below 1e-3 for honest intervals
    assert missed < 8


def test_comparison_of_paired_draws_is_the_bootstraps():
    one = signal_of("brickwork:n=4,depth=4", "Z1", "dephasing:0.02", 200)
    other = signal_of("brickwork:n=4,depth=4", "Z1", "relaxation:0.03", 200)
    found = compare(one, other)
    columns = np.column_stack([one.columns[:, 2:], other.columns[:, 2:]])
    m = columns[np.random.default_rng(1).integers(200, size=(2000, 200))].mean(axis=1)
    differences = 0.5 * (np.log(m[:, 0] / m[:, 1]) - np.log(m[:, 2] / m[:, 3]))
    low, high = np.percentile(differences, [2.5, 97.5])
    # two estimates of one interval from 200 draws
    assert found.interval == pytest.approx((low, high), abs=0.2 * (high - low))
    # pairing is what makes it this narrow
    alone = math.hypot(*(math.log(s.interval[1] / s.interval[0]) for s in (one, other)))
    assert high - low < 0.5 * alone
    assert found.told_apart == (low > 0 or high < 0)


def test_comparison_with_unequal_numbers_of_draws_keeps_every_draw():
    long = signal_of("brickwork:n=4,depth=4", "Z1", "dephasing:0.02", 200)
    short = signal_of("brickwork:n=4,depth=3", "Z1", "dephasing:0.02", 50)
    cut = signal_of("brickwork:n=4,depth=4", "Z1", "dephasing:0.02", 50)
    assert np.array_equal(long.columns[:50], cut.columns)
    assert compare(long, short).error < compare(cut, short).error
    assert compare(long, short).difference == pytest.approx(math.log(long.score / short.score), rel=1e-12)


def test_more_draws_continue_the_same_sequence():
    once = signal_of("brickwork:n=4,depth=3", "Z1", "dephasing:0.02", 20)
    twice = signal_of("brickwork:n=4,depth=3", "Z1", "dephasing:0.02", 8)
    twice.extend(20)
    assert np.array_equal(once.columns, twice.columns)
    assert twice.slope.shape == (8, 2)


# -- devices -------------------------------------------------------------------------------------------------------


def test_designs_that_do_not_fit_a_device_are_listed_with_the_reason(device):
    found = rank(
        eq.DesignSpace(4, "Z1", family=["brickwork", "ring", "all-to-all"], depth=[3]),
        device,
        sampling=eq.Sampling(samples=4),
        first_samples=4,
    )
    assert {one.design.family for one in found.designs} == {"brickwork"}
    assert {one.design.placement for one in found.designs} in ({"searched", "qiskit"}, {"both"})
    assert {one.design.family for one in found.left_out} == {"ring", "all-to-all"}
    assert all("without SWAP gates" in one.reason for one in found.left_out)


def test_the_searched_layout_is_no_worse_than_qiskits_and_the_gain_is_the_ratio_of_the_two(device):
    found = rank(
        eq.DesignSpace(4, ["Z1", "X1X2+Y1Y2"], family=["brickwork", "ladder"], depth=[2]),
        device,
        sampling=eq.Sampling(samples=16),
        first_samples=16,
    )
    assert found.left_out == ()
    assert found.gains
    for gain in found.gains:
        here, there = found.designs[gain.searched - 1], found.designs[gain.qiskit - 1]
        assert (here.design.placement, there.design.placement) == ("searched", "qiskit")
        assert here.design.source == there.design.source
        assert gain.predicted >= 1 - 1e-9
        assert gain.gradient == pytest.approx(here.rms / there.rms, rel=1e-9)
        assert gain.shots == pytest.approx(here.shots / there.shots, rel=1e-9)
        # the law's ratio, to first order in rates of a few per cent
        assert gain.gradient == pytest.approx(gain.predicted, abs=0.03)
        low, high = gain.gradient_interval
        assert low <= gain.gradient <= high


def test_without_a_search_a_device_has_qiskits_layout_alone_and_a_given_layout_stays(device):
    found = rank(
        eq.DesignSpace(3, "Z1", family=["brickwork"], depth=[2]),
        device,
        sampling=eq.Sampling(samples=4),
        first_samples=4,
        layout_search=False,
    )
    assert [one.design.placement for one in found.designs] == ["qiskit"]
    given = eq.NoiseModel.from_backend(GenericBackendV2(6, coupling_map=LINE, seed=11), layout=[3, 2, 1])
    (one,) = rank(
        eq.DesignSpace(3, "Z1", family=["brickwork"], depth=[2]),
        given,
        sampling=eq.Sampling(samples=4),
        first_samples=4,
    ).designs
    assert (one.design.placement, one.design.layout) == ("given", (3, 2, 1))


def test_noise_beside_a_device_acts_on_every_layout(device):
    both = device.combined(eq.NoiseModel.from_string("depolarizing:0.05"))
    space, sampling = eq.DesignSpace(3, "Z1", family="brickwork", depth=2), eq.Sampling(samples=4)
    alone, more = (rank(space, noise, sampling=sampling, first_samples=4) for noise in (device, both))
    assert more.left_out == ()
    assert {one.design.layout for one in more.designs} == {one.design.layout for one in alone.designs}
    assert min(one.kappa for one in more.designs) > max(one.kappa for one in alone.designs) + 0.05


# -- the task ------------------------------------------------------------------------------------------------------


def test_odd_rings_and_too_many_parameters_are_listed_with_the_reason():
    found = rank(
        eq.DesignSpace(5, "Z2", family=["brickwork", "ring"], depth=[1, 3], max_parameters=20),
        "dephasing:0.01",
        sampling=eq.Sampling(samples=4),
        first_samples=4,
    )
    assert [(one.design.family, one.design.depth) for one in found.designs] == [("brickwork", 1)]
    reasons = {(one.design.family, one.design.depth): one.reason for one in found.left_out}
    assert "27 parameters are above the budget of 20" in reasons["brickwork", 3]
    assert "even number of qubits, got 5" in reasons["ring", 1]
    assert found.designs[0].parameters <= 20


def test_a_seed_repeats_every_number_whatever_the_workers():
    space = eq.DesignSpace(4, "Z1", family=["brickwork", "ladder"], depth=[2, 3])
    noises = ["dephasing:0.05", "relaxation:0.02"]
    first, again, other = (
        rank(space, noises, sampling=eq.Sampling(16, seed, workers), first_samples=8).to_dict()
        for seed, workers in ((5, 1), (5, 2), (6, 2))
    )
    assert first == again
    assert first["designs"] != other["designs"]


def test_a_sampling_engine_serves_too():
    found = rank(
        eq.DesignSpace(4, "Z1", family=["brickwork"], depth=[3]),
        "static:0.05",
        sampling=eq.Sampling(samples=64),
        first_samples=64,
    )
    (one,) = found.designs
    assert one.engine == "trajectories"
    assert one.interval[0] <= one.score <= one.interval[1]
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("n", "q", "bits"),
    [
        (6, 3, "010101"),
        (5, 3, "10101"),
        (8, 2, "00010001"),
        (7, 2, "0010001"),
        (4, 0, "0000"),
        (3, 3, "111"),
        (9, 1, "0" * 8 + "1"),
    ],
)
def test_excitations_are_spread_evenly_and_half_of_them_is_neel(n, q, bits):
    assert spread_input(n, q) == bits


@pytest.mark.parametrize("n", range(2, 12))
def test_every_charge_has_its_excitations_at_most_one_step_out_of_even(n):
    for q in range(1, n + 1):
        filled = [i for i, bit in enumerate(reversed(spread_input(n, q))) if bit == "1"]
        gaps = [(b - a) % n or n for a, b in zip(filled, [*filled[1:], filled[0]], strict=True)]
        assert len(filled) == q
        assert max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize(
    ("arguments", "options", "error", "text"),
    [
        ((1, "Z0", "none"), {}, ParameterError, "at least 2 qubits, got 1"),
        ((4, "Z9", "none"), {}, ReadoutError, "names qubit 9"),
        ((4, "X1", "none"), {}, ReadoutError, "does not conserve the charge"),
        ((4, [], "none"), {}, ParameterError, "at least one readout"),
        ((4, "Z1", "dephase:1"), {}, NoiseError, "cannot read the noise specification"),
        ((4, "Z1", "none"), {"family": ["tree"]}, ParameterError, "family must be one of brickwork, .*'tree'"),
        ((4, "Z1", "none"), {"interaction": ["cz"]}, ParameterError, "interaction must be one of rzz, .*'cz'"),
        ((4, "Z1", "none"), {"depth": [2, 0]}, ParameterError, "depth must list whole numbers >= 1, got 0"),
        ((4, "Z1", "none"), {"charge": 5}, StateError, r"charge must lie in 0\.\.4, got 5"),
        ((4, "Z1", "none"), {"max_parameters": 0}, ParameterError, "max_parameters must be at least 1"),
        ((4, "Z1", "none"), {"sampling": {"samples": 1}}, ParameterError, "at least 2 for an interval, got 1 and 16"),
        ((4, "Z1", "none"), {"sampling": {"seed": -1}}, ParameterError, "seed must be a whole number >= 0"),
        (
            (4, "Z1", "none"),
            {"sampling": {"ensemble": [[0.1, 0.2]]}},
            ParameterError,
            "designs differ in their parameters",
        ),
    ],
)
def test_mistakes_of_the_task_are_refused_at_once(arguments, options, error, text):
    def ask(qubits, readout, noise, sampling=None, **space):
        rank(eq.DesignSpace(qubits, readout, **space), noise, sampling=eq.Sampling(**sampling or {}))

    with pytest.raises(error, match=text):
        ask(*arguments, **options)
