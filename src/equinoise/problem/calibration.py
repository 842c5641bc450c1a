"""A device's calibration as the noise terms of a circuit laid out on that device.

For a layer of duration T the qubit with times T1, T2 gets ``Relaxation(down=T/T1)`` and ``Dephasing(rate)`` with K = Z
and rate = (T/2) (1/T2 - 1/(2 T1)), so that its coherence falls by exp(-2 rate) exp(-T/(2 T1)) = exp(-T/T2). What the
calibrated gate errors hold beyond this thermal part becomes ``Depolarizing`` on the block's qubits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit import QuantumCircuit, generate_preset_pass_manager
from qiskit.circuit import Gate, ParameterExpression
from qiskit.exceptions import QiskitError
from qiskit.transpiler import InstructionProperties, Target
from qiskit.utils import apply_prefix

from equinoise.errors import DeviceError
from equinoise.problem.layout_choice import choose_layout, couplers_of, known_number, process_fidelity, thermal_fidelity
from equinoise.problem.noise import NoiseModel
from equinoise.problem.noise_terms import Dephasing, Depolarizing, Relaxation

if TYPE_CHECKING:
    from equinoise.problem.devices import Calibration
    from equinoise.problem.layers import Layer

__all__ = ["place", "stated"]

VIRTUAL = frozenset({"rz", "p", "u1"})
"""Frame changes: software only, no error and no duration when the device states none."""

ANGLE_SEED = 20260630


def stated(target: Target, name: str, qubits: tuple[int, ...]) -> InstructionProperties | None:
    """What the target states about an instruction on physical qubits (error, duration); None when nothing."""
    return (target[name] or {}).get(qubits) if name in target else None


# -- blocks: what is compiled together ---------------------------------------------------------------------------


@dataclass
class _Block:
    """Consecutive gates of one layer on the same one or two circuit qubits."""

    qubits: tuple[int, ...]
    positions: list[int]


def _blocks(layer: Layer, seen: set[int]) -> list[_Block]:
    """The layer's gates as blocks; single-qubit gates join the pair before or, if there is none, after them.

    An instruction of which several layers hold a part counts in the first; ``seen`` collects the positions.
    """
    blocks: list[_Block] = []
    last: dict[int, _Block] = {}
    for gate in sorted(layer.gates, key=lambda gate: gate.position):
        qubits = tuple(gate.qubits)
        if gate.name == "barrier" or not qubits or gate.position in seen:
            continue
        seen.add(gate.position)
        if len(qubits) > 2:
            raise DeviceError(
                f"gate {gate.name!r} acts on {len(qubits)} qubits {list(qubits)}; device noise is known for one "
                "and two. Decompose it into one- and two-qubit gates first, e.g. with circuit.decompose()."
            )
        held = [last.get(q) for q in qubits]
        block = held[0]
        if block is None or any(other is not block for other in held):
            loose = [b for b in held if b is not None and len(b.qubits) == 1]
            blocks = [b for b in blocks if not any(b is other for other in loose)]
            block = _Block(qubits, [position for b in loose for position in b.positions])
            blocks.append(block)
        block.positions.append(gate.position)
        last.update(dict.fromkeys(qubits, block))
    for block in blocks:
        block.positions.sort()
    return blocks


_Native = tuple[str, tuple[int, ...], float]
"""Name, local qubits and, for a delay, its length in seconds."""


class _Compiler:
    """Blocks compiled to the device's native gates, each structure once."""

    def __init__(self, circuit: QuantumCircuit, calibration: Calibration) -> None:
        self.circuit = circuit
        self.target = calibration.target
        self.device = calibration.name
        self._compiled: dict[Hashable, tuple[_Native, ...]] = {}
        self._native: dict[tuple[int, ...], tuple[frozenset[str], ...]] = {}

    def native(self, block: _Block, physical: tuple[int, ...]) -> tuple[_Native, ...]:
        """The block's native gates in time order, on local qubits 0 and 1."""
        structure = self._structure(block)
        if structure is None:
            return self._compile(block, physical)
        key = (structure, self._gate_set(physical))
        if key not in self._compiled:
            self._compiled[key] = self._compile(block, physical)
        return self._compiled[key]

    def _qubits(self, position: int, block: _Block) -> tuple[int, ...]:
        bits = self.circuit.data[position].qubits
        return tuple(block.qubits.index(self.circuit.find_bit(bit).index) for bit in bits)

    def _structure(self, block: _Block) -> Hashable:
        """Equal for blocks that compile alike: names, qubits, numbers, and which angles are the same free parameter."""
        order: dict[str, str] = {}
        rows = []
        for position in block.positions:
            told = _told(self.circuit.data[position].operation, order)
            if told is None:
                return None
            rows.append((*told, self._qubits(position, block)))
        return tuple(rows)

    def _gate_set(self, physical: tuple[int, ...]) -> tuple[frozenset[str], ...]:
        if physical not in self._native:
            self._native[physical] = tuple(_names(self.target, qubits) for qubits in _arrangements(physical))
        return self._native[physical]

    def _compile(self, block: _Block, physical: tuple[int, ...]) -> tuple[_Native, ...]:
        sub = QuantumCircuit(len(physical))
        for position in block.positions:
            sub.append(self.circuit.data[position].operation, self._qubits(position, block))
        # Generic angles: special ones (0, pi) compile to fewer gates than the circuit needs in general.
        rng = np.random.default_rng(ANGLE_SEED)
        names = sorted(sub.parameters, key=lambda parameter: parameter.name)
        sub = sub.assign_parameters({parameter: rng.uniform(0.3, 1.2) for parameter in names})
        local = self._local_target(physical)
        try:
            # Level 1 keeps a good template, level 3 resynthesizes: either can be the shorter one.
            found = [
                generate_preset_pass_manager(
                    level, target=local, initial_layout=range(len(physical)), routing_method="none", seed_transpiler=0
                ).run(sub)
                for level in (1, 3)
            ]
        except QiskitError as error:
            gates = [self.circuit.data[position].operation.name for position in block.positions]
            raise DeviceError(
                f"cannot compile the gates {gates} on circuit qubits {list(block.qubits)} to {self.device} "
                f"({str(error).strip()}). Decompose them into standard one- and two-qubit gates first."
            ) from None
        return min((_read(one, self.target.dt) for one in found), key=_gate_cost)

    def _local_target(self, physical: tuple[int, ...]) -> Target:
        local = Target(num_qubits=len(physical), dt=self.target.dt)
        places = {qubits: tuple(physical.index(q) for q in qubits) for qubits in _arrangements(physical)}
        for name in sorted(frozenset().union(*self._gate_set(physical))):
            known = {
                there: stated(self.target, name, here)
                for here, there in places.items()
                if name in _names(self.target, here)
            }
            local.add_instruction(self.target.operation_from_name(name), known, name=name)
        return local


def _told(operation: Any, order: dict[str, str]) -> tuple[Hashable, ...] | None:
    """What an operation is: a standard gate's name and angles, or what a user's gate (as OpenQASM defines) is made of.

    None for a gate without a definition, whose name does not fix what it is.
    """
    if getattr(operation, "_standard_gate", None) is not None or operation.name == "delay":
        return operation.name, tuple(_angle(v, order) for v in operation.params), getattr(operation, "unit", None)
    definition = getattr(operation, "definition", None)
    if definition is None:
        return None
    rows: list[Hashable] = [_angle(definition.global_phase, order)]
    for item in definition.data:
        told = _told(item.operation, order)
        if told is None:
            return None
        rows.append((told, tuple(definition.find_bit(bit).index for bit in item.qubits)))
    return tuple(rows)


def _angle(value: Any, order: dict[str, str]) -> Hashable:
    if isinstance(value, ParameterExpression):
        names = sorted((parameter.name for parameter in value.parameters), key=lambda name: (-len(name), name))
        if names:
            pattern = "|".join(map(re.escape, names))
            return re.sub(pattern, lambda match: order.setdefault(match[0], f"<{len(order)}>"), str(value))
        return complex(value)
    return value.tobytes() if isinstance(value, np.ndarray) else repr(value)


def _arrangements(physical: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [(q,) for q in physical] + ([physical, physical[::-1]] if len(physical) == 2 else [])


def _names(target: Target, qubits: tuple[int, ...]) -> frozenset[str]:
    try:
        listed = target.operation_names_for_qargs(qubits)
    except KeyError:
        return frozenset()
    usable = {name for name in listed if isinstance(target.operation_from_name(name), Gate)}
    return frozenset(usable | ({"delay"} & set(listed)))


def _read(compiled: QuantumCircuit, dt: float | None) -> tuple[_Native, ...]:
    out: list[_Native] = []
    for instruction in compiled.data:
        operation = instruction.operation
        length = 0.0
        if operation.name == "delay":
            length = operation.duration * (dt or 0.0) if operation.unit == "dt" else _seconds(operation)
        out.append((operation.name, tuple(compiled.find_bit(bit).index for bit in instruction.qubits), length))
    return tuple(gate for gate in out if gate[0] != "barrier")


def _seconds(operation: Any) -> float:
    return float(operation.duration if operation.unit == "s" else apply_prefix(operation.duration, operation.unit))


def _gate_cost(native: Iterable[_Native]) -> tuple[int, int]:
    listed = [gate for gate in native if gate[0] not in VIRTUAL]
    return sum(len(qubits) == 2 for _, qubits, _ in listed), len(listed)


# -- placing -----------------------------------------------------------------------------------------------------


def place(model: NoiseModel, circuit: QuantumCircuit, layers: Sequence[Layer]) -> NoiseModel:
    """The model with its device calibration turned into terms for this circuit's layers.

    Every layer is compiled block by block to native gates (virtual Z rotations cost nothing) and scheduled as soon as
    possible; its duration T gives each circuit qubit, idle ones included, relaxation down = T/T1 (up = 0: the
    excited-state population is not in a calibration) and dephasing (T/2)(1/T2 - 1/(2 T1)). A block on d dimensions has
    the calibrated process fidelity F = product of ((d_g + 1)(1 - r_g) - 1)/d_g over its native gates g of average error
    r_g; its depolarizing rate -ln e solves e F_thermal + (1 - e)/d^2 = F, F_thermal the process fidelity of the thermal
    noise during the block's own duration.

    Approximate: all noise of a layer acts after it; gates of different layers or blocks are not merged when compiling;
    free angles count as generic; crosstalk and coherent errors are not in a calibration.

    Args:
        model: A model with a calibration; one without is returned as it is.
        circuit: The circuit, parameters free or bound.
        layers: Its layers; ``gates`` of each have position (in ``circuit.data``), name and qubits.

    Returns:
        The model without calibration: terms with ``layers=(l,)`` beside its other terms, readout errors on circuit
        qubits (the model's own win), and notes on the layout and on what was missing.

    Raises:
        DeviceError: No layout without SWAPs, a layout of the wrong length or with gates on uncoupled qubits, a gate on
            more than two qubits or without native translation, or a calibrated error so large that no rate gives it.
    """
    calibration = model.calibration
    if calibration is None:
        return model
    seen: set[int] = set()
    blocks = [_blocks(layer, seen) for layer in layers]
    layout = _layout_for(calibration, circuit, layers)
    compiler = _Compiler(circuit, calibration)
    tally = _Tally(calibration)
    terms: dict[str, list[Any]] = {"dephasing": [], "relaxation": [], "depolarizing": []}
    durations = []
    for index, members in enumerate(blocks):
        clock: dict[int, float] = {}
        for block in members:
            physical = tuple(layout[q] for q in block.qubits)
            native = compiler.native(block, physical)
            gates = [
                (tuple(physical[q] for q in local), *tally.look_up(name, local, physical, length))
                for name, local, length in native
            ]
            rate = tally.excess(block, physical, gates)
            if rate > 0:
                terms["depolarizing"].append(Depolarizing(block.qubits, rate, layers=(index,)))
            _advance(clock, gates)
        durations.append(max(clock.values(), default=0.0))
        for qubit, site in enumerate(layout):
            t1, t2 = calibration.t1[site], calibration.t2[site]
            if t1 is None or t2 is None or durations[-1] == 0:
                continue
            down, dephasing = durations[-1] / t1, durations[-1] / 2 * (1 / t2 - 1 / (2 * t1))
            if down > 0:
                terms["relaxation"].append(Relaxation(qubit, down=down, layers=(index,)))
            if dephasing > 0:
                terms["dephasing"].append(Dephasing(dephasing, ((qubit, 1.0),), layers=(index,)))
    measured = {q: calibration.readout_error[site] for q, site in enumerate(layout)}
    known = {q: errors for q, errors in measured.items() if errors is not None}
    return NoiseModel(
        dephasing=(*model.dephasing, *terms["dephasing"]),
        relaxation=(*model.relaxation, *terms["relaxation"]),
        depolarizing=(*model.depolarizing, *terms["depolarizing"]),
        pauli=model.pauli,
        phases=model.phases,
        readout_error=known | dict(model.readout_error),
        notes=(*model.notes, *_notes(calibration, layout, durations), *tally.notes()),
        name=model.name,
    )


def _layout_for(calibration: Calibration, circuit: QuantumCircuit, layers: Sequence[Layer]) -> tuple[int, ...]:
    gates = [gate for layer in layers for gate in layer.gates if gate.name != "barrier" and len(gate.qubits) == 2]
    pairs = [(gate.qubits[0], gate.qubits[1]) for gate in gates]
    if calibration.layout is None:
        return choose_layout(calibration, circuit.num_qubits, pairs, len(layers))
    couplers = couplers_of(calibration.target)
    layout = calibration.layout
    if len(layout) != circuit.num_qubits:
        raise DeviceError(
            f"layout lists {len(layout)} physical qubits, but the circuit has {circuit.num_qubits} qubits. "
            "Give one physical qubit per circuit qubit, or layout=None to have one chosen."
        )
    for gate, (a, b) in zip(gates, pairs, strict=True):
        if (min(layout[a], layout[b]), max(layout[a], layout[b])) not in couplers:
            raise DeviceError(
                f"the layout puts gate {gate.name!r} of circuit qubits ({a}, {b}) on physical qubits "
                f"({layout[a]}, {layout[b]}) of {calibration.name}, which are not coupled. Give another layout, "
                "layout=None to have one chosen, or route the circuit first with qiskit.transpile."
            )
    return layout


_Timed = tuple[tuple[int, ...], float, float]
"""Physical qubits, duration in seconds and average infidelity of one native gate."""


def _advance(clock: dict[int, float], gates: Iterable[_Timed]) -> None:
    for qubits, duration, _ in gates:
        end = max(clock.get(q, 0.0) for q in qubits) + duration
        clock.update(dict.fromkeys(qubits, end))


class _Tally:
    """Gate errors and durations looked up, with a record of what was missing."""

    def __init__(self, calibration: Calibration) -> None:
        self.calibration = calibration
        self.missing: dict[tuple[str, str], set[tuple[int, ...]]] = {}
        self.blocks = self.exceeded = 0

    def look_up(
        self, name: str, local: tuple[int, ...], physical: tuple[int, ...], length: float
    ) -> tuple[float, float]:
        """Duration in seconds and average infidelity of a native gate."""
        if name == "delay":
            return length, 0.0
        qubits = tuple(physical[q] for q in local)
        known = stated(self.calibration.target, name, qubits)
        duration, error = known_number(known, "duration"), known_number(known, "error")
        for what, value in (("duration", duration), ("error", error)):
            if value is None and name not in VIRTUAL:
                self.missing.setdefault((what, name), set()).add(qubits)
        return duration or 0.0, error or 0.0

    def excess(self, block: _Block, physical: tuple[int, ...], gates: list[_Timed]) -> float:
        """Depolarizing rate that makes up the calibrated process fidelity on top of the thermal noise."""
        clock: dict[int, float] = {}
        _advance(clock, gates)
        duration = max(clock.values(), default=0.0)
        mixed = 4.0 ** -len(physical)  # process fidelity of the completely depolarizing channel
        each = [process_fidelity(error, 2 ** len(qubits)) for qubits, _, error in gates]
        thermal = math.prod(thermal_fidelity(self.calibration, q, duration) for q in physical)
        kept = (math.prod(each) - mixed) / (thermal - mixed)
        if kept <= 0 or any(f <= 4.0 ** -len(qubits) for f, (qubits, _, _) in zip(each, gates, strict=True)):
            worst, _, error = max(gates, key=lambda gate: gate[2])
            raise DeviceError(
                f"{self.calibration.name} lists error {error:.3g} for a gate on physical qubits {list(worst)}; "
                f"with it, the block on circuit qubits {list(block.qubits)} is worse than complete depolarizing. "
                "Give a layout without these qubits, or layout=None to have one chosen."
            )
        self.blocks += bool(clock) and (duration > 0 or math.prod(each) < 1)
        self.exceeded += kept > 1 + 1e-12
        return -math.log(kept) if kept < 1 - 1e-14 else 0.0

    def notes(self) -> list[str]:
        """What was missing, and how many blocks the thermal noise alone makes worse than calibrated."""
        name = self.calibration.name
        out = [
            f"{name}: {what} of gate {gate} missing on {len(sites)} qubits or pairs: taken as 0"
            for (what, gate), sites in sorted(self.missing.items())
        ]
        if self.exceeded:
            out.append(
                f"{name}: in {self.exceeded} of {self.blocks} blocks T1 and T2 alone exceed the calibrated gate error: "
                "no depolarizing there, the total error is above the calibrated one"
            )
        return out


def _notes(calibration: Calibration, layout: tuple[int, ...], durations: Sequence[float]) -> list[str]:
    name = calibration.name
    how = "given" if calibration.layout is not None else "chosen by Qiskit's VF2Layout"
    listed = ", ".join(map(str, layout))
    span = f"{min(durations) * 1e9:.0f} to {max(durations) * 1e9:.0f} ns" if durations else "none"
    return [
        f"{name}: layout {how}, physical qubits {listed} for circuit qubits 0..{len(layout) - 1}",
        f"{name}: layer durations {span}; all noise of a layer acts after it, free angles counted as generic, "
        "excited-state population, crosstalk and coherent errors not included",
    ]
