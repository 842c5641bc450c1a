"""Designs and placements ranked by the gradient that survives per unit of shots."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, cast, get_args

from qiskit import QuantumCircuit

from equinoise.circuit.builders import all_to_all, brickwork, ladder, ring
from equinoise.design.layout_search import best_layouts, qiskit_layout
from equinoise.design.ranking import Design, Gain, LeftOut, RankedDesign, Ranking
from equinoise.design.sensitivity import Sensitivities
from equinoise.design.signal import Signal, compare, paired_ratios
from equinoise.engines.draws import check_scale
from equinoise.ensemble import Ensemble
from equinoise.errors import (
    DeviceError,
    MemoryLimitError,
    NoiseError,
    ParameterError,
    SourceError,
    StateError,
    UnsupportedError,
)
from equinoise.limits import check_gates, check_qubits
from equinoise.noise.model import NoiseModel
from equinoise.problem import Problem

__all__ = ["FAMILIES", "INTERACTIONS", "rank", "spread_input"]

Interaction = Literal["rzz", "cphase", "none"]

FAMILIES: dict[str, Callable[..., QuantumCircuit]] = {
    "brickwork": brickwork,
    "ladder": ladder,
    "ring": ring,
    "all-to-all": all_to_all,
}
INTERACTIONS = cast(tuple[Interaction, ...], get_args(Interaction))
# what is true of one design alone; anything else is a mistake in the task
_OWN_FAILURES = (DeviceError, MemoryLimitError, SourceError, UnsupportedError)


def spread_input(num_qubits: int, charge: int) -> str:
    """The bitstring of a charge, its excitations spread evenly: on the qubits ceil(i n / q); qubit 0 rightmost.

    Args:
        num_qubits: n.
        charge: q in 0..n.

    Raises:
        StateError: A charge outside 0..n.

    Example:
        >>> spread_input(6, 3), spread_input(8, 2)
        ('010101', '00010001')
    """
    if not 0 <= charge <= num_qubits:
        raise StateError(f"charge must lie in 0..{num_qubits}, got {charge}.")
    filled = {-(-i * num_qubits // charge) for i in range(charge)}
    return "".join("1" if q in filled else "0" for q in reversed(range(num_qubits)))


def rank(
    num_qubits: int,
    readouts: str | Sequence[str],
    noises: str | NoiseModel | Sequence[str | NoiseModel],
    *,
    charge: int | None = None,
    max_parameters: int | None = None,
    families: Sequence[str] = tuple(FAMILIES),
    interactions: Sequence[str] = ("rzz",),
    depths: Sequence[int] = (2, 4, 6),
    search_layouts: bool = True,
    scale: float = 1.0,
    samples: int = 128,
    first_samples: int = 16,
    seed: int = 0,
    ensemble: Any = None,
    engine: str = "auto",
    workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Ranking:
    """Ranks designs and placements by the gradient that survives per unit of shots.

    score = sqrt(V(s)/K) / sqrt(w Var(O)), V with noise and assignment errors, K the parameters in the light cone: the
    signal-to-noise ratio of the RMS gradient from one shot per evaluation and measurement setting, w the mean weight of
    the shift rules. All designs get ``first_samples`` draws. As
    long as some do not differ significantly from the best, these and the best get twice as many, up to ``samples``.

    Args:
        num_qubits: n.
        readouts: One label or several; each is a candidate of its own.
        noises: One or several, each a world of its own: what ``NoiseModel.from_string`` reads ("ibm:torino",
            "dephasing:0.01") or a ``NoiseModel``.
        charge: Of the input, spread evenly; by default half of n, rounded up (Néel).
        max_parameters: Circuits with more are left out.
        families: Some of "brickwork", "ladder", "ring", "all-to-all".
        interactions: Some of "rzz", "cphase", "none".
        depths: Numbers of layers.
        search_layouts: Whether a layout is searched on devices (:func:`equinoise.design.layout_search.best_layouts`)
            beside the one that Qiskit chooses.
        scale: Noise scale s.
        samples: Greatest number of draws of one design.
        first_samples: Draws of every design, and of the layout search.
        seed: Of the draws.
        ensemble: As in :func:`equinoise.gradient_variance`, but for given values: designs differ in their parameters.
        engine: "auto" or an engine's name.
        workers: Draws run at once; all processors by default.
        progress: Called with (stage, done, total).

    Raises:
        ParameterError: A size, family or interaction that does not fit.
        EquinoiseError: A malformed readout, noise, charge or ensemble.

    Example:
        >>> from equinoise.design.rank import rank
        >>> found = rank(4, "Z1", ["dephasing:0.01", "dephasing:0.5"], families=["ladder"], depths=[3], samples=8)
        >>> [one.design.noise for one in found.designs], found.left_out
        (['dephasing:0.01', 'dephasing:0.5'], ())
    """
    listed = [readouts] if isinstance(readouts, str) else list(readouts)
    worlds = [noises] if isinstance(noises, str | NoiseModel) else list(noises)
    s = check_scale(scale)
    law_ensemble = Ensemble.of(ensemble)
    _check_task(num_qubits, listed, worlds, families, interactions, depths, max_parameters, samples, first_samples)
    _check_draws(law_ensemble, seed)
    count = (num_qubits + 1) // 2 if charge is None else charge
    initial = spread_input(num_qubits, count)
    models = [m if isinstance(m, NoiseModel) else NoiseModel.from_string(m) for m in worlds]
    tick = progress if progress is not None else _silent
    few = min(first_samples, samples)

    left_out: list[LeftOut] = []
    bare = _bare_designs(num_qubits, families, interactions, depths, listed)
    placed: list[tuple[Design, Signal]] = []
    for number, design in enumerate(bare):
        tick("placing designs", number, len(bare))
        for one, found in _placed(
            design, models, initial, max_parameters, search_layouts, s, few, seed, law_ensemble, workers
        ):
            if isinstance(found, str):
                left_out.append(LeftOut(one, found))
            else:
                circuit, noise = found
                build = partial(Problem, circuit, design.readout, initial=initial, noise=noise)
                placed.append((one, Signal(build, s, seed, law_ensemble, engine)))
    kept = _sampled(placed, few, samples, workers, tick, left_out)
    _refine([signal for _, signal in kept], samples, workers, tick)
    designs = _ranked(kept)
    return Ranking(
        designs=designs,
        left_out=tuple(left_out),
        gains=_gains(designs, dict(kept), s),
        initial=initial,
        charge=count,
        max_parameters=max_parameters,
        scale=s,
        samples=samples,
        first_samples=few,
        seed=seed,
        ensemble=law_ensemble.describe(),
    )


def _bare_designs(
    num_qubits: int,
    families: Sequence[str],
    interactions: Sequence[str],
    depths: Sequence[int],
    readouts: Sequence[str],
) -> list[Design]:
    """Every combination once, without noise."""
    kinds = itertools.product(*map(dict.fromkeys, (families, interactions)))
    return [
        Design(family, num_qubits, depth, interaction, readout, "")
        for family, interaction in kinds
        for depth in dict.fromkeys(depths)
        for readout in dict.fromkeys(readouts)
    ]


def _sampled(
    placed: Sequence[tuple[Design, Signal]],
    few: int,
    samples: int,
    workers: int | None,
    tick: Callable[[str, int, int], None],
    left_out: list[LeftOut],
) -> list[tuple[Design, Signal]]:
    """The first draws of each design; those that cannot be simulated go to what was left out."""
    kept: list[tuple[Design, Signal]] = []
    for number, (design, signal) in enumerate(placed):
        tick("sampling designs", number, len(placed))
        try:
            signal.extend(few, samples, workers)
            kept.append((design, signal))
        except _OWN_FAILURES as error:
            left_out.append(LeftOut(design, str(error)))
    return kept


def _silent(stage: str, done: int, total: int) -> None:
    del stage, done, total


def _check_draws(ensemble: Ensemble, seed: int) -> None:
    if ensemble.kind == "given":
        raise ParameterError("designs differ in their parameters: give the ensemble 'uniform' or 'normal:WIDTH'.")
    if isinstance(seed, bool) or seed < 0:
        raise ParameterError(f"seed must be a whole number >= 0, got {seed}.")


def _check_task(
    num_qubits: int,
    readouts: Sequence[str],
    noises: Sequence[object],
    families: Sequence[str],
    interactions: Sequence[str],
    depths: Sequence[int],
    max_parameters: int | None,
    samples: int,
    first_samples: int,
) -> None:
    check_qubits(num_qubits, "each design")
    check_gates(2 * num_qubits * max(depths, default=0), "the deepest design")
    if isinstance(num_qubits, bool) or num_qubits < 2:
        raise ParameterError(f"rank needs at least 2 qubits, got {num_qubits}.")
    for what, values, known in (("family", families, tuple(FAMILIES)), ("interaction", interactions, INTERACTIONS)):
        unknown = [v for v in values if v not in known]
        if unknown:
            raise ParameterError(f"{what} must be one of {', '.join(known)}, got {unknown[0]!r}.")
    for what, several in (
        ("readout", readouts),
        ("noise", noises),
        ("family", families),
        ("interaction", interactions),
        ("depth", depths),
    ):
        if not several:
            raise ParameterError(f"rank needs at least one {what}.")
    bad = [d for d in depths if isinstance(d, bool) or d < 1]
    if bad:
        raise ParameterError(f"depths must be whole numbers >= 1, got {bad[0]}.")
    if max_parameters is not None and max_parameters < 1:
        raise ParameterError(f"max_parameters must be at least 1, got {max_parameters}.")
    if samples < 2 or first_samples < 2:
        raise ParameterError(
            f"samples and first_samples must be at least 2 for an interval, got {samples} and {first_samples}."
        )


def _placed(
    design: Design,
    models: Sequence[NoiseModel],
    initial: str,
    max_parameters: int | None,
    search: bool,
    scale: float,
    samples: int,
    seed: int,
    ensemble: Ensemble,
    workers: int | None,
) -> Iterable[tuple[Design, str | tuple[QuantumCircuit, NoiseModel]]]:
    """The design under each noise and in each place: circuit and placed noise, or why not."""
    try:
        circuit = FAMILIES[design.family](design.num_qubits, design.depth, interaction=design.interaction)
    except SourceError as error:
        yield from ((replace(design, noise=model.name), str(error)) for model in models)
        return
    bare = Problem(circuit, design.readout, initial=initial)  # a malformed readout is the task's mistake
    if max_parameters is not None and circuit.num_parameters > max_parameters:
        reason = f"{circuit.num_parameters} parameters are above the budget of {max_parameters}"
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
            elif not search:
                choices = {"qiskit": qiskit_layout(bare, calibration)}
            else:
                alone = NoiseModel(calibration=calibration, name=model.name)
                found = best_layouts(
                    circuit,
                    design.readout,
                    alone,
                    initial=initial,
                    count=1,
                    scale=scale,
                    samples=samples,
                    seed=seed,
                    ensemble=ensemble,
                    known=known,
                    workers=workers,
                )
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
                noise = Problem(circuit, design.readout, initial=initial, noise=whole).noise
                yield replace(here, placement=name, layout=layout), (circuit, noise)
        except (*_OWN_FAILURES, NoiseError) as error:
            yield here, str(error)


def _refine(signals: Sequence[Signal], most: int, workers: int | None, tick: Callable[[str, int, int], None]) -> None:
    """More draws for the best and for those not significantly worse, until there are none or all have ``most``."""
    while signals:
        leader = max(signals, key=lambda one: one.score)
        rivals = []
        for one in signals:
            found = compare(one, leader)
            if one is not leader and not found.told_apart and not found.same:
                rivals.append(one)
        short = [one for one in (leader, *rivals) if one.count < most]
        if not rivals or not short:
            return
        for number, one in enumerate(short):
            tick(f"refining the {len(short)} best", number, len(short))
            one.extend(min(most, 2 * one.count), most, workers)


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
        law = [math.exp(-scale * each.kappa) * each.readout_factor for each in (one, other)]
        out.append(Gain(one.place, other.place, ratio, interval, law[0] / law[1], shots))
    return tuple(out)
