"""How a question samples: how many draws of the parameters, from which ensemble and seed, by which engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.ensemble import Ensemble
from equinoise.errors import ParameterError, UnsupportedError
from equinoise.limits import MOST_WORKERS, check_draws
from equinoise.problem import Problem

__all__ = ["Sampling"]


@dataclass(frozen=True)
class Sampling:
    """How a question about an ensemble of parameters is sampled; one value for all questions.

    Attributes:
        samples: Number of draws; None for the question's own, which a diagnosis decides as it draws. With
            ``precision`` or ``seconds`` the most that are taken.
        seed: Of the draws; the same numbers whatever the number of workers.
        workers: Draws run at once; None for all processors, fewer if memory is short.
        engine: "auto" or an engine's name.
        ensemble: How parameters are drawn: None or "uniform" over each one's period, "normal:WIDTH" in radians, or
            given values of shape (S, K), which are taken whatever ``samples`` is. Kept as an
            :class:`equinoise.Ensemble`.
        precision: A diagnosis draws until its verdict is decided and half of the 95 % interval of R is at most this
            share of R; None for 0.02, or for all draws where ``samples`` are stated.
        seconds: Most time that it may take, by the times that the engines declare for two processors, so that the
            number of draws is the same on every machine; None for 15, infinity for no limit.

    Raises:
        ParameterError: Numbers that are not whole or out of range, or an ensemble that cannot be read.

    Example:
        >>> import equinoise as eq
        >>> eq.Sampling(samples=40, ensemble="normal:0.1").ensemble.width
        0.1
    """

    samples: int | None = None
    seed: int = 0
    workers: int | None = None
    engine: str = "auto"
    ensemble: Any = None
    precision: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name, least in (("samples", 1), ("seed", 0), ("workers", 1)):
            value = getattr(self, name)
            if value is None and name != "seed":
                continue
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise ParameterError(f"{name} must be a whole number >= {least}, got {value!r}.")
            object.__setattr__(self, name, int(value))
        check_draws(self.samples or 1)
        if (self.workers or 1) > MOST_WORKERS:
            raise ParameterError(f"workers must be at most {MOST_WORKERS}, got {self.workers}: each is a thread.")
        if not isinstance(self.engine, str):
            raise ParameterError(f"engine must be 'auto' or an engine's name, got {self.engine!r}.")
        object.__setattr__(self, "ensemble", Ensemble.of(self.ensemble))
        for name, example in (("precision", 0.02), ("seconds", 15)):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, float | int) and value > 0):
                raise ParameterError(f"{name} must be a number > 0, e.g. {example}, got {value!r}.")

    @classmethod
    def of(cls, given: Sampling | None, samples: int) -> Sampling:
        """What a question samples with: as given, and with its own number of draws where none is stated.

        Args:
            given: By the user; None for all defaults.
            samples: The question's own number of draws.

        Raises:
            ParameterError: Something else than a ``Sampling``, or one that states a precision or a time.
        """
        given = cls.checked(given)
        if given.precision is not None or given.seconds is not None:
            raise ParameterError(
                "precision and seconds are for diagnoses, which draw until they are decided; this question takes a "
                "number of draws: give eq.Sampling(samples=N)."
            )
        return given if given.samples is not None else replace(given, samples=samples)

    @classmethod
    def checked(cls, given: Sampling | None) -> Sampling:
        """As given, or all defaults.

        Raises:
            ParameterError: Something else than a ``Sampling``.
        """
        if given is not None and not isinstance(given, Sampling):
            raise ParameterError(f"sampling must be a Sampling, such as eq.Sampling(samples=64); got {given!r}.")
        return cls() if given is None else given

    @property
    def count(self) -> int:
        """Number of draws, of one that a question has completed (:meth:`of`).

        Raises:
            ParameterError: None was stated.
        """
        if self.samples is None:
            raise ParameterError("the number of samples is not stated here; give eq.Sampling(samples=N).")
        return self.samples

    @property
    def given(self) -> bool:
        """Whether the parameter values are given, so that nothing is drawn."""
        return bool(self.ensemble.kind == "given")

    @property
    def drawn_seed(self) -> int | None:
        """The seed as results state it: None for given parameter values."""
        return None if self.given else self.seed

    def plain(self) -> dict[str, Any]:
        """What determines the numbers, as plain data; given values by their hash. Workers change nothing."""
        return {
            "samples": self.samples,
            "seed": self.seed,
            "engine": self.engine,
            "ensemble": self.ensemble.plain(),
            "precision": self.precision,
            "seconds": self.seconds,
        }

    def draw(self, problem: Problem) -> npt.NDArray[np.float64]:
        """Parameter values of shape (samples, K), radians; see :meth:`equinoise.Ensemble.draw`.

        Args:
            problem: Whose parameters are drawn.

        Raises:
            ParameterError: As there.
        """
        thetas: npt.NDArray[np.float64] = self.ensemble.draw(problem, self.count, self.seed)
        return thetas

    def draws_only(self, reason: str) -> None:
        """Refuses given parameter values.

        Args:
            reason: Why parameters must be drawn.

        Raises:
            ParameterError: The values are given.
        """
        if self.given:
            raise ParameterError(f"{reason}: give the ensemble 'uniform' or 'normal:WIDTH'.")

    def check_engine(self, question: str, *served: str) -> None:
        """Refuses an engine's name where a question cannot follow it.

        Args:
            question: Which one.
            served: Names that it can follow, besides "auto".

        Raises:
            UnsupportedError: Another engine is asked for.
        """
        if self.engine not in ("auto", *served):
            raise UnsupportedError(
                f"{question} takes no engine {self.engine!r}: it serves {' or '.join(('auto', *served))}. Leave engine "
                "out of the sampling."
            )
