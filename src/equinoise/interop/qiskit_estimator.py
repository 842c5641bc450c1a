"""Qiskit's estimator interface, version 2: exact noisy expectation values, many parameter values in one program."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, DataBin, PrimitiveJob, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparsePauliOp

from equinoise.errors import ParameterError
from equinoise.interop.circuit_keys import circuit_key
from equinoise.interop.expectations import ExpectationProblem, prepared_or_empty
from equinoise.interop.quantities import Mean
from equinoise.noise.model import NoiseModel
from equinoise.reduction.prepared import Kept

__all__ = ["SectorEstimator"]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

_KEPT_PROBLEMS = 64


class SectorEstimator(BaseEstimatorV2):  # type: ignore[misc]
    """Exact noisy expectation values in the charge blocks of the observables' light cone.

    A circuit is compiled once for all its parameter values, in whatever pubs of a run they stand; then a value of a
    four-qubit circuit takes some microseconds. Circuits start in |0...0> or in what their leading one-qubit gates
    prepare; the noise acts after each layer, as :class:`equinoise.Problem` defines it. Angles may be any function of
    the parameters. Where gates, observables or noise break the charge, the full space of the light cone is used:
    state vectors of up to 20 qubits without noise, density matrices of what memory holds with noise.

    Values are exact and so meet every precision. With a ``seed`` they get normal errors of the precision asked for, as
    those of Qiskit's ``StatevectorEstimator``.

    Threads may share an estimator; copies and pickles compile again.

    Args:
        noise: As :class:`equinoise.Problem` takes it; readout errors enter the values.
        charge: The active sector q; by default the charge of the prepared state.
        projected: Whether values are Tr[P_q A P_q rho], P_q the projector on the active sector.
        postselected: Whether they are means over the runs whose measured charge is q.
        default_precision: Of pubs and runs that state none.
        seed: Of the errors; None for exact values.

    Raises:
        ParameterError: A precision that is negative or not finite.

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
        default_precision: float = 0.0,
        seed: int | None = None,
    ) -> None:
        self._options: dict[str, Any] = {
            "noise": noise,
            "charge": charge,
            "projected": projected,
            "postselected": postselected,
        }
        self._default_precision = _checked_precision(default_precision)
        self._seed = seed
        self._problems = Kept(_KEPT_PROBLEMS)

    @property
    def default_precision(self) -> float:
        """Of pubs and runs that state none."""
        return self._default_precision

    @property
    def seed(self) -> int | None:
        """Of the errors; None for exact values."""
        return self._seed

    @property
    def noise(self) -> Any:
        """What acts after each layer, as it was given."""
        return self._options["noise"]

    @property
    def sector(self) -> dict[str, Any]:
        """The options charge, projected and postselected."""
        return {name: value for name, value in self._options.items() if name != "noise"}

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> PrimitiveJob:
        """Expectation values of each (circuit, observables, parameter values), broadcast as Qiskit does.

        Args:
            pubs: As for any ``EstimatorV2``.
            precision: Of pubs that state none; see the class.

        Returns:
            A job; its result has ``data.evs`` and ``data.stds`` for each pub, and in ``metadata`` the engine, the light
            cones and charges, and what was assumed, dropped or clipped.

        Raises:
            EquinoiseError: From the job's result: what :class:`equinoise.Problem` raises.
        """
        wanted = _checked_precision(self._default_precision if precision is None else precision)
        coerced = [EstimatorPub.coerce(pub, wanted) for pub in pubs]
        job = PrimitiveJob(self._run, coerced)
        job._submit()
        return job

    def expectation_problem(self, circuit: QuantumCircuit, operators: Sequence[SparsePauliOp]) -> ExpectationProblem:
        """The circuit made ready for these observables; kept for the next call."""
        return self.stated(circuit_key(circuit), circuit, operators)

    def stated(self, key: Hashable, circuit: QuantumCircuit, operators: Sequence[SparsePauliOp]) -> ExpectationProblem:
        """The same, for whoever has the circuit's key."""

        def make() -> ExpectationProblem:
            means = [Mean(operator, f"the observable {_label(operator)}") for operator in operators]
            initial = prepared_or_empty(circuit)
            return ExpectationProblem(circuit, means, initial=initial, full_space=True, **self._options)

        return self._problems.made((key, tuple(tuple(operator.to_list()) for operator in operators)), make)

    def _run(self, pubs: Sequence[EstimatorPub]) -> PrimitiveResult:
        together = _same_circuits(pubs)
        for same in together:
            same.work_out(self)
        rng = np.random.default_rng(self._seed)
        places = {number: (same, i) for same in together for i, number in enumerate(same.numbers)}
        results = []
        for number, pub in enumerate(pubs):
            same, i = places[number]
            values = same.values_of(i)
            noisy = self._seed is not None and pub.precision > 0
            metadata = {
                "target_precision": pub.precision,
                "engine": same.engine,
                "reduction": tuple(same.reduction.values()),
                "warnings": tuple(same.notes),
                "circuit_metadata": pub.circuit.metadata,
            }
            errors = np.full(values.shape, pub.precision if noisy else 0.0)
            data = DataBin(evs=rng.normal(values, pub.precision) if noisy else values, stds=errors, shape=values.shape)
            results.append(PubResult(data, metadata=metadata))
        return PrimitiveResult(results, metadata={"version": 2})


@dataclass
class _SameCircuit:
    """Pubs of one circuit: all their parameter values and observables in one table.

    Attributes:
        key: The circuit's.
        circuit: The circuit.
        count: Parameter values in all.
        numbers: Of the pubs in the run.
        thetas: Parameter values of each pub, shape (S, K).
        requests: Per pub, the row (of all thetas) and the observable of each value asked for.
        observables: The number of each observable of the pubs.
        operators: The observables.
        engine: Of the values.
        reduction: By cone.
        notes: What was assumed, dropped or clipped.
        table: Values, shape (rows of all pubs, observables).
    """

    key: Hashable
    circuit: QuantumCircuit
    count: int = 0
    numbers: list[int] = field(default_factory=list)
    thetas: list[Real] = field(default_factory=list)
    requests: list[tuple[Index, Index]] = field(default_factory=list)
    observables: dict[Hashable, int] = field(default_factory=dict)
    operators: list[SparsePauliOp] = field(default_factory=list)
    engine: str = "exact"
    reduction: dict[Any, dict[str, Any]] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    table: Real = field(default_factory=lambda: np.zeros((0, 0)))

    def add(self, number: int, pub: EstimatorPub) -> None:
        """A pub with this circuit."""
        bindings = pub.parameter_values
        order = [p.name for p in self.circuit.parameters]
        count = int(np.prod(bindings.shape, dtype=np.int64))
        angles = bindings.as_array(order) if order else np.zeros((count, 0))
        rows = self.count + np.arange(count).reshape(bindings.shape)
        stated = np.asarray(pub.observables)
        seen = np.array([self._number_of(o) for o in stated.ravel()], dtype=np.int64).reshape(stated.shape)
        self.count += count
        self.numbers.append(number)
        self.thetas.append(np.asarray(angles, dtype=np.float64).reshape(count, len(order)))
        self.requests.append(tuple(np.broadcast_arrays(rows, seen)))  # type: ignore[arg-type]

    def _number_of(self, observable: Mapping[str, float]) -> int:
        key = tuple(observable.items())
        if key not in self.observables:
            self.observables[key] = len(self.operators)
            self.operators.append(_operator(observable, self.circuit.num_qubits))
        return self.observables[key]

    def work_out(self, estimator: SectorEstimator) -> None:
        """Fills the table where a value is asked for: rows that ask for the same observables at once."""
        thetas = np.concatenate(self.thetas)
        wanted = np.zeros((len(thetas), len(self.operators)), dtype=bool)
        for rows, seen in self.requests:
            wanted[rows, seen] = True
        self.table = np.zeros(wanted.shape)
        patterns, which = np.unique(wanted, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            columns = np.flatnonzero(pattern)
            if not columns.size:
                continue
            stated = estimator.stated(self.key, self.circuit, [self.operators[j] for j in columns])
            rows = np.flatnonzero(which.ravel() == number)
            self.table[rows[:, None], columns] = stated.values_of_rows(thetas[rows])
            self.engine = stated.engine
            self.notes |= dict.fromkeys(stated.warnings)
            self.reduction |= {part["qubits"]: part for part in stated.reduction}

    def values_of(self, number: int) -> Real:
        """The values that a pub asked for, in its shape."""
        return np.asarray(self.table[self.requests[number]])


def _same_circuits(pubs: Sequence[EstimatorPub]) -> list[_SameCircuit]:
    found: dict[Hashable, _SameCircuit] = {}
    keys: dict[int, Hashable] = {}
    for number, pub in enumerate(pubs):
        circuit = pub.circuit
        if id(circuit) not in keys:
            keys[id(circuit)] = circuit_key(circuit)
        key = keys[id(circuit)]
        found.setdefault(key, _SameCircuit(key, circuit)).add(number, pub)
    return list(found.values())


def _checked_precision(precision: Any) -> float:
    value = float(precision)
    if not 0 <= value < float("inf"):
        raise ParameterError(f"the precision must be a number of at least 0, got {precision!r}.")
    return value


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
