"""The survival in closed form: its limits, its inverse, and that more noise never helps it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equinoise.coherence.resummed import leading_order_survival, rate_variance, resummed_survival, scale_at_survival

kappas = st.floats(1e-3, 5)
shares = st.floats(0, 0.99)
spreads = st.just(0.0) | st.floats(1e-6, 5)
scales = st.floats(0, 50)


@given(kappas, shares, spreads)
def test_without_noise_all_survives_and_at_infinity_the_fixed_point_share(kappa, share, c2):
    assert resummed_survival(0.0, kappa, share, c2) == 1
    assert resummed_survival(math.inf, kappa, share, c2) == pytest.approx(math.sqrt(share), abs=1e-12)


@given(kappas, shares, spreads)
def test_initial_slope_is_minus_kappa_and_curvature_holds_the_second_moment(kappa, share, c2):
    """ln R = -kappa s + ...; (R^2)''/4 = m2 = (1 + c2) kappa^2/(1 - w0)."""
    rate = kappa / (1 - share)
    # five-point differences on R^2, one-sided: error of order (rate (1 + c2) h)^3 relative
    h = 1e-3 / (rate * (1 + c2))
    values = resummed_survival(h * np.arange(5), kappa, share, c2) ** 2
    slope = np.array([-25, 48, -36, 16, -3]) @ values / (12 * h)
    curvature = np.array([35, -104, 114, -56, 11]) @ values / (12 * h**2)
    assert slope == pytest.approx(-2 * kappa, rel=1e-5)
    # rounding 1e-16/h^2 against kappa^2 and truncation (2e-3)^3
    moment = (1 + c2) * kappa**2 / (1 - share)
    assert curvature / 4 == pytest.approx(moment, rel=1e-4, abs=1e-15 / h**2)
    assert rate_variance(kappa, moment, share) == pytest.approx(c2, abs=1e-9 * (1 + c2))


@given(kappas, scales)
def test_one_rate_and_no_fixed_point_is_the_leading_order_law(kappa, scale):
    assert resummed_survival(scale, kappa, 0.0, 0.0) == pytest.approx(math.exp(-kappa * scale), rel=1e-12)
    assert leading_order_survival(scale, kappa) == pytest.approx(math.exp(-kappa * scale), rel=1e-12)


@given(kappas, shares, scales)
def test_vanishing_spread_is_the_limit_of_small_spreads(kappa, share, scale):
    """exp(-ln(1 + x c2)/c2) = exp(-x + x^2 c2/2 - ...): the difference is of order c2."""
    x = 2 * scale * kappa / (1 - share)
    limit = resummed_survival(scale, kappa, share, 0.0)
    assert resummed_survival(scale, kappa, share, 1e-8) == pytest.approx(limit, abs=1e-8 * (1 + x**2))


@given(kappas, shares, spreads, st.lists(scales, min_size=2, max_size=6))
def test_survival_decreases_with_the_scale_and_stays_between_its_limits(kappa, share, c2, many):
    ordered = np.sort(many)
    values = resummed_survival(ordered, kappa, share, c2)
    assert (np.diff(values) <= 1e-15).all()
    assert (values <= 1 + 1e-15).all()
    assert (values >= math.sqrt(share) - 1e-15).all()


@given(kappas, shares, st.lists(spreads, min_size=2, max_size=4), scales)
def test_spread_of_rates_slows_the_decay(kappa, share, many, scale):
    """Jensen: at equal mean rate a wider distribution keeps more."""
    values = [float(resummed_survival(scale, kappa, share, c2)) for c2 in sorted(many)]
    assert (np.diff(values) >= -1e-8).all()


@given(kappas, shares, spreads, scales)
def test_leading_order_is_below_the_resummed_law(kappa, share, c2, scale):
    """As the certificate says: exp(-2 s kappa) bounds V(s)/V(0) from below."""
    assert leading_order_survival(scale, kappa) <= resummed_survival(scale, kappa, share, c2) + 1e-12


@given(kappas, shares, spreads, st.floats(0.01, 0.999))
def test_scale_at_survival_inverts_the_law(kappa, share, c2, survival):
    scale = scale_at_survival(survival, kappa, share, c2)
    if survival**2 <= share:
        assert scale == math.inf
    else:
        assert scale > 0
        if math.isfinite(scale):
            # R changes by dR/ds: relative errors of s of order 1e-10 near the plateau are lost there
            assert resummed_survival(scale, kappa, share, c2) == pytest.approx(survival, abs=1e-7)


@pytest.mark.parametrize(
    ("survival", "kappa", "share", "expected"),
    [
        (1.0, 0.1, 0.0, 0.0),
        (1.5, 0.1, 0.0, 0.0),
        (0.5, 0.0, 0.0, math.inf),
        (0.5, -0.1, 0.0, math.inf),
        (0.5, 0.1, 1.0, math.inf),
    ],
)
def test_scale_of_what_never_or_always_holds(survival, kappa, share, expected):
    assert scale_at_survival(survival, kappa, share, 0.3) == expected


def test_rate_variance_is_clipped_at_zero_and_absent_without_decay():
    assert rate_variance(1.0, 0.5, 0.0) == 0
    assert rate_variance(0.0, 0.5, 0.0) == 0
    assert rate_variance(0.1, 0.5, 1.0) == 0
    # two equal halves of rates 0 and 2: mean 1, mean square 2, all of it counted as decaying
    assert rate_variance(1.0, 2.0, 0.0) == pytest.approx(1.0)
    # the same with the half of rate 0 known to be a fixed point: the rest has one rate
    assert rate_variance(1.0, 2.0, 0.5) == pytest.approx(0.0)


def test_gamma_distributed_rates_are_resummed_exactly():
    """Laplace transform of a gamma distribution of mean m and relative variance c2: (1 + 2 s m c2)^(-1/c2)."""
    rng = np.random.default_rng(0)
    mean, c2 = 0.4, 0.6
    rates = rng.gamma(1 / c2, mean * c2, size=200_000)
    for scale in (0.5, 2.0, 6.0):
        sample = np.exp(-2 * scale * rates)
        found = resummed_survival(scale, mean, 0.0, c2) ** 2
        assert found == pytest.approx(sample.mean(), abs=4 * sample.std() / math.sqrt(sample.size))


def test_everything_fixed_survives_at_every_scale():
    np.testing.assert_array_equal(resummed_survival([0.0, 1.0, math.inf], 0.0, 1.0, 0.0), [1, 1, 1])


@pytest.mark.parametrize("c2", [0.0, 0.5])
def test_gradient_that_gains_from_noise_grows_without_nan(c2):
    values = resummed_survival(np.array([0.0, 0.1, 1.0]), -0.2, 0.0, c2)
    assert np.isfinite(values).all()
    assert (np.diff(values) > 0).all()


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e9])
def test_no_rate_is_no_loss(scale):
    assert resummed_survival(scale, 0.0, 0.3, 0.0) == 1
    assert leading_order_survival(scale, 0.0) == 1


def test_rate_too_small_to_square_has_no_spread():
    """A weight difference of 1e-100 makes such a kappa."""
    assert rate_variance(1e-200, 0.0, 0.0) == 0


def test_no_rate_at_infinite_scale_is_a_number():
    assert leading_order_survival(math.inf, 0.0) == 1
    for share in (0.0, 0.3):
        # V(inf)/V(0) is w0 by definition; a law without decay says 1
        assert resummed_survival(math.inf, 0.0, share, 0.0) in (1, math.sqrt(share))
