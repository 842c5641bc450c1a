"""Does the coherence law hold for every symmetry, and under which noise is each more fragile than none?

Six symmetries with the circuits of the literature (:mod:`equinoise.evidence.symmetric.symmetry_cases`), each with two
invariant
readouts, under five noises of rate 0.05 a slot:

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
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from equinoise.circuit.builders import brickwork
from equinoise.circuit.equivariant_builders import parity_conserving
from equinoise.coherence.fixed_point import fixed_point
from equinoise.coherence.lie.lie_variance import lie_algebraic_check
from equinoise.coherence.resummed import leading_order_survival, resummed_survival
from equinoise.engines.select import exact_engine, select_engine
from equinoise.ensemble import Ensemble
from equinoise.evidence.certificate import gaps
from equinoise.evidence.frame.grid import Measured, coefficient_of_determination, in_parallel, measure, x_grid
from equinoise.evidence.frame.study import OKABE_ITO, Context, Criterion, StudyResult
from equinoise.evidence.symmetric.symmetry_cases import NOISES, SYMMETRIES, SymmetricCase, grid
from equinoise.evidence.symmetric.symmetry_rivals import (
    JUDGED,
    NOTHING,
    Pairs,
    control_rows,
    pairs_of,
    rival_rows,
    survival_of,
)
from equinoise.notebook import MissingPackageError
from equinoise.problem import Problem
from equinoise.table import Table, Value, as_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw", "run"]

Real = npt.NDArray[np.float64]
Rows = list[dict[str, Value]]

DEEP = 24
_TOLERANCE = 1e-9
_FAMILY_WISE = 0.01


def run(context: Context) -> StudyResult:
    """Law, bounds, fixed points and rivals of every symmetry, and the Lie-algebraic variances.

    Args:
        context: Size, seed, workers, progress.

    Returns:
        Tables "data" (one row per case and scale), "symmetries" and "noises" (R^2 and bounds), "fixed_points",
        "rivals", "controls" and "lie".
    """
    data = _law_rows(context)
    pairs = pairs_of(context)
    tables = {
        "data": Table.from_rows(data),
        "symmetries": Table.from_rows([_agreement({"symmetry": s}, data) for s in SYMMETRIES]),
        "noises": Table.from_rows([_agreement({"symmetry": s, "noise": n}, data) for s in SYMMETRIES for n in NOISES]),
        "fixed_points": Table.from_rows(_fixed_points(pairs, context)),
        "rivals": Table.from_rows(rival_rows(pairs)),
        "controls": Table.from_rows(control_rows(pairs, context)),
        "lie": Table.from_rows(_lie_rows(context)),
    }
    return StudyResult(tables, _criteria(tables), _findings(tables), draw)


# -- does the law hold? ------------------------------------------------------------------------------------------------


def _law_rows(context: Context) -> Rows:
    chosen, x, samples = grid(context.quick), x_grid(context.quick), 12 if context.quick else 24

    def one(case: SymmetricCase) -> Measured:
        return measure(case.problem(), samples, context.seed_for("symmetries", case.label), x)

    found = in_parallel(one, chosen, context)
    # both bounds at every point of the study, together wrong with probability 1 %
    sigmas = float(student.ppf(1 - _FAMILY_WISE / (2 * len(chosen) * len(x)), samples - 1))
    # readouts whose halves the circuit does not join yet have no gradient, and no ratio of rounding is a survival
    alive = [(case, seen) for case, seen in zip(chosen, found, strict=True) if seen.variance > NOTHING]
    return [row for case, seen in alive for row in _case_rows(case, seen, sigmas)]


def _case_rows(case: SymmetricCase, one: Measured, sigmas: float) -> Rows:
    between = gaps(one)
    leading = leading_order_survival(one.scales, one.kappa)
    resummed = resummed_survival(one.scales, one.kappa, one.lasting, one.rate_variance)
    out: Rows = []
    for i, s in enumerate(one.scales):
        below, above = float(between.below[i]), float(between.above[i])
        beyond_below = below < -_TOLERANCE - sigmas * float(between.below_error[i])
        beyond_above = above < -_TOLERANCE - sigmas * float(between.above_error[i])
        out.append(
            {
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
                "scale": float(s),
                "exact": float(one.exact[i]),
                "leading_order": float(leading[i]),
                "resummed": float(resummed[i]),
                "proved": one.certificate.proved,
                "below": below,
                "above": above,
                "outside": below < -_TOLERANCE or above < -_TOLERANCE,
                "beyond_below": beyond_below,
                "beyond_above": beyond_above,
            }
        )
    return out


def _agreement(which: Mapping[str, str], data: Rows) -> dict[str, Value]:
    """R^2 of both predictions where something decays, and the points outside the bounds, of some rows."""
    rows = [r for r in data if all(r[k] == v for k, v in which.items())]
    decaying = [r for r in rows if not r["untouched"]]
    exact, leading, resummed = (_column(decaying, name) for name in ("exact", "leading_order", "resummed"))
    return {
        **which,
        "points": len(rows),
        "decaying": len(decaying),
        "leading_order": _known(coefficient_of_determination(leading, exact)),
        "resummed": _known(coefficient_of_determination(resummed, exact)),
        "largest_miss": float(np.max(np.abs(resummed - exact), initial=0.0)),
        "proved": sum(bool(r["proved"]) for r in rows),
        "proved_beyond": sum(bool(r["proved"]) and _beyond(r) for r in rows),
        "outside": sum(bool(r["outside"]) for r in rows),
        "beyond_lower": sum(bool(r["beyond_below"]) for r in rows),
        "beyond_upper": sum(bool(r["beyond_above"]) for r in rows),
    }


def _beyond(row: Mapping[str, Value]) -> bool:
    return bool(row["beyond_below"] or row["beyond_above"])


def _column(rows: Sequence[Mapping[str, Value]], name: str) -> Real:
    return np.array([as_number(r[name]) for r in rows])


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


# -- fixed points and rivals -------------------------------------------------------------------------------------------


def _fixed_points(pairs: Pairs, context: Context) -> Rows:
    out: Rows = []
    for case, (one, rival) in pairs.items():
        problem = case.problem()
        theta = Ensemble().draw(problem, 1, context.seed_for("symmetries", "fixed point", case.symmetry))[0]
        engine = exact_engine(problem) if problem.by_charge else select_engine(problem, workers=1)
        point = fixed_point(engine, theta)
        (root, error), (other, other_error) = survival_of(one), survival_of(rival)
        out.append(
            {
                "symmetry": case.symmetry,
                "readout": case.readout + 1,
                "noise": case.noise,
                "class": point.kind,
                "sectors": point.sectors,
                "purity": _known(point.purity),
                "w0": one.share,
                "w0_error": float(2 * root[-1] * error[-1]),
                "rival_w0": rival.share,
                "rival_w0_error": float(2 * other[-1] * other_error[-1]),
            }
        )
    return out


# -- noiseless theory --------------------------------------------------------------------------------------------------


def _deep_problems(depth: int) -> dict[str, Problem]:
    """Deep circuits with small algebras; interacting charge and parity circuits have exponentially large ones."""
    out = {
        "charge, free fermions": Problem(brickwork(6, depth, interaction="none"), "Z3", "000001"),
        "parity, free fermions": Problem(
            parity_conserving(5, depth, interaction="none"), "Z2", "00101", symmetry="parity"
        ),
    }
    for name in ("SU(2)", "permutations", "ring"):
        family = SYMMETRIES[name]
        circuit = family.circuit(6, depth)
        out[name] = Problem(circuit, family.readouts(6)[0], family.initial(6), symmetry=family.claim(6))
    return out


def _lie_rows(context: Context) -> Rows:
    depth, samples = (8, 100) if context.quick else (DEEP, 1000)
    empty: dict[str, Value] = {"quantity": "", "deep": None, "at depth": None, "sampled": None, "error": None}
    out: Rows = []
    for name, problem in _deep_problems(depth).items():
        common: dict[str, Value] = {"circuit": name, "depth": depth, "samples": samples}
        try:
            found = lie_algebraic_check(problem, samples, seed=context.seed_for("symmetries", "lie", name))
        except MissingPackageError as error:
            out.append({**common, "algebra": None, **empty, "note": f"not run: {error}"})
            continue
        note = "; ".join(found.formula.reasons)
        lines: Sequence[Mapping[str, Any]] = found.rows()
        for line in lines:
            numbers = {k: v if isinstance(v, str) else _known(v) for k, v in line.items()}
            out.append({**common, "algebra": found.formula.dimension, **numbers, "note": note})
    return out


def _deviations(lie: Table) -> list[float]:
    """Sampled less exact at the depth there is, in standard errors, where the formula applies."""
    rows = [r for r in lie.rows() if r["at depth"] is not None]
    return [abs(as_number(r["sampled"]) - as_number(r["at depth"])) / as_number(r["error"]) for r in rows]


# -- verdicts ----------------------------------------------------------------------------------------------------------


def _judged(tables: Mapping[str, Table]) -> Rows:
    return [r for r in tables["rivals"].rows() if r["scale"] == JUDGED and r["survival_ratio"] is not None]


def _edge(row: Mapping[str, Value], sign: int, name: str = "survival") -> float:
    """A ratio moved by four standard errors."""
    return as_number(row[f"{name}_ratio"]) + sign * 4 * as_number(row[f"{name}_ratio_error"])


def _criteria(tables: Mapping[str, Table]) -> tuple[Criterion, ...]:
    out = [
        Criterion(f"{r['symmetry']}: R^2 of the resummed law", _number(r["resummed"]), 0.97, True)
        for r in tables["symmetries"].rows()
    ]
    proved = sum(int(as_number(r["proved_beyond"])) for r in tables["symmetries"].rows())
    out.append(Criterion("violations beyond sampling error where the bounds are proved", float(proved), 0.0, False))
    of_permutations = [r for r in tables["fixed_points"].rows() if r["symmetry"] == "permutations"]
    wrong = sum((r["sectors"] == "respected") != (r["noise"] == "collective dephasing") for r in of_permutations)
    out.append(
        Criterion(
            "permutations: noises that respect the blocks without being collective, or break them though they are",
            float(wrong),
            0.0,
            False,
        )
    )
    judged = _judged(tables)
    wording = f"survival over that without symmetry at s = {JUDGED:g}"
    protects, loses = max(_edge(r, -1) for r in judged), min(_edge(r, 1) for r in judged)
    out += [
        Criterion(f"{wording}, where symmetry protects most (less 4 standard errors)", protects, 1.05, True),
        Criterion(f"{wording}, where it protects least (plus 4 standard errors)", loses, 0.95, False),
    ]
    if deviations := _deviations(tables["lie"]):
        statement = "noiseless variances: sampled less Lie-algebraic at that depth, in standard errors"
        out.append(Criterion(statement, max(deviations), 4.0, False))
    return tuple(out)


def _number(value: Value) -> float:
    return math.nan if value is None else as_number(value)


def _findings(tables: Mapping[str, Table]) -> tuple[str, ...]:
    symmetries = tables["symmetries"].rows()
    listed = "; ".join(
        f"{r['symmetry']} {_number(r['resummed']):.4f} ({_number(r['leading_order']):.3f})" for r in symmetries
    )
    worst = min((r for r in tables["noises"].rows() if r["resummed"] is not None), key=lambda r: _number(r["resummed"]))
    points = sum(int(as_number(r["points"])) for r in symmetries)
    out = [
        f"R^2 of the resummed law (in brackets of exp(-s kappa)) over {points} points: {listed}. Worst pair: "
        f"{worst['symmetry']} under {worst['noise']}, {_number(worst['resummed']):.4f}.",
        "Bounds: "
        + "; ".join(
            f"{r['symmetry']} proved at {r['proved']} of {r['points']} points ({r['proved_beyond']} violated beyond "
            f"the sampling error), all points {r['beyond_lower']} below and {r['beyond_upper']} above beyond it"
            for r in symmetries
        )
        + ".",
        *_fixed_point_findings(tables["fixed_points"]),
        *_rival_findings(tables),
        *_control_findings(tables["controls"]),
        _lie_finding(tables["lie"]),
    ]
    return tuple(out)


def _fixed_point_findings(points: Table) -> list[str]:
    out = []
    for noise in NOISES:
        parts = [
            f"{r['symmetry']} {r['class']}, sectors {r['sectors'] or 'not used'}, w0 {_share(r['w0'])}"
            for r in points.rows()
            if r["noise"] == noise and r["readout"] == 1
        ]
        out.append(f"Fixed points, {noise}: {'; '.join(parts)}.")
    return out


def _share(value: Value) -> str:
    number = as_number(value)
    return "0" if number < NOTHING else f"{number:.2g}"


def _rival_findings(tables: Mapping[str, Table]) -> list[str]:
    out = []
    for symmetry in SYMMETRIES:
        rows = [r for r in _judged(tables) if r["symmetry"] == symmetry]
        listed = ", ".join(
            f"{r['noise']} {as_number(r['survival_ratio']):.2f} +- {as_number(r['survival_ratio_error']):.2f}"
            for r in rows
            if r["readout"] == 1
        )
        fragile = [f"{r['noise']} (readout {r['readout']})" for r in rows if _edge(r, 1) < 1]
        smaller = [f"{r['noise']} (readout {r['readout']})" for r in rows if _edge(r, 1, "gradient") < 1]
        out.append(
            f"{symmetry}: survival over that of the rival at s = {JUDGED:g}, first readout: {listed}. More fragile "
            f"than without symmetry, beyond four standard errors: {', '.join(fragile) or 'nowhere'}. Smaller gradient "
            f"left per parameter: {', '.join(smaller) or 'nowhere'}."
        )
    return out


def _control_findings(controls: Table) -> list[str]:
    out = []
    for symmetry in dict.fromkeys(str(r["symmetry"]) for r in controls.rows()):
        parts = [
            f"{r['noise']} {as_number(r['shared_ratio']):.2f} +- {as_number(r['shared_error']):.2f} "
            f"({as_number(r['control_ratio']):.2f} +- {as_number(r['control_error']):.2f})"
            for r in controls.rows()
            if r["symmetry"] == symmetry and r["readout"] == 1 and r["shared_ratio"] is not None
        ]
        out.append(
            f"{symmetry}: survival over that of the same generators with independent angles at s = {JUDGED:g} (in "
            f"brackets that one's over the rival's), first readout: {', '.join(parts)}."
        )
    return out


def _lie_finding(lie: Table) -> str:
    rows = lie.rows()
    if all(str(r["note"]).startswith("not run") for r in rows):
        return f"Lie algebra {rows[0]['note']}"
    parts = [
        f"{r['circuit']} {as_number(r['sampled']):.4g} +- {as_number(r['error']):.1g} against "
        f"{as_number(r['at depth']):.4g} at depth {r['depth']} and {as_number(r['deep']):.4g} for many layers"
        if r["at depth"] is not None
        else f"{r['circuit']}: the formula does not apply ({r['note']})"
        for r in rows
        if r["quantity"] == "Var C"
    ]
    return f"Noiseless Var C, sampled against the Lie algebra's: {'; '.join(parts)}."


# -- figure ------------------------------------------------------------------------------------------------------------


def draw(tables: Mapping[str, Table]) -> Figure:
    """Predicted against exact survival, R^2 by symmetry, and survival over the rival's and w0 by symmetry and noise."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 8.2), layout="constrained")
    (collapse, bars), (ratios, shares) = figure.subplots(2, 2)
    names = [str(r["symmetry"]) for r in tables["symmetries"].rows()]
    for name, colour, marker in zip(names, OKABE_ITO, "os^Dvp", strict=False):
        rows = [r for r in tables["data"].rows() if r["symmetry"] == name and not r["untouched"]]
        exact, predicted = _column(rows, "exact"), _column(rows, "resummed")
        collapse.scatter(predicted, exact, s=9, color=colour, marker=marker, alpha=0.6, linewidths=0, label=name)
    collapse.plot([0, 1], [0, 1], color="black", linewidth=0.9)
    collapse.set(xlabel="R by the resummed law", ylabel="exact R")
    collapse.legend(fontsize=8, frameon=False, markerscale=2)
    places = np.arange(len(names))
    for shift, column, label, colour in (
        (-0.2, "leading_order", "exp(−sκ)", OKABE_ITO[5]),
        (0.2, "resummed", "resummed", OKABE_ITO[0]),
    ):
        values = [_number(r[column]) for r in tables["symmetries"].rows()]
        bars.bar(places + shift, np.clip(values, 0, 1), width=0.38, color=colour, label=label)
        for place, value in zip(places + shift, values, strict=True):
            bars.text(place, min(max(value, 0), 1) + 0.01, f"{value:.3f}", ha="center", fontsize=7)
    bars.set_xticks(places, names)
    bars.set(ylabel="R² of predicted against exact survival", ylim=(0, 1.18))
    bars.legend(fontsize=8, frameon=False, loc="upper left", ncols=2)
    first = [r for r in _judged(tables) if r["readout"] == 1]
    _grid_of(
        ratios,
        {(str(r["symmetry"]), str(r["noise"])): as_number(r["survival_ratio"]) for r in first},
        f"survival over that without symmetry, s = {JUDGED:g}",
        logarithmic=True,
    )
    points = [r for r in tables["fixed_points"].rows() if r["readout"] == 1]
    _grid_of(
        shares,
        {(str(r["symmetry"]), str(r["noise"])): as_number(r["w0"]) for r in points},
        "share w₀ that the noise leaves at s = ∞",
        notes={(str(r["symmetry"]), str(r["noise"])): f"{r['class']}" for r in points},
    )
    for axes in (collapse, bars):
        axes.spines[["top", "right"]].set_visible(False)
    for axes in (collapse, bars, ratios, shares):
        axes.tick_params(labelsize=8)
    return figure


def _grid_of(
    axes: Any,
    values: Mapping[tuple[str, str], float],
    title: str,
    *,
    logarithmic: bool = False,
    notes: Mapping[tuple[str, str], str] | None = None,
) -> None:
    """Numbers by symmetry and noise, coloured."""
    array = np.full((len(SYMMETRIES), len(NOISES)), np.nan)
    for i, symmetry in enumerate(SYMMETRIES):
        for j, noise in enumerate(NOISES):
            value = values.get((symmetry, noise), math.nan)
            array[i, j] = math.log2(max(value, 1e-12)) if logarithmic else value
            text = "-" if math.isnan(value) else "0" if value < NOTHING else f"{value:.2g}"
            below = "" if notes is None else f"\n{notes.get((symmetry, noise), '')}"
            dark = abs(array[i, j]) > (1.3 if logarithmic else 0.6)
            colour = "white" if dark else "black"
            axes.text(j, i, text + below, ha="center", va="center", fontsize=7, color=colour)
    if logarithmic:
        axes.imshow(array, cmap="PuOr", vmin=-2, vmax=2, aspect="auto")
    else:
        axes.imshow(array, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(NOISES)), [n.replace(" ", "\n") for n in NOISES])
    axes.set_yticks(range(len(SYMMETRIES)), list(SYMMETRIES))
    axes.set_title(title, fontsize=9)
