"""The replica average by matrix-product states: one sweep forwards, one backwards, and the pairings between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.engines.replica.chain import Chain, Effect, join, operate, readout_chain, sites_tensor
from equinoise.engines.replica.dense import Pairing
from equinoise.engines.replica.replicated_circuit import ReplicaCircuit, Step
from equinoise.engines.replica.schedule import Operation, schedule
from equinoise.engines.replica.site_actions import Action, Actions, acted
from equinoise.engines.replica.sites import DIFFERENCE, ODD, TRACE
from equinoise.engines.replica.tensor import Blocks, Labels, States, Truncation, by_label, labels_of, together

__all__ = ["OperationMatrices", "chain_pairings", "conserved_labels"]

Real = npt.NDArray[np.float64]
# label of the sites -> matrices by order, shape (orders, states, states)
Matrices = dict[int, Real]
# label of the bond -> state against readout on one side of it, shape (orders, vectors of the state, of the readout)
Environment = dict[int, Real]


def conserved_labels(circuit: ReplicaCircuit) -> Labels:
    """Which of the labels every input and every average conserves."""
    # A label is conserved if no matrix has an element between states of different labels and no input has another label
    # than 0; diagonal noise conserves both. Labels not conserved count as 0 everywhere.
    parts = [step.block.weight for step in circuit.steps if step.block is not None]
    parts += [d for step in circuit.steps if step.block is not None for _, d in step.block.derivatives]
    parts += [np.asarray(s.noise.generator) for s in circuit.steps if s.noise is not None and not s.noise.is_diagonal]
    found = []
    for label, cyclic in ((DIFFERENCE, False), (ODD, True)):
        ok = not np.abs(circuit.inputs[:, label != 0]).max(initial=0.0) > 1e-13
        for matrix in {id(m): m for m in parts}.values():
            sums = label if matrix.shape[0] == 6 else (label[:, None] + label[None, :]).ravel()
            sums = sums % 2 if cyclic else sums
            ok &= not np.abs(matrix[sums[:, None] != sums[None, :]]).max(initial=0.0) > 1e-12
        found.append(ok)
    return labels_of(differences=found[0], parity=found[1])


def _direction(chain: Chain) -> bool:
    return chain.center <= (len(chain.sites) - 1) / 2


def _ordered(moment: Sequence[Operation], order: dict[int, int], rightwards: bool) -> list[Operation]:
    return sorted(moment, key=lambda op: order[op.sites[0]], reverse=not rightwards)


def chain_pairings(
    circuit: ReplicaCircuit,
    actions: Actions,
    wanted: Callable[[Step], bool],
    cut: Truncation,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Pairing]:
    """The pairing of every wanted step, last moment first; see :func:`dense_pairings`.

    Args:
        circuit: The compiled problem.
        actions: What the steps do.
        wanted: Which steps' pairings are asked for.
        cut: How bonds are cut; gathers what was cut.
        progress: Called with 1 after each moment, in each direction.
    """
    # As in dense_pairings, with chains: the chain at the start of each moment is kept (tensors that did not change are
    # shared), the readout is pulled back, and in each moment the two are contracted with all steps between.
    moments = schedule(circuit)
    order = {site: i for i, site in enumerate(circuit.order)}
    states = by_label(conserved_labels(circuit))
    scalar = np.zeros(actions.orders)
    scalar[0] = 1.0
    state = Chain(states, scalar=scalar)
    kept: list[Chain] = []
    matrices = OperationMatrices(states, actions)
    for moment in moments:
        cut.kept_bytes += state.bytes_beyond(kept[-1] if kept else None)
        kept.append(state.copy())
        rightwards = _direction(state)
        for op in _ordered(moment, order, rightwards):
            joins = {site: circuit.inputs[site] for site in op.joins}
            effect = Effect(matrices.of(op), joins, dict.fromkeys(op.leaves, TRACE))
            operate(state, op, effect, order, cut, backwards=False, rightwards=rightwards)
        if progress is not None:
            progress(1)
    readout = readout_chain(circuit.readout_sites, circuit.readout, states, actions.orders)
    started = {site for moment in moments for op in moment for site in op.joins}
    for site in circuit.readout_sites:
        if site not in started:
            _leave(readout, site, circuit.inputs[site], cut)
    for moment in reversed(moments):
        before = kept.pop()
        if any(wanted(step) for op in moment for step in op.steps):
            yield from _moment_pairings(circuit, before, readout.copy(), moment, matrices, wanted, order)
        rightwards = _direction(readout)
        for op in _ordered(moment, order, rightwards):
            leaves = {site: circuit.inputs[site] for site in op.joins}
            action = {d: m.swapaxes(1, 2) for d, m in matrices.of(op).items()}
            effect = Effect(action, dict.fromkeys(op.leaves, TRACE), leaves)
            operate(readout, op, effect, order, cut, backwards=True, rightwards=rightwards)
        if progress is not None:
            progress(1)


class OperationMatrices:
    """What operations do, all their steps together, block by block; operations alike share their matrices."""

    def __init__(self, states: States, actions: Actions) -> None:
        self.states = states
        self.actions = actions
        self._known: dict[object, tuple[list[object], Matrices]] = {}

    def of(self, op: Operation) -> Matrices:
        """Label of the sites -> matrices by order, those of trailing orders that are 0 left out."""
        steps = [(step.sites, self.actions(step)) for step in op.steps if self.actions(step)]
        places = [tuple(op.sites.index(s) for s in sites) for sites, _ in steps]
        key = (len(op.sites), op.swaps, tuple((p, id(a)) for p, (_, a) in zip(places, steps, strict=True)))
        if key not in self._known:
            whole = _SWAP[None] if op.swaps else _combined(op, steps, self.actions.orders)
            orders = 1 + max((k for k, m in enumerate(whole) if np.any(m)), default=0)
            of = self.states.of(len(op.sites))
            found = {d: whole[:orders, c[:, None], c] for d, c in of.items()}
            # actions are kept as well, so that what they are known by stays theirs
            self._known[key] = ([a for _, a in steps], found)
        return self._known[key][1]


def _leave(chain: Chain, site: int, vector: Real, cut: Truncation) -> None:
    operation = Operation((site,))
    operate(chain, operation, Effect(None, {}, {site: vector}), {}, cut, backwards=True, rightwards=True)


@dataclass
class _Cell:
    """One operation, or one site that none acts on, in a moment: tensors before and after, and its matrices."""

    operation: Operation | None
    sites: int
    before: Blocks
    after: Blocks
    matrices: Matrices | None

    def acted(self, label: int, tensor: Real, orders: int) -> Real:
        """The operation on a block (orders, states, left, right)."""
        return tensor if self.matrices is None else _times(self.matrices[label], tensor, orders, _on_states)


def _times(first: Real, second: Real, orders: int, product: Callable[[Real, Real], Real]) -> Real:
    """The product of two power series, coefficients along the first axis, up to a number of orders."""
    if len(first) == len(second) == 1:
        return product(first[0], second[0])[None]
    count = min(orders, len(first) + len(second) - 1)
    out: Real | None = None
    for i, a in enumerate(first):
        for j, b in enumerate(second[: count - i]):
            part = product(a, b)
            if out is None:
                out = np.zeros((count, *part.shape))
            out[i + j] += part
    return np.zeros(0) if out is None else out


def _on_states(matrix: Real, tensor: Real) -> Real:
    return np.asarray((matrix @ tensor.reshape(len(matrix), -1)).reshape(tensor.shape))


def _from_left(environment: Real, tensor: Real) -> Real:
    return np.asarray(np.matmul(environment.T, tensor))


def _from_right(tensor: Real, environment: Real) -> Real:
    n, left, right = tensor.shape
    return np.asarray((tensor.reshape(-1, right) @ environment).reshape(n, left, -1))


def _closed_left(tensor: Real, readout: Real) -> Real:
    return np.asarray(tensor.reshape(-1, tensor.shape[2]).T @ readout.reshape(-1, readout.shape[2]))


def _closed_right(tensor: Real, readout: Real) -> Real:
    return np.tensordot(tensor, readout, axes=((0, 2), (0, 2)))


def _overlap(readout: Real, tensor: Real) -> Real:
    return np.asarray(readout.reshape(len(readout), -1) @ tensor.reshape(len(tensor), -1).T)


def _moment_pairings(
    circuit: ReplicaCircuit,
    before: Chain,
    after: Chain,
    moment: Sequence[Operation],
    matrices: OperationMatrices,
    wanted: Callable[[Step], bool],
    order: dict[int, int],
) -> Iterator[Pairing]:
    orders = matrices.actions.orders
    for op in moment:
        for site in op.joins:
            join(before, site, circuit.inputs[site], order)
        for site in op.leaves:
            join(after, site, TRACE, order)
    by_site: dict[int, Operation] = {op.sites[0]: op for op in moment}
    cells: list[_Cell] = []
    i = 0
    while i < len(before.sites):
        here = by_site.get(before.sites[i])
        count = 1 if here is None else len(here.sites)
        action = None if here is None else matrices.of(here)
        cells.append(_Cell(here, count, sites_tensor(before, i, count), sites_tensor(after, i, count), action))
        i += count
    if not cells:
        return
    # The network <readout after | all operations of the moment | state before> is a ladder. right[i] holds all cells to
    # the right of cell i, contracted, ``left`` those to its left, both with their operations applied; a cell itself is
    # left open on its sites, which gives the readout against the state around its operation.
    unit: Environment = {0: np.ones((1, 1, 1))}
    right = [unit]
    for cell in reversed(cells[1:]):
        right.append(_passed_left(cell, right[-1], orders))
    left = unit
    for cell in cells:
        environment = right.pop()
        seen = cell.operation is not None and any(wanted(s) for s in cell.operation.steps)
        dense = np.zeros((orders, 6**cell.sites, 6**cell.sites))
        passed: Environment = {}
        for (a, d), tensor in cell.before.items():
            b = together(a, d)
            if a not in left or (a, d) not in cell.after:
                continue
            readout = cell.after[a, d]
            through = _times(left[a], tensor, orders, _from_left)
            if seen and b in environment:
                whole = _times(through, environment[b], orders, _from_right)
                found = _times(readout, whole, orders, _overlap)
                at = matrices.states.of(cell.sites)[d]
                dense[: len(found), at[:, None], at] += found
            _add(passed, b, _times(cell.acted(d, through, orders), readout, orders, _closed_left))
        if seen and cell.operation is not None:
            yield from _step_pairings(cell.operation, dense, matrices.actions, wanted)
        left = passed


def _passed_left(cell: _Cell, environment: Environment, orders: int) -> Environment:
    out: Environment = {}
    for (a, d), tensor in cell.before.items():
        b = together(a, d)
        if b in environment and (a, d) in cell.after:
            seen = cell.acted(d, _times(tensor, environment[b], orders, _from_right), orders)
            _add(out, a, _times(seen, cell.after[a, d], orders, _closed_right))
    return out


def _add(environment: Environment, label: int, part: Real) -> None:
    environment[label] = environment[label] + part if label in environment else part


_SWAP = np.eye(36).reshape(6, 6, 36).transpose(1, 0, 2).reshape(36, 36)


def _combined(op: Operation, steps: Sequence[tuple[tuple[int, ...], Action]], orders: int) -> Real:
    """All steps of an operation as one, shape (orders, 6^k, 6^k)."""
    size = 6 ** len(op.sites)
    unit = np.zeros((1, size, size, orders))
    unit[0, :, :, 0] = np.eye(size)
    return np.moveaxis(acted(unit, op.sites, steps, backwards=False)[0], 2, 0)


def _step_pairings(
    op: Operation, overlaps: Real, actions: Actions, wanted: Callable[[Step], bool]
) -> Iterator[Pairing]:
    """From readout after and state before an operation to those after and before each of its steps."""
    # overlaps[p, q] pairs the readout after all steps with the state before all. Later steps pull the readout's index
    # back to just after this one (transposed action on p), earlier ones push the state's index up to just before it
    # (action on q).
    size = overlaps.shape[1]
    for number, step in enumerate(op.steps):
        if not wanted(step):
            continue
        early = [(s.sites, actions(s)) for s in op.steps[:number] if actions(s)]
        late = [(s.sites, actions(s)) for s in op.steps[number + 1 :] if actions(s)]
        # rows are the readout's index, columns the state's
        here = acted(np.moveaxis(overlaps, 0, 2)[None], op.sites, late, backwards=True)[0]
        here = acted(here.transpose(1, 0, 2)[None], op.sites, early, backwards=False)[0].transpose(1, 0, 2)
        here = np.moveaxis(here, 2, 0)
        yield Pairing(step, _reduced(here, step, op.sites, size))


def _reduced(overlaps: Real, step: Step, sites: tuple[int, ...], size: int) -> Real:
    orders = overlaps.shape[0]
    # A step on one of the two sites leaves the other one contracted: the trace over its index.
    if len(step.sites) < len(sites):
        four = overlaps.reshape(orders, 6, 6, 6, 6)
        overlaps = np.einsum("oabcb->oac" if step.sites[0] == sites[0] else "obabc->oac", four)
    elif step.sites != sites:
        overlaps = overlaps.reshape(orders, 6, 6, 6, 6).transpose(0, 2, 1, 4, 3).reshape(orders, size, size)
    diagonal = step.noise is not None and step.noise.is_diagonal
    return np.einsum("opp->op", overlaps) if diagonal else overlaps
