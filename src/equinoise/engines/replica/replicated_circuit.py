"""A problem as the replicas see it: averaged blocks, noise, product input and readout on the sites of the light cone.

When the six states per site suffice. Every block conserves the charge of ket and bra in both replicas, so the
differences delta = (x - y) - (x' - y') of the wires that enter it and leave it have equal sums: delta is a flow
through the circuit. Noise stated by matrices that keeps the charge, but not x - y on each qubit, does the same. A
wire's own uniform Z rotation between two of them makes it 0 there; so do a computational-basis input, a trace and a
diagonal readout. If the other pieces of wire close no loop, the flow is 0 everywhere, and six states per site are
exact; a loop would carry a flow that the average keeps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import reverse_cuthill_mckee

from equinoise.circuit.blocks import Block
from equinoise.engines.replica.replicated_blocks import BlockAverage, average_block, is_diagonal
from equinoise.engines.replica.replicated_noise import NoiseTerm, keeps_differences, slot_terms
from equinoise.engines.replica.replicated_readout import replica_readout
from equinoise.engines.replica.sites import state_coordinates
from equinoise.ensemble import periods
from equinoise.reduction.program import Program

__all__ = ["ReplicaCircuit", "Step", "chain_order", "compile_replicas", "replica_obstacle"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """One thing that acts: an averaged block or a noise mechanism.

    Attributes:
        sites: Cone qubits it acts on.
        layer: The circuit layer.
        block: The average; None for noise.
        noise: The mechanism; None for a block.
    """

    sites: tuple[int, ...]
    layer: int
    block: BlockAverage | None = None
    noise: NoiseTerm | None = None

    @property
    def weight(self) -> Real:
        """A block's W; 1 for noise."""
        return np.ones(6 ** len(self.sites)) if self.block is None else self.block.weight

    @property
    def derivatives(self) -> tuple[tuple[int, Real], ...]:
        """A block's (parameter, D)."""
        return () if self.block is None else self.block.derivatives


@dataclass(frozen=True)
class ReplicaCircuit:
    """What the replica engines contract.

    Attributes:
        width: Number of sites w.
        inputs: Replica vectors of the sites' inputs, shape (w, 6).
        steps: In time order.
        order: The sites along the chain on which the readout is written.
        readout_sites: Sites that the readout sees, in that order; the trace is taken on the others.
        readout: O (x) O* as a matrix product on those sites: tensors of shape (left, 6, right), ends of size 1.
        idle_terms: Budget terms that do nothing: collective dephasing where every charge difference is 0.
        parameters: Number of circuit parameters K.
        terms: Number of budget terms.
    """

    width: int
    inputs: Real
    steps: tuple[Step, ...]
    order: tuple[int, ...]
    readout_sites: tuple[int, ...]
    readout: tuple[Real, ...]
    idle_terms: tuple[int, ...]
    parameters: int
    terms: int


def _cone_blocks(program: Program) -> list[list[Block]]:
    layers = zip(program.problem.layers, program.cone.blocks, strict=True)
    return [[layer.blocks[i] for i in kept] for layer, kept in layers]


def replica_obstacle(program: Program) -> str | None:
    """Why a problem's ensemble average has no transfer form on six states per site; None if it has."""
    if program.full:
        return "the circuit, the readout or the noise does not conserve the charge"
    if program.processes:
        return "noise correlated in time is no product of one channel per slot"
    if any(slot.strings for slot in program.slots):
        return "the noise breaks the charge"
    if program.problem.initial.product is None:
        return "the input is entangled; the replica average needs a product state"
    if program.has_wide_blocks:
        return "a block acts on more than two qubits, and averages are taken of blocks on one or two"
    blocks = _cone_blocks(program)
    uses: Counter[int] = Counter()
    for layer in blocks:
        for block in layer:
            uses.update({k for r in block.rotations for k, _ in r.angle.coefficients})
    shared = sorted(k for k, n in uses.items() if n > 1)
    if shared:
        name = program.problem.parameters[shared[0]].name
        return f"parameter {name!r} enters {uses[shared[0]]} blocks; the average needs independent angles"
    return _loop(program, blocks, uses)


@dataclass
class _Wire:
    """The piece of a qubit's wire since the last thing that mixes: where it starts, and whether delta is 0 on it."""

    node: int
    layer: int
    settled: bool
    what: str = "the block in"


def _loop(program: Program, blocks: list[list[Block]], uses: Counter[int]) -> str | None:
    """Which wires without a Z rotation of their own close a loop, in words; None if none do."""
    problem = program.problem
    product = np.asarray(problem.initial.product)
    # Blocks that mix are nodes, unsettled pieces of wire are edges, kept as a forest by union and find. An edge of a
    # forest cuts off a part without the input (the node ``ground``), in which every node conserves delta: its flow is
    # 0. An edge whose ends are joined already closes a loop, on which a flow could run.
    ground = 0
    parent = [ground]

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    wires = {q: _Wire(ground, -1, bool(np.abs(product[q]).min() < 1e-9)) for q in program.cone.qubits}

    def joins(node: int, qubit: int, layer: int, what: str = "the block in") -> str | None:
        wire = wires[qubit]
        if wire.settled:
            return None
        a, b = root(wire.node), root(node)
        if a == b:
            since = "the input" if wire.layer < 0 else f"{wire.what} layer {wire.layer}"
            until = "the readout" if layer < 0 else f"{what} layer {layer}"
            return (
                f"qubit {qubit} has no Z rotation of its own between {since} and {until}, and neither has another "
                "way round, so that the average keeps interference between histories"
            )
        parent[a] = b
        return None

    def mixes(qubits: Sequence[int], layer: int, what: str) -> str | None:
        """A new node on these wires; the loop that it closes, if it does."""
        node = len(parent)
        parent.append(node)
        for q in qubits:
            if found := joins(node, q, layer, what):
                return found
            wires[q] = _Wire(node, layer, False, what)
        return None

    # Rotations at either end of a block are diagonal and commute with one another: one of a single qubit with a
    # parameter of its own averages delta on that wire to 0. The first rotation that mixes ends the run.
    def settle(rotations: list[tuple[tuple[int, ...], bool, bool]]) -> None:
        for qubits, diagonal, own in rotations:
            if not diagonal:
                return
            if own:
                wires[qubits[0]].settled = True

    for number, layer in enumerate(blocks):
        for block in layer:
            rotations = []
            inside = Counter(k for r in block.rotations for k, _ in r.angle.coefficients)
            for r in block.rotations:
                alone = any(uses[k] == 1 and inside[k] == 1 for k, _ in r.angle.coefficients)
                diagonal = is_diagonal(r.generator)
                turns = diagonal and len(r.qubits) == 1 and abs(r.generator[0, 0] - r.generator[1, 1]) > 1e-9
                rotations.append((r.qubits, diagonal, alone and turns))
            settle(rotations)
            if all(diagonal for _, diagonal, _ in rotations):
                continue
            if found := mixes(block.qubits, number, "the block in"):
                return found
            settle(rotations[::-1])
        for stated in program.slots[number].joint:
            qubits = () if keeps_differences(stated) else stated.qubits
            if found := mixes([program.cone.qubits[i] for i in qubits], number, "the noise after"):
                return found
    moving = {
        q
        for letters, qubits, _ in problem.readout.to_sparse_list()
        for letter, q in zip(letters, qubits, strict=True)
        if letter in "XY"
    }
    node = len(parent)
    parent.append(node)
    for q in sorted(moving):
        found = joins(node, q, -1)
        if found is not None:
            return found
    return None


def compile_replicas(program: Program) -> ReplicaCircuit:
    """The replica form of a compiled problem.

    Args:
        program: A problem without :func:`replica_obstacle`.

    Raises:
        UnsupportedError: A block's average cannot be computed.
    """
    problem = program.problem
    place = {q: i for i, q in enumerate(program.cone.qubits)}
    spans = periods(problem)
    known: dict[object, BlockAverage] = {}
    blocks = _cone_blocks(program)
    product = np.asarray(problem.initial.product)[list(program.cone.qubits)]
    settled = bool(np.all(np.abs(product).min(axis=1) < 1e-9))
    steps: list[Step] = []
    idle: list[int] = []
    first = 0
    for number, layer in enumerate(blocks):
        for block in layer:
            sites = tuple(place[q] for q in block.qubits)
            steps.append(Step(sites, number, block=average_block(block, spans, known)))
        slot = program.slots[number]
        seen = frozenset(place[q] for q in program.cone.seen[number])
        for term in slot_terms(slot, first):
            if settled and term.is_level and len(term.sites) > 1 and seen == frozenset(term.sites):
                # the differences x - y of all qubits add up to 0, and to 0 on those not seen
                idle.append(term.index)
            else:
                steps.append(Step(term.sites, number, noise=term))
        first += len(slot.terms)
    order = chain_order(program.width, [step.sites for step in steps])
    readout_sites, readout = replica_readout(program, order)
    return ReplicaCircuit(
        program.width,
        np.array([state_coordinates(np.outer(v, v.conj())) for v in product]),
        tuple(steps),
        order,
        readout_sites,
        readout,
        tuple(idle),
        len(problem.parameters),
        len(program.budget_terms),
    )


def chain_order(width: int, pairs: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    """Sites along a chain that keeps those that act together close: a line in its own order, a ring folded."""
    # Reverse Cuthill-McKee numbers the graph of gates with a small bandwidth, so that few sites are swapped: a ring
    # comes out folded, with neighbours at most two apart.
    links = {(min(p), max(p)) for p in pairs if len(p) == 2}
    if all(b - a == 1 for a, b in links):
        return tuple(range(width))
    rows = np.array([a for a, _ in links] + [b for _, b in links])
    columns = np.array([b for _, b in links] + [a for a, _ in links])
    graph = csr_matrix((np.ones(rows.size), (rows, columns)), shape=(width, width))
    return tuple(int(i) for i in reverse_cuthill_mckee(graph, symmetric_mode=True))
