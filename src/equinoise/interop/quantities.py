"""What is read from a circuit's final state: means, variances and probabilities of circuit qubits."""

from __future__ import annotations

from dataclasses import dataclass

from qiskit.quantum_info import SparsePauliOp

from equinoise.readout import support

__all__ = ["Mean", "Probabilities", "Quantity", "Variance"]


@dataclass(frozen=True)
class Mean:
    """<A>.

    Attributes:
        operator: A on all circuit qubits; Hermitian and charge-conserving.
        name: What to call it in an error.
    """

    operator: SparsePauliOp
    name: str

    @property
    def qubits(self) -> tuple[int, ...]:
        """Circuit qubits that it sees."""
        return support(self.operator)

    @property
    def size(self) -> int:
        """How many numbers it is."""
        return 1


@dataclass(frozen=True)
class Variance(Mean):
    """<A^2> - <A>^2, the variance of one ideal measurement of A."""


@dataclass(frozen=True)
class Probabilities:
    """Of all outcomes of some qubits.

    Attributes:
        qubits: Circuit qubits; the first is the most significant bit of the outcome's number.
        name: What to call it in an error.
    """

    qubits: tuple[int, ...]
    name: str

    @property
    def size(self) -> int:
        """How many numbers it is: 2^m."""
        return int(2 ** len(self.qubits))


Quantity = Mean | Probabilities
