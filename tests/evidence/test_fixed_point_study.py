"""Study 5: the class of a channel is read off its fixed point, and says what becomes of the gradient."""

from __future__ import annotations

import math

import pytest

from equinoise.engines.sector.exact import ExactEngine
from equinoise.evidence import fixed_points as study
from equinoise.evidence.frame.study import Context, StudyResult


@pytest.fixture(scope="module")
def quick() -> StudyResult:
    return study.STUDY.run(Context(quick=True, workers=2))


def test_every_criterion_holds(quick: StudyResult) -> None:
    assert [c.statement for c in quick.criteria if not c.passed] == []


def test_all_classes_of_the_law_are_shown(quick: StudyResult) -> None:
    kinds = {r["predicted"] for r in quick.tables["classes"].rows()}
    assert kinds == {"untouched", "partly protected", "classical", "too mixed", "too symmetric"}


def test_classes_are_read_before_any_gradient_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    read, draw = study.fixed_point, ExactEngine.draw
    monkeypatch.setattr(study, "fixed_point", lambda *a: (events.append("class"), read(*a))[1])
    monkeypatch.setattr(ExactEngine, "draw", lambda *a: (events.append("gradient"), draw(*a))[1])
    monkeypatch.setattr(study, "QUOTED", {})
    monkeypatch.setattr(study, "SCALES", (0.0, math.inf))
    study.STUDY.run(Context(quick=True, workers=1))
    assert events[: len(study.CASES)] == ["class"] * len(study.CASES)
    assert set(events[len(study.CASES) :]) == {"gradient"}


def test_a_wrong_class_or_a_leaking_channel_fails(quick: StudyResult) -> None:
    rows = [dict(r) for r in quick.tables["classes"].rows()]
    rows[0]["predicted"] = "classical"
    rows[-1]["fixed_point_share"] = 1e-6
    tables = {name: table.rows() for name, table in quick.tables.items()} | {"classes": rows}
    failed = [c.statement for c in study.STUDY.judge(tables).criteria if not c.passed]
    assert failed == ["channels whose class was predicted wrongly", "too symmetric: largest V(inf)/V(0)"]


def test_every_channel_is_followed_to_infinity(quick: StudyResult) -> None:
    for channel in {r["channel"] for r in quick.tables["data"].rows()}:
        scales = [r["scale"] for r in quick.tables["data"].rows() if r["channel"] == channel]
        assert scales[0] == 0
        assert math.isinf(float(scales[-1]))


def test_under_local_dephasing_the_last_finite_scale_has_reached_the_fixed_point(quick: StudyResult) -> None:
    rows = [r for r in quick.tables["data"].rows() if r["channel"] == "local dephasing"]
    assert float(rows[-2]["variance"]) == pytest.approx(float(rows[-1]["variance"]), rel=1e-9)


def test_a_readout_that_one_hop_reaches_keeps_everything_under_local_dephasing(quick: StudyResult) -> None:
    # n = 5, L = 3: behind Z4 stands one hop on a basis state of its pair, hence populations only
    shares = {(r["depth"], r["readout"]): r["fixed_point_share"] for r in quick.tables["quoted"].rows()}
    assert shares[3, "Z4"] == pytest.approx(1.0, abs=1e-12)


@pytest.mark.slow
def test_one_worker_gives_the_same_tables_as_two(quick: StudyResult) -> None:
    again = study.STUDY.run(Context(quick=True, workers=1))
    assert {k: t.rows() for k, t in again.tables.items()} == {k: t.rows() for k, t in quick.tables.items()}


def test_the_figure_names_channel_and_class(quick: StudyResult) -> None:
    figure = quick.figure(quick.tables)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert "damping: too symmetric" in labels
    assert len(labels) == len(study.CASES)
