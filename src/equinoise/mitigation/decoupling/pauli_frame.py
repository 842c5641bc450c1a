"""Pauli frames: a circuit between pulses that have not yet closed, as the circuit that it is in their frame.

With pulses of product F before a gate G, G F = F (F^dag G F): what runs is F^dag G F in the frame F, and the readout at
the end is F^dag O F. An X or Y in F turns the sign of every Z, a Z that of every X.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction
from qiskit.circuit.library import CPhaseGate, PhaseGate, UnitaryGate, XXPlusYYGate
from qiskit.quantum_info import Operator, Pauli, SparsePauliOp

from equinoise.errors import CircuitError, ReadoutError, SymmetryError
from equinoise.problem import Problem

__all__ = ["Frame", "conjugated", "framed_problem", "product", "seen_readout"]

Frame = str
"""A Pauli "I", "X", "Y" or "Z" on one qubit, up to a phase."""

_LETTERS = {(0, 0): "I", (1, 0): "X", (1, 1): "Y", (0, 1): "Z"}
_BITS = {letter: bits for bits, letter in _LETTERS.items()}
_GENERATORS = {"rx": "X", "ry": "Y", "rz": "Z", "rxx": "XX", "ryy": "YY", "rzz": "ZZ", "rzx": "ZX"}

Pieces = list[tuple[Instruction, tuple[int, ...]]]


def product(first: Frame, second: Frame) -> Frame:
    """The product of two Paulis up to a phase."""
    (a, b), (c, d) = _BITS[first], _BITS[second]
    return _LETTERS[a ^ c, b ^ d]


def _anticommute(letters: str, frame: Sequence[Frame]) -> bool:
    # Two Paulis with bits (x, z) and (x', z') anticommute iff x z' + z x' is odd; strings iff that holds on an odd
    # number of qubits.
    odd = sum(_BITS[p][0] * _BITS[f][1] + _BITS[p][1] * _BITS[f][0] for p, f in zip(letters, frame, strict=True))
    return bool(odd % 2)


def conjugated(operation: Instruction, frame: Sequence[Frame]) -> Pieces | None:
    """F^dag G F up to a phase, as (instruction, its wires among the gate's own) in time order.

    RZ(a) in the frame X is RZ(-a); XX+YY in X on both wires is itself, in Z on one wire XX+YY of the opposite angle.

    Args:
        operation: G.
        frame: One letter for each of its qubits.

    Returns:
        None where the result is no gate of the same kind: a free angle that F does not map onto itself, or the wrong
        kind of exchange (XX+YY with one wire flipped is XX-YY).

    Example:
        >>> from qiskit.circuit.library import RZGate
        >>> from equinoise.mitigation.decoupling.pauli_frame import conjugated
        >>> conjugated(RZGate(0.5), "X")[0][0].params
        [-0.5]
    """
    wires = tuple(range(operation.num_qubits))
    if all(f == "I" for f in frame) or operation.name in ("id", "delay"):
        return [(operation, wires)]
    x = [_BITS[f][0] for f in frame]
    standard = operation.base_class.__module__.startswith("qiskit.circuit.library.standard_gates")
    name = operation.name if standard else ""
    if name in _GENERATORS:
        sign = -1 if _anticommute(_GENERATORS[name], frame) else 1
        return [(operation.base_class(sign * operation.params[0]), wires)]
    if name in ("p", "u1"):
        return [(operation.base_class((-1) ** x[0] * operation.params[0]), wires)]
    if name in ("cp", "cu1"):
        # n_a n_b with n -> 1 - n on the flipped wires
        angle = operation.params[0]
        pieces: Pieces = [(CPhaseGate((-1) ** sum(x) * angle), wires)]
        if x[0]:
            pieces.append((PhaseGate((-1) ** x[1] * angle), (1,)))
        if x[1]:
            pieces.append((PhaseGate((-1) ** x[0] * angle), (0,)))
        return pieces
    if name == "xx_plus_yy":
        if x[0] != x[1]:
            return None
        theta, beta = operation.params
        # X on both wires leaves XX + YY alone and turns the sign of its Z phase beta; Z on one wire turns the sign of
        # XX and YY.
        odd = (_BITS[frame[0]][1] + _BITS[frame[1]][1]) % 2
        return [(XXPlusYYGate((-1) ** odd * theta, (-1) ** x[0] * beta), wires)]
    if getattr(operation, "is_parameterized", lambda: False)() or len(wires) > 2:
        return None
    pauli = Pauli("".join(reversed(frame))).to_matrix()
    matrix = np.asarray(pauli.conj().T @ Operator(operation).data @ pauli)
    return [(UnitaryGate(matrix, label=f"{operation.name} in the frame {''.join(frame)}"), wires)]


def seen_readout(readout: SparsePauliOp, frame: Sequence[Frame]) -> SparsePauliOp:
    """F^dag O F: every term with the sign that the frame gives it.

    Args:
        readout: O on n qubits.
        frame: n letters, qubit 0 first.
    """
    signs = []
    for pauli in readout.paulis:
        letters = [_LETTERS[int(a), int(b)] for a, b in zip(pauli.x, pauli.z, strict=True)]
        signs.append(-1 if _anticommute("".join(letters), frame) else 1)
    return SparsePauliOp(readout.paulis, readout.coeffs * np.array(signs))


def framed_problem(
    problem: Problem, frames: Mapping[int, tuple[Frame, ...]], final: Sequence[Frame]
) -> tuple[Problem, tuple[str, ...]]:
    """The problem as it is in the frame of its pulses, without noise; gates under a closed frame stay as they are.

    Args:
        problem: As stated.
        frames: For each position in ``problem.circuit.data`` under an open frame, one letter for each of its qubits.
        final: The frame at the readout, one letter for each qubit.

    Returns:
        The problem (the same object where all frames are closed) and notes.

    Raises:
        CircuitError: A gate that in its frame no longer conserves the charge, named.
        ReadoutError: The same of the readout.
    """
    opened = {p: f for p, f in frames.items() if any(letter != "I" for letter in f)}
    ends = [q for q, letter in enumerate(final) if letter != "I"]
    if not opened and not ends:
        return problem, ()
    circuit = problem.circuit
    out = QuantumCircuit(*circuit.qregs, *circuit.cregs, global_phase=circuit.global_phase)
    for qubit in circuit.qubits:
        if qubit not in out.qubits:
            out.add_bits([qubit])
    changed: dict[int, str] = {}
    for position, item in enumerate(circuit.data):
        if position not in opened:
            out.append(item)
            continue
        frame = opened[position]
        qubits = [circuit.find_bit(bit).index for bit in item.qubits]
        where = f"gate {item.operation.name!r} at position {position} on qubits {qubits}"
        pieces = conjugated(item.operation, frame)
        if pieces is None:
            raise CircuitError(
                f"the pulses before {where} leave the frame {_told(frame, qubits)} open, and in it the gate no longer "
                "conserves the charge. Close the frame before it (X X, X Y X Y), or flip both of its qubits."
            )
        for operation, wires in pieces:
            changed[len(out.data)] = f"{where} in the frame {_told(frame, qubits)}"
            out.append(operation, [item.qubits[w] for w in wires])
    if problem.projected and any(_BITS[final[q]][0] for q in ends):
        raise ReadoutError(
            f"the pulses leave the frame {_told([final[q] for q in ends], ends)} open at the readout, which moves the "
            "charge that the projected readout selects. Close the frame before the end of the circuit."
        )
    readout = seen_readout(problem.readout, final)
    try:
        framed = Problem(
            out,
            readout if ends else problem.readout,
            initial=problem.stated_initial,
            projected=problem.projected,
            charge=problem.charge,
            allow_broken=problem.allow_broken,
            symmetry=problem.symmetry,
        )
    except SymmetryError as error:
        raise CircuitError(
            f"the circuit in the frame of its pulses no longer conserves the charge: {error} Open frames: "
            f"{'; '.join(list(changed.values())[:3])}. Close the frames before these gates."
        ) from None
    except ReadoutError as error:
        raise ReadoutError(
            f"the pulses leave the frame {_told([final[q] for q in ends], ends)} open at the readout; in it {error}"
        ) from None
    if len(framed.layers) != len(problem.layers):
        raise CircuitError(
            f"the circuit in the frame of its pulses has {len(framed.layers)} layers instead of {len(problem.layers)}. "
            "Put full-width barriers between the layers of the problem's circuit, or close the frames."
        )
    notes = []
    if opened:
        notes.append(f"decoupling: {len(opened)} gates run under an open Pauli frame and were conjugated by it")
    if ends:
        notes.append(f"decoupling: the frame {_told([final[q] for q in ends], ends)} is open at the readout")
    return framed, tuple(notes)


def _told(frame: Sequence[Frame], qubits: Sequence[int]) -> str:
    return " ".join(f"{letter}{q}" for letter, q in zip(frame, qubits, strict=True) if letter != "I")
