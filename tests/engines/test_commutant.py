"""The commutant engine against the slow twin of the full space, for every kind of symmetry, weak and strong noise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import Statevector, random_statevector

import slow_twin as reference
from equinoise.engines.commutant import commutant_noise
from equinoise.engines.commutant.commutant import CommutantEngine
from equinoise.engines.commutant.invariant_groups import invariant_groups
from equinoise.errors import SymmetryError, UnsupportedError
from equinoise.problem import Problem
from equinoise.reduction.slots.slot_terms import slot_terms
from equinoise.reduction.symmetric_program import SymmetricProgram
from equinoise.symmetry import groups as symmetries
from equinoise.symmetry.groups import PauliString, Symmetry
from equinoise.symmetry.isotypic import isotypic
from slot_parts import slot_program as slot

# sums of some hundred terms of order 1
ROUNDING = 1e-11
SCALES = (0.0, 0.3, 1.0, math.inf)


def engine_of(problem: Problem) -> CommutantEngine:
    return CommutantEngine(SymmetricProgram(problem))


def check_against_twin(problem: Problem, seed: int = 0, scales: Sequence[float] = SCALES) -> CommutantEngine:
    """Values, <O^2>, gradients, power series and budget; the gradient must not vanish, or nothing is tested."""
    engine = engine_of(problem)
    assert not engine.program.reduced
    theta = np.random.default_rng(seed).uniform(-3, 3, len(problem.parameters))
    squared = problem.readout.compose(problem.readout).simplify()
    for scale in scales:
        draw = engine.draw(theta, scale)
        rho = reference.evolve(problem, theta, scale)
        assert draw.value == pytest.approx(np.trace(problem.readout.to_matrix() @ rho).real, abs=ROUNDING)
        assert draw.square == pytest.approx(np.trace(squared.to_matrix() @ rho).real, abs=ROUNDING)
        np.testing.assert_allclose(draw.gradient, reference.gradient(problem, theta, scale), atol=ROUNDING)
        assert engine.value(theta, scale) == pytest.approx((draw.value, draw.square), abs=ROUNDING)
    series, wanted = engine.series(theta), reference.second_order(problem, theta)
    np.testing.assert_allclose(series[0], wanted.gradient, atol=ROUNDING)
    np.testing.assert_allclose(series[1], wanted.first, atol=ROUNDING)
    np.testing.assert_allclose(2 * series[2], wanted.second, atol=10 * ROUNDING)
    assert np.abs(series[0]).max() > 1e-3
    budget = engine.budget(theta, series[0])
    assert budget.shape == (len(engine.program.budget_terms),)
    assert budget.sum() == pytest.approx(np.sum(series[0] * series[1]), abs=ROUNDING)
    return engine


def layers(width: int, depth: int, gates: Any) -> QuantumCircuit:
    """``depth`` layers, each what ``gates(circuit, layer, fresh)`` appends; ``fresh()`` is a new parameter."""
    angles = iter(ParameterVector("t", 200))
    circuit = QuantumCircuit(width)
    for layer in range(depth):
        gates(circuit, layer, lambda: next(angles))
        circuit.barrier(label="layer")
    return circuit


def parity_gates(circuit: QuantumCircuit, layer: int, fresh: Any) -> None:
    for q in range(circuit.num_qubits):
        circuit.rz(fresh(), q)
    for q in range(layer % 2, circuit.num_qubits - 1, 2):
        circuit.rxx(fresh(), q, q + 1)
        circuit.rzz(0.5 * fresh() + 0.3, q, q + 1)
        circuit.ryy(fresh(), q, q + 1)


def exchange_gates(circuit: QuantumCircuit, layer: int, fresh: Any) -> None:
    for q in (*range(0, circuit.num_qubits - 1, 2), *range(1, circuit.num_qubits - 1, 2)):
        angle = fresh()
        for gate in (circuit.rxx, circuit.ryy, circuit.rzz):
            gate(angle, q, q + 1)


def ring_gates(circuit: QuantumCircuit, layer: int, fresh: Any) -> None:
    w = circuit.num_qubits
    bond, x, z = fresh(), fresh(), fresh()
    for q in range(w):
        circuit.rzz(bond, q, (q + 1) % w)
    for q in range(w):
        circuit.rx(x, q)
    for q in range(w):
        circuit.rz(z - 0.2 * x, q)


def symmetric_gates(circuit: QuantumCircuit, layer: int, fresh: Any) -> None:
    w = circuit.num_qubits
    bond, x, y = fresh(), fresh(), fresh()
    for a in range(w):
        for b in range(a + 1, w):
            circuit.rzz(bond, a, b)
    for q in range(w):
        circuit.rx(x, q)
    for q in range(w):
        circuit.ry(y, q)


def xy_ring_gates(circuit: QuantumCircuit, layer: int, fresh: Any) -> None:
    w = circuit.num_qubits
    even, odd, z = fresh(), fresh(), fresh()
    for start, angle in ((0, even), (1, odd)):
        for q in range(start, w, 2):
            for gate in (circuit.rxx, circuit.ryy):
                gate(angle, q, (q + 1) % w)
    for q in range(w):
        circuit.rz(z, q)


def uniform_noise(w: int, *, ring: bool = True) -> dict[str, Any]:
    """Every mechanism, the same on all qubits (and all bonds of the ring)."""
    bonds = [sorted((q, (q + 1) % w)) for q in range(w)] if ring else []
    return {
        "dephasing": [{"rate": 0.03, "weights": {q: 1.0}} for q in range(w)]
        + [{"rate": 0.01, "weights": dict.fromkeys(range(w), 1.0)}],
        "relaxation": [{"qubit": q, "down": 0.05, "up": 0.01} for q in range(w)],
        "depolarizing": [{"qubits": [q], "rate": 0.04} for q in range(w)]
        + [{"qubits": b, "rate": 0.02} for b in bonds],
        "pauli": [{"pauli": f"X{q}", "rate": 0.02} for q in range(w)]
        + [{"pauli": f"Z{a}Z{b}", "rate": 0.03} for a, b in bonds],
    }


LOCAL = {
    "dephasing": [{"rate": 0.05, "weights": {0: 1.0, 1: -0.5}}, {"rate": 0.1, "weights": {2: 1.0}}],
    "relaxation": [{"qubit": 1, "down": 0.1, "up": 0.02}, {"qubit": 2, "down": 0.1}],
    "depolarizing": [{"qubits": [0, 1], "rate": 0.05}, {"qubits": [2], "rate": 0.03}],
    "pauli": [{"pauli": "X0Y1", "rate": 0.1}, {"pauli": "X3", "rate": 0.1}, {"pauli": "Z0Z2", "rate": 0.05}],
}
STRONG = {"dephasing": [{"rate": 0.05, "weights": {0: 1.0, 1: -0.5, 2: 0.3}}, {"rate": 0.1, "weights": {2: 1.0}}]}
FIELD = "Z0+Z1+Z2+Z3"


def singlets(w: int) -> Statevector:
    vector = np.ones(1)
    for _ in range(w // 2):
        vector = np.kron(np.array([0, 1, -1, 0]) / math.sqrt(2), vector)
    return Statevector(vector)


# -- abelian symmetries --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [None, STRONG, LOCAL], ids=["none", "strong", "weak"])
def test_parity_of_a_basis_state(noise: Any) -> None:
    engine = check_against_twin(
        Problem(layers(4, 3, parity_gates), readout="Z1+0.4*X1X2", initial="0101", noise=noise, symmetry="parity")
    )
    # one parity alone where nothing leads to the other
    assert engine.space.commutant.numbers == (128 if noise is LOCAL else 64)


def test_parity_with_a_readout_that_is_not_invariant_and_one_with_an_input_that_is_not() -> None:
    circuit = layers(4, 2, parity_gates)
    check_against_twin(Problem(circuit, readout="Z1+0.7*X2", initial="0110", noise=LOCAL, symmetry="parity"))
    state = random_statevector(16, seed=1)
    check_against_twin(Problem(circuit, readout="Z1+X2Y3", initial=state, noise=LOCAL, symmetry="parity"))


def test_parity_of_x_in_which_relaxation_up_and_down_must_be_equal() -> None:
    def gates(circuit: QuantumCircuit, layer: int, fresh: Any) -> None:
        for q in range(4):
            circuit.rx(fresh(), q)
        for q in range(3):
            circuit.rzz(fresh(), q, q + 1)

    noise = {**LOCAL, "relaxation": [{"qubit": 1, "down": 0.1, "up": 0.1}]}
    state = random_statevector(16, seed=2)
    check_against_twin(Problem(layers(4, 2, gates), readout="Z0Z1+X2", initial=state, noise=noise, symmetry="parity:X"))
    unequal = Problem(layers(4, 2, gates), readout="Z0Z1+X2", initial=state, noise=LOCAL, symmetry="parity:X")
    assert SymmetricProgram(unequal).symmetry.trivial


def test_charges_of_two_registers() -> None:
    def gates(circuit: QuantumCircuit, layer: int, fresh: Any) -> None:
        for pair in ((0, 1), (2, 3)):
            angle = fresh()
            circuit.rxx(angle, *pair)
            circuit.ryy(angle, *pair)
        circuit.rzz(fresh(), 1, 2)
        circuit.rz(fresh(), 0)

    noise = {**LOCAL, "pauli": [{"pauli": "Z0Z2", "rate": 0.05}], "depolarizing": [{"qubits": [2], "rate": 0.03}]}
    both = symmetries.charges(4, [[0, 1], [2, 3]])
    check_against_twin(Problem(layers(4, 3, gates), readout="Z1Z2+Z0", initial="0101", noise=noise, symmetry=both))
    engine = check_against_twin(
        Problem(layers(4, 3, gates), readout="Z1Z2+Z0", initial="0101", noise=STRONG, symmetry=both)
    )
    assert engine.space.commutant.numbers == 2**2 * 2**2


def test_group_of_anticommuting_pauli_strings() -> None:
    strings = Symmetry("strings", 4, (PauliString(((0, "X"), (1, "X"))), PauliString(((0, "Z"),))))

    def gates(circuit: QuantumCircuit, layer: int, fresh: Any) -> None:
        circuit.rx(fresh(), 1)
        circuit.rzz(fresh(), 0, 1)
        circuit.rz(fresh(), 2)
        circuit.rxx(fresh(), 1, 2)
        circuit.rzz(fresh(), 2, 3)
        circuit.rx(fresh(), 2)

    noise: dict[str, Any] = {"pauli": [{"pauli": "X0Y1", "rate": 0.1}, {"pauli": "Z2", "rate": 0.1}]}
    noise["depolarizing"] = [{"qubits": [1], "rate": 0.1}, {"qubits": [2, 3], "rate": 0.05}]
    state = random_statevector(16, seed=3)
    engine = check_against_twin(
        Problem(layers(4, 3, gates), readout="X1+Z2+X3", initial=state, noise=noise, symmetry=strings)
    )
    assert max(i.dimension for i in engine.space.found.irreps) == 2


# -- rings and permutations ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["translation", "reflection", "translation*reflection"])
def test_ring_with_every_mechanism_uniform(name: str) -> None:
    circuit, noise = layers(4, 2, ring_gates), uniform_noise(4)
    state = random_statevector(16, seed=4)
    check_against_twin(Problem(circuit, readout=FIELD, initial=state, noise=noise, symmetry=name))
    check_against_twin(Problem(circuit, readout="X1+0.2*Z0Y1", initial="0000", noise=noise, symmetry=name))


def test_charge_times_translation_by_two() -> None:
    shift = Symmetry("shift by two", 4, (symmetries.Permutation((2, 3, 0, 1)),))
    noise = uniform_noise(4)
    noise["pauli"] = noise["pauli"][4:]
    problem = Problem(
        layers(4, 3, xy_ring_gates), readout="Z0+Z2", initial="0101", noise=noise, symmetry=symmetries.charge(4) * shift
    )
    check_against_twin(problem)


def test_all_permutations() -> None:
    circuit, noise = layers(4, 2, symmetric_gates), uniform_noise(4, ring=False)
    engine = check_against_twin(Problem(circuit, readout=FIELD, initial="0000", noise=noise, symmetry="permutation"))
    assert engine.space.commutant.numbers == math.comb(7, 3)
    state = random_statevector(16, seed=5)
    check_against_twin(Problem(circuit, readout=FIELD, initial=state, noise=noise, symmetry="permutation"))


# -- SU(2) ---------------------------------------------------------------------------------------------------------

DEPOLARIZING = {
    "depolarizing": [{"qubits": [q], "rate": 0.05 * (q + 1)} for q in range(4)] + [{"qubits": [0, 1], "rate": 0.1}]
}


def test_total_spin_under_local_depolarizing() -> None:
    circuit = layers(4, 2, exchange_gates)
    state = random_statevector(16, seed=6)
    engine = check_against_twin(
        Problem(circuit, readout="X0X1+Y0Y1+Z0Z1", initial=state, noise=DEPOLARIZING, symmetry="su2")
    )
    assert engine.space.commutant.numbers == 14
    # a readout that is no scalar is averaged over the rotations where the input is a singlet
    check_against_twin(
        Problem(circuit, readout="Z1+0.3*X0X2+Y1Z2", initial=singlets(4), noise=DEPOLARIZING, symmetry="su2")
    )


def test_total_spin_under_equal_x_y_z_jumps_that_only_together_keep_it() -> None:
    noise = {
        "dephasing": [{"rate": 0.1, "weights": {1: 1.0}}],
        "pauli": [{"pauli": "X1", "rate": 0.1}, {"pauli": "Y1", "rate": 0.1}],
    }
    state = random_statevector(16, seed=7)
    circuit = layers(4, 2, exchange_gates)
    check_against_twin(Problem(circuit, readout="X0X1+Y0Y1+Z0Z1", initial=state, noise=noise, symmetry="su2"))


def test_noiseless_spins_stay_in_the_irreps_of_the_input() -> None:
    problem = Problem(layers(4, 2, exchange_gates), readout="X0X1+Y0Y1+Z0Z1", initial=singlets(4), symmetry="su2")
    engine = check_against_twin(problem)
    assert engine.space.commutant.numbers == 4  # J = 0 alone, two singlets


# -- the budget ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["translation", "permutation", "su2", "parity"])
def test_budget_of_each_term_is_the_slope_that_it_alone_would_make(name: str) -> None:
    """Also where a term alone breaks the symmetry, so that only its mean over the group counts."""
    gates = {"translation": ring_gates, "permutation": symmetric_gates, "su2": exchange_gates, "parity": parity_gates}
    noise: dict[str, list[dict[str, Any]]] = {
        "translation": uniform_noise(4),
        "permutation": uniform_noise(4, ring=False),
        "su2": DEPOLARIZING,
        "parity": {kind: entries for kind, entries in LOCAL.items() if kind != "pauli"},
    }[name]
    readout = {"su2": "X0X1+Y0Y1+Z0Z1", "parity": "Z1"}.get(name, FIELD)
    # readout and input both invariant: with one alone a term's budget is its mean over the group
    state = {"su2": singlets(4), "parity": "0101"}.get(name, "0000")
    circuit = layers(4, 2, gates[name])
    problem = Problem(circuit, readout=readout, initial=state, noise=noise, symmetry=name)
    engine = engine_of(problem)
    theta = np.random.default_rng(2).uniform(-3, 3, len(problem.parameters))
    direction = engine.series(theta)[0]
    budget = dict(zip(engine.program.budget_terms, engine.budget(theta, direction), strict=True))
    assert len(budget) == len(engine.program.budget_terms)
    terms = [(kind, term) for kind, entries in noise.items() if kind != "pauli" for term in entries]
    for layer, (kind, term) in itertools.product(range(2), terms):
        alone = Problem(
            circuit, readout=readout, initial=state, noise={kind: [{**term, "layers": [layer]}]}, allow_broken=True
        )
        slope = float(direction @ reference.second_order(alone, theta).first)
        qubits = set(term["weights"]) if kind == "dephasing" else set(term.get("qubits", [term.get("qubit")]))
        # the light cone restricts terms, and leaves out what the readout does not see
        found = [t for t in budget if (t.layer, t.mechanism) == (layer, kind) and set(t.qubits) <= qubits]
        value = budget[max(found, key=lambda t: len(t.qubits))] if found else 0.0
        assert value == pytest.approx(slope, abs=ROUNDING)


# -- the noise's exponential ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["translation", "su2"])
@pytest.mark.parametrize("route", ["operators", "matrix"])
def test_every_way_to_exponentiate_the_noise_agrees_with_the_twin(
    name: str, route: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interpolation, Taylor steps and the limit by products, of a sparse matrix or of couplings, without components."""
    monkeypatch.setattr(commutant_noise, "MAX_COMPONENT", 0)
    monkeypatch.setattr(commutant_noise, "MAX_SPARSE_NODES", 0)
    monkeypatch.setattr(commutant_noise, "MAX_ELEMENTS", -1 if route == "operators" else math.inf)
    monkeypatch.setattr(commutant_noise, "CALL", 10**9)
    state = random_statevector(16, seed=8)
    if name == "su2":
        circuit, readout, noise = layers(4, 2, exchange_gates), "X0X1+Y0Y1+Z0Z1", DEPOLARIZING
    else:
        circuit, readout, noise = layers(4, 1, ring_gates), FIELD, uniform_noise(4)
    problem = Problem(circuit, readout=readout, initial=state, noise=noise, symmetry=name)
    check_against_twin(problem)
    monkeypatch.setattr(commutant_noise, "MAX_NODES", 0)
    check_against_twin(problem, scales=(0.3, 2.0))


@pytest.mark.parametrize("noise", [LOCAL, STRONG], ids=["weak", "strong"])
def test_dense_exponentials_of_small_components_agree_with_the_twin(
    noise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commutant_noise, "MAX_SPARSE_NODES", 0)
    circuit = layers(4, 2, parity_gates)
    check_against_twin(Problem(circuit, readout="Z1+0.4*X1X2", initial="0101", noise=noise, symmetry="parity"))


def test_limit_of_a_generator_whose_rates_are_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commutant_noise, "MAX_COMPONENT", 0)
    monkeypatch.setattr(commutant_noise, "MAX_SPARSE_NODES", 0)
    problem = Problem(
        layers(4, 1, ring_gates), readout=FIELD, initial="0000", noise=uniform_noise(4), symmetry="translation"
    )
    engine = engine_of(problem)
    for groups in engine.space.slot_noise.groups.values():
        for _, generator in groups:
            generator.rates = None
    theta = np.random.default_rng(0).uniform(-3, 3, len(problem.parameters))
    np.testing.assert_allclose(
        engine.draw(theta, math.inf).gradient, reference.gradient(problem, theta, math.inf), atol=1e-9
    )


def test_collective_dephasing_does_nothing_in_a_charge_sector_even_in_the_limit() -> None:
    """A generator that is rounding alone must not be taken for one that decays."""
    shift = Symmetry("shift by two", 4, (symmetries.Permutation((2, 3, 0, 1)),))
    problem = Problem(
        layers(4, 3, xy_ring_gates),
        readout="Z0+Z2",
        initial="0101",
        noise={"dephasing": [{"rate": 0.3, "weights": dict.fromkeys(range(4), 1.0)}]},
        symmetry=symmetries.charge(4) * shift,
    )
    engine = check_against_twin(problem)
    theta = np.random.default_rng(1).uniform(-3, 3, len(problem.parameters))
    frozen, free = engine.draw(theta, math.inf), engine.draw(theta, 0.0)
    np.testing.assert_allclose(frozen.gradient, free.gradient, atol=ROUNDING)


def test_noise_is_joined_to_the_smallest_groups_that_keep_the_symmetry() -> None:
    rates = tuple((q, (0.1 if q < 2 else 0.2, 0.0)) for q in range(4))
    terms = slot_terms(slot(relaxation=rates, depolarizing=(((0,), 0.1),)))
    swaps = symmetries.permutation(4, [[0, 1], [2, 3]])
    groups = invariant_groups(isotypic(symmetries.charge(4)), terms)
    assert [len(g.jumps) for g in groups] == [1, 1, 1, 1, 3]
    groups = invariant_groups(isotypic(swaps), terms[:4])
    assert [sorted(next(iter(k))[0][0] for _, k in g.jumps) for g in groups] == [[0, 1], [2, 3]]


def test_noise_that_leads_out_of_the_commutant_is_refused_with_the_term() -> None:
    found = isotypic(symmetries.translation(3))
    terms = slot_terms(
        slot(relaxation=((0, (0.1, 0.0)), (1, (0.1, 0.0)), (2, (0.1, 0.0))), paulis=((((1, "X"),), 0.2),))
    )
    with pytest.raises(SymmetryError, match=r"the noise breaks the symmetry 'translation': Pauli jump X1 leads out"):
        invariant_groups(found, terms)


def test_scales_too_large_for_the_taylor_series_are_refused() -> None:
    problem = Problem(
        layers(4, 1, ring_gates), readout=FIELD, initial="0000", noise=uniform_noise(4), symmetry="translation"
    )
    engine = engine_of(problem)
    _, generator = next(iter(engine.space.slot_noise.groups.values()))[-1]
    with pytest.raises(UnsupportedError, match=r"noise at scale 1e\+06 is too strong .* infinity for the limit"):
        commutant_noise._TaylorMap(generator, 1e6)
