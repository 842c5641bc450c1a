"""When a diagnosis has drawn enough: the verdict is decided, and the survival known to the precision asked for.

Draws come in growing batches. After each, the verdict is asked for with intervals of confidence 1 - a_k at look k,
where a_k = 0.02/(k (k + 1)): over all looks these add up to 2 %, so that looking again and again costs no confidence (a
union bound). Intervals of earlier looks hold as well, so what is known is their intersection. The precision is that of
R: half of its 95 % interval is at most max(precision R, 0.005).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from equinoise.coherence.sample import FEWEST_DRAWS, Interval
from equinoise.diagnosis.averages import Averages
from equinoise.sampling import Sampling

__all__ = ["CONFIDENCE", "ENDS", "Plan", "Stopping", "Watch", "ends_of", "stated"]

CONFIDENCE = 0.98
PRECISION, SECONDS = 0.02, 15.0
# half-width of R below which nobody asks for more
_FINE = 0.005
# share of the time that the draws may take; the rest is for preparing, the depth and what is printed
_FOR_DRAWS = 0.6
# processors that the time is reckoned for, so that the number of draws is the same on every machine
PROCESSORS = 2
# the first batch: so many where they take less than a second, else the fewest
_FIRST = 128
_MOST = 100_000
ENDS = ("clean", "read", "classical", "direction")


@dataclass(frozen=True)
class Plan:
    """How many draws a diagnosis takes.

    Attributes:
        precision: Of R, see this module; None to take all draws.
        seconds: Limit, as the engines declare their time on two processors.
        samples: Most draws; None for no limit.
    """

    precision: float | None
    seconds: float
    samples: int | None

    @classmethod
    def of(cls, sampling: Sampling) -> Plan:
        """What a sampling asks for: draws that are stated or given are all taken, else until decided."""
        stated = sampling.samples is not None or sampling.given
        if stated and sampling.precision is None and sampling.seconds is None:
            return cls(None, math.inf, sampling.samples)
        precision = PRECISION if sampling.precision is None else sampling.precision
        seconds = (math.inf if stated else SECONDS) if sampling.seconds is None else sampling.seconds
        return cls(precision, seconds, sampling.samples)

    def most(self, cost: float) -> int:
        """Draws that the limits leave.

        Args:
            cost: Seconds of one draw on one processor.
        """
        affordable = _FOR_DRAWS * self.seconds * PROCESSORS / max(cost, 1e-9)
        # two are the least with an interval, and without it there is no answer at all
        return int(max(2, min(affordable, self.samples or _MOST, _MOST)))

    def first(self, cost: float) -> int:
        """Draws of the first batch."""
        return min(self.most(cost), max(FEWEST_DRAWS, min(_FIRST, int(PROCESSORS / max(cost, 1e-9)))))


@dataclass(frozen=True)
class Stopping:
    """Why drawing ended, and what is still open.

    Attributes:
        reason: "stated" (all draws that were asked for), "decided", "samples" or "seconds" (a limit was reached),
            "clock" (the work took much longer than the engines declare) or "interrupted".
        looks: How often the draws were looked at.
        confidence: Of the verdict, all looks together.
        precision: Of R that was asked for; NaN if none was.
        half_width: Of R's 95 % interval, in the end.
        open: What is not known as well as asked for, in words.
    """

    reason: str
    looks: int
    confidence: float
    precision: float
    half_width: float
    open: tuple[str, ...]

    @property
    def text(self) -> str:
        """In a sentence; empty where nothing is open."""
        if not self.open:
            return ""
        why = _ENDED.get(self.reason, "drawing was interrupted")
        return f"{why}; still open: {' and '.join(self.open)}"


_ENDED = {
    "clock": "the clock ran out, so that another run may take more draws (state the number of samples to repeat it)",
    "seconds": "the time limit was reached (a larger one takes more draws)",
    "samples": "all draws that were allowed are taken",
}


def ends_of(averages: Averages, confidence: float) -> dict[str, Interval]:
    """The intervals that the verdict depends on, by name."""
    paired = averages.paired
    return {
        "clean": averages.rms_interval("clean", confidence),
        "read": averages.rms_interval("read", confidence),
        "classical": paired.ratio("frozen", "noisy", confidence=confidence).interval,
        "direction": averages.direction(confidence=confidence).interval,
    }


@dataclass
class Watch:
    """Looks at draws as they come.

    Attributes:
        plan: What is asked for.
        decided: The word of the verdict from intervals, by name, over so many draws.
        looks: Number of looks so far.
        ends: What is known by all of them.
    """

    plan: Plan
    decided: Callable[[Averages, Mapping[str, Interval]], str]
    looks: int = 0
    ends: Mapping[str, Interval] = field(default_factory=dict)

    def look(self, averages: Averages) -> tuple[str, ...]:
        """What is still open after these draws."""
        self.looks += 1
        now = ends_of(averages, 1 - (1 - CONFIDENCE) / (self.looks * (self.looks + 1)))
        self.ends = {name: _both(self.ends.get(name), interval) for name, interval in now.items()}
        if averages.vanishes:
            return ()
        found = []
        if self.decided(averages, self.ends) == "undecided":
            found.append("the verdict")
        precision = self.plan.precision
        if precision is not None and self.half_width(averages) > self.target(averages):
            found.append(f"the survival to {100 * precision:.3g} %")
        return tuple(found)

    def half_width(self, averages: Averages) -> float:
        """Of R's 95 % interval."""
        low, high = averages.simulation().interval
        return (high - low) / 2

    def target(self, averages: Averages) -> float:
        """What it is to be at most."""
        survival = averages.simulation().survival
        return max((self.plan.precision or 0.0) * (survival if math.isfinite(survival) else 0.0), _FINE)

    def next(self, averages: Averages, open_: tuple[str, ...], count: int, most: int) -> int:
        """How many draws the next look takes: twice as many, or what R's precision needs if that is all."""
        foreseen = 2.0 * count
        if "the verdict" not in open_:
            ratio = self.half_width(averages) / self.target(averages)
            foreseen = min(foreseen, 1.1 * count * ratio**2) if math.isfinite(ratio) else foreseen
        return min(most, max(count + FEWEST_DRAWS // 2, math.ceil(foreseen)))

    def stopping(self, averages: Averages, reason: str, open_: tuple[str, ...]) -> Stopping:
        """The record of how it ended."""
        precision = math.nan if self.plan.precision is None else self.plan.precision
        return Stopping(reason, self.looks, CONFIDENCE, precision, self.half_width(averages), open_)


def _both(one: Interval | None, other: Interval) -> Interval:
    """The intersection of two intervals; the later one where they have none in common."""
    if one is None or any(map(math.isnan, one)):
        return other
    low, high = max(one[0], other[0]), min(one[1], other[1])
    return (low, high) if low <= high else other


def stated(averages: Averages) -> Stopping:
    """The record where all draws that were asked for are taken."""
    low, high = averages.simulation().interval
    return Stopping("stated", 1, 0.95, math.nan, (high - low) / 2, ())
