"""A PennyLane circuit as a Qiskit circuit in layers, with its channels exactly where they stand.

Without channels, gates are handed over in order, and the device's own noise acts after each layer as
:class:`equinoise.Problem` defines it (full-width ``qml.Barrier``, or as soon as possible). With channels, a layer ends
wherever a gate follows a channel on one of its wires; inside a slot the order is dephasing, relaxation, depolarizing,
Pauli, any other, and a channel that would have to act before one that is there already, and does not commute with it,
gets a layer of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pennylane as qml
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, ParameterVector
from qiskit.circuit.library import IGate, XGate

from equinoise.circuit.blocks import breaking_gates
from equinoise.circuit.layers import end_layer, layered
from equinoise.errors import StateError, SymmetryError
from equinoise.interop.expectations import prepared_or_empty
from equinoise.interop.pennylane_channels import channel_terms, check_channel
from equinoise.interop.pennylane_gates import IDLE, first_wires, fixed_gate, gate_parts, is_fixed
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import NoiseTerm
from equinoise.noise.terms.term import FIRST, LAST, SECOND

__all__ = ["Converted", "Structure", "convert", "described", "is_channel", "structure_of", "takes"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

# gates without parameters whose name says it all
_PLAIN = frozenset(
    {
        "CNOT",
        "CY",
        "CZ",
        "Hadamard",
        "ISWAP",
        "Identity",
        "PauliX",
        "PauliY",
        "PauliZ",
        "S",
        "SISWAP",
        "SWAP",
        "SX",
        "T",
    }
)


def is_channel(operation: Any) -> bool:
    """Whether an operation is a noise channel."""
    return isinstance(operation, qml.operation.Channel)


@dataclass(frozen=True)
class Structure:
    """What a circuit's conversion depends on, apart from its free parameters.

    Attributes:
        key: Equal for circuits that differ in free parameters alone.
        theta: The free parameters, shape (K,), in the order of the operations.
        places: For each parameter of the tape its index in theta; -1 for what cannot be differentiated.
    """

    key: Hashable
    theta: Real
    places: tuple[int, ...]


@dataclass(frozen=True)
class Converted:
    """A circuit for :class:`equinoise.Problem`.

    Attributes:
        circuit: On all device wires, wire i of the device being qubit i.
        initial: Bits or amplitudes; None where the circuit's leading gates prepare the input.
        noise: The channels of the circuit; None if it has none.
        used: Which of theta's elements the circuit depends on, in the order of ``circuit.parameters``.
        source: For each instruction of the circuit, the PennyLane operation and its position; None for the layers'
            own marks.
    """

    circuit: QuantumCircuit
    initial: str | Complex | None
    noise: NoiseModel | None
    used: npt.NDArray[np.int64]
    source: tuple[tuple[int, Any] | None, ...]

    def named(self, error: SymmetryError, theta: Real) -> SymmetryError:
        """An error about gates that break the charge at parameter values, in PennyLane's terms."""
        names: dict[int, str] = {}
        for layer in layered(self.circuit, find_preparation=self.initial is None, at=theta).layers:
            for block in layer.blocks:
                for gate in () if block.conserving else breaking_gates(block):
                    origin = self.source[gate.position]
                    if origin is not None:
                        names[origin[0]] = described(origin[1])
        if not names:
            return error
        position = min(names)
        more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
        return SymmetryError(
            f"{names[position]}, operation {position} of the circuit in the device's gates, breaks the charge "
            f"sum_i (1 - Z_i)/2{more}. Use "
            "gates that conserve it (IsingXY, IsingZZ, SingleExcitation, FermionicSWAP, ControlledPhaseShift, SWAP, "
            "RZ, PhaseShift, or several on one pair that conserve it together, such as IsingXX and IsingYY with one "
            "angle), prepare states with BasisState or X before them, or use default.mixed."
        )


def described(operation: Any) -> str:
    """An operation as its user wrote it: name and wires."""
    return f"{operation.name} on wires {list(operation.wires)}"


def structure_of(tape: Any) -> Structure:
    """A tape's structure and free parameters; cheap, for it is asked for at every call."""
    key: list[Hashable] = []
    theta: list[float] = []
    places: list[int] = []
    for operation in tape.operations:
        name, data = operation.name, operation.data
        entry: Hashable = (name, operation.wires.labels, first_wires(operation))
        if is_channel(operation):
            values = tuple(np.asarray(p).tobytes() for p in data)
            entry = (entry, values, operation.hyperparameters.get("operators"))
            places += [-1] * len(data)
        elif gate_parts(operation) is not None or name in IDLE:
            places += range(len(theta), len(theta) + len(data))
            theta += map(float, data)
        elif data:
            entry = (entry, tuple((np.shape(p), np.asarray(p).tobytes()) for p in data))
            places += [-1] * len(data)
        elif name not in _PLAIN and name != "Barrier":
            entry = (entry, np.asarray(operation.matrix()).tobytes())
        key.append(entry)
    return Structure(tuple(key), np.array(theta, dtype=np.float64), tuple(places))


def convert(tape: Any, wires: Sequence[Any]) -> Converted:
    """A tape of operations that the device takes as a Qiskit circuit.

    Args:
        tape: After the device's preprocessing.
        wires: The device's wires; wire i becomes qubit i.

    Raises:
        StateError: A state preparation that does not come first on its wires.
        NoiseError: A channel without finite rates, or of another kind.
    """
    builder = _Builder(tape, {wire: i for i, wire in enumerate(wires)})
    return builder.converted()


@dataclass
class _Placed:
    """A gate in its layer, waiting to be written."""

    gate: Gate
    qubits: list[int]
    source: tuple[int, Any] | None


class _Builder:
    """One pass over a tape's operations."""

    def __init__(self, tape: Any, place: dict[Any, int]) -> None:
        self.place = place
        self.num_qubits = len(place)
        self.has_channels = any(is_channel(operation) for operation in tape.operations)
        self.layers: list[list[_Placed]] = [[]]
        self.terms: dict[tuple[NoiseTerm, int], list[int]] = {}
        # per qubit the layer it is in, and the stages of noise that have acted on it there
        self.at = [0] * self.num_qubits
        self.acted: list[set[str]] = [set() for _ in range(self.num_qubits)]
        self.state: Complex | None = None
        self.flips: list[_Placed] = []
        self.touched: set[int] = set()
        count = sum(len(op.data) for op in tape.operations if gate_parts(op) or op.name in IDLE)
        self.theta = ParameterVector("theta", count)
        self.used: list[int] = []
        self.next = 0
        for position, operation in enumerate(tape.operations):
            self._take(position, operation)

    def _take(self, position: int, operation: Any) -> None:
        qubits = [self.place[wire] for wire in operation.wires]
        if operation.name == "Barrier":
            if not self.has_channels and (not qubits or len(qubits) == self.num_qubits):
                self.layers.append([])
                self.at = [len(self.layers) - 1] * self.num_qubits
            return
        if operation.name in IDLE:
            self.next += len(operation.data)
            if self.has_channels and len(qubits) == 2:
                # what a gate on a pair was decomposed into starts in one layer, whatever noise one wire has seen: its
                # one-qubit gates conserve the charge only together with those on the pair
                self._free_layer(qubits)
        elif is_channel(operation):
            self._act(channel_terms(operation, qubits), qubits)
        elif isinstance(operation, qml.StatePrep):
            self._prepare(operation, qubits)
        elif isinstance(operation, qml.BasisState):
            self._check_first(operation, qubits)
            for qubit, bit in zip(qubits, np.asarray(operation.data[0]).ravel(), strict=True):
                if int(bit):
                    self._flip(qubit, (position, operation))
        else:
            self._apply(position, operation, qubits)
        self.touched |= set(qubits)

    # -- preparation ---------------------------------------------------------------------------------------------

    def _check_first(self, operation: Any, qubits: Sequence[int]) -> None:
        if self.touched & set(qubits):
            raise StateError(
                f"{described(operation)} does not come first on its wires; only an input can be prepared. Move it to "
                "the start of the circuit."
            )

    def _flip(self, qubit: int, source: tuple[int, Any]) -> None:
        self.flips.append(_Placed(XGate(), [qubit], source))

    def _prepare(self, operation: Any, qubits: Sequence[int]) -> None:
        self._check_first(operation, qubits)
        if self.state is not None:
            raise StateError(
                f"{described(operation)} is a second StatePrep; give one state for all its wires together."
            )
        wires = list(self.place)
        tensor = np.asarray(operation.state_vector(wire_order=wires), dtype=np.complex128)
        # PennyLane's first axis is wire 0, the least significant bit here
        self.state = tensor.reshape((2,) * self.num_qubits).transpose(range(self.num_qubits)[::-1])

    # -- gates ---------------------------------------------------------------------------------------------------

    def _apply(self, position: int, operation: Any, qubits: list[int]) -> None:
        if operation.name == "PauliX" and self.state is not None and qubits[0] not in self.touched:
            self._flip(qubits[0], (position, operation))
            return
        layer = self._free_layer(qubits)
        parts = gate_parts(operation)
        if parts is None:
            gate, order = fixed_gate(operation)
            self.layers[layer].append(_Placed(gate, [qubits[i] for i in order], (position, operation)))
            return
        first = self.next
        self.next += len(operation.data)
        self.used += range(first, self.next)
        for part in parts:
            angles = [a if isinstance(a, float) else a[1] * self.theta[first + a[0]] for a in part.angles]
            where = [qubits[i] for i in part.wires]
            self.layers[layer].append(_Placed(part.gate(*angles), where, (position, operation)))

    def _free_layer(self, qubits: Sequence[int]) -> int:
        """The first layer in which a gate can act: after whatever noise its qubits have seen."""
        layer = max(self.at[q] + bool(self.acted[q]) for q in qubits)
        self._enter(layer, qubits)
        return layer

    def _enter(self, layer: int, qubits: Sequence[int]) -> None:
        for q in qubits:
            if layer > self.at[q]:
                self.at[q] = layer
                self.acted[q] = set()
        while len(self.layers) <= layer:
            self.layers.append([])

    # -- channels ------------------------------------------------------------------------------------------------

    def _act(self, terms: Sequence[NoiseTerm], qubits: Sequence[int]) -> None:
        """Puts a channel into the first slot in which all before it has acted, or commutes with it."""
        if not terms:
            return
        layer = max(self.at[q] for q in qubits)
        # Pauli channels commute with one another, dephasing with all the rest; relaxation does not
        relaxes = any(term.stage == FIRST for term in terms)
        before = {stage for q in qubits if self.at[q] == layer for stage in self.acted[q]}
        if LAST in before or (relaxes and before & {FIRST, SECOND}):
            layer += 1
        self._enter(layer, qubits)
        for q in qubits:
            self.acted[q] |= {term.stage for term in terms}
        for term in terms:
            number = 0
            while layer in self.terms.get((term, number), ()):
                number += 1
            self.terms.setdefault((term, number), []).append(layer)

    def _noise(self) -> NoiseModel:
        terms = [replace(term, layers=tuple(layers)) for (term, _), layers in self.terms.items()]
        return NoiseModel(terms, name="channels of the circuit")

    # -- result --------------------------------------------------------------------------------------------------

    def converted(self) -> Converted:
        circuit = QuantumCircuit(self.num_qubits)
        source: list[tuple[int, Any] | None] = []
        write = _writer(circuit, source)
        if self.state is None:
            for placed in self.flips:
                write(placed)
        for gates in self.layers:
            for placed in gates:
                write(placed)
            if self.has_channels:  # a layer without gates would be dropped, and its slot with it
                write(_Placed(IGate(), [0], None))
                end_layer(circuit)
                source.append(None)
            elif len(self.layers) > 1:
                circuit.barrier()
                source.append(None)
        return Converted(
            circuit,
            self._initial(circuit),
            self._noise() if self.has_channels else None,
            np.array(self.used, dtype=np.int64),
            tuple(source),
        )

    def _initial(self, circuit: QuantumCircuit) -> str | Complex | None:
        if self.state is not None:
            flipped = self.state
            for placed in self.flips:
                flipped = np.flip(flipped, axis=self.num_qubits - 1 - placed.qubits[0])
            return np.ascontiguousarray(flipped).ravel()
        return prepared_or_empty(circuit)


def _writer(circuit: QuantumCircuit, source: list[tuple[int, Any] | None]) -> Callable[[_Placed], None]:
    def write(placed: _Placed) -> None:
        circuit.append(placed.gate, placed.qubits)
        source.append(placed.source)

    return write


def takes(operation: Any) -> bool:
    """Whether the device takes an operation as it is."""
    if operation.name in IDLE or operation.name == "Barrier":
        return True
    if is_channel(operation):
        return check_channel(operation)
    if isinstance(operation, qml.StatePrep | qml.BasisState):
        return True
    if gate_parts(operation) is not None:
        return True
    return is_fixed(operation)
