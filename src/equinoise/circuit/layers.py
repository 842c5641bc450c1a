"""A circuit's layers: what lies between full-width barriers, or as-soon-as-possible layers of two-qubit blocks.

A barrier ends a layer if gates stand on both sides of it. One before the first gate, behind the last (``measure_all``
adds it) or behind the preparation alone says nothing about layers: such a circuit has none of its own, and its blocks
are placed as soon as possible. A circuit of one stated layer is told from it by the label that :func:`end_layer` gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit

from equinoise.circuit.blocks import Block, consolidate
from equinoise.circuit.exponentials import as_exponentials
from equinoise.circuit.gates import Gate, Rotation, rotations_of
from equinoise.errors import CircuitError

__all__ = [
    "Layer",
    "Layered",
    "Segment",
    "as_soon_as_possible",
    "end_layer",
    "layered",
    "placed",
    "prepared_state",
    "segment_blocks",
    "segments",
    "split_layers",
]

_LABEL = "layer"


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
        found: How they were found: "barriers" or "as soon as possible".
        notes: What was dropped.
    """

    layers: tuple[Layer, ...]
    prepared: dict[int, npt.NDArray[np.complex128]]
    found: str
    notes: tuple[str, ...]


def split_layers(circuit: QuantumCircuit, *, find_preparation: bool = True) -> tuple[Layer, ...]:
    """The layers of a circuit; see :func:`layered`."""
    return layered(circuit, find_preparation=find_preparation).layers


def end_layer(circuit: QuantumCircuit) -> None:
    """Appends a full-width barrier that ends a layer even where no gate follows it: it is labelled "layer".

    The builders of :mod:`equinoise.circuits` end their layers so. OpenQASM holds no labels: there a circuit of a single
    layer is placed as soon as possible.
    """
    circuit.barrier(label=_LABEL)


def layered(
    circuit: QuantumCircuit, *, find_preparation: bool = True, at: npt.NDArray[np.float64] | None = None
) -> Layered:
    """Splits a circuit into layers of consolidated blocks.

    A full-width barrier with gates on both sides ends a layer, and so does one labelled "layer" behind a gate; without
    any, blocks are placed as soon as possible. Leading parameter-free one-qubit gates are split off as the preparation
    if asked; they are no gates on a barrier's side. With ``at``, parameter values of shape (K,), blocks conserve the
    charge if they do so there.

    Raises:
        CircuitError: A measurement, reset or control flow inside the circuit.
        ParameterError: An angle is not linear in the parameters.
    """
    parts, notes = segments(circuit)
    prepared: dict[int, list[Rotation]] = {}
    seen: set[int] = set()
    found: list[tuple[Segment, tuple[Block, ...], tuple[Gate, ...]]] = []
    for part in parts:
        # only a wire's very first gates can prepare it
        fresh = set(range(circuit.num_qubits)) - seen if find_preparation else set()
        blocks, start, kept, told = segment_blocks(part.gates, fresh, at)
        notes += told
        prepared |= start
        seen |= {q for gate in part.gates for q in gate.qubits}
        found.append((part, blocks, kept))
    layers, how = placed(found, circuit.num_qubits)
    states = {q: prepared_state(rotations) for q, rotations in prepared.items()}
    return Layered(layers, states, how, tuple(notes))


def placed(
    found: Sequence[tuple[Segment, tuple[Block, ...], tuple[Gate, ...]]], num_qubits: int
) -> tuple[tuple[Layer, ...], str]:
    """Layers of blocks, and how they were found: by the barriers, or as soon as possible where these say nothing.

    Args:
        found: Per segment its blocks, and the gates that stand in them.
        num_qubits: Of the circuit.
    """
    layers = [Layer(blocks, gates) for _, blocks, gates in found if gates]
    if len(layers) > 1 or any(part.ended for part, _, gates in found if gates):
        return tuple(layers), "barriers"
    return tuple(
        one for layer in layers for one in as_soon_as_possible(layer.blocks, num_qubits)
    ), "as soon as possible"


def segment_blocks(
    gates: list[Gate], fresh: set[int], at: npt.NDArray[np.float64] | None = None
) -> tuple[tuple[Block, ...], dict[int, list[Rotation]], tuple[Gate, ...], tuple[str, ...]]:
    """Blocks of a segment's gates, what prepares single qubits, the gates that stand in the blocks, and notes.

    Args:
        gates: In time order.
        fresh: Qubits whose first gates these are: leading parameter-free one-qubit gates prepare them.
        at: Parameter values at which alone the charge is asked for.
    """
    blocks, start = consolidate(gates, fresh, at)
    if at is None and not all(block.conserving for block in blocks):
        read = _read_as_exponentials(gates, fresh)
        if read is not None:
            return read
    return blocks, start, _without_preparation(gates, blocks, start), ()


@dataclass
class Segment:
    """What stands between two full-width barriers, and whether the second one is labelled as a layer's end."""

    gates: list[Gate]
    ended: bool = False


def segments(circuit: QuantumCircuit) -> tuple[list[Segment], list[str]]:
    """The gates between full-width barriers, and what was dropped.

    Raises:
        CircuitError: A gate behind a measurement, or an instruction that is not a unitary gate.
        ParameterError: An angle is not linear in the parameters.
    """
    index = {parameter: i for i, parameter in enumerate(circuit.parameters)}
    parts = [Segment([])]
    notes: list[str] = []
    measured: set[int] = set()
    for position, item in enumerate(circuit.data):
        qubits = tuple(circuit.find_bit(bit).index for bit in item.qubits)
        name = item.operation.name
        where = f"gate {name!r} at position {position} on qubits {list(qubits)}"
        if name == "barrier":
            if len(qubits) == circuit.num_qubits:
                parts[-1].ended = item.operation.label == _LABEL
                parts.append(Segment([]))
            continue
        if name == "measure":
            measured |= set(qubits)
            continue
        if measured & set(qubits):
            raise CircuitError(
                f"{where} follows a measurement. Only final measurements are allowed; remove the others."
            )
        parts[-1].gates.append(Gate(position, name, qubits, rotations_of(item.operation, qubits, index, where)))
    if measured:
        notes.append(f"final measurements of {len(measured)} qubits ignored: the readout says what is measured")
    return parts, notes


def _read_as_exponentials(
    gates: list[Gate], fresh: set[int]
) -> tuple[tuple[Block, ...], dict[int, list[Rotation]], tuple[Gate, ...], tuple[str, ...]] | None:
    """Blocks, preparation, gates and a note, where ladders of Clifford gates make blocks that conserve the charge."""
    # a leading bit flip prepares a qubit; what else comes first belongs to a ladder
    prepared: dict[int, list[Rotation]] = {}
    rest: list[Gate] = []
    for gate in gates:
        first = gate.qubits[0] if len(gate.qubits) == 1 else None
        if first in fresh and _flips(gate):
            prepared.setdefault(first, []).extend(gate.rotations)
        else:
            fresh = fresh - set(gate.qubits)
            rest.append(gate)
    found = as_exponentials(rest)
    if found is None:
        return None
    blocks, _ = consolidate(found.gates)
    if not all(block.conserving for block in blocks):
        return None
    note = (
        f"{found.taken} gates read as {len(found.gates)} exponentials of Pauli sums that conserve the charge: noise "
        "acts after each of these, not inside"
    )
    return blocks, prepared, tuple(rest), (note,)


def _flips(gate: Gate) -> bool:
    """Whether a gate on one qubit takes |0> to |1>, whatever the parameters."""
    if not gate.rotations or any(r.angle.coefficients for r in gate.rotations):
        return False
    return bool(abs(prepared_state(list(gate.rotations))[0]) < 1e-9)


def _without_preparation(
    gates: list[Gate], blocks: tuple[Block, ...], start: dict[int, list[Rotation]]
) -> tuple[Gate, ...]:
    if not start:
        return tuple(gates)
    used = {gate.position for block in blocks for gate in block.gates}
    return tuple(gate for gate in gates if gate.position in used or not gate.rotations)


def as_soon_as_possible(blocks: tuple[Block, ...], num_qubits: int) -> list[Layer]:
    """Layers of blocks, each in the first in which all of its wires are free."""
    # ``free[q]`` is the first layer in which wire q has no block yet: a block starts when all of its wires are free,
    # those of a Jordan-Wigner string too, on which it acts as physically as on the others.
    free = [0] * num_qubits
    placed: dict[int, list[Block]] = {}
    for block in blocks:
        several = len(block.qubits) > 1
        depth = max(free[q] for q in block.qubits)
        # a one-qubit block joins the last layer that its wire was in
        layer = depth if several else max(0, depth - 1)
        placed.setdefault(layer, []).append(block)
        for q in block.qubits:
            free[q] = layer + 1
    layers = []
    for layer in sorted(placed):
        gates = {g.position: g for block in placed[layer] for g in block.gates}
        layers.append(Layer(tuple(placed[layer]), tuple(gates[p] for p in sorted(gates))))
    return layers


def prepared_state(rotations: list[Rotation]) -> npt.NDArray[np.complex128]:
    """What parameter-free rotations on one qubit make of |0>, shape (2,)."""
    state = np.array([1.0, 0.0], dtype=np.complex128)
    for rotation in rotations:
        state = rotation.matrix(np.zeros(0)) @ state
    state[np.abs(state) < 1e-14] = 0.0
    return state
