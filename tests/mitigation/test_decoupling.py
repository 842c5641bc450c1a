"""Decoupling: closed forms of Ramsey and echo, white noise without gain, pulses that cost, and what gets refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from scipy.integrate import quad

import equinoise as eq
from equinoise.errors import CircuitError, UnsupportedError
from equinoise.mitigation.decoupling.decoupling import compare, decouple
from equinoise.mitigation.decoupling.filter_function import (
    SignFunction,
    exponential_overlaps,
    filter_function,
    phase_variance,
)
from equinoise.mitigation.decoupling.pulse_sequences import pulse_sequence
from equinoise.mitigation.decoupling.toggling import continuous_part
from equinoise.reduction.program import compile_problem

TIMES = {"xx_plus_yy": 4e-7, "rzz": 2e-7}


def problem(noise: object, depth: int = 5) -> eq.Problem:
    """A spectator that idles for depth - 2 layers between two gates with its neighbour."""
    circuit = QuantumCircuit(3)
    for layer in range(depth):
        pair = (0, 1) if layer in (0, depth - 1) else (1, 2)
        circuit.append(eq.circuits.brickwork(2, depth=1).data[0].operation.base_class(Parameter(f"t{layer}")), pair)
        for q in pair:
            circuit.rz(Parameter(f"z{layer}_{q}"), q)
        circuit.barrier()
    return eq.Problem(circuit, readout="Z0", initial="001", noise=noise)


def covariance(p: eq.Problem, qubit: int) -> np.ndarray:
    """Of the phases of one qubit in the slots; white dephasing on the diagonal."""
    depth = len(p.layers)
    out = np.zeros((depth, depth))
    for slot, terms in enumerate(p.slots):
        out[slot, slot] += sum(t.rate * dict(t.pairs).get(qubit, 0.0) ** 2 for t in terms.dephasing)
    for process in p.processes:
        if qubit not in process.qubits:
            continue
        if hasattr(process, "array"):
            modes = process.array[:, :, process.qubits.index(qubit)]
            out += modes.T @ modes
        else:
            lags = [[process.covariance(abs(a - b)) for a in range(depth)] for b in range(depth)]
            out += np.outer(process.amplitudes, process.amplitudes) * np.array(lags)
    return out


@pytest.mark.parametrize("sequence", ["X2", "XY4", [("X", 0.25), ("X", 0.75)]])
def test_static_phase_of_an_idle_window_is_refocused_exactly(sequence: object) -> None:
    """Slots 1 to 3 are idle: their static phases add up to 0; the busy slots keep theirs."""
    found = decouple(problem("static:0.04"), sequence, durations=TIMES)
    cov = covariance(found.decoupled, 0)
    idle = np.array([0, 1, 1, 1, 0.0])
    assert idle @ covariance(found.plain, 0) @ idle == pytest.approx(9 * 0.04)
    assert abs(idle @ cov @ idle) < 1e-15  # dt of 1 ps divides the window: no rounding
    assert cov[0, 0] == pytest.approx(0.04)
    assert cov[4, 0] == pytest.approx(0.04)


@pytest.mark.parametrize("tau", [0.3, 2.0, 50.0])
def test_without_pulses_the_slot_model_is_its_continuous_process(tau: float) -> None:
    """OU part plus white part: 1 on the diagonal, exp(-k/tau) off it."""
    amplitude, white = continuous_part(tau)
    overlaps = amplitude * exponential_overlaps(np.arange(6.0), tau) + white * np.eye(5)
    lags = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    np.testing.assert_allclose(overlaps, np.exp(-lags / tau), rtol=1e-12)


def test_ou_echo_is_the_closed_form() -> None:
    """Variance of an echo over T: tau^2 (2T/tau - 6 + 8 e^(-T/2tau) - 2 e^(-T/tau))."""
    for tau in (0.2, 1.0, 7.0):
        x = 2.0 / tau
        closed = tau**2 * (2 * x - 6 + 8 * math.exp(-x / 2) - 2 * math.exp(-x))
        assert phase_variance(SignFunction((1.0,), 2.0), [(1.0, tau)]) == pytest.approx(closed, rel=1e-11)


@pytest.mark.parametrize("flips", [(), (1.0,), (0.25, 0.75), (0.125, 0.375, 0.625, 0.875)])
def test_filter_function_gives_the_variance_of_the_time_domain(flips: tuple[float, ...]) -> None:
    """(1/2 pi) integral S F = the double integral over the correlation function."""
    sign, tau = SignFunction(flips, 1.25), 0.6

    def integrand(w: float) -> float:
        return 2 * tau / (1 + (w * tau) ** 2) * float(filter_function(sign, w)) / math.pi

    edge = 4000.0
    chi = quad(integrand, 0, edge, limit=4000)[0]  # the tail falls as 1/edge^3
    assert chi == pytest.approx(phase_variance(sign, [(1.0, tau)]), rel=1e-6)


def test_gain_shrinks_with_the_correlation_time() -> None:
    """The idle window's variance with XY4 over that without, from nearly white to static."""
    idle = np.array([0, 1, 1, 1, 0.0])
    ratios = []
    for tau in (0.02, 0.5, 5.0, 500.0):
        found = decouple(problem({"dephasing": [{"rate": 0.04, "correlation": tau}]}), durations=TIMES)
        ratios.append(float(idle @ covariance(found.decoupled, 0) @ idle / (idle @ covariance(found.plain, 0) @ idle)))
    assert ratios[0] == pytest.approx(1, abs=1e-9)
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[-1] < 1e-2


def test_white_noise_gains_nothing_and_pulse_errors_lose() -> None:
    stated = problem("dephasing:0.05+depolarizing:0.01")
    same = compare(decouple(stated, durations=TIMES), sampling=eq.Sampling(samples=8))
    assert same.gain == pytest.approx(1, abs=1e-12)
    assert same.kappa[0] == pytest.approx(same.kappa[1], abs=1e-12)
    worse = compare(decouple(stated, durations=TIMES, pulse_error=0.01), sampling=eq.Sampling(samples=8))
    assert worse.gain < 1
    assert worse.gain_interval[1] < 1


def test_collective_white_dephasing_is_spread_by_pulses_and_decoupling_loses() -> None:
    """A flipped spectator leaves the decoherence-free sector: kappa 0 becomes > 0."""
    result = compare(decouple(problem("collective:0.05"), "X2", durations=TIMES), sampling=eq.Sampling(samples=8))
    assert abs(result.kappa[0]) < 1e-12
    assert result.kappa[1] > 1e-3
    assert result.gain < 1


def test_relaxation_of_a_flipped_qubit_goes_up_as_often_as_down() -> None:
    found = decouple(problem("relaxation:down=0.02,up=0.004"), "X2", durations=TIMES)
    whole = [(t.down, t.up) for slot in found.decoupled.slots[1:4] for t in slot.relaxation if t.qubit == 0]
    assert sum(d for d, _ in whole) == pytest.approx(3 * 0.012)
    assert sum(u for _, u in whole) == pytest.approx(3 * 0.012)
    ends = [slot.relaxation for slot in (found.decoupled.slots[0], found.decoupled.slots[4])]
    assert [t.down for terms in ends for t in terms if t.qubit in (0, 1)] == pytest.approx([0.02] * 4)  # busy there
    assert [t.down for terms in ends for t in terms if t.qubit == 2] == pytest.approx([0.012] * 2)  # idle there


def test_static_noise_gains_in_surviving_gradient_from_the_same_draws() -> None:
    result = compare(decouple(problem("static:0.1"), durations=TIMES), sampling=eq.Sampling(samples=200, seed=3))
    assert result.kappa[1] < result.kappa[0]
    assert result.gain > 1


def test_monte_carlo_of_ou_paths_with_real_pulses_agrees() -> None:
    """A foreign check: OU paths stepped finely, X pulses as sign flips of the accumulated phase, at 4 sigma."""
    rng = np.random.default_rng(5)
    tau, steps, paths = 1.5, 240, 20000
    decay = math.exp(-1 / 80 / tau)
    b, phase = rng.standard_normal(paths), np.zeros(paths)
    state = np.array([np.ones(paths), np.ones(paths)], dtype=complex)  # amplitudes of |0>, |1>, times sqrt 2
    for step in range(steps):
        if step in (60, 180):
            state = state[::-1]  # X
        after = decay * b + math.sqrt(1 - decay**2) * rng.standard_normal(paths)
        phase = (b + after) / 2 / 80 * 0.4
        state = state * np.exp(-1j * np.outer([1, -1], phase))
        b = after
    seen = (state[0].conj() * state[1]).real
    variance = phase_variance(SignFunction((0.75, 2.25), 3.0), [(0.16, tau)])
    assert abs(seen.mean() - math.exp(-2 * variance)) < 4 * seen.std() / math.sqrt(paths)


def test_trajectories_draw_the_covariance_of_the_toggled_phases() -> None:
    found = decouple(problem({"dephasing": [{"rate": 0.04, "correlation": 4.0}]}), "X2", durations=TIMES)
    program = compile_problem(found.decoupled)
    (process,) = [p for p in program.processes if p.qubits == (0,)]
    every = np.stack([process.phases(row) for row in np.eye(process.rank)])[:, :, program.cone.qubits.index(0)]
    white = np.diag([sum(t.rate for t in s.dephasing if 0 in t.qubits) for s in found.decoupled.slots])
    np.testing.assert_allclose(every.T @ every + white, covariance(found.decoupled, 0), atol=1e-15)


def test_staggered_neighbours_do_not_flip_together() -> None:
    for name in ("X2", "XY4"):
        grid = (np.arange(1024) + 0.5) / 1024
        flips = [pulse_sequence(name).staggered(c).fractions for c in range(4)]
        y = np.array([(-1.0) ** np.searchsorted(f, grid) for f in flips])
        np.testing.assert_allclose(y @ y.T / 1024, np.eye(4), atol=1e-12)
        assert abs(y.mean(axis=1)).max() < 1e-12


def test_short_windows_are_left_alone_and_counted() -> None:
    found = decouple(problem("static:0.04"), "XY4", durations=TIMES, pulse_duration=4e-7)
    assert not found.pulses
    assert found.decoupled.noise is found.plain.noise
    assert any("too short" in note for note in found.notes)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"sequence": "KDD"}, "known: X2, XY4"),
        ({"sequence": [("X", 0.5)]}, "frame closes"),
        ({"sequence": [("X", 0.75), ("X", 0.25)]}, "ascending"),
        ({"durations": {"rzz": 1e-7}}, "no duration is given for gate 'xx_plus_yy'"),
        ({"durations": 3}, "must map gate names to seconds"),
        ({"pulse_error": 0.7}, "average infidelity"),
    ],
)
def test_bad_input_is_named(kwargs: dict[str, object], message: str) -> None:
    with pytest.raises(CircuitError, match=message):
        decouple(problem("static:0.04"), **({"durations": TIMES} | kwargs))


def test_phases_given_by_hand_on_a_flipped_qubit_are_refused_not_left_as_they_were():
    static = eq.Problem(eq.circuits.brickwork(4, depth=3), readout="Z1", noise="static:0.05")
    times = {"xx_plus_yy": 4e-7, "rzz": 2e-7}
    phases = decouple(static, "X2", durations=times).decoupled.noise
    with pytest.raises(eq.EquinoiseError, match="phases given by hand have no time within a slot"):
        decouple(static.with_noise(phases), "X2", durations=times)


FALL = [[0, 1], [0, 0]]
HOP = [[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_relaxation_stated_by_a_matrix_is_turned_over_as_relaxation_is() -> None:
    named, stated = (
        decouple(problem(noise), "X2", durations=TIMES).decoupled
        for noise in (
            {"relaxation": [{"qubit": 0, "down": 0.2}]},
            {"jump": [{"qubits": [0], "matrix": FALL, "rate": 0.2}]},
        )
    )
    theta = np.random.default_rng(0).uniform(-3, 3, len(named.parameters))
    pair = [eq.gradient(p, theta, engine="exact").gradient for p in (named, stated)]
    np.testing.assert_allclose(*pair, atol=1e-12)


def test_a_hop_between_a_flipped_and_another_qubit_makes_pairs_while_it_is_flipped() -> None:
    """X on qubit 0 turns |01><10| into |00><11|, for the share of the slot that is flipped."""
    found = decouple(problem({"jump": [{"qubits": [0, 2], "matrix": HOP, "rate": 0.2}]}), "X2", durations=TIMES)
    made = {tuple(map(tuple, np.argwhere(term.array != 0).tolist())): term.rate for term in found.decoupled.noise.jump}
    assert {((1, 2),), ((0, 3),)} <= set(made) <= {((1, 2),), ((2, 1),), ((0, 3),), ((3, 0),)}
    rates = [term.rate for term in found.decoupled.noise.jump if term.layers == (2,)]
    assert sum(rates) == pytest.approx(0.2)


def test_what_x_and_y_pulses_change_differently_is_refused_on_flipped_qubits_alone() -> None:
    x = [[0, 1], [1, 0]]
    turned = problem({"coherent": [{"qubits": [0], "matrix": x, "angle": 0.1}]})
    with pytest.raises(UnsupportedError, match=r"coherent 0.1 rad on qubits 0 acts on a flipped qubit"):
        decouple(turned, "X2", durations=TIMES)
    tilted = [[0.3, 1.0], [1.0, -0.3]]
    with pytest.raises(UnsupportedError, match=r"jump 0.1 on qubits 0 acts on a flipped qubit"):
        decouple(problem({"jump": [{"qubits": [0], "matrix": tilted, "rate": 0.1}]}), "X2", durations=TIMES)
    elsewhere = problem({"coherent": [{"qubits": [1], "matrix": x, "angle": 0.1, "layers": [1]}]})
    same = decouple(elsewhere, "X2", durations=TIMES).decoupled.noise
    assert [t.layers for t in same.coherent] == [(1,)]
