"""One slot's noise term by term, as jump operators, and joined to the smallest groups that keep a symmetry."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from equinoise.errors import SymmetryError
from equinoise.problem.pauli_sums import String, sparse_matrix
from equinoise.reduction.isotypic import Isotypic, matrix_of
from equinoise.reduction.slot_program import SlotProgram

__all__ = ["SlotTerm", "invariant_groups", "slot_terms"]

Complex = npt.NDArray[np.complex128]
Jump = tuple[float, Mapping[String, complex]]

DIAGONAL, FIRST, SECOND = "diagonal", "first", "second"
# distinct rates of one term beyond which they are not listed
_MOST_RATES = 64
_LEAK = 1e-9


@dataclass(frozen=True)
class SlotTerm:
    """E = sum_a rate_a D[K_a] of one budget term.

    Attributes:
        name: For messages.
        jumps: Rates and operators as Pauli sums with complex coefficients, cone-local qubits.
        rates: The generator's distinct eigenvalues, all <= 0, with 0 first; None where they are too many.
        stage: FIRST (dephasing by a sum of Z, relaxation) and SECOND (depolarizing, Pauli jumps) act in that order,
            the terms of each commute; DIAGONAL (a product of Z) commutes with both.
        bound: At least the generator's norm.
    """

    name: str
    jumps: tuple[Jump, ...]
    rates: tuple[float, ...] | None
    stage: str
    bound: float


def slot_terms(slot: SlotProgram) -> tuple[SlotTerm, ...]:
    """The terms of a slot in the order of its budget: jumps, relaxation, depolarizing, flips, Paulis."""
    out = [_dephasing(*jump) for jump in slot.jumps]
    for q, (down, up) in slot.relaxation:
        lower: dict[String, complex] = {((q, "X"),): 0.5, ((q, "Y"),): 0.5j}
        raises = {string: value.conjugate() for string, value in lower.items()}
        jumps = tuple((rate, k) for rate, k in ((down, lower), (up, raises)) if rate > 0)
        total = down + up
        out.append(SlotTerm(f"relaxation of cone qubit {q}", jumps, (0.0, -total / 2, -total), FIRST, 2 * total))
    for qubits, rate in slot.depolarizing:
        strings = [
            tuple((q, p) for q, p in zip(qubits, letters, strict=True) if p != "I")
            for letters in itertools.product("IXYZ", repeat=len(qubits))
        ]
        jumps = tuple((rate / len(strings), {string: 1.0}) for string in strings if string)
        name = f"depolarizing of cone qubits {', '.join(map(str, qubits))}"
        out.append(SlotTerm(name, jumps, (0.0, -rate), SECOND, 2 * rate))
    for q, rate in slot.flips:
        jumps = tuple((rate / 2, {((q, p),): 1.0}) for p in "XY")
        out.append(SlotTerm(f"X and Y jumps of cone qubit {q}", jumps, (0.0, -rate, -2 * rate), SECOND, 2 * rate))
    for string, rate in slot.paulis:
        ordered = tuple(sorted(string))
        name = "Pauli jump " + "".join(f"{p}{q}" for q, p in ordered)
        out.append(SlotTerm(name, ((rate, {ordered: 1.0}),), (0.0, -2 * rate), SECOND, 2 * rate))
    return tuple(out)


def _dephasing(rate: float, weights: tuple[tuple[int, float], ...], parity: bool) -> SlotTerm:
    name = "dephasing of cone qubits " + ", ".join(str(q) for q, _ in weights)
    if parity:
        string: Mapping[String, complex] = {tuple((q, "Z") for q, _ in sorted(weights)): 1.0}
        return SlotTerm(name, ((rate, string),), (0.0, -2 * rate), DIAGONAL, 2 * rate)
    operator: Mapping[String, complex] = {((q, "Z"),): w for q, w in weights}
    strength = rate * sum(abs(w) for _, w in weights) ** 2
    rates = _joined_rates([(0.0, *(-rate * d * d / 2 for d in _differences(weights) if d))])
    return SlotTerm(name, ((rate, operator),), rates, DIAGONAL if len(weights) == 1 else FIRST, 2 * strength)


def _differences(weights: Sequence[tuple[int, float]]) -> list[float]:
    """The values of v . (z_x - z_y); at most a few more than are listed."""
    values = {0.0}
    for _, w in weights:
        values = {round(v + step * w, 12) for v in values for step in (-2, 0, 2)}
        if len(values) > 4 * _MOST_RATES:
            break
    return sorted(values)


def _joined_rates(parts: Sequence[Sequence[float] | None]) -> tuple[float, ...] | None:
    """Distinct sums of one rate of each part; None where they are too many."""
    sums = np.zeros(1)
    for part in parts:
        if part is None:
            return None
        every = np.sort(np.add.outer(sums, np.array(part)).ravel())[::-1]
        size = max(1e-300, float(-every[-1]))
        sums = every[np.concatenate([[True], -np.diff(every) > 1e-11 * size])]
        if sums.size > _MOST_RATES:
            return None
    return tuple(float(v) for v in sums)


def joined(terms: Sequence[SlotTerm]) -> SlotTerm:
    """The sum of commuting terms."""
    if len(terms) == 1:
        return terms[0]
    stages = {t.stage for t in terms} - {DIAGONAL}
    return SlotTerm(
        terms[0].name + f" and {len(terms) - 1} more",
        tuple(jump for t in terms for jump in t.jumps),
        _joined_rates([t.rates for t in terms]),
        stages.pop() if stages else DIAGONAL,
        sum(t.bound for t in terms),
    )


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
