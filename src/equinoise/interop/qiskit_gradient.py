"""Qiskit Machine Learning's gradient interface: exact noisy adjoint gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Operator, SparsePauliOp
from qiskit.quantum_info.operators.base_operator import BaseOperator
from qiskit_machine_learning.gradients import BaseEstimatorGradient, EstimatorGradientResult

from equinoise.engines.draws import parallel_draws
from equinoise.errors import ReadoutError
from equinoise.interop.qiskit_estimator import SectorEstimator

__all__ = ["SectorEstimatorGradient"]


class SectorEstimatorGradient(BaseEstimatorGradient):
    """Gradients of a :class:`SectorEstimator`'s values: its noise, one sweep forward and one back for each.

    Args:
        estimator: Whose noise, sector and prepared circuits are used; a noiseless one by default.

    Example:
        >>> import equinoise as eq
        >>> from equinoise.interop.qiskit_estimator import SectorEstimator
        >>> from equinoise.interop.qiskit_gradient import SectorEstimatorGradient
        >>> from qiskit.quantum_info import SparsePauliOp
        >>> gradient = SectorEstimatorGradient(SectorEstimator(noise="dephasing:0.05"))
        >>> job = gradient.run([eq.circuits.brickwork(4, depth=2)], [SparsePauliOp("IZII")], [[0.3] * 14])
        >>> job.result().gradients[0].shape
        (14,)
    """

    def __init__(self, estimator: SectorEstimator | None = None) -> None:
        super().__init__(estimator if estimator is not None else SectorEstimator())

    def _run(
        self,
        circuits: Sequence[QuantumCircuit],
        observables: Sequence[BaseOperator],
        parameter_values: Sequence[Sequence[float]] | npt.NDArray[Any],
        parameters: Sequence[Sequence[Parameter]],
        **options: Any,
    ) -> EstimatorGradientResult:
        jobs = []
        for circuit, observable, values in zip(circuits, observables, parameter_values, strict=True):
            stated = self._estimator.expectation_problem(circuit, [_sparse(observable)])
            jobs.append((stated, np.asarray(values, dtype=np.float64)))

        def one(job: Any) -> Any:
            return job[0].values_and_jacobian(job[1])[1][0]

        workers = min((job[0].workers for job in jobs), default=1)
        rows = [one(job) for job in jobs] if len(jobs) < 2 else list(parallel_draws(one, jobs, workers))
        gradients, metadata = [], []
        for circuit, row, chosen, (stated, _) in zip(circuits, rows, parameters, jobs, strict=True):
            index = {parameter: k for k, parameter in enumerate(circuit.parameters)}
            gradients.append(row[[index[parameter] for parameter in chosen]])
            metadata.append({"parameters": list(chosen), "engine": "exact", "warnings": stated.warnings})
        return EstimatorGradientResult(gradients=gradients, metadata=metadata, options=self._get_local_options(options))

    def _get_local_options(self, options: Any) -> Any:
        local = type(self._default_options)(**self._default_options.__dict__)
        local.update_options(**dict(options))
        return local


def _sparse(observable: BaseOperator) -> SparsePauliOp:
    if isinstance(observable, SparsePauliOp):
        return observable
    try:
        return SparsePauliOp.from_operator(Operator(observable))
    except (QiskitError, TypeError, ValueError) as error:
        raise ReadoutError(
            f"the observable, a {type(observable).__name__}, is no sum of Pauli strings ({error}). "
            "Give a SparsePauliOp."
        ) from None
