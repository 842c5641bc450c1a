"""How the record of a model's diagnosis shows itself: a few lines, and a table of its answers."""

from __future__ import annotations

from equinoise.coherence.law_record import costliest, sample_text
from equinoise.coherence.loss.loss_law_record import readouts_html
from equinoise.coherence.quantity import Record
from equinoise.text.notebook import facts_html, facts_text, short

__all__ = ["loss_diagnosis_facts", "loss_diagnosis_html", "loss_diagnosis_text"]

_MOST_READOUTS = 6


def loss_diagnosis_facts(record: Record) -> dict[str, str | None]:
    """The answers by name, in the order in which a reader asks."""
    circuit, data, warnings = record["circuit"], record["data"], record["warnings"]
    labels = [one["label"] for one in record["readouts"]]
    point, resources = record["law.points"][0], record["resources"]
    more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
    low, high = point["survival_interval"]
    known = record["noiseless.variance"] is not None
    return {
        "model": f"{circuit['num_qubits']} qubits, {record['layers.count']} layers, {len(record['trained'])} weights, "
        f"{_rows(data['rows'])} of {len(data['inputs'])} inputs; loss {record['loss.name']} of "
        f"{', '.join(labels[:_MOST_READOUTS])}{', ...' if len(labels) > _MOST_READOUTS else ''}; "
        f"noise {record['noise.name']}",
        "gradient": f"of the loss: RMS {record.told('noiseless.rms_gradient')} and weight without noise, "
        f"{record.told('noisy.rms_gradient')} with; {resources['shots']:,} shots resolve "
        f"{record.number('resources.resolved_rms'):.2g}",
        "survival": f"R = {short(point['survival'])} [{short(low)}, {short(high)}] at s = {record.number('scale'):g}, "
        f"direction {short(point['direction'])}; predictions {short(point['prediction_survival'])}",
        "kappa": f"{record.told('law.kappa')} = {short(record['law.kappa_gradient'])} (gradient) + "
        f"{short(record['law.kappa_residual'])} (residual)",
        "V": f"{record.told('noiseless.variance')} of the loss, {record.told('noiseless.prediction_variance')} of the "
        "predictions",
        "lost at": costliest(record),
        "shots": f"{record.told('resources.shots_per_row')} per row, expectation value and setting; "
        f"{record.told('resources.shots_in_all')} in all"
        if known
        else "unknown",
        "how sure": f"95 % intervals of {sample_text(record)}; bounds {record['law.bound_status'].partition(':')[0]}",
        "helps": record["advice"][0] if record["advice"] else None,
        "note": warnings[0] + more if warnings else None,
    }


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def loss_diagnosis_text(record: Record) -> str:
    """The short report: the answers, and each readout's."""
    readouts = {
        f"readout {one['label']}": f"V {short(one['variance'])}, kappa {short(one['kappa'])}, left "
        f"{short(one['survival'][0])}"
        for one in record["law.readouts"][:_MOST_READOUTS]
    }
    return facts_text(f"{record['verdict']}: {record['verdict_reason']}", loss_diagnosis_facts(record) | readouts)


def loss_diagnosis_html(record: Record) -> str:
    """The answers as a table, and the readouts' below it."""
    facts = {"verdict": f"{record['verdict']}: {record['verdict_reason']}", **loss_diagnosis_facts(record)}
    known = {name: value for name, value in facts.items() if value is not None}
    return facts_html("diagnosis of a model", known, readouts_html(record))
