"""Survival against noise scale, as a table and as a panel of a figure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from equinoise.coherence.law_record import law_curve
from equinoise.coherence.quantity import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BLUE", "GREY", "SurvivalTable", "draw_survival", "survival_table"]

Real = npt.NDArray[np.float64]

# Okabe and Ito's palette, told apart by colour-blind readers
BLUE, GREY = "#0072B2", "#666666"
_VERMILION, _SKY = "#D55E00", "#56B4E9"


@dataclass(frozen=True)
class SurvivalTable:
    """Survival R against noise scale s: the law on a grid, and what the noisy simulation gave.

    Attributes:
        scale: Noise scales of the law, ascending, shape (m,).
        law: Resummed law, shape (m,).
        leading_order: exp(-s kappa), shape (m,).
        lower: Lower bound, shape (m,); NaN where there is none.
        upper: Upper bound, likewise.
        bound_status: What the bounds are worth, in words.
        simulated_scale: Scales of the simulated points, ascending, shape (p,).
        simulated: Simulated survival, shape (p,).
        simulated_low: Lower end of the 95 % interval, shape (p,); NaN where none was computed.
        simulated_high: Upper end, shape (p,).
        samples: Draws behind the simulated points.
        sampled: Whether the points are from trajectories; else each draw is exact.
    """

    scale: Real
    law: Real
    leading_order: Real
    lower: Real
    upper: Real
    bound_status: str
    simulated_scale: Real
    simulated: Real
    simulated_low: Real
    simulated_high: Real
    samples: int
    sampled: bool


def survival_table(record: Record, points: int = 161) -> SurvivalTable:
    """Survival against noise scale, as drawn; the scales are those of :func:`law_curve`.

    Args:
        record: Of the diagnosis.
        points: Scales on the law's grid.
    """
    scale, survival = record.number("scale"), record.number("simulated.survival")
    found = [(point["scale"], point["survival"], math.nan, math.nan) for point in record["curve"]]
    if 0 < scale < math.inf:
        found.append((scale, survival, *record.bounds("simulated.interval")))
    kept = [row for row in sorted(found) if math.isfinite(row[1])]
    simulated_scale, simulated, low, high = np.array(kept, dtype=np.float64).reshape(-1, 4).T
    return SurvivalTable(
        **law_curve(record["law"], scale, points),
        bound_status=record["law.bound_status"],
        simulated_scale=simulated_scale,
        simulated=simulated,
        simulated_low=low,
        simulated_high=high,
        samples=record["samples"],
        sampled=record["simulated.kind"] == "sampled",
    )


def draw_survival(axes: Axes, table: SurvivalTable) -> None:
    """The law with its bounds, and the simulated points with their intervals."""
    label = f"bounds: {table.bound_status}"
    axes.fill_between(table.scale, table.lower, table.upper, color=_SKY, alpha=0.28, linewidth=0, label=label)
    axes.plot(table.scale, table.law, color=BLUE, linewidth=2.2, label="law (resummed)")
    axes.plot(
        table.scale,
        table.leading_order,
        color=_VERMILION,
        linewidth=1.6,
        linestyle=(0, (5, 2)),
        label=r"leading order $e^{-s\kappa}$",
    )
    if table.simulated.size:
        low = np.nan_to_num(np.clip(table.simulated - table.simulated_low, 0, None))
        high = np.nan_to_num(np.clip(table.simulated_high - table.simulated, 0, None))
        axes.errorbar(
            table.simulated_scale,
            table.simulated,
            yerr=np.stack([low, high]),
            fmt="o",
            color="black",
            markersize=5.5,
            capsize=3,
            linewidth=1.2,
            zorder=5,
            label=f"{'trajectories' if table.sampled else 'exact simulation'} ({table.samples} draws)",
        )
    axes.set_xscale("log")
    axes.set_xlim(table.scale[0], table.scale[-1])
    highest = max([1.0, float(np.nanmax(table.law)), *(table.simulated.tolist())])
    axes.set_ylim(0, 1.06 * min(highest, 4.0))
    axes.set_xlabel("noise scale s")
    axes.set_ylabel("survival R(s)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="lower left")
