"""Qiskit gates as products of rotations exp(-i angle H) whose angles are linear in the circuit's parameters."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit.circuit import Instruction, Parameter, ParameterExpression
from qiskit.circuit.library import HamiltonianGate, PauliEvolutionGate
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Operator
from scipy.linalg import schur

from equinoise.circuit.evolution import LARGEST_CORE, evolved_operator, exact_factors, terms_commute
from equinoise.circuit.pauli_sums import Sum, from_matrix
from equinoise.errors import CircuitError, ParameterError

__all__ = [
    "WIDEST_DIAGONAL",
    "Angle",
    "Gate",
    "Rotation",
    "eigen",
    "fixed_rotation",
    "is_wide_block",
    "rotations_of",
    "significant",
]

Matrix = npt.NDArray[np.complex128]

WIDEST_DIAGONAL = 8
"""Qubits of a diagonal gate that is taken through its matrix."""
# what counts as 0 in a gate's matrix
_ROUNDING = 1e-12


def significant(value: float) -> float:
    """A number to twelve significant digits, whatever its size: equal for numbers that differ by rounding alone."""
    return float(f"{value:.11e}")


@dataclass(frozen=True)
class Angle:
    """A linear expression of the circuit parameters: constant + sum coefficient * theta[index], in radians."""

    constant: float
    coefficients: tuple[tuple[int, float], ...] = ()

    def scaled(self, factor: float) -> Angle:
        """The expression times a number."""
        return Angle(factor * self.constant, tuple((i, factor * c) for i, c in self.coefficients))

    def shifted(self, constant: float) -> Angle:
        """The expression plus a number."""
        return Angle(self.constant + constant, self.coefficients)

    def at(self, theta: npt.NDArray[np.float64]) -> float:
        """Its value at parameter values theta, shape (K,), radians."""
        return self.constant + sum(c * float(theta[i]) for i, c in self.coefficients)


@dataclass(frozen=True)
class Rotation:
    """exp(-i angle H), or exp(-i angle H Z_a Z_b ..) with a string of further qubits a, b, ..

    Attributes:
        qubits: Circuit qubits of H; the first is the least significant bit of its index.
        generator: H, shape (2^k, 2^k), Hermitian, read-only.
        angle: Linear in the parameters.
        string: Qubits whose product of Z multiplies H, as between the ends of a fermionic hop (Jordan and Wigner).
    """

    qubits: tuple[int, ...]
    generator: Matrix
    angle: Angle
    string: tuple[int, ...] = ()

    @property
    def touched(self) -> tuple[int, ...]:
        """All qubits that it acts on."""
        return (*self.qubits, *self.string)

    @property
    def whole_generator(self) -> Matrix:
        """What has the spectrum of all that stands in the exponent: H, or H (x) Z with a string's parity for Z."""
        if not self.string:
            return self.generator
        return np.asarray(np.kron(np.diag([1.0, -1.0]), self.generator), dtype=np.complex128)

    def generator_sum(self) -> Sum:
        """H and its string as a Pauli sum, the identity left out."""
        inner = from_matrix(np.ascontiguousarray(self.generator), self.qubits, with_identity=bool(self.string))
        string = tuple((q, "Z") for q in self.string)
        return {tuple(sorted((*letters, *string))): value for letters, value in inner.items()} if string else inner

    def matrix(self, theta: npt.NDArray[np.float64]) -> Matrix:
        """The unitary at theta on ``qubits`` with an even string, shape (2^k, 2^k)."""
        values, vectors = eigen(self.generator)
        return np.asarray((vectors * np.exp(-1j * self.angle.at(theta) * values)) @ vectors.conj().T)


def eigen(generator: Matrix) -> tuple[npt.NDArray[np.float64], Matrix]:
    """Eigenvalues and eigenvectors of a Hermitian generator; those of equal generators are worked out once."""
    return _eigen(np.ascontiguousarray(generator).tobytes(), len(generator))


@lru_cache(maxsize=4096)
def _eigen(data: bytes, dim: int) -> tuple[npt.NDArray[np.float64], Matrix]:
    values, vectors = np.linalg.eigh(np.frombuffer(data, dtype=np.complex128).reshape(dim, dim))
    values.setflags(write=False)
    vectors.setflags(write=False)
    return values, vectors


@dataclass(frozen=True)
class Gate:
    """One instruction of the circuit.

    Attributes:
        position: Index into ``circuit.data``.
        name: Qiskit's name of the instruction.
        qubits: Circuit qubits in the instruction's own order.
        rotations: What it is made of, in time order; empty for delays and identities.
    """

    position: int
    name: str
    qubits: tuple[int, ...]
    rotations: tuple[Rotation, ...]


_X = np.array([[0, 1], [1, 0]], dtype=np.complex128)
_Y = np.array([[0, -1j], [1j, 0]], dtype=np.complex128)
_Z = np.diag([1.0, -1.0]).astype(np.complex128)
_N = np.diag([0.0, 1.0]).astype(np.complex128)


def _read_only(matrix: npt.ArrayLike) -> Matrix:
    out = np.array(matrix, dtype=np.complex128)
    out.setflags(write=False)
    return out


# generators H of gates exp(-i angle H) of one angle, up to a phase; first qubit least significant
_ONE_ANGLE: dict[str, Matrix] = {
    "rx": _read_only(_X / 2),
    "ry": _read_only(_Y / 2),
    "rz": _read_only(_Z / 2),
    "p": _read_only(-_N),
    "u1": _read_only(-_N),
    "rxx": _read_only(np.kron(_X, _X) / 2),
    "ryy": _read_only(np.kron(_Y, _Y) / 2),
    "rzz": _read_only(np.kron(_Z, _Z) / 2),
    "rzx": _read_only(np.kron(_X, _Z) / 2),
    "cp": _read_only(-np.kron(_N, _N)),
    "cu1": _read_only(-np.kron(_N, _N)),
    "crx": _read_only(np.kron(_X, _N) / 2),
    "cry": _read_only(np.kron(_Y, _N) / 2),
    "crz": _read_only(np.kron(_Z, _N) / 2),
}
_XX_PLUS_YY = _read_only((np.kron(_X, _X) + np.kron(_Y, _Y)) / 4)
_XX_MINUS_YY = _read_only((np.kron(_X, _X) - np.kron(_Y, _Y)) / 4)
_IDLE = frozenset({"id", "delay", "global_phase"})


def _linear(expression: Any, index: Mapping[Parameter, int], where: str) -> Angle:
    if isinstance(expression, Parameter):
        return Angle(0.0, ((index[expression], 1.0),))
    if not isinstance(expression, ParameterExpression) or not expression.parameters:
        return Angle(_number(expression, where))
    coefficients = []
    for parameter in expression.parameters:
        try:
            slope = expression.gradient(parameter)
        except (QiskitError, TypeError, ValueError, RuntimeError):
            slope = expression
        if isinstance(slope, ParameterExpression) and slope.parameters:
            raise ParameterError(
                f"{where}: the angle {expression} is not linear in {parameter.name!r}. "
                "Angles must be linear in the parameters (a + b*theta_1 + ...); introduce a new parameter for it, or "
                "state an equinoise.Model, whose inputs and weights may enter in any expression."
            )
        value = _number(slope, where)
        if value:
            coefficients.append((index[parameter], value))
    constant = expression.bind(dict.fromkeys(expression.parameters, 0.0))
    return Angle(_number(constant, where), tuple(sorted(coefficients)))


def _number(value: Any, where: str) -> float:
    try:
        number = complex(value)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{where}: cannot read the angle {value!r} ({error}).") from None
    if abs(number.imag) > 0 or not math.isfinite(number.real):
        raise ParameterError(f"{where}: the angle must be real and finite, got {value}.")
    return number.real


def fixed_rotation(matrix: Matrix, qubits: tuple[int, ...]) -> Rotation:
    """A unitary matrix, the first qubit least significant, as a rotation exp(-i H) of angle 1."""
    # a unitary is normal, so its Schur form is diagonal: U = Q diag(e^{-i v}) Q^dag
    triangle, vectors = schur(matrix, output="complex")
    phases = -np.angle(np.diag(triangle))
    generator = (vectors * phases) @ vectors.conj().T
    return Rotation(qubits, _read_only((generator + generator.conj().T) / 2), Angle(1.0))


@lru_cache(maxsize=64)
def _standard_generator(gate: type[Instruction]) -> Matrix:
    """H of a standard gate exp(-i H) without parameters."""
    matrix = np.asarray(Operator(gate()).data, dtype=np.complex128)
    return fixed_rotation(matrix, tuple(range(gate().num_qubits))).generator


def rotations_of(
    operation: Instruction, qubits: Sequence[int], index: Mapping[Parameter, int], where: str
) -> tuple[Rotation, ...]:
    """A Qiskit instruction as rotations in time order, equal to it up to a global phase.

    Args:
        operation: A gate; gates on more than two qubits and custom gates are taken through their definition, except
            standard gates and unitaries on three or four qubits, and diagonal ones on up to eight, that conserve the
            charge; a ``PauliEvolutionGate`` through its exact exponential.
        qubits: Circuit qubits it acts on, in the instruction's order.
        index: Position of each parameter in ``circuit.parameters``.
        where: How to name the gate in an error.

    Raises:
        CircuitError: The instruction is not unitary or has no definition, or an exponential that does not factor.
        ParameterError: An angle is not linear in the parameters.
    """
    q = tuple(qubits)
    name = operation.name
    params = list(operation.params)
    if name in _IDLE:
        return ()
    free = any(isinstance(p, ParameterExpression) and p.parameters for p in params)
    # a gate defined in a QASM file may carry a standard name and mean something else: trust the class, not the name
    plain = operation.base_class.__module__.startswith("qiskit.circuit.library.standard_gates")
    plain &= getattr(operation, "ctrl_state", None) in (None, (1 << getattr(operation, "num_ctrl_qubits", 0)) - 1)
    if plain and name in _ONE_ANGLE and len(params) == 1:
        return (Rotation(q, _ONE_ANGLE[name], _linear(params[0], index, where)),)
    if plain and name in ("xx_plus_yy", "xx_minus_yy") and len(params) == 2:
        return _exchange(name, q, _linear(params[0], index, where), _linear(params[1], index, where))
    if plain and free and name in ("u", "u3", "u2", "r"):
        return _euler(name, q[0], [_linear(p, index, where) for p in params])
    if isinstance(operation, PauliEvolutionGate):
        factors = _evolved(operation, q, _linear(params[0], index, where), where)
        if factors is not None:
            return factors
    if isinstance(operation, HamiltonianGate) and len(q) <= 2:
        return (Rotation(q, _read_only(params[0]), _linear(params[1], index, where)),)
    definition = None if free and isinstance(operation, HamiltonianGate) else operation.definition
    if plain and not params and len(q) <= 2:
        return (Rotation(q, _standard_generator(operation.base_class), Angle(1.0)),)
    whole = plain or len(q) <= 2 or operation.name in ("unitary", "diagonal")
    if whole and len(q) <= WIDEST_DIAGONAL and not free:
        with contextlib.suppress(QiskitError):
            matrix = np.asarray(Operator(operation).data, dtype=np.complex128)
            if len(q) <= 2 or is_wide_block(matrix):
                return (fixed_rotation(matrix, q),)
    if definition is None or definition.num_clbits:
        raise CircuitError(
            f"{where} is not a unitary gate that equinoise can take. "
            "Use unitary gates between preparation and readout; remove measurements, resets and control flow."
        )
    out: list[Rotation] = []
    for item in definition.data:
        inner = [q[definition.find_bit(bit).index] for bit in item.qubits]
        if item.operation.name != "barrier":
            out.extend(rotations_of(item.operation, inner, index, where))
    return tuple(out)


def is_wide_block(matrix: Matrix) -> bool:
    """Whether a unitary on more than two qubits is computed as a block: if it conserves the charge, on at most four.

    Of diagonal ones the number of qubits is not limited here.
    """
    rows, columns = np.nonzero(np.abs(matrix) > _ROUNDING)
    if np.all(rows == columns):
        return True
    return len(matrix) <= 2**LARGEST_CORE and bool(np.all(np.bitwise_count(rows) == np.bitwise_count(columns)))


def _evolved(operation: PauliEvolutionGate, q: tuple[int, ...], time: Angle, where: str) -> tuple[Rotation, ...] | None:
    """exp(-i t H) as exact factors; None where its definition, a product formula, is exact but on more qubits."""
    operator = evolved_operator(operation, where)
    factors = exact_factors(operator)
    if factors is not None:
        return tuple(
            Rotation(tuple(q[i] for i in f.qubits), _read_only(f.matrix), time, tuple(q[i] for i in f.string))
            for f in factors
        )
    if terms_commute(operator):
        return None
    raise CircuitError(
        f"{where} is exp(-i t H) of terms on {len({i for string in operator for i, _ in string})} qubits that do not "
        "commute: it is no product of gates on one or two qubits, nor of such on up to four that conserve the charge. "
        "If the product formula that it is compiled to is meant, write that: circuit.decompose('PauliEvolution')."
    )


def _exchange(name: str, q: tuple[int, ...], theta: Angle, beta: Angle) -> tuple[Rotation, ...]:
    plus = name == "xx_plus_yy"
    core = Rotation(q, _XX_PLUS_YY if plus else _XX_MINUS_YY, theta)
    if not beta.coefficients and beta.constant == 0.0:
        return (core,)
    wire = (q[0],) if plus else (q[1],)
    sign = 1.0 if plus else -1.0
    rz = _ONE_ANGLE["rz"]
    return (Rotation(wire, rz, beta.scaled(sign)), core, Rotation(wire, rz, beta.scaled(-sign)))


def _euler(name: str, qubit: int, angles: list[Angle]) -> tuple[Rotation, ...]:
    rz, ry, rx = _ONE_ANGLE["rz"], _ONE_ANGLE["ry"], _ONE_ANGLE["rx"]
    wire = (qubit,)
    if name == "r":
        theta, phi = angles
        return (Rotation(wire, rz, phi.scaled(-1)), Rotation(wire, rx, theta), Rotation(wire, rz, phi))
    if name == "u2":
        angles = [Angle(math.pi / 2), *angles]
    theta, phi, lam = angles
    return (Rotation(wire, rz, lam), Rotation(wire, ry, theta), Rotation(wire, rz, phi))
