"""The law from sampling engines: agreement with the exact law, early stops, and what it says that it does not know."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import equinoise as eq
from equinoise.coherence import bounds
from equinoise.coherence.fixed_point import fixed_point_of_generators
from equinoise.coherence.resummed import fitted_rate_variance, resummed_survival
from equinoise.errors import ParameterError
from equinoise.reduction.program import compile_problem
from equinoise.reduction.slots.processes import greatest_process_rate
from support import random_problems

SLOW = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
STATIC = {"dephasing": [{"rate": 0.02, "correlation": "static"}]}


def problem(noise="dephasing:0.03", n=6, depth=4, readout="Z3", **options):
    return eq.Problem(eq.circuits.brickwork(n, depth), readout=readout, initial="neel", noise=noise, **options)


# -- agreement -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["state-vector", "trajectories"])
@pytest.mark.parametrize("noise", ["dephasing:0.03", "relaxation:down=0.03,up=0.01", "depolarizing:0.02"])
def test_sampled_kappa_and_budget_agree_with_the_exact_law(engine, noise):
    stated = problem(noise)
    exact, found = (eq.law(stated, sampling=eq.Sampling(samples=160, seed=2, engine=e)) for e in ("exact", engine))
    assert found.engine == engine
    assert found.variance == pytest.approx(exact.variance, rel=1e-10)  # without noise it is exact
    # the draws of the parameters are the same, and their scatter is in the bar: 4 of it is generous
    assert abs(found.kappa - exact.kappa) < 4 * found.kappa_error
    assert found.kappa_error < 0.25 * exact.kappa
    assert found.kappa_interval[0] < exact.kappa < found.kappa_interval[1] or abs(found.kappa - exact.kappa) < (
        2 * (found.kappa_interval[1] - found.kappa_interval[0])
    )
    places = [(e.layer, e.qubits, e.mechanism) for e in found.budget]
    assert places == [(e.layer, e.qubits, e.mechanism) for e in exact.budget]
    assert sum(e.kappa for e in found.budget) == pytest.approx(found.kappa, rel=1e-9)
    for one, other in zip(found.budget, exact.budget, strict=True):
        assert abs(one.kappa - other.kappa) < 4 * math.hypot(one.standard_error, other.standard_error) + 1e-12


@pytest.mark.parametrize("readout", ["Z3", "X2X3+Y2Y3"])
def test_fixed_point_share_from_trajectories_agrees_with_the_exact_law(readout):
    stated = problem(readout=readout)
    exact, found = (
        eq.law(stated, sampling=eq.Sampling(samples=160, seed=3, engine=e)) for e in ("exact", "trajectories")
    )
    low, high = found.fixed_point_share_interval
    # a 95 % interval is 4 standard errors wide: as much again on both sides is 4 sigma and more
    assert low - (high - low) / 2 <= exact.fixed_point_share <= high + (high - low) / 2
    assert high - low < 0.7
    assert found.fixed_point.kind == exact.fixed_point.kind == "classical"
    assert found.lasting_share == pytest.approx(min(1, max(0, found.fixed_point_share)))


def test_law_of_static_noise_is_that_of_no_density_matrix_but_has_its_collective_limit():
    """Static phases, equal on all qubits: kappa 0 and w0 1, draw by draw."""
    noise = {"dephasing": [{"rate": 0.5, "weights": "all", "correlation": "static"}]}
    found = eq.law(problem(noise), sampling=eq.Sampling(samples=8, engine="trajectories"))
    assert found.kappa == pytest.approx(0, abs=1e-10)
    assert found.fixed_point_share == pytest.approx(1, abs=1e-9)
    assert found.survival([1.0, math.inf]) == pytest.approx([1, 1], abs=1e-8)


def test_static_noise_costs_more_than_white_noise_of_its_rate():
    """Phases that repeat add up: Gamma grows with the square of the slots that a history lasts."""
    static = eq.law(problem(STATIC), sampling=eq.Sampling(samples=640, seed=1, engine="state-vector"))
    white = eq.law(problem("dephasing:0.02"), sampling=eq.Sampling(samples=640, seed=1, engine="exact"))
    assert static.kappa > white.kappa + 4 * math.hypot(static.kappa_error, white.kappa_error)


# -- what is not known ---------------------------------------------------------------------------------------------


def test_state_vectors_leave_the_share_open_and_say_so():
    found = eq.law(problem(), sampling=eq.Sampling(samples=8, engine="state-vector"))
    assert math.isnan(found.fixed_point_share)
    assert math.isnan(found.second_moment)
    assert math.isnan(found.rate_variance)
    assert found.lasting_share == 0
    assert any("w0 is not computed" in note for note in found.approximations)
    assert any("c2 is not computed" in note for note in found.approximations)
    assert any("kappa and its budget are sampled (engine state-vector)" in note for note in found.approximations)
    # the law with 0 for both is the leading order
    np.testing.assert_allclose(found.survival([0.5, 2]), found.leading_order([0.5, 2]), rtol=1e-12)
    assert np.isnan(found.kappa_per_parameter).all()


def test_trajectories_leave_the_share_of_relaxation_open_and_say_so():
    found = eq.law(problem("relaxation:0.03"), sampling=eq.Sampling(samples=8, engine="trajectories"))
    assert math.isnan(found.fixed_point_share)
    assert found.lasting_share == 0
    assert any("w0 is not computed" in note for note in found.approximations)
    share = eq.law(problem(), sampling=eq.Sampling(samples=8, engine="trajectories"))
    assert math.isfinite(share.fixed_point_share)
    assert not any("w0" in note for note in share.approximations)


def test_exact_laws_approximate_nothing():
    assert eq.law(problem(), sampling=eq.Sampling(samples=32, engine="exact")).approximations == ()


# -- stopping early ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["exact", "state-vector"])
def test_draws_stop_once_kappa_is_known_well_enough(engine):
    stated = problem(depth=3)
    found = eq.law(stated, sampling=eq.Sampling(samples=960, engine=engine), relative_error=0.2)
    assert found.samples < 960
    assert found.samples % 16 == 0
    assert found.kappa_error <= 0.2 * found.kappa
    # as many draws without a target are the same draws
    same = eq.law(stated, sampling=eq.Sampling(samples=found.samples, engine=engine))
    if engine == "exact":  # drawn by the same sequence, whatever its length
        assert same.kappa_error <= 0.4 * same.kappa
    finer = eq.law(stated, sampling=eq.Sampling(samples=960, engine=engine), relative_error=0.1)
    assert finer.samples > found.samples


def test_a_target_out_of_reach_takes_all_draws():
    assert eq.law(problem(), sampling=eq.Sampling(samples=40, engine="state-vector"), relative_error=1e-6).samples == 40


def test_no_rate_has_no_relative_error_and_takes_all_draws():
    assert eq.law(problem("none"), sampling=eq.Sampling(samples=40, engine="exact"), relative_error=0.5).samples == 40


@pytest.mark.parametrize("target", [0.0, -0.1, math.nan, math.inf])
def test_targets_that_are_no_share_are_refused(target):
    for ask in (eq.law, eq.diagnose):
        with pytest.raises(ParameterError, match="relative_error must be a number > 0"):
            ask(problem(depth=2), sampling=eq.Sampling(samples=4), relative_error=target)


# -- c2 from known survival ----------------------------------------------------------------------------------------


@given(
    kappa=st.floats(0.01, 2),
    share=st.floats(0, 0.9),
    c2=st.floats(0.01, 10),
    scales=st.lists(st.floats(0.1, 3), min_size=1, max_size=4),
)
def test_fitted_spread_of_rates_inverts_the_law(kappa, share, c2, scales):
    x = np.array(scales) * (1 - share) / kappa  # s kappa' of order 1, where the spread shows
    found = fitted_rate_variance(x, resummed_survival(x, kappa, share, c2) ** 2, kappa, share)
    np.testing.assert_allclose(
        resummed_survival(x, kappa, share, found), resummed_survival(x, kappa, share, c2), atol=1e-5
    )
    assert found == pytest.approx(c2, rel=0.02, abs=1e-3)


def test_survival_without_spread_or_below_it_fits_none():
    scales = np.array([0.5, 1.0, 2.0])
    exact = resummed_survival(scales, 0.3, 0.1, 0.0) ** 2
    assert fitted_rate_variance(scales, exact, 0.3, 0.1) == pytest.approx(0, abs=1e-4)
    # faster than every positive measure of this mean, negative estimates of what is gone among them
    assert fitted_rate_variance(scales, [0.2, 0.01, -0.05], 0.3, 0.1) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    ("scales", "squares", "kappa", "share"),
    [([1.0], [0.5], 0.0, 0.0), ([1.0], [0.5], 0.3, 1.0), ([0.0], [1.0], 0.3, 0.0), ([math.inf], [0.2], 0.3, 0.2)],
)
def test_scales_that_say_nothing_leave_the_spread_unknown(scales, squares, kappa, share):
    assert math.isnan(fitted_rate_variance(scales, squares, kappa, share))


# -- fixed point without a state -----------------------------------------------------------------------------------

FIXED = {
    "local": "dephasing:0.2",
    "collective": "collective:0.7",
    "one qubit dephased": {"dephasing": [{"rate": 0.4, "weights": {1: 1.0}}]},
    "two qubits missing": {"dephasing": [{"rate": 0.2, "weights": {q: 1.0}} for q in (0, 1)]},
    "one qubit missing": {"dephasing": [{"rate": 0.2, "weights": {q: 1.0}} for q in (0, 1, 2)]},
    "damping": "relaxation:0.1",
    "pumping": "relaxation:up=0.1",
    "cold": "relaxation:down=0.1,up=0.005",
    "hot": "relaxation:down=0.1,up=0.08",
    "depolarizing": "depolarizing:0.1",
    "damping and dephasing": "relaxation:0.1+dephasing:0.1",
    "damping in one layer": {"relaxation": [{"qubit": "each", "down": 0.1, "layers": [2]}], "dephasing": 0.1},
    "none": "none",
}


@pytest.mark.parametrize("name", FIXED)
def test_fixed_point_of_the_generators_is_of_the_kind_that_the_state_shows(name):
    """Without the state, one missing qubit is known from the charge, two are not."""
    stated = eq.Problem(eq.circuits.brickwork(4, 3), readout="X1X2+Y1Y2", initial="neel", noise=FIXED[name])
    expected = eq.law(stated, sampling=eq.Sampling(samples=2, engine="exact")).fixed_point
    found = fixed_point_of_generators(compile_problem(stated))
    assert found.kind == expected.kind
    assert eq.law(stated, sampling=eq.Sampling(samples=2, engine="state-vector")).fixed_point.kind == expected.kind
    if name != "none":
        assert math.isnan(found.purity)


# -- certificate ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("symmetry_class", ["strong", "weak"])
def test_greatest_rate_of_large_sectors_is_never_below_the_table_of_all_rates(symmetry_class):
    @settings(max_examples=40, **SLOW)
    @given(random_problems(symmetry_class, min_qubits=3, max_qubits=5))
    def check(stated):
        program = compile_problem(stated)
        with pytest.MonkeyPatch.context() as patch:
            exact = bounds.greatest_rate(program)
            patch.setattr(bounds, "_TABULATED", 0)
            bound = bounds.greatest_rate(program)
        # rounding of sums of some tens of rates
        assert bound >= exact * (1 - 1e-12) - 1e-13

    check()


def test_greatest_rate_of_large_sectors_is_tight_for_local_dephasing_at_half_filling():
    """Neel against its mirror image: every qubit differs."""
    program = compile_problem(problem("dephasing:0.1", n=4, depth=3, readout="Z0Z1Z2Z3"))
    slot = program.slots[0]
    assert len(slot.jumps) == 4
    # 2 per differing qubit and rate; the bound adds each jump's own largest difference
    assert bounds._rate_bound(slot, 4, full=False) == pytest.approx(4 * 0.1 * 2)


def test_certificate_of_static_noise_contains_the_survival_from_trajectories():
    """Each history of charge differences has one rate, half the variance of its phase: positive measure, same proof."""
    stated = problem(STATIC, n=5, depth=4, readout="Z2")
    found = eq.law(stated, sampling=eq.Sampling(samples=320, seed=5, engine="trajectories"))
    assert found.certificate.status == "proved"
    scales = np.array([0.3, 1.0, 3.0])
    sampled = eq.gradient_variance(
        stated, scales=scales, sampling=eq.Sampling(samples=320, seed=6, engine="trajectories")
    )
    low, high = found.bounds(scales)
    # 4 standard errors of the ratio, and of kappa in the exponent (twice: two samples of angles), and of w0
    share_error = np.diff(found.fixed_point_share_interval)[0] / 4
    slack = 4 * np.hypot(sampled.survival_error, np.hypot(low * scales * found.kappa_error, share_error))
    assert (sampled.survival >= low - slack).all()
    assert (sampled.survival <= high + slack).all()
    assert slack[0] < 0.2
    program = compile_problem(stated)
    place = {q: i for i, q in enumerate(program.cone.qubits)}
    total = sum(
        max(greatest_process_rate(p, program.cone, place, q) for q in program.charges) for p in program.processes
    )
    assert found.certificate.greatest_rate == pytest.approx(total)
    assert total > found.kappa


def test_collective_static_phases_leave_the_state_untouched():
    noise = {"dephasing": [{"rate": 0.1, "weights": "all", "correlation": "static"}]}
    stated = eq.Problem(eq.circuits.brickwork(6, 3), readout="Z2", initial="neel", noise=noise)
    assert fixed_point_of_generators(compile_problem(stated)).kind == "untouched"


def test_relaxation_on_some_qubits_and_dephasing_on_the_others_leave_a_classical_state():
    noise = {
        "relaxation": [{"qubit": q, "down": 0.1} for q in (0, 1)],
        "dephasing": [{"rate": 0.1, "weights": {q: 1.0}} for q in (2, 3)],
    }
    stated = eq.Problem(eq.circuits.brickwork(4, 3), readout="X1X2+Y1Y2", initial="neel", noise=noise)
    expected = eq.law(stated, sampling=eq.Sampling(samples=2, engine="exact")).fixed_point.kind
    assert fixed_point_of_generators(compile_problem(stated)).kind == expected == "classical"
