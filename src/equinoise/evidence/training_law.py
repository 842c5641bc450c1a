"""Does survival collapse onto x = s kappa, and how far does each form of the law reach?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from equinoise.engines.select import exact_engine
from equinoise.evidence.frame.cases import Case, cases
from equinoise.evidence.frame.channels import DEPHASING, DEVICE, FAMILIES, device_available
from equinoise.evidence.frame.figure_panels import Layout, Panel, curve, diagonal, grouped
from equinoise.evidence.frame.measured_cases import Survival, evaluate_all
from equinoise.evidence.frame.rows import Row, Rows, Tables, along, listed
from equinoise.evidence.frame.statistics import coefficient_of_determination, finite
from equinoise.evidence.frame.study import Context, Criterion, Study, at_least

__all__ = ["FORMS", "STUDY", "relaxed_pairs", "tables_of"]

Real = npt.NDArray[np.float64]

FORMS = {"leading": "exp(-x)", "with_w0": "exp(-x) with w0", "resummed": "resummed law"}
"""exp(-x); R^2 = w0 + (1 - w0) exp(-2 s kappa/(1 - w0)); the resummed law."""

_DESCRIBING = ("case", "family", "depth", "qubits", "initial", "readout", "projected", "kappa", "w0", "c2")
_RELAXING = ("damping", "thermal", "combination")
_SMALL_X = 0.3
_SMALLEST = 1e-12
_FAR = 0.05
_ZZ, _NOT_ZZ = "relaxation, ZZ readout", "relaxation, Z or hopping readout"


def _tables(context: Context) -> dict[str, list[Row]]:
    """Predicted against exact survival over circuits, inputs, readouts, channels and scales."""
    tables = tables_of(evaluate_all(cases(context.quick), context))
    return {**tables, "relaxed_pairs": relaxed_pairs(context)}


def relaxed_pairs(context: Context) -> list[Row]:
    """Under damping, how far the gradient of Z_a Z_b becomes that of Z_a + Z_b: their correlation over draws."""
    case = Case("damping", 3, 6, "neel", "ZZ")
    pair = case.problem()
    engines = [exact_engine(problem, workers=1) for problem in (pair, pair.with_readout("Z2+Z3"))]
    thetas = context.sampling(96, "relaxed pairs").draw(pair)
    rows: list[Row] = []
    for s in (0.0, 2.0, 6.0, 20.0):
        g, h = (np.concatenate([e.draw(theta, s).gradient for theta in thetas]) for e in engines)
        correlation = float(g @ h / np.sqrt((g @ g) * (h @ h)))
        rows.append({"case": case.label, "scale": s, "correlation": correlation, "rms": float(np.sqrt(g @ g / g.size))})
    return rows


def tables_of(found: Sequence[Survival]) -> dict[str, list[Row]]:
    """Evaluated cases point by point ("data") and each by itself ("cases"), and the scores of each form."""
    data = [row for one in found for row in _rows(one)]
    decaying = Rows(data).where(untouched=False)
    parts = {name: decaying.where(holds) for name, holds in _DOMAINS.items()}
    families = {family: decaying.where(family=family) for family in FAMILIES}
    return {
        "data": data,
        "cases": [{**one.columns(), "untouched": one.untouched} for one in found],
        "forms": [_scores(name, rows) for name, rows in parts.items() if rows or name == "all"],
        "families": [_scores(family, rows) for family, rows in families.items() if rows],
    }


def _rows(one: Survival) -> list[Row]:
    described = one.columns()
    forms = {"leading": one.leading, "with_w0": one.with_share, "resummed": one.resummed}
    fixed: Row = {**{name: described[name] for name in _DESCRIBING}, "untouched": one.untouched}
    return along(fixed, scale=one.scales, x=one.x, exact=one.exact, **forms)


_DOMAINS: dict[str, Callable[[Row], bool]] = {
    "all": lambda r: True,
    "x < 0.3": lambda r: r["x"] < _SMALL_X,
    "x < 0.3, w0 < 0.01": lambda r: r["x"] < _SMALL_X and r["w0"] < 0.01,
    # the decaying part's own accumulated variable
    "x/(1 - w0) < 0.3": lambda r: r["x"] / (1 - r["w0"]) < _SMALL_X,
    "w0 < 0.01": lambda r: r["w0"] < 0.01,
    "w0 >= 0.01": lambda r: r["w0"] >= 0.01,
    "dephasing": lambda r: r["family"] in DEPHASING,
    "other noise": lambda r: r["family"] not in DEPHASING,
    _ZZ: lambda r: r["family"] in _RELAXING and r["readout"] == "ZZ",
    _NOT_ZZ: lambda r: r["family"] in _RELAXING and r["readout"] != "ZZ",
}


def _scores(name: str, rows: Rows) -> Row:
    """R^2 of each form for R and for ln R, and its largest deviation in R."""
    exact = rows.column("exact")
    seen = exact > _SMALLEST
    out: Row = {"set": name, "points": len(rows), "points_of_ln": int(seen.sum())}
    for form in FORMS:
        predicted = rows.column(form)
        logarithms = np.log(np.maximum(predicted[seen], 1e-300)), np.log(exact[seen])
        out[f"r2_{form}"] = finite(coefficient_of_determination(predicted, exact))
        out[f"r2_ln_{form}"] = finite(coefficient_of_determination(*logarithms))
        out[f"worst_{form}"] = float(np.abs(predicted - exact).max(initial=0.0))
    return out


def _criteria(tables: Tables) -> list[Criterion]:
    def r2(rows: Rows, form: str) -> float:
        return float(rows.column(f"r2_{form}")[0]) if rows else math.nan

    whole, small = (tables["forms"].where(set=name) for name in ("all", "x < 0.3"))
    each = tables["families"].by("set").items()
    return [
        at_least("R^2 of the resummed law over the full range of x", r2(whole, "resummed"), 0.99),
        at_least("R^2 of exp(-x) for x < 0.3", r2(small, "leading"), 0.979),
        *(at_least(f"R^2 of the resummed law for the family {f!r}", r2(rows, "resummed"), 0.98) for f, rows in each),
    ]


def _findings(tables: Tables) -> list[str]:
    data = tables["data"]
    decaying, still = data.where(untouched=False), data.where(untouched=True)
    forms = {str(r["set"]): r for r in tables["forms"]}
    x = decaying.column("x")
    parts = [f"{FORMS[f]}: {_r2(forms, 'all', f)} (of ln R: {_r2(forms, 'all', f'ln_{f}')})" for f in FORMS]
    out = [
        f"Over {len(decaying)} points of {len(decaying.distinct('case'))} cases with x from {x.min():.3g} to "
        f"{x.max():.3g}, R^2 of predicted against exact survival is, by form, " + "; ".join(parts) + ".",
        *_small_x(forms),
        "Largest deviation in R of each form: " + "; ".join(_worst(form, decaying) for form in FORMS) + ".",
    ]
    if scored := tables["families"].known("r2_resummed"):
        out.append(_lowest(scored.lowest("r2_resummed"), decaying))
        out += _relaxing(forms, tables.get("relaxed_pairs"))
    skipped = "" if device_available() else f"Skipped, not installed: {DEVICE}."
    if still:
        out.append(
            f"Set apart, since w0 = 1: {len(still.distinct('case'))} cases "
            f"({listed(sorted(still.distinct('family')))}), where R stays 1 to {still.largest_size('exact', 1.0):.1e}."
            + (f" {skipped}" if skipped else "")
        )
    elif skipped:
        out.append(skipped)
    return out


def _r2(forms: dict[str, Row], name: str, form: str) -> str:
    value = forms[name][f"r2_{form}"]
    return "undefined" if value is None else f"{value:.4f}"


def _small_x(forms: dict[str, Row]) -> list[str]:
    if not forms.keys() >= {"x < 0.3", "x < 0.3, w0 < 0.01", "x/(1 - w0) < 0.3"}:
        return []
    text = (
        f"For x < 0.3 exp(-x) has R^2 = {_r2(forms, 'x < 0.3', 'leading')} "
        f"({_r2(forms, 'x < 0.3, w0 < 0.01', 'leading')} where w0 < 0.01), off by at most "
        f"{forms['x < 0.3']['worst_leading']:.3f} in R: it fails where a fixed-point share protects part of the "
        "gradient, since only a part 1 - w0 decays, and faster than x tells; the resummed law has "
        f"{_r2(forms, 'x < 0.3', 'resummed')} there. Where the decaying part's own variable x/(1 - w0) is below 0.3, "
        f"it has {_r2(forms, 'x/(1 - w0) < 0.3', 'leading')}."
    )
    if "w0 >= 0.01" in forms:
        text += f" Over all x and w0 >= 0.01 exp(-x) has {_r2(forms, 'w0 >= 0.01', 'leading')}."
    return [text]


def _lowest(low: Row, decaying: Rows) -> str:
    text = f"The resummed law's lowest R^2 for one family is {low['r2_resummed']:.4f}, for {low['set']}"
    far = decaying.where(lambda r: abs(r["resummed"] - r["exact"]) > _FAR)
    if not far:
        return text + "."
    relaxing = far.among("family", _RELAXING)
    return (
        f"{text}; it is off by more than {_FAR} in R at {len(far)} of {len(decaying)} points "
        f"({sum(far.column('x') >= _SMALL_X)} of them at x >= {_SMALL_X}): {len(relaxing)} under relaxation, "
        f"{len(relaxing.where(readout='ZZ'))} of which with a ZZ readout, "
        f"{len(far.among('family', DEPHASING))} under dephasing."
    )


def _relaxing(forms: dict[str, Row], relaxed: Rows | None) -> list[str]:
    if not forms.keys() >= {_ZZ, _NOT_ZZ}:
        return []
    grows = ""
    if relaxed:
        first, last = relaxed[0], relaxed[-1]
        grows = (
            f" (under damping the correlation of the two gradients grows from {first['correlation']:.2f} at s = 0 to "
            f"{last['correlation']:.3f} at s = {last['scale']:g})"
        )
    return [
        f"Under relaxation (alone or combined) it has R^2 = {_r2(forms, _ZZ, 'resummed')} for ZZ readouts (off by at "
        f"most {forms[_ZZ]['worst_resummed']:.3f}) and {_r2(forms, _NOT_ZZ, 'resummed')} for Z and hopping: relaxing "
        f"ZZ turns into Z, a gradient that the noise makes and that outlives the first one{grows}, so that V(s) is no "
        "sum of decaying shares there; under dephasing what is missed is a few slow modes that a mean and a variance "
        "of the rates do not show."
    ]


def _worst(form: str, rows: Rows) -> str:
    row = rows.highest(lambda r: abs(r[form] - r["exact"]))
    return (
        f"{FORMS[form]} {row[form]:.3f} against {row['exact']:.3f} ({row['family']}, depth {row['depth']}, "
        f"{row['initial']} input, {row['readout']} readout, x = {row['x']:.2f}, s = {row['scale']:.3g})"
    )


_GROUPS = {
    "dephasing": DEPHASING,
    "damping, thermal": ("damping", "thermal"),
    "depolarizing": ("depolarizing",),
    "combination, device": ("combination", DEVICE),
}


def _figure(tables: Tables) -> Layout:
    """Exact survival against x, and against the resummed law's prediction."""
    rows = tables["data"].where(untouched=False)
    groups = {name: rows.among("family", families) for name, families in _GROUPS.items()}
    x, unit, exact = np.geomspace(0.003, 6.0, 200), (-0.02, 1.04), "exact survival R"
    collapse = [*grouped(groups, "x", "exact", size=3, alpha=0.65), curve(x, np.exp(-x), "exp(−x)")]
    predicted = [*grouped(groups, "resummed", "exact", size=3, alpha=0.65), diagonal()]
    return Layout(
        [
            Panel(collapse, "accumulated variable x = s κ", exact, log="x", ylim=unit, legend="lower left"),
            Panel(predicted, "survival by the resummed law", exact, xlim=unit, ylim=unit, legend=""),
        ],
        (3.5, 5.6),
    )


STUDY = Study(_tables, _criteria, _findings, _figure)
