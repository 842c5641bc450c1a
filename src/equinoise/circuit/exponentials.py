"""Circuits of Clifford gates and turns read as exponentials of Pauli sums, where these conserve the charge.

A fermionic double excitation is compiled to eight ladders of CX, H and S about one RZ each. No gate of them conserves
the charge, nor does any ladder; the eight together are exp(-i theta H) with an H on four qubits and a string of Z that
does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from equinoise.circuit.evolution import exact_factors
from equinoise.circuit.gates import Angle, Gate, Matrix, Rotation
from equinoise.circuit.joining import Joined, joined
from equinoise.circuit.pauli_sums import PAULI, String, Sum, commutator, largest, multiplied

__all__ = ["Exponentials", "as_exponentials"]

_TOLERANCE = 1e-9
_Signed = tuple[int, String]
_Images = dict[tuple[int, str], _Signed]


@dataclass(frozen=True)
class Exponentials:
    """Gates read as exponentials of Pauli sums.

    Attributes:
        gates: One per exponential, with rotations that each conserve the charge; its position is that of the first gate
            whose angle it holds.
        taken: Number of gates that they stand for.
    """

    gates: tuple[Gate, ...]
    taken: int


def as_exponentials(gates: Sequence[Gate]) -> Exponentials | None:
    """Gates as exponentials that each conserve the charge; None if they are no product of such.

    Args:
        gates: In time order.
    """
    # exp(-i a P) F = F exp(-i a F^dag P F): Clifford gates F are moved to the end, and the turns between them become
    # exponentials of other strings. Only where all of F cancels, but for Z rotations of single qubits, has nothing been
    # moved past the layers between: ladders close, other circuits are left as they are. (One-qubit Z rotations may be
    # moved freely: they commute with the exponentials' charge and with all noise of single qubits that keeps it.)
    frame = _Frame()
    dressed: list[tuple[Rotation, Sum, int]] = []
    for gate in gates:
        for rotation in gate.rotations:
            if not rotation.angle.coefficients and len(rotation.touched) <= 2 and frame.takes(rotation):
                continue
            dressed.append((rotation, frame.dress(rotation.generator_sum()), gate.position))
    rest = frame.left()
    if rest is None:
        return None
    names = {gate.position: gate.name for gate in gates}
    out: list[Gate] = []
    for step in joined(dressed):
        rotations = _conserving(step)
        if rotations is None:
            return None
        position = min(step.owners)
        qubits = tuple(sorted({q for r in rotations for q in r.touched}))
        out.append(Gate(position, names[position], qubits, rotations))
    last = max(names, default=0)
    out += [Gate(last, names[last], r.qubits, (r,)) for r in rest]
    return Exponentials(tuple(out), sum(bool(gate.rotations) for gate in gates))


def _conserving(step: Joined) -> tuple[Rotation, ...] | None:
    floor = 1e-12 * largest(step.generator)
    generator = {s: v for s, v in step.generator.items() if abs(v) > floor and s}
    factors = exact_factors(generator)
    if factors is None or commutator(generator, {((q, "Z"),): 1.0 for s in generator for q, _ in s}):
        return None
    return tuple(Rotation(f.qubits, f.matrix, step.angle, f.string) for f in factors)


class _Frame:
    """A product F of Clifford gates, by what it makes of Paulis: F^dag P F."""

    def __init__(self) -> None:
        self._images: _Images = {}

    def _image(self, qubit: int, letter: str) -> _Signed:
        return self._images.get((qubit, letter), (1, ((qubit, letter),)))

    def takes(self, rotation: Rotation) -> bool:
        """Multiplies a fixed gate C to F, if it is a Clifford gate."""
        # (C F)^dag P (C F) = F^dag (C^dag P C) F, and C^dag P C is a string on the gate's own qubits
        matrix = rotation.matrix(np.zeros(0))
        local = _clifford(matrix.tobytes(), len(rotation.qubits))
        if local is None:
            return False
        qubits = rotation.qubits
        new = {
            (qubits[i], letter): self._strung(sign, tuple((qubits[j], p) for j, p in string))
            for (i, letter), (sign, string) in local.items()
        }
        self._images |= new
        return True

    def _strung(self, sign: int, string: String) -> _Signed:
        """F^dag P F of a signed string."""
        power = 0
        out: String = ()
        for qubit, letter in string:
            letters = "XZ" if letter == "Y" else letter
            power += letter == "Y"  # Y = i X Z
            for one in letters:
                turn, image = self._image(qubit, one)
                more, out = multiplied(out, image)
                power += more + (0 if turn == 1 else 2)
        return (sign if power % 4 == 0 else -sign), out

    def dress(self, operator: Sum) -> Sum:
        """F^dag H F."""
        if not self._images:
            return operator
        out: Sum = {}
        for string, value in operator.items():
            sign, image = self._strung(1, string)
            out[image] = out.get(image, 0.0) + sign * value
        return out

    def left(self) -> list[Rotation] | None:
        """F as Z rotations of single qubits; None if it is not made of them alone."""
        rest = []
        for qubit in sorted({q for q, _ in self._images}):
            if self._image(qubit, "Z") != (1, ((qubit, "Z"),)):
                return None
            sign, string = self._image(qubit, "X")
            if [q for q, _ in string] != [qubit]:
                return None
            # F = exp(-i a Z/2) makes cos(a) X - sin(a) Y of X
            quarter = {("X", 1): 0, ("Y", -1): 1, ("X", -1): 2, ("Y", 1): 3}[string[0][1], sign]
            if quarter:
                rest.append(_z_rotation(qubit, quarter))
        return rest


def _z_rotation(qubit: int, quarter: int) -> Rotation:
    return Rotation((qubit,), PAULI["Z"] / 2, Angle(quarter * np.pi / 2))


@lru_cache(maxsize=1024)
def _clifford(data: bytes, count: int) -> dict[tuple[int, str], _Signed] | None:
    """C^dag P C for X and Z of each qubit of a gate on one or two; None if one of them is no string."""
    matrix = np.frombuffer(data, dtype=np.complex128).reshape(2**count, 2**count)
    out = {}
    for qubit in range(count):
        for letter in "XZ":
            factors = [PAULI[letter if i == qubit else "I"] for i in range(count)]
            whole = factors[0] if count == 1 else np.kron(factors[1], factors[0])
            found = _single_string(matrix.conj().T @ whole @ matrix, count)
            if found is None:
                return None
            out[qubit, letter] = found
    return out


def _single_string(matrix: Matrix, count: int) -> _Signed | None:
    letters = "IXYZ"
    for number in range(4**count):
        string = [letters[number >> 2 * i & 3] for i in range(count)]
        whole = PAULI[string[0]] if count == 1 else np.kron(PAULI[string[1]], PAULI[string[0]])
        value = float(np.trace(whole @ matrix).real) / 2**count
        if abs(abs(value) - 1) < _TOLERANCE:
            return (1 if value > 0 else -1), tuple((i, p) for i, p in enumerate(string) if p != "I")
    return None
