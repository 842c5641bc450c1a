"""Phase 0: which parameters the readout sees without noise, L = 2 to 6, n = 8."""

from __future__ import annotations

import numpy as np

from equinoise.evidence.frame.rows import Row
from equinoise.evidence.published.published_tables import PublishedTables
from equinoise.evidence.published.responses import gradients
from equinoise.evidence.published.ring import SMALL_BOX, Ring, nested_draws
from equinoise.reduction.light_cone import light_cone

__all__ = ["ROUNDING", "activity_rows"]

ROUNDING = 1e-24
"""A published second moment below this is rounding: the largest one outside the cone is 1e-31."""


def activity_rows(tables: PublishedTables) -> list[Row]:
    """Every parameter's second moment: published, ours with the authors' draws, and whether the cone holds its gate."""
    published = tables.rows("phase0_activity_maps", ("L", "ell", "j", "m2_mean", "n_init", "n_input"))
    rows: list[Row] = []
    for depth, part in published.by("L").items():
        ring = Ring(8, int(depth))
        problem = ring.problem()
        thetas = nested_draws(ring, 42, int(part[0]["n_init"]), int(part[0]["n_input"]), SMALL_BOX)
        squares = np.mean(gradients(problem, thetas, scale=0.0) ** 2, axis=0)
        seen = set(light_cone(problem).parameters)
        for row in part:
            k = ring.parameter(row["ell"], row["j"])
            rows.append(
                {
                    "L": int(depth),
                    "layer": int(row["ell"]),
                    "qubit": int(row["j"]),
                    "in_cone": k in seen,
                    "published": row["m2_mean"],
                    "ours": float(squares[k]),
                }
            )
    return rows
