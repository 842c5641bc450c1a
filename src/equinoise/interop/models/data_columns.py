"""Numbers that differ from row to row, as expressions of the data's columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit.circuit import Parameter

__all__ = ["DataColumns"]

Real = npt.NDArray[np.float64]


class DataColumns:
    """Which inputs a model needs so that given columns are linear in them.

    A column that is c0 + c1 x for a column x of the data, or for one that was met before, is written so: two angles
    that are multiples of one another stay tied. Any other column becomes an input of its own.

    Args:
        parameters: One for each column of the data.
        rows: The data, shape (N, F).
        tolerance: What columns are known to.

    Attributes:
        used: Parameters and their columns, shape (N,), that expressions have used, in the order of their use.

    Example:
        >>> import numpy as np
        >>> from qiskit.circuit import Parameter
        >>> from equinoise.interop.models.data_columns import DataColumns
        >>> columns = DataColumns([Parameter("x")], np.array([[0.0], [1.0], [3.0]]))
        >>> [str(columns.expression(np.array(c))) for c in ([2.0, 2.0, 2.0], [1.0, 3.0, 7.0], [0.0, 1.0, 9.0])]
        ['2.0', '1 + 2*x', 'f0(data)']
        >>> [parameter.name for parameter, _ in columns.used]
        ['x', 'f0(data)']
    """

    def __init__(self, parameters: Sequence[Parameter], rows: Real, tolerance: float = 1e-10) -> None:
        self._known = list(zip(parameters, rows.T, strict=True))
        self._tolerance = tolerance
        self._functions = 0
        self.used: list[tuple[Parameter, Real]] = []

    def expression(self, column: Real) -> Any:
        """A column, shape (N,), as a number or an expression."""
        small = self._tolerance * (1 + np.abs(column).max())
        if np.ptp(column) <= small:
            return float(column[0])
        for parameter, values in self._known:
            found = _line(values, column, small)
            if found is not None:
                self._use(parameter, values)
                constant, factor = found
                term = parameter if factor == 1 else factor * parameter
                return term if constant == 0 else constant + term
        own = Parameter(f"f{self._functions}(data)")
        self._functions += 1
        self._known.append((own, column))
        self._use(own, column)
        return own

    def _use(self, parameter: Parameter, values: Real) -> None:
        if all(parameter is not other for other, _ in self.used):
            self.used.append((parameter, values))


def _line(x: Real, y: Real, small: float) -> tuple[float, float] | None:
    """(c0, c1) with y = c0 + c1 x; None where there are none."""
    low, high = int(np.argmin(x)), int(np.argmax(x))
    if x[high] - x[low] <= small:
        return None
    factor = float((y[high] - y[low]) / (x[high] - x[low]))
    if abs(factor) <= small:
        return None
    if np.abs(factor * x - y).max() <= small:
        return 0.0, factor
    constant = float(y[low] - factor * x[low])
    return (constant, factor) if np.abs(constant + factor * x - y).max() <= small else None
