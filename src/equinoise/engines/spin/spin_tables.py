"""What local noise does to blocks of total spin, as tables: sums over qubits, and dephasing at a strength.

Coefficients of sum_i sigma_i X sigma_i^dag between blocks: Chase and Geremia, arXiv:0805.2911, with the
numbers of ways to make a spin cancelled against one another, so that no large number is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Dephasing", "dephasing", "sandwich_tables"]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

# powers of ||G|| <= 1 in exp(G): 1/20! is below rounding
ORDERS = 20


def sandwich_tables(num_qubits: int, move: int) -> Real:
    """Coefficients of sum_i sigma_i X sigma_i^dag per target block (k, k + 1, k - 1), k and x.

    Element (k, x, y) goes to the block with the product of the coefficients of x and of y.

    Args:
        num_qubits: n.
        move: What sigma adds to x: 0 for Z, -1 for |0><1|, 1 for |1><0|.

    Returns:
        Shape (3, blocks, n + 1).
    """
    # Wigner-Eckart: sigma_i X sigma_i^dag, summed over i, couples J to J, J - 1 and J + 1. Each coefficient is a
    # Clebsch-Gordan coefficient for M times one for M'; what does not depend on M goes to both as a square root. The
    # formulas for the ladders are those of |0><1|, which raises M; |1><0| is their mirror image, M -> -M.
    n = num_qubits
    out = np.zeros((3, n // 2 + 1, n + 1))
    for k in range(n // 2 + 1):
        j = n / 2 - k
        x = np.arange(k, n - k + 1)
        m = (n / 2 - x) * (-move or 1)  # the formulas of the two ladders are mirror images
        if move == 0:
            stay, lower, higher = 4 * m**2, 4 * (j**2 - m**2), 4 * ((j + 1) ** 2 - m**2)
        else:
            stay = (j - m) * (j + m + 1)
            lower, higher = (j - m) * (j - m - 1), (j + m + 1) * (j + m + 2)
        if j > 0:
            out[0, k, x] = np.sqrt(stay * (n / 2 + 1) / (2 * j * (j + 1))) * (np.sign(m) if move == 0 else 1.0)
        if j >= 1:
            out[1, k, x] = np.sqrt(np.maximum(lower, 0.0) * (n / 2 + j + 1) / (2 * j * (2 * j + 1)))
        if k > 0:
            out[2, k, x] = np.sqrt(higher * k / (2 * (j + 1) * (2 * j + 1)))
    return out


@dataclass(frozen=True)
class Dephasing:
    """How dephasing mixes the blocks at each (x, y).

    Attributes:
        matrices: One matrix after the other, rows the block that is reached.
        places: Where that of (x, y) starts, shape (n + 1, n + 1); mirror images share theirs.
    """

    matrices: Real
    places: Index


def dephasing(tables: Real, linear: float, square: float, lowest: Real) -> Dephasing:
    """exp(linear (S - n) + square (S^2 - n^2)/2 + lowest) for S = sum_i Z_i . Z_i, at each (x, y).

    No element of S off the diagonal is below 0: a shift that makes the diagonal so too, a power series and squarings
    add no terms of opposite sign (for ``square`` = 0), so tiny elements are as precise as large ones.

    Args:
        tables: Of the sandwich with Z.
        linear: Rate times scale of Z on each qubit.
        square: Of Z Z on each pair.
        lowest: What is added to the exponent, shape (n + 1, n + 1).
    """
    # S takes element k at (x, y) to k, k + 1 and k - 1: a tridiagonal matrix for each (x, y), with the two ladders of
    # tables as its diagonals. Elements with (x, y) exchanged or mirrored at n/2 have the same matrix, so a quarter of
    # them is computed.
    n = tables.shape[2] - 1
    places = np.zeros((n + 1, n + 1), dtype=np.int64)
    matrices: list[Real] = []
    start = 0
    for x in range(n // 2 + 1):  # M >= 0 and |M'| <= M: the others are images of these
        y = np.arange(x, n - x + 1)
        count = x + 1
        k = np.arange(count)
        s = np.zeros((y.size, count, count))
        s[:, k, k] = (tables[0, :count, x, None] * tables[0][:count, y]).T
        s[:, k[1:], k[:-1]] = (tables[1, : count - 1, x, None] * tables[1][: count - 1, y]).T
        s[:, k[:-1], k[1:]] = (tables[2, 1:count, x, None] * tables[2][1:count, y]).T
        g = linear * s + (square / 2 * (s @ s) if square else 0.0)
        g[:, k, k] += (lowest[x, y] - linear * n - square * n * n / 2)[:, None]
        matrices.append(_exponentials(g, y == x).ravel())
        here = start + count * count * np.arange(y.size)
        for a, b in ((x, y), (y, x), (n - x, n - y), (n - y, n - x)):
            places[a, b] = here
        start += count * count * y.size
    return Dephasing(np.concatenate(matrices), places)


def _exponentials(generators: Real, stochastic: npt.NDArray[np.bool_]) -> Real:
    """Exp of each matrix, shape (m, d, d); the columns of the stochastic ones add to 1, which each step restores."""
    # exp(G) = e^{least} exp(G - least) with all elements of G - least >= 0: the series and its squarings add positive
    # numbers only. Scaling by 2^-halvings brings the norm to at most 1, where 20 terms are exact to rounding.
    k = np.arange(generators.shape[1])
    least = np.minimum(generators[:, k, k].min(axis=1), 0.0)
    shifted = generators.copy()
    shifted[:, k, k] -= least[:, None]
    norm = float(np.abs(shifted).sum(axis=1).max())
    halvings = max(0, int(np.ceil(np.log2(norm)))) if norm > 0 else 0
    step = shifted * 0.5**halvings
    total = np.broadcast_to(np.eye(k.size), step.shape).copy()
    term = total
    for power in range(1, ORDERS + 1):
        term = term @ step / power
        total += term
    total *= np.exp(least * 0.5**halvings)[:, None, None]
    for halving in range(halvings + 1):
        if halving:
            total = total @ total
        total[stochastic] /= total[stochastic].sum(axis=1, keepdims=True)
    return np.asarray(total)
