"""Post-selected values, gradients and their first-order law, draw by draw: on all qubits, or where the charge is kept.

C_ps = N/D with N = Tr[O P_q rho], D = Tr[P_q rho]; dC_ps = (dN - C_ps dD)/D is the pull-back of (O - C_ps) P_q / D.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import SparsePauliOp

from equinoise.engines.contract import Engine, about, memory_limit
from equinoise.engines.draws import FirstOrderDraw
from equinoise.engines.sector.exact import ExactEngine
from equinoise.engines.select import exact_engine, select_engine
from equinoise.errors import MemoryLimitError, ReadoutError, StateError, UnsupportedError
from equinoise.mitigation.verification.charge_reading import charge_reading
from equinoise.problem import Problem
from equinoise.reduction.operators import weighted_sum
from equinoise.reduction.prepared import prepared
from equinoise.reduction.program import compile_problem
from equinoise.reduction.slots.noise_class import noise_class

__all__ = [
    "NOTHING_KEPT",
    "KeptSector",
    "PostSelection",
    "SelectedDraw",
    "keeps_charge",
    "post_selection",
]

Real = npt.NDArray[np.float64]

# below this share of the shots, what is kept is rounding
NOTHING_KEPT = 1e-12


@dataclass(frozen=True)
class SelectedDraw:
    """One draw of the parameters at one noise scale, after post-selection.

    Attributes:
        gradient_square: g_k^2, or an unbiased estimate of it, shape (K,); NaN where nothing is kept.
        kept: D, the kept fraction.
        shot_variance: Var_ps(O) of one kept shot; NaN where nothing is kept.
    """

    gradient_square: Real
    kept: float
    shot_variance: float


def keeps_charge(problem: Problem) -> bool:
    """Whether gates and noise conserve the charge strongly and it is read without errors: noise then loses no shot."""
    strong = noise_class(problem.slots) in ("none", "strong") and not problem.breaking
    return strong and not any(any(p) for _, p in problem.noise.readout_error)


def post_selection(problem: Problem, *, draws: float = 1, workers: int | None = None) -> KeptSector | PostSelection:
    """The cheapest exact way to post-select a problem on its charge.

    Args:
        problem: The problem.
        draws: Number of gradients that will be asked for.
        workers: Draws run at once; all processors by default.

    Raises:
        StateError: The input holds several charges and none was chosen.
        ReadoutError: The readout does not commute with the charge.
        MemoryLimitError: The noise changes the charge and all qubits do not fit.
        UnsupportedError: The noise is correlated in time and something else changes the charge.
    """
    if not problem.by_charge:
        raise UnsupportedError(
            f"verification keeps the shots of one charge sum_i (1 - Z_i)/2, but the problem's symmetry is "
            f"{problem.symmetry}. State it with symmetry='charge' if the circuit conserves the charge."
        )
    if problem.input_varies:
        raise UnsupportedError(
            "the input, and with it the share of shots that is kept, depends on a row of data: bind one row's inputs."
        )
    if problem.charge is None:
        present = np.flatnonzero(problem.initial.charges() > NOTHING_KEPT)
        raise StateError(
            f"the input holds the charges {present.tolist()}; say which one verification keeps with "
            "Problem(charge=q) (--charge q)."
        )
    if not problem.readout_conserves:
        raise ReadoutError(
            f"the readout {problem.readout_label!r} does not commute with the charge: the two are not measured "
            "together. Verify a readout such as Z5, Z1Z2 or X2X3+Y2Y3."
        )
    if keeps_charge(problem):
        return KeptSector(problem, draws=draws, workers=workers)
    return PostSelection(problem, workers=workers)


class KeptSector:
    """Post-selection where noise moves no charge: D is the input's weight in the sector, whatever theta and s.

    Args:
        problem: One that keeps its charge; see :func:`keeps_charge`.
        draws: Number of gradients that will be asked for.
        workers: Draws run at once.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, problem: Problem, *, draws: float = 1, workers: int | None = None) -> None:
        weight = float(problem.initial.charges()[problem.charge])
        self.alone = weight > 1 - NOTHING_KEPT
        self.kept = 1.0 if self.alone else weight
        self.problem = problem
        if not self.alone and not problem.projected:
            self.problem = problem.with_projection()
        self.engine: Engine = select_engine(self.problem, draws=draws, workers=workers)

    def noisy(self, theta: Real, scales: Sequence[float], rng: np.random.Generator) -> list[SelectedDraw]:
        """Squared gradient, kept fraction and variance of one kept shot at each scale."""
        d = self.kept
        return [
            SelectedDraw(n.gradient_square / d**2, d, n.square / d - n.value_square / d**2)
            for n in self.engine.noisy(theta, scales, rng)
        ]

    def first_order(self, theta: Real, rng: np.random.Generator) -> tuple[FirstOrderDraw, Real]:
        """What the draw adds to kappa, budget and second moment; and D(0), D'(0), shape (2,)."""
        first, factor = self.engine.first_order(theta, rng), 1 / self.kept**2
        scaled = FirstOrderDraw(
            gradient=first.gradient / self.kept,
            square=first.square * factor,
            slope=first.slope * factor,
            curvature=first.curvature * factor,
            per_parameter=first.per_parameter * factor,
            budget=first.budget * factor,
        )
        return scaled, np.array([self.kept, 0.0])

    def frozen(self, theta: Real, rng: np.random.Generator) -> float:
        """sum_k g_k^2 at s = infinity; NaN where the engine does not have it."""
        return self.engine.frozen(theta, rng) / self.kept**2


class PostSelection:
    """Post-selection on the charge of all n qubits, exactly, in the blocks that noise and readings reach.

    Args:
        problem: The problem, with a charge.
        workers: Draws run at once.

    Raises:
        MemoryLimitError: All n qubits do not fit (with the numbers, and what to do).
        UnsupportedError: The noise is correlated in time.
    """

    def __init__(self, problem: Problem, workers: int | None = None) -> None:
        self.problem = problem
        self.exact = _exact_engine(problem, workers)
        self.engine: Engine = self.exact
        self.reading = charge_reading(self.exact.program, problem)
        self.notes = self.reading.notes

    def value_and_gradient(self, theta: Real, scale: float) -> tuple[float, Real, float, float]:
        """C_ps, its gradient, the kept fraction D and the variance of one kept shot; NaN where nothing is kept.

        Args:
            theta: Shape (K,), radians.
            scale: Noise scale s in [0, infinity].
        """
        # d(N/D) = dN/D - (N/D^2) dD: one backward sweep of the operator A_N/D - (N/D^2) A_D gives the gradient of the
        # ratio.
        operators = [self.reading.value, self.reading.kept, self.reading.square]

        def cotangent(v: Real) -> Real:
            return np.array([1 / v[1], -v[0] / v[1] ** 2, 0.0]) if v[1] > NOTHING_KEPT else np.zeros(3)

        (n, d, square), gradient = self.exact.value_and_pullback(theta, scale, operators, cotangent)
        if d <= NOTHING_KEPT:
            return math.nan, np.full_like(gradient, math.nan), 0.0, math.nan
        return float(n / d), gradient, float(d), max(0.0, float(square / d - (n / d) ** 2))

    def kept_gradient(self, theta: Real, scale: float) -> Real:
        """dD/dtheta, shape (K,)."""
        return self.exact.value_and_pullback(theta, scale, [self.reading.kept], np.ones_like)[1]

    def noisy(self, theta: Real, scales: Sequence[float], rng: np.random.Generator) -> list[SelectedDraw]:
        """Squared gradient, kept fraction and variance of one kept shot at each scale."""
        found = [self.value_and_gradient(theta, s) for s in scales]
        return [SelectedDraw(gradient**2, kept, variance) for _, gradient, kept, variance in found]

    def first_order(self, theta: Real, rng: np.random.Generator) -> tuple[FirstOrderDraw, Real]:
        """What the draw adds to kappa, budget and second moment; and D(0), D'(0), shape (2,).

        Value and gradient of N/D as power series in s. The budget is the derivative along g of <<A_l| E_j |rho_l>> with
        A = (O - C_ps) P_q / D, which depends on theta itself: dA = -(|g|^2 P_q + (O - C_ps) P_q (g . dD) / D) / D.

        Raises:
            UnsupportedError: Without noise nothing is left in the sector.
        """
        reading = self.reading
        n, dn = self.exact.expansion(theta, reading.value)
        d, dd = self.exact.expansion(theta, reading.kept)
        if d[0] <= NOTHING_KEPT:
            raise UnsupportedError(
                f"even without noise nothing of this circuit is read with charge {self.problem.charge} "
                "(at one draw of the parameters): post-selection is undefined. Choose another charge."
            )
        # C_ps = N/D as a power series; dN = dC D + C dD gives the gradient's series as the quotient (dN - C dD)/D,
        # order by order. Then g' = g1, g'' = 2 g2.
        value = _quotient(n, d)
        slopes = [dn[k] - sum(value[j] * dd[k - j] for j in range(k + 1)) for k in range(3)]
        g0, g1, g2 = _quotient(np.stack(slopes), d)
        square = float(np.sum(g0 * g0))  # not BLAS, whose sums depend on where arrays lie in memory
        drift = float(np.sum(g0 * dd[0])) / d[0]
        pair = [reading.value, reading.kept]
        operator = weighted_sum(pair, np.array([1.0, -value[0]]) / d[0])
        change = weighted_sum(pair, np.array([-drift, value[0] * drift - square]) / d[0])
        first = FirstOrderDraw(
            gradient=g0,
            square=square,
            slope=float(np.sum(g0 * g1)),
            curvature=float(np.sum(g1 * g1 + 2 * g0 * g2)),
            per_parameter=np.stack([g0**2, g0 * g1]),
            budget=self.exact.budget(theta, g0, operator, change),
        )
        return first, d[:2]

    def frozen(self, theta: Real, rng: np.random.Generator) -> float:
        """sum_k g_k^2 at s = infinity; NaN where nothing is kept there."""
        return float(np.sum(self.value_and_gradient(theta, math.inf)[1] ** 2))


def _quotient(numerator: Real, denominator: Real) -> Real:
    """The power series of a ratio to second order: numerator of shape (3, ...), denominator of shape (3,)."""
    # Coefficients of q d = numerator, solved from the lowest up.
    q0 = numerator[0] / denominator[0]
    q1 = (numerator[1] - q0 * denominator[1]) / denominator[0]
    q2 = (numerator[2] - q1 * denominator[1] - q0 * denominator[2]) / denominator[0]
    return np.stack([q0, q1, q2])


def _exact_engine(problem: Problem, workers: int | None) -> ExactEngine:
    """The exact engine on all n qubits, whatever the readout."""
    whole = _kept_on_all_qubits(problem)
    program = compile_problem(whole)
    cost, room = ExactEngine.cost(program), memory_limit()
    if cost.bytes > room:
        why = "is read with errors on" if not _moves_charge(problem) else "is changed by this noise, and read on"
        raise MemoryLimitError(
            f"the charge {why} all {problem.num_qubits} qubits, so verification has no light cone: the exact engine "
            f"needs {about(program.numbers)} complex numbers ({about(16 * program.numbers, 10**9)} GB) a state, and "
            f"{room / 1e9:.3g} GB are free. Verify a copy of the circuit on fewer qubits, or an input of lower charge; "
            "without verification equinoise.diagnose needs the readout's light cone only. EQUINOISE_MEMORY_GB sets "
            "the limit."
        )
    return exact_engine(whole, workers=workers)


def _kept_on_all_qubits(problem: Problem) -> Problem:
    known = prepared(problem)
    with known.kept as values:
        if "on all qubits" not in values:
            values["on all qubits"] = _on_all_qubits(known.problem)
        whole: Problem = values["on all qubits"]
    return whole


def _on_all_qubits(problem: Problem) -> Problem:
    n = problem.num_qubits
    everything = SparsePauliOp.from_sparse_list([("Z", [q], 1.0) for q in range(n)], num_qubits=n)
    return problem.with_operator(everything).with_projection(False)


def _moves_charge(problem: Problem) -> bool:
    return noise_class(problem.slots) not in ("none", "strong") or bool(problem.breaking)
