"""Dephasing correlated in time, on cone qubits: what each process does in each slot that the readout sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from equinoise.noise.correlations import Correlation
from equinoise.noise.phase_modes import PhaseModes
from equinoise.noise.terms import PhaseProcess
from equinoise.reduction.light_cone import LightCone

__all__ = ["ModesProgram", "ProcessProgram", "compile_processes", "greatest_process_rate"]

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

    @property
    def rank(self) -> int:
        """Number of independent standard normals that it is made of."""
        return int(self.factor().shape[1])

    def phases(self, xi: Real) -> Real:
        """The phases at s = 1, shape (L, w), of independent numbers xi of mean 0 and variance 1, shape (rank,)."""
        return np.asarray((self.factor() @ xi)[:, None] * self.coefficients)

    def largest_rate(self, reach: Callable[[int, Real], float]) -> float:
        """No less than Gamma = d^T C d / 2: C has no negative element, and |d_l| <= reach(l, coefficients[l])."""
        d = np.array([reach(layer, row) for layer, row in enumerate(self.coefficients)])
        return float(d @ self.covariance() @ d) / 2


@dataclass(frozen=True, eq=False)
class ModesProgram:
    """Gaussian phases of any covariance over L slots on w cone qubits.

    In slot l it applies exp(-i sqrt(s) sum_i phi[l, i] Z_i), phi[l, i] = sum_r xi_r modes[r, l, i]. A history of charge
    differences dz_l decays as exp(-s Gamma), Gamma = sum_r (sum_l modes[r, l] . dz_l)^2 / 2.

    Attributes:
        modes: Shape (R, L, k), dimensionless, read-only, on the k cone qubits ``places`` alone; 0 where the readout
            does not see them.
        places: Cone index of each of those.
        coefficients: Shape (L, w), read-only: standard deviation of each phase.
        qubits: Circuit qubits on which it acts where the readout sees them, ascending.
    """

    modes: Real
    places: tuple[int, ...]
    coefficients: Real
    qubits: tuple[int, ...]

    @property
    def rank(self) -> int:
        """Number of independent standard normals that it is made of."""
        return int(self.modes.shape[0])

    def phases(self, xi: Real) -> Real:
        """The phases at s = 1, shape (L, w), of independent numbers xi of mean 0 and variance 1, shape (rank,)."""
        out = np.zeros(self.coefficients.shape)
        out[:, list(self.places)] = np.einsum("r,rlk->lk", xi, self.modes)
        return out

    def largest_rate(self, reach: Callable[[int, Real], float]) -> float:
        """No less than Gamma, mode by mode: |modes[r, l] . dz_l| <= reach(l, modes[r, l])."""
        whole = np.zeros(self.coefficients.shape[1])
        total = 0.0
        for mode in self.modes:
            amplitude = 0.0
            for layer, row in enumerate(mode):
                whole[list(self.places)] = row
                amplitude += reach(layer, whole)
            total += amplitude**2
        return total / 2


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
    # C = V diag(lambda) V^T: with F = V sqrt(lambda), F times independent normals has the covariance F F^T = C. Few
    # large eigenvalues carry long correlations.
    values, vectors = np.linalg.eigh(_covariance(correlation, depth))
    kept = np.flatnonzero(values > _NEGLIGIBLE * depth)[::-1]
    vectors = vectors[:, kept]
    # an eigenvector's sign is the library's choice: its largest element is made positive
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None, :], axis=0)
    out = np.ascontiguousarray(vectors * np.sign(largest) * np.sqrt(values[kept]))
    out.setflags(write=False)
    return out


def compile_processes(
    processes: Sequence[PhaseProcess | PhaseModes], cone: LightCone, place: Mapping[int, int], width: int
) -> tuple[ProcessProgram | ModesProgram, ...]:
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
    out: list[ProcessProgram | ModesProgram] = []
    for process in processes:
        if isinstance(process, PhaseModes):
            out += _compile_modes(process, seen, place)
            continue
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


def _compile_modes(
    phases: PhaseModes, seen: npt.NDArray[np.bool_], place: Mapping[int, int]
) -> tuple[ModesProgram, ...]:
    inside = [i for i, q in enumerate(phases.qubits) if q in place]
    places = [place[phases.qubits[i]] for i in inside]
    modes = np.where(seen[:, places], phases.array[:, :, inside], 0.0)
    acting = (modes != 0).any(axis=(0, 1))
    modes = np.ascontiguousarray(modes[(modes != 0).any(axis=(1, 2))][:, :, acting])
    if not modes.size:
        return ()
    places = [p for p, acts in zip(places, acting, strict=True) if acts]
    coefficients = np.zeros(seen.shape)
    coefficients[:, places] = np.sqrt((modes**2).sum(axis=0))
    for array in (modes, coefficients):
        array.setflags(write=False)
    qubits = tuple(phases.qubits[i] for i, acts in zip(inside, acting, strict=True) if acts)
    return (ModesProgram(modes, tuple(places), coefficients, qubits),)


def _seen(cone: LightCone, width: int, place: Mapping[int, int]) -> npt.NDArray[np.bool_]:
    """Shape (L, w): whether the readout sees a cone qubit in a slot."""
    seen = np.zeros((len(cone.seen), width), dtype=bool)
    for layer, qubits in enumerate(cone.seen):
        seen[layer, [place[q] for q in qubits]] = True
    return seen


def greatest_process_rate(
    process: ProcessProgram | ModesProgram, cone: LightCone, place: Mapping[int, int], charge: int | None = None
) -> float:
    """An upper bound on the decay rate Gamma = d^T C d / 2 of any history that the readout can see.

    Of a stationary process C has no negative element, so Gamma <= sum_lm C_lm D_l D_m / 2 with D_l the largest |d_l| of
    any pair x, y in slot l that agrees on the qubits not seen there: 2 sum_i |coefficients[l, i]| in the full space; in
    the block of charge q, where x and y hold equally many excitations, twice the sum of the k largest less the k
    smallest coefficients of the seen qubits, k = min(q, w - q, half of them). Of Gaussian phases with any covariance,
    the same for each independent mode, with the sizes |d_l| adding up.

    Args:
        process: Compiled with this cone.
        cone: The readout's light cone.
        place: Cone index of each circuit qubit of the cone.
        charge: Charge q of the block of cone qubits; None for the full space.

    Returns:
        Dimensionless, at noise scale 1; the bounds of independent processes add.
    """
    width = process.coefficients.shape[1]
    seen = _seen(cone, width, place)

    def reach(layer: int, row: Real) -> float:
        ordered = np.sort(row[seen[layer]])
        if charge is None:
            return float(2 * np.abs(ordered).sum())
        k = min(charge, width - charge, ordered.size // 2)
        return float(2 * (ordered[ordered.size - k :].sum() - ordered[:k].sum()))

    return process.largest_rate(reach)
