"""Bases of blocks of total spin: an operator's eigenvectors, and the frames in which X or Y is what Z is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.engines.blas_threads import one_blas_thread
from equinoise.engines.spin import spin_kernels as kernels
from equinoise.symmetry.spin_blocks import PauliCounts, SpinBlocks, spin_blocks

__all__ = ["Frame", "eigenframe", "frame_of"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

# of the largest element: rounding of an operator's blocks
NEGLIGIBLE = 1e-13


class Frame:
    """An eigenbasis of an operator in every block: columns of G V, G a diagonal of phases that makes V real if one can.

    Args:
        blocks: Where it acts.
        operator: Hermitian, one matrix per block.

    Attributes:
        values: Eigenvalues h of all blocks one after the other.
        diagonal: Whether the operator is diagonal, so that its basis is the one given.
    """

    def __init__(self, blocks: SpinBlocks, operator: Sequence[Complex]) -> None:
        self.blocks = blocks
        largest = max(float(np.abs(h).max(initial=0.0)) for h in operator)

        def negligible(matrices: Sequence[npt.NDArray[Any]]) -> bool:
            return all(float(np.abs(m).max(initial=0.0)) <= NEGLIGIBLE * largest for m in matrices)

        self.diagonal = negligible([np.asarray(h - np.diag(np.diagonal(h))) for h in operator])
        if self.diagonal:
            self.values: Real = np.concatenate([np.diagonal(h).real for h in operator])
            return
        # G^dag H G is tridiagonal and real for sums of X and Y on single qubits: real eigenvectors halve the work of
        # each turn.
        gauges = [_gauge(h) for h in operator]
        turned = [g.conj()[:, None] * h * g for g, h in zip(gauges, operator, strict=True)]
        real = negligible([h.imag for h in turned])
        pairs = [np.linalg.eigh(h.real if real else h) for h in turned]
        self.values = np.concatenate([values for values, _ in pairs])
        self.set_vectors([vectors for _, vectors in pairs], gauges)

    def set_vectors(self, vectors: Sequence[npt.NDArray[Any]], gauges: Sequence[npt.NDArray[Any]]) -> None:
        """The columns V and the phases G, one array per block."""
        self._gauge: Complex = np.concatenate(gauges).astype(np.complex128)
        columns = np.concatenate([v.ravel() for v in vectors])
        rows = np.concatenate([v.conj().T.ravel() for v in vectors])
        parts = [columns.real, columns.imag] if np.iscomplexobj(columns) else [columns]
        daggers = [rows.real, rows.imag] if np.iscomplexobj(rows) else [rows]
        self._columns: Real = np.ascontiguousarray(parts)
        self._daggers: Real = np.ascontiguousarray(daggers)

    def enter(self, state: Complex, angle: float = 0.0) -> Complex:
        """U (GV)^dag X GV U^dag with U = exp(-i angle h), shape (orders, size)."""
        phases = np.exp(-1j * angle * self.values)
        if self.diagonal:
            return self._phased(state, phases)
        return self._turned(state, self._daggers, self._columns, self._gauge, phases)

    def leave(self, state: Complex, angle: float = 0.0) -> Complex:
        """GV U^dag X U (GV)^dag with U = exp(-i angle h): undoes ``enter``."""
        phases = np.exp(-1j * angle * self.values)
        if self.diagonal:
            return self._phased(state, phases.conj())
        return self._turned(state, self._columns, self._daggers, phases, self._gauge)

    def _turned(self, state: Complex, left: Real, right: Real, before: Complex, after: Complex) -> Complex:
        out = np.empty_like(state)
        kernels.turn(state, out, left, right, before, after, self.blocks.offsets, self.blocks.starts)
        return out

    def _phased(self, state: Complex, phases: Complex) -> Complex:
        out = state.copy()
        kernels.phase(out, phases, self.blocks.offsets, self.blocks.starts)
        return out

    @cached_property
    def gaps(self) -> Real:
        """h_i - h_j of every element, flat."""
        parts = np.split(self.values, self.blocks.starts[1:-1])
        return np.concatenate([np.subtract.outer(h, h).ravel() for h in parts])

    @cached_property
    def rows(self) -> Real:
        """h_i of every element (i, j), flat."""
        parts = np.split(self.values, self.blocks.starts[1:-1])
        return np.concatenate([np.repeat(h, h.size) for h in parts])


def _gauge(operator: Complex) -> Complex:
    """Phases g such that conj(g_i) H_{i, i+1} g_{i+1} >= 0: sums of X and Y on single qubits become real."""
    # g_{i+1} = g_i conj(phase of H_{i,i+1}), so that conj(g_i) H_{i,i+1} g_{i+1} = |H_{i,i+1}|.
    steps = np.diagonal(operator, 1)
    units = np.where(np.abs(steps) > 0, steps.conj() / np.where(np.abs(steps) > 0, np.abs(steps), 1.0), 1.0)
    return np.concatenate([[1.0 + 0j], np.cumprod(units)])


@lru_cache(maxsize=32)
def eigenframe(num_qubits: int, sums: tuple[tuple[PauliCounts, float], ...]) -> Frame:
    """The eigenbasis of a sum of Pauli strings that is the same on all places; kept, for deeper circuits ask again.

    Args:
        num_qubits: n.
        sums: ((letters X, Y, Z, coefficient of every such string), ...); multiples of 1 have no effect.
    """
    blocks = spin_blocks(num_qubits)
    total = [np.zeros((d, d), dtype=np.complex128) for d in blocks.dims.tolist()]
    # small matrices, to which threads of BLAS only bring waiting
    with one_blas_thread():
        for counts, coefficient in sums:
            if any(counts):
                total = [t + coefficient * e for t, e in zip(total, blocks.pauli(counts), strict=True)]
        return Frame(blocks, total)


@lru_cache(maxsize=16)
def frame_of(num_qubits: int, letter: str) -> Frame:
    """The frame in which X or Y is what Z is in the usual one: a rotation, the same in every block."""
    blocks = spin_blocks(num_qubits)
    frame = Frame(blocks, [-s for s in blocks.spin[letter]])
    vectors = []
    for x, z in zip(blocks.spin["X"], blocks.spin["Z"], strict=True):
        v = np.linalg.eigh(-x.real)[1]  # eigenvalues ascend, rows go from M = J down
        # eigenvectors come with any sign; those of a rotation have positive ladder elements of J_z
        steps = np.sign(np.sum(v[:, 1:] * (z.real @ v[:, :-1]), axis=0))
        vectors.append(v * np.concatenate([[1.0], np.cumprod(steps)]))
    turn = 1.0 if letter == "X" else 1j  # about Z, from X to Y
    frame.set_vectors(vectors, [turn ** np.arange(d) for d in blocks.dims.tolist()])
    return frame
