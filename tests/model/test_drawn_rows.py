"""Rows that stand for all: over every choice of R of N rows each estimate averages to that of all rows, exactly."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import equinoise as eq
from equinoise.coherence.loss.drawn_rows import DrawnRows
from equinoise.coherence.loss.loss_law import loss_draw
from equinoise.diagnosis.loss.loss_diagnosis import rows_in_time
from equinoise.engines.model_sweeps import ModelSweeps, product_of_means
from equinoise.errors import ParameterError
from model_twin import build

DATA = np.array([[0.3, -0.8], [1.1, 0.4], [-0.6, 0.9], [0.2, 0.5], [-1.0, -0.3]])
FEW = eq.Sampling(samples=3)


def of(**more):
    return build("re-uploading", "relaxation", "logistic", "Z0", data=DATA, labels=[0, 1, 1, 0, 1], **more)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_products_of_means_over_all_choices_of_rows_average_to_that_of_all(count):
    one, two = np.random.default_rng(0).normal(size=(2, 5, 4))
    found = [
        product_of_means(one[list(rows)], two[list(rows)], 1 / count - 1 / 5)
        for rows in itertools.combinations(range(5), count)
    ]
    np.testing.assert_allclose(np.mean(found, axis=0), one.mean(axis=0) * two.mean(axis=0), atol=1e-15)


class _Choice:
    """What stands in for a generator, and draws the rows that it is told."""

    def __init__(self, rows):
        self.rows = rows

    def choice(self, total, count, replace):
        assert (len(self.rows), replace) == (count, False)
        return np.array(self.rows)


def test_squares_parts_budgets_and_crosses_of_some_rows_average_to_those_of_all():
    model = of()
    sweeps, theta = ModelSweeps(model), model.draw(1, 3)[0]
    some, every = DrawnRows.of(model, None, rows=2), DrawnRows.of(model, None)
    whole = loss_draw(sweeps, theta, [1.5], every, np.random.default_rng(0))
    found = [
        loss_draw(sweeps, theta, [1.5], some, _Choice(rows)) for rows in itertools.combinations(range(len(DATA)), 2)
    ]
    for name in ("square", "by_gradient", "by_residual", "gradient_budget", "residual_budget", "readout_squares"):
        mean = np.mean([getattr(each.first, name) for each in found], axis=0)
        np.testing.assert_allclose(mean, getattr(whole.first, name), atol=1e-14, err_msg=name)
    for name in ("squares", "cross", "readout_squares"):
        mean = np.mean([getattr(each, name) for each in found], axis=0)
        np.testing.assert_allclose(mean, getattr(whole, name), atol=1e-14, err_msg=name)
    # without the correction it is the loss of batches, whose square is larger
    batch = DrawnRows.of(model, 2)
    alone = [
        loss_draw(sweeps, theta, [1.5], batch, _Choice(rows)).first.square.sum()
        for rows in itertools.combinations(range(len(DATA)), 2)
    ]
    assert np.mean(alone) > whole.first.square.sum() * 1.01


def test_all_rows_stand_for_themselves():
    model = of()
    one, two = eq.law(model, sampling=FEW), eq.law(model, rows=len(DATA), sampling=FEW)
    assert two.kappa == pytest.approx(one.kappa, rel=1e-12)
    assert (one.rows, one.batch, two.batch) == (5, None, None)


def test_rows_that_stand_for_all_are_told_and_their_shots_are_those_of_all_rows():
    model = of()
    found = eq.diagnose(model, rows=3, sampling=FEW)
    assert (found.law.rows, found.law.batch, found.resources.rows) == (3, None, 5)
    assert any("estimated without bias from 3 of 5 rows" in note for note in found.warnings)
    assert found.to_dict()["rows"] == 3
    whole = eq.diagnose(model, sampling=FEW).resources
    assert found.resources.resolved_rms == pytest.approx(whole.resolved_rms, rel=0.3)


def test_a_time_limit_takes_fewer_rows_and_never_less_than_four():
    model = of()
    sweeps = ModelSweeps(model)
    assert rows_in_time(sweeps, np.zeros((10, 4)), 1.0, 1e9).count == 5
    none = rows_in_time(sweeps, np.zeros((10, 4)), 1.0, 1e-9)
    assert (none.count, none.stand_for_all) == (4, True)
    assert eq.diagnose(model, seconds=1e-9, sampling=FEW).law.rows == 4
    assert eq.diagnose(model, seconds=1e9, sampling=FEW).law.rows == 5


@pytest.mark.parametrize("rows", [0, 1, 6, True, 2.0], ids=str)
def test_rows_out_of_range_are_refused(rows):
    with pytest.raises(ParameterError, match="rows must be a whole number of 2 to 5"):
        eq.law(of(), rows=rows, sampling=FEW)


def test_batches_and_rows_that_stand_for_all_are_two_questions():
    with pytest.raises(ParameterError, match="give one"):
        eq.law(of(), rows=2, batch=2, sampling=FEW)


def test_rows_that_do_not_tell_the_gradient_from_zero_say_so():
    """Labels against predictions that are equal in all rows: the rows' gradients cancel but for a millionth."""
    labels = [1.0, -1.0] * 10
    flat = {"data": np.tile([[0.3, -0.8]], (20, 1)), "labels": labels, "scale": 1e-6}
    model = build("re-uploading", "relaxation", "mse", "Z0", **flat)
    found = eq.diagnose(model, rows=4, shots=10**12, sampling=eq.Sampling(samples=8))
    assert np.isnan(found.law.kappa)
    assert np.isnan(found.resources.shots_per_row)
    assert any("do not tell the loss's gradient from 0" in note for note in found.warnings)
    assert "more rows or draws" in found.advice[0]
    assert found.to_dict()["law"]["kappa"] is None
    assert "unknown" in str(found)
    assert "unknown" in found._repr_html_()
    whole = eq.law(model, sampling=eq.Sampling(samples=8))
    assert whole.variance > 0
