"""Dephasing by any sum of Z, white or correlated in time."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from reprlib import repr as shown
from typing import Any, ClassVar, Final, Literal, Self

import numpy as np

from equinoise.errors import NoiseError
from equinoise.noise.correlations import STATIC, Correlation, checked_correlation, in_time, plain_correlation
from equinoise.noise.terms.actions import Diagonal
from equinoise.noise.terms.checks import checked_number, checked_qubit, checked_rate
from equinoise.noise.terms.phase_process import PhaseProcess, describe_jump
from equinoise.noise.terms.term import ALL, DIAGONAL, EACH, FIRST, JumpOperator, NoiseTerm, spelled_rate

__all__ = ["Dephasing", "distinct_sums"]

_GREATEST_WEIGHT: Final = 1e3


@dataclass(frozen=True)
class Dephasing(NoiseTerm):
    """Diagonal dephasing rate * D[K] with K = sum_i weights[i] Z_i.

    In a computational-basis element |x><y| it is the factor exp(-s rate (v.z_x - v.z_y)^2 / 2). For one qubit with
    weight 1 the coherence decays as exp(-2 s rate); phase damping lambda is exp(-2 rate) = sqrt(1 - lambda).

    It is the average of the random phases exp(-i sqrt(s rate) xi_l K) over normal xi_l of variance 1, independent in
    each slot l (white noise). With a ``correlation`` the xi_l are one Gaussian sequence, E xi_l xi_m = c(|l - m|) with

        c(k) = sum_a w_a exp(-k / tau_a),    w_a > 0,    sum_a w_a = 1.

    One slot alone still averages to exp(s rate D[K]), so ``rate`` keeps its meaning; slots no longer average apart: a
    static phase in L slots with no gate between them acts as D[K] at rate L^2 * rate. Accepted on construction:

    * None or "white": independent in each slot;
    * "static": quasi-static, tau = infinity, one phase for the whole circuit, new in each run;
    * a number tau > 0, in slots: exponentially correlated (Ornstein-Uhlenbeck);
    * {"1/f": [shortest, longest]} or {"one_over_f": ...}, in slots: correlation times spaced evenly in their logarithm,
      about 2 a decade (at least 2, at most 20), with equal weights: a spectrum close to 1/f for angular frequencies
      per slot between 1/longest and 1/shortest;
    * a list of [weight, tau] pairs, tau a number, "inf" or "static", the weights in any unit.

    Attributes:
        rate: Dimensionless, per slot, >= 0.
        weights: ((qubit, weight), ...) sorted by qubit; "each" for one independent jump (or process) per qubit, "all"
            for one collective jump with weight 1 on every qubit.
        correlation: None (white), or ((w_a, tau_a in slots), ...) sorted by tau, the w_a summing to 1.

    Example:
        >>> from equinoise.noise.terms import Dephasing
        >>> Dephasing(0.02, correlation="static").correlation
        ((1.0, inf),)
        >>> Dephasing(0.02, correlation=[[3, 5.0], [1, "static"]]).correlation
        ((0.75, 5.0), (0.25, inf))
    """

    kind: ClassVar[str] = "dephasing"
    example: ClassVar[str] = "{rate = 0.01, weights = {0 = 1.0}}"
    spellings: ClassVar[tuple[str, ...]] = ("dephasing:RATE", "static:RATE", "collective:RATE")
    is_phase: ClassVar[bool] = True

    rate: float
    weights: tuple[tuple[int, float], ...] | Literal["each", "all"] = EACH
    correlation: Correlation | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "rate", checked_rate(self.rate, "dephasing rate"))
        object.__setattr__(self, "correlation", checked_correlation(self.correlation))
        if isinstance(self.weights, str):
            if self.weights not in (EACH, ALL):
                raise NoiseError(
                    f"dephasing weights must map qubits to numbers, or be 'each' or 'all', got {shown(self.weights)}."
                )
            return
        pairs = self.weights.items() if isinstance(self.weights, Mapping) else self.weights
        clean: dict[int, float] = {}
        for qubit, weight in pairs:
            what = f"dephasing weight of qubit {shown(qubit)}"
            number = checked_number(weight, what, "a finite number")
            if abs(number) > _GREATEST_WEIGHT:
                raise NoiseError(f"{what} must be at most {_GREATEST_WEIGHT:g}, got {number:g}. Give a greater rate.")
            clean[checked_qubit(qubit, "dephasing qubit")] = number
        if not clean:
            raise NoiseError("a dephasing term needs at least one weight, e.g. weights = {0 = 1.0}.")
        object.__setattr__(self, "weights", tuple(sorted(clean.items())))

    @property
    def pairs(self) -> tuple[tuple[int, float], ...]:
        """((qubit, weight), ...); empty while "each" or "all" is not yet expanded."""
        return () if isinstance(self.weights, str) else self.weights

    @property
    def qubits(self) -> tuple[int, ...]:
        """Qubits it acts on; empty while "each" or "all" is not yet expanded."""
        return tuple(q for q, _ in self.pairs)

    @property
    def sites(self) -> tuple[int, ...]:
        """The same."""
        return self.qubits

    @property
    def text(self) -> str:
        """E.g. ``dephasing 0.01 D[Z0]`` or ``dephasing 0.01 D[Z0], static``."""
        if isinstance(self.weights, str):
            what = {EACH: "D[Z] on each qubit", ALL: "D[sum Z]"}[self.weights]
        else:
            what = describe_jump(self.weights)
        return f"dephasing {self.rate:.4g} {what}{in_time(self.correlation)}"

    @property
    def name(self) -> str:
        """What messages call it."""
        return "dephasing of cone qubits " + ", ".join(map(str, self.qubits))

    @property
    def stage(self) -> str:
        """A single Z commutes with all other kinds, a sum of several not with depolarizing of one of its pairs."""
        return DIAGONAL if len(self.pairs) == 1 else FIRST

    @property
    def is_correlated(self) -> bool:
        """Whether its phases are one sequence over the slots."""
        return self.correlation is not None

    @property
    def action(self) -> Diagonal:
        """|x><y| decays at rate (v . (z_x - z_y))^2 / 2."""
        return Diagonal(self.rate, self.pairs, False)

    def jumps(self) -> tuple[JumpOperator, ...]:
        """K = sum_i v_i Z_i."""
        return ((self.rate, {((q, "Z"),): w for q, w in self.pairs}),)

    @property
    def decays(self) -> tuple[float, ...] | None:
        """-rate d^2 / 2 for the values d of v . (z_x - z_y)."""
        return distinct_sums([(0.0, *(-self.rate * d * d / 2 for d in _differences(self.pairs) if d))])

    @property
    def parts(self) -> tuple[tuple[str, tuple[int, ...], float], ...]:
        """The rate of D[Z] on one qubit; a correlated jump is no calibration's."""
        weight = self.pairs[0][1] if len(self.pairs) == 1 else 0.0
        return (("dephasing", self.qubits, self.rate * weight**2),)

    @property
    def bound(self) -> float:
        """2 rate ||K||^2."""
        return 2 * self.rate * sum(abs(w) for _, w in self.pairs) ** 2

    def process(self, times: Sequence[int]) -> PhaseProcess | None:
        """The sequence of phases of a correlated term that acts so often in each slot; None if it never does."""
        pairs = tuple((q, w) for q, w in self.pairs if w != 0)
        if self.correlation is None or self.rate == 0 or not pairs or not any(times):
            return None
        return PhaseProcess(pairs, self.rate, self.correlation, tuple(math.sqrt(self.rate) * m for m in times))

    def flipped(self, qubits: Collection[int]) -> Self:
        """Z of those qubits changes its sign; K and -K are one jump, so the first weight keeps its own."""
        signs = [-1.0 if q in qubits else 1.0 for q in self.qubits]
        if len(set(signs)) < 2:
            return self
        return replace(self, weights=tuple((q, w * s * signs[0]) for (q, w), s in zip(self.pairs, signs, strict=True)))

    @classmethod
    def spelled(cls, word: str, rest: str) -> Dephasing | None:
        """Of each qubit, or by one jump on all."""
        rate = spelled_rate(rest)
        if rate is None or word not in ("dephasing", "static", "collective"):
            return None
        return cls(rate, ALL if word == "collective" else EACH, correlation=STATIC if word == "static" else None)

    @classmethod
    def on_each(cls, rate: float) -> Dephasing:
        """An independent jump Z on each qubit."""
        return cls(rate, EACH)

    def everywhere(self) -> Self:
        """The same rate on each qubit."""
        return replace(self, weights=EACH, on=None)

    def expanded(self, num_qubits: int) -> list[Self]:
        """One term a qubit for "each", one term on all for "all"."""
        if self.weights == EACH:
            return [replace(self, weights=((q, 1.0),)) for q in range(num_qubits)]
        if self.weights == ALL:
            return [replace(self, weights=tuple((q, 1.0) for q in range(num_qubits)))]
        return [self]

    def restricted(self, qubits: Collection[int]) -> Self | None:
        """K without the Z outside: diagonal jumps there commute with what is seen. Weights of 0 go too."""
        weights = tuple((q, w) for q, w in self.pairs if q in qubits and w != 0)
        if weights == self.weights:
            return self
        return replace(self, weights=weights) if weights else None

    def along(self, signs: Mapping[int, int]) -> Self | None:
        """Weights change sign with Z."""
        if not all(signs.values()):
            return None
        return self._bare(weights=tuple((q, signs[q] * w) for q, w in self.pairs))

    def placed(self, place: Mapping[int, int]) -> Self:
        """The bare term on other qubit numbers."""
        return self._bare(weights=tuple((place[q], w) for q, w in self.pairs if w))

    @classmethod
    def merged(cls, terms: Sequence[Self]) -> list[NoiseTerm]:
        """Rates of equal jumps add."""
        found: dict[tuple[tuple[int, float], ...], Self] = {}
        for term in terms:
            before = found.get(term.pairs)
            found[term.pairs] = term if before is None else term.at_rates(rate=before.rate + term.rate)
        return list(found.values())

    def plain(self) -> dict[str, Any]:
        """The term as plain data that its class reads back."""
        out = super().plain()
        if not isinstance(self.weights, str):
            out["weights"] = {str(q): w for q, w in self.weights}
        if self.correlation is not None:
            out["correlation"] = plain_correlation(self.correlation)
        return out


# distinct rates of one term beyond which they are not listed
_MOST_RATES = 64


def _differences(weights: Sequence[tuple[int, float]]) -> list[float]:
    """The values of v . (z_x - z_y); at most a few more than are listed."""
    values = {0.0}
    for _, w in weights:
        values = {round(v + step * w, 12) for v in values for step in (-2, 0, 2)}
        if len(values) > 4 * _MOST_RATES:
            break
    return sorted(values)


def distinct_sums(parts: Sequence[Sequence[float] | None]) -> tuple[float, ...] | None:
    """Distinct sums of one rate of each part, all <= 0, greatest first; None where they are too many or unknown."""
    sums = np.zeros(1)
    for part in parts:
        if part is None:
            return None
        every = np.sort(np.add.outer(sums, np.array(part)).ravel())[::-1]
        size = max(1e-300, float(-every[-1]))
        sums = every[np.concatenate([[True], -np.diff(every) > 1e-11 * size])]
        if sums.size > _MOST_RATES:
            return None
    return tuple(float(v) for v in sums)
