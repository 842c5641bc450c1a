"""Any Lindblad jump on one or two qubits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from equinoise.noise.terms.checks import checked_rate
from equinoise.noise.terms.local_matrix import LocalMatrix
from equinoise.noise.terms.term import JumpOperator

__all__ = ["Jump"]


@dataclass(frozen=True)
class Jump(LocalMatrix):
    """rate * D[K] for any matrix K on one or two qubits, D[K](r) = K r K^dag - {K^dag K, r}/2.

    K keeps the charge, moves it by a definite amount, or breaks it; which is computed from K. In a slot all jumps and
    Hamiltonians on one set of qubits, or on a part of it, act at the same time, as the exponential of the sum of their
    generators, after the named kinds; pairs that overlap in one qubit act one after another in the order given.

    Attributes:
        qubits: One or two qubit indices, the first the least significant bit of K's rows (Qiskit's order).
        matrix: K, dimensionless: rows of complex numbers, or of [re, im] pairs as in a TOML file.
        rate: Dimensionless, per slot, >= 0.

    Raises:
        NoiseError: A matrix of another shape, malformed qubits, a negative rate.

    Example:
        >>> import equinoise as eq
        >>> hop = [[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]  # |01><10|
        >>> noise = eq.NoiseModel(jump=[{"qubits": [0, 1], "matrix": hop, "rate": 0.02}])
        >>> problem = eq.Problem(eq.circuits.brickwork(2, depth=2), readout="Z0", initial="01", noise=noise)
        >>> print(problem.noise.describe())
        jump 0.02 on qubits 0, 1
    """

    kind: ClassVar[str] = "jump"
    example: ClassVar[str] = "{qubits = [0], matrix = [[0, 1], [0, 0]], rate = 0.01}"

    rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "rate", checked_rate(self.rate, "jump rate"))

    @property
    def text(self) -> str:
        """E.g. ``jump 0.02 on qubits 0, 1``."""
        return f"jump {self.rate:.4g} on qubits {', '.join(map(str, self.qubits))}"

    def jumps(self) -> tuple[JumpOperator, ...]:
        """K."""
        return ((self.rate, self.pauli_sum),)
