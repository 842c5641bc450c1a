"""The grid of a study: its circuits, readouts, noise, layouts and numbers, and the tasks that are their product."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from equinoise.sweeps.model_statement import ModelStatement
from equinoise.sweeps.task import Task

__all__ = ["PLACES", "CircuitPoint", "LayoutPoint", "NoisePoint", "Study", "placed_labels"]

PLACES: dict[str, Callable[[int], str]] = {
    "first": lambda n: "Z0",
    "middle": lambda n: f"Z{n // 2}",
    "last": lambda n: f"Z{n - 1}",
}
"""Readouts by their place among n qubits."""


def placed_labels(readout: str | tuple[str, ...], num_qubits: int) -> tuple[str, ...]:
    """Labels by their qubits, of a readout or of those that a model joins.

    Args:
        readout: As a study has it.
        num_qubits: Of the circuit.
    """
    labels = (readout,) if isinstance(readout, str) else readout
    return tuple(PLACES[label](num_qubits) if label in PLACES else label for label in labels)


@dataclass(frozen=True)
class CircuitPoint:
    """One circuit of a study.

    Attributes:
        source: What ``load_circuit`` builds, or a file's name.
        family: Builder, or "file".
        num_qubits: n.
        depth: As the builder was asked for; layers of a file's circuit.
        digest: SHA-256 of a file's content; None for a builder.
        data: A file's circuit as QPY in base64.
        where: Its key in the study file.
    """

    source: str
    family: str
    num_qubits: int
    depth: int
    digest: str | None = None
    data: str | None = field(default=None, repr=False)
    where: str = ""


@dataclass(frozen=True)
class NoisePoint:
    """One noise of a study.

    Attributes:
        label: Specification, or the name of a table or file.
        table: Canonical JSON of a table; None for a specification.
        device: Whether it is (also) a device snapshot's, so that layouts apply.
    """

    label: str
    table: str | None = None
    device: bool = False


@dataclass(frozen=True)
class LayoutPoint:
    """One layout of a study.

    Attributes:
        qubits: Physical qubit of each circuit qubit, shape (n,); None to have one chosen.
        noise: Specification of the noise that it is for; None for every device.
    """

    qubits: tuple[int, ...] | None = None
    noise: str | None = None

    def fits(self, circuit: CircuitPoint, noise: NoisePoint) -> bool:
        """Whether it is for this circuit and this noise: by its length and its ``noise``."""
        length = self.qubits is None or len(self.qubits) == circuit.num_qubits
        return length and self.noise in (None, noise.label)


@dataclass(frozen=True)
class Study:
    """A grid of tasks: the product of its lists, each a tuple of points.

    Attributes:
        name: Of the study.
        circuits: At least one.
        readouts: Labels (a tuple of them for each model), or "first", "middle", "last" for Z0, Z(n//2), Z(n-1).
        initial: "neel", bitstrings; None for the circuit's own preparation.
        noise: At least one.
        layouts: For device noise; each circuit takes those of its length.
        scales: Noise scales in [0, infinity].
        samples: Numbers of draws.
        seeds: Of the draws.
        shots: Per expectation value.
        ensemble: "uniform" or "normal:WIDTH".
        engine: "auto" or names.
        relative_error: Of kappa, at which drawing stops; None for never.
        quantities: Wanted of each task.
        models: What makes the circuits models; None for circuits.
    """

    name: str
    circuits: tuple[CircuitPoint, ...]
    readouts: tuple[str | tuple[str, ...], ...]
    initial: tuple[str | None, ...] = (None,)
    noise: tuple[NoisePoint, ...] = (NoisePoint("none"),)
    layouts: tuple[LayoutPoint, ...] = (LayoutPoint(),)
    scales: tuple[float, ...] = (1.0,)
    samples: tuple[int, ...] = (128,)
    seeds: tuple[int, ...] = (0,)
    shots: tuple[int, ...] = (10_000,)
    ensemble: tuple[str, ...] = ("uniform",)
    engine: tuple[str, ...] = ("auto",)
    relative_error: tuple[float | None, ...] = (None,)
    quantities: tuple[str, ...] = ("diagnosis",)
    models: tuple[ModelStatement | None, ...] = (None,)

    def tasks(self) -> Iterator[Task]:
        """The tasks, each once, those of one problem after each other; made one at a time."""
        known: set[str] = set()
        for circuit, readout, initial, noise, model in itertools.product(
            self.circuits, self.readouts, self.initial, self.noise, self.models
        ):
            labels = placed_labels(readout, circuit.num_qubits)
            layouts: list[LayoutPoint] = [LayoutPoint()]
            if noise.device:
                layouts = [layout for layout in self.layouts if layout.fits(circuit, noise)]
            for layout, ensemble, engine, error, shots, samples, scale, seed in itertools.product(
                layouts,
                self.ensemble,
                self.engine,
                self.relative_error,
                self.shots,
                self.samples,
                self.scales,
                self.seeds,
            ):
                task = Task(
                    source=circuit.source,
                    readout=", ".join(labels),
                    noise=noise.label,
                    scale=scale,
                    samples=samples,
                    seed=seed,
                    shots=shots,
                    quantities=self.quantities,
                    initial=initial,
                    layout=layout.qubits,
                    ensemble=ensemble,
                    engine=engine,
                    relative_error=error,
                    noise_table=noise.table,
                    circuit_digest=circuit.digest,
                    circuit_data=circuit.data,
                    model=None if model is None else replace(model, readouts=labels),
                    study=self.name,
                    family=circuit.family,
                    num_qubits=circuit.num_qubits,
                    depth=circuit.depth,
                )
                if task.key not in known:
                    known.add(task.key)
                    yield task
