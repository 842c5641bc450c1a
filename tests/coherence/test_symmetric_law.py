"""The law of circuits with other symmetries: equal to the full space, and its certificate where that is proved."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector

import equinoise as eq
import slow_twin as reference
from equinoise.coherence.bounds import certificate, greatest_rate, least_rate, survival_bounds
from equinoise.coherence.spectrum import coherence_spectrum
from equinoise.ensemble import Ensemble
from equinoise.reduction.symmetric_program import SymmetricProgram, compiled
from symmetric_problems import exchange_layers, hubbard_layers, ising_ring, mean_z, permutation_layers

ONE_QUBIT = {"dephasing": [{"rate": 0.1, "weights": {1: 1.0}}]}


def parity_layers(n, depth, *, rotated=True):
    """RXX and RZZ on brickwork pairs, RZ on every qubit, an angle each."""
    circuit, angle = QuantumCircuit(n), (Parameter(f"t{i:03}") for i in itertools.count())
    for layer in range(depth):
        for a in range(layer % 2, n - 1, 2):
            circuit.rxx(next(angle), a, a + 1)
            circuit.rzz(next(angle), a, a + 1)
        for q in range(n if rotated else 0):
            circuit.rz(next(angle), q)
        circuit.barrier(label="layer")
    return circuit


CASES = {
    "parity": (parity_layers(4, 3), "Z1", "0101", "parity"),
    "su2": (exchange_layers(4, 3), "X1X2+Y1Y2+Z1Z2", "0101", "su2"),
    "permutation": (permutation_layers(4, 3), mean_z(4), "0000", "permutation"),
    "ring": (ising_ring(4, 3), "Z0", "0000", "translation*reflection"),
    "two charges": (hubbard_layers(4, 3), "Z1", "0101", "charges:0-1|2-3"),
}


def problem(case, noise, **options):
    circuit, readout, initial, symmetry = CASES[case]
    options = {"symmetry": symmetry, **options}
    return eq.Problem(circuit, readout=readout, initial=initial, noise=noise, **options)


def draws(stated, count=2):
    return np.random.default_rng(7).uniform(0, 2 * math.pi, (count, len(stated.parameters)))


# -- equality with the full space ----------------------------------------------------------------------------------

NOISES = {
    "local dephasing": "dephasing:0.1",
    "collective": "collective:0.07",
    "damping": "relaxation:down=0.05,up=0.01",
    "depolarizing": "depolarizing:0.04",
    "one qubit alone": ONE_QUBIT,
}


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("case", CASES)
def test_law_is_that_of_the_full_space(case, noise):
    stated = problem(case, NOISES[noise])
    assert isinstance(compiled(stated), SymmetricProgram)
    thetas = draws(stated)
    found, exact = (
        eq.law(stated, sampling=eq.Sampling(ensemble=thetas)),
        reference.law(stated, thetas),
    )
    assert found.engine in ("commutant", "permutation")
    assert found.variance == pytest.approx(exact["V0"], rel=1e-10)
    for mine, name in (
        (found.kappa, "kappa"),
        (found.second_moment, "second_moment"),
        (found.fixed_point_share, "fixed_point_share"),
    ):
        assert mine == pytest.approx(exact[name], abs=1e-10)
    assert sum(entry.kappa for entry in found.budget) == pytest.approx(found.kappa, abs=1e-12)
    survival = eq.gradient_variance(stated, [0.7], sampling=eq.Sampling(ensemble=thetas)).survival[0]
    assert survival**2 == pytest.approx(exact["V"](0.7) / exact["V0"], rel=1e-9)


@pytest.mark.parametrize("noise", ["dephasing:0.1+relaxation:0.02", "collective:0.3", "depolarizing:0.05"])
def test_total_charge_is_the_same_by_both_code_paths(noise):
    """The sectors of "charge", and the isotypic blocks of the one-register "charges"."""
    circuit = eq.circuits.brickwork(5, 3)
    first, second = (
        eq.Problem(circuit, "Z2", initial="neel", noise=noise, symmetry=name) for name in ("charge", "charges:0-4")
    )
    one, other = (eq.law(p, sampling=eq.Sampling(samples=3, seed=4)) for p in (first, second))
    assert (one.engine, other.engine) == ("exact", "commutant")
    for name in ("variance", "kappa", "second_moment", "fixed_point_share", "rate_variance", "lasting_share"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), abs=1e-10)
    assert [(e.layer, e.qubits, e.mechanism) for e in one.budget] == [
        (e.layer, e.qubits, e.mechanism) for e in other.budget
    ]
    np.testing.assert_allclose([e.kappa for e in other.budget], [e.kappa for e in one.budget], atol=1e-11)
    assert (other.fixed_point.kind, other.fixed_point.sectors) == (one.fixed_point.kind, one.fixed_point.sectors)
    np.testing.assert_allclose(
        eq.gradient(second, draws(second)[0]).gradient, eq.gradient(first, draws(first)[0]).gradient, atol=1e-12
    )


def test_engine_exact_asked_for_by_name_is_the_full_space():
    stated = problem("su2", "depolarizing:0.04")
    thetas = draws(stated)
    whole, reduced = (eq.law(stated, sampling=eq.Sampling(engine=name, ensemble=thetas)) for name in ("exact", "auto"))
    assert (whole.engine, reduced.engine) == ("exact", "commutant")
    assert whole.kappa == pytest.approx(reduced.kappa, abs=1e-11)


# -- noise invisible in the commutant ------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [4, 6])
def test_dephasing_along_the_total_spin_costs_an_exchange_circuit_nothing(n):
    """D[sum Z] does not commute with SU(2), yet [sum Z, X] = 0 for all that does; also where the cone is narrower."""
    circuit = exchange_layers(n, 2)
    stated = eq.Problem(circuit, "X0X1+Y0Y1+Z0Z1", initial="01" * (n // 2), noise="collective:0.5", symmetry="su2")
    program = compiled(stated)
    assert program.symmetry.name == "su2"
    assert len(program.invisible) == len({len(seen) for seen in program.cone.seen})
    thetas = draws(stated, 4)
    law = eq.law(stated, sampling=eq.Sampling(ensemble=thetas))
    assert (law.kappa, law.fixed_point_share) == (pytest.approx(0, abs=1e-12), pytest.approx(1, abs=1e-12))
    assert law.fixed_point.kind == "untouched"
    assert law.certificate == certificate(program, Ensemble.of("normal:0.1"))
    assert law.certificate.proved
    assert law.certificate.greatest_rate == 0
    assert "this noise is invisible to every operator that commutes with su2" in law.certificate.reason
    np.testing.assert_array_equal(law.bounds([1.0, math.inf]), np.ones((2, 2)))
    for scale in (1.0, math.inf):
        mine = eq.gradient(stated, thetas[0], scale).gradient
        np.testing.assert_allclose(mine, reference.gradient(stated, thetas[0], scale), atol=1e-11)


def test_charges_feel_no_dephasing_by_their_own_sums():
    noise = {"dephasing": [{"rate": 0.3, "weights": {0: 1.0, 1: 1.0, 2: -2.0, 3: -2.0}}]}
    stated = problem("two charges", noise)
    assert greatest_rate(compiled(stated)) == 0
    law = eq.law(stated, sampling=eq.Sampling(ensemble=draws(stated)))
    assert law.kappa == pytest.approx(0, abs=1e-12)
    assert law.budget  # it is listed, at no cost
    uneven = {"dephasing": [{"rate": 0.3, "weights": {0: 1.0, 1: 0.9, 2: -2.0, 3: -2.0}}]}
    assert eq.law(problem("two charges", uneven), sampling=eq.Sampling(ensemble=draws(stated))).kappa > 1e-4


def test_noise_that_breaks_part_of_the_group_is_computed_with_the_rest():
    program = compiled(problem("permutation", ONE_QUBIT))
    assert str(program.symmetry) == "permutation:0,2,3"
    program = compiled(problem("su2", "dephasing:0.1+collective:0.1"))
    assert "charge" in str(program.symmetry)
    assert program.invisible == ()


# -- fixed points --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "noise", "kind", "sectors"),
    [
        ("parity", "dephasing:0.1", "classical", "respected"),
        ("parity", "relaxation:0.1", "too symmetric", "mixed"),
        ("parity", "depolarizing:0.1", "too mixed", "mixed"),
        ("su2", "depolarizing:0.1", "too mixed", "mixed"),
        ("permutation", "collective:0.1", "classical", "respected"),
        ("permutation", "dephasing:0.1", "classical", "mixed"),
        ("permutation", "relaxation:0.1", "too symmetric", "mixed"),
        ("permutation", "depolarizing:0.1", "too mixed", "mixed"),
        ("permutation", ONE_QUBIT, "partly protected", "respected"),
        ("ring", "collective:0.1", "partly protected", "respected"),
        ("ring", "dephasing:0.1", "classical", "mixed"),
        ("two charges", "dephasing:0.1", "classical", "respected"),
        ("two charges", "relaxation:0.1", "too symmetric", "mixed"),
        ("ring", "none", "no noise", ""),
    ],
)
def test_fixed_point_classes_and_what_becomes_of_the_sectors(case, noise, kind, sectors):
    """Collective noise respects the irreducible blocks of permutations, local noise mixes them.

    Permutations of three of four qubits: dephasing of the fourth commutes with each.
    """
    stated = problem(case, noise)
    found = eq.law(stated, sampling=eq.Sampling(ensemble=draws(stated, 1))).fixed_point
    assert (found.kind, found.sectors) == (kind, sectors)


def test_purity_of_the_fixed_point_is_the_full_spaces():
    """1/2^n under depolarizing, 1 under damping, from blocks that hold weights and sizes d of 1 to 28."""
    circuit = permutation_layers(8, 2)
    for noise, purity in (("depolarizing:0.1", 2.0**-8), ("relaxation:0.1", 1.0)):
        stated = eq.Problem(circuit, mean_z(8), initial="0" * 8, noise=noise, symmetry="permutation")
        found = eq.law(stated, sampling=eq.Sampling(ensemble=draws(stated, 1))).fixed_point
        assert found.purity == pytest.approx(purity, rel=1e-9)


def test_noise_class_of_the_charge_says_what_becomes_of_its_sectors():
    for noise, sectors in (("dephasing:0.1", "respected"), ("relaxation:0.1", "mixed"), ("none", "")):
        stated = eq.Problem(eq.circuits.brickwork(4, 2), "Z1", initial="neel", noise=noise)
        assert eq.law(stated, sampling=eq.Sampling(samples=2)).fixed_point.sectors == sectors


# -- which bounds are proved ---------------------------------------------------------------------------------------


def status(stated, ensemble=None):
    return certificate(compiled(stated), Ensemble.of(ensemble))


def test_parity_circuit_with_its_own_rotations_is_proved_without_any_charge():
    found = status(problem("parity", "dephasing:0.1"))
    assert found.proved
    assert "an independent uniform Z rotation on each qubit" in found.reason
    # slot 0 sees four qubits, slot 1 three or four, the last one: each at most 2 rate a qubit
    assert found.least_rate == pytest.approx(0.2, rel=1e-12)
    assert found.greatest_rate == pytest.approx(0.2 * sum(map(len, compiled(problem("parity", "none")).cone.seen)))
    assert not status(problem("parity", "relaxation:0.1")).proved
    assert not status(problem("parity", "dephasing:0.1"), "normal:0.1").proved
    bare = eq.Problem(
        parity_layers(4, 3, rotated=False), "Z1", initial="0101", noise="dephasing:0.1", symmetry="parity"
    )
    assert "next to the noise slot of layer 0 stand 0 independent Z rotations" in status(bare).reason


def test_symmetry_that_noise_destroys_leaves_the_proof():
    """Every qubit at a rate of its own: nothing of the permutations is left, but the angles are shared."""
    noise = {"dephasing": [{"rate": 0.1 + 0.01 * q, "weights": {q: 1.0}} for q in range(4)]}
    found = status(problem("permutation", noise))
    assert not found.proved
    assert "gates share their angles, so that different histories interfere" in found.reason


def shared_layers(n, depth, *, rotated=True, ratio=1.0):
    """RX on all, RZZ on all pairs, RZ on all (the last one's angle times a ratio): each with one angle."""
    circuit, theta = QuantumCircuit(n), ParameterVector("t", 3 * depth)
    for layer in range(depth):
        for q in range(n):
            circuit.rx(theta[3 * layer], q)
        for a, b in itertools.combinations(range(n), 2):
            circuit.rzz(theta[3 * layer + 1], a, b)
        for q in range(n):
            circuit.rz(theta[3 * layer + 2] * (ratio if q == n - 1 else 1.0), q) if rotated else circuit.ry(
                theta[3 * layer + 2], q
            )
        circuit.barrier(label="layer")
    return circuit


def shared_problem(noise, n=3, symmetry="permutation", **options):
    return eq.Problem(shared_layers(n, 3, **options), mean_z(n), initial="0" * n, noise=noise, symmetry=symmetry)


def test_shared_rotations_prove_collective_noise_and_not_local_noise():
    found = status(shared_problem("collective:0.1"))
    assert found.proved
    assert "on several qubits each, that span the noise's jumps" in found.reason
    assert found.greatest_rate == pytest.approx(3 * 0.1 * 6**2 / 2)  # |000><111| in three slots
    local = status(shared_problem("dephasing:0.1"))
    assert not local.proved
    assert "stand 1 independent Z rotations, which do not span its 3 jumps" in local.reason
    assert not status(shared_problem("collective:0.1", rotated=False)).proved


def test_shared_rotation_without_a_common_period_proves_nothing():
    """RZ(phi) and RZ(sqrt 2 phi): the mean over any finite interval leaves cross terms."""
    noise = {"dephasing": [{"rate": 0.1, "weights": {0: 1.0, 1: 1.0, 2: math.sqrt(2)}}]}
    assert not status(shared_problem(noise, symmetry="permutation:0-1", ratio=math.sqrt(2))).proved
    even = {"dephasing": [{"rate": 0.1, "weights": {0: 1.0, 1: 1.0, 2: 2.0}}]}
    assert status(shared_problem(even, symmetry="permutation:0-1", ratio=2.0)).proved


@functools.cache
def averaged(case):
    """A problem whose phases that count take all values of a grid on which every cross term averages to 0.

    A rotation on m qubits gives a history the phase exp(-i phi k), k from -m to m, so that products have k from -2m to
    2m: 2m + 1 equidistant phases kill all but k = 0 (and multiples of 2m + 1, which do not occur).
    """
    if case == "parity":
        noise = {"dephasing": [{"rate": r, "weights": {q: 1.0}, "layers": [0, 1]} for q, r in enumerate((0.03, 0.3))]}
        noise["pauli"] = [{"pauli": "Z0Z1", "rate": 0.1, "layers": [1]}]
        stated = eq.Problem(parity_layers(2, 3), "Z1", initial="00", noise=noise, symmetry="parity")
        gates, width = "rz", 1
    else:
        noise = {"dephasing": [{"rate": 0.05, "weights": dict.fromkeys(range(3), 1.0), "layers": [0, 1]}]}
        stated = shared_problem(noise)
        gates, width = "rz", 3
    counting: dict[int, None] = {}
    layer = 0
    for item in stated.circuit.data:
        layer += item.operation.name == "barrier"
        if item.operation.name == gates and layer < 2:
            parameter = next(iter(item.operation.params[0].parameters))
            counting[stated.parameters.index(parameter)] = None
    grid = 2 * math.pi / (2 * width + 1) * np.arange(2 * width + 1)
    places = list(counting)
    values = list(itertools.product(grid, repeat=len(places)))
    thetas = np.tile(np.random.default_rng(5).uniform(0, 2 * math.pi, len(stated.parameters)), (len(values), 1))
    thetas[:, places] = values
    scales = [0.0, 0.3, 0.5, 1.0, 1.7, 2.0, 4.0, 7.0, 16.0, math.inf]
    exact = eq.gradient_variance(stated, scales, sampling=eq.Sampling(engine="auto", ensemble=thetas))
    return (
        stated,
        dict(zip(scales, exact.survival**2, strict=True)),
        eq.law(stated, sampling=eq.Sampling(ensemble=thetas)),
        thetas,
    )


@pytest.mark.parametrize("case", ["parity", "shared"])
def test_exactly_averaged_phases_obey_the_bounds_at_every_scale(case):
    stated, ratios, law, _ = averaged(case)
    proof = status(stated)
    assert proof.proved
    known = {s: ratios[s] for s in (0.5, 1.0, 4.0, math.inf)}
    spectrum = coherence_spectrum(known, proof, kappa=law.kappa, second_moment=law.second_moment)
    assert spectrum.note == ""  # a positive measure on the certified rates has them all
    scales = [s for s in ratios if s > 0]
    exact = np.array([ratios[s] for s in scales])
    low, high = spectrum.ratio_bounds(scales)
    assert (low <= exact + 1e-9).all()
    assert (exact <= high + 1e-9).all()
    outer = np.array(survival_bounds(scales, law.kappa, ratios[math.inf], proof.greatest_rate)) ** 2
    assert (outer[0] <= exact + 1e-9).all()
    assert (exact <= outer[1] + 1e-9).all()
    assert ratios[16.0] < 0.95  # something decays


def test_without_the_condition_the_chord_can_be_crossed():
    """The theorem is about the ensemble: single draws of the same circuit break its bounds."""
    stated, _, _, thetas = averaged("parity")
    proof = status(stated)
    crossed = 0
    for theta in thetas[:12]:
        law = eq.law(stated, sampling=eq.Sampling(ensemble=theta[None]))
        exact = eq.gradient_variance(stated, [2.0], sampling=eq.Sampling(ensemble=theta[None])).survival[0]
        low, high = law.kappa, survival_bounds(2.0, law.kappa, 0.0, proof.greatest_rate)[1]
        crossed += bool(exact > high + 1e-6 or exact < math.exp(-2.0 * low) - 1e-6)
    assert crossed > 0


def test_rayleigh_quotients_add_up_to_kappa_for_parity():
    stated, _, law, thetas = averaged("parity")
    rates = eq.aligned_rates(stated, sampling=eq.Sampling(ensemble=thetas))
    assert rates.total == pytest.approx(law.kappa, rel=1e-9)


def test_greatest_rates_in_closed_form():
    """Z0Z1 flips the sign of coherences with one of the two excited: 2 rate; Z0 + Z1 at most rate (2 + 2)^2 / 2."""
    products = {"pauli": [{"pauli": "Z0Z1", "rate": 0.1}]}
    sums = {"dephasing": [{"rate": 0.1, "weights": {0: 1.0, 1: 1.0}}]}
    for noise, slots in ((products, (0.2, 0.2, 0.2)), (sums, (0.8, 0.8, 0.2))):  # the last slot sees qubit 1 alone
        program = compiled(problem("parity", noise))
        assert program.cone.seen[-1] == {1}
        assert greatest_rate(program) == pytest.approx(sum(slots), rel=1e-12)
        assert least_rate(program) == pytest.approx(0.2, rel=1e-12)
    # beyond eight qubits a bound of it
    wide = eq.Problem(parity_layers(10, 6), "Z5", initial="0" * 10, noise="dephasing:0.1", symmetry="parity")
    program = compiled(wide)
    assert greatest_rate(program) == pytest.approx(0.2 * sum(map(len, program.cone.seen)), rel=1e-12)


def test_greatest_rate_is_no_less_than_any_decay_of_the_gradient():
    """-d ln|g|/ds of every gradient component at s = 0 is an average of rates."""
    for case, noise in itertools.product(CASES, ("dephasing:0.1", "relaxation:0.05", "depolarizing:0.04")):
        stated = problem(case, noise)
        law = eq.law(stated, sampling=eq.Sampling(ensemble=draws(stated)))
        assert law.kappa <= greatest_rate(compiled(stated)) + 1e-12
        assert least_rate(compiled(stated)) <= greatest_rate(compiled(stated))
