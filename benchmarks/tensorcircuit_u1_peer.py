"""Noiseless gradients by TensorCircuit-NG's own ``U1Circuit`` on JAX, compiled, in double precision.

In the sector of the input's charge, without a light cone. Its iswap(t) = exp(i pi t (XX + YY)/4), so t = -theta/pi.
Compiling takes 8 s at 8 qubits and 24 s at 12, so it is drawn in the scaling figure and has no row.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from qiskit import QuantumCircuit

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import tensorcircuit as tc

__all__ = ["tensorcircuit_u1_gradient"]


def tensorcircuit_u1_gradient(circuit: QuantumCircuit) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """A function from angles, shape (K,), to value and gradient of Z in the middle, Neel input.

    Its first call compiles.
    """
    tc.set_backend("jax")
    tc.set_dtype("complex128")
    n = circuit.num_qubits
    index = {parameter: k for k, parameter in enumerate(circuit.parameters)}
    native = {"xx_plus_yy": ("iswap", -1 / math.pi), "rzz": ("rzz", 1.0), "rz": ("rz", 1.0)}

    def value(theta: Any) -> Any:
        state = tc.U1Circuit(n, filled=list(range(0, n, 2)))
        for item in circuit.data:
            name = item.operation.name
            if name == "barrier":
                continue
            gate, factor = native[name]
            angle = factor * theta[index[item.operation.params[0]]]
            getattr(state, gate)(*(circuit.find_bit(bit).index for bit in item.qubits), theta=angle)
        return jnp.real(state.expectation_z(n // 2))

    compiled = jax.jit(jax.value_and_grad(value))

    def run(theta: np.ndarray) -> tuple[float, np.ndarray]:
        result, gradient = jax.block_until_ready(compiled(jnp.asarray(theta)))
        return float(result), np.asarray(gradient)

    return run
