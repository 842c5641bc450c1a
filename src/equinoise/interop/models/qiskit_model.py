"""A neural network of qiskit-machine-learning as a model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import StatevectorEstimator, StatevectorSampler
from qiskit.quantum_info import SparsePauliOp

from equinoise.errors import CircuitError, ParameterError, UnsupportedError
from equinoise.interop.expectations import prepared_or_empty
from equinoise.interop.models.model_readouts import outcome_projectors, sector_of
from equinoise.interop.qiskit_estimator import SectorEstimator
from equinoise.model.qnn import Model

__all__ = ["model_from_qnn"]


def model_from_qnn(
    network: Any, *, data: Any = None, labels: Any = None, loss: Any = "mean", at: Any = None, **model: Any
) -> Model:
    """An EstimatorQNN or SamplerQNN as a :class:`equinoise.Model`; see :meth:`equinoise.Model.from_qnn`."""
    kind = type(network).__name__
    if not hasattr(network, "weight_params") or not (hasattr(network, "observables") or hasattr(network, "interpret")):
        raise CircuitError(f"expected an EstimatorQNN or a SamplerQNN of qiskit-machine-learning, got {kind}.")
    circuit: QuantumCircuit = network.circuit
    if hasattr(network, "observables"):
        readouts, bare = [SparsePauliOp(each) for each in _listed(network.observables)], circuit
    else:
        readouts, bare = _probabilities(network, circuit), circuit.remove_final_measurements(inplace=False)
    inputs, weights = list(network.input_params or ()), [p.name for p in network.weight_params or ()]
    primitive = getattr(network, "estimator", getattr(network, "sampler", None))
    if isinstance(primitive, SectorEstimator):
        model = {"noise": primitive.noise, **sector_of(primitive), **model}
    stated = "initial" in model or circuit.layout is not None
    return Model(
        bare,
        readouts,
        inputs=inputs or None,
        data=data,
        labels=labels,
        loss=loss,
        at=_at(at, weights),
        notes=tuple(_notes(primitive, weights, circuit, "noise" in model)),
        **({} if stated else {"initial": prepared_or_empty(bare)}),
        **model,
    )


def _listed(observables: Any) -> list[Any]:
    return list(observables) if isinstance(observables, list | tuple) else [observables]


def _probabilities(network: Any, circuit: QuantumCircuit) -> list[SparsePauliOp]:
    """Of what the network makes of the outcomes: without measurements of its own it measures all qubits."""
    measured = [circuit.find_bit(i.qubits[0]).index for i in circuit.data if i.operation.name == "measure"]
    bits = [circuit.find_bit(i.clbits[0]).index for i in circuit.data if i.operation.name == "measure"]
    qubits = [q for _, q in sorted(zip(bits, measured, strict=True))] or list(range(circuit.num_qubits))
    if len(network.output_shape) != 1:
        raise UnsupportedError(
            f"outputs of shape {network.output_shape}: a model's readouts stand in a row. Interpret outcomes "
            "as numbers."
        )
    return outcome_projectors(qubits, circuit.num_qubits, network.interpret, int(network.output_shape[0]))


def _at(at: Any, weights: list[str]) -> Any:
    """Values in the order of the network's weights, by name."""
    if at is None or isinstance(at, str | Path) or hasattr(at, "items"):
        return at
    values = np.asarray(at, dtype=np.float64).ravel()
    if values.size != len(weights):
        raise ParameterError(f"at must hold {len(weights)} numbers, one for each of the network's weights.")
    return dict(zip(weights, values.tolist(), strict=True))


def _notes(primitive: Any, weights: list[str], circuit: QuantumCircuit, noise: bool) -> Iterator[str]:
    trained = set(weights)
    if [p.name for p in circuit.parameters if p.name in trained] != weights:
        yield "the network's weights stand in another order than the model's: give them by name"
    exact = isinstance(primitive, StatevectorEstimator | StatevectorSampler | SectorEstimator)
    if not exact and not noise:
        yield f"noise of the network's {type(primitive).__name__} is not known and left out: give noise="
