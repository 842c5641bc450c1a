"""The kinds of noise, in the order in which they act in a slot. A new kind is its own file and a line here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from equinoise.noise.terms.coherent import Coherent
from equinoise.noise.terms.dephasing import Dephasing
from equinoise.noise.terms.depolarizing import Depolarizing
from equinoise.noise.terms.jump import Jump
from equinoise.noise.terms.kraus import Kraus
from equinoise.noise.terms.pauli_jump import PauliJump
from equinoise.noise.terms.relaxation import Relaxation
from equinoise.noise.terms.term import NoiseTerm

__all__ = ["KINDS", "in_order"]

KINDS: Final[dict[str, type[NoiseTerm]]] = {
    cls.kind: cls for cls in (Dephasing, Relaxation, Depolarizing, PauliJump, Jump, Coherent, Kraus)
}


def in_order(terms: Iterable[NoiseTerm]) -> tuple[NoiseTerm, ...]:
    """Terms in the order in which they act, those of one kind as given; kinds that nobody states come last."""
    order = {kind: number for number, kind in enumerate(KINDS)}
    return tuple(sorted(terms, key=lambda term: order.get(term.kind, len(order))))
