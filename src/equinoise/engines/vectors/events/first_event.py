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

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.engines.vectors.diagonals import Phases
from equinoise.engines.vectors.events.sampled_channels import KrausChannel
from equinoise.engines.vectors.events.trajectory_record import Running

__all__ = ["Event", "EventGroup", "Walk"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]


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
