"""Relaxation of one qubit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from equinoise.circuit.pauli_sums import String
from equinoise.noise.terms.actions import SiteMoves
from equinoise.noise.terms.checks import checked_qubit, checked_rate
from equinoise.noise.terms.term import EACH, FIRST, JumpOperator, NoiseTerm, spelled_rate

__all__ = ["Relaxation"]


@dataclass(frozen=True)
class Relaxation(NoiseTerm):
    """Relaxation of one qubit: down * D[|0><1|] + up * D[|1><0|].

    Attributes:
        qubit: Qubit index, or "each".
        down: Rate |1> -> |0>, dimensionless per slot.
        up: Rate |0> -> |1>, dimensionless per slot.
    """

    kind: ClassVar[str] = "relaxation"
    example: ClassVar[str] = "{qubit = 0, down = 0.01}"
    rates: ClassVar[tuple[str, ...]] = ("down", "up")
    spellings: ClassVar[tuple[str, ...]] = ("relaxation:down=RATE[,up=RATE]",)

    qubit: int | Literal["each"]
    down: float = 0.0
    up: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.qubit != EACH:
            object.__setattr__(self, "qubit", checked_qubit(self.qubit, "relaxation qubit"))
        object.__setattr__(self, "down", checked_rate(self.down, "relaxation rate 'down'"))
        object.__setattr__(self, "up", checked_rate(self.up, "relaxation rate 'up'"))

    @property
    def qubits(self) -> tuple[int, ...]:
        """Qubits it acts on; empty while "each" is not yet expanded."""
        return () if isinstance(self.qubit, str) else (self.qubit,)

    @property
    def sites(self) -> tuple[int, ...]:
        """The same."""
        return self.qubits

    @property
    def text(self) -> str:
        """E.g. ``relaxation of qubit 2: down 0.01, up 0``."""
        where = "each qubit" if self.qubit == EACH else f"qubit {self.qubit}"
        return f"relaxation of {where}: down {self.down:.4g}, up {self.up:.4g}"

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"relaxation of cone qubit {self.qubit}"

    @property
    def stage(self) -> str:
        """It acts before what does not commute with it."""
        return FIRST

    @property
    def action(self) -> SiteMoves:
        """Coherences decay at half the rate at which populations do."""
        return SiteMoves(int(self.qubit), self.down, self.up, (self.down + self.up) / 2)

    def jumps(self) -> tuple[JumpOperator, ...]:
        """|0><1| = (X + iY)/2 at the rate down and |1><0| at the rate up; those of rate 0 are left out."""
        q = int(self.qubit)
        lower: dict[String, complex] = {((q, "X"),): 0.5, ((q, "Y"),): 0.5j}
        raising = {string: value.conjugate() for string, value in lower.items()}
        return tuple((rate, k) for rate, k in ((self.down, lower), (self.up, raising)) if rate > 0)

    @property
    def decays(self) -> tuple[float, ...]:
        """0, and minus the decay of coherences and of populations."""
        total = self.down + self.up
        return (0.0, -total / 2, -total)

    @property
    def parts(self) -> tuple[tuple[str, tuple[int, ...], float], ...]:
        """Down and up."""
        return (("down", self.sites, self.down), ("up", self.sites, self.up))

    def flipped(self, qubits: Collection[int]) -> Self:
        """X |0><1| X = |1><0|: down and up change places."""
        return replace(self, down=self.up, up=self.down) if self.qubit in qubits else self

    @classmethod
    def spelled(cls, word: str, rest: str) -> Relaxation | None:
        """Of each qubit."""
        stated = [item.split("=") for item in rest.split(",")] if "=" in rest else [["down", rest]]
        if word != cls.kind or not all(len(pair) == 2 for pair in stated):
            return None
        rates = {name: spelled_rate(text) for name, text in stated}
        down, up = rates.pop("down", 0.0), rates.pop("up", 0.0)
        if rates or len({name for name, _ in stated}) < len(stated) or down is None or up is None:
            return None
        return cls(EACH, down, up)

    @classmethod
    def on_each(cls, rate: float) -> Relaxation:
        """Down at this rate on each qubit."""
        return cls(EACH, down=rate)

    def everywhere(self) -> Self:
        """The same rates on each qubit."""
        return replace(self, qubit=EACH, on=None)

    def expanded(self, num_qubits: int) -> list[Self]:
        """One term a qubit where it says "each"."""
        return [replace(self, qubit=q) for q in range(num_qubits)] if self.qubit == EACH else [self]

    def restricted(self, qubits: Collection[int]) -> Self | None:
        """All or nothing."""
        return self if self.qubit in qubits else None

    def along(self, signs: Mapping[int, int]) -> Self | None:
        """Up is down where |0> and |1> are exchanged."""
        sign = signs[int(self.qubit)]
        if sign < 0:
            return self._bare(down=self.up, up=self.down)
        return self if sign else None

    def placed(self, place: Mapping[int, int]) -> Self:
        """The bare term on another qubit number."""
        return self._bare(qubit=place[int(self.qubit)])

    @classmethod
    def merged(cls, terms: Sequence[Self]) -> list[NoiseTerm]:
        """Rates on one qubit add; by qubit."""
        found: dict[int, Self] = {}
        for term in terms:
            q = int(term.qubit)
            found[q] = (
                term if q not in found else term.at_rates(down=found[q].down + term.down, up=found[q].up + term.up)
            )
        return [found[q] for q in sorted(found)]
