"""Dephasing correlated in time: one Gaussian sequence of phases over all slots of a circuit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from reprlib import repr as shown

from equinoise.errors import NoiseError
from equinoise.noise.correlations import Correlation, checked_correlation, in_time
from equinoise.noise.terms.checks import checked_rate

__all__ = ["PhaseProcess", "describe_jump"]


@dataclass(frozen=True)
class PhaseProcess:
    """Dephasing correlated in time: one Gaussian sequence of phases over all slots of a circuit.

    In the noise slot of layer l it applies exp(-i sqrt(s) amplitudes[l] xi_l K), K = sum_i v_i Z_i, with E xi_l = 0 and
    E xi_l xi_m = c(|l - m|) = sum_a w_a exp(-|l - m| / tau_a); s is the noise scale.

    Attributes:
        pairs: ((qubit, v_i), ...) sorted by qubit, v_i not 0.
        rate: Dimensionless, per slot, > 0.
        correlation: ((w_a, tau_a in slots), ...) sorted by tau, the w_a summing to 1.
        amplitudes: Length L, dimensionless: sqrt(rate) times the number of times that it acts in the slot (the phases
            of one slot are equal and add), 0 where it does not act.

    Raises:
        NoiseError: A rate, correlation or amplitude that no process can have.

    Example:
        >>> from equinoise.noise.terms import STATIC, PhaseProcess
        >>> process = PhaseProcess(((0, 1.0),), 0.04, STATIC, (0.2, 0.0, 0.2))
        >>> process.qubits, process.covariance(2)
        ((0,), 1.0)
    """

    pairs: tuple[tuple[int, float], ...]
    rate: float
    correlation: Correlation
    amplitudes: tuple[float, ...]

    def __post_init__(self) -> None:
        if not checked_rate(self.rate, "rate of a phase process") > 0:
            raise NoiseError("rate of a phase process must be > 0, got 0. Leave the process out.")
        correlation = checked_correlation(self.correlation)
        if correlation is None:
            raise NoiseError("a phase process needs a correlation; white noise is a Dephasing term of its slots.")
        object.__setattr__(self, "correlation", correlation)
        if not self.pairs or any(w == 0 for _, w in self.pairs):
            raise NoiseError(f"a phase process needs weights that are not 0, got {shown(self.pairs)}.")
        if not all(0 <= a < math.inf for a in self.amplitudes):
            raise NoiseError(f"amplitudes of a phase process must be finite and >= 0, got {shown(self.amplitudes)}.")

    @property
    def qubits(self) -> tuple[int, ...]:
        """Qubits it acts on, ascending."""
        return tuple(q for q, _ in self.pairs)

    def acts(self, layer: int) -> bool:
        """Whether it acts in a slot."""
        return self.amplitudes[layer] > 0

    def rate_in(self, layer: int) -> float:
        """Its rate wherever it acts."""
        return self.rate

    def rows(self, layer: int) -> list[dict[int, float]]:
        """The independent phases of a slot, each as {qubit: weight}: one, or none."""
        return [dict(self.pairs)] if self.acts(layer) else []

    def describe(self, layer: int) -> str:
        """One line for what it does in one slot, e.g. ``dephasing 0.01 D[Z0], correlated over 5 slots``."""
        times = round(self.amplitudes[layer] / math.sqrt(self.rate))
        often = f", {times} times (phases add)" if times > 1 else ""
        return f"dephasing {self.rate:.4g} {describe_jump(self.pairs)}{in_time(self.correlation)}{often}"

    def covariance(self, lag: int) -> float:
        """c(lag) = sum_a w_a exp(-lag / tau_a), dimensionless; lag >= 0 in slots."""
        return math.fsum(weight * math.exp(-lag / time) for weight, time in self.correlation)


def describe_jump(pairs: Iterable[tuple[int, float]]) -> str:
    """The dissipator of a diagonal jump sum_i v_i Z_i from its (qubit, v_i), e.g. ``D[Z0 - 0.5 Z3]``."""
    text = ""
    for qubit, weight in pairs:
        sign = ("-" if weight < 0 else "") if not text else (" - " if weight < 0 else " + ")
        text += sign + ("" if abs(weight) == 1 else f"{abs(weight):.4g} ") + f"Z{qubit}"
    return f"D[{text}]"
