"""Builders of the literature's equivariant circuits beyond one conserved charge, as ``qiskit.QuantumCircuit``."""

from __future__ import annotations

from itertools import combinations
from typing import Literal

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import CPhaseGate, RXGate, RXXGate, RYGate, RYYGate, RZGate, RZZGate, XXPlusYYGate
from qiskit.quantum_info import Statevector

from equinoise.circuit.couplings import brickwork_bonds, check_size
from equinoise.circuit.layers import end_layer
from equinoise.errors import SourceError

__all__ = [
    "exchange",
    "fermi_hubbard",
    "parity_conserving",
    "permutation_equivariant",
    "singlet_pairs",
    "translation_invariant",
]


def permutation_equivariant(num_qubits: int, depth: int) -> QuantumCircuit:
    """Layers that commute with every permutation of the qubits: RX on all, RY on all, RZZ on all pairs, one angle each.

    Layer l is exp(-i c sum_{i<j} Z_i Z_j/2) exp(-i b sum_i Y_i/2) exp(-i a sum_i X_i/2) with (a, b, c) = theta[3 l],
    theta[3 l + 1], theta[3 l + 2], then a full-width barrier: n (n - 1)/2 two-qubit gates in one noise slot.
    Permutation-invariant readouts are sums over all qubits or pairs such as "Z0+Z1+...", inputs "00...0" or any one
    state on every qubit.

    Args:
        num_qubits: Number of qubits n >= 2.
        depth: Number of layers >= 1.

    Returns:
        The circuit, with 3 depth parameters theta[0], theta[1], ... in gate order.

    Raises:
        SourceError: A size below its least value.

    Source:
        Schatzki, Larocca, Nguyen, Sauvage, Cerezo, arXiv:2210.09974, whose generators are these sums divided by their
        numbers of terms.

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.permutation_equivariant(5, depth=2)
        >>> circuit.num_parameters, circuit.count_ops()["rzz"]
        (6, 20)
    """
    check_size("permutation_equivariant", num_qubits, depth, layer_gates=num_qubits * (num_qubits + 3) // 2)
    theta = ParameterVector("theta", 3 * depth)
    circuit = QuantumCircuit(num_qubits)
    for layer in range(depth):
        a, b, c = theta[3 * layer : 3 * layer + 3]
        for q in range(num_qubits):
            circuit.append(RXGate(a), [q])
        for q in range(num_qubits):
            circuit.append(RYGate(b), [q])
        for pair in combinations(range(num_qubits), 2):
            circuit.append(RZZGate(c), pair)
        end_layer(circuit)
    return circuit


def exchange(num_qubits: int, depth: int, *, periodic: bool = False, shared: bool = False) -> QuantumCircuit:
    """Brickwork of Heisenberg exchange, which commutes with every rotation of all spins together: SU(2).

    A block is exp(-i theta (XX + YY + ZZ)/2) = RXX(theta) RYY(theta) RZZ(theta), which is exp(-i theta SWAP) up to a
    phase. Layer l acts on the bonds (i, i+1) with i = (l + 1) mod 2, (l + 1) mod 2 + 2, ..., the odd ones first: the
    even ones would leave the usual input, singlets on the even bonds (:func:`singlet_pairs`), as it is. A full-width
    barrier ends each layer. Rotation-invariant readouts are sums of "X0X1+Y0Y1+Z0Z1".

    Args:
        num_qubits: Number of qubits n >= 3.
        depth: Number of layers >= 1, odd and even bonds in turn.
        periodic: Also the bond (n-1, 0), among the odd ones; needs an even n.
        shared: One angle per layer instead of one per pair.

    Returns:
        The circuit; its parameters are theta[0], theta[1], ... in gate order.

    Raises:
        SourceError: A size below its least value, or an odd ring.

    Source:
        Seki, Shirakawa, Yunoki, arXiv:1912.13146 (exponential swaps on singlets); Nguyen et al., arXiv:2210.08566, and
        East, Alonso-Linaje, Park, arXiv:2309.07250 (SU(2)-equivariant networks).

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.exchange(4, depth=2)
        >>> circuit.num_parameters, circuit.count_ops()["rxx"]
        (3, 3)
    """
    check_size("exchange", num_qubits, depth, least=3)
    if periodic and num_qubits % 2:
        raise SourceError(f"a periodic exchange brickwork needs an even number of qubits, got {num_qubits}.")
    rounds = [brickwork_bonds(num_qubits, layer + 1, periodic) for layer in range(depth)]
    theta = iter(ParameterVector("theta", depth if shared else sum(map(len, rounds))))
    circuit = QuantumCircuit(num_qubits)
    for bonds in rounds:
        angles = [next(theta)] * len(bonds) if shared else [next(theta) for _ in bonds]
        for angle, bond in zip(angles, bonds, strict=True):
            # XX, YY and ZZ of one bond commute, so the three gates are the exponential of their sum exactly.
            for gate in (RXXGate, RYYGate, RZZGate):
                circuit.append(gate(angle), bond)
        end_layer(circuit)
    return circuit


def singlet_pairs(num_qubits: int) -> Statevector:
    """The product of singlets (|01> - |10>)/sqrt(2) on the qubits (0, 1), (2, 3), ..., of total spin 0.

    In each pair |01> has the lower qubit in |1>, as Qiskit prints it.

    Args:
        num_qubits: Number of qubits n, even, 2 to 20.

    Returns:
        The state, an ``initial`` for :class:`equinoise.Problem` with :func:`exchange` as the circuit.

    Raises:
        SourceError: An odd number of qubits, or one outside 2..20.

    Example:
        >>> import equinoise as eq
        >>> eq.circuits.singlet_pairs(2).data.real.round(3).tolist()
        [0.0, 0.707, -0.707, 0.0]
    """
    if num_qubits % 2 or not 2 <= num_qubits <= 20:
        raise SourceError(f"singlet_pairs needs an even number of qubits from 2 to 20, got {num_qubits}.")
    pair = np.array([0.0, 1.0, -1.0, 0.0]) / np.sqrt(2)
    state = np.ones(1)
    for _ in range(num_qubits // 2):
        state = np.kron(pair, state)
    return Statevector(state)


def parity_conserving(
    num_qubits: int, depth: int, *, periodic: bool = False, interaction: Literal["rzz", "none"] = "rzz"
) -> QuantumCircuit:
    """Brickwork that commutes with the parity Z_0 Z_1 ... Z_{n-1} and, at depth 2 and more, with nothing else.

    Layer l acts on the bonds (i, i+1) with i = l mod 2, l mod 2 + 2, ... with RXX, RYY and the interaction, then with
    RZ on every qubit; every gate has an angle of its own and a full-width barrier ends each layer. RXX and RYY with
    different angles create and remove pairs, so the charge is kept modulo 2 only. Without interaction and on an
    open chain the circuit is one of free fermions with pairing.

    Args:
        num_qubits: Number of qubits n >= 2.
        depth: Number of layers >= 1, even and odd bonds in turn.
        periodic: Also the bond (n-1, 0); needs an even n.
        interaction: "rzz" for ``RZZGate`` on every bond, "none" for free fermions.

    Returns:
        The circuit; its parameters are theta[0], theta[1], ... in gate order.

    Raises:
        SourceError: A size below its least value, an odd ring, or an unknown interaction.

    Source:
        Meyer et al., arXiv:2205.06217 (gates symmetrised over a group; here Z2); Bravyi, Kliesch, Koenig, Tang,
        arXiv:1910.08980 (Z2-symmetric variational circuits).

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.parity_conserving(4, depth=2)
        >>> circuit.num_parameters, circuit.count_ops()["rxx"]
        (17, 3)
    """
    check_size("parity_conserving", num_qubits, depth)
    if periodic and num_qubits % 2:
        raise SourceError(f"a periodic parity_conserving brickwork needs an even number of qubits, got {num_qubits}.")
    if interaction not in ("rzz", "none"):
        raise SourceError(f"interaction must be one of rzz, none, got {interaction!r}.", "interaction")
    gates = (RXXGate, RYYGate, RZZGate) if interaction == "rzz" else (RXXGate, RYYGate)
    rounds = [brickwork_bonds(num_qubits, layer, periodic) for layer in range(depth)]
    theta = iter(ParameterVector("theta", sum(len(gates) * len(bonds) + num_qubits for bonds in rounds)))
    circuit = QuantumCircuit(num_qubits)
    for bonds in rounds:
        for bond in bonds:
            for gate in gates:
                circuit.append(gate(next(theta)), bond)
        for q in range(num_qubits):
            circuit.append(RZGate(next(theta)), [q])
        end_layer(circuit)
    return circuit


def translation_invariant(num_qubits: int, depth: int) -> QuantumCircuit:
    """The approximate-optimisation circuit of the Ising ring: one RZZ angle for all bonds, one RX angle for all qubits.

    Layer l is exp(-i b sum_i X_i/2) exp(-i a sum_i Z_i Z_{i+1}/2) on a ring with (a, b) = theta[2 l], theta[2 l + 1],
    then a full-width barrier. It commutes with the ring's translation and reflection and with the parity
    X_0 X_1 ... X_{n-1}. The usual input is |+> on every qubit, the usual readout the sum of the ring's Z_i Z_{i+1}.

    Args:
        num_qubits: Number of qubits n >= 3.
        depth: Number of layers >= 1.

    Returns:
        The circuit, with 2 depth parameters theta[0], theta[1], ... in gate order.

    Raises:
        SourceError: A size below its least value.

    Source:
        Farhi, Goldstone, Gutmann, arXiv:1411.4028; Mbeng, Fazio, Santoro, arXiv:1906.08948 (the ring).

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.translation_invariant(6, depth=2)
        >>> circuit.num_parameters, circuit.count_ops()["rzz"]
        (4, 12)
    """
    check_size("translation_invariant", num_qubits, depth, least=3)
    theta = ParameterVector("theta", 2 * depth)
    circuit = QuantumCircuit(num_qubits)
    for layer in range(depth):
        for q in range(num_qubits):
            circuit.append(RZZGate(theta[2 * layer]), [q, (q + 1) % num_qubits])
        for q in range(num_qubits):
            circuit.append(RXGate(theta[2 * layer + 1]), [q])
        end_layer(circuit)
    return circuit


def fermi_hubbard(sites: int, depth: int, *, shared: bool = True) -> QuantumCircuit:
    """The Hamiltonian variational circuit of the Hubbard chain, which conserves the charges of spin up and spin down.

    Qubit i < sites is spin up on site i, qubit sites + i is spin down there (Jordan-Wigner, so hopping between
    neighbours of one spin needs no strings). Layer l is ``CPhaseGate`` between up and down on every site (the on-site
    repulsion), then ``XXPlusYYGate`` (hopping) on the even bonds (0, 1), (2, 3), ... of both spins, then on their odd
    bonds, then a full-width barrier.

    Args:
        sites: Length of the open chain >= 2; the circuit has 2 sites qubits.
        depth: Number of layers >= 1.
        shared: One angle per layer for each of the three rows of gates, as in the Hamiltonian ansatz; else one for each
            gate, the number-preserving ansatz.

    Returns:
        The circuit; its parameters are theta[0], theta[1], ... in gate order.

    Raises:
        SourceError: A size below its least value.

    Source:
        Wecker, Hastings, Troyer, arXiv:1507.08969; Cade, Mineh, Montanaro, Stanisic, arXiv:1912.06007.

    Example:
        >>> import equinoise as eq
        >>> circuit = eq.circuits.fermi_hubbard(3, depth=2)
        >>> circuit.num_qubits, circuit.num_parameters, circuit.count_ops()["xx_plus_yy"]
        (6, 6, 8)
    """
    check_size("fermi_hubbard", sites, depth, qubits="sites")
    onsite = [(i, sites + i) for i in range(sites)]
    hops = [[(s + a, s + b) for s in (0, sites) for a, b in brickwork_bonds(sites, row, False)] for row in (0, 1)]
    rows = [(CPhaseGate, onsite), *((XXPlusYYGate, bonds) for bonds in hops if bonds)]
    count = len(rows) if shared else sum(len(pairs) for _, pairs in rows)
    theta = iter(ParameterVector("theta", count * depth))
    circuit = QuantumCircuit(2 * sites)
    for _ in range(depth):
        for gate, pairs in rows:
            angles = [next(theta)] * len(pairs) if shared else [next(theta) for _ in pairs]
            for angle, pair in zip(angles, pairs, strict=True):
                circuit.append(gate(angle), pair)
        end_layer(circuit)
    return circuit
