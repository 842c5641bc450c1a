"""Is it the aligned rate that counts, or the worst-case rate?

Channels of one correlated jump with equal worst-case rates, and the gradient loss that the aligned rate predicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.evidence.frame.cases import Case
from equinoise.evidence.frame.figure_panels import Layout, Panel, curve, diagonal, grouped
from equinoise.evidence.frame.measured_cases import Survival, evaluate, in_parallel
from equinoise.evidence.frame.rows import Row, Rows, Tables
from equinoise.evidence.frame.statistics import coefficient_of_determination
from equinoise.evidence.frame.study import Context, Criterion, Study, at_least, at_most
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import Dephasing

__all__ = ["STUDY", "WORST_RATE", "Channel", "channels", "normalised_rate", "tables_of", "worst_case_rates"]

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


def _tables(context: Context) -> dict[str, list[Row]]:
    """Every channel on circuits with input in one sector and on one with input in all, at s = 1."""
    n, depth, samples, draws = (6, 4, 24, 2) if context.quick else (8, 5, 64, 4)
    problems = [Case("correlated", depth, n, i, o) for i in ("neel", "product") for o in ("Z", "hopping")]
    items = [(case, channel) for case in problems for channel in channels(n, draws)]

    def one(item: tuple[Case, Channel]) -> Survival:
        case, channel = item
        # the same draws for every channel: channels are compared on one sample
        sampling = context.sampling(samples, "correlated", case.label)
        return evaluate(case, sampling, problem=case.problem(channel.noise()), scales=[_SCALE])

    found = in_parallel(one, items, context)
    return tables_of([(channel, seen) for (_, channel), seen in zip(items, found, strict=True)])


def tables_of(found: Sequence[tuple[Channel, Survival]]) -> dict[str, list[Row]]:
    """Evaluated channels ("data"), and what each kind of them comes to ("kinds")."""
    rows = [_row(channel, one) for channel, one in found]
    return {"data": rows, "kinds": [_kind(kind, part) for kind, part in Rows(rows).by("kind").items()]}


def _row(channel: Channel, one: Survival) -> Row:
    full, sector = worst_case_rates(channel.weights, one.case.charge)
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
        "scale": float(one.scales[0]),
        "x": float(one.x[0]),
        "exact": float(one.exact[0]),
        "leading": float(one.leading[0]),
        "resummed": float(one.resummed[0]),
    }


def _kind(kind: str, rows: Rows) -> Row:
    exact = rows.column("exact")
    return {
        "kind": kind,
        "channels": len(rows.distinct("channel")),
        "points": len(rows),
        "least_aligned_rate": rows.least("aligned_rate"),
        "greatest_aligned_rate": rows.largest("aligned_rate"),
        "least_survival": rows.least("exact"),
        "greatest_survival": rows.largest("exact"),
        "worst_resummed": float(np.abs(rows.column("resummed") - exact).max()),
        "worst_leading": float(np.abs(rows.column("leading") - exact).max()),
    }


def _r2(rows: Rows, form: str) -> float:
    return coefficient_of_determination(rows.column(form), rows.column("exact"))


def _criteria(tables: Tables) -> list[Criterion]:
    rows = tables["data"]
    collective = rows.where(kind="collective")
    worst = collective.least("worst_case_rate") / rows.largest("worst_case_rate")
    inside = collective.where(lambda r: r["initial"] != "product")
    losses = [("one sector", inside), ("all sectors", collective.where(initial="product"))]
    return [
        *(
            at_most(
                f"largest |1 - R| under collective noise, input in {where}", part.largest_size("exact", 1.0), _FINEST
            )
            for where, part in losses
            if part or where == "one sector"
        ),
        at_least("worst-case rate of collective noise over the largest of any channel", worst, 1 - 1e-9),
        at_least(
            "R^2 of the resummed prediction against the survival seen, over all channels", _r2(rows, "resummed"), 0.98
        ),
    ]


def _findings(tables: Tables) -> list[str]:
    rows = tables["data"]
    worst = rows.column("worst_case_rate")
    loss = rows.where(kind="collective").largest_size("exact", 1.0)
    out = [
        f"{len(rows)} runs of {len(rows.distinct('channel'))} channels, all with worst-case rate "
        f"{worst.mean():.4g} per slot (equal to {np.ptp(worst) / worst.mean():.0e}), have aligned rates from "
        f"{rows.least('aligned_rate'):.2g} to {rows.largest('aligned_rate'):.3g} and keep between "
        f"{rows.least('exact'):.3f} and {rows.largest('exact'):.3f} of the RMS gradient at s = {_SCALE:g}; the "
        "worst-case rate tells them apart not at all.",
        f"Predicted against seen: R^2 = {_r2(rows, 'resummed'):.4f} by the resummed law, {_r2(rows, 'leading'):.4f} "
        "by exp(-x).",
        f"Collective noise loses {loss:.1e} of the gradient, also for a product input spread over all "
        "charges: the readout conserves the charge, so that coherences between sectors never reach it, and inside a "
        "sector collective noise does nothing.",
    ]
    if near := rows.where(kind="nearly collective"):
        least = near.lowest("exact")
        out.append(
            f"Imperfect collective noise (weights off by 1 to 10 %) still keeps at least {least['exact']:.3f} "
            f"({least['channel']}), its aligned rate growing as the square of the imperfection."
        )
    far = rows.highest(lambda r: abs(r["resummed"] - r["exact"]))
    out.append(
        f"The resummed law is off the most for {far['channel']} ({far['initial']} input, {far['readout']} readout, "
        f"x = {far['x']:.2f}): {far['resummed']:.3f} against {far['exact']:.3f}; exp(-x) gives {far['leading']:.3f} "
        "there."
    )
    return out


def _figure(tables: Tables) -> Layout:
    """Survival against aligned rate at equal worst-case rate, and predicted against seen."""
    floor = 1e-5
    rows = Rows({**r, "shown": max(r["aligned_rate"], floor)} for r in tables["data"])
    kinds = rows.by("kind")
    rates = np.geomspace(floor, max(1.0, rows.largest("aligned_rate")), 200)
    above = [*grouped(kinds, "shown", "exact"), curve(rates, np.exp(-rates), "exp(−x)")]
    below = [*grouped(kinds, "resummed", "exact"), diagonal()]
    rate, unit = f"aligned rate κ (0 is drawn at {floor:g})", (-0.03, 1.06)
    return Layout(
        [
            Panel(above, rate, "survival R at s = 1", log="x", ylim=unit, legend="lower left"),
            Panel(below, "survival by the resummed law", "survival seen", xlim=unit, ylim=unit, legend=""),
        ],
        (3.5, 5.6),
    )


STUDY = Study(_tables, _criteria, _findings, _figure)
