"""Study 1: the gradient knows the cone, not n; and its variance has a lower bound that can be proved."""

from __future__ import annotations

import math

import numpy as np
import pytest

from equinoise.circuit.builders import brickwork
from equinoise.evidence import causality as study
from equinoise.evidence.frame.study import Context, StudyResult
from equinoise.problem import Problem
from equinoise.reduction.light_cone import light_cone


@pytest.fixture(scope="module")
def small() -> StudyResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "QUICK_SIZES", (6, 9, 30))
        return study.STUDY.run(Context(quick=True, workers=2))


def test_every_criterion_holds_on_a_small_set(small: StudyResult) -> None:
    assert [c.statement for c in small.criteria if not c.passed] == []


@pytest.mark.slow
def test_one_worker_gives_the_same_tables_as_two(small: StudyResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "QUICK_SIZES", (6, 9, 30))
    again = study.STUDY.run(Context(quick=True, workers=1))
    assert {k: t.rows() for k, t in again.tables.items()} == {k: t.rows() for k, t in small.tables.items()}


def test_the_noise_reaches_the_gradient_it_is_compared_for(small: StudyResult) -> None:
    rms = {r["noise"]: r["rms_gradient"] for r in small.tables["data"].rows() if r["qubits"] == 6}
    assert len(rms) == 4
    assert len({round(float(v), 6) for v in rms.values()}) == 4
    assert max(rms, key=lambda noise: float(rms[noise])) == "none"


def test_gates_have_the_same_place_in_the_cone_of_every_n() -> None:
    found = []
    for n, middle in ((6, 2), (20, 10)):
        problem = Problem(brickwork(n, study.DEPTH), f"Z{middle}", "neel")
        places = study._places(problem, middle)
        found.append({places[k] for k in light_cone(problem).parameters})
    assert found[0] == found[1]


def test_a_gradient_entry_never_exceeds_spread_of_generator_times_spread_of_readout_over_two() -> None:
    # <Z0> = -cos(theta) after XX+YY on |01>: the bound is reached at theta = pi/2
    problem = Problem(brickwork(2, 1), "Z0", "neel")
    bounds = study.gradient_bounds(problem)
    assert bounds == pytest.approx([1.0, 1.0, 1.0, 1.0])
    from equinoise.engines.evaluate import gradient

    largest = np.abs(gradient(problem, [math.pi / 2, 0.3, 0.1, 0.2]).gradient).max()
    assert largest == pytest.approx(1.0)


def test_the_readouts_coefficients_enter_its_spread() -> None:
    assert study.gradient_bounds(Problem(brickwork(2, 1), "0.5*Z0", "neel"))[0] == pytest.approx(0.5)


@pytest.mark.parametrize("kind", ["rare", "uniform", "constant"])
def test_lower_bounds_hold_at_least_as_often_as_they_promise(kind: str) -> None:
    rng = np.random.default_rng(3)
    delta, trials, size = 0.1, 400, 150
    mean = {"rare": 0.1, "uniform": 0.5, "constant": 0.7}[kind]
    wrong = np.zeros(2)
    for _ in range(trials):
        values = {
            "rare": (rng.random(size) < mean).astype(float),
            "uniform": rng.random(size),
            "constant": np.full(size, mean),
        }[kind]
        bounds = study.martingale_bound(values, delta), study.bernstein_bound(values, 1.0, delta)
        assert all(0 <= bound <= values.mean() for bound in bounds)
        wrong += np.array(bounds) > mean + 1e-12
    # four standard deviations of the number of errors allowed
    assert np.all(wrong <= trials * delta + 4 * math.sqrt(trials * delta * (1 - delta)))


def test_lower_bounds_tighten_with_draws_and_confidence_costs() -> None:
    rng = np.random.default_rng(5)
    values = rng.random(4000)
    for bound in (study.martingale_bound, lambda v, d: study.bernstein_bound(v, 1.0, d)):
        assert bound(values[:100], 0.01) < bound(values[:1000], 0.01) < bound(values, 0.01) < 0.5
        assert bound(values, 0.001) < bound(values, 0.1)
    assert study.martingale_bound(values, 0.01) > 0.47
    assert study.martingale_bound(np.zeros(50), 0.01) == 0.0


def test_bernstein_bound_agrees_with_its_formula() -> None:
    values = np.array([0.0, 2.0, 1.0, 2.0] * 500)
    variance = np.var(values, ddof=1)
    word = math.log(2 / 0.01)
    expected = values.mean() - math.sqrt(2 * variance * word / 2000) - 7 * 2.5 * word / (3 * 1999)
    assert study.bernstein_bound(values, 2.5, 0.01) == pytest.approx(expected, rel=1e-12)


def test_the_figure_is_drawn_from_the_tables_alone(small: StudyResult) -> None:
    figure = small.figure(small.tables)
    assert [axes.get_xlabel() for axes in figure.axes] == ["qubits n", "cone width w"]
