"""The gain of decoupling, resolved; and explicit X pulses by dense NumPy and Qiskit without toggling frames."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import XXPlusYYGate
from qiskit.quantum_info import Operator, SparsePauliOp

import equinoise as eq
from equinoise.engines.vectors.path_average import path_average
from equinoise.errors import MemoryLimitError, ParameterError, UnsupportedError
from equinoise.mitigation.decoupling.decoupling import Decoupled, compare, decouple
from equinoise.mitigation.decoupling.shared_paths import compare_paths, shared_modes
from equinoise.mitigation.decoupling.toggling import continuous_part
from equinoise.reduction.program import compile_problem

TIMES = {"xx_plus_yy": 4e-7}
SLOT = 4e-7


def layers(depth: int) -> list[list[tuple[int, int]]]:
    """Qubit 0 waits for depth - 2 layers between two gates with its neighbour; qubit 2 waits while they act."""
    return [[(0, 1) if layer in (0, depth - 1) else (1, 2)] for layer in range(depth)]


def problem(noise: object, rows: list[list[tuple[int, int]]], n: int = 3) -> eq.Problem:
    circuit, k = QuantumCircuit(n), 0
    for row in rows:
        for pair in row:
            circuit.append(XXPlusYYGate(Parameter(f"t{k}")), pair)
            for q in pair:
                circuit.rz(Parameter(f"z{k}_{q}"), q)
            k += 1
        circuit.barrier()
    return eq.Problem(circuit, readout="Z0", initial="0101"[-n:], noise=noise)


def waiting(noise: object) -> eq.Problem:
    """Two qubits wait fully for four layers, another pair works meanwhile."""
    return problem(noise, [[(0, 1), (2, 3)], [(1, 2)], *[[(2, 3)]] * 4, [(0, 1)]], 4)


def correlated(rate: float, tau: object) -> dict[str, object]:
    return {"dephasing": [{"rate": rate, "correlation": tau}]}


# -- the foreign program: dense matrices, explicit pulses, b(t) in small steps --------------------------------------


def foreign(found: Decoupled, theta: np.ndarray, field: Callable[[float, float], np.ndarray]) -> np.ndarray:
    """<Z0> of each path, shape (M,): field(start, stop) is the integral of b over a time in slots, shape (M, n)."""
    n = found.plain.num_qubits
    x = {q: SparsePauliOp.from_sparse_list([("X", [q], 1.0)], num_qubits=n).to_matrix() for q in range(n)}
    z = np.array([[1 - 2 * (i >> q & 1) for i in range(2**n)] for q in range(n)])
    pulses = sorted((p.time / SLOT, p.qubit) for p in found.pulses if p.gate == "X")
    assert len(pulses) == sum(1 for i in found.circuit.data if i.operation.label == "decoupling")
    bound = found.plain.circuit.assign_parameters(theta)
    state, layer, part = np.zeros(2**n, dtype=complex), 0, QuantumCircuit(n)
    state[int("0101"[-n:], 2)] = 1
    paths = np.tile(state, (len(field(0, 0)), 1))
    for item in bound.data:
        if item.operation.name != "barrier":
            part.append(item.operation, [bound.find_bit(q).index for q in item.qubits])
            continue
        paths = paths @ Operator(part).data.T
        part, time = QuantumCircuit(n), float(layer)
        for when, qubit in [*[p for p in pulses if layer <= p[0] < layer + 1], (layer + 1.0, None)]:
            paths = paths * np.exp(-1j * (field(time, when) @ z))
            time = when
            if qubit is not None:
                paths = paths @ x[qubit].T
        layer += 1
    return np.asarray((np.abs(paths) ** 2) @ z[0])


def slope(
    found: Decoupled, theta: np.ndarray, k: int, field: Callable[[float, float], np.ndarray], step: float = 1e-3
) -> np.ndarray:
    """Central difference of each path, error step^2/6."""
    shift = step * np.eye(len(theta))[k]
    return (foreign(found, theta + shift, field) - foreign(found, theta - shift, field)) / (2 * step)


def drawn(p: eq.Problem, seed: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-np.pi, np.pi, len(p.parameters))


@pytest.mark.parametrize("collective", [False, True])
def test_static_detunings_with_explicit_pulses_agree(collective: bool) -> None:
    """Foreign Gauss-Hermite over three detunings (or one): average over paths to rounding, trajectories at 4 sigma."""
    rate = 0.02
    term = {"rate": rate, "correlation": "static", "weights": "all" if collective else "each"}
    found = decouple(problem({"dephasing": [term]}, layers(5)), "X2", durations=TIMES)
    theta = drawn(found.plain)
    x, w = np.polynomial.hermite_e.hermegauss(16)
    w = w / w.sum()
    nodes = np.tile(x[:, None], 3) if collective else np.array(list(itertools.product(x, repeat=3)))
    weights = w if collective else np.array([math.prod(v) for v in itertools.product(w, repeat=3)])

    def field(start: float, stop: float) -> np.ndarray:
        return math.sqrt(rate) * (stop - start) * nodes

    ours = eq.gradient(found.decoupled, theta, trajectories=1024, engine="trajectories")
    program = compile_problem(found.plain.with_noise(None))
    phases = np.tensordot(nodes[:, :1] if collective else nodes, shared_modes(found)[1], axes=1)
    exact = path_average(program, theta, phases[:, :, list(program.cone.qubits)], weights)
    value = weights @ foreign(found, theta, field)
    assert exact.value == pytest.approx(value, abs=1e-10)
    for k in (0, 1, 4):
        derivative = weights @ slope(found, theta, k, field)
        assert exact.gradient[k] == pytest.approx(derivative, abs=1e-6)  # step^2/6
        assert abs(ours.gradient[k] - derivative) < 4 * ours.standard_error[k] + 1e-6


def test_ou_paths_with_explicit_pulses_agree() -> None:
    """b(t) stepped through 32 times a slot, at 4 sigma of both programs."""
    rate, tau, depth, per_slot, paths = 0.02, 3.0, 5, 32, 3000
    found = decouple(problem(correlated(rate, tau), layers(depth)), "X2", durations=TIMES)
    theta, rng = drawn(found.plain), np.random.default_rng(8)
    amplitude, white = continuous_part(tau)
    decay = math.exp(-1 / per_slot / tau)
    b = np.empty((depth * per_slot + 1, paths, 3))
    b[0] = rng.standard_normal((paths, 3))
    for i in range(1, len(b)):
        b[i] = decay * b[i - 1] + math.sqrt(1 - decay**2) * rng.standard_normal((paths, 3))
    each = math.sqrt(amplitude) * (b[1:] + b[:-1]) / 2 / per_slot
    each += math.sqrt(white / per_slot) * rng.standard_normal(each.shape)
    whole = math.sqrt(rate) * np.concatenate([np.zeros((1, paths, 3)), np.cumsum(each, axis=0)])

    def field(start: float, stop: float) -> np.ndarray:
        a, z = start * per_slot, stop * per_slot
        assert abs(a - round(a)) < 1e-9
        assert abs(z - round(z)) < 1e-9  # pulses fall on steps
        return np.asarray(whole[round(z)] - whole[round(a)])

    ours = eq.gradient(found.decoupled, theta, trajectories=2048, engine="trajectories")
    for k in (0, 1, 4):
        seen = slope(found, theta, k, field)
        error = math.hypot(ours.standard_error[k], seen.std() / math.sqrt(paths))
        assert abs(seen.mean() - ours.gradient[k]) < 4 * error + 1e-6


# -- the gain -------------------------------------------------------------------------------------------------------


def test_gain_under_correlated_noise_is_resolved_and_shrinks_with_tau() -> None:
    """Static and OU: intervals above 1; the gains fall in order of tau, to none for white noise."""
    found = {tau: compare_paths(decouple(waiting(correlated(0.005, tau)), "X2", durations=TIMES)) for tau in TAUS}
    for tau in ("static", 50.0, 5.0):
        assert found[tau].gain_interval[0] > 1.04
    gains = [found[tau].gain for tau in TAUS]
    assert gains == sorted(gains, reverse=True)
    white = compare_paths(decouple(waiting("dephasing:0.005"), "X2", durations=TIMES))
    assert white.gain_interval[0] < 1 < white.gain_interval[1]
    assert white.gain_interval[1] - white.gain_interval[0] < 0.01


TAUS = ("static", 50.0, 5.0, 0.5, 0.1)


def test_few_static_phases_are_averaged_exactly() -> None:
    """Quadrature and random paths agree; the interval then has no noise of paths: no seed in V(s) for given draws."""
    found = decouple(problem("static:0.01", layers(5)), "X2", durations=TIMES)
    angles = np.array([drawn(found.plain, seed) for seed in range(12)])
    exact = compare_paths(found, sampling=eq.Sampling(ensemble=eq.Ensemble.of(angles)))
    assert exact.exact
    assert exact.gain_interval[0] > 1
    program = compile_problem(found.plain.with_noise(None))
    plain = shared_modes(found)[0][:, :, list(program.cone.qubits)]
    xi = np.random.default_rng(2).standard_normal((20000, len(plain)))
    ratio = []
    for theta in angles[:4]:
        still = path_average(program, theta, np.zeros((1, *plain.shape[1:])), np.ones(1)).gradient
        moved = path_average(program, theta, np.tensordot(xi, plain, axes=1), np.full(len(xi), 1 / len(xi))).gradient
        ratio.append((moved @ moved, still @ still))
    part = compare_paths(found, sampling=eq.Sampling(ensemble=eq.Ensemble.of(angles[:4])))
    top, bottom = np.sum(ratio, axis=0)
    assert part.survival[0] == pytest.approx(math.sqrt(top / bottom), abs=0.01)  # 1/sqrt(20000) = 0.007


def test_static_phases_of_fully_idle_windows_vanish() -> None:
    """Both images of one xi: the decoupled phases of the window add up to 0, path by path."""
    plain, pulsed = shared_modes(decouple(waiting("static:0.01"), "X2", durations=TIMES))
    np.testing.assert_allclose(plain[:2, 2:6, :2].sum(axis=(1, 2)), [0.4, 0.4], atol=1e-15)
    np.testing.assert_allclose(pulsed[:2, 2:6, 1].sum(axis=1), 0.0, atol=1e-15)


def test_gain_agrees_with_separate_trajectories() -> None:
    """Survival of both problems by :func:`compare`, whose interval is far wider."""
    found = decouple(waiting("static:0.005"), "X2", durations=TIMES)
    ours, theirs = (
        compare_paths(found, sampling=eq.Sampling(seed=2)),
        compare(found, sampling=eq.Sampling(samples=64, seed=2)),
    )
    for i in (0, 1):
        low, high = theirs.survival_interval[i]
        assert abs(ours.survival[i] - theirs.survival[i]) < high - low
    assert ours.gain_interval[1] - ours.gain_interval[0] < theirs.gain_interval[1] - theirs.gain_interval[0]


def test_collective_white_noise_loses() -> None:
    """A flipped spectator leaves the sector that collective phases do not see; the exact engine has the same gain."""
    found = decouple(waiting("collective:0.01"), "X2", durations=TIMES)
    ours, exact = compare_paths(found), compare(found, sampling=eq.Sampling(samples=64))
    assert exact.engines == ("exact", "exact")
    assert ours.survival[0] == pytest.approx(1, abs=1e-10)
    assert ours.gain_interval[1] < 1
    assert ours.gain == pytest.approx(exact.gain, abs=0.01)


def test_pulse_errors_turn_the_gain_into_a_loss() -> None:
    """Kappa and survival by the exact engine with white noise: one error of 1 % a pulse costs more than nothing."""
    found = decouple(waiting("dephasing:0.005"), "X2", durations=TIMES, pulse_error=0.01)
    result = compare(found, sampling=eq.Sampling(samples=16))
    assert result.gain_interval[1] < 1
    with pytest.raises(UnsupportedError, match=r"Use equinoise\.mitigation\.compare"):
        compare_paths(found)


def test_bad_input_is_named() -> None:
    found = decouple(waiting("static:0.005"), "X2", durations=TIMES)
    with pytest.raises(ParameterError, match="multiple of 4"):
        compare_paths(found, paths=6)
    with pytest.raises(ParameterError, match="finite noise scale"):
        compare_paths(found, math.inf)
    with pytest.raises(MemoryLimitError, match="fewer paths"):
        compare_paths(found, paths=4_000_000)
