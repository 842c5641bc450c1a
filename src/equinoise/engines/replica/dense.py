"""The replica average as one dense vector: 6^m numbers on the m sites that are active at a time.

A site joins when something first acts on it and leaves, by the trace, when nothing that follows sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.engines.replica.replicated_circuit import ReplicaCircuit, Step
from equinoise.engines.replica.site_actions import Actions
from equinoise.engines.replica.sites import TRACE

__all__ = ["Pairing", "dense_pairings", "greatest_play"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pairing:
    """A step between the states before it and the readouts after it.

    Attributes:
        step: The step.
        overlaps: Readout against state on all other sites, shape (orders, 6^k, 6^k) with the readout's index first, or
            its diagonal (orders, 6^k) where the step is diagonal noise.
    """

    step: Step
    overlaps: Real


@dataclass
class _State:
    """Orders of a vector on the active sites: shape (orders, 6, ..., 6), axes as ``sites``."""

    sites: list[int]
    array: Real


def _uses(circuit: ReplicaCircuit) -> tuple[dict[int, int], dict[int, int]]:
    """The first and the last step that sees each site; the readout is the step after all others."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for number, step in enumerate(circuit.steps):
        for site in step.sites:
            first.setdefault(site, number)
            last[site] = number
    for site in circuit.readout_sites:
        first.setdefault(site, len(circuit.steps))
        last[site] = len(circuit.steps)
    return first, last


def greatest_play(circuit: ReplicaCircuit) -> int:
    """The largest number of sites that are active at once."""
    first, last = _uses(circuit)
    numbers = range(len(circuit.steps) + 1)
    return max(sum(first[i] <= n <= last[i] for i in first) for n in numbers)


def _front(state: _State, sites: tuple[int, ...]) -> Real:
    """The orders with the axes of ``sites`` together in front: shape (orders, 6^k, rest)."""
    axes = [1 + state.sites.index(i) for i in sites]
    moved = np.moveaxis(state.array, axes, range(1, 1 + len(axes)))
    return moved.reshape(state.array.shape[0], 6 ** len(sites), -1)


def _acted(state: _State, step: Step, actions: Actions, backwards: bool) -> _State:
    action = actions(step)
    if not action:
        return state
    source = _front(state, step.sites)
    target = np.zeros_like(source)
    for order, matrix in enumerate(action):
        if matrix is None:
            continue
        for k in range(len(source) - order):
            if matrix.ndim == 1:
                target[k + order] += matrix[:, None] * source[k]
            else:
                target[k + order] += (matrix.T if backwards else matrix) @ source[k]
    rest = [i for i in state.sites if i not in step.sites]
    shape = (source.shape[0],) + (6,) * len(state.sites)
    return _State([*step.sites, *rest], target.reshape(shape))


def _joined(state: _State, site: int, vector: Real) -> _State:
    return _State([*state.sites, site], state.array[..., None] * vector)


def _left(state: _State, site: int, vector: Real) -> _State:
    axis = 1 + state.sites.index(site)
    rest = [i for i in state.sites if i != site]
    return _State(rest, np.tensordot(state.array, vector, axes=(axis, 0)))


def _scalar(orders: int) -> _State:
    array = np.zeros(orders)
    array[0] = 1.0
    return _State([], array)


def _readout(circuit: ReplicaCircuit, orders: int) -> _State:
    vector: Real = np.ones((1, 1))
    for tensor in circuit.readout:
        vector = np.tensordot(vector, tensor, axes=(-1, 0))
    shape = (6,) * len(circuit.readout_sites)
    array = np.zeros((orders, *shape))
    array[0] = vector.reshape(shape)
    return _State(list(circuit.readout_sites), array)


def _forward(
    circuit: ReplicaCircuit,
    state: _State,
    number: int,
    step: Step,
    actions: Actions,
    first: dict[int, int],
    last: dict[int, int],
) -> _State:
    state = _acted(_entered(circuit, state, number, step, first), step, actions, backwards=False)
    for site in step.sites:
        if last[site] == number:
            state = _left(state, site, TRACE)
    return state


def _entered(circuit: ReplicaCircuit, state: _State, number: int, step: Step, first: dict[int, int]) -> _State:
    for site in step.sites:
        if first[site] == number:
            state = _joined(state, site, circuit.inputs[site])
    return state


def _aligned(state: _State, sites: tuple[int, ...]) -> Real:
    return np.moveaxis(state.array, [1 + state.sites.index(i) for i in sites], range(1, 1 + len(sites)))


def dense_pairings(
    circuit: ReplicaCircuit,
    actions: Actions,
    wanted: Callable[[Step], bool],
    progress: Callable[[int], None] | None = None,
) -> Iterator[Pairing]:
    """The pairing of every wanted step, last step first.

    States are kept at the start of each layer and worked out again within it.

    Args:
        circuit: The compiled problem.
        actions: What the steps do.
        wanted: Which steps' pairings are asked for.
        progress: Called with 1 after each step, in each direction.
    """
    # One sweep forward that keeps the state at the start of each layer, one backward that pulls the readout through
    # transposed actions: each step meets the state before it and the readout after it. Within a layer states are worked
    # out again, which costs one more forward sweep and saves the memory of all steps.
    first, last = _uses(circuit)
    steps = circuit.steps
    starts = [n for n, step in enumerate(steps) if n == 0 or step.layer != steps[n - 1].layer]
    kept: list[_State] = []
    state = _scalar(actions.orders)
    for number, step in enumerate(steps):
        if number in starts:
            kept.append(state)
        state = _forward(circuit, state, number, step, actions, first, last)
        if progress is not None:
            progress(1)
    readout = _readout(circuit, actions.orders)
    for site in circuit.readout_sites:
        if first[site] == len(steps):
            readout = _left(readout, site, circuit.inputs[site])
    stop = len(steps)
    for start in reversed(starts):
        before = [kept.pop()]
        for number in range(start, stop - 1):
            before.append(_forward(circuit, before[-1], number, steps[number], actions, first, last))
        for number in range(stop - 1, start - 1, -1):
            step = steps[number]
            for site in step.sites:
                if last[site] == number:
                    readout = _joined(readout, site, TRACE)
            if wanted(step):
                entered = _entered(circuit, before.pop(), number, step, first)
                yield Pairing(step, _overlaps(readout, entered, step))
            else:
                before.pop()
            readout = _acted(readout, step, actions, backwards=True)
            for site in step.sites:
                if first[site] == number:
                    readout = _left(readout, site, circuit.inputs[site])
            if progress is not None:
                progress(1)
        stop = start


def _overlaps(readout: _State, state: _State, step: Step) -> Real:
    rest = tuple(i for i in state.sites if i not in step.sites)
    sites = (*step.sites, *rest)
    # E g_k^2 is linear in each block's average, and a parameter enters one block: with that block's D in place of its W
    # it is <readout| D |state>, so the sum over all other sites is formed once and serves every derivative of the
    # block. Orders of the two series combine as in Cauchy's product.
    orders = state.array.shape[0]
    shape = (orders, 6 ** len(step.sites), -1)
    b = _aligned(readout, sites).reshape(shape)
    f = _aligned(state, sites).reshape(shape)
    diagonal = step.noise is not None and step.noise.is_diagonal
    out = np.zeros((orders, *(b.shape[1:2] if diagonal else b.shape[1:2] * 2)))
    for i in range(orders):
        for j in range(orders - i):
            out[i + j] += np.einsum("pr,pr->p", b[i], f[j]) if diagonal else b[i] @ f[j].T
    return out
