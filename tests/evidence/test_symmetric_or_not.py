"""Study 8: equivariant against unstructured circuits under the same noise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from equinoise.engines.evaluate import gradient
from equinoise.errors import DeviceError
from equinoise.evidence.frame.study import Context, StudyResult
from equinoise.evidence.symmetric import symmetric_or_not as study
from equinoise.problem import Problem


@pytest.fixture(scope="module")
def quick() -> StudyResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "DEVICES", ("torino",))
        return study.STUDY.run(Context(quick=True, workers=2))


def row(result: StudyResult, noise: str, design: str):
    return next(r for r in result.tables["data"].rows() if r["noise"] == noise and r["design"] == design)


def test_every_criterion_holds(quick: StudyResult) -> None:
    assert [c.statement for c in quick.criteria if not c.passed] == []


def test_both_designs_have_equal_depth_and_nearly_equal_parameters(quick: StudyResult) -> None:
    for noise in {r["noise"] for r in quick.tables["data"].rows()}:
        a, b = (row(quick, noise, design) for design in study.DESIGNS)
        assert a["depth"] == b["depth"]
        assert abs(a["parameters"] - b["parameters"]) <= 0.15 * b["parameters"]


def test_the_unstructured_design_breaks_the_charge_and_is_right_in_the_full_space() -> None:
    problem = Problem(study.hardware_efficient(2, 1), "Z0", "00", allow_broken=True)
    assert problem.breaking
    theta = [0.7, 0.2, -0.4, 0.1]
    found = gradient(problem, theta)
    # RY alone moves Z0; RZ and CZ commute with it
    assert found.value == pytest.approx(math.cos(0.7), abs=1e-12)
    np.testing.assert_allclose(found.gradient, [-math.sin(0.7), 0, 0, 0], atol=1e-12)


def test_collective_dephasing_spares_the_equivariant_design_only(quick: StudyResult) -> None:
    assert row(quick, study.COLLECTIVE, "equivariant")["kappa"] == pytest.approx(0.0, abs=1e-12)
    assert row(quick, study.COLLECTIVE, "equivariant")["fixed_point"] == "untouched"
    assert row(quick, study.COLLECTIVE, "unstructured")["kappa"] > 0.05


def test_damping_traps_the_equivariant_design_only(quick: StudyResult) -> None:
    trapped, free = (row(quick, study.LAST_QUIET, design) for design in study.DESIGNS)
    assert trapped["fixed_point"] == "too symmetric"
    assert trapped["fixed_point_share"] < 1e-20
    assert free["fixed_point_commutator"] > 0.1
    assert free["fixed_point_share"] > 0.01


def test_ratios_are_those_of_the_survivals(quick: StudyResult) -> None:
    survival = {(r["noise"], r["design"], r["scale"]): r["survival"] for r in quick.tables["survival"].rows()}
    for r in quick.tables["ratios"].rows():
        pair = [survival[r["noise"], design, r["scale"]] for design in study.DESIGNS]
        assert [r["equivariant"], r["unstructured"]] == pair
        if r["ratio"] is None:
            assert max(pair) <= 1e-10
        else:
            assert r["ratio"] == pytest.approx(pair[0] / pair[1])


def test_a_missing_device_is_said_and_the_rest_is_run(quick: StudyResult, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise DeviceError(f"no {name} here.")

    monkeypatch.setattr(study, "snapshot", missing)
    assert [name for name in study._noises() if name.startswith("ibm")] == []
    said = study.STUDY.judge({name: table.rows() for name, table in quick.tables.items()}).findings
    assert said[-2:] == tuple(f"Device noise of {d} was left out: no {d} here." for d in study.DEVICES)


@pytest.mark.slow
def test_one_worker_gives_the_same_tables_as_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "DEVICES", ())
    monkeypatch.setattr(study, "QUICK_SCALES", (0.0, 16.0, math.inf))
    one, two = (study.STUDY.run(Context(quick=True, workers=w)).tables for w in (1, 2))
    assert {k: t.rows() for k, t in one.items()} == {k: t.rows() for k, t in two.items()}


def test_the_figure_has_a_panel_for_each_noise(quick: StudyResult) -> None:
    noises = {r["noise"] for r in quick.tables["data"].rows()}
    titles = [axes.get_title() for axes in quick.figure(quick.tables).axes]
    assert {title.splitlines()[0] for title in titles if title} == noises
