"""Does the gradient depend on the number of qubits, or on the light cone alone?

Part one: brickwork of depth 3 with a Z readout in the middle, n from 6 to 1024. Parameter values are drawn by the
gate's place relative to the readout, so that gradients are compared entry by entry. Part two: how small can V be for a
cone of given width? A number with a proof (:mod:`equinoise.evidence.frame.confidence`), which rests on this:

With G_k the gate's generator, O' the readout and rho the state, all moved to the gate, g_k = i Tr([G_k, O'] rho), hence
|g_k| <= 2 ||G_k - c|| ||O' - c'|| = spread(G_k) spread(O) / 2 for the best constants c, c'; unitary maps and the duals
of channels never widen the readout's spectrum. A Z readout has spread 2, the gates here have spread 1, so that
|g_k| <= 1 and X = sum_k g_k^2 lies in [0, B], B the number of parameters in the cone.

delta = 0.01 divided by the number of rows: all bounds hold together with 99 % confidence over the draw of the angles.
The cone's gradient is that of every n (part one), hence so is the bound.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from equinoise.circuit.builders import brickwork
from equinoise.engines.draws import parallel_draws
from equinoise.engines.select import exact_engine
from equinoise.evidence.frame.confidence import bernstein_bound, martingale_bound
from equinoise.evidence.frame.figure_panels import MARKERS, OKABE_ITO, Layout, Panel, Points
from equinoise.evidence.frame.rows import Row, Tables, listed
from equinoise.evidence.frame.study import Context, Criterion, Study, at_least, at_most
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import Dephasing
from equinoise.problem import Problem
from equinoise.reduction.light_cone import light_cone

__all__ = ["STUDY", "gradient_bounds"]

Real = npt.NDArray[np.float64]

DEPTH = 3
FULL_SIZES = (6, 7, 8, 10, 12, 16, 24, 32, 64, 128, 256, 512, 1024)
QUICK_SIZES = (6, 8, 32, 1024)
WHOLE_SIZES = (6, 8, 10)
PAIRS = "pairs:0.02"
NOISES = {
    "local dephasing": "dephasing:0.02",
    "dephasing, relaxation, depolarizing": "dephasing:0.02+relaxation:down=0.01,up=0.003+depolarizing:0.01",
    "pair-correlated dephasing": PAIRS,
}
PLAIN = "local dephasing"
CONFIDENCE = 0.99
ANGLES = 8
WIDTH_NOISE = "dephasing:0.02"


def _tables(context: Context) -> dict[str, list[Row]]:
    """Gradients across n ("data"), and V with its lower bounds by cone width ("widths")."""
    sizes = QUICK_SIZES if context.quick else FULL_SIZES
    depths = range(1, 5 if context.quick else 6)
    jobs = [(noise, n, True) for noise in NOISES for n in sizes]
    jobs += [(PLAIN, n, False) for n in WHOLE_SIZES[: 2 if context.quick else 3]]
    total = len(jobs) + len(depths)
    rows: list[Row] = []
    reference: dict[str, Real] = {}
    for done, (name, n, reduced) in enumerate(jobs):
        gradients, outside, width = _gradients(context, n, NOISES[name], reduced)
        # the noiseless gradient is the same for every noise: once is enough
        for index, label in ((0, "none"), (1, name)) if name == PLAIN else ((1, name),):
            here = gradients[:, index]
            base = reference.setdefault(label, here)
            rows.append(
                {
                    "qubits": n,
                    "noise": label,
                    "computed_on": "cone" if reduced else "whole circuit",
                    "cone_width": width,
                    "cone_parameters": here.shape[1],
                    "rms_gradient": float(np.sqrt(np.mean(here**2))),
                    "max_difference": float(np.max(np.abs(here - base))),
                    "max_outside": float(np.max(outside[:, index])),
                }
            )
        context.tick(done + 1, total)
    widths: list[Row] = []
    for done, depth in enumerate(depths):
        widths += _width_rows(context, depth, 2 * len(depths))
        context.tick(len(jobs) + done + 1, total)
    return {"data": rows, "widths": widths}


def _gradients(context: Context, n: int, noise: str, reduced: bool) -> tuple[Real, Real, int]:
    """Gradients inside the cone, shape (draws, 2 scales, cone parameters); max |g| outside, (draws, 2); cone width."""
    middle = 2 if n < 8 else n // 2 - (n // 2) % 2
    circuit = brickwork(n, DEPTH)
    model = _pairs(n) if noise == PAIRS else NoiseModel.from_string(noise)
    problem = Problem(circuit, f"Z{middle}", "neel", model)
    cone = light_cone(problem)
    places = _places(problem, middle)
    inside = sorted(cone.parameters, key=lambda k: places[k])
    angles = np.random.default_rng(context.seed_for("light-cone", "inside")).uniform(
        0, 4 * math.pi, (ANGLES, len(inside))
    )
    rest = np.random.default_rng(context.seed_for("light-cone", "outside", n))
    thetas = rest.uniform(0, 4 * math.pi, (ANGLES, len(problem.parameters)))
    thetas[:, inside] = angles
    gradients = _both_scales(problem, thetas, context, reduced)
    outside = np.delete(np.abs(gradients), inside, axis=2)
    return gradients[:, :, inside], outside.max(axis=2, initial=0.0), cone.width


def _both_scales(problem: Problem, thetas: Real, context: Context, reduced: bool = True) -> Real:
    """Gradients without noise and with it, shape (draws, 2, K)."""
    engine = exact_engine(problem, reduce=reduced, workers=context.workers)

    def one(theta: Real) -> Real:
        return np.stack([engine.draw(theta, scale).gradient for scale in (0.0, 1.0)])

    return np.stack(list(parallel_draws(one, thetas, engine.workers)))


def _pairs(n: int) -> NoiseModel:
    """Jumps Z_i - Z_(i+1) of rate 0.02 on each bond of a line."""
    return NoiseModel(dephasing=[Dephasing(0.02, ((q, 1.0), (q + 1, -1.0))) for q in range(n - 1)])


def _places(problem: Problem, middle: int) -> dict[int, tuple[int, str, tuple[int, ...]]]:
    """Each parameter's layer, gate and qubits relative to the readout."""
    index = {parameter: k for k, parameter in enumerate(problem.parameters)}
    places: dict[int, tuple[int, str, tuple[int, ...]]] = {}
    layer = 0
    for item in problem.circuit.data:
        if item.operation.name == "barrier":
            layer += 1
            continue
        qubits = tuple(problem.circuit.find_bit(bit).index - middle for bit in item.qubits)
        for value in item.operation.params:
            for parameter in getattr(value, "parameters", ()):
                places[index[parameter]] = (layer, item.operation.name, qubits)
    return places


def gradient_bounds(problem: Problem) -> Real:
    """The bound spread(G_k) spread(O) / 2 on |g_k|, added up over a parameter's gates, shape (K,).

    Args:
        problem: The problem; its readout's spread is bounded by twice the sum of its coefficients' sizes.
    """
    readout = 2 * float(np.sum(np.abs(problem.readout.coeffs)))
    bounds = np.zeros(len(problem.parameters))
    for layer in problem.layers:
        for block in layer.blocks:
            for rotation in block.rotations:
                spread = float(np.ptp(np.linalg.eigvalsh(rotation.generator)))
                for k, factor in rotation.angle.coefficients:
                    bounds[k] += abs(factor) * spread * readout / 2
    return bounds


def _width_rows(context: Context, depth: int, bounds: int) -> list[Row]:
    """V and its lower bounds for brickwork of one depth on its own cone, 2 depth qubits wide."""
    n = 2 * depth
    problem = Problem(brickwork(n, depth), f"Z{depth - 1}", "neel", WIDTH_NOISE)
    cone = light_cone(problem)
    samples = 250 if context.quick else 1000
    thetas = context.sampling(samples, "light-cone", "width", n).draw(problem)
    gradients = _both_scales(problem, thetas, context)
    limits = gradient_bounds(problem)[list(cone.parameters)]
    delta = (1 - CONFIDENCE) / bounds
    rows: list[Row] = []
    for index, noise in enumerate(("none", WIDTH_NOISE)):
        totals = (gradients[:, index] ** 2).sum(axis=1)
        greatest = float(np.sum(limits**2))
        rows.append(
            {
                "cone_width": cone.width,
                "depth": depth,
                "noise": noise,
                "cone_parameters": len(cone.parameters),
                "samples": samples,
                "gradient_bound": float(limits.max()),
                "greatest_gradient": float(np.abs(gradients[:, index]).max()),
                "sum_bound": greatest,
                "variance": float(totals.mean()),
                "standard_error": float(totals.std(ddof=1) / math.sqrt(samples)),
                "lower_martingale": martingale_bound(totals, delta),
                "lower_bernstein": bernstein_bound(totals, greatest, delta),
            }
        )
    return rows


def _criteria(tables: Tables) -> list[Criterion]:
    cone, whole = (tables["data"].where(computed_on=where) for where in ("cone", "whole circuit"))
    widths = tables["widths"]
    excess = max(r["greatest_gradient"] / r["gradient_bound"] for r in widths)
    return [
        at_most("largest difference of a gradient entry over n", cone.largest("max_difference"), 1e-12),
        at_most("largest size of g outside the cone", cone.largest("max_outside"), 0.0),
        at_most(
            "whole circuit against its cone: largest difference of an entry", whole.largest("max_difference"), 1e-12
        ),
        at_most("whole circuit, no cone used: largest size of g outside the cone", whole.largest("max_outside"), 1e-12),
        at_most("largest size of g seen over its proved bound", excess, 1.0 + 1e-12),
        at_least("least 99 % lower confidence bound on V over all widths", widths.least("lower_martingale"), 0.1),
    ]


def _findings(tables: Tables) -> list[str]:
    cone, whole = (tables["data"].where(computed_on=where) for where in ("cone", "whole circuit"))
    widths = tables["widths"]
    values = "; ".join(
        f"{rows[0]['rms_gradient']:.6f} with noise: {noise} (n up to {rows.largest('qubits'):.0f})"
        for noise, rows in cone.by("noise").items()
    )
    least = widths.lowest("lower_martingale")
    bounds = listed(f"{r['lower_martingale']:.3f} at width {r['cone_width']}" for r in widths.where(noise="none"))
    return [
        f"The RMS gradient inside the {cone[0]['cone_width']}-qubit cone is the same for every n: {values}. The "
        f"largest difference of any entry is {cone.largest('max_difference'):.1g}.",
        "Outside the cone the engine computes nothing and returns exact zeros; computed on the whole circuit of up to "
        f"{whole.largest('qubits'):.0f} qubits those entries are at most {whole.largest('max_outside'):.1g}, and the "
        f"others agree to {whole.largest('max_difference'):.1g}.",
        f"Without noise V >= {bounds}, all bounds together with 99 % confidence, for any number of qubits; with "
        f"{WIDTH_NOISE} included the least is {least['lower_martingale']:.3f} at width {least['cone_width']}. "
        "They follow from Ville's inequality for a test martingale, which needs X = sum g^2 >= 0 only.",
        f"The empirical Bernstein bound of Maurer and Pontil, with |g_k| <= {widths[0]['gradient_bound']:.3g} (spread "
        "of the generator times spread of the readout, halved; largest seen "
        f"{widths.largest('greatest_gradient'):.3f}), is positive for {sum(widths.column('lower_bernstein') > 0)} of "
        f"{len(widths)} rows: its term 7 B ln(2/delta) / (3 (S - 1)) grows with the number of parameters B.",
    ]


def _figure(tables: Tables) -> Layout:
    """RMS gradient against n; V and its lower bounds against the cone's width."""
    data, widths = tables["data"], tables["widths"]
    marks = [
        Points(r.column("qubits"), r.column("rms_gradient"), label=f"noise: {n}", colour=c, marker=m, line="-")
        for (n, r), c, m in zip(data.where(computed_on="cone").by("noise").items(), OKABE_ITO, MARKERS, strict=False)
    ]
    whole = data.where(computed_on="whole circuit")
    label = "whole circuit, no cone used"
    marks.append(Points(whole.column("qubits"), whole.column("rms_gradient"), label=label, marker="x", size=9))
    bounds = [
        Points(
            rows.column("cone_width") + 0.1 * (number - 0.5),
            rows.column(name),
            error=rows.column("standard_error") if name == "variance" else None,
            label=f"{kind}, {'noiseless' if noise == 'none' else 'dephasing'}",
            colour=OKABE_ITO[number],
            marker=marker,
            line=line,
        )
        for number, (noise, rows) in enumerate(widths.by("noise").items())
        for name, kind, line, marker in (
            ("variance", "V", "-", "o"),
            ("lower_martingale", "bound, Ville", "--", "^"),
            ("lower_bernstein", "bound, Bernstein", ":", "v"),
        )
    ]
    tops = 1.75 * data.largest("rms_gradient"), 1.7 * widths.largest("variance")
    left = Panel(
        marks,
        "qubits n",
        "RMS gradient in the cone",
        log="x",
        base=2,
        ylim=(0, tops[0]),
        legend="upper right",
    )
    right = Panel(
        bounds,
        "cone width w",
        "V and its 99 % lower bounds",
        columns=2,
        ylim=(-0.02, tops[1]),
        legend="upper center",
    )
    return Layout([left, right], (9.2, 3.8), columns=2)


STUDY = Study(_tables, _criteria, _findings, _figure)
