"""Trajectories split by their first event: the branch without any is followed once, the rest is sampled.

Every channel of a slot is a choice between "nothing happens" (a Kraus operator K_0 close to 1) and events: a turn by
Z, a jump, a kick, a reset. The records without any event form one branch, of probability S; its share of value and
gradient is followed once. The others are sampled *given that something happens*, by the waiting time: a number u,
uniform in (S, 1), is what is left of the norm when the first event comes; later ones follow with a new u, uniform in
(0, 1). So

    g = S g_0 + (1 - S) E[ g | at least one event ],

each part unbiased. Weak noise rarely does anything: plain trajectories then see no event in hundreds of draws, and
their scatter is no error bar. Here every draw has an event, with the small weight 1 - S, and the scatter falls with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from equinoise.engines.draws import Draw
from equinoise.engines.sector.block_unitaries import Blocks
from equinoise.engines.vectors import vector_kernels as kernels
from equinoise.engines.vectors.diagonals import Phases
from equinoise.engines.vectors.events.sampled_channels import KrausChannel
from equinoise.engines.vectors.events.trajectory_record import Running, act_string, moved

if TYPE_CHECKING:
    from equinoise.engines.vectors.trajectories import Site, TrajectoryEngine

__all__ = ["SplitTrajectories"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

_ONE = (0,)
# a smaller probability of any event is rounding
_NEVER = 1e-14


@dataclass(frozen=True)
class Event:
    """What may happen at one place of a slot; that it does not is diagonal.

    Attributes:
        qubit: Cone index that the odds depend on; None where they depend on no state.
        nothing: Probability that nothing happens where that qubit is empty, and where it is filled.
        happen: Lets it happen to a trajectory, with a generator for which of several.
    """

    qubit: int | None
    nothing: tuple[float, float]
    happen: Callable[[Running, np.random.Generator], None]


@dataclass(frozen=True)
class EventGroup:
    """Events in time order, up to a channel whose absence of events is not diagonal.

    Attributes:
        events: Of diagonal absence.
        channel: Kraus operators after them, of which the first stands for no event; None behind the last.
    """

    events: tuple[Event, ...]
    channel: KrausChannel | None = None

    def absence(self, first: int, last: int, phases: Phases) -> tuple[Complex | None, float]:
        """K_0 of some of the events on a sector, shape (D,), None for 1; and the square of a factor left out of it."""
        empty, filled, rest = np.ones(phases.width), np.ones(phases.width), 1.0
        for event in self.events[first:last]:
            if event.qubit is None:
                rest *= event.nothing[0]
            else:
                empty[event.qubit] *= event.nothing[0]
                filled[event.qubit] *= event.nothing[1]
        if np.all(empty == 1) and np.all(filled == 1):
            return None, rest
        return phases.products(np.sqrt(empty).astype(np.complex128), np.sqrt(filled).astype(np.complex128)), rest


@dataclass
class Walk:
    """A trajectory between events.

    Attributes:
        running: Its state and record.
        until: What is left of the norm when the next event comes; 0 for never.
        left: What is left of it now: the probability that nothing has happened since the last event.
    """

    running: Running
    until: float
    left: float = 1.0

    def pass_slot(
        self,
        groups: Sequence[EventGroup],
        phases: Callable[[int | None], Phases],
        act: Callable[[Running, KrausChannel, int], None],
        rng: np.random.Generator,
    ) -> None:
        """One slot's noise.

        Args:
            groups: Its events.
            phases: Diagonal operators on a sector.
            act: Lets a Kraus operator of a channel act.
            rng: For what happens, and when the next event comes.
        """
        for group in groups:
            first = 0
            while first < len(group.events):
                met = self._pass_events(group, first, phases(self.running.charge))
                if met is None:
                    break
                group.events[met].happen(self.running, rng)
                self.left, self.until, first = 1.0, rng.random(), met + 1
            if group.channel is not None:
                self._pass_channel(group.channel, act, rng)

    def _pass_events(self, group: EventGroup, first: int, phases: Phases) -> int | None:
        """Passes events from one on; the number of the first that happens, the state right before it, or None."""
        psi = self.running.psi[:, 0]
        weight = np.abs(psi) ** 2
        weight *= self.left / weight.sum()
        factor, rest = group.absence(first, len(group.events), phases)
        left = rest * float(weight.sum() if factor is None else np.sum(weight * factor.real**2))
        met = None
        if left <= self.until:
            # |psi|^2 through one event's absence after the other, until what is left falls below the mark
            for met in range(first, len(group.events)):
                low, high = group.events[met].nothing
                qubit = group.events[met].qubit
                weight *= low if qubit is None else np.where(phases.occupations[:, qubit] > 0, high, low)
                if weight.sum() <= self.until:
                    break
            factor, _ = group.absence(first, met, phases) if met is not None else (None, 1.0)
        else:
            self.left = left
        if factor is not None:
            self.running.scale(factor)
        return met

    def _pass_channel(
        self, channel: KrausChannel, act: Callable[[Running, KrausChannel, int], None], rng: np.random.Generator
    ) -> None:
        odds = channel.odds(self.running.psi, self.running.charge)
        odds /= odds.sum()
        left = self.left * float(odds[0])
        if left > self.until:
            self.left = left
            act(self.running, channel, 0)
            return
        among = np.cumsum(odds[1:])
        which = min(int(np.searchsorted(among, rng.random() * among[-1], side="right")), odds.size - 2)
        act(self.running, channel, 1 + which)
        self.left, self.until = 1.0, rng.random()


@dataclass(frozen=True)
class _Branch:
    """The branch without events of a circuit's trajectories.

    Attributes:
        phases: Random phases per slot and qubit that it met, shape (L, w).
        running: Its end.
        states: Before each slot's noise, shape (D, 1) each, with what a way back from there loses.
        left: Its probability before each slot's noise, and in the end.
        draw: What it says.
    """

    phases: Real
    running: Running
    states: list[tuple[Complex, float]]
    left: list[float]
    draw: Draw


class SplitTrajectories:
    """Estimates from trajectories, each split by its first event; see this module.

    Args:
        engine: Whose noise, inputs and readout they take.
    """

    def __init__(self, engine: TrajectoryEngine) -> None:
        self.engine, self.program = engine, engine.program
        self._events: dict[tuple[int, float], tuple[EventGroup, ...]] = {}

    def pair(self, blocks: Blocks, scale: float, rngs: Sequence[np.random.Generator]) -> list[Draw]:
        """Independent estimates of value, <O^2> and gradient, each split by its first event.

        They share the branch without events, unless that depends on random numbers: on phases that are no turn by Z,
        or on which vector of a mixture the input is.
        """
        shared: _Branch | None = None
        out = []
        for rng in rngs:
            if shared is None or not self._one_branch or len(self.engine.mixture(blocks.theta)[0]) > 1:
                shared = self._no_event(blocks, scale, rng)
            out.append(self._with_events(shared, blocks, scale, rng))
        return out

    def has_events(self, scale: float) -> bool:
        """Whether anything can happen at all, besides random phases."""
        slots = (self.slot_events(number, scale) for number in range(self.engine.depth))
        return any(group.events or group.channel for slot in slots for group in slot)

    @cached_property
    def _one_branch(self) -> bool:
        """Whether the branch without events is the same for all random numbers, from one vector."""
        turns = all(self._is_flip(row) for slot in self.engine.jumps for row in slot.weights)
        return turns and not self.program.processes

    def _is_flip(self, weights: Real) -> bool:
        """Whether a jump K = sum_i weights[i] Z_i acts on one qubit, so that K^2 is a number and K a turn by Z.

        Where noise correlated in time draws phases anyway, all of them stay phases.
        """
        return int(np.count_nonzero(weights)) == 1 and not self.program.processes

    def _no_event(self, blocks: Blocks, scale: float, rng: np.random.Generator) -> _Branch:
        """The branch without events, its states before each slot's noise, and its share."""
        charge, vector = self.engine.start(blocks.theta, rng)
        phases = self._random_phases(scale, rng)
        walk = Walk(Running(charge, np.ascontiguousarray(vector)[:, None].copy()), until=0.0)
        left, states = [1.0], []
        for number in range(self.engine.depth):
            self._pass_layer(walk, blocks, number)
            states.append((walk.running.psi.copy(), walk.running.reach))
            self._pass_noise(walk, number, scale, phases[number], rng)
            left.append(walk.left)
        return _Branch(phases, walk.running, states, left, self.engine.estimate(walk.running, blocks))

    def _with_events(self, split: _Branch, blocks: Blocks, scale: float, rng: np.random.Generator) -> Draw:
        """The branch without events and, in the share that it leaves, one trajectory with at least one."""
        none, happens = split.left[-1], 1 - split.left[-1]
        if happens < _NEVER:
            return split.draw
        until = none + happens * rng.random()
        first = next(i for i, left in enumerate(split.left[1:]) if left <= until)
        path = [(charge, list(met)) for charge, met in split.running.path[: first + 1]]
        path[first][1].clear()
        psi, reach = split.states[first]
        running = Running(path[first][0], psi.copy(), reach, path)
        walk = Walk(running, until, split.left[first])
        self._pass_noise(walk, first, scale, split.phases[first], rng)
        for number in range(first + 1, self.engine.depth):
            self._pass_layer(walk, blocks, number)
            self._pass_noise(walk, number, scale, split.phases[number], rng)
        sampled = self.engine.estimate(running, blocks)
        return Draw(
            none * split.draw.value + happens * sampled.value,
            none * split.draw.square + happens * sampled.square,
            none * split.draw.gradient + happens * sampled.gradient,
        )

    def _pass_layer(self, walk: Walk, blocks: Blocks, number: int) -> None:
        running, layer = walk.running, self.program.layers[number]
        u = blocks.unitary[layer.start : layer.stop]
        kernels.multiply(running.psi, _ONE, layer.kind, layer.table, u, *self.program.tables[running.charge].arguments)
        running.path.append((running.charge, []))

    def _pass_noise(self, walk: Walk, number: int, scale: float, angles: Real, rng: np.random.Generator) -> None:
        if np.any(angles):
            here = self.engine.phases(walk.running.charge)
            walk.running.scale(here.products(np.exp(-1j * angles), np.exp(1j * angles)))
        walk.pass_slot(self.slot_events(number, scale), self.engine.phases, self.engine.act, rng)

    def _random_phases(self, scale: float, rng: np.random.Generator) -> Real:
        """Gaussian phases per slot and qubit, shape (L, w), of jumps that are no turn by Z, and of processes."""
        total = np.zeros((self.engine.depth, self.program.width))
        for number, slot in enumerate(self.engine.jumps):
            for rate, weights in zip(slot.rates, slot.weights, strict=True):
                if not self._is_flip(weights):
                    total[number] += math.sqrt(scale * rate) * rng.standard_normal() * weights
        for process in self.program.processes:
            total += math.sqrt(scale) * process.phases(rng.standard_normal(process.rank))
        return total

    def slot_events(self, number: int, scale: float) -> tuple[EventGroup, ...]:
        """What can happen in a slot, prepared once; in the order of the engine's own."""
        key = (number, scale)
        if key not in self._events:
            slot, found = self.engine.jumps[number], list[Event]()
            for rate, weights in zip(slot.rates, slot.weights, strict=True):
                if self._is_flip(weights):
                    place = int(np.flatnonzero(weights)[0])
                    found.append(self._flip((place,), scale * rate * float(weights[place]) ** 2))
            found += [self._flip(qubits, scale * rate) for qubits, rate, _ in slot.parities]
            found += [self._site_events(site) for site in self.engine.sites(number, scale)]
            for reset in slot.resets:
                odds = -math.expm1(-scale * reset.rate)
                happen = partial(self.engine.reset_pair, qubits=reset.qubits)
                found.append(Event(None, (1 - odds, 1 - odds), happen))
            for kick in slot.strings:
                odds = -math.expm1(-2 * scale * kick.rate) / 2
                found.append(Event(None, (1 - odds, 1 - odds), partial(act_string, operator=kick.operator)))
            groups = [EventGroup(tuple(found))]
            for channel in self.engine.channels(number, scale):
                groups[-1] = replace(groups[-1], channel=channel)
                groups.append(EventGroup(()))
            self._events[key] = tuple(groups)
        return self._events[key]

    def _flip(self, qubits: tuple[int, ...], exponent: float) -> Event:
        """exp(x D[P]) r = (1 + e)/2 r + (1 - e)/2 P r P, e = exp(-2 x), of a product P of Z."""

        def happen(running: Running, rng: np.random.Generator) -> None:
            running.scale(self.engine.phases(running.charge).parity(qubits).astype(np.complex128))

        odds = -math.expm1(-2 * exponent) / 2
        return Event(None, (1 - odds, 1 - odds), happen)

    def _site_events(self, site: Site) -> Event:
        """One qubit falls or rises; where it does neither, the phase of random sign is Z with the same mean."""
        # E exp(-i angle (z - z')) over the sign of the angle is cos(2 angle) = 1 - 2 turn
        turn = math.sin(site.angle) ** 2
        stay = np.diag(site.transfer)

        def happen(running: Running, rng: np.random.Generator) -> None:
            program, charge = self.program, running.charge
            occupied = self._occupied(running, site.qubit)
            odds = np.array([site.transfer[0, 1] * occupied, site.transfer[1, 0] * (1 - occupied), 0.0])
            odds[2] = turn * (stay[1] * occupied + stay[0] * (1 - occupied))
            which = int(np.searchsorted(np.cumsum(odds), rng.random() * odds.sum(), side="right"))
            if which == 0:
                below = moved(charge, -1)
                running.jump(*program.site_rows(site.qubit, charge)[::-1], below, program.sectors[below].dimension)
            elif which == 1:
                above = moved(charge, 1)
                running.jump(*program.site_rows(site.qubit, above), above, program.sectors[above].dimension)
            else:
                empty, filled = np.ones((2, program.width), dtype=np.complex128)
                empty[site.qubit], filled[site.qubit] = math.sqrt(stay[0]), -math.sqrt(stay[1])
                running.scale(self.engine.phases(charge).products(empty, filled))

        return Event(site.qubit, ((1 - turn) * float(stay[0]), (1 - turn) * float(stay[1])), happen)

    def _occupied(self, running: Running, qubit: int) -> float:
        """Population of a qubit's |1>."""
        if running.charge == 0:
            return 0.0
        whole = kernels.overlap(running.psi[:, 0], running.psi[:, 0])
        return float(kernels.population(running.psi, self.program.site_rows(qubit, running.charge)[1]) / whole)
