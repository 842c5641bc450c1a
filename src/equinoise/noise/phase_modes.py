"""Gaussian phases with any covariance between slots and qubits: dephasing correlated in time, seen through pulses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from reprlib import repr as shown
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.errors import NoiseError
from equinoise.noise.terms.checks import checked_qubit

__all__ = ["PhaseModes", "checked_modes"]

Real = npt.NDArray[np.float64]

# a variance of 1e3, the greatest rate, is far beyond what leaves any coherence
_GREATEST_PHASE = 1e3


@dataclass(frozen=True)
class PhaseModes:
    """Phases of several qubits in every slot of a circuit, jointly Gaussian with mean 0 and any covariance.

    In slot l it applies exp(-i sqrt(s) sum_i phi[l, i] Z_i), phi[l, i] = sum_r xi_r modes[r, l, i] with independent
    standard normals xi_r: the covariance of phi[l, i] and phi[m, j] is sum_r modes[r, l, i] modes[r, m, j]. A
    :class:`~equinoise.noise.terms.PhaseProcess` has one profile across qubits and one stationary correlation in
    time; pulses on some of its qubits (dynamical decoupling) leave neither.

    Args:
        qubits: Circuit qubits, ascending, K of them.
        modes: Shape (R, L, K), dimensionless; nested lists are accepted.
        name: What the phases are, e.g. "dephasing 0.01 D[Z0], static, seen through pulses".

    Attributes:
        array: The modes, shape (R, L, K), read-only.

    Raises:
        NoiseError: Qubits that repeat or do not ascend, or modes of another shape or not finite.

    Example:
        >>> from equinoise.noise.phase_modes import PhaseModes
        >>> echo = PhaseModes((0,), [[[0.2], [-0.2]]])  # one phase, its sign flipped after the first slot
        >>> echo.depth, round(echo.rate_in(0), 6), float(abs(echo.array.sum()))
        (2, 0.04, 0.0)
    """

    qubits: tuple[int, ...]
    modes: tuple[tuple[tuple[float, ...], ...], ...] = field(repr=False)
    name: str = "Gaussian phases"
    array: Real = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        qubits = tuple(checked_qubit(q, "qubit of Gaussian phases") for q in self.qubits)
        if not qubits or list(qubits) != sorted(set(qubits)):
            raise NoiseError(f"Gaussian phases need different qubits in ascending order, got {list(self.qubits)}.")
        try:
            modes = np.array(self.modes, dtype=np.float64)
        except (TypeError, ValueError, OverflowError, RecursionError):
            raise NoiseError("modes of Gaussian phases must be numbers of shape (modes, slots, qubits).") from None
        if modes.ndim != 3 or 0 in modes.shape or modes.shape[2] != len(qubits) or not np.all(np.isfinite(modes)):
            raise NoiseError(
                "modes of Gaussian phases must be finite numbers of shape (modes, slots, qubits) with "
                f"{len(qubits)} qubits, got shape {modes.shape}."
            )
        if np.abs(modes).max() > _GREATEST_PHASE:
            raise NoiseError(
                f"modes of Gaussian phases must be at most {_GREATEST_PHASE:g}, got {np.abs(modes).max():g}."
            )
        object.__setattr__(self, "qubits", qubits)
        object.__setattr__(self, "modes", tuple(tuple(map(tuple, mode)) for mode in modes.tolist()))
        object.__setattr__(self, "name", str(self.name))
        modes.setflags(write=False)
        object.__setattr__(self, "array", modes)

    @property
    def depth(self) -> int:
        """Number of slots L."""
        return len(self.modes[0])

    def acts(self, layer: int) -> bool:
        """Whether any phase of a slot differs from 0."""
        return bool(np.any(self.array[:, layer]))

    def rate_in(self, layer: int) -> float:
        """The greatest variance of a qubit's phase in a slot: the rate of D[Z] that the slot alone would have."""
        return float((self.array[:, layer] ** 2).sum(axis=0).max())

    def rows(self, layer: int) -> list[dict[int, float]]:
        """The independent phases of a slot, each as {qubit: weight}."""
        return [dict(zip(self.qubits, row, strict=True)) for row in self.array[:, layer].tolist() if any(row)]

    def describe(self, layer: int) -> str:
        """One line for what they do in a slot."""
        where = ", ".join(map(str, self.qubits))
        return f"dephasing {self.rate_in(layer):.4g} of qubits {where} in this slot: {self.name}"

    def plain(self) -> dict[str, Any]:
        """As JSON and TOML hold it."""
        modes = [[list(row) for row in mode] for mode in self.modes]
        return {"qubits": list(self.qubits), "modes": modes, "name": self.name}


def checked_modes(value: object) -> tuple[PhaseModes, ...]:
    """Gaussian phases from :class:`PhaseModes` or tables with the keys qubits, modes and name.

    Raises:
        NoiseError: Anything else.
    """
    if isinstance(value, PhaseModes | Mapping):
        value = [value]
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise NoiseError(f"phases must be a list of tables {{qubits = [...], modes = [...]}}, got {shown(value)}.")
    out = []
    for i, entry in enumerate(value):
        if isinstance(entry, PhaseModes):
            out.append(entry)
        elif isinstance(entry, Mapping) and {"qubits", "modes"} <= set(entry) <= {"qubits", "modes", "name"}:
            out.append(PhaseModes(**entry))
        else:
            raise NoiseError(f"phases[{i}] must be a table with the keys qubits, modes and (optional) name.")
    return tuple(out)


def check_phases_fit(phases: Sequence[PhaseModes], depth: int, num_qubits: int) -> None:
    """Raises NoiseError unless Gaussian phases have a circuit's number of layers and lie on its qubits."""
    for entry in phases:
        if entry.depth != depth:
            raise NoiseError(f"Gaussian phases are given for {entry.depth} slots, but the circuit has {depth} layers.")
        if entry.qubits[-1] >= num_qubits:
            raise NoiseError(
                f"Gaussian phases act on qubit {entry.qubits[-1]}, but the circuit has qubits 0..{num_qubits - 1}."
            )
