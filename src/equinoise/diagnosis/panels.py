"""How a diagnosis shows itself: a few lines, a table of its answers, its survival curve beside kappa's budget."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from equinoise.coherence.law_table import costliest, law_facts
from equinoise.coherence.rates import budget_sums
from equinoise.notebook import between, facts_html, facts_text, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from equinoise.diagnosis.diagnose import Diagnosis

__all__ = ["curve_columns", "diagnosis_html", "diagnosis_text", "plot_diagnosis"]

_BLUE, _VERMILION, _SKY, _GREEN = "#0072B2", "#D55E00", "#56B4E9", "#009E73"
_MOST_BARS = 12


def diagnosis_text(diagnosis: Diagnosis) -> str:
    """The short report: verdict, size of the gradient, what the noise leaves, where it is lost, how sure."""
    problem, found, law, resources = diagnosis.problem, diagnosis.simulated, diagnosis.law, diagnosis.resources
    more = f" (and {len(diagnosis.warnings) - 1} more)" if len(diagnosis.warnings) > 1 else ""
    facts = {
        "problem": f"{problem.num_qubits} qubits, {len(problem.layers)} layers, {len(problem.parameters)} parameters; "
        f"readout {problem.readout_label}, input {problem.initial.name}, noise {problem.noise.name}",
        "gradient": f"RMS {diagnosis.noiseless_rms:.3g} {between(diagnosis.noiseless_interval)} per radian without "
        f"noise, {resources.measured_rms:.3g} as read; {resources.shots:,} shots resolve {resources.resolved_rms:.2g}",
        "survival": f"R = {found.survival:.3g} {between(found.interval)} at s = {diagnosis.scale:g}, "
        + ("sampled" if found.sampled else "exact")
        + f"; by the law {float(law.survival(diagnosis.scale)):.3g}",
        "kappa": f"{law.kappa:.3g} {between(law.kappa_interval)}; w0 = {law.fixed_point_share:.3g}",
        "lost at": costliest(law),
        "how sure": f"95 % intervals of {diagnosis.samples} draws, {law.ensemble}, seed {diagnosis.seed}, engine "
        f"{diagnosis.engine}; bounds {law.bound_status}",
        "helps": diagnosis.advice[0] if diagnosis.advice else None,
        "note": diagnosis.warnings[0] + more if diagnosis.warnings else None,
    }
    return facts_text(f"{diagnosis.verdict.word}: {diagnosis.verdict.reason}", facts)


def diagnosis_html(diagnosis: Diagnosis) -> str:
    """A compact table of the answers."""
    problem, found, resources = diagnosis.problem, diagnosis.simulated, diagnosis.resources
    low, high = found.interval
    facts: dict[str, Any] = {
        "verdict": f"{diagnosis.verdict.word}: {diagnosis.verdict.reason}",
        "problem": f"{problem.num_qubits} qubits, {len(problem.layers)} layers, readout {problem.readout_label}, "
        f"input {problem.initial.name}, noise {problem.noise.name}",
        f"survival at s = {diagnosis.scale:g}": f"{short(found.survival)} [{short(low)}, {short(high)}] "
        + ("sampled" if found.sampled else "exact"),
        **law_facts(diagnosis.law),
        "RMS gradient, per radian": f"{diagnosis.noiseless_rms:.4g} without noise, {resources.measured_rms:.4g} "
        "as measured",
        "shots per gradient": resources.shots_per_gradient,
        "would help most": diagnosis.advice[0] if diagnosis.advice else "nothing",
        "warnings": "; ".join(diagnosis.warnings) or "none",
    }
    return facts_html("diagnosis", facts)


def curve_columns(diagnosis: Diagnosis, points: int = 81) -> dict[str, list[float]]:
    """Survival by the law on a grid of scales, even in log s, within a factor of 30 of the diagnosed one.

    Returns:
        scale, law, leading_order, lower, upper.
    """
    centre = diagnosis.scale if 0 < diagnosis.scale < math.inf else 1.0
    scale = centre * np.logspace(-1.5, 1.5, points)
    lower, upper = diagnosis.law.bounds(scale)
    arrays = {
        "scale": scale,
        "law": diagnosis.law.survival(scale),
        "leading_order": diagnosis.law.leading_order(scale),
        "lower": lower,
        "upper": upper,
    }
    return {name: values.tolist() for name, values in arrays.items()}


def plot_diagnosis(diagnosis: Diagnosis) -> Figure:
    """Survival against noise scale with law, bounds and simulated points; kappa by qubit."""
    from matplotlib.figure import Figure

    columns = curve_columns(diagnosis)
    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": (1.3, 1.0)})
    status = diagnosis.law.bound_status
    left.fill_between(
        columns["scale"],
        columns["lower"],
        columns["upper"],
        color=_SKY,
        alpha=0.28,
        linewidth=0,
        label=f"bounds, {status}",
    )
    left.plot(columns["scale"], columns["law"], color=_BLUE, linewidth=2.2, label="law (resummed)")
    left.plot(columns["scale"], columns["leading_order"], color=_VERMILION, linestyle="--", label=r"$e^{-s\kappa}$")
    known = [(p.scale, p.survival) for p in diagnosis.curve]
    if 0 < diagnosis.scale < math.inf:
        known.append((diagnosis.scale, diagnosis.simulated.survival))
    if known:
        left.plot(*zip(*sorted(known), strict=True), "o", color="black", label="simulated")
    left.set(xscale="log", xlabel="noise scale s", ylabel="survival R(s)", ylim=(0, None))
    left.legend(frameon=False, fontsize=9, loc="lower left")
    sums = budget_sums(diagnosis.law.budget, "qubit")
    places = sorted(sums, key=lambda qubit: -sums[qubit])[:_MOST_BARS]
    right.bar([str(q) for q in places], [sums[q] for q in places], color=_GREEN)
    right.set(xlabel="circuit qubit, costliest first", ylabel="part of kappa (dimensionless)")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{diagnosis.problem.readout_label}, {diagnosis.problem.noise.name}: {diagnosis.verdict.word}"[:90])
    return figure
