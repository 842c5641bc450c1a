"""Models for tests, and the same by full-space simulation: each row's circuit bound gate by gate, differences by hand.

Nothing of the angle map is used: Qiskit binds weights and inputs in the stated circuit, and the slow twin evolves the
bound circuit's density matrix.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import PauliEvolutionGate, XXPlusYYGate
from qiskit.quantum_info import SparsePauliOp
from sklearn.metrics import log_loss, mean_squared_error

import equinoise as eq
from slow_twin import evolve

# central differences of order 8: with angles of a few radians and step 0.02 their error is below 1e-12
STENCIL = ((1, 4 / 5), (2, -1 / 5), (3, 4 / 105), (4, -1 / 280))
STEP = 0.02

NOISES = {
    "dephasing": "dephasing:0.03",
    "relaxation": "relaxation:down=0.05,up=0.01",
    "depolarizing": "depolarizing:0.04",
    "bit flips": {"pauli": [{"pauli": f"X{q}", "rate": 0.02 + 0.01 * q} for q in range(3)]},
}
ROWS = np.array([[0.3, -0.8], [1.1, 0.4], [-0.6, 0.9]])


def hop(circuit, angle, a, b):
    """A hop from two parts, neither of which conserves the charge: only their common angle makes it conserve."""
    circuit.rxx(angle / 2, a, b)
    circuit.ryy(angle / 2, a, b)


def reuploading(x, w):
    """w x + b in hops, a tie, and inputs by themselves."""
    circuit = QuantumCircuit(3)
    circuit.append(XXPlusYYGate(w[0] * x[0] + w[1]), [0, 1])
    circuit.rz(x[1], 1)
    circuit.barrier()
    hop(circuit, w[2] * x[1], 1, 2)
    circuit.rz(w[0], 0)
    circuit.barrier()
    circuit.append(XXPlusYYGate(w[3] - 2 * w[0] * x[0]), [0, 1])
    circuit.rzz(w[1], 1, 2)
    return circuit


def products(x, w):
    """Products of inputs, as ZZFeatureMap has them, between trained hops."""
    circuit = QuantumCircuit(3)
    for k in range(2):
        circuit.append(XXPlusYYGate(w[k]), [k, k + 1])
    circuit.barrier()
    circuit.rz(2 * x[0], 0)
    circuit.rzz(2 * (math.pi - x[0]) * (math.pi - x[1]), 0, 1)
    circuit.cp(x[0] * x[1], 1, 2)
    circuit.barrier()
    circuit.append(XXPlusYYGate(w[2], w[3]), [0, 1])
    circuit.append(XXPlusYYGate(0.7), [1, 2])
    return circuit


def nonlinear(x, w):
    """Weights in products and functions, and an exponential whose time is one."""
    circuit = QuantumCircuit(3)
    circuit.rz(w[0] * w[1] + x[0].sin(), 1)
    circuit.append(PauliEvolutionGate(SparsePauliOp(["IXX", "IYY"]), time=w[0] * w[0]), [0, 1, 2])
    circuit.barrier()
    circuit.rzz(w[2].sin() * x[1], 0, 1)
    circuit.append(XXPlusYYGate(w[3] * w[2]), [1, 2])
    inner = QuantumCircuit(2, name="own")
    inner.append(XXPlusYYGate(w[1] * x[0]), [0, 1])
    circuit.append(inner.to_gate(), [0, 1])
    return circuit


CIRCUITS = {"re-uploading": reuploading, "products of inputs": products, "nonlinear in weights": nonlinear}
READOUTS = ["Z1", "0.5*X0X1+0.5*Y0Y1-0.3*Z0Z2"]


def stated(kind):
    """The circuit of a kind with its inputs and weights."""
    x, w = ParameterVector("x", 2), ParameterVector("w", 4)
    return CIRCUITS[kind](x, w), x, w


def build(kind, noise, loss, readouts=READOUTS, **more):
    """A model of a kind under a noise."""
    circuit, x, _ = stated(kind)
    options = {"data": ROWS, "initial": [[0.6, 0.8], [1, 0], [0.8, -0.6]], "prior": "normal:1"} | more
    return eq.Model(circuit, readouts, inputs=x, noise=NOISES[noise], loss=loss, **options)


SCALE, BIAS = 1.7, 0.2
NUMBERS = np.array([[0.3, -0.2], [0.1, 0.9], [-0.7, 0.4]])


def softened(z, y):
    return np.sqrt(1 + (z - y) ** 2).sum(axis=1)


def softened_slope(z, y):
    return (z - y) / np.sqrt(1 + (z - y) ** 2)


def mean_of(predictions):
    return predictions.sum(axis=1).mean()


def squares_of(predictions):
    return mean_squared_error(NUMBERS, SCALE * predictions + BIAS)


def logistic_of(predictions):
    return log_loss([1, 0, 1], 1 / (1 + np.exp(-(SCALE * predictions[:, 0] + BIAS))))


def entropy_of(predictions):
    odds = np.exp(SCALE * predictions + BIAS)
    return log_loss([0, 1, 1], odds / odds.sum(axis=1, keepdims=True))


def given_of(predictions):
    return softened(SCALE * predictions + BIAS, NUMBERS).mean()


# each with the loss from predictions, written down or taken from scikit-learn
LOSSES = {
    "mean": ({"loss": "mean"}, READOUTS, mean_of),
    "mse": ({"loss": "mse", "labels": NUMBERS, "scale": SCALE, "bias": BIAS}, READOUTS, squares_of),
    "logistic": ({"loss": "logistic", "labels": [1, 0, 1], "scale": SCALE, "bias": BIAS}, READOUTS[:1], logistic_of),
    "cross-entropy": (
        {"loss": "cross-entropy", "labels": ["no", "yes", "yes"], "scale": SCALE, "bias": BIAS},
        READOUTS,
        entropy_of,
    ),
    "given": (
        {"loss": (softened, softened_slope), "labels": NUMBERS, "scale": SCALE, "bias": BIAS},
        READOUTS,
        given_of,
    ),
}


def twin_predictions(model, circuit, theta, scale):
    """f_c of every row, shape (N, C), each row's circuit bound by Qiskit."""
    out = []
    for row in model.rows.inputs:
        named = zip((*model.inputs, *model.weights), (*row, *theta), strict=True)
        values = {p.name: value for p, value in named}
        bound = circuit.assign_parameters({p: values[p.name] for p in circuit.parameters})
        problem = eq.Problem(
            bound, model.problem.readout, model.problem.initial, model.problem.noise, allow_broken=True
        )
        rho = evolve(problem, [], scale)
        out.append([float(np.trace(o.to_matrix() @ rho).real) for o in model.readouts])
    return np.array(out)


@functools.cache
def twin_table(kind, noise, scale=1.0):
    """theta, f there, shape (N, C), and f at the stencil's points, shape (W, 8, N, C), for a kind under a noise."""
    model = build(kind, noise, "mean")
    circuit = stated(kind)[0]
    theta = model.draw(1, 5)[0]
    around = [
        [
            twin_predictions(model, circuit, theta + sign * n * STEP * np.eye(theta.size)[k], scale)
            for n, _ in STENCIL
            for sign in (1, -1)
        ]
        for k in range(theta.size)
    ]
    return theta, twin_predictions(model, circuit, theta, scale), np.array(around)


def difference(values):
    """The derivative from values at the stencil's points, shape (W, 8, ...): shape (W, ...)."""
    factors = np.array([sign * c / STEP for _, c in STENCIL for sign in (1, -1)])
    return np.tensordot(values, factors, axes=(1, 0))
