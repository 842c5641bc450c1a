"""The law after post-selection: closed forms, finite differences, additive budget, gain; and assignment errors."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from qiskit.quantum_info import SparsePauliOp

import equinoise as eq
import slow_twin as reference
from equinoise.mitigation.verification.charge_reading import joint_reading
from equinoise.mitigation.verification.post_selection import post_selection
from equinoise.mitigation.verification.symmetry_verification import verify
from equinoise.mitigation.verification.verified_law import verified_law
from shot_twin import measured_variance, qubit_wise
from support import aer_density_matrix, random_theta

UNEQUAL = {"relaxation": [{"qubit": q, "down": 0.05 * (q + 1), "up": 0.01} for q in range(4)]}
MIXED = UNEQUAL | {"depolarizing": [{"qubits": [1, 2], "rate": 0.04}], "dephasing": [{"rate": 0.06}]}
ERRORS = {"0": [0.02, 0.05], "1": [0.0, 0.1], "2": [0.04, 0.03], "3": [0.01, 0.0]}


def brick(noise, readout="Z2", n=4, depth=4, **options):
    return eq.Problem(eq.circuits.brickwork(n, depth=depth), readout=readout, initial="neel", noise=noise, **options)


def test_uniform_relaxation_costs_shots_and_no_gradient():
    problem = brick("relaxation:0.07")
    found = verified_law(problem, sampling=eq.Sampling(samples=6), scale=1.5)
    assert found.verified.survival == pytest.approx(1.0, abs=1e-12)
    assert abs(found.verified.kappa) < 1e-13
    assert sum(e.kappa for e in found.verified.budget) == pytest.approx(0.0, abs=1e-13)
    assert found.kept == pytest.approx(math.exp(-1.5 * 4 * 2 * 0.07), rel=1e-13)
    assert found.kept_rate == pytest.approx(4 * 2 * 0.07, rel=1e-12)
    assert found.plain.survival < 0.8
    assert math.isnan(found.verified.fixed_point_share)
    assert "w0 is undefined: at s = infinity no shot is kept; the law takes 0" in found.notes
    assert found.outside_share == pytest.approx(0.0, abs=1e-20)


def test_dephasing_gains_nothing():
    found = verified_law(brick("dephasing:0.1"), sampling=eq.Sampling(samples=6))
    assert (found.kept, found.kept_rate, found.gain, found.gain_interval) == (1.0, 0.0, 1.0, (1.0, 1.0))
    assert found.verified == found.plain
    assert not found.changes
    assert "does nothing" in found.notes[0]


def test_depolarizing_at_infinity_leaves_shots_without_gradient():
    found = verified_law(brick("depolarizing:0.1"), sampling=eq.Sampling(samples=4), scale=math.inf)
    # the maximally mixed state: C(4, 2) of 16 states
    assert found.kept == pytest.approx(6 / 16, abs=1e-12)
    assert found.verified.survival == pytest.approx(0.0, abs=1e-12)
    assert found.verified.fixed_point_share == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("noise", [MIXED, MIXED | {"readout_error": ERRORS}, {"pauli": [{"pauli": "X1", "rate": 0.1}]}])
def test_kappa_is_the_slope_of_the_variance_and_its_budget_adds_up(noise):
    problem = brick(noise, allow_broken="pauli" in noise)
    thetas = np.stack([random_theta(problem, i) for i in range(3)])
    found = verified_law(problem, sampling=eq.Sampling(ensemble=thetas)).verified

    def logarithm(scale):
        return math.log(sum(np.sum(verify(problem, t, scale).gradient ** 2) for t in thetas))

    h = 1e-3
    # one-sided differences of fourth order: error h^4 times rates of order 1
    points = [logarithm(k * h) for k in range(5)]
    slope = np.dot([-25 / 12, 4, -3, 4 / 3, -1 / 4], points) / h
    assert found.kappa == pytest.approx(-slope / 2, abs=1e-7)
    assert sum(e.kappa for e in found.budget) == pytest.approx(found.kappa, abs=1e-12)
    second = np.dot([35 / 12, -26 / 3, 19 / 2, -14 / 3, 11 / 12], [math.exp(p - points[0]) for p in points]) / h**2
    assert found.second_moment == pytest.approx(second / 4, rel=1e-4)


def test_a_part_of_the_budget_is_the_kappa_of_that_noise_alone():
    thetas = np.stack([random_theta(brick(None), i) for i in range(3)])
    whole = verified_law(brick(MIXED), sampling=eq.Sampling(ensemble=thetas)).verified
    alone = verified_law(
        brick({"relaxation": UNEQUAL["relaxation"][3:]}), sampling=eq.Sampling(ensemble=thetas)
    ).verified
    part = sum(e.kappa for e in whole.budget if e.mechanism == "relaxation" and e.qubits == (3,))
    assert part == pytest.approx(alone.kappa, abs=1e-12)
    assert abs(part) > 1e-3


def test_the_law_foretells_the_verified_survival():
    problem = brick(MIXED)
    for scale in (0.2, 0.5):
        found = verified_law(problem, sampling=eq.Sampling(samples=24, seed=3), scale=scale)
        exact = found.verified.survival
        assert found.verified.predicted(scale) == pytest.approx(exact, abs=0.01)
        low, high = found.verified.survival_interval
        assert low < exact < high


def test_selecting_on_all_qubits_lets_parameters_outside_the_light_cone_in():
    """Unequal relaxation: which shots are kept depends on angles far from the readout."""
    problem = brick({"relaxation": [{"qubit": 5, "down": 0.8}]}, readout="Z0", n=6, depth=3)
    found = verified_law(problem, sampling=eq.Sampling(samples=6))
    assert found.outside_share > 1e-6
    assert found.plain.survival == pytest.approx(1.0, abs=1e-12)


def test_draws_do_not_depend_on_workers_and_report_progress():
    ticks = []
    one = verified_law(brick(MIXED), sampling=eq.Sampling(samples=3, workers=1), progress=ticks.append)
    two = verified_law(brick(MIXED), sampling=eq.Sampling(samples=3, workers=2))
    assert ticks == [1, 1, 1]
    assert one == two


def test_a_bad_seed_and_scale_are_named():
    problem = brick(MIXED)
    with pytest.raises(eq.EquinoiseError, match="seed must be a whole number >= 0, got -1"):
        verified_law(problem, sampling=eq.Sampling(seed=-1))
    with pytest.raises(eq.EquinoiseError, match="noise scale must be a number >= 0 or infinity, got -1"):
        verified_law(problem, scale=-1)


# -- assignment errors -----------------------------------------------------------------------------------------------


def brute_force(problem, theta, scale):
    """N, D and the mean square by summing over all states and all that they are read as."""
    n = problem.num_qubits
    joint = joint_reading(problem.readout)
    rho = reference.evolve(problem, theta, scale) if not joint.rotation else None
    if rho is None:
        rho = reference.evolve(problem, theta, scale)
        values, vectors = np.linalg.eigh(SparsePauliOp(["XX", "YY"]).to_matrix())
        assert values.tolist() == pytest.approx([-2, 0, 0, 2])
        (a, b, _) = joint.rotation[0]
        # +2 is read as |10>, -2 as |01> (qubit a first); index a + 2 b
        turn = np.eye(4, dtype=complex)
        turn[1], turn[2] = vectors[:, 3].conj(), vectors[:, 0].conj()
        full = np.zeros((2**n, 2**n), dtype=complex)
        for x, u, v in itertools.product(range(2**n), (0, 1), (0, 1)):
            bits = (x >> a & 1) + 2 * (x >> b & 1)
            y = x & ~(1 << a) & ~(1 << b) | u << a | v << b
            full[y, x] = turn[u + 2 * v, bits]
        rho = full @ rho @ full.conj().T
    outcomes = np.diag(joint.operator.to_matrix()).real
    errors = dict(problem.noise.readout_error)
    totals = np.zeros(3)
    for x, y in itertools.product(range(2**n), repeat=2):
        if y.bit_count() == problem.charge:
            weight = rho[x, x].real
            for q in range(n):
                p01, p10 = errors.get(q, (0.0, 0.0))
                flip = p10 if x >> q & 1 else p01
                weight *= flip if (x ^ y) >> q & 1 else 1 - flip
            totals += weight * outcomes[y] ** np.arange(3)
    return totals


@pytest.mark.parametrize("readout", ["Z2", "Z0Z1 - 0.5*Z3", "X1X2+Y1Y2", "X1X2+Y1Y2+0.3*Z0"])
@pytest.mark.parametrize("noise", [{}, MIXED])
def test_assignment_errors_agree_with_a_sum_over_all_readings(readout, noise):
    problem = brick(noise | {"readout_error": ERRORS}, readout=readout)
    theta = random_theta(problem, 7)
    result = verify(problem, theta, 0.8)
    kept, first, second = brute_force(problem, theta, 0.8)
    assert result.kept == pytest.approx(kept, abs=1e-12)
    assert result.value == pytest.approx(first / kept, abs=1e-12)
    assert result.shot_variance == pytest.approx(second / kept - (first / kept) ** 2, abs=1e-12)
    assert result.changes
    h = 1e-5
    for k in (0, 9, 20):
        step = h * np.eye(theta.size)[k]
        difference = (verify(problem, theta + step, 0.8).value - verify(problem, theta - step, 0.8).value) / (2 * h)
        # central difference: error h^2, rounding 1e-16/h
        assert result.gradient[k] == pytest.approx(difference, abs=1e-9)


def test_sampled_counts_of_aer_agree_within_four_sigma():
    from qiskit import QuantumCircuit
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel, ReadoutError

    problem = brick(UNEQUAL | {"readout_error": ERRORS})
    theta = random_theta(problem, 8)
    model = NoiseModel()
    for q, (p01, p10) in problem.noise.readout_error:
        model.add_readout_error(ReadoutError([[1 - p01, p01], [p10, 1 - p10]]), [q])
    circuit = QuantumCircuit(4, 4)
    circuit.set_density_matrix(aer_density_matrix(problem, theta, 1.0))
    circuit.measure(range(4), range(4))
    shots = 200_000
    simulator = AerSimulator(method="density_matrix", noise_model=model, max_parallel_threads=1)
    counts = simulator.run(circuit, shots=shots, seed_simulator=5).result().get_counts()
    accepted = {int(key, 2): c for key, c in counts.items() if key.count("1") == problem.charge}
    kept = sum(accepted.values())
    value = sum(c * (1 - 2 * (x >> 2 & 1)) for x, c in accepted.items()) / kept
    result = verify(problem, theta, 1.0)
    assert abs(kept / shots - result.kept) < 4 * math.sqrt(result.kept * (1 - result.kept) / shots)
    assert abs(value - result.value) < 4 * math.sqrt(result.shot_variance / kept)


def test_readings_with_errors_reject_right_shots_even_without_noise():
    problem = brick({"readout_error": {"0": [0.0, 0.1], "1": [0.0, 0.1], "2": [0.0, 0.1], "3": [0.0, 0.1]}})
    result = verify(problem, random_theta(problem, 9), 0.0)
    # both ones must be read as ones, and then everything is right
    assert result.kept == pytest.approx(0.9**2, abs=1e-13)
    assert result.value == pytest.approx(eq.expectation(problem, random_theta(problem, 9), 0.0).value, abs=1e-13)


def test_a_readout_without_a_joint_setting_leaves_assignment_errors_out_and_says_so():
    problem = brick(MIXED | {"readout_error": ERRORS}, readout="X0X1+Y0Y1+X1X2+Y1Y2")
    assert joint_reading(problem.readout) is None
    result = verify(problem, random_theta(problem, 10))
    assert "assignment errors are left out" in result.notes[0]
    assert result.value == pytest.approx(
        verify(brick(MIXED, readout="X0X1+Y0Y1+X1X2+Y1Y2"), random_theta(problem, 10)).value
    )


def test_a_current_is_read_by_a_rotation_of_its_pair():
    """Without errors the rotated diagonal readout is the readout itself."""
    readout = SparsePauliOp.from_sparse_list(
        [("XX", [0, 2], 0.4), ("YY", [0, 2], 0.4), ("XY", [0, 2], 0.7), ("YX", [0, 2], -0.7), ("ZZ", [0, 2], 0.2)], 4
    )
    tiny = {str(q): [1e-15, 0.0] for q in range(4)}
    read = brick(MIXED | {"readout_error": tiny}, readout=readout)
    theta = random_theta(read, 11)
    # errors of 1e-15 take the path of the rotated readings
    assert post_selection(read).notes == ("the gates that rotate hopping pairs before they are read count as perfect",)
    one, other = verify(read, theta), verify(brick(MIXED, readout=readout), theta)
    assert one.value == pytest.approx(other.value, abs=1e-12)
    np.testing.assert_allclose(one.gradient, other.gradient, atol=1e-12)
    assert one.shot_variance == pytest.approx(other.shot_variance, abs=1e-12)


@pytest.mark.parametrize("readout", ["Z1+Z2", "X1X2+Y1Y2"])
def test_plain_shots_of_a_sum_are_those_of_the_bits_that_are_read(readout):
    """Gain per shot: both variances are those of the outcomes, by enumeration; plain hopping takes two settings."""
    problem = brick(MIXED | {"readout_error": ERRORS}, readout=readout)
    found = verified_law(problem, sampling=eq.Sampling(samples=4, seed=2))
    errors = {int(q): tuple(p) for q, p in ERRORS.items()}
    settings = qubit_wise(problem.readout.to_sparse_list())
    thetas = eq.Ensemble.of(None).draw(problem, 4, 2)
    variances = [measured_variance(reference.evolve(problem, theta, 1.0), settings, errors) for theta in thetas]
    assert found.plain.shot_variance == pytest.approx(np.mean(variances), rel=1e-10)
    verified = [verify(problem, theta) for theta in thetas]
    per_shot = np.mean([one.shot_variance / one.kept for one in verified])
    kept, plain = (np.mean([np.sum(v.gradient**2) for v in each]) for each in (verified, [v.plain for v in verified]))
    expected = kept / per_shot / (plain / (len(settings) * np.mean(variances)))
    assert found.gain == pytest.approx(expected, rel=1e-9)
