"""The diagnosis: does the gradient survive this noise, why, and what would help most."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from equinoise.coherence.law import Precision, law_from_draws
from equinoise.coherence.law_record import Law
from equinoise.coherence.quantity import Record
from equinoise.coherence.rates import budget_sums
from equinoise.coherence.resummed import scale_at_survival
from equinoise.coherence.sample import Interval, few_draws_warning
from equinoise.diagnosis.averages import Averages
from equinoise.diagnosis.compare import Comparison, compared
from equinoise.diagnosis.depth import GreatestDepth, greatest_depth
from equinoise.diagnosis.drawing import Drawing, draw_cost, gradients_of, until_decided
from equinoise.diagnosis.loss.loss_diagnosis import diagnose_loss
from equinoise.diagnosis.panels import diagnosis_html, plot_diagnosis
from equinoise.diagnosis.record import Advised, Findings, diagnosis_record
from equinoise.diagnosis.reduction_summary import cone_facts, equivariance_facts, symmetry_facts, symmetry_warnings
from equinoise.diagnosis.screen import first_screen
from equinoise.diagnosis.shots import Resources, resolved_rms, shots_per_gradient
from equinoise.diagnosis.stopping import PROCESSORS, Plan, Stopping, Watch, ends_of, stated
from equinoise.diagnosis.verdict import Verdict, decide
from equinoise.engines.contract import Engine
from equinoise.engines.draws import check_scale
from equinoise.engines.measured import MeasuredReadout
from equinoise.engines.select import Choice, choose, choose_engine
from equinoise.errors import ParameterError
from equinoise.limits import MOST_SHOTS
from equinoise.model.asked import also_of_models
from equinoise.problem import Problem
from equinoise.sampling import Sampling

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Diagnosis", "Interrupted", "diagnose"]

# further points of the survival curve, relative to the scale asked for
_CURVE = (0.5, 2.0, 4.0, 8.0)
# they are simulated unasked where so many draws take so many seconds on one processor
_USUAL, _MOMENT = 128, 6.0

Ends = Mapping[str, Interval]


class Diagnosis(Findings):
    """Everything equinoise says about a problem; its attributes are those of its findings, with units and intervals.

    Printed it is one screen; a notebook shows a table.
    """

    @property
    def record(self) -> Record:
        """All of it as plain data, together with what was asked; what is shown and stored is taken from here."""
        return diagnosis_record(self)

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON holds it; NaN and infinity become null, with a word beside them where they can occur."""
        return dict(self.record.data)

    def with_advice(self, found: Advised) -> Diagnosis:
        """The same diagnosis with what was found to help before kappa's budget.

        Args:
            found: Of :func:`equinoise.advise`, for the same problem and scale.

        Example:
            >>> import equinoise as eq
            >>> circuit = eq.circuits.brickwork(4, depth=3)
            >>> problem = eq.Problem(circuit, readout="Z1", initial="neel", noise="relaxation:0.02")
            >>> few = eq.Sampling(samples=4)
            >>> found = eq.diagnose(problem, sampling=few).with_advice(eq.advise(problem, sampling=few))
            >>> found.advice[0] == found.suggestions.texts[0]
            True
        """
        return replace(self, advice=(*found.texts, *self.advice), suggestions=found)

    def compare(self, other: Diagnosis) -> Comparison:
        """What differs between two diagnoses, in the question and in the answer, and whether it is more than sampling.

        Args:
            other: The other diagnosis.

        Example:
            >>> import equinoise as eq
            >>> problem = eq.Problem(eq.circuits.brickwork(4, depth=2), "Z1", initial="neel", noise="relaxation:0.02")
            >>> few = eq.Sampling(samples=16)
            >>> weak, strong = (eq.diagnose(problem, s, sampling=few, curve=False, depth=False) for s in (1, 2))
            >>> found = weak.compare(strong)
            >>> found.question
            (Asked(what='scale', one='1', other='2'),)
            >>> found["survival"].beyond_sampling
            True
        """
        return compared(self, other)

    def __str__(self) -> str:
        return "\n".join(first_screen(self.record))

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


@also_of_models(diagnose_loss)
def diagnose(
    problem: Problem,
    scale: float = 1.0,
    *,
    shots: int = 10_000,
    sampling: Sampling | None = None,
    relative_error: float | None = None,
    curve: bool | None = None,
    depth: bool = True,
    progress: Callable[[str, int, int], None] | None = None,
) -> Diagnosis:
    """Whether the gradients of a circuit survive its noise, why, and what would help most.

    Args:
        problem: The problem; of a model, see :func:`equinoise.diagnosis.loss.loss_diagnosis.diagnose_loss`.
        scale: Noise scale s of the verdict (1 is the stated noise).
        shots: Per expectation value and measurement setting; the verdict asks whether they resolve the RMS gradient.
        sampling: Draws, ensemble and engine. Without a number of samples draws come in growing batches until the
            verdict is decided at 98 % and the survival R known to 2 % (or ``precision``), within 15 ``seconds``; what
            is then still open is said. The engine is the one that gets there soonest.
        relative_error: Instead, stop as soon as kappa's standard error is at most this share of kappa (128 draws at
            most if none are stated).
        curve: Whether to simulate the survival at a few more scales; None for only where that takes a moment.
        depth: Whether to search the greatest depth at which the gradient is resolved (some seconds).
        progress: Called with (stage, done, total).

    Raises:
        ParameterError: shots, scale, relative_error or the sampling does not fit.
        UnsupportedError: The engine asked for cannot serve (saying which does).
        MemoryLimitError: The cone is too large for any engine; :func:`equinoise.extrapolate` answers from fewer layers.
        Interrupted: By Ctrl-C after the second draw, with the diagnosis of the draws so far.

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
    sampling, tell = Sampling.checked(sampling), progress or _silent
    if relative_error is not None and sampling.samples is None:
        sampling = Sampling.of(sampling, samples=_USUAL)  # kappa, and not the survival, says when to stop
    plan = Plan.of(sampling)
    if curve is None:
        curve = _curve_is_cheap(problem, sampling)
    scales = [s, *(f * s for f in _CURVE if curve and 0 < s < math.inf)]

    def start(choice: Choice) -> Drawing:
        return Drawing(problem, choice, sampling, scales, tell)

    def verdict_of(averages: Averages, ends: Ends) -> str:
        threshold = resolved_rms(averages.shot_variance, shots, drawn[0].measured.shift_weight)
        return _verdict(averages, ends, drawn[0].fixed_point_kind, threshold, shots).word

    drawn: list[Drawing] = []
    if plan.precision is None:
        drawing = _all_draws(start, problem, sampling, len(scales) - 1, relative_error)
        ends: Ends = ends_of(drawing.averages, 0.95)
        stopping = stated(drawing.averages)
    else:
        watch = Watch(plan, verdict_of)
        drawing, reason, open_ = until_decided(
            lambda choice: _last(drawn, start(choice)), problem, sampling, plan, len(scales) - 1, watch
        )
        ends, stopping = watch.ends, watch.stopping(drawing.averages, reason, open_)
    found = _found(drawing, ends, stopping, shots, relative_error, depth and not drawing.interrupted)
    if drawing.interrupted:
        raise Interrupted(found)
    return found


class Interrupted(KeyboardInterrupt):
    """The user stopped a diagnosis; what was found so far is there.

    Attributes:
        diagnosis: Of the draws so far.
    """

    def __init__(self, diagnosis: Diagnosis) -> None:
        super().__init__("the diagnosis was interrupted")
        self.diagnosis = diagnosis


def _last(drawn: list[Drawing], drawing: Drawing) -> Drawing:
    drawn[:] = [drawing]
    return drawing


def _curve_is_cheap(problem: Problem, sampling: Sampling) -> bool:
    """Whether the further points of the curve are simulated if nobody says; only declared times are asked."""
    engine = sampling.engine
    if engine == "auto":
        engine, _ = choose(problem, workers=PROCESSORS, draws=gradients_of(_USUAL, len(_CURVE)))
    return draw_cost(problem, engine, len(_CURVE)) * _USUAL <= _MOMENT


def _all_draws(
    start: Callable[[Choice], Drawing], problem: Problem, sampling: Sampling, points: int, relative_error: float | None
) -> Drawing:
    """All draws that are stated, or as many as kappa needs."""
    precision = Precision(relative_error)
    count = len(Sampling.of(sampling, samples=1).draw(problem))
    gradients = gradients_of(count, points)
    drawing = start(choose_engine(problem, sampling.engine, workers=sampling.workers, draws=gradients))
    drawing.to(count, count, lambda: precision.reached([draw.first for draw in drawing.draws]))
    return drawing


def _found(
    drawing: Drawing, ends: Ends, stopping: Stopping, shots: int, relative_error: float | None, depth: bool
) -> Diagnosis:
    """All that the draws say."""
    averages, measured, chosen = drawing.averages, drawing.measured, drawing.engine
    sampling, tell, s = drawing.sampling, drawing.tell, drawing.scales[0]
    law = law_from_draws(chosen, sampling, drawing.thetas, averages.first, averages.frozen, averages.known)
    threshold = resolved_rms(averages.shot_variance, shots, measured.shift_weight)
    factor = _readout_factor(averages)
    reached: GreatestDepth | None = None
    tell("depth", 0, 1)
    if depth:
        reached = greatest_depth(drawing.problem, threshold / max(factor, 1e-12), s, sampling)
    tell("depth", 1, 1)
    resources = _resources(averages, measured, law, shots, reached)
    few = () if sampling.given else few_draws_warning(len(drawing.draws))
    warnings = (*((stopping.text,) if stopping.open else ()), *_warnings(chosen, measured, law, few))
    asked = sampling.plain() | {"relative_error": relative_error}
    verdict = _verdict(averages, ends, law.fixed_point.kind, threshold, shots)
    return _diagnosis(drawing, law, resources, verdict, asked, stopping, warnings)


def _silent(stage: str, done: int, total: int) -> None:
    del stage, done, total


def _diagnosis(
    drawing: Drawing,
    law: Law,
    resources: Resources,
    verdict: Verdict,
    sampling: dict[str, Any],
    stopping: Stopping,
    warnings: tuple[str, ...],
) -> Diagnosis:
    """The record, from what was sampled."""
    chosen, averages, s = drawing.engine, drawing.averages, drawing.scales[0]
    return Diagnosis(
        problem=drawing.problem,
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
        verdict=verdict,
        advice=_advice(law, resources, s),
        suggestions=None,
        engine=chosen.name,
        engine_reason=f"{drawing.choice.reason}; {chosen.memory_bytes / 1e6:.3g} MB a draw, {chosen.workers} draws at "
        "once",
        samples=len(averages.columns),
        seed=law.seed,
        sampling=sampling,
        stopping=stopping,
        warnings=warnings,
        mechanisms=averages.mechanisms(chosen.program),
        draws=averages.draws,
    )


def _readout_factor(averages: Averages) -> float:
    """RMS gradient as read over that of the ideal readout."""
    ideal = averages.rms("noisy")
    return averages.rms("read") / ideal if ideal > 0 else 1.0


def _verdict(averages: Averages, ends: Ends, fixed_point: str, threshold: float, shots: int) -> Verdict:
    if averages.vanishes:
        return Verdict("shot-limited", "the gradient vanishes identically without noise: the readout sees no parameter")
    # noise that costs nothing has made nothing classical, whatever it could do elsewhere
    kind = fixed_point if averages.simulation().survival < 1 - 1e-9 else "untouched"
    return decide(ends["clean"], ends["read"], threshold, ends["classical"], kind, shots, ends["direction"])


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
        measured_interval=averages.rms_interval("read"),
        shots_per_gradient=shots_per_gradient(variance, averages.rms("read"), weight),
        greatest_scale=scale_at_survival(needed, law.kappa, law.lasting_share, law.rate_variance),
        greatest_depth=depth,
    )


def _warnings(chosen: Engine, measured: MeasuredReadout, law: Law, few: tuple[str, ...]) -> tuple[str, ...]:
    """In the order of their weight, as a terminal shows the first few."""
    further = [note for note in law.approximations if note not in few]
    readout = (*measured.warnings, *measured.notes)
    return (*few, *readout, *symmetry_warnings(chosen), *further, *_doubts(law))


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
    if not law.kappa_interval[0] > 0:
        return ("unknown what less noise would give: by these draws kappa may be 0",)
    found: list[tuple[float, str]] = []
    for name in ("mechanism", "qubit", "layer"):
        sums = budget_sums(law.budget, name)
        worst = max(sums, key=lambda k: sums[k])
        # by the leading order, but never more than all noise takes
        most = 1 / max(float(law.survival(scale)), 1e-12)
        share, gain = sums[worst] / total, min(most, math.exp(min(50.0, sums[worst] * scale)))
        place = {"mechanism": worst, "qubit": f"noise on qubit {worst}", "layer": f"noise in layer {worst}"}[name]
        text = f"without {place} ({100 * share:.0f} % of kappa) the gradient is {gain:.3g} x as large"
        found.append((share, text))
    factor = resources.readout_factor
    if factor < 0.98:
        found.append((1 - factor, f"readout errors scale the measured gradient by {factor:.3f}"))
    return tuple(text for _, text in sorted(found, key=lambda item: -item[0]))
