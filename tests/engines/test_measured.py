"""The variance of shots: settings, assignment errors and shifted angles, against bits of the full density matrix."""

from __future__ import annotations

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import equinoise as eq
from equinoise.engines.measured import MeasuredReadout
from equinoise.engines.select import select_engine
from shot_twin import RULES, measured_variance, qubit_wise
from slow_twin import evolve

ERRORS = {0: (0.1, 0.2), 1: (0.02, 0.15), 2: (0.05, 0.05), 3: (0.0, 0.3)}
NOISE = {"relaxation": 0.05, "dephasing": 0.1}


def weighted_variances(problem, theta, errors):
    """Variance and weight at every evaluation of the shift rules, over the parameters in the cone."""
    inside = set(select_engine(problem).program.parameters)
    names = {p: i.operation.name for i in problem.circuit.data for a in i.operation.params for p in free(a)}
    settings = qubit_wise(problem.readout.to_sparse_list())
    found = []
    for k in sorted(inside):
        for shift, weight in RULES[names[problem.parameters[k]]]:
            moved = theta.copy()
            moved[k] += shift
            found.append((measured_variance(evolve(problem, moved, 1.0), settings, errors), weight**2))
    return np.array(found).T


def free(angle):
    return getattr(angle, "parameters", ())


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize(
    ("readout", "settings"),
    [("Z0", 1), ("Z0+Z1", 1), ("Z0+Z1+Z2+Z3", 1), ("X1X2+Y1Y2", 2), ("Z0+X1X2+Y1Y2", 2), ("X0X1+Y0Y1+0.5*Z2", 2)],
)
def test_variance_is_that_of_the_bits_that_are_read_at_shifted_angles(readout, settings, noisy):
    errors = ERRORS if noisy else {}
    noise = {**NOISE, "readout_error": {q: list(p) for q, p in errors.items()}}
    problem = eq.Problem(eq.circuits.brickwork(4, 1, interaction="rzz"), readout, initial="neel", noise=noise)
    theta = np.random.default_rng(5).uniform(-3, 3, len(problem.parameters))
    measured = MeasuredReadout(select_engine(problem))
    assert measured.settings == settings
    assert measured.notes == ()
    expected, weights = weighted_variances(problem, theta, errors)
    assert measured.shift_weight == pytest.approx(weights.sum() / len(select_engine(problem).program.parameters))
    assert measured.evaluations == expected.size
    found = np.array([measured.variance(theta, 1.0, stream) for stream in range(60)])
    assert np.abs(found[:, None] - expected[None, :]).min(axis=1).max() < 1e-10
    mean = np.average(expected, weights=weights)
    # drawn with the weights: 4 sigma
    spread = math.sqrt(np.average((expected - mean) ** 2, weights=weights) / found.size)
    assert abs(found.mean() - mean) < 4 * spread + 1e-10


def test_cross_terms_are_attenuated_too():
    """Z0+Z1 at 20 % flips of |01> + |10>: bits agree more often than the ideal ones, which never do."""
    circuit = eq.circuits.brickwork(2, 1, interaction="none")
    noise = eq.NoiseModel(readout_error={0: (0.2, 0.2), 1: (0.2, 0.2)})
    problem = eq.Problem(circuit, "Z0+Z1", initial="01", noise=noise)
    measured = MeasuredReadout(select_engine(problem))
    # 2 + 2 (0.6)^2 <Z0 Z1>, whatever the angles
    assert measured.variance(np.zeros(3), 1.0, 0) == pytest.approx(2 - 2 * 0.36, abs=1e-12)


def test_trajectories_estimate_the_same_variance_without_bias():
    noise = {**NOISE, "readout_error": {1: [0.1, 0.2], 2: [0.05, 0.1]}}
    problem = eq.Problem(eq.circuits.brickwork(4, 1), "Z1+Z2", initial="neel", noise=noise)
    theta = np.random.default_rng(5).uniform(-3, 3, len(problem.parameters))
    both = [MeasuredReadout(select_engine(problem, name)) for name in ("exact", "trajectories")]
    exact, sampled = (np.array([one.variance(theta, 1.0, s) for s in range(400)]) for one in both)
    # the same gate is shifted for the same stream
    assert abs((sampled - exact).mean()) < 4 * (sampled - exact).std() / 20


@pytest.mark.parametrize("errors", [{}, {0: [0.1, 0.1], 1: [0.1, 0.1], 2: [0.1, 0.1]}])
def test_shots_do_not_depend_on_the_symmetry_that_is_claimed(errors):
    circuit = eq.circuits.permutation_equivariant(3, 1)
    noise = {"depolarizing": 0.05, "readout_error": errors}
    claimed = eq.Problem(circuit, "Z0+Z1+Z2", initial="000", noise=noise, symmetry="permutation")
    plain = eq.Problem(circuit, "Z0+Z1+Z2", initial="000", noise=noise, allow_broken=True)
    one, two = (MeasuredReadout(select_engine(problem)) for problem in (claimed, plain))
    assert one.notes == ()
    for stream in range(8):
        theta = np.random.default_rng(stream).uniform(-3, 3, 3)
        assert one.variance(theta, 1.0, stream) == pytest.approx(two.variance(theta, 1.0, stream), abs=1e-10)


def test_where_no_engine_shifts_one_gate_of_many_it_says_so():
    circuit = eq.circuits.permutation_equivariant(30, 1)
    readout = "+".join(f"Z{q}" for q in range(30))
    problem = eq.Problem(circuit, readout, initial="0" * 30, noise="dephasing:0.01", symmetry="permutation")
    (note,) = MeasuredReadout(select_engine(problem)).notes
    assert note.startswith("shots are those at the angles themselves: permutation")


def test_a_hop_of_two_rotations_is_shifted_where_free_fermions_serve_the_circuit_alone():
    """RXX and RYY with one angle are a free-fermion hop; either of them shifted by itself is not."""
    circuit = QuantumCircuit(4)
    for k, (a, b) in enumerate([(0, 1), (2, 3), (1, 2)]):
        angle = Parameter(f"t{k}")
        circuit.rxx(angle, a, b)
        circuit.ryy(angle, a, b)
    problem = eq.Problem(circuit, readout="Z1", initial="neel", noise="dephasing:0.02")
    theta = np.array([0.4, 0.9, 1.3])
    free, whole = (MeasuredReadout(select_engine(problem, name), 1) for name in ("free-fermion", "exact"))
    assert free.variance(theta, 1.0, 3) == pytest.approx(whole.variance(theta, 1.0, 3), rel=1e-10)
