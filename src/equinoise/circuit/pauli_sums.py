"""Operators as real combinations of Pauli strings, whatever the number of qubits.

A sum is {((qubit, letter), ...): coefficient}; strings are sorted by qubit and hold no identity letters; the empty
string is the identity.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import Operator, SparsePauliOp
from scipy.sparse import coo_array, csr_array

__all__ = [
    "PAULI",
    "String",
    "Sum",
    "commutator",
    "from_matrix",
    "from_operator",
    "largest",
    "multiplied",
    "sparse_matrix",
    "to_operator",
    "written",
]

String = tuple[tuple[int, str], ...]
Sum = dict[String, float]
Matrix = npt.NDArray[np.complex128]

PAULI: Mapping[str, Matrix] = {
    "I": np.eye(2, dtype=np.complex128),
    "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    "Z": np.diag([1.0, -1.0]).astype(np.complex128),
}
# products of two different letters: the third, and the power of i in front
_THIRD = {
    ("X", "Y"): ("Z", 1),
    ("Y", "Z"): ("X", 1),
    ("Z", "X"): ("Y", 1),
    ("Y", "X"): ("Z", 3),
    ("Z", "Y"): ("X", 3),
    ("X", "Z"): ("Y", 3),
}
_SMALL = 1e-14


def from_matrix(matrix: Matrix, qubits: Sequence[int], *, with_identity: bool = False) -> Sum:
    """A Hermitian matrix on a few qubits (the first least significant), identity left out unless asked for."""
    out: Sum = {}
    mean = float(np.trace(matrix).real) / len(matrix)
    if with_identity and abs(mean) > 1e-12 * float(np.abs(matrix).max()):
        out[()] = mean
    for letters, value in _coefficients(matrix.tobytes(), len(qubits)):
        out[tuple(sorted((q, p) for q, p in zip(qubits, letters, strict=True) if p != "I"))] = value
    return out


@lru_cache(maxsize=4096)
def _coefficients(data: bytes, count: int) -> tuple[tuple[tuple[str, ...], float], ...]:
    matrix = np.frombuffer(data, dtype=np.complex128).reshape(2**count, 2**count)
    out = []
    if count > 2:  # 4^n strings: Qiskit's own decomposition visits those that are there
        floor = 1e-12 * float(np.abs(matrix).max())
        found = SparsePauliOp.from_operator(Operator(matrix), atol=floor, rtol=0.0)
        labels = zip(found.paulis.to_labels(), found.coeffs.real.tolist(), strict=True)
        return tuple((tuple(label[::-1]), value) for label, value in labels if set(label) != {"I"})
    for letters in itertools.product("IXYZ", repeat=count):
        if set(letters) == {"I"}:
            continue
        string: Matrix = np.ones((1, 1), dtype=np.complex128)
        for letter in letters:
            string = np.asarray(np.kron(PAULI[letter], string))
        value = float(np.trace(string @ matrix).real) / 2**count
        if abs(value) > 1e-12 * float(np.abs(matrix).max()):
            out.append((letters, value))
    return tuple(out)


def from_operator(operator: SparsePauliOp) -> Sum:
    """A Hermitian operator of Qiskit's, equal strings merged."""
    out: Sum = {}
    for letters, qubits, coefficient in operator.to_sparse_list():
        string = tuple(sorted((int(q), p) for q, p in zip(qubits, letters, strict=True) if p != "I"))
        out[string] = out.get(string, 0.0) + float(complex(coefficient).real)
    return {string: value for string, value in out.items() if abs(value) > _SMALL}


def to_operator(operator: Mapping[String, float], num_qubits: int) -> SparsePauliOp:
    """The same for Qiskit."""
    terms = [("".join(p for _, p in s), [q for q, _ in s], value) for s, value in operator.items()]
    return SparsePauliOp.from_sparse_list(terms or [("", [], 0.0)], num_qubits=num_qubits)


def multiplied(first: String, second: String) -> tuple[int, String]:
    """The power of i and the string of a product of two strings."""
    # Qubit by qubit: equal letters cancel, different ones give the third with i or -i (i^3).
    letters = dict(first)
    power = 0
    for qubit, letter in second:
        here = letters.get(qubit)
        if here is None:
            letters[qubit] = letter
        elif here == letter:
            del letters[qubit]
        else:
            letters[qubit], turn = _THIRD[here, letter]
            power += turn
    return power % 4, tuple(sorted(letters.items()))


def commutator(first: Mapping[String, float], second: Mapping[String, float]) -> Sum:
    """I [A, B], which is Hermitian; what is below rounding, relative to A and B, is left out."""
    out: Sum = {}
    touching: dict[int, list[String]] = {}
    for string in second:
        for qubit, _ in string:
            touching.setdefault(qubit, []).append(string)
    for a, x in first.items():
        near = {s for qubit, _ in a for s in touching.get(qubit, ())}
        for b in near:
            power, product = multiplied(a, b)
            if power % 2:  # i [P, Q] = 2 i (i^power R)
                out[product] = out.get(product, 0.0) + x * second[b] * (-2.0 if power == 1 else 2.0)
    floor = _SMALL * largest(first) * largest(second)
    return {s: v for s, v in out.items() if abs(v) > floor}


def largest(operator: Mapping[String, float]) -> float:
    """The greatest size of a coefficient; 0 for no term."""
    return max(map(abs, operator.values()), default=0.0)


def written(string: String) -> str:
    """As a readout label, such as "X0Y3"; "1" for the identity."""
    return "".join(f"{p}{q}" for q, p in string) or "1"


def sparse_matrix(operator: Mapping[String, complex], num_qubits: int) -> csr_array:
    """The operator on all 2^n states, qubit 0 least significant: sparse (2^n, 2^n)."""
    states = np.arange(2**num_qubits, dtype=np.int64)
    rows, values = [], []
    for string, coefficient in operator.items():
        flipped = sum(1 << q for q, p in string if p != "Z")
        signed = sum(1 << q for q, p in string if p != "X")
        # Y|0> = i|1>, Y|1> = -i|0>
        sign = 1.0 - 2.0 * (np.bitwise_count(states & signed) % 2)
        values.append(coefficient * 1j ** sum(p == "Y" for _, p in string) * sign)
        rows.append(states ^ flipped)
    if not rows:
        return csr_array((2**num_qubits, 2**num_qubits), dtype=np.complex128)
    columns = np.tile(states, len(rows))
    shape = (2**num_qubits, 2**num_qubits)
    return csr_array(coo_array((np.concatenate(values), (np.concatenate(rows), columns)), shape=shape).tocsr())
