"""Average and process fidelities of calibrated gates, and the depolarizing that they hold beyond T1 and T2."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from qiskit.transpiler import InstructionProperties, Target

__all__ = ["known_number", "left_by_depolarizing", "process_fidelity", "rate_of", "stated", "thermal_fidelity"]

Real = npt.NDArray[np.float64]


def stated(target: Target, name: str, qubits: tuple[int, ...]) -> InstructionProperties | None:
    """What the target states about an instruction on physical qubits (error, duration); None when nothing."""
    return (target[name] or {}).get(qubits) if name in target else None


def known_number(known: InstructionProperties | None, what: str) -> float | None:
    """A calibrated "error" or "duration" in seconds; None where it is not stated."""
    value = getattr(known, what, None)
    return None if value is None or math.isnan(value) else float(value)


def process_fidelity(error: Any, d: int) -> Any:
    """F_pro = ((d + 1) F_avg - 1)/d for the average gate infidelity ``error`` = 1 - F_avg in dimension d."""
    return ((d + 1) * (1 - error) - 1) / d


def thermal_fidelity(t1: Any, t2: Any, duration: Any) -> Any:
    """Process fidelity (1 + exp(-t/T1) + 2 exp(-t/T2))/4 of one qubit that relaxes and dephases for t seconds."""
    return (1 + np.exp(-duration / t1) + 2 * np.exp(-duration / t2)) / 4


def left_by_depolarizing(errors: Sequence[tuple[int, Any]], thermal: Any, num_qubits: int) -> Real:
    """What a block's depolarizing leaves of an operator, e in e F_thermal + (1 - e)/d^2 = F_calibrated.

    F_calibrated is the product of the native gates' process fidelities. 0 where a gate, or the block, is calibrated no
    better than complete depolarizing: no rate gives that. Above 1 where T1 and T2 alone exceed the calibrated error.

    Args:
        errors: (number of qubits, average infidelity) of each native gate; arrays for many places at once.
        thermal: F_thermal, the process fidelity of T1 and T2 during the block.
        num_qubits: Of the block, d = 2^num_qubits.
    """
    # With thermal noise of process fidelity F_thermal and depolarizing that leaves the share e of each operator but 1,
    # F = e F_thermal + (1 - e)/d^2: solved for e. 1/d^2 is the process fidelity of complete depolarizing.
    mixed = 4.0**-num_qubits
    whole: Any = 1.0
    usable: Any = True
    for width, error in errors:
        each = process_fidelity(error, 2**width)
        whole = whole * each
        usable = usable & (each > 4.0**-width)
    kept = (whole - mixed) / (thermal - mixed)
    return np.asarray(np.where(usable & (kept > 0), kept, 0.0))


def rate_of(kept: Any) -> Real:
    """-ln of what is left; 0 where nothing is lost, infinite where nothing is left."""
    kept = np.asarray(kept, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(np.where(kept < 1 - 1e-14, -np.log(kept), 0.0))
