"""Sums of Pauli strings and noise that look the same from every qubit: one number per kind instead of one per place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.circuit.pauli_sums import String
from equinoise.errors import UnsupportedError
from equinoise.noise.terms.actions import SiteMoves
from equinoise.reduction.slots.slot_program import SlotProgram
from equinoise.reduction.slots.slot_terms import FIRST
from equinoise.symmetry.spin_blocks import PauliCounts

__all__ = ["KINDS", "SymmetricSlot", "letter_counts", "symmetric_slot", "symmetric_sum", "totals"]

Real = npt.NDArray[np.float64]

# relative difference of rates or coefficients that counts as rounding
TOLERANCE = 1e-12

# generators of permutation-invariant noise; each is named by its jumps, all of rate 1
KINDS = ("Z", "total Z", "down", "up", "ZZ", "X", "Y", "XX", "YY", "XY", "XZ", "YZ", "reset")
"""Z, X, Y, down |0><1|, up |1><0| on every qubit; sum_i Z_i; pairs of letters (XY: both orders) and reset to 1/4 on
every pair."""


@dataclass(frozen=True)
class SymmetricSlot:
    """One slot's permutation-invariant noise.

    Attributes:
        first: {kind: rate} of what acts first (phases and relaxation).
        second: {kind: rate} of what acts then (depolarizing and Pauli jumps).
        shares: For each budget term of the slot its part in the rate of each kind, ((kind, rate), ...).
    """

    first: tuple[tuple[str, float], ...]
    second: tuple[tuple[str, float], ...]
    shares: tuple[tuple[tuple[str, float], ...], ...]


def letter_counts(letters: String) -> PauliCounts:
    """How many letters X, Y, Z a string has."""
    names = [letter for _, letter in letters]
    return (names.count("X"), names.count("Y"), names.count("Z"))


def totals(operator: Mapping[String, float]) -> dict[PauliCounts, float]:
    """Sum of the coefficients of the strings with so many letters X, Y, Z."""
    out: dict[PauliCounts, float] = {}
    for letters, coefficient in operator.items():
        counts = letter_counts(letters)
        out[counts] = out.get(counts, 0.0) + coefficient
    return out


def symmetric_sum(operator: Mapping[String, float], num_qubits: int) -> dict[PauliCounts, float] | None:
    """The coefficient of every string by its number of letters X, Y, Z; None unless equal on all places.

    Args:
        operator: {((qubit, letter), ...): coefficient}.
        num_qubits: n.
    """
    found: dict[PauliCounts, list[float]] = {}
    largest = max((abs(c) for c in operator.values()), default=0.0)
    for letters, coefficient in operator.items():
        if abs(coefficient) > TOLERANCE * largest:
            found.setdefault(letter_counts(letters), []).append(coefficient)
    # n!/(x! y! z! rest!) strings have these numbers of letters: a sum over all places has exactly so many, at one
    # coefficient.
    for (x, y, z), several in found.items():
        rest = num_qubits - x - y - z
        places = math.factorial(num_qubits) // math.prod(math.factorial(c) for c in (x, y, z, rest))
        if len(several) != places or max(several) - min(several) > TOLERANCE * largest:
            return None
    return {counts: float(np.mean(several)) for counts, several in found.items()}


def symmetric_slot(slot: SlotProgram, num_qubits: int) -> SymmetricSlot:
    """A slot's noise by kinds.

    Args:
        slot: On all n qubits.
        num_qubits: n.

    Raises:
        UnsupportedError: A mechanism differs from qubit to qubit, or acts on more than two.
    """
    n = num_qubits
    pairs = n * (n - 1) // 2
    first: dict[str, float] = {}
    second: dict[str, float] = {}
    shares = _phase_shares(slot, n, first)
    found = dict(enumerate(shares))
    nouns: dict[str, list[tuple[int, SiteMoves]]] = {}
    for place, moves in slot.sites:
        nouns.setdefault(slot.terms[place].noun, []).append((place, moves))
    for noun, alike in nouns.items():
        parts = []
        for kind, name in (("Z", "phase"), ("down", "down"), ("up", "up")):
            parts.append((kind, _equal({(m.qubit,): getattr(m, name) for _, m in alike}, n, noun)))
            _add(first if slot.terms[alike[0][0]].stage == FIRST else second, *parts[-1])
        found |= {place: _share([(kind, rate / n) for kind, rate in parts]) for place, _ in alike}
    reset = _equal({r.qubits: r.rate for _, r in slot.resets}, pairs, "depolarizing of pairs")
    _add(second, "reset", reset)
    found |= {place: _share([("reset", reset / max(pairs, 1))]) for place, _ in slot.resets}
    found |= _pauli_shares(slot, n, second)
    shares = [found[place] for place in range(len(slot.terms))]
    keep = [tuple((k, rates[k]) for k in KINDS if rates.get(k, 0.0) != 0.0) for rates in (first, second)]
    return SymmetricSlot(keep[0], keep[1], tuple(shares))


def _add(rates: dict[str, float], kind: str, rate: float) -> None:
    rates[kind] = rates.get(kind, 0.0) + rate


def _share(parts: list[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    return tuple((kind, rate) for kind, rate in parts if rate)


def _equal(rates: Mapping[Any, float], places: int, what: str) -> float:
    """The rate that all places share."""
    if not rates:
        return 0.0
    low, high = min(rates.values()), max(rates.values())
    if len(rates) < places and high > 0:
        raise UnsupportedError(f"{what} noise acts on {len(rates)} of {places} places and not on all alike")
    if high - low > TOLERANCE * high:
        raise UnsupportedError(f"{what} noise has rates from {low:.6g} to {high:.6g} instead of one for all places")
    return high


def _phase_shares(slot: SlotProgram, n: int, rates: dict[str, float]) -> list[tuple[tuple[str, float], ...]]:
    """Diagonal jumps: those of sums of Z act through sum_j rate_j v_j v_j^T = a 1 + b (all ones) alone."""
    shares: list[tuple[tuple[str, float], ...]] = []
    # Jumps K_j = sum_i v_ji Z_i decay |x><y| at sum_j rate_j (v_j . dz)^2/2 = dz^T C dz/2 with C = sum_j rate_j v_j
    # v_j^T: the channel depends on C alone. C = a 1 + b (all ones) is Z on each qubit at rate a with the sum of Z at
    # rate b, which looks the same from every qubit however the single jumps look.
    covariance = np.zeros((n, n))
    strings: dict[tuple[int, ...], float] = {}
    for rate, weights, parity in slot.jumps:
        if parity and len(weights) > 1:
            strings[tuple(i for i, _ in weights)] = rate
            continue
        where = [i for i, _ in weights]
        values = np.array([w for _, w in weights])
        covariance[np.ix_(where, where)] += rate * np.outer(values, values)
    diagonal = np.diagonal(covariance)
    off = covariance[~np.eye(n, dtype=bool)]
    spread = max(float(np.ptp(diagonal)), float(np.ptp(off)) if off.size else 0.0)
    if spread > TOLERANCE * float(diagonal.max(initial=0.0)):
        raise UnsupportedError(
            "dephasing noise differs from qubit to qubit or pair to pair (sum of rate v_i v_j from "
            f"{covariance.min():.6g} to {covariance.max():.6g})"
        )
    total = float(np.mean(off)) if off.size else 0.0
    rates["total Z"], rates["Z"] = total, float(np.mean(diagonal)) - total
    if abs(rates["Z"]) <= TOLERANCE * float(diagonal.max(initial=0.0)):
        rates["Z"] = 0.0
    if any(len(where) > 2 for where in strings):
        raise UnsupportedError("jumps that are products of Z on more than two qubits are not held in closed form")
    rates["ZZ"] = _equal(strings, n * (n - 1) // 2, "ZZ")
    for rate, weights, parity in slot.jumps:
        if parity and len(weights) > 1:
            shares.append(_share([("ZZ", rate / (n * (n - 1) / 2))]))
            continue
        # A jump's share is its part of C averaged over permutations: diagonal |v|^2/n, off the diagonal (sum v)^2 -
        # |v|^2 over n (n - 1).
        squares, summed = sum(w * w for _, w in weights), sum(w for _, w in weights)
        joint = (summed**2 - squares) / (n * (n - 1)) if n > 1 else 0.0
        shares.append(_share([("total Z", rate * joint), ("Z", rate * (squares / n - joint))]))
    return shares


def _pauli_shares(slot: SlotProgram, n: int, rates: dict[str, float]) -> dict[int, tuple[tuple[str, float], ...]]:
    """X, Y and pair jumps."""
    kinds: dict[str, dict[String, float]] = {}
    for _, (letters, rate) in slot.strings:
        kind = "".join(sorted(letter for _, letter in letters))
        if kind not in KINDS or kind == "ZZ":
            raise UnsupportedError(f"Pauli jumps {kind} on more than two qubits are not held in closed form")
        kinds.setdefault(kind, {})[tuple(sorted(letters))] = rate
    for kind, several in kinds.items():
        places = n if len(kind) == 1 else n * (n - 1) // (2 if kind[0] == kind[1] else 1)
        by_place = {tuple(range(i, i + 1)): rate for i, rate in enumerate(several.values())}
        _add(rates, kind, _equal(by_place, places, f"Pauli {kind}"))
    shares: dict[int, tuple[tuple[str, float], ...]] = {}
    for place, (letters, rate) in slot.strings:
        kind = "".join(sorted(letter for _, letter in letters))
        shares[place] = _share([(kind, rate / len(kinds[kind]))])
    return shares
