"""A law as tables: its numbers, kappa's budget, and the coherence spectrum."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from equinoise.coherence.rates import budget_sums
from equinoise.notebook import between, facts_html, facts_text, rows_html

if TYPE_CHECKING:
    from equinoise.coherence.bounds import BoundEnds
    from equinoise.coherence.law import Law
    from equinoise.coherence.spectrum import CoherenceSpectrum

__all__ = ["bound_ends_numbers", "budget_columns", "costliest", "law_facts", "law_html", "law_text", "spectrum_numbers"]

_COSTLIEST = 6


def law_facts(law: Law) -> dict[str, Any]:
    """Name to value of the law's numbers, with their errors."""
    low, high = law.kappa_interval
    return {
        "kappa (dimensionless, per unit of s)": f"{law.kappa:.4g} [{low:.4g}, {high:.4g}]",
        "w0, share that lasts": law.fixed_point_share,
        "fixed point": law.fixed_point.kind,
        "c2, spread of the rates": law.rate_variance,
        "bounds": f"{law.bound_status} ({law.certificate.reason})",
        "sample": f"{law.samples} draws, {law.ensemble}, seed {law.seed}, engine {law.engine}",
        "approximations": "; ".join(law.approximations) or "none",
    }


def law_html(law: Law) -> str:
    """A compact table, with the costliest parts of the budget."""
    parts = sorted(law.budget, key=lambda e: -e.kappa)
    rows = [(e.layer, " ".join(map(str, e.qubits)), e.mechanism, e.kappa, e.standard_error) for e in parts]
    names = ["layer", "qubits", "mechanism", "kappa", "standard error"]
    return facts_html("coherence law", law_facts(law), rows_html("costliest parts of kappa", names, rows, _COSTLIEST))


def costliest(law: Law) -> str | None:
    """Where most of kappa arises: by mechanism, qubit and layer, each with its share; None where nothing is lost."""
    total = sum(entry.kappa for entry in law.budget if entry.kappa > 0)
    if law.kappa <= 0 or total <= 0:
        return None
    parts = []
    for name in ("mechanism", "qubit", "layer"):
        sums = budget_sums(law.budget, name)
        worst = max(sums, key=lambda key: sums[key])
        parts.append(f"{worst if name == 'mechanism' else f'{name} {worst}'} {100 * sums[worst] / total:.0f} %")
    return ", ".join(parts)


def law_text(law: Law) -> str:
    """The law in a few lines."""
    facts = {
        "kappa": f"{law.kappa:.4g} {between(law.kappa_interval)}",
        "survival": f"R(1) = {float(law.survival(1.0)):.4g} at the stated noise; "
        f"to leading order {float(law.leading_order(1.0)):.4g}",
        "that lasts": f"w0 = {law.fixed_point_share:.3g}; fixed point {law.fixed_point.kind}",
        "lost at": costliest(law),
        "bounds": f"{law.bound_status} ({law.certificate.reason})",
        "how sure": f"{law.samples} draws, {law.ensemble}, seed {law.seed}, engine {law.engine}",
        "notes": "; ".join(law.approximations) or None,
    }
    return facts_text("coherence law R(s)^2 = V(s)/V(0)", facts)


def budget_columns(law: Law) -> dict[str, list[Any]]:
    """The budget as columns layer, qubits ("3 4"), mechanism, kappa, standard_error; kappa sums to the law's."""
    return {
        "layer": [e.layer for e in law.budget],
        "qubits": [" ".join(map(str, e.qubits)) for e in law.budget],
        "mechanism": [e.mechanism for e in law.budget],
        "kappa": [e.kappa for e in law.budget],
        "standard_error": [e.standard_error for e in law.budget],
    }


def bound_ends_numbers(ends: BoundEnds) -> dict[str, Any]:
    """Where kappa and w0 lie for the bounds, as plain data; null where an end is open."""
    return {
        "kappa": [_finite(end) for end in ends.kappa],
        "fixed_point_share": [_finite(end) for end in ends.fixed_point_share],
        "within": ends.within,
    }


def spectrum_numbers(spectrum: CoherenceSpectrum, scale: float) -> dict[str, Any]:
    """A coherence spectrum as plain data: the measure, what it rests on, and bounds on R at the scale and beyond.

    Args:
        spectrum: The spectrum.
        scale: Noise scale s of the verdict.
    """
    scales = [s for s in (scale, spectrum.beyond) if s is not None]
    bounds = zip(scales, *spectrum.bounds(scales), strict=True)
    return {
        "rates": spectrum.measure.rates.tolist(),
        "weights": spectrum.measure.weights.tolist(),
        "residual": spectrum.measure.residual,
        "unique": False,
        "bounds": [
            {"scale": _finite(s), "lower_bound": float(low), "upper_bound": float(high)} for s, low, high in bounds
        ],
        "bound_status": spectrum.status,
        "within": spectrum.within,
        "widening": spectrum.widening,
        "note": spectrum.note,
        "least_rate": spectrum.certificate.least_rate,
        "known": [{"scale": _finite(s), "ratio": e.value, "standard_error": e.error} for s, e in spectrum.ratios],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
