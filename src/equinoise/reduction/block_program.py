"""A circuit's blocks in the form that kernels take: which rows each mixes, and by which matrices.

A block on one or two qubits is one kernel block. A wider one falls into pieces: its generators are sparse on the local
states, and states that no generator connects are not mixed by the unitary either. A double excitation turns |0011> and
|1100> into each other and leaves 14 states alone: one piece of two rows. Pieces of one block act on different rows, so
that they commute and their order is free.

The local states of a wide block are the occupations of the qubits that it may flip and the parities that multiply it (a
Jordan-Wigner string, a product of Z): a parity is a bit that is read and never changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from equinoise.circuit.blocks import Block, conserves_charge, embed
from equinoise.circuit.gates import Angle
from equinoise.reduction.row_tables import PAIR, QUAD, Piece, TableKey

__all__ = ["KernelBlock", "KernelForms", "kernel_rotations"]

Complex = npt.NDArray[np.complex128]

# elements below this share of a generator's largest are rounding
_SMALL = 1e-13
# where a PAIR kernel block holds its 2x2 matrix, its phase, and a one-qubit block in a charge sector
_TURNED, _PHASE, _SITE = (1, 2), (3,), (0, 3)


@dataclass(frozen=True)
class KernelBlock:
    """What a kernel applies at once.

    Attributes:
        key: Which rows.
        kind: PAIR, or the number of rows that are mixed.
        angles: Of its rotations, in time order.
        generators: Theirs, shape (s, s) each, s = 4 for PAIR.
    """

    key: TableKey
    kind: int
    angles: tuple[Angle, ...]
    generators: tuple[Complex, ...]


@dataclass
class KernelForms:
    """Brings blocks into the form of the kernels; what blocks share is made once.

    Attributes:
        full: Whether states live in the full space instead of charge blocks.
    """

    full: bool
    _known: dict[tuple[int, tuple[int, ...]], Complex] = field(default_factory=dict)

    def of(self, block: Block, local: Mapping[int, int]) -> list[KernelBlock]:
        """A block's kernel blocks; ``local`` gives the cone index of each circuit qubit."""
        if len(block.qubits) > 2:
            return _pieces(block, local)
        key = tuple(local[q] for q in block.qubits)
        # in the full space too a block that conserves the charge acts on row pairs alone
        mixes = self.full and len(key) == 2 and not conserves_charge(block.rotations, block.qubits)
        kind = QUAD if mixes else PAIR
        angles = tuple(r.angle for r in block.rotations)
        return [KernelBlock((key, kind), kind, angles, tuple(self._narrow(block)))]

    def _narrow(self, block: Block) -> Iterable[Complex]:
        """The generators of a block on one or two qubits, shape (4, 4).

        One-qubit blocks sit on the entries that the kernel applies them to: 0 and 3 (a phase on filled rows) in a
        charge sector, 1 and 2 (row pairs) in the full space.
        """
        for rotation in block.rotations:
            place = tuple(block.qubits.index(q) for q in rotation.qubits)
            key = (id(rotation.generator), (len(block.qubits), *place))
            if key not in self._known:
                matrix = embed(rotation.generator, place, tuple(range(len(block.qubits))))
                self._known[key] = matrix if len(matrix) == 4 else _placed(matrix, _TURNED if self.full else _SITE, 4)
            yield self._known[key]


def _placed(matrix: Complex, where: tuple[int, ...], size: int) -> Complex:
    """A generator on some entries of a larger one, 0 elsewhere: there nothing is turned."""
    out = np.zeros((size, size), dtype=np.complex128)
    out[np.ix_(where, where)] = matrix
    return out


def _pieces(block: Block, local: Mapping[int, int]) -> list[KernelBlock]:
    core, parities, generators = _local_generators(block)
    # a multiple of the identity is a global phase: with the empty state's element at 0, states that are not touched
    # have nothing but zeros and are left out
    generators = generators - generators[:, :1, :1] * np.eye(generators.shape[1])
    floor = _SMALL * np.abs(generators).max(axis=(1, 2), initial=1e-300)[:, None, None]
    generators = np.where(np.abs(generators) > floor, generators, 0.0)
    count, label = connected_components(csr_array(np.any(generators != 0, axis=0)), directed=False)
    alike: dict[tuple[int, bytes], list[tuple[int, ...]]] = {}
    parts: dict[tuple[int, bytes], Complex] = {}
    for number in range(count):
        states = np.flatnonzero(label == number)
        part = generators[:, states[:, None], states[None, :]]
        if np.any(part):
            key = (states.size, (np.round(part / floor, -1) + 0.0).tobytes())
            alike.setdefault(key, []).append(tuple(states.tolist()))
            parts.setdefault(key, part)
    here = tuple(local[q] for q in core)
    there = tuple(tuple(sorted(local[q] for q in parity)) for parity in parities)
    angles = tuple(r.angle for r in block.rotations)
    out = []
    for key, groups in alike.items():
        size, part = key[0], parts[key]
        small = {1: _PHASE, 2: _TURNED}.get(size)
        matrices = tuple(part) if small is None else tuple(_placed(m, small, 4) for m in part)
        out.append(KernelBlock(Piece(here, there, tuple(groups)), PAIR if small else size, angles, matrices))
    return out


def _local_generators(block: Block) -> tuple[tuple[int, ...], tuple[frozenset[int], ...], Complex]:
    """The qubits that a wide block acts on, the parities that multiply it, and its generators on these bits."""
    core = tuple(sorted({q for r in block.rotations for q in r.qubits}))
    outside = [frozenset(r.string).difference(core) for r in block.rotations]
    parities = tuple(dict.fromkeys(parity for parity in outside if parity))
    bits = np.arange(2 ** max(len(core), len(parities)))
    generators = []
    for rotation, parity in zip(block.rotations, outside, strict=True):
        inner = embed(rotation.generator, rotation.qubits, core)
        read = [core.index(q) for q in rotation.string if q in core]  # not among the rotation's own qubits
        sign = np.prod([1.0 - 2.0 * (bits[: 2 ** len(core)] >> i & 1) for i in read], axis=0)
        reads = bits[: 2 ** len(parities)] >> parities.index(parity) & 1 if parity else 0 * bits[: 2 ** len(parities)]
        generators.append(np.kron(np.diag(1.0 - 2.0 * reads), inner * sign))
    return core, parities, np.array(generators, dtype=np.complex128)


def kernel_rotations(blocks: Sequence[KernelBlock]) -> tuple[int, tuple[npt.NDArray[np.generic], ...], list[int]]:
    """What :func:`equinoise.engines.sector.kernels.build_blocks` takes.

    Returns:
        d, the size of all matrices; the kernel's arrays; for each derivative of a block its parameter.
    """
    size = max((m.shape[0] for block in blocks for m in block.generators), default=4)
    vectors, values, constants = [], [], []
    term_ptr, term_index, term_value, term_slot = [0], [], [], []
    block_ptr, slot_ptr = [0], [0]
    slot_parameter: list[int] = []
    decomposed: dict[int, tuple[npt.NDArray[np.float64], Complex]] = {}
    for block in blocks:
        used = sorted({k for angle in block.angles for k, _ in angle.coefficients})
        slot_of = {k: slot_ptr[-1] + i for i, k in enumerate(used)}
        for angle, matrix in zip(block.angles, block.generators, strict=True):
            if id(matrix) not in decomposed:
                whole = matrix if len(matrix) == size else _placed(matrix, tuple(range(len(matrix))), size)
                decomposed[id(matrix)] = np.linalg.eigh(whole)
            eigenvalues, eigenvectors = decomposed[id(matrix)]
            vectors.append(eigenvectors)
            values.append(eigenvalues)
            constants.append(angle.constant)
            for k, coefficient in angle.coefficients:
                term_index.append(k)
                term_value.append(coefficient)
                term_slot.append(slot_of[k])
            term_ptr.append(len(term_index))
        slot_parameter += used
        slot_ptr.append(len(slot_parameter))
        block_ptr.append(len(constants))
    arrays = (
        np.array(vectors, dtype=np.complex128).reshape(-1, size, size),
        np.array(values, dtype=np.float64).reshape(-1, size),
        np.array(constants, dtype=np.float64),
        np.array(term_ptr, dtype=np.int64),
        np.array(term_index, dtype=np.int64),
        np.array(term_value, dtype=np.float64),
        np.array(term_slot, dtype=np.int64),
        np.array(block_ptr, dtype=np.int64),
        np.array(slot_ptr, dtype=np.int64),
    )
    return size, arrays, slot_parameter
