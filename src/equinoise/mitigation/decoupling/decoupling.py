"""Dynamical decoupling judged by gradients: pulses on idle windows, and the problem that they leave."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2

from equinoise.coherence.sample import Interval, PairedDraws
from equinoise.device.gate_times import GateTimes, gate_times
from equinoise.device.snapshots import Calibration
from equinoise.engines.draws import FirstOrderDraw, NoisyDraw, check_scale, sampled_draws
from equinoise.engines.select import select_engine
from equinoise.errors import CircuitError, UnsupportedError
from equinoise.mitigation.decoupling.idle_windows import Pulse, Schedule, Window, neighbour_colours, padded
from equinoise.mitigation.decoupling.pulse_sequences import pulse_sequence
from equinoise.mitigation.decoupling.toggling import Toggling, toggled_noise
from equinoise.model.asked import of_problems_alone
from equinoise.noise.model import NoiseModel
from equinoise.problem import Problem
from equinoise.sampling import Sampling

__all__ = ["Comparison", "Decoupled", "compare", "decouple"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Decoupled:
    """A problem with and without pulses on its idle windows.

    Attributes:
        plain: The problem as stated.
        decoupled: The same circuit and parameters with the noise of the toggling frame and of the pulses.
        windows: Idle windows in seconds; those with no pulses are too short for the sequence.
        pulses: In seconds.
        toggling: Signs in units of slots.
        circuit: What to run: scheduled, with delays and pulses, as Qiskit's passes return it, without measurements.
        notes: What was skipped or approximated.
    """

    plain: Problem
    decoupled: Problem
    windows: tuple[Window, ...]
    pulses: tuple[Pulse, ...]
    toggling: Toggling
    circuit: QuantumCircuit
    notes: tuple[str, ...]


@of_problems_alone(
    "the pulses are the circuit's, whatever its data and loss; the model with them is "
    "model.with_problem(decouple(model.problem, ...).decoupled)."
)
def decouple(
    problem: Problem,
    sequence: Any = "XY4",
    *,
    durations: Any,
    pulse_duration: float = 0.0,
    pulse_error: float = 0.0,
    staggered: bool = False,
) -> Decoupled:
    """Pulses on the idle windows of a problem's circuit, and the noise that they leave.

    An idle qubit's phase in slot l is integral y_i(t) b(t) dt, y = +-1 flipping at each pulse. See
    :mod:`equinoise.mitigation.decoupling.toggling` for how the slots' noise is continued in time.

    Args:
        problem: The problem; its noise per slot covers the whole duration of the layer.
        sequence: "X2", "XY4", or [(gate, fraction of the free time), ...].
        durations: {gate name: seconds}, ``InstructionDurations`` with a dt, or a device: a BackendV2 or a noise model
            made from one (``problem.stated_noise``, which keeps its layout). A device also states the pulses' errors.
        pulse_duration: Seconds per pulse where the durations state none.
        pulse_error: Average infidelity of one pulse beyond idling: depolarizing with rate -ln(1 - 2 pulse_error).
        staggered: Whether qubits that share a gate take orthogonal sequences, so that they do not flip together.

    Raises:
        CircuitError: A sequence, duration or error that does not fit.
        MemoryLimitError: A collective process over too many slots and patterns.

    Example:
        >>> import equinoise as eq
        >>> from equinoise.mitigation.decoupling.decoupling import decouple
        >>> problem = eq.Problem(eq.circuits.brickwork(4, depth=3), readout="Z1", noise="static:0.05")
        >>> times = {"xx_plus_yy": 4e-7, "rzz": 2e-7}
        >>> result = decouple(problem, "X2", durations=times, pulse_duration=2e-8)
        >>> len(result.windows), len(result.pulses), result.decoupled.noise.phases[0].qubits
        (2, 4, (0,))
    """
    pulses = pulse_sequence(sequence)
    if not 0 <= pulse_error < 0.5:
        raise CircuitError(f"pulse_error must be an average infidelity in [0, 0.5), got {pulse_error!r}.")
    if not 0 <= pulse_duration < 1:
        raise CircuitError(f"pulse_duration must be a number of seconds >= 0, got {pulse_duration!r}.")
    device = times_on_device(problem, durations, pulse_duration, pulse_error)
    colours = neighbour_colours(problem) if staggered else (0,) * problem.num_qubits
    times, alignment = (device.durations, device.alignment) if device else (durations, 1)
    schedule = padded(problem, pulses, times, pulse_duration, colours, alignment)
    toggling = schedule_toggling(schedule)
    errors = pulse_errors(schedule, device, pulse_error)
    notes = (*_notes(schedule), *(device.notes if device else ()))
    noise = toggled_noise(problem, toggling, errors) if schedule.pulses else problem.noise
    changed = problem.with_noise(noise).with_warnings(notes)
    return Decoupled(problem, changed, schedule.windows, schedule.pulses, toggling, schedule.circuit, notes)


def times_on_device(problem: Problem, durations: Any, pulse_duration: float, pulse_error: float) -> GateTimes | None:
    """Durations and pulse errors where the durations are a device; None where they are not.

    Raises:
        CircuitError: A noise model without a calibration, or a device beside a pulse duration or error.
        UnsupportedError: A compiled circuit that hides its charge: pulses turn its frames once more.
    """
    if problem.frames is not None:
        raise UnsupportedError(
            "pulses are put into circuits whose gates conserve the charge one by one; this one is compiled and hides "
            "its charge in turned frames. Decouple the circuit before it is compiled."
        )
    if isinstance(durations, BackendV2):
        calibration: Calibration | None = Calibration.from_backend(durations)
    elif isinstance(durations, NoiseModel):
        calibration = durations.calibration
    else:
        return None
    if calibration is None:
        raise CircuitError(
            "durations is a noise model without a device's calibration; give one made by NoiseModel.from_backend, a "
            "backend, or {gate: seconds}."
        )
    if pulse_duration or pulse_error:
        raise CircuitError(
            f"durations is the device {calibration.name}, which states how long pulses take and how wrong they are; "
            "leave out pulse_duration and pulse_error."
        )
    return gate_times(calibration, problem.circuit, problem.layers, problem.readout)


def _slot_time(edges: tuple[float, ...], time: float) -> float:
    """Seconds to units of slots, linear within each; layers without duration are points."""
    # The noise model's unit of time is the slot: seconds are mapped piece by piece, each layer to a length of 1.
    layer = min(max(bisect.bisect_right(edges, time) - 1, 0), len(edges) - 2)
    length = edges[layer + 1] - edges[layer]
    return layer + (min(max((time - edges[layer]) / length, 0.0), 1.0) if length > 0 else 1.0)


def pulse_errors(schedule: Schedule, device: GateTimes | None, pulse_error: float) -> dict[tuple[int, int], float]:
    """(slot, qubit) to the depolarizing rate of the pulses there.

    Args:
        schedule: Holds the pulses.
        device: States each pulse's rate; None: that of ``pulse_error``.
        pulse_error: Average infidelity of a pulse.
    """
    errors: dict[tuple[int, int], float] = {}
    for pulse in schedule.pulses:
        key = (int(min(_slot_time(schedule.edges, pulse.time), len(schedule.edges) - 1 - 1e-9)), pulse.qubit)
        rate = device.pulse_rates[pulse.gate, pulse.qubit] if device else -math.log1p(-2 * pulse_error)
        errors[key] = errors.get(key, 0.0) + rate
    return errors


def schedule_toggling(schedule: Schedule) -> Toggling:
    """The signs that a schedule's pulses give the phases, in units of slots."""
    flips: dict[int, list[float]] = {}
    for pulse in schedule.pulses:
        if pulse.gate != "Z":
            flips.setdefault(pulse.qubit, []).append(_slot_time(schedule.edges, pulse.time))
    return Toggling(len(schedule.edges) - 1, {q: tuple(sorted(times)) for q, times in sorted(flips.items())})


def _notes(schedule: Schedule) -> tuple[str, ...]:
    notes = []
    short = sum(1 for window in schedule.windows if not window.pulses)
    if not schedule.windows:
        notes.append("decoupling: no qubit is ever idle, so there is nothing to decouple")
    if short:
        notes.append(f"decoupling: {short} of {len(schedule.windows)} idle windows are too short for the sequence")
    if schedule.pulses:
        notes.append(
            "decoupling: pulses flip at their middle; the slot is the unit of time of the noise's correlation; within "
            "a slot relaxation is averaged over the flips"
        )
    return tuple(notes)


@dataclass(frozen=True)
class Comparison:
    """Plain against decoupled, over the same parameter draws.

    Attributes:
        scale: Noise scale s.
        kappa: (plain, decoupled), dimensionless.
        kappa_interval: 95 % intervals of both.
        survival: (plain, decoupled) R(s).
        survival_interval: 95 % intervals of both.
        gain: RMS gradient left with pulses over that without; below 1 decoupling loses. Shots per gradient fall by
            gain squared.
        gain_interval: 95 %, from paired draws.
        samples: Number of draws.
        seed: Of the draws.
        engines: (plain, decoupled).
    """

    scale: float
    kappa: tuple[float, float]
    kappa_interval: tuple[Interval, Interval]
    survival: tuple[float, float]
    survival_interval: tuple[Interval, Interval]
    gain: float
    gain_interval: Interval
    samples: int
    seed: int
    engines: tuple[str, str]


def compare(
    result: Decoupled,
    scale: float = 1.0,
    *,
    sampling: Sampling | None = None,
    progress: Callable[[int], None] | None = None,
) -> Comparison:
    """Kappa and survival of the plain and the decoupled problem from the same draws, and the gain.

    Serves any noise. Under dephasing alone :func:`equinoise.mitigation.decoupling.shared_paths.compare_paths` is
    tighter: there both meet the same paths of the noise.

    Args:
        result: From :func:`decouple`.
        scale: Noise scale s in (0, infinity].
        sampling: Draws (64 by default), ensemble and engine.
        progress: Called with 1 after each draw of each problem.

    Raises:
        ParameterError: The scale or the sampling does not fit.
        UnsupportedError: The engine asked for cannot serve.
    """
    s = check_scale(scale)
    sampling = Sampling.of(sampling, samples=64)
    thetas = sampling.draw(result.plain)
    columns: dict[str, Real] = {}
    names: list[str] = []
    for side, problem in (("plain", result.plain), ("decoupled", result.decoupled)):
        chosen = select_engine(problem, sampling.engine, workers=sampling.workers, draws=4 * len(thetas))

        def one(theta: Real, rng: np.random.Generator, chosen: Any = chosen) -> tuple[FirstOrderDraw, list[NoisyDraw]]:
            return chosen.first_order(theta, rng), chosen.noisy(theta, [0.0, s], rng)

        draws = []
        for draw in sampled_draws(one, thetas, sampling.seed, chosen.workers):
            draws.append(draw)
            if progress is not None:
                progress(1)
        columns[f"{side} slope"] = np.array([first.slope for first, _ in draws])
        for i, name in enumerate(("clean", "noisy")):
            columns[f"{side} {name}"] = np.array([float(noisy[i].gradient_square.sum()) for _, noisy in draws])
        names.append(chosen.name)
    paired = PairedDraws(columns)
    kappas = [paired.ratio(f"{side} slope", f"{side} clean", factor=-1.0) for side in ("plain", "decoupled")]
    left = [paired.ratio(f"{side} noisy", f"{side} clean", root=True) for side in ("plain", "decoupled")]
    gain = paired.ratio("decoupled noisy", "plain noisy", root=True)
    return Comparison(
        scale=s,
        kappa=(kappas[0].value, kappas[1].value),
        kappa_interval=(kappas[0].interval, kappas[1].interval),
        survival=(left[0].value, left[1].value),
        survival_interval=(left[0].interval, left[1].interval),
        gain=gain.value,
        gain_interval=gain.interval,
        samples=len(thetas),
        seed=sampling.seed,
        engines=(names[0], names[1]),
    )
