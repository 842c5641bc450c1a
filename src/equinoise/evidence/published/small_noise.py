"""Phase 10: D_M at strengths of 0.001/L to 0.05/L, L = 4, each strength and channel with its own draws.

The authors average V_k(gamma)/V_k(0) draw by draw, another estimator than the quotient of means; both are shown.
"""

from __future__ import annotations

from equinoise.evidence.frame.measured_cases import in_parallel
from equinoise.evidence.frame.rows import Row
from equinoise.evidence.frame.study import Context
from equinoise.evidence.published.kraus_channels import MAIN, kraus_channel
from equinoise.evidence.published.published_tables import PublishedTables
from equinoise.evidence.published.responses import first_order_rate, gradients, response
from equinoise.evidence.published.ring import WIDE_BOX, Ring, nested_draws

__all__ = ["small_noise_rows"]

_RING, _PARAMETER = Ring(8, 4), (2, 0)


def small_noise_rows(tables: PublishedTables, context: Context) -> list[Row]:
    """Published and ours with the authors' draws, by both estimators, and to first order."""
    numbers = ("gL", "gamma", "D_M", "n_init", "n_input", "m2_baseline", "m2_mean")
    published = tables.rows("phase10_perturbative_micro", numbers, ("channel",))
    if context.quick:
        published = published.where(lambda row: row["channel"] != "x_err" and row["gL"] in (0.001, 0.05))
    return in_parallel(_row, published, context)


def _row(row: Row) -> Row:
    name = row["channel"]
    channel, k = kraus_channel(name, 8), _RING.parameter(*_PARAMETER)
    # as in their notebook: the seed of a row
    seed = 42 + 9000 + int(1e6 * row["gL"]) + 17 * MAIN.index(name)
    thetas = nested_draws(_RING, seed, int(row["n_init"]), int(row["n_input"]), WIDE_BOX)
    without = gradients(_RING.problem(), thetas, k, 0.0) ** 2
    noisy = gradients(_RING.problem(channel.noise(row["gamma"])), thetas, k) ** 2
    return {
        "channel": name,
        "gamma_L": row["gL"],
        "gamma": row["gamma"],
        "published": row["D_M"],
        "mean_of_ratios": response(without, noisy, "mean of ratios"),
        "mean": response(without, noisy),
        "first_order": 2 * row["gamma"] * first_order_rate(_RING.problem(channel.first_order()), thetas, k),
        "published_second_moment": row["m2_mean"],
        "second_moment": float(noisy.mean()),
        "draws": len(thetas),
    }
