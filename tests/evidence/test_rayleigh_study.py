"""Study 7: the slots' Rayleigh quotients add up to kappa, on average over the ensemble."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from equinoise.coherence.rates import aligned_rates
from equinoise.evidence import rayleigh as study
from equinoise.evidence.frame.study import Context, StudyResult
from equinoise.sampling import Sampling


@pytest.fixture(scope="module")
def small() -> StudyResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "QUICK", 80)
        return study.STUDY.run(Context(quick=True, workers=2))


@pytest.fixture(scope="module")
def rates():
    return aligned_rates(study.problem(1), sampling=Sampling(samples=40, seed=2))


def test_the_sum_agrees_with_kappa_within_four_standard_errors(small: StudyResult) -> None:
    assert small.criteria[0].passed


def test_per_draw_numbers_make_up_the_rates(rates) -> None:
    assert rates.numerator.shape == rates.denominator.shape == (40, study.DEPTH)
    denominator = rates.denominator.sum(axis=0)
    np.testing.assert_allclose(rates.alpha, rates.numerator.sum(axis=0) / denominator, rtol=1e-13)
    assert rates.kappa == pytest.approx(-rates.slope.sum() / rates.square.sum(), rel=1e-13)
    few = aligned_rates(study.problem(1), sampling=Sampling(samples=10, seed=2, workers=1))
    np.testing.assert_array_equal(few.numerator, rates.numerator[:10])
    np.testing.assert_array_equal(few.square, rates.square[:10])


def test_progress_counts_draws() -> None:
    ticks: list[int] = []
    aligned_rates(study.problem(1), sampling=Sampling(samples=3), progress=ticks.append)
    assert ticks == [1, 1, 1]


def test_the_last_slot_costs_a_z_readout_nothing(rates) -> None:
    assert rates.alpha[-1] == pytest.approx(0.0, abs=1e-14)
    assert np.all(rates.alpha[:-1] > 0.01)


def test_a_difference_of_a_tenth_would_be_seen_with_all_draws(rates) -> None:
    many = {name: np.tile(getattr(rates, name), (40, 1)) for name in ("numerator", "denominator")}
    many |= {name: np.tile(getattr(rates, name), 40) for name in ("slope", "square")}
    shifted = replace(rates, samples=1600, **{**many, "numerator": 1.5 * many["numerator"]})
    last = study._nested(shifted, seed=0)[-1]
    assert abs(last["difference"]) > 4 * last["standard_error"]


def test_bootstrap_errors_shrink_as_one_over_the_root_of_the_draws(small: StudyResult) -> None:
    rows = small.tables["data"].rows()
    assert [r["samples"] for r in rows] == [20, 40, 80]
    assert 1.2 < float(rows[0]["standard_error"]) / float(rows[-1]["standard_error"]) < 3.5


@pytest.mark.slow
def test_one_worker_gives_the_same_tables_as_two(small: StudyResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "QUICK", 80)
    again = study.STUDY.run(Context(quick=True, workers=1))
    assert {k: t.rows() for k, t in again.tables.items()} == {k: t.rows() for k, t in small.tables.items()}


def test_the_figure_is_drawn_from_the_tables_alone(small: StudyResult) -> None:
    assert len(small.figure(small.tables).axes) == 2
