"""What a page is made from: rows of diagnoses with their budgets and curves, from a store or one live diagnosis."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equinoise.coherence.law_record import budget_of
from equinoise.coherence.rates import BudgetEntry
from equinoise.errors import EquinoiseError
from equinoise.sweeps.store import RESULTS, Store, StoreError

if TYPE_CHECKING:
    from equinoise.diagnosis.diagnose import Diagnosis

__all__ = ["EmptyStoreError", "Results", "read_results", "results_of"]

Row = Mapping[str, Any]

_LAW = ("lasting_share", "greatest_rate", "bound_status", "bound_reason", "bound_ends")
_TEXTS = ("advice", "approximations", "warnings")
_REALS = tuple(name for name, kind in RESULTS.items() if kind == "DOUBLE")
_COUNTS = tuple(name for name, kind in RESULTS.items() if kind == "INTEGER")
# far beyond what a sweep writes, and products of two are still numbers
_GREATEST, _MOST = 1e100, 1_000_000


class EmptyStoreError(EquinoiseError):
    """A store holds nothing to report."""


@dataclass(frozen=True)
class Results:
    """Diagnoses as rows.

    Attributes:
        rows: One mapping a diagnosis, with the columns of a store's table ``results``; beside them ``lasting_share``,
            ``greatest_rate``, ``bound_status``, ``bound_reason``, ``bound_ends``, ``advice``, ``approximations``,
            ``warnings``, ``cone`` (the light cone's qubits) and ``couplings`` (pairs with a gate) of its diagnosis.
        failed: Rows whose task failed: what it was, and the error.
        budgets: Key to the parts of kappa.
        curves: Key to simulated (scale s, survival) pairs beside the row's own.
        meta: Name to value, of the store.
        origin: Where the rows come from, in words.
    """

    rows: tuple[Row, ...]
    failed: tuple[Row, ...] = ()
    budgets: Mapping[str, tuple[BudgetEntry, ...]] = field(default_factory=dict, repr=False)
    curves: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict, repr=False)
    meta: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""


def read_results(path: str | Path, study: str | None = None) -> Results:
    """The rows of a store, which is opened for reading alone.

    Args:
        path: A DuckDB file written by ``equinoise sweep``.
        study: Only of the study of this name.

    Raises:
        StoreError: duckdb is missing, or the file is missing, no store, or in use by a sweep.
        EmptyStoreError: The store holds no results, or none of the study.
    """
    store = Store(path)
    found = store.read_results(study)
    if not found:
        of = f" of the study {study!r}" if study is not None else ""
        raise EmptyStoreError(f"the store {str(path)!r} holds no results{of} yet. Run `equinoise sweep` on it first.")
    budgets: dict[str, list[BudgetEntry]] = {}
    for part in store.read_budget(study):
        budgets.setdefault(str(part["key"]), []).append(_budget_part(path, part))
    curves: dict[str, list[tuple[float, float]]] = {}
    for point in store.read_curve(study):
        curves.setdefault(str(point["key"]), []).append(_floats(path, point, "scale", "survival"))
    for row in found:
        _check_numbers(path, row)
    return Results(
        rows=tuple(_with_diagnosis(path, row) for row in found if row["status"] == "done"),
        failed=tuple(row for row in found if row["status"] != "done"),
        budgets={key: tuple(parts) for key, parts in budgets.items()},
        curves={key: tuple(points) for key, points in curves.items()},
        meta=store.meta(),
        origin=f"store {Path(path).name}" + (f", study {study}" if study is not None else ""),
    )


def _strange(path: str | Path, row: Row, name: str) -> StoreError:
    return StoreError(
        f"the store {str(path)!r} holds what no sweep writes: {name} of the task {str(row.get('key'))[:80]!r}. "
        "Restore it from a copy, or run the sweep into a new --store."
    )


def _check_numbers(path: str | Path, row: Row) -> None:
    """A foreign file may hold any number in the right columns."""
    for name in _REALS:
        value = row[name]
        if value is not None and math.isfinite(value) and abs(value) > _GREATEST:
            raise _strange(path, row, name)
    for name in ("num_qubits", "depth"):  # known of every problem that was stated
        if row["status"] == "done" and row[name] is None:
            raise _strange(path, row, name)
    for name in _COUNTS:
        if row[name] is not None and not 0 <= row[name] <= _MOST:
            raise _strange(path, row, name)
    if row["scale"] is not None and row["scale"] < 0:
        raise _strange(path, row, "scale")


def _budget_part(path: str | Path, part: Row) -> BudgetEntry:
    numbers = str(part["qubits"]).split(",")
    if not all(number.isascii() and number.isdigit() and int(number) <= _MOST for number in numbers):
        raise _strange(path, part, "qubits")
    if not isinstance(part["layer"], int) or not 0 <= part["layer"] <= _MOST:
        raise _strange(path, part, "layer")
    kappa, error = _floats(path, part, "kappa", "standard_error")
    return BudgetEntry(part["layer"], tuple(int(q) for q in numbers), str(part["mechanism"]), kappa, error)


def _floats(path: str | Path, row: Row, *names: str) -> tuple[float, float]:
    first, second = (math.nan if row[name] is None else float(row[name]) for name in names)
    if any(math.isfinite(value) and abs(value) > _GREATEST for value in (first, second)):
        raise _strange(path, row, " or ".join(names))
    return first, second


def _with_diagnosis(path: str | Path, row: dict[str, Any]) -> dict[str, Any]:
    """A row with what only the whole diagnosis says; the JSON itself is let go."""
    text = row.pop("diagnosis", None)
    row.pop("task", None)
    try:
        whole = json.loads(text) if isinstance(text, str) and text else {}
    except (ValueError, RecursionError):
        raise _strange(path, row, "diagnosis") from None
    if not _is_diagnosis(whole):
        raise _strange(path, row, "diagnosis")
    return row | _of_diagnosis(whole)


def _is_diagnosis(whole: Any) -> bool:
    """Whether the parts of a diagnosis that a page shows have their types."""
    if not isinstance(whole, dict):
        return False
    law, cone, circuit = (whole.get(name, {}) for name in ("law", "light_cone", "circuit"))
    if not all(isinstance(part, dict) for part in (law, cone, circuit)):
        return False
    reals, words = (law.get(name) for name in _LAW[:2]), (law.get(name) for name in _LAW[2:4])
    texts, pairs = (whole.get(name, []) for name in _TEXTS), circuit.get("couplings", [])
    return (
        all(value is None or _is_real(value) for value in reals)
        and all(word is None or isinstance(word, str) for word in words)
        and _are_ends(law.get("bound_ends"))
        and all(isinstance(part, list) and all(isinstance(text, str) for text in part) for part in texts)
        and _are_qubits(cone.get("qubits", []))
        and isinstance(pairs, list)
        and all(_are_qubits(pair) and len(pair) == 2 for pair in pairs)
    )


def _are_qubits(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(q, int) and not isinstance(q, bool) and 0 <= q <= _MOST for q in value
    )


def _are_ends(ends: Any) -> bool:
    """Whether this is where kappa and w0 lie for the bounds: two numbers or nulls each, or nothing."""
    if ends is None:
        return True
    pairs = [ends.get(name) for name in ("kappa", "fixed_point_share")] if isinstance(ends, dict) else [None]
    return all(
        isinstance(pair, list) and len(pair) == 2 and all(end is None or _is_real(end) for end in pair)
        for pair in pairs
    )


def _is_real(value: Any) -> bool:
    if isinstance(value, float) and not math.isfinite(value):
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _GREATEST


def _of_diagnosis(whole: Mapping[str, Any]) -> dict[str, Any]:
    law = whole.get("law", {})
    return {
        **{name: law.get(name) for name in _LAW},
        **{name: tuple(whole.get(name, ())) for name in _TEXTS},
        "cone": tuple(whole.get("light_cone", {}).get("qubits", ())),
        "couplings": tuple(map(tuple, whole.get("circuit", {}).get("couplings", ()))),
    }


def results_of(diagnosis: Diagnosis, source: str | None = None) -> Results:
    """One live diagnosis as results.

    Args:
        diagnosis: The diagnosis.
        source: What the circuit is called; by default the circuit's own name.
    """
    record, key = diagnosis.record, "diagnosis"
    row: dict[str, Any] = {
        **record.columns(),
        **_of_diagnosis(record.data),
        "key": key,
        "status": "done",
        "source": source or record["circuit.name"],
        "depth": record["layers.count"],
        "readout": record["readout.label"] + (" projected" if record["readout.projected"] else ""),
        "noise_terms": diagnosis.problem.noise.describe(diagnosis.problem),
        "version": record["versions.equinoise"],
    }
    return Results(
        rows=(row,),
        budgets={key: budget_of(record)},
        curves={key: tuple((point["scale"], point["survival"]) for point in record["curve"])},
        origin="one diagnosis",
    )
