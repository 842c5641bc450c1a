"""A circuit's layers: what lies between two full-width barriers, or as-soon-as-possible layers of two-qubit blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit

from equinoise.errors import CircuitError
from equinoise.problem.blocks import Block, consolidate
from equinoise.problem.gates import Gate, Rotation, rotations_of

__all__ = ["Layer", "Layered", "split_layers"]


@dataclass(frozen=True)
class Layer:
    """One layer; the noise slot of the same index follows it.

    Attributes:
        blocks: Unitaries on one qubit or one pair, in time order.
        gates: The circuit instructions in it.
    """

    blocks: tuple[Block, ...]
    gates: tuple[Gate, ...]


@dataclass(frozen=True)
class Layered:
    """A circuit in layers.

    Attributes:
        layers: In time order.
        prepared: Per qubit the state made by its leading parameter-free one-qubit gates, shape (2,); empty when a
            preparation was not looked for.
        barriers: Whether full-width barriers made the layers (else as soon as possible).
        notes: What was dropped.
    """

    layers: tuple[Layer, ...]
    prepared: dict[int, npt.NDArray[np.complex128]]
    barriers: bool
    notes: tuple[str, ...]


def split_layers(circuit: QuantumCircuit, *, find_preparation: bool = True) -> tuple[Layer, ...]:
    """The layers of a circuit; see :func:`layered`."""
    return layered(circuit, find_preparation=find_preparation).layers


def layered(circuit: QuantumCircuit, *, find_preparation: bool = True) -> Layered:
    """Splits a circuit into layers of consolidated blocks.

    With full-width barriers a layer is what lies between two of them (empty ones are dropped); without, blocks are
    placed as soon as possible. Leading parameter-free one-qubit gates are split off as the preparation if asked.

    Raises:
        CircuitError: A measurement, reset or control flow inside the circuit.
        ParameterError: An angle is not linear in the parameters.
    """
    segments, barriers, notes = _segments(circuit)
    prepared: dict[int, list[Rotation]] = {}
    layers: list[Layer] = []
    seen: set[int] = set()
    for gates in segments:
        # only a wire's very first gates can prepare it
        fresh = set(range(circuit.num_qubits)) - seen if find_preparation else set()
        blocks, start = consolidate(gates, fresh)
        prepared |= start
        seen |= {q for gate in gates for q in gate.qubits}
        if barriers:
            kept = _without_preparation(gates, blocks, start)
            if kept:
                layers.append(Layer(blocks, kept))
        else:
            layers += _as_soon_as_possible(blocks, circuit.num_qubits)
    states = {q: _prepared_state(rotations) for q, rotations in prepared.items()}
    return Layered(tuple(layers), states, barriers, tuple(notes))


def _segments(circuit: QuantumCircuit) -> tuple[list[list[Gate]], bool, list[str]]:
    index = {parameter: i for i, parameter in enumerate(circuit.parameters)}
    segments: list[list[Gate]] = [[]]
    notes: list[str] = []
    measured: set[int] = set()
    barriers = False
    for position, item in enumerate(circuit.data):
        qubits = tuple(circuit.find_bit(bit).index for bit in item.qubits)
        name = item.operation.name
        where = f"gate {name!r} at position {position} on qubits {list(qubits)}"
        if name == "barrier":
            if len(qubits) == circuit.num_qubits:
                barriers = True
                segments.append([])
            continue
        if name == "measure":
            measured |= set(qubits)
            continue
        if measured & set(qubits):
            raise CircuitError(
                f"{where} follows a measurement. Only final measurements are allowed; remove the others."
            )
        segments[-1].append(Gate(position, name, qubits, rotations_of(item.operation, qubits, index, where)))
    if measured:
        notes.append(f"final measurements of {len(measured)} qubits ignored: the readout says what is measured")
    return segments, barriers, notes


def _without_preparation(
    gates: list[Gate], blocks: tuple[Block, ...], start: dict[int, list[Rotation]]
) -> tuple[Gate, ...]:
    if not start:
        return tuple(gates)
    used = {gate.position for block in blocks for gate in block.gates}
    return tuple(gate for gate in gates if gate.position in used or not gate.rotations)


def _as_soon_as_possible(blocks: tuple[Block, ...], num_qubits: int) -> list[Layer]:
    free = [0] * num_qubits
    placed: dict[int, list[Block]] = {}
    for block in blocks:
        pair = len(block.qubits) == 2
        depth = max(free[q] for q in block.qubits)
        # a one-qubit block joins the last layer that its wire was in
        layer = depth if pair else max(0, depth - 1)
        placed.setdefault(layer, []).append(block)
        for q in block.qubits:
            free[q] = layer + 1
    layers = []
    for layer in sorted(placed):
        gates = {g.position: g for block in placed[layer] for g in block.gates}
        layers.append(Layer(tuple(placed[layer]), tuple(gates[p] for p in sorted(gates))))
    return layers


def _prepared_state(rotations: list[Rotation]) -> npt.NDArray[np.complex128]:
    state = np.array([1.0, 0.0], dtype=np.complex128)
    for rotation in rotations:
        state = rotation.matrix(np.zeros(0)) @ state
    state[np.abs(state) < 1e-14] = 0.0
    return state
