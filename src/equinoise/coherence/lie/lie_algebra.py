"""The Lie algebra that a circuit's generators span on the input's own subspace, split into its simple ideals.

g is the smallest real space of matrices i A that holds the circuit's i H_k and all commutators. Its action on the
smallest subspace that holds the input and that every H_k maps into itself is all that a value can depend on.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from equinoise.circuit.pauli_sums import String, Sum, sparse_matrix
from equinoise.errors import UnsupportedError
from equinoise.text.notebook import MissingPackageError

__all__ = ["LieAlgebra", "adjoint_matrix", "coordinates", "invariant_subspace", "lie_algebra", "restricted"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

# relative to generators of norm 1: far above rounding, far below any true element
_TOLERANCE = 1e-8
_MAX_SUBSPACE = 64


@dataclass(frozen=True)
class LieAlgebra:
    """A Lie algebra of Hermitian matrices (times i) on an m-dimensional space: centre + simple ideals.

    Attributes:
        generators: H, each (m, m).
        basis: Orthonormal under Tr[A B], shape (d, m, m).
        adjoint: For each generator H the real antisymmetric matrix A of A -> i [H, A] in the basis, each (d, d).
        centre: Coordinates of the elements that commute with all, orthonormal rows, shape (c, d).
        ideals: For each simple ideal coordinates of an orthonormal basis, rows, shape (d_j, d).
    """

    generators: tuple[Complex, ...]
    basis: Complex
    adjoint: tuple[Real, ...]
    centre: Real
    ideals: tuple[Real, ...]

    @property
    def dimension(self) -> int:
        """d, of the centre and all ideals."""
        return int(self.basis.shape[0])


def invariant_subspace(generators: Sequence[csr_array], state: Complex) -> Complex:
    """Orthonormal columns of the smallest space that holds a state and that all generators map into itself.

    Args:
        generators: Hermitian, each (D, D).
        state: Shape (D,).

    Raises:
        UnsupportedError: It has more than 64 dimensions.
    """
    # Gram-Schmidt on a queue: each vector found is mapped by all generators, and what is new joins. When the queue is
    # empty, the space holds the state and is mapped into itself by all H.
    norms = [float(np.sqrt(abs(h.multiply(h.conj()).sum()) / state.size)) for h in generators]
    scaled = [h / norm for h, norm in zip(generators, norms, strict=True) if norm > 0]
    found = np.empty((_MAX_SUBSPACE + 1, state.size), dtype=np.complex128)
    found[0] = state / np.linalg.norm(state)
    count, position = 1, 0
    while position < count:
        for generator in scaled:
            new, space = generator @ found[position], found[:count]
            for _ in range(2):  # once is not enough where little is left
                new = new - (space.conj() @ new) @ space
            left = float(np.linalg.norm(new))
            if left > _TOLERANCE:
                if count == _MAX_SUBSPACE:
                    raise UnsupportedError(
                        f"the circuit takes the input through more than {_MAX_SUBSPACE} dimensions: too many for the "
                        "Lie-algebraic formula. Take fewer qubits or an input in a smaller sector; sampling serves."
                    )
                found[count] = new / left
                count += 1
        position += 1
    return np.ascontiguousarray(found[:count].T)


def restricted(operator: csr_array, space: Complex) -> Complex:
    """A Hermitian operator on the subspace with the given orthonormal columns, shape (m, m)."""
    matrix = space.conj().T @ (operator @ space)
    return np.asarray((matrix + matrix.conj().T) / 2)


def lie_algebra(
    generators: Sequence[Sum],
    num_qubits: int,
    space: Complex,
    max_dimension: int,
    progress: Callable[[int], None] | None = None,
) -> LieAlgebra:
    """The Lie algebra of a circuit's generators on an invariant subspace, and its simple ideals.

    PennyLane's ``liealg.lie_closure`` closes it: Pauli strings as strings, sums of them as matrices on the subspace.
    A generic element's root vectors lie in one simple ideal each; the generators carry one of them through all of its
    ideal.

    Args:
        generators: Hermitian, as Pauli sums.
        num_qubits: n.
        space: Orthonormal columns that the generators map among themselves, shape (2^n, m).
        max_dimension: Of the algebra on the subspace.
        progress: Called with the dimension reached after each round of commutators.

    Raises:
        UnsupportedError: The dimension is larger, or rounding hides it.
        MissingPackageError: PennyLane is not installed.
    """
    matrices = tuple(restricted(sparse_matrix(h, num_qubits), space) for h in generators)
    if all(len(h) == 1 for h in generators):
        strings = _closed_strings([next(iter(h)) for h in generators], 4 * max_dimension, progress)
        basis = _independent(np.array([restricted(sparse_matrix({s: 1.0}, num_qubits), space) for s in strings]))
        if len(basis) > max_dimension:
            raise _too_large(max_dimension, len(basis))
        adjoint = _closed(matrices, basis)
        if adjoint is None:
            raise _ill_conditioned()
        return _split(matrices, basis, adjoint)
    return _split(matrices, *_closed_matrices(matrices, max_dimension, progress))


def coordinates(operator: Complex, basis: Complex) -> Real:
    """Tr[B_a X] for a Hermitian X, shape (d,)."""
    return np.asarray(np.einsum("aij,ji->a", basis, operator).real, dtype=np.float64)


def adjoint_matrix(generator: Complex, basis: Complex) -> Real:
    """A_ab = Tr[B_a i [H, B_b]], the map B -> i [H, B] in an orthonormal basis, shape (d, d)."""
    moved = 1j * (generator @ basis - basis @ generator)
    out = np.tensordot(basis, moved, axes=([1, 2], [2, 1])).real
    return np.asarray((out - out.T) / 2, dtype=np.float64)


@contextmanager
def _pennylane_needed() -> Iterator[None]:
    try:
        yield
    except ImportError:
        raise MissingPackageError(
            "the Lie-algebraic variance needs the package pennylane, which is missing. Run: pip install pennylane"
        ) from None


def _lie_closure(generators: Sequence[Any], depth: int, **options: Any) -> Any:
    """PennyLane's closure after so many rounds of commutators."""
    with _pennylane_needed():
        from pennylane.liealg import lie_closure
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="reached the maximum number of iterations")
        return lie_closure(list(generators), max_iterations=depth, **options)


def _too_large(limit: int, found: int) -> UnsupportedError:
    return UnsupportedError(
        f"the circuit's Lie algebra has more than {limit} dimensions ({found} found): the formula is for small ones. "
        "Raise max_dimension, take fewer qubits, or sample."
    )


def _ill_conditioned() -> UnsupportedError:
    return UnsupportedError(
        "the circuit's Lie algebra cannot be told from rounding: its generators are almost dependent. Sampling serves."
    )


def _closed_strings(strings: Sequence[String], limit: int, progress: Callable[[int], None] | None) -> list[String]:
    """The Pauli strings that nested commutators of Pauli strings lead to."""
    with _pennylane_needed():
        from pennylane.pauli import PauliSentence, PauliWord
    start = [PauliSentence({PauliWord(dict(string)): 1.0}) for string in dict.fromkeys(strings)]
    dimensions = [0]
    while True:
        found = _lie_closure(start, len(dimensions), pauli=True)
        dimensions.append(len(found))
        if progress is not None:
            progress(dimensions[-1])
        if dimensions[-1] > limit:
            raise _too_large(limit // 4, dimensions[-1])
        if dimensions[-1] == dimensions[-2]:
            return [tuple(sorted((int(q), str(p)) for q, p in word.items())) for sentence in found for word in sentence]


def _independent(matrices: Complex) -> Complex:
    """An orthonormal basis of the real span of Hermitian matrices."""
    count, size, _ = matrices.shape
    rows = np.ascontiguousarray(matrices.reshape(count, -1)).view(np.float64)
    _, sizes, vectors = np.linalg.svd(rows, full_matrices=False)
    kept = np.ascontiguousarray(vectors[sizes > _TOLERANCE * max(float(sizes.max(initial=0.0)), 1e-300)])
    return kept.view(np.complex128).reshape(-1, size, size)


def _closed_matrices(
    matrices: Sequence[Complex], limit: int, progress: Callable[[int], None] | None
) -> tuple[Complex, tuple[Real, ...]]:
    """An orthonormal basis of the closure and the generators' adjoint matrices in it."""
    size = int(matrices[0].shape[0])
    scaled = [h / np.linalg.norm(h) for h in matrices if np.linalg.norm(h) > _TOLERANCE]
    if not scaled:
        return np.zeros((0, size, size), dtype=np.complex128), tuple(np.zeros((0, 0)) for _ in matrices)
    depth, dimensions = 1, [0]
    while True:
        found = np.asarray(_lie_closure(scaled, depth, matrix=True, tol=_TOLERANCE))
        # PennyLane's are orthonormal under Tr[A B]/m
        basis = found / np.linalg.norm(found, axis=(1, 2), keepdims=True)
        dimensions.append(len(basis))
        if progress is not None:
            progress(dimensions[-1])
        if dimensions[-1] > limit:
            raise _too_large(limit, dimensions[-1])
        adjoint = _closed(matrices, basis)
        if adjoint is not None:
            return basis, adjoint
        if dimensions[-1] == dimensions[-2]:
            raise _ill_conditioned()
        depth += _rounds(dimensions, limit)


def _closed(matrices: Sequence[Complex], basis: Complex) -> tuple[Real, ...] | None:
    """The generators' adjoint matrices; None if a commutator with one of them leaves the basis."""
    out = []
    for generator in matrices:
        adjoint = adjoint_matrix(generator, basis)
        moved = 1j * (generator @ basis - basis @ generator)
        rest = moved - np.tensordot(adjoint, basis, axes=([0], [0]))
        if np.abs(rest).max(initial=0.0) > 1e2 * _TOLERANCE * max(1.0, float(np.linalg.norm(generator))):
            return None
        out.append(adjoint)
    return tuple(out)


def _rounds(dimensions: Sequence[int], limit: int) -> int:
    """Further rounds of commutators, few enough that the dimension does not run far past the limit."""
    if len(dimensions) < 4:
        return 1
    grown, before = dimensions[-1] - dimensions[-2], max(1, dimensions[-2] - dimensions[-3])
    ratio = max(1.3, grown / before)
    reach, step = float(dimensions[-1]), float(grown)
    for rounds in range(1, 9):
        step *= ratio
        reach += step
        if reach > 1.5 * limit:
            return max(1, rounds - 1)
    return 8


def _split(generators: tuple[Complex, ...], basis: Complex, adjoint: tuple[Real, ...]) -> LieAlgebra:
    # sum_k ad_k^T ad_k vanishes on exactly those elements that commute with every generator, hence with all they
    # generate: the centre. The rest is a sum of simple ideals. An eigenvector of ad_X for a generic X and a root that
    # occurs once lies in one ideal; a simple ideal has no smaller subspace that all generators keep, so carrying the
    # vector by them fills it. What is orthogonal to it holds the other ideals.
    d = basis.shape[0]
    scaled = [a / np.linalg.norm(a) for a in adjoint if np.linalg.norm(a) > _TOLERANCE]
    casimir = np.sum([a.T @ a for a in scaled], axis=0) if scaled else np.zeros((d, d))
    weights, vectors = np.linalg.eigh(casimir)
    centre = vectors[:, weights < _TOLERANCE].T
    rest = vectors[:, weights >= _TOLERANCE]
    ideals: list[Real] = []
    if rest.shape[1]:
        amplitudes = np.random.default_rng(2309_09342).normal(size=d)
        generic = adjoint_matrix(np.asarray(np.tensordot(amplitudes, basis, axes=1)), basis)
        roots, states = np.linalg.eigh(-1j * (rest.T @ generic @ rest))
        # a root that no other equals belongs to one ideal; the root 0 is repeated unless the algebra is one su(2)
        gaps = np.minimum(np.diff(roots, prepend=-np.inf), np.diff(roots, append=np.inf))
        left = np.eye(rest.shape[1])
        while left.shape[1]:
            inside = np.linalg.norm(left.T @ states, axis=0)
            root = states[:, int(np.argmax(gaps * (inside > 0.5)))]
            seed = rest @ (left @ (left.T @ np.stack([root.real, root.imag], axis=1)))
            ideal = _carried(seed, scaled)
            ideals.append(ideal.T)
            within = rest.T @ ideal
            weights, vectors = np.linalg.eigh(left.T @ (within @ within.T) @ left)
            left = left @ vectors[:, weights < 0.5]
    return LieAlgebra(generators, basis, adjoint, centre, tuple(sorted(ideals, key=lambda rows: -rows.shape[0])))


def _carried(seed: Real, maps: Sequence[Real]) -> Real:
    """Orthonormal columns of the smallest space that holds the seed's columns and that all maps keep."""
    space = _orthonormal(seed)
    while True:
        larger = _orthonormal(np.concatenate([space, *(m @ space for m in maps)], axis=1))
        if larger.shape[1] == space.shape[1]:
            return space
        space = larger


def _orthonormal(columns: Real) -> Real:
    left, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(left[:, sizes > _TOLERANCE * sizes[0]], dtype=np.float64)
