"""The coherence law of one problem as a record: its numbers with their errors, its curves, and how it shows itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from equinoise.coherence.bounds import BoundEnds, Certificate
from equinoise.coherence.fixed_point import FixedPoint
from equinoise.coherence.quantity import Quantity, Record
from equinoise.coherence.rates import BudgetEntry, budget_sums
from equinoise.coherence.resummed import direction_law, leading_order_survival, resummed_survival
from equinoise.coherence.sample import FEWEST_DRAWS, Interval
from equinoise.coherence.spectrum import CoherenceSpectrum
from equinoise.text.notebook import data_frame, facts_html, facts_text, rows_html

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BUDGET_FIELDS",
    "LAW",
    "Law",
    "LawAt",
    "budget_of",
    "budget_rows",
    "costliest",
    "law_curve",
    "law_facts",
    "law_record",
    "sample_text",
]

Real = npt.NDArray[np.float64]

BUDGET_FIELDS = tuple(part.name for part in fields(BudgetEntry))
"""What is said of each part of kappa."""
_COSTLIEST = 6


@dataclass(frozen=True)
class Law:
    """The coherence law of one problem and ensemble.

    Attributes:
        variance: V(0), mean of sum_k g_k^2 without noise.
        kappa: Aligned coherence rate summed over slots, -(1/2) d ln V/ds at s = 0.
        kappa_interval: 95 % interval over the draws (:class:`equinoise.coherence.sample.PairedDraws`); from "replica"
            what truncation leaves.
        kappa_error: Standard error of kappa over the draws; from "replica" the half-width of that interval.
        kappa_per_parameter: -E g_k g'_k / E g_k^2, shape (K,); NaN where g_k = 0, and from sampling engines.
        budget: kappa's additive parts.
        fixed_point_share: w0 = V(inf)/V(0); NaN where the engine does not have it.
        fixed_point_share_interval: 95 % interval, or likewise.
        fixed_point: What the noise's fixed point is.
        second_moment: m2 = V''(0)/(4 V(0)); NaN from sampling engines.
        lasting_share: w0 as the law uses it: 0 where V(s) is not monotone and w0 no share of lasting modes, or unknown.
        rate_variance: c2, relative variance of the decaying rates; NaN if unknown, and the law takes 0.
        certificate: Whether the bounds are proved here for exact kappa and w0, and Gmax.
        bound_ends: Where kappa and w0 lie for the bounds: 99 % intervals where they are sampled; None below 32 draws.
        samples: Number of draws; 0 where the average was taken without sampling.
        seed: Of the draws (None for given parameter values, and without sampling).
        ensemble: In words.
        engine: Engine used.
        approximations: What of the law was sampled, fitted or left out, in words.
        spectrum: The measure over rates and the bounds that all known values of V(s) allow; None where the gradient
            vanishes, and for a single draw, whose errors are unknown.
    """

    variance: float
    kappa: float
    kappa_interval: Interval
    kappa_error: float
    kappa_per_parameter: Real
    budget: tuple[BudgetEntry, ...]
    fixed_point_share: float
    fixed_point_share_interval: Interval
    fixed_point: FixedPoint
    second_moment: float
    lasting_share: float
    rate_variance: float
    certificate: Certificate
    bound_ends: BoundEnds | None
    samples: int
    seed: int | None
    ensemble: str
    engine: str
    approximations: tuple[str, ...] = ()
    spectrum: CoherenceSpectrum | None = None

    def survival(self, scale: npt.ArrayLike) -> Real:
        """R(s) by the resummed law, any shape of scales."""
        return resummed_survival(scale, self.kappa, self.lasting_share, self.rate_variance)

    def leading_order(self, scale: npt.ArrayLike) -> Real:
        """R(s) = exp(-s kappa)."""
        return leading_order_survival(scale, self.kappa)

    def bounds(self, scale: npt.ArrayLike) -> tuple[Real, Real]:
        """Lower and upper bound on R(s), at the ends of kappa and w0; see :attr:`bound_status`. NaN below 32 draws."""
        if self.bound_ends is None:
            unknown = np.full_like(np.asarray(scale, dtype=np.float64), np.nan)
            return unknown, unknown
        return self.bound_ends.survival_bounds(scale, self.certificate.greatest_rate)

    def direction(self, scale: float) -> float:
        """D(s) by the direction law where its condition is proved (:func:`direction_law`), else NaN: measure it."""
        if not self.certificate.proved or self.variance == 0:
            return math.nan
        return direction_law(float(self.survival(scale / 2)), float(self.survival(scale)))

    @property
    def bound_status(self) -> str:
        """What the bounds are worth, in words: whether they are proved, and at which kappa and w0 they are taken."""
        if math.isnan(self.certificate.greatest_rate):
            return self.certificate.reason
        if self.bound_ends is None:
            return f"none from fewer than {FEWEST_DRAWS} draws"
        within = self.bound_ends.within
        if not within:
            return self.certificate.status
        if self.certificate.proved:
            return f"proved for exact kappa and w0; these {within}"
        return f"not proved; kappa and w0 {within}"

    def __str__(self) -> str:
        return law_text(self)

    def __repr__(self) -> str:
        return f"Law(kappa={self.kappa:.4g}, fixed_point_share={self.fixed_point_share:.4g}, engine={self.engine!r})"

    def _repr_html_(self) -> str:
        return law_html(self)

    def to_dataframe(self) -> pd.DataFrame:
        """The budget of kappa as a pandas frame: layer, qubits ("3 4"), mechanism, kappa, standard_error.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        rows = budget_rows(self.budget)
        return data_frame({name: [row[name] for row in rows] for name in BUDGET_FIELDS})


# -- what it says ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LawAt:
    """A law, asked at one noise scale.

    Attributes:
        law: The law.
        scale: Noise scale s.
    """

    law: Law
    scale: float

    @property
    def survival(self) -> float:
        """R(s) by the resummed law; NaN where there is no gradient of which a share could be left."""
        return float(self.law.survival(self.scale)) if self.law.variance > 0 else math.nan

    @property
    def leading_order(self) -> float:
        """exp(-s kappa), likewise."""
        return float(self.law.leading_order(self.scale)) if self.law.variance > 0 else math.nan

    @property
    def bounds(self) -> Interval:
        """On R(s), likewise."""
        low, high = self.law.bounds(self.scale)
        return (float(low), float(high)) if self.law.variance > 0 else (math.nan, math.nan)


def _real(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "DOUBLE")


LAW: tuple[Quantity[LawAt], ...] = (
    Quantity("noiseless.variance", lambda x: x.law.variance, columns=_real("variance")),
    Quantity("law.kappa", lambda x: x.law.kappa, interval="law.kappa_interval", columns=_real("kappa")),
    Quantity("law.kappa_interval", lambda x: x.law.kappa_interval, columns=_real("kappa_low", "kappa_high")),
    Quantity("law.kappa_error", lambda x: x.law.kappa_error, columns=_real("kappa_error")),
    Quantity("law.fixed_point_share", lambda x: x.law.fixed_point_share, columns=_real("fixed_point_share")),
    Quantity("law.fixed_point_share_interval", lambda x: x.law.fixed_point_share_interval),
    Quantity("law.lasting_share", lambda x: x.law.lasting_share),
    Quantity("law.fixed_point_class", lambda x: x.law.fixed_point.kind, columns={"fixed_point_class": "VARCHAR"}),
    Quantity("law.fixed_point_purity", lambda x: x.law.fixed_point.purity),
    Quantity("law.fixed_point_commutator", lambda x: x.law.fixed_point.commutator),
    Quantity("law.second_moment", lambda x: x.law.second_moment),
    Quantity("law.rate_variance", lambda x: x.law.rate_variance, columns=_real("rate_variance")),
    Quantity("law.survival", lambda x: x.survival, columns=_real("law_survival")),
    Quantity("law.leading_order", lambda x: x.leading_order),
    Quantity("law.direction", lambda x: x.law.direction(x.scale), columns=_real("law_direction")),
    Quantity("law.lower_bound", lambda x: x.bounds[0], columns=_real("lower_bound")),
    Quantity("law.upper_bound", lambda x: x.bounds[1], columns=_real("upper_bound")),
    Quantity("law.bounds_proved", lambda x: x.law.certificate.proved, columns={"bounds_proved": "BOOLEAN"}),
    Quantity("law.bound_status", lambda x: x.law.bound_status),
    Quantity("law.bound_ends", lambda x: x.law.bound_ends),
    Quantity("law.bound_reason", lambda x: x.law.certificate.reason),
    Quantity("law.greatest_rate", lambda x: x.law.certificate.greatest_rate),
    Quantity("law.budget", lambda x: x.law.budget),
    Quantity("law.spectrum", lambda x: _spectrum(x.law.spectrum, x.scale)),
    Quantity("approximations", lambda x: x.law.approximations),
    Quantity("ensemble", lambda x: x.law.ensemble, columns={"ensemble": "VARCHAR"}),
    Quantity("samples", lambda x: x.law.samples, columns={"samples": "BIGINT"}),
    Quantity("seed", lambda x: x.law.seed, columns={"seed": "BIGINT"}),
    Quantity("engine", lambda x: x.law.engine, columns={"engine": "VARCHAR"}),
)
"""What a law says at a noise scale; every view of it picks from these."""


def _spectrum(spectrum: CoherenceSpectrum | None, scale: float) -> dict[str, Any] | None:
    """A coherence spectrum: the measure, what it rests on, and bounds on R at the scale and beyond."""
    if spectrum is None:
        return None
    scales = [s for s in (scale, spectrum.beyond) if s is not None]
    bounds = zip(scales, *spectrum.bounds(scales), strict=True)
    return {
        "rates": spectrum.measure.rates,
        "weights": spectrum.measure.weights,
        "residual": spectrum.measure.residual,
        "unique": False,
        "bounds": [{"scale": s, "lower_bound": float(low), "upper_bound": float(high)} for s, low, high in bounds],
        "bounds_proved": spectrum.certificate.proved,
        "bound_status": spectrum.status,
        "within": spectrum.within,
        "widening": spectrum.widening,
        "note": spectrum.note,
        "least_rate": spectrum.certificate.least_rate,
        "known": [{"scale": s, "ratio": e.value, "standard_error": e.error} for s, e in spectrum.ratios],
    }


def law_record(law: Law, scale: float) -> Record:
    """The law at a noise scale, as plain data."""
    return Record.of(LawAt(law, scale), LAW)


def law_curve(law: Mapping[str, Any], scale: float, points: int) -> dict[str, Real]:
    """The law and its bounds against the noise scale.

    The grid is even in log s: from 1.5 decades below the scale (below 1 if that is 0 or infinite), or s kappa = 0.1 if
    that is lower, to 1.5 decades above, or s kappa = 3, and never beyond four decades.

    Args:
        law: kappa, lasting_share (else fixed_point_share), rate_variance, bound_ends and greatest_rate, as in a record.
        scale: Noise scale s.
        points: On the grid.

    Returns:
        scale, law, leading_order, lower, upper, each of shape (points,); the last two NaN where there are no bounds.
    """
    kappa, spread, greatest = (_number(law.get(name)) for name in ("kappa", "rate_variance", "greatest_rate"))
    lasting, ends = law.get("lasting_share"), law.get("bound_ends")
    share = _number(law.get("fixed_point_share") if lasting is None else lasting)
    centre = scale if 0 < scale < math.inf else 1.0
    low, high = -1.5, 1.5
    if kappa > 1e-9:
        lost = -math.log10(kappa * centre)
        low, high = max(-4.0, min(low, lost - 1.0)), min(4.0, max(high, lost + math.log10(3.0)))
    grid = centre * np.logspace(low, high, points)
    lower = upper = np.full_like(grid, np.nan)
    if ends is not None and math.isfinite(greatest):
        (a, b), (c, d) = ([_number(end) for end in ends[name]] for name in ("kappa", "fixed_point_share"))
        lower, upper = BoundEnds((a, b), (c, d)).survival_bounds(grid, greatest)
    return {
        "scale": grid,
        "law": resummed_survival(grid, kappa, share if math.isfinite(share) else 0.0, spread),
        "leading_order": leading_order_survival(grid, kappa),
        "lower": lower,
        "upper": upper,
    }


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


# -- how it shows itself ---------------------------------------------------------------------------------------------


def budget_of(record: Record) -> tuple[BudgetEntry, ...]:
    """The parts of kappa."""
    return tuple(
        BudgetEntry(e["layer"], tuple(e["qubits"]), e["mechanism"], _number(e["kappa"]), _number(e["standard_error"]))
        for e in record["law.budget"]
    )


def budget_rows(budget: Iterable[BudgetEntry], between_qubits: str = " ") -> list[dict[str, Any]]:
    """The parts of kappa as flat rows: layer, qubits ("3 4"), mechanism, kappa, standard_error.

    Args:
        budget: The parts.
        between_qubits: What stands between the qubits of one part.
    """
    return [asdict(entry) | {"qubits": between_qubits.join(map(str, entry.qubits))} for entry in budget]


def costliest(record: Record) -> str | None:
    """Where most of kappa arises: by mechanism, qubit and layer, each with its share; None where nothing is lost."""
    budget = budget_of(record)
    total = sum(entry.kappa for entry in budget if entry.kappa > 0)
    if record.number("law.kappa") <= 0 or total <= 0:
        return None
    parts = []
    for name in ("mechanism", "qubit", "layer"):
        sums = budget_sums(budget, name)
        worst = max(sums, key=lambda key: sums[key])
        parts.append(f"{worst if name == 'mechanism' else f'{name} {worst}'} {100 * sums[worst] / total:.0f} %")
    return ", ".join(parts)


def sample_text(record: Record) -> str:
    """What the averages were taken over."""
    seed = "" if record["seed"] is None else f", seed {record['seed']}"
    draws = "1 draw" if record["samples"] == 1 else f"{record['samples']} draws"
    return f"{draws}, {record['ensemble']}{seed}, engine {record['engine']}"


def law_facts(record: Record) -> dict[str, str]:
    """Name to value of the law's numbers, with their errors."""
    return {
        "kappa (dimensionless, per unit of s)": record.told("law.kappa", 4),
        "w0, share that lasts": record.told("law.fixed_point_share", 4),
        "fixed point": record["law.fixed_point_class"],
        "c2, spread of the rates": record.told("law.rate_variance", 4),
        "bounds": _bounds(record),
        "sample": sample_text(record),
        "approximations": "; ".join(record["approximations"]) or "none",
    }


def _bounds(record: Record) -> str:
    return f"{record['law.bound_status']} ({record['law.bound_reason']})"


def law_html(law: Law) -> str:
    """A compact table, with the costliest parts of the budget."""
    parts = sorted(law.budget, key=lambda e: -e.kappa)
    names = [name.replace("_", " ") for name in BUDGET_FIELDS]
    below = rows_html("costliest parts of kappa", names, [list(row.values()) for row in budget_rows(parts)], _COSTLIEST)
    return facts_html("coherence law", law_facts(law_record(law, 1.0)), below)


def law_text(law: Law) -> str:
    """The law in a few lines."""
    record = law_record(law, 1.0)
    facts = {
        "kappa": record.told("law.kappa", 4),
        "survival": f"R(1) = {record.told('law.survival', 4)} at the stated noise; "
        f"to leading order {record.told('law.leading_order', 4)}",
        "that lasts": f"w0 = {record.told('law.fixed_point_share')}; fixed point {record['law.fixed_point_class']}",
        "lost at": costliest(record),
        "bounds": _bounds(record),
        "how sure": sample_text(record),
        "notes": "; ".join(law.approximations) or None,
    }
    return facts_text("coherence law R(s)^2 = V(s)/V(0)", facts)
