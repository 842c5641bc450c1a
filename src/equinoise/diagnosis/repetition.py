"""Circuits whose layers repeat: what stands before and after the repetitions, and the same circuit of another depth."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from equinoise.circuit.layers import Layer, end_layer
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import NoiseTerm, PhaseProcess, Slot
from equinoise.problem import Problem

__all__ = ["Repetition", "repeated", "repetition", "shortened"]


@dataclass(frozen=True)
class Repetition:
    """Layers as a head, a part of some period, and a tail.

    Attributes:
        head: Layers before the repeating part, such as a preparation.
        period: After how many layers of that part gates and noise are the same again.
        tail: Layers behind it, such as final rotations.
    """

    head: int
    period: int
    tail: int

    @property
    def ends(self) -> int:
        """Layers that do not repeat."""
        return self.head + self.tail

    def source(self, number: int, depth: int, layers: int) -> int:
        """Which of a circuit's layers is the layer ``number`` of the same circuit continued (or cut) to a depth."""
        if number < self.head:
            return number
        if number >= depth - self.tail:
            return number - depth + layers
        return self.head + (number - self.head) % self.period


def repetition(problem: Problem) -> Repetition | None:
    """How a problem's layers and noise repeat, or None if they do not.

    Either all layers repeat, the last time perhaps in part, or a part longer than what stands before and behind it
    does, at least twice. Dephasing correlated in time repeats where its amplitudes do; Gaussian phases of any
    covariance do not, and the frames of a compiled circuit need not.
    """
    prepared_inside = problem.preparation is not None and (bool(problem.breaking) or problem.input_varies)
    if problem.noise.phases or problem.frames is not None or prepared_inside or _divided(problem.layers):
        return None
    stationary = [process for process in problem.processes if isinstance(process, PhaseProcess)]
    amplitudes = list(zip(*(process.amplitudes for process in stationary), strict=True))
    numbers: dict[Hashable, int] = {}
    keys = [
        numbers.setdefault((*_key(layer, slot), amplitudes[i] if amplitudes else ()), len(numbers))
        for i, (layer, slot) in enumerate(zip(problem.layers, problem.slots, strict=True))
    ]
    best: Repetition | None = None
    for period in range(1, len(keys)):
        start, length = _longest_run([a == b for a, b in zip(keys, keys[period:], strict=False)])
        found = Repetition(start, period, len(keys) - start - length - period)
        twice = length >= period and length + period > found.ends
        if length and (twice or not found.ends) and (best is None or found.ends < best.ends):
            best = found
    return best


def _longest_run(same: Sequence[bool]) -> tuple[int, int]:
    """Start and length of the longest run of True, the first of equal ones."""
    best = (0, 0)
    start = 0
    for number, one in enumerate([*same, False]):
        if not one:
            if number - start > best[1]:
                best = (start, number - start)
            start = number + 1
    return best


def _divided(layers: Sequence[Layer]) -> bool:
    """Whether the parts of one gate stand in several layers: no layer is then a circuit by itself."""
    positions = [gate.position for layer in layers for gate in layer.gates]
    return len(set(positions)) < len(positions)


def _key(layer: Layer, slot: Slot) -> tuple[Any, ...]:
    gates = tuple((gate.name, gate.qubits) for gate in layer.gates)
    return gates, tuple(sorted(repr(replace(term, layers=None, gate=None, on=None)) for term in slot.terms))


def repeated(problem: Problem, depth: int, how: Repetition) -> Problem:
    """The same circuit continued (or cut) to a number of layers, each repetition with parameters of its own.

    Angles that share a parameter within a repetition, or with the next one, or throughout, do so again. A phase process
    stays one process over all layers, correlated over as many slots as before.
    """
    names = _Names(problem, how, depth)
    sources = [how.source(number, depth, len(problem.layers)) for number in range(depth)]
    return _of_layers(problem, sources, names.at)


def shortened(problem: Problem, depth: int, how: Repetition) -> Problem:
    """The same circuit with only its head and its last layers, of ``depth`` layers in all: it ends as it did."""
    left_out = len(problem.layers) - depth
    sources = [number if number < how.head else number + left_out for number in range(depth)]
    return _of_layers(problem, sources, lambda parameter, _: parameter)


def _of_layers(problem: Problem, sources: Sequence[int], name: Callable[[Parameter, int], Parameter]) -> Problem:
    """The problem made of some of a problem's layers with their noise; ``name`` is given a parameter and its layer."""
    circuit = QuantumCircuit(problem.num_qubits)
    terms: list[NoiseTerm] = []
    for number, source in enumerate(sources):
        layer = _layer_circuit(problem, source)
        circuit.compose(layer.assign_parameters({p: name(p, number) for p in layer.parameters}), inplace=True)
        end_layer(circuit)
        terms += [replace(t, layers=(number,), gate=None, on=None) for t in problem.slots[source].terms]
    # as they were stated, since a process may act more than once in a slot: the gates that it is tied to repeat
    for term in problem.noise.dephasing:
        if term.correlation is not None:
            layers = term.layers
            if layers is not None:
                layers = tuple(number for number, source in enumerate(sources) if source in layers)
            terms.append(replace(term, layers=layers))
    return Problem(
        circuit,
        problem.readout,
        initial=problem.initial,
        noise=NoiseModel(terms, readout_error=dict(problem.noise.readout_error), name=problem.noise.name),
        projected=problem.projected,
        charge=problem.charge,
        allow_broken=problem.allow_broken,
        symmetry=problem.symmetry,
    )


def _layer_circuit(problem: Problem, number: int) -> QuantumCircuit:
    circuit = QuantumCircuit(problem.num_qubits)
    for gate in problem.layers[number].gates:
        circuit.append(problem.circuit.data[gate.position].operation, list(gate.qubits))
    return circuit


class _Names:
    """Which parameter stands in a layer of the circuit of another depth.

    Gate by gate, the layers of one repetition and the next pair their parameters: x in the one, next(x) in the other.
    A parameter is then the k-th successor of a first one, and one that is its own successor is shared by all
    repetitions. With layers formed as soon as possible a repetition overlaps the next, and this still tells them apart.
    """

    def __init__(self, problem: Problem, how: Repetition, depth: int) -> None:
        self.how, self.depth = how, depth
        self.grown = (depth - len(problem.layers)) // how.period
        self.place = _successors(problem, how)
        self.made: dict[tuple[Any, ...], Parameter] = {}

    def at(self, parameter: Parameter, number: int) -> Parameter:
        """The parameter in place of one of the source layer's, in the layer ``number``."""
        if self.place is None:
            return self._named((parameter, number), f"layer{number}_{parameter.name}")
        root, order = self.place.get(parameter, (parameter, None))
        if order is None:
            return self._named((root,), root.name)
        if number >= self.depth - self.how.tail:
            order += self.grown
        elif number >= self.how.head:
            order += (number - self.how.head) // self.how.period
        return self._named((root, order), f"{root.name}_{order}")

    def _named(self, key: tuple[Any, ...], name: str) -> Parameter:
        return self.made.setdefault(key, Parameter(name))


def _successors(problem: Problem, how: Repetition) -> dict[Parameter, tuple[Parameter, int | None]] | None:
    """For each parameter of the repeating part the first one that it succeeds, and how often; None if they don't pair.

    The number is None where a parameter is its own successor.
    """
    last = len(problem.layers) - how.tail
    successor: dict[int, int] = {}
    for number in range(how.head, last - how.period):
        here, there = (_in_order(problem.layers[i]) for i in (number, number + how.period))
        if len(here) != len(there) or any(successor.setdefault(a, b) != b for a, b in zip(here, there, strict=True)):
            return None
    if len(set(successor.values())) < len(successor):
        return None
    used = {k for layer in problem.layers[how.head : last] for k in _in_order(layer)}
    out: dict[Parameter, tuple[Parameter, int | None]] = {}
    for first in sorted(used - {b for a, b in successor.items() if a != b}):
        k, order = first, 0
        if successor.get(k) == k:
            out[problem.parameters[k]] = (problem.parameters[k], None)
            continue
        out[problem.parameters[k]] = (problem.parameters[first], order)
        while k in successor:
            k, order = successor[k], order + 1
            out[problem.parameters[k]] = (problem.parameters[first], order)
    return out if len(out) == len(used) else None


def _in_order(layer: Layer) -> list[int]:
    """Indices of the parameters of a layer's rotations, those of one angle by their coefficients."""
    angles = (rotation.angle for gate in layer.gates for rotation in gate.rotations)
    return [k for angle in angles for k, _ in sorted(angle.coefficients, key=lambda pair: (pair[1], pair[0]))]
