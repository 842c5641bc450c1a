"""Plain and decoupled along the same paths of b(t): the gain under dephasing, far tighter than separate trajectories.

With pure dephasing the circuit is unitary along a path. Cut at every flip and slot boundary, a process is its integrals
over the pieces, beta_p, jointly normal with covariance w a^2 I_pq + (white share) |p| delta_pq (I_pq: overlaps of the
exponential, see :mod:`equinoise.mitigation.decoupling.toggling`). The plain phase of slot l is sum_p beta_p over its
pieces, the decoupled one sum_p y_i(p) beta_p: both are linear images of the same beta, and beta of independent standard
normals xi. The average over xi is a Gauss-Hermite product where few xi matter, else of antithetic pairs in two
independent halves, whose product is an unbiased square.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.coherence.sample import PairedDraws
from equinoise.engines.draws import check_scale, sampled_draws
from equinoise.engines.vectors.path_average import path_average
from equinoise.errors import MemoryLimitError, ParameterError, UnsupportedError
from equinoise.mitigation.decoupling.decoupling import Decoupled
from equinoise.mitigation.decoupling.filter_function import exponential_overlaps
from equinoise.mitigation.decoupling.toggling import continuous_part
from equinoise.reduction.program import compile_problem
from equinoise.sampling import Sampling

__all__ = ["PathComparison", "compare_paths", "shared_modes"]

Real = npt.NDArray[np.float64]
Interval = tuple[float, float]

_NODES = 4000  # largest Gauss-Hermite product
_ACCURACY = 1e-11
_NEGLIGIBLE = 1e-8  # singular value of a mode, relative; what is dropped changes averages by its square


@dataclass(frozen=True)
class PathComparison:
    """Plain against decoupled along the same paths.

    Attributes:
        scale: Noise scale s.
        survival: (plain, decoupled): RMS gradient at s over that without noise.
        survival_interval: 95 % intervals of both.
        gain: RMS gradient left with pulses over that without.
        gain_interval: 95 %, over parameter draws and paths.
        samples: Number of parameter draws.
        paths: Paths per draw, or nodes of the Gauss-Hermite product.
        exact: Whether each draw's average over paths is exact to rounding.
        seed: Of draws and paths.
    """

    scale: float
    survival: tuple[float, float]
    survival_interval: tuple[Interval, Interval]
    gain: float
    gain_interval: Interval
    samples: int
    paths: int
    exact: bool
    seed: int


def shared_modes(result: Decoupled) -> tuple[Real, Real]:
    """Phases of both circuits as images of the same standard normals, shape (R, L, n) each: plain, decoupled.

    In slot l qubit i meets exp(-i sqrt(s) sum_r xi_r modes[r, l, i] Z_i).

    Args:
        result: From :func:`equinoise.mitigation.decoupling.decoupling.decouple`, with dephasing alone.

    Raises:
        UnsupportedError: Noise that is not a Gaussian phase, pulse errors included.

    Example:
        >>> import equinoise as eq
        >>> from equinoise.mitigation.decoupling.decoupling import decouple
        >>> from equinoise.mitigation.decoupling.shared_paths import shared_modes
        >>> problem = eq.Problem(eq.circuits.brickwork(4, depth=3), readout="Z1", noise="static:0.05")
        >>> plain, pulsed = shared_modes(decouple(problem, "X2", durations={"xx_plus_yy": 4e-7, "rzz": 2e-7}))
        >>> plain.shape, round(float(plain[0, 1, 0]), 4), abs(round(float(pulsed[0, 1, 0]), 4))
        ((4, 3, 4), 0.2236, 0.0)
    """
    problem, toggling = result.plain, result.toggling
    for noise in (result.plain.noise, result.decoupled.noise):
        if not all(term.is_phase for term in noise.terms):
            raise UnsupportedError(
                "paths of phases serve dephasing alone, but there is relaxation, depolarizing, Pauli noise or an error "
                "of the pulses. Use equinoise.mitigation.compare."
            )
    depth, n = toggling.depth, problem.num_qubits
    grid = toggling.grid(range(n))
    pieces = grid.size - 1
    slot = np.clip(np.floor((grid[1:] + grid[:-1]) / 2).astype(int), 0, depth - 1)
    own = np.zeros((depth, pieces))
    own[slot, np.arange(pieces)] = 1.0
    plain: list[Real] = []
    pulsed: list[Real] = []
    phases: tuple[Any, ...] = tuple(one for term in problem.noise.terms for one in term.expanded(n))
    for one in phases:
        rate = np.zeros(depth)
        for layer in range(depth) if one.layers is None else one.layers:
            count = one.occurrences(problem.layers[layer])
            # occurrences in a slot share the phase of a correlated process, and are independent where it is white
            rate[layer] = one.rate * (count if one.correlation is None else count**2)
        roots = _factor(grid, one.correlation) * np.sqrt(rate[slot])[:, None]  # (P, R)
        both = np.zeros((2, roots.shape[1], depth, n))
        for q, w in one.pairs:
            sign = np.ones(pieces) if one.gate is not None else toggling.signs(q, grid)
            both[0, :, :, q] += w * (own @ roots).T
            both[1, :, :, q] += w * (own @ (sign[:, None] * roots)).T
        plain.append(both[0])
        pulsed.append(both[1])
    for modes in problem.noise.phases:
        given = np.zeros((modes.array.shape[0], depth, n))
        given[:, :, list(modes.qubits)] = modes.array
        plain.append(given)
        pulsed.append(given)
    nothing = np.zeros((0, depth, n))
    return np.concatenate([nothing, *plain]), np.concatenate([nothing, *pulsed])


def _factor(grid: Real, correlation: Any) -> Real:
    """F with F F^T the covariance of a process's integrals over the pieces, shape (P, R)."""
    length = np.diff(grid)
    if correlation is None:
        return np.diag(np.sqrt(length))
    found, white = [], 0.0
    moving = np.zeros((length.size, length.size))
    for w, tau in correlation:
        amplitude, share = continuous_part(tau)
        white += w * share
        if math.isinf(tau):
            found.append(math.sqrt(w) * length[:, None])
        elif amplitude > 0:
            moving += w * amplitude * exponential_overlaps(grid, tau)
    moving += white * np.diag(length)
    if np.any(moving):
        values, vectors = np.linalg.eigh(moving)
        found.append(vectors * np.sqrt(np.maximum(values, 0.0)))
    return np.concatenate(found, axis=1)


def _reduced(modes: Real) -> Real:
    """The same joint law from as few normals as it takes; modes of shape (R, dimensions)."""
    # xi . M with M = U S V has the law of xi' . S V, since xi' = xi U is standard normal too.
    values, rows = np.linalg.svd(modes, full_matrices=False)[1:]
    kept = values > _NEGLIGIBLE * max(values.max(initial=0.0), 1e-300)
    return np.asarray(values[kept, None] * rows[kept])


def _rule(modes: Real) -> tuple[Real, Real] | None:
    """Nodes of shape (M, R) and weights that average every phase of the circuit exactly; None if too many.

    Elements of the density matrix depend on xi_r through exp(i a xi_r), |a| <= 2 sum |modes[r]| of one side. The rule
    takes the fewest points that integrate all of these. Modes of shape (R, 2, L, w).
    """
    each = []
    for mode in modes:
        # E xi of cos(a xi) is exp(-a^2/2): the number of nodes is raised until every |a| that can occur is right to
        # 1e-11; odd parts cancel in the symmetric rule.
        reach = np.linspace(0.0, 2 * float(np.abs(mode).sum(axis=(1, 2)).max()), 33)
        for points in range(2, 65):
            x, w = np.polynomial.hermite_e.hermegauss(points)
            w = w / w.sum()
            if np.abs(np.cos(np.outer(reach, x)) @ w - np.exp(-(reach**2) / 2)).max() < _ACCURACY:
                each.append((x, w))
                break
        else:
            return None
        if math.prod(len(x) for x, _ in each) > _NODES:
            return None
    nodes = np.array(list(itertools.product(*[x for x, _ in each]))).reshape(-1, len(each))
    weights = np.array([math.prod(w) for w in itertools.product(*[w for _, w in each])])
    return nodes, weights


def compare_paths(
    result: Decoupled,
    scale: float = 1.0,
    *,
    sampling: Sampling | None = None,
    paths: int = 256,
    progress: Callable[[int], None] | None = None,
) -> PathComparison:
    """The gain of decoupling from the same parameters and the same paths of the noise.

    Args:
        result: From :func:`equinoise.mitigation.decoupling.decoupling.decouple`, with dephasing alone.
        scale: Noise scale s, finite.
        sampling: Draws of the parameters (64 by default), ensemble, and workers (1 by default); there is one engine.
        paths: Paths per draw where the average is not exact: a multiple of 4, halves of antithetic pairs.
        progress: Called with 1 after each draw.

    Raises:
        ParameterError: The scale, paths or the sampling does not fit.
        UnsupportedError: An engine asked for by name, noise other than dephasing, or a circuit that breaks the charge.
        MemoryLimitError: More than 100 million amplitudes at once.

    Example:
        >>> import equinoise as eq
        >>> from equinoise.mitigation.decoupling.decoupling import decouple
        >>> from equinoise.mitigation.decoupling.shared_paths import compare_paths
        >>> problem = eq.Problem(eq.circuits.brickwork(4, depth=3), readout="Z1", noise="dephasing:0.05")
        >>> pulsed = decouple(problem, "X2", durations={"xx_plus_yy": 4e-7, "rzz": 2e-7})
        >>> found = compare_paths(pulsed, sampling=eq.Sampling(samples=4))
        >>> found.samples, found.exact
        (4, False)
    """
    s, sampling = check_scale(scale), Sampling.of(sampling, samples=64)
    sampling.check_engine("compare_paths")
    if math.isinf(s):
        raise ParameterError("compare_paths needs a finite noise scale; at infinity use decoupling.compare.")
    if not isinstance(paths, int) or paths < 4 or paths % 4:
        raise ParameterError(f"paths must be a positive multiple of 4, got {paths!r}.")
    if not result.plain.by_charge:
        raise UnsupportedError(
            f"paths of phases are propagated in sectors of the charge; the problem's symmetry is "
            f"{result.plain.symmetry}. Use equinoise.mitigation.compare."
        )
    program = compile_problem(result.plain.with_noise(None))
    plain, pulsed = shared_modes(result)
    seen = list(program.cone.qubits)
    stacked = math.sqrt(s) * np.stack([plain[:, :, seen], pulsed[:, :, seen]], axis=1)  # (R, 2, L, w)
    modes = _reduced(stacked.reshape(len(stacked), -1)).reshape(-1, *stacked.shape[1:])
    rule = _rule(modes)
    count = paths if rule is None else len(rule[1])
    largest = max(program.sectors[c].dimension for c in program.input_charges)
    if count * largest * (len(program.layers) + 8) > 1e8:
        raise MemoryLimitError(
            f"{count} paths of {largest} amplitudes through {len(program.layers)} slots at once are too many; ask for "
            "fewer paths, or use decoupling.compare."
        )
    thetas = sampling.draw(result.plain)
    still = np.zeros((1, len(program.layers), program.width))

    def one(theta: Real, rng: np.random.Generator) -> tuple[float, float, float]:
        out = [float(np.sum(path_average(program, theta, still, np.ones(1)).gradient ** 2))]
        # The square of an average over paths is biased; the product of averages over two independent halves is not.
        # Antithetic pairs xi, -xi take out what is odd in the noise.
        halves = [] if rule is None else [rule]
        for _ in range(0 if rule is not None else 2):
            xi = rng.standard_normal((paths // 4, len(modes)))
            halves.append((np.concatenate([xi, -xi]), np.full(paths // 2, 2 / paths)))
        for side in range(2):
            part = np.ascontiguousarray(modes[:, side])
            found = [path_average(program, theta, np.tensordot(x, part, axes=1), w).gradient for x, w in halves]
            out.append(float(found[0] @ found[-1]))
        return out[0], out[1], out[2]

    draws = []
    for draw in sampled_draws(one, thetas, sampling.seed, sampling.workers or 1):
        draws.append(draw)
        if progress is not None:
            progress(1)
    paired = PairedDraws(dict(zip(("clean", "plain", "decoupled"), np.array(draws).T, strict=True)))
    plain_left, pulsed_left = (paired.ratio(name, "clean", root=True) for name in ("plain", "decoupled"))
    gain = paired.ratio("decoupled", "plain", root=True)
    return PathComparison(
        scale=s,
        survival=(plain_left.value, pulsed_left.value),
        survival_interval=(plain_left.interval, pulsed_left.interval),
        gain=gain.value,
        gain_interval=gain.interval,
        samples=len(thetas),
        paths=count,
        exact=rule is not None,
        seed=sampling.seed,
    )
