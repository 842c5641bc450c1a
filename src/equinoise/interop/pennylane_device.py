"""The PennyLane device: exact noisy values and adjoint gradients of QNodes whose gates conserve the charge."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pennylane as qml
from pennylane.devices import Device, ExecutionConfig
from pennylane.devices.modifiers import simulator_tracking, single_tape_support
from pennylane.transforms import broadcast_expand
from pennylane.transforms.core import CompilePipeline

from equinoise.engines.draws import parallel_draws
from equinoise.errors import MemoryLimitError, NoiseError, ParameterError, ReadoutError, SymmetryError, UnsupportedError
from equinoise.interop.expectations import ExpectationProblem
from equinoise.interop.outcomes import OutcomeProblem
from equinoise.interop.pennylane_circuit import Converted, convert, described, is_channel, structure_of, takes
from equinoise.interop.pennylane_measurements import check_measurement, measurement_key, quantity_of
from equinoise.interop.pennylane_shots import is_state, results_of_samples
from equinoise.noise.model import NoiseModel
from equinoise.reduction.prepared import Kept

__all__ = ["SectorDevice", "expanded"]

Real = npt.NDArray[np.float64]
T = TypeVar("T")

_KEPT_CIRCUITS = 32
_GRADIENTS = ("device", "adjoint")


@dataclass(frozen=True)
class _Prepared:
    """A circuit structure made ready, and where its parameters stand."""

    problem: ExpectationProblem | OutcomeProblem
    used: npt.NDArray[np.int64]

    @property
    def means(self) -> ExpectationProblem:
        """Where numbers are asked for."""
        if not isinstance(self.problem, ExpectationProblem):
            raise UnsupportedError(
                "states and samples are not differentiated by equinoise.sector; expval and probs are."
            )
        return self.problem


@dataclass(frozen=True)
class _Job:
    """One tape: its structure's problem, parameter values, and which of them are differentiated."""

    prepared: _Prepared
    theta: Real
    count: int
    trainable: npt.NDArray[np.int64]
    sizes: tuple[int | None, ...]
    tape: Any
    wires: Any
    rng: np.random.Generator

    def executed(self) -> Any:
        """What the tape measures, as PennyLane wants it."""
        problem = self.prepared.problem
        if isinstance(problem, ExpectationProblem):
            return self.results(problem.values(self.theta))
        if self.tape.shots:
            bits = problem.samples(self.theta[None], self.tape.shots.total_shots, self.rng)[0]
            return results_of_samples(self.tape, bits, self.wires)
        amplitudes = problem.state(self.theta)
        # PennyLane's first axis is wire 0, the least significant bit here
        return amplitudes.reshape((2,) * len(self.wires)).transpose(range(len(self.wires))[::-1]).ravel()

    def results(self, values: Real) -> Any:
        """As PennyLane wants them: one array, or a tuple of one for each measurement."""
        return self._shaped(values)

    def jacobian(self, rows: Real) -> Any:
        """Derivatives of shape (size, K) as PennyLane wants them: per measurement, per trainable parameter."""
        full = np.zeros((rows.shape[0], self.count))
        full[:, self.prepared.used] = rows
        columns = [self._parts(full[:, k]) for k in self.trainable]
        per_measurement = [tuple(column[i] for column in columns) for i in range(len(self.sizes))]
        shaped = [entry[0] if len(entry) == 1 else entry for entry in per_measurement]
        return shaped[0] if len(shaped) == 1 else tuple(shaped)

    def pulled_back(self, gradient: Real) -> Any:
        """A gradient of shape (K,) as PennyLane wants it: a number for each trainable parameter."""
        full = np.zeros(self.count)
        full[self.prepared.used] = gradient
        return tuple(np.array(full[k]) for k in self.trainable)

    def weights(self, cotangent: Any) -> Real:
        """A cotangent as weights of all numbers, shape (size,)."""
        entries = [cotangent] if len(self.sizes) == 1 else list(cotangent)
        return np.concatenate([np.asarray(entry, dtype=np.float64).ravel() for entry in entries])

    def _shaped(self, values: Real) -> Any:
        parts = self._parts(values)
        return parts[0] if len(parts) == 1 else tuple(parts)

    def _parts(self, values: Real) -> list[Any]:
        out: list[Any] = []
        at = 0
        for size in self.sizes:
            out.append(np.array(values[at]) if size is None else np.array(values[at : at + size]))
            at += size or 1
        return out


@simulator_tracking
@single_tape_support
class SectorDevice(Device):  # type: ignore[misc]
    """Exact noisy expectation values and adjoint gradients of charge-conserving PennyLane circuits.

    The state is a vector, or with noise a density matrix, in the charge blocks of the measurements' light cone; the
    gradient with respect to all parameters comes from one sweep forward and one back, noise included. Wire i of the
    device is qubit i.

    Gates conserve Q = sum_i (1 - Z_i)/2, alone or with their neighbours on one pair; where some do not, or an
    observable sees coherence between charges, the full space of the light cone is taken: state vectors to 20 wires
    without noise, density matrices of what memory holds with noise. With shots, bits are drawn from the exact
    distribution. Threads may share a device. Noise is ``noise``, which acts
    after each layer (as soon as possible, or between full-width ``qml.Barrier``), or channels in the circuit itself,
    by hand or by ``qml.add_noise``, exactly where they stand.

    Args:
        wires: Their number or labels.
        noise: A :class:`equinoise.NoiseModel`, or what ``NoiseModel.from_string`` or ``from_dict`` reads; qubit i is
            wire i, gates are called as Qiskit does. Readout errors enter expectation values.
        charge: The active sector q; by default the charge of the prepared state.
        projected: Whether expval(A) is Tr[P_q A P_q rho], P_q the projector on the active sector of all wires.
        postselected: Whether expval, var and probs are means over the runs whose measured charge is q.
        seed: Of samples; None for fresh ones.
        shots: Refused here; they go on the QNode (``qml.set_shots``).

    Raises:
        UnsupportedError: No wires, or shots.
        NoiseError: ``noise`` cannot be read.

    Example:
        >>> import pennylane as qml
        >>> from equinoise.interop.pennylane_device import SectorDevice
        >>> @qml.qnode(SectorDevice(wires=2, noise="dephasing:0.05"), diff_method="device")
        ... def circuit(angle):
        ...     qml.X(0)
        ...     qml.IsingXY(angle, wires=[0, 1])
        ...     return qml.expval(qml.X(0) @ qml.Y(1) - qml.Y(0) @ qml.X(1))
        >>> angle = qml.numpy.array(0.3, requires_grad=True)
        >>> print(f"{circuit(angle):.6f} {qml.grad(circuit)(angle):.6f}")
        0.483903 1.564327
    """

    name = "equinoise.sector"

    def __init__(
        self,
        wires: int | Iterable[Any] | None = None,
        noise: NoiseModel | str | Mapping[str, Any] | None = None,
        charge: int | None = None,
        projected: bool = False,
        postselected: bool = False,
        seed: int | None = None,
        shots: Any = None,
    ) -> None:
        if wires is None:
            raise UnsupportedError("equinoise.sector needs its wires, since noise and charge refer to them: wires=n.")
        if shots is not None and qml.measurements.Shots(shots):
            raise UnsupportedError(_NO_SHOTS)
        super().__init__(wires=wires)
        if isinstance(noise, str):
            noise = NoiseModel.from_string(noise)
        elif isinstance(noise, Mapping):
            noise = NoiseModel.from_dict(noise)
        elif noise is not None and not isinstance(noise, NoiseModel):
            raise NoiseError(
                f"noise must be an equinoise NoiseModel, a specification such as 'dephasing:0.01' or a mapping, got "
                f"{type(noise).__name__}. A qml.NoiseModel goes on the QNode: qml.add_noise(qnode, model)."
            )
        self._noise = noise
        self._options: dict[str, Any] = {"charge": charge, "projected": projected, "postselected": postselected}
        self._circuits = Kept(_KEPT_CIRCUITS)
        self._rng = np.random.default_rng(seed)
        self._said: set[str] = set()

    @property
    def noise(self) -> NoiseModel | None:
        """What acts after each layer."""
        return self._noise

    @property
    def sector(self) -> dict[str, Any]:
        """The options charge, projected and postselected."""
        return dict(self._options)

    # -- before the run ------------------------------------------------------------------------------------------

    def setup_execution_config(self, config: Any = None, circuit: Any = None) -> Any:
        """PennyLane's execution settings with what was left open filled in: adjoint gradients, on execution."""
        config = config or ExecutionConfig()
        if circuit is not None and circuit.shots and config.gradient_method == "best":
            config = replace(config, gradient_method="parameter-shift")
        if config.gradient_method not in (*_GRADIENTS, "best", None):
            return replace(config, use_device_gradient=False)
        on_execution = config.grad_on_execution
        return replace(
            config,
            gradient_method="device" if config.gradient_method == "best" else config.gradient_method,
            use_device_gradient=config.gradient_method is not None,
            use_device_jacobian_product=bool(config.use_device_jacobian_product),
            grad_on_execution=not config.use_device_jacobian_product if on_execution is None else on_execution,
        )

    def preprocess_transforms(self, execution_config: Any = None) -> Any:
        """Decomposes into gates that the device takes, refuses the rest by name, and splits batched parameters."""
        program = CompilePipeline()
        program.add_transform(_accepted, wires=self.wires)
        program.add_transform(broadcast_expand)
        return program

    # -- execution -----------------------------------------------------------------------------------------------

    def execute(self, circuits: Any, execution_config: Any = None) -> Any:
        """The measured values of each circuit."""
        return _all(_Job.executed, [self._job(circuit) for circuit in circuits])

    def supports_derivatives(self, execution_config: Any = None, circuit: Any = None) -> bool:
        """Whether the device differentiates: first derivatives, by ``diff_method="device"`` or "adjoint"."""
        if execution_config is None:
            return True
        first = execution_config.derivative_order == 1
        exact = circuit is None or not (circuit.shots or any(map(is_state, circuit.measurements)))
        return bool(first and exact and execution_config.gradient_method in (*_GRADIENTS, "best"))

    def compute_derivatives(self, circuits: Any, execution_config: Any = None) -> Any:
        """The Jacobian of each circuit."""
        _, jacobians = self.execute_and_compute_derivatives(circuits, execution_config)
        return jacobians

    def execute_and_compute_derivatives(self, circuits: Any, execution_config: Any = None) -> Any:
        """Values and Jacobian of each circuit."""

        def one(job: _Job) -> Any:
            values, rows = job.prepared.means.values_and_jacobian(job.theta)
            return job.results(values), job.jacobian(rows)

        found = _all(one, [self._job(circuit, differentiated=True) for circuit in circuits])
        return tuple(value for value, _ in found), tuple(jacobian for _, jacobian in found)

    def supports_vjp(self, execution_config: Any = None, circuit: Any = None) -> bool:
        """Whether the device has vector-Jacobian products (``device_vjp=True``); as its derivatives."""
        return self.supports_derivatives(execution_config, circuit)

    def compute_vjp(self, circuits: Any, cotangents: Any, execution_config: Any = None) -> Any:
        """The vector-Jacobian product of each circuit: one sweep back, however much is measured."""
        _, products = self.execute_and_compute_vjp(circuits, cotangents, execution_config)
        return products

    def execute_and_compute_vjp(self, circuits: Any, cotangents: Any, execution_config: Any = None) -> Any:
        """Values and vector-Jacobian product of each circuit."""

        def one(item: tuple[_Job, Any]) -> Any:
            job, cotangent = item
            values, gradient = job.prepared.means.values_and_pullback(job.theta, job.weights(cotangent))
            return job.results(values), job.pulled_back(gradient)

        jobs = [self._job(circuit, differentiated=True) for circuit in circuits]
        found = _all(one, list(zip(jobs, cotangents, strict=True)), jobs[0].prepared.problem.workers if jobs else 1)
        return tuple(value for value, _ in found), tuple(product for _, product in found)

    # -- preparation ---------------------------------------------------------------------------------------------

    def _job(self, tape: Any, differentiated: bool = False) -> _Job:
        structure = structure_of(tape)
        theta = structure.theta
        kind = ("samples",) if tape.shots else tuple(measurement_key(m) for m in tape.measurements)

        def good(found: _Prepared) -> bool:
            return found.problem.conserves_at(theta[found.used])

        prepared = self._circuits.made((structure.key, kind), lambda: self._prepare(tape, theta), good)
        trainable: list[int] = []
        if differentiated:
            for number in tape.trainable_params:
                place = structure.places[number] if number < len(structure.places) else -1
                if place < 0:
                    raise _not_differentiable(tape, number)
                trainable.append(place)
        return _Job(
            prepared,
            structure.theta[prepared.used],
            structure.theta.size,
            np.array(trainable, dtype=np.int64),
            tuple(_size(m, len(self.wires)) for m in tape.measurements),
            tape,
            self.wires,
            self._generator(),
        )

    def _generator(self) -> np.random.Generator:
        """The next tape's own, so that samples follow from the device's seed and the order of the tapes."""
        with self._circuits:
            return self._rng.spawn(1)[0]

    def _prepare(self, tape: Any, theta: Real) -> _Prepared:
        """A tape made ready, for all parameter values if its gates conserve the charge at all, else for these.

        A tape holds numbers: that two angles come from one weight cannot be seen in it. Where the gates conserve the
        charge only because of such ties, they do at the tape's values, and that is all that one call needs.
        """
        converted = convert(tape, self.wires)
        if converted.noise is not None and self._noise is not None and self._noise.terms:
            channel = next(operation for operation in tape.operations if is_channel(operation))
            raise NoiseError(
                f"the circuit holds channels ({described(channel)}) and the device has noise=... of its own; it is not "
                "said which acts first. Give one of them."
            )
        noise = self._noise if converted.noise is None else self._with_channels(converted.noise)
        options = {"noise": noise, "initial": converted.initial}
        values = theta[converted.used]
        try:
            try:
                stated = self._stated(tape, converted, **options)
            except SymmetryError:
                stated = self._stated(tape, converted, at=values, **options)
        except (SymmetryError, ReadoutError) as error:
            named = converted.named(error, values) if isinstance(error, SymmetryError) else error
            try:
                stated = self._stated(tape, converted, full_space=True, **options)
            except MemoryLimitError as large:
                raise MemoryLimitError(f"{named} In the full space: {large}") from None
        self._say(
            [
                *(note for note in stated.warnings if note not in stated.full_space),
                *_FULL_SPACE[: len(stated.full_space)],
            ]
        )
        return _Prepared(stated, converted.used)

    def _stated(self, tape: Any, converted: Converted, **options: Any) -> ExpectationProblem | OutcomeProblem:
        if tape.shots or is_state(tape.measurements[0]):
            if self._options["projected"] or self._options["postselected"]:
                raise UnsupportedError(
                    "states and samples of a device with projected or postselected are not provided: these are about "
                    "means. Measure expval, var or probs without shots."
                )
            return OutcomeProblem(converted.circuit, range(len(self.wires)), **options)
        place = {wire: i for i, wire in enumerate(self.wires)}
        quantities = [quantity_of(measurement, place) for measurement in tape.measurements]
        return ExpectationProblem(converted.circuit, quantities, **self._options, **options)

    def _with_channels(self, channels: NoiseModel) -> NoiseModel:
        """The circuit's channels with the device's readout errors, if it has any."""
        if self._noise is None:
            return channels
        return replace_readout(channels, self._noise)

    def _say(self, notes: Sequence[str]) -> None:
        for note in notes:
            if note not in self._said:
                self._said.add(note)
                warnings.warn(f"equinoise.sector: {note}", UserWarning, stacklevel=2)


# said once of a device; which gate it is, PennyLane's transforms change with every circuit
_FULL_SPACE = ("a circuit holds gates that break the charge: it is computed in the full space of the light cone",)
_NO_SHOTS = (
    "equinoise.sector takes shots with the QNode, not with the device: qml.set_shots(qnode, shots=...). Without them "
    "it is exact; for the shots that a gradient needs see equinoise.diagnose."
)


def replace_readout(channels: NoiseModel, noise: NoiseModel) -> NoiseModel:
    """Channels with the readout errors of another model."""
    return NoiseModel(
        channels.terms,
        readout_error=noise.readout_error,
        notes=noise.notes,
        name=channels.name,
        placement=noise.placement,
    )


def _size(measurement: Any, num_wires: int) -> int | None:
    """How many numbers a measurement is; None for one that is a number by itself."""
    if isinstance(measurement, qml.measurements.ProbabilityMP):
        return int(2 ** (len(measurement.wires) or num_wires))
    return None


def _all(one: Callable[[Any], T], items: Sequence[Any], workers: int | None = None) -> tuple[T, ...]:
    if len(items) < 2:
        return tuple(one(item) for item in items)
    return tuple(parallel_draws(one, items, workers or items[0].prepared.problem.workers))


def _not_differentiable(tape: Any, number: int) -> ParameterError:
    info = tape.par_info[number]
    operation = info["op"]
    if info["op_idx"] >= len(tape.operations):
        return ParameterError(
            f"the coefficients of the observable {operation.name} are marked as trainable, and equinoise.sector "
            "differentiates gates only. Give them as plain numbers (requires_grad=False), or measure the terms one by "
            "one and combine them outside."
        )
    return ParameterError(
        f"parameter {info['p_idx']} of {described(operation)} is marked as trainable, and equinoise.sector "
        "differentiates rotation angles only. Give it as a plain number (requires_grad=False)."
    )


@qml.transform  # type: ignore[untyped-decorator]
def _accepted(tape: Any, wires: Any) -> Any:
    """The tape in operations that the device takes, everything checked that does not depend on parameter values."""
    for measurement in tape.measurements:
        check_measurement(measurement, shots=bool(tape.shots))
    if len(tape.measurements) > 1 and any(map(is_state, tape.measurements)):
        raise UnsupportedError("qml.state() beside other measurements is not provided by equinoise.sector; ask apart.")
    outside = set(tape.wires) - set(wires)
    if outside:
        raise UnsupportedError(
            f"the circuit uses wire {next(iter(outside))!r}, which the device does not have; its wires are "
            f"{list(wires)}. Give all of them: qml.device('equinoise.sector', wires=...)."
        )
    operations: list[Any] = []
    with qml.QueuingManager.stop_recording():
        for operation in tape.operations:
            operations += expanded(operation)
    if len(operations) != len(tape.operations) or any(
        a is not b for a, b in zip(operations, tape.operations, strict=True)
    ):
        tape = tape.copy(operations=operations)
    return (tape,), _only


def _only(results: Any) -> Any:
    return results[0]


def expanded(operation: Any) -> list[Any]:
    """An operation in those that the device takes.

    Raises:
        UnsupportedError: There are none, or nothing is measured there.
        NoiseError: A channel of another kind.
    """
    if takes(operation):
        return [operation]
    name = operation.name
    if isinstance(operation, qml.ops.MidMeasure) or name in ("Snapshot", "Conditional"):
        raise UnsupportedError(
            f"{described(operation)} is not provided by equinoise.sector: nothing is measured before the end. Leave it "
            "out, or use default.mixed."
        )
    if name == "QubitUnitary" or not operation.has_decomposition:
        why = "has no decomposition"
        if name == "QubitUnitary":
            why = f"acts on {len(operation.wires)} wires and is no block that conserves the charge on up to four"
        raise UnsupportedError(
            f"the gate {described(operation)} is not taken by equinoise.sector: it {why}. Use gates on one or two "
            "wires (IsingXY, IsingZZ, SingleExcitation, QubitUnitary, ...), or default.mixed."
        )
    parts = [part for inner in operation.decomposition() for part in expanded(inner)]
    # an identity on both wires of a pair keeps the parts in one layer; see pennylane_circuit
    return [qml.Identity(wires=operation.wires), *parts] if len(operation.wires) == 2 else parts
