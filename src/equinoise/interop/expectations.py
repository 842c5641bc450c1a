"""What other programs ask of a circuit: several means, variances and probabilities at once, with their derivatives.

All quantities of one circuit are read from one exact state, and any combination of their gradients comes from one sweep
back. Where the light cone of all together is larger than their separate cones in sum, each is computed in its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from equinoise.circuit.layers import end_layer, layered
from equinoise.engines.sector.exact import ExactEngine
from equinoise.engines.select import exact_engine
from equinoise.errors import ReadoutError, StateError, UnsupportedError
from equinoise.problem import Problem
from equinoise.qubit_layout import without_layout
from equinoise.readout import attenuated, commutes_with_charge, support
from equinoise.reduction.operators import OperatorEntries
from equinoise.reduction.program import Program, compile_problem

__all__ = ["ExpectationProblem", "Mean", "Probabilities", "Quantity", "Variance", "prepared_or_empty"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Mean:
    """<A>.

    Attributes:
        operator: A on all circuit qubits; Hermitian and charge-conserving.
        name: What to call it in an error.
    """

    operator: SparsePauliOp
    name: str

    @property
    def qubits(self) -> tuple[int, ...]:
        """Circuit qubits that it sees."""
        return support(self.operator)

    @property
    def size(self) -> int:
        """How many numbers it is."""
        return 1


@dataclass(frozen=True)
class Variance(Mean):
    """<A^2> - <A>^2, the variance of one ideal measurement of A."""


@dataclass(frozen=True)
class Probabilities:
    """Of all outcomes of some qubits.

    Attributes:
        qubits: Circuit qubits; the first is the most significant bit of the outcome's number.
        name: What to call it in an error.
    """

    qubits: tuple[int, ...]
    name: str

    @property
    def size(self) -> int:
        """How many numbers it is: 2^m."""
        return int(2 ** len(self.qubits))


Quantity = Mean | Probabilities


@dataclass(frozen=True)
class _Group:
    """Quantities read from one state.

    Attributes:
        problem: Its readout covers what they see.
        quantities: In order.
        outputs: Where their numbers stand among all.
    """

    problem: Problem
    quantities: tuple[Quantity, ...]
    outputs: slice


@dataclass(frozen=True)
class _Reading:
    """A group made ready: what the engine reads, and what is made of it."""

    engine: ExactEngine
    operators: list[OperatorEntries]
    postselected: bool
    quantities: tuple[Quantity, ...]

    def outputs(self, raw: Real) -> tuple[Real, Real]:
        """The quantities, shape (m,), and their derivatives by the engine's values, shape (m, r)."""
        means, by_raw = raw, np.eye(raw.size)
        if self.postselected:
            kept = raw[-1]
            means = raw[:-1] / kept
            by_raw = np.hstack([np.eye(means.size), -means[:, None]]) / kept
        rows: list[Real] = []
        values: list[float] = []
        at = 0
        for quantity in self.quantities:
            if isinstance(quantity, Variance):
                values.append(float(means[at + 1] - means[at] ** 2))
                rows.append(by_raw[at + 1] - 2 * means[at] * by_raw[at])
                at += 2
                continue
            values += means[at : at + quantity.size].tolist()
            rows += list(by_raw[at : at + quantity.size])
            at += quantity.size
        return np.array(values), np.array(rows).reshape(len(values), raw.size)


class ExpectationProblem:
    """A circuit with its noise and everything that is read from it.

    Args:
        circuit: As :class:`equinoise.Problem` takes it.
        quantities: What is read; each must conserve the charge.
        noise: As :class:`equinoise.Problem` takes it. Its readout errors enter the means.
        initial: Likewise; see :func:`prepared_or_empty`.
        charge: The active sector; by default the charge of the initial state.
        projected: Whether <A> means Tr[P_q A P_q rho], P_q the projector on the active sector of all qubits.
        postselected: Whether it means Tr[P_q A rho] / Tr[P_q rho]: the mean over runs whose measured charge is q.
        at: As :class:`equinoise.Problem` takes it.

    Attributes:
        size: How many numbers are read in all.
        num_parameters: K, the number of circuit parameters.
        warnings: What was assumed, dropped or clipped.
        reduction: Per group of quantities, cone qubits, charges held and complex numbers of a density matrix.

    Raises:
        EquinoiseError: What :class:`equinoise.Problem` raises.
        ReadoutError: A quantity does not conserve the charge.
        UnsupportedError: Noise that the exact engine cannot take, or readout errors with anything but plain means.
        MemoryLimitError: A light cone is too large for the exact engine.
    """

    def __init__(
        self,
        circuit: QuantumCircuit,
        quantities: Sequence[Quantity],
        noise: Any = None,
        initial: Any = None,
        charge: int | None = None,
        projected: bool = False,
        postselected: bool = False,
        at: Real | None = None,
    ) -> None:
        _check(quantities)
        self.postselected = postselected
        circuit = without_layout(circuit)  # whoever hands over operators has placed them on the circuit's qubits
        if not layered(circuit).layers:  # nothing but a preparation: an empty layer, and no noise
            circuit, noise = _with_empty_layer(circuit), None
        qubits = sorted({q for quantity in quantities for q in quantity.qubits})
        together = Problem(
            circuit,
            readout=_cover(qubits, circuit.num_qubits),
            initial=initial,
            noise=noise,
            projected=projected or postselected,
            charge=charge,
            at=at,
        )
        read = [_as_read(quantity, together, postselected) for quantity in quantities]
        self.size = sum(quantity.size for quantity in read)
        self.num_parameters = len(together.parameters)
        self.warnings = together.warnings
        self._groups = _grouped(together, read)
        self._readings = [self._reading(group) for group in self._groups]
        self.workers = min(reading.engine.workers for reading in self._readings)
        self.reduction = tuple(_reduction(compile_problem(group.problem)) for group in self._groups)

    def _reading(self, group: _Group) -> _Reading:
        program = compile_problem(group.problem)
        operators = [entries for quantity in group.quantities for entries in _entries(quantity, program)]
        if self.postselected:
            identity = SparsePauliOp("I" * group.problem.num_qubits)
            operators.append(program.operator_entries(identity, program.projecting_charge))
        return _Reading(exact_engine(group.problem), operators, self.postselected, group.quantities)

    def conserves_at(self, theta: Real) -> bool:
        """Whether values and derivatives may be asked for at theta: always, if the charge was asked for everywhere."""
        problem = self._groups[0].problem
        return problem.at is None or problem.conserves_at(theta)

    def values(self, theta: Real) -> Real:
        """All quantities, shape (size,), at theta, shape (K,), radians."""
        parts = [r.outputs(self._kept(r.engine.values(theta, 1.0, r.operators)))[0] for r in self._readings]
        return np.concatenate(parts)

    def values_and_jacobian(self, theta: Real) -> tuple[Real, Real]:
        """All quantities, shape (size,), and their derivatives, shape (size, K), per radian."""
        values, rows = [], []
        for group, reading in zip(self._groups, self._readings, strict=True):
            count = group.outputs.stop - group.outputs.start
            for i in range(count):
                found, row = self._pulled_back(reading, theta, np.eye(count)[i])
                rows.append(row)
            values.append(found)
        return np.concatenate(values), np.array(rows).reshape(self.size, self.num_parameters)

    def values_and_pullback(self, theta: Real, weights: Real) -> tuple[Real, Real]:
        """All quantities, and sum_i weights[i] d(quantity i)/dtheta_k, shape (K,): one sweep back for each group."""
        total = np.zeros(self.num_parameters)
        values = []
        for group, reading in zip(self._groups, self._readings, strict=True):
            found, row = self._pulled_back(reading, theta, weights[group.outputs])
            values.append(found)
            total += row
        return np.concatenate(values), total

    def _pulled_back(self, reading: _Reading, theta: Real, weights: Real) -> tuple[Real, Real]:
        found: list[Real] = []

        def cotangent(raw: Real) -> Real:
            values, derivatives = reading.outputs(self._kept(raw))
            found.append(values)
            return np.asarray(weights @ derivatives)

        _, gradient = reading.engine.value_and_pullback(theta, 1.0, reading.operators, cotangent)
        return found[0], gradient

    def _kept(self, raw: Real) -> Real:
        if self.postselected and raw[-1] < 1e-12:
            raise StateError(
                f"no run ends with charge {self._groups[0].problem.charge} (kept fraction {raw[-1]:.1e}): "
                "post-selection has nothing to average. Choose a charge that the noise leaves populated."
            )
        return raw


def prepared_or_empty(circuit: QuantumCircuit) -> str | None:
    """The input that other programs mean: the circuit's own leading gates (None), else all qubits in |0>."""
    split = layered(circuit)
    return None if any(abs(state[1]) > 0 for state in split.prepared.values()) else "0" * circuit.num_qubits


def _check(quantities: Sequence[Quantity]) -> None:
    if not quantities:
        raise ReadoutError("nothing is measured. Give at least one observable.")
    for quantity in quantities:
        if not isinstance(quantity, Mean):
            continue
        coefficients = np.asarray(quantity.operator.coeffs, dtype=np.complex128)
        if not np.all(np.isfinite(coefficients)) or np.abs(coefficients.imag).max(initial=0.0) > 1e-10:
            raise ReadoutError(f"{quantity.name} is not Hermitian: its Pauli coefficients must be real numbers.")
        if not commutes_with_charge(quantity.operator):
            raise ReadoutError(
                f"{quantity.name} does not conserve the charge: it must commute with sum_i (1 - Z_i)/2, as Z, products "
                "of Z and X(a)X(b) + Y(a)Y(b) do. Measure such an observable, or run this circuit on a simulator "
                "of all states (default.mixed, Qiskit Aer)."
            )


def _cover(qubits: Sequence[int], num_qubits: int) -> SparsePauliOp:
    """A readout that sees exactly these qubits (the first of all if there are none)."""
    return SparsePauliOp.from_sparse_list([("Z", [q], 1.0) for q in qubits or [0]], num_qubits=num_qubits)


def _as_read(quantity: Quantity, problem: Problem, postselected: bool) -> Quantity:
    """A quantity under the noise model's assignment errors."""
    seen = range(problem.num_qubits) if postselected else quantity.qubits
    errors = {q: p for q, p in problem.noise.readout_error if q in seen and any(p)}
    if not errors:
        return quantity
    if type(quantity) is not Mean or postselected:
        raise UnsupportedError(
            f"{quantity.name} under readout errors (qubit {min(errors)}) is not provided"
            f"{' with post-selection' if postselected else ''}; plain means are. Leave readout_error out of the noise."
        )
    operator = attenuated(quantity.operator, errors)
    moves = operator.paulis.x.sum(axis=1) % 2 == 1
    if np.any(moves) and problem.charge is None:
        raise UnsupportedError(
            f"readout errors turn {quantity.name} into terms that move the charge, and the input holds several "
            "charges. Leave readout_error out of the noise, or start from a state of one charge."
        )
    return Mean(operator[~moves], quantity.name)  # without coherence between charges the other terms have mean 0


def _grouped(together: Problem, quantities: Sequence[Quantity]) -> list[_Group]:
    """One group of all, or each by itself where that is cheaper."""
    whole = [_Group(together, tuple(quantities), slice(0, sum(q.size for q in quantities)))]
    if len(quantities) == 1:
        return whole
    groups: list[_Group] = []
    at = 0
    for quantity in quantities:
        # one run has one layout, whatever is read
        problem = together.with_operator(_cover(sorted(quantity.qubits), together.num_qubits))
        groups.append(_Group(problem, (quantity,), slice(at, at + quantity.size)))
        at += quantity.size
    apart = sum(compile_problem(group.problem).numbers for group in groups)
    return whole if compile_problem(together).numbers <= apart else groups


def _entries(quantity: Quantity, program: Program) -> list[OperatorEntries]:
    sector = program.projecting_charge
    if isinstance(quantity, Probabilities):
        return _outcomes(quantity, program, sector)
    out = [program.operator_entries(quantity.operator, sector)]
    if isinstance(quantity, Variance):
        out.append(program.operator_entries((quantity.operator @ quantity.operator).simplify(), sector))
    return out


def _outcomes(quantity: Probabilities, program: Program, sector: int | None) -> list[OperatorEntries]:
    """The projector on each outcome, in each charge block."""
    places = [program.cone.qubits.index(q) for q in quantity.qubits]
    powers = 1 << np.arange(len(places))[::-1]
    out: list[OperatorEntries] = [{} for _ in range(quantity.size)]
    for charge in program.charges:
        occupations = program.sectors[charge].occupations.astype(np.int64)
        outcome = occupations[:, places] @ powers
        if sector is not None:
            outcome = np.where(occupations.sum(axis=1) == sector, outcome, -1)
        for i, entries in enumerate(out):
            rows = np.flatnonzero(outcome == i)
            entries[charge] = (rows, rows, np.ones(rows.size, dtype=np.complex128))  # type: ignore[index]
    return out


def _reduction(program: Program) -> dict[str, Any]:
    charges = tuple(q for q in program.charges if q is not None) or None
    return {"qubits": program.cone.qubits, "charges": charges, "numbers": program.numbers}


def _with_empty_layer(circuit: QuantumCircuit) -> QuantumCircuit:
    padded = circuit.copy()
    padded.barrier()
    padded.id(0)
    end_layer(padded)
    return padded
