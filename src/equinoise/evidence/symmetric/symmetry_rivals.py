"""Equivariant circuits against circuits without their symmetry: rivals and controls of the study "symmetries"."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from equinoise.coherence.sample import PairedDraws
from equinoise.evidence.frame.grid import Measured, in_parallel, measure
from equinoise.evidence.frame.study import Context
from equinoise.evidence.symmetric.symmetry_cases import NOISES, SYMMETRIES, SymmetricCase
from equinoise.table import Value

__all__ = ["JUDGED", "NOTHING", "Pairs", "control_rows", "pairs_of", "rival_rows", "survival_of"]

Real = npt.NDArray[np.float64]
Rows = list[dict[str, Value]]
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
        seed = context.seed_for("symmetries", case.symmetry, case.readout, "rival" if rival else "equivariant")
        return measure(case.rival() if rival else case.problem(), samples, seed, scales=scales)

    found = in_parallel(one, [(case, rival) for case in cases for rival in (False, True)], context)
    return {case: (found[2 * i], found[2 * i + 1]) for i, case in enumerate(cases)}


def survival_of(one: Measured) -> tuple[Real, Real]:
    """R at the scales, then at infinity, and its standard error from paired draws."""
    squares = np.column_stack([one.noisy, one.frozen]).T
    found = [PairedDraws({"noisy": s, "clean": one.squares}).ratio("noisy", "clean", root=True) for s in squares]
    return np.array([each.value for each in found]), np.array([each.error for each in found])


def _remaining(one: Measured) -> tuple[Real, Real]:
    """Root mean square of a parameter's gradient at the scales, then at infinity, and its standard error."""
    squares = np.column_stack([one.noisy, one.frozen]).T
    found = [PairedDraws({"noisy": s}).ratio("noisy", factor=1 / one.parameters, root=True) for s in squares]
    return np.array([each.value for each in found]), np.array([each.error for each in found])


def rival_rows(pairs: Pairs) -> Rows:
    """Survival and gradient left over the rival's, at every scale."""
    out: Rows = []
    for case, both in pairs.items():
        survival, left = [survival_of(one) for one in both], [_remaining(one) for one in both]
        for i, s in enumerate((*both[0].scales.tolist(), math.inf)):
            row: dict[str, Value] = {
                "symmetry": case.symmetry,
                "readout": case.readout + 1,
                "noise": case.noise,
                "scale": s,
                "parameters": both[0].parameters,
                "rival_parameters": both[1].parameters,
                "kappa": both[0].kappa,
                "rival_kappa": both[1].kappa,
            }
            for name, ((a, ea), (b, eb)) in (("survival", survival), ("gradient", left)):
                row |= {name: float(a[i]), f"{name}_error": float(ea[i])}
                row |= {f"rival_{name}": float(b[i]), f"rival_{name}_error": float(eb[i])}
                # nothing left of the rival: no ratio
                known = b[i] ** 2 > NOTHING
                ratio = float(a[i] / b[i]) if known else None
                error = float(math.hypot(ea[i] / b[i], a[i] * eb[i] / b[i] ** 2)) if known else None
                row |= {f"{name}_ratio": ratio, f"{name}_ratio_error": error}
            out.append(row)
    return out


def control_rows(pairs: Pairs, context: Context) -> Rows:
    """Survival at the judged scale over that of the control, and the control's over the rival's."""
    cases = [case for case in pairs if case.shares]
    samples = 16 if context.quick else 64

    def one(case: SymmetricCase) -> Measured:
        seed = context.seed_for("symmetries", case.symmetry, case.readout, "control")
        return measure(case.rival(turned=False), samples, seed, scales=(JUDGED,))

    out: Rows = []
    for case, control in zip(cases, in_parallel(one, cases, context), strict=True):
        own, rival = pairs[case]
        place = own.scales.tolist().index(JUDGED)
        (a, ea), (b, eb) = ((root[place], error[place]) for root, error in map(survival_of, (own, rival)))
        c, ec = (float(part[0]) for part in survival_of(control))
        row: dict[str, Value] = {"symmetry": case.symmetry, "readout": case.readout + 1, "noise": case.noise}
        for name, (x, ex), (y, ey) in (("shared", (a, ea), (c, ec)), ("control", (c, ec), (b, eb))):
            known = y**2 > NOTHING
            row[f"{name}_ratio"] = float(x / y) if known else None
            row[f"{name}_error"] = float(math.hypot(ex / y, x * ey / y**2)) if known else None
        out.append({**row, "parameters": own.parameters, "control_parameters": control.parameters})
    return out
