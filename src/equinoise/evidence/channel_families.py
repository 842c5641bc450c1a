"""Random noise channels of many kinds with one and the same total strength."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["FAMILIES", "STRENGTH", "Terms", "channel_noise", "strength"]

Terms = dict[str, list[dict[str, Any]]]

WIDTH = 6
STRENGTH = 0.36  # sum of rate x ||K||^2 per slot, the same for every channel


def _weights(v: npt.ArrayLike) -> dict[int, float]:
    return {i: float(w) for i, w in enumerate(np.asarray(v)) if w != 0}


def _jump(rng: np.random.Generator, v: npt.ArrayLike) -> dict[str, Any]:
    """A jump whose share of the strength is uniform in 0.2..1 whatever its weights."""
    return {"rate": rng.uniform(0.2, 1.0) / float(np.abs(v).sum()) ** 2, "weights": _weights(v)}


def _places(rng: np.random.Generator, least: int = 1) -> list[int]:
    """A random subset of the qubits."""
    return sorted(rng.permutation(WIDTH)[: rng.integers(least, WIDTH + 1)].tolist())


def _pair(rng: np.random.Generator) -> list[int]:
    i = int(rng.integers(0, WIDTH))
    return [i, (i + 1) % WIDTH]


def _local(rng: np.random.Generator) -> Terms:
    return {"dephasing": [_jump(rng, np.eye(WIDTH)[q]) for q in range(WIDTH)]}


def _few_site(rng: np.random.Generator) -> Terms:
    return {"dephasing": [_jump(rng, np.eye(WIDTH)[q]) for q in _places(rng)[:3]]}


def _pair_correlated(rng: np.random.Generator) -> Terms:
    jumps = []
    for _ in range(rng.integers(1, 5)):
        v = np.zeros(WIDTH)
        v[_pair(rng)] = 1.0, rng.uniform(-1, 1)
        jumps.append(_jump(rng, v))
    return {"dephasing": jumps}


def _correlated(rng: np.random.Generator) -> Terms:
    return {"dephasing": [_jump(rng, rng.normal(size=WIDTH)) for _ in range(rng.integers(1, 4))]}


def _collective(rng: np.random.Generator) -> Terms:
    return {"dephasing": [_jump(rng, 1 + rng.uniform(0, 0.5) * rng.normal(size=WIDTH))]}


def _staggered(rng: np.random.Generator) -> Terms:
    sign = (-1.0) ** np.arange(WIDTH)
    return {"dephasing": [_jump(rng, sign * (1 + rng.uniform(0, 0.5) * rng.normal(size=WIDTH)))]}


def _down(rng: np.random.Generator) -> Terms:
    return {"relaxation": [{"qubit": q, "down": rng.uniform(0.2, 1)} for q in _places(rng)]}


def _up(rng: np.random.Generator) -> Terms:
    return {"relaxation": [{"qubit": q, "up": rng.uniform(0.2, 1)} for q in _places(rng)]}


def _thermal(rng: np.random.Generator) -> Terms:
    return {
        "relaxation": [{"qubit": q, "down": rng.uniform(0.2, 1), "up": rng.uniform(0, 0.5)} for q in _places(rng, 2)]
    }


def _depolarizing(rng: np.random.Generator) -> Terms:
    return {"depolarizing": [{"qubits": [q], "rate": rng.uniform(0.2, 1)} for q in _places(rng)]}


def _depolarizing_pairs(rng: np.random.Generator) -> Terms:
    return {"depolarizing": [{"qubits": _pair(rng), "rate": rng.uniform(0.2, 1)} for _ in range(rng.integers(1, 5))]}


def _mixed(*parts: Callable[[np.random.Generator], Terms]) -> Callable[[np.random.Generator], Terms]:
    """Several mechanisms in random proportion."""

    def make(rng: np.random.Generator) -> Terms:
        out: Terms = {}
        for part, share in zip(parts, rng.dirichlet(np.ones(len(parts))), strict=True):
            terms = part(rng)
            factor = share / strength(terms)
            for kind, entries in _scaled(terms, factor).items():
                out.setdefault(kind, []).extend(entries)
        return out

    return make


FAMILIES: dict[str, Callable[[np.random.Generator], Terms]] = {
    "local dephasing": _local,
    "few-site dephasing": _few_site,
    "pair-correlated dephasing": _pair_correlated,
    "correlated dephasing": _correlated,
    "collective dephasing": _collective,
    "staggered dephasing": _staggered,
    "relaxation down": _down,
    "relaxation up": _up,
    "relaxation down and up": _thermal,
    "depolarizing, one qubit": _depolarizing,
    "depolarizing, two qubits": _depolarizing_pairs,
    "collective and local dephasing": _mixed(_collective, _local),
    "correlated dephasing and relaxation": _mixed(_correlated, _thermal),
    "dephasing, relaxation, depolarizing": _mixed(_local, _down, _depolarizing_pairs),
}


def _scaled(terms: Terms, factor: float) -> Terms:
    rates = ("rate", "down", "up")
    return {
        kind: [{k: v * factor if k in rates else v for k, v in entry.items()} for entry in entries]
        for kind, entries in terms.items()
    }


def strength(terms: Terms) -> float:
    """sum_j rate_j ||K_j||^2 of noise data."""
    total = sum(e["rate"] * sum(map(abs, e["weights"].values())) ** 2 for e in terms.get("dephasing", ()))
    total += sum(e.get("down", 0.0) + e.get("up", 0.0) for e in terms.get("relaxation", ()))
    return float(total + sum(e["rate"] * (1 - 4.0 ** -len(e["qubits"])) for e in terms.get("depolarizing", ())))


def channel_noise(family: str, seed: int) -> Terms:
    """The noise data of a random channel, scaled to the study's total strength.

    Args:
        family: A key of FAMILIES.
        seed: Of the channel.
    """
    terms = FAMILIES[family](np.random.default_rng(seed))
    return _scaled(terms, STRENGTH / strength(terms))
