"""The coherence spectrum: known measures come back, and the bounds hold whatever the measure."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import equinoise as eq
from equinoise.coherence.bounds import Certificate, greatest_rate, least_rate, survival_bounds
from equinoise.coherence.resummed import rate_variance, resummed_survival
from equinoise.coherence.spectrum import Estimate, coherence_spectrum
from equinoise.errors import ParameterError
from equinoise.reduction.program import compile_problem

# exact values are given an interval of 1e-9 of their size, and the dual's multipliers blow it up; of V(s)/V(0)
ROUNDING = 1e-9
EVERYWHERE = [0.01, 0.1, 0.4, 0.7, 1.5, 3.0, 6.0, 30.0, math.inf]


def proved(greatest, least=0.0):
    return Certificate(True, "closed form", greatest, least)


def transform(rates, weights, scale):
    """V(s)/V(0) of a discrete measure."""
    rates, weights = np.asarray(rates, dtype=float), np.asarray(weights, dtype=float)
    if math.isinf(scale):
        return float(weights[rates == 0].sum())
    return float(weights @ np.exp(-2 * scale * rates))


def spectrum_of(rates, weights, scales, greatest, *, moments=2, least=0.0):
    rates, weights = np.asarray(rates, dtype=float), np.asarray(weights, dtype=float)
    found = {
        name: float(weights @ rates**order) for order, name in ((1, "kappa"), (2, "second_moment")) if order <= moments
    }
    known = {s: transform(rates, weights, s) for s in scales}
    return coherence_spectrum(known, proved(greatest, least), **found)


# -- closed forms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rates", "weights"), [((0.0, 0.3), (0.25, 0.75)), ((0.1, 1.3), (0.4, 0.6)), ((0.7,), (1.0,)), ((0.0,), (1.0,))]
)
def test_few_atoms_are_recovered_and_leave_the_bounds_no_room(rates, weights):
    """Two atoms are fixed by three moments; four scales and two derivatives leave no other measure."""
    spectrum = spectrum_of(rates, weights, (0.5, 1, 2, 4), 2.0)
    found = spectrum.measure
    assert found.weights.sum() == pytest.approx(1, abs=1e-5)
    # least squares to 1e-6 of each value, and the transform smooths: rates are not as sharp as values
    assert found.rates[found.weights > 1e-3] == pytest.approx(rates, abs=2e-3)
    assert found.weights[found.weights > 1e-3] == pytest.approx(weights, abs=2e-3)
    assert spectrum.measure.residual < 1e-4
    assert spectrum.status == "proved"
    assert (spectrum.widening, spectrum.note) == (0.0, "")
    scales = [0.1, 0.7, 3.0]
    low, high = spectrum.ratio_bounds(scales)
    exact = np.array([transform(rates, weights, s) for s in scales])
    assert (low <= exact + ROUNDING).all()
    assert (exact <= high + ROUNDING).all()
    assert (high - low).max() < 1e-5
    np.testing.assert_allclose(spectrum.bounds(scales), np.sqrt([low, high]))


def test_bounds_from_kappa_alone_are_jensens_and_the_chord():
    """With the mean rate alone, the extremal measures sit at kappa, and at 0 and Gmax."""
    kappa, greatest = 0.3, 1.2
    spectrum = coherence_spectrum({}, proved(greatest), kappa=kappa)
    scales = np.array([0.2, 1.0, 3.0])
    low, high = spectrum.bounds(scales)
    # the certificate is the optimum, so that the linear program can be no tighter; 1e-9 is given to kappa
    np.testing.assert_allclose((low, high), survival_bounds(scales, kappa, 0.0, greatest), atol=1e-7)


def test_bounds_from_one_value_are_those_of_power_means():
    """From V(1) alone, V(1/2) lies between V(1)^(1/2) (one atom) and the chord in exp(-2 Gamma) (atoms at 0, Gmax)."""
    greatest, value = 1.0, 0.5
    low, high = coherence_spectrum({1.0: value}, proved(greatest)).ratio_bounds(0.5)
    # u = exp(-2 Gamma) in [e^-2, 1]: sqrt(u) is concave, its mean at most sqrt of the mean, at least the chord
    least = math.exp(-2 * greatest)
    share = (value - least) / (1 - least)
    assert float(high) == pytest.approx(math.sqrt(value), abs=1e-7)
    assert float(low) == pytest.approx(share + (1 - share) * math.sqrt(least), abs=1e-7)


def test_least_rate_makes_the_lasting_share_count():
    """w0 lasts, and all else decays at least at the least rate: V(s) <= w0 + (1 - w0) exp(-2 s Gmin)."""
    spectrum = coherence_spectrum({math.inf: 0.4}, proved(2.0, 0.5))
    low, high = spectrum.ratio_bounds([1.0, 5.0])
    expected = 0.4 + 0.6 * np.exp(-2 * 0.5 * np.array([1.0, 5.0]))
    np.testing.assert_allclose(high, expected, atol=1e-7)
    assert low == pytest.approx(0.4 + 0.6 * np.exp(-2 * 2.0 * np.array([1.0, 5.0])), abs=1e-7)
    loose = coherence_spectrum({math.inf: 0.4}, proved(2.0)).ratio_bounds(5.0)[1]
    assert float(loose) == pytest.approx(1.0, abs=1e-6)  # all else may sit just above 0


def test_lasting_share_that_was_not_computed_is_bounded():
    spectrum = spectrum_of((0.0, 0.5), (0.3, 0.7), (1, 4, 16), 1.0, moments=1)
    low, high = spectrum.ratio_bounds(math.inf)
    assert 0 <= float(low) <= 0.3
    assert float(high) == pytest.approx(0.3, abs=1e-4)


def test_noise_that_costs_nothing_leaves_everything():
    """Gmax = 0, collective dephasing in a sector."""
    spectrum = coherence_spectrum({1.0: 1.0, math.inf: 1.0}, proved(0.0), kappa=0.0, second_moment=0.0)
    np.testing.assert_allclose(spectrum.bounds(EVERYWHERE), 1.0, atol=1e-9)
    assert (spectrum.measure.rates.tolist(), spectrum.measure.weights.tolist()) == ([0.0], [1.0])
    assert spectrum.note == ""


def test_unequal_rates_defeat_the_three_number_law_but_not_the_bounds():
    """Rates over two decades: the resummed survival is off by percents, the bounds are not."""
    rates, weights = np.array([0.1, 0.3, 1.0, 3.0]), np.array([0.25, 0.25, 0.25, 0.25])
    kappa, moment = float(weights @ rates), float(weights @ rates**2)
    scales = np.geomspace(0.1, 20, 15)
    exact = np.sqrt([transform(rates, weights, s) for s in scales])
    law = resummed_survival(scales, kappa, 0.0, rate_variance(kappa, moment, 0.0))
    assert np.abs(law - exact).max() > 0.02
    low, high = spectrum_of(rates, weights, (0.5, 1, 2, 4, 8, math.inf), 3.0).bounds(scales)
    assert (low <= exact + ROUNDING).all()
    assert (exact <= high + ROUNDING).all()
    inside = (scales > 0.5) & (scales < 8)
    assert (high - low)[inside].max() < 1e-3


# -- any measure ---------------------------------------------------------------------------------------------------

MEASURES = st.lists(st.tuples(st.floats(0.02, 1), st.one_of(st.just(0.0), st.floats(1e-3, 3))), min_size=1, max_size=6)
SCALES = st.lists(st.sampled_from([0.2, 0.5, 1.0, 2.0, 4.0, 8.0, math.inf]), max_size=5, unique=True)


def drawn(atoms):
    weights = np.array([w for w, _ in atoms])
    return np.array([r for _, r in atoms]), weights / weights.sum()


@given(MEASURES, SCALES, st.integers(0, 2), st.floats(1, 3), st.sampled_from(EVERYWHERE))
@settings(max_examples=150)
def test_every_positive_measure_lies_within_the_bounds(atoms, scales, moments, factor, scale):
    rates, weights = drawn(atoms)
    greatest = float(rates.max()) * factor
    low, high = spectrum_of(rates, weights, scales, greatest, moments=moments).ratio_bounds(scale)
    exact = transform(rates, weights, scale)
    assert low - ROUNDING <= exact <= high + ROUNDING


@given(MEASURES, SCALES, st.sampled_from(EVERYWHERE))
@settings(max_examples=60)
def test_bounds_lie_within_the_certificate(atoms, scales, scale):
    rates, weights = drawn(atoms)
    greatest = float(rates.max()) or 1.0
    least = float(rates[rates > 0].min(initial=greatest))
    spectrum = spectrum_of(rates, weights, {*scales, math.inf}, greatest, moments=1, least=least)
    kappa, lasting = float(weights @ rates), transform(rates, weights, math.inf)
    low, high = spectrum.ratio_bounds(scale)
    outer = np.array(survival_bounds(scale, kappa, lasting, greatest)) ** 2
    # kappa has an interval of 1e-9 of itself (at least 1e-12 of Gmax), which the exponent multiplies by s
    assert low >= outer[0] - 1e-7
    assert high <= outer[1] + 1e-7


@given(MEASURES, st.sampled_from([0.3, 1.4, 5.0, 30.0]))
@settings(max_examples=25)
def test_bounds_tighten_with_every_further_scale(atoms, scale):
    rates, weights = drawn(atoms)
    greatest = float(rates.max()) or 1.0
    before = (0.0, 1.0)
    for scales in itertools.accumulate(([1.0], [4.0], [0.5], [math.inf])):
        low, high = map(float, spectrum_of(rates, weights, scales, greatest, moments=1).ratio_bounds(scale))
        # the gap that is certified between the grid's points may differ by as much
        assert low >= before[0] - 1e-6
        assert high <= before[1] + 1e-6
        before = (low, high)


# -- circuits ------------------------------------------------------------------------------------------------------


@functools.cache
def averaged_phases(readout, noise):
    """A problem with three phases 0, 2 pi/3, 4 pi/3 for each Z rotation that counts, and its exact V(s)/V(0).

    Histories interfere with factors exp(-i phi m), m from -2 to 2: their mean over the three phases is 0 unless m = 0,
    so that this finite ensemble obeys the random-phase condition exactly.
    """
    rates = {"equal": {0: 1.0, 1: 1.0, 2: 1.0}, "unequal": {0: 0.1, 1: 0.6, 2: 3.0}}[noise]
    terms = [{"rate": 0.3 * r, "weights": {q: 1.0}, "layers": [0, 1]} for q, r in rates.items()]
    circuit = eq.circuits.brickwork(3, 3)
    problem = eq.Problem(circuit, readout=readout, initial="neel", noise=eq.NoiseModel(dephasing=terms))
    turned, layer = [], 0
    for item in circuit.data:
        if item.operation.name == "barrier":
            layer += 1
        elif item.operation.name == "rz" and layer < 2:
            turned.append(next(iter(item.operation.params[0].parameters)))
    places = [problem.parameters.index(p) for p in turned]
    assert len(places) == 6
    thetas = np.tile(np.random.default_rng(4).uniform(0, 2 * math.pi, len(problem.parameters)), (3**6, 1))
    thetas[:, places] = list(itertools.product(2 * math.pi / 3 * np.arange(3), repeat=6))
    scales = [0.0, 0.3, 0.5, 0.8, 1.0, 1.7, 2.0, 4.0, 7.0, 16.0, math.inf]
    exact = eq.gradient_variance(problem, scales, sampling=eq.Sampling(engine="exact", ensemble=thetas))
    return (
        problem,
        dict(zip(scales, exact.survival**2, strict=True)),
        eq.law(problem, sampling=eq.Sampling(engine="exact", ensemble=thetas)),
    )


@pytest.mark.parametrize("noise", ["equal", "unequal"])
@pytest.mark.parametrize("readout", ["Z1", "X0X1+Y0Y1"])
def test_exactly_averaged_phases_obey_the_bounds_at_every_scale(readout, noise):
    problem, ratios, law = averaged_phases(readout, noise)
    program = compile_problem(problem)
    certificate = Certificate(True, "phases averaged exactly", greatest_rate(program), least_rate(program))
    known = {s: ratios[s] for s in (0.5, 1.0, 4.0, math.inf)}
    spectrum = coherence_spectrum(known, certificate, kappa=law.kappa, second_moment=law.second_moment)
    assert spectrum.note == ""  # a positive measure has them all, to the engine's rounding
    scales = [s for s in ratios if s > 0]
    low, high = spectrum.ratio_bounds(scales)
    exact = np.array([ratios[s] for s in scales])
    assert (low <= exact + ROUNDING).all()
    assert (exact <= high + ROUNDING).all()
    outer = np.array(survival_bounds(scales, law.kappa, ratios[math.inf], certificate.greatest_rate)) ** 2
    assert (high - low).max() < 0.2 * (outer[1] - outer[0]).max()
    assert spectrum.measure.rates[spectrum.measure.rates > 0].min() > 0.999 * certificate.least_rate
    assert spectrum.measure(scales) == pytest.approx(exact, abs=0.01)


def test_law_and_diagnosis_carry_the_spectrum():
    problem = eq.Problem(eq.circuits.brickwork(5, 3), readout="Z2", initial="neel", noise="dephasing:0.1")
    alone = eq.law(problem, sampling=eq.Sampling(samples=32, seed=2))
    diagnosis = eq.diagnose(problem, sampling=eq.Sampling(samples=32, seed=2), depth=False)
    spectrum = diagnosis.law.spectrum
    assert [s for s, _ in alone.spectrum.ratios] == [math.inf]
    assert [s for s, _ in spectrum.ratios] == [0.5, 1.0, 2.0, 4.0, 8.0, math.inf]
    assert spectrum.beyond == 16.0
    assert spectrum.kappa.value == pytest.approx(alone.kappa, rel=1e-12)
    assert spectrum.kappa.error == pytest.approx(alone.kappa_error, rel=1e-9)
    assert dict(spectrum.ratios)[1.0].value == pytest.approx(diagnosis.simulated.survival**2, rel=1e-9)
    direct = eq.gradient_variance(problem, [0.5, 4.0], sampling=eq.Sampling(samples=32, seed=2))
    for s, survival, error in zip(direct.scales, direct.survival, direct.survival_error, strict=True):
        # d(R^2) = 2 R dR; the jackknife's error differs from that to first order by O(1/S), here by up to 13 %
        assert dict(spectrum.ratios)[s].error == pytest.approx(2 * survival * error, rel=0.2)
    assert spectrum.status == "proved for exact V(s); these at 99 %"
    # 8 known values hold together with 99 %: each with 99.875 %, 3.5 standard errors of 31 degrees of freedom or more
    known = dict(spectrum.ratios)[1.0]
    assert known.high - known.low > 2 * 3.5 * known.error
    low, high = spectrum.bounds(1.0)
    assert low < diagnosis.simulated.survival < high


def test_other_noise_is_not_proved_and_fewer_than_32_draws_have_no_spectrum():
    problem = eq.Problem(eq.circuits.brickwork(4, 2), readout="Z1", initial="neel", noise="relaxation:0.1")
    assert eq.law(problem, sampling=eq.Sampling(samples=32)).spectrum.status == "not proved"
    assert eq.law(problem, sampling=eq.Sampling(samples=31)).spectrum is None


# -- data that no measure has --------------------------------------------------------------------------------------


def test_sampling_noise_is_within_its_errors_or_said_to_be_widened():
    """Gmax = 1 allows V(2) <= (1 + e^-2) V(1) - e^-2, the chord of u^2 over u = exp(-2 Gamma) in [e^-2, 1]."""
    values = {1.0: Estimate(0.5, 0.01), 2.0: Estimate(0.47, 0.01)}
    lasting = math.exp(-2)
    apart = (0.47 - ((1 + lasting) * 0.5 - lasting)) / (0.01 * (2 + lasting))  # in standard errors of both
    fine = coherence_spectrum(values, proved(1.0), deviations=3.0)
    assert fine.note == ""
    tight = coherence_spectrum(values, proved(1.0), deviations=1.0)
    assert tight.widening == pytest.approx(apart - 1, abs=1e-5)
    assert tight.note == (
        "no positive measure on rates up to 1 has the known values within 1 standard errors: each was widened by a "
        f"further {tight.widening:.3g} times its uncertainty"
    )
    low, high = tight.ratio_bounds([1.0, 1.5, 2.0])
    assert (high[[0, 2]] - low[[0, 2]]).max() < 1e-5  # one point is left of each interval
    assert low[0] == pytest.approx(0.5 + apart * 0.01, abs=1e-5)
    assert low[2] == pytest.approx(0.47 - apart * 0.01, abs=1e-5)
    assert low[2] <= low[1] <= high[1] <= low[0]


def test_exact_values_that_contradict_each_other_are_said_to():
    found = coherence_spectrum({1.0: 0.5, 2.0: 0.7}, proved(1.0))
    # the chord again: both must give way by the same
    apart = (0.7 - ((1 + math.exp(-2)) * 0.5 - math.exp(-2))) / (2 + math.exp(-2))
    assert found.widening == pytest.approx(apart, abs=1e-6)
    assert found.note == (
        "no positive measure on rates up to 1 has the known values: each was widened by a further 0.125"
    )


def test_exact_values_give_way_last():
    found = coherence_spectrum({1.0: 0.5, 2.0: Estimate(0.7, 0.01)}, proved(1.0), deviations=2.0)
    low, high = found.ratio_bounds(1.0)
    assert float(low) == pytest.approx(0.5, abs=1e-3)
    assert float(high) == pytest.approx(0.5, abs=1e-3)


def test_truncation_intervals_are_taken_as_they_are():
    """A value known to lie in [0.4, 0.6], no sampling: nothing outside is allowed, everything inside is."""
    found = coherence_spectrum({1.0: Estimate(0.5, low=0.4, high=0.6)}, proved(2.0))
    low, high = found.ratio_bounds(1.0)
    assert (float(low), float(high)) == (pytest.approx(0.4, abs=1e-7), pytest.approx(0.6, abs=1e-7))
    assert found.status == "proved"
    assert Estimate(0.5, 0.1, 0.4, 0.6).interval(2) == (0.4, 0.6)
    assert Estimate(0.5, 0.1).interval(2) == pytest.approx((0.3, 0.7))


# -- what the user sees --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: coherence_spectrum({0.0: 1.0}, proved(1.0)), "needs a noise scale > 0 (it is 1 at 0), got s = 0.0"),
        (lambda: coherence_spectrum({1.0: math.nan}, proved(1.0)), "an estimate needs finite numbers"),
        (lambda: coherence_spectrum({}, proved(1.0, 2.0)), "0 <= least <= greatest < infinity, got 2.0 and 1.0"),
        (lambda: coherence_spectrum({}, proved(math.inf)), "0 <= least <= greatest < infinity"),
        (lambda: coherence_spectrum({}, proved(1.0), deviations=0), "deviations must be a number > 0, e.g. 3, got 0"),
        (lambda: coherence_spectrum({}, proved(1.0)).bounds(-1), "the noise scale must be a number >= 0 or infinity"),
        (lambda: Estimate(0.5, -0.1), "an estimate needs finite numbers and an error >= 0"),
        (lambda: Estimate(0.5, low=0.6), "must lie between low and high"),
    ],
)
def test_malformed_input_is_refused_in_words(call, text):
    with pytest.raises(ParameterError) as caught:
        call()
    assert text in str(caught.value)
