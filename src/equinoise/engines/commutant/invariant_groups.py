"""Noise terms joined to the smallest groups whose sums keep a symmetry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from equinoise.circuit.pauli_sums import sparse_matrix
from equinoise.errors import SymmetryError
from equinoise.reduction.slots.slot_terms import DIAGONAL, FIRST, SECOND, SlotTerm, joined
from equinoise.symmetry.isotypic import Isotypic, matrix_of

__all__ = ["invariant_groups"]

Complex = npt.NDArray[np.complex128]

_LEAK = 1e-9


def invariant_groups(found: Isotypic, terms: Sequence[SlotTerm]) -> tuple[SlotTerm, ...]:
    """The terms joined to groups whose sums keep the commutant, those of the first stage before the second's.

    A term's leak e_j is what it takes a random X of the commutant to, commuted with each generator and applied to a
    random vector. Groups are the parts that the relations sum_j c_j e_j = 0 connect.

    Args:
        found: The decomposition.
        terms: Of one slot, cone-local.

    Raises:
        SymmetryError: The sum of all terms leads out of the commutant (the term with the largest leak is named).
    """
    # A sum of terms keeps the commutant iff its leak is 0, and the leak is linear in the rates: relations between the
    # e_j are found by linear algebra. A random member and a random vector stand for all: a nonzero leak vanishes there
    # with probability 0. Small groups make exponentials that fall into small pieces.
    if not terms:
        return ()
    leaks = _leaks(found, terms)
    sizes = np.linalg.norm(leaks, axis=0)
    scale = np.array([max(t.bound, 1e-300) for t in terms])
    single = sizes <= _LEAK * scale
    groups = [[int(j)] for j in np.flatnonzero(single)]
    left = [int(j) for j in np.flatnonzero(~single)]
    for stage in (FIRST, SECOND):
        pool = [j for j in left if terms[j].stage in (stage, DIAGONAL)]
        made = _related(leaks[:, pool] / scale[pool], scale[pool])
        groups += [[pool[i] for i in members] for members in made]
        used = {j for g in groups for j in g}
        left = [j for j in left if j not in used]
    if left:
        worst = terms[max(left, key=lambda j: float(sizes[j]))]
        raise SymmetryError(
            f"the noise breaks the symmetry {found.symmetry.name!r}: {worst.name} leads out of the operators that "
            "commute with it, and nothing else in its slot makes up for that. Claim the symmetry that is left."
        )
    out = [joined([terms[j] for j in group]) for group in groups]
    return (*(t for t in out if t.stage != SECOND), *(t for t in out if t.stage == SECOND))


def _leaks(found: Isotypic, terms: Sequence[SlotTerm]) -> npt.NDArray[np.float64]:
    """Shape (features, terms), real."""
    rng = np.random.default_rng(20260630)
    dimension = 2**found.width
    blocks = [
        (rng.normal(size=(m, m)) + 1j * rng.normal(size=(m, m))) / m for m in (i.multiplicity for i in found.irreps)
    ]
    generators = [matrix_of(g, found.width) for g in found.symmetry.generators]
    vector = (rng.normal(size=(dimension, 2)) @ np.array([[1], [1j]])) / np.sqrt(dimension)
    # the vector and each generator's image of it
    vectors = np.hstack([vector, *(g @ vector for g in generators)])
    adjoint = found.basis.conj().T.tocsr()

    def times(v: Complex) -> Complex:
        """X v of the random member of the commutant."""
        inner = adjoint @ v
        out = np.empty_like(inner)
        for one, block in zip(found.irreps, blocks, strict=True):
            rows = slice(one.start, one.start + one.dimension * one.multiplicity)
            part = inner[rows].reshape(one.dimension, one.multiplicity, -1)
            out[rows] = np.einsum("ab,dbk->dak", block, part).reshape(-1, v.shape[1])
        return np.asarray(found.basis @ out)

    at_vectors = times(vectors)
    columns = []
    for term in terms:
        images = np.zeros_like(vectors)
        for rate, jump in term.jumps:
            k = sparse_matrix(jump, found.width)
            dagger = csr_array(k.conj().T)
            images += rate * (
                k @ times(dagger @ vectors) - (dagger @ (k @ at_vectors) + times(dagger @ (k @ vectors))) / 2
            )
        leak = [g @ images[:, :1] - images[:, i + 1 : i + 2] for i, g in enumerate(generators)]
        flat = np.concatenate([part.ravel() for part in leak]) if leak else np.zeros(1, dtype=np.complex128)
        columns.append(np.concatenate([flat.real, flat.imag]))
    return np.stack(columns, axis=1)


def _related(leaks: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> list[list[int]]:
    """Groups of columns, weighted, that the relations between them connect and that sum to 0."""
    count = leaks.shape[1]
    if count == 0:
        return []
    # Relations sum_j c_j e_j = 0 are the null space of the matrix of leaks; R of its QR has the same one and few rows.
    # In reduced echelon form each relation involves as few terms as it can, so that connected terms belong together.
    triangle = np.linalg.qr(leaks, mode="r")
    _, values, vectors = np.linalg.svd(triangle)
    sizes = np.zeros(count)
    sizes[: values.size] = values
    relations = vectors[sizes <= _LEAK * max(1.0, float(sizes[0]))]
    reduced = _row_echelon(relations)
    rows, columns = np.nonzero(np.abs(reduced) > 1e-6)
    size = reduced.shape[0] + count
    graph = coo_array((np.ones(rows.size), (rows, reduced.shape[0] + columns)), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    members: dict[int, list[int]] = {}
    for column in np.unique(columns).tolist():
        members.setdefault(int(labels[reduced.shape[0] + column]), []).append(column)
    groups = list(members.values())
    largest = float(weights.max())
    return [g for g in groups if float(np.linalg.norm(leaks[:, g] @ weights[g])) <= 1e-7 * largest]


def _row_echelon(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Reduced row echelon form, by complete pivoting within what is left."""
    out = matrix.copy()
    row = 0
    for _ in range(min(out.shape)):
        left = np.abs(out[row:])
        if left.size == 0 or left.max() < 1e-8:
            break
        r, c = np.unravel_index(int(left.argmax()), left.shape)
        out[[row, row + int(r)]] = out[[row + int(r), row]]
        out[row] /= out[row, c]
        for other in range(out.shape[0]):
            if other != row:
                out[other] -= out[other, c] * out[row]
        row += 1
    return out[:row]
