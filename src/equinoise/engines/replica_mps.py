"""The replica average by matrix-product states: one sweep forwards, one backwards, and the pairings between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.engines.replica_actions import Action, Actions
from equinoise.engines.replica_chain import (
    Chain,
    Labels,
    PackedChain,
    Truncation,
    acted,
    join,
    labels_of,
    operate,
    pair_tensor,
    readout_chain,
)
from equinoise.engines.replica_circuit import ReplicaCircuit, Step
from equinoise.engines.replica_dense import Pairing
from equinoise.engines.replica_schedule import Operation, schedule
from equinoise.engines.replica_sites import DIFFERENCE, ODD, TRACE

__all__ = ["chain_pairings", "conserved_labels"]

Real = npt.NDArray[np.float64]
Series = list[Real | None]


def conserved_labels(circuit: ReplicaCircuit) -> Labels:
    """Which of the labels every input and every average conserves."""
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
    moments = schedule(circuit)
    order = {site: i for i, site in enumerate(circuit.order)}
    physical = conserved_labels(circuit)
    scalar = np.zeros(actions.orders)
    scalar[0] = 1.0
    state = Chain(physical, scalar=scalar)
    kept: list[PackedChain] = []
    acts = {id(op): [(step.sites, actions(step)) for step in op.steps if actions(step)] for m in moments for op in m}
    for moment in moments:
        kept.append(state.packed())
        cut.kept_bytes += kept[-1].bytes
        rightwards = _direction(state)
        for op in _ordered(moment, order, rightwards):
            joins = {site: circuit.inputs[site] for site in op.joins}
            leaves = dict.fromkeys(op.leaves, TRACE)
            operate(state, op, acts[id(op)], joins, leaves, order, cut, backwards=False, rightwards=rightwards)
        if progress is not None:
            progress(1)
    readout = readout_chain(circuit.readout_sites, circuit.readout, physical, actions.orders)
    started = {site for moment in moments for op in moment for site in op.joins}
    for site in circuit.readout_sites:
        if site not in started:
            _leave(readout, site, circuit.inputs[site], cut)
    for moment in reversed(moments):
        before = kept.pop().chain()
        if any(wanted(step) for op in moment for step in op.steps):
            yield from _moment_pairings(circuit, before, readout.copy(), moment, acts, actions, wanted, order, cut)
        rightwards = _direction(readout)
        for op in _ordered(moment, order, rightwards):
            joins = dict.fromkeys(op.leaves, TRACE)
            leaves = {site: circuit.inputs[site] for site in op.joins}
            operate(readout, op, acts[id(op)], joins, leaves, order, cut, backwards=True, rightwards=rightwards)
        if progress is not None:
            progress(1)


def _leave(chain: Chain, site: int, vector: Real, cut: Truncation) -> None:
    operation = Operation((site,))
    operate(chain, operation, [], {}, {site: vector}, {}, cut, backwards=True, rightwards=True)


@dataclass
class _Cell:
    """One operation, or one site that none acts on, in a moment: tensors by order before and after, and its action."""

    operation: Operation | None
    before: Series
    after: Series
    action: Series


def _by_order(chain: Chain, i: int, count: int, orders: int) -> Series:
    """Tensors (left, 6^k, right) of each order; those not central have order 0 alone."""
    if i <= chain.center < i + count:
        tensor = pair_tensor(chain, i, count)
        return [np.ascontiguousarray(tensor[..., k]) for k in range(tensor.shape[3])]
    if count == 1:
        return [chain.tensors[i], *[None] * (orders - 1)]
    a, b = chain.tensors[i], chain.tensors[i + 1]
    both = (a.reshape(-1, a.shape[2]) @ b.reshape(b.shape[0], -1)).reshape(a.shape[0], 36, b.shape[2])
    return [both, *[None] * (orders - 1)]


def _times(first: Series, second: Series, product: Callable[[Real, Real], Real]) -> Series:
    """The product of two power series whose coefficients are arrays."""
    out: Series = [None] * len(first)
    for i, a in enumerate(first):
        for j, b in enumerate(second[: len(first) - i]):
            if a is not None and b is not None:
                part = product(a, b)
                known = out[i + j]
                out[i + j] = part if known is None else known + part
    return out


def _moment_pairings(
    circuit: ReplicaCircuit,
    before: Chain,
    after: Chain,
    moment: Sequence[Operation],
    acts: dict[int, list[tuple[tuple[int, ...], Action]]],
    actions: Actions,
    wanted: Callable[[Step], bool],
    order: dict[int, int],
    cut: Truncation,
) -> Iterator[Pairing]:
    orders = actions.orders
    for op in moment:
        for site in op.joins:
            join(before, site, circuit.inputs[site], sum(order[s] < order[site] for s in before.sites))
        for site in op.leaves:
            join(after, site, TRACE, sum(order[s] < order[site] for s in after.sites))
    by_site: dict[int, Operation] = {op.sites[0]: op for op in moment}
    cells: list[_Cell] = []
    i = 0
    while i < len(before.sites):
        here = by_site.get(before.sites[i])
        count = 1 if here is None else len(here.sites)
        action: Series = [np.ones(6), *[None] * (orders - 1)]
        if here is not None:
            action = [_SWAP, *action[1:]] if here.swaps else _combined(here, acts[id(here)], orders)
        cells.append(_Cell(here, _by_order(before, i, count, orders), _by_order(after, i, count, orders), action))
        i += count
    unit: Series = [np.ones((1, 1)), *[None] * (orders - 1)]
    if not cells:
        return
    # environments from the right, shape (state bond, readout bond)
    right = [unit]
    for cell in reversed(cells[1:]):
        right.append(_passed_left(cell, right[-1]))
    left = unit
    for cell in cells:
        environment = right.pop()
        through = _times(left, cell.before, lambda e, t: np.tensordot(e, t, axes=(0, 0)))
        if cell.operation is not None and any(wanted(s) for s in cell.operation.steps):
            seen = _times(through, environment, lambda t, e: np.tensordot(t, e, axes=(2, 0)))
            total = _times(seen, cell.after, lambda t, b: np.tensordot(b, t, axes=((0, 2), (0, 2))))
            dense = np.stack([np.zeros((6 ** len(cell.operation.sites),) * 2) if t is None else t for t in total])
            yield from _step_pairings(cell.operation, dense, actions, wanted)
        moved = _times(cell.action, through, _apply)
        left = _times(moved, cell.after, lambda t, b: np.tensordot(t, b, axes=((0, 1), (0, 1))))


def _apply(matrix: Real, tensor: Real) -> Real:
    return matrix[None, :, None] * tensor if matrix.ndim == 1 else np.matmul(matrix, tensor)


def _passed_left(cell: _Cell, environment: Series) -> Series:
    seen = _times(cell.before, environment, lambda t, e: np.tensordot(t, e, axes=(2, 0)))
    moved = _times(cell.action, seen, _apply)
    return _times(moved, cell.after, lambda t, b: np.tensordot(t, b, axes=((1, 2), (1, 2))))


_SWAP = np.eye(36).reshape(6, 6, 36).transpose(1, 0, 2).reshape(36, 36)


def _combined(op: Operation, acts: Sequence[tuple[tuple[int, ...], Action]], orders: int) -> Series:
    """All steps of an operation as one action."""
    size = 6 ** len(op.sites)
    unit = np.zeros((1, size, size, orders))
    unit[0, :, :, 0] = np.eye(size)
    matrix = acted(unit, op.sites, acts, backwards=False)
    return [matrix[0, :, :, k] if np.any(matrix[..., k]) else None for k in range(orders)]


def _step_pairings(
    op: Operation, overlaps: Real, actions: Actions, wanted: Callable[[Step], bool]
) -> Iterator[Pairing]:
    """From readout after and state before an operation to those after and before each of its steps."""
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
    if len(step.sites) < len(sites):
        four = overlaps.reshape(orders, 6, 6, 6, 6)
        overlaps = np.einsum("oabcb->oac" if step.sites[0] == sites[0] else "obabc->oac", four)
    elif step.sites != sites:
        overlaps = overlaps.reshape(orders, 6, 6, 6, 6).transpose(0, 2, 1, 4, 3).reshape(orders, size, size)
    diagonal = step.noise is not None and step.noise.is_diagonal
    return np.einsum("opp->op", overlaps) if diagonal else overlaps
