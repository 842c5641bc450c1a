"""The ensemble average without sampling against its slow twin, the exact engine's draws, and itself, whole or cut."""

from __future__ import annotations

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import CPhaseGate, RZZGate, XXPlusYYGate, iSwapGate

import equinoise as eq
from equinoise.coherence.bounds import certificate, survival_bounds
from equinoise.coherence.rates import first_order
from equinoise.engines.replica import average as replica
from equinoise.engines.replica.average import average, first_order_average
from equinoise.engines.replica.convergence import Attempt, doubled
from equinoise.engines.replica.tensor import Truncation, isometries
from equinoise.engines.sector import kernels
from equinoise.engines.select import averages
from equinoise.ensemble import Ensemble
from equinoise.errors import ParameterError, UnsupportedError
from equinoise.reduction.program import compile_problem
from replica_twin import twin_variance

LOCAL = "dephasing:0.08"
NEIGHBOURS = {"dephasing": [{"rate": 0.05, "weights": {0: 1.0, 1: -0.5}}, {"rate": 0.1, "weights": {1: 0.4, 2: 1.0}}]}
FAR = {"dephasing": [{"rate": 0.06, "weights": {0: 1.0, 1: 0.3, 2: -0.7}}], "pauli": [{"pauli": "Z0Z2", "rate": 0.03}]}
DAMPING = {"relaxation": [{"qubit": "each", "down": 0.1, "up": 0.02}]}
MIXING = {
    "dephasing": [{"rate": 0.02, "weights": "all"}],
    "relaxation": [{"qubit": 1, "down": 0.2}],
    "depolarizing": [{"qubits": [0, 1], "rate": 0.1}, {"qubits": [2], "rate": 0.15}, {"qubits": [1, 2], "rate": 0.05}],
}

HOP, EXCHANGE = np.zeros((4, 4)), np.zeros((4, 4))
HOP[1, 2] = EXCHANGE[1, 2] = EXCHANGE[2, 1] = 1.0
HOPS = {
    "jump": [
        {"qubits": [0, 1], "matrix": HOP, "rate": 0.3},
        {"qubits": [0], "matrix": [[0.5, 0], [0, 1j]], "rate": 0.2},
        {"qubits": [1], "matrix": [[1, 0], [0, 0]], "rate": 0.1},
        {"qubits": [2], "matrix": [[0, 1], [0, 0]], "rate": 0.1},
    ],
    "coherent": [{"qubits": [0, 1], "matrix": np.diag([0, 0.3, 0, 1]), "angle": 0.8}],
    "dephasing": 0.05,
}
ACROSS = {
    "jump": [{"qubits": [1, 2], "matrix": EXCHANGE + 0.5 * HOP, "rate": 0.2}],
    "coherent": [{"qubits": [1, 2], "matrix": EXCHANGE, "angle": 0.3, "layers": [0, 2]}],
}


class Angles:
    """New parameters, one after the other."""

    def __init__(self):
        self.count = 0

    def __call__(self):
        self.count += 1
        return Parameter(f"a{self.count:03d}")


def block(circuit, kind, pair, angle):
    """A conserving block of some kind on a pair."""
    if kind == "rxx_ryy":
        shared = angle()
        circuit.rxx(shared, *pair)
        circuit.ryy(shared, *pair)
        return
    gates = {
        "xy": [XXPlusYYGate, None],
        "xy_zz": [XXPlusYYGate, RZZGate],
        "xy_cp": [XXPlusYYGate, CPhaseGate],
        "product": [XXPlusYYGate, RZZGate, XXPlusYYGate, CPhaseGate],
        "fixed": [iSwapGate, XXPlusYYGate, "cp"],
        "beta": ["beta", RZZGate],
    }[kind]
    for gate in gates:
        if gate is iSwapGate:
            circuit.append(iSwapGate(), pair)
        elif gate == "cp":
            circuit.append(CPhaseGate(0.7), pair)
        elif gate == "beta":
            circuit.append(XXPlusYYGate(angle(), angle()), pair)
        elif gate is not None:
            circuit.append(gate(angle()), pair)


def chain(n, depth, kind="xy_zz", ring=False):
    """Brickwork of one kind of block with RZ on every qubit in every layer."""
    circuit, angle = QuantumCircuit(n), Angles()
    for layer in range(depth):
        for i in range(layer % 2, n if ring else n - 1, 2):
            block(circuit, kind, (i, (i + 1) % n), angle)
        for q in range(n):
            circuit.rz(angle(), q)
        circuit.barrier()
    return circuit


def framed(n, depth):
    """The same with RZ on every qubit before the blocks of each layer too."""
    circuit, angle = QuantumCircuit(n), Angles()
    for layer in range(depth):
        for q in range(n):
            circuit.rz(angle(), q)
        for i in range(layer % 2, n - 1, 2):
            block(circuit, "xy_zz", (i, i + 1), angle)
        for q in range(n):
            circuit.rz(angle(), q)
        circuit.barrier()
    return circuit


CASES = {
    "hopping alone": (chain(3, 3, "xy"), "Z1", LOCAL, {}),
    "hopping and ZZ": (chain(3, 3), "Z1", NEIGHBOURS, {}),
    "hopping and phase": (chain(3, 3, "xy_cp"), "Z0Z1 + 0.5*Z2", DAMPING, {}),
    "one angle for XX and YY": (chain(3, 2, "rxx_ryy"), "Z1", LOCAL, {}),
    "free beta": (chain(3, 2, "beta"), "X0X1+Y0Y1", LOCAL, {}),
    "product of four": (chain(3, 2, "product"), "Z0", MIXING, {}),
    "fixed gates": (chain(3, 3, "fixed"), "Z0 + X1X2 + Y1Y2", NEIGHBOURS, {}),
    "hops and a diagonal Hamiltonian": (chain(3, 3), "Z1 + 0.5*X1X2 + 0.5*Y1Y2", HOPS, {}),
    "exchange after a rotation of each qubit": (framed(3, 3), "Z1 + X0X1 + Y0Y1", ACROSS, {}),
    "long jumps": (chain(3, 3), "X0X1+Y0Y1", FAR, {}),
    "current": (chain(3, 3), "X0Y1 - Y0X1 + X1X2 + Y1Y2", MIXING, {}),
    "projected": (chain(3, 3), "Z1", LOCAL, {"projected": True}),
    "projected under damping": (chain(3, 3), "Z1 + X0X1 + Y0Y1", DAMPING, {"projected": True}),
    "ring": (eq.circuits.ring(4, 3), "Z1", LOCAL, {}),
    "ladder": (eq.circuits.ladder(3, 2), "Z1 + Z0Z2", DAMPING, {}),
}


def stated(name):
    circuit, readout, noise, options = CASES[name]
    return eq.Problem(circuit, readout, options.get("initial", "neel"), noise=noise, **{**options})


def superposed(projected=False):
    """A product input that is no basis state, its qubits turned before anything else acts on them."""
    circuit, angle = QuantumCircuit(3), Angles()
    for q in range(3):
        circuit.rz(angle(), q)
    circuit.barrier()
    body = chain(3, 3)
    circuit.compose(body.assign_parameters([angle() for _ in body.parameters]), inplace=True)
    states = np.array([[0.6, 0.8], [0.8, 0.6j], [1.0, 0.0]])
    options = {"projected": True, "charge": 1} if projected else {}
    return eq.Problem(circuit, "Z1 + 0.4*Z2", states, noise=LOCAL, **options)


@pytest.fixture
def cut(monkeypatch):
    """Matrix-product states whatever the width."""
    monkeypatch.setattr(replica, "_is_dense", lambda _: False)


# -- against the slow twin ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in CASES if name not in ("ring", "one angle for XX and YY")])
def test_the_average_of_every_parameter_is_the_twins(name):
    problem = stated(name)
    for scale in (0.0, 0.7):
        # sums of a few thousand products of numbers below 10
        np.testing.assert_allclose(
            average(problem, [scale]).per_parameter[0], twin_variance(problem, scale), rtol=1e-10, atol=1e-12
        )


@pytest.mark.parametrize("name", ["hops and a diagonal Hamiltonian", "exchange after a rotation of each qubit"])
def test_first_and_second_order_of_noise_stated_by_matrices_are_differences_of_the_twin(name):
    problem, step = stated(name), 1e-3
    found = first_order_average(problem)
    low, mid, high = (twin_variance(problem, s).sum() for s in (0.0, step, 2 * step))
    slope, bend = (4 * mid - 3 * low - high) / (2 * step), (high - 2 * mid + low) / step**2
    assert found.kappa == pytest.approx(-slope / (2 * low), rel=1e-4)
    assert found.second_moment == pytest.approx(bend / (4 * low), rel=0.05)
    assert found.budget.sum() == pytest.approx(slope / 2, rel=1e-4)
    # term by term: each alone
    terms = compile_problem(problem).budget_terms
    first = first_order_average(problem.with_noise({"jump": [problem.noise.to_dict()["jump"][0]]}))
    alone = [i for i, term in enumerate(terms) if term.mechanism == "jump" and len(term.qubits) == 2]
    np.testing.assert_allclose(found.budget[alone], first.budget, atol=1e-12)


def test_a_hamiltonian_has_no_limit_without_sampling_either():
    turning = eq.Problem(framed(3, 3), "Z1 + X0X1 + Y0Y1", "neel", {"coherent": ACROSS["coherent"], "dephasing": 0.01})
    law = eq.law(turning, sampling=eq.Sampling(engine="replica"))
    assert law.fixed_point.kind == "no limit"
    assert math.isnan(law.fixed_point_share)
    assert math.isnan(law.rate_variance)
    assert any("no limit s -> infinity" in note for note in law.approximations)
    assert np.isnan(law.bounds(1.0)).all()


def test_exchange_right_after_a_block_on_its_qubits_closes_a_loop_and_is_refused():
    noise = {"coherent": [{"qubits": [0, 1], "matrix": EXCHANGE, "angle": 0.3}]}
    with pytest.raises(UnsupportedError, match=r"qubit \d has no Z rotation of its own between the noise after layer"):
        average(eq.Problem(eq.circuits.brickwork(4, 3), "Z1", "neel", noise), [1.0])
    broken = {"jump": [{"qubits": [1], "matrix": [[0, 1], [1, 0]], "rate": 0.3}]}
    with pytest.raises(UnsupportedError, match="the noise does not conserve the charge"):
        average(eq.Problem(eq.circuits.brickwork(4, 3), "Z1", "neel", broken), [1.0])


@pytest.mark.parametrize("name", ["hopping and ZZ", "hopping and phase"])
def test_infinite_noise_is_the_twins_at_a_scale_where_nothing_decays_any_more(name):
    # the slowest decay is 0.05 or faster: exp(-100)
    problem = stated(name)
    np.testing.assert_allclose(
        average(problem, [math.inf]).per_parameter[0], twin_variance(problem, 2000.0), rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize("projected", [False, True])
def test_product_inputs_turned_by_their_own_rotations_are_the_twins(projected):
    problem = superposed(projected)
    found = average(problem, [0.5])
    np.testing.assert_allclose(found.per_parameter[0], twin_variance(problem, 0.5), rtol=1e-10, atol=1e-12)


def test_one_angle_in_two_rotations_of_a_block_is_averaged_as_one():
    """RXX(a) RYY(a) is XX+YY of twice the angle: its derivative is twice as large, and nothing else changes."""
    together, alone = (eq.Problem(chain(3, 2, kind), "Z1", "neel", noise=LOCAL) for kind in ("rxx_ryy", "xy"))
    found, expected = (average(p, [0.5]).per_parameter[0] for p in (together, alone))
    hops = [0, 4]
    np.testing.assert_allclose(found[hops], 4 * expected[hops], rtol=1e-12)
    np.testing.assert_allclose(np.delete(found, hops), np.delete(expected, hops), rtol=1e-12, atol=1e-14)


# -- matrix-product states ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in CASES if name != "long jumps"])
def test_uncut_matrix_product_states_are_the_dense_vector(name, monkeypatch):
    problem = stated(name)
    scales = [0.0, 0.3, math.inf]
    whole, law = average(problem, scales), first_order_average(problem)
    monkeypatch.setattr(replica, "_is_dense", lambda _: False)
    chained, chained_law = average(problem, scales, bond=10_000), first_order_average(problem, bond=10_000)
    assert (whole.bond, chained.bond) == (0, 10_000)
    assert chained.met
    np.testing.assert_allclose(chained.per_parameter, whole.per_parameter, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(chained_law.series, law.series, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(chained_law.budget, law.budget, rtol=1e-10, atol=1e-12)


def test_superposed_inputs_make_matrix_product_states_of_the_same_vector(cut):
    for projected in (False, True):
        problem = superposed(projected)
        found = average(problem, [0.0, 0.5], bond=1000)
        np.testing.assert_allclose(found.per_parameter[1], twin_variance(problem, 0.5), rtol=1e-10, atol=1e-12)


def test_a_wider_chain_uncut_is_the_dense_vector(monkeypatch):
    problem = eq.Problem(eq.circuits.brickwork(8, 4), "X3X4+Y3Y4", "neel", noise=DAMPING)
    whole = average(problem, [0.0, 1.0])
    monkeypatch.setattr(replica, "_is_dense", lambda _: False)
    chained = average(problem, [0.0, 1.0], bond=2000)
    np.testing.assert_allclose(chained.per_parameter, whole.per_parameter, rtol=1e-10, atol=1e-12)


def test_folded_rings_and_staircases_uncut_are_the_dense_vector(monkeypatch):
    for circuit in (eq.circuits.ring(6, 3), eq.circuits.ladder(6, 2)):
        problem = eq.Problem(circuit, "Z2", "neel", noise=LOCAL)
        whole = average(problem, [0.5])
        monkeypatch.setattr(replica, "_is_dense", lambda _: False)
        chained = average(problem, [0.5], bond=2000)
        monkeypatch.undo()
        np.testing.assert_allclose(chained.per_parameter, whole.per_parameter, rtol=1e-10, atol=1e-12)


def test_cut_bonds_err_by_no_more_than_they_say(monkeypatch):
    problem = eq.Problem(eq.circuits.brickwork(10, 5), "Z5", "neel", noise=LOCAL)
    truth = average(problem, [0.0, 1.0], 1e-9)
    monkeypatch.setattr(replica, "_is_dense", lambda _: False)
    monkeypatch.setattr(replica, "_FIRST_BOND", 8)
    for wanted in (0.05, 0.01, 0.001):
        found = average(problem, [0.0, 1.0], wanted)
        assert found.met
        assert np.all(found.error <= wanted * found.variance)
        assert np.all(np.abs(found.variance - truth.variance) <= found.error)
        assert np.all(np.abs(found.extrapolated - truth.variance) <= found.error)
    assert found.bond > 8


def test_the_doubling_stops_at_the_greatest_bond_and_says_so():
    def attempt(bond):
        return Attempt(np.array([1 + 1 / bond]), bond, np.array([0.1]), False)

    found = doubled(attempt, 1e-6, np.zeros_like, 2, 16, 10**9)
    assert (found.bond, found.met, found.attempt.everything) == (16, False, 16)
    # half of what the last doubling changed is left; the discarded share, twice, is more
    assert found.error[0] == pytest.approx(0.2 * (1 + 1 / 16))


def test_a_cut_counts_the_share_of_the_squared_norm_that_it_takes():
    cut = Truncation(2)
    blocks = {0: np.diag([3.0, 1.0]), 2: np.array([[2.0]])}
    found = isometries(blocks, cut, {})
    kept = {label: q @ rest for label, (q, rest) in found.items()}
    np.testing.assert_allclose(kept[0], np.diag([3.0, 0.0]), atol=1e-14)
    np.testing.assert_allclose(kept[2], [[2.0]], atol=1e-14)
    assert cut.discarded == pytest.approx(1 / 14)
    assert cut.reached == 2


@pytest.mark.parametrize("before", [{}, {0: 40, 1: 10, 2: 30}, {2: 1}])
def test_a_cut_of_large_blocks_is_nearly_the_best_one_whatever_the_bond_was_before(before):
    """Of blocks above 64 only part of the singular values is looked for; all that are kept must be among them."""
    rng = np.random.default_rng(2)

    def falling(rows, columns, rate, size):
        q, r = (np.linalg.qr(rng.normal(size=(n, min(rows, columns))))[0] for n in (rows, columns))
        return size * (q * np.exp(-rate * np.arange(min(rows, columns)))) @ r.T

    blocks = {0: falling(300, 280, 0.03, 1.0), 1: falling(150, 400, 0.1, 0.3), 2: falling(240, 240, 0.05, 1.2)}
    cut = Truncation(120)
    found = isometries(blocks, cut, before)
    values = np.sort(np.concatenate([np.linalg.svd(m, compute_uv=False) for m in blocks.values()]))[::-1]
    total, least = np.sum(values**2), np.sum(values[120:] ** 2)
    lost = sum(np.linalg.norm(m - found[label][0] @ found[label][1]) ** 2 for label, m in blocks.items())
    assert cut.reached == sum(q.shape[1] for q, _ in found.values()) == 120
    for q, _ in found.values():
        np.testing.assert_allclose(q.T @ q, np.eye(q.shape[1]), atol=1e-13)
    # one power iteration with a quarter more columns than are kept
    assert least <= lost * (1 + 1e-9) <= 1.02 * least
    assert cut.discarded == pytest.approx(lost / total, rel=0.01)


def test_nothing_at_all_keeps_one_column_of_zeros():
    found = isometries({-2: np.zeros((3, 2)), 0: np.zeros((2, 2))}, Truncation(4), {0: 1})
    assert list(found) == [0]
    np.testing.assert_array_equal(found[0][1], np.zeros((1, 2)))


def test_a_share_counts_what_both_its_sweeps_discard(monkeypatch):
    made, seen = [], []

    class Watched(Truncation):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    def one_bond(attempt, relative_error, floor, first, last, room):
        made.clear()
        seen.append((attempt(8), *made))
        return doubled(attempt, relative_error, floor, first, last, room)

    monkeypatch.setattr(replica, "_is_dense", lambda _: False)
    monkeypatch.setattr(replica, "Truncation", Watched)
    monkeypatch.setattr(replica, "doubled", one_bond)
    first_order_average(eq.Problem(eq.circuits.brickwork(8, 4), "Z4", "neel", noise=LOCAL), 0.5)
    ((attempt, series, _, frozen),) = seen
    assert min(series.discarded, frozen.discarded) > 1e-3
    np.testing.assert_allclose(attempt.discarded[:3], series.discarded, rtol=1e-12)
    assert attempt.discarded[3] == pytest.approx(series.discarded + frozen.discarded, rel=1e-12)


# -- the law -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hopping and ZZ", "current", "projected under damping", "long jumps"])
def test_series_budget_and_limit_are_derivatives_of_the_average(name):
    problem = stated(name)
    found = first_order_average(problem)
    h = 1e-3
    v = average(problem, [0.0, h, 2 * h, 3 * h, 4 * h, math.inf]).per_parameter
    slope = (-25 * v[0] + 48 * v[1] - 36 * v[2] + 16 * v[3] - 3 * v[4]) / (12 * h)
    curvature = (35 * v[0] - 104 * v[1] + 114 * v[2] - 56 * v[3] + 11 * v[4]) / (12 * h * h)
    np.testing.assert_allclose(found.series[0], v[0], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found.series[1], slope, rtol=1e-7, atol=1e-9)  # errors of order h^4 and 1e-16/h
    np.testing.assert_allclose(2 * found.series[2], curvature, rtol=1e-4, atol=1e-6)  # h^3 and 1e-16/h^2
    np.testing.assert_allclose(found.frozen, v[5], rtol=1e-12, atol=1e-14)
    assert 2 * found.budget.sum() == pytest.approx(found.series[1].sum(), rel=1e-10)


@pytest.mark.parametrize("name", ["hopping and ZZ", "hopping and phase", "current", "product of four"])
def test_first_order_agrees_with_the_exact_engines_draws(name):
    problem = stated(name)
    found = first_order_average(problem)
    sampled = first_order(problem, sampling=eq.Sampling(samples=600, engine="exact"))
    assert abs(found.kappa - sampled.kappa) < 4 * sampled.kappa_error + 1e-12
    # a ratio of means of 600 draws
    assert found.second_moment == pytest.approx(sampled.second_moment, rel=0.1)
    slope, total = sampled.budget.mean(axis=0), sampled.budget.std(axis=0, ddof=1) / math.sqrt(600)
    assert np.all(np.abs(found.budget - slope) < 4.5 * total + 1e-12)


@pytest.mark.parametrize(
    ("samples", "names"),
    [
        (300, ["hopping and ZZ", "fixed gates", "projected"]),
        pytest.param(4000, list(CASES), marks=pytest.mark.slow),
    ],
)
def test_v_lies_within_four_standard_errors_of_sampling(samples, names):
    for name in names:
        problem = stated(name)
        found = average(problem, [0.0, 1.0, math.inf])
        sampled = eq.gradient_variance(
            problem, [0.0, 1.0, math.inf], sampling=eq.Sampling(samples=samples, seed=3, engine="exact")
        )
        distance = np.abs(found.variance - sampled.variance)
        assert np.all(distance <= 4 * sampled.standard_error + 1e-12), name


@pytest.mark.parametrize("noise", [LOCAL, NEIGHBOURS, FAR])
def test_the_certificate_contains_the_average_with_nothing_to_hide_behind(noise):
    problem = eq.Problem(eq.circuits.brickwork(5, 4), "Z2", "neel", noise=noise)
    law = first_order_average(problem)
    scales = np.array([0.1, 0.5, 1.0, 3.0, 10.0, 100.0])
    survival = np.sqrt(average(problem, scales).variance / law.variance)
    bound = certificate(compile_problem(problem), Ensemble())
    assert bound.proved
    low, high = survival_bounds(scales, law.kappa, law.fixed_point_share, bound.greatest_rate)
    assert np.all(low <= survival * (1 + 1e-12))
    assert np.all(survival <= high * (1 + 1e-12))


def test_collective_dephasing_costs_nothing_and_is_skipped(cut):
    problem = eq.Problem(eq.circuits.brickwork(10, 4), "Z5", "neel", noise="collective:0.3")
    found = average(problem, [0.0, 1.0, math.inf], 1e-3)
    np.testing.assert_allclose(found.variance, found.variance[0], rtol=1e-12)
    assert abs(first_order_average(problem, 1e-3).kappa) < 1e-12


def test_gradient_variance_takes_the_average_scale_by_scale_as_asked():
    problem = stated("hopping and ZZ")
    found = eq.gradient_variance(problem, [1.0, 0.0, 1.0, math.inf], sampling=eq.Sampling(engine="replica"))
    expected = average(problem, [1.0, 0.0, 1.0, math.inf])
    np.testing.assert_array_equal(found.variance, expected.variance)
    np.testing.assert_array_equal(found.per_parameter, expected.per_parameter)
    np.testing.assert_allclose(found.survival, np.sqrt(expected.variance / expected.variance[1]), rtol=1e-12)
    assert (found.samples, found.seed, found.engine) == (0, None, "replica")


def test_auto_finds_the_average_of_interacting_circuits_without_compiling_kernels_for_draws(monkeypatch):
    def compiled(*_):
        raise AssertionError("kernels were compiled for an engine that is not taken")

    monkeypatch.setattr(kernels, "build_blocks", compiled)
    problem = eq.Problem(eq.circuits.brickwork(14, 2), "Z7", "neel", noise=LOCAL)
    assert averages(problem, eq.Sampling(), draws=10**7, scales=2)


# -- refusals ----------------------------------------------------------------------------------------------------------


def without_rotations(layer):
    """Brickwork whose RZ are missing in one layer."""
    circuit, angle = QuantumCircuit(3), Angles()
    for number in range(3):
        for i in range(number % 2, 2, 2):
            block(circuit, "xy_zz", (i, i + 1), angle)
        if number != layer:
            for q in range(3):
                circuit.rz(angle(), q)
        circuit.barrier()
    return circuit


def entangled():
    vector = np.zeros(16)
    vector[[3, 12]] = math.sqrt(0.5)
    return vector


REFUSED = {
    "shared": (eq.circuits.brickwork(4, 3, shared=True), "neel", {}, "enters 2 blocks"),
    "entangled": (eq.circuits.brickwork(4, 3), entangled(), {}, "the input is entangled"),
    "in time": (
        eq.circuits.brickwork(4, 3),
        "neel",
        {"noise": {"dephasing": [{"rate": 0.1, "correlation": "static"}]}},
        "correlated in time",
    ),
    "flips": (eq.circuits.brickwork(4, 3), "neel", {"noise": {"pauli": [{"pauli": "X2", "rate": 0.1}]}}, "conserve"),
    "superposed": (
        eq.circuits.brickwork(4, 3),
        np.full((4, 2), math.sqrt(0.5)),
        {},
        "has no Z rotation of its own between the input",
    ),
    "not on a line": (eq.circuits.all_to_all(14, 6), "neel", {}, "no line or ring"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_transfer_form_is_refused_with_the_reason(name):
    circuit, initial, options, text = REFUSED[name]
    problem = eq.Problem(circuit, "Z2", initial, **options)
    with pytest.raises(UnsupportedError, match=text) as caught:
        average(problem)
    assert "engine 'replica' cannot serve this problem" in str(caught.value)


def test_a_loop_of_wires_without_rotations_is_refused_and_one_rotation_opens_it():
    """Two blocks in a row on one pair interfere unless either of the wires between them is turned."""
    for turned, closes in ((False, True), (True, False)):
        circuit, angle = QuantumCircuit(3), Angles()
        for pairs in ([(0, 1)], [(1, 2)], [(0, 1)], [(0, 1)]):
            for pair in pairs:
                block(circuit, "xy_zz", pair, angle)
            if pairs == [(0, 1)] and turned:
                circuit.rz(angle(), 0)
            circuit.barrier()
        problem = eq.Problem(circuit, "Z0", "neel", noise=LOCAL)
        if closes:
            with pytest.raises(UnsupportedError, match="no Z rotation of its own"):
                average(problem)
        else:
            found = average(problem, [0.6])
            np.testing.assert_allclose(found.per_parameter[0], twin_variance(problem, 0.6), rtol=1e-10, atol=1e-12)


def test_a_missing_layer_of_rotations_is_judged_by_what_it_does():
    """After the last block a Z readout needs no rotation; nor do wires that close no loop elsewhere."""
    problem = eq.Problem(without_rotations(2), "Z2", "neel", noise=LOCAL)
    np.testing.assert_allclose(average(problem, [0.6]).variance, twin_variance(problem, 0.6).sum(), rtol=1e-10)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"relative_error": 0.0}, "relative_error must be a number > 0"),
        ({"relative_error": math.nan}, "relative_error must be a number > 0"),
        ({"scales": []}, "at least one noise scale"),
        ({"scales": [-1.0]}, "noise scale"),
        ({"bond": 0}, "bond must be a whole number >= 1"),
    ],
)
def test_bad_options_are_refused_in_words(options, text):
    with pytest.raises(ParameterError, match=text):
        average(stated("hopping alone"), **options)
