"""Data loaders as circuits: one excitation per register, spread over its qubits by a binary tree of real hops.

A hop ``XXPlusYYGate(phi, pi/2)`` moves an excitation from qubit a to qubit b with real amplitudes,
|10> -> cos(phi/2) |10> + sin(phi/2) |01> (first qubit first): the RBS gate. A tree of n - 1 of them in ceil(log2 n)
layers turns an excitation on the first qubit into sum_i v_i |e_i> for any real unit vector v.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import XXPlusYYGate

from equinoise.circuit.layers import end_layer
from equinoise.errors import ParameterError

__all__ = ["Loader", "loader"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Hop:
    """One hop of the tree.

    Attributes:
        level: Layer of the loader.
        first: Qubit that the excitation comes from; it keeps what belongs to the qubits first..middle-1.
        middle: Qubit that it may go to, for the qubits middle..last-1.
        last: One past the last qubit of the range.
    """

    level: int
    first: int
    middle: int
    last: int


@dataclass(frozen=True)
class Loader:
    """The circuit that loads one real vector into each of several registers, one excitation in each.

    The state is the product over registers of sum_i v_i |e_i>, v the register's part of the vector, normalised.

    Attributes:
        num_qubits: Of all registers together.
        registers: (first qubit, one past the last) of each.
        hops: One angle each, level by level.
    """

    num_qubits: int
    registers: tuple[tuple[int, int], ...]
    hops: tuple[Hop, ...]

    @property
    def depth(self) -> int:
        """Layers, each followed by its noise slot."""
        return 1 + max(hop.level for hop in self.hops)

    @property
    def initial(self) -> str:
        """The input: the first qubit of each register in |1>, as a bitstring with qubit 0 rightmost."""
        starts = {first for first, _ in self.registers}
        return "".join("1" if q in starts else "0" for q in reversed(range(self.num_qubits)))

    def circuit(self, name: str = "x") -> QuantumCircuit:
        """The loader with one parameter ``name[i]`` per hop and a full-width barrier after each level."""
        angles = ParameterVector(name, len(self.hops))
        out = QuantumCircuit(self.num_qubits)
        for level in range(self.depth):
            for angle, hop in zip(angles, self.hops, strict=True):
                if hop.level == level:
                    out.append(XXPlusYYGate(angle, math.pi / 2), [hop.first, hop.middle])
            end_layer(out)
        return out

    def angles(self, vectors: npt.ArrayLike) -> Real:
        """The hop angles that load given vectors, up to each register's positive norm.

        phi = 2 atan2(norm of the moved part, norm of the kept part), with signs where a part is a single entry. A
        register whose entries are all 0 has no direction; it is loaded as if they were all equal.

        Args:
            vectors: Shape (B, n), real; column i goes to qubit i.

        Returns:
            Shape (B, hops), radians.
        """
        v = np.array(vectors, dtype=np.float64)
        for first, last in self.registers:
            v[~np.any(v[:, first:last], axis=1), first:last] = 1.0
        out = np.empty((v.shape[0], len(self.hops)))
        for k, hop in enumerate(self.hops):
            kept, moved = (_amplitude(v[:, a:b]) for a, b in ((hop.first, hop.middle), (hop.middle, hop.last)))
            out[:, k] = 2 * np.arctan2(moved, kept)
        return out


def _amplitude(part: Real) -> Real:
    """What of the excitation belongs to a range of qubits: the norm, or the entry itself."""
    return part[:, 0] if part.shape[1] == 1 else np.linalg.norm(part, axis=1)


def loader(num_qubits: int, excitations: int = 1) -> Loader:
    """A loader with as many registers as excitations, of sizes that differ by at most one qubit.

    Args:
        num_qubits: n, at least two for each register.
        excitations: 1 for a unitary vector loader; 2 for two registers, whose product state has charge 2.

    Raises:
        ParameterError: Too few qubits, or excitations other than 1 and 2.

    Source:
        Vector loaders by a tree of RBS gates: arXiv:2012.04145; two registers, one excitation each: arXiv:2209.08167.

    Example:
        >>> from equinoise.learn.loader import loader
        >>> loader(64).depth, len(loader(64).hops), loader(6, excitations=2).initial
        (6, 63, '001001')
    """
    if excitations not in (1, 2):
        raise ParameterError(f"excitations must be 1 or 2, got {excitations!r}.")
    if num_qubits < 2 * excitations:
        raise ParameterError(
            f"{excitations} excitation(s) need at least {2 * excitations} qubits, two in each register; got "
            f"{num_qubits}."
        )
    edges = [round(i * num_qubits / excitations) for i in range(excitations + 1)]
    registers = tuple(pairwise(edges))
    hops = [hop for first, last in registers for hop in _tree(first, last)]
    hops.sort(key=lambda hop: (hop.level, hop.first))
    return Loader(num_qubits, registers, tuple(hops))


def _tree(first: int, last: int, level: int = 0) -> list[Hop]:
    if last - first < 2:
        return []
    middle = (first + last + 1) // 2
    here = Hop(level, first, middle, last)
    return [here, *_tree(first, middle, level + 1), *_tree(middle, last, level + 1)]
