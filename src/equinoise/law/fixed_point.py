"""The noise's fixed point: what it leaves of the state, read off before any gradient is computed.

*untouched*: it leaves the sector alone; *classical*: it leaves the diagonal, a classical stochastic process;
*too mixed*: a maximally mixed state, and *too symmetric*: a pure one, both commuting with every generator;
*partly protected*: some coherences stay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from equinoise.engines.channel import Channel
from equinoise.engines.engine import Engine, Real
from equinoise.engines.exact import ExactEngine
from equinoise.reduction.program import Program
from equinoise.reduction.slot_program import SlotProgram, jump_weights

__all__ = ["FixedPoint", "fixed_point", "fixed_point_of_generators"]

_SMALL = 1e-7


@dataclass(frozen=True)
class FixedPoint:
    """The state that the noise of a slot leaves at s = infinity, worst slot first.

    Attributes:
        kind: "untouched", "classical", "too mixed", "too symmetric", "partly protected", or "no noise".
        purity: Tr sigma^2 of the fixed point sigma that a state of the circuit is sent to; NaN where only the
            generators were looked at.
        commutator: max over generators of ||[G_k, sigma]|| / ||[G_k, rho]||, rho the noiseless state; NaN likewise.
        coherence: Share of ||rho||^2's off-diagonal part that sigma keeps; NaN likewise.
    """

    kind: str
    purity: float
    commutator: float
    coherence: float


_ORDER = ("too symmetric", "too mixed", "classical", "partly protected", "untouched")


def fixed_point(engine: Engine, theta: Real) -> FixedPoint:
    """The fixed-point class from the state of the circuit at theta, shape (K,), radians.

    Where no density matrix is at hand, from the generators alone: :func:`fixed_point_of_generators`. Else each noisy
    slot's limit channel acts on the noiseless state after its layer, with the noise of all cone qubits. A slot whose
    fixed point commutes with every generator decides alone: nothing passes it.
    """
    program = engine.program
    if not isinstance(engine, ExactEngine):
        return fixed_point_of_generators(program)
    states = engine.final_states(theta, 0.0)
    found: list[FixedPoint] = []
    seen: set[object] = set()
    for number, rho in enumerate(states):
        slot = program.unrestricted_slot(number)
        if slot.empty or slot in seen:
            continue
        seen.add(slot)
        sigma = {q: array.copy() for q, array in rho.items()}
        Channel(program, slot, math.inf).apply(sigma)
        found.append(_classify(engine, theta, rho, sigma))
    if not found:
        return FixedPoint("no noise", math.nan, 1.0, 1.0)
    return min(found, key=lambda f: _ORDER.index(f.kind))


def fixed_point_of_generators(program: Program) -> FixedPoint:
    """The fixed-point class from the noise's generators, without any state; its numbers are NaN.

    Relaxation or depolarizing of every cone qubit in one slot leaves a product of one-qubit states with the excited
    populations up/(down + up). Diagonal noise leaves what no jump tells apart: with the jumps' weights as rows of W,
    and a row of ones for the charge, an element |x><y| lasts where W (z_x - z_y) = 0; so the diagonal alone lasts if W
    has rank w, and everything if all columns are equal. Phases correlated in time may cancel in later slots (echoes),
    so what they dephase counts as partly protected.
    """
    kinds = []
    for number in range(len(program.layers)):
        slot = program.unrestricted_slot(number)
        everywhere = [
            np.array([row.get(q, 0.0) for q in program.cone.qubits])
            for process in program.problem.processes
            for row in process.rows(number)
        ]
        phases = [weights for weights in everywhere if weights.any()]
        if slot.empty and not phases:
            continue
        kinds.append(_kind_of_generators(program, slot, phases))
    if not kinds:
        return FixedPoint("no noise", math.nan, 1.0, 1.0)
    return FixedPoint(min(kinds, key=_ORDER.index), math.nan, math.nan, math.nan)


def _kind_of_generators(program: Program, slot: SlotProgram, phases: list[Real]) -> str:
    down, up = np.zeros(program.width), np.zeros(program.width)
    for i, (falls, rises) in slot.relaxation:
        down[i] += falls
        up[i] += rises
    for qubits, rate in slot.depolarizing:
        down[list(qubits)] += rate
        up[list(qubits)] += rate
    for i, rate in slot.flips:
        down[i] += rate
        up[i] += rate
    if np.all(down + up > 0):
        excited = up / (down + up)
        entropy = -float(np.mean(np.log2(excited**2 + (1 - excited) ** 2)))
        return "too mixed" if entropy > 0.5 else "too symmetric"
    linear = [not parity or len(weights) == 1 for _, weights, parity in slot.jumps]
    rows = jump_weights(slot, program.width)[linear]
    matrix = np.stack([np.ones(program.width), *rows])
    level = np.abs(np.stack([*matrix, *phases]) - np.stack([*matrix, *phases])[:, :1]).max() < _SMALL
    if level and all(linear) and not np.any(down + up > 0):
        return "untouched"
    if np.linalg.matrix_rank(np.vstack([matrix, np.diag(down + up)])) == program.width:
        return "classical"
    return "partly protected"


def _classify(
    engine: ExactEngine, theta: Real, rho: dict[int | None, Real], sigma: dict[int | None, Real]
) -> FixedPoint:
    size = sum(float(np.sum(a**2)) for a in rho.values())
    change = sum(float(np.sum((sigma[q] - rho[q]) ** 2)) for q in rho)
    purity = sum(float(np.sum(a**2)) for a in sigma.values())
    diagonal = sum(float(np.sum(np.einsum("kii->ki", a[0]) ** 2)) for a in sigma.values())
    diagonal_before = sum(float(np.sum(np.einsum("kii->ki", a[0]) ** 2)) for a in rho.values())
    coherence = max(0.0, purity - diagonal) / max(size - diagonal_before, 1e-300)
    before = engine.commutator_norms(theta, rho)
    after = engine.commutator_norms(theta, sigma)
    active = before > _SMALL
    commutator = float(np.max(after[active] / before[active], initial=0.0))
    if change < _SMALL * size:
        kind = "untouched"
    elif float(np.max(after, initial=0.0)) < _SMALL:
        # a mixed fixed point has lost its entropy to the noise, a pure one its dependence on the parameters
        entropy = -math.log2(max(purity, 1e-300)) / engine.program.width
        kind = "too mixed" if entropy > 0.5 else "too symmetric"
    elif coherence < _SMALL:
        kind = "classical"
    else:
        kind = "partly protected"
    return FixedPoint(kind, purity, commutator, coherence)
