"""The study of diagnostics: equal strength, exact survival, the law first, one result for any number of workers."""

from __future__ import annotations

import numpy as np
import pytest

import equinoise as eq
from equinoise.ensemble import Ensemble
from equinoise.evidence import channel_diagnostics as diagnostics
from equinoise.evidence import channel_families
from equinoise.evidence.frame.rows import Rows
from equinoise.evidence.frame.study import Context
from equinoise.text.table import Table


@pytest.fixture(scope="module")
def result():
    return diagnostics.STUDY.run(Context(quick=True, workers=2))


def column(result, name):
    return np.array(result.tables["data"].columns[name], dtype=float)


def test_every_criterion_holds_on_the_quick_set(result):
    assert result.passed, [c for c in result.criteria if not c.passed]


def test_all_channels_have_one_strength_and_survival_spans_a_wide_range(result):
    np.testing.assert_allclose(column(result, "strength"), channel_families.STRENGTH, rtol=1e-12)
    survival = column(result, "survival")
    assert survival.min() < 0.4
    assert survival.max() > 0.95


def test_survival_and_law_equal_those_of_the_public_functions(result):
    context = Context(quick=True)
    row = next(
        r for r in result.tables["data"].rows() if r["channel"] == "relaxation down and up 1" and r["task"] == "Z"
    )
    noise = channel_families.channel_noise("relaxation down and up", context.seed_for("diagnostics", row["family"], 1))
    circuit = eq.circuits.brickwork(6, depth=4, periodic=True)
    problem = eq.Problem(circuit, "Z3", "neel", noise)
    draws = Ensemble().draw(problem, 12, context.seed_for("diagnostics", "draws"))
    exact = eq.gradient_variance(problem, scales=[1.0], sampling=eq.Sampling(ensemble=draws))
    assert row["survival"] == pytest.approx(exact.survival[0], rel=1e-10)
    law = eq.law(problem, sampling=eq.Sampling(ensemble=draws))
    assert row["kappa"] == pytest.approx(law.kappa, rel=1e-8)
    assert row["resummed"] == pytest.approx(float(law.survival(1.0)), rel=1e-8)


def test_no_gradient_is_lost_to_collective_dephasing_though_its_worst_case_rate_is_the_largest(result):
    rows = result.tables["data"].rows()
    collective = [r for r in rows if r["family"] == "collective dephasing"]
    assert min(r["survival"] for r in collective) > 0.9
    assert max(r["worst_rate"] for r in rows) == pytest.approx(collective[0]["worst_rate"])


def test_diamond_distances_are_enclosed_and_above_the_infidelity(result):
    low, high = column(result, "diamond_low"), column(result, "diamond_high")
    assert np.all(high - low <= 1.001e-3 * high)
    # the maximally entangled input is one of those that the diamond distance may choose
    assert np.all(high >= column(result, "entanglement_infidelity") - 1e-12)


def test_noiseless_readouts_give_the_value_that_the_engine_gives_at_every_slot():
    problem = eq.Problem(diagnostics._circuit(), diagnostics.READOUTS["hopping"], "neel")
    theta = Ensemble().draw(problem, 1, 5)
    states, readouts = diagnostics._noiseless(theta)
    found = np.einsum("lij,lji->l", readouts["hopping"][0], states[0])
    np.testing.assert_allclose(found, eq.expectation(problem, theta[0], scale=0.0).value, atol=1e-12)


def test_ranking_finds_a_monotone_relation_and_ignores_a_constant():
    survival = np.linspace(0.3, 1.0, 20)
    columns = {key: [1.0] * 40 for key in diagnostics.LAW | diagnostics.STANDARD}
    columns |= {"task": ["Z", "hopping"] * 20, "survival": np.repeat(survival, 2).tolist()}
    columns["kappa"] = (-np.log(np.repeat(survival, 2))).tolist()
    columns["gap"] = (np.repeat(survival, 2) ** 7).tolist()
    rows = {(r["task"], r["quantity"]): r for r in diagnostics.ranking(Rows(Table(columns).rows()), 50, 0)}
    for task in ("Z", "hopping", "both"):
        assert rows[task, "kappa"]["spearman"] == pytest.approx(1)
        assert rows[task, "kappa"]["r2"] == pytest.approx(1)
        assert rows[task, "gap"]["spearman_low"] == pytest.approx(1)
        assert rows[task, "gap"]["r2"] < 0.95
        assert rows[task, "diamond"]["spearman"] == rows[task, "diamond"]["spearman_high"] == 0


@pytest.mark.slow
def test_tables_are_the_same_for_any_number_of_workers(result):
    again = diagnostics.STUDY.run(Context(quick=True, workers=1))
    for name, table in result.tables.items():
        assert again.tables[name].rows() == table.rows()


def test_figure_is_drawn_from_the_tables_alone(result):
    figure = result.figure(result.tables)
    bars, law, standard = figure.axes
    assert len(bars.patches) == len(diagnostics.LAW | diagnostics.STANDARD)
    dots = [line for line in law.get_lines() if line.get_marker() not in ("", "None")]
    assert sum(len(line.get_xdata()) for line in dots) == len(result.tables["data"])
    assert "readout-only" in standard.get_xlabel()
