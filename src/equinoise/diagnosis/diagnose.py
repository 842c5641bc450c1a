"""The diagnosis: does the gradient survive this noise, why, and what would help most."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from equinoise.coherence.law import Precision, law_from_draws
from equinoise.coherence.law_record import Law
from equinoise.coherence.quantity import Record
from equinoise.coherence.rates import LAW_GRADIENTS, budget_sums
from equinoise.coherence.resummed import scale_at_survival
from equinoise.coherence.sample import few_draws_warning
from equinoise.diagnosis.averages import Averages, DiagnosisDraw, Sampler
from equinoise.diagnosis.depth import GreatestDepth, greatest_depth
from equinoise.diagnosis.panels import diagnosis_html, diagnosis_text, plot_diagnosis
from equinoise.diagnosis.record import Advised, Findings, diagnosis_record
from equinoise.diagnosis.reduction_summary import cone_facts, equivariance_facts, symmetry_facts, symmetry_warnings
from equinoise.diagnosis.shots import Resources, resolved_rms, shots_per_gradient
from equinoise.diagnosis.verdict import Verdict, decide
from equinoise.engines.contract import Engine
from equinoise.engines.draws import FirstOrderDraw, check_scale, sampled_draws
from equinoise.engines.measured import MeasuredReadout
from equinoise.engines.select import Choice, choose_engine
from equinoise.errors import ParameterError
from equinoise.limits import MOST_SHOTS
from equinoise.problem import Problem
from equinoise.sampling import Sampling

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Diagnosis", "diagnose", "gradients_of"]

# further points of the survival curve, relative to the scale asked for
_CURVE = (0.5, 2.0, 4.0, 8.0)


class Diagnosis(Findings):
    """Everything equinoise says about a problem; its attributes are those of its findings, with units and intervals.

    Printed it is a short report; a notebook shows a table.
    """

    @property
    def record(self) -> Record:
        """All of it as plain data, together with what was asked; what is shown and stored is taken from here."""
        return diagnosis_record(self)

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON holds it; NaN and infinity become null, with a word beside them where they can occur."""
        return dict(self.record.data)

    def with_advice(self, found: Advised) -> Diagnosis:
        """The same diagnosis with what would help most before kappa's budget; the verdict cites the first.

        Args:
            found: Of :func:`equinoise.advise`, for the same problem and scale.

        Example:
            >>> import equinoise as eq
            >>> circuit = eq.circuits.brickwork(4, depth=3)
            >>> problem = eq.Problem(circuit, readout="Z1", initial="neel", noise="relaxation:0.02")
            >>> few = eq.Sampling(samples=4)
            >>> found = eq.diagnose(problem, sampling=few).with_advice(eq.advise(problem, sampling=few))
            >>> "What would help most" in found.verdict.reason
            True
        """
        advice = (*found.texts, *self.advice)
        reason = f"{self.verdict.reason}. What would help most: {advice[0]}"
        return replace(self, advice=advice, suggestions=found, verdict=replace(self.verdict, reason=reason))

    def __str__(self) -> str:
        return diagnosis_text(self.record)

    def __repr__(self) -> str:
        return f"Diagnosis({self.verdict.word!r}, survival={self.simulated.survival:.4g}, {self.problem!r})"

    def _repr_html_(self) -> str:
        return diagnosis_html(self.record)

    def plot(self) -> Figure:
        """Survival against noise scale, and kappa by qubit, as a matplotlib figure."""
        return plot_diagnosis(self.record)

    def to_dataframe(self) -> pd.DataFrame:
        """The budget of kappa as a pandas frame; see :meth:`equinoise.coherence.law_record.Law.to_dataframe`."""
        return self.law.to_dataframe()


def diagnose(
    problem: Problem,
    scale: float = 1.0,
    *,
    shots: int = 10_000,
    sampling: Sampling | None = None,
    relative_error: float | None = None,
    curve: bool = True,
    depth: bool = True,
    progress: Callable[[str, int, int], None] | None = None,
) -> Diagnosis:
    """Whether the gradients of a circuit survive its noise, why, and what would help most.

    Args:
        problem: The problem.
        scale: Noise scale s of the verdict (1 is the stated noise).
        shots: Per expectation value and measurement setting; the verdict asks whether they resolve the RMS gradient.
        sampling: Draws (128 by default; the greatest number where ``relative_error`` is given), ensemble and engine.
        relative_error: Stop as soon as kappa's standard error is at most this share of kappa.
        curve: Whether to simulate the survival at a few more scales.
        depth: Whether to search the greatest depth at which the gradient is resolved (some seconds).
        progress: Called with (stage, done, total).

    Raises:
        ParameterError: shots, scale, relative_error or the sampling does not fit.
        UnsupportedError: The engine asked for cannot serve (saying which does).
        MemoryLimitError: The cone is too large for any engine; :func:`equinoise.extrapolate` answers from fewer layers.

    Source:
        arXiv:2606.30688.

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.brickwork(6, depth=3)
        >>> problem = eq.Problem(circuit, readout="Z3", initial="neel", noise="relaxation:0.01")
        >>> eq.diagnose(problem, sampling=eq.Sampling(samples=16)).verdict.word
        'trainable'
    """
    s = check_scale(scale)
    if isinstance(shots, bool) or not 1 <= shots <= MOST_SHOTS:
        raise ParameterError(f"shots must be at least 1 and at most {MOST_SHOTS:.0e}, got {shots}.")
    sampling, precision = Sampling.of(sampling, samples=128), Precision(relative_error)
    thetas = sampling.draw(problem)
    scales = [s, *(f * s for f in _CURVE if curve and 0 < s < math.inf)]
    count = gradients_of(len(thetas), len(scales) - 1)
    choice = choose_engine(problem, sampling.engine, workers=sampling.workers, draws=count)
    chosen = choice.engine
    measured = MeasuredReadout(chosen, sampling.workers)
    tell = progress or _silent
    draws: list[DiagnosisDraw] = []
    first: list[FirstOrderDraw] = []
    for draw in sampled_draws(Sampler(chosen, measured, scales), thetas, sampling.seed, chosen.workers):
        draws.append(draw)
        first.append(draw.first)
        tell("draws", len(draws), len(thetas))
        if precision.reached(first):
            break
    averages = Averages.of(draws, chosen, scales)
    law = law_from_draws(chosen, sampling, thetas[: len(draws)], averages.first, averages.frozen, averages.known)
    threshold = resolved_rms(averages.shot_variance, shots, measured.shift_weight)
    factor = _readout_factor(averages)
    reached: GreatestDepth | None = None
    tell("depth", 0, 1)
    if depth:
        reached = greatest_depth(problem, threshold / max(factor, 1e-12), s, sampling)
    tell("depth", 1, 1)
    resources = _resources(averages, measured, law, shots, reached)
    few = () if sampling.given else few_draws_warning(len(draws))
    warnings = _warnings(chosen, measured, law, few)
    asked = sampling.plain() | {"relative_error": relative_error}
    return _diagnosis(problem, choice, averages, law, resources, asked, warnings)


def _silent(stage: str, done: int, total: int) -> None:
    del stage, done, total


def _diagnosis(
    problem: Problem,
    choice: Choice,
    averages: Averages,
    law: Law,
    resources: Resources,
    sampling: dict[str, Any],
    warnings: tuple[str, ...],
) -> Diagnosis:
    """The record, from what was sampled."""
    chosen, s = choice.engine, averages.scales[0]
    return Diagnosis(
        problem=problem,
        scale=s,
        equivariance=equivariance_facts(chosen),
        symmetry=symmetry_facts(chosen, law.fixed_point),
        light_cone=cone_facts(chosen),
        noiseless_rms=averages.rms("clean"),
        noiseless_interval=averages.rms_interval("clean"),
        noiseless_per_parameter=np.sqrt(averages.first.per_parameter[0]),
        law=law,
        simulated=averages.simulation(),
        curve=averages.curve(law),
        resources=resources,
        verdict=_verdict(averages, law, resources),
        advice=_advice(law, resources, s),
        suggestions=None,
        engine=chosen.name,
        engine_reason=f"{choice.reason}; {chosen.memory_bytes / 1e6:.3g} MB a draw, {chosen.workers} draws at once",
        samples=len(averages.columns),
        seed=law.seed,
        sampling=sampling,
        warnings=warnings,
    )


def _readout_factor(averages: Averages) -> float:
    """RMS gradient as read over that of the ideal readout."""
    ideal = averages.rms("noisy")
    return averages.rms("read") / ideal if ideal > 0 else 1.0


def _verdict(averages: Averages, law: Law, resources: Resources) -> Verdict:
    if averages.vanishes:
        return Verdict("shot-limited", "the gradient vanishes identically without noise: the readout sees no parameter")
    # noise that costs nothing has made nothing classical, whatever it could do elsewhere
    kind = law.fixed_point.kind if averages.simulation().survival < 1 - 1e-9 else "untouched"
    classical = averages.paired.ratio("frozen", "noisy").interval
    clean, read = averages.rms_interval("clean"), averages.rms_interval("read")
    return decide(clean, read, resources.resolved_rms, classical, kind, resources.shots)


def _resources(
    averages: Averages, measured: MeasuredReadout, law: Law, shots: int, depth: GreatestDepth | None
) -> Resources:
    variance, weight = averages.shot_variance, measured.shift_weight
    threshold, factor = resolved_rms(variance, shots, weight), _readout_factor(averages)
    largest = averages.rms("clean") * factor
    needed = threshold / largest if largest > 0 else math.inf
    return Resources(
        shots=shots,
        shot_variance=variance,
        settings=measured.settings,
        evaluations=measured.evaluations,
        shift_weight=weight,
        resolved_rms=threshold,
        readout_factor=factor,
        measured_rms=averages.rms("read"),
        shots_per_gradient=shots_per_gradient(variance, averages.rms("read"), weight),
        greatest_scale=scale_at_survival(needed, law.kappa, law.lasting_share, law.rate_variance),
        greatest_depth=depth,
    )


def _warnings(chosen: Engine, measured: MeasuredReadout, law: Law, few: tuple[str, ...]) -> tuple[str, ...]:
    """In the order of their weight, as a terminal shows the first few."""
    further = [note for note in law.approximations if note not in few]
    readout = (*measured.warnings, *measured.notes)
    return (*few, *readout, *symmetry_warnings(chosen), *further, *_doubts(law))


def gradients_of(samples: int, points: int = len(_CURVE)) -> int:
    """How many gradients a diagnosis takes, for the choice of an engine.

    Args:
        samples: Number of parameter draws.
        points: Further scales of the survival curve.
    """
    return (LAW_GRADIENTS + 1 + points) * samples


def _doubts(law: Law) -> tuple[str, ...]:
    if law.lasting_share < law.fixed_point_share - 1e-12:
        return (
            f"V(inf)/V(0) = {law.fixed_point_share:.3g} is no share of lasting modes: this noise resets qubits and "
            "hands gradient back at large scales; the law leaves it out and holds at small scales only",
        )
    return ()


def _advice(law: Law, resources: Resources, scale: float) -> tuple[str, ...]:
    """The costliest mechanism, qubit and layer by the law's budget, and what their removal would give back."""
    if law.variance == 0:
        return ("read what the parameters move: no shots and no better device give this readout a gradient",)
    total = sum(e.kappa for e in law.budget if e.kappa > 0)
    if law.kappa <= 1e-9 or total <= 0:
        return ("nothing to gain from less noise: to first order the gradient does not depend on it",)
    found: list[tuple[float, str]] = []
    for name in ("mechanism", "qubit", "layer"):
        sums = budget_sums(law.budget, name)
        worst = max(sums, key=lambda k: sums[k])
        # by the leading order, but never more than all noise takes
        most = 1 / max(float(law.survival(scale)), 1e-12)
        share, gain = sums[worst] / total, min(most, math.exp(min(50.0, sums[worst] * scale)))
        cost = f"{name} {worst} costs {100 * share:.0f} % of kappa"
        text = f"{cost}; without it the gradient would be {gain:.3g} times larger"
        found.append((share, text))
    factor = resources.readout_factor
    if factor < 0.98:
        found.append((1 - factor, f"readout errors scale the measured gradient by {factor:.3f}"))
    return tuple(text for _, text in sorted(found, key=lambda item: -item[0]))
