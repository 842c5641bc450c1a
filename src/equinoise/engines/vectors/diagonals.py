"""Diagonal operators on a sector: sums and products over qubits, eight qubits at a time."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from equinoise.engines.vectors import vector_kernels as kernels
from equinoise.reduction.sector import Sector

__all__ = ["Phases"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]


class Phases:
    """Sums over qubits of diagonal operators on a sector, eight qubits at a time.

    Args:
        table: The sector.
    """

    def __init__(self, table: Sector) -> None:
        self.width = table.width
        self.occupations = table.occupations
        self.packed = np.packbits(table.occupations, axis=1, bitorder="little")
        self._parities: dict[tuple[int, ...], Real] = {}

    @cached_property
    def _signs(self) -> Real:
        """Z of each bit of a byte, shape (256, 8)."""
        bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
        return np.asarray(1.0 - 2.0 * bits, dtype=np.float64)

    def values(self, weights: Real) -> Real:
        """sum_i weights[i] z_i of every basis state, shape (D,)."""
        out = np.empty(self.packed.shape[0])
        padded = np.zeros(8 * self.packed.shape[1])
        padded[: self.width] = weights
        kernels.linear_values(self.packed, padded.reshape(-1, 8) @ self._signs.T, out)
        return out

    def products(self, empty: Complex, filled: Complex) -> Complex:
        """prod_i (filled[i] or empty[i]) of every basis state, shape (D,)."""
        # The factor of a byte's eight qubits, for each of its 256 values; padding bits beyond the width keep the factor
        # 1.
        lookup = np.ones((self.packed.shape[1], 256), dtype=np.complex128)
        is_filled = self._signs < 0
        for i in range(self.width):
            lookup[i // 8] *= np.where(is_filled[:, i % 8], filled[i], empty[i])
        out = np.empty(self.packed.shape[0], dtype=np.complex128)
        kernels.factors(self.packed, lookup, out)
        return out

    def sums(self, weight: Real) -> Real:
        """sum_x weight[x] z_i(x) for each qubit, shape (w,)."""
        histogram = np.zeros((self.packed.shape[1], 256))
        kernels.linear_sums(self.packed, weight, histogram)
        return np.asarray((histogram @ self._signs).ravel()[: self.width])

    def parity(self, qubits: tuple[int, ...]) -> Real:
        """Prod z_i of every basis state, shape (D,)."""
        if qubits not in self._parities:
            odd = self.occupations[:, list(qubits)].sum(axis=1) % 2
            self._parities[qubits] = np.asarray(1.0 - 2.0 * odd, dtype=np.float64)
        return self._parities[qubits]
