"""A slow twin of shots: outcomes bit by bit, and shift-rule gradients from simulated shots, gate by gate.

It takes the light cone from the package and nothing else: gates by name, published shift rules, settings and assignment
errors by enumeration.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from qiskit.circuit import ParameterExpression

from equinoise.reduction.light_cone import light_cone

X = np.array([[0, 1], [1, 0]], dtype=complex)
Y = np.array([[0, -1j], [1j, 0]])
Z = np.diag([1.0 + 0j, -1.0])
GENERATORS = {
    "rx": X / 2,
    "ry": Y / 2,
    "rz": Z / 2,
    "rzz": np.kron(Z, Z) / 2,
    "xx_plus_yy": (np.kron(X, X) + np.kron(Y, Y)) / 4,
}
TWO_TERMS = [(math.pi / 2, 0.5), (-math.pi / 2, -0.5)]
ROOT = math.sqrt(2)
# arXiv:2104.05695: frequencies 1/2 and 1
FOUR_TERMS = [
    (math.pi / 2, (ROOT + 1) / (4 * ROOT)),
    (-math.pi / 2, -(ROOT + 1) / (4 * ROOT)),
    (3 * math.pi / 2, -(ROOT - 1) / (4 * ROOT)),
    (-3 * math.pi / 2, (ROOT - 1) / (4 * ROOT)),
]
RULES = {name: FOUR_TERMS if name == "xx_plus_yy" else TWO_TERMS for name in GENERATORS}
# rows of the basis change that turns a letter into Z
TO_Z = {"Z": np.eye(2), "X": np.array([[1, 1], [1, -1]]) / ROOT, "Y": np.array([[1, -1j], [1, 1j]]) / ROOT}


def on_qubits(states, matrices, qubits):
    """One matrix per state, shapes (B, 2^n) and (B, 2^k, 2^k) or (2^k, 2^k); qubits[0] the least significant."""
    count, size = states.shape
    n, k = int(math.log2(size)), len(qubits)
    axes = [1 + n - 1 - q for q in reversed(qubits)]
    moved = np.moveaxis(states.reshape(count, *(2,) * n), axes, range(1, k + 1))
    shape = moved.shape
    moved = np.matmul(matrices, moved.reshape(count, 2**k, -1)).reshape(shape)
    return np.moveaxis(moved, range(1, k + 1), axes).reshape(count, size)


def bit_distributions(probabilities, errors):
    """Of the bits that are read, from those that there are: shape (..., 2^n)."""
    n = int(math.log2(probabilities.shape[-1]))
    out = probabilities.reshape(-1, probabilities.shape[-1]).astype(complex)
    for qubit, (p01, p10) in errors.items():
        if qubit < n:
            out = on_qubits(out, np.array([[1 - p01, p10], [p01, 1 - p10]]), [qubit])
    return out.real.reshape(probabilities.shape)


def estimator(terms, n):
    """sum_t c_t prod_q z_q on each of the 2^n outcomes."""
    signs = [1 - 2 * (np.arange(2**n) >> q & 1) for q in range(n)]
    return sum(c * math.prod(signs[q] for q in qubits) * np.ones(2**n) for qubits, c in terms)


def measured_variance(rho, settings, errors):
    """Sum over settings of the estimator's variance, from the distribution of the bits; setting = (basis, terms)."""
    n, total = int(math.log2(len(rho))), 0.0
    for basis, terms in settings:
        turn = np.eye(1)
        for q in range(n):
            turn = np.kron(TO_Z[basis.get(q, "Z")], turn)
        read = bit_distributions(np.diag(turn @ rho @ turn.conj().T).real, errors)
        f = estimator(terms, n)
        total += read @ f**2 - (read @ f) ** 2
    return total


def shift_rule_errors(problem, settings, thetas, shots, errors, repeats, seed=0):
    """Mean over draws and repeats of sum_k (estimate - g_k)^2 from real shots, and mean of sum_k g_k^2.

    Every gate that holds a parameter is shifted by itself, whatever else holds the same parameter. Gates outside the
    light cone are not measured.
    """
    cone = light_cone(problem).blocks
    inside = [layer.blocks[i] for layer, kept in zip(problem.layers, cone, strict=True) for i in kept]
    seen = {gate.position for block in inside for gate in block.gates}
    circuit, n = problem.circuit, problem.num_qubits
    parameters = list(problem.parameters)
    gates = [(i, [circuit.find_bit(q).index for q in i.qubits]) for i in circuit.data]
    shifted = []  # gate, shift, weight of each parameter
    for number, (item, _) in enumerate(gates):
        angle = item.operation.params[0] if item.operation.params else 0.0
        if number in seen and isinstance(angle, ParameterExpression) and angle.parameters:
            slopes = np.array([float(angle.gradient(p)) if p in angle.parameters else 0.0 for p in parameters])
            shifted += [(number, shift, d * slopes) for shift, d in RULES[item.operation.name]]
    weights = np.array([w for _, _, w in shifted])
    rng = np.random.default_rng(seed)
    error = signal = 0.0
    for theta in thetas:
        values = dict(zip(parameters, theta, strict=True))
        states = np.tile(problem.initial.statevector(), (len(shifted), 1))
        for number, (item, qubits) in enumerate(gates):
            if item.operation.name == "barrier":
                continue
            angle = item.operation.params[0]
            base = float(angle.bind(values, allow_unknown_parameters=True)) if hasattr(angle, "bind") else float(angle)
            angles = base + np.array([shift if g == number else 0.0 for g, shift, _ in shifted])
            energies, vectors = np.linalg.eigh(GENERATORS[item.operation.name])
            u = np.einsum("ij,bj,kj->bik", vectors, np.exp(-1j * np.outer(angles, energies)), vectors.conj())
            states = on_qubits(states, u, qubits)
        exact, sampled = np.zeros(len(shifted)), np.zeros((repeats, len(shifted)))
        for basis, terms in settings:
            turned = states
            for q, letter in basis.items():
                turned = on_qubits(turned, TO_Z[letter], [q])
            read = np.clip(bit_distributions(np.abs(turned) ** 2, errors), 0, None)
            f = estimator(terms, n)
            exact += read @ f
            read /= read.sum(axis=1, keepdims=True)
            sampled += rng.multinomial(shots, read, size=(repeats, len(shifted))) @ f / shots
        gradient = exact @ weights
        error += np.mean(np.sum((sampled @ weights - gradient) ** 2, axis=1))
        signal += np.sum(gradient**2)
    return error / len(thetas), signal / len(thetas)


def qubit_wise(readout):
    """All ways to sort a short readout's terms into as few settings as can be; here one such way, by trial."""
    terms = [(dict(zip(qubits, letters, strict=True)), complex(c).real) for letters, qubits, c in readout]
    for count in range(1, len(terms) + 1):
        for choice in itertools.product(range(count), repeat=len(terms)):
            groups = [[t for t, c in zip(terms, choice, strict=True) if c == g] for g in range(count)]
            bases: list[dict[int, str]] = []
            for group in groups:
                basis: dict[int, str] = {}
                good = bool(group) and all(
                    basis.setdefault(q, p) == p for letters, _ in group for q, p in letters.items()
                )
                bases.append(basis if good else {})
            if all(bases):
                return [
                    (basis, [(tuple(held), c) for held, c in group]) for basis, group in zip(bases, groups, strict=True)
                ]
    raise AssertionError
