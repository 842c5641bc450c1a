"""Embeddings of a circuit's interaction graph into a device's coupling map, without SWAPs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

__all__ = ["Embeddings", "extend", "find_embeddings"]

_STEPS = 2_000_000
_STEPS_A_TRY = 4_000

Neighbours = Mapping[int, Collection[int]]


@dataclass(frozen=True)
class Embeddings:
    """Places for some circuit qubits on a device.

    Attributes:
        places: The site of each of the circuit qubits asked for, in their order, each at most once.
        complete: Whether these are all there are.
    """

    places: tuple[tuple[int, ...], ...]
    complete: bool


def find_embeddings(
    qubits: Sequence[int],
    pairs: Iterable[tuple[int, int]],
    couplers: Iterable[tuple[int, int]],
    sites: Iterable[int],
    limit: int,
    seed: int,
    sample: int | None = None,
) -> Embeddings:
    """Places on which every pair of circuit qubits that meet in a gate is coupled.

    All of them where there are at most ``limit`` (a depth-first search; its end is proof that there are no others),
    else a random sample (``sample`` of them): each from a random site, with the neighbours in random order.

    Args:
        qubits: The circuit qubits to be placed.
        pairs: Pairs of circuit qubits that meet in a gate; those with a qubit that is not to be placed are ignored.
        couplers: Coupled pairs of sites.
        sites: Sites that may be used.
        limit: Greatest number of places.
        seed: Of the sample.
        sample: Greatest number of places in a sample; by default ``limit``.

    Example:
        >>> found = find_embeddings([0, 1], [(0, 1)], [(0, 1), (1, 2)], range(3), limit=10, seed=0)
        >>> sorted(found.places), found.complete
        ([(0, 1), (1, 0), (1, 2), (2, 1)], True)
    """
    usable = sorted(set(sites))
    neighbours = _neighbours(couplers, usable)
    links = _neighbours(pairs, qubits)
    order = _order(qubits, links)
    found: dict[tuple[int, ...], None] = {}
    budget = [_STEPS]
    for place in _search(order, links, neighbours, {}, usable, budget):
        found[tuple(place[q] for q in qubits)] = None
        if len(found) > limit:
            break
    complete = len(found) <= limit and budget[0] > 0
    if complete:
        return Embeddings(tuple(found), True)
    # Each try starts anywhere and goes on in random order, so that the sample is not the corner of the device that a
    # depth-first search meets first.
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x1A70]))
    wanted = limit if sample is None else sample
    drawn: dict[tuple[int, ...], None] = {}
    for _ in range(2 * wanted):
        start = int(rng.choice(usable))
        shuffled = {site: rng.permutation(list(near)).tolist() for site, near in neighbours.items()}
        free = [start, *rng.permutation([site for site in usable if site != start]).tolist()]
        tries = [_STEPS_A_TRY]
        for place in _search(order, links, shuffled, {}, free, tries):
            drawn[tuple(place[q] for q in qubits)] = None
            break
        if len(drawn) >= wanted:
            break
    return Embeddings(tuple(drawn) or tuple(found)[:wanted], False)


def extend(
    place: Mapping[int, int],
    qubits: Sequence[int],
    pairs: Iterable[tuple[int, int]],
    couplers: Iterable[tuple[int, int]],
    sites: Iterable[int],
    most: int = 1,
) -> tuple[tuple[int, ...], ...]:
    """Sites of all circuit qubits, some of which have theirs already; none where none was found.

    Args:
        place: Site of each circuit qubit that has one.
        qubits: All circuit qubits.
        pairs: Pairs of them that meet in a gate.
        couplers: Coupled pairs of sites.
        sites: Sites that may be used.
        most: Greatest number of completions.
    """
    usable = sorted(set(sites))
    links = _neighbours(pairs, qubits)
    order = [q for q in _order(qubits, links, tuple(place)) if q not in place]
    budget = [_STEPS_A_TRY * 10]
    found = islice(_search(order, links, _neighbours(couplers, usable), place, usable, budget), most)
    return tuple(tuple(one[q] for q in qubits) for one in found)


def _neighbours(pairs: Iterable[tuple[int, int]], nodes: Iterable[int]) -> dict[int, list[int]]:
    inside = set(nodes)
    out: dict[int, set[int]] = {node: set() for node in sorted(inside)}
    for a, b in pairs:
        if a in inside and b in inside and a != b:
            out[a].add(b)
            out[b].add(a)
    return {node: sorted(near) for node, near in out.items()}


def _order(qubits: Sequence[int], links: Neighbours, first: Sequence[int] = ()) -> list[int]:
    """Each qubit after one that it meets, where there is such a one: breadth first."""
    out = list(first)
    seen = set(out)
    at = 0
    for root in sorted(qubits, key=lambda q: -len(links[q])):
        while at < len(out):
            for q in links[out[at]]:
                if q not in seen:
                    seen.add(q)
                    out.append(q)
            at += 1
        if root not in seen:
            seen.add(root)
            out.append(root)
    while len(out) < len(qubits):  # what hangs on the last root
        for q in links[out[at]]:
            if q not in seen:
                seen.add(q)
                out.append(q)
        at += 1
    return out


def _search(
    order: Sequence[int],
    links: Neighbours,
    neighbours: Neighbours,
    start: Mapping[int, int],
    free: Sequence[int],
    budget: list[int],
) -> Iterator[dict[int, int]]:
    """Depth first, one qubit of ``order`` after the other; ``budget`` holds the steps left and ends at 0."""
    # Backtracking without recursion: stack[i] holds the sites left to try for order[i]. A site is an option if it is
    # coupled to the sites of all neighbours placed before and has as many couplers as the qubit has partners.
    place = dict(start)
    used = set(place.values())
    near = {site: frozenset(sites) for site, sites in neighbours.items()}
    stack: list[Iterator[int]] = []

    def options(q: int) -> Iterator[int]:
        placed = [place[other] for other in links[q] if other in place]
        candidates = neighbours[placed[0]] if placed else free
        degree = len(links[q])
        return iter(
            [
                site
                for site in candidates
                if site not in used and len(near[site]) >= degree and all(site in near[other] for other in placed)
            ]
        )

    if not order:
        yield dict(place)
        return
    stack.append(options(order[0]))
    while stack:
        q = order[len(stack) - 1]
        if q in place:
            used.discard(place.pop(q))
        site = next(stack[-1], None)
        if site is None:
            stack.pop()
            continue
        budget[0] -= 1
        if budget[0] <= 0:
            return
        place[q] = site
        used.add(site)
        if len(stack) == len(order):
            yield dict(place)
        else:
            stack.append(options(order[len(stack)]))
