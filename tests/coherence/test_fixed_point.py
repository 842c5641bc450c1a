"""The noise's fixed point: untouched, classical, too mixed, too symmetric, partly protected."""

from __future__ import annotations

import math

import numpy as np
import pytest

import equinoise as eq


def law(noise, n=4, depth=3, readout="X1X2+Y1Y2", initial="neel", samples=3, **options):
    stated = eq.Problem(eq.circuits.brickwork(n, depth), readout=readout, initial=initial, noise=noise, **options)
    return eq.law(stated, sampling=eq.Sampling(samples=samples))


def test_collective_dephasing_leaves_the_sector_untouched():
    found = law("collective:0.7").fixed_point
    assert found.kind == "untouched"
    # a pure state stays pure, every generator keeps its grip, every coherence stays
    assert (found.purity, found.commutator, found.coherence) == pytest.approx((1, 1, 1), abs=1e-9)


@pytest.mark.parametrize("readout", ["Z1", "X1X2+Y1Y2"])
def test_local_dephasing_leaves_a_classical_process(readout):
    result = law("dephasing:0.2", readout=readout)
    found = result.fixed_point
    assert found.kind == "classical"
    assert found.coherence == pytest.approx(0, abs=1e-12)
    assert 0 < found.purity < 1
    assert found.commutator > 1e-3  # a diagonal state still moves under hopping
    if readout == "Z1":
        assert 0 < result.fixed_point_share < 1
    else:
        # hopping is off-diagonal: dephased by the last slot, nothing of it is left
        assert result.fixed_point_share == pytest.approx(0, abs=1e-12)


def test_depolarizing_is_too_mixed():
    result = law("depolarizing:0.1")
    found = result.fixed_point
    assert found.kind == "too mixed"
    assert found.purity == pytest.approx(1 / 2**4, rel=1e-9)
    assert found.commutator == pytest.approx(0, abs=1e-9)
    assert result.fixed_point_share == pytest.approx(0, abs=1e-12)


def test_damping_is_too_symmetric():
    """|0000> is fixed by every generator."""
    result = law("relaxation:0.1")
    found = result.fixed_point
    assert found.kind == "too symmetric"
    assert found.purity == pytest.approx(1, abs=1e-9)
    assert found.commutator == pytest.approx(0, abs=1e-9)
    assert result.fixed_point_share == pytest.approx(0, abs=1e-12)


def test_pumping_is_too_symmetric_too():
    found = law("relaxation:up=0.1").fixed_point
    assert (found.kind, found.purity) == ("too symmetric", pytest.approx(1, abs=1e-9))


def test_equal_pumping_and_damping_are_too_mixed():
    found = law("relaxation:down=0.1,up=0.1").fixed_point
    assert found.kind == "too mixed"
    assert found.purity == pytest.approx(1 / 2**4, rel=1e-9)


@pytest.mark.parametrize("up", [0.02, 0.05])
def test_thermal_state_has_the_purity_of_its_product(up):
    """((down^2 + up^2)/(down + up)^2)^w, the same on every qubit, so hopping leaves it alone."""
    found = law(f"relaxation:down=0.1,up={up}").fixed_point
    ground = 0.1 / (0.1 + up)
    assert found.purity == pytest.approx((ground**2 + (1 - ground) ** 2) ** 4, rel=1e-9)
    assert found.commutator == pytest.approx(0, abs=1e-9)
    # more than half a bit of entropy a qubit counts as mixed
    assert found.kind == ("too mixed" if -math.log2(ground**2 + (1 - ground) ** 2) > 0.5 else "too symmetric")


def test_dephasing_of_one_qubit_protects_part_of_the_coherences():
    result = law({"dephasing": [{"rate": 0.4, "weights": {1: 1.0}}]})
    found = result.fixed_point
    assert found.kind == "partly protected"
    assert 0 < found.coherence < 1


def test_nearest_neighbour_pair_dephasing_protects_a_decoherence_free_subspace():
    """K = Z1 + Z2 does not tell |01> from |10> of its pair: hopping there is untouched."""
    found = law({"dephasing": [{"rate": 0.4, "weights": {1: 1.0, 2: 1.0}}]}).fixed_point
    assert found.kind == "partly protected"


def test_worst_slot_decides():
    """Depolarizing in one layer alone already sends every state to its fixed point there."""
    noise = {
        "dephasing": [{"rate": 0.1, "layers": [0, 1]}],
        "relaxation": [{"qubit": "each", "down": 0.1, "layers": [2]}],
    }
    assert law(noise).fixed_point.kind == "too symmetric"
    lone = {"dephasing": [{"rate": 0.1, "layers": [0]}]}
    assert law(lone).fixed_point.kind == "classical"


def test_noise_alone_of_zero_rate_is_no_noise():
    found = law("dephasing:0").fixed_point
    assert found.kind == "no noise"
    assert math.isnan(found.purity)


def test_noise_that_the_readout_does_not_see_is_no_noise():
    noise = {"relaxation": [{"qubit": 7, "down": 0.3}]}
    assert law(noise, n=8, depth=2, readout="Z1").fixed_point.kind == "no noise"


@pytest.mark.parametrize(
    ("noise", "share"), [("collective:0.3", 1.0), ("relaxation:0.3", 0.0), ("depolarizing:0.3", 0.0)]
)
def test_share_is_the_ratio_of_the_variances_at_infinite_scale(noise, share):
    circuit = eq.circuits.brickwork(4, 3)
    stated = eq.Problem(circuit, readout="Z1", initial="neel", noise=noise)
    variance = eq.gradient_variance(stated, scales=[0, math.inf], sampling=eq.Sampling(samples=4)).variance
    found = eq.law(stated, sampling=eq.Sampling(samples=4))
    assert found.fixed_point_share == pytest.approx(variance[1] / variance[0], abs=1e-12)
    assert found.fixed_point_share == pytest.approx(share, abs=1e-12)
    low, high = found.fixed_point_share_interval
    assert low - 1e-12 <= share <= high + 1e-12


def test_share_of_local_dephasing_falls_with_depth():
    """Classical diffusion forgets too (design: 0.84 at three layers and 0.51 at five of another circuit)."""
    shares = [
        law("dephasing:0.1", n=5, depth=depth, readout="Z2", samples=200).fixed_point_share for depth in (3, 5, 7)
    ]
    # sampling errors are a few per cent at 200 draws
    assert shares[0] > shares[1] + 0.05 > shares[2] + 0.1
    assert 0.2 < shares[1] < 0.95


def test_mixture_over_local_charges_is_classified_as_a_whole():
    polar = np.array([0.6, 1.1, 1.9, 2.4])
    initial = np.stack([np.cos(polar / 2), np.sin(polar / 2)], axis=1)
    assert law("collective:0.3", initial=initial).fixed_point.kind == "untouched"
    assert law("dephasing:0.3", initial=initial).fixed_point.kind == "classical"


def test_dephasing_all_plus_states_is_too_mixed():
    """(|0> + |1>)^n has equal populations, which hopping keeps: the first slot leaves 1/2^n."""
    found = law("dephasing:0.3", initial=np.full((4, 2), math.sqrt(0.5))).fixed_point
    assert (found.kind, found.purity) == ("too mixed", pytest.approx(1 / 16, rel=1e-9))


def test_noise_that_touches_a_later_state_first_is_not_called_untouched():
    # after the first layer Neel still has one charge in each even bond: collective dephasing does nothing to it
    problem = eq.Problem(eq.circuits.parity_conserving(4, 3), "Z2", "neel", "collective:0.1", symmetry="parity")
    law = eq.law(problem, sampling=eq.Sampling(samples=2))
    assert law.fixed_point_share < 0.99
    assert law.fixed_point.kind == "partly protected"
