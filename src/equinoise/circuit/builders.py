"""Builders of charge-conserving and other equivariant circuits, as ``qiskit.QuantumCircuit`` with parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import rustworkx as rx
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import CPhaseGate, RZGate, RZZGate, XXPlusYYGate

from equinoise.circuit.couplings import brickwork_bonds, check_size, tournament_round
from equinoise.circuit.equivariant_builders import (
    exchange,
    fermi_hubbard,
    parity_conserving,
    permutation_equivariant,
    singlet_pairs,
    translation_invariant,
)
from equinoise.circuit.layers import end_layer
from equinoise.errors import SourceError

__all__ = [
    "all_to_all",
    "brickwork",
    "exchange",
    "fermi_hubbard",
    "ladder",
    "lattice",
    "parity_conserving",
    "permutation_equivariant",
    "ring",
    "singlet_pairs",
    "translation_invariant",
]


def brickwork(
    num_qubits: int,
    depth: int,
    *,
    periodic: bool = False,
    interaction: Literal["rzz", "cphase", "none"] = "rzz",
    phase: bool = False,
    shared: bool = False,
) -> QuantumCircuit:
    """Brickwork of charge-conserving blocks with a full-width barrier after each layer.

    Layer l acts on the bonds (i, i+1) with i = l mod 2, l mod 2 + 2, ...; each block is ``XXPlusYYGate(theta)`` =
    exp(-i theta (XX + YY)/4), then the interaction; then RZ on every qubit. Without interaction and with a Z readout
    the circuit is one of free fermions.

    Args:
        num_qubits: Number of qubits n >= 2.
        depth: Number of layers >= 1, even and odd bonds in turn.
        periodic: Also the bond (n-1, 0); needs an even n.
        interaction: "rzz" for ``RZZGate``, "cphase" for ``CPhaseGate``, "none" for free fermions.
        phase: Whether XXPlusYY carries its second angle beta as a parameter.
        shared: One parameter per layer and kind of gate instead of one per gate.

    Returns:
        The circuit; its parameters are theta[0], theta[1], ... in gate order.

    Raises:
        SourceError: A size below its least value, an odd ring, or an unknown interaction.

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.brickwork(4, depth=2)
        >>> circuit.num_parameters, circuit.count_ops()["barrier"]
        (14, 2)
    """
    check_size("brickwork", num_qubits, depth)
    if periodic and num_qubits % 2:
        raise SourceError(f"a periodic brickwork needs an even number of qubits, got {num_qubits}.")
    rounds = [brickwork_bonds(num_qubits, layer, periodic) for layer in range(depth)]
    return _blocks(num_qubits, rounds, interaction, phase, shared)


def ladder(
    num_qubits: int,
    depth: int,
    *,
    interaction: Literal["rzz", "cphase", "none"] = "rzz",
    phase: bool = False,
    shared: bool = False,
) -> QuantumCircuit:
    """Staircases of charge-conserving blocks on a line: bonds (0, 1), (1, 2), ..., (n-2, n-1) one after the other.

    One layer is one whole staircase, then RZ on every qubit and a full-width barrier: its n - 1 blocks follow each
    other in time, yet have one noise slot. A rate per slot is therefore one per staircase; a device's calibration sees
    the n - 1 blocks that the layer really lasts.

    Args:
        num_qubits: Number of qubits n >= 2.
        depth: Number of staircases >= 1.
        interaction: As for :func:`brickwork`.
        phase: Likewise.
        shared: Likewise.

    Returns:
        The circuit; its parameters are theta[0], theta[1], ... in gate order.

    Raises:
        SourceError: A size below its least value, or an unknown interaction.

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.ladder(4, depth=2)
        >>> circuit.num_parameters, circuit.count_ops()["xx_plus_yy"]
        (20, 6)
    """
    check_size("ladder", num_qubits, depth)
    return _blocks(num_qubits, [[(i, i + 1) for i in range(num_qubits - 1)]] * depth, interaction, phase, shared)


def ring(
    num_qubits: int,
    depth: int,
    *,
    interaction: Literal["rzz", "cphase", "none"] = "rzz",
    phase: bool = False,
    shared: bool = False,
) -> QuantumCircuit:
    """Brickwork on a ring: :func:`brickwork` with ``periodic=True``, whose odd layers also have the bond (n-1, 0).

    Args:
        num_qubits: Number of qubits n >= 2, even.
        depth: Number of layers >= 1.
        interaction: As for :func:`brickwork`.
        phase: Likewise.
        shared: Likewise.

    Returns:
        The circuit; its parameters are theta[0], theta[1], ... in gate order.

    Raises:
        SourceError: A size below its least value, an odd number of qubits, or an unknown interaction.

    Example:
        >>> import equinoise as eq
        >>> eq.circuits.ring(4, depth=2).count_ops()["xx_plus_yy"]
        4
    """
    check_size("ring", num_qubits, depth)
    if num_qubits % 2:
        raise SourceError(f"a ring of alternating bonds needs an even number of qubits, got {num_qubits}.")
    rounds = [brickwork_bonds(num_qubits, layer, periodic=True) for layer in range(depth)]
    return _blocks(num_qubits, rounds, interaction, phase, shared)


def all_to_all(
    num_qubits: int,
    depth: int,
    *,
    interaction: Literal["rzz", "cphase", "none"] = "rzz",
    phase: bool = False,
    shared: bool = False,
) -> QuantumCircuit:
    """Charge-conserving blocks on every pair in turn, as a round-robin tournament pairs its players.

    Layer l is round l mod R of the circle method. With m = n - 1 for an even n and m = n for an odd one there are
    R = m rounds; round r has the pairs of r + i and r - i modulo m, i = 1..(m - 1)/2, and for an even n the pair
    (r, n - 1); for an odd n qubit r rests. After R layers each pair has met once. RZ on every qubit and a full-width
    barrier end each layer.

    Args:
        num_qubits: Number of qubits n >= 2.
        depth: Number of layers >= 1.
        interaction: As for :func:`brickwork`.
        phase: Likewise.
        shared: Likewise.

    Returns:
        The circuit; its parameters are theta[0], theta[1], ... in gate order.

    Raises:
        SourceError: A size below its least value, or an unknown interaction.

    Example:
        >>> import equinoise as eq
        >>> eq.circuits.all_to_all(4, depth=3).count_ops()["xx_plus_yy"]
        6
    """
    check_size("all_to_all", num_qubits, depth)
    rounds = [tournament_round(num_qubits, layer) for layer in range(depth)]
    return _blocks(num_qubits, rounds, interaction, phase, shared)


def lattice(
    bonds: Iterable[tuple[int, int]],
    depth: int,
    *,
    interaction: Literal["rzz", "cphase", "none"] = "rzz",
    phase: bool = False,
    shared: bool = False,
) -> QuantumCircuit:
    """Charge-conserving blocks on any graph, such as a device's couplers, as :func:`brickwork` has them on a line.

    The bonds are coloured so that none of one colour share a qubit; layer l acts on those of colour l mod the number
    of colours, then RZ on every qubit and a full-width barrier.

    Args:
        bonds: Pairs of qubits; n is the largest index plus 1.
        depth: Number of layers >= 1.
        interaction: As for :func:`brickwork`.
        phase: Likewise.
        shared: Likewise.

    Returns:
        The circuit; its parameters are theta[0], theta[1], ... in gate order.

    Raises:
        SourceError: No bonds, a bond of a qubit with itself, depth below 1, or an unknown interaction.

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.lattice([(0, 1), (1, 2), (1, 3)], depth=3)
        >>> circuit.num_qubits, circuit.count_ops()["xx_plus_yy"]
        (4, 3)
    """
    pairs = sorted({(min(a, b), max(a, b)) for a, b in bonds})
    if not pairs or depth < 1 or any(a == b or a < 0 for a, b in pairs):
        raise SourceError(
            f"lattice needs bonds between different qubits 0, 1, ... and depth >= 1, got {pairs[:3]} and depth {depth}."
        )
    num_qubits = 1 + max(b for _, b in pairs)
    check_size("lattice", num_qubits, depth)
    # Misra and Gries: at most one colour more than the greatest number of bonds at a qubit (Vizing's theorem).
    graph = rx.PyGraph()
    graph.add_nodes_from(range(num_qubits))
    graph.add_edges_from([(a, b, None) for a, b in pairs])
    colours = rx.graph_misra_gries_edge_color(graph)
    groups = [[pairs[i] for i in range(len(pairs)) if colours[i] == c] for c in sorted(set(colours.values()))]
    return _blocks(num_qubits, [groups[layer % len(groups)] for layer in range(depth)], interaction, phase, shared)


def _blocks(
    num_qubits: int, rounds: Sequence[Sequence[tuple[int, int]]], interaction: str, phase: bool, shared: bool
) -> QuantumCircuit:
    gates: dict[str, Callable[[Parameter], RZZGate | CPhaseGate] | None] = {
        "rzz": RZZGate,
        "cphase": CPhaseGate,
        "none": None,
    }
    if interaction not in gates:
        raise SourceError(f"interaction must be one of {', '.join(gates)}, got {interaction!r}.", "interaction")
    interact = gates[interaction]
    kinds = 1 + phase + (interact is not None)
    depth = len(rounds)
    count = depth * (kinds + 1) if shared else sum(kinds * len(b) + num_qubits for b in rounds)
    theta = ParameterVector("theta", count)
    circuit = QuantumCircuit(num_qubits)
    used = 0
    for bonds in rounds:
        first = used
        for a, b in bonds:
            here = first if shared else used
            beta = theta[here + 1] if phase else 0.0
            circuit.append(XXPlusYYGate(theta[here], beta), [a, b])
            if interact is not None:
                circuit.append(interact(theta[here + 1 + phase]), [a, b])
            used = here + kinds
        for q in range(num_qubits):
            circuit.append(RZGate(theta[first + kinds if shared else used]), [q])
            used = first + kinds + 1 if shared else used + 1
        end_layer(circuit)
    return circuit
