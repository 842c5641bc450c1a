"""The verdict on a circuit's gradients under noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

__all__ = ["Verdict", "at_least", "at_most", "decide"]

CLASSICAL_SHARE = 0.9
RIGHT_WAY = 0.7

Ends = tuple[float, float]


@dataclass(frozen=True)
class Verdict:
    """One word and its reason.

    Attributes:
        word: "trainable", "noise-limited", "classical", "shot-limited" (not resolved even without noise),
            "misdirected" (resolved, but it points elsewhere: D below 0.7) or "undecided" (an interval straddles the
            line).
        reason: In a sentence, with the numbers; no end of an interval is rounded to where it claims more.
    """

    word: str
    reason: str


def at_least(value: float, places: int | None = None) -> str:
    """A lower end as text, rounded down: to two significant digits, or to decimal places.

    Example:
        >>> at_least(0.0958), at_least(0.9699, 2)
        ('0.095', '0.96')
    """
    return _rounded(value, places, ROUND_FLOOR)


def at_most(value: float, places: int | None = None) -> str:
    """An upper end as text, rounded up likewise."""
    return _rounded(value, places, ROUND_CEILING)


def _rounded(value: float, places: int | None, mode: str) -> str:
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    unit = math.floor(math.log10(abs(value))) - 1 if places is None else -places
    kept = Decimal(repr(value)).quantize(Decimal((0, (1,), unit)), rounding=mode)
    return f"{float(kept):.2g}" if places is None else f"{kept}"


def decide(
    noiseless: Ends,
    noisy: Ends,
    threshold: float,
    classical_share: Ends,
    fixed_point: str,
    shots: int,
    direction: Ends | None = None,
) -> Verdict:
    """The verdict from intervals of the RMS gradient per parameter and the shot-noise threshold.

    Args:
        noiseless: Interval of the RMS gradient without noise.
        noisy: Interval of the measured RMS gradient with noise.
        threshold: RMS gradient that the shots resolve.
        classical_share: Interval of V(inf)/V(s), the share of what survives that sits in fixed-point modes; not
            finite where it is unknown, which blocks no verdict and is said.
        fixed_point: The fixed point's class.
        shots: Per expectation value.
        direction: Interval of D(s), the cosine between noisy and noiseless gradient; None where it was not measured.
    """
    if not all(map(math.isfinite, (*noiseless, *noisy))):
        return Verdict("undecided", "too few draws for an interval of the RMS gradient; take more samples")
    line = f"{shots:,} shots resolve {threshold:.2g}"
    if noiseless[1] < threshold:
        return Verdict(
            "shot-limited", f"even without noise the RMS gradient is at most {at_most(noiseless[1])}; {line}"
        )
    if noisy[1] < threshold and noiseless[0] < threshold:
        without = f"between {at_least(noiseless[0])} and {at_most(noiseless[1])} without noise"
        return Verdict(
            "undecided",
            f"not resolved, and whether noise or the shots alone limit it is open: the RMS gradient is at most "
            f"{at_most(noisy[1])}, {without}; {line}",
        )
    if noisy[1] < threshold:
        return Verdict("noise-limited", f"noise leaves an RMS gradient of at most {at_most(noisy[1])}; {line}")
    if noisy[0] < threshold:
        between = f"between {at_least(noisy[0])} and {at_most(noisy[1])}"
        return Verdict("undecided", f"the RMS gradient lies {between}; {line}")
    unknown = ""
    if fixed_point == "classical" and not all(map(math.isfinite, classical_share)):
        unknown, fixed_point = "; whether a classical process has it too is unknown (this engine has no w0)", ""
    return (
        (_classical(classical_share) if fixed_point == "classical" else None)
        or (_misdirected(direction) if direction is not None else None)
        or Verdict(
            "trainable", f"the RMS gradient is at least {at_least(noisy[0])}; {line}{_pointing(direction)}{unknown}"
        )
    )


def _classical(share: Ends) -> Verdict | None:
    if share[0] >= CLASSICAL_SHARE:
        part = "all" if share[0] > 0.9995 else f"at least {at_least(100 * share[0], 1)} %"
        return Verdict(
            "classical",
            f"{part} of the squared gradient that is left sits in modes that the noise never touches: resolved, but a "
            "classical stochastic process has it too",
        )
    if share[1] >= CLASSICAL_SHARE:
        return Verdict(
            "undecided",
            f"the share of fixed-point modes in what survives lies between {at_least(share[0], 2)} and "
            f"{at_most(share[1], 2)}, across the line of {CLASSICAL_SHARE}",
        )
    return None


def _misdirected(direction: Ends) -> Verdict | None:
    low, high = direction
    cosine = "cosine with the noiseless gradient"
    if not (math.isfinite(low) and math.isfinite(high)):
        return Verdict("undecided", f"resolved, but {cosine} is unknown; take more samples")
    if high < RIGHT_WAY:
        return Verdict(
            "misdirected",
            f"resolved, but it points at most {at_most(high, 2)} the right way ({cosine}); the line is {RIGHT_WAY}",
        )
    if low < RIGHT_WAY:
        return Verdict(
            "undecided",
            f"resolved, but {cosine} lies between {at_least(low, 2)} and {at_most(high, 2)}, across "
            f"the line of {RIGHT_WAY}",
        )
    return None


def _pointing(direction: Ends | None) -> str:
    return "" if direction is None else f"; it points at least {at_least(direction[0], 2)} the right way"
