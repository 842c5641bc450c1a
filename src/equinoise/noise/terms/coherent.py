"""Coherent errors: a Hamiltonian on one or two qubits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from equinoise.circuit.pauli_sums import String
from equinoise.errors import NoiseError
from equinoise.noise.terms.checks import checked_number
from equinoise.noise.terms.local_matrix import LocalMatrix
from equinoise.noise.terms.term import JumpOperator

__all__ = ["Coherent"]


@dataclass(frozen=True)
class Coherent(LocalMatrix):
    """The unitary exp(-i s angle H) in each slot, H any Hermitian matrix on one or two qubits.

    It turns the gradient and need not shrink it: there is no limit s -> infinity, so no w0, c2 and bounds, and kappa
    has a sign. H that breaks the charge takes the full space of the cone; its twirl over the charge would lose it
    altogether, so it is never twirled.

    Attributes:
        qubits: One or two qubit indices, the first the least significant bit of H's rows (Qiskit's order).
        matrix: H, dimensionless: rows of complex numbers, or of [re, im] pairs as in a TOML file.
        angle: Radians per slot at s = 1.

    Raises:
        NoiseError: A matrix that is not Hermitian or of another shape, malformed qubits, an angle that is no number.

    Example:
        >>> import equinoise as eq
        >>> x = [[0, 1], [1, 0]]
        >>> noise = eq.NoiseModel(coherent=[{"qubits": [q], "matrix": x, "angle": 0.1} for q in range(4)])
        >>> problem = eq.Problem(eq.circuits.brickwork(4, depth=4), "Z1", "neel", noise, allow_broken=True)
        >>> law = eq.law(problem, sampling=eq.Sampling(samples=4))
        >>> law.fixed_point.kind, law.fixed_point_share
        ('no limit', nan)
    """

    kind: ClassVar[str] = "coherent"
    example: ClassVar[str] = "{qubits = [0], matrix = [[0, 1], [1, 0]], angle = 0.1}"
    rates: ClassVar[tuple[str, ...]] = ("angle",)

    angle: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if np.abs(self.array - self.array.conj().T).max() > 1e-12 * np.abs(self.array).max():
            raise NoiseError("coherent matrix must be Hermitian; it is the Hamiltonian H of exp(-i s angle H).")
        object.__setattr__(self, "angle", checked_number(self.angle, "coherent angle", "Give radians per slot."))

    @property
    def strength(self) -> float:
        """The angle's size, radians per slot."""
        return abs(self.angle)

    @property
    def text(self) -> str:
        """E.g. ``coherent 0.1 rad on qubits 0, 1``."""
        return f"coherent {self.angle:.4g} rad on qubits {', '.join(map(str, self.qubits))}"

    def jumps(self) -> tuple[JumpOperator, ...]:
        """None."""
        return ()

    def hamiltonian(self) -> Mapping[String, complex]:
        """The sum angle H over Pauli strings."""
        return {string: self.angle * value for string, value in self.pauli_sum.items()}
