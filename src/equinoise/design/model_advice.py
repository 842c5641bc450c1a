"""Advice on a model: what would help the gradient of its loss most, per shot."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from equinoise.coherence.loss.loss_law import loss_law
from equinoise.coherence.rates import BudgetEntry
from equinoise.coherence.sample import PairedDraws
from equinoise.design.advice import Advice, Suggestion
from equinoise.design.advice import advise as advise_problem
from equinoise.design.changes import (
    Change,
    better_calibration,
    needed_parameters,
    other_layout,
    pulses_on_idle_qubits,
)
from equinoise.diagnosis.loss.loss_shots import LossShotNoise
from equinoise.engines.draws import check_scale, sampled_draws
from equinoise.engines.model_sweeps import ModelSweeps
from equinoise.errors import EquinoiseError, ParameterError
from equinoise.model.asked import also_of_models
from equinoise.model.qnn import Model
from equinoise.sampling import Sampling

__all__ = ["advise", "advise_model"]

Real = npt.NDArray[np.float64]

_GROUPS = 3
_NOTHING = 5e-3
_LEFT_OUT = (
    ("readout", "a model's readouts are what its loss is of: state another model and compare"),
    ("depth", "a model's layers hold its weights: state a shallower model and compare"),
    (
        "verification",
        "post-selection divides a readout by what it keeps: ask it of each readout's Problem",
    ),
)


@dataclass(frozen=True)
class _Sampled:
    """A model at one noise scale, draw by draw.

    Attributes:
        square: (d_k J)^2, shape (S, K).
        noise: N sum_k Var(d_k J) from N shots, by readout, shape (S, C).
    """

    square: Real
    noise: Real

    @property
    def score(self) -> float:
        """Signal-to-noise ratio of the RMS gradient from one shot an expectation value, setting and row."""
        noise = float(self.noise.sum(axis=1).mean())
        return math.sqrt(float(self.square.sum(axis=1).mean()) / noise) if noise > 0 else 0.0


def advise_model(
    model: Model,
    scale: float = 1.0,
    *,
    sampling: Sampling | None = None,
    first_samples: int = 8,
    progress: Callable[[str, int, int], None] | None = None,
) -> Advice:
    """Ranks what would help the gradient of a model's loss most, by the gain in surviving gradient per shot.

    The measure is sqrt(V_loss(s) / sum_k N Var(d_k J)), the signal-to-noise ratio from one shot for each expectation
    value, measurement setting and row. Each change of noise is predicted by the law, then simulated with the loss
    itself on the same draws.

    Looked at: half the rate of the costliest mechanisms on one qubit or pair; the layout, on a device; dynamical
    decoupling; shots shared among the readouts by their weight in the loss; shots on those weights alone that hold
    99 % of the squared gradient.

    Args:
        model: The model.
        scale: Noise scale s.
        sampling: Draws of the weights (32 by default); no ensemble.
        first_samples: Draws of the law that the predictions are by.
        progress: Called with (stage, done, total).

    Raises:
        ParameterError: The sampling, first_samples or scale does not fit.
        UnsupportedError: An engine is asked for by name.
        MemoryLimitError: The light cone of all readouts is too large.

    Source:
        arXiv:2606.30688 for the law; arXiv:2107.12390 for the shift rules.

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.brickwork(4, depth=2, shared=True)
        >>> model = eq.Model(circuit, "Z1", labels=[0.5], loss="mse", initial="neel", noise="relaxation:0.05")
        >>> eq.advise(model, sampling=eq.Sampling(samples=8)).suggestions[0].gain > 1
        True
    """
    s, sampling = check_scale(scale), Sampling.of(sampling, samples=32)
    sampling.check_engine("advise")
    if min(sampling.count, first_samples) < 2:
        raise ParameterError(f"samples and first_samples must be at least 2, got {sampling.count} and {first_samples}.")
    tell = progress or _silent
    tell("simulating the model as it is", 0, 1)
    here = _sampled(model, s, sampling)
    law = loss_law(model, scales=(), sampling=replace(sampling, samples=min(first_samples, sampling.count)))
    found, left_out = [], list(_LEFT_OUT)
    for change in _changes(model, law.budget, s, sampling, left_out):
        tell(f"simulating: {change.change}", 0, 1)
        try:
            found.append(_looked_at(model, change, here, s, sampling))
        except EquinoiseError as error:
            left_out.append((change.kind, f"{change.change}: {error}"))
    found += [*_shared_shots(model, here), *_fewer_weights(model, here)]
    ordered = sorted(found, key=lambda one: -one.gain)
    return Advice(
        suggestions=tuple(one for one in ordered if one.gain > 1 + _NOTHING),
        useless=tuple(one for one in ordered if one.gain <= 1 + _NOTHING),
        left_out=tuple(left_out),
        scale=s,
        baseline=here.score,
        samples=len(here.square),
        seed=sampling.seed,
        ensemble=model.prior.describe(),
        engine="exact",
    )


def _silent(stage: str, done: int, total: int) -> None:
    del stage, done, total


def _sampled(model: Model, scale: float, sampling: Sampling) -> _Sampled:
    sweeps = ModelSweeps(model, sampling.workers)
    shots = LossShotNoise(sweeps)

    def one(theta: Real, rng: np.random.Generator) -> tuple[Real, Real]:
        del rng
        gradient = np.mean([sweeps.row_gradient(theta, scale, row)[1] for row in range(model.rows.count)], axis=0)
        return gradient**2, shots.by_readout(theta, scale, np.arange(model.rows.count))

    draws = list(sampled_draws(one, model.sampled(sampling), sampling.seed, sweeps.engine.workers))
    return _Sampled(np.stack([square for square, _ in draws]), np.stack([noise for _, noise in draws]))


def _changes(
    model: Model, budget: tuple[BudgetEntry, ...], scale: float, sampling: Sampling, left_out: list[tuple[str, str]]
) -> Iterator[Change]:
    """Changes of the compiled problem that leave its weights alone; what cannot be looked at goes to left_out."""
    yield from better_calibration(model.problem, budget, scale, _GROUPS)
    pulses, reason = pulses_on_idle_qubits(model.problem)
    if pulses is not None:
        yield pulses
    else:
        left_out.append(("decoupling", reason))
    layout, reason = other_layout(model.problem, scale, sampling)
    if layout is not None:
        yield layout
    else:
        left_out.append(("layout", reason))


def _looked_at(model: Model, change: Change, here: _Sampled, scale: float, sampling: Sampling) -> Suggestion:
    """A change, simulated on the draws of the model as it is."""
    there = _sampled(model.with_problem(change.build()), scale, sampling)
    columns = {
        "changed": there.square.sum(axis=1),
        "noise": here.noise.sum(axis=1),
        "as it is": here.square.sum(axis=1),
        "changed noise": there.noise.sum(axis=1),
    }
    gain = PairedDraws(columns).ratio(("changed", "noise"), ("as it is", "changed noise"), root=True)
    predicted = gain.value if change.predicted is None else change.predicted
    note = f"{len(there.square)} draws, engine exact"
    return Suggestion(change.kind, change.change, predicted, gain.value, gain.interval, change.cost, note)


def _shared_shots(model: Model, here: _Sampled) -> Iterator[Suggestion]:
    """Shots of the readouts by their weight in the loss.

    Readout c with N_c shots in each of m_c settings adds a_c/N_c to the variance. At a given sum of m_c N_c equal N_c
    give sum m_c sum a_c; N_c ~ sqrt(a_c/m_c) is best and gives (sum_c sqrt(m_c a_c))^2.
    """
    if len(model.readouts) < 2:
        return
    settings = LossShotNoise(ModelSweeps(model)).settings_by_readout
    parts = here.noise.mean(axis=0)
    best = float(np.sqrt(settings * parts).sum())
    if best <= 0:
        return
    gain = math.sqrt(float(settings.sum() * parts.sum())) / best
    weights = np.sqrt(parts / settings)
    shares = ", ".join(
        f"{label} {100 * share:.0f} %"
        for label, share in zip(model.readout_labels[:6], settings * weights / best, strict=False)
    )
    more = ", ..." if len(model.readouts) > 6 else ""
    note = "exact: the variance of the loss's gradient is a sum over the readouts"
    yield Suggestion("shots", f"shots shared as {shares}{more}", gain, gain, (gain, gain), "", note)


def _fewer_weights(model: Model, here: _Sampled) -> Iterator[Suggestion]:
    """Shots on those weights alone that hold nearly all of the squared gradient; see :func:`needed_parameters`."""
    worth, share = needed_parameters(here.square.mean(axis=0))
    if worth.all():
        return
    shots = LossShotNoise(ModelSweeps(model))
    every = np.ones(len(worth), dtype=bool)
    gain = math.sqrt(share * shots.evaluations(every) / shots.evaluations(worth))
    change = f"no shots on {int((~worth).sum())} of {worth.size} weights"
    note = f"{int(worth.sum())} hold {100 * share:.3g} % of the squared gradient"
    yield Suggestion("shots", change, gain, gain, (gain, gain), "", note)


# eq.advise: of a problem by design/advice.py, whose record of advice a model's is, too
advise = also_of_models(advise_model)(advise_problem)
