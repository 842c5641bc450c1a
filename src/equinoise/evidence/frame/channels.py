"""The channel families that studies share, each with numbered members; random ones are the same in every run."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.errors import ParameterError
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import ALL, EACH, Dephasing, Depolarizing, Relaxation

__all__ = ["DEPHASING", "DEVICE", "FAMILIES", "RATE", "device_available", "jump", "make_noise"]

RATE = 0.05
"""Of a jump, per slot."""

DEVICE = "device ibm:torino"


def jump(weights: npt.ArrayLike, rate: float) -> Dephasing:
    """The jump K = sum_i v_i Z_i over the qubits with a weight.

    Args:
        weights: v, shape (n,).
        rate: Per slot.
    """
    return Dephasing(float(rate), tuple((q, float(v)) for q, v in enumerate(np.asarray(weights)) if v != 0))


def _line(n: int) -> npt.NDArray[np.float64]:
    return np.asarray(np.arange(n) - (n - 1) / 2, dtype=np.float64)


def _site(n: int, *qubits: int) -> npt.NDArray[np.float64]:
    return np.isin(np.arange(n), qubits).astype(np.float64)


def _nearly_collective(n: int, member: int, rng: np.random.Generator) -> dict[str, Any]:
    return {"dephasing": [jump(1.0 + (0.03, 0.1, 0.3)[member % 3] * rng.normal(0.0, 1.0, n), RATE)]}


def _inhomogeneous(n: int, member: int, rng: np.random.Generator) -> dict[str, Any]:
    rates = RATE * np.exp(rng.normal(0.0, 1.0, n))
    return {"dephasing": [jump(_site(n, q), rate) for q, rate in enumerate(rates)]}


def _pairs(n: int, member: int, rng: np.random.Generator) -> dict[str, Any]:
    sign = (1.0, -1.0)[member % 2]
    return {"dephasing": [jump(_site(n, q) + sign * _site(n, q + 1), RATE) for q in range(n - 1)]}


def _depolarizing(n: int, member: int, rng: np.random.Generator) -> dict[str, Any]:
    if member % 2:
        return {"depolarizing": [Depolarizing((q, q + 1), RATE) for q in range(n - 1)]}
    return {"depolarizing": [Depolarizing(EACH, RATE)]}


def _combination(n: int, member: int, rng: np.random.Generator) -> dict[str, Any]:
    local, collective = Dephasing(RATE, EACH), Dephasing(2 * RATE, ALL)
    damping, mixing = {"relaxation": [Relaxation(EACH, down=RATE)]}, {"depolarizing": [Depolarizing(EACH, RATE / 2)]}
    return (
        {"dephasing": [local], **damping},
        {"dephasing": [collective], **damping, **mixing},
        {"dephasing": [collective, local], **mixing},
    )[member % 3]


_TERMS: dict[str, Callable[[int, int, np.random.Generator], dict[str, Any]]] = {
    "local": lambda n, member, rng: {"dephasing": [Dephasing(RATE, EACH)]},
    "inhomogeneous": _inhomogeneous,
    "collective": lambda n, member, rng: {"dephasing": [Dephasing(RATE, ALL)]},
    "nearly collective": _nearly_collective,
    "staggered": lambda n, member, rng: {"dephasing": [jump((-1.0) ** np.arange(n), RATE)]},
    "pair-correlated": _pairs,
    "gradient": lambda n, member, rng: {"dephasing": [jump(_line(n), RATE)]},
    "single-site": lambda n, member, rng: {"dephasing": [jump(_site(n, n // 2 - 1 + member % 3), RATE)]},
    "damping": lambda n, member, rng: {"relaxation": [Relaxation(EACH, down=RATE)]},
    "thermal": lambda n, member, rng: {"relaxation": [Relaxation(EACH, down=RATE, up=(0.1, 0.5)[member % 2] * RATE)]},
    "depolarizing": _depolarizing,
    "combination": _combination,
}

FAMILIES = (*_TERMS, DEVICE)
"""All channel families; "thermal" is damping with heating."""

DEPHASING = FAMILIES[: FAMILIES.index("damping")]
"""Families of diagonal dephasing."""


def device_available() -> bool:
    """Whether the device snapshots (the ``ibm`` extra) are installed."""
    return importlib.util.find_spec("qiskit_ibm_runtime") is not None


@lru_cache(maxsize=1)
def _device() -> NoiseModel:
    return NoiseModel.from_string(DEVICE.removeprefix("device "))


def make_noise(family: str, num_qubits: int, member: int = 0) -> NoiseModel:
    """A channel of a family on n qubits; ``member`` numbers the family's channels.

    Random members depend on the family, n and member alone.

    Raises:
        ParameterError: No such family.
    """
    if family not in FAMILIES:
        raise ParameterError(f"no channel family {family!r}; choose from: {', '.join(FAMILIES)}.")
    if family == DEVICE:
        return _device()
    rng = np.random.default_rng([FAMILIES.index(family), num_qubits, member])
    return NoiseModel(**_TERMS[family](num_qubits, member, rng), name=family)
