"""Phases 1 to 4, 8 and 9: the 96 settings, other sectors, backgrounds and channels, with the authors' own draws.

Their draws follow from the seeds in their notebook, so that every number can be had again, digit by digit. Ours come
from generators with the rates that match their Kraus strengths exactly.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equinoise.evidence.frame.measured_cases import in_parallel
from equinoise.evidence.frame.rows import Row, Rows
from equinoise.evidence.frame.study import Context
from equinoise.evidence.published.kraus_channels import kraus_channel
from equinoise.evidence.published.published_tables import PublishedTables
from equinoise.evidence.published.responses import Real, first_order_rate, gradients, mean_response, response
from equinoise.evidence.published.ring import SMALL_BOX, Ring, nested_draws

__all__ = ["Sweep", "kappa_rows", "main_settings", "other_settings", "swept"]

_DRAWS = ("n_init", "n_input", "active_ell", "active_j")


@dataclass(frozen=True)
class Sweep:
    """One circuit, parameter and channel, at all its strengths.

    Attributes:
        phase: Of the authors.
        ring: The circuit.
        channel: Name.
        parameter: (layer, qubit).
        thetas: The authors' draws, shape (S, K).
        published: Rows with gL, gamma and D_M (None where no noiseless value was published) or m2_mean.
    """

    phase: str
    ring: Ring
    channel: str
    parameter: tuple[int, int]
    thetas: Real
    published: Rows


def main_settings(tables: PublishedTables, context: Context) -> tuple[list[Row], float, float]:
    """The 96 settings, and the seconds that all of ours took together: on the clock, and of processors."""
    numbers = ("L", "gL", "gamma", "D_M", "m2_mean", *_DRAWS)
    published = tables.rows("pooled_with_baselines", numbers, ("channel",))
    sweeps = [
        _sweep("1, 8, 9", Ring(8, int(depth)), channel, part, 42)
        for depth, rows in published.by("L").items()
        for channel, part in rows.by("channel").items()
    ]
    # the slowest first, so that no processor waits at the end
    order = sorted(sweeps, key=lambda one: (one.channel == "x_err", one.ring.depth), reverse=True)
    start, processors = time.perf_counter(), time.process_time()
    found = {id(one): rows for one, rows in zip(order, in_parallel(swept, order, context), strict=True)}
    clock, processors = time.perf_counter() - start, time.process_time() - processors
    return [row for one in sweeps for row in found[id(one)]], clock, processors


def other_settings(tables: PublishedTables, context: Context) -> list[Row]:
    """Two excitations (phase 2), five other backgrounds (3), heating and coherent over-rotation (4)."""
    numbers = ("gL", "gamma", "m2_mean", *_DRAWS)
    base = tables.rows("phase_baselines", ("L", "teacher_seed", "m2_noiseless_mean"))
    backgrounds = tables.rows("phase3_teacher_ensemble", ("seed", *numbers), ("channel",))
    sweeps = [
        _sweep("3", Ring(8, 4, background=int(seed)), channel, _with_response(part, base, int(seed)), int(seed))
        for seed, rows in backgrounds.by("seed").items()
        for channel, part in rows.by("channel").items()
        if not (context.quick and (channel == "x_err" or seed > 2))
    ]
    for phase, name, ring in (
        ("2", "phase2_sector_r2", Ring(8, 4, excitations=2)),
        ("4", "phase4_extended_channels", Ring(8, 4)),
    ):
        rows = tables.rows(name, numbers, ("channel",))
        known = rows if phase == "2" else _with_response(rows, base, 42)
        parts = known.by("channel").items()
        sweeps += [_sweep(phase, ring, ch, part, 42) for ch, part in parts if not (context.quick and ch == "x_err")]
    return [row for rows in in_parallel(swept, sweeps, context) for row in rows]


def _with_response(rows: Rows, baselines: Rows, seed: int) -> Rows:
    """D_M from the published second moments with and without noise."""
    without = baselines.row(L=4.0, teacher_seed=float(seed))["m2_noiseless_mean"]
    return Rows({**row, "D_M": float(np.log(without / row["m2_mean"]))} for row in rows)


def _sweep(phase: str, ring: Ring, channel: str, part: Rows, seed: int) -> Sweep:
    first = part[0]
    thetas = nested_draws(ring, seed, int(first["n_init"]), int(first["n_input"]), SMALL_BOX)
    return Sweep(phase, ring, channel, (int(first["active_ell"]), int(first["active_j"])), thetas, part)


def swept(one: Sweep) -> list[Row]:
    """A sweep's rows: exact at each strength, and to first order 2 gamma kappa, with no fitted constant."""
    ring, channel = one.ring, kraus_channel(one.channel, one.ring.num_qubits)
    k = ring.parameter(*one.parameter)
    without = gradients(ring.problem(), one.thetas, k, 0.0) ** 2
    kappa = first_order_rate(ring.problem(channel.first_order()), one.thetas, k)
    rows: list[Row] = []
    for row in one.published:
        noisy = gradients(ring.problem(channel.noise(row["gamma"])), one.thetas, k) ** 2
        exact, error = mean_response(without, noisy)
        published = row.get("D_M")
        rows.append(
            {
                "phase": one.phase,
                "channel": one.channel,
                "n": ring.num_qubits,
                "L": ring.depth,
                "r": ring.excitations,
                "background": ring.background,
                "parameter": f"({one.parameter[0]}, {one.parameter[1]})",
                "gamma_L": row["gL"],
                "gamma": row["gamma"],
                "published_second_moment": row["m2_mean"],
                "second_moment": float(noisy.mean()),
                "published": published,
                "exact": exact,
                "median": response(without, noisy, "median"),
                "error": error,
                "first_order": 2 * row["gamma"] * kappa,
                "kappa": kappa,
                "draws": len(one.thetas),
            }
        )
    return rows


def kappa_rows(settings: Rows, depths: Sequence[int] = (3, 4)) -> list[Row]:
    """Kappa against the slope of the published D_M at gamma = 0.

    D_M(gamma)/(2 gamma) at the six published strengths, all from one set of draws, is carried to gamma = 0 by the
    polynomial through them (divided differences); its last term says how far the extrapolation can be trusted.
    """
    rows: list[Row] = []
    for depth in depths:
        for channel, part in settings.where(L=depth).by("channel").items():
            gamma, seen = part.column("gamma"), part.column("published")
            limit, last = _at_zero(gamma, seen / (2 * gamma))
            kappa = part[0]["kappa"]
            rows.append(
                {
                    "L": depth,
                    "channel": channel,
                    "kappa": kappa,
                    "published_slope": limit,
                    "last_term": last,
                    "relative_difference": kappa / limit - 1,
                }
            )
    return rows


def _at_zero(x: Real, y: Real) -> tuple[float, float]:
    """The polynomial through the points at 0 (Neville), and what its last point changed."""
    column, before = y.copy(), float(y[0])
    for width in range(1, x.size):
        before = float(column[0])
        low, high = x[: x.size - width], x[width:]
        column = (high * column[:-1] - low * column[1:]) / (high - low)
    return float(column[0]), float(column[0]) - before
