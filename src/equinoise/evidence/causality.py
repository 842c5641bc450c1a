"""Does the gradient depend on the number of qubits, or on the light cone alone?

Part one: brickwork of depth 3 with a Z readout in the middle, n from 6 to 1024. Parameter values are drawn by the
gate's place relative to the readout, so that gradients are compared entry by entry. Part two: how small can V be for a
cone of given width? A number with a proof, from these facts:

* *g is bounded.* With G_k the gate's generator, O' the readout and rho the state, all moved to the gate,
  g_k = i Tr([G_k, O'] rho), hence |g_k| <= 2 ||G_k - c|| ||O' - c'|| = spread(G_k) spread(O) / 2 for the best constants
  c, c'; unitary maps and the duals of channels never widen the readout's spectrum. A Z readout has spread 2, the gates
  here have spread 1, so that |g_k| <= 1 and X = sum_k g_k^2 lies in [0, B], B the number of parameters in the cone.
* *Empirical Bernstein* (Maurer and Pontil 2009, arXiv:0907.3740, theorem 4): with probability at least 1 - delta,
  E X >= mean - B (sqrt(2 v ln(2/delta) / S) + 7 ln(2/delta) / (3 (S - 1))), v the sample variance of X/B, S draws.
* *Test martingale* (Ville's inequality; Waudby-Smith and Ramdas 2024, arXiv:2010.09686): for X >= 0 and stakes
  lambda_i in [0, 1/(2m)] that depend on the draws before i only, M(m) = prod_i (1 + lambda_i (X_i - m)) is a
  nonnegative supermartingale if E X <= m, so that P(M(m) >= 1/delta) <= delta: every m with M(m) >= 1/delta is
  excluded. It needs X >= 0 and no B. Here lambda_i = min(sqrt(2 ln(1/delta) / (S v_i)), 1/(2m)),
  which makes M fall with m, with
  v_i = (1/16 + sum_{j<i} (X_j - a_j)^2) / i and a_i = (1/2 + sum_{j<i} X_j) / i.

delta = 0.01 divided by the number of rows: all bounds hold together with 99 % confidence over the draw of the angles.
The cone's gradient is that of every n (part one), hence so is the bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from equinoise.circuit.builders import brickwork
from equinoise.engines.draws import parallel_draws
from equinoise.engines.select import exact_engine
from equinoise.ensemble import Ensemble
from equinoise.evidence.frame.study import OKABE_ITO, Context, Criterion, StudyResult
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import Dephasing
from equinoise.problem import Problem
from equinoise.reduction.light_cone import light_cone
from equinoise.table import Table, as_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["bernstein_bound", "draw", "gradient_bounds", "martingale_bound", "run"]

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
MARKERS = ("o", "s", "^", "D")


def run(context: Context) -> StudyResult:
    """Compares gradients across n, and bounds V from below by cone width.

    Args:
        context: Size, seed, workers, progress.

    Returns:
        Tables "data" (RMS gradient by n and noise, largest differences) and "widths" (V and its lower bounds).
    """
    sizes = QUICK_SIZES if context.quick else FULL_SIZES
    depths = range(1, 5 if context.quick else 6)
    jobs = [(noise, n, True) for noise in NOISES for n in sizes]
    jobs += [(PLAIN, n, False) for n in WHOLE_SIZES[: 2 if context.quick else 3]]
    total = len(jobs) + len(depths)
    rows: list[dict[str, Any]] = []
    reference: dict[str, Real] = {}
    for done, (name, n, reduced) in enumerate(jobs):
        gradients, outside, width = _gradients(context, n, NOISES[name], reduced)
        for index, scale in enumerate((0.0, 1.0)):
            label = name if scale else "none"
            if not scale and name != PLAIN:
                continue
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
    widths: list[dict[str, Any]] = []
    for done, depth in enumerate(depths):
        widths += _width_rows(context, depth, 2 * len(depths))
        context.tick(len(jobs) + done + 1, total)
    tables = {"data": Table.from_rows(rows), "widths": Table.from_rows(widths)}
    return StudyResult(tables, _criteria(tables), _findings(tables), draw)


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
    engine = exact_engine(problem, reduce=reduced, workers=context.workers)

    def one(theta: Real) -> Real:
        return np.stack([engine.draw(theta, scale).gradient for scale in (0.0, 1.0)])

    gradients = np.stack(parallel_draws(one, thetas, engine.workers))
    outside = np.delete(np.abs(gradients), inside, axis=2)
    return gradients[:, :, inside], outside.max(axis=2, initial=0.0), cone.width


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


def bernstein_bound(values: Real, greatest: float, delta: float) -> float:
    """Maurer and Pontil's lower bound on the mean of a variable in [0, greatest].

    Args:
        values: Independent draws, shape (S,), S >= 2.
        greatest: B.
        delta: Probability of error.

    Returns:
        The bound, at least 0.
    """
    count = values.size
    word = math.log(2 / delta)
    slack = math.sqrt(2 * float(np.var(values / greatest, ddof=1)) * word / count) + 7 * word / (3 * (count - 1))
    return max(0.0, float(values.mean()) - greatest * slack)


def martingale_bound(values: Real, delta: float) -> float:
    """The test martingale's lower bound on the mean of a nonnegative variable; see the module's text.

    Args:
        values: Independent draws >= 0, shape (S,), in the order in which they were made.
        delta: Probability of error.
    """
    count = values.size
    order = np.arange(1, count + 1)
    before = np.concatenate([[0.0], np.cumsum(values)[:-1]])
    guess = (0.5 + before) / order
    squares = np.concatenate([[0.0], np.cumsum((values - guess) ** 2)[:-1]])
    stake = np.sqrt(2 * math.log(1 / delta) * order / (count * (0.0625 + squares)))

    def evidence(mean: float) -> float:
        return float(np.sum(np.log1p(np.minimum(stake, 0.5 / mean) * (values - mean))))

    low, high = 0.0, float(values.mean())
    if high <= 0:
        return 0.0
    for _ in range(60):
        middle = (low + high) / 2
        if middle > 0 and evidence(middle) >= math.log(1 / delta):
            low = middle
        else:
            high = middle
    return low


def _width_rows(context: Context, depth: int, bounds: int) -> list[dict[str, Any]]:
    """V and its lower bounds for brickwork of one depth on its own cone, 2 depth qubits wide."""
    n = 2 * depth
    problem = Problem(brickwork(n, depth), f"Z{depth - 1}", "neel", WIDTH_NOISE)
    cone = light_cone(problem)
    samples = 250 if context.quick else 1000
    engine = exact_engine(problem, workers=context.workers)
    thetas = Ensemble().draw(problem, samples, context.seed_for("light-cone", "width", n))

    def one(theta: Real) -> Real:
        return np.stack([engine.draw(theta, scale).gradient for scale in (0.0, 1.0)])

    gradients = np.stack(parallel_draws(one, thetas, engine.workers))
    limits = gradient_bounds(problem)[list(cone.parameters)]
    delta = (1 - CONFIDENCE) / bounds
    rows: list[dict[str, Any]] = []
    for index, scale in enumerate((0.0, 1.0)):
        totals = (gradients[:, index] ** 2).sum(axis=1)
        greatest = float(np.sum(limits**2))
        rows.append(
            {
                "cone_width": cone.width,
                "depth": depth,
                "noise": WIDTH_NOISE if scale else "none",
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


def _criteria(tables: Mapping[str, Table]) -> tuple[Criterion, ...]:
    data, widths = tables["data"].rows(), tables["widths"].rows()
    cone = [r for r in data if r["computed_on"] == "cone"]
    whole = [r for r in data if r["computed_on"] == "whole circuit"]
    excess = max(as_number(r["greatest_gradient"]) / as_number(r["gradient_bound"]) for r in widths)
    return (
        Criterion(
            "largest difference of a gradient entry over n",
            max(as_number(r["max_difference"]) for r in cone),
            1e-12,
            False,
        ),
        Criterion("largest size of g outside the cone", max(as_number(r["max_outside"]) for r in cone), 0.0, False),
        Criterion(
            "whole circuit against its cone: largest difference of an entry",
            max(as_number(r["max_difference"]) for r in whole),
            1e-12,
            False,
        ),
        Criterion(
            "whole circuit, no cone used: largest size of g outside the cone",
            max(as_number(r["max_outside"]) for r in whole),
            1e-12,
            False,
        ),
        Criterion("largest size of g seen over its proved bound", excess, 1.0 + 1e-12, False),
        Criterion(
            "least 99 % lower confidence bound on V over all widths",
            min(as_number(r["lower_martingale"]) for r in widths),
            0.1,
            True,
        ),
    )


def _findings(tables: Mapping[str, Table]) -> tuple[str, ...]:
    data, widths = tables["data"].rows(), tables["widths"].rows()
    cone = [r for r in data if r["computed_on"] == "cone"]
    whole = [r for r in data if r["computed_on"] == "whole circuit"]
    noises = list(dict.fromkeys(str(r["noise"]) for r in cone))
    values = "; ".join(
        f"{as_number(next(r for r in cone if r['noise'] == noise)['rms_gradient']):.6f} with noise: {noise} "
        f"(n up to {max(int(as_number(r['qubits'])) for r in cone if r['noise'] == noise)})"
        for noise in noises
    )
    least = min(widths, key=lambda r: as_number(r["lower_martingale"]))
    quiet = [r for r in widths if r["noise"] == "none"]
    bounds = ", ".join(f"{as_number(r['lower_martingale']):.3f} at width {r['cone_width']}" for r in quiet)
    bernstein = sum(as_number(r["lower_bernstein"]) > 0 for r in widths)
    return (
        f"The RMS gradient inside the {cone[0]['cone_width']}-qubit cone is the same for every n: {values}. The "
        f"largest difference of any entry is {max(as_number(r['max_difference']) for r in cone):.1g}.",
        "Outside the cone the engine computes nothing and returns exact zeros; computed on the whole circuit of up to "
        f"{max(int(as_number(r['qubits'])) for r in whole)} qubits those entries are at most "
        f"{max(as_number(r['max_outside']) for r in whole):.1g}, and the others agree to "
        f"{max(as_number(r['max_difference']) for r in whole):.1g}.",
        f"Without noise V >= {bounds}, all bounds together with 99 % confidence, for any number of qubits; with "
        f"{WIDTH_NOISE} included the least is {as_number(least['lower_martingale']):.3f} at width "
        f"{least['cone_width']}. "
        "They follow from Ville's inequality for a test martingale, which needs X = sum g^2 >= 0 only.",
        "The empirical Bernstein bound of Maurer and Pontil, with |g_k| <= "
        f"{as_number(widths[0]['gradient_bound']):.3g} (spread of the generator times "
        "spread of the readout, halved; largest seen "
        f"{max(as_number(r['greatest_gradient']) for r in widths):.3f}), is positive for {bernstein} of "
        f"{len(widths)} rows: its term 7 B ln(2/delta) / (3 (S - 1)) grows with the number of parameters B.",
    )


def draw(tables: Mapping[str, Table]) -> Figure:
    """Left: RMS gradient against n. Right: V and its lower bounds against the cone's width.

    Args:
        tables: As :func:`run` returns them.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.2, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    data = tables["data"].rows()
    for number, noise in enumerate(dict.fromkeys(str(r["noise"]) for r in data)):
        rows = [r for r in data if r["noise"] == noise and r["computed_on"] == "cone"]
        left.plot(
            [as_number(r["qubits"]) for r in rows],
            [as_number(r["rms_gradient"]) for r in rows],
            color=OKABE_ITO[number],
            marker=MARKERS[number],
            ms=5,
            label=f"noise: {noise}",
        )
    whole = [r for r in data if r["computed_on"] == "whole circuit"]
    left.plot(
        [as_number(r["qubits"]) for r in whole],
        [as_number(r["rms_gradient"]) for r in whole],
        color="black",
        marker="x",
        ms=9,
        ls="none",
        label="whole circuit, no cone used",
    )
    top = max(as_number(r["rms_gradient"]) for r in data)
    left.set_xscale("log", base=2)
    left.set(xlabel="qubits n", ylabel="RMS gradient in the cone", ylim=(0, 1.75 * top))
    left.legend(frameon=False, fontsize=8, loc="upper right")
    for number, noise in enumerate(("none", WIDTH_NOISE)):
        rows = [r for r in tables["widths"].rows() if r["noise"] == noise]
        width = [as_number(r["cone_width"]) + 0.1 * (number - 0.5) for r in rows]
        for name, kind, line, marker in (
            ("variance", "V", "-", "o"),
            ("lower_martingale", "bound, Ville", "--", "^"),
            ("lower_bernstein", "bound, Bernstein", ":", "v"),
        ):
            right.errorbar(
                width,
                [as_number(r[name]) for r in rows],
                yerr=[as_number(r["standard_error"]) for r in rows] if name == "variance" else None,
                color=OKABE_ITO[number],
                marker=marker,
                ls=line,
                ms=5,
                label=f"{kind}, {'noiseless' if noise == 'none' else 'dephasing'}",
            )
    top = max(as_number(r["variance"]) for r in tables["widths"].rows())
    right.set(xlabel="cone width w", ylabel="V and its 99 % lower bounds", ylim=(-0.02, 1.7 * top))
    right.legend(frameon=False, fontsize=7, ncols=2, loc="upper center")
    return figure
