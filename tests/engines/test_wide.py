"""One and two charges on cones of tens to hundreds of qubits, and sweeps that do not fit in memory at once.

The reference works on one w x w matrix: the density matrix of one excitation, or for free fermions the correlation
matrix C_ij = <c_j^dag c_i>, which evolves in the same way.
"""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

import equinoise as eq
from equinoise.engines.contract import memory_limit
from equinoise.engines.sector.exact import ExactEngine
from equinoise.engines.sector.working_memory import shared_bytes
from equinoise.engines.select import exact_engine
from equinoise.errors import MemoryLimitError
from equinoise.reduction.program import compile_problem

# some hundred gates, each rounding at 1e-16, on quantities of order the readout's weights (about 1 to 10)
TOLERANCE = 1e-10


class OneBody:
    """w x w matrices under hopping, phases and dephasing (and loss of one excitation), with forward derivatives."""

    def __init__(self, circuit, filled, dephasing, loss=None):
        """``dephasing``: [(rate, weights of shape (w,)), ...]; ``loss``: rates down of shape (w,)."""
        self.circuit = circuit
        self.width = circuit.num_qubits
        self.start = np.diag([1.0 + 0j if q in filled else 0j for q in range(self.width)])
        rates = np.zeros((self.width, self.width))
        for rate, weights in dephasing:
            # the excitation at i or j: v.z_i - v.z_j = -2 (v_i - v_j)
            rates += rate * (2 * (weights[:, None] - weights[None, :])) ** 2 / 2
        if loss is not None:
            rates += (loss[:, None] + loss[None, :]) / 2
        self.rates = rates

    @staticmethod
    def gate(rho, drho, name, wires, angles, slopes):
        """Applies a gate to a matrix and its derivative, in place: only rows and columns of its qubits change."""
        rows = list(wires)
        (t, *_), (dt, *_) = angles, slopes
        if name == "xx_plus_yy":
            beta, dbeta = angles[1], slopes[1]
            c, s, phase = math.cos(t / 2), math.sin(t / 2), np.exp(1j * beta)
            unitary = np.array([[c, -1j * s / phase], [-1j * s * phase, c]])
            by_theta = np.array([[-s, -1j * c / phase], [-1j * c * phase, -s]]) / 2
            by_beta = np.array([[0, -s / phase], [s * phase, 0]])
            tangent = dt * by_theta + dbeta * by_beta
        else:
            # an excitation on the gate's qubits gets exp(i t) relative to one elsewhere, for RZ as for RZZ
            unitary = np.exp(1j * t) * np.eye(len(rows))
            tangent = 1j * dt * unitary
        for matrix in (rho, drho):
            matrix[rows] = unitary @ matrix[rows]
            matrix[:, rows] = matrix[:, rows] @ unitary.conj().T
        # d(U r U^dag) = A (U r U^dag) + (U r U^dag) A^dag + U dr U^dag with A = dU U^dag
        step = tangent @ unitary.conj().T
        drho[rows] += step @ rho[rows]
        drho[:, rows] += rho[:, rows] @ step.conj().T

    def final(self, values, direction, scale):
        """The final matrix and its derivative along ``direction``, both by parameter."""
        rho, drho = self.start.copy(), np.zeros_like(self.start)
        decay = np.exp(-scale * self.rates)
        for item in self.circuit.data:
            wires = [self.circuit.find_bit(q).index for q in item.qubits]
            name = item.operation.name
            if name == "barrier":
                rho *= decay
                drho *= decay
                continue
            angles = [values[p] if p in values else float(p) for p in item.operation.params]
            slopes = [direction.get(p, 0.0) for p in item.operation.params]
            self.gate(rho, drho, name, wires, angles, slopes)
        return rho, drho


def weighted_readout(n, seed):
    """sum c_q Z_q + sum h_q (X X + Y Y)/2 on neighbours, with its w x w matrix; the constant is sum c_q."""
    rng = np.random.default_rng(seed)
    onsite, hop = rng.normal(size=n), rng.normal(size=n - 1)
    terms = [("Z", [q], c) for q, c in enumerate(onsite)]
    terms += [(p, [q, q + 1], h / 2) for q, h in enumerate(hop) for p in ("XX", "YY")]
    matrix = np.diag(-2 * onsite) + np.diag(hop, 1) + np.diag(hop, -1)
    return SparsePauliOp.from_sparse_list(terms, num_qubits=n), matrix, onsite.sum()


def bits(n, filled):
    return "".join("1" if q in filled else "0" for q in reversed(range(n)))


def check(problem, body, matrix, constant, scale, seed, directions=3):
    """Value and derivatives along random directions and single parameters against the w x w reference."""
    rng = np.random.default_rng(seed)
    parameters = problem.parameters
    theta = rng.uniform(-3, 3, len(parameters))
    values = dict(zip(parameters, theta, strict=True))
    found = eq.gradient(problem, theta, scale=scale)
    tried = [rng.normal(size=theta.size) / math.sqrt(theta.size) for _ in range(directions)]
    tried += list(np.eye(theta.size)[rng.choice(theta.size, 3, replace=False)])
    for direction in tried:
        along = dict(zip(parameters, direction, strict=True))
        rho, drho = body.final(values, along, scale)
        assert found.value == pytest.approx(constant + np.trace(matrix @ rho).real, abs=TOLERANCE)
        assert found.gradient @ direction == pytest.approx(np.trace(matrix @ drho).real, abs=TOLERANCE)
    assert np.linalg.norm(found.gradient) > 0.1
    return found


@pytest.mark.parametrize("scale", [0.0, 1.0])
@pytest.mark.parametrize("noise", ["strong", "weak"])
def test_one_excitation_on_two_hundred_qubits_is_a_matrix_of_two_hundred(noise, scale):
    """Interaction, phases and correlated dephasing (or loss) on a readout that sees all qubits."""
    n = 200
    circuit = eq.circuits.brickwork(n, depth=2, phase=True)
    rng = np.random.default_rng(1)
    weights = rng.normal(size=n)
    data = {"dephasing": [{"rate": 0.03, "weights": dict(enumerate(weights))}, {"rate": 0.05}]}
    jumps = [(0.03, weights), *((0.05, np.eye(n)[q]) for q in range(n))]
    loss = None
    if noise == "weak":
        loss = rng.uniform(0.05, 0.3, n)
        data["relaxation"] = [{"qubit": q, "down": d} for q, d in enumerate(loss)]
    readout, matrix, constant = weighted_readout(n, 2)
    problem = eq.Problem(circuit, readout=readout, initial=bits(n, {100}), noise=data)
    found = check(problem, OneBody(circuit, {100}, jumps, loss), matrix, constant, scale, seed=3, directions=1)
    assert found.reduction["qubits"] == tuple(range(n))
    assert found.reduction["charges"] == ((1,) if noise == "strong" else (0, 1))
    assert found.reduction["numbers"] == n**2 + (noise == "weak")


def test_deep_ring_with_one_excitation_sees_every_qubit():
    """Z0 after 16 layers of a ring of 32: the cone closes on itself."""
    n, depth = 32, 16
    circuit = eq.circuits.brickwork(n, depth, periodic=True)
    problem = eq.Problem(circuit, readout="Z0", initial=bits(n, {2}), noise="dephasing:0.01")
    jumps = [(0.01, np.eye(n)[q]) for q in range(n)]
    matrix = np.diag([-2.0] + [0.0] * (n - 1))
    found = check(problem, OneBody(circuit, {2}, jumps), matrix, 1.0, 1.0, seed=4)
    assert len(found.reduction["qubits"]) == n


@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_two_charges_on_forty_qubits_are_free_fermions_without_interaction(scale):
    """780 states: <Z> and neighbour hopping are quadratic, and the correlation matrix closes under dephasing."""
    n = 40
    circuit = eq.circuits.brickwork(n, depth=4, interaction="none", phase=True)
    weights = np.random.default_rng(5).normal(size=n)
    data = {"dephasing": [{"rate": 0.03, "weights": dict(enumerate(weights))}, {"rate": 0.05}]}
    jumps = [(0.03, weights), *((0.05, np.eye(n)[q]) for q in range(n))]
    readout, matrix, constant = weighted_readout(n, 6)
    problem = eq.Problem(circuit, readout=readout, initial=bits(n, {18, 21}), noise=data)
    found = check(problem, OneBody(circuit, {18, 21}, jumps), matrix, constant, scale, seed=7)
    assert found.reduction["numbers"] == math.comb(n, 2) ** 2
    assert found.reduction["charges"] == (2,)


def test_interaction_leaves_free_fermions_with_two_charges_but_not_with_one():
    """So the two tests above would not pass by ignoring RZZ."""
    n = 8
    circuit = eq.circuits.brickwork(n, depth=6)
    readout, matrix, constant = weighted_readout(n, 6)
    theta = np.random.default_rng(8).uniform(-3, 3, circuit.num_parameters)
    values = dict(zip(circuit.parameters, theta, strict=True))
    for filled, same in (({3}, True), ({3, 4}, False)):
        problem = eq.Problem(circuit, readout=readout, initial=bits(n, filled))
        rho, _ = OneBody(circuit, filled, []).final(values, {}, 0.0)
        difference = eq.expectation(problem, theta).value - constant - np.trace(matrix @ rho).real
        assert bool(abs(difference) < TOLERANCE) is same


def test_law_of_one_excitation_on_eighty_qubits_is_the_derivative_of_its_variance():
    n = 80
    readout, _, _ = weighted_readout(n, 2)
    circuit = eq.circuits.brickwork(n, depth=2)
    problem = eq.Problem(circuit, readout=readout, initial=bits(n, {40}), noise="dephasing:0.05")
    theta = np.random.default_rng(9).uniform(-3, 3, (1, circuit.num_parameters))
    law = eq.law(problem, sampling=eq.Sampling(ensemble=theta))
    # 5-point difference of ln V at s = 0 on one side: error about step^4 times a fifth derivative of order kappa
    step = 0.05
    variance = eq.gradient_variance(
        problem, scales=[0, step, 2 * step, 3 * step, 4 * step], sampling=eq.Sampling(ensemble=theta)
    ).variance
    slope = np.array([-25, 48, -36, 16, -3]) @ np.log(variance) / (12 * step)
    assert law.kappa == pytest.approx(-slope / 2, rel=1e-4)
    assert sum(entry.kappa for entry in law.budget) == pytest.approx(law.kappa, rel=1e-10)


# -- memory --------------------------------------------------------------------------------------------------------


def small(depth=7, noise="dephasing:0.05"):
    return eq.Problem(eq.circuits.brickwork(8, depth), readout="Z4", initial="neel", noise=noise)


THETA = np.random.default_rng(10).uniform(-3, 3, len(small().parameters))


@pytest.mark.parametrize("noise", ["dephasing:0.05", "relaxation:down=0.05,up=0.02", "depolarizing:0.03"])
@pytest.mark.parametrize("states", [2, 3, 4, 6])
def test_sweep_that_keeps_fewer_states_than_layers_gives_the_same_gradient(noise, states, monkeypatch):
    plain = small(noise=noise)
    expected = {s: eq.gradient(plain, THETA, scale=s) for s in (0.0, 1.0, math.inf)}
    engine = exact_engine(plain)
    assert engine.kept == engine.space.depth == 7
    state = 16 * compile_problem(plain).numbers
    monkeypatch.setenv("EQUINOISE_MEMORY_GB", f"{(shared_bytes(engine.program) + (states + 0.5) * state) / 1e9:.12f}")
    tight = small(noise=noise)
    cramped = exact_engine(tight)
    assert cramped.kept == states - 1 < cramped.space.depth
    assert cramped.memory_bytes <= memory_limit()
    for scale, found in expected.items():
        again = eq.gradient(tight, THETA, scale=scale)
        # the same operations in the same order, but for scratch arrays
        assert again.value == pytest.approx(found.value, abs=1e-14)
        np.testing.assert_allclose(again.gradient, found.gradient, atol=1e-14)
        assert eq.expectation(tight, THETA, scale=scale).value == pytest.approx(found.value, abs=1e-14)


@pytest.mark.parametrize("states", [2, 4])
def test_sweep_takes_no_more_memory_than_it_is_allowed(states, monkeypatch):
    n = 40
    circuit = eq.circuits.brickwork(n, depth=7, interaction="none")
    readout, _, _ = weighted_readout(n, 1)
    problem = eq.Problem(circuit, readout=readout, initial=bits(n, {3, 20}), noise="dephasing:0.1")
    state = 16 * compile_problem(problem).numbers  # 10 MB
    monkeypatch.setenv("EQUINOISE_MEMORY_GB", f"{(states + 1) * state / 1e9:.12f}")
    engine = exact_engine(problem)
    assert engine.kept < engine.space.depth
    theta = np.random.default_rng(11).uniform(-3, 3, circuit.num_parameters)
    tracemalloc.start()
    engine.draw(theta, 1.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # tables and gates come on top, a tenth of a state here
    assert peak < (states + 1.1) * state
    assert peak > 1.9 * state


def test_law_in_little_memory_is_the_same_or_refused_with_numbers(monkeypatch):
    """The power series and the budget hold more than one gradient; they must fit, repeat, or refuse."""
    plain = small()
    expected = eq.law(plain, sampling=eq.Sampling(ensemble=THETA[None, :]))
    state = 16 * compile_problem(plain).numbers
    answered, refused = [], []
    for states in (3, 6, 9, 12, 20, 40):
        monkeypatch.setenv(
            "EQUINOISE_MEMORY_GB", f"{(shared_bytes(compile_problem(plain)) + states * state) / 1e9:.12f}"
        )
        try:
            found = eq.law(small(), sampling=eq.Sampling(ensemble=THETA[None, :]))
        except MemoryLimitError as error:
            refused.append((states, str(error)))
            continue
        answered.append(states)
        assert found.kappa == pytest.approx(expected.kappa, rel=1e-12)
        assert found.second_moment == pytest.approx(expected.second_moment, rel=1e-12)
        assert [e.kappa for e in found.budget] == pytest.approx([e.kappa for e in expected.budget], abs=1e-13)
    # more memory never refuses what less could do
    assert max(states for states, _ in refused) < min(answered)
    assert all("GB are free" in text for _, text in refused)


def test_state_too_large_for_the_memory_allowed_is_refused_with_numbers_and_remedies(monkeypatch):
    monkeypatch.setenv("EQUINOISE_MEMORY_GB", "0.001")
    circuit = eq.circuits.brickwork(40, depth=3, interaction="none")
    readout, _, _ = weighted_readout(40, 1)
    problem = eq.Problem(circuit, readout=readout, initial=bits(40, {3, 20}), noise="dephasing:0.1")
    with pytest.raises(MemoryLimitError) as error:
        eq.gradient(problem, np.zeros(circuit.num_parameters), engine="exact")
    text = str(error.value)
    # 780^2 complex numbers of 16 bytes
    assert "the light cone of 40 qubits holds 6.08e+05 complex numbers (0.00973 GB a state)" in text
    assert "one gradient needs" in text
    assert "Use fewer layers, a more local readout, an input of lower charge" in text
    assert "EQUINOISE_MEMORY_GB sets the limit" in text


def test_memory_limit_that_is_no_number_is_refused(monkeypatch):
    monkeypatch.setenv("EQUINOISE_MEMORY_GB", "lots")
    with pytest.raises(MemoryLimitError, match="EQUINOISE_MEMORY_GB must be a number of gigabytes, got 'lots'"):
        eq.gradient(small(), THETA)


def test_memory_limit_is_the_stated_one_or_a_share_of_what_is_free(monkeypatch):
    monkeypatch.setenv("EQUINOISE_MEMORY_GB", "1.5")
    assert memory_limit() == 1_500_000_000
    monkeypatch.delenv("EQUINOISE_MEMORY_GB")
    assert memory_limit() > 10_000_000


# -- workers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", ["dephasing:0.05", "relaxation:0.05"])
def test_one_and_two_workers_give_the_same_numbers(noise):
    results = [
        eq.gradient_variance(
            small(noise=noise), scales=[0, 1, math.inf], sampling=eq.Sampling(samples=7, seed=3, workers=workers)
        )
        for workers in (1, 2)
    ]
    np.testing.assert_array_equal(results[0].variance, results[1].variance)
    np.testing.assert_array_equal(results[0].per_parameter, results[1].per_parameter)
    np.testing.assert_array_equal(results[0].survival_error, results[1].survival_error)
    laws = [eq.law(small(noise=noise), sampling=eq.Sampling(samples=5, seed=3, workers=workers)) for workers in (1, 2)]
    assert laws[0].kappa == laws[1].kappa
    assert laws[0].budget == laws[1].budget


def test_workers_are_as_many_as_fit_in_memory(monkeypatch):
    program = compile_problem(small())
    assert ExactEngine(program, workers=64).workers == 64
    monkeypatch.setenv("EQUINOISE_MEMORY_GB", f"{ExactEngine(program).memory_bytes * 4 / 1e9:.12f}")
    assert 1 <= ExactEngine(program, workers=64).workers < 4


def test_engine_by_unknown_name_is_refused():
    circuit = QuantumCircuit(2)
    circuit.rzz(0.3, 0, 1)
    with pytest.raises(eq.EquinoiseError, match="no engine 'fast'; choose auto or one of: commutant, exact"):
        eq.expectation(eq.Problem(circuit, readout="Z0"), [], engine="fast")
