"""Noise terms from plain data, such as a TOML file holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from equinoise.errors import NoiseError
from equinoise.problem.noise_terms import EACH, Dephasing, Depolarizing, NoiseTerm, PauliJump, Relaxation

__all__ = ["KINDS", "entries"]

KINDS: dict[str, type[Any]] = {
    "dephasing": Dephasing,
    "relaxation": Relaxation,
    "depolarizing": Depolarizing,
    "pauli": PauliJump,
}


def _term(kind: str, index: int, entry: object) -> NoiseTerm:
    cls = KINDS[kind]
    if isinstance(entry, cls):
        return entry  # type: ignore[no-any-return]
    where = f"{kind}[{index}]"
    if not isinstance(entry, Mapping):
        raise NoiseError(f"{where} must be a table such as {{rate = 0.01, ...}}, got {entry!r}.")
    known = [f.name for f in fields(cls)]
    unknown = sorted(set(entry) - set(known))
    if unknown:
        raise NoiseError(f"{where} has unknown key {unknown[0]!r}; known keys: {', '.join(sorted(known))}.")
    try:
        return cls(**entry)  # type: ignore[no-any-return]
    except NoiseError as error:
        raise NoiseError(f"{where}: {error}") from None
    except (TypeError, ValueError) as error:
        raise NoiseError(f"{where} is malformed ({error}); known keys: {', '.join(sorted(known))}.") from None


def entries(kind: str, value: object) -> tuple[NoiseTerm, ...]:
    """The terms of one kind: from a rate on each qubit, one table, or a list of tables or terms."""
    if isinstance(value, bool):
        raise NoiseError(f"{kind} must be a rate or a list of tables, got {value!r}.")
    if isinstance(value, int | float):
        rate = float(value)
        each: dict[str, NoiseTerm] = {
            "dephasing": Dephasing(rate, EACH),
            "relaxation": Relaxation(EACH, down=rate),
            "depolarizing": Depolarizing(EACH, rate),
        }
        if kind not in each:
            raise NoiseError(f"{kind} needs a list of tables such as {{pauli = 'X0', rate = 0.01}}, got {value!r}.")
        return (each[kind],)
    if isinstance(value, KINDS[kind] | Mapping):
        value = [value]
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise NoiseError(f"{kind} must be a rate (on each qubit) or a list of tables, got {value!r}.")
    return tuple(_term(kind, i, entry) for i, entry in enumerate(value))
