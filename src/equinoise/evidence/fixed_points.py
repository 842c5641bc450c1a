"""Can the fate of the gradient be read off the noise's fixed point alone?

The class comes from one state of the circuit and the limit channel of the noise
(:mod:`equinoise.coherence.fixed_point`); gradients are computed only afterwards, from s = 0 down to s = infinity:

* *untouched* (collective dephasing in one sector): V(inf) = V(0);
* *classical* (local dephasing): the diagonal lives on as a classical process, 0 < V(inf)/V(0) < 1 for a Z readout and 0
  for a hopping readout, which sees coherences only;
* *too mixed* (depolarizing, relaxation both ways): V(inf) = 0;
* *too symmetric* (damping to |0..0>): V(inf) = 0;
* *partly protected* (one half of the register dephased collectively): some coherences stay.

A second table holds w0 = V(inf)/V(0) of Z readouts under local dephasing for n = 5 and L = 3, 5 beside 0.84 and 0.51,
two values stated for these sizes without a circuit.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from equinoise.circuit.builders import brickwork
from equinoise.coherence.fixed_point import FixedPoint, fixed_point
from equinoise.engines.evaluate import GradientVariance, gradient_variance
from equinoise.engines.select import exact_engine
from equinoise.evidence.frame.figure_panels import MARKERS, OKABE_ITO, Layout, Panel, Points
from equinoise.evidence.frame.rows import Row, Rows, Tables, along, listed
from equinoise.evidence.frame.study import Context, Criterion, Study, at_least, at_most
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import Dephasing
from equinoise.problem import Problem

__all__ = ["CASES", "STUDY"]

QUBITS, DEPTH, RATE = 6, 4, 0.1
HALF = NoiseModel(dephasing=[Dephasing(RATE, tuple((q, 1.0) for q in range(QUBITS // 2)))], name="half collective")
Z, HOPPING = "Z2", "X2X3+Y2Y3"
# channel, noise, readout, class expected
CASES: tuple[tuple[str, NoiseModel | str, str, str], ...] = (
    ("collective dephasing", f"collective:{RATE}", Z, "untouched"),
    ("half the register collectively dephased", HALF, Z, "partly protected"),
    ("local dephasing", f"dephasing:{RATE}", Z, "classical"),
    ("local dephasing, hopping readout", f"dephasing:{RATE}", HOPPING, "classical"),
    ("depolarizing", f"depolarizing:{RATE}", Z, "too mixed"),
    ("relaxation up and down alike", f"relaxation:down={RATE},up={RATE}", Z, "too mixed"),
    ("damping", f"relaxation:{RATE}", Z, "too symmetric"),
)
SCALES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, math.inf)
QUOTED = {3: 0.84, 5: 0.51}
SMALL_QUBITS = 5
FLOOR = 1e-8


def _tables(context: Context) -> dict[str, list[Row]]:
    """V by channel and scale ("data"), classes predicted and expected ("classes"), w0 for n = 5 ("quoted")."""
    draws = 24 if context.quick else 400
    total = len(CASES) + len(QUOTED) * SMALL_QUBITS
    sampling = context.sampling(draws, "fixed-point", "draws")
    problems = [Problem(brickwork(QUBITS, DEPTH), readout, "neel", noise) for _, noise, readout, _ in CASES]
    # the fixed points first: no gradient is known yet
    points = []
    for problem in problems:
        theta = replace(sampling, samples=1).draw(problem)[0]
        points.append(fixed_point(exact_engine(problem, workers=context.workers), theta))
    data: list[Row] = []
    classes: list[Row] = []
    for problem, point, case in zip(problems, points, CASES, strict=True):
        found = gradient_variance(problem, SCALES, sampling=sampling)
        data += _curve(found, point, case)
        classes.append(_class(found, point, case))
        context.tick(len(classes), total)
    quoted: list[Row] = []
    for depth in QUOTED:
        for site in range(SMALL_QUBITS):
            quoted.append(_quoted(depth, site, context))
            context.tick(len(CASES) + len(quoted), total)
    return {"data": data, "classes": classes, "quoted": quoted}


def _curve(found: GradientVariance, point: FixedPoint, case: tuple[str, NoiseModel | str, str, str]) -> list[Row]:
    columns = {"variance": found.variance, "standard_error": found.standard_error, "survival": found.survival}
    return along({"channel": case[0], "class": point.kind, "readout": case[2]}, scale=np.asarray(SCALES), **columns)


def _share(found: GradientVariance) -> tuple[float, float]:
    """V(inf)/V(0) and its standard error; infinity is the last scale."""
    share = float(found.variance[-1] / found.variance[0])
    return share, float(2 * found.survival[-1] * found.survival_error[-1])


def _class(found: GradientVariance, point: FixedPoint, case: tuple[str, NoiseModel | str, str, str]) -> Row:
    share, error = _share(found)
    return {
        "channel": case[0],
        "readout": case[2],
        "expected": case[3],
        "predicted": point.kind,
        "purity": point.purity,
        "commutator": point.commutator,
        "coherence": point.coherence,
        "variance_noiseless": float(found.variance[0]),
        "variance_infinite": float(found.variance[-1]),
        "fixed_point_share": share,
        "share_error": error,
    }


def _quoted(depth: int, site: int, context: Context) -> Row:
    problem = Problem(brickwork(SMALL_QUBITS, depth), f"Z{site}", "neel", f"dephasing:{RATE}")
    sampling = context.sampling(200 if context.quick else 3000, "fixed-point", "quoted", depth, site)
    found = gradient_variance(problem, (0.0, math.inf), sampling=sampling)
    share, error = _share(found)
    return {
        "qubits": SMALL_QUBITS,
        "depth": depth,
        "readout": f"Z{site}",
        "fixed_point_share": share,
        "standard_error": error,
        "survival": float(found.survival[1]),
        "quoted": QUOTED[depth],
    }


def _criteria(tables: Tables) -> list[Criterion]:
    rows, share = tables["classes"], "fixed_point_share"
    seen, blind = (rows.row(channel=f"local dephasing{end}")[share] for end in ("", ", hopping readout"))
    partly = rows.row(expected="partly protected")[share]
    wrong = len(rows.where(lambda r: r["predicted"] != r["expected"]))
    return [
        at_most("channels whose class was predicted wrongly", wrong, 0),
        at_most(
            "untouched: distance of V(inf)/V(0) from 1", rows.where(expected="untouched").largest_size(share, 1), 1e-10
        ),
        at_least("classical, Z readout: distance of V(inf)/V(0) from 0 and 1", min(seen, 1 - seen), 0.05),
        at_most("classical, hopping readout: V(inf)/V(0)", blind, 1e-20),
        at_least("partly protected: distance of V(inf)/V(0) from 0 and 1", min(partly, 1 - partly), 0.05),
        *(
            at_most(f"{kind}: largest V(inf)/V(0)", rows.where(expected=kind).largest(share), 1e-20)
            for kind in ("too mixed", "too symmetric")
        ),
    ]


def _findings(tables: Tables) -> list[str]:
    rows = tables["classes"]

    def share(channel: str) -> str:
        row = rows.row(channel=channel)
        return f"{row['fixed_point_share']:.3f} +- {row['share_error']:.3f}"

    quoted = []
    for depth, value in QUOTED.items():
        found = Rows({**r, "off": abs(r["fixed_point_share"] - value)} for r in tables["quoted"].where(depth=depth))
        near = found.lowest("off")
        distance = near["off"] / max(near["standard_error"], 1e-12)
        verdict = "within 4 standard errors" if distance <= 4 else f"{distance:.0f} standard errors off"
        quoted.append(
            f"L = {depth}: {listed(f'{one:.3f}' for one in found.column('fixed_point_share'))} for "
            f"Z0..Z{SMALL_QUBITS - 1} (at most {found.largest('standard_error'):.3f} standard error) against {value} "
            f"quoted, nearest {near['readout']}, {verdict}"
        )
    hopping = rows.row(channel="local dephasing, hopping readout")["fixed_point_share"]
    return [
        "The class read off the fixed point alone, before any gradient, is right for "
        f"{len(rows.where(lambda r: r['predicted'] == r['expected']))} of {len(rows)} channels.",
        f"Under local dephasing a Z readout keeps V(inf)/V(0) = {share('local dephasing')} as a classical stochastic "
        f"process, a hopping readout {hopping:.1g}: the class says what the state keeps, and the "
        "readout must be able to see it.",
        f"With half the register dephased collectively {share('half the register collectively dephased')} is left.",
        f"w0 of local dephasing on open brickwork of {SMALL_QUBITS} qubits (XX+YY, RZZ, RZ; Neel input): "
        f"{'; '.join(quoted)}. The design that quotes these numbers does not state their circuit, so nothing is "
        "judged by them.",
    ]


def _figure(tables: Tables) -> Layout:
    """V(s)/V(0) by channel, the last point at s = infinity."""
    curves, ends = [], []
    for number, (channel, rows) in enumerate(tables["data"].by("channel").items()):
        scale, ratio = rows.column("scale"), rows.column("survival") ** 2
        shown = np.isfinite(scale) & (scale > 0) & (ratio > FLOOR)
        colour, marker, label = OKABE_ITO[number], MARKERS[number], f"{channel}: {rows[0]['class']}"
        curves.append(Points(scale[shown], ratio[shown], label=label, colour=colour, marker=marker, line="-"))
        last = marker if ratio[-1] > FLOOR else "v"
        ends.append(Points([0.15 * number], [max(ratio[-1], FLOOR)], colour=colour, marker=last, size=6))
    limits = (FLOOR / 2, 2.0)
    return Layout(
        [
            Panel(curves, "noise scale s", "V(s) / V(0)", log="xy", ylim=limits, legend="lower left"),
            Panel(
                ends,
                title="(bottom: < 1e-8)",
                log="y",
                xlim=(-0.2, 1.1),
                ylim=limits,
                legend="",
                xticks={0.45: r"$\infty$"},
            ),
        ],
        (8.6, 4.4),
        columns=2,
        share_y=True,
        widths=(8, 1),
    )


STUDY = Study(_tables, _criteria, _findings, _figure)
