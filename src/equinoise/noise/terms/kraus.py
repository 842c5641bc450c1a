"""Any channel on one or two qubits, given by its Kraus operators, as exp(s E) with E its logarithm."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from reprlib import repr as shown
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.linalg import expm, logm

from equinoise.circuit.pauli_sums import PAULI, String
from equinoise.errors import NoiseError
from equinoise.noise.terms.actions import General
from equinoise.noise.terms.checks import checked_rate
from equinoise.noise.terms.local_matrix import LocalTerm
from equinoise.noise.terms.term import LAST, JumpOperator

__all__ = ["Kraus"]

Matrix = npt.NDArray[np.complex128]
Rows = tuple[tuple[complex, ...], ...]
Sum = dict[tuple[str, ...], complex]

_SMALL = 1e-9


@dataclass(frozen=True)
class Kraus(LocalTerm):
    """exp(s power E), E the logarithm of the channel r -> sum_i K_i r K_i^dag on one or two qubits.

    At s = 1 and power 1 it is the channel itself. E must be a Lindblad generator, so that every other s is a channel
    too: channels that erase, or that no noise makes step by step, are refused.

    Attributes:
        qubits: One or two qubit indices, the first the least significant bit of the operators' rows (Qiskit's order).
        operators: The K_i, sum_i K_i^dag K_i = 1: matrices as rows of complex numbers or of [re, im] pairs.
        power: How much of the channel acts in one slot, >= 0.
        divisible: Whether E must be a Lindblad generator. If not it may have negative rates: for programs that ask for
            the channel itself, s = 1, and density matrices alone.

    Raises:
        NoiseError: Operators of another shape or not complete, malformed qubits, a channel without a generator.

    Example:
        >>> import numpy as np
        >>> damping = Kraus((0,), [np.diag([1, np.sqrt(0.9)]), [[0, np.sqrt(0.1)], [0, 0]]])
        >>> [round(rate, 6) for rate, _ in damping.jumps()]
        [0.05268]
    """

    kind: ClassVar[str] = "kraus"
    example: ClassVar[str] = "{qubits = [0], operators = [[[1, 0], [0, 0.9]], [[0, 0.4358898943540674], [0, 0]]]}"
    rates: ClassVar[tuple[str, ...]] = ("power",)

    operators: tuple[Rows, ...]
    power: float = 1.0
    divisible: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.operators, str) or not isinstance(self.operators, Iterable):
            raise NoiseError(f"kraus 'operators' must list matrices, got {shown(self.operators)}.")
        arrays = self._arranged({f"kraus operator {number}": k for number, k in enumerate(self.operators)})
        object.__setattr__(self, "operators", tuple(tuple(tuple(map(complex, row)) for row in k) for k in arrays))
        object.__setattr__(self, "power", checked_rate(self.power, "kraus power"))
        found, _ = _generator(self.operators)
        least = min((rate for rate, _ in found), default=0.0)
        if self.divisible and least < 0:
            raise NoiseError(
                f"the channel has no Lindblad generator: its logarithm has the negative rate {least:.2g}. Use a "
                "channel that noise makes step by step."
            )

    @property
    def text(self) -> str:
        """E.g. ``channel of 2 Kraus operators on qubits 0, 1``."""
        share = "" if self.power == 1 else f" to the power {self.power:.4g}"
        return f"channel of {len(self.operators)} Kraus operators{share} on qubits {', '.join(map(str, self.qubits))}"

    @property
    def stage(self) -> str:
        """LAST: it need not commute with anything."""
        return LAST

    def _on_qubits(self, sums: Sum) -> dict[String, complex]:
        return {
            tuple((q, p) for q, p in zip(self.qubits, letters, strict=True) if p != "I"): value
            for letters, value in sums.items()
        }

    def jumps(self) -> tuple[JumpOperator, ...]:
        """Rates and operators of E, orthogonal to one another."""
        found, _ = _generator(self.operators)
        return tuple((self.power * rate, self._on_qubits(jump)) for rate, jump in found)

    def hamiltonian(self) -> Mapping[String, complex]:
        """The Hamiltonian of E."""
        _, found = _generator(self.operators)
        return {string: self.power * value for string, value in self._on_qubits(found).items()}

    @property
    def action(self) -> General:
        """Its generator."""
        return General(self.qubits, self.superoperator(), alone=True)

    def plain(self) -> dict[str, Any]:
        """The term as plain data that its class reads back."""
        operators = [[[[v.real, v.imag] for v in row] for row in k] for k in self.operators]
        return super().plain() | {"operators": operators}


@lru_cache(maxsize=256)
def _generator(operators: tuple[Rows, ...]) -> tuple[tuple[tuple[float, Sum], ...], Sum]:
    """Jumps and Hamiltonian of a channel's logarithm, over Pauli letters, the first letter for the first qubit."""
    # E(r) = sum_ij chi_ij P_i r P_j over Pauli strings. Without row and column of the identity chi is positive for
    # a Lindblad generator; its eigenvectors are the jumps. The identity's column is -i H plus a Hermitian part that the
    # trace fixes.
    kraus = [np.array(k, dtype=np.complex128) for k in operators]
    dim = len(kraus[0]) if kraus else 0
    if not kraus or np.abs(sum(k.conj().T @ k for k in kraus) - np.eye(dim)).max() > _SMALL:
        raise NoiseError("kraus operators must be complete: sum_i K_i^dag K_i = 1.")
    channel = np.asarray(sum(np.kron(k, k.conj()) for k in kraus))
    values = np.linalg.eigvals(channel)
    if np.any((values.real <= _SMALL) & (np.abs(values.imag) <= _SMALL)):
        raise NoiseError(
            "the channel has no finite generator: it erases or inverts part of the state in one step (a transfer "
            "eigenvalue <= 0). Use a weaker one."
        )
    log = np.asarray(logm(channel))
    letters = list(itertools.product("IXYZ", repeat=int(np.log2(dim))))
    strings = [_string(word) for word in letters]
    chi = np.array([[np.vdot(np.kron(p, q.conj()), log) for q in strings] for p in strings]) / dim**2
    rates, vectors = np.linalg.eigh((chi[1:, 1:] + chi[1:, 1:].conj().T) / 2)
    rounding = _SMALL * max(1.0, float(np.abs(log).max()))
    if max(np.abs(chi - chi.conj().T).max(), np.abs(expm(log) - channel).max()) > rounding:
        raise NoiseError("the channel's logarithm is inexact: it is too close to one that erases. Use a weaker one.")
    jumps = tuple(
        (float(rate), {word: complex(v) for word, v in zip(letters[1:], vector, strict=True) if abs(v) > 1e-14})
        for rate, vector in zip(rates[::-1], vectors.T[::-1], strict=True)
        if rate > 1e-15 or rate < -rounding
    )
    field = {word: complex(-c.imag) for word, c in zip(letters[1:], chi[1:, 0], strict=True) if abs(c.imag) > 1e-15}
    return jumps, field


def _string(letters: tuple[str, ...]) -> Matrix:
    out = np.ones((1, 1), dtype=np.complex128)
    for letter in letters:
        out = np.asarray(np.kron(PAULI[letter], out), dtype=np.complex128)
    return out
