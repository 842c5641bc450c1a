"""Do the aligned rates of the slots, Rayleigh quotients of the dephasing, add up to kappa?

In an ensemble in which each qubit carries an independent uniform Z rotation in every layer, charge-difference modes of
different history do not interfere on average, so that E g^2 = E sum |a_dz|^2 at every slot and

    sum_l alpha_l = sum_l E sum_dz Gamma_dz |a_dz|^2 / E sum_dz |a_dz|^2 = kappa.

With N draws both sides are ratios of sample means, and their difference falls like 1/sqrt(N). Circuit: brickwork of 6
qubits and 4 layers, Neel input, readout Z3; noise: three jumps K = sum_i v_i Z_i with random weights and rates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from equinoise.circuit.builders import brickwork
from equinoise.coherence.rates import AlignedRates, aligned_rates
from equinoise.evidence.frame.study import Context, Criterion, StudyResult
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import Dephasing
from equinoise.problem import Problem
from equinoise.table import Table, as_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw", "problem", "run"]

Real = npt.NDArray[np.float64]

QUBITS, DEPTH, READOUT, JUMPS = 6, 4, "Z3", 3
RESAMPLES = 2000
FULL, QUICK = 1600, 240
GROUPS_FULL, GROUPS_QUICK = (10, 20, 40, 80), (5, 10, 20, 40)
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"


def problem(seed: int) -> Problem:
    """The study's problem: three correlated jumps, weights normal, rates uniform between 0.2 and 1.

    Args:
        seed: Of weights and rates.
    """
    rng = np.random.default_rng(seed)
    jumps = [
        Dephasing(float(rng.uniform(0.2, 1.0)), tuple(enumerate(rng.normal(size=QUBITS).tolist())))
        for _ in range(JUMPS)
    ]
    return Problem(brickwork(QUBITS, DEPTH), readout=READOUT, initial="neel", noise=NoiseModel(dephasing=jumps))


def run(context: Context) -> StudyResult:
    """Compares the sum of the aligned rates with kappa as the ensemble grows.

    Args:
        context: Size, seed, workers, progress.

    Returns:
        Tables "data" (sum and kappa by ensemble size), "spread" (over disjoint ensembles of one size) and "slots".
    """
    samples = QUICK if context.quick else FULL
    count = 0

    def tick(done: int) -> None:
        nonlocal count
        count += done
        context.tick(count, samples)

    rates = aligned_rates(
        problem(context.seed_for("rayleigh", "jumps")),
        samples,
        context.seed_for("rayleigh", "draws"),
        workers=context.workers,
        progress=tick,
    )
    data = Table.from_rows(_nested(rates, context.seed_for("rayleigh", "bootstrap")))
    spread = Table.from_rows(_disjoint(rates, GROUPS_QUICK if context.quick else GROUPS_FULL))
    slots = Table({"slot": list(range(rates.alpha.size)), "alpha": [float(a) for a in rates.alpha]})
    last = data.rows()[-1]
    size, ensembles, fall = (
        np.array([as_number(v) for v in spread.columns[name]])
        for name in ("samples", "ensembles", "rms_relative_difference")
    )
    # the logarithm of a root mean square over m ensembles has standard error 1/sqrt(2 m), were they Gaussian
    inverse = np.sqrt(2 * ensembles)
    fit, covariance = np.polyfit(np.log(size), np.log(fall), 1, w=inverse, cov="unscaled")
    exponent, uncertain = float(fit[0]), float(np.sqrt(covariance[0, 0]))
    deviation = abs(as_number(last["difference"])) / as_number(last["standard_error"])
    first = spread.rows()[0], spread.rows()[-1]
    criteria = (
        Criterion(
            "difference of sum alpha and kappa at the largest ensemble, in standard errors", deviation, 4.0, False
        ),
        Criterion(
            "distance of the spread's exponent in N from -1/2, in standard errors",
            abs(exponent + 0.5) / uncertain,
            4.0,
            False,
        ),
    )
    findings = (
        f"With {last['samples']} draws the {rates.alpha.size} aligned rates add up to {as_number(last['total']):.3f} "
        f"against kappa = {as_number(last['kappa']):.3f}: a difference of "
        f"{100 * as_number(last['relative_difference']):.2f} %, "
        f"{deviation:.1f} bootstrap standard errors.",
        f"Over disjoint ensembles the root-mean-square relative difference falls from "
        f"{100 * as_number(first[0]['rms_relative_difference']):.1f} % at {first[0]['samples']} draws to "
        f"{100 * as_number(first[1]['rms_relative_difference']):.1f} % at {first[1]['samples']}, as N to the "
        f"power {exponent:.2f} +- {uncertain:.2f}: the two are equal on average over the ensemble, not draw by draw.",
        f"The slot before the readout has alpha = {rates.alpha[-1]:.2g}: a Z readout sees no coherence there.",
    )
    return StudyResult({"data": data, "spread": spread, "slots": slots}, criteria, findings, draw)


def _both(numerator: Real, denominator: Real, slope: Real, square: Real) -> tuple[Real, Real]:
    """Sum of the aligned rates, and kappa, from sums over draws: (..., L), (..., L), (...), (...)."""
    alpha = np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
    return alpha.sum(axis=-1), -slope / square


def _nested(rates: AlignedRates, seed: int) -> list[dict[str, str | float | int | bool | None]]:
    """The first N draws, N doubling, with bootstrap standard errors."""
    rng = np.random.default_rng(seed)
    slots = rates.alpha.size
    columns = np.concatenate([rates.numerator, rates.denominator, rates.slope[:, None], rates.square[:, None]], axis=1)
    sizes = [rates.samples]
    while sizes[-1] // 2 >= 20:
        sizes.append(sizes[-1] // 2)
    rows: list[dict[str, str | float | int | bool | None]] = []
    for size in reversed(sizes):
        part = columns[:size]
        weights = rng.multinomial(size, np.full(size, 1.0 / size), size=RESAMPLES).astype(np.float64)
        total, kappa = (float(x) for x in _sides(part.sum(axis=0), slots))
        again = _sides(weights @ part, slots)
        error = float((again[0] - again[1]).std(ddof=1))
        rows.append(
            {
                "samples": size,
                "total": total,
                "kappa": kappa,
                "difference": total - kappa,
                "standard_error": error,
                "relative_difference": (total - kappa) / kappa,
                "relative_error": error / kappa,
            }
        )
    return rows


def _sides(sums: Real, slots: int) -> tuple[Real, Real]:
    return _both(sums[..., :slots], sums[..., slots : 2 * slots], sums[..., -2], sums[..., -1])


def _disjoint(rates: AlignedRates, sizes: tuple[int, ...]) -> list[dict[str, str | float | int | bool | None]]:
    """Root-mean-square relative difference over all disjoint ensembles of each size."""
    rows: list[dict[str, str | float | int | bool | None]] = []
    for size in sizes:
        groups = rates.samples // size
        used = groups * size

        def by_group(values: Real, groups: int = groups, used: int = used) -> Real:
            return np.asarray(values[:used].reshape(groups, -1, *values.shape[1:]).sum(axis=1))

        total, kappa = _both(*map(by_group, (rates.numerator, rates.denominator, rates.slope, rates.square)))
        rows.append(
            {
                "samples": size,
                "ensembles": groups,
                "rms_relative_difference": float(np.sqrt(np.mean(((total - kappa) / rates.kappa) ** 2))),
            }
        )
    return rows


def draw(tables: Mapping[str, Table]) -> Figure:
    """Left: both sides against the number of draws. Right: the spread of their difference.

    Args:
        tables: As :func:`run` returns them.
    """
    from matplotlib.figure import Figure

    data, spread = tables["data"].rows(), tables["spread"].rows()
    figure = Figure(figsize=(8.6, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    size = [as_number(r["samples"]) for r in data]
    left.errorbar(
        size,
        [as_number(r["total"]) for r in data],
        yerr=[as_number(r["standard_error"]) for r in data],
        color=BLUE,
        marker="o",
        capsize=3,
        label=r"$\sum_l \alpha_l$ (bar: error of the difference)",
    )
    left.plot(size, [as_number(r["kappa"]) for r in data], color=ORANGE, marker="s", ls="--", label=r"$\kappa$")
    left.set(xscale="log", xlabel="draws N", ylabel="rate per unit of noise scale")
    left.legend(frameon=False, fontsize=9)
    sizes = np.array([as_number(r["samples"]) for r in spread])
    seen = np.array([as_number(r["rms_relative_difference"]) for r in spread])
    right.loglog(sizes, seen, color=BLUE, marker="o", ls="none", label="disjoint ensembles, root mean square")
    right.loglog(
        size, [as_number(r["relative_error"]) for r in data], color=GREEN, marker="^", ls="none", label="bootstrap"
    )
    level = float(np.exp(np.mean(np.log(seen * np.sqrt(sizes)))))
    whole = np.array([min(*sizes, *size), max(size)])
    right.loglog(whole, level / np.sqrt(whole), color=GREY, ls=":", label=r"$\propto 1/\sqrt{N}$")
    right.set(xlabel="draws N", ylabel=r"$|\sum\alpha - \kappa| / \kappa$")
    right.legend(frameon=False, fontsize=9, loc="lower left")
    return figure
