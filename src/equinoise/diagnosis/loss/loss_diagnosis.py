"""The diagnosis of a model: whether the gradient of its loss survives the noise, and what it costs in shots."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.coherence.loss.drawn_rows import DrawnRows
from equinoise.coherence.loss.loss_law import LossDraw, loss_draw, loss_law_from_draws
from equinoise.coherence.loss.loss_law_record import LossLaw
from equinoise.coherence.quantity import Record
from equinoise.coherence.rates import budget_sums
from equinoise.coherence.sample import FEWEST_DRAWS, PairedDraws, Sampled
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

__all__ = ["LOSS_SWEEPS", "LossDiagnosis", "diagnose_loss", "rows_in_time"]

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


def rows_in_time(sweeps: ModelSweeps, thetas: Real, scale: float, seconds: float) -> DrawnRows:
    """As many rows of each draw as fit into a time, by what a few draws of a few rows take at once.

    Args:
        sweeps: The model's.
        thetas: The draws, shape (S, W).
        scale: Noise scale s.
        seconds: For all draws.
    """
    model, whole, workers = sweeps.model, sweeps.model.rows.count, sweeps.engine.workers
    if whole <= _FEWEST_ROWS:
        return DrawnRows.of(model, None)
    few = DrawnRows.of(model, None, rows=_FEWEST_ROWS)

    def one(theta: Real, rng: np.random.Generator) -> LossDraw:
        return loss_draw(sweeps, theta, [scale], few, rng)

    one(thetas[0], np.random.default_rng(0))  # the first prepares
    begin = time.perf_counter()
    done = sum(1 for _ in sampled_draws(one, thetas[:workers], 0, workers))
    took = (time.perf_counter() - begin) / (done * _FEWEST_ROWS)
    fitting = int(seconds / (_WITH_SHOTS * took * len(thetas)))
    return DrawnRows.of(model, None, rows=None if fitting >= whole else max(_FEWEST_ROWS, fitting))


# with fewer rows their covariance is no estimate to speak of
_FEWEST_ROWS = 4
# time of a draw with its shot noise over that without, for two readouts
_WITH_SHOTS = 1.2


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
    rows: int | None = None,
    seconds: float | None = None,
    sampling: Sampling | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> LossDiagnosis:
    """Whether the gradient of a model's loss survives its noise, why, and what it costs in shots.

    Args:
        model: The model; its prior is the ensemble.
        scale: Noise scale s of the verdict.
        shots: Per expectation value, measurement setting and row.
        batch: Rows of each draw's loss; all by default.
        rows: Rows of each draw that stand for all; see :func:`equinoise.loss_law`.
        seconds: Where all rows of all draws would take longer, so many rows stand for all that they do not (at least
            2); by the time that a row takes here, so that the number differs between machines: the result states it,
            and ``rows`` asks for it again. Unless the sampling states a number of draws, these are 32 then.
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
    if isinstance(shots, bool) or not isinstance(shots, int) or not 1 <= shots <= MOST_SHOTS:
        raise ParameterError(f"shots must be a whole number of 1 to {MOST_SHOTS:,}, got {shots!r}.")
    stated = sampling is not None and sampling.samples is not None
    sampling = Sampling.of(sampling, samples=64)
    sampling.check_engine("the diagnosis of a model", "exact")
    thetas, sweeps = model.sampled(sampling), ModelSweeps(model, sampling.workers)
    measured = LossShotNoise(sweeps)

    drawn = DrawnRows.of(model, batch, rows)
    if seconds is not None and batch is None and rows is None:
        # rows cancel in a loss: a given time is best spent on many rows of as few draws as intervals ask for
        drawn = rows_in_time(sweeps, thetas if stated else thetas[:FEWEST_DRAWS], s, seconds)
        thetas = thetas if stated or drawn.count == drawn.all_rows else thetas[:FEWEST_DRAWS]

    def one(theta: Real, rng: np.random.Generator) -> _Measured:
        draw = loss_draw(sweeps, theta, [s], drawn, rng)
        # N rows measured independently: what R of them show is R/N of the loss's
        return _Measured(draw, measured.noise(theta, s, draw.rows) * drawn.count / drawn.loss_rows)

    draws = []
    for draw in sampled_draws(one, thetas, sampling.seed, sweeps.engine.workers):
        draws.append(draw)
        if progress is not None:
            progress("draws", len(draws), len(thetas))
    law = loss_law_from_draws(sweeps, [each.draw for each in draws], [s], sampling, drawn)
    clean, noisy = _rms(draws, sweeps)
    resources = _resources(sweeps, measured, draws, law, shots, drawn.loss_rows)
    pointing = law.points[0].direction.interval
    verdict = decide(clean.interval, noisy.interval, resources.resolved_rms, (0.0, 0.0), "", shots, pointing)
    return LossDiagnosis(
        model=model,
        scale=s,
        law=law,
        noiseless_rms=clean,
        noisy_rms=noisy,
        noiseless_per_weight=np.sqrt(np.maximum(law.per_weight, 0.0)),
        noisy_per_weight=np.sqrt(np.maximum(law.points[0].per_weight, 0.0)),
        resources=resources,
        verdict=verdict,
        advice=_advice(law, s),
        sampling={name: sampling.plain()[name] for name in ("samples", "seed", "engine")},
        warnings=(*law.approximations, *model.warnings, _SHOTS),
    )


def _advice(law: LossLaw, scale: float) -> tuple[str, ...]:
    """The costliest mechanism, qubit and layer of kappa, and what their removal would give back to leading order."""
    total = sum(entry.kappa for entry in law.budget if entry.kappa > 0)
    if math.isnan(law.variance):
        return ("more rows or draws: these do not tell the loss's gradient from 0",)
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
        "clean": np.array([float(np.sum(each.draw.first.square)) for each in draws]),
        "noisy": np.array([float(np.sum(each.draw.squares[0])) for each in draws]),
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
    if math.isnan(law.variance):
        needed = math.nan
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
