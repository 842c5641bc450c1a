"""Which pairs of qubits a builder's layer acts on, and the sizes that builders take."""

from __future__ import annotations

from equinoise.errors import SourceError
from equinoise.limits import check_gates, check_qubits

__all__ = ["brickwork_bonds", "check_size", "tournament_round"]


def check_size(
    family: str,
    num_qubits: int,
    depth: int,
    *,
    least: int = 2,
    qubits: str = "num_qubits",
    layer_gates: int | None = None,
) -> None:
    """Refuses a builder's sizes below their least values, or beyond all reason.

    Args:
        family: Of circuits, for the message.
        num_qubits: What is given as the size.
        depth: Number of layers.
        least: Least size.
        qubits: Name of the size.
        layer_gates: About how many gates a layer has; two per qubit if not said.

    Raises:
        SourceError: num_qubits < least, depth < 1 or too many qubits.
        CircuitError: Too many gates.
    """
    if num_qubits < least or depth < 1:
        wrong = qubits if num_qubits < least else "depth"
        raise SourceError(f"{family} needs {qubits} >= {least} and depth >= 1, got {num_qubits} and {depth}.", wrong)
    check_qubits(num_qubits, f"this {family} circuit")
    check_gates(depth * (2 * num_qubits if layer_gates is None else layer_gates), f"this {family} circuit")


def brickwork_bonds(num_qubits: int, layer: int, periodic: bool) -> list[tuple[int, int]]:
    """The bonds (i, i+1) with i = layer mod 2, layer mod 2 + 2, ...; on a ring the odd layers also (n-1, 0)."""
    bonds = [(i, i + 1) for i in range(layer % 2, num_qubits - 1, 2)]
    if periodic and layer % 2 and num_qubits > 2:
        bonds.append((num_qubits - 1, 0))
    return bonds


def tournament_round(num_qubits: int, layer: int) -> list[tuple[int, int]]:
    """The pairs of one round of the circle method, ascending."""
    count = num_qubits - 1 + num_qubits % 2
    pairs = [((layer + i) % count, (layer - i) % count) for i in range(1, (count + 1) // 2)]
    if num_qubits % 2 == 0:
        pairs.append((layer % count, num_qubits - 1))
    return sorted((min(pair), max(pair)) for pair in pairs)
