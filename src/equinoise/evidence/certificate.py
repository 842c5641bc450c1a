"""Study certificate: do the two-sided bounds hold, and where do they stop holding?

In a random-phase ensemble the bounds hold for the ensemble's mean. A finite sample obeys them up to its sampling error:
kappa, w0 and V(s) come from the same draws, but the interference of unequal histories averages out only in the mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from equinoise.engines.select import exact_engine
from equinoise.ensemble import Ensemble
from equinoise.evidence.frame.grid import (
    DEPHASING,
    Case,
    Measured,
    Survival,
    cases,
    draws_per_case,
    evaluate,
    evaluate_all,
    in_parallel,
    x_grid,
)
from equinoise.evidence.frame.study import OKABE_ITO, Context, Criterion, StudyResult
from equinoise.problem import Problem
from equinoise.table import Table, Value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Gaps", "analyse", "draw", "gaps", "run", "trained_thetas"]

Real = npt.NDArray[np.float64]

_TOLERANCE = 1e-9
_FAMILY_WISE = 0.01
_RESAMPLED = 12
_MORE = 16

PROVED = "random phases"
_VARIANTS = ("normal:0.1", "shared", "trained")
_OTHER_NOISE = ("damping", "thermal", "depolarizing")


def run(context: Context) -> StudyResult:
    """Both bounds over all dephasing runs of the grid, then where their condition is not met."""
    grid = cases(context.quick)
    diagonal = [case for case in grid if case.family in DEPHASING]
    found = {PROVED: evaluate_all(diagonal, context)}
    few = diagonal[::7]
    for variant in _VARIANTS:
        found[variant] = in_parallel(partial(_variant, variant, context=context), few, context)
    for family in _OTHER_NOISE:
        found[family] = evaluate_all([case for case in grid if case.family == family], context)
    result = analyse(found)
    broken = _most_broken(result.tables["data"], 2 if context.quick else _RESAMPLED)
    if not broken:
        return result
    known = {case.label: case for case in diagonal}
    again = in_parallel(lambda label: _again(known[label], context), broken, context)
    return analyse(found, Table.from_rows([row for pair in again for row in pair]))


def _variant(variant: str, case: Case, context: Context) -> Survival:
    samples, seed, x = draws_per_case(context.quick), context.seed_for(variant, case.label), x_grid(context.quick)
    if variant == "shared":
        return evaluate(replace(case, shared=True), samples, seed, x)
    if variant == "trained":
        problem = case.problem()
        given = Ensemble.of(trained_thetas(problem, samples, seed, 5 if context.quick else 15))
        return evaluate(case, samples, seed, x, ensemble=given, problem=problem)
    return evaluate(case, samples, seed, x, ensemble=Ensemble.of(variant))


def trained_thetas(problem: Problem, samples: int, seed: int, steps: int, rate: float = 0.3) -> Real:
    """Parameters after a few steps of noiseless gradient descent on C from uniform starts, shape (samples, K)."""
    engine = exact_engine(problem, workers=1)
    thetas = np.array(Ensemble().draw(problem, samples, seed))
    for _ in range(steps):
        thetas -= rate * np.stack([engine.draw(theta, 0.0).gradient for theta in thetas])
    return thetas


# -- the bounds on a sample --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gaps:
    """How far V(s)/V(0) lies inside its bounds on one sample; negative where a bound is violated.

    Attributes:
        ratio: V(s)/V(0), shape (m,).
        lower: max(exp(-2 s kappa), w0), shape (m,).
        upper: 1 - (kappa/Gmax)(1 - exp(-2 s Gmax)), shape (m,).
        below: ratio - lower, shape (m,).
        above: upper - ratio, shape (m,).
        below_error: Standard error of ``below`` from the paired draws, to first order, shape (m,).
        above_error: Of ``above``, shape (m,).
    """

    ratio: Real
    lower: Real
    upper: Real
    below: Real
    above: Real
    below_error: Real
    above_error: Real


def gaps(one: Measured) -> Gaps:
    """The gaps of a case or problem to both bounds, with the error that kappa, w0 and V(s) make together."""
    s, greatest = one.scales, one.certificate.greatest_rate
    ratio = one.noisy.mean(axis=0) / one.variance
    leading = np.exp(-2 * s * one.kappa)
    lower = np.maximum(leading, one.share)
    fall = -np.expm1(-2 * s * greatest) / greatest if greatest > 0 else np.zeros_like(s)
    upper = 1 - one.kappa * fall
    # per draw, the first-order change of each estimate with the draw's weight
    d_ratio = (one.noisy - ratio * one.squares[:, None]) / one.variance
    d_kappa = (-one.slopes - one.kappa * one.squares)[:, None] / one.variance
    d_share = (one.frozen - one.share * one.squares)[:, None] / one.variance
    d_lower = np.where(leading >= one.share, -2 * s * leading * d_kappa, d_share)
    root = math.sqrt(one.samples)
    return Gaps(
        ratio=ratio,
        lower=lower,
        upper=upper,
        below=ratio - lower,
        above=upper - ratio,
        below_error=(d_ratio - d_lower).std(axis=0, ddof=1) / root,
        above_error=(d_kappa * fall + d_ratio).std(axis=0, ddof=1) / root,
    )


def analyse(found: Mapping[str, Sequence[Survival]], again: Table | None = None) -> StudyResult:
    """The study's result from evaluated cases by group, and the table of cases repeated with more draws."""
    rows: list[dict[str, Value]] = []
    for group, ones in found.items():
        points = sum(one.scales.size for one in ones)
        for one in ones:
            # both bounds at every point of the group, together wrong with probability 1 %
            sigmas = float(student.ppf(1 - _FAMILY_WISE / (2 * max(1, points)), one.samples - 1))
            rows += _rows(group, one, sigmas)
    data = Table.from_rows(rows)
    groups = Table.from_rows([_summary(group, [r for r in rows if r["group"] == group]) for group in found])
    tables = {"data": data, "groups": groups}
    if again is not None:
        tables["more_draws"] = again
    proved = next(r for r in groups.rows() if r["group"] == PROVED)
    unproved = sum(not r["proved"] for r in rows if r["group"] == PROVED)
    criteria = (
        Criterion(
            "violations beyond sampling error among random-phase dephasing runs",
            float(proved["beyond_sampling"] or 0),
            0.0,
            False,
        ),
        Criterion("random-phase dephasing points where the condition was not recognised", float(unproved), 0.0, False),
    )
    return StudyResult(tables, criteria, tuple(_findings(groups, again)), draw)


def _rows(group: str, one: Survival, sigmas: float) -> list[dict[str, Value]]:
    found = gaps(one)
    out: list[dict[str, Value]] = []
    for i, s in enumerate(one.scales):
        below, above = float(found.below[i]), float(found.above[i])
        allowed_below = _TOLERANCE + sigmas * float(found.below_error[i])
        allowed_above = _TOLERANCE + sigmas * float(found.above_error[i])
        out.append(
            {
                "group": group,
                "case": one.case.label,
                "family": one.case.family,
                "depth": one.case.depth,
                "readout": one.case.readout,
                "samples": one.samples,
                "proved": one.certificate.proved,
                "scale": float(s),
                "x": float(s * one.kappa),
                "kappa": one.kappa,
                "w0": one.share,
                "greatest_rate": one.certificate.greatest_rate,
                "exact": float(found.ratio[i]),
                "lower": float(found.lower[i]),
                "upper": float(found.upper[i]),
                "below": below,
                "above": above,
                "below_error": float(found.below_error[i]),
                "above_error": float(found.above_error[i]),
                "strict": bool(below < -_TOLERANCE or above < -_TOLERANCE),
                "beyond_sampling": bool(below < -allowed_below or above < -allowed_above),
            }
        )
    return out


def _column(rows: Sequence[Mapping[str, Value]], name: str) -> Real:
    return np.array([float(r[name] or 0.0) for r in rows])


def _summary(group: str, rows: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
    lower, upper = (np.sqrt(np.clip(_column(rows, name), 0, 1)) for name in ("lower", "upper"))
    survival = np.sqrt(_column(rows, "exact"))
    worst = np.minimum(_column(rows, "below"), _column(rows, "above"))
    return {
        "group": group,
        "points": len(rows),
        "cases": len({r["case"] for r in rows}),
        "proved": all(bool(r["proved"]) for r in rows),
        "strict": sum(bool(r["strict"]) for r in rows),
        "strict_lower": int((_column(rows, "below") < -_TOLERANCE).sum()),
        "strict_upper": int((_column(rows, "above") < -_TOLERANCE).sum()),
        "beyond_sampling": sum(bool(r["beyond_sampling"]) for r in rows),
        "worst": float(worst.min()),
        "mean_width": float((upper - lower).mean()),
        "mean_gap_lower": float((survival - lower).mean()),
        "mean_gap_upper": float((upper - survival).mean()),
    }


def _most_broken(data: Table, count: int) -> list[str]:
    """The cases of the proved group with the deepest strict violations."""
    deepest: dict[str, float] = {}
    for row in data.rows():
        if row["group"] == PROVED and row["strict"]:
            depth = min(float(row["below"] or 0.0), float(row["above"] or 0.0))
            deepest[str(row["case"])] = min(depth, deepest.get(str(row["case"]), 0.0))
    return sorted(deepest, key=lambda label: deepest[label])[:count]


def _again(case: Case, context: Context) -> list[dict[str, Value]]:
    """The deepest violation of a case with the grid's draws and with more; the same scales."""
    few, x = draws_per_case(context.quick), x_grid(context.quick)
    first = evaluate(case, few, context.seed_for("grid", case.label), x)
    many = evaluate(case, _MORE * few, context.seed_for("more", case.label), x, scales=first.scales)
    out: list[dict[str, Value]] = []
    for one in (first, many):
        found = gaps(one)
        worst = float(min(found.below.min(), found.above.min()))
        out.append({"case": case.label, "samples": one.samples, "worst": worst, "strict": bool(worst < -_TOLERANCE)})
    return out


def _findings(groups: Table, again: Table | None) -> list[str]:
    by_group = {str(r["group"]): r for r in groups.rows()}
    proved = by_group[PROVED]
    out = [
        f"Where the proof applies (diagonal dephasing, random phases): {proved['points']} points of {proved['cases']} "
        f"cases, {proved['beyond_sampling']} violations beyond the sampling error; the bounds on R are "
        f"{proved['mean_width']:.3f} apart on average, the exact survival {proved['mean_gap_lower']:.3f} above the "
        f"lower and {proved['mean_gap_upper']:.3f} below the upper one."
    ]
    text = (
        f"Counted strictly (tolerance {_TOLERANCE:g} on V(s)/V(0)) {proved['strict']} of these points lie outside "
        f"({proved['strict_lower']} below the lower bound, {proved['strict_upper']} above the chord), by at most "
        f"{max(0.0, -float(proved['worst'] or 0.0)):.3g}: the statement is about the ensemble's mean, and in a finite "
        "sample unequal histories have not yet averaged out."
    )
    if again is not None:
        rows = again.rows()
        before, after = rows[::2], rows[1::2]
        text += (
            f" Repeated with {_MORE} times the draws, the {len(after)} worst cases fall from at most "
            f"{-min(float(r['worst'] or 0.0) for r in before):.3g} to at most "
            f"{max(0.0, -min(float(r['worst'] or 0.0) for r in after)):.3g} outside, "
            f"{sum(not r['strict'] for r in after)} of them to nothing."
        )
    out.append(text)
    for kind, names in (
        ("Ensembles that do not meet the condition", _VARIANTS),
        ("Other noise", [name for name in by_group if name.startswith(_OTHER_NOISE)]),
    ):
        parts = [
            f"{name} {r['strict']} of {r['points']} points outside, {r['beyond_sampling']} beyond the sampling error "
            f"(worst {max(0.0, -float(r['worst'] or 0.0)):.2g}; lower {r['strict_lower']}, upper {r['strict_upper']})"
            for name in names
            if (r := by_group.get(name)) is not None
        ]
        if parts:
            out.append(f"{kind}, where nothing is proved: " + "; ".join(parts) + ".")
    return out


def draw(tables: Mapping[str, Table]) -> Figure:
    """The exact survival between its bounds, and the share of points outside by group."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.5, 5.4), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(1.25, 1))
    rows = [r for r in tables["data"].rows() if r["group"] == PROVED]
    exact = np.sqrt(_column(rows, "exact"))
    for name, colour, marker in (("lower", OKABE_ITO[0], "o"), ("upper", OKABE_ITO[1], "^")):
        bound = np.sqrt(np.clip(_column(rows, name), 0, 1))
        above.scatter(exact, bound, s=7, color=colour, marker=marker, alpha=0.65, linewidths=0, label=f"{name} bound")
    above.plot([0, 1], [0, 1], color="black", linewidth=0.9)
    above.set(xlabel="exact survival R", ylabel="bound on R")
    above.set_title("dephasing, random phases", fontsize=9)
    above.legend(fontsize=7, loc="lower right", markerscale=1.8)
    groups = tables["groups"].rows()
    places = np.arange(len(groups))[::-1]
    share = [100 * float(r["strict"] or 0) / max(1, int(r["points"] or 0)) for r in groups]
    beyond = [100 * float(r["beyond_sampling"] or 0) / max(1, int(r["points"] or 0)) for r in groups]
    below.barh(places + 0.2, share, height=0.38, color=OKABE_ITO[5], label="outside, counted strictly")
    below.barh(places - 0.2, beyond, height=0.38, color=OKABE_ITO[1], label="beyond the sampling error")
    below.set_yticks(places, [str(r["group"]) for r in groups])
    below.set_xlim(0, 1.45 * max(*share, 1.0))
    below.set_xlabel("share of points, %")
    below.legend(fontsize=7, frameon=False, loc="best")
    for axes in (above, below):
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    return figure
