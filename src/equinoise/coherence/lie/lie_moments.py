"""A circuit on its Lie algebra: input and readout as coordinates, moments of value and gradient over the angles.

exp(-i angle H) turns coordinates of operators in g by exp(angle A), A the matrix of B -> i [H, B]. The mean over the
angle multiplies the elements of o o^T in A's eigenbasis by the characteristic function at differences of frequencies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from equinoise.circuit.gates import Angle, significant
from equinoise.circuit.pauli_sums import Sum, from_operator, largest, sparse_matrix
from equinoise.circuit.steps import Step
from equinoise.coherence.lie.lie_algebra import (
    Complex,
    LieAlgebra,
    Real,
    adjoint_matrix,
    coordinates,
    invariant_subspace,
    lie_algebra,
    restricted,
)
from equinoise.ensemble import Ensemble, periods
from equinoise.errors import UnsupportedError
from equinoise.problem import Problem

__all__ = [
    "IdealShare",
    "LieCircuit",
    "characteristic",
    "deep_moments",
    "dependent",
    "ideal_shares",
    "moments_at_depth",
    "reduced",
]

_TOLERANCE = 1e-8


@dataclass(frozen=True)
class IdealShare:
    """What one simple ideal g_j adds to the variance.

    Attributes:
        dimension: d_j.
        state_purity: P_j(rho) = sum_a Tr[B_a rho]^2 over an orthonormal basis of i g_j.
        readout_purity: P_j(O).
        variance: P_j(rho) P_j(O)/d_j.
    """

    dimension: int
    state_purity: float
    readout_purity: float
    variance: float


@dataclass(frozen=True)
class LieCircuit:
    """Steps, input and readout on the subspace.

    Attributes:
        algebra: Of the generators of steps with free angles.
        kinds: For each step the number of its generator in ``algebra.adjoint``; -1 for a fixed one.
        fixed: For each fixed step its generator, shape (m, m).
        state: rho, shape (m, m).
        readout: O, likewise.
    """

    algebra: LieAlgebra
    kinds: tuple[int, ...]
    fixed: tuple[Complex | None, ...]
    state: Complex
    readout: Complex

    def simple(self, operator: Complex) -> Complex:
        """The part of a Hermitian operator in the simple ideals."""
        here = coordinates(operator, self.algebra.basis)
        kept = sum((rows.T @ (rows @ here) for rows in self.algebra.ideals), np.zeros(self.algebra.dimension))
        return np.asarray(np.tensordot(kept, self.algebra.basis, axes=1))

    def inside(self, operator: Complex) -> bool:
        """Whether an operator lies in i g plus what commutes with g."""
        rest = operator - self.simple(operator)
        size = max(float(np.linalg.norm(operator)), _TOLERANCE)
        return all(
            np.linalg.norm(h @ rest - rest @ h) <= 1e2 * _TOLERANCE * size * max(1.0, float(np.linalg.norm(h)))
            for h in self.algebra.generators
        )

    def obstacles(self) -> tuple[str, ...]:
        """Why the formula does not apply, as far as operators tell."""
        out = []
        if not self.inside(self.readout) and not self.inside(self.state):
            out.append("neither the readout nor the input lies in the circuit's Lie algebra")
        for generator in self.fixed:
            if generator is not None:
                basis = self.algebra.basis
                rest = generator - np.tensordot(coordinates(generator, basis), basis, axes=1)
                rest -= np.trace(rest) / len(rest) * np.eye(len(rest))
                if np.linalg.norm(rest) > 1e2 * _TOLERANCE * max(1.0, float(np.linalg.norm(generator))):
                    out.append("a gate of fixed angle lies outside the group that the free angles make")
                    break
        return tuple(out)


def _steps(problem: Problem) -> tuple[Step, ...]:
    """The circuit's steps with generators of one size, as P/2 of a rotation, whatever their angles' coefficients are.

    exp(-i angle H) is the same with angle times a number and H over it; the algebra must not depend on either.
    """
    out = []
    for step in problem.steps:
        size = 2 * largest(step.generator)
        generator = {string: value / size for string, value in step.generator.items()}
        out.append(replace(step, angle=step.angle.scaled(size), generator=generator))
    return tuple(out)


def reduced(problem: Problem, max_dimension: int, tick: Callable[[int], None] | None) -> LieCircuit:
    """A problem's circuit on its Lie algebra.

    Args:
        problem: The problem.
        max_dimension: Of the algebra.
        tick: Called after each round of commutators.

    Raises:
        UnsupportedError: No free angle, or a subspace or an algebra that is too large.
        MissingPackageError: PennyLane is not installed.
    """
    n = problem.num_qubits
    numbers: dict[tuple[object, ...], int] = {}
    free: list[Sum] = []
    if problem.input_varies:
        raise UnsupportedError("the input depends on a row of data: bind the inputs of one row.")
    kinds = []
    circuit_steps = _steps(problem)
    for step in circuit_steps:
        if not step.angle.coefficients:
            kinds.append(-1)
            continue
        key = tuple(sorted((s, significant(v)) for s, v in step.generator.items()))
        if key not in numbers:
            numbers[key] = len(free)
            free.append(step.generator)
        kinds.append(numbers[key])
    if not free:
        raise UnsupportedError("the circuit has no free angle: nothing varies.")
    operators = [sparse_matrix(h, n) for h in free]
    fixed = [None if kind >= 0 else sparse_matrix(s.generator, n) for s, kind in zip(circuit_steps, kinds, strict=True)]
    state = np.asarray(problem.initial.statevector(), dtype=np.complex128)
    space = invariant_subspace([*operators, *(f for f in fixed if f is not None)], state)

    amplitudes = space.conj().T @ state
    readout = restricted(sparse_matrix(from_operator(problem.readout), n), space)
    if problem.projected:
        charge = np.bitwise_count(np.arange(2**n, dtype=np.uint64))
        inside = (space.conj().T * (charge == problem.charge)) @ space
        readout = inside @ readout @ inside
    return LieCircuit(
        lie_algebra(free, n, space, max_dimension, tick),
        tuple(kinds),
        tuple(None if f is None else restricted(f, space) for f in fixed),
        np.outer(amplitudes, amplitudes.conj()),
        readout,
    )


def dependent(problem: Problem) -> tuple[str, ...]:
    """Why the steps' angles are not independent of each other; empty if they are."""
    free = [step for step in _steps(problem) if step.angle.coefficients]
    rows = np.zeros((len(free), len(problem.parameters)))
    for row, step in zip(rows, free, strict=True):
        for k, c in step.angle.coefficients:
            row[k] = c
    if np.all(np.count_nonzero(rows, axis=0) <= 1) or np.linalg.matrix_rank(rows) == len(free):
        return ()
    k = int(np.argmax(np.count_nonzero(rows, axis=0)))
    return (
        f"the angles are not independent: parameter {problem.parameters[k].name!r} turns "
        f"{np.count_nonzero(rows[:, k])} steps that cannot be joined",
    )


def ideal_shares(circuit: LieCircuit) -> tuple[IdealShare, ...]:
    """Each simple ideal's purities of input and readout, largest ideal first."""
    basis = circuit.algebra.basis
    rho, readout = coordinates(circuit.state, basis), coordinates(circuit.readout, basis)
    out = []
    for rows in circuit.algebra.ideals:
        p, q = float(np.sum((rows @ rho) ** 2)), float(np.sum((rows @ readout) ** 2))
        out.append(IdealShare(rows.shape[0], p, q, p * q / rows.shape[0]))
    return tuple(out)


def deep_moments(circuit: LieCircuit, problem: Problem, ideals: Sequence[IdealShare]) -> tuple[float, float, Real]:
    """Mean and variance of C and E (dC/dtheta_k)^2 in the limit of many layers (on both sides of each angle)."""
    # Many layers average over the group: E o o^T is P_j(O)/d_j times the identity on each ideal (Schur), and E r r^T
    # likewise with P_j(rho). With C = r^T o and dC/dangle = r^T A o that gives Var C = sum_j P_j P_j/d_j and E
    # (dC/dangle)^2 = Tr[E[r r^T] A E[o o^T] A^T] = sum_j P_j(rho) P_j(O) ||A_j||^2/d_j^2.
    each = np.zeros(len(circuit.algebra.adjoint))
    for kind, adjoint in enumerate(circuit.algebra.adjoint):
        for rows, ideal in zip(circuit.algebra.ideals, ideals, strict=True):
            killing = float(np.sum((rows @ adjoint @ rows.T) ** 2))
            each[kind] += ideal.variance * killing / ideal.dimension
    steps = [each[kind] if kind >= 0 else 0.0 for kind in circuit.kinds]
    return _rest(circuit), math.fsum(i.variance for i in ideals), _by_parameter(problem, steps)


def _rest(circuit: LieCircuit) -> float:
    """The part of C that no angle changes: what readout and input have in common outside the simple ideals."""
    rho, readout = circuit.state, circuit.readout
    return float(np.trace((rho - circuit.simple(rho)) @ (readout - circuit.simple(readout))).real)


def _by_parameter(problem: Problem, steps: Sequence[float]) -> Real:
    out = np.zeros(len(problem.parameters))
    seen = np.zeros(len(problem.parameters), dtype=np.int64)
    for step, value in zip(_steps(problem), steps, strict=True):
        for k, c in step.angle.coefficients:
            out[k] += c**2 * value
            seen[k] += 1
    out[seen != 1] = math.nan
    return out


def characteristic(problem: Problem, ensemble: Ensemble) -> Callable[[Angle, Real], Complex]:
    """E exp(i x angle) at frequencies x, for independent parameters."""
    lengths = None if ensemble.kind == "normal" else periods(problem)

    def of_angle(angle: Angle, x: Real) -> Complex:
        out = np.exp(1j * angle.constant * x)
        for k, c in angle.coefficients:
            if lengths is None:
                out = out * np.exp(-(((ensemble.width or 1.0) * c * x) ** 2) / 2)
            else:  # uniform on [0, T): exp(i T c x/2) sinc
                half = lengths[k] * c * x / 2
                out = out * np.exp(1j * half) * np.sinc(half / np.pi)
        return np.asarray(out)

    return of_angle


class _Turn:
    """The mean over a step's angle of o -> exp(angle A) o and of o o^T, A the adjoint of its generator."""

    def __init__(self, adjoint: Real) -> None:
        self.adjoint = adjoint
        # A is real and antisymmetric, so exp(angle A) turns the eigenvectors of -i A by exp(i angle frequency); o o^T
        # has the element (i, j) turned by the difference of two frequencies.
        self.frequencies, self.vectors = np.linalg.eigh(-1j * adjoint)
        self.differences = np.subtract.outer(self.frequencies, self.frequencies)

    def first(self, vector: Real, weight: Complex) -> Real:
        """E exp(angle A) o, weight the characteristic function at the frequencies."""
        return np.asarray((self.vectors @ (weight * (self.vectors.conj().T @ vector))).real)

    def second(self, matrix: Real, weight: Complex) -> Real:
        """E exp(angle A) M exp(angle A)^T, weight the characteristic function at the differences."""
        inner = self.vectors.conj().T @ matrix @ self.vectors
        return np.asarray((self.vectors @ (weight * inner) @ self.vectors.conj().T).real)


def moments_at_depth(
    circuit: LieCircuit,
    problem: Problem,
    law: Callable[[Angle, Real], Complex],
    tick: Callable[[int], None] | None,
) -> tuple[float, float, Real]:
    """Mean and variance of C and E (dC/dtheta_k)^2, exact for the circuit as it is.

    The state's second moments go forward and the readout's backward, C = r^T exp(angle A) o at every step, so that
    E (dC/dangle)^2 = Tr[E[r r^T] A E[o o^T] A^T].

    Args:
        circuit: On its Lie algebra.
        problem: The problem.
        law: The characteristic function of a step's angle; :func:`characteristic`.
        tick: Called with 1 after each step of either sweep.
    """
    basis = circuit.algebra.basis
    rho = coordinates(circuit.simple(circuit.state), basis)
    readout = coordinates(circuit.simple(circuit.readout), basis)
    kinds = [_Turn(adjoint) for adjoint in circuit.algebra.adjoint]
    turns = [
        kinds[kind] if fixed is None else _Turn(adjoint_matrix(fixed, basis))
        for kind, fixed in zip(circuit.kinds, circuit.fixed, strict=True)
    ]
    steps = list(zip([step.angle for step in _steps(problem)], turns, strict=True))
    before, second = [], np.outer(rho, rho)
    for angle, turn in steps:
        before.append(second)
        second = turn.second(second, law(angle, turn.differences.T))  # the state turns the other way
        if tick is not None:
            tick(1)
    mean, second = readout, np.outer(readout, readout)
    squares = []
    for (angle, turn), state in zip(reversed(steps), reversed(before), strict=True):
        mean = turn.first(mean, law(angle, turn.frequencies))
        second = turn.second(second, law(angle, turn.differences))
        squares.append(float(np.sum((turn.adjoint @ second @ turn.adjoint.T) * state)))
        if tick is not None:
            tick(1)
    first = float(rho @ mean)
    return _rest(circuit) + first, float(rho @ second @ rho) - first**2, _by_parameter(problem, squares[::-1])
