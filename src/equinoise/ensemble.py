"""Ensembles of parameter values over which gradients are averaged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.circuit.gates import significant
from equinoise.errors import ParameterError
from equinoise.limits import check_draws
from equinoise.problem import Problem

__all__ = ["Ensemble", "periods"]

# eigenvalues are equal if they differ by less than this share of a generator's spread
_SAME = 1e-9
# rad; a normal distribution wider than a few turns is uniform, and angles of 1e16 have no digits left below one turn
_WIDEST = 1000.0


@dataclass(frozen=True)
class Ensemble:
    """How parameters are drawn: "uniform" over each one's period, "normal" of a given width, or "given".

    Attributes:
        kind: "uniform", "normal" or "given".
        width: Standard deviation in radians of "normal".
        thetas: The draws of "given", shape (S, K), radians.
    """

    kind: str = "uniform"
    width: float | None = None
    thetas: npt.NDArray[np.float64] | None = None

    @classmethod
    def of(cls, value: Any) -> Ensemble:
        """An ensemble from what the user gave: None or "uniform", "normal:0.1", or an array of parameter values.

        Raises:
            ParameterError: None of these, or a width outside (0, 1000] rad.
        """
        if isinstance(value, Ensemble):
            return value
        if value is None or (isinstance(value, str) and value == "uniform"):
            return cls()
        if isinstance(value, str):
            kind, _, width = value.partition(":")
            try:
                sigma = float(width)
            except ValueError:
                sigma = math.nan
            if kind == "normal" and 0 < sigma <= _WIDEST:
                return cls("normal", width=sigma)
            raise ParameterError(
                f"cannot read the ensemble {value!r}. Expected 'uniform', 'normal:WIDTH' with a width in radians, "
                f"0 < width <= {_WIDEST:g} (wider is uniform), or an array of parameter values of shape "
                "(draws, parameters)."
            )
        thetas = np.atleast_2d(np.array(value, dtype=np.float64))
        if thetas.ndim != 2 or not np.all(np.isfinite(thetas)):
            raise ParameterError("given parameter values must be finite numbers of shape (draws, parameters).")
        thetas.setflags(write=False)
        return cls("given", thetas=thetas)

    def draw(self, problem: Problem, samples: int, seed: int) -> npt.NDArray[np.float64]:
        """Parameter values of shape (samples, K), radians; "given" returns its own rows whatever ``samples`` is.

        Draw i depends on the seed and i alone, so that more samples continue the same sequence.

        Raises:
            ParameterError: Given values have the wrong number of columns, or samples < 1.
        """
        count = len(problem.parameters)
        if problem.at is not None:
            raise ParameterError("the charge was asked for at given parameter values alone (at=): none can be drawn.")
        if self.thetas is not None:
            if self.thetas.shape[1] != count:
                raise ParameterError(
                    f"given parameter values have {self.thetas.shape[1]} columns; the circuit has {count} parameters."
                )
            return self.thetas
        if samples < 1:
            raise ParameterError(f"samples must be at least 1, got {samples}.")
        check_draws(samples, count)
        # what SeedSequence.spawn yields, one at a time: a million of them at once would take a gigabyte
        streams = (np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(i,))) for i in range(samples))
        if self.kind == "normal":
            return np.array([rng.normal(0.0, self.width or 1.0, count) for rng in streams])
        scale = periods(problem)
        return np.array([rng.uniform(0.0, 1.0, count) * scale for rng in streams])

    def describe(self) -> str:
        """In words."""
        if self.kind == "normal":
            return f"normal, width {self.width:g} rad"
        return "uniform over each parameter's period" if self.kind == "uniform" else "given parameter values"


def periods(problem: Problem) -> npt.NDArray[np.float64]:
    """The period of each parameter, shape (K,), radians.

    exp(-i c theta H) acts on operators with the frequencies c (h_i - h_j), h the eigenvalues of H; the period is 2 pi
    over their greatest common divisor (4 pi for XX+YY, 2 pi for RZ and RZZ). Frequencies without a common divisor have
    no period; 2 pi over the smallest is used then.
    """
    frequencies: list[set[float]] = [set() for _ in problem.parameters]
    rotations = (rotation for layer in problem.layers for block in layer.blocks for rotation in block.rotations)
    for rotation in rotations:
        if rotation.angle.coefficients:
            values = np.linalg.eigvalsh(rotation.whole_generator)
            gaps = np.abs(values[:, None] - values[None, :]).ravel()
            gaps = gaps[gaps > _SAME * gaps.max()]
            for k, c in rotation.angle.coefficients:
                frequencies[k] |= {significant(float(abs(c) * g)) for g in gaps}
    return np.array([2 * math.pi / _common(sorted(f)) if f else 2 * math.pi for f in frequencies])


def _common(values: Sequence[float]) -> float:
    """The greatest common divisor of ascending frequencies, or the smallest of them if it is below a hundredth of it.

    Euclid's algorithm on floats: a remainder below a millionth of the smallest frequency, whatever its size, is 0.
    """
    floor = 1e-6 * values[0]

    def gcd(a: float, b: float) -> float:
        while b > floor:
            a, b = b, a % b
            if a - b < floor:
                b = 0.0
        return a

    divisor = reduce(gcd, values)
    return divisor if divisor > values[0] / 100 else values[0]
