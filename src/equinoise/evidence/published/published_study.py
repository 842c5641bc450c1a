"""Do the authors' published tables and our law agree, phase by phase, and where they do not, why?"""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np

from equinoise.evidence.frame.figure_panels import Layout, Panel, diagonal, grouped
from equinoise.evidence.frame.rows import Row, Rows, Tables
from equinoise.evidence.frame.statistics import coefficient_of_determination
from equinoise.evidence.frame.study import Context, Criterion, Study, at_least, at_most
from equinoise.evidence.published.activity import ROUNDING, activity_rows
from equinoise.evidence.published.depth_sweep import kappa_rows, main_settings, other_settings
from equinoise.evidence.published.full_range import bound_rows, budget_rows, more_charge_rows, range_rows
from equinoise.evidence.published.kraus_channels import CHANNELS
from equinoise.evidence.published.loss_gradients import loss_rows
from equinoise.evidence.published.medians import median_rows, width_rows
from equinoise.evidence.published.predictors import (
    ALIGNED,
    FIRST_ORDER,
    held_out_rows,
    permutation_rows,
    predictor_rows,
    their_fit,
)
from equinoise.evidence.published.published_page import page
from equinoise.evidence.published.published_tables import PublishedTables
from equinoise.evidence.published.small_noise import small_noise_rows

__all__ = ["STUDY", "TIME"]

TIME = "time for all 96 settings, processors unshared, over that of one row of their noisy sweeps"

# digits that are left of a printed number after theirs and our rounding
_SAME = 1e-9
_REPEATED_MEDIANS = ("13", "14")


def _tables(context: Context) -> dict[str, list[Row]]:
    """Every phase, theirs and ours, and what the tables do not hold."""
    tables = PublishedTables(context.tables)
    settings, clock, processors = main_settings(tables, context)
    data = Rows({**row, "their_fit": float(fit)} for row, fit in zip(settings, their_fit(tables), strict=True))
    return {
        "data": list(data),
        "timing": [_timing(tables, clock, processors, context)],
        "kappa": kappa_rows(data),
        "activity": activity_rows(tables),
        "other_settings": other_settings(tables, context),
        "small_noise": small_noise_rows(tables, context),
        "widths": width_rows(tables, context),
        "medians": median_rows(tables, context),
        "predictors": predictor_rows(tables, data),
        "permutation": permutation_rows(tables, data),
        "held_out": held_out_rows(tables, data),
        "losses": loss_rows(tables, context),
        "range": range_rows(context),
        "budget": budget_rows(context),
        "bounds": bound_rows(context),
        "more_charge": more_charge_rows(context),
    }


def _timing(tables: PublishedTables, clock: float, processors: float, context: Context) -> Row:
    """Time of the 96 settings, and the median of their rows at n = 8 in phases 12 to 14.

    ``unshared`` is what the clock shows on a machine that does nothing else: processor time over workers.
    """
    rows = [
        row["wallclock_s"]
        for name in ("phase12_r2_sector", "phase13_open_chain", "phase14_aniso_noise")
        for row in tables.rows(name, ("n", "wallclock_s"))
        if row["n"] == 8
    ]
    workers = context.workers or os.cpu_count() or 1
    return {
        "set": "quick" if context.quick else "full",
        "clock": clock,
        "unshared": processors / workers,
        "workers": workers,
        "one_row_of_theirs": float(np.median(rows)),
        "machine": _machine(),
    }


def _machine() -> str:
    """The processor and how many of them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{(names or [platform.processor() or platform.machine()])[0]}, {os.cpu_count()} processors"


def _difference(rows: Rows, ours: str, theirs: str = "published") -> float:
    """The largest relative difference of two columns."""
    return float(np.abs(rows.column(ours) / rows.column(theirs) - 1).max())


def _r2_of_logarithms(rows: Rows, predicted: str, seen: str = "published") -> float:
    return coefficient_of_determination(np.log(rows.column(predicted)), np.log(rows.column(seen)))


def _criteria(tables: Tables) -> list[Criterion]:
    data, timing = tables["data"], tables["timing"][0]
    outside = tables["activity"].where(in_cone=False)
    active = tables["activity"].where(lambda row: row["published"] > ROUNDING)
    medians = tables["medians"]
    biased = medians.where(channel="biased_pauli")
    same = medians.where(
        lambda r: r["phase"] in _REPEATED_MEDIANS and r["channel"] not in ("corr_dephase", "biased_pauli")
    )
    scattered = medians.where(lambda r: r["phase"] not in _REPEATED_MEDIANS)
    protected = medians.where(channel="corr_dephase")
    theirs = tables["predictors"].known("published_r2")
    bounds = tables["bounds"]
    outside_bounds = bounds.where(
        lambda r: not r["lower"] - 3 * r["error"] <= r["survival"] <= r["upper"] + 3 * r["error"]
    )
    return [
        at_least(
            "R^2 of ln D_M, 96 settings, 2 gamma kappa, nothing fitted", _r2_of_logarithms(data, "first_order"), 0.9995
        ),
        at_least("R^2 of ln D_M, 96 settings, V at their strengths", _r2_of_logarithms(data, "exact"), 0.9999),
        at_most("largest relative difference from a published D_M, 96 settings", _difference(data, "exact"), 0.01),
        at_most("the same, since the draws are theirs", _difference(data, "exact"), _SAME),
        at_most(
            "largest relative difference of kappa from the slope of the published D_M, L = 3 and 4",
            tables["kappa"].largest_size("relative_difference"),
            1e-5,
        ),
        at_most(TIME, timing["unshared"] / timing["one_row_of_theirs"], 1.0),
        at_most(
            "largest published second moment of a parameter outside the cone", outside.largest("published"), ROUNDING
        ),
        at_most("activity map: largest relative difference inside", _difference(active, "ours"), _SAME),
        at_most(
            "phases 2 to 4: largest relative difference of a second moment",
            _difference(tables["other_settings"], "second_moment", "published_second_moment"),
            _SAME,
        ),
        at_most("phase 10: largest relative difference", _difference(tables["small_noise"], "mean_of_ratios"), _SAME),
        at_most("phase 11: largest relative difference", _difference(tables["widths"], "median"), _SAME),
        at_most("phases 13 and 14 but biased Pauli: largest relative difference", _difference(same, "median"), 1e-6),
        at_most(
            "biased Pauli: published medians outside our 95 % interval", len(biased) * (1 - _share_inside(biased)), 0.0
        ),
        at_most("correlated dephasing: largest |D_M| of ours", protected.largest_size("median"), 1e-10),
        at_least("phases 12 and 18: share of published medians in our 95 % interval", _share_inside(scattered), 0.9),
        at_least("loss gradients: share of published quotients between our two labels", _share(tables["losses"]), 1.0),
        at_most(
            "predictors: largest difference of R^2 repeated from their columns",
            float(np.abs(theirs.column("r2") - theirs.column("published_r2")).max()),
            _SAME,
        ),
        at_least("leave-one-out: least R^2 of 2 gamma kappa", tables["held_out"].least("our_r2"), 0.99),
        at_least(
            "whole range: R^2 of ln D_M by the resummed law",
            _r2_of_logarithms(tables["range"], "resummed", "exact"),
            0.999,
        ),
        at_most("points beyond a proved bound by more than 3 errors, uniform weights", len(outside_bounds), 0),
    ]


def _share_inside(rows: Rows) -> float:
    return 1.0 if not rows else float(np.mean([r["their_low"] <= r["published"] <= r["their_high"] for r in rows]))


def _share(rows: Rows) -> float:
    return float(np.mean([row["between"] for row in rows]))


def _findings(tables: Tables) -> list[str]:
    data, timing, predictors = tables["data"], tables["timing"][0], tables["predictors"]
    worst = data.highest(lambda r: abs(r["first_order"] / r["published"] - 1))
    scores = {row["predictor"]: row["r2"] for row in predictors}
    scattered = tables["medians"].where(lambda r: r["phase"] not in _REPEATED_MEDIANS)
    seven = tables["losses"].where(phase="7", channel="depol").column("published")
    return [
        f"96 settings: every D_M is theirs to {_difference(data, 'exact'):.0e} of itself, from their draws (which "
        "follow from their seeds) and generators with their Kraus strengths. To first order, 2 gamma kappa with "
        f"nothing fitted, R^2 of ln D_M is {scores[FIRST_ORDER]:.4f}; it is off the most at {worst['channel']}, "
        f"L = {worst['L']}, gamma L = {worst['gamma_L']:g}: {worst['first_order']:.3f} for {worst['published']:.3f}.",
        f"Their scalar reaches {scores['gamma_L + lambda_coh^worst']:.4f} with three fitted constants, and their best, "
        f"the alignment-weighted rate, {scores[ALIGNED]:.4f} with three fitted constants and four "
        "weights measured on noisy gradients. Ours fits none and measures none, but needs the circuit; their scalar "
        "needs the channel alone.",
        f"The 96 settings took {timing['clock']:.0f} s by the clock and {timing['unshared']:.0f} s of each of "
        f"{timing['workers']} processors ({timing['machine']}); one row of theirs took "
        f"{timing['one_row_of_theirs']:.0f} s on a machine that they do not name.",
        "Phases 11, 13 and 14 take medians of 25 or 40 draws, not of 100 or 160: with one excitation the data are a "
        "global phase. There it does no harm: V_k(gamma)/V_k(0) is the same in every draw at L = 3, but for biased "
        "Pauli noise, whose unequal X and Y break the charge (found in a first run, in which one criterion held all "
        "of phase 14 to 1e-6 and failed).",
        f"Phases 12 and 18: {_share_inside(scattered):.0%} of the published medians lie where 95 % of medians of 40 "
        "weights and 4 data lie. Rows of one circuit share their draws, so they are off together or not at all.",
        _more_excitations(tables["medians"]),
        "Phases 7 and 19 have no labels: the teacher's score is the same for every x, so that the last bit of rounding "
        "decides, and 'imbalanced' and 'non-median' are the same numbers as 'baseline'. The published quotients lie "
        "between what the two labels give. The quotient is no constant of the task: in phase 7 it runs from "
        f"{seven.min():.3f} to {seven.max():.3f} under depolarizing noise, because noise pulls the prediction.",
    ]


def _more_excitations(medians: Rows) -> str:
    """How 2 gamma kappa does beyond one excitation, against their medians and against means over many draws."""
    parts = []
    for name in ("two excitations", "three excitations"):
        rows = medians.where(design=name)
        theirs, ours = _r2_of_logarithms(rows, "first_order"), _r2_of_logarithms(rows, "first_order", "mean")
        parts.append(f"{theirs:.3f} against their medians and {ours:.3f} against our means ({name})")
    return (
        f"Beyond one excitation R^2 of ln D_M by 2 gamma kappa, nothing fitted, is {'; '.join(parts)}. Their fits with "
        "three constants have 0.708 and 0.887 against those medians: what scatters there is the estimator."
    )


def _figure(tables: Tables) -> Layout:
    """Predicted against published D_M, one colour a channel: our first order, and their fit."""
    rows = tables["data"]
    channels = {CHANNELS[name]: part for name, part in rows.by("channel").items()}
    ends = (0.9 * rows.least("published"), 1.2 * rows.largest("published"))
    panels = [
        Panel(
            [diagonal(ends), *grouped(channels, column, "published", labels=column == "first_order")],
            f"D by {name}",
            "published D = ln V(0)/V(γ)",
            title=title,
            log="xy",
            xlim=ends,
            ylim=ends,
            legend="upper left",
        )
        for column, name, title in (
            ("first_order", "2γκ", "our first order, nothing fitted"),
            ("their_fit", "the fit on γL and λ", "their scalar, three constants fitted"),
        )
    ]
    return Layout(panels, (7.0, 3.4), columns=2)


STUDY = Study(_tables, _criteria, _findings, _figure, page)
