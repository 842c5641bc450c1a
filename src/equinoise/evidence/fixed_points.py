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
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from equinoise.circuit.builders import brickwork
from equinoise.coherence.fixed_point import fixed_point
from equinoise.engines.evaluate import gradient_variance
from equinoise.engines.select import exact_engine
from equinoise.ensemble import Ensemble
from equinoise.evidence.frame.study import Context, Criterion, StudyResult
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import Dephasing
from equinoise.problem import Problem
from equinoise.table import Table, as_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CASES", "draw", "run"]

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
STYLES = {
    "collective dephasing": ("#000000", "o", "-"),
    "half the register collectively dephased": ("#CC79A7", "v", "-"),
    "local dephasing": ("#0072B2", "s", "-"),
    "local dephasing, hopping readout": ("#56B4E9", "D", "--"),
    "depolarizing": ("#E69F00", "^", "-"),
    "relaxation up and down alike": ("#D55E00", "P", "--"),
    "damping": ("#009E73", "X", "-"),
}


def run(context: Context) -> StudyResult:
    """Reads the class of each channel off its fixed point, then follows V(s) down to s = infinity.

    Args:
        context: Size, seed, workers, progress.

    Returns:
        Tables "data" (V by channel and scale), "classes" (predicted against expected) and "quoted" (w0 for n = 5).
    """
    draws = 24 if context.quick else 400
    small = 200 if context.quick else 3000
    total = len(CASES) + len(QUOTED) * SMALL_QUBITS
    seed = context.seed_for("fixed-point", "draws")
    problems = [Problem(brickwork(QUBITS, DEPTH), readout, "neel", noise) for _, noise, readout, _ in CASES]
    # the fixed points first: no gradient is known yet
    points = []
    for problem in problems:
        theta = Ensemble().draw(problem, 1, seed)[0]
        points.append(fixed_point(exact_engine(problem, workers=context.workers), theta))
    data: list[dict[str, Any]] = []
    classes: list[dict[str, Any]] = []
    for number, (problem, point, (channel, _, readout, expected)) in enumerate(
        zip(problems, points, CASES, strict=True)
    ):
        found = gradient_variance(problem, SCALES, draws, seed, workers=context.workers)
        for scale, variance, error, survival in zip(
            SCALES, found.variance, found.standard_error, found.survival, strict=True
        ):
            data.append(
                {
                    "channel": channel,
                    "class": point.kind,
                    "readout": readout,
                    "scale": scale,
                    "variance": float(variance),
                    "standard_error": float(error),
                    "survival": float(survival),
                }
            )
        share = float(found.variance[-1] / found.variance[0])
        classes.append(
            {
                "channel": channel,
                "readout": readout,
                "expected": expected,
                "predicted": point.kind,
                "purity": point.purity,
                "commutator": point.commutator,
                "coherence": point.coherence,
                "variance_noiseless": float(found.variance[0]),
                "variance_infinite": float(found.variance[-1]),
                "fixed_point_share": share,
                "share_error": float(2 * found.survival[-1] * found.survival_error[-1]),
            }
        )
        context.tick(number + 1, total)
    quoted: list[dict[str, Any]] = []
    for depth, value in QUOTED.items():
        for site in range(SMALL_QUBITS):
            problem = Problem(brickwork(SMALL_QUBITS, depth), f"Z{site}", "neel", f"dephasing:{RATE}")
            key = context.seed_for("fixed-point", "quoted", depth, site)
            found = gradient_variance(problem, (0.0, math.inf), small, key, workers=context.workers)
            quoted.append(
                {
                    "qubits": SMALL_QUBITS,
                    "depth": depth,
                    "readout": f"Z{site}",
                    "fixed_point_share": float(found.variance[1] / found.variance[0]),
                    "standard_error": float(2 * found.survival[1] * found.survival_error[1]),
                    "survival": float(found.survival[1]),
                    "quoted": value,
                }
            )
            context.tick(len(CASES) + len(quoted), total)
    tables = {"data": Table.from_rows(data), "classes": Table.from_rows(classes), "quoted": Table.from_rows(quoted)}
    return StudyResult(tables, _criteria(tables["classes"]), _findings(tables), draw)


def _shares(classes: Table, kind: str) -> list[float]:
    return [as_number(r["fixed_point_share"]) for r in classes.rows() if r["expected"] == kind]


def _criteria(classes: Table) -> tuple[Criterion, ...]:
    rows = classes.rows()
    wrong = sum(r["predicted"] != r["expected"] for r in rows)
    (seen,) = [as_number(r["fixed_point_share"]) for r in rows if r["channel"] == "local dephasing"]
    (blind,) = [as_number(r["fixed_point_share"]) for r in rows if r["channel"] == "local dephasing, hopping readout"]
    (partly,) = _shares(classes, "partly protected")
    off = max(abs(share - 1.0) for share in _shares(classes, "untouched"))
    return (
        Criterion("channels whose class was predicted wrongly", float(wrong), 0.0, False),
        Criterion("untouched: distance of V(inf)/V(0) from 1", off, 1e-10, False),
        Criterion("classical, Z readout: distance of V(inf)/V(0) from 0 and 1", min(seen, 1 - seen), 0.05, True),
        Criterion("classical, hopping readout: V(inf)/V(0)", blind, 1e-20, False),
        Criterion("partly protected: distance of V(inf)/V(0) from 0 and 1", min(partly, 1 - partly), 0.05, True),
        Criterion("too mixed: largest V(inf)/V(0)", max(_shares(classes, "too mixed")), 1e-20, False),
        Criterion("too symmetric: largest V(inf)/V(0)", max(_shares(classes, "too symmetric")), 1e-20, False),
    )


def _findings(tables: Mapping[str, Table]) -> tuple[str, ...]:
    rows = {str(r["channel"]): r for r in tables["classes"].rows()}
    right = sum(r["predicted"] == r["expected"] for r in rows.values())

    def share(channel: str) -> str:
        row = rows[channel]
        return f"{as_number(row['fixed_point_share']):.3f} +- {as_number(row['share_error']):.3f}"

    quoted = []
    for depth, value in QUOTED.items():
        found = [r for r in tables["quoted"].rows() if r["depth"] == depth]
        shares = [as_number(r["fixed_point_share"]) for r in found]
        error = max(as_number(r["standard_error"]) for r in found)
        near = min(found, key=lambda r: abs(as_number(r["fixed_point_share"]) - value))
        distance = abs(as_number(near["fixed_point_share"]) - value) / max(as_number(near["standard_error"]), 1e-12)
        verdict = "within 4 standard errors" if distance <= 4 else f"{distance:.0f} standard errors off"
        listed = ", ".join(f"{one:.3f}" for one in shares)
        quoted.append(
            f"L = {depth}: {listed} for Z0..Z{SMALL_QUBITS - 1} (at most {error:.3f} standard error) against {value} "
            f"quoted, nearest {near['readout']}, {verdict}"
        )
    local, hopping = "local dephasing", rows["local dephasing, hopping readout"]
    return (
        f"The class read off the fixed point alone, before any gradient, is right for {right} of {len(rows)} channels.",
        f"Under local dephasing a Z readout keeps V(inf)/V(0) = {share(local)} as a classical stochastic process, a "
        f"hopping readout {as_number(hopping['fixed_point_share']):.1g}: the class says what the state keeps, and the "
        "readout must be able to see it.",
        f"With half the register dephased collectively {share('half the register collectively dephased')} is left.",
        f"w0 of local dephasing on open brickwork of {SMALL_QUBITS} qubits (XX+YY, RZZ, RZ; Neel input): "
        f"{'; '.join(quoted)}. The design that quotes these numbers does not state their circuit, so nothing is "
        "judged by them.",
    )


def draw(tables: Mapping[str, Table]) -> Figure:
    """V(s)/V(0) by channel, the last point at s = infinity.

    Args:
        tables: As :func:`run` returns them.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, 4.4), layout="constrained")
    axes, end = figure.subplots(1, 2, sharey=True, width_ratios=(8, 1))
    floor = 1e-8
    for number, (channel, (colour, marker, line)) in enumerate(STYLES.items()):
        rows = [r for r in tables["data"].rows() if r["channel"] == channel]
        scale = np.array([as_number(r["scale"]) for r in rows])
        ratio = np.array([as_number(r["survival"]) for r in rows]) ** 2
        shown = np.isfinite(scale) & (scale > 0) & (ratio > floor)
        label = f"{channel}: {rows[0]['class']}"
        axes.plot(scale[shown], ratio[shown], color=colour, marker=marker, ls=line, ms=5, label=label)
        last = float(ratio[-1])
        end.plot(
            [0.15 * number], [max(last, floor)], color=colour, marker=marker if last > floor else "v", ls="none", ms=6
        )
    axes.set(xscale="log", yscale="log", xlabel="noise scale s", ylabel="V(s) / V(0)", ylim=(floor / 2, 2))
    axes.legend(frameon=False, fontsize=8, loc="lower left")
    end.set(xticks=[0.45], xticklabels=[r"$\infty$"], xlim=(-0.2, 1.1))
    end.set_title("(bottom: < 1e-8)", fontsize=8)
    return figure
