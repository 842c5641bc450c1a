"""A matrix-product state of the replicas, block-sparse in what every average conserves.

Bonds carry the sum of x - y over the sites to their left, and whether the number of coordinates that are odd under
exchanging the replicas is odd. The orders of a power series sit on one more index of the central tensor, which is the
one that anything acts on, so that singular values are those of all orders together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from equinoise.engines.replica.schedule import Operation
from equinoise.engines.replica.tensor import (
    Blocks,
    Bond,
    States,
    Truncation,
    closed,
    fused,
    isometries,
    operated,
    split,
    together,
)

__all__ = ["Chain", "Effect", "join", "operate", "readout_chain", "sites_tensor"]

Real = npt.NDArray[np.float64]


@dataclass
class Chain:
    """A vector on the active sites: those that a step acted on and that a later step still sees.

    Attributes:
        states: The coordinates of a site by label.
        sites: Along the chain.
        tensors: One a site; only the central one has orders.
        bonds: One more than sites.
        center: Which tensor is central.
        scalar: All there is without sites, shape (orders,).
    """

    states: States
    sites: list[int] = field(default_factory=list)
    tensors: list[Blocks] = field(default_factory=list)
    bonds: list[Bond] = field(default_factory=lambda: [{0: 1}])
    center: int = 0
    scalar: Real = field(default_factory=lambda: np.ones(1))

    def copy(self) -> Chain:
        """A chain that changes without this one; tensors are never changed in place."""
        return Chain(self.states, self.sites[:], self.tensors[:], self.bonds[:], self.center, self.scalar)

    def bytes_beyond(self, other: Chain | None) -> int:
        """Memory that it takes where another chain is kept as well."""
        shared = set() if other is None else {id(t) for t in other.tensors}
        return sum(block.nbytes for t in self.tensors if id(t) not in shared for block in t.values())


def _rank(order: Mapping[int, int], chain: Chain, site: int) -> int:
    """Where a site belongs among the active ones."""
    return sum(order[s] < order[site] for s in chain.sites)


def join(chain: Chain, site: int, vector: Real, order: Mapping[int, int]) -> None:
    """A site in a product state, of label 0."""
    # A product state changes no bond: its tensor is the identity on the bond times the unit vector, which is an
    # isometry from either side; the norm goes to the central tensor, so that the chain stays canonical.
    norm = float(np.linalg.norm(vector))
    of_label: dict[int, Real] = {}
    for g, coordinates in chain.states.one.items():
        if np.any(vector[coordinates]):
            of_label[g] = vector[coordinates][None, :, None, None] / norm
    if not chain.sites:
        chain.tensors = [{(0, g): v * norm * chain.scalar[:, None, None, None] for g, v in of_label.items()}]
        chain.bonds = [{0: 1}] * 2
        chain.sites, chain.center = [site], 0
        return
    place = _rank(order, chain, site)
    bond = chain.bonds[place]
    chain.tensors.insert(place, {(a, g): np.eye(n) * v for a, n in bond.items() for g, v in of_label.items()})
    chain.bonds.insert(place, bond)
    chain.sites.insert(place, site)
    chain.center += place <= chain.center
    chain.tensors[chain.center] = {key: t * norm for key, t in chain.tensors[chain.center].items()}


def move(chain: Chain, target: int, cut: Truncation, *, reveal: bool = False) -> None:
    """Makes another tensor central; with reveal, bonds lose what they do not need on the way."""
    # The central tensor is split into an isometry, which stays, and a rest, which the neighbour takes up. With all
    # other tensors isometries towards the centre, the centre's norm is the state's, and a cut there loses exactly the
    # singular values that are dropped.
    while chain.center != target:
        i = chain.center
        rightwards = target > i
        tensor = chain.tensors[i]
        keys: dict[int, list[tuple[int, int]]] = {}
        for a, g in sorted(tensor):
            keys.setdefault(together(a, g) if rightwards else a, []).append((a, g))
        orders = next(iter(tensor.values())).shape[0]
        flat: dict[int, Real] = {}
        for m, some in sorted(keys.items()):
            parts = [tensor[key] for key in some]
            if rightwards:
                flat[m] = np.concatenate([t.transpose(1, 2, 0, 3).reshape(-1, orders * t.shape[3]) for t in parts])
            else:
                flat[m] = np.concatenate([t.transpose(1, 3, 0, 2).reshape(-1, orders * t.shape[2]) for t in parts])
        found = isometries(flat, cut, chain.bonds[i + rightwards], reveal=reveal)
        site: Blocks = {}
        for m, (isometry, _) in found.items():
            start = 0
            for key in keys[m]:
                _, n, left, right = tensor[key].shape
                end = start + n * (left if rightwards else right)
                block = isometry[start:end].reshape(n, -1, isometry.shape[1])
                site[key] = (block if rightwards else block.transpose(0, 2, 1))[None]
                start = end
        rest = {(m, 0): r.reshape(len(r), orders, 1, -1).transpose(1, 2, 0, 3) for m, (_, r) in found.items()}
        if not rightwards:
            rest = {key: r.transpose(0, 1, 3, 2) for key, r in rest.items()}
        chain.tensors[i] = site
        chain.bonds[i + rightwards] = {m: q.shape[1] for m, (q, _) in found.items()}
        chain.center += 1 if rightwards else -1
        _absorb(chain, chain.center, rest, rightwards)


def _absorb(chain: Chain, i: int, matrix: Blocks, from_left: bool) -> None:
    """A matrix on a bond, of one state, into the tensor to its right or to its left."""
    into = chain.tensors[i]
    if from_left:
        chain.tensors[i] = {(a, g): np.matmul(matrix[a, 0], t) for (a, g), t in into.items() if (a, 0) in matrix}
    else:
        ends = {(a, g): (together(a, g), 0) for a, g in into}
        chain.tensors[i] = {key: np.matmul(t, matrix[ends[key]]) for key, t in into.items() if ends[key] in matrix}


def sites_tensor(chain: Chain, i: int, count: int) -> Blocks:
    """The tensor of one or two neighbouring sites."""
    return chain.tensors[i] if count == 1 else fused(chain.tensors[i], chain.tensors[i + 1], chain.states)


class Effect(NamedTuple):
    """What an operation does to a chain.

    Attributes:
        action: Label of the sites -> matrices by order, shape (orders, states, states); None: it does not act.
        joins: Sites that come in a product state.
        leaves: Sites that go, contracted with a vector.
    """

    action: Mapping[int, Real] | None
    joins: Mapping[int, Real]
    leaves: Mapping[int, Real]


def operate(
    chain: Chain,
    operation: Operation,
    effect: Effect,
    order: Mapping[int, int],
    cut: Truncation,
    *,
    backwards: bool,
    rightwards: bool,
) -> None:
    """An operation on a chain: sites join, it acts, sites leave, the bond between is cut.

    Args:
        chain: Changed.
        operation: Whose sites.
        effect: What it does.
        order: Of all sites along the chain.
        cut: How bonds are cut; gathers what was cut.
        backwards: Whether the sites stand as they do after the operation.
        rightwards: Whether the right one of two sites is central afterwards.
    """
    action, joins, leaves = effect
    # The centre is moved to the sites first, so that the cut after the action is the best one in the norm of the whole
    # state. Sites that leave are contracted with the trace (or, backwards, with their input) before the bond is cut.
    for site in operation.sites:
        if site in joins:
            join(chain, site, joins[site], order)
    sites = operation.sites[::-1] if operation.swaps and backwards else operation.sites
    count = len(sites)
    i = chain.sites.index(sites[0])
    move(chain, min(max(chain.center, i), i + count - 1), cut)
    theta = sites_tensor(chain, i, count)
    if action is not None:
        theta = operated(theta, action)
    if operation.swaps:
        chain.sites[i : i + 2] = sites[::-1]
    here = chain.sites[i : i + count]
    stay = here[:]
    for site in here[::-1]:
        if site in leaves:
            theta = closed(theta, leaves[site], chain.states, len(stay), first=site == stay[0])
            stay.remove(site)
    chain.sites[i : i + count] = stay
    ends = [chain.bonds[i], chain.bonds[i + count]]
    if len(stay) == 2:
        first, second, chain.bonds[i + 1] = split(theta, chain.states, cut, chain.bonds[i + 1], rightwards)
        chain.tensors[i : i + 2] = [first, second]
        chain.center = i + rightwards
    elif stay:
        chain.tensors[i : i + count] = [theta]
        chain.bonds[i : i + count + 1] = ends
        chain.center = i
    else:
        del chain.tensors[i : i + count]
        _bridge(chain, i, count, theta)


def _bridge(chain: Chain, i: int, count: int, matrix: Blocks) -> None:
    """What sites that have left leave behind, a matrix between two bonds, goes into a neighbour."""
    if not chain.sites:
        chain.scalar = matrix[0, 0].reshape(-1) if (0, 0) in matrix else np.zeros_like(chain.scalar)
        chain.bonds = [{0: 1}]
        chain.center = 0
    elif i < len(chain.sites):
        chain.bonds[i : i + count + 1] = [chain.bonds[i]]
        chain.center = i
        _absorb(chain, i, matrix, True)
    else:
        chain.bonds[i : i + count + 1] = [chain.bonds[i + count]]
        chain.center = i - 1
        _absorb(chain, i - 1, matrix, False)


def readout_chain(sites: Sequence[int], tensors: Sequence[Real], states: States, orders: int) -> Chain:
    """A matrix product without labels as a chain, without what has another total label than 0, which no state has."""
    cut = Truncation(10**9)
    chain = Chain(states, list(sites))
    reached = {0}
    # A label is conserved by every average, and the state has the total label 0; so of the readout only what adds up to
    # 0 along the chain can be seen by a state.
    for number, tensor in enumerate(tensors):
        blocks: Blocks = {}
        for a in sorted(reached):
            for g, coordinates in states.one.items():
                if number < len(tensors) - 1 or together(a, g) == 0:
                    blocks[a, g] = tensor[:, coordinates].transpose(1, 0, 2)[None]
        reached = {together(*key) for key in blocks}
        chain.tensors.append(blocks)
        chain.bonds.append({a: int(tensor.shape[2]) for a in sorted(reached)})
    chain.center = len(sites) - 1
    rest = ((0, orders - 1), (0, 0), (0, 0), (0, 0))
    chain.tensors[-1] = {key: np.pad(t, rest) for key, t in chain.tensors[-1].items()}
    # a sweep to the left and back takes out what the bonds do not need
    move(chain, 0, cut, reveal=True)
    move(chain, len(sites) - 1, cut, reveal=True)
    return chain
