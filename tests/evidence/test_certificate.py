"""The certificate study: gaps on closed forms, violations found where there are some, and the same tables again."""

from dataclasses import replace

import numpy as np
import pytest

from equinoise.engines.select import exact_engine
from equinoise.evidence import certificate
from equinoise.evidence.certificate import PROVED, trained_thetas
from equinoise.evidence.frame.cases import Case
from equinoise.evidence.frame.gaps import gaps
from equinoise.evidence.frame.measured_cases import evaluate, evaluate_all, evaluated
from equinoise.evidence.frame.study import Context
from equinoise.sampling import Sampling

X = (0.01, 0.2, 2.0)


def test_bounds_meet_the_survival_where_one_rate_alone_decays():
    # all coherence decays at the one rate Gmax = kappa: both bounds are V(s)/V(0) = exp(-2 s kappa)
    found = gaps(evaluate(Case("staggered", 1, 2, "neel", "hopping"), Sampling(samples=8, seed=3), X))
    np.testing.assert_allclose(found.ratio, np.exp(-2 * np.array(X)), rtol=1e-9)
    np.testing.assert_allclose(found.below, 0.0, atol=1e-10)
    np.testing.assert_allclose(found.above, 0.0, atol=1e-10)
    np.testing.assert_allclose(found.below_error, 0.0, atol=1e-9)


def test_both_bounds_are_one_under_collective_noise():
    found = gaps(evaluate(Case("collective", 3, 4, "neel", "Z"), Sampling(samples=4, seed=3), X))
    for bound in (found.lower, found.upper, found.ratio):
        np.testing.assert_allclose(bound, 1.0, atol=1e-12)


def test_gap_errors_agree_with_the_scatter_over_samples():
    case = Case("local", 3, 4, "neel", "Z")
    problem = case.problem()
    # at these scales the lower bound is exp(-2 s kappa) and w0, far from where they meet
    ones = [
        evaluate(case, Sampling(samples=32, seed=seed), (), problem=problem, scales=[0.3, 20.0]) for seed in range(40)
    ]
    stated = [gaps(one) for one in ones]
    for name in ("below", "above"):
        scatter = np.std([getattr(g, name) for g in stated], axis=0, ddof=1)
        typical = np.sqrt(np.mean([getattr(g, f"{name}_error") ** 2 for g in stated], axis=0))
        # a linearized error from 32 draws, a scatter from 40 samples
        np.testing.assert_allclose(typical, scatter, rtol=0.5)


def test_training_lowers_the_cost():
    problem = Case("local", 3, 4, "neel", "Z").problem()
    engine = exact_engine(problem, workers=1)
    sampling = Sampling(samples=4)
    start, end = sampling.draw(problem), trained_thetas(problem, sampling, steps=10)
    before, after = (np.mean([engine.value(t, 0.0)[0] for t in thetas]) for thetas in (start, end))
    assert after < before - 0.1


def _found(workers: int = 1):
    evaluated.cache_clear()
    few = [Case("local", 3, 4, "neel", "Z"), Case("staggered", 3, 4, "product", "hopping")]
    context = Context(quick=True, workers=workers)
    return {
        PROVED: evaluate_all(few, context, samples=8, x=X),
        "damping": evaluate_all([Case("damping", 3, 4, "neel", "ZZ")], context, samples=8, x=X),
    }


def test_random_phase_dephasing_stays_inside_and_a_planted_violation_is_counted():
    found = _found()
    result = certificate.STUDY.judge(certificate.tables_of(found))
    assert result.passed
    assert all(r["proved"] == (r["group"] == PROVED) for r in result.tables["data"].rows())
    planted = {PROVED: [replace(one, noisy=0.2 * one.noisy) for one in found[PROVED]]}
    broken = certificate.STUDY.judge(certificate.tables_of(planted))
    assert not broken.passed
    assert broken.tables["groups"].rows()[0]["strict_lower"] > 0
    result.figure(result.tables)


def test_same_tables_with_one_worker_and_two():
    assert (
        certificate.STUDY.judge(certificate.tables_of(_found(1))).tables
        == certificate.STUDY.judge(certificate.tables_of(_found(2))).tables
    )
    context = [Context(quick=True, workers=w) for w in (1, 2)]
    case = Case("local", 3, 4, "neel", "Z")
    for variant in ("normal:0.1", "shared", "trained"):
        one, two = (certificate._variant(variant, case, c) for c in context)
        np.testing.assert_array_equal(one.noisy, two.noisy)
        assert not one.certificate.proved


def test_populations_relax_at_twice_the_rate_of_coherences():
    one = evaluate(Case("damping", 1, 2, "neel", "Z"), Sampling(samples=2, seed=0), X)
    # the readout is Z1: one qubit seen in one slot, down = 0.05, no visible coherence
    assert one.certificate.greatest_rate == pytest.approx(0.05)
