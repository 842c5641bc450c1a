"""The slow twin: plain NumPy over the full 2^n space, for tests only (n up to about 6).

It shares no indexing code with any other engine. Gates are embedded as dense 2^n x 2^n matrices; the state
and its derivatives are pushed forward together, layer after layer:

    rho -> U rho U^dag,    d_k rho -> U (d_k rho) U^dag + (d_k U) rho U^dag + U rho (d_k U)^dag

Noise acts as exp(s E) with each generator E written down from its definition: jumps with K = K^dag through the
eigenvectors of K, relaxation and depolarizing as explicit superoperators through ``scipy.linalg.expm``. At
s = infinity each exp(s E) becomes the spectral projector on the kernel of E.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray
from qiskit.exceptions import QiskitError

from equinoise.errors import ParameterError, UnsupportedError
from equinoise.noise.terms import Slot

if TYPE_CHECKING:
    from equinoise.problem import Problem

__all__ = ["SecondOrder", "evolve", "gradient", "law", "second_order", "value"]

ComplexArray = NDArray[np.complex128]
RealArray = NDArray[np.float64]

MAX_QUBITS = 8  # a stack of 4^8 elements per parameter is already slow
KERNEL_TOLERANCE = 1e-10  # relative; separates a fixed mode from rounding of order 1e-15
SAMPLES = 32  # of a gate's matrix over 8 pi: resolves frequencies 0, 1/4, ..., 15/4 per radian
HIGHEST = 12  # frequencies from 12/4 on must be absent, or the sampling aliases
ZERO_GRADIENT = 1e-24  # of V(0): gradients of order 1e-12 and less are rounding

PAULI = {
    "I": np.array([[1, 0], [0, 1]], dtype=np.complex128),
    "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    "Z": np.array([[1, 0], [0, -1]], dtype=np.complex128),
}


class SecondOrder(NamedTuple):
    """The gradient g(s) and its exact s-derivatives at s = 0, each of shape (K,), order of ``circuit.parameters``."""

    gradient: RealArray
    first: RealArray
    second: RealArray


# -- operators on the full space -----------------------------------------------------------------------------------


def _one_qubit_product(factors: Mapping[int, ComplexArray], num_qubits: int) -> ComplexArray:
    """The operator (x)_q factors[q], qubit 0 the rightmost (least significant) factor, identity elsewhere."""
    product: ComplexArray = np.eye(1, dtype=np.complex128)
    for qubit in range(num_qubits):
        product = np.asarray(np.kron(factors.get(qubit, PAULI["I"]), product), dtype=np.complex128)
    return product


def _embedded(matrix: ComplexArray, qubits: Sequence[int], num_qubits: int) -> ComplexArray:
    """A gate's matrix (``qubits[0]`` least significant) as a matrix on all qubits: sum_ab M_ab (x)_q |a_q><b_q|."""
    count = len(qubits)
    full = np.zeros((2**num_qubits, 2**num_qubits), dtype=np.complex128)
    for row, column in zip(*np.nonzero(matrix), strict=True):
        factors = {}
        for place in range(count):
            unit = np.zeros((2, 2), dtype=np.complex128)
            unit[row // 2**place % 2, column // 2**place % 2] = 1
            factors[qubits[place]] = unit
        full += matrix[row, column] * _one_qubit_product(factors, num_qubits)
    return full


def _readout_matrix(problem: Problem) -> ComplexArray:
    """O, or P_q O P_q with P_q the projector on the eigenvalue q of Q = sum_i (1 - Z_i)/2."""
    operator: ComplexArray = np.asarray(problem.readout.to_matrix(), dtype=np.complex128)
    if not problem.projected:
        return operator
    if problem.charge is None:
        raise ParameterError("a projected readout needs the active charge, got charge=None. Give Problem(charge=...).")
    n = problem.num_qubits
    number = (PAULI["I"] - PAULI["Z"]) / 2
    charge = np.diag(sum((_one_qubit_product({q: number}, n) for q in range(n)), np.zeros((2**n, 2**n)))).real
    projector = np.diag((np.abs(charge - problem.charge) < 0.5).astype(np.complex128))
    return projector @ operator @ projector


# -- gates and their derivatives -----------------------------------------------------------------------------------


def _angle(expression: Any, values: Mapping[Any, float]) -> float:
    if not hasattr(expression, "parameters"):
        return float(expression)
    return float(expression.bind({p: values[p] for p in expression.parameters}))


def _slope(expression: Any, parameter: Any, values: Mapping[Any, float]) -> float:
    slope = expression.gradient(parameter)
    if hasattr(slope, "parameters") and slope.parameters:
        raise ParameterError(f"{parameter.name} enters the angle {expression} nonlinearly; angles must be linear.")
    return _angle(slope, values)


def _with_params(operation: Any, params: Sequence[float]) -> Any:
    bound = operation.to_mutable()
    bound.params = list(params)
    return bound


def _matrix_derivative(matrix_at: Callable[[float], ComplexArray], angle: float, name: str) -> ComplexArray:
    """d/da of a matrix whose elements are trigonometric polynomials in a/4, exactly.

    With U(a) = sum_k c_k exp(i k a/4), |k| < HIGHEST, the c_k follow from equidistant samples by a discrete Fourier
    transform, and dU/da = sum_k (i k/4) c_k exp(i k a/4). That U has this form is checked, not believed.
    """
    points = (np.arange(SAMPLES) - SAMPLES // 2) * (8 * math.pi / SAMPLES)
    orders = np.arange(-SAMPLES // 2, SAMPLES // 2)
    samples = np.array([matrix_at(a) for a in points])
    coefficients = np.tensordot(np.exp(-0.25j * np.outer(orders, points)), samples, axes=1) / SAMPLES
    wave = np.exp(0.25j * orders * angle)
    round_trip = np.abs(np.tensordot(wave, coefficients, axes=1) - matrix_at(angle)).max()
    if np.abs(coefficients[np.abs(orders) >= HIGHEST]).max() > 1e-12 or round_trip > 1e-12:
        raise UnsupportedError(
            f"the slow twin cannot differentiate gate {name!r}: its matrix is no trigonometric polynomial of angle/4. "
            "Write it as rotations."
        )
    coefficients[np.abs(orders) >= HIGHEST] = 0
    derivative: ComplexArray = np.tensordot(0.25j * orders * wave, coefficients, axes=1)
    return derivative


def _gate(
    operation: Any, values: Mapping[Any, float], derivatives: bool
) -> tuple[ComplexArray, dict[Any, ComplexArray]]:
    """A gate's matrix and its derivative by every parameter in it, sum_j (dU/da_j)(da_j/dtheta)."""
    angles = [
        _angle(p, values) if isinstance(p, int | float) or hasattr(p, "parameters") else p for p in operation.params
    ]
    depends = [(j, p) for j, p in enumerate(operation.params) if getattr(p, "parameters", None)]
    try:
        bound = _with_params(operation, angles) if depends else operation
        matrix = np.asarray(bound.to_matrix(), dtype=np.complex128)
    except (QiskitError, AttributeError) as error:  # a gate given as a circuit has no matrix of its own
        if getattr(operation, "definition", None) is None:
            raise UnsupportedError(
                f"gate {operation.name!r} has neither a matrix nor a definition ({error})."
            ) from None
        return _composite(operation.definition, values, derivatives)
    slopes: dict[Any, ComplexArray] = {}
    for j, expression in depends if derivatives else ():

        def matrix_at(angle: float, j: int = j) -> ComplexArray:
            bound_at = _with_params(operation, [*angles[:j], angle, *angles[j + 1 :]])
            return np.asarray(bound_at.to_matrix(), dtype=np.complex128)

        derivative = _matrix_derivative(matrix_at, angles[j], operation.name)
        for parameter in expression.parameters:
            slopes[parameter] = slopes.get(parameter, 0) + _slope(expression, parameter, values) * derivative
    return matrix, slopes


def _composite(
    definition: Any, values: Mapping[Any, float], derivatives: bool
) -> tuple[ComplexArray, dict[Any, ComplexArray]]:
    """A gate given as a circuit: d(U_m ... U_1) by the product rule (its global phase drops out of U rho U^dag)."""
    n = definition.num_qubits
    matrix = np.eye(2**n, dtype=np.complex128)
    slopes: dict[Any, ComplexArray] = {}
    for instruction in definition.data:
        if instruction.operation.name == "barrier":
            continue
        qubits = [definition.find_bit(q).index for q in instruction.qubits]
        small, small_slopes = _gate(instruction.operation, values, derivatives)
        step = _embedded(small, qubits, n)
        slopes = {p: step @ d for p, d in slopes.items()}
        for parameter, slope in small_slopes.items():
            slopes[parameter] = slopes.get(parameter, 0) + _embedded(slope, qubits, n) @ matrix
        matrix = step @ matrix
    return matrix, slopes


# -- generators ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _HermitianJump:
    """rate * D[K], K = K^dag of shape (2^n, 2^n): D[K](r) = K r K - {K^2, r}/2."""

    operator: ComplexArray
    rate: float

    def apply(self, stack: ComplexArray) -> ComplexArray:
        k = self.operator
        return self.rate * (k @ stack @ k - (k @ k @ stack + stack @ k @ k) / 2)

    def evolve(self, stack: ComplexArray, scale: float) -> ComplexArray:
        """In the eigenbasis K|a> = x_a|a>: <a|r|b> -> exp(-s rate (x_a - x_b)^2/2) <a|r|b>; s = inf keeps x_a = x_b."""
        if self.rate == 0:
            return stack
        eigenvalues, basis = np.linalg.eigh(self.operator)
        gaps = np.subtract.outer(eigenvalues, eigenvalues)
        if math.isinf(scale):
            factor = (np.abs(gaps) <= KERNEL_TOLERANCE * max(1.0, np.abs(eigenvalues).max())).astype(np.float64)
        else:
            factor = np.exp(-scale * self.rate * gaps**2 / 2)
        rotated: ComplexArray = basis @ (factor * (basis.conj().T @ stack @ basis)) @ basis.conj().T
        return rotated


@dataclass(frozen=True)
class _LocalGenerator:
    """A generator on k qubits (first least significant) as superoperator (4^k, 4^k), |a><b| vectorised rows first."""

    superoperator: ComplexArray
    qubits: tuple[int, ...]
    num_qubits: int

    def apply(self, stack: ComplexArray) -> ComplexArray:
        return self._act(self.superoperator, stack)

    def evolve(self, stack: ComplexArray, scale: float) -> ComplexArray:
        if math.isinf(scale):
            return self._act(_kernel_projector(self.superoperator), stack)
        return self._act(scipy.linalg.expm(scale * self.superoperator), stack)

    def _act(self, superoperator: ComplexArray, stack: ComplexArray) -> ComplexArray:
        n, k = self.num_qubits, len(self.qubits)
        leading = stack.shape[:-2]
        tensor = stack.reshape(-1, *[2] * (2 * n))
        kets = [1 + n - 1 - q for q in reversed(self.qubits)]
        axes = kets + [n + a for a in kets]
        ends = list(range(2 * n + 1 - 2 * k, 2 * n + 1))
        moved = np.moveaxis(tensor, axes, ends)
        shape = moved.shape
        acted = moved.reshape(-1, 4**k) @ superoperator.T
        result: ComplexArray = np.moveaxis(acted.reshape(shape), ends, axes).reshape(*leading, 2**n, 2**n)
        return result


def _kernel_projector(generator: ComplexArray) -> ComplexArray:
    """The limit of exp(s E): R (L^dag R)^-1 L^dag with E R = 0, L^dag E = 0 (a Lindbladian's 0 is semisimple)."""
    size = np.linalg.norm(generator, 2)
    if size == 0:
        return np.eye(len(generator), dtype=np.complex128)
    left, singular, right = np.linalg.svd(generator)
    null = singular <= KERNEL_TOLERANCE * size
    r, l_dag = right[null].conj().T, left[:, null].conj().T
    projector: ComplexArray = r @ np.linalg.solve(l_dag @ r, l_dag)
    return projector


def _dissipator(jump: ComplexArray) -> ComplexArray:
    """D[K] as superoperator: A r B is (A (x) B^T) on the rows-first vectorised r."""
    one = np.eye(len(jump))
    decay = jump.conj().T @ jump
    superoperator = np.kron(jump, jump.conj()) - (np.kron(decay, one) + np.kron(one, decay.T)) / 2
    return np.asarray(superoperator, dtype=np.complex128)


def _depolarizer(dimension: int) -> ComplexArray:
    """The generator r -> Tr(r) 1/d - r, column by column."""
    columns = []
    for element in np.eye(dimension**2).reshape(-1, dimension, dimension):
        columns.append((np.trace(element) * np.eye(dimension) / dimension - element).reshape(-1))
    return np.array(columns, dtype=np.complex128).T


def _generators(slot: Slot, num_qubits: int) -> Iterator[_HermitianJump | _LocalGenerator]:
    """The slot's generators in the order in which they act; relaxations of one qubit are one generator."""
    for jump in slot.dephasing:
        if isinstance(jump.weights, str):
            raise UnsupportedError(f"{jump} is an unexpanded wildcard; use the slots that NoiseModel.slots makes.")
        parts = [w * _one_qubit_product({q: PAULI["Z"]}, num_qubits) for q, w in jump.weights]
        yield _HermitianJump(np.sum(parts, axis=0), jump.rate)
    lowering = np.array([[0, 1], [0, 0]], dtype=np.complex128)
    relaxation: dict[int, ComplexArray] = {}
    for decay in slot.relaxation:
        generator = decay.down * _dissipator(lowering) + decay.up * _dissipator(lowering.T)
        relaxation[int(decay.qubit)] = relaxation.get(int(decay.qubit), 0) + generator
    for qubit, generator in relaxation.items():
        yield _LocalGenerator(generator, (qubit,), num_qubits)
    for mixing in slot.depolarizing:
        qubits = tuple(int(q) for q in mixing.qubits)
        yield _LocalGenerator(mixing.rate * _depolarizer(2 ** len(qubits)), qubits, num_qubits)
    for flip in slot.pauli:
        yield _HermitianJump(_one_qubit_product({q: PAULI[p] for q, p in flip.pauli}, num_qubits), flip.rate)
    named = (slot.dephasing, slot.relaxation, slot.depolarizing, slot.pauli)
    yield from _joint(slot.terms[sum(map(len, named)) :], num_qubits)


def _joint(stated_by_matrix: tuple[Any, ...], num_qubits: int) -> Iterator[_LocalGenerator]:
    """Jumps and Hamiltonians: one generator, the sum, for each set of qubits that lies in no other."""
    sets = list(dict.fromkeys(term.qubits for term in stated_by_matrix))
    whole = [q for q in sets if not any(set(q) < set(other) for other in sets)]
    total = {q: np.zeros((4 ** len(q),) * 2, dtype=np.complex128) for q in whole}
    for term in stated_by_matrix:
        qubits = next(q for q in whole if set(term.qubits) <= set(q))
        matrix = _embedded(np.array(term.matrix), [qubits.index(q) for q in term.qubits], len(qubits))
        one = np.eye(len(matrix))
        turn = -1j * (np.kron(matrix, one) - np.kron(one, matrix.T))
        total[qubits] += term.angle * turn if hasattr(term, "angle") else term.rate * _dissipator(matrix)
    for qubits, generator in total.items():
        yield _LocalGenerator(generator, qubits, num_qubits)


# -- the sweep -----------------------------------------------------------------------------------------------------


def _angles(problem: Problem, theta: ArrayLike) -> dict[Any, float]:
    array = np.asarray(theta, dtype=np.float64)
    expected = (len(problem.parameters),)
    if array.shape != expected or not np.isfinite(array).all():
        raise ParameterError(
            f"theta must hold {expected[0]} finite angles (order of circuit.parameters), got shape {array.shape}."
        )
    return dict(zip(problem.parameters, array.tolist(), strict=True))


def _sweep(
    problem: Problem,
    theta: ArrayLike,
    order: int,
    noise: Callable[[Slot, ComplexArray], ComplexArray],
    derivatives: bool,
) -> ComplexArray:
    """Push rho and its derivatives through the circuit.

    Args:
        problem: The problem.
        theta: Angles, shape (K,).
        order: Highest power of s carried; row p of the result is the coefficient of s^p.
        noise: What a slot does to the stack.
        derivatives: Whether to carry d/dtheta_k, k = 1..K, behind rho.

    Returns:
        Shape (order + 1, 1 + K, 2^n, 2^n), or (order + 1, 1, 2^n, 2^n) without derivatives.
    """
    n = problem.num_qubits
    if n > MAX_QUBITS:
        raise UnsupportedError(f"the slow twin serves tests up to {MAX_QUBITS} qubits, got {n}. Use engine 'exact'.")
    if getattr(problem, "processes", ()):
        raise UnsupportedError("the slow twin takes noise that is independent in each slot. Use engine 'trajectories'.")
    positions = [gate.position for layer in problem.layers for gate in layer.gates]
    if len(set(positions)) < len(positions):
        raise UnsupportedError("a gate is divided between two layers; the slow twin takes whole gates. Use barriers.")
    values = _angles(problem, theta)
    place = {parameter: 1 + k for k, parameter in enumerate(problem.parameters)}
    ket = np.asarray(problem.initial.statevector(), dtype=np.complex128)
    stack = np.zeros((order + 1, 1 + len(values) * derivatives, 2**n, 2**n), dtype=np.complex128)
    stack[0, 0] = np.outer(ket, ket.conj())
    for layer, slot in zip(problem.layers, problem.slots, strict=True):
        for gate in layer.gates:
            matrix, slopes = _gate(problem.circuit.data[gate.position].operation, values, derivatives)
            u = _embedded(matrix, gate.qubits, n)
            before = stack[:, 0]
            stack = u @ stack @ u.conj().T
            for parameter, slope in slopes.items():
                du = _embedded(slope, gate.qubits, n)
                stack[:, place[parameter]] += du @ before @ u.conj().T + u @ before @ du.conj().T
        stack = noise(slot, stack)
    return stack


def _at_scale(problem: Problem, scale: float) -> Callable[[Slot, ComplexArray], ComplexArray]:
    if not scale >= 0:
        raise ParameterError(f"scale must be a number >= 0 (infinity allowed), got {scale}.")

    def noise(slot: Slot, stack: ComplexArray) -> ComplexArray:
        if scale > 0:
            for generator in _generators(slot, problem.num_qubits):
                stack = generator.evolve(stack, scale)
        return stack

    return noise


def evolve(problem: Problem, theta: ArrayLike, scale: float) -> ComplexArray:
    """The final density matrix rho(s) = exp(s E_L) U_L ... exp(s E_1) U_1 (rho_0).

    Args:
        problem: The problem; ``layers``, ``slots``, ``initial`` and ``circuit`` are read.
        theta: Angles in radians, shape (K,), order of ``circuit.parameters``.
        scale: Noise scale s >= 0, dimensionless; ``math.inf`` for the fixed-point limit.

    Returns:
        Shape (2^n, 2^n), qubit 0 the least significant bit.

    Raises:
        ParameterError: theta or scale do not fit.
        UnsupportedError: Too many qubits, or a gate without a matrix.
    """
    state: ComplexArray = _sweep(problem, theta, 0, _at_scale(problem, scale), derivatives=False)[0, 0]
    return state


def value(problem: Problem, theta: ArrayLike, scale: float) -> float:
    """The readout C(theta; s) = Tr[O rho(s)], with P_q O P_q for O if the problem is projected.

    Args:
        problem: The problem.
        theta: Angles in radians, shape (K,).
        scale: Noise scale s >= 0, dimensionless; ``math.inf`` allowed.

    Returns:
        The expectation value.

    Raises:
        ParameterError: theta, scale or charge do not fit.
        UnsupportedError: Too many qubits, or a gate without a matrix.
    """
    return float(np.trace(_readout_matrix(problem) @ evolve(problem, theta, scale)).real)


def gradient(problem: Problem, theta: ArrayLike, scale: float) -> RealArray:
    """The exact gradient g_k = dC/dtheta_k = Tr[O d_k rho(s)], by forward differentiation of every gate.

    Args:
        problem: The problem.
        theta: Angles in radians, shape (K,).
        scale: Noise scale s >= 0, dimensionless; ``math.inf`` allowed.

    Returns:
        Shape (K,), per radian, order of ``circuit.parameters``.

    Raises:
        ParameterError: theta, scale or charge do not fit, or an angle is nonlinear in a parameter.
        UnsupportedError: Too many qubits, or a gate whose matrix cannot be differentiated exactly.
    """
    slopes: RealArray = _traces(problem, _sweep(problem, theta, 0, _at_scale(problem, scale), derivatives=True))[0]
    return slopes


def _traces(problem: Problem, stack: ComplexArray) -> RealArray:
    """Tr[O d_k rho] per power of s and parameter, shape (order + 1, K)."""
    traces: RealArray = np.trace(_readout_matrix(problem) @ stack[:, 1:], axis1=-2, axis2=-1).real
    return traces


def second_order(problem: Problem, theta: ArrayLike) -> SecondOrder:
    """g, dg/ds and d^2g/ds^2 at s = 0, exactly, by carrying the power series rho = r_0 + s r_1 + s^2 r_2 + O(s^3).

    Each generator acts as 1 + s E + s^2 E^2/2: r_2 -> r_2 + E r_1 + E^2 r_0/2, r_1 -> r_1 + E r_0.

    Args:
        problem: The problem.
        theta: Angles in radians, shape (K,).

    Returns:
        The three arrays, each of shape (K,).

    Raises:
        ParameterError: theta or charge do not fit, or an angle is nonlinear in a parameter.
        UnsupportedError: Too many qubits, or a gate whose matrix cannot be differentiated exactly.
    """

    def noise(slot: Slot, stack: ComplexArray) -> ComplexArray:
        for generator in _generators(slot, problem.num_qubits):
            once = generator.apply(stack[:2])
            twice = generator.apply(once[0])
            stack = stack + np.stack([np.zeros_like(twice), once[0], once[1] + twice / 2])
        return stack

    series = _traces(problem, _sweep(problem, theta, 2, noise, derivatives=True))
    return SecondOrder(series[0], series[1], 2 * series[2])


def law(problem: Problem, thetas: ArrayLike) -> dict[str, Any]:
    """The quantities of the coherence law, averaged over the listed angles (arXiv:2606.30688, extended).

        V(s) = mean sum_k g_k^2,  kappa = -(1/2) V'(0)/V(0),  m2 = V''(0)/(4 V(0)),  w0 = V(inf)/V(0)

    Args:
        problem: The problem.
        thetas: Angles in radians, shape (draws, K).

    Returns:
        ``V0``, ``kappa``, ``second_moment``, ``fixed_point_share`` as floats, and ``V``, the function V(s).

    Raises:
        ParameterError: thetas do not fit, or the noiseless gradient vanishes on all of them.
        UnsupportedError: Too many qubits, or a gate whose matrix cannot be differentiated exactly.
    """
    draws = np.atleast_2d(np.asarray(thetas, dtype=np.float64))

    def square(scale: float) -> float:
        return float(np.mean([np.sum(gradient(problem, theta, scale) ** 2) for theta in draws]))

    series = [second_order(problem, theta) for theta in draws]
    v0 = float(np.mean([np.sum(g**2) for g, _, _ in series]))
    if v0 < ZERO_GRADIENT:
        raise ParameterError(
            "the noiseless gradient is zero at every theta given, so no rate is defined. Give other angles."
        )
    slope = 2 * float(np.mean([np.sum(g * first) for g, first, _ in series]))
    curvature = 2 * float(np.mean([np.sum(first**2 + g * second) for g, first, second in series]))
    return {
        "V0": v0,
        "kappa": -slope / (2 * v0),
        "second_moment": curvature / (4 * v0),
        "fixed_point_share": square(math.inf) / v0,
        "V": square,
    }
