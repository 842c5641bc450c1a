"""Pauli jumps, and pairs of X and Y jumps on one qubit."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from reprlib import repr as shown
from typing import Any, ClassVar, Self

from equinoise.errors import NoiseError
from equinoise.noise.terms.actions import Diagonal, PauliString, SiteMoves
from equinoise.noise.terms.checks import checked_qubit, checked_rate
from equinoise.noise.terms.term import DIAGONAL, SECOND, JumpOperator, NoiseTerm

__all__ = ["BitFlips", "PauliJump"]


@dataclass(frozen=True)
class PauliJump(NoiseTerm):
    """Pauli jump rate * D[P], P a Pauli string such as "X0", "Z0Z1", "X2Y3".

    exp(s rate D[P])(r) = (1 + e)/2 r + (1 - e)/2 P r P with e = exp(-2 s rate).

    Attributes:
        pauli: ((qubit, letter), ...) sorted by qubit, letters X, Y, Z; a string "X0Z3" is accepted.
        rate: Dimensionless, per slot.
    """

    kind: ClassVar[str] = "pauli"
    example: ClassVar[str] = "{pauli = 'X0', rate = 0.01}"

    pauli: tuple[tuple[int, str], ...]
    rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        pairs: Iterable[tuple[int, str]]
        if isinstance(self.pauli, str):
            if not re.fullmatch(r"([XYZ]\d{1,18})+", self.pauli):
                raise NoiseError(f"pauli must look like 'X0' or 'Z0Z1', got {shown(self.pauli)}.")
            pairs = [(int(q), p) for p, q in re.findall(r"([XYZ])(\d+)", self.pauli)]
        else:
            pairs = [(checked_qubit(q, "pauli qubit"), p) for q, p in self.pauli]
        qubits = [q for q, _ in pairs]
        if not qubits or len(set(qubits)) != len(qubits) or any(p not in ("X", "Y", "Z") for _, p in pairs):
            raise NoiseError(f"pauli needs letters X, Y, Z on different qubits, got {shown(self.pauli)}.")
        object.__setattr__(self, "pauli", tuple(sorted(pairs)))
        object.__setattr__(self, "rate", checked_rate(self.rate, "pauli rate"))

    @property
    def qubits(self) -> tuple[int, ...]:
        """Qubits it acts on."""
        return tuple(q for q, _ in self.pauli)

    @property
    def label(self) -> str:
        """The string again, e.g. "X0Z3"."""
        return "".join(f"{p}{q}" for q, p in self.pauli)

    @property
    def sites(self) -> tuple[int, ...]:
        """The same."""
        return self.qubits

    @property
    def text(self) -> str:
        """E.g. ``pauli 0.001 D[X0]``."""
        return f"pauli {self.rate:.4g} D[{self.label}]"

    @property
    def is_diagonal(self) -> bool:
        """Whether all letters are Z."""
        return all(letter == "Z" for _, letter in self.pauli)

    @property
    def mechanism(self) -> str:
        """Products of Z are dephasing."""
        return "dephasing" if self.is_diagonal else "pauli"

    @property
    def name(self) -> str:
        """What messages call it."""
        if self.is_diagonal:
            return "dephasing of cone qubits " + ", ".join(map(str, self.qubits))
        return f"Pauli jump {self.label}"

    @property
    def stage(self) -> str:
        """A product of Z commutes with all other kinds."""
        return DIAGONAL if self.is_diagonal else SECOND

    @property
    def noun(self) -> str:
        """What it is called before the word noise."""
        return "Pauli"

    @property
    def action(self) -> Diagonal | PauliString:
        """Products of Z are diagonal; other strings move the charge."""
        if self.is_diagonal:
            return Diagonal(self.rate, tuple((q, 1.0) for q in self.qubits), True)
        return PauliString(self.pauli, self.rate)

    def jumps(self) -> tuple[JumpOperator, ...]:
        """The string itself."""
        return ((self.rate, {self.pauli: 1.0}),)

    @property
    def decays(self) -> tuple[float, ...]:
        """0 and -2 rate."""
        return (0.0, -2 * self.rate)

    def restricted(self, qubits: Collection[int]) -> Self | None:
        """The letters inside: what is outside cancels in P^dag X P."""
        pauli = tuple((q, p) for q, p in self.pauli if q in qubits)
        if pauli == self.pauli:
            return self
        return replace(self, pauli=pauli) if pauli else None

    def along(self, signs: Mapping[int, int]) -> Self | None:
        """The same up to a sign where |0> and |1> are exchanged, by X."""
        return self if all(signs.values()) else None

    def placed(self, place: Mapping[int, int]) -> Self:
        """The bare term on other qubit numbers."""
        return self._bare(pauli=tuple((place[q], p) for q, p in self.pauli))

    @classmethod
    def merged(cls, terms: Sequence[Self]) -> list[NoiseTerm]:
        """Rates of equal strings add; X and Y on one qubit at one rate are bit flips, which come first."""
        found: dict[tuple[tuple[int, str], ...], Self] = {}
        for term in terms:
            before = found.get(term.pauli)
            found[term.pauli] = term if before is None else term.at_rates(rate=before.rate + term.rate)
        flips: list[NoiseTerm] = []
        for q in sorted({q for term in terms for q in term.qubits}):
            x, y = ((q, "X"),), ((q, "Y"),)
            if x in found and y in found and math.isclose(found[x].rate, found[y].rate, rel_tol=1e-12):
                flips.append(BitFlips(q, found.pop(x).rate + found.pop(y).rate))
        return flips + list(found.values())

    def plain(self) -> dict[str, Any]:
        """The term as plain data that its class reads back."""
        return super().plain() | {"pauli": self.label}


@dataclass(frozen=True)
class BitFlips(NoiseTerm):
    """X and Y jumps on one qubit at equal rates, which together conserve the charge weakly; made by merging alone.

    Attributes:
        qubit: Qubit index.
        rate: Sum of both rates, dimensionless per slot.
    """

    kind: ClassVar[str] = "pauli"
    example: ClassVar[str] = "{pauli = 'X0', rate = 0.01}"

    qubit: int
    rate: float

    @property
    def sites(self) -> tuple[int, ...]:
        """The qubit."""
        return (self.qubit,)

    @property
    def text(self) -> str:
        """E.g. ``pauli 0.001 D[X0], D[Y0]``."""
        return f"pauli {self.rate / 2:.4g} D[X{self.qubit}], D[Y{self.qubit}]"

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"X and Y jumps of cone qubit {self.qubit}"

    @property
    def noun(self) -> str:
        """What it is called before the word noise."""
        return "bit-flip"

    @property
    def action(self) -> SiteMoves:
        """X and Y exchange populations at the full rate; each leaves half of the coherences alone."""
        return SiteMoves(self.qubit, self.rate, self.rate, self.rate)

    def jumps(self) -> tuple[JumpOperator, ...]:
        """X and Y."""
        return tuple((self.rate / 2, {((self.qubit, p),): 1.0}) for p in "XY")

    @property
    def decays(self) -> tuple[float, ...]:
        """0, minus the decay of coherences, minus that of populations."""
        return (0.0, -self.rate, -2 * self.rate)

    def restricted(self, qubits: Collection[int]) -> Self | None:
        """All or nothing."""
        return self if self.qubit in qubits else None

    def placed(self, place: Mapping[int, int]) -> Self:
        """The bare term on another qubit number."""
        return self._bare(qubit=place[self.qubit])
