"""The unitary circuit averaged over given paths of phases, all at once: paths side by side are one direct sum."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.engines.draws import Draw
from equinoise.engines.sector.block_unitaries import build_blocks, contract
from equinoise.engines.vectors import vector_kernels as kernels
from equinoise.errors import UnsupportedError
from equinoise.reduction.program import Program

__all__ = ["path_average"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
Index = npt.NDArray[np.int64]

_ONE = (0,)


def path_average(program: Program, theta: Real, phases: Real, weights: Real) -> Draw:
    """sum_m weights[m] (value, <O^2>, gradient) of the circuit with exp(-i sum_i phases[m, l, i] Z_i) after slot l.

    The program's own noise is left out. Exact for the given paths.

    Args:
        program: The compiled problem, in charge sectors.
        theta: Shape (K,), radians.
        phases: Shape (M, L, w), radians, on the program's cone qubits.
        weights: Shape (M,).

    Returns:
        The average value, <O^2> and gradient of shape (K,).

    Raises:
        UnsupportedError: The circuit breaks the charge.

    Example:
        >>> import numpy as np
        >>> import equinoise as eq
        >>> from equinoise.engines.vectors.path_average import path_average
        >>> from equinoise.reduction.program import compile_problem
        >>> problem = eq.Problem(eq.circuits.brickwork(4, depth=2), readout="Z1")
        >>> program, theta = compile_problem(problem), np.full(len(problem.parameters), 0.3)
        >>> still = path_average(program, theta, np.zeros((1, 2, program.width)), np.ones(1))
        >>> bool(abs(still.value - eq.gradient(problem, theta, scale=0).value) < 1e-12)
        True
    """
    if program.full:
        raise UnsupportedError("paths of phases are propagated in charge sectors, but the circuit breaks the charge.")
    # The blocks are the same for all M paths, only the phases differ: M copies of the sector, one after the other, make
    # one vector of M D rows on which a block acts by row tables repeated M times. The weight of a path enters once, in
    # lambda = weight O psi; then 2 Im <lambda| G |psi> over all rows is the weighted sum of the gradients.
    count = len(weights)
    blocks = build_blocks(program, theta)
    moments = np.zeros(program.moments_shape(1), dtype=np.complex128)
    value = square = 0.0
    for charge in sorted(program.input_charges, key=lambda c: c or 0):
        rows = _side_by_side(program.tables[charge].arguments, program.sectors[charge].dimension, count)
        signs = 1.0 - 2.0 * program.sectors[charge].occupations  # (D, w)
        turns = [np.exp(-1j * (phases[:, number] @ signs.T)).ravel() for number in range(len(program.layers))]
        for vector in program.initial_vectors(charge, theta).T:
            psi = np.tile(np.asarray(vector, dtype=np.complex128), count)[:, None].copy()
            for layer, turn in zip(program.layers, turns, strict=True):
                kernels.multiply(psi, _ONE, layer.kind, layer.table, blocks.unitary[layer.start : layer.stop], *rows)
                kernels.scale_rows(psi, _ONE, turn)
            paths = psi.reshape(count, -1)
            seen: Complex = np.asarray((program.readout[charge] @ paths.T).T)
            value += float(weights @ np.einsum("mx,mx->m", paths.conj(), seen).real)
            square += float(weights @ (np.abs(seen) ** 2).sum(axis=1))
            both = np.ascontiguousarray(np.stack([psi[:, 0], (weights[:, None] * seen).ravel()], axis=1))
            for layer, turn in zip(reversed(program.layers), reversed(turns), strict=True):
                both *= turn.conj()[:, None]
                first, last = program.num_blocks - layer.stop, program.num_blocks - layer.start
                part = moments[0, layer.start : layer.stop][::-1]
                kernels.pull_back(both, *layer.reversed, blocks.dagger[first:last], *rows, part)
    return Draw(value, square, contract(program, blocks, moments)[0])


def _side_by_side(rows: Any, dimension: int, count: int) -> tuple[Any, ...]:
    """The row tables of ``count`` copies of a sector."""
    lo, hi, pair_ptr, one, one_ptr, group, group_ptr = rows
    shift = dimension * np.arange(count)[:, None]

    def copies(table: Any, ptr: Index) -> Any:
        parts = [(table[a:b] + shift).ravel() for a, b in itertools.pairwise(ptr.tolist())]
        return np.concatenate([*parts, np.zeros(0, dtype=np.int64)]).astype(table.dtype)

    pairs = (copies(lo, pair_ptr), copies(hi, pair_ptr), pair_ptr * count, copies(one, one_ptr), one_ptr * count)
    return *pairs, np.stack([copies(row, group_ptr) for row in group]), group_ptr * count
