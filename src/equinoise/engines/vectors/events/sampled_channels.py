"""The channel exp(s G) of a generator on one or two qubits as Kraus operators, drawn by their Born probabilities.

G adds up all jumps and Hamiltonians on the qubits, so that what does not commute acts at the same time. The Choi matrix
C of the channel, C[(a, b), (c, d)] = <a| exp(s G)(|b><d|) |c>, is positive, and its eigenvectors times the roots of its
eigenvalues are Kraus operators K_m with sum_m K_m^dag K_m = 1. In charge sectors C has no element between |a><b| of
different change of charge |a| - |b|, so that each K_m moves the charge by a definite amount.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from equinoise.engines.vectors import vector_kernels as kernels
from equinoise.engines.vectors.vector_operators import LocalOperator, local_blocks
from equinoise.noise.terms.actions import General
from equinoise.reduction.program import Program

__all__ = ["KrausChannel", "kraus_matrices"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

# eigenvalues of a Choi matrix below this are rounding
_ROUNDING = 1e-14


@dataclass(frozen=True, eq=False)
class KrausChannel:
    """exp(s G) on state vectors.

    Attributes:
        program: The compiled problem.
        qubits: Cone indices, one or two.
        matrices: Kraus operators, the most likely first, shape (m, 2^k, 2^k).
    """

    program: Program
    qubits: tuple[int, ...]
    matrices: Complex

    @classmethod
    def of(cls, program: Program, action: General, scale: float) -> KrausChannel:
        """The channel at a scale in [0, infinity]."""
        return cls(program, action.qubits, kraus_matrices(action.channel(scale), by_charge=not program.full))

    @cached_property
    def operators(self) -> tuple[LocalOperator, ...]:
        """The Kraus operators, each divided by its norm: an estimate divides by the norm of the state anyway."""
        sizes = np.linalg.norm(self.matrices, 2, axis=(1, 2))
        scaled: Complex = np.asarray(self.matrices / sizes[:, None, None], dtype=np.complex128)
        return tuple(LocalOperator(self.program, self.qubits, k) for k in scaled)

    @cached_property
    def inverse(self) -> LocalOperator | None:
        """The inverse of the first one; None where it is singular."""
        first = self.operators[0].matrix
        sizes = np.linalg.svd(first, compute_uv=False)
        if self.operators[0].step != 0 or sizes[-1] < 1e-6:
            return None
        return LocalOperator(self.program, self.qubits, np.asarray(np.linalg.inv(first), dtype=np.complex128))

    @cached_property
    def smallest(self) -> float:
        """The ratio of the smallest to the largest size of the first operator on any state, in [0, 1]."""
        return float(np.linalg.svd(self.operators[0].matrix, compute_uv=False)[-1])

    @cached_property
    def least(self) -> float:
        """No state gives the first operator a smaller probability: the least eigenvalue of K_0^dag K_0."""
        return float(np.linalg.svd(self.matrices[0], compute_uv=False)[-1]) ** 2

    @cached_property
    def _weights(self) -> Complex:
        """K_m^dag K_m, shape (m, 2^k, 2^k)."""
        return np.asarray(self.matrices.conj().transpose(0, 2, 1) @ self.matrices)

    def pick(self, psi: Complex, charge: int | None, u: float) -> int:
        """Which operator acts on a state, shape (D, 1), of any norm, for a uniform random number u."""
        if u < self.least:
            return 0
        odds = self.odds(psi, charge)
        chosen = int(np.searchsorted(np.cumsum(odds), u * odds.sum(), side="right"))
        return min(chosen, int(odds.size) - 1)

    def odds(self, psi: Complex, charge: int | None) -> Real:
        """Probability of each operator on a state, shape (D, 1), times the square of its norm: shape (m,)."""
        # <psi| K^dag K |psi> = Tr[K^dag K r] with r the state of these qubits alone: one pass over psi for all m
        local = np.zeros((2 ** len(self.qubits),) * 2, dtype=np.complex128)
        for rows, to, of in local_blocks(self.program, self.qubits, charge, 0):
            found = np.zeros((to.size, of.size), dtype=np.complex128)
            kernels.local_moments(psi, (0,), psi, (0,), rows, to, of, np.ones(found.shape, dtype=np.bool_), found)
            local[np.ix_(to, of)] += found
        odds: Real = np.maximum(np.einsum("mab,ab->m", self._weights, local).real, 0.0)
        return odds


def kraus_matrices(channel: Complex, *, by_charge: bool) -> Complex:
    """Kraus operators of a channel, the largest first.

    Args:
        channel: On matrices vectorised row by row, shape (d^2, d^2).
        by_charge: Whether the channel commutes with the charge's action, and each operator is to move it by a definite
            amount.

    Returns:
        Shape (m, d, d) with sum_m K_m^dag K_m = 1.

    Example:
        >>> import numpy as np
        >>> from equinoise.engines.vectors.events.sampled_channels import kraus_matrices
        >>> found = kraus_matrices(np.diag([1, 0.5, 0.5, 1]), by_charge=False)  # sqrt(3/4), sqrt(1/4) Z, up to phases
        >>> np.abs(found).round(3).tolist()
        [[[0.866, 0.0], [0.0, 0.866]], [[0.5, 0.0], [0.0, 0.5]]]
    """
    d = round(channel.shape[0] ** 0.5)
    # channel[(a, c), (b, d)] -> choi[(a, b), (c, d)]
    choi = channel.reshape(d, d, d, d).transpose(0, 2, 1, 3).reshape(d * d, d * d)
    choi = (choi + choi.conj().T) / 2
    local = np.arange(d * d)
    step = np.bitwise_count(local // d).astype(int) - np.bitwise_count(local % d).astype(int)
    found: list[tuple[float, Complex]] = []
    for group in [np.flatnonzero(step == s) for s in np.unique(step)] if by_charge else [local]:
        values, vectors = np.linalg.eigh(choi[np.ix_(group, group)])
        for value, vector in zip(values, vectors.T, strict=True):
            if value > _ROUNDING:
                k = np.zeros(d * d, dtype=np.complex128)
                k[group] = np.sqrt(value) * vector
                found.append((float(value), k.reshape(d, d)))
    found.sort(key=lambda pair: -pair[0])
    return np.array([k for _, k in found])
