"""The diagnosis from trajectories: small problems against the exact one, and cones that no density matrix holds."""

from __future__ import annotations

import json
import math

import pytest

import equinoise as eq
from equinoise.diagnosis.depth import greatest_depth
from equinoise.engines.select import declarations

NOISE = {
    "dephasing": [{"rate": 0.03}, {"rate": 0.05, "weights": {1: 1.0, 2: -0.5}}],
    "readout_error": {2: [0.02, 0.05]},
}


def problem(noise, n=6, depth=3, readout="Z2"):
    return eq.Problem(eq.circuits.brickwork(n, depth), readout=readout, initial="neel", noise=noise)


@pytest.fixture
def no_depth_search(monkeypatch):
    """The search for the greatest depth takes longest and has a test of its own."""
    monkeypatch.setattr("equinoise.diagnosis.diagnose.greatest_depth", lambda *_: None)


def plain(report):
    """Through strict JSON, which knows no NaN and no infinity."""
    return json.loads(json.dumps(report.to_dict(), allow_nan=False))


def widened(interval, share=0.5):
    """A 95 % interval is 4 standard errors wide: half of it more on both sides is 4 sigma."""
    low, high = interval
    return low - share * (high - low), high + share * (high - low)


@pytest.mark.usefixtures("no_depth_search")
@pytest.mark.parametrize("noise", [NOISE, "relaxation:down=0.04,up=0.01", "depolarizing:0.03"])
def test_trajectories_diagnose_as_density_matrices_do(noise):
    stated = problem(noise)
    exact, found = (
        eq.diagnose(stated, sampling=eq.Sampling(samples=48, seed=1, engine=engine))
        for engine in ("exact", "trajectories")
    )
    assert (plain(exact)["simulated"]["kind"], plain(found)["simulated"]["kind"]) == ("exact", "sampled")
    for name in ("survival", "rms_gradient"):
        interval = "interval" if name == "survival" else "rms_interval"
        low, high = widened(getattr(found.simulated, interval))
        assert low <= getattr(exact.simulated, name) <= high
        assert low <= getattr(found.simulated, name) <= high
    low, high = widened(exact.simulated.interval)
    other = found.simulated.interval
    assert max(low, other[0]) <= min(high, other[1])
    # without noise both are exact, and the draws the same
    assert found.noiseless_rms == pytest.approx(exact.noiseless_rms, rel=1e-10)
    assert abs(found.law.kappa - exact.law.kappa) < 4 * found.law.kappa_error
    assert found.verdict.word == exact.verdict.word
    assert found.light_cone == exact.light_cone
    assert found.law.fixed_point.kind == exact.law.fixed_point.kind
    # <O^2> of a Pauli readout is 1; C^2 of a pair of trajectories scatters by at most 1 a draw
    assert found.resources.shot_variance == pytest.approx(exact.resources.shot_variance, abs=4 / math.sqrt(48))
    assert found.resources.readout_factor == pytest.approx(exact.resources.readout_factor, rel=1e-6)
    assert [p.scale for p in found.curve] == [p.scale for p in exact.curve]


@pytest.mark.usefixtures("no_depth_search")
@pytest.mark.parametrize(
    "noise", ["relaxation:0.05", "dephasing:0.05", "none", {"dephasing": [{"rate": 0.05, "correlation": "static"}]}]
)
@pytest.mark.parametrize("scale", [1.0, math.inf])
def test_what_trajectories_do_not_know_is_null_and_never_nan(noise, scale):
    report = eq.diagnose(
        problem(noise, n=4, depth=2), sampling=eq.Sampling(samples=6, engine="trajectories"), scale=scale
    )
    data = plain(report)
    law = data["law"]
    assert law["second_moment"] is None
    assert (law["fixed_point_share"] is None) == (noise == "relaxation:0.05")
    if law["fixed_point_share"] is None:
        assert any("w0 is not computed" in note for note in data["approximations"])
    assert any("kappa and its budget are sampled (engine trajectories)" in note for note in data["warnings"])
    assert data["engine"] == "trajectories"
    assert data["verdict"]
    assert data["simulated"]["survival"] is not None


@pytest.mark.usefixtures("no_depth_search")
def test_spread_of_rates_is_fitted_to_the_sampled_survival_and_said_so():
    report = eq.diagnose(problem("dephasing:0.05"), sampling=eq.Sampling(samples=48, engine="trajectories"))
    assert math.isfinite(report.law.rate_variance)
    assert any("c2 is fitted to the sampled survival" in note for note in report.law.approximations)
    bare = eq.diagnose(problem("dephasing:0.05"), sampling=eq.Sampling(samples=48, engine="trajectories"), curve=False)
    assert bare.curve == ()
    assert bare.law.kappa == report.law.kappa


@pytest.mark.usefixtures("no_depth_search")
def test_same_seed_same_diagnosis_whatever_the_workers():
    one, two = (
        eq.diagnose(
            problem("relaxation:0.05", n=4),
            sampling=eq.Sampling(samples=8, seed=3, workers=workers, engine="trajectories"),
        )
        for workers in (1, 2)
    )
    one, two = (plain(report) | {"engine_reason": ""} for report in (one, two))
    assert one == two


@pytest.mark.usefixtures("no_depth_search")
def test_diagnosis_stops_once_kappa_is_known_well_enough():
    report = eq.diagnose(
        problem("dephasing:0.05"), sampling=eq.Sampling(samples=640, engine="trajectories"), relative_error=0.3
    )
    assert report.samples < 640
    assert report.samples % 16 == 0
    assert report.law.kappa_error <= 0.3 * report.law.kappa
    assert report.law.samples == report.samples


# -- wide cones ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_depth_search")
def test_a_device_like_problem_on_a_wide_cone_gets_a_verdict_from_trajectories(monkeypatch):
    """Fourteen qubits, relaxation and dephasing: all charges up to 7 as density matrices would need gigabytes."""
    stated = problem("relaxation:0.002+dephasing:0.002", n=24, depth=7, readout="Z12")
    monkeypatch.setenv("EQUINOISE_MEMORY_GB", "0.3")
    exact = next(d for d in declarations(stated) if d.engine == "exact")
    assert not exact.serves
    report = eq.diagnose(stated, sampling=eq.Sampling(samples=10), curve=False)
    assert report.engine == "trajectories"
    assert "no exact engine serves" in report.engine_reason
    assert report.light_cone["width"] == 14
    for interval in (
        report.simulated.interval,
        report.simulated.rms_interval,
        report.law.kappa_interval,
        report.noiseless_interval,
    ):
        assert all(math.isfinite(bound) for bound in interval)
        assert interval[0] < interval[1]
    # a few per cent of noise in all: most of the gradient is left
    assert 0.5 < report.simulated.survival < 1.5
    assert report.verdict.word in ("trainable", "shot-limited", "noise-limited")
    assert plain(report)["simulated"]["kind"] == "sampled"
    budget = {entry.mechanism for entry in report.law.budget}
    assert budget == {"dephasing", "relaxation"}


@pytest.mark.usefixtures("no_depth_search")
def test_a_device_snapshot_is_diagnosed_by_trajectories():
    pytest.importorskip("qiskit_ibm_runtime")
    stated = problem("ibm:torino", n=12, depth=5, readout="Z6")
    report = eq.diagnose(stated, sampling=eq.Sampling(samples=12, engine="trajectories"), curve=False)
    assert report.light_cone["width"] == 10
    assert math.isfinite(report.simulated.survival)
    assert all(math.isfinite(bound) for bound in report.simulated.interval)
    data = plain(report)
    assert data["law"]["fixed_point_share"] is None
    assert {"relaxation", "depolarizing"} <= {entry["mechanism"] for entry in data["law"]["budget"]}


def test_greatest_depth_takes_an_engine_that_fits(monkeypatch):
    """What density matrices can afford they do; a memory limit hands the deeper circuits to trajectories."""
    stated = problem("dephasing:0.01", n=8, depth=4, readout="Z4")
    monkeypatch.setattr("equinoise.diagnosis.depth._DEEPEST", 6)
    exact = greatest_depth(stated, 1e-3, 1.0, eq.Sampling(seed=0))
    assert (exact.engine, exact.depth, exact.at_least) == ("exact", 6, True)
    monkeypatch.setenv("EQUINOISE_MEMORY_GB", "0.0001")
    fresh = problem("dephasing:0.01", n=8, depth=4, readout="Z4")
    found = greatest_depth(fresh, 1e-3, 1.0, eq.Sampling(seed=0))
    assert (found.engine, found.depth, found.at_least) == ("trajectories", 6, True)
    assert found.samples > exact.samples


def test_greatest_depth_of_static_noise_is_found_by_trajectories(monkeypatch):
    noise = {"dephasing": [{"rate": 0.02, "correlation": "static"}]}
    monkeypatch.setattr("equinoise.diagnosis.depth._DEEPEST", 6)
    report = eq.diagnose(problem(noise, n=6, depth=4), sampling=eq.Sampling(samples=8), curve=False)
    assert report.engine == "trajectories"
    depth = report.resources.greatest_depth
    assert depth.engine == "trajectories"
    assert depth.depth >= 4
