"""Consecutive gates on one qubit pair, consolidated into blocks that do or do not conserve the charge.

Rotations on more than two qubits, which :func:`equinoise.circuit.gates.rotations_of` makes of what conserves the charge
as a whole alone, are blocks of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from equinoise.circuit.evolution import LARGEST_CORE
from equinoise.circuit.gates import Angle, Gate, Matrix, Rotation

__all__ = [
    "Block",
    "breaking_gates",
    "conserves_charge",
    "consolidate",
    "embed",
    "generic_parameters",
    "unitary_and_generators",
]

# A generic point decides conservation: the entries are trigonometric polynomials, zero there with probability 0.
_TOLERANCE = 1e-9
_POINTS = 2
_SEED = 20260630


@dataclass(frozen=True)
class Block:
    """Consecutive rotations on one qubit, on one pair, or on more qubits where each of them conserves.

    Attributes:
        qubits: Circuit qubits, ascending, those of Jordan-Wigner strings too; the first is the least significant bit of
            the block's matrix.
        rotations: In time order.
        gates: The instructions (or parts of them) that it consolidates.
        conserving: Whether it commutes with the charge at every parameter value (or at those asked for alone), checked
            on the matrices.
    """

    qubits: tuple[int, ...]
    rotations: tuple[Rotation, ...]
    gates: tuple[Gate, ...]
    conserving: bool = True


def embed(matrix: Matrix, wires: Sequence[int], qubits: Sequence[int]) -> Matrix:
    """A matrix on ``wires`` as a matrix on ``qubits`` (first = least significant)."""
    if len(qubits) == 1 or tuple(wires) == tuple(qubits):
        return matrix
    if len(qubits) > 2:
        # on the wires and then the rest it is 1 (x) matrix; state x of ``qubits`` has its bits there in another order
        order = [*wires, *(q for q in qubits if q not in wires)]
        states = np.arange(2 ** len(qubits))
        moved = np.zeros_like(states)
        for i, q in enumerate(qubits):
            moved += (states >> i & 1) << order.index(q)
        whole = np.asarray(np.kron(np.eye(2 ** (len(qubits) - len(wires))), matrix), dtype=np.complex128)
        return np.ascontiguousarray(whole[np.ix_(moved, moved)])
    if len(wires) == 2:
        swap = [0, 2, 1, 3]
        return np.ascontiguousarray(matrix[np.ix_(swap, swap)])
    # a Kronecker product with the 2x2 identity, written out: compiled circuits have thousands
    out = np.zeros((2, 2, 2, 2), dtype=np.complex128)
    for other in (0, 1):
        if wires[0] == qubits[0]:
            out[other, :, other, :] = matrix
        else:
            out[:, other, :, other] = matrix
    return out.reshape(4, 4)


def unitary_and_generators(
    rotations: Sequence[Rotation], qubits: Sequence[int], theta: npt.NDArray[np.float64]
) -> tuple[Matrix, dict[int, Matrix]]:
    """A block's unitary U and effective generators G_k = i (dU/dtheta_k) U^dag (Hermitian) at theta.

    Plain NumPy, used to check blocks; the engines have a compiled twin.

    Returns:
        U of shape (d, d) and {k: G_k} for each parameter the block depends on.
    """
    # U = R_m ... R_1 with R = exp(-i angle H): a new rotation turns the generators found so far, G <- R G R^dag, and
    # adds c H to those of its own parameters.
    dim = 2 ** len(qubits)
    unitary = np.eye(dim, dtype=np.complex128)
    generators: dict[int, Matrix] = {}
    for rotation in rotations:
        step = embed(rotation.matrix(theta), rotation.qubits, qubits)
        unitary = step @ unitary
        generators = {k: step @ g @ step.conj().T for k, g in generators.items()}
        here = embed(rotation.generator, rotation.qubits, qubits)
        for k, coefficient in rotation.angle.coefficients:
            generators[k] = generators.get(k, np.zeros((dim, dim), np.complex128)) + coefficient * here
    return unitary, generators


@lru_cache(maxsize=8)
def _changes_charge(dim: int) -> npt.NDArray[np.int64]:
    """The flat positions of a matrix at which the charges of row and column differ."""
    charge = np.bitwise_count(np.arange(dim, dtype=np.uint64))
    return np.flatnonzero(charge[:, None] != charge[None, :])


def _diagonal_in_charge(matrix: Matrix, tolerance: float = _TOLERANCE) -> bool:
    return bool(np.abs(matrix.take(_changes_charge(matrix.shape[0]))).max(initial=0.0) < tolerance)


def conserves_charge(
    rotations: Sequence[Rotation], qubits: Sequence[int], at: npt.NDArray[np.float64] | None = None
) -> bool:
    """Whether U(theta) and all its derivatives commute with Q = sum n_i, checked at generic parameter values.

    Args:
        rotations: In time order.
        qubits: The block's; the first is the least significant bit.
        at: Parameter values, shape (K,), at which alone U is asked for, and not its derivatives.
    """
    if all(_diagonal_in_charge(r.generator) for r in rotations):
        return True
    if len(qubits) > 2:  # wide blocks are taken if each rotation conserves; their matrices are not built
        return False
    if at is not None:
        return _diagonal_in_charge(unitary_and_generators(rotations, qubits, at)[0])
    # Elements of U between different charges are trigonometric polynomials of the parameters, so that 0 at a generic
    # point means 0 everywhere, with probability 1. Each parameter is scaled to its unit: small coefficients turn too.
    unit, spread = _units(rotations)
    compact = {k: i for i, k in enumerate(unit)}
    local = [
        replace(r, angle=Angle(r.angle.constant, tuple((compact[k], c / unit[k]) for k, c in r.angle.coefficients)))
        for r in rotations
    ]
    rng = np.random.default_rng(_SEED)
    for _ in range(_POINTS):
        unitary, generators = unitary_and_generators(local, qubits, rng.uniform(-3, 3, max(1, len(unit))))
        if not all(_diagonal_in_charge(m, _TOLERANCE * spread) for m in (unitary, *generators.values())):
            return False
    return True


def _units(rotations: Sequence[Rotation]) -> tuple[dict[int, float], float]:
    """For each parameter the size of its smallest coefficient, and how far rounding grows by the others.

    In a parameter's own unit every rotation turns by a generic angle, however small its coefficient is: RX(1e-10 a)
    breaks the charge as RX(a) does. Coefficients a million times larger than the unit make angles inexact.
    """
    sizes: dict[int, list[float]] = {}
    for rotation in rotations:
        for k, c in rotation.angle.coefficients:
            sizes.setdefault(k, []).append(abs(c))
    unit = {k: min(sizes[k]) for k in sorted(sizes)}
    spread = max((max(values) / min(values) for values in sizes.values()), default=1.0)
    return unit, max(1.0, 1e-6 * spread)


def generic_parameters(
    rotations: Sequence[Rotation], rng: np.random.Generator, count: int | None = None
) -> npt.NDArray[np.float64]:
    """Random parameter values, shape (count,), at which every rotation turns by a generic angle; 0 where none has any.

    Args:
        rotations: Whose parameters are drawn, uniform in (-3, 3) in units of 1 over their smallest coefficient.
        rng: Random numbers.
        count: Number of parameters; by default what the rotations need.
    """
    unit, _ = _units(rotations)
    theta = np.zeros(1 + max(unit, default=-1) if count is None else count)
    for k, size in unit.items():
        theta[k] = rng.uniform(-3, 3) / size
    return theta


def breaking_gates(block: Block) -> tuple[Gate, ...]:
    """The gates of a block that break the charge by themselves (all of its gates when none does alone).

    Where a block breaks it for the parts of larger gates alone, these are named, not the gates around them.
    """

    def kept(gates: Sequence[Gate]) -> bool:
        inside = [r for gate in gates for r in gate.rotations if set(r.touched) <= set(block.qubits)]
        return conserves_charge(inside, block.qubits)

    wide = [gate for gate in block.gates if len(gate.qubits) > 2]
    rest = [gate for gate in block.gates if len(gate.qubits) <= 2]
    suspects = wide if wide and kept(rest) else block.gates
    return tuple([gate for gate in suspects if not kept([gate])] or suspects)


@dataclass
class _Item:
    """A rotation on its way into a block, with the gate it belongs to."""

    rotation: Rotation
    gate: Gate


@dataclass
class _Open:
    """A block under construction: its core, and per wire the one-qubit rotations that follow it."""

    qubits: tuple[int, ...]
    core: list[_Item]
    tail: dict[int, list[_Item]] = field(default_factory=dict)

    def takes(self, items: list[_Item]) -> bool:
        """Whether rotations on the same qubits may join: a wide block conserves in each, with a bounded local space."""
        if len(self.qubits) <= 2:
            return True
        joined = [i.rotation for i in (*self.core, *(i for items in self.tail.values() for i in items), *items)]
        core = {q for r in joined for q in r.qubits}
        strings = {frozenset(r.string) - core for r in joined}
        return len(core) <= LARGEST_CORE and len(strings) <= 2 and all(_diagonal_in_charge(r.generator) for r in joined)


def consolidate(
    gates: Sequence[Gate], preparable: Collection[int] = (), at: npt.NDArray[np.float64] | None = None
) -> tuple[tuple[Block, ...], dict[int, list[Rotation]]]:
    """Merges consecutive gates on one pair into blocks; one-qubit gates join the block before them on their wire.

    Where a block would conserve the charge only if some one-qubit gates went to its neighbour instead, they do (the
    compiled form of XX+YY has such gates between blocks).

    Args:
        gates: In time order; rotations on more than two qubits must conserve the charge each.
        preparable: Qubits whose leading parameter-free one-qubit rotations may be split off as a preparation.
        at: Parameter values at which alone the charge is asked for; see :func:`conserves_charge`.

    Returns:
        The blocks in a valid time order, and per qubit the rotations split off at the start (as many as possible).
    """
    opened: list[_Open] = []
    last: dict[int, _Open] = {}
    head: dict[int, list[_Item]] = {}
    for gate in gates:
        if len(gate.qubits) > 2:  # a larger gate has no block of its own: its rotations find theirs
            parts = [(tuple(sorted(r.touched)), [_Item(r, gate)]) for r in gate.rotations]
        else:
            parts = [(tuple(sorted(gate.qubits)), [_Item(r, gate) for r in gate.rotations])]
        for wires, items in parts:
            if not items:
                continue
            if len(wires) == 1:
                (wire,) = wires
                waiting = last[wire].tail[wire] if wire in last else head.setdefault(wire, [])
                waiting += items
                continue
            block = last.get(wires[0])
            same = block is not None and block.qubits == wires and all(last[w] is block for w in wires)
            if block is not None and same and block.takes(items):
                block.core += [*(item for w in wires for item in block.tail[w]), *items]
                block.tail = {w: [] for w in wires}
                continue
            opened.append(_Open(wires, items, {w: [] for w in wires}))
            last |= dict.fromkeys(wires, opened[-1])
    return _settle(opened, head, preparable, at)


def _settle(
    opened: list[_Open],
    head: dict[int, list[_Item]],
    preparable: Collection[int],
    at: npt.NDArray[np.float64] | None,
) -> tuple[tuple[Block, ...], dict[int, list[Rotation]]]:
    # `leading[wire]` holds the one-qubit rotations waiting for the next block on the wire
    leading = {wire: list(items) for wire, items in head.items()}
    prepared: dict[int, list[Rotation]] = {}
    first = set(head) & set(preparable)
    touched = {q for block in opened for q in block.qubits}
    blocks: list[Block] = []
    for block in opened:
        if len(block.qubits) > 2:
            blocks += _settle_wide(block, leading, first, prepared)
            continue
        a, b = block.qubits
        fronts = {w: leading.pop(w, []) for w in (a, b)}
        cuts = {w: _fixed_prefix(fronts[w]) if w in first else 0 for w in (a, b)}
        found = _split(block, fronts, cuts, at)
        (start_a, start_b), (stop_a, stop_b) = found
        items = [*fronts[a][start_a:], *fronts[b][start_b:], *block.core]
        items += [*block.tail[a][:stop_a], *block.tail[b][:stop_b]]
        for wire, start, stop in ((a, start_a, stop_a), (b, start_b, stop_b)):
            if start:
                prepared.setdefault(wire, []).extend(i.rotation for i in fronts[wire][:start])
            if block.tail[wire][stop:]:
                leading[wire] = block.tail[wire][stop:]
            first.discard(wire)
        blocks.append(_close(block.qubits, items, at))
    for wire, items in sorted(leading.items()):
        start = _fixed_prefix(items) if wire in first and wire not in touched else 0
        if start:
            prepared.setdefault(wire, []).extend(i.rotation for i in items[:start])
        if items[start:]:
            blocks.append(_close((wire,), items[start:], at))
    return tuple(blocks), prepared


def _settle_wide(
    block: _Open, leading: dict[int, list[_Item]], first: set[int], prepared: dict[int, list[Rotation]]
) -> list[Block]:
    """A wide block with the one-qubit rotations about it that conserve; others are blocks of their own, or go on."""
    items: list[_Item] = []
    blocks: list[Block] = []
    tails: list[_Item] = []
    for wire in block.qubits:
        front = leading.pop(wire, [])
        start = _fixed_prefix(front) if wire in first else 0
        if start:
            prepared.setdefault(wire, []).extend(i.rotation for i in front[:start])
        if all(_diagonal_in_charge(item.rotation.generator) for item in front[start:]):
            items += front[start:]
        else:
            blocks.append(_close((wire,), front[start:], None))
        first.discard(wire)
        tail = block.tail[wire]
        stop = next((i for i, item in enumerate(tail) if not _diagonal_in_charge(item.rotation.generator)), len(tail))
        tails += tail[:stop]
        if tail[stop:]:
            leading[wire] = tail[stop:]
    return [*blocks, _close(block.qubits, [*items, *block.core, *tails], None)]


def _fixed_prefix(items: Sequence[_Item]) -> int:
    count = 0
    for item in items:
        if item.rotation.angle.coefficients:
            break
        count += 1
    return count


def _split(
    block: _Open, fronts: dict[int, list[_Item]], cuts: dict[int, int], at: npt.NDArray[np.float64] | None
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The largest preparation and then the largest tail with which the block conserves; all of it if none does."""
    a, b = block.qubits

    whole = (len(block.tail[a]), len(block.tail[b]))
    if (cuts[a], cuts[b]) == whole == (0, 0):  # nothing to divide
        return whole, whole
    items = [*fronts[a], *fronts[b], *block.core, *block.tail[a], *block.tail[b]]
    if all(_diagonal_in_charge(i.rotation.generator) for i in items):
        return (cuts[a], cuts[b]), whole

    # most splits fail at one generic point, where a product of ready matrices tells
    theta = generic_parameters([i.rotation for i in items], np.random.default_rng(_SEED)) if at is None else at
    core = unitary_and_generators([i.rotation for i in block.core], block.qubits, theta)[0]
    before = {w: _products([i.rotation for i in fronts[w]], theta)[1] for w in (a, b)}
    after = {w: _products([i.rotation for i in block.tail[w]], theta)[0] for w in (a, b)}

    def good(starts: tuple[int, int], stops: tuple[int, int]) -> bool:
        late = np.kron(after[b][stops[1]], after[a][stops[0]])
        early = np.kron(before[b][starts[1]], before[a][starts[0]])
        if not _diagonal_in_charge(np.asarray(late @ core @ early)):
            return False
        items = [*fronts[a][starts[0] :], *fronts[b][starts[1] :], *block.core]
        items += [*block.tail[a][: stops[0]], *block.tail[b][: stops[1]]]
        return conserves_charge([i.rotation for i in items], block.qubits, at)

    # The largest preparation first, then the largest tail: what is left over at the end goes to the next block on its
    # wire, which is tried in turn.
    for starts in _descending(cuts[a], cuts[b]):
        for stops in _descending(*whole):
            if good(starts, stops):
                return starts, stops
    return (cuts[a], cuts[b]), whole


def _products(rotations: Sequence[Rotation], theta: npt.NDArray[np.float64]) -> tuple[list[Matrix], list[Matrix]]:
    """Products of the first k rotations of a wire, and of those from the k-th on, for k = 0 .. their number."""
    steps = [rotation.matrix(theta) for rotation in rotations]
    heads, tails = [np.eye(2, dtype=np.complex128)], [np.eye(2, dtype=np.complex128)]
    for step in steps:
        heads.append(step @ heads[-1])
    for step in reversed(steps):
        tails.append(tails[-1] @ step)
    return heads, tails[::-1]


def _descending(first: int, second: int) -> list[tuple[int, int]]:
    pairs = ((i, j) for i in range(first + 1) for j in range(second + 1))
    return sorted(pairs, key=lambda pair: (-sum(pair), -pair[0]))


def _close(qubits: tuple[int, ...], items: Sequence[_Item], at: npt.NDArray[np.float64] | None) -> Block:
    rotations = tuple(i.rotation for i in items)
    gates = tuple({i.gate.position: i.gate for i in items}.values())
    return Block(qubits, rotations, gates, conserves_charge(rotations, qubits, at))
