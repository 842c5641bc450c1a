"""How V falls with depth beyond the depths that can be done: an interval over plausible models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.coherence.sample import Interval

__all__ = ["FARTHEST", "MODELS", "DepthPoint", "Size", "extrapolated_variance", "obstacle"]

Real = npt.NDArray[np.float64]

MODELS = (
    "exponential in the depth at the last rate",
    "exponential in the cone's width at the last rate",
    "power of the depth at 3/4 of the last exponent",
    "power of the cone's width at 3/4 of the last exponent",
)
# of the depths done; nothing beyond was validated
FARTHEST = 4
_FEWEST = 4
# of the last exponent: V(s) of a deep circuit sits in modes that noise leaves alone and falls more slowly again
_POWER = 0.75
# standard errors of a slope, and a factor of V for what a line leaves out, such as the parity of the last layer
_ERRORS, _SLACK = 2.0, math.log(1.3)
# V per parameter that grew by more than this factor over the depths done has not begun to fall
_RISEN = 1.2


@dataclass(frozen=True)
class Size:
    """A light cone, without any simulation.

    Attributes:
        depth: Layers L.
        width: Cone qubits w.
        parameters: Parameters in the cone, K.
        noise: Mean total rate of the noise per seen qubit and slot.
    """

    depth: int
    width: int
    parameters: int
    noise: float = 0.0


@dataclass(frozen=True)
class DepthPoint:
    """V of a circuit that an engine can do.

    Attributes:
        size: Its cone.
        noiseless: V(0).
        noisy: V(s).
        noiseless_error: Standard error, or half-width of the truncation interval, of V(0).
        noisy_error: Likewise of V(s).
        engine: Which computed it.
    """

    size: Size
    noiseless: float
    noisy: float
    noiseless_error: float = 0.0
    noisy_error: float = 0.0
    engine: str = ""


def obstacle(points: Sequence[DepthPoint], asked: Size) -> str | None:
    """Why these depths say nothing about a greater one; None if they do."""
    if len(points) < _FEWEST:
        return f"only {len(points)} depths with a resolved gradient can be done, and the models need {_FEWEST}"
    deepest = points[-1].size
    if asked.depth > FARTHEST * deepest.depth:
        return (
            f"{asked.depth} layers are more than {FARTHEST} times the {deepest.depth} that can be done, and the models "
            "were validated no further"
        )
    first, last = (point.noiseless / point.size.parameters for point in (points[0], points[-1]))
    if last > _RISEN * first:
        return f"V(0) per parameter still rises up to depth {deepest.depth}, and its fall cannot be foretold"
    return None


def extrapolated_variance(points: Sequence[DepthPoint], asked: Size) -> tuple[Interval, Interval]:
    """Intervals of V(0) and of V(s) at a greater depth.

    With y = ln(V/K), K the parameters in the cone, equivariant circuits fall ever more slowly in the depth L and, until
    deep, ever more steeply in ln L (measured, see docs/law.md; not proved). So an exponential at the last rate is a
    lower end and a power of L an upper one. In a cone that widens faster than before the rate is that per qubit
    of width; in one that has stopped widening V(0)/K may have stopped falling, and the noise alone goes on.

    Args:
        points: At least four depths, ascending, all with V > 0.
        asked: The greater depth.
    """
    sizes = [point.size for point in points]
    count = np.array([size.parameters for size in sizes], dtype=float)
    clean = _Curve.of(points, [p.noiseless for p in points] / count, [p.noiseless_error for p in points] / count)
    noisy = _Curve.of(points, [p.noisy for p in points] / count, [p.noisy_error for p in points] / count)
    lost = _Curve(noisy.depth, noisy.width, noisy.value - clean.value, np.hypot(noisy.error, clean.error))
    # weaker or stronger noise in the layers and qubits beyond changes what is lost in proportion
    done = sizes[-1].noise
    more = asked.noise / done if done > 0 else 1.0
    extra = max(0.0, more - 1) * lost.steepest(asked)
    falls = min(1.0, more)
    clean_least, lost_least = clean.least(asked), lost.least(asked)
    noisy_least = min(
        max(0.0, noisy.power(noisy.depth, asked.depth) - (1 - falls) * lost_least),
        clean_least + falls * lost.power(lost.depth, asked.depth),
    )
    intervals = (
        (clean.value[-1] - clean.steepest(asked), clean.value[-1] - clean_least),
        (noisy.value[-1] - noisy.steepest(asked) - extra, noisy.value[-1] - noisy_least),
    )
    errors = (clean.error[-1], noisy.error[-1])
    out = []
    for (low, high), error in zip(intervals, errors, strict=True):
        wider = _SLACK + _ERRORS * float(error)
        out.append((asked.parameters * math.exp(low - wider), asked.parameters * math.exp(high + wider)))
    return out[0], out[1]


@dataclass(frozen=True)
class _Curve:
    """ln of a quantity along the depths done, with standard errors."""

    depth: Real
    width: Real
    value: Real
    error: Real

    @classmethod
    def of(cls, points: Sequence[DepthPoint], value: Real, error: Real) -> _Curve:
        depth, width = (np.array([getattr(p.size, name) for p in points], float) for name in ("depth", "width"))
        return cls(depth, width, np.log(value), error / value)

    def steepest(self, asked: Size) -> float:
        """How far it falls at most: at the last rate per layer or per qubit of width, whichever falls farther."""
        drops = [0.0]
        for u, end in ((self.depth, asked.depth), (self.width, asked.width)):
            if np.ptp(u) > 0:
                rate, error = self._slope(u)
                drops.append(max(0.0, -rate + error) * (end - u[-1]))
        return max(drops)

    def least(self, asked: Size) -> float:
        """How far it falls at least: like a power of the depth or of the width, whichever falls less."""
        ends = ((self.depth, asked.depth), (self.width, asked.width))
        return min(self.power(u, end) for u, end in ends)

    def power(self, u: Real, end: float) -> float:
        """The fall of a power law in one of the two variables; 0 where that has not changed over the depths done."""
        if np.ptp(u) == 0:
            return 0.0
        exponent, error = self._slope(np.log(u))
        return _POWER * max(0.0, -exponent - error) * math.log(end / u[-1])

    def _slope(self, u: Real) -> tuple[float, float]:
        """Slope of a straight line through the points, and the error allowed for it."""
        # Residuals hold both the sampling error and the steps of a cone that widens in some layers only.
        centred = u - u.mean()
        size = float(centred @ centred)
        slope = float(centred @ self.value) / size
        left = self.value - self.value.mean() - slope * centred
        sampled = float(np.sqrt((centred**2) @ self.error**2)) / size
        return slope, math.hypot(_ERRORS * sampled, math.sqrt(float(left @ left) / (len(u) - 2) / size))
