"""The dimension of a symmetry's commutant: how many complex numbers a density matrix holds in it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from equinoise.symmetry.groups import Charge, PauliString, Permutation, Symmetry

__all__ = ["commutant_dimension"]


def commutant_dimension(symmetry: Symmetry) -> int | None:
    """The commutant's dimension where a closed form is known; None elsewhere.

    C(2n, n) for the charge, C(n + 3, 3) for permutations, the Catalan number C(2n, n)/(n + 1) for SU(2), 4^n / 2^k for
    k independent Pauli strings, (1/r) sum_j 4^(cycles of g^j) for the powers of a permutation g of order r.

    Example:
        >>> from equinoise.symmetry.groups import permutation, su2
        >>> from equinoise.symmetry.commutant_dimension import commutant_dimension
        >>> commutant_dimension(permutation(50)), commutant_dimension(su2(4))
        (23426, 14)
    """
    # Charge: pairs x, y of equal weight, sum_q C(n, q)^2 = C(2n, n). Permutations: a twirled Pauli string is fixed by
    # its numbers of 1, X, Y, Z, which C(n + 3, 3) ways share n places among four. SU(2): sum of m_J^2 over spins. A
    # Pauli string commutes with half of all strings, and so does each further independent one. Powers of a
    # permutation: Burnside's lemma on the 4^n strings.
    n, generators = symmetry.num_qubits, symmetry.generators
    flat = [g for g in generators if isinstance(g, Charge) and len({(p, c) for _, p, c in g.pairs}) == 1]
    letters = {p for g in flat for _, p, _ in g.pairs}
    if len(flat) == len(generators) and len(letters) == 1:
        sizes = [len(g.qubits) for g in flat]
        if sum(sizes) == len(set().union(*(g.qubits for g in flat))):
            return int(math.prod(math.comb(2 * m, m) for m in sizes) * 4 ** (n - sum(sizes)))
    if len(flat) == len(generators) == 3 and letters == set("XYZ") and all(len(g.qubits) == n for g in flat):
        return math.comb(2 * n, n) // (n + 1)
    if all(isinstance(g, PauliString) for g in generators):
        return int(4**n // 2 ** len(generators))
    permutations = [g for g in generators if isinstance(g, Permutation)]
    if len(permutations) < len(generators):
        return None
    if all(len(g.qubits) == 2 for g in permutations):
        sets: list[set[int]] = []
        for g in permutations:
            touching = [s for s in sets if s & g.qubits]
            sets = [s for s in sets if s not in touching] + [set(g.qubits).union(*touching)]
        return int(math.prod(math.comb(len(s) + 3, 3) for s in sets) * 4 ** (n - sum(map(len, sets))))
    if len(permutations) == 1:
        total, order, power = 0, 0, tuple(range(n))
        while order == 0 or power != tuple(range(n)):
            total += 4 ** _cycle_count(power)
            power = tuple(permutations[0].image[q] for q in power)
            order += 1
        return total // order
    return None


def _cycle_count(image: Sequence[int]) -> int:
    seen: set[int] = set()
    count = 0
    for start in range(len(image)):
        if start not in seen:
            count += 1
            q = start
            while q not in seen:
                seen.add(q)
                q = image[q]
    return count
