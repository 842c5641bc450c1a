"""Noisy gradients by TensorCircuit-NG: ``DMCircuit`` on JAX, compiled, in double precision.

Its light cone option does nothing for ``DMCircuit``. ``DMCircuit2`` was slower.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from qiskit import QuantumCircuit

from benchmarks.circuit import DAMPING

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import tensorcircuit as tc

__all__ = ["tensorcircuit_gradient"]


def tensorcircuit_gradient(circuit: QuantumCircuit) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """A function from angles, shape (K,), to value and gradient of Z in the middle, Neel input.

    Its first call compiles.
    """
    tc.set_backend("jax")
    tc.set_dtype("complex128")
    n = circuit.num_qubits
    index = {parameter: k for k, parameter in enumerate(circuit.parameters)}

    def value(theta: Any) -> Any:
        state = tc.DMCircuit(n)
        for q in range(0, n, 2):
            state.x(q)
        for item in circuit.data:
            qubits = [circuit.find_bit(bit).index for bit in item.qubits]
            name = item.operation.name
            if name == "barrier":
                for q in range(n):
                    state.phasedamping(q, gamma=DAMPING)
                continue
            angle = theta[index[item.operation.params[0]]]
            if name == "xx_plus_yy":
                state.any(*qubits, unitary=_xx_plus_yy(angle))
            elif name in ("rzz", "rz"):
                getattr(state, name)(*qubits, theta=angle)
            else:
                raise ValueError(f"no translation of gate {name!r}")
        return jnp.real(state.expectation_ps(z=[n // 2]))

    compiled = jax.jit(jax.value_and_grad(value))

    def run(theta: np.ndarray) -> tuple[float, np.ndarray]:
        result, gradient = jax.block_until_ready(compiled(jnp.asarray(theta)))
        return float(result), np.asarray(gradient)

    return run


def _xx_plus_yy(angle: Any) -> Any:
    c = jnp.cos(angle / 2) + 0j
    s = -1j * jnp.sin(angle / 2)
    one, zero = jnp.ones_like(c), jnp.zeros_like(c)
    rows = [[one, zero, zero, zero], [zero, c, s, zero], [zero, s, c, zero], [zero, zero, zero, one]]
    return jnp.stack([jnp.stack(row) for row in rows])
