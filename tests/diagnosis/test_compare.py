"""Two diagnoses compared: what was asked otherwise, and which answers differ by more than sampling."""

from __future__ import annotations

import math

import numpy as np
import pytest

import equinoise as eq
from equinoise.errors import ParameterError


def diagnosed(noise="relaxation:0.02", samples=64, seed=0, readout="Z1", **options):
    problem = eq.Problem(eq.circuits.brickwork(4, depth=3), readout, initial="neel", noise=noise)
    return eq.diagnose(problem, sampling=eq.Sampling(samples=samples, seed=seed), curve=False, depth=False, **options)


def test_a_diagnosis_does_not_differ_from_itself():
    found = diagnosed().compare(diagnosed())
    assert found.question == ()
    assert found.paired
    assert all(each.interval == (0, 0) and not each.beyond_sampling for each in found.answers)
    assert "asked otherwise: nothing" in str(found)


def test_a_little_more_noise_is_seen_from_paired_draws_and_not_from_draws_of_their_own():
    weak = diagnosed(seed=1)
    paired, apart = (weak.compare(diagnosed("relaxation:0.022", seed=seed)) for seed in (1, 2))
    assert (paired.paired, apart.paired) == (True, False)
    assert [each.what for each in paired.question] == ["noise"]
    assert [each.what for each in apart.question] == ["noise", "seed"]
    assert paired["survival"].beyond_sampling
    assert paired["kappa"].beyond_sampling
    assert not apart["gradient without noise"].beyond_sampling
    assert paired["gradient without noise"].interval == (0, 0)
    widths = [found["survival"].interval[1] - found["survival"].interval[0] for found in (paired, apart)]
    assert widths[0] < widths[1] / 5


def test_kappa_of_twice_the_rate_is_twice_kappa():
    found = diagnosed("relaxation:0.02").compare(diagnosed("relaxation:0.04"))["kappa"]
    assert found.other == pytest.approx(2 * found.one, rel=1e-9)
    assert found.interval[0] < found.one < found.interval[1]


@pytest.mark.slow
def test_differences_that_are_sampling_are_called_so_as_often_as_the_interval_says():
    """Pairs of seeds of one problem: each difference is beyond its 95 % interval in about 5 % of pairs."""
    found = [diagnosed(samples=32, seed=2 * i).compare(diagnosed(samples=32, seed=2 * i + 1)) for i in range(30)]
    for name in ("survival", "kappa", "gradient as read", "direction"):
        assert sum(each[name].beyond_sampling for each in found) <= 5


def test_columns_of_a_comparison_are_those_of_the_diagnoses():
    one, other = diagnosed(), diagnosed("dephasing:0.1")
    found = one.compare(other)
    assert found["survival"].other == pytest.approx(other.simulated.survival, rel=1e-12)
    assert found["direction"].other == pytest.approx(other.simulated.direction, rel=1e-12)
    assert found["gradient as read"].one == pytest.approx(one.resources.measured_rms, rel=1e-12)
    assert found["kappa"].other == pytest.approx(other.law.kappa, rel=1e-12)


def test_other_scale_readout_and_shots_are_named_with_both_values():
    found = diagnosed().compare(diagnosed(readout="Z2", scale=2.0, shots=100))
    asked = {each.what: (each.one, each.other) for each in found.question}
    assert asked == {"readout": ("Z1", "Z2"), "scale": ("1", "2"), "shots": ("10000", "100")}


def test_two_noises_of_one_name_are_told_apart():
    one, other = ({"dephasing": [{"rate": rate, "weights": {1: 1.0}}]} for rate in (0.1, 0.2))
    (asked,) = diagnosed(one).compare(diagnosed(other)).question
    assert asked.what == "noise"
    assert asked.other.endswith("(another of the same name)")


def test_one_draw_leaves_every_difference_unknown():
    found = diagnosed(samples=1).compare(diagnosed("relaxation:0.5", samples=1))
    assert all(each.interval == (-math.inf, math.inf) and not each.beyond_sampling for each in found.answers)
    assert "unknown whether more than sampling" in str(found)


def test_given_draws_are_paired_only_where_they_are_the_same():
    count = len(eq.circuits.brickwork(4, depth=3).parameters)
    thetas = np.random.default_rng(0).uniform(-3, 3, (2, 8, count))
    problem = eq.Problem(eq.circuits.brickwork(4, depth=3), "Z1", initial="neel", noise="relaxation:0.1")
    first, same, other = (
        eq.diagnose(problem, sampling=eq.Sampling(ensemble=each), curve=False, depth=False)
        for each in (thetas[0], thetas[0], thetas[1])
    )
    assert first.compare(same).paired
    assert not first.compare(other).paired


def test_a_quantity_that_is_not_compared_is_refused():
    with pytest.raises(ParameterError, match="no quantity 'entropy' is compared; take one of gradient without noise"):
        diagnosed(samples=4).compare(diagnosed(samples=4))["entropy"]
