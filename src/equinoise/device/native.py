"""Blocks of a circuit's layers compiled to a device's native gates."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit import QuantumCircuit, generate_preset_pass_manager
from qiskit.circuit import Gate, ParameterExpression
from qiskit.exceptions import QiskitError
from qiskit.transpiler import Target
from qiskit.utils import apply_prefix

from equinoise.device.gate_fidelity import stated
from equinoise.errors import DeviceError

if TYPE_CHECKING:
    from equinoise.circuit.layers import Layer
    from equinoise.device.snapshots import Calibration

__all__ = ["VIRTUAL", "Block", "Compiler", "blocks_of"]

VIRTUAL = frozenset({"rz", "p", "u1"})
"""Frame changes: software only, no error and no duration when the device states none."""

ANGLE_SEED = 20260630


@dataclass
class Block:
    """Consecutive gates of one layer on the same one or two circuit qubits."""

    qubits: tuple[int, ...]
    positions: list[int]


def blocks_of(layer: Layer, seen: set[int]) -> list[Block]:
    """The layer's gates as blocks; single-qubit gates join the pair before or, if there is none, after them.

    An instruction of which several layers hold a part counts in the first; ``seen`` collects the positions.
    """
    blocks: list[Block] = []
    last: dict[int, Block] = {}
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
        # A gate goes on with the block of its qubits if both are in the same one. Else a new block begins, which takes
        # up blocks of single gates that waited on its wires.
        held = [last.get(q) for q in qubits]
        block = held[0]
        if block is None or any(other is not block for other in held):
            loose = [b for b in held if b is not None and len(b.qubits) == 1]
            blocks = [b for b in blocks if not any(b is other for other in loose)]
            block = Block(qubits, [position for b in loose for position in b.positions])
            blocks.append(block)
        block.positions.append(gate.position)
        last.update(dict.fromkeys(qubits, block))
    for block in blocks:
        block.positions.sort()
    return blocks


_Native = tuple[str, tuple[int, ...], float]
"""Name, local qubits and, for a delay, its length in seconds."""


class Compiler:
    """Blocks compiled to the device's native gates, each structure once."""

    def __init__(self, circuit: QuantumCircuit, calibration: Calibration) -> None:
        self.circuit = circuit
        self.target = calibration.target
        self.device = calibration.name
        self._compiled: dict[Hashable, tuple[_Native, ...]] = {}
        self._native: dict[tuple[int, ...], tuple[frozenset[str], ...]] = {}

    def native(self, block: Block, physical: tuple[int, ...]) -> tuple[_Native, ...]:
        """The block's native gates in time order, on local qubits 0 and 1."""
        structure = self.structure(block)
        if structure is None:
            return self._compile(block, physical)
        key = (structure, self.gate_set(physical))
        if key not in self._compiled:
            self._compiled[key] = self._compile(block, physical)
        return self._compiled[key]

    def _qubits(self, position: int, block: Block) -> tuple[int, ...]:
        bits = self.circuit.data[position].qubits
        return tuple(block.qubits.index(self.circuit.find_bit(bit).index) for bit in bits)

    def structure(self, block: Block) -> Hashable:
        """Equal for blocks that compile alike: names, qubits, numbers, and which angles are the same free parameter."""
        order: dict[str, str] = {}
        rows = []
        for position in block.positions:
            told = _told(self.circuit.data[position].operation, order)
            if told is None:
                return None
            rows.append((*told, self._qubits(position, block)))
        return tuple(rows)

    def gate_set(self, physical: tuple[int, ...]) -> tuple[frozenset[str], ...]:
        """The native gates there are on one or two physical qubits: on each, and on the pair both ways."""
        if physical not in self._native:
            self._native[physical] = tuple(_names(self.target, qubits) for qubits in _arrangements(physical))
        return self._native[physical]

    def _compile(self, block: Block, physical: tuple[int, ...]) -> tuple[_Native, ...]:
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
        for name in sorted(frozenset().union(*self.gate_set(physical))):
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
