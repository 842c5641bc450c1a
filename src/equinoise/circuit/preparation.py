"""Leading gates that break the charge before anything is trained: a preparation, as feature maps are.

What stands before the first trained gate of its wires, and depends on data alone, makes the input of what is trained.
Of it the preparation is the smallest part that holds all that breaks the charge, with all that comes before that on the
same wires: what is left conserves, and is seen in charge sectors.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit

from equinoise.circuit.blocks import Block, consolidate, embed
from equinoise.circuit.gates import Gate, Rotation
from equinoise.circuit.layers import (
    Layer,
    Layered,
    Segment,
    as_soon_as_possible,
    prepared_state,
    segment_blocks,
    segments,
)

__all__ = ["Preparation", "leading_preparation"]

Complex = npt.NDArray[np.complex128]
Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Preparation:
    """A circuit in two: the leading gates that prepare a state, and what acts on it.

    Attributes:
        num_qubits: n.
        layers: The preparation's, in time order.
        behind: What follows, in layers. Its ``prepared`` are the states before the preparation's layers, made by
            parameter-free one-qubit gates.
    """

    num_qubits: int
    layers: tuple[Layer, ...]
    behind: Layered

    @property
    def parameters(self) -> tuple[int, ...]:
        """Indices of the circuit parameters that it depends on, ascending."""
        blocks = (block for layer in self.layers for block in layer.blocks)
        return tuple(sorted({k for b in blocks for r in b.rotations for k, _ in r.angle.coefficients}))

    @property
    def gates(self) -> int:
        """Number of its gates."""
        return sum(len(layer.gates) for layer in self.layers)

    def applied(self, state: Complex, theta: Real) -> Complex:
        """The state vector that it makes of one, both of shape (2^n,), at parameter values, shape (K,)."""
        for layer in self.layers:
            for block in layer.blocks:
                state = _moved(state, block, theta, self.num_qubits)
        return state


def leading_preparation(circuit: QuantumCircuit, data: Collection[int], from_zero: bool) -> Preparation | None:
    """The preparation that a circuit begins with; None if no gate that depends on data alone breaks the charge there.

    What is behind it need not conserve the charge: then there is no preparation with which the circuit would.

    Args:
        circuit: The circuit.
        data: Indices of the parameters that are no weights.
        from_zero: Whether it starts from |0...0>, so that first gates on single qubits may prepare these.

    Raises:
        CircuitError: A measurement, reset or control flow inside the circuit.
        ParameterError: An angle is not linear in the parameters.
    """
    parts, notes = segments(circuit)
    leading = _without_weights(parts, frozenset(data))
    for part in parts:
        leading -= _needed_behind(part.gates, leading)
    smallest = _closed(parts, leading, circuit.num_qubits, from_zero)
    if not smallest:
        return None
    found = _split(parts, smallest, circuit.num_qubits, from_zero, notes)
    if all(block.conserving for layer in found.behind.layers for block in layer.blocks):
        return found
    return _split(parts, leading, circuit.num_qubits, from_zero, notes)


def _without_weights(parts: Sequence[Segment], data: frozenset[int]) -> set[int]:
    """Positions of the gates that depend on data alone, and stand behind no others on any of their wires."""
    behind: set[int] = set()
    out: set[int] = set()
    for gate in (gate for part in parts for gate in part.gates):
        angles = {k for rotation in gate.rotations for k, _ in rotation.angle.coefficients}
        if angles <= data and behind.isdisjoint(gate.qubits):
            out.add(gate.position)
        else:
            behind |= set(gate.qubits)
    return out


def _needed_behind(gates: Sequence[Gate], leading: Collection[int]) -> set[int]:
    """Leading gates without which a block of what follows would not conserve, as the first CX of CX RZ(w) CX."""
    out: set[int] = set()
    for block in consolidate([g for g in gates if g.position not in leading])[0]:
        if block.conserving:
            continue
        # the last leading gates on the block's wires, latest first: taken over one by one until the block conserves
        free = set(block.qubits)
        taken: list[Gate] = []
        for gate in reversed([g for g in gates if g.position in leading and g.position not in out]):
            if not free.issuperset(gate.qubits):
                free -= set(gate.qubits)
                continue
            taken.insert(0, gate)
            if all(b.conserving for b in consolidate([*taken, *block.gates])[0]):
                out |= {g.position for g in taken}
                break
    return out


def _closed(parts: Sequence[Segment], leading: Collection[int], num_qubits: int, from_zero: bool) -> set[int]:
    """Of leading gates those that break the charge, with all that come before them; empty if none breaks it."""
    blocks: list[Block] = []
    free = set(range(num_qubits)) if from_zero else set()
    for part in parts:
        gates = [g for g in part.gates if g.position in leading]
        blocks += consolidate(gates, free)[0]
        free -= {q for gate in part.gates for q in gate.qubits}
    kept = {g.position for block in blocks if not block.conserving for g in block.gates}
    if not kept:
        return kept
    # going back in time, all on the wires of what is kept is kept; parts of one gate may stand in several blocks
    before = -1
    while len(kept) > before:
        before, wires = len(kept), set[int]()
        for block in reversed(blocks):
            if not wires.isdisjoint(block.qubits) or any(g.position in kept for g in block.gates):
                kept |= {g.position for g in block.gates}
                wires |= {q for g in block.gates for q in g.qubits}
    in_blocks = {g.position for block in blocks for g in block.gates}
    return kept | (set(leading) - in_blocks)


def _split(
    parts: Sequence[Segment], leading: Collection[int], num_qubits: int, from_zero: bool, notes: Sequence[str]
) -> Preparation:
    prepared: dict[int, list[Rotation]] = {}
    first: list[tuple[tuple[Block, ...], tuple[Gate, ...]]] = []
    second: list[tuple[tuple[Block, ...], tuple[Gate, ...]]] = []
    told = list(notes)
    fresh = set(range(num_qubits)) if from_zero else set()
    for part in parts:
        gates = [g for g in part.gates if g.position in leading]
        blocks, start = consolidate(gates, fresh)
        used = {g.position for block in blocks for g in block.gates}
        first.append((blocks, tuple(g for g in gates if g.position in used)))
        prepared |= start
        fresh -= {q for gate in part.gates for q in gate.qubits}
        blocks, _, kept, more = segment_blocks([g for g in part.gates if g.position not in leading], set())
        second.append((blocks, kept))
        told += more
    stated = [bool(a or b) for (a, _), (b, _) in zip(first, second, strict=True)]
    by_barriers = sum(stated) > 1 or any(part.ended and there for part, there in zip(parts, stated, strict=True))

    def laid_out(found: Sequence[tuple[tuple[Block, ...], tuple[Gate, ...]]]) -> tuple[Layer, ...]:
        if by_barriers:
            return tuple(Layer(blocks, gates) for blocks, gates in found if blocks)
        return tuple(as_soon_as_possible(tuple(b for blocks, _ in found for b in blocks), num_qubits))

    states = {q: prepared_state(rotations) for q, rotations in prepared.items()}
    how = "barriers" if by_barriers else "as soon as possible"
    return Preparation(num_qubits, laid_out(first), Layered(laid_out(second), states, how, tuple(told)))


# -- the state vector ------------------------------------------------------------------------------------------------


def _moved(state: Complex, block: Block, theta: Real, num_qubits: int) -> Complex:
    """A block's unitary on a state vector."""
    if len(block.qubits) <= 2:
        unitary = np.eye(2 ** len(block.qubits), dtype=np.complex128)
        for rotation in block.rotations:
            unitary = embed(rotation.matrix(theta), rotation.qubits, block.qubits) @ unitary
        return _turned(state, unitary, block.qubits, num_qubits)
    for rotation in block.rotations:
        matrix = rotation.matrix(theta)
        turned = _turned(state, matrix, rotation.qubits, num_qubits)
        if rotation.string:
            # exp(-i angle H P) is the rotation's matrix where the string's parity P is 1, its inverse where it is -1
            mask = sum(1 << q for q in rotation.string)
            odd = np.bitwise_count(np.arange(state.size, dtype=np.uint64) & np.uint64(mask)) % 2 == 1
            turned = np.where(odd, _turned(state, matrix.conj().T, rotation.qubits, num_qubits), turned)
        state = turned
    return state


def _turned(state: Complex, matrix: Complex, qubits: Sequence[int], num_qubits: int) -> Complex:
    """A matrix on a few qubits (the first is the least significant bit) on a state vector."""
    count = len(qubits)
    axes = [num_qubits - 1 - q for q in reversed(qubits)]  # axis a of the tensor is qubit n - 1 - a
    tensor = state.reshape((2,) * num_qubits)
    diagonal = matrix.diagonal()
    if not np.any(matrix - np.diag(diagonal)):
        order = np.argsort(axes)
        shape = [2 if axis in axes else 1 for axis in range(num_qubits)]
        return np.asarray((tensor * diagonal.reshape((2,) * count).transpose(order).reshape(shape)).reshape(-1))
    front = np.moveaxis(tensor, axes, range(count)).reshape(2**count, -1)
    moved = (matrix @ front).reshape((2,) * num_qubits)
    return np.ascontiguousarray(np.moveaxis(moved, range(count), axes)).reshape(-1)
