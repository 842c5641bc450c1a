"""Checks of the numbers in a noise term: rates, weights, qubits, layers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from reprlib import repr as shown
from typing import Final

from equinoise.errors import NoiseError

__all__ = ["GREATEST_RATE", "LEAST_RATE", "checked_layers", "checked_number", "checked_qubit", "checked_rate"]

_MOST_DIGITS = 19

GREATEST_RATE: Final = 1e3
LEAST_RATE: Final = 1e-100
"""Rates above are gone to double precision (exp(-745) is 0), squares of rates below are."""


def checked_number(value: object, what: str, remedy: str = "Give a number.") -> float:
    """A finite number as a float; integers of any length are refused by name and not by an overflow."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NoiseError(f"{what} must be a number, got {shown(value)}. {remedy}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise NoiseError(f"{what} must be finite, got {shown(value)}. Remove the entry, or: {remedy}")
    return number + 0.0


def checked_rate(value: object, what: str) -> float:
    """A rate >= 0 that double precision can hold, and whose square it can."""
    rate = checked_number(value, what, "Give a dimensionless rate per slot, e.g. 0.01.")
    if rate < 0:
        raise NoiseError(f"{what} must not be negative, got {rate}. A Lindblad generator needs rates >= 0.")
    if rate > GREATEST_RATE:
        raise NoiseError(
            f"{what} must be at most {GREATEST_RATE:g}, got {rate:g}: what such noise acts on is 0 to double precision "
            "long before. For noise that has run to its end use a moderate rate and the noise scale inf."
        )
    if 0 < rate < LEAST_RATE:
        raise NoiseError(
            f"{what} must be 0 or at least {LEAST_RATE:g}, got {rate:g}: its square is 0 to double precision. Give 0."
        )
    return rate


def checked_qubit(value: object, what: str) -> int:
    """A qubit index, also as the text that a TOML key is."""
    if isinstance(value, str) and value.isdecimal() and len(value) < _MOST_DIGITS:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise NoiseError(f"{what} must be a qubit index 0, 1, 2, ..., got {shown(value)}.")
    return value


def checked_layers(value: object) -> tuple[int, ...] | None:
    """Layer indices, ascending, each once; None for every layer."""
    if value is None:
        return None
    if not isinstance(value, Iterable) or isinstance(value, str | bytes):
        raise NoiseError(f"'layers' must be a list of layer indices counted from 0, got {shown(value)}.")
    out = tuple(value)
    if any(isinstance(v, bool) or not isinstance(v, int) or v < 0 for v in out):
        raise NoiseError(f"'layers' must be a list of layer indices counted from 0, got {shown(list(out))}.")
    return tuple(sorted(set(out)))
