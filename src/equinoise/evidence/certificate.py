"""Do the two-sided bounds hold, and where do they stop holding?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from equinoise.engines.select import exact_engine
from equinoise.evidence.frame.cases import Case, cases, draws_per_case, x_grid
from equinoise.evidence.frame.channels import DEPHASING
from equinoise.evidence.frame.figure_panels import OKABE_ITO, Bars, Layout, Panel, Points, diagonal, places
from equinoise.evidence.frame.gaps import TOLERANCE, allowed_sigmas, gaps
from equinoise.evidence.frame.measured_cases import Survival, evaluate, evaluate_all, in_parallel
from equinoise.evidence.frame.rows import Row, Rows, Tables, along
from equinoise.evidence.frame.study import Context, Criterion, Study, at_most
from equinoise.problem import Problem
from equinoise.sampling import Sampling

__all__ = ["PROVED", "STUDY", "tables_of", "trained_thetas"]

Real = npt.NDArray[np.float64]

_DESCRIBING = ("case", "family", "depth", "readout", "samples")
_RESAMPLED = 12
_MORE = 16

PROVED = "random phases"
_VARIANTS = ("normal:0.1", "shared", "trained")
_OTHER_NOISE = ("damping", "thermal", "depolarizing")


def _tables(context: Context) -> dict[str, list[Row]]:
    """Both bounds over all dephasing runs of the grid, then where their condition is not met."""
    grid = cases(context.quick)
    diagonal_noise = [case for case in grid if case.family in DEPHASING]
    found = {PROVED: evaluate_all(diagonal_noise, context)}
    for variant in _VARIANTS:
        found[variant] = in_parallel(partial(_variant, variant, context=context), diagonal_noise[::7], context)
    for family in _OTHER_NOISE:
        found[family] = evaluate_all([case for case in grid if case.family == family], context)
    tables = tables_of(found)
    broken = _most_broken(Rows(tables["data"]), 2 if context.quick else _RESAMPLED)
    if broken:
        known = {case.label: case for case in diagonal_noise}
        again = in_parallel(lambda label: _again(known[label], context), broken, context)
        tables["more_draws"] = [row for pair in again for row in pair]
    return tables


def _variant(variant: str, case: Case, context: Context) -> Survival:
    sampling, x = context.sampling(draws_per_case(context.quick), variant, case.label), x_grid(context.quick)
    if variant == "shared":
        return evaluate(replace(case, shared=True), sampling, x)
    if variant == "trained":
        problem = case.problem()
        trained = trained_thetas(problem, sampling, 5 if context.quick else 15)
        return evaluate(case, replace(sampling, ensemble=trained), x, problem=problem)
    return evaluate(case, replace(sampling, ensemble=variant), x)


def trained_thetas(problem: Problem, sampling: Sampling, steps: int, rate: float = 0.3) -> Real:
    """Parameters after a few steps of noiseless gradient descent on C from uniform starts, shape (samples, K)."""
    engine = exact_engine(problem, workers=1)
    thetas = np.array(sampling.draw(problem))
    for _ in range(steps):
        thetas -= rate * np.stack([engine.draw(theta, 0.0).gradient for theta in thetas])
    return thetas


def tables_of(found: Mapping[str, Sequence[Survival]]) -> dict[str, list[Row]]:
    """Evaluated cases by group ("data"), and what each group comes to ("groups")."""
    rows: list[Row] = []
    for group, ones in found.items():
        points = sum(one.scales.size for one in ones)
        for one in ones:
            rows += _rows(group, one, allowed_sigmas(points, one.samples))
    return {"data": rows, "groups": [_group(name, part) for name, part in Rows(rows).by("group").items()]}


def _rows(group: str, one: Survival, sigmas: float) -> list[Row]:
    found = gaps(one)
    described = {name: value for name, value in one.columns().items() if name in _DESCRIBING}
    fixed: Row = {"group": group, **described, "proved": one.certificate.proved}
    fixed |= {"kappa": one.kappa, "w0": one.share, "greatest_rate": one.certificate.greatest_rate}
    lower, upper = found.beyond(sigmas)
    return along(
        fixed,
        scale=one.scales,
        x=one.x,
        exact=found.ratio,
        **{name: getattr(found, name) for name in ("lower", "upper", "below", "above", "below_error", "above_error")},
        strict=found.outside,
        beyond_sampling=lower | upper,
    )


def _bound(rows: Rows, name: str) -> Real:
    """A bound on R from that on V(s)/V(0)."""
    return np.sqrt(np.clip(rows.column(name), 0, 1))


def _group(group: str, rows: Rows) -> Row:
    lower, upper, survival = _bound(rows, "lower"), _bound(rows, "upper"), np.sqrt(rows.column("exact"))
    return {
        "group": group,
        "points": len(rows),
        "cases": len(rows.distinct("case")),
        "proved": all(r["proved"] for r in rows),
        "strict": rows.total("strict"),
        "strict_lower": int((rows.column("below") < -TOLERANCE).sum()),
        "strict_upper": int((rows.column("above") < -TOLERANCE).sum()),
        "beyond_sampling": rows.total("beyond_sampling"),
        "worst": min(rows.least("below"), rows.least("above")),
        "mean_width": float((upper - lower).mean()),
        "mean_gap_lower": float((survival - lower).mean()),
        "mean_gap_upper": float((upper - survival).mean()),
    }


def _most_broken(data: Rows, count: int) -> list[str]:
    """The cases of the proved group with the deepest strict violations."""
    broken = data.where(group=PROVED, strict=True).by("case")
    depths = {label: min(rows.least("below"), rows.least("above")) for label, rows in broken.items()}
    return sorted(depths, key=lambda label: depths[label])[:count]


def _again(case: Case, context: Context) -> list[Row]:
    """The deepest violation of a case with the grid's draws and with more; the same scales."""
    few, x = draws_per_case(context.quick), x_grid(context.quick)
    first = evaluate(case, context.sampling(few, "grid", case.label), x)
    many = evaluate(case, context.sampling(_MORE * few, "more", case.label), x, scales=first.scales)
    out: list[Row] = []
    for one in (first, many):
        found = gaps(one)
        worst = float(min(found.below.min(), found.above.min()))
        out.append({"case": case.label, "samples": one.samples, "worst": worst, "strict": bool(worst < -TOLERANCE)})
    return out


def _criteria(tables: Tables) -> list[Criterion]:
    proved = tables["data"].where(group=PROVED)
    return [
        at_most(
            "violations beyond sampling error among random-phase dephasing runs", proved.total("beyond_sampling"), 0
        ),
        at_most(
            "random-phase dephasing points where the condition was not recognised", len(proved.where(proved=False)), 0
        ),
    ]


def _findings(tables: Tables) -> list[str]:
    groups = {str(r["group"]): r for r in tables["groups"]}
    proved = groups[PROVED]
    out = [
        f"Where the proof applies (diagonal dephasing, random phases): {proved['points']} points of {proved['cases']} "
        f"cases, {proved['beyond_sampling']} violations beyond the sampling error; the bounds on R are "
        f"{proved['mean_width']:.3f} apart on average, the exact survival {proved['mean_gap_lower']:.3f} above the "
        f"lower and {proved['mean_gap_upper']:.3f} below the upper one."
    ]
    text = (
        f"Counted strictly (tolerance {TOLERANCE:g} on V(s)/V(0)) {proved['strict']} of these points lie outside "
        f"({proved['strict_lower']} below the lower bound, {proved['strict_upper']} above the chord), by at most "
        f"{max(0.0, -proved['worst']):.3g}: the statement is about the ensemble's mean, and in a finite "
        "sample unequal histories have not yet averaged out."
    )
    if again := tables.get("more_draws"):
        before, after = Rows(again[::2]), Rows(again[1::2])
        text += (
            f" Repeated with {_MORE} times the draws, the {len(after)} worst cases fall from at most "
            f"{-before.least('worst'):.3g} to at most {max(0.0, -after.least('worst')):.3g} outside, "
            f"{len(after.where(strict=False))} of them to nothing."
        )
    out.append(text)
    for kind, names in (("Ensembles that do not meet the condition", _VARIANTS), ("Other noise", _OTHER_NOISE)):
        parts = [
            f"{name} {r['strict']} of {r['points']} points outside, {r['beyond_sampling']} beyond the sampling error "
            f"(worst {max(0.0, -r['worst']):.2g}; lower {r['strict_lower']}, upper {r['strict_upper']})"
            for name in names
            if (r := groups.get(name)) is not None
        ]
        if parts:
            out.append(f"{kind}, where nothing is proved: " + "; ".join(parts) + ".")
    return out


def _figure(tables: Tables) -> Layout:
    """The exact survival between its bounds, and the share of points outside by group."""
    rows, groups = tables["data"].where(group=PROVED), tables["groups"]
    exact = np.sqrt(rows.column("exact"))
    bounds = [
        Points(exact, _bound(rows, name), label=f"{name} bound", colour=colour, marker=marker, size=3)
        for name, colour, marker in (("lower", OKABE_ITO[0], "o"), ("upper", OKABE_ITO[1], "^"))
    ]
    shares = [
        Bars(100 * groups.column(name) / groups.column("points"), colour, label, shift)
        for name, colour, label, shift in (
            ("strict", OKABE_ITO[5], "outside, counted strictly", -0.2),
            ("beyond_sampling", OKABE_ITO[1], "beyond the sampling error", 0.2),
        )
    ]
    names = places(groups.distinct("group"))
    return Layout(
        [
            Panel([*bounds, diagonal()], "exact survival R", "bound on R", "dephasing, random phases"),
            Panel(shares, "share of points, %", yticks=names, ylim=(len(groups) - 0.5, -0.5)),
        ],
        (3.5, 5.4),
        heights=(1.25, 1),
    )


STUDY = Study(_tables, _criteria, _findings, _figure)
