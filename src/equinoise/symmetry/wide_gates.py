"""Whether a gate on more than two qubits keeps a symmetry as a whole, though the parts it is read as do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Operator

from equinoise.circuit.evolution import evolved_operator
from equinoise.circuit.pauli_sums import sparse_matrix
from equinoise.symmetry.generators import Charge, PauliString, change

__all__ = ["keeps", "why_not_computed"]

_WIDEST = 8
_TOLERANCE = 1e-9
_POINTS = 2


def keeps(operation: Instruction, qubits: Sequence[int], generator: Charge | PauliString) -> bool | None:
    """Whether a gate commutes with a symmetry's generator, by its matrix at generic angles; None if that is too large.

    A gate on more than eight qubits keeps what all the gates that define it keep; of others nothing is known.
    """
    local = generator.on({q: i for i, q in enumerate(qubits)})
    if isinstance(operation, PauliEvolutionGate):
        return not change(evolved_operator(operation, operation.name), local)
    if len(qubits) <= _WIDEST:
        return _matrix_keeps(operation, local)
    definition = operation.definition
    if definition is None:
        return None
    inner = ((i.operation, [qubits[definition.find_bit(bit).index] for bit in i.qubits]) for i in definition.data)
    return True if all(op.name == "barrier" or keeps(op, on, generator) for op, on in inner) else None


def _matrix_keeps(operation: Instruction, local: Charge | PauliString) -> bool | None:
    circuit = QuantumCircuit(operation.num_qubits)
    circuit.append(operation, range(operation.num_qubits))
    operator = local.operator if isinstance(local, Charge) else {local.letters: 1.0}
    symmetry = sparse_matrix(operator, operation.num_qubits).toarray()
    rng = np.random.default_rng(20260630)
    for _ in range(_POINTS):
        bound = circuit.assign_parameters(rng.uniform(-3, 3, circuit.num_parameters))
        try:
            unitary = np.asarray(Operator(bound).data, dtype=np.complex128)
        except QiskitError:
            return None
        if np.abs(unitary @ symmetry - symmetry @ unitary).max() > _TOLERANCE:
            return False
    return True


def why_not_computed(
    operation: Instruction, qubits: Sequence[int], generator: Charge | PauliString, name: str
) -> str | None:
    """What to say of a gate on more than two qubits whose parts break a symmetry; None if the gate breaks it too."""
    if len(qubits) <= 2:
        return None
    kept = keeps(operation, qubits, generator)
    wide = f"acts on {len(qubits)} qubits and is no product of blocks on up to four that keep it"
    if kept is None:
        return f"{wide}: its parts break the {name}, and it is too large to tell whether the whole keeps it"
    return f"keeps the {name} as a whole, but {wide}" if kept else None
