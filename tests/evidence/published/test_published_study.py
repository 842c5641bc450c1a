"""The study on the authors' own tables, where they are at hand; and its arithmetic, everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from equinoise.evidence.frame.rows import Rows
from equinoise.evidence.frame.study import Context
from equinoise.evidence.published.activity import activity_rows
from equinoise.evidence.published.depth_sweep import kappa_rows
from equinoise.evidence.published.loss_gradients import loss_rows
from equinoise.evidence.published.medians import resampled, width_rows
from equinoise.evidence.published.predictors import held_out_rows, permutation_rows, predictor_rows
from equinoise.evidence.published.published_study import STUDY, TIME
from equinoise.evidence.published.published_tables import PublishedTables
from equinoise.evidence.published.responses import parameter_law
from equinoise.evidence.published.ring import Ring, nested_draws
from equinoise.evidence.published.small_noise import small_noise_rows
from published_twin import ROOT, TABLES

# stated before the run, and not met: see docs/published.md
KNOWN_TO_FAIL = {"phases 12 and 18: share of published medians in our 95 % interval"}


def test_the_page_shows_as_failures_those_that_are_known_and_no_others():
    page = (ROOT / "docs" / "published.md").read_text(encoding="utf-8")
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.endswith("| **no** |")]
    assert {line[0] for line in lines} == KNOWN_TO_FAIL
    assert f"| {TIME} |" in page
    assert (ROOT / "docs" / "figures" / "published.png").is_file()


def test_the_slope_at_no_noise_is_read_off_six_strengths():
    gamma = np.array([0.01, 0.03, 0.05, 0.1, 0.2, 0.3]) / 3
    settings = Rows(
        {"L": 3, "channel": "dephase", "gamma": g, "published": -8 * np.log1p(-2 * g), "kappa": 8.0} for g in gamma
    )
    (row,) = kappa_rows(settings, depths=(3,))
    assert abs(row["relative_difference"]) < 1e-5
    assert abs(row["published_slope"] - 8) <= abs(row["last_term"])


def test_a_median_of_few_dependent_pairs_scatters_more_than_one_of_many():
    rng = np.random.default_rng(0)
    without = rng.chisquare(1, (400, 6)) * rng.chisquare(1, 6)
    noisy = without * rng.uniform(0.2, 1.0, (400, 6))
    few, many = (resampled(without, noisy, "median", count, rng).std() for count in (40, 400))
    assert few > 2 * many


def test_the_law_of_one_parameter_is_exact_where_the_gradient_is_one_exponential():
    ring = Ring(8, 3)
    law = parameter_law(ring.problem("relaxation:1"), nested_draws(ring, 42, 3, 5, 0.05), ring.parameter(1, 0))
    assert np.allclose([law.kappa, law.share, law.c2], [3, 0, 0], rtol=0, atol=1e-9)
    assert np.allclose(law.response([0.1, 2.0]), [0.6, 12.0])


if TABLES is not None:

    @pytest.fixture(scope="module")
    def tables():
        return PublishedTables(TABLES)

    def test_no_published_parameter_outside_the_cone_has_a_gradient(tables):
        rows = Rows(activity_rows(tables))
        outside = rows.where(in_cone=False)
        assert len(rows) == 160
        assert outside.largest("published") < 1e-30
        assert outside.largest("ours") == 0.0
        active = rows.where(lambda row: row["published"] > 1e-24)
        assert np.allclose(active.column("ours"), active.column("published"), rtol=1e-9, atol=0)

    @pytest.mark.slow
    def test_medians_of_six_and_eight_qubits_are_repeated_draw_by_draw(tables):
        rows = Rows(width_rows(tables, Context(quick=True)))
        assert np.allclose(rows.column("median"), rows.column("published"), rtol=1e-9, atol=0)

    @pytest.mark.slow
    def test_small_strengths_are_repeated_by_their_mean_of_ratios(tables):
        rows = Rows(small_noise_rows(tables, Context(quick=True)))
        assert np.allclose(rows.column("mean_of_ratios"), rows.column("published"), rtol=1e-9, atol=0)

    def test_their_predictors_and_leave_one_out_are_repeated_from_their_columns(tables):
        # our columns from theirs: only their numbers are tested here
        numbers = ("L", "gamma", "D_M")
        theirs = tables.rows("pooled_with_baselines", numbers, ("channel",))
        settings = Rows(
            {"first_order": r["D_M"], "exact": r["D_M"], "kappa": 1.0, "L": int(r["L"]), "channel": r["channel"]}
            for r in theirs
        )
        found = Rows(predictor_rows(tables, settings)).known("published_r2")
        assert np.allclose(found.column("r2"), found.column("published_r2"), rtol=0, atol=1e-9)
        held = Rows(held_out_rows(tables, settings))
        assert len(held) == 14
        assert np.allclose(held.column("repeated_r2"), held.column("published_r2"), rtol=0, atol=1e-9)
        assert permutation_rows(tables, settings)[0]["p"] == pytest.approx(1 / 24)

    @pytest.mark.slow
    def test_a_published_loss_gradient_lies_between_those_of_the_two_labels(tables):
        rows = Rows(loss_rows(tables, Context(quick=True)))
        assert all(rows.column("between"))
        first = rows.where(phase="7")
        assert np.allclose(first.column("label_plus"), first.column("published"), rtol=1e-9, atol=0)

    @pytest.mark.slow
    def test_each_criterion_holds_or_is_explained(tables):
        result = STUDY.run(Context(quick=True, tables=TABLES))
        failed = {c.statement for c in result.criteria if not c.passed}
        # how long it takes depends on what else runs
        assert failed - {TIME} <= KNOWN_TO_FAIL
        assert result.page.startswith("# Against the published tables")
        assert all(c.statement.split("|")[0] in result.page for c in result.criteria)
