"""Study 'training': what post-selection must and must not do to the gradient, and ranks that are really computed."""

from __future__ import annotations

import pytest

from equinoise.evidence import learning as study
from equinoise.evidence.frame.study import Context


@pytest.fixture(scope="module")
def quick():
    return study.STUDY.run(Context(quick=True, workers=2))


@pytest.mark.slow
def test_every_criterion_holds(quick):
    assert [c.statement for c in quick.criteria if not c.passed] == []


@pytest.mark.slow
def test_post_selection_keeps_the_share_that_damping_leaves_and_all_under_dephasing(quick):
    for row in quick.tables["data"].rows():
        # ceil(log2 10) = 4 loader layers before the trained ones
        lost = 0.03 * row["scale"] * (4 + row["depth"]) if row["channel"] == "damping" else 0.0
        assert row["kept"] == pytest.approx(2.718281828459045**-lost, rel=1e-12)


@pytest.mark.slow
def test_correlations_are_reported_with_intervals_that_hold_them(quick):
    for row in quick.tables["ranks"].rows():
        low, high = row["predicted_gradient_accuracy_low"], row["predicted_gradient_accuracy_high"]
        assert -1 <= low <= row["predicted_gradient_accuracy"] <= high <= 1
    assert len(quick.findings) == 6
