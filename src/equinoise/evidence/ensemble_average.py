"""How does the variance really fall with depth and width, and what does noise leave of it? The study "replica".

The ensemble average V(s) is computed without sampling (engine "replica"), so that each number comes with the interval
that truncation leaves instead of a sampling error. First it is held against draws; then the law's bounds are held
against it; then it is followed along three families of brickworks with a Z readout in the middle:

* *open cone*: n = 2 L + 4 qubits, so that the cone has its full width w = 2 L at every depth L;
* *narrow*: n fixed and depth growing, the cone soon being the whole line;
* *fixed depth*: L fixed and n growing until the cone no longer reaches the ends.

A value whose truncation error exceeds a tenth of itself is marked as uncertain and enters no exponent. An exponent's
error is the most that the truncation intervals can move it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np

from equinoise.circuit.builders import brickwork
from equinoise.engines.evaluate import gradient_variance
from equinoise.engines.replica.average import EnsembleAverage, FirstOrderAverage, average, first_order_average
from equinoise.evidence.ensemble_bounds import contained, ratio_interval
from equinoise.evidence.ensemble_falls import FIXED, NARROW, OPEN, SPREAD, TOLERANCE, fits, local_exponents
from equinoise.evidence.frame.cases import Case
from equinoise.evidence.frame.channels import DEPHASING
from equinoise.evidence.frame.figure_panels import OKABE_ITO, Layout, Panel, Points
from equinoise.evidence.frame.rows import Row, Rows, Tables
from equinoise.evidence.frame.study import Context, Criterion, Study, at_most
from equinoise.problem import Problem

__all__ = ["STUDY", "tables_of"]

NOISE = "dephasing:0.1"
RELATIVE_ERROR = 0.05
# of kappa and m2 of the open cone, whose difference is asked for
ORDERS_ERROR = 0.02
QUICK_OPEN = (2, 3, 4, 5, 6)
FULL_OPEN = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 24, 30, 40)
QUICK_NARROW = {4: (2, 5, 10, 20, 40), 6: (4, 8)}
FULL_NARROW = {
    4: (2, 4, 6, 8, 10, 14, 20, 28, 40),
    6: (4, 6, 8, 10, 14, 20, 28, 40),
    8: (4, 6, 8, 10, 14, 20, 28, 40),
}
# depth -> numbers of qubits
FULL_FIXED = {10: (4, 6, 8, 10, 12, 14, 16, 18, 60), 30: (4, 8, 16, 24, 40, 60)}
# depths of the open cone at which kappa, m2 and w0 are worked out as well; on narrow lines at every depth
QUICK_ORDERS, FULL_ORDERS = (2, 3, 4), (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20)
SCALES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
# what the linear programme is told besides kappa, m2 and w0; it has to foretell the others
TOLD = (0.5, 2.0)
SAMPLED = (
    *(Case(family, 3, 6, "neel", readout) for family, readout in (("local", "Z"), ("pair-correlated", "hopping"))),
    *(Case(family, 3, 6, "neel", readout) for family, readout in (("damping", "ZZ"), ("depolarizing", "Z"))),
)
MORE_SAMPLED = (
    *(Case(family, 4, 6, "neel", readout) for family in ("local", "thermal") for readout in ("Z", "ZZ", "hopping")),
    *(Case(family, 3, 6, "neel", "Z", member=1) for family in ("pair-correlated", "depolarizing", "combination")),
    Case("local", 5, 10, "dilute", "Z"),
    Case("local", 4, 6, "neel", "Z", projected=True),
)
ROUNDING = 1e-9


def _tables(context: Context) -> dict[str, list[Row]]:
    """Replica averages against draws, the bounds against replica averages, and V along depth and width."""
    sampled = SAMPLED if context.quick else (*SAMPLED, *MORE_SAMPLED)
    walks, held = _walks(context.quick), _held(context.quick)
    done, total = itertools.count(1), len(sampled) + len(walks) + len(held)
    data: list[Row] = []
    draws: list[Row] = []
    bounds: list[Row] = []
    for case in sampled:
        draws += _draw_rows(case, context)
        context.tick(next(done), total)
    for label, problem in held:
        bounds += _bound_rows(label, problem, context)
        context.tick(next(done), total)
    for family, depth, n in walks:
        row, inside = _walk_row(family, depth, n, context)
        data.append(row)
        bounds += inside
        context.tick(next(done), total)
    return tables_of(data, draws, bounds)


def tables_of(data: list[Row], draws: list[Row], bounds: list[Row]) -> dict[str, list[Row]]:
    """V along the families ("data"), against sampling ("draws"), in its "bounds", with "fits" and "local" exponents."""
    return {
        "data": data,
        "fits": fits(Rows(data)),
        "draws": draws,
        "bounds": bounds,
        "local": local_exponents(Rows(data)),
    }


def _walks(quick: bool) -> list[tuple[str, int, int]]:
    """(family, depth, n)."""
    depths, narrow = (QUICK_OPEN, QUICK_NARROW) if quick else (FULL_OPEN, FULL_NARROW)
    out = [(OPEN, depth, 2 * depth + 4) for depth in depths]
    out += [(NARROW, depth, n) for n, along in narrow.items() for depth in along]
    if not quick:
        out += [(FIXED, depth, n) for depth, along in FULL_FIXED.items() for n in along]
    return out


def _held(quick: bool) -> list[tuple[str, Problem]]:
    """Problems of diagonal dephasing under random phases, for which the bounds are proved."""
    families = ("local", "inhomogeneous", "pair-correlated", "single-site") if quick else DEPHASING
    cases = [Case(f, 3, 6, "neel", r) for f in families for r in (("Z",) if quick else ("Z", "ZZ", "hopping"))]
    depths = QUICK_OPEN[:3] if quick else FULL_OPEN[:7]
    out = [(case.label, case.problem()) for case in cases]
    return out + [(f"{OPEN}/L={depth}", _problem(depth, 2 * depth + 4)) for depth in depths]


def _problem(depth: int, n: int) -> Problem:
    return Problem(brickwork(n, depth), readout=f"Z{n // 2}", initial="neel", noise=NOISE)


# -- rows --------------------------------------------------------------------------------------------------------------


def _draw_rows(case: Case, context: Context) -> list[Row]:
    """V from draws of the angles and without them, noiseless and at the stated noise."""
    problem = case.problem()
    samples = 256 if context.quick else 1000
    sampling = context.sampling(samples, "replica", case.label, engine="exact")
    seen = gradient_variance(problem, (0.0, 1.0), sampling=sampling)
    known = average(problem, (0.0, 1.0), workers=context.workers)
    return [
        {
            "case": case.label,
            "scale": float(known.scales[i]),
            "samples": samples,
            "sampled": float(seen.variance[i]),
            "standard_error": float(seen.standard_error[i]),
            "replica": float(known.variance[i]),
            "replica_error": float(known.error[i]),
            "deviation": float(
                (seen.variance[i] - known.variance[i]) / math.hypot(seen.standard_error[i], known.error[i])
            ),
        }
        for i in range(2)
    ]


def _walk_row(family: str, depth: int, n: int, context: Context) -> tuple[Row, list[Row]]:
    """V noiseless, at the stated noise and at the plateau, w0, where affordable kappa and m2; and the bounds on V."""
    problem = _problem(depth, n)
    found = average(problem, (0.0, 1.0, math.inf), RELATIVE_ERROR, workers=context.workers)
    orders: FirstOrderAverage | None = None
    if family == NARROW or (family == OPEN and depth in (QUICK_ORDERS if context.quick else FULL_ORDERS)):
        wanted = ORDERS_ERROR if family == OPEN else RELATIVE_ERROR
        orders = first_order_average(problem, wanted, workers=context.workers)
    parameters = int(np.count_nonzero(found.per_parameter[0] > 1e-14))
    values = {**_averages(found, parameters), **_orders(orders)}
    row: Row = {
        "family": family,
        "depth": depth,
        "qubits": n,
        "width": found.width,
        "parameters": parameters,
        "bond": found.bond,
        "met": found.met,
    }
    for name, (value, error) in values.items():
        row |= {name: value, f"{name}_error": error}
    judged = [name for name in values if name != "noiseless_each" and row[name] is not None]
    unsure = [name for name in judged if row[f"{name}_error"] > TOLERANCE * abs(row[name]) + ROUNDING]
    row["uncertain"] = " ".join(unsure)
    return row, contained(f"{family}/L={depth}/n={n}", problem, found, orders, ())


def _averages(found: EnsembleAverage, parameters: int) -> dict[str, tuple[float, float]]:
    """V at the three scales and w0, each with its truncation error."""
    out = {
        name: (float(found.variance[i]), float(found.error[i]))
        for i, name in enumerate(("noiseless", "noisy", "plateau"))
    }
    # per parameter that the readout knows of at all
    each, error = (float(end / max(1, parameters)) for end in out["noiseless"])
    least, most = ratio_interval(found)
    share = float(found.variance[2] / found.variance[0])
    return {**out, "noiseless_each": (each, error), "w0": (share, float(max(most[2] - share, share - least[2])))}


def _orders(orders: FirstOrderAverage | None) -> dict[str, tuple[float | None, float | None]]:
    """kappa, m2 and the variance of the rates, sigma_Gamma^2 = m2 - kappa^2, each with its truncation error."""
    if orders is None:
        return dict.fromkeys(("kappa", "m2", SPREAD), (None, None))
    kappa, moment = orders.kappa, orders.second_moment
    spread_error = orders.second_moment_error + 2 * abs(kappa) * orders.kappa_error
    return {
        "kappa": (float(kappa), float(orders.kappa_error)),
        "m2": (float(moment), float(orders.second_moment_error)),
        SPREAD: (float(moment - kappa**2), float(spread_error)),
    }


def _bound_rows(label: str, problem: Problem, context: Context) -> list[Row]:
    """Bounds at several scales, the linear programme being told V at two of them."""
    orders = first_order_average(problem, 0.01, workers=context.workers)
    found = average(problem, (*SCALES, math.inf), 0.01, workers=context.workers)
    return contained(label, problem, found, orders, TOLD)


# -- verdict -----------------------------------------------------------------------------------------------------------


def _criteria(tables: Tables) -> list[Criterion]:
    bounds, proved = tables["bounds"], tables["bounds"].where(proved=True)
    outside = "farthest that V(s)/V(0) lies outside the"
    return [
        at_most(
            "largest difference of V from its draws, in standard errors", tables["draws"].largest_size("deviation"), 4
        ),
        at_most(f"{outside} certificate, beyond truncation", proved.largest("outside_certificate"), ROUNDING),
        at_most(f"{outside} linear-programming bounds, beyond truncation", proved.largest("outside_program"), ROUNDING),
        at_most("dephasing cases that the certificate did not recognise", len(bounds) - len(proved), 0),
        at_most("points of the walks whose relative error was not met", len(tables["data"].where(met=False)), 0),
    ]


def _findings(tables: Tables) -> list[str]:
    draws, bounds = tables["draws"], tables["bounds"]
    foretold = bounds.where(foretold=True)
    chord, width = (
        (foretold.column(f"{kind}_upper") - foretold.column(f"{kind}_lower")).mean()
        for kind in ("certificate", "program")
    )
    return [
        f"Against the exact engine's draws: {len(draws)} values of V of {len(draws.distinct('case'))} problems, the "
        f"farthest {draws.largest_size('deviation'):.2f} standard errors away.",
        f"The bounds contain V(s)/V(0) at {len(bounds)} points of {len(bounds.distinct('case'))} problems; at the "
        f"scales that were not told the certificate leaves {chord:.3g} open on average and the linear "
        f"programme {width:.2g}.",
        *(
            f"{fit['family']}, {fit['quantity']} against {fit['variable']} from {fit['from']:g} to {fit['to']:g}: "
            f"power {fit['power']:.3f} +- {fit['power_error']:.2g} (R^2 {fit['power_r2']:.4f}), "
            f"exponential rate {fit['rate']:.4f} +- {fit['rate_error']:.2g} (R^2 {fit['exponential_r2']:.4f})."
            for fit in tables["fits"]
        ),
    ]


def _lines(rows: Rows, names: Mapping[str, str | None], filling: str = "full") -> list[Points]:
    """Columns against depth with their truncation errors where they are more than rounding, one colour each."""
    out = []
    for (name, label), colour, marker in zip(names.items(), OKABE_ITO, "os^", strict=False):
        known = rows.between(name, ROUNDING)
        depth, value, error = (known.column(column) for column in ("depth", name, f"{name}_error"))
        out.append(Points(depth, value, error, label, colour, marker, line="-", filling=filling))
    return out


def _figure(tables: Tables) -> Layout:
    """V along depth with an open cone and with a narrow one, and kappa, the rates' variance and w0 along depth."""
    along, narrow = (tables["data"].where(family=family) for family in (OPEN, NARROW))
    curves = {name: name for name in ("noiseless", "noisy", "plateau")}
    orders = {"kappa": r"$\kappa$", SPREAD: r"$\sigma_\Gamma^2$", "w0": "$w_0$"}
    by_width = sorted(narrow.by("qubits").items())
    middle = [
        points
        for (_, rows), filling in zip(by_width, ("full", "none", "left"), strict=False)
        for points in _lines(rows, curves if filling == "full" else dict.fromkeys(curves), filling)
    ]
    title = f"narrow, n = {', '.join(f'{n:g}' for n, _ in by_width)} (full, open, half symbols)"
    ticks = {float(depth): f"{depth}" for depth in (2, 5, 10, 20, 40)}
    depth = "depth L, cone width 2 L"
    return Layout(
        [
            Panel(_lines(along, curves), depth, "V", f"open cone, {NOISE}", log="xy", xticks=ticks),
            Panel(middle, "depth L", "V", title, log="y"),
            Panel(_lines(along, orders), depth, ", ".join(orders.values()), log="xy", xticks=ticks),
        ],
        (3.5, 7.2),
    )


STUDY = Study(_tables, _criteria, _findings, _figure)
