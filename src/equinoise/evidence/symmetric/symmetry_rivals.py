"""Equivariant circuits against circuits without their symmetry: rivals and controls of the study "symmetries"."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from equinoise.coherence.sample import PairedDraws
from equinoise.evidence.frame.measured_cases import Measured, in_parallel, measure
from equinoise.evidence.frame.rows import Row, Rows, listed
from equinoise.evidence.frame.statistics import quotient
from equinoise.evidence.frame.study import Context
from equinoise.evidence.symmetric.symmetry_cases import NOISES, SYMMETRIES, SymmetricCase

__all__ = [
    "JUDGED",
    "NOTHING",
    "Pairs",
    "control_finding",
    "control_rows",
    "edge",
    "judged",
    "pairs_of",
    "rival_finding",
    "rival_rows",
    "survival_of",
]

Real = npt.NDArray[np.float64]
Pairs = dict[SymmetricCase, tuple[Measured, Measured]]

RIVAL_DEPTH, RIVAL_QUBITS = 4, 6
SCALES = (1.0, 4.0, 16.0)
JUDGED = 4.0
# squares below this are made of rounding
NOTHING = 1e-20


def pairs_of(context: Context) -> Pairs:
    """The equivariant circuit and its rival, each at the same scales."""
    samples, scales = (16, (JUDGED,)) if context.quick else (64, SCALES)
    cases = [SymmetricCase(s, n, RIVAL_DEPTH, RIVAL_QUBITS, r) for s in SYMMETRIES for n in NOISES for r in (0, 1)]
    if context.quick:
        cases = [c for c in cases if c.readout == 0]

    def one(item: tuple[SymmetricCase, bool]) -> Measured:
        case, rival = item
        # one ensemble for all noises, so that they differ by the noise alone
        key = (case.symmetry, case.readout, "rival" if rival else "equivariant")
        sampling = context.sampling(samples, "symmetries", *key)
        return measure(case.rival() if rival else case.problem(), sampling, scales=scales)

    found = in_parallel(one, [(case, rival) for case in cases for rival in (False, True)], context)
    return {case: (found[2 * i], found[2 * i + 1]) for i, case in enumerate(cases)}


Estimates = list[tuple[float, float]]


def survival_of(one: Measured) -> Estimates:
    """R at the scales, then at infinity, each with its standard error from paired draws."""
    return _roots(one, "clean", 1.0)


def _remaining(one: Measured) -> Estimates:
    """Root mean square of a parameter's gradient at the scales, then at infinity, each with its standard error."""
    return _roots(one, (), 1 / one.parameters)


def _roots(one: Measured, bottom: str | tuple[()], factor: float) -> Estimates:
    squares = np.column_stack([one.noisy, one.frozen]).T
    draws = [PairedDraws({"noisy": noisy, "clean": one.squares}) for noisy in squares]
    found = [each.ratio("noisy", bottom, factor=factor, root=True) for each in draws]
    return [(each.value, each.error) for each in found]


def rival_rows(pairs: Pairs) -> list[Row]:
    """Survival and gradient left over the rival's, at every scale."""
    out: list[Row] = []
    for case, both in pairs.items():
        survival, left = [survival_of(one) for one in both], [_remaining(one) for one in both]
        for i, s in enumerate((*both[0].scales.tolist(), math.inf)):
            row: Row = {
                "symmetry": case.symmetry,
                "readout": case.readout + 1,
                "noise": case.noise,
                "scale": s,
                "parameters": both[0].parameters,
                "rival_parameters": both[1].parameters,
                "kappa": both[0].kappa,
                "rival_kappa": both[1].kappa,
            }
            for name, (own, other) in (("survival", survival), ("gradient", left)):
                row |= {name: own[i][0], f"{name}_error": own[i][1]}
                row |= {f"rival_{name}": other[i][0], f"rival_{name}_error": other[i][1]}
                # nothing left of the rival: no ratio
                ratio, error = quotient(own[i], other[i], other[i][0] ** 2 > NOTHING)
                row |= {f"{name}_ratio": ratio, f"{name}_ratio_error": error}
            out.append(row)
    return out


def control_rows(pairs: Pairs, context: Context) -> list[Row]:
    """Survival at the judged scale over that of the control, and the control's over the rival's."""
    cases = [case for case in pairs if case.shares]
    samples = 16 if context.quick else 64

    def one(case: SymmetricCase) -> Measured:
        sampling = context.sampling(samples, "symmetries", case.symmetry, case.readout, "control")
        return measure(case.rival(turned=False), sampling, scales=(JUDGED,))

    out: list[Row] = []
    for case, control in zip(cases, in_parallel(one, cases, context), strict=True):
        own, rival = pairs[case]
        place = own.scales.tolist().index(JUDGED)
        ours, theirs = (survival_of(each)[place] for each in (own, rival))
        alone = survival_of(control)[0]
        row: Row = {"symmetry": case.symmetry, "readout": case.readout + 1, "noise": case.noise}
        for name, top, bottom in (("shared", ours, alone), ("control", alone, theirs)):
            row[f"{name}_ratio"], row[f"{name}_error"] = quotient(top, bottom, bottom[0] ** 2 > NOTHING)
        out.append({**row, "parameters": own.parameters, "control_parameters": control.parameters})
    return out


def judged(rivals: Rows) -> Rows:
    """The rows at the scale that is judged, where there is a ratio."""
    return rivals.where(scale=JUDGED).known("survival_ratio")


def edge(row: Row, sign: int, name: str = "survival") -> float:
    """A ratio, four standard errors towards 1: a difference must be real."""
    return float(row[f"{name}_ratio"] + 4 * sign * row[f"{name}_ratio_error"])


def _ratio(row: Row, name: str, error: str) -> str:
    return f"{row[name]:.2f} +- {row[error]:.2f}"


def rival_finding(symmetry: str, rows: Rows) -> str:
    """A symmetry's judged survivals and gradients over its rival's, in words."""
    ratios = listed(
        f"{r['noise']} {_ratio(r, 'survival_ratio', 'survival_ratio_error')}" for r in rows.where(readout=1)
    )
    fragile, smaller = (
        listed((f"{r['noise']} (readout {r['readout']})" for r in rows if edge(r, 1, name) < 1), "nowhere")
        for name in ("survival", "gradient")
    )
    return (
        f"{symmetry}: survival over that of the rival at s = {JUDGED:g}, first readout: {ratios}. More fragile "
        f"than without symmetry, beyond four standard errors: {fragile}. Smaller gradient "
        f"left per parameter: {smaller}."
    )


def control_finding(symmetry: str, rows: Rows) -> str:
    """A symmetry's judged survivals over the control's, in words."""
    parts = listed(
        f"{r['noise']} {_ratio(r, 'shared_ratio', 'shared_error')} ({_ratio(r, 'control_ratio', 'control_error')})"
        for r in rows.where(readout=1).known("shared_ratio")
    )
    return (
        f"{symmetry}: survival over that of the same generators with independent angles at s = {JUDGED:g} (in "
        f"brackets that one's over the rival's), first readout: {parts}."
    )
