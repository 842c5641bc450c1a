"""Decoupling sequences: which Pauli pulses at which fractions of an idle window, and how neighbours take turns."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from equinoise.errors import CircuitError

__all__ = ["PulseSequence", "pulse_sequence"]

_PAULIS = ("X", "Y", "Z")


@dataclass(frozen=True)
class PulseSequence:
    """Pauli pulses on one idle qubit.

    Attributes:
        gates: "X", "Y" or "Z" each, in time order; an even number whose product is the identity up to a phase.
        fractions: Where each stands in the window's free time (the window less the pulses), ascending in [0, 1].
        name: What to call it.

    Raises:
        CircuitError: Other gates, fractions out of order, or a product that is not the identity.

    Example:
        >>> from equinoise.mitigation.decoupling.pulse_sequences import pulse_sequence
        >>> pulse_sequence("XY4").fractions
        (0.125, 0.375, 0.625, 0.875)
    """

    gates: tuple[str, ...]
    fractions: tuple[float, ...]
    name: str = "user-defined"

    def __post_init__(self) -> None:
        gates = tuple(str(g).upper() for g in self.gates)
        strange = [g for g in gates if g not in _PAULIS]
        if strange:
            raise CircuitError(f"a pulse must be X, Y or Z, got {strange[0]!r}.")
        times = tuple(float(t) for t in self.fractions)
        if len(times) != len(gates) or not all(0 <= t <= 1 for t in times) or list(times) != sorted(times):
            raise CircuitError(
                "a pulse sequence needs one fraction of the idle window for each pulse, ascending between 0 and 1, "
                f"got {list(self.fractions)} for {len(gates)} pulses."
            )
        odd = [gates.count(p) % 2 for p in _PAULIS]
        if not gates or len(set(odd)) > 1 or len(gates) % 2:
            raise CircuitError(
                f"the pulses {' '.join(gates)} must be an even number that multiplies to the identity up to a phase, "
                "so that the frame closes at the end of the window; e.g. X X or X Y X Y."
            )
        object.__setattr__(self, "gates", gates)
        object.__setattr__(self, "fractions", times)

    @property
    def spacing(self) -> list[float]:
        """Qiskit's spacing: the gaps between pulses, a sum of exactly 1."""
        edges = [0.0, *self.fractions]
        gaps = [b - a for a, b in itertools.pairwise(edges)]
        last = 1 - sum(gaps)
        while sum([*gaps, last]) != 1:  # at most one unit in the last place
            last = math.nextafter(last, math.inf if sum([*gaps, last]) < 1 else -math.inf)
        return [*gaps, last]

    def staggered(self, colour: int) -> PulseSequence:
        """The sequence of a colour class, orthogonal in its signs to those of all other colours.

        Colours 2k and 2k + 1 repeat the sequence 2^k times, the odd ones shifted by half a pulse spacing. For evenly
        spaced pulses (X2, XY4) any two colours then have integral y_a(t) y_b(t) dt = 0 over a common window.

        Args:
            colour: 0, 1, 2, ...
        """
        # y of colour 2k has 2^k times the frequency of colour 0, and the odd colours are those a quarter period later:
        # square waves, orthogonal as the Rademacher functions and their quadratures are.
        repeats = 2 ** (colour // 2)
        times = [(r + t) / repeats for r in range(repeats) for t in self.fractions]
        if colour % 2:
            shift = 1 / (2 * len(times))
            times = [t + shift for t in times]
        name = f"{self.name}, colour {colour}" if colour else self.name
        return PulseSequence(self.gates * repeats, tuple(min(1.0, t) for t in times), name)


X2: Final = PulseSequence(("X", "X"), (0.25, 0.75), "X2")
XY4: Final = PulseSequence(("X", "Y", "X", "Y"), (0.125, 0.375, 0.625, 0.875), "XY4")


def pulse_sequence(value: Any) -> PulseSequence:
    """A sequence by name ("X2", "XY4"), as such, or from [(gate, fraction of the free time), ...].

    Raises:
        CircuitError: An unknown name or a malformed list.
    """
    if isinstance(value, PulseSequence):
        return value
    if isinstance(value, str):
        known = {"X2": X2, "XY4": XY4}
        if value.upper() not in known:
            raise CircuitError(
                f"no pulse sequence is called {value!r}; known: X2, XY4, or a list of (gate, fraction) pairs."
            )
        return known[value.upper()]
    if not isinstance(value, Sequence) or not all(isinstance(p, Sequence) and len(p) == 2 for p in value):
        raise CircuitError(f"a pulse sequence must be 'X2', 'XY4' or [(gate, fraction), ...], got {value!r}.")
    return PulseSequence(tuple(g for g, _ in value), tuple(t for _, t in value))
