"""Does the coherence law hold for every symmetry, and under which noise is each more fragile than none?

Six symmetries with the circuits of the literature (:mod:`equinoise.evidence.symmetric.symmetry_cases`), each with
two invariant readouts, under five noises of rate 0.05 a slot:

* *grid*: survival predicted by exp(-s kappa) and by the resummed law against the exact one, from the same draws, and
  the two-sided bounds;
* *fixed points*: what the noise leaves at s = infinity, and whether it keeps the symmetry's sectors;
* *rivals*: the same readout, input, noise and two-qubit gates, but every angle independent and RY and RZ on every qubit
  in each layer; and where gates share angles, a *control* with the same generators and independent angles. Judged by
  the survival at s = 4 (0.2 a slot), chosen after a trial of 8 draws under local dephasing;
* *Lie algebra*: noiseless variances of deep circuits beside arXiv:2309.09342 and arXiv:2309.07902.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from equinoise.coherence.fixed_point import fixed_point
from equinoise.engines.select import exact_engine, select_engine
from equinoise.ensemble import Ensemble
from equinoise.evidence.frame.cases import x_grid
from equinoise.evidence.frame.figure_panels import OKABE_ITO, Bars, Heat, Layout, Panel, diagonal, grouped, places
from equinoise.evidence.frame.gaps import allowed_sigmas, gaps
from equinoise.evidence.frame.measured_cases import Measured, in_parallel, measure
from equinoise.evidence.frame.rows import Row, Rows, Tables, along
from equinoise.evidence.frame.statistics import coefficient_of_determination, finite
from equinoise.evidence.frame.study import Context, Criterion, Study, at_least, at_most
from equinoise.evidence.symmetric.symmetry_cases import NOISES, SYMMETRIES, SymmetricCase, grid
from equinoise.evidence.symmetric.symmetry_lie import lie_deviations, lie_finding, lie_rows
from equinoise.evidence.symmetric.symmetry_rivals import (
    JUDGED,
    NOTHING,
    Pairs,
    control_finding,
    control_rows,
    edge,
    judged,
    pairs_of,
    rival_finding,
    rival_rows,
    survival_of,
)

__all__ = ["STUDY"]


def _tables(context: Context) -> dict[str, list[Row]]:
    """One row per case and scale ("data"); "symmetries" and "noises" (R^2 and bounds); the rest by name."""
    data = Rows(_law_rows(context))
    pairs = pairs_of(context)
    return {
        "data": list(data),
        "symmetries": [_agreement({"symmetry": s}, data) for s in SYMMETRIES],
        "noises": [_agreement({"symmetry": s, "noise": n}, data) for s in SYMMETRIES for n in NOISES],
        "fixed_points": _fixed_points(pairs, context),
        "rivals": rival_rows(pairs),
        "controls": control_rows(pairs, context),
        "lie": lie_rows(context),
    }


# -- does the law hold? ------------------------------------------------------------------------------------------------


def _law_rows(context: Context) -> list[Row]:
    chosen, x, samples = grid(context.quick), x_grid(context.quick), 12 if context.quick else 24

    def one(case: SymmetricCase) -> Measured:
        return measure(case.problem(), context.sampling(samples, "symmetries", case.label), x)

    found = in_parallel(one, chosen, context)
    # both bounds at every point of the study, together wrong with probability 1 %
    sigmas = allowed_sigmas(len(chosen) * len(x), samples)
    # readouts whose halves the circuit does not join yet have no gradient, and no ratio of rounding is a survival
    alive = [(case, seen) for case, seen in zip(chosen, found, strict=True) if seen.variance > NOTHING]
    return [row for case, seen in alive for row in _case_rows(case, seen, sigmas)]


def _case_rows(case: SymmetricCase, one: Measured, sigmas: float) -> list[Row]:
    between = gaps(one)
    beyond_below, beyond_above = between.beyond(sigmas)
    fixed: Row = {
        "symmetry": case.symmetry,
        "noise": case.noise,
        "depth": case.depth,
        "qubits": case.num_qubits,
        "readout": case.readout + 1,
        "samples": one.samples,
        "kappa": one.kappa,
        "w0": one.share,
        "c2": one.rate_variance,
        "untouched": one.untouched,
        "proved": one.certificate.proved,
    }
    predicted = {"leading_order": one.leading, "resummed": one.resummed}
    violated = {"outside": between.outside, "beyond_below": beyond_below, "beyond_above": beyond_above}
    sides = {"below": between.below, "above": between.above}
    return along(fixed, scale=one.scales, exact=one.exact, **predicted, **sides, **violated)


def _agreement(which: dict[str, str], data: Rows) -> Row:
    """R^2 of both predictions where something decays, and the points outside the bounds, of some rows."""
    rows = data.where(**which)
    decaying = rows.where(untouched=False)
    exact, leading, resummed = (decaying.column(name) for name in ("exact", "leading_order", "resummed"))
    return {
        **which,
        "points": len(rows),
        "decaying": len(decaying),
        "leading_order": finite(coefficient_of_determination(leading, exact)),
        "resummed": finite(coefficient_of_determination(resummed, exact)),
        "largest_miss": float(np.max(np.abs(resummed - exact), initial=0.0)),
        "proved": rows.total("proved"),
        "proved_beyond": len(rows.where(lambda r: r["beyond_below"] or r["beyond_above"], proved=True)),
        "outside": rows.total("outside"),
        "beyond_lower": rows.total("beyond_below"),
        "beyond_upper": rows.total("beyond_above"),
    }


def _fixed_points(pairs: Pairs, context: Context) -> list[Row]:
    out: list[Row] = []
    for case, (one, rival) in pairs.items():
        problem = case.problem()
        theta = Ensemble().draw(problem, 1, context.seed_for("symmetries", "fixed point", case.symmetry))[0]
        engine = exact_engine(problem) if problem.by_charge else select_engine(problem, workers=1)
        point = fixed_point(engine, theta)
        (root, error), (other, other_error) = survival_of(one)[-1], survival_of(rival)[-1]
        out.append(
            {
                "symmetry": case.symmetry,
                "readout": case.readout + 1,
                "noise": case.noise,
                "class": point.kind,
                "sectors": point.sectors,
                "purity": finite(point.purity),
                "w0": one.share,
                "w0_error": 2 * root * error,
                "rival_w0": rival.share,
                "rival_w0_error": 2 * other * other_error,
            }
        )
    return out


# -- verdict -----------------------------------------------------------------------------------------------------------


def _criteria(tables: Tables) -> list[Criterion]:
    permuted = tables["fixed_points"].where(symmetry="permutations")
    wrong = permuted.where(lambda r: (r["sectors"] == "respected") != (r["noise"] == "collective dephasing"))
    proved = tables["symmetries"].total("proved_beyond")
    rivals, deviations = judged(tables["rivals"]), lie_deviations(tables["lie"])
    wording = f"survival over that without symmetry at s = {JUDGED:g}"
    theory = "noiseless variances: sampled less Lie-algebraic at that depth, in standard errors"
    return [
        *(
            at_least(f"{name}: R^2 of the resummed law", rows.column("resummed")[0], 0.97)
            for name, rows in tables["symmetries"].by("symmetry").items()
        ),
        at_most("violations beyond sampling error where the bounds are proved", proved, 0),
        at_most(
            "permutations: noises that respect the blocks without being collective, or break them though they are",
            len(wrong),
            0,
        ),
        at_least(
            f"{wording}, where symmetry protects most (less 4 standard errors)",
            max(edge(r, -1) for r in rivals),
            1.05,
        ),
        at_most(f"{wording}, where it protects least (plus 4 standard errors)", min(edge(r, 1) for r in rivals), 0.95),
        *([at_most(theory, max(deviations), 4)] if deviations else []),
    ]


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _findings(tables: Tables) -> list[str]:
    symmetries = tables["symmetries"]
    scores = "; ".join(
        f"{r['symmetry']} {_number(r['resummed']):.4f} ({_number(r['leading_order']):.3f})" for r in symmetries
    )
    worst = tables["noises"].known("resummed").lowest("resummed")
    bounds = "; ".join(
        f"{r['symmetry']} proved at {r['proved']} of {r['points']} points ({r['proved_beyond']} violated beyond "
        f"the sampling error), all points {r['beyond_lower']} below and {r['beyond_upper']} above beyond it"
        for r in symmetries
    )
    return [
        f"R^2 of the resummed law (in brackets of exp(-s kappa)) over {symmetries.total('points')} points: {scores}. "
        f"Worst pair: {worst['symmetry']} under {worst['noise']}, {worst['resummed']:.4f}.",
        f"Bounds: {bounds}.",
        *(_fixed_point_finding(n, tables["fixed_points"].where(noise=n, readout=1)) for n in NOISES),
        *(rival_finding(s, judged(tables["rivals"]).where(symmetry=s)) for s in SYMMETRIES),
        *(control_finding(s, rows) for s, rows in tables["controls"].by("symmetry").items()),
        lie_finding(tables["lie"]),
    ]


def _share(number: float) -> str:
    return "0" if number < NOTHING else f"{number:.2g}"


def _fixed_point_finding(noise: str, points: Rows) -> str:
    parts = "; ".join(
        f"{r['symmetry']} {r['class']}, sectors {r['sectors'] or 'not used'}, w0 {_share(r['w0'])}" for r in points
    )
    return f"Fixed points, {noise}: {parts}."


# -- figure ------------------------------------------------------------------------------------------------------------


def _figure(tables: Tables) -> Layout:
    """Predicted against exact survival, R^2 by symmetry, and survival over the rival's and w0 by symmetry and noise."""
    symmetries, points = tables["symmetries"], tables["fixed_points"].where(readout=1)
    decaying = tables["data"].where(untouched=False)
    collapse = grouped({name: decaying.where(symmetry=name) for name in SYMMETRIES}, "resummed", "exact", alpha=0.6)
    bars = [
        Bars(np.clip(values, 0, 1), colour, label, shift, flat=False, texts=[f"{value:.3f}" for value in values])
        for column, label, shift, colour in (
            ("leading_order", "exp(−sκ)", -0.2, OKABE_ITO[5]),
            ("resummed", "resummed", 0.2, OKABE_ITO[0]),
        )
        for values in [symmetries.column(column)]
    ]
    names = places(SYMMETRIES)
    ratios, shares = _by_both(judged(tables["rivals"]).where(readout=1), "survival_ratio"), _by_both(points, "w0")
    classes = {(r["symmetry"], r["noise"]): r["class"] for r in points}
    noted = [
        [f"{_cell(shares[i, j])}\n{classes.get((s, n), '')}" for j, n in enumerate(NOISES)]
        for i, s in enumerate(SYMMETRIES)
    ]
    heats = (
        (
            Heat(np.log2(np.maximum(ratios, 1e-12)), [[_cell(v) for v in row] for row in ratios], "PuOr", (-2, 2), 1.3),
            f"survival over that without symmetry, s = {JUDGED:g}",
        ),
        (Heat(shares, noted, "Blues", (0, 1), 0.6), "share w₀ that the noise leaves at s = ∞"),
    )
    across = places(noise.replace(" ", "\n") for noise in NOISES)
    r2 = "R² of predicted against exact survival"
    return Layout(
        [
            Panel([*collapse, diagonal()], "R by the resummed law", "exact R"),
            Panel(bars, y=r2, ylim=(0, 1.18), legend="upper left", columns=2, xticks=names),
            *(Panel([heat], title=title, legend="", xticks=across, yticks=names) for heat, title in heats),
        ],
        (10.5, 8.2),
        columns=2,
    )


def _cell(value: float) -> str:
    return "-" if math.isnan(value) else _share(value)


def _by_both(rows: Rows, name: str) -> npt.NDArray[np.float64]:
    """A column by symmetry and noise, NaN where it is not known."""
    values = {(r["symmetry"], r["noise"]): r[name] for r in rows}
    return np.array([[values.get((s, n), math.nan) for n in NOISES] for s in SYMMETRIES])


STUDY = Study(_tables, _criteria, _findings, _figure)
