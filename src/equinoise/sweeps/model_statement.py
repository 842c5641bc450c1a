"""What makes a task's circuit a model: data, labels, loss and prior as plain data, so that no worker needs a file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from qiskit import QuantumCircuit

from equinoise.ensemble import Ensemble
from equinoise.model.qnn import Model
from equinoise.noise.model import NoiseModel

__all__ = ["MODEL_COLUMNS", "ModelStatement"]

MODEL_COLUMNS = {"inputs": "VARCHAR", "loss": "VARCHAR", "prior": "VARCHAR"}
"""Columns of a store that say which model a task is about; NULL for a circuit."""


@dataclass(frozen=True)
class ModelStatement:
    """A model's statement beside its circuit, initial state and noise.

    Attributes:
        loss: Its name.
        prior: Of the weights, as JSON: a text, given values, or a table of groups in their order.
        inputs: Names of parameters, or of parameter vectors, that the data binds.
        data: Rows as JSON, {column: values} or a list of rows; None for a model without inputs.
        labels: Likewise.
        trained: Names likewise of the weights whose gradient counts; all of them where there are none.
        readouts: Labels of the readouts that the loss takes together.
    """

    loss: str = "mean"
    prior: str = '"uniform"'
    inputs: tuple[str, ...] = ()
    data: str | None = field(default=None, repr=False)
    labels: str | None = field(default=None, repr=False)
    trained: tuple[str, ...] = ()
    readouts: tuple[str, ...] = ()

    def content(self) -> dict[str, Any]:
        """What the answer depends on; tables by the SHA-256 of their values."""
        prior = Ensemble.of(json.loads(self.prior)).plain()
        return {
            "readouts": list(self.readouts),
            "inputs": list(self.inputs),
            "trained": list(self.trained),
            "data": _digest(self.data),
            "labels": _digest(self.labels),
            "loss": self.loss,
            # of groups the first that fits a weight is taken: as text, their order counts
            "prior": prior if isinstance(prior, str) else json.dumps(prior),
        }

    def columns(self) -> dict[str, Any]:
        """The columns :data:`MODEL_COLUMNS`."""
        return {"inputs": ",".join(self.inputs), "loss": self.loss, "prior": self.content()["prior"]}

    @property
    def rows(self) -> int:
        """Number of rows of the data."""
        table = _table(self.data)
        if table is None:
            return 1
        return len(next(iter(table.values()))) if isinstance(table, dict) else len(table)

    def model(self, circuit: QuantumCircuit, initial: str | None, noise: NoiseModel) -> Model:
        """The model that is stated.

        Args:
            circuit: With inputs and weights.
            initial: As :class:`equinoise.Problem` takes it.
            noise: Likewise.

        Raises:
            EquinoiseError: What :class:`equinoise.Model` raises.
        """
        return Model(
            circuit,
            list(self.readouts),
            inputs=self.inputs or None,
            trained=self.trained or None,
            data=_table(self.data),
            labels=_table(self.labels),
            loss=self.loss,
            prior=json.loads(self.prior),
            initial=initial,
            noise=noise,
        )


@lru_cache(maxsize=8)
def _table(text: str | None) -> Any:
    return None if text is None else json.loads(text)


@lru_cache(maxsize=8)
def _digest(text: str | None) -> str | None:
    return None if text is None else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
