"""Readouts: label strings or ``SparsePauliOp``, checked to be Hermitian and to conserve the charge."""

from __future__ import annotations

import math
import re

import numpy as np
from qiskit.quantum_info import SparsePauliOp

from equinoise.errors import ReadoutError

__all__ = ["attenuated", "commutes_with_charge", "label_of", "parse_readout", "support"]

# gradients are squared, and squares of squares are summed
_LARGEST = 1e60
_FACTOR = re.compile(r"([XYZ])([0-9]{1,18})")
_TERM = re.compile(
    r"\s*([+-]?)\s*(?:(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)\s*\*?\s*)?"  # sign and coefficient
    r"([XYZ][0-9]{1,18}(?:\s*\*?\s*[XYZ][0-9]{1,18})*)\s*"
)


def parse_readout(readout: str | SparsePauliOp, num_qubits: int) -> SparsePauliOp:
    """A readout as a ``SparsePauliOp`` on n qubits, simplified.

    Args:
        readout: A label such as "Z5", "X2X3+Y2Y3", "0.5*Z0Z1 - Z2" (qubit indices as in the circuit), or an operator.
        num_qubits: n.

    Raises:
        ReadoutError: Malformed, off the register, not Hermitian or zero.

    Example:
        >>> from equinoise.readout import parse_readout
        >>> parse_readout("X0X1+Y0Y1", 2).to_list()
        [('XX', (1+0j)), ('YY', (1+0j))]
    """
    if isinstance(readout, str):
        operator = _from_label(readout, num_qubits)
    elif isinstance(readout, SparsePauliOp):
        operator = readout
    else:
        raise ReadoutError(
            f"the readout must be a label such as 'Z5' or a SparsePauliOp, got {type(readout).__name__}."
        )
    if operator.num_qubits != num_qubits:
        raise ReadoutError(f"the readout acts on {operator.num_qubits} qubits, the circuit has {num_qubits}.")
    if len(operator.parameters):
        raise ReadoutError("the readout's coefficients must be numbers, not parameters.")
    coefficients = np.asarray(operator.coeffs, dtype=np.complex128)
    if not np.all(np.isfinite(coefficients)):
        raise ReadoutError("the readout has a coefficient that is not finite.")
    if np.abs(coefficients).sum() > _LARGEST:
        raise ReadoutError(
            f"the readout's coefficients add up to more than {_LARGEST:g}: its variance would leave the range of "
            "floating-point numbers. Give it in other units."
        )
    if 0 < np.abs(coefficients).max(initial=0.0) < 1 / _LARGEST:
        raise ReadoutError(
            f"the readout's coefficients are all below {1 / _LARGEST:g}: its square would leave the range of "
            "floating-point numbers. Give it in other units."
        )
    operator = _simplified(operator)
    coefficients = np.asarray(operator.coeffs)
    if np.abs(coefficients.imag).max(initial=0.0) > 1e-12:
        raise ReadoutError("the readout is not Hermitian: its Pauli coefficients must be real.")
    if not support(operator):
        raise ReadoutError("the readout is a multiple of the identity: it sees no qubit and has no gradient.")
    return operator


def _from_label(label: str, num_qubits: int) -> SparsePauliOp:
    terms: list[tuple[str, list[int], complex]] = []
    position = 0
    while position < len(label.rstrip()):
        match = _TERM.match(label, position)
        if match is None or (terms and not match.group(1)):
            raise ReadoutError(
                f"cannot read the readout {label!r} at {label[position:]!r}. "
                "Expected Pauli letters with qubit indices, such as 'Z5', 'X2X3+Y2Y3' or '0.5*Z0Z1 - Z2'."
            )
        factors = _FACTOR.findall(match.group(3))
        qubits = [int(q) for _, q in factors]
        if len(set(qubits)) != len(qubits):
            raise ReadoutError(f"the readout {label!r} names a qubit twice in one term.")
        if max(qubits) >= num_qubits:
            raise ReadoutError(
                f"the readout {label!r} names qubit {max(qubits)}, but the circuit has qubits 0..{num_qubits - 1}."
            )
        value = float(match.group(2) or 1.0) * (-1.0 if match.group(1) == "-" else 1.0)
        terms.append(("".join(p for p, _ in factors), qubits, value))
        position = match.end()
    if not terms:
        raise ReadoutError("the readout is empty. Expected a label such as 'Z5' or 'X2X3+Y2Y3'.")
    return SparsePauliOp.from_sparse_list(terms, num_qubits=num_qubits)


def support(operator: SparsePauliOp) -> tuple[int, ...]:
    """The qubits on which an operator acts, ascending."""
    paulis = operator.paulis
    return tuple(int(q) for q in np.flatnonzero((paulis.x | paulis.z).any(axis=0)))


def commutes_with_charge(operator: SparsePauliOp) -> bool:
    """Whether [O, Q] = 0 with Q = sum (1 - Z_i)/2, computed from the operator."""
    n = operator.num_qubits
    if not operator.paulis.x.any():
        return True  # a sum of Z strings is diagonal, as the charge is
    charge = SparsePauliOp.from_sparse_list([("Z", [q], -0.5) for q in support(operator)], num_qubits=n)
    commutator = (operator @ charge - charge @ operator).simplify(atol=1e-12)
    return bool(np.abs(commutator.coeffs).max(initial=0.0) < 1e-9)


def _simplified(operator: SparsePauliOp) -> SparsePauliOp:
    """Equal strings merged, and dropped where they cancel up to rounding; Qiskit alone drops all below 1e-8."""
    return operator.simplify(atol=1e-15 * float(np.abs(operator.coeffs).max(initial=0.0)), rtol=0)


def attenuated(operator: SparsePauliOp, errors: dict[int, tuple[float, float]]) -> SparsePauliOp:
    """The operator that is really measured under assignment errors.

    Each Pauli factor P on a measured qubit becomes (1 - p01 - p10) P + (p10 - p01): X and Y are rotated to Z and read.

    Args:
        operator: The readout.
        errors: {qubit: (p01, p10)}.

    Example:
        >>> from qiskit.quantum_info import SparsePauliOp
        >>> attenuated(SparsePauliOp("Z"), {0: (0.0, 0.25)}).simplify().to_list()
        [('Z', (0.75+0j)), ('I', (0.25+0j))]
    """
    n = operator.num_qubits
    terms: list[tuple[str, list[int], complex]] = []
    for letters, qubits, coefficient in operator.to_sparse_list():
        partial: list[tuple[str, list[int], complex]] = [("", [], coefficient)]
        for letter, qubit in zip(letters, qubits, strict=True):
            p01, p10 = errors.get(qubit, (0.0, 0.0))
            keep = [(a + letter, [*q, qubit], c * (1 - p01 - p10)) for a, q, c in partial]
            shift = [(a, q, c * (p10 - p01)) for a, q, c in partial] if not math.isclose(p10, p01) else []
            partial = keep + shift
        terms += partial
    return _simplified(SparsePauliOp.from_sparse_list(terms, num_qubits=n))


def label_of(operator: SparsePauliOp) -> str:
    """A readout as a label, its first six terms: ``X2X3+Y2Y3``."""
    parts = []
    for letters, qubits, coefficient in operator.to_sparse_list():
        value = complex(coefficient).real
        factor = "" if value == 1 else f"{value:g}*"
        parts.append(factor + "".join(f"{p}{q}" for p, q in zip(letters, qubits, strict=True)))
    text = "+".join(parts[:6])
    return text + ("+..." if len(parts) > 6 else "")
