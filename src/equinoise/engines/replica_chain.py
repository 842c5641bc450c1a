"""A matrix-product state of the replicas, block-sparse in what every average conserves.

Bonds carry the sum of x - y over the sites to their left, and whether the number of coordinates that are odd under
exchanging the replicas is odd. The orders of a power series sit on one more index of the central tensor, which is the
one that anything acts on, so that singular values are those of all orders together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import scipy.linalg

from equinoise.engines.replica_actions import Action
from equinoise.engines.replica_schedule import Operation
from equinoise.engines.replica_sites import DIFFERENCE, ODD

__all__ = ["Chain", "Labels", "PackedChain", "Truncation", "acted", "labels_of", "operate", "readout_chain"]

Real = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

# singular values below this share of the largest are rounding
_ROUNDING = 1e-13


@dataclass
class Truncation:
    """How a sweep cuts bonds, and what it cut so far.

    Attributes:
        bond: Greatest bond dimension.
        discarded: Sum over cuts of the discarded share of the squared norm.
        reached: Greatest bond dimension met.
        kept_bytes: Of the states kept along the way.
    """

    bond: int
    discarded: float = 0.0
    reached: int = 1
    kept_bytes: int = 0


def labels_of(*, differences: bool, parity: bool) -> Labels:
    """The label of each coordinate of a site: twice x - y, plus one if it is odd; 0 for what is not conserved."""
    return np.asarray(2 * DIFFERENCE * differences + ODD * parity, dtype=np.int64)


def _added(a: Labels, b: Labels) -> Labels:
    return np.asarray(2 * ((a >> 1) + (b >> 1)) + ((a ^ b) & 1))


def _taken(a: Labels, b: Labels) -> Labels:
    return np.asarray(2 * ((a >> 1) - (b >> 1)) + ((a ^ b) & 1))


@dataclass
class Chain:
    """A vector on the sites in play.

    Attributes:
        physical: Label of each coordinate of a site, shape (6,).
        sites: Along the chain.
        tensors: Shape (left, 6, right) each, the central one (left, 6, right, orders).
        bonds: Labels of the bonds, one more than sites.
        center: Which tensor is central.
        scalar: All there is without sites, shape (orders,).
    """

    physical: Labels
    sites: list[int] = field(default_factory=list)
    tensors: list[Real] = field(default_factory=list)
    bonds: list[Labels] = field(default_factory=lambda: [np.zeros(1, dtype=np.int64)])
    center: int = 0
    scalar: Real = field(default_factory=lambda: np.ones(1))

    def copy(self) -> Chain:
        """A chain that changes without this one; tensors are never changed in place."""
        return Chain(self.physical, self.sites[:], self.tensors[:], self.bonds[:], self.center, self.scalar)

    def inside(self, i: int) -> npt.NDArray[np.bool_]:
        """Which elements of a tensor (left, 6, right) its labels allow."""
        return np.asarray(_added(self.bonds[i][:, None], self.physical)[:, :, None] == self.bonds[i + 1])

    def packed(self) -> PackedChain:
        """Without the elements that labels forbid."""
        values = [tensor[self.inside(i)] for i, tensor in enumerate(self.tensors)]
        return PackedChain(replace(self, sites=self.sites[:], tensors=[], bonds=self.bonds[:]), values)


@dataclass
class PackedChain:
    """A chain in store.

    Attributes:
        frame: All but the tensors.
        values: Of each tensor the elements that labels allow.
    """

    frame: Chain
    values: list[Real]

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return sum(v.nbytes for v in self.values)

    def chain(self) -> Chain:
        """The chain again."""
        frame = self.frame
        tensors = []
        for i, values in enumerate(self.values):
            where = frame.inside(i)
            tensor = np.zeros((*where.shape, *values.shape[1:]))
            tensor[where] = values
            tensors.append(tensor)
        return replace(frame, tensors=tensors)


def _rank(order: Mapping[int, int], chain: Chain, site: int) -> int:
    """Where a site belongs among those in play."""
    return sum(order[s] < order[site] for s in chain.sites)


def join(chain: Chain, site: int, vector: Real, place: int) -> None:
    """A site in a product state, of label 0, between two others."""
    norm = float(np.linalg.norm(vector))
    if not chain.sites:
        chain.tensors = [vector[None, :, None, None] * chain.scalar]
        chain.bonds = [np.zeros(1, dtype=np.int64)] * 2
        chain.sites, chain.center = [site], 0
        return
    bond = chain.bonds[place]
    chain.tensors.insert(place, np.eye(bond.size)[:, None, :] * (vector / norm)[None, :, None])
    chain.bonds.insert(place, bond)
    chain.sites.insert(place, site)
    chain.center += place <= chain.center
    chain.tensors[chain.center] = chain.tensors[chain.center] * norm


def move(chain: Chain, target: int, cut: Truncation) -> None:
    """Makes another tensor central."""
    while chain.center != target:
        i = chain.center
        tensor = chain.tensors[i]
        if target > i:
            left = _added(chain.bonds[i][:, None], chain.physical).ravel()
            rows = tensor.reshape(tensor.shape[0] * 6, -1)
            q, rest, labels = _split(rows, left, np.repeat(chain.bonds[i + 1], tensor.shape[3]), cut, right=True)
            chain.tensors[i] = q.reshape(tensor.shape[0], 6, -1)
            rest = rest.reshape(-1, *tensor.shape[2:])
            chain.tensors[i + 1] = np.einsum("krm,rps->kpsm", rest, chain.tensors[i + 1], optimize=True)
            chain.bonds[i + 1] = labels
            chain.center += 1
        else:
            right = _taken(chain.bonds[i + 1][None, :], chain.physical[:, None]).ravel()
            wide = np.moveaxis(tensor, 3, 1).reshape(tensor.shape[0] * tensor.shape[3], -1)
            rest, q, labels = _split(wide, np.repeat(chain.bonds[i], tensor.shape[3]), right, cut, right=False)
            chain.tensors[i] = q.reshape(-1, 6, tensor.shape[2])
            rest = rest.reshape(tensor.shape[0], tensor.shape[3], -1)
            chain.tensors[i - 1] = np.einsum("apl,lmk->apkm", chain.tensors[i - 1], rest, optimize=True)
            chain.bonds[i] = labels
            chain.center -= 1


def _split(matrix: Real, rows: Labels, columns: Labels, cut: Truncation, *, right: bool) -> tuple[Real, Real, Labels]:
    """U and S V (right) or U S and V of a matrix that its labels make block-diagonal, cut, with the bond's labels."""
    parts = []
    for label in np.intersect1d(rows, columns):
        at, over = np.flatnonzero(rows == label), np.flatnonzero(columns == label)
        block = matrix[np.ix_(at, over)]
        parts.append((label, at, over, *scipy.linalg.svd(block, full_matrices=False, check_finite=False)))
    values = np.concatenate([s for *_, s, _ in parts])
    order = np.sort(values)[::-1]
    least = max(_ROUNDING * order[0], order[cut.bond] if order.size > cut.bond else 0.0)
    total = float(np.sum(order**2))
    kept = [int(np.count_nonzero(s > least)) for *_, s, _ in parts]
    size = max(1, sum(kept))
    first, second = np.zeros((matrix.shape[0], size)), np.zeros((size, matrix.shape[1]))
    labels = np.zeros(size, dtype=np.int64)
    start = 0
    for (label, at, over, u, s, v), count in zip(parts, kept, strict=True):
        if count:
            span = slice(start, start + count)
            first[at, span] = u[:, :count] if right else u[:, :count] * s[:count]
            second[span, over] = s[:count, None] * v[:count] if right else v[:count]
            labels[span] = label
            start += count
    if total > 0:
        cut.discarded += float(np.sum(order[order <= least] ** 2)) / total
    cut.reached = max(cut.reached, int(size))
    return first, second, labels


def acted(
    theta: Real, sites: tuple[int, ...], steps: Sequence[tuple[tuple[int, ...], Action]], backwards: bool
) -> Real:
    """Actions on a tensor of shape (left, 6^k, right, orders), one after the other, the last first if backwards."""
    count = len(sites)
    for where, action in reversed(steps) if backwards else steps:
        out = np.zeros_like(theta)
        for order, part in enumerate(action):
            if part is None:
                continue
            matrix = spread(part, where, sites, backwards)
            source = theta[..., : theta.shape[3] - order]
            if matrix.ndim == 1:
                moved = matrix[None, :, None, None] * source
            else:
                left, _, right, orders = source.shape
                moved = np.matmul(matrix, source.reshape(left, 6**count, right * orders)).reshape(source.shape)
            out[..., order:] += moved
        theta = out
    return theta


def spread(part: Real, where: tuple[int, ...], sites: tuple[int, ...], backwards: bool) -> Real:
    """A matrix or diagonal on some sites as one on all sites of an operation."""
    if part.ndim == 2 and backwards:
        part = part.T
    if where == sites:
        return part
    if len(where) == 2:
        if part.ndim == 1:
            return np.ascontiguousarray(part.reshape(6, 6).T).ravel()
        return np.ascontiguousarray(part.reshape(6, 6, 6, 6).transpose(1, 0, 3, 2)).reshape(36, 36)
    one = np.ones(6) if part.ndim == 1 else np.eye(6)
    return np.asarray(np.kron(part, one) if where[0] == sites[0] else np.kron(one, part), dtype=np.float64)


def operate(
    chain: Chain,
    operation: Operation,
    actions: Sequence[tuple[tuple[int, ...], Action]],
    joins: Mapping[int, Real],
    leaves: Mapping[int, Real],
    order: Mapping[int, int],
    cut: Truncation,
    *,
    backwards: bool,
    rightwards: bool,
) -> None:
    """An operation on a chain: sites join, the steps act, sites leave, the bond between is cut."""
    for site in operation.sites:
        if site in joins:
            join(chain, site, joins[site], _rank(order, chain, site))
    sites = operation.sites[::-1] if operation.swaps and backwards else operation.sites
    i = chain.sites.index(sites[0])
    move(chain, min(max(chain.center, i), i + len(sites) - 1), cut)
    theta = pair_tensor(chain, i, len(sites))
    if operation.swaps:
        left, _, right, orders = theta.shape
        theta = theta.reshape(left, 6, 6, right, orders).swapaxes(1, 2).reshape(theta.shape)
        chain.sites[i : i + 2] = sites[::-1]
    else:
        theta = acted(theta, operation.sites, actions, backwards)
    _replace(chain, i, theta, leaves, cut, rightwards)


def pair_tensor(chain: Chain, i: int, count: int) -> Real:
    """The tensors of one or two sites, one of them central, as (left, 6^k, right, orders)."""
    if count == 1:
        return chain.tensors[i]
    a, b = chain.tensors[i], chain.tensors[i + 1]
    left, right = a.shape[0], b.shape[2]
    if chain.center == i:
        moved = np.moveaxis(a, 3, 0).reshape(-1, a.shape[2]) @ b.reshape(b.shape[0], -1)
        return np.moveaxis(moved.reshape(a.shape[3], left, 36, right), 0, 3)
    moved = a.reshape(-1, a.shape[2]) @ b.reshape(b.shape[0], -1)
    return moved.reshape(left, 36, right, b.shape[3])


def _replace(chain: Chain, i: int, theta: Real, leaves: Mapping[int, Real], cut: Truncation, rightwards: bool) -> None:
    """Puts a tensor on one or two sites back, without those that leave."""
    count = 2 if theta.shape[1] == 36 else 1
    here = chain.sites[i : i + count]
    stay = [site for site in here if site not in leaves]
    left, _, right, orders = theta.shape
    theta = theta.reshape(left, *(6,) * count, right, orders)
    for axis in reversed(range(count)):
        if here[axis] in leaves:
            theta = np.tensordot(theta, leaves[here[axis]], axes=(1 + axis, 0))
    chain.sites[i : i + count] = stay
    if len(stay) == count == 2:
        rows = _added(chain.bonds[i][:, None], chain.physical).ravel()
        columns = _taken(chain.bonds[i + 2][None, :], chain.physical[:, None]).ravel()
        if rightwards:
            u, v, labels = _split(theta.reshape(left * 6, -1), rows, np.repeat(columns, orders), cut, right=True)
            pair = [u.reshape(left, 6, -1), v.reshape(-1, 6, right, orders)]
        else:
            turned = np.moveaxis(theta, 4, 2).reshape(left * 6 * orders, -1)
            u, v, labels = _split(turned, np.repeat(rows, orders), columns, cut, right=False)
            pair = [np.moveaxis(u.reshape(left, 6, orders, -1), 2, 3), v.reshape(-1, 6, right)]
        chain.tensors[i : i + 2] = pair
        chain.bonds[i + 1] = labels
        chain.center = i + rightwards
        return
    bonds = [chain.bonds[i], chain.bonds[i + count]]
    if stay:
        chain.tensors[i : i + count] = [theta]
        chain.bonds[i : i + count + 1] = bonds
        chain.center = i
        return
    del chain.tensors[i : i + count]
    if not chain.sites:
        chain.scalar = theta.reshape(orders)
        chain.bonds = [np.zeros(1, dtype=np.int64)]
        chain.center = 0
        return
    # theta is a matrix (left, right, orders) now, and goes into a neighbour
    if i < len(chain.sites):
        chain.bonds[i : i + count + 1] = [bonds[0]]
        chain.tensors[i] = np.einsum("lrm,rps->lpsm", theta, chain.tensors[i], optimize=True)
        chain.center = i
    else:
        chain.bonds[i : i + count + 1] = [bonds[1]]
        chain.tensors[i - 1] = np.einsum("apl,lrm->aprm", chain.tensors[i - 1], theta, optimize=True)
        chain.center = i - 1


def readout_chain(sites: Sequence[int], tensors: Sequence[Real], physical: Labels, orders: int) -> Chain:
    """A matrix product without labels as a chain, without what has another total label than 0, which no state has."""
    cut = Truncation(10**9)
    chain = Chain(physical, list(sites))
    labels = np.zeros(1, dtype=np.int64)
    bonds = [labels]
    for number, tensor in enumerate(tensors):
        ends = _added(labels[:, None], physical)
        final = number == len(tensors) - 1
        after = np.zeros(1, dtype=np.int64) if final else np.unique(ends)
        allowed = (ends[:, :, None] == after).astype(np.float64)
        left, _, right = tensor.shape
        wide = np.einsum("lpr,apb->laprb", tensor, allowed).reshape(left * labels.size, 6, right * after.size)
        chain.tensors.append(wide)
        labels = after
        bonds.append(np.tile(after, right))
    chain.bonds = bonds
    chain.center = len(sites) - 1
    first = np.zeros((*chain.tensors[-1].shape, orders))
    first[..., 0] = chain.tensors[-1]
    chain.tensors[-1] = first
    # a sweep to the left and back takes out what the bonds do not need
    move(chain, 0, cut)
    move(chain, len(sites) - 1, cut)
    return chain
