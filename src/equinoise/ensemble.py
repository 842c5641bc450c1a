"""Ensembles of parameter values over which gradients are averaged."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.circuit.gates import significant
from equinoise.errors import ParameterError
from equinoise.limits import check_draws, check_file
from equinoise.problem import Problem

__all__ = ["Ensemble", "parameter_values", "periods"]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

# eigenvalues are equal if they differ by less than this share of a generator's spread
_SAME = 1e-9
# rad; a normal distribution wider than a few turns is uniform, and angles of 1e16 have no digits left below one turn
_WIDEST = 1000.0


@dataclass(frozen=True)
class Ensemble:
    """How parameters are drawn.

    Attributes:
        kind: "uniform" over each one's period, "box" (uniform over [-width, width]), "normal", "given", or "groups".
        width: Standard deviation of "normal", half-width of "box", in radians.
        thetas: The draws of "given", shape (S, K), radians.
        around: The point that "box" and "normal" lie around, shape (K,), radians; 0 by default.
        groups: Of "groups": parameter name (or vector's name, or "*") and how it is drawn; the first that fits.
    """

    kind: str = "uniform"
    width: float | None = None
    thetas: Real | None = None
    around: Real | None = None
    groups: tuple[tuple[str, Ensemble], ...] = ()

    @classmethod
    def of(cls, value: Any, around: Any = None) -> Ensemble:
        """An ensemble from what the user gave.

        Args:
            value: None or "uniform" (each parameter's period), "uniform:W" (over [-W, W]), "normal:WIDTH", parameter
                values of shape (S, K) (given) or a file of them (see :func:`parameter_values`), or a mapping from names
                of parameters, of parameter vectors, or "*" for all others, to one of these or to a fixed number.
            around: Parameter values, shape (K,), radians, around which "uniform:W" and "normal:WIDTH" are drawn.

        Raises:
            ParameterError: None of these, or a width outside (0, 1000] rad.

        Example:
            >>> from equinoise.ensemble import Ensemble
            >>> Ensemble.of("uniform:0.05").describe()
            'uniform over [-0.05, 0.05] rad'
            >>> Ensemble.of({"hop": "uniform", "*": "normal:0.1"}).describe()
            "hop: uniform over each parameter's period; *: normal, width 0.1 rad"
        """
        point = None if around is None else _point(around)
        if isinstance(value, Path) or (isinstance(value, str) and value.endswith(_FILES)):
            value = parameter_values(value)
        if isinstance(value, Ensemble):
            return value if point is None else replace(value, around=point)
        if isinstance(value, Mapping):
            groups = tuple((str(getattr(name, "name", name)), cls._of_group(part)) for name, part in value.items())
            return cls("groups", groups=groups, around=point)
        if value is None or (isinstance(value, str) and value == "uniform"):
            return cls(around=point)
        if isinstance(value, str):
            kind, _, width = value.partition(":")
            try:
                size = float(width)
            except ValueError:
                size = math.nan
            if kind in _WIDE and 0 < size <= _WIDEST:
                return cls(_WIDE[kind], width=size, around=point)
            raise ParameterError(
                f"cannot read the ensemble {value!r}. Expected 'uniform', 'uniform:WIDTH' (over [-WIDTH, WIDTH]) or "
                f"'normal:WIDTH' with a width in radians, 0 < width <= {_WIDEST:g} (wider is uniform), or an array of "
                "parameter values of shape (draws, parameters)."
            )
        thetas = np.atleast_2d(np.array(value, dtype=np.float64))
        if thetas.ndim != 2 or not np.all(np.isfinite(thetas)):
            raise ParameterError("given parameter values must be finite numbers of shape (draws, parameters).")
        thetas.setflags(write=False)
        return cls("given", thetas=thetas)

    @classmethod
    def _of_group(cls, value: Any) -> Ensemble:
        if isinstance(value, bool | Mapping):
            raise ParameterError(
                f"a group's prior must be 'uniform', 'uniform:W', 'normal:W' or a number, got {value!r}."
            )
        if isinstance(value, int | float):
            return cls("given", thetas=np.array([[float(value)]]))
        found = cls.of(value)
        if found.thetas is not None and found.thetas.shape[0] != 1:
            raise ParameterError("a group's given values must be one point: a number, or one value for each parameter.")
        return found

    def draw(self, problem: Problem, samples: int, seed: int) -> Real:
        """Parameter values of shape (samples, K), radians; "given" returns its own rows whatever ``samples`` is.

        Draw i depends on the seed and i alone, so that more samples continue the same sequence.

        Raises:
            ParameterError: Given values have the wrong number of columns, a group fits no parameter, or samples < 1.
        """
        if problem.at is not None:
            raise ParameterError("the charge was asked for at given parameter values alone (at=): none can be drawn.")
        if self.kind == "uniform" or any(part.kind == "uniform" for _, part in self.groups):
            return self.draws([p.name for p in problem.parameters], periods(problem), samples, seed)
        return self.draws([p.name for p in problem.parameters], np.zeros(len(problem.parameters)), samples, seed)

    def draws(self, names: Sequence[str], period: Real, samples: int, seed: int) -> Real:
        """:meth:`draw` for parameters of these names and periods, shape (K,)."""
        count = len(names)
        if self.thetas is not None:
            if self.thetas.shape[1] != count:
                raise ParameterError(
                    f"given parameter values have {self.thetas.shape[1]} columns; the circuit has {count} parameters."
                )
            return self.thetas
        if self.around is not None and self.around.shape != (count,):
            raise ParameterError(
                f"the point that parameters are drawn around has {self.around.size} values; the circuit has {count} "
                "parameters."
            )
        if samples < 1:
            raise ParameterError(f"samples must be at least 1, got {samples}.")
        check_draws(samples, count)
        parts = self._parts(names)
        centre = np.zeros(count) if self.around is None else self.around
        # what SeedSequence.spawn yields, one at a time: a million of them at once would take a gigabyte
        streams = (np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(i,))) for i in range(samples))
        return np.array([self._one(rng, parts, period, centre) for rng in streams])

    def _one(
        self, rng: np.random.Generator, parts: Sequence[tuple[Ensemble, Index]], period: Real, centre: Real
    ) -> Real:
        """One draw, part after part."""
        out = centre.copy()
        for part, where in parts:
            if part.kind == "normal":
                out[where] += rng.normal(0.0, part.width or 1.0, where.size)
            elif part.kind == "box":
                out[where] += rng.uniform(-(part.width or 1.0), part.width or 1.0, where.size)
            elif part.thetas is not None:
                out[where] = part.thetas[0]
            else:
                out[where] += rng.uniform(0.0, 1.0, where.size) * period[where]
        return out

    def _parts(self, names: Sequence[str]) -> list[tuple[Ensemble, Index]]:
        """Each way of drawing with the parameters that are drawn so."""
        if not self.groups:
            return [(self, np.arange(len(names)))]
        left = dict(enumerate(names))
        out = []
        for group, part in self.groups:
            where = [k for k, name in left.items() if group in ("*", name, name.partition("[")[0])]
            if part.thetas is not None and part.thetas.shape[1] not in (1, len(where)):
                raise ParameterError(
                    f"the prior of {group!r} gives {part.thetas.shape[1]} values for {len(where)} parameters."
                )
            if not where and group != "*":
                raise ParameterError(
                    f"the prior names {group!r}, and no parameter is left of that name. Parameters: "
                    f"{', '.join(names[:8])}{', ...' if len(names) > 8 else ''}."
                )
            left = {k: name for k, name in left.items() if k not in where}
            out.append((part, np.array(where, dtype=np.int64)))
        if left:
            missing = next(iter(left.values()))
            raise ParameterError(
                f"the prior says nothing of the parameter {missing!r} ({len(left)} in all). Add '*' for all others."
            )
        return out

    def plain(self) -> Any:
        """As it was stated, as plain data; given values, and a point drawn around, by their SHA-256."""
        if self.groups:
            stated: Any = {name: part.plain() for name, part in self.groups}
        elif self.thetas is not None:
            stated = f"given:{_digest(self.thetas)}"
        else:
            word = next((word for word, kind in _WIDE.items() if kind == self.kind), self.kind)
            stated = word if self.width is None else f"{word}:{self.width!r}"
        return stated if self.around is None else {"prior": stated, "around": _digest(self.around)}

    def describe(self) -> str:
        """In words."""
        where = "" if self.around is None else ", around a given point"
        if self.groups:
            return "; ".join(f"{name}: {part.describe()}" for name, part in self.groups) + where
        if self.kind == "normal":
            return f"normal, width {self.width:g} rad{where}"
        if self.kind == "box":
            return f"uniform over [{-(self.width or 0):g}, {self.width:g}] rad{where}"
        return "uniform over each parameter's period" if self.kind == "uniform" else "given parameter values"


def parameter_values(path: str | Path) -> Any:
    """Parameter values from a file: numbers in .csv or .npy, numbers or {name: value} in .json.

    Args:
        path: Of one point, K numbers, or of several, a row each.

    Returns:
        An array of the numbers as they stand, or the mapping.

    Raises:
        ParameterError: No such file, or not of these forms.
    """
    path = Path(path)
    if not path.is_file():
        raise ParameterError(f"there is no file {str(path)!r} of parameter values.")
    check_file(path)
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        if path.suffix == ".csv":
            return np.loadtxt(path, delimiter=",")
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else np.array(found, dtype=np.float64)
    except (ValueError, TypeError, OSError) as error:
        raise ParameterError(
            f"the file {path.name!r} holds no parameter values ({error}). Expected numbers, comma separated or as "
            "JSON, or a JSON object of names and numbers."
        ) from None


_FILES = (".csv", ".json", ".npy")
_WIDE = {"uniform": "box", "normal": "normal"}


def _point(values: Any) -> Real:
    try:
        point = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        point = np.array(math.nan)
    if point.ndim != 1 or not np.isfinite(point).all():
        raise ParameterError("the point to draw parameters around must be finite numbers, one for each parameter.")
    point.setflags(write=False)
    return point


def _digest(values: Real) -> str:
    return f"sha256:{hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()}"


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
