"""One gate of the replica engine with its cut, by symmray's block-sparse arrays: the same tensors, labels and bond.

symmray has no symmetry U(1) x Z2, so one is stated. Its arrays are given the gate as a tensor of four legs; the pair is
contracted, the gate applied, the cut made by its truncated singular value decomposition, values going to the right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import symmray as sr
from symmray.symmetries import U1U1

import equinoise as eq
from equinoise.engines.replica.chain import Chain, move, operate
from equinoise.engines.replica.matrix_product import OperationMatrices, conserved_labels
from equinoise.engines.replica.replicated_circuit import compile_replicas
from equinoise.engines.replica.schedule import schedule
from equinoise.engines.replica.site_actions import at_scale
from equinoise.engines.replica.sites import TRACE
from equinoise.engines.replica.tensor import (
    Blocks,
    Bond,
    States,
    Truncation,
    by_label,
    fused,
    operated,
    split,
    together,
)
from equinoise.reduction.program import compile_problem

__all__ = ["ReplicaGate", "our_gate", "symmray_gate", "widest_gate"]


@dataclass(frozen=True)
class ReplicaGate:
    """Two neighbouring tensors of a state under way, the gate that comes next, and how far to cut."""

    states: States
    first: Blocks
    second: Blocks
    bonds: tuple[Bond, Bond, Bond]
    matrices: dict[int, np.ndarray]
    bond: int


def widest_gate(problem: eq.Problem, bond: int) -> ReplicaGate:
    """The first gate forwards all of whose three bonds are full."""
    circuit = compile_replicas(compile_problem(problem))
    order = {site: i for i, site in enumerate(circuit.order)}
    states = by_label(conserved_labels(circuit))
    matrices = OperationMatrices(states, at_scale(1.0))
    chain, cut = Chain(states), Truncation(bond)
    for moment in schedule(circuit):
        for op in sorted(moment, key=lambda op: order[op.sites[0]]):
            if len(op.sites) == 2 and not op.joins and not op.leaves:
                here = chain.copy()
                i = here.sites.index(op.sites[0])
                move(here, min(max(here.center, i), i + 1), cut)
                bonds = (here.bonds[i], here.bonds[i + 1], here.bonds[i + 2])
                if all(sum(b.values()) == bond for b in bonds):
                    return ReplicaGate(states, here.tensors[i], here.tensors[i + 1], bonds, matrices.of(op), bond)
            joins = {site: circuit.inputs[site] for site in op.joins}
            leaves = dict.fromkeys(op.leaves, TRACE)
            operate(chain, op, matrices.of(op), joins, leaves, order, cut, backwards=False, rightwards=True)
    raise ValueError(f"no gate of this circuit has bonds of dimension {bond} on both sides and within.")


def our_gate(gate: ReplicaGate) -> float:
    """The norm that is kept, by the engine's own blocks."""
    theta = operated(fused(gate.first, gate.second, gate.states), gate.matrices)
    _, rest, _ = split(theta, gate.states, Truncation(gate.bond), gate.bonds[1], True)
    return float(np.sqrt(sum(np.vdot(t, t) for t in rest.values())))


class _DifferenceAndParity(U1U1):
    """Charges (x - y, parity): the first adds up, the second modulo 2."""

    __slots__ = ()

    def combine(self, *charges):
        return sum(c[0] for c in charges), sum(c[1] for c in charges) % 2

    def sign(self, charge, dual=True):
        return (-charge[0] if dual else charge[0]), charge[1] % 2

    def parity(self, charge):
        return 0


def _charge(label: int) -> tuple[int, int]:
    return label >> 1, label & 1


def symmray_gate(gate: ReplicaGate) -> Callable[[], float]:
    """The same by symmray, its arrays built beforehand."""
    site = np.zeros(6, dtype=int)
    for label, coordinates in gate.states.one.items():
        site[coordinates] = label
    physical = [_charge(int(label)) for label in site]
    left, middle, right = ([_charge(m) for m, n in bond.items() for _ in range(n)] for bond in gate.bonds)
    matrix = np.zeros((36, 36))
    for label, coordinates in gate.states.two.items():
        matrix[np.ix_(coordinates, coordinates)] = gate.matrices[label][0]

    def array(dense, maps, duals):
        return sr.AbelianArray.from_dense(
            dense, index_maps=maps, duals=duals, charge=(0, 0), symmetry=_DifferenceAndParity(), invalid_sectors="raise"
        )

    inwards = [False, False, True]
    a = array(_whole(gate.first, *gate.bonds[:2], gate.states), [left, physical, middle], inwards)
    b = array(_whole(gate.second, *gate.bonds[1:], gate.states), [middle, physical, right], inwards)
    legs = np.where(np.abs(matrix) < 1e-13, 0.0, matrix).reshape(6, 6, 6, 6)
    acting = array(legs, [physical] * 4, [False, False, True, True])

    def run() -> float:
        theta = sr.tensordot(a, b, axes=((2,), (0,)))
        theta = sr.transpose(sr.tensordot(theta, acting, axes=((1, 2), (2, 3))), (0, 2, 3, 1))
        pair = theta.fuse((0, 1), (2, 3))
        first, _, rest = sr.linalg.svd_truncated(pair, cutoff=1e-13, max_bond=gate.bond, absorb="right")
        first.unfuse(0)
        return float(np.sqrt(sum(np.sum(block**2) for block in rest.unfuse(1).get_all_blocks())))

    return run


def _whole(blocks: Blocks, left: Bond, right: Bond, states: States) -> np.ndarray:
    """A tensor of shape (left, 6, right) without blocks."""
    starts = [dict(zip(b, np.cumsum([0, *b.values()]).tolist(), strict=False)) for b in (left, right)]
    out = np.zeros((sum(left.values()), 6, sum(right.values())))
    for (a, g), t in blocks.items():
        m, n = starts[0][a], starts[1][together(a, g)]
        out[m : m + t.shape[2], states.one[g], n : n + t.shape[3]] = t[0].transpose(1, 0, 2)
    return out
