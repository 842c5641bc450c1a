"""The permutation engine against the full space, closed forms on 50 and 100 qubits, and QuTiP's PIQS."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import Pauli, Statevector
from scipy.linalg import expm
from tests.support import random_theta
from tests.symmetric_problems import entangled, mean_z, permutation_layers, product_state

import equinoise as eq
import slow_twin as reference
from equinoise.engines.select import choose
from equinoise.engines.spin.orbits import SymmetricSlot
from equinoise.engines.spin.permutation import PermutationEngine
from equinoise.engines.spin.spin_noise import SpinChannel, SpinGenerators
from equinoise.errors import UnsupportedError
from equinoise.reduction.symmetric_program import compiled
from equinoise.symmetry.spin_blocks import spin_blocks

PIQS_FILE = Path(__file__).parent.parent / "data" / "piqs_states.json"
SCALES = (0.0, 0.3, 1.0, math.inf)
# rounding of a few hundred operations on numbers of order 1; observed below 2e-13
TOLERANCE = 1e-11
N = 4


def pairs(n):
    return itertools.combinations(range(n), 2)


def each(kind, n=N, **rates):
    return (
        [{"qubit": q, **rates} for q in range(n)]
        if kind == "relaxation"
        else [{"weights": {q: 1.0}, **rates} for q in range(n)]
    )


def paulis(*letters, rate, n=N):
    """One-letter jumps on every qubit, two-letter ones on every pair in both orders."""
    out = {}
    for word in letters:
        places = itertools.permutations(range(n), len(word))
        out |= {tuple(sorted(zip(place, word, strict=True))): rate for place in places}
    return [{"pauli": "".join(f"{p}{q}" for q, p in string), "rate": rate} for string in out]


def resets(rate, n=N):
    return [{"qubits": list(pair), "rate": rate} for pair in pairs(n)]


NOISES = {
    "none": {},
    "local dephasing": {"dephasing": each("dephasing", rate=0.1)},
    "collective dephasing": {"dephasing": [{"rate": 0.05, "weights": dict.fromkeys(range(N), 1.0)}]},
    "anticorrelated dephasing": {
        "dephasing": [{"rate": 0.05, "weights": {a: 1.0, b: -1.0}} for a, b in pairs(N)],
    },
    "uniformly correlated dephasing": {
        "dephasing": [{"rate": 0.05, "weights": {q: 1.0 + (q == special) for q in range(N)}} for special in range(N)],
    },
    "damping": {"relaxation": each("relaxation", down=0.2)},
    "heating": {"relaxation": each("relaxation", up=0.15)},
    "thermal": {"relaxation": each("relaxation", down=0.2, up=0.12)},
    "depolarizing": {"depolarizing": [{"qubits": [q], "rate": 0.1} for q in range(N)]},
    "X jumps": {"pauli": paulis("X", rate=0.08)},
    "Y jumps": {"pauli": paulis("Y", rate=0.08)},
    "X and Y jumps": {"pauli": paulis("X", "Y", rate=0.08)},
    "X, Y and Z jumps of their own": {
        "pauli": paulis("X", rate=0.08) + paulis("Y", rate=0.03) + paulis("Z", rate=0.05)
    },
    "ZZ jumps": {"pauli": paulis("ZZ", rate=0.04)},
    "XX jumps": {"pauli": paulis("XX", rate=0.04)},
    "YY jumps with Y": {"pauli": paulis("YY", rate=0.04) + paulis("Y", rate=0.03)},
    "XY jumps": {"pauli": paulis("XY", rate=0.04)},
    "XZ and YZ jumps": {"pauli": paulis("XZ", rate=0.04) + paulis("YZ", rate=0.02)},
    "depolarizing of pairs": {"depolarizing": resets(0.05)},
    "all at once": {
        "dephasing": [*each("dephasing", rate=0.04), {"rate": 0.02, "weights": dict.fromkeys(range(N), 1.0)}],
        "relaxation": each("relaxation", down=0.06, up=0.02),
        "depolarizing": [{"qubits": [q], "rate": 0.03} for q in range(N)] + resets(0.01),
        "pauli": paulis("X", rate=0.02) + paulis("ZZ", rate=0.01) + paulis("YY", rate=0.02) + paulis("XY", rate=0.01),
    },
}


def dicke_and_more(n):
    """An entangled state that is the same on all qubits."""
    weight = np.bitwise_count(np.arange(2**n))
    amplitudes = np.array([1.0, 0.5j, -0.3, 0.8, 0.1j, 0.2])[weight]
    return Statevector(amplitudes / np.linalg.norm(amplitudes))


def random_layers(n, depth, seed=0):
    """Collective gates of every kind in random order: one angle for all qubits or all pairs, one of them fixed.

    The first two gates of a layer share a parameter.
    """
    rng = np.random.default_rng(seed)
    theta = ParameterVector("t", 2 * depth)
    circuit = QuantumCircuit(n)
    for layer in range(depth):
        angles = (theta[2 * layer], theta[2 * layer] * 1.5 + 0.2, theta[2 * layer + 1], 0.3)
        gates = rng.permutation(["rx", "ry", "rz", "rzz", "rxx", "ryy", "h", "cz", "p"])
        for gate, angle in zip(
            [g for g in gates if len(g) == 3 or g[0] == "r"][:3] + list(gates[:3]), angles * 2, strict=False
        ):
            for qubits in pairs(n) if gate in ("rxx", "ryy", "rzz", "cz") else [(q,) for q in range(n)]:
                getattr(circuit, gate)(*(() if gate in ("h", "cz") else (angle,)), *qubits)
        circuit.barrier(label="layer")
    return circuit


READOUTS = {
    "mean Z": mean_z(N),
    "total Y and pairs": "+".join([*(f"0.4*Y{q}" for q in range(N)), *(f"0.3*X{a}X{b}" for a, b in pairs(N))]),
    "parity": "".join(f"Z{q}" for q in range(N)),
    "pairs of different letters": "+".join(f"0.2*X{a}Z{b}" for a, b in itertools.permutations(range(N), 2)),
}


def engine_of(problem):
    program = compiled(problem)
    assert PermutationEngine.obstacle(program) is None
    return PermutationEngine(program, 1)


def problem_of(circuit, **options):
    return eq.Problem(circuit, symmetry="permutation", **options)


def assert_full_space(problem, seed=0, scales=SCALES):
    """Value, <O^2>, gradient, power series and budget of the blocks and of 4^n numbers."""
    engine, theta = engine_of(problem), random_theta(problem, seed)
    observable = problem.readout.to_matrix()
    for scale in scales:
        draw = engine.draw(theta, scale)
        rho = reference.evolve(problem, theta, scale)
        assert draw.value == pytest.approx(np.trace(observable @ rho).real, rel=0, abs=TOLERANCE)
        assert draw.square == pytest.approx(np.trace(observable @ observable @ rho).real, rel=0, abs=TOLERANCE)
        assert engine.value(theta, scale) == pytest.approx((draw.value, draw.square), rel=0, abs=TOLERANCE)
        expected = reference.gradient(problem, theta, scale)
        np.testing.assert_allclose(draw.gradient, expected, rtol=0, atol=TOLERANCE)
    g, first, second = reference.second_order(problem, theta)
    np.testing.assert_allclose(engine.series(theta), [g, first, second / 2], rtol=TOLERANCE, atol=10 * TOLERANCE)
    budget = engine.budget(theta, g)
    assert budget.shape == (len(engine.program.budget_terms),)
    assert budget.sum() == pytest.approx(float(g @ first), rel=0, abs=10 * TOLERANCE)


# -- the full space ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", NOISES)
def test_every_noise_alike_on_all_qubits_equals_the_full_space(noise):
    circuit = permutation_layers(N, 2)
    assert_full_space(problem_of(circuit, readout=READOUTS["mean Z"], initial=product_state(N), noise=NOISES[noise]))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("readout", READOUTS)
def test_random_collective_circuits_equal_the_full_space(readout, seed):
    noise = NOISES[list(NOISES)[3 * seed + 1]]
    circuit = random_layers(N, 3, seed)
    assert_full_space(
        problem_of(circuit, readout=READOUTS[readout], initial="0011", noise=noise), seed, scales=(0.0, 0.7, math.inf)
    )


@pytest.mark.parametrize("initial", ["neel", "0000", "product", "entangled"])
def test_any_input_serves_a_symmetric_readout(initial):
    states = {"product": product_state(N), "entangled": entangled(N)}
    given = states.get(initial, initial)
    assert_full_space(
        problem_of(
            random_layers(N, 2, 7), readout=READOUTS["total Y and pairs"], initial=given, noise=NOISES["thermal"]
        )
    )


@pytest.mark.parametrize("readout", ["Z1", "X0Y2", "Z0-0.5*X3Z1+0.2*Y1Y2"])
@pytest.mark.parametrize("initial", ["same product", "entangled"])
def test_any_readout_serves_a_symmetric_input(readout, initial):
    states = {"same product": np.tile(product_state(1), (N, 1)), "entangled": dicke_and_more(N)}
    problem = problem_of(random_layers(N, 2, 3), readout=readout, initial=states[initial], noise=NOISES["all at once"])
    assert_full_space(problem, scales=(0.0, 0.5))


@pytest.mark.parametrize("n", [2, 3, 5])
def test_every_number_of_qubits_equals_the_full_space(n):
    noise = {"dephasing": each("dephasing", n, rate=0.05), "relaxation": each("relaxation", n, down=0.1, up=0.02)}
    assert_full_space(problem_of(permutation_layers(n, 2), readout=mean_z(n), initial=product_state(n), noise=noise))


def test_steps_whose_eigenvectors_no_phase_makes_real_equal_the_full_space():
    """exp(-i a P P) on all pairs with P = (X + Y)/sqrt(2), between RX on all: elements two rows apart are complex."""
    letter = (Pauli("X").to_matrix() + Pauli("Y").to_matrix()) / math.sqrt(2)
    pair = UnitaryGate(expm(-0.4j * np.kron(letter, letter)))
    circuit, theta = QuantumCircuit(3), ParameterVector("t", 2)
    for t in theta:
        for q in range(3):
            circuit.rx(t, q)
        for a, b in pairs(3):
            circuit.append(pair, [a, b])
        circuit.barrier(label="layer")
    noise = {"relaxation": each("relaxation", 3, down=0.1)}
    assert_full_space(problem_of(circuit, readout=mean_z(3), initial="000", noise=noise))


def test_noise_that_differs_from_layer_to_layer_stays_in_its_slot():
    noise = {"relaxation": [{"qubit": q, "down": 0.2, "layers": [1]} for q in range(3)]}
    problem = problem_of(permutation_layers(3, 3), readout=mean_z(3), initial="000", noise=noise)
    assert_full_space(problem)
    assert {term.layer for term in engine_of(problem).program.budget_terms} == {1}


def test_each_budget_term_has_its_share_of_the_orbit():
    """The derivative by the rate of one kind alone, from the full space; places have equal parts of it."""
    kinds = {
        "dephasing": {"dephasing": [*each("dephasing", 3, rate=0.1)]},
        "relaxation": {"relaxation": each("relaxation", 3, down=0.1, up=0.03)},
        "depolarizing": {"depolarizing": resets(0.2, 3)},
        "pauli": {"pauli": paulis("X", rate=0.1, n=3)},
    }
    together = {key: value for noise in kinds.values() for key, value in noise.items()}
    circuit = permutation_layers(3, 2)
    whole = engine_of(problem_of(circuit, readout=mean_z(3), initial="001", noise=together))
    theta = random_theta(whole.program.problem, 2)
    direction = np.random.default_rng(0).normal(size=theta.size)
    budget = whole.budget(theta, direction)
    for mechanism, noise in kinds.items():
        alone = problem_of(circuit, readout=mean_z(3), initial="001", noise=noise)
        parts = [b for b, term in zip(budget, whole.program.budget_terms, strict=True) if term.mechanism == mechanism]
        expected = float(direction @ reference.second_order(alone, theta).first)
        assert sum(parts) == pytest.approx(expected, rel=0, abs=TOLERANCE)
        for layer in (0, 1):
            same = parts[3 * layer : 3 * layer + 3]
            np.testing.assert_allclose(same, same[0], rtol=0, atol=TOLERANCE)


# -- closed forms on many qubits -----------------------------------------------------------------------------------


def many(n, noise, circuit=None, initial=None, readout=None):
    if circuit is None:
        circuit, (t,) = QuantumCircuit(n), ParameterVector("t", 1)
        for q in range(n):
            circuit.rz(t, q)
    initial = np.tile([[math.sqrt(0.5), math.sqrt(0.5)]], (n, 1)) if initial is None else initial
    readout = readout or "+".join(f"X{q}" for q in range(n))
    return engine_of(problem_of(circuit, readout=readout, initial=initial, noise=noise))


@pytest.mark.parametrize("n", [50, 100])
def test_phases_of_plus_states_fade_one_by_one_on_many_qubits(n):
    """|+>^n under RZ(t), dephasing g, damping d: sum X = n exp(-2 g s - d s/2) cos t and its slope."""
    noise = {"dephasing": each("dephasing", n, rate=0.1), "relaxation": each("relaxation", n, down=0.3)}
    engine, t = many(n, noise), np.array([0.4])
    for scale in (0.0, 0.3, 5.0, 80.0, math.inf):
        left = n * (0.0 if math.isinf(scale) else math.exp(-(0.2 + 0.15) * scale))
        draw = engine.draw(t, scale)
        # of n; the blocks of small spin, 1e13 ways each at n = 100, must not magnify rounding
        assert draw.value == pytest.approx(left * math.cos(0.4), rel=0, abs=1e-12 * n)
        assert draw.gradient == pytest.approx([-left * math.sin(0.4)], rel=0, abs=1e-12 * n)


def test_the_spread_of_total_x_on_a_hundred_qubits_is_that_of_independent_qubits():
    """<(sum X)^2> = n + n (n-1) x^2 with x = <X> of one qubit."""
    n = 100
    engine = many(n, {"depolarizing": [{"qubits": [q], "rate": 0.2} for q in range(n)]})
    for scale in (0.0, 1.0, math.inf):
        x = math.cos(0.4) * (0.0 if math.isinf(scale) else math.exp(-0.2 * scale))
        assert engine.value(np.array([0.4]), scale)[1] == pytest.approx(n + n * (n - 1) * x * x, rel=1e-12)


@pytest.mark.parametrize("down", [0.3, 0.0])
def test_fifty_qubits_relax_alone_and_end_in_their_fixed_point(down):
    """Excited to sin^2(t/2) each, <Z_i> goes to (down - up)/(down + up) at rate down + up."""
    n, up = 50, 0.1
    circuit, (t,) = QuantumCircuit(n), ParameterVector("t", 1)
    for q in range(n):
        circuit.rx(t, q)
    noise = {"relaxation": each("relaxation", n, down=down, up=up)}
    engine = many(n, noise, circuit, "0" * n, "+".join(f"Z{q}" for q in range(n)))
    final = (down - up) / (down + up)
    for scale in (0.0, 0.5, 3.0, math.inf):
        left = 0.0 if math.isinf(scale) else math.exp(-(down + up) * scale)
        draw = engine.draw(np.array([0.9]), scale)
        assert draw.value == pytest.approx(n * (final + left * (math.cos(0.9) - final)), rel=0, abs=1e-12 * n)
        assert draw.gradient == pytest.approx([-n * left * math.sin(0.9)], rel=0, abs=1e-12 * n)


def test_one_axis_twisting_of_fifty_qubits_under_dephasing_is_known():
    """exp(-i (t/2) sum ZZ) on |+>^n, then dephasing: sum X = n cos^{n-1}(t) exp(-2 g s)."""
    n = 50
    circuit, (t,) = QuantumCircuit(n), ParameterVector("t", 1)
    for a, b in pairs(n):
        circuit.rzz(t, a, b)
    circuit.barrier(label="layer")
    engine = many(n, {"dephasing": each("dephasing", n, rate=0.1)}, circuit)
    angle = 0.13
    for scale in (0.0, 1.0, 4.0):
        left = n * math.exp(-0.2 * scale)
        draw = engine.draw(np.array([angle]), scale)
        assert draw.value == pytest.approx(left * math.cos(angle) ** (n - 1), rel=0, abs=1e-11)
        slope = -left * (n - 1) * math.cos(angle) ** (n - 2) * math.sin(angle)
        assert draw.gradient == pytest.approx([slope], rel=0, abs=1e-10)


def test_the_gradient_of_fifty_qubits_is_the_derivative_of_the_value():
    n = 50
    noise = {
        "dephasing": each("dephasing", n, rate=0.002),
        "relaxation": each("relaxation", n, down=0.003),
        "pauli": paulis("X", rate=0.001, n=n),
    }
    problem = problem_of(permutation_layers(n, 3), readout=mean_z(n), initial="0" * n, noise=noise)
    engine, theta = engine_of(problem), 0.2 * random_theta(problem, 1)
    direction = np.random.default_rng(0).normal(size=theta.size)
    step = 1e-3  # central differences of sixth order; angles of pairs have frequencies up to n
    weights = {1: 3 / 4, 2: -3 / 20, 3: 1 / 60}
    value = {m: engine.value(theta + m * step * direction, 1.0)[0] for m in (-3, -2, -1, 1, 2, 3)}
    slope = sum(w * (value[m] - value[-m]) for m, w in weights.items()) / step
    gradient = engine.draw(theta, 1.0).gradient
    assert gradient @ direction == pytest.approx(slope, rel=0, abs=1e-8 * np.abs(gradient).max())
    series = engine.series(theta)
    assert engine.budget(theta, series[0]).sum() == pytest.approx(series[0] @ series[1], rel=1e-11)


@pytest.mark.parametrize("kinds", [("Z",), ("down", "up"), ("Z", "down"), ("X", "YY"), ("reset",), ("XY",)])
def test_channels_keep_the_trace_and_compose(kinds):
    """exp(s E) exp(t E) = exp((s + t) E) and Tr = 1 on 20 qubits, from a state of all blocks."""
    n = 20
    generators, blocks = SpinGenerators(n), spin_blocks(n)
    rates = tuple((kind, 0.01 if kind in ("reset", "XY", "YY") else 0.1 + 0.02 * i) for i, kind in enumerate(kinds))
    slot = SymmetricSlot((), rates, ())
    state = blocks.product_state(product_state(n))[None]
    one, two, both = (SpinChannel(generators, slot, s) for s in (0.3, 0.9, 1.2))
    once, twice = both.apply(state), two.apply(one.apply(state))
    np.testing.assert_allclose(twice, once, rtol=0, atol=1e-13)
    for made in (once, SpinChannel(generators, slot, math.inf).apply(state)):
        # a hundred roundings; squaring exp(E/2^k) k times would magnify one by 2^k
        assert sum(np.trace(b[0]) for b in blocks.split(made)) == pytest.approx(
            1.0, rel=0, abs=1e-13 if kinds == ("XY",) else 2e-14
        )
        for block in blocks.split(made):
            assert np.linalg.eigvalsh(block[0]).min() > -1e-14
    limit = SpinChannel(generators, slot, math.inf).apply(state)
    np.testing.assert_allclose(both.apply(limit), limit, rtol=0, atol=1e-13)


# -- another program -----------------------------------------------------------------------------------------------

PIQS_NOISE = {
    "dephasing": {"dephasing": each("dephasing", 7, rate=0.125)},
    "relaxation": {"relaxation": each("relaxation", 7, down=0.1875, up=0.0625)},
    "collective": {"dephasing": [{"rate": 0.03125, "weights": dict.fromkeys(range(7), 1.0)}]},
    "all": {
        "dephasing": [
            *each("dephasing", 7, rate=0.03125),
            {"rate": 0.015625, "weights": dict.fromkeys(range(7), 1.0)},
        ],
        "relaxation": each("relaxation", 7, down=0.0625, up=0.015625),
    },
}


@pytest.mark.parametrize("number", range(4))
def test_channels_equal_those_of_piqs(number):
    """States of three layers of RX, RY, RZZ with noise from qutip.piqs (Shammah et al., arXiv:1805.05129).

    PIQS takes D[sigma_z / 2], so that its rates of dephasing are four times ours; it calls M = +J excited, so that its
    pumping is our relaxation down. Its coefficients of local noise are of single precision.
    """
    record = json.loads(PIQS_FILE.read_text())
    case = record["cases"][number]
    problem = problem_of(permutation_layers(7, 3), readout=mean_z(7), initial="0" * 7, noise=PIQS_NOISE[case["name"]])
    engine = engine_of(problem)
    tolerance = 1e-13 if case["name"] == "collective" else 3e-8
    theta = np.array(case["theta"])
    state = engine.state(theta, 1.0)
    for block, expected in zip(engine.space.blocks.split(state), case["blocks"], strict=True):
        np.testing.assert_allclose(block.ravel(), np.array(expected) @ [1, 1j], rtol=0, atol=tolerance)
    assert engine.value(theta, 1.0)[0] == pytest.approx(2 * case["jz"] / 7, rel=0, abs=tolerance)


# -- what the engine says of itself --------------------------------------------------------------------------------


def test_auto_takes_it_and_its_cost_grows_with_the_cube_of_the_blocks():
    problem = problem_of(permutation_layers(30, 2), readout=mean_z(30), initial="0" * 30, noise="dephasing:0.01")
    assert choose(problem) == ("permutation", "fits in memory and in time")
    small, large = (
        PermutationEngine.cost(compiled(problem_of(permutation_layers(n, 2), readout=mean_z(n), initial="0" * n)))
        for n in (10, 20)
    )
    assert large.bytes / small.bytes == pytest.approx(math.comb(23, 3) / math.comb(13, 3))
    assert large.seconds > 8 * small.seconds


def refusal(circuit, **options):
    options = {"readout": mean_z(4), "initial": "0000", **options}
    symmetry = options.pop("symmetry", "permutation")
    program = compiled(eq.Problem(circuit, symmetry=symmetry, **options))
    reason = PermutationEngine.obstacle(program)
    with pytest.raises(UnsupportedError) as caught:
        PermutationEngine(program)
    assert str(caught.value) == f"the engine 'permutation' cannot serve this problem: {reason}."
    return reason


@pytest.mark.parametrize(
    ("noise", "text"),
    [
        ({"pauli": paulis("XXZ", rate=0.1)}, "Pauli jumps XXZ on more than two qubits"),
        ({"pauli": paulis("ZZZ", rate=0.1)}, "products of Z on more than two qubits"),
    ],
)
def test_noise_without_closed_form_is_named(noise, text):
    reason = refusal(permutation_layers(4, 1), noise=noise)
    assert text in reason
    assert "(slot 0); engine 'commutant' serves small registers" in reason


def test_a_circuit_that_only_turns_the_ring_is_refused():
    circuit, theta = QuantumCircuit(4), ParameterVector("t", 2)
    for q in range(4):
        circuit.rzz(theta[0], q, (q + 1) % 4)
    for q in range(4):
        circuit.rx(theta[1], q)
    circuit.barrier(label="layer")
    reason = refusal(circuit, symmetry="translation")
    assert "a step of layer 0 differs from qubit to qubit or pair to pair" in reason


def test_ends_that_are_symmetric_under_less_than_all_permutations_are_refused():
    ring = "+".join(f"Z{q}Z{(q + 1) % 4}" for q in range(4))
    for initial in ("0101", Statevector.from_label("0101")):
        reason = refusal(permutation_layers(4, 1), symmetry="translation", readout=ring, initial=initial)
        assert "neither readout nor input is the same on all qubits" in reason


@pytest.mark.parametrize(
    ("noise", "text"),
    [
        ("local", "relaxation noise acts on 3 of 4 places"),
        ("unequal", "relaxation noise has rates from 0.1 to 0.2"),
        ("correlated", "dephasing noise differs from qubit to qubit or pair to pair"),
    ],
)
def test_noise_that_tells_qubits_apart_is_named(noise, text):
    """What is left of the symmetry, here swaps of the qubits alike, is for another engine."""
    given = {
        "local": {"relaxation": each("relaxation", 3, down=0.1)},
        "unequal": {"relaxation": [{"qubit": q, "down": 0.1 + 0.1 * (q == 0)} for q in range(4)]},
        "correlated": {"dephasing": [{"rate": 0.1, "weights": {0: 1.0, 1: 1.0}}]},
    }
    assert text in refusal(permutation_layers(4, 1), noise=given[noise])
