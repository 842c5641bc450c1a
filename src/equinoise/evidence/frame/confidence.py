"""Lower confidence bounds on the mean of a nonnegative variable, from independent draws.

* *Empirical Bernstein* (Maurer and Pontil 2009, arXiv:0907.3740, theorem 4): with probability at least 1 - delta,
  E X >= mean - B (sqrt(2 v ln(2/delta) / S) + 7 ln(2/delta) / (3 (S - 1))), v the sample variance of X/B, S draws.
* *Test martingale* (Ville's inequality; Waudby-Smith and Ramdas 2024, arXiv:2010.09686): for X >= 0 and stakes
  lambda_i in [0, 1/(2m)] that depend on the draws before i only, M(m) = prod_i (1 + lambda_i (X_i - m)) is a
  nonnegative supermartingale if E X <= m, so that P(M(m) >= 1/delta) <= delta: every m with M(m) >= 1/delta is
  excluded. It needs X >= 0 and no B. Here lambda_i = min(sqrt(2 ln(1/delta) / (S v_i)), 1/(2m)),
  which makes M fall with m, with
  v_i = (1/16 + sum_{j<i} (X_j - a_j)^2) / i and a_i = (1/2 + sum_{j<i} X_j) / i.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["bernstein_bound", "martingale_bound"]

Real = npt.NDArray[np.float64]


def bernstein_bound(values: Real, greatest: float, delta: float) -> float:
    """Maurer and Pontil's lower bound on the mean of a variable in [0, greatest].

    Args:
        values: Independent draws, shape (S,), S >= 2.
        greatest: B.
        delta: Probability of error.

    Returns:
        The bound, at least 0.
    """
    count = values.size
    word = math.log(2 / delta)
    slack = math.sqrt(2 * float(np.var(values / greatest, ddof=1)) * word / count) + 7 * word / (3 * (count - 1))
    return max(0.0, float(values.mean()) - greatest * slack)


def martingale_bound(values: Real, delta: float) -> float:
    """The test martingale's lower bound on the mean of a nonnegative variable; see the module's text.

    Args:
        values: Independent draws >= 0, shape (S,), in the order in which they were made.
        delta: Probability of error.
    """
    count = values.size
    order = np.arange(1, count + 1)
    before = np.concatenate([[0.0], np.cumsum(values)[:-1]])
    guess = (0.5 + before) / order
    squares = np.concatenate([[0.0], np.cumsum((values - guess) ** 2)[:-1]])
    stake = np.sqrt(2 * math.log(1 / delta) * order / (count * (0.0625 + squares)))

    def evidence(mean: float) -> float:
        return float(np.sum(np.log1p(np.minimum(stake, 0.5 / mean) * (values - mean))))

    low, high = 0.0, float(values.mean())
    if high <= 0:
        return 0.0
    for _ in range(60):
        middle = (low + high) / 2
        if middle > 0 and evidence(middle) >= math.log(1 / delta):
            low = middle
        else:
            high = middle
    return low
