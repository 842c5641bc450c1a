"""Single values of a study file, each checked by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from equinoise.engines.draws import check_scale
from equinoise.ensemble import Ensemble
from equinoise.sweeps.task_grid import LayoutPoint

__all__ = [
    "Mistake",
    "checked_choice",
    "checked_ensemble",
    "checked_layout",
    "checked_noise_scale",
    "checked_option",
    "checked_share",
    "checked_text",
    "checked_whole",
]


class Mistake(Exception):
    """What is wrong with one value."""


def checked_text(value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise Mistake(f"must be a text, got {_short(value)}")
    return value


def checked_whole(value: Any, least: int, most: int = 2**63 - 1) -> int:
    """A whole number in a range."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Mistake(f"must be a whole number of {least} to {most:,}, got {_short(value)}")
    return value


def _short(value: Any) -> str:
    """A value for a message; integers of thousands of digits cannot even be written."""
    try:
        text = repr(value)
    except ValueError:
        return "one of thousands of digits"
    return text if len(text) <= 80 else f"{text[:60]} ..."


def checked_noise_scale(value: Any) -> float:
    """A noise scale in [0, infinity]."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Mistake(f"must be a number >= 0 or inf, got {_short(value)}")
    return check_scale(value)


def checked_share(value: Any) -> float:
    """A finite number > 0."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not (math.isfinite(value) and value > 0):
        raise Mistake(f"must be a number > 0, e.g. 0.05, got {_short(value)}")
    return float(value)


def checked_ensemble(value: Any) -> str:
    """The text of an ensemble."""
    Ensemble.of(checked_text(value))
    return str(value)


def checked_choice(value: Any, known: Sequence[str]) -> str:
    """One of the known texts."""
    if value not in known:
        raise Mistake(f"must be one of {', '.join(known)}; got {_short(value)}")
    return str(value)


def checked_option(key: str, value: Any) -> str:
    """A circuit's option as text for ``load_circuit``."""
    if key in ("n", "depth"):
        return str(checked_whole(value, 1))
    if key in ("source", "interaction", "device"):
        return checked_text(value).strip()
    if isinstance(value, bool):
        return str(value).lower()
    if key in ("phase", "shared", "periodic"):
        raise Mistake(f"must be true or false, got {_short(value)}")
    if isinstance(value, Mapping | list):
        raise Mistake(f"must be a number, a text, true or false, got {_short(value)}")
    return str(value)


def checked_layout(value: Any, labels: Sequence[str]) -> LayoutPoint:
    """A layout, for one of the device noises if it names one."""
    if value == "auto":
        return LayoutPoint()
    noise = None
    if isinstance(value, Mapping):
        unknown = sorted(set(value) - {"noise", "qubits"})
        if unknown or "qubits" not in value:
            raise Mistake(f"must be written {{noise = ..., qubits = [...]}}, got keys {', '.join(value)}")
        noise = value.get("noise")
        if noise is not None and noise not in labels:
            raise Mistake(f"noise {noise!r} is none of the study's device noises: {', '.join(labels)}")
        value = value["qubits"]
    if not isinstance(value, list) or not value or any(isinstance(q, bool) or not isinstance(q, int) for q in value):
        raise Mistake(f'must be "auto" or a list of physical qubits, got {_short(value)}')
    return LayoutPoint(tuple(value), noise)
