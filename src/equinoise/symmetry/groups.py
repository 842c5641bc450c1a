"""Symmetries: groups that act on the qubits, given by their generators.

A generator is a sum of one-qubit Paulis Q (the group exp(-i a Q)), a permutation of the qubits, or a Pauli string. All
checks are of generators on Pauli sums and so cost no 2^n.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from equinoise.circuit.pauli_sums import String, multiplied
from equinoise.errors import SymmetryError
from equinoise.symmetry.generators import Charge, Generator, PauliString, Permutation, change, cycles, listed

__all__ = [
    "NAMES",
    "Charge",
    "Generator",
    "PauliString",
    "Permutation",
    "Symmetry",
    "change",
    "charge",
    "charges",
    "parity",
    "parse_symmetry",
    "permutation",
    "reflection",
    "su2",
    "translation",
]

T = TypeVar("T")


@dataclass(frozen=True)
class Symmetry:
    """A group acting on n qubits.

    Products of symmetries, ``a * b``, hold the generators of both.

    Attributes:
        name: In the field's words.
        num_qubits: n.
        generators: What generates it.

    Raises:
        SymmetryError: A generator acts on a qubit that there is not.

    Example:
        >>> import equinoise as eq
        >>> ring = eq.symmetry.translation(6) * eq.symmetry.parity(6, "X")
        >>> ring.name, len(ring.generators), ring.on_site
        ('translation * parity:X', 2, False)
    """

    name: str
    num_qubits: int
    generators: tuple[Generator, ...]

    def __post_init__(self) -> None:
        for generator in self.generators:
            outside = [q for q in generator.qubits if not 0 <= q < self.num_qubits]
            permuted = generator.image if isinstance(generator, Permutation) else range(self.num_qubits)
            if outside or sorted(permuted) != list(range(self.num_qubits)):
                raise SymmetryError(
                    f"the symmetry {self.name!r} has the {generator}, which does not act on the qubits "
                    f"0..{self.num_qubits - 1} of the circuit."
                )

    def __mul__(self, other: Symmetry) -> Symmetry:
        if other.num_qubits != self.num_qubits:
            raise SymmetryError(
                f"symmetries of {self.num_qubits} and of {other.num_qubits} qubits have no product: give both the "
                "circuit's number of qubits."
            )
        generators = (*self.generators, *(g for g in other.generators if g not in self.generators))
        return Symmetry(f"{self.name} * {other.name}", self.num_qubits, generators)

    @property
    def on_site(self) -> bool:
        """Whether every element is a product of one-qubit unitaries, so that it acts on any set of qubits."""
        return not any(isinstance(g, Permutation) and g.qubits for g in self.generators)

    @property
    def trivial(self) -> bool:
        """Whether only the identity is left."""
        return not any(g.qubits for g in self.generators)

    def on(self, qubits: Sequence[int]) -> Symmetry:
        """On some of the qubits, numbered 0..w-1 in their order: the on-site part, and permutations if all are kept."""
        place = {q: i for i, q in enumerate(qubits)}
        kept = [g for g in self.generators if len(place) == self.num_qubits or not isinstance(g, Permutation)]
        here = [g.on(place) for g in kept]
        return Symmetry(self.name, len(place), tuple(g for g in here if g.qubits))

    def broken_by(self, operator: Mapping[String, float]) -> Generator | None:
        """The first generator that an operator does not commute with."""
        return next((g for g in self.generators if change(operator, g)), None)

    def kept_where(self, keeps: Callable[[Generator], bool]) -> Symmetry:
        """The largest subgroup found among the generators and what follows from them, by a test of single elements.

        Tried beyond the generators that fail: their powers, products of two, swaps within an orbit of permutations, and
        for a charge the Pauli strings it contains.
        """
        good = [g for g in self.generators if keeps(g)]
        if len(good) == len(self.generators):
            return self
        failed = [g for g in self.generators if g not in good]
        more = [g for g in _further(failed, self.num_qubits) if g.qubits and g not in good and keeps(g)]
        generators = tuple(_independent([*good, *more]))
        return Symmetry(_describe(generators, self.num_qubits), self.num_qubits, generators)

    def __str__(self) -> str:
        return self.name


def _further(failed: Sequence[Generator], num_qubits: int) -> list[Generator]:
    out: list[Generator] = []
    for g in failed:
        if isinstance(g, Charge):
            kinds = {p for _, p, _ in g.pairs}
            if len(kinds) == 1 and len({abs(c) for _, _, c in g.pairs}) == 1:
                out.append(PauliString(tuple(sorted((q, p) for q, p, _ in g.pairs))))
    permutations = [g for g in failed if isinstance(g, Permutation)]
    strings = [g for g in failed if isinstance(g, PauliString)]
    for a, b in itertools.combinations(strings, 2):
        out.append(PauliString(multiplied(a.letters, b.letters)[1]))
    for g in permutations:
        order = math.lcm(*(len(c) for c in cycles(g.image)))
        power = g.image
        for exponent in range(2, order):
            power = tuple(g.image[q] for q in power)
            if order % exponent == 0:
                out.append(Permutation(power))
    for first, second in itertools.combinations(permutations, 2):
        out.append(Permutation(tuple(second.image[q] for q in first.image)))
    # swaps of any two qubits, where the group is made of swaps
    swaps = [tuple(sorted(g.qubits)) for g in permutations if len(g.qubits) == 2]
    if swaps:
        for orbit in _orbits(swaps, num_qubits):
            out += [_swap(num_qubits, a, b) for a, b in itertools.combinations(orbit, 2)]
    return out


def _independent(generators: Iterable[Generator]) -> list[Generator]:
    """Without repetitions and strings that follow from others; of the swaps of an orbit enough to generate it."""
    out: list[Generator] = []
    swapped: list[tuple[int, ...]] = []
    strings: list[String] = []
    for g in generators:
        if isinstance(g, Permutation) and len(g.qubits) == 2:
            pair = tuple(sorted(g.qubits))
            if any(pair[0] in orbit and pair[1] in orbit for orbit in _orbits(swapped, len(g.image))):
                continue
            swapped.append(pair)
        if isinstance(g, Charge):
            strings += [s.letters for s in _further([g], 0) if isinstance(s, PauliString)]
        if isinstance(g, PauliString):
            follows = [*strings, *(multiplied(a, b)[1] for a, b in itertools.combinations(strings, 2))]
            if g.letters in follows:
                continue
            strings.append(g.letters)
        if g not in out:
            out.append(g)
    return out


def _orbits(pairs: Sequence[tuple[int, ...]], num_qubits: int) -> list[list[int]]:
    root = list(range(num_qubits))

    def find(q: int) -> int:
        while root[q] != q:
            q = root[q]
        return q

    for a, b in pairs:
        root[find(a)] = find(b)
    sets: dict[int, list[int]] = {}
    for q in range(num_qubits):
        sets.setdefault(find(q), []).append(q)
    return [s for s in sets.values() if len(s) > 1]


def _describe(generators: Sequence[Generator], num_qubits: int) -> str:
    if not generators:
        return "none"
    swaps = [tuple(sorted(g.qubits)) for g in generators if isinstance(g, Permutation) and len(g.qubits) == 2]
    parts = []
    if swaps:
        parts.append("permutation:" + "|".join(listed(orbit) for orbit in _orbits(swaps, num_qubits)))
    for g in generators:
        if isinstance(g, Permutation) and len(g.qubits) == 2:
            continue
        whole = len(g.qubits) == num_qubits
        if isinstance(g, Charge) and whole and {(p, c) for _, p, c in g.pairs} in ({("Z", -0.5)}, {("Z", 0.5)}):
            parts.append("charge")
        elif isinstance(g, PauliString) and whole and len({p for _, p in g.letters}) == 1:
            parts.append(f"parity:{g.letters[0][1]}")
        else:
            parts.append(str(g))
    return " * ".join(parts)


# -- those that have names -----------------------------------------------------------------------------------------


def charge(num_qubits: int) -> Symmetry:
    """U(1): Q = sum_i (1 - Z_i)/2."""
    return Symmetry("charge", num_qubits, (_number(range(num_qubits)),))


def charges(num_qubits: int, registers: Sequence[Sequence[int]]) -> Symmetry:
    """U(1) of each register by itself, such as spin up and spin down.

    Args:
        num_qubits: n.
        registers: Qubits of each.

    Raises:
        SymmetryError: A qubit in two registers.
    """
    _disjoint(registers, "charges")
    name = "charges:" + "|".join(listed(sorted(r)) for r in registers)
    return Symmetry(name, num_qubits, tuple(_number(sorted(r)) for r in registers))


def parity(num_qubits: int, letter: str = "Z") -> Symmetry:
    """Z2: the product of one Pauli letter over all qubits."""
    if letter not in ("X", "Y", "Z"):
        raise SymmetryError(f"parity is of X, Y or Z, got {letter!r}.")
    name = "parity" if letter == "Z" else f"parity:{letter}"
    return Symmetry(name, num_qubits, (PauliString(tuple((q, letter) for q in range(num_qubits))),))


def permutation(num_qubits: int, blocks: Sequence[Sequence[int]] | None = None) -> Symmetry:
    """S_n: all permutations of the qubits, or of each block's among themselves.

    Args:
        num_qubits: n.
        blocks: Qubits of each block; all in one by default.

    Raises:
        SymmetryError: A qubit in two blocks.
    """
    sets = [sorted(b) for b in (blocks if blocks is not None else [range(num_qubits)])]
    _disjoint(sets, "permutation")
    name = "permutation" if blocks is None else "permutation:" + "|".join(listed(b) for b in sets)
    swaps = tuple(_swap(num_qubits, a, b) for block in sets for a, b in itertools.pairwise(block))
    return Symmetry(name, num_qubits, swaps)


def su2(num_qubits: int) -> Symmetry:
    """SU(2): the total spin's three components."""
    parts = tuple(Charge(tuple((q, p, 0.5) for q in range(num_qubits))) for p in "XYZ")
    return Symmetry("su2", num_qubits, parts)


def translation(num_qubits: int) -> Symmetry:
    """Z_n: the ring's shift by one qubit."""
    return Symmetry("translation", num_qubits, (Permutation(tuple((q + 1) % num_qubits for q in range(num_qubits))),))


def reflection(num_qubits: int) -> Symmetry:
    """Z2: qubit i to n - 1 - i."""
    return Symmetry("reflection", num_qubits, (Permutation(tuple(range(num_qubits - 1, -1, -1))),))


def _number(qubits: Iterable[int]) -> Charge:
    return Charge(tuple((q, "Z", -0.5) for q in qubits))


def _swap(num_qubits: int, a: int, b: int) -> Permutation:
    if max(a, b) >= num_qubits:
        raise SymmetryError(f"permutation: qubit {max(a, b)} is not in 0..{num_qubits - 1}.")
    image = list(range(num_qubits))
    image[a], image[b] = b, a
    return Permutation(tuple(image))


def _disjoint(sets: Sequence[Sequence[int]], what: str) -> None:
    seen: set[int] = set()
    for part in sets:
        double = seen & set(part)
        if double:
            raise SymmetryError(f"{what}: qubit {min(double)} is in two parts.")
        seen |= set(part)


NAMES = (
    "charge",
    "charges:0-3|4-7",
    "parity[:X]",
    "permutation[:0-3|4-7]",
    "su2",
    "translation",
    "reflection",
    "(0 1)(2 3)",
    "X0X1Z2",
)


def parse_symmetry(text: str, num_qubits: int) -> Symmetry:
    """A symmetry from its name, or products of several joined by "*".

    Args:
        text: "charge", "charges:0-3|4-7", "parity", "parity:X", "permutation", "permutation:0-3|4-7", "su2",
            "translation", "reflection", a permutation in cycles "(0 1)(2 3)", or a Pauli string "X0X1Z2".
        num_qubits: n.

    Raises:
        SymmetryError: Not a symmetry (with what would be).

    Example:
        >>> from equinoise.symmetry.groups import parse_symmetry
        >>> parse_symmetry("translation*parity:X", 4).generators[1].letters
        ((0, 'X'), (1, 'X'), (2, 'X'), (3, 'X'))
    """
    parts = [_one(part.strip(), num_qubits) for part in text.split("*")]
    out = parts[0]
    for part in parts[1:]:
        out = out * part
    return out


def _one(text: str, n: int) -> Symmetry:
    name, _, rest = text.partition(":")
    plain: dict[str, Callable[[int], Symmetry]] = {
        "charge": charge,
        "parity": parity,
        "permutation": permutation,
        "su2": su2,
        "translation": translation,
        "reflection": reflection,
    }
    if not rest and name in plain:
        return plain[name](n)
    if name == "parity":
        return parity(n, rest)
    if name == "charges" and rest:
        return charges(n, _sets(rest, text, n))
    if name == "permutation" and rest:
        return permutation(n, _sets(rest, text, n))
    if re.fullmatch(r"(\(\s*[0-9]{1,18}(\s+[0-9]{1,18})*\s*\))+", text):
        image = list(range(n))
        for cycle in re.findall(r"\(([^)]*)\)", text):
            members = [int(q) for q in cycle.split()]
            if len(set(members)) < len(members):
                raise SymmetryError(f"symmetry {text!r}: a qubit is named twice in the cycle ({cycle}).")
            for a, b in zip(members, [*members[1:], members[0]], strict=True):
                if a >= n or b >= n:
                    raise SymmetryError(f"symmetry {text!r}: qubit {max(a, b)} is not in 0..{n - 1}.")
                image[a] = b
        return Symmetry(text, n, (Permutation(tuple(image)),))
    if re.fullmatch(r"([XYZ][0-9]{1,18})+", text):
        letters = tuple(sorted((int(q), p) for p, q in re.findall(r"([XYZ])([0-9]+)", text)))
        return Symmetry(text, n, (PauliString(letters),))
    raise SymmetryError(f"no symmetry {text!r}; expected one of {', '.join(NAMES)}, or several joined by '*'.")


def _sets(text: str, whole: str, n: int) -> list[list[int]]:
    out = []
    for part in text.split("|"):
        qubits: list[int] = []
        for run in part.split(","):
            found = re.fullmatch(r"\s*([0-9]{1,18})(?:-([0-9]{1,18}))?\s*", run)
            if not found:
                raise SymmetryError(f"symmetry {whole!r}: {run!r} is neither a qubit nor a range such as 0-3.")
            first = int(found[1])
            last = int(found[2] or first)
            if max(first, last) >= n:
                raise SymmetryError(f"symmetry {whole!r}: qubit {max(first, n)} is not in 0..{n - 1}.")
            if last < first:
                raise SymmetryError(f"symmetry {whole!r}: the range {run!r} runs backwards. Write {last}-{first}.")
            qubits += range(first, last + 1)
        out.append(qubits)
    return out
