"""One record of a model's diagnosis: what was asked, its data and loss by hash and name, and what was found."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.coherence.loss.loss_law_record import LOSS_LAW, LossLaw
from equinoise.coherence.quantity import Quantity, Record
from equinoise.coherence.sample import Sampled
from equinoise.diagnosis.record import STATED, circuit_facts, operator_terms
from equinoise.diagnosis.verdict import Verdict
from equinoise.model.qnn import Model

__all__ = ["LOSS_DIAGNOSIS", "LOSS_SCHEMA", "LossFindings", "LossResources", "data_facts", "loss_diagnosis_record"]

Real = npt.NDArray[np.float64]

LOSS_SCHEMA = "equinoise.model-diagnosis/1"


@dataclass(frozen=True)
class LossResources:
    """What the gradient of a loss costs in shots, by shift rules, each readout measured by itself.

    Attributes:
        shots: Per expectation value, measurement setting and row, as the verdict assumes.
        resolved_rms: RMS gradient of the loss, per weight and radian, that they resolve at signal-to-noise 1.
        shots_per_row: N, per expectation value and setting, at which the noisy gradient has signal-to-noise 1.
        evaluations: Expectation values of one row's gradient, over the trained weights' gates.
        settings: Measurement settings of all readouts together.
        rows: Rows of the loss.
        shots_in_all: N x evaluations x settings x rows; infinity where there is no gradient.
    """

    shots: int
    resolved_rms: float
    shots_per_row: float
    evaluations: int
    settings: int
    rows: int
    shots_in_all: float


@dataclass(frozen=True)
class LossFindings:
    """What was found about a model, in the order in which a reader asks.

    Attributes:
        model: What was diagnosed.
        scale: Noise scale s of the verdict.
        law: The loss's coherence law: V_loss beside V_pred, kappa in two parts with budgets, each readout.
        noiseless_rms: sqrt(V_loss(0)/K), K trained weights, per radian.
        noisy_rms: sqrt(V_loss(s)/K) likewise.
        noiseless_per_weight: sqrt(E (d_k J)^2) without noise, shape (K,).
        noisy_per_weight: With noise, shape (K,).
        resources: Shots.
        verdict: One word and its reason.
        advice: What would help most, most effective first.
        sampling: What was asked of the draws: samples, seed, engine.
        warnings: What was assumed, dropped or approximated.
    """

    model: Model = field(repr=False)
    scale: float
    law: LossLaw
    noiseless_rms: Sampled
    noisy_rms: Sampled
    noiseless_per_weight: Real
    noisy_per_weight: Real
    resources: LossResources
    verdict: Verdict
    advice: tuple[str, ...]
    sampling: dict[str, Any]
    warnings: tuple[str, ...]


def data_facts(model: Model) -> dict[str, Any]:
    """The rows of a model: how many, and the SHA-256 of inputs and labels as they were given."""
    labels = model.rows.labels
    told = None if labels is None else json.dumps(np.asarray(labels).tolist(), default=str).encode()
    return {
        "rows": model.rows.count,
        "inputs": [p.name for p in model.inputs],
        "inputs_sha256": hashlib.sha256(np.ascontiguousarray(model.rows.inputs).tobytes()).hexdigest(),
        "labels_sha256": None if told is None else hashlib.sha256(told).hexdigest(),
    }


def _readouts(model: Model) -> list[dict[str, Any]]:
    stated = zip(model.readout_labels, model.readouts, strict=True)
    return [{"label": label, "terms": operator_terms(operator)} for label, operator in stated]


def _by_weight(model: Model, values: Real) -> dict[str, float]:
    return {model.weights[k].name: float(value) for k, value in zip(model.trained, values, strict=True)}


_OF_MODEL: tuple[Quantity[Model], ...] = (
    # the problem's readout is what all readouts see together, and its parameters are compiled ones
    *(one.of(lambda m: m.problem) for one in STATED if one.path != "circuit" and not one.path.startswith("readout.")),
    Quantity("circuit", lambda m: circuit_facts(m.problem, m.circuit)),
    Quantity("readouts", _readouts),
    Quantity("projected", lambda m: m.problem.projected),
    Quantity("data", data_facts),
    Quantity("loss.name", lambda m: m.loss.name),
    Quantity("loss.scale", lambda m: m.scale),
    Quantity("loss.bias", lambda m: m.bias),
    Quantity("prior", lambda m: m.prior.plain()),
    Quantity("trained", lambda m: [m.weights[k].name for k in m.trained]),
)
"""What was asked: the model as it was stated."""

LOSS_DIAGNOSIS: tuple[Quantity[LossFindings], ...] = (
    Quantity("schema", lambda _: LOSS_SCHEMA),
    *(one.of(lambda x: x.model) for one in _OF_MODEL),
    Quantity("scale", lambda x: x.scale, open=math.inf),
    Quantity("sampling", lambda x: x.sampling),
    Quantity(
        "noiseless.rms_gradient",
        lambda x: x.noiseless_rms.value,
        "per radian",
        "noiseless.interval",
        columns={"noiseless_rms": "DOUBLE"},
    ),
    Quantity(
        "noiseless.interval",
        lambda x: x.noiseless_rms.interval,
        columns=dict.fromkeys(("noiseless_low", "noiseless_high"), "DOUBLE"),
    ),
    Quantity("noiseless.per_weight", lambda x: _by_weight(x.model, x.noiseless_per_weight)),
    Quantity(
        "noisy.rms_gradient",
        lambda x: x.noisy_rms.value,
        "per radian",
        "noisy.interval",
        columns={"rms_gradient": "DOUBLE"},
    ),
    Quantity(
        "noisy.interval", lambda x: x.noisy_rms.interval, columns=dict.fromkeys(("rms_low", "rms_high"), "DOUBLE")
    ),
    Quantity("noisy.per_weight", lambda x: _by_weight(x.model, x.noisy_per_weight)),
    *(one.of(lambda x: x.law) for one in LOSS_LAW),
    Quantity("law.kappa_per_weight", lambda x: _by_weight(x.model, x.law.kappa_per_parameter)),
    Quantity("resources.shots", lambda x: x.resources.shots),
    Quantity("resources.resolved_rms", lambda x: x.resources.resolved_rms, "per radian"),
    Quantity(
        "resources.shots_per_row",
        lambda x: x.resources.shots_per_row,
        open=math.inf,
        columns={"shots_per_gradient": "DOUBLE"},
    ),
    Quantity("resources.evaluations", lambda x: x.resources.evaluations),
    Quantity("resources.settings", lambda x: x.resources.settings),
    Quantity("resources.rows", lambda x: x.resources.rows, columns={"loss_rows": "INTEGER"}),
    Quantity(
        "resources.shots_in_all", lambda x: x.resources.shots_in_all, open=math.inf, columns={"shots_in_all": "DOUBLE"}
    ),
    Quantity("verdict", lambda x: x.verdict.word, columns={"verdict": "VARCHAR"}),
    Quantity("verdict_reason", lambda x: x.verdict.reason, columns={"verdict_reason": "VARCHAR"}),
    Quantity("advice", lambda x: x.advice),
    Quantity("warnings", lambda x: x.warnings),
)
"""All that the diagnosis of a model says; what is shown and stored picks from it by path."""


def loss_diagnosis_record(found: LossFindings) -> Record:
    """The record of a model's diagnosis."""
    return Record.of(found, LOSS_DIAGNOSIS)
