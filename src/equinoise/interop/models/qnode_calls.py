"""A QNode's calls: which argument is data and which weights, and the tapes that rows of data and weights give."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import pennylane as qml
from pennylane.transforms import broadcast_expand
from pennylane.workflow import construct_tape

from equinoise.errors import CircuitError, DataError, EquinoiseError, ParameterError
from equinoise.interop.pennylane_circuit import Structure, structure_of
from equinoise.interop.pennylane_device import expanded
from equinoise.interop.pennylane_gates import IDLE, gate_parts

__all__ = ["Argument", "QNodeCalls", "Tape", "qnode_calls"]

Real = npt.NDArray[np.float64]

# what data is called where a QNode has it beside weights: TorchLayer's name, and those of tutorials
_DATA_NAMES = ("inputs", "x", "X", "data", "features")


@dataclass(frozen=True)
class Argument:
    """An array argument of a QNode.

    Attributes:
        name: Of the argument.
        shape: Of its value, or of one row of it.
        interface: PennyLane's name of the array library that it is given in.
    """

    name: str
    shape: tuple[int, ...]
    interface: str

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return int(np.prod(self.shape, dtype=np.int64))

    def names(self) -> tuple[str, ...]:
        """One for each number: w, or w[0], w[1], ... in C order."""
        return (self.name,) if not self.shape else tuple(f"{self.name}[{k}]" for k in range(self.size))

    def value(self, numbers: Real, *rows: int) -> Any:
        """The argument from its numbers, shape (size,), or (rows, size) with their number."""
        return qml.math.asarray(numbers.reshape((*rows, *self.shape)), like=self.interface)


@dataclass(frozen=True)
class Tape:
    """What a QNode does for one row, in operations that the device takes.

    Attributes:
        script: The operations and measurements.
        structure: Its angles, and all else that its conversion depends on.
    """

    script: Any
    structure: Structure


@dataclass(frozen=True)
class QNodeCalls:
    """A QNode as a function of its weights and of rows of its data.

    Attributes:
        qnode: The QNode.
        weights: Its trained arguments, in the QNode's order.
        inputs: Its data arguments likewise.
        rows: All columns of all data arguments, shape (N, F); shape (1, 0) without data.
        start: The weights given, shape (W,), C order.
    """

    qnode: Any
    weights: tuple[Argument, ...]
    inputs: tuple[Argument, ...]
    rows: Real
    start: Real

    def weight_names(self) -> tuple[str, ...]:
        """One for each number."""
        return tuple(name for argument in self.weights for name in argument.names())

    def input_names(self) -> tuple[str, ...]:
        """One for each column."""
        return tuple(name for argument in self.inputs for name in argument.names())

    def flat(self, values: Any) -> Real:
        """Weights as :class:`QNodeCalls` numbers them, from arguments in the QNode's shapes."""
        known = _named(values, [argument.name for argument in self.weights], "at")
        parts = [_numbers(known[a.name], f"at: {a.name!r}").ravel() for a in self.weights]
        if any(part.size != a.size for part, a in zip(parts, self.weights, strict=True)):
            raise ParameterError(f"at must have the shapes of the weights: {[a.shape for a in self.weights]}.")
        return np.concatenate(parts)

    def tapes(self, theta: Real) -> list[Tape]:
        """One for each row, at weights theta, shape (W,).

        Raises:
            CircuitError: The QNode cannot be called so (its own error is named).
            UnsupportedError: An operation or measurement that is not taken, named.
        """
        with _double_precision(self.weights[0].interface):
            return self._tapes(theta)

    def _tapes(self, theta: Real) -> list[Tape]:
        count = len(self.rows)
        first = self._read(theta, self.rows[0], ()) if self.inputs else _rows_of(self._script(theta, {}))
        if count == 1:
            return first
        try:
            whole = self._read(theta, self.rows, (count,))
            last = self._read(theta, self.rows[-1], ())
            if len(whole) == count and _same(whole[0], first[0]) and _same(whole[-1], last[0]):
                return whole
        except EquinoiseError:
            pass  # a QNode that takes one row at a time
        return [tape for row in self.rows for tape in self._read(theta, row, ())]

    def _read(self, theta: Real, rows: Real, count: tuple[int, ...]) -> list[Tape]:
        """Of one row, shape (F,), or of several at once, shape (N, F), where the QNode broadcasts them."""
        given = _split(self.inputs, rows, count)
        try:
            found = self._script(theta, given)
        except CircuitError:
            if count:
                raise
            found = self._script(theta, _split(self.inputs, rows[None], (1,)))
        return _rows_of(found)

    def _script(self, theta: Real, inputs: Mapping[str, Any]) -> Any:
        arguments = {**inputs, **_split(self.weights, theta, ())}
        try:
            script = construct_tape(self.qnode, level="user")(**arguments)
        except EquinoiseError:
            raise
        except Exception as error:  # whatever a user's function raises is told as what it is
            said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise CircuitError(
                f"the QNode could not be called with its weights and a row of data ({said}). Rows are given as "
                f"{[f'{a.name}: {a.shape}' for a in self.inputs]}, weights as "
                f"{[f'{a.name}: {a.shape}' for a in self.weights]}."
            ) from error
        with qml.QueuingManager.stop_recording():
            operations = [part for operation in script.operations for part in expanded(operation)]
        return script.copy(operations=operations)


def _double_precision(interface: str) -> AbstractContextManager[Any]:
    """JAX makes single-precision arrays unless it is told otherwise."""
    context: AbstractContextManager[Any] = nullcontext()
    return import_module("jax").enable_x64(True) if interface == "jax" else context


def _split(arguments: Sequence[Argument], numbers: Real, rows: tuple[int, ...]) -> dict[str, Any]:
    out, at = {}, 0
    for argument in arguments:
        out[argument.name] = argument.value(numbers[..., at : at + argument.size], *rows)
        at += argument.size
    return out


def _rows_of(script: Any) -> list[Tape]:
    """The rows of a batch, or the one row that is no batch."""
    # where nothing but angles differs, all rows are read at once: PennyLane writes each row's operations anew
    count = script.batch_size
    if count is None:
        return [Tape(script, structure_of(script))]
    if not all(operation.batch_size is None or _has_angles(operation) for operation in script.operations):
        scripts, _ = broadcast_expand(script)
        return [Tape(each, structure_of(each)) for each in scripts]
    with qml.QueuingManager.stop_recording():
        first = script.copy(operations=[_of_first_row(operation) for operation in script.operations])
    structure = structure_of(first)
    angles = [p for operation in script.operations if _has_angles(operation) for p in operation.data]
    columns = [np.broadcast_to(np.asarray(qml.math.toarray(p), dtype=np.float64), count) for p in angles]
    return [Tape(first, replace(structure, theta=theta)) for theta in np.stack(columns, axis=1)]


def _has_angles(operation: Any) -> bool:
    return gate_parts(operation) is not None or operation.name in IDLE


def _of_first_row(operation: Any) -> Any:
    if operation.batch_size is None:
        return operation
    data = [p[0] if qml.math.ndim(p) else p for p in operation.data]
    return qml.ops.functions.bind_new_parameters(operation, data)


def _same(a: Tape, b: Tape) -> bool:
    one, other = a.structure, b.structure
    return one.key == other.key and np.allclose(one.theta, other.theta, rtol=0, atol=1e-6)


def qnode_calls(qnode: Any, weights: Any, data: Any, table: Callable[[Any], Real]) -> QNodeCalls:
    """Finds out which arguments of a QNode are weights and which are data.

    Args:
        qnode: A QNode, or a ``TorchLayer``, which has weights of its own.
        weights: Values of the QNode's shapes: an array, or a mapping from argument names to arrays. They say shapes
            and array library, and are where the circuit is looked at.
        data: An array of shape (N, ...), or a mapping likewise; None if the QNode has none.
        table: Makes an array of shape (N, F) of a data frame or a file.

    Raises:
        CircuitError: No QNode.
        ParameterError: Arguments that are not said to be the one or the other.
        DataError: Data arguments of different length.
    """
    if type(qnode).__name__ == "TorchLayer":
        layer, qnode = qnode, qnode.qnode
        weights = dict(layer.qnode_weights) if weights is None else weights
        data = {layer.input_arg: data} if data is not None and not isinstance(data, Mapping) else data
    if not isinstance(qnode, qml.QNode):
        raise CircuitError(
            f"expected a PennyLane QNode or TorchLayer, got {type(qnode).__name__}. A function that calls a QNode: "
            "give the QNode itself."
        )
    if weights is None:
        raise ParameterError("weights= is missing: give values of the QNode's trained arguments, in their shapes.")
    names = _argument_names(qnode)
    known = set(data if isinstance(data, Mapping) else ()) | set(weights if isinstance(weights, Mapping) else ())
    free = [name for name in names if name not in known]
    given_data: dict[str, Any] = {} if data is None else dict(data) if isinstance(data, Mapping) else {}
    if data is not None and not isinstance(data, Mapping):
        given_data = {_data_name(free, isinstance(weights, Mapping)): data}
        free = [name for name in free if name not in given_data]
    given_weights = dict(weights) if isinstance(weights, Mapping) else _named(weights, free, "weights")
    stated = {*given_data, *given_weights}
    wrong = [*sorted(stated - set(names)), *(name for name in _required(qnode) if name not in stated)]
    if wrong:
        raise ParameterError(
            f"the QNode's arguments are {names}; {wrong[0]!r} is "
            + ("none of them." if wrong[0] in stated else "neither in weights= nor in data=: name all of them.")
        )
    return _stated(qnode, names, given_weights, given_data, table)


def _stated(
    qnode: Any, names: Sequence[str], weights: dict[str, Any], data: dict[str, Any], table: Callable[[Any], Real]
) -> QNodeCalls:
    interface = _interface(qnode, weights.values())
    inputs, columns = [], []
    for name in (name for name in names if name in data):
        value = data[name]
        rows = table(value) if isinstance(value, str) or hasattr(value, "columns") or hasattr(value, "open") else value
        rows = _numbers(rows, f"data: {name!r}")
        if not rows.ndim or not len(rows):
            raise DataError(f"data for {name!r} must hold one entry for each row, got shape {rows.shape}.")
        inputs.append(Argument(name, rows.shape[1:], interface))
        columns.append(rows.reshape(len(rows), -1))
    if len({len(each) for each in columns}) > 1:
        raise DataError(f"the data arguments have different numbers of rows: {[len(each) for each in columns]}.")
    arrays = {name: _numbers(weights[name], f"weights: {name!r}") for name in names if name in weights}
    return QNodeCalls(
        qnode,
        tuple(Argument(name, array.shape, interface) for name, array in arrays.items()),
        tuple(inputs),
        np.hstack(columns) if columns else np.zeros((1, 0)),
        np.concatenate([array.ravel() for array in arrays.values()]),
    )


def _argument_names(qnode: Any) -> list[str]:
    kinds = inspect.signature(qnode.func).parameters.values()
    loose = [p for p in kinds if p.kind in (p.VAR_POSITIONAL, p.POSITIONAL_ONLY)]
    if loose:
        raise CircuitError(f"the QNode's argument {loose[0]} has no name to call it by: give its arguments names.")
    return [p.name for p in kinds if p.kind != p.VAR_KEYWORD]


def _required(qnode: Any) -> list[str]:
    kinds = inspect.signature(qnode.func).parameters.values()
    return [p.name for p in kinds if p.default is p.empty and p.kind != p.VAR_KEYWORD]


def _data_name(free: Sequence[str], others_are_weights: bool) -> str:
    """Which argument unnamed data is."""
    usual = [name for name in free if name in _DATA_NAMES]
    found = usual if len(usual) == 1 else free if len(free) == 1 and others_are_weights else []
    if not found:
        raise ParameterError(
            f"which of the QNode's arguments {list(free)} is the data is not known: name it, data={{'NAME': array}}."
        )
    return found[0]


def _named(values: Any, names: Sequence[str], argument: str) -> dict[str, Any]:
    if isinstance(values, Mapping):
        return dict(values)
    if len(names) != 1:
        raise ParameterError(
            f"{argument} is one array, and the QNode's arguments are {list(names)}: name them, "
            f"{argument}={{'NAME': array, ...}}, and data={{'NAME': array}} likewise."
        )
    return {names[0]: values}


def _interface(qnode: Any, weights: Any) -> str:
    """The array library that the QNode's own code expects."""
    asked = str(getattr(qnode.interface, "value", qnode.interface))
    for name in ("torch", "jax"):
        if name in asked:
            return name
    return str(qml.math.get_interface(*weights))


def _numbers(value: Any, what: str) -> Real:
    try:
        array = np.array(qml.math.toarray(qml.math.unwrap([value])[0]), dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):
        raise DataError(f"{what} must be an array of real numbers, got {type(value).__name__}.") from None
    if not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise DataError(f"{what} is not finite at {place}: fill in missing values, or leave the row out.")
    return array
