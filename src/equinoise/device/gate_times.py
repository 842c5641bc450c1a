"""How long the gates of a circuit, and Pauli pulses beside them, take on a calibrated device."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import InstructionDurations

from equinoise.device.calibration import Tally, TimedGate, advance, layout_for
from equinoise.device.gate_fidelity import known_number, stated
from equinoise.device.native import VIRTUAL, Block, Compiler
from equinoise.errors import DeviceError

if TYPE_CHECKING:
    from equinoise.circuit.layers import Layer
    from equinoise.device.snapshots import Calibration

__all__ = ["GateTimes", "gate_times"]

_PICOSECOND = 1e-12


@dataclass(frozen=True, eq=False)
class GateTimes:
    """Durations and pulse errors on the device's qubits that a circuit is laid out on.

    Attributes:
        durations: By gate name and circuit qubits, in whole time steps of the device (1 ps where it states none).
        pulse_rates: Depolarizing rate of one pulse by ("X", circuit qubit): what the calibrated error of the gate holds
            beyond T1 and T2 during it.
        layout: Physical qubit of each circuit qubit.
        alignment: Time steps of which every pulse's start must be a multiple; gate durations are rounded up to them.
        notes: What was missing in the calibration.
    """

    durations: InstructionDurations
    pulse_rates: Mapping[tuple[str, int], float]
    layout: tuple[int, ...]
    alignment: int
    notes: tuple[str, ...]


def gate_times(
    calibration: Calibration, circuit: QuantumCircuit, layers: Sequence[Layer], readout: SparsePauliOp | None = None
) -> GateTimes:
    """Durations of a circuit's gates, each compiled by itself, and of X, Y and Z pulses on its qubits.

    X is the device's x, or two sx; Y is its y, or X after RZ(pi), which takes no time; Z is a frame change. Of gates of
    one name on the same qubits that compile differently the longest counts.

    Args:
        calibration: The device.
        circuit: The circuit.
        layers: Its layers.
        readout: What is read, for the choice of a layout; the same as where the noise was placed.

    Raises:
        DeviceError: No layout, a gate that cannot be compiled, or a qubit with neither x nor sx.

    Example:
        >>> import equinoise as eq
        >>> from qiskit.providers.fake_provider import GenericBackendV2
        >>> noise = eq.NoiseModel.from_backend(GenericBackendV2(4, seed=1), layout=[0, 1, 2, 3])
        >>> problem = eq.Problem(eq.circuits.brickwork(4, depth=2), readout="Z1", noise=noise)
        >>> times = gate_times(noise.calibration, problem.circuit, problem.layers, problem.readout)
        >>> times.durations.get("x", [2]) == times.durations.get("y", [2]) > times.durations.get("z", [2]) == 0
        True
    """
    compiler, tally = Compiler(circuit, calibration), Tally(calibration)
    layout = layout_for(calibration, circuit, layers, readout, compiler).layout
    step = calibration.target.dt or _PICOSECOND
    longest: dict[tuple[str, tuple[int, ...]], float] = {}
    for position, item in enumerate(circuit.data):
        if item.operation.name in ("barrier", "measure", "delay"):
            continue
        qubits = tuple(circuit.find_bit(bit).index for bit in item.qubits)
        if len(qubits) > 2:
            raise DeviceError(
                f"gate {item.operation.name!r} at position {position} acts on {len(qubits)} qubits; durations are "
                "known for one and two. Decompose it first, e.g. with circuit.decompose()."
            )
        physical = tuple(layout[q] for q in qubits)
        clock: dict[int, float] = {}
        for name, local, length in compiler.native(Block(qubits, [position]), physical):
            sites = tuple(physical[q] for q in local)
            advance(clock, [(sites, *tally.look_up(name, local, physical, length))])
        key = (item.operation.name, qubits)
        longest[key] = max(longest.get(key, 0.0), *clock.values(), 0.0)
    # A pulse's error counts beyond the T1 and T2 that its qubit has anyway in the slot: as for a block, the
    # depolarizing that makes up the calibrated fidelity.
    rates: dict[tuple[str, int], float] = {}
    for qubit, site in enumerate(layout):
        for letter in "XYZ":
            native = _pulse(calibration, letter, site)
            gates: list[TimedGate] = [((site,), *tally.look_up(name, (0,), (site,), 0.0)) for name in native]
            rates[letter, qubit] = tally.excess(Block((qubit,), []), (site,), gates) if gates else 0.0
            name = letter.lower()
            longest.setdefault((name, (qubit,)), sum(duration for _, duration, _ in gates))
    unit = max(1, int(calibration.target.pulse_alignment or 1))
    rows = [
        (name, list(qubits), unit * math.ceil(seconds / step / unit - 1e-6))
        for (name, qubits), seconds in longest.items()
    ]
    notes = (
        f"{calibration.name}: durations of gates compiled one by one, pulses from the calibration of x or sx",
        *tally.notes(),
    )
    return GateTimes(InstructionDurations(rows, dt=step), rates, layout, unit, notes)


def _pulse(calibration: Calibration, letter: str, site: int) -> tuple[str, ...]:
    """The native gates that take time in a pulse."""
    if letter == "Z":
        return ()
    for names in ((letter.lower(),), ("x",), ("sx", "sx")):
        if (
            known_number(stated(calibration.target, names[0], (site,)), "duration") is not None
            and names[0] not in VIRTUAL
        ):
            return names
    raise DeviceError(
        f"{calibration.name} states no duration of x or sx on physical qubit {site}, so no pulse can be timed there. "
        "Give durations={gate: seconds} and pulse_duration instead."
    )
