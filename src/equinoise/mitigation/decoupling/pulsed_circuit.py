"""Circuits that already hold pulses (Mitiq's DDD output, hand-made ones), read as a problem and its decoupling."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Delay, Instruction, ParameterExpression
from qiskit.circuit.library import XGate, YGate, ZGate
from qiskit.transpiler import InstructionDurations, PassManager
from qiskit.transpiler.passes import ALAPScheduleAnalysis
from qiskit.utils import apply_prefix

from equinoise.errors import CircuitError, UnsupportedError
from equinoise.mitigation.decoupling.decoupling import Decoupled, pulse_errors, schedule_toggling, times_on_device
from equinoise.mitigation.decoupling.idle_windows import (
    Boundaries,
    Pulse,
    Schedule,
    Window,
    checked_durations,
    layered_circuit,
)
from equinoise.mitigation.decoupling.pauli_frame import Frame, framed_problem, product
from equinoise.mitigation.decoupling.toggling import toggled_noise
from equinoise.noise.terms import NoiseTerm
from equinoise.problem import Problem

__all__ = ["decoupled_circuit"]

_GATES = {"x": XGate, "y": YGate, "z": ZGate}
_IDLE = ("id", "delay")
_ANGLE = 1e-9


@dataclass
class _Extra:
    """A pulse or an idle time that the problem's circuit does not hold; length in seconds where it states one."""

    name: str
    length: float | None
    label: str


@dataclass
class _Wire:
    """One qubit: its gates in the problem's circuit, and before each of them (and after the last) the extras."""

    gates: list[int]
    extras: list[list[_Extra]]
    next: int = 0


def decoupled_circuit(
    problem: Problem,
    pulsed: QuantumCircuit,
    *,
    durations: Any,
    pulse_duration: float = 0.0,
    pulse_error: float = 0.0,
) -> Decoupled:
    """A problem with the pulses that a circuit already holds, as Mitiq's ``insert_ddd_sequences`` returns it.

    Wire by wire ``pulsed`` must hold the gates of ``problem.circuit`` in their order; what it holds more must be pulses
    (x, y, z) and idle time (id, delay). Layers stand as :func:`equinoise.mitigation.decoupling.decoupling.decouple`
    schedules them. Between two two-qubit gates on a wire the idle times share what pulses and one-qubit gates leave, in
    proportion to their lengths (id: equally); without any, the pulses come last. Noise of a slot still acts between the
    problem's layers, also where a one-qubit gate slid through an idle time. Frames still open at a
    gate are tracked through it (:mod:`equinoise.mitigation.decoupling.pauli_frame`).

    Args:
        problem: Its circuit is the one that was given to the tool that put in the pulses (compiled, if that was).
        pulsed: Its angles may be numbers where those of the problem are free; they only need to fit some values.
        durations: As for ``decouple``.
        pulse_duration: Seconds per pulse where the durations state none.
        pulse_error: Average infidelity of one pulse beyond idling.

    Raises:
        CircuitError: Another circuit, an extra gate that is no pulse, pulses longer than their gap, or a frame in which
            a gate does not conserve the charge.
        ReadoutError: An open frame at the end in which the readout does not.
        UnsupportedError: Noise tied to a gate under an open frame, or phases correlated by hand.

    Source:
        Mitiq: arXiv:2009.04417.

    Example:
        >>> import equinoise as eq
        >>> from qiskit import QuantumCircuit
        >>> from qiskit.circuit.library import XXPlusYYGate
        >>> from equinoise.mitigation.decoupling.pulsed_circuit import decoupled_circuit
        >>> plain, pulsed = QuantumCircuit(3), QuantumCircuit(3)
        >>> for circuit in (plain, pulsed):
        ...     for a, b in ((0, 1), (1, 2), (0, 1)):
        ...         if circuit is pulsed and a == 1:
        ...             for gate in (circuit.id, circuit.x, circuit.id, circuit.id, circuit.x, circuit.id):
        ...                 _ = gate(0)
        ...         _ = circuit.append(XXPlusYYGate(0.3), (a, b))
        >>> problem = eq.Problem(plain, readout="Z0", initial="001", noise="static:0.05")
        >>> result = decoupled_circuit(problem, pulsed, durations={"xx_plus_yy": 4e-7})
        >>> [(p.gate, round(p.time * 1e9)) for p in result.pulses]
        [('X', 500), ('X', 700)]
    """
    if not 0 <= pulse_error < 0.5:
        raise CircuitError(f"pulse_error must be an average infidelity in [0, 0.5), got {pulse_error!r}.")
    if not 0 <= pulse_duration < 1:
        raise CircuitError(f"pulse_duration must be a number of seconds >= 0, got {pulse_duration!r}.")
    wires = _matched(problem, pulsed)
    device = times_on_device(problem, durations, pulse_duration, pulse_error)
    schedule, stretched = _scheduled(problem, wires, device.durations if device else durations, pulse_duration)
    frames, final = _frames(problem, wires)
    framed, notes = framed_problem(problem, frames, final)
    _check_noise(problem, frames)
    toggling = schedule_toggling(schedule)
    if stretched:
        notes = (*notes, f"decoupling: the delays of {stretched} idle windows were stretched to the problem's schedule")
    notes = (*notes, *_pulse_notes(schedule), *(device.notes if device else ()))
    errors = pulse_errors(schedule, device, pulse_error)
    noise = toggled_noise(problem, toggling, errors) if schedule.pulses else problem.noise
    swapped = {q for q, letter in enumerate(final) if letter in "XY"}
    if swapped and noise.readout_error:
        read = {q: (p[::-1] if q in swapped else p) for q, p in noise.readout_error}
        noise = replace(noise, readout_error=tuple(read.items()))
    changed = framed.with_noise(noise).with_warnings(notes)
    return Decoupled(problem, changed, schedule.windows, schedule.pulses, toggling, schedule.circuit, notes)


# -- matching ----------------------------------------------------------------------------------------------------


def _matched(problem: Problem, pulsed: QuantumCircuit) -> list[_Wire]:
    """The extras of every wire, after checking that the rest is the problem's circuit."""
    if not isinstance(pulsed, QuantumCircuit):
        raise CircuitError(f"pulsed must be a qiskit.QuantumCircuit, got {type(pulsed).__name__}.")
    circuit = problem.circuit
    if pulsed.num_qubits != circuit.num_qubits:
        raise CircuitError(
            f"the pulsed circuit has {pulsed.num_qubits} qubits, the problem's circuit {circuit.num_qubits}: it must "
            "be the same circuit with pulses put in."
        )
    wires = [_Wire([], [[]]) for _ in circuit.qubits]
    for position, item in enumerate(circuit.data):
        if item.operation.name not in ("barrier", "measure"):
            for bit in item.qubits:
                wires[circuit.find_bit(bit).index].gates.append(position)
    rows: list[tuple[dict[str, float], float]] = []
    for position, item in enumerate(pulsed.data):
        operation = item.operation
        qubits = [pulsed.find_bit(bit).index for bit in item.qubits]
        if operation.name in ("barrier", "measure"):
            continue
        expected = [wire.gates[wire.next] if wire.next < len(wire.gates) else -1 for wire in (wires[q] for q in qubits)]
        found = expected[0]
        label = operation.label or ""
        if (
            found >= 0
            and len(set(expected)) == 1
            and not (len(qubits) == 1 and label == "decoupling")
            and _same(circuit, found, operation, qubits, rows)
        ):
            for q in qubits:
                wires[q].next += 1
                wires[q].extras.append([])
        elif len(qubits) == 1 and operation.name in (*_GATES, *_IDLE):
            wires[qubits[0]].extras[-1].append(_Extra(operation.name, _length(operation, position), label))
        else:
            missing = next((e for e in expected if e >= 0), -1)
            raise CircuitError(
                f"gate {_named(pulsed, position)} of the pulsed circuit is neither a pulse (x, y, z, id, delay) nor "
                f"the problem's next gate there,"
                f" which is {_named(circuit, missing) if missing >= 0 else 'none'}. Give the "
                "problem the very circuit into which the pulses were put (compiled, if it was compiled before)."
            )
    for wire in wires:
        if wire.next < len(wire.gates):
            raise CircuitError(
                f"the pulsed circuit lacks gate {_named(circuit, wire.gates[wire.next])} of the problem's circuit: it "
                "must be the same circuit with pulses put in."
            )
    _check_angles(rows)
    return wires


def _named(circuit: QuantumCircuit, position: int) -> str:
    item = circuit.data[position]
    angles = ", ".join(f"{v:.6g}" if isinstance(v, float) else str(v) for v in item.operation.params)
    qubits = [circuit.find_bit(bit).index for bit in item.qubits]
    return f"{item.operation.name!r}{f' ({angles})' if angles else ''} at position {position} on qubits {qubits}"


def _same(
    circuit: QuantumCircuit,
    position: int,
    operation: Instruction,
    qubits: list[int],
    rows: list[tuple[dict[str, float], float]],
) -> bool:
    """Whether an operation is the circuit's at a position; what it says about free angles goes to the rows."""
    item = circuit.data[position]
    own = item.operation
    if own.name != operation.name or [circuit.find_bit(bit).index for bit in item.qubits] != qubits:
        return False
    if own.name == "delay":
        return _length(own, position) == _length(operation, position)
    if len(own.params) != len(operation.params):
        return False
    fresh = []
    for stated, given in zip(own.params, operation.params, strict=True):
        if isinstance(stated, np.ndarray) or isinstance(given, np.ndarray):
            if not np.allclose(stated, given, rtol=0, atol=_ANGLE):
                return False
            continue
        (a, base), (b, other) = _affine(stated), _affine(given)
        if b:
            if abs(base - other) > _ANGLE or any(abs(a.get(k, 0) - b.get(k, 0)) > _ANGLE for k in a | b):
                return False
        elif a:
            fresh.append((a, other - base))
        elif abs(base - other) > _ANGLE:
            return False
    rows += fresh
    return True


def _affine(value: Any) -> tuple[dict[str, float], float]:
    """An angle as {parameter name: slope} and its value at 0."""
    if not isinstance(value, ParameterExpression) or not value.parameters:
        return {}, float(value)
    zero = value.bind(dict.fromkeys(value.parameters, 0.0))
    slopes = {p.name: float(value.gradient(p)) for p in value.parameters}
    return slopes, float(zero)


def _check_angles(rows: list[tuple[dict[str, float], float]]) -> None:
    names = sorted({name for slopes, _ in rows for name in slopes})
    if not names:
        return
    # Every angle is linear in the parameters: some values fit all given numbers iff least squares leaves no rest.
    matrix = np.array([[slopes.get(name, 0.0) for name in names] for slopes, _ in rows])
    right = np.array([value for _, value in rows])
    left = np.abs(matrix @ np.linalg.lstsq(matrix, right, rcond=None)[0] - right).max()
    if left > 1e-6:
        raise CircuitError(
            f"the angles of the pulsed circuit fit no values of the problem's parameters (off by {left:.3g}): it is "
            "another circuit, or angles were wrapped by multiples of 2 pi."
        )


def _length(operation: Instruction, position: int) -> float | None:
    """Seconds of a delay; negative whole time steps where it counts in dt; None for what states no length."""
    if operation.name != "delay":
        return None
    if operation.unit == "dt":
        return -float(operation.duration)
    if isinstance(operation.duration, ParameterExpression) or operation.unit == "expr":
        raise CircuitError(f"the delay at position {position} has no fixed length.")
    return float(operation.duration if operation.unit == "s" else apply_prefix(operation.duration, operation.unit))


# -- times -------------------------------------------------------------------------------------------------------


def _scheduled(problem: Problem, wires: list[_Wire], durations: Any, pulse_duration: float) -> tuple[Schedule, int]:
    """The problem's circuit scheduled layer by layer with the extras in its gaps, and how many gaps were stretched."""
    circuit = layered_circuit(problem)
    times = checked_durations(durations, circuit, pulse_duration)
    step = float(times.dt)
    manager = PassManager([ALAPScheduleAnalysis(times), Boundaries()])
    out = manager.run(circuit)
    boundaries = sorted(manager.property_set["boundaries"])
    zero, end = boundaries[0], boundaries[-1]
    busy: list[list[tuple[int, int]]] = [[] for _ in wires]
    for item, start in zip(out.data, out.op_start_times, strict=True):
        qubits = [out.find_bit(bit).index for bit in item.qubits]
        long = 0 if item.operation.name == "barrier" else times.get(item.operation, qubits)
        for q in qubits:
            busy[q].append((int(start), int(start) + int(long)))
    filled: list[list[list[_Piece]]] = []
    windows: list[Window] = []
    pulses: list[Pulse] = []
    stretched = 0
    for qubit, wire in enumerate(wires):
        filled.append([])
        for first, last in _segments(circuit=problem.circuit, wire=wire, busy=busy[qubit], zero=zero):
            low = busy[qubit][first - 1][1] if first else min(zero, busy[qubit][0][0] if busy[qubit] else zero)
            high = busy[qubit][last][0] if last < len(wire.gates) else end
            gates = [stop - start for start, stop in busy[qubit][first:last]]
            where = f"the gap of qubit {qubit} before " + (
                f"gate {_named(problem.circuit, wire.gates[last])}" if last < len(wire.gates) else "the end"
            )
            gaps, changed = _placed(wire.extras[first : last + 1], gates, low, high, times, qubit, where)
            if not any(wire.extras[first : last + 1]):  # as Qiskit has it
                marks = [low, *itertools.chain.from_iterable(busy[qubit][first:last]), high]
                gaps = [[("delay", u, v)] if v > u else [] for u, v in zip(marks[::2], marks[1::2], strict=True)]
            stretched += changed
            for pieces in gaps:
                filled[-1].append(pieces)
                inside = [p for p in pieces if p[0] != "delay"]
                if pieces and pieces[-1][2] > max(pieces[0][1], zero):
                    begin = (max(pieces[0][1], zero) - zero) * step
                    windows.append(Window(qubit, begin, (pieces[-1][2] - zero) * step, len(inside)))
                pulses += [
                    Pulse(qubit, name.upper(), ((u + v) / 2 - zero) * step, (v - u) * step) for name, u, v in inside
                ]
    edges_s = tuple((b - zero) * step for b in boundaries)
    return Schedule(_written(out, filled), edges_s, tuple(windows), tuple(pulses)), stretched


def _segments(circuit: QuantumCircuit, wire: _Wire, busy: list[tuple[int, int]], zero: int) -> list[tuple[int, int]]:
    """(first, last) for each run of one-qubit gates first..last-1 between two gates that do not move."""
    fixed = [i for i, p in enumerate(wire.gates) if len(circuit.data[p].qubits) > 1 or busy[i][1] <= zero]
    return list(zip([0, *(i + 1 for i in fixed)], [*fixed, len(wire.gates)], strict=True))


_Piece = tuple[str, int, int]


def _placed(
    extras: list[list[_Extra]],
    gates: list[int],
    low: int,
    high: int,
    times: InstructionDurations,
    qubit: int,
    where: str,
) -> tuple[list[list[_Piece]], bool]:
    """The gaps before, between and after a wire's one-qubit gates, filled; and whether stated delays were stretched.

    Args:
        extras: For each gap.
        gates: Durations of the one-qubit gates between the gaps, in time steps, which slide with the idle times.
        low: Where the first gap starts.
        high: Where the last one ends.
        times: Durations of the pulses.
        qubit: The wire.
        where: How to name it in an error.
    """
    listed = list(itertools.chain.from_iterable(extras))
    taken = sum(int(times.get(e.name, [qubit])) for e in listed if e.name in _GATES)
    free = high - low - taken - sum(gates)
    if free < 0:
        raise CircuitError(
            f"the pulses in {where} take {taken * times.dt:.3g} s, but only {(free + taken) * times.dt:.3g} s are idle "
            "(tools that count gates see idle time beside rz, which takes none). Give shorter pulses or longer gates."
        )
    idle = [e for e in listed if e.name in _IDLE]
    lengths = [0.0 if e.length is None else (-e.length if e.length < 0 else e.length / times.dt) for e in idle]
    stated = bool(idle) and all(e.name == "delay" for e in idle)
    if idle and not stated:
        if any(lengths):
            raise CircuitError(f"{where} holds both delays and id gates, whose length is not stated; use one of them.")
        lengths = [1.0] * len(idle)
    # Free time is shared in proportion to the stated lengths; running sums are rounded, so the parts add up to it
    # exactly.
    total = math.fsum(lengths)
    scale = free / total if total > 0 else 0.0
    now, done, spent = low, 0.0, 0
    queue = iter(lengths)
    gaps: list[list[_Piece]] = []
    for number, gap in enumerate(extras):
        pieces: list[_Piece] = []
        if number:
            now += gates[number - 1]
        for extra in gap:
            if not total and free > spent:  # nothing says where: the pulses come last
                pieces.append(("delay", now, now + free))
                now, spent = now + free, free
            if extra.name in _GATES:
                long = int(times.get(extra.name, [qubit]))
                pieces.append((extra.name, now, now + long))
                now += long
                continue
            done += next(queue) * scale
            if round(done) > spent:
                pieces.append(("delay", now, now + round(done) - spent))
                now, spent = now + round(done) - spent, round(done)
        gaps.append(pieces)
    return gaps, stated and abs(total - free) > 1


def _written(out: QuantumCircuit, filled: list[list[list[_Piece]]]) -> QuantumCircuit:
    """The scheduled circuit with its gaps filled."""
    circuit = QuantumCircuit(out.num_qubits, global_phase=out.global_phase)
    count = [0] * out.num_qubits

    def fill(qubit: int) -> None:
        for name, start, stop in filled[qubit][count[qubit]]:
            if name == "delay":
                circuit.append(Delay(stop - start, unit="dt"), [qubit])
            else:
                circuit.append(_GATES[name](label="decoupling"), [qubit])
        count[qubit] += 1

    for item in out.data:
        qubits = [out.find_bit(bit).index for bit in item.qubits]
        for q in qubits:
            fill(q)
        circuit.append(item.operation, qubits)
    for q in range(out.num_qubits):
        fill(q)
    return circuit


# -- frames ------------------------------------------------------------------------------------------------------


def _frames(problem: Problem, wires: list[_Wire]) -> tuple[dict[int, tuple[Frame, ...]], tuple[Frame, ...]]:
    """The frame at every gate, and at the end."""
    at: dict[tuple[int, int], Frame] = {}
    final: list[Frame] = []
    for qubit, wire in enumerate(wires):
        # Pauli pulses on a wire multiply up to a phase, which no expectation value sees: one letter says what is open.
        frame = "I"
        for number, extras in enumerate(wire.extras):
            for extra in extras:
                if extra.name in _GATES:
                    frame = product(frame, extra.name.upper())
            if number < len(wire.gates):
                at[wire.gates[number], qubit] = frame
        final.append(frame)
    frames: dict[int, tuple[Frame, ...]] = {}
    for position in sorted({p for p, _ in at}):
        bits = problem.circuit.data[position].qubits
        frames[position] = tuple(at[position, problem.circuit.find_bit(bit).index] for bit in bits)
    return frames, tuple(final)


def _check_noise(problem: Problem, frames: dict[int, tuple[Frame, ...]]) -> None:
    """Refuses noise tied to gates that run under an open frame."""
    under = {problem.circuit.data[p].operation.name for p, f in frames.items() if any(x in "XY" for x in f)}
    for term in problem.noise.terms:
        if term.gate in under and _sees_frames(term, problem.num_qubits):
            raise UnsupportedError(
                f"the noise holds a term tied to gate {term.gate!r}, which runs under an open Pauli frame. Close the "
                "frame before that gate, or state the noise per slot."
            )


def _sees_frames(term: NoiseTerm, num_qubits: int) -> bool:
    """Whether a Pauli frame changes a term; a phase that is correlated in time sees its sign."""
    each = term.expanded(num_qubits)
    return term.is_phase or any(one.flipped(one.sites) != one or not one.sees_flips_alone for one in each)


def _pulse_notes(schedule: Schedule) -> Sequence[str]:
    if not schedule.pulses:
        return ("decoupling: the pulsed circuit holds no pulse beyond the problem's own gates",)
    return (
        "decoupling: pulses flip at their middle; the slot is the unit of time of the noise's correlation; within a "
        "slot relaxation is averaged over the flips",
    )
