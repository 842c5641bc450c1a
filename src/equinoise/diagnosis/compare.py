"""Two diagnoses side by side: what differs in what was asked, and whether the answers differ by more than sampling."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from equinoise.coherence.quantity import Record
from equinoise.coherence.sample import Interval, PairedDraws, log_difference
from equinoise.errors import ParameterError
from equinoise.text.numbers import interval, number

__all__ = ["Asked", "Comparison", "Difference", "compared"]

Real = npt.NDArray[np.float64]

# differences below this share of the numbers are rounding: an error is the root of a difference of variances
_ROUNDING = 1e-7

# what was asked: name, and what of the record tells two apart
_ASKED = {
    "circuit": ("circuit.name", "circuit.sha256"),
    "layers": ("layers.count",),
    "readout": ("readout.label", "readout.projected", "readout.terms"),
    "input": ("initial.name", "initial.sha256"),
    "noise": ("noise.name", "noise.slots_sha256", "noise.stated"),
    "layout": ("noise.layout",),
    "scale": ("scale",),
    "shots": ("resources.shots",),
    "draws": ("samples",),
    "seed": ("seed",),
    "ensemble": ("ensemble", "sampling.ensemble"),
    "engine": ("engine",),
    "version": ("versions.equinoise",),
}

# what was answered: the columns that it is a function of, and the function of their means
_ANSWERS: dict[str, tuple[tuple[str, ...], Callable[..., Any]]] = {
    "gradient without noise": (("clean",), np.sqrt),
    "gradient as read": (("read",), np.sqrt),
    "survival": (("noisy", "clean"), lambda noisy, clean: np.sqrt(noisy / clean)),
    "direction": (("cross", "clean", "noisy"), lambda cross, clean, noisy: cross / np.sqrt(clean * noisy)),
    "kappa": (("slope", "clean"), lambda slope, clean: -slope / clean),
}
# sqrt(V/K) is per parameter of the cone
_PER_PARAMETER = ("gradient without noise", "gradient as read")


class Compared(Protocol):
    """A diagnosis, as far as it is compared."""

    @property
    def record(self) -> Record:
        """What it says."""

    @property
    def draws(self) -> PairedDraws:
        """Columns clean, noisy, read, cross and slope."""


@dataclass(frozen=True)
class Asked:
    """Something that was asked otherwise.

    Attributes:
        what: Its name.
        one: Of the first diagnosis.
        other: Of the second.
    """

    what: str
    one: str
    other: str


@dataclass(frozen=True)
class Difference:
    """One answer of both.

    Attributes:
        name: Of the quantity; gradients are RMS values per parameter and radian.
        one: Of the first diagnosis.
        other: Of the second.
        interval: 95 % interval of other - one; infinite where it is unknown.
    """

    name: str
    one: float
    other: float
    interval: Interval

    @property
    def beyond_sampling(self) -> bool:
        """Whether the interval of the difference excludes 0."""
        low, high = self.interval
        return math.isfinite(low) and math.isfinite(high) and not low <= 0 <= high


@dataclass(frozen=True)
class Comparison:
    """What differs between two diagnoses.

    Attributes:
        question: What was asked otherwise.
        verdicts: Of the first and of the second.
        answers: Each quantity of both with the interval of its difference, each at 95 % by itself.
        paired: Whether both took the same draws of the parameters, so that what they share drops out.
    """

    question: tuple[Asked, ...]
    verdicts: tuple[str, str]
    answers: tuple[Difference, ...]
    paired: bool

    def __getitem__(self, name: str) -> Difference:
        """One quantity.

        Raises:
            ParameterError: There is none of this name.
        """
        found = next((one for one in self.answers if one.name == name), None)
        if found is None:
            raise ParameterError(f"no quantity {name!r} is compared; take one of {', '.join(_ANSWERS)}.")
        return found

    def __str__(self) -> str:
        asked = [f"  {each.what:<24}{each.one} -> {each.other}" for each in self.question]
        told = [f"  {each.name:<24}{_told(each)}" for each in self.answers]
        draws = "the same draws" if self.paired else "draws of their own"
        word = self.verdicts[0] if self.verdicts[0] == self.verdicts[1] else " -> ".join(self.verdicts)
        return "\n".join(
            [
                f"asked otherwise{'' if asked else ': nothing'}",
                *asked,
                f"verdict {word}; answers from {draws}, difference with its 95 % interval",
                *told,
            ]
        )


def _told(each: Difference) -> str:
    if not (math.isfinite(each.one) and math.isfinite(each.other)):
        return f"{number(each.one)} -> {number(each.other)}"
    word = "more than sampling" if each.beyond_sampling else "no more than sampling"
    if not all(map(math.isfinite, each.interval)):
        word = "unknown whether more than sampling"
    elif each.interval == (0.0, 0.0):
        word = "the same"
    return f"{number(each.one)} -> {number(each.other)}, {interval(each.interval)}: {word}"


def compared(one: Compared, other: Compared) -> Comparison:
    """What differs between two diagnoses.

    Args:
        one: The first.
        other: The second.
    """
    first, second = one.record, other.record
    question = []
    for what, paths in _ASKED.items():
        if any(first[path] != second[path] for path in paths):
            told = [_plain(record, paths[0]) for record in (first, second)]
            told[1] += " (another of the same name)" if told[0] == told[1] else ""
            question.append(Asked(what, *told))
    paired = _share_draws(first, second)
    return Comparison(
        question=tuple(question),
        verdicts=(first["verdict"], second["verdict"]),
        answers=tuple(_difference(name, one, other, paired) for name in _ANSWERS),
        paired=paired,
    )


def _plain(record: Record, path: str) -> str:
    value = record.number(path) if path == "scale" else record[path]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _share_draws(one: Record, other: Record) -> bool:
    """Whether draw i is the same in both: as many parameters, drawn alike from one seed."""
    alike = ("seed", "sampling.ensemble", "circuit.num_parameters")
    return all(one[path] == other[path] for path in alike)


def _difference(name: str, one: Compared, other: Compared, paired: bool) -> Difference:
    (a, moves_a), (b, moves_b) = (_with_influence(name, each) for each in (one, other))
    reach = log_difference(moves_b, moves_a, shared=paired).reach
    if not all(map(math.isfinite, (a, b, reach))):
        return Difference(name, a, b, (-math.inf, math.inf))
    apart = b - a
    if abs(apart) <= _ROUNDING * max(abs(a), abs(b)) and reach <= _ROUNDING * max(abs(a), abs(b)):
        return Difference(name, a, b, (0.0, 0.0))
    return Difference(name, a, b, (apart - reach, apart + reach))


def _with_influence(name: str, each: Compared) -> tuple[float, Real]:
    """The quantity, and how far each draw moves it, shape (S,): the mean of the squares over S is its variance."""
    # Leaving draw i out moves a smooth function of means by -influence_i / (n - 1), to first order in 1/n.
    names, function = _ANSWERS[name]
    columns, count = [each.draws.columns[key] for key in names], each.draws.count
    scale = max(1, each.record["light_cone.parameters"]) ** -0.5 if name in _PER_PARAMETER else 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        value = scale * float(function(*(column.mean() for column in columns)))
        others = [(column.sum() - column) / max(1, count - 1) for column in columns]
        moves = (count - 1) * (value - scale * np.asarray(function(*others)))
    return value, moves
