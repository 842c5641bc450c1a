"""How the record of a diagnosis shows itself: a few lines, a table of its answers, its curve beside kappa's budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from equinoise.coherence.law_record import budget_of, costliest, law_facts, sample_text
from equinoise.coherence.quantity import Record
from equinoise.coherence.rates import budget_sums
from equinoise.diagnosis.survival_curve import draw_survival, survival_table
from equinoise.notebook import facts_html, facts_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["diagnosis_html", "diagnosis_text", "plot_diagnosis"]

_GREEN = "#009E73"
_MOST_BARS = 12


def diagnosis_text(record: Record) -> str:
    """The short report: verdict, size of the gradient, what the noise leaves, where it is lost, how sure."""
    circuit, warnings = record["circuit"], record["warnings"]
    more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
    facts = {
        "problem": f"{circuit['num_qubits']} qubits, {record['layers.count']} layers, {circuit['num_parameters']} "
        f"parameters; {_stated(record)}",
        "gradient": f"RMS {record.told('noiseless.rms_gradient')} without noise, "
        f"{record.number('resources.measured_rms'):.3g} as read; {record['resources.shots']:,} shots resolve "
        f"{record.number('resources.resolved_rms'):.2g}",
        "survival": f"R = {_survival(record)}; by the law {record.told('law.survival')}",
        "kappa": f"{record.told('law.kappa')}; w0 = {record.told('law.fixed_point_share')}",
        "lost at": costliest(record),
        "how sure": f"95 % intervals of {sample_text(record)}; bounds {record['law.bound_status']}",
        "helps": record["advice"][0] if record["advice"] else None,
        "note": warnings[0] + more if warnings else None,
    }
    return facts_text(f"{record['verdict']}: {record['verdict_reason']}", facts)


def diagnosis_html(record: Record) -> str:
    """A compact table of the answers."""
    measured = record.told("resources.measured_rms", 4)
    facts: dict[str, Any] = {
        "verdict": f"{record['verdict']}: {record['verdict_reason']}",
        "problem": f"{record['circuit.num_qubits']} qubits, {record['layers.count']} layers, {_stated(record)}",
        "survival": _survival(record, 4),
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
