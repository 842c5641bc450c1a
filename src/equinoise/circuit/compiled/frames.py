"""A compiled circuit seen from frames in which its charge is sum_q (1 - Z_q)/2 again: blocks, inputs, readouts.

On each wire a unitary V, with V Z V^dag the axis of the hidden charge there, turns between the laboratory and the
frame. A block M between frames, V_out^dag M V_in, conserves the charge, and the engines run it like any other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from equinoise.circuit.blocks import Block, conserves_charge, embed
from equinoise.circuit.compiled.hidden_charge import HiddenCharge, NoHiddenCharge, Run, hidden_charge
from equinoise.circuit.gates import Angle, Rotation, fixed_rotation, significant
from equinoise.circuit.layers import Layer, placed, segments
from equinoise.circuit.pauli_sums import PAULI, String

__all__ = ["Frames", "find_frames", "in_frame"]

Complex = npt.NDArray[np.complex128]
Real = npt.NDArray[np.float64]

_SMALL = 1e-13
_LISTED = 12


@dataclass(frozen=True)
class Frames:
    """Where a circuit's charge is hidden, and the circuit seen from there.

    Attributes:
        charge: The axes of the charge, block by block.
        laboratory: The circuit in layers of its own gates, which noise refers to.
        layers: The same layers with blocks that conserve the charge, each between the frames around it.
        found: How the layers were found: "barriers" or "as soon as possible".
        start: Per wire V before the first gate, shape (2, 2); wires without an entry are not turned.
        after: Per layer likewise, where the layer's noise acts: after the last of the wire's gates up to there.
        dropped: What of the circuit was ignored.
    """

    charge: HiddenCharge = field(repr=False)
    laboratory: tuple[Layer, ...] = field(repr=False)
    layers: tuple[Layer, ...] = field(repr=False)
    found: str
    start: Mapping[int, Complex] = field(repr=False)
    after: tuple[Mapping[int, Complex], ...] = field(repr=False)
    dropped: tuple[str, ...] = ()

    @property
    def end(self) -> Mapping[int, Complex]:
        """V on each turned wire after the last gate."""
        return self.after[-1]

    @property
    def wires(self) -> tuple[int, ...]:
        """Wires that gates act on, ascending."""
        return tuple(sorted(self.charge.start))

    @property
    def prepares(self) -> bool:
        """Whether |0...0> is another state than all |0> or all |1> in the frames: then the circuit prepares it."""
        up = {round(float(axis[2]), 9) for axis in self.charge.start.values()}
        return up not in ({1.0}, {-1.0})

    def state(self, product: Complex) -> Complex:
        """One-qubit states before the first gate, shape (n, 2), in the frames: V^dag psi."""
        out = np.array(product, dtype=np.complex128)
        for wire, frame in self.start.items():
            out[wire] = frame.conj().T @ out[wire]
        out[np.abs(out) < 1e-14] = 0.0
        return out

    def vector(self, amplitudes: Complex) -> Complex:
        """A state vector before the first gate, shape (2^n,), in the frame."""
        n = amplitudes.size.bit_length() - 1
        tensor = amplitudes.reshape((2,) * n)  # axis a is qubit n - 1 - a
        for wire, frame in self.start.items():
            tensor = np.moveaxis(np.tensordot(frame.conj().T, tensor, (1, n - 1 - wire)), 0, n - 1 - wire)
        return np.asarray(tensor.reshape(-1))

    def readout(self, operator: SparsePauliOp, *, back: bool = False) -> SparsePauliOp:
        """An operator after the last gate in the frames, V^dag O V; or one of the frames in the laboratory again."""
        if not any(int(q) in self.end for q in np.flatnonzero((operator.paulis.x | operator.paulis.z).any(axis=0))):
            return operator
        turns = {q: frame.conj().T for q, frame in self.end.items()} if back else self.end
        terms: list[tuple[str, list[int], complex]] = []
        for letters, qubits, coefficient in operator.to_sparse_list():
            string = {tuple(zip(qubits, letters, strict=True)): complex(coefficient)}
            for image, value in in_frame(string, turns).items():
                terms.append(("".join(p for _, p in image), [q for q, _ in image], value))
        return SparsePauliOp.from_sparse_list(terms, num_qubits=operator.num_qubits).simplify()

    def notes(self) -> tuple[str, ...]:
        """What was found, in words."""
        turned = sorted({q for frames in (self.start, *self.after) for q in frames})
        listed = ", ".join(map(str, turned[:_LISTED])) + (", ..." if len(turned) > _LISTED else "")
        text = (
            "no charge is conserved gate by gate, but the circuit hides one: a sum of one-qubit operators that all "
            f"{len(self.charge.runs)} blocks on its {len(self.wires)} wires carry on, whatever the parameters. All is "
            f"computed in its frame, which turns against the laboratory on qubits {listed}; input, readout and noise "
            "are stated in the laboratory and turned with it, noise where it acts: after each block's last gate"
        )
        tilted = sorted(q for q, frame in self.end.items() if not np.array_equal(frame, PAULI["X"]))
        left = f"; after the last gate the frame is still turned on qubits {', '.join(map(str, tilted))}"
        return (text + (left if tilted else ""),)

    def plain(self) -> dict[str, Any]:
        """The axis of the charge on each wire, before the first and after the last gate, as plain data."""
        end = self.charge.end
        axes = [{"qubit": q, "start": self.charge.start[q].tolist(), "end": end[q].tolist()} for q in self.wires]
        return {"blocks": len(self.charge.runs), "axes": axes}


def in_frame(operator: Mapping[String, complex], frames: Mapping[int, Complex]) -> dict[String, complex]:
    """V^dag K V of an operator over Pauli strings, V per qubit; qubits without an entry are not turned."""
    out: dict[String, complex] = {}
    for string, coefficient in operator.items():
        images: dict[String, complex] = {(): coefficient}
        for qubit, letter in string:
            weights = [(letter, 1.0)] if qubit not in frames else _turned_letter(letter, frames[qubit])
            images = {(*head, (qubit, p)): c * w for head, c in images.items() for p, w in weights}
        for image, value in images.items():
            out[image] = out.get(image, 0.0) + value
    return out


def _turned_letter(letter: str, frame: Complex) -> list[tuple[str, float]]:
    moved = frame.conj().T @ PAULI[letter] @ frame
    weights = [(p, float(np.trace(PAULI[p] @ moved).real) / 2) for p in "XYZ"]
    return [(p, w) for p, w in weights if abs(w) > _SMALL]


def find_frames(circuit: QuantumCircuit) -> Frames:
    """The frames of the charge that a circuit hides, and the circuit in them.

    Raises:
        NoHiddenCharge: It hides none; the message names the block that ends every candidate.
        CircuitError: A measurement, reset or control flow inside the circuit.
        ParameterError: An angle is not linear in the parameters.

    Example:
        >>> import equinoise as eq
        >>> from qiskit import transpile
        >>> from equinoise.circuit.compiled.frames import find_frames
        >>> compiled = transpile(eq.circuits.brickwork(4, depth=2), basis_gates=["rz", "sx", "x", "cz"])
        >>> frames = find_frames(compiled)
        >>> len(frames.layers), all(block.conserving for layer in frames.layers for block in layer.blocks)
        (2, True)
    """
    parts, notes = segments(circuit)
    charge = hidden_charge([part.gates for part in parts])
    now = {wire: _frame(axis) for wire, axis in charge.start.items()}
    start = _turned_only(now)
    bare: list[list[Block]] = [[] for _ in parts]
    seen_as: dict[int, tuple[Block, dict[int, Complex]]] = {}
    for run in charge.runs:
        behind = {wire: _frame(axis) for wire, axis in run.after.items()}
        block = Block(run.wires, tuple(run.rotations), tuple(run.gates), False)
        seen_as[id(block)] = _seen(run, now, behind), behind
        bare[run.segment].append(block)
        now |= behind
    blocks = [(part, tuple(some), tuple(part.gates)) for part, some in zip(parts, bare, strict=True)]
    laboratory, found = placed(blocks, circuit.num_qubits)
    layers: list[Layer] = []
    after: list[Mapping[int, Complex]] = []
    current = {wire: _frame(axis) for wire, axis in charge.start.items()}
    for layer in laboratory:
        images = [seen_as[id(block)] for block in layer.blocks]
        for _, behind in images:
            current |= behind
        layers.append(replace(layer, blocks=tuple(block for block, _ in images)))
        after.append(_turned_only(current))
    return Frames(charge, laboratory, tuple(layers), found, start, tuple(after), tuple(notes))


def _frame(axis: Real) -> Complex:
    """V with V Z V^dag = axis . sigma: the identity for +Z, X for -Z, else a turn about Z after one about Y."""
    x, y, z = axis
    if math.hypot(x, y) < 1e-9:
        return PAULI["I"] if z > 0 else PAULI["X"]
    polar, azimuth = math.atan2(math.hypot(x, y), z), math.atan2(y, x)
    turn = np.array([[math.cos(polar / 2), -math.sin(polar / 2)], [math.sin(polar / 2), math.cos(polar / 2)]])
    return np.asarray(np.diag(np.exp([-0.5j * azimuth, 0.5j * azimuth])) @ turn, dtype=np.complex128)


def _turned_only(frames: Mapping[int, Complex]) -> dict[int, Complex]:
    return {wire: frame for wire, frame in frames.items() if frame is not PAULI["I"]}


def _seen(run: Run, before: Mapping[int, Complex], behind: Mapping[int, Complex]) -> Block:
    """A run's block between the frames around it.

    Raises:
        NoHiddenCharge: It does not conserve the charge at every parameter value after all.
    """
    rotations = _between(run.rotations, run.wires, _product(run.wires, before), _product(run.wires, behind))
    if not conserves_charge(rotations, run.wires):
        raise NoHiddenCharge(
            f"the block of gates {sorted(g.position for g in run.gates)} on qubits {list(run.wires)} carries the "
            "charge at single parameter values and not at all of them"
        )
    return Block(run.wires, rotations, tuple(run.gates))


def _product(wires: tuple[int, ...], frames: Mapping[int, Complex]) -> Complex:
    first = frames[wires[0]]
    return first if len(wires) == 1 else np.asarray(np.kron(frames[wires[1]], first))


def _between(
    rotations: Sequence[Rotation], wires: tuple[int, ...], before: Complex, behind: Complex
) -> tuple[Rotation, ...]:
    """V_out^dag R_m ... R_1 V_in as rotations by the parameters and one fixed unitary at the end."""
    # With a product F P so far, F fixed and P of parameters alone, a rotation by c + p, p linear in the parameters,
    # adds exp(-i c H) exp(-i p H) F P = (exp(-i c H) F) exp(-i p F^dag H F) P. At p = 0 the whole block is F, so F
    # conserves the charge, and so does P.
    fixed = before
    free: list[tuple[Angle, Complex]] = []
    for rotation in rotations:
        generator = embed(rotation.generator, rotation.qubits, wires)
        if rotation.angle.coefficients:
            _join(free, rotation.angle, fixed.conj().T @ generator @ fixed)
        if rotation.angle.constant:
            fixed = (
                replace(rotation, qubits=wires, generator=generator, angle=Angle(rotation.angle.constant)).matrix(
                    np.zeros(0)
                )
                @ fixed
            )
    fixed = behind.conj().T @ fixed
    out = [Rotation(wires, _clean(generator), angle) for angle, generator in free if np.abs(generator).max() > 1e-12]
    if np.abs(fixed - np.trace(fixed) / len(fixed) * np.eye(len(fixed))).max() > 1e-12:
        out.append(fixed_rotation(_clean(fixed), wires))
    return tuple(out)


def _join(free: list[tuple[Angle, Complex]], angle: Angle, generator: Complex) -> None:
    """Adds a rotation by parameters alone, to an earlier one of the same angle where all between commute with it."""
    factor = angle.coefficients[0][1]
    scaled = Angle(0.0, tuple((k, significant(c / factor)) for k, c in angle.coefficients))
    size = len(generator)
    matrix = factor * (generator + generator.conj().T) / 2
    matrix = matrix - np.trace(matrix) / size * np.eye(size)
    for place in range(len(free) - 1, -1, -1):
        other, found = free[place]
        scale = float(np.abs(found).max() * np.abs(matrix).max())
        if np.abs(found @ matrix - matrix @ found).max() > 1e-12 * max(scale, 1e-300):
            break
        if other == scaled:
            free[place] = other, found + matrix
            return
    free.append((scaled, matrix))


def _clean(matrix: Complex) -> Complex:
    """Without rounding errors on its zeros, read-only."""
    out = np.array(matrix, dtype=np.complex128)
    floor = _SMALL * float(np.abs(out).max())
    out.real[np.abs(out.real) < floor] = 0.0
    out.imag[np.abs(out.imag) < floor] = 0.0
    out.setflags(write=False)
    return out
