"""The Rayleigh form: aligned coherence rates are non-negative and add up to kappa in the random-phase ensemble."""

from __future__ import annotations

import math

import numpy as np
import pytest

import equinoise as eq
from equinoise.errors import UnsupportedError
from support import hop_phase_hop


def problem(noise, n=4, depth=3, readout="Z1", **options):
    return eq.Problem(eq.circuits.brickwork(n, depth, **options), readout=readout, initial="neel", noise=noise)


CORRELATED = {"dephasing": [{"rate": 0.2, "weights": {0: 1.0, 1: -0.4, 2: 0.7}}, {"rate": 0.05}]}


@pytest.mark.parametrize("readout", ["Z1", "X1X2+Y1Y2"])
def test_aligned_rates_add_up_to_kappa_as_the_ensemble_grows(readout):
    stated = problem(CORRELATED, readout=readout)
    few = [eq.aligned_rates(stated, sampling=eq.Sampling(samples=16, seed=s)) for s in range(6)]
    many = eq.aligned_rates(stated, sampling=eq.Sampling(samples=200, seed=9))
    assert many.total == pytest.approx(many.alpha.sum(), rel=1e-12)
    gap = np.array([abs(r.total / r.kappa - 1) for r in few])
    # cross terms of unequal histories average out as 1/sqrt(samples): 3.5 times closer than with 16
    assert abs(many.total / many.kappa - 1) < gap.mean()
    # 4 sigma of the sampling error, itself taken from the six small samples
    assert abs(many.total / many.kappa - 1) < 4 * np.sqrt((gap**2).mean() * 16 / 200)


def test_rates_of_single_draws_are_never_negative_though_kappa_may_be():
    """A Rayleigh quotient of a non-negative generator; the plain logarithmic slope has no sign for one theta."""
    stated = problem(CORRELATED, depth=4, readout="X1X2+Y1Y2")
    singles = [eq.aligned_rates(stated, sampling=eq.Sampling(samples=1, seed=s)) for s in range(12)]
    assert all((r.alpha >= 0).all() for r in singles)
    largest = eq.law(stated, sampling=eq.Sampling(samples=1)).certificate.greatest_rate
    assert all(r.total <= largest + 1e-12 for r in singles)


def test_last_slot_is_invisible_to_a_z_readout():
    found = eq.aligned_rates(problem("dephasing:0.1"), sampling=eq.Sampling(samples=4))
    assert found.alpha.shape == (3,)
    assert found.alpha[-1] == 0
    assert found.alpha[1] > 0.01


def test_collective_dephasing_has_no_aligned_rate():
    found = eq.aligned_rates(problem("collective:2.0", readout="X1X2+Y1Y2"), sampling=eq.Sampling(samples=3))
    np.testing.assert_allclose(found.alpha, 0, atol=1e-13)
    assert found.kappa == pytest.approx(0, abs=1e-12)


def test_interferometer_has_the_rate_of_its_one_coherence():
    """|01><10| is the only mode that carries dC/db; at a = c = pi/2 it carries the whole gradient."""
    stated = hop_phase_hop({"dephasing": [{"rate": 0.1, "weights": {0: 1.0, 1: -0.5}, "layers": [0]}]})
    found = eq.aligned_rates(stated, sampling=eq.Sampling(ensemble=[[math.pi / 2, math.pi / 2, math.pi / 2]]))
    gamma = 0.1 * 3**2 / 2
    # amplitudes a_dz = +-1/2 of the two conjugate modes, equal rates
    assert found.alpha == pytest.approx([gamma, 0], abs=1e-12)
    assert found.kappa == pytest.approx(gamma, rel=1e-10)


def test_same_seed_gives_the_same_rates():
    one, two = (eq.aligned_rates(problem(CORRELATED), sampling=eq.Sampling(samples=3, seed=4)) for _ in range(2))
    np.testing.assert_array_equal(one.alpha, two.alpha)
    assert (one.samples, one.seed) == (3, 4)


@pytest.mark.parametrize("noise", ["relaxation:0.1", "depolarizing:0.1", {"pauli": [{"pauli": "X1", "rate": 0.1}]}])
def test_noise_other_than_dephasing_is_refused_with_the_way_out(noise):
    with pytest.raises(UnsupportedError, match=r"holds for diagonal dephasing.*Use equinoise.law"):
        eq.aligned_rates(problem(noise), sampling=eq.Sampling(samples=2))


def test_circuit_that_breaks_the_charge_is_refused():
    circuit = eq.circuits.brickwork(3, 2)
    circuit.rx(0.3, 1)
    stated = eq.Problem(circuit, readout="Z1", initial="neel", noise="dephasing:0.1", allow_broken=True)
    with pytest.raises(UnsupportedError, match="of a conserving circuit"):
        eq.aligned_rates(stated, sampling=eq.Sampling(samples=2))


def test_a_gradient_that_is_zero_at_all_angles_has_no_kappa():
    """Two layers from |011> move no hopping of the first pair. Neither a warning nor a number is made of 0/0."""
    circuit = eq.circuits.brickwork(3, depth=2)
    stated = eq.Problem(circuit, readout="X0X1+Y0Y1", initial="011", noise="dephasing:0.03")
    found = eq.aligned_rates(stated, sampling=eq.Sampling(samples=2))
    assert math.isnan(found.kappa)
    assert found.total == 0
