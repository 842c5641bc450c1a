"""Correlations in time of dephasing: the ways in which they may be stated, as components with weights and times."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from reprlib import repr as shown
from typing import Any, Final

from equinoise.errors import NoiseError

__all__ = ["STATIC", "Correlation", "checked_correlation", "in_time", "plain_correlation"]

Correlation = tuple[tuple[float, float], ...]
"""((weight, time in slots), ...): the correlation function c(k) = sum_a weight_a exp(-k / time_a), c(0) = 1."""

STATIC: Final[Correlation] = ((1.0, math.inf),)


def checked_correlation(value: object) -> Correlation | None:
    """Any accepted way to state a correlation in time as its components, sorted by time; None for white noise."""
    if value is None or value == "white":
        return None
    if isinstance(value, Mapping):
        return _one_over_f(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return _components(value)
    expected = (
        "dephasing correlation must be 'white', 'static', a time in slots > 0, {'1/f' = [shortest, longest]} or a list "
        "of [weight, time] pairs"
    )
    return ((1.0, _time(value, expected)),)


def _time(value: object, expected: str) -> float:
    if isinstance(value, str) and value in ("static", "inf"):
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise NoiseError(f"{expected}, got {shown(value)}.")
    try:
        return float(value)
    except OverflowError:  # an integer beyond any float
        return math.inf


def _one_over_f(value: Mapping[Any, Any]) -> Correlation:
    """Equal weights at log-spaced times: sum_a t_a / (1 + (w t_a)^2) is about 1/w for 1/longest < w < 1/shortest."""
    if len(value) != 1 or next(iter(value)) not in ("1/f", "one_over_f"):
        raise NoiseError(
            "dephasing correlation as a table must have the one key '1/f' (or 'one_over_f'), got the keys "
            f"{sorted(map(str, value))}."
        )
    (times,) = value.values()
    expected = "dephasing correlation '1/f' must be [shortest, longest], finite times in slots, 0 < shortest < longest"
    if isinstance(times, str | bytes) or not isinstance(times, Sequence) or len(times) != 2:
        raise NoiseError(f"{expected}, got {shown(times)}.")
    shortest, longest = (_time(t, f"{expected}, got {shown(list(times))}: each must be a number > 0") for t in times)
    if not shortest < longest < math.inf:
        raise NoiseError(f"{expected}, got {shown(list(times))}. Add a quasi-static part as a term of its own.")
    decades = math.log10(longest) - math.log10(shortest)
    count = min(20, max(2, 1 + math.ceil(2 * decades - 1e-9)))  # two a decade
    step = (math.log(longest) - math.log(shortest)) / (count - 1)
    between = [math.exp(math.log(shortest) + i * step) for i in range(1, count - 1)]
    return _components([(1.0, time) for time in (shortest, *between, longest)])


def _components(value: Sequence[Any]) -> Correlation:
    if not value:
        raise NoiseError("a dephasing correlation needs at least one [weight, time] pair, got an empty list.")
    merged: dict[float, float] = {}
    for i, pair in enumerate(value):
        where = f"dephasing correlation[{i}]"
        if isinstance(pair, str | bytes) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise NoiseError(f"{where} must be a pair [weight, time in slots], got {shown(pair)}.")
        weight, time = pair[0], _time(pair[1], f"{where}: the time must be a number of slots > 0, 'inf' or 'static'")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < 1e300:
            raise NoiseError(f"{where}: the weight must be a finite number > 0, got {shown(weight)}.")
        merged[time] = merged.get(time, 0.0) + float(weight)
    largest = max(merged.values())
    total = math.fsum(w / largest for w in merged.values())
    if abs(total * largest - 1) > 2e-15:  # else normalised before: dividing again would move the last digit
        merged = {time: w / largest / total for time, w in merged.items()}
    return tuple((merged[time], time) for time in sorted(merged) if merged[time] > 0)


def plain_correlation(correlation: Correlation) -> Any:
    """As JSON and TOML hold it and :func:`checked_correlation` reads it back; infinity as a word, JSON has no other."""
    if correlation == STATIC:
        return "static"
    if len(correlation) == 1:
        return correlation[0][1]
    return [[weight, "inf" if math.isinf(time) else time] for weight, time in correlation]


def in_time(correlation: Correlation | None) -> str:
    """What follows a term's text: empty for white noise, else ``, static`` or the times in slots."""
    if correlation is None:
        return ""
    if correlation == STATIC:
        return ", static"
    times = [f"{time:.4g}" for _, time in correlation if not math.isinf(time)]
    if len(correlation) == 1:
        return f", correlated over {times[0]} slots"
    static = "" if len(times) == len(correlation) else " and static"
    span = times[0] if len(times) == 1 else f"{times[0]} to {times[-1]}"
    return f", correlated over {span} slots{static} ({len(correlation)} components)"
