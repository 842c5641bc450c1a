"""Qiskit's estimator interface, version 2: exact noisy expectation values of charge-conserving circuits."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.circuit import Barrier, Instruction, Measure
from qiskit.circuit.library import UnitaryGate
from qiskit.primitives import BaseEstimatorV2, DataBin, PrimitiveJob, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparsePauliOp

from equinoise.engines.draws import parallel_draws
from equinoise.interop.expectations import ExpectationProblem, Mean, prepared_or_empty
from equinoise.noise.model import NoiseModel

__all__ = ["SectorEstimator", "circuit_key"]

Real = npt.NDArray[np.float64]

_KEPT_PROBLEMS = 64


class SectorEstimator(BaseEstimatorV2):  # type: ignore[misc]
    """Exact noisy expectation values in the charge blocks of the observables' light cone.

    All observables at one set of parameter values are read from one state. Circuits start in |0...0> or in what their
    leading one-qubit gates prepare; the noise acts after each layer, as :class:`equinoise.Problem` defines it.

    Args:
        noise: As :class:`equinoise.Problem` takes it; readout errors enter the values.
        charge: The active sector q; by default the charge of the prepared state.
        projected: Whether values are Tr[P_q A P_q rho], P_q the projector on the active sector.
        postselected: Whether they are means over the runs whose measured charge is q.

    Example:
        >>> import equinoise as eq
        >>> from equinoise.interop.qiskit_estimator import SectorEstimator
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(4)
        >>> circuit.x([0, 2])
        <...>
        >>> circuit.compose(eq.circuits.brickwork(4, depth=2), inplace=True)
        >>> estimator = SectorEstimator(noise="dephasing:0.05")
        >>> result = estimator.run([(circuit, "IZII", [0.3] * 14)]).result()
        >>> round(float(result[0].data.evs), 6), result[0].metadata["engine"]
        (-0.912668, 'exact')
    """

    def __init__(
        self,
        noise: NoiseModel | str | Mapping[str, Any] | None = None,
        charge: int | None = None,
        projected: bool = False,
        postselected: bool = False,
    ) -> None:
        self._options: dict[str, Any] = {
            "noise": noise,
            "charge": charge,
            "projected": projected,
            "postselected": postselected,
        }
        self._problems: OrderedDict[Hashable, ExpectationProblem] = OrderedDict()

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> PrimitiveJob:
        """Expectation values of each (circuit, observables, parameter values), broadcast as Qiskit does.

        Args:
            pubs: As for any ``EstimatorV2``.
            precision: Only repeated in the metadata: values are exact and their standard errors 0.

        Returns:
            A job; its result has ``data.evs`` and ``data.stds`` for each pub, and in ``metadata`` the engine, the light
            cones and charges, and what was assumed, dropped or clipped.

        Raises:
            EquinoiseError: From the job's result: what :class:`equinoise.Problem` raises.
        """
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        job = PrimitiveJob(self._run, coerced)
        job._submit()
        return job

    def expectation_problem(self, circuit: QuantumCircuit, operators: Sequence[SparsePauliOp]) -> ExpectationProblem:
        """The circuit made ready for these observables; kept for the next call."""
        key = (circuit_key(circuit), tuple(tuple(operator.to_list()) for operator in operators))
        found = self._problems.get(key)
        if found is None:
            means = [Mean(operator, f"the observable {_label(operator)}") for operator in operators]
            initial = prepared_or_empty(circuit)
            found = self._problems[key] = ExpectationProblem(circuit, means, initial=initial, **self._options)
            while len(self._problems) > _KEPT_PROBLEMS:
                self._problems.popitem(last=False)
        else:
            self._problems.move_to_end(key)
        return found

    def _run(self, pubs: Sequence[EstimatorPub]) -> PrimitiveResult:
        return PrimitiveResult([self._run_pub(pub) for pub in pubs], metadata={"version": 2})

    def _run_pub(self, pub: EstimatorPub) -> PubResult:
        circuit = pub.circuit
        order = [p.name for p in circuit.parameters]
        bindings = pub.parameter_values
        angles = np.asarray(bindings.as_array(order) if order else np.zeros((*bindings.shape, 0)), dtype=np.float64)
        positions, observables = np.broadcast_arrays(
            np.arange(max(1, int(np.prod(bindings.shape)))).reshape(bindings.shape),
            np.asarray(pub.observables),
        )
        angles = angles.reshape(max(1, int(np.prod(bindings.shape))), len(order))
        values = np.zeros(positions.shape)
        wanted: dict[int, list[tuple[int, ...]]] = {}
        for index in np.ndindex(positions.shape):
            wanted.setdefault(int(positions[index]), []).append(index)
        reduction: dict[tuple[Any, ...], dict[str, Any]] = {}
        notes: dict[str, None] = {}
        jobs: list[tuple[ExpectationProblem, Real, list[tuple[int, ...]]]] = []
        for position, indices in wanted.items():
            operators = [_operator(observables[index], circuit.num_qubits) for index in indices]
            stated = self.expectation_problem(circuit, operators)
            jobs.append((stated, angles[position], indices))
            notes |= dict.fromkeys(stated.warnings)
            reduction |= {part["qubits"]: part for part in stated.reduction}
        for (_, _, indices), found in zip(jobs, _all_values(jobs), strict=True):
            for index, value in zip(indices, found, strict=True):
                values[index] = value
        metadata = {
            "target_precision": pub.precision,
            "engine": "exact",
            "reduction": tuple(reduction.values()),
            "warnings": tuple(notes),
            "circuit_metadata": circuit.metadata,
        }
        data = DataBin(evs=values, stds=np.zeros_like(values), shape=values.shape)
        return PubResult(data, metadata=metadata)


def _all_values(jobs: Sequence[tuple[ExpectationProblem, Real, list[tuple[int, ...]]]]) -> list[Real]:
    if len(jobs) == 1:
        return [jobs[0][0].values(jobs[0][1])]
    workers = min((job[0].workers for job in jobs), default=1)
    return list(parallel_draws(lambda job: job[0].values(job[1]), jobs, workers))


def _operator(observable: Any, num_qubits: int) -> SparsePauliOp:
    """An observable of a pub, {label: coefficient}; projectors such as "0" or "+" are Pauli sums."""
    single = {
        "0": SparsePauliOp(["I", "Z"], [0.5, 0.5]),
        "1": SparsePauliOp(["I", "Z"], [0.5, -0.5]),
        "+": SparsePauliOp(["I", "X"], [0.5, 0.5]),
        "-": SparsePauliOp(["I", "X"], [0.5, -0.5]),
        "r": SparsePauliOp(["I", "Y"], [0.5, 0.5]),
        "l": SparsePauliOp(["I", "Y"], [0.5, -0.5]),
    }
    total = SparsePauliOp(["I" * num_qubits], [0.0])
    for label, coefficient in dict(observable).items():
        if not set(label) & set(single):
            total += SparsePauliOp([label], [coefficient])
            continue
        term = SparsePauliOp([""], [coefficient]) if not label else None
        for letter in label:
            factor = single.get(letter, SparsePauliOp([letter]) if letter in "IXYZ" else None)
            term = factor if term is None else term.tensor(factor)
        total += coefficient * term
    return total.simplify()


def _label(operator: SparsePauliOp) -> str:
    parts = [f"{complex(c).real:g}*{label}" for label, c in operator.to_list()[:4]]
    return " + ".join(parts) + (" + ..." if len(operator) > 4 else "")


def circuit_key(circuit: QuantumCircuit) -> Hashable:
    """Equal for circuits that are the same, instruction by instruction; found in microseconds per instruction."""
    return (
        circuit.num_qubits,
        tuple(
            (_instruction_key(item.operation), tuple(circuit.find_bit(bit).index for bit in item.qubits))
            for item in circuit.data
        ),
    )


def _instruction_key(operation: Instruction) -> Hashable:
    standard = operation.base_class.__module__.startswith("qiskit.circuit.library.standard_gates")
    if isinstance(operation, UnitaryGate):
        return "unitary", np.asarray(operation.params[0]).tobytes()
    if standard or isinstance(operation, Barrier | Measure) or operation.definition is None:
        state = getattr(operation, "ctrl_state", None)
        return operation.name, tuple(_hashable(p) for p in operation.params), state
    return operation.name, tuple(_hashable(p) for p in operation.params), circuit_key(operation.definition)


def _hashable(parameter: Any) -> Hashable:
    return parameter.tobytes() if isinstance(parameter, np.ndarray) else parameter
