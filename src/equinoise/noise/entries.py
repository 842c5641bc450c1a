"""Noise terms from plain data, such as a TOML file holds."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from reprlib import repr as shown
from typing import Any

from equinoise.errors import NoiseError
from equinoise.noise.terms import KINDS, NoiseTerm
from equinoise.noise.terms.checks import checked_rate

__all__ = ["entries", "parsed", "spelled_term"]


def _term(kind: str, index: int, entry: object) -> NoiseTerm:
    cls = KINDS[kind]
    if isinstance(entry, cls):
        return entry
    where = f"{kind}[{index}]"
    if not isinstance(entry, Mapping):
        raise NoiseError(f"{where} must be a table such as {{rate = 0.01, ...}}, got {shown(entry)}.")
    known = [f.name for f in fields(cls)]
    unknown = sorted(set(entry) - set(known), key=str)
    if unknown:
        raise NoiseError(f"{where} has unknown key {shown(unknown[0])}; known keys: {', '.join(sorted(known))}.")
    try:
        return cls(**entry)
    except NoiseError as error:
        raise NoiseError(f"{where}: {error}") from None
    except (TypeError, ValueError) as error:
        raise NoiseError(f"{where} is malformed ({error}); known keys: {', '.join(sorted(known))}.") from None


def entries(kind: str, value: object) -> tuple[NoiseTerm, ...]:
    """The terms of one kind: from a rate on each qubit, one table, or a list of tables or terms."""
    if isinstance(value, bool):
        raise NoiseError(f"{kind} must be a rate or a list of tables, got {shown(value)}.")
    if isinstance(value, int | float):
        each = KINDS[kind].on_each(checked_rate(value, f"{kind} rate"))
        if each is None:
            raise NoiseError(f"{kind} needs a list of tables such as {KINDS[kind].example}, got {shown(value)}.")
        return (each,)
    if isinstance(value, KINDS[kind] | Mapping):
        value = [value]
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise NoiseError(f"{kind} must be a rate (on each qubit) or a list of tables, got {shown(value)}.")
    return tuple(_term(kind, i, entry) for i, entry in enumerate(value))


def spelled_term(part: str) -> NoiseTerm:
    """The term that a short text such as "dephasing:0.01" states.

    Raises:
        NoiseError: No kind of noise reads it.
    """
    word, _, rest = part.partition(":")
    for kind in KINDS.values():
        term = kind.spelled(word, rest)
        if term is not None:
            return term
    expected = ", ".join(spelling for kind in KINDS.values() for spelling in kind.spellings)
    raise NoiseError(
        f"cannot read the noise specification {shown(part)}. Expected {expected}, ibm:DEVICE, none, or the path of a "
        ".toml or .json file."
    )


def parsed(text: str, file: Path) -> Any:
    """The content of a TOML or (by its ending) JSON file as plain data.

    Raises:
        NoiseError: It is neither, states a key twice, or is nested beyond what Python reads.
    """
    kind = "JSON" if file.suffix.lower() == ".json" else "TOML"
    try:
        return json.loads(text, object_pairs_hook=_once) if kind == "JSON" else tomllib.loads(text)
    except ValueError as error:  # of both parsers, of numbers with too many digits, and of _once
        raise NoiseError(f"the noise file {shown(str(file))} is not valid {kind}: {error}.") from None
    except RecursionError:
        raise NoiseError(
            f"the noise file {shown(str(file))} is nested too deeply. Noise needs tables in lists in a table, no more."
        ) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        twice = next(key for i, (key, _) in enumerate(pairs) if any(key == other for other, _ in pairs[:i]))
        raise ValueError(f"key {shown(twice)} is stated twice")
    return out
