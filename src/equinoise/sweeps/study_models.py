"""The keys of a study file that make its circuits models: data, labels, loss, prior and the like; read and checked."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from qiskit import QuantumCircuit

from equinoise.ensemble import Ensemble, parameter_values
from equinoise.errors import CircuitError, EquinoiseError, ParameterError, SymmetryError, UnsupportedError
from equinoise.model.data import plain_table, read_labels, read_rows
from equinoise.model.losses import LOSSES, loss_of
from equinoise.model.qnn import Model, chosen_parameters
from equinoise.sweeps.model_statement import ModelStatement
from equinoise.sweeps.study_values import Mistake, checked_choice, checked_text

__all__ = ["MODEL_KEYS", "NOT_OF_MODELS", "StatedModels", "checked_readouts"]

MODEL_KEYS = ("inputs", "data", "labels", "loss", "prior", "trained")
"""Any of them makes the circuits of a study models."""
NOT_OF_MODELS: Mapping[str, tuple[Sequence[Any], str]] = {
    "ensemble": ((), "a model's weights are drawn from its prior: state prior"),
    "relative_error": ((), "a model's diagnosis takes all draws: state samples"),
    "quantities": (("diagnosis",), "of a model the whole diagnosis is asked: leave it out"),
    "engine": (("auto", "exact"), "the exact engine alone diagnoses models: leave it out"),
}
"""Keys of which a study of models takes these values alone, and why."""
_FILES = (".csv", ".json", ".npy")

Located = list[tuple[str, Any]]
Wrong = Callable[[str, object], None]


def checked_readouts(value: Any, *, of_models: bool) -> str | tuple[str, ...]:
    """A label, or those that one model joins."""
    if not of_models:
        if isinstance(value, list):
            raise Mistake(f"a list is one model's readouts, and no key makes a model: {', '.join(MODEL_KEYS)}")
        return checked_text(value)
    labels = value if isinstance(value, list) else [value]
    if not labels:
        raise Mistake("must not be empty")
    return tuple(checked_text(label) for label in labels)


@dataclass(frozen=True)
class StatedModels:
    """The models of a study.

    Attributes:
        inputs: Names of parameters or vectors.
        trained: Likewise of the weights whose gradient counts; none for all.
        data: Rows as plain data; None without.
        labels: Likewise.
        losses: Key and name.
        priors: Key and plain prior.
    """

    inputs: tuple[str, ...]
    trained: tuple[str, ...]
    data: Any
    labels: Any
    losses: Located
    priors: Located

    @classmethod
    def read(
        cls, given: Mapping[str, Any], folder: Path, values: Callable[..., Located], wrong: Wrong
    ) -> StatedModels | None:
        """From a study's data; None if it has none of the keys.

        Args:
            given: The study.
            folder: Where files are looked for.
            values: Reads a list of values, as the study's other lists.
            wrong: Told each mistake with its key.
        """
        if not any(key in given for key in MODEL_KEYS):
            return None
        data = _read("data", given, folder, wrong)
        column = given.get("labels")
        labels = None
        if isinstance(data, dict) and isinstance(column, str) and column in data:
            labels = data.pop(column)
        elif "data" not in given or data is not None:  # else the labels may be a column of data that is not there
            labels = _read("labels", given, folder, wrong)
        inputs, trained = (
            tuple(text for _, text in values(key, checked_text, [])) if given.get(key) else ()
            for key in ("inputs", "trained")
        )
        return cls(
            inputs=inputs,
            trained=trained,
            data=data,
            labels=labels,
            losses=values("loss", lambda value: checked_choice(value, tuple(LOSSES)), ["mean"]),
            priors=values("prior", lambda value: _prior(value, folder), ["uniform"], tables=True),
        )

    def statements(self) -> tuple[ModelStatement, ...]:
        """One for each loss and prior, still without readouts."""
        data, labels = (None if table is None else json.dumps(table) for table in (self.data, self.labels))
        return tuple(
            ModelStatement(loss, json.dumps(prior), self.inputs, data, labels, self.trained)
            for (_, loss), (_, prior) in itertools.product(self.losses, self.priors)
        )

    def mistakes(
        self, circuit: QuantumCircuit, where: str, readouts: Sequence[tuple[str, tuple[str, ...]]]
    ) -> Iterator[tuple[str, object]]:
        """(key, what is wrong) of the models on a circuit, each looked for once what it rests on is right.

        Args:
            circuit: With inputs and weights.
            where: Its key.
            readouts: Key and labels, by their qubits.
        """
        key = "inputs"
        try:
            chosen = chosen_parameters(self.inputs, tuple(circuit.parameters), key) if self.inputs else ()
            if len(chosen) == len(circuit.parameters):
                raise ParameterError("every parameter of the circuit is an input: there are no weights to train.")
            key = "trained"
            if self.trained:
                chosen_parameters(self.trained, [p for p in circuit.parameters if p not in set(chosen)], key)
            key = "data"
            rows = read_rows(self.data, None, [p.name for p in chosen])
            key = "labels"
            labels = None if self.labels is None else read_labels(self.labels, rows.count)
            for at, joined in readouts:
                for _, loss in self.losses:
                    loss_of(loss).targets(labels, rows.count, len(joined))
                yield from self._of_readouts(circuit, where, at, joined, rows.inputs[:1] if chosen else None)
        except EquinoiseError as error:
            yield key, error

    def _of_readouts(
        self, circuit: QuantumCircuit, where: str, at: str, joined: tuple[str, ...], first: Any
    ) -> Iterator[tuple[str, object]]:
        key = at
        try:
            # one row is enough to see whether weights, readouts and priors fit
            model = Model(circuit, list(joined), inputs=self.inputs or None, trained=self.trained or None, data=first)
            for at_prior, prior in self.priors:
                key = at_prior
                model.with_prior(prior)
        except (SymmetryError, CircuitError, UnsupportedError) as error:
            yield where, error
        except EquinoiseError as error:
            yield key, error


def _read(key: str, given: Mapping[str, Any], folder: Path, wrong: Wrong) -> Any:
    """A table as plain data, from a CSV file beside the study or from rows in it."""
    if key not in given:
        return None
    value = given[key]
    try:
        return plain_table(folder / value if isinstance(value, str) else value, key)
    except EquinoiseError as error:
        wrong(key, error)
        return None


def _prior(value: Any, folder: Path) -> Any:
    """A prior as plain data: a text, given values, or a table of groups."""
    if isinstance(value, Mapping):
        plain: Any = {str(name): _from_file(part, folder) for name, part in value.items()}
    else:
        plain = _from_file(checked_text(value), folder)
    Ensemble.of(plain)
    return plain


def _from_file(value: Any, folder: Path) -> Any:
    if isinstance(value, str) and value.endswith(_FILES):
        found = parameter_values(folder / value)
        return found.tolist() if isinstance(found, np.ndarray) else found
    return value
