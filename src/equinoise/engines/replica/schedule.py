"""The order in which a matrix-product state takes a circuit: moments of operations on neighbours along the chain.

Steps on the sites of one operation are taken together; each operation comes as early as what it follows allows,
barriers or not, so that a staircase runs as a wave. Sites that lie between two that act together are swapped out of the
way, which a folded ring needs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from equinoise.engines.replica.replicated_circuit import ReplicaCircuit, Step

__all__ = ["Operation", "schedule"]


@dataclass
class Operation:
    """What happens at once to one site or to two neighbours.

    Attributes:
        sites: Left and right along the chain as it stands before.
        steps: In time order.
        swaps: Whether the two sites change places afterwards.
        joins: Sites that nothing acted on before.
        leaves: Sites that nothing sees afterwards.
    """

    sites: tuple[int, ...]
    steps: list[Step] = field(default_factory=list)
    swaps: bool = False
    joins: set[int] = field(default_factory=set)
    leaves: set[int] = field(default_factory=set)


def schedule(circuit: ReplicaCircuit) -> list[list[Operation]]:
    """Moments in time order, each with operations on sites of their own."""
    position = {site: i for i, site in enumerate(circuit.order)}
    last_step = {site: n for n, step in enumerate(circuit.steps) for site in step.sites}
    last_step |= dict.fromkeys(circuit.readout_sites, len(circuit.steps))
    clock = [0] * circuit.width
    latest: dict[int, Operation] = {}
    moments: list[list[Operation]] = []
    begun: set[int] = set()

    def place(operation: Operation, span: range) -> None:
        moment = max(clock[i] for i in span)
        while len(moments) <= moment:
            moments.append([])
        moments[moment].append(operation)
        for i in span:
            clock[i] = moment + 1
        for site in operation.sites:
            if site not in begun:
                operation.joins.add(site)
                begun.add(site)
            latest[site] = operation

    # A step joins the operation before it if that is the latest on all its sites. Else it starts one in the first
    # moment in which its sites, and all between them on the chain, are free: operations of a moment are disjoint and
    # commute. Sites in between that matter are swapped past the left one, and back afterwards.
    for number, step in enumerate(circuit.steps):
        found = latest.get(step.sites[0])
        if found is not None and not found.swaps and all(latest.get(s) is found for s in step.sites):
            found.steps.append(step)
            continue
        ordered = tuple(sorted(step.sites, key=position.__getitem__))
        span = range(position[ordered[0]], position[ordered[-1]] + 1)
        between = [s for s in (circuit.order[i] for i in span[1:-1]) if s in begun and last_step[s] >= number]
        left = ordered[0]
        for site in between:
            place(Operation((left, site), swaps=True), span)
        place(Operation(ordered, [step]), span)
        for site in reversed(between):
            place(Operation((site, left), swaps=True), span)
    for site, operation in latest.items():
        if site not in circuit.readout_sites:
            operation.leaves.add(site)
    return moments
