"""The slow twin of compiled circuits: a density matrix of all physical qubits, gate by gate, for tests only.

It knows nothing of charges, frames or blocks: each instruction's matrix comes from Qiskit, and a layer's noise is
written down here from the laboratory's definitions. Only which instructions stand in which layer is taken from the
problem (``frames.laboratory``), since that is where noise acts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.linalg
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator, SparsePauliOp

Noise = Mapping[str, Any]

LOWER = np.array([[0, 1], [0, 0]], dtype=complex)
PAULIS = {"X": np.array([[0, 1], [1, 0]], complex), "Y": np.array([[0, -1j], [1j, 0]]), "Z": np.diag([1.0 + 0j, -1])}


def on_all(matrix: np.ndarray, qubits: Sequence[int], n: int) -> np.ndarray:
    """A matrix on some qubits (first least significant) as one on all n, by reordering a tensor product."""
    k = len(qubits)
    rest = [q for q in range(n) if q not in qubits]
    whole = np.kron(np.eye(2 ** (n - k)), matrix).reshape((2,) * (2 * n))
    order = [*qubits, *rest]  # factor i of the product is qubit order[i]; axis a is factor n - 1 - a
    axes = [n - 1 - order.index(n - 1 - a) for a in range(n)]
    return whole.transpose(axes + [n + a for a in axes]).reshape(2**n, 2**n)


def lindblad(jumps: Sequence[tuple[float, np.ndarray]], h: np.ndarray | None, dim: int) -> np.ndarray:
    """sum rate D[K] - i [H, .] on density matrices stacked row by row."""
    eye = np.eye(dim)
    out = np.zeros((dim * dim, dim * dim), dtype=complex)
    for rate, k in jumps:
        kk = k.conj().T @ k
        out += rate * (np.kron(k, k.conj()) - np.kron(kk, eye) / 2 - np.kron(eye, kk.T) / 2)
    if h is not None:
        out += -1j * (np.kron(h, eye) - np.kron(eye, h.T))
    return out


def local_channel(generator: np.ndarray, qubits: Sequence[int], rho: np.ndarray, n: int) -> np.ndarray:
    """exp(generator) on some qubits of a density matrix: sum over its matrix units."""
    dim = 2 ** len(qubits)
    channel = scipy.linalg.expm(generator)
    # Choi matrix -> Kraus operators
    choi = channel.reshape(dim, dim, dim, dim).transpose(0, 2, 1, 3).reshape(dim * dim, dim * dim)
    values, vectors = np.linalg.eigh((choi + choi.conj().T) / 2)
    out = np.zeros_like(rho)
    for value, vector in zip(values, vectors.T, strict=True):
        if value > 1e-15:
            kraus = on_all(np.sqrt(value) * vector.reshape(dim, dim), qubits, n)
            out += kraus @ rho @ kraus.conj().T
    return out


def channels(noise: Noise, n: int) -> list[tuple[tuple[int, ...], np.ndarray]]:
    """A slot's generators in the order in which they act: (qubits, generator)."""
    out: list[tuple[tuple[int, ...], np.ndarray]] = []
    for q in range(n):
        if noise.get("dephasing"):
            out.append(((q,), lindblad([(noise["dephasing"], PAULIS["Z"])], None, 2)))
    for qubits, rate, weights in noise.get("sums", ()):
        k = sum(w * on_all(PAULIS["Z"], [i], len(qubits)) for i, w in enumerate(weights))
        out.append((qubits, lindblad([(rate, k)], None, 2 ** len(qubits))))
    for q in range(n):
        down, up = noise.get("relaxation", (0, 0))
        if down or up:
            out.append(((q,), lindblad([(down, LOWER), (up, LOWER.T)], None, 2)))
    for qubits, rate in noise.get("depolarizing", ()):
        dim = 2 ** len(qubits)
        one = np.eye(dim).ravel()
        out.append((qubits, rate * (np.outer(one, one) / dim - np.eye(dim * dim))))
    for q, letter, rate in noise.get("pauli", ()):
        out.append(((q,), lindblad([(rate, PAULIS[letter])], None, 2)))
    for qubits, matrix, rate in noise.get("sequence", ()):
        out.append((qubits, lindblad([(rate, matrix)], None, len(matrix))))
    return out + joint(noise.get("jump", ()), noise.get("coherent", ()))


def joint(jumps: Sequence[Any], hamiltonians: Sequence[Any]) -> list[tuple[tuple[int, ...], np.ndarray]]:
    """Jumps and Hamiltonians on one set of qubits, or a part of it, are one generator."""
    named = list(dict.fromkeys(tuple(qubits) for qubits, _, _ in (*jumps, *hamiltonians)))
    out = []
    for home in [q for q in named if not any(set(q) < set(other) for other in named)]:
        dim = 2 ** len(home)
        h, inside = np.zeros((dim, dim), dtype=complex), []
        for terms, quantum in ((jumps, False), (hamiltonians, True)):
            for qubits, matrix, size in terms:
                first = next(q for q in named if set(qubits) <= set(q) and not any(set(q) < set(o) for o in named))
                if first != home:
                    continue
                there = on_all(matrix, [home.index(q) for q in qubits], len(home))
                if quantum:
                    h += size * there
                else:
                    inside.append((size, there))
        out.append((home, lindblad(inside, h, dim)))
    return out


def compiled_value(
    circuit: QuantumCircuit,
    laboratory: Sequence[Any],
    operator: SparsePauliOp,
    noise: Noise | None = None,
    start: int = 0,
) -> float:
    """Tr(O rho) of a bound circuit from the basis state ``start``, noise after each layer."""
    n = circuit.num_qubits
    rho = np.zeros((2**n, 2**n), dtype=complex)
    rho[start, start] = 1
    after = [(q, g) for q, g in channels(noise or {}, n)]
    played = []
    for layer in laboratory:
        for block in layer.blocks:
            for gate in block.gates:
                item = circuit.data[gate.position]
                qubits = [circuit.find_bit(bit).index for bit in item.qubits]
                u = on_all(Operator(item.operation).data, qubits, n)
                rho = u @ rho @ u.conj().T
                played.append(gate.position)
        for qubits, generator in after:
            rho = local_channel(generator, qubits, rho, n)
    left = [
        i for i, item in enumerate(circuit.data) if i not in played and item.operation.name not in ("barrier", "id")
    ]
    assert left == [], f"instructions in no layer: {left}"
    return float(np.trace(operator.to_matrix() @ rho).real)


def derivative(f: Callable[[float], float], h: float = 0.05) -> float:
    """df/dx at 0 by the nine-point stencil: exact to 1e-11 for sums of waves of frequency 2 and less."""
    weights = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
    return sum(w * (f(k * h) - f(-k * h)) for k, w in weights.items()) / h
