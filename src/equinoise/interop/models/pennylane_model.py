"""A PennyLane QNode as a model: ties between angles, data, channels and observables kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pennylane as qml
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import SparsePauliOp

from equinoise.errors import DataError, NoiseError, ParameterError, SymmetryError, UnsupportedError
from equinoise.interop.expectations import prepared_or_empty
from equinoise.interop.models.affine_angles import AffineAngles, affine_angles
from equinoise.interop.models.data_columns import DataColumns
from equinoise.interop.models.model_readouts import outcome_projectors, sector_of
from equinoise.interop.models.qnode_calls import Argument, QNodeCalls, qnode_calls
from equinoise.interop.pennylane_circuit import Converted, convert
from equinoise.interop.pennylane_device import SectorDevice, replace_readout
from equinoise.interop.pennylane_measurements import check_measurement, quantity_of
from equinoise.interop.quantities import Probabilities, Variance
from equinoise.model.data import read_table
from equinoise.model.qnn import Model

__all__ = ["model_from_qnode"]

Real = npt.NDArray[np.float64]

# devices of PennyLane's own without noise of theirs
_IDEAL = ("default.", "lightning.", "null.", "reference.")


def model_from_qnode(
    qnode: Any,
    *,
    weights: Any = None,
    data: Any = None,
    labels: Any = None,
    loss: Any = "mean",
    at: Any = None,
    **model: Any,
) -> Model:
    """A QNode as a :class:`equinoise.Model`; see :meth:`equinoise.Model.from_qnode`."""
    columns_of_labels = []

    def table(given: Any) -> Real:
        values, column = read_table(given, labels)
        columns_of_labels.extend([] if column is None else [column])
        return values

    calls = qnode_calls(qnode, weights, data, table)
    angles = affine_angles(calls)
    converted, places = _converted(calls, angles)
    circuit, columns = _tied(calls, angles, converted)
    if len(calls.rows) > 1 and not columns.used:
        raise DataError(
            f"no angle of the QNode depends on its data: they are the same for all {len(calls.rows)} rows. "
            "Leave data out, and give the argument a default."
        )
    settings = {"noise": _noise(calls, converted, model.pop("noise", None)), **_ends(calls, converted, circuit)}
    try:
        return Model(
            circuit,
            list(_readouts(angles, places)),
            inputs=[parameter for parameter, _ in columns.used] or None,
            data=np.stack([column for _, column in columns.used], axis=1) if columns.used else None,
            labels=columns_of_labels[0] if columns_of_labels else labels,
            loss=loss,
            at=None if at is None else _at(calls, circuit, at),
            notes=tuple(_notes(calls, angles, circuit)),
            **{**settings, **model},
        )
    except SymmetryError as error:
        raise converted.named(error, angles.at(calls.start, 0)[converted.used]) from None


def _converted(calls: QNodeCalls, angles: AffineAngles) -> tuple[Converted, dict[Any, int]]:
    """The circuit with each angle by itself, and the qubit of each wire."""
    tape = angles.tape.script
    wires = calls.qnode.device.wires
    if wires is None or not set(tape.wires) <= set(wires):
        try:
            wires = sorted(tape.wires)
        except TypeError:  # labels of several kinds
            wires = list(tape.wires)
    return convert(tape, list(wires)), {wire: i for i, wire in enumerate(wires)}


def _tied(calls: QNodeCalls, angles: AffineAngles, converted: Converted) -> tuple[QuantumCircuit, DataColumns]:
    """The circuit with its angles as functions of weights and of columns of the data."""
    columns = DataColumns(_parameters(calls.inputs), calls.rows, angles.tolerance)
    weights = _parameters(calls.weights)
    theta: dict[int, Any] = {int(g): columns.expression(angles.offsets[:, g]) for g in converted.used}
    for e, (g, k) in enumerate(angles.entries):
        if int(g) in theta:
            theta[int(g)] = theta[int(g)] + columns.expression(angles.slopes[:, e]) * weights[k]
    free = list(converted.circuit.parameters)
    given = {p: theta[int(g)] for p, g in zip(free, converted.used, strict=True)}
    circuit = converted.circuit.assign_parameters(given)
    used = set(circuit.parameters)
    if not used & set(weights):
        raise ParameterError("no angle of the QNode depends on its weights: there is nothing to train.")
    return circuit, columns


def _parameters(arguments: tuple[Argument, ...]) -> list[Parameter]:
    out: list[Parameter] = []
    for argument in arguments:
        out += ParameterVector(argument.name, argument.size) if argument.shape else [Parameter(argument.name)]
    return out


def _readouts(angles: AffineAngles, places: dict[Any, int]) -> Iterator[SparsePauliOp]:
    for measurement in angles.tape.script.measurements:
        check_measurement(measurement)
        if not isinstance(measurement, qml.measurements.ExpectationMP | qml.measurements.ProbabilityMP):
            raise UnsupportedError(
                f"a model's readouts are mean values: the QNode measures {measurement}. Use qml.expval or qml.probs."
            )
        found = quantity_of(measurement, places)
        if isinstance(found, Probabilities):
            yield from outcome_projectors(found.qubits[::-1], len(places))
        elif not isinstance(found, Variance):
            yield found.operator


def _ends(calls: QNodeCalls, converted: Converted, circuit: QuantumCircuit) -> dict[str, Any]:
    """The input that the circuit prepares, and the sector that the device was told."""
    state = converted.initial if isinstance(converted.initial, np.ndarray) else prepared_or_empty(circuit)
    device = calls.qnode.device
    return {"initial": state, **(sector_of(device) if isinstance(device, SectorDevice) else {})}


def _noise(calls: QNodeCalls, converted: Converted, stated: Any) -> Any:
    """The channels of the circuit, or the noise stated, or the device's."""
    device = calls.qnode.device
    own = device.noise if isinstance(device, SectorDevice) else None
    if converted.noise is None:
        return own if stated is None else stated
    if stated is not None or (own is not None and own.terms):
        raise NoiseError(
            "the QNode holds channels, and noise is stated beside them: it is not said which acts first. Give one of "
            "them."
        )
    return converted.noise if own is None else replace_readout(converted.noise, own)


def _at(calls: QNodeCalls, circuit: QuantumCircuit, at: Any) -> Any:
    """A point given in the QNode's shapes, by the names of the circuit's weights."""
    if isinstance(at, str | Path):
        return at
    values = dict(zip(calls.weight_names(), calls.flat(at), strict=True))
    used = {p.name for p in circuit.parameters}
    return {name: value for name, value in values.items() if name in used}


def _notes(calls: QNodeCalls, angles: AffineAngles, circuit: QuantumCircuit) -> Iterator[str]:
    used = {p.name for p in circuit.parameters}
    unused = [name for name in calls.weight_names() if name not in used]
    if unused:
        yield f"{len(unused)} weights enter no gate and are left out ({', '.join(unused[:4])})"
    if calls.qnode.shots:
        yield "the QNode's shots are left out: the model is exact, and the shots that it needs are worked out"
    device = calls.qnode.device
    if not isinstance(device, SectorDevice) and not device.name.startswith(_IDEAL):
        yield f"noise of the device {device.name!r} is not known and left out: give noise="
    if getattr(device, "readout_err", None):
        yield "the device's readout errors are left out: give noise= with readout_error"
    if angles.tolerance > 1e-9:
        yield f"the QNode works in single precision: angles are known to {angles.tolerance:g} radians"
