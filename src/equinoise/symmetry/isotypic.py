"""The isotypic decomposition of 2^w states under a group given by its generators.

    C^(2^w) = (+)_lambda C^(m_lambda) (x) C^(d_lambda),    g = (+)_lambda 1 (x) D_lambda(g)

The columns of the isometries W_{lambda,r}, r = 1..d, hold the copies of the multiplicity space. With a random Hermitian
element A of the algebra that the generators span, the eigenvectors of one eigenvalue are one copy; a second element B
tells which copies belong to one irrep, and aligns them. What comes out is checked against every generator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csc_array, csr_array, eye_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from equinoise.circuit.pauli_sums import sparse_matrix
from equinoise.errors import UnsupportedError
from equinoise.symmetry.components import component_stacks, put_together
from equinoise.symmetry.groups import Charge, Generator, PauliString, Permutation, Symmetry

__all__ = ["Irrep", "Isotypic", "diagonalisation_cost", "isotypic"]

Complex = npt.NDArray[np.complex128]
Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

MAX_WIDTH = 14
# sum of the cubes of the invariant subspaces' dimensions (SU(2) on 11 qubits: 3e8); beyond, minutes
MAX_CUBES = 1e9
# eigenvalues of A, whose norm is about 1, that agree to this are one
_SAME = 1e-11
_RESIDUAL = 1e-10
_ATTEMPTS = 8
_SEED = 20260630


@dataclass(frozen=True)
class Irrep:
    """One irreducible representation among the states of w qubits.

    Attributes:
        label: Charge, parity, momentum or spin where the generators have such a name; else a number.
        dimension: d.
        multiplicity: m, how often it occurs.
        start: Where its columns stand in :attr:`Isotypic.basis`: copy r in start + r m .. start + (r + 1) m.
        matrices: D(g) of each generator (of Q for a charge), shape (generators, d, d).
    """

    label: str
    dimension: int
    multiplicity: int
    start: int
    matrices: Complex


@dataclass(frozen=True)
class Isotypic:
    """The decomposition.

    Attributes:
        symmetry: On qubits 0..w-1.
        irreps: One entry per irrep that occurs.
        basis: The isometries side by side: unitary, sparse, shape (2^w, 2^w), qubit 0 least significant.
    """

    symmetry: Symmetry
    irreps: tuple[Irrep, ...]
    basis: csc_array

    @property
    def width(self) -> int:
        """Number of qubits w."""
        return self.symmetry.num_qubits

    @property
    def numbers(self) -> int:
        """Dimension of the commutant, sum of m^2."""
        return sum(i.multiplicity**2 for i in self.irreps)

    def isometry(self, irrep: int, copy: int = 0) -> csc_array:
        """W_{lambda,r}, sparse, shape (2^w, m)."""
        here = self.irreps[irrep]
        start = here.start + copy * here.multiplicity
        return self.basis[:, start : start + here.multiplicity]

    @cached_property
    def places(self) -> tuple[Index, Index, Index]:
        """Of each column of the basis: irrep, copy and index in the multiplicity space, shape (2^w,) each."""
        irrep = np.concatenate([np.full(i.dimension * i.multiplicity, k) for k, i in enumerate(self.irreps)])
        copy = np.concatenate([np.repeat(np.arange(i.dimension), i.multiplicity) for i in self.irreps])
        index = np.concatenate([np.tile(np.arange(i.multiplicity), i.dimension) for i in self.irreps])
        return irrep.astype(np.int64), copy.astype(np.int64), index.astype(np.int64)

    def transformed(self, operator: csr_array) -> coo_array:
        """W^dag X W of an operator on the 2^w states, sparse; what is rounding is left out."""
        out = csr_array(self.basis.conj().T.tocsr() @ operator @ self.basis)
        floor = 1e-13 * max(1.0, float(np.abs(operator.data).max(initial=0.0)))
        out.data[np.abs(out.data) < floor] = 0.0
        out.eliminate_zeros()
        return out.tocoo()

    def twirled(self, transformed: coo_array) -> list[csr_array]:
        """X_lambda = (1/d) sum_r W_r^dag X W_r of an operator already transformed: sparse (m, m) per irrep."""
        irrep, copy, index = self.places
        rows, columns = transformed.row, transformed.col
        kept = (irrep[rows] == irrep[columns]) & (copy[rows] == copy[columns])
        rows, columns, data = rows[kept], columns[kept], transformed.data[kept]
        out = []
        for number, one in enumerate(self.irreps):
            here = irrep[rows] == number
            shape = (one.multiplicity, one.multiplicity)
            entries = (data[here] / one.dimension, (index[rows[here]], index[columns[here]]))
            out.append(csr_array(coo_array(entries, shape=shape).tocsr()))
        return out

    def residual(self, transformed: coo_array, blocks: list[csr_array]) -> float:
        """Largest element of an operator outside the commutant, blocks its twirl."""
        parts = [block for block, one in zip(blocks, self.irreps, strict=True) for _ in range(one.dimension)]
        starts = np.cumsum([0, *(p.shape[0] for p in parts)])[:-1]
        coos = [p.tocoo() for p in parts]
        rows = np.concatenate([c.row + s for c, s in zip(coos, starts, strict=True)])
        columns = np.concatenate([c.col + s for c, s in zip(coos, starts, strict=True)])
        data = np.concatenate([c.data for c in coos])
        inside = coo_array((data, (rows, columns)), shape=transformed.shape).tocsr()
        return float(np.abs((transformed.tocsr() - inside).data).max(initial=0.0))


def matrix_of(generator: Generator, width: int) -> csr_array:
    """Q of a charge, the unitary of a permutation or string, sparse (2^w, 2^w)."""
    if isinstance(generator, Charge):
        return sparse_matrix(generator.operator, width)
    if isinstance(generator, PauliString):
        return sparse_matrix({generator.letters: 1.0}, width)
    states = np.arange(2**width, dtype=np.int64)
    moved = np.zeros_like(states)
    for q, to in enumerate(generator.image):
        moved |= ((states >> q) & 1) << to
    return csr_array((np.ones(states.size, dtype=np.complex128), (moved, states)), shape=(states.size, states.size))


def _subspaces(matrices: list[csr_array], dimension: int) -> Index:
    """Number of the invariant subspace of each basis state: of all generators, and of the diagonal ones' eigenspaces.

    The projectors on the latter belong to the algebra, so an element of it may be cut to its blocks there.
    """
    pattern = eye_array(dimension, format="csr")
    for matrix in matrices:
        pattern = pattern + abs(matrix)
    _, mixed = connected_components(pattern, directed=False)
    diagonals = [m.diagonal() for m in matrices if np.array_equal(*m.tocoo().coords)]
    keys = np.stack([mixed, *(np.round(part, 9) for d in diagonals for part in (d.real, d.imag))])
    return np.unique(keys, axis=1, return_inverse=True)[1].reshape(-1)


def diagonalisation_cost(symmetry: Symmetry) -> float:
    """Sum of the cubes of the invariant subspaces' dimensions; infinity beyond the greatest width."""
    width = symmetry.num_qubits
    if width > MAX_WIDTH:
        return math.inf
    labels = _subspaces([matrix_of(g, width) for g in symmetry.generators], 2**width)
    return float(np.sum(np.bincount(labels).astype(np.float64) ** 3))


def isotypic(symmetry: Symmetry) -> Isotypic:
    """Decomposes the 2^w states of a symmetry's qubits.

    Args:
        symmetry: On w qubits, generated by charges, permutations and Pauli strings in any mixture.

    Returns:
        Irreps with their isometries, aligned so that X commutes with the group if and only if
        W_{lambda,r}^dag X W_{mu,s} = delta_{lambda mu} delta_rs X_lambda.

    Raises:
        UnsupportedError: More qubits than can be diagonalised (with the numbers), or a group that resists.

    Example:
        >>> from equinoise.symmetry.groups import su2
        >>> [(i.label, i.dimension, i.multiplicity) for i in isotypic(su2(4)).irreps]
        [('J=0', 1, 2), ('J=1', 3, 3), ('J=2', 5, 1)]
    """
    width = symmetry.num_qubits
    cost = diagonalisation_cost(symmetry)
    if cost > MAX_CUBES:
        raise UnsupportedError(
            f"the symmetry {symmetry.name!r} on {width} qubits mixes too many states to be diagonalised numerically "
            f"(at most {MAX_WIDTH} qubits, {MAX_CUBES:.0e} for the sum of the cubes of the invariant subspaces, here "
            f"{cost:.1e}). Use a narrower light cone, or engine 'permutation' for permutation-equivariant circuits."
        )
    matrices = [matrix_of(g, width) for g in symmetry.generators]
    labels = _subspaces(matrices, 2**width)
    worst = 0.0
    for attempt in range(_ATTEMPTS):
        rng = np.random.default_rng([_SEED, attempt])
        # the second has to connect copies only, for which a combination of generators is enough
        first, second = (_element(matrices, 2**width, length, rng) for length in (3 + attempt // 2, 1 + attempt // 2))
        found = _attempt(symmetry, matrices, labels, first, second)
        if not isinstance(found, float):
            return found
        worst = found
    raise UnsupportedError(
        f"the symmetry {symmetry.name!r} on {width} qubits could not be decomposed numerically: after {_ATTEMPTS} "
        f"attempts the generators still differ from D (x) 1 by {worst:.1e}. Give fewer generators, in simpler form."
    )


def _element(matrices: list[csr_array], dimension: int, length: int, rng: np.random.Generator) -> csr_array:
    """A random Hermitian element of the generated algebra, of norm about 1: a word of random combinations."""
    one = eye_array(dimension, format="csr", dtype=np.complex128)
    scaled = [m / max(1.0, float(np.abs(m).sum(axis=1).max())) for m in matrices]
    word = one
    for _ in range(length):
        weights = rng.normal(size=(2 * len(scaled) + 1, 2)) @ np.array([1, 1j])
        factor = weights[0] * one
        for m, a, b in zip(scaled, weights[1::2], weights[2::2], strict=True):
            factor = factor + a * m + b * m.conj().T
        word = csr_array(word @ factor)
        word = word / float(np.abs(word).sum(axis=1).max())
    element = csr_array(word + word.conj().T)
    return element / float(np.abs(element).sum(axis=1).max())


def _eigenvectors(element: csr_array, labels: Index) -> tuple[Real, csr_array]:
    """Eigenvalues and sparse eigenvectors (as columns) of an element cut to its blocks on the labelled subspaces."""
    values = np.empty(labels.size)
    parts = []
    for stack in component_stacks(element, labels):
        values[stack.places], vectors = np.linalg.eigh(stack.blocks)
        parts.append((stack.rows, stack.places, vectors))
    return values, put_together(parts, labels.size)


def _attempt(
    symmetry: Symmetry, matrices: list[csr_array], labels: Index, first: csr_array, second: csr_array
) -> Isotypic | float:
    """The decomposition by two elements; where it fails the check, by how much."""
    # A = (+) 1_m (x) D(A) with D(A) generic: each eigenvalue has the m vectors of one copy. Between copies r and s of
    # one irrep B has the block D(B)_rs times the unitary that takes the basis chosen in s to that in r, between
    # different irreps 0 (Schur): so the blocks tell which copies belong together, and turn them into one basis. Along
    # a spanning tree of the largest blocks rounding grows least.
    values, vectors = _eigenvectors(first, labels)
    order = np.argsort(values, kind="stable")
    gaps = np.diff(values[order])
    cluster = np.concatenate([[0], np.cumsum(gaps > _SAME)])
    sizes = np.bincount(cluster)
    basis = csc_array(vectors.tocsc()[:, order])
    # ||W_r^dag B W_s||^2 between copies tells which belong together
    mixed = csr_array(basis.conj().T.tocsr() @ second @ basis)
    mixed.data[np.abs(mixed.data) < 1e-12] = 0.0
    mixed.eliminate_zeros()
    entries = mixed.tocoo()
    shape = (sizes.size, sizes.size)
    weights = coo_array((np.abs(entries.data) ** 2, (cluster[entries.row], cluster[entries.col])), shape=shape).tocsr()
    weights.setdiag(0.0)
    # between copies of different irreps there is only rounding
    weights.data[weights.data < 1e-18] = 0.0
    weights.eliminate_zeros()
    tree = weights.copy()
    tree.data = 1.0 / tree.data
    tree = minimum_spanning_tree(tree)
    tree = tree + tree.T
    count, irrep_of = connected_components(tree, directed=False)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    groups: list[tuple[int, int, csc_array]] = []
    for root in [int(np.flatnonzero(irrep_of == number)[0]) for number in range(count)]:
        copies, parents = breadth_first_order(tree, root, directed=False)
        if np.unique(sizes[copies]).size > 1:
            return 1.0
        m = int(sizes[root])
        turns: dict[int, csr_array] = {root: eye_array(m, format="csr", dtype=np.complex128)}
        for copy in copies[1:]:
            parent = int(parents[copy])
            block = mixed[starts[copy] : starts[copy + 1], starts[parent] : starts[parent + 1]]
            norm = math.sqrt(float(np.sum(np.abs(block.data) ** 2)) / m)
            turns[int(copy)] = csr_array(block @ turns[parent]) / norm
        aligned = [basis[:, starts[c] : starts[c + 1]] @ turns[c] for c in sorted(turns)]
        groups.append((len(aligned), m, csc_array(aligned[0] if len(aligned) == 1 else _beside(aligned))))
    return _checked(symmetry, matrices, groups, (first, second))


def _beside(parts: list[csc_array]) -> csc_array:
    coos = [p.tocoo() for p in parts]
    starts = np.cumsum([0, *(p.shape[1] for p in parts)])
    columns = np.concatenate([c.col + s for c, s in zip(coos, starts[:-1], strict=True)])
    rows, data = np.concatenate([c.row for c in coos]), np.concatenate([c.data for c in coos])
    return csc_array(coo_array((data, (rows, columns)), shape=(parts[0].shape[0], int(starts[-1]))).tocsc())


def _checked(
    symmetry: Symmetry,
    matrices: list[csr_array],
    groups: list[tuple[int, int, csc_array]],
    elements: tuple[csr_array, csr_array],
) -> Isotypic | float:
    """Isometries with W_r^dag g W_s = D(g)_rs 1, no two irreps equivalent; or how far from it."""
    starts = np.cumsum([0, *(d * m for d, m, _ in groups)])
    plain = tuple(
        Irrep(str(k), d, m, int(s), np.empty((0, d, d), dtype=np.complex128))
        for k, ((d, m, _), s) in enumerate(zip(groups, starts[:-1], strict=True))
    )
    found = Isotypic(symmetry, plain, _beside([w for _, _, w in groups]))
    identity = found.basis.conj().T @ found.basis - eye_array(found.basis.shape[0])
    worst = float(np.abs(identity.data).max(initial=0.0))
    acting = []
    for matrix in (*matrices, *elements):
        blocks, residual = _representation(found, matrix)
        acting.append(blocks)
        worst = max(worst, residual / max(1.0, float(np.abs(matrix.data).max(initial=0.0))))
    if worst > _RESIDUAL:
        return worst
    # equivalent irreps would have equal characters on every element of the algebra
    # Two inequivalent irreps have different traces of a generic element; equal traces of both random elements mean
    # that copies of one irrep were not joined.
    characters = np.array([[float(np.trace(b[k]).real) for b in acting[-2:]] for k in range(len(plain))])
    by_size: dict[tuple[int, int], list[Real]] = {}
    for irrep, character in zip(plain, characters, strict=True):
        alike = by_size.setdefault((irrep.dimension, round(float(character[0]) * 1e6)), [])
        if any(float(np.abs(other - character).max()) < 1e-10 for other in alike):
            return 1.0
        alike.append(character)
    return _named(found, [np.array([b[k] for b in acting[: len(matrices)]]) for k in range(len(plain))])


def _representation(found: Isotypic, matrix: csr_array) -> tuple[list[Complex], float]:
    """D_lambda of an element of the algebra, and the largest deviation of the element from (+) 1 (x) D."""
    irrep, copy, index = found.places
    entries = found.transformed(matrix)
    rows, columns = entries.row, entries.col
    inside = (irrep[rows] == irrep[columns]) & (index[rows] == index[columns])
    worst = float(np.abs(entries.data[~inside]).max(initial=0.0))
    rows, columns, data = rows[inside], columns[inside], entries.data[inside]
    blocks = []
    number = irrep[rows]
    for k, one in enumerate(found.irreps):
        here = number == k
        stacked = np.zeros((one.multiplicity, one.dimension, one.dimension), dtype=np.complex128)
        stacked[index[rows[here]], copy[rows[here]], copy[columns[here]]] = data[here]
        blocks.append(stacked.mean(axis=0))
        worst = max(worst, float(np.abs(stacked - blocks[-1]).max(initial=0.0)))
    return blocks, worst


# -- names ---------------------------------------------------------------------------------------------------------


def _named(found: Isotypic, matrices: list[Complex]) -> Isotypic:
    """With labels, sorted by them, the basis with it."""
    named = [(_label(found.symmetry, d, i.multiplicity), i, d) for i, d in zip(found.irreps, matrices, strict=True)]
    named.sort(key=lambda item: (item[0][0], item[1].dimension, item[1].multiplicity))
    texts = [text for (_, text), _, _ in named]
    irreps: list[Irrep] = []
    columns: list[Index] = []
    start = 0
    for number, ((_, text), irrep, d) in enumerate(named):
        # what has no name of its own is numbered
        label = text if texts.count(text) == 1 else f"{text} #{texts[:number].count(text)}".strip()
        irreps.append(Irrep(label, irrep.dimension, irrep.multiplicity, start, d))
        size = irrep.dimension * irrep.multiplicity
        columns.append(np.arange(irrep.start, irrep.start + size))
        start += size
    return Isotypic(found.symmetry, tuple(irreps), csc_array(found.basis[:, np.concatenate(columns)]))


def _label(symmetry: Symmetry, matrices: Complex, multiplicity: int) -> tuple[tuple[float, ...], str]:
    """What to sort by, and the name, from the spin and the generators that are numbers in the irrep."""
    if _symmetric_group(symmetry):  # by Schur-Weyl duality the multiplicity space is a spin
        return (value := (multiplicity - 1) / 2,), f"J={value:g}"
    generators = symmetry.generators
    spin = _spin(generators)
    parts: list[tuple[float, str]] = []
    if spin:
        casimir = float(sum(matrices[g] @ matrices[g] for g in spin)[0, 0].real)
        strength = max(c for g in spin for _, _, c in getattr(generators[g], "pairs", ()))
        value = round(math.sqrt(casimir / strength**2 + 1) - 1) / 2
        parts.append((value, f"J={value:g}"))
    for g, (generator, matrix) in enumerate(zip(generators, matrices, strict=True)):
        if g not in spin and np.abs(matrix - matrix[0, 0] * np.eye(len(matrix))).max() < 1e-8:
            parts.append(_quantum_number(generator, complex(matrix[0, 0])))
    texts = [text for _, text in parts]
    if matrices.shape[-1] > 1 and not spin:
        texts.append(f"d={matrices.shape[-1]}")
    return tuple(value for value, _ in parts), ", ".join(texts) or "all"


def _quantum_number(generator: Generator, value: complex) -> tuple[float, str]:
    if isinstance(generator, Charge):
        shift = 0.0
        if all(p == "Z" and c == -0.5 for _, p, c in generator.pairs):
            shift = len(generator.pairs) / 2  # sum of (1 - Z)/2
        number = round(value.real + shift, 9) + 0.0
        return number, f"q={number:g}"
    if isinstance(generator, PauliString):
        return -value.real, "+" if value.real > 0 else "-"
    order = math.lcm(1, *_cycle_lengths(generator))
    momentum = round(np.angle(value) / (2 * math.pi) * order) % order
    if order == 2:
        return momentum, "+" if momentum == 0 else "-"
    return momentum, f"k={momentum}"


def _cycle_lengths(permutation: Permutation) -> list[int]:
    out, seen = [], set()
    for start in range(len(permutation.image)):
        length, q = 0, start
        while q not in seen:
            seen.add(q)
            length, q = length + 1, permutation.image[q]
        out.append(max(1, length))
    return out


def _spin(generators: tuple[Generator, ...]) -> list[int]:
    """Three generators that are one spin's components; empty if there are none."""
    kinds: dict[frozenset[tuple[int, float]], dict[str, int]] = {}
    for g, generator in enumerate(generators):
        letters = {p for _, p, _ in generator.pairs} if isinstance(generator, Charge) else set()
        if isinstance(generator, Charge) and len(letters) == 1 and len({c for _, _, c in generator.pairs}) == 1:
            where = frozenset((q, c) for q, _, c in generator.pairs)
            kinds.setdefault(where, {})[letters.pop()] = g
    return next((sorted(found.values()) for found in kinds.values() if len(found) == 3), [])


def _symmetric_group(symmetry: Symmetry) -> bool:
    """Whether the generators are swaps that connect all qubits, and nothing else."""
    swaps = [sorted(g.qubits) for g in symmetry.generators if isinstance(g, Permutation) and len(g.qubits) == 2]
    n = symmetry.num_qubits
    if not swaps or len(swaps) < len(symmetry.generators):
        return False
    rows, columns = zip(*swaps, strict=True)
    graph = coo_array((np.ones(len(swaps)), (rows, columns)), shape=(n, n))
    return int(connected_components(graph, directed=False)[0]) == 1
