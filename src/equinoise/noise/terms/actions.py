"""What noise does to a density matrix, in the few forms for which engines have kernels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import expm

from equinoise.errors import UnsupportedError

__all__ = ["Action", "Diagonal", "General", "PairReset", "PauliString", "SiteMoves", "home_of", "joint_generators"]

# exp(-this) is nothing
_GONE = 80.0


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
        alone: Whether it acts by itself, in its place among the others, and not together with those on its qubits.
    """

    qubits: tuple[int, ...]
    generator: npt.NDArray[np.complex128]
    alone: bool = False

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

    def channel(self, scale: float) -> npt.NDArray[np.complex128]:
        """exp(s E), shape (4^k, 4^k).

        Args:
            scale: s in [0, infinity].

        Raises:
            UnsupportedError: s is infinite and the generator turns states forever.
        """
        if math.isinf(scale):
            if not self.has_limit:
                raise UnsupportedError(
                    "coherent noise has no limit at noise scale inf: it turns states forever. Give a finite scale."
                )
            decays = -np.linalg.eigvals(self.generator).real
            scale = _GONE / float(np.min(decays[decays > 1e-9 * decays.max(initial=1e-300)], initial=math.inf))
        return np.asarray(expm(scale * self.generator), dtype=np.complex128)

    def on(self, qubits: tuple[int, ...]) -> npt.NDArray[np.complex128]:
        """The generator on more qubits, those of it among them; at most two, ascending."""
        if qubits == self.qubits:
            return self.generator
        # E (x) 1 on elements |a1 a0><c1 c0|, written a1 a0 c1 c0: a, c belong to its own qubit, e, g to the other
        one = self.generator.reshape(2, 2, 2, 2)
        order = "eagcfbhd" if qubits[0] == self.qubits[0] else "aecgbfdh"
        return np.asarray(np.einsum(f"acbd,ef,gh->{order}", one, np.eye(2), np.eye(2)).reshape(16, 16))


def joint_generators(actions: Sequence[General]) -> tuple[General, ...]:
    """What a slot's general terms are together: one generator for each set of qubits.

    Terms on one set of qubits, or on a part of it, act at the same time: their generators add up and the channel is the
    exponential of the sum (a Hamiltonian beside a jump, the fifteen jumps of a noisy block). Pairs that overlap in one
    qubit act one after another, in the order in which each was first named: their sum has no channel on two qubits. A
    whole channel, and a named kind seen from a tilted axis, act alone and in their places.

    Args:
        actions: In the order given.
    """
    named = list(dict.fromkeys(action.qubits for action in actions if not action.alone))
    largest = [q for q in named if not any(set(q) < set(other) for other in named)]
    shared = [General(q, np.zeros((4 ** len(q),) * 2, dtype=np.complex128)) for q in largest]
    homes = [home_of(action, shared) for action in actions]
    for action, home in zip(actions, homes, strict=True):
        if not action.alone:
            home.generator[:] += action.on(home.qubits)
    return tuple(dict.fromkeys(homes))


def home_of(action: General, joint: Sequence[General]) -> General:
    """With which of the joint generators a term acts: itself, or the first that has all its qubits."""
    if action.alone:
        return action
    return next(home for home in joint if not home.alone and set(action.qubits) <= set(home.qubits))


Action = Diagonal | SiteMoves | PairReset | PauliString | General
