"""Rotations of one angle that commute, joined into one step across what they commute with."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from equinoise.circuit.gates import Angle, Rotation, significant
from equinoise.circuit.pauli_sums import Sum, commutator

__all__ = ["Joined", "joined"]

_Kind = tuple[tuple[str, float], ...]


class Joined:
    """A step that further rotations may join."""

    def __init__(self, angle: Angle) -> None:
        self.angle = angle
        self.generator: Sum = {}
        self.rotations: list[Rotation] = []
        self.owners: list[int] = []
        self.parts: list[tuple[Sum, dict[int, set[str]]]] = []
        self.letters: dict[int, set[str]] = {}
        self.touching: dict[int, list[Sum]] = {}

    def commutes(self, part: Sum, letters: dict[int, set[str]]) -> bool:
        """Whether a rotation commutes with every rotation of the step."""
        shared = [q for q in letters if q in self.letters]
        if all(len(letters[q] | self.letters[q]) == 1 for q in shared):
            return True
        near = {id(other): other for q in shared for other in self.touching[q]}
        return all(_commute(part, other) for other in near.values())

    def join(self, rotation: Rotation, part: Sum, letters: dict[int, set[str]], position: int) -> None:
        """Takes a rotation in; ``letters`` are those of its generator on each qubit."""
        self.rotations.append(rotation)
        self.owners.append(position)
        self.parts.append((part, letters))
        for string, value in part.items():
            self.generator[string] = self.generator.get(string, 0.0) + value
        for q, kinds in letters.items():
            self.letters.setdefault(q, set()).update(kinds)
            self.touching.setdefault(q, []).append(part)


def joined(rotations: Iterable[tuple[Rotation, Sum, int]]) -> list[Joined]:
    """Joins rotations: first those of one kind and angle (RX with RX), then whole steps of one angle.

    Args:
        rotations: In time order, each with its generator as a Pauli sum and the position of its gate.
    """
    opened: list[Joined] = []
    alike: dict[tuple[Angle, _Kind], list[int]] = {}
    for rotation, generator, position in rotations:
        angle, part = _normal(rotation.angle, generator)
        if not part:
            continue
        letters = _letters(part)
        same = alike.setdefault((angle, _kind(part)), [])
        place = _host(opened, [(part, letters)], same)
        if place is None:
            place = Joined(angle)
            same.append(len(opened))
            opened.append(place)
        place.join(rotation, part, letters, position)
    return _whole(opened)


def _letters(part: Iterable[Sequence[tuple[int, str]]]) -> dict[int, set[str]]:
    """The Pauli letters that stand on each qubit, over all strings."""
    letters: dict[int, set[str]] = {}
    for q, p in itertools.chain.from_iterable(part):
        letters.setdefault(q, set()).add(p)
    return letters


def _whole(opened: list[Joined]) -> list[Joined]:
    """Steps of one angle joined as wholes, where all their rotations commute."""
    out: list[Joined] = []
    alike: dict[Angle, list[int]] = {}
    for step in opened:
        same = alike.setdefault(step.angle, [])
        place = _host(out, step.parts, same)
        if place is None:
            same.append(len(out))
            out.append(step)
            continue
        for rotation, (part, letters), position in zip(step.rotations, step.parts, step.owners, strict=True):
            place.join(rotation, part, letters, position)
    return out


def _host(opened: list[Joined], parts: list[tuple[Sum, dict[int, set[str]]]], alike: list[int]) -> Joined | None:
    """The earliest of some open steps, ascending, that rotations can be moved back to and join."""
    # Searched backwards in time: a rotation may pass an open step only if it commutes with every rotation in it.
    found = None
    for number in range(len(opened) - 1, (alike[0] if alike else len(opened)) - 1, -1):
        for part, letters in parts:
            if not opened[number].commutes(part, letters):
                return found
        if number in alike:
            found = opened[number]
    return found


def _commute(first: Sum, second: Sum) -> bool:
    if len(first) == len(second) == 1:  # strings do if they differ on an even number of shared qubits
        (string,), (other,) = first, second
        letters = dict(other)
        return sum(letters.get(q, p) != p for q, p in string) % 2 == 0
    return not commutator(first, second)


def _kind(part: Sum) -> _Kind:
    """A generator without its places."""
    return tuple(sorted(("".join(sorted([p for _, p in string])), value) for string, value in part.items()))


def _normal(angle: Angle, generator: Sum) -> tuple[Angle, Sum]:
    """The angle scaled to first coefficient 1, and the generator with it."""
    factor = angle.coefficients[0][1] if angle.coefficients else angle.constant
    if factor == 0:
        return angle, {}
    # a constant below 1e-12 rad is the rounding of one that is 0; the rest keeps its digits whatever the factor
    constant = angle.constant / factor if abs(angle.constant) > 1e-12 else 0.0
    rounded = Angle(significant(constant), tuple((k, significant(c / factor)) for k, c in angle.coefficients))
    return rounded, {string: factor * value for string, value in generator.items()}
