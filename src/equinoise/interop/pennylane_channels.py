"""PennyLane's noise channels as Lindblad terms: rates with exp(generator) = channel, exactly.

A qubit's Bloch vector under dephasing r is (e x, e y, z), e = exp(-2r); under relaxation with down + up = g its
coherence falls as exp(-g/2) and <Z> goes to (down - up)/g as exp(-g); under depolarizing r all of it as exp(-r); under
a Pauli jump r what anticommutes with it as exp(-2r).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from equinoise.errors import NoiseError
from equinoise.noise.terms import Dephasing, Depolarizing, NoiseTerm, PauliJump, Relaxation
from equinoise.noise.terms.kraus import Kraus

__all__ = ["CHANNELS", "channel_terms", "check_channel"]

Terms = list[NoiseTerm]


def _dephasing(rate: float, qubit: int) -> Terms:
    return [Dephasing(rate, ((qubit, 1.0),))] if rate > 0 else []


def _relaxation(rate: float, upward: float, qubit: int) -> Terms:
    """Relaxation of total rate down + up with the share ``upward``."""
    return [Relaxation(qubit, down=rate * (1 - upward), up=rate * upward)] if rate > 0 else []


def _decay(kept: float, what: str) -> float:
    """-ln of the factor that is kept."""
    if not kept > 0:
        raise NoiseError(
            f"{what} has no finite rate: it erases or inverts what it acts on in one step. Use a weaker channel "
            "(PhaseDamping and AmplitudeDamping below 1, PhaseFlip, BitFlip and PauliError below 1/2, "
            "DepolarizingChannel below 3/4), or default.mixed."
        )
    return max(0.0, -math.log(kept))


def _phase_damping(data: Sequence[float], qubits: Sequence[int], what: str) -> Terms:
    # coherence times sqrt(1 - gamma)
    return _dephasing(_decay(1 - data[0], what) / 4, qubits[0])


def _phase_flip(data: Sequence[float], qubits: Sequence[int], what: str) -> Terms:
    # coherence times 1 - 2p
    return _dephasing(_decay(1 - 2 * data[0], what) / 2, qubits[0])


def _bit_flip(data: Sequence[float], qubits: Sequence[int], what: str) -> Terms:
    # y and z times 1 - 2p
    rate = _decay(1 - 2 * data[0], what) / 2
    return [PauliJump(((qubits[0], "X"),), rate)] if rate > 0 else []


def _amplitude_damping(data: Sequence[float], qubits: Sequence[int], what: str) -> Terms:
    # the population of |1> times 1 - gamma
    return _relaxation(_decay(1 - data[0], what), 0.0, qubits[0])


def _generalized_damping(data: Sequence[float], qubits: Sequence[int], what: str) -> Terms:
    gamma, excited = data  # in PennyLane's Kraus operators the second is the share that goes up
    return _relaxation(_decay(1 - gamma, what), excited, qubits[0])


def _depolarizing(data: Sequence[float], qubits: Sequence[int], what: str) -> Terms:
    # the Bloch vector times 1 - 4p/3
    rate = _decay(1 - 4 * data[0] / 3, what)
    return [Depolarizing((qubits[0],), rate)] if rate > 0 else []


def _thermal(data: Sequence[float], qubits: Sequence[int], what: str) -> Terms:
    # populations relax at 1/T1, the coherence at 1/T2, the part beyond 1/(2 T1) being dephasing
    excited, t1, t2, time = data
    total = time / t1
    return _dephasing(max(0.0, time / t2 - total / 2) / 2, qubits[0]) + _relaxation(total, excited, qubits[0])


def _reset(data: Sequence[float], qubits: Sequence[int], what: str) -> Terms:
    # everything times 1 - p0 - p1: the coherence falls twice as fast as relaxation alone lets it
    to_zero, to_one = data
    total = _decay(1 - to_zero - to_one, what)
    if total == 0:
        return []
    return _dephasing(total / 4, qubits[0]) + _relaxation(total, to_one / (to_zero + to_one), qubits[0])


def _pauli(letters: str, data: Sequence[float], qubits: Sequence[int], what: str) -> Terms:
    string = tuple((q, letter) for q, letter in zip(qubits, letters, strict=True) if letter != "I")
    if not string:
        return []
    rate = _decay(1 - 2 * data[0], what) / 2
    if len(string) == 1 and string[0][1] == "Z":
        return _dephasing(rate, string[0][0])
    return [PauliJump(string, rate)] if rate > 0 else []


CHANNELS: dict[str, Callable[[Sequence[float], Sequence[int], str], Terms]] = {
    "AmplitudeDamping": _amplitude_damping,
    "BitFlip": _bit_flip,
    "DepolarizingChannel": _depolarizing,
    "GeneralizedAmplitudeDamping": _generalized_damping,
    "PhaseDamping": _phase_damping,
    "PhaseFlip": _phase_flip,
    "ResetError": _reset,
    "ThermalRelaxationError": _thermal,
}


def channel_terms(operation: Any, qubits: Sequence[int]) -> Terms:
    """The Lindblad terms of a PennyLane channel, acting in one slot; none if it does nothing.

    Args:
        operation: A channel of :data:`CHANNELS`, ``PauliError``, or ``QubitChannel`` on one or two wires.
        qubits: Circuit qubits of its wires.

    Raises:
        NoiseError: It has no finite rates, or is of another kind (named).

    Example:
        >>> import pennylane as qml
        >>> (term,) = channel_terms(qml.PhaseDamping(0.02, wires=0), [0])
        >>> round(term.rate, 8)
        0.00505068
    """
    check_channel(operation)
    if operation.name == "QubitChannel":
        return _any_channel(operation, qubits)
    data = [float(p) for p in operation.data]
    what = f"{operation.name}({', '.join(f'{p:g}' for p in data)}, wires={list(operation.wires)})"
    if operation.name == "PauliError":
        return _pauli(operation.hyperparameters["operators"], data, qubits, what)
    return CHANNELS[operation.name](data, qubits, what)


def _any_channel(operation: Any, qubits: Sequence[int]) -> Terms:
    kraus = [np.asarray(k, dtype=np.complex128) for k in operation.data]
    # PennyLane's first wire is the most significant bit
    places, kept = tuple(qubits)[::-1], [k for k in kraus if np.abs(k).max() > 1e-15]
    if all(np.abs(k - k[0, 0] * np.eye(len(k))).max() < 1e-15 for k in kept):
        return []
    try:
        return [Kraus(places, tuple(kept), divisible=False)]  # type: ignore[arg-type]
    except NoiseError as error:
        raise NoiseError(f"QubitChannel on wires {list(operation.wires)}: {error}") from None


def check_channel(operation: Any) -> bool:
    """Refuses a channel of another kind, whatever its strength; else True.

    Raises:
        NoiseError: Naming it and what to use.
    """
    if operation.name == "QubitChannel" and len(operation.wires) > 2:
        raise NoiseError(
            f"QubitChannel on the {len(operation.wires)} wires {list(operation.wires)}: equinoise.sector takes "
            "channels on one or two. Write it as such, or use default.mixed."
        )
    if operation.name not in (*CHANNELS, "PauliError", "QubitChannel"):
        known = ", ".join(sorted([*CHANNELS, "PauliError", "QubitChannel"]))
        raise NoiseError(
            f"{operation.name} on wires {list(operation.wires)} is not a channel that equinoise.sector takes. "
            f"Use one of {known}, or the device's noise=... option."
        )
    return True
