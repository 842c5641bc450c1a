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
from equinoise.noise.terms import Depolarizing, NoiseTerm
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
    the share of the slot that is flipped, and jumps and Hamiltonians stated by matrices that Z on each qubit leaves as
    they are become X K X for it; others are refused, for X and Y pulses differ for them. Dephasing correlated in time
    becomes Gaussian phases of covariance v_i v_j integral integral y_i(u) y_j(u') c(u - u') du du'. Depolarizing and
    Pauli jumps do not see Pauli pulses.
    Noise tied to a gate acts while the qubit is busy, so pulses leave it alone.

    Args:
        problem: With its noise placed.
        toggling: The signs.
        pulse_errors: Depolarizing rate by (layer, qubit).

    Raises:
        MemoryLimitError: A collective process over too many slots and patterns.
        UnsupportedError: Phases given by hand on a qubit that is flipped, or a jump or Hamiltonian there that is not
            the same under X and Y pulses.
    """
    noise = problem.noise
    if any(toggling.flips.get(q) for modes in noise.phases for q in modes.qubits):
        raise UnsupportedError(
            "phases given by hand have no time within a slot, so pulses on their qubits cannot be seen in them. State "
            "the noise as dephasing with a correlation time, or as static."
        )
    terms: list[NoiseTerm] = []
    phases: list[PhaseModes] = list(noise.phases)
    for term in noise.terms:
        # the noise of a gate acts while the qubit is busy
        for one in [term] if term.gate is not None else term.expanded(problem.num_qubits):
            if term.gate is not None or not any(toggling.flips.get(q) for q in one.sites):
                terms.append(one)
            elif one.is_correlated:
                phase: Any = one  # of a kind that has a correlation
                shares = [(w, tau, *continuous_part(tau)) for w, tau in phase.correlation]
                white = math.fsum(w * share for w, _, _, share in shares)
                if white > 0:
                    independent = replace(phase, correlation=None, rate=phase.rate * white)
                    terms += _averaged(independent, problem, toggling)
                phases += _modes(phase, problem, toggling, [(w * a, tau) for w, tau, a, _ in shares])
            else:
                terms += _averaged(one, problem, toggling)
    pulses = [
        Depolarizing((qubit,), rate, layers=(layer,)) for (layer, qubit), rate in sorted(pulse_errors.items()) if rate
    ]
    return NoiseModel(
        [*terms, *pulses],
        readout_error=noise.readout_error,
        notes=noise.notes,
        name=f"{noise.name}, decoupled",
        phases=phases,
        placement=noise.placement,
    )


def _layers(term: Any, problem: Problem) -> list[int]:
    return list(range(len(problem.layers))) if term.layers is None else list(term.layers)


def _averaged(term: NoiseTerm, problem: Problem, toggling: Toggling) -> list[NoiseTerm]:
    """Noise that is independent at different times, averaged over what flips make of it within each slot."""
    if not term.sees_flips_alone:
        raise UnsupportedError(
            f"{term.describe()} acts on a flipped qubit and is not the same under X and Y pulses, which the signs of "
            "the toggling frame do not tell apart. Leave the qubit idle without pulses, or state the noise by jumps "
            "and Hamiltonians that Z on each qubit leaves as they are."
        )
    flipping = [q for q in term.sites if toggling.flips.get(q)]
    if all(term.flipped(some) == term for some in [[q] for q in flipping]):
        return [term]
    # Between two flips E acts as F E F. Pieces of a slot with one F add up to that generator times their length: exact
    # for dephasing, where all pieces commute, and to first order in the rates for others.
    grid = toggling.grid(term.sites)
    signs = np.array([toggling.signs(q, grid) for q in flipping])
    length = np.diff(grid)
    out: list[NoiseTerm] = []
    for layer in _layers(term, problem):
        share: dict[NoiseTerm, float] = {}
        for piece in np.flatnonzero((grid[:-1] >= layer) & (grid[1:] <= layer + 1)):
            seen = term.flipped([q for q, sign in zip(flipping, signs[:, piece], strict=True) if sign < 0])
            share[seen] = share.get(seen, 0.0) + float(length[piece])
        out += term.merged([replace(seen.scaled(time), layers=(layer,)) for seen, time in share.items()])
    return out


def _modes(term: Any, problem: Problem, toggling: Toggling, parts: Sequence[tuple[float, float]]) -> list[PhaseModes]:
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
