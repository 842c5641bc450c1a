"""Noise that is stated in the laboratory, as it acts in frames that are turned against it qubit by qubit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from equinoise.circuit.compiled.frames import in_frame
from equinoise.circuit.pauli_sums import PAULI, String
from equinoise.errors import NoiseError
from equinoise.noise.phase_modes import PhaseModes
from equinoise.noise.terms import NoiseTerm, PhaseProcess, Slot
from equinoise.noise.terms.actions import Action, Diagonal, General, PauliString
from equinoise.noise.terms.term import JumpOperator

__all__ = ["Turned", "turned_processes", "turned_slots"]

Complex = npt.NDArray[np.complex128]
Frame = tuple[int, tuple[complex, ...]]

_MOST_QUBITS = 2


@dataclass(frozen=True)
class Turned(NoiseTerm):
    """A term seen from other frames: jumps V^dag K V and Hamiltonian V^dag H V, V a product of one-qubit unitaries.

    What is said of the term itself (mechanism, rates, what is left of it on some qubits) is as true in the frames.

    Attributes:
        term: In the laboratory, its qubits spelled out.
        frames: (qubit, V row by row) of each turned qubit of the term.
        whole: Whether it acts as one generator, in the order given among such; else a single Pauli string is one.
    """

    kind: ClassVar[str] = "turned"
    example: ClassVar[str] = ""

    term: NoiseTerm
    frames: tuple[Frame, ...]
    whole: bool = False

    @property
    def sites(self) -> tuple[int, ...]:
        """The term's."""
        return self.term.sites

    @property
    def text(self) -> str:
        """The term's, and that its axes are turned."""
        return f"{self.term.text}, axes turned with the frame"

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.term.name}, turned"

    @property
    def noun(self) -> str:
        """What it is called before the word noise."""
        return self.term.noun

    @property
    def mechanism(self) -> str:
        """The term's."""
        return self.term.mechanism

    @property
    def strength(self) -> float:
        """The term's."""
        return self.term.strength

    @property
    def decays(self) -> tuple[float, ...] | None:
        """The term's: turning changes no eigenvalue."""
        return self.term.decays

    @property
    def parts(self) -> tuple[tuple[str, tuple[int, ...], float], ...]:
        """The term's."""
        return self.term.parts

    @property
    def bound(self) -> float:
        """The term's."""
        return self.term.bound

    @property
    def string(self) -> tuple[float, tuple[tuple[int, str], ...]] | None:
        """Rate and letters, where it is the jump of one Pauli string."""
        jumps = self.jumps()
        if self.hamiltonian() or len(jumps) != 1 or len(jumps[0][1]) != 1:
            return None
        rate, ((letters, value),) = jumps[0][0], jumps[0][1].items()
        return rate * abs(value) ** 2, letters

    @property
    def action(self) -> Action:
        """A Pauli string's jump, or its generator."""
        string = None if self.whole else self.string
        if string is None:
            # what acts one after another in the laboratory does so in every frame
            own = self.term.action
            return General(tuple(sorted(self.sites)), self.superoperator(), not isinstance(own, General) or own.alone)
        rate, letters = string
        if all(letter == "Z" for _, letter in letters):
            return Diagonal(rate, tuple((q, 1.0) for q, _ in letters), True)
        return PauliString(letters, rate)

    @property
    def _turns(self) -> dict[int, Complex]:
        return {q: np.array(rows, dtype=np.complex128).reshape(2, 2) for q, rows in self.frames}

    def jumps(self) -> tuple[JumpOperator, ...]:
        """V^dag K V of each jump of the term."""
        return tuple((rate, in_frame(jump, self._turns)) for rate, jump in self.term.jumps())

    def hamiltonian(self) -> Mapping[String, complex]:
        """V^dag H V."""
        return in_frame(self.term.hamiltonian(), self._turns)

    def reach(self, qubits: Collection[int]) -> frozenset[int]:
        """The term's: V acts on each qubit by itself."""
        return self.term.reach(qubits)

    def restricted(self, qubits: Collection[int]) -> Self | None:
        """What is left of the term, turned."""
        left = self.term.restricted(qubits)
        if left is self.term:
            return self
        return None if left is None else self._of(left, {q: q for q in left.sites})

    def placed(self, place: Mapping[int, int]) -> Self:
        """The bare term on other qubit numbers."""
        return self._of(self.term.placed(place), place)

    def scaled(self, factor: float) -> Self:
        """The term with its rates times a factor."""
        return replace(self, term=self.term.scaled(factor))

    def plain(self) -> dict[str, Any]:
        """The term's plain data, and the frames."""
        frames = {str(q): [[v.real, v.imag] for v in rows] for q, rows in self.frames}
        return self.term.plain() | {"kind": self.term.kind, "frames": frames}

    def _of(self, term: NoiseTerm, place: Mapping[int, int]) -> Self:
        frames = tuple(sorted((place[q], rows) for q, rows in self.frames if q in place))
        return replace(self, term=term, frames=frames)


def turned_slots(slots: Sequence[Slot], frames: Sequence[Mapping[int, Complex]]) -> tuple[Slot, ...]:
    """Each slot's noise in the frames there.

    Where a qubit's frame is its laboratory upside down, terms keep their kind (relaxation goes up); where the axis is
    another, they become :class:`Turned`.

    Args:
        slots: In the laboratory.
        frames: Per slot V of each turned qubit.

    Raises:
        NoiseError: A term on more than two qubits whose axes are turned.
    """
    known: dict[tuple[int, tuple[tuple[int, bytes], ...]], Slot] = {}
    out: list[Slot] = []
    for slot, turns in zip(slots, frames, strict=True):
        key = id(slot), tuple((q, frame.tobytes()) for q, frame in sorted(turns.items()))
        if key not in known:
            known[key] = _turned_slot(slot, turns)
        out.append(known[key])
    return tuple(out)


def _turned_slot(slot: Slot, turns: Mapping[int, Complex]) -> Slot:
    if not turns or not slot.terms:
        return slot
    # Terms of a slot act in the order of their kinds, and a turned one has lost its kind. Those that share qubits are
    # taken together: if all of them keep their kinds or are Pauli strings, the order is still that of the laboratory
    # (strings commute with what keeps its kind on the same qubits, or come after it anyway); else all of them become
    # generators in the order in which they act.
    terms: list[NoiseTerm] = []
    for group in _sharing_qubits(slot.terms):
        images = [(term, _form(term, turns), _turned_term(term, turns)) for term in group]
        if all(form is not None or image.string is not None for _, form, image in images):
            terms += [image if form is None else form for _, form, image in images]
            continue
        for term, _, image in images:
            if len(term.sites) > _MOST_QUBITS:
                raise NoiseError(
                    f"{term.describe()} acts on {len(term.sites)} qubits of a compiled circuit whose charge is hidden "
                    "along other axes there: noise in turned frames acts on one or two qubits. State it on the "
                    "circuit before it was compiled, or on pairs."
                )
            terms.append(replace(image, whole=True))
    return Slot(tuple(terms))


def _sharing_qubits(terms: Sequence[NoiseTerm]) -> list[list[NoiseTerm]]:
    """Terms that share qubits, directly or by way of others, in the order given."""
    groups: list[tuple[set[int], list[int]]] = []
    for number, term in enumerate(terms):
        sites, members = set(term.sites), [number]
        apart = []
        for group in groups:
            if sites.isdisjoint(group[0]):
                apart.append(group)
            else:
                sites |= group[0]
                members = group[1] + members
        groups = [*apart, (sites, members)]
    return [[terms[i] for i in sorted(members)] for _, members in groups]


def _signs(qubits: Collection[int], turns: Mapping[int, Complex]) -> dict[int, int]:
    """1 where a frame is the laboratory's, -1 where it is upside down, 0 where its axis is another one."""
    return {q: 1 if q not in turns else -1 if np.array_equal(turns[q], PAULI["X"]) else 0 for q in qubits}


def _form(term: NoiseTerm, turns: Mapping[int, Complex]) -> NoiseTerm | None:
    signs = _signs(term.sites, turns)
    return term if all(sign == 1 for sign in signs.values()) else term.along(signs)


def _turned_term(term: NoiseTerm, turns: Mapping[int, Complex]) -> Turned:
    rows = ((q, tuple(complex(v) for v in turns[q].ravel())) for q in sorted(term.sites) if q in turns)
    return Turned(replace(term, layers=None, gate=None, on=None), tuple(rows))


def turned_processes(
    processes: Sequence[PhaseProcess | PhaseModes], frames: Sequence[Mapping[int, Complex]]
) -> tuple[PhaseProcess | PhaseModes, ...]:
    """Dephasing correlated in time in the frames of each slot.

    Raises:
        NoiseError: It acts where the frame's axis is not Z, or not always the same of both directions.
    """
    out: list[PhaseProcess | PhaseModes] = []
    for process in processes:
        acting = [turns for layer, turns in enumerate(frames) if process.acts(layer)]
        signs = [_signs(process.qubits, turns) for turns in acting]
        if all(sign == 1 for one in signs for sign in one.values()):
            out.append(process)
        elif isinstance(process, PhaseProcess) and all(one == signs[0] and all(one.values()) for one in signs):
            out.append(replace(process, pairs=tuple((q, signs[0][q] * w) for q, w in process.pairs)))
        else:
            raise NoiseError(
                f"dephasing correlated in time acts on qubits {', '.join(map(str, process.qubits))} of a compiled "
                "circuit whose charge is hidden along axes that turn against it from slot to slot. State it on the "
                "circuit before it was compiled, or give white noise."
            )
    return tuple(out)
