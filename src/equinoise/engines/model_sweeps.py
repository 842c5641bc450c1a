"""Predictions and loss gradients of a model, and their first order in the noise: the rows' sweeps put together.

With f_c = Tr[O_c rho(x_i)], J = mean_i l(f(x_i)) and l_c, l_cd its derivatives,

    d_k J = mean_i sum_c l_c(i) d_k f_c(x_i):    one adjoint sweep a row, of the operator A_i = sum_c l_c(i) O_c.

With a prime for d/ds at s = 0,

    (d_k J)' = mean_i sum_c [ l_c d_k f_c'  +  sum_d l_cd f_d' d_k f_c ],

the first part of which (A_i held fixed) is how noise shrinks and turns the gradient of the predictions, the second how
it pulls on the predictions and so on the loss's slope. Both are linear in the noise terms E_j. Along a direction v of
the weights the first is D_v <<A_i|E_j|rho>> at fixed A_i, and the second <<dA_i|E_j|rho>> with
dA_i = sum_cd l_cd (D_v f_c) O_d, the change of A_i along v: the budget sweep of pairs (A, dA), (rho, drho) has both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.engines.sector.exact import ExactEngine
from equinoise.engines.select import exact_engine
from equinoise.model.qnn import Model
from equinoise.model.row_angles import Angles
from equinoise.reduction.operators import OperatorEntries
from equinoise.reduction.prepared import prepared
from equinoise.reduction.program import Program

__all__ = ["FirstOrderLoss", "ModelSweeps", "ReadoutGradients"]

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ReadoutGradients:
    """Of rows of data, at one theta and noise scale.

    Attributes:
        rows: Which, R of them.
        predictions: f_c, shape (R, C).
        gradients: d_k f_c by the trained weights, shape (R, C, K), per radian.
    """

    rows: Index
    predictions: Real
    gradients: Real


@dataclass(frozen=True)
class FirstOrderLoss:
    """What one draw of the weights says of a model without noise, and of the noise's first order.

    Attributes:
        loss: J.
        gradient: d_k J, shape (K,).
        by_gradient: (d_k J)' at fixed slope of the loss, shape (K,).
        by_residual: (d_k J)' by the change of the loss's slope, shape (K,).
        readout_squares: mean_i (d_k f_c)^2, shape (C, K).
        readout_slopes: mean_i d_k f_c d_k f_c', shape (C, K).
        gradient_budget: sum_k d_k J times by_gradient_k, by noise term, shape (terms,).
        residual_budget: sum_k d_k J times by_residual_k likewise.
    """

    loss: float
    gradient: Real
    by_gradient: Real
    by_residual: Real
    readout_squares: Real
    readout_slopes: Real
    gradient_budget: Real
    residual_budget: Real


class ModelSweeps:
    """A model made ready for exact sweeps: one compiled circuit, through which rows and weights stream.

    Args:
        model: The model.
        workers: Draws run at once; all processors by default.

    Attributes:
        engine: The exact engine of the model's circuit.

    Raises:
        MemoryLimitError: The light cone of all readouts is too large for the exact engine.
        UnsupportedError: Noise correlated in time.
    """

    def __init__(self, model: Model, workers: int | None = None) -> None:
        self.model = model
        self.engine: ExactEngine = exact_engine(model.problem, workers=workers)
        self.operators = _readout_entries(model, self.engine.program)

    def _trained(self, angles: Angles, gradient: Real) -> Real:
        """Derivatives by the trained weights, shape (..., K), from those by the compiled parameters."""
        return np.asarray(angles.pulled_back(gradient)[..., self.model.trained])

    def row_gradient(self, theta: Real, scale: float, row: int) -> tuple[Real, Real]:
        """f_c, shape (C,), and sum_c l_c d_k f_c, shape (K,), of one row: one sweep forward and one back."""
        model, angles = self.model, self.model.angles(theta, row)
        values, gradient = self.engine.value_and_pullback(
            angles.values, scale, self.operators, lambda f: model.slopes(f[None], [row])[0]
        )
        return values, self._trained(angles, gradient)

    def row_values(self, theta: Real, scale: float, row: int) -> Real:
        """f_c of one row, shape (C,): one sweep forward."""
        return self.engine.values(self.model.angles(theta, row).values, scale, self.operators)

    def readout_gradients(self, theta: Real, scale: float, rows: Index) -> ReadoutGradients:
        """f_c and d_k f_c of rows: a sweep for each row and readout."""
        predictions = np.empty((len(rows), len(self.operators)))
        gradients = np.empty((*predictions.shape, self.model.trained.size))
        for i, row in enumerate(rows):
            angles = self.model.angles(theta, row)
            for c, operator in enumerate(self.operators):
                values, gradient = self.engine.value_and_pullback(angles.values, scale, [operator], np.ones_like)
                predictions[i, c], gradients[i, c] = values[0], self._trained(angles, gradient)
        return ReadoutGradients(rows, predictions, gradients)

    def loss_gradient_of(self, found: ReadoutGradients) -> Real:
        """d_k J of these rows, shape (K,)."""
        slopes = self.model.slopes(found.predictions, found.rows)
        return np.asarray(np.einsum("ic,ick->k", slopes, found.gradients) / len(slopes))

    def first_order(self, theta: Real, rows: Index) -> FirstOrderLoss:
        """Loss, gradients and their first order in the noise, of rows, at weights theta, shape (W,), radians."""
        model = self.model
        angles = [model.angles(theta, row) for row in rows]
        series = [[self.engine.expansion(a.values, operator) for operator in self.operators] for a in angles]
        values = np.array([[value for value, _ in row] for row in series])
        compiled = np.array([[gradient for _, gradient in row] for row in series])
        predictions, change = values[:, :, 0], values[:, :, 1]
        slopes, curvatures = model.slopes(predictions, rows), model.curvatures(predictions, rows)
        bent = np.einsum("icd,id->ic", curvatures, change)
        by_weights = np.stack([self._trained(a, g) for a, g in zip(angles, compiled, strict=True)])
        first, second = by_weights[:, :, 0], by_weights[:, :, 1]
        gradient = np.einsum("ic,ick->k", slopes, first) / len(rows)
        direction = np.zeros(len(model.weights))
        direction[model.trained] = gradient
        budgets = np.zeros((2, len(self.engine.program.budget_terms)))
        for i, a in enumerate(angles):
            moved = a.pushed(direction)
            turned = curvatures[i] @ (compiled[i, :, 0] @ moved)
            budgets += self._budgets(a.values, moved, slopes[i], turned)
        return FirstOrderLoss(
            loss=float(np.mean(model.losses(predictions, rows))),
            gradient=gradient,
            by_gradient=np.einsum("ic,ick->k", slopes, second) / len(rows),
            by_residual=np.einsum("ic,ick->k", bent, first) / len(rows),
            readout_squares=np.mean(first**2, axis=0),
            readout_slopes=np.mean(first * second, axis=0),
            gradient_budget=budgets[0] / len(rows),
            residual_budget=budgets[1] / len(rows),
        )

    def _budgets(self, phi: Real, direction: Real, slopes: Real, turned: Real) -> Real:
        """A row's share of the two budgets, shape (2, terms)."""
        space = self.engine.space
        fixed = space.weighted(self.operators, slopes)
        held = self.engine.budget(phi, direction, fixed)
        if not turned.any():
            return np.stack([held, np.zeros_like(held)])
        whole = self.engine.budget(phi, direction, fixed, space.weighted(self.operators, turned))
        return np.stack([held, whole - held])


def _readout_entries(model: Model, program: Program) -> list[OperatorEntries]:
    """The readouts in the program's charge blocks, worked out once for the model's problem."""
    with prepared(model.problem).kept as values:
        key = ("readouts of a model", program.full)
        if key not in values:
            values[key] = [program.operator_entries(o, program.projecting_charge) for o in model.readouts]
        found: list[OperatorEntries] = values[key]
    return found
