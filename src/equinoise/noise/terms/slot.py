"""What acts after one layer of the circuit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from equinoise.errors import NoiseError
from equinoise.noise.terms.kinds import KINDS, in_order
from equinoise.noise.terms.term import NoiseTerm

__all__ = ["Slot"]


@dataclass(frozen=True)
class Slot:
    """What acts after one layer, with wildcards, layers and gates resolved (rates of equal terms not merged).

    White noise only: dephasing that is correlated in time is a :class:`PhaseProcess` beside the slots. The terms of one
    kind are also found under the kind's name: ``slot.dephasing``, ``slot.relaxation``, ...

    Attributes:
        terms: In the order in which they act (by kind, as given within one).

    Raises:
        NoiseError: A dephasing term is correlated in time.
    """

    terms: tuple[NoiseTerm, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", in_order(self.terms))
        for term in self.terms:
            if term.is_correlated:
                raise NoiseError(
                    f"a slot holds white noise only, got {term.describe()}. Dephasing correlated in time is a "
                    "PhaseProcess; NoiseModel.processes makes it."
                )

    def __getattr__(self, name: str) -> tuple[Any, ...]:
        if name in KINDS:
            return tuple(term for term in self.terms if term.kind == name)
        raise AttributeError(f"a slot has no {name!r}; its terms are under {', '.join(KINDS)}.")

    def restricted(self, qubits: Collection[int]) -> Slot:
        """The noise as an operator on ``qubits`` sees it; terms of zero rate and terms outside are dropped."""
        left = (term.restricted(qubits) for term in self.terms if term.strength > 0)
        return Slot(tuple(term for term in left if term is not None))
