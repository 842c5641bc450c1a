"""Which rows of the data each draw of the weights takes: all, a batch, or some that stand for all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.errors import ParameterError
from equinoise.model.qnn import Model

__all__ = ["DrawnRows"]


@dataclass(frozen=True)
class DrawnRows:
    """The rows of a draw.

    Attributes:
        all_rows: N.
        count: R of each draw.
        stand_for_all: Whether averages are those over all rows, estimated from R without bias; else the loss is that of
            batches.
    """

    all_rows: int
    count: int
    stand_for_all: bool = False

    @classmethod
    def of(cls, model: Model, batch: int | None, rows: int | None = None) -> DrawnRows:
        """From what a question was given.

        Args:
            model: The model.
            batch: Rows of a batch; None for all.
            rows: Rows that stand for all; None for all.

        Raises:
            ParameterError: No whole numbers in range, or both.
        """
        whole = model.rows.count
        for name, value, least in (("batch", batch, 1), ("rows", rows, min(2, whole))):
            fits = not isinstance(value, bool) and isinstance(value, int | np.integer) and least <= value <= whole
            if value is not None and not fits:
                raise ParameterError(f"{name} must be a whole number of {least} to {whole} rows, got {value!r}.")
        if batch is not None and rows is not None:
            raise ParameterError("batch asks for the loss of batches, rows for that of all rows by some: give one.")
        given = batch if rows is None else rows
        return cls(whole, whole if given is None else int(given), stand_for_all=rows is not None)

    @property
    def batch(self) -> int | None:
        """Rows of a draw's loss; None for all."""
        return None if self.stand_for_all or self.count == self.all_rows else self.count

    @property
    def unseen(self) -> float:
        """1/R - 1/N where R rows stand for N; see :func:`equinoise.engines.model_sweeps.product_of_means`."""
        return 1 / self.count - 1 / self.all_rows if self.stand_for_all else 0.0

    @property
    def loss_rows(self) -> int:
        """Rows of the loss that is spoken of."""
        return self.all_rows if self.stand_for_all else self.count

    def draw(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """The rows of one draw, without repetition, in order."""
        if self.count == self.all_rows:
            return np.arange(self.all_rows)
        return np.sort(rng.choice(self.all_rows, self.count, replace=False))

    def notes(self) -> tuple[str, ...]:
        """What to say of it."""
        if self.count == self.all_rows:
            return ()
        some = f"{self.count} of {self.all_rows} rows, drawn with the weights"
        if self.stand_for_all:
            return (f"the loss is that of all rows, its squares estimated without bias from {some}",)
        return (f"the loss is that of batches of {some}",)
