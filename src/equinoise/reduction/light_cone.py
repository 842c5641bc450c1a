"""The readout's backward light cone, noise included: which qubits, blocks and noise it sees."""

from __future__ import annotations

from dataclasses import dataclass

from equinoise.noise.terms import Slot
from equinoise.problem import Problem
from equinoise.readout import support

__all__ = ["LightCone", "light_cone"]


@dataclass(frozen=True)
class LightCone:
    """What the readout sees.

    Attributes:
        qubits: Circuit qubits of the whole cone, ascending.
        seen: Per layer, the qubits that the evolved readout acts on in the layer's noise slot.
        blocks: Per layer, the indices of the blocks inside the cone.
        slots: Per layer, the noise restricted to the seen qubits.
        parameters: Indices of the parameters of those blocks, ascending.
    """

    qubits: tuple[int, ...]
    seen: tuple[frozenset[int], ...]
    blocks: tuple[tuple[int, ...], ...]
    slots: tuple[Slot, ...]
    parameters: tuple[int, ...]

    @property
    def width(self) -> int:
        """Number of qubits w."""
        return len(self.qubits)


def light_cone(problem: Problem, *, everything: bool = False) -> LightCone:
    """Follows the readout backwards through blocks and noise.

    Most noise does not widen the cone: a trace-preserving generator acts on an operator through its own qubits only. A
    dephasing jump K = K_in + K_out gives -[K, [K, O]]/2 = -[K_in, [K_in, O]]/2, and a depolarizing or Pauli term is
    restricted to the seen qubits at the same rate. A general jump or Hamiltonian on two qubits, one of them seen, may
    carry the readout to the other (``reach``).

    Args:
        problem: The problem.
        everything: Take all qubits, blocks and noise, whatever the readout sees. A projected readout needs this when
            the noise changes the charge, since the projector then sees every qubit.
    """
    # Heisenberg picture: a block that the readout does not touch drops out, U^dag (O (x) 1) U = O (x) 1 on its qubits;
    # one that it touches spreads it over all of the block's qubits.
    now = set(range(problem.num_qubits)) if everything else set(support(problem.readout))
    seen: list[frozenset[int]] = []
    kept: list[tuple[int, ...]] = []
    for layer, slot in zip(reversed(problem.layers), reversed(problem.slots), strict=True):
        for term in reversed(slot.terms):
            now |= term.reach(now)
        seen.append(frozenset(now))
        inside: list[int] = []
        for i in range(len(layer.blocks) - 1, -1, -1):
            qubits = layer.blocks[i].qubits
            if not now.isdisjoint(qubits):
                inside.append(i)
                now |= set(qubits)
        kept.append(tuple(reversed(inside)))
    seen.reverse()
    kept.reverse()
    slots: list[Slot] = []
    for number, (slot, there) in enumerate(zip(problem.slots, seen, strict=True)):
        again = number > 0 and slot is problem.slots[number - 1] and there == seen[number - 1]
        slots.append(slots[-1] if again else slot.restricted(there))
    parameters = {
        k
        for layer, indices in zip(problem.layers, kept, strict=True)
        for i in indices
        for rotation in layer.blocks[i].rotations
        for k, _ in rotation.angle.coefficients
    }
    return LightCone(tuple(sorted(now)), tuple(seen), tuple(kept), tuple(slots), tuple(sorted(parameters)))
