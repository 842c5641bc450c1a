"""Tensors of a matrix-product state of the replicas, block by block, and how a bond is cut.

A label is what every average conserves. The label of the bond to the right of a tensor is that of the bond to its left
and that of its sites together, and everything else is 0. A block belongs to a label to the left and one of the sites;
its axes are the orders of a power series (one where the tensor is not central), the sites' states of that label, the
left and the right bond's vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from equinoise.engines.replica.sites import DIFFERENCE, ODD

__all__ = [
    "Blocks",
    "Bond",
    "Labels",
    "States",
    "Truncation",
    "by_label",
    "closed",
    "fused",
    "isometries",
    "labels_of",
    "operated",
    "split",
    "together",
]

Real = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Index = npt.NDArray[np.intp]
# (label to the left, label of the sites) -> shape (orders, states, left, right)
Blocks = dict[tuple[int, int], Real]
# label -> number of vectors
Bond = dict[int, int]

# singular values below this share of the largest are rounding
_ROUNDING = 1e-13
# blocks up to this size are decomposed whole, and so are those of which half is wanted
_SMALL = 64
# of the singular values looked for in a block the share that may be kept without looking for more
_SEEN = 0.9


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


def together(a: int, b: int) -> int:
    """The label of two things with a label each."""
    return 2 * ((a >> 1) + (b >> 1)) + ((a ^ b) & 1)


@dataclass(frozen=True)
class States:
    """The coordinates of a site by label, and those of two neighbouring sites.

    Attributes:
        one: Label -> which of the six.
        two: Label -> which of the 36, the left site's the slower.
        parts: Label of two sites -> labels of each -> where in ``two`` their coordinates are.
    """

    one: dict[int, Index]
    two: dict[int, Index]
    parts: dict[int, dict[tuple[int, int], slice]]

    def of(self, sites: int) -> dict[int, Index]:
        """Coordinates of one site or two by label."""
        return self.one if sites == 1 else self.two


def by_label(labels: Labels) -> States:
    """The coordinates of a site, whose labels are given, and of two."""
    one = {int(g): np.flatnonzero(labels == g) for g in np.unique(labels)}
    found: dict[int, list[Index]] = {}
    parts: dict[int, dict[tuple[int, int], slice]] = {}
    for g, first in one.items():
        for h, second in one.items():
            label = together(g, h)
            start = sum(p.size for p in found.get(label, []))
            found.setdefault(label, []).append((6 * first[:, None] + second).ravel())
            parts.setdefault(label, {})[g, h] = slice(start, start + first.size * second.size)
    return States(one, {label: np.concatenate(some) for label, some in found.items()}, parts)


def fused(first: Blocks, second: Blocks, states: States) -> Blocks:
    """Two neighbouring tensors, at most one of them with several orders, as one of two sites."""
    # sum over the bond m of first[.., m] second[m, ..], for each label m of the bond one matrix product: blocks that
    # end in m are stacked as rows, those that start from m side by side as columns.
    left: dict[int, list[tuple[int, int, Real]]] = {}
    right: dict[int, list[tuple[int, Real]]] = {}
    for (a, g), t in first.items():
        left.setdefault(together(a, g), []).append((a, g, t))
    for (m, h), t in second.items():
        right.setdefault(m, []).append((h, t))
    out: Blocks = {}
    for m in left.keys() & right.keys():
        rows = [t.reshape(-1, t.shape[3]) for *_, t in left[m]]
        columns = [t.transpose(2, 0, 1, 3).reshape(t.shape[2], -1) for _, t in right[m]]
        product = np.concatenate(rows) @ np.concatenate(columns, axis=1)
        below = 0
        for a, g, t in left[m]:
            o, n, p, _ = t.shape
            row, below, after = slice(below, below + o * n * p), below + o * n * p, 0
            for h, u in right[m]:
                w, k, _, q = u.shape
                column, after = slice(after, after + w * k * q), after + w * k * q
                d = together(g, h)
                if (a, d) not in out:
                    out[a, d] = np.zeros((o * w, states.two[d].size, p, q))
                into = out[a, d][:, states.parts[d][g, h]].reshape(o, w, n, k, p, q, copy=False)
                into[...] = product[row, column].reshape(o, n, p, w, k, q).transpose(0, 3, 1, 4, 2, 5)
    return out


def operated(blocks: Blocks, action: Mapping[int, Real]) -> Blocks:
    """An action on a tensor: label of the sites -> matrices by order, shape (orders, states, states)."""
    out: Blocks = {}
    for (a, d), t in blocks.items():
        flat = t.reshape(*t.shape[:2], -1)
        moved = np.matmul(action[d][0], flat)
        for k, matrix in enumerate(action[d][1 : t.shape[0]], start=1):
            moved[k:] += np.matmul(matrix, flat[:-k])
        out[a, d] = moved.reshape(t.shape)
    return out


def closed(blocks: Blocks, vector: Real, states: States, sites: int, first: bool) -> Blocks:
    """Without one of a tensor's sites, contracted with a vector of label 0; without its only one, of one state."""
    values = vector[states.one[0]]
    if sites == 1:
        return {(a, 0): np.einsum("onlr,n->olr", t, values)[:, None] for (a, g), t in blocks.items() if g == 0}
    out: Blocks = {}
    for (a, d), t in blocks.items():
        span = states.parts[d].get((0, d) if first else (d, 0))
        if span is not None:
            shape = (len(t), values.size, -1, *t.shape[2:]) if first else (len(t), -1, values.size, *t.shape[2:])
            out[a, d] = np.einsum("onklr,n->oklr" if first else "oknlr,n->oklr", t[:, span].reshape(shape), values)
    return out


def split(
    blocks: Blocks, states: States, cut: Truncation, before: Bond, rightwards: bool
) -> tuple[Blocks, Blocks, Bond]:
    """A tensor of two sites as two of one, the bond between them cut; orders go to the right one or to the left one."""
    # The two-site tensor is block-diagonal in the label m of the bond between: rows (left bond, left site), columns
    # (right site, right bond). The factor that keeps no orders is the isometry; orders are columns on its other side,
    # so one set of bond vectors serves all orders and singular values weigh them together.
    rows: dict[int, dict[tuple[int, int], slice]] = {}
    columns: dict[int, dict[tuple[int, int], slice]] = {}
    pieces = []
    orders = 1
    for (a, d), t in blocks.items():
        orders, _, p, q = t.shape
        for (g, h), span in states.parts[d].items():
            m = together(a, g)
            n, k = states.one[g].size, states.one[h].size
            _extend(rows.setdefault(m, {}), (a, g), n * p)
            _extend(columns.setdefault(m, {}), (together(a, d), h), k * q)
            pieces.append((m, (a, g), (together(a, d), h), t[:, span].reshape(orders, n, k, p, q)))
    whole: dict[int, Real] = {}
    for m in sorted(rows):
        height, width = (max(s.stop for s in spans[m].values()) for spans in (rows, columns))
        whole[m] = np.zeros((height, orders, width) if rightwards else (orders, height, width))
    for m, row, column, piece in pieces:
        o, n, k, p, q = piece.shape
        at, over = rows[m][row], columns[m][column]
        if rightwards:
            into = whole[m][at, :, over].reshape(n, p, o, k, q, copy=False)
            into[...] = piece.transpose(1, 3, 0, 2, 4)
        else:
            into = whole[m][:, at, over].reshape(o, n, p, k, q, copy=False)
            into[...] = piece.transpose(0, 1, 3, 2, 4)
    flat = {m: w.reshape(len(w), -1) if rightwards else w.reshape(-1, w.shape[2]).T for m, w in whole.items()}
    first: Blocks = {}
    second: Blocks = {}
    bond: Bond = {}
    for m, (isometry, other) in isometries(flat, cut, before).items():
        size = bond[m] = isometry.shape[1]
        rest = other.reshape(size, orders, -1)
        for (a, g), at in rows[m].items():
            n = states.one[g].size
            if rightwards:
                first[a, g] = isometry[at].reshape(1, n, -1, size)
            else:
                first[a, g] = rest[:, :, at].reshape(size, orders, n, -1).transpose(1, 2, 3, 0)
        for (_, h), over in columns[m].items():
            k = states.one[h].size
            if rightwards:
                second[m, h] = rest[:, :, over].reshape(size, orders, k, -1).transpose(1, 2, 0, 3)
            else:
                second[m, h] = isometry[over].reshape(k, -1, size).transpose(0, 2, 1)[None]
    return first, second, bond


def _extend(spans: dict[tuple[int, int], slice], key: tuple[int, int], size: int) -> None:
    if key not in spans:
        start = max((s.stop for s in spans.values()), default=0)
        spans[key] = slice(start, start + size)


# -- cutting a bond ----------------------------------------------------------------------------------------------------


def isometries(
    matrices: Mapping[int, Real], cut: Truncation, before: Bond, *, reveal: bool = True
) -> dict[int, tuple[Real, Real]]:
    """Q and Q^T M of each block M of a block-diagonal matrix: the Q of orthonormal columns that lose least, cut.

    Args:
        matrices: Label -> block.
        cut: How many columns all Q together may have; gathers what was discarded.
        before: The bond as it was, for how many columns each label will take about.
        reveal: Whether columns that are not needed are left out even where no more than allowed would be there.

    Source:
        Randomized range finder with one power iteration: arXiv:0909.4061 (algorithm 4.4).
    """
    # The best cut to a given total dimension keeps the largest singular values of all blocks together, which no block
    # knows by itself: about as many as its label took before are computed in each, and more in those blocks where
    # nearly all that were computed are among the largest.
    most = sum(min(m.shape) for m in matrices.values())
    if most <= cut.bond and not reveal:
        cut.reached = max(cut.reached, most)
        parts = {label: np.linalg.qr(m) for label, m in matrices.items()}
        return {label: (q, r) for label, (q, r) in parts.items()}
    counts = {label: min(m.shape) for label, m in matrices.items()}
    if most > cut.bond:
        share = cut.bond / max(1, sum(before.values()))
        counts = {label: min(n, _with_margin(share * before.get(label, 0))) for label, n in counts.items()}
    found: dict[int, tuple[Real, Real]] = {}
    while counts:
        found |= {label: _greatest(matrices[label], count) for label, count in counts.items()}
        values = np.sort(np.concatenate([s for s, _ in found.values()]))[::-1]
        least = float(max(_ROUNDING * values[0], values[cut.bond] if values.size > cut.bond else 0.0))
        # where nearly all that was looked for is wanted there may be more
        counts = {
            label: min(2 * s.size, *matrices[label].shape)
            for label, (s, _) in found.items()
            if s.size < min(matrices[label].shape) and s[int(_SEEN * s.size)] > least
        }
    kept = {label: np.ascontiguousarray(u[:, s > least]) for label, (s, u) in found.items() if np.any(s > least)}
    if not kept:
        # nothing is there at all
        label = 0 if 0 in matrices else min(matrices)
        kept = {label: np.eye(len(matrices[label]), 1)}
    cut.reached = max(cut.reached, sum(q.shape[1] for q in kept.values()))
    _count(cut, matrices, {label: s for label, (s, _) in found.items()}, least)
    return {label: (q, q.T @ matrices[label]) for label, q in kept.items()}


def _with_margin(count: float) -> int:
    return 8 + int(1.25 * count)


def _greatest(matrix: Real, count: int) -> tuple[Real, Real]:
    """The greatest singular values, descending, with their left vectors: all of them, or about the number asked for."""
    if min(matrix.shape) <= max(_SMALL, 2 * count):
        vectors, values, _ = np.linalg.svd(matrix, full_matrices=False)
        return values, vectors
    # The range of M times a random matrix holds the leading singular vectors with overwhelming probability; one power
    # iteration M M^T sharpens their spectrum. The numbers are always the same, so results are reproducible.
    size = matrix.shape[1] * count
    probe = _normals(1 << (size - 1).bit_length())[:size].reshape(matrix.shape[1], count)
    columns = np.linalg.qr(matrix @ probe)[0]
    rows = np.linalg.qr(matrix.T @ columns)[0]
    columns = np.linalg.qr(matrix @ rows)[0]
    vectors, values, _ = np.linalg.svd(np.linalg.qr(matrix.T @ columns)[1].T)
    return values, columns @ vectors


@lru_cache(maxsize=4)
def _normals(size: int) -> Real:
    """Always the same normal numbers."""
    return np.random.default_rng(0).standard_normal(size)


def _count(cut: Truncation, matrices: Mapping[int, Real], values: Mapping[int, Real], least: float) -> None:
    """Adds the share of the squared norm in singular values that are not kept, known ones and those not looked for."""
    # Squared norm minus the squares that are kept: of blocks that were decomposed in part, the rest is known from the
    # norm.
    lost = total = 0.0
    for label, m in matrices.items():
        s = values[label]
        seen = float(s @ s)
        norm = seen if s.size == min(m.shape) else max(seen, float(np.vdot(m, m)))
        lost += norm - seen + float(np.sum(s[s <= least] ** 2))
        total += norm
    if total > 0:
        cut.discarded += lost / total
