"""A circuit as steps exp(-i angle H) with H as large as a shared angle makes it: what a symmetry acts on.

A permutation-equivariant layer holds RZZ(theta) on every pair; no single gate is symmetric, their product is. So
rotations of one layer with the same angle that commute are joined, across rotations that commute with them: first those
of one kind (RX with RX, whatever else has the angle), then whole such steps (RXX, RYY and RZZ of an exchange). Fixed
gates that undo each other around a rotation, as CX RZ CX, are taken into its generator.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from equinoise.circuit.blocks import embed
from equinoise.circuit.gates import Angle, Rotation, significant
from equinoise.circuit.layers import Layer
from equinoise.circuit.pauli_sums import Sum, commutator, from_matrix, largest

__all__ = ["Step", "steps"]

_Kind = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Step:
    """exp(-i angle H) for mutually commuting rotations of one layer.

    Attributes:
        layer: Counted from 0.
        angle: Linear in the parameters; its first coefficient is 1 (a fixed angle is 1).
        generator: H as a Pauli sum, identity left out.
        rotations: What it was joined from, in time order; their own angles and generators.
        owners: For each rotation the position of its gate in ``circuit.data``.
    """

    layer: int
    angle: Angle
    generator: Sum = field(hash=False)
    rotations: tuple[Rotation, ...] = field(hash=False)
    owners: tuple[int, ...] = ()

    @property
    def qubits(self) -> frozenset[int]:
        """Where it acts."""
        return frozenset(q for string in self.generator for q, _ in string)


class _Open:
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
        self.rotations.append(rotation)
        self.owners.append(position)
        self.parts.append((part, letters))
        for string, value in part.items():
            self.generator[string] = self.generator.get(string, 0.0) + value
        for q, kinds in letters.items():
            self.letters.setdefault(q, set()).update(kinds)
            self.touching.setdefault(q, []).append(part)


def steps(layers: Sequence[Layer], kept: Sequence[Collection[int]] | None = None) -> tuple[Step, ...]:
    """The steps of all layers, in time order.

    Args:
        layers: The circuit's.
        kept: Per layer the indices of the blocks to take; all by default.
    """
    out: list[Step] = []
    for number, layer in enumerate(layers):
        opened: list[_Open] = []
        alike: dict[tuple[Angle, _Kind], list[int]] = {}
        chosen = range(len(layer.blocks)) if kept is None else sorted(kept[number])
        for index in chosen:
            block = layer.blocks[index]
            owners = {id(r): gate.position for gate in block.gates for r in gate.rotations}
            plain = [(r, owners.get(id(r), block.gates[0].position)) for r in block.rotations]
            for rotation, position in _undressed(plain, block.qubits):
                angle, part = _normal(rotation)
                if not part:
                    continue
                letters = _letters(part)
                same = alike.setdefault((angle, _kind(part)), [])
                place = _host(opened, [(part, letters)], same)
                if place is None:
                    place = _Open(angle)
                    same.append(len(opened))
                    opened.append(place)
                place.join(rotation, part, letters, position)
        for one in _whole(opened):
            floor = 1e-14 * largest(one.generator)
            generator = {s: v for s, v in one.generator.items() if abs(v) > floor}
            out.append(Step(number, one.angle, generator, tuple(one.rotations), tuple(one.owners)))
    return tuple(out)


def _letters(part: Iterable[Sequence[tuple[int, str]]]) -> dict[int, set[str]]:
    """The Pauli letters that stand on each qubit, over all strings."""
    letters: dict[int, set[str]] = {}
    for q, p in itertools.chain.from_iterable(part):
        letters.setdefault(q, set()).add(p)
    return letters


def _undressed(rotations: list[tuple[Rotation, int]], qubits: tuple[int, ...]) -> list[tuple[Rotation, int]]:
    """A block's rotations with those between fixed gates F_1 .. F_m = 1 turned into F^dag H F."""
    # F_m exp(-i a H_m) ... F_1 with F_m ... F_1 = 1 is the product of exp(-i a F^dag H F), F what stands before each
    # rotation: the fixed gates are moved through and cancel.
    out: list[tuple[Rotation, int]] = []
    start = 0
    while start < len(rotations):
        fixed = np.eye(2 ** len(qubits), dtype=np.complex128)
        dressed: list[tuple[Rotation, int]] = []
        stop = start
        closed = False
        while stop < len(rotations) and not closed and (stop > start or not rotations[start][0].angle.coefficients):
            rotation, position = rotations[stop]
            if rotation.angle.coefficients:
                inner = fixed.conj().T @ embed(rotation.generator, rotation.qubits, qubits) @ fixed
                dressed.append((Rotation(qubits, (inner + inner.conj().T) / 2, rotation.angle), position))
            else:
                fixed = embed(rotation.matrix(np.zeros(0)), rotation.qubits, qubits) @ fixed
                closed = bool(abs(abs(np.trace(fixed)) / len(fixed) - 1) < 1e-12)
            stop += 1
        if closed and dressed:
            out += dressed
            start = stop
        else:
            out.append(rotations[start])
            start += 1
    return out


def _whole(opened: list[_Open]) -> list[_Open]:
    """Steps of one angle joined as wholes, where all their rotations commute."""
    out: list[_Open] = []
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


def _host(opened: list[_Open], parts: list[tuple[Sum, dict[int, set[str]]]], alike: list[int]) -> _Open | None:
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


def _normal(rotation: Rotation) -> tuple[Angle, Sum]:
    """The angle scaled to first coefficient 1, and the generator with it."""
    angle = rotation.angle
    factor = angle.coefficients[0][1] if angle.coefficients else angle.constant
    if factor == 0:
        return angle, {}
    part = from_matrix(np.ascontiguousarray(rotation.generator), rotation.qubits)
    # a constant below 1e-12 rad is the rounding of one that is 0; the rest keeps its digits whatever the factor
    constant = angle.constant / factor if abs(angle.constant) > 1e-12 else 0.0
    rounded = Angle(significant(constant), tuple((k, significant(c / factor)) for k, c in angle.coefficients))
    return rounded, {string: factor * value for string, value in part.items()}
