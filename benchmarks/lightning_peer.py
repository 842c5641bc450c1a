"""Noiseless gradients by PennyLane Lightning: ``lightning.qubit``, adjoint differentiation, in double precision.

Its own gates: IsingXY(phi) = exp(i phi (XX + YY)/4), so phi = -theta; IsingZZ and RZ as Qiskit's. SingleExcitation
would serve as well (a phase per qubit turns the hopping into Givens rotations) and was no faster. The tape goes
straight to the device, which was faster than a QNode with autograd (33 against 41 ms at 16 qubits, 2.5 against 10 ms
at 8).

It knows no light cone and no charge, and walks through every gate on 2^n amplitudes. One thread: it spreads observables
over threads, and here is one; a second thread has nothing to do, but is waited for, 8 ms a gradient on a busy machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pennylane as qml
from qiskit import QuantumCircuit
from threadpoolctl import ThreadpoolController

__all__ = ["lightning_gradient", "lightning_kernels_gradient"]


def lightning_gradient(circuit: QuantumCircuit) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """A function from angles, shape (K,), to value and gradient of Z in the middle, Neel input.

    Device and tape are built here, outside the time measured; what remains is to bind the angles and to run.
    """
    device, tape, order, signs = _prepared(circuit)
    trainable = tape.trainable_params

    def run(theta: np.ndarray) -> tuple[float, np.ndarray]:
        bound = tape.bind_new_parameters((signs * theta[order]).tolist(), trainable)
        (value,), (jacobian,) = device.execute_and_compute_derivatives((bound,))
        return float(value), _gathered(np.array(jacobian), order, signs, theta.size)

    return run


def lightning_kernels_gradient(circuit: QuantumCircuit) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """The same by Lightning's compiled kernels alone, without PennyLane's Python around them: its least possible time.

    Nobody calls them so: they are no public interface, and belong to the release that pyproject.toml allows.
    """
    from pennylane_lightning.lightning_base._serialize import QuantumScriptSerializer
    from pennylane_lightning.lightning_qubit_ops import MeasurementsC128, StateVectorC128
    from pennylane_lightning.lightning_qubit_ops.algorithms import AdjointJacobianC128, create_ops_listC128

    device, tape, order, signs = _prepared(circuit)
    serializer = QuantumScriptSerializer(device.name, False, False, False)
    observables, _ = serializer.serialize_observables(tape)
    (names, _, wires, *rest), _ = serializer.serialize_ops(tape)
    n = circuit.num_qubits
    state = StateVectorC128(n)
    steps = [(getattr(state, name), on) for name, on in zip(names, wires, strict=True)]
    jacobian = AdjointJacobianC128()
    which = list(range(len(names)))

    def run(theta: np.ndarray) -> tuple[float, np.ndarray]:
        angles = [[angle] for angle in (signs * theta[order]).tolist()]
        state.resetStateVector()
        state.setBasisState(_neel(n), list(range(n)))
        for (step, on), angle in zip(steps, angles, strict=True):
            step(on, False, angle)
        value = MeasurementsC128(state).expval("PauliZ", [n // 2])
        operations = create_ops_listC128(names, angles, wires, *rest)
        found = np.array(jacobian(state, observables, operations, which))
        return float(value), _gathered(found, order, signs, theta.size)

    return run


def _neel(num_qubits: int) -> list[int]:
    return [1 - q % 2 for q in range(num_qubits)]


def _gathered(jacobian: np.ndarray, order: np.ndarray, signs: np.ndarray, count: int) -> np.ndarray:
    return np.bincount(order, weights=signs * jacobian, minlength=count)


def _prepared(circuit: QuantumCircuit) -> tuple[Any, Any, np.ndarray, np.ndarray]:
    """The device, the tape, and for each gate the number of its angle and that angle's sign."""
    n = circuit.num_qubits
    index = {parameter: k for k, parameter in enumerate(circuit.parameters)}
    native = {"xx_plus_yy": (qml.IsingXY, -1.0), "rzz": (qml.IsingZZ, 1.0), "rz": (qml.RZ, 1.0)}
    operations = [qml.BasisState(np.array(_neel(n)), wires=range(n))]
    order, signs = [], []
    for item in circuit.data:
        name = item.operation.name
        if name == "barrier":
            continue
        gate, sign = native[name]
        operations.append(gate(0.0, wires=[circuit.find_bit(bit).index for bit in item.qubits]))
        order.append(index[item.operation.params[0]])
        signs.append(sign)
    # parameter 0 is the input's
    trainable = list(range(1, len(operations)))
    tape = qml.tape.QuantumScript(operations, [qml.expval(qml.Z(n // 2))], trainable_params=trainable)
    device = qml.device("lightning.qubit", wires=n)
    # its own OpenMP library alone: the other programs keep their threads
    loaded = ThreadpoolController()
    own = [library.filepath for library in loaded.lib_controllers if "pennylane_lightning" in library.filepath]
    loaded.select(filepath=own).limit(limits=1)
    return device, tape, np.array(order), np.array(signs)
