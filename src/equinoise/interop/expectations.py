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
from equinoise.engines.batch import Batch
from equinoise.errors import ParameterError, ReadoutError, StateError, UnsupportedError
from equinoise.interop.angle_rows import AngleRows
from equinoise.interop.quantities import Mean, Probabilities, Quantity, Variance
from equinoise.problem import Problem
from equinoise.qubit_layout import without_layout
from equinoise.readout import attenuated, commutes_with_charge
from equinoise.reduction.operators import OperatorEntries
from equinoise.reduction.program import Program, compile_problem

__all__ = ["ExpectationProblem", "full_space_note", "prepared_or_empty", "stated_problem"]

Real = npt.NDArray[np.float64]


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

    batch: Batch
    operators: list[OperatorEntries]
    postselected: bool
    quantities: tuple[Quantity, ...]

    def outputs(self, raw: Real) -> Real:
        """The quantities, shape (S, m), from the engine's values, shape (S, r)."""
        means = raw[:, :-1] / raw[:, -1:] if self.postselected else raw
        columns: list[Real] = []
        at = 0
        for quantity in self.quantities:
            if isinstance(quantity, Variance):
                columns.append(means[:, at + 1] - means[:, at] ** 2)
                at += 2
            else:
                columns += list(means[:, at : at + quantity.size].T)
                at += quantity.size
        return np.stack(columns, axis=1)

    def derivatives(self, raw: Real) -> Real:
        """Of the quantities by the engine's values, shape (m, r), at values of shape (r,)."""
        means, by_raw = raw, np.eye(raw.size)
        if self.postselected:
            kept = raw[-1]
            means = raw[:-1] / kept
            by_raw = np.hstack([np.eye(means.size), -means[:, None]]) / kept
        rows: list[Real] = []
        at = 0
        for quantity in self.quantities:
            if isinstance(quantity, Variance):
                rows.append(by_raw[at + 1] - 2 * means[at] * by_raw[at])
                at += 2
                continue
            rows += list(by_raw[at : at + quantity.size])
            at += quantity.size
        return np.array(rows).reshape(-1, raw.size)


class ExpectationProblem:
    """A circuit with its noise and everything that is read from it.

    What moves the charge in an observable has mean 0 in states of one charge, as long as gates and noise keep the
    charges apart: it is left out, and ``warnings`` say so.

    Args:
        circuit: As :class:`equinoise.Problem` takes it, and with angles that are any function of its parameters.
        quantities: What is read.
        projected: Whether <A> means Tr[P_q A P_q rho], P_q the projector on the active sector of all qubits.
        postselected: Whether it means Tr[P_q A rho] / Tr[P_q rho]: the mean over runs whose measured charge is q.
        full_space: Compute in the full space of the light cone where gates or observables break the charge, instead
            of refusing.
        options: ``noise`` (its readout errors enter the means), ``initial`` (see :func:`prepared_or_empty`), ``charge``
            and ``at``, as :class:`equinoise.Problem` takes them.

    Attributes:
        size: How many numbers are read in all.
        num_parameters: K, the number of circuit parameters.
        warnings: What was assumed, dropped or clipped, and why the full space was taken.
        full_space: The last of these alone.
        reduction: Per group of quantities, cone qubits, charges held and complex numbers of a density matrix in them.
        engine: What the values come from: "state-vector" without noise, else "exact".

    Raises:
        EquinoiseError: What :class:`equinoise.Problem` raises.
        ReadoutError: A quantity that does not conserve the charge, where its mean need not be 0.
        UnsupportedError: Noise that the exact engine cannot take, or readout errors with anything but plain means.
        MemoryLimitError: A light cone is too large: without noise, for a state vector.
    """

    def __init__(
        self,
        circuit: QuantumCircuit,
        quantities: Sequence[Quantity],
        projected: bool = False,
        postselected: bool = False,
        full_space: bool = False,
        **options: Any,
    ) -> None:
        _check(quantities)
        self.postselected = postselected
        qubits = sorted({q for quantity in quantities for q in quantity.qubits})
        options |= {"projected": projected or postselected, "allow_broken": full_space}
        circuit = without_layout(circuit)  # whoever hands over operators has placed them on the circuit's qubits
        self.num_parameters = len(circuit.parameters)
        together, self._angles = stated_problem(circuit, qubits, **options)
        read = [_as_read(quantity, together, postselected) for quantity in quantities]
        moving = [quantity.name for quantity in read if isinstance(quantity, Mean) and _moves(quantity.operator)]
        self.full_space = full_space_note(together)
        self.warnings = (*together.warnings, *self.full_space)
        unseen = moving and _holds_one_charge(together)
        if unseen:
            self.warnings += (_UNSEEN.format(moving[0], f" (and {len(moving) - 1} more)" if len(moving) > 1 else ""),)
        elif moving and not full_space:
            raise ReadoutError(_OFF_THE_CHARGE.format(moving[0]))
        self.size = sum(quantity.size for quantity in read)
        self._groups = _grouped(together, read, moves=bool(moving) and not unseen)
        self._readings = [self._reading(group) for group in self._groups]
        self.workers = min(reading.batch.workers for reading in self._readings)
        self.engine = self._readings[0].batch.engine
        self.reduction = tuple(reading.batch.reduction for reading in self._readings)

    def _reading(self, group: _Group) -> _Reading:
        batch = Batch(group.problem)
        program = batch.program
        operators = [entries for quantity in group.quantities for entries in _entries(quantity, program)]
        if self.postselected:
            identity = SparsePauliOp("I" * group.problem.num_qubits)
            operators.append(program.operator_entries(identity, program.projecting_charge))
        return _Reading(batch, operators, self.postselected, group.quantities)

    def conserves_at(self, theta: Real) -> bool:
        """Whether values and derivatives may be asked for at theta: always, if the charge was asked for everywhere."""
        problem = self._groups[0].problem
        return problem.at is None or problem.conserves_at(self._own(theta[None])[0])

    def values(self, theta: Real) -> Real:
        """All quantities, shape (size,), at theta, shape (K,), radians."""
        return np.asarray(self.values_of_rows(theta[None])[0])

    def values_of_rows(self, thetas: Real) -> Real:
        """All quantities at each row of thetas, shape (S, K) -> (S, size): one kernel over the rows where they are."""
        own = self._own(thetas)
        parts = [r.outputs(self._kept(r.batch.values(own, r.operators))) for r in self._readings]
        return np.concatenate(parts, axis=1)

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
            found.append(reading.outputs(self._kept(raw[None]))[0])
            return np.asarray(weights @ reading.derivatives(raw))

        _, gradient = reading.batch.value_and_pullback(self._own(theta[None])[0], reading.operators, cotangent)
        return found[0], gradient if self._angles is None else self._angles.pulled_back(theta, gradient)

    def _own(self, thetas: Real) -> Real:
        """The angles of the circuit that the engines work on."""
        return thetas if self._angles is None else self._angles.values(thetas)

    def _kept(self, raw: Real) -> Real:
        if self.postselected and raw[:, -1].min(initial=1.0) < 1e-12:
            raise StateError(
                f"no run ends with charge {self._groups[0].problem.charge} (kept fraction {raw[:, -1].min():.1e}): "
                "post-selection has nothing to average. Choose a charge that the noise leaves populated."
            )
        return raw


def prepared_or_empty(circuit: QuantumCircuit) -> str | None:
    """The input that other programs mean: the circuit's own leading gates (None), else all qubits in |0>."""
    try:
        split = layered(circuit)
    except ParameterError:  # angles that are no linear functions prepare nothing: see AngleRows
        split = layered(AngleRows(circuit).circuit)
    return None if any(abs(state[1]) > 0 for state in split.prepared.values()) else "0" * circuit.num_qubits


def stated_problem(circuit: QuantumCircuit, qubits: Sequence[int], **options: Any) -> tuple[Problem, AngleRows | None]:
    """A problem whose readout sees some qubits, and its angles where they are no linear functions.

    Args:
        circuit: Without layout.
        qubits: What the readout sees.
        options: As :class:`equinoise.Problem` takes them.
    """

    def stated(circuit: QuantumCircuit) -> Problem:
        if not layered(circuit).layers:  # nothing but a preparation: an empty layer, and no noise
            return Problem(_with_empty_layer(circuit), _cover(qubits, circuit.num_qubits), **{**options, "noise": None})
        return Problem(circuit, _cover(qubits, circuit.num_qubits), **options)

    try:
        return stated(circuit), None
    except ParameterError:
        angles = AngleRows(circuit)
        if angles.circuit.parameters == circuit.parameters:
            raise
        if options.get("at") is not None:
            options["at"] = angles.values(np.asarray(options["at"])[None])[0]
        return stated(angles.circuit), angles


def _holds_one_charge(problem: Problem) -> bool:
    """Whether the input has one charge, and gates and noise keep the charges apart."""
    charges = np.count_nonzero(problem.initial.charges() > 1e-12)
    return bool(charges == 1 and problem.conserves and not compile_problem(problem).full)


_UNSEEN = "{}{} moves the charge, in whole or in part: that part has mean 0 in a state of one charge, and is left out"
_OFF_THE_CHARGE = (
    "{} does not conserve the charge: it must commute with sum_i (1 - Z_i)/2, as Z, products of Z and X(a)X(b) + "
    "Y(a)Y(b) do, unless the state has one charge. Measure such an observable, or run this circuit on a simulator of "
    "all states (default.mixed, Qiskit Aer)."
)


def full_space_note(problem: Problem) -> tuple[str, ...]:
    """Why the full space was taken, if it was because of gates."""
    return tuple(f"{gate}: computed in the full space of the light cone" for gate in problem.breaking[:1])


def _moves(operator: SparsePauliOp) -> bool:
    return not commutes_with_charge(operator)


def _check(quantities: Sequence[Quantity]) -> None:
    if not quantities:
        raise ReadoutError("nothing is measured. Give at least one observable.")
    for quantity in quantities:
        if not isinstance(quantity, Mean):
            continue
        coefficients = np.asarray(quantity.operator.coeffs, dtype=np.complex128)
        if not np.all(np.isfinite(coefficients)) or np.abs(coefficients.imag).max(initial=0.0) > 1e-10:
            raise ReadoutError(f"{quantity.name} is not Hermitian: its Pauli coefficients must be real numbers.")


def _cover(qubits: Sequence[int], num_qubits: int, letter: str = "Z") -> SparsePauliOp:
    """A readout that sees exactly these qubits (the first of all if there are none); with X it moves the charge."""
    return SparsePauliOp.from_sparse_list([(letter, [q], 1.0) for q in qubits or [0]], num_qubits=num_qubits)


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
    return Mean(attenuated(quantity.operator, errors), quantity.name)


def _grouped(together: Problem, quantities: Sequence[Quantity], moves: bool) -> list[_Group]:
    """One group of all, or each by itself where that is cheaper; a readout that moves the charge takes full space."""
    letter = "X" if moves else "Z"
    qubits = sorted({q for quantity in quantities for q in quantity.qubits})
    together = together.with_operator(_cover(qubits, together.num_qubits, letter)) if moves else together
    whole = [_Group(together, tuple(quantities), slice(0, sum(q.size for q in quantities)))]
    if len(quantities) == 1:
        return whole
    groups: list[_Group] = []
    at = 0
    for quantity in quantities:
        # one run has one layout, whatever is read
        problem = together.with_operator(_cover(sorted(quantity.qubits), together.num_qubits, letter))
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


def _with_empty_layer(circuit: QuantumCircuit) -> QuantumCircuit:
    padded = circuit.copy()
    padded.barrier()
    padded.id(0)
    end_layer(padded)
    return padded
