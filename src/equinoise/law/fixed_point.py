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
from equinoise.engines.exact import ExactEngine, Real

__all__ = ["FixedPoint", "fixed_point"]

_SMALL = 1e-7


@dataclass(frozen=True)
class FixedPoint:
    """The state that the noise of a slot leaves at s = infinity, worst slot first.

    Attributes:
        kind: "untouched", "classical", "too mixed", "too symmetric", "partly protected", or "no noise".
        purity: Tr sigma^2 of the fixed point sigma that a state of the circuit is sent to.
        commutator: max over generators of ||[G_k, sigma]|| / ||[G_k, rho]||, rho the noiseless state.
        coherence: Share of ||rho||^2's off-diagonal part that sigma keeps.
    """

    kind: str
    purity: float
    commutator: float
    coherence: float


def fixed_point(engine: ExactEngine, theta: Real) -> FixedPoint:
    """The fixed-point class from the state of the circuit at theta, shape (K,), radians.

    Each noisy slot's limit channel acts on the noiseless state after its layer, with the noise of all cone qubits.
    A slot whose fixed point commutes with every generator decides alone: nothing passes it.
    """
    program = engine.program
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
    order = ["too symmetric", "too mixed", "classical", "partly protected", "untouched"]
    return min(found, key=lambda f: order.index(f.kind))


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
