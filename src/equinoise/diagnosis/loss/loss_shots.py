"""Shot noise of a loss's gradient: what its readouts' variances and its gates' shift rules make of N shots."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import SparsePauliOp

from equinoise.engines.model_sweeps import ModelSweeps
from equinoise.measurement import charge_conserving_part, measurement_settings
from equinoise.reduction.operators import OperatorEntries
from equinoise.reduction.shift_rules import shift_costs

__all__ = ["LossShotNoise"]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


class LossShotNoise:
    """What shots cost a model's gradient: the variances of its readouts, and the shift rules of its gates.

    Args:
        sweeps: The model's.

    Attributes:
        settings_by_readout: Measurement settings of each readout, shape (C,).
    """

    def __init__(self, sweeps: ModelSweeps) -> None:
        self._sweeps = sweeps
        program = sweeps.engine.program
        self._costs = shift_costs(program)
        self._squares: list[OperatorEntries] = []
        self._means: list[list[OperatorEntries]] = []
        for readout in sweeps.model.readouts:
            settings = measurement_settings(readout, {})
            square = SparsePauliOp.sum([setting.square for setting in settings]).simplify(atol=1e-14)
            self._squares.append(self._entries(square))
            self._means.append([self._entries(setting.mean) for setting in settings])
        self.settings_by_readout = np.array([len(means) for means in self._means])

    def _entries(self, operator: SparsePauliOp) -> OperatorEntries:
        program = self._sweeps.engine.program
        visible = operator if program.full else charge_conserving_part(operator)
        return program.operator_entries(visible, program.projecting_charge)

    def noise(self, theta: Real, scale: float, rows: Index) -> float:
        """N sum_k Var(d_k J) = mean_i of sum_c l_c^2 Var(O_c) sum_k w_k, over the number of rows."""
        return float(self.by_readout(theta, scale, rows).sum())

    def by_readout(self, theta: Real, scale: float, rows: Index) -> Real:
        """The parts of :meth:`noise`, shape (C,).

        Rows are measured independently, so their variances add: the mean's is 1/R of their mean. A weight's shift rule
        is that of the gates it moves: w_k = sum_phi J_phi,k^2 w_phi.
        """
        sweeps, model = self._sweeps, self._sweeps.model
        total = np.zeros(len(model.readouts))
        for row in rows:
            angles = model.angles(theta, row)
            flat = [*sweeps.operators, *self._squares, *(mean for means in self._means for mean in means)]
            values = sweeps.engine.values(angles.values, scale, flat)
            count = len(model.readouts)
            slopes = model.slopes(values[None, :count], [row])[0]
            variances = values[count : 2 * count].copy()
            place = 2 * count
            for c, means in enumerate(self._means):
                variances[c] -= np.sum(values[place : place + len(means)] ** 2)
                place += len(means)
            total += slopes**2 * np.maximum(variances, 0.0) * self._weight(angles.jacobian())
        return np.asarray(total / len(rows) ** 2)

    def _weight(self, jacobian: Real) -> float:
        """sum_k w_k over the trained weights, from dphi/dw of shape (P, W)."""
        return float(np.sum(self._costs.noise @ jacobian[:, self._sweeps.model.trained] ** 2))

    def evaluations(self, counted: npt.NDArray[np.bool_]) -> int:
        """Expectation values of one row's gradient by those of the trained weights that count, shape (K,)."""
        model = self._sweeps.model
        moved = model.angles(model.draw(1, 0)[0], 0).jacobian()[:, model.trained[counted]] != 0
        return int(self._costs.evaluations[moved.any(axis=1)].sum())
