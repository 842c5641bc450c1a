"""Noiseless variances of deep circuits, sampled and by their Lie algebra: a part of the study "symmetries"."""

from __future__ import annotations

from equinoise.circuit.builders import brickwork
from equinoise.circuit.equivariant_builders import parity_conserving
from equinoise.coherence.lie.lie_variance import lie_algebraic_check
from equinoise.evidence.frame.rows import Row, Rows
from equinoise.evidence.frame.statistics import finite
from equinoise.evidence.frame.study import Context
from equinoise.evidence.symmetric.symmetry_cases import SYMMETRIES
from equinoise.problem import Problem
from equinoise.text.notebook import MissingPackageError

__all__ = ["lie_deviations", "lie_finding", "lie_rows"]

DEEP = 24


def _deep_problems(depth: int) -> dict[str, Problem]:
    """Deep circuits with small algebras; interacting charge and parity circuits have exponentially large ones."""
    out = {
        "charge, free fermions": Problem(brickwork(6, depth, interaction="none"), "Z3", "000001"),
        "parity, free fermions": Problem(
            parity_conserving(5, depth, interaction="none"), "Z2", "00101", symmetry="parity"
        ),
    }
    for name in ("SU(2)", "permutations", "ring"):
        family = SYMMETRIES[name]
        circuit = family.circuit(6, depth)
        out[name] = Problem(circuit, family.readouts(6)[0], family.initial(6), symmetry=family.claim(6))
    return out


def lie_rows(context: Context) -> list[Row]:
    """Var C and Var g of each deep circuit: for many layers, at its depth, and sampled.

    Args:
        context: Size and seed.
    """
    depth, samples = (8, 100) if context.quick else (DEEP, 1000)
    empty: Row = {"quantity": "", "deep": None, "at depth": None, "sampled": None, "error": None}
    out: list[Row] = []
    for name, problem in _deep_problems(depth).items():
        common: Row = {"circuit": name, "depth": depth, "samples": samples}
        try:
            found = lie_algebraic_check(problem, sampling=context.sampling(samples, "symmetries", "lie", name))
        except MissingPackageError as error:
            out.append({**common, "algebra": None, **empty, "note": f"not run: {error}"})
            continue
        note = "; ".join(found.formula.reasons)
        for line in found.rows():
            numbers = {k: v if isinstance(v, str) else finite(v) for k, v in line.items()}
            out.append({**common, "algebra": found.formula.dimension, **numbers, "note": note})
    return out


def lie_deviations(lie: Rows) -> list[float]:
    """Sampled less exact at the depth there is, in standard errors, where the formula applies."""
    return [float(abs(r["sampled"] - r["at depth"]) / r["error"]) for r in lie.known("at depth")]


def lie_finding(lie: Rows) -> str:
    """Sampled against exact Var C in words, or why there is none."""
    if all(r["algebra"] is None for r in lie):
        return f"Lie algebra {lie[0]['note']}"
    parts = [
        f"{r['circuit']} {r['sampled']:.4g} +- {r['error']:.1g} against {r['at depth']:.4g} at depth {r['depth']} and "
        f"{r['deep']:.4g} for many layers"
        if r["at depth"] is not None
        else f"{r['circuit']}: the formula does not apply ({r['note']})"
        for r in lie.where(quantity="Var C")
    ]
    return f"Noiseless Var C, sampled against the Lie algebra's: {'; '.join(parts)}."
