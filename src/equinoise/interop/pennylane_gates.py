"""PennyLane's gates in Qiskit's: each as a product of gates whose angles are linear in its parameters.

Equal up to a global phase. PennyLane's first wire is the most significant bit of a gate's matrix, Qiskit's the least;
only gates that tell their wires apart notice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit.circuit import Gate
from qiskit.circuit.library import (
    CPhaseGate,
    CRXGate,
    CRYGate,
    CRZGate,
    PhaseGate,
    RXGate,
    RXXGate,
    RYGate,
    RYYGate,
    RZGate,
    RZZGate,
    SwapGate,
    UGate,
    UnitaryGate,
    XGate,
    XXPlusYYGate,
)

__all__ = ["FREE_GATES", "IDLE", "MATRICES", "GatePart", "fixed_gate", "gate_parts", "is_fixed"]


@dataclass(frozen=True)
class GatePart:
    """One Qiskit gate of a PennyLane gate.

    Attributes:
        gate: Qiskit's class.
        wires: Positions among the PennyLane gate's wires, in Qiskit's order.
        angles: Per angle either a number, in radians, or (index, factor): factor times that parameter.
    """

    gate: type[Gate]
    wires: tuple[int, ...]
    angles: tuple[float | tuple[int, float], ...] = ()


def _turn(gate: type[Gate], *wires: int, factor: float = 1.0, of: int = 0) -> GatePart:
    return GatePart(gate, wires, ((of, factor),))


def _excitation(factor: float = 0.0) -> tuple[GatePart, ...]:
    """The real rotation of |01>, |10>, and a phase factor * phi on |00> and |11>."""
    rotation = GatePart(XXPlusYYGate, (1, 0), ((0, 1.0), math.pi / 2))
    return (rotation, _turn(RZZGate, 0, 1, factor=-factor)) if factor else (rotation,)


FREE_GATES: dict[str, tuple[GatePart, ...]] = {
    "RX": (_turn(RXGate, 0),),
    "RY": (_turn(RYGate, 0),),
    "RZ": (_turn(RZGate, 0),),
    "PhaseShift": (_turn(PhaseGate, 0),),
    "U1": (_turn(PhaseGate, 0),),
    "U2": (GatePart(UGate, (0,), (math.pi / 2, (0, 1.0), (1, 1.0))),),
    "U3": (GatePart(UGate, (0,), ((0, 1.0), (1, 1.0), (2, 1.0))),),
    "Rot": (_turn(RZGate, 0), _turn(RYGate, 0, of=1), _turn(RZGate, 0, of=2)),
    "CRX": (_turn(CRXGate, 0, 1),),
    "CRY": (_turn(CRYGate, 0, 1),),
    "CRZ": (_turn(CRZGate, 0, 1),),
    "IsingXX": (_turn(RXXGate, 0, 1),),
    "IsingYY": (_turn(RYYGate, 0, 1),),
    "IsingZZ": (_turn(RZZGate, 0, 1),),
    "IsingXY": (_turn(XXPlusYYGate, 0, 1, factor=-1.0),),
    "ControlledPhaseShift": (_turn(CPhaseGate, 0, 1),),
    # phases on |00>, |01>, |10> from 1 - a - b + ab, b - ab and a - ab, with a, b the occupations
    "CPhaseShift00": (
        _turn(PhaseGate, 0, factor=-1.0),
        _turn(PhaseGate, 1, factor=-1.0),
        _turn(CPhaseGate, 0, 1),
    ),
    "CPhaseShift01": (_turn(PhaseGate, 1), _turn(CPhaseGate, 0, 1, factor=-1.0)),
    "CPhaseShift10": (_turn(PhaseGate, 0), _turn(CPhaseGate, 0, 1, factor=-1.0)),
    "SingleExcitation": _excitation(),
    "SingleExcitationPlus": _excitation(0.5),
    "SingleExcitationMinus": _excitation(-0.5),
    "FermionicSWAP": (
        _turn(XXPlusYYGate, 0, 1),
        _turn(PhaseGate, 0, factor=0.5),
        _turn(PhaseGate, 1, factor=0.5),
    ),
    "PSWAP": (GatePart(SwapGate, (0, 1)), _turn(RZZGate, 0, 1)),
}
_MULTI_RZ: dict[int, tuple[GatePart, ...]] = {1: (_turn(RZGate, 0),), 2: (_turn(RZZGate, 0, 1),)}
IDLE = frozenset({"Identity", "GlobalPhase"})
"""Gates that change no mean; their parameters have gradient 0."""
MATRICES = frozenset({"QubitUnitary", "DiagonalQubitUnitary"})
"""Gates whose parameter is a matrix or its diagonal."""


def gate_parts(name: str, num_wires: int) -> tuple[GatePart, ...] | None:
    """The Qiskit gates of a PennyLane gate with scalar parameters; None if there are none."""
    if name == "MultiRZ":
        return _MULTI_RZ.get(num_wires)
    return FREE_GATES.get(name)


def is_fixed(operation: Any) -> bool:
    """Whether a gate without scalar parameters, on one or two wires, is taken through its matrix."""
    if not 1 <= len(operation.wires) <= 2 or not operation.has_matrix:
        return False
    return operation.name in MATRICES or operation.num_params == 0


def fixed_gate(operation: Any) -> tuple[Gate, tuple[int, ...]]:
    """A gate through its matrix, and the positions of its wires in Qiskit's order."""
    if operation.name == "PauliX":
        return XGate(), (0,)
    matrix = np.asarray(operation.matrix(), dtype=np.complex128)
    return UnitaryGate(matrix, label=str(operation.name)), _reversed(operation.wires)


def _reversed(wires: Sequence[Any]) -> tuple[int, ...]:
    return tuple(range(len(wires)))[::-1]
