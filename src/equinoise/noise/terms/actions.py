"""What noise does to a density matrix, in the few forms for which engines have kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Action", "Diagonal", "General", "PairReset", "PauliString", "SiteMoves"]


class Diagonal(NamedTuple):
    """rate D[K] of a diagonal jump K = sum_i weight_i Z_i, or prod_i Z_i: |x><y| decays at rate (K_x - K_y)^2 / 2.

    Attributes:
        rate: Dimensionless, per slot.
        weights: ((qubit, weight), ...), no weight 0.
        parity: Whether K is the product of the Z, not their sum.
    """

    rate: float
    weights: tuple[tuple[int, float], ...]
    parity: bool

    @property
    def is_linear(self) -> bool:
        """Whether K is a sum of Z (one Z is)."""
        return not self.parity or len(self.weights) == 1


class SiteMoves(NamedTuple):
    """Phase-covariant noise of one qubit: populations move, the coherences |0><1| and |1><0| decay.

    Attributes:
        qubit: Its number.
        down: Rate |1> -> |0|, dimensionless per slot.
        up: Rate |0> -> |1>.
        decay: Rate at which coherences decay, at least (down + up)/2.
    """

    qubit: int
    down: float
    up: float
    decay: float

    @property
    def phase(self) -> float:
        """Rate of D[Z] beside the moves: what they leave of the decay, 2 rate for each Z jump."""
        return (self.decay - (self.down + self.up) / 2) / 2


class PairReset(NamedTuple):
    """r -> rate (Tr_A(r) (x) 1/4 - r) on two qubits A."""

    qubits: tuple[int, int]
    rate: float


class PauliString(NamedTuple):
    """rate D[P] of a string with X or Y in it, as ((qubit, letter), ...): it moves the charge."""

    letters: tuple[tuple[int, str], ...]
    rate: float


@dataclass(frozen=True, eq=False)
class General:
    """Any generator on one or two qubits.

    Attributes:
        qubits: Ascending.
        generator: On matrices vectorised row by row, shape (4^k, 4^k), the first qubit the least significant bit.
    """

    qubits: tuple[int, ...]
    generator: npt.NDArray[np.complex128]

    @property
    def moves(self) -> tuple[bool, bool]:
        """Whether it can lower, and raise, the charge."""
        dim = 2 ** len(self.qubits)
        charge = np.array([(row // dim).bit_count() for row in range(dim * dim)])
        after, before = np.nonzero(np.abs(self.generator) > 1e-14 * np.abs(self.generator).max())
        step = charge[after] - charge[before]
        return bool((step < 0).any()), bool((step > 0).any())

    @property
    def has_limit(self) -> bool:
        """Whether exp(s E) has a limit at s = infinity: no eigenvalue but 0 on the imaginary axis (turning forever)."""
        values = np.linalg.eigvals(self.generator)
        small = 1e-9 * float(np.abs(values).max(initial=0.0))
        return not bool(np.any((np.abs(values.real) <= small) & (np.abs(values.imag) > small)))

    @property
    def bound(self) -> float:
        """The generator's norm."""
        return float(np.linalg.norm(self.generator, 2))


Action = Diagonal | SiteMoves | PairReset | PauliString | General
