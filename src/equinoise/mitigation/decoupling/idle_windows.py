"""Circuits scheduled and padded with pulses by Qiskit's own passes, layer after layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rustworkx
from qiskit import QuantumCircuit
from qiskit.circuit.library import XGate, YGate, ZGate
from qiskit.dagcircuit import DAGCircuit
from qiskit.transpiler import InstructionDurations, PassManager
from qiskit.transpiler.basepasses import TransformationPass
from qiskit.transpiler.passes import ALAPScheduleAnalysis, PadDynamicalDecoupling

from equinoise.circuit.layers import end_layer
from equinoise.device.native import VIRTUAL
from equinoise.errors import CircuitError
from equinoise.mitigation.decoupling.pulse_sequences import PulseSequence
from equinoise.problem import Problem

__all__ = ["Boundaries", "Pulse", "Schedule", "Window", "layered_circuit", "neighbour_colours", "padded"]

_LABEL = "decoupling"
_PULSES = {"X": XGate, "Y": YGate, "Z": ZGate}
_RESOLUTION = 1e-12
"""Seconds per time step where durations are given in seconds."""


@dataclass(frozen=True)
class Pulse:
    """One pulse.

    Attributes:
        qubit: Circuit qubit.
        gate: "X", "Y" or "Z".
        time: Its middle in seconds from the end of the preparation.
        duration: In seconds.
    """

    qubit: int
    gate: str
    time: float
    duration: float


@dataclass(frozen=True)
class Window:
    """An idle time of one qubit.

    Attributes:
        qubit: Circuit qubit.
        start: In seconds from the end of the preparation.
        stop: In seconds.
        pulses: Number of pulses in it; 0 where it is too short for the sequence.
    """

    qubit: int
    start: float
    stop: float
    pulses: int


@dataclass(frozen=True)
class Schedule:
    """A scheduled circuit with its pulses.

    Attributes:
        circuit: With explicit delays and pulses.
        edges: Start of every layer, and the end of the last, in seconds, shape (L + 1,).
        windows: Idle times, by qubit.
        pulses: By qubit and time.
    """

    circuit: QuantumCircuit
    edges: tuple[float, ...]
    windows: tuple[Window, ...]
    pulses: tuple[Pulse, ...]


def layered_circuit(problem: Problem) -> QuantumCircuit:
    """The problem's circuit with a full-width barrier after its preparation and after every layer; no measurements."""
    first: dict[int, int] = {}
    for number, layer in enumerate(problem.layers):
        for gate in layer.gates:
            first.setdefault(gate.position, number)
    members: list[list[int]] = [[] for _ in range(len(problem.layers) + 1)]
    for position, item in enumerate(problem.circuit.data):
        if item.operation.name not in ("barrier", "measure"):
            members[first.get(position, -1) + 1].append(position)
    out = QuantumCircuit(problem.num_qubits, global_phase=problem.circuit.global_phase)
    for positions in members:
        for position in positions:
            item = problem.circuit.data[position]
            out.append(item.operation, [problem.circuit.find_bit(bit).index for bit in item.qubits])
        end_layer(out)
    return out


def neighbour_colours(problem: Problem) -> tuple[int, ...]:
    """A colour for each qubit so that qubits that share a gate differ (greedy, by saturation)."""
    graph = rustworkx.PyGraph(multigraph=False)
    graph.add_nodes_from(range(problem.num_qubits))
    pairs = {tuple(sorted(b.qubits)) for layer in problem.layers for b in layer.blocks if len(b.qubits) == 2}
    graph.add_edges_from_no_data(sorted(pairs))  # type: ignore[arg-type]
    found = rustworkx.graph_greedy_color(graph, strategy=rustworkx.ColoringStrategy.Saturation)
    return tuple(int(found[q]) for q in range(problem.num_qubits))


def checked_durations(value: Any, circuit: QuantumCircuit, pulse: float) -> InstructionDurations:
    """Durations of everything in a circuit and of the pulses, in whole time steps.

    Args:
        value: {gate name: seconds}, or ``InstructionDurations`` with a ``dt``.
        circuit: Names the gates that need one; rz, p and u1 take no time unless stated.
        pulse: Duration of a pulse in seconds where none is stated for x, y, z.

    Raises:
        CircuitError: A gate without a duration, or a malformed one.
    """
    if isinstance(value, InstructionDurations):
        if value.dt is None:
            raise CircuitError("durations as InstructionDurations need their dt (seconds per time step); pass dt=....")
        out = InstructionDurations(None, dt=value.dt)
        out.update(value, dt=value.dt)
        known = {name for name, _ in value.duration_by_name_qubits} | set(value.duration_by_name)
        step = value.dt
    elif isinstance(value, Mapping):
        step = _RESOLUTION
        for name, seconds in value.items():
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1:
                raise CircuitError(f"the duration of {name!r} must be a number of seconds >= 0, got {seconds!r}.")
        out = InstructionDurations([(str(n), None, round(t / step)) for n, t in value.items()], dt=step)
        known = {str(n) for n in value}
    else:
        raise CircuitError(
            "durations must map gate names to seconds, e.g. {'xx_plus_yy': 3e-7, 'rzz': 1e-7}, or be a "
            f"qiskit.transpiler.InstructionDurations, got {type(value).__name__}."
        )
    free = sorted(set(VIRTUAL) - known)
    pulses = [name for name in ("x", "y", "z") if name not in known]
    out.update([(n, None, 0) for n in free] + [(n, None, round(pulse / step)) for n in pulses], dt=step)
    missing = sorted({i.operation.name for i in circuit.data} - known - set(free) - set(pulses) - {"barrier", "delay"})
    if missing:
        raise CircuitError(
            f"no duration is given for gate {missing[0]!r}; the gates are "
            f"{', '.join(sorted({i.operation.name for i in circuit.data} - {'barrier'}))}. Add it to durations."
        )
    return out


class Boundaries(TransformationPass):  # type: ignore[misc]
    """Notes when the barriers stand and removes them, so that an idle window goes on from layer to layer."""

    def run(self, dag: DAGCircuit) -> DAGCircuit:
        """The circuit without barriers; where they stood is in ``property_set["boundaries"]``."""
        starts = self.property_set["node_start_time"]
        self.property_set["boundaries"] = [starts[n] for n in dag.topological_op_nodes() if n.name == "barrier"]
        for node in dag.op_nodes():
            if node.name == "barrier":
                starts.pop(node)
                dag.remove_op_node(node)
        return dag


def padded(
    problem: Problem,
    sequence: PulseSequence,
    durations: Any,
    pulse_duration: float,
    colours: tuple[int, ...],
    alignment: int = 1,
) -> Schedule:
    """The problem's circuit, layers kept apart and scheduled as late as possible, its idle windows filled with pulses.

    Qiskit's ALAPScheduleAnalysis and PadDynamicalDecoupling do it, once for each colour. A window goes from one gate on
    a wire to the next, through the boundaries of layers; windows too short for the sequence keep a plain delay.

    Args:
        problem: Its layers are the slots of the noise.
        sequence: The pulses of colour 0.
        durations: As :func:`checked_durations` takes them.
        pulse_duration: Seconds, where the durations state none.
        colours: Of every qubit.
        alignment: Time steps of which every pulse's start is a multiple.

    Raises:
        CircuitError: Durations that do not fit.
    """
    circuit = layered_circuit(problem)
    times = checked_durations(durations, circuit, pulse_duration)
    step = float(times.dt)
    passes: list[Any] = [ALAPScheduleAnalysis(times), Boundaries()]
    for colour in sorted(set(colours)):
        own = sequence.staggered(colour)
        gates = [_PULSES[g](label=_LABEL) for g in own.gates]
        qubits = [q for q, c in enumerate(colours) if c == colour]
        passes.append(
            PadDynamicalDecoupling(
                times,
                gates,
                qubits=qubits,
                spacing=own.spacing,
                skip_reset_qubits=False,
                pulse_alignment=alignment,
            )
        )
    # Barriers keep layers apart while gates are scheduled and go before padding: idle time runs on from layer to
    # layer, and so do the windows.
    manager = PassManager(passes)
    out = manager.run(circuit)
    starts = out.op_start_times
    boundaries = sorted(manager.property_set["boundaries"])
    zero = boundaries[0]
    windows: list[Window] = []
    pulses: list[Pulse] = []
    for qubit, pieces in enumerate(_idle(out, starts, times)):
        for piece in _joined(pieces):
            low, high = (max(0.0, (t - zero) * step) for t in (piece[0][1], piece[-1][2]))
            inside = [p for p in piece if p[0] != "delay"]
            if high > low:
                windows.append(Window(qubit, low, high, len(inside)))
            for name, start, stop in inside:
                middle = ((start + stop) / 2 - zero) * step
                pulses.append(Pulse(qubit, name.upper(), middle, (stop - start) * step))
    return Schedule(out, tuple((b - zero) * step for b in boundaries), tuple(windows), tuple(pulses))


_Piece = tuple[str, int, int]


def _idle(circuit: QuantumCircuit, starts: list[int], durations: InstructionDurations) -> list[list[_Piece]]:
    """Delays and pulses of each wire in time order."""
    found: list[list[_Piece]] = [[] for _ in circuit.qubits]
    for item, start in zip(circuit.data, starts, strict=True):
        operation = item.operation
        if operation.name != "delay" and operation.label != _LABEL:
            continue
        qubit = circuit.find_bit(item.qubits[0]).index
        long = operation.duration if operation.name == "delay" else durations.get(operation.name, [qubit])
        found[qubit].append((operation.name, int(start), int(start) + int(long)))
    return [sorted(pieces, key=lambda p: (p[1], p[2])) for pieces in found]


def _joined(pieces: list[_Piece]) -> list[list[_Piece]]:
    """Runs of pieces without a gap; pulses of no duration stand between two delays, or at a window's end."""
    runs: list[list[_Piece]] = []
    for piece in pieces:
        if runs and runs[-1][-1][2] == piece[1]:
            runs[-1].append(piece)
        else:
            runs.append([piece])
    return runs
