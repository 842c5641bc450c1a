"""Dephasing correlated in time, on cone qubits: what each process does in each slot that the readout sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from equinoise.problem.noise_terms import Correlation, PhaseProcess
from equinoise.reduction.light_cone import LightCone

__all__ = ["ProcessProgram", "compile_processes", "greatest_process_rate"]

Real = npt.NDArray[np.float64]

# of the largest eigenvalue that a covariance of L slots can have, L; rounding is of order 1e-16
_NEGLIGIBLE = 1e-14


@dataclass(frozen=True, eq=False)
class ProcessProgram:
    """One Gaussian sequence of phases over L slots on w cone qubits.

    In slot l it applies exp(-i sqrt(s) xi_l sum_i coefficients[l, i] Z_i), E xi_l = 0 and E xi_l xi_m = c(|l - m|).
    A history of charge differences dz_l = z_x - z_y then decays as exp(-s Gamma), Gamma = d^T C d / 2 with
    d_l = coefficients[l] . dz_l and C the covariance.

    Attributes:
        coefficients: Shape (L, w), dimensionless, read-only: amplitude of the slot times weight of the qubit, 0 on
            qubits that the readout does not see there.
        correlation: ((w_a, tau_a in slots), ...) of c(k) = sum_a w_a exp(-k / tau_a).
        qubits: Circuit qubits on which it acts where the readout sees them, ascending.
        weights: Shape (w,), read-only: the weight of each of those on its cone index, 0 elsewhere.
    """

    coefficients: Real
    correlation: Correlation
    qubits: tuple[int, ...]
    weights: Real

    def __post_init__(self) -> None:
        for name in ("coefficients", "weights"):
            array = np.array(getattr(self, name), dtype=np.float64)
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def depth(self) -> int:
        """Number of slots L."""
        return int(self.coefficients.shape[0])

    def covariance(self, depth: int | None = None) -> Real:
        """The covariance c(|l - m|) of the xi_l, dimensionless.

        Args:
            depth: Number of slots; by default L.

        Returns:
            Shape (depth, depth), read-only.
        """
        return _covariance(self.correlation, self.depth if depth is None else depth)

    def factor(self) -> Real:
        """A matrix F with F F^T the covariance, so that xi = F @ (r independent standard normals).

        Its columns are the principal components, the largest variance first; a static process has r = 1.

        Returns:
            Shape (L, r), read-only; F F^T agrees with the covariance to about 1e-14 L.
        """
        return _factor(self.correlation, self.depth)


@lru_cache(maxsize=64)
def _covariance(correlation: Correlation, depth: int) -> Real:
    lags = np.arange(depth, dtype=np.float64)
    with np.errstate(over="ignore"):  # a time far below one slot: exp(-inf) = 0
        along = sum((w * np.exp(-lags / time) for w, time in correlation), np.zeros(depth))
    slots = np.arange(depth)
    out: Real = along[np.abs(slots[:, None] - slots[None, :])]
    out.setflags(write=False)
    return out


@lru_cache(maxsize=64)
def _factor(correlation: Correlation, depth: int) -> Real:
    values, vectors = np.linalg.eigh(_covariance(correlation, depth))
    kept = np.flatnonzero(values > _NEGLIGIBLE * depth)[::-1]
    vectors = vectors[:, kept]
    # an eigenvector's sign is the library's choice: its largest element is made positive
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None, :], axis=0)
    out = np.ascontiguousarray(vectors * np.sign(largest) * np.sqrt(values[kept]))
    out.setflags(write=False)
    return out


def compile_processes(
    processes: Sequence[PhaseProcess], cone: LightCone, place: Mapping[int, int], width: int
) -> tuple[ProcessProgram, ...]:
    """The processes on cone qubits, as the readout sees them.

    In each slot K = K_in + K_out is restricted to the seen qubits: K_out commutes with the readout moved back to that
    slot whatever the phase is, hence on every trajectory and in every average (exact for any correlation). Processes of
    which nothing is left are dropped.

    Args:
        processes: Of the problem, with one amplitude for each layer of the cone.
        cone: The readout's light cone.
        place: Cone index of each circuit qubit of the cone.
        width: Number of cone qubits w.

    Returns:
        One program for each process that the readout sees, in the order given.
    """
    seen = _seen(cone, width, place)
    out: list[ProcessProgram] = []
    for process in processes:
        weights = np.zeros(width)
        for qubit, weight in process.pairs:
            if qubit in place:
                weights[place[qubit]] = weight
        coefficients = np.where(seen, np.outer(process.amplitudes, weights), 0.0)
        acting = (coefficients != 0).any(axis=0)
        if acting.any():
            qubits = tuple(q for q in process.qubits if q in place and acting[place[q]])
            out.append(ProcessProgram(coefficients, process.correlation, qubits, np.where(acting, weights, 0.0)))
    return tuple(out)


def _seen(cone: LightCone, width: int, place: Mapping[int, int]) -> npt.NDArray[np.bool_]:
    """Shape (L, w): whether the readout sees a cone qubit in a slot."""
    seen = np.zeros((len(cone.seen), width), dtype=bool)
    for layer, qubits in enumerate(cone.seen):
        seen[layer, [place[q] for q in qubits]] = True
    return seen


def greatest_process_rate(
    process: ProcessProgram, cone: LightCone, place: Mapping[int, int], charge: int | None = None
) -> float:
    """An upper bound on the decay rate Gamma = d^T C d / 2 of any history that the readout can see.

    C has no negative element, so Gamma <= sum_lm C_lm D_l D_m / 2 with D_l the largest |d_l| of any pair x, y in slot l
    that agrees on the qubits not seen there: 2 sum_i |coefficients[l, i]| in the full space; in the block of charge q,
    where x and y hold equally many excitations, twice the sum of the k largest less the k smallest coefficients of the
    seen qubits, k = min(q, w - q, half of them).

    Args:
        process: Compiled with this cone.
        cone: The readout's light cone.
        place: Cone index of each circuit qubit of the cone.
        charge: Charge q of the block of cone qubits; None for the full space.

    Returns:
        Dimensionless, at noise scale 1; the bounds of independent processes add.
    """
    width = process.coefficients.shape[1]
    reach = np.zeros(process.depth)
    for layer, seen in enumerate(_seen(cone, width, place)):
        ordered = np.sort(process.coefficients[layer, seen])
        if charge is None:
            reach[layer] = 2 * np.abs(ordered).sum()
        else:
            k = min(charge, width - charge, ordered.size // 2)
            reach[layer] = 2 * (ordered[ordered.size - k :].sum() - ordered[:k].sum())
    return float(reach @ process.covariance() @ reach) / 2
