"""The training-law study and the grid: closed-form anchors, scores, and independence of the number of workers."""

import math
from dataclasses import replace

import numpy as np
import pytest

from equinoise.errors import ParameterError
from equinoise.evidence import training_law
from equinoise.evidence.frame import cases as shared_cases
from equinoise.evidence.frame.cases import Case, cases
from equinoise.evidence.frame.channels import DEVICE, FAMILIES, make_noise
from equinoise.evidence.frame.measured_cases import evaluate, evaluate_all, evaluated
from equinoise.evidence.frame.statistics import coefficient_of_determination
from equinoise.evidence.frame.study import Context
from equinoise.sampling import Sampling

X = (0.01, 0.2, 2.0)


def test_coefficient_of_determination_is_one_minus_residual_over_spread():
    # mean 2, spread 1 + 0 + 1 = 2, residual 0 + 0.25 + 0.25 = 0.5
    assert coefficient_of_determination([1.0, 2.5, 2.5], [1.0, 2.0, 3.0]) == pytest.approx(0.75, abs=1e-15)
    assert coefficient_of_determination([2.0, 2.0, 2.0], [1.0, 2.0, 3.0]) == 0.0
    assert math.isnan(coefficient_of_determination([1.0], [1.0]))
    assert math.isnan(coefficient_of_determination([], []))


@pytest.mark.parametrize("initial", ["neel", "dicke", "product"])
@pytest.mark.parametrize("readout", ["Z", "hopping"])
def test_collective_dephasing_leaves_every_gradient_untouched(initial, readout):
    found = evaluate(Case("collective", 3, 6, initial, readout), Sampling(samples=3, seed=1), X)
    assert found.untouched
    # rounding of sums of squares
    np.testing.assert_allclose(found.exact, 1.0, atol=1e-12)


def test_a_readout_that_all_noise_reaches_once_decays_exponentially():
    # one block, one slot, hopping readout: |01><10| decays at rate r (v_0 - v_1)^2 2 alone, so R = exp(-x) exactly
    case = Case("staggered", 1, 2, "neel", "hopping")
    found = evaluate(case, Sampling(samples=8, seed=3), X)
    assert found.kappa == pytest.approx(0.05 * (2 * 2) ** 2 / 2, rel=1e-10)
    assert found.share == pytest.approx(0.0, abs=1e-14)
    np.testing.assert_allclose(found.exact, np.exp(-np.array(X)), rtol=1e-9)
    rows = training_law.STUDY.judge(training_law.tables_of([found])).tables["data"].rows()
    np.testing.assert_allclose([r["resummed"] for r in rows], [r["exact"] for r in rows], rtol=1e-6)


def test_every_family_has_its_channel_and_an_unknown_one_is_named():
    for family in FAMILIES:
        if family != DEVICE:
            for member in range(6):
                assert make_noise(family, 4, member).terms
    with pytest.raises(ParameterError, match="no channel family 'bath'"):
        make_noise("bath", 4)


def test_random_members_are_the_same_each_time_and_differ_between_sizes():
    one, two, other = make_noise("inhomogeneous", 5), make_noise("inhomogeneous", 5), make_noise("inhomogeneous", 6)
    assert one.dephasing == two.dephasing
    assert one.dephasing != other.dephasing[:5]


@pytest.mark.parametrize("quick", [True, False])
def test_grid_has_distinct_cases_that_cover_depths_inputs_and_readouts(quick):
    found = cases(quick)
    assert len({case.label for case in found}) == len(found)
    for family in {case.family for case in found}:
        part = [case for case in found if case.family == family]
        assert {case.readout for case in part} == {"Z", "ZZ", "hopping"}
        assert {case.initial for case in part} >= {"neel", "dicke", "product"}
        assert {case.projected for case in part} == {True, False}
        assert {case.depth for case in part} == ({3, 6} if quick else set(range(3, 9)))


def test_a_device_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setattr(shared_cases, "device_available", lambda: False)
    assert DEVICE not in {case.family for case in cases(True)}


def _few() -> list[Case]:
    return [
        Case("local", 3, 4, "neel", "Z"),
        Case("collective", 3, 4, "product", "ZZ"),
        Case("damping", 3, 4, "dicke", "hopping", projected=True),
        Case("depolarizing", 3, 4, "product", "Z", projected=True),
    ]


def test_same_tables_with_one_worker_and_two():
    tables = []
    for workers in (1, 2):
        evaluated.cache_clear()
        found = evaluate_all(_few(), Context(quick=True, workers=workers), samples=4, x=X)
        tables.append(training_law.STUDY.judge(training_law.tables_of(found)).tables)
    evaluated.cache_clear()
    assert tables[0] == tables[1]


def test_a_case_keeps_its_numbers_whatever_else_is_evaluated():
    context = Context(quick=True, workers=1)
    alone = evaluate_all(_few()[2:3], context, samples=4, x=X)[0]
    evaluated.cache_clear()
    among = evaluate_all(_few(), context, samples=4, x=X)[2]
    np.testing.assert_array_equal(alone.exact, among.exact)
    assert evaluate_all(_few(), context, samples=4, x=X)[2] is among


def test_cases_where_nothing_decays_stand_apart_and_a_wrong_law_fails_its_criteria():
    found = evaluate_all(_few(), Context(quick=True), samples=4, x=X)
    result = training_law.STUDY.judge(training_law.tables_of(found))
    assert {r["set"] for r in result.tables["families"].rows()} == {"local", "damping", "depolarizing"}
    assert result.tables["forms"].rows()[0]["points"] == 9
    assert any("w0 = 1: 1 cases (collective)" in text for text in result.findings)
    shifted = [replace(one, kappa=5 * one.kappa) for one in found]
    wrong = training_law.STUDY.judge(training_law.tables_of(shifted))
    assert not wrong.passed
    result.figure(result.tables)


def test_damping_turns_the_gradient_of_zz_into_that_of_z():
    correlation = [r["correlation"] for r in training_law.relaxed_pairs(Context(seed=1))]
    # without noise the two gradients have nothing to do with each other; 96 draws, a few of them large
    assert abs(correlation[0]) < 0.5
    assert correlation[-1] > 0.99
