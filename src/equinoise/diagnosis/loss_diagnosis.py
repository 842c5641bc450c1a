"""The diagnosis of a model: whether the gradient of its loss survives the noise, and what it costs in shots."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import SparsePauliOp

from equinoise.coherence.loss_law import LossDraw, LossLaw, check_batch, loss_draw, loss_law_from_draws, rows_of
from equinoise.coherence.rates import budget_sums
from equinoise.coherence.sample import PairedDraws, Sampled
from equinoise.diagnosis.verdict import Verdict, decide
from equinoise.engines.draws import check_scale, sampled_draws
from equinoise.engines.model_sweeps import ModelSweeps
from equinoise.errors import ParameterError
from equinoise.limits import MOST_SHOTS
from equinoise.measurement import charge_conserving_part, measurement_settings
from equinoise.model.qnn import Model
from equinoise.notebook import facts_text, short
from equinoise.reduction.operators import OperatorEntries
from equinoise.reduction.shift_rules import shift_costs
from equinoise.sampling import Sampling

__all__ = ["LossDiagnosis", "LossResources", "diagnose_loss"]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


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
class LossDiagnosis:
    """What equinoise says about a model.

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
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        law, point, resources = self.law, self.law.points[0], self.resources
        worst = sorted(budget_sums(law.budget, "mechanism").items(), key=lambda part: -abs(part[1]))[:3]
        more = f" (and {len(self.warnings) - 1} more)" if len(self.warnings) > 1 else ""
        facts = {
            "model": repr(self.model),
            "gradient": f"RMS {short(self.noiseless_rms.value)} {_between(self.noiseless_rms.interval)} per weight "
            f"without noise, {short(self.noisy_rms.value)} with; {resources.shots:,} shots resolve "
            f"{short(resources.resolved_rms)}",
            "survival": f"R = {short(point.survival.value)} {_between(point.survival.interval)} at s = {self.scale:g}, "
            f"direction {short(point.direction.value)}; predictions {short(point.prediction_survival.value)}",
            "kappa": f"{short(law.kappa)} {_between(law.kappa_interval)} = "
            f"{short(law.kappa_gradient.value)} (gradient) + {short(law.kappa_residual.value)} (residual)",
            "V": f"{short(law.variance)} of the loss, {short(law.prediction_variance)} of the predictions",
            "lost at": ", ".join(f"{name} {short(value)}" for name, value in worst) or None,
            "shots": f"{short(resources.shots_per_row)} per row, expectation value and setting; "
            f"{short(resources.shots_in_all)} in all",
            "how sure": f"95 % intervals of {law.samples} draws, {law.ensemble}, engine {law.engine}; bounds "
            f"{law.bound_status.partition(':')[0]}",
            "note": self.warnings[0] + more if self.warnings else None,
        }
        readouts = {
            f"readout {one.label}": f"V {short(one.variance)}, kappa {short(one.kappa.value)}, left "
            f"{short(one.survival[0].value)}"
            for one in law.readouts[:6]
        }
        return facts_text(f"{self.verdict.word}: {self.verdict.reason}", facts | readouts)


def _between(interval: tuple[float, float]) -> str:
    return f"[{short(interval[0])}, {short(interval[1])}]"


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
    shots: int = 4096,
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
        >>> from equinoise.diagnosis.loss_diagnosis import diagnose_loss
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
    measured = _ShotNoise(sweeps)

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
    resources = measured.resources(draws, law, shots, model.rows.count if batch is None else batch)
    verdict = decide(clean.interval, noisy.interval, resources.resolved_rms, (0.0, 0.0), "", shots)
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
        warnings=(*model.warnings, *law.approximations, _SHOTS),
    )


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


class _ShotNoise:
    """What shots cost a model's gradient: the variances of its readouts, and the shift rules of its gates."""

    def __init__(self, sweeps: ModelSweeps) -> None:
        self._sweeps = sweeps
        program = sweeps.engine.program
        self._costs = shift_costs(program)
        self._squares: list[OperatorEntries] = []
        self._means: list[list[OperatorEntries]] = []
        for readout in sweeps.model.readouts:
            settings = measurement_settings(readout, {})
            square = SparsePauliOp.sum([setting.square for setting in settings]).simplify(atol=1e-14)
            self._squares.append(self._entries(square))
            self._means.append([self._entries(setting.mean) for setting in settings])
        self.settings = sum(len(means) for means in self._means)

    def _entries(self, operator: SparsePauliOp) -> OperatorEntries:
        program = self._sweeps.engine.program
        visible = operator if program.full else charge_conserving_part(operator)
        return program.operator_entries(visible, program.projecting_charge)

    def noise(self, theta: Real, scale: float, rows: Index) -> float:
        """N sum_k Var(d_k J) = mean_i of sum_c l_c^2 Var(O_c) sum_k w_k, over the number of rows.

        Rows are measured independently, so their variances add: the mean's is 1/R of their mean. A weight's shift rule
        is that of the gates it moves: w_k = sum_phi J_phi,k^2 w_phi.
        """
        sweeps, model = self._sweeps, self._sweeps.model
        total = 0.0
        for row in rows:
            angles = model.angles(theta, row)
            flat = [*sweeps.operators, *self._squares, *(mean for means in self._means for mean in means)]
            values = sweeps.engine.values(angles.values, scale, flat)
            count = len(model.readouts)
            slopes = model.slopes(values[None, :count], [row])[0]
            variances = values[count : 2 * count].copy()
            place = 2 * count
            for c, means in enumerate(self._means):
                variances[c] -= np.sum(values[place : place + len(means)] ** 2)
                place += len(means)
            total += float(slopes**2 @ np.maximum(variances, 0.0)) * self._weight(angles.jacobian())
        return total / len(rows) ** 2

    def _weight(self, jacobian: Real) -> float:
        """sum_k w_k over the trained weights, from dphi/dw of shape (P, W)."""
        return float(np.sum(self._costs.noise @ jacobian[:, self._sweeps.model.trained] ** 2))

    def resources(self, draws: list[_Measured], law: LossLaw, shots: int, rows: int) -> LossResources:
        """The shots' price at the law's first noise scale."""
        model = self._sweeps.model
        noise = float(np.mean([each.noise for each in draws]))
        variance = law.points[0].variance
        needed = noise / variance if law.variance > 0 and variance > 0 else math.inf
        moved = (model.angles(model.draw(1, 0)[0], 0).jacobian()[:, model.trained] != 0).any(axis=1)
        evaluations = int(self._costs.evaluations[moved].sum())
        return LossResources(
            shots=shots,
            resolved_rms=math.sqrt(noise / shots / model.trained.size),
            shots_per_row=needed,
            evaluations=evaluations,
            settings=self.settings,
            rows=rows,
            shots_in_all=needed * evaluations * self.settings * rows,
        )
