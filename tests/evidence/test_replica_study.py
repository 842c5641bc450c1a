"""Study replica: exponents of known laws, V and its bounds on a small set, and planted faults that the criteria see."""

from __future__ import annotations

import math

import numpy as np
import pytest

from equinoise.engines.replica.average import first_order_average
from equinoise.evidence import ensemble_average as study
from equinoise.evidence.ensemble_bounds import ratio_interval
from equinoise.evidence.frame.cases import Case
from equinoise.evidence.frame.statistics import fall, line
from equinoise.evidence.frame.study import Context, StudyResult
from equinoise.text.table import as_number


def _few(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(study, "QUICK_OPEN", (2, 3, 4))
    patch.setattr(study, "QUICK_NARROW", {4: (2, 5, 10)})
    patch.setattr(study, "SAMPLED", (Case("local", 3, 4, "neel", "Z"), Case("damping", 3, 4, "neel", "ZZ")))


@pytest.fixture(scope="module")
def small() -> StudyResult:
    with pytest.MonkeyPatch.context() as patch:
        _few(patch)
        return study.STUDY.run(Context(quick=True, workers=2))


def test_every_criterion_holds_on_a_small_set(small: StudyResult) -> None:
    assert [c.statement for c in small.criteria if not c.passed] == []
    small.plot()


@pytest.mark.slow
def test_one_worker_gives_the_same_tables_as_two(small: StudyResult, monkeypatch: pytest.MonkeyPatch) -> None:
    _few(monkeypatch)
    assert study.STUDY.run(Context(quick=True, workers=1)).tables == small.tables


def test_the_open_cone_is_twice_the_depth_wide(small: StudyResult) -> None:
    rows = [r for r in small.tables["data"].rows() if r["family"] == study.OPEN]
    assert [(r["depth"], r["width"]) for r in rows] == [(2, 4), (3, 6), (4, 8)]


def test_at_depth_two_nothing_has_decayed(small: StudyResult) -> None:
    # the readout after two layers depends on one hop alone, V = 1/2 with noise and without
    first = small.tables["data"].rows()[0]
    for name in ("noiseless", "noisy", "plateau"):
        assert as_number(first[name]) == pytest.approx(0.5, abs=1e-12)
    assert as_number(first["kappa"]) == pytest.approx(0.0, abs=1e-12)
    assert as_number(first["w0"]) == pytest.approx(1.0, abs=1e-12)


def test_plateau_and_fixed_point_share_are_the_same_statement(small: StudyResult) -> None:
    for row in small.tables["data"].rows():
        if row["family"] == study.OPEN:
            depth = int(as_number(row["depth"]))
            law = first_order_average(study._problem(depth, 2 * depth + 4), 1e-6)
            assert as_number(row["w0"]) == pytest.approx(law.fixed_point_share, rel=1e-9)
            assert as_number(row["sigma_gamma_squared"]) == pytest.approx(
                as_number(row["m2"]) - as_number(row["kappa"]) ** 2
            )


def test_every_point_of_the_walks_is_held_against_its_bounds(small: StudyResult) -> None:
    held = {str(r["case"]) for r in small.tables["bounds"].rows()}
    for row in small.tables["data"].rows():
        assert f"{row['family']}/L={row['depth']}/n={row['qubits']}" in held


def test_a_value_with_too_wide_an_interval_is_marked_and_enters_no_exponent(small: StudyResult) -> None:
    rows = {name: small.tables[name].rows() for name in ("data", "draws", "bounds")}
    narrow = [r for r in rows["data"] if r["family"] == study.NARROW]
    assert all(r["uncertain"] == "" for r in narrow)
    fits = [f for f in small.tables["fits"].rows() if f["quantity"] == "plateau" and f["family"] != study.OPEN]
    assert [(f["points"], f["left_out"]) for f in fits] == [(3, 0)]
    narrow[0]["plateau_error"] = 0.2 * as_number(narrow[0]["plateau"])
    again = study.STUDY.judge(study.tables_of(rows["data"], rows["draws"], rows["bounds"]))
    assert not [f for f in again.tables["fits"].rows() if f["quantity"] == "plateau" and f["family"] != study.OPEN]


def test_known_laws_are_told_apart_with_their_exponents() -> None:
    depth = np.arange(4.0, 20.0)
    power, exponential = fall(depth, 3 * depth**-0.8, 0.01 * depth**-0.8)
    assert power.slope == pytest.approx(-0.8)
    assert power.r2 == pytest.approx(1.0)
    assert exponential.r2 < 0.99
    power, exponential = fall(depth, 3 * np.exp(-0.3 * depth), np.zeros(depth.size))
    assert exponential.slope == pytest.approx(-0.3)
    assert exponential.r2 == pytest.approx(1.0)
    assert power.r2 < 0.99
    assert exponential.error == 0.0


def test_the_slopes_error_covers_every_change_within_the_intervals_and_is_reached() -> None:
    rng = np.random.default_rng(4)
    x, y, errors = np.arange(5.0), rng.normal(size=5), np.array([0.3, 0.1, 0.2, 0.0, 0.1])
    found = line(x, y, errors)
    moved = [line(x, y + errors * sign, 0 * y).slope for sign in np.array(np.meshgrid(*[[-1, 1]] * 5)).reshape(5, -1).T]
    assert max(abs(s - found.slope) for s in moved) == pytest.approx(found.error)


@pytest.mark.parametrize(
    ("table", "column", "value", "criterion"),
    [
        ("draws", "deviation", -5.0, 0),
        ("bounds", "outside_certificate", 1e-6, 1),
        ("bounds", "outside_program", 1e-6, 2),
        ("bounds", "proved", False, 3),
        ("data", "met", False, 4),
    ],
)
def test_a_planted_fault_fails_its_criterion(
    small: StudyResult, table: str, column: str, value: float, criterion: int
) -> None:
    rows = {name: small.tables[name].rows() for name in ("data", "draws", "bounds")}
    rows[table][-1][column] = value
    broken = study.STUDY.judge(study.tables_of(rows["data"], rows["draws"], rows["bounds"]))
    assert [i for i, c in enumerate(broken.criteria) if not c.passed] == [criterion]


def test_a_variance_that_falls_too_fast_is_outside_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("local", 3, 4, "neel", "Z")
    rows = study._bound_rows(case.label, case.problem(), Context(quick=True, workers=1))
    assert max(as_number(r["outside_certificate"]) for r in rows) < 0

    def halved(*args, **options):
        found = average(*args, **options)
        found.variance[1:] *= 0.5
        return found

    average = study.average
    monkeypatch.setattr(study, "average", halved)
    rows = study._bound_rows(case.label, case.problem(), Context(quick=True, workers=1))
    assert max(as_number(r["outside_certificate"]) for r in rows) > 0.1
    # the linear programme was told the same wrong values and says that no measure has them
    assert all(as_number(r["widening"]) > 0 for r in rows)


def test_intervals_of_ratios_hold_the_ratio() -> None:
    found = study.average(study._problem(4, 12), (0.0, 1.0, math.inf))
    low, high = ratio_interval(found)
    ratio = found.variance / found.variance[0]
    assert np.all((low <= ratio) & (ratio <= high))
