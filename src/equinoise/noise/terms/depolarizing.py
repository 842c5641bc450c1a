"""Depolarizing of one qubit or of two."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from reprlib import repr as shown
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from equinoise.errors import NoiseError
from equinoise.noise.terms.actions import PairReset, SiteMoves
from equinoise.noise.terms.checks import checked_qubit, checked_rate
from equinoise.noise.terms.term import EACH, JumpOperator, NoiseTerm, spelled_rate

__all__ = ["Depolarizing"]


@dataclass(frozen=True)
class Depolarizing(NoiseTerm):
    """Depolarizing on one or two qubits A: r -> rate * (Tr_A(r) (x) 1/d - r).

    Attributes:
        qubits: One or two qubit indices, or "each" for every qubit by itself.
        rate: Dimensionless, per slot.
    """

    kind: ClassVar[str] = "depolarizing"
    example: ClassVar[str] = "{qubits = [0, 1], rate = 0.01}"
    spellings: ClassVar[tuple[str, ...]] = ("depolarizing:RATE",)

    qubits: tuple[int, ...] | Literal["each"]
    rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.qubits != EACH:
            if isinstance(self.qubits, str) or not isinstance(self.qubits, Iterable):
                raise NoiseError(f"depolarizing 'qubits' must list one or two qubits, got {shown(self.qubits)}.")
            qubits = tuple(checked_qubit(q, "depolarizing qubit") for q in self.qubits)
            if len(qubits) not in (1, 2) or len(set(qubits)) != len(qubits):
                raise NoiseError(f"depolarizing acts on one or two different qubits, got {list(qubits)}.")
            object.__setattr__(self, "qubits", tuple(sorted(qubits)))
        object.__setattr__(self, "rate", checked_rate(self.rate, "depolarizing rate"))

    @property
    def sites(self) -> tuple[int, ...]:
        """Qubits it acts on; empty while "each" is not yet expanded."""
        return () if isinstance(self.qubits, str) else self.qubits

    @property
    def text(self) -> str:
        """E.g. ``depolarizing 0.002 on qubits 0, 1``."""
        where = "each qubit" if self.qubits == EACH else f"qubits {', '.join(map(str, self.qubits))}"
        return f"depolarizing {self.rate:.4g} on {where}"

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"depolarizing of cone qubits {', '.join(map(str, self.sites))}"

    @property
    def action(self) -> SiteMoves | PairReset:
        """On one qubit half of the rate moves populations each way; coherences decay at the full rate."""
        if len(self.sites) == 1:
            return SiteMoves(self.sites[0], self.rate / 2, self.rate / 2, self.rate)
        return PairReset((self.sites[0], self.sites[1]), self.rate)

    def jumps(self) -> tuple[JumpOperator, ...]:
        """All Pauli strings but the identity, each at rate/4^k."""
        strings = [
            tuple((q, p) for q, p in zip(self.sites, letters, strict=True) if p != "I")
            for letters in itertools.product("IXYZ", repeat=len(self.sites))
        ]
        return tuple((self.rate / len(strings), {string: 1.0}) for string in strings if string)

    def superoperator(self) -> npt.NDArray[np.complex128]:
        """The jumps' sum in closed form, rate (|1>><<1|/d - 1)."""
        dim = 2 ** len(self.sites)
        identity = np.eye(dim).ravel()
        out = self.rate * (np.outer(identity, identity) / dim - np.eye(dim * dim))
        return np.asarray(out, dtype=np.complex128)

    @property
    def decays(self) -> tuple[float, ...]:
        """0 and -rate."""
        return (0.0, -self.rate)

    @classmethod
    def spelled(cls, word: str, rest: str) -> Depolarizing | None:
        """Of each qubit."""
        rate = spelled_rate(rest)
        return None if word != cls.kind or rate is None else cls(EACH, rate)

    @classmethod
    def on_each(cls, rate: float) -> Depolarizing:
        """Each qubit by itself."""
        return cls(EACH, rate)

    def everywhere(self) -> Self:
        """The same rate on each qubit."""
        return replace(self, qubits=EACH, on=None)

    def expanded(self, num_qubits: int) -> list[Self]:
        """One term a qubit where it says "each"."""
        return [replace(self, qubits=(q,)) for q in range(num_qubits)] if self.qubits == EACH else [self]

    def restricted(self, qubits: Collection[int]) -> Self | None:
        """Depolarizing of the qubits inside, at the same rate."""
        inside = tuple(q for q in self.sites if q in qubits)
        if inside == self.qubits:
            return self
        return replace(self, qubits=inside) if inside else None

    def along(self, signs: Mapping[int, int]) -> Self:
        """The same along any axes."""
        return self

    def placed(self, place: Mapping[int, int]) -> Self:
        """The bare term on other qubit numbers."""
        return self._bare(qubits=tuple(place[q] for q in self.sites))

    @classmethod
    def merged(cls, terms: Sequence[Self]) -> list[NoiseTerm]:
        """Rates on the same qubits add; by qubits."""
        found: dict[tuple[int, ...], Self] = {}
        for term in terms:
            before = found.get(term.sites)
            found[term.sites] = term if before is None else term.at_rates(rate=before.rate + term.rate)
        return [found[qubits] for qubits in sorted(found)]
