"""The toggling frame: a sign y(t) = +-1 that flips at every pulse, its filter function and its phase variance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.errors import ParameterError

__all__ = ["SignFunction", "exponential_overlaps", "filter_function", "phase_variance"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SignFunction:
    """y(t) on [0, duration]: +1 at the start, flipping at every time in ``flips``.

    Attributes:
        flips: Ascending, in any unit of time.
        duration: In the same unit, > 0.

    Raises:
        ParameterError: Times out of order or outside [0, duration].
    """

    flips: tuple[float, ...]
    duration: float

    def __post_init__(self) -> None:
        times = tuple(float(t) for t in self.flips)
        inside = all(0 <= t <= self.duration for t in times)
        if not 0 < self.duration < math.inf or not inside or list(times) != sorted(times):
            raise ParameterError(f"flips must ascend within [0, duration], got {times} and {self.duration}.")
        object.__setattr__(self, "flips", times)

    @property
    def edges(self) -> Real:
        """Ends of the pieces of constant sign, shape (P + 1,)."""
        return np.array([0.0, *self.flips, self.duration])

    @property
    def signs(self) -> Real:
        """Sign of each piece, shape (P,)."""
        return np.array([(-1.0) ** i for i in range(len(self.flips) + 1)])


def filter_function(sign: SignFunction, omega: npt.ArrayLike) -> Real:
    """F(omega) = |integral_0^T y(t) exp(i omega t) dt|^2.

    Args:
        sign: y(t).
        omega: Angular frequencies, any shape, in radians per unit of time.

    Returns:
        In the unit of time squared, the shape of omega.

    Source:
        Cywinski et al., arXiv:0712.2225 (their F is omega^2 F/2 here).

    Example:
        >>> from equinoise.mitigation.decoupling.filter_function import SignFunction, filter_function
        >>> float(filter_function(SignFunction((1.0,), 2.0), 0.0))  # an echo blocks what is constant
        0.0
    """
    # Over one piece integral exp(i w t) dt = length sinc(w length/2) exp(i w middle); sinc keeps it finite at w = 0.
    w = np.asarray(omega, dtype=np.float64)[..., None]
    left, right = sign.edges[:-1], sign.edges[1:]
    pieces = (right - left) * np.sinc(w * (right - left) / (2 * np.pi)) * np.exp(0.5j * w * (left + right))
    return np.asarray(np.abs((sign.signs * pieces).sum(axis=-1)) ** 2)


def exponential_overlaps(edges: Real, time: float) -> Real:
    """I_pq = integral over piece p and piece q of exp(-|t - t'|/time) dt dt', in closed form.

    Args:
        edges: Ends of adjoining pieces, ascending, shape (P + 1,).
        time: Correlation time > 0 in the same unit, possibly infinite.

    Returns:
        Shape (P, P).
    """
    # For p before q, exp(-(t' - t)/time) factors into what is left of p at its end, the gap, and what q gathers:
    # rise_p exp(-gap/time) rise_q. Equal pieces integrate to 2 time^2 (x - 1 + exp(-x)), x = length/time.
    length = np.diff(edges)
    if math.isinf(time):
        return np.outer(length, length)
    x = length / time
    rise = -np.expm1(-x) * time
    gap = np.maximum(edges[None, :-1] - edges[1:, None], 0.0)  # from the end of p to the start of q
    out = np.triu(np.exp(-gap / time) * np.outer(rise, rise), 1)
    # 2 time^2 (x - 1 + e^-x), by its series where the difference would lose digits
    small = x**2 / 2 * (1 - x / 3 * (1 - x / 4 * (1 - x / 5 * (1 - x / 6))))
    own = 2 * time**2 * np.where(x < 1e-2, small, x + np.expm1(-x))
    return np.asarray(out + out.T + np.diag(own))


def phase_variance(sign: SignFunction, correlation: Sequence[tuple[float, float]]) -> float:
    """Variance of integral_0^T y(t) b(t) dt, E b(t) b(t') = sum_a w_a exp(-|t - t'|/tau_a).

    It equals (1/2 pi) integral S(omega) F(omega) d omega with S(omega) = sum_a w_a 2 tau_a / (1 + omega^2 tau_a^2).

    Args:
        sign: y(t).
        correlation: ((w_a, tau_a), ...), tau_a in the unit of time, math.inf for a static part.

    Example:
        >>> import math
        >>> from equinoise.mitigation.decoupling.filter_function import SignFunction, phase_variance
        >>> phase_variance(SignFunction((), 2.0), [(1.0, math.inf)])
        4.0
        >>> phase_variance(SignFunction((1.0,), 2.0), [(1.0, math.inf)])
        0.0
    """
    # y is constant on each piece: the double integral is a quadratic form in the signs.
    y = sign.signs
    return math.fsum(w * float(y @ exponential_overlaps(sign.edges, tau) @ y) for w, tau in correlation)
