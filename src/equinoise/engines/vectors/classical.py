"""What dephasing leaves at s = infinity where it tells all basis states apart: a classical stochastic process.

After each slot the state is diagonal, p(x). A layer of disjoint blocks then moves it by p <- S p with the unistochastic
matrix S = prod |u_b|^2 (elementwise), and the readout by its transpose; the derivative of a block is
d|u|^2 = 2 Re(conj(u) du) with du = -i G u. One vector of D probabilities instead of D^2 numbers: w0 exactly, on any
width that a state vector has.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from equinoise.engines.sector.block_unitaries import Blocks, build_blocks, contract
from equinoise.engines.vectors import vector_kernels as kernels
from equinoise.reduction.program import LayerProgram, Program
from equinoise.reduction.row_tables import PAIR
from equinoise.reduction.slots.slot_program import jump_weights

__all__ = ["classical_gradient", "is_classical"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

_ONE = (0,)


def is_classical(program: Program) -> bool:
    """Whether every slot's white dephasing leaves the readout only diagonal elements to see, and the layers allow it.

    In a slot the elements |x><y| that the readout sees agree outside the seen qubits and have one charge on them: none
    but the diagonal lasts if the jumps' weights there, with a row of ones, have full rank. From the second layer on the
    blocks of a layer must be disjoint.
    """
    if program.full or program.noise_class != "strong" or np.any(program.kind != PAIR):
        return False
    for slot, seen in zip(program.slots, program.cone.seen, strict=True):
        inside = [i for i, q in enumerate(program.cone.qubits) if q in seen]
        linear = [jump.is_linear for jump in slot.jumps]
        rows = jump_weights(slot, program.width)[linear][:, inside]
        if np.linalg.matrix_rank(np.vstack([np.ones(len(inside)), rows])) < len(inside):
            return False
    for layer, kept in list(zip(program.problem.layers, program.cone.blocks, strict=True))[1:]:
        touched = [q for i in kept for q in layer.blocks[i].qubits]
        if len(set(touched)) < len(touched):
            return False
    return True


def classical_gradient(program: Program, inputs: list[tuple[int | None, Complex]], theta: Real) -> Real:
    """dC/dtheta at s = infinity, shape (K,), exactly.

    Args:
        program: For which :func:`is_classical` holds.
        inputs: The input's vectors in each charge, as columns.
        theta: Shape (K,), radians.
    """
    # p holds the populations after the first layer and slot; the first layer itself still sees the coherences of the
    # input and goes by state vectors. Forward p is kept before each layer, backward the diagonal readout is pulled
    # through the transposed S, and between the two each block's dS is contracted: C is linear in every S.
    blocks = build_blocks(program, theta)
    size = np.abs(blocks.unitary) ** 2
    chances = np.ascontiguousarray(size, dtype=np.complex128)
    gradient = np.zeros(len(program.problem.parameters))
    for charge, vectors in inputs:
        rows = program.tables[charge].arguments
        first = program.layers[0]
        start = slice(first.start, first.stop)
        psi = [np.ascontiguousarray(v)[:, None].copy() for v in vectors.T]
        for one in psi:
            kernels.multiply(one, _ONE, first.kind, first.table, blocks.unitary[start], *rows)
        p = np.sum([np.abs(one) ** 2 for one in psi], axis=0).astype(np.complex128)
        kept: list[Complex] = []
        for layer in program.layers[1:]:
            kept.append(p.copy())
            for b in range(layer.stop - layer.start):
                _apply(p, layer, b, chances, rows)
        seen = program.readout[charge].diagonal().real.astype(np.complex128)[:, None]
        transposed = np.ascontiguousarray(chances.transpose(0, 2, 1))
        for layer in program.layers[:0:-1]:
            steps = [kept.pop()]
            for b in range(layer.stop - layer.start - 1):
                steps.append(steps[-1].copy())
                _apply(steps[-1], layer, b, chances, rows)
            # Within a layer blocks are disjoint, so S is a product of theirs; ``steps`` are the populations before each
            # of them.
            for b in range(layer.stop - layer.start - 1, -1, -1):
                gradient += _derivative(program, blocks, layer.start + b, seen, steps.pop(), layer.table[b], rows)
                _apply(seen, layer, b, transposed, rows)
        moments = np.zeros(program.moments_shape(1), dtype=np.complex128)
        # dC/dtheta of the first layer: 2 Im <O psi| G |psi> with O the diagonal readout pulled back to the first slot.
        last = program.num_blocks - first.stop
        for one in psi:
            both = np.ascontiguousarray(np.hstack([one, seen * one]))
            reverse = (*first.reversed, blocks.dagger[last:])
            kernels.pull_back(both, *reverse, *rows, moments[0, start][::-1])
        gradient += contract(program, blocks, moments)[0]
    return gradient


def _apply(
    vector: Complex, layer: LayerProgram, b: int, matrices: Complex, rows: tuple[npt.NDArray[np.integer], ...]
) -> None:
    """One block of a layer on a vector of probabilities or of readings, in place."""
    place = layer.start + b
    kernels.multiply(vector, _ONE, layer.kind[b : b + 1], layer.table[b : b + 1], matrices[place : place + 1], *rows)


def _derivative(
    program: Program,
    blocks: Blocks,
    b: int,
    seen: Complex,
    before: Complex,
    table: int,
    rows: tuple[npt.NDArray[np.integer], ...],
) -> Real:
    """sum_xy seen(x) dS_b(x, y) before(y) for each parameter, shape (K,)."""
    # A block mixes populations of its row pairs alone (|phase|^2 = 1 elsewhere): products[i][j] sums, over the pairs,
    # reading i times population j. d|u|^2 = 2 Re(conj(u) du) with du = -i G u is the derivative of the 2x2 part of S.
    lo, hi, pair_ptr = rows[:3]
    here = slice(int(pair_ptr[table]), int(pair_ptr[table + 1]))
    read = [seen[r[here], 0].real for r in (lo, hi)]
    chance = [before[r[here], 0].real for r in (lo, hi)]
    products = np.array([[np.einsum("x,x->", o, p) for p in chance] for o in read])
    out = np.zeros(len(program.problem.parameters))
    for g in np.flatnonzero(program.slot_block == b):
        u = blocks.unitary[b]
        step = 2 * (u.conj() * (-1j * blocks.generator[g] @ u)).real[1:3, 1:3]
        out[program.slot_parameter[g]] += float(np.sum(step * products))
    return out
