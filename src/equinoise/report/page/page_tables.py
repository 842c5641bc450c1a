"""The tables that a page's figures are drawn from; each can be asked for by itself."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from equinoise.coherence.law_record import law_curve
from equinoise.coherence.resummed import leading_order_survival
from equinoise.report.page.results import Results
from equinoise.text.table import Table

__all__ = [
    "GROUPINGS",
    "budget_table",
    "collapse_line",
    "collapse_table",
    "curve_table",
    "depth_table",
    "points_table",
    "ranked",
    "ranking_table",
    "thinned",
]

Row = Mapping[str, Any]

GROUPINGS = (
    "noise",
    "readout",
    "source",
    "family",
    "initial",
    "layout",
    "noise_class",
    "num_qubits",
    "scale",
    "verdict",
)
"""By what the figures may colour; those with one value only are left out of a page."""

_MOST_GROUPS = 6
_OTHER = "all others"
_COLUMNS = (
    "source",
    "verdict",
    "num_qubits",
    "depth",
    "readout",
    "initial",
    "noise",
    "layout",
    "scale",
    "kappa",
    "kappa_error",
    "fixed_point_share",
    "survival",
    "survival_low",
    "survival_high",
    "law_survival",
    "lower_bound",
    "upper_bound",
    "bound_status",
    "noiseless_rms",
    "measured_rms",
    "shots_per_gradient",
    "samples",
    "seed",
    "engine",
    "fixed_point_class",
    "verdict_reason",
)


def ranked(results: Results) -> tuple[Row, ...]:
    """Rows with the cheapest resolved gradient first: by shots per gradient, unknown ones last."""

    def cost(row: Row) -> tuple[float, float, str]:
        shots, survival = _number(row.get("shots_per_gradient")), _number(row.get("survival"))
        return (
            shots if math.isfinite(shots) else math.inf,
            -survival if math.isfinite(survival) else math.inf,
            str(row["key"]),
        )

    return tuple(sorted(results.rows, key=cost))


def ranking_table(rows: Sequence[Row]) -> Table:
    """What the ranking shows: the design, its law, what survives with its interval, and what resolving it costs.

    Args:
        rows: In the order wanted, from :func:`ranked`.

    Returns:
        Columns rank and key, then those of a store's table ``results``; kappa and w0 dimensionless, RMS gradients per
        radian.
    """
    return Table.from_rows(
        [
            {"rank": place, "key": str(row["key"]), **{name: _plain(row.get(name)) for name in _COLUMNS}}
            | {"bound_status": bound_words(row)}
            for place, row in enumerate(rows, 1)
        ]
    )


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def bound_words(row: Row) -> str:
    """What the bounds of a row are worth; from whether they are proved alone where its diagnosis was not kept."""
    told = row.get("bound_status")
    return str(told) if told else "proved for exact kappa and w0" if row.get("bounds_proved") else "not proved"


def curve_table(row: Row, points: int = 33) -> Table:
    """The law and its bounds against the noise scale, on the grid of :func:`equinoise.coherence.law_record.law_curve`.

    Args:
        row: With kappa, fixed_point_share or lasting_share, rate_variance, bound_ends, greatest_rate and scale.
        points: On the grid.

    Returns:
        Columns scale, law, leading_order, lower, upper (NaN where there are no bounds); no rows where kappa is unknown.
    """
    curve = law_curve(row, _number(row.get("scale")), points)
    known = math.isfinite(_number(row.get("kappa")))
    return Table({name: values.tolist() if known else [] for name, values in curve.items()})


def points_table(results: Results, row: Row) -> Table:
    """Simulated survival of one row against the noise scale.

    Returns:
        Columns scale, survival, low, high (the 95 % interval; None where none was computed), ascending in scale.
    """
    found = [(s, r, None, None) for s, r in results.curves.get(str(row["key"]), ())]
    own = _number(row.get("scale")), _number(row.get("survival"))
    if math.isfinite(own[0]) and own[0] > 0:
        found = [point for point in found if not math.isclose(point[0], own[0], rel_tol=1e-9)]
        found.append((*own, _plain(row.get("survival_low")), _plain(row.get("survival_high"))))
    kept = [point for point in found if math.isfinite(point[1]) and point[0] > 0]
    names = ("scale", "survival", "low", "high")
    return Table(
        dict(zip(names, map(list, zip(*sorted(kept), strict=True)), strict=True)) if kept else {n: [] for n in names}
    )


def budget_table(results: Results, row: Row) -> Table:
    """Kappa by place, layer and mechanism, each part once: the rows sum to kappa.

    A term on one qubit is at that qubit, one on a pair at that pair; one on more qubits is split evenly over them.

    Returns:
        Columns place ("3", or "3-4" for a pair), layer, mechanism, kappa.
    """
    found: dict[tuple[tuple[int, ...], int, str], float] = {}
    for part in results.budgets.get(str(row["key"]), ()):
        places = [tuple(sorted(part.qubits))] if len(part.qubits) <= 2 else [(q,) for q in part.qubits]
        for place in places:
            spot = (place, part.layer, part.mechanism)
            found[spot] = found.get(spot, 0.0) + part.kappa / len(places)
    return Table(
        {
            "place": ["-".join(map(str, place)) for place, _, _ in found],
            "layer": [layer for _, layer, _ in found],
            "mechanism": [mechanism for _, _, mechanism in found],
            "kappa": list(found.values()),
        }
    )


def groups(rows: Sequence[Row], by: str) -> list[str]:
    """Each row's group: its value, or "all others" beyond the six most frequent."""
    values = ["" if row.get(by) is None else _label(row[by]) for row in rows]
    often = [value for value, _ in Counter(values).most_common()]
    kept = set(often if len(often) <= _MOST_GROUPS + 1 else often[:_MOST_GROUPS])
    return [value if value in kept else _OTHER for value in values]


def _label(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def collapse_table(results: Results, rows: Sequence[Row], by: str = "noise_class") -> Table:
    """Simulated survival R against x = s kappa, of every row at each of its scales.

    Args:
        results: Where the rows' curves are.
        rows: The rows.
        by: Column that groups the points.

    Returns:
        Columns row (index into ``rows``), group, scale, x, survival; points at x <= 0 left out.
    """
    names = groups(rows, by)
    found: list[dict[str, Any]] = []
    for index, row in enumerate(rows):
        kappa = _number(row.get("kappa"))
        points = points_table(results, row)
        for scale, survival in zip(points.columns["scale"], points.columns["survival"], strict=True):
            x = _number(scale) * kappa
            if x > 1e-9:
                found.append({"row": index, "group": names[index], "scale": scale, "x": x, "survival": survival})
    return Table.from_rows(found) if found else Table({n: [] for n in ("row", "group", "scale", "x", "survival")})


def collapse_line(points: int = 61) -> Table:
    """The leading-order law R = exp(-x): columns x and survival, x from 0.001 to 10."""
    x = np.logspace(-3, 1, points)
    return Table({"x": x.tolist(), "survival": leading_order_survival(x, 1.0).tolist()})


def thinned(table: Table, across: int = 90, up: int = 60) -> Table:
    """A scatter of few enough points to draw: of each group one point, the first, in each cell of (log x, R).

    Args:
        table: From :func:`collapse_table`.
        across: Cells along log x, from 0.001 to 100.
        up: Cells along R, from 0 to 1.

    Returns:
        The same columns, and count: how many points the one stands for.
    """
    cells: dict[tuple[str, int, int], dict[str, Any]] = {}
    for row in table.rows():
        place = (math.log10(max(_number(row["x"]), 1e-3)) + 3) / 5
        cell = (str(row["group"]), int(place * across), int(_number(row["survival"]) * up))
        if cell in cells:
            cells[cell]["count"] += 1
        else:
            cells[cell] = {**row, "count": 1}
    kept = list(cells.values())
    return Table.from_rows(kept) if kept else Table({**{name: [] for name in table.columns}, "count": []})


def depth_table(rows: Sequence[Row], by: str = "noise") -> Table:
    """Survival against depth, by group.

    Args:
        rows: The rows; those without survival are left out.
        by: Column that groups them.

    Returns:
        Columns group, depth, median, low and high (the quartiles), count; ascending in group and depth.
    """
    found: dict[tuple[str, int], list[float]] = {}
    for row, name in zip(rows, groups(rows, by), strict=True):
        survival = _number(row.get("survival"))
        if math.isfinite(survival) and row.get("depth") is not None:
            found.setdefault((name, int(row["depth"])), []).append(survival)
    out: list[dict[str, Any]] = []
    for (name, depth), values in sorted(found.items()):
        low, median, high = np.percentile(values, [25, 50, 75]).tolist()
        out.append({"group": name, "depth": depth, "median": median, "low": low, "high": high, "count": len(values)})
    return Table.from_rows(out) if out else Table({n: [] for n in ("group", "depth", "median", "low", "high", "count")})
