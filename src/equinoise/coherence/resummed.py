"""The coherence law in closed form: survival of the gradient from kappa, w0 and c2."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

__all__ = [
    "direction_law",
    "fitted_rate_variance",
    "lasting_share",
    "leading_order_survival",
    "rate_variance",
    "resummed_survival",
    "scale_at_survival",
]

Real = npt.NDArray[np.float64]

# no distribution of rates that a circuit has is relatively wider
_WIDEST = 20.0
# a sampled kappa far below 0 is no rate; exp of more overflows
_MOST = 50.0


def leading_order_survival(scale: npt.ArrayLike, kappa: float) -> Real:
    """R = exp(-s kappa), the leading-order law; at most e^50 where a sampled kappa lies far below 0.

    Args:
        scale: Noise scale s, any shape.
        kappa: Aligned coherence rate summed over slots, per unit of s.
    """
    if kappa == 0:
        return np.ones_like(np.asarray(scale, dtype=np.float64))
    return np.asarray(np.exp(np.minimum(_MOST, -np.asarray(scale, dtype=np.float64) * kappa)))


def rate_variance(kappa: float, second_moment: float, fixed_point_share: float) -> float:
    """Relative variance of the decaying rates: c2 = m2 / ((1 - w0) kappa'^2) - 1, at least 0; kappa' = kappa/(1 - w0).

    Args:
        kappa: -(1/2) d ln V/ds at 0.
        second_moment: m2 = V''(0) / (4 V(0)); NaN if unknown, and c2 then too.
        fixed_point_share: w0 = V(inf)/V(0).
    """
    # The measure over rates has the moments E Gamma = kappa and E Gamma^2 = m2. Its part at rate 0 has weight w0 and
    # adds to neither, so the rest, of weight 1 - w0, has mean kappa/(1 - w0) and mean square m2/(1 - w0).
    decaying = 1.0 - fixed_point_share
    if decaying <= 1e-12 or kappa**2 == 0:
        return 0.0
    if math.isnan(second_moment):
        return math.nan
    return max(0.0, second_moment * decaying / kappa**2 - 1.0)


def lasting_share(kappa: float, second_moment: float, fixed_point_share: float, *, dephasing: bool) -> float:
    """The share that the law gives to rate 0: w0 where a positive measure over rates can have it, else 0.

    A positive measure obeys kappa^2 <= (1 - w0) m2 (Cauchy and Schwarz on its decaying part). Noise that resets some
    qubits can hand gradient back at large s: V(s) is then not monotone, V(inf)/V(0) may exceed 1, and w0 is no share of
    lasting modes. For dephasing the measure exists, and a factor of 2 is left for sampling.

    Args:
        kappa: -(1/2) d ln V/ds at 0.
        second_moment: m2 = V''(0) / (4 V(0)); NaN if unknown.
        fixed_point_share: w0 = V(inf)/V(0); NaN if unknown, and the share is then 0.
        dephasing: Whether every jump of the noise is diagonal.

    Example:
        >>> lasting_share(0.1, 0.02, 0.4, dephasing=True), lasting_share(0.4, 0.2, 1.06, dephasing=False)
        (0.4, 0.0)
    """
    if math.isnan(fixed_point_share):
        return 0.0
    if math.isnan(second_moment):
        return min(1.0, max(0.0, fixed_point_share)) if dephasing else 0.0
    # (E Gamma)^2 = (E Gamma [Gamma > 0])^2 <= E Gamma^2 P(Gamma > 0): kappa^2 <= m2 (1 - w0).
    slack = 2.0 if dephasing else 1.0
    if kappa**2 <= slack * (1 - fixed_point_share) * second_moment + 1e-18:
        return min(1.0, max(0.0, fixed_point_share))
    return 0.0


def fitted_rate_variance(
    scales: npt.ArrayLike, squares: npt.ArrayLike, kappa: float, fixed_point_share: float
) -> float:
    """The c2 >= 0 with which the resummed law comes closest to known R^2, by least squares; NaN where nothing decays.

    Args:
        scales: Noise scales s, shape (S,); those that are 0 or infinite say nothing and are left out.
        squares: R(s)^2 (unbiased estimates may be negative), shape (S,).
        kappa: Aligned coherence rate summed over slots.
        fixed_point_share: w0.

    Example:
        >>> from equinoise.coherence.resummed import fitted_rate_variance, resummed_survival
        >>> scales = [0.5, 1.0, 4.0]
        >>> round(fitted_rate_variance(scales, resummed_survival(scales, 0.3, 0.1, 0.6) ** 2, 0.3, 0.1), 4)
        0.6
    """
    s, known = (np.asarray(values, dtype=np.float64) for values in (scales, squares))
    use = np.isfinite(s) & (s > 0) & np.isfinite(known)
    if not use.any() or kappa <= 0 or 1 - fixed_point_share <= 1e-12:
        return math.nan

    def distance(c2: float) -> float:
        return float(np.sum((resummed_survival(s[use], kappa, fixed_point_share, c2) ** 2 - known[use]) ** 2))

    best = minimize_scalar(distance, bounds=(0.0, _WIDEST), method="bounded", options={"xatol": 1e-6}).x
    return float(best) if distance(best) < distance(0.0) else 0.0


def resummed_survival(scale: npt.ArrayLike, kappa: float, fixed_point_share: float, c2: float) -> Real:
    """R with R^2 = w0 + (1 - w0) (1 + 2 s kappa' c2)^(-1/c2), kappa' = kappa/(1 - w0); exp(-2 s kappa') as c2 -> 0.

    Args:
        scale: Noise scale s, any shape, infinity included.
        kappa: Aligned coherence rate summed over slots.
        fixed_point_share: w0, clipped to [0, 1].
        c2: Relative variance of the decaying rates, >= 0; NaN, if unknown, counts as 0.

    Source:
        Resummation of arXiv:2606.30688's leading-order law for a gamma distribution of rates.

    Example:
        >>> from equinoise.coherence.resummed import resummed_survival
        >>> float(resummed_survival(float("inf"), 0.3, 0.25, 0.5))
        0.5
    """
    s = np.asarray(scale, dtype=np.float64)
    share = min(1.0, max(0.0, fixed_point_share))
    if 1.0 - share <= 1e-12:
        return np.ones_like(s)
    rate = kappa / (1.0 - share)
    # A gamma distribution of rates with mean kappa' and relative variance c2 has the Laplace transform E exp(-2 s
    # Gamma) = (1 + 2 s kappa' c2)^(-1/c2). log1p keeps digits at small s.
    with np.errstate(over="ignore", invalid="ignore"):
        x = np.where(s == 0, 0.0, 2 * s * rate) if rate else np.zeros_like(s)
        if not c2 >= 1e-9:
            decay = np.exp(-x)
        else:
            decay = np.exp(-np.log1p(np.maximum(x * c2, -1 + 1e-12)) / c2)
    return np.asarray(np.sqrt(share + (1.0 - share) * decay))


def scale_at_survival(survival: float, kappa: float, fixed_point_share: float, c2: float) -> float:
    """The noise scale at which the resummed law falls to a survival; infinity if it never does.

    Args:
        survival: R in (0, 1).
        kappa: Aligned coherence rate.
        fixed_point_share: w0.
        c2: Relative variance of the decaying rates.

    Example:
        >>> from equinoise.coherence.resummed import scale_at_survival
        >>> round(scale_at_survival(0.5, 0.2, 0.0, 0.0), 6)
        3.465736
    """
    if survival >= 1.0:
        return 0.0
    share = min(1.0, max(0.0, fixed_point_share))
    if survival**2 <= share or kappa <= 0 or 1.0 - share <= 1e-12:
        return math.inf
    rate = kappa / (1.0 - share)
    # R^2 = w0 + (1 - w0) f(2 s kappa') solved for s: f = exp, or its gamma average, inverted.
    left = (survival**2 - share) / (1.0 - share)
    if not c2 >= 1e-9:
        return -math.log(left) / (2 * rate)
    return math.expm1(-c2 * math.log(left)) / (2 * rate * c2)


def direction_law(half: float, whole: float) -> float:
    """D(s) = R(s/2)^2 / R(s), the cosine E g(0).g(s) / sqrt(V(0) V(s)) between ideal and noisy gradient.

    It holds where the certificate on the survival is proved
    (:class:`equinoise.coherence.bounds.Certificate`): diagonal dephasing between independent uniform Z rotations.
    Elsewhere D is measured.

    Args:
        half: R(s/2).
        whole: R(s).

    Returns:
        D in [0, 1]; NaN where nothing survives at s.

    Example:
        >>> from equinoise.coherence.resummed import direction_law
        >>> direction_law(0.9, 0.81)
        1.0
        >>> round(direction_law(0.9, 0.9), 3)
        0.9
    """
    # Only equal histories of charge differences interfere, so V(s) = sum_h p_h exp(-2 s G_h): g(s) holds the history h
    # with the amplitude exp(-s G_h). Then E g(0).g(s) = sum_h p_h exp(-s G_h), which is V(s/2). By Jensen's inequality
    # V(s/2)^2 <= V(0) V(s): above 1 is rounding or a fit.
    return min(1.0, half**2 / whole) if whole > 0 else math.nan
