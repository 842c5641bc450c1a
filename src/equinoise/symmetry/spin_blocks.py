r"""Permutation-invariant operators on n qubits as blocks of total spin: C(n+3, 3) numbers instead of 4^n.

Every operator that commutes with all permutations is (+)_J X_J (x) 1 over J = n/2, n/2 - 1, ...; X_J acts on the 2J+1
states |J, M> and the identity on the d_J = C(n, k) - C(n, k-1) ways to make that spin, k = n/2 - J. A state's block
holds its weight, Tr rho = sum_J Tr X_J, an observable's its matrix elements, so Tr[O rho] = sum_J Tr[O_J X_J] and no
factor 2^n enters: an orthonormal basis would magnify rounding by sqrt(d_J), 1e6 at n = 50 and 1e13 at n = 100.

A block is numbered by k; its rows by x = n/2 - M = k .. n - k, the number of qubits in |1> (Qiskit's |0> has Z = +1).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

__all__ = ["PauliCounts", "SpinBlocks", "spin_blocks"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
PauliCounts = tuple[int, int, int]


class SpinBlocks:
    """The blocks of n qubits, laid one after the other in a flat array.

    Attributes:
        num_qubits: n.
        dims: 2J + 1 of each block, shape (n//2 + 1,).
        offsets: Where a block's elements start, shape (n//2 + 2,); the last is the length C(n+3, 3).
        starts: Where its rows start among those of all blocks, likewise.
    """

    def __init__(self, num_qubits: int) -> None:
        self.num_qubits = num_qubits
        self.dims = num_qubits + 1 - 2 * np.arange(num_qubits // 2 + 1, dtype=np.int64)
        self.offsets = np.concatenate([[0], np.cumsum(self.dims**2)])
        self.starts = np.concatenate([[0], np.cumsum(self.dims)])
        self._pauli: dict[PauliCounts, tuple[Complex, ...]] = {}

    @property
    def size(self) -> int:
        """Complex numbers of an operator."""
        return int(self.offsets[-1])

    def split(self, flat: Complex) -> list[Complex]:
        """Views of the blocks, shape (..., 2J+1, 2J+1) each, of arrays of shape (..., size)."""
        return [
            flat[..., a:b].reshape(*flat.shape[:-1], d, d)
            for a, b, d in zip(self.offsets[:-1], self.offsets[1:], self.dims, strict=True)
        ]

    def join(self, blocks: Sequence[Complex]) -> Complex:
        """The flat array of given blocks."""
        return np.concatenate([np.asarray(block, dtype=np.complex128).ravel() for block in blocks])

    # -- operators -----------------------------------------------------------------------------------------------

    @cached_property
    def spin(self) -> dict[str, tuple[Complex, ...]]:
        """J_x, J_y, J_z = sum_i P_i/2 in every block."""
        out: dict[str, list[Complex]] = {"X": [], "Y": [], "Z": []}
        for k, dim in enumerate(self.dims.tolist()):
            j = self.num_qubits / 2 - k
            m = j - np.arange(dim)
            plus = np.diag(np.sqrt((j - m[1:]) * (j + m[1:] + 1)), 1)
            out["X"].append((plus + plus.T).astype(np.complex128) / 2)
            out["Y"].append((plus - plus.T) / 2j)
            out["Z"].append(np.diag(m).astype(np.complex128))
        return {letter: tuple(blocks) for letter, blocks in out.items()}

    def pauli(self, counts: PauliCounts) -> tuple[Complex, ...]:
        """The sum of all Pauli strings with so many letters X, Y, Z, in every block.

        By sum_i P_i times a shorter sum: the new letter lands on a free qubit, or meets one that is there
        (P P = 1, X Y = i Z and so on). Where a letter is on more qubits than none, the product of that letter over all
        qubits is split off first, without which long strings would be differences of larger numbers.
        """
        if counts not in self._pauli:
            self._pauli[counts] = self._pauli_sum(counts)
        return self._pauli[counts]

    def _pauli_sum(self, counts: PauliCounts) -> tuple[Complex, ...]:
        n, body = self.num_qubits, sum(counts)
        if body == 0:
            return tuple(np.eye(d, dtype=np.complex128) for d in self.dims.tolist())
        a = max(range(3), key=lambda i: counts[i])
        b, c = (a + 1) % 3, (a + 2) % 3
        if counts[a] > n - body:
            # a a = 1, a b = i c, a c = -i b on every qubit
            swapped = [0, 0, 0]
            swapped[a], swapped[b], swapped[c] = n - body, counts[c], counts[b]
            factor = 1j ** ((counts[b] - counts[c]) % 4)
            rest = self.pauli((swapped[0], swapped[1], swapped[2]))
            return tuple(factor * p @ e for p, e in zip(self._everywhere("XYZ"[a]), rest, strict=True))

        def moved(*changes: tuple[int, int]) -> PauliCounts:
            out = list(counts)
            for i, by in changes:
                out[i] += by
            return (out[0], out[1], out[2])

        # (sum_i A_i) S = sum over the strings of S: A lands on a free qubit (each string with counts[a] letters is
        # reached counts[a] times), meets an A (A A = 1, leaving a free qubit: n - body + 2 ways back), or a B or C.
        # Solved for the first.
        shorter = self.pauli(moved((a, -1)))
        total = [2 * s @ e for s, e in zip(self.spin["XYZ"[a]], shorter, strict=True)]
        terms: list[tuple[complex, PauliCounts]] = [(n - body + 2, moved((a, -2)))]
        # a letter b of the shorter string became a b = i c, a letter c became a c = -i b
        terms += [(1j * (counts[c] + 1), moved((a, -1), (b, -1), (c, 1)))]
        terms += [(-1j * (counts[b] + 1), moved((a, -1), (c, -1), (b, 1)))]
        for factor, other in terms:
            if min(other) >= 0:
                total = [t - factor * e for t, e in zip(total, self.pauli(other), strict=True)]
        return tuple(t / counts[a] for t in total)

    def _everywhere(self, letter: str) -> tuple[Complex, ...]:
        """The product of one letter over all qubits: X takes M to -M, with a sign for each of k singlets."""
        out = []
        for k, dim in enumerate(self.dims.tolist()):
            signs = np.diag((-1.0) ** (k + np.arange(dim)))
            flip = (-1.0) ** k * np.eye(dim)[::-1]
            out.append({"X": flip, "Y": 1j ** (self.num_qubits % 4) * flip @ signs, "Z": signs}[letter])
        return tuple(np.asarray(p, dtype=np.complex128) for p in out)

    def strings(self, counts: PauliCounts) -> int:
        """How many Pauli strings have so many letters X, Y, Z."""
        rest = self.num_qubits - sum(counts)
        top = math.factorial(self.num_qubits)
        return top // math.prod(math.factorial(c) for c in (*counts, rest))

    def twirled(self, by_counts: Mapping[PauliCounts, complex]) -> Complex:
        """The average over permutations of a sum of Pauli strings, flat.

        Args:
            by_counts: Sum of the coefficients of all its strings with so many letters X, Y, Z.
        """
        total = np.zeros(self.size, dtype=np.complex128)
        for counts, coefficient in by_counts.items():
            total += coefficient / self.strings(counts) * self.join(self.pauli(counts))
        return total

    # -- states --------------------------------------------------------------------------------------------------

    def product_state(self, qubits: Complex) -> Complex:
        """The average over permutations of a product state, flat: one spin after the other is added.

        With the twirl of m qubits the twirl of m + 1 is known, as X_J (x) r on the states of J +- 1/2: weights add,
        nothing cancels.

        Args:
            qubits: Amplitudes of |0>, |1> of each qubit, shape (n, 2).
        """
        # The twirl of m + 1 qubits is the twirl of (twirl of m) (x) r. Spin J and one qubit make J + 1/2 (k as it is)
        # and J - 1/2 (k + 1); coherences between the two are no invariants and drop out.
        blocks = [np.ones((1, 1), dtype=np.complex128)]
        for m, amplitudes in enumerate(np.asarray(qubits, dtype=np.complex128)):
            kets = np.outer(amplitudes, amplitudes.conj())
            grown = [np.zeros((d, d), dtype=np.complex128) for d in range(m + 2, 0, -2)]
            for k, block in enumerate(blocks):
                for target, up in ((k, True), (k + 1, False)):
                    if target == len(grown):
                        continue
                    for side, other in itertools.product((0, 1), repeat=2):
                        grown[target] += kets[side, other] * _coupled(_coupled(block, up, side).T, up, other).T
            blocks = grown
        return self.join(blocks)

    def vectors_state(self, vectors: Complex) -> Complex:
        """The average over permutations of sum_j |v_j><v_j|, flat; n is small, for 2^n amplitudes are given.

        Args:
            vectors: Shape (2^n, m), qubit 0 least significant.
        """
        # {k: (ways of making the spin so far, 2J+1, amplitudes of the qubits to come and j)}
        parts = {0: np.asarray(vectors, dtype=np.complex128).reshape(1, 1, -1)}
        for m in range(self.num_qubits):
            grown: dict[int, list[Complex]] = {}
            for k, part in parts.items():
                ways, dim, rest = part.shape
                # the most significant qubit left comes first; the average over permutations asks for no order
                split = part.reshape(ways, dim, 2, rest // 2)
                for target, up in ((k, True), (k + 1, False)):
                    if m + 2 - 2 * target > 0:
                        moved = split.transpose(1, 0, 2, 3)
                        total = _coupled(moved[:, :, 0], up, 0) + _coupled(moved[:, :, 1], up, 1)
                        grown.setdefault(target, []).append(total.transpose(1, 0, 2))
            parts = {k: np.concatenate(several) for k, several in grown.items()}
        return self.join([np.einsum("wxr,wyr->xy", parts[k], parts[k].conj()) for k in range(self.dims.size)])


def _coupled(block: Complex, up: bool, bit: int) -> Complex:
    """|J, M> with one more qubit in |bit>, in |J +- 1/2, M +- 1/2>: along axis 0, by Clebsch-Gordan coefficients."""
    # Clebsch-Gordan coefficients for J and 1/2 with dim = 2J + 1: to J + 1/2 sqrt((J + M + 1)/dim) with |0>, sqrt((J -
    # M + 1)/dim) with |1>; to J - 1/2 -sqrt((J - M)/dim) with |0>, sqrt((J + M)/dim) with |1>.
    dim = block.shape[0]
    position = np.arange(dim)  # J - M
    shape = (dim,) + (1,) * (block.ndim - 1)
    if up:
        weight = (dim - position if bit == 0 else position + 1) / dim
        out = np.zeros((dim + 1, *block.shape[1:]), dtype=np.complex128)
        out[bit : bit + dim] = np.sqrt(weight).reshape(shape) * block
        return out
    if bit == 0:  # row 0 has nowhere to go
        return np.asarray(-np.sqrt(position / dim).reshape(shape) * block)[1:]
    return np.asarray(np.sqrt((dim - 1 - position) / dim).reshape(shape) * block)[: dim - 1]


@lru_cache(maxsize=8)
def spin_blocks(num_qubits: int) -> SpinBlocks:
    """The blocks of n qubits, shared."""
    return SpinBlocks(num_qubits)
