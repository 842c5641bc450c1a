"""How a circuit is read: as layers, in the frames of a charge that it hides, or behind gates that prepare its input."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

from equinoise.circuit.blocks import breaking_gates
from equinoise.circuit.compiled.frames import Frames, find_frames
from equinoise.circuit.compiled.hidden_charge import NoHiddenCharge
from equinoise.circuit.gates import Gate
from equinoise.circuit.layers import Layer, Layered, layered
from equinoise.circuit.preparation import Preparation, leading_preparation
from equinoise.errors import CircuitError, ParameterError
from equinoise.initial import LARGEST_VECTOR
from equinoise.readout import commutes_with_charge
from equinoise.symmetry.generators import Charge
from equinoise.symmetry.wide_gates import why_not_computed

__all__ = ["CircuitReading", "angles_of", "gates_that_break", "prepares_itself", "read_circuit"]


@dataclass(frozen=True)
class CircuitReading:
    """A circuit as it is computed.

    Attributes:
        whole: The undivided circuit.
        split: What stands behind a preparation; all of the circuit without one.
        layers: Those that are computed: in frames, behind a preparation, or as they stand.
        frames: Of a charge that the gates hide; None where they conserve it one by one, or hide none.
        preparation: Leading gates that break the charge and prepare a state; None without such.
        unread: Why gates that break the charge belong to neither frames nor a preparation; "" where none do.
    """

    whole: Layered
    split: Layered
    layers: tuple[Layer, ...]
    frames: Frames | None = None
    preparation: Preparation | None = None
    unread: str = ""

    @property
    def found(self) -> str:
        """How the layers were found: "barriers" or "as soon as possible"."""
        return self.split.found if self.frames is None else self.frames.found

    @property
    def notes(self) -> tuple[str, ...]:
        """What was dropped, assumed or turned."""
        return (*self.split.notes, *(() if self.frames is None else self.frames.notes()))

    @property
    def divided(self) -> int:
        """How many layers stand before those that are computed."""
        return 0 if self.preparation is None else len(self.preparation.layers)

    def check_parameters(self, parameters: Sequence[Parameter]) -> None:
        """Refuses parameters that enter no gate.

        Args:
            parameters: The circuit's.

        Raises:
            ParameterError: One does not.
        """
        rotations = (rotation for layer in self.layers for block in layer.blocks for rotation in block.rotations)
        used = {k for rotation in rotations for k, _ in rotation.angle.coefficients}
        used |= set() if self.preparation is None else set(self.preparation.parameters)
        unused = [p.name for k, p in enumerate(parameters) if k not in used]
        if unused:
            raise ParameterError(
                f"parameter {unused[0]!r} enters no gate"
                + (f" (nor do {len(unused) - 1} others)" if len(unused) > 1 else "")
                + ". Remove it or use it in a gate."
            )


def read_circuit(
    circuit: QuantumCircuit,
    measured: SparsePauliOp,
    *,
    inputs: Collection[Parameter],
    from_zero: bool,
    beyond_blocks: bool,
    at: npt.NDArray[np.float64] | None,
) -> CircuitReading:
    """Layers of a circuit; where its gates break the charge, in frames or behind a preparation.

    Args:
        circuit: On its own qubits, without a layout.
        measured: The readout on these qubits.
        inputs: Parameters that data binds.
        from_zero: Whether no input is stated, so that leading gates prepare it from |0..0>.
        beyond_blocks: Whether frames and a preparation are looked for.
        at: Parameter values at which alone the charge is asked for; None for all.

    Raises:
        CircuitError: No gates, or an instruction that is not a unitary gate.
        ParameterError: An angle is not linear in the parameters.
    """
    whole = layered(circuit, find_preparation=from_zero, at=at)
    if from_zero and not _prepares(whole):
        whole = layered(circuit, find_preparation=False, at=at)
    if not whole.layers:
        raise CircuitError("the circuit has no gates between preparation and readout.")
    reading = CircuitReading(whole, whole, whole.layers)
    if not beyond_blocks or all(block.conserving for layer in whole.layers for block in layer.blocks):
        return reading
    if not from_zero and all(block.conserving for layer in layered(circuit).layers for block in layer.blocks):
        return reading  # it is but the circuit's own preparation that breaks it, beside the stated input
    frames, hides = _hidden(circuit, measured)
    if frames is not None:
        return replace(reading, layers=frames.layers, frames=frames)
    data = frozenset(k for k, parameter in enumerate(circuit.parameters) if parameter in set(inputs))
    found = leading_preparation(circuit, data, from_zero)
    if found is None or not found.behind.layers:
        return replace(reading, unread=hides)
    if circuit.num_qubits > LARGEST_VECTOR:
        too_many = (
            f"; the first {found.gates} gates would be a preparation, but on {circuit.num_qubits} qubits, and state "
            f"vectors are held of at most {LARGEST_VECTOR}"
        )
        return replace(reading, unread=hides + too_many)
    return replace(reading, split=found.behind, layers=found.behind.layers, preparation=found, unread=hides)


def _hidden(circuit: QuantumCircuit, measured: SparsePauliOp) -> tuple[Frames | None, str]:
    """The frames of a charge that the gates hide; else why there are none."""
    try:
        frames = find_frames(circuit)
    except NoHiddenCharge as error:
        return None, f"; {error}"
    if commutes_with_charge(frames.readout(measured)):
        return frames, ""
    return None, "; the circuit hides a charge along other axes, but the readout does not conserve that one"


def gates_that_break(circuit: QuantumCircuit, layers: Sequence[Layer], first: int = 0) -> tuple[str, ...]:
    """What breaks the charge, gate by gate, in words.

    Args:
        circuit: Whose gates they are.
        layers: Of its blocks.
        first: The number of the first layer.
    """
    out: dict[int, str] = {}
    for number, layer in enumerate(layers, first):
        for gate in (gate for block in layer.blocks if not block.conserving for gate in breaking_gates(block)):
            where = f"at position {gate.position} (layer {number}) on qubits {list(gate.qubits)}"
            out[gate.position] = f"gate {gate.name!r} {where} {_reason(circuit, gate)}"
    return tuple(out[position] for position in sorted(out))


def _reason(circuit: QuantumCircuit, gate: Gate) -> str:
    charge = Charge(tuple((q, "Z", -0.5) for q in gate.qubits))
    operation = circuit.data[gate.position].operation
    return why_not_computed(operation, gate.qubits, charge, "charge") or "breaks the charge sum_i (1 - Z_i)/2"


def angles_of(parameters: Sequence[Parameter], values: Any) -> npt.NDArray[np.float64]:
    """Parameter values as an array, shape (K,), radians.

    Args:
        parameters: The circuit's, in order.
        values: Shape (K,), or a mapping from Parameter or name to value.

    Raises:
        ParameterError: Wrong number, a missing name, or a value that is not finite.
    """
    if isinstance(values, Mapping):
        named = {(k.name if isinstance(k, Parameter) else k): v for k, v in values.items()}
        missing = [p.name for p in parameters if p.name not in named]
        unknown = sorted(set(named) - {p.name for p in parameters})
        if missing or unknown:
            raise ParameterError(f"parameter values do not fit: missing {missing[:5]}, unknown {unknown[:5]}.")
        values = [named[p.name] for p in parameters]
    try:
        theta = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ParameterError("parameter values must be real numbers in radians.") from None
    if theta.shape != (len(parameters),):
        raise ParameterError(
            f"theta must have shape ({len(parameters)},), one angle for each of circuit.parameters; got {theta.shape}."
        )
    if not np.all(np.isfinite(theta)):
        raise ParameterError(f"theta has a value that is not finite at index {int(np.argmin(np.isfinite(theta)))}.")
    return theta


def prepares_itself(circuit: QuantumCircuit) -> bool:
    """Whether a circuit's leading gates take any qubit out of |0>."""
    return _prepares(layered(circuit))


def _prepares(split: Layered) -> bool:
    return any(abs(state[1]) > 0 for state in split.prepared.values())
