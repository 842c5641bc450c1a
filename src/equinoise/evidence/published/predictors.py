"""Phases 5, 6, 9, 15, 16 and 17: what predicts D_M on the 96 settings, theirs and ours side by side.

Their models are least-squares lines of ln D_M on ln gamma L and the logarithm of a predictor: three fitted numbers. Our
law has none: 2 gamma kappa, kappa computed from the circuit. It is also shown with a fitted line on top.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from equinoise.evidence.frame.rows import Row, Rows
from equinoise.evidence.frame.statistics import coefficient_of_determination
from equinoise.evidence.published.published_tables import PublishedTables

__all__ = ["ALIGNED", "FIRST_ORDER", "held_out_rows", "permutation_rows", "predictor_rows", "their_fit"]

Real = npt.NDArray[np.float64]

FIRST_ORDER = "2 gamma kappa"

# their name of a model, and the column that stands beside ln gamma L
_MODELS = {
    "gamma_L only": None,
    "gamma_L + lambda_coh^worst": "lambda_coh",
    "gamma_L + lambda_coh^typical": "lambda_coh_typical",
    "gamma_L + 1-F_avg": "infidelity",
    "gamma_L + 1-u": "unitarity_loss",
    "gamma_L + 1-Purity": "purity_loss",
    "gamma_L + ||E-id||_diamond^UB": "diamond_norm_ub",
    "gamma_L + state offdiag loss": "offdiag_state_loss",
}
_COLUMNS = tuple(column for column in _MODELS.values() if column)
ALIGNED = "gamma_L + omega_eff lambda_coh"


def _settings(tables: PublishedTables) -> Rows:
    return tables.rows("pooled_with_extended_metrics", ("L", "gamma_L", "gamma", "D_M", *_COLUMNS), ("channel",))


def predictor_rows(tables: PublishedTables, settings: Rows) -> list[Row]:
    """R^2 of ln D_M by predictor: as published, repeated from their columns, and the number of fitted constants.

    Args:
        tables: The authors'.
        settings: Our rows of the 96 settings, in their order.
    """
    theirs = _settings(tables)
    published = tables.rows("phase16_predictor_extended", ("R2", "RMSE"), ("model",))
    seen = np.log(theirs.column("D_M"))
    depth = np.log(theirs.column("gamma_L"))
    rows: list[Row] = []
    for name, column in _MODELS.items():
        columns = [depth] if column is None else [depth, np.log(theirs.column(column))]
        known = published.row(model=name)["R2"]
        rows.append(_score(name, "theirs", known, _fitted(columns, seen), seen, len(columns) + 1))
    aligned = tables.row("phase15_alignment_summary", ("R2",), model="omega_eff_x_lambda_coh")["R2"]
    weights = np.log([_alignment(tables)[channel] for channel in (row["channel"] for row in theirs)])
    columns = [depth, weights + np.log(theirs.column("lambda_coh"))]
    # three of the line and one weight a channel, measured on noisy gradients of phase 10
    rows.append(_score(ALIGNED, "theirs", aligned, _fitted(columns, seen), seen, 7))
    ours = np.log(settings.column("first_order"))
    rows.append(_score(FIRST_ORDER, "ours", None, ours, seen, 0))
    rows.append(_score(f"{FIRST_ORDER}, their fit on top", "ours", None, _fitted([ours], seen), seen, 2))
    rows.append(_score("V at their rates, exactly", "ours", None, np.log(settings.column("exact")), seen, 0))
    return rows


def their_fit(tables: PublishedTables) -> Real:
    """D_M of the 96 settings by their line in ln gamma L and ln lambda_coh, three fitted constants, shape (96,)."""
    theirs = _settings(tables)
    columns = [np.log(theirs.column("gamma_L")), np.log(theirs.column("lambda_coh"))]
    return np.exp(_fitted(columns, np.log(theirs.column("D_M"))))


def _alignment(tables: PublishedTables) -> Mapping[str, float]:
    """Their weight of a channel: the median of omega at the two least strengths of phase 10."""
    measured = tables.rows("phase10_perturbative_micro", ("gL", "omega_eff_linear"), ("channel",))
    least = {name: sorted(part, key=lambda row: float(row["gL"]))[:2] for name, part in measured.by("channel").items()}
    return {name: float(np.median([row["omega_eff_linear"] for row in part])) for name, part in least.items()}


def _fitted(columns: Sequence[Real], seen: Real, train: npt.NDArray[np.bool_] | None = None) -> Real:
    """Values of the least-squares plane; fitted to the rows of ``train`` alone where given."""
    matrix = np.column_stack([np.ones_like(seen), *columns])
    used = np.ones(seen.size, dtype=np.bool_) if train is None else train
    return np.asarray(matrix @ np.linalg.lstsq(matrix[used], seen[used], rcond=None)[0], dtype=np.float64)


def _score(name: str, whose: str, published: float | None, predicted: Real, seen: Real, fitted: int) -> Row:
    return {
        "predictor": name,
        "whose": whose,
        "fitted_constants": fitted,
        "published_r2": published,
        "r2": coefficient_of_determination(predicted, seen),
        "rms_relative": float(np.sqrt(np.mean((np.exp(predicted - seen) - 1) ** 2))),
    }


def permutation_rows(tables: PublishedTables, settings: Rows) -> list[Row]:
    """Their permutation test, over all 24 ways to give four rates to four channels instead of 1000 random ones.

    p is the share of assignments that do at least as well as the true one; 1/24 is the least that it can be.
    """
    theirs = _settings(tables)
    seen, depth = np.log(theirs.column("D_M")), np.log(theirs.column("gamma_L"))
    names = theirs.distinct("channel")
    label = [row["channel"] for row in theirs]
    rate = {row["channel"]: row["lambda_coh"] for row in theirs}
    kappa = {(row["L"], row["channel"]): row["kappa"] for row in settings}

    def with_rates(given: Mapping[str, str]) -> tuple[float, float]:
        scalar = np.log([rate[given[name]] for name in label])
        own = [2 * r["gamma"] * kappa[int(r["L"]), given[r["channel"]]] for r in theirs]
        fitted = coefficient_of_determination(_fitted([depth, scalar], seen), seen)
        return fitted, coefficient_of_determination(np.log(own), seen)

    found = np.array(
        [with_rates(dict(zip(names, given, strict=True))) for given in itertools.permutations(names)]
    )  # the first permutation is the identity
    published = tables.row("phase17_permutation", ("R2_obs", "p_value_one_sided"))
    return [
        {
            "predictor": title,
            "fitted_constants": fitted,
            "published_r2": known[0],
            "published_p": known[1],
            "r2": float(column[0]),
            "p": float(np.mean(column >= column[0] - 1e-12)),
            "best_false_r2": float(np.sort(column)[-2]) if np.argmax(column) == 0 else float(column.max()),
        }
        for title, fitted, known, column in (
            ("gamma_L + lambda_coh", 3, (published["R2_obs"], published["p_value_one_sided"]), found[:, 0]),
            (FIRST_ORDER, 0, (None, None), found[:, 1]),
        )
    ]


def held_out_rows(tables: PublishedTables, settings: Rows) -> list[Row]:
    """Leave-one-out by channel, depth and strength: their fit on the rest, ours with nothing to fit."""
    theirs = _settings(tables)
    published = tables.rows("phase17_loo", ("R2_test", "RMSE_test"), ("variant", "held"))
    seen, depth = np.log(theirs.column("D_M")), np.log(theirs.column("gamma_L"))
    scalar, ours = np.log(theirs.column("lambda_coh")), np.log(settings.column("first_order"))
    rows: list[Row] = []
    for known in published:
        held = np.array([_is_held(row, known["variant"], known["held"]) for row in theirs])
        fitted = _fitted([depth, scalar], seen, ~held)
        rows.append(
            {
                "left_out": known["held"],
                "published_r2": known["R2_test"],
                "repeated_r2": coefficient_of_determination(fitted[held], seen[held]),
                "our_r2": coefficient_of_determination(ours[held], seen[held]),
                "published_rms": known["RMSE_test"],
                "our_rms": float(np.sqrt(np.mean((ours[held] - seen[held]) ** 2))),
            }
        )
    return rows


def _is_held(row: Row, variant: str, held: str) -> bool:
    if variant == "LOCO":
        return bool(row["channel"] == held)
    column = {"LODO": "L", "LONO": "gamma_L"}[variant]
    return math.isclose(row[column], float(held.partition("=")[2]), abs_tol=1e-9)
