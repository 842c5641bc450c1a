"""The authors' setting once more, dense and by Kraus operators, with no code of the package; where their tables are.

The tables are not part of this project: tests on all of them are there where ``$EQUINOISE_SHARED/published`` or
``../shared/published`` is, and are not collected elsewhere; tests on single published numbers run everywhere.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
_SHARED = Path(os.environ.get("EQUINOISE_SHARED", ROOT.parent / "shared"))
TABLES = _SHARED / "published" if (_SHARED / "published").is_dir() else None

I2 = np.eye(2, dtype=complex)
X = np.array([[0, 1], [1, 0]], dtype=complex)
Y = np.array([[0, -1j], [1j, 0]])
Z = np.diag([1.0, -1.0]).astype(complex)


def on(matrix, q, n):
    """A one-qubit matrix on qubit q of n, qubit 0 least significant."""
    return np.kron(np.kron(np.eye(2 ** (n - 1 - q)), matrix), np.eye(2**q))


def damping(p, excited=0.0):
    down = [np.diag([1, np.sqrt(1 - p)]), np.sqrt(p) * np.array([[0, 1], [0, 0]])]
    up = [np.diag([np.sqrt(1 - p), 1]), np.sqrt(p) * np.array([[0, 0], [1, 0]])]
    return [np.sqrt(1 - excited) * k for k in down] + [np.sqrt(excited) * k for k in up]


def pauli(x, y, z):
    return [np.sqrt(1 - x - y - z) * I2, np.sqrt(x) * X, np.sqrt(y) * Y, np.sqrt(z) * Z]


def turn(angle):
    return [np.diag([np.exp(-0.5j * angle), np.exp(0.5j * angle)])]


def kraus_map(name, g, n):
    """Lists of Kraus operators on n qubits, applied one list after the other."""
    slope = np.linspace(0.5, 1.5, n)
    slope = slope / slope.mean()
    if name == "corr_dephase":
        pairs = [on(Z, q, n) @ on(Z, q + 1, n) for q in range(0, n - 1, 2)]
        return [[np.sqrt(1 - g) * np.eye(2**n), np.sqrt(g) * pair] for pair in pairs]
    single = {
        "amp_damp": lambda q: [damping(g)],
        "depol": lambda q: [pauli(g / 3, g / 3, g / 3)],
        "dephase": lambda q: [pauli(0, 0, g)],
        "x_err": lambda q: [pauli(g, 0, 0)],
        "gen_amp_damp": lambda q: [damping(g, 0.3)],
        "coh_overrot": lambda q: [turn(g)],
        "inhom_dephase": lambda q: [pauli(0, 0, g * slope[q])],
        "site_amp_damp": lambda q: [damping(g * slope[q])],
        "biased_pauli": lambda q: [pauli(0.6 * g, 0.2 * g, 0.2 * g)],
        "coh_diss_mix": lambda q: [turn(g / 2), damping(g)],
    }[name]
    return [[on(k, q, n) for k in operators] for q in range(n) for operators in single(q)]


def applied(lists, rho):
    for operators in lists:
        rho = sum(k @ rho @ k.conj().T for k in operators)
    return rho


def sector_input(n, r, spread):
    state = np.zeros(2**n, dtype=complex)
    if spread:
        state[np.bitwise_count(np.arange(2**n)) == r] = 1.0
    else:
        state[2**r - 1] = 1.0
    return state / np.linalg.norm(state)


def ring_value(theta, beta, x, channel, g, *, r=1, closed=True, spread=False):
    """Tr[P_r Z_0 P_r rho] after the brickwork, theta and beta of shape (L, n)."""
    depth, n = theta.shape
    state = sector_input(n, r, spread)
    for q in range(n):
        state = on(turn(x[q])[0], q, n) @ state
    rho = np.outer(state, state.conj())
    for layer in range(depth):
        unitary = np.eye(2**n, dtype=complex)
        for q in range(n):
            unitary = on(turn(theta[layer, q])[0], q, n) @ unitary
        for j in range(layer % 2, n, 2):
            if not closed and j + 1 >= n:
                continue
            other = (j + 1) % n
            hop = on(X, j, n) @ on(X, other, n) + on(Y, j, n) @ on(Y, other, n)
            values, vectors = np.linalg.eigh(hop)
            unitary = (vectors * np.exp(-1j * beta[layer, j] * values)) @ vectors.conj().T @ unitary
        rho = unitary @ rho @ unitary.conj().T
        if channel is not None:
            rho = applied(kraus_map(channel, g, n), rho)
    projector = np.bitwise_count(np.arange(2**n)) == r
    return float(np.real(np.sum(np.diag(rho) * projector * (1 - 2.0 * (np.arange(2**n) & 1)))))


def unstructured_value(theta, channel, g):
    """Tr[Z_0 rho] after layers of RY and a chain of CX."""
    depth, n = theta.shape
    state = np.zeros(2**n, dtype=complex)
    state[0] = 1.0
    rho = np.outer(state, state.conj())
    for layer in range(depth):
        unitary = np.eye(2**n, dtype=complex)
        for q in range(n):
            c, s = np.cos(theta[layer, q] / 2), np.sin(theta[layer, q] / 2)
            unitary = on(np.array([[c, -s], [s, c]], dtype=complex), q, n) @ unitary
        for q in range(n - 1):
            flipped = on((I2 + Z) / 2, q, n) + on((I2 - Z) / 2, q, n) @ on(X, q + 1, n)
            unitary = flipped @ unitary
        rho = unitary @ rho @ unitary.conj().T
        if channel is not None:
            rho = applied(kraus_map(channel, g, n), rho)
    return float(np.real(np.trace(on(Z, 0, n) @ rho)))


def shifted(value, theta, layer, q):
    """Parameter-shift derivative of value(theta)."""
    step = np.zeros_like(theta)
    step[layer, q] = np.pi / 2
    return (value(theta + step) - value(theta - step)) / 2
