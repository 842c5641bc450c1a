"""The symmetry class of noise, computed from its operators.

*Strong*: every jump commutes with the charge Q; one sector suffices. *Weak*: the generator commutes with the adjoint
action of Q; the state stays block-diagonal. *Broken*: neither; the full space is needed.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from equinoise.noise.terms import NoiseTerm, Slot

__all__ = ["NoiseClass", "noise_class"]


class NoiseClass(str):
    """One of "none", "strong", "weak", "broken", with the terms that break the charge.

    Attributes:
        breaking: Descriptions of the terms without which it would not be broken.
        blockwise: Whether the block-diagonal engine has the channel (a weak group of two-qubit Pauli jumps has not).
    """

    breaking: tuple[str, ...]
    blockwise: bool

    def __new__(cls, value: str, breaking: tuple[str, ...] = (), blockwise: bool = True) -> NoiseClass:
        """Makes the string and keeps its reasons."""
        self = super().__new__(cls, value)
        self.breaking = breaking
        self.blockwise = blockwise
        return self


def noise_class(slots: Iterable[Slot]) -> NoiseClass:
    """The symmetry class of all slots together.

    Jump operators are checked for [K, Q] = 0 (strong); generators, summed over terms on the same qubits, for
    commuting with the adjoint action of Q (weak).

    Example:
        >>> from equinoise.noise.terms import PauliJump, Slot
        >>> noise_class([Slot((PauliJump("X0", 0.1), PauliJump("Y0", 0.1)))])
        'weak'
        >>> noise_class([Slot((PauliJump("X0", 0.1),))])
        'broken'
    """
    different = {id(slot): slot for slot in slots}.values()
    terms = [(index, term) for index, slot in enumerate(different) for term in slot.terms if term.strength > 0]
    if not terms:
        return NoiseClass("none")
    moving = [(index, term) for index, term in terms if not term.keeps_charge]
    if not moving:
        return NoiseClass("strong")
    groups: dict[tuple[int, tuple[int, ...]], list[NoiseTerm]] = {}
    for index, term in moving:
        groups.setdefault((index, tuple(sorted(term.sites))), []).append(term)
    breaking: dict[str, None] = {}
    blockwise = True
    for group in groups.values():
        if not _generator_commutes(group):
            alone = [t for t in group if not _generator_commutes([t])]
            breaking |= dict.fromkeys(t.describe() for t in alone or group)
        elif not all(_generator_commutes([t]) for kind in {type(t) for t in group} for t in _merged(kind, group)):
            blockwise = False
    if breaking:
        return NoiseClass("broken", tuple(breaking), False)
    return NoiseClass("weak", (), blockwise)


def _merged(kind: type[NoiseTerm], group: list[NoiseTerm]) -> list[NoiseTerm]:
    """The terms of a kind as a compiled slot holds them: X and Y jumps at one rate are one term."""
    return kind.merged([t for t in group if type(t) is kind])


def _generator_commutes(group: list[NoiseTerm]) -> bool:
    """Whether the summed generator of terms on the same few qubits commutes with the adjoint action of Q."""
    # The adjoint action of Q multiplies |x><y| by q_x - q_y. A generator commutes with it iff it has no element
    # between two such operators of different q_x - q_y.
    dim = 2 ** len(group[0].sites)
    total = np.sum([term.superoperator() for term in group], axis=0)
    charge = np.array([bin(x).count("1") for x in range(dim)])
    difference = (charge[:, None] - charge[None, :]).ravel()
    leak = np.abs(total[difference[:, None] != difference[None, :]]).max(initial=0.0)
    return bool(leak < 1e-12 * max(1.0, float(np.abs(total).max())))
