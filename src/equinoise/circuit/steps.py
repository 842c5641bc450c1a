"""A circuit as steps exp(-i angle H) with H as large as a shared angle makes it: what a symmetry acts on.

A permutation-equivariant layer holds RZZ(theta) on every pair; no single gate is symmetric, their product is. So
rotations of one layer with the same angle that commute are joined, across rotations that commute with them: first those
of one kind (RX with RX, whatever else has the angle), then whole such steps (RXX, RYY and RZZ of an exchange). Fixed
gates that undo each other around a rotation, as CX RZ CX, are taken into its generator.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from equinoise.circuit.blocks import embed
from equinoise.circuit.gates import Angle, Rotation
from equinoise.circuit.joining import joined
from equinoise.circuit.layers import Layer
from equinoise.circuit.pauli_sums import Sum, largest

__all__ = ["Step", "steps"]


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


def steps(layers: Sequence[Layer], kept: Sequence[Collection[int]] | None = None) -> tuple[Step, ...]:
    """The steps of all layers, in time order.

    Args:
        layers: The circuit's.
        kept: Per layer the indices of the blocks to take; all by default.
    """
    out: list[Step] = []
    for number, layer in enumerate(layers):
        taken: list[tuple[Rotation, Sum, int]] = []
        chosen = range(len(layer.blocks)) if kept is None else sorted(kept[number])
        for index in chosen:
            block = layer.blocks[index]
            owners = {id(r): gate.position for gate in block.gates for r in gate.rotations}
            plain = [(r, owners.get(id(r), block.gates[0].position)) for r in block.rotations]
            wide = len(block.qubits) > 2  # each of its rotations is a whole already
            parts = plain if wide else _undressed(plain, block.qubits)
            taken += [(rotation, rotation.generator_sum(), position) for rotation, position in parts]
        for one in joined(taken):
            floor = 1e-14 * largest(one.generator)
            generator = {s: v for s, v in one.generator.items() if abs(v) > floor}
            out.append(Step(number, one.angle, generator, tuple(one.rotations), tuple(one.owners)))
    return tuple(out)


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
