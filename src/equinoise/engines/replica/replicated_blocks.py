"""A block's replica average: W = E[M (x) M*] and, for each of its parameters, D = E[dM (x) (dM)*].

M is the block's superoperator U . U^dag, dM its derivative. A rotation exp(-i angle H) multiplies an element of the
two replicas, in H's eigenbasis, by exp(-i angle (h_a - h_b - h_a' + h_b')). Where a parameter enters one rotation
alone, the mean of that over its period is exact; where it enters several of the block's, all of them are averaged
together over equally spaced values, which is exact from as many values on as the product has frequencies.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.circuit.blocks import Block, embed
from equinoise.engines.replica.sites import operator_from_elements, site_elements
from equinoise.errors import UnsupportedError

__all__ = ["BlockAverage", "average_block", "is_diagonal"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

_MAX_NODES = 4096
_SMALL = 1e-12


@dataclass(frozen=True)
class BlockAverage:
    """What a block is to the replicas.

    Attributes:
        weight: W in real coordinates, shape (6^k, 6^k) on k qubits, the block's first qubit the slowest index.
        derivatives: (parameter, D), ... with D of the same shape.
    """

    weight: Real
    derivatives: tuple[tuple[int, Real], ...]


@dataclass(frozen=True)
class _Turn:
    """A rotation in its eigenbasis: constant + sum coefficients * parameters (block's own numbering)."""

    values: Real
    vectors: Complex
    constant: float
    coefficients: tuple[tuple[int, float], ...]


def is_diagonal(matrix: Complex) -> bool:
    """Whether a generator is diagonal."""
    return bool(np.abs(matrix - np.diag(np.diag(matrix))).max() < _SMALL)


def average_block(block: Block, periods: Real, known: dict[object, BlockAverage] | None = None) -> BlockAverage:
    """W and D of a block whose parameters are independent and uniform over their periods and enter no other block.

    Args:
        block: Conserving, on one or two qubits.
        periods: Of every circuit parameter, shape (K,), radians.
        known: Averages of blocks alike, filled on the way.

    Raises:
        UnsupportedError: Parameters that enter several rotations of the block have too many or no common frequencies.
    """
    used = list(dict.fromkeys(k for r in block.rotations for k, _ in r.angle.coefficients))
    number = {k: i for i, k in enumerate(used)}
    places = [tuple(block.qubits.index(q) for q in r.qubits) for r in block.rotations]
    key = (
        len(block.qubits),
        tuple(float(periods[k]) for k in used),
        tuple(
            (place, r.generator.tobytes(), r.angle.constant, tuple((number[k], c) for k, c in r.angle.coefficients))
            for place, r in zip(places, block.rotations, strict=True)
        ),
    )
    known = {} if known is None else known
    if key not in known:
        turns = []
        for place, rotation in zip(places, block.rotations, strict=True):
            matrix = embed(rotation.generator, place, range(len(block.qubits)))
            values, vectors = np.linalg.eigh(matrix)
            coefficients = tuple((number[k], c) for k, c in rotation.angle.coefficients)
            turns.append(_Turn(values, vectors, rotation.angle.constant, coefficients))
        known[key] = _average(turns, len(block.qubits), [float(periods[k]) for k in used])
    found = known[key]
    return BlockAverage(found.weight, tuple((used[i], d) for i, d in found.derivatives))


def _average(turns: Sequence[_Turn], sites: int, periods: Sequence[float]) -> BlockAverage:
    # A product of rotations has, in a parameter that enters several of them, finitely many frequencies: its mean is
    # that over more equally spaced values than the highest frequency. All other parameters enter one rotation, where
    # the mean of the phase over the period is a closed form.
    uses = Counter(k for turn in turns for k, _ in turn.coefficients)
    together = [k for k in range(len(periods)) if uses[k] > 1]
    nodes = [_nodes(turns, k, periods[k]) for k in together]
    count = int(np.prod([len(n) for n in nodes], dtype=np.float64)) if nodes else 1
    if count > _MAX_NODES:
        raise UnsupportedError(f"a block whose parameters enter several of its rotations needs {count} angles")
    weight: Complex = np.zeros((6**sites, 6**sites), dtype=np.complex128)
    derivatives = [weight.copy() for _ in periods]
    for point in itertools.product(*nodes):
        at = dict(zip(together, point, strict=True))
        state = _start(sites)
        tangents: list[list[Complex] | None] = [None] * len(periods)
        for turn in turns:
            state, tangents = _turned(turn, at, periods, state, tangents)
        weight += _read(state, sites) / count
        for k, tangent in enumerate(tangents):
            if tangent is not None:
                derivatives[k] += _read(tangent[2], sites) / count
    return BlockAverage(
        operator_from_elements(weight), tuple((k, operator_from_elements(d)) for k, d in enumerate(derivatives))
    )


def _nodes(turns: Sequence[_Turn], parameter: int, period: float) -> Real:
    """Equally spaced angles that average a product of these rotations over a parameter exactly."""
    # Frequencies of M (x) M* are sums of differences of eigenvalues c (h_a - h_b - h_a' + h_b'), at most 2 max gap a
    # rotation; N equally spaced angles average all frequencies below N, other than 0, to 0.
    unit = 2 * np.pi / period
    highest = 0.0
    for turn in turns:
        for k, c in turn.coefficients:
            if k == parameter:
                gaps = np.abs(c) * np.abs(turn.values[:, None] - turn.values[None, :]) / unit
                if np.abs(gaps - np.round(gaps)).max() > 1e-6:
                    raise UnsupportedError("a parameter that enters several rotations of a block has no period")
                highest += 2 * float(gaps.max())
    count = round(highest) + 1
    if count > _MAX_NODES:  # before they are written out
        raise UnsupportedError(f"a parameter that enters several rotations of a block needs {count:.3g} angles")
    return np.arange(count) * period / count


def _start(sites: int) -> Complex:
    """Unit vectors at the 6^k states as columns, shape (d, d, d, d, 6^k)."""
    dim = 2**sites
    out = np.zeros((dim, dim, dim, dim, 6**sites), dtype=np.complex128)
    out[(*site_elements(sites), np.arange(6**sites))] = 1.0
    return out


def _read(state: Complex, sites: int) -> Complex:
    return np.asarray(state[site_elements(sites)])


def _mean_phase(turn: _Turn, at: dict[int, float], periods: Sequence[float], frequency: Complex | Real) -> Complex:
    """E exp(-i angle frequency) over the parameters that enter this rotation alone, the others at their values."""
    out = np.exp(-1j * turn.constant * frequency)
    for k, c in turn.coefficients:
        if k in at:
            out = out * np.exp(-1j * c * at[k] * frequency)
            continue
        # The mean of exp(-i c theta f) over [0, period] is (1 - e^{-iw})/(iw) with w = c period f: 1 at f = 0, and 0
        # where w is a multiple of 2 pi, as it is for a full period.
        whole = c * periods[k] * frequency
        small = np.abs(whole) < 1e-9
        mean = np.where(small, 1.0, (1 - np.exp(-1j * whole)) / np.where(small, 1.0, 1j * whole))
        out = out * np.where(np.abs(mean) < 1e-9, 0.0, mean)
    return np.asarray(out)


def _turned(
    turn: _Turn, at: dict[int, float], periods: Sequence[float], state: Complex, tangents: list[list[Complex] | None]
) -> tuple[Complex, list[list[Complex] | None]]:
    """The averaged rotation on M (x) M* and, per parameter, on dM (x) M*, M (x) dM* and dM (x) dM*."""
    # In the eigenbasis of H the element (a, b; a', b') of M (x) M* turns by exp(-i angle (first - second)); a
    # derivative by the angle gives -i first on dM (x) M* and +i second on M (x) dM*, the conjugate. dM (x) dM* collects
    # both: by the product rule it is both + a right + b left + a b inside.
    h = turn.values
    first = h[:, None, None, None, None] - h[None, :, None, None, None]
    second = h[None, None, :, None, None] - h[None, None, None, :, None]
    phase = _mean_phase(turn, at, periods, first - second)
    inward = [turn.vectors.conj().T, turn.vectors.T, turn.vectors.T, turn.vectors.conj().T]
    outward = [turn.vectors, turn.vectors.conj(), turn.vectors.conj(), turn.vectors]
    inside = _moved(inward, state)
    slopes = dict(turn.coefficients)
    out: list[list[Complex] | None] = []
    for k, tangent in enumerate(tangents):
        if tangent is None and k not in slopes:
            out.append(None)
            continue
        left, right, both = (np.zeros_like(state),) * 3 if tangent is None else (_moved(inward, t) for t in tangent)
        if k in slopes:
            a, b = -1j * slopes[k] * first, 1j * slopes[k] * second
            left, right, both = left + a * inside, right + b * inside, both + a * right + b * left + a * b * inside
        out.append([_moved(outward, phase * t) for t in (left, right, both)])
    return _moved(outward, phase * inside), out


def _moved(matrices: Sequence[Complex], state: Complex) -> Complex:
    """Each of the four indices through a matrix."""
    for axis, matrix in enumerate(matrices):
        state = np.moveaxis(np.tensordot(matrix, state, axes=(1, axis)), 0, axis)
    return state
