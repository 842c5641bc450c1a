"""Study replica: how does the variance really fall with depth and width, and what does noise leave of it?

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
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from equinoise.circuit.builders import brickwork
from equinoise.coherence.bounds import certificate
from equinoise.coherence.spectrum import Estimate, coherence_spectrum
from equinoise.engines.evaluate import gradient_variance
from equinoise.engines.replica.average import EnsembleAverage, FirstOrderAverage, average, first_order_average
from equinoise.ensemble import Ensemble
from equinoise.evidence.frame.exponents import fall
from equinoise.evidence.frame.grid import DEPHASING, Case
from equinoise.evidence.frame.study import OKABE_ITO, Context, Criterion, StudyResult
from equinoise.problem import Problem
from equinoise.reduction.program import compile_problem
from equinoise.table import Table, Value, as_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw", "run"]

Real = npt.NDArray[np.float64]

NOISE = "dephasing:0.1"
RELATIVE_ERROR = 0.05
# of kappa and m2 of the open cone, whose difference is asked for
ORDERS_ERROR = 0.02
# a value whose truncation error is a greater share of it enters no exponent
TOLERANCE = 0.1
OPEN, NARROW, FIXED = "open cone", "narrow", "fixed depth"
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
# the open cone's exponents are those of the depths from here on, where the set goes beyond twice as deep
ASYMPTOTIC = (8, 16)
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
_CURVES = ("noiseless", "noiseless_each", "noisy", "plateau")


def run(context: Context) -> StudyResult:
    """Replica averages against draws, the bounds against replica averages, and V along depth and width.

    Args:
        context: Size, seed, workers, progress.

    Returns:
        Tables "data" (V along the families), "fits" (exponents), "local" (those between neighbouring depths), "draws"
        (against sampling) and "bounds" (certificate and linear programme).
    """
    sampled = SAMPLED if context.quick else (*SAMPLED, *MORE_SAMPLED)
    walks = _walks(context.quick)
    held = _held(context.quick)
    total = len(sampled) + len(walks) + len(held)
    done = 0
    draws: list[dict[str, Value]] = []
    for case in sampled:
        draws += _against_draws(case, context)
        done += 1
        context.tick(done, total)
    bounds: list[dict[str, Value]] = []
    for label, problem in held:
        bounds += _bound_rows(label, problem, context)
        done += 1
        context.tick(done, total)
    data: list[dict[str, Value]] = []
    for family, depth, n in walks:
        row, contained = _walk_row(family, depth, n, context)
        data.append(row)
        bounds += contained
        done += 1
        context.tick(done, total)
    return analyse(data, draws, bounds)


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


def _against_draws(case: Case, context: Context) -> list[dict[str, Value]]:
    """V from draws of the angles and without them, noiseless and at the stated noise."""
    problem = case.problem()
    samples, seed = 256 if context.quick else 1000, context.seed_for("replica", case.label)
    seen = gradient_variance(problem, (0.0, 1.0), samples, seed, engine="exact", workers=context.workers)
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


def _walk_row(family: str, depth: int, n: int, context: Context) -> tuple[dict[str, Value], list[dict[str, Value]]]:
    """V noiseless, at the stated noise and at the plateau, w0, where affordable kappa and m2; and the bounds on V."""
    problem = _problem(depth, n)
    found = average(problem, (0.0, 1.0, math.inf), RELATIVE_ERROR, workers=context.workers)
    row: dict[str, Value] = {
        "family": family,
        "depth": depth,
        "qubits": n,
        "width": found.width,
        "parameters": int(np.count_nonzero(found.per_parameter[0] > 1e-14)),
        "bond": found.bond,
        "met": found.met,
    }
    for i, name in enumerate(("noiseless", "noisy", "plateau")):
        row[name], row[f"{name}_error"] = float(found.variance[i]), float(found.error[i])
    # per parameter that the readout knows of at all
    for end in ("", "_error"):
        row[f"noiseless_each{end}"] = as_number(row[f"noiseless{end}"]) / max(1, as_number(row["parameters"]))
    least, most = ratio_interval(found)
    row["w0"] = float(found.variance[2] / found.variance[0])
    row["w0_error"] = float(max(most[2] - row["w0"], row["w0"] - least[2]))
    orders: FirstOrderAverage | None = None
    if family == NARROW or (family == OPEN and depth in (QUICK_ORDERS if context.quick else FULL_ORDERS)):
        wanted = ORDERS_ERROR if family == OPEN else RELATIVE_ERROR
        orders = first_order_average(problem, wanted, workers=context.workers)
    for name, attribute in (("kappa", "kappa"), ("m2", "second_moment")):
        row[name] = None if orders is None else float(getattr(orders, attribute))
        row[f"{name}_error"] = None if orders is None else float(getattr(orders, f"{attribute}_error"))
    # the variance of the rates, by which the law's second order departs from exp(-x)
    row["c2"] = None if orders is None else orders.second_moment - orders.kappa**2
    row["c2_error"] = (
        None if orders is None else orders.second_moment_error + 2 * abs(orders.kappa) * orders.kappa_error
    )
    row["uncertain"] = " ".join(
        name
        for name in ("noiseless", "noisy", "plateau", "w0", "kappa", "m2", "c2")
        if row[name] is not None and as_number(row[f"{name}_error"]) > TOLERANCE * abs(as_number(row[name])) + ROUNDING
    )
    return row, _contained(f"{family}/L={depth}/n={n}", problem, found, orders, ())


def _bound_rows(label: str, problem: Problem, context: Context) -> list[dict[str, Value]]:
    """Bounds at several scales, the linear programme being told V at two of them."""
    orders = first_order_average(problem, 0.01, workers=context.workers)
    found = average(problem, (*SCALES, math.inf), 0.01, workers=context.workers)
    return _contained(label, problem, found, orders, TOLD)


def _contained(
    label: str, problem: Problem, found: EnsembleAverage, orders: FirstOrderAverage | None, told: Sequence[float]
) -> list[dict[str, Value]]:
    """V(s)/V(0) in its truncation interval, and the certificate's and linear programme's bounds in theirs.

    Args:
        label: Of the problem.
        problem: With diagonal dephasing.
        found: V at 0, at other scales and, last, at infinity.
        orders: kappa, m2 and w0; without them the bounds follow from w0 alone.
        told: Scales at which the linear programme knows V, besides.
    """
    proof = certificate(compile_problem(problem), Ensemble())
    low, high = ratio_interval(found)
    share = Estimate((low[-1] + high[-1]) / 2, low=low[-1], high=high[-1])
    kappa = moment = None
    if orders is not None:
        kappa = _estimate(orders.kappa, orders.kappa_error)
        share = _estimate(orders.fixed_point_share, orders.fixed_point_share_error)
        moment = _estimate(orders.second_moment, orders.second_moment_error)
    finite = [(i, float(s)) for i, s in enumerate(found.scales) if 0 < s < math.inf]
    known = {s: Estimate((low[i] + high[i]) / 2, low=low[i], high=high[i]) for i, s in finite if s in told}
    spectrum = coherence_spectrum({**known, math.inf: share}, proof, kappa=kappa, second_moment=moment)
    out: list[dict[str, Value]] = []
    for i, s in finite:
        least, most = as_number(share.low), 1.0
        greatest = proof.greatest_rate
        if kappa is not None:
            least = max(math.exp(-2 * s * as_number(kappa.high)), least)
            most = 1 - as_number(kappa.low) * (-math.expm1(-2 * s * greatest) / greatest if greatest > 0 else 0.0)
        least_lp, most_lp = (float(v) for v in spectrum.ratio_bounds(s))
        out.append(
            {
                "case": label,
                "proved": proof.proved,
                "scale": s,
                "kappa": None if orders is None else orders.kappa,
                "greatest_rate": greatest,
                "low": float(low[i]),
                "high": float(high[i]),
                "certificate_lower": least,
                "certificate_upper": most,
                "program_lower": least_lp,
                "program_upper": most_lp,
                "widening": spectrum.widening,
                "foretold": s not in told,
                # how far even the nearest end of V's interval lies outside; negative inside
                "outside_certificate": float(max(least - high[i], low[i] - most)),
                "outside_program": float(max(least_lp - high[i], low[i] - most_lp)),
            }
        )
    return out


def ratio_interval(found: EnsembleAverage) -> tuple[Real, Real]:
    """V(s)/V(0) of an average whose first scale is 0: the least and greatest that its truncation intervals allow."""
    low = (found.variance - found.error).clip(min=0) / (found.variance[0] + found.error[0])
    high = (found.variance + found.error) / (found.variance[0] - found.error[0])
    return low, high


def _estimate(value: float, error: float) -> Estimate:
    return Estimate(value, low=max(value - error, 0.0) if value >= 0 else value - error, high=value + error)


# -- how it falls ------------------------------------------------------------------------------------------------------


def _fits(data: Sequence[Mapping[str, Value]]) -> list[dict[str, Value]]:
    """Every curve with at least three known points as a power law and as an exponential in depth (or in n)."""
    curves: list[tuple[str, str, tuple[str, ...], Sequence[Mapping[str, Value]]]] = []
    whole = [r for r in data if r["family"] == OPEN]
    deepest = max((as_number(r["depth"]) for r in whole), default=0.0)
    for start in sorted({min(depth, deepest / 2) for depth in ASYMPTOTIC}):
        along = [r for r in whole if as_number(r["depth"]) >= start]
        curves.append((OPEN, "depth", (*_CURVES, "kappa", "m2", "c2", "w0"), along))
    for n in sorted({as_number(r["qubits"]) for r in data if r["family"] == NARROW}):
        along = [r for r in data if r["family"] == NARROW and r["qubits"] == n]
        curves.append((f"{NARROW}, n = {n:g}", "depth", _CURVES, along))
    for depth in sorted({as_number(r["depth"]) for r in data if r["family"] == FIXED}):
        along = [r for r in data if r["family"] == FIXED and r["depth"] == depth]
        some = [r for r in along if as_number(r["qubits"]) <= 2 * depth]
        curves.append((f"{FIXED} {depth:g}", "qubits", _CURVES, some))
    out: list[dict[str, Value]] = []
    for family, variable, names, rows in curves:
        for name in names:
            positive = [r for r in rows if r[name] is not None and as_number(r[name]) > 0]
            sure = [r for r in positive if as_number(r[f"{name}_error"]) <= TOLERANCE * as_number(r[name])]
            if len(sure) < 3:
                continue
            power, exponential = fall(*([as_number(r[c]) for r in sure] for c in (variable, name, f"{name}_error")))
            out.append(
                {
                    "family": family,
                    "variable": variable,
                    "quantity": name,
                    "points": len(sure),
                    "left_out": len(positive) - len(sure),
                    "from": as_number(sure[0][variable]),
                    "to": as_number(sure[-1][variable]),
                    "power": power.slope,
                    "power_error": power.error,
                    "power_r2": power.r2,
                    "rate": -exponential.slope,
                    "rate_error": exponential.error,
                    "exponential_r2": exponential.r2,
                    "better": "power law" if power.r2 >= exponential.r2 else "exponential",
                }
            )
    return out


def _local(data: Sequence[Mapping[str, Value]]) -> list[dict[str, Value]]:
    """Exponent and rate between neighbouring depths of the open cone: a law keeps one of the two."""
    out: list[dict[str, Value]] = []
    along = [r for r in data if r["family"] == OPEN]
    for name in ("noiseless", "noisy", "plateau", "kappa", "c2", "w0"):
        known = [r for r in along if r[name] is not None and as_number(r[name]) > 0]
        for first, second in itertools.pairwise(known):
            columns = ("depth", name, f"{name}_error")
            power, exponential = fall(*([as_number(r[c]) for r in (first, second)] for c in columns))
            row: dict[str, Value] = {"quantity": name, "from": first["depth"], "to": second["depth"]}
            row |= {"power": power.slope, "power_error": power.error}
            out.append(row | {"rate": -exponential.slope, "rate_error": exponential.error})
    return out


# -- verdict -----------------------------------------------------------------------------------------------------------


def analyse(
    data: Sequence[Mapping[str, Value]], draws: Sequence[Mapping[str, Value]], bounds: Sequence[Mapping[str, Value]]
) -> StudyResult:
    """The study's result from its rows."""
    fits = _fits(data)
    tables = {
        "data": Table.from_rows(data),
        "fits": Table.from_rows(fits),
        "draws": Table.from_rows(draws),
        "bounds": Table.from_rows(bounds),
        "local": Table.from_rows(_local(data)),
    }
    proved = [r for r in bounds if r["proved"]]
    criteria = (
        Criterion(
            "largest difference of V from its draws, in standard errors",
            max(abs(as_number(r["deviation"])) for r in draws),
            4.0,
            False,
        ),
        Criterion(
            "farthest that V(s)/V(0) lies outside the certificate, beyond truncation",
            max(as_number(r["outside_certificate"]) for r in proved),
            ROUNDING,
            False,
        ),
        Criterion(
            "farthest that V(s)/V(0) lies outside the linear-programming bounds, beyond truncation",
            max(as_number(r["outside_program"]) for r in proved),
            ROUNDING,
            False,
        ),
        Criterion("dephasing cases that the certificate did not recognise", float(len(bounds) - len(proved)), 0, False),
        Criterion(
            "points of the walks whose relative error was not met", float(sum(not r["met"] for r in data)), 0, False
        ),
    )
    return StudyResult(tables, criteria, tuple(_findings(data, fits, draws, bounds)), draw)


def _findings(
    data: Sequence[Mapping[str, Value]],
    fits: Sequence[Mapping[str, Value]],
    draws: Sequence[Mapping[str, Value]],
    bounds: Sequence[Mapping[str, Value]],
) -> list[str]:
    cases = len({r["case"] for r in draws})
    out = [
        f"Against the exact engine's draws: {len(draws)} values of V of {cases} problems, the farthest "
        f"{max(abs(as_number(r['deviation'])) for r in draws):.2f} standard errors away."
    ]
    width = [as_number(r["program_upper"]) - as_number(r["program_lower"]) for r in bounds if r["foretold"]]
    chord = [as_number(r["certificate_upper"]) - as_number(r["certificate_lower"]) for r in bounds if r["foretold"]]
    out.append(
        f"The bounds contain V(s)/V(0) at {len(bounds)} points of {len({r['case'] for r in bounds})} problems; at the "
        f"scales that were not told the certificate leaves {np.mean(chord):.3g} open on average and the linear "
        f"programme {np.mean(width):.2g}."
    )
    for fit in fits:
        out.append(
            f"{fit['family']}, {fit['quantity']} against {fit['variable']} from {fit['from']:g} to {fit['to']:g}: "
            f"power {fit['power']:.3f} +- {fit['power_error']:.2g} (R^2 {fit['power_r2']:.4f}), "
            f"exponential rate {fit['rate']:.4f} +- {fit['rate_error']:.2g} (R^2 {fit['exponential_r2']:.4f})."
        )
    return out


def draw(tables: Mapping[str, Table]) -> Figure:
    """V along depth with an open cone and with a narrow one, and kappa, m2 and w0 along depth."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    figure = Figure(figsize=(3.5, 7.2), layout="constrained")
    top, middle, bottom = figure.subplots(3, 1)
    rows = tables["data"].rows()
    along = [r for r in rows if r["family"] == OPEN]
    depth = [as_number(r["depth"]) for r in along]
    styles = (("noiseless", OKABE_ITO[0], "o"), ("noisy", OKABE_ITO[1], "s"), ("plateau", OKABE_ITO[2], "^"))
    for name, colour, marker in styles:
        value, error = ([as_number(r[c]) for r in along] for c in (name, f"{name}_error"))
        top.errorbar(depth, value, error, color=colour, marker=marker, markersize=4, linewidth=1, label=name)
    top.set(xscale="log", yscale="log", xlabel="depth L, cone width 2 L", ylabel="V")
    top.set_title(f"open cone, {NOISE}", fontsize=9)
    narrow = [r for r in rows if r["family"] == NARROW]
    for n, fill in zip(sorted({as_number(r["qubits"]) for r in narrow}), ("full", "none", "left"), strict=False):
        some = [r for r in narrow if r["qubits"] == n]
        for name, colour, marker in styles:
            middle.plot(
                [as_number(r["depth"]) for r in some],
                [as_number(r[name]) for r in some],
                color=colour,
                marker=marker,
                markersize=4,
                linewidth=1,
                fillstyle=fill,
                label=name if fill == "full" else None,
            )
    middle.set(yscale="log", xlabel="depth L", ylabel="V")
    sizes = ", ".join(f"{n:g}" for n in sorted({as_number(r["qubits"]) for r in narrow}))
    middle.set_title(f"narrow, n = {sizes} (full, open, half symbols)", fontsize=9)
    for name, colour, marker in (("kappa", OKABE_ITO[0], "o"), ("c2", OKABE_ITO[1], "s"), ("w0", OKABE_ITO[2], "^")):
        known = [r for r in along if r[name] is not None and as_number(r[name]) > ROUNDING]
        x, value, error = ([as_number(r[c]) for r in known] for c in ("depth", name, f"{name}_error"))
        bottom.errorbar(x, value, error, color=colour, marker=marker, markersize=4, linewidth=1, label=name)
    bottom.set(xscale="log", yscale="log", xlabel="depth L, cone width 2 L", ylabel="kappa, c2, w0")
    for axes in (top, bottom):
        axes.set_xticks([2, 5, 10, 20, 40])
        axes.xaxis.set_major_formatter(ScalarFormatter())
        for scale in (axes.xaxis, axes.yaxis):
            scale.set_minor_formatter(NullFormatter())
    for axes in (top, middle, bottom):
        axes.legend(fontsize=6, frameon=False)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    return figure
