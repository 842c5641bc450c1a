"""The isotypic decomposition: dimensions in closed form, isometries against every generator, brute-force commutants."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinoise.errors import UnsupportedError
from equinoise.symmetry import groups as symmetries
from equinoise.symmetry.groups import Charge, PauliString, Permutation, Symmetry
from equinoise.symmetry.isotypic import Isotypic, isotypic, matrix_of


def necklaces(length: int, colours: int) -> int:
    """Burnside: (1/n) sum_k c^gcd(k, n)."""
    return sum(colours ** math.gcd(k, length) for k in range(length)) // length


def catalan(n: int) -> int:
    return math.comb(2 * n, n) // (n + 1)


CLOSED_FORMS = [
    *[(symmetries.charge(w), math.comb(2 * w, w)) for w in (1, 3, 5)],
    *[(symmetries.su2(w), catalan(w)) for w in (2, 3, 6)],
    *[(symmetries.permutation(w), math.comb(w + 3, 3)) for w in (2, 4, 6)],
    *[(symmetries.parity(5, letter), 4**5 // 2) for letter in "XYZ"],
    *[(symmetries.translation(w), necklaces(w, 4)) for w in (3, 4, 6)],
    (symmetries.charges(5, [[0, 3], [1, 2, 4]]), math.comb(4, 2) * math.comb(6, 3)),
    (symmetries.permutation(5, [[0, 1], [2, 3, 4]]), math.comb(5, 3) * math.comb(6, 3)),
    (symmetries.reflection(5), (4**5 + 4**3) // 2),
    (Symmetry("none", 3, ()), 4**3),
    (Symmetry("every Z", 4, tuple(Charge(((q, "Z", 1.0),)) for q in range(4))), 2**4),
    # the strings X0 and Z0 anticommute: all that is left acts on the other qubits
    (Symmetry("one qubit", 4, (PauliString(((0, "X"),)), PauliString(((0, "Z"),)))), 4**3),
]


@pytest.mark.parametrize(("symmetry", "dimension"), CLOSED_FORMS, ids=lambda v: getattr(v, "name", str(v)))
def test_sum_of_squared_multiplicities_is_the_commutants_dimension(symmetry: Symmetry, dimension: int) -> None:
    found = isotypic(symmetry)
    assert found.numbers == dimension
    assert sum(i.multiplicity * i.dimension for i in found.irreps) == 2**symmetry.num_qubits


def representation_error(found: Isotypic) -> float:
    """Largest |W_{lambda r}^dag g W_{mu s} - delta D(g)_rs 1| over all copies, by dense matrices."""
    worst = 0.0
    for g, generator in enumerate(found.symmetry.generators):
        matrix = matrix_of(generator, found.width).toarray()
        for k, one in enumerate(found.irreps):
            for r in range(one.dimension):
                for j, other in enumerate(found.irreps):
                    for s in range(other.dimension):
                        block = found.isometry(k, r).toarray().conj().T @ matrix @ found.isometry(j, s).toarray()
                        wanted = one.matrices[g][r, s] * np.eye(one.multiplicity) if k == j else 0.0
                        worst = max(worst, float(np.abs(block - wanted).max()))
    return worst


@pytest.mark.parametrize(
    "symmetry",
    [
        symmetries.su2(4),
        symmetries.permutation(4),
        symmetries.translation(4) * symmetries.reflection(4),
        symmetries.charge(4) * symmetries.translation(4),
        Symmetry("strings", 3, (PauliString(((0, "X"), (1, "Z"))), PauliString(((0, "Z"), (2, "Y"))))),
    ],
    ids=lambda s: s.name,
)
def test_generators_act_on_the_copies_only_and_the_same_on_all_multiplicities(symmetry: Symmetry) -> None:
    found = isotypic(symmetry)
    basis = found.basis.toarray()
    # rounding of eigenvectors, 2^-52 times a gap of order 1e-3
    assert np.abs(basis.conj().T @ basis - np.eye(basis.shape[0])).max() < 1e-11
    assert representation_error(found) < 1e-10


def test_irreps_are_named_as_physicists_name_them() -> None:
    spins = [(i.label, i.dimension, i.multiplicity) for i in isotypic(symmetries.su2(5)).irreps]
    assert spins == [("J=0.5", 2, 5), ("J=1.5", 4, 4), ("J=2.5", 6, 1)]
    # S_n: the other factor of Schur-Weyl duality has the spin
    assert [(i.label, i.dimension, i.multiplicity) for i in isotypic(symmetries.permutation(4)).irreps] == [
        ("J=0", 2, 1),
        ("J=1", 3, 3),
        ("J=2", 1, 5),
    ]
    assert [i.label for i in isotypic(symmetries.charge(3)).irreps] == ["q=0", "q=1", "q=2", "q=3"]
    assert [i.label for i in isotypic(symmetries.parity(3)).irreps] == ["+", "-"]
    ring = isotypic(symmetries.translation(4)).irreps
    assert [(i.label, i.multiplicity) for i in ring] == [("k=0", 6), ("k=1", 3), ("k=2", 4), ("k=3", 3)]
    both = isotypic(symmetries.translation(3) * symmetries.parity(3, "X")).irreps
    assert [i.label for i in both] == [f"k={k}, {sign}" for k in range(3) for sign in "+-"]


@st.composite
def groups(draw: st.DrawFn) -> Symmetry:
    """A few permutations, Pauli strings and charges on two to four qubits, in any mixture."""
    w = draw(st.integers(2, 4))
    letters = st.dictionaries(st.integers(0, w - 1), st.sampled_from("XYZ"), min_size=1)
    strings = letters.map(lambda d: PauliString(tuple(sorted(d.items()))))
    permutations = st.permutations(range(w)).map(lambda image: Permutation(tuple(image)))
    weights = st.sampled_from([1.0, -0.5, 2.0])
    charges = st.lists(
        st.tuples(st.integers(0, w - 1), st.sampled_from("XZ"), weights),
        min_size=1,
        max_size=w,
        unique_by=lambda p: p[0],
    ).map(lambda pairs: Charge(tuple(sorted(pairs))))
    generators = draw(st.lists(st.one_of(strings, permutations, charges), min_size=1, max_size=3))
    return Symmetry("random", w, tuple(generators))


@settings(max_examples=15, deadline=None)
@given(groups())
def test_dimension_equals_that_of_the_nullspace_of_all_commutators(symmetry: Symmetry) -> None:
    found = isotypic(symmetry)
    size = 2**symmetry.num_qubits
    one = np.eye(size)
    matrices = [matrix_of(g, symmetry.num_qubits).toarray() for g in symmetry.generators]
    commutators = sum(c.conj().T @ c for c in (np.kron(m, one) - np.kron(one, m.T) for m in matrices))
    assert found.numbers == int(np.sum(np.linalg.eigvalsh(commutators) < 1e-9))
    # a random member of the commutant, made of the isometries, commutes
    rng = np.random.default_rng(0)
    member = np.zeros((size, size), dtype=np.complex128)
    for k, irrep in enumerate(found.irreps):
        block = rng.normal(size=(irrep.multiplicity, irrep.multiplicity, 2)) @ [1, 1j]
        for r in range(irrep.dimension):
            w = found.isometry(k, r).toarray()
            member += w @ block @ w.conj().T
    assert max(np.abs(member @ m - m @ member).max() for m in matrices) < 1e-9


def test_too_many_qubits_are_refused_with_the_numbers() -> None:
    with pytest.raises(UnsupportedError, match=r"'translation' on 20 qubits mixes too many states .*at most 14 qubits"):
        isotypic(symmetries.translation(20))
