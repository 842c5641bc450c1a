"""How deep a circuit of repeating layers can be before its gradient is lost in noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from equinoise.engines.evaluate import gradient_variance
from equinoise.errors import MemoryLimitError
from equinoise.problem.layers import Layer
from equinoise.problem.noise import NoiseModel
from equinoise.problem.noise_terms import Slot
from equinoise.problem.problem import Problem
from equinoise.reduction.program import Program, compile_problem

__all__ = ["GreatestDepth", "greatest_depth", "repeated", "repetition"]

# one depth is tried only while its sweeps over all draws stay below this many elementary updates (some seconds)
_AFFORDABLE = 2e9
_SAMPLES = 16
_DEEPEST = 400


@dataclass(frozen=True)
class GreatestDepth:
    """The greatest number of layers at which the gradient is still resolved.

    Attributes:
        depth: Layers; 0 if not even the shortest circuit is resolved.
        at_least: Whether the search ended at what the engine can do, so that the true depth may be greater.
        samples: Draws per depth.
    """

    depth: int
    at_least: bool
    samples: int


def repetition(problem: Problem) -> int | None:
    """The number of layers after which layers and noise repeat, or None if they do not."""
    keys = [_key(layer, slot) for layer, slot in zip(problem.layers, problem.slots, strict=True)]
    for period in range(1, len(keys)):
        if all(keys[i] == keys[i + period] for i in range(len(keys) - period)):
            return period
    return None


def _key(layer: Layer, slot: Slot) -> tuple[Any, ...]:
    gates = tuple((gate.name, gate.qubits) for gate in layer.gates)
    return gates, tuple(sorted(repr(replace(term, layers=None, gate=None, on=None)) for term in slot.terms))


def repeated(problem: Problem, depth: int, period: int) -> Problem:
    """The same circuit continued (or cut) to a number of layers, with fresh parameters in each layer."""
    circuit = QuantumCircuit(problem.num_qubits)
    sources = [_layer_circuit(problem, number) for number in range(period)]
    terms: dict[str, list[Any]] = {"dephasing": [], "relaxation": [], "depolarizing": [], "pauli": []}
    for number in range(depth):
        source = number % period
        layer = sources[source]
        fresh = {p: Parameter(f"layer{number}_{p.name}") for p in layer.parameters}
        circuit.compose(layer.assign_parameters(fresh), inplace=True)
        circuit.barrier()
        for kind, chosen in terms.items():
            chosen += [replace(t, layers=(number,), gate=None, on=None) for t in getattr(problem.slots[source], kind)]
    return Problem(
        circuit,
        problem.readout,
        initial=problem.initial,
        noise=NoiseModel.from_dict(terms, name=problem.noise.name),
        projected=problem.projected,
        charge=problem.charge,
        allow_broken=problem.allow_broken,
    )


def _layer_circuit(problem: Problem, number: int) -> QuantumCircuit:
    circuit = QuantumCircuit(problem.num_qubits)
    for gate in problem.layers[number].gates:
        circuit.append(problem.circuit.data[gate.position].operation, list(gate.qubits))
    return circuit


def greatest_depth(
    problem: Problem, threshold: float, scale: float, seed: int, ensemble: Any = None
) -> GreatestDepth | None:
    """The greatest depth at which the RMS gradient per parameter is above a threshold at a noise scale.

    Depths in steps of the repetition are evaluated exactly on a few draws: upwards in doubling strides while the
    gradient is resolved and the engine can afford it, then halving between the last two; downwards step by step if it
    is not resolved to begin with.

    Args:
        problem: The problem; its layers and noise must repeat.
        threshold: RMS gradient that the shots resolve.
        scale: Noise scale s.
        seed: Of the draws.
        ensemble: As in :func:`equinoise.gradient_variance`; given parameter values have no depth to go to.

    Returns:
        None where the layers do not repeat.
    """
    period = repetition(problem)
    if period is None or (ensemble is not None and not isinstance(ensemble, str)):
        return None

    def resolved(depth: int) -> bool | None:
        try:
            candidate = repeated(problem, depth, period)
            program = compile_problem(candidate)
            if _updates(program) * _SAMPLES > _AFFORDABLE:
                return None
            result = gradient_variance(candidate, [scale], samples=_SAMPLES, seed=seed, ensemble=ensemble)
        except MemoryLimitError:
            return None
        rms = np.sqrt(result.variance[0] / max(1, len(program.parameters)))
        return bool(rms >= threshold)

    start = len(problem.layers)
    answer = resolved(start)
    if not answer:
        for depth in range(start - period, 0, -period):
            deeper, answer = answer, resolved(depth)
            if answer:
                return GreatestDepth(depth, deeper is None, _SAMPLES)
        return GreatestDepth(0, False, _SAMPLES)
    # strides double while the gradient is resolved; then the gap to the depth where it is not is halved
    deepest = start + max(0, (_DEEPEST - start) // period) * period
    above: int | None = None
    best, stride, lost = start, period, False
    while best < deepest and (above is None or best + period < above):
        if above is None:
            depth, stride = min(best + stride, deepest), 2 * stride
        else:
            depth = best + (above - best) // (2 * period) * period
        answer = resolved(depth)
        if answer:
            best = depth
        else:
            above, lost = depth, answer is False
    return GreatestDepth(best, not lost, _SAMPLES)


def _updates(program: Program) -> float:
    return 6.0 * program.numbers * max(1, program.num_blocks)
