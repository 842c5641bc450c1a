"""The diagnosis: every number is the one that its own function gives, and all of it is plain JSON."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import equinoise as eq
from equinoise.diagnosis.depth import greatest_depth
from equinoise.errors import ParameterError, UnsupportedError
from support import golden_cases, golden_problem

NOISE = {
    "dephasing": [{"rate": 0.03}, {"rate": 0.05, "weights": {1: 1.0, 2: -0.5}}],
    "relaxation": 0.02,
    "readout_error": {1: [0.02, 0.05]},
}


def problem(noise=NOISE, n=6, depth=4, readout="Z1", initial="neel", **options):
    return eq.Problem(eq.circuits.brickwork(n, depth), readout=readout, initial=initial, noise=noise, **options)


@pytest.fixture(autouse=True)
def no_depth_search(monkeypatch):
    """The search for the greatest depth takes longest and has tests of its own."""
    monkeypatch.setattr("equinoise.diagnosis.diagnose.greatest_depth", lambda *_: None)


@pytest.fixture(scope="module")
def report():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("equinoise.diagnosis.diagnose.greatest_depth", lambda *_: None)
        return eq.diagnose(problem(), sampling=eq.Sampling(samples=12, seed=3))


# issue 2 names these; `null` stands where the layers do not repeat
KEYS = {
    "equivariance": {"charge", "sector", "sector_dimension", "noise_class", "breaking"},
    "light_cone": {"qubits", "width", "dimension", "full_dimension"},
    "noiseless": {"rms_gradient", "per_parameter"},
    "law": {
        *("kappa", "kappa_interval", "fixed_point_share", "fixed_point_class", "second_moment", "rate_variance"),
        *("survival", "lower_bound", "upper_bound", "bound_status", "budget"),
    },
    "simulated": {"kind", "survival", "interval", "rms_gradient"},
    "resources": {"shots_per_gradient", "greatest_scale", "greatest_depth"},
}


def plain(report):
    """Through strict JSON, which knows no NaN and no infinity."""
    return json.loads(json.dumps(report.to_dict(), allow_nan=False))


# -- numbers -------------------------------------------------------------------------------------------------------


def test_diagnosis_holds_the_law_and_the_exact_survival_of_the_same_draws(report):
    stated = problem()
    law = eq.law(stated, sampling=eq.Sampling(samples=12, seed=3))
    exact = eq.gradient_variance(stated, scales=[0, 1], sampling=eq.Sampling(samples=12, seed=3))
    assert report.law.kappa == law.kappa
    assert report.law.budget == law.budget
    assert report.law.fixed_point_share == law.fixed_point_share
    assert report.simulated.survival == pytest.approx(exact.survival[1], rel=1e-12)
    count = report.light_cone["parameters"]
    assert report.noiseless_rms == pytest.approx(math.sqrt(exact.variance[0] / count), rel=1e-12)
    assert report.simulated.rms_gradient == pytest.approx(math.sqrt(exact.variance[1] / count), rel=1e-12)
    np.testing.assert_allclose(report.noiseless_per_parameter**2, exact.per_parameter[0], atol=1e-14)


@pytest.mark.parametrize("case", golden_cases()[:5], ids=lambda case: case["name"])
def test_diagnosis_equals_the_golden_program(case):
    expected = case["expected"]
    report = eq.diagnose(golden_problem(case), sampling=eq.Sampling(ensemble=case["thetas"]), curve=False)
    assert report.law.kappa == pytest.approx(expected["kappa"], rel=1e-5)
    assert report.simulated.survival == pytest.approx(math.sqrt(expected["V1"] / expected["V0"]), rel=1e-8)
    assert plain(report)["noiseless"]["variance"] == pytest.approx(expected["V0"], rel=1e-8)
    assert report.seed is None


def test_curve_holds_exact_survival_beside_the_law(report):
    scales = [p.scale for p in report.curve]
    assert len(scales) >= 4
    exact = eq.gradient_variance(problem(), scales=scales, sampling=eq.Sampling(samples=12, seed=3)).survival
    assert [p.survival for p in report.curve] == pytest.approx(exact, rel=1e-12)
    assert [p.law for p in report.curve] == pytest.approx(report.law.survival(scales), rel=1e-12)


def test_scale_moves_the_exact_survival_and_not_the_law(report):
    half = eq.diagnose(problem(), sampling=eq.Sampling(samples=12, seed=3), scale=0.5, curve=False)
    assert half.scale == 0.5
    assert half.law.kappa == report.law.kappa
    assert half.simulated.survival > report.simulated.survival
    assert half.simulated.survival == pytest.approx(
        eq.gradient_variance(problem(), scales=[0.5], sampling=eq.Sampling(samples=12, seed=3)).survival[0], rel=1e-12
    )


def test_greatest_scale_is_where_the_law_meets_what_the_shots_resolve():
    stated = problem("relaxation:0.1", n=4)
    report = eq.diagnose(stated, sampling=eq.Sampling(samples=12), shots=2000, curve=False)
    scale = report.resources.greatest_scale
    assert 0 < scale < math.inf
    left = report.noiseless_rms * float(report.law.survival(scale)) * report.resources.readout_factor
    assert left == pytest.approx(report.resources.resolved_rms, rel=1e-6)


def test_cone_and_equivariance_are_said_in_numbers(report):
    found = plain(report)
    # four layers from Z1 of six qubits: bonds 12, 01, 12, 01 and neighbours up to qubit 4
    width = found["light_cone"]["width"]
    assert found["light_cone"]["qubits"] == list(range(width))
    assert found["light_cone"]["full_dimension"] == 4**6
    held = found["light_cone"]["charges"]
    assert found["light_cone"]["dimension"] == sum(math.comb(width, q) ** 2 for q in held)
    assert found["equivariance"]["sector"] == 3
    assert found["equivariance"]["sector_dimension"] == math.comb(6, 3)
    assert found["equivariance"]["noise_class"] == "weak"
    assert found["equivariance"]["breaking"] == []


def test_what_breaks_the_charge_is_listed():
    circuit = eq.circuits.brickwork(3, 2)
    circuit.rx(0.3, 1)
    noise = {"pauli": [{"pauli": "X1", "rate": 0.1}]}
    stated = eq.Problem(circuit, readout="X0X1", initial="neel", noise=noise, allow_broken=True)
    breaking = plain(eq.diagnose(stated, sampling=eq.Sampling(samples=2), curve=False))["equivariance"]["breaking"]
    assert any("gate 'rx'" in text for text in breaking)
    assert any("D[X1]" in text for text in breaking)
    assert any("readout X0X1" in text for text in breaking)


def test_advice_names_the_costliest_mechanism_qubit_and_layer_of_the_budget():
    noise = {
        "dephasing": 0.001,
        "relaxation": [{"qubit": 2, "down": 0.5, "layers": [1]}],
    }
    report = eq.diagnose(problem(noise, n=4), sampling=eq.Sampling(samples=12), curve=False)
    text = "\n".join(report.advice)
    for name in ("without relaxation (", "without noise on qubit 2 (", "without noise in layer 1 ("):
        assert name in text
    assert "of kappa) the gradient is" in report.advice[0]
    nothing = eq.diagnose(problem("collective:1.0", n=4), sampling=eq.Sampling(samples=4), curve=False)
    assert nothing.advice == ("nothing to gain from less noise: to first order the gradient does not depend on it",)


def test_warnings_of_problem_and_noise_are_passed_on():
    noise = eq.NoiseModel(dephasing=0.1, notes=["T2 of qubit 3 clipped"])
    report = eq.diagnose(
        eq.Problem(eq.circuits.brickwork(4, 2), readout="Z1", noise=noise), sampling=eq.Sampling(samples=2), curve=False
    )
    text = "\n".join(plain(report)["warnings"])
    assert "Néel input assumed" in text
    assert "T2 of qubit 3 clipped" in text


# -- JSON ----------------------------------------------------------------------------------------------------------


def test_json_has_the_keys_of_the_issue(report):
    found = plain(report)
    assert found["schema"].startswith("equinoise.diagnosis/")
    for name, keys in KEYS.items():
        assert keys <= set(found[name]), name
    assert all({"layer", "qubits", "mechanism", "kappa"} <= set(entry) for entry in found["law"]["budget"])
    assert {"verdict", "engine", "engine_reason", "samples", "seed", "warnings"} <= set(found)
    assert found["verdict"] in ("trainable", "noise-limited", "classical", "shot-limited", "undecided")
    assert (found["samples"], found["seed"]) == (12, 3)
    assert set(found["noiseless"]["per_parameter"]) == {p.name for p in problem().parameters}
    assert found["law"]["bounds_proved"] is False  # relaxation
    # 12 draws
    assert found["law"]["bound_status"] == "none from fewer than 32 draws"
    assert (found["law"]["lower_bound"], found["law"]["upper_bound"], found["law"]["bound_ends"]) == (None, None, None)
    assert any(w.startswith("only 12 draws") for w in found["warnings"])


def test_json_budget_sums_to_kappa(report):
    found = plain(report)["law"]
    assert sum(entry["kappa"] for entry in found["budget"]) == pytest.approx(found["kappa"], rel=1e-11)


def test_json_bounds_hold_the_exact_survival_where_they_are_proved():
    found = plain(eq.diagnose(problem("dephasing:0.05"), sampling=eq.Sampling(samples=64), curve=False))
    assert found["law"]["bounds_proved"] is True
    assert found["law"]["bound_status"] == "proved for exact kappa and w0; these at 99 %"
    assert not any("draws: below" in w for w in found["warnings"])
    ends = found["law"]["bound_ends"]
    for name in ("kappa", "fixed_point_share"):
        (outer_low, outer_high), (inner_low, inner_high) = ends[name], found["law"][f"{name}_interval"]
        assert outer_low < inner_low < found["law"][name] < inner_high < outer_high  # 99 % and 95 %
    low, high = found["law"]["lower_bound"], found["law"]["upper_bound"]
    # the exact interval covers the sampling error of the draws
    assert low <= found["simulated"]["interval"][1]
    assert found["simulated"]["interval"][0] <= high


@pytest.mark.parametrize(
    ("noise", "options"),
    [
        ("none", {}),
        ("dephasing:0.1", {"sampling": eq.Sampling(samples=1)}),
        ("dephasing:0.1", {"scale": 0.0}),
        ("dephasing:0.1", {"scale": math.inf}),
        ("relaxation:0.1", {"scale": math.inf}),
        ("collective:1", {}),
        ("dephasing:0.1", {"shots": 1}),
        ({"pauli": [{"pauli": "X1", "rate": 0.1}]}, {}),
    ],
)
def test_json_has_neither_nan_nor_infinity(noise, options):
    stated = problem(noise, n=4, depth=3, allow_broken=True)
    found = plain(eq.diagnose(stated, **{"sampling": eq.Sampling(samples=3), **options}))
    assert found["resources"]["greatest_scale"] is not None or found["resources"]["greatest_scale_unbounded"]


@pytest.mark.parametrize(
    ("initial", "noise", "scale", "word"),
    [
        ("0000", "dephasing:0.1", 1.0, "shot-limited"),
        ("neel", "none", math.inf, "trainable"),
        ("neel", "depolarizing:50", 1.0, "noise-limited"),
    ],
)
def test_gradient_without_size_or_without_rate_warns_of_no_arithmetic(initial, noise, scale, word):
    """Charge 0 has no gradient at all; without noise kappa = 0 at any scale; total depolarizing leaves exactly 0."""
    found = eq.diagnose(problem(noise, n=4, depth=3, initial=initial), sampling=eq.Sampling(samples=3), scale=scale)
    plain(found)
    assert found.verdict.word == word


# -- reproducibility -----------------------------------------------------------------------------------------------


def test_same_seed_gives_the_same_numbers_whatever_the_number_of_workers(report):
    found = [
        plain(eq.diagnose(problem(), sampling=eq.Sampling(samples=12, seed=3, workers=workers))) for workers in (1, 2)
    ]
    again = plain(report)
    for one in (*found, again):
        one.pop("engine_reason")  # says how many draws run at once
    assert found[0] == found[1] == again
    other = plain(eq.diagnose(problem(), sampling=eq.Sampling(samples=12, seed=4)))
    assert other["law"]["kappa"] != again["law"]["kappa"]


def test_greatest_depth_is_that_of_the_search(monkeypatch):
    monkeypatch.setattr("equinoise.diagnosis.diagnose.greatest_depth", greatest_depth)
    stated = eq.Problem(
        eq.circuits.brickwork(2, 3, interaction="none"), readout="Z0", initial="neel", noise="relaxation:0.4"
    )
    resources = eq.diagnose(stated, sampling=eq.Sampling(samples=4, seed=2), shots=200, curve=False).resources
    assert resources.greatest_depth == greatest_depth(stated, resources.resolved_rms, 1.0, eq.Sampling(seed=2))
    found = plain(eq.diagnose(stated, sampling=eq.Sampling(samples=4, seed=2), shots=200, curve=False))["resources"]
    assert found["greatest_depth"] == resources.greatest_depth.depth
    assert found["greatest_depth_at_least"] is False


def test_progress_counts_the_draws_to_the_end():
    seen = []
    eq.diagnose(problem(n=4, depth=3), sampling=eq.Sampling(samples=5), progress=lambda *step: seen.append(step))
    draws = [(done, total) for stage, done, total in seen if stage == "draws"]
    assert draws[-1][0] == draws[-1][1]
    assert [done for done, _ in draws] == sorted(done for done, _ in draws)
    assert seen[-1][0] == "depth"


def test_intervals_hold_their_values(report):
    assert report.noiseless_interval[0] < report.noiseless_rms < report.noiseless_interval[1]
    assert report.simulated.interval[0] < report.simulated.survival < report.simulated.interval[1]
    assert report.simulated.rms_interval[0] < report.simulated.rms_gradient < report.simulated.rms_interval[1]
    assert report.law.kappa_interval[0] < report.law.kappa < report.law.kappa_interval[1]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"shots": 0}, ParameterError, r"shots must be at least 1 and at most 1e\+18, got 0"),
        ({"shots": -5}, ParameterError, r"shots must be at least 1 and at most 1e\+18, got -5"),
        ({"scale": -1.0}, ParameterError, "noise scale must be a number >= 0"),
        ({"scale": math.nan}, ParameterError, "noise scale must be a number >= 0"),
        ({"sampling": {"samples": 0}}, ParameterError, "samples must be a whole number >= 1, got 0"),
        ({"sampling": {"seed": -1}}, ParameterError, "seed must be a whole number >= 0, got -1"),
        ({"sampling": {"ensemble": "normal:-1"}}, ParameterError, "cannot read the ensemble"),
        ({"sampling": {"ensemble": [[0.1]]}}, ParameterError, "given parameter values have 1 columns"),
        (
            {"sampling": {"engine": "magic"}},
            UnsupportedError,
            "no engine 'magic'; choose auto or one of: commutant",
        ),
    ],
)
def test_bad_options_are_refused(options, error, text):
    with pytest.raises(error, match=text):
        eq.diagnose(problem(n=4, depth=2), **options | {"sampling": eq.Sampling(**options.get("sampling", {}))})
