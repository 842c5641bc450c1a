"""Named quantities: what a result says is listed once, and JSON, columns of a store and texts are views of the list."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np

from equinoise.coherence.sample import Interval, Sampled

__all__ = ["Quantity", "Record", "column_kinds", "sampled_quantity"]

T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True)
class Quantity(Generic[T]):
    """One thing that a result says.

    Attributes:
        path: Its place in the record, such as "law.kappa"; JSON nests at the dots.
        value: Takes it out of the result.
        unit: Of a number; empty if it has none.
        interval: Path of its 95 % interval; empty if it has none.
        open: What null in the record stands for, since JSON knows neither NaN nor infinity.
        columns: Name to DuckDB type of its columns in a store: one, or two for the ends of an interval, or for a table
            of facts those of its entries that are kept.
    """

    path: str
    value: Callable[[T], Any]
    unit: str = ""
    interval: str = ""
    open: float = math.nan
    columns: Mapping[str, str] = field(default_factory=dict)

    def of(self, part: Callable[[S], T]) -> Quantity[S]:
        """The same quantity of a larger result, of which the one it was written for is a part."""
        return replace(self, value=lambda whole: self.value(part(whole)))  # type: ignore[arg-type, return-value]


def sampled_quantity(path: str, read: Callable[[T], Sampled], column: str) -> tuple[Quantity[T], Quantity[T]]:
    """A sampled number and its interval, which stands beside it as ``path_interval``.

    Args:
        path: Of the number.
        read: Takes it out of the result.
        column: Of the number in a store; the ends are ``column_low`` and ``column_high``.
    """
    ends = f"{path}_interval"
    return (
        Quantity(path, lambda x: read(x).value, interval=ends, columns={column: "DOUBLE"}),
        Quantity(ends, lambda x: read(x).interval, columns={f"{column}_low": "DOUBLE", f"{column}_high": "DOUBLE"}),
    )


@dataclass(frozen=True)
class Record:
    """What a result says, as plain data; needs neither the result nor what it is about.

    Attributes:
        data: By path, nested; numbers that are not finite are None.
        quantities: The list that it was made from.
    """

    data: Mapping[str, Any]
    quantities: Sequence[Quantity[Any]] = field(repr=False, compare=False)

    @classmethod
    def of(cls, result: T, quantities: Sequence[Quantity[T]]) -> Record:
        """The record of a result."""
        data: dict[str, Any] = {}
        for one in quantities:
            *rooms, name = one.path.split(".")
            place = data
            for room in rooms:
                place = place.setdefault(room, {})
            place[name] = _plain(one.value(result))
        return cls(data, quantities)

    def __getitem__(self, path: str) -> Any:
        """The plain value at a path; None where it is not known."""
        found: Any = self.data
        for name in path.split("."):
            found = found[name]
        return found

    def number(self, path: str) -> float:
        """A number, NaN or infinity where the record holds None."""
        value = self[path]
        return self._quantity(path).open if value is None else float(value)

    def bounds(self, path: str) -> Interval:
        """An interval; an open end is NaN."""
        low, high = (math.nan if end is None else float(end) for end in self[path])
        return low, high

    def told(self, path: str, digits: int = 3) -> str:
        """A number with its interval and its unit, as text."""
        one, value = self._quantity(path), self.number(path)
        parts = ["unknown" if math.isnan(value) else "infinity" if math.isinf(value) else f"{value:.{digits}g}"]
        if one.interval:
            low, high = self.bounds(one.interval)
            known = math.isfinite(low) and math.isfinite(high)
            parts.append(f"[{low:.{digits}g}, {high:.{digits}g}]" if known else "[interval unknown]")
        return " ".join([*parts, one.unit] if one.unit else parts)

    def columns(self) -> dict[str, Any]:
        """Name to value of every column of a store."""
        out: dict[str, Any] = {}
        for one in self.quantities:
            if one.columns:
                out |= _columns(list(one.columns), self[one.path])
        return out

    def _quantity(self, path: str) -> Quantity[Any]:
        return next(one for one in self.quantities if one.path == path)


def column_kinds(quantities: Iterable[Quantity[Any]]) -> dict[str, str]:
    """Name to DuckDB type of the columns that a list of quantities fills."""
    return {name: kind for one in quantities for name, kind in one.columns.items()}


def _columns(names: Sequence[str], value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {name: value[name] for name in names}
    if len(names) > 1:
        return dict(zip(names, value, strict=True))
    return {names[0]: ",".join(map(str, value)) if isinstance(value, list) else value}


def _plain(value: Any) -> Any:
    """As JSON can hold it."""
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, tuple | list) else value
