"""Study correlated-dephasing: equal worst-case rates, and the gradient loss that the aligned rate predicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from equinoise.coherence.resummed import leading_order_survival, resummed_survival
from equinoise.evidence.frame.grid import (
    Case,
    Survival,
    coefficient_of_determination,
    evaluate,
    in_parallel,
)
from equinoise.evidence.frame.study import OKABE_ITO, Context, Criterion, StudyResult
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import Dephasing
from equinoise.table import Table, Value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["WORST_RATE", "Channel", "analyse", "channels", "draw", "normalised_rate", "run", "worst_case_rates"]

Real = npt.NDArray[np.float64]

WORST_RATE = 8.0
"""Rate per slot at which the fastest |x><y| of the full space decays, the same for every channel."""

_SCALE = 1.0
_FINEST = 1e-10


@dataclass(frozen=True)
class Channel:
    """One correlated jump K = sum_i v_i Z_i.

    Attributes:
        kind: Which kind of correlation.
        label: Names it.
        weights: v, shape (n,).
    """

    kind: str
    label: str
    weights: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Its rate at the common worst-case rate."""
        return normalised_rate(self.weights)

    def noise(self) -> NoiseModel:
        """As noise in every slot."""
        return NoiseModel(dephasing=[Dephasing(self.rate, tuple(enumerate(self.weights)))], name=self.label)


def normalised_rate(weights: Sequence[float]) -> float:
    """The rate with which the worst case rate * (2 sum |v_i|)^2 / 2 is :data:`WORST_RATE`."""
    return WORST_RATE / (2 * sum(abs(v) for v in weights) ** 2)


def worst_case_rates(weights: Sequence[float], charge: int) -> tuple[float, float]:
    """Largest decay rate of any |x><y| in the full space, and in one charge sector, by looking at every x."""
    v = np.asarray(weights)
    bits = (np.arange(2**v.size)[:, None] >> np.arange(v.size)) & 1
    phi = (1 - 2 * bits) @ v
    inside = phi[bits.sum(axis=1) == charge]
    rate = normalised_rate(weights)
    return float(rate * np.ptp(phi) ** 2 / 2), float(rate * np.ptp(inside) ** 2 / 2)


def channels(num_qubits: int, draws: int) -> list[Channel]:
    """From collective noise, which no sector sees, to staggered and one-site noise; random ones are always the same.

    Args:
        num_qubits: n.
        draws: Channels of each random kind.
    """
    n = num_qubits
    rng = np.random.default_rng([2606, 30688, n])
    out = [Channel("collective", "collective", (1.0,) * n)]
    for size in (0.01, 0.03, 0.1):
        for i in range(draws):
            v = 1.0 + size * rng.normal(0.0, 1.0, n)
            out.append(Channel("nearly collective", f"collective, {size:.0%} off, {i}", _plain(v)))
    out.append(Channel("gradient", "gradient", _plain(np.arange(n) - (n - 1) / 2)))
    out.append(Channel("gradient", "gradient on collective", _plain(1.0 + 0.2 * (np.arange(n) - (n - 1) / 2))))
    out.append(Channel("domain wall", "domain wall", _plain(np.where(np.arange(n) < n // 2, 1.0, -1.0))))
    out.append(Channel("staggered", "staggered", _plain((-1.0) ** np.arange(n))))
    out += [Channel("one site", f"one site, {q}", _plain(np.arange(n) == q)) for q in range(n)]
    out += [Channel("random", f"random, {i}", _plain(rng.normal(0.0, 1.0, n))) for i in range(2 * draws)]
    out += [Channel("random", f"random signs, {i}", _plain(rng.choice([-1.0, 1.0], n))) for i in range(draws)]
    return out


def _plain(values: npt.ArrayLike) -> tuple[float, ...]:
    return tuple(float(v) for v in np.asarray(values, dtype=np.float64))


def run(context: Context) -> StudyResult:
    """Every channel on circuits with input in one sector and on one with input in all, at s = 1."""
    n, depth, samples, draws = (6, 4, 24, 2) if context.quick else (8, 5, 64, 4)
    problems = [Case("correlated", depth, n, i, o) for i in ("neel", "product") for o in ("Z", "hopping")]
    items = [(case, channel) for case in problems for channel in channels(n, draws)]

    def one(item: tuple[Case, Channel]) -> Survival:
        case, channel = item
        # the same draws for every channel: channels are compared on one sample
        seed = context.seed_for("correlated", case.label)
        return evaluate(case, samples, seed, (), problem=case.problem(channel.noise()), scales=[_SCALE])

    return analyse(
        [(channel, found) for (_, channel), found in zip(items, in_parallel(one, items, context), strict=True)]
    )


def analyse(found: Sequence[tuple[Channel, Survival]]) -> StudyResult:
    """The study's result from evaluated channels."""
    rows = [_row(channel, one) for channel, one in found]
    data = Table.from_rows(rows)
    collective = [r for r in rows if r["kind"] == "collective"]
    inside, outside = ([r for r in collective if (r["initial"] == "product") is several] for several in (False, True))
    worst = _column(rows, "worst_case_rate")
    seen = _column(rows, "exact")
    criteria = [
        Criterion("largest |1 - R| under collective noise, input in one sector", _loss(inside), _FINEST, False),
        Criterion(
            "worst-case rate of collective noise over the largest of any channel",
            float(_column(collective, "worst_case_rate").min() / worst.max()),
            1 - 1e-9,
            True,
        ),
        Criterion(
            "R^2 of the resummed prediction against the survival seen, over all channels",
            coefficient_of_determination(_column(rows, "resummed"), seen),
            0.98,
            True,
        ),
    ]
    if outside:
        criteria.insert(
            1, Criterion("largest |1 - R| under collective noise, input in all sectors", _loss(outside), _FINEST, False)
        )
    return StudyResult({"data": data, "kinds": _kinds(rows)}, tuple(criteria), tuple(_findings(rows)), draw)


def _row(channel: Channel, one: Survival) -> dict[str, Value]:
    full, sector = worst_case_rates(channel.weights, one.case.charge)
    s = one.scales
    return {
        "channel": channel.label,
        "kind": channel.kind,
        "initial": one.case.initial,
        "readout": one.case.readout,
        "qubits": one.case.num_qubits,
        "depth": one.case.depth,
        "samples": one.samples,
        "rate": channel.rate,
        "worst_case_rate": full,
        "worst_case_rate_in_sector": sector,
        "aligned_rate": one.kappa,
        "w0": one.share,
        "c2": one.rate_variance,
        "scale": float(s[0]),
        "x": float(s[0] * one.kappa),
        "exact": float(one.exact[0]),
        "leading": float(leading_order_survival(s, one.kappa)[0]),
        "resummed": float(resummed_survival(s, one.kappa, one.lasting, one.rate_variance)[0]),
    }


def _column(rows: Sequence[Mapping[str, Value]], name: str) -> Real:
    return np.array([float(r[name] or 0.0) for r in rows])


def _loss(rows: Sequence[Mapping[str, Value]]) -> float:
    return float(np.abs(1 - _column(rows, "exact")).max()) if rows else math.nan


def _kinds(rows: Sequence[Mapping[str, Value]]) -> Table:
    out: list[dict[str, Value]] = []
    for kind in dict.fromkeys(str(r["kind"]) for r in rows):
        part = [r for r in rows if r["kind"] == kind]
        exact = _column(part, "exact")
        out.append(
            {
                "kind": kind,
                "channels": len({r["channel"] for r in part}),
                "points": len(part),
                "least_aligned_rate": float(_column(part, "aligned_rate").min()),
                "greatest_aligned_rate": float(_column(part, "aligned_rate").max()),
                "least_survival": float(exact.min()),
                "greatest_survival": float(exact.max()),
                "worst_resummed": float(np.abs(_column(part, "resummed") - exact).max()),
                "worst_leading": float(np.abs(_column(part, "leading") - exact).max()),
            }
        )
    return Table.from_rows(out)


def _findings(rows: Sequence[Mapping[str, Value]]) -> list[str]:
    exact, aligned = _column(rows, "exact"), _column(rows, "aligned_rate")
    worst = _column(rows, "worst_case_rate")
    scores = [coefficient_of_determination(_column(rows, form), exact) for form in ("resummed", "leading")]
    collective = [r for r in rows if r["kind"] == "collective"]
    out = [
        f"{len(rows)} runs of {len({r['channel'] for r in rows})} channels, all with worst-case rate "
        f"{worst.mean():.4g} per slot (equal to {np.ptp(worst) / worst.mean():.0e}), have aligned rates from "
        f"{aligned.min():.2g} to {aligned.max():.3g} and keep between {exact.min():.3f} and {exact.max():.3f} of the "
        f"RMS gradient at s = {_SCALE:g}; the worst-case rate tells them apart not at all.",
        f"Predicted against seen: R^2 = {scores[0]:.4f} by the resummed law, {scores[1]:.4f} by exp(-x).",
        f"Collective noise loses {_loss(collective):.1e} of the gradient, also for a product input spread over all "
        "charges: the readout conserves the charge, so that coherences between sectors never reach it, and inside a "
        "sector collective noise does nothing.",
    ]
    near = [r for r in rows if r["kind"] == "nearly collective"]
    if near:
        worst_near = max(near, key=lambda r: 1 - float(r["exact"] or 0.0))
        out.append(
            f"Imperfect collective noise (weights off by 1 to 10 %) still keeps at least "
            f"{float(worst_near['exact'] or 0):.3f} ({worst_near['channel']}), "
            "its aligned rate growing as the square of the imperfection."
        )
    far = max(rows, key=lambda r: abs(float(r["resummed"] or 0.0) - float(r["exact"] or 0.0)))
    out.append(
        f"The resummed law is off the most for {far['channel']} ({far['initial']} input, {far['readout']} readout, "
        f"x = {float(far['x'] or 0):.2f}): {float(far['resummed'] or 0):.3f} against {float(far['exact'] or 0):.3f}; "
        f"exp(-x) gives {float(far['leading'] or 0):.3f} there."
    )
    return out


def draw(tables: Mapping[str, Table]) -> Figure:
    """Survival against aligned rate at equal worst-case rate, and predicted against seen."""
    from matplotlib.figure import Figure

    rows = tables["data"].rows()
    figure = Figure(figsize=(3.5, 5.6), layout="constrained")
    above, below = figure.subplots(2, 1)
    markers = "*osD^vP"
    floor = 1e-5
    for number, kind in enumerate(dict.fromkeys(str(r["kind"]) for r in rows)):
        part = [r for r in rows if r["kind"] == kind]
        style = {
            "color": "#000000" if number == 0 else OKABE_ITO[number - 1],
            "marker": markers[number % len(markers)],
            "s": 45 if number == 0 else 16,
            "alpha": 0.8,
            "linewidths": 0,
        }
        above.scatter(np.maximum(_column(part, "aligned_rate"), floor), _column(part, "exact"), label=kind, **style)
        below.scatter(_column(part, "resummed"), _column(part, "exact"), **style)
    grid = np.geomspace(floor, max(1.0, float(_column(rows, "aligned_rate").max())), 200)
    above.plot(grid, np.exp(-grid), color="black", linewidth=1.0, label="exp(−x)")
    above.set(xscale="log", ylim=(-0.03, 1.06), ylabel="survival R at s = 1")
    above.set_xlabel(f"aligned rate κ (0 is drawn at {floor:g})")
    above.legend(fontsize=7, frameon=False, loc="lower left", handletextpad=0.3)
    below.plot([0, 1], [0, 1], color="black", linewidth=0.9)
    below.set(xlabel="survival by the resummed law", ylabel="survival seen", xlim=(-0.03, 1.06), ylim=(-0.03, 1.06))
    for axes in (above, below):
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    return figure
