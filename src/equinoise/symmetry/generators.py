"""What generates a symmetry: sums of one-qubit Paulis, permutations of the qubits, Pauli strings.

All that they are asked is of Pauli sums, and so costs no 2^n.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from equinoise.circuit.pauli_sums import String, Sum, commutator, largest, written

__all__ = ["Charge", "Generator", "PauliString", "Permutation", "change", "cycles", "listed"]

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Charge:
    """A continuous generator Q = sum c_i P_i of one-qubit Paulis.

    Attributes:
        pairs: ((qubit, letter, c), ...).
    """

    pairs: tuple[tuple[int, str, float], ...]

    @property
    def qubits(self) -> frozenset[int]:
        """Where it acts."""
        return frozenset(q for q, _, _ in self.pairs)

    @property
    def operator(self) -> Sum:
        """Q as a Pauli sum."""
        return {((q, p),): c for q, p, c in self.pairs}

    def on(self, place: Mapping[int, int]) -> Charge:
        """On renumbered qubits; those without a place are left out."""
        return Charge(tuple((place[q], p, c) for q, p, c in self.pairs if q in place))

    def __str__(self) -> str:
        letters = {(p, c) for _, p, c in self.pairs}
        if len(letters) == 1:
            letter, _ = letters.pop()
            return f"sum of {letter} on {listed(sorted(self.qubits))}"
        return "sum of " + " ".join(f"{c:+g}{p}{q}" for q, p, c in self.pairs)


@dataclass(frozen=True)
class Permutation:
    """The unitary that takes the state of qubit i to qubit image[i].

    Attributes:
        image: A permutation of 0..n-1.
    """

    image: tuple[int, ...]

    @property
    def qubits(self) -> frozenset[int]:
        """The qubits that it moves."""
        return frozenset(q for q, to in enumerate(self.image) if q != to)

    def on(self, place: Mapping[int, int]) -> Permutation:
        """On renumbered qubits, among which it must stay."""
        image = list(range(len(place)))
        for q, i in place.items():
            image[i] = place[self.image[q]]
        return Permutation(tuple(image))

    def __str__(self) -> str:
        return "permutation " + ("".join("(" + " ".join(map(str, cycle)) + ")" for cycle in cycles(self.image)) or "()")


@dataclass(frozen=True)
class PauliString:
    """A Pauli string as a unitary.

    Attributes:
        letters: ((qubit, letter), ...) sorted by qubit.
    """

    letters: String

    @property
    def qubits(self) -> frozenset[int]:
        """Where it acts."""
        return frozenset(q for q, _ in self.letters)

    def on(self, place: Mapping[int, int]) -> PauliString:
        """On renumbered qubits; those without a place are left out."""
        return PauliString(tuple(sorted((place[q], p) for q, p in self.letters if q in place)))

    def __str__(self) -> str:
        kinds = {p for _, p in self.letters}
        if len(kinds) == 1 and len(self.letters) > 4:
            return f"product of {kinds.pop()} on {listed([q for q, _ in self.letters])}"
        return f"string {written(self.letters)}"


Generator = Charge | Permutation | PauliString


def change(operator: Mapping[String, float], generator: Generator) -> Sum:
    """G A g^dag - A of a permutation or string, i [Q, A] of a charge: empty where A is invariant."""
    if isinstance(generator, Charge):
        return _kept(commutator(generator.operator, operator), operator)
    out: Sum = {}
    if isinstance(generator, Permutation):
        for string, value in operator.items():
            moved = tuple(sorted((generator.image[q], p) for q, p in string))
            out[moved] = out.get(moved, 0.0) + value
            out[string] = out.get(string, 0.0) - value
        return _kept(out, operator)
    # g A g^dag - A is -2 A for each string that anticommutes with g, on an odd number of qubits with different
    # letters.
    letters = dict(generator.letters)
    for string, value in operator.items():
        if sum(letters.get(q, p) != p for q, p in string) % 2:
            out[string] = -2.0 * value
    return _kept(out, operator)


def _kept(difference: Sum, operator: Mapping[String, float]) -> Sum:
    floor = _TOLERANCE * largest(operator)
    return {s: v for s, v in difference.items() if abs(v) > floor}


def cycles(image: Sequence[int]) -> list[list[int]]:
    """A permutation's cycles of more than one element."""
    out, seen = [], set()
    for start in range(len(image)):
        cycle, q = [], start
        while q not in seen:
            seen.add(q)
            cycle.append(q)
            q = image[q]
        if len(cycle) > 1:
            out.append(cycle)
    return out


def listed(qubits: Sequence[int]) -> str:
    """As "0-3,6"."""
    runs: list[list[int]] = []
    for q in qubits:
        if runs and q == runs[-1][-1] + 1:
            runs[-1].append(q)
        else:
            runs.append([q])
    return ",".join(f"{r[0]}-{r[-1]}" if len(r) > 2 else ",".join(map(str, r)) for r in runs)
