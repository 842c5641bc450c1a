"""The first-order law: kappa with its additive budget, the second moment, and the Rayleigh quotient of dephasing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.coherence.sample import PairedDraws, Sampled
from equinoise.engines.draws import FirstOrderDraw, parallel_draws, sampled_draws
from equinoise.engines.sector.exact import ExactEngine
from equinoise.engines.select import exact_engine, select_engine
from equinoise.errors import UnsupportedError
from equinoise.model.asked import of_problems_alone
from equinoise.problem import Problem
from equinoise.reduction.compiled import CompiledProblem
from equinoise.reduction.program import Program
from equinoise.reduction.shift_rules import gradient_rounding
from equinoise.sampling import Sampling

__all__ = [
    "LAW_GRADIENTS",
    "AlignedRates",
    "BudgetEntry",
    "FirstOrder",
    "aligned_rates",
    "budget_sums",
    "collect",
    "first_order",
    "relative_error",
]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
Index = npt.NDArray[np.int64]
Pair = dict[int | None, Real]

# what kappa, budget, second moment and w0 of one draw cost, in gradients of an exact engine
LAW_GRADIENTS = 10


@dataclass(frozen=True)
class BudgetEntry:
    """One additive part of kappa.

    Attributes:
        layer: Noise slot, counted from 0.
        qubits: Circuit qubits (inside the cone).
        mechanism: "dephasing", "relaxation", "depolarizing" or "pauli".
        kappa: Its part, dimensionless; negative where that noise strengthens the gradient.
        standard_error: Over the draws.
    """

    layer: int
    qubits: tuple[int, ...]
    mechanism: str
    kappa: float
    standard_error: float


@dataclass(frozen=True)
class FirstOrder:
    """Per draw, what kappa, its budget and the second moment are made of.

    Attributes:
        square: sum_k g_k^2 at s = 0, shape (S,).
        slope: sum_k g_k g'_k, shape (S,).
        curvature: sum_k (g'_k^2 + g_k g''_k), shape (S,); NaN where the engine does not have it.
        per_parameter: (mean g_k^2, mean g_k g'_k), shape (2, K); the latter NaN likewise.
        budget: sum_k g_k g'_k by noise term, shape (S, terms).
    """

    square: Real
    slope: Real
    curvature: Real
    per_parameter: Real
    budget: Real

    @property
    def kappa(self) -> float:
        """-(1/2) d ln V/ds at s = 0; 0 without a gradient."""
        return 0.0 if not self.square.any() else float(-self.slope.mean() / self.square.mean()) + 0.0

    @property
    def kappa_error(self) -> float:
        """Standard error of kappa over the draws."""
        return self.over_square(self.slope, factor=-1.0).error

    def over_square(self, parts: Real, *, factor: float = 1.0, confidence: float = 0.95) -> Sampled:
        """The ratio factor x mean(parts)/mean(square) over these draws; 0 without a gradient.

        Args:
            parts: By draw, shape (S,).
            factor: A known number.
            confidence: Of the interval.
        """
        if not self.square.any():
            return Sampled(0.0, 0.0, 0.0, 0.0)
        draws = PairedDraws({"parts": parts, "square": self.square})
        return draws.ratio("parts", "square", factor=factor, confidence=confidence)

    @property
    def relative_error(self) -> float:
        """Standard error of kappa over its size; infinity where kappa is 0."""
        kappa = abs(self.kappa)
        return self.kappa_error / kappa if kappa > 0 else float("inf")

    @property
    def second_moment(self) -> float:
        """m2 = V''(0) / (4 V(0)), V'' = 2 E sum (g'^2 + g g'')."""
        return float(self.curvature.mean() / (2 * self.square.mean()))

    def entries(self, program: CompiledProblem) -> tuple[BudgetEntry, ...]:
        """The budget, in slot order; equal places and mechanisms merged."""
        merged: dict[tuple[int, tuple[int, ...], str], Real] = {}
        for j, term in enumerate(program.budget_terms):
            key = (term.layer, term.qubits, term.mechanism)
            merged[key] = merged.get(key, 0.0) + self.budget[:, j]
        out = []
        for (layer, qubits, mechanism), parts in merged.items():
            # kappa = -E sum_k g_k g'_k / E sum_k g_k^2 and g' is linear in the noise terms: shares add up to kappa
            # exactly.
            share = self.over_square(parts, factor=-1.0)
            out.append(BudgetEntry(layer, qubits, mechanism, share.value, share.error))
        return tuple(out)


def budget_sums(budget: Iterable[BudgetEntry], by: str) -> dict[Any, float]:
    """Sums of kappa by "mechanism", "layer" or "qubit"; a term on several qubits is split evenly over them."""
    out: dict[Any, float] = {}
    for entry in budget:
        places: tuple[Any, ...] = {
            "mechanism": (entry.mechanism,),
            "layer": (entry.layer,),
            "qubit": entry.qubits,
        }[by]
        for place in places:
            out[place] = out.get(place, 0.0) + entry.kappa / len(places)
    return out


def collect(draws: Sequence[FirstOrderDraw], program: CompiledProblem) -> FirstOrder:
    """First-order quantities from the draws of an engine's ``first_order``; zeros where the gradient is rounding.

    Args:
        draws: Of the parameters.
        program: What they were computed from.
    """
    found = _collected(draws)
    if found.square.mean() > np.sum(gradient_rounding(program) ** 2):
        return found
    return FirstOrder(*(np.zeros_like(getattr(found, field.name)) for field in fields(found)))


def _collected(draws: Sequence[FirstOrderDraw]) -> FirstOrder:
    return FirstOrder(
        square=np.array([d.square for d in draws]),
        slope=np.array([d.slope for d in draws]),
        curvature=np.array([d.curvature for d in draws]),
        per_parameter=np.mean([d.per_parameter for d in draws], axis=0),
        budget=np.stack([d.budget for d in draws]),
    )


def relative_error(draws: Sequence[FirstOrderDraw]) -> float:
    """Standard error of kappa over its size."""
    square = np.array([d.square for d in draws])
    slope = np.array([d.slope for d in draws])
    return FirstOrder(square, slope, slope, np.zeros((2, 0)), np.zeros((square.size, 0))).relative_error


def first_order(problem: Problem, *, sampling: Sampling | None = None) -> FirstOrder:
    """kappa, its budget and the second moment over an ensemble; see :func:`equinoise.law`."""
    sampling = Sampling.of(sampling, samples=128)
    thetas = sampling.draw(problem)
    chosen = select_engine(problem, sampling.engine, workers=sampling.workers, draws=LAW_GRADIENTS * len(thetas))
    return collect(list(sampled_draws(chosen.first_order, thetas, sampling.seed, chosen.workers)), chosen.program)


@dataclass(frozen=True)
class AlignedRates:
    """The Rayleigh form of the law for dephasing.

    Attributes:
        alpha: Aligned coherence rate of each slot, shape (L,): the Rayleigh quotient of the slot's rates along the
            gradient-carrying mode, averaged over draws and parameters with the weights |a|^2.
        total: Their sum, which equals kappa in a random-phase ensemble.
        kappa: kappa of the same draws; NaN where no draw has a gradient.
        samples: Number of draws.
        seed: Of the draws.
        numerator: sum over parameters and dz of Gamma_dz |a_dz|^2 by draw and slot, shape (S, L).
        denominator: sum over parameters and dz of |a_dz|^2 by draw and slot, shape (S, L).
        slope: sum_k g_k g'_k by draw, shape (S,).
        square: sum_k g_k^2 by draw, shape (S,).
    """

    alpha: Real
    total: float
    kappa: float
    samples: int
    seed: int
    numerator: Real
    denominator: Real
    slope: Real
    square: Real


@of_problems_alone(
    "the rates are those of one readout's gradient, and a loss mixes readouts and rows; ask each readout's Problem, or "
    "eq.law(model) for kappa and its budgets."
)
def aligned_rates(
    problem: Problem,
    *,
    sampling: Sampling | None = None,
    progress: Callable[[int], None] | None = None,
) -> AlignedRates:
    """alpha_l = sum_dz Gamma_dz |a_dz|^2 / sum_dz |a_dz|^2, from the amplitudes of the charge-difference modes.

    At slot l the readout O_l sees of the modes |x><y| with z_x - z_y = dz the amplitude a_dz = <<O_l| Pi_dz |X_l>>, X_l
    the operator that carries the derivative: -i[G_k, rho_k] moved to slot l, or the dual i[G_k, O_k] moved back to
    meet rho_l for slots before the gate. Then g_k = sum_dz a_dz at every slot.

    Args:
        problem: With diagonal dephasing only.
        sampling: Draws (32 by default; each costs one sweep per parameter) and ensemble; the engine is "exact".
        progress: Called with 1 after each draw.

    Raises:
        UnsupportedError: Another engine is asked for, the noise is not diagonal dephasing, or the circuit breaks the
            symmetry.
        MemoryLimitError: The exact engine, which this needs, does not fit.

    Source:
        arXiv:2606.30688, the readout-visible aligned coherence rate.
    """
    sampling = Sampling.of(sampling, samples=32)
    sampling.check_engine("aligned_rates", "exact")
    chosen = exact_engine(problem, workers=sampling.workers)
    program = chosen.program
    if not program.dephases_only or (program.full and problem.by_charge):
        raise UnsupportedError(
            f"the Rayleigh form holds for diagonal dephasing of a conserving circuit; this noise is "
            f"{program.noise_class if problem.by_charge else 'not diagonal'}. Use equinoise.law, whose kappa holds for "
            "any noise."
        )
    thetas = sampling.draw(problem)
    modes = [_modes(program, number) for number in range(len(program.layers))]

    def one(theta: Real) -> tuple[Real, Real]:
        return _rayleigh_draw(chosen, modes, theta), chosen.series(theta)

    draws = []
    for draw in parallel_draws(one, thetas, chosen.workers):
        draws.append(draw)
        if progress is not None:
            progress(1)
    parts = np.stack([rayleigh for rayleigh, _ in draws])
    slope = np.array([float((g[0] * g[1]).sum()) for _, g in draws])
    square = np.array([float((g[0] ** 2).sum()) for _, g in draws])
    numerator, denominator = parts.sum(axis=0)
    alpha = numerator / np.where(denominator > 0, denominator, 1.0)
    return AlignedRates(
        alpha=alpha,
        total=float(alpha.sum()),
        kappa=float(-slope.sum() / square.sum()) if square.any() else math.nan,
        samples=len(thetas),
        seed=sampling.seed,
        numerator=parts[:, 0],
        denominator=parts[:, 1],
        slope=slope,
        square=square,
    )


def _modes(program: Program, number: int) -> tuple[dict[int | None, Index], Real]:
    """Per block, the mode number of each element |x><y| by its charge differences; and the rate of each mode."""
    # x_i - y_i is -1, 0 or 1 on each qubit, so sum_i (x_i - y_i) 3^i is a number in balanced ternary: it names dz
    # uniquely, and the difference of two codes gives it for all pairs at once.
    keys: dict[int | None, Index] = {}
    for q in program.charges:
        filled = program.sectors[q].occupations.astype(np.int64)
        code = filled @ 3 ** np.arange(program.width, dtype=np.int64)
        keys[q] = code[:, None] - code[None, :]
    unique = np.unique(np.concatenate([np.unique(k) for k in keys.values()]))
    rates = np.zeros(unique.size)
    index = {q: np.searchsorted(unique, key) for q, key in keys.items()}
    for q, where in index.items():
        rates[where] = program.coherence_rates(program.slots[number], q)
    return index, rates


def _rayleigh_draw(engine: ExactEngine, modes: list[tuple[dict[int | None, Index], Real]], theta: Real) -> Real:
    """Per slot, sum over parameters of sum_dz Gamma |a|^2 and of sum_dz |a|^2: shape (2, L)."""
    # g_k = sum_dz a_dz at every slot: a_dz is the part of <<O_l|X_l>> on elements with that dz, and the numerator
    # weights |a_dz|^2 with the rate at which the slot's noise damps it.
    out = np.zeros((2, len(modes)))
    for k in engine.program.parameters:
        direction = np.zeros(theta.size)
        direction[k] = 1.0
        for slot, operator, state in engine.tangents(theta, direction):
            numbers, rates = modes[slot]
            weight = np.abs(_amplitudes(numbers, rates.size, operator, state)) ** 2
            out[:, slot] += rates @ weight, weight.sum()
    return out


def _amplitudes(modes: dict[int | None, Index], count: int, operator: Pair, state: Pair) -> Complex:
    """What a slot's readout sees of each mode, shape (count,).

    a_dz is the sum over the mode's |x><y| of dA*_xy rho_xy + A*_xy drho_xy. At slots before a parameter's gate only A
    depends on it, after the gate only rho does: one of the two terms is 0, and the other is <<A| Pi_dz |X>> with
    X = -i [G, rho] moved to the slot, or its dual.
    """
    total = np.zeros(count, dtype=np.complex128)
    for q, pair in state.items():
        (a, da), (rho, drho) = (x[:, 0] + 1j * x[:, 1] for x in (operator[q], pair))
        amplitude = (da.conj() * rho + a.conj() * drho).ravel()
        for part, unit in ((amplitude.real, 1.0), (amplitude.imag, 1j)):
            total += unit * np.bincount(modes[q].ravel(), weights=part, minlength=count)
    return total
