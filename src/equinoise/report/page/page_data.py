"""What the page's own script draws from: the tables of page_tables, packed as numbers in lists."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from equinoise.report.page.device_graph import DeviceGraph, graph_of
from equinoise.report.page.page_tables import (
    GROUPINGS,
    budget_table,
    collapse_line,
    collapse_table,
    curve_table,
    depth_table,
    points_table,
    ranking_table,
    thinned,
)
from equinoise.report.page.results import Results
from equinoise.text.table import Table, as_number

__all__ = ["page_data"]

Row = Mapping[str, Any]

_CURVES = ("law", "leading_order", "lower", "upper")
_STEPS = 10_000
_PARTS = 1000
_NOTHING = 1e-12
# numbers of budgets that one page holds: about 2 MB of it
_MOST_PARTS = 1_500_000


def page_data(results: Results, rows: Sequence[Row], listed: Sequence[Row]) -> dict[str, Any]:
    """Everything the figures are drawn from, as plain data.

    Args:
        results: Where budgets and curves are.
        rows: All rows, in the order of the ranking.
        listed: Those that the ranking lists; curves and budgets are packed for these alone, budgets only as far as
            they fit.
    """
    present = [by for by in GROUPINGS if len({str(row.get(by)) for row in rows}) > 1] or ["noise_class"]
    collapse = {by: thinned(collapse_table(results, rows, by)) for by in present}
    return {
        "ranking": _packed(ranking_table(listed)),
        "curves": [_text(_curve(row)) for row in listed],
        "points": [_text(_points(results, row)) for row in listed],
        "budgets": _budgets(results, listed),
        "groupings": present,
        "collapse": {by: _packed(table) for by, table in collapse.items()},
        "line": collapse_line().columns,
        "depth": {by: _packed(depth_table(rows, by)) for by in present if by != "depth"},
    }


def _text(value: Any) -> str:
    """As JSON of its own, which the page reads when its row is shown: a page opens sooner."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _packed(table: Table) -> dict[str, Any]:
    """Columns; texts as codes into a list of the different ones."""
    out: dict[str, Any] = {}
    for name, values in table.columns.items():
        if any(isinstance(value, str) for value in values):
            words = list(dict.fromkeys(values))
            place = {word: code for code, word in enumerate(words)}
            out[name] = {"words": words, "codes": [place[value] for value in values]}
        else:
            out[name] = [_short(value) for value in values]
    return out


def _short(value: Any) -> Any:
    """Five significant digits are more than a screen shows."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.5g}") if math.isfinite(value) else None


def _curve(row: Row) -> dict[str, Any] | None:
    """The ends of the scale's grid (log10), its number of points, and the curves in steps of 1e-4."""
    table = curve_table(row)
    if not len(table):
        return None
    scale = [as_number(s) for s in table.columns["scale"]]
    packed = {name: [_step(as_number(v)) for v in table.columns[name]] for name in _CURVES}
    return {"from": round(math.log10(scale[0]), 4), "to": round(math.log10(scale[-1]), 4), **packed}


def _step(value: float) -> int | None:
    return round(_STEPS * min(9.0, value)) if math.isfinite(value) else None


def _points(results: Results, row: Row) -> dict[str, Any]:
    return {name: [_short(v) for v in values] for name, values in points_table(results, row).columns.items()}


def _budgets(results: Results, rows: Sequence[Row]) -> dict[str, Any]:
    """Per row, parts of kappa at [mechanism][place][layer] in thousandths of the greatest; pictures apart."""
    graphs: dict[int, int] = {}
    pictures: list[dict[str, Any]] = []
    packed: list[str] = []
    held = 0
    for row in rows:
        table = budget_table(results, row)
        if not len(table) or held > _MOST_PARTS:
            packed.append(_text(None))
            continue
        graph = graph_of(results, row)
        if id(graph) not in graphs:  # graphs are cached, equal ones are one object
            graphs[id(graph)] = len(pictures)
            pictures.append(_picture(graph))
        one = _budget(table)
        held += len(one["parts"])
        packed.append(_text({"picture": graphs[id(graph)], **one}))
    return {"pictures": pictures, "rows": packed}


def _budget(table: Table) -> dict[str, Any]:
    columns = table.columns
    mechanisms = sorted({str(m) for m in columns["mechanism"]})
    places = sorted({str(p) for p in columns["place"]}, key=lambda text: [int(q) for q in text.split("-")])
    layers = sorted({int(layer or 0) for layer in columns["layer"]})
    greatest = max((abs(float(k or 0.0)) for k in columns["kappa"]), default=0.0)
    unit = greatest / _PARTS if greatest > _NOTHING else 0.0
    parts: list[int | None] = [None] * (len(mechanisms) * len(places) * len(layers))
    for row in table.rows():
        spot = (mechanisms.index(str(row["mechanism"])) * len(places) + places.index(str(row["place"]))) * len(
            layers
        ) + layers.index(int(row["layer"] or 0))
        parts[spot] = round(float(row["kappa"] or 0.0) / unit) if unit else 0
    return {"mechanisms": mechanisms, "places": places, "layers": layers, "unit": _short(unit), "parts": parts}


def _picture(graph: DeviceGraph) -> dict[str, Any]:
    return {
        "qubits": graph.qubits,
        "physical": graph.physical,
        "positions": [[round(float(v), 3) for v in point] for point in graph.positions],
        "bonds": graph.bonds,
        "around": [[round(float(v), 3) for v in point] for point in graph.around],
        "around_names": graph.around_names,
        "around_lines": [[round(float(v), 3) for v in line] for line in graph.around_lines],
        "caption": graph.caption,
    }
