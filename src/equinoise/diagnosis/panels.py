"""How the record of a diagnosis shows itself in a notebook: a table of its answers, its curve beside kappa's budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from equinoise.coherence.law_record import budget_of, law_facts
from equinoise.coherence.quantity import Record
from equinoise.coherence.rates import budget_sums
from equinoise.diagnosis.survival_curve import draw_survival, survival_table
from equinoise.text.notebook import facts_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["diagnosis_html", "plot_diagnosis"]

_GREEN = "#009E73"
_MOST_BARS = 12


def diagnosis_html(record: Record) -> str:
    """A compact table of the answers."""
    measured = record.told("resources.measured_rms", 4)
    facts: dict[str, Any] = {
        "verdict": f"{record['verdict']}: {record['verdict_reason']}",
        "problem": f"{record['circuit.num_qubits']} qubits, {record['layers.count']} layers, {_stated(record)}",
        "survival": _survival(record, 4),
        "direction": record.told("simulated.direction", 4),
        **law_facts(record),
        "RMS gradient": f"{record.told('noiseless.rms_gradient', 4)} without noise, {measured} as measured",
        "shots per gradient": record.told("resources.shots_per_gradient", 4),
        "would help most": record["advice"][0] if record["advice"] else "nothing",
        "warnings": "; ".join(record["warnings"]) or "none",
    }
    return facts_html("diagnosis", facts)


def _stated(record: Record) -> str:
    return f"readout {record['readout.label']}, input {record['initial.name']}, noise {record['noise.name']}"


def _survival(record: Record, digits: int = 3) -> str:
    at, kind = record.number("scale"), record["simulated.kind"]
    return f"{record.told('simulated.survival', digits)} at s = {at:g}, {kind}"


def plot_diagnosis(record: Record) -> Figure:
    """Survival against noise scale with law, bounds and simulated points; kappa by qubit."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": (1.3, 1.0)})
    draw_survival(left, survival_table(record, 81))
    sums = budget_sums(budget_of(record), "qubit")
    places = sorted(sums, key=lambda qubit: -sums[qubit])[:_MOST_BARS]
    right.bar([str(q) for q in places], [sums[q] for q in places], color=_GREEN)
    right.set(xlabel="circuit qubit, costliest first", ylabel="part of kappa (dimensionless)")
    right.spines[["top", "right"]].set_visible(False)
    title = f"{record['readout.label']}, {record['noise.name']}: {record['verdict']}"
    figure.suptitle(title[:90], parse_math=False)  # the names are the user's: a $ in one is a dollar
    return figure
