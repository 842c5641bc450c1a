"""What every sweep starts from and ends in: a draw's block unitaries and generators, and the gradient from moments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.engines.sector import kernels
from equinoise.reduction.program import Program
from equinoise.reduction.row_tables import PAIR

__all__ = ["Blocks", "build_blocks", "contract"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class Blocks:
    """A draw's block unitaries and generators, gauge fixed for the kernels.

    Attributes:
        unitary: Shape (m, d, d); PAIR blocks scaled so that entry (0, 0) is 1.
        dagger: Their adjoints, last block first.
        generator: Shape (slots, d, d); PAIR generators shifted so that entry (0, 0) is 0.
        theta: The parameter values, shape (K,), on which the input may depend.
    """

    unitary: Complex
    dagger: Complex
    generator: Complex
    theta: Real

    def tangent(self, program: Program, direction: Real) -> tuple[Complex, Complex]:
        """Derivatives of the unitaries and of the adjoints (last block first) along a direction of parameters."""
        # dU = -i (sum_k direction_k G_k) U, since G_k = i (dU/dtheta_k) U^dag.
        out = np.zeros_like(self.unitary)
        np.add.at(out, program.slot_block, direction[program.slot_parameter][:, None, None] * self.generator)
        out = -1j * out @ self.unitary
        return out, np.ascontiguousarray(out.conj().transpose(0, 2, 1)[::-1])


def build_blocks(program: Program, theta: Real) -> Blocks:
    """Block unitaries and generators at theta, shape (K,), radians."""
    size = program.block_size
    unitary = np.empty((program.num_blocks, size, size), dtype=np.complex128)
    generator = np.empty((program.slot_parameter.size, size, size), dtype=np.complex128)
    kernels.build_blocks(theta, (0,) * size, *program.rotations, unitary, generator)
    # A block's global phase cancels in U X U^dag, and a multiple of 1 in its generator in [G, X]: both are taken out,
    # so that the kernels need not touch states with both qubits empty.
    pair = program.kind == PAIR
    unitary[pair] /= unitary[pair, 0, 0][:, None, None]
    pair_slots = pair[program.slot_block]
    generator[pair_slots] -= generator[pair_slots, 0, 0][:, None, None] * np.eye(size)
    dagger = np.ascontiguousarray(unitary.conj().transpose(0, 2, 1)[::-1])
    return Blocks(unitary, dagger, generator, theta)


def contract(program: Program, blocks: Blocks, moments: Complex) -> Real:
    """dC/dtheta_k = sum over the blocks of 2 Im Tr[G_k M], shape (orders, K), moments of shape (orders, m, d, d)."""
    # dC/dtheta = Tr[O (-i)[G, rho]] = 2 Im Tr[G rho O] with M = rho O traced over the block's other qubits.
    each = 2 * np.einsum("gac,ogca->og", blocks.generator, moments[:, program.slot_block]).imag
    gradient = np.zeros((moments.shape[0], len(program.problem.parameters)))
    for k in range(moments.shape[0]):
        np.add.at(gradient[k], program.slot_parameter, each[k])
    return gradient
