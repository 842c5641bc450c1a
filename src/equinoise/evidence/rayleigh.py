"""Do the aligned rates of the slots, Rayleigh quotients of the dephasing, add up to kappa?

In an ensemble in which each qubit carries an independent uniform Z rotation in every layer, charge-difference modes of
different history do not interfere on average, so that E g^2 = E sum |a_dz|^2 at every slot and

    sum_l alpha_l = sum_l E sum_dz Gamma_dz |a_dz|^2 / E sum_dz |a_dz|^2 = kappa.

With N draws both sides are ratios of sample means, and their difference falls like 1/sqrt(N). Circuit: brickwork of 6
qubits and 4 layers, Neel input, readout Z3; noise: three jumps K = sum_i v_i Z_i with random weights and rates.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from equinoise.circuit.builders import brickwork
from equinoise.coherence.rates import AlignedRates, aligned_rates
from equinoise.evidence.frame.figure_panels import OKABE_ITO, Layout, Panel, Points, curve
from equinoise.evidence.frame.rows import Row, Tables
from equinoise.evidence.frame.study import Context, Criterion, Study, at_most
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import Dephasing
from equinoise.problem import Problem

__all__ = ["STUDY", "problem"]

Real = npt.NDArray[np.float64]

QUBITS, DEPTH, READOUT, JUMPS = 6, 4, "Z3", 3
RESAMPLES = 2000
FULL, QUICK = 1600, 240
GROUPS_FULL, GROUPS_QUICK = (10, 20, 40, 80), (5, 10, 20, 40)


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


def _tables(context: Context) -> dict[str, list[Row]]:
    """Sum and kappa by ensemble size ("data"), their "spread" over disjoint ensembles of one size, and "slots"."""
    samples = QUICK if context.quick else FULL
    count = 0

    def tick(done: int) -> None:
        nonlocal count
        count += done
        context.tick(count, samples)

    jumps, sampling = context.seed_for("rayleigh", "jumps"), context.sampling(samples, "rayleigh", "draws")
    rates = aligned_rates(problem(jumps), sampling=sampling, progress=tick)
    return {
        "data": _nested(rates, context.seed_for("rayleigh", "bootstrap")),
        "spread": _disjoint(rates, GROUPS_QUICK if context.quick else GROUPS_FULL),
        "slots": [{"slot": slot, "alpha": float(alpha)} for slot, alpha in enumerate(rates.alpha)],
    }


def _both(numerator: Real, denominator: Real, slope: Real, square: Real) -> tuple[Real, Real]:
    """Sum of the aligned rates, and kappa, from sums over draws: (..., L), (..., L), (...), (...)."""
    alpha = np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
    return alpha.sum(axis=-1), -slope / square


def _nested(rates: AlignedRates, seed: int) -> list[Row]:
    """The first N draws, N doubling, with bootstrap standard errors."""
    rng = np.random.default_rng(seed)
    slots = rates.alpha.size
    columns = np.concatenate([rates.numerator, rates.denominator, rates.slope[:, None], rates.square[:, None]], axis=1)
    sizes = [rates.samples]
    while sizes[-1] // 2 >= 20:
        sizes.append(sizes[-1] // 2)
    rows: list[Row] = []
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


def _disjoint(rates: AlignedRates, sizes: tuple[int, ...]) -> list[Row]:
    """Root-mean-square relative difference over all disjoint ensembles of each size."""
    rows: list[Row] = []
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


def _exponent(tables: Tables) -> tuple[float, float]:
    """The power of N with which the spread falls, and its standard error."""
    size, ensembles, fall = (
        tables["spread"].column(name) for name in ("samples", "ensembles", "rms_relative_difference")
    )
    # the logarithm of a root mean square over m ensembles has standard error 1/sqrt(2 m), were they Gaussian
    fit, covariance = np.polyfit(np.log(size), np.log(fall), 1, w=np.sqrt(2 * ensembles), cov="unscaled")
    return float(fit[0]), float(np.sqrt(covariance[0, 0]))


def _deviation(tables: Tables) -> float:
    """Difference of both sides at the largest ensemble, in standard errors."""
    last = tables["data"][-1]
    return float(abs(last["difference"]) / last["standard_error"])


def _criteria(tables: Tables) -> list[Criterion]:
    exponent, error = _exponent(tables)
    return [
        at_most("difference of sum alpha and kappa at the largest ensemble, in standard errors", _deviation(tables), 4),
        at_most("distance of the spread's exponent in N from -1/2, in standard errors", abs(exponent + 0.5) / error, 4),
    ]


def _findings(tables: Tables) -> list[str]:
    last, (exponent, error) = tables["data"][-1], _exponent(tables)
    few, many = tables["spread"][0], tables["spread"][-1]
    return [
        f"With {last['samples']} draws the {len(tables['slots'])} aligned rates add up to {last['total']:.3f} "
        f"against kappa = {last['kappa']:.3f}: a difference of {100 * last['relative_difference']:.2f} %, "
        f"{_deviation(tables):.1f} bootstrap standard errors.",
        f"Over disjoint ensembles the root-mean-square relative difference falls from "
        f"{100 * few['rms_relative_difference']:.1f} % at {few['samples']} draws to "
        f"{100 * many['rms_relative_difference']:.1f} % at {many['samples']}, as N to the "
        f"power {exponent:.2f} +- {error:.2f}: the two are equal on average over the ensemble, not draw by draw.",
        f"The slot before the readout has alpha = {tables['slots'][-1]['alpha']:.2g}: a Z readout sees no coherence "
        "there.",
    ]


def _figure(tables: Tables) -> Layout:
    """Both sides against the number of draws, and the spread of their difference."""
    data, spread = tables["data"], tables["spread"]
    size, sizes, seen = data.column("samples"), spread.column("samples"), spread.column("rms_relative_difference")
    whole = np.array([min(*sizes, *size), max(size)])
    level = float(np.exp(np.mean(np.log(seen * np.sqrt(sizes)))))
    total, error, kappa = (data.column(name) for name in ("total", "standard_error", "kappa"))
    sides = [
        Points(size, total, error, r"$\sum_l \alpha_l$ (bar: error of the difference)", OKABE_ITO[0], line="-"),
        Points(size, kappa, label=r"$\kappa$", colour=OKABE_ITO[1], marker="s", line="--"),
    ]
    falls = [
        Points(sizes, seen, label="disjoint ensembles, root mean square", colour=OKABE_ITO[0]),
        Points(size, data.column("relative_error"), label="bootstrap", colour=OKABE_ITO[2], marker="^"),
        curve(whole, level / np.sqrt(whole), r"$\propto 1/\sqrt{N}$", ":"),
    ]
    return Layout(
        [
            Panel(sides, "draws N", "rate per unit of noise scale", log="x"),
            Panel(falls, "draws N", r"$|\sum\alpha - \kappa| / \kappa$", log="xy", legend="lower left"),
        ],
        (8.6, 3.6),
        columns=2,
    )


STUDY = Study(_tables, _criteria, _findings, _figure)
