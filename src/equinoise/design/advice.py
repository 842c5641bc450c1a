"""What would help a circuit on its device most, by what each change gains in surviving gradient per shot."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.coherence.rates import BudgetEntry
from equinoise.coherence.resummed import leading_order_survival
from equinoise.coherence.sample import Interval, PairedDraws
from equinoise.design.changes import (
    Change,
    better_calibration,
    elsewhere_read,
    fewer_layers,
    needed_parameters,
    other_layout,
    pulses_on_idle_qubits,
    whole_register,
)
from equinoise.design.sensitivity import first_order_budget, readout_factor
from equinoise.design.signal import Signal, compare
from equinoise.engines.contract import memory_limit
from equinoise.engines.draws import check_scale, draw_generator, parallel_draws, sampled_draws
from equinoise.engines.measured import MeasuredReadout
from equinoise.engines.select import declarations, select_engine
from equinoise.errors import EquinoiseError, ParameterError, UnsupportedError
from equinoise.problem import Problem
from equinoise.reduction.program import compile_problem
from equinoise.reduction.shift_rules import gradient_rounding, shift_evaluations
from equinoise.reduction.symmetric_program import SymmetricProgram, compiled
from equinoise.sampling import Sampling

__all__ = ["Advice", "Suggestion", "advise"]

Real = npt.NDArray[np.float64]
Progress = Callable[[str, int, int], None]

SCHEMA = "equinoise.advice/1"
# changes are simulated, the most promising first, while they are estimated to take this many seconds on one processor
_AFFORDABLE = 60.0
_READOUTS = 12
# changes after which another function of the parameters is learned
_OTHER_MODEL = ("depth", "readout")
_ANOTHER = "another model: "
_GROUPS = 3
# gains closer to 1 than this are none
_NOTHING = 5e-3
_SIMULATING = ("exact", "free-fermion", "commutant", "permutation", "trajectories")
# gradients that one draw of a simulation takes: without noise, with it, and as read
_SWEEPS = 3
# the same for a verified draw, with the power series of its law and its plain twin's
_VERIFIED_SWEEPS = 20
# trajectories that one draw takes for an unbiased square
_PAIR = 2


@dataclass(frozen=True)
class Suggestion:
    """One change and what it gains.

    Attributes:
        kind: "readout", "layout", "depth", "verification", "decoupling", "calibration" or "shots".
        change: What to do, in words.
        predicted: Factor in the signal-to-noise ratio of the gradient per shot, by the law (or what replaces it).
        simulated: The same from noisy simulation of both; None where it was not affordable.
        interval: 95 % interval of ``simulated``, over paired draws.
        cost: What it costs besides; empty if nothing.
        note: How it was found, or why it was not simulated.
    """

    kind: str
    change: str
    predicted: float
    simulated: float | None
    interval: Interval
    cost: str
    note: str

    @property
    def gain(self) -> float:
        """Simulated where there is a simulation, else predicted; above 1 it helps."""
        return self.predicted if self.simulated is None else self.simulated

    @property
    def shots(self) -> float:
        """Factor in the shots that the same signal-to-noise ratio takes: 1/gain^2."""
        return 1 / self.gain**2 if self.gain > 0 else math.inf

    @property
    def same_model(self) -> bool:
        """Whether the circuit still computes the same function of its parameters: it is run better, not replaced."""
        return self.kind not in _OTHER_MODEL

    @property
    def text(self) -> str:
        """In one line."""
        how = "predicted" if self.simulated is None else "simulated"
        gain = f"{self.gain:.3f}" if self.gain < 2 else f"{self.gain:.3g}"
        cost = f"; it costs {self.cost}" if self.cost else ""
        return f"{self.change}: gradient per shot {gain} times as large ({how}), {self.shots:.2g} of the shots{cost}"


@dataclass(frozen=True)
class Advice:
    """What would help, most first.

    Attributes:
        suggestions: Changes that help, by gain.
        useless: Changes that were looked at and do not help, or that lose.
        left_out: (kind, reason) of what could not be looked at.
        scale: Noise scale s.
        baseline: Signal-to-noise ratio of one shot as things are.
        samples: Draws of the simulations.
        seed: Of the draws.
        ensemble: In words.
        engine: Of the problem as it is.
    """

    suggestions: tuple[Suggestion, ...]
    useless: tuple[Suggestion, ...]
    left_out: tuple[tuple[str, str], ...]
    scale: float
    baseline: float
    samples: int
    seed: int
    ensemble: str
    engine: str

    @property
    def texts(self) -> tuple[str, ...]:
        """The suggestions in words, most helpful first: those that keep the model, then those that make another."""
        same, other = ([one.text for one in self.suggestions if one.same_model is kept] for kept in (True, False))
        return (*same, *(f"{_ANOTHER}{text}" for text in other))

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data for JSON."""
        return {
            "schema": SCHEMA,
            "suggestions": [_plain(one) for one in self.suggestions],
            "useless": [_plain(one) for one in self.useless],
            "left_out": [{"kind": kind, "reason": reason} for kind, reason in self.left_out],
            "scale": _finite(self.scale),
            "baseline": _finite(self.baseline),
            "samples": self.samples,
            "seed": self.seed,
            "ensemble": self.ensemble,
            "engine": self.engine,
        }


def _plain(one: Suggestion) -> dict[str, Any]:
    out = asdict(one) | {"same_model": one.same_model, "gain": _finite(one.gain), "shots": _finite(one.shots)}
    out |= {name: None if out[name] is None else _finite(out[name]) for name in ("predicted", "simulated")}
    out["interval"] = [_finite(bound) for bound in one.interval]
    return out


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@dataclass
class _Findings:
    """Suggestions and what was left out, as they come."""

    suggestions: list[Suggestion] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


def advise(
    problem: Problem,
    scale: float = 1.0,
    *,
    sampling: Sampling | None = None,
    first_samples: int = 8,
    progress: Progress | None = None,
) -> Advice:
    """Ranks what would help this circuit on this device most, by the gain in surviving gradient per shot.

    The measure is the signal-to-noise ratio of the RMS gradient from one shot, sqrt(V_read(s)/K)/sqrt(w Var(O)), w the
    mean weight of the shift rules, times sqrt(kept fraction) under post-selection. Each change is first predicted by
    the law (noiseless gradient, kappa, readout errors), then simulated with the problem itself on the same draws where
    that is affordable.

    Looked at: the readout on other qubits; the layout, on a device; fewer layers, where they repeat; symmetry
    verification; dynamical decoupling, where noise is correlated in time; half the rate of the costliest mechanisms on
    one qubit or pair; shots on those parameters alone that hold 99 % of the squared gradient.

    Args:
        problem: The problem.
        scale: Noise scale s.
        sampling: Draws of the simulations (32 by default) and ensemble, "uniform" or "normal:WIDTH"; each change takes
            the engine that suits it.
        first_samples: Draws of the predictions.
        progress: Called with (stage, done, total).

    Raises:
        ParameterError: The sampling, first_samples or scale does not fit, or the circuit has no parameters.
        UnsupportedError: An engine is asked for by name.
        EquinoiseError: No engine serves the problem as it is.

    Source:
        arXiv:2606.30688 for the law; arXiv:2107.12390 for the shift rules.

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.brickwork(6, depth=4)
        >>> problem = eq.Problem(circuit, readout="Z3", initial="neel", noise="relaxation:0.02")
        >>> advice = eq.advise(problem, sampling=eq.Sampling(samples=8), first_samples=4)
        >>> advice.suggestions[0].gain > 1
        True
    """
    s = check_scale(scale)
    sampling = Sampling.of(sampling, samples=32)
    _check(problem, sampling, first_samples)
    tick = progress or _silent

    def signal(build: Callable[[], Problem]) -> Signal:
        out = Signal(build, s, sampling, with_kappa=False)
        out.extend(sampling.count)
        return out

    tick("simulating the circuit as it is", 0, 1)
    base = signal(lambda: problem)
    found = _Findings()
    draws = _FirstDraws(replace(sampling, samples=min(first_samples, sampling.count)), s)
    predicted = _predicted(problem, draws, found, tick)
    room = _AFFORDABLE
    for gain, other in _best_of_each(predicted):
        tick(f"simulating: {other.change}", 0, 1)
        seconds = _seconds(other.build(), sampling.count) if gain > 1 + _NOTHING else 0.0
        room -= seconds if seconds <= room else 0.0
        found.suggestions.append(_looked_at(other, gain, base, signal, seconds <= room))
    tick("looking at symmetry verification", 0, 1)
    try:
        found.suggestions.append(_verified(problem, sampling, s, room))
    except EquinoiseError as error:
        found.left_out.append(("verification", str(error)))
    shots = _fewer_shots(problem, sampling, s)
    if shots is not None:
        found.suggestions.append(shots)
    ordered = sorted(found.suggestions, key=lambda one: -one.gain)
    return Advice(
        suggestions=tuple(one for one in ordered if one.gain > 1 + _NOTHING),
        useless=tuple(one for one in ordered if one.gain <= 1 + _NOTHING),
        left_out=tuple(found.left_out),
        scale=s,
        baseline=base.score,
        samples=sampling.count,
        seed=sampling.seed,
        ensemble=sampling.ensemble.describe(),
        engine=base.engine,
    )


def _check(problem: Problem, sampling: Sampling, first_samples: int) -> None:
    sampling.draws_only("changed circuits have other parameters")
    sampling.check_engine("advise")
    if min(sampling.count, first_samples) < 2:
        raise ParameterError(f"samples and first_samples must be at least 2, got {sampling.count} and {first_samples}.")
    if not problem.parameters:
        raise ParameterError("the circuit has no parameters, so that it has no gradient to improve.")


def _predicted(problem: Problem, draws: _FirstDraws, found: _Findings, tick: Progress) -> list[tuple[float, Change]]:
    """All changes with the gain that the law predicts; those that cannot be looked at go to what was left out."""
    here, budget = draws.score(problem)
    if not here > 0:
        found.left_out.append(("everything", "the gradient vanishes even without noise: there is nothing to gain on"))
        return []
    predicted: list[tuple[float, Change]] = []
    for number, other in enumerate(_changes(problem, budget, found, tick, draws)):
        tick("predicting changes", number, 0)
        try:
            if (left := _left_of_symmetry(other.build())) != _left_of_symmetry(problem):
                found.left_out.append((other.kind, f"{other.change}: leaves {left} of {problem.symmetry}"))
                continue
            gain = draws.score(other.build())[0] / here if other.predicted is None else other.predicted
            predicted.append((gain, other))
        except EquinoiseError as error:
            found.left_out.append((other.kind, f"{other.change}: {error}"))
    return predicted


def _left_of_symmetry(problem: Problem) -> str:
    """What the noise keeps of another symmetry than the charge; a change that leaves less of it is another problem."""
    program = compiled(problem)
    return str(program.symmetry) if isinstance(program, SymmetricProgram) else "nothing"


def _silent(stage: str, done: int, total: int) -> None:
    del stage, done, total


@dataclass(frozen=True)
class _FirstDraws:
    """A few draws without noise that say, by the law, what a circuit's gradient per shot would be."""

    sampling: Sampling
    scale: float

    def score(self, problem: Problem) -> tuple[float, tuple[BudgetEntry, ...]]:
        """sqrt(V(0)/K) exp(-s kappa) x readout factor / sqrt(w Var(O)) of one shot, and kappa's budget."""
        served = {d.engine for d in declarations(problem) if d.serves}
        workers = self.sampling.workers
        engine = select_engine(problem, "state-vector" if "state-vector" in served else "auto", workers=workers)
        thetas = self.sampling.draw(problem)
        measured = MeasuredReadout(engine, workers)

        def one(number: int) -> tuple[float, Real, float]:
            rng = draw_generator(self.sampling.seed, number)
            square, slopes = first_order_budget(engine, thetas[number], rng)
            return square, slopes, measured.variance(thetas[number], 0.0, int(rng.integers(2**63)))

        found = list(parallel_draws(one, range(len(thetas)), engine.workers))
        square = np.array([row[0] for row in found])
        slopes = np.stack([row[1] for row in found])
        total, variance = float(square.mean()), float(np.mean([row[2] for row in found]))
        if total <= np.sum(gradient_rounding(engine.program) ** 2):
            return 0.0, ()
        parts = [PairedDraws({"part": p, "square": square}).ratio("part", "square", factor=-1.0) for p in slopes.T]
        budget = tuple(
            BudgetEntry(t.layer, t.qubits, t.mechanism, part.value, part.error)
            for t, part in zip(engine.program.budget_terms, parts, strict=True)
        )
        noise = measured.shift_weight * max(1, len(engine.program.parameters)) * max(variance, 1e-300)
        factor = readout_factor(problem.readout, problem.noise.readout_error)
        left = leading_order_survival(self.scale, sum(part.value for part in parts))
        score = math.sqrt(total / noise) * float(left) * factor
        return score, budget


def _changes(
    problem: Problem, budget: tuple[BudgetEntry, ...], found: _Findings, tick: Progress, draws: _FirstDraws
) -> Iterable[Change]:
    """All changes that make another problem."""
    yield from better_calibration(problem, budget, draws.scale, _GROUPS)
    shorter = list(fewer_layers(problem))
    if not shorter:
        found.left_out.append(("depth", "the layers do not repeat, or there is one repetition only"))
    yield from shorter
    yield from elsewhere_read(problem, _READOUTS)
    pulses, reason = pulses_on_idle_qubits(problem)
    if pulses is None:
        found.left_out.append(("decoupling", reason))
    else:
        yield pulses
    tick("searching layouts", 0, 1)
    engine = "auto" if problem.breaking else "state-vector"
    layout, reason = other_layout(problem, draws.scale, replace(draws.sampling, engine=engine))
    if layout is None:
        found.left_out.append(("layout", reason))
    else:
        yield layout


def _seconds(problem: Problem, samples: int) -> float:
    """Estimate for simulating a problem, exactly if an engine can, on one processor; infinity where none serves."""
    serving = [d for d in declarations(problem) if d.serves and d.engine in _SIMULATING]
    exact = [d.seconds for d in serving if d.error == "none"]
    return _SWEEPS * min(exact or [_PAIR * d.seconds for d in serving], default=math.inf) * samples


def _looked_at(
    other: Change, predicted: float, base: Signal, signal: Callable[[Callable[[], Problem]], Signal], affordable: bool
) -> Suggestion:
    """The change as a suggestion, simulated if it promises something and that is affordable."""

    def suggestion(simulated: float | None, interval: Interval, note: str) -> Suggestion:
        return Suggestion(other.kind, other.change, predicted, simulated, interval, other.cost, note)

    unknown = (math.nan, math.nan)
    if predicted <= 1 + _NOTHING:
        return suggestion(None, unknown, "not simulated: the law predicts no gain")
    if not affordable:
        return suggestion(None, unknown, "not simulated: it would take too long")
    changed = signal(other.build)
    found = compare(changed, base)
    if not math.isfinite(found.difference):
        return suggestion(None, unknown, "not simulated: no gradient to compare with")
    low, high = (math.exp(min(bound, 700.0)) for bound in found.interval)
    note = f"{changed.count} draws, engine {changed.engine}"
    return suggestion(math.exp(found.difference), (low, high), note)


def _verified(problem: Problem, sampling: Sampling, scale: float, left: float) -> Suggestion:
    """Post-selection on the charge of all qubits, at the price of the shots thrown away."""
    from equinoise.mitigation.verification.post_selection import (
        keeps_charge,  # not at import: mitigation loads Qiskit's transpiler
    )
    from equinoise.mitigation.verification.verified_law import verified_law

    if not problem.by_charge:
        raise UnsupportedError(f"post-selection keeps a sector of the charge; the symmetry here is {problem.symmetry}")
    if not keeps_charge(problem):
        # before any engine is asked: most of them build tables that a large register has no room for
        whole = whole_register(problem)
        fits = 16 * compile_problem(whole).numbers < memory_limit()
        seconds = _seconds(whole, sampling.count) * _VERIFIED_SWEEPS / _SWEEPS if fits else math.inf
        if seconds > left:
            raise UnsupportedError(
                f"post-selection sees all {problem.num_qubits} qubits, "
                + (f"about {seconds:.2g} s of simulation" if math.isfinite(seconds) else "and no engine holds them")
            )
    found = verified_law(problem, scale, sampling=sampling)
    low, high = (math.sqrt(max(0.0, bound)) for bound in found.gain_interval)
    gain = math.sqrt(max(0.0, found.gain))
    law = [float(one.predicted(scale)) / max(one.survival, 1e-300) for one in (found.verified, found.plain)]
    note = f"{found.samples} draws, engine {found.verified.engine}" if found.changes else "; ".join(found.notes[:1])
    return Suggestion(
        "verification",
        f"keep only shots of charge {found.charge} ({100 * found.kept:.3g} % of them)",
        gain * law[0] / max(law[1], 1e-300),
        gain,
        (low, high),
        "all qubits measured in every shot",
        note,
    )


def _best_of_each(found: list[tuple[float, Change]]) -> list[tuple[float, Change]]:
    """Of readouts, depths and layouts only the best, every better qubit or gate, pulses; the most promising first."""
    ordered = sorted(found, key=lambda pair: -pair[0])
    first = {other.kind: other for _, other in reversed(ordered)}
    return [(gain, one) for gain, one in ordered if one.kind == "calibration" or first[one.kind] is one]


def _fewer_shots(problem: Problem, sampling: Sampling, scale: float) -> Suggestion | None:
    """Shots on those parameters alone that hold nearly all of the squared gradient.

    A budget of shots spread over E' of E evaluations gives each E/E' times as many: the signal-to-noise ratio grows by
    sqrt(share E/E').
    """
    engine = select_engine(problem, workers=sampling.workers, draws=2 * sampling.count)
    draws = sampled_draws(
        lambda theta, rng: engine.noisy(theta, [scale], rng)[0].gradient_square,
        sampling.draw(problem),
        sampling.seed,
        engine.workers,
    )
    squares: Real = np.maximum(np.mean(list(draws), axis=0), 0.0)
    total, count = len(problem.parameters), len(compiled(problem).parameters)
    worth, share = needed_parameters(squares)
    needed = int(worth.sum())
    if needed == total:
        return None
    # every gate of the circuit is shifted by who does not know the light cone
    evaluations = shift_evaluations(problem)
    change = f"no shots on {total - needed} of {total} parameters"
    held = f"{needed} hold {100 * share:.3g} % of the squared gradient"
    note = f"{held}; {total - count} lie outside the light cone" if total > count else held
    gain = math.sqrt(share * evaluations.sum() / evaluations[worth].sum())
    return Suggestion("shots", change, gain, gain, (gain, gain), "", note)
