"""exp(-i t H) of a sum of Pauli strings as exact rotations on few qubits, where it is a product of such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparsePauliOp

from equinoise.circuit.pauli_sums import Sum, commutator, from_operator, sparse_matrix
from equinoise.errors import CircuitError

__all__ = ["LARGEST_CORE", "Factor", "evolved_operator", "exact_factors", "factor_of", "terms_commute"]

Matrix = npt.NDArray[np.complex128]
_Place = tuple[frozenset[int], frozenset[int]]

LARGEST_CORE = 4
"""Qubits that a block may flip."""


@dataclass(frozen=True)
class Factor:
    """An operator that is a matrix on few qubits, times a product of Z on others.

    Attributes:
        qubits: Ascending; the first is the least significant bit of the matrix.
        matrix: Hermitian, shape (2^k, 2^k).
        string: The qubits of the product of Z, ascending.
    """

    qubits: tuple[int, ...]
    matrix: Matrix
    string: tuple[int, ...] = ()


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


def exact_factors(operator: Sum) -> tuple[Factor, ...] | None:
    """H as mutually commuting parts on few qubits each; None if there are no such parts.

    Terms that flip the same qubits and act on the same ones are one part: only such terms can conserve the charge
    together. Parts that do not commute are joined, since exp(-i t H) does not factor between them; those that do are
    left apart, and exp(-i t H) is the product of theirs in any order. A part on more than two qubits is taken if it
    conserves the charge and, apart from a product of Z that all its terms share, acts on at most four qubits.
    """
    parts: dict[_Place, Sum] = {}
    for string, value in operator.items():
        qubits = frozenset(q for q, _ in string)
        flipped = frozenset(q for q, letter in string if letter != "Z") if len(qubits) > 2 else qubits
        parts.setdefault((qubits, flipped), {})[string] = value
    if not terms_commute(operator):
        joined = _joined(parts)
        if joined is None:
            return None
        parts = joined
    factors = [factor_of(part) for part in parts.values()]
    return None if None in factors else tuple(factor for factor in factors if factor is not None)


def factor_of(part: Sum) -> Factor | None:
    """A Hermitian operator as matrix times a product of Z.

    Args:
        part: Without the identity.

    Returns:
        None if it acts on more than two qubits and breaks the charge, or flips more than four.
    """
    qubits = {q for string in part for q, _ in string}
    if len(qubits) <= 2:
        return Factor(tuple(sorted(qubits)), _matrix(part, sorted(qubits)))
    # qubits on which every term has a Z; of terms of Z alone one of them remains as the core
    shared = set.intersection(*({q for q, letter in string if letter == "Z"} for string in part))
    if shared == qubits:
        shared.remove(min(shared))
    core = sorted(qubits - shared)
    if len(core) > LARGEST_CORE or commutator(part, {((q, "Z"),): 1.0 for q in qubits}):
        return None
    inner = {tuple((q, p) for q, p in string if q not in shared): value for string, value in part.items()}
    return Factor(tuple(core), _matrix(inner, core), tuple(sorted(shared)))


def _joined(parts: dict[_Place, Sum]) -> dict[_Place, Sum] | None:
    """Parts that do not commute joined, until all that are left do; None once one is too large."""
    # exp(-i t (A + B)) = exp(-i t A) exp(-i t B) where [A, B] = 0: parts that do not commute must stay together. A
    # joined part is compared with all others again, since it may still not commute with a further one.
    settled: dict[_Place, Sum] = {}
    waiting = list(parts.items())
    while waiting:
        place, part = waiting.pop()
        other = next((o for o in settled if o[0] & place[0] and (o == place or commutator(settled[o], part))), None)
        if other is None:
            settled[place] = part
            continue
        merged = _sum(part, settled.pop(other))
        if factor_of(merged) is None and len({q for s in merged for q, p in s if p != "Z"}) > LARGEST_CORE:
            return None
        waiting.append(((place[0] | other[0], place[1] | other[1]), merged))
    return settled


def _sum(first: Sum, second: Sum) -> Sum:
    return first | {string: first.get(string, 0.0) + value for string, value in second.items()}


def _matrix(part: Sum, qubits: Sequence[int]) -> Matrix:
    place = {q: i for i, q in enumerate(qubits)}
    local = {tuple((place[q], letter) for q, letter in string): value for string, value in part.items()}
    return np.asarray(sparse_matrix(local, len(qubits)).toarray(), dtype=np.complex128)
