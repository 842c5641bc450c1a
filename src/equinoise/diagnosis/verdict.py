"""The verdict on a circuit's gradients under noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Verdict", "decide"]

CLASSICAL_SHARE = 0.9


@dataclass(frozen=True)
class Verdict:
    """One word and its reason.

    Attributes:
        word: "trainable", "noise-limited", "classical", "shot-limited" (not resolved even without noise) or
            "undecided" (the interval straddles the line).
        reason: In a sentence, with the numbers.
    """

    word: str
    reason: str


def decide(
    noiseless: tuple[float, float],
    noisy: tuple[float, float],
    threshold: float,
    classical_share: tuple[float, float],
    fixed_point: str,
    shots: int,
) -> Verdict:
    """The verdict from intervals of the RMS gradient per parameter and the shot-noise threshold.

    Args:
        noiseless: Interval of the RMS gradient without noise.
        noisy: Interval of the measured RMS gradient with noise.
        threshold: RMS gradient that the shots resolve.
        classical_share: Interval of V(inf)/V(s), the share of what survives that sits in fixed-point modes.
        fixed_point: The fixed point's class.
        shots: Per expectation value.
    """
    if not all(map(math.isfinite, (*noiseless, *noisy))):
        return Verdict("undecided", "too few draws for an interval of the RMS gradient; take more samples")
    line = f"{threshold:.2g} is what {shots:,} shots per expectation value resolve"
    if noiseless[1] < threshold:
        return Verdict("shot-limited", f"even without noise the RMS gradient is at most {noiseless[1]:.2g}; {line}")
    if noisy[1] < threshold:
        return Verdict("noise-limited", f"noise leaves an RMS gradient of at most {noisy[1]:.2g}; {line}")
    if noisy[0] < threshold:
        return Verdict("undecided", f"the RMS gradient lies between {noisy[0]:.2g} and {noisy[1]:.2g}; {line}")
    if fixed_point == "classical":
        if classical_share[0] >= CLASSICAL_SHARE:
            share = "all" if classical_share[0] > 0.9995 else f"at least {100 * classical_share[0]:.1f} %"
            return Verdict(
                "classical",
                f"{share} of the surviving squared gradient sits in modes that the "
                "noise leaves alone for ever: it is resolved, but a classical stochastic process has it too",
            )
        if classical_share[1] >= CLASSICAL_SHARE:
            return Verdict(
                "undecided",
                f"the share of fixed-point modes in what survives lies between {classical_share[0]:.2f} and "
                f"{classical_share[1]:.2f}, across the line of {CLASSICAL_SHARE}",
            )
    return Verdict("trainable", f"the RMS gradient is at least {noisy[0]:.2g}; {line}")
