"""Study training-law: survival against x = s kappa, and how far each form of the law reaches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from equinoise.coherence.resummed import leading_order_survival, resummed_survival
from equinoise.engines.select import exact_engine
from equinoise.ensemble import Ensemble
from equinoise.evidence.frame.grid import (
    DEPHASING,
    DEVICE,
    FAMILIES,
    Case,
    Survival,
    cases,
    coefficient_of_determination,
    device_available,
    evaluate_all,
)
from equinoise.evidence.frame.study import OKABE_ITO, Context, Criterion, StudyResult
from equinoise.table import Table, Value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMS", "analyse", "draw", "run"]

Real = npt.NDArray[np.float64]

FORMS = ("leading", "with_w0", "resummed")
"""exp(-x); R^2 = w0 + (1 - w0) exp(-2 s kappa/(1 - w0)); the resummed law."""

_NAMES = {"leading": "exp(-x)", "with_w0": "exp(-x) with w0", "resummed": "resummed law"}
_RELAXING = ("damping", "thermal", "combination")
_SMALL_X = 0.3
_SMALLEST = 1e-12
_FAR = 0.05


def run(context: Context) -> StudyResult:
    """Predicted against exact survival over circuits, inputs, readouts, channels and scales."""
    return analyse(evaluate_all(cases(context.quick), context), relaxed_pairs(context))


def relaxed_pairs(context: Context) -> Table:
    """Under damping, how far the gradient of Z_a Z_b becomes that of Z_a + Z_b: their correlation over draws."""
    case = Case("damping", 3, 6, "neel", "ZZ")
    pair = case.problem()
    engine = exact_engine(pair, workers=1)
    single = exact_engine(pair.with_readout("Z2+Z3"), workers=1)
    thetas = Ensemble().draw(pair, 96, context.seed_for("relaxed pairs"))
    rows: list[dict[str, Value]] = []
    for s in (0.0, 2.0, 6.0, 20.0):
        g, h = (np.concatenate([e.draw(theta, s).gradient for theta in thetas]) for e in (engine, single))
        correlation = float(g @ h / np.sqrt((g @ g) * (h @ h)))
        rows.append({"case": case.label, "scale": s, "correlation": correlation, "rms": float(np.sqrt(g @ g / g.size))})
    return Table.from_rows(rows)


def analyse(found: Sequence[Survival], relaxed: Table | None = None) -> StudyResult:
    """The study's result from evaluated cases, and the table of :func:`relaxed_pairs`."""
    data = Table.from_rows([row for one in found for row in _rows(one)])
    rows = data.rows()
    decaying = [r for r in rows if not r["untouched"]]
    forms = Table.from_rows([_scores("all", decaying), *_domains(decaying)])
    present = [f for f in FAMILIES if any(r["family"] == f for r in decaying)]
    families = Table.from_rows([_scores(f, [r for r in decaying if r["family"] == f]) for f in present])
    still = [r for r in rows if r["untouched"]]
    tables = {
        "data": data,
        "cases": Table.from_rows([{**one.columns(), "untouched": one.untouched} for one in found]),
        "forms": forms,
        "families": families,
    }
    if relaxed is not None:
        tables["relaxed_pairs"] = relaxed
    findings = _findings(forms, families, decaying, still, relaxed)
    return StudyResult(tables, _criteria(forms, families), tuple(findings), draw)


def _rows(one: Survival) -> list[dict[str, Value]]:
    leading = leading_order_survival(one.scales, one.kappa)
    with_share = resummed_survival(one.scales, one.kappa, one.lasting, 0.0)
    resummed = resummed_survival(one.scales, one.kappa, one.lasting, one.rate_variance)
    return [
        {
            **{k: v for k, v in one.columns().items() if k in _DESCRIBING},
            "untouched": one.untouched,
            "scale": float(s),
            "x": float(s * one.kappa),
            "exact": float(one.exact[i]),
            "leading": float(leading[i]),
            "with_w0": float(with_share[i]),
            "resummed": float(resummed[i]),
        }
        for i, s in enumerate(one.scales)
    ]


_DESCRIBING = frozenset({"case", "family", "depth", "qubits", "initial", "readout", "projected", "kappa", "w0", "c2"})


def _column(rows: Sequence[Mapping[str, Value]], name: str) -> Real:
    return np.array([float(r[name] or 0.0) for r in rows])


def _scores(name: str, rows: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
    """R^2 of each form for R and for ln R, and its largest deviation in R."""
    exact = _column(rows, "exact")
    seen = exact > _SMALLEST
    out: dict[str, Value] = {"set": name, "points": len(rows), "points_of_ln": int(seen.sum())}
    for form in FORMS:
        predicted = _column(rows, form)
        out[f"r2_{form}"] = _number(coefficient_of_determination(predicted, exact))
        logarithms = np.log(np.maximum(predicted[seen], 1e-300)), np.log(exact[seen])
        out[f"r2_ln_{form}"] = _number(coefficient_of_determination(*logarithms))
        out[f"worst_{form}"] = float(np.abs(predicted - exact).max(initial=0.0))
    return out


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _domains(rows: list[dict[str, Value]]) -> list[dict[str, Value]]:
    """Parts of the grid on which the forms are scored as well."""
    diagonal = set(DEPHASING)
    parts = {
        "x < 0.3": [r for r in rows if float(r["x"] or 0.0) < _SMALL_X],
        "x < 0.3, w0 < 0.01": [r for r in rows if float(r["x"] or 0.0) < _SMALL_X and float(r["w0"] or 0.0) < 0.01],
        "x/(1 - w0) < 0.3": [r for r in rows if _decayed(r) < _SMALL_X],
        "w0 < 0.01": [r for r in rows if float(r["w0"] or 0.0) < 0.01],
        "w0 >= 0.01": [r for r in rows if float(r["w0"] or 0.0) >= 0.01],
        "dephasing": [r for r in rows if r["family"] in diagonal],
        "other noise": [r for r in rows if r["family"] not in diagonal],
        "relaxation, ZZ readout": [r for r in rows if r["family"] in _RELAXING and r["readout"] == "ZZ"],
        "relaxation, Z or hopping readout": [r for r in rows if r["family"] in _RELAXING and r["readout"] != "ZZ"],
    }
    return [_scores(name, part) for name, part in parts.items() if part]


def _decayed(row: Mapping[str, Value]) -> float:
    """The decaying part's own accumulated variable, s kappa/(1 - w0)."""
    return float(row["x"] or 0.0) / (1 - float(row["w0"] or 0.0))


def _criteria(forms: Table, families: Table) -> tuple[Criterion, ...]:
    by_set = {str(r["set"]): r for r in forms.rows()}

    def value(rows: Mapping[str, Value] | None, key: str) -> float:
        found = None if rows is None else rows[key]
        return math.nan if found is None else float(found)

    each = [
        Criterion(f"R^2 of the resummed law for the family {r['set']!r}", value(r, "r2_resummed"), 0.98, True)
        for r in families.rows()
    ]
    return (
        Criterion("R^2 of the resummed law over the full range of x", value(by_set["all"], "r2_resummed"), 0.99, True),
        Criterion("R^2 of exp(-x) for x < 0.3", value(by_set.get("x < 0.3"), "r2_leading"), 0.979, True),
        *each,
    )


def _findings(
    forms: Table,
    families: Table,
    decaying: Sequence[Mapping[str, Value]],
    still: Sequence[Mapping[str, Value]],
    relaxed: Table | None,
) -> list[str]:
    by_set = {str(r["set"]): r for r in forms.rows()}
    full = by_set["all"]
    parts = [f"{_NAMES[f]}: {_show(full[f'r2_{f}'])} (of ln R: {_show(full[f'r2_ln_{f}'])})" for f in FORMS]
    x = _column(decaying, "x")
    out = [
        f"Over {full['points']} points of {len({r['case'] for r in decaying})} cases with x from {x.min():.3g} to "
        f"{x.max():.3g}, R^2 of predicted against exact survival is, by form, " + "; ".join(parts) + "."
    ]
    small, clean, own = (by_set.get(name) for name in ("x < 0.3", "x < 0.3, w0 < 0.01", "x/(1 - w0) < 0.3"))
    if small is not None and clean is not None and own is not None:
        text = (
            f"For x < 0.3 exp(-x) has R^2 = {_show(small['r2_leading'])} ({_show(clean['r2_leading'])} where w0 < "
            f"0.01), off by at most {small['worst_leading']:.3f} in R: it fails where a fixed-point share protects "
            f"part of the gradient, since only a part 1 - w0 decays, and faster than x tells; the resummed law has "
            f"{_show(small['r2_resummed'])} there."
        )
        text += f" Where the decaying part's own variable x/(1 - w0) is below 0.3, it has {_show(own['r2_leading'])}."
        if "w0 >= 0.01" in by_set:
            text += f" Over all x and w0 >= 0.01 exp(-x) has {_show(by_set['w0 >= 0.01']['r2_leading'])}."
        out.append(text)
    out.append("Largest deviation in R of each form: " + "; ".join(_worst(form, decaying) for form in FORMS) + ".")
    scored = [r for r in families.rows() if r["r2_resummed"] is not None]
    if scored:
        low = min(scored, key=lambda r: float(r["r2_resummed"] or 0.0))
        text = f"The resummed law's lowest R^2 for one family is {_show(low['r2_resummed'])}, for {low['set']}"
        far = [r for r in decaying if abs(float(r["resummed"] or 0.0) - float(r["exact"] or 0.0)) > _FAR]
        if far:
            late = sum(float(r["x"] or 0.0) >= _SMALL_X for r in far)
            relaxing = [r for r in far if r["family"] in _RELAXING]
            pairs = sum(r["readout"] == "ZZ" for r in relaxing)
            text += (
                f"; it is off by more than {_FAR} in R at {len(far)} of {len(decaying)} points ({late} of them at "
                f"x >= {_SMALL_X}): {len(relaxing)} under relaxation, {pairs} of which with a ZZ readout, "
                f"{sum(r['family'] in DEPHASING for r in far)} under dephasing"
            )
        out.append(text + ".")
        zz, rest = by_set.get("relaxation, ZZ readout"), by_set.get("relaxation, Z or hopping readout")
        if zz is not None and rest is not None:
            text = (
                f"Under relaxation (alone or combined) it has R^2 = {_show(zz['r2_resummed'])} for ZZ readouts (off by "
                f"at most {zz['worst_resummed']:.3f}) and {_show(rest['r2_resummed'])} for Z and hopping: relaxing ZZ "
                "turns into Z, a gradient that the noise makes and that outlives the first one"
            )
            if relaxed is not None:
                first, last = relaxed.rows()[0], relaxed.rows()[-1]
                text += (
                    f" (under damping the correlation of the two gradients grows from "
                    f"{float(first['correlation'] or 0):.2f} at s = 0 to {float(last['correlation'] or 0):.3f} at "
                    f"s = {float(last['scale'] or 0):g})"
                )
            out.append(
                text
                + ", so that V(s) is no sum of decaying shares there; under dephasing what is missed is a few slow "
                "modes that a mean and a variance of the rates do not show."
            )
    if still:
        rise = max(abs(1.0 - float(r["exact"] or 0.0)) for r in still)
        count = len({r["case"] for r in still})
        where = sorted({str(r["family"]) for r in still})
        text = f"Set apart, since w0 = 1: {count} cases ({', '.join(where)}), where R stays 1 to {rise:.1e}."
        out.append(text + ("" if device_available() else f" Skipped, not installed: {DEVICE}."))
    elif not device_available():
        out.append(f"Skipped, not installed: {DEVICE}.")
    return out


def _show(value: Value) -> str:
    return "undefined" if value is None else f"{float(value):.4f}"


def _worst(form: str, rows: Sequence[Mapping[str, Value]]) -> str:
    row = max(rows, key=lambda r: abs(float(r[form] or 0.0) - float(r["exact"] or 0.0)))
    return (
        f"{_NAMES[form]} {float(row[form] or 0.0):.3f} against {float(row['exact'] or 0.0):.3f} ({row['family']}, "
        f"depth {row['depth']}, {row['initial']} input, {row['readout']} readout, "
        f"x = {float(row['x'] or 0.0):.2f}, s = {float(row['scale'] or 0.0):.3g})"
    )


_GROUPS = {
    "dephasing": DEPHASING,
    "damping, thermal": ("damping", "thermal"),
    "depolarizing": ("depolarizing",),
    "combination, device": ("combination", DEVICE),
}


def draw(tables: Mapping[str, Table]) -> Figure:
    """Exact survival against x, and against the resummed law's prediction."""
    from matplotlib.figure import Figure

    rows = [r for r in tables["data"].rows() if not r["untouched"]]
    figure = Figure(figsize=(3.5, 5.6), layout="constrained")
    above, below = figure.subplots(2, 1)
    markers = "osD^"
    for number, (name, families) in enumerate(_GROUPS.items()):
        part = [r for r in rows if r["family"] in families]
        style = {"s": 9, "color": OKABE_ITO[number], "alpha": 0.65, "linewidths": 0, "marker": markers[number]}
        above.scatter(_column(part, "x"), _column(part, "exact"), label=name, **style)
        below.scatter(_column(part, "resummed"), _column(part, "exact"), **style)
    grid = np.geomspace(0.003, 6.0, 200)
    above.plot(grid, np.exp(-grid), color="black", linewidth=1.2, label="exp(−x)")
    above.set(xscale="log", xlabel="accumulated variable x = s κ", ylabel="exact survival R", ylim=(-0.02, 1.04))
    above.legend(fontsize=7, frameon=False, loc="lower left", markerscale=1.8, handletextpad=0.3)
    below.plot([0, 1], [0, 1], color="black", linewidth=0.9)
    below.set(xlabel="survival by the resummed law", ylabel="exact survival R", xlim=(-0.02, 1.04), ylim=(-0.02, 1.04))
    for axes in (above, below):
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    return figure
