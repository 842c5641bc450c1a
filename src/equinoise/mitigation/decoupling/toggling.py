"""Noise in the toggling frame: what a problem's noise becomes when idle qubits are flipped by pulses.

Time within slot l is measured from l to l + 1. There a phase process has b(u) with E b(u) b(u') = a^2 exp(-|u-u'|/tau)
plus a white part: with 4 a^2 tau^2 sinh^2(1/(2 tau)) = 1 two slots apart by k correlate by exp(-k/tau), as the slot
model states, and the white part 1 - 2 a^2 tau^2 (1/tau - 1 + exp(-1/tau)) >= 0 makes up the variance 1 of a slot.
Without pulses the slot model is recovered exactly; pulses act on the first part alone. Static noise has no white part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.errors import MemoryLimitError, UnsupportedError
from equinoise.mitigation.decoupling.filter_function import exponential_overlaps
from equinoise.noise.model import NoiseModel
from equinoise.noise.phase_modes import PhaseModes
from equinoise.noise.terms import Dephasing, Depolarizing, Relaxation
from equinoise.problem import Problem

__all__ = ["Toggling", "continuous_part", "toggled_noise"]

Real = npt.NDArray[np.float64]

_LARGEST = 3000
_NEGLIGIBLE = 1e-15


@dataclass(frozen=True)
class Toggling:
    """The sign of Z on every qubit through the slots of a circuit.

    Attributes:
        depth: Number of slots L; slot l is the time from l to l + 1.
        flips: Times of the flips, ascending, for each qubit that has any.
    """

    depth: int
    flips: Mapping[int, tuple[float, ...]]

    def grid(self, qubits: Sequence[int]) -> Real:
        """Ends of the pieces on which no sign of these qubits changes, slot boundaries included."""
        times = {float(t) for t in range(self.depth + 1)} | {t for q in qubits for t in self.flips.get(q, ())}
        return np.array(sorted(times))

    def signs(self, qubit: int, grid: Real) -> Real:
        """The sign on each piece of a grid."""
        middle = (grid[1:] + grid[:-1]) / 2
        return np.asarray((-1.0) ** np.searchsorted(np.array(self.flips.get(qubit, ())), middle))

    def flipped(self, qubit: int, layer: int) -> float:
        """Share of a slot during which y = -1."""
        grid = self.grid((qubit,))
        inside = (grid[:-1] >= layer) & (grid[1:] <= layer + 1)
        return float((np.diff(grid) * (self.signs(qubit, grid) < 0))[inside].sum())


def continuous_part(time: float) -> tuple[float, float]:
    """(a^2, white share) of the b(u) whose slot phases correlate by exp(-k/time); see the module's text.

    Args:
        time: Correlation time in slots, > 0.

    Example:
        >>> import math
        >>> from equinoise.mitigation.decoupling.toggling import continuous_part
        >>> continuous_part(math.inf)
        (1.0, 0.0)
        >>> amplitude, white = continuous_part(10.0)
        >>> round(amplitude, 4), round(white, 4)
        (0.9992, 0.0333)
    """
    if math.isinf(time):
        return 1.0, 0.0
    # integral over two slots k apart of a^2 exp(-|u - u'|/tau) = a^2 tau^2 4 sinh^2(1/(2 tau)) exp(-k/tau): a^2 makes
    # it exp(-k/tau). Within one slot it is less than 1, and the white part is the difference.
    half = 1 / (2 * time)
    if half > 300:
        return 0.0, 1.0
    amplitude = (half / math.sinh(half)) ** 2
    own = float(exponential_overlaps(np.array([0.0, 1.0]), time)[0, 0])
    return amplitude, max(0.0, 1 - amplitude * own)


def toggled_noise(problem: Problem, toggling: Toggling, pulse_errors: Mapping[tuple[int, int], float]) -> NoiseModel:
    """The problem's noise seen from the frame of its pulses.

    Terms that no pulse touches stay as they are. White dephasing K = sum v_i Z_i becomes sum v_i y_i Z_i, a jump for
    each pattern of signs in proportion to its time (alone on one qubit: unchanged). Relaxation swaps down and up for
    the share of the slot that is flipped. Dephasing correlated in time becomes Gaussian phases of covariance
    v_i v_j integral integral y_i(u) y_j(u') c(u - u') du du'. Depolarizing and Pauli jumps do not see Pauli pulses.
    Noise tied to a gate acts while the qubit is busy, so pulses leave it alone.

    Args:
        problem: With its noise placed.
        toggling: The signs.
        pulse_errors: Depolarizing rate by (layer, qubit).

    Raises:
        MemoryLimitError: A collective process over too many slots and patterns.
        UnsupportedError: Phases given by hand on a qubit that is flipped.
    """
    noise = problem.noise
    if any(toggling.flips.get(q) for modes in noise.phases for q in modes.qubits):
        raise UnsupportedError(
            "phases given by hand have no time within a slot, so pulses on their qubits cannot be seen in them. State "
            "the noise as dephasing with a correlation time, or as static."
        )
    dephasing: list[Dephasing] = []
    relaxation: list[Relaxation] = []
    phases: list[PhaseModes] = list(noise.phases)
    for term in noise.dephasing:
        if term.gate is not None or not _touched(term, problem, toggling):
            dephasing.append(term)
            continue
        for one in term.expanded(problem.num_qubits):
            if not any(toggling.flips.get(q) for q in one.qubits):
                dephasing.append(one)
            elif one.correlation is None:
                dephasing += _white(one, problem, toggling, one.rate)
            else:
                shares = [(w, tau, *continuous_part(tau)) for w, tau in one.correlation]
                white = math.fsum(w * share for w, _, _, share in shares)
                if white > 0:
                    independent = replace(one, correlation=None)
                    dephasing += _white(independent, problem, toggling, one.rate * white)
                phases += _modes(one, problem, toggling, [(w * a, tau) for w, tau, a, _ in shares])
    for fall in noise.relaxation:
        if fall.gate is not None or not _touched(fall, problem, toggling):
            relaxation.append(fall)
            continue
        for one in fall.expanded(problem.num_qubits):
            for layer in _layers(one, problem):
                # X |0><1| X = |1><0|: while the frame is flipped, decay acts as excitation. The rates are averaged
                # over the slot, which is exact to first order in them.
                f = toggling.flipped(one.qubit, layer)
                down, up = one.down * (1 - f) + one.up * f, one.up * (1 - f) + one.down * f
                relaxation.append(Relaxation(one.qubit, down, up, layers=(layer,)))
    others = [term for term in noise.terms if term.kind not in ("dephasing", "relaxation")]
    pulses = [
        Depolarizing((qubit,), rate, layers=(layer,)) for (layer, qubit), rate in sorted(pulse_errors.items()) if rate
    ]
    return NoiseModel(
        [*dephasing, *relaxation, *others, *pulses],
        readout_error=noise.readout_error,
        notes=noise.notes,
        name=f"{noise.name}, decoupled",
        phases=phases,
        placement=noise.placement,
    )


def _touched(term: Any, problem: Problem, toggling: Toggling) -> bool:
    return any(toggling.flips.get(q) for one in term.expanded(problem.num_qubits) for q in one.qubits)


def _layers(term: Any, problem: Problem) -> list[int]:
    return list(range(len(problem.layers))) if term.layers is None else list(term.layers)


def _white(term: Dephasing, problem: Problem, toggling: Toggling, rate: float) -> list[Dephasing]:
    """One jump for each pattern of signs, up to an overall sign; slots of one pattern together."""
    pairs = term.pairs
    if len([w for _, w in pairs if w]) == 1:
        return [replace(term, rate=rate)]
    # White noise is independent at different times, so pieces of one pattern of signs add up to one jump K = sum v_i
    # y_i Z_i at the rate times their length. K and -K are the same jump.
    qubits = [q for q, _ in pairs]
    grid = toggling.grid(qubits)
    signs = np.array([toggling.signs(q, grid) for q in qubits])
    signs *= signs[0]
    length = np.diff(grid)
    out = []
    for layer in _layers(term, problem):
        share: dict[tuple[float, ...], float] = {}
        for piece in np.flatnonzero((grid[:-1] >= layer) & (grid[1:] <= layer + 1)):
            key = tuple(signs[:, piece].tolist())
            share[key] = share.get(key, 0.0) + float(length[piece])
        for pattern, time in share.items():
            weights = tuple((q, w * y) for (q, w), y in zip(pairs, pattern, strict=True))
            out.append(Dephasing(rate * time, weights, layers=(layer,)))
    return out


def _modes(
    term: Dephasing, problem: Problem, toggling: Toggling, parts: Sequence[tuple[float, float]]
) -> list[PhaseModes]:
    """Gaussian phases with the covariance of the toggled process; qubits of one sign function share their phases."""
    depth = toggling.depth
    pairs = [(q, w) for q, w in term.pairs if w]
    qubits = [q for q, _ in pairs]
    amplitude = np.zeros(depth)
    for layer in _layers(term, problem):
        amplitude[layer] = math.sqrt(term.rate) * term.occurrences(problem.layers[layer])
    grid = toggling.grid(qubits)
    kinds = sorted({toggling.flips.get(q, ()) for q in qubits})
    if depth * len(kinds) > _LARGEST:
        raise MemoryLimitError(
            f"{term.describe()} through {depth} slots with {len(kinds)} pulse patterns is a covariance of "
            f"{depth * len(kinds)} phases (at most {_LARGEST}). Decouple without staggering, or fewer qubits."
        )
    slot = np.clip(np.floor((grid[1:] + grid[:-1]) / 2).astype(int), 0, depth - 1)
    gather = np.zeros((depth, len(kinds), grid.size - 1))  # from pieces to (slot, pattern)
    for k, kind in enumerate(kinds):
        owner = next(q for q in qubits if toggling.flips.get(q, ()) == kind)
        gather[slot, k, np.arange(grid.size - 1)] = toggling.signs(owner, grid) * amplitude[slot]
    flat = gather.reshape(depth * len(kinds), -1)
    found: list[Real] = []
    static = math.fsum(w for w, tau in parts if math.isinf(tau))
    if static > 0:
        found.append(math.sqrt(static) * (flat @ np.diff(grid))[None])
    moving = [(w, tau) for w, tau in parts if not math.isinf(tau) and w > 0]
    if moving:
        # The phase of slot l and pattern k is a signed sum over pieces, so the covariance is gather . overlaps .
        # gather^T, and its eigenvectors times the roots of the eigenvalues are independent modes that have it.
        overlaps = sum((w * exponential_overlaps(grid, tau) for w, tau in moving), np.zeros((grid.size - 1,) * 2))
        values, vectors = np.linalg.eigh(flat @ overlaps @ flat.T)
        kept = np.flatnonzero(values > _NEGLIGIBLE * values.sum())[::-1]
        found.append((vectors[:, kept] * np.sqrt(values[kept])).T)
    modes = np.concatenate(found).reshape(-1, depth, len(kinds))
    scale = float(np.abs(amplitude).max(initial=0.0))
    modes[np.abs(modes) < 1e-15 * scale] = 0.0
    modes = modes[np.any(modes, axis=(1, 2))]
    if not len(modes):
        return []
    where = [kinds.index(toggling.flips.get(q, ())) for q in qubits]
    weighted = modes[:, :, where] * np.array([w for _, w in pairs])
    return [PhaseModes(tuple(qubits), weighted, f"{term.describe()}, seen through pulses")]
