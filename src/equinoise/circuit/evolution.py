"""exp(-i t H) of a sum of Pauli strings as exact rotations on one or two qubits, where it is a product of such."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparsePauliOp

from equinoise.circuit.pauli_sums import Sum, commutator, from_operator, sparse_matrix
from equinoise.errors import CircuitError

__all__ = ["evolved_operator", "exact_factors", "terms_commute"]

Matrix = npt.NDArray[np.complex128]


def evolved_operator(gate: PauliEvolutionGate, where: str) -> Sum:
    """H of a gate exp(-i t H), on the gate's own qubits 0, 1, ...; the identity, a global phase, is left out.

    Raises:
        CircuitError: A coefficient that is not real.
    """
    parts = gate.operator if isinstance(gate.operator, list) else [gate.operator]
    out: Sum = {}
    for part in parts:
        operator = part if isinstance(part, SparsePauliOp) else SparsePauliOp.from_sparse_observable(part)
        if np.abs(np.asarray(operator.simplify().coeffs).imag).max(initial=0.0) > 1e-12:
            raise CircuitError(
                f"{where} evolves under an operator that is not Hermitian: its coefficients must be real."
            )
        for string, value in from_operator(operator).items():
            out[string] = out.get(string, 0.0) + value
    return {string: value for string, value in out.items() if string and value}


def terms_commute(operator: Sum) -> bool:
    """Whether all strings of a sum commute with one another: then any product formula of it is exact."""
    qubits = sorted({q for string in operator for q, _ in string})
    place = {q: i for i, q in enumerate(qubits)}
    x, z = (np.zeros((len(operator), len(qubits)), dtype=np.int64) for _ in range(2))
    for row, string in enumerate(operator):
        for q, letter in string:
            x[row, place[q]] = letter != "Z"
            z[row, place[q]] = letter != "X"
    # two strings commute if they differ on an even number of the qubits that they share
    return not np.any((x @ z.T + z @ x.T) % 2)


def exact_factors(operator: Sum) -> tuple[tuple[tuple[int, ...], Matrix], ...] | None:
    """H as mutually commuting parts on one or two qubits each; None if there are no such parts.

    Terms on the same qubits are one part. Parts that do not commute are joined, since exp(-i t H) does not factor
    between them; those that do are left apart, and exp(-i t H) is the product of theirs in any order.

    Returns:
        Per part its qubits, ascending, and its matrix, the first qubit least significant.
    """
    parts: dict[frozenset[int], Sum] = {}
    for string, value in operator.items():
        parts.setdefault(frozenset(q for q, _ in string), {})[string] = value
    if not terms_commute(operator):
        parts = _joined(parts)
    if any(len(qubits) > 2 for qubits in parts):
        return None
    return tuple((tuple(sorted(qubits)), _matrix(part, sorted(qubits))) for qubits, part in parts.items())


def _joined(parts: dict[frozenset[int], Sum]) -> dict[frozenset[int], Sum]:
    """Parts that do not commute joined, until all that are left do; early out once one is too large."""
    # exp(-i t (A + B)) = exp(-i t A) exp(-i t B) where [A, B] = 0: parts that do not commute must stay together. A
    # joined part is compared with all others again, since it may still not commute with a further one.
    settled: dict[frozenset[int], Sum] = {}
    waiting = list(parts.items())
    while waiting:
        qubits, part = waiting.pop()
        other = next((o for o in settled if o & qubits and (o == qubits or commutator(settled[o], part))), None)
        if other is None:
            settled[qubits] = part
            continue
        waiting.append((qubits | other, _sum(part, settled.pop(other))))
        if len(qubits | other) > 2:
            return dict(waiting)
    return settled


def _sum(first: Sum, second: Sum) -> Sum:
    return first | {string: first.get(string, 0.0) + value for string, value in second.items()}


def _matrix(part: Sum, qubits: Sequence[int]) -> Matrix:
    place = {q: i for i, q in enumerate(qubits)}
    local = {tuple((place[q], letter) for q, letter in string): value for string, value in part.items()}
    return np.asarray(sparse_matrix(local, len(qubits)).toarray(), dtype=np.complex128)
