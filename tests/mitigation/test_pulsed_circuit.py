"""Circuits that already hold pulses: Mitiq's output, frames left open against brute force, and what is refused.

The files tests/data/mitiq_ddd_*.qasm were written with Mitiq 1.1.0: ``plain`` is three blocks XX+YY, RZ, RZ on (0, 1),
(1, 2), (0, 1) transpiled by Qiskit at level 0 to {rz, sx, sxdg, x, h, cx}; ``xx`` and ``xyxy`` are what
``mitiq.ddd.insert_ddd_sequences(plain, mitiq.ddd.rules.xx / xyxy)`` made of it, dumped by ``qiskit.qasm2``.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import XXPlusYYGate
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import DensityMatrix, Kraus
from qiskit.transpiler import InstructionProperties

import equinoise as eq
from equinoise.device.snapshots import snapshot
from equinoise.errors import CircuitError, ReadoutError, UnsupportedError
from equinoise.mitigation.decoupling.decoupling import Decoupled, decouple
from equinoise.mitigation.decoupling.pulsed_circuit import decoupled_circuit

DATA = Path(__file__).parents[1] / "data"
NATIVE = {"sx": 3e-8, "sxdg": 3e-8, "h": 3e-8, "cx": 1e-7}
SLOT = {"xx_plus_yy": 4e-7, "rz": 4e-7, "rzz": 4e-7, "cp": 4e-7}


def mitiq(name: str, **kwargs: object) -> Decoupled:
    plain = eq.load_circuit(DATA / "mitiq_ddd_plain.qasm")
    problem = eq.Problem(plain, readout="Z0", initial="001", noise="static:0.05")
    return decoupled_circuit(problem, eq.load_circuit(DATA / f"mitiq_ddd_{name}.qasm"), durations=NATIVE, **kwargs)


@pytest.mark.parametrize(("name", "count"), [("xx", 2), ("xyxy", 4)])
def test_mitiq_output_keeps_the_problem_and_fills_its_idle_layers(name: str, count: int) -> None:
    """Qubit 0 idles in the middle block, qubit 2 in the outer two; each window gets one sequence in its middle."""
    found = mitiq(name, pulse_duration=3e-8)
    assert not found.decoupled.breaking
    assert found.decoupled.circuit is found.plain.circuit  # all frames close: the very same gates
    assert [(w.qubit, w.pulses) for w in found.windows if w.pulses] == [(0, count), (2, count), (2, count)]
    letters = "".join(p.gate for p in found.pulses)
    assert letters == {2: "XX" * 3, 4: "XYXY" * 3}[count]
    for window in found.windows:
        inside = [p for p in found.pulses if p.qubit == window.qubit and window.start < p.time < window.stop]
        middle = sum(p.time for p in inside) / len(inside)
        assert middle == pytest.approx((window.start + window.stop) / 2, abs=1e-12)  # one time step is 1 ps
        assert window.stop - window.start == pytest.approx(5.2e-7, abs=1e-12)  # the block less one h
    assert found.circuit.count_ops()["x"] + found.circuit.count_ops().get("y", 0) == 3 * count


def test_mitiq_times_are_those_of_its_identities() -> None:
    """Qubit 0: three id, X, three id, X, three id in 520 ns: the pulses stand at 1/3 and 2/3."""
    found = mitiq("xx")
    times = [p.time for p in found.pulses if p.qubit == 0]
    np.testing.assert_allclose(times, [5.5e-7 + 5.2e-7 / 3, 5.5e-7 + 2 * 5.2e-7 / 3], atol=1e-12)


def circuits(pulses: dict[int, str]) -> tuple[QuantumCircuit, QuantumCircuit]:
    """Four slots on three qubits, with and without pulses; before slot l come the pulses "x0 y1 ..."."""
    both = (QuantumCircuit(3), QuantumCircuit(3))
    for circuit, held in zip(both, ({}, pulses), strict=True):
        for slot in range(5):
            for pulse in held.get(slot, "").split():
                getattr(circuit, pulse[0])(int(pulse[1]))
            if slot == 0:
                circuit.append(XXPlusYYGate(Parameter("a"), 0.3), (0, 1))
                circuit.rz(Parameter("b"), 2)
            elif slot == 1:
                circuit.rz(Parameter("c"), 0)
                circuit.rzz(Parameter("d"), 1, 2)
            elif slot == 2:
                circuit.append(XXPlusYYGate(2 * Parameter("e"), 0.7), (0, 1))
                circuit.rz(0.4, 2)
            elif slot == 3:
                circuit.cp(Parameter("f"), 0, 1)
                circuit.rz(Parameter("g"), 2)
            if slot < 4:
                circuit.barrier()
    return both


def brute_force(pulsed: QuantumCircuit, theta: dict[str, float], down: float, up: float, dephasing: float) -> float:
    """<Z0> by Qiskit's density matrices: every gate as it stands, thermal relaxation of all qubits at each barrier."""
    total = down + up
    decay, p = 1 - math.exp(-total), up / total
    damp = [np.diag([1, math.sqrt(1 - decay)]), np.array([[0, math.sqrt(decay)], [0, 0]])]
    flip = np.array([[0, 1], [1, 0]])
    kraus = [math.sqrt(1 - p) * k for k in damp] + [math.sqrt(p) * flip @ k @ flip for k in damp]
    q = (1 - math.exp(-2 * dephasing)) / 2
    slot = Kraus(kraus).compose(Kraus([math.sqrt(1 - q) * np.eye(2), math.sqrt(q) * np.diag([1, -1])]))
    state = DensityMatrix.from_label("001")
    for item in pulsed.assign_parameters(theta).data:
        if item.operation.name == "barrier":
            for qubit in range(3):
                state = state.evolve(slot, [qubit])
        else:
            state = state.evolve(item.operation, [pulsed.find_bit(b).index for b in item.qubits])
    return float(state.expectation_value(eq.Problem(pulsed.copy(), "Z0", allow_broken=True).readout).real)


OPEN = [
    {1: "x0", 2: "x0"},  # closed across a diagonal gate
    {1: "x1 y0", 2: "y0 x1"},  # one wire of RZZ
    {2: "x0 x1", 3: "x0 x1"},  # both wires of XX+YY
    {2: "z0", 3: "z0"},  # Z turns the sign of XX+YY
    {3: "y0 x2", 4: "y0"},  # one wire of CPhase; qubit 2 stays open to the end
    {1: "x0", 2: "x1", 3: "x1"},  # both wires, opened at different times, and open at the readout: -Z0
    {0: "x0 y1", 3: "x0"},  # open from the start
]


@pytest.mark.parametrize("pulses", OPEN)
def test_open_frames_equal_the_pulsed_circuit_by_brute_force(pulses: dict[int, str]) -> None:
    """Value to 1e-10 under relaxation and dephasing; the gradient to the 1e-8 of central differences."""
    plain, pulsed = circuits(pulses)
    rates = {"down": 0.05, "up": 0.01}
    problem = eq.Problem(plain, "Z0", initial="001", noise="relaxation:down=0.05,up=0.01+dephasing:0.03")
    found = decoupled_circuit(problem, pulsed, durations=SLOT)
    names = [p.name for p in problem.parameters]
    theta = np.random.default_rng(3).uniform(-2, 2, len(names))

    def value(values: np.ndarray) -> float:
        return brute_force(pulsed, dict(zip(names, values.tolist(), strict=True)), dephasing=0.03, **rates)

    assert eq.expectation(found.decoupled, theta).value == pytest.approx(value(theta), abs=1e-10)
    step = 1e-4
    slopes = [(value(theta + step * e) - value(theta - step * e)) / (2 * step) for e in np.eye(len(names))]
    np.testing.assert_allclose(eq.gradient(found.decoupled, theta).gradient, slopes, atol=1e-8)


def small(readout: str = "Z0", noise: object = "static:0.05", **kwargs: object) -> eq.Problem:
    return eq.Problem(circuits({})[0], readout, initial="001", noise=noise, **kwargs)


@pytest.mark.parametrize(
    ("pulses", "message"),
    [
        ({2: "x0", 3: "x0"}, r"gate 'xx_plus_yy' at position 6 on qubits \[0, 1\] leave the frame X0 open"),
        ({2: "h0"}, r"gate 'h' at position 6 on qubits \[0\] of the pulsed circuit is neither a pulse"),
    ],
)
def test_what_cannot_be_tracked_is_named(pulses: dict[int, str], message: str) -> None:
    with pytest.raises(CircuitError, match=message):
        decoupled_circuit(small(), circuits(pulses)[1], durations=SLOT)


def test_another_circuit_is_named() -> None:
    pulsed = circuits({1: "x0", 2: "x0"})[1]
    bound = pulsed.assign_parameters({p: 0.1 * k for k, p in enumerate(pulsed.parameters)})
    assert len(decoupled_circuit(small(), bound, durations=SLOT).pulses) == 2  # numbers for free angles are the same
    other = bound.copy()
    other.data = [i for i in bound.data if i.operation.name != "cp"]
    with pytest.raises(CircuitError, match="lacks gate 'cp'"):
        decoupled_circuit(small(), other, durations=SLOT)
    other.data = [i.replace(operation=XXPlusYYGate(0.2, 0.1)) if len(i.qubits) == 2 else i for i in bound.data]
    with pytest.raises(
        CircuitError, match=r"'xx_plus_yy' \(0.2, 0.1\) .* is neither a pulse .* 'xx_plus_yy' \(a, 0.3\)"
    ):
        decoupled_circuit(small(), other, durations=SLOT)
    with pytest.raises(CircuitError, match="has 2 qubits, the problem's circuit 3"):
        decoupled_circuit(small(), QuantumCircuit(2), durations=SLOT)


def test_angles_that_contradict_each_other_are_another_circuit() -> None:
    """One parameter in two gates, bound to two values."""
    plain, pulsed = QuantumCircuit(2), QuantumCircuit(2)
    a = Parameter("a")
    for circuit, angles in ((plain, (a, 2 * a)), (pulsed, (0.3, 0.7))):
        for angle in angles:
            circuit.append(XXPlusYYGate(angle), (0, 1))
    with pytest.raises(CircuitError, match="fit no values"):
        decoupled_circuit(eq.Problem(plain, "Z0", initial="01"), pulsed, durations=SLOT)


def test_pulses_longer_than_their_gap_are_refused() -> None:
    with pytest.raises(CircuitError, match=r"take 4e-08 s, but only 0 s are idle"):
        decoupled_circuit(small(), circuits({1: "x0", 2: "x0"})[1], durations=SLOT, pulse_duration=2e-8)


def test_open_frame_at_a_readout_that_it_breaks_is_refused() -> None:
    with pytest.raises(ReadoutError, match="frame X0 open at the readout"):
        decoupled_circuit(small("X0X1+Y0Y1"), circuits({4: "x0"})[1], durations=SLOT)
    with pytest.raises(ReadoutError, match="moves the charge that the projected readout selects"):
        decoupled_circuit(small(projected=True), circuits({4: "x0"})[1], durations=SLOT)


def test_readout_errors_of_a_flipped_qubit_change_places() -> None:
    noise = {"readout_error": {"0": [0.01, 0.05]}}
    found = decoupled_circuit(small(noise=noise), circuits({4: "x0"})[1], durations=SLOT)
    assert dict(found.decoupled.noise.readout_error) == {0: (0.05, 0.01)}


def test_noise_tied_to_a_gate_under_an_open_frame_is_refused() -> None:
    noise = {"relaxation": [{"qubit": 0, "down": 0.1, "gate": "rz"}]}
    with pytest.raises(UnsupportedError, match="tied to gate 'rz'"):
        decoupled_circuit(small(noise=noise), circuits({1: "x0", 2: "x0"})[1], durations=SLOT)


def test_a_device_states_durations_and_pulse_errors() -> None:
    """XY4 by Qiskit's passes on a fake backend: whole time steps, pulses of the x gate of their physical qubit."""
    backend = GenericBackendV2(4, basis_gates=["rz", "sx", "x", "cz"], coupling_map=[[0, 1], [1, 2], [2, 3]], seed=2)
    for site in range(4):  # unlike each other, and with errors beyond T1 and T2
        own = InstructionProperties(duration=(150 + 10 * site) * backend.dt, error=2e-3 * (1 + site))
        backend.target.update_instruction_properties("x", (site,), own)
    layout = (3, 2, 1)
    circuit = QuantumCircuit(3)
    for k, pair in enumerate(((0, 1), (1, 2), (1, 2), (1, 2), (0, 1))):
        circuit.append(XXPlusYYGate(Parameter(f"t{k}")), pair)
        circuit.barrier()
    noise = eq.NoiseModel.from_backend(backend, layout=layout)
    problem = eq.Problem(circuit, "Z0", initial="001", noise=noise)
    found = decouple(problem, "XY4", durations=problem.stated_noise)
    assert "".join(p.gate for p in found.pulses if p.qubit == 0) == "XYXY"
    rates: dict[int, float] = {}
    for pulse in found.pulses:
        stated = backend.target["x"][(layout[pulse.qubit],)]
        length = round(stated.duration / backend.dt)
        assert pulse.duration == pytest.approx(length * backend.dt, rel=1e-12)  # Y is RZ(pi) and X
        start = (pulse.time - pulse.duration / 2) / backend.dt
        assert abs(start - round(start)) < 1e-6
        site = backend.qubit_properties(layout[pulse.qubit])
        t2 = min(site.t2, 2 * site.t1)
        thermal = (1 + math.exp(-stated.duration / site.t1) + 2 * math.exp(-stated.duration / t2)) / 4
        kept = min(1.0, (1 - 1.5 * stated.error - 0.25) / (thermal - 0.25))
        rates[pulse.qubit] = rates.get(pulse.qubit, 0.0) - math.log(kept)
    added: dict[int, float] = {}
    for term in found.decoupled.noise.depolarizing[len(found.plain.noise.depolarizing) :]:
        added[term.qubits[0]] = added.get(term.qubits[0], 0.0) + term.rate
    assert min(rates.values()) > 1e-3
    assert added == pytest.approx({q: r for q, r in rates.items() if r > 0}, rel=1e-9)
    with pytest.raises(CircuitError, match="leave out pulse_duration"):
        decouple(problem, durations=backend, pulse_error=0.01)
    with pytest.raises(CircuitError, match="without a device's calibration"):
        decouple(problem, durations=eq.NoiseModel.from_string("static:0.1"))


@pytest.mark.parametrize("staggered", [False, True])
def test_a_circuit_padded_by_qiskit_is_read_back_as_it_was_made(staggered: bool) -> None:
    """A calibrated snapshot with pulses aligned to 16 dt: the same pulses, windows and noise by two ways."""
    backend = snapshot("sherbrooke")
    circuit = QuantumCircuit(3)
    for k, pair in enumerate(((0, 1), (1, 2), (1, 2), (1, 2), (0, 1))):
        circuit.append(XXPlusYYGate(Parameter(f"t{k}")), pair)
        circuit.barrier()
    problem = eq.Problem(circuit, "Z0", initial="001", noise=eq.NoiseModel.from_backend(backend))
    made = decouple(problem, "XY4", durations=problem.stated_noise, staggered=staggered)
    starts = [(p.time - p.duration / 2) / (16 * backend.dt) for p in made.pulses]
    np.testing.assert_allclose(starts, np.round(starts), atol=1e-6)
    read = decoupled_circuit(problem, made.circuit, durations=problem.stated_noise)
    assert len(read.pulses) >= 8
    assert (read.pulses, read.windows) == (made.pulses, made.windows)
    assert read.toggling == made.toggling
    for kind in ("dephasing", "relaxation", "depolarizing"):
        assert getattr(read.decoupled.noise, kind) == getattr(made.decoupled.noise, kind)
