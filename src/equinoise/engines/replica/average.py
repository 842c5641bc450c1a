"""The replica engine: the ensemble average of squared gradients without sampling.

For independent angles, uniform over their periods, with a Z rotation on each qubit in every layer, E g_k^2 is linear in
two replicas of the density matrix and multiplies through the circuit: V = sum over blocks of <readout| D |state>.
Where few qubits are active at a time the replicas' vector is held whole, and the result is exact; else it is a
matrix-product state whose bond dimension is doubled until a requested relative error is reached.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from equinoise.engines.contract import Cost, memory_limit
from equinoise.engines.draws import check_scale, parallel_draws
from equinoise.engines.replica.convergence import ROUNDING, Attempt, Converged, doubled
from equinoise.engines.replica.dense import Pairing, dense_pairings, greatest_play
from equinoise.engines.replica.matrix_product import chain_pairings
from equinoise.engines.replica.replicated_circuit import ReplicaCircuit, Step, compile_replicas, replica_obstacle
from equinoise.engines.replica.site_actions import Actions, at_scale, power_series, tangent
from equinoise.engines.replica.tensor import Truncation
from equinoise.ensemble import Ensemble
from equinoise.errors import ParameterError, UnsupportedError
from equinoise.problem import Problem
from equinoise.reduction.program import Program, compile_problem

__all__ = [
    "NAME",
    "EnsembleAverage",
    "FirstOrderAverage",
    "average",
    "average_cost",
    "average_obstacle",
    "first_order_average",
]

Real = npt.NDArray[np.float64]
T = TypeVar("T")

NAME = "replica"
# active qubits up to which the vector is held whole: 6^7 numbers
_DENSE = 7
# and up to which it can be, where no chain serves
_LARGEST = 9
_FIRST_BOND = 40
_LAST_BOND = 1280
# sites apart along the chain that still are swapped together
_REACH = 3
_MOST_BLOCKS = 4000
_MOST_TERMS = 64
# measured on one core, for estimates: a step on one number of a dense vector; a block per
# cone qubit at the bond dimensions that 1 % takes (0.6 s at w = 20, L = 10; 20 s at w = 40, L = 20)
_SECONDS_PER_NUMBER = 4e-8
_SECONDS_PER_BLOCK = 1e-3
_SECONDS_PER_STEP = 3e-4


@dataclass(frozen=True)
class EnsembleAverage:
    """V(s) over the ensemble, without sampling error.

    Attributes:
        scales: Noise scales, shape (S,).
        variance: V at each scale, shape (S,).
        error: Half-width of the interval that truncation leaves about each V, shape (S,); rounding where exact.
        extrapolated: Each V continued to nothing discarded, shape (S,).
        per_parameter: E g_k^2, shape (S, K).
        bond: Greatest bond dimension of the matrix-product states; 0 where the vector was held whole.
        met: Whether the relative error asked for was reached.
        width: Cone qubits.
        engine: "replica".
    """

    scales: Real
    variance: Real
    error: Real
    extrapolated: Real
    per_parameter: Real
    bond: int
    met: bool
    width: int
    engine: str = NAME


@dataclass(frozen=True)
class FirstOrderAverage:
    """What the coherence law needs, without sampling error.

    Attributes:
        series: Coefficients of E g_k^2 in s at s = 0 up to s^2, shape (3, K).
        budget: E sum_k g_k g_k' by noise term, shape (terms,), the order of ``Program.budget_terms``.
        frozen: E g_k^2 at s = infinity, shape (K,).
        kappa: -(1/2) d ln V/ds at s = 0.
        kappa_error: Half-width of its interval.
        second_moment: m2 = V''(0)/(4 V(0)).
        second_moment_error: Likewise.
        fixed_point_share: w0 = V(inf)/V(0); NaN for noise without such a limit.
        fixed_point_share_error: Likewise.
        variance: V(0).
        variance_error: Likewise.
        bond: Greatest bond dimension; 0 where the vectors were held whole.
        met: Whether the relative error asked for was reached.
        engine: "replica".
    """

    series: Real
    budget: Real
    frozen: Real
    kappa: float
    kappa_error: float
    second_moment: float
    second_moment_error: float
    fixed_point_share: float
    fixed_point_share_error: float
    variance: float
    variance_error: float
    bond: int
    met: bool
    engine: str = NAME


# -- what it can do, and at what cost ----------------------------------------------------------------------------------


def average_obstacle(program: Program, ensemble: Ensemble | None = None) -> str | None:
    """Why a problem and an ensemble have no average here; None if they have."""
    if ensemble is not None and ensemble.kind != "uniform":
        return f"the ensemble is {ensemble.describe()}; the average is over independent angles' full periods"
    with program.kept as values:
        if "replica obstacle" not in values:
            values["replica obstacle"] = replica_obstacle(program) or _shape_obstacle(program)
        reason: str | None = values["replica obstacle"]
    return reason


def _shape_obstacle(program: Program) -> str | None:
    if program.num_blocks > _MOST_BLOCKS:
        return f"the cone has {program.num_blocks:,} blocks, and more than {_MOST_BLOCKS:,} would take hours"
    terms = len(program.problem.readout)
    if terms > _MOST_TERMS:
        return f"the readout has {terms} terms, and matrix products of more than {_MOST_TERMS} are not built"
    try:
        circuit = _circuit(program)
    except UnsupportedError as error:
        return str(error)
    if greatest_play(circuit) <= _DENSE or _fits_chain(circuit) is None or greatest_play(circuit) <= _LARGEST:
        return None
    return f"{greatest_play(circuit)} qubits are active at once and {_fits_chain(circuit)}"


def _fits_chain(circuit: ReplicaCircuit) -> str | None:
    """Why a circuit is none for matrix-product states; None if it is."""
    position = {site: i for i, site in enumerate(circuit.order)}
    for step in circuit.steps:
        if len(step.sites) > 2:
            return f"a jump on {len(step.sites)} qubits of layer {step.layer} reaches beyond neighbours"
        if len(step.sites) == 2 and abs(position[step.sites[0]] - position[step.sites[1]]) > _REACH:
            return "the qubits that act together are no line or ring"
    return None


def _circuit(program: Program) -> ReplicaCircuit:
    with program.kept as values:
        if "replica circuit" not in values:
            values["replica circuit"] = compile_replicas(program)
        circuit: ReplicaCircuit = values["replica circuit"]
    return circuit


def _is_dense(circuit: ReplicaCircuit) -> bool:
    return greatest_play(circuit) <= (_DENSE if _fits_chain(circuit) is None else _LARGEST)


def average_cost(program: Program) -> Cost:
    """Seconds and bytes of V at one noise scale to a relative error of 1 %, before anything is contracted."""
    circuit = _circuit(program)
    blocks = sum(step.block is not None for step in circuit.steps)
    steps = len(circuit.steps)
    play = greatest_play(circuit)
    numbers = 6**play if play <= _LARGEST else 0
    if _is_dense(circuit):
        return Cost(steps * (_SECONDS_PER_STEP + numbers * _SECONDS_PER_NUMBER), 8 * numbers * (steps + 4))
    return Cost(steps * _SECONDS_PER_STEP + blocks * circuit.width * _SECONDS_PER_BLOCK, 8 * 160**2 * steps + 10**7)


def _checked(problem: Problem, relative_error: float) -> ReplicaCircuit:
    program = compile_problem(problem)
    reason = average_obstacle(program)
    if reason is not None:
        raise UnsupportedError(
            f"the engine 'replica' cannot serve this problem: {reason}. Engine 'auto' takes one that samples."
        )
    if not (math.isfinite(relative_error) and relative_error > 0):
        raise ParameterError(f"relative_error must be a number > 0, e.g. 0.01, got {relative_error}.")
    return _circuit(program)


# -- averages ----------------------------------------------------------------------------------------------------------


def average(
    problem: Problem,
    scales: Sequence[float] = (0.0, 1.0),
    relative_error: float = 0.01,
    *,
    bond: int | None = None,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> EnsembleAverage:
    """V(s) = E sum_k g_k^2 over independent uniform angles, summed and per parameter, without sampling.

    Args:
        problem: Each qubit with a Z rotation of its own between its blocks; angles independent.
        scales: Noise scales in [0, infinity].
        relative_error: Bond dimensions are doubled until each V is known to this share of itself, or of 1e-9 V(0).
        bond: One bond dimension, instead of doubling; the errors are then infinite unless no bond is cut.
        workers: Scales worked out at once; all processors by default.
        progress: Called with 1 after each scale and bond dimension.

    Raises:
        ParameterError: A scale, relative_error or bond does not fit.
        UnsupportedError: The problem has no such average (with the reason).

    Source:
        Second-moment transfer operators of random circuits; arXiv:2606.30688 for what is averaged.

    Example:
        >>> import equinoise as eq
        >>> from equinoise.engines.replica.average import average
        >>> circuit = eq.circuits.brickwork(4, depth=2)
        >>> problem = eq.Problem(circuit, readout="Z2", initial="neel", noise="collective:0.5")
        >>> average(problem).variance.round(12).tolist()
        [0.5, 0.5]
    """
    circuit = _checked(problem, relative_error)
    wanted = [check_scale(s) for s in scales]
    if not wanted:
        raise ParameterError("scales must hold at least one noise scale.")
    first, last = _bonds(bond)

    def attempt(size: int) -> Attempt[Real]:
        cuts = [Truncation(size) for _ in wanted]
        jobs = list(zip(wanted, cuts, strict=True))
        found = []
        for one in parallel_draws(lambda job: _variances(circuit, *job), jobs, _workers(workers)):
            found.append(one)
            if progress is not None:
                progress(1)
        each = np.stack(found)
        return _attempt(each.sum(axis=1), each, np.array([c.discarded for c in cuts]), cuts)

    if _is_dense(circuit):
        found = _whole(attempt)
    else:
        base = None if 0.0 in wanted else _alone(lambda: float(_variances(circuit, 0.0, Truncation(first)).sum()))

        def least(values: Real) -> Real:
            return np.full(values.shape, 1e-9 * (values[wanted.index(0.0)] if base is None else base))

        found = doubled(attempt, relative_error, least, first, last, memory_limit())
    return EnsembleAverage(
        scales=np.array(wanted),
        variance=found.attempt.headline,
        error=found.error,
        extrapolated=found.extrapolated,
        per_parameter=found.attempt.everything,
        bond=found.bond,
        met=found.met,
        width=circuit.width,
    )


def first_order_average(
    problem: Problem,
    relative_error: float = 0.01,
    *,
    bond: int | None = None,
    workers: int | None = None,
) -> FirstOrderAverage:
    """The rate kappa with its budget, second moment and w0 over independent uniform angles, without sampling.

    Args:
        problem: As for :func:`average`.
        relative_error: Of kappa, m2, V(0), and (in units of 1) w0.
        bond: One bond dimension, instead of doubling.
        workers: Sweeps at once; all processors by default.

    Raises:
        ParameterError: relative_error or bond does not fit.
        UnsupportedError: The problem has no such average (with the reason).

    Source:
        arXiv:2606.30688 (kappa).

    Example:
        >>> import equinoise as eq
        >>> from equinoise.engines.replica.average import first_order_average
        >>> circuit = eq.circuits.brickwork(4, depth=3)
        >>> problem = eq.Problem(circuit, readout="Z2", initial="neel", noise="dephasing:0.1")
        >>> found = first_order_average(problem)
        >>> round(found.kappa, 9), round(found.fixed_point_share, 9)
        (0.338604651, 0.576744186)
    """
    circuit = _checked(problem, relative_error)
    has_limit = compile_problem(problem).has_limit
    first, last = _bonds(bond)
    unit = _alone(lambda: _unit(circuit, first))

    def attempt(size: int) -> Attempt[tuple[Real, Real, Real]]:
        cuts = [Truncation(size) for _ in range(3)]
        jobs: list[Callable[[], Real]] = [
            lambda: _series(circuit, unit, cuts[0]),
            lambda: _budget(circuit, cuts[1]),
            lambda: _variances(circuit, math.inf, cuts[2]) if has_limit else np.full(circuit.parameters, math.nan),
        ]
        series, budget, frozen = parallel_draws(lambda job: job(), jobs, _workers(workers))
        cut, _, last_cut = (c.discarded for c in cuts)
        discarded = np.array([cut, cut, cut, cut + last_cut])
        return _attempt(_headline(series, frozen), (series, budget, frozen), discarded, cuts)

    dense = _is_dense(circuit)
    found = _whole(attempt) if dense else doubled(attempt, relative_error, lambda _: _ONES, first, last, memory_limit())
    series, budget, frozen = found.attempt.everything
    values, errors = found.attempt.headline.tolist(), found.error.tolist()
    return FirstOrderAverage(
        series=series,
        budget=budget,
        frozen=frozen,
        variance=values[0],
        variance_error=errors[0],
        kappa=values[1],
        kappa_error=errors[1],
        second_moment=values[2],
        second_moment_error=errors[2],
        fixed_point_share=values[3] if has_limit else math.nan,
        fixed_point_share_error=errors[3],
        bond=found.bond,
        met=found.met,
    )


# sizes below which V(0), kappa, m2 count as 0, and the unit in which w0's error is asked for
_ONES = np.array([1e-300, 1e-12, 1e-12, 1.0])


def _headline(series: Real, frozen: Real) -> Real:
    """V(0), kappa, m2, w0."""
    # V(s) = v0 + v1 s + v2 s^2: kappa = -(1/2) V'/V = -v1/(2 v0), m2 = V''/(4 V) = 2 v2/(4 v0).
    v0, v1, v2 = series.sum(axis=1)
    if v0 <= 1e-300:
        return np.array([v0, 0.0, 0.0, 0.0])
    w0 = 0.0 if np.isnan(frozen).any() else frozen.sum() / v0  # noise without a limit has none
    return np.array([v0, -v1 / (2 * v0) + 0.0, v2 / (2 * v0), w0])


def _attempt(headline: Real, everything: Any, discarded: Real, cuts: Sequence[Truncation]) -> Attempt[Any]:
    exact = all(cut.reached < cut.bond for cut in cuts)
    return Attempt(headline, everything, discarded, exact, sum(cut.kept_bytes for cut in cuts))


def _whole(attempt: Callable[[int], Attempt[Any]]) -> Converged[Any]:
    """Of a vector that is held whole, and so cut nowhere."""
    found = attempt(0)
    return Converged(found, ROUNDING * np.abs(found.headline), found.headline, 0, True)


def _bonds(bond: int | None) -> tuple[int, int]:
    if bond is None:
        return _FIRST_BOND, _LAST_BOND
    if isinstance(bond, bool) or not isinstance(bond, int) or bond < 1:
        raise ParameterError(f"bond must be a whole number >= 1, got {bond!r}.")
    return bond, bond


def _workers(workers: int | None) -> int:
    return workers or os.cpu_count() or 1


def _alone(work: Callable[[], T]) -> T:
    """One piece of work with one BLAS thread, as sweeps have: more of them fight over matrices this small."""
    (found,) = parallel_draws(lambda job: job(), [work], 1)
    return cast(T, found)


# -- contractions ------------------------------------------------------------------------------------------------------


def _pairings(
    circuit: ReplicaCircuit, actions: Actions, wanted: Callable[[Step], bool], cut: Truncation
) -> Iterator[Pairing]:
    if _is_dense(circuit):
        return dense_pairings(circuit, actions, wanted)
    return chain_pairings(circuit, actions, wanted, cut)


def _is_block(step: Step) -> bool:
    return step.block is not None


def _is_noise(step: Step) -> bool:
    return step.noise is not None


def _variances(circuit: ReplicaCircuit, scale: float, cut: Truncation) -> Real:
    """E g_k^2 at a scale, shape (K,)."""
    # E g_k^2 = <readout| D_k |state>: overlaps holds the readout against the state on the block's sites.
    out = np.zeros(circuit.parameters)
    for pairing in _pairings(circuit, at_scale(scale), _is_block, cut):
        for k, derivative in pairing.step.derivatives:
            out[k] += np.sum(derivative * pairing.overlaps[0])
    return out


def _series(circuit: ReplicaCircuit, unit: float, cut: Truncation) -> Real:
    """Coefficients of E g_k^2 in s, shape (3, K)."""
    # The same with state and readout as power series in s/unit.
    out = np.zeros((3, circuit.parameters))
    for pairing in _pairings(circuit, power_series(unit), _is_block, cut):
        for k, derivative in pairing.step.derivatives:
            out[:, k] += np.einsum("opq,pq->o", pairing.overlaps, derivative)
    return np.asarray(out / unit ** np.arange(3)[:, None])


def _budget(circuit: ReplicaCircuit, cut: Truncation) -> Real:
    """E sum_k g_k g_k' by noise term: half of V'(0)."""
    # V'(0) = sum over noise terms and blocks of <readout| ... E ... D ... |state>, whichever of the two comes first.
    # Order 1 of the pairing holds the block's D in the state or in the readout, so each term's share is one product
    # with E. E sum_k g_k g'_k is half of it.
    out = np.zeros(circuit.terms)
    for pairing in _pairings(circuit, tangent(1.0), _is_noise, cut):
        noise = pairing.step.noise
        if noise is not None:
            for index, generator in noise.budget:
                out[index] += np.sum(generator * pairing.overlaps[1]) / 2
    return out


def _unit(circuit: ReplicaCircuit, bond: int) -> float:
    """The noise scale at which the orders of the power series are of about the same size: roughly 1/(2 kappa)."""
    if _is_dense(circuit):
        return 1.0
    slope = float(np.sum(_budget(circuit, Truncation(bond))))
    size = float(np.sum(_variances(circuit, 0.0, Truncation(bond))))
    return size / (2 * abs(slope)) if slope and size > 0 else 1.0
