"""Designs and placements ranked by the gradient that survives per unit of shots."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from qiskit import QuantumCircuit

from equinoise.coherence.resummed import leading_order_survival
from equinoise.design.design_space import FAMILIES, DesignSpace
from equinoise.design.layout_search import best_layouts, qiskit_layout
from equinoise.design.ranking import Design, Gain, LeftOut, RankedDesign, Ranking
from equinoise.design.sensitivity import Sensitivities
from equinoise.design.signal import Signal, compare, paired_ratios
from equinoise.engines.draws import check_scale
from equinoise.errors import (
    DeviceError,
    MemoryLimitError,
    NoiseError,
    ParameterError,
    SourceError,
    UnsupportedError,
)
from equinoise.noise.model import NoiseModel
from equinoise.problem import Problem
from equinoise.sampling import Sampling

__all__ = ["rank"]

# what is true of one design alone; anything else is a mistake in the task
_OWN_FAILURES = (DeviceError, MemoryLimitError, SourceError, UnsupportedError)


def rank(
    space: DesignSpace,
    noise: str | NoiseModel | Sequence[str | NoiseModel],
    scale: float = 1.0,
    *,
    sampling: Sampling | None = None,
    first_samples: int = 16,
    layout_search: bool = True,
    progress: Callable[[str, int, int], None] | None = None,
) -> Ranking:
    """Ranks designs and placements by the gradient that survives per unit of shots.

    score = sqrt(V(s)/K) / sqrt(w Var(O)), V with noise and assignment errors, K the parameters in the light cone: the
    signal-to-noise ratio of the RMS gradient from one shot per evaluation and measurement setting, w the mean weight of
    the shift rules. All designs get ``first_samples`` draws. As
    long as some do not differ significantly from the best, these and the best get twice as many, up to ``samples``.

    Args:
        space: The designs.
        noise: One or several, each a world of its own: what ``NoiseModel.from_string`` reads ("ibm:torino",
            "dephasing:0.01") or a ``NoiseModel``.
        scale: Noise scale s.
        sampling: Greatest number of draws of one design (128 by default), engine and ensemble: "uniform" or
            "normal:WIDTH", as designs differ in their parameters.
        first_samples: Draws of every design, and of the layout search.
        layout_search: Whether a layout is searched on devices (:func:`equinoise.design.layout_search.best_layouts`)
            beside the one that Qiskit chooses.
        progress: Called with (stage, done, total).

    Raises:
        ParameterError: The sampling does not fit.
        EquinoiseError: A malformed readout or noise.

    Example:
        >>> import equinoise as eq
        >>> space = eq.DesignSpace(4, "Z1", family="ladder", depth=3)
        >>> found = eq.rank(space, ["dephasing:0.01", "dephasing:0.5"], sampling=eq.Sampling(samples=8))
        >>> [one.design.noise for one in found.designs], found.left_out
        (['dephasing:0.01', 'dephasing:0.5'], ())
    """
    worlds = [noise] if isinstance(noise, str | NoiseModel) else list(noise)
    s = check_scale(scale)
    sampling = Sampling.of(sampling, samples=128)
    _check_draws(sampling, first_samples, len(worlds))
    models = [m if isinstance(m, NoiseModel) else NoiseModel.from_string(m) for m in worlds]
    tick = progress if progress is not None else _silent
    few = replace(sampling, samples=min(first_samples, sampling.count))
    search = _Search(s, replace(few, engine="auto")) if layout_search else None

    left_out: list[LeftOut] = []
    bare = space.designs()
    placed: list[tuple[Design, Signal]] = []
    for number, design in enumerate(bare):
        tick("placing designs", number, len(bare))
        for one, found in _placed(design, models, space, search):
            if isinstance(found, str):
                left_out.append(LeftOut(one, found))
            else:
                circuit, acting = found
                build = partial(Problem, circuit, design.readout, initial=space.initial, noise=acting)
                placed.append((one, Signal(build, s, sampling)))
    kept = _sampled(placed, few.count, tick, left_out)
    _refine([signal for _, signal in kept], tick)
    designs = _ranked(kept)
    return Ranking(
        designs=designs,
        left_out=tuple(left_out),
        gains=_gains(designs, dict(kept), s),
        initial=space.initial,
        charge=space.charge or 0,
        max_parameters=space.max_parameters,
        scale=s,
        samples=sampling.count,
        first_samples=few.count,
        seed=sampling.seed,
        ensemble=sampling.ensemble.describe(),
    )


@dataclass(frozen=True)
class _Search:
    """What a layout search is asked with; its engine is its own choice."""

    scale: float
    sampling: Sampling


def _sampled(
    placed: Sequence[tuple[Design, Signal]],
    few: int,
    tick: Callable[[str, int, int], None],
    left_out: list[LeftOut],
) -> list[tuple[Design, Signal]]:
    """The first draws of each design; those that cannot be simulated go to what was left out."""
    kept: list[tuple[Design, Signal]] = []
    for number, (design, signal) in enumerate(placed):
        tick("sampling designs", number, len(placed))
        try:
            signal.extend(few)
            kept.append((design, signal))
        except _OWN_FAILURES as error:
            left_out.append(LeftOut(design, str(error)))
    return kept


def _silent(stage: str, done: int, total: int) -> None:
    del stage, done, total


def _check_draws(sampling: Sampling, first_samples: int, worlds: int) -> None:
    if not worlds:
        raise ParameterError("rank needs at least one noise.")
    sampling.draws_only("designs differ in their parameters")
    if sampling.count < 2 or first_samples < 2:
        raise ParameterError(
            f"samples and first_samples must be at least 2 for an interval, got {sampling.count} and {first_samples}."
        )


def _placed(
    design: Design, models: Sequence[NoiseModel], space: DesignSpace, search: _Search | None
) -> Iterable[tuple[Design, str | tuple[QuantumCircuit, NoiseModel]]]:
    """The design under each noise and in each place: circuit and placed noise, or why not."""
    try:
        circuit = FAMILIES[design.family](design.num_qubits, design.depth, interaction=design.interaction)
    except SourceError as error:
        yield from ((replace(design, noise=model.name), str(error)) for model in models)
        return
    bare = Problem(circuit, design.readout, initial=space.initial)  # a malformed readout is the task's mistake
    if space.max_parameters is not None and circuit.num_parameters > space.max_parameters:
        reason = f"{circuit.num_parameters} parameters are above the budget of {space.max_parameters}"
        yield from ((replace(design, noise=model.name), reason) for model in models)
        return
    known: Sensitivities | None = None
    for model in models:
        here = replace(design, noise=model.name)
        calibration = model.calibration
        try:
            if calibration is None:
                yield here, (circuit, model)
                continue
            if calibration.layout is not None:
                choices = {"given": calibration.layout}
            elif search is None:
                choices = {"qiskit": qiskit_layout(bare, calibration)}
            else:
                alone = NoiseModel(calibration=calibration, name=model.name)
                found = best_layouts(bare, alone, count=1, scale=search.scale, sampling=search.sampling, known=known)
                known = found.sensitivities
                choices = {"searched": found.best[0].layout}
                if found.default is None:
                    yield replace(here, placement="qiskit"), "; ".join(found.notes)
                elif found.default.layout == found.best[0].layout:
                    choices = {"both": found.default.layout}
                else:
                    choices["qiskit"] = found.default.layout
            for name, layout in choices.items():
                whole = replace(model, calibration=replace(calibration, layout=layout))
                noise = bare.with_noise(whole).noise
                yield replace(here, placement=name, layout=layout), (circuit, noise)
        except (*_OWN_FAILURES, NoiseError) as error:
            yield here, str(error)


def _refine(signals: Sequence[Signal], tick: Callable[[str, int, int], None]) -> None:
    """More draws for the best and for those not significantly worse, until there are none or all have the most."""
    while signals:
        leader = max(signals, key=lambda one: one.score)
        rivals = []
        for one in signals:
            found = compare(one, leader)
            if one is not leader and not found.told_apart and not found.same:
                rivals.append(one)
        short = [one for one in (leader, *rivals) if one.count < one.sampling.count]
        if not rivals or not short:
            return
        for number, one in enumerate(short):
            tick(f"refining the {len(short)} best", number, len(short))
            one.extend(min(one.sampling.count, 2 * one.count))


def _ranked(found: Sequence[tuple[Design, Signal]]) -> tuple[RankedDesign, ...]:
    """Best first, each in the group of the first leader from which it does not differ significantly."""
    leaders: list[Signal] = []
    out = []
    for place, (design, signal) in enumerate(sorted(found, key=lambda pair: -pair[1].score), start=1):
        verdicts = [compare(signal, leader) for leader in leaders]
        group = next((i for i, verdict in enumerate(verdicts) if not verdict.told_apart), len(leaders))
        if group == len(leaders):
            leaders.append(signal)
        score, (low, high) = signal.score, signal.interval
        kappa, error = signal.kappa
        out.append(
            RankedDesign(
                place=place,
                group=group + 1,
                leads=group == len(verdicts),
                against_leader=verdicts[group].interval if group < len(verdicts) else (0.0, 0.0),
                design=design,
                parameters=signal.circuit_parameters,
                cone_parameters=signal.parameters,
                cone_width=signal.width,
                noiseless_rms=signal.noiseless_rms,
                survival=signal.survival,
                survival_interval=signal.survival_interval,
                readout_factor=signal.readout_factor,
                rms=signal.rms,
                shot_variance=signal.shot_variance,
                score=score,
                interval=(low, high),
                shots=_shots(score),
                shots_interval=(_shots(high), _shots(low)),
                kappa=kappa,
                kappa_error=error,
                samples=signal.count,
                engine=signal.engine,
            )
        )
    return tuple(out)


def _shots(score: float) -> float:
    return 1 / score**2 if score > 0 else math.inf


def _gains(designs: Sequence[RankedDesign], signals: dict[Design, Signal], scale: float) -> tuple[Gain, ...]:
    by_design = {one.design: one for one in designs}
    out = []
    for one in designs:
        if one.design.placement != "searched":
            continue
        other = next(
            (
                b
                for d, b in by_design.items()
                if replace(d, placement="searched", layout=one.design.layout) == one.design and d.placement == "qiskit"
            ),
            None,
        )
        if other is None:
            continue
        ratio, interval, shots = paired_ratios(signals[one.design], signals[other.design])
        law = [float(leading_order_survival(scale, each.kappa)) * each.readout_factor for each in (one, other)]
        out.append(Gain(one.place, other.place, ratio, interval, law[0] / law[1], shots))
    return tuple(out)
