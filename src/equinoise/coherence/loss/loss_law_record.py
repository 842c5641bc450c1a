"""What the coherence law of a loss says, and how it shows itself: numbers by path, a few lines, a small table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.coherence.law_record import costliest, sample_text
from equinoise.coherence.quantity import Quantity, Record, sampled_quantity
from equinoise.coherence.rates import BudgetEntry
from equinoise.coherence.sample import Sampled
from equinoise.text.notebook import facts_html, facts_text, rows_html, short

__all__ = ["LOSS_LAW", "LossLaw", "LossSurvival", "ReadoutLaw", "loss_law_facts", "readouts_html"]

Real = npt.NDArray[np.float64]

_NOT_PROVED = (
    "none: bounds are proved for the gradient of one prediction under independent uniform Z rotations, not for that of "
    "a loss, whose rows add up and whose slope moves with the noise"
)


@dataclass(frozen=True)
class LossSurvival:
    """What the simulated noise leaves at one scale.

    Attributes:
        scale: Noise scale s.
        variance: V_loss(s).
        per_weight: Mean (d_k J)^2, shape (K,).
        survival: R = sqrt(V_loss(s)/V_loss(0)) with its interval.
        direction: D(s) = E g(0).g(s) / sqrt(V_loss(0) V_loss(s)): the cosine between the loss's gradients.
        prediction_variance: V_pred(s).
        prediction_survival: sqrt(V_pred(s)/V_pred(0)).
    """

    scale: float
    variance: float
    per_weight: Real
    survival: Sampled
    direction: Sampled
    prediction_variance: float
    prediction_survival: Sampled


@dataclass(frozen=True)
class ReadoutLaw:
    """The gradient of one readout's prediction.

    Attributes:
        label: The readout's.
        variance: E sum_k (d_k f_c)^2 without noise, over draws and rows.
        kappa: -(1/2) d ln of it/ds at s = 0.
        survival: Root of what is left of it at each simulated scale.
    """

    label: str
    variance: float
    kappa: Sampled
    survival: tuple[Sampled, ...]


@dataclass(frozen=True)
class LossLaw:
    """The coherence law of a model's loss over its prior.

    Attributes:
        variance: V_loss(0) = E sum_k (d_k J)^2.
        per_weight: E (d_k J)^2, shape (K,), in the order of the trained weights.
        kappa: -(1/2) d ln V_loss/ds at s = 0, signed: noise may make the loss steeper.
        kappa_interval: 95 % interval over the draws.
        kappa_error: Standard error.
        kappa_gradient: The part of it from the gradients of the predictions, at a fixed slope of the loss.
        kappa_residual: The part from the noise's pull on the predictions, which changes the slope; 0 for linear losses.
        kappa_per_parameter: By weight, shape (K,); NaN where the gradient vanishes.
        budget: kappa's additive parts.
        gradient_budget: Those of kappa_gradient.
        residual_budget: Those of kappa_residual.
        prediction_variance: V_pred(0) = E sum_c sum_k (d_k f_c)^2, over draws and rows.
        prediction_kappa: -(1/2) d ln V_pred/ds at s = 0.
        readouts: Each readout by itself.
        points: The simulated noise scales.
        bound_status: What bounds on the survival are worth.
        samples: Number of draws.
        seed: Of the draws; None for given weights.
        batch: Rows of a draw's loss; None for all.
        rows: Rows that each draw takes; fewer than all of the loss where they stand for them.
        ensemble: The prior in words.
        engine: Engine used.
        approximations: What was sampled, assumed or left out.
    """

    variance: float
    per_weight: Real
    kappa: float
    kappa_interval: tuple[float, float]
    kappa_error: float
    kappa_gradient: Sampled
    kappa_residual: Sampled
    kappa_per_parameter: Real
    budget: tuple[BudgetEntry, ...]
    gradient_budget: tuple[BudgetEntry, ...]
    residual_budget: tuple[BudgetEntry, ...]
    prediction_variance: float
    prediction_kappa: Sampled
    readouts: tuple[ReadoutLaw, ...]
    points: tuple[LossSurvival, ...]
    samples: int
    seed: int | None
    batch: int | None
    rows: int
    ensemble: str
    engine: str
    bound_status: str = _NOT_PROVED
    approximations: tuple[str, ...] = ()

    def leading_order(self, scale: npt.ArrayLike) -> Real:
        """R(s) = exp(-s kappa)."""
        return np.asarray(np.exp(-np.asarray(scale, dtype=np.float64) * self.kappa))

    @property
    def record(self) -> Record:
        """All of it as plain data."""
        return Record.of(self, LOSS_LAW)

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON holds it; NaN and infinity become null."""
        return dict(self.record.data)

    def __str__(self) -> str:
        return facts_text("coherence law of a loss", loss_law_facts(self.record))

    def __repr__(self) -> str:
        return f"LossLaw(kappa={self.kappa:.4g}, readouts={len(self.readouts)}, engine={self.engine!r})"

    def _repr_html_(self) -> str:
        record = self.record
        return facts_html("coherence law of a loss", loss_law_facts(record), readouts_html(record))


def _loss_point(point: LossSurvival) -> dict[str, Any]:
    """A point with the intervals of its ratios."""
    ratios = ("survival", "direction", "prediction_survival")
    return {
        "scale": point.scale,
        "variance": point.variance,
        "prediction_variance": point.prediction_variance,
        **{name: getattr(point, name).value for name in ratios},
        **{f"{name}_interval": getattr(point, name).interval for name in ratios},
    }


def _readout_row(one: ReadoutLaw) -> dict[str, Any]:
    return {
        "label": one.label,
        "variance": one.variance,
        "kappa": one.kappa.value,
        "kappa_interval": one.kappa.interval,
        "survival": [each.value for each in one.survival],
        "survival_interval": [each.interval for each in one.survival],
    }


def _real(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "DOUBLE")


LOSS_LAW: tuple[Quantity[LossLaw], ...] = (
    Quantity("noiseless.variance", lambda x: x.variance, columns=_real("variance")),
    Quantity("noiseless.prediction_variance", lambda x: x.prediction_variance, columns=_real("prediction_variance")),
    Quantity("law.kappa", lambda x: x.kappa, interval="law.kappa_interval", columns=_real("kappa")),
    Quantity("law.kappa_interval", lambda x: x.kappa_interval, columns=_real("kappa_low", "kappa_high")),
    Quantity("law.kappa_error", lambda x: x.kappa_error, columns=_real("kappa_error")),
    *sampled_quantity("law.kappa_gradient", lambda x: x.kappa_gradient, "kappa_gradient"),
    *sampled_quantity("law.kappa_residual", lambda x: x.kappa_residual, "kappa_residual"),
    *sampled_quantity("law.prediction_kappa", lambda x: x.prediction_kappa, "prediction_kappa"),
    Quantity("law.budget", lambda x: x.budget),
    Quantity("law.gradient_budget", lambda x: x.gradient_budget),
    Quantity("law.residual_budget", lambda x: x.residual_budget),
    Quantity("law.readouts", lambda x: [_readout_row(one) for one in x.readouts]),
    Quantity("law.points", lambda x: [_loss_point(point) for point in x.points]),
    Quantity("law.bound_status", lambda x: x.bound_status),
    Quantity("approximations", lambda x: x.approximations),
    Quantity("ensemble", lambda x: x.ensemble),
    Quantity("samples", lambda x: x.samples),
    Quantity("seed", lambda x: x.seed),
    Quantity("batch", lambda x: x.batch),
    Quantity("rows", lambda x: x.rows),
    Quantity("engine", lambda x: x.engine, columns={"engine": "VARCHAR"}),
)
"""What the law of a loss says; every view of it picks from these."""


def loss_law_facts(record: Record) -> dict[str, str]:
    """Name to value of the law's numbers, with their intervals."""
    facts = {
        "V": f"{record.told('noiseless.variance')} of the loss, {record.told('noiseless.prediction_variance')} of the "
        "predictions",
        "kappa": f"{record.told('law.kappa')} = {record.told('law.kappa_gradient')} (gradient) + "
        f"{record.told('law.kappa_residual')} (residual); {record.told('law.prediction_kappa')} of the predictions",
    }
    for point in record["law.points"]:
        scale = math.inf if point["scale"] is None else point["scale"]
        left = f"survival {short(point['survival'])}, direction {short(point['direction'])}"
        facts[f"at s = {scale:g}"] = f"{left}; predictions {short(point['prediction_survival'])}"
    worst = costliest(record)
    if worst is not None:
        facts["lost at"] = worst
    facts["how sure"] = (
        f"95 % intervals of {sample_text(record)}; bounds {record['law.bound_status'].partition(':')[0]}"
    )
    return facts


def readouts_html(record: Record) -> str:
    """A table of the readouts."""
    rows = [(one["label"], one["variance"], one["kappa"], *one["survival"][:1]) for one in record["law.readouts"]]
    return rows_html("readouts", ("readout", "V", "kappa", "survival")[: len(rows[0])], rows)
