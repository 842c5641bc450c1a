"""The diagnosis of a model: whether the gradient of its loss survives the noise, and what it costs in shots."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.coherence.loss.loss_law import LossDraw, check_batch, loss_draw, loss_law_from_draws, rows_of
from equinoise.coherence.loss.loss_law_record import LossLaw
from equinoise.coherence.quantity import Record
from equinoise.coherence.rates import budget_sums
from equinoise.coherence.sample import PairedDraws, Sampled
from equinoise.diagnosis.loss.loss_panels import loss_diagnosis_html, loss_diagnosis_text
from equinoise.diagnosis.loss.loss_record import LossFindings, LossResources, loss_diagnosis_record
from equinoise.diagnosis.loss.loss_shots import LossShotNoise
from equinoise.diagnosis.verdict import decide
from equinoise.engines.draws import check_scale, sampled_draws
from equinoise.engines.model_sweeps import ModelSweeps
from equinoise.errors import ParameterError
from equinoise.limits import MOST_SHOTS
from equinoise.model.qnn import Model
from equinoise.sampling import Sampling

__all__ = ["LOSS_SWEEPS", "LossDiagnosis", "diagnose_loss"]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

# sweeps of a row that one draw takes, in gradients: first order with two budgets, with noise, and the shots' variances
LOSS_SWEEPS = 6


class LossDiagnosis(LossFindings):
    """Everything equinoise says about a model; its attributes are those of its findings, with units and intervals.

    Printed it is a short report; a notebook shows a table.
    """

    @property
    def record(self) -> Record:
        """All of it as plain data, together with what was asked; what is shown and stored is taken from here."""
        return loss_diagnosis_record(self)

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON holds it; NaN and infinity become null."""
        return dict(self.record.data)

    def __str__(self) -> str:
        return loss_diagnosis_text(self.record)

    def __repr__(self) -> str:
        left = self.law.points[0].survival.value
        return f"LossDiagnosis({self.verdict.word!r}, survival={left:.4g}, {self.model!r})"

    def _repr_html_(self) -> str:
        return loss_diagnosis_html(self.record)


@dataclass(frozen=True)
class _Measured:
    """One draw: its share of the law, and its shot noise.

    Attributes:
        draw: Of the law.
        noise: N sum_k Var(d_k J) from N shots per expectation value, setting and row.
    """

    draw: LossDraw
    noise: float


def diagnose_loss(
    model: Model,
    scale: float = 1.0,
    *,
    shots: int = 10_000,
    batch: int | None = None,
    sampling: Sampling | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> LossDiagnosis:
    """Whether the gradient of a model's loss survives its noise, why, and what it costs in shots.

    Args:
        model: The model; its prior is the ensemble.
        scale: Noise scale s of the verdict.
        shots: Per expectation value, measurement setting and row.
        batch: Rows of each draw's loss; all by default.
        sampling: Draws of the weights (64 by default); no ensemble, and the exact engine alone.
        progress: Called with (stage, done, total).

    Raises:
        ParameterError: The sampling, shots, scale or batch does not fit.
        UnsupportedError: The exact engine cannot take the noise.
        MemoryLimitError: The light cone of all readouts is too large.

    Example:
        >>> import equinoise as eq
        >>> from equinoise.diagnosis.loss.loss_diagnosis import diagnose_loss
        >>> circuit = eq.circuits.brickwork(4, depth=2, shared=True)
        >>> model = eq.Model(circuit, "Z1", labels=[0.5], loss="mse", initial="neel", noise="dephasing:0.01")
        >>> diagnose_loss(model, sampling=eq.Sampling(samples=32)).verdict.word
        'trainable'
    """
    s = check_scale(scale)
    check_batch(model, batch)
    if isinstance(shots, bool) or not isinstance(shots, int) or not 1 <= shots <= MOST_SHOTS:
        raise ParameterError(f"shots must be a whole number of 1 to {MOST_SHOTS:,}, got {shots!r}.")
    sampling = Sampling.of(sampling, samples=64)
    sampling.check_engine("the diagnosis of a model", "exact")
    thetas, sweeps = model.sampled(sampling), ModelSweeps(model, sampling.workers)
    measured = LossShotNoise(sweeps)

    def one(theta: Real, rng: np.random.Generator) -> _Measured:
        rows = rows_of(model, batch, rng)
        return _Measured(loss_draw(sweeps, theta, [s], rows), measured.noise(theta, s, rows))

    draws = []
    for draw in sampled_draws(one, thetas, sampling.seed, sweeps.engine.workers):
        draws.append(draw)
        if progress is not None:
            progress("draws", len(draws), len(thetas))
    law = loss_law_from_draws(sweeps, [each.draw for each in draws], [s], sampling, batch)
    clean, noisy = _rms(draws, sweeps)
    resources = _resources(sweeps, measured, draws, law, shots, model.rows.count if batch is None else batch)
    verdict = decide(
        clean.interval, noisy.interval, resources.resolved_rms, (0.0, 0.0), "", shots, law.points[0].direction.interval
    )
    return LossDiagnosis(
        model=model,
        scale=s,
        law=law,
        noiseless_rms=clean,
        noisy_rms=noisy,
        noiseless_per_weight=np.sqrt(law.per_weight),
        noisy_per_weight=np.sqrt(law.points[0].per_weight),
        resources=resources,
        verdict=verdict,
        advice=_advice(law, s),
        sampling={name: sampling.plain()[name] for name in ("samples", "seed", "engine")},
        warnings=(*model.warnings, *law.approximations, _SHOTS),
    )


def _advice(law: LossLaw, scale: float) -> tuple[str, ...]:
    """The costliest mechanism, qubit and layer of kappa, and what their removal would give back to leading order."""
    total = sum(entry.kappa for entry in law.budget if entry.kappa > 0)
    if law.variance == 0:
        return ("the loss has no gradient even without noise: another readout, loss or prior",)
    if law.kappa <= 1e-9 or total <= 0:
        return ("nothing to gain from less noise: to first order it does not shrink the loss's gradient",)
    most = 1 / max(law.points[0].survival.value, 1e-12)
    found = []
    for name in ("mechanism", "qubit", "layer"):
        sums = budget_sums(law.budget, name)
        worst = max(sums, key=lambda key: sums[key])
        gain = min(most, math.exp(min(50.0, sums[worst] * scale))) if sums[worst] > 0 else 1.0
        cost = f"{name} {worst} costs {100 * sums[worst] / total:.0f} % of kappa"
        found.append((sums[worst], f"{cost}; without it the loss's gradient would be {gain:.3g} times larger"))
    return tuple(text for _, text in sorted(found, key=lambda item: -item[0]))


_SHOTS = (
    "shots are those of shift rules at a known slope of the loss and at the weights themselves, each readout measured "
    "by itself"
)


def _rms(draws: list[_Measured], sweeps: ModelSweeps) -> tuple[Sampled, Sampled]:
    """The loss's RMS gradient per weight without and with noise."""
    columns = {
        "clean": np.array([float(np.sum(each.draw.first.gradient**2)) for each in draws]),
        "noisy": np.array([float(np.sum(each.draw.gradients[0] ** 2)) for each in draws]),
    }
    paired, share = PairedDraws(columns), 1 / sweeps.model.trained.size
    return paired.ratio("clean", factor=share, root=True), paired.ratio("noisy", factor=share, root=True)


def _resources(
    sweeps: ModelSweeps, measured: LossShotNoise, draws: list[_Measured], law: LossLaw, shots: int, rows: int
) -> LossResources:
    """The shots' price at the law's first noise scale."""
    weights = sweeps.model.trained.size
    noise, variance = float(np.mean([each.noise for each in draws])), law.points[0].variance
    needed = noise / variance if law.variance > 0 and variance > 0 else math.inf
    evaluations, settings = measured.evaluations(np.ones(weights, dtype=bool)), int(measured.settings_by_readout.sum())
    return LossResources(
        shots=shots,
        resolved_rms=math.sqrt(noise / shots / weights),
        shots_per_row=needed,
        evaluations=evaluations,
        settings=settings,
        rows=rows,
        shots_in_all=needed * evaluations * settings * rows,
    )
