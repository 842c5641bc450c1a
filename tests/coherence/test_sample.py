"""Ratios of means of paired draws: value, standard error and interval."""

import math

import numpy as np
import pytest
from scipy.stats import t as student

from equinoise.coherence.sample import (
    FEWEST_DRAWS,
    PairedDraws,
    few_draws_warning,
    log_difference,
    positive_interval,
)


def lognormal(count, seed, spread=1.0, noise=0.7):
    """Squared gradients without noise, and with: R^2 = E noisy/E clean = exp(noise^2/2)/2."""
    rng = np.random.default_rng([41, seed])
    clean = np.exp(spread * rng.normal(size=count))
    return PairedDraws({"clean": clean, "noisy": 0.5 * clean * np.exp(noise * rng.normal(size=count))})


# -- coverage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "least"), [(32, 0.90), (128, 0.92)])
def test_intervals_of_a_lognormal_ratio_hold_the_known_answer_as_often_as_they_say(count, least):
    """Of 500 samples; the share is known to 1 % (one standard deviation), and the seeds are fixed."""
    truth = math.exp(0.7**2 / 2) / 2
    ratio = root = mean = 0
    for seed in range(500):
        draws = lognormal(count, seed)
        found = draws.ratio("noisy", "clean")
        ratio += found.low <= truth <= found.high
        found = draws.ratio("noisy", "clean", root=True)
        root += found.low <= math.sqrt(truth) <= found.high
        found = draws.ratio("clean")
        mean += found.low <= math.exp(0.5) <= found.high
    assert ratio == root  # one interval, read on two scales
    assert least <= ratio / 500 <= 0.99
    assert least <= mean / 500 <= 0.99


def test_interval_of_a_signed_rate_holds_the_known_answer():
    """kappa of either sign: slopes around -0.3 g^2 or +0.02 g^2, whose sign 32 draws do not tell."""
    for rate in (0.3, -0.02):
        inside = 0
        for seed in range(300):
            rng = np.random.default_rng([43, seed])
            square = rng.normal(size=32) ** 2
            draws = PairedDraws({"square": square, "slope": -square * (rate + 0.3 * rng.normal(size=32))})
            found = draws.ratio("slope", "square", factor=-1.0)
            inside += found.low <= rate <= found.high
        assert 0.91 <= inside / 300 <= 0.99


def test_standard_error_is_the_scatter_over_samples():
    found = [lognormal(64, seed).ratio("noisy", "clean") for seed in range(400)]
    scatter = np.std([each.value for each in found])
    # the scatter of 400 values is known to 4 %, and the jackknife errs upwards, by a few per cent here
    assert np.sqrt(np.mean([each.error**2 for each in found])) == pytest.approx(scatter, rel=0.15)


# -- the interval itself -------------------------------------------------------------------------------------------


def test_interval_of_a_mean_of_normal_draws_is_students():
    values = np.random.default_rng(0).normal(0.1, 1.0, size=400)
    found = PairedDraws({"value": values}).ratio("value")
    error = values.std(ddof=1) / math.sqrt(400)
    assert found.error == pytest.approx(error, rel=1e-12)
    # the kurtosis of 400 normal draws is 3 to about 0.25: 350 to 399 degrees of freedom
    reach = student.ppf(0.975, 399) * error
    assert found.interval == pytest.approx((values.mean() - reach, values.mean() + reach), abs=2e-3 * reach)


def test_one_heavy_draw_widens_the_interval_beyond_students():
    values = np.append(np.random.default_rng(1).normal(3.0, 0.1, size=63), 30.0)
    found = PairedDraws({"value": values - 100}).ratio("value")  # negative: the plain scale
    assert (found.high - found.low) / 2 > 1.5 * student.ppf(0.975, 63) * found.error


@pytest.mark.parametrize("count", [2, 3, 16, 128])
@pytest.mark.parametrize("root", [False, True])
def test_ends_enclose_the_value_and_widen_with_confidence(count, root):
    for seed in range(20):
        draws = lognormal(count, seed)
        narrow, wide = (draws.ratio("noisy", "clean", root=root, confidence=c) for c in (0.95, 0.99))
        assert 0 <= wide.low < narrow.low < narrow.value < narrow.high < wide.high
        assert narrow.value == wide.value


def test_interval_turns_with_the_sign_and_scales_with_the_factor():
    rng = np.random.default_rng(3)
    square = rng.normal(size=50) ** 2
    slope = -0.3 * square * (1 + 0.3 * rng.normal(size=50))
    draws = PairedDraws({"square": square, "slope": slope})
    below, above = (draws.ratio("slope", "square", factor=f) for f in (2.0, -2.0))
    assert (below.low, below.high) == pytest.approx((-above.high, -above.low), rel=1e-12)
    assert 0 < above.low < above.value == pytest.approx(-2 * slope.mean() / square.mean(), rel=1e-12)


def test_products_of_means_take_all_columns_at_once():
    """Gain (V_1/Var_1)/(V_2/Var_2): common factors of the draws cancel."""
    rng = np.random.default_rng(4)
    a, b = rng.exponential(size=(2, 40))
    found = PairedDraws({"a": a, "b": b, "twice a": 2 * a, "b too": b}).ratio(("twice a", "b"), ("a", "b too"))
    assert found.interval == pytest.approx((2.0, 2.0), rel=1e-12)


# -- where there is little to say ----------------------------------------------------------------------------------


def test_identical_draws_have_an_interval_of_no_width():
    same = PairedDraws({"clean": np.full(50, 0.3), "noisy": np.full(50, 0.1)})
    for found in (same.ratio("noisy", "clean"), same.ratio("noisy", "clean", root=True), same.ratio("noisy")):
        assert (found.low, found.value, found.high, found.error) == (found.value, found.value, found.value, 0.0)


def test_shares_of_nothing_and_of_all_are_known_exactly():
    square = np.random.default_rng(5).exponential(size=40)
    draws = PairedDraws({"square": square, "nothing": np.zeros(40), "all": square.copy()})
    assert draws.ratio("nothing", "square").interval == (0.0, 0.0)
    assert draws.ratio("nothing", "square", factor=-1.0).value == 0.0
    assert draws.ratio("nothing", root=True).interval == (0.0, 0.0)
    assert draws.ratio("all", "square").interval == (1.0, 1.0)


def test_share_near_nothing_stays_above_it():
    """One draw in 40 keeps anything: no logarithm without it."""
    kept = np.zeros(40)
    kept[7] = 1e-3
    found = PairedDraws({"square": np.ones(40), "kept": kept}).ratio("kept", "square")
    assert 0 == found.low < found.value < found.high < 1e-3


def test_unbiased_estimates_around_zero_leave_a_root_between_zero_and_their_error():
    rng = np.random.default_rng(6)
    draws = PairedDraws({"clean": np.ones(100), "noisy": rng.normal(size=100)})
    found = draws.ratio("noisy", "clean", root=True)
    assert found.low == 0 < found.high < math.sqrt(0.5)


def test_unknown_is_said_and_not_guessed():
    one = PairedDraws({"clean": np.array([2.0]), "noisy": np.array([1.0])}).ratio("noisy", "clean")
    assert one.value == 0.5
    assert (math.isnan(one.error), one.interval) == (True, (-math.inf, math.inf))
    dead = PairedDraws({"clean": np.zeros(5), "noisy": np.zeros(5)}).ratio("noisy", "clean", root=True)
    assert (math.isnan(dead.value), dead.interval) == (True, (-math.inf, math.inf))
    missing = PairedDraws({"clean": np.ones(5), "noisy": np.full(5, np.nan)}).ratio("noisy", "clean")
    assert (math.isnan(missing.value), missing.interval) == (True, (-math.inf, math.inf))


def test_few_draws_are_warned_of_below_thirty_two():
    assert FEWEST_DRAWS == 32
    assert few_draws_warning(32) == ()
    assert few_draws_warning(31)[0].startswith("only 31 draws: below 32 the intervals may be too narrow")
    assert few_draws_warning(1)[0].startswith("only 1 draw:")


# -- two samples, and bare errors ----------------------------------------------------------------------------------


def test_common_draws_make_a_difference_of_logarithms_tighter():
    first, second = (lognormal(60, seed).influence("noisy", "clean") for seed in (1, 2))
    paired, apart = log_difference(first, first + 0.01 * second), log_difference(first, second)
    assert paired.error < 0.05 * apart.error
    assert paired.reach > 1.9 * paired.error
    assert math.isinf(log_difference(first, second[:1]).reach)
    longer = np.concatenate([second, lognormal(60, 3).influence("noisy", "clean")])
    expected = first.var(ddof=1) / 60 + longer.var(ddof=1) / 120
    expected -= 2 * float(np.cov(first, longer[:60])[0, 1]) / 120
    assert log_difference(first, longer).error == pytest.approx(math.sqrt(expected), rel=1e-12)


def test_interval_from_an_error_alone_is_students_in_the_logarithm():
    low, high = positive_interval(2.0, 0.2, 16)
    assert math.log(high / 2) == pytest.approx(-math.log(low / 2)) == pytest.approx(student.ppf(0.975, 15) * 0.1)
    assert positive_interval(2.0, 0.0, 16) == (2.0, 2.0)
    assert positive_interval(0.0, 0.1, 16)[0] == 0
    assert math.isnan(positive_interval(2.0, math.nan, 1)[0])


# -- cosines ---------------------------------------------------------------------------------------------------------


def correlated(cosine, count, seed):
    """Draws of two unit vectors' components with a known cosine, as columns of products and squares."""
    x, y = np.random.default_rng(seed).normal(size=(2, count))
    z = cosine * x + math.sqrt(1 - cosine**2) * y
    return PairedDraws({"xz": x * z, "xx": x**2, "zz": z**2})


@pytest.mark.parametrize("cosine", [-0.95, 0.0, 0.3, 0.97])
def test_cosine_interval_holds_the_truth_as_often_as_it_says(cosine):
    found = [correlated(cosine, 64, seed).cosine("xz", "xx", "zz") for seed in range(400)]
    hits = np.mean([one.low <= cosine <= one.high for one in found])
    assert hits >= 0.92
    assert all(-1 <= one.low <= one.value <= one.high <= 1 for one in found)


def test_cosine_of_a_gradient_with_itself_is_one_and_with_its_opposite_minus_one():
    x = np.random.default_rng(0).normal(size=16)
    draws = PairedDraws({"same": x * x, "opposite": -x * x, "xx": x**2})
    assert draws.cosine("same", "xx", "xx").interval == pytest.approx((1, 1), abs=1e-9)
    assert draws.cosine("opposite", "xx", "xx").interval == pytest.approx((-1, -1), abs=1e-9)


def test_cosine_beyond_one_of_independent_estimates_is_kept_within_one():
    draws = PairedDraws({"xz": np.array([1.2, 1.0, 1.1]), "xx": np.ones(3), "zz": np.array([0.9, 1.0, 0.8])})
    found = draws.cosine("xz", "xx", "zz")
    assert found.value == found.high == 1
    assert found.low <= 1


def test_cosine_is_unknown_where_a_square_is_not_positive_and_of_one_draw():
    draws = PairedDraws({"xz": np.array([0.1, 0.2]), "xx": np.ones(2), "zz": np.array([-0.1, 0.05])})
    assert math.isnan(draws.cosine("xz", "xx", "zz").value)
    single = PairedDraws({"xz": np.array([0.5]), "xx": np.ones(1), "zz": np.ones(1)}).cosine("xz", "xx", "zz")
    assert (single.value, single.interval) == (0.5, (-math.inf, math.inf))


def test_equal_draws_differ_by_exactly_nothing_wherever_they_lie_in_memory():
    """Sums of aligned and of shifted arrays round differently: a difference of variances left 2e-9 once."""
    draws = np.random.default_rng(0).normal(size=1001)
    for start in range(4):
        shifted = np.empty(1001 + start)[start:]
        shifted[:] = draws
        assert log_difference(draws, shifted).error == 0.0
