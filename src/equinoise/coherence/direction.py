"""The direction law: how far a noisy gradient still points the right way follows from how much of it survives."""

from __future__ import annotations

import math

__all__ = ["direction_law"]


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
        >>> from equinoise.coherence.direction import direction_law
        >>> direction_law(0.9, 0.81)
        1.0
        >>> round(direction_law(0.9, 0.9), 3)
        0.9
    """
    # Only equal histories of charge differences interfere, so V(s) = sum_h p_h exp(-2 s G_h): g(s) holds the history h
    # with the amplitude exp(-s G_h). Then E g(0).g(s) = sum_h p_h exp(-s G_h), which is V(s/2). By Jensen's inequality
    # V(s/2)^2 <= V(0) V(s): above 1 is rounding or a fit.
    return min(1.0, half**2 / whole) if whole > 0 else math.nan
