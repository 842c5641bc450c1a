"""Where a transpiled circuit keeps the qubits of the circuit that it was made from.

Routing puts virtual qubit i, the one that a user's labels mean, on some qubit of the new circuit, and the SWAPs that it
inserts leave it on another one at the end. Readouts are taken where qubits end, inputs where they start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp, Statevector

from equinoise.errors import StateError
from equinoise.initial import InitialState, parse_initial, prepared_product
from equinoise.readout import parse_readout

__all__ = ["QubitLayout", "without_layout"]

_MAX_VECTOR_QUBITS = 20
_LISTED = 12


@dataclass(frozen=True)
class QubitLayout:
    """The qubits of a transpiled circuit, from ``circuit.layout``.

    Attributes:
        initial: Virtual qubit i starts on circuit qubit initial[i].
        final: It ends on circuit qubit final[i].
        num_qubits: Qubits n of the transpiled circuit; those beside the virtual ones are ancillas that start in |0>.
    """

    initial: tuple[int, ...]
    final: tuple[int, ...]
    num_qubits: int

    @classmethod
    def of(cls, circuit: QuantumCircuit) -> QubitLayout | None:
        """The layout of a transpiled circuit; None if it has none, or one that leaves every qubit in its place."""
        if circuit.layout is None:
            return None
        initial = tuple(map(int, circuit.layout.initial_index_layout(filter_ancillas=True)))
        final = tuple(map(int, circuit.layout.final_index_layout(filter_ancillas=True)))
        if initial == final == tuple(range(circuit.num_qubits)):
            return None
        return cls(initial, final, circuit.num_qubits)

    @property
    def num_virtual(self) -> int:
        """Qubits m of the circuit before it was transpiled."""
        return len(self.initial)

    def readout(self, readout: str | SparsePauliOp) -> SparsePauliOp:
        """A readout of virtual qubits (a label, or an operator on m of them) on circuit qubits; others as they are.

        Raises:
            ReadoutError: Malformed, or a label of a qubit that the circuit had not before it was transpiled.
        """
        if isinstance(readout, SparsePauliOp) and readout.num_qubits != self.num_virtual:
            return parse_readout(readout, self.num_qubits)
        return parse_readout(readout, self.num_virtual).apply_layout(list(self.final), self.num_qubits)

    def told(self, operator: SparsePauliOp) -> tuple[SparsePauliOp, str]:
        """An operator on circuit qubits as one on virtual qubits, to be written down, and what to add if it is none."""
        place = {q: i for i, q in enumerate(self.final)}
        terms = operator.to_sparse_list()
        if not all(q in place for _, qubits, _ in terms for q in qubits):
            return operator, " of the transpiled circuit"
        moved = [(letters, [place[q] for q in qubits], c) for letters, qubits, c in terms]
        return SparsePauliOp.from_sparse_list(moved, num_qubits=self.num_virtual), ""

    def state(self, initial: Any) -> InitialState:
        """An input of virtual qubits on circuit qubits, ancillas in |0>; one on all circuit qubits as it is.

        Raises:
            StateError: Malformed, of another number of qubits, or a state vector of too many.
        """
        if isinstance(initial, InitialState) or self._is_physical(initial):
            return parse_initial(initial, self.num_qubits)
        state = parse_initial(initial, self.num_virtual)
        if state.product is not None:
            product = np.tile(np.array([1.0, 0.0], dtype=np.complex128), (self.num_qubits, 1))
            product[list(self.initial)] = state.product
            return replace(prepared_product(product), name=state.name)
        if self.num_qubits > _MAX_VECTOR_QUBITS:
            raise StateError(
                f"a state vector is given for {self.num_virtual} qubits, but the transpiled circuit has "
                f"{self.num_qubits}, and at most {_MAX_VECTOR_QUBITS} can be written out. Transpile to a coupling map "
                "of fewer qubits, or give a bitstring or one-qubit states."
            )
        index = np.arange(2**self.num_virtual)
        placed = sum(((index >> i) & 1) << q for i, q in enumerate(self.initial))
        vector = np.zeros(2**self.num_qubits, dtype=np.complex128)
        vector[placed] = state.statevector()
        return replace(parse_initial(vector, self.num_qubits), name=state.name)

    def _is_physical(self, initial: Any) -> bool:
        """Whether an input is stated for all circuit qubits, where that can be told from its size."""
        if self.num_qubits == self.num_virtual or (isinstance(initial, str) and initial == "neel"):
            return False
        if isinstance(initial, Statevector):
            return bool(initial.num_qubits == self.num_qubits)
        size = len(initial) if isinstance(initial, str | Sequence | np.ndarray) else 0
        return size in (self.num_qubits, 2**self.num_qubits) and size not in (self.num_virtual, 2**self.num_virtual)

    def note(self) -> str:
        """What was done, in one line."""
        moves = [f"{i}: {a} to {b}" for i, (a, b) in enumerate(zip(self.initial, self.final, strict=True))]
        more = f" and {len(moves) - _LISTED} more" if len(moves) > _LISTED else ""
        return (
            "the circuit was transpiled: readout and input are stated for its qubits before that; each of them starts "
            f"and ends on these of the circuit, to which noise and light cone refer: {', '.join(moves[:_LISTED])}{more}"
        )

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"initial": list(self.initial), "final": list(self.final)}


def without_layout(circuit: QuantumCircuit) -> QuantumCircuit:
    """A copy: the same instructions on the same qubits, without the memory of what it was transpiled from."""
    if circuit.layout is None:
        return circuit.copy()
    out = QuantumCircuit(list(circuit.qubits), list(circuit.clbits), name=circuit.name, metadata=circuit.metadata)
    return out.compose(circuit)
