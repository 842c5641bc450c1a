"""How V, kappa, the rates' variance and w0 fall with depth and width: exponents and rates of the study "replica"."""

from __future__ import annotations

import itertools

from equinoise.evidence.frame.rows import Row, Rows
from equinoise.evidence.frame.statistics import Line, fall

__all__ = ["FIXED", "NARROW", "OPEN", "SPREAD", "TOLERANCE", "fits", "local_exponents"]

OPEN, NARROW, FIXED = "open cone", "narrow", "fixed depth"
SPREAD = "sigma_gamma_squared"
"""Column of m2 - kappa^2, the variance of all decay rates, zeros included."""

TOLERANCE = 0.1
"""A value whose truncation error is a greater share of it enters no exponent."""

# the open cone's exponents are those of the depths from here on, where the set goes beyond twice as deep
ASYMPTOTIC = (8, 16)
_CURVES = ("noiseless", "noiseless_each", "noisy", "plateau")


def _curves(data: Rows) -> list[tuple[str, str, tuple[str, ...], Rows]]:
    """Family, variable, quantities and rows of everything that is fitted."""
    whole, narrow, fixed = (data.where(family=family) for family in (OPEN, NARROW, FIXED))
    deepest = whole.largest("depth") if whole else 0.0
    out: list[tuple[str, str, tuple[str, ...], Rows]] = []
    for start in sorted({min(depth, deepest / 2) for depth in ASYMPTOTIC}):
        names = (*_CURVES, "kappa", "m2", SPREAD, "w0")
        out.append((OPEN, "depth", names, whole.between("depth", start)))
    for n in sorted(narrow.distinct("qubits")):
        out.append((f"{NARROW}, n = {n:g}", "depth", _CURVES, narrow.where(qubits=n)))
    for depth in sorted(fixed.distinct("depth")):
        some = fixed.where(depth=depth).between("qubits", most=2 * depth)
        out.append((f"{FIXED} {depth:g}", "qubits", _CURVES, some))
    return out


def _positive(rows: Rows, name: str) -> Rows:
    return rows.known(name).where(lambda r: r[name] > 0)


def _sure(rows: Rows, name: str) -> Rows:
    return rows.where(lambda r: r[f"{name}_error"] <= TOLERANCE * r[name])


def _fall(rows: Rows, variable: str, name: str) -> tuple[Line, Line]:
    return fall(*(rows.column(column) for column in (variable, name, f"{name}_error")))


def fits(data: Rows) -> list[Row]:
    """Every curve with at least three known points as a power law and as an exponential in depth (or in n)."""
    out: list[Row] = []
    for family, variable, names, rows in _curves(data):
        for name in names:
            positive = _positive(rows, name)
            sure = _sure(positive, name)
            if len(sure) < 3:
                continue
            power, exponential = _fall(sure, variable, name)
            out.append(
                {
                    "family": family,
                    "variable": variable,
                    "quantity": name,
                    "points": len(sure),
                    "left_out": len(positive) - len(sure),
                    "from": float(sure[0][variable]),
                    "to": float(sure[-1][variable]),
                    "power": power.slope,
                    "power_error": power.error,
                    "power_r2": power.r2,
                    "rate": -exponential.slope,
                    "rate_error": exponential.error,
                    "exponential_r2": exponential.r2,
                    "better": "power law" if power.r2 >= exponential.r2 else "exponential",
                }
            )
    return out


def local_exponents(data: Rows) -> list[Row]:
    """Exponent and rate between neighbouring depths of the open cone: a law keeps one of the two."""
    out: list[Row] = []
    for name in ("noiseless", "noisy", "plateau", "kappa", SPREAD, "w0"):
        for pair in itertools.pairwise(_positive(data.where(family=OPEN), name)):
            power, exponential = _fall(Rows(pair), "depth", name)
            row: Row = {"quantity": name, "from": pair[0]["depth"], "to": pair[1]["depth"]}
            row |= {"power": power.slope, "power_error": power.error}
            out.append(row | {"rate": -exponential.slope, "rate_error": exponential.error})
    return out
