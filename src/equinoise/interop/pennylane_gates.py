"""PennyLane's gates in Qiskit's: each as a product of gates whose angles are linear in its parameters.

Equal up to a global phase. PennyLane's first wire is the most significant bit of a gate's matrix, Qiskit's the least;
only gates that tell their wires apart notice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from qiskit.circuit import Gate
from qiskit.circuit.library import (
    CPhaseGate,
    CRXGate,
    CRYGate,
    CRZGate,
    PauliEvolutionGate,
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
from qiskit.quantum_info import SparsePauliOp

from equinoise.circuit.gates import WIDEST_DIAGONAL, is_wide_block

__all__ = ["FREE_GATES", "IDLE", "MATRICES", "GatePart", "first_wires", "fixed_gate", "gate_parts", "is_fixed"]


@dataclass(frozen=True)
class GatePart:
    """One Qiskit gate of a PennyLane gate.

    Attributes:
        gate: Qiskit's class, or what makes the gate of its angles.
        wires: Positions among the PennyLane gate's wires, in Qiskit's order.
        angles: Per angle either a number, in radians, or (index, factor): factor times that parameter.
    """

    gate: Callable[..., Gate]
    wires: tuple[int, ...]
    angles: tuple[float | tuple[int, float], ...] = ()


def _turn(gate: type[Gate], *wires: int, factor: float = 1.0, of: int = 0) -> GatePart:
    return GatePart(gate, wires, ((of, factor),))


def _excitation(factor: float = 0.0) -> tuple[GatePart, ...]:
    """The real rotation of |01>, |10>, and a phase factor * phi on |00> and |11>."""
    rotation = GatePart(XXPlusYYGate, (1, 0), ((0, 1.0), math.pi / 2))
    return (rotation, _turn(RZZGate, 0, 1, factor=-factor)) if factor else (rotation,)


def _evolution(terms: Mapping[str, float], places: Sequence[int], strings: Sequence[int] = ()) -> tuple[GatePart, ...]:
    """exp(-i phi H), H a sum of letters on some of the wires times Z on others."""
    listed = [(letters + "Z" * len(strings), [*places, *strings], value) for letters, value in terms.items()]
    count = 1 + max([*places, *strings])
    operator = SparsePauliOp.from_sparse_list(listed, num_qubits=count)

    def gate(angle: Any) -> Gate:
        return PauliEvolutionGate(operator, time=angle)

    return (GatePart(gate, tuple(range(count)), ((0, 1.0),)),)


# i (a^dag_0 a^dag_1 a_2 a_3 - h.c.)/2 up to sign: eight strings that conserve the charge together
_DOUBLE = {
    letters: sign / 16
    for letters, sign in {
        "XXXY": -1, "XXYX": -1, "XYXX": 1, "XYYY": -1, "YXXX": 1, "YXYY": -1, "YYXY": 1, "YYYX": 1,
    }.items()
}  # fmt: skip
# half of the projector on |0011> and |1100>, the identity left out
_PAIRED = {"IIZZ": 1, "IZIZ": -1, "IZZI": -1, "ZIIZ": -1, "ZIZI": -1, "ZZII": 1, "ZZZZ": 1}
_HOP = {"XY": 0.25, "YX": -0.25}


def _orbital_rotation() -> tuple[GatePart, ...]:
    up, down = ({letters: -value for letters, value in _HOP.items()} for _ in range(2))
    return (*_evolution(up, (0, 2), (1,)), *_evolution(down, (1, 3), (2,)))


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
    "DoubleExcitation": _evolution(_DOUBLE, range(4)),
    "DoubleExcitationPlus": _evolution(_DOUBLE | {k: v / 16 for k, v in _PAIRED.items()}, range(4)),
    "DoubleExcitationMinus": _evolution(_DOUBLE | {k: -v / 16 for k, v in _PAIRED.items()}, range(4)),
    "OrbitalRotation": _orbital_rotation(),
    "PSWAP": (GatePart(SwapGate, (0, 1)), _turn(RZZGate, 0, 1)),
}
IDLE = frozenset({"Identity", "GlobalPhase"})
"""Gates that change no mean; their parameters have gradient 0."""
MATRICES = frozenset({"QubitUnitary", "DiagonalQubitUnitary"})
"""Gates whose parameter is a matrix or its diagonal."""


def gate_parts(operation: Any) -> tuple[GatePart, ...] | None:
    """The Qiskit gates of a PennyLane gate with scalar parameters; None if there are none."""
    return _parts(operation.name, len(operation.wires), first_wires(operation))


def first_wires(operation: Any) -> int:
    """How many wires of a fermionic double excitation are those it creates on; 0 for all other gates."""
    return len(operation.hyperparameters.get("wires1", ())) if operation.name == "FermionicDoubleExcitation" else 0


@lru_cache(maxsize=256)
def _parts(name: str, num_wires: int, first: int) -> tuple[GatePart, ...] | None:
    last = num_wires - 1
    if name == "MultiRZ" and num_wires <= 2:
        return (_turn(RZGate, 0),) if num_wires == 1 else (_turn(RZZGate, 0, 1),)
    if name == "MultiRZ":
        return _evolution({"Z": 0.5}, (0,), range(1, num_wires))
    if name == "FermionicSingleExcitation":  # with the Jordan-Wigner string of the wires between
        return _evolution(_HOP, (0, last), range(1, last))
    if name == "FermionicDoubleExcitation":
        between = [i for i in range(num_wires) if i not in (0, first - 1, first, last)]
        return _evolution(_DOUBLE, (0, first - 1, first, last), between)
    return FREE_GATES.get(name)


def is_fixed(operation: Any) -> bool:
    """Whether a gate without scalar parameters is taken through its matrix: on one or two wires, or a wide block."""
    if not 1 <= len(operation.wires) <= WIDEST_DIAGONAL or not operation.has_matrix:
        return False
    if operation.name not in MATRICES and operation.num_params > 0:
        return False
    return len(operation.wires) <= 2 or is_wide_block(np.asarray(operation.matrix(), dtype=np.complex128))


def fixed_gate(operation: Any) -> tuple[Gate, tuple[int, ...]]:
    """A gate through its matrix, and the positions of its wires in Qiskit's order."""
    if operation.name == "PauliX":
        return XGate(), (0,)
    matrix = np.asarray(operation.matrix(), dtype=np.complex128)
    return UnitaryGate(matrix, label=str(operation.name)), _reversed(operation.wires)


def _reversed(wires: Sequence[Any]) -> tuple[int, ...]:
    return tuple(range(len(wires)))[::-1]
